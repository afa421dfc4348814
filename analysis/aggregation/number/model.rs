//! What a method has chosen: a blend of formulas, one per fold of controls, and perhaps a line to undo the crowd's pull.

use std::sync::Arc;

use rayon::prelude::*;

use super::Chosen;
use super::ballot::Point;
use super::choose::Losses;
use super::engine::Engine;
use super::folds::{FOLDS, Folds};
use super::formula::{Buffers, Formula, Scratch, View};
use super::learned::Learned;
use super::line::{self, Line};

/// Items that are no controls looked at, at most, for where they lie.
const MOST_OTHERS: usize = 5_000;

/// The line must be better by more than so many standard errors: it changes every estimate, most of all those at the ends.
const LINE_ERRORS: f64 = 2.0;

/// A formula or what is learned.
#[derive(Debug, Clone)]
pub(super) enum Part {
    One(Formula),
    Learned(Arc<Learned>),
}

impl Part {
    pub(super) fn point(&self, view: &View<'_>, buffers: &mut Buffers<'_>) -> Point {
        match self {
            Self::One(formula) => formula.point(view, buffers),
            Self::Learned(learned) => learned.point(view, buffers),
        }
    }
}

/// A weighted mean of parts; weights sum to 1.
#[derive(Debug, Clone)]
pub(super) struct Blend(pub(super) Vec<(f64, Part)>);

impl Blend {
    /// The estimate of one item. The variance is that of perfectly correlated parts, an upper bound: parts use the same votes.
    pub(super) fn point(&self, view: &View<'_>, buffers: &mut Buffers<'_>) -> Point {
        let mut sum = Point {
            value: 0.0,
            variance: 0.0,
            effective_votes: 0.0,
            unbiased: false,
        };
        let mut first = None;
        for (share, part) in &self.0 {
            let point = part.point(view, buffers);
            let base = *first.get_or_insert(point.value);
            sum.value += share * (point.value - base);
            sum.variance += share * point.variance.sqrt();
            sum.effective_votes += share * point.effective_votes;
            sum.unbiased |= point.unbiased;
        }
        sum.value += first.unwrap_or(0.0);
        sum.variance *= sum.variance;
        sum
    }
}

/// What was chosen: on all controls, for items that are none, and for each control on those outside its fold.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    whole: Blend,
    by_fold: Vec<Blend>,
    folds: Option<Folds>,
    /// Of the whole and of each fold; empty where nothing is gained.
    line: Option<Line>,
    lines: Vec<Option<Line>>,
}

impl Choice {
    /// Nothing to choose.
    pub(super) fn one(formula: Formula) -> Self {
        Self::part(Part::One(formula))
    }

    /// A part that chose for itself.
    pub(super) fn part(part: Part) -> Self {
        Self::folded(Blend(vec![(1.0, part)]), Vec::new(), None)
    }

    /// Blends of all controls and of those outside each fold.
    pub(super) fn folded(whole: Blend, by_fold: Vec<Blend>, folds: Option<Folds>) -> Self {
        Self {
            whole,
            by_fold,
            folds,
            line: None,
            lines: Vec::new(),
        }
    }

    /// The estimate of one item.
    pub(super) fn point(&self, view: &View<'_>, buffers: &mut Buffers<'_>) -> Point {
        let fold = self.folds.as_ref().and_then(|f| f.of_item(view.item));
        let blend = fold.and_then(|fold| self.by_fold.get(fold));
        let mut point = blend.unwrap_or(&self.whole).point(view, buffers);
        let line = fold.map_or(self.line, |fold| {
            self.lines.get(fold).copied().unwrap_or(self.line)
        });
        if let Some(line) = line {
            point.value = line.at(point.value);
            point.variance *= line.slope * line.slope;
            point.unbiased = true;
        }
        point
    }

    /// What was chosen on all controls, in words.
    pub(super) fn chosen(&self) -> Vec<Chosen> {
        let parts = self.whole.0.iter().map(|(share, part)| Chosen {
            part: match part {
                Part::One(formula) => formula.words(),
                Part::Learned(_) => "learned".into(),
            },
            share: *share,
        });
        let mut chosen: Vec<Chosen> = parts.collect();
        chosen.sort_by(|a, b| b.share.total_cmp(&a.share));
        chosen.extend(self.line.map(|line| Chosen {
            part: "line".into(),
            share: line.slope,
        }));
        chosen
    }

    /// The same with estimates put through the inverse of the crowd's line, if that makes errors on controls smaller by more
    /// than two standard errors, each control by a line that has not seen it.
    pub(super) fn calibrated(mut self, engine: &Engine<'_>, controls: &[usize]) -> Self {
        let folds = self
            .folds
            .get_or_insert_with(|| Folds::of(controls, engine.truth.len()))
            .clone();
        let values = |items: &[usize]| -> Vec<f64> {
            items
                .par_iter()
                .map_init(Scratch::default, |scratch, &item| {
                    let point = engine.view(item, scratch, |v, b| self.point(v, b));
                    point.map_or(0.0, |point| point.value)
                })
                .collect()
        };
        let estimates = values(controls);
        let others = engine.others(MOST_OTHERS);
        let of_others = values(&others);
        let target = if others.is_empty() {
            line::spread(&estimates)
        } else {
            line::spread(&of_others)
        };
        let Some(target) = target else { return self };
        let known = |row: usize| (estimates[row], engine.truth[controls[row]].unwrap_or(0.0));
        let fit = |fold: Option<usize>| {
            let pairs: Vec<_> = folds.outside(fold).into_iter().map(known).collect();
            Line::fit(&pairs, target)
        };
        let lines: Vec<Option<Line>> = (0..FOLDS).map(|fold| fit(Some(fold))).collect();
        let (mut plain, mut straightened) = (Vec::new(), Vec::new());
        for row in 0..controls.len() {
            let (estimate, truth) = known(row);
            let line = lines[folds.of_row(row)];
            plain.push((estimate - truth).abs());
            straightened.push((line.map_or(estimate, |line| line.at(estimate)) - truth).abs());
        }
        if Losses::new(vec![plain, straightened]).first_within(LINE_ERRORS) == 1 {
            self.line = fit(None);
            self.lines = lines;
        }
        self
    }
}
