//! Choosing among candidates by their errors on controls, none of which saw its own truth.

/// Differences up to this share of the best loss are rounding: ties go to the simpler candidate.
pub(super) const ROUNDING: f64 = 1e-9;

/// Errors of candidates on the same controls.
pub(super) struct Losses {
    /// Candidate by candidate, in the order of the controls.
    pub(super) columns: Vec<Vec<f64>>,
}

impl Losses {
    /// From |errors|; one column per candidate, all of one length.
    pub(super) fn new(columns: Vec<Vec<f64>>) -> Self {
        Self { columns }
    }

    /// Mean loss of a candidate; 0 without controls.
    pub(super) fn mean(&self, candidate: usize) -> f64 {
        mean(&self.columns[candidate])
    }

    /// The candidate of the smallest mean loss, the first of equals.
    pub(super) fn best(&self) -> usize {
        let mut best = 0;
        for c in 1..self.columns.len() {
            if self.mean(c) < self.mean(best) * (1.0 - ROUNDING) {
                best = c;
            }
        }
        best
    }

    /// The first candidate that is worse than the best one by at most `errors` standard errors of their difference, item by
    /// item. Candidates are to stand in the order in which they are preferred.
    pub(super) fn first_within(&self, errors: f64) -> usize {
        let best = self.best();
        let allowed = |c: usize| {
            let (difference, error) = self.difference(c, best);
            difference <= errors * error * (1.0 + ROUNDING) + ROUNDING * self.mean(best)
        };
        (0..self.columns.len())
            .find(|&c| allowed(c))
            .unwrap_or(best)
    }

    /// Mean of the difference in loss of two candidates and its standard error.
    pub(super) fn difference(&self, a: usize, b: usize) -> (f64, f64) {
        let n = self.columns[a].len() as f64;
        let differences = self.columns[a].iter().zip(&self.columns[b]);
        let (mut sum, mut squares) = (0.0, 0.0);
        for (x, y) in differences {
            sum += x - y;
            squares += (x - y) * (x - y);
        }
        if n < 2.0 {
            return (if n > 0.0 { sum } else { 0.0 }, f64::INFINITY);
        }
        let mean = sum / n;
        let variance = (squares / n - mean * mean).max(0.0) / (n - 1.0);
        (mean, variance.sqrt())
    }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len() as f64).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simplest_within_one_standard_error_wins_as_worked_by_hand() {
        // Second against first: −1, −1, −4: mean −2, sd √3, error 1: better by two.
        let clear = Losses::new(vec![vec![5.0, 5.0, 5.0], vec![4.0, 4.0, 1.0]]);
        assert_eq!((clear.best(), clear.first_within(1.0)), (1, 1));
        assert_eq!(clear.first_within(2.0), 0);
        let (difference, error) = clear.difference(1, 0);
        assert!((difference + 2.0).abs() < 1e-12 && (error - 1.0).abs() < 1e-12);
        // Better on one, worse on another: a draw.
        let draw = Losses::new(vec![vec![5.0, 5.0], vec![2.0, 7.0]]);
        assert_eq!((draw.best(), draw.first_within(1.0)), (1, 0));
    }

    #[test]
    fn without_controls_or_with_one_the_first_stays() {
        assert_eq!(Losses::new(vec![vec![], vec![]]).first_within(1.0), 0);
        assert_eq!(Losses::new(vec![vec![3.0], vec![1.0]]).first_within(1.0), 0);
    }
}
