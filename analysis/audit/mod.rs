//! Audits: what a collection of votes says about its annotators, its controls and itself.
//!
//! Every audit answers one question with an effect size and its interval; "nothing was found" and "there is nothing" are told
//! apart. See `docs/audits.md`.

mod agreement;
mod choice_doubt;
mod cluster;
mod collusion;
mod doubt;
mod drift;
mod evenness;
mod habits;
mod hits;
mod icc;
mod mixed;
mod relation;
mod sights;
mod simplex;
mod tail;
mod twoway;

pub use agreement::{Agreement, agree_on_labels, agree_on_numbers};
pub use choice_doubt::{ChoiceDoubt, ChoiceDoubtSettings, ChoiceView, choice_doubts};
pub use cluster::{clustered_difference, clustered_mean};
pub use collusion::{Collusion, CollusionSettings, Given, Pair, collusion};
pub use doubt::{ControlView, Doubt, DoubtSettings, Suspicion, discrimination, doubts};
pub use drift::{Drift, DriftPoint, DriftSettings, Slope, Step, drift};
pub use evenness::{Evenness, connected_parts, evenness, gini, uniformity};
pub use habits::{Habits, habits};
pub use hits::{Hits, Judged, exact_hits};
pub use icc::{Icc, two_way_icc};
pub use mixed::{Mixed, mixed_slope};
pub use relation::{Relation, RelationSettings, Relationship, relation};
pub use sights::{Sight, SightPair, second_sights};
pub use tail::at_least;
pub use twoway::{Cell, WithinSlope, within_slope};

use crate::error::check_setting;
use crate::scoring::number::check_level;
use crate::{Error, Interval};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How intervals are made: by resampling whole units (Efron 1979).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampling {
    /// Level of intervals: 0.95.
    pub level: f64,
    /// Resamples: 1000; 0 for no intervals.
    pub resamples: usize,
    /// Seed.
    pub seed: u64,
}

impl Default for Resampling {
    fn default() -> Self {
        Self {
            level: 0.95,
            resamples: 1000,
            seed: 1,
        }
    }
}

impl Resampling {
    /// Errors if one is out of range.
    pub fn check(&self) -> Result<(), Error> {
        check_level(self.level)?;
        let few = self.resamples <= 1_000_000;
        check_setting(
            few,
            "resamples",
            self.resamples as f64,
            "must be at most a million",
        )
    }

    /// How often each of `n` units is drawn in one resample; each has its own stream of dice.
    fn counts(&self, n: usize, resample: u64) -> Vec<u32> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(resample);
        let mut counts = vec![0; n];
        for _ in 0..n {
            counts[rng.random_range(0..n)] += 1;
        }
        counts
    }

    /// The percentile interval of resampled figures; `None` unless nearly all resamples gave one.
    fn interval(&self, mut values: Vec<f64>) -> Option<Interval> {
        if values.is_empty() || 10 * values.len() < 9 * self.resamples {
            return None;
        }
        values.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| values[(share * (values.len() - 1) as f64).round() as usize];
        Some(Interval {
            low: at((1.0 - self.level) / 2.0),
            high: at((1.0 + self.level) / 2.0),
        })
    }
}

/// Median of values, which need not be sorted; `None` of none.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    (n > 0).then(|| f64::midpoint(values[(n - 1) / 2], values[n / 2]))
}
