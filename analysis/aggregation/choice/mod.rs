//! From votes for labels to one label per item: [`ChoiceMethod`], one file per formula.
//!
//! If an item is itself a control, the scores behind its weights are computed without it, always. Methods that iterate look
//! at votes alone, unless told to hold controls at their truth ([`ChoiceSettings::clamp_controls`]): then a control's label
//! is its truth, and judging them takes folds ([`ChoiceMethod::needs_folds`]).

mod chunks;
mod closed;
mod control_accuracy;
mod control_log_odds;
mod dawid_skene;
mod em;
mod glad;
mod mace;
mod majority;
mod one_coin;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reference;
mod tally;
mod wawa;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::em::Panel;
use self::tally::lowest_of_most;
use super::Convergence;
use crate::error::{check_setting, check_truths};
use crate::scoring::Shrinkage;
use crate::scoring::choice::ControlAnswers;
use crate::{ChoiceVotes, Error};

/// How an item's votes become one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChoiceMethod {
    /// The label most annotators chose.
    Majority,
    /// Annotators weigh their agreement with the majority (crowd-kit's Wawa).
    Wawa,
    /// Annotators weigh their accuracy on controls.
    ControlAccuracy,
    /// Annotators weigh the log odds of their accuracy on controls (Nitzan and Paroush 1982).
    ControlLogOdds,
    /// One accuracy per annotator, learned from all votes (Zhang et al. 2016).
    OneCoin,
    /// A matrix of confusions per annotator, learned from all votes (Dawid and Skene 1979), as crowd-kit does it.
    DawidSkene,
    /// The same, each matrix pulled lightly towards that of all annotators, and until the likelihood settles.
    DawidSkenePooled,
    /// Annotators know the answer or follow a habit (Hovy et al. 2013).
    Mace,
    /// Annotators differ in ability and items in difficulty (Whitehill et al. 2009).
    Glad,
}

/// Settings of all choice methods; each looks at its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChoiceSettings {
    /// How far accuracies are pulled towards the overall one before they become weights: as far as they may be noise.
    pub shrinkage: Shrinkage,
    /// Whether the result keeps the share of every label, not of the winner alone (8 bytes per item and label).
    pub distributions: bool,
    /// `dawid-skene-pooled`: votes per true label by which an annotator's confusions are pulled towards those of all; 0 for none.
    pub pooling: f64,
    /// Methods that iterate: whether items of known truth are held at it while annotators are learned.
    pub clamp_controls: bool,
    /// Methods that iterate end when a pass gains less than this in log-likelihood per vote. At least 0.
    pub tolerance: f64,
    /// Methods that iterate stop after so many passes over the votes. At least 1.
    pub max_passes: usize,
}

impl ChoiceSettings {
    fn check(&self) -> Result<(), Error> {
        self.shrinkage.check()?;
        let positive = |x: f64| x.is_finite() && x >= 0.0;
        let reason = "must be a number of votes, at least 0";
        check_setting(positive(self.pooling), "pooling", self.pooling, reason)?;
        let reason = "must be a number, at least 0";
        check_setting(
            positive(self.tolerance),
            "tolerance",
            self.tolerance,
            reason,
        )?;
        let (passes, reason) = (self.max_passes, "must be at least 1");
        check_setting(passes >= 1, "max_passes", passes as f64, reason)
    }
}

impl Default for ChoiceSettings {
    fn default() -> Self {
        Self {
            shrinkage: Shrinkage::EmpiricalBayes,
            distributions: false,
            pooling: 1.0,
            clamp_controls: false,
            tolerance: 1e-5,
            max_passes: 100,
        }
    }
}

/// What the votes on one item say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChoiceEstimate {
    /// Index of the label. Ties go to the lowest index.
    pub label: u32,
    /// 0 to 1. `majority`, `wawa` and `control-accuracy`: the share of the (weighted) votes for it, not yet a probability. All
    /// others: its posterior probability under the model.
    pub confidence: f64,
    /// Votes on the item.
    pub votes: u32,
}

/// Estimates of all items.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChoiceResult {
    /// By item's index; `None` for an item without votes.
    pub estimates: Vec<Option<ChoiceEstimate>>,
    /// How the method came to its end.
    pub convergence: Convergence,
    /// Number of labels.
    pub n_labels: u32,
    /// Share or probability of every label, item by item (`n_labels` entries each; zeros for an item without votes), if asked for.
    pub distributions: Option<Vec<f64>>,
}

impl ChoiceResult {
    /// Share of every label for one item, if [`ChoiceSettings::distributions`] asked for it.
    pub fn distribution(&self, item: usize) -> Option<&[f64]> {
        let n = self.n_labels as usize;
        self.distributions.as_ref()?.get(item * n..(item + 1) * n)
    }
}

impl ChoiceMethod {
    /// All methods, simplest first.
    pub const ALL: &'static [Self] = &[
        Self::Majority,
        Self::Wawa,
        Self::ControlAccuracy,
        Self::ControlLogOdds,
        Self::OneCoin,
        Self::DawidSkene,
        Self::DawidSkenePooled,
        Self::Mace,
        Self::Glad,
    ];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::Wawa => "wawa",
            Self::ControlAccuracy => "control-accuracy",
            Self::ControlLogOdds => "control-log-odds",
            Self::OneCoin => "one-coin",
            Self::DawidSkene => "dawid-skene",
            Self::DawidSkenePooled => "dawid-skene-pooled",
            Self::Mace => "mace",
            Self::Glad => "glad",
        }
    }

    /// The method of this name; an error that lists the names there are.
    pub fn from_name(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.iter().find(|method| method.name() == name);
        found.copied().ok_or_else(|| Error::UnknownMethod {
            name: name.into(),
            known: Self::ALL
                .iter()
                .map(|m| m.name())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// Whether it weighs annotators by their answers to controls, and so fails without any.
    pub fn needs_controls(self) -> bool {
        matches!(self, Self::ControlAccuracy | Self::ControlLogOdds)
    }

    /// Whether it is a formula, which leaves an item out of its own scores at no cost, and not an iteration.
    pub fn is_closed(self) -> bool {
        matches!(
            self,
            Self::Majority | Self::Wawa | Self::ControlAccuracy | Self::ControlLogOdds
        )
    }

    /// Whether an item's estimate depends on its own truth, so that judging it by that truth takes folds: only iterations
    /// that clamp controls.
    pub fn needs_folds(self, settings: &ChoiceSettings) -> bool {
        !self.is_closed() && settings.clamp_controls
    }

    /// Estimates every item. `truth` has one entry per item and holds what the method may see; labels are `0..n_labels`.
    ///
    /// Items without votes get `None`. Linear in the votes; does not depend on their order, on the names of annotators or
    /// on the number of threads. Errors if `truth` has another length, a vote or truth is no label, a setting is out of
    /// range, or the method needs controls and none has a vote.
    pub fn estimate(
        self,
        votes: &ChoiceVotes,
        truth: &[Option<u32>],
        n_labels: u32,
        settings: &ChoiceSettings,
    ) -> Result<ChoiceResult, Error> {
        settings.check()?;
        check_truths(truth.len(), votes.n_items())?;
        check_labels(votes, truth, n_labels)?;
        let iteration = match self {
            Self::OneCoin => Some(one_coin::posteriors as Iteration),
            Self::DawidSkene => Some(dawid_skene::posteriors as Iteration),
            Self::DawidSkenePooled => Some(dawid_skene::pooled as Iteration),
            Self::Mace => Some(mace::posteriors as Iteration),
            _ => None,
        };
        if let Some(iteration) = iteration {
            let panel = Panel::new(votes, truth, n_labels, settings);
            return Ok(iterated(
                votes,
                n_labels,
                settings,
                iteration(&panel, settings),
            ));
        }
        if self == Self::Glad {
            let found = glad::posteriors(votes, truth, n_labels, settings);
            return Ok(iterated(votes, n_labels, settings, found));
        }
        let controls = ControlAnswers::of(votes, truth);
        if self.needs_controls() && controls.total.n == 0.0 {
            return Err(Error::NoControls {
                method: self.name(),
            });
        }
        Ok(self.closed(votes, truth, n_labels, settings, &controls))
    }
}

/// A model for [`Panel::iterate`].
type Iteration = fn(&Panel<'_>, &ChoiceSettings) -> (Vec<f64>, Convergence);

/// The result of posteriors, `n_labels` per item.
fn iterated(
    votes: &ChoiceVotes,
    n_labels: u32,
    settings: &ChoiceSettings,
    (posteriors, convergence): (Vec<f64>, Convergence),
) -> ChoiceResult {
    let estimate = |(item, shares): (usize, &[f64])| {
        let n = votes.item(item).1.len();
        let winner = lowest_of_most(shares).filter(|_| n > 0)?;
        Some(ChoiceEstimate {
            label: winner.label,
            confidence: winner.share,
            votes: n as u32,
        })
    };
    let mut estimates = vec![None; votes.n_items()];
    if n_labels > 0 {
        posteriors
            .par_chunks_exact(n_labels as usize)
            .enumerate()
            .map(estimate)
            .collect_into_vec(&mut estimates);
    }
    ChoiceResult {
        estimates,
        convergence,
        n_labels,
        distributions: settings.distributions.then_some(posteriors),
    }
}

impl std::fmt::Display for ChoiceMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Errors at the first vote or truth that is not one of `n_labels` labels.
fn check_labels(votes: &ChoiceVotes, truth: &[Option<u32>], n_labels: u32) -> Result<(), Error> {
    for (item, _, labels) in votes.items() {
        let all = labels.iter().copied().chain(truth[item]);
        if let Some(label) = all.into_iter().find(|&label| label >= n_labels) {
            let reason = format!("label index {label} of {n_labels}");
            return Err(Error::Item { item, reason });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Item 0: annotators 0 and 1 say 1, annotator 2 says 0. Annotator 2 is right on controls 1 to 3, the others never.
    fn small() -> ChoiceVotes {
        ChoiceVotes::new(
            5,
            3,
            &[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3],
            &[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2],
            &[1, 1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0],
        )
        .unwrap()
    }

    fn labels(method: ChoiceMethod, truth: &[Option<u32>], shrinkage: Shrinkage) -> Vec<u32> {
        let settings = ChoiceSettings {
            shrinkage,
            ..ChoiceSettings::default()
        };
        let r = method.estimate(&small(), truth, 2, &settings).unwrap();
        assert_eq!(r.estimates[4], None);
        r.estimates.iter().flatten().map(|e| e.label).collect()
    }

    #[test]
    fn controls_turn_a_majority_of_bad_annotators() {
        // Raw accuracies: 0/3, 1/3, 3/3; on item 0: 1/3 for label 1 against 1 for label 0.
        let truth = [None, Some(0), Some(1), Some(0), None];
        assert_eq!(
            labels(ChoiceMethod::Majority, &truth, Shrinkage::None),
            [1, 1, 0, 0]
        );
        assert_eq!(
            labels(ChoiceMethod::ControlAccuracy, &truth, Shrinkage::None),
            [0, 0, 1, 0]
        );
    }

    #[test]
    fn an_items_own_truth_does_not_help_its_label() {
        // Item 2 is the only control: without it nobody has a score, so the majority decides against the truth.
        let truth = [None, None, Some(1), None, None];
        let found = labels(ChoiceMethod::ControlAccuracy, &truth, Shrinkage::None);
        assert_eq!(found, [0, 0, 0, 0]);
    }

    #[test]
    fn distributions_sum_to_one_and_are_kept_only_when_asked_for() {
        let settings = ChoiceSettings {
            distributions: true,
            ..ChoiceSettings::default()
        };
        let r = ChoiceMethod::Majority
            .estimate(&small(), &[None; 5], 2, &settings)
            .unwrap();
        assert_eq!(r.distribution(0), Some(&[1.0 / 3.0, 2.0 / 3.0][..]));
        assert_eq!(r.distribution(4), Some(&[0.0, 0.0][..]));
        let r = ChoiceMethod::Majority
            .estimate(&small(), &[None; 5], 2, &ChoiceSettings::default())
            .unwrap();
        assert_eq!(r.distribution(0), None);
    }

    #[test]
    fn bad_input_is_named() {
        let s = ChoiceSettings::default();
        let e = ChoiceMethod::ControlAccuracy.estimate(&small(), &[None; 5], 2, &s);
        assert_eq!(
            e.unwrap_err(),
            Error::NoControls {
                method: "control-accuracy"
            }
        );
        let e = ChoiceMethod::Majority.estimate(&small(), &[None; 5], 1, &s);
        assert!(matches!(e.unwrap_err(), Error::Item { item: 0, .. }));
        let e =
            ChoiceMethod::Majority.estimate(&small(), &[None, Some(2), None, None, None], 2, &s);
        assert!(matches!(e.unwrap_err(), Error::Item { item: 1, .. }));
        assert!(ChoiceMethod::from_name("plurality").is_err());
        for &m in ChoiceMethod::ALL {
            assert_eq!(ChoiceMethod::from_name(m.name()), Ok(m));
        }
    }

    #[test]
    fn order_of_votes_and_names_of_annotators_do_not_matter() {
        let truth = [None, Some(0), Some(1), Some(0), None];
        let renamed = ChoiceVotes::new(
            5,
            3,
            &[3, 3, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0],
            &[0, 2, 1, 0, 2, 1, 0, 2, 1, 0, 2, 1],
            &[0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 1],
        )
        .unwrap();
        let s = ChoiceSettings::default();
        for &m in ChoiceMethod::ALL {
            let a = m.estimate(&small(), &truth, 2, &s).unwrap();
            let b = m.estimate(&renamed, &truth, 2, &s).unwrap();
            for (a, b) in a.estimates.iter().zip(&b.estimates) {
                assert_eq!(a.map(|e| e.label), b.map(|e| e.label));
                let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
                assert!(
                    a.zip(*b)
                        .is_none_or(|(a, b)| close(a.confidence, b.confidence))
                );
            }
        }
    }
}
