//! `veche report` from outside: what the data allow is on the page.

use crate::support::Dir;
use std::{fmt::Write as _, fs};

/// A campaign with simulated votes, and a model that errs by a year on everything.
fn campaign(dir: &Dir) {
    dir.campaign(60, 24);
    dir.ok(&["pool", "build", "c"]);
    dir.ok(&["simulate", "c", "--annotators", "30"]);
    let mut said = "item,age,sex\n".to_owned();
    for i in 0..60 {
        writeln!(said, "item{i},{},female", 20 + i % 40).unwrap();
    }
    for i in 0..24 {
        let sex = ["female", "male"][i % 2];
        writeln!(said, "photos/k{i}.jpg,{},{sex}", 6 + 7 * i % 90).unwrap();
    }
    dir.write("model.csv", said);
}

fn page(dir: &Dir, name: &str) -> String {
    let html = dir.read(name);
    for outside in ["src=\"http", "href=\"http", "url(http", "@import", "fetch("] {
        assert!(!html.contains(outside), "the report refers to {outside}");
    }
    html
}

#[test]
fn a_campaign_with_a_model_and_a_benchmark_shows_curves_audits_and_both_beside_the_labels() {
    let dir = Dir::new();
    campaign(&dir);
    dir.ok(&["aggregate", "c", "--out", "labels.csv"]);
    dir.ok(&[
        "benchmark",
        "build",
        "labels.csv",
        "--no-pictures",
        "--ranges",
        "30",
        "--per-cell",
        "20",
        "--out",
        "c/bench",
    ]);
    dir.ok(&[
        "report",
        "c",
        "--predictions",
        "One=model.csv",
        "--figures",
        "figures",
    ]);
    let html = page(&dir, "c/out/report.html");
    for part in [
        "People and networks: age",
        "Error by true age",
        "Who is better where",
        "One errs less than people",
        "Women and men",
        "What more votes buy",
        "In the classes of benchmarks",
        "Audits: age",
        "Audits: sex",
        "Krippendorff",
        "Networks beside the labels: age",
        "One lies ",
        "Benchmark: bench",
        "Ranges that fall short",
        "Models on it",
        "veche curves c --question age --predictions One=model.csv --by sex,overlap",
        "SIMULATED",
    ] {
        assert!(html.contains(part), "the report lacks \"{part}\"");
    }
    // Every figure of the page.
    let files = fs::read_dir(dir.join("figures")).unwrap();
    let names: Vec<String> = files
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".svg"))
        .collect();
    assert_eq!(
        names.len(),
        html.matches("<svg class=\"chart wide\"").count(),
        "{names:?}"
    );
    for name in [
        "curves-age-error",
        "audit-age-annotators",
        "benchmark-bench",
        "methods-sex",
    ] {
        let file = format!("{name}.svg");
        assert!(names.contains(&file), "{file} is not in {names:?}");
    }
    assert!(
        dir.read("figures/curves-age-error.svg")
            .contains("simulated")
    );
    assert!(dir.read("figures/provenance.json").contains("model.csv"));
    let said = dir.read("c/out/report.html.provenance.json");
    assert!(
        said.contains("model.csv") && said.contains("benchmark.json"),
        "{said}"
    );
}

#[test]
fn a_campaign_names_its_own_models_and_the_built_in_network_looks_on_request() {
    let dir = Dir::new();
    campaign(&dir);
    let mut text = dir.read("c/campaign.toml");
    text += "\n[predictions]\nOne = \"../model.csv\"\n";
    dir.write("c/campaign.toml", text);
    let found = dir.json(&[
        "curves",
        "c",
        "--question",
        "age",
        "--resamples",
        "50",
        "--json",
    ]);
    let said = found["sentences"].to_string();
    assert!(
        said.contains("One errs less") && !said.contains("MiVOLO"),
        "{said}"
    );
    dir.ok(&["report", "c", "--network"]);
    let html = page(&dir, "c/out/report.html");
    assert!(html.contains("One and the labels") && html.contains("MiVOLO-nano and the labels"));
    let table = dir.read("c/out/report.predictions/mivolo-nano.csv");
    assert_eq!(table.lines().count(), 1 + 60 + 24);
    let origin = dir.read("c/out/report.predictions/mivolo-nano.csv.provenance.json");
    assert!(
        origin.contains("built-in") && origin.contains("pictures (84)"),
        "{origin}"
    );
}

#[test]
fn curves_of_ages_take_the_built_in_network_where_none_is_named() {
    let dir = Dir::new();
    campaign(&dir);
    let ask = |more: &[&str]| {
        let mut args = vec![
            "curves",
            "c",
            "--question",
            "age",
            "--resamples",
            "50",
            "--json",
        ];
        args.extend(more);
        dir.json(&args)["sentences"].to_string()
    };
    assert!(ask(&[]).contains("MiVOLO-nano"));
    assert!(!ask(&["--no-network"]).contains("MiVOLO-nano"));
    assert!(!ask(&["--predictions", "One=model.csv"]).contains("MiVOLO-nano"));
}

#[test]
fn a_table_of_mean_guesses_and_a_folder_of_pictures_is_a_page_of_curves() {
    let dir = Dir::new();
    let mut labels = "file,real_age,apparent_age_mean,apparent_age_std\n".to_owned();
    for i in 0..30 {
        dir.photo(&format!("photos/{i}.jpg"), i);
        writeln!(labels, "{i}.jpg,{},{},4", 5 + 2 * i, 7 + 2 * i).unwrap();
    }
    dir.write("labels.csv", labels);
    dir.ok(&[
        "report",
        "labels.csv",
        "--network",
        "--pictures",
        "photos",
        "--whole",
        "wide",
        "--out",
        "page.html",
    ]);
    let html = page(&dir, "page.html");
    for part in [
        "people, mean guess",
        "MiVOLO-nano",
        "Who is better where",
        "known answers",
    ] {
        assert!(html.contains(part), "the report lacks \"{part}\"");
    }
    assert!(!html.contains("No person gave these answers") && !html.contains("<dt>banned</dt>"));
    dir.fails(
        &["report", "labels.csv", "--network", "--out", "other.html"],
        &["--pictures"],
    );
    dir.fails(
        &[
            "report",
            "labels.csv",
            "--predictions",
            "model.csv",
            "--out",
            "other.html",
        ],
        &["need a name", "--predictions MiVOLO=predictions.csv"],
    );
    assert!(!dir.join("other.html").exists());
}
