//! `veche model`: import checkpoints, look at a model, check it, run raw numbers through it.

mod check;

use crate::{
    Result,
    model::{
        Network, import, nano, npy,
        onnx::Storage,
        spec::{Backend, Provider, RuntimeOptions},
    },
    problem,
    provenance::Provenance,
};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What to do with a model.
#[derive(Debug, clap::Subcommand)]
#[allow(
    missing_docs,
    reason = "a variant without words has the help of its arguments"
)]
pub enum Command {
    Import(Import),
    Info(Info),
    Check(Box<check::Check>),
    Run(Run),
}

/// Make an ONNX file of a MiVOLO checkpoint, without Python
///
/// Reads .pth and .pth.tar (torch.save) and .safetensors with config.json beside it; nothing in them is executed. The file runs in ONNX
/// Runtime, OpenVINO and tract: it has constant sizes, an open batch, no Col2Im. Outputs: gender_logits (male, female), age (years).
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veche model import model_imdb_cross_person_4.22_99.46.pth.tar --out mivolo.onnx\n  \
    veche model import model.safetensors --out v2.onnx --fp16"
)]
pub struct Import {
    /// The checkpoint
    pub checkpoint: PathBuf,
    /// The ONNX file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Store large weights as 16-bit numbers: half the file, computed with as f32
    #[arg(long, conflicts_with = "int8")]
    pub fp16: bool,
    /// Store large weights as whole numbers of 8 bits: a quarter of the file, computed with as f32
    #[arg(long)]
    pub int8: bool,
    /// Youngest, oldest and middle age of the training, where the checkpoint does not say them
    #[arg(
        long,
        value_name = "MIN,MAX,MEAN",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub ages: Option<Vec<f64>>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// What a model takes, where it came from, who would compute it here; without a file, the card of the one that is built in
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veche model info mivolo.onnx\n  veche model info")]
pub struct Info {
    /// The ONNX file; without it the network that is built in, with its card: data, split, errors, licence
    pub model: Option<PathBuf>,
    /// Who computes
    #[command(flatten)]
    pub runtime: Runtime,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Run raw numbers through a model, to compare it with other implementations
///
/// The input is an array of float32 (photos, channels, rows, columns), already normalised. A .npy has one row per photo: the outputs side
/// by side (MiVOLO: male logit, female logit, age in years); a .npz has each output under its name.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veche model run mivolo.onnx input.npy --out output.npy")]
pub struct Run {
    /// The ONNX file
    pub model: PathBuf,
    /// The .npy file with the photos
    pub input: PathBuf,
    /// The .npy or .npz file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Photos at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub batch: u32,
    /// Who computes
    #[command(flatten)]
    pub runtime: Runtime,
}

/// Who computes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Runtime {
    /// What the inputs and outputs mean (TOML), for networks that veche did not import
    #[arg(long, value_name = "FILE")]
    pub description: Option<PathBuf>,
    /// Who computes
    #[arg(long, value_enum, default_value_t)]
    pub backend: Backend,
    /// On what ONNX Runtime computes
    #[arg(long, value_enum, default_value_t)]
    pub provider: Provider,
    /// Threads of the network; 0 for one per core
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
}

impl Runtime {
    /// Opens a model this way.
    ///
    /// # Errors
    /// As [`Network::open`].
    pub fn open(&self, model: &Path) -> Result<Network> {
        let options = RuntimeOptions {
            threads: self.threads,
            backend: self.backend,
            provider: self.provider,
        };
        Network::open(model, self.description.as_deref(), &options)
    }
}

/// Runs the subcommand.
pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Import(args) => import_checkpoint(args),
        Command::Info(args) => info(args),
        Command::Check(args) => check::run(args),
        Command::Run(args) => run_raw(args),
    }
}

fn import_checkpoint(args: &Import) -> Result<()> {
    let storage = match (args.fp16, args.int8) {
        (true, _) => Storage::F16,
        (_, true) => Storage::Int8,
        _ => Storage::F32,
    };
    let ages = match args.ages.as_deref() {
        None => None,
        Some(&[min, max, mean]) => Some([min, max, mean]),
        Some(other) => {
            return problem(format!("--ages takes three numbers, not {}", other.len()))
                .hint("the youngest, the oldest and the middle age: --ages 1,95,48")
                .fail();
        }
    };
    let made = import::import(&args.checkpoint, &args.out, storage, ages)?;
    let mut beside = args.out.clone().into_os_string();
    beside.push(".provenance.json");
    Provenance::new("model import", None)
        .with_file(&args.checkpoint)?
        .write(Path::new(&beside))?;
    for warning in &made.warnings {
        super::warn(warning);
    }
    if args.json {
        return super::print_json(&made);
    }
    let [min, max, mean] = made.ages;
    let mut rows = vec![
        ["variant".to_owned(), made.variant.clone()],
        ["read as".to_owned(), made.format.to_owned()],
    ];
    if let Some(from) = &made.weights_from {
        let others = match made.not_taken.is_empty() {
            true => String::new(),
            false => format!(" (not {})", made.not_taken.join(", ")),
        };
        rows.push(["weights".to_owned(), format!("{from}{others}")]);
    }
    rows.push([
        "tensors".to_owned(),
        format!("{}, {} parameters", made.tensors, made.parameters),
    ]);
    if made.skipped > 0 {
        rows.push([
            "left out".to_owned(),
            format!("{} tensors fds.*, used in training only", made.skipped),
        ]);
    }
    rows.push(["ages".to_owned(), format!("{min} to {max}, middle {mean}")]);
    rows.push([
        "written".to_owned(),
        format!(
            "{} ({:.1} MB, weights as {}, {} operators)",
            args.out.display(),
            made.bytes as f64 / 1e6,
            made.weights,
            made.nodes
        ),
    ]);
    print_pairs(&rows);
    Ok(())
}

/// What `veche model info` says.
#[derive(Debug, Serialize)]
struct Facts {
    #[serde(flatten)]
    about: crate::model::spec::About,
    blake3: String,
    size: u32,
    channels: usize,
    face: bool,
    body: bool,
    crop: crate::model::spec::Crop,
    outputs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<&'static str>,
}

fn info(args: &Info) -> Result<()> {
    let network = super::predict::open(args.model.as_deref(), &args.runtime)?;
    let spec = network.spec();
    let facts = Facts {
        about: network.about().clone(),
        blake3: match &args.model {
            Some(path) => import::hash(path)?,
            None => blake3::hash(nano::ONNX).to_hex().to_string(),
        },
        size: spec.size,
        channels: spec.channels(),
        face: spec.face,
        body: spec.body,
        crop: spec.crop,
        outputs: network.outputs().to_vec(),
        card: args.model.is_none().then_some(nano::CARD),
    };
    if args.json {
        return super::print_json(&facts);
    }
    let about = &facts.about;
    let sees = match (facts.face, facts.body) {
        (true, true) => "face and body",
        (true, false) => "face",
        (false, _) if facts.crop == crate::model::spec::Crop::Wide => {
            "the face and what is around it"
        }
        (false, _) => "body",
    };
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "not known".to_owned());
    let rows = [
        ["variant".to_owned(), about.variant.clone()],
        [
            "sees".to_owned(),
            format!(
                "{sees}, {0} × {0} pixels, {1} channels",
                facts.size, facts.channels
            ),
        ],
        ["outputs".to_owned(), facts.outputs.join(", ")],
        ["weights".to_owned(), known(&about.weights)],
        ["imported from".to_owned(), known(&about.source)],
        ["its blake3".to_owned(), known(&about.source_blake3)],
        ["blake3".to_owned(), facts.blake3.clone()],
        ["licence".to_owned(), known(&about.licence)],
        ["computed by".to_owned(), about.backend.clone()],
    ];
    print_pairs(&rows);
    if let Some(card) = facts.card {
        super::print(&format!("\n{card}"));
    }
    Ok(())
}

fn run_raw(args: &Run) -> Result<()> {
    let mut network = args.runtime.open(&args.model)?;
    let input = npy::read(&args.input)?;
    let spec = network.spec();
    let wanted = [spec.channels(), spec.size as usize, spec.size as usize];
    if input.shape.len() != 4 || input.shape[1..] != wanted {
        return problem(format!(
            "the numbers have the shape {:?}; the network takes any number of {} × {} × {}",
            input.shape, wanted[0], wanted[1], wanted[2]
        ))
        .file(&args.input)
        .hint("photos, channels, rows, columns; a single photo too")
        .fail();
    }
    let n = input.shape[0];
    let names = network.outputs().to_vec();
    let mut outputs: Vec<npy::Array> = Vec::new();
    let each = spec.pixels();
    let bar = super::progress(n as u64, "photos");
    for photos in input.values.chunks(each * args.batch as usize) {
        let count = photos.len() / each;
        for (i, output) in network.run_raw(photos, count)?.into_iter().enumerate() {
            match outputs.get_mut(i) {
                Some(before) => before.values.extend(output.values),
                None => outputs.push(npy::Array {
                    shape: output.shape,
                    values: output.values,
                }),
            }
        }
        bar.inc(count as u64);
    }
    bar.finish_and_clear();
    if outputs.is_empty() {
        return problem("there are no photos").file(&args.input).fail();
    }
    for output in &mut outputs {
        output.shape[0] = n;
    }
    let zipped = args.out.extension().is_some_and(|e| e == "npz");
    if zipped {
        let named: Vec<(&str, npy::Array)> =
            names.iter().map(String::as_str).zip(outputs).collect();
        npy::write_npz(&args.out, &named)?;
    } else {
        let widths: Vec<usize> = outputs.iter().map(|o| o.values.len() / n).collect();
        let width = widths.iter().sum();
        let mut values = Vec::with_capacity(n * width);
        for row in 0..n {
            for (output, &width) in outputs.iter().zip(&widths) {
                values.extend_from_slice(&output.values[row * width..][..width]);
            }
        }
        let shape = vec![n, width];
        npy::write(&args.out, &npy::Array { shape, values })?;
    }
    super::note(&format!(
        "{n} photos, {}: {}",
        names.join(", "),
        args.out.display()
    ));
    Ok(())
}

/// Two columns, the left one lined up.
fn print_pairs(rows: &[[String; 2]]) {
    let width = rows.iter().map(|r| r[0].chars().count()).max().unwrap_or(0);
    let lines: Vec<String> = rows
        .iter()
        .map(|[name, value]| format!("{name:<width$}  {value}\n"))
        .collect();
    super::print(&lines.concat());
}
