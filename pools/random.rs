//! The one source of chance: ChaCha8 seeded by the campaign's seed and a purpose, so that two purposes never share dice.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The random stream for one `purpose` of a campaign with this `seed`: same arguments, same stream, on every machine.
pub fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(derived_key(seed, purpose))
}

/// A key of 32 bytes for one `purpose`, from the seed (BLAKE3 in its key derivation mode). Who knows neither the seed nor
/// the key cannot tell its outputs from noise, which is why the seed of a campaign is a secret of the requester.
pub fn derived_key(seed: u64, purpose: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("veche 2026 campaign seed");
    hasher.update(&seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    *hasher.finalize().as_bytes()
}
