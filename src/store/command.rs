//! What can be asked of the store, and its answers.

use super::{
    StoreError, answers, bans,
    db::{Work, sql},
    messages, people,
    pools::{self, NewTask, PoolSettings},
    practice, suites, toloka,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// What is shown of one task: nothing here tells a control.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownTask {
    /// Its id in the database, for the server's side only.
    pub task: i64,
    /// What is shown.
    pub content: Value,
}

/// A suite in an annotator's hands.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigned {
    /// Its id in the database.
    pub id: i64,
    /// Its opaque name.
    pub name: String,
    /// Whose it is.
    pub annotator: i64,
    /// Of which pool.
    pub pool: i64,
    /// `active`, or how it ended.
    pub state: String,
    /// When it was given, ms.
    pub created: i64,
    /// When it goes back, ms.
    pub expires: i64,
    /// What is shown, in this order.
    pub tasks: Vec<ShownTask>,
    /// What is asked, where it is not what the campaign asks.
    pub questions: Option<Vec<veche_pools::Question>>,
}

/// One answered task of a submission.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GivenAnswer {
    /// `{"age": 34, "sex": "female"}`.
    pub output: Value,
    /// What was answered first, where it was changed.
    #[serde(default)]
    pub first: Option<Value>,
    /// How often it was changed.
    #[serde(default)]
    pub edits: i64,
    /// Seconds the task was visible.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// Moments as the browser saw them.
    #[serde(default)]
    pub timing: Option<Value>,
    /// The annotator could not tell: missing answers are taken.
    #[serde(default)]
    pub unsure: bool,
}

/// A suite that comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// Its opaque name.
    pub assignment: String,
    /// Chosen by who submits; the same submission again carries the same token.
    pub token: String,
    /// One per task, in the order shown.
    pub answers: Vec<GivenAnswer>,
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Submitted {
    /// It is stored.
    Taken {
        /// It had been before.
        repeated: bool,
        /// The rules have shut the annotator out on it.
        banned: bool,
        /// Mean |error| on controls so far, from five on, in the question's unit.
        mean_error: Option<f64>,
    },
    /// Its time had run out or it was taken back: nothing is stored.
    Late,
}

/// What an annotator says of themselves.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Year of birth.
    pub birth_year: Option<i64>,
    /// How far off they expect to be, in the question's unit.
    pub expected_error: Option<f64>,
    /// How to reach them.
    pub contact: Option<String>,
    /// Language of the page.
    pub language: Option<String>,
}

/// How far a ban reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// One project's pools.
    Project(i64),
    /// One pool.
    Pool(i64),
}

/// A ban to be spoken.
#[derive(Debug, Clone, PartialEq)]
pub struct Restriction {
    /// Who.
    pub annotator: i64,
    /// Where.
    pub scope: Scope,
    /// `rule` or `requester`.
    pub origin: String,
    /// Why, in words.
    pub comment: String,
    /// Why, in numbers.
    pub evidence: Option<Value>,
    /// Until when, ms; for ever if empty.
    pub until: Option<i64>,
    /// Ask others for the votes.
    pub reopen: bool,
}

/// A change, with the time at which it was asked for (ms).
#[derive(Debug, Clone)]
#[allow(
    missing_docs,
    reason = "fields are named for what they are; the functions that carry them out say more"
)]
pub enum Command {
    Campaign {
        settings: PoolSettings,
        document: Value,
        now: i64,
    },
    Retire {
        pool: i64,
        names: Arc<Vec<String>>,
        now: i64,
    },
    CreateProject {
        document: Value,
        now: i64,
    },
    CreatePool {
        project: i64,
        status: String,
        settings: PoolSettings,
        document: Value,
        now: i64,
    },
    ChangePool {
        pool: i64,
        status: Option<String>,
        settings: Option<PoolSettings>,
        document: Option<Value>,
        now: i64,
    },
    AddTasks {
        pool: i64,
        tasks: Arc<Vec<NewTask>>,
        now: i64,
    },
    SignUp {
        name: String,
        token_hash: String,
        invitation: Option<String>,
        now: i64,
    },
    Invite {
        code: String,
        uses: i64,
        note: String,
        now: i64,
    },
    SetProfile {
        annotator: i64,
        profile: Profile,
        now: i64,
    },
    SetStage {
        annotator: i64,
        stage: String,
        now: i64,
    },
    Erase {
        annotator: i64,
        now: i64,
    },
    Next {
        annotator: i64,
        pool: i64,
        now: i64,
    },
    Submit {
        annotator: i64,
        submission: Submission,
        now: i64,
    },
    Skip {
        annotator: i64,
        assignment: String,
        now: i64,
    },
    Expire {
        now: i64,
    },
    PracticeNext {
        annotator: i64,
        pool: i64,
        now: i64,
    },
    PracticeAnswer {
        annotator: i64,
        pool: i64,
        number: usize,
        output: Value,
        now: i64,
    },
    Toloka {
        change: toloka::Change,
        now: i64,
    },
    SetOnce {
        name: String,
        value: String,
    },
    Restrict {
        restriction: Restriction,
        now: i64,
    },
    Lift {
        restriction: i64,
        now: i64,
    },
    SendMessage {
        annotator: i64,
        text: String,
        now: i64,
    },
    SeenMessages {
        annotator: i64,
        up_to: i64,
        now: i64,
    },
    /// Something for the log that changes nothing.
    Note {
        kind: String,
        annotator: Option<i64>,
        detail: Value,
        now: i64,
    },
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It is done.
    Done,
    /// What was made has this id.
    Id(i64),
    /// So many.
    Count(u64),
    /// A suite, or nothing to do.
    Suite(Option<Assigned>),
    /// What became of a submission.
    Submitted(Submitted),
    /// A practice task: the name of its assignment, its place from 0, how many there are, and what is shown; or no more.
    Practice(Option<(String, usize, usize, Value)>),
    /// A document.
    Value(Value),
    /// A text.
    Text(String),
}

/// Decides and writes one command. A refusal has written nothing.
pub(super) async fn carry_out(work: &mut Work<'_>, command: &Command) -> Result<Reply, StoreError> {
    match command {
        Command::Campaign {
            settings,
            document,
            now,
        } => pools::campaign(work, settings, document, *now).await,
        Command::Retire { pool, names, now } => pools::retire(work, *pool, names, *now).await,
        Command::CreateProject { document, now } => {
            pools::create_project(work, document, *now).await
        }
        Command::CreatePool {
            project,
            status,
            settings,
            document,
            now,
        } => pools::create_pool(work, *project, status, settings, document, *now).await,
        Command::ChangePool {
            pool,
            status,
            settings,
            document,
            now,
        } => {
            pools::change_pool(
                work,
                *pool,
                status.as_deref(),
                settings.as_ref(),
                document.as_ref(),
                *now,
            )
            .await
        }
        Command::AddTasks { pool, tasks, now } => pools::add_tasks(work, *pool, tasks, *now).await,
        Command::SignUp {
            name,
            token_hash,
            invitation,
            now,
        } => people::sign_up(work, name, token_hash, invitation.as_deref(), *now).await,
        Command::Invite {
            code,
            uses,
            note,
            now,
        } => people::invite(work, code, *uses, note, *now).await,
        Command::SetProfile {
            annotator,
            profile,
            now,
        } => people::set_profile(work, *annotator, profile, *now).await,
        Command::SetStage {
            annotator,
            stage,
            now,
        } => people::set_stage(work, *annotator, stage, *now).await,
        Command::Erase { annotator, now } => people::erase(work, *annotator, *now).await,
        Command::Next {
            annotator,
            pool,
            now,
        } => suites::next(work, *annotator, *pool, *now).await,
        Command::Submit {
            annotator,
            submission,
            now,
        } => answers::submit(work, *annotator, submission, *now).await,
        Command::Skip {
            annotator,
            assignment,
            now,
        } => suites::skip(work, *annotator, assignment, *now).await,
        Command::Expire { now } => suites::expire(work, *now).await,
        Command::PracticeNext {
            annotator,
            pool,
            now,
        } => practice::next(work, *annotator, *pool, *now).await,
        Command::PracticeAnswer {
            annotator,
            pool,
            number,
            output,
            now,
        } => practice::answer(work, *annotator, *pool, *number, output, *now).await,
        Command::Toloka { change, now } => toloka::carry_out(work, change, *now).await,
        Command::SetOnce { name, value } => set_once(work, name, value).await,
        Command::Restrict { restriction, now } => bans::restrict(work, restriction, *now).await,
        Command::Lift { restriction, now } => bans::lift(work, *restriction, *now).await,
        Command::SendMessage {
            annotator,
            text,
            now,
        } => messages::send(work, *annotator, text, *now).await,
        Command::SeenMessages {
            annotator,
            up_to,
            now,
        } => messages::seen(work, *annotator, *up_to, *now).await,
        Command::Note {
            kind,
            annotator,
            detail,
            now,
        } => {
            work.log(*now, kind, *annotator, None, detail);
            Ok(Reply::Done)
        }
    }
}

/// Keeps a value under a name unless there is one already; returns the one that is kept.
async fn set_once(work: &mut Work<'_>, name: &str, value: &str) -> Result<Reply, StoreError> {
    use sqlx::Row;
    work.change(
        sql("INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name.to_owned())
            .bind(value.to_owned()),
    )
    .await?;
    let row = work
        .row(sql("SELECT value FROM setting WHERE name = $1").bind(name.to_owned()))
        .await?
        .ok_or_else(|| StoreError::missing("setting", name))?;
    Ok(Reply::Text(row.try_get(0)?))
}
