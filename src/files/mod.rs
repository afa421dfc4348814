//! Tables on disk: CSV, TSV and Parquet in, votes and Toloka files in and out, nothing ever half-written.

pub mod atomic;
mod delimited;
mod encoding;
pub mod names;
mod parquet;
pub mod skipped;
pub mod table;

pub use atomic::{replace_dir_atomically, write_atomically};
pub use names::Names;
pub use skipped::Skipped;
pub use table::{Row, Table};
