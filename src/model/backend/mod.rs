//! Who computes: one small trait over ONNX Runtime and tract.

pub mod library;
mod onnxruntime;
#[cfg(feature = "tract")]
mod tract;

use super::{
    description::Recipe,
    source::Source,
    spec::{Backend, Provider, RuntimeOptions},
};
use crate::{Result, problem};
use std::sync::Once;

/// One output of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its shape, photos first.
    pub shape: Vec<usize>,
    /// Its numbers, row by row.
    pub values: Vec<f32>,
}

/// A model that can be run.
pub trait Engine: Send {
    /// The outputs of the recipe, in its order, for `n` photos in the order of memory that the model wants. `n` is at least 1.
    ///
    /// # Errors
    /// Whatever the backend says.
    fn run(&mut self, pixels: &[f32], n: usize) -> Result<Vec<Output>>;
}

/// Opens a model; also says who computes.
///
/// # Errors
/// A backend that is not there, a model that it cannot run.
pub fn open(
    source: Source<'_>,
    recipe: &Recipe,
    options: &RuntimeOptions,
) -> Result<(Box<dyn Engine>, String)> {
    let elsewhere = options.provider != Provider::Cpu;
    match options.backend {
        Backend::Tract if elsewhere => problem("tract computes on the processor only")
            .hint("leave out --provider, or take --backend onnxruntime")
            .fail(),
        Backend::Tract => pure(source, recipe, options),
        Backend::OnnxRuntime => onnxruntime::open(source, recipe, options),
        Backend::Auto => match library::find() {
            Some(_) => onnxruntime::open(source, recipe, options),
            None if elsewhere => onnxruntime::open(source, recipe, options),
            None => {
                static SAID: Once = Once::new();
                let opened = pure(source, recipe, options)?;
                SAID.call_once(|| {
                    crate::cmd::note(
                        "ONNX Runtime is not here: computing with tract, 2 to 4 times slower. For speed: pip install onnxruntime",
                    );
                });
                Ok(opened)
            }
        },
    }
}

#[cfg(feature = "tract")]
fn pure(
    source: Source<'_>,
    recipe: &Recipe,
    options: &RuntimeOptions,
) -> Result<(Box<dyn Engine>, String)> {
    tract::open(source, recipe, options)
}

#[cfg(not(feature = "tract"))]
fn pure(
    _source: Source<'_>,
    _recipe: &Recipe,
    _options: &RuntimeOptions,
) -> Result<(Box<dyn Engine>, String)> {
    problem("ONNX Runtime is not here, and this veche was built without tract")
        .hint("pip install onnxruntime, or set ORT_DYLIB_PATH to its library")
        .fail()
}

/// Photos in runs of `batch`, the last one filled up with zeros: for models that take a fixed number.
pub(super) fn in_batches(
    pixels: &[f32],
    n: usize,
    batch: usize,
    mut run: impl FnMut(&[f32]) -> Result<Vec<Output>>,
) -> Result<Vec<Output>> {
    let each = pixels.len() / n;
    let mut all: Vec<Output> = Vec::new();
    let mut filled = Vec::new();
    for photos in pixels.chunks(each * batch) {
        let there = photos.len() / each;
        let outputs = if there == batch {
            run(photos)?
        } else {
            filled.clear();
            filled.extend_from_slice(photos);
            filled.resize(each * batch, 0.0);
            run(&filled)?
        };
        append(&mut all, outputs, batch, there, n)?;
    }
    Ok(all)
}

/// Outputs of single photos as those of all `n`.
fn joined(parts: impl Iterator<Item = Vec<Output>>, n: usize) -> Result<Vec<Output>> {
    let mut all = Vec::new();
    for outputs in parts {
        append(&mut all, outputs, 1, 1, n)?;
    }
    Ok(all)
}

/// Adds the first `there` of `batch` photos to those of `n`.
fn append(
    all: &mut Vec<Output>,
    outputs: Vec<Output>,
    batch: usize,
    there: usize,
    n: usize,
) -> Result<()> {
    for (i, mut output) in outputs.into_iter().enumerate() {
        if output.shape.first() != Some(&batch) {
            return problem(format!(
                "the output {} has the shape {:?} for {batch} photos",
                output.name, output.shape
            ))
            .fail();
        }
        output.values.truncate(output.values.len() / batch * there);
        match all.get_mut(i) {
            Some(before) => before.values.append(&mut output.values),
            None => {
                output.shape[0] = n;
                all.push(output);
            }
        }
    }
    Ok(())
}
