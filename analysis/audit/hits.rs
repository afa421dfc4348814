//! Exactly right too often: an annotator who recognises controls, or was told, hits the truth itself where others only come near it.

use super::{median, tail::at_least};
use crate::Error;
use crate::scoring::number::check_level;
use serde::Serialize;

/// One judged answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The annotator.
    pub annotator: u32,
    /// The control.
    pub control: u32,
    /// |answer − truth|.
    pub error: f64,
}

/// One annotator's hits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hits {
    /// The annotator.
    pub annotator: u32,
    /// Answers within reach of the truth.
    pub near: usize,
    /// Of these, exactly right.
    pub exact: usize,
    /// How many would be exactly right by chance.
    pub expected: f64,
    /// Probability of as many by chance, for this annotator alone.
    pub p: f64,
    /// The same for the luckiest of all (Bonferroni).
    pub p_all: f64,
    /// Whether that is too unlikely.
    pub suspected: bool,
}

/// Pseudo-answers that hold a control's share of exact answers near the share of all.
const PRIOR: f64 = 4.0;

/// Counts exact answers among those within `reach` of the truth; the luckiest first. Only near answers are counted, because a good annotator
/// has more of them, exact and inexact alike, and is no cheat for it. The chance of an exact one is the share among the other annotators' near
/// answers on the same control, held near the share of all where they are few.
///
/// `reach` of `None` is 0.4 of the median |error|. Annotators without near answers are left out. Errors: the level is out of range, an
/// error is negative or not finite.
pub fn exact_hits(
    judged: &[Judged],
    reach: Option<f64>,
    level: f64,
) -> Result<(f64, Vec<Hits>), Error> {
    check_level(level)?;
    if let Some(row) = judged
        .iter()
        .position(|j| !(j.error >= 0.0 && j.error.is_finite()))
    {
        let reason = format!("error {row} is negative or not finite");
        return Err(Error::Points { reason });
    }
    let usual = median(judged.iter().map(|j| j.error).collect()).unwrap_or(0.0);
    let reach = reach.unwrap_or(0.4 * usual);
    let near: Vec<&Judged> = judged.iter().filter(|j| j.error <= reach).collect();
    let controls = judged
        .iter()
        .map(|j| j.control as usize + 1)
        .max()
        .unwrap_or(0);
    let annotators = judged
        .iter()
        .map(|j| j.annotator as usize + 1)
        .max()
        .unwrap_or(0);
    let mut on = vec![(0.0, 0.0); controls];
    let mut own: Vec<Vec<(u32, bool)>> = vec![Vec::new(); annotators];
    for j in &near {
        let exact = j.error == 0.0;
        let c = &mut on[j.control as usize];
        *c = (c.0 + f64::from(u8::from(exact)), c.1 + 1.0);
        own[j.annotator as usize].push((j.control, exact));
    }
    let total = on.iter().fold((0.0, 0.0), |t, c| (t.0 + c.0, t.1 + c.1));
    let share = if total.1 > 0.0 {
        total.0 / total.1
    } else {
        0.0
    };
    let mut found = Vec::new();
    for (annotator, answers) in own.iter().enumerate().filter(|o| !o.1.is_empty()) {
        let chances: Vec<f64> = answers
            .iter()
            .map(|&(control, exact)| {
                let (hits, n) = on[control as usize];
                let others = (hits - f64::from(u8::from(exact)), n - 1.0);
                (others.0 + PRIOR * share) / (others.1 + PRIOR)
            })
            .collect();
        let exact = answers.iter().filter(|a| a.1).count();
        found.push(Hits {
            annotator: annotator as u32,
            near: answers.len(),
            exact,
            expected: chances.iter().sum(),
            p: at_least(exact, &chances),
            p_all: 1.0,
            suspected: false,
        });
    }
    let n = found.len() as f64;
    for hits in &mut found {
        hits.p_all = (hits.p * n).min(1.0);
        hits.suspected = hits.p_all <= 1.0 - level;
    }
    found.sort_by(|a, b| a.p.total_cmp(&b.p).then(a.annotator.cmp(&b.annotator)));
    Ok((reach, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Normal};

    /// 40 annotators, 60 controls each; the first eight are good, the last one was told a share of the truths.
    fn crowd(seed: u64, told: f64) -> Vec<Judged> {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut judged = Vec::new();
        for annotator in 0..40u32 {
            let normal = Normal::new(0.0, if annotator < 8 { 4.0 } else { 8.0 }).unwrap();
            for control in 0..60 {
                let error: f64 = normal.sample(rng);
                let mut error = error.round().abs();
                if annotator == 39 && rng.random_bool(told) {
                    error = 0.0;
                }
                judged.push(Judged {
                    annotator,
                    control,
                    error,
                });
            }
        }
        judged
    }

    #[test]
    fn who_was_told_is_found_and_the_good_are_not() {
        let mut falsely = 0;
        for seed in 0..20 {
            let (reach, honest) = exact_hits(&crowd(seed, 0.0), None, 0.95).unwrap();
            assert!((1.0..=3.0).contains(&reach), "{reach}");
            falsely += u32::from(honest[0].suspected);
            let (_, told) = exact_hits(&crowd(seed, 0.5), None, 0.95).unwrap();
            assert!(
                told[0].suspected && told[0].annotator == 39,
                "{:?}",
                told[0]
            );
        }
        assert!(falsely <= 3, "{falsely} of 20");
    }

    #[test]
    fn a_case_by_hand() {
        let j = |annotator, error| Judged {
            annotator,
            control: 0,
            error,
        };
        // Reach 2: near are 0, 1, 0, 2; half are exact. Of the others of annotator 0 one in three is.
        let (_, found) = exact_hits(
            &[j(0, 0.0), j(1, 1.0), j(2, 0.0), j(3, 2.0), j(4, 9.0)],
            Some(2.0),
            0.95,
        )
        .unwrap();
        let first = found.iter().find(|h| h.annotator == 0).unwrap();
        assert!((first.expected - (1.0 + 4.0 * 0.5) / (3.0 + 4.0)).abs() < 1e-12);
        assert_eq!((first.near, first.exact), (1, 1));
        assert!(found.iter().all(|h| h.annotator != 4));
        assert!(exact_hits(&[j(0, -1.0)], None, 0.95).is_err());
        assert!(exact_hits(&[], None, 0.95).unwrap().1.is_empty());
    }
}
