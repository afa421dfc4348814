//! One pass over the items: every method's estimates with their standard errors and intervals.

use rayon::prelude::*;

use super::ballot::{Ballot, Point, Skill};
use super::calibration::Calibration;
use super::noise::{Evidence, Noise};
use super::{
    NumberEstimate, NumberMethod, NumberResult, NumberSettings, exp_mae, inverse_mae, iqm, mean,
    median, mode, trimmed, winsorized,
};
use crate::NumberVotes;
use crate::aggregation::Convergence;
use crate::interval::normal_quantile;
use crate::scoring::controls::ErrorSums;

/// Items per piece of work. Pieces do not share results, so neither their size nor the number of threads shows.
const ITEMS_PER_PIECE: usize = 4096;

/// Buffers of one thread, so that no vote and no item allocates.
#[derive(Default)]
struct Scratch {
    sums: Vec<ErrorSums>,
    skills: Vec<Skill>,
    sorted: Vec<f64>,
}

/// A method with what it needs beside the votes.
struct Closed {
    method: NumberMethod,
    settings: NumberSettings,
    /// Variance relative to the mean's, of the methods for which it does not depend on the number of votes.
    factor: f64,
}

impl Closed {
    fn new(method: NumberMethod, settings: &NumberSettings, noise: &Noise) -> Self {
        let factor = match method {
            NumberMethod::Trimmed => trimmed::variance_factor(settings.trim / 2.0),
            NumberMethod::Iqm => trimmed::variance_factor(iqm::QUARTER),
            NumberMethod::Winsorized => {
                winsorized::variance_factor(settings.cap / noise.own.unwrap_or(0.0).sqrt())
            }
            _ => 1.0,
        };
        Self {
            method,
            settings: *settings,
            factor,
        }
    }

    fn point(&self, ballot: &Ballot<'_>, sorted: &mut Vec<f64>) -> Point {
        match self.method {
            NumberMethod::Mean => mean::estimate(ballot),
            NumberMethod::Median => median::estimate(ballot, sorted),
            NumberMethod::Mode => mode::estimate(ballot, sorted),
            NumberMethod::Trimmed => {
                trimmed::estimate(ballot, self.settings.trim, self.factor, sorted)
            }
            NumberMethod::Winsorized => {
                winsorized::estimate(ballot, self.settings.cap, self.factor, sorted)
            }
            NumberMethod::Iqm => iqm::estimate(ballot, self.factor, sorted),
            NumberMethod::ExpMae => exp_mae::estimate(ballot, self.settings.temperature),
            NumberMethod::InverseMae => inverse_mae::estimate(ballot, 1),
            NumberMethod::InverseMae2 => inverse_mae::estimate(ballot, 2),
        }
    }
}

/// All items of a closed method. Settings and table have been checked.
pub(super) fn closed(
    method: NumberMethod,
    votes: &NumberVotes,
    truth: &[Option<f64>],
    settings: &NumberSettings,
) -> NumberResult {
    let evidence = Evidence::of(votes, truth, settings.shrinkage);
    let skills = evidence.skills();
    let closed = Closed::new(method, settings, &evidence.noise);
    let quantile = normal_quantile(settings.level);

    let mut estimates: Vec<Option<NumberEstimate>> = vec![None; votes.n_items()];
    estimates
        .par_chunks_mut(ITEMS_PER_PIECE)
        .enumerate()
        .for_each_init(Scratch::default, |scratch, (piece, estimates)| {
            for (i, estimate) in estimates.iter_mut().enumerate() {
                let item = piece * ITEMS_PER_PIECE + i;
                let (annotators, values) = votes.item(item);
                if values.is_empty() {
                    continue;
                }
                let noise = match truth[item] {
                    Some(truth) => evidence.without(
                        annotators,
                        values,
                        truth,
                        &mut scratch.sums,
                        &mut scratch.skills,
                    ),
                    None => {
                        scratch.skills.clear();
                        let own = annotators.iter().map(|&u| skills[u as usize]);
                        scratch.skills.extend(own);
                        evidence.noise
                    }
                };
                let ballot = Ballot {
                    values,
                    skills: &scratch.skills,
                    overall_mae: noise.overall_mae,
                };
                let point = closed.point(&ballot, &mut scratch.sorted);
                let se = noise.standard_error(point.variance);
                let (low, high) = ballot.range();
                // Rounding may carry a mean of equal votes past them.
                let value = point.value.clamp(low, high);
                *estimate = Some(NumberEstimate {
                    value,
                    se,
                    low: se.map(|se| value - quantile * se),
                    high: se.map(|se| value + quantile * se),
                    votes: values.len() as u32,
                    effective_votes: point.effective_votes,
                });
            }
        });

    let calibration = calibrate(&mut estimates, truth, settings.level);
    NumberResult {
        estimates,
        convergence: Convergence::Closed,
        level: settings.level,
        includes_shared: evidence.noise.shared.is_some(),
        shared_sd: evidence.noise.shared.map(f64::sqrt),
        controls: evidence.controls.items,
        calibration: calibration.factor(),
    }
}

/// Fits intervals to the errors on controls, if there are enough of them, and returns how.
fn calibrate(
    estimates: &mut [Option<NumberEstimate>],
    truth: &[Option<f64>],
    level: f64,
) -> Calibration {
    let ratio = |estimate: &NumberEstimate, truth: Option<f64>| {
        Some((estimate.value - truth?).abs() / estimate.se?)
    };
    let ratios = estimates
        .iter()
        .zip(truth)
        .filter_map(|(estimate, &truth)| ratio(estimate.as_ref()?, truth))
        .collect();
    let calibration = Calibration::new(ratios, level);
    if calibration.factor().is_none() {
        return calibration;
    }
    let fresh = calibration.stretch(None);
    estimates
        .par_iter_mut()
        .zip(truth)
        .for_each(|(estimate, &truth)| {
            let Some(estimate) = estimate else { return };
            let Some(se) = estimate.se else { return };
            let stretch = match ratio(estimate, truth) {
                Some(own) => calibration.stretch(Some(own)),
                None => fresh,
            };
            let calibrated = se * stretch.factor;
            estimate.se = (calibrated > 0.0).then_some(calibrated);
            let half = estimate.se.map(|_| se * stretch.half);
            estimate.low = half.map(|half| estimate.value - half);
            estimate.high = half.map(|half| estimate.value + half);
        });
    calibration
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Votes of annotators 0, 1, 2: item 0 (truth 30): 30, 40, 33; item 1 (truth 50): 52, 50; item 2: 20, 28.
    fn value(method: NumberMethod, item: usize) -> f64 {
        let votes = NumberVotes::new(
            3,
            3,
            &[0, 0, 0, 1, 1, 2, 2],
            &[0, 1, 2, 0, 1, 0, 1],
            &[30.0, 40.0, 33.0, 52.0, 50.0, 20.0, 28.0],
        )
        .unwrap();
        let truth = [Some(30.0), Some(50.0), None];
        let result = closed(method, &votes, &truth, &NumberSettings::default());
        result.estimates[item].unwrap().value
    }

    #[test]
    fn an_item_that_is_no_control_is_weighed_by_all_controls() {
        // MAE_0 = (0 + 2)/2 = 1, MAE_1 = (10 + 0)/2 = 5.
        let w = f64::exp(-4.0);
        let exp = value(NumberMethod::ExpMae, 2);
        assert!((exp - (20.0 + 28.0 * w) / (1.0 + w)).abs() < 1e-12);
        // 1 to 1/5: (5·20 + 28)/6; 1 to 1/25: (25·20 + 28)/26.
        assert!((value(NumberMethod::InverseMae, 2) - 128.0 / 6.0).abs() < 1e-12);
        assert!((value(NumberMethod::InverseMae2, 2) - 528.0 / 26.0).abs() < 1e-12);
    }

    #[test]
    fn a_control_is_weighed_by_the_others_and_who_has_none_by_the_overall_error() {
        // Without item 0: MAE_0 = 2, MAE_1 = 0, and annotator 2, who saw no other control, has the overall (2 + 0)/2 = 1.
        let (w0, w1, w2) = (f64::exp(-2.0), 1.0, f64::exp(-1.0));
        let expected = (30.0 * w0 + 40.0 * w1 + 33.0 * w2) / (w0 + w1 + w2);
        assert!((value(NumberMethod::ExpMae, 0) - expected).abs() < 1e-12);
        // MAE_1 = 0 counts as a thousandth of the overall 1: weights 0.5, 1000, 1.
        let expected = (15.0 + 40_000.0 + 33.0) / 1001.5;
        assert!((value(NumberMethod::InverseMae, 0) - expected).abs() < 1e-9);
    }
}
