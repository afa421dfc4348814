//! The statistics of veche: scores of annotators, labels with error bars, and the bake-off that compares methods.
//!
//! Pure functions on dense columns: no files, no clock, no randomness but the seed that is passed in. Results do not
//! depend on the order of votes, on the names of annotators, or on the number of threads.

pub mod aggregation;
pub mod audit;
pub mod benchmark;
pub mod curves;
pub mod error;
pub mod interval;
pub mod planning;
pub mod scoring;
#[cfg(test)]
mod simulated;
pub mod smoothing;
pub mod table;

pub use error::Error;
pub use interval::Interval;
pub use table::{ChoiceVotes, NumberVotes, Table};
