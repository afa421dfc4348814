//! A PostgreSQL of a test's own, which may be killed.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, chown},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Who the database runs as where the test runs as root, which it refuses to do.
const NOBODY: u32 = 65534;

/// A cluster in a temporary folder; stopped when the test ends.
pub struct Postgres {
    dir: tempfile::TempDir,
    tools: PathBuf,
    port: u16,
    child: Option<Child>,
    /// Address of its database.
    pub url: String,
}

/// The folder of the newest `postgres` and `initdb`.
fn tools() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .filter_map(|e| Some(e.ok()?.path().join("bin")))
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders
        .into_iter()
        .find(|f| f.join("initdb").is_file() && f.join("postgres").is_file())
}

/// Whether this is root's process: a folder made by it is root's.
fn is_root(dir: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(dir).unwrap().uid() == 0
}

impl Postgres {
    /// Makes a cluster and starts it; `None` where PostgreSQL is not installed.
    pub fn make() -> Option<Self> {
        let tools = tools()?;
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        if is_root(dir.path()) {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
            chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let url = format!("postgres://veche@127.0.0.1:{port}/postgres");
        let mut made = Self {
            dir,
            tools,
            port,
            child: None,
            url,
        };
        let init = made
            .command(
                "initdb",
                &["-U", "veche", "--auth=trust", "-E", "UTF8", "-D"],
            )
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            init.status.success(),
            "{}",
            String::from_utf8_lossy(&init.stderr)
        );
        made.start();
        Some(made)
    }

    fn command(&self, tool: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.tools.join(tool));
        command.args(args).current_dir("/");
        if is_root(self.dir.path()) {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Starts it, recovering what a kill left, and waits until it answers.
    pub fn start(&mut self) {
        let data = self.dir.path().join("data");
        let port = self.port.to_string();
        let mut command = self.command(
            "postgres",
            &["-p", &port, "-c", "listen_addresses=127.0.0.1", "-D"],
        );
        command
            .arg(&data)
            .args(["-c", "unix_socket_directories=", "-c", "max_connections=60"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        let start = Instant::now();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        sqlx::any::install_default_drivers();
        let url = self.url.clone();
        while runtime
            .block_on(async { sqlx::AnyPool::connect(&url).await })
            .map(|pool| runtime.block_on(pool.close()))
            .is_err()
        {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "PostgreSQL does not start"
            );
            std::thread::sleep(Duration::from_millis(20));
            // What is left of the one before may still hold its memory.
            if self.child.as_mut().unwrap().try_wait().unwrap().is_some() {
                self.child = Some(command.spawn().unwrap());
            }
        }
    }

    /// SIGKILL to all of its processes.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let id = child.id();
        // Each of its processes leads a group of its own.
        let children =
            fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let _ = child.kill();
        let _ = Command::new("kill")
            .arg("-KILL")
            .args(children.split_whitespace())
            .stderr(Stdio::null())
            .status();
        child.wait().unwrap();
        let _ = fs::remove_file(self.dir.path().join("data/postmaster.pid"));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}
