//! What is measured: a campaign without pictures, databases of its own, and servers in processes of their own.

use crate::{Problem, Result, config::Project, pool::build, problem, store::Dialect};
use sqlx::Row;
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Votes wanted per task: a pool that does not run out within the time.
const OVERLAP: u32 = 100;
const CONTROLS: usize = 500;

/// A built campaign.
pub(super) struct Campaign {
    dir: PathBuf,
}

impl Campaign {
    /// A campaign of this many items. Rules watch every submission, and none of them speaks.
    pub(super) fn build(dir: &Path, items: usize) -> Result<Self> {
        let dir = dir.join("campaign");
        let (mut listed, mut known) = ("file\n".to_owned(), "file,age,gender\n".to_owned());
        for i in 0..items {
            let _ = writeln!(listed, "photo-{i:08}.jpg");
        }
        for i in 0..CONTROLS {
            let _ = writeln!(
                known,
                "control-{i:06}.jpg,{},{}",
                1 + i % 90,
                if i % 2 == 0 { "F" } else { "M" }
            );
        }
        let text = crate::cmd::init::text("benchmark", 1)
            .replace("source = \"items\"", "source = \"items.csv\"")
            .replace("overlap = 10", &format!("overlap = {OVERLAP}"))
            .replace("practice = 5", "practice = 0")
            + "\n[[ban.rule]]\nrule = \"too-fast\"\nseconds = 0.5\nshare = 0.9\nmin_tasks = 20\n\
               [[ban.rule]]\nrule = \"mae-above\"\nquestion = \"age\"\nthreshold = 119.0\nmin_controls = 10\n";
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&dir)?;
            fs::write(dir.join("items.csv"), &listed)?;
            fs::write(dir.join("controls.csv"), &known)?;
            fs::write(dir.join(crate::config::FILE), text)
        };
        write().map_err(|e| Problem::io("write", &dir, &e))?;
        let options = build::Options {
            pictures: false,
            skip_bad_rows: false,
            orphan_votes: false,
            merge: false,
            progress: &crate::cmd::progress,
        };
        build::build(&Project::open(&dir)?, &options)?;
        Ok(Self { dir })
    }
}

/// Where databases are made.
pub(super) struct Scratch {
    server: Option<String>,
    dir: PathBuf,
}

impl Scratch {
    pub(super) fn new(server: Option<&str>, dir: &Path) -> Self {
        Self {
            server: server.map(str::to_owned),
            dir: dir.to_path_buf(),
        }
    }

    pub(super) fn engine(&self) -> &'static str {
        match &self.server {
            None => "SQLite",
            Some(_) => "PostgreSQL",
        }
    }

    /// What makes a commit durable here.
    pub(super) async fn settings(&self) -> Result<String> {
        let Some(server) = &self.server else {
            return Ok("WAL, synchronous = FULL".into());
        };
        let pool = connect(server).await?;
        let mut said = Vec::new();
        for name in [
            "fsync",
            "synchronous_commit",
            "wal_sync_method",
            "server_version",
        ] {
            let row = sqlx::query(sqlx::AssertSqlSafe(format!("SHOW {name}")))
                .fetch_one(&pool)
                .await
                .map_err(failed)?;
            said.push(format!(
                "{name} = {}",
                row.try_get::<String, _>(0).map_err(failed)?
            ));
        }
        pool.close().await;
        Ok(said.join(", "))
    }

    /// An empty database.
    pub(super) async fn make(&self, name: &str) -> Result<String> {
        let Some(server) = &self.server else {
            return Ok(format!(
                "sqlite://{}?mode=rwc",
                self.dir.join(format!("{name}.db")).display()
            ));
        };
        let database = format!("veche_bench_{name}_{}", std::process::id());
        let pool = connect(server).await?;
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {database}")))
            .execute(&pool)
            .await
            .map_err(failed)?;
        pool.close().await;
        match server.rsplit_once('/') {
            Some((base, _)) => Ok(format!("{base}/{database}")),
            None => problem("a database address ends with /name").fail(),
        }
    }

    /// Removes a database that was made here.
    pub(super) async fn remove(&self, url: &str) -> Result<()> {
        match &self.server {
            None => {
                let file = url
                    .trim_start_matches("sqlite://")
                    .trim_end_matches("?mode=rwc");
                for end in ["", "-wal", "-shm"] {
                    let _ = fs::remove_file(format!("{file}{end}"));
                }
            }
            Some(server) => {
                let name = url.rsplit('/').next().unwrap_or_default();
                let pool = connect(server).await?;
                let text = format!("DROP DATABASE {name} WITH (FORCE)");
                sqlx::query(sqlx::AssertSqlSafe(text))
                    .execute(&pool)
                    .await
                    .map_err(failed)?;
                pool.close().await;
            }
        }
        Ok(())
    }
}

/// A failure of the database as ours.
#[allow(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
pub(super) fn failed(error: sqlx::Error) -> Box<Problem> {
    Box::new(problem(format!("the database failed: {error}")))
}

/// Connections to a database, durable as the server's are.
pub(super) async fn connect(url: &str) -> Result<sqlx::AnyPool> {
    crate::store::connect(url, 64).await
}

/// The dialect of an address.
pub(super) fn dialect(url: &str) -> Dialect {
    if url.starts_with("sqlite:") {
        Dialect::Sqlite
    } else {
        Dialect::Postgres
    }
}

/// Running servers; they end with this.
pub(super) struct Servers {
    children: Vec<Child>,
    pub(super) addresses: Vec<SocketAddr>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Servers {
    /// Starts them one after the other, each on a port of its own.
    pub(super) async fn start(campaign: &Campaign, url: &str, n: usize) -> Result<Self> {
        let program = std::env::current_exe()
            .map_err(|e| problem(format!("cannot find this program: {e}")))?;
        let mut servers = Self {
            children: Vec::new(),
            addresses: Vec::new(),
        };
        for _ in 0..n {
            let mut child = Command::new(&program)
                .arg("serve")
                .arg(&campaign.dir)
                .args([
                    "--listen",
                    "127.0.0.1:0",
                    "--open-signup",
                    "--database",
                    url,
                ])
                .env("VECHE_LOG", "error")
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .map_err(|e| Problem::io("run", &program, &e))?;
            let lines = child.stderr.take().map(|said| BufReader::new(said).lines());
            servers.children.push(child);
            let mut lines = lines
                .into_iter()
                .flatten()
                .map_while(std::result::Result::ok);
            let mut said = Vec::new();
            let address = loop {
                match lines.next() {
                    Some(line) => match line.strip_prefix("listening on http://").map(str::parse) {
                        Some(Ok(address)) => break address,
                        _ => said.push(line),
                    },
                    None => return problem(format!("the server ended: {}", said.join(" "))).fail(),
                }
            };
            // What it says later must not fill the pipe.
            std::thread::spawn(move || lines.for_each(drop));
            servers.addresses.push(address);
        }
        Ok(servers)
    }

    /// Ends them at once: what was acknowledged is on disk.
    pub(super) fn end(mut self) -> Result<()> {
        for child in &mut self.children {
            child
                .kill()
                .map_err(|e| problem(format!("the server cannot be ended: {e}")))?;
            let _ = child.wait();
        }
        Ok(())
    }
}
