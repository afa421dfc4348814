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
pub use pictures::{Picture, pictures};
pub use sheet::{Cell, Sheet};
pub use tables::tables;
pub use words::words;
