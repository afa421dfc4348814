//! Pairs of annotators who answer the same items alike more often than the items and their own habits explain: one copies, or one person
//! works under two names.

use super::tail::at_least;
use crate::Error;
use crate::error::check_setting;
use crate::scoring::number::check_level;
use rayon::prelude::*;
use serde::Serialize;

/// How pairs are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CollusionSettings {
    /// One less the probability that any honest pair is suspected: 0.95.
    pub level: f64,
    /// Pairs with fewer common items are not compared: 10.
    pub least: usize,
    /// Pairs whose likeness is explained by less copying than this are not suspected, however surely they agree: 0.2. The good agree with
    /// each other more than the model says.
    pub copied: f64,
    /// Answers that are multiples of this are round: 5. `None` for labels, which have no round ones.
    pub round: Option<f64>,
}

impl Default for CollusionSettings {
    fn default() -> Self {
        Self {
            level: 0.95,
            least: 10,
            copied: 0.2,
            round: Some(5.0),
        }
    }
}

/// One answer; equal values are equal answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Given {
    /// The annotator.
    pub annotator: u32,
    /// The item.
    pub item: u32,
    /// The answer, or the index of a label.
    pub value: f64,
}

/// Two annotators on the items both answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pair {
    /// The one with the smaller index.
    pub first: u32,
    /// The other.
    pub second: u32,
    /// Items both answered.
    pub common: usize,
    /// Of these, answered alike.
    pub equal: usize,
    /// How many would be alike by chance.
    pub expected: f64,
    /// Probability of as many by chance, for this pair alone.
    pub p: f64,
    /// The same for the most alike of all pairs compared (Bonferroni): below `1 − level`, with enough `copied`, the pair is suspected.
    pub p_all: f64,
    /// Share of the answers that was copied, were copying the only reason: `(equal − expected)/(common − expected)`.
    pub copied: f64,
    /// Whether the pair is suspected.
    pub suspected: bool,
}

/// All pairs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Collusion {
    /// Pairs with enough common items.
    pub compared: usize,
    /// Pairs with some, but too few.
    pub too_few: usize,
    /// Share of equal answers of all pairs of votes on an item.
    pub usual: f64,
    /// Pairs compared, the most suspicious first.
    pub pairs: Vec<Pair>,
    /// Groups of annotators who are linked by suspected pairs, the largest first.
    pub groups: Vec<Vec<u32>>,
}

/// Pseudo-observations with which small counts are held near the overall share.
const PRIOR: f64 = 5.0;

/// Compares every pair of annotators with enough common items; at most one answer per annotator and item (the first is taken).
///
/// The chance that a and b are equal on an item is the largest of three: the share of equal pairs among the *other* votes on the item (easy items
/// make everybody equal); `Σ_v p_a(v) p_b(v)` with the annotators' own distributions of answers (two who always say 30 are equal); and
/// `r_a r_b` times the share of other pairs that would be equal if all rounded their answers, `r` an annotator's share of round answers
/// (two who round meet on the same round number). It is multiplied by how much more often than expected a and b are equal to *everybody else* (the good
/// agree with each other). The number of equal answers is then judged by the Poisson binomial distribution, and the level is shared among
/// all pairs.
///
/// Errors: a setting is out of range, a value is not finite. Deterministic; order does not matter.
pub fn collusion(given: &[Given], settings: &CollusionSettings) -> Result<Collusion, Error> {
    check_level(settings.level)?;
    let enough = settings.least >= 2;
    check_setting(enough, "least", settings.least as f64, "must be at least 2")?;
    if let Some(row) = given.iter().position(|g| !g.value.is_finite()) {
        let reason = format!("answer {row} is not finite");
        return Err(Error::Points { reason });
    }
    let crowd = Crowd::new(given, settings.round);
    let n = crowd.of.len();
    // First pass: how alike each is to everybody. Second pass: each pair against that.
    let rows: Vec<(f64, f64)> = (0..n as u32)
        .into_par_iter()
        .map(|a| {
            let mut sums = (0.0, 0.0);
            crowd.partners(a, false, |_, common| {
                for &(equal, chance) in common {
                    sums.0 += f64::from(u8::from(equal));
                    sums.1 += chance;
                }
            });
            sums
        })
        .collect();
    let found: Vec<(Vec<Pair>, usize)> = (0..n as u32)
        .into_par_iter()
        .map(|a| {
            let (mut pairs, mut too_few) = (Vec::new(), 0);
            crowd.partners(a, true, |b, common| {
                if common.len() < settings.least {
                    too_few += 1;
                    return;
                }
                let equal = common.iter().filter(|c| c.0).count();
                let expected: f64 = common.iter().map(|c| c.1).sum();
                let likeness = |who: u32| {
                    let (all, chance) = rows[who as usize];
                    (all - equal as f64 + PRIOR) / (chance - expected + PRIOR)
                };
                let factor = (likeness(a) * likeness(b)).max(1.0);
                let chances: Vec<f64> = common.iter().map(|c| (c.1 * factor).min(0.999)).collect();
                let expected: f64 = chances.iter().sum();
                let p = if (equal as f64) <= expected {
                    1.0
                } else {
                    at_least(equal, &chances)
                };
                let rest = common.len() as f64 - expected;
                pairs.push(Pair {
                    first: a,
                    second: b,
                    common: common.len(),
                    equal,
                    expected,
                    p,
                    p_all: 1.0,
                    copied: if rest > 0.0 {
                        ((equal as f64 - expected) / rest).max(0.0)
                    } else {
                        0.0
                    },
                    suspected: false,
                });
            });
            (pairs, too_few)
        })
        .collect();
    let too_few = found.iter().map(|f| f.1).sum();
    let mut pairs: Vec<Pair> = found.into_iter().flat_map(|f| f.0).collect();
    let compared = pairs.len();
    for pair in &mut pairs {
        pair.p_all = (pair.p * compared as f64).min(1.0);
        pair.suspected = pair.p_all <= 1.0 - settings.level && pair.copied >= settings.copied;
    }
    pairs.sort_by(|x, y| {
        x.p.total_cmp(&y.p)
            .then(y.copied.total_cmp(&x.copied))
            .then((x.first, x.second).cmp(&(y.first, y.second)))
    });
    Ok(Collusion {
        compared,
        too_few,
        usual: crowd.usual,
        groups: groups(&pairs, n),
        pairs,
    })
}

/// Annotators linked by suspected pairs.
fn groups(pairs: &[Pair], n: usize) -> Vec<Vec<u32>> {
    let mut label: Vec<u32> = (0..n as u32).collect();
    for pair in pairs.iter().filter(|p| p.suspected) {
        let (a, b) = (label[pair.first as usize], label[pair.second as usize]);
        let (low, high) = (a.min(b), a.max(b));
        label
            .iter_mut()
            .filter(|l| **l == high)
            .for_each(|l| *l = low);
    }
    let mut groups: Vec<Vec<u32>> = vec![Vec::new(); n];
    for (who, &at) in label.iter().enumerate() {
        groups[at as usize].push(who as u32);
    }
    groups.retain(|g| g.len() > 1);
    groups.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    groups
}

/// Votes by item and by annotator.
struct Crowd {
    /// By annotator: item and place of the answer among the different answers on the item.
    of: Vec<Vec<(u32, u32)>>,
    /// By item: annotator and place of the answer.
    on: Vec<Vec<(u32, u32)>>,
    /// By item: votes for each different answer, and pairs of equal ones.
    counts: Vec<(Vec<u32>, f64)>,
    /// By item, were all answers rounded: the place of each different answer among the round ones, votes for each of these, and pairs of equal
    /// ones.
    rounded: Vec<(Vec<u32>, Vec<u32>, f64)>,
    /// By annotator: share of round answers; 0 where none are.
    round: Vec<f64>,
    /// By annotator: different answers, ascending, and their shares.
    habits: Vec<Vec<(f64, f64)>>,
    usual: f64,
}

impl Crowd {
    fn new(given: &[Given], round: Option<f64>) -> Self {
        let mut rows: Vec<(u32, u32, f64)> = given
            .iter()
            .map(|g| (g.item, g.annotator, g.value + 0.0))
            .collect();
        // A stable sort: the first answer of an annotator on an item stays the first.
        rows.sort_by_key(|r| (r.0, r.1));
        rows.dedup_by_key(|r| (r.0, r.1));
        let n = rows.iter().map(|r| r.1 as usize + 1).max().unwrap_or(0);
        let items = rows.last().map_or(0, |r| r.0 as usize + 1);
        let (mut of, mut on) = (vec![Vec::new(); n], vec![Vec::new(); items]);
        let mut counts = vec![(Vec::new(), 0.0); items];
        let mut rounded =
            vec![(Vec::new(), Vec::new(), 0.0); if round.is_some() { items } else { 0 }];
        let mut answers: Vec<Vec<f64>> = vec![Vec::new(); n];
        let (mut equal, mut all) = (0.0, 0.0);
        for votes in rows.chunk_by(|a, b| a.0 == b.0) {
            let mut values: Vec<f64> = votes.iter().map(|v| v.2).collect();
            values.sort_unstable_by(f64::total_cmp);
            values.dedup();
            let mut times = vec![0u32; values.len()];
            let item = votes[0].0;
            for &(_, who, value) in votes {
                let at = values.partition_point(|v| *v < value) as u32;
                times[at as usize] += 1;
                of[who as usize].push((item, at));
                on[item as usize].push((who, at));
                answers[who as usize].push(value);
            }
            let pairs = |n: f64| n * (n - 1.0) / 2.0;
            let same: f64 = times.iter().map(|t| pairs(f64::from(*t))).sum();
            equal += same;
            all += pairs(votes.len() as f64);
            if let Some(step) = round {
                let (mut places, mut near): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
                for (i, (value, t)) in values.iter().zip(&times).enumerate() {
                    let round = |v: f64| (v / step).round();
                    if i == 0 || round(values[i - 1]) != round(*value) {
                        near.push(0);
                    }
                    places.push(near.len() as u32 - 1);
                    if let Some(last) = near.last_mut() {
                        *last += t;
                    }
                }
                let same_near = near.iter().map(|t| pairs(f64::from(*t))).sum();
                rounded[item as usize] = (places, near, same_near);
            }
            counts[item as usize] = (times, same);
        }
        let round = answers
            .iter()
            .map(|own| {
                let Some(step) = round.filter(|_| !own.is_empty()) else {
                    return 0.0;
                };
                let on = own.iter().filter(|v| (*v / step).fract() == 0.0);
                on.count() as f64 / own.len() as f64
            })
            .collect();
        let habits = answers
            .into_iter()
            .map(|mut own| {
                own.sort_unstable_by(f64::total_cmp);
                let n = own.len() as f64;
                own.chunk_by(|a, b| a == b)
                    .map(|c| (c[0], c.len() as f64 / n))
                    .collect()
            })
            .collect();
        Self {
            of,
            on,
            counts,
            rounded,
            round,
            habits,
            usual: if all > 0.0 { equal / all } else { 0.0 },
        }
    }

    /// Calls `each` with everybody who shares an item with `a` (only those after `a`, if asked), and for each common item whether the
    /// answers are equal and the chance of that.
    fn partners(&self, a: u32, after: bool, mut each: impl FnMut(u32, &[(bool, f64)])) {
        let mut common: Vec<Vec<(bool, f64)>> = vec![Vec::new(); self.of.len()];
        for &(item, mine) in &self.of[a as usize] {
            let (times, same) = &self.counts[item as usize];
            let votes = &self.on[item as usize];
            for &(b, theirs) in votes {
                if b == a || (after && b < a) {
                    continue;
                }
                let equal = mine == theirs;
                let n = votes.len() as f64 - 2.0;
                // Of the pairs that are left when a and b are taken out, the share of equal ones.
                let left = |times: &[u32], same: f64, mine: u32, theirs: u32| {
                    let with = |at: u32| f64::from(times[at as usize]) - 1.0;
                    let both = f64::from(u8::from(mine == theirs));
                    let others = same - with(mine) - with(theirs) + both;
                    (others + PRIOR * self.usual) / (n * (n - 1.0) / 2.0 + PRIOR)
                };
                let mut chance = left(times, *same, mine, theirs);
                if let Some((places, times, same)) = self.rounded.get(item as usize) {
                    let (mine, theirs) = (places[mine as usize], places[theirs as usize]);
                    let round = self.round[a as usize] * self.round[b as usize];
                    chance = chance.max(round * left(times, *same, mine, theirs));
                }
                common[b as usize].push((equal, chance));
            }
        }
        for (b, mut common) in common.into_iter().enumerate().filter(|c| !c.1.is_empty()) {
            let habit = alike(&self.habits[a as usize], &self.habits[b]);
            common.iter_mut().for_each(|c| c.1 = c.1.max(habit));
            each(b as u32, &common);
        }
    }
}

/// `Σ p_a(v) p_b(v)`.
fn alike(a: &[(f64, f64)], b: &[(f64, f64)]) -> f64 {
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    while i < a.len() && j < b.len() {
        if a[i].0 < b[j].0 {
            i += 1;
        } else if a[i].0 > b[j].0 {
            j += 1;
        } else {
            sum += a[i].1 * b[j].1;
            i += 1;
            j += 1;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Normal};

    /// 30 annotators on 120 items, 12 votes each; of `copy` the second takes over answers of the first with this probability.
    fn crowd(seed: u64, copy: Option<f64>) -> Vec<Given> {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let skill: Vec<f64> = (0..30).map(|u| if u < 6 { 2.0 } else { 7.0 }).collect();
        let mut given = Vec::new();
        for item in 0..120u32 {
            let truth: f64 = rng.random_range(5.0..80.0);
            let shared = Normal::new(0.0, 3.0).unwrap().sample(rng);
            let mut who: Vec<u32> = (2..30).collect();
            for i in (1..who.len()).rev() {
                who.swap(i, rng.random_range(0..=i));
            }
            who.truncate(10);
            let mut first = 0.0;
            for annotator in [0, 1].into_iter().chain(who) {
                let noise = Normal::new(0.0, skill[annotator as usize])
                    .unwrap()
                    .sample(rng);
                let mut value = (truth + shared + noise).round();
                if annotator % 5 == 4 {
                    value = (value / 5.0).round() * 5.0;
                }
                if annotator == 0 {
                    first = value;
                }
                if annotator == 1 && copy.is_some_and(|share| rng.random_bool(share)) {
                    value = first;
                }
                given.push(Given {
                    annotator,
                    item,
                    value,
                });
            }
        }
        given
    }

    #[test]
    fn who_copies_is_found_and_the_good_and_the_round_are_not() {
        let mut falsely = 0;
        for seed in 0..20 {
            let honest = collusion(&crowd(seed, None), &CollusionSettings::default()).unwrap();
            falsely += u32::from(honest.pairs[0].suspected);
            let copied = collusion(&crowd(seed, Some(0.5)), &CollusionSettings::default()).unwrap();
            let top = &copied.pairs[0];
            assert!(
                top.suspected && (top.first, top.second) == (0, 1),
                "{top:?}"
            );
            assert!((top.copied - 0.5).abs() < 0.15, "{top:?}");
            assert_eq!(copied.groups[0], [0, 1]);
        }
        assert!(falsely <= 3, "{falsely} of 20 honest crowds were suspected");
    }

    #[test]
    fn a_pair_by_hand() {
        // One item, three votes 7, 7, 8: others of the pair (0, 1) are one vote, no pair, so the chance is the usual share 1/3.
        let g = |annotator, item, value| Given {
            annotator,
            item,
            value,
        };
        let mut given = vec![g(0, 0, 7.0), g(1, 0, 7.0), g(2, 0, 8.0)];
        let crowd = Crowd::new(&given, None);
        assert!((crowd.usual - 1.0 / 3.0).abs() < 1e-15);
        crowd.partners(0, true, |b, common| {
            let habit: f64 = if b == 1 { 1.0 } else { 0.0 };
            assert_eq!(common, [(b == 1, habit.max(1.0 / 3.0))]);
        });
        given.push(g(0, 0, 9.0));
        let again = collusion(&given, &CollusionSettings::default()).unwrap();
        assert_eq!((again.compared, again.too_few), (0, 3));
    }

    #[test]
    fn order_does_not_matter_and_bad_input_is_an_error() {
        let mut given = crowd(3, Some(0.3));
        let one = collusion(&given, &CollusionSettings::default()).unwrap();
        given.reverse();
        assert_eq!(
            one,
            collusion(&given, &CollusionSettings::default()).unwrap()
        );
        given[0].value = f64::NAN;
        assert!(collusion(&given, &CollusionSettings::default()).is_err());
        let none = collusion(&[], &CollusionSettings::default()).unwrap();
        assert_eq!((none.compared, none.usual), (0, 0.0));
    }
}
