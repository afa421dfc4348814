//! Whether two properties of annotators go together, with the size of it: "no relation" is shown by an interval, not by a p-value.

use super::Resampling;
use crate::error::check_setting;
use crate::interval::normal_quantile;
use crate::scoring::number::check_level;
use crate::{Error, Interval};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

/// How relations are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelationSettings {
    /// Level of intervals, and one less the level of the tests: 0.95.
    pub level: f64,
    /// Permutations: 2000.
    pub permutations: usize,
    /// Resamples for the interval of the slope: 1000.
    pub resamples: usize,
    /// Seed.
    pub seed: u64,
    /// A correlation whose interval lies within ± this is as good as none: 0.2, which is four per cent of the variance.
    pub negligible: f64,
    /// Groups of equal size by x, for relations that are not monotone: 5.
    pub bands: usize,
}

impl Default for RelationSettings {
    fn default() -> Self {
        Self {
            level: 0.95,
            permutations: 2000,
            resamples: 1000,
            seed: 1,
            negligible: 0.2,
            bands: 5,
        }
    }
}

/// What can be said of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relationship {
    /// y rises with x.
    Rises,
    /// y falls with x.
    Falls,
    /// Groups by x differ, but y neither rises nor falls with it.
    Bends,
    /// None of a size that matters: the interval of the correlation lies within the negligible.
    None,
    /// Too few to tell: neither a relation nor its absence is shown.
    Undecided,
}

/// Two properties of the same annotators.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Relation {
    /// Annotators.
    pub n: usize,
    /// Rank correlation (Spearman 1904): the effect size.
    pub rho: f64,
    /// Its interval by Fisher's transformation with the variance of Bonett and Wright (2000).
    pub rho_interval: Interval,
    /// Probability of a correlation at least as far from 0 by chance: permutation test.
    pub rho_p: f64,
    /// Share of the variance of y that groups by x explain, corrected for chance (ω²; may be slightly negative).
    pub omega_squared: f64,
    /// Probability of differences between groups at least as large by chance: permutation test.
    pub bands_p: f64,
    /// Slope of the least-squares line: change of y per unit of x.
    pub slope: f64,
    /// Its bootstrap interval over annotators.
    pub slope_interval: Option<Interval>,
    /// The correlation that still counts as none.
    pub negligible: f64,
    /// What can be said.
    pub finding: Relationship,
}

/// Looks for a relation of `x` and `y`, one entry per annotator.
///
/// Two tests share the error probability: of the rank correlation, and of differences between groups of equal size by x (a curve that
/// falls and rises has no correlation). "None" needs that neither finds anything and that the interval of the correlation lies
/// within ± [`RelationSettings::negligible`] (a test of equivalence: Schuirmann 1987).
///
/// `None` for fewer than five annotators, or when one of the properties is the same for all. Errors: lengths differ, a value is not finite, a
/// setting is out of range. Deterministic in the seed; the order of annotators does not matter.
pub fn relation(
    x: &[f64],
    y: &[f64],
    settings: &RelationSettings,
) -> Result<Option<Relation>, Error> {
    check_level(settings.level)?;
    let share = settings.negligible > 0.0 && settings.negligible < 1.0;
    check_setting(
        share,
        "negligible",
        settings.negligible,
        "must lie between 0 and 1",
    )?;
    let bands = (2..=50).contains(&settings.bands);
    check_setting(
        bands,
        "bands",
        settings.bands as f64,
        "must lie from 2 to 50",
    )?;
    let many = settings.permutations >= 100;
    check_setting(
        many,
        "permutations",
        settings.permutations as f64,
        "must be at least 100",
    )?;
    crate::smoothing::check_points(x, y)?;
    let n = x.len();
    let mut rows: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (x, y): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
    if n < 5 || x[0] == x[n - 1] || y.iter().all(|v| *v == y[0]) {
        return Ok(None);
    }
    let (rank_x, rank_y) = (ranks(&x), ranks(&y));
    let rho = correlation(&rank_x, &rank_y);
    let groups = groups(&x, settings.bands);
    let between = between_share(&groups, &y);
    let chance: Vec<(bool, bool)> = (0..settings.permutations as u64)
        .into_par_iter()
        .map(|at| {
            let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
            rng.set_stream(at);
            let mut order: Vec<usize> = (0..n).collect();
            order.shuffle(&mut rng);
            let of = |v: &[f64]| order.iter().map(|&i| v[i]).collect::<Vec<f64>>();
            let shuffled = correlation(&rank_x, &of(&rank_y)).abs();
            let here = between_share(&groups, &of(&y));
            (shuffled >= rho.abs() - 1e-12, here >= between - 1e-12)
        })
        .collect();
    let p = |count: usize| (count + 1) as f64 / (settings.permutations + 1) as f64;
    let rho_p = p(chance.iter().filter(|c| c.0).count());
    let bands_p = p(chance.iter().filter(|c| c.1).count());
    let used = groups.last().map_or(1, |g| g + 1) as f64;
    let (free_between, free_within) = (used - 1.0, (n as f64 - used).max(1.0));
    let noise = (1.0 - between) / free_within;
    let omega_squared = (between - free_between * noise) / (1.0 + noise);
    let rho_interval = spearman_interval(rho, n, settings.level);
    let alpha = (1.0 - settings.level) / 2.0;
    let finding = if rho_p <= alpha {
        if rho > 0.0 {
            Relationship::Rises
        } else {
            Relationship::Falls
        }
    } else if bands_p <= alpha {
        Relationship::Bends
    } else if rho_interval.low >= -settings.negligible && rho_interval.high <= settings.negligible {
        Relationship::None
    } else {
        Relationship::Undecided
    };
    let resampling = Resampling {
        level: settings.level,
        resamples: settings.resamples,
        seed: settings.seed,
    };
    let again = (0..settings.resamples as u64).into_par_iter().map(|at| {
        let counts = resampling.counts(n, at);
        slope(&x, &y, |i| f64::from(counts[i]))
    });
    let again: Vec<f64> = again.filter(|s| s.is_finite()).collect();
    Ok(Some(Relation {
        n,
        rho,
        rho_interval,
        rho_p,
        omega_squared,
        bands_p,
        slope: slope(&x, &y, |_| 1.0),
        slope_interval: resampling.interval(again),
        negligible: settings.negligible,
        finding,
    }))
}

fn spearman_interval(rho: f64, n: usize, level: f64) -> Interval {
    let half = normal_quantile(level) * ((1.0 + rho * rho / 2.0) / (n as f64 - 3.0)).sqrt();
    // A perfect correlation of ranks has no finite transform: it is taken as one step short of it.
    let z = rho.clamp(-1.0 + 1e-9, 1.0 - 1e-9).atanh();
    Interval {
        low: (z - half).tanh(),
        high: (z + half).tanh(),
    }
}

/// Ranks from 1, ties sharing their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&i| ranks[i] = rank);
        first += tied.len();
    }
    ranks
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (ma, mb) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - ma) * (y - mb);
        aa += (x - ma).powi(2);
        bb += (y - mb).powi(2);
    }
    ab / (aa * bb).sqrt()
}

/// Group of each of the sorted values: about equally many each, equal values together.
fn groups(sorted: &[f64], bands: usize) -> Vec<usize> {
    let n = sorted.len();
    let mut starts: Vec<f64> = (0..bands).map(|k| sorted[k * n / bands]).collect();
    starts.dedup();
    let of = |v: &f64| starts.partition_point(|s| s <= v).max(1) - 1;
    sorted.iter().map(of).collect()
}

/// Share of the variance of `y` that lies between groups (η²).
fn between_share(groups: &[usize], y: &[f64]) -> f64 {
    let n = y.len() as f64;
    let mean = y.iter().sum::<f64>() / n;
    let mut sums = vec![(0.0, 0.0); groups.iter().max().map_or(0, |g| g + 1)];
    let mut all = 0.0;
    for (&group, y) in groups.iter().zip(y) {
        sums[group].0 += 1.0;
        sums[group].1 += y - mean;
        all += (y - mean).powi(2);
    }
    let between: f64 = sums
        .iter()
        .filter(|s| s.0 > 0.0)
        .map(|s| s.1 * s.1 / s.0)
        .sum();
    between / all
}

fn slope(x: &[f64], y: &[f64], weight: impl Fn(usize) -> f64) -> f64 {
    let (mut n, mut sx, mut sy) = (0.0, 0.0, 0.0);
    for i in 0..x.len() {
        let w = weight(i);
        n += w;
        sx += w * x[i];
        sy += w * y[i];
    }
    let (mx, my) = (sx / n, sy / n);
    let (mut xx, mut xy) = (0.0, 0.0);
    for i in 0..x.len() {
        let w = weight(i);
        xx += w * (x[i] - mx).powi(2);
        xy += w * (x[i] - mx) * (y[i] - my);
    }
    xy / xx
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use rand_distr::{Distribution, StandardNormal};

    fn quick() -> RelationSettings {
        RelationSettings {
            permutations: 400,
            resamples: 200,
            ..RelationSettings::default()
        }
    }

    /// Ages from 18 to 70, and errors that depend on them as `form` says.
    fn crowd(n: usize, seed: u64, form: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        (0..n)
            .map(|_| {
                let age: f64 = rng.random_range(18.0..70.0);
                let noise: f64 = StandardNormal.sample(rng);
                (age, 7.0 + form(age) + noise)
            })
            .unzip()
    }

    #[test]
    fn no_relation_is_shown_by_many_and_left_open_by_few() {
        let mut found = [0; 3];
        for seed in 0..40 {
            let (x, y) = crowd(1000, seed, |_| 0.0);
            match relation(&x, &y, &quick()).unwrap().unwrap().finding {
                Relationship::None => found[0] += 1,
                Relationship::Undecided => found[1] += 1,
                _ => found[2] += 1,
            }
        }
        assert!(found[0] >= 36 && found[2] <= 4, "{found:?}");
        let (x, y) = crowd(30, 5, |_| 0.0);
        assert_eq!(
            relation(&x, &y, &quick()).unwrap().unwrap().finding,
            Relationship::Undecided
        );
    }

    #[test]
    fn a_relation_is_found_with_its_slope_also_one_that_bends() {
        let (x, y) = crowd(400, 1, |age| 0.03 * age);
        let found = relation(&x, &y, &quick()).unwrap().unwrap();
        assert_eq!(found.finding, Relationship::Rises);
        let covered = (0..40).filter(|seed| {
            let (x, y) = crowd(200, 500 + seed, |age| 0.03 * age);
            let found = relation(&x, &y, &quick()).unwrap().unwrap();
            found.slope_interval.unwrap().contains(0.03)
        });
        assert!(covered.count() >= 34);
        let (x, y) = crowd(400, 2, |age| -0.03 * age);
        assert_eq!(
            relation(&x, &y, &quick()).unwrap().unwrap().finding,
            Relationship::Falls
        );
        // Best in the middle of life.
        let (x, y) = crowd(400, 3, |age| ((age - 44.0) / 15.0).powi(2));
        let found = relation(&x, &y, &quick()).unwrap().unwrap();
        assert_eq!(found.finding, Relationship::Bends);
        assert!(found.omega_squared > 0.2, "{found:?}");
    }

    #[test]
    fn ranks_and_the_interval_as_worked_by_hand() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        // ρ = 0.5 of 28: z = 0.549306, half = 1.96·√(1.125/25) = 0.415770; tanh gives 0.13277 and 0.74648.
        let i = spearman_interval(0.5, 28, 0.95);
        assert!(
            (i.low - 0.132_77).abs() < 1e-4 && (i.high - 0.746_48).abs() < 1e-4,
            "{i:?}"
        );
    }

    #[test]
    fn correlation_and_slope_are_those_of_scipy() {
        // tests/reference/more_audits.py: scipy.stats.spearmanr and linregress, ages with ties.
        let text = include_str!("../../tests/reference/more_audits.json");
        let all: serde_json::Value = serde_json::from_str(text).unwrap();
        let cases = all["spearman"].as_array().unwrap();
        for case in cases {
            let column = |name: &str| -> Vec<f64> {
                let values = case[name].as_array().unwrap().iter();
                values.map(|v| v.as_f64().unwrap()).collect()
            };
            let found = relation(&column("x"), &column("y"), &quick())
                .unwrap()
                .unwrap();
            assert!(
                (found.rho - case["rho"].as_f64().unwrap()).abs() < 1e-12,
                "{found:?}"
            );
            assert!(
                (found.slope - case["slope"].as_f64().unwrap()).abs() < 1e-12,
                "{found:?}"
            );
        }
        assert_eq!(cases.len(), 2);
    }

    #[test]
    fn order_does_not_matter_and_too_little_is_none() {
        let (mut x, mut y) = crowd(50, 9, |_| 0.0);
        let one = relation(&x, &y, &quick()).unwrap();
        x.reverse();
        y.reverse();
        assert_eq!(one, relation(&x, &y, &quick()).unwrap());
        assert_eq!(relation(&[1.0; 9], &[2.0; 9], &quick()).unwrap(), None);
        assert_eq!(relation(&[], &[], &quick()).unwrap(), None);
        assert!(relation(&[f64::NAN], &[1.0], &quick()).is_err());
        let wide = RelationSettings {
            negligible: 1.0,
            ..quick()
        };
        assert!(relation(&x, &y, &wide).is_err());
    }
}
