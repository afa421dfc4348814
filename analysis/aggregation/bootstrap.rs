//! Bootstrap intervals over items.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::Interval;

/// Percentile intervals (Efron 1979) of the means of several columns of equal length, all resampled by the same draws of
/// rows, so that columns stay comparable. One interval per column; `None` for fewer than two rows.
///
/// Every resample has its own stream of dice, so the result depends on the seed alone and not on threads.
pub(super) fn mean_intervals(
    columns: &[Vec<f64>],
    resamples: usize,
    level: f64,
    seed: u64,
) -> Vec<Option<Interval>> {
    let rows = columns.first().map_or(0, Vec::len);
    if rows < 2 || resamples == 0 {
        return vec![None; columns.len()];
    }
    let means: Vec<Vec<f64>> = (0..resamples as u64)
        .into_par_iter()
        .map(|resample| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(resample);
            let mut sums = vec![0.0; columns.len()];
            for _ in 0..rows {
                let row = rng.random_range(0..rows);
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum += column[row];
                }
            }
            sums.iter_mut().for_each(|sum| *sum /= rows as f64);
            sums
        })
        .collect();
    (0..columns.len())
        .map(|column| {
            let mut sorted: Vec<f64> = means.iter().map(|m| m[column]).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let at = |share: f64| sorted[(share * (resamples - 1) as f64).round() as usize];
            Some(Interval {
                low: at((1.0 - level) / 2.0),
                high: at((1.0 + level) / 2.0),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_near_the_normal_one() {
        // 400 values of 0 and 1 in turn: standard error 0.5/20 = 0.025, interval 0.5 ± 0.049.
        let column: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
        let i = mean_intervals(&[column], 2000, 0.95, 7)[0].unwrap();
        assert!(
            (i.low - 0.451).abs() < 0.006 && (i.high - 0.549).abs() < 0.006,
            "{i:?}"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_on_one_thread_and_on_many() {
        let column: Vec<f64> = (0..50).map(f64::from).collect();
        let run = || mean_intervals(std::slice::from_ref(&column), 100, 0.9, 1);
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert_eq!(run(), one.install(run));
        assert_ne!(
            run(),
            mean_intervals(std::slice::from_ref(&column), 100, 0.9, 2)
        );
    }

    #[test]
    fn one_row_has_no_interval() {
        assert_eq!(mean_intervals(&[vec![1.0]], 100, 0.9, 1), [None]);
        assert_eq!(mean_intervals(&[], 100, 0.9, 1), []);
    }
}
