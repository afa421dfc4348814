//! Intervals of a result at other levels than its own: how often they would have held the truth.

use super::NumberResult;
use super::calibration::Calibration;
use crate::interval::normal_quantile;

/// Half-widths of the intervals at `level`, by item; `None` where there is no standard error. `truth` is what the method saw:
/// a control's own error has no part in its interval. At the result's own level they are the result's intervals.
pub(in crate::aggregation) fn half_widths(
    result: &NumberResult,
    truth: &[Option<f64>],
    level: f64,
) -> Vec<Option<f64>> {
    let known = |item: usize| {
        let e = result.estimates[item].as_ref()?;
        Some((e.se?, (e.value - truth[item]?).abs()))
    };
    let n = (0..truth.len()).filter_map(known).count() as f64;
    let Some(factor) = result.calibration.filter(|f| *f > 0.0 && n > 1.0) else {
        let quantile = normal_quantile(level);
        let half = |e: &super::NumberEstimate| Some(e.se? * quantile);
        let estimates = result.estimates.iter();
        return estimates.map(|e| half(e.as_ref()?)).collect();
    };
    // Back to standard errors as they were before calibration: a control's is se² = s² · (Σr² − e²/s²)/(n − 1).
    let squares = factor * factor * n;
    let plain = |item: usize| match known(item) {
        Some((se, error)) => Some(((se * se * (n - 1.0) + error * error) / squares).sqrt()),
        None => Some(result.estimates[item].as_ref()?.se? / factor),
    };
    let ratio = |item: usize| Some(known(item)?.1 / plain(item)?);
    let ratios = (0..truth.len()).filter_map(ratio).collect();
    let calibration = Calibration::new(ratios, level);
    (0..truth.len())
        .map(|item| Some(plain(item)? * calibration.stretch(ratio(item)).half))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregation::{NumberMethod, NumberSettings};
    use crate::simulated::Crowd;

    #[test]
    fn at_the_own_level_they_are_the_intervals_of_the_result() {
        let sample = Crowd::default().draw(3);
        for every in [4, 60] {
            let known = sample.known(every);
            let s = NumberSettings::default();
            let r = NumberMethod::Huber.estimate(&sample.votes, &known, &s);
            let r = r.unwrap();
            assert_eq!(r.calibration.is_some(), every == 4);
            let half = half_widths(&r, &known, s.level);
            for (e, half) in r.estimates.iter().flatten().zip(half) {
                let own = e.high.unwrap() - e.value;
                assert!((own - half.unwrap()).abs() < 1e-9 * own, "{own} {half:?}");
            }
            let narrow = half_widths(&r, &known, 0.5);
            assert!(narrow[1].unwrap() < half_widths(&r, &known, 0.95)[1].unwrap());
        }
    }
}
