//! An annotator's error and bias on controls, each drawn to the crowd's as far as it may be chance.

use crate::scoring::Shrinkage;
use crate::scoring::controls::{ErrorSums, Totals};
use crate::scoring::shrinkage::shrunk;

/// The crowd counts for no less than one and no more than a million controls of the annotator's own.
const STRENGTH: (f64, f64) = (1.0, 1e6);

/// No own variance is less than this share of what it was taken out of.
const LEAST_SHARE: f64 = 0.1;

/// What is known of an annotator before any control of his: empirical Bayes from all controls (or all but one).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prior {
    /// MAE, mean square, and the number of controls they count as.
    mae: f64,
    square: f64,
    strength: f64,
    /// The bias common to all.
    pub(super) common: f64,
    /// Number of controls the common bias counts as in an annotator's own; infinite when biases do not differ visibly.
    bias_strength: f64,
    /// Pooled variance of an annotator's errors around the own bias.
    variance: f64,
    /// τ² without the square of the common bias.
    pub(super) shared: f64,
    /// Variance of one vote around what all share.
    own: f64,
}

/// An annotator as seen from an item: by the other controls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Standing {
    /// Mean absolute error.
    pub(super) mae: f64,
    /// Mean squared error.
    pub(super) square: f64,
    /// Mean error.
    pub(super) bias: f64,
    /// Mean squared error that is left when the bias is subtracted, with the uncertainty of the bias.
    pub(super) unbiased: f64,
    /// The same without what all share.
    pub(super) own: f64,
}

impl Prior {
    /// `own` and `shared` are the pooled variances of votes around what all share and of what all share.
    pub(super) fn new(totals: &Totals, own: f64, shared: f64) -> Self {
        let square = totals.total.mean_square().unwrap_or(own + shared);
        let common = totals.means.common_bias();
        Self {
            mae: totals.groups.mean(),
            square,
            // The relative variance of a mean square is four times that of a mean of normal |errors| in skill (it is a square)
            // and 3.5 times in chance: the ratio k serves both.
            strength: totals
                .groups
                .k(Shrinkage::EmpiricalBayes)
                .clamp(STRENGTH.0, STRENGTH.1),
            common,
            bias_strength: totals.signed.k(Shrinkage::EmpiricalBayes),
            variance: totals.signed.variance_within().unwrap_or(square),
            shared: (shared - common * common).max(0.0),
            own,
        }
    }

    /// The annotator with these sums over (other) controls.
    pub(super) fn standing(&self, sums: &ErrorSums) -> Standing {
        let (n, k, kb) = (sums.n, self.strength, self.bias_strength);
        let bias = if kb.is_finite() && n > 0.0 {
            (sums.signed + kb * self.common) / (n + kb)
        } else {
            self.common
        };
        // Σ (e − bias)², and the variance of the bias itself, which falls on every vote.
        let centred = (sums.squares - 2.0 * bias * sums.signed + n * bias * bias).max(0.0);
        let of_bias = if kb.is_finite() && n + kb > 0.0 {
            self.variance / (n + kb)
        } else {
            0.0
        };
        let unbiased = (centred + k * self.variance) / (n + k) + of_bias;
        Standing {
            mae: shrunk(n, sums.absolute, k, self.mae),
            square: (sums.squares + k * self.square) / (n + k),
            bias,
            unbiased,
            own: (unbiased - self.shared).max(LEAST_SHARE * unbiased.min(self.own)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NumberVotes;
    use crate::scoring::controls::ControlErrors;

    #[test]
    fn biases_and_variances_as_worked_by_hand() {
        // Errors of annotator 0: 4, 6; of annotator 1: −1, 1 (four controls, one vote each).
        let votes =
            NumberVotes::new(4, 2, &[0, 1, 2, 3], &[0, 0, 1, 1], &[14.0, 16.0, 9.0, 11.0]).unwrap();
        let controls = ControlErrors::of(&votes, &[Some(10.0); 4]);
        let prior = Prior::new(&controls.totals(), 0.0, 0.0);
        // Within: 2 and 2 over two degrees of freedom: 2. Between: 2·(2.5² + 2.5²) = 25 = 2 + 2·s², s² = 11.5, k = 2/11.5.
        let kb = 2.0 / 11.5;
        // Mean errors 4, 6, −1, 1: mean 2.5, variance of the mean (29/4·... ) = 29/(3·4).
        let common = 2.5 * (1.0 - 29.0 / 12.0 / 6.25);
        assert!((prior.common - common).abs() < 1e-12);
        let s = prior.standing(&controls.annotators[0]);
        let bias = (10.0 + kb * common) / (2.0 + kb);
        assert!((s.bias - bias).abs() < 1e-12);
        // |errors| 4, 6 and 1, 1: within 1, between 4·... = 16 = 1 + 2·s²: k below 1 counts as 1.
        let centred = (4.0 - bias).powi(2) + (6.0 - bias).powi(2);
        let unbiased = (centred + 2.0) / 3.0 + 2.0 / (2.0 + kb);
        assert!((s.unbiased - unbiased).abs() < 1e-12);
        assert!((s.square - (52.0 + 54.0 / 4.0) / 3.0).abs() < 1e-12);
        assert!((s.mae - (10.0 + 3.0) / 3.0).abs() < 1e-12);
    }
}
