//! Do the rules that compare annotators find those they should, and spare the others? Measured on simulated campaigns of a
//! hundred annotators, each of whom answers eighty of 120 items: pairs have 53 items in common. Who does not look is given
//! 160 of 240.

use super::context::tests::age_and_sex;
use super::*;
use crate::simulation::{Crowd, CrowdSpec};
use crate::{Answer, Question};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const PEOPLE: u32 = 100;
const TASKS: u32 = 80;

/// Fewer campaigns in unoptimised builds, where simulating them takes most of the tests' time.
fn campaigns(full: u64) -> u64 {
    if cfg!(debug_assertions) {
        full.div_ceil(8)
    } else {
        full
    }
}

fn insensitive() -> Rule {
    serde_json::from_str(r#"{"rule": "insensitive"}"#).unwrap()
}

fn duplicate() -> Rule {
    serde_json::from_str(r#"{"rule": "duplicate"}"#).unwrap()
}

/// The k-th item of an annotator: all different, another order for everybody.
fn item_of(annotator: u32, k: u32, tasks: u32) -> u32 {
    (annotator * 101 + k * 37) % (tasks / 2 * 3)
}

/// What annotator u answers as the k-th task, and the truths.
type Answers = Vec<Vec<Answer>>;

fn answers(
    spec: &CrowdSpec,
    question: &Question,
    seed: u64,
    tasks: u32,
    truth: impl Fn(&Crowd, u64) -> Answer,
) -> (Answers, Vec<Answer>) {
    let spec = CrowdSpec {
        annotators: PEOPLE,
        ..spec.clone()
    };
    let crowd = Crowd::new(spec, vec![question.clone()], seed).unwrap();
    let truths: Vec<Answer> = (0..u64::from(tasks) / 2 * 3)
        .map(|i| truth(&crowd, i))
        .collect();
    let one = |u: u32, k: u32| {
        let item = item_of(u, k, tasks);
        let known = [Some(truths[item as usize])];
        crowd.answer(u, &known, u64::from(item), k).unwrap().0[0]
    };
    let people = (0..PEOPLE).map(|u| (0..tasks).map(|k| one(u, k)).collect());
    (people.collect(), truths)
}

fn histories(answers: &Answers) -> Vec<History> {
    let tasks = answers[0].len() as u32;
    let given = |u: u32, k: u32, answer: Answer| Given {
        task: item_of(u, k, tasks),
        question: 0,
        answer,
        seconds: None,
        sequence: k,
    };
    (0u32..)
        .zip(answers)
        .map(|(u, own)| {
            let all = (0u32..).zip(own).map(|(k, answer)| given(u, k, *answer));
            History::new(Vec::new(), all.collect()).by(u)
        })
        .collect()
}

/// Whether each of these annotators is banned, and after how many tasks.
fn judged(
    rule: &Rule,
    question: &Question,
    answers: &Answers,
    truths: &[Option<Answer>],
) -> Vec<Option<u32>> {
    let histories = histories(answers);
    let rules = std::slice::from_ref(rule);
    let context = Context::new(vec![question.clone()]);
    let peers = Peers::of(&histories, &[truths.to_vec()], rules, &context).unwrap();
    let context = context.with_peers(peers);
    let verdict = |h: &History| match decide(rules, h, &context).unwrap() {
        Verdict::Banned { sequence, .. } => Some(sequence + 1),
        _ => None,
    };
    histories.iter().map(verdict).collect()
}

/// Share of honest annotators banned over many campaigns, by either rule.
fn false_bans(
    name: &str,
    spec: &CrowdSpec,
    question: &Question,
    (controls, campaigns): (bool, u64),
    truth: impl Fn(&Crowd, u64) -> Answer + Copy,
) -> [f64; 2] {
    let mut banned = [0u32; 2];
    let n = campaigns;
    for seed in 0..n {
        let (given, truths) = answers(spec, question, seed, TASKS, truth);
        let known: Vec<_> = truths
            .iter()
            .enumerate()
            .map(|(i, t)| Some(*t).filter(|_| controls && i % 4 == 0))
            .collect();
        for (rule, count) in [insensitive(), duplicate()].iter().zip(&mut banned) {
            let bans = judged(rule, question, &given, &known);
            *count += bans.iter().flatten().count() as u32;
        }
    }
    let shares = banned.map(|b| f64::from(b) / (n * u64::from(PEOPLE)) as f64);
    eprintln!(
        "{name}: of {} honest annotators insensitive bans {:.3} %, duplicate {:.3} %",
        n * u64::from(PEOPLE),
        100.0 * shares[0],
        100.0 * shares[1]
    );
    shares
}

fn honest() -> CrowdSpec {
    CrowdSpec::default().honest_only()
}

#[test]
fn honest_annotators_are_spared_by_both_rules() {
    let [age, sex]: [Question; 2] = age_and_sex().try_into().unwrap();
    let latent = |crowd: &Crowd, i: u64| crowd.latent_truth(i, 0);
    let varied = CrowdSpec {
        best_error: 2.0 / 120.0,
        rounding: 0.7,
        ..honest()
    };
    let worse = CrowdSpec {
        typical_error: 12.0 / 120.0,
        ..honest()
    };
    // Everybody shown is 34 to 38: nothing to be sensitive to.
    let alike = |_: &Crowd, i: u64| Answer::Number(34.0 + (i % 5) as f64);
    // Items that differ less than answers to one of them do.
    let near = |_: &Crowd, i: u64| Answer::Number(25.0 + (i % 21) as f64);
    // One man among fifteen women.
    let rare = |_: &Crowd, i: u64| Answer::Choice(u32::from(i.is_multiple_of(15)));
    let weak = CrowdSpec {
        typical_accuracy: 0.8,
        ..honest()
    };
    let (many, some) = ((true, campaigns(200)), (false, campaigns(50)));
    let all = [
        false_bans("ages", &honest(), &age, many, latent),
        false_bans("ages, varied, most round", &varied, &age, some, latent),
        false_bans("ages, MAE 12", &worse, &age, some, latent),
        false_bans("all of one age", &honest(), &age, some, alike),
        false_bans("ages 25 to 45, varied", &varied, &age, some, near),
        false_bans("sexes", &honest(), &sex, many, latent),
        false_bans("one man in fifteen", &honest(), &sex, some, rare),
        false_bans("sexes, 80 % right", &weak, &sex, some, latent),
    ];
    for shares in all {
        assert!(shares.iter().all(|s| *s <= 0.01), "{shares:?}");
    }
}

/// Share of the first ten annotators caught when they answer by `answer(annotator, task, honest answers, dice)`, over
/// campaigns with default bots among the others.
fn caught(
    name: &str,
    rule: &Rule,
    question: &Question,
    answer: impl Fn(usize, usize, &Answers, &mut ChaCha8Rng) -> Answer,
) -> f64 {
    // With those below every fifth does not look, which also makes the typical annotator look worse.
    let spec = CrowdSpec::default().with_bots(0.1);
    let (mut found, mut after) = (0u32, 0u32);
    let n = campaigns(40);
    for seed in 0..n {
        let mut dice = crate::random::stream(seed, name);
        let (mut given, _) = answers(&spec, question, seed, 2 * TASKS, |c, i| {
            c.latent_truth(i, 0)
        });
        let before = given.clone();
        for (u, own) in given.iter_mut().enumerate().take(10) {
            for (k, place) in own.iter_mut().enumerate() {
                *place = answer(u, k, &before, &mut dice);
            }
        }
        let bans = judged(rule, question, &given, &[]);
        for tasks in bans[..10].iter().flatten() {
            found += 1;
            after += tasks;
        }
    }
    let share = f64::from(found) / (10 * n) as f64;
    eprintln!(
        "{}, {name}: missed {:.1} % by {} tasks, banned after {:.0} on average",
        rule.name(),
        100.0 * (1.0 - share),
        2 * TASKS,
        f64::from(after) / f64::from(found.max(1))
    );
    share
}

#[test]
fn who_answers_without_looking_and_who_copies_is_found() {
    let [age, sex]: [Question; 2] = age_and_sex().try_into().unwrap();
    let number = |v: f64| Answer::Number(v.round().clamp(0.0, 120.0));
    let constant = caught(
        "constant with jitter",
        &insensitive(),
        &age,
        |u, _, _, d| number(25.0 + u as f64 + d.random_range(-3.0..3.0)),
    );
    let random = caught("random", &insensitive(), &age, |_, _, _, d| {
        number(d.random_range(0.0..120.0))
    });
    let plausible = caught("uniform 18 to 45", &insensitive(), &age, |_, _, _, d| {
        number(d.random_range(18.0..45.0))
    });
    let guessed = caught("guessed labels", &insensitive(), &sex, |_, _, _, d| {
        Answer::Choice(d.random_range(0..2))
    });
    // Annotators 0 to 9 say what 10 to 19 say of the same item, but for a fifth; where those did not see it, their own.
    let of = |u: u32, item: u32| (0..2 * TASKS).find(|k| item_of(u, *k, 2 * TASKS) == item);
    let copied = |u: usize, k: usize, all: &Answers, d: &mut ChaCha8Rng, jitter: f64| {
        let source = of(u as u32 + 10, item_of(u as u32, k as u32, 2 * TASKS));
        match source {
            Some(at) if d.random::<f64>() >= jitter => all[u + 10][at as usize],
            _ => all[u][k],
        }
    };
    let copies = caught("copies but a fifth", &duplicate(), &age, |u, k, all, d| {
        copied(u, k, all, d, 0.2)
    });
    let labels = caught("copied labels", &duplicate(), &sex, |u, k, all, d| {
        copied(u, k, all, d, 0.0)
    });
    let stream = caught(
        "one script for all items, a tenth changed",
        &duplicate(),
        &age,
        |u, k, _, d| {
            let script = 20 + (k * k * 7 + k * 13) % 41;
            let shift = if d.random::<f64>() < 0.1 { 1 + u } else { 0 };
            number((script + shift) as f64)
        },
    );
    for share in [constant, random, plausible, guessed, copies, stream] {
        assert!(share >= 0.9, "{share}");
    }
    // Two who are right in 95 % agree without knowing of each other: 107 labels in common do not always tell.
    assert!(labels > 0.3 && labels < 1.0, "{labels}");
}

/// Experts who count exactly give equal answers, and are right.
#[test]
fn experts_who_are_equal_because_they_are_right_are_spared_where_controls_show_it() {
    let age = &age_and_sex()[0];
    let (mut given, truths) = answers(&honest(), age, 5, TASKS, |c, i| c.latent_truth(i, 0));
    for (u, own) in (0u32..).zip(given.iter_mut()).take(4) {
        for (k, answer) in (0u32..).zip(own.iter_mut()) {
            *answer = truths[item_of(u, k, TASKS) as usize];
        }
    }
    let known: Vec<_> = truths
        .iter()
        .enumerate()
        .map(|(i, t)| Some(*t).filter(|_| i % 4 == 0))
        .collect();
    let bans = judged(&duplicate(), age, &given, &known);
    assert!(bans[..4].iter().all(Option::is_none), "{bans:?}");
}
