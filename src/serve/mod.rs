//! The annotation server: a page to annotate on, and the same over plain HTTP and JSON.
//!
//! Nothing that leaves this room tells a control from a task: the wire types have no field for it, addresses and names are
//! opaque, both roles go through the same code, and pictures were rendered alike when the pool was built.

mod api;
mod board;
mod campaign;
mod failure;
mod guard;
mod insight;
mod metrics;
mod openapi;
mod page;
mod pictures;
mod rehearsal;
mod requester;
mod state;
mod tokens;
mod toloka;

pub use campaign::{Detail, collect, collect_people};
pub use rehearsal::{Rehearsed, rehearse};

use crate::{Problem, Result, config::Project, problem, store::Store};
use axum::{Router, middleware, routing::get};
use state::App;
use std::{future::Future, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The campaign.
    pub project: Project,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Address of the database.
    pub database: String,
    /// Let annotators in without an invitation.
    pub open_signup: bool,
    /// Key of the requester's programs.
    pub api_key: Option<String>,
    /// The requester's password for the dashboard.
    pub password: Option<String>,
    /// Whether pictures that tasks name by address may be fetched from private networks and from this machine.
    pub private_pictures: bool,
    /// Certificate chain and private key, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// A proxy in front names the client in X-Forwarded-For.
    pub behind_proxy: bool,
    /// Annotators are simulated: the dashboard says so, and their votes are not written where real ones belong.
    pub simulated: bool,
}

/// Largest request body: a suite of answers is a few kilobytes.
const LARGEST_BODY: usize = 1 << 20;

/// How often suites whose time has run out are looked for.
const EXPIRY: Duration = Duration::from_secs(5);

/// Serves a campaign until `shutdown` is done: requests under way are finished, then the database is closed.
/// `ready` is called with the address once requests are answered.
pub async fn serve(
    options: Options,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let store = Store::open(&options.database).await?;
    let project = options.project.clone();
    let app = Arc::new(App::new(&options, store.clone()).await?);
    let listener = TcpListener::bind(options.listen).await.map_err(|e| {
        problem(format!("cannot listen: {e}"))
            .value(options.listen.to_string())
            .hint("is another server running there? choose another port with --listen")
    })?;
    let address = listener
        .local_addr()
        .map_err(|e| problem(format!("cannot listen: {e}")))?;
    let expiring = tokio::spawn(expire(store.clone()));
    let routes = routes(app.clone());
    let served = match &options.tls {
        None => {
            ready(address);
            axum::serve(
                listener,
                routes.into_make_service_with_connect_info::<SocketAddr>(),
            )
            .with_graceful_shutdown(shutdown)
            .await
            .map_err(|e| problem(format!("the server failed: {e}")))
        }
        Some((certificate, key)) => {
            let handle = axum_server::Handle::new();
            let ending = handle.clone();
            tokio::spawn(async move {
                shutdown.await;
                ending.graceful_shutdown(Some(Duration::from_secs(10)));
            });
            let tls = tls_config(certificate, key).await?;
            let listener = listener
                .into_std()
                .map_err(|e| problem(format!("cannot listen: {e}")))?;
            ready(address);
            match axum_server::from_tcp_rustls(listener, tls) {
                Ok(server) => server
                    .handle(handle)
                    .serve(routes.into_make_service_with_connect_info::<SocketAddr>())
                    .await
                    .map_err(|e| problem(format!("the server failed: {e}"))),
                Err(e) => Err(problem(format!("cannot listen: {e}"))),
            }
        }
    };
    expiring.abort();
    // Aborted tasks are dropped at their next turn; the store waits for the handle they hold.
    let _ = expiring.await;
    drop(app);
    if !options.simulated
        && let Some(collected) = collect(&project, &store).await?
    {
        tracing::info!(
            votes = collected.votes,
            annotators = collected.annotators,
            "votes written to votes/served.parquet"
        );
    }
    store.close().await;
    served.map_err(Box::new)
}

async fn tls_config(
    certificate: &std::path::Path,
    key: &std::path::Path,
) -> Result<axum_server::tls_rustls::RustlsConfig> {
    axum_server::tls_rustls::RustlsConfig::from_pem_file(certificate, key)
        .await
        .map_err(|e| {
            Box::new(
                problem(format!("the certificate or its key cannot be used: {e}"))
                    .file(certificate)
                    .hint("--tls-cert wants the certificate chain and --tls-key the private key, both PEM"),
            )
        })
}

async fn expire(store: Store) {
    loop {
        tokio::time::sleep(EXPIRY).await;
        let command = crate::store::Command::Expire {
            now: state::now_ms(),
        };
        if let Err(error) = store.carry_out(command).await {
            tracing::warn!(%error, "suites that ran out could not be taken back");
        }
        let command = crate::store::Command::Toloka {
            change: crate::store::toloka::Change::Tick,
            now: state::now_ms(),
        };
        if let Err(error) = store.carry_out(command).await {
            tracing::warn!(%error, "pools whose time is over could not be closed");
        }
    }
}

fn routes(app: Arc<App>) -> Router {
    Router::new()
        .merge(page::routes())
        .nest("/api/annotator", api::routes())
        .nest("/api/requester", requester::routes())
        .merge(Router::new().nest("/api", toloka::routes()))
        .route("/picture/{name}", get(pictures::picture))
        .route("/openapi.json", get(openapi::openapi))
        .route("/health", get(metrics::health))
        .route("/metrics", get(metrics::metrics))
        .fallback(failure::not_found)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST_BODY))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(
            failure::panicked,
        ))
        .layer(tower_http::timeout::TimeoutLayer::with_status_code(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(30),
        ))
        .layer(middleware::from_fn(toloka::in_words))
        .with_state(app)
}

impl From<crate::store::StoreError> for Box<Problem> {
    fn from(error: crate::store::StoreError) -> Self {
        Self::new(problem(error.to_string()))
    }
}
