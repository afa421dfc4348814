//! `control-log-odds`: annotators weigh the logarithm of the odds that they are right, known from controls.

use super::em::softmax;
use super::tally::{Winner, lowest_of_most};
use crate::scoring::choice::Answers;
use crate::scoring::shrinkage::{Groups, shrunk};

/// The weight of one vote: `ln((K − 1)·a/(1 − a))`, the best there is for independent annotators of known accuracy `a` (Nitzan
/// and Paroush 1982; for K labels an error is any of the others alike). Negative for who errs more often than chance: such
/// a vote speaks against its label. The accuracy is pulled towards the overall one by `k`, as in `control-accuracy`, and kept
/// half an answer away from 0 and 1, so that no annotator decides alone for ever. `total` is the number of answers of all.
pub(super) fn weight(answers: &Answers, groups: &Groups, k: f64, total: f64, n_labels: u32) -> f64 {
    if n_labels < 2 {
        return 1.0;
    }
    let accuracy = shrunk(answers.n, answers.correct, k, groups.mean());
    let behind = match answers.n > 0.0 {
        true => (answers.n + k).min(total),
        false => total,
    };
    let edge = 0.5 / (behind + 1.0);
    let accuracy = accuracy.clamp(edge, 1.0 - edge);
    (f64::from(n_labels - 1) * accuracy / (1.0 - accuracy)).ln()
}

/// The label with the greatest sum of weights, which may be one nobody chose; its share is its posterior probability when
/// all labels are equally likely beforehand. Where no weight says anything, the majority.
pub(super) fn estimate(labels: &[u32], weights: &[f64], shares: &mut [f64]) -> Option<Winner> {
    if weights.iter().all(|w| w.abs() < 1e-12) {
        return super::majority::estimate(labels, shares);
    }
    shares.fill(0.0);
    for (&label, weight) in labels.iter().zip(weights) {
        shares[label as usize] += weight;
    }
    softmax(shares);
    lowest_of_most(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(answers: &[Answers]) -> Groups {
        let mut groups = Groups::default();
        for a in answers {
            groups.add(a.n, a.correct, a.correct);
        }
        groups
    }

    #[test]
    fn odds_as_worked_by_hand() {
        // 8 of 10 right, 3 labels: ln(2·0.8/0.2) = ln 8. Always right: 10 of 10 counts as 10.5 of 11 → ln(2·21).
        let answers =
            [(10.0, 8.0), (10.0, 10.0), (0.0, 0.0)].map(|(n, correct)| Answers { n, correct });
        let groups = crowd(&answers);
        let w = |a: &Answers| weight(a, &groups, 0.0, 20.0, 3);
        assert!((w(&answers[0]) - 8f64.ln()).abs() < 1e-12);
        assert!((w(&answers[1]) - 42f64.ln()).abs() < 1e-12);
        // Nobody saw this one answer: overall accuracy 0.9.
        assert!((w(&answers[2]) - 18f64.ln()).abs() < 1e-12);
        // Three votes for 1 with ln 2 each against ln 6 for 0: 8 against 6 (and 1 for the third).
        let weights = [6f64.ln(), 2f64.ln(), 2f64.ln(), 2f64.ln()];
        let won = estimate(&[0, 1, 1, 1], &weights, &mut [0.0; 3]).unwrap();
        assert_eq!(won.label, 1);
        assert!((won.share - 8.0 / 15.0).abs() < 1e-12);
    }

    #[test]
    fn who_is_always_wrong_speaks_for_the_other_label() {
        let answers = [(9.0, 0.0), (9.0, 9.0)].map(|(n, correct)| Answers { n, correct });
        let groups = crowd(&answers);
        let w = weight(&answers[0], &groups, 0.0, 18.0, 2);
        assert!((w + 19f64.ln()).abs() < 1e-12, "{w}");
        let won = estimate(&[0], &[w], &mut [0.0; 2]).unwrap();
        assert_eq!(won.label, 1);
        assert!((won.share - 0.95).abs() < 1e-12);
        // A crowd at chance says nothing: the majority.
        let won = estimate(&[1, 1, 0], &[0.0; 3], &mut [0.0; 2]).unwrap();
        assert_eq!((won.label, won.share), (1, 2.0 / 3.0));
        assert_eq!(weight(&answers[0], &groups, 0.0, 18.0, 1), 1.0);
    }
}
