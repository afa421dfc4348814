//! tract: the same numbers in pure Rust, for machines without ONNX Runtime. Photos run one by one, which tract does best.

use super::{Engine, Output, in_batches};
use crate::{
    Problem, Result,
    model::{
        description::Recipe,
        source::Source,
        spec::{Layout, RuntimeOptions},
    },
    problem,
};
use std::sync::Arc;
use tract_onnx::prelude::*;

struct Loaded {
    plan: Arc<TypedSimplePlan>,
    shape: [usize; 4],
    outputs: Vec<String>,
}

fn said(error: impl std::fmt::Display) -> Problem {
    problem(format!("tract: {error:#}"))
}

/// Opens a model.
pub(super) fn open(
    source: Source<'_>,
    recipe: &Recipe,
    _options: &RuntimeOptions,
) -> Result<(Box<dyn Engine>, String)> {
    let (channels, size) = (recipe.input.channels(), recipe.input.size as usize);
    let batch = recipe.batch.unwrap_or(1);
    let shape = match recipe.input.layout {
        Layout::Nchw => [batch, channels, size, size],
        Layout::Nhwc => [batch, size, size, channels],
    };
    let names: Vec<&str> = recipe.outputs.iter().map(String::as_str).collect();
    let load = || -> TractResult<Arc<TypedSimplePlan>> {
        let onnx = tract_onnx::onnx();
        let model = match source {
            Source::File(path) => onnx.model_for_path(path)?,
            Source::Bytes { mut bytes, .. } => onnx.model_for_read(&mut bytes)?,
        };
        model
            .with_input_names([recipe.input_name.as_str()])?
            .with_outputs_by_name(&names)?
            .with_input_fact(0, f32::fact(shape).into())?
            .into_optimized()?
            .into_runnable()
    };
    let plan = load().map_err(|e| {
        said(format!("{e:#}"))
            .file(source.path())
            .hint("the file is damaged, or has an operator that tract does not know: pip install onnxruntime")
    })?;
    let loaded = Loaded {
        plan,
        shape,
        outputs: recipe.outputs.clone(),
    };
    Ok((Box::new(loaded), "tract 0.23".to_owned()))
}

impl Engine for Loaded {
    fn run(&mut self, pixels: &[f32], n: usize) -> Result<Vec<Output>> {
        in_batches(pixels, n, self.shape[0], |photos| {
            let input = Tensor::from_shape(&self.shape, photos).map_err(said)?;
            let found = self.plan.run(tvec!(input.into())).map_err(said)?;
            let mut outputs = Vec::with_capacity(found.len());
            for (name, value) in self.outputs.iter().zip(found.iter()) {
                let wide = value.cast_to::<f32>().map_err(said)?;
                let plain = wide.try_as_plain_ram().map_err(said)?;
                outputs.push(Output {
                    name: name.clone(),
                    shape: value.shape().to_vec(),
                    values: plain.as_slice::<f32>().map_err(said)?.to_vec(),
                });
            }
            Ok(outputs)
        })
    }
}
