//! Builds an ONNX graph: constant sizes, a batch of any size, weights stored as f32, f16 or int8.

use super::proto::{
    Attribute, Dimension, Node, Shape, Tensor, TensorType, ValueInfo, ValueType, attribute_kind,
    data_type,
};
use std::collections::BTreeMap;

/// How large weights are stored. Whatever the choice, they are widened to f32 when the model is loaded and computed with as f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// As they are.
    #[default]
    F32,
    /// Half the size.
    F16,
    /// A quarter of it: whole numbers −127..127 with one scale per output channel, in the blocks of the stages; f16 before and after.
    Int8,
}

impl Storage {
    /// `f32`, `f16` or `int8`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }
}

/// Name of a value in the graph.
pub type Value = String;

/// A graph being built.
#[derive(Debug, Default)]
pub struct Builder {
    /// Operators so far.
    pub nodes: Vec<Node>,
    /// Weights and constants so far.
    pub initializers: Vec<Tensor>,
    storage: Storage,
    constants: BTreeMap<(Vec<i64>, Vec<i64>), Value>,
    scope: String,
    uses: BTreeMap<String, usize>,
}

/// Tensors below this many numbers (biases, norms) stay f32: they are few and they matter.
const SMALL: usize = 4096;

impl Builder {
    /// An empty graph.
    pub fn new(storage: Storage) -> Self {
        Self {
            storage,
            ..Self::default()
        }
    }

    /// Values made from here on are named after this part of the network.
    pub fn scope(&mut self, scope: impl Into<String>) {
        self.scope = scope.into();
    }

    /// One operator with one output.
    pub fn op(&mut self, op: &str, inputs: &[&Value], attributes: Vec<Attribute>) -> Value {
        let output = self.fresh(op);
        self.op_to(op, inputs, attributes, &output);
        output
    }

    /// One operator with an output of a given name.
    pub fn op_to(&mut self, op: &str, inputs: &[&Value], attributes: Vec<Attribute>, output: &str) {
        self.nodes.push(Node {
            input: inputs.iter().map(|&i| i.clone()).collect(),
            output: vec![output.to_owned()],
            name: Some(format!("{output}/{op}")),
            op_type: Some(op.to_owned()),
            attribute: attributes,
        });
    }

    fn fresh(&mut self, what: &str) -> Value {
        let key = format!("{}.{}", self.scope, what.to_lowercase());
        let n = self.uses.entry(key.clone()).or_insert(0);
        *n += 1;
        if *n == 1 { key } else { format!("{key}{n}") }
    }

    /// Whole numbers, each list stored once.
    pub fn ints(&mut self, shape: &[i64], values: &[i64]) -> Value {
        let key = (shape.to_vec(), values.to_vec());
        if let Some(name) = self.constants.get(&key) {
            return name.clone();
        }
        let name = format!("ints{}", self.constants.len());
        self.initializers.push(Tensor {
            dims: shape.to_vec(),
            data_type: Some(data_type::INT64),
            name: Some(name.clone()),
            raw_data: Some(values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        });
        self.constants.insert(key, name.clone());
        name
    }

    /// Numbers kept as f32.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Value {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
        self.initializers.push(Tensor {
            dims: dims(shape),
            data_type: Some(data_type::FLOAT),
            name: Some(name.to_owned()),
            raw_data: Some(values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        });
        name.to_owned()
    }

    /// A weight, stored as the builder was told; `channel` is the axis of output channels, which has one scale each in int8.
    pub fn weight(&mut self, name: &str, shape: &[usize], values: &[f32], channel: usize) -> Value {
        if self.storage == Storage::F32 || values.len() < SMALL {
            return self.floats(name, shape, values);
        }
        let cast = vec![int("to", i64::from(data_type::FLOAT))];
        // Everything passes through the stem and the fusion, and the heads are the answer: little to gain there and much to lose.
        if self.storage == Storage::F16 || !name.starts_with("network.") {
            let stored = format!("{name}.f16");
            self.initializers.push(Tensor {
                dims: dims(shape),
                data_type: Some(data_type::FLOAT16),
                name: Some(stored.clone()),
                // Beyond f16's range there is only infinity; no trained weight is that large.
                raw_data: Some(
                    values
                        .iter()
                        .flat_map(|&v| half::f16::from_f32(v).to_le_bytes())
                        .collect(),
                ),
            });
            self.op_to("Cast", &[&stored], cast, name);
            return name.to_owned();
        }
        let (whole, scales) = quantised(shape, values, channel);
        let stored = format!("{name}.int8");
        self.initializers.push(Tensor {
            dims: dims(shape),
            data_type: Some(data_type::INT8),
            name: Some(stored.clone()),
            raw_data: Some(whole.iter().flat_map(|v| v.to_le_bytes()).collect()),
        });
        let mut broadcast = vec![1; shape.len()];
        broadcast[channel] = shape[channel];
        let scales = self.floats(&format!("{name}.scale"), &broadcast, &scales);
        let wide = format!("{name}.wide");
        // A cast and a product of constants, which every runtime folds when it loads the model, rather than DequantizeLinear, which
        // ONNX Runtime keeps and runs for every batch.
        self.op_to("Cast", &[&stored], cast, &wide);
        self.op_to("Mul", &[&wide, &scales], Vec::new(), name);
        name.to_owned()
    }

    /// `x` in another shape; −1 stands for the batch.
    pub fn reshape(&mut self, x: &Value, shape: &[i64]) -> Value {
        let shape = self.ints(&[shape.len() as i64], shape);
        self.op("Reshape", &[x, &shape], Vec::new())
    }

    /// Axes in another order.
    pub fn transpose(&mut self, x: &Value, order: &[i64]) -> Value {
        self.op("Transpose", &[x], vec![ints("perm", order)])
    }

    /// Rows of axis 1 by a constant list of any shape.
    pub fn gather(&mut self, x: &Value, shape: &[i64], rows: &[i64]) -> Value {
        let rows = self.ints(shape, rows);
        self.op("Gather", &[x, &rows], vec![int("axis", 1)])
    }

    /// Sum with broadcasting.
    pub fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.op("Add", &[a, b], Vec::new())
    }

    /// Matrix product over the last two axes.
    pub fn matmul(&mut self, a: &Value, b: &Value) -> Value {
        self.op("MatMul", &[a, b], Vec::new())
    }

    /// Softmax over the last axis.
    pub fn softmax(&mut self, x: &Value) -> Value {
        self.op("Softmax", &[x], vec![int("axis", -1)])
    }

    /// Zero rows of axis 1 before and after those of a (batch, row, channel) value.
    pub fn pad_rows(&mut self, x: &Value, before: i64, after: i64) -> Value {
        let pads = self.ints(&[6], &[0, before, 0, 0, after, 0]);
        self.op("Pad", &[x, &pads], Vec::new())
    }
}

/// A whole-number attribute.
pub fn int(name: &str, value: i64) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        i: Some(value),
        kind: Some(attribute_kind::INT),
        ..Attribute::default()
    }
}

/// An attribute of several whole numbers.
pub fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        ints: values.to_vec(),
        kind: Some(attribute_kind::INTS),
        ..Attribute::default()
    }
}

/// A number attribute.
pub fn float(name: &str, value: f32) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        f: Some(value),
        kind: Some(attribute_kind::FLOAT),
        ..Attribute::default()
    }
}

/// An input or output of f32 with an open batch before `shape`.
pub fn value(name: &str, shape: &[usize]) -> ValueInfo {
    let mut dim = vec![Dimension {
        value: None,
        name: Some("batch".to_owned()),
    }];
    dim.extend(shape.iter().map(|&n| Dimension {
        value: Some(n as i64),
        name: None,
    }));
    ValueInfo {
        name: Some(name.to_owned()),
        kind: Some(ValueType {
            tensor: Some(TensorType {
                elem_type: Some(data_type::FLOAT),
                shape: Some(Shape { dim }),
            }),
        }),
    }
}

fn dims(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&n| n as i64).collect()
}

/// Whole numbers and the scale of each channel along `axis`: `value ≈ whole · scale`, off by half a scale at most.
fn quantised(shape: &[usize], values: &[f32], axis: usize) -> (Vec<i8>, Vec<f32>) {
    let inner: usize = shape[axis + 1..].iter().product();
    let channel = |i: usize| i / inner % shape[axis];
    let mut scales = vec![0f32; shape[axis]];
    for (i, v) in values.iter().enumerate() {
        let scale = &mut scales[channel(i)];
        *scale = scale.max(v.abs());
    }
    for scale in &mut scales {
        // A channel of zeros needs a scale that can be divided by.
        *scale = if *scale > 0.0 { *scale / 127.0 } else { 1.0 };
    }
    let whole = values
        .iter()
        .enumerate()
        .map(|(i, v)| (v / scales[channel(i)]).round().clamp(-127.0, 127.0) as i8)
        .collect();
    (whole, scales)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn int8_keeps_each_channels_largest_number_and_zero() {
        let (whole, scales) = quantised(&[2, 2], &[1.0, 0.0, -0.5, 0.0], 1);
        assert_eq!(whole, [127, 0, -64, 0]);
        assert_eq!(scales, [1.0 / 127.0, 1.0]);
    }

    proptest! {
        #[test]
        fn int8_is_off_by_half_a_scale_at_most(values in prop::collection::vec(-3f32..3.0, 24), axis in 0usize..3) {
            let shape = [2, 3, 4];
            let (whole, scales) = quantised(&shape, &values, axis);
            let inner: usize = shape[axis + 1..].iter().product();
            for (i, v) in values.iter().enumerate() {
                let scale = scales[i / inner % shape[axis]];
                prop_assert!((f32::from(whole[i]) * scale - v).abs() <= 0.5001 * scale);
            }
        }
    }

    #[test]
    fn equal_lists_are_stored_once_and_names_are_unique() {
        let mut graph = Builder::new(Storage::F32);
        graph.scope("a");
        let x = "x".to_owned();
        let first = graph.reshape(&x, &[-1, 4]);
        let second = graph.reshape(&x, &[-1, 4]);
        assert_ne!(first, second);
        assert_eq!(graph.initializers.len(), 1);
    }
}
