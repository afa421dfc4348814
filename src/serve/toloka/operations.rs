//! Operations and their logs.

use super::{
    Answer, Key, Name, ok,
    query::{Params, page},
    suites::tasks_of,
    views,
};
use crate::{serve::state::App, store::toloka::ids};
use axum::extract::State;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

pub(super) async fn list(State(app): State<Arc<App>>, _: Key, params: Params) -> Answer {
    let sorts = ["id", "submitted", "finished"];
    page(app.store.operations().await?, &params, &sorts)
}

pub(super) async fn one(State(app): State<Arc<App>>, _: Key, Name(id): Name) -> Answer {
    Ok(ok(app.store.operation(&id.to_ascii_lowercase()).await?))
}

/// What became of each input: what was made is read from where it stands, what was not as it was sent.
pub(super) async fn log(State(app): State<Arc<App>>, _: Key, Name(id): Name) -> Answer {
    let id = id.to_ascii_lowercase();
    app.store.operation(&id).await?;
    let rows = app.store.operation_log(&id).await?;
    let subjects = |kind: &str| {
        let of_kind = rows.iter().filter(|row| row.kind == kind);
        of_kind.filter_map(|row| row.subject).collect::<Vec<i64>>()
    };
    let made = subjects("TASK_CREATE");
    let tasks = tasks_of(&app, made.into_iter()).await?;
    let suites = app.store.suites_of(&subjects("TASK_SUITE_CREATE")).await?;
    let of_suites = tasks_of(&app, suites.iter().flat_map(|s| s.tasks.iter().copied())).await?;
    let suites: BTreeMap<i64, _> = suites.into_iter().map(|s| (s.id, s)).collect();
    let lines: Vec<Value> = rows
        .iter()
        .map(|row| {
            let (mut input, mut output) = (json!({}), json!({}));
            match (row.subject, &row.document) {
                (Some(id), _) if row.kind == "TASK_CREATE" => {
                    if let Some(task) = tasks.get(&id) {
                        input = views::task(task);
                        output = json!({ "task_id": ids::name(task.pool, id) });
                    }
                }
                (Some(id), _) => {
                    if let Some(suite) = suites.get(&id) {
                        input = views::suite(suite, &of_suites);
                        output = json!({ "task_suite_id": ids::name(suite.pool, id) });
                    }
                }
                (None, Some(document)) => {
                    input = document["input"].clone();
                    output = document["output"].clone();
                }
                (None, None) => {}
            }
            if let Some(mark) = &row.mark {
                input["__item_idx"] = json!(mark);
            }
            json!({ "type": row.kind, "success": row.success, "input": input, "output": output })
        })
        .collect();
    Ok(ok(Value::Array(lines)))
}
