//! What the ban rules look at for one annotator, remembered or read from the votes.

use super::{
    StoreError,
    cache::AnnotatorState,
    db::{Work, sql},
    pools,
};
use serde_json::Value;
use sqlx::Row;
use std::collections::BTreeMap;
use veche_pools::{
    Answer, Question,
    banning::{Given, Judged},
    controls::{Judgement, judge},
};

/// The annotator's record in a pool, as of this version.
pub(super) async fn load(
    work: &mut Work<'_>,
    annotator: i64,
    pool: i64,
    version: i64,
) -> Result<AnnotatorState, StoreError> {
    if let Some(state) = work.caches.take(annotator, pool, version) {
        return Ok(state);
    }
    let pool_state = pools::load(work, pool).await?;
    let (questions, truths) = (
        pool_state.settings.questions.clone(),
        pool_state.truths.clone(),
    );
    let mut state = AnnotatorState {
        version,
        ..AnnotatorState::default()
    };
    let rows = work
        .rows(
            sql(
                "SELECT met.task, met.times FROM met JOIN task ON task.id = met.task \
                 WHERE met.annotator = $1 AND task.pool = $2 AND task.kind = 1",
            )
            .bind(annotator)
            .bind(pool),
        )
        .await?;
    for row in rows {
        state
            .seen
            .insert(row.try_get(0)?, row.try_get::<i64, _>(1)? as u32);
    }
    let rows = work
        .rows(
            sql("SELECT answer.task, answer.output, answer.seconds FROM answer \
                 JOIN assignment ON assignment.id = answer.assignment \
                 WHERE answer.annotator = $1 AND assignment.pool = $2 AND assignment.purpose = 'work' \
                 ORDER BY assignment.ended, assignment.id, answer.place")
            .bind(annotator)
            .bind(pool),
        )
        .await?;
    for row in rows {
        let output: String = row.try_get(1)?;
        let output: Value = serde_json::from_str(&output)?;
        let seconds: Option<f64> = row.try_get(2)?;
        append(
            &mut state,
            &questions,
            &truths,
            row.try_get(0)?,
            &output,
            seconds,
        );
    }
    Ok(state)
}

/// Adds one answered task to the record.
pub(super) fn append(
    state: &mut AnnotatorState,
    questions: &[Question],
    truths: &BTreeMap<i64, Vec<Option<Answer>>>,
    task: i64,
    output: &Value,
    seconds: Option<f64>,
) {
    let (sequence, seconds) = (state.tasks_answered, seconds.map(|s| s as f32));
    state.tasks_answered += 1;
    // The rules compare tasks, and never look one up: 32 bits of the id tell apart all tasks of any database that fits here.
    let short = task as u32;
    for (q, question) in questions.iter().enumerate() {
        let answer = question
            .read(&pools::text_of(&output[&question.name]))
            .unwrap_or(Answer::Unsure);
        let question = q as u32;
        state.given.push(Given {
            task: short,
            question,
            answer,
            seconds,
            sequence,
        });
        let truth = truths.get(&task).and_then(|t| t.get(q).copied().flatten());
        if let Some(judgement) = judge(answer, truth) {
            let (error, correct) = match judgement {
                Judgement::Error(error) => (Some(error), None),
                Judgement::Right => (None, Some(true)),
                Judgement::Wrong => (None, Some(false)),
                Judgement::Unsure => (None, None),
            };
            state.judged.push(Judged {
                control: short,
                question,
                error,
                correct,
                seconds,
                sequence,
            });
        }
    }
}
