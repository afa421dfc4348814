//! Quality rules as Toloka has them: a collector's figures about one annotator, conditions on them, an action. Pure functions.
//!
//! Our own figure is `golden_set_mean_abs_error`: the mean distance between an annotator's numbers and the known ones, which
//! Toloka cannot state. A share of right answers says nothing where 30 against 31 is as wrong as 30 against 90.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is counted, and what follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collector {
    /// What is counted.
    pub kind: CollectorKind,
    /// Only the last so many, of all pools of the project that set it; without it all of this pool.
    pub history: Option<usize>,
    /// A suite submitted within so many seconds is fast.
    pub fast_seconds: Option<f64>,
    /// The number whose error is looked at; the first if empty.
    pub field: Option<String>,
    /// What follows.
    pub rules: Vec<QualityRule>,
}

/// The collectors that act here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "named as in Toloka's documentation")]
pub enum CollectorKind {
    GoldenSet,
    AssignmentSubmitTime,
    AnswerCount,
    SkippedInRowAssignments,
    AcceptanceRate,
    AssignmentsAssessment,
}

/// All conditions must hold; then the action is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityRule {
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// The action.
    pub action: Action,
}

/// A figure compared with a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Name of the figure.
    pub key: String,
    /// `EQ`, `NE`, `GT`, `GTE`, `LT`, `LTE`.
    pub operator: String,
    /// The value.
    pub value: Value,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// No more suites.
    Restrict {
        /// Where.
        reach: Reach,
        /// How long, ms; for ever if empty.
        ms: Option<i64>,
        /// Why, in the requester's words.
        comment: String,
    },
    /// Sets a skill.
    SetSkill {
        /// Which.
        skill: i64,
        /// To what.
        value: f64,
    },
    /// Sets a skill to one of the collector's figures.
    SkillFromFigure {
        /// Which.
        skill: i64,
        /// To what.
        figure: String,
    },
    /// Asks others for as many more votes on what the annotator did.
    MoreVotes {
        /// How many.
        delta: i64,
        /// Open the pool, if it is closed.
        open: bool,
    },
    /// Rejects all suites of the annotator that wait for a judgement.
    RejectAll {
        /// What the annotator reads.
        comment: String,
    },
    /// Accepts them.
    ApproveAll,
}

/// How far a rule's restriction reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "named as in Toloka's documentation")]
pub enum Reach {
    Pool,
    Project,
    AllProjects,
}

/// An answered control.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Golden {
    /// How right the answer was, 0 to 1.
    pub correct: f64,
    /// |answer − truth| by question.
    pub errors: BTreeMap<String, f64>,
}

/// A suite that was submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct SuiteDone {
    /// From being given to being submitted.
    pub seconds: f64,
    /// `submitted`, `accepted`, `rejected`.
    pub state: String,
}

/// What is known of one annotator, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// Controls answered.
    pub golden: Vec<Golden>,
    /// Suites submitted.
    pub suites: Vec<SuiteDone>,
    /// Suites skipped one after the other, up to now.
    pub skipped_in_row: usize,
    /// `ACCEPT`, `ACCEPT_AFTER_REJECT`, `REJECT`, if a judgement is what is looked at.
    pub assessment: Option<&'static str>,
}

/// How right an answer is: the weight of the known solution that it equals in every field, else 0. Numbers are compared as
/// numbers.
pub fn correctness(known: &Value, output: &Value) -> f64 {
    let fits = |solution: &Value| {
        solution["output_values"].as_object().is_some_and(|fields| {
            fields.iter().all(
                |(name, value)| match (number(value), number(&output[name])) {
                    (Some(a), Some(b)) => a == b,
                    _ => text(value) == text(&output[name]),
                },
            )
        })
    };
    known
        .as_array()
        .into_iter()
        .flatten()
        .filter(|solution| fits(solution))
        .map(|solution| number(&solution["correctness_weight"]).unwrap_or(1.0))
        .fold(0.0, f64::max)
}

/// A number, also one written as a text.
pub fn number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A comparison by the operator's name; an unknown one does not hold.
pub fn compare(have: f64, operator: &str, wanted: f64) -> bool {
    match operator {
        "EQ" => have == wanted,
        "NE" => have != wanted,
        "GT" => have > wanted,
        "GTE" => have >= wanted,
        "LT" => have < wanted,
        "LTE" => have <= wanted,
        _ => false,
    }
}

fn last<T>(all: &[T], history: Option<usize>) -> &[T] {
    match history {
        Some(n) => &all[all.len().saturating_sub(n)..],
        None => all,
    }
}

impl CollectorKind {
    /// The figures it has.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::GoldenSet => &[
                "total_answers_count",
                "correct_answers_rate",
                "incorrect_answers_rate",
                "golden_set_answers_count",
                "golden_set_correct_answers_rate",
                "golden_set_incorrect_answers_rate",
                "golden_set_mean_abs_error",
            ],
            Self::AssignmentSubmitTime => &["total_submitted_count", "fast_submitted_count"],
            Self::AnswerCount => &["assignments_accepted_count"],
            Self::SkippedInRowAssignments => &["skipped_in_row_count"],
            Self::AcceptanceRate => &[
                "total_assignments_count",
                "accepted_assignments_rate",
                "rejected_assignments_rate",
            ],
            Self::AssignmentsAssessment => &[
                "pending_assignments_count",
                "accepted_assignments_count",
                "rejected_assignments_count",
                "assessment_event",
            ],
        }
    }
}

impl Collector {
    /// The figures of this collector about one annotator. Rates are percentages; without answers there are none.
    pub fn figures(&self, record: &Record) -> BTreeMap<&'static str, f64> {
        let mut figures = BTreeMap::new();
        let share = |part: f64, all: usize| 100.0 * part / all as f64;
        match self.kind {
            CollectorKind::GoldenSet => {
                let golden = last(&record.golden, self.history);
                let n = golden.len();
                figures.insert("total_answers_count", n as f64);
                figures.insert("golden_set_answers_count", n as f64);
                if n > 0 {
                    let right = share(golden.iter().map(|g| g.correct).sum(), n);
                    for key in ["correct_answers_rate", "golden_set_correct_answers_rate"] {
                        figures.insert(key, right);
                    }
                    for key in [
                        "incorrect_answers_rate",
                        "golden_set_incorrect_answers_rate",
                    ] {
                        figures.insert(key, 100.0 - right);
                    }
                }
                let errors: Vec<f64> = golden
                    .iter()
                    .filter_map(|g| match &self.field {
                        Some(field) => g.errors.get(field),
                        None => g.errors.values().next(),
                    })
                    .copied()
                    .collect();
                if !errors.is_empty() {
                    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
                    figures.insert("golden_set_mean_abs_error", mean);
                }
            }
            CollectorKind::AssignmentSubmitTime => {
                let suites = last(&record.suites, self.history);
                let limit = self.fast_seconds.unwrap_or(0.0);
                let fast = suites.iter().filter(|s| s.seconds < limit).count();
                figures.insert("total_submitted_count", suites.len() as f64);
                figures.insert("fast_submitted_count", fast as f64);
            }
            CollectorKind::AnswerCount => {
                figures.insert(
                    "assignments_accepted_count",
                    count(&record.suites, "accepted"),
                );
            }
            CollectorKind::SkippedInRowAssignments => {
                figures.insert("skipped_in_row_count", record.skipped_in_row as f64);
            }
            CollectorKind::AcceptanceRate => {
                let judged: Vec<SuiteDone> = record
                    .suites
                    .iter()
                    .filter(|s| s.state != "submitted")
                    .cloned()
                    .collect();
                let judged = last(&judged, self.history);
                figures.insert("total_assignments_count", judged.len() as f64);
                if !judged.is_empty() {
                    let of = |state| share(count(judged, state), judged.len());
                    figures.insert("accepted_assignments_rate", of("accepted"));
                    figures.insert("rejected_assignments_rate", of("rejected"));
                }
            }
            CollectorKind::AssignmentsAssessment => {
                for (key, state) in [
                    ("pending_assignments_count", "submitted"),
                    ("accepted_assignments_count", "accepted"),
                    ("rejected_assignments_count", "rejected"),
                ] {
                    figures.insert(key, count(&record.suites, state));
                }
            }
        }
        figures
    }

    /// The rules whose conditions all hold, with the figures.
    pub fn triggered(&self, record: &Record) -> Vec<(&QualityRule, BTreeMap<&'static str, f64>)> {
        let figures = self.figures(record);
        let holds = |condition: &Condition| {
            if condition.key == "assessment_event" {
                return record.assessment.is_some_and(|event| {
                    (condition.value.as_str() == Some(event)) == (condition.operator == "EQ")
                });
            }
            match (
                figures.get(condition.key.as_str()),
                number(&condition.value),
            ) {
                (Some(have), Some(wanted)) => compare(*have, &condition.operator, wanted),
                _ => false,
            }
        };
        self.rules
            .iter()
            .filter(|rule| !rule.conditions.is_empty() && rule.conditions.iter().all(holds))
            .map(|rule| (rule, figures.clone()))
            .collect()
    }
}

fn count(suites: &[SuiteDone], state: &str) -> f64 {
    suites.iter().filter(|s| s.state == state).count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn golden(history: Option<usize>, key: &str, operator: &str, value: f64) -> Collector {
        let condition = |key: &str, operator: &str, value: Value| Condition {
            key: key.into(),
            operator: operator.into(),
            value,
        };
        Collector {
            kind: CollectorKind::GoldenSet,
            history,
            fast_seconds: None,
            field: None,
            rules: vec![QualityRule {
                conditions: vec![
                    condition("golden_set_answers_count", "GTE", json!(3)),
                    condition(key, operator, json!(value)),
                ],
                action: Action::ApproveAll,
            }],
        }
    }

    fn right(answers: &[u8]) -> Record {
        Record {
            golden: answers
                .iter()
                .map(|a| Golden {
                    correct: f64::from(*a),
                    ..Golden::default()
                })
                .collect(),
            ..Record::default()
        }
    }

    /// The table of Toloka's guide: the skill after each answer from the third on, of the last ten.
    #[test]
    fn the_window_slides_as_in_tolokas_guide() {
        let answers = [1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 1];
        let collector = golden(Some(10), "golden_set_correct_answers_rate", "LT", 60.0);
        let skill: Vec<i64> = (3..=answers.len())
            .map(|n| {
                collector.figures(&right(&answers[..n]))["golden_set_correct_answers_rate"] as i64
            })
            .collect();
        assert_eq!(skill, [66, 75, 60, 66, 71, 62, 55, 50, 50, 60]);
    }

    #[test]
    fn a_rule_waits_for_its_count_and_then_for_its_rate() {
        let collector = golden(None, "golden_set_correct_answers_rate", "LT", 60.0);
        assert!(collector.triggered(&right(&[0, 0])).is_empty());
        assert_eq!(collector.triggered(&right(&[0, 0, 1])).len(), 1);
        assert!(collector.triggered(&right(&[0, 1, 1])).is_empty());
        assert!(collector.triggered(&Record::default()).is_empty());
    }

    /// Triangular weights 1 − |e|/T: the rate is 100·(1 − mean(min(|e|, T))/T), so "below 60 with T = 20" is "above 8 years".
    #[test]
    fn triangular_weights_are_the_clipped_error() {
        let (truth, t) = (40.0f64, 20.0f64);
        let known: Vec<Value> = (0..=120)
            .filter(|a| (f64::from(*a) - truth).abs() < t)
            .map(|a| json!({"output_values": {"age": a}, "correctness_weight": 1.0 - (f64::from(a) - truth).abs() / t}))
            .collect();
        let known = Value::Array(known);
        let answers = [40.0, 46.0, 31.0, 90.0];
        let rate: f64 = answers
            .iter()
            .map(|a| correctness(&known, &json!({ "age": a })))
            .sum::<f64>()
            / 4.0;
        let clipped: f64 = answers
            .iter()
            .map(|a| (a - truth).abs().min(t))
            .sum::<f64>()
            / 4.0;
        assert!((rate - (1.0 - clipped / t)).abs() < 1e-12);
    }

    #[test]
    fn every_field_of_a_known_solution_must_be_met() {
        let known = json!([{"output_values": {"age": 30, "sex": "male"}},
            {"output_values": {"age": 31, "sex": "male"}, "correctness_weight": 0.5}]);
        assert_eq!(correctness(&known, &json!({"age": 30, "sex": "male"})), 1.0);
        assert_eq!(
            correctness(&known, &json!({"age": 31.0, "sex": "male"})),
            0.5
        );
        assert_eq!(
            correctness(&known, &json!({"age": 30, "sex": "female"})),
            0.0
        );
        assert_eq!(
            correctness(&known, &json!({"age": "30", "sex": "male"})),
            1.0
        );
    }

    #[test]
    fn our_own_rule_looks_at_the_distance() {
        let collector = golden(None, "golden_set_mean_abs_error", "GT", 8.0);
        let record = |errors: &[f64]| Record {
            golden: errors
                .iter()
                .map(|e| Golden {
                    correct: 0.0,
                    errors: BTreeMap::from([("age".to_owned(), *e)]),
                })
                .collect(),
            ..Record::default()
        };
        assert!(collector.triggered(&record(&[1.0, 2.0, 3.0])).is_empty());
        assert_eq!(collector.triggered(&record(&[1.0, 2.0, 30.0])).len(), 1);
        // Answers without a number have no error, and no error is no large one.
        assert!(collector.triggered(&right(&[0, 0, 0])).is_empty());
    }

    #[test]
    fn fast_suites_and_skips_are_counted() {
        let done = |seconds, state: &str| SuiteDone {
            seconds,
            state: state.into(),
        };
        let record = Record {
            suites: vec![
                done(2.0, "accepted"),
                done(30.0, "rejected"),
                done(3.0, "submitted"),
            ],
            skipped_in_row: 4,
            ..Record::default()
        };
        let mut collector = golden(None, "", "", 0.0);
        collector.kind = CollectorKind::AssignmentSubmitTime;
        collector.fast_seconds = Some(5.0);
        assert_eq!(collector.figures(&record)["fast_submitted_count"], 2.0);
        collector.kind = CollectorKind::SkippedInRowAssignments;
        assert_eq!(collector.figures(&record)["skipped_in_row_count"], 4.0);
        collector.kind = CollectorKind::AcceptanceRate;
        assert_eq!(
            collector.figures(&record)["rejected_assignments_rate"],
            50.0
        );
    }
}
