//! Real votes with known truth: 13,081 answers of 236 people on the height of others in 607 photos.

use crate::support::{Dir, data};

#[test]
fn the_bake_off_on_real_heights_gives_the_reference_figures() {
    let Some(votes) = data("votes/height_cm_mturk.csv") else {
        return;
    };
    let dir = Dir::new();
    let names = "mean,median,exp-mae,inverse-mae,inverse-mae2";
    let rows = dir.json(&[
        "methods",
        votes.to_str().unwrap(),
        "--methods",
        names,
        "--json",
    ]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 5);
    // Computed with pandas 2 and numpy from the definitions: scores without the item under test.
    let reference = [
        ("mean", 5.986),
        ("median", 5.267),
        ("exp-mae", 4.599),
        ("inverse-mae", 5.101),
        ("inverse-mae2", 4.818),
    ];
    for (name, mae) in reference {
        let row = rows.iter().find(|r| r["method"] == name).unwrap();
        let found = row["mae"].as_f64().unwrap();
        assert!(
            (found - mae).abs() < 0.005,
            "{name}: {found} instead of {mae}"
        );
        assert_eq!(row["n_items"], 607);
        let (low, high) = (
            row["mae_low"].as_f64().unwrap(),
            row["mae_high"].as_f64().unwrap(),
        );
        assert!(
            low < found && found < high,
            "{name}: {found} outside {low} to {high}"
        );
    }
    let maes: Vec<f64> = rows.iter().map(|r| r["mae"].as_f64().unwrap()).collect();
    assert!(maes.is_sorted(), "the best method stands first: {maes:?}");
}

#[test]
fn labels_of_real_heights_carry_errors_that_cover_the_truth() {
    let Some(votes) = data("votes/height_cm_mturk.csv") else {
        return;
    };
    let dir = Dir::new();
    dir.ok(&[
        "aggregate",
        votes.to_str().unwrap(),
        "--method",
        "exp-mae",
        "--out",
        "labels.csv",
    ]);
    let text = dir.read("labels.csv");
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("item,estimate,se,low,high,votes,effective_votes")
    );
    let mut truth = std::collections::BTreeMap::new();
    for line in std::fs::read_to_string(&votes).unwrap().lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        truth.insert(cells[1].to_owned(), cells[4].parse::<f64>().unwrap());
    }
    let (mut n, mut covered, mut votes_total) = (0, 0, 0);
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |i: usize| cells[i].parse::<f64>().unwrap();
        let (low, high) = (number(3), number(4));
        assert!(low <= number(1) && number(1) <= high && number(2) > 0.0);
        assert!(number(6) >= 1.0 && number(6) <= number(5) + 1e-9);
        let z = truth[cells[0]];
        n += 1;
        covered += usize::from(low <= z && z <= high);
        votes_total += number(5) as usize;
    }
    assert_eq!((n, votes_total), (607, 13_081));
    let share = covered as f64 / f64::from(n);
    assert!(
        (0.84..=0.96).contains(&share),
        "90 % intervals hold the truth in {share:.3}"
    );
}

#[test]
fn scores_of_real_annotators_are_complete_and_have_intervals() {
    let Some(votes) = data("votes/height_cm_mturk.csv") else {
        return;
    };
    let dir = Dir::new();
    let rows = dir.json(&["score", votes.to_str().unwrap(), "--json"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 236);
    let n: u64 = rows.iter().map(|r| r["n"].as_u64().unwrap()).sum();
    assert_eq!(n, 13_081);
    for row in rows.iter().filter(|r| r["n"].as_u64() > Some(1)) {
        let (mae, low, high) = (
            row["mae"].as_f64(),
            row["low"].as_f64(),
            row["high"].as_f64(),
        );
        assert!(low <= mae && mae <= high, "{row}");
    }
}

#[test]
fn labels_of_real_choices_are_those_of_the_majority() {
    for set in ["rte", "bluebird"] {
        let Some(votes) = data(&format!("votes/choice/{set}/label.csv")) else {
            return;
        };
        let truth = votes.with_file_name("truth.csv");
        let dir = Dir::new();
        let args = [
            "methods",
            votes.to_str().unwrap(),
            "--truth",
            truth.to_str().unwrap(),
        ];
        let rows = dir.json(&[&args[..], &["--scale", "choice", "--json"]].concat());
        let accuracy = |name: &str| {
            let row = rows
                .as_array()
                .unwrap()
                .iter()
                .find(|r| r["method"] == name)
                .unwrap();
            row["accuracy"].as_f64().unwrap()
        };
        // From pandas: ties (8 % of rte, none of bluebird) go to the first label.
        let reference = if set == "rte" { 0.91875 } else { 82.0 / 108.0 };
        assert!(
            (accuracy("majority") - reference).abs() < 1e-9,
            "{set}: {}",
            accuracy("majority")
        );
        assert!(accuracy("control-accuracy") + 0.02 > accuracy("majority"));
    }
}
