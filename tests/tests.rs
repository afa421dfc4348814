//! The program from outside: one test binary, this is its table of contents.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

mod support;

mod bad_input;
mod demo;
mod formats;
mod heights;
mod kill;
mod pool;
