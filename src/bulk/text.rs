//! Rows of CSV and TSV in batches of lines. Whatever is out of the ordinary (a quote within a field, a short row, a word
//! for a number) is left to the general reader, which reads it or says what is wrong.

use super::{
    pages::{ABSENT, Column, Words},
    source::{Answers, Batch, Keys, Names, Plan, Scale, unknown},
};
use crate::{
    Problem, Result,
    files::{ScaleHint, delimited, table::parse_number},
};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Bytes per batch; a line belongs to the batch in which it starts.
const BATCH: u64 = 8 << 20;

/// The header must end within so many bytes.
const HEADER: usize = 1 << 16;

/// A text table of votes or truths.
pub(super) struct TextSource {
    path: PathBuf,
    file: File,
    length: u64,
    /// Where the first line after the header starts.
    start: u64,
    separator: u8,
    names: Vec<String>,
    plan: Plan,
    scale: Scale,
    /// Bytes per row, from the first batch.
    row_bytes: usize,
}

impl TextSource {
    /// Opens a file of this plan; `None` if the general reader must read it.
    pub(super) fn open(
        path: &Path,
        plan: impl FnOnce(&Names<'_>) -> Option<Plan>,
        hint: ScaleHint,
    ) -> Result<Option<Self>> {
        let fail = |e: std::io::Error| Problem::io("read the file", path, &e);
        let file = File::open(path).map_err(fail)?;
        let meta = file.metadata().map_err(fail)?;
        if !meta.is_file() {
            return Ok(None);
        }
        let mut head = vec![0; HEADER.min(meta.len() as usize)];
        file.read_exact_at(&mut head, 0).map_err(fail)?;
        let skip = if head.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        let Some(end) = memchr::memchr(b'\n', &head) else {
            return Ok(None);
        };
        let Ok(line) = std::str::from_utf8(&head[skip..end]) else {
            return Ok(None);
        };
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() || line.contains(['"', '\r', '\0']) {
            return Ok(None);
        }
        let separator = delimited::separator(path, line.as_bytes());
        let names: Vec<String> = line
            .split(char::from(separator))
            .map(|name| name.trim().to_owned())
            .collect();
        let twice = |i: usize| !names[i].is_empty() && names[..i].contains(&names[i]);
        if (0..names.len()).any(twice) {
            return Ok(None);
        }
        let Some(plan) = plan(&Names(&names)) else {
            return Ok(None);
        };
        let mut source = Self {
            path: path.to_path_buf(),
            file,
            length: meta.len(),
            start: end as u64 + 1,
            separator,
            names,
            plan,
            scale: Scale::Labels,
            row_bytes: 0,
        };
        // Reading the beginning as labels never fails for what an answer is.
        let Ok(first) = source.lines(source.start, source.start + HEADER as u64) else {
            return Ok(None);
        };
        let Answers::Labels(words) = &first.answers else {
            return Ok(None);
        };
        let codes = words.codes.as_deref().unwrap_or_default();
        if codes.is_empty() {
            return Ok(None);
        }
        source.row_bytes = ((HEADER as u64).min(source.length) as usize / codes.len()).max(2);
        source.scale = match hint {
            ScaleHint::Number => Scale::Numbers,
            ScaleHint::Choice => Scale::Labels,
            ScaleHint::Auto => {
                let thousand = codes.iter().filter(|&&code| code != ABSENT).take(1000);
                let (mut numbers, mut all) = (0, 0);
                for &code in thousand {
                    let text = String::from_utf8_lossy(words.values.get(code as usize));
                    all += 1;
                    numbers +=
                        u32::from(text.parse::<f64>().is_ok() || parse_number(&text).is_ok());
                }
                // Only a short beginning was read: what it does not settle, the general reader does.
                if all < 1000 && source.start + (HEADER as u64) < source.length {
                    return Ok(None);
                }
                if numbers * 10 >= all * 9 {
                    Scale::Numbers
                } else {
                    Scale::Labels
                }
            }
        };
        Ok(Some(source))
    }

    pub(super) fn scale(&self) -> Scale {
        self.scale
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn about_rows(&self) -> usize {
        (self.length - self.start) as usize / self.row_bytes
    }

    pub(super) fn count(&self) -> usize {
        (self.length - self.start).div_ceil(BATCH) as usize
    }

    pub(super) fn read(&self, index: usize) -> Result<Batch> {
        let from = self.start + index as u64 * BATCH;
        self.lines(from, from + BATCH)
    }

    /// The lines that start at `from` or behind it and before `to`.
    fn lines(&self, from: u64, to: u64) -> Result<Batch> {
        let to = to.min(self.length);
        // One byte more at the front tells whether a line starts at `from`.
        let lead = u64::from(from > self.start);
        let mut bytes = vec![0; (to - from + lead) as usize];
        let fail = |e: std::io::Error| Problem::io("read the file", &self.path, &e);
        self.file
            .read_exact_at(&mut bytes, from - lead)
            .map_err(fail)?;
        // The last line ends behind `to`, unless another starts just there.
        let mut end = to;
        while end < self.length && bytes.last() != Some(&b'\n') {
            let old = bytes.len();
            let more = (self.length - end).min(4096) as usize;
            bytes.resize(old + more, 0);
            self.file
                .read_exact_at(&mut bytes[old..], end)
                .map_err(fail)?;
            end += more as u64;
            if let Some(at) = memchr::memchr(b'\n', &bytes[old..]) {
                bytes.truncate(old + at + 1);
            }
        }
        let begin = match lead {
            0 => 0,
            _ => match memchr::memchr(b'\n', &bytes) {
                Some(at) => at + 1,
                None => bytes.len(),
            },
        };
        let text = &bytes[begin..];
        if std::str::from_utf8(text).is_err() || memchr::memchr(0, text).is_some() {
            return Err(unknown().into());
        }
        let wanted = [
            Some(self.plan.item),
            self.plan.annotator,
            Some(self.plan.answer),
            self.plan.truth,
        ];
        let rows = text.len() / self.row_bytes.max(8) + 1;
        let mut columns = Columns {
            items: KeyColumn::with_capacity(rows),
            annotators: KeyColumn::with_capacity(rows),
            answers: AnswerColumn::new(self.scale, rows),
            truths: AnswerColumn::new(self.scale, rows),
        };
        let mut cells = vec![(0usize, 0usize); self.names.len()];
        let (mut at, mut returns) = (0, 0);
        while at < text.len() {
            let stop = self.cells(text, &mut at, &mut cells, &mut returns)?;
            if !stop {
                continue;
            }
            let cell = |column: usize| trimmed(&text[cells[column].0..cells[column].1]);
            for (part, column) in wanted.iter().enumerate() {
                let Some(column) = *column else { continue };
                let cell = cell(column);
                match part {
                    0 => columns.items.push(cell)?,
                    1 => columns.annotators.push(cell)?,
                    2 => columns.answers.push(cell)?,
                    _ => columns.truths.push(cell)?,
                }
            }
        }
        // A return that is not before a line feed ends a line for the general reader.
        if memchr::memchr_iter(b'\r', text).count() != returns {
            return Err(unknown().into());
        }
        Ok(Batch {
            items: columns.items.keys,
            annotators: self.plan.annotator.map(|_| columns.annotators.keys),
            answers: columns.answers.answers,
            truths: self.plan.truth.map(|_| columns.truths.answers),
            first_row: 0,
            rows: Vec::new(),
        })
    }

    /// The cells of the line at `at`, which moves to the next; false for a line without any text.
    fn cells(
        &self,
        text: &[u8],
        at: &mut usize,
        cells: &mut [(usize, usize)],
        returns: &mut usize,
    ) -> Result<bool> {
        let mut column = 0;
        let mut from = *at;
        let mut any = false;
        loop {
            let (start, end, next);
            if text.get(from) == Some(&b'"') {
                let close = memchr::memchr2(b'"', b'\n', &text[from + 1..]);
                let close = close.map(|c| c + from + 1).filter(|&c| text[c] == b'"');
                let Some(close) = close else {
                    return Err(unknown().into());
                };
                (start, end, next) = (from + 1, close, close + 1);
            } else {
                let rest = &text[from..];
                let separator = self.separator;
                let length = rest.iter().position(|&b| b == separator || b == b'\n');
                let mut stop = from + length.unwrap_or(rest.len());
                next = stop;
                let is_end = text.get(stop).is_none_or(|&b| b == b'\n');
                if is_end && stop > from && text[stop - 1] == b'\r' {
                    stop -= 1;
                    *returns += 1;
                }
                (start, end) = (from, stop);
            }
            any |= end > start;
            if let Some(cell) = cells.get_mut(column) {
                *cell = (start, end);
            }
            column += 1;
            let mut next = next;
            if text.get(next) == Some(&b'\r') {
                // After a closing quote.
                *returns += 1;
                next += 1;
            }
            match text.get(next) {
                Some(&b) if b == self.separator => from = next + 1,
                Some(b'\n') | None => {
                    *at = (next + 1).min(text.len());
                    break;
                }
                // Text follows a closing quote, or the quote was doubled.
                Some(_) => return Err(unknown().into()),
            }
        }
        if !any {
            return Ok(false);
        }
        if column != cells.len() {
            return Err(unknown().into());
        }
        Ok(true)
    }
}

fn trimmed(cell: &[u8]) -> &[u8] {
    let plain = |b: Option<&u8>| b.is_none_or(|b| b.is_ascii_graphic());
    if plain(cell.first()) && plain(cell.last()) {
        return cell;
    }
    // The whole batch is UTF-8, and separators are ASCII.
    std::str::from_utf8(cell).map_or(cell, |text| text.trim().as_bytes())
}

struct Columns {
    items: KeyColumn,
    annotators: KeyColumn,
    answers: AnswerColumn,
    truths: AnswerColumn,
}

/// Whole numbers as long as every cell is one that is written in the only way.
struct KeyColumn {
    keys: Keys,
}

impl KeyColumn {
    fn with_capacity(rows: usize) -> Self {
        Self {
            keys: Keys::Numbers(Column {
                values: Vec::with_capacity(rows),
                codes: None,
            }),
        }
    }

    fn push(&mut self, cell: &[u8]) -> Result<()> {
        if cell.is_empty() {
            return Err(unknown().into());
        }
        if let Keys::Numbers(numbers) = &mut self.keys {
            if let Some(number) = canonical(cell) {
                numbers.values.push(number);
                return Ok(());
            }
            let mut words = Column::default();
            for number in &numbers.values {
                add(&mut words.values, number.to_string().as_bytes())?;
            }
            self.keys = Keys::Words(words);
        }
        if let Keys::Words(words) = &mut self.keys {
            add(&mut words.values, cell)?;
        }
        Ok(())
    }
}

fn add(words: &mut Words, cell: &[u8]) -> Result<()> {
    Ok(words.push(cell).map_err(|_| unknown())?)
}

/// The number a text is the only usual form of: `7` and `-7`, not `07`, `+7` or `7.0`.
pub(super) fn canonical(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty()
        || digits.len() > 18
        || (digits[0] == b'0' && (digits.len() > 1 || negative))
    {
        return None;
    }
    let mut number = 0i64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(if negative { -number } else { number })
}

struct AnswerColumn {
    answers: Answers,
}

impl AnswerColumn {
    fn new(scale: Scale, rows: usize) -> Self {
        Self {
            answers: match scale {
                Scale::Numbers => Answers::Numbers(Column {
                    values: Vec::with_capacity(rows),
                    codes: None,
                }),
                Scale::Labels => Answers::Labels(Column {
                    values: Words::default(),
                    codes: Some(Vec::with_capacity(rows)),
                }),
            },
        }
    }

    fn push(&mut self, cell: &[u8]) -> Result<()> {
        match &mut self.answers {
            Answers::Numbers(numbers) => numbers.values.push(number(cell)?),
            Answers::Labels(words) => {
                let code = if cell.is_empty() || cell == b"?" {
                    ABSENT
                } else {
                    add(&mut words.values, cell)?;
                    (words.values.len() - 1) as u32
                };
                words.codes.get_or_insert_default().push(code);
            }
        }
        Ok(())
    }
}

/// Powers of ten that are exact.
const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// A number as [`parse_number`] reads it; NaN for no answer.
fn number(cell: &[u8]) -> Result<f64> {
    let (negative, digits) = match cell {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if !digits.is_empty() && digits.len() <= 16 {
        let (mut whole, mut decimals, mut seen, mut point) = (0u64, 0, 0, false);
        let mut good = true;
        for &byte in digits {
            if byte.is_ascii_digit() {
                whole = whole * 10 + u64::from(byte - b'0');
                decimals += usize::from(point);
                seen += 1;
            } else if byte == b'.' && !point {
                point = true;
            } else {
                good = false;
                break;
            }
        }
        // Both are exact, so their ratio is correctly rounded (Clinger 1990).
        if good && (1..=15).contains(&seen) {
            let value = whole as f64 / POWERS[decimals];
            return Ok(if negative { -value } else { value });
        }
    }
    let text = std::str::from_utf8(cell).unwrap_or_default();
    if text.is_empty() || text == "?" {
        return Ok(f64::NAN);
    }
    parse_number(text).map_err(|_| Box::new(unknown()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_read_as_everywhere(mantissa: i64, digits in 0usize..20, scientific: bool) {
            let value = (mantissa >> 8) as f64 / 10f64.powi(digits as i32);
            let text = if scientific { format!("{value:e}") } else { value.to_string() };
            prop_assert_eq!(number(text.as_bytes()).unwrap(), parse_number(&text).unwrap());
            let short = format!("{:.1$}", value % 1e6, digits % 7);
            prop_assert_eq!(number(short.as_bytes()).unwrap(), parse_number(&short).unwrap());
        }
    }

    #[test]
    fn only_the_usual_form_of_a_number_is_a_number() {
        for (text, number) in [("0", Some(0)), ("-12", Some(-12)), ("907", Some(907))] {
            assert_eq!(canonical(text.as_bytes()), number);
        }
        for text in [
            "",
            "-",
            "-0",
            "07",
            "+7",
            "7.0",
            "1e3",
            "1234567890123456789",
        ] {
            assert_eq!(canonical(text.as_bytes()), None, "{text}");
        }
    }
}
