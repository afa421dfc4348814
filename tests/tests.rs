//! The program from outside: one test binary, this is its table of contents.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]
// The purity rules are for the libraries; tests meet the world.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

mod audit;
mod bad_input;
mod benchmark;
mod browser;
mod campaign;
mod cluster;
mod curves;
mod demo;
mod formats;
mod heights;
mod kill;
mod network;
mod plan;
mod pool;
mod predict;
mod serve;
