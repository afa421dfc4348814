//! `veche predict`: ages and sexes by a network, photo by photo.

use super::model::Runtime;
use crate::{
    Result,
    files::{ManifestOptions, Skipped},
    model::{
        Network,
        detector::{Detector, Thresholds},
        hide::Hide,
        masks::Masks,
        predict::{
            self, Settings,
            journal::{Journal, Judged, Prediction},
            output,
            people::{self, Photo, Shard},
            sight::Whole,
        },
        spec::{Provider, RuntimeOptions},
    },
    problem,
    provenance::{Input, Provenance},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Ages and sexes that a network says, one row per person: item, age, sex, sex_score, face_used, body_used, error
///
/// A photo that cannot be read is a row with its error. The same bytes come out for any number of threads and whatever stopped in
/// between: a run that was stopped goes on where it was. Shards, one after the other without their headers, are the whole.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche predict --items faces --whole face --out predictions.csv\n  \
    veche predict --model mivolo.onnx --items people.csv --out predictions.parquet\n  \
    veche predict --model mivolo.onnx --items photos --detector yolo.onnx --draw drawn --out predictions.csv\n  \
    veche predict --items people.csv --hide face --out face-hidden.csv\n  \
    veche predict --items people.csv --shard 2/8 --out part-2.csv"
)]
pub struct Args {
    /// The ONNX file; without it the small network that is built in (see `veche model info`)
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// A folder of pictures, a campaign's folder, or a table with path or img_name and boxes (face_x0 …, person_x0 …; −1 or empty: none)
    #[arg(long, value_name = "DIR|TABLE")]
    pub items: PathBuf,
    /// The .csv, .tsv or .parquet file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What a picture without boxes is
    #[arg(long, value_enum)]
    pub whole: Option<Whole>,
    /// Find people in pictures without boxes: a YOLOv8 or YOLO11 export with the classes person and face
    #[arg(long, value_name = "FILE", conflicts_with = "whole")]
    pub detector: Option<PathBuf>,
    /// Score above which the detector's box counts
    #[arg(long, default_value_t = Thresholds::default().score, value_name = "SCORE", requires = "detector")]
    pub score: f32,
    /// Overlap above which of two of the detector's boxes the worse goes
    #[arg(long, default_value_t = Thresholds::default().overlap, value_name = "IOU", requires = "detector")]
    pub overlap: f32,
    /// Keep faces or bodies from the network
    #[arg(long, value_enum)]
    pub hide: Option<Hide>,
    /// Folder with masks, ITEM.png or ITEM.json (run lengths): a body is cut out by its mask instead of its box
    #[arg(long, value_name = "DIR")]
    pub masks: Option<PathBuf>,
    /// Folder that paths in the table start at; the table's own by default
    #[arg(long, value_name = "DIR")]
    pub pictures: Option<PathBuf>,
    /// Column with the picture's path, or a template such as {id}_03.jpg
    #[arg(long, value_name = "COLUMN")]
    pub path: Option<String>,
    /// Column with each person's name
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
    /// Part i of n of the photos
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Forget what a stopped run has found
    #[arg(long)]
    pub restart: bool,
    /// Folder for pictures with boxes and answers painted on them
    #[arg(long, value_name = "DIR")]
    pub draw: Option<PathBuf>,
    /// Photos in one run of the network [default: 32, on an accelerator 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub batch: Option<u32>,
    /// Leave out rows of the table that cannot be read
    #[arg(long)]
    pub skip_bad_rows: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub runtime: Runtime,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    output::Format::of(&args.out)?;
    if !(args.score >= 0.0 && args.score < 1.0 && args.overlap > 0.0 && args.overlap <= 1.0) {
        return problem("--score lies from 0 to below 1, --overlap above 0 to 1").fail();
    }
    let mut network = open(args.model.as_deref(), &args.runtime)?;
    let options = ManifestOptions {
        path: args.path.clone(),
        id: args.id.clone(),
        pictures: args.pictures.clone(),
        truths: false,
        ..ManifestOptions::default()
    };
    let mut skipped = Skipped::if_asked(args.skip_bad_rows);
    let all = people::photos(&args.items, &options, &mut skipped)?;
    if !skipped.is_empty() {
        super::warn(&skipped.to_string());
    }
    check(args, &all)?;
    let photos = match args.shard {
        Some(shard) => shard.of(all),
        None => all,
    };
    let detector = match &args.detector {
        Some(path) => Some(Detector::open(
            path,
            thresholds(args),
            &options_of(&args.runtime),
        )?),
        None => None,
    };
    let (origin, key) = origin(args, &photos)?;
    let (mut journal, before) = Journal::open(&args.out, &key, args.restart)?;
    if !before.is_empty() {
        super::note(&format!(
            "{} of {} photos are done already: going on behind them",
            before.len(),
            photos.len()
        ));
    }
    let settings = settings(args);
    let mut found = Found::default();
    before.into_iter().for_each(|photo| found.add(photo));
    let (rest, began) = (&photos[found.photos..], Instant::now());
    let bar = super::progress(photos.len() as u64, "photos");
    bar.set_position(found.photos as u64);
    bar.reset_eta();
    predict::judge(&mut network, detector, rest, &settings, |photo| {
        journal.add(&photo)?;
        found.add(photo);
        bar.inc(1);
        Ok(())
    })?;
    bar.finish_and_clear();
    let seconds = began.elapsed();
    output::write(&args.out, &found.rows)?;
    write_origin(args, origin, &found)?;
    journal.remove()?;
    say(args, &found, rest.len(), seconds)
}

/// The network of `--model`, or the one that is built in.
///
/// # Errors
/// As [`Network::open`].
pub fn open(model: Option<&Path>, runtime: &Runtime) -> Result<Network> {
    match model {
        Some(path) => runtime.open(path),
        None if runtime.description.is_some() => {
            problem("--description belongs to a network from elsewhere")
                .hint("name it with --model")
                .fail()
        }
        None => Network::bundled(&options_of(runtime)),
    }
}

/// As the flags say.
pub fn options_of(runtime: &Runtime) -> RuntimeOptions {
    RuntimeOptions {
        threads: runtime.threads,
        backend: runtime.backend,
        provider: runtime.provider,
    }
}

/// Threads that read and crop: as many as the network has, or one per core.
pub fn workers(runtime: &Runtime) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    if runtime.threads > 0 {
        runtime.threads
    } else {
        cores()
    }
}

/// Photos in one run, where nothing is asked for. A processor takes them one by one all the same, on every core; at the end of a run cores wait
/// for the last of them, so that runs should not be short.
pub fn usual_batch(runtime: &Runtime) -> u32 {
    if runtime.provider == Provider::Cpu {
        32
    } else {
        64
    }
}

fn thresholds(args: &Args) -> Thresholds {
    Thresholds {
        score: args.score,
        overlap: args.overlap,
    }
}

fn settings(args: &Args) -> Settings {
    Settings {
        whole: args.whole,
        hide: args.hide,
        masks: args.masks.as_ref().map(Masks::new),
        batch: args.batch.unwrap_or_else(|| usual_batch(&args.runtime)) as usize,
        workers: workers(&args.runtime),
        draw: args.draw.clone(),
    }
}

/// What would be wrong with every row is said before the first.
fn check(args: &Args, photos: &[Photo]) -> Result<()> {
    if let Some(folder) = args.masks.as_ref().filter(|f| !f.is_dir()) {
        return problem("there is no such folder of masks")
            .file(folder)
            .fail();
    }
    let boxed = |photo: &Photo| {
        photo
            .people
            .iter()
            .any(|p| p.face.is_some() || p.body.is_some())
    };
    let finds = args.whole.is_some() || args.detector.is_some() || args.masks.is_some();
    if !finds && !photos.iter().any(boxed) {
        return problem("nothing says where people are in these pictures")
            .file(&args.items)
            .hint(
                "say what a whole picture is (--whole face, person or wide), give a --detector, or list boxes in a table (face_x0 …)",
            )
            .fail();
    }
    const LOOK: usize = 100;
    let first = &photos[..photos.len().min(LOOK)];
    if !first.is_empty() && first.iter().all(|p| !p.path.exists()) {
        return problem("the pictures are not there")
            .file(&args.items)
            .value(first[0].path.display().to_string())
            .hint("paths start at the table's folder: give another with --pictures")
            .fail();
    }
    Ok(())
}

/// Where the results come from, and what names this run among others.
fn origin(args: &Args, photos: &[Photo]) -> Result<(Provenance, String)> {
    let mut command = "veche predict".to_owned();
    let mut add = |flag: &str, value: Option<String>| {
        if let Some(value) = value {
            command += &format!(" --{flag} {value}");
        }
    };
    fn name(value: &impl clap::ValueEnum) -> String {
        value
            .to_possible_value()
            .map_or_else(String::new, |v| v.get_name().to_owned())
    }
    let shown = |path: &PathBuf| path.display().to_string();
    add("items", Some(shown(&args.items)));
    add("whole", args.whole.as_ref().map(name));
    add("hide", args.hide.as_ref().map(name));
    add("masks", args.masks.as_ref().map(shown));
    add("shard", args.shard.map(|s| format!("{}/{}", s.i, s.n)));
    if args.detector.is_some() {
        add("score", Some(args.score.to_string()));
        add("overlap", Some(args.overlap.to_string()));
    }
    let mut origin = Provenance::new(command, None);
    match &args.model {
        Some(path) => origin = origin.with_file(path)?,
        None => origin.inputs.push(Input {
            path: crate::model::nano::SOURCE.path().display().to_string(),
            blake3: blake3::hash(crate::model::nano::ONNX).to_hex().to_string(),
        }),
    }
    for path in [&args.runtime.description, &args.detector]
        .into_iter()
        .flatten()
    {
        origin = origin.with_file(path)?;
    }
    if args.items.is_file() {
        origin = origin.with_file(&args.items)?;
    }
    let mut hasher = blake3::Hasher::new();
    for photo in photos {
        hasher.update(format!("{photo:?}\n").as_bytes());
    }
    hasher.update(format!("{:?}", args.draw).as_bytes());
    let key = json!({"veche": origin, "photos": hasher.finalize().to_hex().to_string()});
    Ok((origin, key.to_string()))
}

/// What was found, of this run and those before it.
#[derive(Default)]
struct Found {
    photos: usize,
    rows: Vec<Prediction>,
    without_mask: u64,
    read: usize,
    hasher: blake3::Hasher,
}

impl Found {
    fn add(&mut self, photo: Judged) {
        self.photos += 1;
        self.without_mask += u64::from(photo.without_mask);
        if let Some(hash) = &photo.blake3 {
            self.read += 1;
            if let Some(first) = photo.people.first() {
                self.hasher.update(first.item.as_bytes());
            }
            self.hasher.update(hash.as_bytes());
        }
        self.rows.extend(photo.people);
    }

    /// Errors by what they say, numbers in them aside.
    fn errors(&self) -> BTreeMap<String, u64> {
        let mut errors = BTreeMap::new();
        for error in self.rows.iter().filter_map(|r| r.error.as_ref()) {
            let plain: String = error
                .chars()
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect();
            let entry: &mut (u64, String) = errors.entry(plain).or_insert((0, error.clone()));
            entry.0 += 1;
        }
        errors.into_values().map(|(n, what)| (what, n)).collect()
    }
}

fn write_origin(args: &Args, mut origin: Provenance, found: &Found) -> Result<()> {
    origin.inputs.push(Input {
        path: format!("pictures ({})", found.read),
        blake3: found.hasher.finalize().to_hex().to_string(),
    });
    let mut beside = args.out.clone().into_os_string();
    beside.push(".provenance.json");
    origin.write(Path::new(&beside))
}

fn say(args: &Args, found: &Found, photos: usize, took: Duration) -> Result<()> {
    let judged = found.rows.iter().filter(|r| r.error.is_none()).count();
    let errors = found.errors();
    let rate = photos as f64 / took.as_secs_f64().max(1e-9);
    if found.without_mask > 0 {
        super::warn(&format!(
            "{} people have no mask: their boxes were used",
            found.without_mask
        ));
    }
    if args.json {
        return super::print_json(&json!({
            "photos": found.photos, "people": found.rows.len(), "judged": judged, "without_mask": found.without_mask,
            "errors": errors, "seconds": took.as_secs_f64(), "photos_per_second": rate, "out": args.out,
        }));
    }
    super::note(&format!(
        "{judged} of {} people in {} photos judged, {rate:.1} photos/s: {}",
        found.rows.len(),
        found.photos,
        args.out.display()
    ));
    let mut most: Vec<(&String, &u64)> = errors.iter().collect();
    most.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    for (what, n) in most.iter().take(3) {
        super::note(&format!("  {n} without prediction: {what}"));
    }
    if judged == 0 && !found.rows.is_empty() {
        super::warn("nobody could be judged; the column error says why for each");
    }
    Ok(())
}
