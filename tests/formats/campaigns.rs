//! The whole way, pool to report, for campaigns of other kinds than photos with age and sex.

use super::{delimited, parquet};
use crate::support::{CAMPAIGN, Dir};
use std::{collections::BTreeMap, fmt::Write, fs};

/// Replaces everything before `[items]`, that is name, seed and questions, and the sections that name them.
fn asking(dir: &Dir, questions: &str, truth: &str, more: &str) {
    let (_, rest) = CAMPAIGN.split_once("[items]").unwrap();
    let (before, after) = rest.split_once("[controls.truth]").unwrap();
    let (_, after) = after.split_once("[suite]").unwrap();
    let text = format!(
        "name = \"Other\"\nseed = 8412097366150928731\n{questions}\n[items]{before}[controls.truth]\n{truth}\n[suite]{after}\n{more}\n"
    );
    dir.write("c/campaign.toml", text);
}

/// Runs every command in order; returns the labels' header and rows.
fn run_all(dir: &Dir, questions: &[&str], banning: &[&str]) -> Vec<Vec<String>> {
    let built = dir.json(&["pool", "build", "c", "--json"]);
    let items = built["items"].as_u64().unwrap() as usize;
    let simulated = dir.json(&[
        "simulate",
        "c",
        "--annotators",
        "60",
        "--bots",
        "0.2",
        "--json",
    ]);
    assert_eq!(simulated["complete"], true, "{simulated}");
    let scores = dir.json(&["score", "c", "--json"]);
    dir.json(&[&["ban", "c", "--json"], banning].concat());
    assert!(
        dir.read("c/out/bans.csv")
            .starts_with("annotator,rule,evidence,at_control,after_task,simulated\n")
    );
    serde_json::from_str::<serde_json::Value>(&dir.read("c/out/bans.toloka.json")).unwrap();
    let methods = dir.json(&["methods", "c", "--json"]);
    for question in questions {
        for (name, rows) in [("score", &scores), ("methods", &methods)] {
            assert!(
                rows.as_array()
                    .unwrap()
                    .iter()
                    .any(|r| r["question"] == *question),
                "{name}: {question}"
            );
        }
    }
    dir.ok(&["aggregate", "c", "--out", "labels.csv"]);
    let page = dir.ok(&["report", "c"]);
    let html = fs::read_to_string(dir.join(page.trim())).unwrap();
    for question in questions {
        assert!(
            html.contains(question),
            "the report does not speak of {question}"
        );
    }
    let labels = delimited(&dir.read("labels.csv"), b',');
    assert_eq!(labels.len(), 1 + items);
    assert!(
        labels[1..]
            .iter()
            .all(|row| row.iter().all(|c| !c.is_empty())),
        "an item has no label: {labels:?}"
    );
    labels
}

#[test]
fn one_choice_alone() {
    let dir = Dir::new();
    dir.campaign(24, 16);
    asking(
        &dir,
        "[[question]]\nname = \"mood\"\nkind = \"choice\"\nprompt = \"Which mood?\"\nlabels = [\"calm\", \"glad\", \"sad\"]",
        "mood = \"gender\"\n[controls.values.mood]\nF = \"calm\"\nM = \"sad\"",
        "[[ban.rule]]\nrule = \"accuracy-below\"\nthreshold = 0.3\nmin_controls = 3",
    );
    let labels = run_all(&dir, &["mood"], &[]);
    assert_eq!(labels[0].join(","), "item,label,confidence,votes,source");
    assert!(
        labels[1..]
            .iter()
            .all(|row| ["calm", "glad", "sad"].contains(&row[1].as_str()))
    );
}

#[test]
fn three_questions_of_which_one_has_no_truth() {
    let dir = Dir::new();
    dir.campaign(24, 16);
    asking(
        &dir,
        "[[question]]\nname = \"age\"\nkind = \"number\"\nprompt = \"How old?\"\nmin = 0\nmax = 120\nunit = \"years\"\n\
         [[question]]\nname = \"sex\"\nkind = \"choice\"\nprompt = \"Which?\"\nlabels = [\"F\", \"M\"]\n\
         [[question]]\nname = \"height-guess\"\nkind = \"number\"\nprompt = \"How tall?\"\nmin = 50\nmax = 230\nunit = \"cm\"",
        "age = \"age\"\nsex = \"gender\"",
        "[aggregate]\nmethod = { height-guess = \"median\" }\n[[ban.rule]]\nrule = \"mae-above\"\nquestion = \"age\"\nthreshold = 15.0\nmin_controls = 3",
    );
    dir.ok(&["pool", "build", "c"]);
    let built = run_all_but_judging_the_third(&dir);
    assert_eq!(
        built[0].join(","),
        "item,age,age_se,age_low,age_high,age_votes,age_effective_votes,sex,sex_confidence,sex_votes,\
         height-guess,height-guess_se,height-guess_low,height-guess_high,height-guess_votes,height-guess_effective_votes,source"
    );
}

fn run_all_but_judging_the_third(dir: &Dir) -> Vec<Vec<String>> {
    let labels = run_all(dir, &["age", "sex"], &[]);
    dir.fails(
        &["methods", "c", "--question", "height-guess"],
        &["no answer is known", "height-guess", "[controls.truth]"],
    );
    assert!(
        fs::read_to_string(dir.join("c/out/report.html"))
            .unwrap()
            .contains("height-guess")
    );
    labels
}

#[test]
fn prices_in_dollars_with_cents() {
    let dir = Dir::new();
    dir.campaign(24, 16);
    let text = dir.read("c/controls.csv");
    let priced: String = text
        .lines()
        .enumerate()
        .map(|(i, l)| {
            if i == 0 {
                format!("{l},price\n")
            } else {
                format!("{l},{}.{:02}\n", 13 + 59 * i, 7 * i % 100)
            }
        })
        .collect();
    dir.write("c/controls.csv", priced);
    asking(
        &dir,
        "[[question]]\nname = \"price\"\nkind = \"number\"\nprompt = \"What does it cost?\"\nmin = 0\nmax = 1000\nunit = \"dollars\"",
        "price = \"price\"\n[controls.range]\nprice = 250",
        "[aggregate]\nmethod = { price = \"winsorized\" }\n[[ban.rule]]\nrule = \"bound-above\"\nthreshold = 200.0\nmin_controls = 3",
    );
    let labels = run_all(&dir, &["price"], &[]);
    assert_eq!(
        labels[0].join(","),
        "item,estimate,se,low,high,votes,effective_votes,source"
    );
    assert!(
        labels[1..]
            .iter()
            .all(|row| (0.0..=1000.0).contains(&row[1].parse::<f64>().unwrap()))
    );
    let page = fs::read_to_string(dir.join("c/out/report.html")).unwrap();
    assert!(
        page.contains("dollars") && !page.contains("years"),
        "the unit is the question's"
    );
    assert!(dir.ok(&["methods", "c"]).contains("MAE, dollars"));
}

#[test]
fn texts_instead_of_pictures() {
    let dir = Dir::new();
    let (mut items, mut controls) = ("nr,line\n".to_owned(), "nr,line,age,gender\n".to_owned());
    for i in 0..24 {
        writeln!(
            items,
            "t{i},\"Sentence number {i}, with a comma & <b>marks</b>\""
        )
        .unwrap();
    }
    for i in 0..16 {
        writeln!(
            controls,
            "k{i},A line whose age is known: {i},{},{}",
            5 + 7 * i % 90,
            ["F", "M"][i % 2]
        )
        .unwrap();
    }
    dir.write("c/items.csv", items);
    dir.write("c/controls.csv", controls);
    let text = CAMPAIGN
        .replace(
            "path = \"file\"\nid = \"id\"",
            "text = \"line\"\nid = \"nr\"",
        )
        .replace("path = \"file\"", "text = \"line\"\nid = \"nr\"");
    dir.write("c/campaign.toml", text);
    run_all(
        &dir,
        &["age", "sex"],
        &["--ban-mae", "15", "--min-controls", "3"],
    );
    let tasks = parquet(&dir.join("c/pool/tasks.parquet"));
    assert_eq!(tasks.len(), 1 + 24 + 16);
    assert!(
        tasks[1..].iter().all(
            |t| t[1].is_empty() && (t[2].starts_with("Sentence") || t[2].starts_with("A line"))
        )
    );
    let page = fs::read_to_string(dir.join("c/out/report.html")).unwrap();
    assert!(!page.contains("<b>marks</b>"), "texts are escaped");
    dir.ok(&[
        "pool",
        "export",
        "c",
        "--format",
        "toloka-tsv",
        "--out",
        "upload.tsv",
    ]);
    assert!(
        dir.read("upload.tsv")
            .starts_with("INPUT:text\tINPUT:task\tGOLDEN:age\tGOLDEN:sex\n"),
        "{}",
        dir.read("upload.tsv")
    );
    // Answers to texts come back from the platform too.
    dir.ok(&[
        "simulate",
        "c",
        "--annotators",
        "60",
        "--toloka-tsv",
        "results.tsv",
    ]);
    fs::remove_dir_all(dir.join("c/votes")).unwrap();
    dir.ok(&["votes", "import", "c", "results.tsv"]);
}

#[test]
fn static_suites_hold_every_item_once_a_round_and_a_control_in_each() {
    let dir = Dir::new();
    dir.campaign(24, 16);
    dir.edit(
        "c/campaign.toml",
        "overlap = 3",
        "overlap = 3\nmixing = \"static\"",
    );
    run_all(
        &dir,
        &["age", "sex"],
        &["--ban-mae", "15", "--min-controls", "3"],
    );
    dir.ok(&[
        "pool",
        "export",
        "c",
        "--format",
        "csv",
        "--out",
        "suites.csv",
    ]);
    let roles = dir.roles("c");
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    let mut controls: BTreeMap<String, usize> = BTreeMap::new();
    for row in &delimited(&dir.read("suites.csv"), b',')[1..] {
        if roles[&row[2]] {
            *controls.entry(row[0].clone()).or_default() += 1;
        } else {
            *shown.entry(row[2].clone()).or_default() += 1;
        }
    }
    assert!(
        shown.len() == 24 && shown.values().all(|n| *n == 3),
        "{shown:?}"
    );
    assert!(
        controls.len() == 24 && controls.values().all(|n| *n == 1),
        "{controls:?}"
    );
    let suites = dir.ok(&[
        "pool",
        "export",
        "c",
        "--format",
        "toloka-suites",
        "--pool-id",
        "7",
        "--out",
        "suites.json",
    ]);
    assert_eq!(suites, "");
    let suites: serde_json::Value = serde_json::from_str(&dir.read("suites.json")).unwrap();
    assert_eq!(suites.as_array().unwrap().len(), 24);
}
