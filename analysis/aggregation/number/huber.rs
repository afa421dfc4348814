//! `huber`: the M-estimate of location: votes near the middle count in full, votes far off ever less.

use rayon::prelude::*;

use super::ballot::{Ballot, Point};
use super::median::middle;
use crate::NumberVotes;

/// Residuals up to so many standard deviations count in full: 95 % efficient on normal votes.
const TURN: f64 = 1.345;

/// Variance relative to the mean's on normal votes.
const VARIANCE_FACTOR: f64 = 1.0 / 0.95;

/// An item's own spread counts as its number of votes, the crowd's as this many.
const PRIOR_VOTES: f64 = 5.0;

/// Median absolute deviation to standard deviation, for normal votes.
const MAD_TO_SD: f64 = 1.4826;

/// Rounds at most: each brings the estimate nearer to its limit by at least a factor, and few are needed.
const ROUNDS: usize = 30;

/// The solution of `Σ ψ((v − z)/s) = 0`, `ψ(r) = max(−1.345, min(1.345, r))` (Huber 1964), by reweighting from the median.
///
/// The scale s is 1.4826 times the median absolute deviation, the item's own and the mean one of all items weighed 5 votes
/// against its own; items with few votes cannot tell theirs. A scale of 0 gives the median.
pub(super) fn estimate(
    ballot: &Ballot<'_>,
    spread: f64,
    sorted: &mut Vec<f64>,
    deviations: &mut Vec<f64>,
) -> Point {
    let value = location(ballot.sort(sorted), spread, deviations);
    ballot.by_rank(value, VARIANCE_FACTOR)
}

/// Huber's location of ascending votes; `spread` is [`mean_spread`].
pub(super) fn location(sorted: &[f64], spread: f64, deviations: &mut Vec<f64>) -> f64 {
    let median = middle(sorted);
    if sorted.len() < 3 {
        return median;
    }
    let n = sorted.len() as f64;
    let own = deviation(sorted, median, deviations);
    let scale = MAD_TO_SD * (n * own + PRIOR_VOTES * spread) / (n + PRIOR_VOTES);
    if scale <= 0.0 {
        return median;
    }
    let mut z = median;
    for _ in 0..ROUNDS {
        let (mut w1, mut wr) = (0.0, 0.0);
        for v in sorted {
            let r = v - z;
            let w = if r.abs() <= TURN * scale {
                1.0
            } else {
                TURN * scale / r.abs()
            };
            w1 += w;
            wr += w * r;
        }
        let step = wr / w1;
        z += step;
        if step.abs() <= 1e-10 * scale {
            break;
        }
    }
    z
}

/// Median absolute deviation from the median.
fn deviation(sorted: &[f64], median: f64, deviations: &mut Vec<f64>) -> f64 {
    deviations.clear();
    deviations.extend(sorted.iter().map(|v| (v - median).abs()));
    deviations.sort_unstable_by(f64::total_cmp);
    middle(deviations)
}

/// Every item's median, or its Huber location; 0 for an item without votes.
pub(super) fn locations(votes: &NumberVotes, spread: f64, huber: bool) -> Vec<f64> {
    (0..votes.n_items())
        .into_par_iter()
        .with_min_len(1024)
        .map_init(Default::default, |(sorted, deviations), item| {
            let sorted: &mut Vec<f64> = sorted;
            sorted.clear();
            sorted.extend_from_slice(votes.item(item).1);
            if sorted.is_empty() {
                return 0.0;
            }
            sorted.sort_unstable_by(f64::total_cmp);
            if huber {
                location(sorted, spread, deviations)
            } else {
                middle(sorted)
            }
        })
        .collect()
}

/// Mean over items of three votes and more of their median absolute deviations, weighed by votes; 0 without such items.
pub(super) fn mean_spread(votes: &NumberVotes) -> f64 {
    const ITEMS_PER_PIECE: usize = 4096;
    let pieces: Vec<(f64, f64)> = (0..votes.n_items().div_ceil(ITEMS_PER_PIECE))
        .into_par_iter()
        .map(|piece| {
            let (mut sorted, mut deviations, mut sums) = (Vec::new(), Vec::new(), (0.0, 0.0));
            let from = piece * ITEMS_PER_PIECE;
            for item in from..(from + ITEMS_PER_PIECE).min(votes.n_items()) {
                let values = votes.item(item).1;
                if values.len() < 3 {
                    continue;
                }
                sorted.clear();
                sorted.extend_from_slice(values);
                sorted.sort_unstable_by(f64::total_cmp);
                let n = values.len() as f64;
                sums.0 += n * deviation(&sorted, middle(&sorted), &mut deviations);
                sums.1 += n;
            }
            sums
        })
        .collect();
    let (sum, n) = pieces
        .into_iter()
        .fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    if n > 0.0 { sum / n } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn huber(sorted: &[f64], spread: f64) -> f64 {
        location(sorted, spread, &mut Vec::new())
    }

    #[test]
    fn a_far_vote_pulls_by_the_turning_point_and_no_more() {
        // Median 2, deviations 2, 1, 0, 2, 98: MAD 2; the crowd's 2 too: s = 2.9652, turning point 3.9882. The last vote
        // counts as z + 3.9882: 0 + 1 + 2 + 4 − 4z + 3.9882 = 0.
        let z = huber(&[0.0, 1.0, 2.0, 4.0, 100.0], 2.0);
        assert!((z - (7.0 + 1.345 * 1.4826 * 2.0) / 4.0).abs() < 1e-9, "{z}");
        assert!((z - huber(&[0.0, 1.0, 2.0, 4.0, 1e6], 2.0)).abs() < 1e-9);
    }

    #[test]
    fn votes_close_together_give_their_mean_and_two_votes_their_middle() {
        assert!((huber(&[1.0, 2.0, 2.5, 3.0], 5.0) - 2.125).abs() < 1e-9);
        assert_eq!(huber(&[1.0, 9.0], 1.0), 5.0);
        assert_eq!(huber(&[4.0, 4.0, 4.0], 0.0), 4.0);
    }
}
