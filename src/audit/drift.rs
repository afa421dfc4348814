//! `veche audit drift`: did annotators learn or tire?

use super::{Audited, judged};
use crate::{
    Result,
    assemble::kind,
    curves::{Cell, Picture, Sheet},
    problem,
    report::{
        Kind,
        chart::{Axis, Chart, Line, LinePoint, LineSeries},
        format::{decimals, interval, number, plural, signed, with_unit},
    },
    study::Study,
};
use serde_json::json;
use veche_analysis::audit::{DriftSettings, Slope, Step, drift as along};
use veche_pools::banning::Verdict;

/// Error along each annotator's own sequence on one question. Errors if there are too few shared controls to tell.
pub fn drift(
    study: &Study,
    question: usize,
    verdicts: &[Verdict],
    settings: &DriftSettings,
) -> Result<Audited> {
    let unit = match kind(study, question) {
        Kind::Number { unit } => unit,
        Kind::Choice => String::new(),
    };
    let steps: Vec<Step> = judged(study, question)
        .into_iter()
        .map(|j| Step {
            annotator: j.annotator,
            item: j.item,
            position: f64::from(j.sequence),
            error: j.error,
        })
        .collect();
    let banned: Vec<bool> = verdicts
        .iter()
        .map(|v| matches!(v, Verdict::Banned { .. }))
        .collect();
    let Some(found) = along(&steps, &banned, settings)? else {
        return problem("nobody's sequence can be looked at: no two annotators answered several controls one after the other")
            .column(&study.questions[question].name)
            .hint("drift needs several annotators with several answers on controls each")
            .fail();
    };
    let d = decimals([found.start]);
    let range = |s: &Slope| {
        s.interval
            .map(|i| format!(" [{}]", interval(&signed(i.low, d), &signed(i.high, d))))
            .unwrap_or_default()
    };
    let sure = found.slope.interval.filter(|i| !i.contains(0.0));
    let what = match (sure, found.slope.value > 0.0) {
        (None, _) => "No change with experience was found",
        (Some(_), true) => "Annotators err more as they go on",
        (Some(_), false) => "Annotators err less as they go on",
    };
    let per = plural(found.per as u64, "task", "tasks");
    let mut words = vec![
        format!(
            "{what}: the error changes by {}{} per {per} (mixed model, {}), from about {}; over the typical {} that is {}.",
            with_unit(&signed(found.slope.value, d), &unit),
            range(&found.slope),
            plural(found.slope.annotators as u64, "annotator", "annotators"),
            with_unit(&number(found.start, d), &unit),
            plural(found.typical_length as u64, "task", "tasks"),
            signed(found.change.value, d) + &range(&found.change),
        ),
        format!(
            "Without heed to who left it would seem to change by {} per {per}; that mixes change with who stays.",
            signed(found.naive, d)
        ),
    ];
    if let Some(kept) = &found.kept {
        words.push(format!(
            "Without the banned: {}{} per {per}.",
            signed(kept.value, d),
            range(kept)
        ));
    }
    if !found.difficulty_removed {
        words.push(
            "All answered the controls in one order, so change cannot be told from controls that are harder than those before: this is both together."
                .into(),
        );
    }
    if study.votes.iter().any(|v| v.submitted.is_none()) {
        words.push("Not every vote says when it was given: the order of rows is taken for the order of answers.".into());
    }
    let mut sheet = Sheet::new(
        "drift",
        &[
            "from",
            "to",
            "at",
            "answers",
            "annotators",
            "present",
            "same_people",
            "low",
            "high",
            "thin",
        ],
    );
    for p in &found.curve {
        sheet.row(vec![
            p.from.into(),
            p.to.into(),
            p.at.into(),
            p.answers.into(),
            p.annotators.into(),
            p.present.into(),
            p.same_people.into(),
            p.interval.map(|i| i.low).into(),
            p.interval.map(|i| i.high).into(),
            Cell::Flag(p.thin),
        ]);
    }
    let line = |banded: bool| {
        let point = |p: &veche_analysis::audit::DriftPoint| LinePoint {
            x: p.at,
            y: if banded { p.same_people } else { p.present },
            band: p.interval.filter(|_| banded).map(|i| (i.low, i.high)),
        };
        found.curve.iter().map(point).collect::<Vec<_>>()
    };
    let chart = Line {
        title: "Error along the annotators' own sequence".into(),
        x: Axis::new("tasks answered before", ""),
        y: Axis::new(
            if found.difficulty_removed {
                "mean |error|, difficulty taken out"
            } else {
                "mean |error|"
            },
            unit,
        ),
        series: vec![
            LineSeries {
                name: "the same people throughout (mixed model)".into(),
                points: line(true),
            },
            LineSeries {
                name: "those still present".into(),
                points: line(false),
            },
        ],
        from_zero: true,
    };
    Ok(Audited {
        facts: json!({"drift": found}),
        words,
        sheets: vec![sheet],
        pictures: vec![Picture {
            file: "drift.svg".into(),
            chart: Chart::Line(chart),
        }],
    })
}
