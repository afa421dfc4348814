//! Hard controls: is the photo hard, or is the known answer wrong?
//!
//! A wrong label and a hard photo both make everybody err. They differ in how far: errors of crowds on right labels have a size that the
//! other controls show, and a label that is wrong may be wrong by anything. And they differ in company: a network that never saw the
//! votes and agrees with the crowd against the label is evidence against the label; one that agrees with the label says that the photo
//! misleads people.

use super::median;
use crate::Error;
use crate::error::check_setting;
use crate::smoothing::Lowess;
use serde::Serialize;

/// A control as people and, perhaps, a network see it.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlView {
    /// The known answer.
    pub truth: f64,
    /// The answers people gave.
    pub answers: Vec<f64>,
    /// What a network says.
    pub prediction: Option<f64>,
}

/// How labels are doubted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DoubtSettings {
    /// Share of labels that are wrong, before anything is seen: 0.01.
    pub prior: f64,
    /// Length of the scale over which a wrong label may lie, in the question's unit.
    pub range: f64,
    /// Fewer answers than this say nothing: 3.
    pub min_answers: usize,
}

/// What is thought of a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suspicion {
    /// Too few answers to tell.
    TooFew,
    /// People err here about as everywhere.
    Ordinary,
    /// People err more than elsewhere, and the label is probably right: the photo misleads, or people disagree.
    HardPhoto,
    /// Either: a person should look.
    Look,
    /// The label is probably wrong.
    DoubtfulLabel,
}

/// One control, judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Doubt {
    /// Answers.
    pub answers: usize,
    /// Mean |answer − truth|.
    pub error: f64,
    /// Mean of answer − truth.
    pub bias: f64,
    /// Median answer.
    pub median: f64,
    /// Standard deviation of the answers, robust: how far people disagree among themselves.
    pub disagreement: f64,
    /// Median answer − truth, less what is usual at this truth.
    pub surprise: f64,
    /// The same of the network.
    pub network_surprise: Option<f64>,
    /// Probability that the label is wrong; `None` with too few answers.
    pub wrong: Option<f64>,
    /// What that means.
    pub suspicion: Suspicion,
}

/// From this probability of a wrong label on it is doubted; below [`LOOK`] it is not.
const DOUBT: f64 = 0.5;
const LOOK: f64 = 0.1;
/// Degrees of freedom of the errors of crowds: heavy tails.
const FREEDOM: f64 = 4.0;
/// Fewer controls than this show no bias by truth: their median is taken.
const ENOUGH: usize = 20;

/// Judges every control.
///
/// `surprise` is the median answer less truth, less LOWESS of that over all controls (everybody takes the old for younger, and that is no
/// sign of wrong labels). If the label is right, surprises of people and network are Student's t with 4 degrees of freedom and the
/// robust spread and correlation that all controls show, wider where people disagree among themselves; if it is wrong, the truth
/// is anywhere on the scale, and only the difference of people and network tells anything. Bayes' rule gives the probability.
///
/// Errors: a setting is out of range, a value is not finite.
pub fn doubts(controls: &[ControlView], settings: &DoubtSettings) -> Result<Vec<Doubt>, Error> {
    let prior = settings.prior > 0.0 && settings.prior < 1.0;
    check_setting(prior, "prior", settings.prior, "must lie between 0 and 1")?;
    let range = settings.range > 0.0 && settings.range.is_finite();
    check_setting(range, "range", settings.range, "must be positive")?;
    for (item, control) in controls.iter().enumerate() {
        let mut values = control
            .answers
            .iter()
            .chain([&control.truth])
            .chain(&control.prediction);
        if values.any(|v| !v.is_finite()) {
            let reason = "a truth, an answer or a prediction is not finite".into();
            return Err(Error::Item { item, reason });
        }
    }
    let seen: Vec<usize> = (0..controls.len())
        .filter(|&c| controls[c].answers.len() >= settings.min_answers.max(1))
        .collect();
    let medians: Vec<f64> = seen
        .iter()
        .filter_map(|&c| median(controls[c].answers.clone()))
        .collect();
    let truths = seen.iter().map(|&c| controls[c].truth);
    let people = Usual::of(&truths.zip(medians.iter().copied()).collect::<Vec<_>>())?;
    let predicted: Vec<(f64, f64)> = seen
        .iter()
        .filter_map(|&c| Some((controls[c].truth, controls[c].prediction?)))
        .collect();
    let network = if predicted.is_empty() {
        None
    } else {
        Some(Usual::of(&predicted)?)
    };
    let spread_of = |c: usize| robust_sd(&controls[c].answers, 0.0);
    let usual_error = {
        let errors: Vec<f64> = seen.iter().map(|&c| mean_error(&controls[c])).collect();
        (
            median(errors.clone()).unwrap_or(0.0),
            robust_sd(&errors, 0.0),
        )
    };
    let correlation = {
        let pairs: Vec<(f64, f64)> = seen
            .iter()
            .zip(&medians)
            .filter_map(|(&c, m)| {
                let (truth, said) = (controls[c].truth, controls[c].prediction?);
                let network = network.as_ref()?;
                Some((
                    m - truth - people.at(truth),
                    said - truth - network.at(truth),
                ))
            })
            .collect();
        quadrant_correlation(&pairs)
    };
    let mut result = Vec::with_capacity(controls.len());
    let mut place = 0;
    for (c, control) in controls.iter().enumerate() {
        let n = control.answers.len();
        let Some(middle) = median(control.answers.clone()) else {
            result.push(Doubt {
                answers: 0,
                error: f64::NAN,
                bias: f64::NAN,
                median: f64::NAN,
                disagreement: f64::NAN,
                surprise: f64::NAN,
                network_surprise: None,
                wrong: None,
                suspicion: Suspicion::TooFew,
            });
            continue;
        };
        let surprise = middle - control.truth - people.at(control.truth);
        let of_network = network.as_ref().zip(control.prediction);
        let network_surprise =
            of_network.map(|(usual, said)| said - control.truth - usual.at(control.truth));
        let mut doubt = Doubt {
            answers: n,
            error: mean_error(control),
            bias: control
                .answers
                .iter()
                .map(|a| a - control.truth)
                .sum::<f64>()
                / n as f64,
            median: middle,
            disagreement: spread_of(c),
            surprise,
            network_surprise,
            wrong: None,
            suspicion: Suspicion::TooFew,
        };
        if seen.get(place) == Some(&c) {
            place += 1;
            // The median of n answers that disagree is itself uncertain: 1.2533² = π/2.
            let own = doubt.disagreement.powi(2) * std::f64::consts::FRAC_PI_2 / n as f64;
            let scale = (people.sd.powi(2) + own).sqrt();
            let (right, wrong) = match (network.as_ref(), of_network, network_surprise) {
                (Some(usual), Some((_, said)), Some(q)) => {
                    let covariance = correlation * scale * usual.sd;
                    let right = t2(surprise, q, scale, usual.sd, correlation);
                    // Were the truth elsewhere, where people see it: how far apart would the two be?
                    let elsewhere = middle - people.at(middle);
                    let apart = (middle - people.at(elsewhere)) - (said - usual.at(elsewhere));
                    let sd = (scale.powi(2) + usual.sd.powi(2) - 2.0 * covariance)
                        .max(1e-12)
                        .sqrt();
                    (right, t1(apart, sd) / settings.range)
                }
                _ => (t1(surprise, scale), 1.0 / settings.range),
            };
            let odds =
                settings.prior / (1.0 - settings.prior) * wrong / right.max(f64::MIN_POSITIVE);
            // A label that the crowd confirms is not wrong, however narrow the scale.
            let closer = surprise.abs() <= scale;
            let probability = if closer { 0.0 } else { odds / (1.0 + odds) };
            doubt.wrong = Some(probability);
            let hard = doubt.error > usual_error.0 + 2.0 * usual_error.1
                || surprise.abs() > 2.0 * people.sd;
            doubt.suspicion = match probability {
                p if p >= DOUBT => Suspicion::DoubtfulLabel,
                p if p >= LOOK => Suspicion::Look,
                _ if hard => Suspicion::HardPhoto,
                _ => Suspicion::Ordinary,
            };
        }
        result.push(doubt);
    }
    Ok(result)
}

fn mean_error(control: &ControlView) -> f64 {
    let sum: f64 = control
        .answers
        .iter()
        .map(|a| (a - control.truth).abs())
        .sum();
    sum / control.answers.len().max(1) as f64
}

/// What is usual at each truth.
struct Usual {
    /// Truth and usual error, ascending.
    curve: Vec<(f64, f64)>,
    sd: f64,
}

impl Usual {
    fn of(points: &[(f64, f64)]) -> Result<Self, Error> {
        let (x, y): (Vec<f64>, Vec<f64>) = points.iter().map(|(t, a)| (*t, a - t)).unzip();
        let fitted = if x.len() >= ENOUGH {
            Lowess::default().fit(&x, &y)?
        } else {
            vec![median(y.clone()).unwrap_or(0.0); x.len()]
        };
        let rest: Vec<f64> = y.iter().zip(&fitted).map(|(y, f)| y - f).collect();
        let mut curve: Vec<(f64, f64)> = x.into_iter().zip(fitted).collect();
        curve.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        curve.dedup_by(|a, b| a.0 == b.0);
        // Few controls show a spread that may be too small by luck.
        let few = 1.0 + 2.0 / rest.len().max(1) as f64;
        let floor = 1e-3 * y.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        Ok(Self {
            curve,
            sd: (few * robust_sd(&rest, 0.0)).max(floor).max(1e-9),
        })
    }

    fn at(&self, truth: f64) -> f64 {
        let after = self.curve.partition_point(|c| c.0 < truth);
        let last = self.curve.len().saturating_sub(1);
        let (Some(a), Some(b)) = (
            self.curve.get(after.saturating_sub(1).min(last)),
            self.curve.get(after.min(last)),
        ) else {
            return 0.0;
        };
        if b.0 > a.0 {
            a.1 + ((truth - a.0) / (b.0 - a.0)).clamp(0.0, 1.0) * (b.1 - a.1)
        } else {
            a.1
        }
    }
}

/// Median absolute deviation as a standard deviation; the mean absolute deviation where more than half are equal.
fn robust_sd(values: &[f64], none: f64) -> f64 {
    let Some(middle) = median(values.to_vec()) else {
        return none;
    };
    let away: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
    let mean = away.iter().sum::<f64>() / away.len() as f64;
    match median(away) {
        Some(mad) if mad > 0.0 => 1.4826 * mad,
        _ => 1.2533 * mean,
    }
}

/// Correlation from the share of pairs on the same side of both medians (Mosteller 1946), between 0 and 0.95.
fn quadrant_correlation(pairs: &[(f64, f64)]) -> f64 {
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (Some(ma), Some(mb)) = (median(a), median(b)) else {
        return 0.0;
    };
    let sides: Vec<f64> = pairs
        .iter()
        .map(|p| {
            ((p.0 - ma) * (p.1 - mb)).signum() * f64::from(u8::from((p.0 - ma) * (p.1 - mb) != 0.0))
        })
        .collect();
    let mean = sides.iter().sum::<f64>() / sides.len().max(1) as f64;
    (std::f64::consts::FRAC_PI_2 * mean).sin().clamp(0.0, 0.95)
}

/// Student's t density with 4 degrees of freedom and this scale.
fn t1(x: f64, scale: f64) -> f64 {
    let z = x / scale;
    0.375 / scale * (1.0 + z * z / FREEDOM).powf(-(FREEDOM + 1.0) / 2.0)
}

/// The same of two correlated values.
fn t2(x: f64, y: f64, sx: f64, sy: f64, correlation: f64) -> f64 {
    let (a, b) = (x / sx, y / sy);
    let rest = 1.0 - correlation * correlation;
    let square = (a * a - 2.0 * correlation * a * b + b * b) / rest;
    let height = 1.0 / (2.0 * std::f64::consts::PI * sx * sy * rest.sqrt());
    height * (1.0 + square / FREEDOM).powf(-(FREEDOM + 2.0) / 2.0)
}

/// How well a control tells good annotators from bad: correlation of the error on it with the annotators' mean error on the other
/// controls. `errors` has annotator, control and |error| in any order. By control; `None` for fewer than `least` annotators with other
/// controls, or no differences.
pub fn discrimination(
    errors: &[(u32, u32, f64)],
    n_controls: usize,
    least: usize,
) -> Vec<Option<f64>> {
    let n = errors.iter().map(|e| e.0 as usize + 1).max().unwrap_or(0);
    let mut sums = vec![(0.0, 0.0); n];
    for &(who, _, error) in errors {
        sums[who as usize].0 += 1.0;
        sums[who as usize].1 += error;
    }
    let mut pairs: Vec<Vec<(f64, f64)>> = vec![Vec::new(); n_controls];
    for &(who, control, error) in errors {
        let (count, sum) = sums[who as usize];
        if count > 1.0
            && let Some(own) = pairs.get_mut(control as usize)
        {
            own.push((error, (sum - error) / (count - 1.0)));
        }
    }
    pairs
        .into_iter()
        .map(|mut own| {
            own.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
            let m = own.len() as f64;
            if own.len() < least.max(3) {
                return None;
            }
            let mean = own
                .iter()
                .fold((0.0, 0.0), |s, p| (s.0 + p.0 / m, s.1 + p.1 / m));
            let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
            for p in &own {
                let (a, b) = (p.0 - mean.0, p.1 - mean.1);
                ab += a * b;
                aa += a * a;
                bb += b * b;
            }
            let r = ab / (aa * bb).sqrt();
            r.is_finite().then_some(r)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    const AGES: DoubtSettings = DoubtSettings {
        prior: 0.01,
        range: 100.0,
        min_answers: 3,
    };

    /// 150 controls: people and a network share an error of sd 3 on every photo and take the old for younger. The first five labels are
    /// wrong by 25 to 45 years, the next five photos mislead people (not the network) by 12, the next five split the crowd.
    fn controls(seed: u64, network: bool) -> Vec<ControlView> {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
        (0..150)
            .map(|c| {
                let truth: f64 = rng.random_range(10.0..80.0);
                let look = truth - 0.1 * (truth - 40.0) + 3.0 * normal(rng);
                let misled = if (5..10).contains(&c) { 12.0 } else { 0.0 };
                let split = if (10..15).contains(&c) { 18.0 } else { 6.0 };
                let answers = (0..30)
                    .map(|_| look + misled + split * normal(rng))
                    .collect();
                let prediction = truth + 0.5 * (look - truth) + 3.0 * normal(rng);
                let wrong = if c < 5 {
                    (25.0 + 5.0 * f64::from(c)) * if truth < 45.0 { 1.0 } else { -1.0 }
                } else {
                    0.0
                };
                ControlView {
                    truth: truth + wrong,
                    answers,
                    prediction: network.then_some(prediction),
                }
            })
            .collect()
    }

    fn count(found: &[Doubt], range: std::ops::Range<usize>, suspicion: Suspicion) -> usize {
        found[range]
            .iter()
            .filter(|d| d.suspicion == suspicion)
            .count()
    }

    #[test]
    fn wrong_labels_are_told_from_hard_photos_with_a_network() {
        let (mut caught, mut falsely, mut misleading) = (0, 0, 0);
        for seed in 0..10 {
            let found = doubts(&controls(seed, true), &AGES).unwrap();
            caught += count(&found, 0..5, Suspicion::DoubtfulLabel);
            falsely += count(&found, 5..150, Suspicion::DoubtfulLabel);
            misleading += count(&found, 5..10, Suspicion::HardPhoto);
        }
        assert!(caught >= 45, "{caught} of 50");
        assert!(falsely <= 2, "{falsely} of 1450");
        assert!(misleading >= 30, "{misleading} of 50");
    }

    #[test]
    fn people_alone_see_labels_that_are_far_off_and_seldom_doubt_right_ones() {
        let (mut suspected, mut falsely) = (0, 0);
        for seed in 0..10 {
            let found = doubts(&controls(seed, false), &AGES).unwrap();
            suspected += count(&found, 0..5, Suspicion::DoubtfulLabel)
                + count(&found, 0..5, Suspicion::Look);
            falsely += count(&found, 10..150, Suspicion::DoubtfulLabel);
        }
        assert!(suspected >= 40, "{suspected} of 50");
        assert!(falsely <= 3, "{falsely} of 1400");
    }

    #[test]
    fn few_answers_say_nothing_and_bad_values_are_errors() {
        let view = |answers: &[f64]| ControlView {
            truth: 30.0,
            answers: answers.to_vec(),
            prediction: None,
        };
        let found = doubts(
            &[view(&[]), view(&[90.0, 91.0]), view(&[30.0, 31.0, 29.0])],
            &AGES,
        )
        .unwrap();
        assert_eq!(found[0].suspicion, Suspicion::TooFew);
        assert_eq!(
            (found[1].suspicion, found[1].wrong),
            (Suspicion::TooFew, None)
        );
        assert_eq!(found[2].suspicion, Suspicion::Ordinary);
        assert!(doubts(&[view(&[f64::NAN])], &AGES).is_err());
        assert!(doubts(&[], &DoubtSettings { prior: 0.0, ..AGES }).is_err());
        assert!(doubts(&[], &AGES).unwrap().is_empty());
    }

    #[test]
    fn a_control_on_which_the_good_err_most_does_not_tell_annotators_apart() {
        // Annotator u errs by u on controls 0 to 3, and by 9 − u on control 4.
        let errors: Vec<(u32, u32, f64)> = (0..10)
            .flat_map(|u| {
                (0..5).map(move |c| {
                    (
                        u,
                        c,
                        if c < 4 {
                            f64::from(u)
                        } else {
                            f64::from(9 - u)
                        },
                    )
                })
            })
            .collect();
        let found = discrimination(&errors, 6, 5);
        assert!(found[0].unwrap() > 0.99 && found[4].unwrap() < -0.99);
        assert_eq!(found[5], None);
    }
}
