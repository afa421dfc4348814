//! Bodies: JSON of any shape, read once.

use super::{App, refusal::Refusal};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use serde_json::Value;
use std::sync::Arc;

/// A JSON body. An empty one is refused: toloka-kit sends `[]` as nothing at all.
pub(super) struct Body(pub(super) Value);

impl FromRequest<Arc<App>> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_ascii_lowercase();
        let bytes = Bytes::from_request(request, app).await.map_err(|e| {
            Refusal::new(
                e.status(),
                "VALIDATION_ERROR",
                "the request is too large or broke off",
            )
        })?;
        let fail =
            |message: String| Refusal::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message);
        if bytes.is_empty() {
            return Err(fail("the request has no body".into()));
        }
        if !kind.starts_with("application/json") {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "send JSON, with Content-Type: application/json",
            ));
        }
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(fail(format!("this is no JSON: {error}"))),
        }
    }
}
