//! `veche audit` from outside.

use crate::support::{Dir, data};

#[test]
fn spammers_among_real_heights_stand_apart() {
    let Some(votes) = data("votes/height_cm_mturk.csv") else {
        return;
    };
    let dir = Dir::new();
    let votes = votes.to_str().unwrap();
    let args = [
        "audit",
        "annotators",
        votes,
        "--round",
        "2.54",
        "--resamples",
        "100",
        "--json",
        "--out",
        "found",
    ];
    let found = dir.json(&args);
    let facts = &found["found"];
    assert_eq!(facts["annotators"], 236, "{facts}");
    let (mean, median) = (
        facts["mean"].as_f64().unwrap(),
        facts["median"].as_f64().unwrap(),
    );
    let best = facts["best"].as_f64().unwrap();
    assert!(best < median && median < mean, "{facts}");
    assert!(
        facts["above_twice_median"].as_u64().unwrap() >= 1,
        "{facts}"
    );
    for file in [
        "annotators.svg",
        "annotators.csv",
        "annotators.parquet",
        "findings.txt",
        "provenance.json",
    ] {
        assert!(dir.join("found").join(file).is_file(), "{file}");
    }
}

#[test]
fn drift_on_real_heights_says_that_rows_stand_for_time() {
    let Some(votes) = data("votes/height_cm_mturk.csv") else {
        return;
    };
    let dir = Dir::new();
    let found = dir.json(&[
        "audit",
        "drift",
        votes.to_str().unwrap(),
        "--json",
        "--out",
        "found",
    ]);
    let slope = &found["found"]["drift"]["slope"];
    assert!(
        slope["interval"]["low"].as_f64() < slope["interval"]["high"].as_f64(),
        "{slope}"
    );
    assert!(
        found["sentences"].to_string().contains("order of rows"),
        "{found}"
    );
    // Each batch of photos was answered in one order.
    assert_eq!(found["found"]["drift"]["difficulty_removed"], false);
    assert!(dir.join("found/drift.svg").is_file());
}

#[test]
fn audits_say_what_is_missing() {
    let dir = Dir::new();
    dir.write("votes.csv", "annotator,item,answer\na,x,1\nb,x,2\n");
    dir.fails(
        &["audit", "annotators", "votes.csv"],
        &["no answer is known", "--truth"],
    );
    dir.write(
        "lone.csv",
        "annotator,item,answer,truth\na,x,10,12\nb,y,20,22\n",
    );
    dir.fails(
        &["audit", "drift", "lone.csv"],
        &["answered several controls", "help"],
    );
    dir.fails(
        &["audit", "annotators", "lone.csv", "--round", "0"],
        &["--round"],
    );
}
