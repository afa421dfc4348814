//! `mode`: where the votes are densest.

use super::ballot::{Ballot, Point};
use super::median::middle;

/// The value that most annotators gave.
///
/// - Several values tie (each given at least twice): the one nearest to the median of the votes; two equally near, their
///   mean.
/// - All values differ, as with real numbers: the mean of the shortest half, that is of the ⌊n/2⌋ + 1 consecutive votes
///   that lie closest together ("shorth", Andrews et al. 1972); of several equally short halves, the mean of their means.
///
/// Lengths and distances count as equal when they differ by less than 1e-9 of the votes' range, so that the last bit of a
/// decimal fraction decides nothing.
pub(super) fn estimate(ballot: &Ballot<'_>, sorted: &mut Vec<f64>) -> Point {
    let sorted = ballot.sort(sorted);
    let most = runs(sorted).map(|(_, n)| n).max().unwrap_or(1);
    let value = if most > 1 {
        most_frequent(sorted, most)
    } else {
        shortest_half(sorted)
    };
    ballot.by_rank(value, variance_factor(sorted.len()))
}

/// Distinct values in ascending order with their number of votes.
fn runs(sorted: &[f64]) -> impl Iterator<Item = (f64, usize)> {
    sorted
        .chunk_by(|a, b| a == b)
        .map(|run| (run[0], run.len()))
}

fn tolerance(sorted: &[f64]) -> f64 {
    1e-9 * (sorted[sorted.len() - 1] - sorted[0])
}

fn most_frequent(sorted: &[f64], most: usize) -> f64 {
    let median = middle(sorted);
    let distance = |value: f64| (value - median).abs();
    let tied = || {
        runs(sorted)
            .filter(|&(_, n)| n == most)
            .map(|(value, _)| value)
    };
    let nearest = tied().map(distance).fold(f64::INFINITY, f64::min);
    mean_from(
        sorted[0],
        tied().filter(|&value| distance(value) <= nearest + tolerance(sorted)),
    )
}

fn shortest_half(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2 + 1;
    let halves = || sorted.windows(half);
    let length = |w: &[f64]| w[half - 1] - w[0];
    let shortest = halves().map(length).fold(f64::INFINITY, f64::min);
    mean_from(
        sorted[0],
        halves()
            .filter(|w| length(w) <= shortest + tolerance(sorted))
            .map(|w| mean_from(sorted[0], w.iter().copied())),
    )
}

fn mean_from(base: f64, values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), v| (sum + (v - base), n + 1.0));
    base + sum / n
}

/// Variance of the shorth of `n` normal votes relative to their mean's. The shorth converges with the cube root of n, so the
/// factor grows with it; the coefficient was fitted to simulated samples of 3 to 200 votes (the test repeats it) and is right
/// to a quarter. A repeated vote makes the mode better than that, which only controls can tell.
fn variance_factor(n: usize) -> f64 {
    1.4 * (n as f64).cbrt()
}

#[cfg(test)]
mod tests {
    use super::super::ballot::value_of;
    use super::*;

    fn mode(votes: &[f64]) -> f64 {
        value_of(votes, |b| estimate(b, &mut Vec::new()))
    }

    #[test]
    fn the_most_frequent_value_wins_even_far_from_the_others() {
        assert_eq!(mode(&[20.0, 31.0, 20.0, 32.0, 33.0, 40.0]), 20.0);
        assert_eq!(mode(&[5.0]), 5.0);
    }

    #[test]
    fn of_tied_values_the_one_nearest_to_the_median_and_else_their_mean() {
        // Median of 20 20 30 30 31 is 30.
        assert_eq!(mode(&[20.0, 20.0, 30.0, 30.0, 31.0]), 30.0);
        assert_eq!(mode(&[20.0, 20.0, 60.0, 60.0]), 40.0);
    }

    #[test]
    fn of_distinct_values_the_mean_of_the_shortest_half() {
        // Halves of 3 of 5: (1, 20, 21) 20, (20, 21, 22.5) 2.5, (21, 22.5, 60) 39.
        assert!((mode(&[60.0, 1.0, 20.0, 21.0, 22.5]) - 63.5 / 3.0).abs() < 1e-12);
        // (1, 2) and (2, 3) tie: (1.5 + 2.5)/2; in tenths too, where the last bits differ.
        assert_eq!(mode(&[3.0, 1.0, 2.0]), 2.0);
        assert!((mode(&[0.1, 0.2, 0.3]) - 0.2).abs() < 1e-12);
        assert_eq!(mode(&[10.0, 20.0]), 15.0);
    }

    #[test]
    fn the_variance_factor_matches_simulated_normal_votes() {
        use rand::SeedableRng;
        use rand_distr::{Distribution, StandardNormal};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for n in [3, 4, 5, 8, 12, 20, 50] {
            let samples = 20_000;
            let sum: f64 = (0..samples)
                .map(|_| {
                    let votes: Vec<f64> = (0..n).map(|_| StandardNormal.sample(&mut rng)).collect();
                    mode(&votes).powi(2)
                })
                .sum();
            let factor = sum / f64::from(samples) * n as f64;
            assert!(
                (variance_factor(n) / factor - 1.0).abs() < 0.27,
                "{n}: {factor}"
            );
        }
    }
}
