//! `dawid-skene` and `dawid-skene-pooled`: every annotator has a full matrix of confusions (Dawid and Skene 1979).

use super::em::{FLOOR, Panel, Parameters, Until};
use super::{ChoiceSettings, Convergence};

/// Posteriors by expectation-maximisation from shares of the majority: `π_u(l | c)` is the share of label `l` among the
/// votes of annotator u on items of true label `c`, and the prior is the share of `c` among items.
///
/// The figures are those of crowd-kit, which ends when an objective with the prior counted once per vote gains no more. That
/// objective may fall while the likelihood still rises; then the passes end early, and are reported as stopped.
pub(super) fn posteriors(panel: &Panel<'_>, settings: &ChoiceSettings) -> (Vec<f64>, Convergence) {
    panel.iterate(settings, Until::NoGain, |counts, parameters| {
        panel.log_prior(counts, &mut parameters.prior);
        own(panel, &counts.rows, parameters);
        panel.objective(counts, parameters)
    })
}

/// The same with every share pulled towards that of all annotators as if `settings.pooling` more votes per true label had
/// been seen, and with passes until the likelihood settles. Without pooling, who never met a label counts there as a random
/// voice, and who met it once as certain.
pub(super) fn pooled(panel: &Panel<'_>, settings: &ChoiceSettings) -> (Vec<f64>, Convergence) {
    let mut shared = Vec::new();
    panel.iterate(settings, Until::NoChange, |counts, parameters| {
        panel.log_prior(counts, &mut parameters.prior);
        if settings.pooling > 0.0 {
            pool(panel, &counts.rows, &mut shared);
            pulled(panel, &counts.rows, &shared, settings.pooling, parameters);
        } else {
            own(panel, &counts.rows, parameters);
        }
        counts.log_likelihood
    })
}

/// Shares of an annotator's own counts, among the labels it has used.
fn own(panel: &Panel<'_>, counts: &[f64], parameters: &mut Parameters) {
    let k = panel.n_labels();
    for rows in panel.annotators() {
        for class in 0..k {
            let count = |row: usize| counts[row * k + class].max(FLOOR);
            let total: f64 = rows.clone().map(count).sum();
            for row in rows.clone() {
                parameters.rows[row * k + class] = (count(row) / total).ln();
            }
        }
    }
}

/// Shares of the counts of all annotators, label said × true label.
fn pool(panel: &Panel<'_>, counts: &[f64], shared: &mut Vec<f64>) {
    let k = panel.n_labels();
    shared.clear();
    shared.resize(k * k, 0.0);
    for (row, &label) in panel.label.iter().enumerate() {
        for class in 0..k {
            shared[label as usize * k + class] += counts[row * k + class];
        }
    }
    for class in 0..k {
        let said = || (0..k).filter(|&label| panel.active[label]);
        let total: f64 = said().map(|l| shared[l * k + class].max(FLOOR)).sum();
        for label in said() {
            let share = &mut shared[label * k + class];
            *share = share.max(FLOOR) / total;
        }
    }
}

/// Shares of an annotator's counts with `kappa` votes per true label added as all annotators would give them.
fn pulled(
    panel: &Panel<'_>,
    counts: &[f64],
    shared: &[f64],
    kappa: f64,
    parameters: &mut Parameters,
) {
    let k = panel.n_labels();
    for rows in panel.annotators() {
        for class in 0..k {
            let total: f64 = rows.clone().map(|row| counts[row * k + class]).sum();
            for row in rows.clone() {
                let prior = kappa * shared[panel.label[row] as usize * k + class];
                let share = (counts[row * k + class] + prior) / (total + kappa);
                parameters.rows[row * k + class] = share.max(FLOOR).ln();
            }
        }
    }
}
