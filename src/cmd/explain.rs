//! `veche ban --explain` and `veche ban --rules`: why somebody is banned, and what other rules would have done.

use crate::{
    Problem, Result,
    files::write_atomically,
    labels::{Counting, Labels, Method, Rows, bake_off, labels, settings},
    problem,
    report::chart::{Axis, Line, LinePoint, LineSeries, WIDE},
    study::Study,
};
use serde::Deserialize;
use std::{collections::BTreeSet, fmt::Write as _, fs, io::Write as _, path::Path};
use veche_analysis::aggregation::bakeoff::BakeoffSettings;
use veche_pools::{
    Scale,
    banning::{Policy, Rule, RuleName, Verdict, path},
};

/// The path of every rule's statistic for one annotator, in words and, if asked for, as a picture.
pub fn explain(
    study: &Study,
    rules: &[Rule],
    annotator: &str,
    picture: Option<&Path>,
) -> Result<String> {
    let Some(who) = study.annotators.iter().position(|a| a == annotator) else {
        return problem("no vote is by this annotator")
            .value(annotator)
            .fail();
    };
    let (histories, context) = study.judging(rules)?;
    let history = &histories[who];
    let mut text = String::new();
    let mut drawn: Option<(f64, Line)> = None;
    for rule in rules {
        let path = path(rule, history, &context)?;
        let (name, unit) = match path.question.map(|q| &study.questions[q as usize]) {
            Some(q) => match &q.scale {
                Scale::Number(s) => (q.name.clone(), s.unit.clone()),
                Scale::Choice(_) => (q.name.clone(), String::new()),
            },
            None => (String::new(), String::new()),
        };
        let _ = writeln!(text, "rule {} {name}", path.rule);
        if let Some(partner) = path.partner {
            let other = &study.annotators[partner.annotator as usize];
            let what = if partner.same_items {
                "answers to the same items"
            } else {
                "answers at the same place of the sequence, to different items"
            };
            let _ = writeln!(text, "most alike: {other}, {what}");
        }
        if path.rule == RuleName::Insensitive {
            let _ = writeln!(
                text,
                "a ban needs the statistic below the boundary, a share of a typical annotator's correlation on these items"
            );
        }
        let (statistic, plain) = words(path.rule);
        let mut rows = vec![
            ["answer", plain, statistic, "boundary", ""]
                .map(str::to_owned)
                .to_vec(),
        ];
        let crossing = path.crossing();
        for at in 0..path.statistic.len() {
            rows.push(vec![
                (at + 1).to_string(),
                format!("{:.2}", path.plain[at]),
                format!("{:.2}", path.statistic[at]),
                format!("{:.2}", path.boundary[at]),
                if crossing == Some(at) {
                    "banned here".into()
                } else {
                    String::new()
                },
            ]);
        }
        text += &super::table(&rows);
        let _ = match crossing {
            Some(at) => writeln!(text, "banned after {} controls or tasks\n", at + 1),
            None if (path.statistic.len() as u32) < path.minimum => {
                writeln!(
                    text,
                    "not yet looked at: {} of the {} needed\n",
                    path.statistic.len(),
                    path.minimum
                )
            }
            None => writeln!(text, "kept\n"),
        };
        let curve = |name: &str, values: &[f64]| LineSeries {
            name: name.to_owned(),
            points: values
                .iter()
                .enumerate()
                .map(|(at, &y)| LinePoint {
                    x: (at + 1) as f64,
                    y,
                    band: None,
                })
                .collect(),
        };
        let line = Line {
            title: format!("{annotator}: {} {name}", path.rule),
            x: Axis::new("controls or tasks answered", ""),
            y: Axis::new(
                statistic,
                if matches!(
                    path.rule,
                    RuleName::Sequential | RuleName::Insensitive | RuleName::Duplicate
                ) {
                    String::new()
                } else {
                    unit
                },
            ),
            series: vec![
                curve(statistic, &path.statistic),
                curve("boundary of a ban", &path.boundary),
            ],
            from_zero: false,
        };
        // The picture is of the rule that banned first, else of the first rule.
        let when = crossing.map_or(f64::INFINITY, |at| f64::from(path.sequence[at]));
        if drawn.as_ref().is_none_or(|(first, _)| when < *first) {
            drawn = Some((when, line));
        }
    }
    if let (Some(file), Some((_, line))) = (picture, drawn) {
        let svg = line.draw(WIDE).standalone();
        write_atomically(file, |w| w.write_all(svg.as_bytes()))?;
    }
    Ok(text)
}

fn words(rule: RuleName) -> (&'static str, &'static str) {
    match rule {
        RuleName::MaeAbove => ("mean absolute error", "MAE"),
        RuleName::BoundAbove => ("lower bound of the MAE", "MAE"),
        RuleName::AccuracyBelow => ("share correct", "correct"),
        RuleName::Sequential => ("log-likelihood ratio, bot against honest", "so far"),
        RuleName::TooFast => ("share of fast tasks", "fast"),
        RuleName::Constant => ("share of the most frequent answer", "same"),
        RuleName::Insensitive => (
            "correlation with others, most favourable view",
            "correlation",
        ),
        RuleName::Duplicate => ("log-likelihood ratio, copied against chance", "share equal"),
    }
}

/// A file of rules: `[[rule]]` tables as in campaign.toml, and optionally `policy`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    policy: Option<Policy>,
    #[serde(rename = "rule")]
    rules: Vec<Rule>,
}

/// Reads a file of rules.
pub fn read_rules(study: &Study, file: &Path) -> Result<(Policy, Vec<Rule>)> {
    let text = fs::read_to_string(file).map_err(|e| Problem::io("read", file, &e))?;
    let read: RulesFile = toml::from_str(&text).map_err(|e| {
        let row = e.span().map_or(1, |s| text[..s.start].matches('\n').count() as u64 + 1);
        problem(e.message().replace('\n', " "))
            .file(file)
            .row(row)
            .hint("a file of rules has [[rule]] tables, as [[ban.rule]] in campaign.toml, and may say policy = \"…\"")
    })?;
    for rule in &read.rules {
        rule.check(&study.plain_context())
            .map_err(|e| problem(e.to_string()).file(file))?;
    }
    Ok((read.policy.unwrap_or_else(|| study.policy()), read.rules))
}

/// What other rules would have done: who is banned under which, and what it does to the labels.
pub fn replay(study: &Study, own: (Policy, &[Rule]), other: (Policy, &[Rule])) -> Result<String> {
    let verdicts = (study.judge(own.1)?, study.judge(other.1)?);
    let banned = |verdicts: &[Verdict]| -> BTreeSet<usize> {
        let is = |(_, v): &(usize, &Verdict)| matches!(v, Verdict::Banned { .. });
        verdicts
            .iter()
            .enumerate()
            .filter(is)
            .map(|(u, _)| u)
            .collect()
    };
    let (before, after) = (banned(&verdicts.0), banned(&verdicts.1));
    let mut rows = vec![
        ["annotator", "now", "with these rules"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for &u in before.union(&after) {
        rows.push(vec![
            study.annotators[u].clone(),
            moment(&verdicts.0[u]),
            moment(&verdicts.1[u]),
        ]);
    }
    let mut text = format!(
        "{} annotators banned now, {} with these rules\n",
        before.len(),
        after.len()
    );
    if rows.len() > 1 {
        text += &super::table(&rows);
    }
    let countings = [
        Counting {
            policy: own.0,
            verdicts: &verdicts.0,
        },
        Counting {
            policy: other.0,
            verdicts: &verdicts.1,
        },
    ];
    let left_out = countings.map(|c| c.left_out(study));
    let _ = writeln!(
        text,
        "votes left out: {} now, {} with these rules",
        left_out[0], left_out[1]
    );
    for question in 0..study.questions.len() {
        let method = Method::of(study, question, None, settings(study))?;
        let name = &study.questions[question].name;
        let mut errors = Vec::new();
        let mut results = Vec::new();
        for counting in countings {
            results.push(labels(study, question, method, counting)?);
            if study.truths[question].iter().any(Option::is_some) {
                let only = [method.name().to_owned()];
                let bakeoff = BakeoffSettings {
                    resamples: 1,
                    ..BakeoffSettings::default()
                };
                let rows = bake_off(
                    study,
                    question,
                    Some(&only),
                    &settings(study),
                    &bakeoff,
                    counting,
                )?;
                errors.push(match &rows {
                    Rows::Numbers(rows) => format!("MAE {:.3}", rows[0].mae),
                    Rows::Choices(rows) => format!("{:.2} % right", 100.0 * rows[0].accuracy),
                });
            }
        }
        if let [now, then] = &errors[..] {
            let _ = writeln!(
                text,
                "{name}: {} on controls, {now} now, {then} with these rules",
                method.name()
            );
        }
        if let [a, b] = &results[..] {
            let _ = writeln!(text, "{name}: {}", difference(a, b));
        }
    }
    Ok(text)
}

fn moment(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Banned {
            rule, at_control, ..
        } => format!("{rule} after {at_control} controls"),
        Verdict::Kept => "kept".into(),
        Verdict::TooFew { have, need } => format!("too few controls ({have} of {need})"),
    }
}

fn difference(a: &Labels, b: &Labels) -> String {
    match (a, b) {
        (Labels::Numbers(a), Labels::Numbers(b)) => {
            let pairs = a.estimates.iter().zip(&b.estimates);
            let moved: Vec<f64> = pairs
                .filter_map(|(a, b)| Some((a.as_ref()?.value - b.as_ref()?.value).abs()))
                .collect();
            let mean = moved.iter().sum::<f64>() / moved.len().max(1) as f64;
            let most = moved.iter().copied().fold(0.0, f64::max);
            format!("labels move by {mean:.3} on average, {most:.3} at most")
        }
        (Labels::Choices(a), Labels::Choices(b)) => {
            let pairs = a.estimates.iter().zip(&b.estimates);
            let changed = pairs
                .filter(|(a, b)| a.map(|e| e.label) != b.map(|e| e.label))
                .count();
            format!("{changed} of {} labels change", a.estimates.len())
        }
        _ => String::new(),
    }
}
