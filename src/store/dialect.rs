//! Where SQLite and PostgreSQL differ: lists and tables handed over as one JSON parameter.
//!
//! One parameter instead of many keeps every statement's text the same, so that it is prepared once.

/// Which database is behind the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Embedded, one file.
    Sqlite,
    /// A server, shared by several of ours.
    Postgres,
}

impl Dialect {
    /// A subquery: the numbers of the JSON array in parameter `n`.
    pub fn ids(self, n: usize) -> String {
        match self {
            Self::Sqlite => format!("(SELECT value FROM json_each(${n}))"),
            Self::Postgres => {
                format!(
                    "(SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST(${n} AS json)))"
                )
            }
        }
    }

    /// A `SELECT` of the columns of a JSON array of objects in parameter `n`; columns are `(name, SQL type)`.
    pub fn rows(self, n: usize, columns: &[(&str, &str)]) -> String {
        match self {
            Self::Sqlite => {
                let columns: Vec<String> = columns
                    .iter()
                    .map(|(name, _)| format!("json_extract(value, '$.{name}') AS {name}"))
                    .collect();
                format!("SELECT {} FROM json_each(${n})", columns.join(", "))
            }
            Self::Postgres => {
                let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
                let typed: Vec<String> = columns
                    .iter()
                    .map(|(name, kind)| format!("{name} {kind}"))
                    .collect();
                format!(
                    "SELECT {} FROM json_to_recordset(CAST(${n} AS json)) AS r({})",
                    names.join(", "),
                    typed.join(", ")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_rows_are_spelt_as_each_database_wants_them() {
        assert_eq!(Dialect::Sqlite.ids(2), "(SELECT value FROM json_each($2))");
        assert!(Dialect::Postgres.ids(2).contains("CAST($2 AS json)"));
        let rows = Dialect::Sqlite.rows(1, &[("a", "BIGINT"), ("b", "TEXT")]);
        assert_eq!(
            rows,
            "SELECT json_extract(value, '$.a') AS a, json_extract(value, '$.b') AS b FROM json_each($1)"
        );
        let rows = Dialect::Postgres.rows(1, &[("a", "BIGINT"), ("b", "TEXT")]);
        assert!(rows.ends_with("AS r(a BIGINT, b TEXT)"), "{rows}");
    }
}
