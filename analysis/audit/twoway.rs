//! A slope within annotators and within items: neither who is good nor what is hard passes for it.

use super::Resampling;
use crate::{Error, Interval};
use rayon::prelude::*;
use serde::Serialize;

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The annotator.
    pub annotator: u32,
    /// The item.
    pub item: u32,
    /// What is thought to matter: the logarithm of the time spent.
    pub x: f64,
    /// The error.
    pub y: f64,
}

/// A slope with two fixed effects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WithinSlope {
    /// Answers.
    pub answers: usize,
    /// Annotators.
    pub annotators: usize,
    /// Change of y per unit of x.
    pub slope: f64,
    /// Its bootstrap interval over annotators.
    pub interval: Option<Interval>,
    /// Spread of x that is left within annotators and items, one standard deviation.
    pub spread: f64,
}

/// Least-squares slope of y on x with an effect of every annotator and every item (Frisch and Waugh 1933; both sets of means are taken out
/// in turn until nothing changes: Halperin 1962). The interval draws annotators again. `None` if x does not vary within both, or there are
/// fewer than two annotators. Errors: a value is not finite, a setting is out of range.
pub fn within_slope(cells: &[Cell], settings: &Resampling) -> Result<Option<WithinSlope>, Error> {
    settings.check()?;
    if let Some(row) = cells
        .iter()
        .position(|c| !(c.x.is_finite() && c.y.is_finite()))
    {
        let reason = format!("answer {row} is not finite");
        return Err(Error::Points { reason });
    }
    let mut cells = cells.to_vec();
    cells.sort_by(|a, b| {
        (a.annotator, a.item)
            .cmp(&(b.annotator, b.item))
            .then(a.x.total_cmp(&b.x))
            .then(a.y.total_cmp(&b.y))
    });
    let scale = |of: fn(&Cell) -> f64| cells.iter().map(|c| of(c).abs()).fold(0.0, f64::max);
    let scales = (scale(|c| c.x).max(1e-300), scale(|c| c.y).max(1e-300));
    let annotators = cells
        .iter()
        .map(|c| c.annotator as usize + 1)
        .max()
        .unwrap_or(0);
    let items = cells.iter().map(|c| c.item as usize + 1).max().unwrap_or(0);
    for _ in 0..2000 {
        let a = take_means(&mut cells, annotators, |c| c.annotator);
        let b = take_means(&mut cells, items, |c| c.item);
        if (a.0.max(b.0)) < 1e-12 * scales.0 && (a.1.max(b.1)) < 1e-12 * scales.1 {
            break;
        }
    }
    let sums: Vec<(f64, f64)> = cells
        .chunk_by(|a, b| a.annotator == b.annotator)
        .map(|own| {
            let xx: f64 = own.iter().map(|c| c.x * c.x).sum();
            let xy: f64 = own.iter().map(|c| c.x * c.y).sum();
            (xx, xy)
        })
        .collect();
    let xx: f64 = sums.iter().map(|s| s.0).sum();
    let xy: f64 = sums.iter().map(|s| s.1).sum();
    let spread = (xx / cells.len().max(1) as f64).sqrt();
    if sums.len() < 2 || spread <= 1e-9 * scales.0 {
        return Ok(None);
    }
    let again = (0..settings.resamples as u64)
        .into_par_iter()
        .filter_map(|resample| {
            let counts = settings.counts(sums.len(), resample);
            let drawn = sums.iter().zip(counts);
            let (xx, xy) = drawn.fold((0.0, 0.0), |t, (s, times)| {
                (t.0 + f64::from(times) * s.0, t.1 + f64::from(times) * s.1)
            });
            (xx > 0.0).then_some(xy / xx)
        });
    let again: Vec<f64> = again.collect();
    Ok(Some(WithinSlope {
        answers: cells.len(),
        annotators: sums.len(),
        slope: xy / xx,
        interval: settings.interval(again),
        spread,
    }))
}

/// Takes the means of groups out; returns the largest means.
fn take_means(cells: &mut [Cell], n: usize, group: impl Fn(&Cell) -> u32) -> (f64, f64) {
    let mut sums = vec![(0.0, 0.0, 0.0); n];
    for c in cells.iter() {
        let s = &mut sums[group(c) as usize];
        *s = (s.0 + 1.0, s.1 + c.x, s.2 + c.y);
    }
    let mut largest = (0.0f64, 0.0f64);
    for s in sums.iter_mut().filter(|s| s.0 > 0.0) {
        (s.1, s.2) = (s.1 / s.0, s.2 / s.0);
        largest = (largest.0.max(s.1.abs()), largest.1.max(s.2.abs()));
    }
    for c in cells.iter_mut() {
        let s = sums[group(c) as usize];
        c.x -= s.1;
        c.y -= s.2;
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(annotator: u32, item: u32, x: f64, y: f64) -> Cell {
        Cell {
            annotator,
            item,
            x,
            y,
        }
    }

    #[test]
    fn good_annotators_and_hard_items_are_taken_out() {
        // y = 2x + 10·annotator − 7·item, exactly.
        let mut cells = Vec::new();
        for (i, x) in [0.3, 1.7, -0.4, 2.2, 0.9, 1.1, 3.0, 0.2, -1.0]
            .into_iter()
            .enumerate()
        {
            let (a, b) = (i as u32 / 3, i as u32 % 3);
            cells.push(cell(
                a,
                b,
                x,
                2.0 * x + 10.0 * f64::from(a) - 7.0 * f64::from(b),
            ));
        }
        let found = within_slope(&cells, &Resampling::default())
            .unwrap()
            .unwrap();
        assert!((found.slope - 2.0).abs() < 1e-9, "{found:?}");
        assert_eq!((found.answers, found.annotators), (9, 3));
        cells.reverse();
        assert_eq!(
            within_slope(&cells, &Resampling::default()).unwrap(),
            Some(found)
        );
    }

    #[test]
    fn slopes_are_those_of_statsmodels() {
        // tests/reference/more_audits.py: OLS of y on x with an indicator per annotator and per item.
        let text = include_str!("../../tests/reference/more_audits.json");
        let all: serde_json::Value = serde_json::from_str(text).unwrap();
        let cases = all["within"].as_array().unwrap();
        for case in cases {
            let rows = case["rows"].as_array().unwrap().iter();
            let cells: Vec<Cell> = rows
                .map(|r| {
                    let at = |i: usize| r[i].as_f64().unwrap();
                    cell(at(0) as u32, at(1) as u32, at(2), at(3))
                })
                .collect();
            let found = within_slope(&cells, &Resampling::default())
                .unwrap()
                .unwrap();
            let expected = case["slope"].as_f64().unwrap();
            assert!(
                (found.slope - expected).abs() < 1e-8,
                "{found:?} {expected}"
            );
        }
        assert_eq!(cases.len(), 2);
    }

    #[test]
    fn what_does_not_vary_has_no_slope() {
        let flat = [
            cell(0, 0, 1.0, 2.0),
            cell(0, 1, 1.0, 3.0),
            cell(1, 0, 1.0, 4.0),
            cell(1, 1, 1.0, 9.0),
        ];
        assert_eq!(within_slope(&flat, &Resampling::default()).unwrap(), None);
        assert_eq!(within_slope(&[], &Resampling::default()).unwrap(), None);
        assert!(within_slope(&[cell(0, 0, f64::NAN, 0.0)], &Resampling::default()).is_err());
    }
}
