//! How far annotators agree: Krippendorff's α and the intraclass correlation of unbalanced votes, with bootstrap intervals.

use super::Resampling;
use crate::{ChoiceVotes, Error, Interval, NumberVotes, Table};
use rayon::prelude::*;
use serde::Serialize;

/// Agreement of annotators on the items that have at least two votes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Items with at least two votes.
    pub items: usize,
    /// Votes on them.
    pub votes: usize,
    /// Krippendorff's α: 1 is full agreement, 0 what chance gives; squared distances for numbers, equal or not for labels.
    pub alpha: f64,
    /// Its bootstrap interval over items.
    pub alpha_interval: Option<Interval>,
    /// ICC(1): share of the variance of single votes that items explain; `None` for labels.
    pub icc: Option<f64>,
    /// Its bootstrap interval over items.
    pub icc_interval: Option<Interval>,
    /// ICC(1,k): the same of the mean of [`Agreement::votes_per_item`] votes.
    pub icc_mean: Option<f64>,
    /// The k of ICC(1,k): the mean number of votes, corrected for unequal numbers (n₀ of the analysis of variance).
    pub votes_per_item: f64,
}

/// Agreement on a question of numbers: α with interval (squared) distances (Krippendorff 2011, *Computing Krippendorff's
/// alpha-reliability*) and ICC(1) by one-way analysis of variance with unequal groups (Shrout and Fleiss 1979; Donner 1986).
///
/// Items with fewer than two votes say nothing and are left out. `None` if no item is left or all votes are equal. Intervals resample
/// items. Linear in the votes, times resamples in the items. Errors if a setting is out of range.
pub fn agree_on_numbers(
    votes: &NumberVotes,
    settings: &Resampling,
) -> Result<Option<Agreement>, Error> {
    settings.check()?;
    // Around the mean, or squares would swallow the differences.
    let n = votes.n_votes().max(1) as f64;
    let mean = votes.values().iter().sum::<f64>() / n;
    let parts = shared(votes).map(|values| {
        let m = values.len() as f64;
        let sum: f64 = values.iter().map(|v| v - mean).sum();
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let pairs = 2.0 * (m * squares - sum * sum) / (m - 1.0);
        vec![1.0, m, pairs, sum, squares, sum * sum / m, m * m]
    });
    let figures = |s: &[f64]| {
        let (groups, n) = (s[0], s[1]);
        let expected = 2.0 * (n * s[4] - s[3] * s[3]) / (n - 1.0);
        let alpha = 1.0 - s[2] / expected;
        let between = (s[5] - s[3] * s[3] / n).max(0.0) / (groups - 1.0);
        let within = (s[4] - s[5]).max(0.0) / (n - groups);
        let k = (n - s[6] / n) / (groups - 1.0);
        let icc = (between - within) / (between + (k - 1.0) * within);
        [alpha, icc, (between - within) / between, k]
    };
    Ok(
        resampled(&parts.collect::<Vec<_>>(), figures, settings).map(|r| Agreement {
            items: r.items,
            votes: r.votes,
            alpha: r.figures[0].0,
            alpha_interval: r.figures[0].1,
            icc: finite(r.figures[1].0),
            icc_interval: r.figures[1].1,
            icc_mean: finite(r.figures[2].0),
            votes_per_item: r.figures[3].0,
        }),
    )
}

/// Agreement on a question of labels: α with nominal distances. The rest as [`agree_on_numbers`], without ICC.
pub fn agree_on_labels(
    votes: &ChoiceVotes,
    n_labels: usize,
    settings: &Resampling,
) -> Result<Option<Agreement>, Error> {
    settings.check()?;
    let parts = shared(votes).map(|values| {
        let m = values.len() as f64;
        let mut part = vec![0.0; 4 + n_labels];
        for &label in values {
            if let Some(count) = part.get_mut(4 + label as usize) {
                *count += 1.0;
            }
        }
        let equal: f64 = part[4..].iter().map(|c| c * c).sum();
        (part[0], part[1], part[2], part[3]) = (1.0, m, (m * m - equal) / (m - 1.0), m * m);
        part
    });
    let figures = |s: &[f64]| {
        let n = s[1];
        let equal: f64 = s[4..].iter().map(|c| c * c).sum();
        let k = (n - s[3] / n) / (s[0] - 1.0);
        [1.0 - s[2] * (n - 1.0) / (n * n - equal), k]
    };
    Ok(
        resampled(&parts.collect::<Vec<_>>(), figures, settings).map(|r| Agreement {
            items: r.items,
            votes: r.votes,
            alpha: r.figures[0].0,
            alpha_interval: r.figures[0].1,
            icc: None,
            icc_interval: None,
            icc_mean: None,
            votes_per_item: r.figures[1].0,
        }),
    )
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The votes of every item that has at least two.
fn shared<T: Copy>(votes: &Table<T>) -> impl Iterator<Item = &[T]> {
    votes
        .items()
        .map(|(_, _, values)| values)
        .filter(|v| v.len() >= 2)
}

struct Resampled<const N: usize> {
    items: usize,
    votes: usize,
    figures: [(f64, Option<Interval>); N],
}

/// Figures of sums over items, and what they are on resampled items. `None` if the first figure is not finite.
fn resampled<const N: usize>(
    parts: &[Vec<f64>],
    figures: impl Fn(&[f64]) -> [f64; N] + Sync,
    settings: &Resampling,
) -> Option<Resampled<N>> {
    let width = parts.first()?.len();
    let add = |sums: &mut Vec<f64>, part: &[f64], times: f64| {
        sums.iter_mut().zip(part).for_each(|(s, p)| *s += times * p);
    };
    let mut sums = vec![0.0; width];
    parts.iter().for_each(|part| add(&mut sums, part, 1.0));
    let found = figures(&sums);
    if !found[0].is_finite() {
        return None;
    }
    let again: Vec<[f64; N]> = if parts.len() < 2 {
        Vec::new()
    } else {
        (0..settings.resamples as u64)
            .into_par_iter()
            .map(|resample| {
                let mut sums = vec![0.0; width];
                for (part, times) in parts.iter().zip(settings.counts(parts.len(), resample)) {
                    if times > 0 {
                        add(&mut sums, part, f64::from(times));
                    }
                }
                figures(&sums)
            })
            .collect()
    };
    let figures = std::array::from_fn(|at| {
        let values = again.iter().map(|f| f[at]).filter(|v| v.is_finite());
        (found[at], settings.interval(values.collect()))
    });
    Some(Resampled {
        items: parts.len(),
        votes: sums[1] as usize,
        figures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Resampling = Resampling {
        level: 0.95,
        resamples: 400,
        seed: 1,
    };

    #[test]
    fn alpha_and_icc_of_two_items_by_hand() {
        // Items (1, 2) and (5, 6): observed 2·1/1 each, 4/4 votes = 1; all ordered pairs: 2·(4·66 − 14²) = 136, /12 = 11.33.
        let rows = [(0, 0, 1.0), (0, 1, 2.0), (1, 0, 5.0), (1, 1, 6.0)];
        let votes = NumberVotes::of_rows(2, 2, &rows).unwrap();
        let found = agree_on_numbers(&votes, &QUIET).unwrap().unwrap();
        assert!((found.alpha - (1.0 - 1.0 / (136.0 / 12.0))).abs() < 1e-12);
        // Mean squares: between 16, within 0.5; ICC = 15.5/16.5, of the mean of two 15.5/16.
        assert!((found.icc.unwrap() - 15.5 / 16.5).abs() < 1e-12);
        assert!((found.icc_mean.unwrap() - 15.5 / 16.0).abs() < 1e-12);
        assert_eq!(
            (found.items, found.votes, found.votes_per_item),
            (2, 4, 2.0)
        );
    }

    #[test]
    fn votes_that_cannot_be_compared_are_left_out_and_nothing_gives_nothing() {
        let lone = NumberVotes::of_rows(2, 2, &[(0, 0, 1.0), (1, 1, 9.0)]).unwrap();
        assert_eq!(agree_on_numbers(&lone, &QUIET).unwrap(), None);
        let equal = NumberVotes::of_rows(1, 2, &[(0, 0, 1.0), (0, 1, 1.0)]).unwrap();
        assert_eq!(agree_on_numbers(&equal, &QUIET).unwrap(), None);
        let none = ChoiceVotes::of_rows(0, 0, &[]).unwrap();
        assert_eq!(agree_on_labels(&none, 2, &QUIET).unwrap(), None);
    }

    /// Name of a case and its rows of item, annotator, value.
    fn cases() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/reference/agreement.json")).unwrap()
    }

    #[test]
    fn alpha_is_that_of_krippendorff_and_icc_that_of_pingouin() {
        // tests/reference/audits.py: krippendorff 0.8.1, pingouin 0.5.5.
        for case in cases().as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let row = |r: &serde_json::Value| {
                let at = |i: usize| r[i].as_u64().unwrap() as u32;
                (at(0), at(1), r[2].as_f64().unwrap())
            };
            let rows: Vec<_> = case["votes"].as_array().unwrap().iter().map(row).collect();
            let items = rows.iter().map(|r| r.0 + 1).max().unwrap() as usize;
            let annotators = rows.iter().map(|r| r.1 + 1).max().unwrap() as usize;
            let numbers = NumberVotes::of_rows(items, annotators, &rows).unwrap();
            let found = agree_on_numbers(&numbers, &QUIET).unwrap().unwrap();
            let near = |a: f64, b: &serde_json::Value, what: &str| {
                let b = b.as_f64().unwrap();
                assert!((a - b).abs() < 1e-9, "{name}, {what}: {a} instead of {b}");
            };
            near(found.alpha, &case["alpha_interval"], "alpha of numbers");
            let labels = numbers.clone().mapped(|v| v as u32);
            let of_labels = agree_on_labels(&labels, 100, &QUIET).unwrap().unwrap();
            near(of_labels.alpha, &case["alpha_nominal"], "alpha of labels");
            let icc = &case["icc1"];
            near(found.icc.unwrap(), &icc["value"], "ICC(1)");
            near(found.icc_mean.unwrap(), &icc["mean"], "ICC(1,k)");
        }
    }

    #[test]
    fn the_interval_of_alpha_holds_what_many_items_show() {
        let crowd = crate::simulated::Crowd::default();
        let many = crowd.draw(3);
        let all = agree_on_numbers(&many.votes, &QUIET).unwrap().unwrap();
        let few = crate::simulated::Crowd {
            items: 100,
            ..crowd
        };
        let held = (0..20).filter(|seed| {
            let found = agree_on_numbers(&few.draw(100 + seed).votes, &QUIET).unwrap();
            found.unwrap().alpha_interval.unwrap().contains(all.alpha)
        });
        assert!(held.count() >= 16);
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let votes = crate::simulated::Crowd::default().draw(1).votes;
        let one = agree_on_numbers(&votes, &QUIET).unwrap();
        assert_eq!(one, agree_on_numbers(&votes, &QUIET).unwrap());
    }
}
