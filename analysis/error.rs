//! What can go wrong in this library, by cause.

/// An error of the statistics in this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Columns of different lengths, or an index outside its table.
    #[error("vote {row}: {reason}")]
    Vote {
        /// Row of the vote, from 0.
        row: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A method needs the truth of some items and there is none.
    #[error(
        "{method} weighs annotators by their error on controls, and no item with votes has a known truth"
    )]
    NoControls {
        /// The method's name.
        method: &'static str,
    },
    /// A setting outside what it may be.
    #[error("{setting} = {value}: {reason}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        reason: &'static str,
    },
}
