//! `veche report`: everything on one page.

use super::{
    input::VotesArgs,
    network::{NetworkArgs, has_annotators, photos_named, photos_of},
};
use crate::{
    Result,
    assemble::{self, Extras},
    benchmark::MANIFEST,
    config::Project,
    curves::Field,
    files::{
        Skipped,
        guesses::{GuessColumns, Guesses},
    },
    problem,
};
use std::path::{Path, PathBuf};

/// One self-contained HTML page: labels, methods, annotators, hardest controls, progress, bans, secrecy, curves, audits, networks, benchmark
///
/// VOTES is a campaign, a table of votes, or a table of mean guesses (item, truth, guess[, sd]). Everything is shown that the data allow.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche report faces\n  veche report faces --network --figures figures\n  \
    veche report faces --predictions MiVOLO=mivolo.csv --benchmark bench\n  \
    veche report votes.csv --truth truth.csv --out report.html"
)]
pub struct Args {
    #[command(flatten)]
    input: VotesArgs,
    #[command(flatten)]
    networks: NetworkArgs,
    /// Show this benchmark; again for another [default: those that lie in the campaign's folder or its out/]
    #[arg(long, value_name = "DIR")]
    benchmark: Vec<PathBuf>,
    /// Page to write [default in a campaign: out/report.html]; its pictures go beside it
    #[arg(long)]
    out: Option<PathBuf>,
    /// Folder for every figure as SVG
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
    /// Print the path of the page as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let path = &args.input.votes;
    let out = match (&args.out, path.is_dir()) {
        (Some(out), _) => out.clone(),
        (None, true) => Project::open(path)?.out_dir().join("report.html"),
        (None, false) => {
            return problem("there is no campaign whose out/ could take the page")
                .hint("say where to write it: --out report.html")
                .fail();
        }
    };
    let predictions = out.with_extension("predictions");
    let mut extras = Extras {
        benchmarks: args.benchmark.clone(),
        subject: path.display().to_string(),
        figures: args.figures.clone(),
        ..Extras::default()
    };
    let votes = path.is_dir()
        || args.input.annotator_column.is_some()
        || !path.is_file()
        || has_annotators(path)?;
    let simulated = if votes {
        let study = args.input.open()?;
        let project = study.project.as_ref();
        if let (Some(project), true) = (project, extras.benchmarks.is_empty()) {
            extras.benchmarks = benchmarks_of(project);
        }
        let photos = || photos_of(&study, args.networks.pictures.as_deref());
        extras.rivals = args.networks.rivals(project, photos, &predictions)?;
        assemble::write_report(&study, &out, "veche report", &extras)?;
        study.simulated
    } else {
        let mut skipped = Skipped::if_asked(args.input.skip_bad_rows);
        let columns = GuessColumns {
            item: args.input.item_column.clone(),
            truth: args.input.truth_column.clone(),
            ..GuessColumns::default()
        };
        let needed = args.input.truth.is_none();
        let guesses = Guesses::read(path, &columns, needed, &mut skipped)?;
        let mut field = Field::of_guesses(&guesses, path);
        if let Some(truth) = &args.input.truth {
            field.add_known(&Guesses::read(truth, &columns, false, &mut skipped)?);
            field.sources.push(truth.clone());
        }
        Field::say_skipped(&skipped);
        let photos = || match &args.networks.pictures {
            Some(dir) => Ok(photos_named(dir, field.items.iter().map(String::as_str))),
            None => problem("nothing says where the pictures of these items are")
                .hint("name their folder with --pictures")
                .fail(),
        };
        extras.rivals = args.networks.rivals(None, photos, &predictions)?;
        let simulated = field.simulated;
        assemble::write_field_report(field, &out, "veche report", &extras)?;
        simulated
    };
    if args.json {
        return super::print_json(&serde_json::json!({"report": out, "simulated": simulated}));
    }
    super::print(&format!("{}\n", out.display()));
    Ok(())
}

/// Benchmarks that lie beside a campaign, by name: in its folder and in its `out/`.
pub fn benchmarks_of(project: &Project) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in [project.dir.clone(), project.out_dir()] {
        let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten();
        let frozen = |path: &Path| path.join(MANIFEST).is_file();
        found.extend(entries.map(|e| e.path()).filter(|p| frozen(p)));
    }
    found.sort();
    found
}
