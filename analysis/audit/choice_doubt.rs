//! Hard controls of a choice: is the photo hard, or is the known label wrong?

use super::Suspicion;
use crate::Error;
use crate::error::check_setting;
use serde::Serialize;
use statrs::function::gamma::ln_gamma;

/// A control as people and, perhaps, a network see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoiceView {
    /// The known label.
    pub truth: u32,
    /// Votes for each label.
    pub votes: Vec<u32>,
    /// What a network says.
    pub prediction: Option<u32>,
}

/// How labels are doubted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChoiceDoubtSettings {
    /// Share of labels that are wrong, before anything is seen: 0.01.
    pub prior: f64,
    /// Fewer votes than this say nothing: 3.
    pub min_answers: u32,
}

impl Default for ChoiceDoubtSettings {
    fn default() -> Self {
        Self {
            prior: 0.01,
            min_answers: 3,
        }
    }
}

/// One control, judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChoiceDoubt {
    /// Votes.
    pub answers: u32,
    /// Share of wrong ones.
    pub wrong_share: f64,
    /// The label that is most probable if the known one is wrong.
    pub rival: Option<u32>,
    /// Probability that the known label is wrong; `None` with too few votes.
    pub wrong: Option<f64>,
    /// What that means.
    pub suspicion: Suspicion,
}

/// Judges every control.
///
/// Votes for other labels than the true one are beta-binomial (Skellam 1948): controls differ in how hard they are, so that votes on one control
/// hang together. Mean and spread are those of the controls, each weighing by the probability that its label is right, by ten rounds of moments (Kleinman
/// 1973). Bayes' rule then gives the probability of each label, `1 − prior` lying on the known one; a network's opinion counts by the share
/// of controls on which it agrees with the label, as if it erred independently of people.
///
/// Errors: the prior is out of range; a truth or a prediction is no label.
pub fn choice_doubts(
    controls: &[ChoiceView],
    settings: &ChoiceDoubtSettings,
) -> Result<Vec<ChoiceDoubt>, Error> {
    let prior = settings.prior > 0.0 && settings.prior < 1.0;
    check_setting(prior, "prior", settings.prior, "must lie between 0 and 1")?;
    for (item, c) in controls.iter().enumerate() {
        let known = |label: u32| (label as usize) < c.votes.len();
        if !known(c.truth) || c.prediction.is_some_and(|p| !known(p)) {
            let reason = "a truth or a prediction is no label".into();
            return Err(Error::Item { item, reason });
        }
    }
    let total = |c: &ChoiceView| c.votes.iter().sum::<u32>();
    let wrong = |c: &ChoiceView| total(c) - c.votes[c.truth as usize];
    let said: Vec<&ChoiceView> = controls.iter().filter(|c| c.prediction.is_some()).collect();
    let agrees = said
        .iter()
        .filter(|c| c.prediction == Some(c.truth))
        .count() as f64;
    // One of each is added, so that a network that always agrees is no oracle.
    let network = (agrees + 1.0) / (said.len() as f64 + 2.0);
    let mut right = vec![1.0; controls.len()];
    let mut posteriors = Vec::new();
    for _ in 0..10 {
        let shape = moments(
            controls
                .iter()
                .zip(&right)
                .map(|(c, w)| (wrong(c), total(c), *w)),
        );
        posteriors = controls
            .iter()
            .map(|c| posterior(c, shape, network, settings.prior))
            .collect();
        for ((r, p), c) in right.iter_mut().zip(&posteriors).zip(controls) {
            *r = p[c.truth as usize];
        }
    }
    let usual = {
        let (mut bad, mut all) = (0.0, 0.0);
        for c in controls {
            bad += f64::from(wrong(c));
            all += f64::from(total(c));
        }
        if all > 0.0 { bad / all } else { 0.0 }
    };
    Ok(controls
        .iter()
        .zip(posteriors)
        .map(|(c, p)| {
            let (n, share) = (total(c), f64::from(wrong(c)) / f64::from(total(c).max(1)));
            let rival = (0..c.votes.len() as u32)
                .filter(|l| *l != c.truth)
                .max_by(|a, b| p[*a as usize].total_cmp(&p[*b as usize]).then(b.cmp(a)));
            let enough = n >= settings.min_answers.max(1);
            let doubt = 1.0 - p[c.truth as usize];
            let suspicion = match () {
                () if !enough => Suspicion::TooFew,
                () if doubt >= 0.5 => Suspicion::DoubtfulLabel,
                () if doubt >= 0.1 => Suspicion::Look,
                // More than half wrong, or twice as many as usual: people do not see it.
                () if share > 0.5 || (share > 2.0 * usual && wrong(c) >= 3) => Suspicion::HardPhoto,
                () => Suspicion::Ordinary,
            };
            ChoiceDoubt {
                answers: n,
                wrong_share: share,
                rival: rival.filter(|_| enough),
                wrong: enough.then_some(doubt),
                suspicion,
            }
        })
        .collect())
}

/// α and β of the beta distribution of the share of wrong votes, by weighted moments.
fn moments(rows: impl Iterator<Item = (u32, u32, f64)> + Clone) -> (f64, f64) {
    let (mut bad, mut all, mut pairs) = (0.0, 0.0, 0.0);
    for (k, n, w) in rows.clone() {
        bad += w * f64::from(k);
        all += w * f64::from(n);
        pairs += w * f64::from(n) * (f64::from(n) - 1.0);
    }
    // Half a vote each way keeps a crowd without an error from being sure of everything.
    let mean = (bad + 0.5) / (all + 1.0);
    let both: f64 = rows
        .map(|(k, _, w)| w * f64::from(k) * (f64::from(k) - 1.0))
        .sum();
    // E k(k − 1) = n(n − 1)(mean² + ρ mean (1 − mean)), with ρ = 1/(α + β + 1).
    let rho = if pairs > 0.0 {
        (both / pairs - mean * mean) / (mean * (1.0 - mean))
    } else {
        0.1
    };
    let size = 1.0 / rho.clamp(0.02, 0.9) - 1.0;
    (mean * size, (1.0 - mean) * size)
}

/// Logarithm of the beta-binomial probability of k of n, without the binomial coefficient, which cancels where only one k of n is compared; kept
/// here so that it is a probability.
fn ln_beta_binomial(k: u32, n: u32, (a, b): (f64, f64)) -> f64 {
    let (k, n) = (f64::from(k), f64::from(n));
    let beta = |x: f64, y: f64| ln_gamma(x) + ln_gamma(y) - ln_gamma(x + y);
    let choose = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    choose + beta(k + a, n - k + b) - beta(a, b)
}

/// Probability of each label.
fn posterior(c: &ChoiceView, shape: (f64, f64), network: f64, prior: f64) -> Vec<f64> {
    let n: u32 = c.votes.iter().sum();
    let labels = c.votes.len();
    let others = (labels as f64 - 1.0).max(1.0);
    let logs: Vec<f64> = (0..labels as u32)
        .map(|label| {
            let before = if label == c.truth {
                1.0 - prior
            } else {
                prior / others
            };
            let seen = match c.prediction {
                Some(p) if p == label => network,
                Some(_) => (1.0 - network) / others,
                None => 1.0,
            };
            before.ln() + seen.ln() + ln_beta_binomial(n - c.votes[label as usize], n, shape)
        })
        .collect();
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logs.iter().map(|l| (l - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(truth: u32, votes: &[u32], prediction: Option<u32>) -> ChoiceView {
        ChoiceView {
            truth,
            votes: votes.to_vec(),
            prediction,
        }
    }

    /// Ninety controls on which a tenth errs, some of which are hard.
    fn crowd() -> Vec<ChoiceView> {
        (0..90u32)
            .map(|i| {
                let bad = [0, 0, 1, 0, 2, 1, 0, 4, 0][i as usize % 9];
                let truth = i % 2;
                let votes = if truth == 0 {
                    [12 - bad, bad]
                } else {
                    [bad, 12 - bad]
                };
                view(truth, &votes, Some(truth))
            })
            .collect()
    }

    #[test]
    fn a_label_all_deny_is_doubted_and_a_network_decides_about_the_rest() {
        let mut all = crowd();
        all.push(view(0, &[0, 12], None));
        all.push(view(0, &[0, 12], Some(0)));
        all.push(view(0, &[0, 12], Some(1)));
        all.push(view(0, &[6, 6], None));
        all.push(view(0, &[1, 1], None));
        let found = choice_doubts(&all, &ChoiceDoubtSettings::default()).unwrap();
        let [alone, against, with, split, few] = &found[90..] else {
            panic!()
        };
        assert_eq!(alone.suspicion, Suspicion::DoubtfulLabel, "{alone:?}");
        assert_eq!(
            (with.suspicion, with.rival),
            (Suspicion::DoubtfulLabel, Some(1))
        );
        assert!(
            against.wrong < alone.wrong && alone.wrong < with.wrong,
            "{found:?}"
        );
        assert_eq!(split.suspicion, Suspicion::HardPhoto, "{split:?}");
        assert_eq!((few.suspicion, few.wrong), (Suspicion::TooFew, None));
        assert!(
            found[..90]
                .iter()
                .all(|d| d.suspicion <= Suspicion::HardPhoto)
        );
    }

    #[test]
    fn probabilities_are_those_of_scipy() {
        // tests/reference/more_audits.py: scipy.stats.betabinom.logpmf.
        let text = include_str!("../../tests/reference/more_audits.json");
        let all: serde_json::Value = serde_json::from_str(text).unwrap();
        let rows = all["beta_binomial"].as_array().unwrap();
        for row in rows {
            let at = |i: usize| row[i].as_f64().unwrap();
            let found = ln_beta_binomial(at(0) as u32, at(1) as u32, (at(2), at(3)));
            assert!((found - at(4)).abs() < 1e-9, "{row}: {found}");
        }
        assert!(rows.len() > 10);
    }

    #[test]
    fn bad_input_is_an_error() {
        let settings = ChoiceDoubtSettings::default();
        assert!(choice_doubts(&[view(2, &[1, 2], None)], &settings).is_err());
        assert!(choice_doubts(&[view(0, &[1, 2], Some(5))], &settings).is_err());
        let sure = ChoiceDoubtSettings {
            prior: 1.0,
            ..settings
        };
        assert!(choice_doubts(&[], &sure).is_err());
        assert!(choice_doubts(&[], &settings).unwrap().is_empty());
    }
}
