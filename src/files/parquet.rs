//! Parquet to text cells and columns, and columns to Parquet, through polars.

use super::table::{Builder, Table};
use crate::{Problem, Result, problem};
use polars::prelude::{
    ArrowDataType, BooleanChunked, Column, CompatLevel, DataFrame, DataType, Float32Chunked,
    Float64Chunked, Int64Chunked, ParquetCompression, ParquetReader, ParquetWriter, PolarsError,
    PolarsResult, SerReader, StatisticsOptions, StringChunked, UInt64Chunked,
};
use polars_parquet::write::{
    CompressedPage, CompressionOptions, Encoding, ParquetPhysicalType, ParquetType, Version,
    WriteOptions, array_to_columns, compress,
};
use rayon::prelude::*;
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

/// Columns whose type is not read here: index, name and type.
pub(super) fn unreadable(path: &Path) -> Result<Vec<(usize, String, String)>> {
    guarded(path, || {
        let mut reader = ParquetReader::new(File::open(path)?);
        let schema = reader.schema()?;
        let fields = schema.iter_values().enumerate();
        Ok(fields
            .filter(|(_, field)| !is_readable(&field.dtype))
            .map(|(i, field)| (i, field.name.to_string(), format!("{:?}", field.dtype)))
            .collect())
    })
}

/// The error of using such a column.
pub(super) fn type_problem(path: &Path, name: &str, kind: &str) -> Problem {
    problem(format!(
        "holds values of type {kind}, which is not read here"
    ))
    .file(path)
    .column(name)
    .hint("save the column as text or as 32- or 64-bit numbers")
}

/// Reads the columns at these places, which must be rising. Errors name the first whose type is not read here.
pub(super) fn read_columns(path: &Path, wanted: &[usize]) -> Result<Columns> {
    let bad = unreadable(path)?;
    if let Some((_, name, kind)) = bad.iter().find(|(i, ..)| wanted.contains(i)) {
        return type_problem(path, name, kind).fail();
    }
    let frame = guarded(path, || {
        let reader = ParquetReader::new(File::open(path)?).set_rechunk(true);
        reader.with_projection(Some(wanted.to_vec())).finish()
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
        A::Int8 | A::Int16 | A::Int32 | A::Int64 => true,
        A::UInt8 | A::UInt16 | A::UInt32 | A::UInt64 => true,
        A::Date32 | A::Timestamp(..) => true,
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
    let names = names(path)?;
    let bad: Vec<(usize, String)> = unreadable(path)?
        .into_iter()
        .map(|(i, _, kind)| (i, kind))
        .collect();
    let wanted: Vec<usize> = (0..names.len())
        .filter(|i| bad.iter().all(|(b, _)| b != i))
        .collect();
    let mut builder = Builder::new(path, names)?;
    builder.unreadable(bad);
    let columns = read_columns(path, &wanted)?;
    let mut text = String::new();
    let mut ends = vec![0; builder.width()];
    for row in 0..columns.rows {
        let base = text.len();
        let mut values = columns.values.iter().zip(&wanted).peekable();
        for (i, end) in ends.iter_mut().enumerate() {
            if let Some((column, _)) = values.next_if(|(_, at)| **at == i) {
                column.write(row, &mut text);
            }
            *end = text.len();
        }
        builder.row_ending_at(row as u64 + 2, base, &ends)?;
    }
    builder.finish(text.into_bytes(), &super::Skipped::strict())
}

/// Writes columns of equal length as Parquet (zstd).
pub(crate) fn write(columns: Vec<Column>, writer: &mut BufWriter<File>) -> io::Result<()> {
    let frame = DataFrame::new_infer_height(columns).map_err(io::Error::other)?;
    remembering(writer, |writer| {
        let mut parquet = ParquetWriter::new(writer).batched(frame.schema())?;
        parquet.write_batch(&frame)?;
        parquet.finish()?;
        Ok(())
    })
}

/// Writes `n` tables of the same columns as row groups of one Parquet file: made, encoded and compressed on all cores, some at a
/// time. `empty` is such a table without rows. Compressed by Snappy: millions of estimates hardly get smaller however long one
/// tries.
pub(crate) fn write_groups(
    empty: &DataFrame,
    n: usize,
    group: impl Fn(usize) -> PolarsResult<DataFrame> + Sync,
    writer: &mut BufWriter<File>,
) -> io::Result<()> {
    remembering(writer, |writer| {
        let mut parquet = ParquetWriter::new(writer)
            .with_compression(ParquetCompression::Snappy)
            .batched(empty.schema())?;
        let fields = parquet.parquet_schema().fields().to_vec();
        let at_once = 2 * rayon::current_num_threads();
        for start in (0..n).step_by(at_once) {
            let groups: PolarsResult<Vec<_>> = (start..(start + at_once).min(n))
                .into_par_iter()
                .with_max_len(1)
                .map(|index| {
                    let frame = group(index)?;
                    Ok((frame.height() as u64, pages(&frame, &fields)?))
                })
                .collect();
            for (rows, pages) in groups?.iter().filter(|group| group.0 > 0) {
                parquet.write_row_group(*rows, pages)?;
            }
        }
        parquet.finish()?;
        Ok(())
    })
}

/// The pages of a table's columns. Numbers of double precision are written as they are: looking for a dictionary costs more
/// than it could save.
fn pages(frame: &DataFrame, fields: &[ParquetType]) -> PolarsResult<Vec<Vec<CompressedPage>>> {
    let options = WriteOptions {
        statistics: StatisticsOptions::default(),
        version: Version::V1,
        compression: CompressionOptions::Snappy,
        data_page_size: None,
    };
    let mut all = Vec::new();
    for batch in frame.iter_chunks(CompatLevel::newest(), false) {
        for (array, field) in batch.columns().iter().zip(fields) {
            let encoding = match field {
                ParquetType::PrimitiveType(leaf)
                    if leaf.physical_type == ParquetPhysicalType::Int32 =>
                {
                    Encoding::RleDictionary
                }
                _ => Encoding::Plain,
            };
            for pages in array_to_columns(array, field.clone(), options, &[encoding])? {
                let compressed: PolarsResult<_> = pages
                    .map(|page| Ok(compress(page?, Vec::new(), options.compression)?))
                    .collect();
                all.push(compressed?);
            }
        }
    }
    Ok(all)
}

/// Runs a writing of polars, and returns the error of the disk as it was if that was the cause.
fn remembering(
    writer: &mut BufWriter<File>,
    write: impl FnOnce(&mut Remembering<'_>) -> PolarsResult<()>,
) -> io::Result<()> {
    let mut writer = Remembering {
        writer,
        failed: None,
    };
    let written = write(&mut writer);
    match (writer.failed.take(), written) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(io::Error::other(error)),
        (None, Ok(())) => writer.flush(),
    }
}

/// Keeps the error of the disk, of which polars passes on the words only: a full disk has a hint of its own.
struct Remembering<'a> {
    writer: &'a mut BufWriter<File>,
    failed: Option<io::Error>,
}

impl Remembering<'_> {
    fn remember<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let again = match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::from(error.kind()),
            };
            self.failed.get_or_insert(error);
            again
        })
    }
}

impl Write for Remembering<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.writer.write(bytes);
        self.remember(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.writer.flush();
        self.remember(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::write_atomically;
    use polars::prelude::{IntoSeries, NamedFrom, Series};

    fn file(columns: Vec<Series>) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        // The ending does not matter.
        let path = dir.path().join("t.bin");
        let columns = columns.into_iter().map(Into::into).collect();
        write_atomically(&path, |w| write(columns, w)).unwrap();
        (dir, path)
    }

    #[test]
    fn cells_of_every_type_become_the_text_that_reads_back_the_same() {
        let lists = Series::new(
            "l".into(),
            vec![
                Series::new("".into(), [1i64]),
                Series::new("".into(), [2i64]),
            ],
        );
        let (_dir, path) = file(vec![
            Series::new("s".into(), vec![Some("a\n\"ю"), None]),
            lists,
            Series::new("f".into(), vec![0.1f64, 1e300]),
            Series::new("g".into(), vec![0.1f32, -0.0]),
            Series::new("i".into(), vec![i64::MIN, 7]),
            Series::new("u".into(), vec![u64::MAX, 0]),
            Series::new("b".into(), vec![Some(true), None]),
        ]);
        let table = Table::read(&path).unwrap();
        let cells = |i| (0..7).map(|c| table.row(i).get(c)).collect::<Vec<_>>();
        assert_eq!(
            cells(0),
            [
                "a\n\"ю",
                "",
                "0.1",
                "0.1",
                "-9223372036854775808",
                "18446744073709551615",
                "true"
            ]
        );
        assert_eq!(cells(1), ["", "", "1e300", "-0", "7", "0", ""]);
        assert_eq!((table.row(0).number(), table.find("l")), (2, None));
        let p = table.column("l").unwrap_err();
        assert!(
            p.what.contains("List") && p.column.as_deref() == Some("l"),
            "{p}"
        );
    }

    #[test]
    fn categories_are_read_as_their_words() {
        let words = StringChunked::new("c".into(), ["x", "y", "x"]).into_series();
        let kind = DataType::from_categories(polars::prelude::Categories::global());
        let (_dir, path) = file(vec![words.cast(&kind).unwrap()]);
        let table = Table::read(&path).unwrap();
        assert_eq!(
            table.rows().map(|r| r.get(0)).collect::<Vec<_>>(),
            ["x", "y", "x"]
        );
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let (_dir, path) = file(vec![Series::new(
            "i".into(),
            (0..1000i64).collect::<Vec<_>>(),
        )]);
        let bytes = std::fs::read(&path).unwrap();
        for length in [4, 8, 40, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let p = Table::read(&path).unwrap_err();
            assert_eq!(p.what, "the Parquet file cannot be read");
        }
    }
}
