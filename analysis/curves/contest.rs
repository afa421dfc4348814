//! Who is better where: two sides on the same items, range by range.

use serde::Serialize;

use super::{CurveSettings, ItemError, Mean, Ranges, means};
use crate::error::check_truths;
use crate::interval::t_quantile;
use crate::{Error, Interval};

/// Two sides to be compared, an entry per item each. Only items that both have, and whose truth is known, count.
#[derive(Debug, Clone, Copy)]
pub struct Pairing<'a> {
    /// Known answers. Hide those of items that do not belong (men, say, to compare on women).
    pub truth: &'a [Option<f64>],
    /// Errors of the one side.
    pub first: &'a [Option<ItemError>],
    /// Errors of the other.
    pub second: &'a [Option<ItemError>],
}

/// How a range was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The first side errs less.
    First,
    /// The second side errs less.
    Second,
    /// The interval of the difference holds 0.
    Undecided,
    /// Fewer than [`CurveSettings::thin`] common items: not tested.
    TooFew,
}

/// Two sides on the items of one range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Duel {
    /// Index of the range.
    pub range: usize,
    /// Common items.
    pub items: usize,
    /// Mean |error| of the first side on them.
    pub first: f64,
    /// Mean |error| of the second side.
    pub second: f64,
    /// `first − second`: negative where the first side is better.
    pub difference: f64,
    /// Its simultaneous interval; `None` if not tested.
    pub interval: Option<Interval>,
    /// Who is better.
    pub verdict: Verdict,
}

/// Neighbouring ranges that one side won.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Won {
    /// Index of the first range.
    pub from: usize,
    /// Index of the last one.
    pub to: usize,
    /// [`Verdict::First`] or [`Verdict::Second`].
    pub winner: Verdict,
    /// Common items in them.
    pub items: usize,
    /// By how much the winner errs less on average over these items.
    pub by: f64,
    /// Its interval, at the level of the single ranges.
    pub interval: Interval,
}

/// The outcome of one pairing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contest {
    /// Items that both sides have.
    pub items: usize,
    /// Mean |error| of the first side on them.
    pub first: f64,
    /// Mean |error| of the second side.
    pub second: f64,
    /// `first − second` over all common items in any range, with its own bootstrap interval; `None` without common items.
    pub difference: Option<Mean>,
    /// Range by range; ranges without common items are left out.
    pub duels: Vec<Duel>,
    /// Ranges that are won, neighbours joined.
    pub won: Vec<Won>,
    /// How many ranges of all pairings were tested together.
    pub tested: usize,
    /// Level of a single range's interval, so that all hold together at [`CurveSettings::level`].
    pub single_level: f64,
}

/// Compares pairs of sides range by range, item by item (paired), all ranges of all pairings together at one level.
///
/// In each range with enough common items the mean of `|e_first| − |e_second|` gets Student's interval at the level
/// `level^(1/m)`, m being the number of ranges tested in all pairings (Šidák 1967): the chance that any of the m intervals
/// misses its true difference is at most `1 − level`. A range is won if its interval does not hold 0. The mean of |e| over an
/// item's votes is one number, so what votes on one item share is no false evidence. Student's interval wants differences whose
/// mean is near normal: that is why thin ranges are not tested. Errors if lengths differ or a setting is out of range.
pub fn contests(
    pairings: &[Pairing<'_>],
    ranges: &Ranges,
    settings: &CurveSettings,
) -> Result<Vec<Contest>, Error> {
    settings.check()?;
    let mut tables = Vec::with_capacity(pairings.len());
    for pairing in pairings {
        check_truths(pairing.truth.len(), pairing.first.len())?;
        check_truths(pairing.truth.len(), pairing.second.len())?;
        let mut table: Vec<Vec<[f64; 2]>> = vec![Vec::new(); ranges.len()];
        for ((truth, a), b) in pairing.truth.iter().zip(pairing.first).zip(pairing.second) {
            if let (Some(truth), Some(a), Some(b)) = (truth, a, b)
                && let Some(range) = ranges.index(*truth)
            {
                table[range].push([a.absolute, b.absolute]);
            }
        }
        for rows in &mut table {
            rows.sort_unstable_by(|x, y| x[0].total_cmp(&y[0]).then(x[1].total_cmp(&y[1])));
        }
        tables.push(table);
    }
    let enough = |rows: &&Vec<[f64; 2]>| rows.len() >= settings.thin;
    let tested = tables.iter().flatten().filter(enough).count();
    let single_level = settings.level.powf(1.0 / tested.max(1) as f64);
    Ok(tables
        .iter()
        .map(|table| contest(table, tested, single_level, settings))
        .collect())
}

fn contest(
    table: &[Vec<[f64; 2]>],
    tested: usize,
    single_level: f64,
    settings: &CurveSettings,
) -> Contest {
    let all: Vec<[f64; 2]> = table.iter().flatten().copied().collect();
    let duels: Vec<Duel> = table
        .iter()
        .enumerate()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(range, rows)| {
            let interval = (rows.len() >= settings.thin).then(|| student(rows, single_level));
            let (first, second) = (mean(rows, 0), mean(rows, 1));
            let verdict = match interval {
                None => Verdict::TooFew,
                Some(i) if i.high < 0.0 => Verdict::First,
                Some(i) if i.low > 0.0 => Verdict::Second,
                Some(_) => Verdict::Undecided,
            };
            Duel {
                range,
                items: rows.len(),
                first,
                second,
                difference: first - second,
                interval,
                verdict,
            }
        })
        .collect();
    let mut won: Vec<Won> = Vec::new();
    for duel in &duels {
        if !matches!(duel.verdict, Verdict::First | Verdict::Second) {
            continue;
        }
        let joined = won
            .last()
            .filter(|w| w.winner == duel.verdict && w.to + 1 == duel.range)
            .map(|w| w.from);
        let from = joined.unwrap_or(duel.range);
        if joined.is_some() {
            won.pop();
        }
        let rows: Vec<[f64; 2]> = table[from..=duel.range].concat();
        let difference = mean(&rows, 0) - mean(&rows, 1);
        let Interval { low, high } = student(&rows, single_level);
        let first = duel.verdict == Verdict::First;
        won.push(Won {
            from,
            to: duel.range,
            winner: duel.verdict,
            items: rows.len(),
            by: difference.abs(),
            interval: if first {
                Interval {
                    low: -high,
                    high: -low,
                }
            } else {
                Interval { low, high }
            },
        });
    }
    Contest {
        items: all.len(),
        first: mean(&all, 0),
        second: mean(&all, 1),
        difference: (!all.is_empty()).then(|| {
            let [mean] = means(all.iter().map(|r| [r[0] - r[1]]).collect(), settings);
            mean
        }),
        duels,
        won,
        tested,
        single_level,
    }
}

fn mean(rows: &[[f64; 2]], side: usize) -> f64 {
    rows.iter().map(|r| r[side]).sum::<f64>() / rows.len() as f64
}

/// Student's interval of the mean difference of at least two rows.
fn student(rows: &[[f64; 2]], level: f64) -> Interval {
    let n = rows.len() as f64;
    let middle = rows.iter().map(|r| r[0] - r[1]).sum::<f64>() / n;
    let squares: f64 = rows.iter().map(|r| (r[0] - r[1] - middle).powi(2)).sum();
    let half = t_quantile(level, n - 1.0) * (squares / (n - 1.0) / n).sqrt();
    Interval {
        low: middle - half,
        high: middle + half,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curves::Answers;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Normal};

    type Side = Vec<Option<ItemError>>;

    /// Items of truths 0..100; the first side errs by N(0, 4²), the second by N(0, 4²) below 50 and by `later` above; what both
    /// find hard is hard for both.
    fn two_sides(n: usize, later: f64, seed: u64) -> (Vec<Option<f64>>, Side, Side) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let normal = Normal::new(0.0, 1.0).unwrap();
        let (mut truth, mut a, mut b) = (vec![], vec![], vec![]);
        for _ in 0..n {
            let z: f64 = rng.random_range(0.0..100.0);
            let shared = 3.0 * normal.sample(rng);
            let sd = if z < 50.0 { 4.0 } else { later };
            truth.push(Some(z));
            a.push(Some(z + shared + 4.0 * normal.sample(rng)));
            b.push(Some(z + shared + sd * normal.sample(rng)));
        }
        let errors = |v: Vec<Option<f64>>| Answers::Estimates(v).errors(&truth).unwrap();
        let (a, b) = (errors(a), errors(b));
        (truth, a, b)
    }

    fn settings() -> CurveSettings {
        CurveSettings {
            resamples: 20,
            ..CurveSettings::default()
        }
    }

    #[test]
    fn one_range_as_worked_by_hand() {
        // |e| 1, 2, 3 against 2, 4, 3: differences −1, −2, 0, mean −1, sd 1; t(2) at 95 % = 4.3027, half 4.3027/√3 = 2.4842.
        let truth = vec![Some(0.0); 3];
        let errors = |v: [f64; 3]| {
            Answers::Estimates(v.map(Some).to_vec())
                .errors(&truth)
                .unwrap()
        };
        let (first, second) = (errors([1.0, -2.0, 3.0]), errors([2.0, 4.0, -3.0]));
        let pairing = Pairing {
            truth: &truth,
            first: &first,
            second: &second,
        };
        let ranges = Ranges::from_starts(&[0.0], true).unwrap();
        let c = &contests(
            &[pairing],
            &ranges,
            &CurveSettings {
                thin: 2,
                ..settings()
            },
        )
        .unwrap()[0];
        let interval = c.duels[0].interval.unwrap();
        assert_eq!(
            (c.duels[0].difference, c.tested, c.duels[0].verdict),
            (-1.0, 1, Verdict::Undecided)
        );
        assert!(
            (interval.high - 1.4842).abs() < 1e-3 && (interval.low + 3.4842).abs() < 1e-3,
            "{interval:?}"
        );
        let few = &contests(&[pairing], &ranges, &settings()).unwrap()[0];
        assert_eq!((few.duels[0].verdict, few.tested), (Verdict::TooFew, 0));
    }

    #[test]
    fn sides_that_are_equally_good_win_nothing_in_95_of_100_runs() {
        let ranges = Ranges::even(&[Some(0.0), Some(99.0)], Some(5.0)).unwrap();
        let mut wrong = 0;
        for seed in 0..200 {
            let (truth, a, b) = two_sides(600, 4.0, seed);
            let pairing = Pairing {
                truth: &truth,
                first: &a,
                second: &b,
            };
            let c = &contests(&[pairing], &ranges, &settings()).unwrap()[0];
            assert_eq!(c.tested, 20);
            wrong += usize::from(!c.won.is_empty());
        }
        // 10 expected; without holding the comparisons together it would be 128.
        assert!(wrong <= 18, "{wrong} of 200 runs");
    }

    #[test]
    fn the_side_that_is_better_from_fifty_on_wins_there_and_only_there() {
        let (truth, a, b) = two_sides(6000, 10.0, 5);
        let pairing = Pairing {
            truth: &truth,
            first: &a,
            second: &b,
        };
        let back = Pairing {
            truth: &truth,
            first: &b,
            second: &a,
        };
        let ranges = Ranges::even(&truth, Some(10.0)).unwrap();
        let c = &contests(&[pairing, back], &ranges, &settings()).unwrap();
        assert_eq!(c[0].won.len(), 1, "{:?}", c[0].won);
        let won = c[0].won[0];
        assert_eq!((won.from, won.to, won.winner), (5, 9, Verdict::First));
        // √(2/π) · (√(9+100) − √(9+16)) = 4.34.
        assert!(
            won.interval.contains(4.34) && (won.by - 4.34).abs() < 0.4,
            "{won:?}"
        );
        let other = c[1].won[0];
        assert_eq!(other.winner, Verdict::Second);
        assert!((other.interval.low - won.interval.low).abs() < 1e-9);
        assert_eq!(c[0].tested, 20);
        assert!((c[0].single_level - 0.95f64.powf(0.05)).abs() < 1e-12);
    }

    #[test]
    fn items_that_only_one_side_has_do_not_count() {
        let truth = vec![Some(0.0), Some(1.0), None];
        let errors = |v: [Option<f64>; 3]| Answers::Estimates(v.to_vec()).errors(&truth).unwrap();
        let first = errors([Some(1.0), None, Some(5.0)]);
        let second = errors([Some(2.0), Some(2.0), Some(5.0)]);
        let ranges = Ranges::from_starts(&[0.0], true).unwrap();
        let pairing = Pairing {
            truth: &truth,
            first: &first,
            second: &second,
        };
        let c = &contests(&[pairing], &ranges, &settings()).unwrap()[0];
        assert_eq!((c.items, c.difference.unwrap().value), (1, -1.0));
        let none = errors([None; 3]);
        let empty = Pairing {
            second: &none,
            ..pairing
        };
        let c = &contests(&[empty], &ranges, &settings()).unwrap()[0];
        assert_eq!((c.items, c.difference, c.duels.len()), (0, None, 0));
    }
}
