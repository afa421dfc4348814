//! An annotator's accuracy on choice controls, with its uncertainty.

use serde::Serialize;

use super::shrinkage::{Groups, Shrinkage, shrunk};
use crate::error::check_truths;
use crate::interval::wilson;
use crate::scoring::number::check_level;
use crate::{ChoiceVotes, Error, Interval};

/// One annotator's answers to choice controls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChoiceScore {
    /// Answers to controls.
    pub n: u32,
    /// Correct ones.
    pub correct: u32,
    /// Their share, 0 to 1.
    pub accuracy: f64,
    /// Wilson's interval of the accuracy.
    pub interval: Interval,
    /// The accuracy pulled towards the overall one as far as it may be noise.
    pub shrunk_accuracy: f64,
}

/// Scores of all annotators.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChoiceScores {
    /// By annotator's index; `None` for who answered no control.
    pub annotators: Vec<Option<ChoiceScore>>,
    /// All answers together, each counted once; `None` without any.
    pub overall: Option<ChoiceScore>,
}

/// Scores every annotator on the items whose truth is known; `truth` has one entry per item, `level` (0 to 1) is that of
/// the intervals. Errors if `truth` has another length or the level or shrinkage is out of range.
pub fn scores(
    votes: &ChoiceVotes,
    truth: &[Option<u32>],
    shrinkage: Shrinkage,
    level: f64,
) -> Result<ChoiceScores, Error> {
    check_truths(truth.len(), votes.n_items())?;
    check_level(level)?;
    shrinkage.check()?;
    let all = ControlAnswers::of(votes, truth);
    let (k, mean) = (all.groups.k(shrinkage), all.groups.mean());
    let score = |answers: &Answers| {
        (answers.n > 0.0).then(|| ChoiceScore {
            n: answers.n as u32,
            correct: answers.correct as u32,
            accuracy: answers.correct / answers.n,
            interval: wilson(answers.correct, answers.n, level),
            shrunk_accuracy: shrunk(answers.n, answers.correct, k, mean),
        })
    };
    Ok(ChoiceScores {
        annotators: all.annotators.iter().map(score).collect(),
        overall: score(&all.total),
    })
}

/// Counts of one annotator's answers to controls.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Answers {
    /// Answers.
    pub(crate) n: f64,
    /// Correct ones.
    pub(crate) correct: f64,
}

impl Answers {
    fn of(labels: &[u32], truth: u32) -> Self {
        Self {
            n: labels.len() as f64,
            correct: labels.iter().filter(|&&label| label == truth).count() as f64,
        }
    }

    fn minus(&self, other: &Self) -> Self {
        Self {
            n: self.n - other.n,
            correct: self.correct - other.correct,
        }
    }
}

/// Counts of all annotators, from which one item can be left out without a second pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct ControlAnswers {
    /// By annotator's index.
    pub(crate) annotators: Vec<Answers>,
    /// For shrinkage. A right answer is 1 and a wrong one 0, so the sum of squares is the sum.
    pub(crate) groups: Groups,
    /// All answers.
    pub(crate) total: Answers,
}

impl ControlAnswers {
    /// Counts over all items whose truth is known. Linear in their votes.
    pub(crate) fn of(votes: &ChoiceVotes, truth: &[Option<u32>]) -> Self {
        let mut all = Self {
            annotators: vec![Answers::default(); votes.n_annotators()],
            ..Self::default()
        };
        for (item, truth) in truth.iter().enumerate() {
            let Some(truth) = *truth else { continue };
            let (annotators, labels) = votes.item(item);
            for (&annotator, &label) in annotators.iter().zip(labels) {
                let right = f64::from(u8::from(label == truth));
                all.annotators[annotator as usize].n += 1.0;
                all.annotators[annotator as usize].correct += right;
                all.total.n += 1.0;
                all.total.correct += right;
            }
        }
        for a in &all.annotators {
            all.groups.add(a.n, a.correct, a.correct);
        }
        all
    }

    /// The groups without one item, whose votes and truth are given; `each` gets, per vote in the given order, its
    /// annotator's counts without the item.
    pub(crate) fn without(
        &self,
        annotators: &[u32],
        labels: &[u32],
        truth: u32,
        mut each: impl FnMut(Answers),
    ) -> Groups {
        let (mut groups, mut start) = (self.groups, 0);
        for run in annotators.chunk_by(|a, b| a == b) {
            let own = Answers::of(&labels[start..start + run.len()], truth);
            start += run.len();
            let all = &self.annotators[run[0] as usize];
            let rest = all.minus(&own);
            groups.remove(all.n, all.correct, all.correct);
            groups.add(rest.n, rest.correct, rest.correct);
            run.iter().for_each(|_| each(rest));
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_with_wilsons_interval_and_the_overall_share() {
        // Annotator 0: 3 of 4 right; annotator 1: 1 of 2; annotator 2: no control.
        let votes = ChoiceVotes::new(
            5,
            3,
            &[0, 1, 2, 3, 0, 1, 4],
            &[0, 0, 0, 0, 1, 1, 2],
            &[1, 0, 1, 1, 1, 1, 0],
        )
        .unwrap();
        let truth = [Some(1), Some(0), Some(0), Some(1), None];
        let s = scores(&votes, &truth, Shrinkage::Fixed(2.0), 0.95).unwrap();
        let a = s.annotators[0].unwrap();
        assert_eq!((a.n, a.correct, a.accuracy), (4, 3, 0.75));
        // Wilson for 3 of 4: 0.3006 to 0.9544.
        assert!((a.interval.low - 0.3006).abs() < 1e-3 && (a.interval.high - 0.9544).abs() < 1e-3);
        // (3 + 2·4/6)/6
        assert!((a.shrunk_accuracy - (3.0 + 4.0 / 3.0) / 6.0).abs() < 1e-12);
        assert_eq!(s.annotators[2], None);
        assert_eq!(s.overall.unwrap().correct, 4);
    }

    #[test]
    fn counts_without_an_item_are_those_of_a_table_that_never_had_it() {
        let votes =
            ChoiceVotes::new(2, 2, &[0, 0, 0, 1, 1], &[0, 0, 1, 0, 1], &[1, 0, 1, 1, 0]).unwrap();
        let all = ControlAnswers::of(&votes, &[Some(1), Some(1)]);
        let rest = ControlAnswers::of(&votes, &[None, Some(1)]);
        let (who, what) = votes.item(0);
        let mut per_vote = Vec::new();
        let groups = all.without(who, what, 1, |a| per_vote.push(a));
        let expected: Vec<_> = [0, 0, 1].map(|u: usize| rest.annotators[u]).to_vec();
        assert_eq!(per_vote, expected);
        assert_eq!(groups.mean(), 0.5);
    }
}
