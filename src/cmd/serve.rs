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
    /// Address to listen on; 127.0.0.1:8400 where neither this nor campaign.toml says another
    #[arg(long, env = "VECHE_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Database instead of the campaign's own SQLite file: postgres://user:password@host/name
    #[arg(long, env = "VECHE_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// Let annotators in without an invitation
    #[arg(long, env = "VECHE_OPEN_SIGNUP")]
    pub open_signup: bool,
    /// Serve no campaign of one's own: pools are made through the Toloka-compatible API; DIR is made if it is missing
    #[arg(long)]
    pub empty: bool,
    /// Fetch pictures that tasks name by address also from private networks and from this machine
    #[arg(long)]
    pub private_pictures: bool,
    /// Certificate chain, PEM; with --tls-key the server speaks HTTPS
    #[arg(long, env = "VECHE_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, env = "VECHE_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Clients are those named last in X-Forwarded-For; only where a proxy in front sets it
    #[arg(long, env = "VECHE_BEHIND_PROXY")]
    pub behind_proxy: bool,
    /// Log as JSON, one object per line
    #[arg(long, env = "VECHE_LOG_JSON")]
    pub log_json: bool,
}

/// Where to listen unless told otherwise.
pub(crate) const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8400);

/// Key of the requester's programs; in the environment, so that it stands in no list of processes.
const API_KEY: &str = "VECHE_API_KEY";

/// The requester's password for the dashboard, in the environment for the same reason.
pub(crate) const PASSWORD: &str = "VECHE_PASSWORD";

/// Runs the command. Flags and the environment override `[serve]` of campaign.toml, which overrides the defaults.
pub fn run(args: &Args) -> Result<()> {
    let project = if args.empty {
        empty(&args.dir)?
    } else {
        Project::open(&args.dir)?
    };
    let file = &project.campaign.serve;
    let at = |path: &PathBuf| project.dir.join(path);
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    let options = Options {
        listen: args.listen.or(file.listen).unwrap_or(LISTEN),
        database: database_url(
            args.database.as_deref().or(file.database.as_deref()),
            &project.dir.join("served.db"),
        ),
        open_signup: args.open_signup || file.open_signup,
        api_key: secret(API_KEY),
        password: secret(PASSWORD),
        tls: tls.or_else(|| {
            file.tls_cert
                .as_ref()
                .map(at)
                .zip(file.tls_key.as_ref().map(at))
        }),
        behind_proxy: args.behind_proxy || file.behind_proxy,
        private_pictures: args.private_pictures,
        simulated: false,
        project: project.clone(),
    };
    log_to_stderr(args.log_json);
    start(options, |_| {})
}

/// What an environment variable says, if anything.
pub(crate) fn secret(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Serves until Ctrl-C or SIGTERM. `ready` gets the address, as a browser wants it, once requests are answered.
pub(crate) fn start(options: Options, ready: impl FnOnce(&str)) -> Result<()> {
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let tell = |address| {
        let url = format!("{scheme}://{address}");
        super::note(&format!("listening on {url}"));
        ready(&url);
    };
    runtime()?.block_on(serve(options, tell, stopped()?))
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

pub(crate) fn log_to_stderr(json: bool) {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter =
        EnvFilter::try_from_env("VECHE_LOG").unwrap_or_else(|_| EnvFilter::new("warn,veche=info"));
    // Colours are for people at a terminal.
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr);
    // A second subscriber in one process is refused; the first then serves.
    let _ = if json {
        log.json().try_init()
    } else {
        log.try_init()
    };
}
