//! Pools of tasks with hidden controls: building them, keeping them on disk, exporting them.

pub mod build;
pub mod disk;
mod elsewhere;
pub mod export;
mod parts;
pub mod pictures;
mod prefilled;
mod stage;

pub use disk::{StoredPool, StoredSuites};

use serde::{Deserialize, Serialize};
use veche_pools::{Mix, secrecy::Leak};

/// What a pool holds and what was left out of it, as written to `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolSummary {
    /// Title of the campaign.
    pub campaign: String,
    /// Real tasks in the pool.
    pub items: usize,
    /// Controls in the pool.
    pub controls: usize,
    /// Controls that were at hand.
    pub controls_available: usize,
    /// Real tasks and controls per suite.
    pub mix: Mix,
    /// Votes wanted per item.
    pub overlap: u32,
    /// Suites per round; 0 if suites are mixed per annotator.
    pub suites_per_round: usize,
    /// Rounds; 0 if suites are mixed per annotator.
    pub rounds: u32,
    /// Controls by range: how many were at hand, how many are used.
    pub ranges: Vec<RangeCount>,
    /// Items that are also controls and were left out.
    pub duplicates: Vec<Duplicate>,
    /// Bad rows that were left out.
    pub skipped: Vec<SkippedReason>,
    /// Whether pictures were rendered.
    pub pictures: bool,
    /// What visible features give away.
    pub leaks: Vec<Leak>,
}

/// Controls in one range of answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeCount {
    /// The range, readable: `age 20 to 25 years, sex female`.
    pub range: String,
    /// Controls at hand.
    pub available: usize,
    /// Controls used.
    pub used: usize,
}

/// An item whose picture is also a control's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// The item that was left out.
    pub item: String,
    /// The control it shows.
    pub control: String,
    /// Whether the files are equal byte for byte; otherwise the picture was encoded anew.
    pub exact: bool,
}

/// Bad rows left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedReason {
    /// What was wrong.
    pub reason: String,
    /// How many rows.
    pub rows: u64,
    /// The first few, with file, row, column and value.
    pub examples: Vec<String>,
}

impl PoolSummary {
    /// What the requester should know before using the pool, as sentences.
    pub fn warnings(&self) -> Vec<String> {
        let mut said = Vec::new();
        for skipped in &self.skipped {
            said.push(format!(
                "{} rows left out: {}",
                skipped.rows, skipped.reason
            ));
        }
        if !self.duplicates.is_empty() {
            said.push(format!(
                "{} items show the same picture as a control and were left out, or the control would give itself away",
                self.duplicates.len()
            ));
        }
        if self.mix.control > 0 && self.controls < 20 {
            said.push(format!(
                "only {} controls: annotators soon meet the same ones again, and their scores will be rough",
                self.controls
            ));
        }
        for leak in self.leaks.iter().filter(|l| l.tells()) {
            said.push(format!(
                "the {} tells controls from items (AUC {:.2}): an attentive annotator may notice; take controls from the \
                 same kind of source, or show less of the picture",
                leak.feature, leak.auc
            ));
        }
        said
    }
}
