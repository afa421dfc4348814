//! The rules a campaign can set.

use super::Context;
use crate::{Error, Scale};
use serde::{Deserialize, Serialize};

/// When an annotator is banned, as written in `campaign.toml`: `rule = "mae-above"` and the settings of that rule. Where
/// `question` is left out, it is the first question of the kind the rule needs. Every rule is looked at after every
/// control (or task) from its minimum on, as long as the annotator works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// The mean absolute error on all controls so far lies above a threshold.
    MaeAbove {
        /// A number question's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
        /// In the question's unit.
        threshold: f64,
        /// Controls before the first look.
        #[serde(default = "default_min_controls")]
        min_controls: u32,
    },
    /// The share of correct choices on all controls so far lies below a threshold.
    AccuracyBelow {
        /// A choice question's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
        /// Share, 0..1.
        threshold: f64,
        /// Controls before the first look.
        #[serde(default = "default_min_controls")]
        min_controls: u32,
    },
    /// The lower confidence bound of the MAE lies above a threshold: it is hardly chance that the MAE is. Student's t; the
    /// probability of error is spent over all looks, `(1 − confidence)/(k(k+1))` on the k-th, so that looking often does
    /// not add up to more than `1 − confidence`.
    BoundAbove {
        /// A number question's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
        /// In the question's unit.
        threshold: f64,
        /// One-sided, over all looks together.
        #[serde(default = "default_confidence")]
        confidence: f64,
        /// Controls before the first look.
        #[serde(default = "default_min_controls")]
        min_controls: u32,
    },
    /// Sequential probability ratio test (Wald 1945): the errors so far are at least `odds` times more probable from a bot
    /// than from an honest annotator, by the tables of [`Context`].
    Sequential {
        /// A question's name, of either kind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
        /// Likelihood ratio that means a ban.
        #[serde(default = "default_odds")]
        odds: f64,
        /// Controls before the first look.
        #[serde(default = "default_min_controls")]
        min_controls: u32,
    },
    /// More than a share of all tasks took less than some seconds. Tasks without a time are left out.
    TooFast {
        /// A task below this many seconds is fast.
        seconds: f32,
        /// Share of fast tasks, 0..1.
        #[serde(default = "default_share")]
        share: f64,
        /// Tasks before the first look.
        #[serde(default = "default_min_tasks")]
        min_tasks: u32,
    },
    /// More than a share of all answers to a question, controls or not, are one and the same. Unsure counts as an answer.
    Constant {
        /// A question's name; the first question if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
        /// Share of the most frequent answer, 0..1. For a choice set it well above the most frequent label's true share.
        #[serde(default = "default_constant_share")]
        share: f64,
        /// Tasks before the first look.
        #[serde(default = "default_min_tasks")]
        min_tasks: u32,
    },
    /// Answers do not move with the item: even the upper bound of their correlation with what the others say of the same items
    /// lies below a share of the correlation that a typical annotator has on these very items. Needs [`Context::with_peers`].
    Insensitive {
        /// A question's name, of either kind; the first question if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
        /// Share of the correlation to be expected, 0..1.
        #[serde(default = "default_expected_share")]
        share: f64,
        /// One-sided, over all looks together.
        #[serde(default = "default_confidence")]
        confidence: f64,
        /// Tasks before the first look.
        #[serde(default = "default_min_tasks")]
        min_tasks: u32,
    },
    /// Answers are those of another annotator, to the same items or, to different items, in the same sequence: a sequential
    /// probability ratio test of "copied" against "equal by chance". Needs [`Context::with_peers`].
    Duplicate {
        /// A question's name, of either kind; the first question if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
        /// Share of a copyist's answers that are copied, between 0 and 1.
        #[serde(default = "default_copied")]
        share: f64,
        /// Likelihood ratio that means a ban; multiplied by the number of others there are to be compared with.
        #[serde(default = "default_copy_odds")]
        odds: f64,
        /// Answers compared before the first look.
        #[serde(default = "default_min_shared")]
        min_shared: u32,
    },
}

fn default_expected_share() -> f64 {
    0.6
}
fn default_copied() -> f64 {
    0.9
}
fn default_copy_odds() -> f64 {
    1000.0
}
fn default_min_shared() -> u32 {
    10
}
fn default_min_controls() -> u32 {
    5
}
fn default_min_tasks() -> u32 {
    30
}
fn default_odds() -> f64 {
    150.0
}
fn default_confidence() -> f64 {
    0.99
}
fn default_share() -> f64 {
    0.5
}
fn default_constant_share() -> f64 {
    0.95
}

/// A rule's name, as in `campaign.toml` and in every table of bans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleName {
    /// [`Rule::MaeAbove`]
    MaeAbove,
    /// [`Rule::AccuracyBelow`]
    AccuracyBelow,
    /// [`Rule::BoundAbove`]
    BoundAbove,
    /// [`Rule::Sequential`]
    Sequential,
    /// [`Rule::TooFast`]
    TooFast,
    /// [`Rule::Constant`]
    Constant,
    /// [`Rule::Insensitive`]
    Insensitive,
    /// [`Rule::Duplicate`]
    Duplicate,
}

impl RuleName {
    /// Whether the rule looks at controls only, and not at all tasks.
    pub fn on_controls(self) -> bool {
        matches!(
            self,
            Self::MaeAbove | Self::AccuracyBelow | Self::BoundAbove | Self::Sequential
        )
    }

    /// Whether the rule compares with the answers of all the others, and needs [`Context::with_peers`].
    pub fn needs_peers(self) -> bool {
        matches!(self, Self::Insensitive | Self::Duplicate)
    }
}

impl std::fmt::Display for RuleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MaeAbove => "mae-above",
            Self::AccuracyBelow => "accuracy-below",
            Self::BoundAbove => "bound-above",
            Self::Sequential => "sequential",
            Self::TooFast => "too-fast",
            Self::Constant => "constant",
            Self::Insensitive => "insensitive",
            Self::Duplicate => "duplicate",
        })
    }
}

impl Rule {
    /// The sequential test with its defaults, on the first question: odds of 150, from the fifth control on.
    pub fn sequential() -> Self {
        Self::Sequential {
            question: None,
            odds: default_odds(),
            min_controls: default_min_controls(),
        }
    }

    /// The rule's name.
    pub fn name(&self) -> RuleName {
        match self {
            Self::MaeAbove { .. } => RuleName::MaeAbove,
            Self::AccuracyBelow { .. } => RuleName::AccuracyBelow,
            Self::BoundAbove { .. } => RuleName::BoundAbove,
            Self::Sequential { .. } => RuleName::Sequential,
            Self::TooFast { .. } => RuleName::TooFast,
            Self::Constant { .. } => RuleName::Constant,
            Self::Insensitive { .. } => RuleName::Insensitive,
            Self::Duplicate { .. } => RuleName::Duplicate,
        }
    }

    /// How many controls or tasks the rule waits for before its first look.
    pub fn minimum(&self) -> u32 {
        match *self {
            Self::MaeAbove { min_controls, .. }
            | Self::AccuracyBelow { min_controls, .. }
            | Self::BoundAbove { min_controls, .. }
            | Self::Sequential { min_controls, .. } => min_controls,
            Self::TooFast { min_tasks, .. }
            | Self::Constant { min_tasks, .. }
            | Self::Insensitive { min_tasks, .. } => min_tasks,
            Self::Duplicate { min_shared, .. } => min_shared,
        }
    }

    /// Index of the question the rule looks at; `None` for rules that look at none.
    ///
    /// # Errors
    /// No question of this name, or none of the kind the rule needs.
    pub fn question(&self, context: &Context) -> Result<Option<u32>, Error> {
        let (name, wanted): (_, fn(&Scale) -> bool) = match self {
            Self::MaeAbove { question, .. } | Self::BoundAbove { question, .. } => {
                (question, |s| matches!(s, Scale::Number(_)))
            }
            Self::AccuracyBelow { question, .. } => (question, |s| matches!(s, Scale::Choice(_))),
            Self::Sequential { question, .. }
            | Self::Constant { question, .. }
            | Self::Insensitive { question, .. }
            | Self::Duplicate { question, .. } => (question, |_| true),
            Self::TooFast { .. } => return Ok(None),
        };
        let mut questions = (0u32..).zip(context.questions());
        let found = match name {
            Some(name) => questions.find(|(_, q)| q.name == *name),
            None => questions.find(|(_, q)| wanted(&q.scale)),
        };
        let rule = self.name();
        match (found, name) {
            (Some((index, q)), _) if wanted(&q.scale) => Ok(Some(index)),
            (Some((_, q)), _) => Err(Error::Unusable(format!(
                "ban rule {rule} cannot look at question {}: it is of the other kind",
                q.name
            ))),
            (None, Some(name)) => Err(Error::Unusable(format!(
                "ban rule {rule} looks at question {name}, which the campaign does not ask"
            ))),
            (None, None) => Err(Error::Unusable(format!(
                "ban rule {rule} has no question to look at"
            ))),
        }
    }

    /// Checked: settings within their ranges and the question at hand.
    pub fn check(&self, context: &Context) -> Result<(), Error> {
        self.question(context)?;
        let rule = self.name();
        let fail = |what: &str, value: f64| {
            Err(Error::Unusable(format!(
                "ban rule {rule}: {what}, not {value}"
            )))
        };
        if self.minimum() == 0 {
            return fail("the minimum must be at least 1", 0.0);
        }
        match *self {
            Self::MaeAbove { threshold, .. } | Self::BoundAbove { threshold, .. }
                if !(threshold.is_finite() && threshold >= 0.0) =>
            {
                fail("threshold must be 0 or more", threshold)
            }
            Self::AccuracyBelow { threshold, .. } if !(0.0..=1.0).contains(&threshold) => {
                fail("threshold must be a share, 0 to 1", threshold)
            }
            Self::BoundAbove { confidence, .. } | Self::Insensitive { confidence, .. }
                if !(confidence > 0.0 && confidence < 1.0) =>
            {
                fail("confidence must lie between 0 and 1", confidence)
            }
            Self::Insensitive { min_tasks, .. } if min_tasks < 5 => fail(
                "min_tasks must be at least 5, or nothing can be said of a correlation",
                f64::from(min_tasks),
            ),
            Self::Insensitive { share, .. } | Self::Duplicate { share, .. }
                if !(share > 0.0 && share < 1.0) =>
            {
                fail("share must lie between 0 and 1", share)
            }
            Self::BoundAbove { min_controls, .. } if min_controls < 2 => fail(
                "min_controls must be at least 2, as one error has no spread",
                f64::from(min_controls),
            ),
            Self::Sequential { odds, .. } | Self::Duplicate { odds, .. }
                if !(odds.is_finite() && odds > 1.0) =>
            {
                fail("odds must be above 1", odds)
            }
            Self::TooFast { share, .. } | Self::Constant { share, .. }
                if !(0.0..=1.0).contains(&share) =>
            {
                fail("share must be 0 to 1", share)
            }
            Self::TooFast { seconds, .. } if !(seconds.is_finite() && seconds > 0.0) => {
                fail("seconds must be above 0", f64::from(seconds))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::banning::context::tests::age_and_sex;

    #[test]
    fn a_rule_reads_as_people_write_it() {
        let read = |text: &str| serde_json::from_str::<Rule>(text);
        let rule = read(r#"{"rule": "mae-above", "question": "age", "threshold": 13.0}"#).unwrap();
        assert_eq!(
            rule,
            Rule::MaeAbove {
                question: Some("age".into()),
                threshold: 13.0,
                min_controls: 5
            }
        );
        assert_eq!(
            read(r#"{"rule": "sequential"}"#).unwrap(),
            Rule::sequential()
        );
        assert!(read(r#"{"rule": "too-fast", "seconds": 1, "min_tasks": 9}"#).is_ok());
        assert!(read(r#"{"rule": "sequential", "ods": 3}"#).is_err());
        let text = serde_json::to_string(&rule).unwrap();
        assert_eq!(read(&text).unwrap(), rule);
    }

    #[test]
    fn a_rule_finds_the_first_question_of_its_kind() {
        let context = Context::new(age_and_sex());
        let rule = Rule::AccuracyBelow {
            question: None,
            threshold: 0.7,
            min_controls: 5,
        };
        assert_eq!(rule.question(&context).unwrap(), Some(1));
        assert_eq!(Rule::sequential().question(&context).unwrap(), Some(0));
        let wrong = Rule::MaeAbove {
            question: Some("sex".into()),
            threshold: 3.0,
            min_controls: 5,
        };
        let text = wrong.check(&context).unwrap_err().to_string();
        assert!(text.contains("sex") && text.contains("mae-above"), "{text}");
        let missing = Rule::Constant {
            question: Some("height".into()),
            share: 0.9,
            min_tasks: 9,
        };
        assert!(missing.check(&context).is_err());
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let context = Context::new(age_and_sex());
        let refused = |rule: Rule| rule.check(&context).is_err();
        assert!(refused(Rule::Sequential {
            question: None,
            odds: 1.0,
            min_controls: 5
        }));
        assert!(refused(Rule::Sequential {
            question: None,
            odds: 150.0,
            min_controls: 0
        }));
        assert!(refused(Rule::TooFast {
            seconds: 1.0,
            share: 1.5,
            min_tasks: 3
        }));
        assert!(!refused(Rule::sequential()));
        let read = |text: &str| serde_json::from_str::<Rule>(text).unwrap();
        for wrong in [
            r#"{"rule": "insensitive", "share": 1.0}"#,
            r#"{"rule": "insensitive", "confidence": 0}"#,
            r#"{"rule": "insensitive", "min_tasks": 4}"#,
            r#"{"rule": "insensitive", "question": "height"}"#,
            r#"{"rule": "duplicate", "share": 0}"#,
            r#"{"rule": "duplicate", "odds": 1}"#,
            r#"{"rule": "duplicate", "min_shared": 0}"#,
        ] {
            assert!(refused(read(wrong)), "{wrong}");
        }
        assert!(!refused(read(r#"{"rule": "insensitive"}"#)));
        assert!(!refused(read(
            r#"{"rule": "duplicate", "question": "sex"}"#
        )));
    }
}
