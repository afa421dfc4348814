//! Counts of a pool, asked for by name: what notebooks look at while they wait.

use super::{Answer, Key, body::Body, now_ms, operated, operation, refusal::Refusal};
use crate::{
    serve::state::App,
    store::{
        Reply, StoreError,
        toloka::{Change, Outcome, read::cell},
    },
};
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

/// The figure of this name; 0 where the server counts nothing of the kind.
async fn figure(app: &App, pool: i64, name: &str) -> Result<Value, StoreError> {
    let now = now_ms();
    Ok(match name {
        "completion_percentage" => {
            let progress = app.store.whole_progress(pool).await?;
            let share = if progress.1 == 0 {
                0.0
            } else {
                100.0 * progress.0 as f64 / progress.1 as f64
            };
            json!(share.clamp(0.0, 100.0).floor() as i64)
        }
        "real_tasks_count" => json!(app.store.progress(pool).await?.tasks),
        "submitted_assignments_count"
        | "approved_assignments_count"
        | "rejected_assignments_count"
        | "skipped_assignments_count"
        | "expired_assignments_count"
        | "active_assignments_count" => {
            let states: &[&str] = match name {
                "submitted_assignments_count" => &["submitted", "accepted", "rejected"],
                "approved_assignments_count" => &["accepted"],
                "rejected_assignments_count" => &["rejected"],
                "skipped_assignments_count" => &["skipped"],
                "expired_assignments_count" => &["expired", "closed"],
                _ => &["active"],
            };
            json!(app.store.assignments_in(pool, states).await?)
        }
        "unique_workers_count" | "unique_submitters_count" => {
            json!(app.store.last_submitted(pool).await?.len())
        }
        "active_workers_by_filter_count" => {
            json!(app.store.counts(pool, now, now - 600_000).await?.active)
        }
        _ => json!(0),
    })
}

pub(super) async fn ask(State(app): State<Arc<App>>, _: Key, Body(body): Body) -> Answer {
    let Some(list) = body.as_array() else {
        return Err(Refusal::field(
            "",
            "ARRAY_EXPECTED",
            "send a list of what is asked for",
        ));
    };
    let operation = operation("ANALYTICS", json!({ "value": body }))?;
    let id = operation.id.clone();
    let mut value = Vec::with_capacity(list.len());
    for request in list {
        let pool = cell(&request["subject_id"]);
        let Ok(pool) = pool.parse::<i64>() else {
            return Err(Refusal::field(
                "subject_id",
                "INVALID_VALUE",
                "this is no pool's id",
            ));
        };
        app.store.pool(pool).await?;
        let name = cell(&request["name"]);
        let figure = figure(&app, pool, &name).await?;
        value.push(json!({
            "request": request, "result": { "type": "MEASURE", "value": figure }, "finished": super::moment_now(),
        }));
    }
    app.change(Change::Begin(operation)).await?;
    let outcome = Outcome {
        success: true,
        details: json!({ "value": value }),
        aggregates: Arc::default(),
    };
    let finish = Change::Finish {
        operation: id.clone(),
        outcome,
    };
    app.change(finish).await?;
    Ok(operated(Reply::Value(app.store.operation(&id).await?)))
}
