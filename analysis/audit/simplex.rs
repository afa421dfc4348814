//! The lowest point of a function of a few variables, without derivatives (Nelder and Mead 1965).

/// The lowest place found from `start`, its value, and whether the simplex became small before `most` steps were made.
pub(super) fn lowest<const N: usize>(
    f: impl Fn(&[f64; N]) -> f64,
    start: [f64; N],
    reach: f64,
    most: usize,
) -> ([f64; N], f64, bool) {
    // A place that has no value is as high as can be.
    let value = |p: &[f64; N]| {
        let v = f(p);
        if v.is_nan() { f64::INFINITY } else { v }
    };
    let mut points: Vec<([f64; N], f64)> = (0..=N)
        .map(|i| {
            let mut p = start;
            if i > 0 {
                p[i - 1] += reach;
            }
            (p, value(&p))
        })
        .collect();
    for _ in 0..most {
        points.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (low, high) = (points[0].1, points[N].1);
        let size = (1..=N)
            .flat_map(|i| (0..N).map(move |d| (i, d)))
            .map(|(i, d)| (points[i].0[d] - points[0].0[d]).abs())
            .fold(0.0, f64::max);
        if size < 1e-8 && (high - low).abs() <= 1e-10 * (1.0 + low.abs()) {
            return (points[0].0, low, true);
        }
        let centre: [f64; N] =
            std::array::from_fn(|d| points[..N].iter().map(|p| p.0[d]).sum::<f64>() / N as f64);
        let away = |share: f64| -> ([f64; N], f64) {
            let p = std::array::from_fn(|d| centre[d] + share * (points[N].0[d] - centre[d]));
            (p, value(&p))
        };
        let reflected = away(-1.0);
        if reflected.1 < points[0].1 {
            let expanded = away(-2.0);
            points[N] = if expanded.1 < reflected.1 {
                expanded
            } else {
                reflected
            };
        } else if reflected.1 < points[N - 1].1 {
            points[N] = reflected;
        } else {
            let contracted = away(if reflected.1 < high { -0.5 } else { 0.5 });
            if contracted.1 < high.min(reflected.1) {
                points[N] = contracted;
            } else {
                let best = points[0].0;
                for point in &mut points[1..] {
                    point.0 = std::array::from_fn(|d| f64::midpoint(point.0[d], best[d]));
                    point.1 = value(&point.0);
                }
            }
        }
    }
    points.sort_by(|a, b| a.1.total_cmp(&b.1));
    (points[0].0, points[0].1, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_point_of_a_curved_valley_is_found() {
        let banana = |p: &[f64; 2]| 100.0 * (p[1] - p[0] * p[0]).powi(2) + (1.0 - p[0]).powi(2);
        let (at, value, settled) = lowest(banana, [-1.2, 1.0], 0.5, 5000);
        assert!(settled && value < 1e-12, "{at:?} {value}");
        assert!((at[0] - 1.0).abs() < 1e-5 && (at[1] - 1.0).abs() < 1e-5);
    }

    #[test]
    fn places_without_a_value_are_avoided_and_too_few_steps_are_said() {
        let half = |p: &[f64; 1]| {
            if p[0] < 0.0 {
                f64::NAN
            } else {
                (p[0] - 0.5).abs()
            }
        };
        let (at, _, _) = lowest(half, [3.0], 1.0, 2000);
        assert!((at[0] - 0.5).abs() < 1e-6);
        assert!(!lowest(|p: &[f64; 1]| p[0] * p[0], [9.0], 1.0, 2).2);
    }
}
