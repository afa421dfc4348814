//! `one-coin`: Dawid–Skene with one accuracy per annotator (Zhang, Chen, Zhou and Jordan 2016).

use super::em::{FLOOR, Panel, Until};
use super::{ChoiceSettings, Convergence};

/// Posteriors by expectation-maximisation from shares of the majority: annotator u says the true label with probability
/// `s_u` and each of the other labels in use with `(1 − s_u)/(K − 1)`. One number per annotator is learned from few votes, and
/// cannot tell who errs on one label only: where all miss a rare label, it goes with them. The figures are those of crowd-kit.
pub(super) fn posteriors(panel: &Panel<'_>, settings: &ChoiceSettings) -> (Vec<f64>, Convergence) {
    let k = panel.n_labels();
    let others = (panel.n_active() - 1.0).max(1.0);
    panel.iterate(settings, Until::NoGain, |counts, parameters| {
        panel.log_prior(counts, &mut parameters.prior);
        for rows in panel.annotators() {
            let right = |row: usize| counts.rows[row * k + panel.label[row] as usize];
            let correct: f64 = rows.clone().map(right).sum();
            let n: f64 = panel.n[rows.clone()].iter().sum();
            let skill = correct / n;
            let hit = skill.clamp(FLOOR, 1.0 - FLOOR).ln();
            let miss = ((1.0 - skill) / others).clamp(FLOOR, 1.0 - FLOOR).ln();
            for row in rows {
                let logs = &mut parameters.rows[row * k..(row + 1) * k];
                logs.fill(miss);
                logs[panel.label[row] as usize] = hit;
            }
        }
        panel.objective(counts, parameters)
    })
}
