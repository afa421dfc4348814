use super::*;
use crate::files::{FileAnswer, Table, VoteOptions, read_votes, votes::text_of};
use proptest::prelude::*;
use std::fs;
use veche_pools::ChoiceScale;

fn questions() -> Vec<Question> {
    let question = |name: &str, scale| Question {
        name: name.into(),
        prompt: String::new(),
        scale,
    };
    let number = NumberScale {
        min: 0.0,
        max: 120.0,
        unit: "years".into(),
        integer: true,
    };
    let choice = ChoiceScale {
        labels: vec!["жен, \"ж\"".into(), "м\tуж\n😀".into()],
    };
    vec![
        question("age", Scale::Number(number)),
        question("sex", Scale::Choice(choice)),
    ]
}

fn control(age: f64) -> TolokaTask {
    TolokaTask {
        inputs: vec![("image".into(), "https://h/1.jpg".into())],
        truth: Some(vec![Some(Answer::Number(age)), Some(Answer::Choice(0))]),
        hint: None,
    }
}

fn real() -> TolokaTask {
    TolokaTask {
        truth: None,
        ..control(0.0)
    }
}

fn written(write: impl FnOnce(&Path) -> Result<()>) -> Result<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    write(&path)?;
    Ok(fs::read_to_string(path).unwrap())
}

fn json_of(write: impl FnOnce(&Path) -> Result<()>) -> Value {
    serde_json::from_str(&written(write).unwrap()).unwrap()
}

#[test]
fn tasks_are_uploaded_with_golden_columns_only_where_there_are_controls() {
    let age = &questions()[..1];
    let real_only = written(|p| write_upload_tsv(p, &[real()], age)).unwrap();
    assert_eq!(real_only, "INPUT:image\nhttps://h/1.jpg\n");
    let training = TolokaTask {
        hint: Some("look\tcloser".into()),
        ..control(30.0)
    };
    let both = written(|p| write_upload_tsv(p, &[real(), training], age)).unwrap();
    assert_eq!(
        both,
        "INPUT:image\tGOLDEN:age\tHINT:text\nhttps://h/1.jpg\t\t\nhttps://h/1.jpg\t30\t\"look\tcloser\"\n"
    );
    assert!(written(|p| write_upload_tsv(p, &[], age)).is_err());
    let unknown = TolokaTask {
        truth: Some(vec![None]),
        ..real()
    };
    let p = written(|p| write_upload_tsv(p, &[unknown], age)).unwrap_err();
    assert!(p.what.contains("taken for a real task"));
}

#[test]
fn json_tasks_say_how_many_votes_a_real_task_needs_and_that_controls_never_end() {
    let options = TaskOptions {
        pool_id: Some("7".into()),
        overlap: 10,
        golden: NativeGolden::Exact,
    };
    let list = json_of(|p| write_tasks_json(p, &[real(), control(30.0)], &questions(), &options));
    let input = json!({ "image": "https://h/1.jpg" });
    assert_eq!(
        list[0],
        json!({ "input_values": input, "overlap": 10, "pool_id": "7" })
    );
    let known =
        json!([{ "output_values": { "age": 30, "sex": "жен, \"ж\"" }, "correctness_weight": 1.0 }]);
    assert_eq!(
        list[1],
        json!({ "input_values": input, "infinite_overlap": true, "known_solutions": known, "pool_id": "7" })
    );
}

/// With T = 20 an answer that is off by e earns 1 − min(|e|, 20)/20, so a rate below 60 % is a clipped mean error above 8.
#[test]
fn triangular_controls_earn_one_minus_the_clipped_error() {
    let weights = |truth: f64, golden| -> Vec<(i64, f64)> {
        let options = TaskOptions {
            golden,
            ..TaskOptions::default()
        };
        let list = json_of(|p| write_tasks_json(p, &[control(truth)], &questions()[..1], &options));
        let all = list[0]["known_solutions"].as_array().unwrap().iter();
        all.map(|s| {
            (
                s["output_values"]["age"].as_i64().unwrap(),
                s["correctness_weight"].as_f64().unwrap(),
            )
        })
        .collect()
    };
    let found = weights(30.0, NativeGolden::Triangular(20.0));
    assert_eq!((found.len(), found[0].0, found[38].0), (39, 11, 49));
    for (value, weight) in &found {
        let error = (*value as f64 - 30.0).abs();
        assert!((weight - (1.0 - error / 20.0)).abs() < 1e-12);
    }
    let errors = [0.0f64, 3.0, 25.0, 8.0];
    let earned = |e: f64| {
        found
            .iter()
            .find(|(v, _)| *v as f64 == 30.0 + e)
            .map_or(0.0, |(_, w)| *w)
    };
    let rate = 100.0 * errors.iter().map(|&e| earned(e)).sum::<f64>() / 4.0;
    let clipped = errors.iter().map(|e| e.min(20.0)).sum::<f64>() / 4.0;
    assert!((rate - 100.0 * (1.0 - clipped / 20.0)).abs() < 1e-9);
    assert_eq!(
        weights(2.0, NativeGolden::Tolerance(3.0)).len(),
        6,
        "0 to 5: the scale ends at 0"
    );
    assert_eq!(
        weights(119.5, NativeGolden::Tolerance(1.0)),
        [(119, 1.0), (120, 1.0)]
    );
}

#[test]
fn a_tolerance_multiplies_over_questions_and_is_refused_where_it_has_no_meaning() {
    let options = |golden| TaskOptions {
        golden,
        ..TaskOptions::default()
    };
    let list = json_of(|p| {
        write_tasks_json(
            p,
            &[control(30.0)],
            &questions(),
            &options(NativeGolden::Tolerance(2.0)),
        )
    });
    let known = list[0]["known_solutions"].as_array().unwrap();
    assert!(
        known.len() == 5
            && known
                .iter()
                .all(|s| s["output_values"]["sex"] == "жен, \"ж\"")
    );
    let mut questions = questions();
    let huge = options(NativeGolden::Tolerance(f64::INFINITY));
    assert!(written(|p| write_tasks_json(p, &[control(3.0)], &questions, &huge)).is_err());
    if let Scale::Number(scale) = &mut questions[0].scale {
        scale.integer = false;
    }
    let p = written(|p| {
        write_tasks_json(
            p,
            &[control(30.0)],
            &questions,
            &options(NativeGolden::Triangular(9.0)),
        )
    });
    assert!(p.unwrap_err().what.contains("cannot be given a tolerance"));
}

#[test]
fn suites_carry_their_controls_and_bans_their_scope() {
    let options = TaskOptions {
        overlap: 3,
        ..TaskOptions::default()
    };
    let tasks = [real(), control(30.0)];
    let suites = [vec![0, 1], vec![1, 0]];
    let list = json_of(|p| write_suites_json(p, &tasks, &suites, &questions(), &options));
    assert_eq!(list[0]["overlap"], 3);
    assert!(list[0]["tasks"][0].get("known_solutions").is_none());
    assert!(list[1]["tasks"][0].get("known_solutions").is_some());
    assert!(list[1]["tasks"][0].get("overlap").is_none());
    assert!(written(|p| write_suites_json(p, &tasks, &[vec![2]], &questions(), &options)).is_err());
    let ban = |scope| Restriction {
        user_id: "u".into(),
        private_comment: "x".repeat(600),
        scope,
    };
    let bans = [
        ban(Scope::AllProjects),
        ban(Scope::Project("5".into())),
        ban(Scope::Pool("6".into())),
    ];
    let list = json_of(|p| write_restrictions_json(p, &bans));
    assert_eq!(list[0]["private_comment"].as_str().unwrap().len(), 499);
    assert_eq!(
        (
            &list[0]["scope"],
            &list[1]["project_id"],
            &list[2]["pool_id"]
        ),
        (&json!("ALL_PROJECTS"), &json!("5"), &json!("6"))
    );
    assert_eq!(json_of(|p| write_restrictions_json(p, &[])), json!([]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_pool_comes_back_from_upload_and_results_with_nothing_lost(
        texts in prop::collection::vec("[a\"',;\t\n\rя😀=]{0,5}", 1..6),
        answers in prop::collection::vec((0u32..6, 0u8..121, 0u8..4), 1..15),
    ) {
        let questions = questions();
        let tasks: Vec<TolokaTask> = texts.iter().enumerate().map(|(i, text)| TolokaTask {
            inputs: vec![("name".into(), format!("{i}{text}.")), ("note".into(), text.clone())],
            truth: (i % 3 == 1).then(|| vec![Some(Answer::Number(i as f64)), None]),
            hint: None,
        }).collect();
        let dir = tempfile::tempdir().unwrap();
        let upload = dir.path().join("pool.tsv");
        write_upload_tsv(&upload, &tasks, &questions).unwrap();
        let table = Table::read(&upload).unwrap();
        prop_assert_eq!(table.len(), tasks.len());
        for (row, task) in table.rows().zip(&tasks) {
            prop_assert_eq!((row.get(0), row.get(1)), (&*task.inputs[0].1, &*task.inputs[1].1));
            let golden = table.find("GOLDEN:age").map_or("", |c| row.get(c));
            prop_assert_eq!(golden.is_empty(), task.truth.is_none());
        }
        let assignments = answers.iter().enumerate().map(|(i, &(task, age, sex))| ResultAssignment {
            assignment_id: format!("as{i}"),
            suite_id: format!("s{i}"),
            worker_id: format!("w{i}\"\t"),
            status: ["APPROVED", "SUBMITTED"][i % 2].into(),
            started: 1_795_420_800,
            submitted: Some(1_795_420_800 + i as i64),
            tasks: vec![(task % tasks.len() as u32, format!("t{task}"), vec![
                Some(Answer::Number(f64::from(age))),
                match sex { 0 => None, 1 => Some(Answer::Unsure), s => Some(Answer::Choice(u32::from(s) - 2)) },
            ])],
        });
        let results = dir.path().join("results.tsv");
        write_results(&results, &tasks, &questions, assignments, Some("simulated")).unwrap();
        let mut options = VoteOptions { questions: questions.clone(), ..VoteOptions::default() };
        options.mapping.item = Some("name".into());
        let votes = read_votes(&results, &options).unwrap().votes;
        prop_assert_eq!(votes.len(), answers.len() * 2);
        for (i, &(task, age, sex)) in answers.iter().enumerate() {
            let (one, two) = (votes.vote(2 * i), votes.vote(2 * i + 1));
            let worker = format!("w{i}\"");
            prop_assert_eq!((one.annotator, one.item), (&*worker, &*tasks[task as usize % tasks.len()].inputs[0].1));
            prop_assert_eq!(one.answer, FileAnswer::Number(f64::from(age)));
            let sex = if sex < 2 { "?".into() } else { questions[1].write(Answer::Choice(u32::from(sex) - 2)) };
            prop_assert_eq!(text_of(two.answer), sex);
            prop_assert_eq!((two.submitted, two.seconds), (Some(1_795_420_800 + i as i64), Some(i as f32)));
            prop_assert_eq!(two.source, Some("simulated"));
        }
        let shown: Vec<u32> = answers.iter().map(|a| a.0 % tasks.len() as u32).collect();
        for (item, _, truth) in votes.truths() {
            let task = tasks.iter().position(|t| t.inputs[0].1 == votes.items().get(item)).unwrap();
            prop_assert_eq!(truth, FileAnswer::Number(task as f64));
        }
        let known = (0..tasks.len()).filter(|t| t % 3 == 1 && shown.contains(&(*t as u32))).count();
        prop_assert_eq!(votes.truths().count(), known);
    }
}

#[test]
fn suites_in_a_result_file_stand_apart_by_an_empty_line() {
    let assignment = |id: &str| ResultAssignment {
        assignment_id: id.into(),
        worker_id: "w".into(),
        status: "APPROVED".into(),
        tasks: vec![(0, "t".into(), vec![Some(Answer::Number(3.0))])],
        ..ResultAssignment::default()
    };
    let text = written(|p| {
        write_results(
            p,
            &[real()],
            &questions()[..1],
            [assignment("a"), assignment("b")],
            None,
        )
    })
    .unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[2]), (4, ""));
    assert!(
        lines[0].starts_with("INPUT:image\tOUTPUT:age\tGOLDEN:age\tHINT:text\tASSIGNMENT:link\t")
    );
    assert!(lines[1].starts_with("https://h/1.jpg\t3\t\t\thttps://toloka.dev/task/a\ta\tt\t"));
}
