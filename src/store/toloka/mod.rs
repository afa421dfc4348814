//! What a requester's program changes: projects, pools, tasks, assignments, restrictions and skills, in the words of Toloka's API.
//!
//! Its pools are pools like the campaign's own: the same tables, the same assignment, the same bans. What is added beside
//! them: operations with logs, suites put together by hand, skills, and quality rules that act as those of Toloka do.

mod assignments;
pub mod ids;
mod operations;
mod people;
mod pools;
pub mod quality;
pub mod read;
mod rules;
pub mod settings;
mod suites;
mod tasks;
#[cfg(test)]
mod tests;

pub use operations::{LogEntry, NewOperation, Outcome};
pub use people::Restricting;
pub use settings::{ApiPool, Input, InputKind, Output, OutputKind};
pub use tasks::{Batch, BatchSuite, BatchTask, OverlapChange, Rejected};
pub(super) use {
    pools::close_if_complete,
    rules::{Event, look_at},
    suites::{admits, next_by_hand},
};

use super::{PoolSettings, StoreError, command::Reply, db::Work};
use serde_json::Value;

/// A change asked for by a requester's program.
#[derive(Debug, Clone)]
#[allow(
    missing_docs,
    reason = "fields are named for what they are; the functions that carry them out say more"
)]
pub enum Change {
    ChangeProject {
        project: i64,
        document: Value,
    },
    ArchiveProject {
        project: i64,
        operation: NewOperation,
    },
    /// Opens, closes or archives a pool: `Done` if it was so already, else the operation.
    SetStatus {
        pool: i64,
        status: &'static str,
        reason: Option<&'static str>,
        operation: NewOperation,
    },
    ClonePool {
        pool: i64,
        operation: NewOperation,
    },
    AddTasks(Box<Batch>),
    AddSuites(Box<Batch>),
    ChangeTask {
        task: i64,
        overlap: OverlapChange,
        known: Option<Value>,
        extra: Option<Value>,
    },
    ChangeSuite {
        suite: i64,
        overlap: OverlapChange,
        place: Option<f64>,
        extra: Option<Value>,
    },
    Judge {
        assignment: String,
        accept: Option<bool>,
        comment: Option<String>,
    },
    Restrict(Restricting),
    CreateSkill {
        document: Value,
    },
    ChangeSkill {
        skill: i64,
        document: Value,
    },
    SetSkill {
        annotator: i64,
        skill: i64,
        value: f64,
    },
    DeleteSkill {
        id: i64,
    },
    Begin(NewOperation),
    Finish {
        operation: String,
        outcome: Outcome,
    },
    /// What time brings: pools that end, suites that are accepted.
    Tick,
}

/// Decides and writes one change.
pub(super) async fn carry_out(
    work: &mut Work<'_>,
    change: &Change,
    now: i64,
) -> Result<Reply, StoreError> {
    match change {
        Change::ChangeProject { project, document } => {
            pools::change_project(work, *project, document, now).await
        }
        Change::ArchiveProject { project, operation } => {
            pools::archive_project(work, *project, operation, now).await
        }
        Change::SetStatus {
            pool,
            status,
            reason,
            operation,
        } => pools::set_status(work, *pool, status, *reason, operation, now).await,
        Change::ClonePool { pool, operation } => pools::clone(work, *pool, operation, now).await,
        Change::AddTasks(batch) => tasks::add(work, batch, now).await,
        Change::AddSuites(batch) => suites::add(work, batch, now).await,
        Change::ChangeTask {
            task,
            overlap,
            known,
            extra,
        } => tasks::change(work, *task, *overlap, known.as_ref(), extra.as_ref()).await,
        Change::ChangeSuite {
            suite,
            overlap,
            place,
            extra,
        } => suites::change(work, *suite, *overlap, *place, extra.as_ref()).await,
        Change::Judge {
            assignment,
            accept,
            comment,
        } => assignments::judge(work, assignment, *accept, comment.as_deref(), now).await,
        Change::Restrict(restricting) => people::restrict(work, restricting, now).await,
        Change::CreateSkill { document } => people::create_skill(work, document, now).await,
        Change::ChangeSkill { skill, document } => {
            people::change_skill(work, *skill, document).await
        }
        Change::SetSkill {
            annotator,
            skill,
            value,
        } => people::set_skill(work, *annotator, *skill, *value, now).await,
        Change::DeleteSkill { id } => people::delete_skill(work, *id).await,
        Change::Begin(operation) => operations::begin(work, operation, now).await,
        Change::Finish { operation, outcome } => {
            operations::finish(work, operation, outcome, now).await
        }
        Change::Tick => pools::tick(work, now).await,
    }
}

/// The API's part of a pool's settings.
fn api(settings: &PoolSettings) -> Result<&ApiPool, StoreError> {
    settings.api.as_deref().ok_or_else(|| {
        StoreError::conflict(
            "CONFLICT_STATE",
            "this pool is that of campaign.toml: change it there, and start the server again",
        )
    })
}
