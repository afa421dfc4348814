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
}
