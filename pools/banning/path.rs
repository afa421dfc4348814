//! The course of a rule's statistic over an annotator's history.

use super::tables::number_bin;
use super::{Context, History, Partner, Peers, Rule, RuleName};
use crate::{Answer, Error, Scale};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::collections::BTreeMap;

/// On which side of the boundary a ban lies. Exactly on it is no ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Ban above the boundary.
    Above,
    /// Ban below the boundary.
    Below,
}

/// A statistic after each control (or each task, for rules that look at all tasks) with its boundary: what
/// `veche ban --explain` draws. The four columns have the same length; entry k is the state after k + 1 of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Path {
    /// The rule.
    pub rule: RuleName,
    /// Index of the question it looks at, if it looks at one.
    pub question: Option<u32>,
    /// Where a ban lies.
    pub side: Side,
    /// How many controls or tasks the rule waits for.
    pub minimum: u32,
    /// The statistic: MAE (unit of the question), share 0..1, lower bound of the MAE, upper bound of a correlation, or
    /// log-likelihood ratio.
    pub statistic: Vec<f64>,
    /// What it is compared with.
    pub boundary: Vec<f64>,
    /// MAE so far for rules on numbers, share of correct choices for rules on choices, correlation with the others
    /// (`insensitive`), share of equal answers (`duplicate`), else the statistic again.
    pub plain: Vec<f64>,
    /// Sequence number of the task.
    pub sequence: Vec<u32>,
    /// Whom `duplicate` compares with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<Partner>,
}

impl Path {
    /// The first place from the rule's minimum on at which the statistic lies beyond the boundary.
    pub fn crossing(&self) -> Option<usize> {
        let first = self.minimum.max(1) as usize - 1;
        let columns = self.statistic.iter().zip(&self.boundary).enumerate();
        columns.skip(first).find_map(|(place, (s, b))| {
            let beyond = match self.side {
                Side::Above => s > b,
                Side::Below => s < b,
            };
            beyond.then_some(place)
        })
    }

    fn push(&mut self, sequence: u32, statistic: f64, boundary: f64, plain: f64) {
        self.sequence.push(sequence);
        self.statistic.push(statistic);
        self.boundary.push(boundary);
        self.plain.push(plain);
    }
}

/// The path of `rule` over `history`; empty if there is nothing for the rule to look at. Controls answered with "cannot
/// tell" and errors that are not finite are passed over.
///
/// # Errors
/// The rule's question is not there or of the wrong kind; a rule that compares annotators, and the context does not hold the
/// answers of all ([`Context::with_peers`]), or the history does not say whose it is ([`History::by`]).
pub fn path(rule: &Rule, history: &History, context: &Context) -> Result<Path, Error> {
    let question = rule.question(context)?;
    let mut path = Path {
        rule: rule.name(),
        question,
        side: match rule {
            Rule::AccuracyBelow { .. } | Rule::Insensitive { .. } => Side::Below,
            _ => Side::Above,
        },
        minimum: rule.minimum(),
        statistic: Vec::new(),
        boundary: Vec::new(),
        plain: Vec::new(),
        sequence: Vec::new(),
        partner: None,
    };
    let judged = || {
        let of_question = history.judged().iter();
        of_question.filter(move |j| Some(j.question) == question)
    };
    let errors = || {
        judged().filter_map(|j| {
            let error = j.error.filter(|e| e.is_finite())?;
            Some((j.sequence, error.abs()))
        })
    };
    match rule {
        Rule::MaeAbove { threshold, .. } => {
            let mut sum = 0.0;
            for (n, (sequence, error)) in (1u32..).zip(errors()) {
                sum += error;
                let mae = sum / f64::from(n);
                path.push(sequence, mae, *threshold, mae);
            }
        }
        Rule::BoundAbove {
            threshold,
            confidence,
            min_controls,
            ..
        } => {
            let mut so_far = Welford::default();
            for (n, (sequence, error)) in (1u32..).zip(errors()) {
                so_far.push(error);
                let bound =
                    so_far.lower_bound(1.0 - confidence, n.max(*min_controls) - min_controls);
                path.push(sequence, bound, *threshold, so_far.mean);
            }
        }
        Rule::AccuracyBelow { threshold, .. } => {
            let mut correct = 0u32;
            let choices = judged().filter_map(|j| Some((j.sequence, j.correct?)));
            for (n, (sequence, right)) in (1u32..).zip(choices) {
                correct += u32::from(right);
                let share = f64::from(correct) / f64::from(n);
                path.push(sequence, share, *threshold, share);
            }
        }
        Rule::Sequential { odds, .. } => {
            let at = question.unwrap_or(0);
            let Some((question, tables)) =
                context.questions().get(at as usize).zip(context.tables(at))
            else {
                return Ok(path);
            };
            let (mut bots, mut honest) = (tables.bot_kinds(), tables.honest_kinds(tables.tilt));
            let mut total = 0.0;
            for j in judged() {
                let (bin, plain) = match (&question.scale, j.error, j.correct) {
                    (Scale::Number(scale), Some(error), _) if error.is_finite() => {
                        (number_bin(error, scale.width()), error.abs())
                    }
                    (Scale::Choice(_), _, Some(right)) => {
                        (usize::from(!right), f64::from(u8::from(right)))
                    }
                    _ => continue,
                };
                total += plain;
                let ratio = bots.push(bin) - honest.push(bin);
                let n = path.statistic.len() + 1;
                path.push(j.sequence, ratio, odds.ln(), total / n as f64);
            }
        }
        Rule::TooFast { seconds, share, .. } => {
            let (mut fast, mut all, mut last) = (0u32, 0u32, None);
            // One task has several answers but one time.
            for given in history.given() {
                let Some(spent) = given.seconds.filter(|_| last != Some(given.sequence)) else {
                    continue;
                };
                last = Some(given.sequence);
                all += 1;
                fast += u32::from(spent < *seconds);
                let now = f64::from(fast) / f64::from(all);
                path.push(given.sequence, now, *share, now);
            }
        }
        Rule::Constant { share, .. } => {
            let mut counts: BTreeMap<(u8, u64), u32> = BTreeMap::new();
            let (mut most, mut all) = (0u32, 0u32);
            let of_question = history.given().iter();
            for given in of_question.filter(|g| Some(g.question) == question) {
                let count = counts.entry(key(given.answer)).or_default();
                *count += 1;
                most = most.max(*count);
                all += 1;
                let now = f64::from(most) / f64::from(all);
                path.push(given.sequence, now, *share, now);
            }
        }
        Rule::Insensitive {
            share,
            confidence,
            min_tasks,
            ..
        } => {
            let at = question.unwrap_or(0);
            let followed = |p: &Peers| p.followed(history, at, *confidence, *min_tasks);
            let found = context.peers().and_then(followed);
            for f in found.ok_or_else(|| alone(rule))? {
                // Where items do not differ the expected correlation is −1, and nothing lies below.
                let boundary = if f.expected > 0.0 {
                    share * f.expected
                } else {
                    f.expected
                };
                path.push(f.sequence, f.upper, boundary, f.correlation);
            }
        }
        Rule::Duplicate { share, odds, .. } => {
            let at = question.unwrap_or(0);
            let who = history.annotator();
            let found = who.and_then(|who| context.peers()?.copy(who, at));
            let (others, copy) = found.ok_or_else(|| alone(rule))?;
            let Some(copy) = copy else { return Ok(path) };
            path.partner = Some(copy.partner);
            // The partner is the closest of so many: each of them had the chance to be it.
            let boundary = odds.ln() + f64::from(others.max(1)).ln();
            let (mut ratio, mut equal) = (0.0, 0.0);
            for (n, pair) in (1u32..).zip(&copy.rows) {
                ratio += pair.log_ratio(*share);
                equal += f64::from(u8::from(pair.equal));
                path.push(pair.sequence, ratio, boundary, equal / f64::from(n));
            }
        }
    }
    Ok(path)
}

fn alone(rule: &Rule) -> Error {
    Error::Unusable(format!(
        "ban rule {} compares annotators with each other, and was given the answers of one",
        rule.name()
    ))
}

/// An answer as something that can be counted. −0 and 0 are one answer.
fn key(answer: Answer) -> (u8, u64) {
    match answer {
        Answer::Number(value) => (0, (value + 0.0).to_bits()),
        Answer::Choice(index) => (1, u64::from(index)),
        Answer::Unsure => (2, 0),
    }
}

/// Mean and variance so far (Welford 1962).
#[derive(Debug, Default)]
struct Welford {
    n: f64,
    mean: f64,
    squares: f64,
}

impl Welford {
    fn push(&mut self, value: f64) {
        self.n += 1.0;
        let before = value - self.mean;
        self.mean += before / self.n;
        self.squares += before * (value - self.mean);
    }

    /// Lower bound of the mean by Student's t at the `look`-th look (from 0), never below 0; 0 for one value.
    fn lower_bound(&self, alpha: f64, look: u32) -> f64 {
        if self.n < 2.0 {
            return 0.0;
        }
        let k = f64::from(look) + 1.0;
        let spent = alpha / (k * (k + 1.0));
        let sd = (self.squares / (self.n - 1.0)).sqrt();
        match StudentsT::new(0.0, 1.0, self.n - 1.0) {
            Ok(t) => (self.mean + t.inverse_cdf(spent) * sd / self.n.sqrt()).max(0.0),
            Err(_) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::banning::context::tests::age_and_sex;
    use crate::banning::{Given, Judged};

    fn judged(errors: &[f64]) -> History {
        let judged = (0u32..).zip(errors).map(|(k, e)| Judged {
            control: k,
            question: 0,
            error: Some(*e),
            correct: None,
            seconds: None,
            sequence: 7 * k + 3,
        });
        History::new(judged.collect(), Vec::new())
    }

    #[test]
    fn the_running_mean_absolute_error_by_hand() {
        let rule = Rule::MaeAbove {
            question: None,
            threshold: 13.0,
            min_controls: 3,
        };
        let history = judged(&[30.0, -2.0, 4.0, -20.0]);
        let path = path(&rule, &history, &Context::new(age_and_sex())).unwrap();
        assert_eq!(path.statistic, [30.0, 16.0, 12.0, 14.0]);
        assert_eq!(path.sequence, [3, 10, 17, 24]);
        // 30 and 16 lie above 13 but come before the third control.
        assert_eq!(path.crossing(), Some(3));
    }

    #[test]
    fn the_bound_spends_its_error_over_the_looks() {
        let rule = Rule::BoundAbove {
            question: None,
            threshold: 13.0,
            confidence: 0.95,
            min_controls: 2,
        };
        let history = judged(&[20.0, 24.0, 22.0]);
        let path = path(&rule, &history, &Context::new(age_and_sex())).unwrap();
        // Mean 22, sd 2, n 3, second look: 0.05/6 below, t with 2 degrees of freedom: −7.6488.
        let by_hand = 22.0 - 7.6488 * 2.0 / 3f64.sqrt();
        assert_eq!(path.statistic[0], 0.0);
        assert!(
            (path.statistic[2] - by_hand).abs() < 2e-3,
            "{:?}",
            path.statistic
        );
    }

    #[test]
    fn a_task_with_two_questions_is_timed_once_and_constancy_is_per_question() {
        let given = |sequence, question, answer, seconds| Given {
            task: sequence,
            question,
            answer,
            seconds: Some(seconds),
            sequence,
        };
        let history = History::new(
            Vec::new(),
            vec![
                given(0, 0, Answer::Number(30.0), 0.5),
                given(0, 1, Answer::Choice(1), 0.5),
                given(1, 0, Answer::Number(40.0), 5.0),
                given(1, 1, Answer::Choice(1), 5.0),
                given(2, 0, Answer::Number(30.0), 0.5),
            ],
        );
        let context = Context::new(age_and_sex());
        let fast = Rule::TooFast {
            seconds: 1.0,
            share: 0.6,
            min_tasks: 3,
        };
        let fast = path(&fast, &history, &context).unwrap();
        assert_eq!(fast.statistic, [1.0, 0.5, 2.0 / 3.0]);
        assert_eq!(fast.crossing(), Some(2));
        let same = Rule::Constant {
            question: None,
            share: 0.9,
            min_tasks: 2,
        };
        let same = path(&same, &history, &context).unwrap();
        assert_eq!(same.statistic, [1.0, 0.5, 2.0 / 3.0]);
        assert_eq!(same.crossing(), None);
    }

    #[test]
    fn a_rule_that_compares_annotators_refuses_to_judge_one_alone() {
        let rule: Rule = serde_json::from_str(r#"{"rule": "insensitive"}"#).unwrap();
        let context = Context::new(age_and_sex());
        let refused = path(&rule, &History::default(), &context).unwrap_err();
        assert!(refused.to_string().contains("insensitive"), "{refused}");
        let rule: Rule = serde_json::from_str(r#"{"rule": "duplicate"}"#).unwrap();
        let rules = std::slice::from_ref(&rule);
        let peers = Peers::of(&[History::default()], &[], rules, &context).unwrap();
        let context = context.with_peers(peers);
        assert!(path(&rule, &History::default(), &context).is_err());
        let path = path(&rule, &History::default().by(0), &context).unwrap();
        assert!(path.statistic.is_empty() && path.partner.is_none());
    }

    #[test]
    fn an_empty_history_has_an_empty_path() {
        let context = Context::new(age_and_sex());
        let path = path(&Rule::sequential(), &History::default(), &context).unwrap();
        assert!(path.statistic.is_empty());
        assert_eq!(path.crossing(), None);
    }
}
