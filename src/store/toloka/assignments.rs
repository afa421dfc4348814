//! Submitted suites are accepted or rejected by the requester.

use super::{
    pools::close_if_complete,
    rules::{Event, look_at},
};
use crate::store::{
    StoreError,
    command::Reply,
    db::{Work, sql},
};
use serde_json::json;
use sqlx::Row;

/// Accepts (`Some(true)`), rejects or only comments an assignment. What is accepted stays so; what was rejected may be
/// accepted later.
pub(super) async fn judge(
    work: &mut Work<'_>,
    name: &str,
    accept: Option<bool>,
    comment: Option<&str>,
    now: i64,
) -> Result<Reply, StoreError> {
    let row = work
        .row(
            sql("SELECT id, annotator, pool, state FROM assignment WHERE name = $1 AND purpose = 'work'")
                .bind(name.to_owned()),
        )
        .await?
        .ok_or_else(|| StoreError::missing("assignment", name))?;
    let (id, annotator, pool): (i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let old: String = row.try_get(3)?;
    let new = match (old.as_str(), accept) {
        (_, None) => None,
        ("accepted", Some(true)) | ("rejected", Some(false)) => None,
        ("submitted" | "rejected", Some(true)) => Some("accepted"),
        ("submitted", Some(false)) => Some("rejected"),
        (other, Some(_)) => {
            return Err(StoreError::conflict(
                "INAPPROPRIATE_STATUS",
                format!("this assignment is {}", other.to_uppercase()),
            ));
        }
    };
    if let Some(comment) = comment {
        work.change(
            sql("UPDATE assignment SET comment = $1 WHERE id = $2")
                .bind(comment.to_owned())
                .bind(id),
        )
        .await?;
    }
    if let Some(new) = new {
        put(work, id, annotator, new, now).await?;
        look_at(
            work,
            annotator,
            pool,
            Event::Judged(new == "accepted", old == "rejected"),
            now,
        )
        .await?;
        close_if_complete(work, pool, now).await?;
    }
    Ok(Reply::Done)
}

/// Writes the new state. Others are not asked for the votes of a rejected suite, unless a rule of the pool says so.
pub(super) async fn put(
    work: &mut Work<'_>,
    id: i64,
    annotator: i64,
    state: &str,
    now: i64,
) -> Result<(), StoreError> {
    work.change(
        sql("UPDATE assignment SET state = $1, decided = $2 WHERE id = $3")
            .bind(state.to_owned())
            .bind(now)
            .bind(id),
    )
    .await?;
    work.log(
        now,
        &format!("suite {state}"),
        Some(annotator),
        Some(id),
        &json!({}),
    );
    Ok(())
}
