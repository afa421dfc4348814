//! What honest annotators' and bots' errors look like: the two sides of the sequential test.

use crate::{NumberScale, Scale};
use serde::{Deserialize, Serialize};
use statrs::function::erf::erf;

/// Lower edges of the bins of |error|, as shares of a number scale's width: 0, 1, 2, 4, 6, 9, 13, 18, 25, 35 of 120 years.
/// The last bin has no upper end.
pub const EDGES: [f64; 10] = [
    0.0,
    1.0 / 120.0,
    2.0 / 120.0,
    4.0 / 120.0,
    6.0 / 120.0,
    9.0 / 120.0,
    13.0 / 120.0,
    18.0 / 120.0,
    25.0 / 120.0,
    35.0 / 120.0,
];

/// Honest errors before rounding, as weights and standard deviations (shares of the scale's width) of normal
/// distributions around 0, fitted by EM to the default honest crowd of [`crate::simulation`] on truths of 1 to 80 years; a
/// test compares the table with that crowd.
const HONEST_ERRORS: [(f64, f64); 3] = [
    (0.194, 5.36 / 120.0),
    (0.720, 8.73 / 120.0),
    (0.086, 17.8 / 120.0),
];

/// Share of wrong choices of honest annotators, before there is data.
const HONEST_WRONG: f64 = 0.06;

/// Honest annotators by quality: their share, and the direction in which the pooled table is tilted.
const QUALITIES: [(f64, f64); 3] = [(0.25, -1.0), (0.5, 0.0), (0.25, 1.0)];

/// Tilt in log-odds between the first and the last bin of |error|: a weaker annotator's MAE is a quarter larger.
const NUMBER_TILT: f64 = 1.8;

/// The same between correct and wrong: a weaker annotator is wrong almost twice as often.
const CHOICE_TILT: f64 = 0.7;

/// No bin is ever less probable than this: one answer must not decide alone.
const LEAST_SHARE: f64 = 1e-3;

/// Distributions over the bins of a question: [`EDGES`] for numbers, correct and wrong for choices. Each sums to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tables {
    /// Honest annotators, pooled.
    pub honest: Vec<f64>,
    /// How much honest annotators differ. The pooled table alone takes the weaker of them for half a bot, so a quarter each
    /// have the table tilted to smaller and to larger errors: `honest_j(b) ∝ honest(b) · exp(±tilt · b / last bin)`.
    pub tilt: f64,
    /// Kinds of bots. An annotator who is a bot is one kind for good.
    pub bots: Vec<Bot>,
    /// Whether these came from a campaign's own controls rather than with the program.
    pub estimated: bool,
}

/// One kind of bot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bot {
    /// What it does, for people.
    pub name: String,
    /// How common it is among bots; the weights of all kinds sum to 1.
    pub weight: f64,
    /// Its distribution over the bins.
    pub shares: Vec<f64>,
}

impl Tables {
    /// Tables before there is data. For numbers they hold for ages of 1 to 80 on 0 to 120 years and are carried over to
    /// other scales by the scale's width: where people err by another share of it, estimate the tables first.
    pub fn shipped(scale: &Scale) -> Self {
        match scale {
            Scale::Number(scale) => {
                let truths: Vec<f64> = (1..=80)
                    .map(|year| scale.min + f64::from(year) / 120.0 * scale.width())
                    .map(|t| if scale.integer { t.round() } else { t })
                    .collect();
                let honest = honest_shares(scale);
                let bots = number_bots(scale, &truths, &honest);
                Self {
                    honest,
                    tilt: NUMBER_TILT,
                    bots,
                    estimated: false,
                }
            }
            Scale::Choice(scale) => {
                let wrong = 1.0 - 1.0 / scale.labels.len().max(2) as f64;
                Self {
                    honest: vec![1.0 - HONEST_WRONG, HONEST_WRONG],
                    tilt: CHOICE_TILT,
                    bots: vec![Bot {
                        name: "guesses among the labels".into(),
                        weight: 1.0,
                        shares: vec![1.0 - wrong, wrong],
                    }],
                    estimated: false,
                }
            }
        }
    }

    /// Natural logarithm of how much more probable the answers counted per bin are from a bot than from an honest
    /// annotator: `ln Σ_k weight_k Π_b bot_k(b)^count_b − ln Σ_j share_j Π_b honest_j(b)^count_b`, where `honest_j` are a
    /// better, a typical and a weaker annotator (see [`Tables::tilt`]). No answers: 0. Counts beyond the bins are ignored.
    pub fn log_likelihood_ratio(&self, counts: &[f64]) -> f64 {
        self.bot_kinds().log(counts) - self.honest_kinds(self.tilt).log(counts)
    }

    /// The bots' side, relative to the pooled honest table.
    pub(super) fn bot_kinds(&self) -> Mixture {
        let kinds = self.bots.iter().map(|bot| {
            let ratios = bot.shares.iter().zip(&self.honest);
            (bot.weight.ln(), ratios.map(|(b, h)| (b / h).ln()).collect())
        });
        Mixture(kinds.collect())
    }

    /// The side of honest annotators who differ by this tilt, relative to the pooled honest table.
    pub(super) fn honest_kinds(&self, tilt: f64) -> Mixture {
        let steps = self.honest.len().max(2) as f64 - 1.0;
        let kinds = QUALITIES.iter().map(|(share, direction)| {
            let tilt = |bin: usize| direction * tilt * bin as f64 / steps;
            let bins = self.honest.iter().enumerate();
            let total: f64 = bins.map(|(bin, h)| h * tilt(bin).exp()).sum();
            let logs = (0..self.honest.len()).map(|bin| tilt(bin) - total.ln());
            (share.ln(), logs.collect())
        });
        Mixture(kinds.collect())
    }
}

/// Kinds of annotators: logarithm of each one's share, and its log-probability ratio per bin to some common table.
#[derive(Debug, Clone)]
pub(super) struct Mixture(Vec<(f64, Vec<f64>)>);

impl Mixture {
    /// Log-probability ratio of answers counted per bin, from somebody who is one of the kinds.
    pub(super) fn log(&self, counts: &[f64]) -> f64 {
        let kinds = self.0.iter().map(|(share, bins)| {
            let terms = counts.iter().zip(bins).map(|(n, log)| n * log);
            share + terms.sum::<f64>()
        });
        log_sum_exp(kinds)
    }

    /// Takes in one more answer, and gives the log-probability ratio of all so far. A bin beyond the last changes nothing.
    pub(super) fn push(&mut self, bin: usize) -> f64 {
        for (sum, bins) in &mut self.0 {
            *sum += bins.get(bin).copied().unwrap_or(0.0);
        }
        log_sum_exp(self.0.iter().map(|kind| kind.0))
    }
}

/// ln Σ exp(x), without overflow; −∞ for nothing.
pub(super) fn log_sum_exp(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + logs.map(|x| (x - top).exp()).sum::<f64>().ln()
}

/// Bin of an error of this size on a scale of this width.
pub(super) fn number_bin(error: f64, width: f64) -> usize {
    // A hair of tolerance: 0.3 − 0.1 must fall into the bin of 0.2.
    let share = error.abs() / width + 1e-12;
    EDGES.partition_point(|edge| *edge <= share).max(1) - 1
}

/// Makes shares of counts: no bin below [`LEAST_SHARE`], sum 1.
pub(super) fn normalised(counts: &[f64]) -> Vec<f64> {
    let total: f64 = counts.iter().sum();
    let floor = LEAST_SHARE * total.max(f64::MIN_POSITIVE);
    let raised: Vec<f64> = counts.iter().map(|c| c.max(floor)).collect();
    let total: f64 = raised.iter().sum();
    raised.iter().map(|c| c / total).collect()
}

/// Shipped honest shares on this scale. On a whole-number scale errors are whole: 3 stands for 2.5 to 3.5.
fn honest_shares(scale: &NumberScale) -> Vec<f64> {
    let width = scale.width();
    let below = |error: f64| -> f64 {
        let sizes = HONEST_ERRORS.iter();
        sizes
            .map(|(weight, sd)| weight * erf(error / width / sd / std::f64::consts::SQRT_2))
            .sum()
    };
    let mut shares = vec![0.0; EDGES.len()];
    // Beyond this many steps whole numbers are as good as continuous.
    if scale.integer && width <= 2000.0 {
        for error in 0..=width as u32 {
            let error = f64::from(error);
            let mass = below(error + 0.5) - if error > 0.0 { below(error - 0.5) } else { 0.0 };
            shares[number_bin(error, width)] += mass;
        }
    } else {
        for (bin, share) in shares.iter_mut().enumerate() {
            let top = EDGES.get(bin + 1).map_or(1.0, |edge| below(edge * width));
            *share = top - below(EDGES[bin] * width);
        }
    }
    normalised(&shares)
}

/// What bots' errors look like when the controls have these truths. Kinds: anything on the scale; anything within the
/// range of common answers (18 to 45 of 120 years), which is also what a constant answer chosen there looks like; common
/// answers, bell-shaped (mean 35, standard deviation 12 of 120 years); half of the tasks honest.
pub(super) fn number_bots(scale: &NumberScale, truths: &[f64], honest: &[f64]) -> Vec<Bot> {
    let points = if scale.integer && scale.width() <= 2000.0 {
        scale.width() as u32
    } else {
        600
    };
    let answers: Vec<f64> = (0..=points)
        .map(|k| f64::from(k) / f64::from(points))
        .collect();
    let shares = |density: &dyn Fn(f64) -> f64| {
        let mut counts = vec![0.0; EDGES.len()];
        for truth in truths {
            for place in &answers {
                let answer = scale.min + place * scale.width();
                counts[number_bin(answer - truth, scale.width())] += density(*place);
            }
        }
        normalised(&counts)
    };
    let anything = shares(&|_| 1.0);
    let half = anything
        .iter()
        .zip(honest)
        .map(|(b, h)| f64::midpoint(*b, *h));
    let half: Vec<f64> = half.collect();
    let common = shares(&|p| {
        if (0.15..=0.375).contains(&p) {
            1.0
        } else {
            0.0
        }
    });
    let bell = shares(&|p: f64| (-(p - 35.0 / 120.0).powi(2) / 0.02).exp());
    let bot = |name: &str, weight, shares| Bot {
        name: name.into(),
        weight,
        shares,
    };
    // Components for single constant answers were tried and changed nothing: such a bot errs like the second kind.
    vec![
        bot("any answer of the scale", 0.25, anything),
        bot("any common answer, or always the same one", 0.35, common),
        bot("common answers, bell-shaped", 0.2, bell),
        bot("half of the answers at random", 0.2, half),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::banning::context::tests::age_and_sex;

    #[test]
    fn whole_years_fall_into_the_bins_named_after_them() {
        let bins = [0, 1, 2, 3, 4, 6, 8, 9, 13, 18, 25, 34, 35, 120];
        let expected = [0, 1, 2, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 9];
        for (error, bin) in bins.into_iter().zip(expected) {
            assert_eq!(number_bin(-f64::from(error), 120.0), bin, "{error}");
        }
    }

    #[test]
    fn a_ratio_worked_by_hand() {
        // Two labels. A bot gives 2 right and 3 wrong with probability 0.5⁵. Honest annotators are wrong at odds of 6 to 94,
        // or those divided or multiplied by e^0.7 = 2.01375: shares 0.030721, 0.06, 0.113896.
        let tables = Tables::shipped(&age_and_sex()[1].scale);
        let honest = |wrong: f64| (1.0 - wrong).powi(2) * wrong.powi(3);
        let mixed = 0.25 * honest(0.030_721) + 0.5 * honest(0.06) + 0.25 * honest(0.113_896);
        let by_hand = (0.5f64.powi(5) / mixed).ln();
        assert!((tables.log_likelihood_ratio(&[2.0, 3.0]) - by_hand).abs() < 1e-4);
        assert!(tables.log_likelihood_ratio(&[0.0, 0.0]).abs() < 1e-12);
        // One by one as all at once.
        let (mut bots, mut honest) = (tables.bot_kinds(), tables.honest_kinds(tables.tilt));
        let steps = [1, 0, 1, 1, 0].map(|bin| bots.push(bin) - honest.push(bin));
        assert!((steps[4] - by_hand).abs() < 1e-4);
    }

    #[test]
    fn all_shares_sum_to_one_on_every_scale() {
        for integer in [true, false] {
            for (min, max) in [(0.0, 120.0), (1.0, 5.0), (-1e6, 1e6), (0.0, 0.5)] {
                let scale = Scale::Number(NumberScale {
                    min,
                    max,
                    unit: String::new(),
                    integer,
                });
                let tables = Tables::shipped(&scale);
                let all = tables
                    .bots
                    .iter()
                    .map(|b| &b.shares)
                    .chain([&tables.honest]);
                for shares in all {
                    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
                    assert!(shares.iter().all(|s| *s > 0.0 && s.is_finite()));
                }
            }
        }
    }
}
