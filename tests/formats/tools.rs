//! What veche writes is read by the programs it is meant for, and what they write is read by veche: label-studio-sdk, datumaro,
//! crowd-kit, datasets, pyarrow, pycocotools. Their side is tools.py; the versions stand in tests/formats-requirements.txt.

use crate::support::{Dir, skipped};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
    process::Command,
};

/// A Python that has the programs, or `None` after saying SKIPPED.
fn python() -> Option<std::ffi::OsString> {
    let python = env::var_os("VECHE_TEST_FORMATS_PYTHON");
    if python.is_none() {
        skipped("VECHE_TEST_FORMATS_PYTHON names no Python with tests/formats-requirements.txt");
    }
    python
}

/// Runs one check of tools.py in this folder and returns what it found.
fn tool(python: &std::ffi::OsStr, dir: &Dir, args: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/tools.py");
    let output = Command::new(python)
        .arg(script)
        .args(args)
        .current_dir(dir.path())
        .env("HF_HOME", dir.join("hf-home"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "tools.py {args:?} failed:\n{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(said.lines().last().unwrap()).unwrap()
}

/// A campaign of this many tasks with a pool, and predictions on all of them.
fn pool() -> Dir {
    let dir = Dir::new();
    dir.campaign(7, 5);
    dir.ok(&["pool", "build", "c"]);
    predictions(&dir);
    dir
}

/// Predictions on every task by its name: the age is the task's place in the pool, plus a fraction that a whole number has not.
fn predictions(dir: &Dir) {
    let mut text = "item,age,sex\n".to_owned();
    for (at, name) in dir.roles("c").keys().enumerate() {
        text += &format!("{name},{at}.25,{}\n", ["female", "male"][at % 2]);
    }
    dir.write("nano.csv", text);
}

/// `annotator item question answer` of every vote of the campaign, the item by its task's name.
fn votes(dir: &Dir) -> BTreeSet<String> {
    dir.ok(&["votes", "export", "c", "--out", "all.parquet"]);
    let read = veche::files::read_votes(dir.join("all.parquet"), &Default::default()).unwrap();
    let said = |v: veche::files::FileVote<'_>| {
        let answer = veche::files::votes::text_of(v.answer);
        format!("{} {} {} {answer}", v.annotator, v.item, v.question)
    };
    let all: BTreeSet<String> = read.votes.votes().map(said).collect();
    assert_eq!(all.len(), read.votes.len());
    all
}

/// What tools.py lets its people answer about every task, in the order of the pool; `name` says how they are called.
fn given(dir: &Dir, name: impl Fn(usize) -> String) -> BTreeSet<String> {
    let pool = veche::pool::StoredPool::read(
        &dir.join("c/pool"),
        &veche::config::Project::open(&dir.join("c"))
            .unwrap()
            .questions,
    )
    .unwrap();
    let mut all = BTreeSet::new();
    for (task, item) in pool.items.iter().enumerate() {
        for who in 0..3 {
            let (age, sex) = (
                (7 * task + 13 * who) % 100,
                ["female", "male"][(task + who) % 2],
            );
            all.insert(format!("{} {item} age {age}", name(who)));
            all.insert(format!("{} {item} sex {sex}", name(who)));
        }
    }
    all
}

const PEOPLE: [&str; 3] = ["ann", "bob", "Мария"];

#[test]
fn label_studio_takes_our_tasks_and_predictions_and_we_its_annotations() {
    let Some(python) = python() else { return };
    let dir = pool();
    dir.ok(&[
        "pool",
        "export",
        "c",
        "--format",
        "label-studio",
        "--predictions",
        "nano.csv",
        "--out",
        "tasks.json",
    ]);
    let found = tool(
        &python,
        &dir,
        &[
            "label_studio",
            "tasks.json",
            "tasks.config.xml",
            "export.json",
            "min.json",
        ],
    );
    assert_eq!(
        (&found["tasks"], &found["predictions"]),
        (&12.into(), &12.into())
    );
    let by_email = given(&dir, |who| format!("{}@example.org", PEOPLE[who]));
    let imported = dir.json(&["votes", "import", "c", "export.json", "--json"]);
    assert_eq!(
        (&imported["votes"], &imported["annotators"]),
        (&72.into(), &3.into())
    );
    assert_eq!(votes(&dir), by_email);
    // The statistics read the export without a campaign too.
    let scores = dir.json(&[
        "aggregate",
        "export.json",
        "--method",
        "median",
        "--out",
        "l.csv",
        "--question",
        "age",
        "--json",
    ]);
    assert_eq!(scores["labels"][0]["labelled"], 12);

    // Out again, in the form that the platform imports, and in once more.
    dir.ok(&[
        "votes",
        "export",
        "c",
        "--format",
        "label-studio",
        "--out",
        "votes.json",
    ]);
    let found = tool(
        &python,
        &dir,
        &["label_studio_votes", "votes.json", "tasks.config.xml"],
    );
    assert_eq!(
        (&found["tasks"], &found["annotations"]),
        (&12.into(), &36.into())
    );
    fs::remove_dir_all(dir.join("c/votes")).unwrap();
    dir.ok(&["votes", "import", "c", "votes.json"]);
    assert_eq!(votes(&dir), by_email);

    // JSON-MIN, as the SDK's converter makes it of the same export; it knows people by number or address.
    fs::remove_dir_all(dir.join("c/votes")).unwrap();
    dir.ok(&["votes", "import", "c", "min.json"]);
    let answers = |all: &BTreeSet<String>| -> Vec<String> {
        let mut list: Vec<String> = all
            .iter()
            .map(|v| v.split_once(' ').unwrap().1.to_owned())
            .collect();
        list.sort();
        list
    };
    assert_eq!(answers(&votes(&dir)), answers(&by_email));
}

#[test]
fn cvat_files_are_read_by_datumaro_and_those_of_annotators_by_us() {
    let Some(python) = python() else { return };
    let dir = pool();
    dir.ok(&[
        "pool",
        "export",
        "c",
        "--format",
        "cvat",
        "--predictions",
        "nano.csv",
        "--out",
        "cvat.xml",
    ]);
    let labels: Value = serde_json::from_str(&dir.read("cvat.labels.json")).unwrap();
    assert_eq!(
        labels[0]["attributes"][1]["values"],
        serde_json::json!(["?", "female", "male"])
    );
    let seen = tool(&python, &dir, &["cvat", "cvat.xml", "."]);
    for (at, name) in dir.roles("c").keys().enumerate() {
        let expected = serde_json::json!([at.to_string(), ["female", "male"][at % 2]]);
        assert_eq!(seen[name], expected, "{name}: {seen}");
    }
    dir.ok(&[
        "votes",
        "import",
        "c",
        "job-0.xml",
        "job-1.xml",
        "job-2.xml",
    ]);
    assert_eq!(votes(&dir), given(&dir, |who| PEOPLE[who].to_owned()));
    // What nobody touched is the network's and no vote.
    let untouched = dir.run(&["votes", "import", "c", "cvat.xml", "--annotator", "ann"]);
    assert_eq!(untouched.code, 1);
    assert!(
        untouched.err.contains("no votes are left"),
        "{}",
        untouched.err
    );
}

#[test]
fn crowd_kit_gives_the_same_labels_on_our_export() {
    let Some(python) = python() else { return };
    let dir = super::simulated(60, 20);
    dir.ok(&[
        "votes",
        "export",
        "c",
        "--format",
        "crowd-kit",
        "--out",
        "votes.csv",
    ]);
    let theirs = tool(&python, &dir, &["crowd_kit", "votes.csv", "kit"]);
    let ours = |file: &str, method: &str| -> BTreeMap<String, Vec<String>> {
        dir.ok(&["aggregate", file, "--method", method, "--out", "labels.csv"]);
        let rows = super::delimited(&dir.read("labels.csv"), b',');
        rows[1..]
            .iter()
            .map(|r| (r[0].clone(), r[1..].to_vec()))
            .collect()
    };
    let means = ours("kit/ages.csv", "mean");
    assert_eq!(means.len(), theirs["mean"].as_object().unwrap().len());
    for (task, mean) in theirs["mean"].as_object().unwrap() {
        let mine: f64 = means[task][0].parse().unwrap();
        assert!(
            (mine - mean.as_f64().unwrap()).abs() < 1e-9,
            "{task}: {mine} {mean}"
        );
    }
    let mut compared = 0;
    for method in ["majority", "dawid-skene", "one-coin"] {
        let mine = ours("kit/sexes.csv", method);
        let probabilities = &theirs[format!("{method}_probas")];
        assert_eq!(mine.len(), theirs[method].as_object().unwrap().len());
        for (task, label) in theirs[method].as_object().unwrap() {
            let p = probabilities[task].as_f64().unwrap();
            let confidence: f64 = mine[task][1].parse().unwrap();
            assert!(
                (confidence - p).abs() < 1e-6,
                "{method} on {task}: {confidence} {p}"
            );
            // Of two equally good labels each takes its own.
            if p > 0.5 + 1e-6 {
                assert_eq!(mine[task][0], label.as_str().unwrap(), "{method} on {task}");
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared}");
    // crowd-kit's labels as known answers: everybody's agreement with the majority is measured.
    let scores = dir.json(&[
        "score",
        "kit/sexes.csv",
        "--truth",
        "kit/truth.csv",
        "--json",
    ]);
    assert!(
        scores
            .as_array()
            .unwrap()
            .iter()
            .all(|s| s["accuracy"].is_number())
    );
}

#[test]
fn the_package_datasets_loads_our_tables_and_folders_and_we_read_its_tables() {
    let Some(python) = python() else { return };
    let dir = super::simulated(9, 5);
    dir.ok(&["votes", "export", "c", "--out", "votes.parquet"]);
    dir.ok(&["aggregate", "c", "--out", "labels.parquet"]);
    benchmark(&dir);
    dir.ok(&[
        "benchmark",
        "export",
        "bench",
        "--format",
        "huggingface",
        "--out",
        "hf",
    ]);
    dir.ok(&[
        "benchmark",
        "export",
        "bench",
        "--format",
        "huggingface-parquet",
        "--out",
        "hfp",
    ]);
    let before = votes(&dir);
    let found = tool(
        &python,
        &dir,
        &[
            "hugging_face",
            "votes.parquet",
            "labels.parquet",
            "hf,hfp",
            ".",
        ],
    );
    assert_eq!(found["votes"], before.len());
    assert_eq!(found["labels"], 9);
    for folder in found["folders"].as_array().unwrap() {
        assert_eq!(folder, &serde_json::json!([20, [48, 36], 20.0, "female"]));
    }
    for file in ["hf.csv", "hf.parquet"] {
        fs::remove_dir_all(dir.join("c/votes")).unwrap();
        dir.ok(&["votes", "import", "c", file]);
        assert_eq!(votes(&dir), before, "{file}");
    }
}

/// A woman and a man for each of ten years, frozen in `bench`.
fn benchmark(dir: &Dir) {
    let mut text = "item,path,age,sex,low,high,face_x0,face_y0,face_x1,face_y1\n".to_owned();
    for i in 0..20 {
        dir.photo(&format!("photos/p{i}.png"), 500 + i);
        let (age, sex) = (20 + i / 2, ["female", "male"][i as usize % 2]);
        text += &format!(
            "i{i},photos/p{i}.png,{age},{sex},{},{},4,5,{},30\n",
            age - 2,
            age + 2,
            20 + i
        );
    }
    dir.write("labels-20.csv", text);
    dir.ok(&["benchmark", "build", "labels-20.csv", "--out", "bench"]);
}

#[test]
fn pyarrow_reads_our_parquet_and_we_whatever_it_writes() {
    let Some(python) = python() else { return };
    let dir = super::simulated(9, 5);
    dir.ok(&["votes", "export", "c", "--out", "votes.parquet"]);
    dir.ok(&["aggregate", "c", "--out", "labels.parquet"]);
    dir.ok(&["aggregate", "c", "--out", "labels.csv"]);
    let before = votes(&dir);
    let found = tool(
        &python,
        &dir,
        &["arrow", "votes.parquet", "labels.parquet", "c/pool", "."],
    );
    let types = serde_json::json!({
        "annotator": "string", "item": "string", "question": "string", "number": "double", "choice": "string",
        "seconds": "float", "submitted": "int64", "assignment": "string", "source": "string",
    });
    assert_eq!(found["types"], types);
    assert_eq!(found["votes"], before.len());
    assert_eq!(found["pool"], serde_json::json!({"tasks": 14, "roles": 14}));
    let text = super::delimited(&dir.read("labels.csv"), b',');
    for (row, cells) in found["labels"].as_array().unwrap().iter().zip(&text[1..]) {
        assert_eq!(row["item"], cells[0].as_str());
        assert_eq!(row["age"].as_f64(), cells[1].parse().ok(), "{row}");
    }
    for file in [
        "none",
        "snappy",
        "gzip",
        "zstd",
        "lz4",
        "brotli",
        "dictionary",
        "large",
    ] {
        fs::remove_dir_all(dir.join("c/votes")).unwrap();
        dir.ok(&["votes", "import", "c", &format!("{file}.parquet")]);
        assert_eq!(votes(&dir), before, "{file}");
    }
}

#[test]
fn coco_and_cvat_exports_of_a_benchmark_are_read_by_their_tools_and_come_back() {
    let Some(python) = python() else { return };
    let dir = Dir::new();
    benchmark(&dir);
    dir.ok(&[
        "benchmark",
        "export",
        "bench",
        "--format",
        "coco",
        "--out",
        "coco.json",
    ]);
    dir.ok(&[
        "benchmark",
        "export",
        "bench",
        "--format",
        "cvat",
        "--out",
        "bench.xml",
    ]);
    let theirs = tool(&python, &dir, &["coco", "coco.json", "tools"]);
    let people = |file: &str| -> Vec<Vec<String>> {
        dir.ok(&["benchmark", "read", "coco", file, "--out", "people.csv"]);
        let mut rows = super::delimited(&dir.read("people.csv"), b',');
        rows.remove(0);
        rows.iter_mut()
            .for_each(|r| r[0] = r[0].rsplit('/').next().unwrap().to_owned());
        rows.sort();
        rows
    };
    let ours = people("coco.json");
    assert_eq!(ours.len(), 20);
    assert_eq!(
        people("tools/datumaro/annotations/instances_test.json"),
        ours
    );
    let boxes = tool(&python, &dir, &["cvat_boxes", "bench.xml"]);
    let mut seen = 0;
    for (id, found) in theirs.as_object().unwrap() {
        let item = &ours
            .iter()
            .find(|r| r[0] == format!("{id:0>6}.png"))
            .unwrap();
        let [bbox, age, sex] = found.as_array().unwrap().as_slice() else {
            panic!("{found}")
        };
        let edge = |at: usize| item[at].parse::<f64>().unwrap();
        assert_eq!(item[1].parse::<f64>().unwrap(), age.as_f64().unwrap());
        assert_eq!(item[2], ["M", "F"][usize::from(sex == "female")]);
        let expected = serde_json::json!([edge(3), edge(4), edge(5) - edge(3), edge(6) - edge(4)]);
        assert_eq!(bbox, &expected);
        let in_cvat = boxes
            .as_object()
            .unwrap()
            .iter()
            .find(|(name, _)| name.ends_with(&format!("{id:0>6}")))
            .unwrap();
        assert_eq!(in_cvat.1[0][0], expected);
        assert_eq!(in_cvat.1[0][2], *sex);
        seen += 1;
    }
    assert_eq!(seen, 20);
}

#[test]
fn a_batch_for_mechanical_turk_comes_back_with_every_answer() {
    let Some(python) = python() else { return };
    let dir = Dir::new();
    dir.campaign(7, 5);
    dir.fails(
        &[
            "pool",
            "export",
            "c",
            "--format",
            "mturk",
            "--out",
            "batch.csv",
        ],
        &["there is no pool"],
    );
    dir.edit(
        "c/campaign.toml",
        "overlap = 3",
        "overlap = 3\nmixing = \"static\"",
    );
    dir.ok(&["pool", "build", "c"]);
    dir.ok(&[
        "pool",
        "export",
        "c",
        "--format",
        "mturk",
        "--out",
        "batch.csv",
    ]);
    let found = tool(
        &python,
        &dir,
        &["mturk", "batch.csv", "batch.layout.html", "results.csv"],
    );
    assert!(found["hits"].as_u64().unwrap() >= 6);
    let imported = dir.json(&["votes", "import", "c", "results.csv", "--json"]);
    assert_eq!(imported["votes"], found["votes"]);
    assert_eq!(imported["annotators"], found["hits"]);
    let batch = super::delimited(&dir.read("batch.csv"), b',');
    // The first HIT's first task, answered by W0 as tools.py says.
    let name = &batch[1][1];
    let answers =
        veche::files::read_votes(dir.join("c/votes/results.parquet"), &Default::default()).unwrap();
    let first = answers.votes.vote(0);
    assert_eq!(
        (first.annotator, first.item, first.seconds),
        ("W0", name.as_str(), Some(70.0 / 4.0))
    );
    assert_eq!(first.answer, veche::files::FileAnswer::Number(7.0));
}
