//! One line per side: MAE, RMSE, share within k, bias, spread.

use serde::Serialize;

use super::{Answers, CurveSettings, Mean, means};
use crate::{Error, Interval};

/// One side over all its items with a known truth, in the unit of the question. Every item counts once; intervals are bootstrap
/// intervals over items (normal ones above 20,000 items).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Items with an answer and a known truth.
    pub items: usize,
    /// Answers on them.
    pub answers: u64,
    /// Mean |error|.
    pub mae: Mean,
    /// Root of the mean squared error.
    pub rmse: Mean,
    /// Share of answers within `within` of the truth, the ends included.
    pub cs: Mean,
    /// The k of CS@k.
    pub within: f64,
    /// Mean error.
    pub bias: Mean,
    /// Standard deviation of the errors around the bias; `None` with one answer.
    pub spread: Option<f64>,
}

/// The summary of one side; `None` if it has no item with a known truth. Errors as [`Answers::errors`], and if a setting is out
/// of range.
pub fn summary(
    answers: &Answers,
    truth: &[Option<f64>],
    within: f64,
    settings: &CurveSettings,
) -> Result<Option<Summary>, Error> {
    settings.check()?;
    let errors = answers.errors(truth)?;
    let mut rows = Vec::new();
    let mut n = 0;
    for (item, (error, truth)) in errors.iter().zip(truth).enumerate() {
        if let (Some(e), Some(z)) = (error, truth)
            && let Some(close) = answers.share(item, z - within, z + within, true)
        {
            rows.push([e.absolute, e.square, close, e.error]);
            n += u64::from(e.answers);
        }
    }
    if rows.is_empty() {
        return Ok(None);
    }
    let items = rows.len();
    let [mae, square, cs, bias] = means(rows, settings);
    let variance = (square.value - bias.value.powi(2)).max(0.0);
    Ok(Some(Summary {
        items,
        answers: n,
        mae,
        rmse: Mean {
            value: square.value.sqrt(),
            interval: square.interval.map(|i| Interval {
                low: i.low.max(0.0).sqrt(),
                high: i.high.sqrt(),
            }),
        },
        cs,
        within,
        bias,
        spread: (n > 1).then(|| (variance * n as f64 / (n - 1) as f64).sqrt()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NumberVotes;

    #[test]
    fn two_items_as_worked_by_hand() {
        // Item 0, truth 10: votes 8 and 16 (|e| 2, 6); item 1, truth 20: vote 25 (|e| 5); item 2 has no truth.
        // Items count once: MAE (4 + 5)/2 = 4.5; MSE ((4 + 36)/2 + 25)/2 = 22.5; within 5: (½ + 1)/2; bias (2 + 5)/2 = 3.5.
        let votes =
            NumberVotes::new(3, 2, &[0, 0, 1, 2], &[0, 1, 0, 0], &[8.0, 16.0, 25.0, 1.0]).unwrap();
        let truth = [Some(10.0), Some(20.0), None];
        let s = summary(
            &Answers::Votes(votes),
            &truth,
            5.0,
            &CurveSettings::default(),
        )
        .unwrap()
        .unwrap();
        assert_eq!((s.items, s.answers), (2, 3));
        assert_eq!((s.mae.value, s.cs.value, s.bias.value), (4.5, 0.75, 3.5));
        assert!((s.rmse.value - 22.5f64.sqrt()).abs() < 1e-12);
        // (22.5 − 12.25) · 3/2 = 15.375.
        assert!((s.spread.unwrap() - 15.375f64.sqrt()).abs() < 1e-12);
        let nothing = Answers::Estimates(vec![None; 3]);
        assert_eq!(
            summary(&nothing, &truth, 5.0, &CurveSettings::default()).unwrap(),
            None
        );
    }
}
