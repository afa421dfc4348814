//! Did annotators learn or tire? Error along each one's own sequence.

use super::{Mixed, mixed_slope};
use crate::error::check_setting;
use crate::interval::{normal_quantile, t_quantile};
use crate::scoring::number::check_level;
use crate::{Error, Interval};
use serde::Serialize;

/// One judged answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The annotator.
    pub annotator: u32,
    /// The item.
    pub item: u32,
    /// How many tasks the annotator had answered before.
    pub position: f64,
    /// Size of the error: |answer − truth|, or 0 and 1 for right and wrong.
    pub error: f64,
}

/// How drift is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftSettings {
    /// Slopes are given per so many tasks: 100.
    pub per: f64,
    /// Level of intervals: 0.95.
    pub level: f64,
    /// Places of the curve, each with about as many answers: 12.
    pub places: usize,
    /// A place with fewer annotators than this is thin: 10.
    pub thin: usize,
}

impl Default for DriftSettings {
    fn default() -> Self {
        Self {
            per: 100.0,
            level: 0.95,
            places: 12,
            thin: 10,
        }
    }
}

/// A slope per [`DriftSettings::per`] tasks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Slope {
    /// The slope.
    pub value: f64,
    /// Its interval.
    pub interval: Option<Interval>,
    /// Annotators behind it.
    pub annotators: usize,
}

/// The curve at one place of the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DriftPoint {
    /// First position.
    pub from: f64,
    /// Last position.
    pub to: f64,
    /// Mean position.
    pub at: f64,
    /// Answers.
    pub answers: usize,
    /// Annotators who got so far.
    pub annotators: usize,
    /// Mean error of those who were there.
    pub present: f64,
    /// Mean error of the same people throughout: what it would be had nobody left.
    pub same_people: f64,
    /// Interval of `same_people` (of its difference from the overall level: annotators themselves are taken as given).
    pub interval: Option<Interval>,
    /// Whether too few annotators got here to say much.
    pub thin: bool,
}

/// Error along the sequence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// Slopes are per so many tasks.
    pub per: f64,
    /// Answers used.
    pub answers: usize,
    /// Whether the difficulty of items is taken out. Not where all answered them in one order: there it cannot be told from change.
    pub difficulty_removed: bool,
    /// The pooled slope with a random intercept and a random slope per annotator: the answer. Its interval is robust (over annotators).
    pub slope: Slope,
    /// The model behind it, in tasks (not per 100), difficulty of items taken out.
    pub model: Mixed,
    /// The same without those who were banned.
    pub kept: Option<Slope>,
    /// Slope within annotators, as if each had but their own line's level: no assumption on who leaves, but shifted upwards where a
    /// ban follows on bad luck.
    pub within: Option<f64>,
    /// Slope over all answers with no heed to who gave them: falls when weak annotators leave.
    pub naive: f64,
    /// Mean error of the first tenth of the curve, by the model: what change is compared with.
    pub start: f64,
    /// Median number of tasks of an annotator.
    pub typical_length: f64,
    /// Change of the error over the typical length, by the pooled slope.
    pub change: Slope,
    /// The curve.
    pub curve: Vec<DriftPoint>,
}

/// Error along each annotator's own sequence; `banned` has an entry per annotator.
///
/// Difficulty is taken out first: error and position are counted from their means on the same item (items with one judged answer say
/// nothing and are left out), so that hard items that came late are not taken for tiredness. Where everybody answered the items of a batch in one
/// order that leaves nothing, and difficulty stays in ([`Drift::difficulty_removed`]). The pooled slope comes from the
/// mixed model fitted to everybody's answers, those of banned and departed annotators included. A ban depends on errors that are
/// among the data, and then the model's estimate needs no further correction (missing at random: Rubin 1976; Laird 1988), whereas the mean
/// error of those still present falls because the weak have left.
///
/// `None` if fewer than two annotators have answers, or positions do not vary. Errors: a setting is out of range, a value is
/// not finite, an annotator has no entry in `banned`.
pub fn drift(
    steps: &[Step],
    banned: &[bool],
    settings: &DriftSettings,
) -> Result<Option<Drift>, Error> {
    check_level(settings.level)?;
    let positive = settings.per > 0.0 && settings.per.is_finite();
    check_setting(positive, "per", settings.per, "must be positive")?;
    let places = (2..=200).contains(&settings.places);
    check_setting(
        places,
        "places",
        settings.places as f64,
        "must lie from 2 to 200",
    )?;
    for (row, step) in steps.iter().enumerate() {
        if !(step.position.is_finite() && step.error.is_finite()) {
            let reason = format!("answer {row} is not finite");
            return Err(Error::Points { reason });
        }
        if step.annotator as usize >= banned.len() {
            let reason = format!("annotator index {} of {}", step.annotator, banned.len());
            return Err(Error::Vote { row, reason });
        }
    }
    let (mut eased, mut overall) = without_difficulty(steps);
    let line = |eased: &[Eased]| {
        let column = |of: fn(&Eased) -> f64| eased.iter().map(of).collect::<Vec<f64>>();
        let who: Vec<u32> = eased.iter().map(|s| s.annotator).collect();
        let (x, y) = (column(|s| s.x), column(|s| s.y));
        mixed_slope(&x, &y, &who).map(|m| m.map(|m| (m, x, y, who)))
    };
    let mut fitted = line(&eased)?;
    let difficulty_removed = fitted.is_some();
    if fitted.is_none() {
        (eased, overall) = as_they_are(steps);
        fitted = line(&eased)?;
    }
    let Some((model, x, y, who)) = fitted else {
        return Ok(None);
    };
    let slope = robust(&model, settings);
    let of_kept: Vec<usize> = (0..eased.len())
        .filter(|&i| !banned[who[i] as usize])
        .collect();
    let pick = |v: &[f64]| of_kept.iter().map(|&i| v[i]).collect::<Vec<f64>>();
    let kept_who: Vec<u32> = of_kept.iter().map(|&i| who[i]).collect();
    let kept = if of_kept.len() < eased.len() {
        mixed_slope(&pick(&x), &pick(&y), &kept_who)?.map(|m| robust(&m, settings))
    } else {
        None
    };
    let mut lengths: Vec<f64> = vec![0.0; banned.len()];
    for step in steps {
        let length = &mut lengths[step.annotator as usize];
        *length = length.max(step.position + 1.0);
    }
    lengths.retain(|l| *l > 0.0);
    let typical_length = super::median(lengths).unwrap_or(0.0);
    let curve = curve(&eased, overall, settings);
    let times = typical_length / settings.per;
    Ok(Some(Drift {
        per: settings.per,
        answers: eased.len(),
        difficulty_removed,
        slope,
        model,
        kept,
        within: within(&eased).map(|b| b * settings.per),
        naive: plain(&eased) * settings.per,
        start: curve.first().map_or(overall, |p| p.same_people),
        typical_length,
        change: Slope {
            value: slope.value * times,
            interval: slope.interval.map(|i| Interval {
                low: i.low * times,
                high: i.high * times,
            }),
            annotators: slope.annotators,
        },
        curve,
    }))
}

/// An answer with the difficulty of its item taken out.
struct Eased {
    annotator: u32,
    position: f64,
    x: f64,
    y: f64,
}

/// Positions and errors from their item's means, and the mean error of the answers kept, which is added again to the errors.
fn without_difficulty(steps: &[Step]) -> (Vec<Eased>, f64) {
    let mut order: Vec<&Step> = steps.iter().collect();
    order.sort_unstable_by(|a, b| {
        let by = (a.item, a.annotator).cmp(&(b.item, b.annotator));
        let by = by.then(a.position.total_cmp(&b.position));
        by.then(a.error.total_cmp(&b.error))
    });
    let chunks = || {
        order
            .chunk_by(|a, b| a.item == b.item)
            .filter(|c| c.len() >= 2)
    };
    let n: usize = chunks().map(<[&Step]>::len).sum();
    let mean = |of: fn(&Step) -> f64| {
        let sum: f64 = chunks().flatten().map(|s| of(s)).sum();
        sum / n.max(1) as f64
    };
    let (position, error) = (mean(|s| s.position), mean(|s| s.error));
    let mut eased = Vec::with_capacity(n);
    for chunk in chunks() {
        let m = chunk.len() as f64;
        let x = chunk.iter().map(|s| s.position).sum::<f64>() / m;
        let y = chunk.iter().map(|s| s.error).sum::<f64>() / m;
        // Of m answers the mean of an item takes away one part in m of what it has to show.
        let fair = (m / (m - 1.0)).sqrt();
        eased.extend(chunk.iter().map(|s| Eased {
            annotator: s.annotator,
            position: s.position,
            x: position + fair * (s.position - x),
            y: error + fair * (s.error - y),
        }));
    }
    (eased, error)
}

/// Positions and errors as they are, and the mean error.
fn as_they_are(steps: &[Step]) -> (Vec<Eased>, f64) {
    let mut eased: Vec<Eased> = steps
        .iter()
        .map(|s| Eased {
            annotator: s.annotator,
            position: s.position,
            x: s.position,
            y: s.error,
        })
        .collect();
    eased.sort_by(|a, b| {
        let by = a.annotator.cmp(&b.annotator);
        by.then(a.x.total_cmp(&b.x)).then(a.y.total_cmp(&b.y))
    });
    let overall = eased.iter().map(|s| s.y).sum::<f64>() / eased.len().max(1) as f64;
    (eased, overall)
}

fn robust(model: &Mixed, settings: &DriftSettings) -> Slope {
    let freedom = (model.groups as f64 - 1.0).max(1.0);
    let half = t_quantile(settings.level, freedom) * model.slope_robust_se * settings.per;
    let value = model.slope * settings.per;
    Slope {
        value,
        interval: half.is_finite().then_some(Interval {
            low: value - half,
            high: value + half,
        }),
        annotators: model.groups,
    }
}

fn plain(eased: &[Eased]) -> f64 {
    let n = eased.len() as f64;
    let (mx, my) = (
        eased.iter().map(|s| s.x).sum::<f64>() / n,
        eased.iter().map(|s| s.y).sum::<f64>() / n,
    );
    let xy: f64 = eased.iter().map(|s| (s.x - mx) * (s.y - my)).sum();
    xy / eased.iter().map(|s| (s.x - mx).powi(2)).sum::<f64>()
}

/// Least squares with a level of one's own for every annotator.
fn within(eased: &[Eased]) -> Option<f64> {
    let mut order: Vec<&Eased> = eased.iter().collect();
    order.sort_by_key(|s| s.annotator);
    let (mut xx, mut xy) = (0.0, 0.0);
    for own in order.chunk_by(|a, b| a.annotator == b.annotator) {
        let n = own.len() as f64;
        let x = own.iter().map(|s| s.x).sum::<f64>() / n;
        let y = own.iter().map(|s| s.y).sum::<f64>() / n;
        xx += own.iter().map(|s| (s.x - x).powi(2)).sum::<f64>();
        xy += own.iter().map(|s| (s.x - x) * (s.y - y)).sum::<f64>();
    }
    (xx > 0.0).then(|| xy / xx)
}

/// Mean error by place of the sequence, of those present and of the same people throughout: a mean per place beside a random level per
/// annotator, whose variance is chosen by restricted maximum likelihood.
fn curve(eased: &[Eased], overall: f64, settings: &DriftSettings) -> Vec<DriftPoint> {
    let mut positions: Vec<f64> = eased.iter().map(|s| s.position).collect();
    positions.sort_unstable_by(f64::total_cmp);
    let n = positions.len();
    // Where the places begin; equal positions stay together.
    let mut starts: Vec<f64> = (0..settings.places)
        .map(|k| positions[k * n / settings.places])
        .collect();
    starts.dedup();
    let place = |position: f64| starts.partition_point(|s| *s <= position).max(1) - 1;
    let k = starts.len();
    let mut order: Vec<(u32, usize, f64, f64)> = eased
        .iter()
        .map(|s| (s.annotator, place(s.position), s.y - overall, s.position))
        .collect();
    order.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    let people: Vec<Person> = order
        .chunk_by(|a, b| a.0 == b.0)
        .map(|own| {
            let mut person = Person {
                n: own.len() as f64,
                sum: own.iter().map(|r| r.2).sum(),
                squares: own.iter().map(|r| r.2 * r.2).sum(),
                places: Vec::new(),
            };
            for part in own.chunk_by(|a, b| a.1 == b.1) {
                let sum: f64 = part.iter().map(|r| r.2).sum();
                person.places.push((part[0].1, part.len() as f64, sum));
            }
            person
        })
        .collect();
    // The variance of levels over that of answers, on a scale that is fine near 0.
    let criterion =
        |p: &[f64; 1]| level_fit(&people, k, p[0].exp()).map_or(f64::NAN, |f| f.criterion);
    let (ratio, _, _) = super::simplex::lowest(criterion, [-2.0], 1.0, 300);
    let fitted = level_fit(&people, k, ratio[0].exp().max(1e-9));
    let half = normal_quantile(settings.level);
    (0..k)
        .filter_map(|at| {
            let here: Vec<_> = order.iter().filter(|r| r.1 == at).collect();
            let annotators = people
                .iter()
                .filter(|p| p.places.iter().any(|q| q.0 == at))
                .count();
            let m = here.len() as f64;
            if here.is_empty() {
                return None;
            }
            let mean = |of: fn(&(u32, usize, f64, f64)) -> f64| {
                here.iter().map(|r| of(r)).sum::<f64>() / m
            };
            let (value, se) = match &fitted {
                Some(f) => (f.means[at], Some(f.se[at])),
                None => (mean(|r| r.2), None),
            };
            let ends = here.iter().map(|r| r.3);
            Some(DriftPoint {
                from: ends.clone().fold(f64::INFINITY, f64::min),
                to: ends.fold(f64::NEG_INFINITY, f64::max),
                at: mean(|r| r.3),
                answers: here.len(),
                annotators,
                present: overall + mean(|r| r.2),
                same_people: overall + value,
                interval: se.map(|se| Interval {
                    low: overall + value - half * se,
                    high: overall + value + half * se,
                }),
                thin: annotators < settings.thin,
            })
        })
        .collect()
}

/// One annotator's answers, summed by place: place, answers, sum of errors.
struct Person {
    n: f64,
    sum: f64,
    squares: f64,
    places: Vec<(usize, f64, f64)>,
}

struct LevelFit {
    means: Vec<f64>,
    se: Vec<f64>,
    criterion: f64,
}

/// Means per place with a random level per annotator whose variance is `ratio` times that of answers.
fn level_fit(people: &[Person], k: usize, ratio: f64) -> Option<LevelFit> {
    let mut xx = vec![vec![0.0; k]; k];
    let mut xy = vec![0.0; k];
    let (mut yy, mut logs, mut n) = (0.0, 0.0, 0.0);
    for person in people {
        let share = ratio / (1.0 + person.n * ratio);
        for &(a, n_a, sum) in &person.places {
            xx[a][a] += n_a;
            xy[a] += sum - share * n_a * person.sum;
            for &(b, n_b, _) in &person.places {
                xx[a][b] -= share * n_a * n_b;
            }
        }
        yy += person.squares - share * person.sum * person.sum;
        logs += (1.0 + person.n * ratio).ln();
        n += person.n;
    }
    let (inverse, log_determinant) = inverted(xx)?;
    let means: Vec<f64> = inverse
        .iter()
        .map(|row| row.iter().zip(&xy).map(|(a, b)| a * b).sum())
        .collect();
    let explained: f64 = means.iter().zip(&xy).map(|(a, b)| a * b).sum();
    let freedom = n - k as f64;
    if freedom <= 0.0 {
        return None;
    }
    let variance = ((yy - explained) / freedom).max(f64::MIN_POSITIVE);
    // A level common to all places is left out of the standard errors: it is who the annotators are, not how they change.
    let level = |row: &[f64]| row.iter().sum::<f64>() / k as f64;
    let grand = inverse.iter().map(|r| level(r)).sum::<f64>() / k as f64;
    let se = (0..k).map(|i| {
        (variance * (inverse[i][i] - 2.0 * level(&inverse[i]) + grand))
            .max(0.0)
            .sqrt()
    });
    Some(LevelFit {
        se: se.collect(),
        means,
        criterion: freedom * variance.ln() + logs + log_determinant,
    })
}

/// Inverse of a symmetric positive matrix and the logarithm of its determinant, by Gauss and Jordan; `None` if it has none.
fn inverted(mut a: Vec<Vec<f64>>) -> Option<(Vec<Vec<f64>>, f64)> {
    let k = a.len();
    let mut result: Vec<Vec<f64>> = (0..k)
        .map(|i| (0..k).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    let mut log_determinant = 0.0;
    for i in 0..k {
        let pivot = a[i][i];
        if pivot <= 1e-12 {
            return None;
        }
        log_determinant += pivot.ln();
        for j in 0..k {
            a[i][j] /= pivot;
            result[i][j] /= pivot;
        }
        let (own, own_result) = (a[i].clone(), result[i].clone());
        for row in (0..k).filter(|&row| row != i) {
            let factor = a[row][i];
            for j in 0..k {
                a[row][j] -= factor * own[j];
                result[row][j] -= factor * own_result[j];
            }
        }
    }
    Some((result, log_determinant))
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
