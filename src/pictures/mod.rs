//! Pictures: fetched, decoded with limits, rendered alike for both roles, compared; and drawn ones for the demo.

pub mod decode;

pub mod faces;
pub mod fetch;
pub mod fingerprint;
pub mod jpeg_end;
pub mod render;

pub use decode::{DecodeLimits, Fault, Kind, decode};
pub use fetch::{FetchFault, FetchSpec, fetch_each};
pub use fingerprint::{ContentHash, Duplicate, Fingerprint, duplicates};
pub use render::{RenderFault, RenderSpec, render};
