//! Projects, pools and tasks: what may be given out.

use super::{
    Dialect, StoreError,
    cache::PoolState,
    command::Reply,
    db::{Work, sql},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::Row;
use std::{collections::BTreeMap, sync::Arc};
use veche_pools::{
    Answer, Question,
    assignment::choose::ControlUse,
    banning::{Context, Rule},
};

/// How a pool's tasks are given out and judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolSettings {
    /// What is asked about every task.
    pub questions: Vec<Question>,
    /// Real tasks per suite.
    pub real: usize,
    /// A suite may be as short as this at the end of a pool.
    pub min_real: usize,
    /// Controls per suite.
    pub control: usize,
    /// Practice tasks with feedback before the first suite.
    #[serde(default)]
    pub practice: usize,
    /// Controls in the exam before work begins; 0 for none.
    #[serde(default)]
    pub exam: usize,
    /// Who has a larger mean |error| in the exam on the first number question (or, without one, a smaller share right on the
    /// first choice question) does not get to work.
    #[serde(default)]
    pub exam_limit: Option<f64>,
    /// Time for a suite, in milliseconds.
    pub lifetime_ms: i64,
    /// Submitted suites are accepted at once.
    pub auto_accept: bool,
    /// Whose votes stop counting.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Votes of a banned annotator are asked of others.
    #[serde(default)]
    pub reopen: bool,
    /// Stop asking about an item when the standard error of its mean is below this, in the unit of the first number
    /// question.
    #[serde(default)]
    pub target_error: Option<f64>,
    /// Votes before that may happen.
    #[serde(default)]
    pub min_votes: i64,
    /// What a requester's program said of it; empty for the campaign's own pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<Box<super::toloka::ApiPool>>,
}

/// What a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Its answer is wanted.
    Real,
    /// Its answer is known, and hidden.
    Control,
    /// Its answer is known, and shown after the annotator's.
    Practice,
}

impl Kind {
    pub(super) fn code(self) -> i64 {
        match self {
            Self::Real => 0,
            Self::Control => 1,
            Self::Practice => 2,
        }
    }
}

/// A task to be added to a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Unique within its pool; says nothing about the role.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Votes wanted; ignored for controls and practice.
    pub wanted: i64,
    /// Stratum of a control, from 0.
    pub stratum: u32,
    /// What is shown.
    pub content: Value,
    /// Known answers: `[{"output_values": {…}, "correctness_weight": 1}, …]`.
    pub known: Option<Value>,
}

/// The answer that a list of known solutions stands for: per question the one of greatest weight.
pub fn truth_of(known: &Value, questions: &[Question]) -> Vec<Option<Answer>> {
    let weight = |solution: &Value| {
        solution["correctness_weight"]
            .as_f64()
            .or_else(|| solution["correctness_weight"].as_str()?.parse().ok())
            .unwrap_or(1.0)
    };
    let mut best: Option<&Value> = None;
    for solution in known.as_array().into_iter().flatten() {
        if best.is_none_or(|b| weight(solution) > weight(b)) {
            best = Some(solution);
        }
    }
    questions
        .iter()
        .map(|question| {
            let value = best?.get("output_values")?.get(&question.name)?;
            match question.read(&text_of(value)) {
                Ok(Answer::Unsure) | Err(_) => None,
                Ok(answer) => Some(answer),
            }
        })
        .collect()
}

/// A JSON value as the text a question reads.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub(super) async fn create_project(
    work: &mut Work<'_>,
    document: &Value,
    now: i64,
) -> Result<Reply, StoreError> {
    let id = work.id();
    work.change(
        sql("INSERT INTO project (id, status, created, document) VALUES ($1, 'ACTIVE', $2, $3)")
            .bind(id)
            .bind(now)
            .bind(document.to_string()),
    )
    .await?;
    work.log(now, "project created", None, Some(id), &json!({}));
    Ok(Reply::Id(id))
}

pub(super) async fn create_pool(
    work: &mut Work<'_>,
    project: i64,
    status: &str,
    settings: &PoolSettings,
    document: &Value,
    now: i64,
) -> Result<Reply, StoreError> {
    let found = work
        .row(sql("SELECT id FROM project WHERE id = $1").bind(project))
        .await?;
    if found.is_none() {
        return Err(StoreError::missing("project", project));
    }
    let id = work.id();
    work.change(
        sql("INSERT INTO pool (id, project, status, created, settings, document) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(id)
            .bind(project)
            .bind(status.to_owned())
            .bind(now)
            .bind(serde_json::to_string(settings)?)
            .bind(document.to_string()),
    )
    .await?;
    work.log(
        now,
        "pool created",
        None,
        Some(id),
        &json!({ "project": project }),
    );
    Ok(Reply::Id(id))
}

pub(super) async fn change_pool(
    work: &mut Work<'_>,
    pool: i64,
    status: Option<&str>,
    settings: Option<&PoolSettings>,
    document: Option<&Value>,
    now: i64,
) -> Result<Reply, StoreError> {
    let row = work
        .row(sql("SELECT status, settings, document FROM pool WHERE id = $1").bind(pool))
        .await?
        .ok_or_else(|| StoreError::missing("pool", pool))?;
    let old: String = row.try_get(0)?;
    let settings = match settings {
        Some(settings) => serde_json::to_string(settings)?,
        None => row.try_get(1)?,
    };
    let document = match document {
        Some(document) => document.to_string(),
        None => row.try_get(2)?,
    };
    let status = status.unwrap_or(&old);
    work.change(
        sql("UPDATE pool SET status = $1, settings = $2, document = $3 WHERE id = $4")
            .bind(status.to_owned())
            .bind(settings)
            .bind(document)
            .bind(pool),
    )
    .await?;
    if status != old {
        work.log(
            now,
            "pool status",
            None,
            Some(pool),
            &json!({ "from": old, "to": status }),
        );
    }
    work.caches.pools.remove(&pool);
    Ok(Reply::Done)
}

/// The campaign's own project and pool: made by the first server that asks, brought up to date by later ones. Returns the
/// pool.
pub(super) async fn campaign(
    work: &mut Work<'_>,
    settings: &PoolSettings,
    document: &Value,
    now: i64,
) -> Result<Reply, StoreError> {
    let kept = work
        .row(sql("SELECT value FROM setting WHERE name = 'campaign'"))
        .await?;
    if let Some(row) = kept {
        let text: String = row.try_get(0)?;
        let pool = text.parse().map_err(|_| {
            StoreError::Database(format!("the setting campaign is no pool: {text}"))
        })?;
        change_pool(work, pool, None, Some(settings), Some(document), now).await?;
        return Ok(Reply::Id(pool));
    }
    let id = |reply| match reply {
        Reply::Id(id) => Ok(id),
        _ => Err(StoreError::missing("project", "just made")),
    };
    let project = id(create_project(work, document, now).await?)?;
    let pool = id(create_pool(work, project, "CLOSED", settings, document, now).await?)?;
    work.change(
        sql("INSERT INTO setting (name, value) VALUES ('campaign', $1)").bind(pool.to_string()),
    )
    .await?;
    Ok(Reply::Id(pool))
}

/// Wants no more votes on tasks of these names; what is in annotators' hands may still come back. Controls are no longer
/// used.
pub(super) async fn retire(
    work: &mut Work<'_>,
    pool: i64,
    names: &[String],
    now: i64,
) -> Result<Reply, StoreError> {
    let list = match work.dialect {
        Dialect::Sqlite => "SELECT value FROM json_each($2)",
        Dialect::Postgres => "SELECT value FROM json_array_elements_text(CAST($2 AS json))",
    };
    let n = work
        .change(
            sql(format!("UPDATE task SET wanted = held, kind = CASE WHEN kind = 0 THEN 0 ELSE 3 END WHERE pool = $1 AND name IN ({list})"))
                .bind(pool)
                .bind(Value::from(names.to_vec()).to_string()),
        )
        .await?;
    work.log(
        now,
        "tasks retired",
        None,
        Some(pool),
        &json!({ "tasks": n }),
    );
    work.caches.pools.remove(&pool);
    Ok(Reply::Count(n))
}

/// Adds tasks; names must be new in their pool, or the whole addition is refused.
pub(super) async fn add_tasks(
    work: &mut Work<'_>,
    pool: i64,
    tasks: &[NewTask],
    now: i64,
) -> Result<Reply, StoreError> {
    use rand::Rng;
    let names = Value::from(tasks.iter().map(|t| t.name.as_str()).collect::<Vec<_>>());
    let list = match work.dialect {
        Dialect::Sqlite => "SELECT value FROM json_each($2)",
        Dialect::Postgres => "SELECT value FROM json_array_elements_text(CAST($2 AS json))",
    };
    let taken = work
        .row(
            sql(format!(
                "SELECT name FROM task WHERE pool = $1 AND name IN ({list}) LIMIT 1"
            ))
            .bind(pool)
            .bind(names.to_string()),
        )
        .await?;
    if let Some(row) = taken {
        let name: String = row.try_get(0)?;
        return Err(StoreError::conflict(
            "TASK_EXISTS",
            format!("the pool already has a task {name}"),
        ));
    }
    let first = work.ids(tasks.len());
    let rows: Vec<Value> = tasks
        .iter()
        .enumerate()
        .map(|(i, task)| {
            json!({
                "id": first + i as i64,
                "name": task.name,
                "kind": task.kind.code(),
                "wanted": if task.kind == Kind::Real { task.wanted } else { 0 },
                // Positive, so that comparisons read the same everywhere.
                "place": (work.rng.next_u64() >> 1) as i64,
                "stratum": task.stratum,
                "content": task.content.to_string(),
                "known": task.known.as_ref().map(Value::to_string),
            })
        })
        .collect();
    let columns = [
        ("id", "BIGINT"),
        ("name", "TEXT"),
        ("kind", "BIGINT"),
        ("wanted", "BIGINT"),
        ("place", "BIGINT"),
        ("stratum", "BIGINT"),
        ("content", "TEXT"),
        ("known", "TEXT"),
    ];
    let text = format!(
        "INSERT INTO task (id, pool, name, kind, wanted, held, accepted, place, stratum, content, known, created) \
         SELECT id, $2, name, kind, wanted, 0, 0, place, stratum, content, known, $3 FROM ({}) AS new",
        work.dialect.rows(1, &columns)
    );
    work.change(
        sql(text)
            .bind(Value::Array(rows).to_string())
            .bind(pool)
            .bind(now),
    )
    .await?;
    work.caches.pools.remove(&pool);
    Ok(Reply::Id(first))
}

/// The pool as decisions need it, remembered or read.
pub(super) async fn load<'w>(
    work: &'w mut Work<'_>,
    pool: i64,
) -> Result<&'w mut PoolState, StoreError> {
    if !work.caches.pools.contains_key(&pool) {
        let state = read(work, pool).await?;
        work.caches.pools.insert(pool, state);
    }
    work.caches
        .pools
        .get_mut(&pool)
        .ok_or_else(|| StoreError::missing("pool", pool))
}

async fn read(work: &mut Work<'_>, pool: i64) -> Result<PoolState, StoreError> {
    let row = work
        .row(sql("SELECT project, status, settings FROM pool WHERE id = $1").bind(pool))
        .await?
        .ok_or_else(|| StoreError::missing("pool", pool))?;
    let settings: PoolSettings = serde_json::from_str(row.try_get(2)?)?;
    let rows = work
        .rows(
            sql("SELECT id, stratum, held, known, content, kind FROM task WHERE pool = $1 AND kind IN (1, 4) ORDER BY id")
                .bind(pool),
        )
        .await?;
    let (mut controls, mut control_ids) = (Vec::new(), Vec::new());
    let (mut truths, mut contents) = (BTreeMap::new(), BTreeMap::new());
    for control in &rows {
        let id: i64 = control.try_get(0)?;
        let (stratum, uses): (i64, i64) = (control.try_get(1)?, control.try_get(2)?);
        // Controls of suites put together by hand are judged, and never given anywhere else.
        if control.try_get::<i64, _>(5)? == Kind::Control.code() {
            controls.push(ControlUse {
                control: control_ids.len() as u32,
                stratum: stratum as u32,
                uses: uses as u32,
                seen: 0,
            });
            control_ids.push(id);
            let content: String = control.try_get(4)?;
            contents.insert(id, serde_json::from_str(&content)?);
        }
        let known: Option<String> = control.try_get(3)?;
        if let Some(known) = known {
            truths.insert(
                id,
                truth_of(&serde_json::from_str(&known)?, &settings.questions),
            );
        }
    }
    Ok(PoolState {
        project: row.try_get(0)?,
        status: row.try_get(1)?,
        context: Arc::new(Context::new(settings.questions.clone())),
        settings: Arc::new(settings),
        controls,
        control_ids,
        contents: Arc::new(contents),
        truths: Arc::new(truths),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use veche_pools::{NumberScale, Scale};

    #[test]
    fn the_truth_of_weighted_solutions_is_the_heaviest() {
        let questions = vec![Question {
            name: "age".into(),
            prompt: "?".into(),
            scale: Scale::Number(NumberScale {
                min: 0.0,
                max: 120.0,
                unit: "years".into(),
                integer: true,
            }),
        }];
        let known = json!([
            {"output_values": {"age": 33}, "correctness_weight": 0.95},
            {"output_values": {"age": "34"}, "correctness_weight": 1},
            {"output_values": {"age": 35}, "correctness_weight": 0.95},
        ]);
        assert_eq!(truth_of(&known, &questions), [Some(Answer::Number(34.0))]);
        assert_eq!(truth_of(&json!([]), &questions), [None]);
        let outside = json!([{"output_values": {"age": 300}}]);
        assert_eq!(truth_of(&outside, &questions), [None]);
    }
}
