//! The quality rules of a pool look at an annotator, in the transaction of what they did; and what follows is done.

use super::{
    assignments, people,
    pools::open_all,
    quality::{
        Action, Collector, CollectorKind, Golden, Reach, Record, SuiteDone, correctness, number,
    },
};
use crate::store::{
    PoolSettings, StoreError, bans,
    command::{Restriction, Scope},
    db::{Work, sql},
    pools::{load, truth_of},
};
use serde_json::{Value, json};
use sqlx::Row;
use std::collections::BTreeMap;
use veche_pools::{Answer, Scale};

/// What has just happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Event {
    /// A suite was submitted.
    Submitted,
    /// A suite was given back.
    Skipped,
    /// A suite was accepted (or rejected), after having been rejected or not.
    Judged(bool, bool),
}

/// Looks at an annotator by the rules of a pool of the API; returns whether they are kept from it from now on.
pub(in crate::store) async fn look_at(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
    event: Event,
    now: i64,
) -> Result<bool, StoreError> {
    let state = load(work, pool).await?;
    let (project, settings) = (state.project, state.settings.clone());
    let Some(api) = &settings.api else {
        return Ok(false);
    };
    let mut banned = false;
    // A rule that asks for more votes after a judgement does so once for each judgement.
    for collector in &api.collectors {
        if (collector.kind == CollectorKind::SkippedInRowAssignments) != (event == Event::Skipped) {
            continue;
        }
        let record = record(work, annotator, pool, project, collector, event).await?;
        for (rule, figures) in collector.triggered(&record) {
            let context = Context {
                annotator,
                pool,
                project,
                settings: &settings,
                now,
            };
            banned |= act(work, &context, &rule.action, &figures).await?;
        }
    }
    Ok(banned)
}

struct Context<'s> {
    annotator: i64,
    pool: i64,
    project: i64,
    settings: &'s PoolSettings,
    now: i64,
}

async fn act(
    work: &mut Work<'_>,
    context: &Context<'_>,
    action: &Action,
    figures: &BTreeMap<&'static str, f64>,
) -> Result<bool, StoreError> {
    let (annotator, pool, now) = (context.annotator, context.pool, context.now);
    match action {
        Action::Restrict { reach, ms, comment } => {
            let scope = match reach {
                Reach::Pool => Scope::Pool(pool),
                Reach::Project => Scope::Project(context.project),
                Reach::AllProjects => Scope::All,
            };
            if people::held(work, annotator, scope, now).await?.is_some()
                || people::forgiven(work, annotator, scope).await?
            {
                return Ok(false);
            }
            let restriction = Restriction {
                annotator,
                scope,
                origin: "rule".into(),
                comment: comment.clone(),
                evidence: Some(json!(figures)),
                until: ms.map(|ms| now.saturating_add(ms)),
                reopen: false,
            };
            bans::restrict(work, &restriction, now).await?;
            bans::reopen_where_asked(work, annotator, scope).await?;
            return Ok(true);
        }
        Action::SetSkill { skill, value } => {
            set_skill(work, annotator, *skill, *value, now).await?;
        }
        Action::SkillFromFigure { skill, figure } => {
            if let Some(value) = figures.get(figure.as_str()) {
                set_skill(work, annotator, *skill, *value, now).await?;
            }
        }
        Action::MoreVotes { delta, open } => {
            more_votes(work, annotator, pool, *delta).await?;
            if *open {
                open_all(work, &[pool], now).await?;
            }
        }
        Action::RejectAll { comment } => {
            for id in waiting(work, annotator, pool).await? {
                assignments::put(work, id, annotator, "rejected", now).await?;
                work.change(
                    sql("UPDATE assignment SET comment = $1 WHERE id = $2")
                        .bind(comment.clone())
                        .bind(id),
                )
                .await?;
            }
        }
        Action::ApproveAll => {
            for id in waiting(work, annotator, pool).await? {
                assignments::put(work, id, annotator, "accepted", now).await?;
            }
        }
    }
    let _ = context.settings;
    Ok(false)
}

/// A rule may name a skill that is gone; the vote must not suffer for it.
async fn set_skill(
    work: &mut Work<'_>,
    annotator: i64,
    skill: i64,
    value: f64,
    now: i64,
) -> Result<(), StoreError> {
    match people::set_skill(work, annotator, skill, value.clamp(0.0, 100.0), now).await {
        Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn waiting(work: &mut Work<'_>, annotator: i64, pool: i64) -> Result<Vec<i64>, StoreError> {
    let rows = work
        .rows(
            sql("SELECT id FROM assignment WHERE annotator = $1 AND pool = $2 AND state = 'submitted' ORDER BY id")
                .bind(annotator)
                .bind(pool),
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Wants more votes on what the annotator did last.
async fn more_votes(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
    delta: i64,
) -> Result<(), StoreError> {
    let row = work
        .row(
            sql("SELECT tasks, suite FROM assignment WHERE annotator = $1 AND pool = $2 AND purpose = 'work' \
                 AND state IN ('submitted', 'accepted', 'rejected') ORDER BY COALESCE(decided, ended) DESC, id DESC LIMIT 1")
            .bind(annotator)
            .bind(pool),
        )
        .await?;
    let Some(row) = row else { return Ok(()) };
    let (tasks, suite): (String, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    let statement = match suite {
        Some(suite) => sql("UPDATE suite SET wanted = wanted + $1 WHERE id = $2")
            .bind(delta)
            .bind(suite),
        None => sql(format!(
            "UPDATE task SET wanted = wanted + $1 WHERE kind = 0 AND id IN {}",
            work.dialect.ids(2)
        ))
        .bind(delta)
        .bind(tasks),
    };
    work.change(statement).await?;
    Ok(())
}

/// What a collector looks at.
async fn record(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
    project: i64,
    collector: &Collector,
    event: Event,
) -> Result<Record, StoreError> {
    let pools = match collector.history {
        Some(_) => sharing(work, project, collector.kind).await?,
        None => vec![pool],
    };
    let mut record = Record {
        assessment: match event {
            Event::Judged(true, false) => Some("ACCEPT"),
            Event::Judged(true, true) => Some("ACCEPT_AFTER_REJECT"),
            Event::Judged(false, _) => Some("REJECT"),
            _ => None,
        },
        ..Record::default()
    };
    let list = Value::from(pools).to_string();
    match collector.kind {
        CollectorKind::GoldenSet => record.golden = golden(work, annotator, &list).await?,
        CollectorKind::SkippedInRowAssignments => {
            let rows = work
                .rows(
                    sql(format!(
                        "SELECT state FROM assignment WHERE annotator = $1 AND purpose = 'work' AND state <> 'active' \
                         AND pool IN {} ORDER BY ended DESC, id DESC LIMIT 100",
                        work.dialect.ids(2)
                    ))
                    .bind(annotator)
                    .bind(list),
                )
                .await?;
            for row in rows {
                if row.try_get::<String, _>(0)? != "skipped" {
                    break;
                }
                record.skipped_in_row += 1;
            }
        }
        _ => {
            let rows = work
                .rows(
                    sql(format!(
                        "SELECT created, ended, state FROM assignment WHERE annotator = $1 AND purpose = 'work' \
                         AND state IN ('submitted', 'accepted', 'rejected') AND pool IN {} ORDER BY ended, id",
                        work.dialect.ids(2)
                    ))
                    .bind(annotator)
                    .bind(list),
                )
                .await?;
            for row in rows {
                let (from, to): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                record.suites.push(SuiteDone {
                    seconds: (to - from) as f64 / 1000.0,
                    state: row.try_get(2)?,
                });
            }
        }
    }
    Ok(record)
}

/// The project's pools that remember the same things.
async fn sharing(
    work: &mut Work<'_>,
    project: i64,
    kind: CollectorKind,
) -> Result<Vec<i64>, StoreError> {
    let rows = work
        .rows(sql("SELECT id FROM pool WHERE project = $1 ORDER BY id").bind(project))
        .await?;
    let mut pools = Vec::new();
    for row in rows {
        let pool: i64 = row.try_get(0)?;
        let settings = load(work, pool).await?.settings.clone();
        let shares = |c: &Collector| c.kind == kind && c.history.is_some();
        if settings
            .api
            .as_ref()
            .is_some_and(|api| api.collectors.iter().any(shares))
        {
            pools.push(pool);
        }
    }
    Ok(pools)
}

async fn golden(
    work: &mut Work<'_>,
    annotator: i64,
    pools: &str,
) -> Result<Vec<Golden>, StoreError> {
    let rows = work
        .rows(
            sql(format!(
                "SELECT answer.output, task.known, task.pool FROM assignment \
                 JOIN answer ON answer.assignment = assignment.id JOIN task ON task.id = answer.task \
                 WHERE assignment.annotator = $1 AND assignment.purpose = 'work' AND assignment.pool IN {} \
                 AND task.known IS NOT NULL AND task.kind IN (1, 4) ORDER BY assignment.ended, assignment.id, answer.place",
                work.dialect.ids(2)
            ))
            .bind(annotator)
            .bind(pools.to_owned()),
        )
        .await?;
    let mut golden = Vec::with_capacity(rows.len());
    for row in rows {
        let (output, known): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let (output, known): (Value, Value) = (
            serde_json::from_str(&output)?,
            serde_json::from_str(&known)?,
        );
        let settings = load(work, row.try_get(2)?).await?.settings.clone();
        let mut errors = BTreeMap::new();
        for (question, truth) in settings
            .questions
            .iter()
            .zip(truth_of(&known, &settings.questions))
        {
            if let (Scale::Number(_), Some(Answer::Number(truth)), Some(given)) =
                (&question.scale, truth, number(&output[&question.name]))
            {
                errors.insert(question.name.clone(), (given - truth).abs());
            }
        }
        golden.push(Golden {
            correct: correctness(&known, &output),
            errors,
        });
    }
    Ok(golden)
}
