//! ONNX files: written for imported checkpoints, and read as far as they describe themselves.

pub mod blocks;
pub mod file;
pub mod graph;
pub mod mivolo;
pub mod proto;

pub use graph::Storage;
