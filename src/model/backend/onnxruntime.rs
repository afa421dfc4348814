//! ONNX Runtime, loaded from the library that is found on the machine.
//!
//! On the processor photos run one by one, several at once, each on a thread of its own: a photo's values stay in the caches, which those of a
//! batch do not, and no thread waits for another at the end of every operator. What is said of a photo then also depends on neither its batch
//! nor the number of threads.

use super::{Engine, Output, in_batches, joined, library};
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
use std::{
    fs,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

struct Loaded {
    /// Computes on all threads what is too little for the lanes.
    session: Session,
    /// Sessions that compute one photo at a time each; none where a batch is better.
    lanes: Vec<Session>,
    what: What,
}

/// What sessions are given and asked for.
struct What {
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

/// Every lane has its own copy of the weights: so much for all of them together.
const MOST_WEIGHTS: u64 = 1 << 30;

/// Lanes, and threads in each, for a model of this size.
fn lanes(threads: usize, bytes: u64) -> (usize, usize) {
    let most = usize::try_from(MOST_WEIGHTS / bytes.max(1)).unwrap_or(usize::MAX);
    // As many as can be, without leaving threads over that do nothing.
    let lanes = threads / threads.div_ceil(most.max(1));
    (lanes, threads / lanes)
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
    let build = |threads: usize| -> ort::Result<Session> {
        let mut builder =
            Session::builder(&environment)?.with_optimization_level(GraphOptimizationLevel::All)?;
        if threads > 0 {
            builder = builder.with_intra_threads(threads)?;
        }
        if let Some(provider) = provider(options.provider) {
            builder = builder.with_execution_providers([provider])?;
        }
        match source {
            Source::File(path) => builder.commit_from_file(path),
            Source::Bytes { bytes, .. } => builder.commit_from_memory(bytes),
        }
    };
    let fault = |e: ort::Error| {
        let p = said(e).file(source.path());
        match options.provider {
            Provider::Cpu => p.hint("the file is damaged, or needs a newer ONNX Runtime"),
            _ => p.hint("the ONNX Runtime that was found must have this provider (pip install onnxruntime-gpu, onnxruntime-openvino); or leave out --provider"),
        }
    };
    let session = build(options.threads).map_err(fault)?;
    let bytes = match source {
        Source::File(path) => fs::metadata(path).map_or(u64::MAX, |m| m.len()),
        Source::Bytes { bytes, .. } => bytes.len() as u64,
    };
    let threads = match options.threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let mut more = Vec::new();
    if options.provider == Provider::Cpu && recipe.batch.is_none() {
        let (lanes, each) = lanes(threads, bytes);
        if lanes > 1 {
            for _ in 0..lanes {
                more.push(build(each).map_err(fault)?);
            }
        }
    }
    let (channels, size) = (recipe.input.channels() as i64, i64::from(recipe.input.size));
    let name = format!(
        "ONNX Runtime ({})",
        library::find().map_or_else(String::new, |l| l.path.display().to_string())
    );
    let what = What {
        input: recipe.input_name.clone(),
        outputs: recipe.outputs.clone(),
        photo: match recipe.input.layout {
            Layout::Nchw => [channels, size, size],
            Layout::Nhwc => [size, size, channels],
        },
        batch: recipe.batch,
    };
    let loaded = Loaded {
        session,
        lanes: more,
        what,
    };
    Ok((Box::new(loaded), name))
}

impl What {
    fn of(&self, session: &mut Session, pixels: &[f32], n: usize) -> Result<Vec<Output>> {
        let [a, b, c] = self.photo;
        let tensor = TensorRef::from_array_view(([n as i64, a, b, c], pixels)).map_err(said)?;
        let inputs = ort::inputs![self.input.as_str() => tensor];
        let found = session.run(inputs).map_err(said)?;
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
        let (what, session) = (&self.what, &mut self.session);
        match what.batch {
            Some(batch) => in_batches(pixels, n, batch, |photos| what.of(session, photos, batch)),
            None if self.lanes.is_empty() => what.of(session, pixels, n),
            None if n < self.lanes.len() => {
                in_batches(pixels, n, 1, |photo| what.of(session, photo, 1))
            }
            None => one_by_one(&mut self.lanes, what, pixels, n),
        }
    }
}

/// All photos, each by the lane that is free next; answers in the order of the photos.
fn one_by_one(lanes: &mut [Session], what: &What, pixels: &[f32], n: usize) -> Result<Vec<Output>> {
    let each = pixels.len() / n;
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<Option<Result<Vec<Output>>>>> = Mutex::new((0..n).map(|_| None).collect());
    let (free, said_of) = (&next, &found);
    thread::scope(|scope| {
        for session in lanes {
            scope.spawn(move || {
                loop {
                    let at = free.fetch_add(1, Ordering::Relaxed);
                    let Some(photo) = pixels.get(at * each..(at + 1) * each) else {
                        return;
                    };
                    let said = what.of(session, photo, 1);
                    if said.is_err() {
                        free.store(n, Ordering::Relaxed);
                    }
                    let mut found = said_of.lock().unwrap_or_else(PoisonError::into_inner);
                    found[at] = Some(said);
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = found.iter().position(|f| matches!(f, Some(Err(_)))) {
        return found.swap_remove(at).unwrap_or_else(|| Ok(Vec::new()));
    }
    joined(found.into_iter().flatten().flatten(), n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_as_many_as_threads_unless_the_weights_are_large() {
        let mib = 1 << 20;
        for (threads, bytes, wanted) in [
            (1, 112 * mib, (1, 1)),
            (2, 112 * mib, (2, 1)),
            (16, 112 * mib, (8, 2)),
            (16, 300 * mib, (2, 8)),
            (16, 2000 * mib, (1, 16)),
            (2, 0, (2, 1)),
        ] {
            assert_eq!(lanes(threads, bytes), wanted);
        }
    }
}
