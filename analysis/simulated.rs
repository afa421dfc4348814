//! Crowds with a known truth, for the recovery tests of this crate.

use rand::seq::index::sample;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use statrs::distribution::{Continuous, ContinuousCDF};

use crate::NumberVotes;

/// Annotator u answers item i with `z_i + c + s_i + b_u + ε`, `s_i ~ N(0, shared_sd²)`, `b_u ~ N(0, bias_sd²)`,
/// `ε ~ N(0, σ_u²)`, or, a bot, with a uniform number in 0..100.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    pub(crate) items: usize,
    pub(crate) annotators: usize,
    pub(crate) votes_per_item: usize,
    /// Error all annotators share on an item.
    pub(crate) shared_sd: f64,
    /// Error all annotators share on all items: `c`.
    pub(crate) common_bias: f64,
    pub(crate) bias_sd: f64,
    /// σ_u is uniform in this range.
    pub(crate) noise_sd: (f64, f64),
    pub(crate) bots: f64,
}

impl Default for Crowd {
    fn default() -> Self {
        Self {
            items: 700,
            annotators: 80,
            votes_per_item: 8,
            shared_sd: 3.0,
            common_bias: 0.0,
            bias_sd: 1.0,
            noise_sd: (3.0, 12.0),
            bots: 0.0,
        }
    }
}

/// Votes, the truth of every item, and the expected |error| of every honest annotator when nothing is shared.
pub(crate) struct Sample {
    pub(crate) votes: NumberVotes,
    pub(crate) truth: Vec<f64>,
    pub(crate) long_run_mae: Vec<f64>,
}

impl Sample {
    /// The truth of every `one_in`-th item, from the first.
    pub(crate) fn known(&self, one_in: usize) -> Vec<Option<f64>> {
        let truth = self.truth.iter().enumerate();
        truth
            .map(|(i, &z)| i.is_multiple_of(one_in).then_some(z))
            .collect()
    }
}

impl Crowd {
    pub(crate) fn draw(&self, seed: u64) -> Sample {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
        let people: Vec<(f64, f64, bool)> = (0..self.annotators)
            .map(|u| {
                let sd = rng.random_range(self.noise_sd.0..=self.noise_sd.1);
                let bot = (u as f64) < self.bots * self.annotators as f64;
                (self.bias_sd * normal(rng), sd, bot)
            })
            .collect();
        let (mut items, mut annotators, mut values, mut truth) = (vec![], vec![], vec![], vec![]);
        for i in 0..self.items {
            let z: f64 = rng.random_range(18.0..80.0);
            let shared = self.common_bias + self.shared_sd * normal(rng);
            for u in sample(rng, self.annotators, self.votes_per_item) {
                let (bias, sd, bot) = people[u];
                items.push(i as u32);
                annotators.push(u as u32);
                values.push(if bot {
                    rng.random_range(0.0..100.0)
                } else {
                    z + shared + bias + sd * normal(rng)
                });
            }
            truth.push(z);
        }
        Sample {
            votes: NumberVotes::new(self.items, self.annotators, &items, &annotators, &values)
                .unwrap(),
            truth,
            long_run_mae: people
                .iter()
                .map(|&(b, sd, _)| folded_mean(b, sd))
                .collect(),
        }
    }
}

/// E |X| of X ~ N(mean, sd²) (Leone, Nelson and Nottingham 1961).
fn folded_mean(mean: f64, sd: f64) -> f64 {
    let normal = statrs::distribution::Normal::standard();
    let r = mean / sd;
    2.0 * sd * normal.pdf(r) + mean * (1.0 - 2.0 * normal.cdf(-r))
}
