//! The database without the server: the same rows changed and written, in transactions of their own, nothing decided.
//!
//! Each connection has tasks and annotators of its own, so that no transaction ever waits for another's rows: more than any
//! server could hope for.

use super::servers::{connect, dialect, failed};
use crate::{
    Result,
    store::{Command, Dialect, NewTask, Reply, Store},
};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{AnyPool, AssertSqlSafe, query::Query};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// What the bare database does.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(super) struct Bare {
    pub(super) transactions_per_second: f64,
    pub(super) connections: usize,
}

/// Numbers of connections that are tried; the best counts. SQLite has one writer.
const CONNECTIONS: [usize; 3] = [8, 24, 56];

/// Tasks of a suite.
const SUITE: usize = 7;

/// A database with a pool in it.
pub(super) struct Bench {
    pool: AnyPool,
    dialect: Dialect,
    tasks: i64,
    first_task: i64,
    next_id: i64,
    /// By number of connections: transactions and seconds.
    done: Vec<(usize, u64, f64)>,
}

impl Bench {
    /// The same tables with as many tasks as the server's.
    pub(super) async fn new(url: &str, tasks: usize) -> Result<Self> {
        let store = Store::open(url).await?;
        let (_, first_task) = super::scaling::fill(&store, tasks).await?;
        let last = store
            .carry_out(Command::CreateProject {
                document: json!({}),
                now: 0,
            })
            .await?;
        let Reply::Id(last) = last else {
            return crate::problem("the database gave no number").fail();
        };
        store.close().await;
        let connections = if dialect(url) == Dialect::Sqlite {
            vec![1]
        } else {
            CONNECTIONS.to_vec()
        };
        Ok(Self {
            pool: connect(url).await?,
            dialect: dialect(url),
            tasks: tasks as i64,
            first_task,
            next_id: last + 1_000,
            done: connections.into_iter().map(|n| (n, 0, 0.0)).collect(),
        })
    }

    /// Works for a while, split among the numbers of connections.
    pub(super) async fn run(&mut self, time: Duration) -> Result<()> {
        let share = time / self.done.len() as u32;
        for at in 0..self.done.len() {
            let connections = self.done[at].0;
            let start = Instant::now();
            let mut workers = JoinSet::new();
            for worker in 0..connections {
                let own = Worker {
                    pool: self.pool.clone(),
                    sql: Arc::new(Statements::new(self.dialect)),
                    // Ids far apart.
                    id: self.next_id + worker as i64 * 1_000_000,
                    task: self.first_task + worker as i64 * (self.tasks / connections as i64),
                    tasks: self.tasks / connections as i64,
                };
                workers.spawn(own.work(start + share));
            }
            self.next_id += 100_000_000;
            let mut done = 0;
            while let Some(worker) = workers.join_next().await {
                done += worker.map_err(|e| crate::problem(e.to_string()))??;
            }
            self.done[at].1 += done;
            self.done[at].2 += start.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// The best of all numbers of connections.
    pub(super) fn result(&self) -> Bare {
        let rates = self
            .done
            .iter()
            .filter(|d| d.2 > 0.0)
            .map(|&(connections, n, seconds)| Bare {
                transactions_per_second: n as f64 / seconds,
                connections,
            });
        rates
            .max_by(|a, b| {
                a.transactions_per_second
                    .total_cmp(&b.transactions_per_second)
            })
            .unwrap_or_default()
    }
}

/// The statements' texts, made once.
struct Statements {
    hold: String,
    meet: String,
    accept: String,
    answers: String,
}

impl Statements {
    fn new(dialect: Dialect) -> Self {
        let ids = dialect.ids(1);
        let columns = [
            ("place", "BIGINT"),
            ("task", "BIGINT"),
            ("output", "TEXT"),
            ("edits", "BIGINT"),
            ("seconds", "DOUBLE PRECISION"),
        ];
        Self {
            hold: format!("UPDATE task SET held = held + 1 WHERE id IN {ids}"),
            meet: format!(
                "INSERT INTO met (annotator, task, times) SELECT $2, id, 1 FROM task WHERE id IN {ids} \
                 ON CONFLICT (annotator, task) DO UPDATE SET times = met.times + 1"
            ),
            accept: format!(
                "UPDATE task SET accepted = accepted + 1 WHERE kind = 0 AND id IN {ids}"
            ),
            answers: format!(
                "INSERT INTO answer (assignment, place, task, annotator, output, edits, seconds) \
                 SELECT $2, place, task, $3, output, edits, seconds FROM ({}) AS new",
                dialect.rows(1, &columns)
            ),
        }
    }
}

fn sql(text: &str) -> Query<'_, sqlx::Any, sqlx::any::AnyArguments> {
    sqlx::query(AssertSqlSafe(text.to_owned()))
}

struct Worker {
    pool: AnyPool,
    sql: Arc<Statements>,
    id: i64,
    task: i64,
    tasks: i64,
}

impl Worker {
    /// Suites given and submitted until the time is over; returns the transactions.
    async fn work(mut self, until: Instant) -> Result<u64> {
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let annotator = self.id;
        sql("INSERT INTO annotator (id, name, token, created, stage, version, active, answered, suites) \
             VALUES ($1, $2, $2, 0, 'work', 0, NULL, 0, 0)")
        .bind(annotator)
        .bind(format!("bare {annotator}"))
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
        let (mut done, mut suite) = (0, 0);
        while Instant::now() < until {
            // Far apart, as the random places of a pool are.
            let ids: Vec<i64> = (0..SUITE as i64)
                .map(|i| self.task + (suite * 7919 + i * 104_729) % self.tasks)
                .collect();
            let list = Value::from(ids.clone()).to_string();
            self.id += 3;
            let (assignment, event) = (self.id, self.id + 1);
            let mut next = sqlx::Connection::begin(&mut *connection)
                .await
                .map_err(failed)?;
            let assignment_row = sql("INSERT INTO assignment (id, name, annotator, pool, purpose, state, created, expires, tasks) \
                 VALUES ($1, $2, $3, 1, 'work', 'active', 0, 1200000, $4)")
            .bind(assignment)
            .bind(format!("0000000001--{assignment:024x}"))
            .bind(annotator)
            .bind(list.clone());
            let own = sql("UPDATE annotator SET active = $1, version = version + 1 WHERE id = $2")
                .bind(assignment)
                .bind(annotator);
            let log = |id: i64, kind: &'static str| {
                sql("INSERT INTO event (id, at, kind, annotator, subject, detail) VALUES ($1, 0, $2, $3, $4, '{}')")
                    .bind(id)
                    .bind(kind.to_owned())
                    .bind(annotator)
                    .bind(assignment)
            };
            for statement in [
                sql(&self.sql.hold).bind(list.clone()),
                sql(&self.sql.meet).bind(list.clone()).bind(annotator),
                assignment_row,
                own,
                log(event, "suite given"),
            ] {
                statement.execute(&mut *next).await.map_err(failed)?;
            }
            next.commit().await.map_err(failed)?;
            let rows: Vec<Value> = ids
                .iter()
                .enumerate()
                .map(|(place, task)| json!({ "place": place, "task": task, "output": "{\"age\":34,\"sex\":\"female\"}", "edits": 0, "seconds": 4.25 }))
                .collect();
            let mut submit = sqlx::Connection::begin(&mut *connection)
                .await
                .map_err(failed)?;
            for statement in [
                sql(&self.sql.answers).bind(Value::from(rows).to_string()).bind(assignment).bind(annotator),
                sql("UPDATE assignment SET state = 'accepted', ended = 0, token = 't' WHERE id = $1").bind(assignment),
                sql(&self.sql.accept).bind(list),
                sql("UPDATE annotator SET active = NULL, version = version + 1, answered = answered + 7, suites = suites + 1 WHERE id = $1")
                    .bind(annotator),
                log(event + 1, "suite submitted"),
            ] {
                statement.execute(&mut *submit).await.map_err(failed)?;
            }
            submit.commit().await.map_err(failed)?;
            done += 2;
            suite += 1;
        }
        Ok(done)
    }
}

/// Tasks that want many votes, and controls.
pub(super) fn tasks(from: usize, n: usize) -> Vec<NewTask> {
    use crate::store::Kind;
    let task = |i: usize, kind: Kind| {
        NewTask {
        name: format!("task {i:010}"),
        kind,
        wanted: 100,
        stratum: (i % 10) as u32,
        content: json!({ "picture": format!("shown/{i:032x}.jpg"), "text": null }),
        known: (kind != Kind::Real).then(|| json!([{ "output_values": { "age": 1 + i % 90, "sex": "female" }, "correctness_weight": 1 }])),
    }
    };
    (from..from + n)
        .map(|i| task(i, Kind::Real))
        .chain(
            (from == 0)
                .then_some(0..500)
                .into_iter()
                .flatten()
                .map(|i| task(usize::MAX - i, Kind::Control)),
        )
        .collect()
}
