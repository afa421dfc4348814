//! `veche curves`: people against networks by the true answer.

use super::{
    input::{MethodArgs, PolicyArgs, RuleArgs, VotesArgs},
    network::{NetworkArgs, Said, photos_named, photos_of_campaign},
};
use crate::{
    Result,
    config::Project,
    curves::{Field, Findings, Wanted, age_like, find, pictures, tables, words},
    files::{
        Skipped, Table,
        guesses::{GuessColumns, Guesses},
        predictions::{PredictionColumns, read_predictions},
        replace_dir_atomically, write_atomically,
    },
    labels::Counting,
    problem,
    provenance::{Input, Provenance},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use veche_analysis::{
    aggregation::NumberMethod,
    curves::{ADIENCE, ClassScheme, CurveSettings, FAIRFACE, OverlapSettings},
};
use veche_pools::Scale;

/// Mean error, bias and spread by the true answer: people beside networks, and who is better where
///
/// VOTES is a campaign, a table of votes, a table of mean guesses (item, truth, guess[, sd]), or a table of known answers only.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche curves faces --question age --predictions MiVOLO=predictions.csv --out curves\n  \
    veche curves labels.csv --predictions net=net.csv --edges 0,3,10,18,30,40,50,60,70,80 --by sex --out curves\n  \
    veche curves truth.csv --predictions whole=a.csv --predictions \"face hidden=b.csv\" --out hidden\n  \
    veche curves labels.csv --pictures photos --whole wide --out curves\n  \
    veche curves votes.csv --by overlap --methods mean,exp-mae --out overlap"
)]
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
    networks: NetworkArgs,
    /// Run no network where none is named
    #[arg(long, conflicts_with = "network")]
    no_network: bool,
    /// Also by sex, or error against votes per item
    #[arg(long, value_enum, value_delimiter = ',')]
    by: Vec<By>,
    /// Where ranges of the true answer start, the last one open [default: even ranges]
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NUMBERS",
        allow_hyphen_values = true
    )]
    edges: Option<Vec<f64>>,
    /// Width of even ranges [default: 5 for years, else what gives about twenty]
    #[arg(long, value_name = "WIDTH", conflicts_with = "edges")]
    range: Option<f64>,
    /// Smooth the pictures with a kernel of this bandwidth, or of one by the rule of thumb
    #[arg(long, value_name = "BANDWIDTH", num_args = 0..=1)]
    smooth: Option<Option<f64>>,
    /// Method of the label; the campaign's by default, else exp-mae
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// Methods compared by --by overlap [default: mean, median, exp-mae and that of the label]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    methods: Vec<String>,
    /// Largest number of votes tried by --by overlap [default: what nine in ten items have, at most 20]
    #[arg(long, value_name = "VOTES")]
    max_overlap: Option<u32>,
    /// How often votes are drawn by --by overlap
    #[arg(long, default_value_t = 10)]
    draws: usize,
    /// Accuracy in the age classes of these benchmarks [default: both, if answers are ages]
    #[arg(long, value_enum, value_delimiter = ',')]
    classes: Option<Vec<Classes>>,
    /// CS@k: share of answers within this many units of the truth
    #[arg(long, default_value_t = 5.0, value_name = "K")]
    within: f64,
    /// Ranges with fewer items are pale, and nobody wins there
    #[arg(long, default_value_t = 10, value_name = "ITEMS")]
    min_items: usize,
    /// Level of all intervals, and of who is better where
    #[arg(long, default_value_t = 0.95, value_name = "LEVEL")]
    confidence: f64,
    /// Bootstrap resamples of the items
    #[arg(long, default_value_t = 1000)]
    resamples: usize,
    /// Seed of all chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Column with the mean guess
    #[arg(long, value_name = "COLUMN")]
    guess_column: Option<String>,
    /// Column with the standard deviation of the guesses
    #[arg(long, value_name = "COLUMN")]
    sd_column: Option<String>,
    /// Column with the known sex
    #[arg(long, value_name = "COLUMN")]
    sex_column: Option<String>,
    /// Column with the prediction
    #[arg(long, value_name = "COLUMN")]
    prediction_column: Option<String>,
    /// Split predictions by what the network saw (columns face_used, body_used)
    #[arg(long)]
    split_inputs: bool,
    /// What the number is, for titles: age
    #[arg(long, value_name = "NAME")]
    quantity: Option<String>,
    /// Its unit, for titles: years
    #[arg(long)]
    unit: Option<String>,
    /// Folder for pictures (SVG), tables (CSV and Parquet) and text
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
}

/// What else is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// Women and men apart
    Sex,
    /// Error against votes per item
    Overlap,
}

/// Benchmarks with age classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Classes {
    /// Eight classes, gaps closed
    Adience,
    /// Nine classes
    Fairface,
}

impl From<Classes> for ClassScheme {
    fn from(classes: Classes) -> Self {
        match classes {
            Classes::Adience => ADIENCE,
            Classes::Fairface => FAIRFACE,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let (field, inputs) = read(args)?;
    let curve = CurveSettings {
        level: args.confidence,
        resamples: args.resamples,
        seed: args.seed,
        thin: args.min_items,
    };
    let methods = args
        .methods
        .iter()
        .map(|m| Ok(NumberMethod::from_name(m)?))
        .collect::<Result<_>>()?;
    let wanted = Wanted {
        edges: args.edges.clone(),
        width: args.range,
        smooth: args.smooth,
        by_sex: args.by.contains(&By::Sex),
        within: args.within,
        curve,
        classes: args
            .classes
            .as_ref()
            .map(|c| c.iter().map(|&c| c.into()).collect()),
        overlap: args.by.contains(&By::Overlap).then(|| {
            let settings = OverlapSettings {
                most: args.max_overlap,
                draws: args.draws,
                curve,
                ..OverlapSettings::default()
            };
            (settings, methods)
        }),
    };
    let found = find(&field, &wanted)?;
    let sentences = words(&field, &found);
    if let Some(out) = &args.out {
        write(out, args, (&field, &found), &sentences, &inputs)?;
    }
    if args.json {
        return super::print_json(&as_json(&field, &found, &sentences));
    }
    super::print(&format!("{}\n", sentences.join("\n")));
    if let Some(out) = &args.out {
        super::note(&format!("wrote {}", out.display()));
    }
    Ok(())
}

/// All sides on the same items, and what a network was asked with that was run for it.
fn read(args: &Args) -> Result<(Field, Vec<Input>)> {
    let mut skipped = Skipped::if_asked(args.input.skip_bad_rows);
    let columns = GuessColumns {
        item: args.input.item_column.clone(),
        truth: args.input.truth_column.clone(),
        guess: args.guess_column.clone(),
        sd: args.sd_column.clone(),
        sex: args.sex_column.clone(),
    };
    let mut project = None;
    let mut field = if is_votes(args)? {
        let study = args.input.open()?;
        project.clone_from(&study.project);
        let question = number_question(args, &study)?;
        super::input::need_truth(&study, question)?;
        let verdicts = args
            .rules
            .verdicts(&study, args.input.question.as_deref())?;
        let counting = Counting {
            policy: args.policy.policy(&study),
            verdicts: &verdicts,
        };
        let settings = args.settings.settings(&study)?;
        Field::of_study(
            &study,
            question,
            args.method.as_deref(),
            settings,
            counting,
            args.seed,
        )?
    } else {
        let path = &args.input.votes;
        let needed = args.input.truth.is_none();
        let guesses = Guesses::read(path, &columns, needed, &mut skipped)?;
        Field::of_guesses(&guesses, path)
    };
    if let Some(path) = &args.input.truth {
        let known = Guesses::read(path, &columns, false, &mut skipped)?;
        field.add_known(&known);
        if !field.sources.contains(path) {
            field.sources.push(path.clone());
        }
    }
    if let Some(quantity) = &args.quantity {
        field.quantity.clone_from(quantity);
    } else if field.quantity == crate::files::votes::ONLY_QUESTION {
        field.quantity = "answer".into();
    }
    if let Some(unit) = &args.unit {
        field.unit.clone_from(unit);
    }
    let columns = PredictionColumns {
        item: None,
        number: args.prediction_column.clone(),
    };
    let tables = args.networks.tables(project.as_ref())?;
    for (name, path) in &tables {
        let predictions = read_predictions(path, &columns, &field.quantity, &mut skipped)?;
        field.add_predictions(name, &predictions, args.split_inputs)?;
    }
    let mut inputs = Vec::new();
    if let Some(said) = said_now(args, &field, project.as_ref(), tables.is_empty())? {
        field.add_predictions(&said.name, &said.predictions(), args.split_inputs)?;
        inputs = said.inputs;
    }
    Field::say_skipped(&skipped);
    if field.sides.is_empty() {
        return problem("there is no side to judge: the table has neither votes nor guesses")
            .file(&args.input.votes)
            .hint("add --predictions NAME=FILE; a mean guess stands in a column `guess`, or name it with --guess-column")
            .fail();
    }
    Ok((field, inputs))
}

/// What a network says of the items whose answer is known: the one asked for; the built-in one where no other is named, answers are ages and
/// the pictures are at hand.
fn said_now(
    args: &Args,
    field: &Field,
    project: Option<&Project>,
    none_named: bool,
) -> Result<Option<Said>> {
    let asked = args.networks.network.is_some();
    let usual = none_named && !args.no_network && age_like(&field.quantity);
    if !asked && !usual {
        return Ok(None);
    }
    let known: BTreeSet<&str> = field
        .items
        .iter()
        .zip(field.truth.iter().zip(&field.class))
        .filter(|(_, (truth, class))| truth.is_some() || class.is_some())
        .map(|(item, _)| item.as_str())
        .collect();
    let photos = match (project, &args.networks.pictures) {
        (_, Some(dir)) => Ok(photos_named(dir, known.iter().copied())),
        (Some(project), None) => photos_of_campaign(&project.dir),
        (None, None) if asked => problem("nothing says where the pictures of these items are")
            .hint("name their folder with --pictures")
            .fail(),
        (None, None) => return Ok(None),
    };
    let said = photos.and_then(|mut photos| {
        photos.retain(|p| p.people.iter().any(|p| known.contains(p.item.as_str())));
        if !asked {
            super::note(&format!(
                "no network is named: the built-in one looks at {} pictures (--no-network leaves it out)",
                photos.len()
            ));
        }
        args.networks.run(&photos)
    });
    match said {
        Ok(said) => Ok(Some(said)),
        Err(problem) if asked || args.networks.pictures.is_some() => Err(problem),
        // Nobody asked for it: curves of people are what was wanted.
        Err(problem) => {
            super::warn(&format!("the built-in network was left out: {problem}"));
            Ok(None)
        }
    }
}

/// Whether VOTES are single votes: a campaign, or a table that says who answered.
fn is_votes(args: &Args) -> Result<bool> {
    let path = &args.input.votes;
    if path.is_dir() || args.input.annotator_column.is_some() {
        return Ok(true);
    }
    if args.guess_column.is_some() {
        return Ok(false);
    }
    Ok(Guesses::has_annotators(&Table::read_skipping(
        path,
        &mut Skipped::lenient(),
    )?))
}

/// The question asked for, or the only one that is about a number.
fn number_question(args: &Args, study: &crate::study::Study) -> Result<usize> {
    let numbers: Vec<usize> = (0..study.questions.len())
        .filter(|&q| matches!(study.questions[q].scale, Scale::Number(_)))
        .collect();
    match (&args.input.question, &numbers[..]) {
        (None, [only]) => Ok(*only),
        (name, _) => study.question(name.as_deref()),
    }
}

/// Writes everything into a folder, all of it or nothing.
fn write(
    out: &Path,
    args: &Args,
    (field, found): (&Field, &Findings),
    sentences: &[String],
    inputs: &[Input],
) -> Result<()> {
    let mut origin = Provenance::new("veche curves", Some(args.seed));
    origin.simulated = field.simulated;
    for source in &field.sources {
        origin = origin.with_file(source)?;
    }
    origin.inputs.extend_from_slice(inputs);
    let drawn = pictures(field, found);
    let sheets = tables(field, found);
    replace_dir_atomically(out, "findings.txt", |dir| {
        for picture in &drawn {
            let svg = picture.svg(field.simulated);
            write_atomically(dir.join(&picture.file), |w| w.write_all(svg.as_bytes()))?;
        }
        for sheet in &sheets {
            sheet.write(dir)?;
        }
        let text = format!("{}\n", sentences.join("\n"));
        fs::write(dir.join("findings.txt"), text)
            .map_err(|e| crate::Problem::io("write", dir.join("findings.txt"), &e))?;
        origin.write(&dir.join("provenance.json"))
    })
}

fn as_json(field: &Field, found: &Findings, sentences: &[String]) -> Value {
    let groups: Vec<Value> = found
        .groups
        .iter()
        .map(|group| {
            let sets: Vec<Value> = group
                .sets
                .iter()
                .map(|set| {
                    let sides: Vec<Value> = field
                        .sides
                        .iter()
                        .zip(set.summaries.iter().zip(&set.curves))
                        .map(|(side, (summary, curve))| json!({"side": side.name, "summary": summary, "curve": curve}))
                        .collect();
                    json!({"items_of": if set.common { "common" } else { "all" }, "sides": sides})
                })
                .collect();
            let contests: Vec<Value> = group
                .contests
                .iter()
                .map(|(a, b, c)| json!({"first": field.sides[*a].name, "second": field.sides[*b].name, "contest": c}))
                .collect();
            json!({"group": group.name, "sets": sets, "contests": contests})
        })
        .collect();
    let ranges: Vec<String> = found
        .ranges
        .iter()
        .flat_map(|r| (0..r.len()).map(|i| r.label(i, i)))
        .collect();
    let classes: Vec<Value> = found
        .classes
        .iter()
        .map(|row| {
            json!({"scheme": row.scheme.name, "side": row.side, "items_of": if row.common { "common" } else { "all" },
                "accuracy": row.accuracy})
        })
        .collect();
    let sexes: Vec<Value> = found
        .sexes
        .iter()
        .map(|row| json!({"side": field.sides[row.side].name, "points": row.points}))
        .collect();
    json!({
        "quantity": field.quantity, "unit": field.unit, "ranges": ranges, "groups": groups, "classes": classes, "sexes": sexes,
        "overlap": found.overlap, "sentences": sentences, "simulated": field.simulated,
    })
}
