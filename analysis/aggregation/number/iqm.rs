//! `iqm`: the interquartile mean.

use super::ballot::{Ballot, Point};
use super::trimmed::trimmed_mean;

/// The share cut at each end.
pub(super) const QUARTER: f64 = 0.25;

/// The mean of the middle half of the votes; where a quarter of them is no whole number, the votes at the quartiles count
/// in part. Up to two votes it is their mean.
pub(super) fn estimate(ballot: &Ballot<'_>, factor: f64, sorted: &mut Vec<f64>) -> Point {
    let value = trimmed_mean(ballot.sort(sorted), QUARTER);
    ballot.by_rank(value, factor)
}

#[cfg(test)]
mod tests {
    use super::super::ballot::value_of;
    use super::*;

    #[test]
    fn interquartile_mean_of_nine_votes_counts_the_quartiles_in_part() {
        // 1 3 5 7 9 11 13 15 17: a quarter is 2.25 votes, so 5 and 13 count 0.75:
        // (0.75·5 + 7 + 9 + 11 + 0.75·13)/4.5 = 9.
        let votes = [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0];
        assert!((value_of(&votes, |b| estimate(b, 1.2, &mut Vec::new())) - 9.0).abs() < 1e-12);
        // 1 3 5 100: without the ends (3 + 5)/2; of three votes 0.25·1 + 3 + 0.25·100 over 1.5.
        let iqm = |votes: &[f64]| value_of(votes, |b| estimate(b, 1.2, &mut Vec::new()));
        assert!((iqm(&[100.0, 1.0, 5.0, 3.0]) - 4.0).abs() < 1e-12);
        assert!((iqm(&[1.0, 3.0, 100.0]) - 28.25 / 1.5).abs() < 1e-12);
        assert!((iqm(&[1.0, 4.0]) - 2.5).abs() < 1e-12);
    }
}
