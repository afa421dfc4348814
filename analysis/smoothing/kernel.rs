//! Kernel regression of one bandwidth.

use super::check_points;
use crate::Error;
use crate::error::check_setting;

/// What is fitted at each place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Degree {
    /// The weighted mean (Nadaraya 1964, Watson 1964): never outside the values, drawn inwards at the ends.
    Constant,
    /// A weighted line (Stone 1977; Fan 1993): straight at the ends, unsteady where points are few.
    Line,
}

/// Kernel regression with a normal kernel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kernel {
    /// Standard deviation of the kernel, in the unit of x; above 0.
    pub bandwidth: f64,
    /// What is fitted.
    pub degree: Degree,
}

/// Points of one place taken together: place, weight, weighted sum of values.
pub(super) type Cell = (f64, f64, f64);

impl Kernel {
    /// Errors if the bandwidth cannot be used.
    pub fn check(&self) -> Result<(), Error> {
        let ok = self.bandwidth > 0.0 && self.bandwidth.is_finite();
        check_setting(ok, "bandwidth", self.bandwidth, "must be a number above 0")
    }

    /// The curve at these places; `None` where no point lies within about seven bandwidths.
    ///
    /// The order of points does not matter. Where all near points stand at one place, a line falls back to the mean.
    /// Errors: lengths differ, a value is not finite, the bandwidth cannot be used. Time: points × places.
    pub fn curve(&self, x: &[f64], y: &[f64], at: &[f64]) -> Result<Vec<Option<f64>>, Error> {
        self.check()?;
        check_points(x, y)?;
        let cells = cells(x.iter().zip(y).map(|(&x, &y)| (x, 1.0, y)).collect());
        Ok(at.iter().map(|&place| self.at(&cells, place)).collect())
    }

    /// How many points speak at a place: `Σ exp(−d²/2h²)`, a point at the place counting as one. Unlike the effective number of
    /// weights, it falls to 0 away from the points.
    pub fn support(&self, x: &[f64], place: f64) -> f64 {
        x.iter().map(|&x| self.weight(x - place)).sum()
    }

    pub(super) fn weight(&self, distance: f64) -> f64 {
        let z = distance / self.bandwidth;
        (-0.5 * z * z).exp()
    }

    /// The curve at one place from cells.
    pub(super) fn at(&self, cells: &[Cell], place: f64) -> Option<f64> {
        let (mut s0, mut s1, mut s2, mut t0, mut t1) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for &(x, weight, sum) in cells {
            let d = x - place;
            let k = self.weight(d);
            s0 += k * weight;
            s1 += k * weight * d;
            s2 += k * weight * d * d;
            t0 += k * sum;
            t1 += k * sum * d;
        }
        if s0 < 1e-11 {
            return None;
        }
        let det = s0 * s2 - s1 * s1;
        let line = self.degree == Degree::Line && det > 1e-9 * s0 * s2;
        Some(if line {
            (s2 * t0 - s1 * t1) / det
        } else {
            t0 / s0
        })
    }
}

/// Points as cells in ascending order, those of one place added up. Sorted by all three numbers first, so that the sums do not
/// depend on the order in which points came.
pub(super) fn cells(mut points: Vec<Cell>) -> Vec<Cell> {
    points.sort_unstable_by(|a, b| {
        let by = |f: fn(&Cell) -> f64| f(a).total_cmp(&f(b));
        by(|c| c.0).then(by(|c| c.1)).then(by(|c| c.2))
    });
    let mut cells: Vec<Cell> = Vec::new();
    for (x, weight, sum) in points {
        match cells.last_mut() {
            Some(last) if last.0 == x => {
                last.1 += weight;
                last.2 += sum;
            }
            _ => cells.push((x, weight, sum)),
        }
    }
    cells
}

/// A bandwidth for these points by the rule of thumb `0.9 · min(sd, IQR/1.34) · n^(−1/5)` (Silverman 1986). It looks at where
/// points lie, not at their values, so that all curves over the same points are smoothed alike. `None` for fewer than two
/// points or if all are equal.
pub fn silverman(x: &[f64]) -> Option<f64> {
    let n = x.len() as f64;
    if x.len() < 2 {
        return None;
    }
    let mut sorted = x.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let mean = sorted.iter().sum::<f64>() / n;
    let sd = (sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let quantile = |share: f64| {
        let at = share * (n - 1.0);
        let (low, part) = (at as usize, at.fract());
        let high = (low + 1).min(sorted.len() - 1);
        sorted[low] + part * (sorted[high] - sorted[low])
    };
    let iqr = (quantile(0.75) - quantile(0.25)) / 1.34;
    // Half of the points at one place: the quartiles say nothing.
    let spread = if iqr > 0.0 { sd.min(iqr) } else { sd };
    (spread > 0.0).then(|| 0.9 * spread * n.powf(-0.2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn columns(text: &str) -> (Vec<&str>, Vec<Vec<f64>>) {
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap().split(',').collect();
        let mut columns = vec![Vec::new(); names.len()];
        for line in lines {
            for (column, cell) in columns.iter_mut().zip(line.split(',')) {
                column.push(cell.parse().unwrap());
            }
        }
        (names, columns)
    }

    #[test]
    fn the_curve_is_that_of_statsmodels() {
        let (_, points) = columns(include_str!("../../tests/reference/lowess_reference.csv"));
        let (names, reference) =
            columns(include_str!("../../tests/reference/kernel_reference.csv"));
        for (name, expected) in names.iter().zip(&reference).skip(1) {
            let (kind, bandwidth) = name.split_once(' ').unwrap();
            let degree = if kind == "lc" {
                Degree::Constant
            } else {
                Degree::Line
            };
            let kernel = Kernel {
                bandwidth: bandwidth.parse().unwrap(),
                degree,
            };
            let found = kernel.curve(&points[0], &points[1], &reference[0]).unwrap();
            for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
                let found = found.unwrap();
                assert!(
                    (found - expected).abs() < 1e-6,
                    "{name}, place {i}: {found} instead of {expected}"
                );
            }
        }
    }

    #[test]
    fn two_points_as_worked_by_hand() {
        // At 0 the point at 0 weighs 1, the one at 1 exp(−½) = 0.606531: mean 0.606531 · 10 / 1.606531 = 3.775407.
        let kernel = Kernel {
            bandwidth: 1.0,
            degree: Degree::Constant,
        };
        let at = kernel
            .curve(&[0.0, 1.0], &[0.0, 10.0], &[0.0, 50.0])
            .unwrap();
        assert!((at[0].unwrap() - 3.775_407).abs() < 1e-6);
        assert_eq!(at[1], None);
        assert!((kernel.support(&[0.0, 1.0], 0.0) - 1.606_531).abs() < 1e-6);
        // A line through one place is its mean.
        let line = Kernel {
            degree: Degree::Line,
            ..kernel
        };
        assert_eq!(
            line.curve(&[2.0, 2.0], &[1.0, 3.0], &[2.5]).unwrap(),
            [Some(2.0)]
        );
    }

    #[test]
    fn the_rule_of_thumb_as_worked_by_hand() {
        // 1 … 5: sd 1.581139, quartiles 2 and 4: 2/1.34 = 1.492537; 5^(−1/5) = 0.724780; 0.9 · 1.492537 · 0.724780 = 0.973585.
        let h = silverman(&[3.0, 1.0, 5.0, 2.0, 4.0]).unwrap();
        assert!((h - 0.973_585).abs() < 1e-5, "{h}");
        assert_eq!(silverman(&[1.0]), None);
        assert_eq!(silverman(&[1.0, 1.0]), None);
        assert!(silverman(&[1.0, 1.0, 1.0, 1.0, 9.0]).is_some());
        assert!(
            Kernel {
                bandwidth: 0.0,
                degree: Degree::Line
            }
            .check()
            .is_err()
        );
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_means_stay_among_the_values(
            mut points in prop::collection::vec((0u8..30, -50.0..50.0f64), 1..40),
            place in -5.0..35.0f64,
        ) {
            let run = |points: &[(u8, f64)], degree| {
                let (x, y): (Vec<f64>, Vec<f64>) = points.iter().map(|&(x, y)| (f64::from(x), y)).unzip();
                Kernel { bandwidth: 2.5, degree }.curve(&x, &y, &[place]).unwrap()[0]
            };
            let before = (run(&points, Degree::Constant), run(&points, Degree::Line));
            if let Some(mean) = before.0 {
                let low = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
                let high = points.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
                prop_assert!(low - 1e-9 <= mean && mean <= high + 1e-9);
            }
            points.reverse();
            prop_assert_eq!(before, (run(&points, Degree::Constant), run(&points, Degree::Line)));
        }
    }
}
