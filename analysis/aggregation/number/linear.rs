//! Weighted means with a weight and a correction per annotator, weights given by their logarithms.

use super::ballot::Point;

/// One vote's part in a weighted mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Term {
    /// Logarithm of the weight.
    pub(super) log_weight: f64,
    /// Subtracted from the vote.
    pub(super) offset: f64,
    /// Variance of the vote's own error.
    pub(super) variance: f64,
}

/// `Σ w (v − offset) / Σ w` and its variance `Σ w² σ² / (Σ w)²`. The largest weight is taken for 1, so that no exponential
/// underflows everywhere; at least one vote, no infinite logarithm.
pub(super) fn combine(values: &[f64], terms: &[Term], unbiased: bool) -> Point {
    let most = terms
        .iter()
        .map(|t| t.log_weight)
        .fold(f64::NEG_INFINITY, f64::max);
    let base = values.iter().copied().fold(f64::INFINITY, f64::min);
    let (mut w1, mut w2, mut wv, mut variance) = (0.0, 0.0, 0.0, 0.0);
    for (value, term) in values.iter().zip(terms) {
        let w = (term.log_weight - most).exp();
        w1 += w;
        w2 += w * w;
        wv += w * (value - base - term.offset);
        variance += w * w * term.variance;
    }
    Point {
        value: base + wv / w1,
        variance: variance / (w1 * w1),
        effective_votes: w1 * w1 / w2,
        unbiased,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_offsets_and_variance_as_worked_by_hand() {
        // Weights 3 to 1, votes 10 − 1 and 14 + 1: (27 + 15)/4 = 10.5; variance (9·1 + 1·4)/16.
        let term = |log_weight, offset, variance| Term {
            log_weight,
            offset,
            variance,
        };
        let terms = [term(3f64.ln() - 2000.0, 1.0, 1.0), term(-2000.0, -1.0, 4.0)];
        let p = combine(&[10.0, 14.0], &terms, true);
        assert!((p.value - 10.5).abs() < 1e-12 && (p.variance - 13.0 / 16.0).abs() < 1e-12);
        assert!((p.effective_votes - 1.6).abs() < 1e-12);
    }
}
