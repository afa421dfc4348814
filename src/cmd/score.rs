//! `veche score`: each annotator's error on controls.

use super::input::{RuleArgs, VotesArgs, need_truth};
use crate::{Problem, Result, files::write_atomically, study::Study};
use serde::Serialize;
use std::path::PathBuf;
use veche_analysis::scoring::{ScoreSettings, Shrinkage, choice, number};
use veche_pools::{Scale, banning::Verdict};

/// Each annotator's error on controls: n, mean absolute error, bias, 95 % interval, verdict
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche score faces\n  veche score votes.csv --truth truth.csv --json"
)]
pub struct Args {
    #[command(flatten)]
    input: VotesArgs,
    #[command(flatten)]
    rules: RuleArgs,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    /// Write as CSV
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// One annotator's score on one question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// The annotator.
    pub annotator: String,
    /// The question.
    pub question: String,
    /// Controls answered.
    pub n: u32,
    /// Mean absolute error, for numbers.
    pub mae: Option<f64>,
    /// Mean error, for numbers.
    pub bias: Option<f64>,
    /// Share right, for choices.
    pub accuracy: Option<f64>,
    /// Lower end of the 95 % interval of MAE or accuracy.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Votes on this question altogether.
    pub votes: u32,
    /// `kept`, `banned` or `too-few-controls`.
    pub verdict: &'static str,
    /// The rule that banned.
    pub rule: Option<String>,
    /// The evidence, in words.
    pub evidence: Option<String>,
    /// Whether the votes are simulated.
    pub simulated: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let study = args.input.open()?;
    let verdicts = args
        .rules
        .verdicts(&study, args.input.question.as_deref())?;
    let mut rows = Vec::new();
    let mut judged = false;
    for question in args.input.questions(&study)? {
        if args.input.question.is_some() || study.questions.len() == 1 {
            need_truth(&study, question)?;
        }
        judged |= study.truths[question].iter().any(Option::is_some);
        rows.extend(scores(&study, question, &verdicts)?);
    }
    if !judged {
        need_truth(&study, 0)?;
    }
    if let Some(out) = &args.out {
        write_csv(out, &rows)?;
    }
    if args.json {
        return super::print_json(&rows);
    }
    super::print(&text(&rows));
    Ok(())
}

/// The scores of all annotators on one question, worst first; who answered no control stands last.
pub fn scores(study: &Study, question: usize, verdicts: &[Verdict]) -> Result<Vec<Score>> {
    let mut votes = vec![0u32; study.annotators.len()];
    for vote in study
        .votes
        .iter()
        .filter(|v| v.question as usize == question)
    {
        votes[vote.annotator as usize] += 1;
    }
    let mut rows: Vec<Score> = (0..study.annotators.len())
        .map(|u| {
            let (verdict, rule, evidence) = describe(&verdicts[u]);
            Score {
                annotator: study.annotators[u].clone(),
                question: study.questions[question].name.clone(),
                n: 0,
                mae: None,
                bias: None,
                accuracy: None,
                low: None,
                high: None,
                votes: votes[u],
                verdict,
                rule,
                evidence,
                simulated: study.simulated,
            }
        })
        .collect();
    match &study.questions[question].scale {
        Scale::Number(_) => {
            let table = study.number_votes(question, |_| true)?;
            let truth = study.true_numbers(question);
            let scores = number::scores(&table, &truth, &ScoreSettings::default())?;
            for (row, score) in rows.iter_mut().zip(&scores.annotators) {
                if let Some(score) = score {
                    row.n = score.n;
                    row.mae = Some(score.mae);
                    row.bias = Some(score.bias);
                    row.low = score.mae_interval.map(|i| i.low);
                    row.high = score.mae_interval.map(|i| i.high);
                }
            }
        }
        Scale::Choice(_) => {
            let table = study.choice_votes(question, |_| true)?;
            let truth = study.true_choices(question);
            let scores = choice::scores(&table, &truth, Shrinkage::EmpiricalBayes, 0.95)?;
            for (row, score) in rows.iter_mut().zip(&scores.annotators) {
                if let Some(score) = score {
                    row.n = score.n;
                    row.accuracy = Some(score.accuracy);
                    row.low = Some(score.interval.low);
                    row.high = Some(score.interval.high);
                }
            }
        }
    }
    let badness = |s: &Score| {
        s.mae
            .or(s.accuracy.map(|a| 1.0 - a))
            .unwrap_or(f64::NEG_INFINITY)
    };
    rows.sort_by(|a, b| {
        badness(b)
            .total_cmp(&badness(a))
            .then_with(|| a.annotator.cmp(&b.annotator))
    });
    Ok(rows)
}

/// A verdict as columns: name, rule, evidence.
pub fn describe(verdict: &Verdict) -> (&'static str, Option<String>, Option<String>) {
    match verdict {
        Verdict::Kept => ("kept", None, None),
        Verdict::TooFew { have, need } => (
            "too-few-controls",
            None,
            Some(format!("{have} of the {need} needed")),
        ),
        Verdict::Banned { rule, evidence, .. } => {
            ("banned", Some(rule.to_string()), Some(evidence.to_string()))
        }
    }
}

fn write_csv(path: &std::path::Path, rows: &[Score]) -> Result<()> {
    write_atomically(path, |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record([
            "annotator",
            "question",
            "n",
            "mae",
            "bias",
            "accuracy",
            "low",
            "high",
            "votes",
            "verdict",
            "rule",
            "evidence",
            "simulated",
        ])?;
        let number = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
        for row in rows {
            csv.write_record([
                row.annotator.clone(),
                row.question.clone(),
                row.n.to_string(),
                number(row.mae),
                number(row.bias),
                number(row.accuracy),
                number(row.low),
                number(row.high),
                row.votes.to_string(),
                row.verdict.to_owned(),
                row.rule.clone().unwrap_or_default(),
                row.evidence.clone().unwrap_or_default(),
                row.simulated.to_string(),
            ])?;
        }
        csv.flush()
    })
    .map_err(|e: Box<Problem>| e)
}

fn text(rows: &[Score]) -> String {
    let mut text = String::new();
    let mut from = 0;
    while from < rows.len() {
        let to = from
            + rows[from..]
                .iter()
                .take_while(|r| r.question == rows[from].question)
                .count();
        let of = &rows[from..to];
        let numbers = of.iter().any(|r| r.mae.is_some());
        let head = if numbers {
            ["MAE", "bias"]
        } else {
            ["accuracy", ""]
        };
        let mut table = vec![
            [
                "annotator",
                "controls",
                head[0],
                "95 % interval",
                head[1],
                "votes",
                "verdict",
                "evidence",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        for row in of {
            let number = |v: Option<f64>| v.map(|v| format!("{v:.2}")).unwrap_or_default();
            let interval = match (row.low, row.high) {
                (Some(low), Some(high)) => format!("{low:.2}–{high:.2}"),
                _ => String::new(),
            };
            let evidence = row.evidence.clone().unwrap_or_default();
            table.push(vec![
                row.annotator.clone(),
                row.n.to_string(),
                number(row.mae.or(row.accuracy)),
                interval,
                number(row.bias),
                row.votes.to_string(),
                row.verdict.to_owned(),
                row.rule
                    .as_ref()
                    .map_or(evidence.clone(), |rule| format!("{rule}: {evidence}")),
            ]);
        }
        text += &format!("{}{}\n", if from > 0 { "\n" } else { "" }, of[0].question);
        text += &super::table(&table);
        from = to;
    }
    text
}
