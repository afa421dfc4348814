//! An annotator's error on numeric controls: mean absolute error, bias, spread, and how sure they are.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::controls::ControlErrors;
use super::shrinkage::{Shrinkage, shrunk};
use crate::error::{check_setting, check_truths};
use crate::interval::t_quantile;
use crate::{Error, Interval, NumberVotes};

/// How annotators are scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreSettings {
    /// CS@k: an answer counts as close when it errs by at most this many units.
    pub within: f64,
    /// Level of the interval of the MAE.
    pub level: f64,
    /// How far `shrunk_mae` is pulled towards the overall MAE.
    pub shrinkage: Shrinkage,
}

impl Default for ScoreSettings {
    fn default() -> Self {
        Self {
            within: 5.0,
            level: 0.95,
            shrinkage: Shrinkage::EmpiricalBayes,
        }
    }
}

/// One annotator's errors (answer − truth) on controls, in the unit of the question.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NumberScore {
    /// Answers to controls.
    pub n: u32,
    /// Mean absolute error.
    pub mae: f64,
    /// Mean error: positive when the annotator answers too high.
    pub bias: f64,
    /// Standard deviation of the errors around the bias (divisor n − 1); `None` for one answer.
    pub spread: Option<f64>,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Share of answers within [`ScoreSettings::within`] of the truth, 0 to 1.
    pub cs: f64,
    /// Student's t interval of the MAE, cut at 0; `None` for one answer.
    pub mae_interval: Option<Interval>,
    /// Whether `mae_interval` is only a rough guide: below [`FEW_CONTROLS`] answers the mean of skewed absolute errors is
    /// not yet near normal, and equal errors make the interval too short.
    pub few_controls: bool,
    /// The MAE pulled towards the overall one as far as it may be noise.
    pub shrunk_mae: f64,
}

/// Below this many answers an interval of an MAE is a rough guide.
pub const FEW_CONTROLS: u32 = 10;

/// Errors of all annotators' answers to controls together: every answer counts once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OverallScore {
    /// Answers.
    pub n: u64,
    /// Controls with at least one answer.
    pub controls: usize,
    /// Mean absolute error over answers.
    pub mae: f64,
    /// Mean error.
    pub bias: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
}

/// The error all annotators share on an item (everybody takes this man for younger), the floor that no number of votes
/// gets below.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SharedError {
    /// τ²: mean product of the errors of two different annotators on the same control, at least 0. It includes the square
    /// of a bias common to all.
    pub variance: f64,
    /// Pairs of answers it rests on.
    pub pairs: u64,
}

/// Scores of all annotators.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NumberScores {
    /// By annotator's index; `None` for who answered no control.
    pub annotators: Vec<Option<NumberScore>>,
    /// All answers together; `None` without any.
    pub overall: Option<OverallScore>,
    /// The shared error; `None` when no control has answers of two annotators.
    pub shared: Option<SharedError>,
}

/// Scores every annotator on the items whose truth is known; `truth` has one entry per item.
///
/// Errors if `truth` has another length, a truth is not finite, or a setting is out of range. Linear in the votes on controls.
pub fn scores(
    votes: &NumberVotes,
    truth: &[Option<f64>],
    settings: &ScoreSettings,
) -> Result<NumberScores, Error> {
    check_truths(truth.len(), votes.n_items())?;
    check_finite(votes, truth)?;
    check_setting(
        settings.within >= 0.0,
        "within",
        settings.within,
        "must be at least 0",
    )?;
    check_level(settings.level)?;
    settings.shrinkage.check()?;

    let all = ControlErrors::of(votes, truth);
    let overall = (all.total.n > 0.0).then(|| OverallScore {
        n: all.total.n as u64,
        controls: all.items,
        mae: all.total.absolute / all.total.n,
        bias: all.total.signed / all.total.n,
        rmse: (all.total.squares / all.total.n).sqrt(),
    });
    let shared = all.products.shared_variance().map(|variance| SharedError {
        variance,
        pairs: (all.products.pairs / 2.0) as u64,
    });

    // A second pass for the spreads: differences of large sums would lose the digits of a small spread.
    let mut deviations = vec![(0.0, 0.0, 0u32); votes.n_annotators()];
    for (item, truth) in truth.iter().enumerate() {
        let Some(truth) = *truth else { continue };
        let (annotators, values) = votes.item(item);
        for (&annotator, &value) in annotators.iter().zip(values) {
            let (sums, error) = (&all.annotators[annotator as usize], value - truth);
            let deviation = &mut deviations[annotator as usize];
            deviation.0 += (error - sums.signed / sums.n).powi(2);
            deviation.1 += (error.abs() - sums.absolute / sums.n).powi(2);
            deviation.2 += u32::from(error.abs() <= settings.within);
        }
    }

    let k = all.groups.k(settings.shrinkage);
    // Quantiles of t are slow to compute, and many annotators have the same number of controls.
    let mut quantiles = BTreeMap::new();
    let annotators = all
        .annotators
        .iter()
        .zip(&deviations)
        .map(|(sums, &(squares, absolute_squares, close))| {
            let n = sums.n as u32;
            let mae = sums.absolute / sums.n;
            let mae_interval = (n > 1).then(|| {
                let t = *quantiles
                    .entry(n)
                    .or_insert_with(|| t_quantile(settings.level, sums.n - 1.0));
                let half = t * (absolute_squares / (sums.n - 1.0) / sums.n).sqrt();
                Interval {
                    low: (mae - half).max(0.0),
                    high: mae + half,
                }
            });
            (n > 0).then(|| NumberScore {
                n,
                mae,
                bias: sums.signed / sums.n,
                spread: (n > 1).then(|| (squares / (sums.n - 1.0)).sqrt()),
                rmse: (sums.squares / sums.n).sqrt(),
                cs: f64::from(close) / sums.n,
                mae_interval,
                few_controls: n < FEW_CONTROLS,
                shrunk_mae: shrunk(sums.n, sums.absolute, k, all.groups.mean()),
            })
        })
        .collect();
    Ok(NumberScores {
        annotators,
        overall,
        shared,
    })
}

/// Largest magnitude of a vote or truth: its square, summed over any number of votes, is still a number.
const LARGEST: f64 = 1e145;

/// Errors at the first vote or truth that is not a number or too large to be squared and summed.
pub(crate) fn check_finite(votes: &NumberVotes, truth: &[Option<f64>]) -> Result<(), Error> {
    // Not `<` the other way round: NaN must fail.
    let good = |x: f64| x.abs() <= LARGEST;
    let fail = |item, what, x: f64| {
        let reason = format!("the {what} {x} is not a number of magnitude up to {LARGEST:e}");
        Err(Error::Item { item, reason })
    };
    let piece_good = |piece: &[f64]| piece.iter().fold(true, |all, &x| all & good(x));
    if !votes.values().par_chunks(1 << 16).all(piece_good) {
        for (item, _, values) in votes.items() {
            if let Some(&x) = values.iter().find(|&&x| !good(x)) {
                return fail(item, "vote", x);
            }
        }
    }
    for (item, truth) in truth.iter().enumerate() {
        if let Some(x) = truth.filter(|&x| !good(x)) {
            return fail(item, "truth", x);
        }
    }
    Ok(())
}

/// Errors unless the level of an interval lies between 0 and 1.
pub(crate) fn check_level(level: f64) -> Result<(), Error> {
    check_setting(
        level > 0.0 && level < 1.0,
        "level",
        level,
        "must lie between 0 and 1",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Annotator 0 errs by +1, −3, +2, 0; annotator 1 by +6; annotator 2 saw no control.
    fn small() -> (NumberVotes, Vec<Option<f64>>) {
        let votes = NumberVotes::new(
            5,
            3,
            &[0, 1, 2, 3, 0, 4],
            &[0, 0, 0, 0, 1, 2],
            &[31.0, 37.0, 22.0, 50.0, 36.0, 44.0],
        )
        .unwrap();
        (
            votes,
            vec![Some(30.0), Some(40.0), Some(20.0), Some(50.0), None],
        )
    }

    #[test]
    fn an_annotators_errors_as_worked_by_hand() {
        let (votes, truth) = small();
        let settings = ScoreSettings {
            within: 1.0,
            shrinkage: Shrinkage::Fixed(5.0),
            ..ScoreSettings::default()
        };
        let s = scores(&votes, &truth, &settings).unwrap();
        let a = s.annotators[0].unwrap();
        // |e| = 1, 3, 2, 0: mean 1.5, sd sqrt(5/3) = 1.29099; t(0.95, 3) = 3.18245; half 3.18245·1.29099/2 = 2.05426.
        assert_eq!((a.n, a.mae, a.bias, a.cs), (4, 1.5, 0.0, 0.5));
        assert!((a.rmse - 3.5f64.sqrt()).abs() < 1e-12);
        assert!((a.spread.unwrap() - (14.0f64 / 3.0).sqrt()).abs() < 1e-12);
        let i = a.mae_interval.unwrap();
        assert_eq!(i.low, 0.0);
        assert!((i.high - 3.554_26).abs() < 1e-4);
        assert!(a.few_controls);
        // Overall (6 + 6)/5 = 2.4; shrunk (6 + 5·2.4)/9 = 2.
        assert!((a.shrunk_mae - 2.0).abs() < 1e-12);
        assert_eq!(s.overall.unwrap().mae, 2.4);
        assert_eq!((s.overall.unwrap().n, s.overall.unwrap().controls), (5, 4));
    }

    #[test]
    fn one_control_has_no_interval_and_none_has_no_score() {
        let (votes, truth) = small();
        let s = scores(&votes, &truth, &ScoreSettings::default()).unwrap();
        let b = s.annotators[1].unwrap();
        assert_eq!((b.n, b.mae, b.bias), (1, 6.0, 6.0));
        assert_eq!((b.spread, b.mae_interval), (None, None));
        assert_eq!(s.annotators[2], None);
        // One pair: errors +1 and +6 on item 0.
        assert_eq!(
            s.shared,
            Some(SharedError {
                variance: 6.0,
                pairs: 1
            })
        );
        let none = scores(&votes, &[None; 5], &ScoreSettings::default()).unwrap();
        assert_eq!((none.overall, none.shared), (None, None));
    }

    #[test]
    fn the_interval_covers_the_annotators_long_run_mae_and_shrinking_brings_scores_nearer_to_it() {
        let crowd = crate::simulated::Crowd {
            shared_sd: 0.0,
            items: 400,
            votes_per_item: 20,
            ..crate::simulated::Crowd::default()
        };
        let (mut inside, mut all, mut raw, mut shrunk) = (0, 0, 0.0, 0.0);
        for seed in 0..10 {
            let sample = crowd.draw(seed);
            let truth: Vec<_> = sample.truth.iter().copied().map(Some).collect();
            let s = scores(&sample.votes, &truth, &ScoreSettings::default()).unwrap();
            for (score, &mae) in s.annotators.iter().zip(&sample.long_run_mae) {
                let score = score.unwrap();
                inside += u32::from(score.mae_interval.unwrap().contains(mae));
                all += 1;
                raw += (score.mae - mae).powi(2);
                shrunk += (score.shrunk_mae - mae).powi(2);
            }
        }
        let coverage = f64::from(inside) / f64::from(all);
        assert!((0.93..0.97).contains(&coverage), "{coverage}");
        assert!(shrunk < raw, "{shrunk} {raw}");
    }

    #[test]
    fn bad_input_is_named() {
        let (votes, truth) = small();
        let e = scores(&votes, &truth[1..], &ScoreSettings::default()).unwrap_err();
        assert_eq!(e, Error::Truths { found: 4, items: 5 });
        let huge = NumberVotes::new(2, 1, &[1], &[0], &[1e308]).unwrap();
        let e = scores(&huge, &[None, None], &ScoreSettings::default()).unwrap_err();
        assert!(matches!(e, Error::Item { item: 1, .. }));
        let level = ScoreSettings {
            level: 1.0,
            ..ScoreSettings::default()
        };
        assert!(scores(&votes, &truth, &level).is_err());
    }
}
