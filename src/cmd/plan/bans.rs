//! Who would be found out when: the ban rules run over simulated honest annotators and bots.

use crate::Result;
use veche_analysis::planning::{Bans, BotKind, Caught, Population, Truths};
use veche_pools::{
    Answer, Question, Scale,
    banning::{
        Context, Estimation, Given, History, Judged, Policy, Rule, Verdict, decide, estimate_tables,
    },
    controls::{Judgement, judge},
    simulation::{Crowd, CrowdSpec, Kind},
};

/// Controls that each simulated annotator answers; a bot not found by then is taken never to be.
const CONTROLS: u32 = 60;
/// Honest annotators simulated.
const HONEST: u32 = 600;
/// Bots simulated, of each kind.
const BOTS: u32 = 200;
/// Annotators behind tables of the sequential test, where no campaign has estimated them.
const FOR_TABLES: u32 = 300;

/// The rules to be applied.
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    /// The rules; none: nobody is ever banned.
    pub rules: &'a [Rule],
    /// Which votes of banned annotators count.
    pub policy: Policy,
    /// The campaign's questions and tables; `None`: tables as they will be once 30 annotators have answered controls.
    pub context: Option<Context>,
    /// Index in `context` of the question that is planned.
    pub index: u32,
    /// Real tasks per control.
    pub real_per_control: u32,
    /// Seconds a careful annotator takes for one task.
    pub task_seconds: f64,
}

/// What the rules do to the population planned for. Annotators are simulated (`veche_pools::simulation`), 60 controls each.
pub fn bans(
    question: &Question,
    population: &Population,
    rules: &Rules<'_>,
    seed: u64,
) -> Result<Bans> {
    let none = Bans::default();
    if rules.rules.is_empty() {
        return Ok(none);
    }
    let spec = spec(question, population, rules.task_seconds);
    let shop = Shop {
        question,
        rules,
        seed,
    };
    let context = match &rules.context {
        Some(context) => context.clone(),
        None => shop.own_tables(spec.clone(), population.bots)?,
    };
    let honest = CrowdSpec {
        annotators: HONEST,
        ..spec.clone().honest_only()
    };
    let caught = |spec: CrowdSpec, salt: u64| -> Result<Caught> {
        let mut at = Vec::new();
        for history in shop.histories(spec, salt)? {
            at.push(match decide(rules.rules, &history, &context)? {
                Verdict::Banned { at_control, .. } => Some(at_control),
                _ => None,
            });
        }
        Ok(Caught::of(&at, CONTROLS))
    };
    let mut bots = Vec::new();
    for (kind, weight, _) in none.bots {
        let simulated = match kind {
            BotKind::Random => Kind::Random,
            BotKind::Plausible => Kind::Plausible,
            BotKind::Constant => Kind::Constant,
            BotKind::HalfRandom => Kind::HalfRandom,
        };
        let table = caught(spec.clone().only(simulated, BOTS), 2)?;
        bots.push((kind, weight, table));
    }
    Ok(Bans {
        bots,
        honest: caught(honest, 1)?,
        votes_of_banned_count: rules.policy != Policy::FromTheStart,
    })
}

/// A simulated crowd of the population's errors.
fn spec(question: &Question, population: &Population, task_seconds: f64) -> CrowdSpec {
    let (low, width) = match &question.scale {
        Scale::Number(scale) => (scale.min, scale.width()),
        Scale::Choice(_) => (0.0, 1.0),
    };
    let place = |z: f64| ((z - low) / width).clamp(0.0, 1.0);
    let (from, to) = match &population.truths {
        Truths::Evenly(a, b) => (*a, *b),
        Truths::Like(values) => {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            (least, values.iter().copied().fold(least, f64::max))
        }
    };
    let typical = (population.mae / width).clamp(1e-6, 0.25);
    // Talent is Beta(2, 2) on −1..1, whose standard deviation is 1/√5.
    let best = typical - 5f64.sqrt() * population.spread / width;
    CrowdSpec {
        typical_error: typical,
        best_error: best.clamp(0.1 * typical, typical),
        shared_error: (population.shared_sd / width).min(0.9 * typical),
        regression: 0.0,
        bias: (population.bias_sd / width).min(0.9 * typical),
        truth_low: place(from),
        truth_high: place(to),
        typical_seconds: task_seconds.clamp(0.01, 1e6),
        ..CrowdSpec::default()
    }
}

struct Shop<'a> {
    question: &'a Question,
    rules: &'a Rules<'a>,
    seed: u64,
}

impl Shop<'_> {
    /// Tables of the sequential test as a campaign would estimate them from its first annotators.
    fn own_tables(&self, spec: CrowdSpec, bots: f64) -> Result<Context> {
        let context = Context::new(vec![self.question.clone()]);
        let spec = CrowdSpec {
            annotators: FOR_TABLES,
            ..spec.with_bots(bots)
        };
        let histories = self.histories(spec.clone(), 3)?;
        let Scale::Number(scale) = &self.question.scale else {
            return Ok(context);
        };
        let truths: Vec<f64> = (0..200)
            .map(|k| (f64::from(k) + 0.5) / 200.0)
            .map(|p| spec.truth_low + p * (spec.truth_high - spec.truth_low))
            .map(|place| scale.min + place * scale.width())
            .collect();
        Ok(
            match estimate_tables(&histories, self.rules.index, &truths, &context)? {
                Estimation::Estimated { tables, .. } => context.with_tables(0, tables),
                Estimation::TooFew { .. } => context,
            },
        )
    }

    fn histories(&self, spec: CrowdSpec, salt: u64) -> Result<Vec<History>> {
        let crowd = Crowd::new(spec, vec![self.question.clone()], self.seed ^ salt)?;
        // Rules that look at all tasks need those between the controls.
        let all = |r: &Rule| matches!(r, Rule::TooFast { .. } | Rule::Constant { .. });
        let every = self.rules.real_per_control.max(1) + 1;
        let with_tasks = self.rules.rules.iter().any(all);
        let index = self.rules.index;
        let mut histories = Vec::new();
        for annotator in 0..crowd.annotators().len() as u32 {
            let (mut judged, mut given) = (Vec::new(), Vec::new());
            for sequence in 0..CONTROLS * every {
                let is_control = sequence % every == every - 1;
                if !is_control && !with_tasks {
                    continue;
                }
                let task = u64::from(annotator) * 101 + u64::from(sequence) * 37;
                let truth = crowd.latent_truth(task, 0);
                let (answers, seconds) = crowd.answer(annotator, &[Some(truth)], task, sequence)?;
                let answer = answers.first().copied().unwrap_or(Answer::Unsure);
                given.push(Given {
                    task: task as u32,
                    question: index,
                    answer,
                    seconds: Some(seconds),
                    sequence,
                });
                let error = match judge(answer, Some(truth)) {
                    Some(Judgement::Error(error)) if is_control => error,
                    _ => continue,
                };
                judged.push(Judged {
                    control: task as u32,
                    question: index,
                    error: Some(error),
                    correct: None,
                    seconds: Some(seconds),
                    sequence,
                });
            }
            histories.push(History::new(judged, given));
        }
        Ok(histories)
    }
}
