//! Where a file came from: command, version, seed and hashes of inputs, written beside every result.

use crate::{Problem, Result, files::write_atomically, problem};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// The origin of a result. No time and no host: the same inputs give the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The command that made it, without paths to the program.
    pub command: String,
    /// Version of veche.
    pub version: String,
    /// Seed of all chance in it. Of a campaign: its secret, so this file stays on the requester's side.
    pub seed: Option<u64>,
    /// Whether simulated annotators gave any of the answers behind it.
    pub simulated: bool,
    /// What was read.
    pub inputs: Vec<Input>,
}

/// One input with its content's hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Path as given.
    pub path: String,
    /// BLAKE3 of the content; of a folder: of the names and contents of the files that were used.
    pub blake3: String,
}

impl Provenance {
    /// The origin of what a command makes.
    pub fn new(command: impl Into<String>, seed: Option<u64>) -> Self {
        Self {
            command: command.into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            simulated: false,
            inputs: Vec::new(),
        }
    }

    /// Adds a file by the hash of its content.
    pub fn with_file(mut self, path: &Path) -> Result<Self> {
        let mut hasher = blake3::Hasher::new();
        let mut file = File::open(path).map_err(|e| Problem::io("read", path, &e))?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            let n = file
                .read(&mut buffer)
                .map_err(|e| Problem::io("read", path, &e))?;
            if n == 0 {
                break;
            }
            hasher.update(&buffer[..n]);
        }
        self.inputs.push(Input {
            path: crate::remote::shown(path),
            blake3: hasher.finalize().to_hex().to_string(),
        });
        Ok(self)
    }

    /// Writes it as JSON.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_json(path, self)
    }
}

/// Writes a value as indented JSON.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|e| problem(format!("cannot write as JSON: {e}")).file(path))?;
    text.push('\n');
    write_atomically(path, |w| io::Write::write_all(w, text.as_bytes()))
}
