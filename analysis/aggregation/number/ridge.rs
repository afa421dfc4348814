//! Ridge regression of a few features, from sums that can be added and taken apart.

/// Sums behind a regression: `Σ x xᵀ`, `Σ x y` and the number of rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments {
    n: f64,
    /// Row by row; only `j <= i` is used.
    xx: Vec<f64>,
    xy: Vec<f64>,
}

impl Moments {
    /// Of no rows yet.
    pub(super) fn new(features: usize) -> Self {
        Self {
            n: 0.0,
            xx: vec![0.0; features * features],
            xy: vec![0.0; features],
        }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, x: &[f64], y: f64) {
        let p = self.xy.len();
        self.n += 1.0;
        for i in 0..p {
            for j in 0..=i {
                self.xx[i * p + j] += x[i] * x[j];
            }
            self.xy[i] += x[i] * y;
        }
    }

    /// Adds other rows' sums.
    pub(super) fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.xx.iter_mut().zip(&other.xx).for_each(|(a, b)| *a += b);
        self.xy.iter_mut().zip(&other.xy).for_each(|(a, b)| *a += b);
    }

    /// Coefficients that minimise `Σ (y − b·x)² + n·penalty·Σ v_j b_j²`, `v_j` the mean square of feature j, so that no
    /// feature's unit matters. Features that are always 0 get 0. `penalty` must be positive.
    pub(super) fn solve(&self, penalty: f64) -> Vec<f64> {
        let p = self.xy.len();
        let scale: Vec<f64> = (0..p)
            .map(|i| (self.xx[i * p + i] / self.n.max(1.0)).sqrt())
            .collect();
        let inverse = |i: usize| if scale[i] > 0.0 { 1.0 / scale[i] } else { 0.0 };
        // Cholesky of the scaled matrix, whose diagonal is n·(1 + penalty): L below, then two triangular systems.
        let mut l = vec![0.0; p * p];
        for i in 0..p {
            for j in 0..=i {
                let mut a = self.xx[i * p + j] * inverse(i) * inverse(j);
                if i == j {
                    a += self.n.max(1.0) * penalty;
                }
                for k in 0..j {
                    a -= l[i * p + k] * l[j * p + k];
                }
                l[i * p + j] = if i == j {
                    a.max(f64::MIN_POSITIVE).sqrt()
                } else {
                    a / l[j * p + j]
                };
            }
        }
        let mut b: Vec<f64> = (0..p).map(|i| self.xy[i] * inverse(i)).collect();
        for i in 0..p {
            for k in 0..i {
                b[i] -= l[i * p + k] * b[k];
            }
            b[i] /= l[i * p + i];
        }
        for i in (0..p).rev() {
            for k in i + 1..p {
                b[i] -= l[k * p + i] * b[k];
            }
            b[i] /= l[i * p + i];
        }
        (0..p).map(|i| b[i] * inverse(i)).collect()
    }
}

/// `b·x`.
pub(super) fn predict(coefficients: &[f64], x: &[f64]) -> f64 {
    coefficients.iter().zip(x).map(|(b, x)| b * x).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_penalty_gives_least_squares_and_a_large_one_nothing() {
        // y = 2·x0 − 3·x1, x2 always 0.
        let mut m = Moments::new(3);
        for (x0, x1) in [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (2.0, -1.0)] {
            m.add(&[x0, x1, 0.0], 2.0 * x0 - 3.0 * x1);
        }
        let b = m.solve(1e-12);
        assert!((b[0] - 2.0).abs() < 1e-9 && (b[1] + 3.0).abs() < 1e-9 && b[2] == 0.0);
        assert!(m.solve(1e12).iter().all(|b| b.abs() < 1e-9));
    }

    #[test]
    fn ridge_of_one_feature_as_worked_by_hand() {
        // x 1, 3; y 2, 4: Σxy = 14, Σx² = 10, v = 5, n·λ·v = 2·0.5·5 = 5: 14/15.
        let mut m = Moments::new(1);
        m.add(&[1.0], 2.0);
        let mut other = Moments::new(1);
        other.add(&[3.0], 4.0);
        m.merge(&other);
        assert!((m.solve(0.5)[0] - 14.0 / 15.0).abs() < 1e-12);
    }
}
