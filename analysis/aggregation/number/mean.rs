//! `mean`: every vote counts the same.

use super::ballot::{Ballot, Point};

/// The arithmetic mean. One vote: that vote.
pub(super) fn estimate(ballot: &Ballot<'_>) -> Point {
    ballot.weighted_mean(|_| 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::ballot::value_of;
    use super::*;

    #[test]
    fn mean_of_three_votes_and_of_one() {
        // (20 + 30 + 43)/3 = 31
        assert_eq!(value_of(&[20.0, 30.0, 43.0], estimate), 31.0);
        assert_eq!(value_of(&[20.0], estimate), 20.0);
    }

    #[test]
    fn another_vote_at_the_mean_changes_nothing() {
        assert!((value_of(&[20.0, 30.0, 43.0, 31.0], estimate) - 31.0).abs() < 1e-12);
    }
}
