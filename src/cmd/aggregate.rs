//! `veche aggregate`: a label per item with its standard error.

use super::input::{MethodArgs, PolicyArgs, RuleArgs, VotesArgs};
use crate::{
    Result, bulk,
    cluster::{self, ClusterArgs},
    files::{votes::ONLY_QUESTION, write_atomically},
    labels::{Counting, Labels, Method, labels, left_out_by_policy},
    pool::disk::write_parquet,
    problem,
    study::Study,
};
use polars::prelude::Column;
use serde_json::json;
use std::path::{Path, PathBuf};
use veche_analysis::aggregation::NumberSettings;
use veche_pools::{Scale, banning::Policy};

/// Turn votes into labels: an estimate per item with its standard error, interval and number of votes
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veche aggregate faces --out labels.csv\n  \
    veche aggregate votes.csv --truth truth.csv --method exp-mae --temperature 2 --out labels.parquet\n  \
    veche aggregate s3://crowd/votes --truth s3://crowd/truth --engine spark --master sc://spark:15002 --out s3://crowd/labels\n  \
    veche aggregate votes.parquet --method exp-mae --truth truth.parquet --print-sql=duckdb --out labels.parquet")]
pub struct Args {
    #[command(flatten)]
    input: VotesArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    settings: MethodArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Method; the campaign's by default, else exp-mae (numbers) or control-accuracy (labels)
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// File to write: .csv, .tsv or .parquet
    #[arg(long)]
    out: PathBuf,
    /// Label controls too, each without looking at its own truth (campaigns; tables of votes label every item)
    #[arg(long)]
    with_controls: bool,
    /// Memory for votes, MiB; of a table with more of them (16 bytes each) the rest waits on the disk
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    memory: usize,
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// A campaign's labels with its own settings.
    pub fn of_campaign(dir: &Path, out: PathBuf) -> Self {
        Self {
            input: VotesArgs::campaign(dir),
            rules: RuleArgs::default(),
            policy: PolicyArgs::default(),
            settings: MethodArgs::default(),
            cluster: ClusterArgs::default(),
            method: None,
            out,
            with_controls: false,
            memory: 4096,
            json: false,
        }
    }
}

/// A column of the result.
enum Cells {
    Text(Vec<Option<String>>),
    Number(Vec<Option<f64>>),
    Count(Vec<u32>),
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    if args.cluster.asked() {
        return args.on_cluster();
    }
    if let Some(request) = args.bulk()?
        && let Some(summary) = bulk::label(&request)?
    {
        return args.tell(&summary);
    }
    args.input.refuse_several()?;
    of_study(&args.input.open()?, args)
}

impl Args {
    /// The request for plain tables; `None` for a campaign, and where something is asked for that needs to know every vote.
    fn bulk(&self) -> Result<Option<bulk::Request>> {
        let input = &self.input;
        let plain = input.duplicates == super::input::Twice::Error
            && !input.skip_bad_rows
            && self.rules.ban_mae.is_none()
            && input.question.as_deref().is_none_or(|q| q == ONLY_QUESTION);
        let Some(votes) = input.tables()?.filter(|_| plain) else {
            return Ok(None);
        };
        Ok(Some(bulk::Request {
            votes,
            truth: input.truth.clone(),
            mapping: input.mapping(),
            scale: input.hint(),
            method: self.method.clone(),
            settings: self.settings.over(NumberSettings::default())?,
            most_votes: self.memory.saturating_mul(1 << 20) / 16,
            out: self.out.clone(),
        }))
    }

    /// Prints the queries, or runs them where the votes are.
    fn on_cluster(&self) -> Result<()> {
        self.rules.refuse_on_cluster()?;
        let out = self.out.display().to_string();
        let request = cluster::Request {
            method: self.method.clone(),
            settings: self.settings.over(NumberSettings::default())?,
            work: self.cluster.work_beside(&out),
            out,
            ..self.input.on_cluster(&self.cluster)?
        };
        if let Some(dialect) = self.cluster.print_sql {
            super::print(&cluster::print(&request, dialect)?);
            return Ok(());
        }
        let summary = cluster::label(&request, self.cluster.master.as_deref())?;
        if !summary.choices && !summary.includes_shared {
            super::warn(NO_SHARED_ERROR);
        }
        if self.json {
            return super::print_json(&json!({
                "out": self.out, "labels": [{
                    "question": ONLY_QUESTION, "method": summary.method, "items": summary.items, "labelled": summary.items,
                    "chosen": "", "convergence": summary.convergence, "intervals_calibrated_on_controls": summary.calibrated,
                    "includes_shared_error": summary.includes_shared,
                }],
                "votes": summary.votes, "engine": summary.server, "simulated": false,
            }));
        }
        super::note(&format!(
            "{ONLY_QUESTION}: {} items labelled by {} from {} votes on {}",
            summary.items, summary.method, summary.votes, summary.server
        ));
        super::note(&format!("the cluster wrote {}", self.out.display()));
        Ok(())
    }

    fn tell(&self, summary: &bulk::Summary) -> Result<()> {
        if summary.may_be_labels {
            super::warn(super::input::MAY_BE_LABELS);
        }
        if !summary.includes_shared {
            super::warn(NO_SHARED_ERROR);
        }
        let policy = self.policy.policy.map_or_else(Policy::default, Into::into);
        if self.json {
            let none = |p: &Policy| (p.to_string(), json!(0));
            let left_out: serde_json::Map<String, serde_json::Value> =
                Policy::ALL.iter().map(none).collect();
            return super::print_json(&json!({
                "out": self.out, "labels": [{
                    "question": ONLY_QUESTION, "method": summary.method, "items": summary.items,
                    "labelled": summary.labelled, "chosen": summary.chosen, "convergence": summary.convergence,
                    "intervals_calibrated_on_controls": summary.calibrated,
                    "includes_shared_error": summary.includes_shared && !summary.choices,
                }],
                "votes": summary.votes, "policy": policy.to_string(), "votes_left_out_by_policy": left_out, "simulated": false,
            }));
        }
        super::note(&format!(
            "{ONLY_QUESTION}: {} of {} items labelled by {}",
            summary.labelled, summary.items, summary.method
        ));
        if !summary.chosen.is_empty() {
            super::note(&format!("  chosen on the controls: {}", summary.chosen));
        }
        super::note(&format!("wrote {}", self.out.display()));
        Ok(())
    }
}

const NO_SHARED_ERROR: &str = "no answer is known, so the error that all annotators share cannot be seen: standard errors are too small";

/// The same for votes that have been read already.
pub fn of_study(study: &Study, args: &Args) -> Result<()> {
    let questions = args.input.questions(study)?;
    if args.method.is_some() && questions.len() > 1 {
        // One method cannot suit a number and a choice: ask which question is meant.
        study.question(None)?;
    }
    let verdicts = args.rules.verdicts(study, args.input.question.as_deref())?;
    let policy = args.policy.policy(study);
    let counting = Counting {
        policy,
        verdicts: &verdicts,
    };
    let voted = voted(study, &questions);
    let items: Vec<usize> = (0..study.items.len())
        .filter(|&i| match &study.pool {
            Some(pool) => args.with_controls || !pool.is_control(i),
            None => voted[i],
        })
        .collect();
    let settings = args.settings.settings(study)?;
    let ids = items
        .iter()
        .map(|&i| Some(study.items[i].clone()))
        .collect();
    let mut columns = vec![("item".to_owned(), Cells::Text(ids))];
    let mut summary = Vec::new();
    for &question in &questions {
        let method = Method::of(study, question, args.method.as_deref(), settings)?;
        let labels = labels(study, question, method, counting)?;
        let prefix = (questions.len() > 1).then(|| study.questions[question].name.clone());
        let labelled = add_columns(
            &mut columns,
            study,
            question,
            &labels,
            &items,
            prefix.as_deref(),
        );
        let (calibrated, shared, convergence) = match &labels {
            Labels::Numbers(n) => (n.calibration.is_some(), n.includes_shared, n.convergence),
            Labels::Choices(c) => (false, false, c.convergence),
        };
        if let Labels::Numbers(n) = &labels
            && !n.includes_shared
        {
            super::warn(NO_SHARED_ERROR);
        }
        summary.push(json!({
            "question": study.questions[question].name, "method": method.name(), "items": items.len(),
            "labelled": labelled, "chosen": labels.chosen(), "convergence": convergence, "intervals_calibrated_on_controls": calibrated, "includes_shared_error": shared,
        }));
    }
    if study.simulated {
        columns.push((
            "source".into(),
            Cells::Text(vec![Some("simulated".into()); items.len()]),
        ));
    }
    write(&args.out, columns)?;
    study
        .provenance("veche aggregate")?
        .write(&beside(&args.out))?;
    let left_out = left_out_by_policy(study, &verdicts);
    if args.json {
        let by_policy: serde_json::Map<String, serde_json::Value> = left_out
            .into_iter()
            .map(|(name, n)| (name, json!(n)))
            .collect();
        return super::print_json(&json!({
            "out": args.out, "labels": summary, "votes": study.votes.len(), "policy": policy.to_string(),
            "votes_left_out_by_policy": by_policy, "simulated": study.simulated,
        }));
    }
    for row in &summary {
        super::note(&format!(
            "{}: {} of {} items labelled by {}",
            row["question"].as_str().unwrap_or_default(),
            row["labelled"],
            row["items"],
            row["method"].as_str().unwrap_or_default()
        ));
        if let Some(chosen) = row["chosen"].as_str().filter(|c| !c.is_empty()) {
            super::note(&format!("  chosen on the controls: {chosen}"));
        }
    }
    let banned = verdicts
        .iter()
        .filter(|v| matches!(v, veche_pools::banning::Verdict::Banned { .. }))
        .count();
    if banned > 0 {
        let each: Vec<String> = left_out
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        super::note(&format!(
            "{banned} annotators banned, policy {policy}; votes left out by each policy: {} of {}",
            each.join(", "),
            study.votes.len()
        ));
    }
    super::note(&format!("wrote {}", args.out.display()));
    Ok(())
}

fn voted(study: &Study, questions: &[usize]) -> Vec<bool> {
    let mut voted = vec![false; study.items.len()];
    for vote in study
        .votes
        .iter()
        .filter(|v| questions.contains(&(v.question as usize)))
    {
        voted[vote.item as usize] = true;
    }
    voted
}

/// Adds one question's columns; returns how many items have a label.
fn add_columns(
    columns: &mut Vec<(String, Cells)>,
    study: &Study,
    question: usize,
    labels: &Labels,
    items: &[usize],
    prefix: Option<&str>,
) -> usize {
    let name = |column: &str| match prefix {
        // Two questions in one table: the label takes the question's name.
        Some(q) if column == "estimate" || column == "label" => q.to_owned(),
        Some(q) => format!("{q}_{column}"),
        None => column.to_owned(),
    };
    match labels {
        Labels::Numbers(result) => {
            let of = |f: fn(&veche_analysis::aggregation::NumberEstimate) -> Option<f64>| {
                Cells::Number(
                    items
                        .iter()
                        .map(|&i| result.estimates[i].as_ref().and_then(f))
                        .collect(),
                )
            };
            let votes = items
                .iter()
                .map(|&i| result.estimates[i].map_or(0, |e| e.votes))
                .collect();
            columns.push((name("estimate"), of(|e| Some(e.value))));
            columns.push((name("se"), of(|e| e.se)));
            columns.push((name("low"), of(|e| e.low)));
            columns.push((name("high"), of(|e| e.high)));
            columns.push((name("votes"), Cells::Count(votes)));
            columns.push((name("effective_votes"), of(|e| Some(e.effective_votes))));
            items
                .iter()
                .filter(|&&i| result.estimates[i].is_some())
                .count()
        }
        Labels::Choices(result) => {
            let label = |i: usize| {
                let index = result.estimates[i]?.label as usize;
                match &study.questions[question].scale {
                    Scale::Choice(scale) => scale.labels.get(index).cloned(),
                    Scale::Number(_) => None,
                }
            };
            let confidence = |i: usize| result.estimates[i].map(|e| e.confidence);
            let votes = items
                .iter()
                .map(|&i| result.estimates[i].map_or(0, |e| e.votes))
                .collect();
            columns.push((
                name("label"),
                Cells::Text(items.iter().map(|&i| label(i)).collect()),
            ));
            columns.push((
                name("confidence"),
                Cells::Number(items.iter().map(|&i| confidence(i)).collect()),
            ));
            columns.push((name("votes"), Cells::Count(votes)));
            items
                .iter()
                .filter(|&&i| result.estimates[i].is_some())
                .count()
        }
    }
}

fn write(path: &Path, columns: Vec<(String, Cells)>) -> Result<()> {
    let ending = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_lowercase();
    let separator = match ending.as_str() {
        "parquet" => {
            let columns = columns
                .into_iter()
                .map(|(name, cells)| match cells {
                    Cells::Text(v) => Column::new(name.into(), v),
                    Cells::Number(v) => Column::new(name.into(), v),
                    Cells::Count(v) => Column::new(name.into(), v),
                })
                .collect();
            return write_parquet(path, columns);
        }
        "csv" => b',',
        "tsv" => b'\t',
        _ => {
            return problem("the ending names no kind of table that labels are written as")
                .file(path)
                .value(&ending)
                .hint("name a file that ends in .csv, .tsv or .parquet")
                .fail();
        }
    };
    write_atomically(path, |w| {
        let mut csv = csv::WriterBuilder::new()
            .delimiter(separator)
            .from_writer(w);
        csv.write_record(columns.iter().map(|(name, _)| name))?;
        let rows = match &columns[0].1 {
            Cells::Text(ids) => ids.len(),
            _ => 0,
        };
        for row in 0..rows {
            csv.write_record(columns.iter().map(|(_, cells)| match cells {
                Cells::Text(v) => v[row].clone().unwrap_or_default(),
                Cells::Number(v) => v[row].map(|v| v.to_string()).unwrap_or_default(),
                Cells::Count(v) => v[row].to_string(),
            }))?;
        }
        csv.flush()
    })
}

/// `labels.csv` → `labels.csv.provenance.json`.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".provenance.json");
    PathBuf::from(name)
}
