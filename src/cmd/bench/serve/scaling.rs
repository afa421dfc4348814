//! Whether the next suite takes longer where more tasks wait.

use super::bare::tasks;
use crate::{
    Result, problem,
    store::{Command, GivenAnswer, PoolSettings, Reply, Store, Submission},
};
use serde::Serialize;
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use veche_pools::{ChoiceScale, NumberScale, Question, Scale};

/// Tasks per transaction while a pool is filled.
const STEP: usize = 20_000;

/// Annotators and suites of each: with [`WARM`] before that are not counted.
const ANNOTATORS: usize = 100;
const SUITES: usize = 20;
const WARM: usize = 2;

/// Times in a pool of one size.
#[derive(Debug, Serialize)]
pub(super) struct Size {
    pub(super) tasks: usize,
    pub(super) next_median_ms: f64,
    pub(super) next_p99_ms: f64,
    pub(super) submit_median_ms: f64,
    pub(super) loading_seconds: f64,
}

fn id(reply: Reply) -> Result<i64> {
    match reply {
        Reply::Id(id) => Ok(id),
        _ => problem("the database gave no number").fail(),
    }
}

/// A pool of these many tasks; returns it and the first task's id.
pub(super) async fn fill(store: &Store, n: usize) -> Result<(i64, i64)> {
    let document = json!({});
    let project = id(store
        .carry_out(Command::CreateProject {
            document: document.clone(),
            now: 0,
        })
        .await?)?;
    let questions = vec![
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
    ];
    let settings = PoolSettings {
        questions,
        real: 6,
        min_real: 1,
        control: 1,
        practice: 0,
        exam: 0,
        exam_limit: None,
        lifetime_ms: 3_600_000,
        auto_accept: true,
        rules: Vec::new(),
        reopen: true,
        target_error: None,
        min_votes: 0,
        api: None,
    };
    let command = Command::CreatePool {
        project,
        status: "OPEN".into(),
        settings,
        document,
        now: 0,
    };
    let pool = id(store.carry_out(command).await?)?;
    let mut first = None;
    for from in (0..n).step_by(STEP) {
        let tasks = Arc::new(tasks(from, STEP.min(n - from)));
        let added = id(store
            .carry_out(Command::AddTasks {
                pool,
                tasks,
                now: 0,
            })
            .await?)?;
        first.get_or_insert(added);
    }
    Ok((pool, first.unwrap_or(1)))
}

/// Suites given and submitted one after the other.
pub(super) async fn measure(url: &str, n: usize) -> Result<Size> {
    let store = Store::open(url).await?;
    let start = Instant::now();
    let (pool, _) = fill(&store, n).await?;
    let loading_seconds = start.elapsed().as_secs_f64();
    let mut annotators = Vec::new();
    for i in 0..ANNOTATORS {
        let (name, token_hash) = (format!("annotator {i}"), format!("token {i}"));
        let annotator = id(store
            .carry_out(Command::SignUp {
                name,
                token_hash,
                invitation: None,
                now: 0,
            })
            .await?)?;
        store
            .carry_out(Command::SetStage {
                annotator,
                stage: "work".into(),
                now: 0,
            })
            .await?;
        annotators.push(annotator);
    }
    let (mut nexts, mut submits) = (Vec::new(), Vec::new());
    for round in 0..SUITES + WARM {
        for &annotator in &annotators {
            let start = Instant::now();
            let reply = store
                .carry_out(Command::Next {
                    annotator,
                    pool,
                    now: 1,
                })
                .await?;
            let took = start.elapsed();
            let Reply::Suite(Some(suite)) = reply else {
                return problem("a pool of this size ran out of suites")
                    .value(n.to_string())
                    .fail();
            };
            let answer = GivenAnswer {
                output: json!({ "age": 30 + round, "sex": "female" }),
                ..GivenAnswer::default()
            };
            let submission = Submission {
                assignment: suite.name,
                token: "t".into(),
                answers: vec![answer; suite.tasks.len()],
            };
            let start = Instant::now();
            store
                .carry_out(Command::Submit {
                    annotator,
                    submission,
                    now: 2,
                })
                .await?;
            if round >= WARM {
                nexts.push(took);
                submits.push(start.elapsed());
            }
        }
    }
    store.close().await;
    nexts.sort();
    submits.sort();
    let at = |times: &[Duration], share: f64| {
        1000.0 * times[(times.len() as f64 * share) as usize].as_secs_f64()
    };
    Ok(Size {
        tasks: n,
        next_median_ms: at(&nexts, 0.5),
        next_p99_ms: at(&nexts, 0.99),
        submit_median_ms: at(&submits, 0.5),
        loading_seconds,
    })
}
