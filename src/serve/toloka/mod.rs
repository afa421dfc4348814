//! The requester's side as Toloka's API has it, so that toloka-kit works unmodified: docs/toloka.md.

mod aggregate;
mod analytics;
mod assignments;
mod body;
mod front;
mod operations;
mod people;
mod pictures;
mod pools;
mod projects;
mod quality;
mod query;
mod refusal;
mod spec;
mod suites;
mod tasks;
mod tsv;
mod values;
mod views;

pub(super) use front::{NoSuite, front, next_of_any};
pub(super) use pictures::Fetched;
pub(super) use refusal::in_words;

use super::state::{App, now_ms};
use crate::store::{
    Command, Reply, StoreError,
    toloka::{Change, NewOperation},
};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRequestParts},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use refusal::Refusal;
use serde_json::{Value, json};
use std::sync::Arc;

/// Largest body: a hundred thousand tasks.
const LARGEST_BODY: usize = 64 << 20;

type Answer = Result<Response, Refusal>;

/// Routes below `/api`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/requester", get(people::requester))
        .route("/v1/projects", get(projects::list).post(projects::create))
        .route(
            "/v1/projects/{id}",
            get(projects::one).put(projects::change),
        )
        .route("/v1/projects/{id}/archive", post(projects::archive))
        .route("/staging/projects/{id}/check", post(projects::check))
        .route("/v1/pools", get(pools::list).post(pools::create))
        .route(
            "/v1/pools/{id}",
            get(pools::one).put(pools::change).patch(pools::patch),
        )
        .route("/v1/pools/{id}/open", post(pools::open))
        .route("/v1/pools/{id}/close", post(pools::close))
        .route(
            "/v1/pools/{id}/close-for-update",
            post(pools::close_for_update),
        )
        .route("/v1/pools/{id}/archive", post(pools::archive))
        .route("/v1/pools/{id}/clone", post(pools::clone))
        .route("/v1/tasks", get(tasks::list).post(tasks::create))
        .route("/v1/tasks/{id}", get(tasks::one).patch(tasks::patch))
        .route(
            "/v1/tasks/{id}/set-overlap-or-min",
            patch(tasks::set_overlap_or_min),
        )
        .route("/v1/task-suites", get(suites::list).post(suites::create))
        .route(
            "/v1/task-suites/{id}",
            get(suites::one).patch(suites::patch),
        )
        .route(
            "/v1/task-suites/{id}/set-overlap-or-min",
            patch(suites::set_overlap_or_min),
        )
        .route("/v1/assignments", get(assignments::list))
        .route(
            "/v1/assignments/{id}",
            get(assignments::one).patch(assignments::patch),
        )
        .route(
            "/new/requester/pools/{id}/assignments.tsv",
            get(tsv::assignments),
        )
        .route("/v1/operations", get(operations::list))
        .route("/v1/operations/{id}", get(operations::one))
        .route("/v1/operations/{id}/log", get(operations::log))
        .route(
            "/v1/user-restrictions",
            get(people::restrictions).put(people::restrict),
        )
        .route(
            "/v1/user-restrictions/{id}",
            get(people::restriction).delete(people::lift),
        )
        .route("/v1/skills", get(people::skills).post(people::create_skill))
        .route(
            "/v1/skills/{id}",
            get(people::skill).put(people::change_skill),
        )
        .route(
            "/v1/user-skills",
            get(people::user_skills).put(people::set_skill),
        )
        .route(
            "/v1/user-skills/{id}",
            get(people::user_skill).delete(people::delete_skill),
        )
        .route("/v1/user-metadata/{id}", get(people::metadata))
        .route(
            "/v1/aggregated-solutions/aggregate-by-pool",
            post(aggregate::by_pool),
        )
        .route(
            "/v1/aggregated-solutions/aggregate-by-task",
            post(aggregate::by_task),
        )
        .route("/v1/aggregated-solutions/{id}", get(aggregate::solutions))
        .route("/v1/trainings", get(no_trainings))
        .route("/staging/analytics-2", post(analytics::ask))
        .method_not_allowed_fallback(super::failure::wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
}

/// There are none here: a page's practice and exam take their place. Programs that look for some go on.
async fn no_trainings(_: Key) -> Answer {
    Ok(Json(json!({ "items": [], "has_more": false })).into_response())
}

/// A program with the right key.
struct Key;

impl FromRequestParts<Arc<App>> for Key {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        if super::requester::has_key(app, &parts.headers) {
            return Ok(Self);
        }
        let message = if app.api_key.is_some() {
            "this is not the key of this server: Authorization: ApiKey KEY"
        } else {
            "this server takes no programs: start it with the environment variable VECHE_API_KEY"
        };
        Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "AUTHENTICATION_ERROR",
            message,
        ))
    }
}

/// An id in an address; what is no id names nothing.
struct Id(i64);

impl FromRequestParts<Arc<App>> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = Name::from_request_parts(parts, app).await?.0;
        match text.parse() {
            Ok(id) => Ok(Self(id)),
            Err(_) => Err(StoreError::missing("such id:", text).into()),
        }
    }
}

/// A name in an address.
struct Name(String);

impl FromRequestParts<Arc<App>> for Name {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        match axum::extract::Path::<String>::from_request_parts(parts, app).await {
            Ok(axum::extract::Path(name)) => Ok(Self(name)),
            Err(_) => Err(StoreError::missing("address", "of this kind").into()),
        }
    }
}

/// A fresh operation id: a random UUID.
fn operation_id() -> Result<String, StoreError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| StoreError::Database(format!("no randomness: {e}")))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = crate::store::hex(&bytes);
    Ok(format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    ))
}

fn operation(kind: &'static str, parameters: Value) -> Result<NewOperation, StoreError> {
    Ok(NewOperation {
        id: operation_id()?,
        kind,
        parameters,
    })
}

impl App {
    async fn change(&self, change: Change) -> Result<Reply, StoreError> {
        let now = now_ms();
        self.store.carry_out(Command::Toloka { change, now }).await
    }
}

fn moment_now() -> String {
    crate::store::toloka::read::moment(now_ms())
}

fn created(value: Value) -> Response {
    (StatusCode::CREATED, Json(value)).into_response()
}

fn ok(value: Value) -> Response {
    Json(value).into_response()
}

/// An operation that was asked for, or nothing where nothing was to be done.
fn operated(reply: Reply) -> Response {
    match reply {
        Reply::Value(operation) => (StatusCode::ACCEPTED, Json(operation)).into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_gets_a_random_uuid() {
        let (a, b) = (operation_id().unwrap(), operation_id().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), 36);
        assert_eq!(&a[14..15], "4");
        assert!(values::is_uuid(&a));
    }
}
