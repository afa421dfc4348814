//! CSV and TSV text to cells, strictly: a wrong quote or a missing field is an error that says where it began.
//!
//! Our own reader instead of the `csv` crate's, which swallows the rest of the file after an unclosed quote without a
//! word, and which copies: here the text of the file itself becomes the store of the cells.

use super::{
    Skipped,
    table::{Builder, Table},
};
use crate::{Problem, Result, problem};
use std::path::Path;

/// Parses a file's bytes (UTF-8, without byte order mark). Quoted fields may hold separators, doubled quotes and line
/// breaks; lines end with LF, CRLF or CR; blank lines, and rows whose fields are all empty, are skipped.
pub(super) fn parse(path: &Path, bytes: Vec<u8>, skipped: &mut Skipped) -> Result<Table> {
    let empty = || problem("the file is empty").file(path);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return empty()
            .hint("the first line names the columns, each further line is a row")
            .fail();
    }
    let mut reader = Reader {
        path,
        separator: 0,
        bytes,
        read: 0,
        write: 0,
        line: 1,
    };
    reader.separator = separator(path, &reader.bytes);
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    while columns.is_empty() {
        let from = reader.write;
        if reader.record(&mut fields)?.is_none() {
            return empty().hint("the first line names the columns").fail();
        }
        if fields.iter().any(|&end| end > from) {
            let mut start = from;
            for &end in &fields {
                let name = String::from_utf8_lossy(&reader.bytes[start..end]);
                columns.push(name.trim().to_owned());
                start = end;
            }
        }
        reader.write = from;
    }
    let mut builder = Builder::new(path, columns)?;
    let width = builder.width();
    loop {
        let from = reader.write;
        let Some(row) = reader.record(&mut fields)? else {
            break;
        };
        if fields.last().is_none_or(|&end| end == from) {
            continue;
        }
        if fields.len() != width {
            skipped.take(reader.ragged(row, from, &fields, width))?;
            reader.write = from;
            continue;
        }
        builder.row_ending_at(row, from, &fields)?;
    }
    let Reader {
        mut bytes, write, ..
    } = reader;
    bytes.truncate(write);
    bytes.shrink_to_fit();
    builder.finish(bytes, skipped)
}

/// The separator: that of the file's ending if the header has it, else the most frequent of tab, semicolon and comma
/// in the header outside quotes. Excel writes semicolons into .csv where the comma is the decimal sign.
pub(crate) fn separator(path: &Path, bytes: &[u8]) -> u8 {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    let is_tsv = ["tsv", "tab"]
        .iter()
        .any(|e| extension.eq_ignore_ascii_case(e));
    let (mut quoted, mut counts) = (false, [0usize; 3]);
    let blank = bytes
        .iter()
        .position(|b| !b.is_ascii_whitespace())
        .unwrap_or(0);
    for &byte in &bytes[blank..] {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            b',' if !quoted => counts[0] += 1,
            b';' if !quoted => counts[1] += 1,
            b'\t' if !quoted => counts[2] += 1,
            _ => {}
        }
    }
    if is_tsv && (counts[2] > 0 || counts == [0; 3]) {
        return b'\t';
    }
    let most = counts[0].max(counts[1]).max(counts[2]);
    match counts.iter().position(|&c| c == most) {
        Some(1) => b';',
        Some(2) => b'\t',
        _ => b',',
    }
}

struct Reader<'a> {
    path: &'a Path,
    separator: u8,
    /// Up to `write` the text of the cells kept so far, from `read` on what is still to be read.
    bytes: Vec<u8>,
    read: usize,
    write: usize,
    line: u64,
}

impl Reader<'_> {
    /// Reads one record: pushes the end of each cell (in `bytes`) to `ends` and returns the line on which it starts, or
    /// `None` at the end of the file. Blank lines are passed over.
    fn record(&mut self, ends: &mut Vec<usize>) -> Result<Option<u64>> {
        ends.clear();
        while let Some(&byte) = self.bytes.get(self.read) {
            match byte {
                b'\n' | b'\r' => self.newline(),
                _ => break,
            }
        }
        if self.read >= self.bytes.len() {
            return Ok(None);
        }
        let row = self.line;
        loop {
            if self.bytes.get(self.read) == Some(&b'"') {
                self.quoted()?;
            } else {
                self.plain();
            }
            ends.push(self.write);
            match self.bytes.get(self.read) {
                Some(&b) if b == self.separator => self.read += 1,
                Some(_) => {
                    self.newline();
                    return Ok(Some(row));
                }
                None => return Ok(Some(row)),
            }
        }
    }

    /// Passes over one line break: LF, CRLF or CR.
    fn newline(&mut self) {
        if self.bytes[self.read] == b'\r' && self.bytes.get(self.read + 1) == Some(&b'\n') {
            self.read += 1;
        }
        self.read += 1;
        self.line += 1;
    }

    fn plain(&mut self) {
        let rest = &self.bytes[self.read..];
        let separator = self.separator;
        let length = rest
            .iter()
            .position(|&b| b == separator || b == b'\n' || b == b'\r')
            .unwrap_or(rest.len());
        self.bytes
            .copy_within(self.read..self.read + length, self.write);
        self.read += length;
        self.write += length;
    }

    fn quoted(&mut self) -> Result<()> {
        let (opened, line, begin) = (self.read, self.line, self.write);
        self.read += 1;
        loop {
            let Some(&byte) = self.bytes.get(self.read) else {
                let p = problem("a quote is opened here and never closed");
                return self.wrong_quote(p, line, begin).fail();
            };
            if byte != b'"' {
                if byte == b'\n' || (byte == b'\r' && self.bytes.get(self.read + 1) != Some(&b'\n'))
                {
                    self.line += 1;
                }
            } else if self.bytes.get(self.read + 1) == Some(&b'"') {
                self.read += 1;
            } else {
                self.read += 1;
                let next = self.bytes.get(self.read);
                if next.is_none_or(|&b| b == self.separator || b == b'\n' || b == b'\r') {
                    return Ok(());
                }
                let p = if self.line == line {
                    problem("text follows a closing quote")
                } else {
                    problem(format!(
                        "a quote is opened here and not closed in this row; the next quote, in row {}, does not end a field",
                        self.line
                    ))
                };
                let p = self.wrong_quote(p, line, begin);
                debug_assert!(opened < self.read);
                return p.fail();
            }
            self.bytes[self.write] = byte;
            self.write += 1;
            self.read += 1;
        }
    }

    fn wrong_quote(&self, p: Problem, line: u64, begin: usize) -> Problem {
        let text = String::from_utf8_lossy(&self.bytes[begin..self.write.min(begin + 400)]);
        let first = text.lines().next().unwrap_or_default();
        p.file(self.path)
            .row(line)
            .value(format!("\"{first}"))
            .hint("close the quote, or write a quote inside a quoted field twice (\"\")")
    }

    fn ragged(&self, row: u64, from: usize, ends: &[usize], width: usize) -> Problem {
        let mut start = from;
        let mut cells = Vec::new();
        for &end in ends.iter().take(20) {
            cells.push(String::from_utf8_lossy(&self.bytes[start..end]).into_owned());
            start = end;
        }
        let (what, cause) = if ends.len() < width {
            ("too few fields in this row", "a missing separator")
        } else {
            (
                "too many fields in this row",
                "an unquoted separator inside a field",
            )
        };
        let separator = match self.separator {
            b'\t' => "tab".to_owned(),
            other => format!("\"{}\"", char::from(other)),
        };
        problem(what)
            .file(self.path)
            .row(row)
            .value(cells.join(&char::from(self.separator).to_string()))
            .hint(format!(
                "the header has {width} columns separated by {separator}, this row has {}: look for {cause}",
                ends.len()
            ))
    }
}
