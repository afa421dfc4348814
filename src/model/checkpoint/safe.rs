//! safetensors, with the ages in config.json beside the file.

use super::{Checkpoint, Dtype, Entry, Numbers, Source, Storages};
use crate::{Problem, Result, problem};
use safetensors::SafeTensors;
use std::io::Read;

struct Whole(Vec<u8>);

impl Storages for Whole {
    fn read(&mut self, key: &str, bytes: usize) -> Result<Vec<u8>> {
        let start: Option<usize> = key.parse().ok();
        let found = start.and_then(|start| self.0.get(start..start.checked_add(bytes)?));
        let found = found.ok_or_else(|| damaged("a tensor ends too early"))?;
        Ok(found.to_vec())
    }
}

fn damaged(error: impl std::fmt::Display) -> Problem {
    problem(format!("the safetensors file is damaged: {error}"))
        .hint("the file is cut short or was changed: fetch it again")
}

/// Opens a file.
pub(super) fn open(source: Box<dyn Source>, len: u64, config: Option<&str>) -> Result<Checkpoint> {
    let mut bytes = Vec::new();
    source.take(len).read_to_end(&mut bytes).map_err(damaged)?;
    let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let mut entries = Vec::new();
    for (name, info) in metadata.tensors() {
        use safetensors::Dtype as D;
        let dtype = match info.dtype {
            D::F32 => Dtype::F32,
            D::F64 => Dtype::F64,
            D::F16 => Dtype::F16,
            D::BF16 => Dtype::Bf16,
            D::I64 => Dtype::I64,
            D::I32 => Dtype::I32,
            D::I16 => Dtype::I16,
            D::I8 => Dtype::I8,
            D::U8 => Dtype::U8,
            D::BOOL => Dtype::Bool,
            other => {
                return problem(format!("the tensor {name} has the element type {other:?}"))
                    .hint("save it as F32, F16 or BF16")
                    .fail();
            }
        };
        let mut stride = vec![1usize; info.shape.len()];
        for axis in (1..info.shape.len()).rev() {
            // The sizes were checked against the offsets when the header was read.
            stride[axis - 1] = stride[axis].saturating_mul(info.shape[axis]);
        }
        let (start, end) = info.data_offsets;
        entries.push((
            name,
            Entry {
                dtype,
                shape: info.shape.clone(),
                stride,
                // Eight bytes of length stand before the header.
                storage: (8 + header + start).to_string(),
                offset: 0,
                storage_len: end.saturating_sub(start) / dtype.size(),
            },
        ));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let mut checkpoint = Checkpoint::new("safetensors", Box::new(Whole(bytes)), len);
    for (name, entry) in entries {
        checkpoint.add(&name, entry)?;
    }
    if let Some(config) = config {
        checkpoint.numbers = numbers(config)?;
    }
    Ok(checkpoint)
}

/// The numbers of config.json.
fn numbers(config: &str) -> Result<Numbers> {
    let value: serde_json::Value = serde_json::from_str(config).map_err(|e| {
        problem(format!("config.json beside the checkpoint is no JSON: {e}"))
            .hint("fetch it again, or move it away and give --ages")
    })?;
    let number = |key: &str| value.get(key).and_then(serde_json::Value::as_f64);
    let truth = |key: &str| value.get(key).and_then(serde_json::Value::as_bool);
    Ok(Numbers {
        min_age: number("min_age"),
        max_age: number("max_age"),
        avg_age: number("avg_age"),
        no_gender: truth("only_age").or_else(|| truth("no_gender")),
        with_persons: truth("with_persons_model"),
    })
}
