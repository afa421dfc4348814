//! Who votes: how good annotators are, how much they differ, what they share, and how many do not look.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, StandardNormal};
use serde::Serialize;
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::bans::{Bans, BotKind};
use super::formula::{HALF_NORMAL_MEAN, floor};
use crate::Error;
use crate::error::check_setting;

/// Share of an honest annotator's answers that are slips, with a larger noise: what makes the tails heavy.
pub(super) const SLIP_SHARE: f64 = 0.1;

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
/// An honest annotator u answers item i with `z_i + s_i + b_u + σ_u·ε`, kept on the scale: `s_i ~ N(0, τ²)` shared by all,
/// `b_u` normal (cut at two standard deviations, larger for those who err more), ε normal with one answer in ten [`Population::slip`]
/// times as far off. Their MAEs are log-normal with the mean and standard deviation given, and σ_u is solved for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Population {
    /// Mean over honest annotators of their expected MAE.
    pub mae: f64,
    /// Standard deviation between them.
    pub spread: f64,
    /// τ: standard deviation of the error that all share on an item.
    pub shared_sd: f64,
    /// Standard deviation of annotators' own constant biases.
    pub bias_sd: f64,
    /// How many times as far off a slip is; 1 for normal errors, 2.2 as in the simulated crowd.
    pub slip: f64,
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
            bias_sd: 2.0,
            slip: 2.2,
            bots: 0.05,
            activity_sd: 1.33,
            scale: (0.0, 120.0),
            truths: Truths::Evenly(1.0, 80.0),
            uncertainty: Uncertainty::default(),
        }
    }
}

/// One annotator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person {
    /// How much this one does, relative to others.
    pub(super) activity: f64,
    /// Controls after which this one is found out; `None`: never.
    pub(super) caught_after: Option<u32>,
    /// How this one does not look; `None` for the honest.
    pub(super) bot: Option<BotKind>,
    bias: f64,
    noise: f64,
    /// Place on the scale, 0 to 1, of a bot's one answer.
    anchor: f64,
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
        let ok = (1.0..=10.0).contains(&self.slip);
        check_setting(ok, "slip", self.slip, "must be 1 to 10")?;
        let ok = self.activity_sd <= 4.0;
        check_setting(ok, "activity", self.activity_sd, "must be at most 4")?;
        let ok = self.spread <= self.mae;
        check_setting(ok, "spread", self.spread, "must not exceed the annotator MAE")?;
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
                check_setting(outside.is_none(), "truths", *outside.unwrap_or(&0.0), reason)
            }
        }
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

    /// `n` annotators, a share of [`Population::bots`] of them bots (rounded at random).
    pub(super) fn people(&self, n: usize, bans: &Bans, rng: &mut ChaCha8Rng) -> Vec<Person> {
        let weights: f64 = bans.bots.iter().map(|b| b.1).sum();
        let wanted = if weights > 0.0 { self.bots * n as f64 } else { 0.0 };
        let bots = (wanted + rng.random::<f64>()).floor() as usize;
        // Evenly over the kinds and over the tables of bans, so that a small share of bots is not a matter of luck.
        let start: f64 = rng.random();
        (0..n)
            .map(|u| {
                let along = (u as f64 + start) / bots.max(1) as f64 % 1.0;
                let quantile = rng.random();
                let kind = (u < bots).then(|| pick(bans, along * weights));
                self.person(kind, bans, quantile, rng)
            })
            .collect()
    }

    fn person(
        &self,
        kind: Option<usize>,
        bans: &Bans,
        quantile: f64,
        rng: &mut ChaCha8Rng,
    ) -> Person {
        let (bot, caught) = match kind.and_then(|k| bans.bots.get(k)) {
            Some((kind, _, caught)) => (Some(*kind), caught),
            None => (None, &bans.honest),
        };
        let log_sd = (1.0 + (self.spread / self.mae).powi(2)).ln().sqrt();
        let mae = self.mae * (log_sd * normal(rng) - log_sd * log_sd / 2.0).exp();
        let bias = self.bias_sd * normal(rng).clamp(-2.0, 2.0) * mae / self.mae;
        let activity = (self.activity_sd * normal(rng)).exp();
        let anchor = 0.15 + 0.225 * rng.random::<f64>();
        Person {
            activity,
            caught_after: caught.at(quantile),
            bot,
            bias,
            noise: self.noise(mae, bias),
            anchor,
        }
    }

    /// The σ under which an annotator of this bias has this expected MAE; 0 if bias and shared error alone exceed it.
    fn noise(&self, mae: f64, bias: f64) -> f64 {
        let expected = |noise: f64| {
            let sd = |noise: f64| (self.shared_sd.powi(2) + noise * noise).sqrt();
            (1.0 - SLIP_SHARE) * folded_normal_mean(bias, sd(noise))
                + SLIP_SHARE * folded_normal_mean(bias, sd(self.slip * noise))
        };
        let (mut low, mut high) = (0.0, 2.0 * mae / HALF_NORMAL_MEAN);
        for _ in 0..30 {
            let middle = f64::midpoint(low, high);
            if expected(middle) < mae {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// A true value.
    pub(super) fn truth(&self, rng: &mut ChaCha8Rng) -> f64 {
        match &self.truths {
            Truths::Evenly(a, b) => a + (b - a) * rng.random::<f64>(),
            Truths::Like(values) => values[rng.random_range(0..values.len())],
        }
    }

    /// What somebody answers about an item of this truth and shared error.
    pub(super) fn answer(&self, who: &Person, truth: f64, shared: f64, rng: &mut impl Rng) -> f64 {
        let (low, high) = self.scale;
        // The same number of draws for everybody: an answer more or less must not move the others.
        let (slip, guess): (f64, f64) = (rng.random(), rng.random());
        let noise = normal(rng);
        let size = if slip < SLIP_SHARE { self.slip } else { 1.0 };
        let seen = truth + shared + who.bias + who.noise * size * noise;
        let place = match who.bot {
            None => return seen.clamp(low, high),
            // A second use of `slip`, far from the slips.
            Some(BotKind::HalfRandom) if slip < 0.5 => return seen.clamp(low, high),
            Some(BotKind::HalfRandom | BotKind::Random) => guess,
            Some(BotKind::Plausible) => 35.0 / 120.0 + 0.1 * noise,
            Some(BotKind::Constant) => who.anchor,
        };
        (low + place * (high - low)).clamp(low, high)
    }
}

/// The kind at this place of the cumulated weights.
fn pick(bans: &Bans, at: f64) -> usize {
    let mut sum = 0.0;
    let place = bans.bots.iter().position(|b| {
        sum += b.1;
        at < sum
    });
    place.unwrap_or(bans.bots.len().saturating_sub(1))
}

/// E |X| of X ~ N(mean, sd²) (Leone, Nelson and Nottingham 1961).
fn folded_normal_mean(mean: f64, sd: f64) -> f64 {
    if sd <= 0.0 {
        return mean.abs();
    }
    let standard = Normal::standard();
    let ratio = mean / sd;
    2.0 * sd * standard.pdf(ratio) + mean * (1.0 - 2.0 * standard.cdf(-ratio))
}

pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn measured(population: &Population) -> (f64, f64, f64) {
        let rng = &mut ChaCha8Rng::seed_from_u64(4);
        let people = population.people(400, &Bans::default(), rng);
        let maes: Vec<f64> = people
            .iter()
            .map(|who| {
                let errors = (0..400).map(|_| {
                    let shared = population.shared_sd * normal(rng);
                    (population.answer(who, 50.0, shared, rng) - 50.0).abs()
                });
                errors.sum::<f64>() / 400.0
            })
            .collect();
        let mean = maes.iter().sum::<f64>() / 400.0;
        let variance = maes.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / 399.0;
        // What chance adds to 400 answers of a standard deviation of about 6.
        let chance = maes.iter().map(|m| (0.85 * m).powi(2)).sum::<f64>() / 400.0 / 400.0;
        let quiet = people.iter().filter(|p| p.noise == 0.0).count() as f64;
        (mean, (variance - chance).max(0.0).sqrt(), quiet)
    }

    #[test]
    fn annotators_have_the_errors_that_were_asked_for() {
        for (mae, spread, shared_sd) in [(7.22, 1.4, 3.0), (7.22, 2.5, 0.0), (4.0, 0.5, 4.0)] {
            let population = Population {
                mae,
                spread,
                shared_sd,
                bots: 0.0,
                scale: (-1000.0, 1000.0),
                ..Population::default()
            };
            let (mean, sd, _) = measured(&population);
            assert!((mean / mae - 1.0).abs() < 0.04, "{mean} {mae}");
            assert!((sd - spread).abs() < 0.2 * spread + 0.1, "{sd} {spread}");
        }
    }

    #[test]
    fn bots_are_the_share_asked_for_and_of_all_kinds() {
        let population = Population {
            bots: 0.21,
            ..Population::default()
        };
        let rng = &mut ChaCha8Rng::seed_from_u64(4);
        let people = population.people(100, &Bans::default(), rng);
        let of = |kind| people.iter().filter(|p| p.bot == Some(kind)).count();
        let counts = BotKind::ALL.map(of);
        assert!((21..=22).contains(&counts.iter().sum::<usize>()), "{counts:?}");
        for (count, share) in counts.iter().zip([9.0, 3.0, 6.0, 3.0]) {
            assert!((*count as f64 - share).abs() < 1.5, "{counts:?}");
        }
    }

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
