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

#[cfg(test)]
mod tests {
    use super::super::noise::Evidence;
    use super::*;
    use crate::NumberVotes;
    use crate::scoring::Shrinkage;

    /// Two votes on each of 100 items, at the item's index and one above.
    fn covered(known: impl Fn(usize) -> bool) -> bool {
        let items: Vec<u32> = (0..200).map(|i| i / 2).collect();
        let annotators: Vec<u32> = (0..200).map(|i| i % 2).collect();
        let values: Vec<f64> = (0..200).map(|i| f64::from(i / 2 + i % 2)).collect();
        let votes = NumberVotes::new(100, 2, &items, &annotators, &values).unwrap();
        let truth: Vec<_> = (0..100).map(|i| known(i).then_some(i as f64)).collect();
        let evidence = Evidence::of(&votes, &truth, Shrinkage::None);
        is_covered(&Engine::new(&votes, &truth, evidence, &[]))
    }

    #[test]
    fn controls_all_over_the_range_cover_it_and_those_of_one_half_do_not() {
        assert!(covered(|i| i % 3 == 0));
        assert!(!covered(|i| i < 50));
        assert!(!covered(|i| (30..50).contains(&i)));
        // Nothing else to speak for, and nothing to speak with.
        assert!(covered(|_| true) && covered(|_| false));
    }

    #[test]
    fn a_few_controls_that_happen_to_lie_apart_are_enough() {
        assert!(covered(|i| [20, 45, 80].contains(&i)));
        assert!(!covered(|i| [20, 21, 22, 23, 24].contains(&i)));
    }
}
