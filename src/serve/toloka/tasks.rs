//! Tasks: taken many at once, checked one by one, made all together.

use super::{
    Answer, Key, Name,
    body::Body,
    created, ok, operation_id,
    query::{Params, answer},
    refusal::{Problems, Refusal},
    values::{check_field, is_uuid, moment_ms, refuse, whole},
    views,
};
use crate::{
    serve::state::App,
    store::{
        Kind, PoolSettings, Reply, StoreError,
        toloka::{
            ApiPool, Batch, BatchTask, Change, NewOperation, OverlapChange, Rejected, ids,
            quality::number,
            read::{Bound, Search, TaskRow},
            settings::ENDLESS,
        },
        truth_of,
    },
};
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use veche_pools::{Answer as Truth, Scale};

/// What the client calls an input, so that it finds it in the log.
const MARK: &str = "__item_idx";

/// Fields of a task that have a place of their own.
const KNOWN_FIELDS: [&str; 11] = [
    "id",
    "pool_id",
    "input_values",
    "known_solutions",
    "overlap",
    "infinite_overlap",
    "remaining_overlap",
    "created",
    "origin_task_id",
    MARK,
    "unavailable_for",
];

/// How a request to make things is to be carried out.
pub(super) struct Options {
    pub(super) operation: Option<NewOperation>,
    pub(super) skip_invalid: bool,
    pub(super) allow_defaults: bool,
    pub(super) open: bool,
}

impl Options {
    pub(super) fn read(params: &Params, kind: &'static str) -> Result<Self, Refusal> {
        let (skip_invalid, allow_defaults, open) = (
            params.flag("skip_invalid_items"),
            params.flag("allow_defaults"),
            params.flag("open_pool"),
        );
        let operation = if params.flag("async_mode") {
            let id = match params.get("operation_id") {
                Some(id) if is_uuid(id) => id.to_ascii_lowercase(),
                Some(_) => {
                    return Err(Refusal::field(
                        "operation_id",
                        "UUID_EXPECTED",
                        "this must be a UUID",
                    ));
                }
                None => operation_id()?,
            };
            let parameters = json!({
                "skip_invalid_items": skip_invalid, "allow_defaults": allow_defaults, "open_pool": open,
            });
            Some(NewOperation {
                id,
                kind,
                parameters,
            })
        } else {
            None
        };
        Ok(Self {
            operation,
            skip_invalid,
            allow_defaults,
            open,
        })
    }
}

/// A pool that inputs name, and what its project says a task is.
pub(super) struct Target {
    pub(super) settings: PoolSettings,
    pub(super) fields: Value,
}

impl Target {
    pub(super) fn api(&self) -> &ApiPool {
        static EMPTY: std::sync::LazyLock<ApiPool> = std::sync::LazyLock::new(ApiPool::default);
        self.settings.api.as_deref().unwrap_or(&EMPTY)
    }
}

/// The pools that inputs name, each read once.
#[derive(Default)]
pub(super) struct Targets(HashMap<i64, Option<Target>>);

impl Targets {
    /// The pool an input names, or why it cannot be added to.
    pub(super) async fn find(
        &mut self,
        app: &App,
        input: &Value,
        problems: &mut Problems,
    ) -> Result<Option<(i64, &Target)>, Refusal> {
        let id = match &input["pool_id"] {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        let Some(id) = id else {
            refuse(
                problems,
                "pool_id",
                "VALUE_REQUIRED",
                "a pool's id is missing",
            );
            return Ok(None);
        };
        if let std::collections::hash_map::Entry::Vacant(place) = self.0.entry(id) {
            place.insert(read_target(app, id).await?);
        }
        match self.0.get(&id) {
            Some(Some(target)) => Ok(Some((id, target))),
            _ => {
                let why = format!("there is no pool {id}");
                refuse(problems, "pool_id", "ENTITY_DOES_NOT_EXIST", why);
                Ok(None)
            }
        }
    }
}

async fn read_target(app: &App, id: i64) -> Result<Option<Target>, Refusal> {
    let pool = match app.store.pool(id).await {
        Ok(pool) => pool,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if pool.settings.api.is_none() {
        return Err(Refusal::conflict(
            "CONFLICT_STATE",
            "this pool is that of campaign.toml: its tasks come from `veche pool build`",
        ));
    }
    if pool.status == "ARCHIVED" {
        return Err(Refusal::conflict(
            "POOL_INAPPROPRIATE_STATUS",
            format!("pool {id} is archived"),
        ));
    }
    let project = app.store.project(pool.project).await?;
    Ok(Some(Target {
        settings: pool.settings,
        fields: project.document["task_spec"]["input_spec"].clone(),
    }))
}

/// Votes wanted, by `overlap` and `infinite_overlap`.
pub(super) fn wanted(
    input: &Value,
    default: Option<i64>,
    allow_defaults: bool,
    problems: &mut Problems,
) -> i64 {
    let given = whole(&input["overlap"], "overlap", (1, 30_000), problems);
    match (given, &input["infinite_overlap"]) {
        (None, Value::Bool(true)) => ENDLESS,
        (Some(_), Value::Bool(true)) => {
            let why = "an infinite overlap and a number exclude each other";
            refuse(problems, "overlap", "VALUE_NOT_ALLOWED", why);
            0
        }
        (Some(n), _) => n,
        (None, _) if problems.contains_key("overlap") => 0,
        (None, _) => match default.filter(|_| allow_defaults) {
            Some(n) => n,
            None => {
                let why = "how many votes are wanted? Give an overlap here, or one in the pool's defaults and \
                    allow_defaults=true";
                refuse(problems, "overlap", "VALUE_REQUIRED", why);
                0
            }
        },
    }
}

/// Names of annotators.
pub(super) fn names(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

pub(super) fn refuse_reserved(input: &Value, problems: &mut Problems) {
    if input["reserved_for"]
        .as_array()
        .is_some_and(|a| !a.is_empty())
    {
        let why = "this server cannot keep tasks for some annotators; it can keep them from some: unavailable_for";
        refuse(problems, "reserved_for", "VALUE_NOT_ALLOWED", why);
    }
}

/// Known answers on the scales of the questions. Returns whether there are any.
fn check_known(
    known: &Value,
    settings: &PoolSettings,
    path: &str,
    problems: &mut Problems,
) -> bool {
    if known.is_null() {
        return false;
    }
    let Some(list) = known.as_array() else {
        refuse(
            problems,
            path,
            "ARRAY_EXPECTED",
            "known solutions are a list",
        );
        return false;
    };
    for (i, solution) in list.iter().enumerate() {
        let path = format!("{path}.{i}");
        let Some(values) = solution["output_values"]
            .as_object()
            .filter(|v| !v.is_empty())
        else {
            let path = format!("{path}.output_values");
            refuse(
                problems,
                &path,
                "VALUE_REQUIRED",
                "answers by name are missing",
            );
            continue;
        };
        for (name, value) in values {
            let path = format!("{path}.output_values.{name}");
            match settings.questions.iter().find(|q| q.name == *name) {
                None => refuse(
                    problems,
                    &path,
                    "VALUE_NOT_ALLOWED",
                    "the project asks nothing of this name",
                ),
                Some(question) => match question.read(&super::people::text_of(value)) {
                    Ok(Truth::Unsure) => {
                        refuse(problems, &path, "VALUE_REQUIRED", "an answer is missing");
                    }
                    Ok(_) => {}
                    Err(error) => refuse(problems, &path, "VALUE_NOT_ALLOWED", error.to_string()),
                },
            }
        }
        let weight = &solution["correctness_weight"];
        if !weight.is_null() && number(weight).is_none_or(|w| !(0.0..=1.0).contains(&w)) {
            let path = format!("{path}.correctness_weight");
            refuse(problems, &path, "VALUE_OUT_OF_BOUNDS", "a weight is 0 to 1");
        }
    }
    !list.is_empty()
}

/// Ranges of the first known answer, so that controls are used evenly over them: a tenth of the scale each.
fn stratum(known: &Value, settings: &PoolSettings) -> u32 {
    let truths = truth_of(known, &settings.questions);
    for (question, truth) in settings.questions.iter().zip(truths) {
        match (truth, &question.scale) {
            (Some(Truth::Number(value)), Scale::Number(scale)) => {
                let width = (scale.max - scale.min) / 10.0;
                return ((value - scale.min) / width).floor().clamp(0.0, 10.0) as u32;
            }
            (Some(Truth::Choice(label)), _) => return label,
            _ => {}
        }
    }
    0
}

/// One task as it is kept. Overlap and pool are not looked at.
pub(super) fn read_task(
    place: usize,
    pool: i64,
    input: &Value,
    target: &Target,
    problems: &mut Problems,
) -> BatchTask {
    let empty = Map::new();
    let values = input["input_values"].as_object().unwrap_or(&empty);
    if !input["input_values"].is_object() {
        refuse(
            problems,
            "input_values",
            "VALUE_REQUIRED",
            "fields by name are missing",
        );
    } else {
        for (name, spec) in target.fields.as_object().into_iter().flatten() {
            let value = values.get(name).unwrap_or(&Value::Null);
            check_field(spec, value, &format!("input_values.{name}"), problems);
        }
        for name in values.keys().filter(|name| target.fields[*name].is_null()) {
            let path = format!("input_values.{name}");
            refuse(
                problems,
                &path,
                "VALUE_NOT_ALLOWED",
                "the project has no field of this name",
            );
        }
    }
    refuse_reserved(input, problems);
    let known = &input["known_solutions"];
    let any = check_known(known, &target.settings, "known_solutions", problems);
    let mut extra = input.as_object().cloned().unwrap_or_default();
    extra.retain(|name, value| !KNOWN_FIELDS.contains(&name.as_str()) && !value.is_null());
    let hint = input["message_on_unknown_solution"]
        .as_str()
        .is_some_and(|h| !h.is_empty());
    BatchTask {
        place,
        mark: input[MARK].as_str().map(str::to_owned),
        pool,
        kind: match (any, hint) {
            (false, _) => Kind::Real,
            (true, false) => Kind::Control,
            (true, true) => Kind::Practice,
        },
        wanted: 0,
        stratum: if any {
            stratum(known, &target.settings)
        } else {
            0
        },
        content: json!({ "input": values }),
        known: any.then(|| known.clone()),
        extra: Value::Object(extra),
        unavailable: names(&input["unavailable_for"]),
    }
}

/// The inputs of a request, one or many; and whether it was one.
pub(super) fn inputs(body: Value) -> Result<(Vec<Value>, bool), Refusal> {
    match body {
        Value::Array(list) if !list.is_empty() => Ok((list, false)),
        Value::Object(_) => Ok((vec![body], true)),
        _ => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "VALIDATION_ERROR",
            "send one JSON object, or a list of them that is not empty",
        )),
    }
}

/// The answer to what was refused as a whole.
pub(super) fn all_refused(rejected: &[Rejected], single: bool) -> Refusal {
    let payload = match rejected {
        [one] if single => one.reasons.clone(),
        many => many
            .iter()
            .map(|r| (r.place.to_string(), r.reasons.clone()))
            .collect::<Map<_, _>>()
            .into(),
    };
    let n = rejected.len();
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "VALIDATION_ERROR",
        format!("{n} cannot be taken, and nothing was made"),
    )
    .with(payload)
}

/// The answer to a synchronous request: what was made, by place, and what was not.
pub(super) fn batch_answer(
    made: &Reply,
    views: &BTreeMap<i64, Value>,
    rejected: &[Rejected],
    single: bool,
) -> Answer {
    let Reply::Value(Value::Array(made)) = made else {
        return Err(Refusal::conflict("CONFLICT_STATE", "nothing was made"));
    };
    let mut items = Map::new();
    for pair in made {
        if let Some(view) = pair[1].as_i64().and_then(|id| views.get(&id)) {
            if single {
                return Ok(created(view.clone()));
            }
            items.insert(pair[0].to_string(), view.clone());
        }
    }
    let errors: Map<String, Value> = rejected
        .iter()
        .map(|r| (r.place.to_string(), r.reasons.clone()))
        .collect();
    Ok(created(
        json!({ "items": items, "validation_errors": errors }),
    ))
}

/// Ids in a batch's reply.
pub(super) fn made_ids(reply: &Reply) -> Vec<i64> {
    match reply {
        Reply::Value(Value::Array(made)) => made.iter().filter_map(|p| p[1].as_i64()).collect(),
        _ => Vec::new(),
    }
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    _: Key,
    params: Params,
    Body(body): Body,
) -> Answer {
    let options = Options::read(&params, "TASK.BATCH_CREATE")?;
    let (list, single) = inputs(body)?;
    let mut targets = Targets::default();
    let (mut tasks, mut rejected, mut pictures) = (Vec::new(), Vec::new(), Vec::new());
    for (place, input) in list.into_iter().enumerate() {
        let mut problems = Problems::new();
        if let Some((pool, target)) = targets.find(&app, &input, &mut problems).await? {
            if !target.api().mixes {
                return Err(Refusal::conflict(
                    "MIXER_CONFIG_REQUIRED",
                    format!("pool {pool} has no mixer_config: add task suites, or a mixer_config"),
                ));
            }
            let mut task = read_task(place, pool, &input, target, &mut problems);
            if task.kind == Kind::Real {
                let default = target.api().task_overlap;
                task.wanted = wanted(&input, default, options.allow_defaults, &mut problems);
            } else {
                for name in ["overlap", "infinite_overlap"] {
                    if !input[name].is_null() || input["infinite_overlap"] == true {
                        task.extra[name] = input[name].clone();
                    }
                }
            }
            if problems.is_empty() {
                pictures.extend(target.api().picture(&task.content).map(str::to_owned));
                tasks.push(task);
                continue;
            }
        }
        rejected.push(Rejected {
            place,
            input,
            reasons: json!(problems),
        });
    }
    let cancelled = !rejected.is_empty() && (!options.skip_invalid || tasks.is_empty());
    if cancelled && options.operation.is_none() {
        return Err(all_refused(&rejected, single));
    }
    let asynchronous = options.operation.is_some();
    let batch = Batch {
        operation: options.operation,
        tasks,
        rejected: rejected.clone(),
        cancelled,
        open: options.open,
        ..Batch::default()
    };
    let reply = app.change(Change::AddTasks(Box::new(batch))).await?;
    if !cancelled {
        app.fetched.ahead(pictures);
    }
    if let (true, Reply::Value(operation)) = (asynchronous, &reply) {
        return Ok((StatusCode::ACCEPTED, Json(operation)).into_response());
    }
    let views = app
        .store
        .tasks_of(&made_ids(&reply))
        .await?
        .iter()
        .map(|row| (row.id, views::task(row)))
        .collect();
    batch_answer(&reply, &views, &rejected, single)
}

/// The task of this name.
pub(super) async fn find(app: &App, name: &str) -> Result<TaskRow, Refusal> {
    let missing = || StoreError::missing("task", name);
    let (pool, id) = ids::read(name).ok_or_else(missing)?;
    let found = app.store.tasks_of(&[id]).await?;
    let row = found.into_iter().find(|row| row.pool == pool);
    Ok(row.ok_or_else(missing)?)
}

/// Reads `id_gt` and its like into conditions on ids and moments.
pub(super) fn bounds(
    params: &Params,
    columns: &[(&str, &str)],
    search: &mut Search,
) -> Result<(), Refusal> {
    for (name, value) in &params.0 {
        let Some((field, operator)) = Params::bound(name) else {
            continue;
        };
        let Some((_, column)) = columns.iter().find(|(known, _)| *known == field) else {
            continue;
        };
        let bound = match field {
            "id" => match ids::read(value) {
                Some((_, id)) => Bound::Number(id),
                None => return Err(Refusal::field(name, "INVALID_VALUE", "this is no such id")),
            },
            "overlap" => match value.parse() {
                Ok(n) => Bound::Number(n),
                Err(_) => return Err(Refusal::field(name, "INTEGER_EXPECTED", "a whole number")),
            },
            _ => match moment_ms(value) {
                Some(ms) => Bound::Number(ms),
                None => {
                    return Err(Refusal::field(
                        name,
                        "INVALID_DATE_TIME_SYNTAX",
                        "YYYY-MM-DDThh:mm:ss",
                    ));
                }
            },
        };
        search
            .conditions
            .push((format!("{column} {operator}"), bound));
    }
    Ok(())
}

/// A pool's id in a query.
pub(super) fn pool_param(params: &Params) -> Result<Option<i64>, Refusal> {
    match params.get("pool_id") {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(Refusal::field(
                "pool_id",
                "INVALID_VALUE",
                "this is no pool's id",
            )),
        },
    }
}

pub(super) async fn list(State(app): State<Arc<App>>, _: Key, params: Params) -> Answer {
    let Some(pool) = pool_param(&params)? else {
        return Err(Refusal::field(
            "pool_id",
            "VALUE_REQUIRED",
            "of which pool?",
        ));
    };
    let columns = [("id", "id"), ("created", "created"), ("overlap", "wanted")];
    let limit = params.limit()?;
    let mut search = Search {
        conditions: vec![("pool =".into(), Bound::Number(pool))],
        // Tasks of suites put together by hand are looked at in their suites.
        also: vec![format!(
            "(extra IS NULL OR extra NOT LIKE '%\"{}\"%')",
            views::IN_SUITE
        )],
        order: params.sort(&["id", "created"])?,
        limit: limit as i64 + 1,
    };
    search.order.push(("id".into(), false));
    bounds(&params, &columns, &mut search)?;
    let rows = app.store.tasks(&search).await?;
    Ok(answer(rows.iter().map(views::task).collect(), limit))
}

pub(super) async fn one(State(app): State<Arc<App>>, _: Key, Name(name): Name) -> Answer {
    Ok(ok(views::task(&find(&app, &name).await?)))
}

/// The overlap that a change asks for.
pub(super) fn overlap_change(body: &Value, or_least: bool) -> Result<OverlapChange, Refusal> {
    let mut problems = Problems::new();
    let n = whole(
        &body["overlap"],
        "overlap",
        (i64::from(!or_least), 30_000),
        &mut problems,
    );
    if !problems.is_empty() {
        return Err(Refusal::invalid(&problems));
    }
    Ok(match (n, body["infinite_overlap"] == true) {
        (Some(_), true) => {
            let why = "an infinite overlap and a number exclude each other";
            return Err(Refusal::field("overlap", "VALUE_NOT_ALLOWED", why));
        }
        (None, true) => OverlapChange::Endless,
        (Some(n), false) if or_least => OverlapChange::OrLeast(n),
        (Some(n), false) => OverlapChange::To(n),
        (None, false) if or_least => {
            return Err(Refusal::field(
                "overlap",
                "VALUE_REQUIRED",
                "a number is missing",
            ));
        }
        (None, false) => OverlapChange::Keep,
    })
}

pub(super) async fn patch(
    State(app): State<Arc<App>>,
    _: Key,
    Name(name): Name,
    Body(body): Body,
) -> Answer {
    let row = find(&app, &name).await?;
    let settings = app.store.pool(row.pool).await?.settings;
    if settings.api.is_none() {
        return Err(Refusal::conflict(
            "CONFLICT_STATE",
            "this task comes from `veche pool build`: build the pool again",
        ));
    }
    let overlap = overlap_change(&body, false)?;
    let mut problems = Problems::new();
    check_known(
        &body["known_solutions"],
        &settings,
        "known_solutions",
        &mut problems,
    );
    if !problems.is_empty() {
        return Err(Refusal::invalid(&problems));
    }
    let mut extra = row.extra.clone();
    if !extra.is_object() {
        extra = json!({});
    }
    for name in ["baseline_solutions", "message_on_unknown_solution"] {
        if !body[name].is_null() {
            extra[name] = body[name].clone();
        }
    }
    if row.kind != Kind::Real as i64 {
        for name in ["overlap", "infinite_overlap"] {
            if body.get(name).is_some() {
                extra[name] = body[name].clone();
            }
        }
    }
    app.change(Change::ChangeTask {
        task: row.id,
        overlap,
        known: Some(body["known_solutions"].clone()).filter(Value::is_array),
        extra: Some(extra),
    })
    .await?;
    Ok(ok(views::task(&find(&app, &name).await?)))
}

pub(super) async fn set_overlap_or_min(
    State(app): State<Arc<App>>,
    _: Key,
    Name(name): Name,
    Body(body): Body,
) -> Answer {
    let row = find(&app, &name).await?;
    app.change(Change::ChangeTask {
        task: row.id,
        overlap: overlap_change(&body, true)?,
        known: None,
        extra: None,
    })
    .await?;
    Ok(ok(views::task(&find(&app, &name).await?)))
}
