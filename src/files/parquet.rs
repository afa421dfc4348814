//! Parquet to text cells and columns, and columns to Parquet, through polars.

use super::table::{Builder, Table};
use crate::{Problem, Result, problem};
use polars::prelude::{
    ArrowDataType, BooleanChunked, Column, DataFrame, DataType, Float32Chunked, Float64Chunked,
    Int64Chunked, ParquetReader, ParquetWriter, PolarsError, PolarsResult, SerReader,
    StringChunked, UInt64Chunked,
};
use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufWriter, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

/// A column of a Parquet file, its values reachable by row.
pub(super) enum Values {
    Text(StringChunked),
    Whole(Int64Chunked),
    WholePositive(UInt64Chunked),
    Double(Float64Chunked),
    Single(Float32Chunked),
    Truth(BooleanChunked),
    Nothing,
}

impl Values {
    /// Writes the value as text: numbers in the shortest form that reads back as the same number, nulls as nothing.
    pub(super) fn write(&self, row: usize, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Text(c) => {
                out.push_str(c.get(row).unwrap_or_default());
                Ok(())
            }
            Self::Whole(c) => c.get(row).map_or(Ok(()), |v| write!(out, "{v}")),
            Self::WholePositive(c) => c.get(row).map_or(Ok(()), |v| write!(out, "{v}")),
            Self::Double(c) => c.get(row).map_or(Ok(()), |v| {
                if v.is_finite() && v != 0.0 && !(1e-7..1e16).contains(&v.abs()) {
                    write!(out, "{v:e}")
                } else {
                    write!(out, "{v}")
                }
            }),
            Self::Single(c) => c.get(row).map_or(Ok(()), |v| {
                if v.is_finite() && v != 0.0 && !(1e-7..1e16).contains(&v.abs()) {
                    write!(out, "{v:e}")
                } else {
                    write!(out, "{v}")
                }
            }),
            Self::Truth(c) => c.get(row).map_or(Ok(()), |v| write!(out, "{v}")),
            Self::Nothing => Ok(()),
        };
    }

    /// The value as a number where the column is numeric and the value is not null.
    pub(super) fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::Whole(c) => c.get(row).map(|v| v as f64),
            Self::WholePositive(c) => c.get(row).map(|v| v as f64),
            Self::Double(c) => c.get(row),
            // 0.1 as f32 means 0.1, not 0.100000001: what its text says.
            Self::Single(c) => c.get(row).and_then(|v| v.to_string().parse().ok()),
            _ => None,
        }
    }

    /// Whether the column holds numbers, so that [`Values::number`] is `None` for nulls only.
    pub(super) fn is_numeric(&self) -> bool {
        !matches!(self, Self::Text(_) | Self::Truth(_) | Self::Nothing)
    }
}

/// An opened file: its columns' names, and the columns that were asked for.
pub(super) struct Columns {
    pub(super) rows: usize,
    pub(super) values: Vec<Values>,
}

/// Names of a file's columns, in order.
pub(super) fn names(path: &Path) -> Result<Vec<String>> {
    guarded(path, || {
        let mut reader = ParquetReader::new(File::open(path)?);
        let schema = reader.schema()?;
        Ok(schema.iter_names().map(ToString::to_string).collect())
    })
}

/// Reads some columns of a file, or all. Errors name the column whose type is not read here.
pub(super) fn read_columns(path: &Path, wanted: Option<&[usize]>) -> Result<Columns> {
    let unreadable: Option<(String, String)> = guarded(path, || {
        let mut reader = ParquetReader::new(File::open(path)?);
        let schema = reader.schema()?;
        let mut fields = schema.iter_values().enumerate();
        let bad = fields
            .find(|(i, field)| wanted.is_none_or(|w| w.contains(i)) && !is_readable(&field.dtype));
        Ok(bad.map(|(_, f)| (f.name.to_string(), format!("{:?}", f.dtype))))
    })?;
    if let Some((name, kind)) = unreadable {
        return problem(format!(
            "holds values of type {kind}, which is not read here"
        ))
        .file(path)
        .column(name)
        .hint("save the column as text or numbers")
        .fail();
    }
    let frame = guarded(path, || {
        let reader = ParquetReader::new(File::open(path)?).set_rechunk(true);
        reader
            .with_projection(wanted.map(<[usize]>::to_vec))
            .finish()
    })?;
    let rows = frame.height();
    let mut values = Vec::new();
    for column in frame.columns() {
        let column = guarded(path, || to_values(column))?;
        values.push(column);
    }
    Ok(Columns { rows, values })
}

fn to_values(column: &Column) -> PolarsResult<Values> {
    use DataType as D;
    let series = column.as_materialized_series().rechunk();
    Ok(match series.dtype() {
        D::Null => Values::Nothing,
        D::Boolean => Values::Truth(series.bool()?.clone()),
        D::String => Values::Text(series.str()?.clone()),
        D::Float64 => Values::Double(series.f64()?.clone()),
        D::Float32 => Values::Single(series.f32()?.clone()),
        D::UInt64 => Values::WholePositive(series.u64()?.clone()),
        D::UInt8 | D::UInt16 | D::UInt32 | D::Int8 | D::Int16 | D::Int32 | D::Int64 => {
            Values::Whole(series.cast(&D::Int64)?.i64()?.clone())
        }
        // Categories and enumerations as the words they stand for.
        _ => Values::Text(series.cast(&D::String)?.str()?.clone()),
    })
}

/// The types that polars was built to read here (see its features in Cargo.toml) and that have a text without doubt.
fn is_readable(kind: &ArrowDataType) -> bool {
    use ArrowDataType as A;
    match kind {
        A::Null | A::Boolean | A::Utf8 | A::LargeUtf8 | A::Utf8View | A::Float32 | A::Float64 => {
            true
        }
        A::Int32 | A::Int64 | A::UInt32 | A::UInt64 => true,
        A::Dictionary(_, of, _) => matches!(**of, A::Utf8 | A::LargeUtf8 | A::Utf8View),
        _ => false,
    }
}

/// Runs a reading of polars; its errors, and its panics on damaged files, become problems of the file.
fn guarded<T>(path: &Path, read: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    let damaged = |why: String| {
        problem("the Parquet file cannot be read")
            .file(path)
            .value(why)
            .hint("it may be cut off or damaged: write or download it again")
    };
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(PolarsError::IO { error, .. })) if error.kind() == io::ErrorKind::NotFound => {
            Err(Problem::io("read the file", path, &error))
        }
        Ok(Err(error)) => damaged(error.to_string()).fail(),
        Err(_) => damaged("the reader gave up".into()).fail(),
    }
}

/// A whole file as a [`Table`] of text.
pub(super) fn read_table(path: &Path) -> Result<Table> {
    let mut builder = Builder::new(path, names(path)?)?;
    let columns = read_columns(path, None)?;
    let mut text = String::new();
    let mut ends = Vec::with_capacity(columns.values.len());
    for row in 0..columns.rows {
        let base = text.len();
        ends.clear();
        for values in &columns.values {
            values.write(row, &mut text);
            ends.push(text.len());
        }
        builder.row_ending_at(row as u64 + 2, base, &ends)?;
    }
    builder.finish(text.into_bytes(), &super::Skipped::strict())
}

/// Writes columns of equal length as Parquet (zstd).
pub(super) fn write(columns: Vec<Column>, writer: &mut BufWriter<File>) -> io::Result<()> {
    let mut frame = DataFrame::new_infer_height(columns).map_err(io::Error::other)?;
    ParquetWriter::new(&mut *writer)
        .finish(&mut frame)
        .map_err(|error| match error {
            // The kind says whether the disk is full.
            PolarsError::IO { error, .. } => io::Error::new(error.kind(), error.to_string()),
            other => io::Error::other(other),
        })?;
    writer.flush()
}
