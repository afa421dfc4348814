//! `veche audit`: what the votes say about those who gave them.
//!
//! Over 600 lines because every audit's arguments stand here with their words; what audits find lies in `crate::audit`.

use super::input::{RuleArgs, VotesArgs, need_truth};
use crate::{
    Problem, Result,
    audit::{self, About, Audit, Audited, LabelsOf, Poll, Subject},
    files::{
        Skipped, Table,
        predictions::{PredictionColumns, read_predictions},
        replace_dir_atomically, write_atomically,
    },
    labels::{self, Counting, Labels, Method},
    problem,
    provenance::Provenance,
    study::Study,
};
use serde_json::json;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use veche_analysis::{
    audit::{CollusionSettings, DriftSettings, RelationSettings, Resampling},
    benchmark::{Lds, Reweighting},
};
use veche_pools::Scale;

/// What to look at.
#[derive(Debug, clap::Subcommand)]
#[allow(
    missing_docs,
    reason = "a variant without words has the help of its arguments"
)]
pub enum Command {
    Annotators(Annotators),
    Controls(Controls),
    Drift(Drift),
    ByAge(ByAge),
    SelfKnowledge(SelfKnowledge),
    Collusion(Collusion),
    Speed(Speed),
    Leak(Leak),
    Balance(Balance),
    Imbalance(Imbalance),
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
    #[command(flatten)]
    output: Output,
}

/// Where results go.
#[derive(Debug, clap::Args)]
pub struct Output {
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

/// Chance, for audits that draw.
#[derive(Debug, clap::Args)]
pub struct Chance {
    /// Bootstrap resamples
    #[arg(long, default_value_t = 1000)]
    resamples: usize,
    /// Seed of all chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The hardest controls with photo, truth and answers; labels that are probably wrong told from photos that are hard
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche audit controls faces --question age --predictions MiVOLO.csv --out controls\n  \
    veche audit controls votes.csv --truth truth.csv --pictures photos --out controls"
)]
pub struct Controls {
    #[command(flatten)]
    common: Common,
    /// What a network says of the controls: item,age,sex (veche predict writes it)
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Column with the prediction
    #[arg(long, value_name = "COLUMN", requires = "predictions")]
    prediction_column: Option<String>,
    /// Share of labels that are wrong, before anything is seen
    #[arg(long, default_value_t = 0.01, value_name = "SHARE")]
    prior: f64,
    /// Controls with fewer answers are not judged
    #[arg(long, default_value_t = 3, value_name = "ANSWERS")]
    min_answers: usize,
    /// How many controls are pictured
    #[arg(long, default_value_t = 12, value_name = "CONTROLS")]
    show: usize,
    /// Folder with the photos, for a table of votes whose items are paths
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
}

/// Error and near answers against the annotator's own age, with a test for no relation
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche audit by-age faces --question age --out by-age        # ages our server asked for\n  \
    veche audit by-age votes.csv --ages ages.csv --out by-age   # annotator,age or annotator,band or annotator,pool"
)]
pub struct ByAge {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    chance: Chance,
    /// Table annotator,age (or band, pool, birth_year) [default: annotators.csv of the campaign]
    #[arg(long, value_name = "FILE")]
    ages: Option<PathBuf>,
    /// An answer within this many units of the truth is near
    #[arg(long, default_value_t = 6.0, value_name = "K")]
    within: f64,
    /// Annotators with fewer judged answers are left out
    #[arg(long, default_value_t = 5, value_name = "ANSWERS")]
    min_answers: usize,
    /// Places where fewer annotators speak are grey
    #[arg(long, default_value_t = 10.0, value_name = "ANNOTATORS")]
    thin: f64,
    /// Share of the annotators in each neighbourhood of the curve
    #[arg(long, default_value_t = 2.0 / 3.0, value_name = "SHARE")]
    span: f64,
    /// A rank correlation within ± this is as good as none
    #[arg(long, default_value_t = 0.2, value_name = "RHO")]
    negligible: f64,
}

/// The error people expect of themselves against the one they have
///
/// VOTES may also be a poll of one question: expected error,votes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche audit self-knowledge faces --question age --out self\n  \
    veche audit self-knowledge votes.csv --expected expected.csv\n  \
    veche audit self-knowledge poll.csv --real 7.22 --unit years --out self"
)]
pub struct SelfKnowledge {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    chance: Chance,
    /// Table annotator,expected_error [default: annotators.csv of the campaign]
    #[arg(long, value_name = "FILE")]
    expected: Option<PathBuf>,
    /// Annotators with fewer judged answers are left out
    #[arg(long, default_value_t = 5, value_name = "ANSWERS")]
    min_answers: usize,
    /// The error that was measured, to hold a poll against
    #[arg(long, value_name = "ERROR")]
    real: Option<f64>,
    /// Unit of a poll's errors
    #[arg(long, default_value = "")]
    unit: String,
}

/// Pairs of annotators who give the same answers more often than chance and habit explain
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche audit collusion faces --question age --out collusion\n  veche audit collusion votes.csv --json"
)]
pub struct Collusion {
    #[command(flatten)]
    common: Common,
    /// Pairs with fewer common items are not compared
    #[arg(long, default_value_t = 10, value_name = "ITEMS")]
    min_common: usize,
}

/// Seconds per task: who hurries, and whether haste costs accuracy, between annotators and within them
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche audit speed faces --question age --out speed\n  veche audit speed votes.csv --fast 2"
)]
pub struct Speed {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    chance: Chance,
    /// A task below this many seconds is fast [default: a quarter of the median]
    #[arg(long, value_name = "SECONDS")]
    fast: Option<f64>,
}

/// Could annotators have recognised controls? Second sights, famous faces, answers exactly right too often, controls that wear out
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche audit leak faces --question age --famous controls.csv --famous-column famous --out leak\n  \
    veche audit leak votes.csv --truth truth.csv      # rows of one annotator on one item again are second sights"
)]
pub struct Leak {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    chance: Chance,
    /// Table with the items and a column of yes and no: is the face famous?
    #[arg(long, value_name = "FILE")]
    famous: Option<PathBuf>,
    /// Its column
    #[arg(long, default_value = "famous", value_name = "COLUMN")]
    famous_column: String,
    /// Answers within so much of the truth are near [default: 0.4 of the median |error|]
    #[arg(long, value_name = "ERROR")]
    reach: Option<f64>,
}

/// Were controls used evenly, did they stand anywhere in a suite, and who was compared with whom?
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche audit balance faces --question age --out balance\n  veche audit balance votes.csv"
)]
pub struct Balance {
    #[command(flatten)]
    common: Common,
    /// Rows of the picture of who was compared with whom
    #[arg(long, default_value_t = 40, value_name = "ROWS")]
    rows: usize,
}

/// How uneven labels are, and what each item weighs in training (LDS, label distribution smoothing), written as a column
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche audit imbalance labels.csv --out imbalance        # any table with an item and a number\n  \
    veche audit imbalance faces --question age --out imbalance"
)]
pub struct Imbalance {
    /// Folder of a campaign, or a table of labels (item, age or estimate or label)
    labels: PathBuf,
    /// Which question of a campaign
    #[arg(long)]
    question: Option<String>,
    /// Column with the item
    #[arg(long, value_name = "COLUMN")]
    item_column: Option<String>,
    /// Column with the label
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,
    /// Leave bad rows out and count them, instead of stopping at the first
    #[arg(long)]
    skip_bad_rows: bool,
    /// Values that the smoothing kernel covers, an odd number
    #[arg(long, default_value_t = 5, value_name = "VALUES")]
    kernel: usize,
    /// Standard deviation of the kernel
    #[arg(long, default_value_t = 2.0, value_name = "SIGMA")]
    sigma: f64,
    /// Weigh by one over the count instead of its root
    #[arg(long)]
    inverse: bool,
    /// Labels above count as this
    #[arg(long, default_value_t = 120, value_name = "LABEL")]
    largest: u32,
    /// What the label is, for titles [default: the column's name]
    #[arg(long, value_name = "NAME")]
    quantity: Option<String>,
    /// Its unit, for titles
    #[arg(long, default_value = "")]
    unit: String,
    #[command(flatten)]
    output: Output,
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
                level: args.common.confidence,
                resamples: args.resamples,
                seed: args.seed,
            };
            let round = args.round;
            one(
                &args.common,
                |_| Ok(Audit::Annotators { round, resampling }),
                &[],
            )
        }
        Command::Controls(args) => {
            let mut settings = audit::Controls {
                prior: args.prior,
                min_answers: args.min_answers,
                shown: args.show,
                pictures: args.pictures.clone(),
                ..audit::Controls::default()
            };
            let columns = PredictionColumns {
                item: None,
                number: args.prediction_column.clone(),
            };
            let mut files: Vec<&Path> = Vec::new();
            files.extend(args.predictions.as_deref());
            let make = |study: &Study| {
                if let Some(path) = &args.predictions {
                    let question = study.question(args.common.input.question.as_deref())?;
                    let mut skipped = Skipped::if_asked(args.common.input.skip_bad_rows);
                    let name = &study.questions[question].name;
                    settings.predictions =
                        Some(read_predictions(path, &columns, name, &mut skipped)?);
                    say_skipped(&skipped);
                }
                Ok(Audit::Controls(settings))
            };
            one(&args.common, make, &files)
        }
        Command::Drift(args) => {
            let settings = DriftSettings {
                per: args.per,
                level: args.common.confidence,
                ..DriftSettings::default()
            };
            one(&args.common, |_| Ok(Audit::Drift(settings)), &[])
        }
        Command::ByAge(args) => {
            let relation = RelationSettings {
                negligible: args.negligible,
                ..relation(&args.common, &args.chance)
            };
            let make = |study: &Study| {
                Ok(Audit::ByAge(audit::ByAge {
                    people: people(study, args.ages.as_deref(), &args.common)?,
                    within: args.within,
                    min_answers: args.min_answers,
                    thin: args.thin,
                    span: args.span,
                    relation,
                }))
            };
            one(&args.common, make, args.ages.as_deref().as_slice())
        }
        Command::SelfKnowledge(args) => self_knowledge(args),
        Command::Collusion(args) => {
            let settings = CollusionSettings {
                level: args.common.confidence,
                least: args.min_common,
                ..CollusionSettings::default()
            };
            one(&args.common, |_| Ok(Audit::Collusion(settings)), &[])
        }
        Command::Speed(args) => {
            if args.fast.is_some_and(|s| !(s > 0.0 && s.is_finite())) {
                return problem("--fast must be a positive number of seconds").fail();
            }
            let settings = audit::Speed {
                fast: args.fast,
                relation: relation(&args.common, &args.chance),
            };
            one(&args.common, |_| Ok(Audit::Speed(settings)), &[])
        }
        Command::Leak(args) => {
            let make = |study: &Study| {
                let mut skipped = Skipped::if_asked(args.common.input.skip_bad_rows);
                let famous = match &args.famous {
                    Some(path) => {
                        audit::read_famous(path, &args.famous_column, study, &mut skipped)?
                    }
                    None => Vec::new(),
                };
                say_skipped(&skipped);
                Ok(Audit::Leak(audit::Leak {
                    famous,
                    reach: args.reach,
                    resampling: resampling(&args.common, &args.chance),
                }))
            };
            let study = args.common.input.open_with_second_sights()?;
            look(
                &study,
                &args.common,
                make,
                args.famous.as_deref().as_slice(),
            )
        }
        Command::Balance(args) => {
            let settings = audit::Balance { rows: args.rows };
            one(&args.common, |_| Ok(Audit::Balance(settings)), &[])
        }
        Command::Imbalance(args) => imbalance(args),
    }
}

fn imbalance(args: &Imbalance) -> Result<()> {
    let settings = Lds {
        kernel: args.kernel,
        sigma: args.sigma,
        reweighting: if args.inverse {
            Reweighting::Inverse
        } else {
            Reweighting::SquareRoot
        },
        largest: args.largest,
    };
    let (mut of, origin) = if args.labels.is_dir() {
        labels_of_campaign(args)?
    } else {
        labels_of_table(args)?
    };
    if let Some(quantity) = &args.quantity {
        of.quantity.clone_from(quantity);
    }
    if !args.unit.is_empty() {
        of.unit.clone_from(&args.unit);
    }
    let found = audit::imbalance(&of, &settings)?;
    give("imbalance", &args.output, found, None, &origin)
}

/// The labels that a campaign's own method gives its real items.
fn labels_of_campaign(args: &Imbalance) -> Result<(LabelsOf, Provenance)> {
    let study = VotesArgs::campaign(&args.labels).open()?;
    let question = study.question(args.question.as_deref())?;
    let Scale::Number(scale) = &study.questions[question].scale else {
        return problem("labels of a choice are counted, not smoothed: LDS is for numbers")
            .column(&study.questions[question].name)
            .fail();
    };
    let verdicts = study.judge(study.rules())?;
    let counting = Counting {
        policy: study.policy(),
        verdicts: &verdicts,
    };
    let method = Method::of(&study, question, None, labels::settings(&study))?;
    let mut of = LabelsOf {
        quantity: study.questions[question].name.clone(),
        unit: scale.unit.clone(),
        ..LabelsOf::default()
    };
    if let Labels::Numbers(result) = labels::labels(&study, question, method, counting)? {
        for (item, estimate) in result.estimates.iter().enumerate() {
            if study.is_control(item) {
                continue;
            }
            match estimate {
                Some(e) => {
                    of.items.push(study.items[item].clone());
                    of.labels.push(e.value.max(0.0));
                }
                None => of.without += 1,
            }
        }
    }
    Ok((of, study.provenance("veche audit imbalance")?))
}

fn labels_of_table(args: &Imbalance) -> Result<(LabelsOf, Provenance)> {
    let mut skipped = Skipped::if_asked(args.skip_bad_rows);
    let columns = PredictionColumns {
        item: args.item_column.clone(),
        number: args.label_column.clone(),
    };
    let read = read_predictions(&args.labels, &columns, "age", &mut skipped)?;
    say_skipped(&skipped);
    let mut of = LabelsOf {
        quantity: args.label_column.clone().unwrap_or_else(|| "label".into()),
        ..LabelsOf::default()
    };
    for (item, row) in read.items.iter().zip(&read.rows) {
        match row.number {
            Some(label) if label < 0.0 => {
                return problem("a label is negative: LDS counts labels from 0")
                    .file(&args.labels)
                    .row(row.row)
                    .value(label.to_string())
                    .fail();
            }
            Some(label) => {
                of.items.push(item.to_owned());
                of.labels.push(label);
            }
            None => of.without += 1,
        }
    }
    let origin = Provenance::new("veche audit imbalance", None).with_file(&args.labels)?;
    Ok((of, origin))
}

fn resampling(common: &Common, chance: &Chance) -> Resampling {
    Resampling {
        level: common.confidence,
        resamples: chance.resamples,
        seed: chance.seed,
    }
}

fn relation(common: &Common, chance: &Chance) -> RelationSettings {
    RelationSettings {
        level: common.confidence,
        resamples: chance.resamples,
        seed: chance.seed,
        ..RelationSettings::default()
    }
}

fn say_skipped(skipped: &Skipped) {
    if !skipped.is_empty() {
        super::warn(&skipped.to_string());
    }
}

/// What annotators said of themselves: from the file, else from the campaign's folder, else nothing.
fn people(study: &Study, file: Option<&Path>, common: &Common) -> Result<Vec<About>> {
    let Some(path) = file else {
        return Ok(audit::own_people(study)?.unwrap_or_default());
    };
    let mut skipped = Skipped::if_asked(common.input.skip_bad_rows);
    let people = audit::read_people(path, study, &mut skipped)?;
    say_skipped(&skipped);
    Ok(people)
}

fn self_knowledge(args: &SelfKnowledge) -> Result<()> {
    let votes = &args.common.input.votes;
    if votes.is_file() && Poll::is_one(&Table::read_skipping(votes, &mut Skipped::lenient())?) {
        let mut skipped = Skipped::if_asked(args.common.input.skip_bad_rows);
        let answers = Poll::read(votes, &mut skipped)?;
        say_skipped(&skipped);
        let resampling = resampling(&args.common, &args.chance);
        let found = audit::poll(&answers, args.real, &args.unit, &resampling)?;
        let origin = Provenance::new("veche audit self-knowledge", Some(args.chance.seed))
            .with_file(votes)?;
        return give("self-knowledge", &args.common.output, found, None, &origin);
    }
    if args.real.is_some() {
        return problem(
            "--real belongs to a poll (expected error,votes): of votes the error is measured",
        )
        .file(votes)
        .fail();
    }
    let make = |study: &Study| {
        Ok(Audit::SelfKnowledge(audit::SelfKnowledge {
            people: people(study, args.expected.as_deref(), &args.common)?,
            min_answers: args.min_answers,
            relation: relation(&args.common, &args.chance),
        }))
    };
    one(&args.common, make, args.expected.as_deref().as_slice())
}

/// Reads, audits one question, writes and prints. `files` are read beside the votes.
fn one(common: &Common, make: impl FnOnce(&Study) -> Result<Audit>, files: &[&Path]) -> Result<()> {
    look(&common.input.open()?, common, make, files)
}

fn look(
    study: &Study,
    common: &Common,
    make: impl FnOnce(&Study) -> Result<Audit>,
    files: &[&Path],
) -> Result<()> {
    let question = study.question(common.input.question.as_deref())?;
    let audit = make(study)?;
    if audit.needs_truth() {
        need_truth(study, question)?;
    }
    let verdicts = common
        .rules
        .verdicts(study, common.input.question.as_deref())?;
    let found = audit.of(&Subject {
        study,
        question,
        verdicts: &verdicts,
    })?;
    let name = audit.name();
    let mut origin = study.provenance(&format!("veche audit {name}"))?;
    for file in files {
        origin = origin.with_file(file)?;
    }
    give(
        name,
        &common.output,
        found,
        Some(&study.questions[question].name),
        &origin,
    )
}

/// Writes and prints what was found.
fn give(
    name: &str,
    output: &Output,
    mut found: Audited,
    question: Option<&str>,
    origin: &Provenance,
) -> Result<()> {
    if origin.simulated {
        found
            .words
            .insert(0, "SIMULATED annotators: nobody looked at anything.".into());
    }
    if let Some(out) = &output.out {
        replace_dir_atomically(out, "findings.txt", |dir| {
            for picture in &found.pictures {
                let svg = picture.svg(origin.simulated);
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
    if output.json {
        return super::print_json(
            &json!({"audit": name, "question": question, "found": found.facts,
            "sentences": found.words, "simulated": origin.simulated}),
        );
    }
    super::print(&format!("{}\n", found.words.join("\n")));
    if let Some(out) = &output.out {
        super::note(&format!("wrote {}", out.display()));
    }
    Ok(())
}
