//! What a server remembers between transactions. All of it can be read again, and is dropped when it may be out of date.

use super::pools::PoolSettings;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use veche_pools::{
    assignment::choose::ControlUse,
    banning::{Context, Given, Judged},
};

/// Annotators remembered at most.
const ANNOTATORS: usize = 20_000;

/// A pool as the decisions need it.
#[derive(Debug, Clone)]
pub(super) struct PoolState {
    pub(super) project: i64,
    pub(super) status: String,
    pub(super) settings: Arc<PoolSettings>,
    pub(super) context: Arc<Context>,
    /// Controls: `control` indexes `control_ids`, `uses` is up to date, `seen` is 0.
    pub(super) controls: Vec<ControlUse>,
    pub(super) control_ids: Vec<i64>,
    /// What each control shows.
    pub(super) contents: Arc<BTreeMap<i64, Value>>,
    /// Known answers of each control, by question.
    pub(super) truths: Arc<BTreeMap<i64, Vec<Option<veche_pools::Answer>>>>,
}

/// What rules look at for one annotator, and which controls they met.
#[derive(Debug, Clone, Default)]
pub(super) struct AnnotatorState {
    pub(super) version: i64,
    pub(super) judged: Vec<Judged>,
    pub(super) given: Vec<Given>,
    /// How often each control was met, by task.
    pub(super) seen: BTreeMap<i64, u32>,
    pub(super) tasks_answered: u32,
}

/// Everything remembered.
#[derive(Debug, Default)]
pub(super) struct Caches {
    pub(super) pools: BTreeMap<i64, PoolState>,
    /// By annotator and pool.
    annotators: BTreeMap<(i64, i64), AnnotatorState>,
}

impl Caches {
    /// Another server has written: pools may have changed. Annotators are checked by their version.
    pub(super) fn forget_pools(&mut self) {
        self.pools.clear();
    }

    /// A transaction failed: nothing remembered is certain.
    pub(super) fn forget_all(&mut self) {
        self.pools.clear();
        self.annotators.clear();
    }

    /// What is remembered of an annotator, if it is of this version. Taken out; put back what holds after the change.
    pub(super) fn take(
        &mut self,
        annotator: i64,
        pool: i64,
        version: i64,
    ) -> Option<AnnotatorState> {
        let state = self.annotators.remove(&(annotator, pool))?;
        (state.version == version).then_some(state)
    }

    pub(super) fn put(&mut self, annotator: i64, pool: i64, state: AnnotatorState) {
        if self.annotators.len() >= ANNOTATORS {
            self.annotators.clear();
        }
        self.annotators.insert((annotator, pool), state);
    }
}
