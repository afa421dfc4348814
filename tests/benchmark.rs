//! `veche benchmark` from outside: built, frozen, checked, exported and scored.

use crate::support::{Dir, data};
use std::{fmt::Write as _, fs};

/// Labels of a woman and a man for each of `n` years from 20 on, pictures beside them.
fn small(dir: &Dir, n: u32) {
    let mut text = "item,path,age,sex,low,high,licence\n".to_owned();
    for i in 0..2 * n {
        dir.photo(&format!("photos/p{i}.png"), i);
        let (age, sex) = (20 + i / 2, ["female", "male"][i as usize % 2]);
        writeln!(
            text,
            "i{i},photos/p{i}.png,{age},{sex},{},{},CC BY 4.0",
            age - 2,
            age + 2
        )
        .unwrap();
    }
    dir.write("labels.csv", text);
}

#[test]
fn real_faces_give_exactly_thirty_per_cell_and_a_hundred_fewer_say_which_cells_fall_short() {
    let Some(labels) = data("faces/fairface540/labels.csv") else {
        return;
    };
    let dir = Dir::new();
    let all = dir.json(&[
        "benchmark",
        "build",
        labels.to_str().unwrap(),
        "--out",
        "bench",
        "--json",
    ]);
    assert_eq!(
        (
            all["items"].as_u64(),
            all["cap"].as_u64(),
            all["ranges_short"].as_u64()
        ),
        (Some(540), Some(30), Some(0))
    );
    let ranges = all["ranges"].as_array().unwrap();
    assert_eq!(ranges.len(), 9);
    assert!(
        ranges
            .iter()
            .all(|r| r["chosen"] == 30 && r["women_missing"] == 0 && r["men_missing"] == 0)
    );
    assert_eq!(
        fs::read_dir(dir.join("bench/pictures")).unwrap().count(),
        540
    );
    dir.ok(&["benchmark", "verify", "bench"]);

    let text = fs::read_to_string(&labels).unwrap();
    let fewer: Vec<&str> = text.lines().take(541 - 100).collect();
    dir.write("fewer.csv", fewer.join("\n"));
    let found = dir.json(&[
        "benchmark",
        "build",
        "fewer.csv",
        "--per-cell",
        "30",
        "--dry-run",
        "--json",
    ]);
    // Counted by hand from the file: what is left of each cell.
    let mut left = std::collections::BTreeMap::new();
    for line in &fewer[1..] {
        let cells: Vec<&str> = line.split(',').collect();
        *left
            .entry((cells[1].replace('-', "–"), cells[2].to_owned()))
            .or_insert(0_u64) += 1;
    }
    let mut items = 0;
    for range in found["ranges"].as_array().unwrap() {
        let name = range["range"]["name"].as_str().unwrap().to_owned();
        let there = |sex: &str| {
            left.get(&(name.clone(), sex.to_owned()))
                .copied()
                .unwrap_or(0)
        };
        let (women, men) = (there("F"), there("M"));
        assert_eq!(range["women_missing"].as_u64(), Some(30 - women), "{name}");
        assert_eq!(range["men_missing"].as_u64(), Some(30 - men), "{name}");
        assert_eq!(range["chosen"].as_u64(), Some(women.min(men)), "{name}");
        items += 2 * women.min(men);
    }
    assert_eq!(found["items"].as_u64(), Some(items));
    assert!(found["ranges_short"].as_u64().unwrap() > 0);
    assert!(!dir.join("bench2").exists());
}

#[test]
fn the_same_labels_give_the_same_bytes_and_a_damaged_copy_is_named_file_by_file() {
    let dir = Dir::new();
    small(&dir, 10);
    let build = |out| {
        dir.ok(&[
            "benchmark",
            "build",
            "labels.csv",
            "--out",
            out,
            "--name",
            "Small",
        ])
    };
    build("one");
    build("two");
    for file in [
        "items.csv",
        "benchmark.json",
        "CARD.md",
        "coverage.svg",
        "shortages.csv",
    ] {
        assert_eq!(
            dir.read(&format!("one/{file}")),
            dir.read(&format!("two/{file}")),
            "{file}"
        );
    }
    let card = dir.read("one/CARD.md");
    for words in [
        "10 women and 10 men",
        "CC BY 4.0: 20 items",
        "Mean width of the labels' intervals: 4.00 years",
    ] {
        assert!(card.contains(words), "{words}:\n{card}");
    }
    dir.write("one/pictures/000002.png", "other");
    fs::remove_file(dir.join("one/pictures/000005.png")).unwrap();
    dir.write("one/pictures/mine.png", "new");
    let words = [
        "3 files are not as they were",
        "changed  pictures/000002.png",
        "missing  pictures/000005.png",
        "extra    pictures/mine.png",
    ];
    dir.fails(&["benchmark", "verify", "one"], &words);
    dir.edit("two/items.csv", "i3,", "i99,");
    dir.fails(
        &["benchmark", "verify", "two"],
        &["1 files", "changed  items.csv"],
    );
    dir.fails(
        &["benchmark", "verify", "photos"],
        &["benchmark.json is missing"],
    );
}

#[test]
fn every_layout_holds_every_item() {
    let dir = Dir::new();
    small(&dir, 5);
    dir.ok(&["benchmark", "build", "labels.csv", "--out", "bench"]);
    let export =
        |to: &str, out: &str| dir.ok(&["benchmark", "export", "bench", "--to", to, "--out", out]);
    export("mivolo", "m.csv");
    let mivolo = dir.read("m.csv");
    assert!(mivolo.starts_with("img_name,age,gender,face_x0,"));
    assert_eq!(
        (
            mivolo.lines().count(),
            mivolo.contains("pictures/000001.png,20,F,-1,-1,")
        ),
        (11, true)
    );
    export("huggingface", "hub");
    let metadata = dir.read("hub/test/metadata.csv");
    assert_eq!(metadata.lines().count(), 11);
    assert!(metadata.starts_with("file_name,item,sex,"));
    assert!(dir.read("hub/README.md").starts_with("---\n"));
    export("huggingface-parquet", "hub2");
    let table = veche::files::Table::read(dir.join("hub2/test/metadata.parquet")).unwrap();
    assert_eq!((table.len(), table.find("file_name")), (10, Some(0)));
    let coco: serde_json::Value = {
        export("coco", "c.json");
        serde_json::from_str(&dir.read("c.json")).unwrap()
    };
    assert_eq!(
        (
            coco["images"].as_array().unwrap().len(),
            coco["annotations"].as_array().unwrap().len()
        ),
        (10, 10)
    );
    assert_eq!(
        coco["annotations"][0]["bbox"],
        serde_json::json!([0.0, 0.0, 48.0, 36.0])
    );
    assert_eq!(coco["licenses"][0]["name"], "CC BY 4.0");

    // What Label Studio gives back is read as predictions; the truth itself is without error.
    export("label-studio", "tasks.json");
    let scores = dir.json(&["benchmark", "score", "bench", "tasks.json", "--json"]);
    assert_eq!(scores["ranking"]["scores"][0][0]["value"], 0.0);
    dir.ok(&[
        "benchmark",
        "export",
        "bench",
        "--to",
        "label-studio",
        "--no-truth",
        "--out",
        "blind.json",
    ]);
    assert!(!dir.read("blind.json").contains("ground_truth"));
}

#[test]
fn models_are_ranked_with_paired_differences() {
    let dir = Dir::new();
    small(&dir, 20);
    dir.ok(&[
        "benchmark",
        "build",
        "labels.csv",
        "--out",
        "bench",
        "--no-pictures",
    ]);
    let (mut good, mut bad) = (
        "item,age,sex\nelsewhere,5,F\n".to_owned(),
        "item,age,sex,score\n".to_owned(),
    );
    for i in 0..40 {
        let (age, sex) = (20 + i / 2, ["F", "M"][i % 2]);
        writeln!(good, "i{i},{},{sex}", age + i % 3).unwrap();
        writeln!(
            bad,
            "i{i},{},{},0.5",
            age + i % 3 + 2,
            ["F", "M"][i / 2 % 2]
        )
        .unwrap();
    }
    dir.write("good.csv", good);
    dir.write("bad.csv", bad);
    let found = dir.json(&[
        "benchmark",
        "score",
        "bench",
        "bad.csv",
        "best=good.csv",
        "--out",
        "scores.csv",
        "--json",
    ]);
    assert_eq!(found["models"], serde_json::json!(["bad", "best"]));
    assert_eq!(found["ranking"]["order"], serde_json::json!([1, 0]));
    let scores = dir.read("scores.csv");
    // Errors 0, 1, 2 in turn over 40 items: 39/40; the other model's are 2 more.
    assert!(
        scores.contains("best,,mae,0.975,") && scores.contains("bad,,mae,2.975,"),
        "{scores}"
    );
    assert!(scores.contains("bad,best,mae,2,2,2,,best"), "{scores}");
    assert!(
        dir.ok(&["benchmark", "score", "bench", "bad.csv", "good.csv"])
            .contains("bad − good")
    );
    dir.write("none.csv", "item,age\nx,5\n");
    dir.fails(
        &["benchmark", "score", "bench", "none.csv"],
        &["no prediction is on an item", "none.csv"],
    );
    dir.write("wrong.csv", "item,age\ni1,old\n");
    dir.fails(
        &["benchmark", "score", "bench", "wrong.csv"],
        &["wrong.csv, row 2, column age", "\"old\""],
    );
}

#[test]
fn bad_inputs_are_errors_and_nothing_is_written() {
    let dir = Dir::new();
    small(&dir, 3);
    fs::remove_file(dir.join("photos/p3.png")).unwrap();
    let before = dir.snapshot();
    dir.fails(
        &["benchmark", "build", "labels.csv", "--out", "bench"],
        &["p3.png", "row 5", "--no-pictures"],
    );
    dir.fails(
        &[
            "benchmark",
            "build",
            "labels.csv",
            "--out",
            "photos",
            "--no-pictures",
        ],
        &["benchmark.json", "not replaced"],
    );
    dir.fails(
        &[
            "benchmark",
            "build",
            "labels.csv",
            "--out",
            "b",
            "--per-cell",
            "0",
        ],
        &["--per-cell"],
    );
    dir.fails(
        &[
            "benchmark",
            "build",
            "labels.csv",
            "--out",
            "b",
            "--ranges",
            "classes",
        ],
        &["not all classes"],
    );
    dir.fails(
        &[
            "benchmark",
            "build",
            "labels.csv",
            "--out",
            "b",
            "--strata",
            "race",
        ],
        &["no column \"race\""],
    );
    assert_eq!(dir.snapshot(), before);
    dir.write("men.csv", "item,age,sex\na,20,M\nb,20,M\n");
    dir.fails(
        &[
            "benchmark",
            "build",
            "men.csv",
            "--out",
            "b",
            "--no-pictures",
        ],
        &["would be empty", "--dry-run"],
    );
    assert!(!dir.join("b").exists());
}

#[test]
fn copies_in_the_pictures_are_found_and_the_most_certain_stays() {
    let dir = Dir::new();
    small(&dir, 4);
    // A copy of the first woman's picture under another name, with a wider interval.
    fs::copy(dir.join("photos/p0.png"), dir.join("photos/again.png")).unwrap();
    dir.edit(
        "labels.csv",
        "i1,",
        "again,photos/again.png,21,female,10,40,\ni1,",
    );
    let found = dir.json(&[
        "benchmark",
        "build",
        "labels.csv",
        "--find-copies",
        "--per-cell",
        "all",
        "--out",
        "bench",
        "--json",
    ]);
    assert_eq!(
        (found["copies"].as_u64(), found["items"].as_u64()),
        (Some(1), Some(8))
    );
    assert!(!dir.read("bench/items.csv").contains("again"));
}

#[test]
fn a_fairface_file_that_a_spreadsheet_saved_is_repaired_on_request_and_can_be_balanced() {
    let dir = Dir::new();
    let mut text = "file,age,gender,race,service_test\n".to_owned();
    for i in 0..8 {
        writeln!(
            text,
            "train/{i}.jpg,{},{},White,True",
            ["9-Mar", "20-29"][i / 4],
            ["Male", "Female"][i % 2]
        )
        .unwrap();
    }
    dir.write("fairface_label_train.csv", text);
    let read = [
        "benchmark",
        "read",
        "fairface",
        "fairface_label_train.csv",
        "--out",
        "f.csv",
    ];
    dir.fails(
        &read,
        &[
            "4 ages have become dates",
            "row 2, column age",
            "\"9-Mar\"",
            "--repair",
        ],
    );
    assert!(!dir.join("f.csv").exists());
    dir.ok(&[&read[..], &["--repair"]].concat());
    assert!(
        dir.read("f.csv")
            .contains("train/0.jpg,3;9,M,-1,-1,-1,-1,-1,-1,-1,-1,train")
    );
    let found = dir.json(&["benchmark", "build", "f.csv", "--dry-run", "--json"]);
    assert_eq!(
        (
            found["items"].as_u64(),
            found["ranges"][0]["range"]["name"].as_str()
        ),
        (Some(8), Some("3–9"))
    );
}
