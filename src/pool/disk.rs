//! A pool on disk: what may be shown, apart from what it is.
//!
//! `tasks.parquet` (task, picture, text) is the annotators' side. `roles.parquet` (task, role, item, source, truths) and
//! `suites.parquet` (suite, round, place, task as row of tasks.parquet) never leave the requester's side.

use super::PoolSummary;
use crate::{
    Problem, Result,
    files::{write_atomically, write_columns},
    problem,
};
use polars::prelude::*;
use std::{
    fs::{self, File},
    path::Path,
};
use veche_pools::{
    Answer, Question, Role, Scale, Slot, TaskName,
    generation::{Naming, StaticSuites},
};

/// Folder of rendered pictures inside a pool.
pub const SHOWN: &str = "shown";

/// Every task of a pool in name order, both sides joined. All columns have one entry per task.
#[derive(Debug, Clone, Default)]
pub struct StoredPool {
    /// Opaque names, sorted.
    pub names: Vec<TaskName>,
    /// Rendered picture, relative to the pool's folder.
    pub pictures: Vec<Option<String>>,
    /// Text to show.
    pub texts: Vec<Option<String>>,
    /// What each task is.
    pub roles: Vec<Role>,
    /// The owner's id of the item or control.
    pub items: Vec<String>,
    /// Where its content came from: a path or an address.
    pub sources: Vec<Option<String>>,
    /// Known answers of real tasks, for simulations only; empty if there are none.
    pub simulated_truths: Vec<Vec<Option<Answer>>>,
}

/// Static suites in flat form.
#[derive(Debug, Clone, Default)]
pub struct StoredSuites {
    /// First task of each suite, and one past the last.
    pub starts: Vec<u32>,
    /// Round of each suite, from 0.
    pub rounds: Vec<u32>,
    /// Tasks in the order shown, as indices into the pool.
    pub tasks: Vec<u32>,
}

impl StoredSuites {
    /// Suites as generated, with items and controls as tasks of the pool.
    pub fn from_rounds(made: &StaticSuites, naming: &Naming) -> Self {
        let mut suites = Self::default();
        suites.tasks.reserve_exact(made.n_slots());
        for suite in 0..made.len() {
            suites.starts.push(suites.tasks.len() as u32);
            suites.rounds.push((suite / made.suites_per_round()) as u32);
            suites
                .tasks
                .extend(made.suite(suite).map(|slot| match slot {
                    Slot::Item(i) => naming.task_of_item[i as usize],
                    Slot::Control(c) => naming.task_of_control[c as usize],
                }));
        }
        suites.starts.push(suites.tasks.len() as u32);
        suites
    }

    /// Number of suites.
    pub fn len(&self) -> usize {
        self.rounds.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rounds.is_empty()
    }

    /// The tasks of one suite, in the order shown.
    pub fn suite(&self, index: usize) -> &[u32] {
        &self.tasks[self.starts[index] as usize..self.starts[index + 1] as usize]
    }
}

impl StoredPool {
    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Index of a task by its name.
    pub fn find(&self, name: TaskName) -> Option<usize> {
        self.names.binary_search(&name).ok()
    }

    /// Indices of the controls.
    pub fn controls(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|&i| self.is_control(i))
    }

    /// Whether a task is a control.
    pub fn is_control(&self, task: usize) -> bool {
        matches!(self.roles[task], Role::Control(_))
    }

    /// The known answer of a control to one question.
    pub fn truth(&self, task: usize, question: usize) -> Option<Answer> {
        match &self.roles[task] {
            Role::Control(truths) => truths.get(question).copied().flatten(),
            Role::Real => None,
        }
    }

    /// Writes `tasks.parquet` and `roles.parquet` into a folder.
    pub fn write(&self, dir: &Path, questions: &[Question]) -> Result<()> {
        let names: Vec<String> = self.names.iter().map(ToString::to_string).collect();
        let task = Column::new("task".into(), &names);
        let tasks = vec![
            task.clone(),
            Column::new("picture".into(), &self.pictures),
            Column::new("text".into(), &self.texts),
        ];
        write_parquet(&dir.join("tasks.parquet"), tasks)?;
        let role: Vec<&str> = (0..self.len())
            .map(|i| {
                if self.is_control(i) {
                    "control"
                } else {
                    "real"
                }
            })
            .collect();
        let mut roles = vec![
            task,
            Column::new("role".into(), role),
            Column::new("item".into(), &self.items),
            Column::new("source".into(), &self.sources),
        ];
        for (q, question) in questions.iter().enumerate() {
            let truths = (0..self.len()).map(|i| self.truth(i, q));
            roles.push(truth_column("truth", question, truths));
            if !self.simulated_truths.is_empty() {
                let truths = self
                    .simulated_truths
                    .iter()
                    .map(|t| t.get(q).copied().flatten());
                roles.push(truth_column("simulated_truth", question, truths));
            }
        }
        write_parquet(&dir.join("roles.parquet"), roles)
    }

    /// Reads a pool's folder.
    pub fn read(dir: &Path, questions: &[Question]) -> Result<Self> {
        check_there(dir)?;
        let tasks = read_parquet(&dir.join("tasks.parquet"))?;
        let path = dir.join("roles.parquet");
        let roles = read_parquet(&path)?;
        let broken = |e: PolarsError| -> Box<Problem> {
            let what = format!("not a pool of this campaign: {e}");
            Box::new(
                problem(what)
                    .file(&path)
                    .hint("run `veche pool build` again"),
            )
        };
        let texts = |frame: &DataFrame, name: &str| -> Result<Vec<Option<String>>> {
            let column = frame.column(name).and_then(|c| c.str()).map_err(broken)?;
            Ok(column.iter().map(|t| t.map(str::to_owned)).collect())
        };
        let mut names = Vec::with_capacity(tasks.height());
        for name in tasks
            .column("task")
            .and_then(|c| c.str())
            .map_err(broken)?
            .iter()
        {
            names.push(name.unwrap_or_default().parse::<TaskName>()?);
        }
        let named: Vec<Option<String>> = texts(&roles, "task")?;
        let same = named.len() == names.len()
            && named
                .iter()
                .zip(&names)
                .all(|(a, b)| a.as_deref() == Some(b.to_string().as_str()));
        if !same {
            return problem("tasks.parquet and roles.parquet do not belong together")
                .file(dir)
                .hint("run `veche pool build` again")
                .fail();
        }
        let mut truths = Vec::new();
        let mut simulated = Vec::new();
        for question in questions {
            truths.push(read_truths(&roles, "truth", question).map_err(broken)?);
            simulated.push(read_truths(&roles, "simulated_truth", question).ok());
        }
        let role = roles.column("role").and_then(|c| c.str()).map_err(broken)?;
        let role = |i: usize| match role.get(i) {
            Some("control") => Role::Control(truths.iter().map(|t| t[i]).collect()),
            _ => Role::Real,
        };
        let simulated_truths = if simulated.iter().all(Option::is_none) {
            Vec::new()
        } else {
            let of = |i: usize| {
                simulated
                    .iter()
                    .map(|t| t.as_ref().and_then(|t| t[i]))
                    .collect()
            };
            (0..names.len()).map(of).collect()
        };
        Ok(Self {
            pictures: texts(&tasks, "picture")?,
            texts: texts(&tasks, "text")?,
            roles: (0..names.len()).map(role).collect(),
            items: texts(&roles, "item")?
                .into_iter()
                .map(Option::unwrap_or_default)
                .collect(),
            sources: texts(&roles, "source")?,
            simulated_truths,
            names,
        })
    }
}

fn truth_column(
    prefix: &str,
    question: &Question,
    truths: impl Iterator<Item = Option<Answer>>,
) -> Column {
    let name = format!("{prefix}_{}", question.name);
    match &question.scale {
        Scale::Number(_) => {
            let values: Vec<Option<f64>> = truths.map(|t| t.and_then(Answer::number)).collect();
            Column::new(name.into(), values)
        }
        Scale::Choice(_) => {
            let values: Vec<Option<String>> =
                truths.map(|t| t.map(|t| question.write(t))).collect();
            Column::new(name.into(), values)
        }
    }
}

fn read_truths(
    roles: &DataFrame,
    prefix: &str,
    question: &Question,
) -> PolarsResult<Vec<Option<Answer>>> {
    let column = roles.column(&format!("{prefix}_{}", question.name))?;
    Ok(match &question.scale {
        Scale::Number(_) => column
            .f64()?
            .iter()
            .map(|v| v.map(Answer::Number))
            .collect(),
        Scale::Choice(scale) => {
            let index = |text: Option<&str>| text.and_then(|t| scale.index(t)).map(Answer::Choice);
            column.str()?.iter().map(index).collect()
        }
    })
}

/// Writes static suites. Row groups of about a million rows keep memory flat.
pub fn write_suites(dir: &Path, suites: &StoredSuites) -> Result<()> {
    let path = dir.join("suites.parquet");
    let fail = |e: &PolarsError| problem(format!("cannot write: {e}")).file(&path);
    write_atomically(&path, |file| {
        let frame = |from: usize, to: usize| {
            let rows = (suites.starts[to] - suites.starts[from]) as usize;
            let mut columns = [
                Vec::with_capacity(rows),
                Vec::with_capacity(rows),
                Vec::with_capacity(rows),
            ];
            for suite in from..to {
                for place in 0..suites.suite(suite).len() as u32 {
                    columns[0].push(suite as u32);
                    columns[1].push(suites.rounds[suite]);
                    columns[2].push(place);
                }
            }
            let [suite, round, place] = columns;
            let tasks = &suites.tasks[suites.starts[from] as usize..suites.starts[to] as usize];
            DataFrame::new(
                rows,
                vec![
                    Column::new("suite".into(), suite),
                    Column::new("round".into(), round),
                    Column::new("place".into(), place),
                    Column::new("task".into(), tasks),
                ],
            )
        };
        let mut run = || -> PolarsResult<()> {
            let schema = frame(0, 0)?.schema().clone();
            let mut writer = ParquetWriter::new(&mut *file).batched(&schema)?;
            let step = 150_000;
            for from in (0..suites.len()).step_by(step) {
                writer.write_batch(&frame(from, (from + step).min(suites.len()))?)?;
            }
            writer.finish()?;
            Ok(())
        };
        run().map_err(|e| std::io::Error::from(Box::new(fail(&e))))
    })
}

/// Reads static suites; `None` if the pool is mixed per annotator.
pub fn read_suites(dir: &Path) -> Result<Option<StoredSuites>> {
    let path = dir.join("suites.parquet");
    if !path.is_file() {
        return Ok(None);
    }
    let frame = read_parquet(&path)?;
    let column = |name: &str| -> Result<Vec<u32>> {
        let values = frame
            .column(name)
            .and_then(|c| c.u32())
            .map_err(|e| problem(e.to_string()).file(&path))?;
        Ok(values.iter().flatten().collect())
    };
    let (suite, round, tasks) = (column("suite")?, column("round")?, column("task")?);
    let mut suites = StoredSuites {
        tasks,
        ..StoredSuites::default()
    };
    for (row, (&s, &r)) in suite.iter().zip(&round).enumerate() {
        if s as usize == suites.rounds.len() {
            suites.starts.push(row as u32);
            suites.rounds.push(r);
        }
    }
    suites.starts.push(suite.len() as u32);
    Ok(Some(suites))
}

/// Writes columns of equal length as one Parquet file.
pub fn write_parquet(path: &Path, columns: Vec<Column>) -> Result<()> {
    write_atomically(path, |file| write_columns(columns, file))
}

/// Reads a Parquet file whole.
pub fn read_parquet(path: &Path) -> Result<DataFrame> {
    let file = File::open(path).map_err(|e| Problem::io("read", path, &e))?;
    ParquetReader::new(file).finish().map_err(|e| {
        let what = format!("not a readable Parquet file: {e}");
        Box::new(
            problem(what)
                .file(path)
                .hint("make it again, or give the file it was made from"),
        )
    })
}

fn check_there(dir: &Path) -> Result<()> {
    if dir.join("tasks.parquet").is_file() {
        return Ok(());
    }
    problem("there is no pool here")
        .file(dir)
        .hint("make it with `veche pool build`")
        .fail()
}

/// Reads a pool's `summary.json`.
pub fn read_summary(dir: &Path) -> Result<PoolSummary> {
    check_there(dir)?;
    let path = dir.join("summary.json");
    let text = fs::read_to_string(&path).map_err(|e| Problem::io("read", &path, &e))?;
    serde_json::from_str(&text).map_err(|e| {
        let what = format!("not a pool summary of this version: {e}");
        Box::new(
            problem(what)
                .file(&path)
                .hint("run `veche pool build` again"),
        )
    })
}
