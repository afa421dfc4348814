//! `control-accuracy`: annotators weigh their accuracy on controls.

use super::tally::{Winner, tally};
use crate::scoring::choice::Answers;
use crate::scoring::shrinkage::{Groups, Shrinkage, shrunk};

/// The weight of one annotator: the share of correct answers to (other) controls, pulled towards the overall share as
/// `shrinkage` says (by default as far as it may be noise: of one control the raw accuracy would be 0 or 1). Who answered
/// no other control weighs the overall share.
pub(super) fn weight(answers: &Answers, groups: &Groups, k: f64) -> f64 {
    shrunk(answers.n, answers.correct, k, groups.mean())
}

/// The `k` of [`weight`].
pub(super) fn k(groups: &Groups, shrinkage: Shrinkage) -> f64 {
    groups.k(shrinkage)
}

/// The label with the greatest sum of weights; when nobody on the item has ever been right, the majority.
pub(super) fn estimate(labels: &[u32], weights: &[f64], shares: &mut [f64]) -> Option<Winner> {
    tally(labels, weights.iter().copied(), shares)
        .or_else(|| super::majority::estimate(labels, shares))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_good_annotator_outweighs_two_bad_ones() {
        // 0.9 against 0.4 + 0.3: confidence 0.9/1.6.
        let w = estimate(&[1, 0, 0], &[0.9, 0.4, 0.3], &mut [0.0; 2]).unwrap();
        assert_eq!((w.label, w.share), (1, 0.5625));
    }

    #[test]
    fn annotators_who_were_never_right_vote_by_majority() {
        let w = estimate(&[1, 0, 0], &[0.0; 3], &mut [0.0; 2]).unwrap();
        assert_eq!((w.label, w.share), (0, 2.0 / 3.0));
    }
}
