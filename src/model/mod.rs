//! Age networks: MiVOLO's checkpoints become ONNX files without Python, and any ONNX age model runs.

pub mod backend;
pub mod check;
pub mod checkpoint;
pub mod crop;
pub mod description;
pub mod detector;
pub mod hide;
pub mod import;
pub mod letterbox;
pub mod masks;
pub mod nano;
pub mod network;
pub mod npy;
pub mod onnx;
pub mod pairing;
pub mod peak;
pub mod predict;
pub mod published;
pub mod source;
pub mod spec;
pub mod variant;

pub use network::Network;
pub use source::Source;
