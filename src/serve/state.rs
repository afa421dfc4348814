//! What all requests of one server share.

use super::{Options, campaign, guard::Limits, metrics::Metrics, tokens::Secret};
use crate::{
    Result,
    config::Project,
    store::{PoolRow, Store},
};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::Mutex,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

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
    pub(super) limits: Limits,
    /// Tokens seen lately: hash to annotator and the moment it was looked up.
    pub(super) known: Mutex<HashMap<String, (i64, Instant)>>,
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
            limits: Limits::default(),
            known: Mutex::default(),
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
