//! An annotator's error on controls, with its uncertainty.

pub mod choice;
pub(crate) mod controls;
pub mod number;
pub mod shrinkage;

pub use choice::{ChoiceScore, ChoiceScores};
pub use number::{NumberScore, NumberScores, OverallScore, ScoreSettings, SharedError};
pub use shrinkage::Shrinkage;
