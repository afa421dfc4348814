//! The least expensive way to a wanted error, and where more votes stop helping.

use serde::Serialize;

use super::cost::{Bill, Prices, Setup, bill};
use super::predict::{Plan, Prediction, predict};
use crate::Error;
use crate::error::check_setting;

/// Real tasks per control that are tried, beside the plan's own.
const REAL_PER_CONTROL: [u32; 6] = [3, 4, 6, 9, 13, 19];

/// The most votes per item that are tried.
const MOST_VOTES: u32 = 60;

/// The least expensive of the plans tried that reach an error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cheapest {
    /// What is asked.
    pub setup: Setup,
    /// What it gives.
    pub prediction: Prediction,
    /// What it takes.
    pub bill: Bill,
}

/// The overlap and the share of controls that reach the error `target` for the least money (least tasks, where nothing is
/// paid): for several shares of controls the smallest overlap up to 60 whose expected error is at most `target`. `mixes` false
/// keeps the plan's share. `None` where none does, as below the floor 0.798·τ. Suites of another size are paid in proportion.
///
/// # Errors
/// As [`predict`]; a target that is not above 0.
pub fn cheapest(
    plan: &Plan,
    prices: &Prices,
    target: f64,
    mixes: bool,
) -> Result<Option<Cheapest>, Error> {
    plan.check()?;
    prices.check()?;
    let ok = target.is_finite() && target > 0.0;
    check_setting(ok, "target", target, "must be above 0")?;
    let own = (plan.setup.real, plan.setup.control);
    let mut tried = vec![own];
    if mixes && plan.setup.control > 0 {
        tried.extend(REAL_PER_CONTROL.map(|real| (real, 1)));
    }
    let mut best: Option<(f64, Cheapest)> = None;
    for (at, &(real, control)) in tried.iter().enumerate() {
        if tried[..at].contains(&(real, control)) {
            continue;
        }
        let mut other = plan.clone();
        other.setup.real = real;
        other.setup.control = control;
        // No more votes than would still be cheaper than the best so far.
        let tasks = |overlap: u32| f64::from(overlap) * f64::from(real + control) / f64::from(real);
        let most = (1..=MOST_VOTES.min(plan.setup.annotators))
            .filter(|&k| best.as_ref().is_none_or(|(least, _)| tasks(k) < *least))
            .max();
        let Some(most) = most else { continue };
        let Some(prediction) = fewest_votes(&other, most, target)? else {
            continue;
        };
        let setup = Setup {
            overlap: prediction.votes_per_item.round() as u32,
            ..other.setup
        };
        let found = Cheapest {
            setup,
            bill: bill(&setup, prices, f64::from(setup.overlap)),
            prediction,
        };
        best = Some((tasks(setup.overlap), found));
    }
    Ok(best.map(|b| b.1))
}

/// The smallest overlap up to `most` that reaches the target. The error falls with every vote but for chance.
fn fewest_votes(plan: &Plan, most: u32, target: f64) -> Result<Option<Prediction>, Error> {
    let at = |overlap: u32| predict(&plan.with_overlap(overlap));
    let reaches = |p: &Prediction| p.error <= target;
    // Doubling first: large overlaps take long to simulate.
    let (mut low, mut high) = (0, 1);
    let mut found = at(high)?;
    while !reaches(&found) {
        if high == most {
            return Ok(None);
        }
        low = high;
        high = (2 * high).min(most);
        found = at(high)?;
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        let here = at(middle)?;
        if reaches(&here) {
            (high, found) = (middle, here);
        } else {
            low = middle;
        }
    }
    Ok(Some(found))
}

/// The first overlap of a curve (by ascending votes per item) from which on one per cent more money lowers the error by less
/// than `worth` per cent: 0.1 means that a tenth more money buys a hundredth less error. Averaging independent errors gives
/// 0.5, the floor 0. The slope is measured over the next point of the curve that has at least half as many votes more.
/// `None` if it helps up to the end.
pub fn stops_helping(curve: &[Prediction], worth: f64) -> Option<f64> {
    curve.iter().enumerate().find_map(|(at, here)| {
        let enough = |p: &&Prediction| p.votes_per_item >= 1.5 * here.votes_per_item;
        let next = curve[at + 1..].iter().find(enough)?;
        let gain = (here.error / next.error).ln();
        let cost = (next.votes_per_item / here.votes_per_item).ln();
        (gain / cost < worth).then_some(here.votes_per_item)
    })
}

#[cfg(test)]
mod tests {
    use super::super::formula::label_mae;
    use super::super::{Bans, Effort, Population};
    use super::*;
    use crate::Interval;
    use crate::aggregation::{NumberMethod, NumberSettings};

    fn plan() -> Plan {
        Plan {
            population: Population {
                bots: 0.0,
                shared_sd: 2.0,
                ..Population::default()
            },
            setup: Setup {
                items: 3000,
                annotators: 100,
                real: 6,
                control: 1,
                overlap: 10,
                controls: 300,
            },
            bans: Bans::default(),
            method: NumberMethod::Mean,
            settings: NumberSettings::default(),
            effort: Effort {
                replicates: 6,
                items: 300,
                annotators: 100,
            },
            seed: 1,
        }
    }

    #[test]
    fn the_cheapest_plan_reaches_the_target_and_one_vote_less_does_not() {
        let prices = Prices {
            suite_pay: 1.0,
            suite_tasks: 7,
            fee: 0.0,
            suite_seconds: 60.0,
        };
        let found = cheapest(&plan(), &prices, 3.6, true).unwrap().unwrap();
        // The plain mean does not look at controls: the fewer the better.
        assert_eq!((found.setup.real, found.setup.control), (19, 1));
        assert!(found.prediction.error <= 3.6);
        let mut less = plan();
        less.setup = found.setup;
        let less = predict(&less.with_overlap(found.setup.overlap - 1)).unwrap();
        assert!(less.error > 3.6);
        let kept = cheapest(&plan(), &prices, 3.6, false).unwrap().unwrap();
        assert_eq!((kept.setup.real, kept.setup.control), (6, 1));
        assert!(kept.bill.money > found.bill.money);
        // 0.798·2 = 1.6 is the floor.
        assert_eq!(cheapest(&plan(), &prices, 1.5, true).unwrap(), None);
        assert!(cheapest(&plan(), &prices, 0.0, true).is_err());
    }

    #[test]
    fn more_votes_stop_helping_where_the_curve_is_flat() {
        let curve = |shared_sd: f64| -> Vec<Prediction> {
            (1..=40u32)
                .map(|k| {
                    let votes_per_item = f64::from(k);
                    let error = label_mae(7.22, shared_sd, votes_per_item);
                    Prediction {
                        votes_per_item,
                        error,
                        interval: Interval {
                            low: error,
                            high: error,
                        },
                        simulation_se: 0.0,
                        label_se: None,
                        bot_votes: 0.0,
                        lost_votes: 0.0,
                        without_label: 0.0,
                        formula: error,
                    }
                })
                .collect()
        };
        // Independent errors: half a per cent per per cent, for ever.
        assert_eq!(stops_helping(&curve(0.0), 0.4), None);
        // τ = 4: 16 + 65.9/K. From 15 to 23 votes (20.4 to 18.9) the error falls by 3.9 %, ln(23/15) = 0.43: 0.09; at 14 votes
        // (to 21): 20.7 to 19.1, 4.0 %, 0.405: 0.098; at 13 (to 20): 21.07 to 19.30, 4.4 %, 0.43: 0.102.
        assert_eq!(stops_helping(&curve(4.0), 0.1), Some(14.0));
        assert_eq!(stops_helping(&[], 0.1), None);
    }
}
