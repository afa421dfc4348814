//! Where rows come from: batches of a table in the order of its rows, each read on whatever thread asks for it.

use super::{
    pages::{self, ABSENT, Column, Fault, Kind, Words},
    text::TextSource,
};
use crate::{
    Problem, Result,
    files::{
        ScaleHint, VoteMapping,
        mapping::{Asked, Cell, Header, ItemColumns, Layout},
        table::check_number,
        votes::ONLY_QUESTION,
    },
    problem,
};
use polars_parquet::parquet::{
    metadata::{FileMetadata, RowGroupMetadata},
    read::read_metadata,
};
use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// Names of a column: whole numbers or words.
#[derive(Debug)]
pub(super) enum Keys {
    Numbers(Column<Vec<i64>>),
    Words(Column<Words>),
}

impl Keys {
    /// Number of values, which may be fewer or more than rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers(column) => column.values.len(),
            Self::Words(column) => column.values.len(),
        }
    }

    /// The place of each row's value; `None` where row `i` has value `i`.
    pub(super) fn codes(&self) -> Option<&[u32]> {
        match self {
            Self::Numbers(column) => column.codes.as_deref(),
            Self::Words(column) => column.codes.as_deref(),
        }
    }

    /// Whether the row's name is this one.
    pub(super) fn is(&self, row: usize, name: &str) -> bool {
        match self {
            Self::Numbers(column) => column.values[column.code(row) as usize].to_string() == name,
            Self::Words(column) => column.values.get(column.code(row) as usize) == name.as_bytes(),
        }
    }
}

/// Answers of a column.
#[derive(Debug)]
pub(super) enum Answers {
    /// NaN where there is none, or no place.
    Numbers(Column<Vec<f64>>),
    /// No place where there is none.
    Labels(Column<Words>),
}

impl Answers {
    /// Number of values, which may be fewer or more than rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers(column) => column.values.len(),
            Self::Labels(column) => column.values.len(),
        }
    }

    /// The place of each row's value; `None` where row `i` has value `i`.
    pub(super) fn codes(&self) -> Option<&[u32]> {
        match self {
            Self::Numbers(column) => column.codes.as_deref(),
            Self::Labels(column) => column.codes.as_deref(),
        }
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.codes().map_or(self.len(), <[u32]>::len)
    }
}

/// Some rows of a table, in their order.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) items: Keys,
    /// `None` in a table of truths.
    pub(super) annotators: Option<Keys>,
    pub(super) answers: Answers,
    pub(super) truths: Option<Answers>,
    /// The row of the first, as people count, where rows follow each other.
    pub(super) first_row: u64,
    /// Otherwise the row of each.
    pub(super) rows: Vec<u64>,
}

impl Batch {
    /// The row, as people count, of the vote at this place.
    pub(super) fn row(&self, at: usize) -> u64 {
        let told = self.rows.get(at).copied();
        told.unwrap_or(self.first_row + at as u64)
    }
}

/// What answers are, as far as it has been said or found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Numbers,
    Labels,
}

/// The columns that are read, by their places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) annotator: Option<usize>,
    pub(super) item: usize,
    pub(super) answer: usize,
    pub(super) truth: Option<usize>,
}

impl Plan {
    /// The columns of a table with one row per vote and nothing that would leave a row out; `None` for any other, which the
    /// general reader reads or refuses in its own words.
    pub(super) fn of_votes(header: &impl Header, mapping: &VoteMapping) -> Option<Self> {
        let layout = Layout::plain(header, mapping, &[], ONLY_QUESTION).ok()?;
        let ItemColumns::Whole(item) = layout.item else {
            return None;
        };
        let [answer] = &layout.answers[..] else {
            return None;
        };
        let (Cell::Column(column), Asked::Always(_)) = (answer.from, &answer.question) else {
            return None;
        };
        if layout.status.is_some() || layout.source.is_some() || layout.hint.is_some() {
            return None;
        }
        Some(Self {
            annotator: Some(layout.annotator),
            item,
            answer: column,
            truth: answer.truth,
        })
    }

    /// The same of a table of truths.
    pub(super) fn of_truths(header: &impl Header, mapping: &VoteMapping) -> Option<Self> {
        let (item, answers) = Layout::truths(header, mapping, &[], ONLY_QUESTION).ok()?;
        let [answer] = &answers[..] else { return None };
        let (Cell::Column(column), Asked::Always(_)) = (answer.from, &answer.question) else {
            return None;
        };
        Some(Self {
            annotator: None,
            item,
            answer: column,
            truth: None,
        })
    }
}

/// Column names of a table whose cells are not read yet.
pub(super) struct Names<'a>(pub(super) &'a [String]);

impl Header for Names<'_> {
    fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<usize> {
        if let Some(exact) = self.0.iter().position(|n| n == name) {
            return Some(exact);
        }
        let folded = name.to_lowercase();
        let mut alike = (0..self.0.len()).filter(|&i| self.0[i].to_lowercase() == folded);
        match (alike.next(), alike.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    fn need(&self, names: &[&str]) -> Result<usize> {
        let found = names.iter().find_map(|name| self.find(name));
        // Nobody sees this: the general reader says it better.
        found.ok_or_else(|| problem("no such column").into())
    }
}

/// A Parquet file of votes or truths.
pub(super) struct ParquetSource {
    path: PathBuf,
    file: File,
    meta: FileMetadata,
    plan: Plan,
    kinds: [Option<Kind>; 4],
    names: Vec<String>,
    /// Row of the first vote of each group.
    first_rows: Vec<u64>,
    /// Whether answers are read as labels.
    scale: Scale,
}

fn damaged(path: &Path, why: impl AsRef<str>) -> Problem {
    problem("the Parquet file cannot be read")
        .file(path)
        .value(why)
        .hint("it may be cut off or damaged: write or download it again")
}

/// Runs a reading of Parquet; panics on damaged files become problems of the file.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result,
        Err(_) => damaged(path, "the reader gave up").fail(),
    }
}

impl ParquetSource {
    /// Opens a file of this plan; `None` if the general reader must read it.
    fn open(
        path: &Path,
        plan: impl FnOnce(&Names<'_>) -> Option<Plan>,
        hint: ScaleHint,
    ) -> Result<Option<Self>> {
        let mut file = File::open(path).map_err(|e| Problem::io("read the file", path, &e))?;
        let meta = guarded(path, || {
            Ok(read_metadata(&mut file).map_err(|e| damaged(path, e.to_string()))?)
        })?;
        let fields = meta.schema().fields();
        let names: Vec<String> = fields
            .iter()
            .map(|field| field.name().to_string())
            .collect();
        let Some(plan) = plan(&Names(&names)) else {
            return Ok(None);
        };
        // Leaves are the fields themselves only where nothing is nested.
        let Some(first) = meta.row_groups.first() else {
            return Ok(None);
        };
        if meta.num_rows == 0 || first.parquet_columns().len() != names.len() {
            return Ok(None);
        }
        let kind = |column: usize| Kind::of(&first.parquet_columns()[column]);
        let (item, answer) = (kind(plan.item), kind(plan.answer));
        let (annotator, truth) = (plan.annotator.map(kind), plan.truth.map(kind));
        let is_key = |kind| !matches!(kind, None | Some(Kind::Single | Kind::Double));
        let scale = match (answer, hint) {
            (None, _) => return Ok(None),
            (Some(Kind::Text), ScaleHint::Number | ScaleHint::Auto) => {
                // Numbers written as text, or labels: the answers themselves say.
                if hint == ScaleHint::Number {
                    return Ok(None);
                }
                Scale::Labels
            }
            (Some(Kind::Text), ScaleHint::Choice) => Scale::Labels,
            // Labels that look like numbers need their text.
            (Some(_), ScaleHint::Choice) => return Ok(None),
            (Some(_), _) => Scale::Numbers,
        };
        let is_text = |kind: Option<Kind>| kind == Some(Kind::Text);
        let truth_fits = truth.is_none_or(|t| t.is_some() && is_text(t) == is_text(answer));
        if !is_key(item) || !annotator.is_none_or(is_key) || !truth_fits {
            return Ok(None);
        }
        let mut row = 2;
        let mut first_rows = Vec::with_capacity(meta.row_groups.len());
        for group in &meta.row_groups {
            first_rows.push(row);
            row += group.num_rows() as u64;
        }
        Ok(Some(Self {
            path: path.to_path_buf(),
            kinds: [item, annotator.flatten(), answer, truth.flatten()],
            file,
            meta,
            plan,
            names,
            first_rows,
            scale,
        }))
    }

    fn fault(&self, fault: Fault, column: usize, first_row: u64, missing: &str) -> Box<Problem> {
        Box::new(match fault {
            Fault::Unknown => unknown(),
            Fault::Io(error) => return Problem::io("read the file", &self.path, &error),
            Fault::Damaged(why) => damaged(&self.path, why),
            Fault::Missing(row) => problem(missing)
                .file(&self.path)
                .row(first_row + row as u64)
                .column(&self.names[column])
                .hint("correct the row, or leave it out with --skip-bad-rows"),
        })
    }

    fn read(&self, index: usize) -> Result<Batch> {
        let group = &self.meta.row_groups[index];
        let first_row = self.first_rows[index];
        guarded(&self.path, || {
            let keys = |column: usize, kind: Option<Kind>, missing: &str| {
                let chunk = &group.parquet_columns()[column];
                let read = match kind {
                    Some(Kind::Text) => pages::words(&self.file, chunk, true).map(Keys::Words),
                    Some(kind) => pages::integers(&self.file, chunk, kind).map(Keys::Numbers),
                    None => Err(Fault::Unknown),
                };
                read.map_err(|fault| self.fault(fault, column, first_row, missing))
            };
            let items = keys(self.plan.item, self.kinds[0], "no item")?;
            let annotators = match self.plan.annotator {
                Some(column) => Some(keys(column, self.kinds[1], "no annotator")?),
                None => None,
            };
            let answers = self.answers(group, self.plan.answer, self.kinds[2], first_row, index)?;
            let truths = match self.plan.truth {
                Some(column) => {
                    Some(self.answers(group, column, self.kinds[3], first_row, index)?)
                }
                None => None,
            };
            Ok(Batch {
                items,
                annotators,
                answers,
                truths,
                first_row,
                rows: Vec::new(),
            })
        })
    }

    fn answers(
        &self,
        group: &RowGroupMetadata,
        column: usize,
        kind: Option<Kind>,
        first_row: u64,
        index: usize,
    ) -> Result<Answers> {
        let chunk = &group.parquet_columns()[column];
        let fault = |fault| self.fault(fault, column, first_row, "no answer");
        if self.scale == Scale::Labels {
            let words = pages::words(&self.file, chunk, false).map_err(fault)?;
            if index == 0 && looks_like_numbers(&words) {
                // What is meant by text that looks like numbers is for the general reader to find out.
                return Err(unknown().into());
            }
            return Ok(Answers::Labels(words));
        }
        let Some(kind) = kind else {
            return Err(unknown().into());
        };
        let values = pages::doubles(&self.file, chunk, kind).map_err(fault)?;
        let bad = |v: f64| v.abs() >= 1e30;
        let Some(place) = values.values.iter().position(|&v| bad(v)) else {
            return Ok(Answers::Numbers(values));
        };
        // A dictionary may have values that no row has.
        let value = |row: usize| values.values.get(values.code(row) as usize);
        let rows = values.codes.as_ref().map_or(place + 1, Vec::len);
        let found = (0..rows).find(|&row| value(row).is_some_and(|&v| bad(v)));
        if let Some(row) = found {
            let truth = Some(column) == self.plan.truth || self.plan.annotator.is_none();
            let why = check_number(value(row).copied().unwrap_or(f64::NAN))
                .err()
                .unwrap_or("is not a finite number");
            let whose = if truth { "truth" } else { "answer" };
            return problem(format!("{whose} {why}"))
                .file(&self.path)
                .row(first_row + row as u64)
                .column(&self.names[column])
                .hint("correct the row, or leave it out with --skip-bad-rows")
                .fail();
        }
        Ok(Answers::Numbers(values))
    }
}

/// Whether nine in ten of the first thousand words are numbers: the rule of the general reader.
fn looks_like_numbers(words: &Column<Words>) -> bool {
    let rows = words.codes.as_ref().map_or(words.values.len(), Vec::len);
    let codes = (0..rows).map(|row| words.code(row));
    let (mut numbers, mut all) = (0, 0);
    for code in codes.filter(|&code| code != ABSENT).take(1000) {
        let text = String::from_utf8_lossy(words.values.get(code as usize));
        if text.trim().is_empty() || text.trim() == "?" {
            continue;
        }
        all += 1;
        let number = text.trim().parse::<f64>().is_ok()
            || crate::files::table::parse_number(text.trim()).is_ok();
        numbers += u32::from(number);
    }
    numbers * 10 >= all * 9
}

/// The mark of what only the general reader can read.
const UNKNOWN: &str = "only the general reader knows this";

pub(super) fn unknown() -> Problem {
    problem(UNKNOWN)
}

/// Whether an error says no more than that the general reader must be asked.
pub(super) fn is_unknown(problem: &Problem) -> bool {
    problem.what == UNKNOWN
}

/// A table of votes or truths.
pub(super) enum Source {
    Parquet(Box<ParquetSource>),
    Text(TextSource),
}

impl Source {
    /// A table of votes; `None` if the general reader must read it.
    pub(super) fn votes(
        path: &Path,
        mapping: &VoteMapping,
        hint: ScaleHint,
    ) -> Result<Option<Self>> {
        Self::open(path, hint, |names| Plan::of_votes(names, mapping))
    }

    /// A table of truths.
    pub(super) fn truths(
        path: &Path,
        mapping: &VoteMapping,
        hint: ScaleHint,
    ) -> Result<Option<Self>> {
        Self::open(path, hint, |names| Plan::of_truths(names, mapping))
    }

    fn open(
        path: &Path,
        hint: ScaleHint,
        plan: impl FnOnce(&Names<'_>) -> Option<Plan>,
    ) -> Result<Option<Self>> {
        if crate::files::table::is_parquet(path)? {
            let source = ParquetSource::open(path, plan, hint)?;
            return Ok(source.map(|source| Self::Parquet(Box::new(source))));
        }
        let source = TextSource::open(path, plan, hint)?;
        Ok(source.map(Self::Text))
    }

    /// Whether answers are numbers or labels.
    pub(super) fn scale(&self) -> Scale {
        match self {
            Self::Parquet(source) => source.scale,
            Self::Text(source) => source.scale(),
        }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Parquet(source) => &source.path,
            Self::Text(source) => source.path(),
        }
    }

    /// About how many rows there are, known before they are read and always the same for the same file.
    pub(super) fn about_rows(&self) -> usize {
        match self {
            Self::Parquet(source) => source.meta.num_rows,
            Self::Text(source) => source.about_rows(),
        }
    }

    /// Number of batches.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Parquet(source) => source.meta.row_groups.len(),
            Self::Text(source) => source.count(),
        }
    }

    /// A batch, by its number.
    pub(super) fn read(&self, index: usize) -> Result<Batch> {
        match self {
            Self::Parquet(source) => source.read(index),
            Self::Text(source) => source.read(index),
        }
    }
}
