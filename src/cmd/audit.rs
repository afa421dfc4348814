//! `veche audit`: what the votes say about those who gave them.

use super::input::{RuleArgs, VotesArgs, need_truth};
use crate::{
    Problem, Result,
    audit::{Audited, annotators, drift},
    files::{replace_dir_atomically, write_atomically},
    problem,
    study::Study,
};
use serde_json::json;
use std::{fs, io::Write, path::PathBuf};
use veche_analysis::audit::{DriftSettings, Resampling};
use veche_pools::banning::Verdict;

/// What to look at.
#[derive(Debug, clap::Subcommand)]
#[allow(
    missing_docs,
    reason = "a variant without words has the help of its arguments"
)]
pub enum Command {
    Annotators(Annotators),
    Drift(Drift),
}

/// What all audits take.
#[derive(Debug, clap::Args)]
pub struct Common {
    #[command(flatten)]
    input: VotesArgs,
    #[command(flatten)]
    rules: RuleArgs,
    /// Level of all intervals
    #[arg(long, default_value_t = 0.95, value_name = "LEVEL")]
    confidence: f64,
    /// Folder for pictures (SVG), tables (CSV and Parquet) and text
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Annotators by their error on controls, round answers, speed; agreement of all (Krippendorff's alpha, ICC)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche audit annotators faces --question age --out audit\n  veche audit annotators votes.csv --truth truth.csv"
)]
pub struct Annotators {
    #[command(flatten)]
    common: Common,
    /// Multiples of this are round answers
    #[arg(long, default_value_t = 5.0, value_name = "STEP")]
    round: f64,
    /// Bootstrap resamples of the items
    #[arg(long, default_value_t = 1000)]
    resamples: usize,
    /// Seed of all chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Error along each annotator's own sequence: did they learn or tire? Corrected for those who were banned and left
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche audit drift faces --question age --out drift\n  veche audit drift votes.csv --json"
)]
pub struct Drift {
    #[command(flatten)]
    common: Common,
    /// Changes are given per so many tasks
    #[arg(long, default_value_t = 100.0, value_name = "TASKS")]
    per: f64,
}

/// Runs the command.
pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Annotators(args) => {
            if !(args.round > 0.0 && args.round.is_finite()) {
                return problem("--round must be a positive number")
                    .value(args.round.to_string())
                    .fail();
            }
            let resampling = Resampling {
                level: args.confidence(),
                resamples: args.resamples,
                seed: args.seed,
            };
            each("annotators", &args.common, |study, question, verdicts| {
                annotators(study, question, verdicts, args.round, &resampling)
            })
        }
        Command::Drift(args) => {
            let settings = DriftSettings {
                per: args.per,
                level: args.common.confidence,
                ..DriftSettings::default()
            };
            each("drift", &args.common, |study, question, verdicts| {
                drift(study, question, verdicts, &settings)
            })
        }
    }
}

impl Annotators {
    fn confidence(&self) -> f64 {
        self.common.confidence
    }
}

/// Reads, audits one question, writes and prints.
fn each(
    name: &str,
    common: &Common,
    audit: impl Fn(&Study, usize, &[Verdict]) -> Result<Audited>,
) -> Result<()> {
    let study = common.input.open()?;
    let question = study.question(common.input.question.as_deref())?;
    need_truth(&study, question)?;
    let verdicts = common
        .rules
        .verdicts(&study, common.input.question.as_deref())?;
    let mut found = audit(&study, question, &verdicts)?;
    if study.simulated {
        found
            .words
            .insert(0, "SIMULATED annotators: nobody looked at anything.".into());
    }
    if let Some(out) = &common.out {
        let origin = study.provenance(&format!("veche audit {name}"))?;
        replace_dir_atomically(out, "findings.txt", |dir| {
            for picture in &found.pictures {
                let svg = picture.svg(study.simulated);
                write_atomically(dir.join(&picture.file), |w| w.write_all(svg.as_bytes()))?;
            }
            for sheet in &found.sheets {
                sheet.write(dir)?;
            }
            let path = dir.join("findings.txt");
            fs::write(&path, format!("{}\n", found.words.join("\n")))
                .map_err(|e| Problem::io("write", &path, &e))?;
            origin.write(&dir.join("provenance.json"))
        })?;
    }
    if common.json {
        return super::print_json(
            &json!({"audit": name, "question": study.questions[question].name, "found": found.facts,
            "sentences": found.words, "simulated": study.simulated}),
        );
    }
    super::print(&format!("{}\n", found.words.join("\n")));
    if let Some(out) = &common.out {
        super::note(&format!("wrote {}", out.display()));
    }
    Ok(())
}
