//! What all annotators answered, as far as rules compare one of them with the others.

use super::consensus::{Consensus, Followed};
use super::copies::{Copies, Copy};
use super::{Context, History, Rule};
use crate::{Answer, Error};
use serde::{Deserialize, Serialize};

/// Somebody whose answers are compared with an annotator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// Index of the other annotator.
    pub annotator: u32,
    /// Whether answers to the same items were compared, or answers in the same sequence to different ones.
    pub same_items: bool,
}

/// The consensus on every item, and for every annotator the one whose answers are most alike: of the questions that rules
/// look at. Computed once from all histories.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Peers {
    consensus: Vec<(u32, Consensus)>,
    copies: Vec<(u32, Copies)>,
}

impl Peers {
    /// What these rules need of everybody's answers; nothing if none of them compares annotators. `truths[question][item]`
    /// holds known answers, items being the tasks of the histories; it may be empty or shorter.
    ///
    /// For `duplicate` the time is that of all pairs of answers on the same item: votes times votes per item.
    ///
    /// # Errors
    /// A rule's question is not there.
    pub fn of(
        histories: &[History],
        truths: &[Vec<Option<Answer>>],
        rules: &[Rule],
        context: &Context,
    ) -> Result<Self, Error> {
        let mut peers = Self::default();
        for rule in rules.iter().filter(|r| r.name().needs_peers()) {
            let Some(question) = rule.question(context)? else {
                continue;
            };
            let Some(asked) = context.questions().get(question as usize) else {
                continue;
            };
            let known = truths.get(question as usize).map_or(&[][..], Vec::as_slice);
            if matches!(rule, Rule::Insensitive { .. }) {
                if peers.consensus.iter().all(|(q, _)| *q != question) {
                    let found = Consensus::of(histories, question, asked, known);
                    peers.consensus.push((question, found));
                }
            } else if peers.copies.iter().all(|(q, _)| *q != question) {
                let found = Copies::of(histories, question, known);
                peers.copies.push((question, found));
            }
        }
        Ok(peers)
    }

    pub(super) fn followed(
        &self,
        history: &History,
        question: u32,
        confidence: f64,
        minimum: u32,
    ) -> Option<Vec<Followed>> {
        let (_, consensus) = self.consensus.iter().find(|(q, _)| *q == question)?;
        Some(consensus.followed(history, question, confidence, minimum))
    }

    /// How many others an annotator is compared with, and the one who is most alike.
    pub(super) fn copy(&self, annotator: u32, question: u32) -> Option<(u32, Option<&Copy>)> {
        let (_, copies) = self.copies.iter().find(|(q, _)| *q == question)?;
        Some((
            copies.others,
            copies.closest.get(annotator as usize)?.as_ref(),
        ))
    }
}
