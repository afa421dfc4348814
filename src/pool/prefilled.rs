//! Answers that tasks show before anybody has looked: what a network predicts, or labels of an earlier round.

use super::StoredPool;
use crate::{Result, files::Table, problem, tasks::TaskFinder};
use std::path::Path;
use veche_pools::{Answer, Question};

/// Answers by question and task; questions without a column have none at all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prefilled {
    /// Whose they are: the file's name without its ending.
    pub(super) model: String,
    /// `answers[question][task]`; a question of which the table says nothing has an empty list.
    pub(super) answers: Vec<Vec<Option<Answer>>>,
}

/// Reads a table with `item` (or `task`) and a column per question, as `veche predict` and `veche aggregate` write them; with one
/// question its column may be called `estimate` or `label`. Rows on items that are not in the pool are passed over.
///
/// Errors: no such columns, answers off the scale, an item twice, and a task without an answer: what some tasks show and others do
/// not could tell controls from items.
pub(super) fn read(path: &Path, pool: &StoredPool, questions: &[Question]) -> Result<Prefilled> {
    let table = Table::read(path)?;
    let item = table.column_of(&["item", "task", "id", "path"])?;
    let mut columns: Vec<Option<usize>> = questions.iter().map(|q| table.find(&q.name)).collect();
    if let [only @ None] = columns.as_mut_slice() {
        let mut usual = ["estimate", "label", "value"].iter();
        *only = usual.find_map(|name| table.find(name));
    }
    if columns.iter().all(Option::is_none) {
        let names: Vec<&str> = questions.iter().map(|q| q.name.as_str()).collect();
        table.column_of(&names)?;
    }
    let finder = TaskFinder::new(pool);
    let mut answers: Vec<Vec<Option<Answer>>> = columns
        .iter()
        .map(|c| vec![None; if c.is_some() { pool.len() } else { 0 }])
        .collect();
    let mut seen = vec![false; pool.len()];
    for row in table.rows() {
        let name = row.text(item).ok_or_else(|| row.problem(item, "no item"))?;
        let Ok(task) = finder.find(name) else {
            continue;
        };
        if std::mem::replace(&mut seen[task], true) {
            return row
                .problem(item, "an item is listed twice")
                .hint("one row per item: delete one of the two")
                .fail();
        }
        for (q, column) in columns.iter().enumerate() {
            let Some((column, text)) = column.and_then(|c| Some((c, row.text(c)?))) else {
                continue;
            };
            let answer = within(&questions[q], text)
                .map_err(|e| row.problem(column, e).hint("correct the prediction"))?;
            answers[q][task] = Some(answer);
        }
    }
    for (q, given) in answers.iter().enumerate().filter(|(_, a)| !a.is_empty()) {
        let missing: Vec<usize> = (0..given.len()).filter(|&t| given[t].is_none()).collect();
        if let Some(&first) = missing.first() {
            return problem(format!("{} of {} tasks have no {}", missing.len(), pool.len(), questions[q].name))
                .file(path)
                .value(&pool.items[first])
                .hint(
                    "predict items and controls alike (`veche aggregate` with --with-controls, `veche predict --items CAMPAIGN`): \
                     what only some tasks show could tell controls from items",
                )
                .fail();
        }
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Prefilled {
        model: stem.into_owned(),
        answers,
    })
}

/// An answer on the question's scale: a network's 34.2 years are 34 where only whole numbers are answers, and its -0.3 are 0.
fn within(question: &Question, text: &str) -> std::result::Result<Answer, String> {
    let text = match (&question.scale, text.parse::<f64>()) {
        (veche_pools::Scale::Number(scale), Ok(value)) if value.is_finite() => {
            let value = if scale.integer { value.round() } else { value };
            value.clamp(scale.min, scale.max).to_string()
        }
        _ => text.to_owned(),
    };
    question.read(&text).map_err(|e| e.to_string())
}
