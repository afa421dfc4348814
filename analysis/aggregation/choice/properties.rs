//! What holds for every choice method, cases worked by hand, and recovery of simulated truth.

use proptest::prelude::*;
use rand::seq::index::sample;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{ChoiceMethod, ChoiceResult, ChoiceSettings};
use crate::ChoiceVotes;
use crate::aggregation::{BakeoffSettings, Convergence, bakeoff};

use ChoiceMethod::{DawidSkene, DawidSkenePooled, Glad, Mace, Majority, OneCoin};

const ITERATING: [ChoiceMethod; 5] = [OneCoin, DawidSkene, DawidSkenePooled, Mace, Glad];

fn with_distributions() -> ChoiceSettings {
    ChoiceSettings {
        distributions: true,
        ..ChoiceSettings::default()
    }
}

fn passes(max_passes: usize) -> ChoiceSettings {
    ChoiceSettings {
        max_passes,
        tolerance: 0.0,
        ..with_distributions()
    }
}

/// Item 0: all say 0. Item 1: A and B say 0, C says 1. Item 2: all say 1.
fn three_by_three() -> ChoiceVotes {
    ChoiceVotes::new(
        3,
        3,
        &[0, 0, 0, 1, 1, 1, 2, 2, 2],
        &[0, 1, 2, 0, 1, 2, 0, 1, 2],
        &[0, 0, 0, 0, 0, 1, 1, 1, 1],
    )
    .unwrap()
}

fn first_of_item_1(method: ChoiceMethod, votes: &ChoiceVotes, settings: &ChoiceSettings) -> f64 {
    let truth = vec![None; votes.n_items()];
    let found = method.estimate(votes, &truth, 2, settings).unwrap();
    found.distribution(1).unwrap()[0]
}

#[test]
fn one_pass_of_dawid_skene_as_worked_by_hand() {
    // Majority: (1, 0), (2/3, 1/3), (0, 1); prior 5/9, 4/9. A and B: P(0|0) = 1, P(0|1) = (1/3)/(4/3) = 1/4.
    // C: P(1|0) = (2/3)/(5/3) = 2/5, P(1|1) = 1. Item 1: 5/9·2/5 = 2/9 against 4/9·1/16 = 1/36.
    let p = first_of_item_1(DawidSkene, &three_by_three(), &passes(1));
    assert!((p - 8.0 / 9.0).abs() < 1e-8, "{p}");
}

#[test]
fn one_pass_with_pooling_as_worked_by_hand() {
    // Items 0 and 2: A and B say 0. Item 1: A says 0, B says 1. Majority: (1, 0), (½, ½), (1, 0); prior 5/6, 1/6.
    // All: P(0|0) = 0.9, P(1|1) = ½. With one more vote: A P(0|0) = 3.4/3.5, P(0|1) = 1/1.5; B P(1|0) = 0.6/3.5,
    // P(1|1) = 1/1.5.
    let (items, annotators) = ([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1]);
    let votes = ChoiceVotes::new(3, 2, &items, &annotators, &[0, 0, 0, 1, 0, 0]).unwrap();
    let settings = ChoiceSettings {
        pooling: 1.0,
        ..passes(1)
    };
    let p = first_of_item_1(DawidSkenePooled, &votes, &settings);
    let (zero, one) = (5.0 / 6.0 * 3.4 * 0.6 / (3.5 * 3.5), 1.0 / 6.0 / (1.5 * 1.5));
    assert!((p - zero / (zero + one)).abs() < 1e-8, "{p}");
}

#[test]
fn one_pass_of_one_coin_and_of_glad_as_worked_by_hand() {
    // Accuracies: A and B (1 + 2/3 + 1)/3 = 8/9, C 7/9. Item 1: 5/9·(8/9)²·2/9 against 4/9·(1/9)²·7/9.
    let p = first_of_item_1(OneCoin, &three_by_three(), &passes(1));
    assert!((p - 640.0 / 668.0).abs() < 1e-8, "{p}");
    // Ability 1 and ease e: log odds e per vote, two votes against one.
    let p = first_of_item_1(Glad, &three_by_three(), &passes(1));
    assert!((p - 1.0 / (1.0 + (-1f64.exp()).exp())).abs() < 1e-12, "{p}");
}

/// Votes with a known truth: annotator u says `l` for `c` with probability `confusion(u)[c][l]`.
fn crowd(
    items: usize,
    annotators: usize,
    per_item: usize,
    prior: &[f64],
    seed: u64,
    confusion: impl Fn(usize, &mut ChaCha8Rng) -> Vec<Vec<f64>>,
) -> (ChoiceVotes, Vec<u32>) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let matrices: Vec<_> = (0..annotators).map(|u| confusion(u, rng)).collect();
    let draw = |rng: &mut ChaCha8Rng, shares: &[f64]| {
        let mut left: f64 = rng.random();
        let found = shares.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        found.unwrap_or(shares.len() - 1) as u32
    };
    let (mut i, mut u, mut l, mut truth) = (vec![], vec![], vec![], vec![]);
    for item in 0..items {
        let c = draw(rng, prior);
        for annotator in sample(rng, annotators, per_item) {
            i.push(item as u32);
            u.push(annotator as u32);
            l.push(draw(rng, &matrices[annotator][c as usize]));
        }
        truth.push(c);
    }
    (
        ChoiceVotes::new(items, annotators, &i, &u, &l).unwrap(),
        truth,
    )
}

fn accuracy(found: &ChoiceResult, truth: &[u32]) -> f64 {
    let right = found.estimates.iter().zip(truth);
    let right = right
        .filter(|(e, t)| e.is_some_and(|e| e.label == **t))
        .count();
    right as f64 / truth.len() as f64
}

fn estimated(method: ChoiceMethod, votes: &ChoiceVotes, n_labels: u32) -> ChoiceResult {
    let truth = vec![None; votes.n_items()];
    method
        .estimate(votes, &truth, n_labels, &with_distributions())
        .unwrap()
}

/// Everybody sees a 0 for what it is; of the 1s most annotators see a third or so, some nearly all.
fn class_bias() -> (ChoiceVotes, Vec<u32>) {
    crowd(600, 30, 12, &[0.5, 0.5], 7, |u, rng| {
        let seen = if u % 3 == 0 {
            rng.random_range(0.75..0.95)
        } else {
            rng.random_range(0.2..0.4)
        };
        vec![vec![0.95, 0.05], vec![1.0 - seen, seen]]
    })
}

#[test]
fn under_class_bias_full_confusions_recover_the_truth_and_one_coin_does_not() {
    let (votes, truth) = class_bias();
    let of = |method| accuracy(&estimated(method, &votes, 2), &truth);
    assert!(of(Majority) < 0.85, "{}", of(Majority));
    assert!(
        of(OneCoin) < of(DawidSkene) - 0.1,
        "{} {}",
        of(OneCoin),
        of(DawidSkene)
    );
    assert!(of(DawidSkene) > 0.95, "{}", of(DawidSkene));
    // Posteriors are as sure as they may be.
    let found = estimated(DawidSkene, &votes, 2);
    let sure = found
        .estimates
        .iter()
        .flatten()
        .map(|e| e.confidence)
        .sum::<f64>()
        / 600.0;
    assert!(
        (sure - of(DawidSkene)).abs() < 0.02,
        "{sure} {}",
        of(DawidSkene)
    );
}

#[test]
fn under_class_bias_passes_end_when_the_likelihood_settles_or_are_said_to_be_stopped() {
    // Here crowd-kit's objective falls from the second pass on, while posteriors still move by more than a tenth.
    let (votes, _) = class_bias();
    let found = estimated(DawidSkene, &votes, 2).convergence;
    assert!(
        matches!(found, Convergence::Stopped { passes: 2, change } if change > 0.1),
        "{found:?}"
    );
    let found = estimated(DawidSkenePooled, &votes, 2).convergence;
    assert!(
        matches!(found, Convergence::Converged { passes: 3.. }),
        "{found:?}"
    );
}

fn constant(shares: &[f64]) -> Vec<Vec<f64>> {
    vec![shares.to_vec(); shares.len()]
}

fn right(share: f64) -> Vec<Vec<f64>> {
    let other = (1.0 - share) / 2.0;
    let row = |c: usize| (0..3).map(|l| if l == c { share } else { other }).collect();
    (0..3).map(row).collect()
}

#[test]
fn all_models_see_through_annotators_who_answer_at_random() {
    let (votes, truth) = crowd(500, 20, 9, &[1.0 / 3.0; 3], 11, |u, _| match u < 9 {
        true => constant(&[1.0 / 3.0; 3]),
        false => right(0.75),
    });
    let majority = accuracy(&estimated(Majority, &votes, 3), &truth);
    for method in ITERATING {
        let found = estimated(method, &votes, 3);
        let share = accuracy(&found, &truth);
        assert!(
            share > majority + 0.03,
            "{method}: {share} against {majority}"
        );
        assert!(
            matches!(found.convergence, Convergence::Converged { .. }),
            "{method}"
        );
    }
    let known: Vec<Option<u32>> = truth.iter().map(|&t| Some(t)).collect();
    for method in [ChoiceMethod::ControlLogOdds, ChoiceMethod::ControlAccuracy] {
        let found = method
            .estimate(&votes, &known, 3, &ChoiceSettings::default())
            .unwrap();
        assert!(accuracy(&found, &truth) > majority + 0.01, "{method}");
    }
}

#[test]
fn models_with_habits_see_through_annotators_who_say_the_same_whatever_they_see() {
    let (votes, truth) = crowd(500, 20, 9, &[1.0 / 3.0; 3], 11, |u, _| match u < 9 {
        true => constant(&[0.9, 0.05, 0.05]),
        false => right(0.75),
    });
    let majority = accuracy(&estimated(Majority, &votes, 3), &truth);
    for method in [DawidSkene, DawidSkenePooled, Mace] {
        let share = accuracy(&estimated(method, &votes, 3), &truth);
        assert!(
            share > majority + 0.1,
            "{method}: {share} against {majority}"
        );
    }
}

#[test]
fn clamped_controls_are_their_truth_help_the_others_and_are_judged_by_folds() {
    let (votes, truth) = class_bias();
    let known: Vec<Option<u32>> = truth
        .iter()
        .enumerate()
        .map(|(i, &t)| (i % 3 == 0).then_some(t))
        .collect();
    let clamped = ChoiceSettings {
        clamp_controls: true,
        ..with_distributions()
    };
    for method in ITERATING {
        let found = method.estimate(&votes, &known, 2, &clamped).unwrap();
        for (item, known) in known.iter().enumerate().filter(|(_, t)| t.is_some()) {
            let e = found.estimates[item].unwrap();
            assert_eq!((Some(e.label), e.confidence), (*known, 1.0), "{method}");
        }
        assert!(method.needs_folds(&clamped) && !method.needs_folds(&with_distributions()));
        let b = BakeoffSettings::default();
        let rows = bakeoff::choices(&votes, &known, 2, &[method], &clamped, &b).unwrap();
        assert!(
            rows[0].accuracy < 1.0 && rows[0].n_items == 200,
            "{:?}",
            rows[0]
        );
    }
    let free = accuracy(&estimated(OneCoin, &votes, 2), &truth);
    let held = OneCoin.estimate(&votes, &known, 2, &clamped).unwrap();
    let unknown = |item: usize| known[item].is_none();
    let right = (0..600).filter(|&i| unknown(i) && held.estimates[i].unwrap().label == truth[i]);
    let share = right.count() as f64 / 400.0;
    assert!(share > free, "{share} against {free}");
}

#[test]
fn thin_and_degenerate_tables_give_labels_and_no_nan() {
    let table = |items: usize, annotators: usize, i: &[u32], u: &[u32], l: &[u32]| {
        ChoiceVotes::new(items, annotators, i, u, l).unwrap()
    };
    let cases = [
        ("no votes", table(2, 2, &[], &[], &[])),
        ("no items", table(0, 0, &[], &[], &[])),
        ("one vote", table(1, 1, &[0], &[0], &[2])),
        (
            "one annotator",
            table(4, 1, &[0, 1, 2, 3], &[0; 4], &[0, 1, 1, 2]),
        ),
        (
            "one vote per item",
            table(4, 4, &[0, 1, 2, 3], &[0, 1, 2, 3], &[0, 1, 1, 2]),
        ),
        (
            "all equal",
            table(3, 3, &[0, 0, 1, 1, 2], &[0, 1, 1, 2, 0], &[1; 5]),
        ),
        (
            "two islands",
            table(
                4,
                4,
                &[0, 0, 1, 1, 2, 2, 3, 3],
                &[0, 1, 0, 1, 2, 3, 2, 3],
                &[0, 0, 1, 0, 2, 2, 1, 2],
            ),
        ),
        (
            "votes twice",
            table(2, 2, &[0, 0, 0, 1], &[0, 0, 1, 1], &[0, 1, 1, 0]),
        ),
        (
            "always against",
            table(
                3,
                2,
                &[0, 0, 1, 1, 2, 2],
                &[0, 1, 0, 1, 0, 1],
                &[0, 1, 1, 0, 0, 1],
            ),
        ),
    ];
    for (name, votes) in &cases {
        for &method in ChoiceMethod::ALL {
            for (clamp, pooling) in [(false, 0.0), (true, 2.0)] {
                // Label 3 is a truth nobody said, label 4 is nobody's.
                let mut truth = vec![None; votes.n_items()];
                if let Some(first) = truth.first_mut() {
                    *first = Some(3);
                }
                let settings = ChoiceSettings {
                    clamp_controls: clamp,
                    pooling,
                    ..with_distributions()
                };
                let Ok(found) = method.estimate(votes, &truth, 5, &settings) else {
                    assert!(
                        method.needs_controls() && votes.n_votes() == 0,
                        "{name} {method}"
                    );
                    continue;
                };
                for (item, e) in found.estimates.iter().enumerate() {
                    assert_eq!(
                        e.is_some(),
                        !votes.item(item).1.is_empty(),
                        "{name} {method}"
                    );
                    let shares = found.distribution(item).unwrap();
                    let sum: f64 = shares.iter().sum();
                    let expected = f64::from(u8::from(e.is_some()));
                    assert!((sum - expected).abs() < 1e-9, "{name} {method}: {shares:?}");
                    assert!(shares.iter().all(|p| (0.0..=1.0).contains(p)));
                    assert!(!ITERATING.contains(&method) || shares[4] == 0.0);
                }
            }
        }
    }
    // Nothing can be learned from an annotator alone: its own labels, surely.
    let found = estimated(DawidSkene, &cases[3].1, 5);
    let labels: Vec<u32> = found.estimates.iter().flatten().map(|e| e.label).collect();
    assert_eq!(labels, [0, 1, 1, 2]);
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    // Enough votes for several cuts.
    let (votes, truth) = crowd(12_000, 40, 9, &[0.6, 0.4], 3, |_, rng| {
        let right: f64 = rng.random_range(0.5..0.9);
        vec![vec![right, 1.0 - right], vec![1.0 - right, right]]
    });
    assert!(super::chunks::cuts(&votes, 80).len() > 2);
    let known: Vec<Option<u32>> = truth
        .iter()
        .enumerate()
        .map(|(i, &t)| (i % 7 == 0).then_some(t))
        .collect();
    for &method in ChoiceMethod::ALL {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| method.estimate(&votes, &known, 2, &passes(5)).unwrap())
        };
        assert_eq!(on(1), on(5), "{method}");
    }
}

#[test]
fn passes_that_do_not_settle_are_said_to_be_stopped() {
    let (votes, _) = class_bias();
    for method in ITERATING {
        let found = method
            .estimate(&votes, &vec![None; 600], 2, &passes(2))
            .unwrap();
        let Convergence::Stopped { passes: 2, change } = found.convergence else {
            panic!("{method}: {:?}", found.convergence)
        };
        assert!(change > 0.0 && change <= 1.0);
    }
    for settings in [
        ChoiceSettings {
            max_passes: 0,
            ..ChoiceSettings::default()
        },
        ChoiceSettings {
            pooling: -1.0,
            ..ChoiceSettings::default()
        },
        ChoiceSettings {
            tolerance: f64::NAN,
            ..ChoiceSettings::default()
        },
    ] {
        assert!(
            DawidSkene
                .estimate(&votes, &vec![None; 600], 2, &settings)
                .is_err()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Other names for annotators and labels and another order of votes give the same shares under those names.
    #[test]
    fn names_and_order_do_not_matter(
        rows in prop::collection::vec((0u32..8, 0u32..5, 0u32..3), 1..60),
        seed in 0u64..1000,
        clamp in any::<bool>(),
    ) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let who: Vec<u32> = sample(rng, 5, 5).iter().map(|u| u as u32).collect();
        let said: Vec<u32> = sample(rng, 3, 3).iter().map(|l| l as u32).collect();
        let order: Vec<usize> = sample(rng, rows.len(), rows.len()).into_vec();
        let table = |order: &[usize], who: &[u32], said: &[u32]| {
            let column = |f: &dyn Fn((u32, u32, u32)) -> u32| order.iter().map(|&r| f(rows[r])).collect::<Vec<_>>();
            ChoiceVotes::new(8, 5, &column(&|r| r.0), &column(&|r| who[r.1 as usize]), &column(&|r| said[r.2 as usize])).unwrap()
        };
        let plain: Vec<usize> = (0..rows.len()).collect();
        let a = table(&plain, &[0, 1, 2, 3, 4], &[0, 1, 2]);
        let b = table(&order, &who, &said);
        let truth = |said: &[u32]| (0..8).map(|i| (i % 2 == 0).then(|| said[i % 3])).collect::<Vec<_>>();
        let settings = ChoiceSettings { clamp_controls: clamp, ..passes(8) };
        for &method in ChoiceMethod::ALL {
            // Wawa's majority breaks ties by the label's index, and so may depend on it.
            if method == ChoiceMethod::Wawa {
                continue;
            }
            let (x, y) = (
                method.estimate(&a, &truth(&[0, 1, 2]), 3, &settings),
                method.estimate(&b, &truth(&said), 3, &settings),
            );
            let (Ok(x), Ok(y)) = (x, y) else { continue };
            for item in 0..8 {
                let (p, q) = (x.distribution(item).unwrap(), y.distribution(item).unwrap());
                for label in 0..3 {
                    let (p, q) = (p[label], q[said[label] as usize]);
                    prop_assert!((p - q).abs() < 1e-6, "{} item {}: {} {}", method, item, p, q);
                }
            }
        }
    }
}
