//! Second sights: does an annotator who meets a control again answer it better? Then it was remembered or told.

use super::{Resampling, clustered_mean};
use crate::{Error, Interval};
use serde::Serialize;

/// Two answers of one annotator to one control, the first and a later one, as sizes of their errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SightPair {
    /// The annotator.
    pub annotator: u32,
    /// |error| at first sight.
    pub first: f64,
    /// |error| at the later sight.
    pub second: f64,
    /// Whether both answers are the same.
    pub same: bool,
}

/// What changed between the two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sight {
    /// Pairs.
    pub pairs: usize,
    /// Annotators.
    pub annotators: usize,
    /// Mean |error| at first sight.
    pub first: f64,
    /// Mean |error| at second sight.
    pub second: f64,
    /// Mean of first − second: positive when the second answer is better.
    pub gain: f64,
    /// Its bootstrap interval over annotators.
    pub gain_interval: Option<Interval>,
    /// Share of exactly right answers at first sight.
    pub exact_first: f64,
    /// The same at second sight.
    pub exact_second: f64,
    /// Share of pairs with the same answer twice: people who agree with themselves.
    pub same: f64,
}

/// Compares first and second sights; `None` without pairs. Errors: a value is not finite, a setting is out of range.
pub fn second_sights(pairs: &[SightPair], settings: &Resampling) -> Result<Option<Sight>, Error> {
    let gains: Vec<f64> = pairs.iter().map(|p| p.first - p.second).collect();
    let who: Vec<u32> = pairs.iter().map(|p| p.annotator).collect();
    let Some((gain, gain_interval)) = clustered_mean(&gains, &who, settings)? else {
        return Ok(None);
    };
    let n = pairs.len() as f64;
    let mean = |of: fn(&SightPair) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let mut annotators = who;
    annotators.sort_unstable();
    annotators.dedup();
    Ok(Some(Sight {
        pairs: pairs.len(),
        annotators: annotators.len(),
        first: mean(|p| p.first),
        second: mean(|p| p.second),
        gain,
        gain_interval,
        exact_first: mean(|p| f64::from(u8::from(p.first == 0.0))),
        exact_second: mean(|p| f64::from(u8::from(p.second == 0.0))),
        same: mean(|p| f64::from(u8::from(p.same))),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_is_counted_per_pair_and_resampled_by_annotator() {
        let pair = |annotator, first, second| SightPair {
            annotator,
            first,
            second,
            same: first == second,
        };
        let pairs = [
            pair(0, 4.0, 0.0),
            pair(0, 3.0, 3.0),
            pair(1, 5.0, 0.0),
            pair(1, 2.0, 1.0),
        ];
        let found = second_sights(&pairs, &Resampling::default())
            .unwrap()
            .unwrap();
        assert_eq!((found.pairs, found.annotators), (4, 2));
        assert_eq!((found.first, found.second, found.gain), (3.5, 1.0, 2.5));
        assert_eq!(
            (found.exact_first, found.exact_second, found.same),
            (0.0, 0.5, 0.25)
        );
        let interval = found.gain_interval.unwrap();
        assert_eq!((interval.low, interval.high), (2.0, 3.0));
        assert_eq!(second_sights(&[], &Resampling::default()).unwrap(), None);
    }
}
