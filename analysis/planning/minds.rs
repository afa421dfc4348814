//! Annotators drawn from a [`Population`], and their answers.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::bans::{Bans, BotKind};
use super::formula::HALF_NORMAL_MEAN;
use super::population::{Population, Truths, normal};

/// Share of an honest annotator's answers that are slips, with a larger noise: what makes the tails heavy.
pub(super) const SLIP_SHARE: f64 = 0.1;

/// Truths over which expected errors are averaged.
const POINTS: usize = 6;

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

/// A population with what follows from its figures.
pub(super) struct Minds {
    population: Population,
    /// Middle of the truths.
    centre: f64,
    /// The pull, as far as τ leaves room for it.
    pull: f64,
    /// Standard deviation of the rest of the shared error where errors have their full size.
    shared: f64,
    /// Truths at the middle of each of six equal parts: size of errors, and the pull there.
    points: [(f64, f64); POINTS],
}

impl Minds {
    pub(super) fn new(population: Population) -> Self {
        let mut sorted = match &population.truths {
            Truths::Evenly(..) => Vec::new(),
            Truths::Like(values) => values.clone(),
        };
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| match &population.truths {
            Truths::Evenly(a, b) => a + (b - a) * share,
            Truths::Like(_) => {
                sorted[((sorted.len() as f64 * share) as usize).min(sorted.len() - 1)]
            }
        };
        let many: Vec<f64> = (0..600).map(|k| at((f64::from(k) + 0.5) / 600.0)).collect();
        let centre = many.iter().sum::<f64>() / 600.0;
        let variance = many.iter().map(|z| (z - centre).powi(2)).sum::<f64>() / 600.0;
        let square = many
            .iter()
            .map(|&z| population.size(z).powi(2))
            .sum::<f64>()
            / 600.0;
        let tau = population.shared_sd;
        let most = if variance > 0.0 {
            tau / variance.sqrt()
        } else {
            0.0
        };
        let pull = population.pull.clamp(-most, most);
        let rest = (tau * tau - pull * pull * variance).max(0.0);
        let points = std::array::from_fn(|k| {
            let z = at((k as f64 + 0.5) / POINTS as f64);
            (population.size(z), -pull * (z - centre))
        });
        Self {
            centre,
            pull,
            shared: (rest / square.max(1e-12)).sqrt(),
            points,
            population,
        }
    }

    /// `n` annotators, a share of [`Population::bots`] of them bots (rounded at random).
    pub(super) fn people(&self, n: usize, bans: &Bans, rng: &mut ChaCha8Rng) -> Vec<Person> {
        let weights: f64 = bans.bots.iter().map(|b| b.1).sum();
        let share = if weights > 0.0 {
            self.population.bots
        } else {
            0.0
        };
        let bots = (share * n as f64 + rng.random::<f64>()).floor() as usize;
        // Evenly over the kinds, so that what kinds a few bots are is not a matter of luck.
        let start: f64 = rng.random();
        (0..n)
            .map(|u| {
                let along = (u as f64 + start) / bots.max(1) as f64 % 1.0;
                let kind = (u < bots).then(|| pick(bans, along * weights));
                self.person(kind, bans, rng)
            })
            .collect()
    }

    fn person(&self, kind: Option<usize>, bans: &Bans, rng: &mut ChaCha8Rng) -> Person {
        let population = &self.population;
        let quantile = rng.random();
        let (bot, caught) = match kind.and_then(|k| bans.bots.get(k)) {
            Some((kind, _, caught)) => (Some(*kind), caught),
            None => (None, &bans.honest),
        };
        let mae = population.own_mae(normal(rng));
        let bias = population.bias_sd * normal(rng).clamp(-2.0, 2.0) * mae / population.mae;
        let activity = (population.activity_sd * normal(rng)).exp();
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
        let slip = self.population.slip;
        let expected = |noise: f64| {
            let each = self.points.iter().map(|&(size, pull)| {
                let sd = |noise: f64| size * (self.shared.powi(2) + noise * noise).sqrt();
                (1.0 - SLIP_SHARE) * folded_normal_mean(bias + pull, sd(noise))
                    + SLIP_SHARE * folded_normal_mean(bias + pull, sd(slip * noise))
            });
            each.sum::<f64>() / POINTS as f64
        };
        let (mut low, mut high) = (0.0, 4.0 * mae / HALF_NORMAL_MEAN);
        for _ in 0..14 {
            let middle = f64::midpoint(low, high);
            if expected(middle) < mae {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// A true value and the error that all share on it.
    pub(super) fn item(&self, rng: &mut ChaCha8Rng) -> (f64, f64) {
        let truth = match &self.population.truths {
            Truths::Evenly(a, b) => a + (b - a) * rng.random::<f64>(),
            Truths::Like(values) => values[rng.random_range(0..values.len())],
        };
        let rest = self.population.size(truth) * self.shared * normal(rng);
        (truth, rest - self.pull * (truth - self.centre))
    }

    /// What somebody answers about an item of this truth and shared error.
    pub(super) fn answer(&self, who: &Person, truth: f64, shared: f64, rng: &mut impl Rng) -> f64 {
        let (low, high) = self.population.scale;
        // The same number of draws for everybody: an answer more or less must not move the others.
        let (slip, guess): (f64, f64) = (rng.random(), rng.random());
        let noise = normal(rng);
        let far = if slip < SLIP_SHARE {
            self.population.slip
        } else {
            1.0
        };
        let own = self.population.size(truth) * who.noise * far * noise;
        let seen = (truth + shared + who.bias + own).clamp(low, high);
        let place = match who.bot {
            None => return seen,
            // A second use of `slip`, far from the slips.
            Some(BotKind::HalfRandom) if slip < 0.5 => return seen,
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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn measured(population: &Population) -> (f64, f64, f64) {
        let rng = &mut ChaCha8Rng::seed_from_u64(4);
        let minds = Minds::new(population.clone());
        let people = minds.people(400, &Bans::default(), rng);
        let maes: Vec<f64> = people
            .iter()
            .map(|who| {
                let errors = (0..400).map(|_| {
                    let (truth, shared) = minds.item(rng);
                    (minds.answer(who, truth, shared, rng) - truth).abs()
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
        for (mae, spread, shared_sd, pull) in [
            (7.22, 1.4, 3.0, 0.0),
            (7.22, 2.5, 0.0, 0.0),
            (4.0, 0.5, 3.0, 0.0),
            (7.22, 1.4, 4.0, 0.1),
        ] {
            let population = Population {
                mae,
                spread,
                shared_sd,
                pull,
                bots: 0.0,
                scale: (-1000.0, 1000.0),
                low_end: 1.0,
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
        let people = Minds::new(population).people(100, &Bans::default(), rng);
        let of = |kind| people.iter().filter(|p| p.bot == Some(kind)).count();
        let counts = BotKind::ALL.map(of);
        assert!(
            (21..=22).contains(&counts.iter().sum::<usize>()),
            "{counts:?}"
        );
        for (count, share) in counts.iter().zip([9.0, 3.0, 6.0, 3.0]) {
            assert!((*count as f64 - share).abs() < 1.5, "{counts:?}");
        }
    }
}
