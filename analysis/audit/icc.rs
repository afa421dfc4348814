//! Intraclass correlations where every annotator answered every item (Shrout and Fleiss 1979; McGraw and Wong 1996).

use crate::{Interval, NumberVotes};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, FisherSnedecor};

/// The six intraclass correlations of a complete table, with exact intervals (Satterthwaite's approximation for ICC(2)).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Icc {
    /// Items.
    pub items: usize,
    /// Annotators, each of whom answered every item.
    pub annotators: usize,
    /// ICC(1,1), ICC(2,1), ICC(3,1): annotators random per item, random, fixed; of single votes.
    pub single: [f64; 3],
    /// Their intervals.
    pub single_intervals: [Interval; 3],
    /// ICC(1,k), ICC(2,k), ICC(3,k): of the mean of all annotators.
    pub mean: [f64; 3],
    /// Their intervals.
    pub mean_intervals: [Interval; 3],
}

/// The six intraclass correlations; `None` unless at least two annotators answered each of at least two items exactly once and
/// nobody answered only some, and the answers differ. Intervals assume normal errors.
pub fn two_way_icc(votes: &NumberVotes, level: f64) -> Option<Icc> {
    if votes.n_items() == 0 {
        return None;
    }
    let (first, _) = votes.item(0);
    let complete =
        votes.items().all(|(_, who, _)| who == first) && votes.repeated().next().is_none();
    let (n, k) = (votes.n_items() as f64, first.len() as f64);
    if !complete || n < 2.0 || k < 2.0 {
        return None;
    }
    let all = votes.values();
    let mean = all.iter().sum::<f64>() / (n * k);
    let mut columns = vec![0.0; first.len()];
    let (mut rows, mut squares) = (0.0, 0.0);
    for (_, _, values) in votes.items() {
        rows += k * (values.iter().sum::<f64>() / k - mean).powi(2);
        for (column, value) in columns.iter_mut().zip(values) {
            *column += value - mean;
            squares += (value - mean).powi(2);
        }
    }
    let between: f64 = columns.iter().map(|c| c * c / n).sum();
    let (items, error_freedom) = (n - 1.0, (n - 1.0) * (k - 1.0));
    let msb = rows / items;
    let msw = (squares - rows) / (n * (k - 1.0));
    let msj = between / (k - 1.0);
    let mse = (squares - rows - between) / error_freedom;
    if msb <= 0.0 || mse <= 0.0 {
        return None;
    }
    let single = [
        (msb - msw) / (msb + (k - 1.0) * msw),
        (msb - mse) / (msb + (k - 1.0) * mse + k * (msj - mse) / n),
        (msb - mse) / (msb + (k - 1.0) * mse),
    ];
    let mean = [
        (msb - msw) / msb,
        (msb - mse) / (msb + (msj - mse) / n),
        (msb - mse) / msb,
    ];
    let upper = |a: f64, b: f64| {
        FisherSnedecor::new(a, b).map_or(f64::NAN, |f| f.inverse_cdf(0.5 + level / 2.0))
    };
    let of_ratio = |ratio: f64, freedom: f64| {
        let ends = [ratio / upper(items, freedom), ratio * upper(freedom, items)];
        let [single, mean] = [k, f64::INFINITY].map(|k| {
            let end = |f: f64| {
                if k.is_finite() {
                    (f - 1.0) / (f + k - 1.0)
                } else {
                    1.0 - 1.0 / f
                }
            };
            Interval {
                low: end(ends[0]),
                high: end(ends[1]),
            }
        });
        (single, mean)
    };
    let one = of_ratio(msb / msw, n * (k - 1.0));
    let three = of_ratio(msb / mse, error_freedom);
    let (r, fj) = (single[1], msj / mse);
    let rest = n * (1.0 + (k - 1.0) * r) - k * r;
    let freedom =
        error_freedom * (k * r * fj + rest).powi(2) / (items * (k * r * fj).powi(2) + rest.powi(2));
    let (high, low) = (upper(items, freedom), upper(freedom, items));
    let spread = k * msj + (k * n - k - n) * mse;
    let two = Interval {
        low: n * (msb - high * mse) / (high * spread + n * msb),
        high: n * (low * msb - mse) / (spread + n * low * msb),
    };
    let lifted = |v: f64| v * k / (1.0 + v * (k - 1.0));
    let two_mean = Interval {
        low: lifted(two.low),
        high: lifted(two.high),
    };
    Some(Icc {
        items: n as usize,
        annotators: k as usize,
        single,
        single_intervals: [one.0, two, three.0],
        mean,
        mean_intervals: [one.1, two_mean, three.1],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_six_correlations_and_their_intervals_are_those_of_pingouin() {
        // tests/reference/audits.py with pingouin 0.5.5.
        let text = include_str!("../../tests/reference/agreement.json");
        let cases: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut compared = 0;
        for case in cases
            .as_array()
            .unwrap()
            .iter()
            .filter(|c| c["icc"].is_object())
        {
            let row = |r: &serde_json::Value| {
                let at = |i: usize| r[i].as_u64().unwrap() as u32;
                (at(0), at(1), r[2].as_f64().unwrap())
            };
            let rows: Vec<_> = case["votes"].as_array().unwrap().iter().map(row).collect();
            let items = rows.iter().map(|r| r.0 + 1).max().unwrap() as usize;
            let annotators = rows.iter().map(|r| r.1 + 1).max().unwrap() as usize;
            let votes = NumberVotes::of_rows(items, annotators, &rows).unwrap();
            let found = two_way_icc(&votes, 0.95).unwrap();
            let all = (0..3).flat_map(|i| {
                let single = (found.single[i], found.single_intervals[i]);
                let mean = (found.mean[i], found.mean_intervals[i]);
                [
                    (format!("ICC{}", i + 1), single),
                    (format!("ICC{}k", i + 1), mean),
                ]
            });
            for (name, (value, interval)) in all {
                let expected = &case["icc"][&name];
                let at = |i: usize| expected[i].as_f64().unwrap();
                assert!((value - at(0)).abs() < 1e-9, "{name}: {value} {expected}");
                // pingouin rounds intervals to two decimals.
                assert!(
                    (interval.low - at(1)).abs() < 0.006,
                    "{name}: {interval:?} {expected}"
                );
                assert!(
                    (interval.high - at(2)).abs() < 0.006,
                    "{name}: {interval:?} {expected}"
                );
                compared += 1;
            }
        }
        assert!(compared >= 12);
    }

    #[test]
    fn a_table_with_a_hole_has_none() {
        let rows = [(0, 0, 1.0), (0, 1, 2.0), (1, 0, 5.0)];
        let votes = NumberVotes::of_rows(2, 2, &rows).unwrap();
        assert_eq!(two_way_icc(&votes, 0.95), None);
        let equal = [(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 1.0)];
        let votes = NumberVotes::of_rows(2, 2, &equal).unwrap();
        assert_eq!(two_way_icc(&votes, 0.95), None);
        assert_eq!(
            two_way_icc(&NumberVotes::of_rows(0, 0, &[]).unwrap(), 0.95),
            None
        );
    }
}
