//! Bootstrap intervals over items.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::Interval;
use crate::interval::normal_quantile;

/// Above this many rows the normal interval is given: it and the bootstrap's then differ by less than one set of draws and
/// the next, and a thousand resamples would take minutes.
const MANY_ROWS: usize = 20_000;

/// Intervals of the means of several columns of equal length: bootstrap percentile intervals (Efron 1979), all columns
/// resampled by the same draws of rows so that they stay comparable, up to 20,000 rows; normal ones above. One interval per column;
/// `None` for fewer than two rows.
///
/// Every resample has its own stream of dice, so the result depends on the seed alone and not on threads.
pub(crate) fn mean_intervals(
    columns: &[Vec<f64>],
    resamples: usize,
    level: f64,
    seed: u64,
) -> Vec<Option<Interval>> {
    let rows = columns.first().map_or(0, Vec::len);
    if rows < 2 || resamples == 0 {
        return vec![None; columns.len()];
    }
    if rows > MANY_ROWS {
        return columns
            .iter()
            .map(|column| Some(normal_interval(column, level)))
            .collect();
    }
    // Row by row, so that one draw reads one place of memory.
    let mut table = vec![0.0; rows * columns.len()];
    for (at, column) in columns.iter().enumerate() {
        for (row, &value) in column.iter().enumerate() {
            table[row * columns.len() + at] = value;
        }
    }
    let means: Vec<Vec<f64>> = (0..resamples as u64)
        .into_par_iter()
        .map(|resample| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(resample);
            let mut sums = vec![0.0; columns.len()];
            for _ in 0..rows {
                let from = rng.random_range(0..rows) * columns.len();
                for (sum, value) in sums.iter_mut().zip(&table[from..]) {
                    *sum += value;
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

fn normal_interval(column: &[f64], level: f64) -> Interval {
    let n = column.len() as f64;
    let mean = column.iter().sum::<f64>() / n;
    let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = normal_quantile(level) * (variance / n).sqrt();
    let low = mean - half;
    // Sizes of errors and shares are never negative, and neither is their mean.
    let negative = column.iter().any(|x| *x < 0.0);
    Interval {
        low: if negative { low } else { low.max(0.0) },
        high: mean + half,
    }
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
    fn with_many_rows_the_normal_interval_takes_over_without_a_jump() {
        let column: Vec<f64> = (0..MANY_ROWS).map(|i| (i % 7) as f64).collect();
        let bootstrap = mean_intervals(std::slice::from_ref(&column), 1000, 0.95, 3)[0].unwrap();
        let normal = normal_interval(&column, 0.95);
        let width = normal.high - normal.low;
        assert!((bootstrap.low - normal.low).abs() < 0.1 * width);
        assert!((bootstrap.high - normal.high).abs() < 0.1 * width);
    }

    #[test]
    fn one_row_has_no_interval() {
        assert_eq!(mean_intervals(&[vec![1.0]], 100, 0.9, 1), [None]);
        assert_eq!(mean_intervals(&[], 100, 0.9, 1), []);
    }
}
