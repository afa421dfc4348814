//! Pulling scores from few controls towards the mean of all, as far as the data say they are noise.

use serde::{Deserialize, Serialize};

/// What a score of few controls is pulled towards the overall one by: `(n·score + k·overall)/(n + k)`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shrinkage {
    /// Scores as they are (`k = 0`).
    #[default]
    None,
    /// `k` = variance within annotators / variance between them, estimated from the controls themselves (one-way analysis
    /// of variance with unequal groups; for shares the moment estimator of Kleinman 1973; James and Stein's idea).
    /// Where no difference between annotators shows, or none can show because nobody has two controls, all get the mean.
    EmpiricalBayes,
    /// This `k`: the overall score counts as much as so many controls. At least 0.
    Fixed(f64),
}

impl Shrinkage {
    /// Errors on a negative or infinite fixed `k`.
    pub(crate) fn check(self) -> Result<(), crate::Error> {
        match self {
            Self::Fixed(k) => crate::error::check_setting(
                k.is_finite() && k >= 0.0,
                "shrinkage",
                k,
                "must be a number of controls, at least 0",
            ),
            _ => Ok(()),
        }
    }
}

/// Sums over annotators from which `k` and the overall mean follow. All are additive, so what one annotator (or one item
/// under test) adds can be taken out again without a second pass.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Groups {
    groups: f64,
    n: f64,
    n_squared: f64,
    sum: f64,
    squares: f64,
    between: f64,
    /// The greatest `squares` there has been: what rounding is measured by.
    scale: f64,
}

impl Groups {
    /// Adds an annotator with `n` values of this sum and sum of squares; nothing if `n = 0`.
    pub(crate) fn add(&mut self, n: f64, sum: f64, squares: f64) {
        self.change(1.0, n, sum, squares);
    }

    /// Takes the same out.
    pub(crate) fn remove(&mut self, n: f64, sum: f64, squares: f64) {
        self.change(-1.0, n, sum, squares);
    }

    fn change(&mut self, sign: f64, n: f64, sum: f64, squares: f64) {
        if n <= 0.0 {
            return;
        }
        self.groups += sign;
        self.n += sign * n;
        self.n_squared += sign * n * n;
        self.sum += sign * sum;
        self.squares += sign * squares;
        self.between += sign * sum * sum / n;
        self.scale = self.scale.max(self.squares);
    }

    /// Mean of all values; 0 without any.
    pub(crate) fn mean(&self) -> f64 {
        if self.n > 0.0 {
            (self.sum / self.n).max(0.0)
        } else {
            0.0
        }
    }

    /// The weight `k` of the overall mean under this shrinkage; infinite where all are to be taken as alike.
    pub(crate) fn k(&self, shrinkage: Shrinkage) -> f64 {
        match shrinkage {
            Shrinkage::None => 0.0,
            Shrinkage::Fixed(k) => k,
            Shrinkage::EmpiricalBayes => self.variance_ratio(),
        }
    }

    /// Pooled variance within groups; `None` if no group has two values.
    pub(crate) fn variance_within(&self) -> Option<f64> {
        let rest = self.exact(self.squares - self.between);
        (self.n > self.groups + 0.5).then(|| rest / (self.n - self.groups))
    }

    /// A difference of sums without what rounding alone leaves of it: sums that had values taken out differ in their last
    /// bits from sums that never had them, and 0/0 must not be decided by these.
    fn exact(&self, difference: f64) -> f64 {
        if difference > 1e-12 * self.scale {
            difference
        } else {
            0.0
        }
    }

    fn variance_ratio(&self) -> f64 {
        let Some(within) = self.variance_within().filter(|_| self.groups > 1.5) else {
            return f64::INFINITY;
        };
        let spread = self.exact(self.between - self.sum * self.sum / self.n) / (self.groups - 1.0);
        // The average group size when sizes differ (Snedecor and Cochran).
        let size = (self.n - self.n_squared / self.n) / (self.groups - 1.0);
        let between = (spread - within) / size;
        if between <= 0.0 {
            f64::INFINITY
        } else {
            within / between
        }
    }
}

/// `(sum + k·overall)/(n + k)`; the overall mean itself for `n = 0` or infinite `k`.
pub(crate) fn shrunk(n: f64, sum: f64, k: f64, overall: f64) -> f64 {
    if n <= 0.0 || k.is_infinite() {
        overall
    } else {
        (sum.max(0.0) + k * overall) / (n + k)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(values: &[&[f64]]) -> Groups {
        let mut g = Groups::default();
        for v in values {
            g.add(
                v.len() as f64,
                v.iter().sum(),
                v.iter().map(|x| x * x).sum(),
            );
        }
        g
    }

    #[test]
    fn k_is_the_ratio_of_variances_as_worked_by_hand() {
        // Means 2 and 8; within each ±1: variance within = (2 + 2)/2 = 2. Between: 2·(3² + 3²)/1 = 36 = 2 + 2·σ_b²,
        // so σ_b² = 17 and k = 2/17.
        let g = groups(&[&[1.0, 3.0], &[7.0, 9.0]]);
        assert!((g.k(Shrinkage::EmpiricalBayes) - 2.0 / 17.0).abs() < 1e-12);
        assert_eq!(g.mean(), 5.0);
        // (2·2 + 2/17·5)/(2 + 2/17)
        assert!((shrunk(2.0, 4.0, 2.0 / 17.0, 5.0) - 78.0 / 36.0).abs() < 1e-12);
    }

    #[test]
    fn annotators_that_do_not_differ_more_than_noise_all_get_the_mean() {
        let k = groups(&[&[1.0, 9.0], &[2.0, 8.0]]).k(Shrinkage::EmpiricalBayes);
        assert!(k.is_infinite());
        assert_eq!(shrunk(2.0, 4.0, k, 5.0), 5.0);
        assert!(
            groups(&[&[1.0], &[9.0]])
                .k(Shrinkage::EmpiricalBayes)
                .is_infinite()
        );
    }

    #[test]
    fn taking_an_annotator_out_again_leaves_the_sums_of_the_others() {
        let mut g = groups(&[&[1.0, 3.0], &[7.0, 9.0], &[4.0, 5.0, 6.0]]);
        g.remove(3.0, 15.0, 77.0);
        let k = groups(&[&[1.0, 3.0], &[7.0, 9.0]]).k(Shrinkage::EmpiricalBayes);
        assert!((g.k(Shrinkage::EmpiricalBayes) - k).abs() < 1e-12);
    }

    #[test]
    fn rounding_left_by_what_was_taken_out_does_not_look_like_a_difference() {
        // Nobody is ever right once the third annotator is gone: no variance at all, so all get the mean.
        let mut g = groups(&[&[0.0, 0.0, 0.0], &[0.0, 0.0]]);
        for third in [0.1, 0.7, 1.3] {
            g.add(3.0, 3.0 * third, 3.0 * third * third);
            g.remove(3.0, 3.0 * third, 3.0 * third * third);
            assert!(g.k(Shrinkage::EmpiricalBayes).is_infinite());
        }
    }
}
