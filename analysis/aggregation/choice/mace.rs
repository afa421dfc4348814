//! `mace`: annotators either know the answer or have a habit (Hovy, Berg-Kirkpatrick, Vaswani and Hovy 2013).

use statrs::function::gamma::digamma;

use super::em::{Panel, Until};
use super::{ChoiceSettings, Convergence};

/// Beta prior on knowing and on not knowing: below 1 it prefers annotators who always or never know.
const KNOWS: f64 = 0.5;
/// Dirichlet prior on every label of a habit.
const HABIT: f64 = 10.0;

/// Posteriors by variational expectation-maximisation with the priors of the paper: annotator u knows and says the true label
/// with probability `t_u`, and otherwise says `l` by habit with `h_u(l)`; all labels in use are equally likely beforehand.
///
/// The first M-step uses shares of the majority with `t_u = ½` and no habit, where the paper draws at random and takes the best
/// of several: the same votes always give the same labels.
pub(super) fn posteriors(panel: &Panel<'_>, settings: &ChoiceSettings) -> (Vec<f64>, Convergence) {
    let (k, labels) = (panel.n_labels(), panel.n_active());
    // Probability of saying a row's label by habit, and of knowing, by row.
    let mut habit = vec![0.5 / labels; panel.label.len()];
    let mut knows = vec![0.5; panel.label.len()];
    panel.iterate(settings, Until::NoChange, |counts, parameters| {
        for (prior, &active) in parameters.prior.iter_mut().zip(&panel.active) {
            *prior = if active {
                -labels.ln()
            } else {
                f64::NEG_INFINITY
            };
        }
        // Of the votes that say the true label, the share that was known; all others are habit.
        let known = |row: usize, habit: &[f64], knows: &[f64]| {
            let right = counts.rows[row * k + panel.label[row] as usize];
            right * knows[row] / (habit[row] + knows[row])
        };
        for rows in panel.annotators() {
            let n: f64 = panel.n[rows.clone()].iter().sum();
            let knew: f64 = rows.clone().map(|row| known(row, &habit, &knows)).sum();
            let by_habit = (n - knew).max(0.0);
            let log_all = digamma(n + 2.0 * KNOWS);
            let log_habit = digamma(by_habit + KNOWS) - log_all;
            let log_labels = digamma(by_habit + HABIT * labels);
            let now_knows = (digamma(knew + KNOWS) - log_all).exp();
            for row in rows {
                let said = (panel.n[row] - known(row, &habit, &knows)).max(0.0);
                let log = log_habit + digamma(said + HABIT) - log_labels;
                habit[row] = log.exp();
                knows[row] = now_knows;
                let logs = &mut parameters.rows[row * k..(row + 1) * k];
                logs.fill(log);
                logs[panel.label[row] as usize] = (habit[row] + now_knows).ln();
            }
        }
        counts.log_likelihood
    })
}
