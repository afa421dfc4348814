//! Estimating the tables of the sequential test from a campaign's own controls.

use super::tables::{Bot, Tables, log_sum_exp, normalised, number_bin, number_bots};
use super::{Context, History};
use crate::{Error, Scale};

/// Annotators need this many judged controls to take part.
const LEAST_CONTROLS: f64 = 5.0;
/// There must be this many such annotators.
const LEAST_ANNOTATORS: u32 = 30;
/// Somebody with more controls counts as if with this many: beyond it the pooled tables, which no annotator follows
/// exactly, would pass for certainty, and the busiest would be the whole estimate.
const MOST_CONTROLS: f64 = 30.0;
/// Tilts that are tried. Never 0: a campaign whose annotators are all alike has not been seen.
const TILTS: [f64; 7] = [0.5, 0.8, 1.2, 1.8, 2.4, 3.0, 4.0];
const MOST_PASSES: u32 = 200;

/// Tables from a campaign's own controls, or why there are none.
#[derive(Debug, Clone, PartialEq)]
pub enum Estimation {
    /// Too few annotators with at least five judged controls: stay with the tables there are.
    TooFew {
        /// Annotators with enough controls.
        have: u32,
        /// How many it takes.
        need: u32,
    },
    /// Estimated.
    Estimated {
        /// The tables.
        tables: Tables,
        /// Share of annotators that look like bots, 0..1, half-random ones included.
        bot_share: f64,
        /// Passes taken.
        passes: u32,
        /// Whether the last pass changed no share by more than 1e-6; if not, the tables are those of the last pass.
        converged: bool,
    },
}

/// Estimates the tables of one question from everybody's controls. `truths` are the controls' true answers to a number
/// question, from which follows what a bot's errors look like; empty: as shipped. For choices they are not used.
///
/// Every annotator is one of: honest, with unknown distribution over the bins; or one of the kinds of bots, with
/// distributions known from `truths`. The mixture is fitted by EM (Dempster, Laird and Rubin 1977) from the pooled bins of
/// the better six tenths of annotators, so that up to 25 % bots (tested) do not blur the honest side; how much honest
/// annotators differ is the tilt under which their answers are most probable. Annotators banned already should be among `histories`: without them the honest side would look better than it is.
///
/// # Errors
/// No question with this index.
pub fn estimate_tables(
    histories: &[History],
    question: u32,
    truths: &[f64],
    context: &Context,
) -> Result<Estimation, Error> {
    let asked = context.questions().get(question as usize);
    let (Some(asked), Some(shipped)) = (asked, context.tables(question)) else {
        return Err(Error::Unusable(format!(
            "tables of question {question} asked for, there are {}",
            context.questions().len()
        )));
    };
    let mut people: Vec<Vec<f64>> = histories
        .iter()
        .map(|h| counts(h, question, &asked.scale, shipped.honest.len()))
        .filter(|c| c.iter().sum::<f64>() >= LEAST_CONTROLS)
        .collect();
    let have = people.len() as u32;
    if have < LEAST_ANNOTATORS {
        return Ok(Estimation::TooFew {
            have,
            need: LEAST_ANNOTATORS,
        });
    }
    for person in &mut people {
        let total: f64 = person.iter().sum();
        if total > MOST_CONTROLS {
            person.iter_mut().for_each(|c| *c *= MOST_CONTROLS / total);
        }
    }
    let bots_for = |honest: &[f64]| -> Vec<Bot> {
        match &asked.scale {
            Scale::Number(scale) if !truths.is_empty() => number_bots(scale, truths, honest),
            Scale::Number(_) | Scale::Choice(_) => shipped.bots.clone(),
        }
    };
    let honest = better_six_tenths(&people);
    // Half-random bots follow the honest table, which moves little: their kind is set once from the start.
    let bots = bots_for(&honest);
    let mut tables = Tables {
        honest,
        tilt: shipped.tilt,
        bots,
        estimated: true,
    };
    let mut bot_share = 0.1_f64;
    let mut passes = 0;
    let mut converged = false;
    while passes < MOST_PASSES && !converged {
        passes += 1;
        let mut honest_counts = vec![0.0; tables.honest.len()];
        // Half an annotator of each side, so that no kind dies out for good.
        let mut honest_people = 0.5;
        let mut bot_people: Vec<f64> = tables.bots.iter().map(|b| 0.5 * b.weight).collect();
        let bot_kinds: Vec<Vec<f64>> = tables.bots.iter().map(|b| logs(&b.shares)).collect();
        let pooled = logs(&tables.honest);
        let honest_kinds = tables.honest_kinds(tables.tilt);
        let tilted = TILTS.map(|tilt| tables.honest_kinds(tilt));
        let mut by_tilt = [0.0; TILTS.len()];
        for person in &people {
            let log = |table: &[f64]| -> f64 { person.iter().zip(table).map(|(n, l)| n * l).sum() };
            let as_honest = (1.0 - bot_share).ln() + log(&pooled) + honest_kinds.log(person);
            let as_bots: Vec<f64> = tables
                .bots
                .iter()
                .zip(&bot_kinds)
                .map(|(bot, table)| (bot_share * bot.weight).ln() + log(table))
                .collect();
            let total = log_sum_exp(as_bots.iter().copied().chain([as_honest]));
            let is_honest = (as_honest - total).exp();
            honest_people += is_honest;
            for (count, n) in honest_counts.iter_mut().zip(person) {
                *count += is_honest * n;
            }
            for (count, log) in bot_people.iter_mut().zip(&as_bots) {
                *count += (log - total).exp();
            }
            for (sum, tilt) in by_tilt.iter_mut().zip(&tilted) {
                *sum += is_honest * tilt.log(person);
            }
        }
        let honest = normalised(&honest_counts);
        let change = honest
            .iter()
            .zip(&tables.honest)
            .map(|(a, b)| (a - b).abs());
        let best = (0..TILTS.len()).max_by(|&a, &b| by_tilt[a].total_cmp(&by_tilt[b]));
        let tilt = best.map_or(shipped.tilt, |place| TILTS[place]);
        converged = change.fold(0.0, f64::max) < 1e-6 && tilt == tables.tilt;
        tables.honest = honest;
        tables.tilt = tilt;
        let all_bots: f64 = bot_people.iter().sum();
        bot_share = all_bots / (all_bots + honest_people);
        for (bot, people) in tables.bots.iter_mut().zip(bot_people) {
            bot.weight = people / all_bots;
        }
    }
    // A kind that was not met may still come.
    for (bot, before) in tables.bots.iter_mut().zip(&shipped.bots) {
        bot.weight = f64::midpoint(bot.weight, before.weight);
    }
    Ok(Estimation::Estimated {
        tables,
        bot_share,
        passes,
        converged,
    })
}

fn logs(shares: &[f64]) -> Vec<f64> {
    shares.iter().map(|s| s.ln()).collect()
}

/// One annotator's controls per bin.
fn counts(history: &History, question: u32, scale: &Scale, bins: usize) -> Vec<f64> {
    let mut counts = vec![0.0; bins];
    for judged in history.judged().iter().filter(|j| j.question == question) {
        let bin = match (scale, judged.error, judged.correct) {
            (Scale::Number(scale), Some(e), _) if e.is_finite() => number_bin(e, scale.width()),
            (Scale::Choice(_), _, Some(right)) => usize::from(!right),
            _ => continue,
        };
        if let Some(count) = counts.get_mut(bin) {
            *count += 1.0;
        }
    }
    counts
}

/// Pooled shares of the six tenths of annotators with the lowest mean bin.
fn better_six_tenths(people: &[Vec<f64>]) -> Vec<f64> {
    let mean_bin = |person: &[f64]| {
        let weighted = person.iter().enumerate().map(|(bin, n)| bin as f64 * n);
        weighted.sum::<f64>() / person.iter().sum::<f64>()
    };
    let mut order: Vec<&Vec<f64>> = people.iter().collect();
    order.sort_by(|a, b| mean_bin(a).total_cmp(&mean_bin(b)));
    order.truncate((people.len() * 6).div_ceil(10));
    let mut pooled = vec![0.0; people.first().map_or(0, Vec::len)];
    for person in order {
        for (sum, n) in pooled.iter_mut().zip(person) {
            *sum += n;
        }
    }
    normalised(&pooled)
}
