//! Whether a copy of a benchmark is the benchmark.

use super::frozen::{PICTURES, hash_of, read_description, read_frozen};
use crate::{Problem, Result};
use serde::Serialize;
use std::{collections::BTreeMap, fs, path::Path};

/// One file that is not as it was frozen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "fault", content = "file")]
pub enum Fault {
    /// Its content differs.
    Changed(String),
    /// It is not there.
    Missing(String),
    /// It lies among the pictures and belongs to no item.
    Extra(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed(file) => write!(f, "changed  {file}"),
            Self::Missing(file) => write!(f, "missing  {file}"),
            Self::Extra(file) => write!(f, "extra    {file}"),
        }
    }
}

/// Compares every file with its hash. No faults: the copy is the benchmark, to the byte. A changed items.csv is the only
/// fault reported, since nothing in it can be relied on. Errors: no benchmark there, a file that cannot be read.
pub fn verify(dir: &Path) -> Result<Vec<Fault>> {
    let description = read_description(dir)?;
    let list = dir.join("items.csv");
    if !list.is_file() {
        return Ok(vec![Fault::Missing("items.csv".into())]);
    }
    if hash_of(&list)? != description.items_blake3 {
        return Ok(vec![Fault::Changed("items.csv".into())]);
    }
    let frozen = read_frozen(dir)?;
    let mut expected: BTreeMap<&str, &str> = BTreeMap::new();
    for item in &frozen.items {
        if let (Some(file), Some(hash)) = (&item.file, &item.blake3) {
            expected.insert(file, hash);
        }
    }
    let mut faults = Vec::new();
    for (file, hash) in &expected {
        let path = dir.join(file);
        if !path.is_file() {
            faults.push(Fault::Missing((*file).to_owned()));
        } else if hash_of(&path)? != **hash {
            faults.push(Fault::Changed((*file).to_owned()));
        }
    }
    let folder = dir.join(PICTURES);
    if folder.is_dir() {
        let fail = |e: std::io::Error| Problem::io("read the folder", &folder, &e);
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let name = entry.map_err(fail)?.file_name();
            let file = format!("{PICTURES}/{}", name.to_string_lossy());
            if !expected.contains_key(file.as_str()) {
                faults.push(Fault::Extra(file));
            }
        }
    }
    faults.sort();
    Ok(faults)
}
