//! One column chunk of a Parquet file to numbers and words, page by page: dictionaries stay dictionaries, and no text is
//! made of a number.

use polars_parquet::parquet::{
    encoding::{
        Encoding,
        hybrid_rle::{HybridRleChunk, HybridRleDecoder},
    },
    error::ParquetError,
    metadata::ColumnChunkMetadata,
    page::split_buffer,
    read::{BasicDecompressor, PageMetaData, PageReader},
    schema::types::{IntegerType, PhysicalType, PrimitiveConvertedType, PrimitiveLogicalType},
};
use std::{fs::File, io, os::unix::fs::FileExt};

/// Why a chunk was not read.
#[derive(Debug)]
pub(super) enum Fault {
    /// An encoding or type that only the general reader knows.
    Unknown,
    /// A cell without a value where there must be one; its row within the chunk.
    Missing(usize),
    /// A damaged file.
    Damaged(String),
    /// The disk.
    Io(io::Error),
}

impl From<ParquetError> for Fault {
    fn from(error: ParquetError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// What the values of a column are here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole numbers of 32 or 64 bits; unsigned ones of 32 bits.
    Int32,
    Int64,
    Unsigned32,
    Single,
    Double,
    Text,
}

impl Kind {
    /// The kind of a flat column; `None` for one that only the general reader knows.
    pub(super) fn of(column: &ColumnChunkMetadata) -> Option<Self> {
        let descriptor = &column.descriptor().descriptor;
        if descriptor.max_rep_level > 0
            || descriptor.max_def_level > 1
            || column.descriptor().path_in_schema.len() != 1
        {
            return None;
        }
        let leaf = &descriptor.primitive_type;
        use {IntegerType as I, PrimitiveConvertedType as C, PrimitiveLogicalType as L};
        let signed = match (&leaf.logical_type, &leaf.converted_type) {
            (Some(L::Integer(I::UInt64)), _) | (None, Some(C::Uint64)) => return None,
            (Some(L::Integer(I::UInt32)), _) | (None, Some(C::Uint32)) => false,
            (Some(L::Integer(_)), _) | (None, None) => true,
            (
                None,
                Some(C::Uint8 | C::Uint16 | C::Int8 | C::Int16 | C::Int32 | C::Int64 | C::Utf8),
            ) => true,
            (Some(L::String), _) => true,
            _ => return None,
        };
        let is_text = matches!(leaf.logical_type, Some(L::String))
            || matches!(leaf.converted_type, Some(C::Utf8));
        Some(match (leaf.physical_type, is_text) {
            (PhysicalType::Int32, false) if signed => Self::Int32,
            (PhysicalType::Int32, false) => Self::Unsigned32,
            (PhysicalType::Int64, false) if signed => Self::Int64,
            (PhysicalType::Float, false) => Self::Single,
            (PhysicalType::Double, false) => Self::Double,
            (PhysicalType::ByteArray, true) => Self::Text,
            _ => return None,
        })
    }
}

/// A column: the values of its rows, or fewer values and which of them each row has. A value may stand there more than once.
#[derive(Debug, Default)]
pub(super) struct Column<V> {
    pub(super) values: V,
    /// The place of each row's value, [`ABSENT`] where there is none; `None`: row `i` has value `i`.
    pub(super) codes: Option<Vec<u32>>,
}

/// The place of no value.
pub(super) const ABSENT: u32 = u32::MAX;

impl<V> Column<V> {
    /// The place of a row's value.
    pub(super) fn code(&self, row: usize) -> u32 {
        self.codes.as_ref().map_or(row as u32, |codes| codes[row])
    }
}

/// Words one after another.
#[derive(Debug, Default)]
pub(super) struct Words {
    text: Vec<u8>,
    ends: Vec<u32>,
}

impl Words {
    /// Number of words.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A word's bytes.
    pub(super) fn get(&self, word: usize) -> &[u8] {
        let start = if word == 0 { 0 } else { self.ends[word - 1] };
        &self.text[start as usize..self.ends[word] as usize]
    }

    /// Adds a word.
    pub(super) fn push(&mut self, word: &[u8]) -> Result<(), Fault> {
        self.text.extend_from_slice(word);
        let end = u32::try_from(self.text.len()).map_err(|_| Fault::Unknown)?;
        self.ends.push(end);
        Ok(())
    }
}

/// Values as Parquet writes them one after another.
trait Values {
    /// Adds `n` values.
    fn take(&mut self, bytes: &[u8], n: usize) -> Result<(), Fault>;
    fn len(&self) -> usize;
}

/// Numbers; the closure makes them of their bytes.
struct Numbers<T, const N: usize, F> {
    found: Vec<T>,
    make: F,
}

impl<T, const N: usize, F: Fn([u8; N]) -> T> Values for Numbers<T, N, F> {
    fn take(&mut self, bytes: &[u8], n: usize) -> Result<(), Fault> {
        let (values, _) = bytes.as_chunks::<N>();
        let Some(values) = values.get(..n) else {
            return Err(Fault::Damaged("a page with too few values".into()));
        };
        let make = &self.make;
        self.found.extend(values.iter().map(|&v| make(v)));
        Ok(())
    }

    fn len(&self) -> usize {
        self.found.len()
    }
}

impl Values for Words {
    fn take(&mut self, mut bytes: &[u8], n: usize) -> Result<(), Fault> {
        let short = || Fault::Damaged("a text that ends too early".into());
        self.text.reserve(bytes.len().saturating_sub(4 * n));
        self.ends.reserve(n.min(bytes.len()));
        for _ in 0..n {
            let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
            let length = u32::from_le_bytes(*length) as usize;
            let (word, rest) = rest.split_at_checked(length).ok_or_else(short)?;
            self.push(word)?;
            bytes = rest;
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.ends.len()
    }
}

/// Takes the pages of a chunk in their order.
struct Chunk<V> {
    values: V,
    /// Values of the dictionary, which stand in front.
    dictionary: usize,
    /// `None` as long as row `i` has value `i`.
    codes: Option<Vec<u32>>,
    /// Whether every row must have a value.
    needed: bool,
    /// Rows in all.
    expected: usize,
}

impl<V: Values> Chunk<V> {
    fn new(column: &ColumnChunkMetadata, values: V, needed: bool) -> Self {
        Self {
            values,
            dictionary: 0,
            codes: None,
            needed,
            expected: column.num_values().clamp(0, 1 << 31) as usize,
        }
    }

    /// The places so far, written out if they were not yet.
    fn codes(&mut self) -> &mut Vec<u32> {
        let (n, room) = (self.values.len() as u32, self.expected);
        self.codes.get_or_insert_with(|| {
            let mut codes = Vec::with_capacity(room);
            codes.extend(0..n);
            codes
        })
    }

    fn dictionary(&mut self, bytes: &[u8], n: usize) -> Result<(), Fault> {
        if self.rows() > 0 {
            return Err(Fault::Damaged("a dictionary behind its values".into()));
        }
        self.codes = Some(Vec::with_capacity(self.expected));
        self.values.take(bytes, n)?;
        self.dictionary = n;
        Ok(())
    }

    /// Values by their places in the dictionary.
    fn coded(&mut self, places: HybridRleDecoder<'_>) -> Result<(), Fault> {
        let (dictionary, start) = (self.dictionary, self.rows());
        let codes = self.codes();
        for chunk in places.into_chunk_iter() {
            match chunk? {
                HybridRleChunk::Rle(code, n) => codes.resize(codes.len() + n, code),
                HybridRleChunk::Bitpacked(decoder) => decoder.collect_into(codes),
            }
        }
        let largest = codes[start..].iter().copied().max().unwrap_or_default();
        if largest as usize >= dictionary && codes.len() > start {
            return Err(Fault::Damaged("a value that no dictionary has".into()));
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], n: usize) -> Result<(), Fault> {
        let first = self.values.len() as u32;
        self.values.take(bytes, n)?;
        let end = self.values.len() as u32;
        if let Some(codes) = &mut self.codes {
            codes.extend(first..end);
        }
        Ok(())
    }

    /// Which of the page's rows have a value, of which the values have just been taken: rows so far and a bit per row.
    fn spread(&mut self, start: usize, present: &[u32]) -> Result<(), Fault> {
        if self.needed {
            let row = present.iter().position(|&level| level == 0);
            return Err(Fault::Missing(start + row.unwrap_or_default()));
        }
        let codes = self.codes();
        let found = codes.split_off(start);
        let mut found = found.into_iter();
        codes.extend(present.iter().map(|&level| match level {
            0 => ABSENT,
            _ => found.next().unwrap_or(ABSENT),
        }));
        Ok(())
    }

    /// Rows so far.
    fn rows(&self) -> usize {
        self.codes.as_ref().map_or(self.values.len(), Vec::len)
    }
}

fn read(
    file: &File,
    column: &ColumnChunkMetadata,
    sink: &mut Chunk<impl Values>,
) -> Result<(), Fault> {
    let range = column.byte_range();
    let length = usize::try_from(range.end - range.start).map_err(|_| Fault::Unknown)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::Damaged("it ends too early".into()),
            _ => Fault::Io(error),
        })?;
    let meta = PageMetaData::new(
        range.start,
        column.num_values(),
        column.compression(),
        column.descriptor().descriptor.clone(),
    );
    let cursor = io::Cursor::new(bytes.into());
    let reader = PageReader::new_with_page_meta(cursor, meta, Vec::new(), usize::MAX >> 1);
    let mut pages = BasicDecompressor::new(reader, Vec::new());
    if let Some(dictionary) = pages.read_dict_page()? {
        sink.dictionary(&dictionary.buffer, dictionary.num_values)?;
    }
    while let Some(page) = pages.next() {
        let page = page?.decompress(&mut pages)?;
        let split = split_buffer(&page)?;
        let rows = page.num_values();
        let optional = page.descriptor.max_def_level > 0;
        let present = if optional {
            let levels = HybridRleDecoder::new(split.def, 1, rows);
            let mut whole = true;
            for chunk in levels.clone().into_chunk_iter() {
                whole &= match chunk? {
                    HybridRleChunk::Rle(level, _) => level == 1,
                    // Even a page without nulls may end in packed bits.
                    HybridRleChunk::Bitpacked(_) => false,
                };
            }
            if whole {
                None
            } else {
                Some(levels.collect()?).filter(|levels| levels.contains(&0))
            }
        } else {
            None
        };
        let n = match &present {
            Some(levels) => levels.iter().filter(|&&level| level == 1).count(),
            None => rows,
        };
        let start = sink.rows();
        match page.encoding() {
            Encoding::Plain => sink.plain(split.values, n)?,
            Encoding::RleDictionary | Encoding::PlainDictionary if n == 0 => {}
            Encoding::RleDictionary | Encoding::PlainDictionary => {
                let Some((&bits, codes)) = split.values.split_first() else {
                    return Err(Fault::Damaged("an empty page".into()));
                };
                sink.coded(HybridRleDecoder::new(codes, u32::from(bits), n))?;
            }
            _ => return Err(Fault::Unknown),
        }
        if sink.rows() != start + n {
            return Err(Fault::Damaged("a page with too few values".into()));
        }
        if let Some(present) = present {
            sink.spread(start, &present)?;
        }
        pages.reuse_page_buffer(page);
    }
    if sink.rows() as i64 != column.num_values() {
        return Err(Fault::Damaged("a column with too few values".into()));
    }
    Ok(())
}

fn numbers<T, const N: usize>(
    file: &File,
    column: &ColumnChunkMetadata,
    make: impl Fn([u8; N]) -> T,
    needed: bool,
) -> Result<Column<Vec<T>>, Fault> {
    let found = Vec::new();
    let mut chunk = Chunk::new(column, Numbers { found, make }, needed);
    read(file, column, &mut chunk)?;
    Ok(Column {
        values: chunk.values.found,
        codes: chunk.codes,
    })
}

/// A column of whole numbers that must all be there.
pub(super) fn integers(
    file: &File,
    column: &ColumnChunkMetadata,
    kind: Kind,
) -> Result<Column<Vec<i64>>, Fault> {
    match kind {
        Kind::Int32 => numbers(file, column, |b| i64::from(i32::from_le_bytes(b)), true),
        Kind::Unsigned32 => numbers(file, column, |b| i64::from(u32::from_le_bytes(b)), true),
        Kind::Int64 => numbers(file, column, i64::from_le_bytes, true),
        _ => Err(Fault::Unknown),
    }
}

/// A column of numbers. NaN in the file comes as infinity, so that it is told from no value at all.
pub(super) fn doubles(
    file: &File,
    column: &ColumnChunkMetadata,
    kind: Kind,
) -> Result<Column<Vec<f64>>, Fault> {
    let marked = |v: f64| if v.is_nan() { f64::INFINITY } else { v };
    match kind {
        Kind::Int32 => numbers(file, column, |b| f64::from(i32::from_le_bytes(b)), false),
        Kind::Unsigned32 => numbers(file, column, |b| f64::from(u32::from_le_bytes(b)), false),
        Kind::Int64 => numbers(file, column, |b| i64::from_le_bytes(b) as f64, false),
        Kind::Double => numbers(file, column, |b| marked(f64::from_le_bytes(b)), false),
        Kind::Single => {
            let make = |b| marked(widened(f32::from_le_bytes(b)));
            numbers(file, column, make, false)
        }
        Kind::Text => Err(Fault::Unknown),
    }
}

/// What a number of single precision means: 0.1 and not 0.100000001, as its shortest text says.
pub(super) fn widened(single: f32) -> f64 {
    let exact = f64::from(single);
    if !single.is_finite() {
        return exact;
    }
    if single.abs() < 1e6 {
        // With the fewest decimals that come back as the same number, whole / 10^d is that shortest text, correctly rounded.
        let mut power = 1.0;
        for _ in 0..9 {
            let decimal = (exact * power).round() / power;
            if decimal as f32 == single {
                return decimal;
            }
            power *= 10.0;
        }
    }
    single.to_string().parse().unwrap_or(exact)
}

/// A column of text. Where `needed`, a cell without text is a fault.
pub(super) fn words(
    file: &File,
    column: &ColumnChunkMetadata,
    needed: bool,
) -> Result<Column<Words>, Fault> {
    let mut chunk = Chunk::new(column, Words::default(), needed);
    read(file, column, &mut chunk)?;
    Ok(Column {
        values: chunk.values,
        codes: chunk.codes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_single_means_what_its_shortest_text_says(bits: u32, hundredths in -200_000i32..200_000) {
            for single in [f32::from_bits(bits), hundredths as f32 / 100.0] {
                if single.is_finite() {
                    let text: f64 = single.to_string().parse().unwrap();
                    prop_assert_eq!(widened(single), text);
                }
            }
        }
    }
}
