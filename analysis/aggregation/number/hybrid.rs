//! `hybrid`: weights from the crowd's consensus and from controls together.

use super::alternation::Fit;
use super::ballot::Skill;
use super::choose::Losses;
use super::exp_mae;
use super::inverse_mse::log;
use super::linear::Term;
use super::noise::Noise;
use super::standing::Standing;

/// What is subtracted from an annotator's votes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shift {
    /// Nothing.
    None,
    /// The bias around the consensus.
    Consensus,
    /// The same and the bias that controls show all to have in common.
    Common,
}

/// `w_u = s_u^(−2g) · exp(−MAE_u/(r · overall MAE))`, `s_u²` around the consensus, MAE_u on controls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mix {
    /// g.
    pub(super) power: f64,
    /// r; infinite for no part of the MAE.
    pub(super) share: f64,
    /// What is subtracted.
    pub(super) shift: Shift,
}

/// g of the grid.
const POWERS: [f64; 3] = [1.0, 0.5, 0.0];

/// r of the grid, from no part of the MAE to all weight on the best.
pub(super) const SHARES: [f64; 9] = [f64::INFINITY, 1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08];

impl Mix {
    /// The plain EM: weights 1/s_u², the bias around the consensus subtracted.
    pub(super) const PLAIN: Self = Self {
        power: 1.0,
        share: f64::INFINITY,
        shift: Shift::Consensus,
    };

    /// All of the grid, the plain one first.
    pub(super) fn grid() -> impl Iterator<Item = Self> {
        let shifts = [Shift::Consensus, Shift::Common, Shift::None];
        POWERS.into_iter().flat_map(move |power| {
            SHARES.into_iter().flat_map(move |share| {
                shifts.into_iter().map(move |shift| Self {
                    power,
                    share,
                    shift,
                })
            })
        })
    }

    /// Its settings.
    pub(super) fn words(&self) -> String {
        let share = if self.share.is_infinite() {
            "infinite".into()
        } else {
            self.share.to_string()
        };
        let shift = match self.shift {
            Shift::None => "biases left in",
            Shift::Consensus => "biases subtracted",
            Shift::Common => "biases and the common one subtracted",
        };
        format!("hybrid, g = {}, r = {share}, {shift}", self.power)
    }

    /// Whether it looks at no truth.
    pub(super) fn is_blind(&self) -> bool {
        self.share.is_infinite() && self.shift != Shift::Common
    }

    /// One vote's part.
    pub(super) fn term(
        &self,
        fit: &Fit,
        annotator: u32,
        standing: &Standing,
        skill: &Skill,
        noise: &Noise,
    ) -> Term {
        let a = &fit.annotators[annotator as usize];
        let common = noise.prior.common;
        let offset = match self.shift {
            Shift::None => 0.0,
            Shift::Consensus => a.offset,
            Shift::Common => a.offset + common,
        };
        let by_mae = exp_mae::log_weight(standing.mae, self.share * noise.overall_mae);
        // Errors around the consensus are what counts; without two votes on any item there is none.
        // Errors around the consensus are what counts, and the bias too where it is left in. Without two votes on any item
        // there is no consensus.
        let own = match (self.shift, noise.within) {
            (Shift::None, _) | (_, None) => skill.variance,
            (_, Some(within)) => within / a.weight,
        };
        Term {
            log_weight: -self.power * log(1.0 / a.weight, 1.0) + by_mae,
            offset,
            variance: own,
        }
    }
}

/// The best formula on these errors, if it is better than the first by more than one standard error; else the first.
pub(super) fn chosen(losses: &Losses) -> usize {
    if losses.first_within(1.0) == 0 {
        0
    } else {
        losses.best()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_has_every_mix_once_the_plain_one_first() {
        let grid: Vec<_> = Mix::grid().collect();
        assert_eq!(grid.len(), 81);
        assert_eq!(grid[0], Mix::PLAIN);
        assert!(grid.iter().enumerate().all(|(i, m)| !grid[..i].contains(m)));
    }
}
