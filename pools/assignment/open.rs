//! Items that still want votes, by how many votes they have, and the draw of an annotator's next ones.
//!
//! An annotator wants items not met before, among those with the fewest votes. Nearly always a random draw from the lowest
//! level hits such an item at once. When it keeps missing, the annotator has met nearly everything there; then the few
//! items left are listed once and the list is used from then on: between reopenings it can only shrink.

use super::choose::{OpenItem, choose_items};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use std::collections::BTreeSet;

/// Draws that may miss in a row before the items left are listed.
const MISSES: usize = 64;

/// Votes held by every item, and the open items of each level.
#[derive(Debug, Clone)]
pub(super) struct OpenItems {
    /// Accepted and active votes of each item; at most the overlap.
    held: Vec<u32>,
    /// `levels[v]` lists the items with `v` votes, for `v` below the overlap, in no particular order.
    levels: Vec<Vec<u32>>,
    /// Place of each open item in its level.
    place: Vec<u32>,
    /// How often an item lost a vote: lists made before are out of date.
    reopenings: u64,
}

/// What one annotator has met.
#[derive(Debug, Clone, Default)]
pub(super) struct Met {
    items: BTreeSet<u32>,
    /// Open items not met, complete as of the number of reopenings that stands with them.
    left: Option<(u64, Vec<u32>)>,
}

impl OpenItems {
    pub(super) fn new(n_items: u32, overlap: usize) -> Self {
        let mut levels = vec![Vec::new(); overlap];
        levels[0] = (0..n_items).collect();
        Self {
            held: vec![0; n_items as usize],
            levels,
            place: (0..n_items).collect(),
            reopenings: 0,
        }
    }

    /// Accepted and active votes of an item.
    #[cfg(test)]
    pub(super) fn held(&self, item: u32) -> u32 {
        self.held[item as usize]
    }

    /// Gives up one vote that was held, so that somebody else can give it.
    pub(super) fn reopen(&mut self, item: u32) {
        self.leave(item);
        self.held[item as usize] -= 1;
        self.enter(item);
        self.reopenings += 1;
    }

    /// Up to `want` items for an annotator, in random order, each with one more vote held and counted as met.
    pub(super) fn draw<R: Rng + ?Sized>(
        &mut self,
        met: &mut Met,
        want: usize,
        rng: &mut R,
    ) -> Vec<u32> {
        let mut drawn = Vec::with_capacity(want);
        if !matches!(met.left, Some((as_of, _)) if as_of == self.reopenings) {
            met.left = None;
            self.draw_at_random(met, want, &mut drawn, rng);
        }
        if let Some((as_of, mut left)) = met.left.take() {
            left.retain(|&item| self.is_open(item) && !met.items.contains(&item));
            let open: Vec<OpenItem> = left
                .iter()
                .map(|&item| OpenItem {
                    item,
                    votes: self.held[item as usize],
                })
                .collect();
            for item in choose_items(&open, want - drawn.len(), rng) {
                self.take(met, item);
                drawn.push(item);
            }
            met.left = Some((as_of, left));
        }
        drawn.shuffle(rng);
        drawn
    }

    /// Draws from the lowest level up. After too many misses it lists the items left in `met` and returns with fewer.
    fn draw_at_random<R: Rng + ?Sized>(
        &mut self,
        met: &mut Met,
        want: usize,
        drawn: &mut Vec<u32>,
        rng: &mut R,
    ) {
        for level in 0..self.levels.len() {
            let mut misses = 0;
            while drawn.len() < want {
                if self.levels[level].len() <= MISSES {
                    // Short enough to look at every item.
                    let open: Vec<OpenItem> = self.levels[level]
                        .iter()
                        .filter(|item| !met.items.contains(item))
                        .map(|&item| OpenItem {
                            item,
                            votes: level as u32,
                        })
                        .collect();
                    for item in choose_items(&open, want - drawn.len(), rng) {
                        self.take(met, item);
                        drawn.push(item);
                    }
                    break;
                }
                let item = self.levels[level][rng.random_range(0..self.levels[level].len())];
                if !met.items.contains(&item) {
                    misses = 0;
                    self.take(met, item);
                    drawn.push(item);
                    continue;
                }
                misses += 1;
                if misses == MISSES {
                    let all = self.levels[level..].iter().flatten().copied();
                    let left = all.filter(|item| !met.items.contains(item)).collect();
                    met.left = Some((self.reopenings, left));
                    return;
                }
            }
            if drawn.len() == want {
                return;
            }
        }
        // Every level was looked through to its end.
        met.left = Some((self.reopenings, Vec::new()));
    }

    fn is_open(&self, item: u32) -> bool {
        (self.held[item as usize] as usize) < self.levels.len()
    }

    fn take(&mut self, met: &mut Met, item: u32) {
        met.items.insert(item);
        self.leave(item);
        self.held[item as usize] += 1;
        self.enter(item);
    }

    fn leave(&mut self, item: u32) {
        if self.is_open(item) {
            let place = self.place[item as usize] as usize;
            let level = &mut self.levels[self.held[item as usize] as usize];
            level.swap_remove(place);
            if let Some(&moved) = level.get(place) {
                self.place[moved as usize] = place as u32;
            }
        }
    }

    fn enter(&mut self, item: u32) {
        if self.is_open(item) {
            let level = &mut self.levels[self.held[item as usize] as usize];
            self.place[item as usize] = level.len() as u32;
            level.push(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;
    use proptest::prelude::*;

    #[test]
    fn every_annotator_meets_every_item_once_until_all_votes_are_held() {
        let mut rng = stream(1, "open");
        let mut open = OpenItems::new(1000, 3);
        for _ in 0..3 {
            let mut met = Met::default();
            let mut items: Vec<u32> = Vec::new();
            loop {
                let drawn = open.draw(&mut met, 6, &mut rng);
                if drawn.is_empty() {
                    break;
                }
                items.extend(drawn);
            }
            items.sort_unstable();
            assert!(items.into_iter().eq(0..1000));
        }
        assert!(open.held.iter().all(|&held| held == 3));
        assert!(open.draw(&mut Met::default(), 6, &mut rng).is_empty());
    }

    #[test]
    fn items_with_fewer_votes_go_first_even_when_nearly_all_were_met() {
        let mut rng = stream(1, "open");
        let mut open = OpenItems::new(500, 4);
        let (mut a, mut b) = (Met::default(), Met::default());
        open.draw(&mut a, 495, &mut rng);
        let next = open.draw(&mut b, 5, &mut rng);
        assert!(
            next.iter().all(|item| !a.items.contains(item)),
            "the five without a vote"
        );
        let next = open.draw(&mut a, 6, &mut rng);
        assert_eq!(next.len(), 5, "only five were left to meet");
        assert!(open.draw(&mut a, 6, &mut rng).is_empty());
    }

    #[test]
    fn a_reopened_item_goes_to_others_but_not_to_who_met_it() {
        let mut rng = stream(1, "open");
        let mut open = OpenItems::new(2, 1);
        let (mut a, mut b) = (Met::default(), Met::default());
        assert_eq!(open.draw(&mut a, 6, &mut rng).len(), 2);
        assert!(open.draw(&mut b, 6, &mut rng).is_empty());
        open.reopen(1);
        assert!(open.draw(&mut a, 6, &mut rng).is_empty());
        assert_eq!(open.draw(&mut b, 6, &mut rng), [1]);
        assert_eq!((open.held(0), open.held(1)), (1, 1));
    }

    proptest! {
        #[test]
        fn a_draw_is_full_if_it_can_be_and_takes_the_fewest_votes_first(
            n in 1u32..300, overlap in 1usize..5,
            steps in prop::collection::vec((0usize..6, 1usize..40, any::<bool>()), 1..80),
        ) {
            let mut rng = stream(4, "open");
            let mut open = OpenItems::new(n, overlap);
            let mut mets = vec![Met::default(); 6];
            for (who, want, reopen) in steps {
                let before = open.held.clone();
                let free: Vec<u32> = (0..n)
                    .filter(|i| !mets[who].items.contains(i) && before[*i as usize] < overlap as u32)
                    .collect();
                let drawn = open.draw(&mut mets[who], want, &mut rng);
                prop_assert_eq!(drawn.len(), want.min(free.len()));
                prop_assert!(drawn.iter().all(|item| free.contains(item)));
                let votes = |item: &u32| before[*item as usize];
                let most = drawn.iter().map(votes).max().unwrap_or(0);
                prop_assert!(free.iter().filter(|i| !drawn.contains(i)).all(|i| votes(i) >= most));
                if let (true, Some(&item)) = (reopen, drawn.first()) {
                    open.reopen(item);
                }
            }
        }
    }
}
