use super::*;
use veche_pools::{ChoiceScale, NumberScale};

pub(crate) fn questions() -> Vec<Question> {
    vec![
        Question {
            name: "age".into(),
            prompt: "How old?".into(),
            scale: Scale::Number(NumberScale {
                min: 0.0,
                max: 120.0,
                unit: "years".into(),
                integer: true,
            }),
        },
        Question {
            name: "sex".into(),
            prompt: "Which?".into(),
            scale: Scale::Choice(ChoiceScale {
                labels: vec!["female".into(), "male".into()],
            }),
        },
    ]
}

fn read_as(name: &str, text: &str, options: &VoteOptions) -> Result<VotesRead> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    read_votes(path, options)
}

fn read(text: &str) -> Result<VotesRead> {
    read_as("v.csv", text, &VoteOptions::default())
}

fn campaign() -> VoteOptions {
    VoteOptions {
        questions: questions(),
        ..VoteOptions::default()
    }
}

fn short(read: &VotesRead) -> Vec<String> {
    let text = super::super::votes::text_of;
    let votes = read.votes.votes();
    votes
        .map(|v| {
            format!(
                "{} {} {} {}",
                v.annotator,
                v.item,
                v.question,
                text(v.answer)
            )
        })
        .collect()
}

#[test]
fn columns_are_found_by_their_usual_names() {
    for header in [
        "worker,task,label",
        "Annotator,ITEM,answer",
        "performer,task_id,value",
        "user,question,value",
        "worker_id,item,label",
    ] {
        let votes = read(&format!("{header}\na,x,1\nb,x,2.5\n")).unwrap();
        assert_eq!(short(&votes), ["a x value 1", "b x value 2.5"], "{header}");
    }
    let p = read("worker,tusk,label\na,x,1\n").unwrap_err();
    assert!(
        p.what.contains("item or task or question") && p.file.is_some(),
        "{p}"
    );
}

#[test]
fn numbers_and_labels_are_told_apart_unless_it_is_said() {
    let votes = read("worker,task,label\na,x,cat\nb,x,7\nc,x,\nd,x,?\n").unwrap();
    assert_eq!(votes.votes.vote(1).answer, FileAnswer::Choice("7"));
    assert_eq!(votes.votes.vote(2).answer, FileAnswer::Unsure);
    assert_eq!(votes.votes.vote(3).answer, FileAnswer::Unsure);
    let choice = VoteOptions {
        scale: ScaleHint::Choice,
        ..VoteOptions::default()
    };
    let votes = read_as("v.tsv", "worker\ttask\tlabel\na\tx\t1\n", &choice).unwrap();
    assert_eq!(votes.votes.vote(0).answer, FileAnswer::Choice("1"));
    // One slip among numbers stays an error and does not make labels of them all.
    let mut text = "worker,task,label\n".to_owned();
    (0..20).for_each(|i| text += &format!("{i},x,{i}\n"));
    let p = read(&format!("{text}z,x,3O\n")).unwrap_err();
    assert_eq!(
        (p.row, p.value.as_deref(), p.what.as_str()),
        (Some(22), Some("3O"), "answer is not a number")
    );
}

#[test]
fn useless_numbers_are_errors_or_left_out_and_counted() {
    let text = "worker,task,label\na,x,NaN\nb,x,1e308\nc,x,inf\nd,x,5\n,x,5\ne,,5\n";
    assert_eq!(
        read(text).unwrap_err().what,
        "answer is not a finite number"
    );
    let lenient = VoteOptions {
        skip_bad_rows: true,
        ..VoteOptions::default()
    };
    let votes = read_as("v.csv", text, &lenient).unwrap();
    assert_eq!(short(&votes), ["d x value 5"]);
    let counts: Vec<_> = votes
        .skipped
        .reasons()
        .iter()
        .map(|r| (r.what.as_str(), r.rows))
        .collect();
    let expected = [
        ("answer is not a finite number", 2),
        ("answer is too large a number", 1),
        ("no annotator", 1),
        ("no item", 1),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn a_long_file_answers_several_questions_each_on_its_scale() {
    let text = "annotator,item,question,answer,seconds,submitted,source\n\
        a,x,age,30,4.5,2026-11-23T08:00:00Z,simulated\na,x,sex,Female,,,simulated\na,x,mood,good,,,\n";
    let read = read_as("v.csv", text, &campaign()).unwrap_err();
    assert_eq!(
        (read.row, read.what.as_str()),
        (Some(4), "answer is not a number")
    );
    let votes = read_as(
        "v.csv",
        &text.replace("a,x,mood,good,,,\n", ""),
        &campaign(),
    )
    .unwrap();
    assert_eq!(short(&votes), ["a x age 30", "a x sex female"]);
    let first = votes.votes.vote(0);
    assert_eq!(
        (first.seconds, first.submitted),
        (Some(4.5), Some(1_795_420_800))
    );
    assert!(votes.votes.is_simulated());
    let p = read_as("v.csv", "annotator,item,answer\na,x,30\n", &campaign()).unwrap_err();
    assert!(p.what.contains("age and sex"), "{p}");
    let p = read_as(
        "v.csv",
        "annotator,item,question,answer\na,x,age,212\n",
        &campaign(),
    )
    .unwrap_err();
    assert_eq!(p.what, "answer lies outside 0 to 120 years");
}

#[test]
fn a_wide_file_gives_one_vote_per_filled_cell() {
    let text = "annotator,item,sex,age\na,x,male,30\nb,x,,?\nc,x,other,3\n";
    let p = read_as("v.csv", text, &campaign()).unwrap_err();
    assert_eq!(
        (p.row, p.what.as_str()),
        (Some(4), "answer is not one of female, male")
    );
    let lenient = VoteOptions {
        skip_bad_rows: true,
        ..campaign()
    };
    let votes = read_as("v.csv", text, &lenient).unwrap();
    assert_eq!(short(&votes), ["a x age 30", "a x sex male", "b x age ?"]);
}

#[test]
fn a_mapping_names_columns_and_statuses() {
    let text = "who;what;years;gender;state\na;x;30;male;done\nb;x;31;male;open\n";
    let mapping = VoteMapping {
        annotator: Some("who".into()),
        item: Some("what".into()),
        answers: BTreeMap::from([
            ("age".into(), "years".into()),
            ("sex".into(), "gender".into()),
        ]),
        status: Some("state".into()),
        accept: Some(vec!["done".into()]),
        ..VoteMapping::default()
    };
    let mut options = VoteOptions {
        mapping,
        ..campaign()
    };
    let p = read_as("v.csv", text, &options).unwrap_err();
    assert_eq!(
        (p.row, p.what.as_str()),
        (Some(3), "unknown status of an assignment")
    );
    let votes = read_as("v.csv", &text.replace("open", "rejected"), &options).unwrap();
    assert_eq!(short(&votes), ["a x age 30", "a x sex male"]);
    assert_eq!(votes.by_status, BTreeMap::from([("REJECTED".into(), 1)]));
    options.mapping.item = Some("wat".into());
    let p = read_as("v.csv", text, &options).unwrap_err();
    assert!(p.hint.unwrap().starts_with("did you mean \"what\"?"));
}

#[test]
fn truths_come_with_the_votes_or_from_their_own_file() {
    let votes = read("worker,item,value,truth\na,x,1,2\nb,x,3,2\nb,y,3,\n")
        .unwrap()
        .votes;
    assert_eq!(
        votes.truths().collect::<Vec<_>>(),
        [(0, 0, FileAnswer::Number(2.0))]
    );
    let p = read("worker,item,value,truth\na,x,1,2\nb,x,3,4\n").unwrap_err();
    assert_eq!(
        (p.row, p.what.as_str()),
        (Some(3), "two different truths for one item")
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    for (text, options) in [
        ("item,truth\nx,30\ny,\n", VoteOptions::default()),
        ("task,label\nx,30\n", VoteOptions::default()),
        ("item,age,sex\nx,30,male\n", campaign()),
        ("item,question,truth\nx,age,30\n", campaign()),
    ] {
        std::fs::write(&path, text).unwrap();
        let mut reader = VoteReader::new(options);
        reader.read_truths(&path).unwrap();
        let votes = reader.finish().unwrap().votes;
        assert_eq!(votes.true_number(0, 0), Some(30.0), "{text}");
    }
}

const RESULT: &str = "INPUT:image\tOUTPUT:age\tOUTPUT:sex\tOUTPUT:comment\tGOLDEN:age\tGOLDEN:sex\tHINT:text\tASSIGNMENT:link\tASSIGNMENT:assignment_id\tASSIGNMENT:task_id\tASSIGNMENT:worker_id\tASSIGNMENT:status\tASSIGNMENT:started\tASSIGNMENT:submitted
https://h/p/00112233445566778899aabb.jpg\t30\tfemale\thi\t\t\t\tl\tas1\tt1\tw1\tAPPROVED\t2026-11-23T08:00:00.000\t2026-11-23T08:00:14.500
https://h/p/11112233445566778899aabb.jpg\t41\tmale\t\t40\tmale\t\tl\tas1\tt2\tw1\tAPPROVED\t2026-11-23T08:00:00.000\t2026-11-23T08:00:14.500

https://h/p/00112233445566778899aabb.jpg\t3\tmale\t\t\t\t\tl\tas2\tt1\tw2\tREJECTED\t2026-11-23T08:00:00.000\t2026-11-23T08:00:14.500
https://h/p/22112233445566778899aabb.jpg\t3\tmale\t\t5\tmale\tlook closer\tl\tas3\tt1\tw2\tAPPROVED\t\t
";

#[test]
fn results_of_toloka_give_votes_truths_times_and_what_was_left_out() {
    let read = read_as("r.tsv", RESULT, &campaign()).unwrap();
    assert_eq!(
        short(&read),
        [
            "w1 00112233445566778899aabb age 30",
            "w1 00112233445566778899aabb sex female",
            "w1 11112233445566778899aabb age 41",
            "w1 11112233445566778899aabb sex male",
        ]
    );
    let vote = read.votes.vote(2);
    assert_eq!(
        (vote.assignment, vote.status),
        (Some("as1"), Some("APPROVED"))
    );
    assert_eq!(
        (vote.seconds, vote.submitted),
        (Some(7.0), Some(1_795_420_814))
    );
    assert_eq!(read.votes.truths().count(), 2);
    assert_eq!(read.votes.true_number(1, 0), Some(40.0));
    let expected = BTreeMap::from([("REJECTED".into(), 1), ("TRAINING".into(), 1)]);
    assert_eq!(read.by_status, expected);
    // Without a campaign every OUTPUT column is a question.
    let alone = read_as("r.tsv", RESULT, &VoteOptions::default()).unwrap();
    assert_eq!(alone.votes.questions().len(), 3);
}

#[test]
fn the_smallest_result_file_joins_by_its_input_values() {
    let text = "INPUT:image\tOUTPUT:age\tASSIGNMENT:worker_id\ncat.jpg\t3\tw\n";
    assert_eq!(
        short(&read_as("r.tsv", text, &VoteOptions::default()).unwrap()),
        ["w cat.jpg age 3"]
    );
    let text = "INPUT:a\tINPUT:b\tOUTPUT:age\tASSIGNMENT:worker_id\n1\t2\t3\tw\n";
    assert_eq!(
        short(&read_as("r.tsv", text, &VoteOptions::default()).unwrap()),
        ["w 1\t2 age 3"]
    );
    let text =
        "INPUT:a\tINPUT:b\tOUTPUT:age\tASSIGNMENT:worker_id\tASSIGNMENT:task_id\n1\t2\t3\tw\tt9\n";
    assert_eq!(
        short(&read_as("r.tsv", text, &VoteOptions::default()).unwrap()),
        ["w t9 age 3"]
    );
    let p = read_as(
        "r.tsv",
        &RESULT.replace("11112233445566778899aabb", "dog"),
        &campaign(),
    )
    .unwrap_err();
    assert_eq!(
        (p.row, p.what.as_str()),
        (Some(3), "does not end in a task name")
    );
    let p = read_as(
        "r.tsv",
        "OUTPUT:mood\tINPUT:a\tASSIGNMENT:worker_id\n1\t2\tw\n",
        &campaign(),
    )
    .unwrap_err();
    assert!(p.what.contains("OUTPUT:age or OUTPUT:sex"));
}
