//! `veche model check`: a network against known ages and sexes.

use super::Runtime;
use crate::{
    Result,
    cmd::predict::{open, usual_batch, workers},
    files::{
        Manifest, ManifestOptions, Skipped,
        datasets::{Dataset, DatasetOptions, read_dataset},
        read_manifest,
    },
    model::{
        check::{Figure, RangeFigures, Settings, ViewFigures, check},
        predict::sight::Whole,
        published::{Published, published},
        spec::About,
    },
    problem,
};
use serde::Serialize;
use std::path::PathBuf;
use veche_analysis::curves::{ADIENCE, CurveSettings, FAIRFACE};

/// How far a model is off on people of known age and sex
///
/// Mean absolute error, share within five years, share of right sexes, all with intervals and by age: with face and body, with the face
/// only, with the body only, and beside somebody who always says the mean age. Boxes are cut and ages below 0 raised as in MiVOLO's evaluation.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche model check --model mivolo.onnx people.csv\n  \
    veche model check --model mivolo.onnx lagenda_test.csv --dataset lagenda --json\n  \
    veche model check labels.csv --whole face"
)]
pub struct Check {
    /// A table with path or img_name, age, gender or sex, and boxes; with --dataset what that data set is published as
    pub manifest: PathBuf,
    /// The ONNX file; without it the network that is built in
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Read a public data set in its own form, and show what was published about it
    #[arg(long, value_enum)]
    pub dataset: Option<Dataset>,
    /// Only these parts of the data set: val, fold_0
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "PARTS",
        requires = "dataset"
    )]
    pub parts: Vec<String>,
    /// What a picture without boxes is
    #[arg(long, value_enum)]
    pub whole: Option<Whole>,
    /// Folder that paths start at; the table's own by default
    #[arg(long, value_name = "DIR")]
    pub pictures: Option<PathBuf>,
    /// Column with the picture's path, or a template such as {id}_03.jpg
    #[arg(long, value_name = "COLUMN", conflicts_with = "dataset")]
    pub path: Option<String>,
    /// Column with the true age
    #[arg(long, value_name = "COLUMN", conflicts_with = "dataset")]
    pub age: Option<String>,
    /// Column with the true sex
    #[arg(long, value_name = "COLUMN", conflicts_with = "dataset")]
    pub sex: Option<String>,
    /// How the table spells male and female: 0,1
    #[arg(
        long,
        value_name = "MALE,FEMALE",
        value_delimiter = ',',
        conflicts_with = "dataset"
    )]
    pub sexes: Option<Vec<String>>,
    /// CS@k: share within this many years
    #[arg(long, default_value_t = 5.0, value_name = "YEARS")]
    pub within: f64,
    /// Level of intervals
    #[arg(long, default_value_t = 0.95, value_name = "LEVEL")]
    pub confidence: f64,
    /// Photos in one run of the network [default: 32, on an accelerator 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub batch: Option<u32>,
    /// Leave out rows that cannot be read
    #[arg(long)]
    pub skip_bad_rows: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub runtime: Runtime,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints. The figures of the first view stand above the others once more.
#[derive(Debug, Serialize)]
struct Checked<'a> {
    model: &'a About,
    manifest: &'a PathBuf,
    rows: usize,
    within_years: f64,
    confidence: f64,
    mae: Option<f64>,
    cs: Option<f64>,
    sex_accuracy: Option<f64>,
    views: &'a [ViewFigures],
    published: &'a [Published],
}

/// Runs the subcommand.
pub(super) fn run(args: &Check) -> Result<()> {
    if !(args.within.is_finite() && args.within >= 0.0) {
        return problem("--within is a number of years").fail();
    }
    let mut skipped = Skipped::if_asked(args.skip_bad_rows);
    let manifest = read(args, &mut skipped)?;
    if !skipped.is_empty() {
        crate::cmd::warn(&skipped.to_string());
    }
    let mut network = open(args.model.as_deref(), &args.runtime)?;
    let settings = Settings {
        whole: args.whole,
        batch: args.batch.unwrap_or_else(|| usual_batch(&args.runtime)) as usize,
        workers: workers(&args.runtime),
        within: args.within,
        curves: CurveSettings {
            level: args.confidence,
            ..CurveSettings::default()
        },
        scheme: match args.dataset {
            Some(Dataset::Fairface) => Some(FAIRFACE),
            Some(Dataset::Adience) => Some(ADIENCE),
            _ => None,
        },
    };
    settings.curves.check()?;
    let bar = crate::cmd::progress(manifest.by_picture().len() as u64, "photos");
    let views = check(&mut network, &manifest, &settings, || bar.inc(1))?;
    bar.finish_and_clear();
    let beside = args.dataset.map_or(&[][..], published);
    if args.json {
        let first = views.first();
        let value = |of: fn(&ViewFigures) -> Option<Figure>| first.and_then(of).map(|f| f.value);
        return crate::cmd::print_json(&Checked {
            model: network.about(),
            manifest: &args.manifest,
            rows: manifest.rows.len(),
            within_years: args.within,
            confidence: args.confidence,
            mae: value(|v| v.mae),
            cs: value(|v| v.within),
            sex_accuracy: value(|v| v.sex),
            views: &views,
            published: beside,
        });
    }
    crate::cmd::print(&words(args, network.about(), &views, beside));
    Ok(())
}

fn read(args: &Check, skipped: &mut Skipped) -> Result<Manifest> {
    if let Some(dataset) = args.dataset {
        let options = DatasetOptions {
            pictures: args.pictures.clone(),
            standard_classes: true,
            ..DatasetOptions::default()
        };
        let people = read_dataset(dataset, &args.manifest, &options, skipped)?;
        let mut manifest = people.manifest;
        if !args.parts.is_empty() {
            let mut part = people.parts.iter();
            let wanted = |part: Option<&String>| part.is_some_and(|p| args.parts.contains(p));
            manifest.rows.retain(|_| wanted(part.next()));
            if manifest.rows.is_empty() {
                let mut known = people.parts;
                known.sort();
                known.dedup();
                return problem("the data set has no such part")
                    .file(&args.manifest)
                    .value(args.parts.join(","))
                    .hint(format!("its parts are: {}", known.join(", ")))
                    .fail();
            }
        }
        return Ok(manifest);
    }
    let sexes = match args.sexes.as_deref() {
        None => None,
        Some([male, female]) => Some([male.clone(), female.clone()]),
        Some(_) => {
            return problem("--sexes takes two spellings")
                .hint("male first: --sexes 0,1")
                .fail();
        }
    };
    let options = ManifestOptions {
        path: args.path.clone(),
        age: args.age.clone(),
        sex: args.sex.clone(),
        sexes,
        pictures: args.pictures.clone(),
        ..ManifestOptions::default()
    };
    read_manifest(&args.manifest, &options, skipped)
}

fn years(figure: Option<Figure>) -> String {
    shown(figure, |v| format!("{v:.2}"))
}

fn percent(figure: Option<Figure>) -> String {
    shown(figure, |v| format!("{:.1} %", 100.0 * v))
}

fn shown(figure: Option<Figure>, number: impl Fn(f64) -> String) -> String {
    let Some(figure) = figure else {
        return String::new();
    };
    match figure.interval {
        Some(i) => format!(
            "{} ({} to {})",
            number(figure.value),
            number(i.low).trim_end_matches(" %"),
            number(i.high).trim_end_matches(" %")
        ),
        None => number(figure.value),
    }
}

fn words(args: &Check, about: &About, views: &[ViewFigures], beside: &[Published]) -> String {
    let mut text = format!("{} by {}\n", about.variant, about.backend);
    let has_class = views.iter().any(|v| v.age_class.is_some());
    let mut head = vec![
        "shown".to_owned(),
        "people".to_owned(),
        "MAE, years".to_owned(),
        format!("within {} years", args.within),
        "mean guesser".to_owned(),
        "sex right".to_owned(),
    ];
    if has_class {
        head.push("age class right".to_owned());
    }
    let mut rows = vec![head];
    for view in views {
        let mut row = vec![
            view.view.name().to_owned(),
            view.people.to_string(),
            years(view.mae),
            percent(view.within),
            view.guesser_mae
                .map_or_else(String::new, |g| format!("{:.2}", g.value)),
            percent(view.sex),
        ];
        if has_class {
            row.push(percent(view.age_class));
        }
        rows.push(row);
    }
    text += &crate::cmd::table(&rows);
    for published in beside {
        let part =
            |name: &str, value: Option<f64>, unit: &str| value.map(|v| format!("{name} {v}{unit}"));
        let parts = [
            part("MAE", published.mae, " years"),
            part("within 5 years", published.within_5, " %"),
            part("sex", published.sex, " %"),
            part("age class", published.age_class, " %"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        text += &format!(
            "published, {}: {} ({})\n",
            published.network,
            parts.join(", "),
            published.source
        );
    }
    for view in views {
        for (why, n) in &view.unseen {
            text += &format!("{}: {n} not shown: {}\n", view.view.name(), why.trim());
        }
        if view.by_age.is_empty() {
            continue;
        }
        text += &format!("\n{}, by age\n", view.view.name());
        let head = ["age", "people", "MAE, years", "bias", "sex right"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(view.by_age.iter().map(|r: &RangeFigures| {
            let people = r.mae.or(r.sex).map_or(0, |f| f.people);
            vec![
                r.range.clone(),
                people.to_string(),
                years(r.mae),
                years(r.bias),
                percent(r.sex),
            ]
        }));
        text += &crate::cmd::table(&rows);
    }
    text
}
