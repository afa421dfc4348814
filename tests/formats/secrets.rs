//! What must not leave the requester's side: the seed, the roles, the owner's ids.

use super::parquet;
use crate::support::Dir;
use std::{collections::BTreeSet, fs, time::SystemTime};

const SEED: u64 = 8_412_097_366_150_928_731;

/// The seed in any spelling: decimal, hexadecimal, or its bytes in either order.
fn holds_the_seed(bytes: &[u8]) -> bool {
    let hexadecimal = format!("{SEED:016x}");
    let spellings: [&[u8]; 5] = [
        &SEED.to_string().into_bytes(),
        hexadecimal.as_bytes(),
        &hexadecimal.to_uppercase().into_bytes(),
        &SEED.to_le_bytes(),
        &SEED.to_be_bytes(),
    ];
    spellings
        .iter()
        .any(|s| bytes.windows(s.len()).any(|w| w == *s))
}

fn everything() -> Dir {
    let dir = Dir::new();
    dir.campaign(12, 8);
    dir.ok(&["pool", "build", "c"]);
    dir.ok(&[
        "simulate",
        "c",
        "--annotators",
        "40",
        "--toloka-tsv",
        "results.tsv",
    ]);
    dir.ok(&["ban", "c", "--ban-mae", "3", "--min-controls", "1"]);
    dir.ok(&["aggregate", "c", "--out", "labels.csv"]);
    dir.ok(&["aggregate", "c", "--out", "labels.parquet"]);
    dir.ok(&["score", "c", "--out", "scores.csv"]);
    dir.ok(&["methods", "c", "--csv", "methods.csv"]);
    dir.ok(&["report", "c"]);
    dir.ok(&["votes", "export", "c", "--out", "votes.csv"]);
    dir.ok(&[
        "pool",
        "export",
        "c",
        "--format",
        "toloka-tsv",
        "--out",
        "upload.tsv",
    ]);
    dir.ok(&[
        "pool",
        "export",
        "c",
        "--format",
        "toloka-json",
        "--out",
        "upload.json",
    ]);
    dir
}

#[test]
fn the_seed_stands_in_campaign_toml_and_in_provenance_and_nowhere_else() {
    let dir = everything();
    assert!(dir.read("c/campaign.toml").contains(&SEED.to_string()));
    let mut looked_at = 0;
    for (path, mut bytes) in dir.snapshot() {
        let name = path.strip_prefix(dir.path()).unwrap().display().to_string();
        if name == "c/campaign.toml" || name.ends_with("provenance.json") || path.is_dir() {
            continue;
        }
        if name.ends_with(".parquet") {
            // Its pages are compressed: look at what is in them.
            bytes.extend(parquet(&path).concat().join("\n").into_bytes());
        }
        assert!(!holds_the_seed(&bytes), "{name} holds the seed");
        looked_at += 1;
    }
    assert!(looked_at > 40);
    let all = [
        "c/out/report.html",
        "c/out/bans.csv",
        "c/out/bans.toloka.json",
        "labels.csv",
        "labels.parquet",
    ];
    assert!(all.iter().all(|f| dir.join(f).exists()));
    // The search finds it where it is.
    assert!(holds_the_seed(
        &fs::read(dir.join("c/pool/provenance.json")).unwrap()
    ));
}

#[test]
fn what_annotators_see_tells_neither_roles_nor_ids_nor_paths() {
    let dir = everything();
    let roles = dir.roles("c");
    let tasks = parquet(&dir.join("c/pool/tasks.parquet"));
    assert_eq!(tasks[0], ["task", "picture", "text"]);
    let names: Vec<&String> = tasks[1..].iter().map(|t| &t[0]).collect();
    assert!(names.is_sorted(), "the order is that of the names");
    for task in &tasks[1..] {
        assert!(task[0].len() == 24 && task[0].bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(
            (task[1].as_str(), task[2].as_str()),
            (format!("shown/{}.jpg", task[0]).as_str(), "")
        );
    }
    // Controls are mixed among the items in name order, not all first or last.
    let order: Vec<bool> = names.iter().map(|n| roles[*n]).collect();
    let changes = order.windows(2).filter(|w| w[0] != w[1]).count();
    assert!(changes > 3, "{order:?}");
    let mut sizes = BTreeSet::new();
    for entry in fs::read_dir(dir.join("c/pool/shown")).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!(meta.modified().unwrap(), SystemTime::UNIX_EPOCH);
        let bytes = fs::read(&path).unwrap();
        for word in [
            &b"Exif"[..],
            b"ICC_PROFILE",
            b"http://ns.adobe.com",
            b"photos",
            b"item",
            b"veche",
        ] {
            assert!(
                !bytes.windows(word.len()).any(|w| w == word),
                "{} holds {word:?}",
                path.display()
            );
        }
        sizes.insert(image::open(&path).unwrap().width());
    }
    assert_eq!(sizes, BTreeSet::from([32]));
    let upload = dir.read("upload.tsv");
    for word in ["photos/", "item1", "k1.jpg"] {
        assert!(!upload.contains(word), "the upload holds {word}");
    }
}

#[test]
fn the_names_of_tasks_depend_on_the_secret_alone_and_not_on_what_an_annotator_knows() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.ok(&["pool", "build", "c"]);
    let before = dir.roles("c");
    dir.edit(
        "c/campaign.toml",
        "8412097366150928731",
        "8412097366150928733",
    );
    dir.ok(&["pool", "build", "c"]);
    assert!(
        dir.roles("c").keys().all(|name| !before.contains_key(name)),
        "names depend on the secret"
    );
}
