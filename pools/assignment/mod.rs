//! Who gets which suite next, decided when an annotator asks: mixing at assignment time.
//!
//! [`choose`] holds the decisions as pure functions of what is known about open items and controls, for a server that keeps
//! its state in a database. [`Assigner`] makes the same decisions on indexed state in memory, fast enough for simulations of
//! whole campaigns; tests hold it to the rules of [`choose`].
//!
//! Rules: items with the fewest votes first; no annotator meets an item twice, whatever became of the first time; an
//! annotator meets every control once before meeting any a second time, takes the strata in turn, and within that freedom
//! gets the control used least by all; every suite, a short last one included, has its full number of controls, at places
//! uniform over the suite.

mod assigner;
pub mod choose;
mod open;
mod rotation;

pub use assigner::{Assigned, Assigner, Progress, Settings, Submission};
