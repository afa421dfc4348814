//! `exp-mae`: annotators weigh `exp(−MAE)`, the reference method.

use super::ballot::{Ballot, Point};
use crate::Error;
use crate::error::check_setting;

/// `Σ w_u v_u / Σ w_u` with `w_u = exp(−MAE_u / T)` (MiVOLO, arXiv 2307.04616, with T = 1).
///
/// The smallest MAE among the item's voters is subtracted first: the weights keep their ratios, and exp(−1853), which is 0
/// for a computer, never occurs. The temperature T is in the unit of the votes: at T = 1 large errors leave one annotator's
/// vote, small ones the plain mean.
pub(super) fn estimate(ballot: &Ballot<'_>, temperature: f64) -> Point {
    let best = ballot
        .skills
        .iter()
        .map(|s| s.mae)
        .fold(f64::INFINITY, f64::min);
    ballot.weighted_mean(|skill| weight(skill.mae, best, temperature))
}

/// exp(−MAE/T) over that of the best.
pub(super) fn weight(mae: f64, best: f64, temperature: f64) -> f64 {
    ((best - mae) / temperature).exp()
}

/// The logarithm of exp(−MAE/T); T infinite, or T = 0 where nobody ever errs, gives the plain mean.
pub(super) fn log_weight(mae: f64, temperature: f64) -> f64 {
    if temperature > 0.0 && temperature.is_finite() {
        -mae / temperature
    } else {
        0.0
    }
}

/// Errors unless the temperature is positive.
pub(super) fn check(temperature: f64) -> Result<(), Error> {
    check_setting(
        temperature > 0.0,
        "temperature",
        temperature,
        "must be positive, in the unit of the votes",
    )
}

#[cfg(test)]
mod tests {
    use super::super::ballot::with_ballot;
    use super::*;

    #[test]
    fn weights_fall_with_the_mae_as_worked_by_hand() {
        // MAE 5 and 5 + ln 3: weights 1 and 1/3: (3·20 + 40)/4 = 25; (4/3)²/(10/9) = 1.6 effective votes.
        let p = with_ballot(&[(20.0, 5.0), (40.0, 5.0 + 3f64.ln())], |b| {
            estimate(b, 1.0)
        });
        assert!((p.value - 25.0).abs() < 1e-12 && (p.effective_votes - 1.6).abs() < 1e-12);
        // At twice the temperature a difference of 2·ln 3 does the same.
        let p = with_ballot(&[(20.0, 5.0), (40.0, 5.0 + 2.0 * 3f64.ln())], |b| {
            estimate(b, 2.0)
        });
        assert!((p.value - 25.0).abs() < 1e-12);
    }

    #[test]
    fn errors_of_thousands_do_not_underflow() {
        let p = with_ballot(&[(20.0, 1853.0), (40.0, 1853.0), (90.0, 2853.0)], |b| {
            estimate(b, 1.0)
        });
        assert_eq!((p.value, p.effective_votes), (30.0, 2.0));
        let p = with_ballot(&[(20.0, 1853.0), (40.0, 1854.0)], |b| estimate(b, 1e-300));
        assert_eq!(p.value, 20.0);
    }
}
