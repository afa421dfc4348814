//! Votes as they stand in files: who answered what about which item, and where the row is.

use super::{Names, Skipped};
use crate::{Result, problem};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The question of votes in files that name none.
pub const ONLY_QUESTION: &str = "value";

/// An answer in a file, before it is compared with the scale of its question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FileAnswer<'a> {
    /// A finite number below 10³⁰ in size.
    Number(f64),
    /// A label.
    Choice(&'a str),
    /// The annotator could not tell: an empty answer, or `?`.
    Unsure,
}

/// One vote with everything that its file said about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FileVote<'a> {
    /// Name of the annotator.
    pub annotator: &'a str,
    /// Opaque name of the task, or the item's id, as the file has it.
    pub item: &'a str,
    /// Name of the question; [`ONLY_QUESTION`] in files that name none.
    pub question: &'a str,
    /// What was answered.
    pub answer: FileAnswer<'a>,
    /// Seconds spent on the task.
    pub seconds: Option<f32>,
    /// When it was submitted, seconds since 1970-01-01T00:00:00Z.
    pub submitted: Option<i64>,
    /// Id of the assignment.
    pub assignment: Option<&'a str>,
    /// Status of the assignment, as the platform names it.
    pub status: Option<&'a str>,
    /// `simulated`, or where else it came from.
    pub source: Option<&'a str>,
    /// The file, and its row (the header is row 1); `("", 0)` for votes that come from none.
    pub place: (&'a str, u64),
}

impl<'a> FileVote<'a> {
    /// A vote about which nothing else is known.
    pub fn new(
        annotator: &'a str,
        item: &'a str,
        question: &'a str,
        answer: FileAnswer<'a>,
    ) -> Self {
        Self {
            annotator,
            item,
            question,
            answer,
            seconds: None,
            submitted: None,
            assignment: None,
            status: None,
            source: None,
            place: ("", 0),
        }
    }
}

/// A column of which most tables have nothing: no memory until the first value comes.
#[derive(Debug, Clone, PartialEq)]
struct Sparse<T>(Vec<Option<T>>);

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy> Sparse<T> {
    fn set(&mut self, row: usize, value: Option<T>) {
        if value.is_some() || !self.0.is_empty() {
            self.0.resize(row, None);
            self.0.push(value);
        }
    }

    fn get(&self, row: usize) -> Option<T> {
        self.0.get(row).copied().flatten()
    }

    fn keep(&mut self, rows: &[usize]) {
        if !self.0.is_empty() {
            self.0 = rows.iter().map(|&row| self.get(row)).collect();
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stored {
    Number(f64),
    Choice(u32),
    Unsure,
}

/// Votes in memory, in the order in which they were added; names are held once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VoteTable {
    annotators: Names,
    items: Names,
    questions: Names,
    words: Names,
    assignments: Names,
    annotator: Vec<u32>,
    item: Vec<u32>,
    question: Vec<u32>,
    answer: Vec<Stored>,
    file: Vec<u32>,
    row: Vec<u64>,
    seconds: Sparse<f32>,
    submitted: Sparse<i64>,
    assignment: Sparse<u32>,
    status: Sparse<u32>,
    source: Sparse<u32>,
    truths: BTreeMap<(u32, u32), (Stored, u32, u64)>,
}

/// The votes on one question as dense columns in step; indices point into [`VoteTable::items`] and
/// [`VoteTable::annotators`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dense<T> {
    /// Item of each vote.
    pub item: Vec<u32>,
    /// Annotator of each vote.
    pub annotator: Vec<u32>,
    /// Value of each vote.
    pub value: Vec<T>,
}

/// What to do when an annotator answers the same question about the same item twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// An error that names both rows.
    #[default]
    Error,
    /// The first of them counts, in the order of the files.
    First,
    /// The last of them counts.
    Last,
    /// All of them stay: for looking at second answers themselves.
    Keep,
}

impl VoteTable {
    /// No votes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of votes.
    pub fn len(&self) -> usize {
        self.annotator.len()
    }

    /// Whether there are no votes.
    pub fn is_empty(&self) -> bool {
        self.annotator.is_empty()
    }

    /// The annotators, in the order in which they were first met.
    pub fn annotators(&self) -> &Names {
        &self.annotators
    }

    /// The items, in the order in which they were first met, those of truths included.
    pub fn items(&self) -> &Names {
        &self.items
    }

    /// The questions, in the order in which they were first met.
    pub fn questions(&self) -> &Names {
        &self.questions
    }

    /// Adds a vote. Its values are taken as they are: readers have checked them.
    pub fn push(&mut self, vote: &FileVote<'_>) {
        let row = self.len();
        self.annotator.push(self.annotators.intern(vote.annotator));
        self.item.push(self.items.intern(vote.item));
        self.question.push(self.questions.intern(vote.question));
        let answer = self.store(vote.answer);
        self.answer.push(answer);
        self.file.push(self.words.intern(vote.place.0));
        self.row.push(vote.place.1);
        self.seconds.set(row, vote.seconds);
        self.submitted.set(row, vote.submitted);
        let assignment = vote.assignment.map(|id| self.assignments.intern(id));
        self.assignment.set(row, assignment);
        let status = vote.status.map(|word| self.words.intern(word));
        self.status.set(row, status);
        let source = vote.source.map(|word| self.words.intern(word));
        self.source.set(row, source);
    }

    fn store(&mut self, answer: FileAnswer<'_>) -> Stored {
        match answer {
            FileAnswer::Number(value) => Stored::Number(value),
            FileAnswer::Choice(label) => Stored::Choice(self.words.intern(label)),
            FileAnswer::Unsure => Stored::Unsure,
        }
    }

    fn answer(&self, stored: Stored) -> FileAnswer<'_> {
        match stored {
            Stored::Number(value) => FileAnswer::Number(value),
            Stored::Choice(word) => FileAnswer::Choice(self.words.get(word)),
            Stored::Unsure => FileAnswer::Unsure,
        }
    }

    /// The vote at `index`, from 0. Panics if there is none.
    pub fn vote(&self, index: usize) -> FileVote<'_> {
        FileVote {
            annotator: self.annotators.get(self.annotator[index]),
            item: self.items.get(self.item[index]),
            question: self.questions.get(self.question[index]),
            answer: self.answer(self.answer[index]),
            seconds: self.seconds.get(index),
            submitted: self.submitted.get(index),
            assignment: self
                .assignment
                .get(index)
                .map(|id| self.assignments.get(id)),
            status: self.status.get(index).map(|word| self.words.get(word)),
            source: self.source.get(index).map(|word| self.words.get(word)),
            place: (self.words.get(self.file[index]), self.row[index]),
        }
    }

    /// All votes in order.
    pub fn votes(&self) -> impl ExactSizeIterator<Item = FileVote<'_>> {
        (0..self.len()).map(|index| self.vote(index))
    }

    /// Indices of a vote's annotator, item and question in their [`Names`].
    pub fn indices(&self, index: usize) -> (u32, u32, u32) {
        (
            self.annotator[index],
            self.item[index],
            self.question[index],
        )
    }

    /// Whether any vote is marked as simulated.
    pub fn is_simulated(&self) -> bool {
        (0..self.len()).any(|i| {
            self.source
                .get(i)
                .is_some_and(|w| self.words.get(w) == "simulated")
        })
    }

    /// The numbers answered to a question, without the unsure.
    pub fn numbers(&self, question: u32) -> Dense<f64> {
        self.dense(question, |stored| match stored {
            Stored::Number(value) => Some(value),
            _ => None,
        })
    }

    /// The labels answered to a question, without the unsure, and the names to which the values point, in the order in
    /// which they were first met.
    pub fn choices(&self, question: u32) -> (Dense<u32>, Names) {
        let mut labels = Names::new();
        let dense = self.dense(question, |stored| match stored {
            Stored::Choice(word) => Some(labels.intern(self.words.get(word))),
            _ => None,
        });
        (dense, labels)
    }

    fn dense<T>(&self, question: u32, mut pick: impl FnMut(Stored) -> Option<T>) -> Dense<T> {
        let (mut item, mut annotator, mut value) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..self.len() {
            if self.question[index] == question
                && let Some(picked) = pick(self.answer[index])
            {
                item.push(self.item[index]);
                annotator.push(self.annotator[index]);
                value.push(picked);
            }
        }
        Dense {
            item,
            annotator,
            value,
        }
    }

    /// Adds the known answer of an item. The same truth may come again and again, as in files that repeat it on every
    /// vote; a different one is an error that names both rows.
    pub fn push_truth(
        &mut self,
        item: &str,
        question: &str,
        answer: FileAnswer<'_>,
        place: (&str, u64),
    ) -> Result<()> {
        let key = (self.items.intern(item), self.questions.intern(question));
        let stored = self.store(answer);
        let file = self.words.intern(place.0);
        let (first, at, row) = *self.truths.entry(key).or_insert((stored, file, place.1));
        if first == stored {
            return Ok(());
        }
        problem("two different truths for one item")
            .file(place.0)
            .row(place.1)
            .value(format!("{item}: {}", text_of(answer)))
            .hint(format!(
                "row {row} of {} says {}: correct one of them",
                self.words.get(at),
                text_of(self.answer(first))
            ))
            .fail()
    }

    /// The truths: item, question, answer, in the order of items' and questions' indices.
    pub fn truths(&self) -> impl ExactSizeIterator<Item = (u32, u32, FileAnswer<'_>)> {
        self.truths
            .iter()
            .map(|(&(item, question), &(stored, ..))| (item, question, self.answer(stored)))
    }

    /// The number known to be true of an item, if one is.
    pub fn true_number(&self, item: u32, question: u32) -> Option<f64> {
        match self.truths.get(&(item, question)) {
            Some(&(Stored::Number(value), ..)) => Some(value),
            _ => None,
        }
    }

    /// The votes for which `keep` holds; names and truths stay as they are.
    #[must_use]
    pub fn filtered(mut self, keep: impl Fn(&FileVote<'_>) -> bool) -> Self {
        let rows: Vec<usize> = (0..self.len()).filter(|&i| keep(&self.vote(i))).collect();
        self.keep(&rows);
        self
    }

    fn keep(&mut self, rows: &[usize]) {
        fn pick<T: Copy>(column: &mut Vec<T>, rows: &[usize]) {
            *column = rows.iter().map(|&row| column[row]).collect();
        }
        pick(&mut self.annotator, rows);
        pick(&mut self.item, rows);
        pick(&mut self.question, rows);
        pick(&mut self.answer, rows);
        pick(&mut self.file, rows);
        pick(&mut self.row, rows);
        self.seconds.keep(rows);
        self.submitted.keep(rows);
        self.assignment.keep(rows);
        self.status.keep(rows);
        self.source.keep(rows);
    }

    /// Finds votes of one annotator on the same question of the same item. Returns how many were left out; with
    /// [`Duplicates::Error`] the first such vote is an error that names its row and that of the vote it repeats.
    pub fn settle_duplicates(&mut self, duplicates: Duplicates) -> Result<u64> {
        if duplicates == Duplicates::Keep {
            return Ok(0);
        }
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        let key = |&i: &u32| {
            let i = i as usize;
            (self.item[i], self.annotator[i], self.question[i])
        };
        order.sort_unstable_by_key(|i| (key(i), *i));
        let repeats = || order.windows(2).filter(|w| key(&w[0]) == key(&w[1]));
        let Some(first) = repeats().min_by_key(|w| w[1]) else {
            return Ok(0);
        };
        if duplicates == Duplicates::Error {
            let (one, two) = (self.vote(first[0] as usize), self.vote(first[1] as usize));
            let elsewhere = if one.place.0 == two.place.0 {
                String::new()
            } else {
                format!(" of {}", one.place.0)
            };
            return problem("an annotator answers the same question about the same item twice")
                .file(two.place.0)
                .row(two.place.1)
                .value(format!("{} on {}: {}", two.annotator, two.item, text_of(two.answer)))
                .hint(format!(
                    "the first answer, {}, stands in row {}{elsewhere}: remove one, or choose with --duplicates first or --duplicates last",
                    text_of(one.answer),
                    one.place.1
                ))
                .fail();
        }
        let mut out = vec![false; self.len()];
        for pair in repeats() {
            let loser = if duplicates == Duplicates::First {
                pair[1]
            } else {
                pair[0]
            };
            out[loser as usize] = true;
        }
        let rows: Vec<usize> = (0..self.len()).filter(|&i| !out[i]).collect();
        let left_out = (self.len() - rows.len()) as u64;
        self.keep(&rows);
        Ok(left_out)
    }
}

/// An answer as text; `?` stands for unsure.
pub fn text_of(answer: FileAnswer<'_>) -> String {
    match answer {
        FileAnswer::Number(value) => value.to_string(),
        FileAnswer::Choice(label) => label.to_owned(),
        FileAnswer::Unsure => "?".to_owned(),
    }
}

/// What a reading of votes gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VotesRead {
    /// The votes.
    pub votes: VoteTable,
    /// Bad rows that were left out on request.
    pub skipped: Skipped,
    /// Rows left out because of the status of their assignment, by status.
    pub by_status: BTreeMap<String, u64>,
    /// Votes left out because their annotator had voted on the item before, or did so again.
    pub repeated: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number<'a>(annotator: &'a str, item: &'a str, value: f64, row: u64) -> FileVote<'a> {
        FileVote {
            place: ("votes.csv", row),
            ..FileVote::new(annotator, item, "age", FileAnswer::Number(value))
        }
    }

    #[test]
    fn a_vote_comes_back_as_it_was_added() {
        let mut table = VoteTable::new();
        table.push(&number("a", "x", 1.5, 2));
        let full = FileVote {
            answer: FileAnswer::Choice("female"),
            question: "sex",
            seconds: Some(3.25),
            submitted: Some(7),
            assignment: Some("as1"),
            status: Some("APPROVED"),
            source: Some("simulated"),
            ..number("b", "x", 0.0, 3)
        };
        table.push(&full);
        table.push(&FileVote::new("a", "y", "sex", FileAnswer::Unsure));
        assert_eq!(table.vote(0), number("a", "x", 1.5, 2));
        assert_eq!(table.vote(1), full);
        assert_eq!(table.vote(2).answer, FileAnswer::Unsure);
        assert!(table.is_simulated());
        let dense = table.numbers(0);
        assert_eq!(
            (dense.item, dense.annotator, dense.value),
            (vec![0], vec![0], vec![1.5])
        );
        let (dense, labels) = table.choices(1);
        assert_eq!((dense.value, labels.get(0)), (vec![0], "female"));
        let kept = table.filtered(|v| v.annotator == "b");
        assert_eq!((kept.len(), kept.vote(0)), (1, full));
    }

    #[test]
    fn voting_twice_is_an_error_that_names_both_rows_or_one_of_them_counts() {
        let mut table = VoteTable::new();
        for (value, row) in [(1.0, 2), (2.0, 3), (3.0, 9), (4.0, 11)] {
            table.push(&number(if row == 3 { "b" } else { "a" }, "x", value, row));
        }
        let p = table.settle_duplicates(Duplicates::Error).unwrap_err();
        assert_eq!(p.row, Some(9));
        assert!(p.hint.unwrap().contains("stands in row 2:"));
        let (mut first, mut last) = (table.clone(), table);
        assert_eq!(first.settle_duplicates(Duplicates::First).unwrap(), 2);
        assert_eq!(first.numbers(0).value, [1.0, 2.0]);
        assert_eq!(last.settle_duplicates(Duplicates::Last).unwrap(), 2);
        assert_eq!(last.numbers(0).value, [2.0, 4.0]);
        assert_eq!(last.settle_duplicates(Duplicates::Error).unwrap(), 0);
    }

    #[test]
    fn a_truth_may_be_repeated_but_not_changed() {
        let mut table = VoteTable::new();
        let truth = |table: &mut VoteTable, value, row| {
            table.push_truth("x", "age", FileAnswer::Number(value), ("t.csv", row))
        };
        truth(&mut table, 30.0, 2).unwrap();
        truth(&mut table, 30.0, 3).unwrap();
        let p = truth(&mut table, 31.0, 4).unwrap_err();
        assert_eq!(
            (p.row, p.hint.unwrap()),
            (
                Some(4),
                "row 2 of t.csv says 30: correct one of them".into()
            )
        );
        assert_eq!(table.true_number(0, 0), Some(30.0));
    }
}
