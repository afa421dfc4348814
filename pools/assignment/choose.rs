//! The decisions of assignment as pure functions of small tables, such as a database query returns.

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt};

/// An item that still wants votes and that the annotator has not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenItem {
    /// The item.
    pub item: u32,
    /// Its accepted and active votes together.
    pub votes: u32,
}

/// What is known about one control when a suite is made for an annotator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlUse {
    /// The control.
    pub control: u32,
    /// Its stratum.
    pub stratum: u32,
    /// How often it was given to anybody.
    pub uses: u32,
    /// How often it was given to this annotator.
    pub seen: u32,
}

/// Chooses up to `want` of the open items: those with the fewest votes, ties at random, in random order. Fewer if there are
/// fewer. Time is linear in `open`.
pub fn choose_items<R: Rng + ?Sized>(open: &[OpenItem], want: usize, rng: &mut R) -> Vec<u32> {
    let mut ranked: Vec<(u32, u32, u32)> = open
        .iter()
        .map(|o| (o.votes, rng.random(), o.item))
        .collect();
    if want < ranked.len() {
        ranked.select_nth_unstable(want);
        ranked.truncate(want);
    }
    // Sorted first, as the order that selection leaves behind is the standard library's own affair; then shuffled, so that
    // the order does not tell how many votes an item has.
    ranked.sort_unstable();
    ranked.shuffle(rng);
    ranked.into_iter().map(|(_, _, item)| item).collect()
}

/// Chooses `want` different controls for one annotator, one after the other, each at random among
/// [`equally_good_controls`]. Fewer if there are fewer. `controls` lists every control once.
pub fn choose_controls<R: Rng + ?Sized>(
    controls: &[ControlUse],
    want: usize,
    rng: &mut R,
) -> Vec<u32> {
    let mut state = controls.to_vec();
    let mut taken = Vec::with_capacity(want);
    for _ in 0..want {
        let Some(&control) = equally_good_controls(&state, &taken).choose(rng) else {
            break;
        };
        taken.push(control);
        for entry in state.iter_mut().filter(|entry| entry.control == control) {
            entry.uses += 1;
            entry.seen += 1;
        }
    }
    taken
}

/// The controls that are equally good as the next of a suite that already has `taken` (whose `uses` and `seen` are counted).
/// In this order of importance:
/// 1. not in the suite already;
/// 2. seen least by the annotator: a pass through all controls ends before the next begins;
/// 3. of a stratum that is due in this pass ([`due`]), so that the strata take turns;
/// 4. given least to anybody.
///
/// Empty only if all controls are taken. Time is linear in `controls` times the length of `taken`.
pub fn equally_good_controls(controls: &[ControlUse], taken: &[u32]) -> Vec<u32> {
    let free = || controls.iter().filter(|c| !taken.contains(&c.control));
    let Some(pass) = free().map(|c| c.seen).min() else {
        return Vec::new();
    };
    let n_strata = controls
        .iter()
        .map(|c| c.stratum)
        .max()
        .map_or(0, |last| last as usize + 1);
    let (mut sizes, mut given) = (vec![0u32; n_strata], vec![0u32; n_strata]);
    for c in controls {
        sizes[c.stratum as usize] += 1;
        given[c.stratum as usize] += u32::from(c.seen > pass);
    }
    let all_given = given.iter().sum();
    let is_due = |c: &ControlUse| {
        let s = c.stratum as usize;
        due(given[s], sizes[s], all_given, controls.len() as u32)
    };
    let mut best: Vec<&ControlUse> = free().filter(|c| c.seen == pass && is_due(c)).collect();
    if best.is_empty() {
        // Where a suite reaches into the next pass, what is due may be in the suite already.
        best = free().filter(|c| c.seen == pass).collect();
    }
    let least = best.iter().map(|c| c.uses).min();
    best.retain(|c| Some(c.uses) == least);
    best.into_iter().map(|c| c.control).collect()
}

/// Whether a stratum is due: of its `size` controls (of `n` altogether) the annotator was given `given_of_it` in this pass,
/// when `given` were given altogether. A stratum is due when its share has come up for one more control, so it never gets
/// ahead of its share by a whole control; with strata of equal size this is taking turns. Some stratum is always due.
pub fn due(given_of_it: u32, size: u32, given: u32, n: u32) -> bool {
    u64::from(given_of_it) * u64::from(n) / u64::from(size.max(1)) <= u64::from(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    fn control(control: u32, stratum: u32, uses: u32, seen: u32) -> ControlUse {
        ControlUse {
            control,
            stratum,
            uses,
            seen,
        }
    }

    #[test]
    fn items_with_the_fewest_votes_come_first() {
        let open = [3, 0, 1, 0, 2].map(|votes| OpenItem {
            item: votes + 10,
            votes,
        });
        let mut chosen = choose_items(&open, 3, &mut stream(1, "items"));
        chosen.sort_unstable();
        assert_eq!(chosen, [10, 10, 11]);
        assert_eq!(choose_items(&open, 9, &mut stream(1, "items")).len(), 5);
        assert!(choose_items(&open, 0, &mut stream(1, "items")).is_empty());
        assert!(choose_items(&[], 3, &mut stream(1, "items")).is_empty());
    }

    #[test]
    fn ties_between_items_are_broken_evenly() {
        let open = [0, 1, 2, 3].map(|item| OpenItem { item, votes: 0 });
        let mut rng = stream(2, "items");
        let mut hits = [0i32; 4];
        for _ in 0..4000 {
            choose_items(&open, 2, &mut rng)
                .into_iter()
                .for_each(|i| hits[i as usize] += 1);
        }
        assert!(hits.iter().all(|h| (h - 2000).abs() < 130), "{hits:?}");
    }

    #[test]
    fn unseen_beats_due_and_due_beats_little_used() {
        // Controls 0 and 1 of stratum 0, controls 2 and 3 of stratum 1. Control 0 was seen: stratum 1 is due.
        let c = [
            control(0, 0, 9, 1),
            control(1, 0, 0, 0),
            control(2, 1, 7, 0),
            control(3, 1, 8, 0),
        ];
        assert_eq!(equally_good_controls(&c, &[]), [2]);
        // With 2 seen as well both are due, and 1 is used least.
        let c = [
            control(0, 0, 9, 1),
            control(1, 0, 0, 0),
            control(2, 1, 7, 1),
            control(3, 1, 8, 0),
        ];
        assert_eq!(equally_good_controls(&c, &[]), [1]);
        // When all but one were seen, that one comes, due or not, used or not.
        let c = [
            control(0, 0, 0, 1),
            control(1, 0, 0, 1),
            control(2, 1, 0, 1),
            control(3, 1, 99, 0),
        ];
        assert_eq!(equally_good_controls(&c, &[]), [3]);
    }

    #[test]
    fn when_all_were_seen_the_least_seen_come_again() {
        let c = [
            control(0, 0, 5, 2),
            control(1, 0, 5, 1),
            control(2, 0, 5, 1),
        ];
        assert_eq!(equally_good_controls(&c, &[]), [1, 2]);
    }

    #[test]
    fn a_suite_never_has_a_control_twice_even_across_passes() {
        let c = [
            control(0, 0, 1, 0),
            control(1, 0, 1, 1),
            control(2, 1, 1, 1),
        ];
        let mut chosen = choose_controls(&c, 3, &mut stream(1, "controls"));
        assert_eq!(chosen[0], 0);
        chosen.sort_unstable();
        assert_eq!(chosen, [0, 1, 2]);
        assert_eq!(choose_controls(&c, 5, &mut stream(1, "controls")).len(), 3);
        assert!(equally_good_controls(&c, &[0, 1, 2]).is_empty());
        assert!(equally_good_controls(&[], &[]).is_empty());
    }
}
