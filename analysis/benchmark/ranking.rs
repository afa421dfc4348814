//! Models compared on one benchmark: errors of each, and of each pair the difference on the same items.
//!
//! Every measure is a mean over items, so a difference is the mean of differences, and its interval is much narrower
//! than the two intervals suggest: models err on the same photos. Intervals are percentile bootstrap intervals (Efron
//! 1979), all models resampled by the same draws of items; normal ones above 20,000 items, where both agree.

use crate::{Error, Interval, error::check_setting, interval::normal_quantile};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

/// Above this many items the normal interval is given.
const MANY_ITEMS: usize = 20_000;

/// What one model says of each item.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelAnswers {
    /// The model's name.
    pub name: String,
    /// Age in years, item by item.
    pub age: Vec<Option<f64>>,
    /// Whether it says "man", item by item.
    pub is_male: Vec<Option<bool>>,
}

/// What is known of each item.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Known {
    /// Age in years, where it is known to the year.
    pub age: Option<f64>,
    /// The range of the true age: from, included, to, excluded.
    pub range: Option<(f64, f64)>,
    /// Whether it is a man.
    pub is_male: Option<bool>,
}

/// A measure of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Mean absolute error, years; less is better.
    Mae,
    /// Cumulative score: share of ages at most 5 years off.
    CsAt5,
    /// Share of ages inside the item's range.
    RangeAccuracy,
    /// Share of sexes that are right.
    SexAccuracy,
}

impl Metric {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 4] = [
        Self::Mae,
        Self::CsAt5,
        Self::RangeAccuracy,
        Self::SexAccuracy,
    ];

    /// As in tables: `mae`, `cs5`, `range_accuracy`, `sex_accuracy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mae => "mae",
            Self::CsAt5 => "cs5",
            Self::RangeAccuracy => "range_accuracy",
            Self::SexAccuracy => "sex_accuracy",
        }
    }

    /// Whether less is better.
    pub fn less_is_better(self) -> bool {
        self == Self::Mae
    }

    /// Its value on one item; `None` where truth or answer is missing.
    fn of(self, known: &Known, age: Option<f64>, is_male: Option<bool>) -> Option<f64> {
        let share = |right: bool| f64::from(u8::from(right));
        Some(match self {
            Self::Mae => (age? - known.age?).abs(),
            Self::CsAt5 => share((age? - known.age?).abs() <= 5.0),
            Self::RangeAccuracy => {
                let (from, to) = known.range?;
                share(from <= age? && age? < to)
            }
            Self::SexAccuracy => share(is_male? == known.is_male?),
        })
    }
}

/// One measure of one model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Which.
    pub metric: Metric,
    /// Mean over the items.
    pub value: f64,
    /// Its interval; `None` for a single item.
    pub interval: Option<Interval>,
    /// Items, the same for all models.
    pub items: usize,
}

/// The difference of two models in one measure, first minus second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Index of the first model.
    pub first: usize,
    /// Index of the second.
    pub second: usize,
    /// Which measure.
    pub metric: Metric,
    /// First minus second.
    pub value: f64,
    /// Its interval.
    pub interval: Option<Interval>,
}

impl Difference {
    /// Which model is better with the interval's confidence; `None` if that is open.
    pub fn winner(&self) -> Option<usize> {
        let interval = self.interval?;
        let first_is_less = interval.high < 0.0;
        if !first_is_less && interval.low <= 0.0 {
            return None;
        }
        Some(if first_is_less == self.metric.less_is_better() {
            self.first
        } else {
            self.second
        })
    }
}

/// Models with their scores and differences.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking {
    /// Indices of the models, best first by the first measure that all have; ties in the order given.
    pub order: Vec<usize>,
    /// Scores of each model, in the order given; measures for which no item has truth and all answers are left out.
    pub scores: Vec<Vec<Score>>,
    /// Differences of every pair.
    pub differences: Vec<Difference>,
    /// Items that at least one model has no age for, or, where ages are not judged, no sex; they count for no model.
    pub unanswered: usize,
}

/// Compares models on the items that all of them answered. `level` is that of the intervals, between 0 and 1.
///
/// Errors: answers that are not as many as items, a level outside 0 to 1. No models give an empty ranking.
pub fn rank(
    known: &[Known],
    models: &[ModelAnswers],
    resamples: usize,
    level: f64,
    seed: u64,
) -> Result<Ranking, Error> {
    let inside = level > 0.0 && level < 1.0;
    check_setting(inside, "level", level, "must lie between 0 and 1")?;
    for model in models {
        for found in [model.age.len(), model.is_male.len()] {
            crate::error::check_truths(known.len(), found)?;
        }
    }
    let mut ranking = Ranking {
        order: (0..models.len()).collect(),
        scores: vec![Vec::new(); models.len()],
        differences: Vec::new(),
        unanswered: 0,
    };
    for metric in Metric::ALL {
        let value =
            |model: &ModelAnswers, i: usize| metric.of(&known[i], model.age[i], model.is_male[i]);
        let rows: Vec<Vec<f64>> = (0..known.len())
            .filter_map(|i| models.iter().map(|m| value(m, i)).collect())
            .filter(|row: &Vec<f64>| !row.is_empty())
            .collect();
        if rows.is_empty() {
            continue;
        }
        let pairs: Vec<(usize, usize)> = (0..models.len())
            .flat_map(|a| (a + 1..models.len()).map(move |b| (a, b)))
            .collect();
        let column = |of: &dyn Fn(&[f64]) -> f64| rows.iter().map(|row| of(row)).collect();
        let mut columns: Vec<Vec<f64>> = (0..models.len()).map(|m| column(&|row| row[m])).collect();
        columns.extend(pairs.iter().map(|&(a, b)| column(&|row| row[a] - row[b])));
        let intervals = intervals(&columns, resamples, level, seed);
        let mean = |column: &Vec<f64>| column.iter().sum::<f64>() / column.len() as f64;
        for (m, scores) in ranking.scores.iter_mut().enumerate() {
            scores.push(Score {
                metric,
                value: mean(&columns[m]),
                interval: intervals[m],
                items: rows.len(),
            });
        }
        for (at, &(first, second)) in pairs.iter().enumerate() {
            let at = models.len() + at;
            ranking.differences.push(Difference {
                first,
                second,
                metric,
                value: mean(&columns[at]),
                interval: intervals[at],
            });
        }
    }
    let judged_age = |k: &Known| k.age.is_some() || k.range.is_some();
    let ages = known.iter().any(judged_age);
    let lacks = |i: usize| {
        models.iter().any(|m| match ages {
            true => judged_age(&known[i]) && m.age[i].is_none(),
            false => known[i].is_male.is_some() && m.is_male[i].is_none(),
        })
    };
    ranking.unanswered = (0..known.len()).filter(|&i| lacks(i)).count();
    let badness = |m: usize| {
        ranking.scores[m].first().map_or(0.0, |s| {
            if s.metric.less_is_better() {
                s.value
            } else {
                -s.value
            }
        })
    };
    let mut order = ranking.order.clone();
    order.sort_by(|&a, &b| badness(a).total_cmp(&badness(b)));
    ranking.order = order;
    Ok(ranking)
}

/// Intervals of the means of columns in step; `None` for fewer than two rows or no resamples.
fn intervals(
    columns: &[Vec<f64>],
    resamples: usize,
    level: f64,
    seed: u64,
) -> Vec<Option<Interval>> {
    let rows = columns.first().map_or(0, Vec::len);
    if rows < 2 || resamples == 0 {
        return vec![None; columns.len()];
    }
    if rows > MANY_ITEMS {
        return columns.iter().map(|c| Some(normal(c, level))).collect();
    }
    let means: Vec<Vec<f64>> = (0..resamples as u64)
        .into_par_iter()
        .map(|resample| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(resample);
            let mut times = vec![0_u32; rows];
            for _ in 0..rows {
                times[rng.random_range(0..rows)] += 1;
            }
            let sum = |column: &Vec<f64>| -> f64 {
                let terms = column.iter().zip(&times);
                terms.map(|(value, &n)| value * f64::from(n)).sum()
            };
            columns.iter().map(|c| sum(c) / rows as f64).collect()
        })
        .collect();
    let of = |column: usize| {
        let mut sorted: Vec<f64> = means.iter().map(|m| m[column]).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| sorted[(share * (resamples - 1) as f64).round() as usize];
        Some(Interval {
            low: at((1.0 - level) / 2.0),
            high: at((1.0 + level) / 2.0),
        })
    };
    (0..columns.len()).map(of).collect()
}

fn normal(column: &[f64], level: f64) -> Interval {
    let n = column.len() as f64;
    let mean = column.iter().sum::<f64>() / n;
    let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = normal_quantile(level) * (variance / n).sqrt();
    Interval {
        low: mean - half,
        high: mean + half,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(ages: &[f64]) -> Vec<Known> {
        let of = |&age: &f64| Known {
            age: Some(age),
            range: Some(((age / 5.0).floor() * 5.0, (age / 5.0).floor() * 5.0 + 5.0)),
            is_male: Some(age < 40.0),
        };
        ages.iter().map(of).collect()
    }

    fn model(name: &str, age: &[Option<f64>]) -> ModelAnswers {
        ModelAnswers {
            name: name.into(),
            is_male: age.iter().map(|a| Some(a.is_some())).collect(),
            age: age.to_vec(),
        }
    }

    #[test]
    fn measures_as_worked_by_hand() {
        // Errors 0, 5, 6 and 2: MAE 13/4, three of four within 5; ranges 20–24 ✓, 30–34 for 35 ✗, 50–54 for 56 ✗, 60–64 for 62 ✓.
        let truth = known(&[20.0, 30.0, 50.0, 60.0]);
        let a = model("a", &[Some(20.0), Some(35.0), Some(56.0), Some(62.0)]);
        let found = rank(&truth, &[a], 200, 0.95, 1).unwrap();
        let values: Vec<_> = found.scores[0]
            .iter()
            .map(|s| (s.metric.name(), s.value))
            .collect();
        let expected = [
            ("mae", 3.25),
            ("cs5", 0.75),
            ("range_accuracy", 0.5),
            ("sex_accuracy", 0.5),
        ];
        assert_eq!(values, expected);
        assert!(found.scores[0].iter().all(|s| s.items == 4));
    }

    #[test]
    fn only_items_that_all_answered_count() {
        let truth = known(&[20.0, 30.0, 50.0]);
        let a = model("a", &[Some(20.0), Some(30.0), None]);
        let b = model("b", &[Some(21.0), Some(33.0), Some(90.0)]);
        let found = rank(&truth, &[b, a], 100, 0.95, 1).unwrap();
        assert_eq!(
            (found.scores[0][0].value, found.scores[0][0].items),
            (2.0, 2)
        );
        assert_eq!((found.order, found.unanswered), (vec![1, 0], 1));
        assert_eq!(found.differences[0].value, 2.0);
    }

    #[test]
    fn a_paired_difference_is_seen_where_single_intervals_overlap() {
        // Both err by up to 20 years on the same photos; the second always by half a year more.
        let ages: Vec<f64> = (0..300).map(|i| 20.0 + f64::from(i % 50)).collect();
        let err = |i: usize| (i * 37 % 41) as f64 * 0.5;
        let of =
            |more: f64| -> Vec<_> { (0..300).map(|i| Some(ages[i] + err(i) + more)).collect() };
        let models = [model("a", &of(0.0)), model("b", &of(0.5))];
        let found = rank(&known(&ages), &models, 1000, 0.95, 3).unwrap();
        let [a, b] = [0, 1].map(|m| found.scores[m][0].interval.unwrap());
        assert!(b.low < a.high, "single intervals overlap");
        assert_eq!(found.differences[0].winner(), Some(0));
        assert!((found.differences[0].value + 0.5).abs() < 1e-9);
        let sex = found
            .differences
            .iter()
            .find(|d| d.metric == Metric::SexAccuracy);
        assert_eq!(sex.unwrap().winner(), None);
    }

    #[test]
    fn intervals_of_a_difference_cover_the_truth_at_their_level() {
        // 400 items, difference of mean 0.3 with standard deviation 2: covered in 90 % of 400 draws, ±4 %.
        let mut covered = 0;
        for draw in 0..400 {
            let mut rng = ChaCha8Rng::seed_from_u64(draw);
            let truth = known(&vec![30.0; 150]);
            let mut off = |shift: f64| -> Vec<_> {
                (0..150)
                    .map(|_| Some(40.0 + shift + 4.0 * (rng.random::<f64>() - 0.5)))
                    .collect()
            };
            let models = [model("a", &off(0.3)), model("b", &off(0.0))];
            let found = rank(&truth, &models, 300, 0.9, draw).unwrap();
            covered += u32::from(found.differences[0].interval.unwrap().contains(0.3));
        }
        assert!((344..=376).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn many_items_have_normal_intervals_that_may_be_negative_and_threads_do_not_matter() {
        let ages = vec![30.0; MANY_ITEMS + 1];
        let of = |more: f64| -> Vec<_> {
            (0..ages.len())
                .map(|i| Some(40.0 + more * (i % 3) as f64))
                .collect()
        };
        let models = [model("a", &of(0.0)), model("b", &of(1.0))];
        let run = || rank(&known(&ages), &models, 100, 0.95, 3).unwrap();
        let found = run();
        assert!(found.differences[0].interval.unwrap().high < 0.0);
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert_eq!(found, one.install(run));
    }

    #[test]
    fn empty_inputs_give_empty_rankings_and_bad_ones_errors() {
        assert_eq!(rank(&[], &[], 10, 0.95, 1).unwrap().order, [0_usize; 0]);
        let short = model("a", &[]);
        assert!(rank(&known(&[1.0]), &[short], 10, 0.95, 1).is_err());
        assert!(rank(&[], &[], 10, 1.0, 1).is_err());
    }
}
