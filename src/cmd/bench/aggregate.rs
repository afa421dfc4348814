//! `veche bench aggregate`: labels of millions of votes, by veche and by the programs that people use, in one run.

use super::{
    data::{self, Crowd, Kind, Names},
    watch::{Measured, measure},
};
use crate::{
    Problem, Result,
    cmd::{note, print, print_json, table},
    pool::disk::read_parquet,
    problem,
};
use polars::prelude::{DataFrame, DataType};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Time and memory of labels from millions of votes, beside DuckDB, polars, pandas and crowd-kit
///
/// Makes votes in random order (ten per item, one item in seven a control), lets every program label them in turn, several times over, compares the labels,
/// and prints medians. Seconds of veche are those of the whole process; of the others those of the work alone, without the start of Python.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  benches/peers peers && veche bench aggregate --peers peers\n  \
    veche bench aggregate --votes 50000000 --tasks exp-mae --peers peers --repeats 5\n  \
    veche bench aggregate --tasks streaming --sizes 50000000,100000000,200000000"
)]
pub struct Args {
    /// Votes
    #[arg(long, default_value_t = 10_000_000)]
    votes: u64,
    /// Annotators; one per 1,667 votes by default
    #[arg(long)]
    annotators: Option<u64>,
    /// Times every program runs
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// What to do
    #[arg(long, value_delimiter = ',', value_name = "TASKS",
        default_values_t = [Task::ExpMae, Task::Text, Task::Csv, Task::Hybrid, Task::Majority, Task::DawidSkene])]
    tasks: Vec<Task>,
    /// The folder made by `benches/peers`; without it only veche runs
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Only these of the other programs
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "duckdb,polars,pandas,crowdkit"
    )]
    programs: Vec<String>,
    /// Votes of the task `streaming`
    #[arg(long, value_delimiter = ',', default_values_t = [50_000_000, 100_000_000, 200_000_000])]
    sizes: Vec<u64>,
    /// Memory for votes in the task `streaming`, MiB
    #[arg(long, default_value_t = 64)]
    memory: usize,
    /// Folder for votes and labels; a temporary one by default
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// A piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Task {
    /// exp(−MAE); names are numbers; Parquet
    ExpMae,
    /// The same; names are text
    Text,
    /// The same from CSV
    Csv,
    /// hybrid; names are numbers; Parquet
    Hybrid,
    /// Majority of four labels; Parquet
    Majority,
    /// Dawid–Skene of four labels; Parquet
    DawidSkene,
    /// exp(−MAE) of more and more votes, in 64 files, with the same memory
    Streaming,
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use clap::ValueEnum;
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |v| v.get_name()))
    }
}

impl Task {
    fn is_choice(self) -> bool {
        matches!(self, Self::Majority | Self::DawidSkene)
    }

    /// The method by veche's name and by that of `peers.py`.
    fn method(self) -> &'static str {
        match self {
            Self::ExpMae | Self::Text | Self::Csv | Self::Streaming => "exp-mae",
            Self::Hybrid => "hybrid",
            Self::Majority => "majority",
            Self::DawidSkene => "dawid-skene",
        }
    }

    fn peers(self) -> &'static [&'static str] {
        match self {
            Self::ExpMae | Self::Text => &["duckdb", "polars", "pandas"],
            Self::Csv => &["duckdb", "polars", "pandas"],
            Self::Majority | Self::DawidSkene => &["crowdkit"],
            Self::Hybrid | Self::Streaming => &[],
        }
    }

    fn names(self) -> Names {
        match self {
            Self::Text => Names::Text,
            _ => Names::Numbers,
        }
    }

    /// Files of votes and truths.
    fn files(self, dir: &Path) -> (PathBuf, PathBuf) {
        let (votes, truth) = match self {
            Self::ExpMae | Self::Hybrid | Self::Streaming => ("votes.parquet", "truth.parquet"),
            Self::Text => ("text.parquet", "text-truth.parquet"),
            Self::Csv => ("votes.csv", "truth.csv"),
            Self::Majority | Self::DawidSkene => ("labels.parquet", "truth.parquet"),
        };
        (dir.join(votes), dir.join(truth))
    }
}

/// Files of the task `streaming`.
const FILES: u64 = 64;

/// What is measured as the least that any program can do: reading the columns, and the bare sums.
const BARE: &str = "bare sums";

/// All runs of one program at one task.
#[derive(Debug, Clone)]
struct Runs {
    task: Task,
    votes: u64,
    program: String,
    runs: Vec<Measured>,
    /// Passes over the votes, where a method takes several.
    passes: Option<u64>,
    /// Largest difference of a number, relative to its size, or share of differing labels.
    difference: Option<f64>,
}

impl Runs {
    fn median(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        let mut all: Vec<f64> = self.runs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        let middle = all.len() / 2;
        if all.len().is_multiple_of(2) && middle > 0 {
            f64::midpoint(all[middle - 1], all[middle])
        } else {
            all.get(middle).copied().unwrap_or(f64::NAN)
        }
    }

    fn seconds(&self) -> f64 {
        self.median(|r| r.seconds)
    }

    fn bare(&mut self, crowd: &Crowd, dir: &Path) -> Result<()> {
        let (votes, truth) = self.task.files(dir);
        let bare = super::bare::run(crowd, &votes, &truth)?;
        note(&format!(
            "{BARE}: reading {:.2} s, two passes {:.2} s",
            bare.reading, bare.passes
        ));
        self.runs.push(Measured {
            seconds: bare.reading + bare.passes,
            processor: bare.processor,
            peak_mib: 0.0,
        });
        Ok(())
    }
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
    if args.votes < 1000 || args.repeats == 0 {
        return problem("too little to measure")
            .hint("take at least 1000 votes and one repeat")
            .fail();
    }
    let before = super::watch::load();
    let mut all: Vec<Runs> = Vec::new();
    let tasks: Vec<Task> = args
        .tasks
        .iter()
        .copied()
        .filter(|t| *t != Task::Streaming)
        .collect();
    if !tasks.is_empty() {
        let crowd = args.crowd(args.votes, Names::Numbers);
        for &task in &tasks {
            make(&crowd, task, dir)?;
        }
        for &task in &tasks {
            let ours = Runs {
                task,
                votes: args.votes,
                program: "veche".into(),
                runs: Vec::new(),
                passes: None,
                difference: None,
            };
            let others = task
                .peers()
                .iter()
                .filter(|p| args.peers.is_some() && args.programs.iter().any(|q| q == *p));
            let others = others.map(|&program| Runs {
                program: program.into(),
                ..ours.clone()
            });
            all.extend(std::iter::once(ours.clone()).chain(others));
            if task == Task::ExpMae {
                all.push(Runs {
                    program: BARE.into(),
                    ..ours
                });
            }
        }
        // In turn: what else the machine does meanwhile falls on all alike.
        for repeat in 0..args.repeats {
            for runs in &mut all {
                if runs.program == BARE {
                    runs.bare(&crowd, dir)?;
                } else {
                    args.once(runs, &crowd, dir, None)?;
                }
                if let Some(last) = runs.runs.last() {
                    note(&format!(
                        "{}/{} {} {}: {:.2} s, {:.2} processor s, {:.0} MiB",
                        repeat + 1,
                        args.repeats,
                        runs.task,
                        runs.program,
                        last.seconds,
                        last.processor,
                        last.peak_mib
                    ));
                }
            }
        }
    }
    if args.tasks.contains(&Task::Streaming) {
        all.extend(args.streaming(dir)?);
    }
    let after = super::watch::load();
    tell(args, &all, &before, &after)
}

/// Makes the votes of a task, unless they are there.
fn make(crowd: &Crowd, task: Task, dir: &Path) -> Result<()> {
    let crowd = Crowd {
        names: task.names(),
        ..*crowd
    };
    let (votes, truth) = task.files(dir);
    // Single precision, as columns of votes often are, and double from text.
    let kind = match task {
        Task::Text | Task::Csv => Kind::Double,
        Task::Majority | Task::DawidSkene => Kind::Label,
        Task::ExpMae | Task::Hybrid | Task::Streaming => Kind::Single,
    };
    let note_of = dir.join("votes.txt");
    let made = format!("{crowd:?}");
    let same = std::fs::read_to_string(&note_of).is_ok_and(|old| {
        old.lines()
            .any(|line| line == format!("{made} {}", votes.display()))
    });
    if !same || !votes.is_file() || !truth.is_file() {
        note(&format!(
            "making {} votes: {}",
            crowd.votes,
            votes.display()
        ));
        crowd.write_votes(&votes, kind)?;
        crowd.write_truths(&truth)?;
        let mut lines = std::fs::read_to_string(&note_of).unwrap_or_default();
        let ending = format!(" {}", votes.display());
        lines = lines
            .lines()
            .filter(|line| !line.ends_with(&ending))
            .map(|line| format!("{line}\n"))
            .collect();
        lines += &format!("{made}{ending}\n");
        std::fs::write(&note_of, lines).map_err(|e| Problem::io("write", &note_of, &e))?;
    }
    data::warm(&votes)?;
    data::warm(&truth)
}

impl Args {
    fn crowd(&self, votes: u64, names: Names) -> Crowd {
        Crowd {
            votes,
            items: votes / 10,
            annotators: self.annotators.unwrap_or((votes / 1667).max(50)).max(20),
            seed: 1,
            names,
        }
    }

    /// Lets a program do its task once more.
    fn once(
        &self,
        runs: &mut Runs,
        crowd: &Crowd,
        dir: &Path,
        streamed: Option<(&[PathBuf], usize)>,
    ) -> Result<()> {
        let task = runs.task;
        let (votes, truth) = task.files(dir);
        let out = |program: &str| dir.join(format!("{task}-{program}.parquet"));
        let mut command;
        if runs.program == "veche" {
            let program = std::env::current_exe()
                .map_err(|e| problem(format!("cannot find this program: {e}")))?;
            command = std::process::Command::new(program);
            command.arg("aggregate").arg("--out");
            command.arg(out("veche")).args(["--method", task.method()]);
            if !task.is_choice() {
                command.arg("--truth").arg(&truth);
            }
            match streamed {
                Some((files, memory)) => {
                    command.arg("--memory").arg(memory.to_string());
                    command.args(files);
                }
                None => {
                    command.arg(&votes);
                }
            }
            command.arg("--json");
        } else {
            let Some(peers) = &self.peers else {
                return Ok(());
            };
            let environment = match runs.program.as_str() {
                "crowdkit" => "crowdkit",
                _ => "tables",
            };
            let python = peers.join(environment).join("bin/python");
            if !python.is_file() {
                return problem("the other programs are not installed here")
                    .file(peers)
                    .hint("run: benches/peers FOLDER, and name that folder")
                    .fail();
            }
            command = std::process::Command::new(python);
            command.arg(peers.join("peers.py"));
            command.args([runs.program.as_str(), task.method()]);
            command.arg(&votes).arg(&truth).arg(out(&runs.program));
        }
        let (mut measured, said) = measure(&mut command)?;
        let said: Value = serde_json::from_slice(&said)
            .map_err(|e| problem(format!("the measurement said something else: {e}")))?;
        if let Some(seconds) = said["seconds"].as_f64() {
            measured.seconds = seconds;
        }
        let convergence = &said["labels"][0]["convergence"];
        runs.passes = convergence
            .as_object()
            .and_then(|c| c.values().find_map(|end| end["passes"].as_u64()));
        runs.runs.push(measured);
        if runs.program != "veche" && runs.difference.is_none() {
            let (ours, theirs) = (out("veche"), out(&runs.program));
            runs.difference = Some(difference(crowd, task, &ours, &theirs)?);
        }
        Ok(())
    }

    /// The same memory for more and more votes.
    fn streaming(&self, dir: &Path) -> Result<Vec<Runs>> {
        let mut all = Vec::new();
        for &votes in &self.sizes {
            let crowd = self.crowd(votes, Names::Numbers);
            let here = dir.join(format!("streaming-{votes}"));
            std::fs::create_dir_all(&here)
                .map_err(|e| Problem::io("make the folder", &here, &e))?;
            note(&format!("making {votes} votes in {FILES} files"));
            let files = crowd.write_files(&here, Kind::Single, FILES)?;
            crowd.write_truths(&here.join("truth.parquet"))?;
            let mut runs = Runs {
                task: Task::Streaming,
                votes,
                program: "veche".into(),
                runs: Vec::new(),
                passes: None,
                difference: None,
            };
            self.once(&mut runs, &crowd, &here, Some((&files, self.memory)))?;
            note(&format!(
                "{votes} votes: {:.1} s, {:.0} MiB",
                runs.seconds(),
                runs.median(|r| r.peak_mib)
            ));
            all.push(runs);
            if self.dir.is_none() {
                // Hundreds of millions of votes need not stay until the end.
                let _ = std::fs::remove_dir_all(&here);
            }
        }
        Ok(all)
    }
}

/// How far two programs' labels lie apart on items that are no controls: the largest relative difference of numbers, the share
/// of differing labels. Only veche leaves a control out of its own scores.
fn difference(crowd: &Crowd, task: Task, ours: &Path, theirs: &Path) -> Result<f64> {
    let both = [ours, theirs].map(|path| -> Result<Vec<Option<Label>>> {
        labels(crowd, task, path, &read_parquet(path)?)
    });
    let [ours_read, theirs_read] = both;
    let (ours_read, theirs_read) = (ours_read?, theirs_read?);
    let (mut compared, mut apart, mut largest) = (0u64, 0u64, 0f64);
    for (item, pair) in ours_read.iter().zip(&theirs_read).enumerate() {
        if !task.is_choice() && crowd.is_control(item as u64) {
            continue;
        }
        compared += 1;
        match pair {
            (Some(Label::Number(a)), Some(Label::Number(b))) => {
                largest = largest.max((a - b).abs() / a.abs().max(1.0));
            }
            (Some(Label::Word(a)), Some(Label::Word(b))) => apart += u64::from(a != b),
            _ => {
                return problem("an item has a label in only one of two results")
                    .file(theirs)
                    .value(item.to_string())
                    .fail();
            }
        }
    }
    // Ties between labels are settled differently, and Dawid–Skene ends at another step.
    let (found, allowed) = if task.is_choice() {
        (apart as f64 / compared.max(1) as f64, 0.05)
    } else {
        (largest, 1e-4)
    };
    if found > allowed {
        return problem("two programs do not give the same labels")
            .file(theirs)
            .value(format!("{found}"))
            .fail();
    }
    Ok(found)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Label {
    Number(f64),
    Word(u8),
}

/// Labels by the number of the item.
fn labels(crowd: &Crowd, task: Task, path: &Path, frame: &DataFrame) -> Result<Vec<Option<Label>>> {
    let bad = |e: &dyn std::fmt::Display| -> Box<Problem> {
        let what = format!("labels cannot be compared: {e}");
        problem(what).file(path).into()
    };
    let mut all = vec![None; crowd.items as usize];
    let column = |name: &str, kind: &DataType| {
        let column = frame.column(name).and_then(|c| c.cast(kind));
        column.map_err(|e| bad(&e))
    };
    let items = column("item", &DataType::String)?;
    let items = items.str().map_err(|e| bad(&e))?;
    let mut put = |name: Option<&str>, label: Option<Label>| {
        let number = name.and_then(|n| crowd.number_of(n));
        if let Some(slot) = number.and_then(|n| all.get_mut(n as usize)) {
            *slot = label;
        }
    };
    if task.is_choice() {
        let words = column("label", &DataType::String)?;
        let words = words.str().map_err(|e| bad(&e))?;
        for (item, word) in items.iter().zip(words.iter()) {
            let place = data::LABELS.iter().position(|&l| Some(l) == word);
            put(item, place.map(|p| Label::Word(p as u8)));
        }
    } else {
        let values = column("estimate", &DataType::Float64)?;
        let values = values.f64().map_err(|e| bad(&e))?;
        for (item, value) in items.iter().zip(values.iter()) {
            put(item, value.map(Label::Number));
        }
    }
    Ok(all)
}

/// Prints what was found.
fn tell(args: &Args, all: &[Runs], before: &str, after: &str) -> Result<()> {
    let machine = super::watch::machine();
    let ours = |runs: &Runs| {
        let same = |r: &&Runs| r.task == runs.task && r.program == "veche" && r.votes == runs.votes;
        all.iter().find(same).map_or(f64::NAN, Runs::seconds)
    };
    if args.json {
        let rows: Vec<Value> = all
            .iter()
            .map(|r| {
                json!({
                    "task": r.task.to_string(), "program": r.program, "votes": r.votes, "seconds": r.seconds(),
                    "all_seconds": r.runs.iter().map(|m| m.seconds).collect::<Vec<_>>(),
                    "processor_seconds": r.median(|m| m.processor), "peak_mib": r.median(|m| m.peak_mib),
                    "times_veche": r.seconds() / ours(r), "passes": r.passes, "difference": r.difference,
                })
            })
            .collect();
        return print_json(&json!({
            "machine": machine, "load_before": before, "load_after": after, "repeats": args.repeats, "rows": rows,
        }));
    }
    let head = [
        "task",
        "votes",
        "program",
        "seconds",
        "least–most",
        "processor s",
        "peak MiB",
        "× veche",
        "difference",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for r in all {
        let range = r.runs.iter().map(|m| m.seconds);
        let (least, most) = range.fold((f64::INFINITY, 0f64), |(a, b), s| (a.min(s), b.max(s)));
        let passes = r
            .passes
            .map(|p| format!(", {p} passes"))
            .unwrap_or_default();
        rows.push(vec![
            format!("{}{passes}", r.task),
            r.votes.to_string(),
            r.program.clone(),
            format!("{:.2}", r.seconds()),
            format!("{least:.2}–{most:.2}"),
            format!("{:.2}", r.median(|m| m.processor)),
            format!("{:.0}", r.median(|m| m.peak_mib)),
            format!("{:.1}", r.seconds() / ours(r)),
            r.difference.map(|d| format!("{d:.1e}")).unwrap_or_default(),
        ]);
    }
    print(&format!(
        "{machine}; load {before} before, {after} after; {} repeats in turn, medians\n{}",
        args.repeats,
        table(&rows)
    ));
    Ok(())
}
