//! Rows as clients see them.

use crate::store::{
    PoolSettings,
    toloka::{
        ids,
        read::{
            AnnotatorSkill, AssignmentRow, PoolMore, ProjectRow, RestrictionRow, SuiteRow, TaskRow,
            moment,
        },
        settings::ENDLESS,
    },
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

fn object(document: &Value) -> Map<String, Value> {
    document.as_object().cloned().unwrap_or_default()
}

/// Key under which a task of a suite put together by hand is marked in `extra`.
pub(super) const IN_SUITE: &str = "veche_in_suite";

pub(super) fn project(row: &ProjectRow) -> Value {
    let mut view = object(&row.document);
    view.insert("id".into(), json!(row.id.to_string()));
    view.insert("status".into(), json!(row.status));
    view.insert("created".into(), json!(moment(row.created)));
    // The campaign's own project was not made by a client: it has a name and no specification.
    let name = view
        .get("private_name")
        .cloned()
        .unwrap_or(json!("campaign"));
    view.entry("public_name").or_insert(name);
    view.entry("assignments_issuing_type")
        .or_insert(json!("AUTOMATED"));
    view.entry("task_spec").or_insert(json!({
        "input_spec": {}, "output_spec": {}, "view_spec": {"type": "classic", "markup": "", "script": "", "styles": ""},
    }));
    // toloka-kit cannot read such a view without its lock.
    if let Some(spec) = view["task_spec"]["view_spec"].as_object_mut()
        && spec.get("type").is_some_and(|t| t == "tb")
    {
        spec.entry("lock").or_insert(json!({}));
        spec.entry("config").or_insert(json!("{}"));
    }
    Value::Object(view)
}

pub(super) fn pool(more: &PoolMore) -> Value {
    let row = &more.row;
    let mut view = object(&row.document);
    view.insert("id".into(), json!(row.id.to_string()));
    view.insert("project_id".into(), json!(row.project.to_string()));
    view.insert("status".into(), json!(row.status));
    view.insert("created".into(), json!(moment(row.created)));
    view.insert("type".into(), json!("REGULAR"));
    view.insert(
        "owner".into(),
        json!({ "id": super::people::OWNER, "myself": true }),
    );
    for (name, at) in [
        ("last_started", more.started),
        ("last_stopped", more.stopped),
    ] {
        if let Some(at) = at {
            view.insert(name.into(), json!(moment(at)));
        }
    }
    if let Some(reason) = &more.close_reason {
        view.insert("last_close_reason".into(), json!(reason));
    }
    if row.settings.api.is_none() {
        campaign_pool(&mut view, &row.settings);
    }
    Value::Object(view)
}

/// The campaign's own pool in the words of the API.
fn campaign_pool(view: &mut Map<String, Value>, settings: &PoolSettings) {
    view.remove("tasks");
    let words = json!({
        "reward_per_assignment": 0, "will_expire": "9999-12-31T00:00:00.000", "may_contain_adult_content": false,
        "assignment_max_duration_seconds": settings.lifetime_ms / 1000, "auto_accept_solutions": settings.auto_accept,
        "priority": 0, "defaults": { "default_overlap_for_new_task_suites": 1 },
        "mixer_config": { "real_tasks_count": settings.real, "golden_tasks_count": settings.control, "training_tasks_count": 0 },
    });
    for (name, value) in object(&words) {
        view.entry(name).or_insert(value);
    }
}

fn overlap(view: &mut Map<String, Value>, wanted: i64, held: i64) {
    let endless = wanted >= ENDLESS;
    view.insert("infinite_overlap".into(), json!(endless));
    view.insert(
        "overlap".into(),
        if endless { Value::Null } else { json!(wanted) },
    );
    if !endless {
        view.insert("remaining_overlap".into(), json!((wanted - held).max(0)));
    }
}

fn input_values(content: &Value) -> Value {
    match &content["input"] {
        // A task of `pool build`.
        Value::Null => {
            let mut input = object(content);
            input.retain(|_, value| !value.is_null());
            Value::Object(input)
        }
        input => input.clone(),
    }
}

/// A task within a suite.
fn raw_task(row: &TaskRow) -> Map<String, Value> {
    let mut view = object(&row.extra);
    view.remove(IN_SUITE);
    view.insert("id".into(), json!(ids::name(row.pool, row.id)));
    view.insert("input_values".into(), input_values(&row.content));
    if let Some(known) = &row.known {
        view.insert("known_solutions".into(), known.clone());
    }
    view
}

pub(super) fn task(row: &TaskRow) -> Value {
    let mut view = raw_task(row);
    view.insert("pool_id".into(), json!(row.pool.to_string()));
    view.insert("created".into(), json!(moment(row.created)));
    if row.extra[IN_SUITE] != true {
        // Controls and training tasks are for everybody, whatever was said when they were added.
        match row.kind {
            0 => overlap(&mut view, row.wanted, row.held),
            _ if !view.contains_key("infinite_overlap") => overlap(&mut view, ENDLESS, 0),
            _ => {}
        }
    }
    Value::Object(view)
}

pub(super) fn suite(row: &SuiteRow, tasks: &BTreeMap<i64, TaskRow>) -> Value {
    let mut view = object(&row.extra);
    view.insert("id".into(), json!(ids::name(row.pool, row.id)));
    view.insert("pool_id".into(), json!(row.pool.to_string()));
    view.insert("created".into(), json!(moment(row.created)));
    view.insert("mixed".into(), json!(false));
    view.insert("automerged".into(), json!(false));
    let list: Vec<Value> = row
        .tasks
        .iter()
        .filter_map(|id| Some(Value::Object(raw_task(tasks.get(id)?))))
        .collect();
    view.insert("tasks".into(), Value::Array(list));
    overlap(&mut view, row.wanted, row.held);
    Value::Object(view)
}

/// The suite that was mixed for one assignment.
pub(super) fn mixed_suite(row: &AssignmentRow, tasks: &BTreeMap<i64, TaskRow>) -> Value {
    let list: Vec<Value> = row
        .tasks
        .iter()
        .filter_map(|id| Some(Value::Object(raw_task(tasks.get(id)?))))
        .collect();
    json!({
        "id": suite_name(row), "pool_id": row.pool.to_string(), "created": moment(row.created), "mixed": true,
        "automerged": false, "tasks": list, "overlap": 1, "infinite_overlap": false, "remaining_overlap": 0,
    })
}

/// The name of the suite that an assignment gave out.
pub(super) fn suite_name(row: &AssignmentRow) -> String {
    ids::name(row.pool, row.suite.unwrap_or(row.id))
}

/// Statuses as clients know them.
pub(super) fn status(state: &str) -> &'static str {
    match state {
        "active" => "ACTIVE",
        "submitted" => "SUBMITTED",
        "accepted" => "ACCEPTED",
        "rejected" => "REJECTED",
        "skipped" => "SKIPPED",
        // Run out, or taken back with a ban.
        _ => "EXPIRED",
    }
}

/// States behind a status.
pub(super) fn states(status: &str) -> Option<&'static [&'static str]> {
    Some(match status {
        "ACTIVE" => &["active"],
        "SUBMITTED" => &["submitted"],
        "ACCEPTED" | "APPROVED" => &["accepted"],
        "REJECTED" => &["rejected"],
        "SKIPPED" => &["skipped"],
        "EXPIRED" => &["expired", "closed"],
        _ => return None,
    })
}

/// When an assignment reached a status, ms.
pub(super) fn reached(row: &AssignmentRow, status: &str) -> Option<i64> {
    let now = self::status(&row.state);
    match status {
        "SUBMITTED" => row
            .ended
            .filter(|_| ["SUBMITTED", "ACCEPTED", "REJECTED"].contains(&now)),
        "ACCEPTED" | "REJECTED" => (now == status).then_some(row.decided.or(row.ended)?),
        _ => (now == status).then_some(row.ended?),
    }
}

/// Answers of an assignment as the requester gets them, by place.
pub(super) fn outputs(row: &AssignmentRow, settings: &PoolSettings) -> Vec<Value> {
    row.outputs
        .iter()
        .map(|output| match &settings.api {
            Some(api) => api.output(output),
            None => output.clone(),
        })
        .collect()
}

pub(super) fn assignment(
    row: &AssignmentRow,
    tasks: &BTreeMap<i64, TaskRow>,
    pool: &PoolMore,
) -> Value {
    let list: Vec<Value> = row
        .tasks
        .iter()
        .filter_map(|id| {
            let task = tasks.get(id)?;
            let mut view = raw_task(task);
            view.insert("pool_id".into(), json!(row.pool.to_string()));
            Some(Value::Object(view))
        })
        .collect();
    let reward = pool.row.document["reward_per_assignment"].clone();
    let mut view = json!({
        "id": row.name, "task_suite_id": suite_name(row), "pool_id": row.pool.to_string(), "user_id": row.annotator,
        "status": status(&row.state), "reward": if reward.is_null() { json!(0) } else { reward }, "tasks": list,
        "mixed": row.suite.is_none(), "automerged": false, "created": moment(row.created),
        "owner": { "id": super::people::OWNER, "myself": true },
    });
    for name in ["SUBMITTED", "ACCEPTED", "REJECTED", "SKIPPED", "EXPIRED"] {
        if let Some(at) = reached(row, name) {
            view[name.to_ascii_lowercase()] = json!(moment(at));
        }
    }
    if !row.outputs.is_empty() {
        let solutions: Vec<Value> = outputs(row, &pool.row.settings)
            .into_iter()
            .map(|output| json!({ "output_values": output }))
            .collect();
        view["solutions"] = Value::Array(solutions);
    }
    if let Some(comment) = &row.comment {
        view["public_comment"] = json!(comment);
    }
    view
}

pub(super) fn restriction(row: &RestrictionRow) -> Value {
    let mut view = json!({
        "id": row.id.to_string(), "user_id": row.annotator, "scope": row.scope, "private_comment": row.comment,
        "created": moment(row.created),
    });
    for (name, id) in [("project_id", row.project), ("pool_id", row.pool)] {
        if let Some(id) = id {
            view[name] = json!(id.to_string());
        }
    }
    if let Some(until) = row.until {
        view["will_expire"] = json!(moment(until));
    }
    view
}

pub(super) fn skill((id, created, document): &(i64, i64, Value)) -> Value {
    let mut view = object(document);
    view.insert("id".into(), json!(id.to_string()));
    view.insert("created".into(), json!(moment(*created)));
    view.entry("hidden").or_insert(json!(true));
    view.entry("training").or_insert(json!(false));
    view.insert(
        "owner".into(),
        json!({ "id": super::people::OWNER, "myself": true }),
    );
    Value::Object(view)
}

pub(super) fn user_skill(row: &AnnotatorSkill) -> Value {
    json!({
        "id": row.id.to_string(), "user_id": row.annotator, "skill_id": row.skill.to_string(),
        "value": row.value.round() as i64, "exact_value": row.value, "created": moment(row.created),
        "modified": moment(row.modified),
    })
}
