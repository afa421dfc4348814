//! The CSV of results that Amazon Mechanical Turk gives for a batch: a row per assignment, `Input.` and `Answer.` columns, and
//! where a HIT shows a suite several tasks in one row, told apart by a number at the end: `Input.picture_3`, `Answer.age_3`.

use super::{Expected, Record, Records};
use crate::{
    Result,
    files::{Row, Skipped, Table, VoteMapping, time::read_moment, toloka::task_name},
};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path};

/// Names of inputs that say which item is shown, the surest first.
const ITEM: [&str; 11] = [
    "task",
    "task_id",
    "item",
    "item_id",
    "picture",
    "image",
    "photo",
    "image_url",
    "url",
    "text",
    "file",
];
/// What `crowd-form` puts all answers into.
const BUNDLE: &str = "Answer.taskAnswers";

/// Whether a table has the columns of a batch's results.
pub fn is_result(table: &Table) -> bool {
    table.find("HITId").is_some() && table.find("WorkerId").is_some()
}

/// Reads the results. Work that was rejected is left out and counted. The time on a task is `WorkTimeInSeconds` divided by the
/// tasks of the HIT. Answers stand in `Answer.QUESTION`, for the n-th task of a suite in `Answer.QUESTION_n`; as one column per
/// label with true or false (`Answer.QUESTION.LABEL`); or all in `Answer.taskAnswers`, as `crowd-form` sends them. An empty answer
/// is unsure. Errors: columns that are missing, a task that no input names, answers that are no JSON, unknown statuses.
pub fn read(
    path: &Path,
    table: &Table,
    expected: &Expected,
    skipped: &mut Skipped,
) -> Result<Records> {
    let columns = Columns::of(path, table, expected)?;
    let mut found = Records::default();
    for row in table.rows() {
        let kept = found.records.len();
        if let Err(problem) = columns.row(row, expected, &mut found) {
            found.records.truncate(kept);
            skipped.take(problem)?;
        }
    }
    Ok(found)
}

/// `age_3` is the third task's `age`; without a number there is one task.
fn place_of<'a>(name: &'a str, expected: &Expected) -> (&'a str, Option<u32>) {
    if !expected.questions.is_empty() && expected.wants(name) {
        return (name, None);
    }
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let base = stem.trim_end_matches(['_', '-', '.']);
    match name[stem.len()..].parse() {
        Ok(number) if !base.is_empty() => (base, Some(number)),
        _ => (name, None),
    }
}

struct Columns {
    worker: usize,
    assignment: Option<usize>,
    status: Option<usize>,
    accepted: Option<usize>,
    submitted: Option<usize>,
    seconds: Option<usize>,
    bundle: Option<usize>,
    /// Name without `Answer.`, column.
    answers: Vec<(String, usize)>,
    /// The item's column by place; `None` for the only task.
    items: BTreeMap<Option<u32>, usize>,
}

impl Columns {
    fn of(path: &Path, table: &Table, expected: &Expected) -> Result<Self> {
        let prefixed = |prefix: &str| -> Vec<(String, usize)> {
            let named = table.columns().iter().enumerate();
            named
                .filter_map(|(at, name)| Some((name.strip_prefix(prefix)?.to_owned(), at)))
                .collect()
        };
        let (mut answers, inputs) = (prefixed("Answer."), prefixed("Input."));
        answers.retain(|(_, at)| table.columns()[*at] != BUNDLE);
        let bundle = table.find(BUNDLE);
        if answers.is_empty() && bundle.is_none() {
            return table
                .problem("there is no column that begins with Answer.")
                .hint("download the results of the batch with the workers' answers")
                .fail();
        }
        let items = items(path, table, &inputs, expected)?;
        Ok(Self {
            worker: table.column("WorkerId")?,
            assignment: table.find("AssignmentId"),
            status: table.find("AssignmentStatus"),
            accepted: table.find("AcceptTime"),
            submitted: table.find("SubmitTime"),
            seconds: table.find("WorkTimeInSeconds"),
            bundle,
            answers,
            items,
        })
    }

    fn row(&self, row: Row<'_>, expected: &Expected, found: &mut Records) -> Result<()> {
        if let Some(column) = self.status {
            let status = row.get(column).trim();
            let mapping = VoteMapping {
                accept: expected.accept.clone(),
                ..VoteMapping::default()
            };
            match mapping.accepts(status) {
                Some(true) => {}
                Some(false) => {
                    *found.left_out.entry(status.to_uppercase()).or_default() +=
                        self.items.len() as u64;
                    return Ok(());
                }
                None => {
                    return row
                        .problem(column, "unknown status of an assignment")
                        .hint("say which statuses count: accept = [\"Approved\", …] under [votes] in campaign.toml")
                        .fail();
                }
            }
        }
        let annotator = row
            .text(self.worker)
            .ok_or_else(|| row.problem(self.worker, "no annotator"))?;
        let mut answers: BTreeMap<(Option<u32>, String), (Option<String>, String)> =
            BTreeMap::new();
        let others = &mut found.others;
        let mut put = |name: &str, text: Option<&str>, field: String| {
            // One column per label, with true or false.
            let of_label = name.rsplit_once('.').zip(is_yes(text));
            let (name, text) = match of_label {
                Some(((base, label), yes)) => (base, yes.then_some(label)),
                None => (name, text),
            };
            let (question, place) = if self.items.keys().eq([&None::<u32>]) {
                (name, None)
            } else {
                place_of(name, expected)
            };
            if !expected.wants(question) {
                others.insert(question.to_owned());
                return;
            }
            let answer = (text.map(str::to_owned), field);
            let key = (place, question.to_owned());
            if of_label.is_some() && text.is_none() {
                answers.entry(key).or_insert(answer);
            } else {
                answers.insert(key, answer);
            }
        };
        for (name, column) in &self.answers {
            put(name, row.text(*column), format!("Answer.{name}"));
        }
        if let Some((column, text)) = self.bundle.and_then(|c| Some((c, row.text(c)?))) {
            for (name, text) in bundled(row, column, text)? {
                put(&name, text.as_deref(), format!("{BUNDLE} {name}"));
            }
        }
        let moment = |column: Option<usize>| -> Result<Option<i64>> {
            let Some((column, text)) = column.and_then(|c| Some((c, row.text(c)?))) else {
                return Ok(None);
            };
            match read_moment(text).or_else(|| read_calendar(text)) {
                Some(moment) => Ok(Some(moment)),
                None => row
                    .problem(column, "is not a date and time")
                    .hint("it reads like \"Tue Nov 24 08:00:00 PST 2026\"; write it so or as 2026-11-24T16:00:00Z")
                    .fail(),
            }
        };
        let submitted = moment(self.submitted)?;
        let whole = match self.seconds {
            Some(column) => row.float(column)?,
            None => moment(self.accepted)?
                .zip(submitted)
                .map(|(a, b)| (b - a) as f64),
        };
        let tasks = self.items.len() as f64;
        let seconds = whole.filter(|s| *s >= 0.0).map(|s| (s / tasks) as f32);
        for (&place, &column) in &self.items {
            // The last HIT may have fewer tasks.
            let Some(text) = row.text(column) else {
                continue;
            };
            let record = Record {
                annotator: annotator.to_owned(),
                item: task_name(text).unwrap_or(text).to_owned(),
                question: String::new(),
                answer: None,
                seconds,
                submitted,
                assignment: self.assignment.and_then(|c| row.text(c)).map(str::to_owned),
                truth: false,
                row: row.number(),
                field: String::new(),
            };
            let mut add = |question: &str, answer: Option<String>, field: &str| {
                found.records.push(Record {
                    question: question.to_owned(),
                    answer,
                    field: field.to_owned(),
                    ..record.clone()
                });
            };
            if expected.questions.is_empty() {
                for ((_, question), (answer, field)) in
                    answers.iter().filter(|((p, _), _)| *p == place)
                {
                    add(question, answer.clone(), field);
                }
            }
            for question in &expected.questions {
                match answers.get(&(place, question.clone())) {
                    Some((answer, field)) => add(question, answer.clone(), field),
                    None => add(question, None, ""),
                }
            }
        }
        Ok(())
    }
}

/// Which input names the item, by the task's place in its suite.
fn items(
    path: &Path,
    table: &Table,
    inputs: &[(String, usize)],
    expected: &Expected,
) -> Result<BTreeMap<Option<u32>, usize>> {
    let nothing = Expected::default();
    let usual: Vec<&str> = match &expected.item {
        Some(name) => vec![name.strip_prefix("Input.").unwrap_or(name)],
        None => ITEM.to_vec(),
    };
    for name in usual {
        let mut found = BTreeMap::new();
        for (input, column) in inputs {
            let (base, place) = place_of(input, &nothing);
            if input.eq_ignore_ascii_case(name) {
                found.insert(None, *column);
            } else if base.eq_ignore_ascii_case(name) {
                found.insert(place, *column);
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    if let ([(_, only)], None) = (inputs, &expected.item) {
        return Ok(BTreeMap::from([(None, *only)]));
    }
    let names: Vec<String> = inputs.iter().map(|(n, _)| format!("Input.{n}")).collect();
    table
        .problem("no input says which task was answered")
        .file(path)
        .value(names.join(", "))
        .hint("call it Input.task or Input.picture (Input.task_1 … in suites), or say `item` under [votes] or with --item-column")
        .fail()
}

fn is_yes(text: Option<&str>) -> Option<bool> {
    match text {
        None => Some(false),
        Some(t) if t.eq_ignore_ascii_case("true") || t == "on" => Some(true),
        Some(t) if t.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The answers of `crowd-form`: a list of one object.
fn bundled(row: Row<'_>, column: usize, text: &str) -> Result<Vec<(String, Option<String>)>> {
    let broken = || {
        row.problem(column, "is not the JSON of a crowd-form")
            .hint("it reads like [{\"age\": \"30\"}]; a spreadsheet may have cut it: download the results again")
    };
    let parsed: Value = serde_json::from_str(text).map_err(|_| Box::new(broken()))?;
    let fields = match &parsed {
        Value::Array(list) => list.first().and_then(Value::as_object),
        other => other.as_object(),
    };
    let Some(fields) = fields else {
        return broken().fail();
    };
    let mut all = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Object(labels) => {
                for (label, on) in labels {
                    all.push((format!("{name}.{label}"), Some(on.to_string())));
                }
            }
            Value::String(text) => all.push((
                name.clone(),
                Some(text.trim().to_owned()).filter(|t| !t.is_empty()),
            )),
            Value::Null => all.push((name.clone(), None)),
            other => all.push((name.clone(), Some(other.to_string()))),
        }
    }
    Ok(all)
}

/// `Tue Nov 24 08:00:00 PST 2026`, as the requester's site writes it.
fn read_calendar(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [_, month, day, time, zone, year] = parts.as_slice() else {
        return None;
    };
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = 1 + MONTHS.iter().position(|m| m == month)?;
    let offset = match *zone {
        "PST" => "-08:00",
        "PDT" => "-07:00",
        "UTC" | "GMT" => "Z",
        _ => return None,
    };
    let day: u8 = day.parse().ok()?;
    read_moment(&format!("{year}-{month:02}-{day:02}T{time}{offset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_requesters_site_is_read() {
        // 2026-11-24T00:00:00Z is 20,781 days after 1970: 1,795,478,400; PST is 8 hours behind UTC.
        assert_eq!(
            read_calendar("Tue Nov 24 08:00:00 PST 2026"),
            Some(1_795_478_400 + 16 * 3600)
        );
        assert_eq!(
            read_calendar("Tue Nov 24 08:00:00 PDT 2026"),
            Some(1_795_478_400 + 15 * 3600)
        );
        assert_eq!(read_calendar("Tue Nov 24 08:00:00 EST 2026"), None);
        assert_eq!(read_calendar("24.11.2026"), None);
    }

    #[test]
    fn a_number_at_the_end_is_the_tasks_place() {
        let asked = Expected {
            questions: vec!["age".into(), "size2".into()],
            ..Expected::default()
        };
        for (name, expected) in [
            ("age", ("age", None)),
            ("age_3", ("age", Some(3))),
            ("age12", ("age", Some(12))),
            ("size2", ("size2", None)),
            ("size2_1", ("size2", Some(1))),
            ("7", ("7", None)),
        ] {
            assert_eq!(place_of(name, &asked), expected, "{name}");
        }
    }
}
