//! `veche audit speed`: who hurries, and does hurry cost accuracy?

use super::{Audited, Subject};
use crate::{
    Result,
    assemble::kind,
    curves::{Cell, Picture, Sheet},
    problem,
    report::{
        Kind,
        chart::{Axis, Bins, Chart, Cloud, CloudPoint, Histogram, Mark, MarkKind},
        format::{decimals, interval, number, percent, plural, signed, with_unit},
    },
};
use serde_json::json;
use std::collections::BTreeSet;
use veche_analysis::audit::{
    Cell as Answer, RelationSettings, Relationship, Resampling, median, relation, within_slope,
};
use veche_pools::controls::judge;

/// Settings of [`speed`].
#[derive(Debug, Clone, PartialEq)]
pub struct Speed {
    /// A task below this many seconds is fast; a quarter of the median time of all if not given.
    pub fast: Option<f64>,
    /// How the relation is looked for, and how intervals are made.
    pub relation: RelationSettings,
}

impl Default for Speed {
    fn default() -> Self {
        Self {
            fast: None,
            relation: RelationSettings::default(),
        }
    }
}

/// Seconds per task of every annotator, and what haste does: between annotators (rank correlation of median time and error), and within them
/// (are their own quicker answers worse than their slower ones to equally hard controls?). Errors if no vote says how long it took.
pub fn speed(subject: &Subject<'_>, settings: &Speed) -> Result<Audited> {
    let (study, question) = (subject.study, subject.question);
    let unit = match kind(study, question) {
        Kind::Number { unit } => Some(unit),
        Kind::Choice => None,
    };
    let n = study.annotators.len();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); n];
    // A task with several questions was looked at once.
    let mut seen: BTreeSet<(u32, u32)> = BTreeSet::new();
    let mut answers = Vec::new();
    let mut errors: Vec<(f64, f64)> = vec![(0.0, 0.0); n];
    for v in &study.votes {
        let seconds = v
            .seconds
            .map(f64::from)
            .filter(|s| *s > 0.0 && s.is_finite());
        if let Some(s) = seconds
            && seen.insert((v.annotator, v.item))
        {
            times[v.annotator as usize].push(s);
        }
        if v.question as usize != question {
            continue;
        }
        let error = judge(v.answer, study.truths[question][v.item as usize]).and_then(|j| j.size());
        if let Some(error) = error {
            let e = &mut errors[v.annotator as usize];
            *e = (e.0 + 1.0, e.1 + error);
            answers.extend(seconds.map(|s| Answer {
                annotator: v.annotator,
                item: v.item,
                x: s.log2(),
                y: error,
            }));
        }
    }
    let all: Vec<f64> = times.iter().flatten().copied().collect();
    let Some(typical) = median(all.clone()) else {
        return problem("no vote says how long it took")
            .column(&study.questions[question].name)
            .hint("speed needs a column `seconds`; our server and results of Toloka have it")
            .fail();
    };
    let fast = settings.fast.unwrap_or(typical / 4.0);
    let resampling = Resampling {
        level: settings.relation.level,
        resamples: settings.relation.resamples,
        seed: settings.relation.seed,
    };
    let within = within_slope(&answers, &resampling)?;
    let own: Vec<(usize, f64, f64)> = (0..n)
        .filter(|&u| errors[u].0 >= 5.0)
        .filter_map(|u| Some((u, median(times[u].clone())?, errors[u].1 / errors[u].0)))
        .collect();
    let x: Vec<f64> = own.iter().map(|o| o.1).collect();
    let y: Vec<f64> = own.iter().map(|o| o.2).collect();
    let between = relation(&x, &y, &settings.relation)?;

    let share_of_fast = |u: usize| {
        let quick = times[u].iter().filter(|s| **s < fast).count();
        (!times[u].is_empty()).then(|| quick as f64 / times[u].len() as f64)
    };
    let hurried: Vec<usize> = (0..n)
        .filter(|&u| share_of_fast(u).is_some_and(|s| s > 0.5))
        .collect();
    let d = decimals(y.iter().copied());
    let unit_text = unit.clone().unwrap_or_default();
    let change = |v: f64| match &unit {
        Some(_) => with_unit(&signed(v, d), &unit_text),
        None => format!("{} points", signed(100.0 * v, 1)),
    };
    let seconds = |v: f64| with_unit(&number(v, usize::from(v < 20.0)), "s");
    let quick = all.iter().filter(|s| **s < fast).count();
    let mut words = vec![format!(
        "Half of the tasks took {} or less; {} took less than {}, and {} more than half of their tasks in less.",
        seconds(typical),
        percent(quick as f64 / all.len() as f64),
        seconds(fast),
        plural(hurried.len() as u64, "annotator did", "annotators did")
    )];
    if let Some(w) = &within {
        let range = w
            .interval
            .map(|i| format!(" [{}]", interval(&change(i.low), &change(i.high))))
            .unwrap_or_default();
        let sure = w.interval.filter(|i| !i.contains(0.0));
        words.push(match (sure, w.slope < 0.0) {
            (Some(_), true) => format!("Taking one's time helps: with twice the time on a task the same annotator's error changes by {}{range}.", change(w.slope)),
            (Some(_), false) => format!("Answers that took longer are worse, as hard ones do: with twice the time the same annotator's error changes by {}{range}, the control's own difficulty taken out.", change(w.slope)),
            (None, _) => format!("No effect of haste within annotators was found: with twice the time on a task the error changes by {}{range}.", change(w.slope)),
        });
    }
    if let Some(r) = &between {
        let size = format!(
            "rank correlation of median time and error {} [{}]",
            signed(r.rho, 2),
            interval(
                &signed(r.rho_interval.low, 2),
                &signed(r.rho_interval.high, 2)
            )
        );
        words.push(match r.finding {
            Relationship::Falls => format!("Slower annotators err less: {size}."),
            Relationship::Rises => format!("Slower annotators err more: {size}."),
            Relationship::Bends => {
                format!("Error differs by speed without rising or falling throughout: {size}.")
            }
            Relationship::None => format!("Slow and fast annotators err alike: {size}."),
            Relationship::Undecided => {
                format!("Whether slow annotators err less cannot be told: {size}.")
            }
        });
    }
    let mut sheet = Sheet::new(
        "annotators",
        &[
            "annotator",
            "tasks",
            "seconds_median",
            "fast_share",
            "judged",
            "mae",
        ],
    );
    for u in 0..n {
        sheet.row(vec![
            Cell::Text(study.annotators[u].clone()),
            times[u].len().into(),
            median(times[u].clone()).into(),
            share_of_fast(u).into(),
            (errors[u].0 as usize).into(),
            Some(errors[u].1 / errors[u].0)
                .filter(|e| e.is_finite())
                .into(),
        ]);
    }
    let medians: Vec<f64> = times.iter().filter_map(|t| median(t.clone())).collect();
    let mut pictures = vec![Picture {
        file: "speed.svg".into(),
        chart: Chart::Histogram(Histogram::one(
            "Annotators by their median time on a task",
            Axis::new("median time on a task", "s"),
            "annotators",
            Bins::nice(&medians, 30),
            vec![
                Mark::new("median of all tasks", typical, MarkKind::Median),
                Mark::new("fast", fast, MarkKind::Threshold),
            ],
        )),
    }];
    if own.len() > 1 {
        pictures.push(Picture {
            file: "speed-error.svg".into(),
            chart: Chart::Cloud(Cloud {
                title: "Error by speed".into(),
                x: Axis::new("median time on a task", "s"),
                y: if unit.is_some() {
                    Axis::new("mean |error|", unit_text.clone())
                } else {
                    Axis::share("share of wrong answers")
                },
                points_name: "annotator".into(),
                strong_name: if hurried.is_empty() {
                    String::new()
                } else {
                    format!("more than half in less than {}", seconds(fast))
                },
                points: own
                    .iter()
                    .map(|o| CloudPoint {
                        x: o.1,
                        y: o.2,
                        name: study.annotators[o.0].clone(),
                        strong: hurried.contains(&o.0),
                    })
                    .collect(),
                curve_name: String::new(),
                curve: Vec::new(),
                band_name: String::new(),
                thin_name: String::new(),
                diagonal: String::new(),
                from_zero: true,
            }),
        });
    }
    Ok(Audited {
        facts: json!({"tasks": all.len(), "median_seconds": typical, "fast_below": fast, "fast_share": quick as f64 / all.len() as f64,
            "hurried": hurried.iter().map(|&u| &study.annotators[u]).collect::<Vec<_>>(), "within": within, "between": between}),
        words,
        sheets: vec![sheet],
        pictures,
    })
}
