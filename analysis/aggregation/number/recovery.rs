//! Simulated campaigns, awkward tables and values from another implementation: what the methods of this folder must get right.

use super::{NumberMethod, NumberSettings};
use crate::NumberVotes;
use crate::aggregation::Convergence;
use crate::simulated::{Crowd, Sample};

/// Mean |error| on the items without a known truth.
fn mae(method: NumberMethod, votes: &NumberVotes, known: &[Option<f64>], truth: &[f64]) -> f64 {
    let r = method
        .estimate(votes, known, &NumberSettings::default())
        .unwrap();
    let judged = r.estimates.iter().zip(known).zip(truth);
    let errors: Vec<f64> = judged
        .filter(|((_, known), _)| known.is_none())
        .filter_map(|((e, _), z)| Some((e.as_ref()?.value - z).abs()))
        .collect();
    errors.iter().sum::<f64>() / errors.len() as f64
}

/// Mean over seeds, one item in seven a control.
fn campaign(method: NumberMethod, crowd: &Crowd) -> f64 {
    let seeds = 4;
    let of_seed = |seed| {
        let sample = crowd.draw(seed);
        mae(method, &sample.votes, &sample.known(7), &sample.truth)
    };
    (0..seeds).map(of_seed).sum::<f64>() / seeds as f64
}

/// Annotators of MAE 4.5 to 9.9 years, ten votes per item.
fn years() -> Crowd {
    Crowd {
        annotators: 120,
        votes_per_item: 10,
        shared_sd: 0.0,
        bias_sd: 0.0,
        noise_sd: (5.7, 12.4),
        ..Crowd::default()
    }
}

#[test]
fn among_honest_annotators_with_independent_errors_nothing_is_lost_and_something_won() {
    let crowd = years();
    let mean = campaign(NumberMethod::Mean, &crowd);
    // The mean has 0.798·sqrt(86)/sqrt(10) = 2.34.
    assert!((mean - 2.34).abs() < 0.1, "{mean}");
    for method in [NumberMethod::Hybrid, NumberMethod::Auto] {
        let mae = campaign(method, &crowd);
        assert!(mae < 0.975 * mean, "{method} {mae} {mean}");
    }
    assert!(campaign(NumberMethod::ExpMae, &crowd) > 1.3 * mean);
}

#[test]
fn with_bots_hybrid_and_auto_are_a_tenth_better_than_the_reference() {
    let crowd = Crowd {
        bots: 0.1,
        shared_sd: 4.0,
        bias_sd: 1.0,
        ..years()
    };
    let reference = campaign(NumberMethod::ExpMae, &crowd);
    for method in [NumberMethod::Hybrid, NumberMethod::Auto] {
        let mae = campaign(method, &crowd);
        assert!(mae < 0.9 * reference, "{method} {mae} {reference}");
    }
}

/// Answers drawn to 40 by a quarter; controls are people of 20 to 40 only.
fn young_controls() -> (Sample, NumberVotes, Vec<Option<f64>>) {
    let sample = Crowd {
        bots: 0.1,
        ..years()
    }
    .draw(3);
    let (mut items, mut annotators, mut values) = (vec![], vec![], vec![]);
    for (item, who, votes) in sample.votes.items() {
        for (&u, v) in who.iter().zip(votes) {
            items.push(item as u32);
            annotators.push(u);
            values.push(v - 0.25 * (sample.truth[item] - 40.0));
        }
    }
    let votes = NumberVotes::new(sample.truth.len(), 120, &items, &annotators, &values).unwrap();
    let young = sample.truth.iter().map(|&z| (z < 40.0).then_some(z));
    let known = young.enumerate().map(|(i, z)| z.filter(|_| i % 2 == 0));
    let known = known.collect();
    (sample, votes, known)
}

#[test]
fn controls_that_cover_only_a_part_of_the_range_do_no_harm() {
    let (sample, votes, known) = young_controls();
    let simple = [
        NumberMethod::Mean,
        NumberMethod::Median,
        NumberMethod::ExpMae,
    ];
    let best = simple
        .map(|m| mae(m, &votes, &known, &sample.truth))
        .into_iter()
        .fold(f64::INFINITY, f64::min);
    for method in [
        NumberMethod::Hybrid,
        NumberMethod::Learned,
        NumberMethod::Auto,
    ] {
        let mae = mae(method, &votes, &known, &sample.truth);
        assert!(mae < 1.02 * best, "{method} {mae} {best}");
    }
    // The gate is what saves it: biases measured on the young are wrong for the old.
    let unbiased = mae(
        NumberMethod::InverseMseUnbiased,
        &votes,
        &known,
        &sample.truth,
    );
    assert!(unbiased > 1.05 * best, "{unbiased} {best}");
}

#[test]
fn controls_over_the_whole_range_undo_the_pull_to_the_middle() {
    let (sample, votes, _) = young_controls();
    let known = sample.known(5);
    let auto = mae(NumberMethod::Auto, &votes, &known, &sample.truth);
    let plain = mae(NumberMethod::LfcN, &votes, &known, &sample.truth);
    assert!(auto < 0.8 * plain, "{auto} {plain}");
}

#[test]
fn the_unit_of_the_votes_does_not_matter() {
    let sample = Crowd {
        bots: 0.1,
        items: 300,
        ..Crowd::default()
    }
    .draw(8);
    let known = sample.known(4);
    for scale in [1000.0, 0.001] {
        let scaled_known: Vec<_> = known.iter().map(|z| z.map(|z| z * scale)).collect();
        let (mut items, mut annotators, mut values) = (vec![], vec![], vec![]);
        for (item, who, votes) in sample.votes.items() {
            items.extend(who.iter().map(|_| item as u32));
            annotators.extend_from_slice(who);
            values.extend(votes.iter().map(|v| v * scale));
        }
        let n = sample.votes.n_annotators();
        let scaled = NumberVotes::new(known.len(), n, &items, &annotators, &values).unwrap();
        let own_unit = [NumberMethod::Winsorized, NumberMethod::ExpMae];
        for &method in NumberMethod::ALL.iter().filter(|m| !own_unit.contains(m)) {
            let s = NumberSettings::default();
            let a = method.estimate(&sample.votes, &known, &s).unwrap();
            let b = method.estimate(&scaled, &scaled_known, &s).unwrap();
            for (a, b) in a
                .estimates
                .iter()
                .flatten()
                .zip(b.estimates.iter().flatten())
            {
                let same = |a: f64, b: f64| (a - b / scale).abs() < 1e-6;
                assert!(same(a.value, b.value), "{method} {scale} {a:?} {b:?}");
                assert!(same(a.se.unwrap(), b.se.unwrap()), "{method} {scale}");
            }
        }
    }
}

/// Votes, truths: tables in which something is missing that methods may want to divide by.
fn awkward() -> Vec<(&'static str, NumberVotes, Vec<Option<f64>>)> {
    let table = |n_items: usize, n_annotators: usize, rows: &[(u32, u32, f64)]| {
        let items: Vec<_> = rows.iter().map(|r| r.0).collect();
        let annotators: Vec<_> = rows.iter().map(|r| r.1).collect();
        let values: Vec<_> = rows.iter().map(|r| r.2).collect();
        NumberVotes::new(n_items, n_annotators, &items, &annotators, &values).unwrap()
    };
    let some = |n: usize, known: usize| (0..n).map(|i| (i < known).then_some(i as f64)).collect();
    let alone: Vec<_> = (0..50).map(|i| (i, 0, f64::from(i) * 1.1)).collect();
    let single: Vec<_> = (0..60).map(|i| (i, i % 7, f64::from(i) + 3.0)).collect();
    let equal: Vec<_> = (0..90).map(|i| (i / 3, i % 3, 5.0)).collect();
    let strangers: Vec<_> = (0..90).map(|i| (i / 3, i, f64::from(i % 11))).collect();
    let tiny: Vec<_> = (0..90)
        .map(|i| (i / 3, i % 5, f64::from(i) * 1e-200))
        .collect();
    let huge: Vec<_> = (0..90)
        .map(|i| (i / 3, i % 5, f64::from(i) * 1e100))
        .collect();
    let exact: Vec<_> = (0..90).map(|i| (i / 3, i % 3, f64::from(i / 3))).collect();
    let mut busy: Vec<_> = (0..40_000).map(|i| (i, 0, f64::from(i % 97))).collect();
    busy.extend((0..200).map(|i| (i, 1 + i % 9, f64::from(i % 89))));
    vec![
        ("one annotator", table(50, 1, &alone), some(50, 30)),
        ("one vote per item", table(60, 7, &single), some(60, 30)),
        ("all votes equal", table(30, 3, &equal), some(30, 25)),
        ("no overlap", table(30, 90, &strangers), some(30, 25)),
        ("tiny", table(30, 5, &tiny), some(30, 25)),
        ("huge", table(30, 5, &huge), some(30, 25)),
        ("all right", table(30, 3, &exact), some(30, 30)),
        (
            "one busy annotator",
            table(40_000, 10, &busy),
            some(40_000, 100),
        ),
        ("no votes", table(3, 2, &[]), some(3, 2)),
    ]
}

#[test]
fn awkward_tables_with_few_many_and_no_controls_give_finite_estimates() {
    for (name, votes, truth) in awkward() {
        for controls in [usize::MAX, 6, 2, 1, 0] {
            let known: Vec<_> = truth
                .iter()
                .enumerate()
                .map(|(i, z)| z.filter(|_| i < controls))
                .collect();
            for &method in NumberMethod::ALL {
                let r = method.estimate(&votes, &known, &NumberSettings::default());
                let none = votes.n_votes() == 0 || controls == 0;
                let Ok(r) = r else {
                    assert!(method.needs_controls() && none, "{name} {method}");
                    continue;
                };
                for (item, e) in r.estimates.iter().enumerate() {
                    let context = || format!("{name} {method} {controls} {item} {e:?}");
                    assert_eq!(e.is_some(), !votes.item(item).1.is_empty(), "{}", context());
                    let Some(e) = e else { continue };
                    assert!(e.value.is_finite(), "{}", context());
                    assert!((1.0 - 1e-9..).contains(&e.effective_votes), "{}", context());
                    let positive = |x: f64| x > 0.0 && x.is_finite();
                    assert!(e.se.is_none_or(positive), "{}", context());
                }
            }
        }
    }
}

#[test]
fn methods_that_iterate_say_how_they_ended() {
    let sample = Crowd::default().draw(1);
    let known = sample.known(7);
    let run = |m: NumberMethod| {
        let s = NumberSettings::default();
        m.estimate(&sample.votes, &known, &s).unwrap().convergence
    };
    use NumberMethod::{Auto, Catd, Crh, Gtm, Hybrid, LfcN, StudentT};
    for method in [LfcN, Catd, Crh, Gtm, StudentT, Hybrid, Auto] {
        match run(method) {
            Convergence::Converged { passes } => assert!((2..=60).contains(&passes)),
            // EM creeps in the end, CATD goes on sharpening: what is left is little against votes that scatter by 8.
            Convergence::Stopped { passes, change } => {
                assert!(passes >= 20 && change < 0.05, "{method} {passes} {change}");
            }
            Convergence::Closed => panic!("{method}"),
        }
    }
    assert_eq!(run(NumberMethod::Huber), Convergence::Closed);
    assert_eq!(run(NumberMethod::InverseMseUnbiased), Convergence::Closed);
}

#[test]
fn what_was_chosen_is_said_in_words_and_its_shares_sum_to_one() {
    let sample = Crowd {
        bots: 0.1,
        ..Crowd::default()
    }
    .draw(2);
    let run = |method: NumberMethod, known: &[Option<f64>]| {
        let s = NumberSettings::default();
        method.estimate(&sample.votes, known, &s).unwrap().chosen
    };
    let known = sample.known(5);
    let chosen = run(NumberMethod::Auto, &known);
    let parts = chosen.iter().filter(|c| c.part != "line");
    assert!((parts.map(|c| c.share).sum::<f64>() - 1.0).abs() < 1e-9);
    let temperature = run(NumberMethod::ExpMaeAuto, &known);
    assert!(
        temperature[0].part.starts_with("exp-mae, T = 0."),
        "{temperature:?}"
    );
    assert!(run(NumberMethod::Catd, &known).is_empty());
    let without = run(NumberMethod::Auto, &vec![None; known.len()]);
    assert_eq!(
        (without[0].part.as_str(), without[0].share),
        ("student-t", 1.0)
    );
}

#[test]
fn intervals_of_all_methods_cover_88_to_92_percent_when_errors_are_shared() {
    let crowd = Crowd {
        shared_sd: 4.0,
        bots: 0.05,
        ..Crowd::default()
    };
    let samples: Vec<Sample> = (0..16).map(|seed| crowd.draw(100 + seed)).collect();
    for &method in NumberMethod::ALL {
        let (mut inside, mut all) = (0u32, 0u32);
        for sample in &samples {
            let known = sample.known(4);
            let r = method
                .estimate(&sample.votes, &known, &NumberSettings::default())
                .unwrap();
            for ((e, known), z) in r.estimates.iter().zip(&known).zip(&sample.truth) {
                let (None, Some(e)) = (known, e) else {
                    continue;
                };
                inside += u32::from((e.low.unwrap()..=e.high.unwrap()).contains(z));
                all += 1;
            }
        }
        let share = f64::from(inside) / f64::from(all);
        assert!((0.88..=0.92).contains(&share), "{method} {share}");
    }
}

/// The same formulas in plain loops of Python 3.11 without packages, from medians, `S²` the pooled variance within items, per
/// annotator `n` and `R = Σ ((v − z)/S)²` (for crh and gtm in units of each item's standard deviation), `V = Σ 1/(p + Σw)`:
/// lfc-n `(n + 1)/(R + V + 1)`, 60 rounds; catd `0.831211613/(n · max(R/n, 1e-4))`, 20; crh `−ln(L/ΣL)`, `L = R/n`, 20;
/// gtm `(22 + n)/(20 + R + V)`, p = 1 around the median, 60.
#[test]
fn values_of_another_implementation() {
    let rows: [&[(u32, f64)]; 6] = [
        &[(0, 10.0), (1, 12.0), (2, 15.0), (3, 30.0)],
        &[(0, 20.0), (1, 19.0), (2, 26.0)],
        &[(0, 31.0), (1, 33.0), (3, 12.0)],
        &[(1, 41.0), (2, 47.0), (3, 40.0)],
        &[(0, 50.0), (1, 52.0), (2, 55.0), (3, 58.0)],
        &[(0, 61.0), (2, 66.0), (3, 20.0)],
    ];
    let (mut items, mut annotators, mut values) = (vec![], vec![], vec![]);
    for (item, row) in rows.iter().enumerate() {
        for &(annotator, value) in *row {
            items.push(item as u32);
            annotators.push(annotator);
            values.push(value);
        }
    }
    let votes = NumberVotes::new(6, 4, &items, &annotators, &values).unwrap();
    let expected = [
        (
            NumberMethod::LfcN,
            [
                12.679_255, 21.364_855, 31.167_817, 43.509_909, 52.320_072, 61.249_681,
            ],
        ),
        (
            NumberMethod::Catd,
            [
                11.991_751, 19.008_904, 32.989_102, 41.003_193, 51.991_430, 61.275_088,
            ],
        ),
        (
            NumberMethod::Crh,
            [
                12.258_050, 20.415_211, 31.179_903, 42.319_146, 51.822_033, 59.607_151,
            ],
        ),
        (
            NumberMethod::Gtm,
            [
                15.504_006, 21.186_019, 27.517_069, 42.331_049, 53.463_188, 53.300_946,
            ],
        ),
    ];
    for (method, expected) in expected {
        let r = method
            .estimate(&votes, &[None; 6], &NumberSettings::default())
            .unwrap();
        for (e, z) in r.estimates.iter().zip(expected) {
            let value = e.unwrap().value;
            assert!((value - z).abs() < 2e-4, "{method} {value} {z}");
        }
    }
}
