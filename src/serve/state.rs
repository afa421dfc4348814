//! What all requests of one server share.

use super::{Options, campaign, metrics::Metrics, tokens::Secret};
use crate::{Result, config::Project, store::{PoolRow, Store}};
use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

/// What annotators are told about their error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feedback {
    /// Nothing.
    #[default]
    None,
    /// After each suite the mean error so far, from five controls on. Never the answer of a photo.
    AfterSuite,
}

/// Everything handlers need.
#[derive(Debug)]
pub(super) struct App {
    pub(super) store: Store,
    pub(super) project: Project,
    pub(super) pool: PoolRow,
    pub(super) pool_dir: PathBuf,
    pub(super) secret: Secret,
    pub(super) open_signup: bool,
    pub(super) api_key: Option<[u8; 32]>,
    pub(super) tls: bool,
    pub(super) metrics: Metrics,
}

impl App {
    pub(super) async fn new(options: &Options, store: Store) -> Result<Self> {
        let pool = campaign::bring_in(&options.project, &store).await?;
        let secret = Secret::load(&store).await?;
        Ok(Self {
            pool_dir: options.project.pool_dir(),
            project: options.project.clone(),
            pool,
            secret,
            open_signup: options.open_signup,
            api_key: options
                .api_key
                .as_deref()
                .map(|key| *blake3::hash(key.as_bytes()).as_bytes()),
            tls: options.tls.is_some(),
            metrics: Metrics::default(),
            store,
        })
    }
}

/// Now, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as i64)
}
