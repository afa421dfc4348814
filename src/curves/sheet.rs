//! A table of results, written as CSV and as Parquet.

use crate::{Result, files::write_atomically, pool::disk::write_parquet};
use polars::prelude::Column;
use std::path::Path;

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Text.
    Text(String),
    /// A number; empty if there is none.
    Number(Option<f64>),
    /// A count; empty if there is none.
    Count(Option<u64>),
    /// Yes or no.
    Flag(bool),
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(Some(value))
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self::Count(Some(value as u64))
    }
}

/// Rows under named columns. All cells of a column are of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Name of its files, without ending.
    pub name: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// An empty sheet.
    pub fn new(name: &'static str, columns: &[&'static str]) -> Self {
        Self {
            name,
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, one cell per column.
    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// Names of the columns.
    pub fn columns(&self) -> &[&'static str] {
        &self.columns
    }

    /// The rows, one cell per column.
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes `NAME.csv` and `NAME.parquet` into a folder.
    pub fn write(&self, dir: &Path) -> Result<()> {
        write_atomically(dir.join(format!("{}.csv", self.name)), |w| {
            let mut csv = csv::Writer::from_writer(w);
            csv.write_record(&self.columns)?;
            for row in &self.rows {
                csv.write_record(row.iter().map(|cell| {
                    match cell {
                        Cell::Text(text) => text.clone(),
                        Cell::Number(value) => value
                            .filter(|v| v.is_finite())
                            .map(|v| v.to_string())
                            .unwrap_or_default(),
                        Cell::Count(value) => value.map(|v| v.to_string()).unwrap_or_default(),
                        Cell::Flag(value) => value.to_string(),
                    }
                }))?;
            }
            csv.flush()
        })?;
        let column = |c: usize| {
            let cells = || self.rows.iter().map(move |row| &row[c]);
            let name = self.columns[c].into();
            match self.rows.first().map(|row| &row[c]) {
                Some(Cell::Number(_)) => {
                    let value = |cell: &Cell| {
                        if let Cell::Number(v) = cell {
                            v.filter(|v| v.is_finite())
                        } else {
                            None
                        }
                    };
                    Column::new(name, cells().map(value).collect::<Vec<Option<f64>>>())
                }
                Some(Cell::Count(_)) => {
                    let value = |cell: &Cell| if let Cell::Count(v) = cell { *v } else { None };
                    Column::new(name, cells().map(value).collect::<Vec<Option<u64>>>())
                }
                Some(Cell::Flag(_)) => {
                    let value = |cell: &Cell| matches!(cell, Cell::Flag(true));
                    Column::new(name, cells().map(value).collect::<Vec<bool>>())
                }
                _ => {
                    let value = |cell: &Cell| {
                        if let Cell::Text(v) = cell {
                            v.clone()
                        } else {
                            String::new()
                        }
                    };
                    Column::new(name, cells().map(value).collect::<Vec<String>>())
                }
            }
        };
        let columns = (0..self.columns.len()).map(column).collect();
        write_parquet(&dir.join(format!("{}.parquet", self.name)), columns)
    }
}
