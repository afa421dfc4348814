//! Annotators whose answers are somebody else's: on the same items, or in the same sequence on different ones.

use super::peers::Partner;
use super::{Given, History};
use crate::Answer;
use std::collections::BTreeMap;

/// Share of answers that a copyist copies, for finding whom to compare with; the rule has its own.
const COPIED: f64 = 0.9;

/// Equality by chance is never less probable than this, or one pair of rare answers would decide alone, nor more than one less
/// this.
const LEAST_CHANCE: f64 = 1e-3;

/// How many answers the crowd's chance of equality counts as in an item's own.
const PRIOR_ANSWERS: f64 = 3.0;

/// Answers in a row that two streams must have in common to be compared.
const BLOCK: usize = 8;

/// How many of those who are alike at first sight are compared item by item.
const CANDIDATES: usize = 3;

/// For everybody the annotator whose answers are most alike.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Copies {
    /// How many others one is compared with.
    pub(super) others: u32,
    /// By annotator.
    pub(super) closest: Vec<Option<Copy>>,
}

/// An annotator's answers beside those of another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Copy {
    pub(super) partner: Partner,
    /// In the annotator's own order.
    pub(super) rows: Vec<Pair>,
}

/// One answer beside the partner's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    pub(super) sequence: u32,
    pub(super) equal: bool,
    /// How probable it is that two annotators give equal answers here who do not know of each other.
    pub(super) chance: f64,
}

impl Pair {
    /// Logarithm of how much more probable this is if `share` of the answers are copied.
    pub(super) fn log_ratio(&self, share: f64) -> f64 {
        if self.equal {
            ((self.chance + share * (1.0 - self.chance)) / self.chance).ln()
        } else {
            (1.0 - share).ln()
        }
    }
}

/// An annotator's answer to an item, its value as a key.
#[derive(Debug, Clone, Copy)]
struct Entry {
    who: u32,
    item: u32,
    key: u64,
    sequence: u32,
}

/// All answers to a question, by annotator and by item.
struct Ballots {
    people: Vec<Vec<Entry>>,
    entries: Vec<Entry>,
    /// First entry of every item, and the end.
    starts: Vec<usize>,
    /// Keys of known answers.
    truths: Vec<Option<u64>>,
    /// Mean chance that two answers to one item are equal.
    chance: f64,
    /// Share of exactly right answers on controls, by annotator, shrunk.
    exact: Vec<f64>,
    /// How much more common an answer is than a random answer's answer is on average: 1 for all alike.
    popularity: BTreeMap<u64, f64>,
    /// By what factor the odds of an annotator's answers to equal those of others exceed what items and answers explain, by
    /// annotator; at least 1. Who likes round numbers, or is mostly right, agrees with everybody more often.
    habit: Vec<f64>,
}

fn key(answer: Answer) -> Option<u64> {
    match answer {
        Answer::Number(value) => Some((value + 0.0).to_bits()),
        Answer::Choice(index) => Some(u64::from(index)),
        Answer::Unsure => None,
    }
}

impl Copies {
    /// From everybody's answers to a question; unsure answers are passed over. Known truths by item.
    pub(super) fn of(histories: &[History], question: u32, truths: &[Option<Answer>]) -> Self {
        let ballots = Ballots::new(histories, question, truths);
        let people = ballots.people.iter().filter(|p| !p.is_empty()).count();
        let mut found: Vec<Vec<(u32, bool)>> = ballots.on_shared_items();
        for (one, other) in ballots.in_sequence() {
            found[one as usize].push((other, false));
            found[other as usize].push((one, false));
        }
        let closest = (0u32..).zip(found).map(|(who, mut candidates)| {
            candidates.sort_unstable();
            candidates.dedup();
            let compared = candidates.into_iter().map(|(other, same_items)| Copy {
                partner: Partner {
                    annotator: other,
                    same_items,
                },
                rows: if same_items {
                    ballots.shared(who, other)
                } else {
                    ballots.aligned(who, other)
                },
            });
            let weight = |c: &Copy| c.rows.iter().map(|r| r.log_ratio(COPIED)).sum::<f64>();
            let compared = compared.filter(|c| !c.rows.is_empty());
            compared.max_by(|a, b| weight(a).total_cmp(&weight(b)))
        });
        Self {
            others: (people as u32).saturating_sub(1),
            closest: closest.collect(),
        }
    }
}

impl Ballots {
    fn new(histories: &[History], question: u32, truths: &[Option<Answer>]) -> Self {
        let entry = |who: u32, g: &Given| {
            let key = key(g.answer).filter(|_| g.question == question)?;
            Some(Entry {
                who,
                item: g.task,
                key,
                sequence: g.sequence,
            })
        };
        let people: Vec<Vec<Entry>> = (0u32..)
            .zip(histories)
            .map(|(who, h)| h.given().iter().filter_map(|g| entry(who, g)).collect())
            .collect();
        let mut entries: Vec<Entry> = people.iter().flatten().copied().collect();
        entries.sort_by_key(|e| e.item);
        let items = entries.last().map_or(0, |e| e.item as usize + 1);
        let mut starts = vec![0; items + 1];
        entries
            .iter()
            .for_each(|e| starts[e.item as usize + 1] += 1);
        for item in 0..items {
            starts[item + 1] += starts[item];
        }
        let mut ballots = Self {
            truths: (0..items)
                .map(|item| truths.get(item).copied().flatten().and_then(key))
                .collect(),
            exact: vec![0.0; people.len()],
            habit: vec![1.0; people.len()],
            popularity: popularity(&entries),
            people,
            entries,
            starts,
            chance: 0.5,
        };
        let keys = |item: usize| ballots.item(item).iter().map(|e| e.key).collect();
        let by_item: Vec<(f64, f64)> = (0..items).map(|i| collisions(keys(i))).collect();
        let equal: f64 = by_item.iter().map(|c| c.0).sum();
        let pairs: f64 = by_item.iter().map(|c| c.1).sum();
        ballots.chance = within_bounds((equal + 1.0) / (pairs + 2.0));
        let right = |e: &&Entry| ballots.truths[e.item as usize] == Some(e.key);
        let known = |e: &&Entry| ballots.truths[e.item as usize].is_some();
        let count = |people: &[Entry], of: &dyn Fn(&&Entry) -> bool| {
            people.iter().filter(|e| of(e)).count() as f64
        };
        let all = count(&ballots.entries, &known);
        if all > 0.0 {
            let mean = count(&ballots.entries, &right) / all;
            let people = ballots.people.iter();
            let shares = people.map(|p| (count(p, &right) + 2.0 * mean) / (count(p, &known) + 2.0));
            ballots.exact = shares.collect();
        }
        let habits = ballots.people.iter().map(|p| ballots.habit(p, &by_item));
        ballots.habit = habits.collect();
        ballots
    }

    /// See the field: observed against expected number of others who gave the same answer, one pair of answers more of each.
    /// `by_item` holds pairs of equal answers, and all pairs.
    fn habit(&self, own: &[Entry], by_item: &[(f64, f64)]) -> f64 {
        let (mut equal, mut expected, mut all) = (0.0, 0.0, 0.0);
        for e in own {
            let others = self.item(e.item as usize);
            let n = others.len() as f64 - 1.0;
            let (same, pairs) = by_item[e.item as usize];
            let at_item = (same + PRIOR_ANSWERS * self.chance) / (pairs + PRIOR_ANSWERS);
            equal += others.iter().filter(|x| x.key == e.key).count() as f64 - 1.0;
            expected += n * at_item;
            all += n;
        }
        let rate = |x: f64| within_bounds((x + self.chance) / (all + 1.0));
        (odds(rate(equal)) / odds(rate(expected))).max(1.0)
    }

    /// How probable it is that `other` gives the answer `own` on its item without knowing of it: by how many of the rest give it,
    /// by how common it is, by both annotators' habits, and by how often both are exactly right.
    fn chance_of(&self, own: &Entry, other: u32) -> f64 {
        let rest = self.item(own.item as usize).iter();
        let rest = rest.filter(|x| x.who != own.who && x.who != other);
        let (mut same, mut all) = (0.0, 0.0);
        for x in rest {
            all += 1.0;
            same += f64::from(u8::from(x.key == own.key));
        }
        let common = self.popularity.get(&own.key).copied().unwrap_or(1.0);
        let prior = within_bounds(self.chance * common);
        let here = within_bounds((same + PRIOR_ANSWERS * prior) / (all + PRIOR_ANSWERS));
        let (who, other) = (own.who as usize, other as usize);
        let habitual = odds(here) * self.habit[who] * self.habit[other];
        let by_skill = self.exact[who] * self.exact[other];
        within_bounds((habitual / (1.0 + habitual)).max(by_skill))
    }

    fn item(&self, item: usize) -> &[Entry] {
        &self.entries[self.starts[item]..self.starts[item + 1]]
    }

    /// For everybody those whose answers to the same items are most often equal.
    fn on_shared_items(&self) -> Vec<Vec<(u32, bool)>> {
        let n = self.people.len();
        let (mut shared, mut equal) = (vec![0u32; n], vec![0u32; n]);
        let mut met: Vec<u32> = Vec::new();
        let pair = |equal| Pair {
            sequence: 0,
            equal,
            chance: self.chance,
        };
        let (for_equal, for_other) = (pair(true).log_ratio(COPIED), pair(false).log_ratio(COPIED));
        let mut found = Vec::with_capacity(n);
        for (who, own) in (0u32..).zip(&self.people) {
            for e in own {
                for other in self.item(e.item as usize) {
                    let at = other.who as usize;
                    if shared[at] == 0 {
                        met.push(other.who);
                    }
                    shared[at] += 1;
                    equal[at] += u32::from(other.key == e.key);
                }
            }
            let mut ranked: Vec<(f64, u32)> = met
                .iter()
                .filter(|v| **v != who)
                .map(|&v| {
                    let (m, n) = (f64::from(equal[v as usize]), f64::from(shared[v as usize]));
                    (m * for_equal + (n - m) * for_other, v)
                })
                .collect();
            ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let best = ranked.iter().take(CANDIDATES);
            found.push(best.map(|(_, v)| (*v, true)).collect());
            for v in met.drain(..) {
                shared[v as usize] = 0;
                equal[v as usize] = 0;
            }
        }
        found
    }

    /// Pairs that gave the same eight answers at the same place of their sequences. Of many alike each is paired with
    /// the next.
    fn in_sequence(&self) -> Vec<(u32, u32)> {
        let mut blocks: Vec<(usize, u64, u32)> = Vec::new();
        for (who, own) in (0u32..).zip(&self.people) {
            for (place, block) in own.chunks_exact(BLOCK).enumerate() {
                // FNV-1a over whole keys: what is compared afterwards does not depend on it.
                let hash = block.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, e| {
                    (hash ^ (e.key ^ (e.key >> 32))).wrapping_mul(0x0000_0100_0000_01b3)
                });
                blocks.push((place, hash, who));
            }
        }
        blocks.sort_unstable();
        let alike = blocks
            .windows(2)
            .filter(|w| (w[0].0, w[0].1) == (w[1].0, w[1].1));
        let mut pairs: Vec<(u32, u32)> = alike.map(|w| (w[0].2, w[1].2)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// Answers of two annotators to the same items. Items to which both gave the known answer say nothing: both looked.
    fn shared(&self, who: u32, other: u32) -> Vec<Pair> {
        let theirs: BTreeMap<u32, u64> = self.people[other as usize]
            .iter()
            .map(|e| (e.item, e.key))
            .collect();
        let pair = |e: &Entry| {
            let key = *theirs.get(&e.item)?;
            let equal = key == e.key;
            if equal && self.truths[e.item as usize] == Some(key) {
                return None;
            }
            Some(Pair {
                sequence: e.sequence,
                equal,
                chance: self.chance_of(e, other),
            })
        };
        self.people[who as usize].iter().filter_map(pair).collect()
    }

    /// Answers of two annotators at the same places of their sequences, where the items differ. By chance they are equal as
    /// often as both use the same answers.
    fn aligned(&self, who: u32, other: u32) -> Vec<Pair> {
        let (own, theirs) = (&self.people[who as usize], &self.people[other as usize]);
        let (a, b) = (frequencies(own), frequencies(theirs));
        let chance = a.iter().map(|(key, n)| n * b.get(key).unwrap_or(&0.0));
        let chance = within_bounds(chance.sum());
        let both = own.iter().zip(theirs).filter(|(x, y)| x.item != y.item);
        both.map(|(x, y)| Pair {
            sequence: x.sequence,
            equal: x.key == y.key,
            chance,
        })
        .collect()
    }
}

fn odds(share: f64) -> f64 {
    share / (1.0 - share)
}

/// See the field of [`Ballots`].
fn popularity(entries: &[Entry]) -> BTreeMap<u64, f64> {
    let shares = frequencies(entries);
    let mean: f64 = shares.values().map(|s| s * s).sum();
    shares.into_iter().map(|(key, s)| (key, s / mean)).collect()
}

fn frequencies(entries: &[Entry]) -> BTreeMap<u64, f64> {
    let mut found = BTreeMap::new();
    for e in entries {
        *found.entry(e.key).or_insert(0.0) += 1.0 / entries.len() as f64;
    }
    found
}

/// Pairs of equal answers, and all pairs.
fn collisions(mut keys: Vec<u64>) -> (f64, f64) {
    keys.sort_unstable();
    let pairs = |n: usize| (n * n.saturating_sub(1)) as f64 / 2.0;
    let equal = keys.chunk_by(|a, b| a == b).map(|c| pairs(c.len())).sum();
    (equal, pairs(keys.len()))
}

fn within_bounds(chance: f64) -> f64 {
    chance.clamp(LEAST_CHANCE, 1.0 - LEAST_CHANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(rows: &[(u32, f64)]) -> History {
        let given = (0u32..).zip(rows).map(|(sequence, &(task, value))| Given {
            task,
            question: 0,
            answer: Answer::Number(value),
            seconds: None,
            sequence,
        });
        History::new(Vec::new(), given.collect())
    }

    #[test]
    fn chances_of_equal_answers_as_worked_by_hand() {
        // Item 0: 30, 30, 30, 31, 40; item 1: 50, 50, 51, 52, 53 with 50 the truth; annotators 0 and 1 are compared.
        let columns = [
            [30.0, 50.0],
            [30.0, 50.0],
            [30.0, 51.0],
            [31.0, 52.0],
            [40.0, 53.0],
        ];
        let all = columns.map(|c| history(&[(0, c[0]), (1, c[1])]));
        let ballots = Ballots::new(&all, 0, &[]);
        // Equal pairs: 3 and 1 of 10 and 10.
        assert!((ballots.chance - 5.0 / 22.0).abs() < 1e-12);
        let rows = ballots.shared(0, 1);
        assert!(rows.iter().all(|r| r.equal));
        // Shares of answers: 30 three, 50 two, 31, 40, 51, 52, 53 one tenth; sum of squares 0.18. Annotator 0 equals two of four
        // others, then one of four: 3 of 8. By the items' pairs, (3 + 3·5/22)/13 and (1 + 3·5/22)/13 of 4 each: 1.65035.
        let c = 5.0 / 22.0;
        let (rate, expected) = ((3.0 + c) / 9.0, (1.650_350 + c) / 9.0);
        let habit = rate / (1.0 - rate) * (1.0 - expected) / expected;
        assert!((ballots.habit[0] - habit).abs() < 1e-5);
        // One of the other three says 30 too: (1 + 3·c·0.3/0.18)/6.
        let here = (1.0 + 5.0 * c) / 6.0;
        let odds = here / (1.0 - here) * habit * habit;
        assert!((rows[0].chance - odds / (1.0 + odds)).abs() < 1e-5);
        let knowing = Ballots::new(&all, 0, &[None, Some(Answer::Number(50.0))]);
        assert_eq!(knowing.shared(0, 1).len(), 1);
        // Right by one and one of five answers: (1 + 2·0.4)/3.
        assert!((knowing.exact[0] - 0.6).abs() < 1e-12);
        assert!(knowing.shared(0, 1)[0].chance >= 0.36);
    }

    #[test]
    fn the_ratio_of_one_pair_as_worked_by_hand() {
        let pair = |equal| Pair {
            sequence: 0,
            equal,
            chance: 0.1,
        };
        // 0.1 + 0.8·0.9 = 0.82 against 0.1; 0.2·0.9 = 0.18 against 0.9.
        assert!((pair(true).log_ratio(0.8) - 8.2f64.ln()).abs() < 1e-12);
        assert!((pair(false).log_ratio(0.8) - 0.2f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn the_same_sequence_on_other_items_is_found_and_constant_answers_say_nothing() {
        let stream = |first: u32, value: &dyn Fn(u32) -> f64| {
            let rows: Vec<_> = (0..40).map(|k| (first + k, value(k))).collect();
            history(&rows)
        };
        let varied = |k: u32| f64::from(k * 37 % 41);
        let all = [
            stream(0, &varied),
            stream(100, &varied),
            stream(200, &|_| 30.0),
            stream(300, &|_| 30.0),
        ];
        let found = Copies::of(&all, 0, &[]);
        let weight = |who: usize| {
            let copy = found.closest[who].as_ref().unwrap();
            assert!(!copy.partner.same_items);
            copy.rows.iter().map(|r| r.log_ratio(0.8)).sum::<f64>()
        };
        assert!(weight(0) > 50.0 && weight(1) > 50.0);
        assert!(weight(2) < 0.1);
        assert_eq!(found.closest[0].as_ref().unwrap().partner.annotator, 1);
    }
}
