//! Age networks: MiVOLO's checkpoints become ONNX files without Python, and any ONNX age model runs.

pub mod backend;
pub mod checkpoint;
pub mod description;
pub mod import;
pub mod network;
pub mod npy;
pub mod onnx;
pub mod spec;
pub mod variant;

pub use network::Network;
