//! `trimmed`: the mean without the lowest and highest votes.

use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::ballot::{Ballot, Point};
use crate::Error;
use crate::error::check_setting;

/// The mean after cutting `trim`/2 of the votes at each end (default 20 %, so a tenth at each end).
///
/// Where that is no whole number of votes, the vote at the cut counts in part: 0.6 of the lowest and of the highest of six
/// votes are cut at 20 %. Rounding down, as many programs do, would make it the plain mean for fewer than ten votes.
pub(super) fn estimate(
    ballot: &Ballot<'_>,
    trim: f64,
    factor: f64,
    sorted: &mut Vec<f64>,
) -> Point {
    let value = trimmed_mean(ballot.sort(sorted), trim / 2.0);
    ballot.by_rank(value, factor)
}

/// Errors unless 0 ≤ trim < 1.
pub(super) fn check(trim: f64) -> Result<(), Error> {
    check_setting(
        (0.0..1.0).contains(&trim),
        "trim",
        trim,
        "must be at least 0 and below 1",
    )
}

/// Mean of ascending votes without the share `cut` (below one half) at each end; votes at a cut count in part.
pub(super) fn trimmed_mean(sorted: &[f64], cut: f64) -> f64 {
    let n = sorted.len() as f64;
    let (from, to) = (cut * n, n - cut * n);
    let (mut sum, mut weights) = (0.0, 0.0);
    let last = (to.ceil() as usize).min(sorted.len());
    for (rank, value) in sorted.iter().enumerate().take(last).skip(from as usize) {
        let weight = to.min(rank as f64 + 1.0) - from.max(rank as f64);
        sum += weight * (value - sorted[0]);
        weights += weight;
    }
    sorted[0] + sum / weights
}

/// Variance, relative to the mean's, of the mean of many normal votes without the share `cut` at each end:
/// `[∫ x²φ over ±q + 2·cut·q²] / (1 − 2·cut)²` with q the upper `cut` quantile (Tukey and McLaughlin 1963): 1.060 for a
/// tenth, 1.195 for a quarter.
pub(super) fn variance_factor(cut: f64) -> f64 {
    if cut <= 0.0 {
        return 1.0;
    }
    let normal = Normal::standard();
    let (kept, q) = (1.0 - 2.0 * cut, normal.inverse_cdf(1.0 - cut));
    (kept - 2.0 * q * normal.pdf(q) + 2.0 * cut * q * q) / (kept * kept)
}

#[cfg(test)]
mod tests {
    use super::super::ballot::value_of;
    use super::*;

    fn trimmed(votes: &[f64], trim: f64) -> f64 {
        value_of(votes, |b| estimate(b, trim, 1.0, &mut Vec::new()))
    }

    #[test]
    fn a_tenth_at_each_end_of_ten_votes_is_one_vote_each() {
        let votes = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1000.0];
        assert!((trimmed(&votes, 0.2) - 44.0 / 8.0).abs() < 1e-12);
    }

    #[test]
    fn of_five_votes_the_ends_count_half() {
        // (0.5·0 + 10 + 20 + 30 + 0.5·100)/4 = 27.5
        assert!((trimmed(&[100.0, 20.0, 0.0, 10.0, 30.0], 0.2) - 27.5).abs() < 1e-12);
        assert_eq!(trimmed(&[7.0], 0.2), 7.0);
        assert!((trimmed(&[7.0, 8.0], 0.9) - 7.5).abs() < 1e-12);
        assert!((trimmed(&[1.0, 2.0, 6.0], 0.0) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_variance_factors_are_the_known_ones() {
        assert!((variance_factor(0.10) - 1.0605).abs() < 1e-3);
        assert!((variance_factor(0.25) - 1.1952).abs() < 1e-3);
        assert_eq!(variance_factor(0.0), 1.0);
    }
}
