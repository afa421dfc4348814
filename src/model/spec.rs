//! What a network takes and answers, apart from who computes it.

use serde::{Deserialize, Serialize};

/// The part of a picture that a network with one input is meant to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// The face by its box.
    Face,
    /// The body by its box.
    Body,
    /// The face with its surroundings, or the whole picture.
    Wide,
}

/// The order of a network's input in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Photo, channel, row, column.
    Nchw,
    /// Photo, row, column, channel.
    Nhwc,
}

/// What a network takes: one photo of one person is `channels × size × size` f32, normalised, face first and then body.
///
/// Whatever the layout inside the network, [`super::Network::run`] is always given planes (photo, channel, row, column; RGB) and turns
/// them itself; `layout` says what the file wants.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpec {
    /// Side of the square input, pixels.
    pub size: u32,
    /// Whether the network has three channels for the face.
    pub face: bool,
    /// Whether the network has three channels for the body. With `face`: six channels, the face first.
    pub body: bool,
    /// Subtracted per channel (red, green, blue) from values in 0..1.
    pub mean: [f32; 3],
    /// Divides per channel after that.
    pub std: [f32; 3],
    /// With one input: what it is meant to see. With two: `Face`, and `face` and `body` say the rest.
    pub crop: Crop,
    /// The order in memory that the file wants.
    pub layout: Layout,
    /// Whether the crop keeps its shape between black bars; otherwise it is stretched to the square.
    pub letterbox: bool,
}

impl InputSpec {
    /// Mean of ImageNet's pixels per channel, which MiVOLO subtracts.
    pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
    /// Their standard deviations.
    pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

    /// Channels of one photo: 3, or 6 with face and body.
    pub fn channels(&self) -> usize {
        if self.face && self.body { 6 } else { 3 }
    }

    /// Numbers in one photo.
    pub fn pixels(&self) -> usize {
        self.channels() * self.size as usize * self.size as usize
    }
}

/// What a network says about one photo.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Answer {
    /// Age in years, not clamped; absent from a network that does not say it.
    pub age: Option<f32>,
    /// Probability of male, 0..1; absent from a network of ages only.
    pub male: Option<f32>,
}

/// Who computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Backend {
    /// ONNX Runtime where it is found, otherwise tract
    #[default]
    Auto,
    /// ONNX Runtime only
    #[value(name = "onnxruntime")]
    OnnxRuntime,
    /// The built-in pure Rust one
    Tract,
}

/// On what ONNX Runtime computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Provider {
    /// The processor
    #[default]
    Cpu,
    /// An NVIDIA card
    Cuda,
    /// Intel's OpenVINO
    #[value(name = "openvino")]
    OpenVino,
    /// NVIDIA TensorRT
    #[value(name = "tensorrt")]
    TensorRt,
}

/// How to run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuntimeOptions {
    /// Threads of one run; 0 for one per core.
    pub threads: usize,
    /// Who computes.
    pub backend: Backend,
    /// On what.
    pub provider: Provider,
}

/// What a network is and where it came from.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct About {
    /// Name of the variant (`mivolo_d1`, `volo_d1`), or of the description.
    pub variant: String,
    /// BLAKE3 of the checkpoint it was imported from, where the file says it.
    pub source_blake3: Option<String>,
    /// Name of that checkpoint.
    pub source: Option<String>,
    /// What the file says about its licence.
    pub licence: Option<String>,
    /// How weights are stored: `f32`, `f16`, `int8`.
    pub weights: Option<String>,
    /// Who computes, with the version: `ONNX Runtime 1.27.0 (path)`.
    pub backend: String,
    /// The published model it is known to be, when the source's hash or layout is known.
    pub published: Option<String>,
}
