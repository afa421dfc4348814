//! Where a model's bytes are: in a file, or in this program.

use super::onnx::{file, proto::ModelHead};
use crate::Result;
use std::path::Path;

/// An ONNX model.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A file.
    File(&'a Path),
    /// Built in.
    Bytes {
        /// The model.
        bytes: &'a [u8],
        /// What messages call it.
        name: &'a str,
    },
}

impl<'a> Source<'a> {
    /// What messages name: the file, or the name of what is built in.
    pub fn path(self) -> &'a Path {
        match self {
            Self::File(path) => path,
            Self::Bytes { name, .. } => Path::new(name),
        }
    }

    /// What the model says about itself.
    ///
    /// # Errors
    /// A file that cannot be read or is no ONNX model.
    pub fn head(self) -> Result<ModelHead> {
        match self {
            Self::File(path) => file::head(path),
            Self::Bytes { bytes, .. } => file::head_of(bytes),
        }
    }
}
