//! veche: many imprecise human answers in, labels one can trust out. This crate meets the world: files, pictures, the
//! command line, reports. What is asked of whom is decided in `veche-pools`, what it means in `veche-analysis`.

// The libraries may not touch clock, files or hash order; this crate is where the world is met, so it opts out once.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod assemble;
pub mod audit;
pub mod benchmark;
pub mod bulk;
pub mod cli;
pub mod cmd;
pub mod config;
pub mod curves;
pub mod files;
mod judging;
pub mod labels;
pub mod model;
pub mod pictures;
pub mod pool;
pub mod problem;
pub mod provenance;
pub mod remote;
pub mod report;
pub mod serve;
pub mod store;
pub mod study;
mod table_questions;
pub mod tasks;

pub use problem::{Problem, Result, problem};
