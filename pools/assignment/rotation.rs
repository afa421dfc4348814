//! Which control comes next, on indexed state: the rule of [`super::choose::equally_good_controls`] without looking at every
//! control. Per choice it looks at each stratum, and in a stratum passes over what the annotator has seen.

use super::choose::due;
use rand::{Rng, RngExt};
use std::collections::BTreeSet;

/// All controls, ranked within their stratum by use.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    strata: Vec<u32>,
    sizes: Vec<u32>,
    /// Uses of every control, and a random number, drawn anew at every use, that breaks ties.
    rank: Vec<(u32, u32)>,
    ranked: Vec<BTreeSet<(u32, u32, u32)>>,
}

/// What one annotator was given in the current pass through the controls.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    seen: BTreeSet<u32>,
    of_stratum: Vec<u32>,
}

impl Rotation {
    pub(super) fn new<R: Rng + ?Sized>(strata: &[u32], rng: &mut R) -> Self {
        let n_strata = strata.iter().max().map_or(0, |&last| last as usize + 1);
        let mut sizes = vec![0; n_strata];
        let mut ranked = vec![BTreeSet::new(); n_strata];
        let rank: Vec<(u32, u32)> = strata.iter().map(|_| (0, rng.random())).collect();
        for ((control, &stratum), &(uses, tie)) in (0..).zip(strata).zip(&rank) {
            sizes[stratum as usize] += 1;
            ranked[stratum as usize].insert((uses, tie, control));
        }
        Self {
            strata: strata.to_vec(),
            sizes,
            rank,
            ranked,
        }
    }

    /// Number of controls.
    pub(super) fn len(&self) -> usize {
        self.strata.len()
    }

    /// How often each control was given.
    pub(super) fn uses(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.rank.iter().map(|&(uses, _)| uses)
    }

    /// Chooses `want` different controls, at most [`Rotation::len`], and counts them as given.
    pub(super) fn choose<R: Rng + ?Sized>(
        &mut self,
        history: &mut History,
        want: usize,
        rng: &mut R,
    ) -> Vec<u32> {
        let mut taken = Vec::with_capacity(want);
        while taken.len() < want.min(self.len()) {
            let best = self
                .best(history, &taken, true)
                .or_else(|| self.best(history, &taken, false));
            let Some(control) = best else { break };
            taken.push(control);
            self.count(history, control, rng);
        }
        taken
    }

    fn best(&self, history: &History, taken: &[u32], only_due: bool) -> Option<u32> {
        let (given, n) = (history.seen.len() as u32, self.len() as u32);
        let of_stratum = |k: usize| history.of_stratum.get(k).copied().unwrap_or(0);
        (0..self.ranked.len())
            .filter(|&k| !only_due || due(of_stratum(k), self.sizes[k], given, n))
            .filter_map(|k| {
                let unseen = |c: u32| !history.seen.contains(&c) && !taken.contains(&c);
                self.ranked[k]
                    .iter()
                    .find(|&&(_, _, control)| unseen(control))
            })
            .min()
            .map(|&(_, _, control)| control)
    }

    fn count<R: Rng + ?Sized>(&mut self, history: &mut History, control: u32, rng: &mut R) {
        let stratum = self.strata[control as usize] as usize;
        let (uses, tie) = self.rank[control as usize];
        let new = (uses + 1, rng.random());
        self.rank[control as usize] = new;
        self.ranked[stratum].remove(&(uses, tie, control));
        self.ranked[stratum].insert((new.0, new.1, control));
        history.of_stratum.resize(self.sizes.len(), 0);
        history.of_stratum[stratum] += 1;
        history.seen.insert(control);
        if history.seen.len() == self.len() {
            history.seen.clear();
            history.of_stratum.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::choose::{ControlUse, equally_good_controls};
    use super::*;
    use crate::random::stream;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_choice_is_one_of_the_best_by_the_pure_rule(
            strata in prop::collection::vec(0u32..5, 1..25),
            asks in prop::collection::vec((0usize..4, 1usize..5), 1..60),
        ) {
            let mut rng = stream(5, "rotation");
            let mut rotation = Rotation::new(&strata, &mut rng);
            let mut histories = vec![History::default(); 4];
            let n = strata.len();
            let (mut uses, mut seen) = (vec![0u32; n], vec![vec![0u32; n]; 4]);
            for (annotator, want) in asks {
                let chosen = rotation.choose(&mut histories[annotator], want, &mut rng);
                prop_assert_eq!(chosen.len(), want.min(n));
                for (i, &control) in chosen.iter().enumerate() {
                    let table: Vec<ControlUse> = (0..n)
                        .map(|c| ControlUse {
                            control: c as u32,
                            stratum: strata[c],
                            uses: uses[c],
                            seen: seen[annotator][c],
                        })
                        .collect();
                    prop_assert!(equally_good_controls(&table, &chosen[..i]).contains(&control));
                    uses[control as usize] += 1;
                    seen[annotator][control as usize] += 1;
                }
                prop_assert!(rotation.uses().eq(uses.iter().copied()));
            }
        }
    }
}
