//! A straight line per annotator, and the line they have in common: the linear mixed model with random intercept and slope.

use super::simplex::lowest;
use crate::Error;
use serde::Serialize;

/// The common line of `y = (a + a_u) + (b + b_u)·x + ε`, `(a_u, b_u) ~ N(0, D)`, `ε ~ N(0, σ²)`, by restricted maximum likelihood
/// (Patterson and Thompson 1971; Laird and Ware 1982).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mixed {
    /// `a`: the mean line at x = 0.
    pub intercept: f64,
    /// `b`: how much y changes with x, the mean over annotators.
    pub slope: f64,
    /// Standard error of the intercept under the model.
    pub intercept_se: f64,
    /// Standard error of the slope under the model.
    pub slope_se: f64,
    /// Standard error of the slope that holds also if annotators have errors of different size and form: sandwich over annotators (Liang
    /// and Zeger 1986), times G/(G − 1).
    pub slope_robust_se: f64,
    /// Standard deviation of single answers around their annotator's line.
    pub residual_sd: f64,
    /// Standard deviation of annotators' lines at x = 0.
    pub intercept_sd: f64,
    /// Standard deviation of annotators' slopes.
    pub slope_sd: f64,
    /// Annotators.
    pub groups: usize,
    /// Points.
    pub points: usize,
    /// Whether the search for the variances came to rest.
    pub settled: bool,
}

/// Sums over the points of one annotator.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    x: f64,
    xx: f64,
    y: f64,
    xy: f64,
    yy: f64,
}

type Two = [[f64; 2]; 2];

fn times(a: Two, b: Two) -> Two {
    std::array::from_fn(|i| std::array::from_fn(|j| a[i][0] * b[0][j] + a[i][1] * b[1][j]))
}

fn transposed(a: Two) -> Two {
    [[a[0][0], a[1][0]], [a[0][1], a[1][1]]]
}

fn applied(a: Two, v: [f64; 2]) -> [f64; 2] {
    std::array::from_fn(|i| a[i][0] * v[0] + a[i][1] * v[1])
}

fn determinant(a: Two) -> f64 {
    a[0][0] * a[1][1] - a[0][1] * a[1][0]
}

fn inverse(a: Two) -> Two {
    let d = determinant(a);
    [[a[1][1] / d, -a[0][1] / d], [-a[1][0] / d, a[0][0] / d]]
}

fn dot(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

/// What is left of one annotator's sums once the covariance of their own answers is taken out, σ² being 1.
struct Weighed {
    xx: Two,
    xy: [f64; 2],
    yy: f64,
    log_determinant: f64,
}

impl Sums {
    /// V⁻¹ between the sums, V = I + Z·L·Lᵀ·Zᵀ, by the formula of Woodbury: no matrix is larger than 2 × 2.
    fn weighed(&self, l: Two) -> Weighed {
        let a = [[self.n, self.x], [self.x, self.xx]];
        let b = [self.y, self.xy];
        let al = times(a, l);
        let mut m = times(transposed(l), al);
        m[0][0] += 1.0;
        m[1][1] += 1.0;
        let inner = inverse(m);
        let lb = applied(transposed(l), b);
        let taken = times(times(al, inner), transposed(al));
        let middle = applied(inner, lb);
        let xy = applied(al, middle);
        Weighed {
            xx: std::array::from_fn(|i| std::array::from_fn(|j| a[i][j] - taken[i][j])),
            xy: [b[0] - xy[0], b[1] - xy[1]],
            yy: self.yy - dot(lb, middle),
            log_determinant: determinant(m).ln(),
        }
    }
}

struct Fit {
    line: [f64; 2],
    /// Inverse of the information, σ² being 1.
    covariance: Two,
    variance: f64,
    criterion: f64,
}

/// The line for given variances (as the lower triangle of a matrix whose square is D/σ²), and −2 times the restricted likelihood.
fn fit(groups: &[Sums], l: Two) -> Fit {
    let (mut xx, mut xy, mut yy, mut logs, mut n) = ([[0.0; 2]; 2], [0.0; 2], 0.0, 0.0, 0.0);
    for group in groups {
        let w = group.weighed(l);
        for i in 0..2 {
            xy[i] += w.xy[i];
            xx[i][0] += w.xx[i][0];
            xx[i][1] += w.xx[i][1];
        }
        yy += w.yy;
        logs += w.log_determinant;
        n += group.n;
    }
    let covariance = inverse(xx);
    let line = applied(covariance, xy);
    let variance = ((yy - dot(line, xy)) / (n - 2.0)).max(f64::MIN_POSITIVE);
    Fit {
        line,
        covariance,
        variance,
        criterion: (n - 2.0) * variance.ln() + logs + determinant(xx).ln(),
    }
}

fn lower(p: &[f64; 3]) -> Two {
    [[p[0], 0.0], [p[1], p[2]]]
}

/// Fits the model to points `(x, y)` of groups (annotators, with any numbers). The order of points does not matter.
///
/// `None` for fewer than two groups, fewer than five points, no spread of `x`, or `y` all equal. Errors: lengths differ, a value is
/// not finite. Time: linear in the points, then some hundred passes over the groups.
pub fn mixed_slope(x: &[f64], y: &[f64], group: &[u32]) -> Result<Option<Mixed>, Error> {
    crate::smoothing::check_points(x, y)?;
    if group.len() != x.len() {
        let reason = format!("{} points and {} groups", x.len(), group.len());
        return Err(Error::Points { reason });
    }
    let mut rows: Vec<(u32, f64, f64)> = (0..x.len()).map(|i| (group[i], x[i], y[i])).collect();
    rows.sort_unstable_by(|a, b| {
        let order = a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
        order.then(a.2.total_cmp(&b.2))
    });
    // In units of their own spread, so that one search suits all scales.
    let standard = |of: fn(&(u32, f64, f64)) -> f64| {
        let n = rows.len().max(1) as f64;
        let mean = rows.iter().map(of).sum::<f64>() / n;
        let sd = (rows.iter().map(|r| (of(r) - mean).powi(2)).sum::<f64>() / n).sqrt();
        (mean, sd)
    };
    let ((mx, sx), (my, sy)) = (standard(|r| r.1), standard(|r| r.2));
    let groups: Vec<Sums> = rows
        .chunk_by(|a, b| a.0 == b.0)
        .map(|chunk| {
            let mut s = Sums::default();
            for r in chunk {
                let (x, y) = ((r.1 - mx) / sx, (r.2 - my) / sy);
                s.n += 1.0;
                s.x += x;
                s.xx += x * x;
                s.y += y;
                s.xy += x * y;
                s.yy += y * y;
            }
            s
        })
        .collect();
    let flat = |sd: f64, mean: f64| sd <= 1e-12 * (1.0 + mean.abs());
    if groups.len() < 2 || rows.len() < 5 || flat(sx, mx) || flat(sy, my) {
        return Ok(None);
    }
    let criterion = |p: &[f64; 3]| fit(&groups, lower(p)).criterion;
    // From small and from large variances: the surface may have a flat end where one of them is 0.
    let starts = [[0.5, 0.0, 0.2], [0.1, 0.0, 0.01], [1.5, -0.3, 0.8]];
    let mut best: Option<([f64; 3], f64, bool)> = None;
    for start in starts {
        let found = lowest(criterion, start, 0.3, 800);
        // Once more from where it stopped, as a simplex may have collapsed too early.
        let found = lowest(criterion, found.0, 0.1, 800);
        if best.as_ref().is_none_or(|b| found.1 < b.1) {
            best = Some(found);
        }
    }
    let Some((place, _, settled)) = best else {
        return Ok(None);
    };
    let l = lower(&place);
    let f = fit(&groups, l);
    if !(f.line[0].is_finite() && f.line[1].is_finite()) {
        return Ok(None);
    }
    let mut meat = [[0.0; 2]; 2];
    for group in &groups {
        let w = group.weighed(l);
        let expected = applied(w.xx, f.line);
        let score = [w.xy[0] - expected[0], w.xy[1] - expected[1]];
        for i in 0..2 {
            for j in 0..2 {
                meat[i][j] += score[i] * score[j];
            }
        }
    }
    let g = groups.len() as f64;
    let sandwich = times(times(f.covariance, meat), f.covariance);
    // Back to the units given: the line at x = 0 is the line at −mean/sd.
    let back = [sy, -sy * mx / sx];
    let quadratic = |m: Two| dot(back, applied(m, back));
    let d = times(l, transposed(l));
    Ok(Some(Mixed {
        intercept: my + dot(back, f.line),
        slope: f.line[1] * sy / sx,
        intercept_se: (f.variance * quadratic(f.covariance)).max(0.0).sqrt(),
        slope_se: (f.variance * f.covariance[1][1]).max(0.0).sqrt() * sy / sx,
        slope_robust_se: (sandwich[1][1] * g / (g - 1.0)).max(0.0).sqrt() * sy / sx,
        residual_sd: f.variance.sqrt() * sy,
        intercept_sd: (f.variance * quadratic(d)).max(0.0).sqrt(),
        slope_sd: (f.variance * d[1][1]).max(0.0).sqrt() * sy / sx,
        groups: groups.len(),
        points: rows.len(),
        settled,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_line_is_that_of_statsmodels() {
        // tests/reference/audits.py with statsmodels 0.14.5: MixedLM, REML, random intercept and slope.
        let text = include_str!("../../tests/reference/mixed.json");
        let cases: serde_json::Value = serde_json::from_str(text).unwrap();
        for case in cases.as_array().unwrap() {
            let column = |name: &str| -> Vec<f64> {
                let values = case[name].as_array().unwrap().iter();
                values.map(|v| v.as_f64().unwrap()).collect()
            };
            let group: Vec<u32> = column("group").iter().map(|g| *g as u32).collect();
            let found = mixed_slope(&column("x"), &column("y"), &group)
                .unwrap()
                .unwrap();
            let name = case["name"].as_str().unwrap();
            let near = |a: f64, what: &str, tolerance: f64| {
                let b = case[what].as_f64().unwrap();
                let scale = b.abs().max(1e-3);
                assert!(
                    (a - b).abs() < tolerance * scale,
                    "{name}, {what}: {a} instead of {b}"
                );
            };
            near(found.slope, "slope", 1e-3);
            near(found.intercept, "intercept", 1e-4);
            near(found.slope_se, "slope_se", 2e-3);
            near(found.intercept_se, "intercept_se", 2e-3);
            near(found.residual_sd, "residual_sd", 1e-3);
            near(found.intercept_sd, "intercept_sd", 5e-3);
            near(found.slope_sd, "slope_sd", 5e-3);
            assert!(found.settled);
        }
    }

    #[test]
    fn equal_lines_without_noise_are_found_and_nothing_is_none() {
        let x = [0.0, 1.0, 2.0, 0.0, 1.0, 2.0];
        let y = [1.0, 3.0, 5.01, 1.0, 3.0, 5.0];
        let found = mixed_slope(&x, &y, &[1, 1, 1, 2, 2, 2]).unwrap().unwrap();
        assert!((found.slope - 2.0).abs() < 0.01 && (found.intercept - 1.0).abs() < 0.01);
        assert_eq!(mixed_slope(&[], &[], &[]).unwrap(), None);
        assert_eq!(mixed_slope(&x, &y, &[1; 6]).unwrap(), None);
        assert_eq!(
            mixed_slope(&x, &[2.0; 6], &[1, 1, 1, 2, 2, 2]).unwrap(),
            None
        );
        assert_eq!(
            mixed_slope(&[1.0; 6], &y, &[1, 1, 1, 2, 2, 2]).unwrap(),
            None
        );
        assert!(mixed_slope(&x, &y, &[1]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn units_and_names_do_not_matter(seed in 0u32..1000, scale in 0.01..100.0f64, shift in -50.0..50.0f64) {
            let n = 60u32;
            let wave = |i: u32| f64::from((i * 7919 + seed * 104_729) % 1000) / 1000.0;
            let group: Vec<u32> = (0..n).map(|i| i % 6).collect();
            let x: Vec<f64> = (0..n).map(|i| f64::from(i / 6)).collect();
            let y: Vec<f64> = (0..n).map(|i| wave(i) + 0.1 * x[i as usize] + f64::from(i % 6)).collect();
            let one = mixed_slope(&x, &y, &group).unwrap().unwrap();
            let other_y: Vec<f64> = y.iter().map(|v| v * scale + shift).collect();
            let names: Vec<u32> = group.iter().map(|g| 100 - g).collect();
            let other = mixed_slope(&x, &other_y, &names).unwrap().unwrap();
            prop_assert!((other.slope - scale * one.slope).abs() < 1e-5 * scale);
            prop_assert!((other.slope_se - scale * one.slope_se).abs() < 1e-3 * scale);
        }
    }
}
