//! veche: many imprecise human answers in, labels one can trust out. This crate meets the world: files, pictures, the
//! command line, reports. What is asked of whom is decided in `veche-pools`, what it means in `veche-analysis`.

// The libraries may not touch clock, files or hash order; this crate is where the world is met, so it opts out once.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod problem;
pub mod report;

pub use problem::{Problem, Result, problem};
