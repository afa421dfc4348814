//! Restrictions and skills of annotators, as requesters' programs set them.

use crate::store::{
    StoreError,
    bans::{self, reopen_where_asked},
    command::{Reply, Restriction, Scope},
    db::{Work, sql},
};
use serde_json::{Value, json};
use sqlx::Row;

/// A restriction to be set: one for each annotator and scope.
#[derive(Debug, Clone, PartialEq)]
pub struct Restricting {
    /// Who.
    pub annotator: i64,
    /// Where.
    pub scope: Scope,
    /// Why, in words.
    pub comment: String,
    /// Until when, ms; for ever if empty.
    pub until: Option<i64>,
}

/// The restriction of this annotator and scope that holds now.
pub(super) async fn held(
    work: &mut Work<'_>,
    annotator: i64,
    scope: Scope,
    now: i64,
) -> Result<Option<i64>, StoreError> {
    let (name, project, pool) = parts(scope);
    let row = work
        .row(
            sql("SELECT id FROM restriction WHERE annotator = $1 AND lifted IS NULL AND (until IS NULL OR until > $2) \
                 AND scope = $3 AND COALESCE(project, -1) = $4 AND COALESCE(pool, -1) = $5 ORDER BY id LIMIT 1")
            .bind(annotator)
            .bind(now)
            .bind(name.to_owned())
            .bind(project.unwrap_or(-1))
            .bind(pool.unwrap_or(-1)),
        )
        .await?;
    Ok(match row {
        Some(row) => Some(row.try_get(0)?),
        None => None,
    })
}

/// Whether a ban that a rule had spoken there was lifted by hand: rules are then silent.
pub(super) async fn forgiven(
    work: &mut Work<'_>,
    annotator: i64,
    scope: Scope,
) -> Result<bool, StoreError> {
    let (name, project, pool) = parts(scope);
    let row = work
        .row(
            sql("SELECT id FROM restriction WHERE annotator = $1 AND origin = 'rule' AND lifted IS NOT NULL \
                 AND scope = $2 AND COALESCE(project, -1) = $3 AND COALESCE(pool, -1) = $4 LIMIT 1")
            .bind(annotator)
            .bind(name.to_owned())
            .bind(project.unwrap_or(-1))
            .bind(pool.unwrap_or(-1)),
        )
        .await?;
    Ok(row.is_some())
}

fn parts(scope: Scope) -> (&'static str, Option<i64>, Option<i64>) {
    match scope {
        Scope::All => ("ALL_PROJECTS", None, None),
        Scope::Project(id) => ("PROJECT", Some(id), None),
        Scope::Pool(id) => ("POOL", None, Some(id)),
    }
}

pub(super) async fn restrict(
    work: &mut Work<'_>,
    restricting: &Restricting,
    now: i64,
) -> Result<Reply, StoreError> {
    let (annotator, scope) = (restricting.annotator, restricting.scope);
    if let Some(id) = held(work, annotator, scope, now).await? {
        work.change(
            sql("UPDATE restriction SET comment = $1, until = $2 WHERE id = $3")
                .bind(restricting.comment.clone())
                .bind(restricting.until)
                .bind(id),
        )
        .await?;
        work.log(
            now,
            "ban changed",
            Some(annotator),
            Some(id),
            &json!({ "comment": restricting.comment }),
        );
        return Ok(Reply::Id(id));
    }
    let restriction = Restriction {
        annotator,
        scope,
        origin: "requester".into(),
        comment: restricting.comment.clone(),
        evidence: None,
        until: restricting.until,
        reopen: false,
    };
    let reply = bans::restrict(work, &restriction, now).await?;
    reopen_where_asked(work, annotator, scope).await?;
    Ok(reply)
}

pub(super) async fn create_skill(
    work: &mut Work<'_>,
    document: &Value,
    now: i64,
) -> Result<Reply, StoreError> {
    let id = work.id();
    work.change(
        sql("INSERT INTO skill (id, created, document) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(now)
            .bind(document.to_string()),
    )
    .await?;
    Ok(Reply::Id(id))
}

pub(super) async fn change_skill(
    work: &mut Work<'_>,
    skill: i64,
    document: &Value,
) -> Result<Reply, StoreError> {
    let changed = work
        .change(
            sql("UPDATE skill SET document = $1 WHERE id = $2")
                .bind(document.to_string())
                .bind(skill),
        )
        .await?;
    if changed == 0 {
        return Err(StoreError::missing("skill", skill));
    }
    Ok(Reply::Done)
}

pub(super) async fn set_skill(
    work: &mut Work<'_>,
    annotator: i64,
    skill: i64,
    value: f64,
    now: i64,
) -> Result<Reply, StoreError> {
    work.row(sql("SELECT id FROM skill WHERE id = $1").bind(skill))
        .await?
        .ok_or_else(|| StoreError::missing("skill", skill))?;
    let id = work.id();
    let row = work
        .row(
            sql("INSERT INTO annotator_skill (id, annotator, skill, value, created, modified) VALUES ($1, $2, $3, $4, $5, $5) \
                 ON CONFLICT (annotator, skill) DO UPDATE SET value = excluded.value, modified = excluded.modified RETURNING id")
            .bind(id)
            .bind(annotator)
            .bind(skill)
            .bind(value)
            .bind(now),
        )
        .await?
        .ok_or_else(|| StoreError::missing("skill", skill))?;
    work.log(
        now,
        "skill set",
        Some(annotator),
        Some(skill),
        &json!({ "value": value }),
    );
    Ok(Reply::Id(row.try_get(0)?))
}

pub(super) async fn delete_skill(work: &mut Work<'_>, id: i64) -> Result<Reply, StoreError> {
    let gone = work
        .change(sql("DELETE FROM annotator_skill WHERE id = $1").bind(id))
        .await?;
    if gone == 0 {
        return Err(StoreError::missing("user skill", id));
    }
    Ok(Reply::Done)
}
