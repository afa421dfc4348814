//! What machines read on stdout: valid JSON with the keys that docs/formats.md names.

use super::simulated;
use crate::support::Dir;
use serde_json::Value;
use std::{fs, path::Path};

/// Every value in a list has exactly these keys, and the documentation's row about `row` names them.
fn has_keys(value: &Value, row: &str, keys: &[&str]) {
    let docs =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md")).unwrap();
    let (_, section) = docs.split_once("## JSON on stdout").unwrap();
    let line = section
        .lines()
        .find(|l| l.starts_with(&format!("| {row} |")))
        .unwrap();
    let words: Vec<&str> = line
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let rows = match value {
        Value::Array(rows) => rows.as_slice(),
        one => std::slice::from_ref(one),
    };
    assert!(!rows.is_empty(), "{row}: nothing to look at");
    for object in rows {
        let mut found: Vec<&str> = object
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut keys = keys.to_vec();
        found.sort_unstable();
        keys.sort_unstable();
        assert_eq!(found, keys, "{row}");
    }
    for key in keys {
        assert!(
            words.contains(key),
            "docs/formats.md does not name \"{key}\" of {row}"
        );
    }
}

#[test]
fn every_command_prints_the_documented_keys() {
    let dir = Dir::new();
    dir.campaign(12, 6);
    let built = dir.json(&["pool", "build", "c", "--json"]);
    let summary = [
        "campaign",
        "items",
        "controls",
        "controls_available",
        "mix",
        "overlap",
        "rounds",
        "suites_per_round",
        "ranges",
        "duplicates",
        "skipped",
        "pictures",
        "leaks",
    ];
    let mut found: Vec<&str> = built
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    found.sort_unstable();
    let mut keys = summary.to_vec();
    keys.sort_unstable();
    assert_eq!(found, keys);
    assert_eq!(
        built,
        serde_json::from_str::<Value>(&dir.read("c/pool/summary.json")).unwrap()
    );

    let simulated = dir.json(&["simulate", "c", "--annotators", "40", "--json"]);
    has_keys(
        &simulated,
        "`simulate`",
        &["simulated", "annotators", "suites", "votes", "complete"],
    );
    dir.ok(&["votes", "export", "c", "--out", "votes.csv"]);
    let other = Dir::new();
    other.campaign(12, 6);
    other.ok(&["pool", "build", "c"]);
    other.write("votes.csv", dir.read("votes.csv"));
    let imported = other.json(&["votes", "import", "c", "votes.csv", "--json"]);
    let keys = [
        "votes",
        "annotators",
        "tasks",
        "left_out_bad_rows",
        "left_out_by_status",
        "left_out_repeated",
        "simulated",
    ];
    has_keys(&imported, "`votes import`", &keys);

    let numbers = dir.json(&["methods", "c", "--question", "age", "--json"]);
    let keys = [
        "method",
        "question",
        "mae",
        "mae_low",
        "mae_high",
        "rmse",
        "rmse_low",
        "rmse_high",
        "bias",
        "cs5",
        "cs5_low",
        "cs5_high",
        "coverage",
        "coverage_nominal",
        "interval_width",
        "coverage_table",
        "n_items",
        "convergence",
        "simulated",
    ];
    has_keys(&numbers, "`methods`, numbers", &keys);
    let maes: Vec<f64> = numbers
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["mae"].as_f64().unwrap())
        .collect();
    assert!(maes.len() >= 9 && maes.is_sorted(), "{maes:?}");
    let choices = dir.json(&["methods", "c", "--question", "sex", "--json"]);
    let keys = [
        "method",
        "question",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "confidence",
        "n_items",
        "convergence",
        "simulated",
    ];
    has_keys(&choices, "`methods`, choices", &keys);
    let accuracies: Vec<f64> = choices
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["accuracy"].as_f64().unwrap())
        .collect();
    assert!(
        accuracies.windows(2).all(|w| w[0] >= w[1]),
        "the best stands first: {accuracies:?}"
    );

    let labels = dir.json(&["aggregate", "c", "--out", "l.csv", "--json"]);
    has_keys(
        &labels,
        "`aggregate`",
        &[
            "out",
            "labels",
            "votes",
            "policy",
            "votes_left_out_by_policy",
            "simulated",
        ],
    );
    let keys = [
        "question",
        "method",
        "items",
        "labelled",
        "chosen",
        "convergence",
        "intervals_calibrated_on_controls",
        "includes_shared_error",
    ];
    has_keys(&labels["labels"], "`aggregate`", &keys);
    let policies: Vec<&String> = labels["votes_left_out_by_policy"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(policies, ["after-ban", "from-the-start", "keep"]);

    let bans = dir.json(&[
        "ban",
        "c",
        "--ban-mae",
        "1",
        "--min-controls",
        "1",
        "--json",
    ]);
    has_keys(
        &bans,
        "`ban`",
        &[
            "annotator",
            "rule",
            "evidence",
            "at_control",
            "after_task",
            "simulated",
        ],
    );
    let report = dir.json(&["report", "c", "--json"]);
    has_keys(&report, "`report`", &["report", "simulated"]);
}

#[test]
fn scores_have_the_documented_keys_and_none_for_who_answered_no_control() {
    let dir = simulated(12, 6);
    let keys = [
        "annotator",
        "question",
        "n",
        "mae",
        "bias",
        "accuracy",
        "low",
        "high",
        "votes",
        "verdict",
        "rule",
        "evidence",
        "simulated",
    ];
    for (question, given, absent) in [("age", "mae", "accuracy"), ("sex", "accuracy", "mae")] {
        let scores = dir.json(&["score", "c", "--question", question, "--json"]);
        has_keys(&scores, "`score`", &keys);
        for row in scores.as_array().unwrap() {
            assert_eq!(
                row[given].is_number(),
                row["n"].as_u64().unwrap() > 0,
                "{row}"
            );
            assert!(row[absent].is_null(), "{row}");
        }
    }
    dir.write(
        "votes.csv",
        "annotator,item,answer,truth\nann,x,3,4\nbob,x,5,4\ncat,y,4,\n",
    );
    let scores = dir.json(&["score", "votes.csv", "--json"]);
    let cat = scores
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["annotator"] == "cat")
        .unwrap();
    has_keys(cat, "`score`", &keys);
    assert_eq!((&cat["n"], &cat["votes"]), (&0.into(), &1.into()));
    assert!(
        ["mae", "bias", "accuracy", "low", "high"]
            .iter()
            .all(|k| cat[k].is_null()),
        "{cat}"
    );
}

#[test]
fn nothing_but_json_stands_on_stdout() {
    let dir = simulated(12, 6);
    for args in [
        &["score", "c", "--json"][..],
        &["methods", "c", "--json"],
        &["ban", "c", "--ban-mae", "3", "--json"],
        &["aggregate", "c", "--out", "l.csv", "--json"],
        &["report", "c", "--json"],
    ] {
        let ran = dir.run(args);
        serde_json::from_str::<Value>(&ran.out)
            .unwrap_or_else(|e| panic!("{args:?}: {e}\n{}", ran.out));
        assert!(
            ran.err.contains("SIMULATED"),
            "{args:?} does not say that the votes are simulated"
        );
    }
}

#[test]
fn labels_that_look_like_numbers_are_labels_where_one_says_so() {
    let dir = Dir::new();
    dir.write(
        "votes.csv",
        "worker,task,label,truth\na,x,0,0\nb,x,1,0\nc,x,0,0\na,y,1,1\nb,y,1,1\nc,y,0,1\n",
    );
    let rows = dir.json(&["methods", "votes.csv", "--scale", "choice", "--json"]);
    let majority = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["method"] == "majority")
        .unwrap();
    assert_eq!(
        (&majority["accuracy"], &majority["n_items"]),
        (&1.0.into(), &2.into())
    );
    dir.ok(&[
        "aggregate",
        "votes.csv",
        "--scale",
        "choice",
        "--method",
        "majority",
        "--out",
        "l.csv",
    ]);
    assert_eq!(
        dir.read("l.csv")
            .lines()
            .map(|l| l.split(',').nth(1).unwrap())
            .collect::<Vec<_>>(),
        ["label", "0", "1"]
    );
    assert!(
        dir.run(&["methods", "votes.csv", "--json"])
            .err
            .contains("--scale choice"),
        "a hint that these may be labels"
    );
}
