//! Pools from real faces: 540 items, 102 controls of whom two have no age.

use crate::support::{Dir, data};
use std::{collections::BTreeMap, fs, path::Path};

/// A campaign on the real faces, with changes to its campaign.toml.
fn campaign(dir: &Dir, changes: &[(&str, &str)]) -> Option<()> {
    let items = data("faces/fairface540")?;
    let controls = data("faces/london102")?;
    dir.ok(&["init", "c", "--seed", "11"]);
    let mut text = dir
        .read("c/campaign.toml")
        .replace(
            "source = \"items\" ",
            &format!("source = \"{}\" ", items.display()),
        )
        .replace(
            "source = \"controls.csv\" ",
            &format!("source = \"{}\" ", controls.join("labels.csv").display()),
        )
        .replace("\npath = \"file\" ", "\npath = \"{face_id}_03.jpg\" ")
        .replace("\nage = \"age\"\n", "\nage = \"face_age\"\n")
        .replace("\nsex = \"gender\"\n", "\nsex = \"face_gender\"\n");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    dir.write("c/campaign.toml", text);
    Some(())
}

const STATIC: (&str, &str) = ("mixing = \"per-annotator\"", "mixing = \"static\"");

#[test]
fn the_two_controls_without_an_age_are_named_or_left_out_and_counted() {
    let dir = Dir::new();
    if campaign(&dir, &[]).is_none() {
        return;
    }
    dir.fails(
        &["pool", "build", "c"],
        &[
            "labels.csv",
            "face_age",
            "the truth is missing in row 29, 92",
            "NA",
        ],
    );
    assert!(!dir.join("c/pool").exists());
    let summary = dir.json(&["pool", "build", "c", "--skip-bad-rows", "--json"]);
    assert_eq!(summary["controls"], 100);
    assert_eq!(summary["skipped"][0]["rows"], 2);
}

#[test]
fn real_faces_give_ninety_suites_a_round_each_of_six_and_one() {
    let dir = Dir::new();
    if campaign(&dir, &[STATIC]).is_none() {
        return;
    }
    let summary = dir.json(&["pool", "build", "c", "--skip-bad-rows", "--json"]);
    assert_eq!(
        (
            &summary["items"],
            &summary["suites_per_round"],
            &summary["rounds"]
        ),
        (&540.into(), &90.into(), &10.into())
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
    let mut suites: BTreeMap<String, Vec<(usize, bool)>> = BTreeMap::new();
    let mut votes: BTreeMap<String, usize> = BTreeMap::new();
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for line in dir.read("suites.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let control = roles[cells[2]];
        suites
            .entry(cells[0].to_owned())
            .or_default()
            .push((cells[1].parse().unwrap(), control));
        *(if control { &mut uses } else { &mut votes })
            .entry(cells[2].to_owned())
            .or_default() += 1;
    }
    assert_eq!(suites.len(), 900);
    let mut places = [0usize; 8];
    for suite in suites.values() {
        assert_eq!(suite.len(), 7);
        assert_eq!(suite.iter().filter(|t| t.1).count(), 1);
        places[suite.iter().find(|t| t.1).unwrap().0] += 1;
    }
    assert!(
        votes.len() == 540 && votes.values().all(|&n| n == 10),
        "the overlap is exact"
    );
    let (least, most) = (uses.values().min().unwrap(), uses.values().max().unwrap());
    assert!(
        most - least <= 1,
        "controls are used equally often: {least} to {most}"
    );
    // 900 suites, 7 places: expected 128.6 each; the chi-square of 6 degrees stays below 22.5 but once in a thousand.
    let expected = 900.0 / 7.0;
    let chi: f64 = places[1..]
        .iter()
        .map(|&n| (n as f64 - expected).powi(2) / expected)
        .sum();
    assert!(chi < 22.5, "places of controls: {places:?}");
}

#[test]
fn what_annotators_see_says_nothing_about_roles() {
    let dir = Dir::new();
    if campaign(&dir, &[]).is_none() {
        return;
    }
    dir.ok(&["pool", "build", "c", "--skip-bad-rows"]);
    let roles = dir.roles("c");
    let mut names = Vec::new();
    for entry in fs::read_dir(dir.join("c/pool/shown")).unwrap() {
        let path = entry.unwrap().path();
        let (side, tables) = jpeg(&path);
        assert_eq!(side, 448, "{}", path.display());
        names.push((
            path.file_stem().unwrap().to_string_lossy().into_owned(),
            tables,
        ));
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(
            modified,
            std::time::SystemTime::UNIX_EPOCH,
            "dates tell the order of the owner's tables"
        );
    }
    assert_eq!((names.len(), roles.len()), (640, 640));
    let tables = &names[0].1;
    assert!(
        names.iter().all(|(_, t)| t == tables),
        "one quality, one set of segments, no metadata"
    );
    names.sort();
    assert!(
        names
            .iter()
            .all(|(n, _)| n.len() == 24 && n.bytes().all(|b| b.is_ascii_hexdigit()))
    );
    // In name order controls are spread at random: the mean rank of 100 among 640 has a standard deviation of 17.
    let ranks: Vec<usize> = (0..names.len()).filter(|&i| roles[&names[i].0]).collect();
    let mean = ranks.iter().sum::<usize>() as f64 / ranks.len() as f64;
    assert!(
        (mean - 319.5).abs() < 70.0,
        "controls stand at {mean} on average"
    );
    let tasks = fs::read(dir.join("c/pool/tasks.parquet")).unwrap();
    for word in [&b"control"[..], b"_03.jpg", b"fairface", b"age"] {
        assert!(
            !tasks.windows(word.len()).any(|w| w == word),
            "tasks.parquet says {}",
            String::from_utf8_lossy(word)
        );
    }
}

#[test]
fn an_item_that_is_a_control_under_another_name_is_left_out() {
    let dir = Dir::new();
    let Some(faces) = data("faces/london102") else {
        return;
    };
    let Some(others) = data("faces/fairface540") else {
        return;
    };
    if campaign(&dir, &[]).is_none() {
        return;
    }
    for i in 1..=12 {
        let name = format!("fairface_{i:04}.jpg");
        fs::create_dir_all(dir.join("c/items")).unwrap();
        fs::copy(others.join(&name), dir.join(&format!("c/items/{name}"))).unwrap();
    }
    fs::copy(faces.join("001_03.jpg"), dir.join("c/items/same-bytes.jpg")).unwrap();
    let picture = image::open(faces.join("007_03.jpg")).unwrap();
    let smaller = picture
        .resize(400, 400, image::imageops::FilterType::Triangle)
        .to_rgb8();
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 60)
        .encode_image(&smaller)
        .unwrap();
    dir.write("c/items/encoded-anew.jpg", bytes);
    let text = dir.read("c/campaign.toml");
    let text = text.replace(
        &format!("source = \"{}\" ", others.display()),
        "source = \"items\" ",
    );
    dir.write("c/campaign.toml", text);
    let summary = dir.json(&["pool", "build", "c", "--skip-bad-rows", "--json"]);
    assert_eq!(summary["items"], 12);
    let mut found: Vec<(String, String, bool)> = Vec::new();
    for d in summary["duplicates"].as_array().unwrap() {
        let text = |k: &str| d[k].as_str().unwrap().to_owned();
        found.push((text("item"), text("control"), d["exact"].as_bool().unwrap()));
    }
    found.sort();
    let expected = [
        ("encoded-anew.jpg", "007_03.jpg", false),
        ("same-bytes.jpg", "001_03.jpg", true),
    ];
    assert_eq!(
        found,
        expected.map(|(i, c, e)| (i.to_owned(), c.to_owned(), e))
    );
    assert_eq!(
        fs::read_dir(dir.join("c/pool/shown")).unwrap().count(),
        12 + 100
    );
}

#[test]
fn a_toloka_result_made_from_the_pool_comes_back_without_loss() {
    let dir = Dir::new();
    if campaign(&dir, &[]).is_none() {
        return;
    }
    dir.ok(&["pool", "build", "c", "--skip-bad-rows"]);
    dir.ok(&[
        "simulate",
        "c",
        "--annotators",
        "60",
        "--toloka-tsv",
        "results.tsv",
    ]);
    dir.ok(&["votes", "export", "c", "--out", "before.csv"]);
    fs::remove_file(dir.join("c/votes/simulated.parquet")).unwrap();
    let imported = dir.json(&["votes", "import", "c", "results.tsv", "--json"]);
    assert_eq!(imported["left_out_bad_rows"], 0);
    assert_eq!(imported["simulated"], true);
    dir.ok(&["votes", "export", "c", "--out", "after.csv"]);
    let sorted = |name: &str| {
        let text = dir.read(name);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[1..].sort();
        lines
    };
    let (before, after) = (sorted("before.csv"), sorted("after.csv"));
    assert_eq!(before.len(), after.len());
    // Annotator, item, question, answer: the platform's file rounds times to its own precision.
    let key = |line: &String| line.splitn(5, ',').take(4).collect::<Vec<_>>().join(",");
    assert_eq!(
        before.iter().map(key).collect::<Vec<_>>(),
        after.iter().map(key).collect::<Vec<_>>()
    );
    let page = dir.ok(&["report", "c"]);
    let html = fs::read_to_string(dir.join(page.trim())).unwrap();
    assert!(
        html.matches(";base64,").count() >= 20,
        "the report shows the photos"
    );
    assert!(html.contains("SIMULATED"));
}

/// Longest side of a JPEG and the list of its segments with their content, the picture data left out.
fn jpeg(path: &Path) -> (u16, Vec<(u8, Vec<u8>)>) {
    let bytes = fs::read(path).unwrap();
    let (mut at, mut side, mut segments) = (2, 0, Vec::new());
    loop {
        assert_eq!(bytes[at], 0xff);
        let (marker, len) = (
            bytes[at + 1],
            usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]])),
        );
        let mut body = bytes[at + 4..at + 2 + len].to_vec();
        if (0xc0..=0xc2).contains(&marker) {
            let size = |i: usize| u16::from_be_bytes([body[i], body[i + 1]]);
            side = size(1).max(size(3));
            body.drain(1..5);
        }
        segments.push((marker, body));
        if marker == 0xda {
            return (side, segments);
        }
        at += 2 + len;
    }
}

/// Files of a folder with their content, by name.
fn files_of(dir: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut all = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            for (name, content) in files_of(&path) {
                all.insert(
                    format!("{}/{name}", path.file_name().unwrap().display()),
                    content,
                );
            }
        } else {
            let name = path.file_name().unwrap().display().to_string();
            all.insert(name, std::fs::read(&path).unwrap());
        }
    }
    all
}

#[test]
fn a_pool_built_in_parts_has_the_bytes_of_one_built_in_one_piece() {
    let dir = Dir::new();
    dir.campaign(23, 9);
    // An item that is a control under another name, and a broken control that another takes the place of.
    std::fs::copy(dir.join("c/photos/k3.jpg"), dir.join("c/photos/i5.jpg")).unwrap();
    dir.write("c/photos/k4.jpg", "no picture");
    dir.edit(
        "c/campaign.toml",
        "[controls.truth]",
        "count = 6\n\n[controls.truth]",
    );
    dir.edit(
        "c/campaign.toml",
        "overlap = 3",
        "overlap = 3\nmixing = \"static\"",
    );
    dir.ok(&["pool", "build", "c", "--skip-bad-rows"]);
    let whole = files_of(&dir.join("c/pool"));
    assert!(whole.len() > 30);
    std::fs::remove_dir_all(dir.join("c/pool")).unwrap();

    dir.fails(
        &["pool", "build", "c", "--merge"],
        &["no parts to merge", "--shard"],
    );
    let mut rendered = 0;
    for part in ["3/4", "1/4", "4/4"] {
        let said = dir.json(&["pool", "build", "c", "--shard", part, "--json"]);
        rendered += said["rendered"].as_u64().unwrap();
    }
    dir.fails(
        &["pool", "build", "c", "--merge", "--skip-bad-rows"],
        &["of 4 parts these are missing: 2"],
    );
    assert!(!dir.join("c/pool").exists());
    let last = dir.json(&["pool", "build", "c", "--shard", "2/4", "--json"]);
    rendered += last["rendered"].as_u64().unwrap();
    assert!((28..=29).contains(&rendered), "{rendered}");
    dir.ok(&["pool", "build", "c", "--merge", "--skip-bad-rows"]);
    let merged = files_of(&dir.join("c/pool"));
    assert_eq!(
        merged.keys().collect::<Vec<_>>(),
        whole.keys().collect::<Vec<_>>()
    );
    for (name, content) in &whole {
        assert_eq!(&merged[name], content, "{name}");
    }
    // The pictures' dates tell nothing either.
    let shown = merged.keys().find(|n| n.starts_with("shown/")).unwrap();
    let date = std::fs::metadata(dir.join("c/pool").join(shown))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(date, std::time::SystemTime::UNIX_EPOCH);

    // Strict, the merge says what a build in one piece says.
    dir.fails(
        &["pool", "build", "c", "--merge"],
        &["controls.csv", "photos/k4.jpg"],
    );
    // Parts of another campaign.toml are none of this one's.
    dir.edit("c/campaign.toml", "longest_side = 32", "longest_side = 40");
    dir.fails(
        &["pool", "build", "c", "--merge", "--skip-bad-rows"],
        &["made from another campaign.toml", "render the part again"],
    );
    dir.ok(&["pool", "build", "c", "--shard", "1/2"]);
    dir.fails(
        &["pool", "build", "c", "--merge", "--skip-bad-rows"],
        &["part"],
    );
    for wrong in ["0/4", "5/4", "x"] {
        assert_eq!(dir.run(&["pool", "build", "c", "--shard", wrong]).code, 2);
    }
}
