//! Labels of one question: which votes count, which method, which result. Shared by `aggregate`, `report` and `demo`.

use crate::{
    Result,
    study::{Cast, Study},
};
use veche_analysis::aggregation::{
    ChoiceMethod, ChoiceResult, ChoiceSettings, NumberMethod, NumberResult, NumberSettings,
    bakeoff::{self, BakeoffSettings, ChoiceRow, NumberRow},
    number::Chosen,
};
use veche_pools::{
    Scale,
    banning::{Policy, Verdict},
};

/// A method of either kind with its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// For numbers.
    Number(NumberMethod, NumberSettings),
    /// For choices.
    Choice(ChoiceMethod, ChoiceSettings),
}

impl Method {
    /// The method's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Number(method, _) => method.name(),
            Self::Choice(method, _) => method.name(),
        }
    }

    /// The method of a question: the one named, else the campaign's, else `exp-mae` or `control-accuracy`. Without any
    /// known answer the defaults are `median` and `majority`, which need none.
    pub fn of(
        study: &Study,
        question: usize,
        name: Option<&str>,
        settings: NumberSettings,
    ) -> Result<Self> {
        let asked = &study.questions[question];
        let configured = study
            .project
            .as_ref()
            .and_then(|p| p.campaign.aggregate.method.get(&asked.name))
            .map(String::as_str);
        let controls = study.truths[question].iter().any(Option::is_some);
        // A method that the campaign asks for in general cannot serve a question of which nothing is known.
        let configured = configured.filter(|name| controls || !needs_controls(name));
        let numbers = matches!(asked.scale, Scale::Number(_));
        Self::named(numbers, controls, name.or(configured), settings)
    }

    /// The method of this name for numbers or for labels, or the usual one: see [`Method::of`].
    pub fn named(
        numbers: bool,
        controls: bool,
        name: Option<&str>,
        settings: NumberSettings,
    ) -> Result<Self> {
        Ok(if numbers {
            let usual = if controls { "exp-mae" } else { "median" };
            Self::Number(NumberMethod::from_name(name.unwrap_or(usual))?, settings)
        } else {
            let usual = if controls {
                "control-accuracy"
            } else {
                "majority"
            };
            let method = ChoiceMethod::from_name(name.unwrap_or(usual))?;
            Self::Choice(method, ChoiceSettings::default())
        })
    }
}

fn needs_controls(name: &str) -> bool {
    NumberMethod::from_name(name).is_ok_and(NumberMethod::needs_controls)
        || ChoiceMethod::from_name(name).is_ok_and(ChoiceMethod::needs_controls)
}

/// Settings of numeric methods as the campaign has them.
pub fn settings(study: &Study) -> NumberSettings {
    let mut settings = NumberSettings::default();
    if let Some(project) = &study.project {
        settings.temperature = project.campaign.aggregate.temperature;
        settings.level = project.campaign.aggregate.level;
    }
    settings
}

/// Labels of one question, by item.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// Numbers with error bars.
    Numbers(NumberResult),
    /// Labels with confidence.
    Choices(ChoiceResult),
}

impl Labels {
    /// What a method that chooses has chosen, in words: `0.40 hybrid + 0.60 learned`; empty for all others.
    pub fn chosen(&self) -> String {
        match self {
            Self::Numbers(result) => {
                let part = |c: &Chosen| format!("{:.2} {}", c.share, c.part);
                result
                    .chosen
                    .iter()
                    .map(part)
                    .collect::<Vec<_>>()
                    .join(" + ")
            }
            Self::Choices(_) => String::new(),
        }
    }
}

/// Which votes count under a policy.
#[derive(Debug, Clone, Copy)]
pub struct Counting<'a> {
    /// The policy.
    pub policy: Policy,
    /// The verdict on every annotator.
    pub verdicts: &'a [Verdict],
}

impl Counting<'_> {
    /// Whether a vote counts.
    pub fn counts(&self, vote: &Cast) -> bool {
        self.policy
            .counts(&self.verdicts[vote.annotator as usize], vote.sequence)
    }

    /// Votes that do not count, of all questions.
    pub fn left_out(&self, study: &Study) -> usize {
        study.votes.iter().filter(|v| !self.counts(v)).count()
    }
}

/// How many votes each policy leaves out, by the policy's name.
pub fn left_out_by_policy(study: &Study, verdicts: &[Verdict]) -> Vec<(String, usize)> {
    let left_out = |policy| Counting { policy, verdicts }.left_out(study);
    Policy::ALL
        .iter()
        .map(|&policy| (policy.to_string(), left_out(policy)))
        .collect()
}

/// The labels of a question by a method, from the votes that count.
pub fn labels(
    study: &Study,
    question: usize,
    method: Method,
    counting: Counting<'_>,
) -> Result<Labels> {
    let keep = |vote: &Cast| counting.counts(vote);
    Ok(match method {
        Method::Number(method, settings) => {
            let votes = study.number_votes(question, keep)?;
            let mut result = method.estimate(&votes, &study.true_numbers(question), &settings)?;
            if let (Some(_), Scale::Number(scale)) =
                (&study.project, &study.questions[question].scale)
            {
                // Nobody is younger than 0. The scale of a plain table is only the range of its votes.
                for estimate in result.estimates.iter_mut().flatten() {
                    estimate.value = estimate.value.clamp(scale.min, scale.max);
                    estimate.low = estimate.low.map(|low| low.clamp(scale.min, scale.max));
                    estimate.high = estimate.high.map(|high| high.clamp(scale.min, scale.max));
                }
            }
            Labels::Numbers(result)
        }
        Method::Choice(method, settings) => {
            let votes = study.choice_votes(question, keep)?;
            let (truth, n) = (
                study.true_choices(question),
                study.n_labels(question) as u32,
            );
            Labels::Choices(method.estimate(&votes, &truth, n, &settings)?)
        }
    })
}

/// The bake-off of one question.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// Numbers, best first.
    Numbers(Vec<NumberRow>),
    /// Choices, best first.
    Choices(Vec<ChoiceRow>),
}

/// The methods of one kind among these names; a name that is of neither kind is an error, and so is none of this kind.
fn of_kind<M, O, E: Into<Box<crate::Problem>>>(
    names: &[String],
    this: impl Fn(&str) -> Result<M, E>,
    other: impl Fn(&str) -> Result<O, E>,
) -> Result<Vec<M>> {
    let mut methods = Vec::new();
    let mut wrong = None;
    for name in names {
        match this(name) {
            Ok(method) => methods.push(method),
            Err(e) if other(name).is_ok() => wrong = Some(e),
            Err(e) => return Err(e.into()),
        }
    }
    match wrong {
        Some(e) if methods.is_empty() => Err(e.into()),
        _ => Ok(methods),
    }
}

/// Whether any of these names is a method for this question.
pub fn concerns(study: &Study, question: usize, names: &[String]) -> bool {
    names
        .iter()
        .any(|name| match &study.questions[question].scale {
            Scale::Number(_) => NumberMethod::from_name(name).is_ok(),
            Scale::Choice(_) => ChoiceMethod::from_name(name).is_ok(),
        })
}

/// Compares methods on a question's controls. `names` chooses among them; all by default.
pub fn bake_off(
    study: &Study,
    question: usize,
    names: Option<&[String]>,
    settings: &NumberSettings,
    bakeoff: &BakeoffSettings,
    counting: Counting<'_>,
) -> Result<Rows> {
    let keep = |vote: &Cast| counting.counts(vote);
    Ok(match &study.questions[question].scale {
        Scale::Number(_) => {
            let methods = match names {
                None => NumberMethod::ALL.to_vec(),
                Some(names) => of_kind(names, NumberMethod::from_name, ChoiceMethod::from_name)?,
            };
            let votes = study.number_votes(question, keep)?;
            let truth = study.true_numbers(question);
            Rows::Numbers(bakeoff::numbers(
                &votes, &truth, &methods, settings, bakeoff,
            )?)
        }
        Scale::Choice(_) => {
            let methods = match names {
                None => ChoiceMethod::ALL.to_vec(),
                Some(names) => of_kind(names, ChoiceMethod::from_name, NumberMethod::from_name)?,
            };
            let votes = study.choice_votes(question, keep)?;
            let (truth, n) = (
                study.true_choices(question),
                study.n_labels(question) as u32,
            );
            let choice = ChoiceSettings::default();
            Rows::Choices(bakeoff::choices(
                &votes, &truth, n, &methods, &choice, bakeoff,
            )?)
        }
    })
}
