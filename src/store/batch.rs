//! Group commit: requests that arrive while one transaction is being written share the next.
//!
//! One task carries out all changes of this server, in the order of arrival. It takes what is waiting (at most
//! [`LONGEST`]), decides and writes it all in one transaction, commits, and only then answers: what was acknowledged is on
//! disk. A request that is refused writes nothing. If the database fails, the batch is undone and each request is tried
//! alone, so that none suffers for its neighbour.

use super::{
    StoreError,
    cache::Caches,
    command::{Command, Reply, carry_out},
    db::{Database, Work, sql},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sqlx::Row;
use tokio::sync::{mpsc, oneshot};

/// Requests per transaction at most: a batch should not keep other servers waiting.
const LONGEST: usize = 256;

/// A request and where its answer goes.
pub(super) struct Job {
    pub(super) command: Command,
    pub(super) reply: oneshot::Sender<Result<Reply, StoreError>>,
}

/// Everything the writing task owns.
pub(super) struct Writer {
    database: Database,
    name: String,
    caches: Caches,
    rng: ChaCha8Rng,
}

impl Writer {
    /// A writer with a name of its own and its own chance.
    pub(super) fn new(database: Database) -> Result<Self, StoreError> {
        let mut seed = [0u8; 32];
        let mut name = [0u8; 16];
        for bytes in [&mut seed[..], &mut name[..]] {
            getrandom::fill(bytes)
                .map_err(|e| StoreError::Database(format!("no randomness: {e}")))?;
        }
        Ok(Self {
            database,
            name: super::hex(&name),
            caches: Caches::default(),
            rng: ChaCha8Rng::from_seed(seed),
        })
    }

    /// Works until all senders are gone.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.recv().await {
            let mut batch = vec![first];
            while batch.len() < LONGEST
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
            let commands: Vec<&Command> = batch.iter().map(|job| &job.command).collect();
            let replies = match self.transaction(&commands).await {
                Ok(replies) => replies,
                Err(_) if commands.len() > 1 => {
                    let mut replies = Vec::with_capacity(commands.len());
                    for command in commands {
                        replies.push(match self.transaction(&[command]).await {
                            Ok(mut reply) => reply.pop().unwrap_or(Err(StoreError::Closed)),
                            Err(error) => Err(error),
                        });
                    }
                    replies
                }
                Err(error) => vec![Err(error)],
            };
            for (job, reply) in batch.into_iter().zip(replies) {
                // Whoever asked may have gone; what was done stays done.
                let _ = job.reply.send(reply);
            }
        }
    }

    /// Carries out commands in one transaction. An error means that nothing was changed, or that this is not known.
    async fn transaction(
        &mut self,
        commands: &[&Command],
    ) -> Result<Vec<Result<Reply, StoreError>>, StoreError> {
        let result = self.attempt(commands).await;
        if result.is_err() {
            self.caches.forget_all();
        }
        result
    }

    async fn attempt(
        &mut self,
        commands: &[&Command],
    ) -> Result<Vec<Result<Reply, StoreError>>, StoreError> {
        let mut transaction = match self.database.dialect {
            // Deferred, the first write could find that another process has written since the first read.
            super::Dialect::Sqlite => self.database.pool.begin_with("BEGIN IMMEDIATE").await?,
            super::Dialect::Postgres => self.database.pool.begin().await?,
        };
        let turn =
            sql("UPDATE turn SET number = number + 1 WHERE one = 1 RETURNING writer, next_id")
                .fetch_one(&mut *transaction)
                .await?;
        let (writer, next_id): (String, i64) = (turn.try_get(0)?, turn.try_get(1)?);
        if writer != self.name {
            self.caches.forget_pools();
        }
        let mut work = Work::new(
            &mut transaction,
            self.database.dialect,
            &mut self.caches,
            &mut self.rng,
            next_id,
        );
        let mut replies = Vec::with_capacity(commands.len());
        for command in commands {
            match carry_out(&mut work, command).await {
                Err(error) if error.is_passing() => return Err(error),
                reply => replies.push(reply),
            }
        }
        work.write_events().await?;
        let next_id = work.next_id;
        sql("UPDATE turn SET writer = $1, next_id = $2 WHERE one = 1")
            .bind(self.name.clone())
            .bind(next_id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(replies)
    }
}
