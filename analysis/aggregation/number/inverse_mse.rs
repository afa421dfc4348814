//! `inverse-mse` and `inverse-mse-unbiased`: annotators weigh one over their error variance on controls.

use super::linear::Term;
use super::standing::Standing;

/// No squared error counts as less than this share of the overall one, so that a perfect record does not weigh infinitely.
const FLOOR_SHARE: f64 = 1e-6;

/// `w_u = 1/MSE_u`, the mean squared error on controls, drawn to the overall one by empirical Bayes.
pub(super) fn inverse_mse(standing: &Standing, overall: f64, variance: f64) -> Term {
    Term {
        log_weight: -log(standing.square, overall),
        offset: 0.0,
        variance,
    }
}

/// Bias-corrected inverse variance: the annotator's bias b_u on controls, drawn to the common one by empirical Bayes, is
/// subtracted from his votes, and `w_u = 1/E (e − b_u)²`, which contains what is left uncertain of the bias.
pub(super) fn unbiased(standing: &Standing, overall: f64) -> Term {
    Term {
        log_weight: -log(standing.unbiased, overall),
        offset: standing.bias,
        variance: standing.own,
    }
}

/// The same with the variance τ² that all annotators share on an item taken out of the weights (not below a tenth): they then
/// follow the annotator's own noise, as is best when errors are correlated.
pub(super) fn unbiased_shared(standing: &Standing, overall: f64) -> Term {
    Term {
        log_weight: -log(standing.own, overall),
        offset: standing.bias,
        variance: standing.own,
    }
}

/// Logarithm of a variance relative to `overall`; 0 when nothing varies.
pub(super) fn log(variance: f64, overall: f64) -> f64 {
    if overall <= 0.0 {
        return 0.0;
    }
    (variance / overall).max(FLOOR_SHARE).ln()
}

#[cfg(test)]
mod tests {
    use super::super::linear::combine;
    use super::*;

    #[test]
    fn weights_are_inverse_variances_and_biases_are_subtracted() {
        let standing = |square: f64, bias, unbiased, own| Standing {
            mae: 1.0,
            square,
            bias,
            unbiased,
            own,
        };
        let (a, b) = (standing(4.0, 1.0, 3.0, 1.0), standing(12.0, -2.0, 6.0, 4.0));
        let mean =
            |f: &dyn Fn(&Standing) -> Term| combine(&[10.0, 20.0], &[f(&a), f(&b)], true).value;
        // 1/4 to 1/12: (3·10 + 20)/4; 1/3 to 1/6: (2·9 + 22)/3; 1 to 1/4: (4·9 + 22)/5.
        assert!((mean(&|s| inverse_mse(s, 5.0, 1.0)) - 12.5).abs() < 1e-12);
        assert!((mean(&|s| unbiased(s, 5.0)) - 40.0 / 3.0).abs() < 1e-12);
        assert!((mean(&|s| unbiased_shared(s, 5.0)) - 58.0 / 5.0).abs() < 1e-12);
        // Perfect on everything: all count the same.
        let perfect = standing(0.0, 0.0, 0.0, 0.0);
        assert_eq!(unbiased(&perfect, 0.0).log_weight, 0.0);
        assert!(inverse_mse(&perfect, 1.0, 0.0).log_weight.is_finite());
    }
}
