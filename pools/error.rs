//! What can go wrong in this library, by cause, with the values needed to act.

/// An error of the nouns and decisions in this crate. `src` adds file, row and column.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// An answer that its question cannot have.
    #[error("{question}: \"{value}\" {reason}")]
    Answer {
        /// The question's name.
        question: String,
        /// The answer as it came.
        value: String,
        /// Why it is refused, as the end of a sentence: `is not a number`.
        reason: String,
    },
    /// A question that cannot be asked.
    #[error("question {question}: {reason}")]
    Question {
        /// The question's name.
        question: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A mix of real tasks and controls that cannot fill a suite.
    #[error("suite mix of {real} real and {control} controls: {reason}")]
    Mix {
        /// Real tasks per suite.
        real: usize,
        /// Controls per suite.
        control: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Fewer controls than one suite needs.
    #[error("a suite needs {needed} different controls, {available} are at hand")]
    TooFewControls {
        /// Controls per suite.
        needed: usize,
        /// Controls at hand.
        available: usize,
    },
    /// Two items, or two controls, with the same id.
    #[error("the {kind} \"{id}\" is listed twice, as number {first} and number {second}")]
    DuplicateId {
        /// `item` or `control`.
        kind: &'static str,
        /// The id.
        id: String,
        /// Its first place, counted from 1.
        first: usize,
        /// Its second place, counted from 1.
        second: usize,
    },
    /// Something was asked for that is outside what the method can do.
    #[error("{0}")]
    Unusable(String),
}
