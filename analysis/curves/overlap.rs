//! What more votes per item would have bought.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::{CurveSettings, Mean, means};
use crate::aggregation::{NumberMethod, NumberSettings};
use crate::error::{check_setting, check_truths};
use crate::{Error, NumberVotes};

/// How overlap is tried out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OverlapSettings {
    /// Largest number of votes tried; `None`: as many as nine in ten items have, at most 20.
    pub most: Option<u32>,
    /// How often votes are drawn: 10.
    pub draws: usize,
    /// Folds of the items: 5. Items of a fold have few votes while those of the others, with all their votes, say what annotators are worth.
    pub folds: usize,
    /// Level, resamples and seed.
    pub curve: CurveSettings,
}

impl Default for OverlapSettings {
    fn default() -> Self {
        Self {
            most: None,
            draws: 10,
            folds: 5,
            curve: CurveSettings::default(),
        }
    }
}

/// One method at one number of votes per item.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OverlapPoint {
    /// Votes per item.
    pub votes: u32,
    /// Mean |error| of the labels, with its bootstrap interval over items.
    pub mae: Mean,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// How much of the mean |error| the largest number of votes takes away: paired, with its interval. 0 at the largest.
    pub left_to_gain: Mean,
}

/// One method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverlapCurve {
    /// The method.
    pub method: NumberMethod,
    /// Its labels by number of votes, ascending.
    pub points: Vec<OverlapPoint>,
    /// The root mean squared error that no number of votes would go below, from the line of MSE against 1/votes (for the mean of
    /// votes that is exact: MSE = shared + own/votes); `None` with fewer than three numbers of votes. An extrapolation.
    pub floor_rmse: Option<f64>,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overlap {
    /// Largest number of votes tried.
    pub most: u32,
    /// Items with a known truth and that many votes: the same for all points.
    pub items: usize,
    /// Items with a known truth and fewer votes, left out.
    pub left_out: usize,
    /// The methods, in the order given.
    pub curves: Vec<OverlapCurve>,
}

/// Labels from 1 to K of each item's votes, drawn at random, by several methods.
///
/// The question is what the campaign would have got with k votes per item and **the evidence about its annotators that it has**. So
/// items are judged in folds: those of the fold under test have k of their votes and no known truth, all others everything.
/// (Thinning controls too would take from the annotators' scores what no smaller overlap takes.) The k votes of a draw are the
/// first k in one random order per item, so that neighbouring numbers differ by votes added, not by luck. All points rest on the
/// same items. The error of an item is averaged over draws before items are resampled.
///
/// K above 12 is tried at 1 … 8, then at ever larger steps. Deterministic in the seed, whatever the number of threads. Errors if
/// lengths differ, a setting is out of range, no item has enough votes, or a method fails.
pub fn overlap(
    votes: &NumberVotes,
    truth: &[Option<f64>],
    methods: &[NumberMethod],
    numbers: &NumberSettings,
    settings: &OverlapSettings,
) -> Result<Overlap, Error> {
    settings.check()?;
    check_truths(truth.len(), votes.n_items())?;
    let known: Vec<usize> = (0..truth.len())
        .filter(|&i| truth[i].is_some() && !votes.item(i).1.is_empty())
        .collect();
    let mut sizes: Vec<usize> = known.iter().map(|&i| votes.item(i).1.len()).collect();
    sizes.sort_unstable();
    let usual = sizes.get(sizes.len() / 10).copied().unwrap_or(0).min(20) as u32;
    let most = settings.most.unwrap_or(usual);
    let mut items: Vec<usize> = known
        .iter()
        .copied()
        .filter(|&i| votes.item(i).1.len() >= most as usize)
        .collect();
    // Both folds need items, or there is nothing to learn annotators from.
    if items.len() < 2 || most == 0 {
        return Err(Error::NothingToCompare);
    }
    let left_out = known.len() - items.len();
    items.shuffle(&mut ChaCha8Rng::seed_from_u64(settings.curve.seed));
    let steps = steps(most);
    let folds = settings.folds.min(items.len());
    let jobs: Vec<(usize, usize)> = (0..settings.draws)
        .flat_map(|d| (0..folds).map(move |f| (d, f)))
        .collect();
    // Per job, per method and step, errors of the fold's items.
    let parts = jobs
        .par_iter()
        .map(|&(draw, fold)| {
            let under_test: Vec<usize> = items.iter().skip(fold).step_by(folds).copied().collect();
            let ranks = ranks(votes, &under_test, settings.curve.seed, draw);
            let mut hidden = truth.to_vec();
            under_test.iter().for_each(|&i| hidden[i] = None);
            let mut tested = vec![false; truth.len()];
            under_test.iter().for_each(|&i| tested[i] = true);
            let mut found = vec![vec![Vec::new(); steps.len()]; methods.len()];
            for (s, &k) in steps.iter().enumerate() {
                let mut rank = ranks.iter();
                let thinned = votes
                    .filtered(|item, _, _| !tested[item] || rank.next().is_some_and(|r| *r < k));
                for (m, method) in methods.iter().enumerate() {
                    let estimates = method.estimate(&thinned, &hidden, numbers)?.estimates;
                    let error = |&i: &usize| Some((i, estimates[i]?.value - truth[i]?));
                    found[m][s] = under_test.iter().filter_map(error).collect();
                }
            }
            Ok(found)
        })
        .collect::<Result<Vec<Vec<Vec<Vec<(usize, f64)>>>>, Error>>()?;
    let curves = methods
        .iter()
        .enumerate()
        .map(|(m, &method)| {
            let mut absolute = vec![vec![0.0; truth.len()]; steps.len()];
            let mut squares = vec![0.0; steps.len()];
            for part in &parts {
                for (s, errors) in part[m].iter().enumerate() {
                    for &(item, error) in errors {
                        absolute[s][item] += error.abs() / settings.draws as f64;
                        squares[s] += error * error / (settings.draws * items.len()) as f64;
                    }
                }
            }
            let last = absolute.len() - 1;
            let points: Vec<OverlapPoint> = (0..steps.len())
                .map(|s| {
                    let rows = items
                        .iter()
                        .map(|&i| [absolute[s][i], absolute[s][i] - absolute[last][i]]);
                    let [mae, left_to_gain] = means(rows.collect(), &settings.curve);
                    OverlapPoint {
                        votes: steps[s],
                        mae,
                        rmse: squares[s].sqrt(),
                        left_to_gain,
                    }
                })
                .collect();
            OverlapCurve {
                method,
                floor_rmse: floor(&points),
                points,
            }
        })
        .collect();
    Ok(Overlap {
        most,
        items: items.len(),
        left_out,
        curves,
    })
}

impl OverlapSettings {
    /// Errors if one is out of range.
    pub fn check(&self) -> Result<(), Error> {
        self.curve.check()?;
        check_setting(
            self.draws > 0,
            "draws",
            self.draws as f64,
            "must be at least 1",
        )?;
        check_setting(
            self.folds > 1,
            "folds",
            self.folds as f64,
            "must be at least 2",
        )?;
        let most = self.most.is_none_or(|m| m > 0);
        check_setting(most, "max-overlap", 0.0, "must be at least 1")
    }
}

/// 1 to 8, then steps that grow, and always the largest.
fn steps(most: u32) -> Vec<u32> {
    let mut steps: Vec<u32> = (1..=most.min(8)).collect();
    let mut step = 2;
    while steps.last().is_some_and(|&last| last < most) {
        let last = steps.last().copied().unwrap_or(0);
        steps.push((last + step).min(most));
        step = if most <= 12 { 2 } else { (last / 4).max(2) };
    }
    steps
}

/// The place of every vote of these items in a random order of its item's votes, in the order of the table. An item's dice depend on
/// the item and the draw, not on its fold.
fn ranks(votes: &NumberVotes, items: &[usize], seed: u64, draw: usize) -> Vec<u32> {
    let mut sorted = items.to_vec();
    sorted.sort_unstable();
    let mut all = Vec::new();
    for item in sorted {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(((draw as u64) << 40) | item as u64);
        let n = votes.item(item).1.len() as u32;
        let mut ranks: Vec<u32> = (0..n).collect();
        for i in (1..ranks.len()).rev() {
            ranks.swap(i, rng.random_range(0..=i));
        }
        all.extend(ranks);
    }
    all
}

/// The root of where the least-squares line of MSE against 1/votes meets an infinite number of votes.
fn floor(points: &[OverlapPoint]) -> Option<f64> {
    if points.len() < 3 {
        return None;
    }
    let n = points.len() as f64;
    let rows: Vec<(f64, f64)> = points
        .iter()
        .map(|p| (1.0 / f64::from(p.votes), p.rmse * p.rmse))
        .collect();
    let (mx, my) = rows
        .iter()
        .fold((0.0, 0.0), |(a, b), r| (a + r.0 / n, b + r.1 / n));
    let (sxx, sxy) = rows.iter().fold((0.0, 0.0), |(a, b), r| {
        (a + (r.0 - mx).powi(2), b + (r.0 - mx) * (r.1 - my))
    });
    Some((my - sxy / sxx * mx).max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::Crowd;

    const SETTINGS: OverlapSettings = OverlapSettings {
        most: None,
        draws: 4,
        folds: 3,
        curve: CurveSettings {
            level: 0.95,
            resamples: 100,
            seed: 1,
            thin: 10,
        },
    };

    #[test]
    fn the_error_of_the_mean_falls_as_theory_says_down_to_the_shared_error() {
        // Errors of votes: shared N(0, 3²), own N(0, 6²): MSE(k) = 9 + 36/k.
        let crowd = Crowd {
            items: 800,
            annotators: 60,
            votes_per_item: 10,
            shared_sd: 3.0,
            bias_sd: 0.0,
            noise_sd: (6.0, 6.0),
            ..Crowd::default()
        };
        let sample = crowd.draw(2);
        let truth = sample.known(1);
        let o = overlap(
            &sample.votes,
            &truth,
            &[NumberMethod::Mean],
            &NumberSettings::default(),
            &SETTINGS,
        )
        .unwrap();
        assert_eq!((o.most, o.items, o.left_out), (10, 800, 0));
        for p in &o.curves[0].points {
            let expected = (9.0 + 36.0 / f64::from(p.votes)).sqrt();
            assert!(
                (p.rmse - expected).abs() < 0.3,
                "{} votes: {} instead of {expected}",
                p.votes,
                p.rmse
            );
            assert!((p.mae.value - 0.798 * expected).abs() < 0.3);
            assert!(p.left_to_gain.value >= 0.0);
        }
        let last = o.curves[0].points.last().unwrap();
        assert_eq!((last.votes, last.left_to_gain.value), (10, 0.0));
        let floor = o.curves[0].floor_rmse.unwrap();
        assert!((floor - 3.0).abs() < 0.4, "{floor}");
    }

    #[test]
    fn all_votes_give_the_label_of_the_mean_and_one_vote_the_error_of_a_vote() {
        let votes = NumberVotes::new(
            3,
            2,
            &[0, 0, 1, 1, 2, 2],
            &[0, 1, 0, 1, 0, 1],
            &[1.0, 3.0, 5.0, 5.0, 9.0, 5.0],
        )
        .unwrap();
        let truth = vec![Some(2.0), Some(4.0), Some(8.0)];
        let settings = OverlapSettings {
            draws: 200,
            ..SETTINGS
        };
        let o = overlap(
            &votes,
            &truth,
            &[NumberMethod::Mean],
            &NumberSettings::default(),
            &settings,
        )
        .unwrap();
        let points = &o.curves[0].points;
        // Two votes: means 2, 5, 7: errors 0, 1, 1. One vote: |e| 1 always; 1 always; 1 or 3.
        assert!((points[1].mae.value - 2.0 / 3.0).abs() < 1e-12);
        assert!((points[0].mae.value - 4.0 / 3.0).abs() < 0.05, "{points:?}");
    }

    #[test]
    fn threads_do_not_matter_and_items_with_too_few_votes_are_left_out() {
        let sample = Crowd {
            items: 60,
            annotators: 12,
            votes_per_item: 5,
            ..Crowd::default()
        }
        .draw(7);
        let votes = sample
            .votes
            .filtered(|item, annotator, _| item != 3 || annotator < 6);
        let truth = sample.known(1);
        let methods = [NumberMethod::Median, NumberMethod::ExpMae];
        let settings = OverlapSettings {
            most: Some(5),
            draws: 2,
            ..SETTINGS
        };
        let run = || {
            overlap(
                &votes,
                &truth,
                &methods,
                &NumberSettings::default(),
                &settings,
            )
            .unwrap()
        };
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let found = run();
        assert_eq!(found, one.install(run));
        assert_eq!((found.items, found.left_out), (59, 1));
        let none = OverlapSettings {
            most: Some(50),
            ..settings
        };
        assert!(overlap(&votes, &truth, &methods, &NumberSettings::default(), &none).is_err());
    }

    #[test]
    fn steps_end_at_the_largest() {
        assert_eq!(steps(3), [1, 2, 3]);
        assert_eq!(steps(10), [1, 2, 3, 4, 5, 6, 7, 8, 10]);
        assert_eq!(*steps(20).last().unwrap(), 20);
        assert!(steps(20).len() <= 14);
    }
}
