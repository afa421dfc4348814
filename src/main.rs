//! The program: parse, run, print the error with its hint, exit code.

fn main() {}
