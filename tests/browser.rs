//! The pages in a real browser against the real server, and a report: tests/browser/, pictures under target/screenshots.

use crate::{
    server::{Client, Server, answers, runtime},
    support::{Dir, ran, skipped},
};
use serde_json::json;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

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

/// Runs a script of tests/browser against a server, and expects as many lives to hold.
fn lives(script: &str, controls: u32, prepare: impl AsyncFnOnce(&str), held: usize) {
    let Some(python) = env::var_os("VECHE_TEST_BROWSER_PYTHON") else {
        return skipped(
            "VECHE_TEST_BROWSER_PYTHON names no Python with playwright (tests/run makes one)",
        );
    };
    let Some(chromium) = chromium() else {
        return skipped("there is no chromium");
    };
    let dir = Dir::new();
    dir.campaign(60, controls);
    let mut text = dir.read("c/campaign.toml");
    text += "\n[[ban.rule]]\nrule = \"constant\"\nquestion = \"age\"\nshare = 0.95\nmin_tasks = 8\n\
             \n[serve]\npractice = 2\nfeedback = \"after-suite\"\n";
    dir.write("c/campaign.toml", text);
    dir.ok(&["pool", "build", "c"]);
    let server = Server::start(&dir, &[]);
    runtime().block_on(prepare(&server.url));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python)
        .arg(root.join("tests/browser").join(script))
        .arg(&server.url)
        .arg(chromium)
        .arg(root.join("target/screenshots"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = ran(output);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(said.out.matches("held").count(), held, "{}", said.out);
}

#[test]
fn annotators_work_by_mouse_by_keyboard_and_by_touch_through_bans_reloads_and_lost_connections() {
    lives("life.py", 24, async |_: &str| {}, 5);
}

#[test]
fn a_requester_watches_writes_bans_lifts_invites_and_takes_the_results_home() {
    let some_votes = async |url: &str| {
        for who in 0..5 {
            let client = Client::sign_up(url).await;
            for n in 0..8 {
                let next = client.ok("/api/annotator/next", &json!({})).await;
                let mut body = answers(&next["suite"], &n.to_string(), 0);
                // Not all the same, or the rule would speak.
                for (place, answer) in body["answers"]
                    .as_array_mut()
                    .unwrap()
                    .iter_mut()
                    .enumerate()
                {
                    answer["output"]["age"] = json!(15 + (who * 13 + n * 17 + place * 11) % 60);
                }
                client.ok("/api/annotator/submit", &body).await;
            }
        }
    };
    lives("requester.py", 14, some_votes, 2);
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
