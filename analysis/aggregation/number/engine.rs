//! What all formulas share: the evidence of controls, the fits of the crowd, and the view of one item.

use super::ballot::{Ballot, Skill};
use super::formula::{Buffers, Crowd, Formula, Scratch, View};
use super::noise::Evidence;
use super::standing::Standing;
use crate::NumberVotes;
use std::sync::Arc;

/// Votes, truths and what follows from them for some formulas.
pub(super) struct Engine<'a> {
    pub(super) votes: &'a NumberVotes,
    pub(super) truth: &'a [Option<f64>],
    pub(super) evidence: Arc<Evidence>,
    pub(super) crowd: Arc<Crowd>,
    skills: Arc<[Skill]>,
    /// Empty unless a formula asks for it.
    standings: Arc<[Standing]>,
    with_standings: bool,
}

impl<'a> Engine<'a> {
    /// A few passes over the votes, and those of the iterations that `formulas` need.
    pub(super) fn new(
        votes: &'a NumberVotes,
        truth: &'a [Option<f64>],
        evidence: Evidence,
        formulas: &[Formula],
    ) -> Self {
        let crowd = Arc::new(Crowd::of(votes, evidence.within, formulas));
        Self::fitted(votes, truth, evidence, formulas, crowd)
    }

    /// The same with the iterations done already, for these votes and for these formulas at least.
    pub(super) fn fitted(
        votes: &'a NumberVotes,
        truth: &'a [Option<f64>],
        evidence: Evidence,
        formulas: &[Formula],
        crowd: Arc<Crowd>,
    ) -> Self {
        let skills = evidence.skills();
        let with_standings = formulas.iter().any(Formula::needs_standings);
        let standings = if with_standings {
            let sums = evidence.controls.annotators.iter();
            sums.map(|sums| evidence.noise.prior.standing(sums))
                .collect()
        } else {
            Vec::new()
        };
        Self {
            votes,
            truth,
            crowd,
            evidence: Arc::new(evidence),
            skills: skills.into(),
            standings: standings.into(),
            with_standings,
        }
    }

    /// The same evidence and fits before other votes: those of one part of the items.
    pub(super) fn on<'b>(&self, votes: &'b NumberVotes, truth: &'b [Option<f64>]) -> Engine<'b> {
        Engine {
            votes,
            truth,
            evidence: Arc::clone(&self.evidence),
            crowd: Arc::clone(&self.crowd),
            skills: Arc::clone(&self.skills),
            standings: Arc::clone(&self.standings),
            with_standings: self.with_standings,
        }
    }

    /// Skills of all annotators as items see them that are no controls.
    pub(super) fn skills(&self) -> &[Skill] {
        &self.skills
    }

    /// Calls `f` with the item as formulas see it: a control without its own truth. `None` without votes.
    pub(super) fn view<R>(
        &self,
        item: usize,
        scratch: &mut Scratch,
        f: impl FnOnce(&View<'_>, &mut Buffers<'_>) -> R,
    ) -> Option<R> {
        let (annotators, values) = self.votes.item(item);
        if values.is_empty() {
            return None;
        }
        let Scratch {
            sums,
            skills,
            standings,
            sorted,
            deviations,
            terms,
        } = scratch;
        standings.clear();
        let noise = if let Some(truth) = self.truth[item] {
            let noise = self
                .evidence
                .without(annotators, values, truth, sums, skills);
            if self.with_standings {
                standings.extend(sums.iter().map(|sums| noise.prior.standing(sums)));
            }
            noise
        } else {
            skills.clear();
            skills.extend(annotators.iter().map(|&u| self.skills[u as usize]));
            if self.with_standings {
                standings.extend(annotators.iter().map(|&u| self.standings[u as usize]));
            }
            self.evidence.noise
        };
        let view = View {
            item,
            annotators,
            ballot: Ballot {
                values,
                skills,
                overall_mae: noise.overall_mae,
            },
            standings,
            noise: &noise,
            crowd: &self.crowd,
        };
        let mut buffers = Buffers {
            sorted,
            deviations,
            terms,
        };
        Some(f(&view, &mut buffers))
    }

    /// Items with votes and a visible truth, at most `most` of them, evenly spread.
    pub(super) fn controls(&self, most: usize) -> Vec<usize> {
        self.some(true, most)
    }

    /// Items with votes and no visible truth, at most `most` of them, evenly spread.
    pub(super) fn others(&self, most: usize) -> Vec<usize> {
        self.some(false, most)
    }

    fn some(&self, known: bool, most: usize) -> Vec<usize> {
        let all: Vec<usize> = (0..self.truth.len())
            .filter(|&i| self.truth[i].is_some() == known && !self.votes.item(i).1.is_empty())
            .collect();
        let stride = all.len().div_ceil(most).max(1);
        all.into_iter().step_by(stride).collect()
    }
}
