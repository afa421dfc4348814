//! From numeric votes to one number per item: [`NumberMethod`], one file per formula.
//!
//! Every method gets the votes of one item at a time together with what controls say about their annotators. If the item
//! is itself a control, that is computed without the item, always: its own truth must not flatter its estimate. What is fitted
//! to the votes of all items at once (`alternation`) sees no truth; what is chosen or learned on controls (`auto`, `learned`)
//! is chosen for each control on those outside its fold.

mod alternation;
mod auto;
mod ballot;
pub mod calibration;
mod catd;
mod choose;
mod consensus;
mod crh;
mod engine;
mod estimate;
mod exp_mae;
mod fixed;
mod folds;
mod formula;
mod gtm;
mod huber;
mod hybrid;
mod inverse_mae;
mod inverse_mse;
mod iqm;
mod learned;
pub(in crate::aggregation) mod levels;
mod lfc_n;
mod line;
mod linear;
mod mean;
mod median;
mod mode;
mod model;
mod noise;
pub mod parts;
#[cfg(test)]
mod properties;
mod range;
#[cfg(test)]
mod recovery;
mod ridge;
mod standing;
mod trial;
mod trimmed;
mod winsorized;

pub(in crate::aggregation) use estimate::Fits;
use serde::{Deserialize, Serialize};

use super::Convergence;
use crate::error::check_truths;
use crate::scoring::Shrinkage;
use crate::scoring::number::{check_finite, check_level};
use crate::{Error, NumberVotes};

/// How an item's votes become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumberMethod {
    /// The arithmetic mean.
    Mean,
    /// The middle vote.
    Median,
    /// The most frequent value, or where real numbers lie densest.
    Mode,
    /// The mean without the lowest and highest votes ([`NumberSettings::trim`] of them in all).
    Trimmed,
    /// The mean of votes drawn in to within [`NumberSettings::cap`] of the median.
    Winsorized,
    /// The mean of the middle half.
    Iqm,
    /// Annotators weigh exp(−MAE/T), T = [`NumberSettings::temperature`]: the reference.
    ExpMae,
    /// Annotators weigh 1/MAE.
    InverseMae,
    /// Annotators weigh 1/MAE².
    InverseMae2,
    /// `exp-mae` with T a share of the overall MAE, chosen on controls.
    ExpMaeAuto,
    /// Votes far from the others are held back (Huber 1964).
    Huber,
    /// Annotators weigh 1/MSE.
    InverseMse,
    /// Annotators' biases on controls are subtracted; they weigh one over what is left of the MSE. Controls must cover the range:
    /// a bias measured on one part of it is subtracted everywhere.
    InverseMseUnbiased,
    /// The same without the variance that all share.
    InverseMseUnbiasedShared,
    /// Annotators weigh the upper bound of their precision around the weighted mean (Li et al. 2014).
    Catd,
    /// Annotators weigh the logarithm of their share of the loss (Li et al. 2014).
    Crh,
    /// Gaussian votes, a variance per annotator (Raykar et al. 2010, without features).
    LfcN,
    /// Gaussian truth model: the same on votes standardised per item, with priors (Zhao and Han 2012).
    Gtm,
    /// EM of biases and variances around the consensus, errors Student's with 4 degrees of freedom: needs no control.
    StudentT,
    /// EM of biases and variances around the consensus, mixed with the MAE on controls where that is better, and with the crowd's
    /// pull to the middle undone where that is better. Plain EM without controls or where they cover only a part of the range.
    Hybrid,
    /// A correction of `inverse-mse-unbiased` learned on controls from sorted votes and annotators' scores; `student-t` with fewer
    /// than 20 controls or where they cover only a part of the range.
    Learned,
    /// The blend of all of them that does best on controls. Without controls, with fewer than five, or where nothing is reliably
    /// better: `student-t`. Where controls cover only a part of the range of the items, only methods that look at no truth
    /// are blended. Nothing in it is in the unit of the votes.
    Auto,
}

/// Settings of all numeric methods; each looks at its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberSettings {
    /// Level of the intervals, between 0 and 1: 0.90.
    pub level: f64,
    /// How far winsorized votes may lie from the median, in the unit of the votes: 6.
    pub cap: f64,
    /// Share of the votes that the trimmed mean leaves out, both ends together: 0.20.
    pub trim: f64,
    /// T of exp(−MAE/T), in the unit of the votes: 1, as in the paper.
    pub temperature: f64,
    /// Whether annotators' MAEs are pulled towards the overall one before they become weights: no, as in the paper.
    pub shrinkage: Shrinkage,
}

impl Default for NumberSettings {
    fn default() -> Self {
        Self {
            level: 0.90,
            cap: 6.0,
            trim: 0.20,
            temperature: 1.0,
            shrinkage: Shrinkage::None,
        }
    }
}

/// What the votes on one item say, in their unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NumberEstimate {
    /// The estimate; it lies between the smallest and the largest vote unless the method subtracts annotators' biases
    /// ([`NumberMethod::corrects_bias`]).
    pub value: f64,
    /// Its standard error; `None` when nothing tells how far it may be off (one vote per item and no controls, or votes
    /// that all agree and no controls that contradict).
    pub se: Option<f64>,
    /// Lower end of the interval of [`NumberResult::level`]; `None` when `se` is.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Votes on the item.
    pub votes: u32,
    /// (Σw)²/Σw² of the annotators' weights; `votes` for methods that do not tell annotators apart.
    pub effective_votes: f64,
}

/// Estimates of all items, and what their standard errors rest on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NumberResult {
    /// By item's index; `None` for an item without votes.
    pub estimates: Vec<Option<NumberEstimate>>,
    /// How the method came to its end.
    pub convergence: Convergence,
    /// Level of the intervals.
    pub level: f64,
    /// Whether standard errors include the error that all annotators share. Without controls it cannot be seen, and
    /// standard errors and intervals are too small by an unknown amount.
    pub includes_shared: bool,
    /// τ, the standard deviation of the shared error (with the common bias); `None` without controls.
    pub shared_sd: Option<f64>,
    /// Items with votes and a known truth.
    pub controls: usize,
    /// What the method chose on controls, for `exp-mae-auto`, `hybrid` and `auto`, largest share first; empty for the others.
    pub chosen: Vec<Chosen>,
    /// What standard errors were multiplied by so that they fit the errors on controls, each estimated without its own
    /// item; `None` with fewer than [`calibration::LEAST_CONTROLS`] controls, whose intervals are normal ones.
    pub calibration: Option<f64>,
}

/// A part of what a method chose on controls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chosen {
    /// A method's name with its settings in words, such as `exp-mae, T = 0.35 of the overall MAE`; `line` for the crowd's pull to
    /// the middle undone, with how much an estimate moves per unit of the plain one as its share.
    pub part: String,
    /// Its share of the estimate, 0 to 1.
    pub share: f64,
}

impl NumberMethod {
    /// All methods, simplest first.
    pub const ALL: &'static [Self] = &[
        Self::Mean,
        Self::Median,
        Self::Mode,
        Self::Trimmed,
        Self::Winsorized,
        Self::Iqm,
        Self::ExpMae,
        Self::InverseMae,
        Self::InverseMae2,
        Self::ExpMaeAuto,
        Self::Huber,
        Self::InverseMse,
        Self::InverseMseUnbiased,
        Self::InverseMseUnbiasedShared,
        Self::Catd,
        Self::Crh,
        Self::LfcN,
        Self::Gtm,
        Self::StudentT,
        Self::Hybrid,
        Self::Learned,
        Self::Auto,
    ];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::Mode => "mode",
            Self::Trimmed => "trimmed",
            Self::Winsorized => "winsorized",
            Self::Iqm => "iqm",
            Self::ExpMae => "exp-mae",
            Self::InverseMae => "inverse-mae",
            Self::InverseMae2 => "inverse-mae2",
            Self::ExpMaeAuto => "exp-mae-auto",
            Self::Huber => "huber",
            Self::InverseMse => "inverse-mse",
            Self::InverseMseUnbiased => "inverse-mse-unbiased",
            Self::InverseMseUnbiasedShared => "inverse-mse-unbiased-shared",
            Self::Catd => "catd",
            Self::Crh => "crh",
            Self::LfcN => "lfc-n",
            Self::Gtm => "gtm",
            Self::StudentT => "student-t",
            Self::Hybrid => "hybrid",
            Self::Learned => "learned",
            Self::Auto => "auto",
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

    /// Whether it weighs annotators by their error on controls, and so fails without any.
    pub fn needs_controls(self) -> bool {
        matches!(
            self,
            Self::ExpMae
                | Self::InverseMae
                | Self::InverseMae2
                | Self::ExpMaeAuto
                | Self::InverseMse
                | Self::InverseMseUnbiased
                | Self::InverseMseUnbiasedShared
                | Self::Learned
        )
    }

    /// Whether a control's own truth has no part at all in its own estimate, because the method is a formula that leaves the
    /// item out of its own scores, or because it looks at no truth. The others choose or learn something on all controls;
    /// their estimates of controls are without the item's truth in the weights, not in the choice, and the bake-off hides
    /// whole folds of truths from them.
    pub fn is_closed(self) -> bool {
        !self.chooses()
    }

    /// Whether it chooses or learns on controls.
    fn chooses(self) -> bool {
        matches!(
            self,
            Self::ExpMaeAuto | Self::Hybrid | Self::Learned | Self::Auto
        )
    }

    /// Whether it subtracts biases of annotators: an estimate may then lie outside its votes.
    pub fn corrects_bias(self) -> bool {
        matches!(
            self,
            Self::InverseMseUnbiased
                | Self::InverseMseUnbiasedShared
                | Self::StudentT
                | Self::Hybrid
                | Self::Learned
                | Self::Auto
        )
    }

    /// Estimates every item. `truth` has one entry per item and holds what the method may see.
    ///
    /// - Items without votes get `None`; one vote is its own estimate, but for a bias that is subtracted.
    /// - A control's own truth has no part in its own estimate, variances and calibration (see [`Self::is_closed`] for methods
    ///   that choose). An annotator with no (other)
    ///   control counts with the overall MAE.
    /// - The standard error is `sqrt(Σ w̃_u² σ_u² + τ²)`: w̃ the normalised weights (for methods by rank a factor relative
    ///   to the mean, see each file), σ_u² the annotator's own error variance on controls, shrunk to the pooled one, τ² that
    ///   of the shared error. Without controls σ² is the pooled variance within items, and τ² is missing.
    /// - With at least [`calibration::LEAST_CONTROLS`] controls standard errors and intervals are fitted to the errors on
    ///   controls (see [`calibration`]), so that intervals cover at their level whatever method and errors.
    ///
    /// Linear in the votes, per pass for methods that iterate; at most 60 passes. Does not depend on the order of votes, the names of annotators or the number of threads.
    /// Errors if a setting is out of range, `truth` has another length, a vote or truth is not a usable number, or the
    /// method needs controls and none has a vote.
    pub fn estimate(
        self,
        votes: &NumberVotes,
        truth: &[Option<f64>],
        settings: &NumberSettings,
    ) -> Result<NumberResult, Error> {
        self.estimate_fitted(votes, truth, settings, None)
    }

    /// [`Self::estimate`] with what [`Fits::of`] fitted to the same votes for this method.
    pub(in crate::aggregation) fn estimate_fitted(
        self,
        votes: &NumberVotes,
        truth: &[Option<f64>],
        settings: &NumberSettings,
        fits: Option<&Fits>,
    ) -> Result<NumberResult, Error> {
        settings.check()?;
        check_truths(truth.len(), votes.n_items())?;
        check_finite(votes, truth)?;
        let voted = |item: usize| !votes.item(item).1.is_empty();
        if self.needs_controls() && !(0..truth.len()).any(|i| truth[i].is_some() && voted(i)) {
            return Err(Error::NoControls {
                method: self.name(),
            });
        }
        Ok(estimate::estimate(self, votes, truth, settings, fits))
    }
}

impl std::fmt::Display for NumberMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl NumberSettings {
    /// Errors if one is out of range.
    pub fn check(&self) -> Result<(), Error> {
        check_level(self.level)?;
        winsorized::check(self.cap)?;
        trimmed::check(self.trim)?;
        exp_mae::check(self.temperature)?;
        self.shrinkage.check()
    }
}
