//! The verdict on one annotator, and the evidence behind a ban in words.

use super::{Context, History, Partner, Path, Rule, RuleName, path};
use crate::{Error, Scale};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the rules say of one annotator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Looked at, and no rule is against it.
    Kept,
    /// Shut out.
    Banned {
        /// The rule that was first in time.
        rule: RuleName,
        /// The numbers behind it.
        evidence: Evidence,
        /// How many controls had been judged when the ban fell (of the rule's question, if it has one).
        at_control: u32,
        /// Sequence number of the task after which it fell.
        sequence: u32,
    },
    /// No rule has seen enough yet.
    TooFew {
        /// Controls (or tasks) there are, for the rule that wants least.
        have: u32,
        /// What that rule wants.
        need: u32,
    },
}

/// The numbers behind a ban. Displayed as a sentence that a requester can show the annotator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The rule.
    pub rule: RuleName,
    /// Name of the question, for rules that look at one.
    pub question: Option<String>,
    /// Unit of the question, for numbers.
    pub unit: Option<String>,
    /// Controls or tasks looked at.
    pub count: u32,
    /// The rule's statistic (see [`Path::statistic`]).
    pub statistic: f64,
    /// Its boundary.
    pub boundary: f64,
    /// MAE for rules on numbers, share of correct choices for rules on choices, correlation with the others (`insensitive`),
    /// share of equal answers (`duplicate`), else the statistic.
    pub plain: f64,
    /// Whether the tables of the sequential test were estimated from the campaign; `None` for other rules.
    pub estimated_tables: Option<bool>,
    /// Whose answers they are the same as, for `duplicate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<Partner>,
}

impl Evidence {
    fn new(path: &Path, place: usize, context: &Context) -> Self {
        let question = path
            .question
            .and_then(|q| context.questions().get(q as usize));
        let tables = path.question.and_then(|q| context.tables(q));
        Self {
            rule: path.rule,
            question: question.map(|q| q.name.clone()),
            unit: question.and_then(|q| match &q.scale {
                Scale::Number(scale) => Some(scale.unit.clone()),
                Scale::Choice(_) => None,
            }),
            count: place as u32 + 1,
            statistic: path.statistic[place],
            boundary: path.boundary[place],
            plain: path.plain[place],
            estimated_tables: tables
                .filter(|_| path.rule == RuleName::Sequential)
                .map(|t| t.estimated),
            partner: path.partner,
        }
    }

    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self {
            rule: RuleName::MaeAbove,
            question: Some("age".into()),
            unit: Some("years".into()),
            count: 5,
            statistic: 21.4,
            boundary: 13.0,
            plain: 21.4,
            estimated_tables: None,
            partner: None,
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let question = self.question.as_deref().unwrap_or("any question");
        let unit = self.unit.as_deref().unwrap_or("");
        let (n, statistic, boundary) = (self.count, self.statistic, self.boundary);
        let space = if unit.is_empty() { "" } else { " " };
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        match self.rule {
            RuleName::MaeAbove => write!(
                f,
                "on {n} tasks with a known answer, the answers about {question} missed by {statistic:.1}{space}{unit} on \
                 average; the limit is {boundary:.1}{space}{unit}"
            ),
            RuleName::AccuracyBelow => write!(
                f,
                "on {n} tasks with a known answer, {} of the answers about {question} were right; at least {} are asked for",
                percent(statistic),
                percent(boundary)
            ),
            RuleName::BoundAbove => write!(
                f,
                "on {n} tasks with a known answer, the answers about {question} missed by {:.1}{space}{unit} on average, and \
                 even with the most favourable view of chance by more than {statistic:.1}{space}{unit}; the limit is \
                 {boundary:.1}{space}{unit}",
                self.plain
            ),
            RuleName::Sequential => {
                write!(f, "on {n} tasks with a known answer, ")?;
                if self.unit.is_some() {
                    write!(
                        f,
                        "the answers about {question} missed by {:.1}{space}{unit} on average",
                        self.plain
                    )?;
                } else {
                    write!(
                        f,
                        "{} of the answers about {question} were right",
                        percent(self.plain)
                    )?;
                }
                // Beyond a million the number says nothing any more.
                let odds = if statistic > 1e6f64.ln() {
                    "more than a million".to_string()
                } else {
                    format!("{:.0}", statistic.exp())
                };
                write!(
                    f,
                    "; such answers are {odds} times more likely from somebody who does not look than from somebody who does \
                     (the limit is {:.0} times)",
                    boundary.exp()
                )
            }
            RuleName::TooFast => write!(
                f,
                "of {n} tasks {} were answered faster than anybody can look at them; the limit is {}",
                percent(statistic),
                percent(boundary)
            ),
            RuleName::Constant => write!(
                f,
                "of {n} answers about {question} {} are one and the same; the limit is {}",
                percent(statistic),
                percent(boundary)
            ),
            RuleName::Insensitive => write!(
                f,
                "over {n} tasks the answers about {question} hardly move with what is shown: their correlation with the answers \
                 of others is {:.2}, and even with the most favourable view of chance below {statistic:.2}; at least \
                 {boundary:.2} is asked for on these tasks",
                self.plain
            ),
            RuleName::Duplicate => {
                let share = percent(self.plain);
                if self.partner.is_none_or(|p| p.same_items) {
                    write!(
                        f,
                        "of {n} answers about {question} to the same tasks {share} are exactly those of one other annotator"
                    )?;
                } else {
                    write!(
                        f,
                        "of {n} answers about {question} {share} are exactly those that one other annotator gave at the same \
                         place of the sequence to other tasks"
                    )?;
                }
                write!(f, ", beyond what accuracy and chance explain")
            }
        }
    }
}

/// The verdict of several rules: the ban that came first in time (of two at the same task, the rule listed first);
/// `TooFew` while no rule that looks at controls has seen its minimum (or, if no such rule is set, no rule at all); else
/// `Kept`. Without rules everybody is kept.
///
/// # Errors
/// A rule's question is not there or of the wrong kind.
pub fn decide(rules: &[Rule], history: &History, context: &Context) -> Result<Verdict, Error> {
    let paths: Vec<Path> = rules
        .iter()
        .map(|rule| path(rule, history, context))
        .collect::<Result<_, _>>()?;
    let crossings = paths.iter().filter_map(|p| Some((p, p.crossing()?)));
    // min_by_key keeps the first of equals, which is the rule listed first.
    if let Some((path, place)) = crossings.min_by_key(|(p, place)| p.sequence[*place]) {
        let sequence = path.sequence[place];
        let at_control = if on_controls(path) {
            place as u32 + 1
        } else {
            let judged = history.judged().iter().filter(|j| j.sequence <= sequence);
            let mut controls: Vec<u32> = judged.map(|j| j.sequence).collect();
            controls.dedup();
            controls.len() as u32
        };
        return Ok(Verdict::Banned {
            rule: path.rule,
            evidence: Evidence::new(path, place, context),
            at_control,
            sequence,
        });
    }
    let any_on_controls = paths.iter().any(on_controls);
    let waiting = paths
        .iter()
        .filter(|p| on_controls(p) || !any_on_controls)
        .map(|p| (p.minimum, p.statistic.len() as u32));
    let nearest = waiting.min_by_key(|(need, have)| need.saturating_sub(*have));
    Ok(match nearest {
        Some((need, have)) if have < need => Verdict::TooFew { have, need },
        _ => Verdict::Kept,
    })
}

fn on_controls(path: &Path) -> bool {
    path.rule.on_controls()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Answer;
    use crate::banning::context::tests::age_and_sex;
    use crate::banning::{Given, Judged};

    fn mae(threshold: f64, min_controls: u32) -> Rule {
        Rule::MaeAbove {
            question: None,
            threshold,
            min_controls,
        }
    }

    fn history(errors: &[f64]) -> History {
        let judged = (0u32..).zip(errors).map(|(k, error)| Judged {
            control: k,
            question: 0,
            error: Some(*error),
            correct: None,
            seconds: None,
            sequence: 7 * k,
        });
        let given = (0..7 * errors.len() as u32).map(|k| Given {
            task: k,
            question: 0,
            answer: Answer::Number(30.0),
            seconds: Some(0.4),
            sequence: k,
        });
        History::new(judged.collect(), given.collect())
    }

    fn verdict(rules: &[Rule], errors: &[f64]) -> Verdict {
        decide(rules, &history(errors), &Context::new(age_and_sex())).unwrap()
    }

    #[test]
    fn a_ban_says_when_and_why() {
        let Verdict::Banned {
            rule,
            evidence,
            at_control,
            sequence,
        } = verdict(&[mae(13.0, 5)], &[20.0, 20.0, 20.0, 20.0, 27.0, 0.0])
        else {
            panic!("not banned");
        };
        assert_eq!((rule, at_control, sequence), (RuleName::MaeAbove, 5, 28));
        assert_eq!(
            evidence.to_string(),
            "on 5 tasks with a known answer, the answers about age missed by 21.4 years on average; the limit is 13.0 years"
        );
        assert_eq!(evidence, Evidence::example());
    }

    #[test]
    fn the_first_ban_in_time_wins_not_the_first_rule() {
        let fast = Rule::TooFast {
            seconds: 1.0,
            share: 0.5,
            min_tasks: 10,
        };
        let banned = verdict(&[mae(13.0, 3), fast], &[20.0, 20.0, 20.0]);
        let Verdict::Banned {
            rule,
            at_control,
            sequence,
            ..
        } = banned
        else {
            panic!("not banned");
        };
        assert_eq!((rule, at_control, sequence), (RuleName::TooFast, 2, 9));
    }

    #[test]
    fn too_few_and_kept_are_told_apart() {
        let too_few = Verdict::TooFew { have: 3, need: 5 };
        assert_eq!(verdict(&[mae(13.0, 5)], &[1.0, 2.0, 3.0]), too_few);
        assert_eq!(
            verdict(&[mae(13.0, 9), mae(13.0, 5)], &[1.0, 2.0, 3.0]),
            too_few
        );
        assert_eq!(verdict(&[mae(13.0, 3)], &[1.0, 2.0, 3.0]), Verdict::Kept);
        assert_eq!(verdict(&[], &[99.0; 9]), Verdict::Kept);
        assert_eq!(
            verdict(&[mae(13.0, 5)], &[]),
            Verdict::TooFew { have: 0, need: 5 }
        );
    }

    #[test]
    fn exactly_on_the_threshold_is_no_ban() {
        assert_eq!(verdict(&[mae(13.0, 1)], &[13.0, -13.0]), Verdict::Kept);
    }

    #[test]
    fn a_sequential_ban_reads_well() {
        let banned = verdict(&[Rule::sequential()], &[40.0, -22.0, 31.0, 50.0, 12.0]);
        let Verdict::Banned { evidence, .. } = banned else {
            panic!("not banned");
        };
        let text = evidence.to_string();
        assert!(
            text.starts_with(
                "on 5 tasks with a known answer, the answers about age missed by 31.0 years"
            ),
            "{text}"
        );
        assert!(text.ends_with("(the limit is 150 times)"), "{text}");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None, ..proptest::prelude::ProptestConfig::default()
        })]
        /// Looking again later must not change a ban, nor move it.
        #[test]
        fn what_comes_after_a_ban_does_not_change_it(
            errors in proptest::collection::vec(-60.0..60.0f64, 1..40), order in proptest::prelude::any::<bool>(),
        ) {
            let bound = Rule::BoundAbove { question: None, threshold: 8.0, confidence: 0.9, min_controls: 3 };
            let mut rules = vec![mae(20.0, 4), Rule::sequential(), bound];
            if order {
                rules.reverse();
            }
            let whole = verdict(&rules, &errors);
            let looks: Vec<Verdict> = (1..=errors.len()).map(|n| verdict(&rules, &errors[..n])).collect();
            let first = looks.iter().find(|v| matches!(v, Verdict::Banned { .. }));
            match &whole {
                Verdict::Banned { .. } => proptest::prop_assert_eq!(Some(&whole), first),
                _ => proptest::prop_assert!(first.is_none()),
            }
        }
    }
}
