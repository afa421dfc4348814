//! `glad`: annotators differ in ability and items in difficulty (Whitehill, Ruvolo, Wu, Bergsma and Movellan 2009).

use std::ops::Range;

use rayon::prelude::*;

use super::chunks::{cuts, split};
use super::em::softmax;
use super::{ChoiceSettings, Convergence};
use crate::ChoiceVotes;

/// Longest step of a parameter in one pass: far from the optimum the curvature says little.
const STEP: f64 = 1.0;

/// What one cut adds up in a pass.
#[derive(Debug, Default, Clone)]
struct Sums {
    /// Slope and curvature of the objective by every annotator's ability.
    abilities: Vec<(f64, f64)>,
    objective: f64,
    change: f64,
}

/// What all cuts read.
struct Model<'a> {
    votes: &'a ChoiceVotes,
    /// Ability of every annotator.
    abilities: Vec<f64>,
    /// Labels in use.
    active: Vec<bool>,
    n_active: f64,
    clamped: &'a [Option<u32>],
    /// Share of a step that is taken: less after a pass that overshot.
    step: f64,
}

/// Posteriors of the model in which annotator u says the true label of item i with probability `σ(α_u·e^{β_i})` and each other
/// label in use with an equal share of the rest; labels are equally likely beforehand; `α_u` and `β_i` are N(1, 1), as in the
/// paper and in crowd-kit. An able annotator has a large α, one who answers against the truth a negative one; an easy item
/// has a large β.
///
/// Expectation-maximisation in which every pass takes one scoring step (slope over expected curvature) per parameter, first
/// of the items, then of the annotators, instead of the paper's gradient ascent: linear in the votes and without a line
/// search. The objective is the log-likelihood with the priors, per vote.
pub(super) fn posteriors(
    votes: &ChoiceVotes,
    truth: &[Option<u32>],
    n_labels: u32,
    settings: &ChoiceSettings,
) -> (Vec<f64>, Convergence) {
    let k = n_labels as usize;
    let clamped = if settings.clamp_controls { truth } else { &[] };
    let mut active = vec![false; k];
    for (item, _, labels) in votes.items() {
        for &label in labels {
            active[label as usize] = true;
        }
        if let (false, Some(Some(label))) = (labels.is_empty(), clamped.get(item)) {
            active[*label as usize] = true;
        }
    }
    let mut model = Model {
        votes,
        abilities: vec![1.0; votes.n_annotators()],
        n_active: active.iter().filter(|&&a| a).count() as f64,
        active,
        clamped,
        step: 1.0,
    };
    let cuts = cuts(votes, 2 * votes.n_annotators());
    let mut posteriors = vec![0.0; votes.n_items() * k];
    let mut ease = vec![1.0; votes.n_items()];
    let mut sums = vec![Sums::default(); cuts.len()];
    let (mut objective, mut change) = (f64::NEG_INFINITY, 0.0);
    for passes in 1..=settings.max_passes {
        let parts = split(&mut posteriors, &cuts, k);
        let eases = split(&mut ease, &cuts, 1);
        sums.par_iter_mut()
            .zip(&cuts)
            .zip(parts.into_par_iter().zip(eases))
            .for_each(|((sums, cut), (posteriors, ease))| model.cut(cut, posteriors, ease, sums));
        let (all, rest) = sums.split_at_mut(1);
        rest.iter().for_each(|part| all[0].add(part));
        let penalty: f64 = model.abilities.iter().map(|a| (a - 1.0).powi(2)).sum();
        let new = (all[0].objective - penalty / 2.0) / (votes.n_votes() as f64).max(1.0);
        change = all[0].change;
        if (new - objective).abs() < settings.tolerance {
            return (posteriors, Convergence::Converged { passes });
        }
        if new < objective {
            model.step /= 2.0;
        }
        objective = new;
        let step = model.step;
        for (ability, &(slope, curve)) in model.abilities.iter_mut().zip(&all[0].abilities) {
            *ability += step * ((slope - (*ability - 1.0)) / (curve + 1.0)).clamp(-STEP, STEP);
        }
    }
    let passes = settings.max_passes;
    (posteriors, Convergence::Stopped { passes, change })
}

impl Model<'_> {
    /// New posteriors and a step of the ease of the items of one cut, then what the abilities' step needs.
    fn cut(&self, cut: &Range<usize>, posteriors: &mut [f64], eases: &mut [f64], sums: &mut Sums) {
        let k = self.active.len();
        let others = (self.n_active - 1.0).max(1.0).ln();
        let mut scores = vec![0.0; k];
        sums.abilities.clear();
        sums.abilities.resize(self.abilities.len(), (0.0, 0.0));
        (sums.objective, sums.change) = (0.0, 0.0);
        let items = cut.clone().zip(posteriors.chunks_exact_mut(k.max(1)));
        for ((item, p), beta) in items.zip(eases) {
            let (annotators, labels) = self.votes.item(item);
            if labels.is_empty() {
                continue;
            }
            let votes = || annotators.iter().map(|&u| u as usize).zip(labels);
            let ease = beta.exp();
            for (score, &active) in scores.iter_mut().zip(&self.active) {
                *score = if active { 0.0 } else { f64::NEG_INFINITY };
            }
            // ln of σ(x) over (1 − σ(x))/(K − 1) is x + ln(K − 1).
            for (u, &label) in votes() {
                let x = self.abilities[u] * ease;
                scores[label as usize] += x + others;
                sums.objective -= softplus(x) + others;
            }
            sums.objective += softmax(&mut scores).0 - self.n_active.ln();
            sums.objective -= (*beta - 1.0).powi(2) / 2.0;
            if let Some(Some(truth)) = self.clamped.get(item) {
                scores.fill(0.0);
                scores[*truth as usize] = 1.0;
            }
            for (p, &new) in p.iter_mut().zip(&scores) {
                sums.change = sums.change.max((*p - new).abs());
                *p = new;
            }
            let (mut slope, mut curve) = (1.0 - *beta, 1.0);
            for (u, &label) in votes() {
                let x = self.abilities[u] * ease;
                let right = logistic(x);
                slope += (p[label as usize] - right) * x;
                curve += right * (1.0 - right) * x * x;
            }
            *beta += self.step * (slope / curve).clamp(-STEP, STEP);
            let ease = beta.exp();
            for (u, &label) in votes() {
                let right = logistic(self.abilities[u] * ease);
                let (slope, curve) = &mut sums.abilities[u];
                *slope += (p[label as usize] - right) * ease;
                *curve += right * (1.0 - right) * ease * ease;
            }
        }
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        for (a, b) in self.abilities.iter_mut().zip(&other.abilities) {
            a.0 += b.0;
            a.1 += b.1;
        }
        self.objective += other.objective;
        self.change = self.change.max(other.change);
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `ln(1 + e^x)`
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
