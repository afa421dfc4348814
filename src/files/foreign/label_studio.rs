//! What Label Studio exports: JSON (tasks with annotations) and JSON-MIN (one object per annotation).

use super::{Expected, Record, Records};
use crate::{
    Problem, Result,
    files::{Skipped, time::read_moment, toloka::task_name},
    problem,
};
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::{fmt, path::Path};

/// Keys of a task's data that name the item, the surest first.
const ITEM: [&str; 10] = [
    "task", "task_id", "item", "item_id", "image", "picture", "photo", "url", "text", "file",
];
/// Keys of JSON-MIN that are no answers.
const BESIDE: [&str; 9] = [
    "id",
    "annotator",
    "annotation_id",
    "created_at",
    "updated_at",
    "lead_time",
    "project",
    "agreement",
    "history",
];

/// Reads an export. Annotations marked as ground truth are truths and not votes; cancelled ones are left out and counted as
/// `SKIPPED`; regions drawn on pictures are passed over; predictions are no votes. Tasks that nobody annotated say nothing.
///
/// The row of a record is the task's place in the file, from 1. Errors: no JSON, no tasks, an annotation without annotator, an
/// answer that is not one value, a question answered twice in one annotation.
pub fn read(path: &Path, expected: &Expected, skipped: &mut Skipped) -> Result<Records> {
    let text = super::text(path)?;
    let mut found = Records::default();
    let mut row = 0;
    let mut bad = None;
    let mut each = |value: Value| {
        row += 1;
        let task = Task {
            path,
            row,
            expected,
        };
        let kept = (found.records.len(), found.left_out.clone());
        if let Err(problem) = task.read(&value, &mut found) {
            // A task counts whole or not at all.
            found.records.truncate(kept.0);
            found.left_out = kept.1;
            if let Err(problem) = skipped.take(problem) {
                bad = Some(problem);
                return false;
            }
        }
        true
    };
    let mut json = serde_json::Deserializer::from_str(&text);
    let read = json
        .deserialize_any(Tasks(&mut each))
        .and_then(|()| json.end());
    if let Some(problem) = bad {
        return Err(problem);
    }
    match read {
        Ok(()) => Ok(found),
        Err(e) if e.is_data() => problem("is not a list of tasks, as Label Studio exports them")
            .file(path)
            .hint("export the project as JSON or JSON-MIN")
            .fail(),
        Err(e) => problem(format!("is not JSON: {e}"))
            .file(path)
            .row(e.line() as u64)
            .hint("export it again: it may be cut off")
            .fail(),
    }
}

/// Hands over the tasks one by one, so that a large export never stands in memory as a tree.
struct Tasks<'a>(&'a mut dyn FnMut(Value) -> bool);

impl<'de> Visitor<'de> for Tasks<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tasks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tasks: A) -> Result<(), A::Error> {
        while let Some(task) = tasks.next_element::<Value>()? {
            if !(self.0)(task) {
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut task = Map::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            task.insert(key, value);
        }
        (self.0)(Value::Object(task));
        Ok(())
    }
}

/// One task of the file.
#[derive(Clone, Copy)]
struct Task<'a> {
    path: &'a Path,
    row: u64,
    expected: &'a Expected,
}

impl Task<'_> {
    fn problem(&self, field: &str, what: impl Into<String>) -> Problem {
        problem(what)
            .file(self.path)
            .row(self.row)
            .column(field)
            .hint("rows are tasks, counted from 1: correct it in Label Studio and export again, or leave it out with --skip-bad-rows")
    }

    fn read(&self, value: &Value, found: &mut Records) -> Result<()> {
        let Value::Object(task) = value else {
            return self
                .problem("", "is not a task of Label Studio")
                .value(value.to_string())
                .fail();
        };
        if let Some(annotations) = task.get("annotations").or_else(|| task.get("completions")) {
            let Value::Array(annotations) = annotations else {
                return self
                    .problem("annotations", "is not a list of annotations")
                    .value(annotations.to_string())
                    .fail();
            };
            for (at, annotation) in annotations.iter().enumerate() {
                self.annotation(task, annotation, &format!("annotations[{at}]"), found)?;
            }
            return Ok(());
        }
        if task.contains_key("annotation_id") && task.contains_key("annotator") {
            return self.minimal(task, found);
        }
        if task.contains_key("data") {
            return Ok(());
        }
        let keys: Vec<&str> = task.keys().map(String::as_str).take(10).collect();
        self.problem(
            "annotations",
            "is not a task of Label Studio: it has no annotations",
        )
        .value(keys.join(", "))
        .hint("export the project as JSON or JSON-MIN; another JSON is not read")
        .fail()
    }

    /// The item that a task's data name.
    fn item(&self, data: &Map<String, Value>, id: Option<&Value>) -> Result<String> {
        if let Some(key) = &self.expected.item {
            return data.get(key).and_then(plain).ok_or_else(|| {
                let p = self.problem(&format!("data.{key}"), "no item");
                Box::new(p.hint("`item` under [votes], or --item-column, names the key of data"))
            });
        }
        // The platform may have put an address of its own around the picture's name.
        let named = |text: &String| task_name(text).map(str::to_owned);
        let surest = data.get("task").and_then(plain);
        if let Some(name) =
            surest.or_else(|| data.values().filter_map(plain).find_map(|t| named(&t)))
        {
            return Ok(name);
        }
        let usual = ITEM.iter().find_map(|key| data.get(*key).and_then(plain));
        let only = || match data.values().filter_map(plain).collect::<Vec<_>>() {
            texts if texts.len() == 1 => texts.into_iter().next(),
            _ => None,
        };
        match usual.or_else(only).or_else(|| id.and_then(plain)) {
            Some(item) => Ok(item),
            None => self
                .problem("data", "nothing says which item this is")
                .fail(),
        }
    }

    fn annotation(
        &self,
        task: &Map<String, Value>,
        annotation: &Value,
        field: &str,
        found: &mut Records,
    ) -> Result<()> {
        let yes = |key: &str| annotation.get(key) == Some(&Value::Bool(true));
        if yes("was_cancelled") || yes("skipped") {
            *found.left_out.entry("SKIPPED".to_owned()).or_default() += 1;
            return Ok(());
        }
        let empty = Map::new();
        let data = match task.get("data") {
            Some(Value::Object(data)) => data,
            _ => &empty,
        };
        let truth = yes("ground_truth");
        let by = annotation.get("completed_by");
        let annotator = by
            .and_then(person)
            .or_else(|| annotation.get("annotator").and_then(plain));
        let Some(annotator) = annotator.or_else(|| truth.then(String::new)) else {
            return self
                .problem(&format!("{field}.completed_by"), "no annotator")
                .value(by.unwrap_or(&Value::Null).to_string())
                .fail();
        };
        let Some(Value::Array(results)) = annotation.get("result") else {
            return self
                .problem(&format!("{field}.result"), "is not a list of answers")
                .value(annotation.get("result").unwrap_or(&Value::Null).to_string())
                .fail();
        };
        let seconds = annotation.get("lead_time").and_then(Value::as_f64);
        let record = Record {
            annotator,
            item: self.item(data, task.get("id"))?,
            question: String::new(),
            answer: None,
            seconds: seconds.filter(|s| *s >= 0.0).map(|s| s as f32),
            submitted: self.moment(annotation.get("created_at"), field)?,
            assignment: annotation.get("id").and_then(plain),
            truth,
            row: self.row,
            field: field.to_owned(),
        };
        let mut answered: Vec<&str> = Vec::new();
        for (at, result) in results.iter().enumerate() {
            let field = format!("{field}.result[{at}].value");
            let Some(question) = result.get("from_name").and_then(Value::as_str) else {
                return self.problem(&field, "an answer without from_name").fail();
            };
            if !self.expected.wants(question) {
                found.others.insert(question.to_owned());
                continue;
            }
            let Some(answer) = self.answer(result.get("value"), &field)? else {
                continue;
            };
            if answered.contains(&question) {
                return self
                    .problem(&field, "answers a question that is answered before")
                    .value(answer)
                    .fail();
            }
            answered.push(question);
            found.records.push(Record {
                question: question.to_owned(),
                answer: Some(answer),
                field,
                ..record.clone()
            });
        }
        // Submitted without an answer to what was asked: the annotator could not tell.
        for question in self.expected.questions.iter().filter(|_| !truth) {
            if !answered.contains(&question.as_str()) {
                found.records.push(Record {
                    question: question.clone(),
                    ..record.clone()
                });
            }
        }
        Ok(())
    }

    /// The one value of an answer; `None` for regions and other results that are no answers.
    fn answer(&self, value: Option<&Value>, field: &str) -> Result<Option<String>> {
        let Some(Value::Object(value)) = value else {
            return Ok(None);
        };
        let kinds = ["number", "rating", "choices", "text", "datetime"];
        let Some((kind, answer)) = kinds.iter().find_map(|k| Some((k, value.get(*k)?))) else {
            return Ok(None);
        };
        let one = match answer {
            Value::Array(several) => match several.as_slice() {
                [one] => plain(one),
                [] => return Ok(None),
                _ => {
                    return self
                        .problem(field, "has several answers where one is needed")
                        .value(answer.to_string())
                        .hint("let annotators choose one: choice=\"single\" in the labelling configuration")
                        .fail();
                }
            },
            one => plain(one),
        };
        match one {
            Some(text) => Ok(Some(text)),
            None => self
                .problem(&format!("{field}.{kind}"), "is not an answer")
                .value(answer.to_string())
                .fail(),
        }
    }

    /// JSON-MIN: answers are keys beside the task's data.
    fn minimal(&self, task: &Map<String, Value>, found: &mut Records) -> Result<()> {
        let Some(annotator) = task.get("annotator").and_then(person) else {
            return self
                .problem("annotator", "no annotator")
                .value(task["annotator"].to_string())
                .fail();
        };
        // What is asked is not data, and data are not answers; without a campaign keys that name items are data.
        let data: Map<String, Value> = task
            .iter()
            .filter(|(key, _)| {
                let known = !self.expected.questions.is_empty();
                !BESIDE.contains(&key.as_str())
                    && if known {
                        !self.expected.wants(key)
                    } else {
                        ITEM.contains(&key.as_str()) || self.expected.item.as_ref() == Some(*key)
                    }
            })
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let seconds = task.get("lead_time").and_then(Value::as_f64);
        let record = Record {
            annotator,
            item: self.item(&data, task.get("id"))?,
            question: String::new(),
            answer: None,
            seconds: seconds.filter(|s| *s >= 0.0).map(|s| s as f32),
            submitted: self.moment(task.get("created_at"), "")?,
            assignment: task.get("annotation_id").and_then(plain),
            truth: false,
            row: self.row,
            field: String::new(),
        };
        let asked: Vec<&String> = if self.expected.questions.is_empty() {
            let beside =
                |key: &&String| !BESIDE.contains(&key.as_str()) && !data.contains_key(*key);
            task.keys().filter(beside).collect()
        } else {
            self.expected.questions.iter().collect()
        };
        if !self.expected.questions.is_empty() {
            let other =
                |key: &&String| !BESIDE.contains(&key.as_str()) && !self.expected.wants(key);
            found.others.extend(task.keys().filter(other).cloned());
        }
        for question in asked {
            let answer = match task.get(question) {
                None | Some(Value::Null) => None,
                // Regions are lists of objects.
                Some(Value::Array(_) | Value::Object(_)) if self.expected.questions.is_empty() => {
                    continue;
                }
                Some(value) => match plain(value) {
                    Some(text) => Some(text),
                    None => {
                        return self
                            .problem(question, "is not an answer")
                            .value(value.to_string())
                            .fail();
                    }
                },
            };
            found.records.push(Record {
                question: question.clone(),
                answer,
                field: question.clone(),
                ..record.clone()
            });
        }
        Ok(())
    }

    fn moment(&self, value: Option<&Value>, field: &str) -> Result<Option<i64>> {
        let Some(text) = value.and_then(plain) else {
            return Ok(None);
        };
        match read_moment(&text) {
            Some(moment) => Ok(Some(moment)),
            None => {
                let field = if field.is_empty() {
                    "created_at".to_owned()
                } else {
                    format!("{field}.created_at")
                };
                self.problem(&field, "is not a date and time")
                    .value(text)
                    .fail()
            }
        }
    }
}

/// A number or text that is not empty, as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|t| !t.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Who: an id, or an object with one; people are known by their e-mail address where there is one.
fn person(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => ["email", "username", "id"]
            .iter()
            .find_map(|key| fields.get(*key).and_then(plain)),
        other => plain(other),
    }
}
