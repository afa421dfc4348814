//! Every answer that is no success is JSON with a code and a sentence.

use crate::store::{FieldProblem, StoreError};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::{any::Any, collections::BTreeMap};

/// What a handler can fail with.
#[derive(Debug)]
pub(super) enum Failure {
    /// Who asks is not known.
    Unknown,
    /// It is known who asks, and they may not.
    Forbidden(&'static str, String),
    /// The body cannot be read: no JSON, too large, or not what is expected.
    Body(StatusCode, String),
    /// Values that cannot be taken.
    Invalid(BTreeMap<String, FieldProblem>),
    /// Too many requests.
    TooMany,
    /// The store refused.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Invalid(problems) => Self::Invalid(problems),
            other => Self::Store(other),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, code, message, payload) = match self {
            Self::Unknown => (
                StatusCode::UNAUTHORIZED,
                "AUTHENTICATION_ERROR".to_owned(),
                "sign up or sign in first".to_owned(),
                None,
            ),
            Self::Forbidden(code, message) => {
                (StatusCode::FORBIDDEN, code.to_owned(), message, None)
            }
            Self::Body(status, message) => {
                let code = match status {
                    StatusCode::PAYLOAD_TOO_LARGE => "PAYLOAD_TOO_LARGE",
                    StatusCode::UNSUPPORTED_MEDIA_TYPE => "UNSUPPORTED_MEDIA_TYPE",
                    _ => "VALIDATION_ERROR",
                };
                // What is JSON and not what is expected is a bad request like any other.
                let status = match status {
                    StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
                    other => other,
                };
                (status, code.to_owned(), message, None)
            }
            Self::Invalid(problems) => (
                StatusCode::BAD_REQUEST,
                "VALIDATION_ERROR".to_owned(),
                format!("{} values cannot be taken", problems.len()),
                Some(json!(problems)),
            ),
            Self::TooMany => (
                StatusCode::TOO_MANY_REQUESTS,
                "TOO_MANY_REQUESTS".to_owned(),
                "too many requests: slow down".to_owned(),
                None,
            ),
            Self::Store(error) => {
                let (status, code) = match &error {
                    StoreError::NotFound { .. } => (StatusCode::NOT_FOUND, "DOES_NOT_EXIST"),
                    StoreError::Conflict { code, .. } => (StatusCode::CONFLICT, *code),
                    StoreError::Invalid(_) => (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"),
                    StoreError::Database(_) | StoreError::Closed => {
                        tracing::error!(%error, "the store failed");
                        (
                            StatusCode::SERVICE_UNAVAILABLE,
                            "REMOTE_SERVICE_UNAVAILABLE",
                        )
                    }
                };
                let message = match &error {
                    // What a database says is for the log.
                    StoreError::Database(_) => "the database did not answer: try again".to_owned(),
                    other => other.to_string(),
                };
                (status, code.to_owned(), message, None)
            }
        };
        let mut body = json!({ "code": code, "message": message });
        if let Some(payload) = payload {
            body["payload"] = payload;
        }
        (status, Json(body)).into_response()
    }
}

/// No such address.
pub(super) async fn not_found() -> Response {
    Failure::Store(StoreError::missing("address", "of this kind")).into_response()
}

/// A refusal that had no JSON.
pub(super) fn in_json(status: StatusCode) -> Response {
    let (code, message) = match status {
        StatusCode::PAYLOAD_TOO_LARGE => ("PAYLOAD_TOO_LARGE", "the request is too large"),
        StatusCode::METHOD_NOT_ALLOWED => (
            "METHOD_NOT_ALLOWED",
            "this address does not take this method",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "REMOTE_SERVICE_UNAVAILABLE",
            "this took too long: try again",
        ),
        status if status.is_client_error() => ("VALIDATION_ERROR", "the request cannot be read"),
        _ => ("INTERNAL_ERROR", "a fault of the server"),
    };
    (status, Json(json!({ "code": code, "message": message }))).into_response()
}

/// The address is there, but not for this method.
pub(super) async fn wrong_method() -> Response {
    let body = json!({ "code": "METHOD_NOT_ALLOWED", "message": "this address does not take this method" });
    (StatusCode::METHOD_NOT_ALLOWED, Json(body)).into_response()
}

/// A fault of ours.
#[allow(clippy::needless_pass_by_value, reason = "the layer hands it over")]
pub(super) fn panicked(fault: Box<dyn Any + Send + 'static>) -> Response {
    let what = fault
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| fault.downcast_ref::<&str>().map(|&s| s.to_owned()))
        .unwrap_or_default();
    tracing::error!(%what, "a request made the server panic");
    let body = json!({ "code": "INTERNAL_ERROR", "message": "a fault of the server: it has been written down" });
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
}
