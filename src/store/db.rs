//! The connection, the schema, and the unit of work inside one transaction.

use super::{Dialect, StoreError, cache::Caches};
use crate::{Result, problem};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use sqlx::{
    AnyConnection, AnyPool, AssertSqlSafe, Executor, SqlSafeStr,
    any::{AnyPoolOptions, AnyRow, install_default_drivers},
    migrate::{Migration, MigrationType, Migrator},
    query::Query,
};
use std::{path::Path, time::Duration};

/// What the connections of one database share.
#[derive(Debug, Clone)]
pub(super) struct Database {
    pub(super) pool: AnyPool,
    pub(super) dialect: Dialect,
}

/// Where the votes are kept, as given on the command line: a `postgres://` address, or else a SQLite file.
pub fn database_url(database: Option<&str>, file: &Path) -> String {
    match database {
        Some(url) => url.to_owned(),
        None => format!("sqlite://{}?mode=rwc", file.display()),
    }
}

/// Which database an address is of.
fn dialect(url: &str) -> Result<Dialect> {
    if url.starts_with("sqlite:") {
        Ok(Dialect::Sqlite)
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        Ok(Dialect::Postgres)
    } else {
        problem("a database address begins with postgres:// or sqlite://")
            .value(without_password(url))
            .fail()
    }
}

fn fail(what: &str, url: &str, error: &dyn std::fmt::Display) -> crate::Problem {
    problem(format!("{what}: {error}"))
        .value(without_password(url))
        .hint("is the database running, and may this user use it?")
}

/// Connections to a database; what is committed on them is on disk.
pub async fn connect(url: &str, connections: u32) -> Result<AnyPool> {
    install_default_drivers();
    let dialect = dialect(url)?;
    let pool = AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if dialect == Dialect::Sqlite {
                    // FULL: a commit is on disk before it returns, also in WAL mode.
                    connection
                        .execute(
                            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 15000; \
                             PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;",
                        )
                        .await?;
                }
                Ok(())
            })
        })
        .connect(url)
        .await
        .map_err(|e| fail("cannot open the database", url, &e))?;
    Ok(pool)
}

impl Database {
    /// Connects, and brings the schema up to date.
    pub(super) async fn open(url: &str) -> Result<Self> {
        let pool = connect(url, 8).await?;
        let dialect = dialect(url)?;
        let migrations = [
            (1, "first", include_str!("schema.sql")),
            (
                2,
                "programs of requesters",
                include_str!("toloka/schema.sql"),
            ),
            (3, "messages", include_str!("messages.sql")),
        ];
        let migrations = migrations.map(|(version, name, text)| {
            let kind = MigrationType::Simple;
            Migration::new(version, name.into(), kind, text.into_sql_str(), false)
        });
        Migrator::with_migrations(migrations.to_vec())
            .run(&pool)
            .await
            .map_err(|e| fail("cannot bring the database up to date", url, &e))?;
        Ok(Self { pool, dialect })
    }
}

/// An address without the password that may stand in it.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(start), Some(end)) if end > start => {
            let user = url[start + 3..end].split(':').next().unwrap_or_default();
            format!("{}://{user}:…{}", &url[..start], &url[end..])
        }
        _ => url.to_owned(),
    }
}

/// A statement whose text is made here from constants only; values always go in as parameters.
pub(super) fn sql<'q>(text: impl Into<String>) -> Query<'q, sqlx::Any, sqlx::any::AnyArguments> {
    sqlx::query(AssertSqlSafe(text.into()))
}

/// One transaction's worth of decisions and changes.
pub(super) struct Work<'c> {
    pub(super) connection: &'c mut AnyConnection,
    pub(super) dialect: Dialect,
    pub(super) caches: &'c mut Caches,
    pub(super) rng: &'c mut ChaCha8Rng,
    pub(super) next_id: i64,
    events: Vec<Value>,
}

impl<'c> Work<'c> {
    pub(super) fn new(
        connection: &'c mut AnyConnection,
        dialect: Dialect,
        caches: &'c mut Caches,
        rng: &'c mut ChaCha8Rng,
        next_id: i64,
    ) -> Self {
        Self {
            connection,
            dialect,
            caches,
            rng,
            next_id,
            events: Vec::new(),
        }
    }

    /// A number never used before in this database.
    pub(super) fn id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// A run of such numbers; returns the first.
    pub(super) fn ids(&mut self, n: usize) -> i64 {
        self.next_id += n as i64;
        self.next_id - n as i64
    }

    /// Notes what happened; written with the batch.
    pub(super) fn log(
        &mut self,
        at: i64,
        kind: &str,
        annotator: Option<i64>,
        subject: Option<i64>,
        detail: &Value,
    ) {
        let id = self.id();
        self.events.push(json!({
            "id": id, "at": at, "kind": kind, "annotator": annotator, "subject": subject, "detail": detail.to_string(),
        }));
    }

    /// Writes the events noted.
    pub(super) async fn write_events(&mut self) -> Result<(), StoreError> {
        if self.events.is_empty() {
            return Ok(());
        }
        let columns = [
            ("id", "BIGINT"),
            ("at", "BIGINT"),
            ("kind", "TEXT"),
            ("annotator", "BIGINT"),
            ("subject", "BIGINT"),
            ("detail", "TEXT"),
        ];
        let text = format!(
            "INSERT INTO event (id, at, kind, annotator, subject, detail) {}",
            self.dialect.rows(1, &columns)
        );
        let events = Value::Array(std::mem::take(&mut self.events)).to_string();
        sql(text)
            .bind(events)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Runs a statement that changes something; returns the number of rows.
    pub(super) async fn change(
        &mut self,
        statement: Query<'_, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<u64, StoreError> {
        Ok(statement
            .execute(&mut *self.connection)
            .await?
            .rows_affected())
    }

    /// All rows of a query.
    pub(super) async fn rows(
        &mut self,
        statement: Query<'_, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<Vec<AnyRow>, StoreError> {
        Ok(statement.fetch_all(&mut *self.connection).await?)
    }

    /// The first row of a query.
    pub(super) async fn row(
        &mut self,
        statement: Query<'_, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<Option<AnyRow>, StoreError> {
        Ok(statement.fetch_optional(&mut *self.connection).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_stands_in_a_message() {
        assert_eq!(
            without_password("postgres://u:s3cret@h:5432/d"),
            "postgres://u:…@h:5432/d"
        );
        assert_eq!(
            without_password("sqlite://a.db?mode=rwc"),
            "sqlite://a.db?mode=rwc"
        );
    }
}
