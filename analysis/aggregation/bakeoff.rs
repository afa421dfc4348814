//! The bake-off: every method on the same controls, each judged without having seen the truth it is judged by.

use serde::Serialize;

use super::bootstrap::mean_intervals;
use super::choice::{ChoiceMethod, ChoiceSettings};
use super::crossfit::{Run, chosen, common_items, cross_fitted};
use super::number::levels::half_widths;
use super::number::{Fits, NumberMethod, NumberSettings};
use super::{ChoiceEstimate, Convergence, NumberEstimate};
use crate::error::check_setting;
use crate::interval::wilson;
use crate::scoring::number::{check_finite, check_level};
use crate::{ChoiceVotes, Error, Interval, NumberVotes};

/// How methods are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BakeoffSettings {
    /// CS@k: an estimate counts as close when it errs by at most this many units.
    pub within: f64,
    /// Level of the bootstrap intervals.
    pub level: f64,
    /// Bootstrap resamples of the items (above 20,000 items intervals are normal ones).
    pub resamples: usize,
    /// Folds of items for methods that choose or learn on controls (closed ones leave out one item at a time); at least 2.
    pub folds: usize,
    /// Seed of the folds and of the bootstrap.
    pub seed: u64,
}

impl Default for BakeoffSettings {
    fn default() -> Self {
        Self {
            within: 5.0,
            level: 0.95,
            resamples: 1000,
            folds: 10,
            seed: 1,
        }
    }
}

/// Levels at which intervals are counted.
pub const LEVELS: [f64; 4] = [0.5, 0.8, 0.9, 0.95];

/// How often a method's intervals of one level held the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Coverage {
    /// What was promised: the level.
    pub nominal: f64,
    /// Share of intervals that held the truth.
    pub covered: f64,
    /// Its binomial interval at the level of the bake-off (Wilson 1927), as if items were independent.
    pub interval: Interval,
    /// Mean width of the intervals.
    pub width: f64,
    /// Intervals counted.
    pub n: usize,
}

/// One numeric method on the controls, in the unit of the question. Intervals are bootstrap intervals over items; `None`
/// with a single item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NumberRow {
    /// The method.
    pub method: NumberMethod,
    /// Mean absolute error.
    pub mae: f64,
    /// Its interval.
    pub mae_interval: Option<Interval>,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Its interval.
    pub rmse_interval: Option<Interval>,
    /// Share of estimates within `within` of the truth.
    pub cs: f64,
    /// Its interval.
    pub cs_interval: Option<Interval>,
    /// The k of CS@k.
    pub within: f64,
    /// Mean error: positive when estimates are too high.
    pub bias: f64,
    /// Share of the estimates' own intervals that contain the truth; `None` if none has an interval. Once intervals are
    /// calibrated on controls it is near `coverage_nominal` by construction: then compare `interval_width`.
    pub coverage: Option<f64>,
    /// Mean width of those intervals: of two methods with the same coverage the narrower knows more.
    pub interval_width: Option<f64>,
    /// What `coverage` should be.
    pub coverage_nominal: f64,
    /// The same at each of [`LEVELS`]; empty if no estimate has an interval.
    pub coverage_table: Vec<Coverage>,
    /// Items compared: the same for all methods.
    pub n_items: usize,
    /// How the method came to its end; of several folds, the least settled.
    pub convergence: Convergence,
}

/// One choice method on the controls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChoiceRow {
    /// The method.
    pub method: ChoiceMethod,
    /// Share of items whose label is right.
    pub accuracy: f64,
    /// Its bootstrap interval over items; `None` with a single item.
    pub accuracy_interval: Option<Interval>,
    /// Mean confidence: above `accuracy` the method is too sure of itself.
    pub confidence: f64,
    /// Items compared: the same for all methods.
    pub n_items: usize,
    /// How the method came to its end; of several folds, the least settled.
    pub convergence: Convergence,
}

/// Compares numeric methods on the items with votes and a known truth that every method could estimate: one row per
/// method, best MAE first (ties in the order given).
///
/// Closed methods leave each item out of the scores behind its own weights, or look at no truth at all; methods that choose or
/// learn on controls see the truths of the other folds only ([`NumberMethod::is_closed`]). Errors if there is no such item, a setting is out of range, or a method fails.
pub fn numbers(
    votes: &NumberVotes,
    truth: &[Option<f64>],
    methods: &[NumberMethod],
    settings: &NumberSettings,
    bakeoff: &BakeoffSettings,
) -> Result<Vec<NumberRow>, Error> {
    bakeoff.check()?;
    settings.check()?;
    check_finite(votes, truth)?;
    let fits = Fits::of(votes, methods, settings);
    let runs = methods
        .iter()
        .map(|method| {
            cross_fitted(
                votes,
                truth,
                method.is_closed(),
                bakeoff.folds,
                bakeoff.seed,
                |visible| {
                    let result = method.estimate_fitted(votes, visible, settings, Some(&fits))?;
                    let halves = LEVELS.map(|level| half_widths(&result, visible, level));
                    let with = |(item, e): (usize, &Option<NumberEstimate>)| {
                        Some((*e.as_ref()?, halves.each_ref().map(|h| h[item])))
                    };
                    let estimates = result.estimates.iter().enumerate().map(with);
                    Ok((estimates.collect(), result.convergence))
                },
            )
        })
        .collect::<Vec<Result<Run<Judged>, Error>>>();
    let (methods, runs) = usable(methods, runs)?;
    let items = common_items(&runs, truth)?;

    // Columns per method: |e|, e², close; then intervals of all means by the same draws.
    let mut columns = Vec::with_capacity(3 * methods.len());
    let mut rows = Vec::with_capacity(methods.len());
    for (&method, run) in methods.iter().zip(&runs) {
        let (mut absolute, mut squares, mut close) = (Vec::new(), Vec::new(), Vec::new());
        let (mut bias, mut covered, mut width, mut intervals) = (0.0, 0.0, 0.0, 0.0);
        let mut counts = [Count::default(); LEVELS.len()];
        for ((estimate, halves), truth) in chosen(run, truth, &items) {
            for (count, half) in counts.iter_mut().zip(halves) {
                count.add(half, estimate.value - truth);
            }
            let error = estimate.value - truth;
            absolute.push(error.abs());
            squares.push(error * error);
            close.push(f64::from(u8::from(error.abs() <= bakeoff.within)));
            bias += error / items.len() as f64;
            if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
                covered += f64::from(u8::from(Interval { low, high }.contains(truth)));
                width += high - low;
                intervals += 1.0;
            }
        }
        rows.push(NumberRow {
            method,
            mae: mean(&absolute),
            mae_interval: None,
            rmse: mean(&squares).sqrt(),
            rmse_interval: None,
            cs: mean(&close),
            cs_interval: None,
            within: bakeoff.within,
            bias,
            coverage: (intervals > 0.0).then(|| covered / intervals),
            interval_width: (intervals > 0.0).then(|| width / intervals),
            coverage_nominal: settings.level,
            coverage_table: (LEVELS.iter().zip(&counts))
                .filter_map(|(level, count)| count.coverage(*level, bakeoff.level))
                .collect(),
            n_items: items.len(),
            convergence: run.convergence,
        });
        columns.extend([absolute, squares, close]);
    }
    let intervals = mean_intervals(&columns, bakeoff.resamples, bakeoff.level, bakeoff.seed);
    for (row, intervals) in rows.iter_mut().zip(intervals.chunks(3)) {
        row.mae_interval = intervals[0];
        row.rmse_interval = intervals[1].map(|i| Interval {
            low: i.low.sqrt(),
            high: i.high.sqrt(),
        });
        row.cs_interval = intervals[2];
    }
    rows.sort_by(|a, b| a.mae.total_cmp(&b.mae));
    Ok(rows)
}

/// An estimate with the half-widths of its intervals at [`LEVELS`].
type Judged = (NumberEstimate, [Option<f64>; LEVELS.len()]);

/// Intervals of one level so far.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    n: usize,
    held: f64,
    width: f64,
}

impl Count {
    fn add(&mut self, half: Option<f64>, error: f64) {
        let Some(half) = half else { return };
        self.n += 1;
        self.width += 2.0 * half;
        // A hair of tolerance: conformal half-widths are errors of other items, and may equal this one.
        self.held += f64::from(u8::from(error.abs() <= half * (1.0 + 1e-12)));
    }

    fn coverage(&self, nominal: f64, level: f64) -> Option<Coverage> {
        let n = self.n as f64;
        (self.n > 0).then(|| Coverage {
            nominal,
            covered: self.held / n,
            interval: wilson(self.held, n, level),
            width: self.width / n,
            n: self.n,
        })
    }
}

/// The methods that could be run. With one or two controls a method that weighs by them has none left when one is hidden:
/// it is left out, unless nothing else remains.
fn usable<M: Copy, R>(
    methods: &[M],
    runs: Vec<Result<R, Error>>,
) -> Result<(Vec<M>, Vec<R>), Error> {
    let mut kept = (Vec::new(), Vec::new());
    let mut missing = None;
    for (&method, run) in methods.iter().zip(runs) {
        match run {
            Ok(run) => {
                kept.0.push(method);
                kept.1.push(run);
            }
            Err(error @ Error::NoControls { .. }) => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if kept.0.is_empty() => Err(error),
        _ => Ok(kept),
    }
}

/// Compares choice methods as [`numbers`] does: one row per method, best accuracy first (ties in the order given). Methods that
/// iterate over votes alone, without clamped controls, see no truth and need no folds.
pub fn choices(
    votes: &ChoiceVotes,
    truth: &[Option<u32>],
    n_labels: u32,
    methods: &[ChoiceMethod],
    settings: &ChoiceSettings,
    bakeoff: &BakeoffSettings,
) -> Result<Vec<ChoiceRow>, Error> {
    bakeoff.check()?;
    let runs = methods
        .iter()
        .map(|method| {
            cross_fitted(
                votes,
                truth,
                !method.needs_folds(settings),
                bakeoff.folds,
                bakeoff.seed,
                |visible| {
                    let result = method.estimate(votes, visible, n_labels, settings)?;
                    Ok((result.estimates, result.convergence))
                },
            )
        })
        .collect::<Vec<Result<Run<ChoiceEstimate>, Error>>>();
    let (methods, runs) = usable(methods, runs)?;
    let items = common_items(&runs, truth)?;

    let right: Vec<Vec<f64>> = runs
        .iter()
        .map(|run| {
            chosen(run, truth, &items)
                .map(|(estimate, truth)| f64::from(u8::from(estimate.label == truth)))
                .collect()
        })
        .collect();
    let intervals = mean_intervals(&right, bakeoff.resamples, bakeoff.level, bakeoff.seed);
    let mut rows: Vec<ChoiceRow> = methods
        .iter()
        .zip(&runs)
        .zip(right.iter().zip(intervals))
        .map(|((&method, run), (right, accuracy_interval))| {
            let confidences = chosen(run, truth, &items).map(|(e, _)| e.confidence);
            ChoiceRow {
                method,
                accuracy: mean(right),
                accuracy_interval,
                confidence: confidences.sum::<f64>() / items.len() as f64,
                n_items: items.len(),
                convergence: run.convergence,
            }
        })
        .collect();
    rows.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
    Ok(rows)
}

impl BakeoffSettings {
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_level(self.level)?;
        check_setting(
            self.within >= 0.0,
            "within",
            self.within,
            "must be at least 0",
        )?;
        check_setting(
            self.folds >= 2,
            "folds",
            self.folds as f64,
            "must be at least 2",
        )
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::Crowd;

    fn crowd() -> (NumberVotes, Vec<Option<f64>>) {
        let sample = Crowd {
            bots: 0.2,
            items: 300,
            ..Crowd::default()
        }
        .draw(5);
        let truth = sample.truth.iter().map(|&z| Some(z)).collect();
        (sample.votes, truth)
    }

    fn rows(votes: &NumberVotes, truth: &[Option<f64>]) -> Vec<NumberRow> {
        numbers(
            votes,
            truth,
            NumberMethod::ALL,
            &NumberSettings::default(),
            &BakeoffSettings::default(),
        )
        .unwrap()
    }

    #[test]
    fn rows_as_worked_by_hand() {
        // Errors of the mean: item 0 (31, 33) −30: +2; item 1 (40, 54) −50: −3; item 2 has no truth, item 3 no votes.
        let votes = NumberVotes::new(
            4,
            2,
            &[0, 0, 1, 1, 2],
            &[0, 1, 0, 1, 0],
            &[31.0, 33.0, 40.0, 54.0, 9.0],
        )
        .unwrap();
        let settings = BakeoffSettings {
            within: 2.0,
            ..BakeoffSettings::default()
        };
        let truth = [Some(30.0), Some(50.0), None, Some(1.0)];
        let rows = numbers(
            &votes,
            &truth,
            &[NumberMethod::Mean],
            &NumberSettings::default(),
            &settings,
        )
        .unwrap();
        let row = &rows[0];
        assert_eq!(
            (row.mae, row.bias, row.cs, row.n_items),
            (2.5, -0.5, 0.5, 2)
        );
        assert!((row.rmse - 6.5f64.sqrt()).abs() < 1e-12);
        let i = row.mae_interval.unwrap();
        assert_eq!((i.low, i.high), (2.0, 3.0));
    }

    #[test]
    fn rows_are_sorted_share_their_items_and_their_intervals_hold_them() {
        let (votes, truth) = crowd();
        let rows = rows(&votes, &truth);
        assert_eq!(rows.len(), NumberMethod::ALL.len());
        assert!(rows.windows(2).all(|w| w[0].mae <= w[1].mae));
        for row in &rows {
            assert_eq!(row.n_items, 300);
            assert!(row.mae_interval.unwrap().contains(row.mae));
            assert!(row.rmse_interval.unwrap().contains(row.rmse));
            assert!(row.cs_interval.unwrap().contains(row.cs));
            assert!((0.85..0.95).contains(&row.coverage.unwrap()), "{row:?}");
            assert_eq!(row.coverage_table.len(), LEVELS.len());
            let mut width = 0.0;
            for c in &row.coverage_table {
                assert!((c.covered - c.nominal).abs() < 0.06, "{} {c:?}", row.method);
                assert!(c.interval.contains(c.covered) && c.n == 300);
                assert!(c.width > width, "{} {c:?}", row.method);
                width = c.width;
            }
            let own = row.coverage_table[2];
            assert!((own.covered - row.coverage.unwrap()).abs() < 1e-9);
            assert!((own.width - row.interval_width.unwrap()).abs() < 1e-9);
        }
    }

    #[test]
    fn weighing_by_control_error_beats_the_mean_when_a_fifth_are_bots() {
        let (votes, truth) = crowd();
        let rows = rows(&votes, &truth);
        let mae = |m| rows.iter().find(|r| r.method == m).unwrap().mae;
        assert!(mae(NumberMethod::ExpMae) < mae(NumberMethod::Median));
        assert!(mae(NumberMethod::Median) < mae(NumberMethod::Mean));
    }

    #[test]
    fn without_controls_there_is_nothing_to_compare() {
        let (votes, truth) = crowd();
        let (s, b) = (NumberSettings::default(), BakeoffSettings::default());
        let none = vec![None; truth.len()];
        let e = numbers(&votes, &none, NumberMethod::ALL, &s, &b).unwrap_err();
        assert_eq!(e, Error::NothingToCompare);
        let one_fold = BakeoffSettings { folds: 1, ..b };
        assert!(numbers(&votes, &truth, NumberMethod::ALL, &s, &one_fold).is_err());
    }

    #[test]
    fn choices_are_judged_by_the_share_of_right_labels() {
        // Majority: item 0 → 1 (right), item 1 → 0 (wrong), item 2 a tie → 0 (right).
        let votes = ChoiceVotes::new(
            3,
            3,
            &[0, 0, 0, 1, 1, 1, 2, 2],
            &[0, 1, 2, 0, 1, 2, 0, 1],
            &[1, 1, 0, 0, 0, 1, 0, 1],
        )
        .unwrap();
        let rows = choices(
            &votes,
            &[Some(1), Some(1), Some(0)],
            2,
            ChoiceMethod::ALL,
            &ChoiceSettings::default(),
            &BakeoffSettings::default(),
        )
        .unwrap();
        let majority = rows.iter().find(|r| r.method == ChoiceMethod::Majority);
        let majority = majority.unwrap();
        assert_eq!((majority.accuracy, majority.n_items), (2.0 / 3.0, 3));
        assert!((majority.confidence - (2.0 / 3.0 + 2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12);
        assert!(rows[0].accuracy >= rows[1].accuracy);
    }

    #[test]
    fn fits_made_once_for_all_give_the_same_estimates_as_each_method_alone() {
        let (votes, mut truth) = crowd();
        truth.iter_mut().step_by(3).for_each(|z| *z = None);
        let s = NumberSettings::default();
        let fits = Fits::of(&votes, NumberMethod::ALL, &s);
        for &method in NumberMethod::ALL {
            let alone = method.estimate(&votes, &truth, &s).unwrap();
            let fitted = method.estimate_fitted(&votes, &truth, &s, Some(&fits));
            assert_eq!(alone, fitted.unwrap(), "{method}");
        }
    }
}
