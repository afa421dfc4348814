//! A [`VoteTable`] to CSV, TSV or Parquet.

use super::{
    parquet,
    rows::Rows,
    time::write_moment,
    votes::{FileAnswer, ONLY_QUESTION, VoteTable, text_of},
    write_atomically,
};
use crate::{Result, problem};
use polars::prelude::{Column, NamedFrom, Series};
use std::{collections::BTreeMap, io, path::Path};

/// Which columns a text file of votes has. Parquet has its own, typed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VoteForm {
    /// `annotator,item,answer` and whatever else is known, one vote per row.
    #[default]
    Long,
    /// `worker,task,label`, as crowd-kit reads it; nothing else but the question, where there are several.
    CrowdKit,
    /// `annotator,item` and one column per question; `?` for unsure, empty where there is no vote.
    Wide,
}

/// How votes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// Which columns.
    pub form: VoteForm,
    /// Whether a cell that a spreadsheet would run as a formula gets a `'` before it. Names of annotators and items come
    /// from outside. Such a file does not read back the same.
    pub spreadsheet_safe: bool,
    /// Whether the long form repeats the known answer of the item in a column `truth`.
    pub truth: bool,
}

/// Writes votes to `path`, whole or not at all: Parquet if it ends in `.parquet`, tab-separated if in `.tsv`, else CSV.
///
/// Parquet has the columns annotator, item, question, number, choice, seconds, submitted, assignment, source; an unsure
/// vote has neither number nor choice. The long text form leaves an unsure answer empty. Errors: no votes, two votes of one
/// annotator in one wide row, a question named as another column of the wide form, and those of the disk.
pub fn write_votes(
    path: impl AsRef<Path>,
    votes: &VoteTable,
    options: &WriteOptions,
) -> Result<()> {
    let path = path.as_ref();
    if votes.is_empty() {
        return problem("there are no votes to write").file(path).fail();
    }
    let ending = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_lowercase();
    if ending == "parquet" {
        return write_atomically(path, |w| parquet::write(typed_columns(votes), w));
    }
    let separator = if ending == "tsv" || ending == "tab" {
        b'\t'
    } else {
        b','
    };
    write_atomically(path, |w| {
        let mut rows = Rows::new(w, separator, options.spreadsheet_safe);
        match options.form {
            VoteForm::Long => long(votes, options.truth, &mut rows),
            VoteForm::CrowdKit => crowd_kit(votes, &mut rows),
            VoteForm::Wide => wide(votes, &mut rows),
        }
    })
}

fn names_questions(votes: &VoteTable) -> bool {
    votes.questions().iter().any(|name| name != ONLY_QUESTION)
}

/// The answer of a row that cannot be absent: empty if unsure.
fn text(answer: FileAnswer<'_>) -> String {
    match answer {
        FileAnswer::Unsure => String::new(),
        known => text_of(known),
    }
}

fn crowd_kit<W: io::Write>(votes: &VoteTable, rows: &mut Rows<W>) -> io::Result<()> {
    let questions = names_questions(votes);
    rows.cells(["worker", "task", "label"])?;
    rows.cells(questions.then_some("question"))?;
    rows.end()?;
    for vote in votes.votes() {
        rows.cells([vote.annotator, vote.item, &text(vote.answer)])?;
        rows.cells(questions.then_some(vote.question))?;
        rows.end()?;
    }
    Ok(())
}

/// Which of the columns that not every vote has are there.
struct Extras {
    seconds: bool,
    submitted: bool,
    assignment: bool,
    source: bool,
}

impl Extras {
    fn of(votes: &VoteTable) -> Self {
        Self {
            seconds: votes.votes().any(|v| v.seconds.is_some()),
            submitted: votes.votes().any(|v| v.submitted.is_some()),
            assignment: votes.votes().any(|v| v.assignment.is_some()),
            source: votes.votes().any(|v| v.source.is_some()),
        }
    }

    fn names(&self) -> Vec<&'static str> {
        let all = [
            (self.seconds, "seconds"),
            (self.submitted, "submitted"),
            (self.assignment, "assignment"),
            (self.source, "source"),
        ];
        all.iter()
            .filter(|(there, _)| *there)
            .map(|(_, name)| *name)
            .collect()
    }

    fn write<W: io::Write>(
        &self,
        vote: &super::FileVote<'_>,
        rows: &mut Rows<W>,
    ) -> io::Result<()> {
        let seconds = vote.seconds.map_or(String::new(), |s| s.to_string());
        rows.cells(self.seconds.then_some(seconds))?;
        let submitted = vote.submitted.map_or(String::new(), write_moment);
        rows.cells(self.submitted.then_some(submitted))?;
        rows.cells(
            self.assignment
                .then_some(vote.assignment.unwrap_or_default()),
        )?;
        rows.cells(self.source.then_some(vote.source.unwrap_or_default()))
    }
}

fn long<W: io::Write>(votes: &VoteTable, truth: bool, rows: &mut Rows<W>) -> io::Result<()> {
    let questions = names_questions(votes);
    let extras = Extras::of(votes);
    let truths: BTreeMap<(u32, u32), String> = if truth {
        votes
            .truths()
            .map(|(item, question, answer)| ((item, question), text(answer)))
            .collect()
    } else {
        BTreeMap::new()
    };
    rows.cells(["annotator", "item"])?;
    rows.cells(questions.then_some("question"))?;
    rows.cell("answer")?;
    rows.cells(truth.then_some("truth"))?;
    rows.cells(extras.names())?;
    rows.end()?;
    for (index, vote) in votes.votes().enumerate() {
        rows.cells([vote.annotator, vote.item])?;
        rows.cells(questions.then_some(vote.question))?;
        rows.cell(&text(vote.answer))?;
        let (_, item, question) = votes.indices(index);
        let known = truths.get(&(item, question)).map_or("", String::as_str);
        rows.cells(truth.then_some(known))?;
        extras.write(&vote, rows)?;
        rows.end()?;
    }
    Ok(())
}

fn wide<W: io::Write>(votes: &VoteTable, rows: &mut Rows<W>) -> io::Result<()> {
    let extras = Extras::of(votes);
    let fixed = [
        "annotator",
        "item",
        "seconds",
        "submitted",
        "assignment",
        "source",
        "status",
        "truth",
    ];
    let clash = votes.questions().iter().find(|name| fixed.contains(name));
    if let Some(name) = clash {
        let p = problem(format!(
            "the question \"{name}\" has the name of another column"
        ))
        .hint("write the long form instead of the wide one");
        return Err(Box::new(p).into());
    }
    // Votes of one annotator on one item, in the order in which the first of them came.
    let mut groups: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    for index in 0..votes.len() {
        let (annotator, item, _) = votes.indices(index);
        let group = *groups.entry((annotator, item)).or_insert_with(|| {
            members.push(Vec::new());
            members.len() - 1
        });
        members[group].push(index);
    }
    rows.cells(["annotator", "item"])?;
    rows.cells(votes.questions().iter())?;
    rows.cells(extras.names())?;
    rows.end()?;
    for group in &members {
        let mut cells = vec![String::new(); votes.questions().len()];
        for &index in group {
            let cell = &mut cells[votes.indices(index).2 as usize];
            let vote = votes.vote(index);
            if !cell.is_empty() {
                let p = problem("an annotator answers the same question about the same item twice")
                    .value(format!("{} on {}", vote.annotator, vote.item))
                    .hint("choose one with --duplicates first or last, or write the long form");
                return Err(Box::new(p).into());
            }
            *cell = text_of(vote.answer);
        }
        let vote = votes.vote(group[0]);
        rows.cells([vote.annotator, vote.item])?;
        rows.cells(&cells)?;
        extras.write(&vote, rows)?;
        rows.end()?;
    }
    Ok(())
}

fn typed_columns(votes: &VoteTable) -> Vec<Column> {
    fn column<T, S: ?Sized>(name: &str, values: T) -> Column
    where
        T: AsRef<S>,
        Series: NamedFrom<T, S>,
    {
        Series::new(name.into(), values).into()
    }
    let all = || votes.votes();
    let number = |answer| match answer {
        FileAnswer::Number(value) => Some(value),
        _ => None,
    };
    let choice = |answer| match answer {
        FileAnswer::Choice(label) => Some(label),
        _ => None,
    };
    vec![
        column(
            "annotator",
            all().map(|v| v.annotator).collect::<Vec<&str>>(),
        ),
        column("item", all().map(|v| v.item).collect::<Vec<&str>>()),
        column("question", all().map(|v| v.question).collect::<Vec<&str>>()),
        column(
            "number",
            all()
                .map(|v| number(v.answer))
                .collect::<Vec<Option<f64>>>(),
        ),
        column(
            "choice",
            all()
                .map(|v| choice(v.answer))
                .collect::<Vec<Option<&str>>>(),
        ),
        column(
            "seconds",
            all().map(|v| v.seconds).collect::<Vec<Option<f32>>>(),
        ),
        column(
            "submitted",
            all().map(|v| v.submitted).collect::<Vec<Option<i64>>>(),
        ),
        column(
            "assignment",
            all().map(|v| v.assignment).collect::<Vec<Option<&str>>>(),
        ),
        column(
            "source",
            all().map(|v| v.source).collect::<Vec<Option<&str>>>(),
        ),
    ]
}

#[cfg(test)]
#[path = "votes_write_tests.rs"]
mod tests;
