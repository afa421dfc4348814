//! Suites put together by hand, and those that the server mixed, which come into being when they are given.

use super::{
    Answer, Key, Name,
    body::Body,
    ok,
    query::{Params, answer},
    refusal::{Problems, Refusal},
    tasks::{
        Options, Targets, all_refused, batch_answer, bounds, inputs, made_ids, names,
        overlap_change, pool_param, read_task, refuse_reserved, wanted,
    },
    values::refuse,
    views::{self, IN_SUITE},
};
use crate::{
    serve::state::App,
    store::{
        Reply, StoreError,
        toloka::{
            Batch, BatchSuite, Change, Rejected, ids,
            read::{AssignmentRow, Bound, Search, SuiteRow, TaskRow},
        },
    },
};
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Fields of a suite that have a place of their own.
const KNOWN_FIELDS: [&str; 12] = [
    "id",
    "pool_id",
    "tasks",
    "overlap",
    "infinite_overlap",
    "remaining_overlap",
    "created",
    "mixed",
    "automerged",
    "__item_idx",
    "unavailable_for",
    "open_pool",
];

/// The tasks of these rows, by id.
pub(super) async fn tasks_of(
    app: &App,
    ids: impl Iterator<Item = i64>,
) -> Result<BTreeMap<i64, TaskRow>, StoreError> {
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = app.store.tasks_of(&ids).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    _: Key,
    params: Params,
    Body(body): Body,
) -> Answer {
    let options = Options::read(&params, "TASK_SUITE.BATCH_CREATE")?;
    let (list, single) = inputs(body)?;
    let mut targets = Targets::default();
    let (mut suites, mut rejected, mut pictures) = (Vec::new(), Vec::new(), Vec::new());
    for (place, input) in list.into_iter().enumerate() {
        let mut problems = Problems::new();
        if let Some((pool, target)) = targets.find(&app, &input, &mut problems).await? {
            let mut tasks = Vec::new();
            match input["tasks"].as_array().filter(|tasks| !tasks.is_empty()) {
                None => refuse(
                    &mut problems,
                    "tasks",
                    "VALUES_REQUIRED",
                    "a suite has at least one task",
                ),
                Some(list) => {
                    for (i, task) in list.iter().enumerate() {
                        let mut own = Problems::new();
                        let mut read = read_task(i, pool, task, target, &mut own);
                        read.extra[IN_SUITE] = json!(true);
                        pictures.extend(target.api().picture(&read.content).map(str::to_owned));
                        tasks.push(read);
                        problems.extend(
                            own.into_iter()
                                .map(|(p, why)| (format!("tasks.{i}.{p}"), why)),
                        );
                    }
                }
            }
            refuse_reserved(&input, &mut problems);
            let default = target.api().suite_overlap;
            let wanted = wanted(&input, default, options.allow_defaults, &mut problems);
            let mut extra = input.as_object().cloned().unwrap_or_default();
            extra.retain(|name, value| !KNOWN_FIELDS.contains(&name.as_str()) && !value.is_null());
            if problems.is_empty() {
                suites.push(BatchSuite {
                    place,
                    mark: input["__item_idx"].as_str().map(str::to_owned),
                    pool,
                    wanted,
                    order: input["issuing_order_override"].as_f64().unwrap_or(0.0),
                    tasks,
                    extra: Value::Object(extra),
                    unavailable: names(&input["unavailable_for"]),
                });
                continue;
            }
        }
        rejected.push(Rejected {
            place,
            input,
            reasons: json!(problems),
        });
    }
    let cancelled = !rejected.is_empty() && (!options.skip_invalid || suites.is_empty());
    if cancelled && options.operation.is_none() {
        return Err(all_refused(&rejected, single));
    }
    let asynchronous = options.operation.is_some();
    let batch = Batch {
        operation: options.operation,
        suites,
        rejected: rejected.clone(),
        cancelled,
        open: options.open,
        ..Batch::default()
    };
    let reply = app.change(Change::AddSuites(Box::new(batch))).await?;
    if !cancelled {
        app.fetched.ahead(pictures);
    }
    if let (true, Reply::Value(operation)) = (asynchronous, &reply) {
        return Ok((StatusCode::ACCEPTED, Json(operation)).into_response());
    }
    let rows = app.store.suites_of(&made_ids(&reply)).await?;
    let tasks = tasks_of(&app, rows.iter().flat_map(|row| row.tasks.iter().copied())).await?;
    let views = rows
        .iter()
        .map(|row| (row.id, views::suite(row, &tasks)))
        .collect();
    batch_answer(&reply, &views, &rejected, single)
}

enum Found {
    ByHand(SuiteRow),
    Mixed(AssignmentRow),
}

impl Found {
    fn id(&self) -> i64 {
        match self {
            Self::ByHand(row) => row.id,
            Self::Mixed(row) => row.id,
        }
    }

    fn tasks(&self) -> &[i64] {
        match self {
            Self::ByHand(row) => &row.tasks,
            Self::Mixed(row) => &row.tasks,
        }
    }

    fn view(&self, tasks: &BTreeMap<i64, TaskRow>) -> Value {
        match self {
            Self::ByHand(row) => views::suite(row, tasks),
            Self::Mixed(row) => views::mixed_suite(row, tasks),
        }
    }
}

async fn find(app: &App, name: &str) -> Result<Found, Refusal> {
    let missing = || StoreError::missing("task suite", name);
    let (pool, id) = ids::read(name).ok_or_else(missing)?;
    if let Some(row) = app.store.suites_of(&[id]).await?.pop() {
        return Ok(Found::ByHand(row));
    }
    let search = Search {
        conditions: vec![
            ("assignment.id =".into(), Bound::Number(id)),
            ("assignment.pool =".into(), Bound::Number(pool)),
        ],
        also: vec!["assignment.suite IS NULL".into()],
        order: vec![("assignment.id".into(), false)],
        limit: 1,
    };
    let row = app.store.assignments(&search).await?.pop();
    Ok(Found::Mixed(row.ok_or_else(missing)?))
}

pub(super) async fn one(State(app): State<Arc<App>>, _: Key, Name(name): Name) -> Answer {
    let found = find(&app, &name).await?;
    let tasks = tasks_of(&app, found.tasks().iter().copied()).await?;
    Ok(ok(found.view(&tasks)))
}

pub(super) async fn list(State(app): State<Arc<App>>, _: Key, params: Params) -> Answer {
    let task = match params.get("task_id") {
        None => None,
        Some(name) => Some(super::tasks::find(&app, name).await?),
    };
    let pool = match (pool_param(&params)?, &task) {
        (Some(pool), _) => pool,
        (None, Some(task)) => task.pool,
        (None, None) => {
            return Err(Refusal::field(
                "pool_id",
                "VALUE_REQUIRED",
                "of which pool, or with which task?",
            ));
        }
    };
    let (limit, sort) = (params.limit()?, params.sort(&["id", "created"])?);
    let down = sort[0].1;
    let mut found = Vec::new();
    let mut by_hand = Search {
        conditions: vec![("pool =".into(), Bound::Number(pool))],
        also: Vec::new(),
        order: vec![("id".into(), down)],
        limit: limit as i64 + 1,
    };
    bounds(
        &params,
        &[("id", "id"), ("created", "created"), ("overlap", "wanted")],
        &mut by_hand,
    )?;
    let mut mixed = Search {
        conditions: vec![("assignment.pool =".into(), Bound::Number(pool))],
        also: vec!["assignment.suite IS NULL".into()],
        order: vec![("assignment.id".into(), down)],
        limit: limit as i64 + 1,
    };
    bounds(
        &params,
        &[("id", "assignment.id"), ("created", "assignment.created")],
        &mut mixed,
    )?;
    if let Some(task) = &task {
        // Tasks of a suite put together by hand follow each other.
        by_hand
            .conditions
            .push(("first_task <=".into(), Bound::Number(task.id)));
        by_hand.order = vec![("first_task".into(), true)];
        by_hand.limit = 1;
        mixed.conditions.push((
            "assignment.id IN (SELECT assignment FROM answer WHERE task = ?)".into(),
            Bound::Number(task.id),
        ));
    }
    found.extend(
        app.store
            .suites(&by_hand)
            .await?
            .into_iter()
            .map(Found::ByHand),
    );
    found.extend(
        app.store
            .assignments(&mixed)
            .await?
            .into_iter()
            .map(Found::Mixed),
    );
    if let Some(task) = &task {
        found.retain(|suite| suite.tasks().contains(&task.id));
    }
    found.sort_by_key(Found::id);
    if down {
        found.reverse();
    }
    let tasks = tasks_of(&app, found.iter().flat_map(|f| f.tasks().iter().copied())).await?;
    Ok(answer(
        found.iter().map(|f| f.view(&tasks)).collect(),
        limit,
    ))
}

async fn change(app: &App, name: &str, body: &Value, or_least: bool) -> Answer {
    let Found::ByHand(row) = find(app, name).await? else {
        return Err(Refusal::conflict(
            "CONFLICT_STATE",
            "this suite was mixed for one annotator: it does not change",
        ));
    };
    let place = body["issuing_order_override"].as_f64();
    let mut extra = row.extra.clone();
    if let Some(place) = place {
        extra["issuing_order_override"] = json!(place);
    }
    app.change(Change::ChangeSuite {
        suite: row.id,
        overlap: overlap_change(body, or_least)?,
        place: place.map(|p| -p),
        extra: Some(extra),
    })
    .await?;
    let found = find(app, name).await?;
    let tasks = tasks_of(app, found.tasks().iter().copied()).await?;
    Ok(ok(found.view(&tasks)))
}

pub(super) async fn patch(
    State(app): State<Arc<App>>,
    _: Key,
    Name(name): Name,
    params: Params,
    Body(body): Body,
) -> Answer {
    let answer = change(&app, &name, &body, false).await?;
    if (params.flag("open_pool") || body["open_pool"] == true)
        && let Some((pool, _)) = ids::read(&name)
    {
        let operation = super::operation("POOL.OPEN", json!({ "pool_id": pool.to_string() }))?;
        app.change(Change::SetStatus {
            pool,
            status: "OPEN",
            reason: None,
            operation,
        })
        .await?;
    }
    Ok(answer)
}

pub(super) async fn set_overlap_or_min(
    State(app): State<Arc<App>>,
    _: Key,
    Name(name): Name,
    Body(body): Body,
) -> Answer {
    change(&app, &name, &body, true).await
}
