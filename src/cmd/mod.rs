//! One file per subcommand: its arguments (doc comments are the help) and `run`: read, call, write. No statistics here.

pub mod aggregate;
pub mod audit;
pub mod ban;
pub mod bench;
pub mod benchmark;
pub mod curves;
pub mod demo;
pub mod explain;
pub mod init;
pub mod input;
pub mod man;
pub mod methods;
pub mod model;
pub mod plan;
pub mod pool;
pub mod predict;
pub mod report;
pub mod score;
pub mod serve;
pub mod simulate;
pub mod votes;

use crate::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Writes data to stdout. A closed pipe (`veche … | head`) ends the program quietly, as it does for other tools.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        note(&format!(
            "error: {}",
            crate::Problem::io("write the result", "standard output", &error)
        ));
        std::process::exit(1);
    }
}

/// Writes a sentence for people to stderr.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes a warning for people to stderr.
pub fn warn(text: &str) {
    note(&format!("warning: {text}"));
}

/// Says on stderr what long work is at; nothing where nobody watches.
pub fn note_progress(text: &str) {
    if io::stderr().is_terminal() {
        note(text);
    }
}

/// Writes a value as JSON to stdout.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| crate::problem(format!("cannot write the result as JSON: {e}")))?;
    print(&format!("{text}\n"));
    Ok(())
}

/// A progress bar on stderr, hidden when stderr is not a terminal.
pub fn progress(total: u64, what: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "{msg} [{bar:32}] {human_pos}/{human_len} {per_sec} {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
    .progress_chars("=> ");
    ProgressBar::new(total).with_style(style).with_message(what)
}

/// Lines up a table: the first row is the header; columns that are numbers are right-aligned.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| {
        rows.iter()
            .filter_map(|r| r.get(c))
            .map(|s| s.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|c| width(c).unwrap_or(0)).collect();
    let numeric = |c: usize| {
        let mut cells = rows
            .iter()
            .skip(1)
            .filter_map(|r| r.get(c))
            .filter(|s| !s.is_empty());
        cells.all(|s| s.starts_with(|ch: char| ch.is_ascii_digit() || "-−+±–".contains(ch)))
    };
    let right: Vec<bool> = (0..columns).map(numeric).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[c] - cell.chars().count());
            let gap = if c == 0 { "" } else { "  " };
            line += &if right[c] {
                format!("{gap}{pad}{cell}")
            } else {
                format!("{gap}{cell}{pad}")
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_table_lines_up_and_numbers_stand_to_the_right() {
        let rows = [
            vec!["name".into(), "mae".into()],
            vec!["a".into(), "10.5".into()],
            vec!["bc".into(), "9.1".into()],
        ];
        assert_eq!(super::table(&rows), "name   mae\na     10.5\nbc     9.1\n");
    }
}
