//! Files of `torch.save`: a zip archive with one stored entry per storage, or, before PyTorch 1.6, pickles followed by the storages.

use super::{
    Checkpoint, Entry, Source, Storages,
    pickle::{Id, LONGEST, Node, Pickle, Tensor},
};
use crate::{Problem, Result, problem};
use std::{
    collections::HashMap,
    io::{self, Read, SeekFrom},
};
use zip::{CompressionMethod, ZipArchive};

/// Where weights may stand, the first one present being taken, as the official loader does.
const HOMES: [&str; 4] = ["state_dict_ema", "model_ema", "state_dict", "model"];

/// The first pickle of an old file, after the protocol: its magic number.
const MAGIC: [u8; 13] = [
    0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.',
];

/// Whether these first bytes are those of an old file.
pub(super) fn is_old(start: &[u8]) -> bool {
    start.first() == Some(&0x80) && start.get(2..2 + MAGIC.len()) == Some(&MAGIC[..])
}

fn damaged(error: impl std::fmt::Display) -> Problem {
    problem(format!("the checkpoint is damaged: {error}"))
        .hint("the file is cut short or was changed: fetch it again")
}

struct Archive {
    zip: ZipArchive<Box<dyn Source>>,
    root: String,
}

impl Archive {
    /// An entry of at most `most` bytes.
    fn entry(&mut self, name: &str, most: u64) -> Result<Vec<u8>> {
        let name = format!("{}{name}", self.root);
        let entry = self
            .zip
            .by_name(&name)
            .map_err(|e| damaged(format!("{name}: {e}")))?;
        if entry.compression() != CompressionMethod::Stored {
            return problem(format!("{name} in the checkpoint is compressed"))
                .hint("torch.save never compresses; unpack the archive and pack it without compression (zip -0)").fail();
        }
        if entry.size() > most {
            return damaged(format!("{name} claims {} bytes", entry.size())).fail();
        }
        let mut bytes = Vec::new();
        entry
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(|e| damaged(format!("{name}: {e}")))?;
        Ok(bytes)
    }
}

impl Storages for Archive {
    fn read(&mut self, key: &str, bytes: usize) -> Result<Vec<u8>> {
        let read = self.entry(&format!("data/{key}"), bytes as u64)?;
        if read.len() != bytes {
            return damaged(format!(
                "storage {key} has {} bytes instead of {bytes}",
                read.len()
            ))
            .fail();
        }
        Ok(read)
    }
}

/// Opens a zip archive.
pub(super) fn zip(source: Box<dyn Source>, len: u64) -> Result<Checkpoint> {
    let zip = ZipArchive::new(source).map_err(damaged)?;
    let names: Vec<String> = zip.file_names().map(str::to_owned).collect();
    let Some(root) = names.iter().find_map(|n| n.strip_suffix("data.pkl")) else {
        return problem("is a zip archive, but no checkpoint: it holds no data.pkl")
            .hint("give the file that torch.save wrote")
            .fail();
    };
    if names.contains(&format!("{root}constants.pkl")) {
        return problem("is a TorchScript program, not a checkpoint")
            .hint("give the file with the weights (torch.save of the state_dict)")
            .fail();
    }
    let mut archive = Archive {
        zip,
        root: root.to_owned(),
    };
    if names.contains(&format!("{root}byteorder")) && archive.entry("byteorder", 64)? != b"little" {
        return problem("was saved on a big-endian machine")
            .hint("load and save it once on an ordinary one")
            .fail();
    }
    let bytes = archive.entry("data.pkl", len.min(LONGEST as u64))?;
    let pickle = Pickle::read(&bytes)?;
    fill(
        Checkpoint::new("torch.save (zip)", Box::new(archive), len),
        &pickle,
    )
}

struct Old {
    source: Box<dyn Source>,
    /// First byte of each storage.
    places: HashMap<String, u64>,
}

impl Storages for Old {
    fn read(&mut self, key: &str, bytes: usize) -> Result<Vec<u8>> {
        let place = self.places.get(key).copied();
        let place = place.ok_or_else(|| damaged(format!("storage {key} is missing")))?;
        let mut read = Vec::new();
        let mut go = || -> io::Result<()> {
            self.source.seek(SeekFrom::Start(place))?;
            self.source
                .by_ref()
                .take(bytes as u64)
                .read_to_end(&mut read)?;
            Ok(())
        };
        go().map_err(damaged)?;
        if read.len() != bytes {
            return damaged(format!("storage {key} ends too early")).fail();
        }
        Ok(read)
    }
}

/// Opens an old file: magic number, protocol, facts about the machine, the value, the keys of the storages, the storages.
pub(super) fn old(mut source: Box<dyn Source>, len: u64) -> Result<Checkpoint> {
    let mut start = Vec::new();
    let most = len.min(LONGEST as u64);
    source
        .by_ref()
        .take(most)
        .read_to_end(&mut start)
        .map_err(damaged)?;
    let mut at = 2 + MAGIC.len();
    let mut next = || -> Result<Pickle<'_>> {
        let pickle = Pickle::read(&start[at..])?;
        at += pickle.len;
        Ok(pickle)
    };
    let (_protocol, machine, value, keys) = (next()?, next()?, next()?, next()?);
    let little = machine.get(machine.root, "little_endian");
    if little.is_some_and(|id| *machine.node(id) == Node::Bool(false)) {
        return problem("was saved on a big-endian machine")
            .hint("load and save it once on an ordinary one")
            .fail();
    }
    let mut sizes = HashMap::new();
    for storage in value.storages() {
        if let Some(key) = value.text(storage.key) {
            let end = storage.offset.checked_add(storage.len);
            let bytes = end.and_then(|n| n.checked_mul(storage.dtype.size()));
            let bytes = bytes.ok_or_else(|| damaged("a storage is too large"))?;
            let known = sizes.entry(key).or_insert((storage.dtype, bytes));
            known.1 = known.1.max(bytes);
        }
    }
    let mut places = HashMap::new();
    let mut place = at as u64;
    for &key in keys.items(keys.root) {
        let key = keys
            .text(key)
            .ok_or_else(|| damaged("a storage without a name"))?;
        let mut count = [0; 8];
        source.seek(SeekFrom::Start(place)).map_err(damaged)?;
        source.read_exact(&mut count).map_err(damaged)?;
        let Some((dtype, bytes)) = sizes.get(key) else {
            return damaged(format!("nothing says what storage {key} holds")).fail();
        };
        let there = u64::from_le_bytes(count).checked_mul(dtype.size() as u64);
        let end = there.and_then(|n| n.checked_add(place + 8));
        match (there, end) {
            (Some(there), Some(end)) if end <= len && *bytes as u64 <= there => {
                places.insert(key.to_owned(), place + 8);
                place = end;
            }
            _ => return damaged(format!("storage {key} ends too early")).fail(),
        }
    }
    drop(keys);
    let storages = Box::new(Old { source, places });
    fill(
        Checkpoint::new("torch.save (before PyTorch 1.6)", storages, len),
        &value,
    )
}

/// Takes tensors and numbers out of the value that was saved.
fn fill(mut checkpoint: Checkpoint, pickle: &Pickle<'_>) -> Result<Checkpoint> {
    let root = pickle.root;
    let present: Vec<(&str, Id)> = HOMES
        .iter()
        .filter_map(|&home| Some((home, pickle.get(root, home)?)))
        .filter(|(_, id)| holds_tensors(pickle, *id))
        .collect();
    let home = match present.first() {
        Some(&(home, id)) => {
            checkpoint.taken = Some(home.to_owned());
            checkpoint.not_taken = present[1..].iter().map(|p| p.0.to_owned()).collect();
            id
        }
        None if holds_tensors(pickle, root) => root,
        None => {
            return problem("the file holds no weights: neither state_dict nor anything like it")
                .hint("give a checkpoint with its tensors under state_dict, model, state_dict_ema or model_ema").fail();
        }
    };
    for &(key, value) in pickle.entries(home) {
        if let (Some(name), Node::Tensor(tensor)) = (pickle.text(key), pickle.node(value)) {
            let entry = entry(pickle, tensor)?;
            checkpoint.add(name, entry)?;
        }
    }
    let mut number = |key: &str| -> Result<Option<f64>> {
        let Some(id) = pickle.get(root, key) else {
            return Ok(None);
        };
        match pickle.node(id) {
            Node::Tensor(tensor) if tensor.shape.iter().all(|&n| n == 1) => {
                let entry = entry(pickle, tensor)?;
                let values = checkpoint.numbers_of(key, &entry)?;
                Ok(values.first().map(|&v| f64::from(v)))
            }
            _ => Ok(pickle.number(id)),
        }
    };
    let numbers = super::Numbers {
        min_age: number("min_age")?,
        max_age: number("max_age")?,
        avg_age: number("avg_age")?,
        no_gender: number("no_gender")?.map(|n| n != 0.0),
        with_persons: number("with_persons_model")?.map(|n| n != 0.0),
    };
    checkpoint.numbers = numbers;
    Ok(checkpoint)
}

fn holds_tensors(pickle: &Pickle<'_>, id: Id) -> bool {
    let mut values = pickle.entries(id).iter();
    values.any(|&(_, v)| matches!(pickle.node(v), Node::Tensor(_)))
}

fn entry(pickle: &Pickle<'_>, tensor: &Tensor) -> Result<Entry> {
    let storage = &tensor.storage;
    let key = pickle
        .text(storage.key)
        .ok_or_else(|| damaged("a storage without a name"))?;
    let too_far = || damaged("a tensor begins beyond its storage");
    let offset = storage.offset.checked_add(tensor.offset);
    let storage_len = storage.offset.checked_add(storage.len);
    Ok(Entry {
        dtype: storage.dtype,
        shape: tensor.shape.clone(),
        stride: tensor.stride.clone(),
        storage: key.to_owned(),
        offset: offset.ok_or_else(too_far)?,
        storage_len: storage_len.ok_or_else(too_far)?,
    })
}
