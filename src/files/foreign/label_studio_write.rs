//! Tasks and votes as Label Studio reads them, and the labelling configuration that belongs to them.

use super::escape;
use crate::{
    Result,
    files::{FileAnswer, VoteTable, write_atomically},
    problem,
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
    path::Path,
};
use veche_pools::{Answer, Question, Scale};

/// What a task shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The address of a picture.
    Picture(String),
    /// A text.
    Text(String),
}

impl Shown {
    fn key(&self) -> &'static str {
        match self {
            Self::Picture(_) => "image",
            Self::Text(_) => "text",
        }
    }

    fn value(&self) -> &str {
        match self {
            Self::Picture(value) | Self::Text(value) => value,
        }
    }
}

/// The labelling configuration: the picture (or text), and under it a number field or a choice per question.
pub fn configuration(questions: &[Question], text: bool) -> String {
    let (tag, key) = if text {
        ("Text", "text")
    } else {
        ("Image", "image")
    };
    let mut xml = format!("<View>\n  <{tag} name=\"{key}\" value=\"${key}\"/>\n");
    for question in questions {
        let name = escape(&question.name);
        let _ = writeln!(xml, "  <Header value=\"{}\"/>", escape(&question.prompt));
        match &question.scale {
            Scale::Number(s) => {
                let step = if s.integer { " step=\"1\"" } else { "" };
                let _ = writeln!(
                    xml,
                    "  <Number name=\"{name}\" toName=\"{key}\" min=\"{}\" max=\"{}\"{step}/>",
                    s.min, s.max
                );
            }
            Scale::Choice(s) => {
                let _ = writeln!(
                    xml,
                    "  <Choices name=\"{name}\" toName=\"{key}\" choice=\"single\">"
                );
                for label in &s.labels {
                    let _ = writeln!(xml, "    <Choice value=\"{}\"/>", escape(label));
                }
                xml += "  </Choices>\n";
            }
        }
    }
    xml + "</View>\n"
}

/// Writes a list of JSON objects one by one, so that it never stands in memory whole.
fn list(path: &Path, values: impl Iterator<Item = Value>) -> Result<()> {
    write_atomically(path, |w| {
        let mut before = "[\n";
        for value in values {
            w.write_all(before.as_bytes())?;
            serde_json::to_writer(&mut *w, &value).map_err(io::Error::from)?;
            before = ",\n";
        }
        w.write_all(if before == "[\n" { b"[\n]\n" } else { b"\n]\n" })
    })
}

/// Writes the tasks in their order; `predicted` gives the answers that are filled in beforehand, and the name of who gave them.
/// Nothing says which tasks are controls.
pub fn write_tasks(
    path: &Path,
    tasks: &[(String, Shown)],
    questions: &[Question],
    predicted: Option<(&str, &[Vec<Option<Answer>>])>,
) -> Result<()> {
    list(
        path,
        tasks.iter().enumerate().map(|(at, (name, shown))| {
            let mut task = json!({"data": {shown.key(): shown.value(), "task": name}});
            if let Some((model, answers)) = predicted {
                let of = |(question, answers): (&Question, &Vec<Option<Answer>>)| {
                    answers
                        .get(at)
                        .copied()
                        .flatten()
                        .and_then(|answer| result(question, answer, shown.key()))
                };
                let results: Vec<Value> = questions.iter().zip(answers).filter_map(of).collect();
                task["predictions"] = json!([{"model_version": model, "result": results}]);
            }
            task
        }),
    )
}

fn result(question: &Question, answer: Answer, of: &str) -> Option<Value> {
    let (kind, value) = match (&question.scale, answer) {
        (Scale::Number(_), Answer::Number(v)) => ("number", json!({"number": v})),
        (Scale::Choice(_), Answer::Choice(_)) => {
            ("choices", json!({"choices": [question.write(answer)]}))
        }
        _ => return None,
    };
    Some(json!({"from_name": question.name, "to_name": of, "type": kind, "value": value}))
}

/// Writes votes as tasks with annotations, a task per item. The annotator stands in `completed_by`, as a number where it is one and
/// else as an e-mail address where it looks like one, and always in `annotator`, which Label Studio passes over. An unsure vote is an
/// annotation without an answer to its question.
pub fn write_votes(path: &Path, votes: &VoteTable) -> Result<()> {
    if votes.is_empty() {
        return problem("there are no votes to write").file(path).fail();
    }
    let mut items: BTreeMap<u32, BTreeMap<u32, Vec<usize>>> = BTreeMap::new();
    for index in 0..votes.len() {
        let (annotator, item, _) = votes.indices(index);
        let of_item = items.entry(item).or_default();
        of_item.entry(annotator).or_default().push(index);
    }
    let annotation = |indices: &Vec<usize>| {
        let first = votes.vote(indices[0]);
        let results: Vec<Value> = indices
            .iter()
            .filter_map(|&index| {
                let vote = votes.vote(index);
                let (kind, value) = match vote.answer {
                    FileAnswer::Number(v) => ("number", json!({"number": v})),
                    FileAnswer::Choice(label) => ("choices", json!({"choices": [label]})),
                    FileAnswer::Unsure => return None,
                };
                Some(json!({"from_name": vote.question, "to_name": "image", "type": kind, "value": value}))
            })
            .collect();
        let mut fields = Map::new();
        let by = match first.annotator.parse::<u64>() {
            Ok(id) if id.to_string() == first.annotator => Some(json!(id)),
            _ if first.annotator.contains('@') => Some(json!({"email": first.annotator})),
            _ => None,
        };
        fields.extend(by.map(|by| ("completed_by".to_owned(), by)));
        fields.insert("annotator".to_owned(), json!(first.annotator));
        fields.insert("result".to_owned(), Value::Array(results));
        fields.extend(first.seconds.map(|s| ("lead_time".to_owned(), json!(s))));
        let moment = first.submitted.map(crate::files::time::write_moment);
        fields.extend(moment.map(|m| ("created_at".to_owned(), json!(m))));
        Value::Object(fields)
    };
    list(
        path,
        items.iter().map(|(&item, of_item)| {
            let annotations: Vec<Value> = of_item.values().map(annotation).collect();
            json!({"data": {"task": votes.items().get(item)}, "annotations": annotations})
        }),
    )
}
