//! One synthetic annotator: traits drawn once, and the noise that gives the expected error that was drawn.

use super::{CrowdSpec, Kind, dice::Dice, dice::Purpose};
use crate::Error;
use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution, StandardNormal};
use statrs::function::erf::erfc;

/// One answer in ten is a slip, with a noise larger by this factor.
pub(super) const SLIP: f64 = 2.2;
/// Share of answers that are slips.
pub(super) const SLIP_SHARE: f64 = 0.1;
/// Share of a rounding annotator's answers that are round.
pub(super) const ROUND_SHARE: f64 = 0.7;
/// A round number's step as a share of the scale: 5 years of 120.
const ROUND_STEP: f64 = 5.0 / 120.0;
/// Tasks after which a drifting annotator's noise has reached the one that was solved for.
const DRIFT_TASKS: f64 = 200.0;
/// How far below and above it a drifting annotator begins and ends.
const DRIFT: f64 = 0.35;

/// A synthetic annotator. Lengths are shares of a number scale's width.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotator {
    /// How this annotator behaves.
    pub kind: Kind,
    /// Own age in years, 18 to 70, more young than old.
    pub age: u8,
    /// Expected MAE over evenly spread truths. For bots: the one they would have if they looked.
    pub error: f64,
    /// What this annotator believes the own MAE to be: weakly correlated with it, and too good.
    pub believed_error: f64,
    /// Expected share of correct choices. For bots: the one they would have if they looked.
    pub accuracy: f64,
    /// Median time on a task, seconds.
    pub median_seconds: f64,
    /// How many suites this annotator does before leaving.
    pub suites: u32,
    /// Constant bias.
    pub(super) bias: f64,
    /// Standard deviation of the noise of an ordinary answer.
    pub(super) noise: f64,
    /// Log-odds of a correct choice on an item of ordinary difficulty.
    pub(super) choice_odds: f64,
    /// Whether this annotator likes round numbers.
    pub(super) rounds: bool,
    /// The place, 0..1, to which answers are pulled, or which a constant bot answers.
    pub(super) anchor: f64,
    /// How far answers are pulled to `anchor`.
    pub(super) pull: f64,
}

impl Annotator {
    /// The annotator with this index. `factor` makes the honest kinds' mean error the typical one.
    pub(super) fn draw(
        spec: &CrowdSpec,
        dice: Dice,
        index: u32,
        kind: Kind,
        factor: f64,
    ) -> Result<Self, Error> {
        let rng = &mut dice.stream(Purpose::Traits, u64::from(index), 0, 0);
        let relative = kind.relative_error() * factor;
        // Talent is −1 (best) to 1, bell-shaped and symmetric, like the annotators' MAE of the campaign of MiVOLO.
        let talent = 2.0 * draw_beta(2.0, 2.0, rng)? - 1.0;
        let spread = (spec.typical_error - spec.best_error / factor).max(0.0);
        let error = relative * (spec.typical_error + spread * talent);
        let wrong = 1.0 - spec.typical_accuracy;
        let best_wrong = (1.0 - spec.best_accuracy) / factor;
        let wrong = relative * (wrong + (wrong - best_wrong).max(0.0) * talent);
        let accuracy = 1.0 - wrong.clamp(1e-4, 0.99);
        let age = (18.0 + 52.9 * draw_beta(1.3, 3.2, rng)?).floor() as u8;
        // Correlation 0.3 with talent; Beta(2, 2) on −1..1 has standard deviation 1/√5.
        let belief = 0.3 * talent * 5f64.sqrt() + 0.91f64.sqrt() * normal(rng);
        let believed_error = 0.8 * spec.typical_error * (0.35 * belief).exp();
        let median_seconds =
            spec.typical_seconds * kind.relative_seconds() * (0.3 * normal(rng)).exp();
        // Log-normal: one in a hundred does 22 times the median, one in a thousand over 60 times.
        let suites = (spec.typical_suites * (1.33 * normal(rng)).exp()).clamp(1.0, 1e9) as u32;
        let bias = spec.bias * normal(rng).clamp(-2.0, 2.0) * error / spec.typical_error.max(1e-12);
        let rounds = rng.random::<f64>() < spec.rounding;
        let (anchor, pull) = match kind {
            // What a lazy person enters: an adult's number, 18 to 45 of 120 years.
            Kind::Constant => (0.15 + 0.225 * rng.random::<f64>(), 0.0),
            Kind::OwnAgeBiased => (f64::from(age) / 120.0, spec.pull),
            _ => (f64::from(age) / 120.0, 0.0),
        };
        let mut annotator = Self {
            kind,
            age,
            error,
            believed_error,
            accuracy,
            median_seconds,
            suites,
            bias,
            noise: 0.0,
            choice_odds: 0.0,
            rounds,
            anchor,
            pull,
        };
        annotator.noise = bisect(0.0, 1.0, |noise| {
            annotator.expected_error(spec, noise) < error
        });
        annotator.choice_odds = bisect(-40.0, 40.0, |odds| {
            expected_accuracy(spec.difficulty, odds) < accuracy
        });
        Ok(annotator)
    }

    /// How much larger the noise is than the one solved for, after `sequence` tasks.
    pub(super) fn drift(&self, sequence: u32) -> f64 {
        match self.kind {
            Kind::Drifting => {
                let done = f64::from(sequence);
                1.0 + DRIFT * (2.0 * done / (done + DRIFT_TASKS) - 1.0)
            }
            _ => 1.0,
        }
    }

    /// The systematic part of the error at a truth.
    pub(super) fn systematic(&self, spec: &CrowdSpec, truth: f64) -> f64 {
        self.bias - spec.regression * (truth - spec.centre()) + self.pull * (self.anchor - truth)
    }

    /// Expected MAE over evenly spread truths if the noise were this large. Leaves out the scale's ends.
    fn expected_error(&self, spec: &CrowdSpec, noise: f64) -> f64 {
        let rounding = if self.rounds {
            ROUND_SHARE * ROUND_STEP * ROUND_STEP / 12.0
        } else {
            0.0
        };
        let points = 16;
        let total: f64 = (0..points)
            .map(|k| {
                let along = (f64::from(k) + 0.5) / f64::from(points);
                let truth = spec.truth_low + along * (spec.truth_high - spec.truth_low);
                let mean = self.systematic(spec, truth);
                let m = size_at(truth);
                let sd = |noise: f64| {
                    (m * m * (spec.shared_error.powi(2) + noise * noise) + rounding).sqrt()
                };
                (1.0 - SLIP_SHARE) * folded_normal_mean(mean, sd(noise))
                    + SLIP_SHARE * folded_normal_mean(mean, sd(SLIP * noise))
            })
            .sum();
        total / f64::from(points)
    }
}

/// How large errors are at a place of the scale, relative to its middle: 0.4 at the low end, 1 from a fifth of the scale
/// on (24 of 120 years).
pub(super) fn size_at(truth: f64) -> f64 {
    (0.4 + 3.0 * truth).clamp(0.4, 1.0)
}

/// E|X| for X ~ N(mean, sd²).
fn folded_normal_mean(mean: f64, sd: f64) -> f64 {
    if sd <= 0.0 {
        return mean.abs();
    }
    let z = mean / sd;
    sd * (2.0 / std::f64::consts::PI).sqrt() * (-z * z / 2.0).exp()
        + mean * (1.0 - erfc(z / std::f64::consts::SQRT_2))
}

/// Expected share of correct choices over items whose difficulty is normal with this standard deviation, in log-odds.
fn expected_accuracy(difficulty: f64, odds: f64) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for k in -20..=20 {
        let z = f64::from(k) * 0.2;
        let weight = (-z * z / 2.0).exp();
        weights += weight;
        sum += weight * logistic(odds + difficulty * z);
    }
    sum / weights
}

/// 1 / (1 + exp(−x)).
pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The place between `low` and `high` up to which `below` holds.
fn bisect(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..20 {
        let middle = f64::midpoint(low, high);
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// A standard normal draw.
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn draw_beta(a: f64, b: f64, rng: &mut impl Rng) -> Result<f64, Error> {
    let beta = Beta::new(a, b).map_err(|e| Error::Unusable(format!("beta distribution: {e}")))?;
    Ok(beta.sample(rng))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_a_folded_normal_is_known_at_its_ends() {
        assert!((folded_normal_mean(0.0, 2.0) - 2.0 * 0.797_884_560_8).abs() < 1e-9);
        assert!((folded_normal_mean(-7.0, 0.1) - 7.0).abs() < 1e-9);
        assert_eq!(folded_normal_mean(-3.0, 0.0), 3.0);
    }

    #[test]
    fn bisection_finds_the_root_of_two() {
        assert!((bisect(0.0, 2.0, |x| x * x < 2.0) - 2f64.sqrt()).abs() < 1e-5);
    }
}
