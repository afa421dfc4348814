//! What went wrong, said once: what, in which file, row and column, with which value, and what to do about it.

use std::{fmt, io, path::Path};

/// An error for people. Every failure of the program becomes one; `main` prints it and exits with 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Problem {
    /// What is wrong, without a full stop: `truth lies outside 0 to 120 years`.
    pub what: String,
    /// The file concerned.
    pub file: Option<String>,
    /// Line or row as an editor or spreadsheet counts it: the header is row 1.
    pub row: Option<u64>,
    /// Name of the column.
    pub column: Option<String>,
    /// The value found.
    pub value: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// What everything fallible in this crate returns.
pub type Result<T, E = Box<Problem>> = std::result::Result<T, E>;

/// Starts a problem: `problem("no items").file(path).hint("…")`, boxed by [`From`] or `.into()`.
pub fn problem(what: impl Into<String>) -> Problem {
    Problem {
        what: what.into(),
        ..Problem::default()
    }
}

impl Problem {
    /// Names the file.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.file = Some(crate::remote::shown(path.as_ref()));
        self
    }

    /// Names the row, counted from 1 with the header as row 1.
    #[must_use]
    pub fn row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }

    /// Names the column.
    #[must_use]
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// Quotes the value, shortened to 80 characters.
    #[must_use]
    pub fn value(mut self, value: impl AsRef<str>) -> Self {
        let value = value.as_ref();
        let mut short: String = value.chars().take(80).collect();
        if short.len() < value.len() {
            short.push('…');
        }
        self.value = Some(short);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As an `Err`.
    pub fn fail<T>(self) -> Result<T> {
        Err(Box::new(self))
    }

    /// An input or output error on a file, with a hint for the common causes.
    pub fn io(doing: &str, path: impl AsRef<Path>, error: &io::Error) -> Box<Self> {
        let hint = match cause(error) {
            io::ErrorKind::NotFound => {
                Some("check the path; relative paths start at the current folder")
            }
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                Some("a file is where a folder should be: choose another path, or move the file")
            }
            io::ErrorKind::IsADirectory => Some("it is a folder: name a file"),
            io::ErrorKind::FileTooLarge => Some(
                "files may not become so large here: see `ulimit -f`, or write to another disk",
            ),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Some("choose a folder you may write to, or change its permissions")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
                "the disk is full: free some space and run the command again; nothing was half-written",
            ),
            _ => None,
        };
        let mut p = problem(format!("cannot {doing}: {error}")).file(path);
        p.hint = hint.map(str::to_owned);
        Box::new(p)
    }
}

/// The kind of the first input or output error: libraries wrap it in errors of their own, which hides that the disk is full.
fn cause(error: &io::Error) -> io::ErrorKind {
    let mut inner = error
        .get_ref()
        .map(|e| e as &(dyn std::error::Error + 'static));
    while let Some(e) = inner {
        if let Some(error) = e.downcast_ref::<io::Error>() {
            return cause(error);
        }
        if let Some(error) = e.downcast_ref::<csv::Error>()
            && let csv::ErrorKind::Io(error) = error.kind()
        {
            return cause(error);
        }
        inner = e.source();
    }
    error.kind()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        let mut place = Vec::new();
        if let Some(file) = &self.file {
            place.push(file.clone());
        }
        if let Some(row) = self.row {
            place.push(format!("row {row}"));
        }
        if let Some(column) = &self.column {
            place.push(format!("column {column}"));
        }
        if !place.is_empty() {
            write!(f, "\n  in {}", place.join(", "))?;
        }
        if let Some(value) = &self.value {
            write!(f, "\n  found: \"{value}\"")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  help: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

impl From<veche_pools::Error> for Box<Problem> {
    fn from(error: veche_pools::Error) -> Self {
        use veche_pools::Error as E;
        let hint = match &error {
            E::TooFewControls { .. } => {
                "add controls, or lower `control` under [suite] in campaign.toml"
            }
            E::DuplicateId { .. } => {
                "ids must be unique: delete one row, or name a unique `id` column"
            }
            E::Answer { .. } => "correct the answer",
            E::Question { .. } | E::Mix { .. } | E::Unusable(_) => {
                "correct campaign.toml or the flag; `veche init --print` explains every key"
            }
        };
        Box::new(problem(error.to_string()).hint(hint))
    }
}

impl From<veche_analysis::Error> for Box<Problem> {
    fn from(error: veche_analysis::Error) -> Self {
        use veche_analysis::Error as E;
        Box::new(match &error {
            E::UnknownMethod { name, known } => {
                problem("there is no such method").value(name).hint(format!("methods are {known}"))
            }
            E::NoControls { .. } | E::NothingToCompare => problem(error.to_string())
                .hint("give known answers (controls, a column `truth` or --truth), or use a method that needs none"),
            E::Setting { setting, .. } => {
                problem(error.to_string()).hint(format!("correct {setting} in the command or under [aggregate]"))
            }
            E::Vote { .. } | E::Item { .. } | E::Truths { .. } | E::Points { .. } => problem(error.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_recognised_inside_the_errors_of_libraries() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let wrapped = [
            full(),
            io::Error::from(csv::Error::from(full())),
            io::Error::other(full()),
        ];
        for error in &wrapped {
            let hint = Problem::io("write", "labels.csv", error).hint.unwrap();
            assert!(hint.starts_with("the disk is full"), "{error:?}: {hint}");
        }
    }

    #[test]
    fn a_problem_names_file_row_column_value_and_what_to_do() {
        let p = problem("truth lies outside 0 to 120 years")
            .file("controls.csv")
            .row(418)
            .column("age")
            .value("212")
            .hint("correct the row, or leave it out with --skip-bad-rows");
        assert_eq!(
            p.to_string(),
            "truth lies outside 0 to 120 years\n  in controls.csv, row 418, column age\n  found: \"212\"\n  \
             help: correct the row, or leave it out with --skip-bad-rows"
        );
    }
}
