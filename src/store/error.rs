//! Why the store refused something.

use std::collections::BTreeMap;
use thiserror::Error;

/// What a request to the store can fail with. Each variant is one status of the interfaces above it.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum StoreError {
    /// There is no such thing.
    #[error("there is no {what} {name}")]
    NotFound {
        /// `annotator`, `assignment`, `pool` …
        what: &'static str,
        /// Its id or name, as asked for.
        name: String,
    },
    /// It is in a state that does not allow this.
    #[error("{reason}")]
    Conflict {
        /// Short, in capitals, for programs.
        code: &'static str,
        /// A sentence for people.
        reason: String,
    },
    /// Values that cannot be taken, by path (`answers.2.age`).
    #[error("{} values cannot be taken", .0.len())]
    Invalid(BTreeMap<String, FieldProblem>),
    /// The database failed: nothing was changed, or it is not known whether it was. Repeating the request is safe.
    #[error("the database failed: {0}")]
    Database(String),
    /// The server is going down.
    #[error("the server is shutting down")]
    Closed,
}

/// Why one value cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldProblem {
    /// Short, in capitals: `VALUE_REQUIRED`, `VALUE_NOT_ALLOWED`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl FieldProblem {
    /// From its parts.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}

impl StoreError {
    /// Something that is not there.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "ids and texts alike, as they come"
    )]
    pub fn missing(what: &'static str, name: impl ToString) -> Self {
        Self::NotFound {
            what,
            name: name.to_string(),
        }
    }

    /// A state that does not allow it.
    pub fn conflict(code: &'static str, reason: impl Into<String>) -> Self {
        Self::Conflict {
            code,
            reason: reason.into(),
        }
    }

    /// Whether the same request may succeed when repeated.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Database(_) | Self::Closed)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Database(format!(
            "a document in the database cannot be read: {error}"
        ))
    }
}
