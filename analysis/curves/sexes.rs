//! The share of right answers on a choice, by the true number: sex by age.

use serde::Serialize;

use super::classes::shares;
use super::{CurveSettings, Mean, Ranges};
use crate::Error;
use crate::error::check_truths;

/// A share of right answers in one range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SharePoint {
    /// Index of the range; `None` for all items together.
    pub range: Option<usize>,
    /// Mean truth of its items.
    pub at: f64,
    /// Items.
    pub items: usize,
    /// Share of right answers, every item counting once, with Wilson's interval (1927) for one answer per item, else by bootstrap.
    pub share: Mean,
    /// Whether there are too few items to look at.
    pub thin: bool,
}

/// The share right by range, and of all items first. `truth` is the number that ranges are of, `right` the share of an item's
/// answers that are right (0 or 1 for a label or a network), `None` where there is none. Empty without items. Errors if lengths
/// differ or a setting is out of range.
pub fn share_by_range(
    truth: &[Option<f64>],
    right: &[Option<f64>],
    ranges: &Ranges,
    settings: &CurveSettings,
) -> Result<Vec<SharePoint>, Error> {
    settings.check()?;
    check_truths(truth.len(), right.len())?;
    let mut by_range = vec![Vec::new(); ranges.len()];
    for (truth, right) in truth.iter().zip(right) {
        if let (Some(truth), Some(right)) = (truth, right)
            && let Some(range) = ranges.index(*truth)
        {
            by_range[range].push((*truth, *right));
        }
    }
    let all = by_range.concat();
    let point = |range: Option<usize>, rows: &[(f64, f64)]| {
        let mut places: Vec<f64> = rows.iter().map(|r| r.0).collect();
        places.sort_unstable_by(f64::total_cmp);
        let [share] = shares(rows.iter().map(|r| [r.1]).collect(), settings);
        SharePoint {
            range,
            at: places.iter().sum::<f64>() / rows.len() as f64,
            items: rows.len(),
            share,
            thin: rows.len() < settings.thin,
        }
    };
    let groups = std::iter::once((None, &all))
        .chain(by_range.iter().enumerate().map(|(r, rows)| (Some(r), rows)));
    Ok(groups
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(range, rows)| point(range, rows))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_two_ranges_as_worked_by_hand() {
        let truth = [Some(1.0), Some(3.0), Some(12.0), None, Some(14.0)];
        let right = [Some(1.0), Some(0.0), Some(1.0), Some(1.0), None];
        let ranges = Ranges::from_starts(&[0.0, 10.0], true).unwrap();
        let points = share_by_range(&truth, &right, &ranges, &CurveSettings::default()).unwrap();
        let shown: Vec<_> = points
            .iter()
            .map(|p| (p.range, p.at, p.items, p.share.value))
            .collect();
        assert_eq!(
            shown,
            [
                (None, 16.0 / 3.0, 3, 2.0 / 3.0),
                (Some(0), 2.0, 2, 0.5),
                (Some(1), 12.0, 1, 1.0)
            ]
        );
        // Wilson for 1 of 1: 0.2065 to 1.
        assert!((points[2].share.interval.unwrap().low - 0.2065).abs() < 1e-3);
        assert!(
            share_by_range(&truth, &[None; 5], &ranges, &CurveSettings::default())
                .unwrap()
                .is_empty()
        );
    }
}
