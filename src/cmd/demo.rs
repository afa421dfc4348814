//! stub
use crate::Result;
/// Demo
#[derive(Debug, clap::Args)]
pub struct Args {}
/// Runs
pub fn run(_args: &Args) -> Result<()> { Ok(()) }
