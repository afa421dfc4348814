//! Votes out and in again: nothing is lost, whatever the form.

use super::{delimited, parquet, simulated};
use crate::support::Dir;
use std::{collections::BTreeSet, fs};

/// Votes with everything that makes tables hard: commas, quotes, line breaks, other scripts, unsure answers, times.
const HARD: &str = "annotator,item,question,answer,seconds,submitted,assignment,source\n\
    \"Doe, Jane\",item0,age,30,4.5,2026-03-01T10:00:00Z,a1,\n\
    \"Doe, Jane\",item0,sex,female,4.5,2026-03-01T10:00:00Z,a1,\n\
    \"the \"\"judge\"\"\",item0,age,35,2,2026-03-01T10:00:01Z,a2,\n\
    Мария,item1,age,?,3,2026-03-01T10:00:02Z,a3,\n\
    Мария,item1,sex,male,3,2026-03-01T10:00:02Z,a3,\n\
    \"two\nlines\",item1,age,0,1,2026-03-01T10:00:03Z,a4,\n\
    =1+1,photos/k0.jpg,age,120,1,2026-03-01T10:00:04Z,a5,\n\
    +7,photos/k0.jpg,sex,?,1,2026-03-01T10:00:05Z,a6,\n";

fn pool() -> Dir {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.ok(&["pool", "build", "c"]);
    dir
}

/// All votes of the campaign in long form, every column.
fn votes(dir: &Dir) -> BTreeSet<Vec<String>> {
    dir.ok(&["votes", "export", "c", "--out", "all.csv"]);
    let rows = delimited(&dir.read("all.csv"), b',');
    let set: BTreeSet<Vec<String>> = rows[1..].iter().cloned().collect();
    assert_eq!(set.len(), rows.len() - 1, "a vote stands there twice");
    set
}

/// Annotator, item, question and answer.
fn answers(votes: &BTreeSet<Vec<String>>) -> BTreeSet<Vec<String>> {
    votes.iter().map(|row| row[..4].to_vec()).collect()
}

/// Exports the campaign's votes with these flags, imports them into the emptied campaign, and returns the votes then.
fn there_and_back(dir: &Dir, file: &str, flags: &[&str]) -> BTreeSet<Vec<String>> {
    dir.ok(&[&["votes", "export", "c", "--out", file], flags].concat());
    fs::remove_dir_all(dir.join("c/votes")).unwrap();
    dir.ok(&["votes", "import", "c", file]);
    votes(dir)
}

#[test]
fn an_imported_table_is_exported_as_it_was() {
    let dir = pool();
    dir.write("hard.csv", HARD);
    let imported = dir.json(&["votes", "import", "c", "hard.csv", "--json"]);
    assert_eq!(imported["votes"], 8);
    assert_eq!(imported["annotators"], 6);
    assert_eq!(imported["simulated"], false);
    let expected: BTreeSet<Vec<String>> = delimited(HARD, b',')[1..]
        .iter()
        .map(|row| {
            row[..4]
                .iter()
                .map(|c| if c == "?" { String::new() } else { c.clone() })
                .collect()
        })
        .collect();
    assert_eq!(answers(&votes(&dir)), expected);
}

#[test]
fn every_form_comes_back_with_every_answer() {
    for file in ["out.csv", "out.tsv", "out.parquet"] {
        for form in ["long", "crowd-kit", "wide"] {
            let dir = pool();
            dir.write("hard.csv", HARD);
            dir.ok(&["votes", "import", "c", "hard.csv"]);
            let before = votes(&dir);
            let after = there_and_back(&dir, file, &["--form", form]);
            assert_eq!(answers(&after), answers(&before), "{form} as {file}");
            if form == "long" || file == "out.parquet" {
                assert_eq!(after, before, "{form} as {file}");
            }
        }
    }
}

#[test]
fn simulated_votes_come_back_and_stay_marked_where_the_form_has_room_for_it() {
    for (file, form) in [
        ("out.csv", "long"),
        ("out.tsv", "long"),
        ("out.parquet", "long"),
        ("out.csv", "crowd-kit"),
        ("out.csv", "wide"),
    ] {
        let dir = simulated(12, 6);
        let before = votes(&dir);
        assert!(before.len() > 60);
        let after = there_and_back(&dir, file, &["--form", form]);
        assert_eq!(answers(&after), answers(&before), "{form} as {file}");
        if form == "long" {
            assert_eq!(after, before, "{form} as {file}");
            assert_eq!(
                dir.json(&["aggregate", "c", "--out", "l.csv", "--json"])["simulated"],
                true
            );
        }
    }
}

#[test]
fn the_columns_are_those_of_the_documentation() {
    let dir = simulated(6, 4);
    let header = |flags: &[&str], file: &str| {
        dir.ok(&[&["votes", "export", "c", "--out", file], flags].concat());
        if file.ends_with("parquet") {
            parquet(&dir.join(file))[0].clone()
        } else {
            delimited(&dir.read(file), b',')[0].clone()
        }
    };
    let long = [
        "annotator",
        "item",
        "question",
        "answer",
        "seconds",
        "submitted",
        "assignment",
        "source",
    ];
    assert_eq!(header(&[], "l.csv"), long);
    let with_truth = [
        "annotator",
        "item",
        "question",
        "answer",
        "truth",
        "seconds",
        "submitted",
        "assignment",
        "source",
    ];
    assert_eq!(header(&["--truth"], "t.csv"), with_truth);
    assert_eq!(
        header(&["--form", "crowd-kit"], "k.csv"),
        ["worker", "task", "label", "question"]
    );
    assert_eq!(
        header(&["--form", "wide"], "w.csv")[..4],
        ["annotator", "item", "age", "sex"]
    );
    let typed = [
        "annotator",
        "item",
        "question",
        "number",
        "choice",
        "seconds",
        "submitted",
        "assignment",
        "source",
    ];
    assert_eq!(header(&[], "p.parquet"), typed);
}

/// A campaign's votes with the truth beside them say the same to every statistic as the campaign does.
#[test]
fn votes_exported_with_their_truths_are_a_table_that_scores_alike() {
    let dir = simulated(12, 8);
    dir.ok(&["votes", "export", "c", "--truth", "--out", "votes.csv"]);
    let scores = |from: &str| {
        let mut rows: Vec<String> = dir
            .json(&["score", from, "--question", "age", "--json"])
            .as_array()
            .unwrap()
            .iter()
            .map(|r| {
                format!(
                    "{} {} {} {} {}",
                    r["annotator"], r["n"], r["mae"], r["bias"], r["votes"]
                )
            })
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(scores("c"), scores("votes.csv"));
}

#[test]
fn a_spreadsheet_does_not_run_what_it_is_given() {
    let dir = pool();
    dir.write("hard.csv", HARD);
    dir.ok(&["votes", "import", "c", "hard.csv"]);
    dir.ok(&[
        "votes",
        "export",
        "c",
        "--spreadsheet-safe",
        "--out",
        "safe.csv",
    ]);
    for row in delimited(&dir.read("safe.csv"), b',') {
        for cell in row {
            assert!(!cell.starts_with(['=', '@']), "{cell}");
        }
    }
    assert!(dir.read("safe.csv").contains("'=1+1"));
}

#[test]
fn columns_are_found_by_every_usual_name() {
    let dir = Dir::new();
    let rows = "ann,x,30\nbob,x,35\ncat,x,28\nann,y,50\nbob,y,40\ncat,y,47\nann,z,5\nbob,z,7\n";
    let truths = "item,truth\nx,31\ny,48\n";
    dir.write("truth.csv", truths);
    let mut outputs = BTreeSet::new();
    for header in [
        "annotator,item,answer",
        "worker,task,label",
        "performer,task,value",
        "user,question,answer",
        "Worker,TASK,Label",
        "worker_id,item_id,value",
        "performer_id,task_id,label",
        "user_id,item,value",
    ] {
        dir.write("votes.csv", format!("{header}\n{rows}"));
        let mut said = String::new();
        for command in ["score", "methods"] {
            said += &dir.ok(&[command, "votes.csv", "--truth", "truth.csv", "--json"]);
        }
        // What the answers are called may differ, what they say may not.
        let mut said: Vec<serde_json::Value> = said
            .split_inclusive("\n]\n")
            .map(|list| serde_json::from_str(list).unwrap())
            .collect();
        for row in said
            .iter_mut()
            .flat_map(|list| list.as_array_mut().unwrap())
        {
            row.as_object_mut().unwrap().remove("question");
        }
        outputs.insert(serde_json::to_string(&said).unwrap());
    }
    assert_eq!(outputs.len(), 1, "{outputs:#?}");
    // The truth beside the votes says the same as a table of its own.
    let beside: String = rows
        .lines()
        .map(|l| {
            format!(
                "{l},{}\n",
                if l.contains(",x,") {
                    "31"
                } else if l.contains(",y,") {
                    "48"
                } else {
                    ""
                }
            )
        })
        .collect();
    dir.write("votes.csv", format!("annotator,item,answer\n{rows}"));
    dir.write(
        "beside.csv",
        format!("annotator,item,answer,truth\n{beside}"),
    );
    assert_eq!(
        dir.ok(&["methods", "beside.csv", "--json"]),
        dir.ok(&["methods", "votes.csv", "--truth", "truth.csv", "--json"])
    );
}

#[test]
fn column_names_of_ones_own_are_mapped_in_campaign_toml() {
    let dir = pool();
    let text = dir.read("c/campaign.toml");
    dir.write(
        "c/campaign.toml",
        format!("{text}\n[votes]\nannotator = \"who\"\nitem = \"photo\"\nanswers = {{ age = \"years old\", sex = \"m or f\" }}\n"),
    );
    dir.write(
        "own.csv",
        "photo,who,years old,m or f\nitem0,ann,30,female\nitem1,ann,?,male\nitem0,bob,33,\n",
    );
    dir.ok(&["votes", "import", "c", "own.csv"]);
    let expected = [
        ["ann", "item0", "age", "30"],
        ["ann", "item0", "sex", "female"],
        ["ann", "item1", "age", ""],
        ["ann", "item1", "sex", "male"],
        ["bob", "item0", "age", "33"],
    ];
    let expected: BTreeSet<Vec<String>> = expected
        .iter()
        .map(|r| r.map(str::to_owned).to_vec())
        .collect();
    assert_eq!(answers(&votes(&dir)), expected);
}
