//! The expected error of the labels of a planned campaign, by simulating it a few times.

use rayon::prelude::*;
use serde::Serialize;

use super::bans::Bans;
use super::cost::Setup;
use super::formula;
use super::population::Population;
use super::world::{Size, World};
use crate::aggregation::{NumberMethod, NumberSettings};
use crate::error::check_setting;
use crate::interval::t_quantile;
use crate::{Error, Interval};

/// A campaign that has not been run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Who votes.
    pub population: Population,
    /// What is asked.
    pub setup: Setup,
    /// Who is found out when.
    pub bans: Bans,
    /// How votes will become labels.
    pub method: NumberMethod,
    /// Its settings; `level` is that of the plan's interval too.
    pub settings: NumberSettings,
    /// How much is simulated.
    pub effort: Effort,
    /// Seed of all chance: plans with the same seed meet the same annotators and items.
    pub seed: u64,
}

/// How much is simulated. More is more exact and slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// Simulated campaigns, at least 2.
    pub replicates: u32,
    /// Items in each (at most; no more than there are), at least 10.
    pub items: u32,
    /// Annotators in each (at most), at least 10.
    pub annotators: u32,
}

impl Effort {
    /// Enough for a Monte-Carlo error of about 1 %: many small campaigns for a formula, few larger ones for a method that
    /// learns from all votes of an annotator.
    pub fn of(method: NumberMethod) -> Self {
        use NumberMethod::{Auto, Catd, Crh, Gtm, Hybrid, Learned, LfcN, StudentT};
        let (replicates, items, annotators) = match method {
            Auto | Learned | Hybrid => (6, 800, 120),
            Catd | Crh | Gtm | LfcN | StudentT => (10, 800, 150),
            _ => (60, 400, 240),
        };
        Self {
            replicates,
            items,
            annotators,
        }
    }
}

/// The expected error of the labels, and what becomes of the votes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prediction {
    /// Votes bought per item, on average.
    pub votes_per_item: f64,
    /// Expected mean absolute error of the labels, in the unit of the question.
    pub error: f64,
    /// Where the error of the one campaign that will be run is expected to lie, at the level of the plan's settings: chance in
    /// who comes, doubt about the population, and Monte-Carlo error.
    pub interval: Interval,
    /// Monte-Carlo standard error of `error`.
    pub simulation_se: f64,
    /// Median over items of the standard error that their labels will carry; `None` where the method gives none.
    pub label_se: Option<f64>,
    /// Share of votes bought from annotators who do not look.
    pub bot_votes: f64,
    /// Share of votes bought that do not count because their annotator was banned.
    pub lost_votes: f64,
    /// Share of items left without any vote that counts.
    pub without_label: f64,
    /// What equal annotators of the mean MAE would reach without bots, by [`formula::label_mae`].
    pub formula: f64,
}

/// What one simulated campaign gave.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    pub(super) labels: f64,
    pub(super) absolute: f64,
    squares: f64,
    pub(super) label_se: Option<f64>,
    pub(super) bought: f64,
    pub(super) items: f64,
    from_bots: f64,
    lost: f64,
}

impl Plan {
    /// Checked: population, setup, bans and settings.
    pub fn check(&self) -> Result<(), Error> {
        self.population.check()?;
        self.setup.check()?;
        self.bans.check()?;
        self.settings.check()?;
        let n = f64::from(self.effort.replicates);
        check_setting(n >= 2.0, "replicates", n, "must be at least 2")?;
        let n = f64::from(self.effort.items.min(self.effort.annotators));
        check_setting(
            n >= 10.0,
            "simulated items and annotators",
            n,
            "must be at least 10",
        )?;
        let controls = self.setup.control > 0;
        if self.method.needs_controls() && !controls {
            return Err(Error::NoControls {
                method: self.method.name(),
            });
        }
        Ok(())
    }

    /// The same plan with another overlap.
    #[must_use]
    pub fn with_overlap(&self, overlap: u32) -> Self {
        let mut other = self.clone();
        other.setup.overlap = overlap;
        other
    }

    pub(super) fn world(&self, depth: usize, replicate: u64) -> World {
        let least = self.effort.annotators.max(self.setup.overlap);
        let size = Size {
            items: u64::from(self.effort.items).min(self.setup.items) as usize,
            annotators: self.setup.annotators.min(least.max(2 * depth as u32)) as usize,
        };
        let (population, setup) = (&self.population, &self.setup);
        World::draw(
            population, setup, &self.bans, size, depth, self.seed, replicate,
        )
    }

    /// Labels the items of a world from the first votes of each.
    pub(super) fn judge(
        &self,
        world: &World,
        votes: &[usize],
        mut each: impl FnMut(usize, Option<f64>),
    ) -> Result<Outcome, Error> {
        let taken = world.take(|item| votes[item])?;
        let result = self
            .method
            .estimate(&taken.votes, &taken.known, &self.settings)?;
        let mut outcome = Outcome {
            bought: taken.bought as f64,
            items: votes.len() as f64,
            from_bots: taken.from_bots as f64,
            lost: taken.lost as f64,
            ..Outcome::default()
        };
        let mut errors = Vec::new();
        for (item, estimate) in result.estimates[..votes.len()].iter().enumerate() {
            each(item, estimate.and_then(|e| e.se));
            let Some(estimate) = estimate else { continue };
            let error = (estimate.value - world.truth(item)).abs();
            outcome.labels += 1.0;
            outcome.absolute += error;
            outcome.squares += error * error;
            errors.extend(estimate.se);
        }
        errors.sort_unstable_by(f64::total_cmp);
        outcome.label_se = errors.get(errors.len() / 2).copied();
        Ok(outcome)
    }

    pub(super) fn items(&self) -> usize {
        u64::from(self.effort.items).min(self.setup.items) as usize
    }
}

/// The expected error of the plan's labels.
///
/// # Errors
/// A figure out of range, or a method that needs controls where there are none.
pub fn predict(plan: &Plan) -> Result<Prediction, Error> {
    plan.check()?;
    let depth = plan.setup.overlap as usize;
    let outcomes = (0..plan.effort.replicates)
        .into_par_iter()
        .map(|replicate| {
            let world = plan.world(depth, u64::from(replicate));
            plan.judge(&world, &vec![depth; plan.items()], |_, _| ())
        })
        .collect::<Result<Vec<Outcome>, Error>>()?;
    Ok(summary(plan, &outcomes))
}

/// The predictions of several overlaps, in their order.
///
/// # Errors
/// As [`predict`].
pub fn curve(plan: &Plan, overlaps: &[u32]) -> Result<Vec<Prediction>, Error> {
    let each = overlaps.iter().map(|&k| predict(&plan.with_overlap(k)));
    each.collect()
}

/// What several simulated campaigns say together.
pub(super) fn summary(plan: &Plan, outcomes: &[Outcome]) -> Prediction {
    let n = outcomes.len() as f64;
    let sum = |f: fn(&Outcome) -> f64| outcomes.iter().map(f).sum::<f64>();
    let means: Vec<f64> = outcomes
        .iter()
        .map(|o| o.absolute / o.labels.max(1.0))
        .collect();
    let error = means.iter().sum::<f64>() / n;
    let variance = means.iter().map(|m| (m - error).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    // Within a campaign: the variance of the mean over as many items as were simulated.
    let within = outcomes.iter().zip(&means).map(|(o, mean)| {
        let labels = o.labels.max(1.0);
        (o.squares / labels - mean * mean).max(0.0) / labels
    });
    let within = within.sum::<f64>() / n;
    let between = (variance - within).max(0.0);
    let simulated = sum(|o| o.labels) / n;
    let one_campaign = between + within * (simulated / plan.setup.items as f64).min(1.0);
    let half = t_quantile(plan.settings.level, n - 1.0) * (one_campaign + variance / n).sqrt();
    let mut ses: Vec<f64> = outcomes.iter().filter_map(|o| o.label_se).collect();
    ses.sort_unstable_by(f64::total_cmp);
    let bought = sum(|o| o.bought).max(1.0);
    let votes_per_item = bought / sum(|o| o.items);
    let population = &plan.population;
    Prediction {
        votes_per_item,
        error,
        interval: Interval {
            low: (error - half).max(0.0),
            high: error + half,
        },
        simulation_se: (variance / n).sqrt(),
        label_se: ses.get(ses.len() / 2).copied(),
        bot_votes: sum(|o| o.from_bots) / bought,
        lost_votes: sum(|o| o.lost) / bought,
        without_label: 1.0 - sum(|o| o.labels) / sum(|o| o.items),
        formula: formula::label_mae(population.mae, population.shared_sd, votes_per_item),
    }
}
