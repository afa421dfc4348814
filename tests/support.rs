//! A folder of its own for each test, and the program run in it.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A temporary folder that goes away with the test.
pub struct Dir(tempfile::TempDir);

/// What one run of the program left behind.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Dir {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, making its folders.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).unwrap()
    }

    /// The program with these arguments, to be run in this folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_veche"));
        command
            .args(args)
            .current_dir(self.path())
            .env("NO_COLOR", "1");
        command
    }

    /// Runs `veche ARGS` in this folder.
    pub fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(args).output().unwrap())
    }

    /// Runs it and expects success; returns stdout.
    pub fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(
            ran.code, 0,
            "veche {args:?} failed:\n{}{}",
            ran.out, ran.err
        );
        ran.out
    }

    /// Runs it and expects exit code 1, nothing on stdout, and every one of `words` in the message.
    pub fn fails(&self, args: &[&str], words: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(
            ran.code, 1,
            "veche {args:?} should fail:\n{}{}",
            ran.out, ran.err
        );
        assert_eq!(ran.out, "", "a failing command prints nothing on stdout");
        for word in words {
            assert!(
                ran.err.contains(word),
                "\"{word}\" is missing in:\n{}",
                ran.err
            );
        }
        ran.err
    }

    /// Runs it and parses stdout as JSON.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// For every task of a campaign's pool whether it is a control.
    pub fn roles(&self, campaign: &str) -> std::collections::BTreeMap<String, bool> {
        let questions = veche::config::Project::open(&self.join(campaign))
            .unwrap()
            .questions;
        let pool = self.join(campaign).join("pool");
        let pool = veche::pool::StoredPool::read(&pool, &questions).unwrap();
        (0..pool.len())
            .map(|i| (pool.names[i].to_string(), pool.is_control(i)))
            .collect()
    }

    /// All files below the folder with their content, to see that nothing was written.
    pub fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut open = vec![self.path().to_path_buf()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.push((path.clone(), fs::read(&path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

pub fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The folder with real test data, or `None` after saying SKIPPED; a failure instead where VECHE_TEST_ALL=1.
pub fn data(what: &str) -> Option<PathBuf> {
    let near = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let dir = env::var_os("VECHE_DATA").map_or(near, PathBuf::from);
    let path = dir.join(what);
    if path.exists() {
        return Some(path);
    }
    skipped(&format!(
        "{what} is not among the test data ({})",
        dir.display()
    ));
    None
}

/// Says that a test cannot run here, or fails where everything must run.
pub fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(
        env::var("VECHE_TEST_ALL").as_deref() != Ok("1"),
        "{test} cannot run: {why}"
    );
    println!("SKIPPED {test}: {why}");
    if let Some(file) = env::var_os("VECHE_SKIPPED") {
        let mut log = fs::File::options()
            .append(true)
            .create(true)
            .open(file)
            .unwrap();
        writeln!(log, "SKIPPED {test}: {why}").unwrap();
    }
}
