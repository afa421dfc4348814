//! `crh`: weights are the negative logarithm of an annotator's share of all loss.

use super::alternation::{Fit, Frame, Limits, Residuals, Weighing, alternate, rounded};
use crate::NumberVotes;

/// Passes at most.
const PASSES: usize = 20;

/// Losses are at least this share of the mean loss.
const FLOOR_SHARE: f64 = 1e-4;

/// `w_u = −ln(L_u / Σ L)`, `L_u` the mean of `(v − z_i)²/s_i²` over the annotator's votes, `s_i` the standard deviation of the
/// item's votes, `z_i = Σ w v / Σ w` (Li et al. 2014, CRH; PM is the same idea). The mean and not the sum, as the paper asks
/// for where annotators have not seen all items. With many annotators weights differ little: that is the formula.
pub(super) fn fit(votes: &NumberVotes, start: Vec<f64>, scale: f64, frames: &[Frame]) -> Fit {
    let limits = Limits {
        passes: PASSES,
        prior: 0.0,
        freedom: f64::INFINITY,
    };
    alternate(votes, start, scale, Some(frames), limits, update)
}

fn update(sums: &[Residuals], annotators: &mut [Weighing]) {
    let (mut total, mut judged) = (0.0, 0.0);
    for s in sums.iter().filter(|s| s.n > 0.0) {
        total += s.squares / s.n;
        judged += 1.0;
    }
    for (a, s) in annotators.iter_mut().zip(sums) {
        // Relative to the mean loss; who shares no item with anybody counts as average.
        let loss = if s.n > 0.0 && total > 0.0 {
            rounded(s.squares / s.n / total * judged).max(FLOOR_SHARE)
        } else {
            1.0
        };
        // A single annotator has all the loss and would weigh nothing.
        a.weight = (f64::max(judged, 2.0).ln() - loss.ln()).max(FLOOR_SHARE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_logarithms_of_shares_as_worked_by_hand() {
        let s = |n, squares| Residuals {
            n,
            heft: n,
            sum: 0.0,
            squares,
            slack: 0.0,
        };
        // Mean losses 1, 2 and 5: shares 1/8, 1/4, 5/8.
        let sums = [s(2.0, 2.0), s(1.0, 2.0), s(2.0, 10.0)];
        let mut all = [Weighing {
            weight: 1.0,
            offset: 0.0,
        }; 3];
        update(&sums, &mut all);
        for (a, share) in all.iter().zip([0.125f64, 0.25, 0.625]) {
            assert!((a.weight + share.ln()).abs() < 1e-8);
        }
    }
}
