//! `inverse-mae` and `inverse-mae2`: annotators weigh 1/MAE or 1/MAE².

use super::ballot::{Ballot, Point};

/// No annotator counts as better than this share of the overall MAE. It keeps a perfect record on a few controls from
/// weighing infinitely much; several perfect annotators share equally.
pub(super) const FLOOR_SHARE: f64 = 1e-3;

/// `Σ w_u v_u / Σ w_u` with `w_u = 1/MAE_u^power`, where MAE_u is at least [`FLOOR_SHARE`] of the overall MAE. The unit
/// cancels, so the weights are the same in years and in months. When all are perfect, all count the same.
pub(super) fn estimate(ballot: &Ballot<'_>, power: i32) -> Point {
    ballot.weighted_mean(|skill| weight(skill.mae, ballot.overall_mae, power))
}

/// (overall MAE / MAE)^power; 1 where all are perfect.
pub(super) fn weight(mae: f64, overall: f64, power: i32) -> f64 {
    if overall <= 0.0 {
        return 1.0;
    }
    (overall / mae.max(FLOOR_SHARE * overall)).powi(power)
}

#[cfg(test)]
mod tests {
    use super::super::ballot::with_ballot;
    use super::*;

    #[test]
    fn weights_are_inverse_to_the_mae_or_its_square() {
        // MAE 2 and 4: 1/MAE weighs 2 to 1: (2·20 + 50)/3 = 30; squared 4 to 1: (4·20 + 50)/5 = 26.
        let votes = [(20.0, 2.0), (50.0, 4.0)];
        assert!((with_ballot(&votes, |b| estimate(b, 1)).value - 30.0).abs() < 1e-12);
        assert!((with_ballot(&votes, |b| estimate(b, 2)).value - 26.0).abs() < 1e-12);
    }

    #[test]
    fn perfect_annotators_share_equally_and_outweigh_the_others_a_thousandfold() {
        // Overall MAE 2: the perfect ones count as 0.002, weights 1000, 1000 and 1.
        let p = with_ballot(&[(20.0, 0.0), (30.0, 0.0), (100.0, 2.0)], |b| {
            estimate(b, 1)
        });
        assert!((p.value - (20_000.0 + 30_000.0 + 100.0) / 2001.0).abs() < 1e-9);
    }

    #[test]
    fn when_all_are_perfect_it_is_the_mean() {
        let skill = super::super::ballot::Skill {
            mae: 0.0,
            variance: 0.0,
        };
        let ballot = Ballot {
            values: &[1.0, 2.0],
            skills: &[skill; 2],
            overall_mae: 0.0,
        };
        assert_eq!(estimate(&ballot, 2).value, 1.5);
    }
}
