//! The balanced benchmark: which labelled items enter it, how models are ranked on it, and how uneven labels are weighed.

pub mod balance;
mod exchange;
pub mod imbalance;
mod parity;
pub mod ranking;

pub use balance::{Candidate, Selection, cap_for_size, even_cap, reachable_pairs, select};
pub use imbalance::{Lds, Reweighting};
pub use ranking::{Metric, ModelAnswers, Ranking, rank};
