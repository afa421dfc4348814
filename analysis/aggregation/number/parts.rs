//! The closed methods on votes that come in parts: each part has all votes of some items, and only one part per thread need
//! be in memory at a time.

use rayon::prelude::*;

use super::calibration::Calibration;
use super::engine::Engine;
use super::estimate::{estimate_of, formula};
use super::fixed::Fixed;
use super::formula::Scratch;
use super::model::Choice;
use super::noise::{Evidence, Scatter};
use super::{NumberEstimate, NumberMethod, NumberSettings};
use crate::aggregation::Convergence;
use crate::error::check_truths;
use crate::interval::normal_quantile;
use crate::scoring::controls::ControlErrors;
use crate::scoring::number::check_finite;
use crate::{Error, NumberVotes};

/// Estimates of a part, and |estimate − truth| / standard error of its controls by row.
type PartResult = (Estimates, Vec<(u32, f64)>);

/// All votes of some items, and what is known of these items.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Part {
    /// The votes; items are numbered within the part, annotators as everywhere.
    pub votes: NumberVotes,
    /// The known answer of each item.
    pub truth: Vec<Option<f64>>,
}

/// Votes in parts. A part may be asked for more than once and must be the same each time.
pub trait Parts: Sync {
    /// Why a part could not be had, or what a method finds wrong with it.
    type Error: From<Error> + Send;

    /// What a thread needs to make a part, kept from one part to the next.
    type Room: Default + Send;

    /// Number of parts.
    fn count(&self) -> usize;

    /// Size of the annotators' index space, the same in all parts.
    fn n_annotators(&self) -> usize;

    /// A part: lent where it lies in memory, else made in `room`.
    fn part<'a>(&'a self, index: usize, room: &'a mut Self::Room) -> Result<&'a Part, Self::Error>;
}

impl Parts for [Part] {
    type Error = Error;
    type Room = ();

    fn count(&self) -> usize {
        self.len()
    }

    fn n_annotators(&self) -> usize {
        self.first().map_or(0, |part| part.votes.n_annotators())
    }

    fn part<'a>(&'a self, index: usize, (): &'a mut ()) -> Result<&'a Part, Error> {
        Ok(&self[index])
    }
}

/// Estimates of a part's items in columns: 36 bytes per item, half of what a list of [`NumberEstimate`] takes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Estimates {
    value: Vec<f64>,
    /// NaN where unknown.
    se: Vec<f64>,
    half: Vec<f64>,
    /// 0 for an item without an estimate.
    votes: Vec<u32>,
    effective_votes: Vec<f64>,
}

impl Estimates {
    /// Number of items, with or without votes.
    pub fn len(&self) -> usize {
        self.votes.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.votes.is_empty()
    }

    /// The estimate of an item; `None` without votes. Panics if there is no such item.
    pub fn get(&self, item: usize) -> Option<NumberEstimate> {
        if self.votes[item] == 0 {
            return None;
        }
        let value = self.value[item];
        let se = Some(self.se[item]).filter(|se| !se.is_nan());
        Some(NumberEstimate {
            value,
            se,
            low: se.map(|_| value - self.half[item]),
            high: se.map(|_| value + self.half[item]),
            votes: self.votes[item],
            effective_votes: self.effective_votes[item],
        })
    }

    fn with_capacity(items: usize) -> Self {
        Self {
            value: Vec::with_capacity(items),
            se: Vec::with_capacity(items),
            half: Vec::with_capacity(items),
            votes: Vec::with_capacity(items),
            effective_votes: Vec::with_capacity(items),
        }
    }

    fn push(&mut self, estimate: Option<&NumberEstimate>, quantile: f64) {
        let se = estimate.and_then(|e| e.se).unwrap_or(f64::NAN);
        self.value.push(estimate.map_or(0.0, |e| e.value));
        self.se.push(se);
        self.half.push(quantile * se);
        self.votes.push(estimate.map_or(0, |e| e.votes));
        self.effective_votes
            .push(estimate.map_or(0.0, |e| e.effective_votes));
    }
}

/// Estimates of all items, part by part, and what their standard errors rest on: see [`super::NumberResult`].
#[derive(Debug, Clone, PartialEq)]
pub struct PartsResult {
    /// By part.
    pub parts: Vec<Estimates>,
    /// How the method came to its end.
    pub convergence: Convergence,
    /// Whether standard errors include the error that all annotators share.
    pub includes_shared: bool,
    /// τ; `None` without controls.
    pub shared_sd: Option<f64>,
    /// Items with votes and a known truth.
    pub controls: usize,
    /// What standard errors were multiplied by; `None` with too few controls.
    pub calibration: Option<f64>,
}

/// Sums for the evidence are kept for this many stretches of parts, whatever the number of threads, and added up in order.
const STRETCHES: usize = 8;

impl NumberMethod {
    /// Whether the method works on parts: it needs nothing but sums over the controls and the variance within items, and then one
    /// item at a time.
    pub fn works_on_parts(self) -> bool {
        matches!(
            self,
            Self::Mean
                | Self::Median
                | Self::Mode
                | Self::Trimmed
                | Self::Winsorized
                | Self::Iqm
                | Self::ExpMae
                | Self::InverseMae
                | Self::InverseMae2
                | Self::InverseMse
                | Self::InverseMseUnbiased
                | Self::InverseMseUnbiasedShared
        )
    }

    /// Estimates every item of every part, as [`NumberMethod::estimate`] does of a whole table (to rounding: sums are added up
    /// in another order). Two passes over the parts; memory for the estimates, a dozen numbers per annotator, and one part
    /// per thread. `None` for a method that does not [work on parts](NumberMethod::works_on_parts).
    ///
    /// Does not depend on the number of threads. Errors: as [`NumberMethod::estimate`], and those of the parts.
    pub fn estimate_parts<P: Parts + ?Sized>(
        self,
        parts: &P,
        settings: &NumberSettings,
    ) -> Result<Option<PartsResult>, P::Error> {
        if !self.works_on_parts() {
            return Ok(None);
        }
        settings.check()?;
        let evidence = evidence(parts, settings)?;
        if self.needs_controls() && evidence.controls.items == 0 {
            return Err(Error::NoControls {
                method: self.name(),
            }
            .into());
        }
        let Some(formula) = formula(self, settings, &evidence.noise) else {
            return Ok(None);
        };
        let model = Choice::one(formula);
        let nothing = NumberVotes::new(0, parts.n_annotators(), &[], &[], &[])?;
        let engine = Engine::new(&nothing, &[], evidence, &[formula]);
        let quantile = normal_quantile(settings.level);
        let fixed = Fixed::of(&formula, &engine, quantile);

        let results: Result<Vec<PartResult>, P::Error> = (0..parts.count())
            .into_par_iter()
            .map_init(
                Default::default,
                |(room, scratch): &mut (P::Room, Scratch), index| {
                    let part = parts.part(index, room)?;
                    let engine = engine.on(&part.votes, &part.truth);
                    let mut estimates = Estimates::with_capacity(part.truth.len());
                    // Ratios |estimate − truth| / se of controls, for the calibration.
                    let mut ratios = Vec::new();
                    for (item, truth) in part.truth.iter().enumerate() {
                        let (annotators, values) = part.votes.item(item);
                        let quick = fixed.as_ref().and_then(|fixed| match *truth {
                            None => fixed.estimate(annotators, values),
                            Some(truth) => fixed.estimate_control(
                                &engine.evidence,
                                annotators,
                                values,
                                truth,
                                &mut scratch.skills,
                            ),
                        });
                        let estimate = quick.or_else(|| {
                            engine.view(item, scratch, |view, buffers| {
                                estimate_of(view, &model.point(view, buffers), quantile)
                            })
                        });
                        estimates.push(estimate.as_ref(), quantile);
                        if let (Some(e), Some(truth)) = (estimate, truth)
                            && let Some(se) = e.se
                        {
                            ratios.push((item as u32, (e.value - truth).abs() / se));
                        }
                    }
                    Ok((estimates, ratios))
                },
            )
            .collect();
        let (mut estimates, ratios): (Vec<_>, Vec<_>) = results?.into_iter().unzip();
        let all = ratios.iter().flatten().map(|r| r.1).collect();
        let calibration = Calibration::new(all, settings.level);
        if calibration.factor().is_some() {
            let fresh = calibration.stretch(None);
            estimates
                .par_iter_mut()
                .zip(&ratios)
                .for_each(|(part, ratios)| {
                    let mut controls = ratios.iter().peekable();
                    for item in 0..part.votes.len() {
                        let own = controls.next_if(|c| c.0 as usize == item).map(|c| c.1);
                        let of = own.map_or(fresh, |own| calibration.stretch(Some(own)));
                        let se = part.se[item];
                        let calibrated = se * of.factor;
                        part.se[item] = if calibrated > 0.0 {
                            calibrated
                        } else {
                            f64::NAN
                        };
                        part.half[item] = se * of.half;
                    }
                });
        }
        let evidence = &engine.evidence;
        Ok(Some(PartsResult {
            parts: estimates,
            convergence: Convergence::Closed,
            includes_shared: evidence.noise.shared.is_some(),
            shared_sd: evidence.noise.shared.map(f64::sqrt),
            controls: evidence.controls.items,
            calibration: calibration.factor(),
        }))
    }
}

/// The first pass: what controls say about annotators, and how far votes on one item lie apart.
fn evidence<P: Parts + ?Sized>(parts: &P, settings: &NumberSettings) -> Result<Evidence, P::Error> {
    let (count, n_annotators) = (parts.count(), parts.n_annotators());
    let stretch = count.div_ceil(STRETCHES).max(1);
    let sums: Result<Vec<(ControlErrors, Vec<Scatter>)>, P::Error> = (0..count.div_ceil(stretch))
        .into_par_iter()
        .map(|at| {
            let mut room = P::Room::default();
            let mut controls = ControlErrors::none(n_annotators);
            let mut scatter = Vec::with_capacity(stretch);
            for index in at * stretch..((at + 1) * stretch).min(count) {
                let part = parts.part(index, &mut room)?;
                check_truths(part.truth.len(), part.votes.n_items())?;
                check_finite(&part.votes, &part.truth)?;
                controls.add_items(&part.votes, &part.truth, 0);
                scatter.push(Scatter::of(&part.votes, 0..part.votes.n_items()));
            }
            Ok((controls, scatter))
        })
        .collect();
    let (controls, scatter): (Vec<_>, Vec<_>) = sums?.into_iter().unzip();
    let scatter: Vec<Scatter> = scatter.into_iter().flatten().collect();
    Ok(Evidence::new(
        ControlErrors::sum(n_annotators, &controls),
        Scatter::variance(&scatter),
        settings.shrinkage,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Item i goes to part i mod n under the number i div n.
    fn cut(votes: &[(u32, u32, f64)], truth: &[Option<f64>], people: usize, n: usize) -> Vec<Part> {
        (0..n)
            .map(|part| {
                let mine: Vec<_> = votes.iter().filter(|v| v.0 as usize % n == part).collect();
                let items: Vec<u32> = mine.iter().map(|v| v.0 / n as u32).collect();
                let annotators: Vec<u32> = mine.iter().map(|v| v.1).collect();
                let values: Vec<f64> = mine.iter().map(|v| v.2).collect();
                let truth: Vec<_> = truth.iter().skip(part).step_by(n).copied().collect();
                let votes = NumberVotes::new(truth.len(), people, &items, &annotators, &values);
                Part {
                    votes: votes.unwrap(),
                    truth,
                }
            })
            .collect()
    }

    fn close(a: Option<f64>, b: Option<f64>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * (1.0 + a.abs()),
            (a, b) => a == b,
        }
    }

    fn same_as_whole(votes: &[(u32, u32, f64)], truth: &[Option<f64>], people: usize, n: usize) {
        let column = |f: fn(&(u32, u32, f64)) -> u32| votes.iter().map(f).collect::<Vec<_>>();
        let values: Vec<f64> = votes.iter().map(|v| v.2).collect();
        let whole = NumberVotes::new(
            truth.len(),
            people,
            &column(|v| v.0),
            &column(|v| v.1),
            &values,
        );
        let whole = whole.unwrap();
        let parts = cut(votes, truth, people, n);
        for &method in NumberMethod::ALL.iter().filter(|m| m.works_on_parts()) {
            let settings = NumberSettings::default();
            let expected = method.estimate(&whole, truth, &settings);
            let found = method.estimate_parts(&parts[..], &settings);
            let (Ok(expected), Ok(found)) = (&expected, &found) else {
                assert_eq!(expected.as_ref().err(), found.as_ref().err(), "{method}");
                continue;
            };
            let found = found.as_ref().unwrap();
            assert_eq!(found.controls, expected.controls);
            assert_eq!(found.includes_shared, expected.includes_shared);
            assert!(close(found.shared_sd, expected.shared_sd), "{method}");
            assert!(close(found.calibration, expected.calibration), "{method}");
            for (item, expected) in expected.estimates.iter().enumerate() {
                let found = found.parts[item % n].get(item / n);
                let (Some(found), Some(expected)) = (found, expected) else {
                    assert_eq!(found, *expected);
                    continue;
                };
                assert_eq!(found.votes, expected.votes);
                let pairs = [
                    (Some(found.value), Some(expected.value)),
                    (found.se, expected.se),
                    (found.low, expected.low),
                    (found.high, expected.high),
                    (Some(found.effective_votes), Some(expected.effective_votes)),
                ];
                for (f, e) in pairs {
                    assert!(close(f, e), "{method}, item {item}: {found:?} {expected:?}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn parts_say_what_the_whole_table_says(
            votes in proptest::collection::btree_map((0u32..60, 0u32..9), 0i32..400, 1..300),
            known in proptest::collection::vec(proptest::option::weighted(0.6, 0i32..90), 60),
            n in 1usize..12,
        ) {
            let votes: Vec<_> = votes.into_iter().map(|((i, u), v)| (i, u, f64::from(v) / 4.0)).collect();
            let truth: Vec<_> = known.into_iter().map(|t| t.map(f64::from)).collect();
            same_as_whole(&votes, &truth, 9, n);
        }
    }

    #[test]
    fn awkward_tables_are_the_same_in_parts() {
        let truth: Vec<Option<f64>> = (0..40).map(|i| (i % 3 == 0).then_some(30.0)).collect();
        let one_annotator: Vec<_> = (0..40).map(|i| (i, 0, f64::from(20 + i % 7))).collect();
        let one_vote_each: Vec<_> = (0..40).map(|i| (i, i, f64::from(20 + i % 7))).collect();
        let all_equal: Vec<_> = (0..120).map(|i| (i % 40, i / 40, 30.0)).collect();
        let one_item: Vec<_> = (0..40).map(|i| (0, i, f64::from(i))).collect();
        for votes in [
            one_annotator,
            one_vote_each,
            all_equal,
            one_item,
            Vec::new(),
        ] {
            for known in [truth.clone(), vec![None; 40]] {
                same_as_whole(&votes, &known, 40, 3);
            }
        }
    }
}
