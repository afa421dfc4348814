//! What a project and a pool say, checked, and compiled into the settings that every pool has.

use super::{
    quality,
    refusal::Problems,
    values::{moment_ms, refuse, text, whole},
};
use crate::store::{
    PoolSettings,
    toloka::{ApiPool, Input, InputKind, Output, OutputKind, settings::ENDLESS},
};
use serde_json::{Map, Value, json};
use veche_pools::{ChoiceScale, NumberScale, Question, Scale};

/// Numbers without bounds lie within these.
const FAR: f64 = 1e9;

/// Fields that the server writes and no client sets.
const READ_ONLY: [&str; 9] = [
    "id",
    "status",
    "created",
    "last_started",
    "last_stopped",
    "last_close_reason",
    "type",
    "owner",
    "request_id",
];

/// A document as it is kept: without what the server itself says.
pub(super) fn own_words(body: &Value) -> Map<String, Value> {
    let mut words = body.as_object().cloned().unwrap_or_default();
    words.retain(|name, value| !READ_ONLY.contains(&name.as_str()) && !value.is_null());
    words
}

/// A project as it is kept, or why it cannot be taken.
pub(super) fn project(body: &Value) -> Result<Value, Problems> {
    let mut problems = Problems::new();
    if !body.is_object() {
        refuse(
            &mut problems,
            "",
            "OBJECT_EXPECTED",
            "a project is a JSON object",
        );
        return Err(problems);
    }
    text(body, "public_name", &mut problems);
    let spec = &body["task_spec"];
    for part in ["input_spec", "output_spec"] {
        let path = format!("task_spec.{part}");
        match spec[part].as_object() {
            None => refuse(
                &mut problems,
                &path,
                "VALUE_REQUIRED",
                "fields by name are missing",
            ),
            Some(fields) if fields.is_empty() => {
                refuse(
                    &mut problems,
                    &path,
                    "EMPTY_OBJECT_NOT_ALLOWED",
                    "there is no field",
                );
            }
            Some(fields) => {
                for (name, field) in fields {
                    if !field["type"].is_string() {
                        let path = format!("{path}.{name}.type");
                        refuse(&mut problems, &path, "VALUE_REQUIRED", "a type is missing");
                    }
                }
            }
        }
    }
    if !spec["view_spec"].is_object() {
        refuse(
            &mut problems,
            "task_spec.view_spec",
            "VALUE_REQUIRED",
            "a view is missing",
        );
    }
    if problems.is_empty() {
        read_questions(spec, &mut problems);
    }
    if body["assignments_issuing_type"] == "MAP_SELECTOR" {
        let why = "this server knows no map: AUTOMATED";
        refuse(
            &mut problems,
            "assignments_issuing_type",
            "VALUE_NOT_ALLOWED",
            why,
        );
    }
    quality::check(&body["quality_control"], &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut words = own_words(body);
    words
        .entry("assignments_issuing_type")
        .or_insert(json!("AUTOMATED"));
    if let Some(view) = words["task_spec"]["view_spec"].as_object_mut() {
        view.entry("type").or_insert(json!("classic"));
    }
    quality::name_collectors(&mut words);
    Ok(Value::Object(words))
}

/// The questions of a project: its output fields that annotators fill in.
fn read_questions(spec: &Value, problems: &mut Problems) -> (Vec<Question>, Vec<Output>) {
    let (mut questions, mut outputs) = (Vec::new(), Vec::new());
    let prompts = prompts(&spec["view_spec"]);
    for (name, field) in spec["output_spec"].as_object().into_iter().flatten() {
        if field["hidden"] == true {
            continue;
        }
        let path = format!("task_spec.output_spec.{name}");
        let kind = field["type"].as_str().unwrap_or_default();
        let allowed: Vec<String> = field["allowed_values"]
            .as_array()
            .into_iter()
            .flatten()
            .map(crate::store::toloka::read::cell)
            .collect();
        let (scale, output) = match (kind, allowed.is_empty()) {
            ("integer" | "float", true) => (
                Scale::Number(NumberScale {
                    min: field["min_value"].as_f64().unwrap_or(-FAR),
                    max: field["max_value"].as_f64().unwrap_or(FAR),
                    unit: String::new(),
                    integer: kind == "integer",
                }),
                OutputKind::Number,
            ),
            ("integer" | "float", false) => (
                Scale::Choice(ChoiceScale { labels: allowed }),
                OutputKind::Code,
            ),
            ("string", false) => (
                Scale::Choice(ChoiceScale { labels: allowed }),
                OutputKind::Text,
            ),
            ("boolean", _) => (
                Scale::Choice(ChoiceScale {
                    labels: vec!["true".into(), "false".into()],
                }),
                OutputKind::Boolean,
            ),
            _ => {
                let why = "annotators are asked for numbers (integer, float), for yes or no (boolean), and for one of several \
                    answers (string with allowed_values)";
                refuse(problems, &path, "VALUE_NOT_ALLOWED", why);
                continue;
            }
        };
        let question = Question {
            name: name.clone(),
            prompt: prompts
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or(name)
                .to_owned(),
            scale,
        };
        if let Err(error) = question.check() {
            refuse(problems, &path, "INVALID_VALUE", error.to_string());
            continue;
        }
        questions.push(question);
        outputs.push(Output {
            name: name.clone(),
            kind: output,
        });
    }
    // Numbers first, as on the page: a keypad, then labels.
    let mut order: Vec<usize> = (0..questions.len()).collect();
    order.sort_by_key(|&i| matches!(questions[i].scale, Scale::Choice(_)));
    let pick = |i: &usize| questions[*i].clone();
    let sorted = order.iter().map(pick).collect();
    if questions.is_empty() && problems.is_empty() {
        let why = "there is no field that annotators fill in";
        refuse(problems, "task_spec.output_spec", "VALUE_REQUIRED", why);
    }
    (sorted, outputs)
}

/// What a Template Builder view says beside each answer: the label of the element that writes it.
fn prompts(view: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    let config: Value = view["config"]
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    fn walk(value: &Value, found: &mut Map<String, Value>) {
        match value {
            Value::Object(fields) => {
                if let (Some("data.output"), Some(path), Some(label)) = (
                    fields.get("data").and_then(|d| d["type"].as_str()),
                    fields.get("data").and_then(|d| d["path"].as_str()),
                    fields.get("label").filter(|l| l.is_string()),
                ) {
                    found.entry(path.to_owned()).or_insert(label.clone());
                }
                fields.values().for_each(|v| walk(v, found));
            }
            Value::Array(values) => values.iter().for_each(|v| walk(v, found)),
            _ => {}
        }
    }
    walk(&config, &mut found);
    found
}

/// What a task's fields are to the server.
fn inputs(spec: &Value) -> Vec<Input> {
    spec["input_spec"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, field)| Input {
            name: name.clone(),
            kind: match (field["hidden"] == true, field["type"].as_str()) {
                (true, _) => InputKind::Hidden,
                (false, Some("url")) => InputKind::Picture,
                _ => InputKind::Text,
            },
        })
        .collect()
}

/// A pool as it is kept, and its settings; or why it cannot be taken. `project` is the project's document.
pub(super) fn pool(body: &Value, project: &Value) -> Result<(Value, PoolSettings), Problems> {
    let mut problems = Problems::new();
    text(body, "private_name", &mut problems);
    let expires = text(body, "will_expire", &mut problems);
    let will_expire = moment_ms(expires);
    if will_expire.is_none() && !expires.is_empty() {
        refuse(
            &mut problems,
            "will_expire",
            "INVALID_DATE_TIME_SYNTAX",
            "YYYY-MM-DDThh:mm:ss, UTC",
        );
    }
    match body["reward_per_assignment"].as_f64() {
        Some(reward) if reward >= 0.0 => {}
        Some(_) => refuse(
            &mut problems,
            "reward_per_assignment",
            "VALUE_LESS_THAN_MIN",
            "a reward is 0 or more",
        ),
        None => refuse(
            &mut problems,
            "reward_per_assignment",
            "VALUE_REQUIRED",
            "a reward is missing",
        ),
    }
    let mut need = |value: &Value, path: &str, bounds| {
        let found = whole(value, path, bounds, &mut problems);
        if found.is_none() && !problems.contains_key(path) {
            refuse(
                &mut problems,
                path,
                "VALUE_REQUIRED",
                "a whole number is missing",
            );
        }
        found.unwrap_or(bounds.0)
    };
    let seconds = need(
        &body["assignment_max_duration_seconds"],
        "assignment_max_duration_seconds",
        (1, 30 * 86_400),
    );
    let mixer = &body["mixer_config"];
    let mixes = mixer.is_object();
    let count = |name: &str| format!("mixer_config.{name}");
    let (mut real, mut golden) = (1, 0);
    if mixes {
        real = need(
            &mixer["real_tasks_count"],
            &count("real_tasks_count"),
            (0, 1000),
        );
        golden = need(
            &mixer["golden_tasks_count"],
            &count("golden_tasks_count"),
            (0, 1000),
        );
        need(
            &mixer["training_tasks_count"],
            &count("training_tasks_count"),
            (0, 1000),
        );
        if real + golden == 0 {
            refuse(
                &mut problems,
                "mixer_config",
                "INVALID_VALUE",
                "suites would be empty",
            );
        }
    }
    let mut optional =
        |value: &Value, path: &str, bounds| whole(value, path, bounds, &mut problems);
    let min_real = optional(
        &mixer["min_real_tasks_count"],
        "mixer_config.min_real_tasks_count",
        (0, real.max(0)),
    );
    let defaults = &body["defaults"];
    let suite_overlap = optional(
        &defaults["default_overlap_for_new_task_suites"],
        "defaults.default_overlap_for_new_task_suites",
        (1, 30_000),
    );
    let task_overlap = optional(
        &defaults["default_overlap_for_new_tasks"],
        "defaults.default_overlap_for_new_tasks",
        (1, 30_000),
    );
    let priority = optional(&body["priority"], "priority", (0, 100)).unwrap_or(0);
    let auto_close = optional(
        &body["auto_close_after_complete_delay_seconds"],
        "auto_close_after_complete_delay_seconds",
        (0, 259_200),
    );
    let days = optional(
        &body["auto_accept_period_day"],
        "auto_accept_period_day",
        (1, 21),
    );
    let infinite = |name: &str| defaults[name] == true;
    let overlap = |given: Option<i64>, name: &str| match given {
        None if infinite(name) => Some(ENDLESS),
        given => given,
    };
    quality::check(&body["quality_control"], &mut problems);
    let (questions, outputs) = read_questions(&project["task_spec"], &mut problems);
    let number = questions
        .iter()
        .find(|q| matches!(q.scale, Scale::Number(_)))
        .map(|q| q.name.clone());
    let mut collectors = quality::collectors(&project["quality_control"]);
    collectors.extend(quality::collectors(&body["quality_control"]));
    for collector in &mut collectors {
        collector.field = collector.field.take().or_else(|| number.clone());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let auto_accept = body["auto_accept_solutions"].as_bool().unwrap_or(true);
    let api = ApiPool {
        inputs: inputs(&project["task_spec"]),
        outputs,
        collectors,
        filter: Some(body["filter"].clone()).filter(Value::is_object),
        auto_close_ms: auto_close.unwrap_or(0) * 1000,
        will_expire,
        auto_accept_ms: (!auto_accept).then(|| days.unwrap_or(21) * 86_400_000),
        task_overlap: overlap(task_overlap, "default_infinite_overlap_for_new_tasks"),
        suite_overlap: overlap(
            suite_overlap,
            "default_infinite_overlap_for_new_task_suites",
        ),
        mixes,
        priority,
    };
    let settings = PoolSettings {
        questions,
        real: real as usize,
        min_real: min_real.unwrap_or(real).max(1) as usize,
        control: golden as usize,
        practice: 0,
        exam: 0,
        exam_limit: None,
        lifetime_ms: seconds * 1000,
        auto_accept,
        rules: Vec::new(),
        reopen: quality::reopens(&project["quality_control"])
            || quality::reopens(&body["quality_control"]),
        target_error: None,
        min_votes: 0,
        api: Some(Box::new(api)),
    };
    let mut words = own_words(body);
    words.remove("project_id");
    for (name, value) in [
        ("may_contain_adult_content", json!(false)),
        ("auto_accept_solutions", json!(true)),
        ("auto_close_after_complete_delay_seconds", json!(0)),
        ("priority", json!(0)),
    ] {
        words.entry(name).or_insert(value);
    }
    quality::name_collectors(&mut words);
    Ok((Value::Object(words), settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn age_project() -> Value {
        json!({
            "public_name": "Ages",
            "task_spec": {
                "input_spec": {"image": {"type": "url", "required": true}, "item": {"type": "string", "required": false, "hidden": true}},
                "output_spec": {
                    "age": {"type": "integer", "min_value": 0, "max_value": 120},
                    "gender": {"type": "string", "allowed_values": ["female", "male"]}
                },
                "view_spec": {"type": "tb", "config": "{\"view\": {\"items\": [{\"type\": \"field.number\", \"label\": \"How old?\", \"data\": {\"type\": \"data.output\", \"path\": \"age\"}}]}}"}
            }
        })
    }

    fn age_pool() -> Value {
        json!({
            "project_id": "1", "private_name": "p", "will_expire": "2035-01-01T00:00:00", "reward_per_assignment": 0.01,
            "assignment_max_duration_seconds": 600, "defaults": {"default_overlap_for_new_task_suites": 1, "default_overlap_for_new_tasks": 3},
            "mixer_config": {"real_tasks_count": 6, "golden_tasks_count": 1, "training_tasks_count": 0, "min_real_tasks_count": 1}
        })
    }

    #[test]
    fn a_pool_asks_what_its_project_says() {
        let project = project(&age_project()).unwrap();
        let (document, settings) = pool(&age_pool(), &project).unwrap();
        assert_eq!(
            (settings.real, settings.control, settings.min_real),
            (6, 1, 1)
        );
        let age = &settings.questions[0];
        assert_eq!(
            (age.name.as_str(), age.prompt.as_str()),
            ("age", "How old?")
        );
        let api = settings.api.unwrap();
        assert_eq!(api.task_overlap, Some(3));
        let hidden: Vec<&str> = api
            .inputs
            .iter()
            .filter(|i| i.kind == InputKind::Hidden)
            .map(|i| i.name.as_str())
            .collect();
        assert_eq!(hidden, ["item"]);
        assert_eq!(document["auto_accept_solutions"], true);
        assert_eq!(document["project_id"], Value::Null);
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let problems = pool(&json!({"mixer_config": {}}), &age_project()).unwrap_err();
        for path in [
            "private_name",
            "will_expire",
            "reward_per_assignment",
            "assignment_max_duration_seconds",
            "mixer_config.real_tasks_count",
            "mixer_config.golden_tasks_count",
        ] {
            assert!(problems.contains_key(path), "{path} is not in {problems:?}");
        }
        let problems = project(&json!({"task_spec": {"output_spec": {}}})).unwrap_err();
        for path in [
            "public_name",
            "task_spec.input_spec",
            "task_spec.output_spec",
            "task_spec.view_spec",
        ] {
            assert!(problems.contains_key(path), "{path} is not in {problems:?}");
        }
    }

    #[test]
    fn a_free_text_is_no_question() {
        let mut body = age_project();
        body["task_spec"]["output_spec"]["comment"] = json!({"type": "string"});
        let problems = project(&body).unwrap_err();
        assert!(
            problems.contains_key("task_spec.output_spec.comment"),
            "{problems:?}"
        );
    }
}
