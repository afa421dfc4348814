//! `auto`: every other formula is tried on the controls, each control without its own truth, and the best are blended.

use std::sync::Arc;

use rayon::prelude::*;

use super::ballot::Point;
use super::choose::{Losses, ROUNDING};
use super::engine::Engine;
use super::folds::{FOLDS, Folds};
use super::formula::{Buffers, Formula, Scratch, View};
use super::hybrid::{Mix, SHARES};
use super::learned::Learned;
use super::line::{self, Line};
use super::{hybrid, iqm, range, trimmed};

/// Controls looked at, at most: with so many the differences between candidates are known to a few thousandths of the error.
const MOST_CONTROLS: usize = 5_000;

/// Items that are no controls looked at, at most, for where they lie.
const MOST_OTHERS: usize = 5_000;

/// The line must be better by more than so many standard errors: it changes every estimate, most of all those at the ends.
const LINE_ERRORS: f64 = 2.0;

/// With fewer controls nothing is chosen.
const LEAST_CONTROLS: usize = 5;

/// Rounds of the greedy blend: its shares are multiples of one over this.
const ROUNDS: usize = 20;

/// A formula or what is learned.
#[derive(Debug, Clone)]
pub(super) enum Part {
    One(Formula),
    Learned(Arc<Learned>),
}

impl Part {
    fn point(&self, view: &View<'_>, buffers: &mut Buffers<'_>) -> Point {
        match self {
            Self::One(formula) => formula.point(view, buffers),
            Self::Learned(learned) => learned.point(view, buffers),
        }
    }
}

/// A weighted mean of parts; weights sum to 1.
#[derive(Debug, Clone)]
pub(super) struct Blend(Vec<(f64, Part)>);

impl Blend {
    fn one(formula: Formula) -> Self {
        Self(vec![(1.0, Part::One(formula))])
    }

    /// The estimate of one item. The variance is that of perfectly correlated parts, an upper bound: parts use the same votes.
    fn point(&self, view: &View<'_>, buffers: &mut Buffers<'_>) -> Point {
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
        Self {
            whole: Blend::one(formula),
            by_fold: Vec::new(),
            folds: None,
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

    /// The same with estimates put through the inverse of the crowd's line, if that makes errors on controls smaller by more
    /// than two standard errors, each control by a line that has not seen it.
    fn calibrated(mut self, engine: &Engine<'_>, controls: &[usize]) -> Self {
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

    /// What is learned from the controls of this engine; `student-t` where they cover only a part of the range.
    pub(super) fn learned(engine: &Engine<'_>) -> Self {
        if !range::is_covered(engine) {
            return Self::one(Formula::StudentT);
        }
        let learned = Learned::fit(engine, &engine.controls(MOST_CONTROLS));
        Self {
            whole: Blend(vec![(1.0, Part::Learned(Arc::new(learned)))]),
            ..Self::one(Formula::StudentT)
        }
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

/// What stands when controls do not say otherwise.
const DEFAULT: Formula = Formula::StudentT;

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

/// Errors of all candidates on all controls, each control without its own truth.
struct Trial {
    parts: Vec<Part>,
    folds: Folds,
    /// Candidate by candidate.
    errors: Vec<Vec<f64>>,
}

impl Trial {
    fn of(engine: &Engine<'_>, parts: Vec<Part>) -> Self {
        let controls = engine.controls(MOST_CONTROLS);
        let table: Vec<Vec<f64>> = controls
            .par_iter()
            .map_init(Scratch::default, |scratch, &item| {
                let truth = engine.truth[item].unwrap_or(0.0);
                let row = engine.view(item, scratch, |view, buffers| {
                    let errors = parts.iter().map(|p| p.point(view, buffers).value - truth);
                    errors.collect()
                });
                row.unwrap_or_default()
            })
            .collect();
        Self {
            errors: (0..parts.len())
                .map(|c| table.iter().map(|row: &Vec<f64>| row[c]).collect())
                .collect(),
            folds: Folds::of(&controls, engine.truth.len()),
            parts,
        }
    }

    fn losses(&self, rows: &[usize]) -> Losses {
        let column = |errors: &Vec<f64>| rows.iter().map(|&row| errors[row].abs()).collect();
        Losses::new(self.errors.iter().map(column).collect())
    }

    /// Chooses by `pick`, which gets places in the list of controls and returns shares and candidates.
    fn choice(&self, pick: impl Fn(&[usize]) -> Vec<(f64, usize)> + Sync) -> Choice {
        let blend = |fold: Option<usize>| {
            let shares = pick(&self.folds.outside(fold)).into_iter();
            Blend(shares.map(|(s, c)| (s, self.parts[c].clone())).collect())
        };
        let folds: Vec<Option<usize>> = (0..FOLDS).map(Some).chain([None]).collect();
        let mut blends: Vec<Blend> = folds.into_par_iter().map(blend).collect();
        let whole = blends.pop().unwrap_or_else(|| Blend::one(DEFAULT));
        Choice {
            whole,
            by_fold: blends,
            folds: Some(self.folds.clone()),
            line: None,
            lines: Vec::new(),
        }
    }

    /// Greedy selection with replacement (Caruana et al. 2004): in every round the candidate joins whose addition makes the
    /// mean of all chosen so far best. A candidate's share is how often it was taken.
    ///
    /// Best is the smallest `mean d + standard error of d`, d the loss beyond the default's, control by control: with few controls
    /// the default stays unless something is reliably better, with many the smallest loss wins. A standard error from fewer than five controls says
    /// nothing, and the default stays.
    fn greedy(&self, rows: &[usize]) -> Vec<(f64, usize)> {
        let n = rows.len() as f64;
        let own = |&row: &usize| self.errors[0][row].abs();
        let rounding = ROUNDING * rows.iter().map(own).sum::<f64>() / n;
        if rows.len() < LEAST_CONTROLS {
            return vec![(1.0, 0)];
        }
        let mut sum = vec![0.0; rows.len()];
        let mut counts = vec![0usize; self.parts.len()];
        for _ in 0..ROUNDS {
            let taken = counts.iter().sum::<usize>() as f64 + 1.0;
            let mut best = (f64::INFINITY, 0);
            for (c, errors) in self.errors.iter().enumerate() {
                let (mut d1, mut d2) = (0.0, 0.0);
                for (&row, s) in rows.iter().zip(&sum) {
                    let d = ((s + errors[row]) / taken).abs() - self.errors[0][row].abs();
                    d1 += d;
                    d2 += d * d;
                }
                let variance = (d2 / n - (d1 / n).powi(2)).max(0.0) / (n - 1.0);
                let bound = d1 / n + variance.sqrt();
                if bound < best.0 - rounding {
                    best = (bound, c);
                }
            }
            counts[best.1] += 1;
            for (s, &row) in sum.iter_mut().zip(rows) {
                *s += self.errors[best.1][row];
            }
        }
        let taken = counts.iter().enumerate().filter(|(_, n)| **n > 0);
        taken.map(|(c, n)| (*n as f64 / ROUNDS as f64, c)).collect()
    }
}
