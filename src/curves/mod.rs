//! People against networks by the true answer: from votes, guesses and predictions to tables, pictures and sentences. The
//! statistics come from [`veche_analysis::curves`]; here answers are brought onto the same items, and results picked and named.

mod field;
mod findings;
mod pictures;
mod sheet;
mod tables;
mod words;

pub use field::{Field, FieldSide, SideKind, age_like};
pub use findings::{ClassRow, Findings, Group, Set, SexRow, Wanted, find};
pub(crate) use pictures::slug;
pub use pictures::{Picture, pictures, themed_pictures};
pub use sheet::{Cell, Sheet};
pub use tables::tables;
pub use words::{told, words};

/// What a sentence or a picture is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Errors of all sides by the true answer.
    Errors,
    /// Who is better where.
    Contest,
    /// Women and men apart.
    BySex,
    /// Accuracy in the classes of benchmarks.
    Classes,
    /// Accuracy of sex.
    Sex,
    /// Error against votes per item.
    Overlap,
}
