//! Bad rows that were left out on request: how many, why, and the first examples of each reason.

use crate::{Problem, Result};
use std::fmt;

/// How many examples of each reason are kept.
const EXAMPLES: usize = 3;

/// Rows left out by `--skip-bad-rows`, counted by reason. In strict mode (the default) it holds nothing: the first bad
/// row ends the reading with its error instead.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Skipped {
    lenient: bool,
    reasons: Vec<Reason>,
}

/// One reason for leaving rows out.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// What was wrong: the `what` of the problems counted here.
    pub what: String,
    /// How many rows.
    pub rows: u64,
    /// The first three problems, with file, row, column and value.
    pub examples: Vec<Problem>,
}

impl Skipped {
    /// Strict: [`Skipped::take`] returns every problem as an error.
    pub fn strict() -> Self {
        Self::default()
    }

    /// Lenient: [`Skipped::take`] counts problems and goes on.
    pub fn lenient() -> Self {
        Self {
            lenient: true,
            reasons: Vec::new(),
        }
    }

    /// As the flag `--skip-bad-rows` says.
    pub fn if_asked(skip_bad_rows: bool) -> Self {
        if skip_bad_rows {
            Self::lenient()
        } else {
            Self::strict()
        }
    }

    /// Counts the row's problem, or returns it as the error in strict mode.
    pub fn take(&mut self, problem: impl Into<Box<Problem>>) -> Result<()> {
        let problem = problem.into();
        if !self.lenient {
            return Err(problem);
        }
        let reason = match self.reasons.iter().position(|r| r.what == problem.what) {
            Some(at) => &mut self.reasons[at],
            None => {
                self.reasons.push(Reason {
                    what: problem.what.clone(),
                    rows: 0,
                    examples: Vec::new(),
                });
                let last = self.reasons.len() - 1;
                &mut self.reasons[last]
            }
        };
        reason.rows += 1;
        if reason.examples.len() < EXAMPLES {
            reason.examples.push(*problem);
        }
        Ok(())
    }

    /// Whether problems are counted instead of being errors.
    pub fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// Rows left out altogether.
    pub fn rows(&self) -> u64 {
        self.reasons.iter().map(|r| r.rows).sum()
    }

    /// Whether nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The reasons, in the order in which they were first met.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// Adds what another reading left out.
    pub fn absorb(&mut self, other: Self) {
        for reason in other.reasons {
            match self.reasons.iter_mut().find(|r| r.what == reason.what) {
                Some(mine) => {
                    mine.rows += reason.rows;
                    let room = EXAMPLES.saturating_sub(mine.examples.len());
                    mine.examples.extend(reason.examples.into_iter().take(room));
                }
                None => self.reasons.push(reason),
            }
        }
    }
}

/// One line per reason: `3 rows left out: not a number (row 5, column age: "abc"; row 9 …)`.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, reason) in self.reasons.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            let rows = if reason.rows == 1 { "row" } else { "rows" };
            write!(f, "{} {rows} left out: {}", reason.rows, reason.what)?;
            let mut places = Vec::new();
            for example in &reason.examples {
                let mut place = String::new();
                if let Some(row) = example.row {
                    place.push_str(&format!("row {row}"));
                }
                if let Some(column) = &example.column {
                    place.push_str(&format!(", column {column}"));
                }
                if let Some(value) = &example.value {
                    place.push_str(&format!(": \"{value}\""));
                }
                places.push(place);
            }
            places.retain(|p| !p.is_empty());
            if !places.is_empty() {
                let more = if reason.rows as usize > places.len() {
                    "; …"
                } else {
                    ""
                };
                write!(f, " ({}{more})", places.join("; "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem;

    #[test]
    fn strict_reading_stops_at_the_first_bad_row() {
        let mut skipped = Skipped::strict();
        assert_eq!(
            skipped
                .take(problem("not a number").row(5))
                .unwrap_err()
                .row,
            Some(5)
        );
        assert!(skipped.is_empty());
    }

    #[test]
    fn lenient_reading_counts_rows_by_reason_and_keeps_three_examples() {
        let mut skipped = Skipped::lenient();
        for row in 2..7 {
            let p = problem("not a number").row(row).column("age").value("x");
            skipped.take(p).unwrap();
        }
        skipped.take(problem("no annotator").row(9)).unwrap();
        assert_eq!(skipped.rows(), 6);
        assert_eq!(skipped.reasons()[0].examples.len(), 3);
        let text = skipped.to_string();
        assert!(text.starts_with("5 rows left out: not a number (row 2, column age: \"x\"; "));
        assert!(text.ends_with("; …)\n1 row left out: no annotator (row 9)"));
    }
}
