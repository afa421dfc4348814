//! Predictions as a table: CSV, TSV or Parquet by the file's ending.

use super::journal::Prediction;
use crate::{
    Result,
    files::{write_atomically, write_columns},
    problem,
};
use polars::prelude::Column;
use std::{
    io::{self, Write},
    path::Path,
};

/// Names of the columns.
pub const COLUMNS: [&str; 7] = [
    "item",
    "age",
    "sex",
    "sex_score",
    "face_used",
    "body_used",
    "error",
];

/// Ten-thousandths as a decimal number of four places: what is written never hangs on the last bit of a sum.
fn decimal(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let size = value.unsigned_abs();
    format!("{sign}{}.{:04}", size / 10_000, size % 10_000)
}

/// A number in ten-thousandths, halves away from zero.
pub fn ten_thousandths(value: f32) -> i64 {
    (f64::from(value) * 10_000.0).round() as i64
}

fn sex(prediction: &Prediction) -> Option<&'static str> {
    let name = |male| if male { "male" } else { "female" };
    prediction.sex.map(|(male, _)| name(male))
}

/// Kinds of files that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text with this separator.
    Text(u8),
    /// Parquet.
    Parquet,
}

impl Format {
    /// By the file's ending.
    ///
    /// # Errors
    /// An ending other than .csv, .tsv and .parquet.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path
            .extension()
            .map(|e| e.to_string_lossy().to_lowercase())
            .unwrap_or_default();
        match ending.as_str() {
            "csv" => Ok(Self::Text(b',')),
            "tsv" => Ok(Self::Text(b'\t')),
            "parquet" => Ok(Self::Parquet),
            _ => problem("the ending names no kind of table that predictions are written as")
                .file(path)
                .value(&ending)
                .hint("name a file that ends in .csv, .tsv or .parquet")
                .fail(),
        }
    }
}

/// Writes the table whole or not at all, rows as they come.
///
/// # Errors
/// As [`Format::of`]; output errors.
pub fn write(path: &Path, rows: &[Prediction]) -> Result<()> {
    match Format::of(path)? {
        Format::Text(separator) => write_atomically(path, |w| text(w, separator, rows)),
        Format::Parquet => {
            let real = |v: i64| v as f64 / 10_000.0;
            let column = |i: usize| COLUMNS[i].into();
            fn all<T>(rows: &[Prediction], of: impl Fn(&Prediction) -> T) -> Vec<T> {
                rows.iter().map(of).collect()
            }
            let columns = vec![
                Column::new(column(0), all(rows, |r| r.item.clone())),
                Column::new(column(1), all(rows, |r| r.age.map(real))),
                Column::new(column(2), all(rows, sex)),
                Column::new(column(3), all(rows, |r| r.sex.map(|(_, p)| real(p)))),
                Column::new(column(4), all(rows, |r| r.face_used)),
                Column::new(column(5), all(rows, |r| r.body_used)),
                Column::new(column(6), all(rows, |r| r.error.clone())),
            ];
            write_atomically(path, |w| write_columns(columns, w))
        }
    }
}

/// Writes the rows as text.
///
/// # Errors
/// Output errors.
pub fn text(writer: impl Write, separator: u8, rows: &[Prediction]) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new()
        .delimiter(separator)
        .from_writer(writer);
    csv.write_record(COLUMNS)?;
    for row in rows {
        csv.write_record([
            row.item.as_str(),
            &row.age.map(decimal).unwrap_or_default(),
            sex(row).unwrap_or_default(),
            &row.sex.map(|(_, p)| decimal(p)).unwrap_or_default(),
            if row.face_used { "true" } else { "false" },
            if row.body_used { "true" } else { "false" },
            row.error.as_deref().unwrap_or_default(),
        ])?;
    }
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(age: Option<f32>, error: Option<&str>) -> Prediction {
        Prediction {
            row: 2,
            item: "a,b.jpg".into(),
            age: age.map(ten_thousandths),
            sex: age.map(|_| (false, 9_876)),
            face_used: age.is_some(),
            body_used: false,
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn numbers_have_four_places_and_what_is_missing_is_empty() {
        let rows = [
            row(Some(31.234_56), None),
            row(Some(-0.05), None),
            row(Some(-0.000_01), None),
            row(None, Some("the picture is cut off: its end is missing")),
        ];
        let mut out = Vec::new();
        text(&mut out, b',', &rows).unwrap();
        let expected = "item,age,sex,sex_score,face_used,body_used,error\n\
            \"a,b.jpg\",31.2346,female,0.9876,true,false,\n\
            \"a,b.jpg\",-0.0500,female,0.9876,true,false,\n\
            \"a,b.jpg\",0.0000,female,0.9876,true,false,\n\
            \"a,b.jpg\",,,,false,false,the picture is cut off: its end is missing\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn parquet_says_the_same_as_text() {
        let dir = tempfile::tempdir().unwrap();
        let rows = [row(Some(31.5), None), row(None, Some("x"))];
        for name in ["p.csv", "p.parquet", "p.TSV"] {
            write(&dir.path().join(name), &rows).unwrap();
        }
        let cells = |name: &str| {
            let table = crate::files::Table::read(dir.path().join(name)).unwrap();
            assert_eq!(table.columns(), COLUMNS);
            let number = |t: &str| t.parse::<f64>().map_or(t.to_owned(), |v| v.to_string());
            (0..2)
                .flat_map(|r| (0..7).map(move |c| (r, c)))
                .map(|(r, c)| number(table.row(r).get(c)))
                .collect::<Vec<_>>()
        };
        assert_eq!(cells("p.csv"), cells("p.parquet"));
        assert_eq!(cells("p.csv"), cells("p.TSV"));
        assert!(write(&dir.path().join("p.txt"), &rows).is_err());
    }
}
