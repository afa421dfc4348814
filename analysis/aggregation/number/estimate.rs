//! One pass over the items: every method's estimates with their standard errors and intervals.

use rayon::prelude::*;
use std::sync::Arc;

use super::ballot::Point;
use super::calibration::Calibration;
use super::engine::Engine;
use super::formula::{Crowd, Formula, Scratch, View};
use super::hybrid::{Mix, SHARES};
use super::learned::Learned;
use super::model::Choice;
use super::noise::{Evidence, Noise};
use super::{
    NumberEstimate, NumberMethod, NumberResult, NumberSettings, auto, iqm, trimmed, winsorized,
};
use crate::NumberVotes;
use crate::aggregation::Convergence;
use crate::interval::normal_quantile;

/// Items per piece of work. Pieces do not share results, so neither their size nor the number of threads shows.
const ITEMS_PER_PIECE: usize = 4096;

/// The formula of a method that has nothing to choose or to learn.
pub(super) fn formula(
    method: NumberMethod,
    settings: &NumberSettings,
    noise: &Noise,
) -> Option<Formula> {
    Some(match method {
        NumberMethod::Mean => Formula::Mean,
        NumberMethod::Median => Formula::Median,
        NumberMethod::Mode => Formula::Mode,
        NumberMethod::Trimmed => {
            Formula::Trimmed(settings.trim, trimmed::variance_factor(settings.trim / 2.0))
        }
        NumberMethod::Iqm => Formula::Iqm(trimmed::variance_factor(iqm::QUARTER)),
        NumberMethod::Winsorized => {
            let sd = noise.own.unwrap_or(0.0).sqrt();
            Formula::Winsorized(settings.cap, winsorized::variance_factor(settings.cap / sd))
        }
        NumberMethod::ExpMae => Formula::ExpMae(settings.temperature),
        NumberMethod::InverseMae => Formula::InverseMae(1),
        NumberMethod::InverseMae2 => Formula::InverseMae(2),
        NumberMethod::InverseMse => Formula::InverseMse,
        NumberMethod::InverseMseUnbiased => Formula::Unbiased,
        NumberMethod::InverseMseUnbiasedShared => Formula::UnbiasedShared,
        NumberMethod::Huber => Formula::Huber,
        NumberMethod::LfcN => Formula::LfcN,
        NumberMethod::Catd => Formula::Catd,
        NumberMethod::Crh => Formula::Crh,
        NumberMethod::Gtm => Formula::Gtm,
        NumberMethod::StudentT => Formula::StudentT,
        NumberMethod::ExpMaeAuto
        | NumberMethod::Hybrid
        | NumberMethod::Learned
        | NumberMethod::Auto => return None,
    })
}

/// All formulas a method may use.
fn formulas(method: NumberMethod, settings: &NumberSettings, noise: &Noise) -> Vec<Formula> {
    match method {
        NumberMethod::ExpMaeAuto => SHARES.map(Formula::Tempered).to_vec(),
        NumberMethod::Hybrid => Mix::grid().map(Formula::Hybrid).collect(),
        NumberMethod::Learned => Learned::formulas().chain([Formula::StudentT]).collect(),
        NumberMethod::Auto => auto::candidates(),
        _ => formula(method, settings, noise).into_iter().collect(),
    }
}

/// What a method makes of an engine: chosen and learned on all controls it may see.
fn model(method: NumberMethod, engine: &Engine<'_>, formulas: &[Formula]) -> Choice {
    match method {
        NumberMethod::ExpMaeAuto => Choice::temperature(engine),
        NumberMethod::Hybrid => Choice::hybrid(engine),
        NumberMethod::Learned => Choice::learned(engine),
        NumberMethod::Auto => Choice::auto(engine),
        _ => Choice::one(formulas[0]),
    }
}

/// How the slowest fit behind these formulas ended.
fn convergence(crowd: &Crowd, formulas: &[Formula]) -> Convergence {
    let fits = formulas.iter().filter_map(|f| crowd.fit(f));
    fits.fold(Convergence::Closed, |all, fit| {
        all.less_settled(fit.convergence)
    })
}

/// What methods fit to the votes alone, without any truth: done once for several runs on the same votes.
pub(in crate::aggregation) struct Fits(Arc<Crowd>);

impl Fits {
    /// Everything these methods need.
    pub(in crate::aggregation) fn of(
        votes: &NumberVotes,
        methods: &[NumberMethod],
        settings: &NumberSettings,
    ) -> Self {
        let evidence = Evidence::of(votes, &vec![None; votes.n_items()], settings.shrinkage);
        let all = methods.iter();
        let formulas: Vec<Formula> = all
            .flat_map(|m| formulas(*m, settings, &evidence.noise))
            .collect();
        Self(Arc::new(Crowd::of(votes, evidence.within, &formulas)))
    }
}

/// All items by one method. Settings and table have been checked.
pub(super) fn estimate(
    method: NumberMethod,
    votes: &NumberVotes,
    truth: &[Option<f64>],
    settings: &NumberSettings,
    fits: Option<&Fits>,
) -> NumberResult {
    let evidence = Evidence::of(votes, truth, settings.shrinkage);
    let formulas = formulas(method, settings, &evidence.noise);
    let engine = match fits {
        Some(Fits(crowd)) => Engine::fitted(votes, truth, evidence, &formulas, crowd.clone()),
        None => Engine::new(votes, truth, evidence, &formulas),
    };
    let model = model(method, &engine, &formulas);
    let evidence = &engine.evidence;
    let quantile = normal_quantile(settings.level);

    let mut estimates: Vec<Option<NumberEstimate>> = vec![None; votes.n_items()];
    estimates
        .par_chunks_mut(ITEMS_PER_PIECE)
        .enumerate()
        .for_each_init(Scratch::default, |scratch, (piece, estimates)| {
            for (i, estimate) in estimates.iter_mut().enumerate() {
                let item = piece * ITEMS_PER_PIECE + i;
                *estimate = engine.view(item, scratch, |view, buffers| {
                    estimate_of(view, &model.point(view, buffers), quantile)
                });
            }
        });

    let calibration = calibrate(&mut estimates, truth, settings.level);
    NumberResult {
        estimates,
        convergence: convergence(&engine.crowd, &formulas),
        level: settings.level,
        includes_shared: evidence.noise.shared.is_some(),
        shared_sd: evidence.noise.shared.map(f64::sqrt),
        controls: evidence.controls.items,
        chosen: if method.is_closed() {
            Vec::new()
        } else {
            model.chosen()
        },
        calibration: calibration.factor(),
    }
}

/// An item's estimate with its uncalibrated standard error, and half the width of its normal interval at this quantile.
pub(super) fn estimate_of(view: &View<'_>, point: &Point, quantile: f64) -> NumberEstimate {
    let se = view.noise.standard_error(point.variance, point.unbiased);
    let value = if point.outside {
        point.value
    } else {
        // Rounding may carry a mean of equal votes past them.
        let (low, high) = view.ballot.range();
        point.value.clamp(low, high)
    };
    NumberEstimate {
        value,
        se,
        low: se.map(|se| value - quantile * se),
        high: se.map(|se| value + quantile * se),
        votes: view.ballot.values.len() as u32,
        effective_votes: point.effective_votes,
    }
}

/// Fits intervals to the errors on controls, if there are enough of them, and returns how.
fn calibrate(
    estimates: &mut [Option<NumberEstimate>],
    truth: &[Option<f64>],
    level: f64,
) -> Calibration {
    let ratio = |estimate: &NumberEstimate, truth: Option<f64>| {
        Some((estimate.value - truth?).abs() / estimate.se?)
    };
    let ratios = estimates
        .iter()
        .zip(truth)
        .filter_map(|(estimate, &truth)| ratio(estimate.as_ref()?, truth))
        .collect();
    let calibration = Calibration::new(ratios, level);
    if calibration.factor().is_none() {
        return calibration;
    }
    let fresh = calibration.stretch(None);
    estimates
        .par_iter_mut()
        .zip(truth)
        .for_each(|(estimate, &truth)| {
            let Some(estimate) = estimate else { return };
            let Some(se) = estimate.se else { return };
            let stretch = match ratio(estimate, truth) {
                Some(own) => calibration.stretch(Some(own)),
                None => fresh,
            };
            let calibrated = se * stretch.factor;
            estimate.se = (calibrated > 0.0).then_some(calibrated);
            let half = estimate.se.map(|_| se * stretch.half);
            estimate.low = half.map(|half| estimate.value - half);
            estimate.high = half.map(|half| estimate.value + half);
        });
    calibration
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Votes of annotators 0, 1, 2: item 0 (truth 30): 30, 40, 33; item 1 (truth 50): 52, 50; item 2: 20, 28.
    fn value(method: NumberMethod, item: usize) -> f64 {
        let votes = NumberVotes::new(
            3,
            3,
            &[0, 0, 0, 1, 1, 2, 2],
            &[0, 1, 2, 0, 1, 0, 1],
            &[30.0, 40.0, 33.0, 52.0, 50.0, 20.0, 28.0],
        )
        .unwrap();
        let truth = [Some(30.0), Some(50.0), None];
        let result = estimate(method, &votes, &truth, &NumberSettings::default(), None);
        result.estimates[item].unwrap().value
    }

    #[test]
    fn an_item_that_is_no_control_is_weighed_by_all_controls() {
        // MAE_0 = (0 + 2)/2 = 1, MAE_1 = (10 + 0)/2 = 5.
        let w = f64::exp(-4.0);
        let exp = value(NumberMethod::ExpMae, 2);
        assert!((exp - (20.0 + 28.0 * w) / (1.0 + w)).abs() < 1e-12);
        // 1 to 1/5: (5·20 + 28)/6; 1 to 1/25: (25·20 + 28)/26.
        assert!((value(NumberMethod::InverseMae, 2) - 128.0 / 6.0).abs() < 1e-12);
        assert!((value(NumberMethod::InverseMae2, 2) - 528.0 / 26.0).abs() < 1e-12);
    }

    #[test]
    fn a_control_is_weighed_by_the_others_and_who_has_none_by_the_overall_error() {
        // Without item 0: MAE_0 = 2, MAE_1 = 0, and annotator 2, who saw no other control, has the overall (2 + 0)/2 = 1.
        let (w0, w1, w2) = (f64::exp(-2.0), 1.0, f64::exp(-1.0));
        let expected = (30.0 * w0 + 40.0 * w1 + 33.0 * w2) / (w0 + w1 + w2);
        assert!((value(NumberMethod::ExpMae, 0) - expected).abs() < 1e-12);
        // MAE_1 = 0 counts as a thousandth of the overall 1: weights 0.5, 1000, 1.
        let expected = (15.0 + 40_000.0 + 33.0) / 1001.5;
        assert!((value(NumberMethod::InverseMae, 0) - expected).abs() < 1e-9);
    }
}
