//! Laws every numeric method obeys, and recovery of simulated truth.

use proptest::prelude::*;

use super::{NumberEstimate, NumberMethod, NumberResult, NumberSettings};
use crate::scoring::Shrinkage;
use crate::simulated::Crowd;
use crate::{Error, NumberVotes};

const ITEMS: usize = 6;
const ANNOTATORS: usize = 5;

/// Votes as rows (item, annotator, value), an annotator at most once per item, and some truths.
type Rows = (Vec<(u32, u32, f64)>, Vec<Option<f64>>);

fn rows() -> impl Strategy<Value = Rows> {
    let cell = prop::option::weighted(0.6, (0u32..400).prop_map(|v| f64::from(v) / 4.0));
    let truth = prop::option::weighted(0.6, (0u32..100).prop_map(f64::from));
    (
        prop::collection::vec(cell, ITEMS * ANNOTATORS),
        prop::collection::vec(truth, ITEMS),
    )
        .prop_map(|(cells, truth)| {
            let rows = cells
                .into_iter()
                .enumerate()
                .filter_map(|(at, v)| {
                    v.map(|v| ((at / ANNOTATORS) as u32, (at % ANNOTATORS) as u32, v))
                })
                .collect();
            (rows, truth)
        })
}

fn table(rows: &[(u32, u32, f64)]) -> NumberVotes {
    let items: Vec<_> = rows.iter().map(|r| r.0).collect();
    let annotators: Vec<_> = rows.iter().map(|r| r.1).collect();
    let values: Vec<_> = rows.iter().map(|r| r.2).collect();
    NumberVotes::new(ITEMS, ANNOTATORS, &items, &annotators, &values).unwrap()
}

fn settings_to_try() -> impl Strategy<Value = NumberSettings> {
    let shrinkage = prop_oneof![
        Just(Shrinkage::None),
        Just(Shrinkage::EmpiricalBayes),
        Just(Shrinkage::Fixed(3.0))
    ];
    shrinkage.prop_map(|shrinkage| NumberSettings {
        shrinkage,
        ..NumberSettings::default()
    })
}

/// The result, or nothing where the method needs controls and there are none.
fn run(
    method: NumberMethod,
    rows: &[(u32, u32, f64)],
    truth: &[Option<f64>],
    settings: &NumberSettings,
) -> Option<NumberResult> {
    match method.estimate(&table(rows), truth, settings) {
        Ok(result) => Some(result),
        Err(Error::NoControls { .. }) => {
            assert!(method.needs_controls());
            None
        }
        Err(e) => panic!("{e}"),
    }
}

fn close(a: f64, b: f64, scale: f64) -> bool {
    (a - b).abs() <= 1e-9 * scale.max(a.abs()).max(b.abs())
}

/// Compares values after `map` and standard errors after scaling.
fn assert_same(
    a: &NumberResult,
    b: &NumberResult,
    map: impl Fn(f64) -> f64,
    scale: f64,
    tolerance: f64,
) -> Result<(), TestCaseError> {
    for (a, b) in a.estimates.iter().zip(&b.estimates) {
        prop_assert_eq!(a.is_some(), b.is_some());
        let (Some(a), Some(b)) = (a, b) else { continue };
        prop_assert!(
            (map(a.value) - b.value).abs() <= tolerance,
            "{:?} {:?}",
            a,
            b
        );
        prop_assert_eq!(a.votes, b.votes);
        prop_assert!(close(a.effective_votes, b.effective_votes, 1.0));
        prop_assert_eq!(a.se.is_some(), b.se.is_some());
        let (Some(x), Some(y)) = (a.se, b.se) else {
            continue;
        };
        prop_assert!(
            (scale * x - y).abs() <= 1e-6 * scale * (1.0 + x),
            "{} {}",
            x,
            y
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_of_votes_and_names_of_annotators_do_not_matter(
        (rows, truth) in rows(),
        settings in settings_to_try(),
        order in Just((0..ITEMS * ANNOTATORS).collect::<Vec<_>>()).prop_shuffle(),
        names in Just((0..ANNOTATORS as u32).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let shuffled: Vec<_> = order
            .iter()
            .filter_map(|&at| rows.get(at))
            .map(|&(item, annotator, value)| (item, names[annotator as usize], value))
            .collect();
        for &method in NumberMethod::ALL {
            if let Some(a) = run(method, &rows, &truth, &settings) {
                let b = run(method, &shuffled, &truth, &settings).unwrap();
                assert_same(&a, &b, |v| v, 1.0, 1e-10)?;
            }
        }
    }

    #[test]
    fn an_estimate_lies_among_its_votes_and_its_interval_around_it(
        (rows, truth) in rows(),
        settings in settings_to_try(),
    ) {
        let votes = table(&rows);
        for &method in NumberMethod::ALL {
            let Some(result) = run(method, &rows, &truth, &settings) else { continue };
            for (item, estimate) in result.estimates.iter().enumerate() {
                let values = votes.item(item).1;
                prop_assert_eq!(estimate.is_some(), !values.is_empty());
                let Some(e) = estimate else { continue };
                let low = values.iter().copied().fold(f64::INFINITY, f64::min);
                let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                prop_assert!(e.value.is_finite());
                prop_assert!(method.corrects_bias() || (low <= e.value && e.value <= high));
                prop_assert_eq!(e.votes as usize, values.len());
                prop_assert!(e.effective_votes >= 1.0 - 1e-9);
                prop_assert!(e.effective_votes <= values.len() as f64 + 1e-9);
                prop_assert_eq!(e.se.is_some(), e.low.is_some() && e.high.is_some());
                if let (Some(se), Some(low), Some(high)) = (e.se, e.low, e.high) {
                    prop_assert!(se > 0.0 && se.is_finite() && low < e.value && e.value < high);
                }
            }
        }
    }

    #[test]
    fn shifting_votes_and_truths_shifts_estimates(
        (rows, truth) in rows(),
        settings in settings_to_try(),
        shift in -1000.0..1000.0f64,
    ) {
        let moved: Vec<_> = rows.iter().map(|&(i, u, v)| (i, u, v + shift)).collect();
        let moved_truth: Vec<_> = truth.iter().map(|z| z.map(|z| z + shift)).collect();
        for &method in NumberMethod::ALL {
            // The mode asks whether votes are equal, which rounding of the shifted ones keeps.
            if let Some(a) = run(method, &rows, &truth, &settings) {
                let b = run(method, &moved, &moved_truth, &settings).unwrap();
                assert_same(&a, &b, |v| v + shift, 1.0, 1e-8)?;
            }
        }
    }

    #[test]
    fn another_unit_scales_the_estimates_of_methods_without_a_unit_of_their_own(
        (rows, truth) in rows(),
        settings in settings_to_try(),
        scale in 0.001..1000.0f64,
    ) {
        let scaled: Vec<_> = rows.iter().map(|&(i, u, v)| (i, u, v * scale)).collect();
        let scaled_truth: Vec<_> = truth.iter().map(|z| z.map(|z| z * scale)).collect();
        // A cap and a temperature are in the unit of the votes and must be scaled with them.
        let in_unit = NumberSettings {
            cap: settings.cap * scale,
            temperature: settings.temperature * scale,
            ..settings
        };
        for &method in NumberMethod::ALL {
            if let Some(a) = run(method, &rows, &truth, &settings) {
                let b = run(method, &scaled, &scaled_truth, &in_unit).unwrap();
                assert_same(&a, &b, |v| v * scale, scale, 1e-8 * scale * 100.0)?;
            }
        }
    }

    #[test]
    fn a_controls_own_truth_does_not_change_its_estimate(
        (rows, mut truth) in rows(),
        settings in settings_to_try(),
        other in 0.0..100.0f64,
    ) {
        truth[0] = Some(20.0);
        let mut changed = truth.clone();
        changed[0] = Some(other);
        for &method in NumberMethod::ALL.iter().filter(|m| m.is_closed()) {
            let Some(a) = run(method, &rows, &truth, &settings) else { continue };
            let b = run(method, &rows, &changed, &settings).unwrap();
            let (Some(a), Some(b)) = (a.estimates[0], b.estimates[0]) else { continue };
            prop_assert!((a.value - b.value).abs() < 1e-7, "{} {:?} {:?}", method, a, b);
            let same = close(a.se.unwrap_or(0.0), b.se.unwrap_or(0.0), 100.0);
            prop_assert!(same, "{} {:?} {:?}", method, a, b);
        }
    }
}

/// Share of intervals of items without a known truth that contain it, over several seeds; one item in `one_in` is a control.
fn coverage(method: NumberMethod, crowd: &Crowd, one_in: usize) -> f64 {
    let (mut inside, mut all) = (0u32, 0u32);
    for seed in 0..12 {
        let sample = crowd.draw(seed);
        let known = |i: usize| i.is_multiple_of(one_in);
        let truth = sample.known(one_in);
        let result = method
            .estimate(&sample.votes, &truth, &NumberSettings::default())
            .unwrap();
        assert!(result.includes_shared && result.calibration.is_some());
        for (i, e) in result
            .estimates
            .iter()
            .enumerate()
            .filter(|(i, _)| !known(*i))
        {
            let NumberEstimate { low, high, .. } = e.unwrap();
            inside += u32::from((low.unwrap()..=high.unwrap()).contains(&sample.truth[i]));
            all += 1;
        }
    }
    f64::from(inside) / f64::from(all)
}

#[test]
fn ninety_percent_intervals_cover_ninety_percent_with_and_without_shared_error_bias_and_bots() {
    let crowds = [
        (
            "independent",
            Crowd {
                shared_sd: 0.0,
                ..Crowd::default()
            },
        ),
        (
            "shared",
            Crowd {
                shared_sd: 4.0,
                ..Crowd::default()
            },
        ),
        (
            "biased",
            Crowd {
                common_bias: 3.0,
                ..Crowd::default()
            },
        ),
        (
            "bots",
            Crowd {
                bots: 0.15,
                ..Crowd::default()
            },
        ),
        (
            "few votes",
            Crowd {
                votes_per_item: 2,
                ..Crowd::default()
            },
        ),
    ];
    for (name, crowd) in crowds {
        for &method in NumberMethod::ALL {
            let share = coverage(method, &crowd, 6);
            assert!((0.87..0.93).contains(&share), "{name} {method} {share}");
        }
    }
}

/// Controls have 40 votes each and items six, as in a campaign with few controls.
#[test]
fn intervals_cover_items_with_far_fewer_votes_than_the_controls_they_are_calibrated_on() {
    for bots in [0.0, 0.15] {
        let crowd = Crowd {
            items: 400,
            votes_per_item: 40,
            bots,
            ..Crowd::default()
        };
        for &method in NumberMethod::ALL {
            let (mut inside, mut all) = (0u32, 0u32);
            for seed in 0..6 {
                let sample = crowd.draw(seed);
                let truth = sample.known(8);
                let mut seen = vec![0; truth.len()];
                let votes = sample.votes.filtered(|item, annotator, _| {
                    // Annotators stand in order of their index: a stride takes bots in their share.
                    let keep = truth[item].is_some() || (annotator % 7 == 0 && seen[item] < 6);
                    seen[item] += u32::from(keep);
                    keep
                });
                let r = method
                    .estimate(&votes, &truth, &NumberSettings::default())
                    .unwrap();
                for (i, e) in r.estimates.iter().enumerate() {
                    let (None, Some(e)) = (truth[i], e) else {
                        continue;
                    };
                    inside +=
                        u32::from((e.low.unwrap()..=e.high.unwrap()).contains(&sample.truth[i]));
                    all += 1;
                }
            }
            let share = f64::from(inside) / f64::from(all);
            // Calibration then rests on controls whose error is nearly all shared, so it is rougher than among equals.
            assert!((0.82..0.97).contains(&share), "{bots} {method} {share}");
        }
    }
}

#[test]
fn without_controls_intervals_cover_when_errors_are_independent_and_say_what_they_leave_out() {
    let crowd = Crowd {
        shared_sd: 0.0,
        bias_sd: 0.0,
        noise_sd: (6.0, 6.0),
        ..Crowd::default()
    };
    let sample = crowd.draw(1);
    let none = vec![None; sample.truth.len()];
    for &method in NumberMethod::ALL.iter().filter(|m| !m.needs_controls()) {
        let r = method
            .estimate(&sample.votes, &none, &NumberSettings::default())
            .unwrap();
        assert!(!r.includes_shared && r.shared_sd.is_none() && r.calibration.is_none());
        let inside = r.estimates.iter().zip(&sample.truth).filter(|(e, z)| {
            let e = e.unwrap();
            (e.low.unwrap()..=e.high.unwrap()).contains(z)
        });
        let share = inside.count() as f64 / sample.truth.len() as f64;
        assert!((0.86..0.94).contains(&share), "{method} {share}");
    }
}

#[test]
fn standard_errors_are_right_before_any_calibration() {
    // 19 controls are too few to calibrate with, and enough for a rough τ: the mean square of error/se is near 1.
    let crowd = Crowd {
        items: 19 * 30,
        ..Crowd::default()
    };
    for &method in NumberMethod::ALL {
        let (mut squares, mut n) = (0.0, 0.0);
        for seed in 0..10 {
            let sample = crowd.draw(seed);
            let known = |i: usize| i.is_multiple_of(30);
            let truth = sample.known(30);
            let r = method
                .estimate(&sample.votes, &truth, &NumberSettings::default())
                .unwrap();
            assert_eq!(r.calibration, None);
            for (i, e) in r.estimates.iter().enumerate().filter(|(i, _)| !known(*i)) {
                let e = e.unwrap();
                squares += ((e.value - sample.truth[i]) / e.se.unwrap()).powi(2);
                n += 1.0;
            }
        }
        let ratio = f64::sqrt(squares / n);
        assert!((0.8..1.25).contains(&ratio), "{method} {ratio}");
    }
}

#[test]
fn an_unknown_uncertainty_is_none_and_never_zero() {
    let s = NumberSettings::default();
    let one_each = NumberVotes::new(3, 3, &[0, 1, 2], &[0, 1, 2], &[5.0, 6.0, 7.0]).unwrap();
    let equal = NumberVotes::new(2, 2, &[0, 0, 1, 1], &[0, 1, 0, 1], &[5.0; 4]).unwrap();
    for &method in NumberMethod::ALL.iter().filter(|m| !m.needs_controls()) {
        let r = method.estimate(&one_each, &[None; 3], &s).unwrap();
        assert!(r.estimates.iter().flatten().all(|e| e.se.is_none()));
        assert_eq!(r.estimates[1].unwrap().value, 6.0);
        let r = method.estimate(&equal, &[None; 2], &s).unwrap();
        assert!(
            r.estimates
                .iter()
                .flatten()
                .all(|e| e.value == 5.0 && e.se.is_none())
        );
    }
    // One vote per item and a control: its error is all there is to go by.
    for &method in NumberMethod::ALL {
        let r = method
            .estimate(&one_each, &[Some(8.0), None, None], &s)
            .unwrap();
        assert_eq!(r.estimates[0].unwrap().se, None);
        let se = r.estimates[1].unwrap().se.unwrap();
        assert!((se - 3.0).abs() < 1e-9, "{method} {se}");
        // All agree and a control contradicts: τ = 1.
        let r = method.estimate(&equal, &[Some(4.0), None], &s).unwrap();
        assert!((r.estimates[1].unwrap().se.unwrap() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn results_are_the_same_on_one_thread_and_on_many() {
    let sample = Crowd {
        items: 10_000,
        votes_per_item: 3,
        ..Crowd::default()
    }
    .draw(2);
    let truth = sample.known(7);
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let many = rayon::ThreadPoolBuilder::new()
        .num_threads(5)
        .build()
        .unwrap();
    for &method in NumberMethod::ALL {
        let run = || method.estimate(&sample.votes, &truth, &NumberSettings::default());
        assert_eq!(one.install(run), many.install(run));
    }
}

#[test]
fn methods_that_weigh_by_controls_refuse_to_work_without() {
    let votes = NumberVotes::new(2, 1, &[0], &[0], &[5.0]).unwrap();
    for &method in NumberMethod::ALL {
        // The only known truth is of an item without votes.
        let r = method.estimate(&votes, &[None, Some(3.0)], &NumberSettings::default());
        assert_eq!(r.is_err(), method.needs_controls());
        assert_eq!(NumberMethod::from_name(method.name()), Ok(method));
    }
    let e = NumberMethod::from_name("average").unwrap_err().to_string();
    assert!(e.contains("mean, median"), "{e}");
    let bad = NumberSettings {
        temperature: 0.0,
        ..NumberSettings::default()
    };
    assert!(
        NumberMethod::Mean
            .estimate(&votes, &[None, None], &bad)
            .is_err()
    );
}
