//! `learned`: a correction to a good estimate, learned on controls from an item's sorted votes and its annotators' scores.

use rayon::prelude::*;

use super::ballot::Point;
use super::engine::Engine;
use super::folds::{FOLDS, Folds};
use super::formula::{Buffers, Formula, Scratch, View};
use super::hybrid::Mix;
use super::ridge::{Moments, predict};

/// Penalties tried, from trusting the controls to leaving the estimate as it is.
const PENALTIES: [f64; 8] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// With fewer controls than this nothing is learned.
pub(super) const LEAST_CONTROLS: usize = 20;

/// What is corrected.
const BASE: Formula = Formula::Unbiased;

/// Estimates whose distances from the median are features. None subtracts biases measured on controls: seen from a control such
/// a bias lacks the control's own error and so tends to its other side, a pattern that a regression would learn and that items
/// without a known truth do not have.
const ESTIMATES: [Formula; 8] = [
    Formula::Mean,
    Formula::Huber,
    Formula::Tempered(0.35),
    Formula::Tempered(0.12),
    Formula::InverseMse,
    Formula::LfcN,
    Formula::Catd,
    Formula::Hybrid(Mix::PLAIN),
];

/// Places in the sorted votes whose distances from the median are features.
const PLACES: [f64; 6] = [0.0, 0.1, 0.25, 0.75, 0.9, 1.0];

/// Estimates, places, and spread.
const FEATURES: usize = ESTIMATES.len() + PLACES.len() + 1;

/// `truth − base` as a ridge regression on the distances of other estimates and of the sorted votes from the median; the base is
/// the bias-corrected inverse variance. Distances do not depend on where on the scale an item lies, so controls that cover a part of the range
/// teach nothing wrong about the rest, and the unit cancels.
#[derive(Debug, Clone)]
pub(super) struct Learned {
    whole: Vec<f64>,
    by_fold: Vec<Vec<f64>>,
    folds: Folds,
}

impl Learned {
    /// The formulas it is made of.
    pub(super) fn formulas() -> impl Iterator<Item = Formula> {
        ESTIMATES.into_iter().chain([BASE])
    }

    /// Learns from these controls. Each control is later estimated by the model of its fold, which has not seen it; the
    /// penalty is the one of the smallest mean |error| of such estimates.
    pub(super) fn fit(engine: &Engine<'_>, controls: &[usize]) -> Self {
        let mut learned = Self {
            whole: vec![0.0; FEATURES],
            by_fold: Vec::new(),
            folds: Folds::of(controls, engine.truth.len()),
        };
        if controls.len() < LEAST_CONTROLS {
            return learned;
        }
        let rows: Vec<(Vec<f64>, f64)> = controls
            .par_iter()
            .map_init(Scratch::default, |scratch, &item| {
                let row = engine.view(item, scratch, |view, buffers| {
                    let (x, base) = features(view, buffers);
                    (x, engine.truth[item].unwrap_or(base.value) - base.value)
                });
                row.unwrap_or_default()
            })
            .collect();
        let folds = &learned.folds;
        let mut parts = vec![Moments::new(FEATURES); FOLDS];
        for (at, (x, y)) in rows.iter().enumerate() {
            parts[folds.of_row(at)].add(x, *y);
        }
        let without = |fold: Option<usize>| {
            let mut rest = Moments::new(FEATURES);
            let others = parts.iter().enumerate().filter(|(at, _)| Some(*at) != fold);
            others.for_each(|(_, part)| rest.merge(part));
            rest
        };
        let rests: Vec<Moments> = (0..FOLDS).map(|fold| without(Some(fold))).collect();
        // Nothing learned is the first candidate.
        let mut best = (rows.iter().map(|r| r.1.abs()).sum::<f64>(), None);
        for penalty in PENALTIES.into_iter().rev() {
            let models: Vec<Vec<f64>> = rests.iter().map(|rest| rest.solve(penalty)).collect();
            let errors = rows.iter().enumerate();
            let loss: f64 = errors
                .map(|(at, (x, y))| (y - predict(&models[folds.of_row(at)], x)).abs())
                .sum();
            if loss < best.0 * (1.0 - 1e-9) {
                best = (loss, Some((penalty, models)));
            }
        }
        if let Some((penalty, models)) = best.1 {
            learned.whole = without(None).solve(penalty);
            learned.by_fold = models;
        }
        learned
    }

    /// The estimate of one item.
    pub(super) fn point(&self, view: &View<'_>, buffers: &mut Buffers<'_>) -> Point {
        let (x, mut point) = features(view, buffers);
        let fold = self.folds.of_item(view.item);
        let model = fold.and_then(|fold| self.by_fold.get(fold));
        let model = model.unwrap_or(&self.whole);
        point.value += predict(model, &x);
        point
    }
}

/// Features of an item and the estimate they correct.
fn features(view: &View<'_>, buffers: &mut Buffers<'_>) -> (Vec<f64>, Point) {
    let base = BASE.point(view, buffers);
    let mut x = Vec::with_capacity(FEATURES);
    let median = Formula::Median.point(view, buffers).value;
    for formula in &ESTIMATES {
        x.push(formula.point(view, buffers).value - median);
    }
    let sorted = view.ballot.sort(buffers.sorted);
    let at = |share: f64| {
        let place = share * (sorted.len() - 1) as f64;
        let (low, part) = (place.floor() as usize, place.fract());
        let high = (low + 1).min(sorted.len() - 1);
        sorted[low] + part * (sorted[high] - sorted[low])
    };
    x.extend(PLACES.map(|share| at(share) - median));
    x.push(at(0.75) - at(0.25));
    (x, base)
}

#[cfg(test)]
mod tests {
    use super::super::noise::Evidence;
    use super::*;
    use crate::NumberVotes;
    use crate::scoring::Shrinkage;
    use crate::simulated::Crowd;

    /// Mean |error| on items that are no controls: of what is learned, and of what it corrects.
    fn losses(controls: usize) -> (f64, f64) {
        // Votes far above the others in one direction only: the truth lies below the weighted mean.
        let sample = Crowd {
            items: 900,
            ..Crowd::default()
        }
        .draw(6);
        let (mut items, mut annotators, mut values) = (vec![], vec![], vec![]);
        for (item, who, votes) in sample.votes.items() {
            for (at, (&u, v)) in who.iter().zip(votes).enumerate() {
                items.push(item as u32);
                annotators.push(u);
                values.push(v + if (item + at) % 5 == 0 { 40.0 } else { 0.0 });
            }
        }
        let votes = NumberVotes::new(900, 80, &items, &annotators, &values).unwrap();
        let truth = sample.truth.iter().enumerate();
        let known: Vec<_> = truth.map(|(i, &z)| (i < controls).then_some(z)).collect();
        let formulas: Vec<_> = Learned::formulas().collect();
        let evidence = Evidence::of(&votes, &known, Shrinkage::None);
        let engine = Engine::new(&votes, &known, evidence, &formulas);
        let learned = Learned::fit(&engine, &engine.controls(usize::MAX));
        let mut scratch = Scratch::default();
        let (mut after, mut before) = (0.0, 0.0);
        for item in 400..900 {
            let both = engine.view(item, &mut scratch, |view, buffers| {
                (learned.point(view, buffers), BASE.point(view, buffers))
            });
            let (a, b) = both.unwrap();
            after += (a.value - sample.truth[item]).abs() / 500.0;
            before += (b.value - sample.truth[item]).abs() / 500.0;
        }
        (after, before)
    }

    #[test]
    fn votes_that_are_wrong_in_one_direction_are_learned_from_controls() {
        let (after, before) = losses(400);
        assert!(after < 0.9 * before, "{after} {before}");
    }

    #[test]
    fn with_few_controls_the_estimate_stays_as_it_is() {
        let (after, before) = losses(19);
        assert_eq!(after, before);
    }
}
