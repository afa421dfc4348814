//! The description of all addresses, for programs that read such things. Written by hand; that it is true is checked with
//! thousands of generated requests (tests/openapi.rs).

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// The description, OpenAPI 3.1.
pub(super) const TEXT: &str = include_str!("openapi.json");

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], TEXT).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document: Value = serde_json::from_str(TEXT).unwrap();
        let described: BTreeSet<String> = document["paths"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let mut there =
            BTreeSet::from(["/picture/{name}", "/health", "/metrics"].map(str::to_owned));
        for (prefix, source) in [
            ("/api/annotator", include_str!("api.rs")),
            ("/api/requester", include_str!("requester.rs")),
        ] {
            let routes = source.split(".route(\"").skip(1);
            there.extend(routes.map(|rest| format!("{prefix}{}", rest.split('"').next().unwrap())));
        }
        assert_eq!(described, there);
    }
}
