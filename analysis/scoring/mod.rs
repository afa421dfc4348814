//! An annotator's error on controls, with its uncertainty.

pub mod choice;
pub mod number;
