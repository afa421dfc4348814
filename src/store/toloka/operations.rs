//! Operations: what a request has done or is doing, under an id that its client may choose, so that a request that is sent
//! again does nothing again.

use crate::store::{
    StoreError,
    command::Reply,
    db::{Work, sql},
    toloka::read::operation_view,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// An operation to be written down.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOperation {
    /// A UUID.
    pub id: String,
    /// `TASK.BATCH_CREATE`, `POOL.OPEN` …
    pub kind: &'static str,
    /// What was asked for.
    pub parameters: Value,
}

/// How an operation that took its time ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Whether it did what was asked for.
    pub success: bool,
    /// More about it.
    pub details: Value,
    /// Aggregated answers: task, confidence, output.
    pub aggregates: Arc<Vec<(i64, f64, Value)>>,
}

/// A line of an operation's log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// Place of the input.
    pub place: usize,
    /// `TASK_CREATE` …
    pub kind: &'static str,
    /// What was made.
    pub subject: Option<i64>,
    /// What the client called the input.
    pub mark: Option<String>,
    /// Input and reasons, where nothing was made.
    pub document: Option<Value>,
}

/// Writes an operation that is done; one of the same id is refused. Returns it as clients see it.
pub(super) async fn insert(
    work: &mut Work<'_>,
    operation: &NewOperation,
    status: &'static str,
    details: &Value,
    now: i64,
) -> Result<Value, StoreError> {
    let finished = (status != "RUNNING").then_some(now);
    let written = work
        .change(
            sql("INSERT INTO operation (id, kind, status, submitted, finished, parameters, details) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING")
            .bind(operation.id.clone())
            .bind(operation.kind.to_owned())
            .bind(status.to_owned())
            .bind(now)
            .bind(finished)
            .bind(operation.parameters.to_string())
            .bind(details.to_string()),
        )
        .await?;
    if written == 0 {
        return Err(StoreError::conflict(
            "OPERATION_ALREADY_EXISTS",
            format!("there is an operation {} already", operation.id),
        ));
    }
    Ok(operation_view(
        &operation.id,
        operation.kind,
        status,
        now,
        finished,
        &operation.parameters,
        details,
    ))
}

pub(super) async fn log(
    work: &mut Work<'_>,
    operation: &str,
    entries: &[LogEntry],
) -> Result<(), StoreError> {
    let rows: Vec<Value> = entries
        .iter()
        .map(|entry| {
            json!({
                "place": entry.place, "kind": entry.kind, "success": i64::from(entry.subject.is_some()),
                "subject": entry.subject, "mark": entry.mark,
                "document": entry.document.as_ref().map(Value::to_string),
            })
        })
        .collect();
    let columns = [
        ("place", "BIGINT"),
        ("kind", "TEXT"),
        ("success", "BIGINT"),
        ("subject", "BIGINT"),
        ("mark", "TEXT"),
        ("document", "TEXT"),
    ];
    let text = format!(
        "INSERT INTO operation_log (operation, place, kind, success, subject, mark, document) \
         SELECT $2, place, kind, success, subject, mark, document FROM ({}) AS new",
        work.dialect.rows(1, &columns)
    );
    work.change(
        sql(text)
            .bind(Value::Array(rows).to_string())
            .bind(operation.to_owned()),
    )
    .await?;
    Ok(())
}

pub(super) async fn begin(
    work: &mut Work<'_>,
    operation: &NewOperation,
    now: i64,
) -> Result<Reply, StoreError> {
    Ok(Reply::Value(
        insert(work, operation, "RUNNING", &json!({}), now).await?,
    ))
}

pub(super) async fn finish(
    work: &mut Work<'_>,
    operation: &str,
    outcome: &Outcome,
    now: i64,
) -> Result<Reply, StoreError> {
    let status = if outcome.success { "SUCCESS" } else { "FAIL" };
    let ended = work
        .change(
            sql("UPDATE operation SET status = $1, finished = $2, details = $3 WHERE id = $4 AND status = 'RUNNING'")
                .bind(status.to_owned())
                .bind(now)
                .bind(outcome.details.to_string())
                .bind(operation.to_owned()),
        )
        .await?;
    if ended == 0 {
        return Ok(Reply::Done);
    }
    let rows: Vec<Value> = outcome
        .aggregates
        .iter()
        .map(|(task, confidence, output)| {
            json!({ "task": task, "confidence": confidence, "output": output.to_string() })
        })
        .collect();
    let columns = [
        ("task", "BIGINT"),
        ("confidence", "DOUBLE PRECISION"),
        ("output", "TEXT"),
    ];
    let text = format!(
        "INSERT INTO aggregate (operation, task, confidence, output) SELECT $2, task, confidence, output FROM ({}) AS new",
        work.dialect.rows(1, &columns)
    );
    work.change(
        sql(text)
            .bind(Value::Array(rows).to_string())
            .bind(operation.to_owned()),
    )
    .await?;
    Ok(Reply::Done)
}
