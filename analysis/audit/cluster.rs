//! Means of values that come in clusters: an annotator's answers share the annotator.

use super::Resampling;
use crate::{Error, Interval};
use rayon::prelude::*;

/// Mean of values with its bootstrap interval over clusters: whole clusters are drawn again, so that a few annotators with
/// thousands of answers are not taken for thousands of annotators. Each value counts once. `None` for no values; no interval
/// from a single cluster. Errors: lengths differ, a value is not finite, a setting is out of range.
pub fn clustered_mean(
    values: &[f64],
    cluster: &[u32],
    settings: &Resampling,
) -> Result<Option<(f64, Option<Interval>)>, Error> {
    settings.check()?;
    if values.len() != cluster.len() {
        let reason = format!("{} values and {} clusters", values.len(), cluster.len());
        return Err(Error::Points { reason });
    }
    if let Some(row) = values.iter().position(|v| !v.is_finite()) {
        let reason = format!("value {row} is not finite");
        return Err(Error::Points { reason });
    }
    if values.is_empty() {
        return Ok(None);
    }
    let mut rows: Vec<(u32, f64)> = cluster
        .iter()
        .copied()
        .zip(values.iter().copied())
        .collect();
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let sums: Vec<(f64, f64)> = rows
        .chunk_by(|a, b| a.0 == b.0)
        .map(|c| (c.len() as f64, c.iter().map(|r| r.1).sum()))
        .collect();
    let total = sums.iter().fold((0.0, 0.0), |t, s| (t.0 + s.0, t.1 + s.1));
    let again: Vec<f64> = if sums.len() < 2 {
        Vec::new()
    } else {
        (0..settings.resamples as u64)
            .into_par_iter()
            .map(|resample| {
                let counts = settings.counts(sums.len(), resample);
                let drawn = sums.iter().zip(counts);
                let (n, sum) = drawn.fold((0.0, 0.0), |t, (s, times)| {
                    let times = f64::from(times);
                    (t.0 + times * s.0, t.1 + times * s.1)
                });
                sum / n
            })
            .collect()
    };
    Ok(Some((total.1 / total.0, settings.interval(again))))
}

/// Difference of the means of two groups of values (first less second), with a bootstrap interval that draws whole clusters of each group
/// again: a dozen famous faces stay a dozen, however many people saw them. `None` if a group is empty; no interval if one has a single
/// cluster. Errors as [`clustered_mean`].
pub fn clustered_difference(
    first: (&[f64], &[u32]),
    second: (&[f64], &[u32]),
    settings: &Resampling,
) -> Result<Option<(f64, Option<Interval>)>, Error> {
    let sums = |(values, cluster): (&[f64], &[u32])| -> Result<Option<Vec<(f64, f64)>>, Error> {
        if clustered_mean(
            values,
            cluster,
            &Resampling {
                resamples: 0,
                ..*settings
            },
        )?
        .is_none()
        {
            return Ok(None);
        }
        let mut rows: Vec<(u32, f64)> = cluster
            .iter()
            .copied()
            .zip(values.iter().copied())
            .collect();
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let sums = rows.chunk_by(|a, b| a.0 == b.0);
        Ok(Some(
            sums.map(|c| (c.len() as f64, c.iter().map(|r| r.1).sum()))
                .collect(),
        ))
    };
    let (Some(first), Some(second)) = (sums(first)?, sums(second)?) else {
        return Ok(None);
    };
    let mean = |sums: &[(f64, f64)], counts: &[u32]| {
        let (n, sum) = sums.iter().zip(counts).fold((0.0, 0.0), |t, (s, times)| {
            (t.0 + f64::from(*times) * s.0, t.1 + f64::from(*times) * s.1)
        });
        sum / n
    };
    let value = mean(&first, &vec![1; first.len()]) - mean(&second, &vec![1; second.len()]);
    let again: Vec<f64> = if first.len() < 2 || second.len() < 2 {
        Vec::new()
    } else {
        (0..settings.resamples as u64)
            .into_par_iter()
            .map(|resample| {
                let a = settings.counts(first.len(), 2 * resample);
                let b = settings.counts(second.len(), 2 * resample + 1);
                mean(&first, &a) - mean(&second, &b)
            })
            .collect()
    };
    Ok(Some((value, settings.interval(again))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_drawn_whole() {
        let settings = Resampling::default();
        // Two clusters, one of zeros and one of ones: means of resamples are 0, ½ or 1.
        let values = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let cluster = [7, 7, 7, 2, 2, 2];
        let (mean, interval) = clustered_mean(&values, &cluster, &settings)
            .unwrap()
            .unwrap();
        let interval = interval.unwrap();
        assert_eq!((mean, interval.low, interval.high), (0.5, 0.0, 1.0));
        assert_eq!(clustered_mean(&[], &[], &settings).unwrap(), None);
        let one = clustered_mean(&[1.0, 3.0], &[1, 1], &settings).unwrap();
        assert_eq!(one, Some((2.0, None)));
        assert!(clustered_mean(&[1.0], &[], &settings).is_err());
        assert!(clustered_mean(&[f64::NAN], &[1], &settings).is_err());
    }

    #[test]
    fn a_difference_draws_the_clusters_of_both_groups() {
        let settings = Resampling::default();
        let found = clustered_difference(
            (&[1.0, 1.0, 3.0], &[0, 0, 1]),
            (&[0.0, 0.0], &[5, 6]),
            &settings,
        );
        let (value, interval) = found.unwrap().unwrap();
        // Means of the first group are 1, 5/3 or 3.
        assert!((value - 5.0 / 3.0).abs() < 1e-12);
        assert_eq!(interval.map(|i| (i.low, i.high)), Some((1.0, 3.0)));
        let none = clustered_difference((&[], &[]), (&[1.0], &[0]), &settings);
        assert_eq!(none.unwrap(), None);
        let single = clustered_difference((&[2.0], &[0]), (&[1.0, 1.0], &[0, 1]), &settings);
        assert_eq!(single.unwrap(), Some((1.0, None)));
    }
}
