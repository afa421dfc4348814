//! Can something that annotators see tell a control from a real task? One feature at a time, by its AUC.

use serde::{Deserialize, Serialize};

/// How well one visible feature separates controls from real tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// What was looked at: `size of the picture file`.
    pub feature: String,
    /// Probability that a random control has a larger value than a random real task, ties counting half: 0.5 is no
    /// difference at all, 0 and 1 tell the roles apart with certainty.
    pub auc: f64,
    /// Standard error of `auc` if there were no difference.
    pub se: f64,
    /// Controls looked at.
    pub controls: usize,
    /// Real tasks looked at.
    pub real: usize,
}

impl Leak {
    /// Whether the difference is both real (3 standard errors) and large enough to be of use (AUC outside 0.4 to 0.6).
    pub fn tells(&self) -> bool {
        (self.auc - 0.5).abs() > 3.0 * self.se && (self.auc - 0.5).abs() > 0.1
    }
}

/// The AUC of a feature, from its values on controls and on real tasks: the Mann–Whitney U over the number of pairs, with
/// ties counting half (Mann and Whitney 1947; Hanley and McNeil 1982), and its standard error without a difference,
/// corrected for ties. `None` if either side is empty. Values must not be NaN.
pub fn leak(feature: &str, controls: &[f64], real: &[f64]) -> Option<Leak> {
    let (m, n) = (controls.len() as f64, real.len() as f64);
    if controls.is_empty() || real.is_empty() {
        return None;
    }
    let mut all: Vec<(f64, bool)> = controls.iter().map(|&v| (v, true)).collect();
    all.extend(real.iter().map(|&v| (v, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank_sum, mut ties) = (0.0, 0.0);
    let mut from = 0;
    while from < all.len() {
        let to = from
            + all[from..]
                .iter()
                .take_while(|v| v.0 == all[from].0)
                .count();
        // Tied values share the mean of their ranks, which start at 1.
        let rank = (from + to + 1) as f64 / 2.0;
        rank_sum += rank * all[from..to].iter().filter(|v| v.1).count() as f64;
        let t = (to - from) as f64;
        ties += t * t * t - t;
        from = to;
    }
    let u = rank_sum - m * (m + 1.0) / 2.0;
    let total = m + n;
    let tied = if total > 1.0 {
        ties / (total * (total - 1.0))
    } else {
        0.0
    };
    let se = ((total + 1.0 - tied) / (12.0 * m * n)).max(0.0).sqrt();
    let (controls, real) = (controls.len(), real.len());
    Some(Leak {
        feature: feature.to_owned(),
        auc: u / (m * n),
        se,
        controls,
        real,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand_two_controls_and_three_tasks() {
        // Pairs (control, real): (3,1) (3,2) won, (3,3) tied, (2,1) won, (2,2) tied, (2,3) lost: 4 of 6.
        let leak = leak("x", &[3.0, 2.0], &[1.0, 2.0, 3.0]).unwrap();
        assert!((leak.auc - 4.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn equal_values_tell_nothing_and_separate_ones_everything() {
        let same = leak("x", &[1.0; 50], &[1.0; 300]).unwrap();
        assert_eq!((same.auc, same.tells()), (0.5, false));
        let apart = leak("x", &[2.0; 50], &[1.0; 300]).unwrap();
        assert_eq!((apart.auc, apart.tells()), (1.0, true));
        assert!(leak("x", &[], &[1.0]).is_none());
    }

    #[test]
    fn the_standard_error_without_ties_is_the_textbook_one() {
        // sqrt((m + n + 1) / (12 m n)) for m = 2, n = 3.
        let found = leak("x", &[1.0, 4.0], &[2.0, 3.0, 5.0]).unwrap();
        assert!((found.se - (6.0f64 / 72.0).sqrt()).abs() < 1e-12);
    }
}
