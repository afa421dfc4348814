//! Smooth curves through points, with a band that says how far to trust them.
//!
//! [`Lowess`] follows the points by local lines over nearest neighbours and is not moved by a few wild ones; [`Kernel`] weighs
//! points by a normal curve of one width, so that two curves smoothed alike can be compared place by place. [`band`] repeats
//! either on resampled groups (an annotator's points, an item's votes) and marks where there is too little to see.

mod band;
mod kernel;
mod lowess;

pub use band::{BandPoint, BandSettings, Smoother, band};
pub use kernel::{Degree, Kernel, silverman};
pub use lowess::Lowess;

use crate::Error;

/// Errors unless both columns are equally long and finite.
pub(crate) fn check_points(x: &[f64], y: &[f64]) -> Result<(), Error> {
    if x.len() != y.len() {
        let reason = format!("{} places and {} values", x.len(), y.len());
        return Err(Error::Points { reason });
    }
    let bad = x
        .iter()
        .zip(y)
        .position(|(x, y)| !x.is_finite() || !y.is_finite());
    bad.map_or(Ok(()), |row| {
        let reason = format!("point {row} is not finite");
        Err(Error::Points { reason })
    })
}

/// `steps + 1` places evenly from the smallest to the largest of `x`; one place if all are equal, none if there are none.
pub fn places(x: &[f64], steps: usize) -> Vec<f64> {
    let low = x.iter().copied().fold(f64::INFINITY, f64::min);
    let high = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return Vec::new();
    }
    if low == high || steps == 0 {
        return vec![low];
    }
    (0..=steps)
        .map(|i| low + (high - low) * i as f64 / steps as f64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_go_from_end_to_end() {
        assert_eq!(places(&[3.0, 1.0, 2.0], 4), [1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(places(&[7.0, 7.0], 4), [7.0]);
        assert!(places(&[], 4).is_empty());
    }

    #[test]
    fn points_that_cannot_be_smoothed_are_named() {
        let e = check_points(&[1.0, f64::NAN], &[1.0, 2.0]).unwrap_err();
        assert!(e.to_string().contains("point 1"), "{e}");
        assert!(check_points(&[1.0], &[]).is_err());
    }
}
