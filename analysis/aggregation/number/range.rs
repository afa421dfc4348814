//! Whether controls cover the range of the items they speak for.

use super::engine::Engine;
use super::huber;

/// Share of the items that may lie beyond the controls, above what chance explains.
const ALLOWED: f64 = 0.15;

/// Share of the controls cut at each end before the range is taken.
const CUT: f64 = 0.05;

/// Whether the items without a known truth lie where the controls do, as far as the votes tell: at most 15 % more of them
/// than chance explains have a median outside the middle 90 % of the controls' medians. Biases and errors measured on people
/// of 20 to 40 say nothing about children, and a bot that always answers 30 looks perfect there. Medians are used for both,
/// never truths. Holds when there are no other items.
pub(super) fn is_covered(engine: &Engine<'_>) -> bool {
    let medians = huber::locations(engine.votes, 0.0, false);
    let voted = |item: &usize| !engine.votes.item(*item).1.is_empty();
    let (controls, others): (Vec<usize>, Vec<usize>) = (0..engine.truth.len())
        .filter(voted)
        .partition(|&item| engine.truth[item].is_some());
    if controls.is_empty() || others.is_empty() {
        return true;
    }
    let mut sorted: Vec<f64> = controls.iter().map(|&item| medians[item]).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let cut = (CUT * sorted.len() as f64) as usize;
    let (low, high) = (sorted[cut], sorted[sorted.len() - 1 - cut]);
    let beyond = |item: &&usize| medians[**item] < low || medians[**item] > high;
    let share = others.iter().filter(beyond).count() as f64 / others.len() as f64;
    // Of a new one of n + 1 alike, 2(cut + 1) places of n + 1 lie beyond.
    let chance = 2.0 * (cut as f64 + 1.0) / (sorted.len() as f64 + 1.0);
    share <= chance + ALLOWED
}
