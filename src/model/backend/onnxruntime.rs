//! ONNX Runtime, loaded from the library that is found on the machine.

use super::{Engine, Output, in_batches, library};
use crate::{
    Problem, Result,
    model::{
        description::Recipe,
        source::Source,
        spec::{Layout, Provider, RuntimeOptions},
    },
    problem,
};
use ort::{
    environment::Environment,
    ep::{self, ExecutionProviderDispatch},
    logging::LogLevel,
    session::{Session, builder::GraphOptimizationLevel},
    value::TensorRef,
};
use std::sync::OnceLock;

struct Loaded {
    session: Session,
    input: String,
    outputs: Vec<String>,
    photo: [i64; 3],
    batch: Option<usize>,
}

fn said(error: impl std::fmt::Display) -> Problem {
    problem(format!("ONNX Runtime: {error}"))
}

/// The one environment of the process.
fn environment() -> Result<Environment> {
    static ENVIRONMENT: OnceLock<Result<Environment>> = OnceLock::new();
    let made = ENVIRONMENT.get_or_init(|| {
        let Some(library) = library::find() else {
            return problem("ONNX Runtime is not here").hint(
                "pip install onnxruntime, or set ORT_DYLIB_PATH to its library; without it --backend tract computes, more slowly",
            ).fail();
        };
        let hint = "veche needs ONNX Runtime 1.24 or newer: pip install --upgrade onnxruntime";
        let init = ort::init_from(&library.path)
            .map_err(|e| said(e).file(&library.path).hint(hint))?;
        let built = init.with_name("veche").with_telemetry(false).build();
        let environment = built.map_err(|e| said(e).file(&library.path).hint(hint))?;
        environment.set_log_level(LogLevel::Error);
        Ok(environment)
    });
    made.clone()
}

fn provider(provider: Provider) -> Option<ExecutionProviderDispatch> {
    let dispatch = match provider {
        Provider::Cpu => return None,
        Provider::Cuda => ep::CUDA::default().build(),
        Provider::OpenVino => ep::OpenVINO::default().build(),
        Provider::TensorRt => ep::TensorRT::default().build(),
    };
    Some(dispatch.error_on_failure())
}

/// Opens a model.
pub(super) fn open(
    source: Source<'_>,
    recipe: &Recipe,
    options: &RuntimeOptions,
) -> Result<(Box<dyn Engine>, String)> {
    let environment = environment()?;
    let build = || -> ort::Result<Session> {
        let mut builder =
            Session::builder(&environment)?.with_optimization_level(GraphOptimizationLevel::All)?;
        if options.threads > 0 {
            builder = builder.with_intra_threads(options.threads)?;
        }
        if let Some(provider) = provider(options.provider) {
            builder = builder.with_execution_providers([provider])?;
        }
        match source {
            Source::File(path) => builder.commit_from_file(path),
            Source::Bytes { bytes, .. } => builder.commit_from_memory(bytes),
        }
    };
    let session = build().map_err(|e| {
        let p = said(e).file(source.path());
        match options.provider {
            Provider::Cpu => p.hint("the file is damaged, or needs a newer ONNX Runtime"),
            _ => p.hint("the ONNX Runtime that was found must have this provider (pip install onnxruntime-gpu, onnxruntime-openvino); or leave out --provider"),
        }
    })?;
    let (channels, size) = (recipe.input.channels() as i64, i64::from(recipe.input.size));
    let name = format!(
        "ONNX Runtime ({})",
        library::find().map_or_else(String::new, |l| l.path.display().to_string())
    );
    let loaded = Loaded {
        session,
        input: recipe.input_name.clone(),
        outputs: recipe.outputs.clone(),
        photo: match recipe.input.layout {
            Layout::Nchw => [channels, size, size],
            Layout::Nhwc => [size, size, channels],
        },
        batch: recipe.batch,
    };
    Ok((Box::new(loaded), name))
}

impl Loaded {
    fn once(&mut self, pixels: &[f32], n: usize) -> Result<Vec<Output>> {
        let [a, b, c] = self.photo;
        let tensor = TensorRef::from_array_view(([n as i64, a, b, c], pixels)).map_err(said)?;
        let inputs = ort::inputs![self.input.as_str() => tensor];
        let found = self.session.run(inputs).map_err(said)?;
        let mut outputs = Vec::with_capacity(self.outputs.len());
        for name in &self.outputs {
            let Some(value) = found.get(name) else {
                return problem(format!("the network gave no output {name}")).fail();
            };
            let (shape, values) = value.try_extract_tensor::<f32>().map_err(said)?;
            outputs.push(Output {
                name: name.clone(),
                shape: shape
                    .iter()
                    .map(|&d| usize::try_from(d).unwrap_or(0))
                    .collect(),
                values: values.to_vec(),
            });
        }
        Ok(outputs)
    }
}

impl Engine for Loaded {
    fn run(&mut self, pixels: &[f32], n: usize) -> Result<Vec<Output>> {
        match self.batch {
            Some(batch) => in_batches(pixels, n, batch, |photos| self.once(photos, batch)),
            None => self.once(pixels, n),
        }
    }
}
