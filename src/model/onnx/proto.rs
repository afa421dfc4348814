//! The few messages of `onnx.proto3` that veche writes and reads, by hand: field numbers from onnx 1.20 (they never change).
//!
//! [`ModelHead`] reads a model of any size without keeping its weights: unknown fields are skipped.

use prost::Message;

/// Element types of [`Tensor::data_type`].
pub mod data_type {
    /// f32
    pub const FLOAT: i32 = 1;
    /// i8
    pub const INT8: i32 = 3;
    /// i64
    pub const INT64: i32 = 7;
    /// f16
    pub const FLOAT16: i32 = 10;
}

/// Kinds of [`Attribute::kind`].
pub mod attribute_kind {
    /// f32
    pub const FLOAT: i32 = 1;
    /// i64
    pub const INT: i32 = 2;
    /// Bytes
    pub const STRING: i32 = 3;
    /// Several i64
    pub const INTS: i32 = 7;
}

/// A whole model.
#[derive(Clone, PartialEq, Message)]
pub struct Model {
    /// Version of the file format.
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    /// Who wrote it.
    #[prost(string, optional, tag = "2")]
    pub producer_name: Option<String>,
    /// In which version.
    #[prost(string, optional, tag = "3")]
    pub producer_version: Option<String>,
    /// Its operators.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    /// Of which sets they are.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSet>,
    /// Key and value pairs.
    #[prost(message, repeated, tag = "14")]
    pub metadata: Vec<Entry>,
}

/// A version of the operators.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSet {
    /// Empty for the standard ones.
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    /// Their version.
    #[prost(int64, optional, tag = "2")]
    pub version: Option<i64>,
}

/// One piece of metadata.
#[derive(Clone, PartialEq, Message)]
pub struct Entry {
    /// Its key.
    #[prost(string, optional, tag = "1")]
    pub key: Option<String>,
    /// Its value.
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

/// Operators, weights, inputs and outputs. Weights are written apart, one by one: see [`super::file`].
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    /// In an order in which they can run.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    /// The graph's name.
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
    /// Weights.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
    /// Inputs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfo>,
    /// Outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfo>,
}

/// One operator at work.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Names of its inputs.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of its outputs.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its own name.
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    /// Which operator.
    #[prost(string, optional, tag = "4")]
    pub op_type: Option<String>,
    /// Its settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
}

/// One setting.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    /// Its name.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// A number.
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// A whole number.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// Text.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    /// Whole numbers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Which of the fields above.
    #[prost(int32, optional, tag = "20")]
    pub kind: Option<i32>,
}

/// Numbers with a shape.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// Its shape.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// One of [`data_type`].
    #[prost(int32, optional, tag = "2")]
    pub data_type: Option<i32>,
    /// Its name.
    #[prost(string, optional, tag = "8")]
    pub name: Option<String>,
    /// Little-endian, row by row.
    #[prost(bytes = "vec", optional, tag = "9")]
    pub raw_data: Option<Vec<u8>>,
}

/// An input or output.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfo {
    /// Its name.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// Its type.
    #[prost(message, optional, tag = "2")]
    pub kind: Option<ValueType>,
}

/// The type of an input or output; only tensors are known here.
#[derive(Clone, PartialEq, Message)]
pub struct ValueType {
    /// A tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorType>,
}

/// Element type and shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    /// One of [`data_type`].
    #[prost(int32, optional, tag = "1")]
    pub elem_type: Option<i32>,
    /// The shape.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

/// A shape with named or numbered dimensions.
#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    /// Its dimensions.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// A number or a name.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// The number.
    #[prost(int64, optional, tag = "1")]
    pub value: Option<i64>,
    /// The name of an open dimension.
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
}

/// A model without its operators and weights.
#[derive(Clone, PartialEq, Message)]
pub struct ModelHead {
    /// Who wrote it.
    #[prost(string, optional, tag = "2")]
    pub producer_name: Option<String>,
    /// Inputs and outputs.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphHead>,
    /// Operator sets.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSet>,
    /// Key and value pairs.
    #[prost(message, repeated, tag = "14")]
    pub metadata: Vec<Entry>,
}

/// A graph's inputs and outputs.
#[derive(Clone, PartialEq, Message)]
pub struct GraphHead {
    /// Names of weights, which older files list among the inputs too.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorHead>,
    /// Inputs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfo>,
    /// Outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfo>,
}

/// A tensor's name.
#[derive(Clone, PartialEq, Message)]
pub struct TensorHead {
    /// The name.
    #[prost(string, optional, tag = "8")]
    pub name: Option<String>,
}
