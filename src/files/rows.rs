//! Rows of CSV and TSV, written cell by cell. Our own, because Toloka's files have empty lines between suites, which the
//! `csv` crate cannot write.

use std::{
    borrow::Cow,
    io::{self, Write},
};

/// Writes rows; cells are quoted where they must be.
pub(super) struct Rows<W> {
    writer: W,
    separator: u8,
    spreadsheet_safe: bool,
    /// Cells written in the current row, and whether all were empty so far.
    cells: usize,
    empty: bool,
}

impl<W: Write> Rows<W> {
    pub(super) fn new(writer: W, separator: u8, spreadsheet_safe: bool) -> Self {
        Self {
            writer,
            separator,
            spreadsheet_safe,
            cells: 0,
            empty: true,
        }
    }

    pub(super) fn cell(&mut self, text: &str) -> io::Result<()> {
        if self.cells > 0 {
            self.writer.write_all(&[self.separator])?;
        }
        self.cells += 1;
        self.empty &= text.is_empty();
        let text = if self.spreadsheet_safe {
            harmless(text)
        } else {
            text.into()
        };
        let special = |b: u8| b == self.separator || matches!(b, b'"' | b'\n' | b'\r');
        if text.bytes().any(special) {
            write!(self.writer, "\"{}\"", text.replace('"', "\"\""))
        } else {
            self.writer.write_all(text.as_bytes())
        }
    }

    pub(super) fn cells<T: AsRef<str>>(
        &mut self,
        cells: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        cells
            .into_iter()
            .try_for_each(|cell| self.cell(cell.as_ref()))
    }

    /// Ends the row. Without a cell it is an empty line; a single empty cell is written as `""` so as not to be one.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let lone = self.cells == 1 && self.empty;
        (self.cells, self.empty) = (0, true);
        self.writer.write_all(if lone { b"\"\"\n" } else { b"\n" })
    }
}

/// The text as a spreadsheet shows it but does not run it: what begins like a formula and is no number gets a `'`.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err() {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let mut out = Vec::new();
        let mut rows = Rows::new(&mut out, b'\t', false);
        rows.cells(["a,b", "c\td", "say \"hi\"", "x\ny", "", "=1+1"])
            .unwrap();
        rows.end().unwrap();
        rows.end().unwrap();
        rows.cell("").unwrap();
        rows.end().unwrap();
        let expected = "a,b\t\"c\td\"\t\"say \"\"hi\"\"\"\t\"x\ny\"\t\t=1+1\n\n\"\"\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
