//! All candidates on all controls, and the blend that does best there.

use rayon::prelude::*;

use super::auto::MOST_CONTROLS;
use super::choose::{Losses, ROUNDING};
use super::engine::Engine;
use super::folds::{FOLDS, Folds};
use super::formula::Scratch;
use super::model::{Blend, Choice, Part};

/// Rounds of the greedy blend: its shares are multiples of one over this.
const ROUNDS: usize = 20;

/// With fewer controls nothing is chosen.
const LEAST_CONTROLS: usize = 5;

/// Errors of all candidates on all controls, each control without its own truth.
pub(super) struct Trial {
    parts: Vec<Part>,
    folds: Folds,
    /// Candidate by candidate.
    errors: Vec<Vec<f64>>,
}

impl Trial {
    /// Tries these parts, the one to fall back on first.
    pub(super) fn of(engine: &Engine<'_>, parts: Vec<Part>) -> Self {
        let controls = engine.controls(MOST_CONTROLS);
        let table: Vec<Vec<f64>> = controls
            .par_iter()
            .map_init(Scratch::default, |scratch, &item| {
                let truth = engine.truth[item].unwrap_or(0.0);
                let row = engine.view(item, scratch, |view, buffers| {
                    let errors = parts.iter().map(|p| p.point(view, buffers).value - truth);
                    errors.collect()
                });
                row.unwrap_or_default()
            })
            .collect();
        Self {
            errors: (0..parts.len())
                .map(|c| table.iter().map(|row: &Vec<f64>| row[c]).collect())
                .collect(),
            folds: Folds::of(&controls, engine.truth.len()),
            parts,
        }
    }

    /// Losses on these controls, by their places in the list.
    pub(super) fn losses(&self, rows: &[usize]) -> Losses {
        let column = |errors: &Vec<f64>| rows.iter().map(|&row| errors[row].abs()).collect();
        Losses::new(self.errors.iter().map(column).collect())
    }

    /// Chooses by `pick`, which gets places in the list of controls and returns shares and candidates.
    pub(super) fn choice(&self, pick: impl Fn(&[usize]) -> Vec<(f64, usize)> + Sync) -> Choice {
        let blend = |fold: Option<usize>| {
            let shares = pick(&self.folds.outside(fold)).into_iter();
            Blend(shares.map(|(s, c)| (s, self.parts[c].clone())).collect())
        };
        let folds: Vec<Option<usize>> = (0..FOLDS).map(Some).chain([None]).collect();
        let mut blends: Vec<Blend> = folds.into_par_iter().map(blend).collect();
        let whole = blends.pop().unwrap_or_else(|| blend(None));
        Choice::folded(whole, blends, Some(self.folds.clone()))
    }

    /// Greedy selection with replacement (Caruana et al. 2004): in every round the candidate joins whose addition makes the
    /// mean of all chosen so far best. A candidate's share is how often it was taken.
    ///
    /// Best is the smallest `mean d + standard error of d`, d the loss beyond the default's, control by control: with few controls
    /// the default stays unless something is reliably better, with many the smallest loss wins. A standard error from fewer than five controls says
    /// nothing, and the default stays.
    pub(super) fn greedy(&self, rows: &[usize]) -> Vec<(f64, usize)> {
        let n = rows.len() as f64;
        let own = |&row: &usize| self.errors[0][row].abs();
        let rounding = ROUNDING * rows.iter().map(own).sum::<f64>() / n;
        if rows.len() < LEAST_CONTROLS {
            return vec![(1.0, 0)];
        }
        let mut sum = vec![0.0; rows.len()];
        let mut counts = vec![0usize; self.parts.len()];
        for _ in 0..ROUNDS {
            let taken = counts.iter().sum::<usize>() as f64 + 1.0;
            let mut best = (f64::INFINITY, 0);
            for (c, errors) in self.errors.iter().enumerate() {
                let (mut d1, mut d2) = (0.0, 0.0);
                for (&row, s) in rows.iter().zip(&sum) {
                    let d = ((s + errors[row]) / taken).abs() - self.errors[0][row].abs();
                    d1 += d;
                    d2 += d * d;
                }
                let variance = (d2 / n - (d1 / n).powi(2)).max(0.0) / (n - 1.0);
                let bound = d1 / n + variance.sqrt();
                if bound < best.0 - rounding {
                    best = (bound, c);
                }
            }
            counts[best.1] += 1;
            for (s, &row) in sum.iter_mut().zip(rows) {
                *s += self.errors[best.1][row];
            }
        }
        let taken = counts.iter().enumerate().filter(|(_, n)| **n > 0);
        taken.map(|(c, n)| (*n as f64 / ROUNDS as f64, c)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::formula::Formula;
    use super::*;

    fn trial(errors: Vec<Vec<f64>>) -> Trial {
        let rows: Vec<usize> = (0..errors[0].len()).collect();
        Trial {
            parts: vec![Part::One(Formula::Mean); errors.len()],
            folds: Folds::of(&rows, rows.len()),
            errors,
        }
    }

    #[test]
    fn opposite_errors_are_blended_half_and_half_as_worked_by_hand() {
        // The default errs by 10; two candidates by 4 in opposite directions: alone 4, together 0.
        let t = trial(vec![vec![10.0; 6], vec![4.0; 6], vec![-4.0; 6]]);
        assert_eq!(t.greedy(&[0, 1, 2, 3, 4, 5]), [(0.5, 1), (0.5, 2)]);
        // On fewer than five controls nothing is chosen.
        assert_eq!(t.greedy(&[0, 1, 2, 3]), [(1.0, 0)]);
    }

    #[test]
    fn what_is_better_by_chance_alone_does_not_replace_the_default() {
        // Better by 9 once and worse by 1 otherwise: mean difference −0.67, standard error 1.67.
        let mut lucky = vec![11.0; 6];
        lucky[2] = 1.0;
        let t = trial(vec![vec![10.0; 6], lucky]);
        assert_eq!(t.greedy(&[0, 1, 2, 3, 4, 5]), [(1.0, 0)]);
    }
}
