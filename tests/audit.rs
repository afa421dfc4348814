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

/// Answers of 60 annotators on 40 controls: the error grows with age; annotator 1 copies annotator 0; control 7 has a label wrong by 40;
/// controls 30 and above are famous and better known; answers to control 0 come twice, the second one exact.
fn write_crowd(dir: &Dir) {
    let mut state = 7u64;
    let mut noise = || {
        let mut sum = 0.0;
        for _ in 0..4 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5;
        }
        sum * 1.73
    };
    let mut votes = "annotator,item,answer,truth,seconds,assignment,submitted\n".to_owned();
    let mut ages = "annotator,age,expected_error\n".to_owned();
    let mut famous = "item,famous\n".to_owned();
    for c in 0..40 {
        famous += &format!("c{c},{}\n", if c >= 30 { "yes" } else { "no" });
    }
    let mut copied = Vec::new();
    for a in 0..60 {
        let age = 20 + a % 40;
        ages += &format!("a{a},{age},{}\n", 2 + a % 5);
        let spread = 3.0 + f64::from(age) / 8.0;
        for c in 0..40 {
            let is = 10.0 + 1.5 * f64::from(c);
            let truth = if c == 7 { is + 40.0 } else { is };
            let part = if c >= 30 { 0.3 } else { 1.0 };
            let mut answer = (is + part * spread * noise()).round();
            if a == 0 {
                copied.push(answer);
            }
            if a == 1 && c % 3 > 0 {
                answer = copied[c as usize];
            }
            let time = 1_700_000_000 + 10_000 * a + 10 * c;
            votes += &format!(
                "a{a},c{c},{answer},{truth},{},s{a}-{},{time}\n",
                3 + c % 5,
                c / 8
            );
        }
        votes += &format!(
            "a{a},c0,10,10,2,s{a}-9,{}\n",
            1_700_000_000 + 10_000 * a + 900
        );
    }
    dir.write("crowd.csv", &votes);
    dir.write("ages.csv", ages);
    dir.write("famous.csv", famous);
    let first: String = votes
        .lines()
        .filter(|l| !l.contains("-9,"))
        .map(|l| format!("{l}\n"))
        .collect();
    dir.write("first.csv", first);
}

fn whole(dir: &Dir, out: &str, files: &[&str]) {
    for file in files.iter().chain(&["findings.txt", "provenance.json"]) {
        assert!(dir.join(out).join(file).is_file(), "{out}/{file}");
    }
}

#[test]
fn age_and_what_people_expect_are_held_against_their_errors() {
    let dir = Dir::new();
    write_crowd(&dir);
    let args = [
        "audit",
        "by-age",
        "first.csv",
        "--ages",
        "ages.csv",
        "--resamples",
        "100",
        "--out",
        "by-age",
        "--json",
    ];
    let found = dir.json(&args);
    assert_eq!(found["found"]["error"]["finding"], "rises", "{found}");
    assert_eq!(found["found"]["near"]["finding"], "falls");
    whole(
        &dir,
        "by-age",
        &[
            "by-age-error.svg",
            "by-age-near.svg",
            "annotators.csv",
            "curve.parquet",
        ],
    );
    assert!(dir.read("by-age/provenance.json").contains("ages.csv"));
    let pools: String = dir
        .read("ages.csv")
        .lines()
        .skip(1)
        .map(|l| {
            let mut cells = l.split(',');
            let (who, age) = (
                cells.next().unwrap(),
                cells.next().unwrap().parse::<u32>().unwrap(),
            );
            format!("{who},faces {}-{}\n", age / 10 * 10, age / 10 * 10 + 9)
        })
        .collect();
    dir.write("pools.csv", format!("annotator,pool\n{pools}"));
    let found = dir.json(&[
        "audit",
        "by-age",
        "first.csv",
        "--ages",
        "pools.csv",
        "--resamples",
        "50",
        "--json",
    ]);
    assert_eq!(found["found"]["bands"], true);
    assert_eq!(found["found"]["error"]["finding"], "rises");

    let found = dir.json(&[
        "audit",
        "self-knowledge",
        "first.csv",
        "--expected",
        "ages.csv",
        "--out",
        "self",
        "--json",
    ]);
    assert_eq!(found["found"]["annotators"], 60);
    assert!(
        found["found"]["difference_interval"]["low"].as_f64() > Some(0.0),
        "{found}"
    );
    whole(&dir, "self", &["self-knowledge.svg", "annotators.parquet"]);
    dir.write(
        "poll.csv",
        "expected error,votes\n0-2,30\n3-5,60\n6-8,20\n10+,10\n",
    );
    let found = dir.json(&[
        "audit",
        "self-knowledge",
        "poll.csv",
        "--real",
        "7.22",
        "--unit",
        "years",
        "--out",
        "poll",
        "--json",
    ]);
    assert_eq!(found["found"]["voters"], 120);
    assert_eq!(found["found"]["median"], 4.0);
    whole(&dir, "poll", &["self-knowledge.svg", "poll.csv"]);

    dir.fails(
        &["audit", "by-age", "first.csv"],
        &["no annotator's age is known", "--ages"],
    );
    dir.write("odd.csv", "annotator,age\na1,young\n");
    dir.fails(
        &["audit", "by-age", "first.csv", "--ages", "odd.csv"],
        &["odd.csv", "young", "age"],
    );
    dir.write("others.csv", "annotator,age\nzz,20\n");
    dir.fails(
        &["audit", "by-age", "first.csv", "--ages", "others.csv"],
        &["gave any of the votes", "zz"],
    );
}

#[test]
fn a_wrong_label_a_copyist_and_a_leak_are_found() {
    let dir = Dir::new();
    write_crowd(&dir);
    let found = dir.json(&[
        "audit",
        "controls",
        "first.csv",
        "--out",
        "controls",
        "--json",
    ]);
    assert_eq!(found["found"]["doubtful_labels"], 1, "{found}");
    assert_eq!(found["found"]["retire"][0]["control"], "c7");
    whole(
        &dir,
        "controls",
        &[
            "controls-hardest.svg",
            "controls-doubtful.svg",
            "controls.svg",
            "retire.csv",
            "controls.parquet",
        ],
    );
    assert!(
        dir.read("controls/retire.csv")
            .contains("c7,correct the label or retire")
    );

    let found = dir.json(&[
        "audit",
        "collusion",
        "first.csv",
        "--out",
        "collusion",
        "--json",
    ]);
    let suspected = found["found"]["suspected"].as_array().unwrap();
    assert_eq!(suspected[0]["first"], "a0", "{found}");
    assert_eq!(suspected[0]["second"], "a1", "{found}");
    whole(&dir, "collusion", &["collusion.svg", "pairs.csv"]);

    let args = [
        "audit",
        "leak",
        "crowd.csv",
        "--famous",
        "famous.csv",
        "--resamples",
        "200",
        "--out",
        "leak",
        "--json",
    ];
    let found = dir.json(&args);
    let facts = &found["found"];
    assert_eq!(facts["second_sights"]["pairs"], 60, "{found}");
    assert!(facts["second_sights"]["gain_interval"]["low"].as_f64() > Some(0.0));
    assert!(
        facts["famous"]["interval"]["low"].as_f64() > Some(0.0),
        "{facts}"
    );
    whole(
        &dir,
        "leak",
        &[
            "leak.svg",
            "leak-exact.svg",
            "second_sights.csv",
            "exact.csv",
        ],
    );
    dir.fails(&["audit", "controls", "crowd.csv"], &["twice"]);
}

#[test]
fn speed_and_balance_say_what_the_votes_allow() {
    let dir = Dir::new();
    write_crowd(&dir);
    let found = dir.json(&[
        "audit",
        "speed",
        "first.csv",
        "--resamples",
        "100",
        "--out",
        "speed",
        "--json",
    ]);
    assert_eq!(found["found"]["median_seconds"], 5.0, "{found}");
    whole(
        &dir,
        "speed",
        &["speed.svg", "speed-error.svg", "annotators.csv"],
    );
    let found = dir.json(&[
        "audit",
        "balance",
        "first.csv",
        "--out",
        "balance",
        "--json",
    ]);
    assert_eq!(found["found"]["parts"], 1);
    assert_eq!(found["found"]["pairs_met_share"], 1.0);
    assert_eq!(
        found["found"]["places"].as_array().unwrap().len(),
        8,
        "{found}"
    );
    whole(
        &dir,
        "balance",
        &[
            "balance-controls.svg",
            "balance-places.svg",
            "balance-pairs.svg",
            "items.csv",
        ],
    );
    dir.write(
        "bare.csv",
        "annotator,item,answer,truth\na,x,10,12\nb,x,20,12\n",
    );
    dir.fails(
        &["audit", "speed", "bare.csv"],
        &["how long it took", "seconds"],
    );
    let bare = dir.ok(&["audit", "balance", "bare.csv"]);
    assert!(bare.contains("Places in a suite are not known"), "{bare}");
}

#[test]
fn labels_get_their_weight_as_a_column() {
    let dir = Dir::new();
    let mut labels = "item,age\n".to_owned();
    for i in 0..200 {
        labels += &format!("i{i},{}\n", 20 + i % 10 + if i % 40 == 0 { 50 } else { 0 });
    }
    dir.write("labels.csv", labels);
    let found = dir.json(&[
        "audit",
        "imbalance",
        "labels.csv",
        "--unit",
        "years",
        "--out",
        "found",
        "--json",
    ]);
    assert_eq!(found["found"]["items"], 200, "{found}");
    whole(
        &dir,
        "found",
        &[
            "imbalance.svg",
            "imbalance-weights.svg",
            "weights.csv",
            "weights.parquet",
            "distribution.csv",
        ],
    );
    let weights = dir.read("found/weights.csv");
    assert!(
        weights.starts_with("item,label,lds_weight\ni0,70,"),
        "{weights}"
    );
    let of = |item: &str| -> f64 {
        let line = weights
            .lines()
            .find(|l| l.starts_with(&format!("{item},")))
            .unwrap();
        line.rsplit(',').next().unwrap().parse().unwrap()
    };
    assert!(of("i0") > of("i1"));
    dir.write("bad.csv", "item,age\na,-1\n");
    dir.fails(
        &["audit", "imbalance", "bad.csv"],
        &["negative", "bad.csv", "-1"],
    );
}

#[test]
fn every_audit_of_a_simulated_campaign_says_that_it_is_simulated() {
    let dir = Dir::new();
    dir.campaign(30, 20);
    dir.ok(&["pool", "build", "c"]);
    dir.ok(&["simulate", "c", "--annotators", "12"]);
    for audit in ["controls", "speed", "leak", "balance"] {
        let text = dir.ok(&["audit", audit, "c", "--question", "age", "--out", "found"]);
        assert!(text.starts_with("SIMULATED"), "{audit}: {text}");
    }
    let pairs = dir.ok(&[
        "audit",
        "collusion",
        "c",
        "--question",
        "age",
        "--min-common",
        "2",
    ]);
    assert!(pairs.starts_with("SIMULATED"), "{pairs}");
    let sexes = dir.ok(&[
        "audit",
        "controls",
        "c",
        "--question",
        "sex",
        "--out",
        "sexes",
    ]);
    assert!(sexes.contains("control"), "{sexes}");
    assert!(
        dir.read("sexes/controls-hardest.svg")
            .contains("data:image/")
    );
    let weights = dir.ok(&[
        "audit",
        "imbalance",
        "c",
        "--question",
        "age",
        "--out",
        "weights",
    ]);
    assert!(
        weights.contains("SIMULATED") && weights.contains("LDS weights"),
        "{weights}"
    );
}
