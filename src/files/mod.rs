//! Tables on disk: CSV, TSV and Parquet in, votes and Toloka files in and out, nothing ever half-written.

pub mod atomic;
mod columns;
pub mod datasets;
pub(crate) mod delimited;
mod encoding;
pub mod foreign;
pub mod guesses;
pub mod items;
pub mod manifest;
pub mod mapping;
pub mod names;
mod parquet;
pub mod predictions;
mod rows;
pub mod skipped;
pub mod table;
pub mod time;
pub mod toloka;
pub mod toloka_write;
pub mod votes;
pub mod votes_read;
pub mod votes_write;

pub use atomic::{replace_dir_atomically, write_atomically};
pub use foreign::VoteFormat;
pub use manifest::{Manifest, ManifestOptions, read_manifest};
pub use mapping::VoteMapping;
pub use names::Names;
pub(crate) use parquet::{write as write_columns, write_groups as write_column_groups};
pub use skipped::Skipped;
pub use table::{Row, Table};
pub use votes::{Dense, Duplicates, FileAnswer, FileVote, VoteTable, VotesRead};
pub use votes_read::{ScaleHint, VoteOptions, VoteReader, read_votes};
pub use votes_write::{VoteForm, WriteOptions, write_votes};
