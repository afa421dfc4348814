use super::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Annotators whose expected error changes by `slope` per 100 tasks, of different skill, on items of different difficulty; who errs by
/// more than `limit` on average after 5 answers is banned on the spot, and the weak also lose heart earlier.
struct Crew {
    slope: f64,
    slope_sd: f64,
    limit: f64,
    annotators: u32,
}

impl Crew {
    fn draw(&self, seed: u64) -> (Vec<Step>, Vec<bool>) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
        let difficulty: Vec<f64> = (0..300).map(|_| normal(rng)).collect();
        let (mut steps, mut banned) = (Vec::new(), Vec::new());
        for annotator in 0..self.annotators {
            let level = 7.0 + 2.0 * normal(rng);
            let slope = self.slope + self.slope_sd * normal(rng);
            let length = rng.random_range(40..300);
            let (mut sum, mut out) = (0.0, false);
            for position in 0..length {
                let item = rng.random_range(0..300u32);
                let error = level
                    + slope * f64::from(position) / 100.0
                    + difficulty[item as usize]
                    + 3.0 * normal(rng);
                sum += error;
                steps.push(Step {
                    annotator,
                    item,
                    position: f64::from(position),
                    error,
                });
                if position >= 5 && sum / f64::from(position + 1) > self.limit {
                    out = true;
                    break;
                }
            }
            banned.push(out);
        }
        (steps, banned)
    }
}

#[test]
fn a_slope_that_is_there_is_found_and_its_interval_covers_it() {
    let crew = Crew {
        slope: 0.6,
        slope_sd: 0.5,
        limit: 9.5,
        annotators: 60,
    };
    let mut covered = 0;
    for seed in 0..40 {
        let (steps, banned) = crew.draw(seed);
        let found = drift(&steps, &banned, &DriftSettings::default())
            .unwrap()
            .unwrap();
        covered += u32::from(found.slope.interval.unwrap().contains(0.6));
    }
    assert!((34..=40).contains(&covered), "{covered} of 40");
}

#[test]
fn people_who_do_not_change_are_not_said_to_learn_because_the_weak_are_banned() {
    let crew = Crew {
        slope: 0.0,
        slope_sd: 0.3,
        limit: 9.0,
        annotators: 80,
    };
    let (mut covered, mut naive, mut mixed, mut fallen, mut steady) = (0, 0.0, 0.0, 0.0, 0.0);
    for seed in 0..30 {
        let (steps, banned) = crew.draw(1000 + seed);
        assert!(banned.iter().filter(|b| **b).count() > 8);
        let found = drift(&steps, &banned, &DriftSettings::default())
            .unwrap()
            .unwrap();
        covered += u32::from(found.slope.interval.unwrap().contains(0.0));
        naive += found.naive / 30.0;
        mixed += found.slope.value / 30.0;
        let (first, last) = (found.curve[0], found.curve[found.curve.len() - 1]);
        fallen += (last.present - first.present) / 30.0;
        steady += (last.same_people - first.same_people) / 30.0;
    }
    assert!(covered >= 25, "{covered} of 30");
    // Those who are left err less: to all appearances everybody learns.
    assert!(naive < -0.1 && fallen < -0.5, "{naive} {fallen}");
    assert!(mixed.abs() < 0.1 && steady.abs() < 0.25, "{mixed} {steady}");
}

#[test]
fn items_that_are_harder_when_they_come_late_are_not_tiredness() {
    // Everybody answers the items in one order, each harder than the one before; half of them skip every other item.
    let mut steps = Vec::new();
    for annotator in 0..20u32 {
        let mut position = 0.0;
        for item in 0..60u32 {
            if annotator % 2 == 0 || item % 2 == 0 {
                let wobble = f64::from((annotator * 31 + item * 17) % 7) / 7.0;
                steps.push(Step {
                    annotator,
                    item,
                    position,
                    error: f64::from(item) / 10.0 + wobble,
                });
                position += 1.0;
            }
        }
    }
    let found = drift(&steps, &[false; 20], &DriftSettings::default())
        .unwrap()
        .unwrap();
    assert!(
        found.slope.interval.unwrap().contains(0.0),
        "{:?}",
        found.slope
    );
    assert!(found.kept.is_none());
}

#[test]
fn the_curve_of_the_same_people_by_hand() {
    // Two err by 2 and stay for 40 tasks, one errs by 6 and leaves after 20. Nobody changes.
    let step = |annotator, item, position, error| Step {
        annotator,
        item,
        position,
        error,
    };
    let steps: Vec<Step> = (0..40)
        .flat_map(|i| {
            let late = f64::from(i);
            let mut all = vec![
                step(0, i, late, 2.0 + f64::from(i % 2) * 0.1),
                step(1, 39 - i, late, 2.0),
            ];
            if i < 20 {
                all.push(step(2, i * 3 % 40, late, 6.0 + f64::from(i % 3) * 0.1));
            }
            all
        })
        .collect();
    let settings = DriftSettings {
        places: 4,
        ..DriftSettings::default()
    };
    let found = drift(&steps, &[false, false, true], &settings)
        .unwrap()
        .unwrap();
    assert_eq!(found.curve.len(), 4);
    assert_eq!(
        (found.curve[0].annotators, found.curve[3].annotators),
        (3, 2)
    );
    assert!(found.curve.iter().all(|p| p.thin));
    assert!(found.curve[0].present > found.curve[3].present + 1.0);
    assert!(
        (found.curve[0].same_people - found.curve[3].same_people).abs() < 0.5,
        "{:?}",
        found.curve
    );
    assert_eq!(found.typical_length, 40.0);
}

#[test]
fn nothing_to_see_is_none_and_bad_input_is_an_error() {
    let settings = DriftSettings::default();
    assert_eq!(drift(&[], &[], &settings).unwrap(), None);
    let lone = Step {
        annotator: 0,
        item: 0,
        position: 0.0,
        error: 1.0,
    };
    assert_eq!(drift(&[lone], &[false], &settings).unwrap(), None);
    assert!(drift(&[lone], &[], &settings).is_err());
    let bad = Step {
        error: f64::NAN,
        ..lone
    };
    assert!(drift(&[bad], &[false], &settings).is_err());
    let per = DriftSettings {
        per: 0.0,
        ..settings
    };
    assert!(drift(&[lone], &[false], &per).is_err());
}
