//! Ranges of the true answer.

use crate::Error;
use crate::error::check_setting;

/// Ranges next to each other: each goes from its start up to, and without, the next one's.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranges {
    starts: Vec<f64>,
    /// Where the last one ends; `None` if it is open.
    end: Option<f64>,
    /// Whether truths are whole numbers, so that 3 up to 10 is called 3–9.
    whole: bool,
}

impl Ranges {
    /// Ranges that begin at these places; the last one is open. Errors if there is none, or they do not ascend.
    pub fn from_starts(starts: &[f64], whole: bool) -> Result<Self, Error> {
        check_setting(
            !starts.is_empty(),
            "edges",
            0.0,
            "must be one number or more",
        )?;
        let ascending = starts.windows(2).find(|w| w[0] >= w[1]);
        let worst = ascending.map_or(0.0, |w| w[1]);
        check_setting(ascending.is_none(), "edges", worst, "must ascend")?;
        let finite = starts.iter().all(|s| s.is_finite());
        check_setting(finite, "edges", f64::NAN, "must be finite")?;
        Ok(Self {
            starts: starts.to_vec(),
            end: None,
            whole,
        })
    }

    /// Ranges of one width that begin at its multiples and hold all these truths. `None` chooses the width among 1, 2 and 5 times
    /// powers of ten so that there are about twenty: five for ages from 0 to 100, whatever the unit. Errors without any truth,
    /// for a width that is not above 0, or for more than 10,000 ranges.
    pub fn even(truths: &[Option<f64>], width: Option<f64>) -> Result<Self, Error> {
        let known = || truths.iter().flatten().copied();
        let (low, high) = known().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), t| {
            (a.min(t), b.max(t))
        });
        if low > high {
            return Err(Error::NothingToCompare);
        }
        let width = width.unwrap_or_else(|| nice((high - low) / 20.0));
        check_setting(
            width > 0.0 && width.is_finite(),
            "range",
            width,
            "must be above 0",
        )?;
        let (first, last) = ((low / width).floor(), (high / width).floor());
        let few = last - first < 10_000.0;
        check_setting(
            few,
            "range",
            width,
            "is too narrow: there would be more than 10,000 ranges",
        )?;
        let n = (last - first) as i64;
        Ok(Self {
            starts: (0..=n).map(|i| (first + i as f64) * width).collect(),
            end: Some((last + 1.0) * width),
            whole: known().all(|t| t.fract() == 0.0) && width.fract() == 0.0,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Never: there is at least one.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The range of a truth; `None` below the first or beyond the last.
    pub fn index(&self, truth: f64) -> Option<usize> {
        let after = self.starts.partition_point(|&s| s <= truth);
        let inside = self.end.is_none_or(|end| truth < end);
        after.checked_sub(1).filter(|_| inside)
    }

    /// Start and end of a range; no end if it is open.
    pub fn ends(&self, range: usize) -> (f64, Option<f64>) {
        (
            self.starts[range],
            self.starts.get(range + 1).copied().or(self.end),
        )
    }

    /// The range, or several from `first` to `last`, in words: `3–9` and `80+` for whole numbers, else `165–170` (170 belongs to
    /// the next).
    pub fn label(&self, first: usize, last: usize) -> String {
        let from = self.starts[first];
        match self.ends(last).1 {
            None => format!("{from}+"),
            Some(to) if self.whole && to - 1.0 == from => format!("{from}"),
            Some(to) if self.whole => format!("{from}–{}", to - 1.0),
            Some(to) => format!("{}–{}", tidy(from), tidy(to)),
        }
    }
}

/// A product of a width without the dust of binary fractions.
fn tidy(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

/// The next of 1, 2, 5 times a power of ten at or above a size; 1 for nothing.
fn nice(size: f64) -> f64 {
    if size <= 0.0 || !size.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf(size.log10().floor());
    let found = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power);
    found
        .into_iter()
        .find(|w| *w >= size * 0.999_999)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_of_age_are_five_years_and_of_height_what_fits() {
        let ages = Ranges::even(&[Some(1.0), None, Some(99.0)], None).unwrap();
        assert_eq!(
            (
                ages.len(),
                ages.label(0, 0).as_str(),
                ages.label(19, 19).as_str()
            ),
            (20, "0–4", "95–99")
        );
        let heights = Ranges::even(&[Some(151.2), Some(198.0)], None).unwrap();
        assert_eq!(heights.ends(0), (150.0, Some(155.0)));
        assert_eq!(heights.label(0, 1), "150–160");
        assert!(Ranges::even(&[None], None).is_err());
        assert!(Ranges::even(&[Some(0.0), Some(1e9)], Some(1.0)).is_err());
        assert_eq!(Ranges::even(&[Some(7.0)], None).unwrap().label(0, 0), "7");
    }

    #[test]
    fn given_edges_start_ranges_and_the_last_is_open() {
        let ranges = Ranges::from_starts(&[0.0, 3.0, 10.0, 80.0], true).unwrap();
        let at = |t| ranges.index(t);
        assert_eq!(
            [at(-1.0), at(2.0), at(3.0), at(80.0), at(1e6)],
            [None, Some(0), Some(1), Some(3), Some(3)]
        );
        assert_eq!(
            [ranges.label(0, 0), ranges.label(1, 2), ranges.label(3, 3)],
            ["0–2", "3–79", "80+"]
        );
        assert!(Ranges::from_starts(&[0.0, 5.0, 5.0], true).is_err());
        assert!(Ranges::from_starts(&[], true).is_err());
    }

    proptest! {
        #[test]
        fn even_ranges_hold_every_truth(truths in prop::collection::vec(-1e4..1e4f64, 1..30)) {
            let known: Vec<Option<f64>> = truths.iter().copied().map(Some).collect();
            let ranges = Ranges::even(&known, None).unwrap();
            prop_assert!(ranges.len() <= 22);
            for t in truths {
                let (from, to) = ranges.ends(ranges.index(t).unwrap());
                prop_assert!(from <= t && t < to.unwrap());
            }
        }
    }
}
