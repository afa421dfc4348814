//! `veche benchmark`: choose, freeze, check, export and score on a balanced benchmark.
//!
//! One file although over 600 lines: the arguments of six subcommands are half of it, and their words belong beside what they do.

use crate::{
    Result,
    benchmark::{
        Cap, Freezing, LabelColumns, Labelled, Plan, PlanOptions, RangesAsked, copies,
        export::{LABEL_STUDIO_CONFIG, Layout, export},
        freeze,
        freeze::LabelError,
        plan, read_frozen, read_labelled, read_predictions, verify,
    },
    files::{
        Skipped, Table,
        datasets::{Dataset, DatasetOptions, read_dataset},
        manifest::TrueAge,
        write_atomically,
    },
    problem,
    provenance::Provenance,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use veche_analysis::benchmark::{Ranking, rank};

/// What to do.
#[derive(Debug, clap::Subcommand)]
#[allow(
    missing_docs,
    reason = "a variant without words has the help of its arguments"
)]
pub enum Command {
    Build(Box<Build>),
    Verify(Verify),
    Export(Export),
    Score(Score),
    Read(Read),
}

/// Choose as many labelled items as possible, men and women equal in every range of age, and freeze them
///
/// The choice is an exact optimum: no range has more than the cap, no photo gives more than it may, the number of items is the
/// largest possible, and among such choices the labels are the most certain. Shortages are printed and drawn, never filled.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche benchmark build labels.csv --pictures photos --out bench\n  \
    veche benchmark build fairface/labels.csv --ranges classes --out bench\n  \
    veche benchmark build labels.parquet --size 10000 --strata race --no-pictures --out bench\n  \
    veche benchmark build labels.csv --dry-run"
)]
pub struct Build {
    /// Labelled items: veche's labels, or any table with item, age and sex
    labels: PathBuf,
    /// Folder to write; an older benchmark there is replaced
    #[arg(long, required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// Only say what would be chosen and what is missing
    #[arg(long)]
    dry_run: bool,
    /// Years per range, or edges such as 0,3,10,20, or `fairface`, `adience`, or `classes` as the labels name them
    #[arg(long, value_name = "RANGES")]
    ranges: Option<RangesAsked>,
    /// Most women and most men per range, or `all`; by default what at least half of the ranges can have
    #[arg(long, value_name = "N", conflicts_with = "size")]
    per_cell: Option<String>,
    /// The largest even benchmark of at most so many items
    #[arg(long, value_name = "ITEMS")]
    size: Option<u64>,
    /// Most items of one photo
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    per_photo: u32,
    /// Balance inside each value of these columns too
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    strata: Vec<String>,
    /// Folder that paths of pictures start at; that of the table by default
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Write no pictures and no hashes of them
    #[arg(long, conflicts_with = "find_copies")]
    no_pictures: bool,
    /// Look at all candidates' pictures and keep only the most certain of several copies
    #[arg(long)]
    find_copies: bool,
    /// Table of known ages (item, truth), to say in the card how far labels are off
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Name of the benchmark; that of the folder by default
    #[arg(long)]
    name: Option<String>,
    /// Its edition
    #[arg(long, default_value = "1")]
    edition: String,
    /// Decides between equally certain items
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    columns: Columns,
    /// Leave out rows that cannot be read, and say how many
    #[arg(long)]
    skip_bad_rows: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Columns, where they are not found by their usual names")]
struct Columns {
    /// The item
    #[arg(long = "item", value_name = "COLUMN")]
    item: Option<String>,
    /// The age, a number or a class
    #[arg(long = "age", value_name = "COLUMN")]
    age: Option<String>,
    /// The sex
    #[arg(long = "sex", value_name = "COLUMN")]
    sex: Option<String>,
    /// How the file spells male and female: 0,1 in UTKFace
    #[arg(long, value_delimiter = ',', num_args = 2, value_name = "MALE,FEMALE")]
    sexes: Vec<String>,
    /// Width of the label's interval, or its standard error
    #[arg(long = "width", value_name = "COLUMN")]
    width: Option<String>,
    /// Path of the picture
    #[arg(long = "path", value_name = "COLUMN")]
    path: Option<String>,
    /// The photo that an item was cut from
    #[arg(long = "photo", value_name = "COLUMN")]
    photo: Option<String>,
    /// What copies of one picture have in common
    #[arg(long = "copies", value_name = "COLUMN")]
    copies: Option<String>,
    /// Licence
    #[arg(long = "licence", value_name = "COLUMN")]
    licence: Option<String>,
    /// Source
    #[arg(long = "source", value_name = "COLUMN")]
    source: Option<String>,
}

/// Check that a copy of a benchmark is the benchmark: names changed, missing and extra files
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veche benchmark verify bench")]
pub struct Verify {
    /// The benchmark's folder
    dir: PathBuf,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Write a benchmark in the layout of another program
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche benchmark export bench --to mivolo --out bench.csv\n  \
    veche benchmark export bench --to huggingface --out hub\n  veche benchmark export bench --to label-studio --no-truth --out tasks.json"
)]
pub struct Export {
    /// The benchmark's folder
    dir: PathBuf,
    /// The layout
    #[arg(long, visible_alias = "format")]
    to: Layout,
    /// File to write; for Hugging Face a folder
    #[arg(long)]
    out: PathBuf,
    /// Label Studio: leave the truth out, for people who are to label
    #[arg(long)]
    no_truth: bool,
}

/// Rank models on a benchmark: errors with intervals, and the paired difference of every two
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche benchmark score bench mivolo=mivolo.csv fairface=fairface.csv\n  \
    veche benchmark score bench *.csv --out scores.csv --json"
)]
pub struct Score {
    /// The benchmark's folder
    dir: PathBuf,
    /// Tables of predictions (item, age, sex), or Label Studio's JSON, each with a name before it or named by its file
    #[arg(required = true, value_name = "[NAME=]FILE")]
    predictions: Vec<String>,
    /// Resamples of the bootstrap
    #[arg(long, default_value_t = 2000)]
    resamples: usize,
    /// Level of the intervals
    #[arg(long, default_value_t = 0.95)]
    level: f64,
    /// Seed of the bootstrap
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave out rows that cannot be read, and say how many
    #[arg(long)]
    skip_bad_rows: bool,
    /// Write the scores as CSV
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Read the annotations of a public data set and write them as MiVOLO's CSV, which every command reads
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche benchmark read fairface FairFace --out fairface.csv\n  \
    veche benchmark read fairface fairface_label_val.csv --repair --out val.csv\n  \
    veche benchmark read utkface UTKFace --skip-bad-rows --out utkface.csv"
)]
pub struct Read {
    /// The data set
    dataset: Dataset,
    /// Its annotation file, or its folder
    path: PathBuf,
    /// File to write: CSV
    #[arg(long)]
    out: PathBuf,
    /// Read ages that a spreadsheet has turned into dates (9-Mar) as the classes they were (3-9)
    #[arg(long)]
    repair: bool,
    /// Adience: put ages that are no published class into the class in which MiVOLO's evaluation puts them
    #[arg(long)]
    standard_classes: bool,
    /// Leave out rows that cannot be read, and say how many
    #[arg(long)]
    skip_bad_rows: bool,
}

/// Runs the subcommand.
pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Build(args) => build(args),
        Command::Verify(args) => check(args),
        Command::Export(args) => write_layout(args),
        Command::Score(args) => score(args),
        Command::Read(args) => read(args),
    }
}

fn build(args: &Build) -> Result<()> {
    let cap = match (&args.per_cell, args.size) {
        (_, Some(items)) => Cap::ForSize(items),
        (None, None) => Cap::Even,
        (Some(all), None) if all == "all" => Cap::All,
        (Some(n), None) => match n.parse() {
            Ok(n) if n > 0 => Cap::At(n),
            _ => {
                return problem("--per-cell takes a number of at least 1, or all")
                    .value(n)
                    .fail();
            }
        },
    };
    let c = &args.columns;
    let columns = LabelColumns {
        item: c.item.clone(),
        age: c.age.clone(),
        sex: c.sex.clone(),
        sexes: <[String; 2]>::try_from(c.sexes.clone()).ok(),
        width: c.width.clone(),
        path: c.path.clone(),
        photo: c.photo.clone(),
        copies: c.copies.clone(),
        licence: c.licence.clone(),
        source: c.source.clone(),
        strata: args.strata.clone(),
    };
    let mut skipped = Skipped::if_asked(args.skip_bad_rows);
    let labelled = read_labelled(&args.labels, &columns, &mut skipped)?;
    if !skipped.is_empty() {
        super::warn(&skipped.to_string());
    }
    let is_class = |age: &TrueAge| matches!(age, TrueAge::Class { .. });
    let ranges = args.ranges.clone().unwrap_or_else(|| {
        let classes = labelled.candidates.iter().all(|c| is_class(&c.age));
        if classes {
            RangesAsked::Classes
        } else {
            RangesAsked::Years(5.0)
        }
    });
    let near = args
        .labels
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default();
    let pictures = args.pictures.clone().unwrap_or(near);
    let copies = if args.find_copies {
        copies::copies(&labelled, &pictures)?
    } else {
        Vec::new()
    };
    let options = PlanOptions {
        ranges,
        cap,
        per_photo: args.per_photo,
        seed: args.seed,
    };
    let plan = plan(&labelled, &copies, &options)?;
    if let (Some(out), false) = (&args.out, args.dry_run) {
        let mut provenance =
            Provenance::new("veche benchmark build", Some(args.seed)).with_file(&args.labels)?;
        provenance.simulated = is_simulated(&args.labels)?;
        if let Some(truth) = &args.truth {
            provenance = provenance.with_file(truth)?;
        }
        let folder = out
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let how = Freezing {
            name: args.name.as_deref().unwrap_or(&folder),
            edition: &args.edition,
            seed: args.seed,
            pictures: (!args.no_pictures).then_some(pictures.as_path()),
            per_photo: args.per_photo,
            label_error: args
                .truth
                .as_deref()
                .map(|t| label_error(&labelled, t))
                .transpose()?,
            copies_sought: args.find_copies || args.columns.copies.is_some(),
            provenance,
        };
        freeze::freeze(out, &labelled, &plan, &how)?;
        super::note(&format!("wrote {}", out.display()));
    }
    let short = plan.short().count();
    if args.json {
        return super::print_json(&json!({
            "items": plan.chosen.len(), "cap": plan.cap, "ranges_short": short, "ranges": plan.blocks, "candidates": labelled.candidates.len(),
            "without_age": labelled.without_age, "without_sex": labelled.without_sex, "outside_ranges": plan.outside, "copies": plan.copies,
            "shared_photos": plan.shared_photos, "mean_interval_width_years": plan.mean_width, "relaxations": plan.relaxations,
        }));
    }
    super::print(&shortages(&plan));
    let n = plan.chosen.len();
    super::note(&format!(
        "{n} items, {} women and {} men; at most {} of each per range; {short} of {} ranges fall short",
        n / 2,
        n / 2,
        plan.cap,
        plan.blocks.len()
    ));
    let left_out = [
        (labelled.without_age, "without an age"),
        (labelled.without_sex, "without a sex"),
        (plan.outside, "outside the ranges"),
        (plan.copies, "copies of a more certain item"),
    ];
    for (n, why) in left_out.iter().filter(|(n, _)| *n > 0) {
        super::note(&format!("left out: {n} {why}"));
    }
    Ok(())
}

fn is_simulated(labels: &Path) -> Result<bool> {
    let table = Table::read_skipping(labels, &mut Skipped::lenient())?;
    let Some(source) = table.find("source") else {
        return Ok(false);
    };
    Ok(table.rows().any(|row| row.get(source) == "simulated"))
}

fn shortages(plan: &Plan) -> String {
    let head = [
        "range",
        "women",
        "men",
        "chosen of each",
        "women missing",
        "men missing",
        "without a partner",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for b in &plan.blocks {
        let blank = |n: u32| if n == 0 { String::new() } else { n.to_string() };
        rows.push(vec![
            b.name(),
            b.women.to_string(),
            b.men.to_string(),
            b.chosen.to_string(),
            blank(b.women_missing),
            blank(b.men_missing),
            blank(b.unpaired),
        ]);
    }
    super::table(&rows)
}

/// Labels against a table of known ages, on the items that both have.
fn label_error(labelled: &Labelled, truth: &Path) -> Result<LabelError> {
    let table = Table::read(truth)?;
    let item = table.column_of(&["item", "id", "path", "file"])?;
    let value = table.column_of(&["truth", "age", "real_age", "true_age"])?;
    let mut known: BTreeMap<&str, f64> = BTreeMap::new();
    for row in table.rows() {
        if let Some(years) = row.float(value)? {
            known.insert(row.get(item).trim(), years);
        }
    }
    let error = |c: &crate::benchmark::labelled::Candidate| match c.age {
        TrueAge::Years(years) => known.get(labelled.item(c).as_str()).map(|t| years - t),
        TrueAge::Class { .. } => None,
    };
    let errors: Vec<f64> = labelled.candidates.iter().filter_map(error).collect();
    if errors.is_empty() {
        return problem("no labelled item has a known age in years")
            .file(truth)
            .hint("its column item holds the names of the labelled items, truth their ages")
            .fail();
    }
    let n = errors.len() as f64;
    Ok(LabelError {
        items: errors.len(),
        mae_years: errors.iter().map(|e| e.abs()).sum::<f64>() / n,
        bias_years: errors.iter().sum::<f64>() / n,
    })
}

fn check(args: &Verify) -> Result<()> {
    let faults = verify(&args.dir)?;
    if args.json && faults.is_empty() {
        return super::print_json(&faults);
    }
    if faults.is_empty() {
        super::note(&format!(
            "{} is the benchmark as it was frozen",
            args.dir.display()
        ));
        return Ok(());
    }
    let list: Vec<String> = faults
        .iter()
        .take(50)
        .map(|f| format!("\n    {f}"))
        .collect();
    let more = if faults.len() > 50 {
        format!("\n    and {} more", faults.len() - 50)
    } else {
        String::new()
    };
    problem(format!(
        "{} files are not as they were frozen:{}{more}",
        faults.len(),
        list.concat()
    ))
    .file(&args.dir)
    .hint("copy the benchmark again; results on this copy cannot be compared with others")
    .fail()
}

fn write_layout(args: &Export) -> Result<()> {
    let frozen = read_frozen(&args.dir)?;
    export(&frozen, args.to, &args.out, !args.no_truth)?;
    super::note(&format!(
        "wrote {} items to {}",
        frozen.items.len(),
        args.out.display()
    ));
    match args.to {
        Layout::Mivolo => super::note(&format!("its pictures lie in {}", args.dir.display())),
        Layout::LabelStudio => super::note(&format!("labelling page:\n{LABEL_STUDIO_CONFIG}")),
        _ => {}
    }
    Ok(())
}

fn score(args: &Score) -> Result<()> {
    let frozen = read_frozen(&args.dir)?;
    let known: Vec<_> = frozen
        .items
        .iter()
        .map(crate::benchmark::FrozenItem::known)
        .collect();
    let mut skipped = Skipped::if_asked(args.skip_bad_rows);
    let mut models = Vec::new();
    for given in &args.predictions {
        let (name, path) = match given.split_once('=') {
            Some((name, path)) if !Path::new(given).exists() => (name.to_owned(), path),
            _ => {
                let stem = Path::new(given).file_stem().unwrap_or_default();
                (stem.to_string_lossy().into_owned(), given.as_str())
            }
        };
        if models
            .iter()
            .any(|m: &veche_analysis::benchmark::ModelAnswers| m.name == name)
        {
            return problem("two models have the same name")
                .value(name)
                .hint("name them: a=one.csv b=two.csv")
                .fail();
        }
        let (answers, elsewhere) =
            read_predictions(Path::new(path), &name, &frozen.items, &mut skipped)?;
        if elsewhere > 0 {
            super::note(&format!(
                "{name}: {elsewhere} predictions are on no item of the benchmark"
            ));
        }
        models.push(answers);
    }
    if !skipped.is_empty() {
        super::warn(&skipped.to_string());
    }
    let ranking = rank(&known, &models, args.resamples, args.level, args.seed)?;
    if ranking.unanswered > 0 {
        super::warn(&format!(
            "{} of {} items have no answer of one model or another and count for none",
            ranking.unanswered,
            known.len()
        ));
    }
    let names: Vec<&str> = models.iter().map(|m| m.name.as_str()).collect();
    if let Some(out) = &args.out {
        write_scores(out, &names, &ranking)?;
    }
    if args.json {
        return super::print_json(&json!({"models": names, "ranking": ranking}));
    }
    super::print(&ranked(&names, &ranking));
    Ok(())
}

/// A value as its metric is written: years with two decimals, shares in per cent.
fn shown(name: &str, value: f64) -> String {
    if name == "mae" {
        format!("{value:.2}")
    } else {
        format!("{:.1} %", 100.0 * value)
    }
}

fn ranked(names: &[&str], ranking: &Ranking) -> String {
    let mut rows = vec![
        ["model", "measure", "value", "interval", "items"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for &m in &ranking.order {
        for score in &ranking.scores[m] {
            let of = |v| shown(score.metric.name(), v);
            let interval = score
                .interval
                .map(|i| format!("{} to {}", of(i.low), of(i.high)));
            rows.push(vec![
                names[m].to_owned(),
                score.metric.name().to_owned(),
                of(score.value),
                interval.unwrap_or_default(),
                score.items.to_string(),
            ]);
        }
    }
    let mut text = super::table(&rows);
    if names.len() > 1 {
        let mut rows = vec![
            ["pair", "measure", "difference", "interval", "better"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for d in &ranking.differences {
            let of = |v: f64| match shown(d.metric.name(), v) {
                text if v > 0.0 => format!("+{text}"),
                text => text,
            };
            let interval = d
                .interval
                .map(|i| format!("{} to {}", of(i.low), of(i.high)));
            rows.push(vec![
                format!("{} − {}", names[d.first], names[d.second]),
                d.metric.name().to_owned(),
                of(d.value),
                interval.unwrap_or_default(),
                d.winner().map_or("open", |w| names[w]).to_owned(),
            ]);
        }
        text += "\n";
        text += &super::table(&rows);
    }
    text
}

fn write_scores(out: &Path, names: &[&str], ranking: &Ranking) -> Result<()> {
    write_atomically(out, |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record([
            "model", "minus", "measure", "value", "low", "high", "items", "better",
        ])?;
        let number = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
        for &m in &ranking.order {
            for s in &ranking.scores[m] {
                let ends = [s.interval.map(|i| i.low), s.interval.map(|i| i.high)].map(number);
                let [low, high] = ends;
                let cells = [
                    names[m],
                    "",
                    s.metric.name(),
                    &s.value.to_string(),
                    &low,
                    &high,
                    &s.items.to_string(),
                    "",
                ];
                csv.write_record(cells)?;
            }
        }
        for d in &ranking.differences {
            let [low, high] = [d.interval.map(|i| i.low), d.interval.map(|i| i.high)].map(number);
            let better = d.winner().map_or("", |w| names[w]);
            let cells = [
                names[d.first],
                names[d.second],
                d.metric.name(),
                &d.value.to_string(),
                &low,
                &high,
                "",
                better,
            ];
            csv.write_record(cells)?;
        }
        csv.flush()
    })
}

fn read(args: &Read) -> Result<()> {
    let mut skipped = Skipped::if_asked(args.skip_bad_rows);
    let options = DatasetOptions {
        pictures: None,
        repair: args.repair,
        standard_classes: args.standard_classes,
    };
    let people = read_dataset(args.dataset, &args.path, &options, &mut skipped)?;
    if !skipped.is_empty() {
        super::warn(&skipped.to_string());
    }
    crate::files::datasets::write_people(&args.out, &people)?;
    let rows = &people.manifest.rows;
    super::note(&format!(
        "{} people, {} with an age, {} with a sex; their pictures start at {}",
        rows.len(),
        rows.iter().filter(|r| r.age.is_some()).count(),
        rows.iter().filter(|r| r.sex.is_some()).count(),
        people.manifest.pictures.display()
    ));
    if people.repaired > 0 {
        super::note(&format!(
            "{} ages that a spreadsheet had made dates were read as their classes",
            people.repaired
        ));
    }
    Ok(())
}
