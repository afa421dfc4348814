//! `veche serve`.

use crate::{
    Problem, Result,
    config::Project,
    problem,
    serve::{Options, serve},
    store::database_url,
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// Collect votes: a page for annotators, an API for programs, nothing ever lost
///
/// Votes are kept in DIR/served.db (SQLite), or in PostgreSQL with --database; several servers may share one PostgreSQL. The
/// pool of DIR is brought in when the server starts. `veche votes collect DIR` writes the votes where score, ban and
/// aggregate find them; stopping the server with Ctrl-C or SIGTERM does so too. The environment variable VECHE_API_KEY is the
/// key of the requester's programs, VECHE_PASSWORD opens the dashboard at /requester, VECHE_LOG sets what is logged.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veche serve faces --open-signup\n  \
    veche serve faces --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --database postgres://veche@db/faces")]
pub struct Args {
    /// Folder of the campaign
    pub dir: PathBuf,
    /// Address to listen on
    #[arg(long, default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8400), env = "VECHE_LISTEN")]
    pub listen: SocketAddr,
    /// Database instead of the campaign's own SQLite file: postgres://user:password@host/name
    #[arg(long, env = "VECHE_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// Let annotators in without an invitation
    #[arg(long)]
    pub open_signup: bool,
    /// Serve no campaign of one's own: pools are made through the Toloka-compatible API; DIR is made if it is missing
    #[arg(long)]
    pub empty: bool,
    /// Fetch pictures that tasks name by address also from private networks and from this machine
    #[arg(long)]
    pub private_pictures: bool,
    /// Certificate chain, PEM; with --tls-key the server speaks HTTPS
    #[arg(long, requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Log as JSON, one object per line
    #[arg(long)]
    pub log_json: bool,
}

/// Key of the requester's programs; in the environment, so that it stands in no list of processes.
const API_KEY: &str = "VECHE_API_KEY";

/// The requester's password for the dashboard, in the environment for the same reason.
const PASSWORD: &str = "VECHE_PASSWORD";

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let project = if args.empty {
        empty(&args.dir)?
    } else {
        Project::open(&args.dir)?
    };
    log_to_stderr(args.log_json);
    let options = Options {
        database: database_url(args.database.as_deref(), &project.dir.join("served.db")),
        project,
        listen: args.listen,
        open_signup: args.open_signup,
        private_pictures: args.private_pictures,
        api_key: std::env::var(API_KEY).ok().filter(|key| !key.is_empty()),
        password: std::env::var(PASSWORD)
            .ok()
            .filter(|password| !password.is_empty()),
        tls: args.tls_cert.clone().zip(args.tls_key.clone()),
    };
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    runtime()?.block_on(serve(
        options,
        |address| super::note(&format!("listening on {scheme}://{address}")),
        stopped()?,
    ))
}

/// A folder for a server without a campaign.
fn empty(dir: &Path) -> Result<Project> {
    let file = dir.join(crate::config::FILE);
    if file.exists() {
        return problem("this folder has a campaign, and --empty serves none")
            .file(&file)
            .hint("leave --empty out, or name another folder")
            .fail();
    }
    std::fs::create_dir_all(dir).map_err(|e| Problem::io("make the folder", dir, &e))?;
    Project::empty(dir)
}

/// A runtime for servers.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Box::new(problem(format!("cannot start: {e}"))))
}

/// Done at Ctrl-C or SIGTERM.
fn stopped() -> Result<impl Future<Output = ()> + Send + 'static> {
    let (tell, told) = tokio::sync::watch::channel(false);
    ctrlc::set_handler(move || {
        let _ = tell.send(true);
    })
    .map_err(|e| problem(format!("cannot listen to signals: {e}")))?;
    let mut told = told;
    Ok(async move {
        let _ = told.wait_for(|stop| *stop).await;
    })
}

fn log_to_stderr(json: bool) {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter =
        EnvFilter::try_from_env("VECHE_LOG").unwrap_or_else(|_| EnvFilter::new("warn,veche=info"));
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber in one process is refused; the first then serves.
    let _ = if json {
        log.json().try_init()
    } else {
        log.try_init()
    };
}
