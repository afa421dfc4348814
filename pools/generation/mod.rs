//! Making pools: opaque names for tasks, and static suites for campaigns that run from files.

pub mod names;
pub mod suites;

pub use names::{Naming, task_names};
pub use suites::{StaticSuites, arrange, rounds};
