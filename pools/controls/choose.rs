//! Choosing controls that cover the range of answers evenly.

use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// The controls chosen, and how evenly that could be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Indices of the chosen controls, ascending.
    pub controls: Vec<u32>,
    /// One entry per stratum, in stratum order.
    pub strata: Vec<StratumCount>,
    /// How many controls fewer than wanted there are altogether; 0 if there were enough.
    pub missing: usize,
}

/// What one stratum could give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StratumCount {
    /// Controls at hand.
    pub available: usize,
    /// Controls chosen.
    pub chosen: usize,
    /// How many fewer than an even share it gave: ⌊wanted / strata⌋ − chosen, or 0. Other strata gave more instead.
    pub short: usize,
}

impl Chosen {
    /// Strata that gave less than an even share, with what they lack.
    pub fn shortages(&self) -> impl Iterator<Item = (u32, StratumCount)> + '_ {
        (0..)
            .zip(self.strata.iter().copied())
            .filter(|(_, count)| count.short > 0)
    }
}

/// Chooses `want` of the controls `0..strata.len()`, where `strata[c]` is the stratum of control `c`, numbered from 0
/// without large gaps (a number without controls is a stratum that gives nothing).
///
/// Counts per stratum are max-min fair: as if all strata were filled with water at one level until `want` is reached, so a
/// stratum gives less than another only if it has no more. What is left over after even division goes to random strata,
/// and controls within a stratum are drawn at random. If there are no more controls than wanted, all are chosen.
/// Source of the rule: max-min fairness, Bertsekas and Gallager, Data Networks (2nd edition, 1992), chapter 6.
pub fn choose_evenly<R: Rng + ?Sized>(strata: &[u32], want: usize, rng: &mut R) -> Chosen {
    let n_strata = strata.iter().max().map_or(0, |&last| last as usize + 1);
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); n_strata];
    for (control, &stratum) in (0..).zip(strata) {
        members[stratum as usize].push(control);
    }
    // Smallest first: each takes what it has, up to an even share of what is still wanted. The shuffle decides among
    // strata of equal size which get one more.
    let mut order: Vec<usize> = (0..n_strata).collect();
    order.shuffle(rng);
    order.sort_by_key(|&stratum| members[stratum].len());
    let mut left = want.min(strata.len());
    let mut chosen = vec![0; n_strata];
    let mut even = order.len();
    for (place, &stratum) in order.iter().enumerate() {
        if members[stratum].len() > left / (order.len() - place) {
            even = place;
            break;
        }
        chosen[stratum] = members[stratum].len();
        left -= chosen[stratum];
    }
    // All others have more than the even share, so who gets one more does not depend on size: draw lots.
    let others = &mut order[even..];
    others.shuffle(rng);
    for (place, &stratum) in others.iter().enumerate() {
        chosen[stratum] = left / others.len() + usize::from(place < left % others.len());
    }
    let share = want.checked_div(n_strata).unwrap_or(0);
    let counts = members
        .iter()
        .zip(&chosen)
        .map(|(m, &chosen)| StratumCount {
            available: m.len(),
            chosen,
            short: share.saturating_sub(chosen),
        });
    let strata_counts = counts.collect();
    let mut controls = Vec::with_capacity(want.min(strata.len()));
    for (stratum, count) in members.iter_mut().zip(chosen) {
        controls.extend_from_slice(stratum.partial_shuffle(rng, count).0);
    }
    controls.sort_unstable();
    Chosen {
        controls,
        strata: strata_counts,
        missing: want.saturating_sub(strata.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;
    use proptest::prelude::*;

    fn of_sizes(sizes: &[usize]) -> Vec<u32> {
        (0..)
            .zip(sizes)
            .flat_map(|(s, &n)| std::iter::repeat_n(s, n))
            .collect()
    }

    fn counts(sizes: &[usize], want: usize) -> Vec<usize> {
        let chosen = choose_evenly(&of_sizes(sizes), want, &mut stream(1, "choose"));
        chosen.strata.iter().map(|c| c.chosen).collect()
    }

    #[test]
    fn small_strata_give_all_and_the_others_share_the_rest() {
        // Twelve wanted of strata of 1, 3, 10, 10: levels 1, 3 and then (12 − 4) / 2 = 4 each.
        assert_eq!(counts(&[10, 1, 10, 3], 12), [4, 1, 4, 3]);
        assert_eq!(counts(&[5, 5], 4), [2, 2]);
        assert_eq!(counts(&[2, 1], 9), [2, 1]);
        assert_eq!(counts(&[2, 0, 2], 2), [1, 0, 1]);
        assert_eq!(counts(&[], 3), Vec::<usize>::new());
    }

    #[test]
    fn shortages_are_told_per_stratum_and_altogether() {
        let chosen = choose_evenly(&of_sizes(&[10, 1]), 8, &mut stream(1, "choose"));
        let short: Vec<_> = chosen.shortages().collect();
        assert_eq!(
            short,
            [(
                1,
                StratumCount {
                    available: 1,
                    chosen: 1,
                    short: 3
                }
            )]
        );
        assert_eq!((chosen.missing, chosen.controls.len()), (0, 8));
        let chosen = choose_evenly(&of_sizes(&[3, 1]), 8, &mut stream(1, "choose"));
        assert_eq!((chosen.missing, chosen.controls.len()), (4, 4));
    }

    #[test]
    fn every_control_of_a_stratum_and_every_stratum_has_the_same_chance() {
        // One of 3 × 2 controls, 6,000 times: each 1,000 times, sd about 29.
        let strata = of_sizes(&[2, 2, 2]);
        let mut rng = stream(1, "choose");
        let mut hits = [0i32; 6];
        for _ in 0..6000 {
            hits[choose_evenly(&strata, 1, &mut rng).controls[0] as usize] += 1;
        }
        assert!(hits.iter().all(|h| (h - 1000).abs() < 120), "{hits:?}");
    }

    proptest! {
        #[test]
        fn a_stratum_gives_less_than_another_only_if_it_has_no_more(
            strata in prop::collection::vec(0u32..8, 0..80), want in 0usize..100, seed: u64,
        ) {
            let c = choose_evenly(&strata, want, &mut stream(seed, "choose"));
            prop_assert_eq!(c.controls.len(), want.min(strata.len()));
            prop_assert!(c.controls.windows(2).all(|w| w[0] < w[1]));
            let most = c.strata.iter().map(|s| s.chosen).max().unwrap_or(0);
            for (stratum, count) in c.strata.iter().enumerate() {
                prop_assert!(count.chosen == count.available || count.chosen + 1 >= most);
                let told = c.controls.iter().filter(|&&k| strata[k as usize] as usize == stratum).count();
                prop_assert_eq!(told, count.chosen);
            }
        }
    }
}
