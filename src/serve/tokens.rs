//! What proves who someone is: an annotator's token, a picture's address.

use crate::{
    Result,
    store::{Command, Reply, Store, StoreError},
};

/// The server's own key, kept in the database so that several servers know each other's addresses.
#[derive(Clone)]
pub(super) struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A new random name of `N` bytes, in hexadecimal digits.
pub(super) fn random_name<const N: usize>() -> Result<String, StoreError> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).map_err(|e| StoreError::Database(format!("no randomness: {e}")))?;
    Ok(crate::store::hex(&bytes))
}

/// What is kept of a token: who reads the database cannot sign in with it.
pub(super) fn token_hash(token: &str) -> String {
    blake3::hash(token.as_bytes()).to_hex().to_string()
}

impl Secret {
    /// The database's secret, made if there is none yet.
    pub(super) async fn load(store: &Store) -> Result<Self> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(|e| crate::problem(format!("no randomness: {e}")))?;
        // Only the first server's value is kept, whoever is quicker.
        let value = crate::store::hex(&bytes);
        let command = Command::SetOnce {
            name: "secret".into(),
            value,
        };
        match store.carry_out(command).await? {
            Reply::Text(kept) => Ok(Self(*blake3::hash(kept.as_bytes()).as_bytes())),
            _ => Err(Box::new(crate::problem(
                "the database did not keep a secret",
            ))),
        }
    }

    /// The address of the picture at a place of an assignment: `NAME-PLACE-PROOF`. It cannot be made without the secret, says
    /// nothing about the task, and differs from annotator to annotator for the same picture.
    pub(super) fn picture(&self, assignment: &str, place: usize) -> String {
        format!("{assignment}-{place}-{}", self.proof(assignment, place))
    }

    /// Assignment and place of a picture's address, if it is one of ours.
    pub(super) fn read_picture<'a>(&self, name: &'a str) -> Option<(&'a str, usize)> {
        let (rest, proof) = name.rsplit_once('-')?;
        let (assignment, place) = rest.rsplit_once('-')?;
        let place: usize = place.parse().ok()?;
        // Of equal length and hashed first: the time of the comparison says nothing.
        let same = blake3::hash(proof.as_bytes())
            == blake3::hash(self.proof(assignment, place).as_bytes());
        same.then_some((assignment, place))
    }

    fn proof(&self, assignment: &str, place: usize) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher
            .update(b"picture\0")
            .update(assignment.as_bytes())
            .update(&(place as u64).to_le_bytes());
        crate::store::hex(&hasher.finalize().as_bytes()[..12])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_made_with_the_secret_are_read() {
        let secret = Secret([7; 32]);
        let name = secret.picture("00000000ab--0011", 3);
        assert_eq!(secret.read_picture(&name), Some(("00000000ab--0011", 3)));
        assert_eq!(Secret([8; 32]).read_picture(&name), None);
        let other_place = name.replace("-3-", "-4-");
        assert_eq!(secret.read_picture(&other_place), None);
        for bad in [
            "",
            "-",
            "--",
            "a-b-c",
            "../../etc/passwd",
            "a-99999999999999999999-c",
        ] {
            assert_eq!(secret.read_picture(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret([7; 32])), "Secret(…)");
    }
}
