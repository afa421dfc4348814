//! The annotator's page against the real server, and a report, in a real browser: tests/browser/life.py and report.py, pictures under
//! target/screenshots.

use crate::support::{Dir, ran, skipped};
use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A server that ends with the test.
struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves the campaign in `c` and waits until it listens.
fn serve(dir: &Dir) -> Server {
    let mut child = dir
        .command(&["serve", "c", "--listen", "127.0.0.1:0", "--open-signup"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    let address = loop {
        let Some(line) = lines.next() else {
            panic!("the server ended: {said}");
        };
        let line = line.unwrap();
        if let Some((_, address)) = line.split_once("listening on ") {
            break address.trim().to_owned();
        }
        said += &line;
    };
    // What it goes on to say must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Server(child, address)
}

/// The browser, if there is one.
fn chromium() -> Option<PathBuf> {
    if let Some(named) = env::var_os("VECHE_TEST_CHROMIUM") {
        return Some(PathBuf::from(named));
    }
    let folders = env::var_os("PATH")?;
    [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ]
    .iter()
    .flat_map(|name| env::split_paths(&folders).map(move |folder| folder.join(name)))
    .find(|path| path.is_file())
}

#[test]
fn annotators_work_by_mouse_by_keyboard_and_by_touch_through_bans_reloads_and_lost_connections() {
    let Some(python) = env::var_os("VECHE_TEST_BROWSER_PYTHON") else {
        return skipped(
            "VECHE_TEST_BROWSER_PYTHON names no Python with playwright (tests/run makes one)",
        );
    };
    let Some(chromium) = chromium() else {
        return skipped("there is no chromium");
    };
    let dir = Dir::new();
    dir.campaign(60, 24);
    let mut text = dir.read("c/campaign.toml");
    text += "\n[[ban.rule]]\nrule = \"constant\"\nquestion = \"age\"\nshare = 0.95\nmin_tasks = 8\n\
             \n[serve]\npractice = 2\nfeedback = \"after-suite\"\n";
    dir.write("c/campaign.toml", text);
    dir.ok(&["pool", "build", "c"]);
    let server = serve(&dir);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python)
        .arg(root.join("tests/browser/life.py"))
        .arg(&server.1)
        .arg(chromium)
        .arg(root.join("target/screenshots"))
        .output()
        .unwrap();
    let said = ran(output);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(said.out.matches("held").count(), 5, "{}", said.out);
}

#[test]
fn a_report_can_be_read_wide_narrow_dark_and_on_paper_by_mouse_and_by_keyboard() {
    let Some(python) = env::var_os("VECHE_TEST_BROWSER_PYTHON") else {
        return skipped(
            "VECHE_TEST_BROWSER_PYTHON names no Python with playwright (tests/run makes one)",
        );
    };
    let Some(chromium) = chromium() else {
        return skipped("there is no chromium");
    };
    let dir = Dir::new();
    dir.campaign(60, 24);
    dir.ok(&["pool", "build", "c"]);
    dir.ok(&["simulate", "c", "--annotators", "30"]);
    dir.ok(&["report", "c", "--network"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python)
        .arg(root.join("tests/browser/report.py"))
        .arg(dir.join("c/out/report.html"))
        .arg(chromium)
        .arg(root.join("target/screenshots"))
        .output()
        .unwrap();
    let said = ran(output);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("held"), "{}", said.out);
}
