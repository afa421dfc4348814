use super::*;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn candidate(block: u32, is_male: bool, group: Option<u32>, cost: u32) -> Candidate {
    Candidate {
        block,
        is_male,
        group,
        cost,
    }
}

/// Number and cost of the best of all subsets that obey the rules.
fn exhaustive(candidates: &[Candidate], cap: u32, per_group: u32) -> (usize, u64) {
    let mut best = (0, 0);
    for subset in 0_u32..1 << candidates.len() {
        let chosen: Vec<_> = (0..candidates.len())
            .filter(|i| subset >> i & 1 == 1)
            .map(|i| candidates[i])
            .collect();
        let found = (chosen.len(), chosen.iter().map(|c| u64::from(c.cost)).sum());
        let better = found.0 > best.0 || (found.0 == best.0 && found.1 < best.1);
        if better && obeys(&chosen, cap, per_group) {
            best = found;
        }
    }
    best
}

fn obeys(chosen: &[Candidate], cap: u32, per_group: u32) -> bool {
    let count = |test: &dyn Fn(&Candidate) -> bool| chosen.iter().filter(|c| test(c)).count();
    chosen.iter().all(|c| {
        let women = count(&|d| d.block == c.block && !d.is_male);
        let men = count(&|d| d.block == c.block && d.is_male);
        let group = c.group.map_or(0, |g| count(&|d| d.group == Some(g)));
        women == men && women <= cap as usize && group <= per_group as usize
    })
}

#[test]
fn without_groups_each_block_has_the_lesser_sex_and_the_most_certain_labels() {
    // Block 0: 3 women (5, 1, 3), 2 men; block 1: 1 woman, no man.
    let candidates = [
        candidate(0, false, None, 5),
        candidate(0, false, None, 1),
        candidate(0, false, None, 3),
        candidate(0, true, None, 9),
        candidate(0, true, None, 9),
        candidate(1, false, None, 0),
    ];
    let found = select(&candidates, 2, 10, 1).unwrap();
    assert_eq!(found.chosen, [1, 2, 3, 4]);
    assert_eq!((found.pairs, found.cost), (vec![2, 0], 22));
    // Of two equal men the one that stands first.
    assert_eq!(select(&candidates, 2, 1, 1).unwrap().chosen, [1, 3]);
}

#[test]
fn a_photo_gives_the_rare_block_what_the_common_one_can_have_elsewhere() {
    // Photo 7 shows an old man and a young one; the young one is the most certain, but there is another.
    let candidates = [
        candidate(0, true, Some(7), 0),
        candidate(0, true, None, 50),
        candidate(0, false, None, 0),
        candidate(1, true, Some(7), 90),
        candidate(1, false, None, 0),
    ];
    let found = select(&candidates, 2, 5, 1).unwrap();
    assert_eq!(found.chosen, [1, 2, 3, 4]);
    assert_eq!(found.relaxations, 0);
    assert_eq!(select(&candidates, 2, 5, 2).unwrap().chosen, [0, 2, 3, 4]);
}

#[test]
fn three_couples_in_an_odd_ring_give_one_pair_and_not_one_and_a_half() {
    // Each of three photos shows a woman of one block and a man of the next: any two pairs need a photo twice, and the
    // relaxation takes half of everything.
    let ring = |block: u32| {
        [
            candidate(block, false, Some(block), 0),
            candidate(block, true, Some((block + 1) % 3), block),
        ]
    };
    let candidates: Vec<_> = (0..3).flat_map(ring).collect();
    let found = select(&candidates, 3, 5, 1).unwrap();
    assert_eq!(found.chosen, [0, 1]);
    assert!(found.relaxations > 0);
}

#[test]
fn impossible_inputs_are_errors_and_empty_ones_are_not() {
    assert_eq!(select(&[], 0, 5, 1).unwrap().chosen, [0_usize; 0]);
    let one = [candidate(3, true, None, 0)];
    assert!(matches!(
        select(&one, 3, 5, 1),
        Err(Error::Item { item: 0, .. })
    ));
    assert!(select(&one, 4, 5, 0).is_err());
    assert_eq!(select(&one, 4, 5, 1).unwrap().pairs, [0; 4]);
}

#[test]
fn caps_by_hand() {
    assert_eq!(even_cap(&[0, 3, 9, 40, 50, 60]), 40);
    assert_eq!(even_cap(&[10, 20]), 20);
    assert_eq!(even_cap(&[0]), 0);
    // 2·(3 + 5 + 5) = 26, 2·(3 + 6 + 6) = 30.
    assert_eq!(cap_for_size(&[3, 9, 40], 29), 5);
    assert_eq!(cap_for_size(&[3, 9, 40], 30), 6);
    assert_eq!(cap_for_size(&[3, 9, 40], 104), u32::MAX);
    assert_eq!(cap_for_size(&[3, 9, 40], 0), 0);
    assert_eq!(cap_for_size(&[], 0), u32::MAX);
}

/// Candidates as of photographs with a few people each.
fn crowd(n: usize, blocks: u32, people: usize, seed: u64) -> Vec<Candidate> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n)
        .map(|_| {
            let block = (f64::from(blocks) * rng.random::<f64>().powi(2)) as u32;
            candidate(
                block.min(blocks - 1),
                rng.random_bool(0.6),
                Some(rng.random_range(0..(n / people) as u32)),
                rng.random_range(0..10_000),
            )
        })
        .collect()
}

#[test]
fn a_thousand_photos_of_three_people_obey_the_rules_and_leave_nothing_to_add() {
    for cap in [20, 60, 1000] {
        let candidates = crowd(3000, 12, 3, u64::from(cap));
        let found = select(&candidates, 12, cap, 1).unwrap();
        let chosen: Vec<_> = found.chosen.iter().map(|&i| candidates[i]).collect();
        assert!(obeys(&chosen, cap, 1));
        assert_eq!(chosen.len() as u32, 2 * found.pairs.iter().sum::<u32>());
        assert!(found.pairs.iter().all(|&n| n <= cap));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn the_optimum_is_that_of_an_exhaustive_search(
        given in prop::collection::vec((0u32..3, any::<bool>(), 0u32..5, 0u32..6), 0..13),
        cap in 1u32..4,
        per_group in 1u32..3,
    ) {
        // Group 4 stands for none.
        let candidates: Vec<_> = given
            .iter()
            .map(|&(block, is_male, group, cost)| candidate(block, is_male, (group < 4).then_some(group), cost))
            .collect();
        let found = select(&candidates, 3, cap, per_group).unwrap();
        let chosen: Vec<_> = found.chosen.iter().map(|&i| candidates[i]).collect();
        prop_assert!(obeys(&chosen, cap, per_group));
        prop_assert_eq!((chosen.len(), found.cost), exhaustive(&candidates, cap, per_group));
        prop_assert_eq!(found.chosen.len() as u32, 2 * found.pairs.iter().sum::<u32>());
    }

    #[test]
    fn where_couples_contend_the_optimum_is_that_of_an_exhaustive_search(
        given in prop::collection::vec((0u32..4, any::<bool>(), 0u32..6, 0u32..3), 8..14),
    ) {
        let candidates: Vec<_> = given
            .iter()
            .map(|&(block, is_male, group, cost)| candidate(block, is_male, Some(group), cost))
            .collect();
        let found = select(&candidates, 4, 9, 1).unwrap();
        prop_assert_eq!((found.chosen.len(), found.cost), exhaustive(&candidates, 9, 1));
    }
}
