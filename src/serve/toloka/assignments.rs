//! Assignments: read, accepted, rejected.

use super::{
    Answer, Key, Name,
    body::Body,
    ok,
    query::{Params, answer},
    refusal::Refusal,
    suites::tasks_of,
    tasks::pool_param,
    values::moment_ms,
    views,
};
use crate::{
    serve::state::App,
    store::{
        StoreError,
        toloka::{
            Change, ids,
            read::{AssignmentRow, Bound, PoolMore, Search},
        },
    },
};
use axum::extract::State;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Fields that lists are bounded and ordered by, and what they are in the database.
const COLUMNS: [(&str, &str); 7] = [
    ("id", "assignment.name"),
    ("created", "assignment.created"),
    (
        "submitted",
        "CASE WHEN assignment.state IN ('submitted', 'accepted', 'rejected') THEN assignment.ended END",
    ),
    (
        "accepted",
        "CASE WHEN assignment.state = 'accepted' THEN COALESCE(assignment.decided, assignment.ended) END",
    ),
    (
        "rejected",
        "CASE WHEN assignment.state = 'rejected' THEN COALESCE(assignment.decided, assignment.ended) END",
    ),
    (
        "skipped",
        "CASE WHEN assignment.state = 'skipped' THEN assignment.ended END",
    ),
    (
        "expired",
        "CASE WHEN assignment.state IN ('expired', 'closed') THEN assignment.ended END",
    ),
];

/// Conditions on the status, from a list of statuses.
pub(super) fn of_status(list: &str) -> Result<Option<String>, Refusal> {
    let mut states = Vec::new();
    for status in list.split(',').map(str::trim).filter(|s| !s.is_empty()) {
        match views::states(status) {
            Some(known) => states.extend(known.iter().map(|s| format!("'{s}'"))),
            None => {
                let why = format!("{status} is no status of an assignment");
                return Err(Refusal::field("status", "UNKNOWN_ENUM_VALUE", why));
            }
        }
    }
    Ok((!states.is_empty()).then(|| format!("assignment.state IN ({})", states.join(", "))))
}

fn column(field: &str) -> Option<&'static str> {
    COLUMNS
        .iter()
        .find(|(name, _)| *name == field)
        .map(|(_, column)| *column)
}

/// Assignments with their tasks and pools, as clients see them.
pub(super) async fn show(app: &App, rows: &[AssignmentRow]) -> Result<Vec<Value>, Refusal> {
    let tasks = tasks_of(app, rows.iter().flat_map(|row| row.tasks.iter().copied())).await?;
    let mut pools: BTreeMap<i64, PoolMore> = BTreeMap::new();
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        if let std::collections::btree_map::Entry::Vacant(place) = pools.entry(row.pool) {
            place.insert(app.store.pool_more(row.pool).await?);
        }
        views.push(views::assignment(row, &tasks, &pools[&row.pool]));
    }
    Ok(views)
}

pub(super) async fn list(State(app): State<Arc<App>>, _: Key, params: Params) -> Answer {
    let limit = params.limit()?;
    let fields: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let mut search = Search {
        limit: limit as i64 + 1,
        ..Search::default()
    };
    for (field, down) in params.sort(&fields)? {
        search
            .order
            .extend(column(&field).map(|column| (column.to_owned(), down)));
    }
    search.order.push(("assignment.name".into(), false));
    if let Some(pool) = pool_param(&params)? {
        let condition = ("assignment.pool =".into(), Bound::Number(pool));
        search.conditions.push(condition);
    }
    if let Some(name) = params.get("task_suite_id") {
        let (_, id) = ids::read(name).ok_or_else(|| StoreError::missing("task suite", name))?;
        let of = "(assignment.suite = ? OR (assignment.suite IS NULL AND assignment.id = ?))";
        search.conditions.push((of.into(), Bound::Number(id)));
    }
    if let Some(name) = params.get("task_id") {
        let (_, id) = ids::read(name).ok_or_else(|| StoreError::missing("task", name))?;
        let of = "assignment.id IN (SELECT assignment FROM answer WHERE task = ?)";
        search.conditions.push((of.into(), Bound::Number(id)));
    }
    if search.conditions.is_empty() {
        let why = "of which pool, suite or task?";
        return Err(Refusal::field("pool_id", "VALUE_REQUIRED", why));
    }
    if let Some(user) = params.get("user_id") {
        let condition = ("annotator.name =".into(), Bound::Text(user.into()));
        search.conditions.push(condition);
    }
    search
        .also
        .extend(of_status(params.get("status").unwrap_or(""))?);
    for (name, value) in &params.0 {
        let Some((field, operator)) = Params::bound(name) else {
            continue;
        };
        let Some(column) = column(field) else {
            continue;
        };
        let bound = match (field, moment_ms(value)) {
            ("id", _) => Bound::Text(value.clone()),
            (_, Some(ms)) => Bound::Number(ms),
            (_, None) => {
                return Err(Refusal::field(
                    name,
                    "INVALID_DATE_TIME_SYNTAX",
                    "YYYY-MM-DDThh:mm:ss",
                ));
            }
        };
        search
            .conditions
            .push((format!("{column} {operator}"), bound));
    }
    let rows = app.store.assignments(&search).await?;
    Ok(answer(show(&app, &rows).await?, limit))
}

async fn view(app: &App, name: &str) -> Result<Value, Refusal> {
    let search = Search {
        conditions: vec![("assignment.name =".into(), Bound::Text(name.into()))],
        order: vec![("assignment.id".into(), false)],
        limit: 1,
        ..Search::default()
    };
    let rows = app.store.assignments(&search).await?;
    let shown = show(app, &rows).await?.pop();
    Ok(shown.ok_or_else(|| StoreError::missing("assignment", name))?)
}

pub(super) async fn one(State(app): State<Arc<App>>, _: Key, Name(name): Name) -> Answer {
    Ok(ok(view(&app, &name).await?))
}

pub(super) async fn patch(
    State(app): State<Arc<App>>,
    _: Key,
    Name(name): Name,
    Body(body): Body,
) -> Answer {
    let accept = match body["status"].as_str() {
        Some("ACCEPTED") => Some(true),
        Some("REJECTED") => Some(false),
        None if body["status"].is_null() => None,
        _ => {
            let why = "an assignment is ACCEPTED or REJECTED";
            return Err(Refusal::field("status", "VALUE_NOT_ALLOWED", why));
        }
    };
    let comment = body["public_comment"].as_str().map(str::to_owned);
    app.change(Change::Judge {
        assignment: name.clone(),
        accept,
        comment,
    })
    .await?;
    Ok(ok(view(&app, &name).await?))
}
