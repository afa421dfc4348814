//! What all requests of one server share.

use super::{
    Options, board::Board, campaign, guard::Limits, insight::Quality, metrics::Metrics,
    requester::hash_password, tokens::Secret,
};
use crate::{
    Result,
    config::Project,
    store::{PoolRow, Store, StoreError},
};
use std::{
    collections::{BTreeSet, HashMap},
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
    /// The methods compared.
    pub(super) quality: tokio::sync::Mutex<Option<Quality>>,
    /// Annotators with unseen messages, and when that was looked up.
    pub(super) unseen: tokio::sync::Mutex<Option<(Instant, BTreeSet<i64>)>>,
    /// Clients are named by a proxy.
    pub(super) behind_proxy: bool,
    /// Annotators are simulated, and everything shown says so.
    pub(super) simulated: bool,
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
            quality: tokio::sync::Mutex::default(),
            unseen: tokio::sync::Mutex::default(),
            behind_proxy: options.behind_proxy,
            simulated: options.simulated,
            tls: options.tls.is_some(),
            fetched,
            metrics: Metrics::default(),
            limits: Limits::default(),
            known: Mutex::default(),
            store,
        })
    }
}

/// So long another server's messages may stay unnoticed.
const NOTICED: std::time::Duration = std::time::Duration::from_secs(5);

impl App {
    /// Whether there are messages that an annotator has not seen. Asked with every suite, so it is remembered for a moment.
    pub(super) async fn has_message(&self, annotator: i64) -> Result<bool, StoreError> {
        let mut known = self.unseen.lock().await;
        if let Some((since, unseen)) = &*known
            && since.elapsed() < NOTICED
        {
            return Ok(unseen.contains(&annotator));
        }
        let unseen: BTreeSet<i64> = self
            .store
            .with_unseen_messages()
            .await?
            .into_iter()
            .collect();
        let has = unseen.contains(&annotator);
        *known = Some((Instant::now(), unseen));
        Ok(has)
    }

    /// Messages were written or seen here.
    pub(super) async fn messages_changed(&self) {
        *self.unseen.lock().await = None;
    }

    /// Something that the dashboard shows was changed by hand: it is looked at anew.
    pub(super) async fn board_changed(&self) {
        *self.board.lock().await = None;
    }
}

/// Now, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as i64)
}
