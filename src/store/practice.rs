//! Practice: tasks whose known answer is shown after the annotator's own. They are never controls.

use super::{
    FieldProblem, StoreError,
    answers::read_output,
    command::Reply,
    db::{Work, sql},
    people::{person, set_stage},
    pools::{self, PoolSettings},
    suites::opaque_name,
};
use serde_json::{Value, json};
use sqlx::Row;
use std::collections::BTreeMap;

/// The annotator's practice in a pool: its assignment, tasks and how many are answered. Begun if it was not yet.
async fn practice(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
    now: i64,
) -> Result<(i64, String, Vec<i64>, usize), StoreError> {
    let begun = work
        .row(
            sql("SELECT id, name, tasks FROM assignment WHERE annotator = $1 AND pool = $2 AND purpose = 'practice'")
                .bind(annotator)
                .bind(pool),
        )
        .await?;
    if let Some(row) = begun {
        let (id, tasks): (i64, String) = (row.try_get(0)?, row.try_get(2)?);
        let answered = work
            .row(sql("SELECT COUNT(*) FROM answer WHERE assignment = $1").bind(id))
            .await?;
        let answered: i64 = answered.map_or(Ok(0), |row| row.try_get(0))?;
        return Ok((
            id,
            row.try_get(1)?,
            serde_json::from_str(&tasks)?,
            answered as usize,
        ));
    }
    let settings = pools::load(work, pool).await?.settings.clone();
    let rows = work
        .rows(
            sql("SELECT id FROM task WHERE pool = $1 AND kind = 2 ORDER BY place LIMIT $2")
                .bind(pool)
                .bind(settings.practice as i64),
        )
        .await?;
    let mut tasks: Vec<i64> = Vec::with_capacity(rows.len());
    for row in rows {
        tasks.push(row.try_get(0)?);
    }
    let (id, name) = (work.id(), opaque_name(pool, work.rng));
    work.change(
        sql("INSERT INTO assignment (id, name, annotator, pool, purpose, state, created, expires, tasks, counted) \
             VALUES ($1, $2, $3, $4, 'practice', 'practice', $5, $6, $7, 0)")
        .bind(id)
        .bind(name.clone())
        .bind(annotator)
        .bind(pool)
        .bind(now)
        .bind(i64::MAX)
        .bind(Value::from(tasks.clone()).to_string()),
    )
    .await?;
    Ok((id, name, tasks, 0))
}

/// The stage that follows practice.
pub(super) fn after_practice(settings: &PoolSettings) -> &'static str {
    if settings.exam > 0 { "exam" } else { "work" }
}

/// The next practice task; none when all are answered, and then the annotator has moved on.
pub(super) async fn next(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
    now: i64,
) -> Result<Reply, StoreError> {
    let who = person(work, annotator).await?;
    if who.stage != "practice" {
        return Err(StoreError::conflict(
            "INAPPROPRIATE_STATUS",
            format!("this annotator's stage is {}", who.stage),
        ));
    }
    let (_, name, tasks, answered) = practice(work, annotator, pool, now).await?;
    let Some(&task) = tasks.get(answered) else {
        let settings = pools::load(work, pool).await?.settings.clone();
        set_stage(work, annotator, after_practice(&settings), now).await?;
        return Ok(Reply::Practice(None));
    };
    let row = work
        .row(sql("SELECT content FROM task WHERE id = $1").bind(task))
        .await?
        .ok_or_else(|| StoreError::missing("task", task))?;
    let content: String = row.try_get(0)?;
    let shown = serde_json::from_str(&content)?;
    Ok(Reply::Practice(Some((name, answered, tasks.len(), shown))))
}

/// Stores the answer to a practice task and tells the known one. The same answer again is answered as before.
pub(super) async fn answer(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
    number: usize,
    output: &Value,
    now: i64,
) -> Result<Reply, StoreError> {
    let (id, _, tasks, answered) = practice(work, annotator, pool, now).await?;
    let place = number.wrapping_sub(1);
    let (Some(&task), true) = (tasks.get(place), place <= answered) else {
        let problem = FieldProblem::new(
            "VALUE_NOT_ALLOWED",
            "this is not the practice task that is due",
        );
        return Err(StoreError::Invalid(BTreeMap::from([(
            "number".to_owned(),
            problem,
        )])));
    };
    let settings = pools::load(work, pool).await?.settings.clone();
    let mut problems = BTreeMap::new();
    let stored = read_output(&settings.questions, output, false, "output", &mut problems);
    if !problems.is_empty() {
        return Err(StoreError::Invalid(problems));
    }
    if place == answered {
        work.change(
            sql("INSERT INTO answer (assignment, place, task, annotator, output, edits) VALUES ($1, $2, $3, $4, $5, 0)")
                .bind(id)
                .bind(place as i64)
                .bind(task)
                .bind(annotator)
                .bind(stored.to_string()),
        )
        .await?;
        work.log(
            now,
            "practised",
            Some(annotator),
            Some(id),
            &json!({ "number": number }),
        );
    }
    let row = work
        .row(sql("SELECT known FROM task WHERE id = $1").bind(task))
        .await?
        .ok_or_else(|| StoreError::missing("task", task))?;
    let known: Option<String> = row.try_get(0)?;
    let known: Value = known.map_or(Ok(Value::Null), |k| serde_json::from_str(&k))?;
    Ok(Reply::Value(known[0]["output_values"].clone()))
}
