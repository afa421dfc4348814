//! Weighted means whose weights depend on nothing but the annotator's error: worked out once per annotator instead of once per
//! vote, and for a control without sums that such a weight does not need.

use super::ballot::Skill;
use super::engine::Engine;
use super::formula::Formula;
use super::noise::{Evidence, Noise, own_variance, variances};
use super::{NumberEstimate, exp_mae, inverse_mae};
use crate::scoring::Shrinkage;
use crate::scoring::controls::{ErrorSums, Products};
use crate::scoring::shrinkage::shrunk;

/// An annotator's weight, and its square times the variance of the annotator's own error.
#[derive(Debug, Clone, Copy)]
struct Weight {
    weight: f64,
    variance: f64,
}

/// The weights of all annotators under one formula.
pub(super) struct Fixed {
    formula: Formula,
    weights: Vec<Weight>,
    noise: Noise,
    quantile: f64,
}

/// Where all weights of an item are smaller than the root of this, precision is lost: the formula itself is asked.
const LEAST_SQUARES: f64 = 1e-200;

/// A formula's weight of an annotator; `best` is the smallest MAE among those who are compared.
fn weight(formula: &Formula, mae: f64, best: f64, overall_mae: f64) -> Option<f64> {
    match *formula {
        Formula::Mean => Some(1.0),
        Formula::ExpMae(temperature) => Some(exp_mae::weight(mae, best, temperature)),
        Formula::InverseMae(power) => Some(inverse_mae::weight(mae, overall_mae, power)),
        _ => None,
    }
}

impl Fixed {
    /// `None` for a formula that is no weighted mean, or whose weights depend on more than the annotator. Intervals reach
    /// `quantile` standard errors to both sides.
    pub(super) fn of(formula: &Formula, engine: &Engine<'_>, quantile: f64) -> Option<Self> {
        let (skills, noise) = (engine.skills(), engine.evidence.noise);
        let maes = skills.iter().map(|s| s.mae);
        let best = maes.fold(f64::INFINITY, f64::min);
        let of = |skill: &Skill| {
            let weight = weight(formula, skill.mae, best, noise.overall_mae)?;
            let variance = weight * weight * skill.variance;
            Some(Weight { weight, variance })
        };
        Some(Self {
            formula: *formula,
            weights: skills.iter().map(of).collect::<Option<_>>()?,
            noise,
            quantile,
        })
    }

    /// The estimate of an item that is no control, with its uncalibrated standard error; `None` where there is no vote, or where
    /// the formula itself must be asked.
    pub(super) fn estimate(&self, annotators: &[u32], values: &[f64]) -> Option<NumberEstimate> {
        let weights = annotators.iter().map(|&u| self.weights[u as usize]);
        let sums = Sums::of(values, weights)?;
        let se = self.noise.standard_error(sums.variance(), false);
        Some(sums.estimate(values.len(), se, self.quantile))
    }

    /// The same of a control, seen without itself; `None` also where an annotator has two votes on it, or where scores are drawn to
    /// the mean as far as the scores themselves say.
    pub(super) fn estimate_control(
        &self,
        evidence: &Evidence,
        annotators: &[u32],
        values: &[f64],
        truth: f64,
        skills: &mut Vec<Skill>,
    ) -> Option<NumberEstimate> {
        let k = match evidence.shrinkage {
            Shrinkage::None => 0.0,
            Shrinkage::Fixed(k) => k,
            Shrinkage::EmpiricalBayes => return None,
        };
        if values.is_empty() || annotators.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        let item = ErrorSums::of(values, truth);
        let total = evidence.controls.total.minus(&item);
        let products = evidence.controls.products.minus(&Products {
            sum: item.signed * item.signed - item.squares,
            pairs: item.n * item.n - item.n,
        });
        let (own, shared) = variances(&total, &products, evidence.within);
        let overall = if total.n > 0.0 {
            total.absolute / total.n
        } else {
            0.0
        };
        let (v, tau) = (own.unwrap_or(0.0), shared.unwrap_or(0.0));
        skills.clear();
        let mut best = f64::INFINITY;
        for (&annotator, &value) in annotators.iter().zip(values) {
            let of = &evidence.controls.annotators[annotator as usize];
            let rest = of.minus(&ErrorSums::of(&[value], truth));
            let skill = Skill {
                mae: shrunk(rest.n, rest.absolute, k, overall),
                variance: own_variance(&rest, v, tau),
            };
            best = best.min(skill.mae);
            skills.push(skill);
        }
        let weights = skills.iter().map(|skill| {
            let weight = weight(&self.formula, skill.mae, best, overall).unwrap_or(f64::NAN);
            Weight {
                weight,
                variance: weight * weight * skill.variance,
            }
        });
        let sums = Sums::of(values, weights)?;
        // As `Noise::standard_error`, of the noise without this item.
        let se = own.map(|_| (sums.variance() + tau).sqrt());
        let se = se.filter(|&se| se > 0.0 && se.is_finite());
        Some(sums.estimate(values.len(), se, self.quantile))
    }
}

/// Sums over the votes on an item.
struct Sums {
    low: f64,
    high: f64,
    w1: f64,
    w2: f64,
    wv: f64,
    wwv: f64,
}

impl Sums {
    /// `None` where nothing, or next to nothing, has a weight.
    fn of(values: &[f64], weights: impl Iterator<Item = Weight>) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for &value in values {
            low = low.min(value);
            high = high.max(value);
        }
        let (mut w1, mut w2, mut wv, mut wwv) = (0.0, 0.0, 0.0, 0.0);
        for (value, vote) in values.iter().zip(weights) {
            let w = vote.weight;
            w1 += w;
            w2 += w * w;
            wv += w * (value - low);
            wwv += vote.variance;
        }
        (w2 >= LEAST_SQUARES).then_some(Self {
            low,
            high,
            w1,
            w2,
            wv,
            wwv,
        })
    }

    fn variance(&self) -> f64 {
        self.wwv / (self.w1 * self.w1)
    }

    fn estimate(&self, votes: usize, se: Option<f64>, quantile: f64) -> NumberEstimate {
        // Rounding may carry a mean of equal votes past them.
        let value = (self.low + self.wv / self.w1).clamp(self.low, self.high);
        NumberEstimate {
            value,
            se,
            low: se.map(|se| value - quantile * se),
            high: se.map(|se| value + quantile * se),
            votes: votes as u32,
            effective_votes: self.w1 * self.w1 / self.w2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NumberVotes;

    #[test]
    fn who_is_far_worse_than_the_best_is_left_to_the_formula() {
        // MAEs 0, 2000 and 2001: the second item has votes of the bad ones alone, whose weights are 0 beside the best.
        let votes = NumberVotes::new(
            3,
            3,
            &[0, 0, 0, 1, 1, 2, 2],
            &[0, 1, 2, 1, 2, 0, 1],
            &[5.0, 2005.0, 2006.0, 20.0, 40.0, 1.0, 9.0],
        )
        .unwrap();
        let truth = [Some(5.0), None, None];
        let formula = Formula::ExpMae(1.0);
        let evidence = Evidence::of(&votes, &truth, Shrinkage::None);
        let engine = Engine::new(&votes, &truth, evidence, &[formula]);
        let fixed = Fixed::of(&formula, &engine, 1.0).unwrap();
        let estimate = |item: usize| {
            let (annotators, values) = votes.item(item);
            fixed.estimate(annotators, values)
        };
        assert_eq!(estimate(1), None);
        assert_eq!(estimate(2).unwrap().value, 1.0);
        assert!(Fixed::of(&Formula::Median, &engine, 1.0).is_none());
    }
}
