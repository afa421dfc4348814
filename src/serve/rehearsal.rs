//! Simulated annotators at the real store, so that a demonstration has something to show.

use super::{campaign, state::now_ms, tokens};
use crate::{
    Result,
    cmd::simulate,
    config::Project,
    pool::StoredPool,
    problem,
    store::{Command, GivenAnswer, Reply, Store, StoreError, Submission},
};
use serde_json::{Map, Value};
use std::collections::HashMap;
use veche_pools::{
    Answer, Scale,
    simulation::{Arrivals, Crowd},
};

/// The simulated work is spread over so long a time before now, ms.
const PAST: i64 = 6 * 3_600_000;

/// What was done.
#[derive(Debug, Clone, Copy)]
pub struct Rehearsed {
    /// Annotators who came.
    pub annotators: usize,
    /// Suites they submitted.
    pub suites: usize,
}

/// Lets simulated annotators, some of whom do not look, do a share of the work. Their names look like any others, so whoever
/// shows the campaign must say that they are simulated.
pub async fn rehearse(
    project: &Project,
    database: &str,
    annotators: u32,
    share: f64,
) -> Result<Rehearsed> {
    let store = Store::open(database).await?;
    let done = work(project, &store, annotators, share).await;
    store.close().await;
    done
}

async fn work(project: &Project, store: &Store, annotators: u32, share: f64) -> Result<Rehearsed> {
    let row = campaign::bring_in(project, store).await?;
    let pool = StoredPool::read(&project.pool_dir(), &project.questions)?;
    let by_picture: HashMap<&str, usize> = pool
        .pictures
        .iter()
        .enumerate()
        .filter_map(|(i, p)| Some((p.as_deref()?, i)))
        .collect();
    let spec = simulate::crowd(project, annotators)?.with_bots(0.1);
    let crowd = Crowd::new(spec, project.questions.clone(), project.campaign.seed)?;
    let size = project.mix.size();
    let real = pool.len() - pool.controls().count();
    let goal = (real as f64 * f64::from(project.campaign.suite.overlap) * share
        / project.mix.real as f64) as usize;
    let mut arrivals = Arrivals::new(&crowd, size);
    let mut order = Vec::with_capacity(goal);
    while order.len() < goal
        && let Some(arrival) = arrivals.next()
    {
        order.push(arrival.annotator);
    }
    let start = now_ms() - PAST;
    let mut known: HashMap<u32, (i64, u32)> = HashMap::new();
    let mut suites = 0;
    for (n, &who) in order.iter().enumerate() {
        let now = start + PAST * n as i64 / order.len() as i64;
        let (annotator, answered) = match known.get(&who) {
            Some(&known) => known,
            None => (sign_up(store, now).await?, 0),
        };
        let command = Command::Next {
            annotator,
            pool: row.id,
            now,
        };
        let suite = match store.carry_out(command).await {
            Ok(Reply::Suite(Some(suite))) => suite,
            // Nothing left for them, or banned.
            Ok(_) | Err(StoreError::Conflict { .. }) => {
                known.insert(who, (annotator, answered));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let (mut answers, mut sequence) = (Vec::with_capacity(size), answered);
        for shown in &suite.tasks {
            let picture = shown.content["picture"].as_str().unwrap_or_default();
            let Some(&task) = by_picture.get(picture) else {
                return problem("a task of the database is not in the pool")
                    .value(picture)
                    .fail();
            };
            answers.push(answer(project, &pool, &crowd, who, task, sequence)?);
            sequence += 1;
        }
        let submission = Submission {
            assignment: suite.name,
            token: format!("rehearsal {n}"),
            answers,
        };
        store
            .carry_out(Command::Submit {
                annotator,
                submission,
                now: now + 40_000,
            })
            .await?;
        known.insert(who, (annotator, sequence));
        suites += 1;
    }
    Ok(Rehearsed {
        annotators: known.len(),
        suites,
    })
}

async fn sign_up(store: &Store, now: i64) -> Result<i64> {
    let (name, token) = (tokens::random_name::<16>()?, tokens::random_name::<32>()?);
    let command = Command::SignUp {
        name,
        token_hash: tokens::token_hash(&token),
        invitation: None,
        now,
    };
    let Reply::Id(annotator) = store.carry_out(command).await? else {
        return problem("the database did not sign an annotator up").fail();
    };
    store
        .carry_out(Command::SetStage {
            annotator,
            stage: "work".into(),
            now,
        })
        .await?;
    Ok(annotator)
}

fn answer(
    project: &Project,
    pool: &StoredPool,
    crowd: &Crowd,
    who: u32,
    task: usize,
    sequence: u32,
) -> Result<GivenAnswer> {
    let truths: Vec<Option<Answer>> = (0..project.questions.len())
        .map(|q| {
            let simulated = pool.simulated_truths.get(task);
            pool.truth(task, q)
                .or_else(|| simulated.and_then(|t| t.get(q).copied().flatten()))
        })
        .collect();
    let [a, b, c, d, e, f, g, h, ..] = pool.names[task].0;
    let item = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let (given, seconds) = crowd.answer(who, &truths, item, sequence)?;
    let mut output = Map::new();
    for (question, answer) in project.questions.iter().zip(given) {
        let value = match (answer, &question.scale) {
            (Answer::Number(value), Scale::Number(scale)) if scale.integer => {
                Value::from(value as i64)
            }
            (Answer::Number(value), _) => Value::from(value),
            (Answer::Unsure, _) => Value::Null,
            (choice, _) => Value::from(question.write(choice)),
        };
        output.insert(question.name.clone(), value);
    }
    let unsure = output.values().any(Value::is_null);
    Ok(GivenAnswer {
        output: Value::Object(output),
        seconds: Some(f64::from(seconds)),
        unsure,
        ..GivenAnswer::default()
    })
}
