//! Who votes: how good annotators are, how much they differ, what they share, and how many do not look.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, StandardNormal};
use serde::Serialize;

use super::formula::{HALF_NORMAL_MEAN, floor};
use crate::Error;
use crate::error::check_setting;

/// MAEs are symmetric while their standard deviation is at most this share of their mean, else log-normal: a symmetric
/// distribution would then reach 0.
const MOST_SYMMETRIC: f64 = 0.35;
/// Symmetric ones lie within so many standard deviations.
const FARTHEST: f64 = 2.24;

/// Where the true values of items lie, in the unit of the question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Truths {
    /// Spread evenly from the first to the second.
    Evenly(f64, f64),
    /// Drawn from these, as from the controls of a pilot campaign.
    Like(Vec<f64>),
}

/// How sure the figures of a [`Population`] are: standard errors, and how many were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Uncertainty {
    /// Standard error of [`Population::mae`].
    pub mae_se: f64,
    /// Standard error of [`Population::spread`].
    pub spread_se: f64,
    /// Standard error of τ² (not of τ), in the square of the unit.
    pub shared_variance_se: f64,
    /// Bots found among so many annotators who were looked at; `None` if the share is given.
    pub bots: Option<(u32, u32)>,
}

/// Annotators and items as a plan sees them. Lengths are in the unit of the question.
///
/// An honest annotator u answers item i with `z_i + s_i + b_u + m(z_i)·σ_u·ε`, kept on the scale. `s_i`, with variance τ², is shared
/// by all: the [`Population::pull`] to the middle of the truths, and for the rest normal, its size as `m`. `b_u` is normal, cut at
/// two standard deviations, and larger for those who err more. ε is normal with one answer in ten [`Population::slip`] times as far
/// off. `m` rises from [`Population::low_end`] at the lower end of the scale to 1 at a fifth of it. The MAEs have the mean and
/// standard deviation given and are symmetric, as in the campaign of MiVOLO (log-normal where they differ by more than a third), and
/// σ_u is solved for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Population {
    /// Mean over honest annotators of their expected MAE.
    pub mae: f64,
    /// Standard deviation between them.
    pub spread: f64,
    /// τ: standard deviation of the error that all share on an item, the pull included.
    pub shared_sd: f64,
    /// How much answers are drawn to the middle of the truths: with 0.08 an item 10 away from it is seen 0.8 nearer. Only as much
    /// of it counts as τ leaves room for.
    pub pull: f64,
    /// Standard deviation of annotators' own constant biases.
    pub bias_sd: f64,
    /// How many times as far off a slip is; 1 for normal errors, 2.2 as in the simulated crowd.
    pub slip: f64,
    /// How large errors are at the lower end of the scale, relative to those from a fifth of it on: a baby is hardly taken
    /// for a teenager. 1: as large.
    pub low_end: f64,
    /// Share of annotators who do not look, 0 to below 1.
    pub bots: f64,
    /// Standard deviation of the logarithm of how much annotators do: 1.33 when a few do most of the work.
    pub activity_sd: f64,
    /// Ends of the scale.
    pub scale: (f64, f64),
    /// Where items' true values lie.
    pub truths: Truths,
    /// How sure all this is.
    pub uncertainty: Uncertainty,
}

impl Default for Population {
    /// Ages in years, as in the campaign of MiVOLO (arXiv 2307.04616, 2023) and the simulated crowd calibrated to it.
    fn default() -> Self {
        Self {
            mae: 7.22,
            spread: 1.4,
            shared_sd: 3.0,
            pull: 0.0,
            bias_sd: 2.0,
            slip: 2.2,
            low_end: 0.4,
            bots: 0.05,
            activity_sd: 1.33,
            scale: (0.0, 120.0),
            truths: Truths::Evenly(1.0, 80.0),
            uncertainty: Uncertainty::default(),
        }
    }
}

impl Population {
    /// Checked: every figure finite and within its range. The error says which is not.
    pub fn check(&self) -> Result<(), Error> {
        let at_least_0 = [
            ("spread", self.spread),
            ("shared error", self.shared_sd),
            ("bias", self.bias_sd),
            ("activity", self.activity_sd),
        ];
        let ok = self.mae.is_finite() && self.mae > 0.0;
        check_setting(ok, "annotator MAE", self.mae, "must be above 0")?;
        for (name, value) in at_least_0 {
            let ok = value.is_finite() && value >= 0.0;
            check_setting(ok, name, value, "must be 0 or more")?;
        }
        let ok = (0.0..1.0).contains(&self.bots);
        check_setting(ok, "bots", self.bots, "must be a share, 0 up to below 1")?;
        let ok = (-1.0..=1.0).contains(&self.pull);
        check_setting(ok, "pull", self.pull, "must be −1 to 1")?;
        let ok = (0.0..=1.0).contains(&self.low_end);
        check_setting(ok, "low end", self.low_end, "must be 0 to 1")?;
        let ok = (1.0..=10.0).contains(&self.slip);
        check_setting(ok, "slip", self.slip, "must be 1 to 10")?;
        let ok = self.activity_sd <= 4.0;
        check_setting(ok, "activity", self.activity_sd, "must be at most 4")?;
        let ok = self.spread <= self.mae;
        check_setting(
            ok,
            "spread",
            self.spread,
            "must not exceed the annotator MAE",
        )?;
        let room = floor(self.shared_sd) < 0.95 * self.mae;
        let reason = "annotators of this MAE cannot share an error that large: 0.798 times it must stay below 95 % of the MAE";
        check_setting(room, "shared error", self.shared_sd, reason)?;
        let biased = self.bias_sd * HALF_NORMAL_MEAN < 0.95 * self.mae;
        let reason = "annotators of this MAE cannot have biases that large: 0.798 times it must stay below 95 % of the MAE";
        check_setting(biased, "bias", self.bias_sd, reason)?;
        let (low, high) = self.scale;
        let ok = low.is_finite() && high.is_finite() && low < high;
        check_setting(ok, "scale", high, "must be two numbers, the lower first")?;
        let inside = |z: f64| (low..=high).contains(&z);
        let reason = "must lie on the scale, the lower first";
        match &self.truths {
            Truths::Evenly(a, b) => {
                check_setting(inside(*a) && inside(*b) && a <= b, "truths", *b, reason)
            }
            Truths::Like(values) => {
                check_setting(!values.is_empty(), "truths", 0.0, "there must be some")?;
                let outside = values.iter().find(|z| !inside(**z));
                check_setting(
                    outside.is_none(),
                    "truths",
                    *outside.unwrap_or(&0.0),
                    reason,
                )
            }
        }
    }

    /// The MAE of an annotator whose talent is this standard normal number.
    pub(super) fn own_mae(&self, talent: f64) -> f64 {
        let ratio = self.spread / self.mae;
        if ratio > MOST_SYMMETRIC {
            let log_sd = (1.0 + ratio * ratio).ln().sqrt();
            return self.mae * (log_sd * talent - log_sd * log_sd / 2.0).exp();
        }
        // A normal number cut at ±2.24 has a standard deviation of 0.978.
        self.mae + self.spread * talent.clamp(-FARTHEST, FARTHEST) / 0.978
    }

    /// How large errors are at this place.
    pub(super) fn size(&self, truth: f64) -> f64 {
        let place = (truth - self.scale.0) / (self.scale.1 - self.scale.0);
        (self.low_end + 5.0 * (1.0 - self.low_end) * place).clamp(self.low_end, 1.0)
    }

    /// The population with figures drawn from their uncertainty: normal, kept within their ranges; the share of bots from
    /// its posterior under Jeffreys' prior.
    pub(super) fn drawn(&self, rng: &mut ChaCha8Rng) -> Self {
        let doubt = &self.uncertainty;
        let mut other = self.clone();
        // The same number of draws whatever the uncertainty, so that plans compare by the same chance.
        let [a, b, c] = [normal(rng), normal(rng), normal(rng)];
        other.mae = (self.mae + a * doubt.mae_se).max(0.3 * self.mae);
        other.spread = (self.spread + b * doubt.spread_se).clamp(0.0, 0.9 * other.mae);
        let variance = self.shared_sd.powi(2) + c * doubt.shared_variance_se;
        let most = 0.9 * other.mae / HALF_NORMAL_MEAN;
        other.shared_sd = variance.max(0.0).sqrt().min(most);
        if let Some((found, of)) = doubt.bots {
            let (found, honest) = (f64::from(found), f64::from(of.saturating_sub(found)));
            if let Ok(beta) = Beta::new(found + 0.5, honest + 0.5) {
                other.bots = beta.sample(rng).min(0.95);
            }
        }
        other.uncertainty = Uncertainty::default();
        other
    }
}

pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let bad = |change: fn(&mut Population), word: &str| {
            let mut population = Population::default();
            change(&mut population);
            let text = population.check().unwrap_err().to_string();
            assert!(text.contains(word), "{text}");
        };
        assert!(Population::default().check().is_ok());
        bad(|p| p.mae = 0.0, "annotator MAE");
        bad(|p| p.mae = f64::NAN, "annotator MAE");
        bad(|p| p.shared_sd = 9.0, "shared error");
        bad(|p| p.shared_sd = -1.0, "shared error");
        bad(|p| p.bias_sd = 9.0, "bias");
        bad(|p| p.bots = 1.0, "bots");
        bad(|p| p.spread = 8.0, "spread");
        bad(|p| p.scale = (5.0, 5.0), "scale");
        bad(|p| p.truths = Truths::Evenly(1.0, 130.0), "truths");
        bad(|p| p.truths = Truths::Like(vec![]), "truths");
    }
}
