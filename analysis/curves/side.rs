//! Answers of one side, and their errors per item.

use serde::Serialize;
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use crate::aggregation::crossfit::cross_fitted;
use crate::aggregation::{
    BakeoffSettings, Convergence, NumberEstimate, NumberMethod, NumberSettings,
};
use crate::error::check_truths;
use crate::{Error, NumberVotes};

/// What one side answered, by item.
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// Single votes of people.
    Votes(NumberVotes),
    /// One number per item: a label, a network's prediction, the mean of guesses.
    Estimates(Vec<Option<f64>>),
    /// Single guesses of which only mean and standard deviation are known: taken as normal.
    Normal(Vec<Option<(f64, f64)>>),
}

/// The errors of one side on one item, `e = answer − truth`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ItemError {
    /// Mean of |e| over the item's answers.
    pub absolute: f64,
    /// Mean of e: positive when answers are too high.
    pub error: f64,
    /// Mean of e².
    pub square: f64,
    /// How many answers there are; 1 for an estimate.
    pub answers: u32,
}

impl Answers {
    /// Number of items, answered or not.
    pub fn n_items(&self) -> usize {
        match self {
            Self::Votes(votes) => votes.n_items(),
            Self::Estimates(estimates) => estimates.len(),
            Self::Normal(guesses) => guesses.len(),
        }
    }

    /// Errors by item; `None` where there is no answer or no truth. Errors if `truth` has another length, or a number is not
    /// finite or a standard deviation negative.
    ///
    /// Of a normal guess `N(m, s²)`, with d = m − truth: E e = d, E e² = d² + s², and E |e| the mean of the folded normal
    /// distribution (Leone, Nelson and Nottingham 1961).
    pub fn errors(&self, truth: &[Option<f64>]) -> Result<Vec<Option<ItemError>>, Error> {
        check_truths(truth.len(), self.n_items())?;
        (0..truth.len())
            .map(|item| {
                let Some(truth) = truth[item] else {
                    return Ok(None);
                };
                let found = self.error(item, truth);
                match found {
                    Some(e) if !(e.square.is_finite() && e.absolute.is_finite()) => {
                        let reason = "an answer, its spread or the truth cannot be used".into();
                        Err(Error::Item { item, reason })
                    }
                    found => Ok(found),
                }
            })
            .collect()
    }

    fn error(&self, item: usize, truth: f64) -> Option<ItemError> {
        match self {
            Self::Votes(votes) => {
                let (_, values) = votes.item(item);
                if values.is_empty() {
                    return None;
                }
                // In ascending order, so that sums do not depend on who gave which vote.
                let mut values = values.to_vec();
                values.sort_unstable_by(f64::total_cmp);
                let mean = |f: fn(f64) -> f64| {
                    values.iter().map(|v| f(v - truth)).sum::<f64>() / values.len() as f64
                };
                Some(ItemError {
                    absolute: mean(f64::abs),
                    error: mean(|e| e),
                    square: mean(|e| e * e),
                    answers: values.len() as u32,
                })
            }
            Self::Estimates(estimates) => estimates[item].map(|value| {
                let error = value - truth;
                ItemError {
                    absolute: error.abs(),
                    error,
                    square: error * error,
                    answers: 1,
                }
            }),
            Self::Normal(guesses) => guesses[item].map(|(mean, sd)| {
                let error = mean - truth;
                ItemError {
                    absolute: folded_mean(error, sd),
                    error,
                    square: error * error + sd * sd,
                    answers: 1,
                }
            }),
        }
    }

    /// The share of an item's answers from `low` to `high`, both included if `closed`, else without `high`; `None` without answers.
    pub fn share(&self, item: usize, low: f64, high: f64, closed: bool) -> Option<f64> {
        let inside = |v: f64| v >= low && (v < high || closed && v == high);
        match self {
            Self::Votes(votes) => {
                let values = votes.item(item).1;
                let n = values.iter().filter(|v| inside(**v)).count();
                (!values.is_empty()).then(|| n as f64 / values.len() as f64)
            }
            Self::Estimates(estimates) => estimates[item].map(|v| f64::from(u8::from(inside(v)))),
            Self::Normal(guesses) => guesses[item].map(|(mean, sd)| {
                if sd <= 0.0 {
                    return f64::from(u8::from(inside(mean)));
                }
                let normal = Normal::standard();
                normal.cdf((high - mean) / sd) - normal.cdf((low - mean) / sd)
            }),
        }
    }
}

/// E |X| of X ~ N(mean, sd²); NaN for a negative sd.
fn folded_mean(mean: f64, sd: f64) -> f64 {
    if sd == 0.0 {
        return mean.abs();
    }
    if sd < 0.0 {
        return f64::NAN;
    }
    let normal = Normal::standard();
    let r = mean / sd;
    2.0 * sd * normal.pdf(r) + mean * (1.0 - 2.0 * normal.cdf(-r))
}

/// Labels by item in which no item's own truth has a part: as in the bake-off, methods that choose or learn on controls are run
/// once per fold with that fold's truths hidden. Items without a known truth have the label of the full run.
///
/// Errors as [`NumberMethod::estimate`], and if no item with votes has a known truth.
pub fn cross_fitted_labels(
    votes: &NumberVotes,
    truth: &[Option<f64>],
    method: NumberMethod,
    settings: &NumberSettings,
    bakeoff: &BakeoffSettings,
) -> Result<(Vec<Option<NumberEstimate>>, Convergence), Error> {
    bakeoff.check()?;
    let run = cross_fitted(
        votes,
        truth,
        method.is_closed(),
        bakeoff.folds,
        bakeoff.seed,
        |visible| {
            let result = method.estimate(votes, visible, settings)?;
            Ok((result.estimates, result.convergence))
        },
    )?;
    Ok((run.estimates, run.convergence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn errors_of_votes_as_worked_by_hand() {
        // Votes 8, 11, 14 on a truth of 10: e = −2, 1, 4; mean |e| 7/3, mean e 1, mean e² 21/3 = 7.
        let votes =
            NumberVotes::new(2, 3, &[0, 0, 0, 1], &[0, 1, 2, 0], &[8.0, 11.0, 14.0, 5.0]).unwrap();
        let errors = Answers::Votes(votes).errors(&[Some(10.0), None]).unwrap();
        let e = errors[0].unwrap();
        assert!((e.absolute - 7.0 / 3.0).abs() < 1e-12);
        assert_eq!((e.error, e.square, e.answers), (1.0, 7.0, 3));
        assert_eq!(errors[1], None);
    }

    #[test]
    fn shares_count_ends_as_asked() {
        let votes = NumberVotes::new(1, 4, &[0; 4], &[0, 1, 2, 3], &[4.0, 5.0, 6.0, 7.0]).unwrap();
        let votes = Answers::Votes(votes);
        assert_eq!(votes.share(0, 4.0, 6.0, true), Some(0.75));
        assert_eq!(votes.share(0, 4.0, 6.0, false), Some(0.5));
        let one = Answers::Estimates(vec![Some(6.0), None]);
        assert_eq!(
            (one.share(0, 4.0, 6.0, false), one.share(1, 0.0, 9.0, true)),
            (Some(0.0), None)
        );
        // Within one standard deviation: 68.27 %.
        let normal = Answers::Normal(vec![Some((5.0, 2.0))]);
        assert!((normal.share(0, 3.0, 7.0, true).unwrap() - 0.682_689).abs() < 1e-5);
    }

    #[test]
    fn a_guess_known_by_mean_and_spread_errs_as_a_normal_one() {
        let errors = |m, s| Answers::Normal(vec![Some((m, s))]).errors(&[Some(10.0)]);
        // sqrt(2/π) = 0.797885 of the standard deviation when the mean is right.
        let e = errors(10.0, 2.0).unwrap()[0].unwrap();
        assert!((e.absolute - 1.595_769).abs() < 1e-5 && e.square == 4.0);
        assert_eq!(errors(13.0, 0.0).unwrap()[0].unwrap().absolute, 3.0);
        assert!(errors(13.0, -1.0).is_err());
    }

    proptest! {
        #[test]
        fn shifting_all_answers_shifts_the_bias_and_order_does_not_matter(
            values in prop::collection::vec(-50.0..50.0f64, 1..20), truth in -50.0..50.0f64, shift in -20.0..20.0f64,
        ) {
            let n = values.len();
            let people: Vec<u32> = (0..n as u32).collect();
            let run = |values: &[f64], people: &[u32]| {
                let votes = NumberVotes::new(1, n, &vec![0; n], people, values).unwrap();
                Answers::Votes(votes).errors(&[Some(truth)]).unwrap()[0].unwrap()
            };
            let before = run(&values, &people);
            let shifted: Vec<f64> = values.iter().map(|v| v + shift).collect();
            prop_assert!((run(&shifted, &people).error - before.error - shift).abs() < 1e-9);
            let backwards: Vec<u32> = people.iter().rev().copied().collect();
            prop_assert_eq!(run(&values, &backwards), before);
        }
    }
}
