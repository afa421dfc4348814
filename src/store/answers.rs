//! A suite comes back: its answers are checked, stored, judged, and the rules look at the annotator, all in one transaction.

use super::{
    FieldProblem, StoreError,
    bans::{forgiven, restrict},
    command::{Reply, Restriction, Scope, Submission, Submitted},
    db::{Work, sql},
    history,
    people::{person, set_stage},
    pools::{self, PoolSettings},
    toloka,
};
use serde_json::{Value, json};
use sqlx::Row;
use std::collections::BTreeMap;
use veche_pools::{
    Answer, Question, Scale,
    banning::{History, Verdict, decide},
    controls::{Judgement, judge},
};

/// Takes a submission. The same submission again is answered as the first time and changes nothing.
pub(super) async fn submit(
    work: &mut Work<'_>,
    annotator: i64,
    submission: &Submission,
    now: i64,
) -> Result<Reply, StoreError> {
    let row = work
        .row(
            sql("SELECT id, annotator, pool, state, expires, token, tasks, purpose, suite FROM assignment WHERE name = $1")
                .bind(submission.assignment.clone()),
        )
        .await?
        .filter(|row| row.try_get::<i64, _>(1).is_ok_and(|owner| owner == annotator))
        .ok_or_else(|| StoreError::missing("assignment", &submission.assignment))?;
    let (id, pool, state): (i64, i64, String) = (row.try_get(0)?, row.try_get(2)?, row.try_get(3)?);
    let token: Option<String> = row.try_get(5)?;
    match state.as_str() {
        "active" if row.try_get::<i64, _>(4)? <= now => {
            super::suites::end(work, id, "expired", now).await?;
            // The suite is taken back by this very request: that must be written, so it is an answer and no refusal.
            return Ok(Reply::Submitted(Submitted::Late));
        }
        "active" => {}
        "submitted" | "accepted" if token.as_deref() == Some(&submission.token) => {
            return Ok(Reply::Submitted(Submitted::Taken {
                repeated: true,
                banned: false,
                mean_error: None,
            }));
        }
        "expired" | "closed" => return Ok(Reply::Submitted(Submitted::Late)),
        other => {
            return Err(StoreError::conflict(
                "INAPPROPRIATE_STATUS",
                format!("this suite is {other}"),
            ));
        }
    }
    let (list, purpose): (String, String) = (row.try_get(6)?, row.try_get(7)?);
    let tasks: Vec<i64> = serde_json::from_str(&list)?;
    let pool_state = pools::load(work, pool).await?;
    let (settings, context, truths) = (
        pool_state.settings.clone(),
        pool_state.context.clone(),
        pool_state.truths.clone(),
    );
    let outputs = checked(&settings.questions, tasks.len(), submission)?;

    let rows: Vec<Value> = submission
        .answers
        .iter()
        .zip(&outputs)
        .enumerate()
        .map(|(place, (given, output))| {
            json!({
                "place": place,
                "task": tasks[place],
                "output": output.to_string(),
                "first": given.first.as_ref().map(Value::to_string),
                "edits": given.edits,
                "seconds": given.seconds,
                "timing": given.timing.as_ref().map(Value::to_string),
            })
        })
        .collect();
    let columns = [
        ("place", "BIGINT"),
        ("task", "BIGINT"),
        ("output", "TEXT"),
        ("first", "TEXT"),
        ("edits", "BIGINT"),
        ("seconds", "DOUBLE PRECISION"),
        ("timing", "TEXT"),
    ];
    let text = format!(
        "INSERT INTO answer (assignment, place, task, annotator, output, first, edits, seconds, timing) \
         SELECT $2, place, task, $3, output, first, edits, seconds, timing FROM ({}) AS new",
        work.dialect.rows(1, &columns)
    );
    work.change(
        sql(text)
            .bind(Value::Array(rows).to_string())
            .bind(id)
            .bind(annotator),
    )
    .await?;
    let new_state = if settings.auto_accept {
        "accepted"
    } else {
        "submitted"
    };
    work.change(
        sql("UPDATE assignment SET state = $1, ended = $2, token = $3, decided = $4 WHERE id = $5")
            .bind(new_state.to_owned())
            .bind(now)
            .bind(submission.token.clone())
            .bind(settings.auto_accept.then_some(now))
            .bind(id),
    )
    .await?;
    if let Some(suite) = row.try_get::<Option<i64>, _>(8)? {
        work.change(sql("UPDATE suite SET accepted = accepted + 1 WHERE id = $1").bind(suite))
            .await?;
    }
    let accepted = work.dialect.ids(1);
    work.change(
        sql(format!(
            "UPDATE task SET accepted = accepted + 1 WHERE kind = 0 AND id IN {accepted}"
        ))
        .bind(list),
    )
    .await?;
    let version = person(work, annotator).await?.version;
    work.change(
        sql("UPDATE annotator SET active = NULL, version = version + 1, answered = answered + $1, suites = suites + 1 \
             WHERE id = $2")
        .bind(tasks.len() as i64)
        .bind(annotator),
    )
    .await?;
    work.log(
        now,
        "suite submitted",
        Some(annotator),
        Some(id),
        &json!({}),
    );
    if purpose == "exam" {
        let passed = passed(&settings, &truths, &tasks, &outputs);
        if passed {
            set_stage(work, annotator, "work", now).await?;
        } else {
            let restriction = Restriction {
                annotator,
                scope: Scope::Pool(pool),
                origin: "exam".into(),
                comment: "did not pass the exam".into(),
                evidence: None,
                until: None,
                reopen: false,
            };
            restrict(work, &restriction, now).await?;
        }
        return Ok(Reply::Submitted(Submitted::Taken {
            repeated: false,
            banned: !passed,
            mean_error: None,
        }));
    }

    let mut record = match work.caches.take(annotator, pool, version) {
        Some(mut record) => {
            for (place, output) in outputs.iter().enumerate() {
                let seconds = submission.answers[place].seconds;
                history::append(
                    &mut record,
                    &settings.questions,
                    &truths,
                    tasks[place],
                    output,
                    seconds,
                );
            }
            record
        }
        // Not remembered: read from the votes, these among them.
        None => history::load(work, annotator, pool, version).await?,
    };
    record.version = version + 1;
    let mean_error = mean_error(&record.judged, &settings.questions);
    let mut banned = false;
    if !settings.rules.is_empty() {
        let seen = History::new(record.judged.clone(), record.given.clone());
        // Rules are checked when a pool is made. Should one fail all the same, the suite must not be half written.
        let verdict = decide(&settings.rules, &seen, &context)
            .map_err(|e| StoreError::Database(format!("a ban rule cannot be applied: {e}")))?;
        if let Verdict::Banned { evidence, .. } = &verdict
            && !forgiven(work, annotator, pool).await?
        {
            let restriction = Restriction {
                annotator,
                scope: Scope::Pool(pool),
                origin: "rule".into(),
                comment: evidence.to_string(),
                evidence: Some(serde_json::to_value(evidence)?),
                until: None,
                reopen: settings.reopen,
            };
            restrict(work, &restriction, now).await?;
            banned = true;
        }
    }
    if settings.api.is_some() {
        // A restriction changes the annotator's version: what is remembered is then read again.
        banned |= toloka::look_at(work, annotator, pool, toloka::Event::Submitted, now).await?;
        toloka::close_if_complete(work, pool, now).await?;
    }
    if !banned {
        work.caches.put(annotator, pool, record);
        if let Some(target) = settings.target_error {
            close_the_certain(
                work,
                &settings.questions,
                &tasks,
                target,
                settings.min_votes.max(2),
            )
            .await?;
        }
    }
    Ok(Reply::Submitted(Submitted::Taken {
        repeated: false,
        banned,
        mean_error,
    }))
}

/// Every answer on its question's scale, as stored; or every reason why not, by place and question.
fn checked(
    questions: &[Question],
    n: usize,
    submission: &Submission,
) -> Result<Vec<Value>, StoreError> {
    let mut problems = BTreeMap::new();
    if submission.answers.len() != n {
        let what = format!("{} answers for {n} tasks", submission.answers.len());
        problems.insert(
            "answers".to_owned(),
            FieldProblem::new("WRONG_NUMBER", what),
        );
        return Err(StoreError::Invalid(problems));
    }
    let mut outputs = Vec::with_capacity(n);
    for (place, given) in submission.answers.iter().enumerate() {
        let path = format!("answers.{place}");
        outputs.push(read_output(
            questions,
            &given.output,
            given.unsure,
            &path,
            &mut problems,
        ));
    }
    if problems.is_empty() {
        Ok(outputs)
    } else {
        Err(StoreError::Invalid(problems))
    }
}

/// The answers to one task on their questions' scales, as stored; what cannot be taken is added to `problems` under `path`.
pub(super) fn read_output(
    questions: &[Question],
    given: &Value,
    unsure: bool,
    path: &str,
    problems: &mut BTreeMap<String, FieldProblem>,
) -> Value {
    let mut output = serde_json::Map::new();
    for question in questions {
        let path = || format!("{path}.{}", question.name);
        let value = given.get(&question.name).unwrap_or(&Value::Null);
        match question.read(&pools::text_of(value)) {
            Ok(Answer::Unsure) if !unsure => {
                let problem = FieldProblem::new("VALUE_REQUIRED", "an answer is missing");
                problems.insert(path(), problem);
            }
            Ok(answer) => {
                output.insert(question.name.clone(), json_of(answer, question));
            }
            Err(error) => {
                let problem = FieldProblem::new("VALUE_NOT_ALLOWED", error.to_string());
                problems.insert(path(), problem);
            }
        }
    }
    Value::Object(output)
}

/// An answer as it stands in JSON: a number, a label, or nothing.
fn json_of(answer: Answer, question: &Question) -> Value {
    match (answer, &question.scale) {
        (Answer::Number(value), _) if value.fract() == 0.0 && value.abs() < 9e15 => {
            Value::from(value as i64)
        }
        (Answer::Number(value), _) => Value::from(value),
        (Answer::Choice(i), Scale::Choice(scale)) => scale
            .labels
            .get(i as usize)
            .map_or(Value::Null, |label| Value::from(label.as_str())),
        _ => Value::Null,
    }
}

/// Mean |error| on the controls of the first number question so far, over at least five: fewer would give single answers
/// away.
fn mean_error(judged: &[veche_pools::banning::Judged], questions: &[Question]) -> Option<f64> {
    let question = questions
        .iter()
        .position(|q| matches!(q.scale, Scale::Number(_)))? as u32;
    let errors: Vec<f64> = judged
        .iter()
        .filter(|j| j.question == question)
        .filter_map(|j| j.error.map(f64::abs))
        .collect();
    (errors.len() >= 5).then(|| errors.iter().sum::<f64>() / errors.len() as f64)
}

/// Whether answers to an exam are good enough: mean |error| on the first number question at most the limit or, in a campaign
/// without numbers, the share right on the first choice question at least the limit. Without a limit everybody passes.
fn passed(
    settings: &PoolSettings,
    truths: &BTreeMap<i64, Vec<Option<Answer>>>,
    tasks: &[i64],
    outputs: &[Value],
) -> bool {
    let Some(limit) = settings.exam_limit else {
        return true;
    };
    let questions = &settings.questions;
    let number = questions
        .iter()
        .position(|q| matches!(q.scale, Scale::Number(_)));
    let asked = number.unwrap_or(0);
    let judgements: Vec<Judgement> = tasks
        .iter()
        .zip(outputs)
        .filter_map(|(task, output)| {
            let question = questions.get(asked)?;
            let given = question.read(&pools::text_of(&output[&question.name]));
            let truth = truths.get(task)?.get(asked).copied().flatten();
            judge(given.unwrap_or(Answer::Unsure), truth)
        })
        .collect();
    let n = judgements.len() as f64;
    if number.is_some() {
        let errors: Vec<f64> = judgements
            .iter()
            .filter_map(|j| match j {
                Judgement::Error(error) => Some(error.abs()),
                _ => None,
            })
            .collect();
        !errors.is_empty() && errors.iter().sum::<f64>() / errors.len() as f64 <= limit
    } else {
        let right = judgements
            .iter()
            .filter(|j| **j == Judgement::Right)
            .count() as f64;
        right >= limit * n
    }
}

/// Wants no more votes for items whose mean is certain enough: standard error of the accepted answers at most `target`.
async fn close_the_certain(
    work: &mut Work<'_>,
    questions: &[Question],
    tasks: &[i64],
    target: f64,
    min_votes: i64,
) -> Result<(), StoreError> {
    let Some(question) = questions
        .iter()
        .find(|q| matches!(q.scale, Scale::Number(_)))
    else {
        return Ok(());
    };
    let text = format!(
        "SELECT answer.task, answer.output FROM answer JOIN task ON task.id = answer.task \
         JOIN assignment ON assignment.id = answer.assignment WHERE task.kind = 0 AND task.held < task.wanted \
         AND task.accepted >= $2 AND assignment.counted = 1 AND answer.task IN {}",
        work.dialect.ids(1)
    );
    let rows = work
        .rows(
            sql(text)
                .bind(Value::from(tasks.to_vec()).to_string())
                .bind(min_votes),
        )
        .await?;
    let mut values: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for row in rows {
        let output: String = row.try_get(1)?;
        let output: Value = serde_json::from_str(&output)?;
        if let Ok(Answer::Number(value)) = question.read(&pools::text_of(&output[&question.name])) {
            values.entry(row.try_get(0)?).or_default().push(value);
        }
    }
    let certain: Vec<i64> = values
        .into_iter()
        .filter(|(_, v)| v.len() as i64 >= min_votes && standard_error(v) <= target)
        .map(|(task, _)| task)
        .collect();
    if !certain.is_empty() {
        let text = format!(
            "UPDATE task SET wanted = held WHERE id IN {}",
            work.dialect.ids(1)
        );
        work.change(sql(text).bind(Value::from(certain).to_string()))
            .await?;
    }
    Ok(())
}

/// Standard error of the mean of two or more values, from their own spread.
fn standard_error(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (squares / (n - 1.0) / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::command::GivenAnswer;
    use veche_pools::NumberScale;

    fn age() -> Vec<Question> {
        vec![Question {
            name: "age".into(),
            prompt: "?".into(),
            scale: Scale::Number(NumberScale {
                min: 0.0,
                max: 120.0,
                unit: "years".into(),
                integer: true,
            }),
        }]
    }

    fn submission(values: &[Value]) -> Submission {
        Submission {
            assignment: "a".into(),
            token: "t".into(),
            answers: values
                .iter()
                .map(|v| GivenAnswer {
                    output: json!({ "age": v }),
                    ..GivenAnswer::default()
                })
                .collect(),
        }
    }

    #[test]
    fn answers_are_taken_as_numbers_or_text_and_stored_alike() {
        let taken = checked(&age(), 2, &submission(&[json!(34), json!("34")])).unwrap();
        assert_eq!(taken, [json!({"age": 34}), json!({"age": 34})]);
    }

    #[test]
    fn every_value_that_cannot_be_taken_is_named() {
        let given = submission(&[json!(34), json!(300), json!(null), json!("x")]);
        let StoreError::Invalid(problems) = checked(&age(), 4, &given).unwrap_err() else {
            panic!("refused for another reason")
        };
        let codes: Vec<(&str, &str)> = problems
            .iter()
            .map(|(path, p)| (path.as_str(), p.code.as_str()))
            .collect();
        assert_eq!(
            codes,
            [
                ("answers.1.age", "VALUE_NOT_ALLOWED"),
                ("answers.2.age", "VALUE_REQUIRED"),
                ("answers.3.age", "VALUE_NOT_ALLOWED")
            ]
        );
        assert!(checked(&age(), 3, &submission(&[json!(1)])).is_err());
    }

    #[test]
    fn the_standard_error_is_the_textbooks() {
        // 30, 34, 38: variance 16, over 3 votes.
        assert!((standard_error(&[30.0, 34.0, 38.0]) - (16.0f64 / 3.0).sqrt()).abs() < 1e-12);
    }
}
