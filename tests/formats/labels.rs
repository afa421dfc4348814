//! Labels and other results: the same in every format, the same every time.

use super::{delimited, parquet, simulated};
use crate::support::Dir;

#[test]
fn labels_are_the_same_as_csv_tsv_and_parquet() {
    let dir = simulated(12, 6);
    for question in [None, Some("age"), Some("sex")] {
        let asked: Vec<&str> = question.map(|q| vec!["--question", q]).unwrap_or_default();
        for out in ["l.csv", "l.tsv", "l.parquet"] {
            dir.ok(&[
                &["aggregate", "c", "--with-controls", "--out", out],
                &asked[..],
            ]
            .concat());
        }
        let csv = delimited(&dir.read("l.csv"), b',');
        assert_eq!(csv.len(), 1 + 12 + 6);
        assert_eq!(delimited(&dir.read("l.tsv"), b'\t'), csv);
        assert_eq!(parquet(&dir.join("l.parquet")), csv);
        let header = match question {
            None => {
                "item,age,age_se,age_low,age_high,age_votes,age_effective_votes,sex,sex_confidence,sex_votes,source"
            }
            Some("age") => "item,estimate,se,low,high,votes,effective_votes,source",
            Some(_) => "item,label,confidence,votes,source",
        };
        assert_eq!(csv[0].join(","), header);
        assert!(
            csv[1..]
                .iter()
                .all(|row| row.last().unwrap() == "simulated")
        );
    }
}

#[test]
fn an_item_without_votes_has_a_row_and_empty_cells() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.ok(&["pool", "build", "c"]);
    dir.write(
        "votes.csv",
        "annotator,item,question,answer\nann,item1,age,30\nbob,item1,age,32\n",
    );
    dir.ok(&["votes", "import", "c", "votes.csv"]);
    for out in ["l.csv", "l.parquet"] {
        dir.ok(&[
            "aggregate",
            "c",
            "--question",
            "age",
            "--method",
            "mean",
            "--out",
            out,
        ]);
        let rows = if out == "l.csv" {
            delimited(&dir.read(out), b',')
        } else {
            parquet(&dir.join(out))
        };
        assert_eq!(rows.len(), 7);
        for row in &rows[1..] {
            if row[0] == "item1" {
                assert_eq!((row[1].as_str(), row[5].as_str()), ("31", "2"));
            } else {
                assert_eq!(row[1..], ["", "", "", "", "0", ""], "{row:?}");
            }
        }
    }
}

#[test]
fn the_same_commands_give_the_same_bytes() {
    let [one, two] = [(); 2].map(|()| {
        let dir = Dir::new();
        dir.campaign(12, 6);
        dir.write(
            "c/campaign.toml",
            dir.read("c/campaign.toml") + "\n[[ban.rule]]\nrule = \"mae-above\"\nquestion = \"age\"\nthreshold = 12.0\nmin_controls = 2\n",
        );
        dir.ok(&["pool", "build", "c"]);
        dir.ok(&["simulate", "c", "--annotators", "40"]);
        dir.ok(&["ban", "c"]);
        dir.ok(&["score", "c", "--out", "scores.csv"]);
        dir.ok(&["methods", "c", "--csv", "methods.csv"]);
        dir.ok(&["methods", "c", "--question", "age", "--picture", "methods.svg"]);
        dir.ok(&["aggregate", "c", "--out", "labels.csv"]);
        dir.ok(&["aggregate", "c", "--out", "labels.parquet"]);
        dir.ok(&["votes", "export", "c", "--out", "votes.parquet"]);
        dir.ok(&["pool", "export", "c", "--format", "toloka-tsv", "--out", "upload.tsv"]);
        dir.ok(&["report", "c"]);
        dir
    });
    let files = |dir: &Dir| -> Vec<(String, Vec<u8>)> {
        let name = |p: &std::path::Path| p.strip_prefix(dir.path()).unwrap().display().to_string();
        dir.snapshot()
            .into_iter()
            .map(|(p, bytes)| (name(&p), bytes))
            .collect()
    };
    let (first, second) = (files(&one), files(&two));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|f| f.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), names(&second));
    for ((name, a), (_, b)) in first.iter().zip(&second) {
        assert!(a == b, "{name} differs between two runs");
    }
    // And once more over what is there.
    one.ok(&["pool", "build", "c"]);
    one.ok(&["report", "c"]);
    one.ok(&["aggregate", "c", "--out", "labels.csv"]);
    for ((name, a), (_, b)) in first.iter().zip(files(&one)) {
        assert!(*a == b, "{name} differs when it is made again");
    }
}

#[test]
fn a_seed_of_its_own_gives_a_pool_of_its_own() {
    let [one, two] = ["8412097366150928731", "8412097366150928732"].map(|seed| {
        let dir = Dir::new();
        dir.campaign(12, 6);
        dir.edit("c/campaign.toml", "8412097366150928731", seed);
        dir.ok(&["pool", "build", "c"]);
        dir.roles("c").into_keys().collect::<Vec<_>>()
    });
    assert!(one.iter().all(|name| !two.contains(name)));
}
