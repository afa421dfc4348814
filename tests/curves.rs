//! `veche curves` from outside.

use crate::support::{Dir, data};
use serde_json::Value;

/// One file of an uncompressed tar archive.
fn from_tar(archive: &std::path::Path, wanted: &str) -> Vec<u8> {
    let bytes = std::fs::read(archive).unwrap();
    let mut at = 0;
    while at + 512 <= bytes.len() && bytes[at] != 0 {
        let header = &bytes[at..at + 512];
        let text = |range: std::ops::Range<usize>| {
            let field = &header[range];
            let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
            String::from_utf8_lossy(&field[..end]).trim().to_owned()
        };
        let size = usize::from_str_radix(&text(124..136), 8).unwrap();
        if text(0..100).trim_start_matches("./") == wanted {
            return bytes[at + 512..at + 512 + size].to_vec();
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    panic!("{wanted} is not in {}", archive.display());
}

/// The side of a name on the first set of items of all.
fn side<'a>(found: &'a Value, name: &str) -> &'a Value {
    let sides = found["groups"][0]["sets"][0]["sides"].as_array().unwrap();
    sides
        .iter()
        .find(|s| s["side"] == name)
        .unwrap_or_else(|| panic!("no side {name} in {sides:?}"))
}

fn near(value: &Value, expected: f64) -> bool {
    // Published to three or two decimals.
    (value.as_f64().unwrap() - expected).abs() < 0.006
}

#[test]
fn people_on_appa_real_err_as_known_by_age() {
    let Some(tar) = data("train/appareal.tar") else {
        return;
    };
    let dir = Dir::new();
    dir.write("labels.csv", from_tar(&tar, "labels.csv"));
    let edges = "0,3,10,18,30,40,50,60,70,80";
    let found = dir.json(&[
        "curves",
        "labels.csv",
        "--edges",
        edges,
        "--resamples",
        "200",
        "--json",
    ]);
    let people = side(&found, "people, mean guess");
    let summary = &people["summary"];
    assert_eq!(summary["items"], 5613);
    assert!(
        (summary["mae"]["value"].as_f64().unwrap() - 3.948).abs() < 0.0006,
        "{summary}"
    );
    assert!(near(&summary["bias"]["value"], -0.26), "{summary}");
    let (low, high) = (
        &summary["mae"]["interval"]["low"],
        &summary["mae"]["interval"]["high"],
    );
    assert!(low.as_f64() < Some(3.948) && high.as_f64() > Some(3.948));
    // Computed with Python's csv and plain sums.
    let expected = [
        ("0–2", 0.46, 0.45),
        ("10–17", 3.67, 3.08),
        ("40–49", 5.25, -2.68),
        ("80+", 10.82, -10.38),
    ];
    for (range, mae, bias) in expected {
        let ranges = found["ranges"].as_array().unwrap();
        let index = ranges.iter().position(|r| r == range).unwrap();
        let points = people["curve"].as_array().unwrap();
        let point = points.iter().find(|p| p["range"] == index).unwrap();
        assert!(
            near(&point["mae"]["value"], mae) && near(&point["bias"]["value"], bias),
            "{range}: {point}"
        );
    }
}

#[test]
fn more_votes_on_real_heights_buy_what_the_bake_off_measures() {
    let Some(votes) = data("votes/height_cm_mturk.csv") else {
        return;
    };
    let dir = Dir::new();
    let votes = votes.to_str().unwrap();
    let args = [
        "curves",
        votes,
        "--by",
        "overlap",
        "--methods",
        "mean,exp-mae",
        "--draws",
        "4",
        "--unit",
        "cm",
        "--json",
    ];
    let found = dir.json(&args);
    // The label is judged without its own truth: the figure of the bake-off.
    let label = side(&found, "people, label (exp-mae)");
    assert!(
        (label["summary"]["mae"]["value"].as_f64().unwrap() - 4.599).abs() < 0.005,
        "{label}"
    );
    assert_eq!(
        side(&found, "people, one vote")["summary"]["answers"],
        13_081
    );
    let overlap = &found["overlap"];
    assert_eq!(
        (&overlap["most"], &overlap["items"]),
        (&Value::from(18), &Value::from(607))
    );
    for (curve, all_votes) in overlap["curves"]
        .as_array()
        .unwrap()
        .iter()
        .zip([5.986, 4.599])
    {
        let maes: Vec<f64> = curve["points"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["mae"]["value"].as_f64().unwrap())
            .collect();
        // One vote errs as a vote does, 18 of about 22 nearly as all.
        assert!((maes[0] - 10.4).abs() < 0.5, "{maes:?}");
        assert!((maes[maes.len() - 1] - all_votes).abs() < 0.25, "{maes:?}");
        assert!(maes.windows(2).all(|w| w[1] < w[0] + 0.15), "{maes:?}");
    }
}

/// Guesses on 400 people of 5 to 84 that are too low for the old, and a network that is right about them and wrong about children.
fn write_sides(dir: &Dir) {
    let (mut guesses, mut net, mut hidden) = (
        "item,age,sex,guess,sd\n".to_owned(),
        "item,age,sex,score\n".to_owned(),
        "item,age\n".to_owned(),
    );
    for i in 0..400 {
        let (truth, wobble) = (5 + i % 80, f64::from(i * 37 % 11) - 5.0);
        let (sex, said) = if i % 2 == 0 {
            ("F", "female")
        } else {
            ("M", if i % 20 == 1 { "female" } else { "male" })
        };
        let old = f64::from(truth - 40).max(0.0);
        guesses += &format!(
            "p/{i}.jpg,{truth},{sex},{},3\n",
            f64::from(truth) - old / 3.0 + wobble / 2.0
        );
        // The last forty items have no prediction.
        if i < 360 {
            let child = if truth < 15 { 9.0 } else { 0.0 };
            net += &format!(
                "{i}.png,{},{said},0.9\n",
                f64::from(truth) + child + wobble / 3.0
            );
            hidden += &format!("{i}.png,{}\n", f64::from(truth) + child + 3.0 * wobble);
        }
    }
    dir.write("guesses.csv", guesses);
    dir.write("net.csv", net);
    dir.write("hidden.csv", hidden);
}

#[test]
fn a_network_beside_people_and_with_its_face_hidden() {
    let dir = Dir::new();
    write_sides(&dir);
    let args = [
        "curves",
        "guesses.csv",
        "--predictions",
        "net=net.csv",
        "--predictions",
        "face hidden=hidden.csv",
        "--by",
        "sex",
        "--range",
        "10",
        "--resamples",
        "100",
        "--out",
        "found",
    ];
    let text = dir.ok(&args);
    for words in [
        "net errs less than people, mean guess",
        "face hidden errs more than net",
        "sex right in 95.0",
        "adience",
    ] {
        assert!(text.contains(words), "\"{words}\" is missing in:\n{text}");
    }
    assert_eq!(dir.read("found/findings.txt"), text);
    let found = dir.json(&[&args[..], &["--json"]].concat());
    // 400 photos have guesses, 360 have predictions: both are told.
    let sets = found["groups"][0]["sets"].as_array().unwrap();
    assert_eq!(sets.len(), 2);
    assert_eq!(sets[0]["sides"][1]["summary"]["items"], 360);
    assert_eq!(sets[1]["sides"][1]["summary"]["items"], 400);
    let groups: Vec<_> = found["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| g["group"].clone())
        .collect();
    assert_eq!(groups, ["all", "female", "male"]);
    let wins = dir.read("found/wins.csv");
    for start in [
        "all,\"people, mean guess\",net,0–19,",
        "all,net,\"people, mean guess\",20–89,",
    ] {
        assert!(wins.lines().any(|l| l.starts_with(start)), "{wins}");
    }
    for name in ["curves", "summary", "contests", "wins", "classes", "sexes"] {
        let csv = dir.join(&format!("found/{name}.csv"));
        let parquet = dir.join(&format!("found/{name}.parquet"));
        let (csv, parquet) = (
            veche::files::Table::read(csv).unwrap(),
            veche::files::Table::read(parquet).unwrap(),
        );
        assert_eq!(
            (csv.columns(), csv.len()),
            (parquet.columns(), parquet.len()),
            "{name}"
        );
    }
    for picture in [
        "error.svg",
        "error-all-items.svg",
        "bias.svg",
        "error-female.svg",
        "sex.svg",
        "error-by-sex-net.svg",
    ] {
        let svg = dir.read(&format!("found/{picture}"));
        assert!(
            svg.starts_with("<svg") && svg.contains("items per range") && !svg.contains("NaN"),
            "{picture}"
        );
    }
    assert!(dir.read("found/provenance.json").contains("hidden.csv"));
    // The same again gives the same bytes, on one thread too; and smoothing draws the same sides.
    let before = dir.snapshot();
    let one = dir
        .command(&args)
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .unwrap();
    assert!(one.status.success());
    assert!(
        before == dir.snapshot(),
        "a second run wrote something else"
    );
    dir.ok(&[
        "curves",
        "guesses.csv",
        "--predictions",
        "net=net.csv",
        "--smooth",
        "4",
        "--resamples",
        "50",
        "--out",
        "smooth",
    ]);
    assert!(dir.read("smooth/curves.csv").contains(",smooth,"));
}

#[test]
fn predictions_need_no_people_and_classes_may_be_the_truth() {
    let dir = Dir::new();
    dir.write(
        "truth.csv",
        "file,age,gender\na.jpg,\"(25, 32)\",f\nb.jpg,\"(60, 100)\",m\nc.jpg,\"(4, 6)\",m\n",
    );
    dir.write(
        "net.csv",
        "item,age,sex\na.jpg,30,F\nb.jpg,50,M\nc.jpg,20,M\n",
    );
    let found = dir.json(&[
        "curves",
        "truth.csv",
        "--predictions",
        "n=net.csv",
        "--classes",
        "adience",
        "--json",
    ]);
    let accuracy = &found["classes"][0]["accuracy"];
    assert!(
        (accuracy["exact"]["value"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-12,
        "{accuracy}"
    );
    assert!(
        (accuracy["one_off"]["value"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-12,
        "{accuracy}"
    );
}

#[test]
fn a_campaign_is_compared_on_its_controls_and_simulated_is_said() {
    let dir = Dir::new();
    dir.campaign(12, 16);
    dir.ok(&["pool", "build", "c"]);
    dir.ok(&["simulate", "c"]);
    let mut net = "item,age,sex\n".to_owned();
    for i in 0..16u32 {
        net += &format!(
            "photos/k{i}.jpg,{},{}\n",
            6 + 7 * i % 90,
            ["F", "M"][i as usize % 2]
        );
    }
    dir.write("net.csv", net);
    let text = dir.ok(&[
        "curves",
        "c",
        "--predictions",
        "net=net.csv",
        "--resamples",
        "50",
        "--out",
        "found",
    ]);
    assert!(text.starts_with("SIMULATED"), "{text}");
    assert!(text.contains("net: sex right in 100"), "{text}");
    assert!(dir.read("found/error.svg").contains("SIMULATED"));
    assert!(
        !dir.read("found/provenance.json")
            .contains("8412097366150928731"),
        "the campaign's seed is a secret"
    );
}

#[test]
fn bad_input_is_named_and_nothing_is_written() {
    let dir = Dir::new();
    write_sides(&dir);
    dir.write("other.csv", "item,age\nzebra,3\n");
    dir.write("twice.csv", "item,age\n1.png,3\n1.png,4\n");
    dir.write("words.csv", "item,age\n1.png,old\n");
    dir.write("untrue.csv", "item,guess\na,3\n");
    dir.write("alone.csv", "item,truth\na,3\n");
    dir.write("full/notes.txt", "mine");
    let before = dir.snapshot();
    let with = |file: &str| format!("net={file}");
    let bad = |args: &[&str], words: &[&str]| {
        dir.fails(&[&["curves"], args, &["--out", "x"]].concat(), words);
    };
    bad(
        &["guesses.csv", "--predictions", "net.csv"],
        &["name and a file", "net.csv"],
    );
    bad(
        &["guesses.csv", "--predictions", &with("other.csv")],
        &["no item of this table", "zebra", "p/0.jpg"],
    );
    bad(
        &["guesses.csv", "--predictions", &with("twice.csv")],
        &["twice.csv", "row 3", "row 2 already"],
    );
    bad(
        &["guesses.csv", "--predictions", &with("words.csv")],
        &["words.csv", "row 2", "column age", "old"],
    );
    bad(
        &[
            "guesses.csv",
            "--predictions",
            &with("net.csv"),
            "--predictions",
            &with("net.csv"),
        ],
        &["same name"],
    );
    bad(&["guesses.csv", "--edges", "0,10,5"], &["edges", "ascend"]);
    bad(&["guesses.csv", "--by", "overlap"], &["single votes"]);
    bad(&["guesses.csv", "--confidence", "2"], &["level"]);
    bad(&["alone.csv"], &["no side to judge", "--predictions"]);
    bad(
        &[
            "alone.csv",
            "--by",
            "sex",
            "--predictions",
            &with("net.csv"),
        ],
        &["no item of this table"],
    );
    bad(&["untrue.csv"], &["known answers", "--truth-column"]);
    dir.fails(
        &["curves", "guesses.csv", "--out", "full"],
        &["full", "findings.txt"],
    );
    assert!(before == dir.snapshot());
}
