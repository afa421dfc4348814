//! Locally weighted regression (Cleveland 1979).

use super::check_points;
use crate::Error;
use crate::error::check_setting;

/// LOWESS: at every place a line through the nearest points, near ones weighing most, repeated with points far from the curve
/// held back (Cleveland 1979, "Robust locally weighted regression and smoothing scatterplots").
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lowess {
    /// Share of the points in each neighbourhood, above 0 up to 1: 2/3. Larger is smoother.
    pub share: f64,
    /// How often the fit is repeated with weights from its residuals: 3. 0 trusts every point.
    pub robust: usize,
    /// Points closer to the last fitted one than this share of the range are interpolated: 0.01, as Cleveland advises.
    /// 0 fits at every point, which costs the square of their number.
    pub skip: f64,
}

impl Default for Lowess {
    fn default() -> Self {
        Self {
            share: 2.0 / 3.0,
            robust: 3,
            skip: 0.01,
        }
    }
}

/// Points in ascending order of x with their robustness weights.
struct Sorted {
    x: Vec<f64>,
    y: Vec<f64>,
    weight: Vec<f64>,
    /// Points in a neighbourhood.
    near: usize,
}

impl Lowess {
    /// Errors if a setting is out of range.
    pub fn check(&self) -> Result<(), Error> {
        let share = self.share > 0.0 && self.share <= 1.0;
        check_setting(share, "share", self.share, "must lie above 0 and up to 1")?;
        let skip = (0.0..1.0).contains(&self.skip);
        check_setting(skip, "skip", self.skip, "must lie from 0 to below 1")
    }

    /// The curve at every `x`, in the order given. The order of points does not matter, nor do ties.
    ///
    /// Fewer than two points are their own curve. A neighbourhood in which all `x` are equal, or all points but those of one
    /// place are held back, has the weighted mean. Errors: lengths differ, a value is not finite, a setting is out of range.
    pub fn fit(&self, x: &[f64], y: &[f64]) -> Result<Vec<f64>, Error> {
        let (order, mut points) = self.prepare(x, y)?;
        self.weigh(&mut points);
        let fitted = points.pass(self.skip);
        let mut result = vec![0.0; x.len()];
        for (&at, &value) in order.iter().zip(&fitted) {
            result[at] = value;
        }
        Ok(result)
    }

    /// The curve at other places: robustness weights come from the fit at the points. Beyond the points the last line goes
    /// on. Empty for no points. Errors as [`Lowess::fit`].
    pub fn curve(&self, x: &[f64], y: &[f64], at: &[f64]) -> Result<Vec<f64>, Error> {
        let (_, mut points) = self.prepare(x, y)?;
        if points.x.is_empty() {
            return Ok(Vec::new());
        }
        self.weigh(&mut points);
        Ok(at.iter().map(|&place| points.at(place)).collect())
    }

    fn prepare(&self, x: &[f64], y: &[f64]) -> Result<(Vec<usize>, Sorted), Error> {
        self.check()?;
        check_points(x, y)?;
        let mut order: Vec<usize> = (0..x.len()).collect();
        // By value as well, so that sums run in the same order however the points came.
        order.sort_by(|&a, &b| x[a].total_cmp(&x[b]).then(y[a].total_cmp(&y[b])));
        // The tiny part is for shares like 0.1 of 30, which must be 3.
        let near = (self.share * x.len() as f64 + 1e-10) as usize;
        let points = Sorted {
            x: order.iter().map(|&i| x[i]).collect(),
            y: order.iter().map(|&i| y[i]).collect(),
            weight: vec![1.0; x.len()],
            near: near.clamp(2.min(x.len()), x.len()),
        };
        Ok((order, points))
    }

    /// Fits and weighs, again and again: what is left is the last fit.
    fn weigh(&self, points: &mut Sorted) {
        if points.x.len() < 2 {
            return;
        }
        for _ in 0..self.robust {
            let fitted = points.pass(self.skip);
            points.weigh(&fitted);
        }
    }
}

impl Sorted {
    /// One pass over all points.
    fn pass(&self, skip: f64) -> Vec<f64> {
        let n = self.x.len();
        let mut fitted = vec![0.0; n];
        if n < 2 {
            fitted.copy_from_slice(&self.y);
            return fitted;
        }
        let skip = skip * (self.x[n - 1] - self.x[0]);
        let mut last = 0;
        fitted[0] = self.at(self.x[0]);
        while last + 1 < n {
            // The furthest point within reach is fitted next; of points further apart than that, the next one.
            let reach = self.x.partition_point(|&x| x <= self.x[last] + skip);
            let next = (reach - 1).max(last + 1);
            fitted[next] = if self.x[next] == self.x[last] {
                fitted[last]
            } else {
                self.at(self.x[next])
            };
            let (from, to) = (self.x[last], self.x[next]);
            for i in last + 1..next {
                let share = if to > from {
                    (self.x[i] - from) / (to - from)
                } else {
                    0.0
                };
                fitted[i] = fitted[last] + share * (fitted[next] - fitted[last]);
            }
            last = next;
        }
        fitted
    }

    /// The nearest `near` points of a place, as a range.
    fn neighbours(&self, place: f64) -> (usize, usize) {
        let (n, k) = (self.x.len(), self.near);
        let here = self.x.partition_point(|&x| x < place);
        // The window starts between `here - k` and `here`; find the first start that cannot be bettered by moving right.
        let (mut low, mut high) = (here.saturating_sub(k), here.min(n - k));
        while low < high {
            let middle = usize::midpoint(low, high);
            if place - self.x[middle] > self.x[middle + k] - place {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low, low + k)
    }

    /// The local line at a place.
    fn at(&self, place: f64) -> f64 {
        let (from, to) = self.neighbours(place);
        let radius = (place - self.x[from]).max(self.x[to - 1] - place);
        if radius <= 0.0 {
            // All neighbours stand here, and perhaps more than `near` of them: they are equals.
            let from = self.x.partition_point(|&x| x < place);
            let to = self.x.partition_point(|&x| x <= place);
            return self.mean(from, to);
        }
        let weight = |i: usize| {
            let d = (self.x[i] - place).abs() / radius;
            // The two limits are Cleveland's own.
            let near = match d {
                d if d > 0.999 => 0.0,
                d if d < 0.001 => 1.0,
                d => (1.0 - d * d * d).powi(3),
            };
            near * self.weight[i]
        };
        let (mut sum, mut sx, mut sy) = (0.0, 0.0, 0.0);
        for i in from..to {
            let w = weight(i);
            sum += w;
            sx += w * self.x[i];
            sy += w * self.y[i];
        }
        if sum <= 1e-12 {
            return self.mean(from, to);
        }
        let (mx, my) = (sx / sum, sy / sum);
        let (mut sxx, mut sxy) = (0.0, 0.0);
        for i in from..to {
            let (w, d) = (weight(i), self.x[i] - mx);
            sxx += w * d * d;
            sxy += w * d * self.y[i];
        }
        // A slope through points that hardly differ in x would be noise.
        if sxx / sum <= (1e-6 * radius).powi(2) {
            return my;
        }
        my + sxy / sxx * (place - mx)
    }

    /// Mean of the points of a range by their robustness weights; plain if all are held back.
    fn mean(&self, from: usize, to: usize) -> f64 {
        let weights = &self.weight[from..to];
        let values = &self.y[from..to];
        let sum: f64 = weights.iter().sum();
        if sum <= 1e-12 {
            return values.iter().sum::<f64>() / values.len() as f64;
        }
        weights.iter().zip(values).map(|(w, y)| w * y).sum::<f64>() / sum
    }

    /// Bisquare weights from residuals, six times their median being where weight ends.
    fn weigh(&mut self, fitted: &[f64]) {
        let residuals: Vec<f64> = self
            .y
            .iter()
            .zip(fitted)
            .map(|(y, f)| (y - f).abs())
            .collect();
        let mut sorted = residuals.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len();
        let median = f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]);
        for (weight, r) in self.weight.iter_mut().zip(residuals) {
            // More than half of the points lie on the curve: those that do not are held back altogether.
            let u = if median == 0.0 {
                f64::from(u8::from(r > 0.0))
            } else {
                r / (6.0 * median)
            };
            *weight = match u {
                u if u > 0.999 => 0.0,
                u if u < 0.001 => 1.0,
                u => (1.0 - u * u).powi(2),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `tests/reference/lowess.py`, statsmodels 0.14.5: x, y, then the curve with the settings in the header.
    const REFERENCE: &str = include_str!("../../tests/reference/lowess_reference.csv");
    const PLACES: &str = include_str!("../../tests/reference/lowess_places.csv");

    fn columns(text: &str) -> (Vec<String>, Vec<Vec<f64>>) {
        let mut lines = text.lines();
        let names: Vec<String> = lines
            .next()
            .unwrap()
            .split(',')
            .map(str::to_owned)
            .collect();
        let mut columns = vec![Vec::new(); names.len()];
        for line in lines {
            for (column, cell) in columns.iter_mut().zip(line.split(',')) {
                column.push(cell.parse().unwrap());
            }
        }
        (names, columns)
    }

    /// `share=0.5 robust=3 skip=0` as settings.
    fn settings(name: &str) -> Lowess {
        let value = |key: &str| -> f64 {
            let part = name
                .split(' ')
                .find_map(|p| p.strip_prefix(&format!("{key}=")));
            part.unwrap().parse().unwrap()
        };
        Lowess {
            share: value("share"),
            robust: value("robust") as usize,
            skip: value("skip"),
        }
    }

    #[test]
    fn the_curve_is_that_of_statsmodels() {
        let (names, columns) = columns(REFERENCE);
        assert!(names.len() >= 8, "{names:?}");
        for (name, expected) in names.iter().zip(&columns).skip(2) {
            let found = settings(name).fit(&columns[0], &columns[1]).unwrap();
            for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert!(
                    (found - expected).abs() < 1e-8,
                    "{name}, point {i}: {found} instead of {expected}"
                );
            }
        }
    }

    #[test]
    fn between_the_points_the_curve_is_that_of_statsmodels() {
        let (_, points) = columns(REFERENCE);
        let (names, columns) = columns(PLACES);
        for (name, expected) in names.iter().zip(&columns).skip(1) {
            let found = settings(name)
                .curve(&points[0], &points[1], &columns[0])
                .unwrap();
            for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert!(
                    (found - expected).abs() < 1e-8,
                    "{name}, place {i}: {found} instead of {expected}"
                );
            }
        }
    }

    #[test]
    fn three_points_as_worked_by_hand() {
        // Places 0, 1, 3 with values 0, 3, 0, all three in each neighbourhood. At 1 the radius is 2, so that 0 weighs
        // (1 − 1/8)³ = 0.669922, 1 weighs 1 and 3 nothing: the line through the first two is 3 at 1.
        let all = Lowess {
            share: 1.0,
            robust: 0,
            skip: 0.0,
        };
        let fitted = all.fit(&[0.0, 1.0, 3.0], &[0.0, 3.0, 0.0]).unwrap();
        assert!((fitted[1] - 3.0).abs() < 1e-12, "{fitted:?}");
        // At 0 the radius is 3: 1 weighs (1 − 1/27)³, 3 nothing, and again the line goes through both.
        assert!(fitted[0].abs() < 1e-12, "{fitted:?}");
    }

    #[test]
    fn few_points_and_equal_places() {
        let lowess = Lowess::default();
        assert!(lowess.fit(&[], &[]).unwrap().is_empty());
        assert_eq!(lowess.fit(&[1.0], &[5.0]).unwrap(), [5.0]);
        let plain = Lowess {
            robust: 0,
            ..lowess
        };
        assert_eq!(
            plain.fit(&[2.0; 4], &[1.0, 2.0, 3.0, 6.0]).unwrap(),
            [3.0; 4]
        );
        assert!(
            Lowess {
                share: 0.0,
                ..lowess
            }
            .fit(&[1.0], &[1.0])
            .is_err()
        );
        assert!(lowess.fit(&[1.0, 2.0], &[1.0, f64::INFINITY]).is_err());
    }

    #[test]
    fn a_wild_point_does_not_move_the_curve() {
        let x: Vec<f64> = (0..40).map(f64::from).collect();
        let mut y: Vec<f64> = x.iter().map(|x| 2.0 * x + (x * 7.0).sin()).collect();
        let calm = Lowess::default().fit(&x, &y).unwrap();
        y[20] = 5000.0;
        let wild = Lowess::default().fit(&x, &y).unwrap();
        assert!(
            (calm[20] - wild[20]).abs() < 0.5,
            "{} {}",
            calm[20],
            wild[20]
        );
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_a_line_is_its_own_curve(
            mut points in prop::collection::vec((0u8..50, -100.0..100.0f64), 2..60),
            slope in -3.0..3.0f64,
        ) {
            let split = |p: &[(u8, f64)]| -> (Vec<f64>, Vec<f64>) { p.iter().map(|&(x, y)| (f64::from(x), y)).unzip() };
            let lowess = Lowess::default();
            let by_point = |p: &[(u8, f64)]| {
                let (x, y) = split(p);
                let mut all: Vec<(u64, u64, u64)> = lowess.fit(&x, &y).unwrap().iter().zip(x.iter().zip(&y))
                    .map(|(f, (x, y))| (x.to_bits(), y.to_bits(), f.to_bits())).collect();
                all.sort_unstable();
                all
            };
            let before = by_point(&points);
            points.reverse();
            prop_assert_eq!(before, by_point(&points));

            let (x, _) = split(&points);
            let line: Vec<f64> = x.iter().map(|x| slope * x + 1.0).collect();
            let fitted = Lowess { robust: 0, ..lowess }.fit(&x, &line).unwrap();
            for (f, y) in fitted.iter().zip(&line) {
                prop_assert!((f - y).abs() < 1e-6, "{f} instead of {y}");
            }
        }
    }
}
