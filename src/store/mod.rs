//! The collected votes: SQLite embedded, PostgreSQL when outgrown. One set of statements serves both.
//!
//! All changes go through one writing task per server (`batch`), which decides with the pure functions of `veche-pools`,
//! writes, commits, and only then answers. Several servers may share one PostgreSQL: their batches take turns.

mod answers;
mod bans;
mod batch;
mod board;
mod cache;
mod check;
mod command;
mod db;
mod dialect;
mod error;
mod history;
mod messages;
mod people;
mod pools;
mod practice;
mod read;
mod suites;
pub mod toloka;

#[cfg(test)]
mod tests;

pub use board::{ControlAnswer, Counts, Held};
pub use command::{
    Assigned, Command, GivenAnswer, Profile, Reply, Restriction, Scope, ShownTask, Submission,
    Submitted,
};
pub use db::{connect, database_url};
pub use dialect::Dialect;
pub use error::{FieldProblem, StoreError};
pub use messages::{Event, Message};
pub use pools::{Kind, NewTask, PoolSettings, truth_of};
pub use read::{AnnotatorRow, PoolRow, Progress, SelfReport, StoredAnswer};

use crate::Result;
use batch::{Job, Writer};
use db::Database;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait for the writer before further ones are held up.
const WAITING: usize = 4096;

/// A handle on the store; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    jobs: mpsc::Sender<Job>,
    writer: Arc<tokio::sync::Mutex<Option<tokio::task::JoinHandle<()>>>>,
}

impl Store {
    /// Opens (and creates, if need be) the database at `sqlite://…` or `postgres://…`, and starts the writing task.
    pub async fn open(url: &str) -> Result<Self> {
        let database = Database::open(url).await?;
        let (jobs, waiting) = mpsc::channel(WAITING);
        let writer = Writer::new(database.clone()).map_err(|e| crate::problem(e.to_string()))?;
        let task = tokio::spawn(writer.run(waiting));
        Ok(Self {
            database,
            jobs,
            writer: Arc::new(tokio::sync::Mutex::new(Some(task))),
        })
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        self.database.dialect
    }

    /// Carries out a change. When this returns `Ok`, it is on disk.
    pub async fn carry_out(&self, command: Command) -> Result<Reply, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.jobs
            .send(Job { command, reply })
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Finishes what is waiting and closes the database. Other handles get [`StoreError::Closed`] from then on.
    pub async fn close(self) {
        let Self {
            database,
            jobs,
            writer,
        } = self;
        drop(jobs);
        let task = writer.lock().await.take();
        if let Some(task) = task {
            // Ends when the last handle is gone; those still in requests' hands are given a moment.
            let _ = tokio::time::timeout(std::time::Duration::from_secs(10), task).await;
        }
        database.pool.close().await;
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
