//! What is known of one annotator: judged controls and all answers, in order.

use crate::Answer;
use serde::{Deserialize, Serialize};

/// One annotator's answer to one question about one control, judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Index of the control's task in its pool.
    pub control: u32,
    /// Index of the question in the campaign.
    pub question: u32,
    /// Answer minus truth, in the question's unit; `None` for choices, unsure answers and missing truths.
    pub error: Option<f64>,
    /// Whether the label was the true one; `None` for numbers, unsure answers and missing truths.
    pub correct: Option<bool>,
    /// Seconds spent on the task, where known.
    pub seconds: Option<f32>,
    /// How many tasks the annotator had answered before this one.
    pub sequence: u32,
}

/// One answer of an annotator to any task, control or not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// Index of the task in its pool.
    pub task: u32,
    /// Index of the question in the campaign.
    pub question: u32,
    /// What was answered.
    pub answer: Answer,
    /// Seconds spent on the task, where known.
    pub seconds: Option<f32>,
    /// How many tasks the annotator had answered before this one.
    pub sequence: u32,
}

/// Everything the rules look at for one annotator, in the order in which it was answered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotator: Option<u32>,
    judged: Vec<Judged>,
    given: Vec<Given>,
}

impl History {
    /// Put in order of `sequence`; entries of the same sequence keep the order they came in. Rules that look at controls
    /// use `judged` alone; `given` (all answers, controls among them) may be empty if no rule looks at it.
    pub fn new(mut judged: Vec<Judged>, mut given: Vec<Given>) -> Self {
        judged.sort_by_key(|j| j.sequence);
        given.sort_by_key(|g| g.sequence);
        Self {
            annotator: None,
            judged,
            given,
        }
    }

    /// The same, known to be that of the annotator with this index: their place among the histories that
    /// [`super::Peers::of`] was made from.
    #[must_use]
    pub fn by(mut self, annotator: u32) -> Self {
        self.annotator = Some(annotator);
        self
    }

    /// The annotator's index, where [`Self::by`] said it.
    pub fn annotator(&self) -> Option<u32> {
        self.annotator
    }

    /// Judged controls, in order.
    pub fn judged(&self) -> &[Judged] {
        &self.judged
    }

    /// All answers, in order.
    pub fn given(&self) -> &[Given] {
        &self.given
    }
}
