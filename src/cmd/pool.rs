//! `veche pool build` and `veche pool export`.

use crate::{
    Result,
    config::Project,
    model::predict::people::Shard,
    pool::{PoolSummary, build, export},
};
use std::path::PathBuf;

/// What to do with the pool.
#[derive(Debug, clap::Subcommand)]
#[allow(
    missing_docs,
    reason = "a variant without words has the help of its arguments"
)]
pub enum Command {
    Build(Build),
    Export(Export),
}

/// Build the pool: tasks with hidden controls, pictures rendered alike, roles kept apart
///
/// The pool is replaced in one step: a run that fails or is killed leaves the old one as it was.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veche pool build faces --skip-bad-rows\n  \
    veche pool build faces --shard 3/16      # on each of 16 machines that see the campaign, another part\n  \
    veche pool build faces --merge           # then once")]
pub struct Build {
    /// Folder of the campaign
    pub dir: PathBuf,
    /// Leave bad rows and pictures out and count them, instead of stopping at the first
    #[arg(long)]
    pub skip_bad_rows: bool,
    /// Tables only: do not read or render pictures (they must then be shown alike by other means)
    #[arg(long)]
    pub no_pictures: bool,
    /// Build even if tasks that have votes are then no longer in the pool
    #[arg(long)]
    pub orphan_votes: bool,
    /// Render only part i of n of the pictures, into pool-parts; nothing else is built
    #[arg(long, value_name = "I/N", conflicts_with_all = ["no_pictures", "merge"])]
    pub shard: Option<Shard>,
    /// Build with the pictures of all parts; the same bytes as without
    #[arg(long)]
    pub merge: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// Write the pool for a platform: Toloka, Label Studio, CVAT, Mechanical Turk, or plain CSV
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    veche pool export faces --format toloka-tsv --picture-url 'https://pictures.example.org/{task}.jpg' --out upload.tsv\n  \
    veche pool export faces --format label-studio --picture-url '/data/local-files/?d={task}.jpg' --out tasks.json\n  \
    veche pool export faces --format csv --out suites.csv")]
pub struct Export {
    /// Folder of the campaign
    pub dir: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    pub format: export::Format,
    /// File to write
    #[arg(long)]
    pub out: PathBuf,
    /// Address of a picture, with {task} for the opaque name; `{task}.jpg` by default
    #[arg(long, default_value = "{task}.jpg")]
    pub picture_url: String,
    /// Table of answers to show beforehand, a row per task: labels, or what a network predicts (label-studio, cvat)
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
    /// Toloka's id of the pool the tasks go into (JSON formats)
    #[arg(long, default_value = "")]
    pub pool_id: String,
    /// How Toloka's own rule judges numeric controls (JSON formats)
    #[arg(long, value_enum, default_value_t = export::NativeControl::Exact)]
    pub native_control: export::NativeControl,
    /// Width of the tolerance or triangle, in the question's unit
    #[arg(long, default_value_t = 20.0)]
    pub tolerance: f64,
}

/// Runs the subcommand.
pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Build(args) => {
            let project = Project::open(&args.dir)?;
            let options = build::Options {
                pictures: !args.no_pictures,
                skip_bad_rows: args.skip_bad_rows,
                orphan_votes: args.orphan_votes,
                merge: args.merge,
                progress: &super::progress,
            };
            if let Some(shard) = args.shard {
                let (folder, rendered, failed) = build::build_part(&project, &options, shard)?;
                let (i, n) = (shard.i, shard.n);
                if args.json {
                    return super::print_json(&serde_json::json!({
                        "part": i, "parts": n, "rendered": rendered, "failed": failed
                    }));
                }
                super::print(&format!(
                    "part {i} of {n}: {rendered} pictures rendered, {failed} could not be\n"
                ));
                super::note(&format!("part: {}", folder.display()));
                return Ok(());
            }
            let summary = build::build(&project, &options)?;
            for warning in summary.warnings() {
                super::warn(&warning);
            }
            if args.json {
                return super::print_json(&summary);
            }
            super::print(&describe(&summary));
            super::note(&format!("pool: {}", project.pool_dir().display()));
            Ok(())
        }
        Command::Export(args) => {
            let project = Project::open(&args.dir)?;
            let written = export::export(&project, args)?;
            super::note(&format!("wrote {written} to {}", args.out.display()));
            Ok(())
        }
    }
}

/// The summary in words.
pub fn describe(summary: &PoolSummary) -> String {
    let mut text = format!(
        "{} items, {} controls of {} at hand, {} votes wanted per item\n",
        summary.items, summary.controls, summary.controls_available, summary.overlap
    );
    let mix = summary.mix;
    text += &if summary.rounds > 0 {
        format!(
            "{} rounds of {} suites, each up to {} real tasks + {} hidden controls\n",
            summary.rounds, summary.suites_per_round, mix.real, mix.control
        )
    } else {
        format!(
            "suites of {} real tasks + {} hidden controls, mixed for each annotator\n",
            mix.real, mix.control
        )
    };
    let short: Vec<&str> = summary
        .ranges
        .iter()
        .filter(|r| r.used < 3)
        .map(|r| r.range.as_str())
        .collect();
    if !short.is_empty() && summary.ranges.len() > 1 {
        let shown = short.len().min(3);
        let more = if short.len() > shown { " …" } else { "" };
        text += &format!(
            "{} of {} ranges have fewer than 3 controls: {}{more} (all in summary.json)\n",
            short.len(),
            summary.ranges.len(),
            short[..shown].join("; ")
        );
    }
    text
}
