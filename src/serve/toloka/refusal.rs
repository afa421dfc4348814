//! Refusals as Toloka words them: `request_id`, `code`, `message`, and often `payload`.

use crate::store::{FieldProblem, StoreError};
use axum::{
    Json,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Why a request was refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: String,
    message: String,
    payload: Option<Value>,
}

/// Values that cannot be taken, by path.
pub(super) type Problems = BTreeMap<String, FieldProblem>;

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            payload: None,
        }
    }

    pub(super) fn with(mut self, payload: Value) -> Self {
        self.payload = Some(payload);
        self
    }

    pub(super) fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    pub(super) fn invalid(problems: &Problems) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "VALIDATION_ERROR",
            match problems.iter().next() {
                Some((path, problem)) => format!("{path}: {}", problem.message),
                None => "the request cannot be taken".to_owned(),
            },
        )
        .with(json!(problems))
    }

    pub(super) fn field(path: &str, code: &str, message: impl Into<String>) -> Self {
        Self::invalid(&Problems::from([(
            path.to_owned(),
            FieldProblem::new(code, message),
        )]))
    }

    pub(super) fn code(&self) -> &str {
        &self.code
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Invalid(problems) => Self::invalid(&problems),
            StoreError::NotFound { .. } => {
                Self::new(StatusCode::NOT_FOUND, "DOES_NOT_EXIST", error.to_string())
            }
            StoreError::Conflict { code, reason } => Self::conflict(code, reason),
            StoreError::Database(_) | StoreError::Closed => {
                tracing::error!(%error, "the store failed");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "REMOTE_SERVICE_UNAVAILABLE",
                    "the database did not answer: try again",
                )
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({ "code": self.code, "message": self.message });
        if let Some(payload) = self.payload {
            body["payload"] = payload;
        }
        (self.status, Json(body)).into_response()
    }
}

/// Outside of everything: every refusal below these addresses is JSON with `request_id`, `code` and `message`, whoever it
/// comes from, the framework included. Clients of Toloka read nothing else.
pub(in crate::serve) async fn in_words(request: Request, next: Next) -> Response {
    let ours = ["/api/v1/", "/api/new/", "/api/staging/"]
        .iter()
        .any(|prefix| request.uri().path().starts_with(prefix));
    let response = next.run(request).await;
    let status = response.status();
    if !ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 22).await.unwrap_or_default();
    let mut told: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    if !told["code"].is_string() {
        let (code, message) = match status {
            StatusCode::PAYLOAD_TOO_LARGE => ("VALIDATION_ERROR", "the request is too large"),
            StatusCode::NOT_FOUND => ("DOES_NOT_EXIST", "there is no such address"),
            StatusCode::SERVICE_UNAVAILABLE => (
                "REMOTE_SERVICE_UNAVAILABLE",
                "this took too long: try again",
            ),
            status if status.is_client_error() => {
                ("VALIDATION_ERROR", "the request cannot be read")
            }
            _ => ("INTERNAL_ERROR", "a fault of the server"),
        };
        told = json!({ "code": code, "message": message });
    }
    let id = super::operation_id().unwrap_or_default();
    told["request_id"] = Value::from(id);
    parts.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(told.to_string()))
}
