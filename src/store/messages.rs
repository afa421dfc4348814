//! Messages of the requester to single annotators, and the log of what was done.

use super::{
    Store, StoreError,
    command::Reply,
    db::{Work, sql},
    people::person,
};
use serde_json::{Value, json};
use sqlx::Row;

/// A message to an annotator.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Message {
    /// Its id.
    pub id: i64,
    /// When it was written, ms.
    pub at: i64,
    /// What it says.
    pub text: String,
    /// When the annotator saw it, ms.
    pub seen: Option<i64>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its id; later events have larger ones.
    pub id: i64,
    /// When, ms.
    pub at: i64,
    /// What.
    pub kind: String,
    /// The annotator it concerns, by name.
    pub annotator: Option<String>,
    /// More of it.
    pub detail: Value,
}

/// Writes a message. What it says is in no log.
pub(super) async fn send(
    work: &mut Work<'_>,
    annotator: i64,
    text: &str,
    now: i64,
) -> Result<Reply, StoreError> {
    person(work, annotator).await?;
    let id = work.id();
    work.change(
        sql("INSERT INTO message (id, annotator, at, body) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(annotator)
            .bind(now)
            .bind(text.to_owned()),
    )
    .await?;
    work.log(now, "message sent", Some(annotator), Some(id), &json!({}));
    Ok(Reply::Id(id))
}

/// Notes that the annotator has seen the messages up to this one.
pub(super) async fn seen(
    work: &mut Work<'_>,
    annotator: i64,
    up_to: i64,
    now: i64,
) -> Result<Reply, StoreError> {
    let n = work
        .change(
            sql("UPDATE message SET seen = $1 WHERE annotator = $2 AND id <= $3 AND seen IS NULL")
                .bind(now)
                .bind(annotator)
                .bind(up_to),
        )
        .await?;
    Ok(Reply::Count(n))
}

impl Store {
    /// Messages to an annotator, the oldest first.
    pub async fn messages(&self, annotator: i64) -> Result<Vec<Message>, StoreError> {
        let rows = sql("SELECT id, at, body, seen FROM message WHERE annotator = $1 ORDER BY id")
            .bind(annotator)
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Message {
                    id: row.try_get(0)?,
                    at: row.try_get(1)?,
                    text: row.try_get(2)?,
                    seen: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Annotators who have messages that they did not see.
    pub async fn with_unseen_messages(&self) -> Result<Vec<i64>, StoreError> {
        let rows = sql("SELECT DISTINCT annotator FROM message WHERE seen IS NULL")
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The newest events before one, suites left out, the newest first.
    pub async fn events(&self, before: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
        let rows = sql(
            "SELECT event.id, event.at, event.kind, annotator.name, event.detail FROM event \
             LEFT JOIN annotator ON annotator.id = event.annotator WHERE event.id < $1 \
             AND event.kind NOT IN ('suite given', 'suite submitted', 'suite expired', 'suite skipped', 'practised', 'stage') \
             ORDER BY event.id DESC LIMIT $2",
        )
        .bind(before)
        .bind(limit)
        .fetch_all(&self.database.pool)
        .await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let detail: String = row.try_get(4)?;
            events.push(Event {
                id: row.try_get(0)?,
                at: row.try_get(1)?,
                kind: row.try_get(2)?,
                annotator: row.try_get(3)?,
                detail: serde_json::from_str(&detail)?,
            });
        }
        Ok(events)
    }
}
