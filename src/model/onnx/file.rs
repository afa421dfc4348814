//! Writes a model to a file, weights one by one, so that no second copy of them is held; reads what a model says about itself.

use super::proto::{Graph, Model, ModelHead, Tensor};
use crate::{Problem, Result, files::write_atomically, problem};
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len},
};
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Protocol buffers end here, and so do ONNX files without a second one for their weights.
const LARGEST: u64 = (1 << 31) - 1;

const GRAPH: u32 = 7;
const INITIALIZER: u32 = 5;

/// Writes `model` with `graph` as its graph and `weights` as the graph's weights.
///
/// # Errors
/// More than 2 GiB; an input or output error.
pub fn write(path: &Path, model: &Model, graph: &Graph, weights: &[Tensor]) -> Result<u64> {
    let sizes: Vec<usize> = weights.iter().map(Message::encoded_len).collect();
    let inner: usize = sizes
        .iter()
        .map(|&n| key_len(INITIALIZER) + encoded_len_varint(n as u64) + n)
        .sum();
    let inside = graph.encoded_len() + inner;
    let total = model.encoded_len() + key_len(GRAPH) + encoded_len_varint(inside as u64) + inside;
    if total as u64 > LARGEST {
        return problem("the model is larger than the 2 GiB that one ONNX file can hold")
            .file(path)
            .hint("store the weights smaller: --fp16 or --int8")
            .fail();
    }
    write_atomically(path, |file| {
        let mut buffer = Vec::new();
        let mut flush = |buffer: &mut Vec<u8>| -> io::Result<()> {
            file.write_all(buffer)?;
            buffer.clear();
            Ok(())
        };
        model.encode(&mut buffer).map_err(io::Error::other)?;
        encode_key(GRAPH, WireType::LengthDelimited, &mut buffer);
        encode_varint(inside as u64, &mut buffer);
        graph.encode(&mut buffer).map_err(io::Error::other)?;
        flush(&mut buffer)?;
        for (tensor, &size) in weights.iter().zip(&sizes) {
            encode_key(INITIALIZER, WireType::LengthDelimited, &mut buffer);
            encode_varint(size as u64, &mut buffer);
            tensor.encode(&mut buffer).map_err(io::Error::other)?;
            flush(&mut buffer)?;
        }
        Ok(total as u64)
    })
}

/// What a model says about itself: inputs, outputs, metadata.
///
/// # Errors
/// A file that cannot be read or is no ONNX model.
pub fn head(path: &Path) -> Result<ModelHead> {
    let bytes = fs::read(path).map_err(|e| Problem::io("read the model", path, &e))?;
    head_of(&bytes).map_err(|p| Box::new(p.file(path)))
}

/// The same from the file's bytes.
///
/// # Errors
/// Bytes that are no ONNX model.
pub fn head_of(bytes: &[u8]) -> Result<ModelHead> {
    let no_model = || {
        problem("is no ONNX model").hint(
            "checkpoints (.pth, .pth.tar, .safetensors) become one by `veche model import CHECKPOINT --out model.onnx`",
        )
    };
    let head = ModelHead::decode(bytes).map_err(|_| no_model())?;
    match &head.graph {
        Some(graph) if !graph.input.is_empty() && !graph.output.is_empty() => Ok(head),
        _ => no_model().fail(),
    }
}
