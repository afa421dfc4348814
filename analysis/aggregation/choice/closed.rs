//! Methods that are formulas: every vote has a weight, and an item's weights never saw its truth.

use rayon::prelude::*;

use super::{ChoiceEstimate, ChoiceMethod, ChoiceResult, ChoiceSettings};
use super::{control_accuracy, control_log_odds, majority, wawa};
use crate::ChoiceVotes;
use crate::aggregation::Convergence;
use crate::scoring::choice::{Answers, ControlAnswers};
use crate::scoring::shrinkage::Groups;

impl ChoiceMethod {
    /// Estimates of a method that is a formula: weights of annotators, without the item's own truth where it has one.
    pub(super) fn closed(
        self,
        votes: &ChoiceVotes,
        truth: &[Option<u32>],
        n_labels: u32,
        settings: &ChoiceSettings,
        controls: &ControlAnswers,
    ) -> ChoiceResult {
        let k = control_accuracy::k(&controls.groups, settings.shrinkage);
        let weight = |answers: &Answers, groups: &Groups, k: f64, total: f64| match self {
            Self::ControlLogOdds => control_log_odds::weight(answers, groups, k, total, n_labels),
            _ => control_accuracy::weight(answers, groups, k),
        };
        let all = controls.annotators.iter();
        let by_annotator: Vec<f64> = match self {
            Self::Wawa => wawa::weights(votes, n_labels),
            _ => all
                .map(|a| weight(a, &controls.groups, k, controls.total.n))
                .collect(),
        };

        let labels_per_item = n_labels as usize;
        let estimate = |item: usize, scratch: &mut Scratch, shares: &mut [f64]| {
            let (annotators, labels) = votes.item(item);
            if labels.is_empty() {
                return None;
            }
            let winner = match self {
                Self::Majority => majority::estimate(labels, shares),
                _ => {
                    scratch.weights.clear();
                    match truth[item].filter(|_| self.needs_controls()) {
                        None => scratch
                            .weights
                            .extend(annotators.iter().map(|&u| by_annotator[u as usize])),
                        Some(truth) => {
                            scratch.answers.clear();
                            let groups = controls.without(annotators, labels, truth, |answers| {
                                scratch.answers.push(answers);
                            });
                            let k = control_accuracy::k(&groups, settings.shrinkage);
                            let total = controls.total.n - labels.len() as f64;
                            let answers = scratch.answers.iter();
                            scratch
                                .weights
                                .extend(answers.map(|a| weight(a, &groups, k, total)));
                        }
                    }
                    match self {
                        Self::ControlLogOdds => {
                            control_log_odds::estimate(labels, &scratch.weights, shares)
                        }
                        _ => control_accuracy::estimate(labels, &scratch.weights, shares),
                    }
                }
            }?;
            Some(ChoiceEstimate {
                label: winner.label,
                confidence: winner.share,
                votes: labels.len() as u32,
            })
        };

        let n_items = votes.n_items();
        let mut estimates = vec![None; n_items];
        let mut distributions = Vec::new();
        if settings.distributions {
            distributions = vec![0.0; n_items * labels_per_item];
            estimates
                .par_iter_mut()
                .zip(distributions.par_chunks_mut(labels_per_item.max(1)))
                .enumerate()
                .for_each_init(Scratch::default, |scratch, (item, (slot, shares))| {
                    *slot = estimate(item, scratch, shares);
                });
        } else {
            estimates.par_iter_mut().enumerate().for_each_init(
                || (Scratch::default(), vec![0.0; labels_per_item]),
                |(scratch, shares), (item, slot)| *slot = estimate(item, scratch, shares),
            );
        }
        ChoiceResult {
            estimates,
            convergence: Convergence::Closed,
            n_labels,
            distributions: settings.distributions.then_some(distributions),
        }
    }
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    answers: Vec<Answers>,
    weights: Vec<f64>,
}
