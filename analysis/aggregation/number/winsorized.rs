//! `winsorized`: the mean of votes drawn in to the median.

use std::f64::consts::{FRAC_PI_2, PI};

use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::ballot::{Ballot, Point};
use super::median::middle;
use crate::Error;
use crate::error::check_setting;

/// The mean of the votes after each that lies more than `cap` units from their median is moved to that distance: the
/// variant tried beside exp(−MAE) for ages (MiVOLO, arXiv 2307.04616), with a cap of 6 years.
pub(super) fn estimate(ballot: &Ballot<'_>, cap: f64, factor: f64, sorted: &mut Vec<f64>) -> Point {
    let median = middle(ballot.sort(sorted));
    let moved: f64 = sorted.iter().map(|v| (v - median).clamp(-cap, cap)).sum();
    ballot.by_rank(median + moved / sorted.len() as f64, factor)
}

/// Errors unless the cap is positive.
pub(super) fn check(cap: f64) -> Result<(), Error> {
    check_setting(
        cap > 0.0,
        "cap",
        cap,
        "must be positive, in the unit of the votes",
    )
}

/// Variance, relative to the mean's, for many normal votes and a cap of `k` standard deviations. A vote at x moves the
/// estimate by ψ(x) + (1 − β)·sqrt(π/2)·sign(x), with ψ the capped vote and β = P(|x| < k): its own part and its part in
/// the median (influence functions: Hampel et al. 1986). The factor is the mean square: π/2 for a cap of 0, 1 without one.
pub(super) fn variance_factor(k: f64) -> f64 {
    if k.is_nan() || k > 30.0 {
        return 1.0;
    }
    let normal = Normal::standard();
    let (density, tail) = (normal.pdf(k), normal.cdf(-k));
    let outside = 2.0 * tail;
    let square = (1.0 - outside) - 2.0 * k * density + 2.0 * k * k * tail;
    let absolute = 2.0 * (normal.pdf(0.0) - density) + 2.0 * k * tail;
    square + outside * outside * FRAC_PI_2 + 2.0 * outside * (PI / 2.0).sqrt() * absolute
}

#[cfg(test)]
mod tests {
    use super::super::ballot::value_of;
    use super::*;

    #[test]
    fn a_vote_far_from_the_median_counts_as_six_units_away() {
        // Median 30; 90 becomes 36, 20 becomes 24: (24 + 28 + 30 + 31 + 36)/5 = 29.8
        let winsorized =
            |votes: &[f64]| value_of(votes, |b| estimate(b, 6.0, 1.0, &mut Vec::new()));
        assert!((winsorized(&[90.0, 20.0, 28.0, 30.0, 31.0]) - 29.8).abs() < 1e-12);
        assert_eq!(winsorized(&[3.0]), 3.0);
        // Two votes at 0 and 100: 44 and 56.
        assert_eq!(winsorized(&[0.0, 100.0]), 50.0);
    }

    #[test]
    fn the_variance_factor_runs_from_the_medians_to_the_means() {
        assert!((variance_factor(0.0) - FRAC_PI_2).abs() < 1e-12);
        assert!((variance_factor(8.0) - 1.0).abs() < 1e-9);
        assert_eq!(variance_factor(f64::INFINITY), 1.0);
        assert!(variance_factor(1.0) > 1.0 && variance_factor(1.0) < FRAC_PI_2);
    }
}
