//! What the requester's dashboard is made of.

use super::{Store, StoreError, db::sql};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row};

/// Counts of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Real tasks with all their votes.
    pub finished: i64,
    /// Suites in annotators' hands.
    pub suites_active: i64,
    /// Annotators that ever signed up.
    pub annotators: i64,
    /// Annotators that submitted since a moment.
    pub active: i64,
    /// Annotators with a ban that holds.
    pub banned: i64,
}

/// An answer to a control, for errors of annotators and of controls.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlAnswer {
    /// Who answered.
    pub annotator: i64,
    /// Which control.
    pub task: i64,
    /// Answers by question.
    pub output: Value,
    /// Seconds the task was visible.
    pub seconds: Option<f64>,
}

/// A ban that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Its id.
    pub id: i64,
    /// Who.
    pub annotator: i64,
    /// `rule`, `requester` or `exam`.
    pub origin: String,
    /// Why, in words.
    pub comment: String,
    /// Since when, ms.
    pub created: i64,
}

impl Store {
    /// Counts of a pool at a moment; active annotators are those that submitted after `since`.
    pub async fn counts(&self, pool: i64, now: i64, since: i64) -> Result<Counts, StoreError> {
        let one = async |text: &'static str, value: Option<i64>| -> Result<i64, StoreError> {
            let query = sqlx::query(AssertSqlSafe(text));
            let query = match value {
                Some(value) => query.bind(value),
                None => query,
            };
            Ok(query.fetch_one(&self.database.pool).await?.try_get(0)?)
        };
        Ok(Counts {
            finished: one(
                "SELECT COUNT(*) FROM task WHERE pool = $1 AND kind = 0 AND accepted >= wanted",
                Some(pool),
            )
            .await?,
            suites_active: one(
                "SELECT COUNT(*) FROM assignment WHERE pool = $1 AND state = 'active'",
                Some(pool),
            )
            .await?,
            annotators: one("SELECT COUNT(*) FROM annotator", None).await?,
            active: one(
                "SELECT COUNT(DISTINCT annotator) FROM assignment WHERE ended > $1 AND state IN ('accepted', 'submitted')",
                Some(since),
            )
            .await?,
            banned: one(
                "SELECT COUNT(DISTINCT annotator) FROM restriction WHERE lifted IS NULL AND (until IS NULL OR until > $1)",
                Some(now),
            )
            .await?,
        })
    }

    /// Votes on real tasks by hour since 1970, from an hour on.
    pub async fn votes_per_hour(
        &self,
        pool: i64,
        from: i64,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let rows = sql(
            "SELECT assignment.ended / 3600000, COUNT(*) FROM assignment JOIN answer ON answer.assignment = assignment.id \
             JOIN task ON task.id = answer.task WHERE assignment.pool = $1 AND assignment.ended >= $2 AND task.kind = 0 \
             GROUP BY assignment.ended / 3600000 ORDER BY 1",
        )
        .bind(pool)
        .bind(from * 3_600_000)
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    /// All answers to a pool's hidden controls.
    pub async fn control_answers(&self, pool: i64) -> Result<Vec<ControlAnswer>, StoreError> {
        let rows = sql(
            "SELECT answer.annotator, answer.task, answer.output, answer.seconds FROM task \
             JOIN answer ON answer.task = task.id JOIN assignment ON assignment.id = answer.assignment \
             WHERE task.pool = $1 AND task.kind = 1 AND assignment.purpose = 'work' ORDER BY answer.assignment, answer.place",
        )
        .bind(pool)
        .fetch_all(&self.database.pool)
        .await?;
        let mut answers = Vec::with_capacity(rows.len());
        for row in rows {
            let output: String = row.try_get(2)?;
            answers.push(ControlAnswer {
                annotator: row.try_get(0)?,
                task: row.try_get(1)?,
                output: serde_json::from_str(&output)?,
                seconds: row.try_get(3)?,
            });
        }
        Ok(answers)
    }

    /// Known solutions of a pool's controls, by task.
    pub async fn known_solutions(&self, pool: i64) -> Result<Vec<(i64, Value)>, StoreError> {
        let rows = sql("SELECT id, known FROM task WHERE pool = $1 AND kind = 1 AND known IS NOT NULL ORDER BY id")
            .bind(pool)
            .fetch_all(&self.database.pool)
            .await?;
        let mut known = Vec::with_capacity(rows.len());
        for row in rows {
            let text: String = row.try_get(1)?;
            known.push((row.try_get(0)?, serde_json::from_str(&text)?));
        }
        Ok(known)
    }

    /// What a task shows.
    pub async fn content(&self, task: i64) -> Result<Option<Value>, StoreError> {
        let row = sql("SELECT content FROM task WHERE id = $1")
            .bind(task)
            .fetch_optional(&self.database.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let content: String = row.try_get(0)?;
        Ok(Some(serde_json::from_str(&content)?))
    }

    /// When each annotator submitted last, ms.
    pub async fn last_submitted(&self, pool: i64) -> Result<Vec<(i64, i64)>, StoreError> {
        let rows = sql("SELECT annotator, MAX(ended) FROM assignment WHERE pool = $1 AND state IN ('accepted', 'submitted') GROUP BY annotator")
            .bind(pool)
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    /// Bans that hold now; of one annotator, or of all.
    pub async fn bans(&self, annotator: Option<i64>, now: i64) -> Result<Vec<Held>, StoreError> {
        let rows = sql(
            "SELECT id, annotator, origin, comment, created FROM restriction WHERE lifted IS NULL \
             AND (until IS NULL OR until > $1) AND (annotator = $2 OR $2 = -1) ORDER BY id",
        )
        .bind(now)
        .bind(annotator.unwrap_or(-1))
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Held {
                    id: row.try_get(0)?,
                    annotator: row.try_get(1)?,
                    origin: row.try_get(2)?,
                    comment: row.try_get(3)?,
                    created: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// The annotator of this name.
    pub async fn annotator_by_name(&self, name: &str) -> Result<Option<i64>, StoreError> {
        let row = sql("SELECT id FROM annotator WHERE name = $1")
            .bind(name.to_owned())
            .fetch_optional(&self.database.pool)
            .await?;
        Ok(match row {
            Some(row) => Some(row.try_get(0)?),
            None => None,
        })
    }
}
