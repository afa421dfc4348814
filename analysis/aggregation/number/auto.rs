//! `auto`: every other formula is tried on the controls, each control without its own truth, and the best are blended.

use std::sync::Arc;

use super::choose::Losses;
use super::engine::Engine;
use super::formula::Formula;
use super::hybrid::{Mix, SHARES};
use super::learned::{self, Learned};
use super::model::{Choice, Part};
use super::trial::Trial;
use super::{hybrid, iqm, range, trimmed};

/// What stands when controls do not say otherwise.
pub(super) const DEFAULT: Formula = Formula::StudentT;

/// Controls looked at, at most: with so many the differences between candidates are known to a few thousandths of the error.
pub(super) const MOST_CONTROLS: usize = 5_000;

impl Choice {
    /// `exp-mae-auto`: the temperature of the smallest loss.
    pub(super) fn temperature(engine: &Engine<'_>) -> Self {
        let formulas = SHARES.map(Formula::Tempered).to_vec();
        Self::single(engine, formulas, Losses::best)
    }

    /// `hybrid`: the plain mix unless another is better by more than a standard error; the plain one too where controls cover
    /// only a part of the range.
    pub(super) fn hybrid(engine: &Engine<'_>) -> Self {
        if !range::is_covered(engine) {
            return Self::one(Formula::Hybrid(Mix::PLAIN));
        }
        let formulas = Mix::grid().map(Formula::Hybrid).collect();
        let controls = engine.controls(MOST_CONTROLS);
        Self::single(engine, formulas, hybrid::chosen).calibrated(engine, &controls)
    }

    /// What is learned from the controls of this engine; the default where they are too few or cover only a part of the range.
    pub(super) fn learned(engine: &Engine<'_>) -> Self {
        let controls = engine.controls(MOST_CONTROLS);
        if controls.len() < learned::LEAST_CONTROLS || !range::is_covered(engine) {
            return Self::one(DEFAULT);
        }
        let learned = Learned::fit(engine, &controls);
        Self::part(Part::Learned(Arc::new(learned)))
    }

    fn single(engine: &Engine<'_>, formulas: Vec<Formula>, pick: fn(&Losses) -> usize) -> Self {
        let trial = Trial::of(engine, formulas.into_iter().map(Part::One).collect());
        trial.choice(|rows| vec![(1.0, pick(&trial.losses(rows)))])
    }

    /// `auto`: see [`super::NumberMethod::Auto`].
    pub(super) fn auto(engine: &Engine<'_>) -> Self {
        let covered = range::is_covered(engine);
        let mut parts: Vec<Part> = candidates()
            .into_iter()
            .filter(|f| covered || f.is_blind())
            .map(Part::One)
            .collect();
        let controls = engine.controls(MOST_CONTROLS);
        if controls.is_empty() {
            return Self::one(DEFAULT);
        }
        if covered {
            parts.push(Part::Learned(Arc::new(Learned::fit(engine, &controls))));
        }
        let trial = Trial::of(engine, parts);
        let choice = trial.choice(|rows| trial.greedy(rows));
        if covered {
            choice.calibrated(engine, &controls)
        } else {
            choice
        }
    }
}

/// All candidates but the learned one, the default first, then simplest first.
pub(super) fn candidates() -> Vec<Formula> {
    let mut all = vec![
        DEFAULT,
        Formula::Mean,
        Formula::Median,
        Formula::Trimmed(0.2, trimmed::variance_factor(0.1)),
        Formula::Iqm(trimmed::variance_factor(iqm::QUARTER)),
        Formula::Huber,
        Formula::InverseMae(1),
        Formula::InverseMae(2),
        Formula::InverseMse,
        Formula::Unbiased,
        Formula::UnbiasedShared,
        Formula::LfcN,
        Formula::Catd,
        Formula::Crh,
        Formula::Gtm,
    ];
    all.extend(SHARES.into_iter().skip(1).map(Formula::Tempered));
    all.extend(Mix::grid().map(Formula::Hybrid));
    all
}
