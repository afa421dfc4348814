//! The program: parse, run, print the error with its hint, exit code.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match veche::cli::run(&veche::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            veche::cmd::note(&format!("error: {problem}"));
            ExitCode::FAILURE
        }
    }
}
