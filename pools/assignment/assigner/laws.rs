//! What holds for an assigner whatever annotators and the clock do.

use super::tests::{assigner, controls_of, run_out};
use super::{Assigner, State};
use proptest::prelude::*;

/// What a random annotator or clock may do next.
#[derive(Debug, Clone)]
enum Step {
    Next(u32),
    Submit(usize),
    Release(usize),
    Wait(i64),
    Ban(u32),
    BanReopen(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0u32..8).prop_map(Step::Next),
        9 => (0usize..8).prop_map(Step::Submit),
        1 => (0usize..8).prop_map(Step::Release),
        2 => (1i64..60).prop_map(Step::Wait),
        1 => (0u32..8).prop_map(Step::Ban),
        1 => (0u32..8).prop_map(Step::BanReopen),
    ]
}

/// Votes of each item by the records alone, apart from the indexed state under test.
fn votes(a: &Assigner, n_items: usize, counted: impl Fn(State) -> bool) -> Vec<u32> {
    let mut votes = vec![0; n_items];
    for id in (0..a.records.len() as u32).filter(|&id| counted(a.records[id as usize].state)) {
        a.items(id)
            .into_iter()
            .for_each(|item| votes[item as usize] += 1);
    }
    votes
}

proptest! {
    #[test]
    fn whatever_happens_the_rules_hold(
        n_items in 1usize..40, real in 1usize..7, control in 0usize..3, overlap in 1u32..4,
        strata in prop::collection::vec(0u32..4, 3..12),
        steps in prop::collection::vec(step(), 0..250),
    ) {
        let mut a = assigner(n_items, &strata, (real, control), overlap);
        let mut now = 0;
        for step in steps {
            // Recent assignments are the ones worth submitting; older ones come by chance too.
            let recent = |back: usize| (a.n_assignments().checked_sub(1 + back)).map(|id| id as u32);
            match step {
                Step::Next(annotator) => {
                    if let Some(given) = a.next(annotator, now) {
                        prop_assert_eq!(given.annotator, annotator);
                        prop_assert_eq!(a.next(annotator, now), Some(given));
                    }
                }
                Step::Submit(back) => if let Some(id) = recent(back) { a.submit(id, now).unwrap(); },
                Step::Release(back) => if let Some(id) = recent(back) { a.release(id).unwrap(); },
                Step::Wait(seconds) => now += seconds,
                Step::Ban(annotator) => a.ban(annotator),
                Step::BanReopen(annotator) => { a.ban_reopen(annotator); }
            }
            let held = votes(&a, n_items, |state| state != State::Closed);
            for (item, &votes) in held.iter().enumerate() {
                prop_assert!(votes <= overlap);
                prop_assert_eq!(votes, a.open.held(item as u32));
            }
            let accepted = votes(&a, n_items, |state| state == State::Accepted);
            prop_assert_eq!(a.progress().accepted, accepted.iter().map(|&v| u64::from(v)).sum::<u64>());
            let active: u32 = held.iter().sum::<u32>() - accepted.iter().sum::<u32>();
            prop_assert_eq!(a.progress().active, u64::from(active));
        }
        // As many fresh annotators as the overlap can always finish what is open.
        a.expire(now + 1000);
        run_out(&mut a, 100..100 + overlap, now + 1000);
        prop_assert!(a.is_complete());
        prop_assert!(votes(&a, n_items, |state| state == State::Accepted).iter().all(|&v| v == overlap));

        for annotator in (0..8).chain(100..100 + overlap) {
            let mut items: Vec<u32> = (0..a.n_assignments() as u32)
                .filter(|&id| a.records[id as usize].annotator == annotator)
                .flat_map(|id| a.items(id))
                .collect();
            let n = items.len();
            items.sort_unstable();
            items.dedup();
            prop_assert_eq!(items.len(), n, "an annotator met an item twice");
            // No control comes again while another was met less often (looked at suite by suite, as the places of
            // a suite's controls are shuffled).
            let mut seen = vec![0u32; strata.len()];
            for suite in controls_of(&a, annotator).chunks(control.max(1)) {
                suite.iter().for_each(|&c| seen[c as usize] += 1);
                prop_assert!(seen.iter().max().unwrap() - seen.iter().min().unwrap() <= 1);
            }
        }
        for id in 0..a.n_assignments() as u32 {
            let given = a.assigned(id).unwrap();
            let mut controls: Vec<u32> = given.slots.iter().filter_map(|s| s.control()).collect();
            prop_assert!((1..=real).contains(&(given.slots.len() - controls.len())));
            controls.sort_unstable();
            controls.dedup();
            prop_assert_eq!(controls.len(), control);
        }
    }
}
