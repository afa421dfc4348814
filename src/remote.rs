//! Objects of an S3-compatible store in place of files: `s3://bucket/key` on the command line is fetched before a command runs, and what
//! `--out s3://…` names is stored when it has succeeded, with the files that belong to it (provenance).
//!
//! Whole objects, because nearly every command reads all of its input, and so every reader and writer works as it is, with its checks,
//! atomic writes and spilling to disk. Who may read and write stands in the environment (`AWS_…`), never on the command line.

use crate::{Problem, Result, problem};
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    buffered::BufWriter,
    path::Path as Key,
};
use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::io::AsyncWriteExt;
use tokio_stream::StreamExt;

const SCHEME: &str = "s3://";

/// What stands for which address in this run, so that messages and provenance name the address.
static NAMES: OnceLock<Vec<(PathBuf, String)>> = OnceLock::new();

/// A path as people know it: the address it was fetched from, where it was.
pub fn shown(path: &Path) -> String {
    let names = NAMES.get().into_iter().flatten();
    for (local, address) in names {
        if let Ok(rest) = path.strip_prefix(local) {
            let rest = rest.display().to_string();
            return if rest.is_empty() {
                address.clone()
            } else {
                format!("{}/{rest}", address.trim_end_matches('/'))
            };
        }
    }
    path.display().to_string()
}

/// A command line with addresses replaced by local files.
#[derive(Debug, Default)]
pub struct Staged {
    /// The arguments.
    pub args: Vec<OsString>,
    /// Folder of what was fetched and of what will be stored; gone with this value.
    folder: Option<tempfile::TempDir>,
    /// Folders whose files go to `s3://bucket/prefix/`, each with its main file's name.
    outputs: Vec<(PathBuf, Address, String)>,
}

/// A bucket and what comes after it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    bucket: String,
    key: String,
}

impl Address {
    fn parse(text: &str) -> Result<Self> {
        let (bucket, key) = text
            .strip_prefix(SCHEME)
            .and_then(|rest| rest.split_once('/'))
            .unwrap_or_default();
        if bucket.is_empty() || key.is_empty() {
            return problem("is not an address in an object store")
                .value(text)
                .hint("it reads like s3://bucket/votes/2026.parquet")
                .fail();
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    fn with(&self, key: impl Into<String>) -> Self {
        Self {
            bucket: self.bucket.clone(),
            key: key.into(),
        }
    }

    /// What comes before the last `/`, with it, and what after.
    fn split(&self) -> (&str, &str) {
        self.key
            .rfind('/')
            .map_or(("", self.key.as_str()), |at| self.key.split_at(at + 1))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

/// Fetches what the arguments name. Inputs are objects, all tables under a prefix (`s3://bucket/votes/`), or those that match a pattern
/// (`s3://bucket/votes/2026-*.parquet`); the value of `--out` is where the result goes.
pub fn stage(args: impl Iterator<Item = OsString>) -> Result<Staged> {
    let args: Vec<OsString> = args.collect();
    let is_remote = |arg: &OsString| {
        let text = arg.to_string_lossy();
        text.starts_with(SCHEME) || (text.starts_with("--") && text.contains("=s3://"))
    };
    if !args.iter().any(is_remote) {
        return Ok(Staged {
            args,
            ..Staged::default()
        });
    }
    let folder = tempfile::tempdir()
        .map_err(|e| Problem::io("make a folder for objects", std::env::temp_dir(), &e))?;
    let mut staged = Staged::default();
    let mut names = Vec::new();
    let mut before = String::new();
    for (at, arg) in args.into_iter().enumerate() {
        let text = arg.to_string_lossy().into_owned();
        let (flag, address) = match text.split_once('=') {
            _ if text.starts_with(SCHEME) => (before.as_str(), Some(text.as_str())),
            Some((flag, value)) if flag.starts_with("--") && value.starts_with(SCHEME) => {
                (flag, Some(value))
            }
            _ => ("", None),
        };
        let Some(address) = address else {
            before = text;
            staged.args.push(arg);
            continue;
        };
        let address = Address::parse(address)?;
        let (parent, name) = address.split();
        let place = folder.path().join(at.to_string());
        fs::create_dir(&place).map_err(|e| Problem::io("make the folder", &place, &e))?;
        names.push((place.clone(), address.with(parent).to_string()));
        let local = if flag == "--out" {
            staged
                .outputs
                .push((place.clone(), address.with(parent), name.to_owned()));
            place.join(name)
        } else {
            fetch(&address, &place)?;
            place.join(name)
        };
        staged.args.push(match text.split_once("=s3://") {
            Some((flag, _)) if !text.starts_with(SCHEME) => {
                let mut whole = OsString::from(format!("{flag}="));
                whole.push(&local);
                whole
            }
            _ => local.into_os_string(),
        });
        before = String::new();
    }
    let _ = NAMES.set(names);
    staged.folder = Some(folder);
    Ok(staged)
}

impl Staged {
    /// Stores what the command wrote, the named file last: where it is, everything that belongs to it is too.
    pub fn store(&self) -> Result<()> {
        for (folder, prefix, main) in &self.outputs {
            let fail = |e: io::Error| Problem::io("read what was written", folder, &e);
            let mut files = Vec::new();
            let mut open = vec![folder.clone()];
            while let Some(dir) = open.pop() {
                for entry in fs::read_dir(&dir).map_err(fail)? {
                    let path = entry.map_err(fail)?.path();
                    if path.is_dir() {
                        open.push(path);
                    } else {
                        files.push(path);
                    }
                }
            }
            files.sort_by_key(|path| (path == &folder.join(main), path.clone()));
            for file in &files {
                let rest = file.strip_prefix(folder).unwrap_or(file);
                let key = format!("{}{}", prefix.key, rest.display());
                put(file, &prefix.with(key))?;
            }
            crate::cmd::note(&format!(
                "stored {}",
                prefix.with(format!("{}{main}", prefix.key))
            ));
        }
        Ok(())
    }
}

fn bucket(address: &Address) -> Result<Arc<AmazonS3>> {
    let retry = RetryConfig {
        max_retries: 5,
        retry_timeout: Duration::from_secs(60),
        ..RetryConfig::default()
    };
    // A store inside the house may speak plain HTTP; an address that says https stays https.
    let plain = std::env::var("AWS_ENDPOINT").is_ok_and(|e| e.starts_with("http://"));
    let options = ClientOptions::new()
        .with_allow_http(plain)
        .with_connect_timeout(Duration::from_secs(10))
        .with_timeout_disabled();
    let store = AmazonS3Builder::from_env()
        .with_bucket_name(&address.bucket)
        .with_client_options(options)
        .with_retry(retry)
        .build()
        .map_err(|e| failed("reach", address, &e))?;
    Ok(Arc::new(store))
}

fn failed(doing: &str, address: &Address, error: &object_store::Error) -> Box<Problem> {
    use object_store::Error as E;
    let (what, hint) = match error {
        E::NotFound { .. } => (
            "there is no such object or bucket".to_owned(),
            "check the address; a folder ends in /, a pattern has a * in its last part",
        ),
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => (
            format!("the store does not let us {doing} this"),
            "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the rights they have",
        ),
        other => (
            format!("cannot {doing} this in the object store: {other}"),
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for stores other than Amazon's, AWS_ENDPOINT say where it is and who asks",
        ),
    };
    Box::new(problem(what).file(address.to_string()).hint(hint))
}

/// Fetches an object, or all that a prefix or a pattern names, into a folder.
fn fetch(address: &Address, folder: &Path) -> Result<()> {
    let store = bucket(address)?;
    crate::cmd::serve::runtime()?.block_on(async {
        let (parent, name) = address.split();
        if !name.is_empty() && !name.contains('*') {
            let key = Key::from(address.key.as_str());
            return get(&store, &key, address, &folder.join(name)).await;
        }
        let prefix = (!parent.is_empty()).then(|| Key::from(parent));
        let mut found = 0;
        let listed = store
            .list_with_delimiter(prefix.as_ref())
            .await
            .map_err(|e| failed("list", address, &e))?;
        for object in listed.objects {
            let Some(file) = object.location.filename() else {
                continue;
            };
            if name.is_empty() || crate::cmd::input::matches(name, file) {
                let one = address.with(object.location.to_string());
                get(&store, &object.location, &one, &folder.join(file)).await?;
                found += 1;
            }
        }
        if found == 0 {
            let what = "no object is there or matches";
            return problem(what)
                .file(address.to_string())
                .hint("check the address")
                .fail();
        }
        Ok(())
    })
}

async fn get(store: &AmazonS3, key: &Key, address: &Address, to: &Path) -> Result<()> {
    let found = store.get(key).await;
    let mut pieces = found
        .map_err(|e| failed("read", address, &e))?
        .into_stream();
    let fail = |e: io::Error| Problem::io("keep the object", to, &e);
    let mut file = io::BufWriter::new(fs::File::create(to).map_err(fail)?);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|e| failed("read", address, &e))?;
        file.write_all(&piece).map_err(fail)?;
    }
    file.flush().map_err(fail)
}

/// Large files go in pieces; the object appears when the last has arrived.
fn put(from: &Path, address: &Address) -> Result<()> {
    let store: Arc<dyn ObjectStore> = bucket(address)?;
    crate::cmd::serve::runtime()?.block_on(async {
        let key = Key::from(address.key.as_str());
        let mut writer = BufWriter::new(store, key);
        let mut file = tokio::fs::File::open(from)
            .await
            .map_err(|e| Problem::io("read what was written", from, &e))?;
        let sent = async {
            tokio::io::copy(&mut file, &mut writer).await?;
            writer.shutdown().await
        };
        sent.await.map_err(|e| {
            let hint = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT say where the store is and who asks";
            Box::new(
                problem(format!("cannot write this into the object store: {e}"))
                    .file(address.to_string())
                    .hint(hint),
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_bucket_and_a_key() {
        let address = Address::parse("s3://b/votes/2026.parquet").unwrap();
        assert_eq!(
            (address.bucket.as_str(), address.split()),
            ("b", ("votes/", "2026.parquet"))
        );
        assert_eq!(address.to_string(), "s3://b/votes/2026.parquet");
        assert_eq!(Address::parse("s3://b/x").unwrap().split(), ("", "x"));
        for wrong in ["s3://b", "s3:///x", "s3://b/", "s3://"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_command_line_without_addresses_stays_as_it_is() {
        let args = ["veche", "score", "votes.csv", "--x=s3.csv"].map(OsString::from);
        assert_eq!(stage(args.clone().into_iter()).unwrap().args, args);
    }
}
