//! Pools.

use super::{
    Answer, Id, Key,
    body::Body,
    created, now_ms, ok, operated, operation,
    query::{Params, page},
    refusal::Refusal,
    spec, views,
};
use crate::{
    serve::state::App,
    store::{Command, Reply, toloka::Change},
};
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn list(State(app): State<Arc<App>>, _: Key, params: Params) -> Answer {
    let rows = app.store.pools_more().await?;
    let sorts = ["id", "created", "last_started"];
    page(rows.iter().map(views::pool).collect(), &params, &sorts)
}

pub(super) async fn one(State(app): State<Arc<App>>, _: Key, Id(id): Id) -> Answer {
    Ok(ok(views::pool(&app.store.pool_more(id).await?)))
}

/// The project's document that a pool names.
async fn project_of(app: &App, body: &Value) -> Result<(i64, Value), Refusal> {
    let id = match &body["project_id"] {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    let Some(id) = id else {
        return Err(Refusal::field(
            "project_id",
            "VALUE_REQUIRED",
            "a project's id is missing",
        ));
    };
    let project = match app.store.project(id).await {
        Ok(project) => project,
        Err(crate::store::StoreError::NotFound { .. }) => {
            return Err(Refusal::field(
                "project_id",
                "ENTITY_DOES_NOT_EXIST",
                format!("there is no project {id}"),
            ));
        }
        Err(error) => return Err(error.into()),
    };
    if project.status == "ARCHIVED" {
        return Err(Refusal::conflict(
            "PROJECT_INAPPROPRIATE_STATUS",
            "this project is archived",
        ));
    }
    Ok((id, project.document))
}

pub(super) async fn create(State(app): State<Arc<App>>, _: Key, Body(body): Body) -> Answer {
    let (project, words) = project_of(&app, &body).await?;
    let (document, settings) =
        spec::pool(&body, &words).map_err(|problems| Refusal::invalid(&problems))?;
    let command = Command::CreatePool {
        project,
        status: "CLOSED".into(),
        settings,
        document,
        now: now_ms(),
    };
    let Reply::Id(id) = app.store.carry_out(command).await? else {
        return Err(Refusal::conflict("CONFLICT_STATE", "no pool was made"));
    };
    Ok(created(views::pool(&app.store.pool_more(id).await?)))
}

async fn put(app: &App, id: i64, body: Value) -> Answer {
    let old = app.store.pool(id).await?;
    if old.settings.api.is_none() {
        return Err(Refusal::conflict(
            "CONFLICT_STATE",
            "this pool is that of campaign.toml: change it there, and start the server again",
        ));
    }
    if old.status == "ARCHIVED" {
        return Err(Refusal::conflict(
            "POOL_INAPPROPRIATE_STATUS",
            "an archived pool is not changed",
        ));
    }
    let project = app.store.project(old.project).await?;
    let (document, settings) =
        spec::pool(&body, &project.document).map_err(|problems| Refusal::invalid(&problems))?;
    let command = Command::ChangePool {
        pool: id,
        status: None,
        settings: Some(settings),
        document: Some(document),
        now: now_ms(),
    };
    app.store.carry_out(command).await?;
    Ok(ok(views::pool(&app.store.pool_more(id).await?)))
}

pub(super) async fn change(
    State(app): State<Arc<App>>,
    _: Key,
    Id(id): Id,
    Body(body): Body,
) -> Answer {
    put(&app, id, body).await
}

/// Some fields of a pool.
pub(super) async fn patch(
    State(app): State<Arc<App>>,
    _: Key,
    Id(id): Id,
    Body(body): Body,
) -> Answer {
    let mut words = app.store.pool(id).await?.document;
    let (Some(words_of), Some(changes)) = (words.as_object_mut(), body.as_object()) else {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "VALIDATION_ERROR",
            "send the fields to be changed",
        ));
    };
    for (name, value) in changes {
        words_of.insert(name.clone(), value.clone());
    }
    put(&app, id, words).await
}

async fn set_status(
    app: &App,
    pool: i64,
    (kind, status, reason): (&'static str, &'static str, Option<&'static str>),
) -> Answer {
    let operation = operation(kind, json!({ "pool_id": pool.to_string() }))?;
    let change = Change::SetStatus {
        pool,
        status,
        reason,
        operation,
    };
    match app.change(change).await.map_err(Refusal::from) {
        Ok(reply) => Ok(operated(reply)),
        Err(refusal) if refusal.code() == "INAPPROPRIATE_STATUS" => {
            let from = if status == "CLOSED" { "OPEN" } else { "CLOSED" };
            Err(refusal.with(json!({ "appropriate_statuses": [from] })))
        }
        Err(refusal) => Err(refusal),
    }
}

pub(super) async fn open(State(app): State<Arc<App>>, _: Key, Id(pool): Id) -> Answer {
    set_status(&app, pool, ("POOL.OPEN", "OPEN", None)).await
}

pub(super) async fn close(State(app): State<Arc<App>>, _: Key, Id(pool): Id) -> Answer {
    set_status(&app, pool, ("POOL.CLOSE", "CLOSED", Some("MANUAL"))).await
}

pub(super) async fn close_for_update(State(app): State<Arc<App>>, _: Key, Id(pool): Id) -> Answer {
    set_status(&app, pool, ("POOL.CLOSE", "CLOSED", Some("FOR_UPDATE"))).await
}

pub(super) async fn archive(State(app): State<Arc<App>>, _: Key, Id(pool): Id) -> Answer {
    set_status(&app, pool, ("POOL.ARCHIVE", "ARCHIVED", None)).await
}

pub(super) async fn clone(State(app): State<Arc<App>>, _: Key, Id(pool): Id) -> Answer {
    let operation = operation("POOL.CLONE", json!({ "pool_id": pool.to_string() }))?;
    Ok(operated(
        app.change(Change::ClonePool { pool, operation }).await?,
    ))
}
