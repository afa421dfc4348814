//! The command line: one variant per subcommand.

use crate::{Result, cmd};
use clap::{Parser, Subcommand};

/// Turns many imprecise human answers into labels one can trust
///
/// A campaign is a folder with a campaign.toml. The way through it: init, pool build, collect votes (or simulate them), score,
/// ban, methods, aggregate, report. `score`, `methods` and `aggregate` also work on a plain table of votes.
#[derive(Debug, Parser)]
#[command(
    name = "veche",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Examples:\n  veche demo                       the whole loop on generated pictures\n  \
    veche methods votes.csv          which method is best on your own votes with known answers\n  \
    veche init faces                 start a campaign"
)]
pub struct Cli {
    /// Which command
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
#[allow(
    missing_docs,
    reason = "a variant without words has the help of its arguments"
)]
pub enum Command {
    /// Run the whole loop on generated pictures, or on your own
    Demo(cmd::demo::Args),
    Init(cmd::init::Args),
    /// Build the pool of tasks with hidden controls, or export it
    #[command(subcommand)]
    Pool(cmd::pool::Command),
    /// Read collected votes into a campaign, or write them out
    #[command(subcommand)]
    Votes(cmd::votes::Command),
    Plan(cmd::plan::Args),
    Simulate(cmd::simulate::Args),
    Serve(cmd::serve::Args),
    Score(cmd::score::Args),
    Ban(cmd::ban::Args),
    Aggregate(cmd::aggregate::Args),
    Methods(cmd::methods::Args),
    Curves(Box<cmd::curves::Args>),
    /// What the votes say about annotators: who errs how, who agrees, who tires
    #[command(subcommand)]
    Audit(cmd::audit::Command),
    /// Age networks: import checkpoints, look at a model, run it
    #[command(subcommand)]
    Model(cmd::model::Command),
    Predict(Box<cmd::predict::Args>),
    Report(cmd::report::Args),
    /// A balanced benchmark: choose, freeze, check, export, rank models on it
    #[command(subcommand)]
    Benchmark(cmd::benchmark::Command),
    /// Measure veche on this machine
    #[command(subcommand)]
    Bench(cmd::bench::Command),
    Completions(cmd::man::Completions),
    Man(cmd::man::Args),
}

/// Runs the chosen command.
pub fn run(cli: &Cli) -> Result<()> {
    match &cli.command {
        Command::Demo(args) => cmd::demo::run(args),
        Command::Init(args) => cmd::init::run(args),
        Command::Pool(command) => cmd::pool::run(command),
        Command::Votes(command) => cmd::votes::run(command),
        Command::Plan(args) => cmd::plan::run(args),
        Command::Simulate(args) => cmd::simulate::run(args),
        Command::Serve(args) => cmd::serve::run(args),
        Command::Score(args) => cmd::score::run(args),
        Command::Ban(args) => cmd::ban::run(args),
        Command::Aggregate(args) => cmd::aggregate::run(args),
        Command::Methods(args) => cmd::methods::run(args),
        Command::Curves(args) => cmd::curves::run(args),
        Command::Audit(command) => cmd::audit::run(command),
        Command::Model(command) => cmd::model::run(command),
        Command::Predict(args) => cmd::predict::run(args),
        Command::Report(args) => cmd::report::run(args),
        Command::Benchmark(command) => cmd::benchmark::run(command),
        Command::Bench(command) => cmd::bench::run(command),
        Command::Completions(args) => cmd::man::completions(args),
        Command::Man(args) => cmd::man::run(args),
    }
}
