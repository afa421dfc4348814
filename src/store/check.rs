//! Whether what is stored is as it must be.

use super::{Store, StoreError, db::sql};
use sqlx::Row;

impl Store {
    /// What is wrong with the stored votes, in sentences; nothing where every promise holds. Reads everything.
    pub async fn broken(&self) -> Result<Vec<String>, StoreError> {
        let checks = [
            (
                "items have more votes than wanted",
                "SELECT COUNT(*) FROM task WHERE kind = 0 AND held > wanted",
            ),
            (
                "items have more accepted votes than given ones",
                "SELECT COUNT(*) FROM task WHERE kind = 0 AND accepted > held",
            ),
            (
                "times an annotator met an item twice",
                "SELECT COUNT(*) FROM met JOIN task ON task.id = met.task WHERE task.kind = 0 AND met.times > 1",
            ),
            (
                "annotators have two votes on an item",
                "SELECT COUNT(*) FROM (SELECT answer.annotator FROM answer JOIN task ON task.id = answer.task \
                 JOIN assignment ON assignment.id = answer.assignment WHERE task.kind = 0 AND assignment.purpose = 'work' \
                 GROUP BY answer.annotator, answer.task HAVING COUNT(*) > 1) AS twice",
            ),
            (
                "items whose counted votes are not those stored",
                "SELECT COUNT(*) FROM task LEFT JOIN (SELECT answer.task AS task, COUNT(*) AS n FROM answer \
                 JOIN assignment ON assignment.id = answer.assignment WHERE assignment.counted = 1 \
                 AND assignment.state IN ('submitted', 'accepted') GROUP BY answer.task) AS votes ON votes.task = task.id \
                 WHERE task.kind = 0 AND task.accepted <> COALESCE(votes.n, 0)",
            ),
            (
                "submitted suites without all their answers",
                "SELECT COUNT(*) FROM assignment WHERE purpose = 'work' AND state IN ('submitted', 'accepted') \
                 AND NOT EXISTS (SELECT 1 FROM answer WHERE answer.assignment = assignment.id)",
            ),
        ];
        let mut broken = Vec::new();
        for (what, text) in checks {
            let row = sql(text).fetch_one(&self.database.pool).await?;
            let n: i64 = row.try_get(0)?;
            if n > 0 {
                broken.push(format!("{n} {what}"));
            }
        }
        Ok(broken)
    }

    /// Suites that came back.
    pub async fn submitted(&self) -> Result<i64, StoreError> {
        let row = sql("SELECT COUNT(*) FROM assignment WHERE purpose = 'work' AND state IN ('submitted', 'accepted')")
            .fetch_one(&self.database.pool)
            .await?;
        Ok(row.try_get(0)?)
    }
}
