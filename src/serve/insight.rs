//! What the votes say so far, by the code of `veche methods`, `veche aggregate` and `veche report`.

use super::{failure::Failure, state::App};
use crate::{
    Problem, Result, assemble,
    cmd::aggregate,
    files::{Table, VoteForm, VoteTable, WriteOptions, write_votes},
    labels::{Counting, Method, bake_off, settings},
    report,
    store::StoreError,
    study::{Reading, Study},
};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use veche_analysis::aggregation::bakeoff::BakeoffSettings;

/// So long a comparison is shown again, at least; a costly one twenty times as long as it took.
const KEPT: Duration = Duration::from_secs(30);

/// Bootstrap resamples behind the intervals: a glance, not the last word.
const RESAMPLES: usize = 300;

/// A comparison of methods, and of which votes.
#[derive(Debug)]
pub(super) struct Quality {
    since: Instant,
    cost: Duration,
    votes: i64,
    body: Value,
}

/// Votes as a study, in a folder that lasts as long as it.
struct Taken {
    study: Study,
    dir: tempfile::TempDir,
}

/// The problem of a computation as an answer: what keeps labels from being made is for the requester to read.
fn cannot(problem: &Problem) -> Failure {
    // Without the place: temporary folders are nobody's business.
    StoreError::conflict("NOT_POSSIBLE", problem.what.clone()).into()
}

/// All votes that came in; a refusal while there are none.
async fn table(app: &App) -> Result<VoteTable, Failure> {
    let (table, _) = super::campaign::votes(&app.project, &app.store).await?;
    if table.is_empty() {
        return Err(StoreError::missing("vote", "yet").into());
    }
    Ok(table)
}

/// Does something with the votes beside the threads that answer.
async fn with_votes<T: Send + 'static>(
    app: &Arc<App>,
    does: impl FnOnce(&Taken) -> Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let table = table(app).await?;
    let app = app.clone();
    let done = tokio::task::spawn_blocking(move || does(&take(&app, &table)?));
    match done.await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(problem)) => Err(cannot(&problem)),
        Err(error) => {
            tracing::error!(%error, "a computation on the votes failed");
            Err(StoreError::Database(error.to_string()).into())
        }
    }
}

fn take(app: &App, table: &VoteTable) -> Result<Taken> {
    let dir = tempfile::tempdir()
        .map_err(|e| Problem::io("make a folder in", std::env::temp_dir(), &e))?;
    let mut project = app.project.clone();
    let pool = app
        .pool_dir
        .canonicalize()
        .map_err(|e| Problem::io("find", &app.pool_dir, &e))?;
    project.dir = dir.path().to_path_buf();
    std::os::unix::fs::symlink(&pool, project.pool_dir())
        .map_err(|e| Problem::io("link", &pool, &e))?;
    let votes = project.votes_dir();
    std::fs::create_dir_all(&votes).map_err(|e| Problem::io("make the folder", &votes, &e))?;
    write_votes(
        &votes.join("served.parquet"),
        table,
        &WriteOptions::default(),
    )?;
    let mut study = Study::of_campaign(project, &Reading::default())?;
    study.simulated |= app.simulated;
    Ok(Taken { study, dir })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Problem::io("read", path, &e))
}

/// All votes as CSV that no spreadsheet takes for formulas.
pub(super) async fn votes_csv(app: &App) -> Result<Vec<u8>, Failure> {
    let table = table(app).await?;
    let written = tokio::task::spawn_blocking(move || -> Result<Vec<u8>> {
        let dir = tempfile::tempdir()
            .map_err(|e| Problem::io("make a folder in", std::env::temp_dir(), &e))?;
        let path = dir.path().join("votes.csv");
        let options = WriteOptions {
            form: VoteForm::Long,
            spreadsheet_safe: true,
            ..WriteOptions::default()
        };
        write_votes(&path, &table, &options)?;
        read(&path)
    });
    match written.await {
        Ok(done) => done.map_err(|problem| cannot(&problem)),
        Err(error) => Err(StoreError::Database(error.to_string()).into()),
    }
}

/// The campaign's labels so far, as `veche aggregate` writes them; names of items cannot be formulas.
pub(super) async fn labels_csv(app: &Arc<App>) -> Result<Vec<u8>, Failure> {
    with_votes(app, |taken| {
        let out = taken.dir.path().join("labels.csv");
        aggregate::of_study(
            &taken.study,
            &aggregate::Args::of_campaign(taken.dir.path(), out.clone()),
        )?;
        spreadsheet_safe(&out)
    })
    .await
}

/// The file with an apostrophe before texts that a spreadsheet would compute. Numbers are left as they are.
fn spreadsheet_safe(path: &Path) -> Result<Vec<u8>> {
    let table = Table::read(path)?;
    let mut out = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Box::new(crate::problem(format!("cannot write the labels: {e}")));
    out.write_record(table.columns()).map_err(failed)?;
    for row in table.rows() {
        let cells = (0..table.columns().len()).map(|c| {
            let text = row.get(c);
            let formula =
                text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
            if formula {
                format!("'{text}")
            } else {
                text.to_owned()
            }
        });
        out.write_record(cells).map_err(failed)?;
    }
    out.into_inner()
        .map_err(|e| Box::new(crate::problem(format!("cannot write the labels: {e}"))))
}

/// The whole report on the votes so far.
pub(super) async fn report_html(app: &Arc<App>) -> Result<Vec<u8>, Failure> {
    with_votes(app, |taken| {
        let out = taken.dir.path().join("report.html");
        // Curves and audits resample for seconds, and annotators wait for the same processors.
        let extras = assemble::Extras {
            brief: true,
            ..assemble::Extras::default()
        };
        assemble::write_report(&taken.study, &out, "veche report", &extras)?;
        read(&out)
    })
    .await
}

/// Body of `quality`: all methods compared on the controls, each label made without its own truth.
pub(super) async fn quality(app: &Arc<App>) -> Result<Value, Failure> {
    let votes = app.store.submitted().await?;
    // Held while it is computed: who asks meanwhile waits for the same answer.
    let mut kept = app.quality.lock().await;
    if let Some(quality) = &*kept {
        let fresh = quality.since.elapsed() < KEPT.max(20 * quality.cost);
        if fresh || quality.votes == votes {
            return Ok(quality.body.clone());
        }
    }
    let start = Instant::now();
    let questions = with_votes(app, |taken| compare(&taken.study)).await;
    let questions = match questions {
        Ok(questions) => questions,
        Err(Failure::Store(StoreError::NotFound { .. })) => Vec::new(),
        Err(Failure::Store(StoreError::Conflict { reason, .. })) => {
            return Ok(json!({ "questions": [], "reason": reason, "suites": votes }));
        }
        Err(error) => return Err(error),
    };
    let nothing_yet = questions.is_empty();
    let body = json!({ "questions": questions, "reason": null, "suites": votes });
    if nothing_yet {
        return Ok(body);
    }
    let since = Instant::now();
    *kept = Some(Quality {
        since,
        cost: since - start,
        votes,
        body: body.clone(),
    });
    Ok(body)
}

fn compare(study: &Study) -> Result<Vec<Value>> {
    let verdicts = study.judge(study.rules())?;
    let counting = Counting {
        policy: study.policy(),
        verdicts: &verdicts,
    };
    let settings = settings(study);
    let bakeoff = BakeoffSettings {
        resamples: RESAMPLES,
        ..BakeoffSettings::default()
    };
    let mut questions = Vec::new();
    for question in 0..study.questions.len() {
        if study.truths[question].iter().all(Option::is_none) {
            continue;
        }
        let rows = bake_off(study, question, None, &settings, &bakeoff, counting)?;
        let data = assemble::bake_off(study, question, &rows, "veche methods");
        let kind = assemble::kind(study, question);
        let name = &study.questions[question].name;
        let title = format!("Methods compared on controls: {name}");
        let (unit, choice) = match &kind {
            report::Kind::Number { unit } => (Value::from(unit.as_str()), false),
            report::Kind::Choice => (Value::Null, true),
        };
        let chart = report::bakeoff_inline(
            &data,
            &kind,
            &title,
            study.simulated,
            &format!("quality-{question}"),
        );
        let rows: Vec<Value> = data
            .rows
            .iter()
            .map(|r| {
                let (low, high) = r.interval.unzip();
                json!({ "method": r.method, "value": r.value, "low": low, "high": high, "controls": r.items })
            })
            .collect();
        questions.push(json!({
            "question": name, "measure": if choice { "accuracy" } else { "mean error" }, "unit": unit,
            "method": Method::of(study, question, None, settings)?.name(), "rows": rows, "chart": chart,
        }));
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_like_formulas_are_quoted_and_numbers_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.csv");
        std::fs::write(&path, "item,age,se\n=cmd|calc,-3.5,1\n@a,2,-\nplain,1,0\n").unwrap();
        let text = String::from_utf8(spreadsheet_safe(&path).unwrap()).unwrap();
        assert_eq!(
            text,
            "item,age,se\n'=cmd|calc,-3.5,1\n'@a,2,'-\nplain,1,0\n"
        );
    }
}
