//! Which column of a vote file means what: found by name, or said in campaign.toml.

use super::Table;
use crate::{Result, problem};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use veche_pools::Question;

const ANNOTATOR: &[&str] = &[
    "annotator",
    "annotator_id",
    "worker",
    "worker_id",
    "performer",
    "performer_id",
    "user",
    "user_id",
];
const ITEM: &[&str] = &["item", "item_id", "task", "task_id"];
const QUESTION: &[&str] = &["question"];
const VALUE: &[&str] = &["value", "answer", "label"];
const TRUTH: &[&str] = &["truth"];
const SECONDS: &[&str] = &["seconds"];
const SUBMITTED: &[&str] = &["submitted", "time", "timestamp"];
const ASSIGNMENT: &[&str] = &["assignment", "assignment_id"];
const STATUS: &[&str] = &["status"];
const SOURCE: &[&str] = &["source"];

/// Names of columns by what they mean, as in `[votes]` of campaign.toml. What is not said is found by its usual names,
/// without regard to case: annotator, worker, performer or user (also with `_id`); item, task or, where there is none,
/// question; value, answer or label; truth; seconds; submitted, time or timestamp; assignment; status; source.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VoteMapping {
    /// Who answered.
    pub annotator: Option<String>,
    /// About what.
    pub item: Option<String>,
    /// Which question, where each row answers one of several.
    pub question: Option<String>,
    /// The answer, where each row holds one.
    pub value: Option<String>,
    /// The answers, where each row holds several: question → column.
    pub answers: BTreeMap<String, String>,
    /// The known answer, repeated on every vote on the item.
    pub truth: Option<String>,
    /// Seconds spent on the task.
    pub seconds: Option<String>,
    /// When it was submitted.
    pub submitted: Option<String>,
    /// Id of the assignment.
    pub assignment: Option<String>,
    /// Status of the assignment.
    pub status: Option<String>,
    /// Where the vote came from.
    pub source: Option<String>,
    /// Statuses whose votes count; `APPROVED`, `ACCEPTED` and `SUBMITTED` if not said.
    pub accept: Option<Vec<String>>,
}

/// Statuses whose votes count unless campaign.toml says otherwise. REST calls accepted work ACCEPTED, result files APPROVED.
pub(super) const ACCEPTED: &[&str] = &["APPROVED", "ACCEPTED", "SUBMITTED"];
/// Statuses that are known to carry no usable answers.
pub(super) const REFUSED: &[&str] = &["REJECTED", "SKIPPED", "EXPIRED", "ACTIVE"];

impl VoteMapping {
    /// Whether votes with this status count; `None` for a status that is neither accepted nor known.
    pub(super) fn accepts(&self, status: &str) -> Option<bool> {
        let is = |word: &str| word.eq_ignore_ascii_case(status);
        let accepted = match &self.accept {
            Some(words) => words.iter().any(|w| is(w)),
            None => ACCEPTED.iter().any(|w| is(w)),
        };
        let known = ACCEPTED.iter().chain(REFUSED).any(|w| is(w));
        (accepted || known).then_some(accepted)
    }
}

/// Where one answer of a row stands, and to which question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AnswerColumn {
    /// The question, or the column that names it.
    pub(crate) question: Asked,
    pub(crate) from: Cell,
    pub(crate) truth: Option<usize>,
    /// Whether an empty cell is an annotator who could not tell, or no vote at all.
    pub(crate) empty_is_unsure: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    Always(String),
    Column(usize),
}

/// The cell of an answer; typed tables (our Parquet) have numbers and choices apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    Column(usize),
    Typed { number: usize, choice: usize },
}

/// How the item of a row is named.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ItemColumns {
    /// As the cell says.
    Whole(usize),
    /// By the opaque task name at the end of a path or address.
    TaskName(usize),
    /// By several cells together.
    Joined(Vec<usize>),
}

/// A table's columns with their meanings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub(crate) annotator: usize,
    pub(crate) item: ItemColumns,
    pub(crate) answers: Vec<AnswerColumn>,
    pub(crate) seconds: Option<usize>,
    pub(crate) started: Option<usize>,
    pub(crate) submitted: Option<usize>,
    pub(crate) assignment: Option<usize>,
    pub(crate) status: Option<usize>,
    pub(crate) source: Option<usize>,
    pub(crate) hint: Option<usize>,
}

/// Looks a column up among names; shared by tables in memory and by Parquet files of which only the schema is read.
pub(crate) trait Header {
    fn find(&self, name: &str) -> Option<usize>;
    fn need(&self, names: &[&str]) -> Result<usize>;
    /// Whether there is such a column, even one whose type cannot be read.
    fn has(&self, name: &str) -> bool;
}

impl Header for Table {
    fn has(&self, name: &str) -> bool {
        Table::has(self, name)
    }

    fn find(&self, name: &str) -> Option<usize> {
        Table::find(self, name)
    }

    fn need(&self, names: &[&str]) -> Result<usize> {
        match names {
            [only] => self.column(only),
            several => self.column_of(several),
        }
    }
}

/// The column that was named, or else the first of the usual names that there is.
fn optional(header: &impl Header, named: Option<&String>, usual: &[&str]) -> Result<Option<usize>> {
    match named {
        Some(name) => header.need(&[name]).map(Some),
        // A column that is there but cannot be read is an error, not an absent one.
        None => match usual.iter().find(|name| header.has(name)) {
            Some(name) => header.need(&[name]).map(Some),
            None => Ok(None),
        },
    }
}

fn needed(header: &impl Header, named: Option<&String>, usual: &[&str]) -> Result<usize> {
    match named {
        Some(name) => header.need(&[name]),
        None => header.need(usual),
    }
}

impl Layout {
    /// The meanings of the columns of a plain vote table, long or wide.
    pub(crate) fn plain(
        header: &impl Header,
        mapping: &VoteMapping,
        questions: &[Question],
        only_question: &str,
    ) -> Result<Self> {
        let annotator = needed(header, mapping.annotator.as_ref(), ANNOTATOR)?;
        let mut question = optional(header, mapping.question.as_ref(), QUESTION)?;
        let item = match optional(header, mapping.item.as_ref(), ITEM)? {
            Some(item) => item,
            // In some published sets the thing that is judged is called the question.
            None if mapping.question.is_none() && question.is_some() => {
                question.take().unwrap_or_default()
            }
            None => header.need(&["item", "task", "question"])?,
        };
        let truth = optional(header, mapping.truth.as_ref(), TRUTH)?;
        let answers = answers(header, mapping, questions, only_question, question, truth)?;
        Ok(Self {
            annotator,
            item: ItemColumns::Whole(item),
            answers,
            seconds: optional(header, mapping.seconds.as_ref(), SECONDS)?,
            started: None,
            submitted: optional(header, mapping.submitted.as_ref(), SUBMITTED)?,
            assignment: optional(header, mapping.assignment.as_ref(), ASSIGNMENT)?,
            status: optional(header, mapping.status.as_ref(), STATUS)?,
            source: optional(header, mapping.source.as_ref(), SOURCE)?,
            hint: None,
        })
    }

    /// The meanings of the columns of a table of truths: item, question if several, truth (or value, answer, label, or one
    /// column per question). The annotator's column is not looked at.
    pub(crate) fn truths(
        header: &impl Header,
        mapping: &VoteMapping,
        questions: &[Question],
        only_question: &str,
    ) -> Result<(usize, Vec<AnswerColumn>)> {
        let mut question = optional(header, mapping.question.as_ref(), QUESTION)?;
        let item = match optional(header, mapping.item.as_ref(), ITEM)? {
            Some(item) => item,
            None => match question.take() {
                Some(question) => question,
                None => header.need(&["item", "task", "question"])?,
            },
        };
        let mapping = VoteMapping {
            value: optional(header, mapping.truth.as_ref(), TRUTH)?
                .map(|_| mapping.truth.clone().unwrap_or_else(|| "truth".into())),
            ..mapping.clone()
        };
        let answers = answers(header, &mapping, questions, only_question, question, None)?;
        Ok((item, answers))
    }
}

fn answers(
    header: &impl Header,
    mapping: &VoteMapping,
    questions: &[Question],
    only_question: &str,
    question: Option<usize>,
    truth: Option<usize>,
) -> Result<Vec<AnswerColumn>> {
    let wide = |name: &str, column| AnswerColumn {
        question: Asked::Always(name.to_owned()),
        from: Cell::Column(column),
        truth: None,
        empty_is_unsure: false,
    };
    if !mapping.answers.is_empty() {
        let columns = mapping.answers.iter();
        return columns
            .map(|(name, column)| Ok(wide(name, header.need(&[column])?)))
            .collect();
    }
    let value = optional(header, mapping.value.as_ref(), VALUE)?;
    let typed = header.find("number").zip(header.find("choice"));
    let from = match (value, typed) {
        (Some(value), _) => Cell::Column(value),
        (None, Some((number, choice))) => Cell::Typed { number, choice },
        (None, None) => {
            let found: Vec<AnswerColumn> = questions
                .iter()
                .filter_map(|q| header.find(&q.name).map(|column| wide(&q.name, column)))
                .collect();
            if found.is_empty() {
                header.need(VALUE)?;
            }
            return Ok(found);
        }
    };
    let question = match question {
        Some(column) => Asked::Column(column),
        None => Asked::Always(match questions {
            [only] => only.name.clone(),
            [] => only_question.to_owned(),
            several => {
                let names: Vec<&str> = several.iter().map(|q| q.name.as_str()).collect();
                return problem(format!(
                    "the campaign asks {} and there is no column that says which of them a vote answers",
                    names.join(" and ")
                ))
                .hint("add a column question, or one column per question; or name them under [votes] in campaign.toml")
                .fail();
            }
        }),
    };
    Ok(vec![AnswerColumn {
        question,
        from,
        truth,
        empty_is_unsure: true,
    }])
}
