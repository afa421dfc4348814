//! `majority`: the label most annotators chose.

use super::tally::{Winner, tally};

/// Every vote weighs the same; of labels with equally many votes the one with the lowest index wins. `labels` are at least
/// one vote, `shares` has one entry per label and becomes the shares of votes.
pub(super) fn estimate(labels: &[u32], shares: &mut [f64]) -> Option<Winner> {
    tally(labels, labels.iter().map(|_| 1.0), shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_three_votes_are_a_majority_of_two_thirds() {
        let w = estimate(&[1, 0, 1], &mut [0.0; 2]).unwrap();
        assert_eq!((w.label, w.share), (1, 2.0 / 3.0));
        // One against one: the lower index, with a confidence of one half.
        let w = estimate(&[1, 0], &mut [0.0; 2]).unwrap();
        assert_eq!((w.label, w.share), (0, 0.5));
    }
}
