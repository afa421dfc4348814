//! From standard errors to intervals that keep their promise: what controls say about both.

use rayon::prelude::*;

use crate::interval::normal_quantile;

/// With fewer controls than this nothing is calibrated: their own scatter would be passed on to every interval.
pub const LEAST_CONTROLS: usize = 20;

/// Ratios |estimate − truth| / se of controls, each computed without its own item.
#[derive(Debug, Clone)]
pub(super) struct Calibration {
    level: f64,
    /// In ascending order; empty when there are too few controls.
    ratios: Vec<f64>,
    squares: f64,
}

/// What to do to one standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    /// The standard error is multiplied by this.
    pub(super) factor: f64,
    /// Half of the interval, in standard errors as they were before.
    pub(super) half: f64,
}

impl Calibration {
    /// From the ratios of all controls that have one.
    pub(super) fn new(mut ratios: Vec<f64>, level: f64) -> Self {
        if ratios.len() < LEAST_CONTROLS {
            ratios.clear();
        }
        ratios.par_sort_unstable_by(f64::total_cmp);
        Self {
            level,
            squares: ratios.iter().map(|r| r * r).sum(),
            ratios,
        }
    }

    /// For items that are no controls; `None` with too few controls.
    pub(super) fn factor(&self) -> Option<f64> {
        (!self.ratios.is_empty()).then(|| (self.squares / self.ratios.len() as f64).sqrt())
    }

    /// For an item: a control gives its own ratio, which is left out.
    ///
    /// The standard error is scaled so that its mean square ratio is 1. The interval takes the ⌈(n + 1)·level⌉-th smallest
    /// ratio for its half-width (split conformal prediction: Vovk et al. 2005), which covers at its level whatever the
    /// shape of the errors; the normal quantile would be too wide for most items where a few are very wrong. Where n is too
    /// small for the level, or there are no ratios at all, the normal quantile serves.
    pub(super) fn stretch(&self, own: Option<f64>) -> Stretch {
        let n = self.ratios.len() - usize::from(own.is_some() && !self.ratios.is_empty());
        if self.ratios.is_empty() {
            return Stretch {
                factor: 1.0,
                half: normal_quantile(self.level),
            };
        }
        let left_out = own.unwrap_or(0.0);
        let factor = ((self.squares - left_out * left_out).max(0.0) / n as f64).sqrt();
        let rank = ((n + 1) as f64 * self.level - 1e-9).ceil() as usize;
        let half = if rank > n {
            factor * normal_quantile(self.level)
        } else {
            // The rank-th smallest of the others: one further on when the item's own ratio stands before it.
            let before = own.is_some_and(|own| self.ratios[rank - 1] >= own);
            self.ratios[rank - 1 + usize::from(before)]
        };
        Stretch { factor, half }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_controls_leave_standard_errors_and_normal_intervals_alone() {
        let c = Calibration::new(vec![3.0; 19], 0.9);
        assert_eq!(c.factor(), None);
        let s = c.stretch(Some(3.0));
        assert!(s.factor == 1.0 && (s.half - 1.6449).abs() < 1e-4);
    }

    #[test]
    fn the_half_width_is_the_conformal_rank_among_the_others() {
        // Ratios 1..=29: for a new item ⌈30·0.9⌉ = 27, the 27th smallest.
        let ratios: Vec<f64> = (1..=29).rev().map(f64::from).collect();
        let c = Calibration::new(ratios, 0.9);
        assert_eq!(c.stretch(None).half, 27.0);
        // For a control 28 are left: ⌈29·0.9⌉ = 27, the 27th of the others: 28 if its own is among the first 27.
        assert_eq!(c.stretch(Some(5.0)).half, 28.0);
        assert_eq!(c.stretch(Some(27.0)).half, 28.0);
        assert_eq!(c.stretch(Some(28.0)).half, 27.0);
        // Mean square of 1..29 without 29: 28·29·57/6/28 = 275.5.
        assert!((c.stretch(Some(29.0)).factor - 275.5f64.sqrt()).abs() < 1e-12);
        assert!((c.factor().unwrap() - (30.0 * 59.0 / 6.0f64).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_level_that_so_few_controls_cannot_show_takes_the_normal_quantile() {
        let c = Calibration::new(vec![2.0; 20], 0.99);
        assert!((c.stretch(None).half - 2.0 * 2.5758).abs() < 1e-3);
    }
}
