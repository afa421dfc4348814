//! What the crowd must be like, measured.

use super::*;
use proptest::prelude::*;

fn years() -> Question {
    number(0.0, 120.0, true)
}

fn number(min: f64, max: f64, integer: bool) -> Question {
    Question {
        name: "age".into(),
        prompt: "How old?".into(),
        scale: Scale::Number(NumberScale {
            min,
            max,
            unit: "years".into(),
            integer,
        }),
    }
}

fn sex(labels: &[&str]) -> Question {
    Question {
        name: "sex".into(),
        prompt: "Which?".into(),
        scale: Scale::Choice(ChoiceScale {
            labels: labels.iter().map(|l| (*l).to_string()).collect(),
        }),
    }
}

/// Signed error of every annotator on every one of `items` latent truths of the first question.
fn errors(crowd: &Crowd, items: u64) -> Vec<Vec<f64>> {
    (0..crowd.annotators().len() as u32)
        .map(|annotator| {
            (0..items)
                .map(|item| {
                    let truth = crowd.latent_truth(item, 0);
                    let given = crowd.answer(annotator, &[Some(truth)], item, item as u32);
                    given.unwrap().0[0].number().unwrap() - truth.number().unwrap()
                })
                .collect()
        })
        .collect()
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn mae(errors: &[f64]) -> f64 {
    mean(errors.iter().map(|e| e.abs()))
}

#[test]
fn the_default_crowd_errs_like_the_annotators_of_mivolo() {
    let seeds = if cfg!(debug_assertions) { 5 } else { 20 };
    let (mut means, mut bests, mut medians) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..seeds {
        let crowd = Crowd::new(CrowdSpec::default(), vec![years()], seed).unwrap();
        let mut maes: Vec<f64> = errors(&crowd, 400)
            .iter()
            .zip(crowd.annotators())
            .filter(|(_, a)| a.kind.honest())
            .map(|(e, _)| mae(e))
            .collect();
        maes.sort_by(f64::total_cmp);
        means.push(mean(maes.iter().copied()));
        medians.push(maes[maes.len() / 2]);
        bests.push(maes[0]);
    }
    let (mean_mae, best, median) = (mean(means), mean(bests), mean(medians));
    eprintln!("honest MAE: mean {mean_mae:.3}, median {median:.3}, best of 200 {best:.3} years");
    assert!((mean_mae - 7.22).abs() < 0.15, "{mean_mae}");
    assert!((best - 4.5).abs() < 0.4, "{best}");
    assert!((median - mean_mae).abs() < 0.3, "{median}");
}

#[test]
fn the_error_that_all_share_on_an_item_is_the_one_asked_for() {
    let measured = |shared_error: f64| {
        let spec = CrowdSpec {
            shared_error,
            regression: 0.0,
            bias: 0.0,
            truth_low: 0.3,
            ..CrowdSpec::default().only(Kind::Careful, 40)
        };
        let crowd = Crowd::new(spec, vec![number(0.0, 120.0, false)], 3).unwrap();
        let errors = errors(&crowd, 400);
        // Variance of the items' mean error, less what independent noise leaves in a mean of 40.
        let columns = (0..400).map(|i| mean(errors.iter().map(|e| e[i])));
        let across = mean(columns.map(|m| m * m));
        let within = mean(errors.iter().flatten().map(|e| e * e));
        (across - (within - across) / 39.0).max(0.0).sqrt()
    };
    assert!(
        (measured(4.0 / 120.0) - 4.0).abs() < 0.45,
        "{}",
        measured(4.0 / 120.0)
    );
    assert!(measured(0.0) < 0.5, "{}", measured(0.0));
}

#[test]
fn children_are_overestimated_and_old_people_underestimated() {
    let crowd = Crowd::new(CrowdSpec::default().honest_only(), vec![years()], 1).unwrap();
    let bias = |truth: f64| {
        mean(
            (0..60u32)
                .flat_map(|a| (0..60u64).map(move |i| (a, i)))
                .map(|(a, i)| {
                    let given = crowd.answer(a, &[Some(Answer::Number(truth))], i, 0);
                    given.unwrap().0[0].number().unwrap() - truth
                }),
        )
    };
    let (child, old) = (bias(6.0), bias(76.0));
    assert!(child > 1.5 && old < -1.5, "{child} {old}");
}

#[test]
fn each_kind_behaves_as_named() {
    let questions = || vec![years(), sex(&["female", "male"])];
    let of = |kind| Crowd::new(CrowdSpec::default().only(kind, 30), questions(), 9).unwrap();
    let all = |crowd: &Crowd, items: std::ops::Range<u64>| -> Vec<(Vec<Answer>, f32)> {
        (0..30)
            .flat_map(|a| items.clone().map(move |i| (a, i)))
            .map(|(a, i)| crowd.answer(a, &[], i, i as u32).unwrap())
            .collect()
    };
    let seconds = |kind| {
        let mut s: Vec<f32> = all(&of(kind), 0..50).iter().map(|a| a.1).collect();
        s.sort_by(f32::total_cmp);
        s[s.len() / 2]
    };
    assert!(seconds(Kind::Hurried) < 0.6 * seconds(Kind::Careful));
    assert!(seconds(Kind::Constant) < 2.0);
    // Constant: thirty annotators, two answers each, however many items.
    for chunk in all(&of(Kind::Constant), 0..50).chunks(50) {
        assert!(chunk.iter().all(|a| a.0 == chunk[0].0));
    }
    let randoms = all(&of(Kind::Random), 0..200);
    let spread = mean(randoms.iter().map(|a| a.0[0].number().unwrap()));
    assert!((spread - 60.0).abs() < 2.5, "{spread}");
    // Drifting: later tasks are worse.
    let crowd = of(Kind::Drifting);
    let err = |sequence: u32| {
        mean(
            (0..30u32)
                .flat_map(|a| (0..100u64).map(move |i| (a, i)))
                .map(|(a, i)| {
                    let truth = Answer::Number(40.0);
                    let given = crowd.answer(a, &[Some(truth)], i, sequence).unwrap();
                    (given.0[0].number().unwrap() - 40.0).abs()
                }),
        )
    };
    assert!(err(3000) > 1.4 * err(0), "{} {}", err(0), err(3000));
    // Biased by own age: the error's slope over the annotators' ages is the pull.
    let crowd = of(Kind::OwnAgeBiased);
    let (mut young, mut old) = (Vec::new(), Vec::new());
    for (index, who) in (0u32..).zip(crowd.annotators()) {
        let given = (0..200).map(|i| {
            let given = crowd.answer(index, &[Some(Answer::Number(40.0))], i, 0);
            given.unwrap().0[0].number().unwrap()
        });
        if who.age < 26 {
            young.push(mean(given));
        } else if who.age > 40 {
            old.push(mean(given));
        }
    }
    assert!(mean(old) > mean(young) + 1.0);
}

#[test]
fn choices_are_right_as_often_as_asked_and_some_items_fool_most() {
    let spec = CrowdSpec::default().honest_only();
    let crowd = Crowd::new(spec, vec![sex(&["a", "b", "c"])], 4).unwrap();
    let right = |item: u64| {
        mean((0..200u32).map(|a| {
            let truth = crowd.latent_truth(item, 0);
            f64::from(u8::from(
                crowd.answer(a, &[], item, 50).unwrap().0[0] == truth,
            ))
        }))
    };
    let shares: Vec<f64> = (0..400).map(right).collect();
    let overall = mean(shares.iter().copied());
    assert!((overall - 0.95).abs() < 0.015, "{overall}");
    let hardest = shares.iter().copied().fold(1.0, f64::min);
    assert!(hardest < 0.6, "{hardest}");
}

#[test]
fn the_same_model_holds_on_other_scales() {
    // 100 to 250 cm: the same shares of the width.
    let crowd = Crowd::new(
        CrowdSpec::default().honest_only(),
        vec![number(100.0, 250.0, false)],
        2,
    )
    .unwrap();
    let measured = mean(errors(&crowd, 200).iter().map(|e| mae(e)));
    assert!(
        (measured / 150.0 - 7.22 / 120.0).abs() < 0.3 / 120.0,
        "{measured}"
    );
}

#[test]
fn round_numbers_are_those_people_use() {
    assert_eq!(round_step(120.0), 5.0);
    assert_eq!(round_step(1.0), 0.05);
    assert_eq!(round_step(70.0), 2.0);
    assert_eq!(round_step(1_000_000.0), 50_000.0);
    assert_eq!(to_multiple(0.16, 0.05).to_string(), "0.15");
}

#[test]
fn shares_of_kinds_are_exact() {
    let kinds = kinds(&CrowdSpec::default());
    let count = |k| kinds.iter().filter(|x| **x == k).count();
    assert_eq!(
        (count(Kind::Careful), count(Kind::Random), kinds.len()),
        (124, 6, 200)
    );
}

#[test]
fn an_annotator_who_does_not_exist_is_an_error() {
    let crowd = Crowd::new(CrowdSpec::default(), vec![years()], 2).unwrap();
    assert!(crowd.answer(200, &[], 0, 0).is_err());
}

#[test]
fn belief_about_the_own_error_is_weakly_right() {
    let spec = CrowdSpec {
        annotators: 3000,
        ..CrowdSpec::default().honest_only()
    };
    let crowd = Crowd::new(spec, Vec::new(), 8).unwrap();
    let pairs: Vec<(f64, f64)> = crowd
        .annotators()
        .iter()
        .map(|a| (a.error, a.believed_error.ln()))
        .collect();
    let (mx, my) = (
        mean(pairs.iter().map(|p| p.0)),
        mean(pairs.iter().map(|p| p.1)),
    );
    let cov = mean(pairs.iter().map(|p| (p.0 - mx) * (p.1 - my)));
    let (vx, vy) = (
        mean(pairs.iter().map(|p| (p.0 - mx).powi(2))),
        mean(pairs.iter().map(|p| (p.1 - my).powi(2))),
    );
    let r = cov / (vx * vy).sqrt();
    assert!((0.15..0.4).contains(&r), "{r}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn answers_lie_on_their_scale_and_do_not_depend_on_the_order_of_calls(
        seed in any::<u64>(), min in -1e6..1e6f64, width in 1.0..1e6f64, integer in any::<bool>(), item in any::<u64>(),
    ) {
        let spec = CrowdSpec { annotators: 12, unsure: 0.1, ..CrowdSpec::default().with_bots(0.5) };
        let questions = vec![number(min, min + width, integer), sex(&["x", "y"])];
        let crowd = Crowd::new(spec, questions.clone(), seed).unwrap();
        let forth: Vec<_> = (0..12).map(|a| crowd.answer(a, &[], item, 7).unwrap()).collect();
        let mut back: Vec<_> = (0..12).rev().map(|a| crowd.answer(a, &[], item, 7).unwrap()).collect();
        back.reverse();
        prop_assert_eq!(&forth, &back);
        for (answers, seconds) in forth {
            prop_assert!(seconds > 0.0);
            for (answer, question) in answers.into_iter().zip(&questions) {
                match (answer, &question.scale) {
                    (Answer::Number(v), Scale::Number(s)) => prop_assert_eq!(s.reject(v), None),
                    (Answer::Choice(c), Scale::Choice(_)) => prop_assert!(c < 2),
                    (Answer::Unsure, _) => {}
                    _ => prop_assert!(false, "an answer of the wrong sort"),
                }
            }
        }
    }
}
