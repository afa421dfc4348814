//! A pool's assignments as the table that requesters download: one row per task.

use super::{
    Answer, Id, Key, assignments::of_status, now_ms, query::Params, refusal::Refusal,
    suites::tasks_of, values::moment_ms, views,
};
use crate::{
    serve::state::App,
    store::{
        StoreError,
        toloka::{
            ids,
            read::{AssignmentRow, Bound, PoolMore, Search, TaskRow, cell, moment},
        },
    },
};
use axum::{extract::State, http::header, response::IntoResponse};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Assignments per query.
const PAGE: i64 = 5000;

/// Columns if nothing is said.
const USUAL: &str = "ASSIGNMENT:link,ASSIGNMENT:assignment_id,ASSIGNMENT:worker_id,ASSIGNMENT:status,ASSIGNMENT:started";

/// Everything there is to say of an assignment.
const FIELDS: [&str; 13] = [
    "link",
    "assignment_id",
    "task_id",
    "task_suite_id",
    "worker_id",
    "status",
    "started",
    "submitted",
    "accepted",
    "rejected",
    "skipped",
    "expired",
    "reward",
];

pub(super) async fn assignments(
    State(app): State<Arc<App>>,
    _: Key,
    Id(id): Id,
    params: Params,
) -> Answer {
    let pool = app.store.pool_more(id).await?;
    let mut fields = Vec::new();
    for name in params.get("field").unwrap_or(USUAL).split(',') {
        let field = name.trim().strip_prefix("ASSIGNMENT:");
        match FIELDS.iter().find(|known| Some(**known) == field) {
            Some(known) => fields.push(*known),
            None => {
                let why = format!(
                    "{name} is no column; there are ASSIGNMENT:{}",
                    FIELDS.join(", ASSIGNMENT:")
                );
                return Err(Refusal::field("field", "UNKNOWN_ENUM_VALUE", why));
            }
        }
    }
    let mut search = Search {
        conditions: vec![("assignment.pool =".into(), Bound::Number(id))],
        also: of_status(params.get("status").unwrap_or("APPROVED"))?
            .into_iter()
            .collect(),
        order: vec![("assignment.id".into(), false)],
        limit: PAGE,
    };
    for (name, operator) in [("startTimeFrom", ">="), ("startTimeTo", "<=")] {
        if let Some(text) = params.get(name) {
            let Some(ms) = moment_ms(text) else {
                return Err(Refusal::field(
                    name,
                    "INVALID_DATE_TIME_SYNTAX",
                    "YYYY-MM-DDThh:mm:ss",
                ));
            };
            let condition = format!("assignment.created {operator}");
            search.conditions.push((condition, Bound::Number(ms)));
        }
    }
    let mut out = BTreeSet::new();
    if params.flag("excludeBanned") {
        let (pool, project) = (Some(id), Some(pool.row.project));
        for ban in app.store.restrictions(now_ms()).await? {
            if ban.scope == "ALL_PROJECTS"
                || ban.pool == pool
                || (ban.scope == "PROJECT" && ban.project == project)
            {
                out.insert(ban.annotator);
            }
        }
    }
    let mut rows: Vec<AssignmentRow> = Vec::new();
    loop {
        let page = app.store.assignments(&search).await?;
        let n = page.len();
        let last = page.last().map(|row| row.id);
        rows.extend(page.into_iter().filter(|row| !out.contains(&row.annotator)));
        let (Some(last), true) = (last, n as i64 == PAGE) else {
            break;
        };
        search.conditions.retain(|(c, _)| c != "assignment.id >");
        search
            .conditions
            .push(("assignment.id >".into(), Bound::Number(last)));
    }
    let tasks = tasks_of(&app, rows.iter().flat_map(|row| row.tasks.iter().copied())).await?;
    let text = table(
        &pool,
        &rows,
        &tasks,
        &fields,
        params.flag("addRowDelimiter"),
    )
    .map_err(|e| StoreError::Database(e.to_string()))?;
    let headers = [(
        header::CONTENT_TYPE,
        "text/tab-separated-values; charset=utf-8",
    )];
    Ok((headers, text).into_response())
}

fn known_outputs(task: &TaskRow) -> Value {
    let weight = |solution: &Value| solution["correctness_weight"].as_f64().unwrap_or(1.0);
    let mut best: Option<&Value> = None;
    for solution in task.known.iter().flat_map(|k| k.as_array()).flatten() {
        if best.is_none_or(|b| weight(solution) > weight(b)) {
            best = Some(solution);
        }
    }
    best.map_or(Value::Null, |solution| solution["output_values"].clone())
}

fn table(
    pool: &PoolMore,
    rows: &[AssignmentRow],
    tasks: &BTreeMap<i64, TaskRow>,
    fields: &[&str],
    delimit: bool,
) -> Result<Vec<u8>, csv::Error> {
    let settings = &pool.row.settings;
    let mut inputs: Vec<String> = match &settings.api {
        Some(api) => api.inputs.iter().map(|input| input.name.clone()).collect(),
        None => vec!["picture".into(), "text".into()],
    };
    inputs.dedup();
    let outputs: Vec<&str> = settings.questions.iter().map(|q| q.name.as_str()).collect();
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b'\t')
        .from_writer(Vec::new());
    let mut header: Vec<String> = inputs.iter().map(|name| format!("INPUT:{name}")).collect();
    header.extend(outputs.iter().map(|name| format!("OUTPUT:{name}")));
    header.extend(outputs.iter().map(|name| format!("GOLDEN:{name}")));
    header.push("HINT:text".into());
    header.extend(fields.iter().map(|name| format!("ASSIGNMENT:{name}")));
    writer.write_record(&header)?;
    for row in rows {
        let given = views::outputs(row, settings);
        for (place, id) in row.tasks.iter().enumerate() {
            let Some(task) = tasks.get(id) else { continue };
            let content = match &task.content["input"] {
                Value::Null => &task.content,
                input => input,
            };
            let known = known_outputs(task);
            let output = given.get(place).unwrap_or(&Value::Null);
            let mut record: Vec<String> = inputs.iter().map(|n| cell(&content[n])).collect();
            record.extend(outputs.iter().map(|n| cell(&output[n])));
            record.extend(outputs.iter().map(|n| cell(&known[n])));
            record.push(cell(&task.extra["message_on_unknown_solution"]));
            record.extend(fields.iter().map(|field| about(row, task, field, pool)));
            writer.write_record(&record)?;
        }
        if delimit {
            writer.write_record(vec![""; header.len()])?;
        }
    }
    writer
        .into_inner()
        .map_err(|e| csv::Error::from(e.into_error()))
}

fn about(row: &AssignmentRow, task: &TaskRow, field: &str, pool: &PoolMore) -> String {
    match field {
        "link" => format!("/api/v1/assignments/{}", row.name),
        "assignment_id" => row.name.clone(),
        "task_id" => ids::name(task.pool, task.id),
        "task_suite_id" => views::suite_name(row),
        "worker_id" => row.annotator.clone(),
        "status" => match views::status(&row.state) {
            "ACCEPTED" => "APPROVED".into(),
            other => other.into(),
        },
        "started" => moment(row.created),
        "reward" => cell(&pool.row.document["reward_per_assignment"]),
        when => views::reached(row, &when.to_ascii_uppercase()).map_or_else(String::new, moment),
    }
}
