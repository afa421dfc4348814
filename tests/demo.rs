//! The first command of the README: the whole loop, on drawn faces and on one's own photos.

use crate::support::{Dir, data};

#[test]
fn the_demo_runs_the_whole_loop_and_ends_with_the_path_of_the_report() {
    let dir = Dir::new();
    let ran = dir.run(&["demo", "--out", "d"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let report = ran.out.lines().last().unwrap();
    assert!(report.ends_with("report.html"), "{report}");
    let page = std::fs::read_to_string(report).unwrap();
    for word in [
        "SIMULATED",
        "exp-mae",
        "Hardest controls",
        ";base64,",
        "Votes left out",
    ] {
        assert!(page.contains(word), "the report lacks \"{word}\"");
    }
    // Nothing on the page asks the network for anything.
    for outside in ["src=\"http", "href=\"http", "url(http", "@import", "fetch("] {
        assert!(!page.contains(outside), "the report refers to {outside}");
    }
    assert!(
        ran.out.contains("methods compared on 120 items"),
        "{}",
        ran.out
    );
    let labels = dir.read("d/out/labels.csv");
    assert_eq!(labels.lines().count(), 601);
    assert!(
        labels.lines().skip(1).all(|l| l.ends_with(",simulated")),
        "labels say they are simulated"
    );
    for file in [
        "pool/provenance.json",
        "out/labels.csv.provenance.json",
        "votes/simulated.provenance.json",
    ] {
        assert!(dir.read(&format!("d/{file}")).contains("blake3"), "{file}");
    }
}

#[test]
fn the_same_seed_gives_the_same_labels_and_another_seed_other_ones() {
    let dir = Dir::new();
    for (out, seed) in [("a", "5"), ("b", "5"), ("c", "6")] {
        dir.ok(&["demo", "--out", out, "--seed", seed, "--annotators", "80"]);
    }
    assert_eq!(dir.read("a/out/labels.csv"), dir.read("b/out/labels.csv"));
    assert_eq!(
        dir.read("a/pool/summary.json"),
        dir.read("b/pool/summary.json")
    );
    assert_ne!(dir.read("a/out/labels.csv"), dir.read("c/out/labels.csv"));
}

#[test]
fn a_folder_that_is_no_demo_is_never_touched() {
    let dir = Dir::new();
    dir.write("photos/mine.jpg", "precious");
    let before = dir.snapshot();
    dir.fails(
        &["demo", "--out", "photos"],
        &["something else than a demo", "--out"],
    );
    assert_eq!(dir.snapshot(), before);
}

#[test]
fn the_demo_runs_on_real_photos() {
    let Some(items) = data("faces/fairface540") else {
        return;
    };
    let Some(controls) = data("faces/london102/labels.csv") else {
        return;
    };
    let dir = Dir::new();
    let out = dir.ok(&[
        "demo",
        "--out",
        "d",
        "--items",
        items.to_str().unwrap(),
        "--controls",
        controls.to_str().unwrap(),
        "--control-path",
        "{face_id}_03.jpg",
        "--skip-bad-rows",
    ]);
    assert!(out.contains("methods compared on 100 items"), "{out}");
    assert!(out.lines().last().unwrap().ends_with("report.html"));
}
