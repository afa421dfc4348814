//! `gtm`: the Gaussian truth model, votes standardised per item, with priors on truths and variances.

use super::alternation::{Fit, Frame, Limits, Residuals, Weighing, alternate};
use crate::NumberVotes;

/// Passes at most.
const PASSES: usize = 60;

/// Prior of an annotator's variance: inverse gamma of this shape and scale, in squares of an item's spread.
const SHAPE: f64 = 10.0;
const SCALE: f64 = 10.0;

/// Precision of the prior of a truth around the item's median, in the item's own unit.
const TRUTH_PRECISION: f64 = 1.0;

/// `z_i ~ N(m_i, s_i²)`, `v_ui ~ N(z_i, s_i² σ_u²)`, `σ_u² ~ IG(10, 10)`, by EM (Zhao and Han 2012):
/// `z = (1/σ_0² · m + Σ v/σ²) / (1/σ_0² + Σ 1/σ²)`, `σ_u² = (2β + Σ ((v − z)² + Var z)) / (2(α + 1) + n)`.
/// As in the paper votes are standardised per item; centre and spread are the median and standard deviation of the votes.
pub(super) fn fit(votes: &NumberVotes, start: Vec<f64>, scale: f64, frames: &[Frame]) -> Fit {
    let limits = Limits {
        passes: PASSES,
        prior: TRUTH_PRECISION,
        freedom: f64::INFINITY,
    };
    alternate(votes, start, scale, Some(frames), limits, update)
}

fn update(sums: &[Residuals], annotators: &mut [Weighing]) {
    for (a, s) in annotators.iter_mut().zip(sums) {
        a.weight = (2.0 * (SHAPE + 1.0) + s.n) / (2.0 * SCALE + s.squares + s.slack);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_point_of_one_item_as_worked_by_hand() {
        // Votes 0 and 2 by two annotators, in the unit of their spread √2, centre 1: symmetric, so z = 1 and
        // σ² = (20 + 0.5 + V)/(22 + 1), V = 1/(1 + 2/σ²).
        let votes = NumberVotes::new(1, 2, &[0, 0], &[0, 1], &[0.0, 2.0]).unwrap();
        let frame = Frame {
            center: 1.0,
            scale: 2f64.sqrt(),
        };
        let fit = fit(&votes, vec![1.0], 2f64.sqrt(), &[frame]);
        assert!((fit.truths[0] - 1.0).abs() < 1e-12);
        let w = fit.annotators[0].weight;
        let v = 1.0 / (1.0 + 2.0 * w);
        // The truth stood still from the first pass on; the weight is that of two rounds.
        assert!((1.0 / w - (20.5 + v) / 23.0).abs() < 0.05);
        assert_eq!(fit.annotators[1].weight, w);
    }
}
