//! The fast path for numeric votes: columns straight from the file, without a text per cell.

use super::{
    Names, Table,
    mapping::{Asked, Cell, Header, ItemColumns, Layout},
    parquet::{self, Columns, Values},
    table::{check_number, parse_number},
    votes::{FileAnswer, ONLY_QUESTION},
    votes_read::{ScaleHint, VoteOptions, VoteReader},
};
use crate::{Problem, Result, problem};
use std::{collections::BTreeMap, path::Path};

/// Numeric votes on one question as dense columns in step; 16 bytes per vote.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NumberColumns {
    /// The items.
    pub items: Names,
    /// The annotators.
    pub annotators: Names,
    /// Index of each vote's item.
    pub item: Vec<u32>,
    /// Index of each vote's annotator.
    pub annotator: Vec<u32>,
    /// Each vote's number.
    pub value: Vec<f64>,
    /// The known answer of each item, by the item's index.
    pub truth: Vec<Option<f64>>,
}

/// Reads numeric votes with the columns and rules of [`super::read_votes`], strictly or not as `options` say.
///
/// A file that has one row per vote, and nothing to be left out, is read straight into columns (Parquet without any
/// text for its numbers); any other goes through the general reader. Errors: as there, and votes on several
/// questions if `options.questions` does not name exactly one. Unsure votes are left out.
pub fn read_numbers(path: impl AsRef<Path>, options: &VoteOptions) -> Result<NumberColumns> {
    let path = path.as_ref();
    let options = VoteOptions {
        scale: ScaleHint::Number,
        ..options.clone()
    };
    if options.questions.is_empty()
        && !options.skip_bad_rows
        && options.duplicates == super::Duplicates::Error
    {
        if super::table::is_parquet(path)? {
            let names = parquet::names(path)?;
            if let Some(plan) = Plan::of(
                &ParquetHeader {
                    path,
                    names: &names,
                },
                &options,
            ) {
                return plan.parquet(path, &names);
            }
        } else {
            let table = Table::read(path)?;
            if let Some(plan) = Plan::of(&table, &options) {
                return plan.text(&table);
            }
        }
    }
    general(path, options)
}

fn general(path: &Path, options: VoteOptions) -> Result<NumberColumns> {
    let mut reader = VoteReader::new(options);
    reader.read(path)?;
    let votes = reader.finish()?.votes;
    if votes.questions().len() > 1 {
        let names: Vec<&str> = votes.questions().iter().collect();
        return problem(format!(
            "the votes answer several questions: {}",
            names.join(", ")
        ))
        .file(path)
        .hint("say which one is meant")
        .fail();
    }
    let dense = votes.numbers(0);
    let mut truth = vec![None; votes.items().len()];
    for (item, _, answer) in votes.truths() {
        if let FileAnswer::Number(value) = answer {
            truth[item as usize] = Some(value);
        }
    }
    Ok(NumberColumns {
        items: votes.items().clone(),
        annotators: votes.annotators().clone(),
        item: dense.item,
        annotator: dense.annotator,
        value: dense.value,
        truth,
    })
}

struct ParquetHeader<'a> {
    path: &'a Path,
    names: &'a [String],
}

impl Header for ParquetHeader<'_> {
    fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<usize> {
        let exact = self.names.iter().position(|n| n == name);
        exact.or_else(|| self.names.iter().position(|n| n.eq_ignore_ascii_case(name)))
    }

    fn need(&self, names: &[&str]) -> Result<usize> {
        let found = names.iter().find_map(|name| self.find(name));
        // The general reader says it better.
        found.ok_or_else(|| problem("no such column").file(self.path).into())
    }
}

/// Four columns of a plain long file.
struct Plan {
    annotator: usize,
    item: usize,
    value: usize,
    truth: Option<usize>,
}

impl Plan {
    /// The columns, if the file is of the simple kind; `None` sends it to the general reader, errors included.
    fn of(header: &impl Header, options: &VoteOptions) -> Option<Self> {
        let layout = Layout::plain(header, &options.mapping, &[], ONLY_QUESTION).ok()?;
        let ItemColumns::Whole(item) = layout.item else {
            return None;
        };
        let [answer] = &layout.answers[..] else {
            return None;
        };
        let (Cell::Column(value), Asked::Always(_), None) =
            (answer.from, &answer.question, layout.status)
        else {
            return None;
        };
        Some(Self {
            annotator: layout.annotator,
            item,
            value,
            truth: answer.truth,
        })
    }

    fn text(&self, table: &Table) -> Result<NumberColumns> {
        let mut sink = Sink::new(table.path(), table.len());
        for row in table.rows() {
            let number = |column: usize| match row.text(column) {
                None | Some("?") => Ok(None),
                Some(text) => match parse_number(text) {
                    Ok(value) => Ok(Some(value)),
                    Err(why) => Err((text, why)),
                },
            };
            let fail = |column: usize, whose: &str, why| {
                Box::new(row.problem(column, format!("{whose} {why}")))
            };
            let value = number(self.value).map_err(|(_, why)| fail(self.value, "answer", why))?;
            let truth = match self.truth {
                Some(column) => number(column).map_err(|(_, why)| fail(column, "truth", why))?,
                None => None,
            };
            let annotator = row
                .text(self.annotator)
                .ok_or_else(|| row.problem(self.annotator, "no annotator"))?;
            let item = row
                .text(self.item)
                .ok_or_else(|| row.problem(self.item, "no item"))?;
            sink.add(row.number(), annotator, item, value, truth)?;
        }
        sink.finish()
    }

    fn parquet(&self, path: &Path, names: &[String]) -> Result<NumberColumns> {
        let mut wanted = vec![self.annotator, self.item, self.value];
        wanted.extend(self.truth);
        wanted.sort_unstable();
        wanted.dedup();
        let Columns { rows, values } = parquet::read_columns(path, &wanted)?;
        let column = |index: usize| &values[wanted.partition_point(|&w| w < index)];
        if rows == 0 {
            return problem("the file has a header and no rows")
                .file(path)
                .fail();
        }
        let mut sink = Sink::new(path, rows);
        let (mut one, mut two, mut text) = (String::new(), String::new(), String::new());
        for row in 0..rows {
            let at = |index: usize, what: String, value: &str| -> Box<Problem> {
                let p = problem(what).file(path).row(row as u64 + 2);
                Box::new(p.column(&names[index]).value(value))
            };
            let mut number = |index: usize, whose: &str| -> Result<Option<f64>> {
                let values = column(index);
                let found = if values.is_numeric() {
                    values.number(row).map(check_number)
                } else {
                    text.clear();
                    values.write(row, &mut text);
                    let trimmed = text.trim();
                    (!trimmed.is_empty() && trimmed != "?").then(|| parse_number(trimmed))
                };
                match found {
                    None => Ok(None),
                    Some(Ok(value)) => Ok(Some(value)),
                    Some(Err(why)) => {
                        text.clear();
                        values.write(row, &mut text);
                        Err(at(index, format!("{whose} {why}"), &text))
                    }
                }
            };
            let value = number(self.value, "answer")?;
            let truth = match self.truth {
                Some(index) => number(index, "truth")?,
                None => None,
            };
            let annotator = word(column(self.annotator), row, &mut one);
            let annotator =
                annotator.ok_or_else(|| at(self.annotator, "no annotator".into(), ""))?;
            let item = word(column(self.item), row, &mut two);
            let item = item.ok_or_else(|| at(self.item, "no item".into(), ""))?;
            sink.add(row as u64 + 2, annotator, item, value, truth)?;
        }
        sink.finish()
    }
}

/// The cell as a name, borrowed from the column where it is text; `None` if empty.
fn word<'a>(values: &'a Values, row: usize, buffer: &'a mut String) -> Option<&'a str> {
    let text = match values {
        Values::Text(column) => column.get(row).unwrap_or_default(),
        other => {
            buffer.clear();
            other.write(row, buffer);
            buffer
        }
    };
    Some(text.trim()).filter(|text| !text.is_empty())
}

struct Sink<'a> {
    path: &'a Path,
    columns: NumberColumns,
    /// Rows of the votes, while they are not simply one after the other.
    rows: Vec<(usize, u64)>,
    truth_rows: BTreeMap<u32, u64>,
}

impl<'a> Sink<'a> {
    fn new(path: &'a Path, rows: usize) -> Self {
        let columns = NumberColumns {
            item: Vec::with_capacity(rows),
            annotator: Vec::with_capacity(rows),
            value: Vec::with_capacity(rows),
            ..NumberColumns::default()
        };
        Self {
            path,
            columns,
            rows: Vec::new(),
            truth_rows: BTreeMap::new(),
        }
    }

    fn add(
        &mut self,
        row: u64,
        annotator: &str,
        item: &str,
        value: Option<f64>,
        truth: Option<f64>,
    ) -> Result<()> {
        let columns = &mut self.columns;
        let index = columns.items.intern(item);
        let annotator = columns.annotators.intern(annotator);
        if columns.truth.len() < columns.items.len() {
            columns.truth.resize(columns.items.len(), None);
        }
        if let Some(new) = truth {
            match columns.truth[index as usize] {
                None => {
                    columns.truth[index as usize] = Some(new);
                    self.truth_rows.insert(index, row);
                }
                Some(old) if old == new => {}
                Some(old) => {
                    let first = self.truth_rows.get(&index).copied().unwrap_or_default();
                    return problem("two different truths for one item")
                        .file(self.path)
                        .row(row)
                        .value(format!("{item}: {new}"))
                        .hint(format!("row {first} says {old}: correct one of them"))
                        .fail();
                }
            }
        }
        if let Some(value) = value {
            let at = columns.value.len();
            let expected = self
                .rows
                .last()
                .map(|&(first, number)| number + (at - first) as u64);
            if expected != Some(row) {
                self.rows.push((at, row));
            }
            columns.item.push(index);
            columns.annotator.push(annotator);
            columns.value.push(value);
        }
        Ok(())
    }

    fn row_of(&self, vote: usize) -> u64 {
        let run = self.rows.partition_point(|&(first, _)| first <= vote) - 1;
        let (first, number) = self.rows[run];
        number + (vote - first) as u64
    }

    fn finish(self) -> Result<NumberColumns> {
        let columns = &self.columns;
        let mut keys: Vec<(u32, u32, u32)> = (0..columns.value.len())
            .map(|i| (columns.item[i], columns.annotator[i], i as u32))
            .collect();
        keys.sort_unstable();
        let repeats = keys
            .windows(2)
            .filter(|w| (w[0].0, w[0].1) == (w[1].0, w[1].1));
        if let Some(pair) = repeats.min_by_key(|w| w[1].2) {
            let (one, two) = (pair[0].2 as usize, pair[1].2 as usize);
            let (annotator, item) = (
                columns.annotators.get(pair[1].1),
                columns.items.get(pair[1].0),
            );
            return problem("an annotator answers the same question about the same item twice")
                .file(self.path)
                .row(self.row_of(two))
                .value(format!("{annotator} on {item}: {}", columns.value[two]))
                .hint(format!(
                    "the first answer, {}, stands in row {}: remove one, or choose with --duplicates first or --duplicates last",
                    columns.value[one],
                    self.row_of(one)
                ))
                .fail();
        }
        Ok(self.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::write_votes;

    fn both(text: &str) -> (Result<NumberColumns>, Result<NumberColumns>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.csv");
        std::fs::write(&path, text).unwrap();
        let options = VoteOptions::default();
        let scale = VoteOptions {
            scale: ScaleHint::Number,
            ..options.clone()
        };
        (read_numbers(&path, &options), general(&path, scale))
    }

    #[test]
    fn the_fast_path_gives_what_the_general_reader_gives() {
        let (fast, slow) = both(
            "worker,item,person,value,truth\n3,x,1,172.72,167\n\n3,y,1,?,\n10,x,1,\"165,1\",167.0\n",
        );
        let fast = fast.unwrap();
        assert_eq!(
            (&fast.value, &fast.truth),
            (&vec![172.72, 165.1], &vec![Some(167.0), None])
        );
        assert_eq!(fast, slow.unwrap());
    }

    #[test]
    fn the_fast_path_fails_as_the_general_reader_fails() {
        for text in [
            "worker,task,label\na,x,1\n\nb,x,nan\n",
            "worker,task,label\na,x,1e308\n",
            "worker,task,label\na,x,ten\n",
            "worker,task,label\n,x,1\n",
            "worker,task,label\na,,1\n",
            "worker,task,label\na,x,1\nb,x,2\n\na,x,3\n",
            "worker,task,label,truth\na,x,1,1\nb,x,2,2\n",
            "worker,tisk,label\na,x,1\n",
        ] {
            let (fast, slow) = both(text);
            let (fast, slow) = (fast.unwrap_err(), slow.unwrap_err());
            assert_eq!(
                (&fast.what, fast.row, &fast.column),
                (&slow.what, slow.row, &slow.column),
                "{text}"
            );
        }
    }

    #[test]
    fn parquet_is_read_by_column_and_its_errors_name_the_row() {
        use polars::prelude::{Column, NamedFrom, Series};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.parquet");
        let write = |values: Vec<f32>| {
            let columns: Vec<Column> = vec![
                Series::new("Worker".into(), vec![7i64, 8][..values.len()].to_vec()).into(),
                Series::new("task".into(), vec!["x", "y"][..values.len()].to_vec()).into(),
                Series::new("label".into(), values).into(),
            ];
            crate::files::write_atomically(&path, |w| parquet::write(columns, w)).unwrap();
        };
        write(vec![0.1, 5.0]);
        let read = read_numbers(&path, &VoteOptions::default()).unwrap();
        assert_eq!((read.value, read.annotators.get(0)), (vec![0.1, 5.0], "7"));
        write(vec![]);
        assert!(read_numbers(&path, &VoteOptions::default()).is_err());
        write(vec![0.1, f32::NAN]);
        let p = read_numbers(&path, &VoteOptions::default()).unwrap_err();
        assert_eq!(
            (p.row, p.column.as_deref(), p.value.as_deref()),
            (Some(3), Some("label"), Some("NaN"))
        );
    }

    #[test]
    fn our_own_parquet_is_read_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.parquet");
        let mut votes = crate::files::VoteTable::new();
        votes.push(&crate::files::FileVote::new(
            "a",
            "x",
            "age",
            FileAnswer::Number(3.5),
        ));
        write_votes(&path, &votes, &crate::files::WriteOptions::default()).unwrap();
        assert_eq!(
            read_numbers(&path, &VoteOptions::default()).unwrap().value,
            [3.5]
        );
    }
}
