//! One item's votes as a method sees them, and what a method makes of them.

/// How an annotator is seen from one item: by controls without that item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Skill {
    /// Mean absolute error, in the unit of the votes; the overall one for who has no (other) control.
    pub(crate) mae: f64,
    /// Variance of the annotator's own error: what is left of the mean squared error without what all share.
    pub(crate) variance: f64,
}

/// The votes of one item (at least one), in step with their annotators' skills.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ballot<'a> {
    /// The votes.
    pub(crate) values: &'a [f64],
    /// Their annotators.
    pub(crate) skills: &'a [Skill],
    /// MAE over all votes on controls, without this item; 0 when unknown.
    pub(crate) overall_mae: f64,
}

/// A method's estimate of one item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// The estimate.
    pub(crate) value: f64,
    /// Variance due to the annotators' own errors.
    pub(crate) variance: f64,
    /// (Σw)²/Σw² of the weights of annotators; the number of votes where annotators are not told apart.
    pub(crate) effective_votes: f64,
    /// Whether annotators' biases, with the one common to all, have been subtracted.
    pub(crate) unbiased: bool,
}

impl Ballot<'_> {
    /// Smallest and largest vote.
    pub(crate) fn range(&self) -> (f64, f64) {
        self.values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| {
                (low.min(v), high.max(v))
            })
    }

    /// Fills `sorted` with the votes in ascending order.
    pub(crate) fn sort<'s>(&self, sorted: &'s mut Vec<f64>) -> &'s [f64] {
        sorted.clear();
        sorted.extend_from_slice(self.values);
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    }

    /// `Σ w v / Σ w` with `w = weight(skill)`, and its variance `Σ w² σ_u² / (Σ w)²`.
    ///
    /// Votes are taken from the smallest one on, so that nothing is lost when they are far from zero. At least one weight
    /// must be positive.
    pub(crate) fn weighted_mean(&self, weight: impl Fn(&Skill) -> f64) -> Point {
        let (base, _) = self.range();
        let (mut w1, mut w2, mut wv, mut variance) = (0.0, 0.0, 0.0, 0.0);
        for (value, skill) in self.values.iter().zip(self.skills) {
            let w = weight(skill);
            w1 += w;
            w2 += w * w;
            wv += w * (value - base);
            variance += w * w * skill.variance;
        }
        Point {
            value: base + wv / w1,
            variance: variance / (w1 * w1),
            effective_votes: w1 * w1 / w2,
            unbiased: false,
        }
    }

    /// An estimate by rank, which does not tell annotators apart. Its variance is `factor · K / (Σ 1/σ_u)²`: exactly
    /// `factor · σ²/K` for equal annotators, and for unequal ones the law of the median (Sen 1968), which a wild annotator
    /// cannot inflate. `factor` is the estimator's variance relative to the mean's for many normal votes; of one or two
    /// votes every such estimate is the mean, and the factor 1.
    pub(crate) fn by_rank(&self, value: f64, factor: f64) -> Point {
        let precision: f64 = self.skills.iter().map(|s| 1.0 / s.variance.sqrt()).sum();
        let n = self.values.len() as f64;
        let factor = if n > 2.0 { factor } else { 1.0 };
        Point {
            value,
            variance: factor * n / (precision * precision),
            effective_votes: n,
            unbiased: false,
        }
    }
}

/// The ballot of one test item: values with MAEs, unit variances.
#[cfg(test)]
pub(crate) fn with_ballot<R>(votes: &[(f64, f64)], f: impl FnOnce(&Ballot<'_>) -> R) -> R {
    let values: Vec<f64> = votes.iter().map(|v| v.0).collect();
    let skills: Vec<Skill> = votes
        .iter()
        .map(|v| Skill {
            mae: v.1,
            variance: 1.0,
        })
        .collect();
    f(&Ballot {
        values: &values,
        skills: &skills,
        overall_mae: 2.0,
    })
}

/// The value of `method` on plain votes.
#[cfg(test)]
pub(crate) fn value_of(votes: &[f64], method: impl FnOnce(&Ballot<'_>) -> Point) -> f64 {
    let votes: Vec<_> = votes.iter().map(|&v| (v, 1.0)).collect();
    with_ballot(&votes, |ballot| method(ballot).value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weighted_mean_variance_and_effective_votes_as_worked_by_hand() {
        // Weights 3 and 1: (3·10 + 14)/4 = 11; (9 + 1)/16 = 0.625; 16/10 = 1.6.
        let p = with_ballot(&[(10.0, 3.0), (14.0, 1.0)], |b| b.weighted_mean(|s| s.mae));
        assert_eq!((p.value, p.variance, p.effective_votes), (11.0, 0.625, 1.6));
    }

    #[test]
    fn by_rank_equal_annotators_give_factor_times_variance_over_votes() {
        let p = with_ballot(&[(10.0, 1.0); 4], |b| b.by_rank(10.0, 1.5));
        assert_eq!((p.variance, p.effective_votes), (1.5 / 4.0, 4.0));
    }
}
