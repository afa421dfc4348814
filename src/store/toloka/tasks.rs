//! Tasks that a requester's program adds: all of a request, its operation and its log in one transaction.

use super::{
    ids,
    operations::{LogEntry, NewOperation, insert, log},
    pools::open_all,
    settings::ENDLESS,
};
use crate::store::{
    Kind, StoreError,
    command::Reply,
    db::{Work, sql},
};
use rand::Rng;
use serde_json::{Value, json};
use sqlx::Row;
use std::collections::BTreeSet;

/// Tasks or suites of one request.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The operation, where the client asked for one.
    pub operation: Option<NewOperation>,
    /// Tasks to be mixed by the server.
    pub tasks: Vec<BatchTask>,
    /// Suites put together by hand.
    pub suites: Vec<BatchSuite>,
    /// What cannot be taken.
    pub rejected: Vec<Rejected>,
    /// Whether nothing is to be made, because something cannot be taken.
    pub cancelled: bool,
    /// Open the pools.
    pub open: bool,
}

/// One task.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchTask {
    /// Place in the request.
    pub place: usize,
    /// What the client called it.
    pub mark: Option<String>,
    /// Its pool.
    pub pool: i64,
    /// What it is.
    pub kind: Kind,
    /// Votes wanted.
    pub wanted: i64,
    /// Stratum of a control.
    pub stratum: u32,
    /// `{"input": {…}}`
    pub content: Value,
    /// Known answers.
    pub known: Option<Value>,
    /// Everything else that was said of it.
    pub extra: Value,
    /// Names of annotators who do not get it.
    pub unavailable: Vec<String>,
}

/// One suite put together by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchSuite {
    /// Place in the request.
    pub place: usize,
    /// What the client called it.
    pub mark: Option<String>,
    /// Its pool.
    pub pool: i64,
    /// Votes wanted.
    pub wanted: i64,
    /// Greater ones go first.
    pub order: f64,
    /// Its tasks; their places, pools and wanted votes mean nothing.
    pub tasks: Vec<BatchTask>,
    /// Everything else that was said of it.
    pub extra: Value,
    /// Names of annotators who do not get it.
    pub unavailable: Vec<String>,
}

/// An input that cannot be taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// Place in the request.
    pub place: usize,
    /// What was sent.
    pub input: Value,
    /// Why not, by path.
    pub reasons: Value,
}

/// How many votes are wanted from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverlapChange {
    /// As many as before.
    Keep,
    /// So many.
    To(i64),
    /// So many, or as many as there are or are under way.
    OrLeast(i64),
    /// Everybody's.
    Endless,
}

impl OverlapChange {
    pub(super) fn apply(self, wanted: i64, held: i64) -> i64 {
        match self {
            Self::Keep => wanted,
            Self::To(n) => n,
            Self::OrLeast(n) => n.max(held),
            Self::Endless => ENDLESS,
        }
    }
}

impl Batch {
    /// The log and the counts of a batch of which these were made: `(place, mark, id)`.
    pub(super) async fn note(
        &self,
        work: &mut Work<'_>,
        made: &[(usize, Option<String>, i64)],
        [create, validate]: [&'static str; 2],
        now: i64,
    ) -> Result<Reply, StoreError> {
        let Some(operation) = &self.operation else {
            let made: Vec<Value> = made
                .iter()
                .map(|(place, _, id)| json!([place, id]))
                .collect();
            return Ok(Reply::Value(Value::Array(made)));
        };
        let (done, bad) = (made.len(), self.rejected.len());
        let valid = self.tasks.len() + self.suites.len();
        let details = json!({
            "total_count": valid + bad, "valid_count": valid, "not_valid_count": bad, "success_count": done,
            "failed_count": valid + bad - done,
        });
        let status = if done == 0 { "FAIL" } else { "SUCCESS" };
        // First the operation: where it is refused, so is everything.
        let view = insert(work, operation, status, &details, now).await?;
        let mut entries: Vec<LogEntry> = made
            .iter()
            .map(|(place, mark, id)| LogEntry {
                place: *place,
                kind: create,
                subject: Some(*id),
                mark: mark.clone(),
                document: None,
            })
            .collect();
        entries.extend(self.rejected.iter().map(|rejected| LogEntry {
            place: rejected.place,
            kind: validate,
            subject: None,
            mark: None,
            document: Some(json!({ "input": rejected.input, "output": rejected.reasons })),
        }));
        log(work, &operation.id, &entries).await?;
        Ok(Reply::Value(view))
    }

    /// Refuses a batch whose operation is there already, before anything is written.
    pub(super) async fn check_new(&self, work: &mut Work<'_>) -> Result<(), StoreError> {
        let Some(operation) = &self.operation else {
            return Ok(());
        };
        let there = work
            .row(sql("SELECT id FROM operation WHERE id = $1").bind(operation.id.clone()))
            .await?;
        match there {
            None => Ok(()),
            Some(_) => Err(StoreError::conflict(
                "OPERATION_ALREADY_EXISTS",
                format!("there is an operation {} already", operation.id),
            )),
        }
    }
}

/// Writes tasks, with the kinds' codes as in the schema; returns the first id. They follow each other.
pub(super) async fn write(
    work: &mut Work<'_>,
    tasks: &[(i64, i64, i64, &BatchTask)],
    now: i64,
) -> Result<i64, StoreError> {
    let first = work.ids(tasks.len());
    let rows: Vec<Value> = (first..)
        .zip(tasks)
        .map(|(id, (pool, kind, wanted, task))| {
            json!({
                "id": id,
                "pool": pool,
                "name": ids::name(*pool, id),
                "kind": kind,
                "wanted": wanted,
                "place": (work.rng.next_u64() >> 1) as i64,
                "stratum": task.stratum,
                "content": task.content.to_string(),
                "known": task.known.as_ref().map(Value::to_string),
                "extra": task.extra.to_string(),
            })
        })
        .collect();
    let columns = [
        ("id", "BIGINT"),
        ("pool", "BIGINT"),
        ("name", "TEXT"),
        ("kind", "BIGINT"),
        ("wanted", "BIGINT"),
        ("place", "BIGINT"),
        ("stratum", "BIGINT"),
        ("content", "TEXT"),
        ("known", "TEXT"),
        ("extra", "TEXT"),
    ];
    let text = format!(
        "INSERT INTO task (id, pool, name, kind, wanted, held, accepted, place, stratum, content, known, extra, created) \
         SELECT id, pool, name, kind, wanted, 0, 0, place, stratum, content, known, extra, $2 FROM ({}) AS new",
        work.dialect.rows(1, &columns)
    );
    work.change(sql(text).bind(Value::Array(rows).to_string()).bind(now))
        .await?;
    Ok(first)
}

/// Whoever is named counts as having met the task, and is never given it.
pub(super) async fn keep_from(
    work: &mut Work<'_>,
    task: i64,
    names: &[String],
) -> Result<(), StoreError> {
    for name in names {
        work.change(
            sql("INSERT INTO met (annotator, task, times) SELECT id, $1, 1 FROM annotator WHERE name = $2")
                .bind(task)
                .bind(name.clone()),
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn add(work: &mut Work<'_>, batch: &Batch, now: i64) -> Result<Reply, StoreError> {
    batch.check_new(work).await?;
    let mut made = Vec::new();
    if !batch.cancelled && !batch.tasks.is_empty() {
        let rows: Vec<(i64, i64, i64, &BatchTask)> = batch
            .tasks
            .iter()
            .map(|task| {
                let wanted = if task.kind == Kind::Real {
                    task.wanted
                } else {
                    0
                };
                (task.pool, task.kind.code(), wanted, task)
            })
            .collect();
        let first = write(work, &rows, now).await?;
        for (id, task) in (first..).zip(&batch.tasks) {
            keep_from(work, id, &task.unavailable).await?;
            made.push((task.place, task.mark.clone(), id));
        }
        let pools: BTreeSet<i64> = batch.tasks.iter().map(|task| task.pool).collect();
        for pool in &pools {
            work.caches.pools.remove(pool);
        }
        if batch.open {
            open_all(work, &pools.into_iter().collect::<Vec<_>>(), now).await?;
        }
    }
    batch
        .note(work, &made, ["TASK_CREATE", "TASK_VALIDATE"], now)
        .await
}

pub(super) async fn change(
    work: &mut Work<'_>,
    task: i64,
    overlap: OverlapChange,
    known: Option<&Value>,
    extra: Option<&Value>,
) -> Result<Reply, StoreError> {
    let row = work
        .row(
            sql("SELECT pool, kind, wanted, held, known, extra FROM task WHERE id = $1").bind(task),
        )
        .await?
        .ok_or_else(|| StoreError::missing("task", task))?;
    let (pool, mut kind, mut wanted, held): (i64, i64, i64, i64) = (
        row.try_get(0)?,
        row.try_get(1)?,
        row.try_get(2)?,
        row.try_get(3)?,
    );
    let mut stored: Option<String> = row.try_get(4)?;
    if kind == Kind::Real.code() {
        wanted = overlap.apply(wanted, held);
    }
    if let Some(known) = known {
        let any = known.as_array().is_some_and(|k| !k.is_empty());
        stored = any.then(|| known.to_string());
        // A control within a suite put together by hand stays within it.
        kind = match (kind, any) {
            (0, true) if wanted > 0 => 1,
            (0, true) => 4,
            (1 | 4, false) => 0,
            (kind, _) => kind,
        };
    }
    let extra = match extra {
        Some(extra) => Some(extra.to_string()),
        None => row.try_get(5)?,
    };
    work.change(
        sql("UPDATE task SET kind = $1, wanted = $2, known = $3, extra = $4 WHERE id = $5")
            .bind(kind)
            .bind(wanted)
            .bind(stored)
            .bind(extra)
            .bind(task),
    )
    .await?;
    work.caches.pools.remove(&pool);
    Ok(Reply::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlap_or_least_never_takes_back_votes() {
        assert_eq!(OverlapChange::OrLeast(0).apply(10, 4), 4);
        assert_eq!(OverlapChange::OrLeast(7).apply(10, 4), 7);
        assert_eq!(OverlapChange::To(2).apply(10, 4), 2);
        assert_eq!(OverlapChange::Keep.apply(10, 4), 10);
        assert_eq!(OverlapChange::Endless.apply(10, 4), ENDLESS);
    }
}
