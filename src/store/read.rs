//! Questions that change nothing: answered beside the writer, from what is committed.

use super::{Store, StoreError, db::sql, pools::PoolSettings};
use serde_json::Value;
use sqlx::{Row, any::AnyRow};

/// An annotator, for the requester's side.
#[derive(Debug, Clone, PartialEq)]
pub struct AnnotatorRow {
    /// Id in the database.
    pub id: i64,
    /// Name in votes and on platforms: 32 hexadecimal digits.
    pub name: String,
    /// When they signed up, ms.
    pub created: i64,
    /// Where on the way they are: consent, instructions, practice, work, erased.
    pub stage: String,
    /// Tasks answered.
    pub answered: i64,
    /// Suites submitted.
    pub suites: i64,
}

/// A pool with its document.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolRow {
    /// Id in the database.
    pub id: i64,
    /// Its project.
    pub project: i64,
    /// `OPEN`, `CLOSED`, `ARCHIVED`.
    pub status: String,
    /// When it was made, ms.
    pub created: i64,
    /// How its tasks are given out.
    pub settings: PoolSettings,
    /// What was said when it was made.
    pub document: Value,
}

/// How far a pool has come, in votes on real tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// Real tasks.
    pub tasks: i64,
    /// Votes wanted.
    pub wanted: i64,
    /// Votes that count.
    pub accepted: i64,
    /// Votes of suites now in annotators' hands.
    pub active: i64,
}

/// What an annotator said of themselves that can be held against their answers.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfReport {
    /// The annotator's name.
    pub annotator: String,
    /// When they said so, ms.
    pub said: i64,
    /// Year of birth.
    pub birth_year: Option<i64>,
    /// The error they expect of themselves.
    pub expected_error: Option<f64>,
}

/// One answered task.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAnswer {
    /// The assignment's id.
    pub assignment: i64,
    /// The assignment's opaque name.
    pub assignment_name: String,
    /// `accepted`, `submitted`, `rejected`.
    pub state: String,
    /// The annotator's name.
    pub annotator: String,
    /// The task's name in its pool.
    pub task: String,
    /// Place in the suite, from 0.
    pub place: i64,
    /// Answers by question.
    pub output: Value,
    /// Seconds the task was visible.
    pub seconds: Option<f64>,
    /// When it was submitted, ms.
    pub submitted: i64,
}

impl Store {
    /// The annotator whose token has this hash.
    pub async fn annotator_by_token(&self, hash: &str) -> Result<Option<AnnotatorRow>, StoreError> {
        let row = sql(
            "SELECT id, name, created, stage, answered, suites FROM annotator WHERE token = $1",
        )
        .bind(hash.to_owned())
        .fetch_optional(&self.database.pool)
        .await?;
        row.as_ref().map(annotator).transpose()
    }

    /// All annotators by id, from `after` on.
    pub async fn annotators(
        &self,
        after: i64,
        limit: i64,
    ) -> Result<Vec<AnnotatorRow>, StoreError> {
        let rows = sql("SELECT id, name, created, stage, answered, suites FROM annotator WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(after)
            .bind(limit)
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(annotator).collect()
    }

    /// All pools by id.
    pub async fn pools(&self) -> Result<Vec<PoolRow>, StoreError> {
        let rows =
            sql("SELECT id, project, status, created, settings, document FROM pool ORDER BY id")
                .fetch_all(&self.database.pool)
                .await?;
        rows.iter().map(pool).collect()
    }

    /// One pool.
    pub async fn pool(&self, id: i64) -> Result<PoolRow, StoreError> {
        let row =
            sql("SELECT id, project, status, created, settings, document FROM pool WHERE id = $1")
                .bind(id)
                .fetch_optional(&self.database.pool)
                .await?;
        pool(&row.ok_or_else(|| StoreError::missing("pool", id))?)
    }

    /// A value kept under a name.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = sql("SELECT value FROM setting WHERE name = $1")
            .bind(name.to_owned())
            .fetch_optional(&self.database.pool)
            .await?;
        Ok(match row {
            Some(row) => Some(row.try_get(0)?),
            None => None,
        })
    }

    /// How far a pool has come. Reads every task of the pool.
    pub async fn progress(&self, pool: i64) -> Result<Progress, StoreError> {
        let row = sql(
            "SELECT COUNT(*), CAST(COALESCE(SUM(wanted), 0) AS BIGINT), CAST(COALESCE(SUM(accepted), 0) AS BIGINT), \
             CAST(COALESCE(SUM(held - accepted), 0) AS BIGINT) FROM task WHERE pool = $1 AND kind = 0",
        )
        .bind(pool)
        .fetch_one(&self.database.pool)
        .await?;
        Ok(Progress {
            tasks: row.try_get(0)?,
            wanted: row.try_get(1)?,
            accepted: row.try_get(2)?,
            active: row.try_get(3)?,
        })
    }

    /// Answers of a pool in the order of their assignments, from `after` on; whole assignments, at least `limit` answers if
    /// there are so many.
    pub async fn answers(
        &self,
        pool: i64,
        after: i64,
        assignments: i64,
    ) -> Result<Vec<StoredAnswer>, StoreError> {
        let rows = sql(
            "SELECT a.id, a.name, a.state, annotator.name, task.name, answer.place, answer.output, answer.seconds, a.ended \
             FROM (SELECT id, name, state, annotator, ended FROM assignment WHERE pool = $1 AND id > $2 AND purpose = 'work' \
             AND state IN ('accepted', 'submitted', 'rejected') ORDER BY id LIMIT $3) AS a \
             JOIN answer ON answer.assignment = a.id JOIN task ON task.id = answer.task \
             JOIN annotator ON annotator.id = a.annotator ORDER BY a.id, answer.place",
        )
        .bind(pool)
        .bind(after)
        .bind(assignments)
        .fetch_all(&self.database.pool)
        .await?;
        let mut answers = Vec::with_capacity(rows.len());
        for row in rows {
            let output: String = row.try_get(6)?;
            answers.push(StoredAnswer {
                assignment: row.try_get(0)?,
                assignment_name: row.try_get(1)?,
                state: row.try_get(2)?,
                annotator: row.try_get(3)?,
                task: row.try_get(4)?,
                place: row.try_get(5)?,
                output: serde_json::from_str(&output)?,
                seconds: row.try_get(7)?,
                submitted: row.try_get(8)?,
            });
        }
        Ok(answers)
    }

    /// Names of a pool's tasks, in order.
    pub async fn task_names(&self, pool: i64) -> Result<Vec<String>, StoreError> {
        let rows = sql("SELECT name FROM task WHERE pool = $1 ORDER BY name")
            .bind(pool)
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// What is shown at a place of an assignment.
    pub async fn shown(&self, assignment: &str, place: usize) -> Result<Option<Value>, StoreError> {
        let row = sql("SELECT tasks FROM assignment WHERE name = $1")
            .bind(assignment.to_owned())
            .fetch_optional(&self.database.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let tasks: String = row.try_get(0)?;
        let tasks: Vec<i64> = serde_json::from_str(&tasks)?;
        match tasks.get(place) {
            Some(&task) => self.content(task).await,
            None => Ok(None),
        }
    }

    /// Whether tasks that this annotator has not met lack votes, and are all in the hands of others now.
    pub async fn must_wait(&self, annotator: i64, pool: i64) -> Result<bool, StoreError> {
        let row = sql(
            "SELECT task.id FROM task WHERE pool = $1 AND kind = 0 AND accepted < wanted AND NOT EXISTS \
             (SELECT 1 FROM met WHERE met.annotator = $2 AND met.task = task.id) \
             UNION ALL SELECT suite.id FROM suite WHERE pool = $1 AND accepted < wanted AND NOT EXISTS \
             (SELECT 1 FROM met WHERE met.annotator = $2 AND met.task = suite.first_task) LIMIT 1",
        )
        .bind(pool)
        .bind(annotator)
        .fetch_optional(&self.database.pool)
        .await?;
        Ok(row.is_some())
    }

    /// Whether an annotator holds a suite now.
    pub async fn is_active(&self, annotator: i64) -> Result<bool, StoreError> {
        let row = sql("SELECT active FROM annotator WHERE id = $1")
            .bind(annotator)
            .fetch_optional(&self.database.pool)
            .await?;
        let Some(row) = row else { return Ok(false) };
        Ok(row.try_get::<Option<i64>, _>(0)?.is_some())
    }

    /// All answers of an annotator, without what the tasks are; for the annotator's own copy of their data.
    pub async fn own_answers(&self, annotator: i64) -> Result<Vec<Value>, StoreError> {
        let rows = sql(
            "SELECT a.name, a.state, a.created, a.ended, answer.place, answer.output, answer.seconds FROM answer \
             JOIN assignment AS a ON a.id = answer.assignment WHERE answer.annotator = $1 ORDER BY a.id, answer.place",
        )
        .bind(annotator)
        .fetch_all(&self.database.pool)
        .await?;
        let mut answers = Vec::with_capacity(rows.len());
        for row in rows {
            let output: String = row.try_get(5)?;
            answers.push(serde_json::json!({
                "assignment": row.try_get::<String, _>(0)?,
                "state": row.try_get::<String, _>(1)?,
                "given": row.try_get::<i64, _>(2)?,
                "submitted": row.try_get::<Option<i64>, _>(3)?,
                "place": row.try_get::<i64, _>(4)?,
                "output": serde_json::from_str::<Value>(&output)?,
                "seconds": row.try_get::<Option<f64>, _>(6)?,
            }));
        }
        Ok(answers)
    }

    /// What annotators said of themselves, where it says something of their answers: name, when they said it (ms), year of birth, the error they
    /// expect. Never contact or language.
    pub async fn self_reports(&self) -> Result<Vec<SelfReport>, StoreError> {
        let rows = sql(
            "SELECT annotator.name, profile.consented, profile.birth_year, profile.expected_error FROM profile \
             JOIN annotator ON annotator.id = profile.annotator \
             WHERE profile.birth_year IS NOT NULL OR profile.expected_error IS NOT NULL ORDER BY annotator.name",
        )
        .fetch_all(&self.database.pool)
        .await?;
        let one = |row: &AnyRow| -> Result<SelfReport, StoreError> {
            Ok(SelfReport {
                annotator: row.try_get(0)?,
                said: row.try_get(1)?,
                birth_year: row.try_get(2)?,
                expected_error: row.try_get(3)?,
            })
        };
        rows.iter().map(one).collect()
    }

    /// What an annotator said of themselves.
    pub async fn profile(&self, annotator: i64) -> Result<Option<Value>, StoreError> {
        let row = sql("SELECT consented, birth_year, expected_error, contact, language FROM profile WHERE annotator = $1")
            .bind(annotator)
            .fetch_optional(&self.database.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(serde_json::json!({
            "consented": row.try_get::<i64, _>(0)?,
            "birth_year": row.try_get::<Option<i64>, _>(1)?,
            "expected_error": row.try_get::<Option<f64>, _>(2)?,
            "contact": row.try_get::<Option<String>, _>(3)?,
            "language": row.try_get::<Option<String>, _>(4)?,
        })))
    }
}

fn annotator(row: &AnyRow) -> Result<AnnotatorRow, StoreError> {
    Ok(AnnotatorRow {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        created: row.try_get(2)?,
        stage: row.try_get(3)?,
        answered: row.try_get(4)?,
        suites: row.try_get(5)?,
    })
}

pub(super) fn pool(row: &AnyRow) -> Result<PoolRow, StoreError> {
    let (settings, document): (String, String) = (row.try_get(4)?, row.try_get(5)?);
    Ok(PoolRow {
        id: row.try_get(0)?,
        project: row.try_get(1)?,
        status: row.try_get(2)?,
        created: row.try_get(3)?,
        settings: serde_json::from_str(&settings)?,
        document: serde_json::from_str(&document)?,
    })
}
