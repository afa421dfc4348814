//! Tables of votes with mistakes in them, and questions about votes that have no answer.

use super::refused;
use crate::support::Dir;

/// Votes of three annotators on four items, of which two have a known answer.
const VOTES: &str = "annotator,item,answer,truth\n\
    ann,x,30,31\nbob,x,35,31\ncat,x,28,31\nann,y,50,48\nbob,y,40,48\ncat,y,47,48\n\
    ann,z,61,\nbob,z,66,\ncat,z,70,\nann,w,10,\nbob,w,12,\n";

fn with(from: &str, to: &str) -> Dir {
    let dir = Dir::new();
    dir.write("votes.csv", VOTES);
    dir.edit("votes.csv", from, to);
    dir
}

const READERS: [&[&str]; 5] = [
    &["score", "votes.csv"],
    &["methods", "votes.csv"],
    &["ban", "votes.csv", "--ban-mae", "5"],
    &["report", "votes.csv", "--out", "report.html"],
    &[
        "aggregate",
        "votes.csv",
        "--method",
        "mean",
        "--out",
        "labels.csv",
    ],
];

#[test]
fn answers_that_are_no_numbers_are_named_or_left_out_and_counted() {
    for (value, what) in [
        ("NaN", "number"),
        ("1e308", "number"),
        ("-inf", "number"),
        ("forty", "number"),
    ] {
        let dir = with("bob,y,40", &format!("bob,y,{value}"));
        let number = ["--scale", "number"];
        for reader in READERS {
            println!("{value} {reader:?}");
            refused(
                &dir,
                &[reader, &number].concat(),
                &[
                    "votes.csv, row 6, column answer",
                    &format!("found: \"{value}\""),
                    what,
                ],
            );
        }
        let args = [
            "aggregate",
            "votes.csv",
            "--method",
            "mean",
            "--out",
            "l.csv",
            "--skip-bad-rows",
            "--scale",
            "number",
        ];
        let ran = dir.run(&args);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.err.contains("1 row"), "{}", ran.err);
        assert!(
            dir.read("l.csv").contains("\ny,48.5,"),
            "{}",
            dir.read("l.csv")
        );
    }
}

#[test]
fn truths_that_are_no_numbers_or_contradict_each_other_are_named() {
    for value in ["1e308", "inf", "unknown"] {
        let dir = with("ann,y,50,48", &format!("ann,y,50,{value}"));
        refused(
            &dir,
            &["score", "votes.csv"],
            &[
                "votes.csv, row 5, column truth",
                &format!("found: \"{value}\""),
                "number",
            ],
        );
        dir.write("truth.csv", format!("item,truth\nx,31\ny,{value}\n"));
        dir.edit("votes.csv", &format!("50,{value}"), "50,48");
        refused(
            &dir,
            &["score", "votes.csv", "--truth", "truth.csv"],
            &[
                "truth.csv, row 3, column truth",
                &format!("found: \"{value}\""),
            ],
        );
    }
    let dir = with("ann,y,50,48", "ann,y,50,49");
    refused(
        &dir,
        &["methods", "votes.csv"],
        &[
            "two different truths for one item",
            "votes.csv, row 6",
            "y: 48",
            "row 5",
            "49",
        ],
    );
}

#[test]
fn one_annotator_twice_on_one_item_is_an_error_until_somebody_chooses() {
    let dir = with("cat,y,47,48\n", "cat,y,47,48\nbob,y,44,48\n");
    for reader in READERS {
        refused(
            &dir,
            reader,
            &[
                "votes.csv, row 8",
                "bob on y: 44",
                "row 6",
                "40",
                "--duplicates first",
            ],
        );
    }
    refused(
        &dir,
        &["methods", "votes.csv", "--duplicates", "error"],
        &["bob on y"],
    );
    for (which, mean) in [("first", 137.0 / 3.0), ("last", 141.0 / 3.0)] {
        let ran = dir.run(&[
            "aggregate",
            "votes.csv",
            "--method",
            "mean",
            "--duplicates",
            which,
            "--out",
            "l.csv",
        ]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.err.contains("1 second vote"), "{}", ran.err);
        let labels = dir.read("l.csv");
        let line = labels.lines().find(|l| l.starts_with("y,")).unwrap();
        let cells: Vec<&str> = line.split(',').collect();
        assert!(
            (cells[1].parse::<f64>().unwrap() - mean).abs() < 1e-9,
            "{which}: {line}"
        );
        assert_eq!(cells[5], "3", "{line}");
    }
}

#[test]
fn rows_without_annotator_or_item_are_named() {
    for (from, to, column, what) in [
        ("cat,y,47", ",y,47", "annotator", "no annotator"),
        ("cat,y,47", "cat,,47", "item", "no item"),
    ] {
        let dir = with(from, to);
        refused(
            &dir,
            &["methods", "votes.csv"],
            &[what, &format!("votes.csv, row 7, column {column}")],
        );
        dir.ok(&["methods", "votes.csv", "--skip-bad-rows"]);
    }
}

#[test]
fn tables_that_cannot_be_votes_are_refused() {
    let dir = Dir::new();
    for (content, words) in [
        ("", &["the file is empty"][..]),
        ("annotator,item,answer\n", &["a header and no rows"]),
        (
            "annotator,item\na,x\n",
            &["answer", "the columns are: annotator, item"],
        ),
        (
            "who,item,answer\na,x,3\n",
            &["annotator", "the columns are: who, item, answer"],
        ),
        (
            "annotator,picture,answer\na,x,3\n",
            &["item", "the columns are:"],
        ),
        (
            "annotator,item,answer\na,x,\"3\nb,x,4\n",
            &["a quote is opened here", "row 2"],
        ),
        ("annotator,item,answer\na,x\n", &["row 2", "3 columns"]),
        (
            "annotator,item,answer,answer\na,x,3,4\n",
            &["two columns have the same name", "column answer"],
        ),
    ] {
        dir.write("votes.csv", content);
        println!("{content:?}");
        refused(
            &dir,
            &["methods", "votes.csv"],
            &[&["votes.csv"], words].concat(),
        );
    }
    let (text, _, _) = encoding_rs::WINDOWS_1251
        .encode("annotator,item,answer\nИванов,фото,34\nПетрова,фото,37\n");
    dir.write("votes.csv", text);
    refused(
        &dir,
        &["score", "votes.csv"],
        &[
            "votes.csv, row 2",
            "not UTF-8",
            "Иванов",
            "iconv -f WINDOWS-1251",
        ],
    );
    dir.write("votes.parquet", "annotator,item,answer\n");
    refused(
        &dir,
        &["score", "votes.parquet"],
        &["votes.parquet", "not a Parquet file"],
    );
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_make_no_difference_to_votes() {
    let dir = Dir::new();
    dir.write("votes.csv", VOTES);
    dir.write(
        "windows.csv",
        format!("\u{feff}{}", VOTES.replace('\n', "\r\n")),
    );
    dir.write("semicolon.csv", VOTES.replace(',', ";"));
    dir.write("tab.tsv", VOTES.replace(',', "\t"));
    let plain = dir.ok(&["score", "votes.csv", "--json"]);
    for other in ["windows.csv", "semicolon.csv", "tab.tsv"] {
        assert_eq!(dir.ok(&["score", other, "--json"]), plain, "{other}");
    }
}

#[test]
fn methods_questions_and_endings_that_do_not_exist_are_answered_with_those_that_do() {
    let dir = Dir::new();
    dir.write("votes.csv", VOTES);
    refused(
        &dir,
        &["methods", "votes.csv", "--methods", "mean,maen"],
        &["maen", "mean, median"],
    );
    refused(
        &dir,
        &["methods", "votes.csv", "--methods", "majority"],
        &["majority"],
    );
    refused(
        &dir,
        &[
            "aggregate",
            "votes.csv",
            "--method",
            "maen",
            "--out",
            "l.csv",
        ],
        &["maen", "mean, median"],
    );
    refused(
        &dir,
        &[
            "aggregate",
            "votes.csv",
            "--method",
            "majority",
            "--out",
            "l.csv",
        ],
        &["majority"],
    );
    for reader in READERS {
        refused(
            &dir,
            &[reader, &["--question", "heigth"]].concat(),
            &[
                "there is no such question",
                "found: \"heigth\"",
                "questions are: ",
            ],
        );
    }
    for out in ["labels.xlsx", "labels", "labels.csv.gz"] {
        refused(
            &dir,
            &["aggregate", "votes.csv", "--method", "mean", "--out", out],
            &[out, ".csv, .tsv or .parquet"],
        );
    }
    for (flag, value) in [
        ("--temperature", "0"),
        ("--temperature", "NaN"),
        ("--level", "1"),
        ("--level", "90"),
        ("--cap=-1", ""),
    ] {
        let mut args = vec![
            "aggregate",
            "votes.csv",
            "--method",
            "exp-mae",
            "--out",
            "l.csv",
            flag,
        ];
        args.extend(Some(value).filter(|v| !v.is_empty()));
        println!("{args:?}");
        refused(&dir, &args, &[]);
    }
    refused(
        &dir,
        &["ban", "votes.csv"],
        &["there is no ban rule", "--ban-mae"],
    );
    refused(&dir, &["ban", "votes.csv", "--ban-mae", "NaN"], &["NaN"]);
    refused(&dir, &["report", "votes.csv"], &["--out"]);
}

#[test]
fn without_any_truth_nobody_is_judged() {
    let dir = Dir::new();
    dir.write(
        "votes.csv",
        "annotator,item,answer\nann,x,30\nbob,x,35\nann,y,50\nbob,y,40\n",
    );
    refused(
        &dir,
        &["score", "votes.csv"],
        &["no answer is known", "--truth"],
    );
    refused(
        &dir,
        &["methods", "votes.csv"],
        &["no answer is known", "--truth"],
    );
    refused(
        &dir,
        &[
            "aggregate",
            "votes.csv",
            "--method",
            "exp-mae",
            "--out",
            "l.csv",
        ],
        &["exp-mae"],
    );
    dir.ok(&["aggregate", "votes.csv", "--out", "l.csv"]);
    refused(
        &dir,
        &["score", "votes.csv", "--truth", "truth.csv"],
        &["truth.csv", "No such file"],
    );
    dir.write("truth.csv", "item,truth\nq,5\n");
    refused(
        &dir,
        &["methods", "votes.csv", "--truth", "truth.csv"],
        &["items with votes and a known truth"],
    );
    dir.write("truth.csv", "thing,value\nx,5\n");
    refused(
        &dir,
        &["methods", "votes.csv", "--truth", "truth.csv"],
        &["truth.csv", "item", "the columns are: thing, value"],
    );
}

/// A built pool with simulated votes exported to votes.csv and none in the campaign.
fn voted() -> Dir {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.ok(&["pool", "build", "c"]);
    dir.ok(&["simulate", "c", "--annotators", "30"]);
    dir.ok(&[
        "votes",
        "export",
        "c",
        "--form",
        "wide",
        "--out",
        "votes.csv",
    ]);
    std::fs::remove_dir_all(dir.join("c/votes")).unwrap();
    dir
}

#[test]
fn votes_for_items_that_are_not_in_the_pool_are_named_or_left_out_and_counted() {
    let dir = voted();
    let text = dir.read("votes.csv");
    let mut lines: Vec<&str> = text.lines().collect();
    let cells: Vec<&str> = lines[4].split(',').collect();
    let stranger = lines[4].replacen(cells[1], "stranger", 1);
    lines[4] = &stranger;
    dir.write("votes.csv", lines.join("\n"));
    let import = ["votes", "import", "c", "votes.csv"];
    refused(
        &dir,
        &import,
        &[
            "not in the pool",
            "votes.csv, row 5",
            "found: \"stranger\"",
            "--skip-bad-rows",
        ],
    );
    let imported = dir.json(&[&import[..], &["--skip-bad-rows", "--json"]].concat());
    // One row, with an answer to each of the two questions.
    assert_eq!(imported["left_out_bad_rows"], 1, "{imported}");
    assert_eq!(imported["votes"], 2 * (lines.len() - 2));
}

#[test]
fn answers_off_the_scale_of_the_campaign_are_named_or_left_out_and_counted() {
    for (column, value, what) in [
        ("age", "121", "0 to 120"),
        ("age", "-3", "0 to 120"),
        ("age", "20.5", "whole"),
        ("age", "1e308", "number"),
        ("age", "NaN", "number"),
        ("sex", "robot", "not one of female, male"),
    ] {
        let dir = voted();
        let text = dir.read("votes.csv");
        let mut rows: Vec<Vec<&str>> = text.lines().map(|l| l.split(',').collect()).collect();
        let at = rows[0].iter().position(|c| *c == column).unwrap();
        rows[2][at] = value;
        let lines: Vec<String> = rows.iter().map(|r| r.join(",")).collect();
        dir.write("votes.csv", lines.join("\n"));
        let import = ["votes", "import", "c", "votes.csv"];
        println!("{column} {value}");
        refused(
            &dir,
            &import,
            &[
                &format!("votes.csv, row 3, column {column}"),
                &format!("found: \"{value}\""),
                what,
            ],
        );
        let imported = dir.json(&[&import[..], &["--skip-bad-rows", "--json"]].concat());
        assert_eq!(imported["left_out_bad_rows"], 1, "{value}: {imported}");
    }
}

#[test]
fn second_answers_in_an_import_are_errors_until_somebody_chooses() {
    let dir = voted();
    let text = dir.read("votes.csv");
    let row = text.lines().nth(1).unwrap();
    dir.write("votes.csv", format!("{text}{row}\n"));
    let n = text.lines().count();
    let import = ["votes", "import", "c", "votes.csv"];
    refused(
        &dir,
        &import,
        &[
            "twice",
            &format!("votes.csv, row {}", n + 1),
            "row 2",
            "--duplicates",
        ],
    );
    let imported = dir.json(&[&import[..], &["--duplicates", "last", "--json"]].concat());
    assert_eq!(imported["left_out_repeated"], 2, "{imported}");
    assert_eq!(imported["votes"], 2 * (n - 1));
    // The same votes in another file.
    dir.write("more.csv", text);
    refused(
        &dir,
        &["votes", "import", "c", "more.csv"],
        &["twice", "more.csv"],
    );
    // The same file again replaces itself.
    dir.ok(&[&import[..], &["--duplicates", "last"]].concat());
    dir.write("other/votes.csv", "annotator,item,age\n");
    refused(
        &dir,
        &["votes", "import", "c", "votes.csv", "other/votes.csv"],
        &[],
    );
}
