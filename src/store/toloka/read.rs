//! Questions of requesters' programs, answered beside the writer from what is committed.

use crate::store::{PoolRow, Store, StoreError, db::sql, pools::text_of, read::pool as pool_row};
use serde_json::{Value, json};
use sqlx::{Row, any::AnyRow, query::Query};

/// A moment as platforms write it: UTC, milliseconds, no zone.
pub fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| String::new(),
        |t| t.strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string(),
    )
}

/// An operation as clients see it.
pub fn operation_view(
    id: &str,
    kind: &str,
    status: &str,
    submitted: i64,
    finished: Option<i64>,
    parameters: &Value,
    details: &Value,
) -> Value {
    let mut view = json!({
        "id": id, "type": kind, "status": status, "submitted": moment(submitted), "started": moment(submitted),
        "progress": if finished.is_some() { 100 } else { 0 }, "parameters": parameters, "details": details,
    });
    if let Some(finished) = finished {
        view["finished"] = Value::from(moment(finished));
    }
    view
}

/// A project.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the columns of the schema")]
pub struct ProjectRow {
    pub id: i64,
    pub status: String,
    pub created: i64,
    pub document: Value,
}

/// A pool, and when it was opened and closed.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the columns of the schema")]
pub struct PoolMore {
    pub row: PoolRow,
    pub started: Option<i64>,
    pub stopped: Option<i64>,
    pub close_reason: Option<String>,
}

/// A task.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the columns of the schema")]
pub struct TaskRow {
    pub id: i64,
    pub pool: i64,
    pub kind: i64,
    pub wanted: i64,
    pub held: i64,
    pub content: Value,
    pub known: Option<Value>,
    pub extra: Value,
    pub created: i64,
}

/// A suite put together by hand.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the columns of the schema")]
pub struct SuiteRow {
    pub id: i64,
    pub pool: i64,
    pub wanted: i64,
    pub held: i64,
    pub tasks: Vec<i64>,
    pub extra: Value,
    pub created: i64,
}

/// An assignment with its answers.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the columns of the schema")]
pub struct AssignmentRow {
    pub id: i64,
    pub name: String,
    pub annotator: String,
    pub pool: i64,
    pub state: String,
    pub created: i64,
    pub ended: Option<i64>,
    pub decided: Option<i64>,
    pub tasks: Vec<i64>,
    pub suite: Option<i64>,
    pub comment: Option<String>,
    /// By place; empty where nothing was submitted.
    pub outputs: Vec<Value>,
}

/// A line of an operation's log.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the columns of the schema")]
pub struct LogRow {
    pub kind: String,
    pub success: bool,
    pub subject: Option<i64>,
    pub mark: Option<String>,
    pub document: Option<Value>,
}

/// A restriction that holds.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the columns of the schema")]
pub struct RestrictionRow {
    pub id: i64,
    pub annotator: String,
    pub scope: String,
    pub project: Option<i64>,
    pub pool: Option<i64>,
    pub comment: String,
    pub created: i64,
    pub until: Option<i64>,
}

/// An annotator's value of a skill.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the columns of the schema")]
pub struct AnnotatorSkill {
    pub id: i64,
    pub annotator: String,
    pub skill: i64,
    pub value: f64,
    pub created: i64,
    pub modified: i64,
}

/// A value that a column is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// A number, an id, a moment.
    Number(i64),
    /// A name.
    Text(String),
}

/// What of a large table is wanted. Expressions and operators are constants of the program; values are parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Search {
    /// `("task.id >", bound)`
    pub conditions: Vec<(String, Bound)>,
    /// Conditions without a value.
    pub also: Vec<String>,
    /// `("task.id", descending)`
    pub order: Vec<(String, bool)>,
    /// At most so many.
    pub limit: i64,
}

impl Search {
    fn text(&self, select: &str) -> String {
        let mut parts: Vec<String> = self
            .conditions
            .iter()
            .enumerate()
            .map(|(i, (condition, _))| match condition.contains('?') {
                true => condition.replace('?', &format!("${}", i + 1)),
                false => format!("{condition} ${}", i + 1),
            })
            .collect();
        parts.extend(self.also.iter().cloned());
        let clause = if parts.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", parts.join(" AND "))
        };
        let order: Vec<String> = self
            .order
            .iter()
            .map(|(column, down)| format!("{column}{}", if *down { " DESC" } else { "" }))
            .collect();
        format!(
            "{select}{clause} ORDER BY {} LIMIT {}",
            order.join(", "),
            self.limit
        )
    }

    fn bound(&self, select: &str) -> Query<'static, sqlx::Any, sqlx::any::AnyArguments> {
        let mut query = sql(self.text(select));
        for (_, value) in &self.conditions {
            query = match value {
                Bound::Number(n) => query.bind(*n),
                Bound::Text(text) => query.bind(text.clone()),
            };
        }
        query
    }
}

fn json_of(text: Option<String>) -> Result<Value, StoreError> {
    Ok(match text {
        Some(text) => serde_json::from_str(&text)?,
        None => Value::Null,
    })
}

const PROJECTS: &str = "SELECT id, status, created, document FROM project";
const POOLS: &str = "SELECT id, project, status, created, settings, document, started, stopped, close_reason FROM pool";
const TASKS: &str = "SELECT id, pool, kind, wanted, held, content, known, extra, created FROM task";
const SUITES: &str = "SELECT id, pool, wanted, held, tasks, extra, created FROM suite";
const ASSIGNMENTS: &str = "SELECT assignment.id, assignment.name, annotator.name, assignment.pool, assignment.state, \
    assignment.created, assignment.ended, assignment.decided, assignment.tasks, assignment.suite, assignment.comment \
    FROM assignment JOIN annotator ON annotator.id = assignment.annotator";
const OPERATIONS: &str =
    "SELECT id, kind, status, submitted, finished, parameters, details FROM operation";
const RESTRICTIONS: &str = "SELECT restriction.id, annotator.name, restriction.scope, restriction.project, restriction.pool, \
    restriction.comment, restriction.created, restriction.until FROM restriction \
    JOIN annotator ON annotator.id = restriction.annotator WHERE restriction.lifted IS NULL";
const SKILLS: &str = "SELECT annotator_skill.id, annotator.name, annotator_skill.skill, annotator_skill.value, \
    annotator_skill.created, annotator_skill.modified FROM annotator_skill \
    JOIN annotator ON annotator.id = annotator_skill.annotator";

fn project(row: &AnyRow) -> Result<ProjectRow, StoreError> {
    Ok(ProjectRow {
        id: row.try_get(0)?,
        status: row.try_get(1)?,
        created: row.try_get(2)?,
        document: json_of(row.try_get(3)?)?,
    })
}

fn pool(row: &AnyRow) -> Result<PoolMore, StoreError> {
    Ok(PoolMore {
        row: pool_row(row)?,
        started: row.try_get(6)?,
        stopped: row.try_get(7)?,
        close_reason: row.try_get(8)?,
    })
}

fn task(row: &AnyRow) -> Result<TaskRow, StoreError> {
    let known: Option<String> = row.try_get(6)?;
    Ok(TaskRow {
        id: row.try_get(0)?,
        pool: row.try_get(1)?,
        kind: row.try_get(2)?,
        wanted: row.try_get(3)?,
        held: row.try_get(4)?,
        content: json_of(row.try_get(5)?)?,
        known: known.map(|k| serde_json::from_str(&k)).transpose()?,
        extra: json_of(row.try_get(7)?)?,
        created: row.try_get(8)?,
    })
}

fn suite(row: &AnyRow) -> Result<SuiteRow, StoreError> {
    let tasks: String = row.try_get(4)?;
    Ok(SuiteRow {
        id: row.try_get(0)?,
        pool: row.try_get(1)?,
        wanted: row.try_get(2)?,
        held: row.try_get(3)?,
        tasks: serde_json::from_str(&tasks)?,
        extra: json_of(row.try_get(5)?)?,
        created: row.try_get(6)?,
    })
}

fn assignment(row: &AnyRow) -> Result<AssignmentRow, StoreError> {
    let tasks: String = row.try_get(8)?;
    Ok(AssignmentRow {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        annotator: row.try_get(2)?,
        pool: row.try_get(3)?,
        state: row.try_get(4)?,
        created: row.try_get(5)?,
        ended: row.try_get(6)?,
        decided: row.try_get(7)?,
        tasks: serde_json::from_str(&tasks)?,
        suite: row.try_get(9)?,
        comment: row.try_get(10)?,
        outputs: Vec::new(),
    })
}

fn operation(row: &AnyRow) -> Result<Value, StoreError> {
    let (id, kind, status): (String, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(operation_view(
        &id,
        &kind,
        &status,
        row.try_get(3)?,
        row.try_get(4)?,
        &json_of(row.try_get(5)?)?,
        &json_of(row.try_get(6)?)?,
    ))
}

fn restriction(row: &AnyRow) -> Result<RestrictionRow, StoreError> {
    Ok(RestrictionRow {
        id: row.try_get(0)?,
        annotator: row.try_get(1)?,
        scope: row.try_get(2)?,
        project: row.try_get(3)?,
        pool: row.try_get(4)?,
        comment: row.try_get(5)?,
        created: row.try_get(6)?,
        until: row.try_get(7)?,
    })
}

fn annotator_skill(row: &AnyRow) -> Result<AnnotatorSkill, StoreError> {
    Ok(AnnotatorSkill {
        id: row.try_get(0)?,
        annotator: row.try_get(1)?,
        skill: row.try_get(2)?,
        value: row.try_get(3)?,
        created: row.try_get(4)?,
        modified: row.try_get(5)?,
    })
}

impl Store {
    /// All projects by id.
    pub async fn projects(&self) -> Result<Vec<ProjectRow>, StoreError> {
        let rows = sql(format!("{PROJECTS} ORDER BY id"))
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(project).collect()
    }

    /// One project.
    pub async fn project(&self, id: i64) -> Result<ProjectRow, StoreError> {
        let row = sql(format!("{PROJECTS} WHERE id = $1"))
            .bind(id)
            .fetch_optional(&self.database.pool)
            .await?;
        project(&row.ok_or_else(|| StoreError::missing("project", id))?)
    }

    /// All pools by id, with when they were opened and closed.
    pub async fn pools_more(&self) -> Result<Vec<PoolMore>, StoreError> {
        let rows = sql(format!("{POOLS} ORDER BY id"))
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(pool).collect()
    }

    /// One pool, with when it was opened and closed.
    pub async fn pool_more(&self, id: i64) -> Result<PoolMore, StoreError> {
        let row = sql(format!("{POOLS} WHERE id = $1"))
            .bind(id)
            .fetch_optional(&self.database.pool)
            .await?;
        pool(&row.ok_or_else(|| StoreError::missing("pool", id))?)
    }

    /// Tasks. Columns are those of `task`.
    pub async fn tasks(&self, search: &Search) -> Result<Vec<TaskRow>, StoreError> {
        let rows = search.bound(TASKS).fetch_all(&self.database.pool).await?;
        rows.iter().map(task).collect()
    }

    /// The tasks of these ids, in no order.
    pub async fn tasks_of(&self, ids: &[i64]) -> Result<Vec<TaskRow>, StoreError> {
        let text = format!("{TASKS} WHERE id IN {}", self.database.dialect.ids(1));
        let rows = sql(text)
            .bind(Value::from(ids.to_vec()).to_string())
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(task).collect()
    }

    /// Suites put together by hand. Columns are those of `suite`.
    pub async fn suites(&self, search: &Search) -> Result<Vec<SuiteRow>, StoreError> {
        let rows = search.bound(SUITES).fetch_all(&self.database.pool).await?;
        rows.iter().map(suite).collect()
    }

    /// The suites of these ids, in no order.
    pub async fn suites_of(&self, ids: &[i64]) -> Result<Vec<SuiteRow>, StoreError> {
        let text = format!("{SUITES} WHERE id IN {}", self.database.dialect.ids(1));
        let rows = sql(text)
            .bind(Value::from(ids.to_vec()).to_string())
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(suite).collect()
    }

    /// Assignments with their answers; practice and exams are none. Columns are those of `assignment`.
    pub async fn assignments(&self, search: &Search) -> Result<Vec<AssignmentRow>, StoreError> {
        let mut search = search.clone();
        search.also.push("assignment.purpose = 'work'".into());
        let rows = search
            .bound(ASSIGNMENTS)
            .fetch_all(&self.database.pool)
            .await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            found.push(assignment(row)?);
        }
        let ids: Vec<i64> = found.iter().map(|a| a.id).collect();
        let text = format!(
            "SELECT assignment, output FROM answer WHERE assignment IN {} ORDER BY assignment, place",
            self.database.dialect.ids(1)
        );
        let rows = sql(text)
            .bind(Value::from(ids).to_string())
            .fetch_all(&self.database.pool)
            .await?;
        let mut outputs: std::collections::BTreeMap<i64, Vec<Value>> =
            std::collections::BTreeMap::new();
        for row in rows {
            let output = json_of(row.try_get(1)?)?;
            outputs.entry(row.try_get(0)?).or_default().push(output);
        }
        for assignment in &mut found {
            assignment.outputs = outputs.remove(&assignment.id).unwrap_or_default();
        }
        Ok(found)
    }

    /// All operations, oldest first.
    pub async fn operations(&self) -> Result<Vec<Value>, StoreError> {
        let rows = sql(format!("{OPERATIONS} ORDER BY submitted, id"))
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(operation).collect()
    }

    /// One operation.
    pub async fn operation(&self, id: &str) -> Result<Value, StoreError> {
        let row = sql(format!("{OPERATIONS} WHERE id = $1"))
            .bind(id.to_owned())
            .fetch_optional(&self.database.pool)
            .await?;
        operation(&row.ok_or_else(|| StoreError::missing("operation", id))?)
    }

    /// An operation's log, in the order of its inputs.
    pub async fn operation_log(&self, id: &str) -> Result<Vec<LogRow>, StoreError> {
        let rows = sql("SELECT kind, success, subject, mark, document FROM operation_log WHERE operation = $1 ORDER BY place")
            .bind(id.to_owned())
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let document: Option<String> = row.try_get(4)?;
                Ok(LogRow {
                    kind: row.try_get(0)?,
                    success: row.try_get::<i64, _>(1)? != 0,
                    subject: row.try_get(2)?,
                    mark: row.try_get(3)?,
                    document: document.map(|d| serde_json::from_str(&d)).transpose()?,
                })
            })
            .collect()
    }

    /// Aggregated answers of an operation by task: task, confidence, output.
    pub async fn aggregates(
        &self,
        operation: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, f64, Value)>, StoreError> {
        let rows = sql("SELECT task, confidence, output FROM aggregate WHERE operation = $1 AND task > $2 ORDER BY task LIMIT $3")
            .bind(operation.to_owned())
            .bind(after)
            .bind(limit)
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, json_of(row.try_get(2)?)?)))
            .collect()
    }

    /// Restrictions that hold at a moment, by id.
    pub async fn restrictions(&self, now: i64) -> Result<Vec<RestrictionRow>, StoreError> {
        let text = format!(
            "{RESTRICTIONS} AND (restriction.until IS NULL OR restriction.until > $1) ORDER BY restriction.id"
        );
        let rows = sql(text).bind(now).fetch_all(&self.database.pool).await?;
        rows.iter().map(restriction).collect()
    }

    /// One restriction that was not lifted.
    pub async fn restriction(&self, id: i64) -> Result<RestrictionRow, StoreError> {
        let row = sql(format!("{RESTRICTIONS} AND restriction.id = $1"))
            .bind(id)
            .fetch_optional(&self.database.pool)
            .await?;
        restriction(&row.ok_or_else(|| StoreError::missing("restriction", id))?)
    }

    /// All skills by id: id, when made, document.
    pub async fn skills(&self) -> Result<Vec<(i64, i64, Value)>, StoreError> {
        let rows = sql("SELECT id, created, document FROM skill ORDER BY id")
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, json_of(row.try_get(2)?)?)))
            .collect()
    }

    /// Values of skills by id; of one annotator, of one skill, or all.
    pub async fn annotator_skills(&self) -> Result<Vec<AnnotatorSkill>, StoreError> {
        let rows = sql(format!("{SKILLS} ORDER BY annotator_skill.id"))
            .fetch_all(&self.database.pool)
            .await?;
        rows.iter().map(annotator_skill).collect()
    }

    /// Open pools that requesters' programs made, those of greatest priority first.
    pub async fn open_pools(&self) -> Result<Vec<i64>, StoreError> {
        let rows = sql(format!("{POOLS} WHERE status = 'OPEN' ORDER BY id"))
            .fetch_all(&self.database.pool)
            .await?;
        let mut pools = Vec::new();
        for row in &rows {
            let row = pool(row)?.row;
            if let Some(api) = &row.settings.api {
                pools.push((-api.priority, row.id));
            }
        }
        pools.sort_unstable();
        Ok(pools.into_iter().map(|(_, id)| id).collect())
    }

    /// Votes that count and votes wanted of a pool, tasks that everybody may get left out, suites put together by hand among
    /// them.
    pub async fn whole_progress(&self, pool: i64) -> Result<(i64, i64), StoreError> {
        let row = sql(
            "SELECT CAST(COALESCE(SUM(accepted), 0) AS BIGINT), CAST(COALESCE(SUM(wanted), 0) AS BIGINT) FROM \
             (SELECT accepted, wanted FROM task WHERE pool = $1 AND kind = 0 AND wanted < $2 \
             UNION ALL SELECT accepted, wanted FROM suite WHERE pool = $1 AND wanted < $2) AS counted",
        )
        .bind(pool)
        .bind(super::settings::ENDLESS)
        .fetch_one(&self.database.pool)
        .await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// How many assignments of a pool are in these states.
    pub async fn assignments_in(&self, pool: i64, states: &[&str]) -> Result<i64, StoreError> {
        let list: Vec<String> = states.iter().map(|state| format!("'{state}'")).collect();
        let text = format!(
            "SELECT COUNT(*) FROM assignment WHERE pool = $1 AND purpose = 'work' AND state IN ({})",
            list.join(", ")
        );
        let row = sql(text).bind(pool).fetch_one(&self.database.pool).await?;
        Ok(row.try_get(0)?)
    }

    /// Accepted answers of a pool, for aggregation: task, annotator, output.
    pub async fn accepted_answers(&self, pool: i64) -> Result<Vec<(i64, i64, Value)>, StoreError> {
        let rows = sql(
            "SELECT answer.task, answer.annotator, answer.output FROM assignment JOIN answer ON answer.assignment = assignment.id \
             WHERE assignment.pool = $1 AND assignment.purpose = 'work' AND assignment.state = 'accepted' \
             ORDER BY assignment.ended, assignment.id, answer.place",
        )
        .bind(pool)
        .fetch_all(&self.database.pool)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, json_of(row.try_get(2)?)?)))
            .collect()
    }
}

/// A JSON value as a cell of a table.
pub fn cell(value: &Value) -> String {
    text_of(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_milliseconds_and_no_zone() {
        assert_eq!(moment(0), "1970-01-01T00:00:00.000");
        assert_eq!(moment(1_795_782_437_123), "2026-11-27T12:27:17.123");
    }

    #[test]
    fn a_search_puts_its_values_into_parameters() {
        let search = Search {
            conditions: vec![
                ("pool =".into(), Bound::Number(7)),
                ("name >".into(), Bound::Text("a'; DROP".into())),
            ],
            also: vec!["state IN ('active')".into()],
            order: vec![("name".into(), true)],
            limit: 51,
        };
        assert_eq!(
            search.text("SELECT 1 FROM t"),
            "SELECT 1 FROM t WHERE pool = $1 AND name > $2 AND state IN ('active') ORDER BY name DESC LIMIT 51"
        );
    }
}
