//! Audits of a study: statistics from [`veche_analysis::audit`], turned into sentences, tables and pictures.

mod annotators;
mod drift;

pub use annotators::annotators;
pub use drift::drift;

use crate::{
    curves::{Picture, Sheet},
    study::Study,
};
use serde_json::Value;
use veche_pools::controls::{Judgement, judge};

/// One audit's result.
#[derive(Debug, Clone)]
pub struct Audited {
    /// Sentences, the most important first.
    pub words: Vec<String>,
    /// Tables.
    pub sheets: Vec<Sheet>,
    /// Pictures.
    pub pictures: Vec<Picture>,
    /// All figures, as `--json` prints them.
    pub facts: Value,
}

/// A judged answer of a study.
struct Judged {
    annotator: u32,
    item: u32,
    sequence: u32,
    /// |answer − truth|, or 0 and 1 for right and wrong.
    error: f64,
}

/// Answers to one question whose truth is known, in the order of the votes; unsure ones are no answers.
fn judged(study: &Study, question: usize) -> Vec<Judged> {
    let votes = study
        .votes
        .iter()
        .filter(|v| v.question as usize == question);
    let one = |v: &crate::study::Cast| {
        let judgement: Judgement = judge(v.answer, study.truths[question][v.item as usize])?;
        Some(Judged {
            annotator: v.annotator,
            item: v.item,
            sequence: v.sequence,
            error: judgement.size()?,
        })
    };
    votes.filter_map(one).collect()
}
