//! Error against the true answer, people beside networks: curves, who is better where, error against overlap, classes from
//! regressed numbers.
//!
//! A side is anything that answers: single votes of people, an aggregated label, a network, a network with a part hidden. Each is
//! reduced to its errors per item ([`Answers::errors`]), and **each item counts once**, however many votes it has: what is
//! described is one answer on one item, which is what a network gives. Items are what is resampled, because the votes of one
//! item share an error. See `docs/methods.md`, "Curves".

mod by_truth;
mod classes;
mod contest;
mod overlap;
mod ranges;
mod sexes;
mod side;
mod summary;

pub use by_truth::{CurvePoint, by_range, smoothed};
pub use classes::{ADIENCE, ClassAccuracy, ClassScheme, FAIRFACE, classify};
pub use contest::{Contest, Duel, Pairing, Verdict, Won, contests};
pub use overlap::{Overlap, OverlapCurve, OverlapPoint, OverlapSettings, overlap};
pub use ranges::Ranges;
pub use sexes::{SharePoint, share_by_range};
pub use side::{Answers, ItemError, cross_fitted_labels};
pub use summary::{Summary, summary};

use crate::Error;
use crate::error::check_setting;
use crate::scoring::number::check_level;
use serde::Serialize;

/// How curves and comparisons are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveSettings {
    /// Level of all intervals: 0.95.
    pub level: f64,
    /// Bootstrap resamples of the items: 1000.
    pub resamples: usize,
    /// Seed of the resampling.
    pub seed: u64,
    /// With fewer items than this a range is thin: shown grey, and not contested. 10.
    pub thin: usize,
}

impl Default for CurveSettings {
    fn default() -> Self {
        Self {
            level: 0.95,
            resamples: 1000,
            seed: 1,
            thin: 10,
        }
    }
}

impl CurveSettings {
    /// Errors if one is out of range.
    pub fn check(&self) -> Result<(), Error> {
        check_level(self.level)?;
        let thin = self.thin >= 2;
        check_setting(thin, "thin", self.thin as f64, "must be at least 2 items")
    }
}

/// A mean over items with its bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Its interval; `None` with a single item.
    pub interval: Option<crate::Interval>,
}

/// Means of columns of equal length, all resampled by the same draws. Rows are sorted first, so that their order does not matter.
fn means<const N: usize>(mut rows: Vec<[f64; N]>, settings: &CurveSettings) -> [Mean; N] {
    rows.sort_unstable_by(|a, b| {
        let mut pairs = a.iter().zip(b);
        let unequal = pairs.find(|(a, b)| a.total_cmp(b).is_ne());
        unequal.map_or(std::cmp::Ordering::Equal, |(a, b)| a.total_cmp(b))
    });
    let columns: Vec<Vec<f64>> = (0..N)
        .map(|c| rows.iter().map(|r| r[c]).collect())
        .collect();
    let intervals = crate::aggregation::bootstrap::mean_intervals(
        &columns,
        settings.resamples,
        settings.level,
        settings.seed,
    );
    std::array::from_fn(|c| Mean {
        value: columns[c].iter().sum::<f64>() / rows.len() as f64,
        interval: intervals[c],
    })
}
