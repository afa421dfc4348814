//! Mistakes in campaign.toml, and commands at the wrong place or time.

use super::{build_refused, refused};
use crate::support::Dir;
use std::fs;

#[test]
fn mistakes_in_campaign_toml_are_named_with_their_row() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.ok(&["pool", "build", "c"]);
    let good = dir.read("c/campaign.toml");
    let row_of = |what: &str| 1 + good[..good.find(what).unwrap()].matches('\n').count();
    let cases: [(&str, &str, &[&str]); 24] = [
        // Unknown keys, in every section.
        (
            "seed = 8412097366150928731",
            "seed = 8412097366150928731\nsed = 1",
            &["unknown field `sed`", "seed"],
        ),
        (
            "overlap = 3",
            "overlap = 3\nolverlap = 3",
            &["unknown field `olverlap`", "overlap"],
        ),
        (
            "integer = true",
            "integer = true\nintegre = true",
            &["unknown field `integre`"],
        ),
        ("[suite]", "[suites]", &["unknown field `suites`"]),
        (
            "longest_side = 32",
            "longest_side = 32\nlongestside = 32",
            &["unknown field `longestside`"],
        ),
        (
            "path = \"file\"\nid",
            "paht = \"file\"\nid",
            &["unknown field `paht`"],
        ),
        // Wrong types.
        (
            "overlap = 3",
            "overlap = \"three\"",
            &["invalid type", "three"],
        ),
        ("overlap = 3", "overlap = 3.5", &["invalid type", "3.5"]),
        ("real = 3", "real = -3", &["-3"]),
        (
            "labels = [\"female\", \"male\"]",
            "labels = \"female\"",
            &["invalid type"],
        ),
        ("seed = 8412097366150928731", "seed = -1", &["-1"]),
        (
            "seed = 8412097366150928731",
            "seed = 99999999999999999999",
            &["99999999999999999999"],
        ),
        // Missing.
        (
            "seed = 8412097366150928731\n",
            "",
            &["missing field `seed`"],
        ),
        (
            "prompt = \"How old is this person?\"\n",
            "",
            &["missing field `prompt`"],
        ),
        ("max = 120\n", "", &["missing field `max`"]),
        // Wrong values.
        (
            "kind = \"choice\"",
            "kind = \"chioce\"",
            &["chioce", "choice"],
        ),
        (
            "overlap = 3",
            "overlap = 0",
            &["suite.overlap", "1 to 30000"],
        ),
        (
            "longest_side = 32",
            "longest_side = 1",
            &["pictures.longest_side", "32 to 4096"],
        ),
        ("max = 120", "max = -5", &["age"]),
        ("max = 120", "max = nan", &["age"]),
        (
            "labels = [\"female\", \"male\"]",
            "labels = [\"male\", \"male\"]",
            &["sex"],
        ),
        (
            "labels = [\"female\", \"male\"]",
            "labels = [\"male\"]",
            &["sex"],
        ),
        (
            "name = \"sex\"",
            "name = \"age\"",
            &["two questions have the same name", "\"age\""],
        ),
        // No TOML.
        ("real = 3", "real = = 3", &["campaign.toml"]),
    ];
    for (from, to, words) in cases {
        assert!(good.contains(from), "{from}");
        dir.write("c/campaign.toml", good.replacen(from, to, 1));
        println!("{to}");
        let message = build_refused(&dir, words);
        assert!(message.contains("in c/campaign.toml"), "{message}");
    }
    dir.write(
        "c/campaign.toml",
        good.replace("overlap = 3", "overlap = 3\nolverlap = 3"),
    );
    build_refused(
        &dir,
        &[&format!(
            "c/campaign.toml, row {}",
            row_of("overlap = 3") + 1
        )],
    );
}

#[test]
fn names_of_questions_and_methods_that_do_not_exist_are_errors_with_those_that_do() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    let good = dir.read("c/campaign.toml");
    for (section, words) in [
        (
            "[aggregate]\nmethod = { aeg = \"mean\" }",
            &[
                "[aggregate.method]",
                "found: \"aeg\"",
                "questions are: age, sex",
            ][..],
        ),
        (
            "[aggregate]\nmethod = { age = \"maen\" }",
            &["no such method", "found: \"maen\""],
        ),
        (
            "[aggregate]\nmethod = { age = \"majority\" }",
            &["no such method for this kind", "found: \"majority\""],
        ),
        (
            "[aggregate]\nmethod = { sex = \"mean\" }",
            &["no such method for this kind", "found: \"mean\""],
        ),
        ("[aggregate]\nlevel = 1.5", &["aggregate.level"]),
        ("[aggregate]\ntemperature = 0", &["aggregate.temperature"]),
        (
            "[votes]\nanswers = { aeg = \"age\" }",
            &["[votes.answers]", "found: \"aeg\""],
        ),
        (
            "[controls.range]\naeg = 5",
            &["[controls.range]", "found: \"aeg\""],
        ),
        (
            "[controls.range]\nage = 0",
            &["controls.range.age", "above 0"],
        ),
        (
            "[[ban.rule]]\nrule = \"mae-above\"\nquestion = \"aeg\"\nthreshold = 5.0",
            &["aeg"],
        ),
        (
            "[[ban.rule]]\nrule = \"mae-above\"\nquestion = \"sex\"\nthreshold = 5.0",
            &["sex"],
        ),
        (
            "[[ban.rule]]\nrule = \"mae-above\"\nthreshold = -5.0",
            &["threshold"],
        ),
        (
            "[[ban.rule]]\nrule = \"mea-above\"\nthreshold = 5.0",
            &["mea-above"],
        ),
        (
            "[ban]\npolicy = \"forgive\"",
            &["forgive", "from-the-start"],
        ),
    ] {
        dir.write("c/campaign.toml", format!("{good}\n{section}\n"));
        println!("{section}");
        build_refused(&dir, words);
    }
}

#[test]
fn a_missing_section_is_named() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    let good = dir.read("c/campaign.toml");
    let (before, rest) = good.split_once("[items]").unwrap();
    dir.write(
        "c/campaign.toml",
        format!("{before}{}", &rest[rest.find("[controls]").unwrap()..]),
    );
    build_refused(&dir, &["missing field `items`", "c/campaign.toml"]);
    dir.write(
        "c/campaign.toml",
        "name = \"x\"\nseed = 1\n[items]\nsource = \"items.csv\"\n",
    );
    build_refused(&dir, &["question", "c/campaign.toml"]);
    dir.write("c/campaign.toml", "");
    build_refused(&dir, &["c/campaign.toml"]);
    dir.write(
        "c/campaign.toml",
        [0xcd, 0xe0, 0xe7, 0xe2, 0xe0, 0xed, 0xe8, 0xe5],
    );
    build_refused(&dir, &["c/campaign.toml", "UTF-8"]);
}

#[test]
fn commands_say_what_has_to_come_first() {
    let dir = Dir::new();
    dir.write("votes.csv", "annotator,task,age\na,b,3\n");
    for args in [
        &["pool", "build", "none"][..],
        &["simulate", "none"],
        &["votes", "import", "none", "votes.csv"],
    ] {
        refused(
            &dir,
            args,
            &["there is no campaign.toml here", "none", "veche init"],
        );
    }
    for command in ["score", "methods", "report", "ban"] {
        refused(&dir, &[command, "none"], &["none", "No such file"]);
    }
    dir.campaign(6, 4);
    for args in [
        &["simulate", "c"][..],
        &["votes", "import", "c", "votes.csv"],
        &["votes", "export", "c", "--out", "out.csv"],
        &["pool", "export", "c", "--format", "csv", "--out", "out.csv"],
        &["score", "c"],
        &["methods", "c"],
        &["ban", "c"],
        &["report", "c"],
        &["aggregate", "c", "--out", "labels.csv"],
    ] {
        refused(&dir, args, &["c/pool", "veche pool build"]);
    }
    dir.ok(&["pool", "build", "c"]);
    for args in [
        &["votes", "export", "c", "--out", "out.csv"][..],
        &["score", "c"],
        &["methods", "c"],
        &["ban", "c"],
        &["report", "c"],
        &["aggregate", "c", "--out", "labels.csv"],
    ] {
        refused(
            &dir,
            args,
            &["there are no votes yet", "c/votes", "veche votes import"],
        );
    }
    refused(
        &dir,
        &["pool", "export", "c", "--format", "csv", "--out", "out.csv"],
        &["mixing = \"static\""],
    );
    refused(
        &dir,
        &[
            "pool",
            "export",
            "c",
            "--format",
            "toloka-tsv",
            "--picture-url",
            "https://x/1.jpg",
            "--out",
            "out.tsv",
        ],
        &["{task}", "https://x/1.jpg"],
    );
    refused(
        &dir,
        &["init", "c"],
        &["a campaign is already here", "c/campaign.toml"],
    );
}

#[test]
fn a_damaged_pool_is_named() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.ok(&["pool", "build", "c"]);
    for file in ["tasks.parquet", "roles.parquet"] {
        let path = dir.join("c/pool").join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        refused(&dir, &["simulate", "c"], &[file]);
        fs::remove_file(&path).unwrap();
        refused(&dir, &["simulate", "c"], &["c/pool"]);
        fs::write(&path, whole).unwrap();
    }
    // The questions changed after the pool was built.
    dir.edit("c/campaign.toml", "name = \"age\"", "name = \"years\"");
    dir.edit("c/campaign.toml", "age = \"age\"", "years = \"age\"");
    refused(&dir, &["simulate", "c"], &["pool"]);
}

#[test]
fn a_wrong_command_line_exits_with_two() {
    let dir = Dir::new();
    for args in [
        &["frobnicate"][..],
        &["methods"],
        &["methods", "votes.csv", "--scale", "ordinal"],
        &["aggregate", "votes.csv"],
        &["simulate", "c", "--annotators", "many"],
        &["pool", "export", "c", "--format", "xml", "--out", "x"],
        &["score", "votes.csv", "--min-controls", "5"],
        &[],
    ] {
        let ran = dir.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
        assert!(
            ran.err.contains("Usage") || ran.err.contains("--help"),
            "{args:?}: {}",
            ran.err
        );
    }
}
