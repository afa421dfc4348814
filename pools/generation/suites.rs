//! Static suites: the whole campaign laid out before the first annotator comes, for platforms that are fed with files.
//!
//! There are as many rounds as the overlap. A round shows every item once, in an order of its own, so votes on an item
//! meet ever new neighbours. What files cannot promise: a platform that lets an annotator work in several rounds may show
//! them an item again; mixing at assignment time ([`crate::assignment`]) cannot.

use crate::controls::Deck;
use crate::pool::narrow;
use crate::{Error, Mix, Slot};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

/// All suites of all rounds, in one flat list: 4 bytes per task shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticSuites {
    /// Items as their index, controls as `n_items` + their index.
    slots: Vec<u32>,
    n_items: u32,
    mix: Mix,
    rounds: usize,
}

impl StaticSuites {
    /// Number of suites, all rounds together.
    pub fn len(&self) -> usize {
        self.suites_per_round() * self.rounds
    }

    /// Whether there is no suite at all (no items, or overlap 0).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Suites in each round: items divided by `mix.real`, rounded up.
    pub fn suites_per_round(&self) -> usize {
        (self.n_items as usize).div_ceil(self.mix.real)
    }

    /// Number of rounds: the overlap asked for.
    pub fn n_rounds(&self) -> usize {
        self.rounds
    }

    /// Number of tasks shown, all suites together.
    pub fn n_slots(&self) -> usize {
        self.slots.len()
    }

    /// The slots of suite `suite`, counted through all rounds, in the order in which they are shown. Panics outside.
    pub fn suite(&self, suite: usize) -> impl ExactSizeIterator<Item = Slot> + '_ {
        let per_round = self.suites_per_round();
        assert!(suite < self.len(), "suite {suite} of {}", self.len());
        let (round, place) = (suite / per_round, suite % per_round);
        // Only the last suite of a round may be short, so starts need not be stored.
        let start = round * (self.slots.len() / self.rounds) + place * self.mix.size();
        let real = self
            .mix
            .real
            .min(self.n_items as usize - place * self.mix.real);
        self.slots[start..start + real + self.mix.control]
            .iter()
            .map(|&slot| self.decode(slot))
    }

    /// All suites in turn.
    pub fn iter(
        &self,
    ) -> impl ExactSizeIterator<Item = impl ExactSizeIterator<Item = Slot> + '_> + '_ {
        (0..self.len()).map(|suite| self.suite(suite))
    }

    fn decode(&self, slot: u32) -> Slot {
        match slot.checked_sub(self.n_items) {
            None => Slot::Item(slot),
            Some(control) => Slot::Control(control),
        }
    }
}

/// Lays out `overlap` rounds over `n_items` items. Each round has every item exactly once in random order, cut into suites
/// of `mix.real` items; the last suite of a round has what remains. Every suite, the last included, has `mix.control`
/// different controls, issued by `deck` through all rounds, at places uniform over the suite. With `mix.control = 0` the
/// deck may be empty.
///
/// Errors: a deck smaller than `mix.control`, `mix.real` = 0, or so many items and controls that an index needs more than
/// 32 bits. Time and memory are linear in tasks shown: 4 bytes each, plus 4 bytes per item while working.
pub fn rounds<R: Rng + ?Sized>(
    n_items: usize,
    deck: &Deck,
    mix: Mix,
    overlap: usize,
    rng: &mut R,
) -> Result<StaticSuites, Error> {
    let mix = Mix::new(mix.real, mix.control)?;
    if deck.len() < mix.control {
        return Err(Error::TooFewControls {
            needed: mix.control,
            available: deck.len(),
        });
    }
    let n = narrow(n_items + deck.len())? - deck.len() as u32;
    let per_round = n_items + n_items.div_ceil(mix.real) * mix.control;
    let mut slots = Vec::with_capacity(per_round * overlap);
    let mut order: Vec<u32> = (0..n).collect();
    let mut issued = 0u64;
    for _ in 0..overlap {
        order.shuffle(rng);
        for real in order.chunks(mix.real) {
            let start = slots.len();
            slots.extend_from_slice(real);
            for _ in 0..mix.control {
                slots.push(n + deck.issue(issued));
                issued += 1;
            }
            arrange(&mut slots[start..], real.len(), rng);
        }
    }
    Ok(StaticSuites {
        slots,
        n_items: n,
        mix,
        rounds: overlap,
    })
}

/// Moves the controls at the end of `slots` (from `n_real` on) to random places. If the first `n_real` slots are in random
/// order, the whole is in uniformly random order afterwards: these are the last steps of the shuffle of Fisher and Yates
/// (Knuth, The Art of Computer Programming, vol. 2, 1969, algorithm P), whose first steps the real tasks have behind them.
/// Takes one draw per control.
pub fn arrange<T, R: Rng + ?Sized>(slots: &mut [T], n_real: usize, rng: &mut R) {
    for last in n_real..slots.len() {
        slots.swap(last, rng.random_range(0..=last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;
    use proptest::prelude::*;

    fn laid_out(
        n_items: usize,
        n_controls: usize,
        mix: (usize, usize),
        overlap: usize,
    ) -> StaticSuites {
        let mut rng = stream(1, "test");
        let deck = Deck::new(&vec![0; n_controls], &mut rng);
        rounds(
            n_items,
            &deck,
            Mix::new(mix.0, mix.1).unwrap(),
            overlap,
            &mut rng,
        )
        .unwrap()
    }

    #[test]
    fn thirteen_items_by_six_make_three_suites_the_last_with_one_item_and_its_control() {
        let s = laid_out(13, 5, (6, 1), 2);
        let sizes: Vec<usize> = s.iter().map(|suite| suite.len()).collect();
        assert_eq!(sizes, [7, 7, 2, 7, 7, 2]);
        assert_eq!(
            (s.suites_per_round(), s.n_rounds(), s.n_slots()),
            (3, 2, 32)
        );
        assert!(
            s.iter()
                .all(|suite| suite.filter_map(Slot::control).count() == 1)
        );
    }

    #[test]
    fn without_controls_there_are_only_items_and_without_items_no_suites() {
        assert!(
            laid_out(13, 0, (6, 0), 1)
                .iter()
                .flatten()
                .all(|slot| slot.item().is_some())
        );
        assert!(laid_out(0, 5, (6, 1), 3).is_empty());
        assert!(laid_out(5, 5, (6, 1), 0).is_empty());
    }

    #[test]
    fn too_few_controls_for_one_suite_is_an_error() {
        let mut rng = stream(1, "test");
        let deck = Deck::new(&[0, 0], &mut rng);
        let e = rounds(10, &deck, Mix::new(6, 3).unwrap(), 1, &mut rng).unwrap_err();
        assert_eq!(
            e,
            Error::TooFewControls {
                needed: 3,
                available: 2
            }
        );
    }

    #[test]
    fn the_place_of_the_control_is_uniform_over_the_suite() {
        let s = laid_out(60_000, 100, (6, 1), 2);
        let mut counts = [0f64; 7];
        for suite in s.iter() {
            counts[suite
                .into_iter()
                .position(|slot| slot.control().is_some())
                .unwrap()] += 1.0;
        }
        let expected = 20_000.0 / 7.0;
        let chi2: f64 = counts
            .iter()
            .map(|c| (c - expected).powi(2) / expected)
            .sum();
        assert!(
            chi2 < 22.46,
            "{chi2}: above the 99.9 % quantile of chi-square with 6 degrees of freedom"
        );
    }

    #[test]
    fn with_two_controls_every_pair_of_places_is_equally_likely() {
        let s = laid_out(40_000, 100, (4, 2), 2);
        let mut counts = [[0f64; 6]; 6];
        for suite in s.iter() {
            let places: Vec<usize> = suite
                .enumerate()
                .filter(|(_, slot)| slot.control().is_some())
                .map(|(place, _)| place)
                .collect();
            counts[places[0]][places[1]] += 1.0;
        }
        let expected = 20_000.0 / 15.0;
        let chi2: f64 = (0..6)
            .flat_map(|a| (a + 1..6).map(move |b| (a, b)))
            .map(|(a, b)| (counts[a][b] - expected).powi(2) / expected)
            .sum();
        assert!(
            chi2 < 36.12,
            "{chi2}: above the 99.9 % quantile with 14 degrees of freedom"
        );
    }

    #[test]
    fn rounds_differ_and_the_same_seed_repeats_them() {
        let s = laid_out(30, 5, (6, 1), 2);
        let round = |r: usize| -> Vec<u32> {
            (r * 5..r * 5 + 5)
                .flat_map(|i| s.suite(i))
                .filter_map(Slot::item)
                .collect()
        };
        assert_ne!(round(0), round(1));
        assert_eq!(s, laid_out(30, 5, (6, 1), 2));
    }

    proptest! {
        #[test]
        fn each_round_has_each_item_once_and_each_suite_its_different_controls(
            n_items in 0usize..80, n_controls in 3usize..20,
            real in 1usize..8, control in 0usize..4, overlap in 0usize..4,
        ) {
            let s = laid_out(n_items, n_controls, (real, control), overlap);
            let mut uses = vec![0usize; n_controls];
            for round in 0..overlap {
                let mut items = Vec::new();
                for suite in round * s.suites_per_round()..(round + 1) * s.suites_per_round() {
                    items.extend(s.suite(suite).filter_map(Slot::item));
                    let mut controls: Vec<u32> = s.suite(suite).filter_map(Slot::control).collect();
                    controls.iter().for_each(|&c| uses[c as usize] += 1);
                    controls.sort_unstable();
                    controls.dedup();
                    prop_assert_eq!(controls.len(), control);
                }
                items.sort_unstable();
                prop_assert!(items.iter().copied().eq(0..n_items as u32));
            }
            prop_assert!(uses.iter().max().unwrap() - uses.iter().min().unwrap() <= 1);
        }
    }
}
