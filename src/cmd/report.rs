//! `veche report`: one self-contained page.

use super::input::VotesArgs;
use crate::{Result, assemble, problem};
use std::path::PathBuf;

/// Write one self-contained HTML page: progress, annotators, methods, labels, hardest controls, votes left out
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche report faces\n  veche report votes.csv --truth truth.csv --out report.html"
)]
pub struct Args {
    #[command(flatten)]
    input: VotesArgs,
    /// Page to write [default in a campaign: out/report.html]; its pictures go beside it
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print the path of the page as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let study = args.input.open()?;
    let out = match (&args.out, &study.project) {
        (Some(out), _) => out.clone(),
        (None, Some(project)) => project.out_dir().join("report.html"),
        (None, None) => {
            return problem("there is no campaign whose out/ could take the page")
                .hint("say where to write it: --out report.html")
                .fail();
        }
    };
    assemble::write_report(&study, &out, "veche report")?;
    if args.json {
        return super::print_json(
            &serde_json::json!({"report": out, "simulated": study.simulated}),
        );
    }
    super::print(&format!("{}\n", out.display()));
    Ok(())
}
