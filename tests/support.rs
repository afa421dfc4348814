//! A folder of its own for each test, the program run in it, and a small campaign to run it on.

use std::{
    env,
    fmt::Write as _,
    fs,
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

    /// Changes a file's text; what is to be changed must be there.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(
            text.contains(from),
            "\"{from}\" is missing in {name}:\n{text}"
        );
        self.write(name, text.replace(from, to));
    }

    /// Writes a small picture that looks like no other number's: 8 × 6 squares of noise. The name's ending is the format.
    pub fn photo(&self, name: &str, n: u32) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::from(n) + 1);
        let squares: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(8 * 6 * 3)
        .collect();
        let picture = image::RgbImage::from_fn(48, 36, |x, y| {
            let at = 3 * (y / 6 * 8 + x / 6) as usize;
            image::Rgb([squares[at], squares[at + 1], squares[at + 2]])
        });
        picture.save(&path).unwrap();
        path
    }

    /// A campaign in `c` that builds in a moment: `items` photos in items.csv (`id,file`) and `controls` in controls.csv
    /// (`file,age,gender`), asked for age and sex.
    pub fn campaign(&self, items: u32, controls: u32) {
        let (mut listed, mut known) = ("id,file\n".to_owned(), "file,age,gender\n".to_owned());
        for i in 0..items {
            self.photo(&format!("c/photos/i{i}.jpg"), i);
            writeln!(listed, "item{i},photos/i{i}.jpg").unwrap();
        }
        for i in 0..controls {
            self.photo(&format!("c/photos/k{i}.jpg"), 10_000 + i);
            writeln!(
                known,
                "photos/k{i}.jpg,{},{}",
                5 + 7 * i % 90,
                ["F", "M"][i as usize % 2]
            )
            .unwrap();
        }
        self.write("c/items.csv", listed);
        self.write("c/controls.csv", known);
        self.write("c/campaign.toml", CAMPAIGN);
    }

    /// All files and folders below the folder with their content, to see that nothing was written.
    pub fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut open = vec![self.path().to_path_buf()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    // An empty folder left behind is something written too.
                    files.push((path.clone(), Vec::new()));
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

/// Of [`Dir::campaign`]. The seed is long, so that a search for its digits finds nothing else.
pub const CAMPAIGN: &str = r#"name = "Small"
seed = 8412097366150928731

[[question]]
name = "age"
kind = "number"
prompt = "How old is this person?"
min = 0
max = 120
unit = "years"
integer = true

[[question]]
name = "sex"
kind = "choice"
prompt = "Is this person female or male?"
labels = ["female", "male"]

[items]
source = "items.csv"
path = "file"
id = "id"

[controls]
source = "controls.csv"
path = "file"

[controls.truth]
age = "age"
sex = "gender"

[controls.values.sex]
F = "female"
M = "male"

[suite]
real = 3
control = 1
overlap = 3

[pictures]
longest_side = 32
"#;

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
