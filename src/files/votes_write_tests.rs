use super::*;
use crate::files::{FileVote, VoteOptions, VoteTable, VotesRead, read_votes};
use proptest::prelude::*;
use veche_pools::{ChoiceScale, NumberScale, Question, Scale};

fn options() -> VoteOptions {
    let question = |name: &str, scale| Question {
        name: name.into(),
        prompt: String::new(),
        scale,
    };
    let number = NumberScale {
        min: -1e6,
        max: 1e6,
        unit: String::new(),
        integer: false,
    };
    let choice = ChoiceScale {
        labels: vec!["да, \"конечно\"".into(), "no\tor\nyes".into(), "😀".into()],
    };
    VoteOptions {
        questions: vec![
            question("age", Scale::Number(number)),
            question("mood", Scale::Choice(choice)),
        ],
        ..VoteOptions::default()
    }
}

fn back(votes: &VoteTable, name: &str, form: VoteForm) -> VotesRead {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    let how = WriteOptions {
        form,
        ..WriteOptions::default()
    };
    write_votes(&path, votes, &how).unwrap();
    read_votes(&path, &options()).unwrap()
}

/// A vote without what a form leaves out, in an order that does not depend on it.
fn facts(votes: &VoteTable, all: bool) -> Vec<String> {
    let mut facts: Vec<String> = votes
        .votes()
        .map(|v| {
            let rest = (v.seconds, v.submitted, v.assignment, v.source);
            let rest = if all {
                format!("{rest:?}")
            } else {
                String::new()
            };
            format!("{:?}", (v.annotator, v.item, v.question, v.answer, rest))
        })
        .collect();
    facts.sort();
    facts
}

prop_compose! {
    fn one()(
        name in "[a-c\"',;\t\n =ю😀]{0,3}", item in 0u8..4, mood in 0u8..4,
        age in prop::option::of(-1e6..1e6), times in prop::option::of((0u16..999, 0i64..2_000_000_000)),
    ) -> (String, u8, u8, Option<f64>, Option<(u16, i64)>) {
        (name, item, mood, age, times)
    }
}

proptest! {
    // Five files are brought to the disk in every case.
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn votes_come_back_from_every_form_and_format(rows in prop::collection::vec(one(), 1..12)) {
        let labels = ["да, \"конечно\"", "no\tor\nyes", "😀"];
        let mut votes = VoteTable::new();
        for (i, (name, item, mood, age, times)) in rows.iter().enumerate() {
            let annotator = format!("{i}{name}z");
            let item = format!("{name}item {item}");
            let assignment = format!("a{i}");
            let vote = FileVote {
                seconds: times.map(|t| f32::from(t.0) / 8.0),
                submitted: times.map(|t| t.1),
                assignment: Some(&assignment),
                source: times.map(|_| "simulated"),
                ..FileVote::new(&annotator, item.trim(), "age", age.map_or(FileAnswer::Unsure, FileAnswer::Number))
            };
            votes.push(&vote);
            if *mood > 0 {
                votes.push(&FileVote { question: "mood", answer: FileAnswer::Choice(labels[*mood as usize - 1]), ..vote });
            }
        }
        for name in ["v.csv", "v.tsv", "v.parquet"] {
            let read = back(&votes, name, VoteForm::Long);
            prop_assert_eq!(facts(&read.votes, true), facts(&votes, true), "{}", name);
        }
        let read = back(&votes, "v.tsv", VoteForm::Wide);
        prop_assert_eq!(facts(&read.votes, true), facts(&votes, true));
        let read = back(&votes, "v.csv", VoteForm::CrowdKit);
        prop_assert_eq!(facts(&read.votes, false), facts(&votes, false));
    }
}

fn text(votes: &VoteTable, how: WriteOptions) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v.csv");
    write_votes(&path, votes, &how).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_forms_have_the_columns_that_others_expect() {
    let mut votes = VoteTable::new();
    votes.push(&FileVote::new(
        "w1",
        "x",
        ONLY_QUESTION,
        FileAnswer::Number(30.5),
    ));
    votes.push(&FileVote::new("w2", "x", ONLY_QUESTION, FileAnswer::Unsure));
    votes
        .push_truth("x", ONLY_QUESTION, FileAnswer::Number(31.0), ("", 0))
        .unwrap();
    let crowd_kit = WriteOptions {
        form: VoteForm::CrowdKit,
        ..WriteOptions::default()
    };
    assert_eq!(
        text(&votes, crowd_kit),
        "worker,task,label\nw1,x,30.5\nw2,x,\n"
    );
    let truth = WriteOptions {
        truth: true,
        ..WriteOptions::default()
    };
    assert_eq!(
        text(&votes, truth),
        "annotator,item,answer,truth\nw1,x,30.5,31\nw2,x,,31\n"
    );
    let wide = WriteOptions {
        form: VoteForm::Wide,
        ..WriteOptions::default()
    };
    assert_eq!(
        text(&votes, wide),
        "annotator,item,value\nw1,x,30.5\nw2,x,?\n"
    );
}

#[test]
fn formulas_are_disarmed_on_request_and_numbers_left_alone() {
    let mut votes = VoteTable::new();
    votes.push(&FileVote::new(
        "=cmd()",
        "@x",
        ONLY_QUESTION,
        FileAnswer::Number(-5.0),
    ));
    let safe = WriteOptions {
        spreadsheet_safe: true,
        ..WriteOptions::default()
    };
    assert_eq!(
        text(&votes, safe),
        "annotator,item,answer\n'=cmd(),'@x,-5\n"
    );
    assert_eq!(
        text(&votes, WriteOptions::default()),
        "annotator,item,answer\n=cmd(),@x,-5\n"
    );
}

#[test]
fn what_cannot_be_written_is_said_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v.csv");
    let empty = write_votes(&path, &VoteTable::new(), &WriteOptions::default()).unwrap_err();
    assert_eq!(empty.what, "there are no votes to write");
    let mut votes = VoteTable::new();
    votes.push(&FileVote::new("a", "x", "age", FileAnswer::Number(1.0)));
    votes.push(&FileVote::new("a", "x", "age", FileAnswer::Number(2.0)));
    let wide = WriteOptions {
        form: VoteForm::Wide,
        ..WriteOptions::default()
    };
    assert!(
        write_votes(&path, &votes, &wide)
            .unwrap_err()
            .what
            .contains("twice")
    );
    assert!(!path.exists());
    let full = write_votes("/dev/full", &votes, &WriteOptions::default()).unwrap_err();
    assert!(full.hint.unwrap().contains("disk is full"));
}
