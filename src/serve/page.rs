//! The annotator's page: plain files inside the binary.

use super::state::App;
use axum::Router;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
}
