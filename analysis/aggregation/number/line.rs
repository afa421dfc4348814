//! Undoing the crowd's pull to the middle: answers as a line of the truth, fitted on controls and inverted.

/// Fewer controls do not show a line.
const LEAST_CONTROLS: usize = 20;

/// A flatter line than this is not inverted: every error would be multiplied by more than its inverse.
const LEAST_SLOPE: f64 = 0.2;

/// `to + slope · (estimate − from)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    from: f64,
    to: f64,
    /// Change of the calibrated estimate per unit of the plain one.
    pub(super) slope: f64,
}

/// Mean and variance of estimates; `None` of fewer than two.
pub(super) fn spread(values: &[f64]) -> Option<(f64, f64)> {
    let first = *values.first()?;
    if values.len() < 2 {
        return None;
    }
    let n = values.len() as f64;
    let mean = first + values.iter().map(|v| v - first).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    Some((mean, squares / (n - 1.0)))
}

impl Line {
    /// From estimates and truths of controls: `estimate = a + B·truth + ε` by least squares, turned round for items whose
    /// estimates have this mean and variance v: `truth = (mean − a)/B + (1 − Var ε/v)/B · (estimate − mean)`, the best linear
    /// estimate when those items' truths have the mean and variance that follow.
    ///
    /// Regressing the truth on the estimate would take the spread of the controls for that of all items, and draw everybody
    /// to the middle of the controls.
    pub(super) fn fit(pairs: &[(f64, f64)], (mean, variance): (f64, f64)) -> Option<Self> {
        if pairs.len() < LEAST_CONTROLS {
            return None;
        }
        let estimates: Vec<f64> = pairs.iter().map(|p| p.0).collect();
        let truths: Vec<f64> = pairs.iter().map(|p| p.1).collect();
        let ((y, _), (z, of_truths)) = (spread(&estimates)?, spread(&truths)?);
        let n = pairs.len() as f64;
        let products: f64 = pairs.iter().map(|p| (p.0 - y) * (p.1 - z)).sum();
        let b = products / (n - 1.0) / of_truths;
        if !b.is_finite() || b < LEAST_SLOPE {
            return None;
        }
        let left = |p: &(f64, f64)| p.0 - y - b * (p.1 - z);
        let noise = pairs.iter().map(|p| left(p).powi(2)).sum::<f64>() / (n - 2.0);
        let share = 1.0 - noise / variance;
        (share > 0.0).then(|| Self {
            from: mean,
            to: z + (mean - y) / b,
            slope: share / b,
        })
    }

    /// The calibrated estimate.
    pub(super) fn at(&self, estimate: f64) -> f64 {
        self.to + self.slope * (estimate - self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_noise_is_inverted_whatever_the_controls_cover() {
        // Answers 10 + 0.5·truth on controls of 20 to 39; items around 60 all the same.
        let pairs: Vec<_> = (20..40)
            .map(|z| (10.0 + 0.5 * f64::from(z), f64::from(z)))
            .collect();
        let line = Line::fit(&pairs, (40.0, 25.0)).unwrap();
        assert!((line.at(40.0) - 60.0).abs() < 1e-9 && (line.at(45.0) - 70.0).abs() < 1e-9);
    }

    #[test]
    fn noise_draws_to_the_mean_of_the_items_and_not_of_the_controls() {
        // Answers truth ± 3: slope 1, noise 9·20/18 = 10; items vary by 40: share 3/4, around their own mean 80.
        let pairs: Vec<_> = (0..20)
            .map(|i| {
                let sign = [1.0, -1.0, -1.0, 1.0][i % 4];
                (
                    f64::from(i as u32 / 4) + 3.0 * sign,
                    f64::from(i as u32 / 4),
                )
            })
            .collect();
        let line = Line::fit(&pairs, (80.0, 40.0)).unwrap();
        assert!((line.slope - 0.75).abs() < 1e-9 && (line.at(80.0) - 80.0).abs() < 1e-9);
        assert_eq!(Line::fit(&pairs, (80.0, 9.0)), None);
        assert_eq!(Line::fit(&pairs[..19], (80.0, 40.0)), None);
    }
}
