//! `lfc-n`: Gaussian votes with a variance per annotator, learned from the crowd alone.

use super::alternation::{Fit, Limits, Residuals, Weighing, alternate};
use crate::NumberVotes;

/// Passes at most.
const PASSES: usize = 60;

/// The pooled variance counts as so many votes of every annotator.
const PRIOR_VOTES: f64 = 1.0;

/// `v_ui = z_i + ε`, `ε ~ N(0, s_u²)`, by maximum likelihood (Raykar et al. 2010, section on regression, without features):
/// `z_i = Σ v/s² / Σ 1/s²`, `s_u² = mean (v − z_i)²`.
///
/// Two repairs. The variance of z_i is added to every squared residual, as EM with the truth as the hidden variable requires;
/// taking z_i for known, the likelihood is greatest when one annotator is taken for perfect. And the pooled variance counts
/// as one vote, so that no variance becomes 0.
pub(super) fn fit(votes: &NumberVotes, start: Vec<f64>, scale: f64) -> Fit {
    let limits = Limits {
        passes: PASSES,
        prior: 0.0,
        freedom: f64::INFINITY,
    };
    alternate(votes, start, scale, None, limits, update)
}

/// Variances in units of the pooled variance within items.
fn update(sums: &[Residuals], annotators: &mut [Weighing]) {
    for (a, s) in annotators.iter_mut().zip(sums) {
        a.weight = (s.n + PRIOR_VOTES) / (s.squares + s.slack + PRIOR_VOTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_as_worked_by_hand() {
        let sums = [
            Residuals {
                n: 3.0,
                heft: 3.0,
                sum: 0.0,
                squares: 0.5,
                slack: 0.5,
            },
            Residuals::default(),
        ];
        let mut all = [Weighing {
            weight: 9.0,
            offset: 0.0,
        }; 2];
        update(&sums, &mut all);
        // (3 + 1)/(0.5 + 0.5 + 1), and the pooled variance for who shares no item with anybody.
        assert_eq!(all.map(|a| a.weight), [2.0, 1.0]);
    }
}
