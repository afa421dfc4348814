//! `veche audit collusion`: who answers like whom, more often than can be chance?

use super::{Audited, Subject};
use crate::{
    Result,
    curves::{Cell, Picture, Sheet},
    problem,
    report::{
        chart::{Axis, Chart, Cloud, CloudPoint},
        format::{count, number, percent, plural},
    },
};
use serde_json::json;
use veche_analysis::audit::{CollusionSettings, Given, collusion as compare};
use veche_pools::Answer;

/// Most pairs that are drawn: beyond, the least suspicious are left out of the picture (never of the table).
const DRAWN: usize = 4000;

/// Pairs of annotators on one question, the most suspicious first. No known answers are needed. Errors if no two annotators have enough items in
/// common.
pub fn collusion(subject: &Subject<'_>, settings: &CollusionSettings) -> Result<Audited> {
    let (study, question) = (subject.study, subject.question);
    let given: Vec<Given> = study
        .votes
        .iter()
        .filter(|v| v.question as usize == question)
        .filter_map(|v| {
            let value = match v.answer {
                Answer::Number(v) => v,
                Answer::Choice(label) => f64::from(label),
                Answer::Unsure => return None,
            };
            Some(Given {
                annotator: v.annotator,
                item: v.item,
                value,
            })
        })
        .collect();
    let labels = study
        .votes
        .iter()
        .any(|v| v.question as usize == question && matches!(v.answer, Answer::Choice(_)));
    let settings = &CollusionSettings {
        round: settings.round.filter(|_| !labels),
        ..*settings
    };
    let found = compare(&given, settings)?;
    if found.compared == 0 {
        return problem(format!(
            "no two annotators have {} items in common; {} have some",
            settings.least,
            plural(found.too_few as u64, "pair", "pairs")
        ))
        .column(&study.questions[question].name)
        .hint("lower --min-common, or collect more votes per item")
        .fail();
    }
    let name = |who: u32| study.annotators[who as usize].as_str();
    let suspected: Vec<_> = found.pairs.iter().filter(|p| p.suspected).collect();
    let mut words = vec![if suspected.is_empty() {
        format!(
            "No pair of annotators answers alike more often than chance and habit explain ({} compared on at least {} common items).",
            plural(found.compared as u64, "pair", "pairs"),
            count(settings.least as u64)
        )
    } else {
        format!(
            "{} of {} compared answer alike more often than chance and habit explain, in {}.",
            plural(suspected.len() as u64, "pair", "pairs"),
            count(found.compared as u64),
            plural(found.groups.len() as u64, "group", "groups")
        )
    }];
    for p in suspected.iter().take(5) {
        words.push(format!(
            "{} and {}: {} of {} common answers are the same, {} expected; about {} copied (p = {:.1e} for all pairs together).",
            name(p.first),
            name(p.second),
            count(p.equal as u64),
            count(p.common as u64),
            number(p.expected, 1),
            percent(p.copied),
            p.p_all
        ));
    }
    if let Some(group) = found.groups.first().filter(|g| g.len() > 2) {
        let names: Vec<&str> = group.iter().take(12).map(|&w| name(w)).collect();
        words.push(format!(
            "The largest group: {}{}.",
            names.join(", "),
            if group.len() > 12 { " …" } else { "" }
        ));
    }
    words.push(format!(
        "Any two answers about one item are the same in {}. {}A pair is judged against the others' votes on the same items, both annotators' favourite answers, and how much they agree with everybody else.",
        percent(found.usual),
        if found.too_few > 0 {
            format!("{} with fewer common items were not compared. ", plural(found.too_few as u64, "pair", "pairs"))
        } else {
            String::new()
        }
    ));
    let mut sheet = Sheet::new(
        "pairs",
        &[
            "first",
            "second",
            "common",
            "equal",
            "expected",
            "equal_share",
            "copied_share",
            "p",
            "p_all",
            "suspected",
            "group",
        ],
    );
    let group_of = |who: u32| {
        found
            .groups
            .iter()
            .position(|g| g.contains(&who))
            .map(|g| g + 1)
    };
    for p in &found.pairs {
        sheet.row(vec![
            name(p.first).into(),
            name(p.second).into(),
            p.common.into(),
            p.equal.into(),
            p.expected.into(),
            (p.equal as f64 / p.common as f64).into(),
            p.copied.into(),
            p.p.into(),
            p.p_all.into(),
            Cell::Flag(p.suspected),
            Cell::Count(group_of(p.first).filter(|_| p.suspected).map(|g| g as u64)),
        ]);
    }
    let points = found.pairs.iter().take(DRAWN).map(|p| CloudPoint {
        x: (p.expected / p.common as f64).min(1.0),
        y: p.equal as f64 / p.common as f64,
        name: format!(
            "{} and {} ({} items)",
            name(p.first),
            name(p.second),
            count(p.common as u64)
        ),
        strong: p.suspected,
    });
    let chart = Cloud {
        title: "Pairs of annotators: same answers, expected and found".into(),
        x: Axis::share("same answers expected"),
        y: Axis::share("same answers found"),
        points_name: "pair".into(),
        strong_name: if suspected.is_empty() {
            String::new()
        } else {
            "suspected".into()
        },
        points: points.collect(),
        curve_name: String::new(),
        curve: Vec::new(),
        band_name: String::new(),
        thin_name: String::new(),
        diagonal: "as expected".into(),
        from_zero: true,
    };
    let groups: Vec<Vec<&str>> = found
        .groups
        .iter()
        .map(|g| g.iter().map(|&w| name(w)).collect())
        .collect();
    let top: Vec<_> = suspected
        .iter()
        .map(|p| json!({"first": name(p.first), "second": name(p.second), "pair": p}))
        .collect();
    Ok(Audited {
        facts: json!({"compared": found.compared, "too_few": found.too_few, "usual": found.usual, "suspected": top, "groups": groups}),
        words,
        sheets: vec![sheet],
        pictures: vec![Picture {
            file: "collusion.svg".into(),
            chart: Chart::Cloud(chart),
        }],
    })
}
