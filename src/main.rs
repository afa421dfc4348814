//! The program: parse, run, print the error with its hint, exit code.

use clap::Parser;
use std::process::ExitCode;
use veche::{Result, cli, remote};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            veche::cmd::note(&format!("error: {problem}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let staged = remote::stage(std::env::args_os())?;
    cli::run(&cli::Cli::parse_from(&staged.args))?;
    staged.store()
}
