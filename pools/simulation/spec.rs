//! What a synthetic crowd is made of.

use crate::Error;
use serde::{Deserialize, Serialize};

/// How a synthetic annotator behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Looks at every item.
    Careful,
    /// Looks too briefly: larger errors, short times.
    Hurried,
    /// Answers are pulled towards the annotator's own age (on any scale: towards one place of their own).
    OwnAgeBiased,
    /// Begins well; errors grow with every task done.
    Drifting,
    /// A bot: the same answer always.
    Constant,
    /// A bot: any answer of the scale, all equally likely.
    Random,
    /// A bot that knows what answers are common: numbers around 29 % of the scale (35 of 120 years), a tenth of it wide.
    Plausible,
    /// Answers half of the tasks like a hurried annotator and the other half at random.
    HalfRandom,
}

impl Kind {
    /// All kinds, in the order in which [`CrowdSpec`] lists their shares.
    pub const ALL: [Self; 8] = [
        Self::Careful,
        Self::Hurried,
        Self::OwnAgeBiased,
        Self::Drifting,
        Self::Constant,
        Self::Random,
        Self::Plausible,
        Self::HalfRandom,
    ];

    /// Whether the annotator looks at every item. The calibration to the typical error is over these.
    pub fn honest(self) -> bool {
        matches!(
            self,
            Self::Careful | Self::Hurried | Self::OwnAgeBiased | Self::Drifting
        )
    }

    /// Expected error relative to a careful annotator of the same talent.
    pub(super) fn relative_error(self) -> f64 {
        match self {
            Self::Careful => 1.0,
            Self::Hurried | Self::HalfRandom => 1.2,
            Self::OwnAgeBiased | Self::Drifting => 1.1,
            Self::Constant | Self::Random | Self::Plausible => 1.0,
        }
    }

    /// Median time on a task relative to a careful annotator.
    pub(super) fn relative_seconds(self) -> f64 {
        match self {
            Self::Careful | Self::OwnAgeBiased => 1.0,
            Self::Drifting => 0.85,
            Self::Hurried => 0.4,
            Self::HalfRandom => 0.45,
            Self::Plausible => 0.3,
            Self::Random => 0.22,
            Self::Constant => 0.16,
        }
    }
}

/// Settings of a synthetic crowd. Shares of kinds are relative to their sum; lengths are shares of a number scale's width,
/// so 0.06 is 7.2 years on 0 to 120. The defaults are calibrated (see the module's page).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrowdSpec {
    /// How many annotators there are.
    pub annotators: u32,
    /// Share of [`Kind::Careful`].
    pub careful: f64,
    /// Share of [`Kind::Hurried`].
    pub hurried: f64,
    /// Share of [`Kind::OwnAgeBiased`].
    pub own_age_biased: f64,
    /// Share of [`Kind::Drifting`].
    pub drifting: f64,
    /// Share of [`Kind::Constant`].
    pub constant: f64,
    /// Share of [`Kind::Random`].
    pub random: f64,
    /// Share of [`Kind::Plausible`].
    pub plausible: f64,
    /// Share of [`Kind::HalfRandom`].
    pub half_random: f64,
    /// Mean over honest annotators of the expected MAE.
    pub typical_error: f64,
    /// Smallest expected MAE an annotator can have; a crowd of 200 comes close to it.
    pub best_error: f64,
    /// Standard deviation (tau) of the error that all annotators share on an item. 0: errors are independent.
    pub shared_error: f64,
    /// How much answers regress to the mean: the share of the distance from the centre of the truths that is lost.
    /// Children are overestimated, old people underestimated.
    pub regression: f64,
    /// Standard deviation of an annotator's own constant bias, for an annotator of typical error.
    pub bias: f64,
    /// How far a [`Kind::OwnAgeBiased`] annotator's answers are pulled to the own age, 0..1.
    pub pull: f64,
    /// Share of honest annotators who mostly give round numbers (multiples of 5 on 0 to 120).
    pub rounding: f64,
    /// Mean over honest annotators of the expected share of correct choices.
    pub typical_accuracy: f64,
    /// Largest expected share of correct choices an annotator can have.
    pub best_accuracy: f64,
    /// Standard deviation, in log-odds, of an item's difficulty, which all annotators share. 0: all items are alike.
    pub difficulty: f64,
    /// Share of an honest annotator's answers that are "cannot tell".
    pub unsure: f64,
    /// Lowest truth of items whose truth nobody knows, as a place on the scale 0..1.
    pub truth_low: f64,
    /// Highest truth of such items, as a place on the scale 0..1.
    pub truth_high: f64,
    /// Median time of a careful annotator on one task, seconds.
    pub typical_seconds: f64,
    /// Median number of suites an annotator does before leaving; a few do a hundred times as many.
    pub typical_suites: f64,
}

impl Default for CrowdSpec {
    fn default() -> Self {
        Self {
            annotators: 200,
            careful: 0.62,
            hurried: 0.20,
            own_age_biased: 0.06,
            drifting: 0.05,
            constant: 0.02,
            random: 0.03,
            plausible: 0.01,
            half_random: 0.01,
            typical_error: 7.22 / 120.0,
            best_error: 4.4 / 120.0,
            shared_error: 3.0 / 120.0,
            regression: 0.08,
            bias: 2.0 / 120.0,
            pull: 0.15,
            rounding: 0.3,
            typical_accuracy: 0.95,
            best_accuracy: 0.99,
            difficulty: 1.5,
            unsure: 0.0,
            truth_low: 1.0 / 120.0,
            truth_high: 80.0 / 120.0,
            typical_seconds: 7.0,
            typical_suites: 12.0,
        }
    }
}

impl CrowdSpec {
    /// The same crowd with no bots and nobody half-random.
    pub fn honest_only(self) -> Self {
        Self {
            constant: 0.0,
            random: 0.0,
            plausible: 0.0,
            half_random: 0.0,
            ..self
        }
    }

    /// A crowd of `annotators` who are all of one kind, with the other settings as they are.
    pub fn only(self, kind: Kind, annotators: u32) -> Self {
        let share = |k: Kind| if k == kind { 1.0 } else { 0.0 };
        Self {
            annotators,
            careful: share(Kind::Careful),
            hurried: share(Kind::Hurried),
            own_age_biased: share(Kind::OwnAgeBiased),
            drifting: share(Kind::Drifting),
            constant: share(Kind::Constant),
            random: share(Kind::Random),
            plausible: share(Kind::Plausible),
            half_random: share(Kind::HalfRandom),
            ..self
        }
    }

    /// The same crowd in which bots (constant, random, plausible: in the proportions they had, or equal parts if there
    /// were none) are `share` (0..1) of all.
    pub fn with_bots(self, share: f64) -> Self {
        let bots = self.constant + self.random + self.plausible;
        let others: f64 = self.shares().iter().map(|s| s.1).sum::<f64>() - bots;
        let part = |s: f64| if bots > 0.0 { s / bots } else { 1.0 / 3.0 };
        let (constant, random, plausible) = (
            part(self.constant) * share,
            part(self.random) * share,
            part(self.plausible) * share,
        );
        let rest = if others > 0.0 {
            (1.0 - share) / others
        } else {
            0.0
        };
        Self {
            careful: self.careful * rest,
            hurried: self.hurried * rest,
            own_age_biased: self.own_age_biased * rest,
            drifting: self.drifting * rest,
            half_random: self.half_random * rest,
            constant,
            random,
            plausible,
            ..self
        }
    }

    /// Every kind with its share, as given (not normalised), in the order of [`Kind::ALL`].
    pub fn shares(&self) -> [(Kind, f64); 8] {
        [
            (Kind::Careful, self.careful),
            (Kind::Hurried, self.hurried),
            (Kind::OwnAgeBiased, self.own_age_biased),
            (Kind::Drifting, self.drifting),
            (Kind::Constant, self.constant),
            (Kind::Random, self.random),
            (Kind::Plausible, self.plausible),
            (Kind::HalfRandom, self.half_random),
        ]
    }

    /// Where answers regress to: the middle of the truths, as a place on the scale 0..1.
    pub(super) fn centre(&self) -> f64 {
        f64::midpoint(self.truth_low, self.truth_high)
    }

    /// Checked: every setting finite and within its range. The error says which is not.
    pub fn check(&self) -> Result<(), Error> {
        let fail = |text: String| Err(Error::Unusable(format!("simulated crowd: {text}")));
        if self.annotators == 0 || self.annotators > 10_000_000 {
            return fail(format!(
                "annotators = {} must be 1 to 10000000",
                self.annotators
            ));
        }
        for (kind, share) in self.shares() {
            if !(share.is_finite() && share >= 0.0) {
                return fail(format!("the share of {kind:?} is {share}, not 0 or more"));
            }
        }
        if self.shares().iter().all(|s| s.1 == 0.0) {
            return fail("all shares of kinds are 0".into());
        }
        let within = [
            ("typical_error", self.typical_error, 0.0, 0.25),
            ("best_error", self.best_error, 0.0, self.typical_error),
            ("shared_error", self.shared_error, 0.0, 0.5),
            ("regression", self.regression, 0.0, 1.0),
            ("bias", self.bias, 0.0, 0.5),
            ("pull", self.pull, 0.0, 1.0),
            ("rounding", self.rounding, 0.0, 1.0),
            ("typical_accuracy", self.typical_accuracy, 0.0, 0.9999),
            (
                "best_accuracy",
                self.best_accuracy,
                self.typical_accuracy,
                0.9999,
            ),
            ("difficulty", self.difficulty, 0.0, 10.0),
            ("unsure", self.unsure, 0.0, 1.0),
            ("truth_low", self.truth_low, 0.0, self.truth_high),
            ("truth_high", self.truth_high, self.truth_low, 1.0),
            ("typical_seconds", self.typical_seconds, 0.01, 1e6),
            ("typical_suites", self.typical_suites, 1.0, 1e9),
        ];
        for (name, value, low, high) in within {
            if !(value.is_finite() && value >= low && value <= high) {
                return fail(format!("{name} = {value} must be {low} to {high}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_usable_and_survive_json() {
        let spec = CrowdSpec::default();
        spec.check().unwrap();
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<CrowdSpec>(&text).unwrap(), spec);
        assert!(serde_json::from_str::<CrowdSpec>("{\"carefull\": 1}").is_err());
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let spec = CrowdSpec {
            best_error: 0.5,
            ..CrowdSpec::default()
        };
        assert!(spec.check().unwrap_err().to_string().contains("best_error"));
        let spec = CrowdSpec {
            random: f64::NAN,
            ..CrowdSpec::default()
        };
        assert!(spec.check().unwrap_err().to_string().contains("Random"));
    }

    #[test]
    fn bots_are_the_share_asked_for() {
        for spec in [CrowdSpec::default(), CrowdSpec::default().honest_only()] {
            let spec = spec.with_bots(0.25);
            let bots = spec.constant + spec.random + spec.plausible;
            let all: f64 = spec.shares().iter().map(|s| s.1).sum();
            assert!((bots / all - 0.25).abs() < 1e-12);
        }
    }
}
