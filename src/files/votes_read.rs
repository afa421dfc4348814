//! Vote files to a [`VoteTable`]: long or wide, CSV, TSV or Parquet, or results of Toloka.

use super::{
    Row, Skipped, Table, VoteFormat,
    foreign::{Expected, Record, Records, cvat, label_studio, mturk},
    mapping::{AnswerColumn, Asked, Cell, ItemColumns, Layout, VoteMapping},
    table::{check_number, parse_number},
    time::read_moment,
    toloka,
    votes::{Duplicates, FileAnswer, FileVote, ONLY_QUESTION, VoteTable, VotesRead},
};
use crate::{Problem, Result, problem};
use std::{collections::BTreeMap, path::Path};
use veche_pools::{Question, Scale};

/// Whether answers are numbers or labels, where no campaign says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScaleHint {
    /// Numbers, if nine in ten of a question's first 1,000 answers are.
    #[default]
    Auto,
    /// Numbers.
    Number,
    /// Labels, even if they look like numbers.
    Choice,
}

/// How votes are to be read. The default finds columns by name and knows no questions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VoteOptions {
    /// Which column means what.
    pub mapping: VoteMapping,
    /// The campaign's questions; answers are checked against their scales. Empty if there is no campaign.
    pub questions: Vec<Question>,
    /// What answers to unknown questions are.
    pub scale: ScaleHint,
    /// What to do when an annotator answers twice.
    pub duplicates: Duplicates,
    /// Whether bad rows are left out and counted instead of ending the reading.
    pub skip_bad_rows: bool,
    /// How the file is laid out.
    pub format: VoteFormat,
    /// Who annotated, for files that do not say it.
    pub annotator: Option<String>,
}

/// Reads several vote files into one table.
#[derive(Debug, Clone)]
pub struct VoteReader {
    options: VoteOptions,
    votes: VoteTable,
    skipped: Skipped,
    by_status: BTreeMap<String, u64>,
}

/// Reads one vote file.
pub fn read_votes(path: impl AsRef<Path>, options: &VoteOptions) -> Result<VotesRead> {
    let mut reader = VoteReader::new(options.clone());
    reader.read(path)?;
    reader.finish()
}

/// How the text of an answer is understood.
#[derive(Debug, Clone, Copy)]
enum Reading<'a> {
    Scale(&'a Question),
    Number,
    Choice,
}

impl VoteReader {
    /// Nothing read yet.
    pub fn new(options: VoteOptions) -> Self {
        let skipped = Skipped::if_asked(options.skip_bad_rows);
        Self {
            options,
            votes: VoteTable::new(),
            skipped,
            by_status: BTreeMap::new(),
        }
    }

    /// Adds the votes of a file, and the truths it holds. Files of other tools are recognised by their content, results of Toloka
    /// by their columns.
    ///
    /// Bad rows (an empty annotator or item, an answer off its question's scale, NaN, 10³⁰ or more, an unknown status,
    /// an unreadable time, a truth that contradicts an earlier one) are errors with file, row, column and value, or are
    /// left out whole and counted. Rows whose status is not accepted are left out and counted by status.
    pub fn read(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let format = self.options.format.of(path)?;
        let expected = self.expected();
        match format {
            VoteFormat::LabelStudio => {
                let found = label_studio::read(path, &expected, &mut self.skipped)?;
                return self.add_records(path, found);
            }
            VoteFormat::Cvat => {
                let found = cvat::read(path, &expected, &mut self.skipped)?;
                return self.add_records(path, found);
            }
            VoteFormat::Auto | VoteFormat::Table | VoteFormat::Mturk => {}
        }
        let table = Table::read_skipping(path, &mut self.skipped)?;
        let is_batch = format == VoteFormat::Auto && mturk::is_result(&table);
        if is_batch || format == VoteFormat::Mturk {
            let found = mturk::read(path, &table, &expected, &mut self.skipped)?;
            return self.add_records(path, found);
        }
        let options = &self.options;
        let layout = if toloka::is_result(&table) {
            toloka::layout(&table, &options.mapping, &options.questions)?
        } else {
            let (mapping, questions) = (&options.mapping, &options.questions);
            Layout::plain(&table, mapping, questions, ONLY_QUESTION)
                .map_err(|p| in_file(p, &table))?
        };
        self.add(&table, &layout)
    }

    /// Adds truths from a file with item and truth (or value, answer, label), and question if there are several; or with
    /// one column per question. Rows without a truth are passed over.
    pub fn read_truths(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let table = Table::read_skipping(path, &mut self.skipped)?;
        let (mapping, questions) = (&self.options.mapping, &self.options.questions);
        let (item, answers) = Layout::truths(&table, mapping, questions, ONLY_QUESTION)
            .map_err(|p| in_file(p, &table))?;
        let mut guesses = self.guesses(&table, &answers);
        // What the votes are is known by now; a short table with one bad truth must not be taken for labels.
        guesses.extend(self.voted());
        let file = table.path().display().to_string();
        for row in table.rows() {
            let added = (|| -> Result<()> {
                let id = row.text(item).ok_or_else(|| row.problem(item, "no item"))?;
                for answer in &answers {
                    let question = asked(row, &answer.question)?;
                    let reading = reading(&self.options, &guesses, question);
                    let (found, _) = answer_of(row, answer.from, reading, "truth ")?;
                    if found != FileAnswer::Unsure {
                        self.votes
                            .push_truth(id, question, found, (&file, row.number()))?;
                    }
                }
                Ok(())
            })();
            if let Err(problem) = added {
                self.skipped.take(problem)?;
            }
        }
        Ok(())
    }

    /// What was read, with repeated votes settled.
    pub fn finish(mut self) -> Result<VotesRead> {
        let repeated = self.votes.settle_duplicates(self.options.duplicates)?;
        Ok(VotesRead {
            votes: self.votes,
            skipped: self.skipped,
            by_status: self.by_status,
            repeated,
        })
    }

    fn add(&mut self, table: &Table, layout: &Layout) -> Result<()> {
        let guesses = self.guesses(table, &layout.answers);
        let shares = toloka::tasks_per_assignment(table, layout);
        let file = table.path().display().to_string();
        let mut answers = Vec::new();
        let mut joined = String::new();
        for row in table.rows() {
            let added = (|| -> Result<()> {
                if let Some(why) = left_out(&self.options.mapping, layout, row)? {
                    *self.by_status.entry(why).or_default() += 1;
                    return Ok(());
                }
                let annotator = row
                    .text(layout.annotator)
                    .ok_or_else(|| row.problem(layout.annotator, "no annotator"))?;
                let item = item_of(row, &layout.item, &mut joined)?;
                answers.clear();
                for answer in &layout.answers {
                    let question = asked(row, &answer.question)?;
                    let reading = reading(&self.options, &guesses, question);
                    let (found, empty) = answer_of(row, answer.from, reading, "answer ")?;
                    let truth = match answer.truth {
                        Some(column) => answer_of(row, Cell::Column(column), reading, "truth ")?.0,
                        None => FileAnswer::Unsure,
                    };
                    if !empty || answer.empty_is_unsure {
                        answers.push((question, Some(found), truth));
                    } else {
                        answers.push((question, None, truth));
                    }
                }
                let optional = |column: Option<usize>| column.and_then(|c| row.text(c));
                let submitted = moment(row, layout.submitted)?;
                let seconds = match layout.seconds {
                    Some(column) => positive(row, column)?,
                    None => moment(row, layout.started)?
                        .zip(submitted)
                        .map(|(from, to)| {
                            let tasks = optional(layout.assignment)
                                .and_then(|id| shares.get(id))
                                .map_or(1.0, |&n| n as f32);
                            (to - from).max(0) as f32 / tasks
                        }),
                };
                let vote = FileVote {
                    seconds,
                    submitted,
                    assignment: optional(layout.assignment),
                    status: optional(layout.status),
                    source: optional(layout.source),
                    place: (&file, row.number()),
                    ..FileVote::new(annotator, item, "", FileAnswer::Unsure)
                };
                for &(question, _, truth) in &answers {
                    if truth != FileAnswer::Unsure {
                        self.votes.push_truth(item, question, truth, vote.place)?;
                    }
                }
                for &(question, answer, _) in &answers {
                    if let Some(answer) = answer {
                        self.votes.push(&FileVote {
                            question,
                            answer,
                            ..vote
                        });
                    }
                }
                Ok(())
            })();
            if let Err(problem) = added {
                self.skipped.take(problem)?;
            }
        }
        Ok(())
    }

    /// What readers of other tools' files must know.
    fn expected(&self) -> Expected {
        let options = &self.options;
        let named = options.mapping.answers.values().cloned();
        Expected {
            questions: if options.mapping.answers.is_empty() {
                options.questions.iter().map(|q| q.name.clone()).collect()
            } else {
                named.collect()
            },
            item: options.mapping.item.clone(),
            annotator: options.annotator.clone(),
            accept: options.mapping.accept.clone(),
        }
    }

    /// Adds what a file of another tool says.
    fn add_records(&mut self, path: &Path, found: Records) -> Result<()> {
        self.expected().check(path, &found)?;
        for (status, n) in found.left_out {
            *self.by_status.entry(status).or_default() += n;
        }
        let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for record in &found.records {
            let (numbers, all) = counts.entry(&record.question).or_default();
            if let Some(text) = record.answer.as_ref().filter(|_| *all < 1000) {
                *all += 1;
                *numbers += u32::from(parse_number(text).is_ok());
            }
        }
        let counts = counts.into_iter();
        let guesses = counts
            .map(|(q, (numbers, all))| (q.to_owned(), numbers * 10 >= all * 9))
            .collect();
        let file = path.display().to_string();
        for record in &found.records {
            if let Err(problem) = self.add_record(&file, record, &guesses) {
                self.skipped.take(problem)?;
            }
        }
        Ok(())
    }

    fn add_record(
        &mut self,
        file: &str,
        record: &Record,
        guesses: &BTreeMap<String, bool>,
    ) -> Result<()> {
        let mut renamed = self.options.mapping.answers.iter();
        let question = renamed
            .find(|(_, theirs)| **theirs == record.question)
            .map_or(record.question.as_str(), |(ours, _)| ours);
        let reading = reading(&self.options, guesses, question);
        let answer = match &record.answer {
            None => FileAnswer::Unsure,
            Some(text) => read_answer(text, reading).map_err(|why| {
                let whose = if record.truth { "truth" } else { "answer" };
                Box::new(
                    problem(format!("{whose} {why}"))
                        .file(file)
                        .row(record.row)
                        .column(&record.field)
                        .value(text)
                        .hint("correct it where it was given and export again, or leave it out with --skip-bad-rows"),
                )
            })?,
        };
        let place = (file, record.row);
        if record.truth {
            return match answer {
                FileAnswer::Unsure => Ok(()),
                known => self.votes.push_truth(&record.item, question, known, place),
            };
        }
        self.votes.push(&FileVote {
            seconds: record.seconds,
            submitted: record.submitted,
            assignment: record.assignment.as_deref(),
            place,
            ..FileVote::new(&record.annotator, &record.item, question, answer)
        });
        Ok(())
    }

    /// For every question with votes: whether its answers are numbers.
    fn voted(&self) -> BTreeMap<String, bool> {
        let names = self.votes.questions();
        let mut numbers = BTreeMap::new();
        for row in 0..self.votes.len() {
            let question = names.get(self.votes.indices(row).2);
            match self.votes.vote(row).answer {
                FileAnswer::Number(_) => numbers.insert(question.to_owned(), true),
                FileAnswer::Choice(_) => numbers.insert(question.to_owned(), false),
                FileAnswer::Unsure => None,
            };
            if numbers.len() == names.len() {
                break;
            }
        }
        numbers
    }

    /// For questions that are not the campaign's: whether their answers are numbers.
    fn guesses(&self, table: &Table, answers: &[AnswerColumn]) -> BTreeMap<String, bool> {
        let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        if self.options.scale == ScaleHint::Auto && self.options.questions.is_empty() {
            for answer in answers {
                let Cell::Column(column) = answer.from else {
                    continue;
                };
                for row in table.rows() {
                    let question = match &answer.question {
                        Asked::Always(name) => name,
                        Asked::Column(column) => row.get(*column).trim(),
                    };
                    let (numbers, all) = counts.entry(question).or_default();
                    if *all >= 1000 {
                        if matches!(answer.question, Asked::Always(_)) {
                            break;
                        }
                    } else if let Some(text) = row.text(column).filter(|t| *t != "?") {
                        *all += 1;
                        let is_number = text.parse::<f64>().is_ok() || parse_number(text).is_ok();
                        *numbers += u32::from(is_number);
                    }
                }
            }
        }
        let is_number = |(numbers, all): (u32, u32)| numbers * 10 >= all * 9;
        counts
            .into_iter()
            .map(|(q, n)| (q.to_owned(), is_number(n)))
            .collect()
    }
}

fn in_file(mut problem: Box<Problem>, table: &Table) -> Box<Problem> {
    problem
        .file
        .get_or_insert_with(|| table.path().display().to_string());
    problem
}

fn reading<'a>(
    options: &'a VoteOptions,
    guesses: &BTreeMap<String, bool>,
    question: &str,
) -> Reading<'a> {
    if let Some(known) = options.questions.iter().find(|q| q.name == question) {
        return Reading::Scale(known);
    }
    match options.scale {
        ScaleHint::Number => Reading::Number,
        ScaleHint::Choice => Reading::Choice,
        ScaleHint::Auto if guesses.get(question) == Some(&false) => Reading::Choice,
        ScaleHint::Auto => Reading::Number,
    }
}

/// The status, or `TRAINING`, because of which a row does not count.
fn left_out(mapping: &VoteMapping, layout: &Layout, row: Row<'_>) -> Result<Option<String>> {
    if let Some(column) = layout.status {
        let status = row.get(column).trim();
        match mapping.accepts(status) {
            Some(true) => {}
            Some(false) => return Ok(Some(status.to_uppercase())),
            None => {
                return row
                    .problem(column, "unknown status of an assignment")
                    .hint("say which statuses count: accept = [\"APPROVED\", …] under [votes] in campaign.toml")
                    .fail();
            }
        }
    }
    // A task that explains its answer teaches; what is answered there measures nothing.
    let hinted = layout.hint.is_some_and(|column| row.text(column).is_some());
    Ok(hinted.then(|| "TRAINING".to_owned()))
}

fn item_of<'a>(row: Row<'a>, columns: &ItemColumns, joined: &'a mut String) -> Result<&'a str> {
    match columns {
        ItemColumns::Whole(column) => row
            .text(*column)
            .ok_or_else(|| row.problem(*column, "no item").into()),
        ItemColumns::TaskName(column) => toloka::task_name(row.get(*column)).ok_or_else(|| {
            row.problem(*column, "does not end in a task name")
                .hint("the other rows do: 24 hexadecimal digits before the file's ending")
                .into()
        }),
        ItemColumns::Joined(columns) => {
            joined.clear();
            for (i, &column) in columns.iter().enumerate() {
                if i > 0 {
                    joined.push('\t');
                }
                joined.push_str(row.get(column));
            }
            Ok(joined)
        }
    }
}

fn asked<'a>(row: Row<'a>, asked: &'a Asked) -> Result<&'a str> {
    match asked {
        Asked::Always(name) => Ok(name),
        Asked::Column(column) => row
            .text(*column)
            .ok_or_else(|| row.problem(*column, "no question").into()),
    }
}

/// The answer in a row, and whether its cell is empty.
fn answer_of<'a>(
    row: Row<'a>,
    from: Cell,
    reading: Reading<'a>,
    whose: &str,
) -> Result<(FileAnswer<'a>, bool)> {
    let (column, reading) = match (from, reading) {
        (Cell::Column(column), reading) => (column, reading),
        (Cell::Typed { number, .. }, Reading::Scale(_)) if row.text(number).is_some() => {
            (number, reading)
        }
        (Cell::Typed { choice, .. }, Reading::Scale(_)) => (choice, reading),
        (Cell::Typed { number, .. }, _) if row.text(number).is_some() => (number, Reading::Number),
        (Cell::Typed { choice, .. }, _) => (choice, Reading::Choice),
    };
    let Some(text) = row.text(column) else {
        return Ok((FileAnswer::Unsure, true));
    };
    let found = match read_answer(text, reading) {
        Ok(answer) => answer,
        Err(why) => return row.problem(column, format!("{whose}{why}")).fail(),
    };
    Ok((found, false))
}

/// Why an answer cannot be used comes as the end of a sentence that is the same for all such values.
fn read_answer<'a>(text: &'a str, reading: Reading<'a>) -> Result<FileAnswer<'a>, String> {
    match reading {
        Reading::Scale(question) => match &question.scale {
            Scale::Choice(scale) => match scale.index(text) {
                Some(index) => Ok(FileAnswer::Choice(&scale.labels[index as usize])),
                None if text == "?" => Ok(FileAnswer::Unsure),
                None => Err(format!("is not one of {}", scale.labels.join(", "))),
            },
            Scale::Number(_) if text == "?" => Ok(FileAnswer::Unsure),
            Scale::Number(scale) => {
                let value = parse_number(text)?;
                scale
                    .reject(value)
                    .map_or(Ok(FileAnswer::Number(value)), Err)
            }
        },
        _ if text == "?" => Ok(FileAnswer::Unsure),
        Reading::Number => Ok(FileAnswer::Number(parse_number(text)?)),
        Reading::Choice => Ok(FileAnswer::Choice(text)),
    }
}

fn positive(row: Row<'_>, column: usize) -> Result<Option<f32>> {
    match row.float(column)? {
        Some(seconds) if seconds < 0.0 => row.problem(column, "seconds are negative").fail(),
        Some(seconds) => Ok(check_number(seconds).ok().map(|s| s as f32)),
        None => Ok(None),
    }
}

fn moment(row: Row<'_>, column: Option<usize>) -> Result<Option<i64>> {
    let Some((column, text)) = column.and_then(|c| row.text(c).map(|text| (c, text))) else {
        return Ok(None);
    };
    match read_moment(text) {
        Some(moment) => Ok(Some(moment)),
        None => row
            .problem(column, "is not a date and time")
            .hint("write it as 2026-11-23T08:00:00Z or as seconds since 1970")
            .fail(),
    }
}

#[cfg(test)]
#[path = "votes_read_tests.rs"]
mod tests;
