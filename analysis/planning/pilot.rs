//! The population behind a pilot campaign, with its uncertainty.

use serde::Serialize;

use super::minds::SLIP_SHARE;
use super::population::{Population, Truths, Uncertainty};
use crate::error::check_truths;
use crate::scoring::number::check_finite;
use crate::{Error, NumberVotes};

/// What a pilot says about its annotators.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pilot {
    /// The population, with standard errors.
    pub population: Population,
    /// Annotators who answered a control and were not banned.
    pub honest: usize,
    /// Controls with votes.
    pub controls: usize,
    /// Answers to controls of annotators who were not banned.
    pub answers: usize,
}

/// Measures who voted. `truth` has one entry per item; `banned` one per annotator: those are taken for bots and their errors
/// left out. `scale` is the question's.
///
/// - MAE: the mean over annotators, each weighing `n/(n + k)` by the number of controls n, k the ratio of the variance within
///   to that between annotators (DerSimonian and Laird 1986); spread: the standard deviation between them without what chance adds
///   (one-way analysis of variance).
/// - τ²: the mean product of errors of two annotators on the same control; it includes the square of the common bias. Its standard
///   error is that of a mean over controls.
/// - Pull to the middle: the slope of controls' mean errors against their truths, with its sign turned, between −1 and 1; how large errors are
///   at the lower end of the scale is not measured ([`Population::low_end`] is 1).
/// - Biases: their standard deviation without what chance adds. Tails: from the ratio of root mean square to mean absolute
///   error around each annotator's own bias.
/// - Bots: the share of banned among annotators with votes.
///
/// # Errors
/// Columns that do not fit; fewer than 5 annotators with 2 controls each, or fewer than 5 controls with two annotators each, by
/// which nothing could be measured.
pub fn measure(
    votes: &NumberVotes,
    truth: &[Option<f64>],
    banned: &[bool],
    scale: (f64, f64),
) -> Result<Pilot, Error> {
    check_truths(truth.len(), votes.n_items())?;
    check_finite(votes, truth)?;
    let n_annotators = votes.n_annotators();
    let is_banned = |u: u32| banned.get(u as usize).copied().unwrap_or(false);

    let mut errors: Vec<Vec<f64>> = vec![Vec::new(); n_annotators];
    let mut done = vec![0.0f64; n_annotators];
    // Per control: pairs, and the sum of products over them.
    let mut products: Vec<(f64, f64)> = Vec::new();
    let mut truths = Vec::new();
    // Per control: truth and mean error.
    let mut line: Vec<(f64, f64)> = Vec::new();
    for (item, annotators, values) in votes.items() {
        for &u in annotators {
            done[u as usize] += 1.0;
        }
        let Some(z) = truth[item] else { continue };
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for (&u, &value) in annotators.iter().zip(values) {
            if is_banned(u) {
                continue;
            }
            let error = value - z;
            errors[u as usize].push(error);
            n += 1.0;
            sum += error;
            squares += error * error;
        }
        if n > 0.0 {
            truths.push(z.clamp(scale.0, scale.1));
            line.push((z, sum / n));
        }
        if n > 1.0 {
            products.push((n * (n - 1.0), sum * sum - squares));
        }
    }
    let people: Vec<&Vec<f64>> = errors.iter().filter(|e| !e.is_empty()).collect();
    let repeated = people.iter().filter(|e| e.len() > 1).count();
    let few = |item, reason: String| Err(Error::Item { item, reason });
    if repeated < 5 || products.len() < 5 {
        let reason = format!(
            "a pilot needs 5 annotators with 2 answered controls each and 5 controls with 2 annotators each: there are \
             {repeated} and {}",
            products.len()
        );
        return few(0, reason);
    }

    let absolute: Vec<Vec<f64>> = people
        .iter()
        .map(|e| e.iter().map(|e| e.abs()).collect())
        .collect();
    let of_mae = Between::of(absolute.iter().map(Vec::as_slice));
    let of_bias = Between::of(people.iter().map(|e| e.as_slice()));
    let pairs: f64 = products.iter().map(|p| p.0).sum();
    let shared = products.iter().map(|p| p.1).sum::<f64>() / pairs;
    let n = products.len() as f64;
    let spread_of_shared: f64 = products.iter().map(|p| (p.1 - shared * p.0).powi(2)).sum();
    let shared_se = (spread_of_shared * n / (n - 1.0)).sqrt() / pairs;
    // Among those who voted at all.
    let voted = || (0..n_annotators as u32).filter(|&u| done[u as usize] > 0.0);
    let all = voted().count() as u32;
    let found = voted().filter(|&u| is_banned(u)).count() as u32;
    let logs: Vec<f64> = voted()
        .filter(|&u| !is_banned(u))
        .map(|u| done[u as usize].ln())
        .collect();
    let honest = people.len() as f64;
    let mae = of_mae.mean;
    let most_bias = 0.9 * mae / super::formula::HALF_NORMAL_MEAN;
    Ok(Pilot {
        population: Population {
            mae,
            spread: of_mae.sd.min(0.9 * mae),
            shared_sd: shared.max(0.0).sqrt().min(most_bias),
            pull: pull(&line),
            bias_sd: of_bias.sd.min(most_bias),
            low_end: 1.0,
            slip: slip(&people),
            bots: (f64::from(found) / f64::from(all.max(1))).min(0.95),
            activity_sd: sd(&logs).min(4.0),
            scale,
            truths: Truths::Like(truths),
            uncertainty: Uncertainty {
                mae_se: of_mae.mean_se,
                spread_se: of_mae.sd_se(honest),
                shared_variance_se: shared_se,
                bots: Some((found, all)),
            },
        },
        honest: people.len(),
        controls: truth_count(truth, votes),
        answers: people.iter().map(|e| e.len()).sum(),
    })
}

/// The slope of mean error against truth with its sign turned; 0 where all truths are equal.
fn pull(line: &[(f64, f64)]) -> f64 {
    let n = line.len() as f64;
    let (x, y) = line
        .iter()
        .fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let products: f64 = line.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let squares: f64 = line.iter().map(|p| (p.0 - x).powi(2)).sum();
    if squares > 0.0 {
        (-products / squares).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

fn truth_count(truth: &[Option<f64>], votes: &NumberVotes) -> usize {
    let voted = |i: &usize| truth[*i].is_some() && !votes.item(*i).1.is_empty();
    (0..truth.len()).filter(voted).count()
}

fn sd(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// How much groups differ beyond chance: one-way analysis of variance with unequal groups.
struct Between {
    mean: f64,
    mean_se: f64,
    sd: f64,
    within: f64,
    size: f64,
}

impl Between {
    fn of<'a>(groups: impl Iterator<Item = &'a [f64]> + Clone) -> Self {
        let (mut n, mut n_squared, mut number, mut total, mut rest) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for group in groups.clone() {
            let size = group.len() as f64;
            let mean = group.iter().sum::<f64>() / size;
            n += size;
            n_squared += size * size;
            number += 1.0;
            total += size * mean;
            rest += group.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        }
        let overall = total / n;
        let within = rest / (n - number).max(1.0);
        let mean_of = |g: &[f64]| g.iter().sum::<f64>() / g.len() as f64;
        let between: f64 = groups
            .clone()
            .map(|g| g.len() as f64 * (mean_of(g) - overall).powi(2))
            .sum::<f64>()
            / (number - 1.0).max(1.0);
        let size = (n - n_squared / n) / (number - 1.0).max(1.0);
        let variance = ((between - within) / size).max(0.0);
        // Every annotator counts once as far as known: weights 1/(s² + within/n).
        let (mut weights, mut sum) = (0.0, 0.0);
        for group in groups {
            let weight = 1.0 / (variance + within / group.len() as f64).max(1e-300);
            weights += weight;
            sum += weight * mean_of(group);
        }
        Self {
            mean: sum / weights,
            mean_se: (1.0 / weights).sqrt(),
            sd: variance.sqrt(),
            within,
            size,
        }
    }

    /// Standard error of `sd` among so many groups, as if their measured means were normal.
    fn sd_se(&self, groups: f64) -> f64 {
        let measured = self.sd * self.sd + self.within / self.size;
        let of_variance = measured * (2.0 / (groups - 1.0).max(1.0)).sqrt();
        of_variance / (2.0 * self.sd.max(of_variance.sqrt() / 2.0))
    }
}

/// How far off slips are, so that root mean square and mean absolute error of annotators have the ratio seen; between 1 and 4.
fn slip(people: &[&Vec<f64>]) -> f64 {
    let (mut ratio, mut weights) = (0.0, 0.0);
    for errors in people.iter().filter(|e| e.len() >= 5) {
        let n = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / n;
        let square = errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / n;
        let absolute = errors.iter().map(|e| (e - mean).abs()).sum::<f64>() / n;
        if absolute > 0.0 {
            ratio += n * square.sqrt() / absolute;
            weights += n;
        }
    }
    if weights <= 0.0 {
        return 2.2;
    }
    let seen = ratio / weights * super::formula::HALF_NORMAL_MEAN;
    let of = |slip: f64| {
        let square: f64 = 1.0 - SLIP_SHARE + SLIP_SHARE * slip * slip;
        square.sqrt() / (1.0 - SLIP_SHARE + SLIP_SHARE * slip)
    };
    let (mut low, mut high) = (1.0, 4.0);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if of(middle) < seen {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::super::world::{Size, World};
    use super::super::{Bans, Setup};
    use super::*;

    #[test]
    fn variances_between_and_within_as_worked_by_hand() {
        // Means 2 and 8; within each ±1: variance within 2, between 36 = 2 + 2·17. Both weigh the same: mean 5.
        let groups: [&[f64]; 2] = [&[1.0, 3.0], &[7.0, 9.0]];
        let b = Between::of(groups.into_iter());
        assert!((b.sd - 17f64.sqrt()).abs() < 1e-12 && (b.within - 2.0).abs() < 1e-12);
        assert!((b.mean - 5.0).abs() < 1e-12);
        // Two means, each with variance 17 + 1.
        assert!((b.mean_se - 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_simulated_pilot_gives_back_the_population_it_was_made_from() {
        let truth = Population {
            bots: 0.0,
            shared_sd: 3.0,
            spread: 1.8,
            pull: 0.08,
            low_end: 1.0,
            scale: (-500.0, 500.0),
            ..Population::default()
        };
        let setup = Setup {
            items: 20_000,
            annotators: 200,
            real: 6,
            control: 1,
            overlap: 6,
            controls: 600,
        };
        let size = Size {
            items: 20,
            annotators: 200,
        };
        let (mut covered, mut sums) = ([0.0; 3], [0.0; 6]);
        for replicate in 0..10 {
            let world = World::draw(&truth, &setup, &Bans::default(), size, 6, 8, replicate);
            let taken = world.take(|_| 6).unwrap();
            let pilot = measure(&taken.votes, &taken.known, &[false; 200], truth.scale).unwrap();
            let (p, u) = (&pilot.population, &pilot.population.uncertainty);
            let off = [
                (p.mae - truth.mae) / u.mae_se,
                (p.spread - truth.spread) / u.spread_se,
                (p.shared_sd.powi(2) - truth.shared_sd.powi(2)) / u.shared_variance_se,
            ];
            for (covered, off) in covered.iter_mut().zip(off) {
                *covered += f64::from(u8::from(off.abs() < 2.2));
            }
            let all = [p.mae, p.spread, p.shared_sd, p.bias_sd, p.slip, p.pull];
            for (sum, value) in sums.iter_mut().zip(all) {
                *sum += value / 10.0;
            }
        }
        let expected = [
            truth.mae,
            truth.spread,
            truth.shared_sd,
            1.9,
            truth.slip,
            truth.pull,
        ];
        for ((found, expected), tolerance) in sums
            .iter()
            .zip(expected)
            .zip([0.03, 0.12, 0.06, 0.15, 0.25, 0.15])
        {
            assert!((found / expected - 1.0).abs() < tolerance, "{sums:?}");
        }
        assert!(covered.iter().all(|c| *c >= 7.0), "{covered:?}");
    }

    #[test]
    fn a_pilot_too_small_to_say_anything_is_refused() {
        let votes = NumberVotes::new(2, 2, &[0, 0, 1], &[0, 1, 0], &[1.0, 2.0, 3.0]).unwrap();
        let text = measure(&votes, &[Some(1.0), None], &[false; 2], (0.0, 9.0))
            .unwrap_err()
            .to_string();
        assert!(text.contains("5 annotators"), "{text}");
    }
}
