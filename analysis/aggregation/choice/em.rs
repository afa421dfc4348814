//! Expectation-maximisation over one table of votes: what Dawid–Skene, its one-coin form and MACE share.
//!
//! All three say: given the true label `c` of an item, its votes are independent, and annotator u says `l` with probability
//! `π_u(l | c)`. They differ in what they allow π to be, so each brings only its M-step. A pass goes once over the votes: the
//! posteriors of an item (E-step) are added to the counts of its annotators (for the next M-step) while they are at hand.

use std::ops::Range;

use rayon::prelude::*;

use super::chunks::{cuts, split};
use super::{ChoiceSettings, Convergence};
use crate::ChoiceVotes;

/// Probabilities and counts below this are taken as this much, so that one surprising vote cannot rule a label out for good.
pub(super) const FLOOR: f64 = 1e-10;

/// The votes as an iteration reads them: every vote is the number of its row, a pair of annotator and label that occurs.
#[derive(Debug)]
pub(super) struct Panel<'a> {
    votes: &'a ChoiceVotes,
    /// Row of every vote, item by item.
    rows: Vec<u32>,
    /// Where an item's votes start in `rows`, for the first item of every cut.
    offsets: Vec<usize>,
    cuts: Vec<Range<usize>>,
    /// Rows of every annotator: `first_row[u]..first_row[u + 1]`.
    first_row: Vec<usize>,
    /// Label of every row.
    pub(super) label: Vec<u32>,
    /// Votes of every row.
    pub(super) n: Vec<f64>,
    /// Labels some vote or clamped truth has. The others have probability 0: nothing can be learned about them.
    pub(super) active: Vec<bool>,
    /// True labels that posteriors are held at, by item; empty if none are.
    clamped: &'a [Option<u32>],
    /// Items with votes.
    items: f64,
}

/// What an M-step may use.
#[derive(Debug, Default, Clone)]
pub(super) struct Counts {
    /// Expected number of votes of every row (pair of annotator and label said) by true label.
    pub(super) rows: Vec<f64>,
    /// Expected number of items by true label.
    classes: Vec<f64>,
    /// `−Σ p ln p` over items and labels.
    pub(super) entropy: f64,
    /// Log-likelihood of the votes under the parameters the posteriors were computed with.
    pub(super) log_likelihood: f64,
    /// Largest change of a posterior.
    change: f64,
}

/// What an E-step uses, as natural logarithms.
#[derive(Debug, Clone)]
pub(super) struct Parameters {
    /// Share of every true label; −∞ for labels that are not active.
    pub(super) prior: Vec<f64>,
    /// `π(l | c)` of every row by true label c.
    pub(super) rows: Vec<f64>,
}

/// When passes end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// The objective per vote gains less than the tolerance, or falls by more: then the result counts as stopped.
    NoGain,
    /// The objective per vote changes by less than the tolerance.
    NoChange,
}

impl<'a> Panel<'a> {
    /// Numbers the rows. `truth` is used only if settings clamp controls.
    pub(super) fn new(
        votes: &'a ChoiceVotes,
        truth: &'a [Option<u32>],
        n_labels: u32,
        settings: &ChoiceSettings,
    ) -> Self {
        let k = n_labels as usize;
        let clamped = if settings.clamp_controls { truth } else { &[] };
        let mut row_of = vec![0u32; votes.n_annotators() * k];
        let mut active = vec![false; k];
        let mut items = 0.0;
        for (item, annotators, labels) in votes.items() {
            for (&annotator, &label) in annotators.iter().zip(labels) {
                row_of[annotator as usize * k + label as usize] += 1;
                active[label as usize] = true;
            }
            if !labels.is_empty() {
                items += 1.0;
                if let Some(Some(label)) = clamped.get(item) {
                    active[*label as usize] = true;
                }
            }
        }
        let (mut first_row, mut label, mut n) = (vec![0], vec![], vec![]);
        for rows in row_of.chunks_mut(k.max(1)) {
            for (said, row) in rows.iter_mut().enumerate().filter(|(_, votes)| **votes > 0) {
                n.push(f64::from(*row));
                *row = label.len() as u32;
                label.push(said as u32);
            }
            first_row.push(label.len());
        }
        let mut rows = Vec::with_capacity(votes.n_votes());
        for (_, annotators, labels) in votes.items() {
            let votes = annotators.iter().zip(labels);
            rows.extend(votes.map(|(&u, &l)| row_of[u as usize * k + l as usize]));
        }
        let cuts = cuts(votes, label.len() * k);
        let mut offsets = Vec::with_capacity(cuts.len());
        let mut offset = 0;
        for cut in &cuts {
            offsets.push(offset);
            offset += cut.clone().map(|i| votes.item(i).1.len()).sum::<usize>();
        }
        Self {
            votes,
            rows,
            offsets,
            cuts,
            first_row,
            label,
            n,
            active,
            clamped,
            items,
        }
    }

    /// Number of labels, active or not.
    pub(super) fn n_labels(&self) -> usize {
        self.active.len()
    }

    /// Number of active labels, at least 1.
    pub(super) fn n_active(&self) -> f64 {
        self.active.iter().filter(|&&a| a).count().max(1) as f64
    }

    /// Rows of every annotator in turn.
    pub(super) fn annotators(&self) -> impl Iterator<Item = Range<usize>> {
        self.first_row.windows(2).map(|w| w[0]..w[1])
    }

    /// Passes over the votes from shares of the majority until the objective settles. `m_step` sets the parameters from
    /// the counts and returns the objective. Returns the posteriors, `n_labels` per item (zeros without votes).
    pub(super) fn iterate(
        &self,
        settings: &ChoiceSettings,
        until: Until,
        mut m_step: impl FnMut(&Counts, &mut Parameters) -> f64,
    ) -> (Vec<f64>, Convergence) {
        let k = self.n_labels();
        let mut posteriors = vec![0.0; self.votes.n_items() * k];
        let mut parameters = Parameters {
            prior: vec![0.0; k],
            rows: vec![0.0; self.label.len() * k],
        };
        let mut sums: Vec<Counts> = vec![Counts::default(); self.cuts.len()];
        let counts = self.pass(None, &mut posteriors, &mut sums);
        m_step(counts, &mut parameters);
        let (mut objective, mut change) = (f64::NEG_INFINITY, 0.0);
        for passes in 1..=settings.max_passes {
            let counts = self.pass(Some(&parameters), &mut posteriors, &mut sums);
            change = counts.change;
            let new = m_step(counts, &mut parameters) / (self.votes.n_votes() as f64).max(1.0);
            let gain = match until {
                Until::NoGain => new - objective,
                Until::NoChange => (new - objective).abs(),
            };
            if gain < -settings.tolerance {
                return (posteriors, Convergence::Stopped { passes, change });
            }
            if gain < settings.tolerance {
                return (posteriors, Convergence::Converged { passes });
            }
            objective = new;
        }
        let passes = settings.max_passes;
        (posteriors, Convergence::Stopped { passes, change })
    }

    /// The logarithms of the shares of true labels, floored.
    pub(super) fn log_prior(&self, counts: &Counts, prior: &mut [f64]) {
        for (label, prior) in prior.iter_mut().enumerate() {
            *prior = match self.active[label] {
                true => (counts.classes[label] / self.items.max(1.0))
                    .max(FLOOR)
                    .ln(),
                false => f64::NEG_INFINITY,
            };
        }
    }

    /// Expected logarithm of the probability of votes, plus the entropy of the posteriors. The share of a true label is
    /// counted once per vote and not once per item, as crowd-kit does: it is what the passes are stopped by.
    pub(super) fn objective(&self, counts: &Counts, parameters: &Parameters) -> f64 {
        let k = self.n_labels().max(1);
        let mut sum = counts.entropy;
        for (counts, logs) in counts.rows.chunks(k).zip(parameters.rows.chunks(k)) {
            for ((&n, log), prior) in counts.iter().zip(logs).zip(&parameters.prior) {
                if n > 0.0 {
                    sum += n * (log + prior);
                }
            }
        }
        sum
    }

    /// One pass: posteriors under the parameters (shares of votes without any), and the counts they make, in `sums[0]`.
    fn pass<'s>(
        &self,
        parameters: Option<&Parameters>,
        posteriors: &mut [f64],
        sums: &'s mut [Counts],
    ) -> &'s Counts {
        let k = self.n_labels();
        let parts = split(posteriors, &self.cuts, k);
        sums.par_iter_mut()
            .zip(parts)
            .enumerate()
            .for_each(|(cut, (sums, posteriors))| {
                sums.clear(self.label.len() * k, k);
                match k {
                    2 => self.cut::<2>(cut, parameters, posteriors, sums),
                    3 => self.cut::<3>(cut, parameters, posteriors, sums),
                    _ => self.cut::<0>(cut, parameters, posteriors, sums),
                }
            });
        let (all, rest) = sums.split_at_mut(1);
        rest.iter().for_each(|part| all[0].add(part));
        &all[0]
    }

    /// One cut of a pass. `K` is the number of labels, known when compiled so that loops unroll, or 0 for any number.
    fn cut<const K: usize>(
        &self,
        cut: usize,
        parameters: Option<&Parameters>,
        posteriors: &mut [f64],
        sums: &mut Counts,
    ) {
        let k = if K > 0 { K } else { self.n_labels() };
        let mut scores = vec![0.0; k];
        let scores = &mut scores[..k];
        let mut offset = self.offsets[cut];
        for (item, p) in self.cuts[cut]
            .clone()
            .zip(posteriors.chunks_exact_mut(k.max(1)))
        {
            let n = self.votes.item(item).1.len();
            let rows = &self.rows[offset..offset + n];
            offset += n;
            if n == 0 {
                continue;
            }
            let known = self.clamped.get(item).copied().flatten();
            match parameters {
                Some(parameters) => {
                    scores.copy_from_slice(&parameters.prior[..k]);
                    for &row in rows {
                        let logs = row_of::<K>(&parameters.rows, row, k);
                        for (score, log) in scores.iter_mut().zip(logs) {
                            *score += log;
                        }
                    }
                    let (log_sum, entropy) = softmax(scores);
                    sums.log_likelihood += log_sum;
                    if known.is_none() {
                        sums.entropy += entropy;
                    }
                }
                None => {
                    scores.fill(0.0);
                    for &row in rows {
                        scores[self.label[row as usize] as usize] += 1.0 / n as f64;
                    }
                }
            }
            if let Some(truth) = known {
                scores.fill(0.0);
                scores[truth as usize] = 1.0;
            }
            for (p, &new) in p.iter_mut().zip(scores.iter()) {
                sums.change = sums.change.max((*p - new).abs());
                *p = new;
            }
            for (class, &p) in sums.classes[..k].iter_mut().zip(&*p) {
                *class += p;
            }
            for &row in rows {
                let counts = &mut sums.rows[row as usize * k..][..k];
                for (count, &p) in counts.iter_mut().zip(&*p) {
                    *count += p;
                }
            }
        }
    }
}

impl Counts {
    fn clear(&mut self, rows: usize, labels: usize) {
        self.rows.clear();
        self.rows.resize(rows, 0.0);
        self.classes.clear();
        self.classes.resize(labels, 0.0);
        (self.entropy, self.log_likelihood, self.change) = (0.0, 0.0, 0.0);
    }

    fn add(&mut self, other: &Self) {
        self.rows
            .iter_mut()
            .zip(&other.rows)
            .for_each(|(a, b)| *a += b);
        self.classes
            .iter_mut()
            .zip(&other.classes)
            .for_each(|(a, b)| *a += b);
        self.entropy += other.entropy;
        self.log_likelihood += other.log_likelihood;
        self.change = self.change.max(other.change);
    }
}

/// The entries of a row, of which there are `K`, or `k` if that is 0.
fn row_of<const K: usize>(data: &[f64], row: u32, k: usize) -> &[f64] {
    match K {
        0 => &data[row as usize * k..][..k],
        _ => &data.as_chunks::<K>().0[row as usize],
    }
}

/// Turns logarithms into shares that sum to 1; returns the logarithm of their sum and the entropy of the shares. At least one
/// must be finite.
pub(super) fn softmax(scores: &mut [f64]) -> (f64, f64) {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut sum, mut weighted) = (0.0, 0.0);
    for score in scores.iter_mut() {
        let log = *score - most;
        *score = log.exp();
        sum += *score;
        if *score > 0.0 {
            weighted += *score * log;
        }
    }
    scores.iter_mut().for_each(|score| *score /= sum);
    let log_sum = sum.ln();
    (most + log_sum, log_sum - weighted / sum)
}
