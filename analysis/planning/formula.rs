//! The closed form for equal annotators whose votes are averaged.

/// `sqrt(2/π)`: the mean absolute value of a normal variable with standard deviation 1.
pub const HALF_NORMAL_MEAN: f64 = 0.797_884_560_802_865_4;

/// Expected error (MAE) of the mean of `votes` equal annotators: `0.798·sqrt(τ² + (r² − τ²)/K)`, `r = mae/0.798` their root
/// mean square error, τ the standard deviation of the error they share. All in the unit of the question. With no votes it is
/// infinite; a τ beyond `r` counts as `r`.
pub fn label_mae(mae: f64, shared_sd: f64, votes: f64) -> f64 {
    let square = (mae / HALF_NORMAL_MEAN).powi(2);
    let shared = (shared_sd * shared_sd).min(square);
    if votes <= 0.0 {
        return f64::INFINITY;
    }
    HALF_NORMAL_MEAN * (shared + (square - shared) / votes).sqrt()
}

/// The error that no number of votes gets below: 0.798·τ.
pub fn floor(shared_sd: f64) -> f64 {
    HALF_NORMAL_MEAN * shared_sd
}

/// Votes per item that bring equal annotators to `target`; `None` where no number does.
pub fn votes_needed(mae: f64, shared_sd: f64, target: f64) -> Option<u32> {
    let square = (mae / HALF_NORMAL_MEAN).powi(2);
    let shared = (shared_sd * shared_sd).min(square);
    let room = (target / HALF_NORMAL_MEAN).powi(2) - shared;
    if target >= mae {
        return Some(1);
    }
    if square.is_nan() || room.is_nan() || room <= 0.0 {
        return None;
    }
    let votes = ((square - shared) / room - 1e-9).ceil().max(1.0);
    (votes <= f64::from(u32::MAX)).then_some(votes as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_needed_by_annotators_of_7_22_years_as_worked_by_hand() {
        // r² = (7.22/0.79788)² = 81.88. For 4.0 years (4/0.79788)² = 25.13 must be reached, for 3.0 years 14.14.
        // τ = 0: 81.88/25.13 = 3.3, 81.88/14.14 = 5.8. τ = 2: 77.88/21.13 = 3.7, 77.88/10.14 = 7.7.
        // τ = 4: 65.88/9.13 = 7.2; 14.14 lies below 16: impossible.
        let table = [
            (0.0, Some(4), Some(6)),
            (2.0, Some(4), Some(8)),
            (4.0, Some(8), None),
        ];
        for (tau, for_four, for_three) in table {
            assert_eq!(votes_needed(7.22, tau, 4.0), for_four, "{tau}");
            assert_eq!(votes_needed(7.22, tau, 3.0), for_three, "{tau}");
        }
    }

    #[test]
    fn the_votes_needed_are_the_first_that_reach_the_target() {
        for tau in [0.0, 1.0, 2.5, 4.0] {
            for target in [2.0, 3.3, 4.0, 6.0] {
                match votes_needed(7.22, tau, target) {
                    Some(votes) => {
                        assert!(label_mae(7.22, tau, f64::from(votes)) <= target + 1e-9);
                        assert!(
                            votes == 1 || label_mae(7.22, tau, f64::from(votes) - 1.0) > target
                        );
                    }
                    None => assert!(floor(tau) >= target),
                }
            }
        }
    }

    #[test]
    fn one_vote_errs_as_its_annotator_and_very_many_as_the_floor() {
        assert!((label_mae(7.22, 3.0, 1.0) - 7.22).abs() < 1e-12);
        assert!((label_mae(7.22, 3.0, 1e12) - floor(3.0)).abs() < 1e-6);
        assert_eq!(label_mae(7.22, 3.0, 0.0), f64::INFINITY);
        assert_eq!(votes_needed(7.22, 3.0, 9.0), Some(1));
        assert_eq!(votes_needed(f64::NAN, 0.0, 1.0), None);
    }
}
