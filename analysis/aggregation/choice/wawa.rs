//! `wawa`: annotators weigh their agreement with the majority ("worker agreement with aggregate").

use super::majority;
use crate::ChoiceVotes;

/// The share of every annotator's votes that are the majority's label; 0 without votes. Uses no control. It is crowd-kit's
/// skill, where an annotator does not vote twice for the same label of an item.
pub(super) fn weights(votes: &ChoiceVotes, n_labels: u32) -> Vec<f64> {
    let mut agreed = vec![(0u32, 0u32); votes.n_annotators()];
    let mut shares = vec![0.0; n_labels as usize];
    for (_, annotators, labels) in votes.items() {
        let Some(winner) = majority::estimate(labels, &mut shares) else {
            continue;
        };
        for (&annotator, &label) in annotators.iter().zip(labels) {
            let (right, n) = &mut agreed[annotator as usize];
            *right += u32::from(label == winner.label);
            *n += 1;
        }
    }
    let share = |(right, n): (u32, u32)| f64::from(right) / f64::from(n.max(1));
    agreed.into_iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_as_worked_by_hand() {
        // Majorities: item 0 → 1, item 1 a tie → 0, item 2 → 2. Annotator 1 agrees on items 0 and 2 of its three.
        let votes = ChoiceVotes::new(
            3,
            4,
            &[0, 0, 0, 1, 1, 2, 2],
            &[0, 1, 2, 0, 1, 1, 2],
            &[1, 1, 0, 0, 1, 2, 2],
        )
        .unwrap();
        assert_eq!(weights(&votes, 3), [1.0, 2.0 / 3.0, 0.5, 0.0]);
    }
}
