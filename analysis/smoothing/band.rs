//! How far a smooth curve can be trusted: bootstrap over groups.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::kernel::{Cell, cells};
use super::{Degree, Kernel, Lowess, check_points, silverman};
use crate::error::check_setting;
use crate::scoring::number::check_level;
use crate::{Error, Interval};

/// How points become a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Smoother {
    /// Nearest neighbours, robust.
    Lowess(Lowess),
    /// One width everywhere.
    Kernel(Kernel),
}

/// How the band is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandSettings {
    /// Level of the band at each place: 0.95.
    pub level: f64,
    /// Resamples; 0 for no band.
    pub resamples: usize,
    /// Seed of the resampling.
    pub seed: u64,
    /// A place where fewer points than this speak ([`Kernel::support`]) is thin: 10.
    pub thin: f64,
}

impl Default for BandSettings {
    fn default() -> Self {
        Self {
            level: 0.95,
            resamples: 1000,
            seed: 1,
            thin: 10.0,
        }
    }
}

/// A curve at one place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BandPoint {
    /// The place.
    pub at: f64,
    /// The curve.
    pub value: f64,
    /// Bootstrap interval of the curve here; `None` with fewer than two groups or no resamples.
    pub interval: Option<Interval>,
    /// Standard deviation of the points around the curve hereabouts.
    pub sd: f64,
    /// How many points speak here ([`Kernel::support`], at the kernel's bandwidth or, for LOWESS, that of [`silverman`]).
    pub support: f64,
    /// Whether that is too few to look at.
    pub thin: bool,
}

/// Resamples see at most this many different places; closer ones are moved together.
const CELLS: usize = 2000;

/// A curve at these places with a percentile bootstrap band (Efron 1979) that resamples whole groups: points of one group (the
/// votes on an item, the answers of an annotator) share an error, and to take them for independent would make the band too
/// narrow. `group` has an entry per point; groups may have any numbers.
///
/// The band is pointwise: at each place for itself it holds the mean at its level, apart from the smoothing's own bias at bends.
/// Places of `at` that no point is near are left out. Deterministic in the seed, whatever the number of threads or the order of
/// points. Errors: lengths differ, values are not finite,
/// settings are out of range.
pub fn band(
    smoother: Smoother,
    x: &[f64],
    y: &[f64],
    group: &[u32],
    at: &[f64],
    settings: &BandSettings,
) -> Result<Vec<BandPoint>, Error> {
    check_level(settings.level)?;
    check_setting(
        settings.thin >= 0.0,
        "thin",
        settings.thin,
        "must not be negative",
    )?;
    check_points(x, y)?;
    if group.len() != x.len() {
        let reason = format!("{} points and {} groups", x.len(), group.len());
        return Err(Error::Points { reason });
    }
    let curve: Vec<Option<f64>> = match smoother {
        Smoother::Kernel(kernel) => kernel.curve(x, y, at)?,
        Smoother::Lowess(lowess) => {
            let curve = lowess.curve(x, y, at)?;
            if curve.is_empty() {
                vec![None; at.len()]
            } else {
                curve.into_iter().map(Some).collect()
            }
        }
    };
    let near = match smoother {
        Smoother::Kernel(kernel) => kernel,
        Smoother::Lowess(_) => Kernel {
            bandwidth: silverman(x).unwrap_or(1.0),
            degree: Degree::Constant,
        },
    };
    let points = Points::new(x, y, group);
    let resampled: Vec<Vec<Option<f64>>> = if points.groups.len() < 2 {
        Vec::new()
    } else {
        (0..settings.resamples as u64)
            .into_par_iter()
            .map(|resample| points.again(smoother, at, settings.seed, resample))
            .collect()
    };
    let known: Vec<(f64, f64)> = at
        .iter()
        .zip(&curve)
        .filter_map(|(&a, c)| Some((a, (*c)?)))
        .collect();
    let squares = squares(x, y, known);
    // Sums must not depend on the order of points.
    let mut sorted = x.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut result = Vec::new();
    for (i, (&at, value)) in at.iter().zip(curve).enumerate() {
        let Some(value) = value else { continue };
        let mut values: Vec<f64> = resampled.iter().filter_map(|r| r[i]).collect();
        values.sort_unstable_by(f64::total_cmp);
        // Where most resamples have nothing to say, the rest must not pass for certainty.
        let enough = !values.is_empty() && 2 * values.len() >= resampled.len();
        let quantile = |share: f64| values[(share * (values.len() - 1) as f64).round() as usize];
        let support = near.support(&sorted, at);
        result.push(BandPoint {
            at,
            value,
            interval: enough.then(|| Interval {
                low: quantile((1.0 - settings.level) / 2.0),
                high: quantile((1.0 + settings.level) / 2.0),
            }),
            sd: Kernel {
                degree: Degree::Constant,
                ..near
            }
            .at(&squares, at)
            .unwrap_or(0.0)
            .max(0.0)
            .sqrt(),
            support,
            thin: support < settings.thin,
        });
    }
    Ok(result)
}

/// How often each of `n` groups is drawn in one resample. Each resample has its own stream of dice, so that threads do not
/// matter.
fn group_counts(n: usize, seed: u64, resample: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(resample);
    let mut counts = vec![0; n];
    for _ in 0..n {
        counts[rng.random_range(0..n)] += 1;
    }
    counts
}

/// Squared distances of points from the curve, which is taken as straight between its places.
fn squares(x: &[f64], y: &[f64], mut curve: Vec<(f64, f64)>) -> Vec<Cell> {
    curve.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    if curve.is_empty() {
        return Vec::new();
    }
    let on_curve = |x: f64| {
        let after = curve.partition_point(|c| c.0 < x);
        let (a, b) = (
            curve[after.saturating_sub(1)],
            curve[after.min(curve.len() - 1)],
        );
        let share = if b.0 > a.0 {
            ((x - a.0) / (b.0 - a.0)).clamp(0.0, 1.0)
        } else {
            0.0
        };
        a.1 + share * (b.1 - a.1)
    };
    cells(
        x.iter()
            .zip(y)
            .map(|(&x, &y)| (x, 1.0, (y - on_curve(x)).powi(2)))
            .collect(),
    )
}

/// Points by group, ready to be drawn again and again.
struct Points {
    /// Places, ascending.
    places: Vec<f64>,
    /// Per group its points: index of the place, value.
    groups: Vec<Vec<(u32, f64)>>,
}

impl Points {
    fn new(x: &[f64], y: &[f64], group: &[u32]) -> Self {
        let mut places = x.to_vec();
        places.sort_unstable_by(f64::total_cmp);
        places.dedup();
        if places.len() > CELLS {
            let (low, high) = (places[0], places[places.len() - 1]);
            let step = (high - low) / (CELLS - 1) as f64;
            places = (0..CELLS).map(|i| low + step * i as f64).collect();
        }
        let nearest = |x: f64| {
            let after = places.partition_point(|&p| p < x).min(places.len() - 1);
            let before = after.saturating_sub(1);
            (if x - places[before] < places[after] - x {
                before
            } else {
                after
            }) as u32
        };
        let mut rows: Vec<(u32, u32, f64)> = (0..x.len())
            .map(|i| (group[i], nearest(x[i]), y[i]))
            .collect();
        rows.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
        let groups = rows
            .chunk_by(|a, b| a.0 == b.0)
            .map(|chunk| chunk.iter().map(|r| (r.1, r.2)).collect())
            .collect();
        Self { places, groups }
    }

    /// The curve of one resample.
    fn again(&self, smoother: Smoother, at: &[f64], seed: u64, resample: u64) -> Vec<Option<f64>> {
        let counts = group_counts(self.groups.len(), seed, resample);
        let drawn = self.groups.iter().zip(counts).filter(|(_, n)| *n > 0);
        match smoother {
            Smoother::Kernel(kernel) => {
                let mut cells: Vec<Cell> = self.places.iter().map(|&x| (x, 0.0, 0.0)).collect();
                for (group, n) in drawn {
                    for &(place, y) in group {
                        cells[place as usize].1 += f64::from(n);
                        cells[place as usize].2 += f64::from(n) * y;
                    }
                }
                cells.retain(|c| c.1 > 0.0);
                at.iter().map(|&place| kernel.at(&cells, place)).collect()
            }
            Smoother::Lowess(lowess) => {
                let (mut x, mut y) = (Vec::new(), Vec::new());
                for (group, n) in drawn {
                    for &(place, value) in group {
                        for _ in 0..n {
                            x.push(self.places[place as usize]);
                            y.push(value);
                        }
                    }
                }
                // The points were checked, and settings with them.
                lowess
                    .curve(&x, &y, at)
                    .unwrap_or_default()
                    .into_iter()
                    .map(Some)
                    .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, Normal};

    const KERNEL: Smoother = Smoother::Kernel(Kernel {
        bandwidth: 4.0,
        degree: Degree::Line,
    });

    /// `groups` groups at random places, `each` points of every group with an error they share and one of their own.
    fn crowd(
        groups: usize,
        each: usize,
        shared: f64,
        own: f64,
        seed: u64,
    ) -> (Vec<f64>, Vec<f64>, Vec<u32>) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let normal = Normal::new(0.0, 1.0).unwrap();
        let (mut x, mut y, mut group) = (vec![], vec![], vec![]);
        for g in 0..groups {
            let place: f64 = rng.random_range(0.0..50.0);
            let error = shared * normal.sample(rng);
            for _ in 0..each {
                x.push(place);
                y.push(0.2 * place + error + own * normal.sample(rng));
                group.push(g as u32);
            }
        }
        (x, y, group)
    }

    #[test]
    fn the_band_holds_the_truth_at_its_level_although_votes_of_an_item_share_an_error() {
        let settings = BandSettings {
            resamples: 100,
            level: 0.9,
            ..BandSettings::default()
        };
        let (mut held, mut held_lowess, mut apart, mut n) = (0, 0, 0, 0);
        for seed in 0..60 {
            let (x, y, group) = crowd(120, 5, 3.0, 1.0, seed);
            let lowess = Smoother::Lowess(Lowess {
                robust: 0,
                ..Lowess::default()
            });
            let each: Vec<u32> = (0..x.len() as u32).collect();
            let holds = |smoother, group: &[u32]| {
                let b = band(smoother, &x, &y, group, &[25.0], &settings).unwrap();
                u32::from(b[0].interval.unwrap().contains(5.0))
            };
            held += holds(KERNEL, &group);
            held_lowess += holds(lowess, &group);
            apart += holds(KERNEL, &each);
            n += 1;
        }
        // 54 ± 3·2.3 of 60; taken for independent, votes would give a band that holds far too rarely.
        assert!((46..=60).contains(&held), "{held} of {n}");
        assert!((46..=60).contains(&held_lowess), "{held_lowess} of {n}");
        assert!(apart < 45, "{apart} of {n}");
    }

    #[test]
    fn spread_support_and_thin_ends() {
        let (x, y, group) = crowd(4000, 1, 2.0, 0.0, 3);
        let b = band(
            KERNEL,
            &x,
            &y,
            &group,
            &[25.0, 60.0, 500.0],
            &BandSettings::default(),
        )
        .unwrap();
        assert_eq!(b.len(), 2, "nothing is said where there is nothing");
        assert!((b[0].sd - 2.0).abs() < 0.15, "{b:?}");
        // 80 points a year, √(2π)·4 years wide.
        assert!((b[0].support - 802.0).abs() < 60.0 && !b[0].thin, "{b:?}");
        assert!(b[1].support < 20.0, "{b:?}");
    }

    #[test]
    fn order_and_threads_do_not_matter_and_one_group_has_no_band() {
        let (x, y, group) = crowd(40, 3, 1.0, 1.0, 8);
        let settings = BandSettings {
            resamples: 50,
            ..BandSettings::default()
        };
        let at = [10.0, 20.0, 30.0];
        let run = || band(KERNEL, &x, &y, &group, &at, &settings).unwrap();
        let reversed = |v: &[f64]| v.iter().rev().copied().collect::<Vec<_>>();
        let group_reversed: Vec<u32> = group.iter().rev().copied().collect();
        let back = band(
            KERNEL,
            &reversed(&x),
            &reversed(&y),
            &group_reversed,
            &at,
            &settings,
        )
        .unwrap();
        assert_eq!(run(), back);
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert_eq!(run(), one.install(run));
        let single = band(KERNEL, &[1.0, 2.0], &[1.0, 2.0], &[7, 7], &[1.5], &settings).unwrap();
        assert_eq!(single[0].interval, None);
        assert!(band(KERNEL, &[1.0], &[1.0], &[], &[1.0], &settings).is_err());
    }
}
