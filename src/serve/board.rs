//! What the dashboard shows, computed from what is committed.

use super::{
    failure::Failure,
    state::{App, now_ms},
};
use crate::{
    report::{self, ChoiceCount, HardControl, Kind, chart::Bins, hard_cards},
    store::{ControlAnswer, truth_of},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use veche_analysis::interval::t_quantile;
use veche_pools::{
    Answer, Question, Scale,
    controls::{Judgement, judge},
};

/// So long a board is shown again without a new look at the database.
pub(super) const FRESH: Duration = Duration::from_secs(2);

/// Controls and annotators listed at most.
const CONTROLS: usize = 24;
const ANNOTATORS: usize = 1000;

/// Hours looked back.
const HOURS: i64 = 48;

/// Errors on hidden controls, by annotator and by control.
#[derive(Debug, Default)]
pub(super) struct Board {
    question: usize,
    by_annotator: BTreeMap<i64, Vec<f64>>,
    seconds: BTreeMap<i64, Vec<f64>>,
    by_control: BTreeMap<i64, (Answer, Vec<(Answer, f64)>)>,
    answered: usize,
    overview: Value,
    /// How long this board is good for.
    fresh: Duration,
}

/// A moment as ISO 8601.
pub(super) fn moment(ms: i64) -> Option<String> {
    Some(
        jiff::Timestamp::from_millisecond(ms)
            .ok()?
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
    )
}

impl Board {
    /// The board, at most [`FRESH`] old.
    pub(super) async fn read(app: &App) -> Result<Arc<Self>, Failure> {
        let mut kept = app.board.lock().await;
        if let Some((since, board)) = &*kept
            && since.elapsed() < board.fresh
        {
            return Ok(board.clone());
        }
        let start = Instant::now();
        let questions = &app.project.questions;
        let question = questions
            .iter()
            .position(|q| matches!(q.scale, Scale::Number(_)))
            .unwrap_or(0);
        let truths: BTreeMap<i64, Answer> = app
            .store
            .known_solutions(app.pool.id)
            .await?
            .into_iter()
            .filter_map(|(task, known)| {
                Some((
                    task,
                    truth_of(&known, questions)
                        .get(question)
                        .copied()
                        .flatten()?,
                ))
            })
            .collect();
        let mut board = Self {
            question,
            ..Self::default()
        };
        for answer in app.store.control_answers(app.pool.id).await? {
            board.add(app, &truths, &answer);
        }
        board.overview = board.look(app).await?;
        // Large pools take a while to count: no more than a twentieth of the time.
        board.fresh = FRESH.max(20 * start.elapsed());
        let board = Arc::new(board);
        *kept = Some((Instant::now(), board.clone()));
        Ok(board)
    }

    fn add(&mut self, app: &App, truths: &BTreeMap<i64, Answer>, answer: &ControlAnswer) {
        self.answered += 1;
        if let Some(seconds) = answer.seconds {
            self.seconds
                .entry(answer.annotator)
                .or_default()
                .push(seconds);
        }
        let question = &app.project.questions[self.question];
        let text = match &answer.output[&question.name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let (Ok(given), Some(&truth)) = (question.read(&text), truths.get(&answer.task)) else {
            return;
        };
        let error = match judge(given, Some(truth)) {
            Some(Judgement::Error(error)) => error.abs(),
            Some(Judgement::Right) => 0.0,
            Some(Judgement::Wrong) => 1.0,
            _ => return,
        };
        self.by_annotator
            .entry(answer.annotator)
            .or_default()
            .push(error);
        let control = self
            .by_control
            .entry(answer.task)
            .or_insert((truth, Vec::new()));
        control.1.push((given, error));
    }

    /// Body of `overview`.
    pub(super) fn overview(&self) -> Value {
        self.overview.clone()
    }

    async fn look(&self, app: &App) -> Result<Value, Failure> {
        let (pool, now) = (app.pool.id, now_ms());
        let progress = app.store.progress(pool).await?;
        let counts = app.store.counts(pool, now, now - 600_000).await?;
        let hour = now / 3_600_000;
        let per_hour: BTreeMap<i64, i64> = app
            .store
            .votes_per_hour(pool, hour - HOURS + 1)
            .await?
            .into_iter()
            .collect();
        let hours: Vec<Value> = (hour - HOURS + 1..=hour)
            .map(|h| json!({ "hour": moment(h * 3_600_000), "votes": per_hour.get(&h).copied().unwrap_or(0) }))
            .collect();
        let banned: Vec<i64> = app
            .store
            .bans(None, now)
            .await?
            .iter()
            .map(|b| b.annotator)
            .collect();
        let errors: Vec<f64> = self
            .by_annotator
            .iter()
            .filter(|(who, _)| !banned.contains(who))
            .flat_map(|(_, errors)| errors.iter().copied())
            .collect();
        let unit = match &app.project.questions[self.question].scale {
            Scale::Number(scale) => Value::from(scale.unit.as_str()),
            Scale::Choice(_) => Value::Null,
        };
        Ok(json!({
            "name": app.project.campaign.name, "unit": unit, "simulated": app.simulated,
            "items": progress.tasks, "finished": counts.finished, "overlap": app.project.campaign.suite.overlap,
            "votes": progress.accepted, "wanted": progress.wanted, "controls_answered": self.answered,
            "suites_active": counts.suites_active, "annotators": counts.annotators, "active": counts.active,
            "banned": counts.banned,
            "mean_error": (!errors.is_empty()).then(|| mean(&errors)),
            "per_hour": hours,
            "forecast": forecast(&per_hour, progress.wanted - progress.accepted, now),
        }))
    }

    /// Body of `annotators`.
    pub(super) async fn annotators(&self, app: &App) -> Result<Value, Failure> {
        let now = now_ms();
        let last: BTreeMap<i64, i64> = app
            .store
            .last_submitted(app.pool.id)
            .await?
            .into_iter()
            .collect();
        let bans = app.store.bans(None, now).await?;
        let mut rows = app.store.annotators(0, i64::MAX).await?;
        rows.sort_by_key(|row| std::cmp::Reverse((last.get(&row.id).copied(), row.id)));
        let list: Vec<Value> = rows
            .iter()
            .take(ANNOTATORS)
            .map(|row| {
                let errors = self
                    .by_annotator
                    .get(&row.id)
                    .map_or(&[][..], Vec::as_slice);
                let (low, high) = interval(errors).unzip();
                let ban = bans.iter().find(|b| b.annotator == row.id).map(|b| {
                    json!({ "origin": b.origin, "comment": b.comment, "since": moment(b.created) })
                });
                json!({
                    "annotator": row.name, "joined": moment(row.created),
                    "last": last.get(&row.id).and_then(|ms| moment(*ms)), "stage": row.stage,
                    "suites": row.suites, "answered": row.answered, "controls": errors.len(),
                    "error": (!errors.is_empty()).then(|| mean(errors)), "low": low, "high": high,
                    "seconds": self.seconds.get(&row.id).map(|s| median(s)),
                    "banned": ban.is_some(), "ban": ban,
                })
            })
            .collect();
        Ok(json!({ "annotators": list }))
    }

    /// Body of `controls`.
    pub(super) async fn controls(&self, app: &App) -> Result<Value, Failure> {
        let question = &app.project.questions[self.question];
        let as_json = |answer: Answer| match answer {
            Answer::Number(value) => Value::from(value),
            other => Value::from(question.write(other)),
        };
        let error_of =
            |answers: &[(Answer, f64)]| mean(&answers.iter().map(|(_, e)| *e).collect::<Vec<_>>());
        let mut hardest: Vec<_> = self
            .by_control
            .iter()
            .filter(|(_, (_, answers))| answers.len() >= 3)
            .collect();
        hardest.sort_by(|(_, (_, a)), (_, (_, b))| error_of(b).total_cmp(&error_of(a)));
        hardest.truncate(CONTROLS);
        let kind = match &question.scale {
            Scale::Number(scale) => Kind::Number {
                unit: scale.unit.clone(),
            },
            Scale::Choice(_) => Kind::Choice,
        };
        let drawn: Vec<HardControl> = hardest
            .iter()
            .map(|(_, (truth, answers))| hard_control(question, *truth, answers, error_of(answers)))
            .collect();
        let cards = hard_cards(&drawn, &kind, app.simulated);
        let mut list = Vec::new();
        for ((&task, (truth, answers)), card) in hardest.into_iter().zip(cards) {
            let content = app.store.content(task).await?.unwrap_or(Value::Null);
            let picture = content["picture"].is_string().then(|| {
                format!(
                    "/picture/{}",
                    app.secret.picture("requester", task as usize)
                )
            });
            let mut histogram: Vec<(Value, usize)> = Vec::new();
            let mut sorted = answers.clone();
            sorted.sort_by(|(a, _), (b, _)| rank(*a).total_cmp(&rank(*b)));
            for (answer, _) in sorted {
                let answer = as_json(answer);
                match histogram.last_mut() {
                    Some((last, n)) if *last == answer => *n += 1,
                    _ => histogram.push((answer, 1)),
                }
            }
            let histogram: Vec<Value> = histogram
                .into_iter()
                .map(|(answer, votes)| json!({ "answer": answer, "votes": votes }))
                .collect();
            let facts: Vec<Value> = card
                .facts
                .into_iter()
                .map(|(name, value)| json!({ "name": name, "value": value }))
                .collect();
            list.push(json!({
                "picture": picture, "text": content["text"], "truth": as_json(*truth), "question": question.name,
                "answers": answers.len(), "mean_error": error_of(answers), "histogram": histogram,
                "facts": facts, "chart": card.chart,
            }));
        }
        Ok(json!({ "controls": list }))
    }
}

/// A hard control as the report draws it.
fn hard_control(
    question: &Question,
    truth: Answer,
    answers: &[(Answer, f64)],
    error: f64,
) -> HardControl {
    let numbers: Vec<f64> = answers.iter().filter_map(|(a, _)| a.number()).collect();
    let bias = truth
        .number()
        .filter(|_| !numbers.is_empty())
        .map(|truth| mean(&numbers) - truth);
    let choices = match &question.scale {
        Scale::Choice(scale) => scale
            .labels
            .iter()
            .enumerate()
            .map(|(l, label)| ChoiceCount {
                label: label.clone(),
                count: answers
                    .iter()
                    .filter(|(a, _)| a.choice() == Some(l as u32))
                    .count() as u64,
            })
            .collect(),
        Scale::Number(_) => Vec::new(),
    };
    HardControl {
        name: "a control".into(),
        picture: None,
        truth: match truth {
            Answer::Number(value) => report::Value::Number(value),
            other => report::Value::Label(question.write(other)),
        },
        answers: answers.len() as u64,
        error,
        bias,
        numbers: if numbers.is_empty() {
            Bins::default()
        } else {
            Bins::nice(&numbers, 14)
        },
        choices,
        others: Vec::new(),
    }
}

fn rank(answer: Answer) -> f64 {
    match answer {
        Answer::Number(value) => value,
        Answer::Choice(label) => f64::from(label),
        Answer::Unsure => f64::MAX,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        (sorted[half - 1] + sorted[half]) / 2.0
    }
}

/// The 95 % interval of a mean by Student's t; none for fewer than two values.
fn interval(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < 2 {
        return None;
    }
    let (n, mean) = (values.len() as f64, mean(values));
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = t_quantile(0.95, n - 1.0) * (variance / n).sqrt();
    Some((mean - half, mean + half))
}

/// When the votes will be there at the pace of the last three hours that had any.
fn forecast(per_hour: &BTreeMap<i64, i64>, left: i64, now: i64) -> Option<Value> {
    let last: Vec<i64> = per_hour
        .values()
        .rev()
        .copied()
        .filter(|n| *n > 0)
        .take(3)
        .collect();
    if last.is_empty() || left <= 0 {
        return None;
    }
    let pace = last.iter().sum::<i64>() as f64 / last.len() as f64;
    let end = now + (left as f64 / pace * 3_600_000.0) as i64;
    Some(json!({ "votes_per_hour": pace.round(), "end": moment(end) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_students() {
        // 4, 6, 8: mean 6, sd 2, t(0.975, 2) = 4.303.
        let (low, high) = interval(&[4.0, 6.0, 8.0]).unwrap();
        assert!(
            (high - 6.0 - 4.3027 * 2.0 / 3f64.sqrt()).abs() < 1e-3,
            "{low} {high}"
        );
        assert!((low + high - 12.0).abs() < 1e-9);
        assert_eq!(interval(&[1.0]), None);
    }

    #[test]
    fn the_forecast_goes_by_the_last_hours_with_votes() {
        let hours = BTreeMap::from([(1, 1000), (2, 100), (3, 0), (4, 200), (5, 300)]);
        let told = forecast(&hours, 400, 0).unwrap();
        assert_eq!(told["votes_per_hour"], 200.0);
        assert_eq!(told["end"], "1970-01-01T02:00:00Z");
        assert_eq!(forecast(&hours, 0, 0), None);
        assert_eq!(forecast(&BTreeMap::new(), 5, 0), None);
    }
}
