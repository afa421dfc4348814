//! Controls: tasks whose answer is known. Choosing them, the order in which static suites use them, judging answers.

pub mod choose;
pub mod deck;
pub mod judge;
pub mod strata;

pub use choose::{Chosen, StratumCount, choose_evenly};
pub use deck::Deck;
pub use judge::{Hardness, Judgement, hardness, judge};
pub use strata::Strata;
