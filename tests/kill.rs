//! A killed `pool build` leaves the old pool or the new one, whole, and the next build clears away what it left.

use crate::support::Dir;
use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

const OLD: u64 = 40;
const NEW: u64 = 60;
const CONTROLS: u64 = 8;

/// A campaign that can be built with 40 items or with 60.
fn campaign() -> Dir {
    let dir = Dir::new();
    dir.campaign(NEW as u32, CONTROLS as u32);
    let listed = dir.read("c/items.csv");
    let first: Vec<&str> = listed.lines().take(1 + OLD as usize).collect();
    dir.write("c/items-40.csv", first.join("\n"));
    dir.write("c/items-60.csv", &listed);
    // Large enough that rendering takes a while.
    dir.edit("c/campaign.toml", "longest_side = 32", "longest_side = 320");
    dir
}

/// Chooses what the next build builds.
fn choose(dir: &Dir, items: u64) {
    fs::copy(
        dir.join(&format!("c/items-{items}.csv")),
        dir.join("c/items.csv"),
    )
    .unwrap();
}

fn start(dir: &Dir) -> Child {
    dir.command(&["pool", "build", "c"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Folders of unfinished builds.
fn unfinished(dir: &Dir) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("c"))
        .unwrap()
        .map(|e| e.unwrap().path());
    entries
        .filter(|p| p.to_string_lossy().contains(".veche-"))
        .collect()
}

/// The pool that stands there agrees with itself in every file; returns its number of items.
fn consistent(dir: &Dir) -> u64 {
    let summary: serde_json::Value =
        serde_json::from_str(&dir.read("c/pool/summary.json")).unwrap();
    let (items, controls) = (
        summary["items"].as_u64().unwrap(),
        summary["controls"].as_u64().unwrap(),
    );
    assert_eq!(controls, CONTROLS);
    let provenance: serde_json::Value =
        serde_json::from_str(&dir.read("c/pool/provenance.json")).unwrap();
    assert_eq!(provenance["command"], "veche pool build");
    let mut shown = BTreeSet::new();
    for entry in fs::read_dir(dir.join("c/pool/shown")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        assert!(
            bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]),
            "{} is half a picture",
            path.display()
        );
        shown.insert(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert_eq!(shown.len() as u64, items + controls);
    dir.ok(&[
        "pool",
        "export",
        "c",
        "--format",
        "toloka-tsv",
        "--out",
        "upload.tsv",
    ]);
    let upload = dir.read("upload.tsv");
    let listed: BTreeSet<String> = upload
        .lines()
        .skip(1)
        .map(|l| l.split('\t').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        listed, shown,
        "tasks.parquet and the pictures belong to one build"
    );
    assert_eq!(
        dir.roles("c").values().filter(|control| !**control).count() as u64,
        items
    );
    items
}

#[test]
fn a_build_killed_at_any_moment_leaves_the_old_pool_or_the_new_one() {
    let dir = campaign();
    choose(&dir, OLD);
    dir.ok(&["pool", "build", "c"]);
    assert_eq!(consistent(&dir), OLD);
    choose(&dir, NEW);
    let began = Instant::now();
    dir.ok(&["pool", "build", "c"]);
    let whole = began.elapsed();
    let mut standing = consistent(&dir);
    let (mut kept, mut left_behind) = (0, 0);
    for i in 0..25_u32 {
        let wanted = OLD + NEW - standing;
        choose(&dir, wanted);
        let mut build = start(&dir);
        // Spread over the build and a little beyond, none at the same moment as another: 7 steps through 25 are all of them.
        let moment = whole.mul_f64(1.15 * f64::from(7 * i % 25) / 25.0);
        std::thread::sleep(moment);
        build.kill().unwrap();
        let status = build.wait().unwrap();
        let found = consistent(&dir);
        assert!(
            found == standing || found == wanted,
            "{found} items after a kill at {moment:?}"
        );
        if status.success() {
            assert_eq!(found, wanted, "a build that said it had succeeded");
        }
        kept += u32::from(found == standing);
        left_behind += u32::from(!unfinished(&dir).is_empty());
        standing = found;
    }
    println!(
        "{kept} of 25 kills kept the old pool, {left_behind} left an unfinished folder; a build takes {whole:?}"
    );
    assert!(kept >= 5, "the kills came too late to prove anything");
    choose(&dir, NEW);
    dir.ok(&["pool", "build", "c"]);
    assert_eq!(consistent(&dir), NEW);
    assert_eq!(unfinished(&dir), Vec::<PathBuf>::new());
}

/// The moments around the exchange of the folders are short: these kills wait for them.
#[test]
fn a_build_killed_while_it_puts_the_new_pool_in_place_leaves_a_whole_one() {
    let dir = campaign();
    choose(&dir, OLD);
    dir.ok(&["pool", "build", "c"]);
    let mut standing = OLD;
    for file in [
        "shown",
        "tasks.parquet",
        "roles.parquet",
        "summary.json",
        "provenance.json",
        "provenance.json",
    ] {
        let wanted = OLD + NEW - standing;
        choose(&dir, wanted);
        let mut build = start(&dir);
        let patience = Instant::now();
        // What an earlier kill left behind has another name.
        let before = unfinished(&dir);
        let came = |d: &PathBuf| !before.contains(d) && d.join(file).exists();
        while build.try_wait().unwrap().is_none() && patience.elapsed() < Duration::from_secs(60) {
            if unfinished(&dir).iter().any(came) {
                break;
            }
        }
        build.kill().unwrap();
        build.wait().unwrap();
        let found = consistent(&dir);
        assert!(
            found == standing || found == wanted,
            "{found} items after a kill at {file}"
        );
        standing = found;
    }
    choose(&dir, OLD);
    dir.ok(&["pool", "build", "c"]);
    assert_eq!(consistent(&dir), OLD);
    assert_eq!(unfinished(&dir), Vec::<PathBuf>::new());
}

#[test]
fn a_first_build_that_is_killed_leaves_no_pool_and_the_next_one_is_whole() {
    let dir = campaign();
    choose(&dir, NEW);
    let mut build = start(&dir);
    while build.try_wait().unwrap().is_none() && unfinished(&dir).is_empty() {}
    build.kill().unwrap();
    build.wait().unwrap();
    assert!(!dir.join("c/pool").exists(), "half a pool");
    assert_eq!(unfinished(&dir).len(), 1);
    dir.ok(&["pool", "build", "c"]);
    assert_eq!(consistent(&dir), NEW);
    assert_eq!(unfinished(&dir), Vec::<PathBuf>::new());
}

#[test]
fn two_builds_at_once_leave_one_whole_pool() {
    let dir = campaign();
    choose(&dir, NEW);
    let builds = [start(&dir), start(&dir), start(&dir)];
    let codes: Vec<bool> = builds.map(|mut b| b.wait().unwrap().success()).to_vec();
    assert!(codes.contains(&true), "{codes:?}");
    assert_eq!(consistent(&dir), NEW);
    assert_eq!(unfinished(&dir), Vec::<PathBuf>::new());
}
