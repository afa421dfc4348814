//! Files for Toloka: tasks to upload as TSV or JSON, static suites, user restrictions, and result files such as it gives.

use super::{rows::Rows, time::write_toloka_moment, write_atomically};
use crate::{Result, problem};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{io::Write, path::Path};
use veche_pools::{Answer, NumberScale, Question, Scale};

/// One task as the platform gets it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TolokaTask {
    /// Input fields in the order of the columns: `("image", "https://…")`.
    pub inputs: Vec<(String, String)>,
    /// For a control: the known answer to each question of the campaign, where it is known. `None` for a real task.
    pub truth: Option<Vec<Option<Answer>>>,
    /// Shown to an annotator whose answer is wrong, which makes a training task of the control.
    pub hint: Option<String>,
}

/// How a control's number is judged by the platform itself, which compares answers for equality only.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum NativeGolden {
    /// Only the exact number is right.
    #[default]
    Exact,
    /// Every whole number at most this far away is right.
    Tolerance(f64),
    /// A whole number at distance d earns 1 − d/T, nothing from T on. Then a rate of correct answers below
    /// 100·(1 − M/T) per cent means a mean error, clipped at T, above M.
    Triangular(f64),
}

/// How tasks are written as JSON.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskOptions {
    /// The pool's id, which the API wants and an upload on the web page does not.
    pub pool_id: Option<String>,
    /// Votes wanted per real task. Controls and training tasks are never used up.
    pub overlap: u32,
    /// How numbers of controls are judged.
    pub golden: NativeGolden,
}

/// More ways to answer a control right than this are refused: the file would not fit a request.
const MAX_SOLUTIONS: usize = 10_000;

/// Writes tasks for upload as TSV: `INPUT:` columns, `GOLDEN:` and one `HINT:text` column if any task needs them.
/// Columns of inputs come in the order in which they are first met; a task without one of them leaves it empty.
///
/// Errors: no tasks, a control without any known answer (it would be taken for a real task).
pub fn write_upload_tsv(
    path: impl AsRef<Path>,
    tasks: &[TolokaTask],
    questions: &[Question],
) -> Result<()> {
    let path = path.as_ref();
    check(path, tasks)?;
    let inputs = input_names(tasks.iter());
    let goldens = tasks.iter().any(|t| t.truth.is_some());
    let hints = tasks.iter().any(|t| t.hint.is_some());
    write_atomically(path, |w| {
        let mut rows = Rows::new(w, b'\t', false);
        rows.cells(inputs.iter().map(|name| format!("INPUT:{name}")))?;
        let golden = questions.iter().filter(|_| goldens);
        rows.cells(golden.map(|q| format!("GOLDEN:{}", q.name)))?;
        rows.cells(hints.then_some("HINT:text"))?;
        rows.end()?;
        for task in tasks {
            for name in &inputs {
                rows.cell(input(task, name))?;
            }
            for (i, question) in questions.iter().enumerate().filter(|_| goldens) {
                let known = task
                    .truth
                    .as_ref()
                    .and_then(|t| t.get(i).copied().flatten());
                rows.cell(&known.map_or(String::new(), |answer| question.write(answer)))?;
            }
            rows.cells(hints.then(|| task.hint.as_deref().unwrap_or_default()))?;
            rows.end()?;
        }
        Ok(())
    })
}

/// Writes tasks as the JSON list that the API and the upload page take: `input_values`, and for controls
/// `known_solutions` and `infinite_overlap`.
///
/// Errors: as [`write_upload_tsv`]; a tolerance on a scale of other than whole numbers; more than 10,000 right answers.
pub fn write_tasks_json(
    path: impl AsRef<Path>,
    tasks: &[TolokaTask],
    questions: &[Question],
    options: &TaskOptions,
) -> Result<()> {
    let path = path.as_ref();
    check(path, tasks)?;
    write_list(path, tasks.iter(), |task| {
        let mut object = task_json(task, questions, options.golden)?;
        if let Some(pool) = &options.pool_id {
            object.insert("pool_id".into(), json!(pool));
        }
        // The client refuses tasks that say both how many votes and that there is no end of them.
        if task.truth.is_some() {
            object.insert("infinite_overlap".into(), json!(true));
        } else {
            object.insert("overlap".into(), json!(options.overlap));
        }
        Ok(Value::Object(object))
    })
}

/// Writes suites that are put together beforehand, controls among their tasks, as the JSON list of `POST /task-suites`.
/// A suite is a list of indices into `tasks`. Each is given out `options.overlap` times.
pub fn write_suites_json(
    path: impl AsRef<Path>,
    tasks: &[TolokaTask],
    suites: &[Vec<u32>],
    questions: &[Question],
    options: &TaskOptions,
) -> Result<()> {
    let path = path.as_ref();
    check(path, tasks)?;
    write_list(path, suites.iter(), |suite| {
        let mut shown = Vec::with_capacity(suite.len());
        for &index in suite {
            let Some(task) = tasks.get(index as usize) else {
                return problem(format!("a suite names task {index} of {}", tasks.len())).fail();
            };
            shown.push(Value::Object(task_json(task, questions, options.golden)?));
        }
        let mut object = Map::new();
        if let Some(pool) = &options.pool_id {
            object.insert("pool_id".into(), json!(pool));
        }
        object.insert("overlap".into(), json!(options.overlap));
        object.insert("tasks".into(), Value::Array(shown));
        Ok(Value::Object(object))
    })
}

/// Where a banned annotator gets no more work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// In all projects of the requester.
    AllProjects,
    /// In one project.
    Project(String),
    /// In one pool.
    Pool(String),
}

/// A ban as the platform takes it (`PUT /user-restrictions`), without end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// The annotator's id on the platform.
    pub user_id: String,
    /// Why, for the requester's own eyes. Cut at 499 characters, which is what the platform takes.
    pub private_comment: String,
    /// Where.
    pub scope: Scope,
}

impl Serialize for Restriction {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        let comment: String = self.private_comment.chars().take(499).collect();
        let mut object = json!({ "user_id": self.user_id, "private_comment": comment });
        match &self.scope {
            Scope::AllProjects => object["scope"] = json!("ALL_PROJECTS"),
            Scope::Project(id) => {
                object["scope"] = json!("PROJECT");
                object["project_id"] = json!(id);
            }
            Scope::Pool(id) => {
                object["scope"] = json!("POOL");
                object["pool_id"] = json!(id);
            }
        }
        object.serialize(serializer)
    }
}

/// Writes bans as a JSON list; an empty one if nobody is banned.
pub fn write_restrictions_json(path: impl AsRef<Path>, bans: &[Restriction]) -> Result<()> {
    write_list(path.as_ref(), bans.iter(), |ban| Ok(json!(ban)))
}

/// One assignment of a result file: one suite given to one annotator.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResultAssignment {
    /// Id of the assignment.
    pub assignment_id: String,
    /// Id of the suite.
    pub suite_id: String,
    /// The annotator.
    pub worker_id: String,
    /// `APPROVED`, `SUBMITTED`, `REJECTED`, …
    pub status: String,
    /// When it was begun, seconds since 1970.
    pub started: i64,
    /// When it was submitted, seconds since 1970.
    pub submitted: Option<i64>,
    /// Its tasks in the order in which they were shown: index into the tasks, the platform's id of the task, the answers
    /// to the questions (`None` where the question was not answered: unsure is [`Answer::Unsure`], also empty in the file).
    pub tasks: Vec<(u32, String, Vec<Option<Answer>>)>,
}

/// Writes a result file as the platform gives it: `INPUT:`, `OUTPUT:`, `GOLDEN:`, `HINT:text` and `ASSIGNMENT:` columns, one
/// row per task, an empty row between assignments. `source` fills a column of that name which the platform does not have:
/// what comes from synthetic annotators must say so.
///
/// Assignments are taken one by one, so that a large file needs no memory. Errors: no tasks, a task index out of range.
pub fn write_results(
    path: impl AsRef<Path>,
    tasks: &[TolokaTask],
    questions: &[Question],
    assignments: impl IntoIterator<Item = ResultAssignment>,
    source: Option<&str>,
) -> Result<()> {
    let path = path.as_ref();
    check(path, tasks)?;
    let inputs = input_names(tasks.iter());
    let mut fixed = vec!["HINT:text".to_owned()];
    let fields = "link assignment_id task_id task_suite_id worker_id status started submitted";
    fixed.extend(fields.split(' ').map(|field| format!("ASSIGNMENT:{field}")));
    write_atomically(path, |w| {
        let mut rows = Rows::new(w, b'\t', false);
        rows.cells(inputs.iter().map(|name| format!("INPUT:{name}")))?;
        rows.cells(questions.iter().map(|q| format!("OUTPUT:{}", q.name)))?;
        rows.cells(questions.iter().map(|q| format!("GOLDEN:{}", q.name)))?;
        rows.cells(&fixed)?;
        rows.cells(source.map(|_| "source"))?;
        rows.end()?;
        for (i, assignment) in assignments.into_iter().enumerate() {
            if i > 0 {
                rows.end()?;
            }
            for (index, id, answers) in &assignment.tasks {
                let Some(task) = tasks.get(*index as usize) else {
                    let p = problem(format!(
                        "an assignment names task {index} of {}",
                        tasks.len()
                    ));
                    return Err(Box::new(p).into());
                };
                let link = format!("https://toloka.dev/task/{}", assignment.assignment_id);
                for name in &inputs {
                    rows.cell(input(task, name))?;
                }
                let text = |q: &Question, answer: Option<Answer>| {
                    answer.map_or(String::new(), |a| q.write(a))
                };
                for (q, question) in questions.iter().enumerate() {
                    rows.cell(&text(question, answers.get(q).copied().flatten()))?;
                }
                for (q, question) in questions.iter().enumerate() {
                    let known = task
                        .truth
                        .as_ref()
                        .and_then(|t| t.get(q).copied().flatten());
                    rows.cell(&text(question, known))?;
                }
                let submitted = assignment
                    .submitted
                    .map_or(String::new(), write_toloka_moment);
                rows.cells([
                    task.hint.as_deref().unwrap_or_default(),
                    &link,
                    &assignment.assignment_id,
                    id,
                    &assignment.suite_id,
                    &assignment.worker_id,
                    &assignment.status,
                    &write_toloka_moment(assignment.started),
                    &submitted,
                ])?;
                rows.cells(source)?;
                rows.end()?;
            }
        }
        Ok(())
    })
}

fn check(path: &Path, tasks: &[TolokaTask]) -> Result<()> {
    if tasks.is_empty() {
        return problem("there are no tasks to write").file(path).fail();
    }
    let blank = |t: &&TolokaTask| {
        t.truth
            .as_ref()
            .is_some_and(|known| known.iter().all(Option::is_none))
    };
    if let Some(task) = tasks.iter().find(blank) {
        let name = task.inputs.first().map_or("", |(_, value)| value);
        return problem("a control has no known answer, so it would be taken for a real task")
            .file(path)
            .value(name)
            .hint("give its truth, or leave it out with --skip-bad-rows")
            .fail();
    }
    Ok(())
}

fn input_names<'a>(tasks: impl Iterator<Item = &'a TolokaTask>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in tasks.flat_map(|task| &task.inputs) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn input<'a>(task: &'a TolokaTask, name: &str) -> &'a str {
    let found = task.inputs.iter().find(|(n, _)| n == name);
    found.map_or("", |(_, value)| value)
}

/// Writes a JSON list, one element per line, without holding it in memory.
fn write_list<T>(
    path: &Path,
    items: impl Iterator<Item = T>,
    mut element: impl FnMut(T) -> Result<Value>,
) -> Result<()> {
    write_atomically(path, |w| {
        w.write_all(b"[")?;
        for (i, item) in items.enumerate() {
            w.write_all(if i == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *w, &element(item)?)?;
        }
        w.write_all(b"\n]\n")
    })
}

fn task_json(
    task: &TolokaTask,
    questions: &[Question],
    golden: NativeGolden,
) -> Result<Map<String, Value>> {
    let inputs = task
        .inputs
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)));
    let mut object = Map::new();
    object.insert("input_values".into(), Value::Object(inputs.collect()));
    if let Some(truth) = &task.truth {
        object.insert(
            "known_solutions".into(),
            Value::Array(solutions(truth, questions, golden)?),
        );
    }
    if let Some(hint) = &task.hint {
        object.insert("message_on_unknown_solution".into(), json!(hint));
    }
    Ok(object)
}

/// Every combination of right answers with its weight, the product of the questions' weights.
fn solutions(
    truth: &[Option<Answer>],
    questions: &[Question],
    golden: NativeGolden,
) -> Result<Vec<Value>> {
    let mut all: Vec<(Map<String, Value>, f64)> = vec![(Map::new(), 1.0)];
    for (question, known) in questions.iter().zip(truth) {
        let Some(known) = *known else {
            continue;
        };
        let options = match (&question.scale, known) {
            (Scale::Number(scale), Answer::Number(value)) => {
                numbers(question, scale, value, golden)?
            }
            (Scale::Choice(_), Answer::Choice(_)) => vec![(json!(question.write(known)), 1.0)],
            _ => {
                return problem(format!(
                    "the known answer does not fit the question {}",
                    question.name
                ))
                .value(format!("{known:?}"))
                .fail();
            }
        };
        if all.len() * options.len() > MAX_SOLUTIONS {
            return problem(format!(
                "a control has more than {MAX_SOLUTIONS} right answers"
            ))
            .hint("use a smaller tolerance, or exact controls")
            .fail();
        }
        let longer = all.iter().flat_map(|(answers, weight)| {
            options.iter().map(move |(value, share)| {
                let mut answers = answers.clone();
                answers.insert(question.name.clone(), value.clone());
                (answers, weight * share)
            })
        });
        all = longer.collect();
    }
    let to_json = |(answers, weight)| json!({ "output_values": Value::Object(answers), "correctness_weight": weight });
    Ok(all.into_iter().map(to_json).collect())
}

/// The numbers that count as right, with their weights, from the smallest.
fn numbers(
    question: &Question,
    scale: &NumberScale,
    truth: f64,
    golden: NativeGolden,
) -> Result<Vec<(Value, f64)>> {
    let whole = |value: f64| {
        if value.fract() == 0.0 && value.abs() < 9e15 {
            json!(value as i64)
        } else {
            json!(value)
        }
    };
    let (reach, weight): (f64, Box<dyn Fn(f64) -> f64>) = match golden {
        NativeGolden::Exact => return Ok(vec![(whole(truth), 1.0)]),
        NativeGolden::Tolerance(t) => (t, Box::new(|_| 1.0)),
        NativeGolden::Triangular(t) => (t, Box::new(move |distance| 1.0 - distance / t)),
    };
    if !(scale.integer && reach.is_finite() && reach > 0.0) {
        return problem(format!(
            "the controls of {} cannot be given a tolerance",
            question.name
        ))
        .hint("only questions with integer = true can, and the tolerance must be above 0")
        .fail();
    }
    let (low, high) = (
        (truth - reach).max(scale.min).ceil(),
        (truth + reach).min(scale.max).floor(),
    );
    if high - low > MAX_SOLUTIONS as f64 {
        return problem(format!(
            "a control has more than {MAX_SOLUTIONS} right answers"
        ))
        .hint("use a smaller tolerance, or exact controls")
        .fail();
    }
    let steps = (high - low).max(-1.0) as i64;
    let found: Vec<(Value, f64)> = (0..=steps)
        .map(|step| low + step as f64)
        .map(|value| (whole(value), weight((value - truth).abs())))
        .filter(|(_, weight)| *weight > 0.0)
        .collect();
    if found.is_empty() {
        return problem(format!(
            "no answer to {} would be right for a control",
            question.name
        ))
        .value(truth.to_string())
        .hint("use a larger tolerance")
        .fail();
    }
    Ok(found)
}

#[cfg(test)]
#[path = "toloka_write_tests.rs"]
mod tests;
