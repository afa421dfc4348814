//! What lists are asked for: filters, order, limit; and the page that answers.

use super::{App, refusal::Refusal, values::moment_ms};
use axum::{
    Json,
    extract::{FromRequestParts, Query},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::{cmp::Ordering, sync::Arc};

/// Items on a page if nothing is said.
const USUAL: usize = 50;

/// Items on a page at most.
const MOST: usize = 10_000;

/// The query of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(pub(super) Vec<(String, String)>);

impl FromRequestParts<Arc<App>> for Params {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        match Query::<Vec<(String, String)>>::from_request_parts(parts, app).await {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(error) => Err(Refusal::field(
                "query",
                "VALUE_NOT_ALLOWED",
                error.to_string(),
            )),
        }
    }
}

/// An order: a field, and whether the greatest comes first.
pub(super) type SortKey = (String, bool);

impl Params {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A yes or no, `false` if nothing is said.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|v| v.eq_ignore_ascii_case("true"))
    }

    pub(super) fn limit(&self) -> Result<usize, Refusal> {
        match self.get("limit") {
            None => Ok(USUAL),
            Some(text) => match text.parse::<usize>() {
                Ok(n) if n >= 1 => Ok(n.min(MOST)),
                _ => Err(Refusal::field(
                    "limit",
                    "VALUE_OUT_OF_BOUNDS",
                    "a number from 1 on",
                )),
            },
        }
    }

    /// The order asked for; by id if nothing is said.
    pub(super) fn sort(&self, allowed: &[&str]) -> Result<Vec<SortKey>, Refusal> {
        let mut keys = Vec::new();
        for part in self.get("sort").unwrap_or("").split(',') {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let (name, down) = match part.strip_prefix('-') {
                Some(name) => (name, true),
                None => (part.trim_start_matches('+'), false),
            };
            if !allowed.contains(&name) {
                let what = format!("{name} is no order; there are {}", allowed.join(", "));
                return Err(Refusal::field("sort", "VALUE_NOT_ALLOWED", what));
            }
            keys.push((name.to_owned(), down));
        }
        if keys.is_empty() {
            keys.push((allowed[0].to_owned(), false));
        }
        Ok(keys)
    }

    /// `field_gt` and its like: the field and the SQL operator.
    pub(super) fn bound(name: &str) -> Option<(&str, &'static str)> {
        for (ending, operator) in [("_gte", ">="), ("_gt", ">"), ("_lte", "<="), ("_lt", "<")] {
            if let Some(field) = name.strip_suffix(ending) {
                return Some((field, operator));
            }
        }
        None
    }
}

/// How two values are ordered: as numbers or moments where both are, else as texts.
fn order(a: &str, b: &str) -> Ordering {
    if let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) {
        return a.total_cmp(&b);
    }
    match (moment_ms(a), moment_ms(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A page of a list that is small enough to be looked at whole.
pub(super) fn page(
    mut items: Vec<Value>,
    params: &Params,
    sorts: &[&str],
) -> Result<Response, Refusal> {
    let (limit, sort) = (params.limit()?, params.sort(sorts)?);
    for (name, wanted) in &params.0 {
        if name == "sort" || name == "limit" {
            continue;
        }
        if let Some((field, operator)) = Params::bound(name) {
            items.retain(|item| {
                text(&item[field]).is_some_and(|have| {
                    let order = order(&have, wanted);
                    match operator {
                        ">" => order.is_gt(),
                        ">=" => order.is_ge(),
                        "<" => order.is_lt(),
                        _ => order.is_le(),
                    }
                })
            });
        } else {
            let any: Vec<&str> = wanted.split(',').collect();
            items.retain(|item| {
                text(&item[name])
                    .is_some_and(|have| have == *wanted || any.contains(&have.as_str()))
            });
        }
    }
    items.sort_by(|a, b| {
        sort.iter()
            .map(|(field, down)| {
                let (a, b) = (
                    text(&a[field]).unwrap_or_default(),
                    text(&b[field]).unwrap_or_default(),
                );
                let order = order(&a, &b);
                if *down { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    Ok(answer(items, limit))
}

/// The page of items of which one more than `limit` was looked for.
pub(super) fn answer(mut items: Vec<Value>, limit: usize) -> Response {
    let more = items.len() > limit;
    items.truncate(limit);
    Json(json!({ "items": items, "has_more": more })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(
            pairs
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
        )
    }

    async fn ids(response: Response) -> (Vec<String>, bool) {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap();
        let page: Value = serde_json::from_slice(&bytes).unwrap();
        let ids = page["items"].as_array().unwrap();
        let ids = ids
            .iter()
            .map(|i| i["id"].as_str().unwrap().to_owned())
            .collect();
        (ids, page["has_more"] == true)
    }

    fn items() -> Vec<Value> {
        [("9", "OPEN"), ("10", "CLOSED"), ("11", "OPEN"), ("100", "OPEN")]
            .map(|(id, status)| json!({"id": id, "status": status, "created": format!("2026-01-{:0>2}T00:00:00.000", id.len())}))
            .into()
    }

    #[tokio::test]
    async fn ids_are_numbers_and_pages_follow_each_other() {
        let first = page(items(), &params(&[("limit", "2")]), &["id"]).unwrap();
        assert_eq!(ids(first).await, (vec!["9".into(), "10".into()], true));
        let next = params(&[("limit", "2"), ("id_gt", "10"), ("sort", "id")]);
        assert_eq!(
            ids(page(items(), &next, &["id"]).unwrap()).await,
            (vec!["11".into(), "100".into()], false)
        );
    }

    #[tokio::test]
    async fn fields_dates_and_orders_are_looked_at_together() {
        let asked = params(&[
            ("status", "OPEN"),
            ("created_lte", "2026-01-02"),
            ("sort", "-id"),
        ]);
        let page = page(items(), &asked, &["id", "created"]).unwrap();
        assert_eq!(ids(page).await, (vec!["11".into(), "9".into()], false));
    }

    #[test]
    fn what_is_no_order_and_no_limit_is_refused() {
        assert!(params(&[("sort", "password")]).sort(&["id"]).is_err());
        assert!(params(&[("limit", "0")]).limit().is_err());
        assert_eq!(params(&[("limit", "1000000")]).limit().unwrap(), MOST);
    }
}
