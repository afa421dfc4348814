//! One vote: what one annotator answered to one question about one task.

use crate::Answer;
use serde::{Deserialize, Serialize};

/// A vote with everything needed to judge it later. Indices point into the tables of the pool it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// Index of the annotator.
    pub annotator: u32,
    /// Index of the task in its pool (name order).
    pub task: u32,
    /// Index of the question in the campaign.
    pub question: u32,
    /// What was answered.
    pub answer: Answer,
    /// Seconds spent on the task, where known.
    pub seconds: Option<f32>,
    /// When it was submitted, seconds since 1970-01-01T00:00:00Z, where known.
    pub submitted: Option<i64>,
    /// Index of the assignment (one annotator, one suite), where known.
    pub assignment: Option<u32>,
}
