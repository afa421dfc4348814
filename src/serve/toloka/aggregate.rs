//! Labels of a pool's tasks by our own methods, as an operation that takes its time.
//!
//! Numbers by the method a campaign would use (`exp-mae` where there are controls, else the median), choices by
//! `control-accuracy` or the majority, or by Dawid and Skene where that is asked for. The confidence of a number is 1 − the
//! width of its 90 % interval over the width of its scale.

use super::{
    Answer, Key, Name,
    body::Body,
    now_ms, ok, operated, operation,
    query::{Params, answer},
    refusal::{Problems, Refusal},
    tasks::{find, pool_param},
    values::refuse,
};
use crate::{
    labels::Method,
    serve::state::App,
    store::{
        PoolRow, StoreError,
        toloka::{
            ApiPool, Change, Outcome, ids,
            read::{Bound, Search, cell},
        },
        truth_of,
    },
};
use axum::extract::State;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use veche_analysis::{Table, aggregation::NumberSettings};
use veche_pools::{Answer as Vote, Question, Scale};

/// What is asked for.
#[derive(Debug, Clone)]
struct Request {
    pool: PoolRow,
    /// Indices of questions.
    questions: Vec<usize>,
    dawid_skene: bool,
}

async fn read(app: &App, body: &Value) -> Result<Request, Refusal> {
    let mut problems = Problems::new();
    let pairs = vec![(
        "pool_id".to_owned(),
        super::people::text_of(&body["pool_id"]),
    )];
    let Some(pool) = pool_param(&Params(pairs))? else {
        return Err(Refusal::field(
            "pool_id",
            "VALUE_REQUIRED",
            "of which pool?",
        ));
    };
    let pool = app.store.pool(pool).await?;
    let mut questions = Vec::new();
    for (i, field) in body["fields"].as_array().into_iter().flatten().enumerate() {
        let name = field["name"].as_str().unwrap_or_default();
        match pool.settings.questions.iter().position(|q| q.name == name) {
            Some(at) => questions.push(at),
            None => {
                let why = format!("the pool asks nothing of the name {name}");
                refuse(
                    &mut problems,
                    &format!("fields.{i}.name"),
                    "ENTITY_DOES_NOT_EXIST",
                    why,
                );
            }
        }
    }
    if questions.is_empty() && problems.is_empty() {
        refuse(
            &mut problems,
            "fields",
            "VALUES_REQUIRED",
            "at least one field",
        );
    }
    let dawid_skene = match body["type"].as_str() {
        Some("DAWID_SKENE") => true,
        Some("WEIGHTED_DYNAMIC_OVERLAP") => false,
        _ => {
            let why = "WEIGHTED_DYNAMIC_OVERLAP or DAWID_SKENE";
            refuse(&mut problems, "type", "UNKNOWN_ENUM_VALUE", why);
            false
        }
    };
    if dawid_skene && questions.len() > 1 {
        let why = "DAWID_SKENE takes one field";
        refuse(&mut problems, "fields", "ARRAY_SIZE_GREATER_THAN_MAX", why);
    }
    if problems.is_empty() {
        Ok(Request {
            pool,
            questions,
            dawid_skene,
        })
    } else {
        Err(Refusal::invalid(&problems))
    }
}

/// Confidence and output by task.
type Solutions = Vec<(i64, f64, Value)>;

async fn solve(app: &App, request: &Request) -> Result<(Solutions, usize), StoreError> {
    let pool = &request.pool;
    let mut answers = app.store.accepted_answers(pool.id).await?;
    // Whoever is shut out is not listened to.
    let mut barred = BTreeSet::new();
    for ban in app.store.restrictions(now_ms()).await? {
        let inside = match ban.scope.as_str() {
            "PROJECT" => ban.project == Some(pool.project),
            "POOL" => ban.pool == Some(pool.id),
            _ => true,
        };
        if inside && let Some(id) = app.store.annotator_by_name(&ban.annotator).await? {
            barred.insert(id);
        }
    }
    let before = answers.len();
    answers.retain(|(_, annotator, _)| !barred.contains(annotator));
    let left_out = before - answers.len();
    let tasks = app
        .store
        .tasks(&Search {
            conditions: vec![("pool =".into(), Bound::Number(pool.id))],
            also: vec!["known IS NOT NULL".into()],
            order: vec![("id".into(), false)],
            limit: i64::from(i32::MAX),
        })
        .await?;
    let known: BTreeMap<i64, Value> = tasks
        .into_iter()
        .filter_map(|task| Some((task.id, task.known?)))
        .collect();
    let request = request.clone();
    let solved = tokio::task::spawn_blocking(move || compute(&request, &answers, &known));
    match solved.await {
        Ok(Ok(solutions)) => Ok((solutions, left_out)),
        Ok(Err(reason)) => Err(StoreError::conflict("OPERATION_EXECUTION_ERROR", reason)),
        Err(error) => Err(StoreError::Database(error.to_string())),
    }
}

fn compute(
    request: &Request,
    answers: &[(i64, i64, Value)],
    known: &BTreeMap<i64, Value>,
) -> Result<Solutions, String> {
    let items: BTreeSet<i64> = answers.iter().map(|(task, ..)| *task).collect();
    let annotators: BTreeSet<i64> = answers.iter().map(|(_, who, _)| *who).collect();
    let (items, annotators) = (Vec::from_iter(items), Vec::from_iter(annotators));
    let index = |all: &[i64], id: i64| all.binary_search(&id).unwrap_or(0) as u32;
    let questions = &request.pool.settings.questions;
    let truths: Vec<Vec<Option<Vote>>> = items
        .iter()
        .map(|task| match known.get(task) {
            Some(known) => truth_of(known, questions),
            None => vec![None; questions.len()],
        })
        .collect();
    let mut found: Vec<Option<(f64, Map<String, Value>)>> =
        vec![Some((1.0, Map::new())); items.len()];
    for &q in &request.questions {
        let question = &questions[q];
        // Who has seen all controls meets one again: only the first answer is an independent vote.
        let mut seen = BTreeSet::new();
        let votes: Vec<(u32, u32, Vote)> = answers
            .iter()
            .filter(|(task, who, _)| seen.insert((*task, *who)))
            .filter_map(|(task, who, output)| {
                let vote = question
                    .read(&super::people::text_of(&output[&question.name]))
                    .ok()?;
                Some((index(&items, *task), index(&annotators, *who), vote))
            })
            .collect();
        let truth: Vec<Option<Vote>> = truths.iter().map(|t| t[q]).collect();
        let solved = one(
            question,
            &votes,
            &truth,
            items.len(),
            annotators.len(),
            request.dawid_skene,
        )?;
        for (place, solved) in found.iter_mut().zip(solved) {
            *place = match (place.take(), solved) {
                (Some((confidence, mut output)), Some((own, value))) => {
                    output.insert(question.name.clone(), value);
                    Some((confidence.min(own), output))
                }
                _ => None,
            };
        }
    }
    let api = request.pool.settings.api.as_deref();
    let output = |output: Map<String, Value>| match api {
        Some(api) => ApiPool::output(api, &Value::Object(output)),
        None => Value::Object(output),
    };
    Ok(items
        .into_iter()
        .zip(found)
        // Controls are known: what is wanted are the others.
        .filter(|(task, _)| !known.contains_key(task))
        .filter_map(|(task, found)| {
            let (confidence, values) = found?;
            Some((task, confidence, output(values)))
        })
        .collect())
}

/// One question's confidence and answer by item.
fn one(
    question: &Question,
    votes: &[(u32, u32, Vote)],
    truth: &[Option<Vote>],
    n_items: usize,
    n_annotators: usize,
    dawid_skene: bool,
) -> Result<Vec<Option<(f64, Value)>>, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let controls = truth.iter().any(Option::is_some);
    let numbers = matches!(question.scale, Scale::Number(_));
    let name = (dawid_skene && !numbers).then_some("dawid-skene");
    let method =
        Method::named(numbers, controls, name, NumberSettings::default()).map_err(|e| text(&e))?;
    match (method, &question.scale) {
        (Method::Number(method, settings), Scale::Number(scale)) => {
            let rows: Vec<(u32, u32, f64)> = votes
                .iter()
                .filter_map(|(item, who, vote)| Some((*item, *who, vote.number()?)))
                .collect();
            let table = Table::of_rows(n_items, n_annotators, &rows).map_err(|e| text(&e))?;
            let truth: Vec<Option<f64>> = truth.iter().map(|t| t.and_then(Vote::number)).collect();
            let result = method
                .estimate(&table, &truth, &settings)
                .map_err(|e| text(&e))?;
            let width = scale.max - scale.min;
            Ok(result
                .estimates
                .into_iter()
                .map(|estimate| {
                    let estimate = estimate?;
                    let value = estimate.value.clamp(scale.min, scale.max);
                    let confidence = match (estimate.low, estimate.high) {
                        (Some(low), Some(high)) => 1.0 - ((high - low) / width).clamp(0.0, 1.0),
                        _ => 0.0,
                    };
                    let value = if scale.integer {
                        json!(value.round() as i64)
                    } else {
                        json!(value)
                    };
                    Some((confidence, value))
                })
                .collect())
        }
        (Method::Choice(method, settings), Scale::Choice(scale)) => {
            let rows: Vec<(u32, u32, u32)> = votes
                .iter()
                .filter_map(|(item, who, vote)| Some((*item, *who, vote.choice()?)))
                .collect();
            let table = Table::of_rows(n_items, n_annotators, &rows).map_err(|e| text(&e))?;
            let truth: Vec<Option<u32>> = truth.iter().map(|t| t.and_then(Vote::choice)).collect();
            let n = scale.labels.len() as u32;
            let result = method
                .estimate(&table, &truth, n, &settings)
                .map_err(|e| text(&e))?;
            Ok(result
                .estimates
                .into_iter()
                .map(|estimate| {
                    let estimate = estimate?;
                    let label = scale.labels.get(estimate.label as usize)?;
                    Some((estimate.confidence, json!(label)))
                })
                .collect())
        }
        _ => Err(format!("no method for {}", cell(&json!(question.name)))),
    }
}

pub(super) async fn by_pool(State(app): State<Arc<App>>, _: Key, Body(body): Body) -> Answer {
    let request = read(&app, &body).await?;
    let operation = operation(
        "SOLUTION.AGGREGATE",
        json!({ "pool_id": request.pool.id.to_string() }),
    )?;
    let id = operation.id.clone();
    let reply = app.change(Change::Begin(operation)).await?;
    let working = app.clone();
    tokio::spawn(async move {
        let outcome = match solve(&working, &request).await {
            Ok((solutions, left_out)) => Outcome {
                success: true,
                details: json!({ "tasks": solutions.len(), "answers_of_restricted_users_left_out": left_out }),
                aggregates: Arc::new(solutions),
            },
            Err(error) => Outcome {
                success: false,
                details: json!({ "message": error.to_string() }),
                aggregates: Arc::default(),
            },
        };
        let operation = id;
        if let Err(error) = working.change(Change::Finish { operation, outcome }).await {
            tracing::error!(%error, "an aggregation could not be kept");
        }
    });
    Ok(operated(reply))
}

fn solution(pool: i64, (task, confidence, output): &(i64, f64, Value)) -> Value {
    json!({
        "pool_id": pool.to_string(), "task_id": ids::name(pool, *task), "confidence": confidence, "output_values": output,
    })
}

pub(super) async fn by_task(State(app): State<Arc<App>>, _: Key, Body(body): Body) -> Answer {
    let task = find(&app, &super::people::text_of(&body["task_id"])).await?;
    let mut body = body;
    body["pool_id"] = json!(task.pool.to_string());
    if body["type"].is_null() {
        body["type"] = json!("WEIGHTED_DYNAMIC_OVERLAP");
    }
    let request = read(&app, &body).await?;
    let (solutions, _) = solve(&app, &request).await?;
    let found = solutions.iter().find(|(id, ..)| *id == task.id);
    let found = found.ok_or_else(|| {
        StoreError::missing("accepted answer to task", ids::name(task.pool, task.id))
    })?;
    Ok(ok(solution(task.pool, found)))
}

pub(super) async fn solutions(
    State(app): State<Arc<App>>,
    _: Key,
    Name(id): Name,
    params: Params,
) -> Answer {
    let id = id.to_ascii_lowercase();
    let operation = app.store.operation(&id).await?;
    if operation["type"] != "SOLUTION.AGGREGATE" {
        return Err(Refusal::conflict(
            "INVALID_OPERATION_TYPE",
            "this operation aggregated nothing",
        ));
    }
    let pool: i64 = cell(&operation["parameters"]["pool_id"])
        .parse()
        .unwrap_or(0);
    let limit = params.limit()?;
    let mut from = 0;
    let mut until = i64::MAX;
    for (name, value) in &params.0 {
        let Some(("task_id", operator)) = Params::bound(name) else {
            continue;
        };
        let Some((_, task)) = ids::read(value) else {
            return Err(Refusal::field(
                name,
                "INVALID_VALUE",
                "this is no task's id",
            ));
        };
        match operator {
            ">" => from = from.max(task),
            ">=" => from = from.max(task - 1),
            "<" => until = until.min(task - 1),
            _ => until = until.min(task),
        }
    }
    let rows = app.store.aggregates(&id, from, limit as i64 + 1).await?;
    let rows = rows.iter().filter(|(task, ..)| *task <= until);
    Ok(answer(rows.map(|row| solution(pool, row)).collect(), limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use veche_pools::NumberScale;

    fn request() -> Request {
        let age = Question {
            name: "age".into(),
            prompt: "?".into(),
            scale: Scale::Number(NumberScale {
                min: 0.0,
                max: 120.0,
                unit: String::new(),
                integer: true,
            }),
        };
        let sex = Question {
            name: "sex".into(),
            prompt: "?".into(),
            scale: Scale::Choice(veche_pools::ChoiceScale {
                labels: vec!["female".into(), "male".into()],
            }),
        };
        let settings: crate::store::PoolSettings = serde_json::from_value(json!({
            "questions": [age, sex], "real": 6, "min_real": 1, "control": 1, "lifetime_ms": 1, "auto_accept": true,
        }))
        .unwrap();
        Request {
            pool: PoolRow {
                id: 1,
                project: 1,
                status: "OPEN".into(),
                created: 0,
                settings,
                document: Value::Null,
            },
            questions: vec![0, 1],
            dawid_skene: false,
        }
    }

    /// Three annotators; the third is 40 years off on the control, so its weight exp(−MAE) is nothing.
    #[test]
    fn an_annotator_who_is_far_off_on_controls_is_hardly_heard() {
        let vote = |task: i64, who: i64, age: i64, sex: &str| {
            (task, who, json!({ "age": age, "sex": sex }))
        };
        let answers = [
            vote(1, 1, 30, "male"),
            vote(1, 2, 31, "male"),
            vote(1, 3, 70, "female"),
            vote(2, 1, 50, "female"),
            vote(2, 2, 52, "female"),
            vote(2, 3, 10, "male"),
            // A second answer to the same task does not count.
            vote(2, 1, 0, "male"),
        ];
        let known = BTreeMap::from([(1, json!([{"output_values": {"age": 30, "sex": "male"}}]))]);
        let solved = compute(&request(), &answers, &known).unwrap();
        assert_eq!(solved.len(), 1, "controls are left out");
        let (task, confidence, output) = &solved[0];
        assert_eq!(*task, 2);
        let age = output["age"].as_i64().unwrap();
        assert!((50..=52).contains(&age), "{output}");
        assert_eq!(output["sex"], "female");
        assert!((0.0..=1.0).contains(confidence));
    }
}
