//! Mean |error|, bias and spread by the true answer.

use serde::Serialize;

use super::{CurveSettings, ItemError, Mean, Ranges, means};
use crate::Error;
use crate::error::check_truths;
use crate::smoothing::{BandSettings, Degree, Kernel, Smoother, band};

/// One side at one place of the true answer, in the unit of the question. Every item counts once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Index of the range; `None` on a smoothed curve.
    pub range: Option<usize>,
    /// Mean truth of the range's items, or the place of a smoothed curve.
    pub at: f64,
    /// Items in the range; on a smoothed curve how many items speak here ([`Kernel::support`]).
    pub items: f64,
    /// Answers in the range; `None` on a smoothed curve.
    pub answers: Option<u64>,
    /// Mean |error| with its bootstrap interval over items.
    pub mae: Mean,
    /// Standard deviation of |error| over answers; `None` with one answer.
    pub mae_sd: Option<f64>,
    /// Mean error: positive when answers are too high.
    pub bias: Mean,
    /// Standard deviation of the errors around the bias; `None` with one answer.
    pub spread: Option<f64>,
    /// Whether there are too few items to look at.
    pub thin: bool,
}

/// One point per range that has items, in ascending order. `truth` and `errors` have an entry per item. Errors if their lengths
/// differ or a setting is out of range.
pub fn by_range(
    truth: &[Option<f64>],
    errors: &[Option<ItemError>],
    ranges: &Ranges,
    settings: &CurveSettings,
) -> Result<Vec<CurvePoint>, Error> {
    settings.check()?;
    check_truths(truth.len(), errors.len())?;
    let mut by_range: Vec<Vec<(f64, ItemError)>> = vec![Vec::new(); ranges.len()];
    for (truth, error) in pairs(truth, errors) {
        if let Some(range) = ranges.index(truth) {
            by_range[range].push((truth, error));
        }
    }
    let full = by_range
        .into_iter()
        .enumerate()
        .filter(|(_, rows)| !rows.is_empty());
    Ok(full
        .map(|(range, rows)| point(range, &rows, settings))
        .collect())
}

fn pairs<'a>(
    truth: &'a [Option<f64>],
    errors: &'a [Option<ItemError>],
) -> impl Iterator<Item = (f64, ItemError)> + 'a {
    truth
        .iter()
        .zip(errors)
        .filter_map(|(t, e)| Some(((*t)?, (*e)?)))
}

fn point(range: usize, rows: &[(f64, ItemError)], settings: &CurveSettings) -> CurvePoint {
    let answers: u64 = rows.iter().map(|(_, e)| u64::from(e.answers)).sum();
    let items = rows.len();
    let columns = rows
        .iter()
        .map(|(t, e)| [*t, e.absolute, e.error, e.square])
        .collect();
    let [at, mae, bias, square] = means(columns, settings);
    CurvePoint {
        range: Some(range),
        at: at.value,
        items: items as f64,
        answers: Some(answers),
        mae,
        mae_sd: sd(square.value, mae.value, answers as f64),
        bias,
        spread: sd(square.value, bias.value, answers as f64),
        thin: items < settings.thin,
    }
}

/// Standard deviation from the mean square and the mean of `n` numbers; `None` for one.
fn sd(square: f64, mean: f64, n: f64) -> Option<f64> {
    (n > 1.0).then(|| ((square - mean * mean).max(0.0) * n / (n - 1.0)).sqrt())
}

/// The same smoothed by local lines with a normal kernel of one bandwidth ([`crate::smoothing::silverman`] of all truths is a good
/// start), at these places. Bands are pointwise bootstrap bands over items; standard deviations are those of the answers that
/// the kernel weighs. Places that no item is near are left out.
pub fn smoothed(
    truth: &[Option<f64>],
    errors: &[Option<ItemError>],
    at: &[f64],
    bandwidth: f64,
    settings: &CurveSettings,
) -> Result<Vec<CurvePoint>, Error> {
    settings.check()?;
    check_truths(truth.len(), errors.len())?;
    let rows: Vec<(f64, ItemError)> = pairs(truth, errors).collect();
    let x: Vec<f64> = rows.iter().map(|r| r.0).collect();
    let items: Vec<u32> = (0..errors.len() as u32)
        .filter(|&i| truth[i as usize].is_some() && errors[i as usize].is_some())
        .collect();
    let column = |f: fn(&ItemError) -> f64| -> Vec<f64> { rows.iter().map(|r| f(&r.1)).collect() };
    let line = Kernel {
        bandwidth,
        degree: Degree::Line,
    };
    let bands = BandSettings {
        level: settings.level,
        resamples: settings.resamples,
        seed: settings.seed,
        thin: settings.thin as f64,
    };
    let curve = |y: &[f64]| band(Smoother::Kernel(line), &x, y, &items, at, &bands);
    let (absolute, error) = (column(|e| e.absolute), column(|e| e.error));
    let (mae, bias) = (curve(&absolute)?, curve(&error)?);
    // Means and mean squares of the same weights, whose difference is never negative.
    let places: Vec<f64> = mae.iter().map(|p| p.at).collect();
    let constant = Kernel {
        degree: Degree::Constant,
        ..line
    };
    let local = |y: &[f64]| constant.curve(&x, y, &places);
    let (absolute, error, square) = (
        local(&absolute)?,
        local(&error)?,
        local(&column(|e| e.square))?,
    );
    let spread = |square: Option<f64>, mean: Option<f64>| {
        let (square, mean) = (square?, mean?);
        Some((square - mean * mean).max(0.0).sqrt())
    };
    Ok(mae
        .iter()
        .zip(&bias)
        .enumerate()
        .map(|(i, (mae, bias))| CurvePoint {
            range: None,
            at: mae.at,
            items: mae.support,
            answers: None,
            mae: Mean {
                // A line through falling errors may dip below zero at a thin end; an error cannot.
                value: mae.value.max(0.0),
                interval: mae.interval,
            },
            mae_sd: spread(square[i], absolute[i]),
            bias: Mean {
                value: bias.value,
                interval: bias.interval,
            },
            spread: spread(square[i], error[i]),
            thin: mae.thin,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curves::Answers;
    use crate::simulated::Crowd;
    use proptest::prelude::*;

    fn of(values: &[f64], truth: &[f64]) -> (Vec<Option<f64>>, Vec<Option<ItemError>>) {
        let truth: Vec<Option<f64>> = truth.iter().copied().map(Some).collect();
        let errors = Answers::Estimates(values.iter().copied().map(Some).collect())
            .errors(&truth)
            .unwrap();
        (truth, errors)
    }

    #[test]
    fn two_ranges_as_worked_by_hand() {
        // 0–4: truths 1, 3; answers 4, 2: errors 3, −1. 5–9: truth 7, answer 5. 10–14 is empty, 15–19: truth 15, answer 15.
        let (truth, errors) = of(&[4.0, 2.0, 5.0, 15.0], &[1.0, 3.0, 7.0, 15.0]);
        let ranges = Ranges::even(&truth, Some(5.0)).unwrap();
        let points = by_range(&truth, &errors, &ranges, &CurveSettings::default()).unwrap();
        let shown: Vec<_> = points
            .iter()
            .map(|p| (p.range.unwrap(), p.at, p.mae.value, p.bias.value))
            .collect();
        assert_eq!(
            shown,
            [(0, 2.0, 2.0, 1.0), (1, 7.0, 2.0, -2.0), (3, 15.0, 0.0, 0.0)]
        );
        // Errors 3 and −1: mean 1, sd sqrt(8); |e| 3 and 1: sd sqrt(2).
        assert!((points[0].spread.unwrap() - 8f64.sqrt()).abs() < 1e-12);
        assert!((points[0].mae_sd.unwrap() - 2f64.sqrt()).abs() < 1e-12);
        assert_eq!((points[1].spread, points[1].bias.interval), (None, None));
        assert!(points[0].thin && points[0].mae.interval.is_some());
    }

    #[test]
    fn single_votes_their_bias_and_spread_are_recovered() {
        // Errors are N(2, 3² + 5²): bias 2, spread sqrt(34) = 5.83.
        let crowd = Crowd {
            items: 3000,
            shared_sd: 3.0,
            common_bias: 2.0,
            bias_sd: 0.0,
            noise_sd: (5.0, 5.0),
            ..Crowd::default()
        };
        let sample = crowd.draw(4);
        let truth: Vec<Option<f64>> = sample.truth.iter().copied().map(Some).collect();
        let errors = Answers::Votes(sample.votes).errors(&truth).unwrap();
        let ranges = Ranges::from_starts(&[18.0, 50.0], false).unwrap();
        let settings = CurveSettings {
            resamples: 300,
            ..CurveSettings::default()
        };
        for p in by_range(&truth, &errors, &ranges, &settings).unwrap() {
            assert!((p.spread.unwrap() - 5.83).abs() < 0.15, "{p:?}");
            let bias = p.bias.interval.unwrap();
            assert!(
                bias.contains(2.0) && (0.2..0.45).contains(&(bias.high - bias.low)),
                "{p:?}"
            );
        }
        let at = [30.0, 50.0, 70.0];
        let smooth = smoothed(&truth, &errors, &at, 4.0, &settings).unwrap();
        assert_eq!(smooth.len(), 3);
        for p in smooth {
            assert!(
                (p.bias.value - 2.0).abs() < 0.6 && (p.spread.unwrap() - 5.83).abs() < 0.4,
                "{p:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_shifting_all_answers_shifts_the_bias(
            pairs in prop::collection::vec((0.0..40.0f64, -10.0..10.0f64), 1..30), shift in -5.0..5.0f64,
        ) {
            let settings = CurveSettings { resamples: 20, ..CurveSettings::default() };
            let run = |pairs: &[(f64, f64)], shift: f64| {
                let truth: Vec<f64> = pairs.iter().map(|p| p.0).collect();
                let values: Vec<f64> = pairs.iter().map(|p| p.0 + p.1 + shift).collect();
                let (truth, errors) = of(&values, &truth);
                let ranges = Ranges::from_starts(&[0.0, 10.0, 20.0], false).unwrap();
                (by_range(&truth, &errors, &ranges, &settings).unwrap(), smoothed(&truth, &errors, &[5.0, 15.0], 3.0, &settings).unwrap())
            };
            let before = run(&pairs, 0.0);
            let backwards: Vec<_> = pairs.iter().rev().copied().collect();
            let after = run(&backwards, 0.0);
            prop_assert_eq!(&before.0, &after.0);
            for (a, b) in before.1.iter().zip(&after.1) {
                prop_assert!((a.mae.value - b.mae.value).abs() < 1e-9);
            }
            for (a, b) in before.0.iter().zip(&run(&pairs, shift).0) {
                prop_assert!((b.bias.value - a.bias.value - shift).abs() < 1e-9);
            }
        }
    }
}
