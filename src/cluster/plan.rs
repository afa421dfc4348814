//! A plan: named tables, each a query over those before it, and how an engine's dialect writes them down.

use crate::{Result, problem};
use std::fmt::Write as _;

/// The dialects that differ in how files are read and written. The queries are the same in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Dialect {
    /// Spark SQL: Spark, Databricks, Sail
    #[default]
    Spark,
    /// DuckDB
    Duckdb,
}

/// Where a step's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nowhere: computed wherever it is read.
    View,
    /// Written once, since several steps read it.
    Table,
    /// The result.
    Result,
}

/// One named table of a plan.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) keep: Keep,
    pub(super) about: &'static str,
    pub(super) query: String,
}

/// Steps in the order in which they are computed.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
}

impl Plan {
    /// Adds a view.
    pub(super) fn view(&mut self, name: impl Into<String>, about: &'static str, query: String) {
        self.add(name, Keep::View, about, query);
    }

    /// Adds a table that is written.
    pub(super) fn table(&mut self, name: impl Into<String>, about: &'static str, query: String) {
        self.add(name, Keep::Table, about, query);
    }

    /// Adds the result.
    pub(super) fn result(&mut self, name: impl Into<String>, about: &'static str, query: String) {
        self.add(name, Keep::Result, about, query);
    }

    fn add(&mut self, name: impl Into<String>, keep: Keep, about: &'static str, query: String) {
        self.steps.push(Step {
            name: name.into(),
            keep,
            about,
            query,
        });
    }

    /// The plan as statements that an engine of this dialect runs from top to bottom; `work` and `out` are folders of its own.
    pub(super) fn print(&self, dialect: Dialect, work: &str, out: &str) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let (name, query) = (&step.name, step.query.trim());
            let _ = writeln!(text, "\n-- {}", step.about);
            let _ = match (dialect, step.keep) {
                (_, Keep::View) => {
                    writeln!(text, "CREATE OR REPLACE TEMPORARY VIEW {name} AS\n{query};")
                }
                (Dialect::Spark, keep) => {
                    let path = match keep {
                        Keep::Result => out.to_owned(),
                        _ => format!("{work}/{name}"),
                    };
                    writeln!(
                        text,
                        "INSERT OVERWRITE DIRECTORY '{path}' USING PARQUET\n{query};\n\
                         CREATE OR REPLACE TEMPORARY VIEW {name} AS SELECT * FROM {};",
                        dialect.file(&path)
                    )
                }
                (Dialect::Duckdb, Keep::Table) => {
                    writeln!(
                        text,
                        "CREATE OR REPLACE TEMPORARY TABLE {name} AS\n{query};"
                    )
                }
                (Dialect::Duckdb, Keep::Result) => {
                    writeln!(text, "COPY (\n{query}\n) TO '{out}' (FORMAT PARQUET);")
                }
            };
        }
        text
    }
}

impl Dialect {
    /// A folder or file of Parquet as a table of a query.
    pub(super) fn file(self, path: &str) -> String {
        match self {
            Self::Spark => format!("parquet.`{path}`"),
            // A folder is read by a pattern; one that is not here is believed to be a file.
            Self::Duckdb if std::path::Path::new(path).is_dir() => {
                format!(
                    "read_parquet('{}/**/*.parquet')",
                    path.trim_end_matches('/')
                )
            }
            Self::Duckdb => format!("read_parquet('{path}')"),
        }
    }

    /// A name as it stands in a query: of a column, or of a table with dots between its parts.
    pub(super) fn name(self, name: &str) -> String {
        let quote = match self {
            Self::Spark => '`',
            Self::Duckdb => '"',
        };
        format!("{quote}{name}{quote}")
    }
}

/// A number as every dialect reads it back as the same double. `0.9` would be a decimal.
pub(super) fn double(x: f64) -> String {
    format!("{x:E}")
}

/// Errors where a name or path could end the quotes around it.
pub(super) fn check_quotable(what: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.contains(['\'', '`', '"', '\\', ';', '\n']) {
        return problem(format!(
            "the {what} cannot be written into a query: it is empty or holds a quote, a backslash, a semicolon or a new line"
        ))
        .value(name)
        .hint("give it another name, or make a view on the cluster that has one")
        .fail();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_so_that_no_engine_takes_them_for_decimals() {
        assert_eq!(double(0.9), "9E-1");
        assert_eq!(double(1.0), "1E0");
        let x = 1.644_853_626_951_472_2;
        assert_eq!(double(x).parse::<f64>().unwrap(), x);
    }

    #[test]
    fn names_that_would_end_their_quotes_are_refused() {
        for bad in ["", "a'b", "a`; DROP TABLE x; --", "a\"b", "a\\"] {
            assert!(check_quotable("table", bad).is_err(), "{bad}");
        }
        assert!(check_quotable("table", "s3://bucket/Ответы 1.parquet").is_ok());
    }
}
