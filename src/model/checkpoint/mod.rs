//! Checkpoints: tensors by name and the few numbers beside them, from `torch.save` files (zip and older) and safetensors.
//!
//! Files are untrusted: a pickle is interpreted, never executed ([`pickle`]), and nothing that a file claims (lengths, shapes, counts)
//! makes this read or hold more than a small multiple of the file itself.

pub mod constructors;
pub mod pickle;
mod safe;
mod torch;

use crate::{Problem, Result, model::onnx::blocks::Weights, problem};
pub use pickle::Dtype;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// What a checkpoint is read from.
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// One tensor in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Element type.
    pub dtype: Dtype,
    /// Shape.
    pub shape: Vec<usize>,
    /// Elements from one index to the next, per axis.
    stride: Vec<usize>,
    /// Name of the storage.
    storage: String,
    /// Elements before the first in it.
    offset: usize,
    /// Elements of the storage.
    storage_len: usize,
}

/// Numbers beside the tensors; absent where the file does not have them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Numbers {
    /// Youngest age, years.
    pub min_age: Option<f64>,
    /// Oldest age.
    pub max_age: Option<f64>,
    /// The age that stands for 0.
    pub avg_age: Option<f64>,
    /// Whether it says ages only.
    pub no_gender: Option<bool>,
    /// Whether it sees bodies.
    pub with_persons: Option<bool>,
}

/// An open checkpoint.
pub struct Checkpoint {
    /// `torch.save (zip)`, `torch.save (before 1.6)`, `safetensors`.
    pub format: &'static str,
    /// Tensors by their names without `module.` and the like; `fds.*` are left out.
    pub tensors: BTreeMap<String, Entry>,
    /// Numbers beside them.
    pub numbers: Numbers,
    /// The key under which the tensors stood (`state_dict_ema`), if any.
    pub taken: Option<String>,
    /// Other sets of tensors that were not taken.
    pub not_taken: Vec<String>,
    /// How many `fds.*` tensors were left out.
    pub skipped: usize,
    storages: Box<dyn Storages>,
    cached: Option<(String, Vec<u8>)>,
    len: u64,
    given: u64,
}

/// Brings the bytes of storages.
trait Storages: Send {
    /// The whole storage, `bytes` long.
    fn read(&mut self, key: &str, bytes: usize) -> Result<Vec<u8>>;
}

impl Checkpoint {
    /// Opens a file. For safetensors, `config.json` beside it is read too.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, of another kind, or asks for anything but its tensors.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Problem::io("read the checkpoint", path, &e))?;
        if file.metadata().is_ok_and(|m| m.is_dir()) {
            return problem("is a folder, not a checkpoint")
                .file(path)
                .hint("name the file: .pth, .pth.tar or .safetensors")
                .fail();
        }
        let beside = path.with_file_name("config.json");
        // A neighbour of this name that is larger is something else.
        let config = match fs::metadata(&beside) {
            Ok(facts) if facts.len() <= 1 << 20 => fs::read_to_string(&beside).ok(),
            _ => None,
        };
        Self::read(Box::new(file), config.as_deref()).map_err(|p| {
            if p.file.is_some() {
                p
            } else {
                Box::new(p.file(path))
            }
        })
    }

    /// The same from anything that can be read, with the text of config.json.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn read(mut source: Box<dyn Source>, config: Option<&str>) -> Result<Self> {
        let unreadable = |e: std::io::Error| problem(format!("cannot read the checkpoint: {e}"));
        let len = source.seek(SeekFrom::End(0)).map_err(unreadable)?;
        source.rewind().map_err(unreadable)?;
        let mut start = Vec::new();
        source
            .by_ref()
            .take(512)
            .read_to_end(&mut start)
            .map_err(unreadable)?;
        source.rewind().map_err(unreadable)?;
        if start.starts_with(b"PK\x03\x04") {
            torch::zip(source, len)
        } else if torch::is_old(&start) {
            torch::old(source, len)
        } else if start.get(8) == Some(&b'{') {
            safe::open(source, len, config)
        } else {
            let p = problem("is no checkpoint that is known here");
            p.hint(match start.get(257..262) {
                Some(b"ustar") => "it was saved by a PyTorch from before 2018: load and save it once with a newer one",
                _ => "give a file of torch.save (.pth, .pth.tar) or a .safetensors file",
            })
            .fail()
        }
    }

    fn new(format: &'static str, storages: Box<dyn Storages>, len: u64) -> Self {
        Self {
            format,
            tensors: BTreeMap::new(),
            numbers: Numbers::default(),
            taken: None,
            not_taken: Vec::new(),
            skipped: 0,
            storages,
            cached: None,
            len,
            given: 0,
        }
    }

    /// Adds a tensor under its plain name.
    fn add(&mut self, name: &str, entry: Entry) -> Result<()> {
        let name = plain(name);
        if name.starts_with("fds.") {
            self.skipped += 1;
            return Ok(());
        }
        if self.tensors.insert(name.to_owned(), entry).is_some() {
            return problem("two tensors have the same name").value(name).fail();
        }
        Ok(())
    }

    /// Shapes by name.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let shapes = self.tensors.iter();
        shapes.map(|(n, e)| (n.clone(), e.shape.clone())).collect()
    }

    /// The numbers of an entry, row by row, as f32.
    fn numbers_of(&mut self, name: &str, entry: &Entry) -> Result<Vec<f32>> {
        let size = entry.dtype.size();
        let outside = || {
            problem(format!("the tensor {name} reaches beyond its storage"))
                .hint("the file is damaged: fetch it again")
        };
        let count = entry
            .shape
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d));
        let count = count.ok_or_else(outside)?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut last = entry.offset;
        for (&n, &stride) in entry.shape.iter().zip(&entry.stride) {
            let step = (n - 1).checked_mul(stride).ok_or_else(outside)?;
            last = last.checked_add(step).ok_or_else(outside)?;
        }
        let bytes = entry.storage_len.checked_mul(size).ok_or_else(outside)?;
        // A view may repeat its storage (stride 0) to any length; weights never do.
        if last >= entry.storage_len || count > entry.storage_len || bytes as u64 > self.len {
            return outside().fail();
        }
        self.given += (count * size) as u64;
        if self.given > 2 * self.len {
            return problem(
                "the tensors share storages, so that together they are larger than the file",
            )
            .fail();
        }
        if self
            .cached
            .as_ref()
            .is_none_or(|(key, _)| *key != entry.storage)
        {
            let read = self.storages.read(&entry.storage, bytes)?;
            self.cached = Some((entry.storage.clone(), read));
        }
        let Some((_, storage)) = &self.cached else {
            return outside().fail();
        };
        if storage.len() < bytes {
            return outside().fail();
        }
        let mut numbers = Vec::with_capacity(count);
        let mut index = vec![0usize; entry.shape.len()];
        let mut at = entry.offset;
        loop {
            numbers.push(number(entry.dtype, &storage[at * size..(at + 1) * size]));
            // The next index, as an odometer counts.
            let mut axis = entry.shape.len();
            loop {
                if axis == 0 {
                    return Ok(numbers);
                }
                axis -= 1;
                index[axis] += 1;
                at += entry.stride[axis];
                if index[axis] < entry.shape[axis] {
                    break;
                }
                at -= entry.shape[axis] * entry.stride[axis];
                index[axis] = 0;
            }
        }
    }
}

impl Weights for Checkpoint {
    fn read(&mut self, name: &str) -> Result<Vec<f32>> {
        let Some(entry) = self.tensors.get(name).cloned() else {
            return problem(format!("the checkpoint has no tensor {name}")).fail();
        };
        let values = self.numbers_of(name, &entry)?;
        if let Some(bad) = values.iter().position(|v| !v.is_finite()) {
            return problem(format!(
                "the tensor {name} holds {} at place {bad}",
                values[bad]
            ))
            .hint("the training that made the file went wrong, or the file is damaged")
            .fail();
        }
        Ok(values)
    }
}

/// Names as the network itself has them: without the wrappers of parallel training, compilation and Hugging Face.
fn plain(name: &str) -> &str {
    let mut name = name;
    while let Some(rest) = ["module.", "_orig_mod.", "mivolo.", "model."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
    {
        name = rest;
    }
    name
}

/// One element from its bytes, little-endian.
fn number(dtype: Dtype, bytes: &[u8]) -> f32 {
    let mut wide = [0u8; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let value = u64::from_le_bytes(wide);
    match dtype {
        Dtype::F32 => f32::from_bits(value as u32),
        Dtype::F64 => f64::from_bits(value) as f32,
        Dtype::F16 => half::f16::from_bits(value as u16).to_f32(),
        Dtype::Bf16 => half::bf16::from_bits(value as u16).to_f32(),
        Dtype::I64 => value as i64 as f32,
        Dtype::I32 => value as i32 as f32,
        Dtype::I16 => f32::from(value as i16),
        Dtype::I8 => f32::from(value as i8),
        Dtype::U8 | Dtype::Bool => f32::from(value as u8),
    }
}

#[cfg(test)]
mod tests;
