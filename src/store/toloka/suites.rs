//! Suites put together by hand, and who may work in a pool.

use super::{
    pools::open_all,
    settings::ApiPool,
    tasks::{Batch, BatchTask, OverlapChange, keep_from, write},
};
use crate::store::{
    Kind, StoreError,
    command::Reply,
    db::{Work, sql},
};
use serde_json::{Value, json};
use sqlx::Row;
use std::collections::BTreeSet;

pub(super) async fn add(work: &mut Work<'_>, batch: &Batch, now: i64) -> Result<Reply, StoreError> {
    batch.check_new(work).await?;
    let mut made = Vec::new();
    if !batch.cancelled && !batch.suites.is_empty() {
        let mut tasks: Vec<(i64, i64, i64, &BatchTask)> = Vec::new();
        for suite in &batch.suites {
            // Wanted 0: these are given within their suite and never alone.
            tasks.extend(suite.tasks.iter().map(|task| {
                let kind = if task.kind == Kind::Real { 0 } else { 4 };
                (suite.pool, kind, 0, task)
            }));
        }
        let mut first_task = write(work, &tasks, now).await?;
        let first = work.ids(batch.suites.len());
        let mut rows = Vec::with_capacity(batch.suites.len());
        for (id, suite) in (first..).zip(&batch.suites) {
            let last = first_task + suite.tasks.len() as i64;
            let tasks: Vec<i64> = (first_task..last).collect();
            rows.push(json!({
                "id": id, "pool": suite.pool, "wanted": suite.wanted, "place": -suite.order, "first_task": first_task,
                "tasks": Value::from(tasks).to_string(), "extra": suite.extra.to_string(),
            }));
            keep_from(work, first_task, &suite.unavailable).await?;
            made.push((suite.place, suite.mark.clone(), id));
            first_task = last;
        }
        let columns = [
            ("id", "BIGINT"),
            ("pool", "BIGINT"),
            ("wanted", "BIGINT"),
            ("place", "DOUBLE PRECISION"),
            ("first_task", "BIGINT"),
            ("tasks", "TEXT"),
            ("extra", "TEXT"),
        ];
        let text = format!(
            "INSERT INTO suite (id, pool, wanted, held, accepted, place, first_task, tasks, extra, created) \
             SELECT id, pool, wanted, 0, 0, place, first_task, tasks, extra, $2 FROM ({}) AS new",
            work.dialect.rows(1, &columns)
        );
        work.change(sql(text).bind(Value::Array(rows).to_string()).bind(now))
            .await?;
        let pools: BTreeSet<i64> = batch.suites.iter().map(|suite| suite.pool).collect();
        for pool in &pools {
            work.caches.pools.remove(pool);
        }
        if batch.open {
            open_all(work, &pools.into_iter().collect::<Vec<_>>(), now).await?;
        }
    }
    batch
        .note(
            work,
            &made,
            ["TASK_SUITE_CREATE", "TASK_SUITE_VALIDATE"],
            now,
        )
        .await
}

pub(super) async fn change(
    work: &mut Work<'_>,
    suite: i64,
    overlap: OverlapChange,
    place: Option<f64>,
    extra: Option<&Value>,
) -> Result<Reply, StoreError> {
    let row = work
        .row(sql("SELECT wanted, held, place, extra FROM suite WHERE id = $1").bind(suite))
        .await?
        .ok_or_else(|| StoreError::missing("task suite", suite))?;
    let (wanted, held): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let extra = match extra {
        Some(extra) => extra.to_string(),
        None => row.try_get(3)?,
    };
    work.change(
        sql("UPDATE suite SET wanted = $1, place = $2, extra = $3 WHERE id = $4")
            .bind(overlap.apply(wanted, held))
            .bind(place.unwrap_or(row.try_get(2)?))
            .bind(extra)
            .bind(suite),
    )
    .await?;
    Ok(Reply::Done)
}

/// The suite put together by hand that an annotator gets next: the first in order that has too few votes and that they have
/// not met. Its id and its tasks.
pub(in crate::store) async fn next_by_hand(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
) -> Result<Option<(i64, Vec<i64>)>, StoreError> {
    let row = work
        .row(
            sql("SELECT id, tasks FROM suite WHERE pool = $1 AND held < wanted AND NOT EXISTS \
                 (SELECT 1 FROM met WHERE met.annotator = $2 AND met.task = suite.first_task) ORDER BY place, id LIMIT 1")
            .bind(pool)
            .bind(annotator),
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let tasks: String = row.try_get(1)?;
    Ok(Some((row.try_get(0)?, serde_json::from_str(&tasks)?)))
}

/// Whether the pool's filter lets an annotator in. Skills, year of birth and language are looked at; nothing else is known
/// here, and what is not known is no reason to keep somebody out.
pub(in crate::store) async fn admits(
    work: &mut Work<'_>,
    annotator: i64,
    api: &ApiPool,
) -> Result<bool, StoreError> {
    let Some(filter) = &api.filter else {
        return Ok(true);
    };
    let rows = work
        .rows(sql("SELECT skill, value FROM annotator_skill WHERE annotator = $1").bind(annotator))
        .await?;
    let mut skills = Vec::with_capacity(rows.len());
    for row in rows {
        skills.push((
            row.try_get::<i64, _>(0)?.to_string(),
            row.try_get::<f64, _>(1)?,
        ));
    }
    let profile = work
        .row(sql("SELECT birth_year, language FROM profile WHERE annotator = $1").bind(annotator))
        .await?;
    let (year, language): (Option<i64>, Option<String>) = match profile {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (None, None),
    };
    Ok(fits(filter, &skills, year, language.as_deref()))
}

fn fits(
    filter: &Value,
    skills: &[(String, f64)],
    year: Option<i64>,
    language: Option<&str>,
) -> bool {
    if let Some(all) = filter["and"].as_array() {
        return all.iter().all(|part| fits(part, skills, year, language));
    }
    if let Some(any) = filter["or"].as_array() {
        return any.iter().any(|part| fits(part, skills, year, language));
    }
    let operator = filter["operator"].as_str().unwrap_or_default();
    let wanted = &filter["value"];
    let key = filter["key"].as_str().unwrap_or_default();
    let number = |have: Option<f64>| match (have, super::quality::number(wanted)) {
        (None, None) => operator == "EQ",
        (Some(_), None) => operator == "NE",
        (None, Some(_)) => operator == "NE",
        (Some(have), Some(wanted)) => super::quality::compare(have, operator, wanted),
    };
    match (filter["category"].as_str().unwrap_or_default(), key) {
        ("skill", _) => number(skills.iter().find(|(id, _)| id == key).map(|(_, v)| *v)),
        // Seconds since 1970 at the first day of the year, which is all that is asked for.
        ("profile", "date_of_birth") => match year {
            Some(year) => number(Some((year - 1970) as f64 * 365.2425 * 86_400.0)),
            None => false,
        },
        ("profile", "languages") => match (language, wanted.as_str()) {
            (Some(have), Some(wanted)) => {
                let same = have
                    .split('-')
                    .next()
                    .is_some_and(|have| have.eq_ignore_ascii_case(wanted));
                same != (operator == "NOT_IN" || operator == "NE")
            }
            _ => true,
        },
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_asks_for_skills_age_and_language() {
        let skills = [("7".to_owned(), 80.0)];
        let skill = |operator: &str, value: Value| json!({"and": [{"or": [{"category": "skill", "key": "7", "operator": operator, "value": value}]}]});
        assert!(fits(&skill("GTE", json!(60)), &skills, None, None));
        assert!(!fits(&skill("GT", json!(80)), &skills, None, None));
        assert!(!fits(&skill("GTE", json!(60)), &[], None, None));
        assert!(fits(&skill("EQ", json!(null)), &[], None, None));
        assert!(!fits(&skill("EQ", json!(null)), &skills, None, None));
        let grown = json!({"category": "profile", "key": "date_of_birth", "operator": "LTE", "value": 1_000_000_000});
        assert!(fits(&grown, &[], Some(1990), None) && !fits(&grown, &[], Some(2010), None));
        assert!(
            !fits(&grown, &[], None, None),
            "an age that was not told is no age of majority"
        );
        let english =
            json!({"category": "profile", "key": "languages", "operator": "IN", "value": "EN"});
        assert!(fits(&english, &[], None, Some("en-GB")) && !fits(&english, &[], None, Some("ru")));
    }
}
