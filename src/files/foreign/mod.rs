//! Votes in the files of other tools: Label Studio, CVAT, Amazon Mechanical Turk, Prolific. What a file says becomes records, which
//! the reader of votes checks like the rows of any table.
//!
//! A room of its own because these are no tables: JSON by task, XML by picture, several tasks in one row.

pub mod cvat;
pub mod cvat_write;
pub mod label_studio;
pub mod label_studio_write;
pub mod mturk;
pub mod mturk_write;
pub mod prolific;

use crate::{Problem, Result, problem};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read},
    path::Path,
};

/// How a file of votes is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum VoteFormat {
    /// Recognised by its content
    #[default]
    Auto,
    /// Any table of votes, long or wide, and Toloka's result files
    Table,
    /// JSON or JSON-MIN as Label Studio exports it
    LabelStudio,
    /// CVAT for images 1.1
    Cvat,
    /// Results of a batch of Amazon Mechanical Turk
    Mturk,
}

impl VoteFormat {
    /// What the file is, if nobody said so: JSON and XML by their first character. Tables are told apart by their columns later.
    pub(super) fn of(self, path: &Path) -> Result<Self> {
        if self != Self::Auto {
            return Ok(self);
        }
        let fail = |e: io::Error| Problem::io("read the file", path, &e);
        // A pipe cannot be read twice, and holds a table. Folders have an error of their own later.
        if !std::fs::metadata(path).map_err(fail)?.is_file() {
            return Ok(self);
        }
        let mut start = Vec::new();
        File::open(path)
            .and_then(|file| file.take(256).read_to_end(&mut start))
            .map_err(fail)?;
        let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
        Ok(match start.iter().find(|b| !b.is_ascii_whitespace()) {
            Some(b'[' | b'{') => Self::LabelStudio,
            Some(b'<') => Self::Cvat,
            _ => Self::Auto,
        })
    }
}

/// One answer as a file of another tool has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Who answered.
    pub annotator: String,
    /// About what.
    pub item: String,
    /// The question, as the file calls it.
    pub question: String,
    /// The answer; `None` for who was asked and did not say.
    pub answer: Option<String>,
    /// Seconds spent.
    pub seconds: Option<f32>,
    /// When it was submitted, seconds since 1970.
    pub submitted: Option<i64>,
    /// Id of the assignment or annotation.
    pub assignment: Option<String>,
    /// Whether this is what is true and not what somebody thought.
    pub truth: bool,
    /// Row, line or task of the file, from 1.
    pub row: u64,
    /// Where in it the answer stands.
    pub field: String,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Records {
    /// The answers, in the file's order.
    pub records: Vec<Record>,
    /// Tasks left out because of their status, by status.
    pub left_out: BTreeMap<String, u64>,
    /// What else the file answers, that nobody asked.
    pub others: BTreeSet<String>,
}

/// What the readers must know beside the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expected {
    /// Names that the file has for the questions asked; empty if every answer is wanted.
    pub questions: Vec<String>,
    /// Where the item is named, if it was said.
    pub item: Option<String>,
    /// Who annotated, for files that do not say it.
    pub annotator: Option<String>,
    /// Statuses that count, if others than the usual.
    pub accept: Option<Vec<String>>,
}

impl Expected {
    /// Whether answers to this are wanted.
    pub(super) fn wants(&self, question: &str) -> bool {
        self.questions.is_empty() || self.questions.iter().any(|q| q == question)
    }

    /// Fails if a file answers other questions only: all its answers would be taken for unsure.
    pub(super) fn check(&self, path: &Path, found: &Records) -> Result<()> {
        let answered = found.records.iter().any(|r| r.answer.is_some());
        if self.questions.is_empty() || answered || found.others.is_empty() {
            return Ok(());
        }
        let others: Vec<&str> = found.others.iter().map(String::as_str).collect();
        problem(format!(
            "the file does not answer {}",
            self.questions.join(" or ")
        ))
        .file(path)
        .value(others.join(", "))
        .hint(
            "say which of these is which: answers = { age = \"…\" } under [votes] in campaign.toml",
        )
        .fail()
    }
}

/// Escapes text for the content and the attributes of XML and HTML; control characters that XML forbids become spaces.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if (c as u32) < 0x20 || matches!(c as u32, 0x7f | 0xfffe | 0xffff) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The text of a file, which must be UTF-8 (or UTF-16 with a byte order mark).
fn text(path: &Path) -> Result<String> {
    let fail = |e: io::Error| Problem::io("read the file", path, &e);
    if std::fs::metadata(path).map_err(fail)?.is_dir() {
        return problem("is a folder, not a file of votes")
            .file(path)
            .hint("name the exported file; unpack it first if it is an archive")
            .fail();
    }
    let bytes = super::encoding::to_utf8(path, std::fs::read(path).map_err(fail)?)?;
    let text =
        String::from_utf8(bytes).map_err(|_| Box::new(problem("is not UTF-8 text").file(path)))?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
