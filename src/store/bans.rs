//! Bans: by rule or by hand, for one pool, one project or all; lifted by hand only.

use super::{
    StoreError,
    command::{Reply, Restriction, Scope},
    db::{Work, sql},
    people::person,
    pools, suites,
};
use serde_json::{Value, json};
use sqlx::Row;

/// The restriction that keeps an annotator from a pool now, if any.
pub(super) async fn barred(
    work: &mut Work<'_>,
    annotator: i64,
    project: i64,
    pool: i64,
    now: i64,
) -> Result<Option<i64>, StoreError> {
    let row = work
        .row(
            sql("SELECT id FROM restriction WHERE annotator = $1 AND lifted IS NULL AND (until IS NULL OR until > $2) \
                 AND (scope = 'ALL_PROJECTS' OR (scope = 'PROJECT' AND project = $3) OR (scope = 'POOL' AND pool = $4)) \
                 ORDER BY id LIMIT 1")
            .bind(annotator)
            .bind(now)
            .bind(project)
            .bind(pool),
        )
        .await?;
    Ok(match row {
        Some(row) => Some(row.try_get(0)?),
        None => None,
    })
}

/// Bars an annotator. Their active suite goes back; with `reopen`, accepted votes in the scope are asked of others. The
/// votes stay where they are.
pub(super) async fn restrict(
    work: &mut Work<'_>,
    restriction: &Restriction,
    now: i64,
) -> Result<Reply, StoreError> {
    let who = person(work, restriction.annotator).await?;
    let (scope, project, pool) = match restriction.scope {
        Scope::All => ("ALL_PROJECTS", None, None),
        Scope::Project(id) => ("PROJECT", Some(id), None),
        Scope::Pool(id) => ("POOL", None, Some(id)),
    };
    let id = work.id();
    work.change(
        sql("INSERT INTO restriction (id, annotator, scope, project, pool, origin, comment, evidence, created, until) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(id)
        .bind(who.id)
        .bind(scope.to_owned())
        .bind(project)
        .bind(pool)
        .bind(restriction.origin.clone())
        .bind(restriction.comment.clone())
        .bind(restriction.evidence.as_ref().map(Value::to_string))
        .bind(now)
        .bind(restriction.until),
    )
    .await?;
    if let Some(active) = who.active
        && touches(work, active, restriction.scope).await?
    {
        suites::end(work, active, "closed", now).await?;
    }
    if restriction.reopen {
        reopen(work, who.id, restriction.scope, false).await?;
    }
    work.change(sql("UPDATE annotator SET version = version + 1 WHERE id = $1").bind(who.id))
        .await?;
    let detail =
        json!({ "scope": scope, "origin": restriction.origin, "comment": restriction.comment });
    work.log(now, "banned", Some(who.id), Some(id), &detail);
    Ok(Reply::Id(id))
}

/// Whether an assignment lies within a scope.
async fn touches(work: &mut Work<'_>, assignment: i64, scope: Scope) -> Result<bool, StoreError> {
    let row = work
        .row(
            sql("SELECT pool.id, pool.project FROM assignment JOIN pool ON pool.id = assignment.pool \
                 WHERE assignment.id = $1")
            .bind(assignment),
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    let (pool, project): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(match scope {
        Scope::All => true,
        Scope::Project(id) => id == project,
        Scope::Pool(id) => id == pool,
    })
}

/// The same in those pools of a scope that want it so for every ban, whoever speaks it.
pub(super) async fn reopen_where_asked(
    work: &mut Work<'_>,
    annotator: i64,
    scope: Scope,
) -> Result<(), StoreError> {
    reopen(work, annotator, scope, true).await
}

/// Asks others for the votes of this annotator: they no longer count towards what is wanted.
async fn reopen(
    work: &mut Work<'_>,
    annotator: i64,
    scope: Scope,
    where_asked: bool,
) -> Result<(), StoreError> {
    let rows = work
        .rows(
            sql("SELECT assignment.id, assignment.tasks, pool.id, pool.project, assignment.suite FROM assignment \
                 JOIN pool ON pool.id = assignment.pool WHERE assignment.annotator = $1 \
                 AND assignment.state IN ('submitted', 'accepted') AND assignment.counted = 1 ORDER BY assignment.id")
            .bind(annotator),
        )
        .await?;
    for row in rows {
        let (pool, project): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
        let inside = match scope {
            Scope::All => true,
            Scope::Project(id) => id == project,
            Scope::Pool(id) => id == pool,
        };
        if !inside || (where_asked && !pools::load(work, pool).await?.settings.reopen) {
            continue;
        }
        let (id, tasks): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        work.change(
            sql(format!(
                "UPDATE task SET held = held - 1, accepted = accepted - 1 WHERE kind = 0 AND id IN {}",
                work.dialect.ids(1)
            ))
            .bind(tasks),
        )
        .await?;
        if let Some(suite) = row.try_get::<Option<i64>, _>(4)? {
            work.change(
                sql("UPDATE suite SET held = held - 1, accepted = accepted - 1 WHERE id = $1")
                    .bind(suite),
            )
            .await?;
        }
        work.change(sql("UPDATE assignment SET counted = 0 WHERE id = $1").bind(id))
            .await?;
    }
    Ok(())
}

/// Whether a requester has lifted a ban that a rule had spoken: from then on rules are silent about this annotator there,
/// or the next suite would bring the same ban on the same evidence.
pub(super) async fn forgiven(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
) -> Result<bool, StoreError> {
    let row = work
        .row(
            sql(
                "SELECT id FROM restriction WHERE annotator = $1 AND pool = $2 AND origin = 'rule' \
                 AND lifted IS NOT NULL LIMIT 1",
            )
            .bind(annotator)
            .bind(pool),
        )
        .await?;
    Ok(row.is_some())
}

/// Lifts a ban. Votes that were asked of others meanwhile stay as they are.
pub(super) async fn lift(
    work: &mut Work<'_>,
    restriction: i64,
    now: i64,
) -> Result<Reply, StoreError> {
    let row = work
        .row(sql("SELECT annotator, lifted FROM restriction WHERE id = $1").bind(restriction))
        .await?
        .ok_or_else(|| StoreError::missing("restriction", restriction))?;
    let (annotator, lifted): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    if lifted.is_none() {
        work.change(
            sql("UPDATE restriction SET lifted = $1 WHERE id = $2")
                .bind(now)
                .bind(restriction),
        )
        .await?;
        work.log(
            now,
            "ban lifted",
            Some(annotator),
            Some(restriction),
            &json!({}),
        );
    }
    Ok(Reply::Done)
}
