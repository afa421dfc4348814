//! MiVOLO-nano, the network that is built in. How it was trained and how far it can be trusted: docs/nano.md.

use super::source::Source;

/// Its name.
pub const NAME: &str = "mivolo_nano";

/// The model, as `veche model import --fp16` made it of the trained checkpoint.
pub const ONNX: &[u8] = include_bytes!("nano.onnx");

/// The same as a source.
pub const SOURCE: Source<'static> = Source::Bytes {
    bytes: ONNX,
    name: "the built-in network",
};

/// Under which terms its weights stand. The file's own words are those of `veche model import`, which knows checkpoints of others only.
pub const LICENCE: &str = "weights trained by veche on UTKFace and APPA-REAL, both for non-commercial research, and so are these weights; \
    nothing of the official MiVOLO weights is in them";

/// The model card, as docs/nano.md has it.
pub const CARD: &str = include_str!("../../../docs/nano.md");
