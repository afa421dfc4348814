//! An answer against a control's truth, and how hard a control turned out to be.

use crate::{Answer, Error};
use serde::{Deserialize, Serialize};

/// What an answer to a control is worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Judgement {
    /// Answer minus truth, in the question's unit: positive if the annotator said too much.
    Error(f64),
    /// The right label.
    Right,
    /// Another label.
    Wrong,
    /// The annotator could not tell. Kept apart, so that a rule can decide what too many of these mean.
    Unsure,
}

impl Judgement {
    /// Size of the mistake: |error| in the question's unit, or 0 for right and 1 for wrong; `None` for unsure.
    pub fn size(self) -> Option<f64> {
        match self {
            Self::Error(error) => Some(error.abs()),
            Self::Right => Some(0.0),
            Self::Wrong => Some(1.0),
            Self::Unsure => None,
        }
    }
}

/// Judges `answer` by `truth`. `None` if there is nothing to judge by: the truth is missing or itself unsure, or it is of
/// the other kind than the answer, which answers read by their [`crate::Question`] never are.
pub fn judge(answer: Answer, truth: Option<Answer>) -> Option<Judgement> {
    match (answer, truth?) {
        (_, Answer::Unsure) => None,
        (Answer::Unsure, _) => Some(Judgement::Unsure),
        (Answer::Number(said), Answer::Number(is)) => Some(Judgement::Error(said - is)),
        (Answer::Choice(said), Answer::Choice(is)) if said == is => Some(Judgement::Right),
        (Answer::Choice(_), Answer::Choice(_)) => Some(Judgement::Wrong),
        (Answer::Number(_), Answer::Choice(_)) | (Answer::Choice(_), Answer::Number(_)) => None,
    }
}

/// How one control fared on one question.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Hardness {
    /// Answers judged, without unsure ones.
    pub n: u32,
    /// Annotators who could not tell.
    pub unsure: u32,
    /// Mean size of the mistake: mean |error| in the question's unit, or share of wrong labels; `None` if `n` is 0.
    pub mean_size: Option<f64>,
    /// Mean signed error in the question's unit; `None` for choices or if `n` is 0. If it is nearly as large as the mean
    /// size, everybody errs in one direction and the truth itself deserves a look.
    pub mean_error: Option<f64>,
}

/// Hardness of each of `n_controls` controls on one question, from pairs of control and judgement in any order. Controls
/// that nobody answered have `n` = 0. Errors if a control's index lies outside.
pub fn hardness(
    n_controls: usize,
    judgements: impl IntoIterator<Item = (u32, Judgement)>,
) -> Result<Vec<Hardness>, Error> {
    let mut all = vec![Hardness::default(); n_controls];
    for (control, judgement) in judgements {
        let Some(h) = all.get_mut(control as usize) else {
            return Err(Error::Unusable(format!(
                "control {control} of {n_controls} was judged"
            )));
        };
        let Some(size) = judgement.size() else {
            h.unsure += 1;
            continue;
        };
        h.n += 1;
        // Running means: no second pass, and no overflow of a sum.
        let step = |mean: Option<f64>, value: f64| {
            let mean = mean.unwrap_or(0.0);
            Some(mean + (value - mean) / f64::from(h.n))
        };
        h.mean_size = step(h.mean_size, size);
        if let Judgement::Error(error) = judgement {
            h.mean_error = step(h.mean_error, error);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Answer::{Choice, Number, Unsure};

    #[test]
    fn numbers_are_judged_by_signed_error_and_choices_by_right_or_wrong() {
        assert_eq!(
            judge(Number(30.0), Some(Number(34.0))),
            Some(Judgement::Error(-4.0))
        );
        assert_eq!(judge(Choice(1), Some(Choice(1))), Some(Judgement::Right));
        assert_eq!(judge(Choice(0), Some(Choice(1))), Some(Judgement::Wrong));
        assert_eq!(judge(Unsure, Some(Choice(1))), Some(Judgement::Unsure));
    }

    #[test]
    fn without_a_truth_there_is_no_judgement() {
        assert_eq!(judge(Number(30.0), None), None);
        assert_eq!(judge(Unsure, None), None);
        assert_eq!(judge(Number(30.0), Some(Unsure)), None);
        assert_eq!(judge(Number(1.0), Some(Choice(1))), None);
    }

    #[test]
    fn hardness_is_the_mean_size_of_mistakes_with_their_number() {
        // Errors −4, +2, +8: mean size 14/3, mean error 2.
        let errors = [-4.0, 2.0, 8.0].map(|e| (1u32, Judgement::Error(e)));
        let h = hardness(3, errors.into_iter().chain([(1, Judgement::Unsure)])).unwrap();
        assert_eq!(h[0], Hardness::default());
        assert_eq!((h[1].n, h[1].unsure), (3, 1));
        assert!((h[1].mean_size.unwrap() - 14.0 / 3.0).abs() < 1e-12);
        assert!((h[1].mean_error.unwrap() - 2.0).abs() < 1e-12);
        let h = hardness(1, [Judgement::Right, Judgement::Wrong].map(|j| (0, j))).unwrap();
        assert_eq!((h[0].mean_size, h[0].mean_error), (Some(0.5), None));
    }

    #[test]
    fn a_control_outside_the_list_is_an_error() {
        assert!(hardness(1, [(1, Judgement::Right)]).is_err());
    }
}
