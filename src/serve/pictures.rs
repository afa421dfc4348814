//! Pictures, under addresses that belong to one assignment and say nothing.

use super::{
    failure::Failure,
    requester::{has_key, has_session},
    state::App,
};
use crate::store::{StoreError, toloka::ids};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// The picture at a place of an assignment. Only who was given the assignment knows the address.
pub(super) async fn picture(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let missing = || StoreError::missing("picture", "of this name");
    let (assignment, place) = app.secret.read_picture(&name).ok_or_else(missing)?;
    let content = if assignment == "requester" {
        // The address alone does not open what the dashboard shows.
        if !has_session(&app, &headers) && !has_key(&app, &headers) {
            return Err(missing().into());
        }
        app.store.content(place as i64).await?
    } else {
        app.store.shown(assignment, place).await?
    };
    let content = content.ok_or_else(missing)?;
    if content["input"].is_object() {
        let pool = if assignment == "requester" {
            let task = app.store.tasks_of(&[place as i64]).await?.pop();
            task.map(|task| task.pool)
        } else {
            ids::pool_of(assignment)
        };
        let settings = app.store.pool(pool.ok_or_else(missing)?).await?.settings;
        let api = settings.api.ok_or_else(missing)?;
        let address = api.picture(&content).ok_or_else(missing)?;
        let bytes = app.fetched.picture(address).await.map_err(|reason| {
            tracing::warn!(address, reason, "the picture of a task cannot be fetched");
            missing()
        })?;
        return Ok((jpeg(), bytes).into_response());
    }
    // The path was written by `pool build` and relates to the pool's folder.
    let path = content["picture"].as_str().ok_or_else(missing)?;
    if path
        .split(['/', '\\'])
        .any(|part| part == ".." || part.is_empty())
    {
        return Err(missing().into());
    }
    let bytes = tokio::fs::read(app.pool_dir.join(path))
        .await
        .map_err(|error| {
            tracing::error!(%error, path, "a picture of the pool cannot be read");
            missing()
        })?;
    Ok((jpeg(), bytes).into_response())
}

fn jpeg() -> [(header::HeaderName, &'static str); 2] {
    [
        (header::CONTENT_TYPE, "image/jpeg"),
        // For prefetching: the address is never used for anything else.
        (header::CACHE_CONTROL, "private, max-age=3600, immutable"),
    ]
}
