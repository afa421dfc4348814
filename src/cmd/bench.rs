//! `veche bench`: measures veche on this machine.

mod aggregate;
mod data;
mod watch;

use crate::{Problem, Result, config::Project, pool::build, problem};
use rand::RngExt;
use std::{fs, io::Write, path::PathBuf, process::Command as Process, time::Instant};
use veche_analysis::benchmark::{Candidate, cap_for_size, reachable_pairs, select};

/// What to measure.
#[derive(Debug, clap::Subcommand)]
#[allow(
    missing_docs,
    reason = "a variant without words has the help of its arguments"
)]
pub enum Command {
    Pool(Pool),
    Aggregate(aggregate::Args),
    Benchmark(Benchmark),
    #[command(hide = true)]
    PoolOnce(PoolOnce),
}

/// Time and memory of `pool build` without pictures, by the number of items
///
/// Static mixing, which is the most work: every suite of every round is laid out and written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veche bench pool --items 10000,100000,1000000")]
pub struct Pool {
    /// Numbers of items, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000, 10_000_000])]
    pub items: Vec<usize>,
    /// Votes wanted per item
    #[arg(long, default_value_t = 10)]
    pub overlap: u32,
    /// Controls
    #[arg(long, default_value_t = 500)]
    pub controls: usize,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Time of choosing a balanced benchmark among many candidates, without reading files
///
/// Twenty ranges, the older ones rarer. Photos of three people give at most one, so without a cap nearly every photo is used and
/// the choice has to settle who comes from which: the hardest case, measured up to 100,000 candidates.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veche bench benchmark --candidates 100000,1000000")]
pub struct Benchmark {
    /// Numbers of candidates, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    pub candidates: Vec<usize>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// One measurement, in a process of its own so that its peak of memory is its own.
#[derive(Debug, clap::Args)]
pub struct PoolOnce {
    dir: PathBuf,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Measured {
    items: usize,
    seconds: f64,
    peak_mib: f64,
}

/// Runs the subcommand.
pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::PoolOnce(args) => {
            let project = Project::open(&args.dir)?;
            let start = Instant::now();
            let options = build::Options {
                pictures: false,
                skip_bad_rows: false,
                orphan_votes: false,
                merge: false,
                progress: &super::progress,
            };
            let summary = build::build(&project, &options)?;
            let seconds = start.elapsed().as_secs_f64();
            super::print_json(&Measured {
                items: summary.items,
                seconds,
                peak_mib: peak_mib(),
            })
        }
        Command::Pool(args) => pool(args),
        Command::Aggregate(args) => aggregate::run(args),
        Command::Benchmark(args) => benchmark(args),
    }
}

fn pool(args: &Pool) -> Result<()> {
    let dir =
        tempfile::tempdir().map_err(|e| Problem::io("make a folder", std::env::temp_dir(), &e))?;
    let program =
        std::env::current_exe().map_err(|e| problem(format!("cannot find this program: {e}")))?;
    let mut rows = Vec::new();
    for &items in &args.items {
        let campaign = dir.path().join(items.to_string());
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&campaign)?;
            let mut file = std::io::BufWriter::new(fs::File::create(campaign.join("items.csv"))?);
            writeln!(file, "file")?;
            (0..items).try_for_each(|i| writeln!(file, "photo-{i:08}.jpg"))?;
            file.flush()?;
            let mut file =
                std::io::BufWriter::new(fs::File::create(campaign.join("controls.csv"))?);
            writeln!(file, "file,age,gender")?;
            let sex = |i: usize| if i.is_multiple_of(2) { "F" } else { "M" };
            (0..args.controls)
                .try_for_each(|i| writeln!(file, "control-{i:06}.jpg,{},{}", 1 + i % 90, sex(i)))?;
            file.flush()?;
            let text = super::init::text("benchmark", 1)
                .replace("source = \"items\"", "source = \"items.csv\"")
                .replace("mixing = \"per-annotator\"", "mixing = \"static\"")
                .replace("overlap = 10", &format!("overlap = {}", args.overlap))
                .replace("count = 500", &format!("count = {}", args.controls));
            fs::write(campaign.join(crate::config::FILE), text)
        };
        write().map_err(|e| Problem::io("write", &campaign, &e))?;
        let ran = Process::new(&program)
            .args(["bench", "pool-once"])
            .arg(&campaign)
            .output()
            .map_err(|e| Problem::io("run", &program, &e))?;
        if !ran.status.success() {
            return problem(String::from_utf8_lossy(&ran.stderr).into_owned()).fail();
        }
        let row: Measured = serde_json::from_slice(&ran.stdout)
            .map_err(|e| problem(format!("the measurement said something else: {e}")))?;
        super::note(&format!(
            "{:>10} items  {:8.3} s  {:8.0} MiB",
            row.items, row.seconds, row.peak_mib
        ));
        rows.push(row);
        // Ten million rows need not stay until the end.
        let _ = fs::remove_dir_all(&campaign);
    }
    if args.json {
        return super::print_json(&rows);
    }
    let mut table = vec![
        ["items", "seconds", "µs per item", "peak MiB"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in &rows {
        table.push(vec![
            row.items.to_string(),
            format!("{:.3}", row.seconds),
            format!("{:.2}", 1e6 * row.seconds / row.items as f64),
            format!("{:.0}", row.peak_mib),
        ]);
    }
    super::print(&super::table(&table));
    Ok(())
}

/// Candidates of 20 ranges of which the older are rarer, three in five of them men, three to a photo.
fn candidates(n: usize) -> Vec<Candidate> {
    let mut dice = veche_pools::random::stream(1, "bench benchmark");
    let photos = (n / 3).max(1) as u32;
    let mut draw = || Candidate {
        block: (20.0 * dice.random::<f64>().powi(2)) as u32,
        is_male: dice.random_bool(0.6),
        group: Some(dice.random_range(0..photos)),
        cost: dice.random_range(0..20_000),
    };
    (0..n).map(|_| draw()).collect()
}

fn benchmark(args: &Benchmark) -> Result<()> {
    let mut rows = Vec::new();
    for &n in &args.candidates {
        let shared = candidates(n);
        let single: Vec<Candidate> = shared
            .iter()
            .map(|c| Candidate { group: None, ..*c })
            .collect();
        let size = |given: &[Candidate]| -> Result<u32> {
            Ok(cap_for_size(&reachable_pairs(given, 20, 1)?, n as u64 / 50))
        };
        let cases = [
            ("photos of one person, no cap", &single, u32::MAX),
            (
                "photos of three, a fiftieth of the candidates",
                &shared,
                size(&shared)?,
            ),
            ("photos of three, no cap", &shared, u32::MAX),
        ];
        // The last takes minutes with a million.
        let n_cases = if n > 100_000 { 2 } else { 3 };
        for (name, given, cap) in cases.into_iter().take(n_cases) {
            let start = Instant::now();
            let found = select(given, 20, cap, 1)?;
            rows.push(serde_json::json!({
                "candidates": n, "case": name, "chosen": found.chosen.len(), "relaxations": found.relaxations,
                "seconds": start.elapsed().as_secs_f64(),
            }));
        }
    }
    if args.json {
        return super::print_json(&rows);
    }
    let head = ["candidates", "case", "chosen", "relaxations", "seconds"];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    for row in &rows {
        let seconds = format!("{:.3}", row["seconds"].as_f64().unwrap_or_default());
        let text = |key: &str| row[key].to_string().replace('"', "");
        table.push(vec![
            text("candidates"),
            text("case"),
            text("chosen"),
            text("relaxations"),
            seconds,
        ]);
    }
    super::print(&super::table(&table));
    Ok(())
}

/// Peak resident memory of this process, MiB; 0 where the system does not say.
pub fn peak_mib() -> f64 {
    peak_of("/proc/self/status")
}

fn peak_of(status: &str) -> f64 {
    let status = fs::read_to_string(status).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:"));
    let kib = line
        .and_then(|l| l.split_whitespace().nth(1))
        .and_then(|n| n.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
