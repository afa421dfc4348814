//! Projects.

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
use serde_json::json;
use std::sync::Arc;

pub(super) async fn list(State(app): State<Arc<App>>, _: Key, params: Params) -> Answer {
    let rows = app.store.projects().await?;
    let sorts = ["id", "created", "public_name", "private_comment"];
    page(rows.iter().map(views::project).collect(), &params, &sorts)
}

pub(super) async fn one(State(app): State<Arc<App>>, _: Key, Id(id): Id) -> Answer {
    Ok(ok(views::project(&app.store.project(id).await?)))
}

pub(super) async fn create(State(app): State<Arc<App>>, _: Key, Body(body): Body) -> Answer {
    let document = spec::project(&body).map_err(|problems| Refusal::invalid(&problems))?;
    let now = now_ms();
    let Reply::Id(id) = app
        .store
        .carry_out(Command::CreateProject { document, now })
        .await?
    else {
        return Err(Refusal::conflict("CONFLICT_STATE", "no project was made"));
    };
    Ok(created(views::project(&app.store.project(id).await?)))
}

pub(super) async fn change(
    State(app): State<Arc<App>>,
    _: Key,
    Id(project): Id,
    Body(body): Body,
) -> Answer {
    let document = spec::project(&body).map_err(|problems| Refusal::invalid(&problems))?;
    if app.store.project(project).await?.document["task_spec"].is_null() {
        return Err(Refusal::conflict(
            "CONFLICT_STATE",
            "this project is that of campaign.toml: change it there, and start the server again",
        ));
    }
    app.change(Change::ChangeProject { project, document })
        .await?;
    Ok(ok(views::project(&app.store.project(project).await?)))
}

pub(super) async fn archive(State(app): State<Arc<App>>, _: Key, Id(project): Id) -> Answer {
    let operation = operation(
        "PROJECT.ARCHIVE",
        json!({ "project_id": project.to_string() }),
    )?;
    let change = Change::ArchiveProject { project, operation };
    Ok(operated(app.change(change).await?))
}

/// Whether a change makes a new version of the project: pools keep what they were made with, so none does.
pub(super) async fn check(
    State(app): State<Arc<App>>,
    _: Key,
    Id(project): Id,
    Body(body): Body,
) -> Answer {
    spec::project(&body).map_err(|problems| Refusal::invalid(&problems))?;
    app.store.project(project).await?;
    Ok(ok(
        json!({ "major_version_change": false, "majorVersionChange": false }),
    ))
}
