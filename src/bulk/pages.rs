//! One column chunk of a Parquet file to numbers and words, page by page: dictionaries stay dictionaries, and no text is
//! made of a number.

use polars_parquet::parquet::{
    encoding::{Encoding, hybrid_rle::HybridRleDecoder},
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

/// Words, and for each row the number of its word. A word may stand there more than once.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) codes: Vec<u32>,
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

    /// Adds a word; returns its number.
    pub(super) fn push(&mut self, word: &[u8]) -> Result<u32, Fault> {
        self.text.extend_from_slice(word);
        let end = u32::try_from(self.text.len()).map_err(|_| Fault::Unknown)?;
        self.ends.push(end);
        Ok((self.ends.len() - 1) as u32)
    }
}

/// Takes the values of a chunk in their order.
trait Sink {
    /// The values of the dictionary.
    fn dictionary(&mut self, bytes: &[u8], n: usize) -> Result<(), Fault>;
    /// Values by their places in the dictionary.
    fn coded(&mut self, codes: HybridRleDecoder<'_>) -> Result<(), Fault>;
    /// Values as they are.
    fn plain(&mut self, bytes: &[u8], n: usize) -> Result<(), Fault>;
    /// Which of the page's rows have a value, of which the values have just been taken: rows so far and a bit per row.
    fn spread(&mut self, start: usize, present: &[u32]) -> Result<(), Fault>;
    /// Rows so far.
    fn rows(&self) -> usize;
}

fn read(file: &File, column: &ColumnChunkMetadata, sink: &mut impl Sink) -> Result<(), Fault> {
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
                use polars_parquet::parquet::encoding::hybrid_rle::HybridRleChunk as Chunk;
                whole &= match chunk? {
                    Chunk::Rle(level, _) => level == 1,
                    // Even a page without nulls may end in packed bits.
                    Chunk::Bitpacked(_) => false,
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

/// Numbers of a chunk; the closure makes them of their bytes.
struct Numbers<T, const N: usize, F> {
    found: Vec<T>,
    dictionary: Vec<T>,
    make: F,
    /// What stands where there is no value; `None` where there must be one.
    absent: Option<T>,
}

impl<T: Copy, const N: usize, F: Fn([u8; N]) -> T> Sink for Numbers<T, N, F> {
    fn dictionary(&mut self, bytes: &[u8], n: usize) -> Result<(), Fault> {
        let (values, _) = bytes.as_chunks::<N>();
        if values.len() < n {
            return Err(Fault::Damaged("a dictionary with too few values".into()));
        }
        self.dictionary = values[..n].iter().map(|&v| (self.make)(v)).collect();
        Ok(())
    }

    fn coded(&mut self, codes: HybridRleDecoder<'_>) -> Result<(), Fault> {
        let codes = codes.collect()?;
        if codes.iter().any(|&c| c as usize >= self.dictionary.len()) {
            return Err(Fault::Damaged("a value that no dictionary has".into()));
        }
        let dictionary = &self.dictionary;
        self.found
            .extend(codes.iter().map(|&code| dictionary[code as usize]));
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], n: usize) -> Result<(), Fault> {
        let (values, _) = bytes.as_chunks::<N>();
        if values.len() < n {
            return Err(Fault::Damaged("a page with too few values".into()));
        }
        let make = &self.make;
        self.found.extend(values[..n].iter().map(|&v| make(v)));
        Ok(())
    }

    fn spread(&mut self, start: usize, present: &[u32]) -> Result<(), Fault> {
        let Some(absent) = self.absent else {
            let row = present.iter().position(|&level| level == 0);
            return Err(Fault::Missing(start + row.unwrap_or_default()));
        };
        let values = self.found.split_off(start);
        let mut values = values.into_iter();
        self.found.extend(present.iter().map(|&level| match level {
            0 => absent,
            _ => values.next().unwrap_or(absent),
        }));
        Ok(())
    }

    fn rows(&self) -> usize {
        self.found.len()
    }
}

fn numbers<T: Copy, const N: usize>(
    file: &File,
    column: &ColumnChunkMetadata,
    make: impl Fn([u8; N]) -> T,
    absent: Option<T>,
) -> Result<Vec<T>, Fault> {
    let mut sink = Numbers {
        found: Vec::with_capacity(column.num_values().max(0) as usize),
        dictionary: Vec::new(),
        make,
        absent,
    };
    read(file, column, &mut sink)?;
    Ok(sink.found)
}

/// A column of whole numbers that must all be there.
pub(super) fn integers(
    file: &File,
    column: &ColumnChunkMetadata,
    kind: Kind,
) -> Result<Vec<i64>, Fault> {
    match kind {
        Kind::Int32 => numbers(file, column, |b| i64::from(i32::from_le_bytes(b)), None),
        Kind::Unsigned32 => numbers(file, column, |b| i64::from(u32::from_le_bytes(b)), None),
        Kind::Int64 => numbers(file, column, i64::from_le_bytes, None),
        _ => Err(Fault::Unknown),
    }
}

/// A column of numbers; NaN where there is no value, and the first row whose value is no finite number.
pub(super) fn doubles(
    file: &File,
    column: &ColumnChunkMetadata,
    kind: Kind,
) -> Result<Vec<f64>, Fault> {
    let absent = Some(f64::NAN);
    // A NaN in the file must be told from no value at all.
    let marked = |v: f64| if v.is_nan() { f64::INFINITY } else { v };
    match kind {
        Kind::Int32 => numbers(file, column, |b| f64::from(i32::from_le_bytes(b)), absent),
        Kind::Unsigned32 => numbers(file, column, |b| f64::from(u32::from_le_bytes(b)), absent),
        Kind::Int64 => numbers(file, column, |b| i64::from_le_bytes(b) as f64, absent),
        Kind::Double => numbers(file, column, |b| marked(f64::from_le_bytes(b)), absent),
        Kind::Single => {
            let make = |b| marked(widened(f32::from_le_bytes(b)));
            numbers(file, column, make, absent)
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

/// Words of a chunk.
struct Texts {
    words: Words,
    dictionary: usize,
    needed: bool,
}

impl Texts {
    fn take(&mut self, mut bytes: &[u8], n: usize) -> Result<(), Fault> {
        let short = || Fault::Damaged("a text that ends too early".into());
        self.words.text.reserve(bytes.len().saturating_sub(4 * n));
        self.words.ends.reserve(n);
        for _ in 0..n {
            let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
            let length = u32::from_le_bytes(*length) as usize;
            let (word, rest) = rest.split_at_checked(length).ok_or_else(short)?;
            self.words.push(word)?;
            bytes = rest;
        }
        Ok(())
    }
}

/// The word of a cell that is empty.
pub(super) const NO_WORD: u32 = u32::MAX;

impl Sink for Texts {
    fn dictionary(&mut self, bytes: &[u8], n: usize) -> Result<(), Fault> {
        self.take(bytes, n)?;
        self.dictionary = n;
        Ok(())
    }

    fn coded(&mut self, codes: HybridRleDecoder<'_>) -> Result<(), Fault> {
        let codes = codes.collect()?;
        if codes.iter().any(|&c| c as usize >= self.dictionary) {
            return Err(Fault::Damaged("a text that no dictionary has".into()));
        }
        self.words.codes.extend_from_slice(&codes);
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], n: usize) -> Result<(), Fault> {
        let first = self.words.len() as u32;
        self.take(bytes, n)?;
        self.words.codes.extend(first..self.words.len() as u32);
        Ok(())
    }

    fn spread(&mut self, start: usize, present: &[u32]) -> Result<(), Fault> {
        if self.needed {
            let row = present.iter().position(|&level| level == 0);
            return Err(Fault::Missing(start + row.unwrap_or_default()));
        }
        let codes = self.words.codes.split_off(start);
        let mut codes = codes.into_iter();
        let spread = present.iter().map(|&level| match level {
            0 => NO_WORD,
            _ => codes.next().unwrap_or(NO_WORD),
        });
        self.words.codes.extend(spread);
        Ok(())
    }

    fn rows(&self) -> usize {
        self.words.codes.len()
    }
}

/// A column of text. Where `needed`, a cell without text is a fault; else its word is [`NO_WORD`].
pub(super) fn words(
    file: &File,
    column: &ColumnChunkMetadata,
    needed: bool,
) -> Result<Words, Fault> {
    let mut sink = Texts {
        words: Words::default(),
        dictionary: 0,
        needed,
    };
    sink.words
        .codes
        .reserve(column.num_values().max(0) as usize);
    read(file, column, &mut sink)?;
    Ok(sink.words)
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
