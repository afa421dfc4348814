//! Projects and pools: changed, opened, closed, cloned, archived; and what time does to them.

use super::{
    api, assignments,
    operations::{NewOperation, insert},
};
use crate::store::{
    PoolSettings, StoreError,
    command::Reply,
    db::{Work, sql},
    pools::{create_pool, load},
};
use serde_json::{Value, json};
use sqlx::Row;

pub(super) async fn change_project(
    work: &mut Work<'_>,
    project: i64,
    document: &Value,
    now: i64,
) -> Result<Reply, StoreError> {
    let changed = work
        .change(
            sql("UPDATE project SET document = $1 WHERE id = $2")
                .bind(document.to_string())
                .bind(project),
        )
        .await?;
    if changed == 0 {
        return Err(StoreError::missing("project", project));
    }
    work.log(now, "project changed", None, Some(project), &json!({}));
    Ok(Reply::Done)
}

pub(super) async fn archive_project(
    work: &mut Work<'_>,
    project: i64,
    operation: &NewOperation,
    now: i64,
) -> Result<Reply, StoreError> {
    let row = work
        .row(sql("SELECT status FROM project WHERE id = $1").bind(project))
        .await?
        .ok_or_else(|| StoreError::missing("project", project))?;
    if row.try_get::<String, _>(0)? == "ARCHIVED" {
        return Err(StoreError::conflict(
            "PROJECT_INAPPROPRIATE_STATUS",
            "this project is archived",
        ));
    }
    let open = work
        .row(
            sql("SELECT id FROM pool WHERE project = $1 AND status <> 'ARCHIVED' ORDER BY id LIMIT 1")
                .bind(project),
        )
        .await?;
    if let Some(row) = open {
        let pool: i64 = row.try_get(0)?;
        return Err(StoreError::conflict(
            "UNARCHIVED_POOLS_CONFLICT",
            format!("pool {pool} of this project is not archived"),
        ));
    }
    work.change(sql("UPDATE project SET status = 'ARCHIVED' WHERE id = $1").bind(project))
        .await?;
    work.log(now, "project archived", None, Some(project), &json!({}));
    Ok(Reply::Value(
        insert(work, operation, "SUCCESS", &json!({}), now).await?,
    ))
}

/// Which statuses a pool may come from.
fn may_become(status: &str) -> &'static [&'static str] {
    match status {
        "OPEN" => &["CLOSED"],
        "CLOSED" => &["OPEN"],
        _ => &["CLOSED"],
    }
}

pub(super) async fn set_status(
    work: &mut Work<'_>,
    pool: i64,
    status: &'static str,
    reason: Option<&'static str>,
    operation: &NewOperation,
    now: i64,
) -> Result<Reply, StoreError> {
    let old = load(work, pool).await?.status.clone();
    if old == status {
        return Ok(Reply::Done);
    }
    if !may_become(status).contains(&old.as_str()) {
        return Err(StoreError::conflict(
            "INAPPROPRIATE_STATUS",
            format!(
                "this pool is {old}; it must be {}",
                may_become(status).join(" or ")
            ),
        ));
    }
    if status == "OPEN" {
        check_not_empty(work, pool).await?;
    }
    switch(work, pool, status, reason, now).await?;
    Ok(Reply::Value(
        insert(work, operation, "SUCCESS", &json!({}), now).await?,
    ))
}

async fn check_not_empty(work: &mut Work<'_>, pool: i64) -> Result<(), StoreError> {
    let task = work
        .row(sql("SELECT id FROM task WHERE pool = $1 LIMIT 1").bind(pool))
        .await?;
    match task {
        Some(_) => Ok(()),
        None => Err(StoreError::conflict(
            "EMPTY_POOL",
            "this pool has no tasks: add some before it is opened",
        )),
    }
}

/// Writes a pool's new status.
pub(super) async fn switch(
    work: &mut Work<'_>,
    pool: i64,
    status: &str,
    reason: Option<&str>,
    now: i64,
) -> Result<(), StoreError> {
    let column = if status == "OPEN" {
        "started"
    } else {
        "stopped"
    };
    // An archived pool stopped when it was closed.
    let moment = if status == "ARCHIVED" {
        String::new()
    } else {
        format!(", {column} = $4, close_reason = $2")
    };
    let text = format!("UPDATE pool SET status = $1{moment} WHERE id = $3");
    let mut statement = sql(text)
        .bind(status.to_owned())
        .bind(reason.map(str::to_owned))
        .bind(pool);
    if status != "ARCHIVED" {
        statement = statement.bind(now);
    }
    work.change(statement).await?;
    work.log(
        now,
        "pool status",
        None,
        Some(pool),
        &json!({ "to": status, "reason": reason }),
    );
    work.caches.pools.remove(&pool);
    Ok(())
}

pub(super) async fn clone(
    work: &mut Work<'_>,
    pool: i64,
    operation: &NewOperation,
    now: i64,
) -> Result<Reply, StoreError> {
    let row = work
        .row(sql("SELECT project, settings, document FROM pool WHERE id = $1").bind(pool))
        .await?
        .ok_or_else(|| StoreError::missing("pool", pool))?;
    let (project, settings, document): (i64, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let settings: PoolSettings = serde_json::from_str(&settings)?;
    api(&settings)?;
    let document: Value = serde_json::from_str(&document)?;
    let Reply::Id(new) = create_pool(work, project, "CLOSED", &settings, &document, now).await?
    else {
        return Err(StoreError::missing("pool", "just made"));
    };
    let details = json!({ "pool_id": new.to_string() });
    Ok(Reply::Value(
        insert(work, operation, "SUCCESS", &details, now).await?,
    ))
}

/// Opens the pools in which tasks were just added, where that was asked for.
pub(super) async fn open_all(
    work: &mut Work<'_>,
    pools: &[i64],
    now: i64,
) -> Result<(), StoreError> {
    for &pool in pools {
        let old = load(work, pool).await?.status.clone();
        if old == "CLOSED" {
            switch(work, pool, "OPEN", None, now).await?;
        }
    }
    Ok(())
}

/// Closes a pool of the API that has all its votes, so long after the last as it says. A pool without any votes stays open: its
/// tasks are still to come.
pub(in crate::store) async fn close_if_complete(
    work: &mut Work<'_>,
    pool: i64,
    now: i64,
) -> Result<(), StoreError> {
    let state = load(work, pool).await?;
    let Some(delay) = state.settings.api.as_ref().map(|api| api.auto_close_ms) else {
        return Ok(());
    };
    if state.status != "OPEN" {
        return Ok(());
    }
    let open = work
        .row(
            sql(
                "SELECT 1 FROM task WHERE pool = $1 AND kind = 0 AND held < wanted \
                 UNION ALL SELECT 1 FROM suite WHERE pool = $1 AND held < wanted LIMIT 1",
            )
            .bind(pool),
        )
        .await?;
    if open.is_some() {
        return Ok(());
    }
    let row = work
        .row(
            sql("SELECT CAST(COALESCE(SUM(CASE WHEN state = 'active' THEN 1 ELSE 0 END), 0) AS BIGINT), MAX(ended) \
                 FROM assignment WHERE pool = $1 AND purpose = 'work'")
            .bind(pool),
        )
        .await?;
    let Some(row) = row else { return Ok(()) };
    let (active, last): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    if active == 0 && last.is_some_and(|last| last + delay <= now) {
        switch(work, pool, "CLOSED", Some("COMPLETED"), now).await?;
    }
    Ok(())
}

/// Closes pools whose time is over or that are complete; accepts suites that nobody judged in time.
pub(super) async fn tick(work: &mut Work<'_>, now: i64) -> Result<Reply, StoreError> {
    let rows = work
        .rows(sql("SELECT id FROM pool WHERE status = 'OPEN' ORDER BY id"))
        .await?;
    for row in rows {
        let pool: i64 = row.try_get(0)?;
        let settings = load(work, pool).await?.settings.clone();
        let Some(api) = &settings.api else { continue };
        if api.will_expire.is_some_and(|end| end <= now) {
            switch(work, pool, "CLOSED", Some("EXPIRED"), now).await?;
        } else {
            close_if_complete(work, pool, now).await?;
        }
    }
    let rows = work
        .rows(sql(
            "SELECT DISTINCT pool FROM assignment WHERE state = 'submitted'",
        ))
        .await?;
    for row in rows {
        let pool: i64 = row.try_get(0)?;
        let settings = load(work, pool).await?.settings.clone();
        let Some(wait) = settings.api.as_ref().and_then(|api| api.auto_accept_ms) else {
            continue;
        };
        let due = work
            .rows(
                sql("SELECT name FROM assignment WHERE pool = $1 AND state = 'submitted' AND ended <= $2 ORDER BY id LIMIT 500")
                    .bind(pool)
                    .bind(now - wait),
            )
            .await?;
        for row in due {
            let name: String = row.try_get(0)?;
            assignments::judge(work, &name, Some(true), None, now).await?;
        }
    }
    Ok(Reply::Done)
}
