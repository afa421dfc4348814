//! Files of other tools without those tools: what is refused, what is left out, and what stays secret.

use crate::support::Dir;

fn pool() -> Dir {
    let dir = Dir::new();
    dir.campaign(7, 5);
    dir.ok(&["pool", "build", "c"]);
    dir
}

#[test]
fn nothing_in_tasks_for_other_tools_tells_a_control_from_an_item() {
    let dir = pool();
    let controls: Vec<String> = dir
        .roles("c")
        .into_iter()
        .filter(|(_, c)| *c)
        .map(|(n, _)| n)
        .collect();
    for (format, file) in [("label-studio", "t.json"), ("cvat", "t.xml")] {
        dir.ok(&["pool", "export", "c", "--format", format, "--out", file]);
        let text = dir.read(file);
        for secret in [
            "item0",
            "photos/",
            "k0",
            "control",
            "golden",
            "ground_truth",
            "8412097366150928731",
        ] {
            assert!(!text.contains(secret), "{secret} stands in {file}");
        }
        // Lines of items and of controls have the same shape.
        let shape = |name: &str| {
            let line = text.lines().find(|l| l.contains(name)).unwrap();
            line.replace(name, "")
                .replace(|c: char| c.is_ascii_digit(), "")
                .replace(',', "")
        };
        let shapes: std::collections::BTreeSet<String> =
            dir.roles("c").keys().map(|n| shape(n)).collect();
        assert_eq!(shapes.len(), 1, "{shapes:?}");
        assert_eq!(controls.len(), 5);
    }
}

#[test]
fn predictions_on_some_tasks_only_are_refused() {
    let dir = pool();
    let mut text = "item,age,sex\n".to_owned();
    for (name, _) in dir.roles("c").iter().filter(|(_, control)| !**control) {
        text += &format!("{name},30,female\n");
    }
    dir.write("some.csv", &text);
    let export = [
        "pool",
        "export",
        "c",
        "--format",
        "label-studio",
        "--predictions",
        "some.csv",
        "--out",
        "t.json",
    ];
    dir.fails(
        &export,
        &["5 of 12 tasks have no age", "some.csv", "--with-controls"],
    );
    assert!(!dir.join("t.json").exists());
    dir.write("bad.csv", "item,age\nitem0,old\n");
    dir.fails(
        &[
            "pool",
            "export",
            "c",
            "--format",
            "cvat",
            "--predictions",
            "bad.csv",
            "--out",
            "t.xml",
        ],
        &["bad.csv, row 2, column age", "\"old\""],
    );
    dir.fails(
        &[
            "pool",
            "export",
            "c",
            "--format",
            "toloka-tsv",
            "--predictions",
            "some.csv",
            "--out",
            "t.tsv",
        ],
        &["--predictions belongs to label-studio and cvat"],
    );
    dir.fails(
        &["pool", "export", "c", "--format", "mturk", "--out", "b.csv"],
        &["mixing = \"static\""],
    );
}

const ANSWERS: &str =
    "annotator,item,age,sex\np1,item0,30,female\np2,item0,32,female\np3,item0,90,male\n";
const PROLIFIC: &str = "Submission id,Participant id,Status,Started at,Completed at,Time taken,Age,Sex\n\
    s1,p1,APPROVED,2026-11-23T08:00:00Z,2026-11-23T08:10:00Z,600,34,Female\n\
    s2,p2,AWAITING REVIEW,2026-11-23T08:00:00Z,2026-11-23T08:10:00Z,600,CONSENT_REVOKED,Male\n\
    s3,p3,RETURNED,2026-11-23T08:00:00Z,,,51,Male\n";

#[test]
fn prolific_says_whose_votes_count_and_how_old_annotators_are() {
    let dir = pool();
    dir.write("answers.csv", ANSWERS);
    dir.write("prolific.csv", PROLIFIC);
    let import = [
        "votes",
        "import",
        "c",
        "answers.csv",
        "--participants",
        "prolific.csv",
    ];
    let read = dir.json(&[&import[..], &["--json"]].concat());
    assert_eq!(
        (&read["votes"], &read["annotators"]),
        (&4.into(), &2.into())
    );
    assert_eq!(read["left_out_by_status"]["RETURNED"], 2);
    assert_eq!(
        dir.read("c/votes/annotators.csv"),
        "annotator,age,sex,status\np1,34,female,APPROVED\np2,,male,AWAITING REVIEW\np3,51,male,RETURNED\n"
    );
    // The older form has other names for the same columns.
    dir.write(
        "old.csv",
        "participant_id,status,age\np1,APPROVED,34\np2,REJECTED,20\np3,TIMED-OUT,\n",
    );
    let read = dir.json(&[
        "votes",
        "import",
        "c",
        "answers.csv",
        "--participants",
        "old.csv",
        "--json",
    ]);
    assert_eq!(read["annotators"], 1);
    for (text, words) in [
        ("Participant id,Age\np1,3\n", ["Status", "prolific.csv"]),
        (
            "Participant id,Status\np1,ODD\n",
            ["unknown status", "\"ODD\""],
        ),
        (
            "Participant id,Status,Age\np1,APPROVED,old\n",
            ["is not an age", "row 2, column Age"],
        ),
        (
            "Participant id,Status\np1,APPROVED\np2,APPROVED\n",
            ["not among the participants", "\"p3\""],
        ),
    ] {
        dir.write("prolific.csv", text);
        dir.fails(&import, &words);
    }
}

#[test]
fn a_file_of_another_tool_that_is_none_says_so_and_writes_nothing() {
    let dir = pool();
    let before = dir.snapshot();
    for (name, text, words) in [
        (
            "a.json",
            "[{\"data\": {}",
            ["is not JSON", "export it again"],
        ),
        (
            "b.xml",
            "<html><body>Please log in</body></html>",
            ["not of CVAT", "CVAT for images 1.1"],
        ),
        (
            "c.json",
            "{\"detail\": \"not found\"}",
            ["has no annotations", "JSON-MIN"],
        ),
    ] {
        dir.write(name, text);
        for command in [
            ["votes", "import", "c", name].as_slice(),
            &["score", name],
            &["aggregate", name, "--out", "l.csv"],
        ] {
            let said = dir.run(command);
            assert_eq!(said.code, 1, "{command:?}: {}{}", said.out, said.err);
            for word in words.iter().chain(&[name]) {
                assert!(
                    said.err.contains(word),
                    "{command:?}: \"{word}\" is missing in\n{}",
                    said.err
                );
            }
        }
        std::fs::remove_file(dir.join(name)).unwrap();
    }
    assert_eq!(dir.snapshot(), before);
}
