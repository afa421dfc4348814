//! Bad input: each mistake is one clear message (where, what was found, what to do), and nothing is written.

mod campaign;
mod disk;
mod pictures;
mod tables;
mod votes;

use crate::support::Dir;

/// Runs it and expects a failure that names all of `words`, says what to do, and leaves every file as it was.
fn refused(dir: &Dir, args: &[&str], words: &[&str]) -> String {
    let before = dir.snapshot();
    let message = dir.fails(args, words);
    assert!(message.starts_with("error: "), "{message}");
    assert!(
        message.contains("\n  help: "),
        "nothing says what to do:\n{message}"
    );
    assert!(!message.contains("panicked"), "{message}");
    assert_eq!(
        dir.snapshot(),
        before,
        "a failing command changed files: veche {args:?}"
    );
    message
}

/// `pool build c` with these files as they are is refused; a pool made before stays as it was.
fn build_refused(dir: &Dir, words: &[&str]) -> String {
    refused(dir, &["pool", "build", "c"], words)
}

/// `pool build c --skip-bad-rows` leaves out so many rows; returns the summary.
fn build_skips(dir: &Dir, rows: u64) -> serde_json::Value {
    let summary = dir.json(&["pool", "build", "c", "--skip-bad-rows", "--json"]);
    let skipped = summary["skipped"].as_array().unwrap();
    assert_eq!(
        skipped
            .iter()
            .map(|r| r["rows"].as_u64().unwrap())
            .sum::<u64>(),
        rows,
        "{summary}"
    );
    summary
}
