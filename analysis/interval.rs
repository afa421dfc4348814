//! Intervals and the quantiles behind them.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// From `low` to `high`, both included, in the unit of what it surrounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies inside.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The half-width, in standard errors, of the two-sided normal interval of this `level`: 1.645 at 0.90.
pub fn normal_quantile(level: f64) -> f64 {
    Normal::standard().inverse_cdf(0.5 + level / 2.0)
}

/// The same of Student's t with `freedom` degrees of freedom (at least 1): 12.71 at 0.95 and 1.
pub fn t_quantile(level: f64, freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(0.5 + level / 2.0))
}

/// The score interval of a share, `successes` of `n` (Wilson 1927): inside 0..1 and never of width zero, unlike the plain
/// normal one. With `n = 0` nothing is known: 0 to 1.
pub fn wilson(successes: f64, n: f64, level: f64) -> Interval {
    if n <= 0.0 {
        return Interval {
            low: 0.0,
            high: 1.0,
        };
    }
    let z = normal_quantile(level);
    let (share, z2n) = (successes / n, z * z / n);
    let middle = (share + z2n / 2.0) / (1.0 + z2n);
    let half = z / (1.0 + z2n) * (share * (1.0 - share) / n + z2n / (4.0 * n)).sqrt();
    Interval {
        low: (middle - half).max(0.0),
        high: (middle + half).min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_printed_tables() {
        assert!((normal_quantile(0.90) - 1.644_854).abs() < 1e-6);
        assert!((normal_quantile(0.95) - 1.959_964).abs() < 1e-6);
        // Student's table: 12.706 (1), 2.262 (9), 1.984 (100).
        for (freedom, t) in [(1.0, 12.706_2), (9.0, 2.262_16), (100.0, 1.983_97)] {
            assert!((t_quantile(0.95, freedom) - t).abs() < 1e-4, "{freedom}");
        }
    }

    #[test]
    fn wilson_of_nine_in_ten_as_worked_by_hand() {
        // z = 1.96, z²/n = 0.38415; middle (0.9 + 0.19207)/1.38415 = 0.78899;
        // half = 1.96/1.38415 · sqrt(0.009 + 0.0096036) = 0.19314.
        let i = wilson(9.0, 10.0, 0.95);
        assert!((i.low - 0.595_85).abs() < 1e-4 && (i.high - 0.982_13).abs() < 1e-4);
        assert!(wilson(10.0, 10.0, 0.95).low < 0.75);
        assert_eq!(wilson(10.0, 10.0, 0.95).high, 1.0);
        assert_eq!(
            wilson(0.0, 0.0, 0.95),
            Interval {
                low: 0.0,
                high: 1.0
            }
        );
    }
}
