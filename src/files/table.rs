//! A table read from CSV, TSV or Parquet: every cell as text, every row with its number.

use super::{Skipped, delimited, encoding, parquet};
use crate::{Problem, Result, problem};
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// A table in memory. The cells lie in one string with 4 bytes per cell and 8 per row beside it: ten million rows of
/// three columns cost their text and 200 MB.
#[derive(Debug, Clone)]
pub struct Table {
    path: PathBuf,
    columns: Vec<String>,
    text: String,
    /// Where the text of each row starts.
    bases: Vec<usize>,
    /// Row by row, where each cell ends, counted from its row's base.
    ends: Vec<u32>,
    /// Columns of Parquet whose values have no text here, with their type. They are named, and using one is an error.
    unreadable: Vec<(usize, String)>,
    /// Stretches of rows whose numbers rise by one: index of the first row, its number.
    runs: Vec<(usize, u64)>,
}

/// One row of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    table: &'a Table,
    index: usize,
}

impl Table {
    /// Reads a table, strictly. Parquet is recognised by its first bytes, everything else is text: UTF-8 (or UTF-16 with
    /// a byte order mark), separated by tab for `.tsv`, else by whatever the header has most of among comma, semicolon, tab.
    ///
    /// Blank lines, and rows of empty cells only, are skipped. Row numbers are lines of the file as an editor shows
    /// them, with the header on row 1; rows of Parquet are numbered from 2 as if a header stood above them.
    ///
    /// Errors: no such file, a folder, empty, header only, a column name twice, too few or too many fields, a wrong
    /// quote (naming the row where it opens), NUL bytes, text that is not UTF-8, a damaged Parquet file.
    /// Columns of Parquet that are not text, numbers, booleans or categories are an error only when they are asked for.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_skipping(path, &mut Skipped::strict())
    }

    /// As [`Table::read`]; if `skipped` is lenient, rows with too few or too many fields are left out and counted there.
    pub fn read_skipping(path: impl AsRef<Path>, skipped: &mut Skipped) -> Result<Self> {
        let path = path.as_ref();
        if is_parquet(path)? {
            return parquet::read_table(path);
        }
        let bytes = fs::read(path).map_err(|e| Problem::io("read the file", path, &e))?;
        delimited::parse(path, encoding::to_utf8(path, bytes)?, skipped)
    }

    /// The file it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the columns, in the file's order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Number of rows, without the header.
    pub fn len(&self) -> usize {
        self.bases.len()
    }

    /// Whether there are no rows. A table that was read has at least one.
    pub fn is_empty(&self) -> bool {
        self.bases.is_empty()
    }

    /// Index of a column: the exact name, else the only one that is equal without regard to case. `None` also for
    /// a column of Parquet whose type is not read here; [`Table::column`] says so.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.named(name)
            .filter(|&column| self.type_not_read(column).is_none())
    }

    fn type_not_read(&self, column: usize) -> Option<&str> {
        let mut all = self.unreadable.iter();
        all.find(|(at, _)| *at == column)
            .map(|(_, kind)| kind.as_str())
    }

    /// Whether there is a column of this name, readable or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.named(name).is_some()
    }

    fn named(&self, name: &str) -> Option<usize> {
        if let Some(exact) = self.columns.iter().position(|c| c == name) {
            return Some(exact);
        }
        let folded = name.to_lowercase();
        let mut alike =
            (0..self.columns.len()).filter(|&i| self.columns[i].to_lowercase() == folded);
        match (alike.next(), alike.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    /// As [`Table::find`]; the error lists the columns there are and the nearest name.
    pub fn column(&self, name: &str) -> Result<usize> {
        self.find(name)
            .map_or_else(|| Err(Box::new(self.no_column(name))), Ok)
    }

    /// The first of several names that is a column; the error names them all.
    pub fn column_of(&self, names: &[&str]) -> Result<usize> {
        names.iter().find_map(|name| self.find(name)).map_or_else(
            || {
                let mut p = self.no_column(names.first().unwrap_or(&""));
                p.what = format!("there is no column named {}", names.join(" or "));
                p.fail()
            },
            Ok,
        )
    }

    fn no_column(&self, name: &str) -> Problem {
        let kind = self
            .named(name)
            .and_then(|column| self.type_not_read(column));
        if let Some(kind) = kind {
            return parquet::type_problem(&self.path, name, kind);
        }
        let nearest = self
            .columns
            .iter()
            .map(|c| {
                (
                    strsim::normalized_damerau_levenshtein(&c.to_lowercase(), &name.to_lowercase()),
                    c,
                )
            })
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness >= 0.5)
            .map_or(String::new(), |(_, c)| format!("did you mean \"{c}\"? "));
        let listed: Vec<&str> = self.columns.iter().take(40).map(String::as_str).collect();
        let more = if self.columns.len() > 40 { ", …" } else { "" };
        problem(format!("there is no column \"{name}\""))
            .file(&self.path)
            .hint(format!(
                "{nearest}the columns are: {}{more}",
                listed.join(", ")
            ))
    }

    /// The row at `index`, from 0. Panics if there is none.
    pub fn row(&self, index: usize) -> Row<'_> {
        assert!(index < self.len(), "row {index} of {}", self.len());
        Row { table: self, index }
    }

    /// All rows in the file's order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        (0..self.len()).map(|index| Row { table: self, index })
    }

    /// A problem of the file as a whole.
    pub fn problem(&self, what: impl Into<String>) -> Problem {
        problem(what).file(&self.path)
    }
}

impl<'a> Row<'a> {
    /// Position in the table, from 0.
    pub fn index(self) -> usize {
        self.index
    }

    /// The row's number in the file, the header being row 1.
    pub fn number(self) -> u64 {
        let runs = &self.table.runs;
        let run = runs.partition_point(|&(first, _)| first <= self.index) - 1;
        let (first, number) = runs[run];
        number + (self.index - first) as u64
    }

    /// The cell's text as it stands in the file, without its quotes; empty for a null of Parquet.
    /// Panics if there is no such column.
    pub fn get(self, column: usize) -> &'a str {
        let table = self.table;
        let width = table.columns.len();
        assert!(column < width, "column {column} of {width}");
        let ends = &table.ends[self.index * width..];
        let start = if column == 0 { 0 } else { ends[column - 1] };
        let base = table.bases[self.index];
        &table.text[base + start as usize..base + ends[column] as usize]
    }

    /// The cell's text without spaces around it, or `None` if nothing is left.
    pub fn text(self, column: usize) -> Option<&'a str> {
        Some(self.get(column).trim()).filter(|text| !text.is_empty())
    }

    /// The cell as a number, `None` if it is empty. `.` or `,` is the decimal sign.
    /// Errors: not a number, NaN or infinite, 10³⁰ or more in size (which is a slip, and whose square overflows).
    pub fn float(self, column: usize) -> Result<Option<f64>> {
        let Some(text) = self.text(column) else {
            return Ok(None);
        };
        match parse_number(text) {
            Ok(value) => Ok(Some(value)),
            Err(what) => self.problem(column, what).fail(),
        }
    }

    /// A problem with this cell: names file, row, column and value.
    pub fn problem(self, column: usize, what: impl Into<String>) -> Problem {
        self.row_problem(what)
            .column(&self.table.columns[column])
            .value(self.get(column))
    }

    /// A problem with this row: names file and row, and what can always be done.
    pub fn row_problem(self, what: impl Into<String>) -> Problem {
        self.table
            .problem(what)
            .row(self.number())
            .hint("correct the row, or leave it out with --skip-bad-rows")
    }
}

/// Reads a number with `.` or `,` as decimal sign; the error says why it is none that can be used.
pub(crate) fn parse_number(text: &str) -> std::result::Result<f64, &'static str> {
    let parsed = text.parse::<f64>().or_else(|error| {
        if text.contains(',') && !text.contains('.') {
            text.replacen(',', ".", 1).parse::<f64>()
        } else {
            Err(error)
        }
    });
    match parsed {
        Err(_) => Err("is not a number"),
        Ok(value) => check_number(value),
    }
}

/// Why a number cannot be used, if it cannot.
pub(crate) fn check_number(value: f64) -> std::result::Result<f64, &'static str> {
    if !value.is_finite() {
        Err("is not a finite number")
    } else if value.abs() >= 1e30 {
        Err("is too large a number")
    } else {
        Ok(value)
    }
}

/// Whether the file begins as Parquet does; says clearly why it cannot be read at all.
pub(crate) fn is_parquet(path: &Path) -> Result<bool> {
    let fail = |e: io::Error| Problem::io("read the file", path, &e);
    if fs::metadata(path).map_err(fail)?.is_dir() {
        return problem("is a folder, not a table")
            .file(path)
            .hint("name a CSV, TSV or Parquet file")
            .fail();
    }
    // A pipe cannot be read twice, and holds text.
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Ok(false);
    }
    let mut magic = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(4).read_to_end(&mut magic))
        .map_err(fail)?;
    let is_parquet = magic == b"PAR1";
    if !is_parquet
        && path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("parquet"))
    {
        return problem("is not a Parquet file, though its name ends in .parquet")
            .file(path)
            .hint("it may be cut off or not fully downloaded; rename it if it is CSV")
            .fail();
    }
    Ok(is_parquet)
}

/// Collects rows for a [`Table`] whose text is handed over at the end.
pub(super) struct Builder {
    table: Table,
}

impl Builder {
    /// Starts with the header; errors if a name stands there twice.
    pub(super) fn new(path: &Path, columns: Vec<String>) -> Result<Self> {
        for (i, name) in columns.iter().enumerate() {
            // Several columns without a name come from separators at the end of the lines.
            if !name.is_empty() && columns[..i].contains(name) {
                return problem("two columns have the same name")
                    .file(path)
                    .row(1)
                    .column(name)
                    .hint("rename or remove one of them")
                    .fail();
            }
        }
        Ok(Self {
            table: Table {
                path: path.to_owned(),
                columns,
                text: String::new(),
                bases: Vec::new(),
                ends: Vec::new(),
                unreadable: Vec::new(),
                runs: Vec::new(),
            },
        })
    }

    /// Marks columns whose cells are left empty because their type is not read.
    pub(super) fn unreadable(&mut self, columns: Vec<(usize, String)>) {
        self.table.unreadable = columns;
    }

    pub(super) fn width(&self) -> usize {
        self.table.columns.len()
    }

    /// Adds a row whose cells end at `ends` in the text, the first one starting at `base`.
    pub(super) fn row_ending_at(&mut self, number: u64, base: usize, ends: &[usize]) -> Result<()> {
        let table = &mut self.table;
        let index = table.bases.len();
        let expected = table
            .runs
            .last()
            .map(|&(first, from)| from + (index - first) as u64);
        if expected != Some(number) {
            table.runs.push((index, number));
        }
        table.bases.push(base);
        for &end in ends {
            let Ok(end) = u32::try_from(end - base) else {
                return problem("the row is longer than 4 GiB")
                    .file(&table.path)
                    .row(number)
                    .fail();
            };
            table.ends.push(end);
        }
        Ok(())
    }

    /// The table with its text; errors if it has no rows.
    pub(super) fn finish(self, text: Vec<u8>, skipped: &Skipped) -> Result<Table> {
        let mut table = self.table;
        let broken = |_| problem("is not UTF-8 text").file(&table.path);
        table.text = String::from_utf8(text).map_err(broken)?;
        if table.bases.is_empty() {
            let p = if skipped.is_empty() {
                problem("the file has a header and no rows")
                    .hint("each line after the first is a row")
            } else {
                problem("no row is left").hint(skipped.to_string())
            };
            return p.file(&table.path).fail();
        }
        table.bases.shrink_to_fit();
        table.ends.shrink_to_fit();
        Ok(table)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
