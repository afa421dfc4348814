//! The order in which static suites use their controls: one circle through all of them, walked again and again.
//!
//! Equal use within any stretch, and no repetition among any `n` controls issued in a row, together leave only a fixed
//! order repeated. What is left to choose is that order, and it is chosen so that every stretch of it covers the strata:
//! after `p` controls a stratum with share `s` of all controls has been used ⌊p·s⌋ or ⌈p·s⌉ times.

use rand::{Rng, RngExt};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A circle of controls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deck {
    order: Vec<u32>,
}

impl Deck {
    /// Orders the controls `0..strata.len()`, of which `strata[c]` is the stratum of control `c`; any numbers will do.
    ///
    /// The `i`-th control (from 0) of a stratum with `m` of the `n` controls must be issued at a place from ⌊i·n/m⌋ on and
    /// before ⌈(i+1)·n/m⌉. Taking the earliest deadline first meets all of these windows (Baruah, Cohen, Plaxton and
    /// Varvel, Proportionate progress, 1996), which is the law above. Ties, and the order within a stratum, are random.
    pub fn new<R: Rng + ?Sized>(strata: &[u32], rng: &mut R) -> Self {
        let n = strata.len();
        let mut grouped: Vec<(u32, u32, u32)> = (0..)
            .zip(strata)
            .map(|(control, &stratum)| (stratum, rng.random(), control))
            .collect();
        grouped.sort_unstable();
        let mut windows = Vec::with_capacity(n);
        for group in grouped.chunk_by(|a, b| a.0 == b.0) {
            let m = group.len();
            for (i, &(_, _, control)) in group.iter().enumerate() {
                let tie: u32 = rng.random();
                windows.push((i * n / m, ((i + 1) * n).div_ceil(m), tie, control));
            }
        }
        windows.sort_unstable();
        let mut order = Vec::with_capacity(n);
        let mut ready = BinaryHeap::new();
        let mut coming = windows.into_iter().peekable();
        for place in 0..n {
            while let Some((_, deadline, tie, control)) = coming.next_if(|w| w.0 <= place) {
                ready.push(Reverse((deadline, tie, control)));
            }
            // Never empty: windows that opened before or at `place` are more than `place` in number.
            if let Some(Reverse((_, _, control))) = ready.pop() {
                order.push(control);
            }
        }
        Self { order }
    }

    /// Number of controls.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are no controls.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The control issued as number `k`, from 0. Panics if the deck is empty.
    pub fn issue(&self, k: u64) -> u32 {
        self.order[(k % self.order.len() as u64) as usize]
    }

    /// The controls in the order in which they are first issued.
    pub fn order(&self) -> &[u32] {
        &self.order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;
    use proptest::prelude::*;

    #[test]
    fn equal_strata_take_turns() {
        // Three strata of four: each stretch of three from a multiple of three has each stratum once.
        let strata: Vec<u32> = (0..12).map(|c| c / 4).collect();
        let deck = Deck::new(&strata, &mut stream(1, "deck"));
        for turn in deck.order().chunks(3) {
            let mut seen: Vec<u32> = turn.iter().map(|&c| strata[c as usize]).collect();
            seen.sort_unstable();
            assert_eq!(seen, [0, 1, 2]);
        }
    }

    #[test]
    fn the_order_depends_on_the_seed_alone() {
        let strata = [0, 0, 1, 1, 2, 2, 2, 2];
        let order = |seed| {
            Deck::new(&strata, &mut stream(seed, "deck"))
                .order()
                .to_vec()
        };
        assert_eq!(order(1), order(1));
        assert!((2..20).any(|seed| order(seed) != order(1)));
    }

    #[test]
    fn an_empty_deck_has_nothing() {
        assert!(Deck::new(&[], &mut stream(1, "deck")).is_empty());
    }

    proptest! {
        #[test]
        fn uses_differ_by_at_most_one_and_n_in_a_row_never_repeat(
            strata in prop::collection::vec(0u32..6, 1..60), start in 0u64..200,
        ) {
            let deck = Deck::new(&strata, &mut stream(3, "deck"));
            let n = strata.len() as u64;
            let mut row: Vec<u32> = (start..start + n).map(|k| deck.issue(k)).collect();
            row.sort_unstable();
            prop_assert!(row.into_iter().eq(0..n as u32));
        }

        #[test]
        fn every_prefix_covers_the_strata_by_their_share(strata in prop::collection::vec(0u32..9, 1..80), seed: u64) {
            let deck = Deck::new(&strata, &mut stream(seed, "deck"));
            let n = strata.len();
            let mut used = [0usize; 9];
            for place in 0..2 * n {
                used[strata[deck.issue(place as u64) as usize] as usize] += 1;
                for (stratum, &count) in used.iter().enumerate() {
                    let m = strata.iter().filter(|&&s| s as usize == stratum).count();
                    let share = (place + 1) * m;
                    prop_assert!((share / n..=share.div_ceil(n)).contains(&count));
                }
            }
        }
    }
}
