//! `veche bench model`: mivolo_d1 by veche, by PyTorch and by ONNX Runtime with Col2Im, in turn on one machine.

use super::watch::{load, machine};
use crate::{
    Problem, Result,
    cmd::{note, print, print_json, table},
    model::{
        Network, import,
        npy::{self, Array},
        onnx::Storage,
        peak,
        spec::{Backend, RuntimeOptions},
        variant::Variant,
    },
    problem,
};
use rand::RngExt;
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio},
    time::Instant,
};
use veche_pools::random::stream;

/// Photos per second of mivolo_d1 (224, face and body, random weights), beside PyTorch and an ONNX file with Col2Im
///
/// Every program is a process of its own, all have the same weights, inputs and threads, and run in turn; outputs are compared, medians printed. With
/// --photos also the whole of `veche predict` (reading, cropping, writing) as a share of what the network alone does.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  benches/peers-network peers && veche bench model --peers peers\n  \
    veche bench model --photos faces --batches 8"
)]
pub struct Args {
    /// Photos in one run
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 32])]
    batches: Vec<usize>,
    /// Times every program runs each batch: so many rounds of at least eight photos
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// Threads of every program; 0 for one per core
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// The folder made by `benches/peers-network`; without it only veche runs
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Only these of the other programs
    #[arg(long, value_delimiter = ',', default_value = "pytorch,col2im")]
    programs: Vec<String>,
    /// Folder of photos for the whole of `veche predict`
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Folder for weights and models; a temporary one by default
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// A process that answers the lines of `benches/network.py`.
#[derive(Debug, clap::Args)]
pub struct Once {
    model: PathBuf,
    input: PathBuf,
    threads: usize,
}

const SEED: u64 = 1;
/// Ages of the random network, as MiVOLO's.
const AGES: [f32; 3] = [1.0, 95.0, 48.0];

/// The network that is measured.
fn d1() -> Variant {
    Variant {
        size: 224,
        two_inputs: true,
        stem: 64,
        layers: vec![4, 4, 8, 2],
        narrow: 192,
        wide: 384,
        narrow_heads: 6,
        wide_heads: 12,
        narrow_hidden: 576,
        wide_hidden: 1152,
        class_blocks: 2,
        outputs: 3,
    }
}

/// Writes random weights of a variant under the published names: norms near one, all others by the width of what they sum.
fn write_weights(variant: &Variant, path: &Path) -> Result<()> {
    let shapes = variant.expected();
    let mut all: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, shape) in shapes {
        let mut dice = stream(SEED, &name);
        let is_norm = shape.len() == 1 || name.contains(".norm.");
        let spread = match name.as_str() {
            _ if is_norm => 0.2,
            "pos_embed" | "cls_token" => 0.5,
            _ => (3.0 / shape[1..].iter().product::<usize>() as f32).sqrt(),
        };
        let is_gain = is_norm && (name.ends_with(".weight") || name.ends_with(".running_var"));
        let middle = if is_gain { 1.0 } else { 0.0 };
        let count: usize = shape.iter().product();
        let bytes = (0..count)
            .flat_map(|_| (middle + spread * (2.0 * dice.random::<f32>() - 1.0)).to_le_bytes())
            .collect();
        all.push((name, shape, bytes));
    }
    let mut views = Vec::new();
    for (name, shape, bytes) in &all {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes)
            .map_err(|e| problem(format!("cannot make weights: {e}")))?;
        views.push((name.as_str(), view));
    }
    safetensors::serialize_to_file(views, None, path)
        .map_err(|e| problem(format!("cannot write the weights: {e}")).file(path))?;
    let config =
        json!({"min_age": AGES[0], "max_age": AGES[1], "avg_age": AGES[2], "only_age": false});
    let beside = path.with_file_name("config.json");
    std::fs::write(&beside, config.to_string()).map_err(|e| Problem::io("write", &beside, &e))?;
    Ok(())
}

/// A program under measurement.
struct Program {
    key: String,
    name: String,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// Milliseconds per photo, by batch.
    times: Vec<Vec<f64>>,
}

impl Program {
    fn start(key: &str, mut command: Process) -> Result<Self> {
        let program = command.get_program().to_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| Problem::io("run", &program, &e))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return problem("a process without pipes").fail();
        };
        let mut started = Self {
            key: key.to_owned(),
            name: key.to_owned(),
            child,
            to,
            from: BufReader::new(from),
            times: Vec::new(),
        };
        if let Some(name) = started.line()?["ready"].as_str() {
            name.clone_into(&mut started.name);
        }
        Ok(started)
    }

    /// The next line of JSON that it says.
    fn line(&mut self) -> Result<Value> {
        loop {
            let mut line = String::new();
            let n = self.from.read_line(&mut line).unwrap_or(0);
            if n == 0 {
                let mut complaint = String::new();
                if let Some(mut pipe) = self.child.stderr.take() {
                    // What cannot be read is not there; that it ended is problem enough.
                    let _ = std::io::Read::read_to_string(&mut pipe, &mut complaint);
                }
                let last: Vec<&str> = complaint.lines().rev().take(4).collect();
                return problem(format!("{} ended before its work was done", self.key))
                    .value(last.into_iter().rev().collect::<Vec<_>>().join(" / "))
                    .fail();
            }
            // Libraries greet on stdout, too.
            if let Ok(said) = serde_json::from_str(&line) {
                return Ok(said);
            }
        }
    }

    fn ask(&mut self, what: &str) -> Result<Value> {
        let sent = writeln!(self.to, "{what}").and_then(|()| self.to.flush());
        // If it is gone, the missing answer says so.
        let _ = sent;
        self.line()
    }

    fn seconds(&mut self, batch: usize, runs: usize) -> Result<Vec<f64>> {
        let said = self.ask(&format!("time {batch} {runs}"))?;
        let list = said.as_array().map(|l| l.iter().filter_map(Value::as_f64));
        Ok(list.map(Iterator::collect).unwrap_or_default())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n.is_multiple_of(2) => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// The same, for the process that is asked.
pub(super) fn once(args: &Once) -> Result<()> {
    let options = RuntimeOptions {
        threads: args.threads,
        backend: Backend::OnnxRuntime,
        ..RuntimeOptions::default()
    };
    let mut network = Network::open(&args.model, None, &options)?;
    let input = npy::read(&args.input)?;
    let each = network.spec().pixels();
    let say = |value: &Value| print(&format!("{value}\n"));
    say(&json!({"ready": format!("veche, {}", network.about().backend)}));
    for line in std::io::stdin().lines() {
        let Ok(line) = line else { break };
        let mut words = line.split_whitespace();
        let (what, mut number) = (words.next(), || {
            words.next().and_then(|w| w.parse().ok()).unwrap_or(1usize)
        });
        match what {
            Some("time") => {
                let (batch, runs) = (number(), number());
                let pixels = input.values.get(..batch * each).unwrap_or(&input.values);
                let mut seconds = Vec::with_capacity(runs);
                for _ in 0..runs {
                    let start = Instant::now();
                    network.run(pixels, batch)?;
                    seconds.push(start.elapsed().as_secs_f64());
                }
                say(&json!(seconds));
            }
            Some("answer") => {
                let batch = number();
                let pixels = input.values.get(..batch * each).unwrap_or(&input.values);
                let outputs = network.run_raw(pixels, batch)?;
                let row = |i: usize| -> Vec<f32> {
                    let of = |o: &crate::model::backend::Output| {
                        let width = o.values.len() / batch;
                        o.values[i * width..][..width].to_vec()
                    };
                    outputs.iter().flat_map(of).collect()
                };
                say(&json!((0..batch).map(row).collect::<Vec<_>>()));
            }
            _ => say(&json!(peak::flops(&options)?)),
        }
    }
    Ok(())
}

/// Runs the benchmark.
pub(super) fn run(args: &Args) -> Result<()> {
    let held;
    let dir = match &args.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(|e| Problem::io("make the folder", dir, &e))?;
            dir.as_path()
        }
        None => {
            held = tempfile::tempdir()
                .map_err(|e| Problem::io("make a folder", std::env::temp_dir(), &e))?;
            held.path()
        }
    };
    let most = args.batches.iter().copied().max().unwrap_or(0);
    let photos = most.max(if args.photos.is_some() { 32 } else { 0 });
    if most == 0 || most > 1024 || args.batches.contains(&0) || args.repeats == 0 {
        return problem("nothing to measure")
            .hint("--batches from 1 to 1024, at least one of --repeats")
            .fail();
    }
    let threads = match args.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let variant = d1();
    let weights = dir.join("model.safetensors");
    let model = dir.join("model.onnx");
    note("making weights");
    write_weights(&variant, &weights)?;
    let made = import::import(&weights, &model, Storage::F32, None)?;
    let spec = [6, variant.size, variant.size];
    let count = photos * spec.iter().product::<usize>();
    let mut dice = stream(SEED, "photos");
    let array = Array {
        shape: vec![photos, spec[0], spec[1], spec[2]],
        values: (0..count)
            .map(|_| 4.0 * dice.random::<f32>() - 2.0)
            .collect(),
    };
    let input = dir.join("input.npy");
    npy::write(&input, &array)?;
    drop(array);

    let before = load();
    let mut programs = start(args, dir, threads)?;
    compare(&mut programs, most.min(4))?;
    for program in &mut programs {
        program.times = vec![Vec::new(); args.batches.len()];
    }
    let mut peaks: Vec<f64> = Vec::new();
    // In turn: what else the machine does meanwhile falls on all alike. The round before the first warms up.
    for round in 0..=args.repeats {
        for (at, &batch) in args.batches.iter().enumerate() {
            let runs = if round == 0 {
                1
            } else {
                8usize.div_ceil(batch)
            };
            for program in &mut programs {
                let seconds = program.seconds(batch, runs)?;
                if round > 0 {
                    let each = seconds.iter().map(|s| 1e3 * s / batch as f64);
                    program.times[at].extend(each);
                }
            }
        }
        if round > 0 {
            for program in programs.iter_mut().filter(|p| p.key != "col2im") {
                peaks.extend(program.ask("peak")?.as_f64());
            }
            note(&format!("round {round} of {}", args.repeats));
        }
    }
    let whole = match &args.photos {
        Some(photos) => Some(whole(args, photos, dir, threads, &mut programs[0])?),
        None => None,
    };
    let peak = peaks.iter().copied().fold(f64::NAN, f64::max);
    let operations = 2.0 * variant.multiply_adds() as f64;
    let found = Found {
        threads,
        before,
        after: load(),
        peak,
        operations,
        nodes: made.nodes,
        whole,
    };
    tell(args, &programs, &found)
}

fn start(args: &Args, dir: &Path, threads: usize) -> Result<Vec<Program>> {
    let own =
        std::env::current_exe().map_err(|e| problem(format!("cannot find this program: {e}")))?;
    let (model, input) = (dir.join("model.onnx"), dir.join("input.npy"));
    let threads = threads.to_string();
    let mut command = Process::new(own);
    command
        .args(["bench", "model-once"])
        .arg(&model)
        .arg(&input);
    command.arg(&threads);
    if let Some(peers) = &args.peers {
        // The same ONNX Runtime for all.
        let path = std::env::var("PATH").unwrap_or_default();
        let first = peers.join("bin");
        command.env("PATH", format!("{}:{path}", first.display()));
    }
    let mut programs = vec![Program::start("veche", command)?];
    if let Some(peers) = &args.peers {
        let python = peers.join("bin/python");
        if !python.is_file() {
            return problem("the other programs are not installed here")
                .file(peers)
                .hint("run: benches/peers-network FOLDER, and name that folder")
                .fail();
        }
        for key in &args.programs {
            let mut command = Process::new(&python);
            command.arg(peers.join("network.py")).arg(key);
            command.arg(dir.join("model.safetensors")).arg(&input);
            command.arg(dir).arg(&threads);
            note(&format!("starting {key}"));
            programs.push(Program::start(key, command)?);
        }
    }
    Ok(programs)
}

/// All must say the same about the same photos.
fn compare(programs: &mut [Program], photos: usize) -> Result<()> {
    let mut first: Option<Vec<Vec<f64>>> = None;
    for program in programs {
        let said = program.ask(&format!("answer {photos}"))?;
        let mut rows: Vec<Vec<f64>> = serde_json::from_value(said)
            .map_err(|e| problem(format!("{} said something else: {e}", program.key)))?;
        let [min, max, mean] = AGES.map(f64::from);
        if program.key == "veche" {
            for row in &mut rows {
                if let Some(age) = row.last_mut() {
                    *age = (*age - mean) / (max - min);
                }
            }
        }
        let Some(ours) = &first else {
            first = Some(rows);
            continue;
        };
        let pairs = ours.iter().flatten().zip(rows.iter().flatten());
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        if rows.len() != ours.len() || worst.is_nan() || worst > 1e-4 {
            return problem(format!(
                "{} answers otherwise than veche: {worst:.1e} apart",
                program.name
            ))
            .fail();
        }
        note(&format!("{}: {worst:.1e} from veche", program.name));
    }
    Ok(())
}

/// Photos per second of the whole of `veche predict`, and of the network alone before and after each.
struct Whole {
    predict: Vec<f64>,
    bare: Vec<f64>,
}

fn whole(
    args: &Args,
    photos: &Path,
    dir: &Path,
    threads: usize,
    veche: &mut Program,
) -> Result<Whole> {
    // The default of `veche predict`.
    const BATCH: usize = 32;
    let own =
        std::env::current_exe().map_err(|e| problem(format!("cannot find this program: {e}")))?;
    let mut found = Whole {
        predict: Vec::new(),
        bare: Vec::new(),
    };
    let bare = |found: &mut Whole, veche: &mut Program| -> Result<()> {
        let seconds = veche.seconds(BATCH, 2)?;
        found.bare.extend(seconds.iter().map(|s| BATCH as f64 / s));
        Ok(())
    };
    bare(&mut found, veche)?;
    for round in 1..=args.repeats {
        let mut command = Process::new(&own);
        command.args([
            "predict",
            "--json",
            "--restart",
            "--whole",
            "wide",
            "--backend",
            "onnxruntime",
        ]);
        command
            .arg("--model")
            .arg(dir.join("model.onnx"))
            .arg("--items")
            .arg(photos);
        command.arg("--out").arg(dir.join("predictions.csv"));
        command.args(["--threads", &threads.to_string()]);
        if let Some(peers) = &args.peers {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{path}", peers.join("bin").display()));
        }
        let (_, said) = super::watch::measure(&mut command)?;
        let said: Value = serde_json::from_slice(&said)
            .map_err(|e| problem(format!("predict said something else: {e}")))?;
        found.predict.extend(said["photos_per_second"].as_f64());
        bare(&mut found, veche)?;
        note(&format!("predict {round} of {}", args.repeats));
    }
    Ok(found)
}

struct Found {
    threads: usize,
    before: String,
    after: String,
    peak: f64,
    operations: f64,
    nodes: usize,
    whole: Option<Whole>,
}

fn tell(args: &Args, programs: &[Program], found: &Found) -> Result<()> {
    let ours: Vec<f64> = programs[0].times.iter().map(|t| median(t)).collect();
    if args.json {
        let rows: Vec<Value> = programs
            .iter()
            .flat_map(|p| {
                let of = |(at, &batch): (usize, &usize)| {
                    let ms = median(&p.times[at]);
                    json!({
                        "program": p.key, "name": p.name, "batch": batch, "ms_per_photo": ms, "all_ms": p.times[at],
                        "times_veche": ms / ours[at], "flops": 1e3 * found.operations / ms,
                    })
                };
                args.batches.iter().enumerate().map(of).collect::<Vec<_>>()
            })
            .collect();
        let whole = found.whole.as_ref().map(|w| {
            json!({
                "predict_photos_per_second": median(&w.predict), "network_photos_per_second": median(&w.bare),
                "share": median(&w.predict) / median(&w.bare), "predict": w.predict, "network": w.bare,
            })
        });
        return print_json(&json!({
            "machine": machine(), "threads": found.threads, "load_before": found.before, "load_after": found.after,
            "operations_per_photo": found.operations, "peak_flops": found.peak, "nodes": found.nodes, "rows": rows, "whole": whole,
        }));
    }
    let head = [
        "batch",
        "program",
        "ms per photo",
        "least–most",
        "× veche",
        "GFLOP/s",
        "% of peak",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (at, &batch) in args.batches.iter().enumerate() {
        for program in programs {
            let times = &program.times[at];
            let ms = median(times);
            let flops = 1e3 * found.operations / ms;
            let least = times.iter().copied().fold(f64::INFINITY, f64::min);
            let most = times.iter().copied().fold(0.0, f64::max);
            rows.push(vec![
                batch.to_string(),
                program
                    .name
                    .split(" (")
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                format!("{ms:.1}"),
                format!("{least:.1}–{most:.1}"),
                format!("{:.2}", ms / ours[at]),
                format!("{:.0}", flops / 1e9),
                format!("{:.0}", 100.0 * flops / found.peak),
            ]);
        }
    }
    let mut text = format!(
        "{}; {} threads; load {} before, {} after\nmivolo_d1, 224, face and body: {:.2} GFLOP per photo, {} operators; peak (product of matrices) {:.0} GFLOP/s\n",
        machine(),
        found.threads,
        found.before,
        found.after,
        found.operations / 1e9,
        found.nodes,
        found.peak / 1e9
    );
    text += &table(&rows);
    if let Some(whole) = &found.whole {
        let (predict, bare) = (median(&whole.predict), median(&whole.bare));
        text += &format!(
            "veche predict: {predict:.2} photos/s, {:.1} % of the network alone ({bare:.2})\n",
            100.0 * predict / bare
        );
    }
    print(&text);
    Ok(())
}
