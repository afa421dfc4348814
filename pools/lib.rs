//! The nouns of veche and every decision about who is asked what: generation of suites, choice and rotation of
//! controls, assignment, bans, and synthetic annotators.
//!
//! Nothing here reads a clock, a file, the network or the operating system's randomness: `now`, an [`rand::Rng`] and
//! slices come in as arguments, so the same input and seed give the same output on every machine.

pub mod assignment;
pub mod banning;
pub mod controls;
pub mod error;
pub mod generation;
pub mod item;
pub mod pool;
pub mod question;
pub mod random;
pub mod secrecy;
pub mod simulation;
pub mod vote;

pub use error::Error;
pub use item::{Content, Item, PixelBox};
pub use pool::{Mix, Role, Slot, Suite, TaskName};
pub use question::{Answer, ChoiceScale, NumberScale, Question, Scale};
pub use vote::Vote;
