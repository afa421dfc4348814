//! `veche methods`: the bake-off.

use super::input::{MethodArgs, PolicyArgs, RuleArgs, VotesArgs, need_truth};
use crate::{
    Result, assemble,
    files::write_atomically,
    labels::{Counting, Rows, bake_off, concerns},
    problem, report,
    study::Study,
};
use serde_json::{Value, json};
use std::path::PathBuf;
use veche_analysis::{
    Interval,
    aggregation::{ChoiceMethod, NumberMethod, NumberRow, bakeoff::BakeoffSettings},
};

/// Compare all methods on the controls, every score computed without the item under test
#[derive(Debug, clap::Args)]
#[command(after_help = help())]
pub struct Args {
    #[command(flatten)]
    input: VotesArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    method: MethodArgs,
    /// Only these methods, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    methods: Option<Vec<String>>,
    /// CS@k: share of labels within this many units of the truth
    #[arg(long, default_value_t = 5.0, value_name = "K")]
    within: f64,
    /// Bootstrap resamples behind the intervals
    #[arg(long, default_value_t = 1000)]
    resamples: usize,
    /// Seed of bootstrap and folds
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    /// Write as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw as SVG (one question)
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

/// Examples, and the names there are.
fn help() -> String {
    let numbers: Vec<&str> = NumberMethod::ALL.iter().map(|m| m.name()).collect();
    let choices: Vec<&str> = ChoiceMethod::ALL.iter().map(|m| m.name()).collect();
    format!(
        "Examples:\n  veche methods votes.csv --truth truth.csv\n  veche methods faces --question age --picture methods.svg\n  \
         veche methods votes.csv --methods mean,exp-mae --temperature 2 --json\n\nNumbers: {}\nChoices: {}",
        numbers.join(", "),
        choices.join(", ")
    )
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let study = args.input.open()?;
    let asked = args.input.questions(&study)?;
    let mut questions = Vec::new();
    for question in asked {
        let known = study.truths[question].iter().any(Option::is_some);
        if args.input.question.is_some() || study.questions.len() == 1 {
            need_truth(&study, question)?;
        }
        // Of several questions those are compared to which one of the named methods belongs.
        let named = args
            .methods
            .as_ref()
            .is_none_or(|names| concerns(&study, question, names));
        if known && (named || study.questions.len() == 1) {
            questions.push(question);
        }
    }
    if questions.is_empty() {
        need_truth(&study, 0)?;
        questions.push(0);
    }
    if args.picture.is_some() && questions.len() > 1 {
        study.question(None)?;
    }
    let verdicts = args
        .rules
        .verdicts(&study, args.input.question.as_deref())?;
    let counting = Counting {
        policy: args.policy.policy(&study),
        verdicts: &verdicts,
    };
    let settings = args.method.settings(&study)?;
    let bakeoff = BakeoffSettings {
        within: args.within,
        resamples: args.resamples,
        seed: args.seed,
        ..BakeoffSettings::default()
    };
    let mut json_rows = Vec::new();
    let mut text = String::new();
    for &question in &questions {
        let rows = bake_off(
            &study,
            question,
            args.methods.as_deref(),
            &settings,
            &bakeoff,
            counting,
        )?;
        if let Some(path) = &args.picture {
            let data = assemble::bake_off(&study, question, &rows, "veche methods");
            let title = format!(
                "Methods compared on controls: {}",
                study.questions[question].name
            );
            let kind = assemble::kind(&study, question);
            let svg = report::bakeoff_svg(&data, &kind, &title, study.simulated);
            write_atomically(path, |w| std::io::Write::write_all(w, svg.as_bytes()))?;
        }
        json_rows.extend(as_json(&study, question, &rows));
        if !text.is_empty() {
            text.push('\n');
        }
        text += &as_text(&study, question, &rows);
    }
    if let Some(path) = &args.csv {
        write_csv(path, &json_rows)?;
    }
    if args.json {
        return super::print_json(&json_rows);
    }
    super::print(&text);
    Ok(())
}

fn ends(interval: Option<Interval>) -> (Option<f64>, Option<f64>) {
    (interval.map(|i| i.low), interval.map(|i| i.high))
}

/// The rows as JSON objects with flat keys.
pub fn as_json(study: &Study, question: usize, rows: &Rows) -> Vec<Value> {
    let name = &study.questions[question].name;
    let cs = |within: f64, end: &str| format!("cs{within}{end}");
    match rows {
        Rows::Numbers(rows) => rows
            .iter()
            .map(|r| {
                let (mae, rmse, close) = (ends(r.mae_interval), ends(r.rmse_interval), ends(r.cs_interval));
                let mut row = json!({
                    "method": r.method.name(), "question": name, "mae": r.mae, "mae_low": mae.0, "mae_high": mae.1,
                    "rmse": r.rmse, "rmse_low": rmse.0, "rmse_high": rmse.1, "bias": r.bias,
                    "coverage": r.coverage, "coverage_nominal": r.coverage_nominal, "interval_width": r.interval_width,
                    "coverage_table": r.coverage_table,
                    "n_items": r.n_items, "convergence": r.convergence, "simulated": study.simulated,
                });
                row[cs(r.within, "")] = json!(r.cs);
                row[cs(r.within, "_low")] = json!(close.0);
                row[cs(r.within, "_high")] = json!(close.1);
                row
            })
            .collect(),
        Rows::Choices(rows) => rows
            .iter()
            .map(|r| {
                let (low, high) = ends(r.accuracy_interval);
                json!({
                    "method": r.method.name(), "question": name, "accuracy": r.accuracy,
                    "accuracy_low": low, "accuracy_high": high, "confidence": r.confidence,
                    "n_items": r.n_items, "convergence": r.convergence, "simulated": study.simulated,
                })
            })
            .collect(),
    }
}

/// The rows as a table for people.
pub fn as_text(study: &Study, question: usize, rows: &Rows) -> String {
    let interval = |i: Option<Interval>, scale: f64| match i {
        Some(i) => format!("{:.2}–{:.2}", i.low * scale, i.high * scale),
        None => String::new(),
    };
    let mut table = Vec::new();
    let mut after = String::new();
    let asked = &study.questions[question];
    let n = match rows {
        Rows::Numbers(rows) => {
            let unit = match &asked.scale {
                veche_pools::Scale::Number(s) if !s.unit.is_empty() => format!(", {}", s.unit),
                _ => String::new(),
            };
            let within = rows.first().map_or(5.0, |r| r.within);
            let head = [
                "method",
                &format!("MAE{unit}"),
                "95 % interval",
                "RMSE",
                &format!("CS@{within} %"),
                "bias",
                "coverage %",
                "width",
            ];
            table.push(head.map(str::to_owned).to_vec());
            for r in rows {
                table.push(vec![
                    r.method.name().to_owned(),
                    format!("{:.3}", r.mae),
                    interval(r.mae_interval, 1.0),
                    format!("{:.3}", r.rmse),
                    format!("{:.1}", 100.0 * r.cs),
                    format!("{:+.2}", r.bias),
                    r.coverage
                        .map(|c| format!("{:.0}", 100.0 * c))
                        .unwrap_or_default(),
                    r.interval_width
                        .map(|w| format!("{w:.1}"))
                        .unwrap_or_default(),
                ]);
            }
            after = coverage(rows);
            rows.first().map_or(0, |r| r.n_items)
        }
        Rows::Choices(rows) => {
            let head = ["method", "accuracy %", "95 % interval", "confidence %"];
            table.push(head.map(str::to_owned).to_vec());
            for r in rows {
                table.push(vec![
                    r.method.name().to_owned(),
                    format!("{:.2}", 100.0 * r.accuracy),
                    interval(r.accuracy_interval, 100.0),
                    format!("{:.1}", 100.0 * r.confidence),
                ]);
            }
            rows.first().map_or(0, |r| r.n_items)
        }
    };
    let simulated = if study.simulated {
        ", SIMULATED annotators"
    } else {
        ""
    };
    format!(
        "{}: methods compared on {n} items with known answers{simulated}\n{}{after}",
        asked.name,
        super::table(&table)
    )
}

/// How often intervals of four levels held the truth, and how wide they are.
fn coverage(rows: &[NumberRow]) -> String {
    let Some(first) = rows.iter().find(|r| !r.coverage_table.is_empty()) else {
        return String::new();
    };
    let percent = |x: f64| format!("{:.0}", 100.0 * x);
    let mut table = vec![vec!["method".to_owned()]];
    for c in &first.coverage_table {
        table[0].extend([
            format!("{} %", percent(c.nominal)),
            "95 % interval".to_owned(),
            "width".to_owned(),
        ]);
    }
    for r in rows {
        let mut cells = vec![r.method.name().to_owned()];
        for c in &r.coverage_table {
            let ends = (percent(c.interval.low), percent(c.interval.high));
            cells.extend([
                percent(c.covered),
                format!("{}–{}", ends.0, ends.1),
                format!("{:.1}", c.width),
            ]);
        }
        table.push(cells);
    }
    format!(
        "\nshare of intervals that held the truth, per cent, by level, and their mean width\n{}",
        super::table(&table)
    )
}

fn write_csv(path: &std::path::Path, rows: &[Value]) -> Result<()> {
    let mut columns: Vec<&String> = Vec::new();
    for row in rows.iter().filter_map(Value::as_object) {
        for key in row
            .keys()
            .filter(|k| *k != "convergence" && *k != "coverage_table")
        {
            if !columns.contains(&key) {
                columns.push(key);
            }
        }
    }
    if columns.is_empty() {
        return problem("nothing to write").file(path).fail();
    }
    write_atomically(path, |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record(&columns)?;
        for row in rows {
            csv.write_record(columns.iter().map(|c| match &row[c.as_str()] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }))?;
        }
        csv.flush()
    })
}
