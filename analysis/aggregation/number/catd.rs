//! `catd`: weights from the upper confidence bound of an annotator's variance, for annotators with few votes.

use statrs::distribution::{ChiSquared, ContinuousCDF};
use std::collections::BTreeMap;

use super::alternation::{Fit, Limits, Residuals, alternate, rounded};
use crate::NumberVotes;

/// Passes at most.
const PASSES: usize = 20;

/// Level of the bound, as in the paper: its lower tail is half of it.
const ALPHA: f64 = 0.05;

/// Mean squared residuals are at least this share of the pooled variance.
const FLOOR_SHARE: f64 = 1e-4;

/// `w_u = χ²(α/2; n_u) / Σ (v − z_i)²`, `z_i = Σ w v / Σ w` over those who voted on the item (Li et al. 2014, CATD): one over
/// the upper bound of the annotator's variance. The published code of the VLDB 2017 survey leaves out the division by Σ w,
/// which makes the "mean" of numbers anything.
pub(super) fn fit(votes: &NumberVotes, start: Vec<f64>, scale: f64) -> Fit {
    let limits = Limits {
        passes: PASSES,
        prior: 0.0,
        freedom: f64::INFINITY,
    };
    // Annotators by the thousand have the same few numbers of votes.
    let mut quantiles = BTreeMap::new();
    alternate(votes, start, scale, None, limits, |sums, annotators| {
        for (a, s) in annotators.iter_mut().zip(sums) {
            let quantile = *quantiles
                .entry(s.n as u64)
                .or_insert_with_key(|&n| lower_quantile(n));
            a.weight = weight(s, quantile);
        }
    })
}

/// The χ² quantile at α/2; for who shares no item with anybody that of one vote.
fn lower_quantile(n: u64) -> f64 {
    ChiSquared::new(n.max(1) as f64).map_or(f64::MIN_POSITIVE, |d| d.inverse_cdf(ALPHA / 2.0))
}

fn weight(s: &Residuals, quantile: f64) -> f64 {
    let n = s.n.max(1.0);
    // In units of the pooled variance; who shares no item with anybody counts as average.
    let mean = if s.n > 0.0 {
        rounded(s.squares / n)
    } else {
        1.0
    };
    quantile / (n * mean.max(FLOOR_SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_table_quantiles_over_squared_residuals() {
        // χ² at 0.025: 3.247 (10), 0.000982 (1), 74.222 (100).
        let s = |n: f64, squares| Residuals {
            n,
            heft: n,
            sum: 0.0,
            squares,
            slack: 0.0,
        };
        for (n, quantile) in [(10u64, 3.24697), (1, 0.000_982), (100, 74.2219)] {
            let q = lower_quantile(n);
            assert!((q - quantile).abs() < 1e-4, "{n} {q}");
            let w = weight(&s(n as f64, 2.0 * n as f64), q);
            assert!((w - q / (2.0 * n as f64)).abs() < 1e-9 * w);
        }
        assert!(weight(&s(5.0, 0.0), 1.0).is_finite());
    }
}
