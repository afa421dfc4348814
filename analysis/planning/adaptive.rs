//! Adaptive overlap: an item gets votes until its standard error is small enough.

use rayon::prelude::*;
use serde::Serialize;

use super::predict::{Outcome, Plan, Prediction, summary};
use crate::Error;
use crate::error::check_setting;

/// Votes an item has before its standard error is looked at.
const LEAST_VOTES: u32 = 3;

/// What stopping early gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Adaptive {
    /// The standard error at which an item stops.
    pub target_se: f64,
    /// The most votes an item gets.
    pub most_votes: u32,
    /// Its error and votes per item.
    pub prediction: Prediction,
    /// Share of items that ended at `most_votes` without having reached the target.
    pub not_reached: f64,
}

/// Simulates a campaign in which an item gets votes one by one, from the third on only as long as its standard error (the
/// method's own, fitted to the controls) is above `target_se`, at most `most_votes`. Scores of annotators are those of the end
/// of the campaign. Controls per annotator are as in the plan's fixed overlap.
///
/// # Errors
/// As [`super::predict`]; a target that is not above 0; fewer than three votes at most, or more than there are annotators.
pub fn adaptive(plan: &Plan, target_se: f64, most_votes: u32) -> Result<Adaptive, Error> {
    plan.check()?;
    let ok = target_se.is_finite() && target_se > 0.0;
    check_setting(ok, "target", target_se, "must be above 0")?;
    let ok = (LEAST_VOTES..=plan.setup.annotators).contains(&most_votes);
    let reason = "must be at least 3 and at most the number of annotators";
    check_setting(ok, "votes at most", f64::from(most_votes), reason)?;
    let replicates = plan.effort.replicates.div_ceil(2).max(2);
    let runs = (0..replicates)
        .into_par_iter()
        .map(|replicate| run(plan, target_se, most_votes as usize, replicate))
        .collect::<Result<Vec<(Outcome, f64)>, Error>>()?;
    let outcomes: Vec<Outcome> = runs.iter().map(|r| r.0).collect();
    Ok(Adaptive {
        target_se,
        most_votes,
        prediction: summary(plan, &outcomes),
        not_reached: runs.iter().map(|r| r.1).sum::<f64>() / runs.len() as f64,
    })
}

fn run(plan: &Plan, target: f64, most: usize, replicate: u32) -> Result<(Outcome, f64), Error> {
    let world = plan.world(most, u64::from(replicate));
    let mut votes = vec![(LEAST_VOTES as usize).min(most); plan.items()];
    loop {
        let mut open = vec![false; votes.len()];
        // Votes that all agree have no standard error; they do not prove that they are right.
        let outcome = plan.judge(&world, &votes, |item, se| {
            open[item] = se.is_none_or(|se| se > target);
        })?;
        let mut grown = false;
        for (votes, open) in votes.iter_mut().zip(&open) {
            if *open && *votes < most {
                // Steps grow with the votes, as a single one changes ever less: 3, 4, 5, … 10, 11, 12, 14, …
                *votes = (*votes + (*votes / 6).max(1)).min(most);
                grown = true;
            }
        }
        if !grown {
            let not_reached = open.iter().filter(|o| **o).count() as f64 / votes.len() as f64;
            return Ok((outcome, not_reached));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bans, Effort, Population, Setup, predict};
    use super::*;
    use crate::aggregation::{NumberMethod, NumberSettings};

    fn plan() -> Plan {
        Plan {
            population: Population {
                bots: 0.0,
                spread: 2.5,
                shared_sd: 1.0,
                ..Population::default()
            },
            setup: Setup {
                items: 3000,
                annotators: 100,
                real: 6,
                control: 1,
                overlap: 8,
                controls: 300,
            },
            bans: Bans::default(),
            method: NumberMethod::InverseMse,
            settings: NumberSettings::default(),
            effort: Effort {
                replicates: 8,
                items: 300,
                annotators: 100,
            },
            seed: 1,
        }
    }

    #[test]
    fn stopping_early_is_no_worse_than_as_many_votes_for_everybody() {
        let fixed = predict(&plan()).unwrap();
        let target = fixed.label_se.unwrap();
        let stopped = adaptive(&plan(), target, 24).unwrap();
        let votes = stopped.prediction.votes_per_item;
        assert!((5.0..12.0).contains(&votes), "{votes}");
        assert!(stopped.not_reached < 0.2);
        let same = predict(&plan().with_overlap(votes.round() as u32)).unwrap();
        assert!(
            stopped.prediction.error < 1.05 * same.error,
            "{stopped:?} {same:?}"
        );
    }

    #[test]
    fn a_target_that_cannot_be_reached_takes_all_votes_and_says_so() {
        let mut shared = plan();
        shared.population.shared_sd = 4.0;
        let stopped = adaptive(&shared, 1.0, 6).unwrap();
        assert_eq!(stopped.prediction.votes_per_item, 6.0);
        assert_eq!(stopped.not_reached, 1.0);
        assert!(adaptive(&plan(), f64::NAN, 6).is_err());
        assert!(adaptive(&plan(), 1.0, 2).is_err());
        assert!(adaptive(&plan(), 1.0, 101).is_err());
    }
}
