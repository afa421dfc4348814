//! What all requests of one server share.

use super::{
    Options, board::Board, campaign, guard::Limits, metrics::Metrics, requester::hash_password,
    tokens::Secret,
};
use crate::{
    Result,
    config::Project,
    store::{PoolRow, Store},
};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
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
    /// Argon2id of the requester's password.
    pub(super) password: Option<String>,
    /// Sessions of requesters: hash of the cookie, and since when.
    pub(super) sessions: Mutex<HashMap<blake3::Hash, Instant>>,
    /// The dashboard's figures and when they were computed.
    pub(super) board: tokio::sync::Mutex<Option<(Instant, Arc<Board>)>>,
    pub(super) tls: bool,
    pub(super) fetched: super::toloka::Fetched,
    pub(super) metrics: Metrics,
    pub(super) limits: Limits,
    /// Tokens seen lately: hash to annotator and the moment it was looked up.
    pub(super) known: Mutex<HashMap<String, (i64, Instant)>>,
}

impl App {
    pub(super) async fn new(options: &Options, store: Store) -> Result<Self> {
        let pool = campaign::bring_in(&options.project, &store).await?;
        let secret = Secret::load(&store).await?;
        let pictures = &options.project.campaign.pictures;
        let spec = crate::pictures::RenderSpec {
            longest_side: pictures.longest_side,
            quality: pictures.quality,
            margin: pictures.margin,
        };
        let fetched = options.project.dir.join("fetched-pictures");
        let fetched = super::toloka::Fetched::new(fetched, spec, options.private_pictures)?;
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
            password: options.password.as_deref().map(hash_password).transpose()?,
            sessions: Mutex::default(),
            board: tokio::sync::Mutex::default(),
            tls: options.tls.is_some(),
            fetched,
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
