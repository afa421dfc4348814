//! How fast ONNX Runtime multiplies large matrices on this machine: what a network's speed is measured against.

use super::{
    backend,
    description::Recipe,
    import,
    onnx::{
        Storage,
        graph::{Builder, value},
        proto::{Graph, Model},
    },
    source::Source,
    spec::{Crop, InputSpec, Layout, RuntimeOptions},
};
use crate::{Result, problem};
use prost::Message;
use std::time::Instant;

/// Side of the matrices: large enough that the product's work hides everything else.
const SIDE: usize = 2048;

/// Floating point operations per second of a product of f32 matrices (3 · 2048 rows by 2048 by 2048), the best of several.
///
/// # Errors
/// ONNX Runtime is not here.
pub fn flops(options: &RuntimeOptions) -> Result<f64> {
    let mut graph = Builder::new(Storage::F32);
    graph.scope("peak");
    let input = "x".to_owned();
    let weight = graph.floats("w", &[SIDE, SIDE], &vec![0.5; SIDE * SIDE]);
    let product = graph.matmul(&input, &weight);
    // One row, so that reading the result costs nothing.
    let (from, to) = (graph.ints(&[1], &[0]), graph.ints(&[1], &[1]));
    let axis = graph.ints(&[1], &[2]);
    graph.op_to("Slice", &[&product, &from, &to, &axis], Vec::new(), "y");
    let model = Model {
        graph: Some(Graph {
            node: graph.nodes,
            name: Some("peak".to_owned()),
            initializer: graph.initializers,
            input: vec![value("x", &[3, SIDE, SIDE])],
            output: vec![value("y", &[3, 1, SIDE])],
        }),
        ..import::model()
    };
    let bytes = model.encode_to_vec();
    let source = Source::Bytes {
        bytes: &bytes,
        name: "a product of matrices",
    };
    let spec = InputSpec {
        size: SIDE as u32,
        face: true,
        body: false,
        mean: [0.0; 3],
        std: [1.0; 3],
        crop: Crop::Face,
        layout: Layout::Nchw,
        letterbox: false,
    };
    let recipe = Recipe::plain(spec, "x".to_owned(), vec!["y".to_owned()]);
    let (mut engine, _) = backend::open(source, &recipe, options)?;
    let pixels = vec![1.0; 3 * SIDE * SIDE];
    let mut best = f64::INFINITY;
    for _ in 0..6 {
        let start = Instant::now();
        let found = engine.run(&pixels, 1)?;
        best = best.min(start.elapsed().as_secs_f64());
        if found
            .iter()
            .any(|o| o.values.iter().any(|v| *v != SIDE as f32 / 2.0))
        {
            return problem("a product of matrices came out wrong").fail();
        }
    }
    Ok(2.0 * 3.0 * (SIDE as f64).powi(3) / best)
}
