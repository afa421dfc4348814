//! Who gets which suite next; suites that are given back.
//!
//! The rules are those of [`veche_pools::assignment`]: items with the fewest votes first, nobody meets an item twice, each
//! control once before any comes again. Accepted and active votes together never exceed what an item wants, because they
//! are counted in the transaction that gives the suite.

use super::{
    StoreError,
    bans::barred,
    cache::{AnnotatorState, PoolState},
    command::{Assigned, Reply, ShownTask},
    db::{Work, sql},
    history,
    people::person,
    pools, toloka,
};
use rand::{Rng, RngExt};
use serde_json::{Value, json};
use sqlx::Row;
use std::collections::BTreeMap;
use veche_pools::{
    assignment::choose::{ControlUse, OpenItem, choose_controls, choose_items},
    generation::arrange,
};

/// Candidates looked at for every task wanted, so that those drawn together are not always neighbours.
const CHOICE: usize = 4;

/// What an annotator is to do next in a pool.
pub(super) async fn next(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
    now: i64,
) -> Result<Reply, StoreError> {
    let who = person(work, annotator).await?;
    if let Some(active) = who.active {
        match read_assignment(work, active).await? {
            given if given.expires <= now => end(work, active, "expired", now).await?,
            given => return Ok(Reply::Suite(Some(given))),
        }
    }
    let state = pools::load(work, pool).await?;
    let (project, settings) = (state.project, state.settings.clone());
    let open = state.status == "OPEN";
    if barred(work, annotator, project, pool, now).await?.is_some() {
        return Err(StoreError::conflict(
            "BARRED",
            "this annotator gets no more suites",
        ));
    }
    if !open {
        return Err(StoreError::conflict("POOL_CLOSED", "this pool is not open"));
    }
    match who.stage.as_str() {
        "work" => {}
        "exam" if settings.api.is_none() => {
            return exam(
                work,
                annotator,
                pool,
                settings.exam,
                settings.lifetime_ms,
                now,
            )
            .await;
        }
        other => {
            return Err(StoreError::conflict(
                "INAPPROPRIATE_STATUS",
                format!("this annotator's stage is {other}"),
            ));
        }
    }
    if let Some(api) = &settings.api {
        if !toloka::admits(work, annotator, api).await? {
            return Err(StoreError::conflict(
                "FILTERED",
                "the pool's filter does not let this annotator in",
            ));
        }
        if let Some((suite, tasks)) = toloka::next_by_hand(work, annotator, pool).await? {
            let time = settings.lifetime_ms;
            let id = give(work, annotator, pool, "work", &tasks, now, time)
                .await?
                .id;
            work.change(
                sql("UPDATE assignment SET suite = $1 WHERE id = $2")
                    .bind(suite)
                    .bind(id),
            )
            .await?;
            work.change(sql("UPDATE suite SET held = held + 1 WHERE id = $1").bind(suite))
                .await?;
            return Ok(Reply::Suite(Some(read_assignment(work, id).await?)));
        }
    }
    let mut contents = BTreeMap::new();
    let items = draw_items(work, annotator, pool, settings.real, &mut contents).await?;
    let complete = items.len() >= settings.min_real.max(1);
    if items.is_empty() || (!complete && !is_the_end(work, pool, items.len()).await?) {
        return Ok(Reply::Suite(None));
    }
    let version = who.version;
    let mut remembered = history::load(work, annotator, pool, version).await?;
    let controls = draw_controls(work, pool, &remembered, settings.control)?;
    let mut tasks: Vec<i64> = items.iter().chain(&controls).copied().collect();
    arrange(&mut tasks, items.len(), work.rng);
    let lifetime = settings.lifetime_ms;
    let mut given = give(work, annotator, pool, "work", &tasks, now, lifetime).await?;
    for control in &controls {
        *remembered.seen.entry(*control).or_default() += 1;
    }
    remembered.version = version + 1;
    work.caches.put(annotator, pool, remembered);
    let state = pools::load(work, pool).await?;
    count_uses(state, &controls);
    for shown in &mut given.tasks {
        shown.content = match contents.get(&shown.task) {
            Some(text) => serde_json::from_str(text)?,
            None => state
                .contents
                .get(&shown.task)
                .cloned()
                .unwrap_or(Value::Null),
        };
        if let Some(api) = &settings.api {
            shown.content = api.shown(&shown.content);
        }
    }
    given.questions = settings.api.as_ref().map(|_| settings.questions.clone());
    Ok(Reply::Suite(Some(given)))
}

/// The exam: controls only.
async fn exam(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
    want: usize,
    lifetime_ms: i64,
    now: i64,
) -> Result<Reply, StoreError> {
    let version = person(work, annotator).await?.version;
    let remembered = history::load(work, annotator, pool, version).await?;
    let controls = draw_controls(work, pool, &remembered, want)?;
    let given = give(work, annotator, pool, "exam", &controls, now, lifetime_ms).await?;
    count_uses(pools::load(work, pool).await?, &controls);
    Ok(Reply::Suite(Some(read_assignment(work, given.id).await?)))
}

/// Writes down that these tasks, in this order, are in the annotator's hands; returns the assignment, without what is shown.
async fn give(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
    purpose: &str,
    tasks: &[i64],
    now: i64,
    lifetime_ms: i64,
) -> Result<Assigned, StoreError> {
    let id = work.id();
    let expires = now.saturating_add(lifetime_ms);
    let name = opaque_name(pool, work.rng);
    let list = Value::from(tasks.to_vec()).to_string();
    let ids = work.dialect.ids(1);
    work.change(
        sql(format!("UPDATE task SET held = held + 1 WHERE id IN {ids}")).bind(list.clone()),
    )
    .await?;
    work.change(
        sql(format!(
            "INSERT INTO met (annotator, task, times) SELECT $2, id, 1 FROM task WHERE id IN {ids} \
             ON CONFLICT (annotator, task) DO UPDATE SET times = met.times + 1"
        ))
        .bind(list.clone())
        .bind(annotator),
    )
    .await?;
    work.change(
        sql("INSERT INTO assignment (id, name, annotator, pool, purpose, state, created, expires, tasks) \
             VALUES ($1, $2, $3, $4, $5, 'active', $6, $7, $8)")
        .bind(id)
        .bind(name.clone())
        .bind(annotator)
        .bind(pool)
        .bind(purpose.to_owned())
        .bind(now)
        .bind(expires)
        .bind(list),
    )
    .await?;
    work.change(
        sql("UPDATE annotator SET active = $1, version = version + 1 WHERE id = $2")
            .bind(id)
            .bind(annotator),
    )
    .await?;
    work.log(
        now,
        "suite given",
        Some(annotator),
        Some(id),
        &json!({ "purpose": purpose }),
    );
    let shown = |&task: &i64| ShownTask {
        task,
        content: Value::Null,
    };
    Ok(Assigned {
        id,
        name,
        annotator,
        pool,
        state: "active".into(),
        created: now,
        expires,
        tasks: tasks.iter().map(shown).collect(),
        questions: None,
    })
}

/// Open items that the annotator has not met, those with the fewest votes first; what they show goes to `contents`.
///
/// Nearly always one query is enough: from a random place on among the items of the lowest level.
async fn draw_items(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
    want: usize,
    contents: &mut BTreeMap<i64, String>,
) -> Result<Vec<i64>, StoreError> {
    let mut drawn: Vec<i64> = Vec::with_capacity(want);
    let mut level: i64 = -1;
    while drawn.len() < want {
        let start = (work.rng.next_u64() >> 1) as i64;
        let need = want - drawn.len();
        let mut found: Vec<i64> = Vec::new();
        let mut reached = None;
        // From a random place to the end, then from the beginning to that place.
        for side in ["place >= $4", "place < $4"] {
            let limit = (need * CHOICE - found.len()) as i64;
            let text = format!(
                "SELECT id, held, content FROM task WHERE pool = $1 AND kind = 0 AND held < wanted AND held = \
                 (SELECT MIN(held) FROM task WHERE pool = $1 AND kind = 0 AND held < wanted AND held > $2) AND {side} \
                 AND NOT EXISTS (SELECT 1 FROM met WHERE met.annotator = $3 AND met.task = task.id) ORDER BY place LIMIT $5"
            );
            let rows = work
                .rows(
                    sql(text)
                        .bind(pool)
                        .bind(level)
                        .bind(annotator)
                        .bind(start)
                        .bind(limit),
                )
                .await?;
            for row in rows {
                let id = row.try_get(0)?;
                found.push(id);
                reached = Some(row.try_get::<i64, _>(1)?);
                contents.insert(id, row.try_get(2)?);
            }
            if found.len() >= need * CHOICE {
                break;
            }
        }
        let open: Vec<OpenItem> = (0..found.len() as u32)
            .map(|item| OpenItem { item, votes: 0 })
            .collect();
        drawn.extend(
            choose_items(&open, need, work.rng)
                .into_iter()
                .map(|i| found[i as usize]),
        );
        level = match reached {
            Some(reached) => reached,
            // The annotator has met all items of this level; which level that was, and whether there is a higher one, is asked.
            None => match lowest_above(work, pool, level).await? {
                Some(lowest) => lowest,
                None => break,
            },
        };
    }
    Ok(drawn)
}

/// The smallest number of votes that an open item above a level has.
async fn lowest_above(
    work: &mut Work<'_>,
    pool: i64,
    level: i64,
) -> Result<Option<i64>, StoreError> {
    let lowest = work
        .row(
            sql("SELECT MIN(held) FROM task WHERE pool = $1 AND kind = 0 AND held < wanted AND held > $2")
                .bind(pool)
                .bind(level),
        )
        .await?;
    Ok(match lowest {
        Some(row) => row.try_get(0)?,
        None => None,
    })
}

/// Whether no more than these are open at all: a short suite is then the last one, and not one that waits for more tasks.
async fn is_the_end(work: &mut Work<'_>, pool: i64, drawn: usize) -> Result<bool, StoreError> {
    let open = work
        .rows(
            sql("SELECT id FROM task WHERE pool = $1 AND kind = 0 AND held < wanted LIMIT $2")
                .bind(pool)
                .bind(drawn as i64 + 1),
        )
        .await?;
    Ok(open.len() <= drawn)
}

fn draw_controls(
    work: &mut Work<'_>,
    pool: i64,
    remembered: &AnnotatorState,
    want: usize,
) -> Result<Vec<i64>, StoreError> {
    let Some(state) = work.caches.pools.get(&pool) else {
        return Err(StoreError::missing("pool", pool));
    };
    let uses: Vec<ControlUse> = state
        .controls
        .iter()
        .zip(&state.control_ids)
        .map(|(c, id)| ControlUse {
            seen: remembered.seen.get(id).copied().unwrap_or(0),
            ..*c
        })
        .collect();
    let chosen = choose_controls(&uses, want, work.rng);
    if chosen.len() < want {
        return Err(StoreError::conflict(
            "TOO_FEW_CONTROLS",
            format!(
                "a suite needs {want} controls and the pool has {}",
                chosen.len()
            ),
        ));
    }
    Ok(chosen
        .into_iter()
        .map(|c| state.control_ids[c as usize])
        .collect())
}

fn count_uses(state: &mut PoolState, controls: &[i64]) {
    for control in controls {
        if let Ok(at) = state.control_ids.binary_search(control) {
            state.controls[at].uses += 1;
        }
    }
}

/// A name for an assignment that says its pool, as platforms do, and nothing else.
pub(super) fn opaque_name<R: Rng + ?Sized>(pool: i64, rng: &mut R) -> String {
    let mut bytes = [0u8; 12];
    for byte in &mut bytes {
        *byte = rng.random();
    }
    format!("{pool:010x}--{}", super::hex(&bytes))
}

/// An assignment with what is shown in it.
pub(super) async fn read_assignment(work: &mut Work<'_>, id: i64) -> Result<Assigned, StoreError> {
    let row = work
        .row(
            sql("SELECT name, annotator, pool, state, created, expires, tasks FROM assignment WHERE id = $1")
                .bind(id),
        )
        .await?
        .ok_or_else(|| StoreError::missing("assignment", id))?;
    let list: String = row.try_get(6)?;
    let tasks: Vec<i64> = serde_json::from_str(&list)?;
    let rows = work
        .rows(
            sql(format!(
                "SELECT id, content FROM task WHERE id IN {}",
                work.dialect.ids(1)
            ))
            .bind(list),
        )
        .await?;
    let mut contents = BTreeMap::new();
    for row in rows {
        let content: String = row.try_get(1)?;
        contents.insert(
            row.try_get::<i64, _>(0)?,
            serde_json::from_str::<Value>(&content)?,
        );
    }
    let pool = row.try_get(2)?;
    let settings = pools::load(work, pool).await?.settings.clone();
    if let Some(api) = &settings.api {
        for content in contents.values_mut() {
            *content = api.shown(content);
        }
    }
    Ok(Assigned {
        questions: settings.api.as_ref().map(|_| settings.questions.clone()),
        id,
        name: row.try_get(0)?,
        annotator: row.try_get(1)?,
        pool,
        state: row.try_get(3)?,
        created: row.try_get(4)?,
        expires: row.try_get(5)?,
        tasks: tasks
            .into_iter()
            .map(|task| ShownTask {
                task,
                content: contents.get(&task).cloned().unwrap_or(Value::Null),
            })
            .collect(),
    })
}

/// Ends an active assignment without votes, so that others get its items.
pub(super) async fn end(
    work: &mut Work<'_>,
    assignment: i64,
    state: &str,
    now: i64,
) -> Result<(), StoreError> {
    let row = work
        .row(
            sql("SELECT annotator, tasks, state, suite FROM assignment WHERE id = $1")
                .bind(assignment),
        )
        .await?
        .ok_or_else(|| StoreError::missing("assignment", assignment))?;
    let (annotator, tasks, old): (i64, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if old != "active" {
        return Ok(());
    }
    work.change(
        sql("UPDATE assignment SET state = $1, ended = $2 WHERE id = $3")
            .bind(state.to_owned())
            .bind(now)
            .bind(assignment),
    )
    .await?;
    // Uses of controls are not taken back: the annotator has seen them.
    work.change(
        sql(format!(
            "UPDATE task SET held = held - 1 WHERE kind = 0 AND id IN {}",
            work.dialect.ids(1)
        ))
        .bind(tasks),
    )
    .await?;
    if let Some(suite) = row.try_get::<Option<i64>, _>(3)? {
        work.change(sql("UPDATE suite SET held = held - 1 WHERE id = $1").bind(suite))
            .await?;
    }
    work.change(
        sql("UPDATE annotator SET active = NULL WHERE id = $1 AND active = $2")
            .bind(annotator)
            .bind(assignment),
    )
    .await?;
    work.log(
        now,
        &format!("suite {state}"),
        Some(annotator),
        Some(assignment),
        &json!({}),
    );
    Ok(())
}

/// Gives a suite back at the annotator's wish.
pub(super) async fn skip(
    work: &mut Work<'_>,
    annotator: i64,
    name: &str,
    now: i64,
) -> Result<Reply, StoreError> {
    let row = work
        .row(
            sql("SELECT id, annotator, state, pool FROM assignment WHERE name = $1")
                .bind(name.to_owned()),
        )
        .await?
        .ok_or_else(|| StoreError::missing("assignment", name))?;
    if row.try_get::<i64, _>(1)? != annotator {
        return Err(StoreError::missing("assignment", name));
    }
    let state: String = row.try_get(2)?;
    if state != "active" && state != "skipped" {
        return Err(StoreError::conflict(
            "INAPPROPRIATE_STATUS",
            format!("this suite is {state}"),
        ));
    }
    let id = row.try_get(0)?;
    end(work, id, "skipped", now).await?;
    if state == "active" {
        let (pool, event) = (row.try_get(3)?, toloka::Event::Skipped);
        toloka::look_at(work, annotator, pool, event, now).await?;
    }
    Ok(Reply::Done)
}

/// Takes back suites whose time has run out.
pub(super) async fn expire(work: &mut Work<'_>, now: i64) -> Result<Reply, StoreError> {
    let rows = work
        .rows(
            sql("SELECT id FROM assignment WHERE state = 'active' AND expires <= $1 ORDER BY expires LIMIT 500")
                .bind(now),
        )
        .await?;
    let n = rows.len();
    for row in rows {
        end(work, row.try_get(0)?, "expired", now).await?;
    }
    Ok(Reply::Count(n as u64))
}
