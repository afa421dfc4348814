//! `veche audit leak`: could annotators have recognised controls, or been told?

use super::{Audited, Subject};
use crate::{
    Result,
    assemble::kind,
    curves::{Cell, Picture, Sheet},
    files::{
        Skipped, Table,
        predictions::{Prediction, Predictions},
    },
    problem,
    report::{
        Kind,
        chart::{Axis, Chart, Cloud, CloudPoint, Forest, ForestRow},
        format::{count, decimals, interval, number, percent, plural, signed, with_unit},
    },
    study::{Cast, Study},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};
use veche_analysis::{
    Interval,
    audit::{
        Cell as Answer, Judged, Resampling, SightPair, clustered_difference, clustered_mean,
        exact_hits, second_sights, within_slope,
    },
};
use veche_pools::controls::judge;

/// Settings of [`leak`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Leak {
    /// By item of the study whether the face is famous; empty if nobody said.
    pub famous: Vec<Option<bool>>,
    /// Answers within so much of the truth count as near; 0.4 of the median |error| if not given.
    pub reach: Option<f64>,
    /// How intervals are made.
    pub resampling: Resampling,
}

/// Reads which items show famous faces: a table with the item and a column of yes and no (`famous`, or the one named). By item of the study.
pub fn read_famous(
    path: &Path,
    column: &str,
    study: &Study,
    skipped: &mut Skipped,
) -> Result<Vec<Option<bool>>> {
    let table = Table::read_skipping(path, skipped)?;
    let flag = table.column(column)?;
    let item = table.column_of(&[
        "item", "id", "img_name", "file", "filename", "image", "path", "task",
    ])?;
    let mut famous = Predictions {
        path: path.to_owned(),
        items: crate::files::Names::new(),
        rows: Vec::new(),
    };
    for row in table.rows() {
        let value = match row.text(flag).map(str::to_lowercase).as_deref() {
            None => None,
            Some("1" | "yes" | "true" | "famous" | "x") => Some(1.0),
            Some("0" | "no" | "false") => Some(0.0),
            Some(_) => {
                skipped.take(row.problem(flag, "is neither yes nor no"))?;
                continue;
            }
        };
        let name = row.get(item).trim();
        if famous.items.find(name).is_none() {
            famous.items.intern(name);
            famous.rows.push(Prediction {
                number: value,
                row: row.number(),
                ..Prediction::default()
            });
        }
    }
    let matched = famous.matched(&study.items)?;
    Ok(matched
        .of_item
        .iter()
        .map(|p| Some(famous.rows[(*p)? as usize].number? > 0.0))
        .collect())
}

/// One judged answer with its sight: 0 the first time this annotator met the control.
struct Seen<'a> {
    vote: &'a Cast,
    error: f64,
    sight: usize,
}

/// Four signs of leaks: second sights, famous faces, answers that are exactly right too often, and controls that get easier the more often they were
/// used. Which can be looked at depends on the votes; what cannot is said. Errors if none can.
pub fn leak(subject: &Subject<'_>, settings: &Leak) -> Result<Audited> {
    let (study, question) = (subject.study, subject.question);
    let unit = match kind(study, question) {
        Kind::Number { unit } => Some(unit),
        Kind::Choice => None,
    };
    let mut order: Vec<&Cast> = study
        .votes
        .iter()
        .filter(|v| v.question as usize == question)
        .collect();
    if order.iter().all(|v| v.submitted.is_some()) {
        order.sort_by_key(|v| v.submitted);
    }
    let timed = order.iter().all(|v| v.submitted.is_some());
    let mut times: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let mut seen: Vec<Seen<'_>> = Vec::new();
    for vote in order {
        let truth = study.truths[question][vote.item as usize];
        let Some(error) = judge(vote.answer, truth).and_then(|j| j.size()) else {
            continue;
        };
        let sight = times.entry((vote.annotator, vote.item)).or_default();
        seen.push(Seen {
            vote,
            error,
            sight: *sight,
        });
        *sight += 1;
    }
    if seen.is_empty() {
        return problem("nobody answered a control")
            .column(&study.questions[question].name)
            .fail();
    }
    let talk = Talk::of(&seen, unit);
    let mut parts = Parts::default();
    talk.sights(study, &seen, settings, &mut parts)?;
    talk.famous(study, &seen, settings, &mut parts)?;
    talk.hits(study, &seen, settings, &mut parts)?;
    talk.worn(&seen, timed, settings, &mut parts)?;
    let pictures = if parts.rows.is_empty() {
        parts.pictures
    } else {
        let forest = Forest {
            title: "Signs that controls leaked: how much better the error is".into(),
            x: match &talk.unit {
                Some(unit) => {
                    Axis::new("error without the advantage − error with it", unit.clone())
                }
                None => Axis::share("share wrong without the advantage − with it"),
            },
            more_is_better: true,
            rows: parts.rows,
        };
        let mut pictures = vec![Picture {
            file: "leak.svg".into(),
            chart: Chart::Forest(forest),
        }];
        pictures.extend(parts.pictures);
        pictures
    };
    parts.words.extend(parts.missing);
    Ok(Audited {
        facts: Value::Object(parts.facts),
        words: parts.words,
        sheets: parts.sheets,
        pictures,
    })
}

#[derive(Default)]
struct Parts {
    words: Vec<String>,
    /// What cannot be looked at.
    missing: Vec<String>,
    rows: Vec<ForestRow>,
    sheets: Vec<Sheet>,
    pictures: Vec<Picture>,
    facts: serde_json::Map<String, Value>,
}

/// How numbers are said.
struct Talk {
    unit: Option<String>,
    d: usize,
}

impl Talk {
    fn of(seen: &[Seen<'_>], unit: Option<String>) -> Self {
        let mean = seen.iter().map(|s| s.error).sum::<f64>() / seen.len() as f64;
        Self {
            unit,
            d: decimals([mean]),
        }
    }

    fn size(&self, v: f64) -> String {
        match &self.unit {
            Some(unit) => with_unit(&number(v, self.d), unit),
            None => percent(v),
        }
    }

    fn change(&self, v: f64) -> String {
        match &self.unit {
            Some(unit) => with_unit(&signed(v, self.d), unit),
            None => format!("{} points", signed(100.0 * v, 1)),
        }
    }

    fn range(&self, i: Option<Interval>) -> String {
        i.map(|i| format!(" [{}]", interval(&self.change(i.low), &self.change(i.high))))
            .unwrap_or_default()
    }

    fn what(&self) -> &'static str {
        if self.unit.is_some() {
            "mean |error|"
        } else {
            "share wrong"
        }
    }

    fn sights(
        &self,
        study: &Study,
        seen: &[Seen<'_>],
        settings: &Leak,
        parts: &mut Parts,
    ) -> Result<()> {
        let mut first: BTreeMap<(u32, u32), &Seen<'_>> = BTreeMap::new();
        let mut pairs = Vec::new();
        let mut sheet = Sheet::new(
            "second_sights",
            &["annotator", "first_error", "second_error", "same_answer"],
        );
        for s in seen {
            let key = (s.vote.annotator, s.vote.item);
            if s.sight == 0 {
                first.insert(key, s);
            } else if s.sight == 1 {
                let before = first[&key];
                let same = before.vote.answer == s.vote.answer;
                pairs.push(SightPair {
                    annotator: s.vote.annotator,
                    first: before.error,
                    second: s.error,
                    same,
                });
                sheet.row(vec![
                    Cell::Text(study.annotators[s.vote.annotator as usize].clone()),
                    before.error.into(),
                    s.error.into(),
                    Cell::Flag(same),
                ]);
            }
        }
        let Some(found) = second_sights(&pairs, &settings.resampling)? else {
            parts
                .missing
                .push("Nobody met a control twice, so second sights say nothing.".into());
            return Ok(());
        };
        let sure = found.gain_interval.is_some_and(|i| i.low > 0.0);
        parts.words.push(format!(
            "{}: at second sight the {} is {} instead of {}, better by {}{} ({} of {}); {} are exactly right instead of {}, and {} give the same answer again.",
            if sure { "Controls are remembered or told" } else { "No sign that controls are remembered" },
            self.what(),
            self.size(found.second),
            self.size(found.first),
            self.change(found.gain),
            self.range(found.gain_interval),
            plural(found.pairs as u64, "second answer", "second answers"),
            plural(found.annotators as u64, "annotator", "annotators"),
            percent(found.exact_second),
            percent(found.exact_first),
            percent(found.same)
        ));
        parts
            .rows
            .push(row("met before", found.gain, found.gain_interval));
        parts.sheets.push(sheet);
        parts.facts.insert("second_sights".into(), json!(found));
        Ok(())
    }

    fn famous(
        &self,
        study: &Study,
        seen: &[Seen<'_>],
        settings: &Leak,
        parts: &mut Parts,
    ) -> Result<()> {
        if settings.famous.iter().all(Option::is_none) {
            parts.missing.push(
                "Nobody said which faces are famous (--famous), so they are not looked at apart."
                    .into(),
            );
            return Ok(());
        }
        // Each answer is held against the annotator's own mean, so that it does not matter who met the famous.
        let mut own = vec![(0.0, 0.0); study.annotators.len()];
        for s in seen {
            let o = &mut own[s.vote.annotator as usize];
            *o = (o.0 + 1.0, o.1 + s.error);
        }
        let split = |famous: bool| -> (Vec<f64>, Vec<f64>, Vec<f64>, Vec<u32>) {
            let of = |s: &&Seen<'_>| {
                settings.famous.get(s.vote.item as usize).copied().flatten() == Some(famous)
            };
            let chosen: Vec<&Seen<'_>> = seen.iter().filter(of).collect();
            let rest = |s: &&Seen<'_>| {
                let (n, sum) = own[s.vote.annotator as usize];
                s.error - sum / n
            };
            (
                chosen.iter().map(rest).collect(),
                chosen.iter().map(|s| s.error).collect(),
                chosen
                    .iter()
                    .map(|s| f64::from(u8::from(s.error == 0.0)))
                    .collect(),
                chosen.iter().map(|s| s.vote.item).collect(),
            )
        };
        let (known, others) = (split(true), split(false));
        let Some((better, range)) = clustered_difference(
            (&others.0, &others.3),
            (&known.0, &known.3),
            &settings.resampling,
        )?
        else {
            parts
                .missing
                .push("No answered control is flagged as famous, or all are.".into());
            return Ok(());
        };
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let faces = |items: &[u32]| {
            let mut items = items.to_vec();
            items.sort_unstable();
            items.dedup();
            items.len()
        };
        let sure = range.is_some_and(|i| i.low > 0.0);
        parts.words.push(format!(
            "{}: the {} on {} is {}, on {} {}; the same annotators err less by {}{} on the famous. {} of the answers on famous faces are exactly right, {} of the others.",
            if sure { "Famous faces are recognised" } else { "Famous faces are not answered better by more than chance" },
            self.what(),
            plural(faces(&known.3) as u64, "famous control", "famous controls"),
            self.size(mean(&known.1)),
            plural(faces(&others.3) as u64, "other control", "other controls"),
            self.size(mean(&others.1)),
            self.change(better),
            self.range(range),
            percent(mean(&known.2)),
            percent(mean(&others.2))
        ));
        let exact = clustered_mean(&known.2, &known.3, &settings.resampling)?;
        parts.rows.push(row("famous face", better, range));
        parts.facts.insert(
            "famous".into(),
            json!({"controls": faces(&known.3), "others": faces(&others.3), "error": mean(&known.1), "error_others": mean(&others.1),
                "better": better, "interval": range, "exact": exact.map(|e| e.0), "exact_others": mean(&others.2)}),
        );
        Ok(())
    }

    fn hits(
        &self,
        study: &Study,
        seen: &[Seen<'_>],
        settings: &Leak,
        parts: &mut Parts,
    ) -> Result<()> {
        if self.unit.is_none() {
            return Ok(());
        }
        let judged: Vec<Judged> = seen
            .iter()
            .filter(|s| s.sight == 0)
            .map(|s| Judged {
                annotator: s.vote.annotator,
                control: s.vote.item,
                error: s.error,
            })
            .collect();
        let (reach, found) = exact_hits(&judged, settings.reach, settings.resampling.level)?;
        if found.iter().all(|h| h.exact == 0) {
            parts.missing.push("No answer is exactly right, so nobody is too often: truths may be finer than answers.".into());
            return Ok(());
        }
        let suspected: Vec<_> = found.iter().filter(|h| h.suspected).collect();
        let name =
            |h: &veche_analysis::audit::Hits| study.annotators[h.annotator as usize].as_str();
        parts.words.push(if suspected.is_empty() {
            format!("Nobody is exactly right too often for chance, of {} with answers within {} of the truth.", plural(found.len() as u64, "annotator", "annotators"), self.size(reach))
        } else {
            let first: Vec<String> = suspected
                .iter()
                .take(5)
                .map(|h| format!("{} ({} exact of {} near answers, {} expected)", name(h), count(h.exact as u64), count(h.near as u64), number(h.expected, 1)))
                .collect();
            format!("{} exactly right too often for chance: {}.", plural(suspected.len() as u64, "annotator is", "annotators are"), first.join(", "))
        });
        let mut sheet = Sheet::new(
            "exact",
            &[
                "annotator",
                "near",
                "exact",
                "expected",
                "p",
                "p_all",
                "suspected",
            ],
        );
        for h in &found {
            sheet.row(vec![
                name(h).into(),
                h.near.into(),
                h.exact.into(),
                h.expected.into(),
                h.p.into(),
                h.p_all.into(),
                Cell::Flag(h.suspected),
            ]);
        }
        let point = |h: &veche_analysis::audit::Hits| CloudPoint {
            x: h.expected,
            y: h.exact as f64,
            name: name(h).to_owned(),
            strong: h.suspected,
        };
        parts.pictures.push(Picture {
            file: "leak-exact.svg".into(),
            chart: Chart::Cloud(Cloud {
                title: "Exactly right answers, expected and found".into(),
                x: Axis::new("exact answers expected", ""),
                y: Axis::new("exact answers found", ""),
                points_name: "annotator".into(),
                strong_name: if suspected.is_empty() {
                    String::new()
                } else {
                    "too many for chance".into()
                },
                points: found.iter().map(point).collect(),
                curve_name: String::new(),
                curve: Vec::new(),
                band_name: String::new(),
                thin_name: String::new(),
                diagonal: "as expected".into(),
                from_zero: true,
            }),
        });
        parts.sheets.push(sheet);
        parts.facts.insert("reach".into(), json!(reach));
        parts.facts.insert(
            "exact".into(),
            json!(
                suspected
                    .iter()
                    .map(|h| json!({"annotator": name(h), "hits": h}))
                    .collect::<Vec<_>>()
            ),
        );
        Ok(())
    }

    /// Do controls get easier the more often they were used? Then truths go round.
    fn worn(
        &self,
        seen: &[Seen<'_>],
        timed: bool,
        settings: &Leak,
        parts: &mut Parts,
    ) -> Result<()> {
        if !timed {
            parts.missing.push("Votes do not say when they were given, so whether truths go round among annotators cannot be seen.".into());
            return Ok(());
        }
        let mut uses: BTreeMap<u32, u32> = BTreeMap::new();
        let cells: Vec<Answer> = seen
            .iter()
            .filter(|s| s.sight == 0)
            .map(|s| {
                let n = uses.entry(s.vote.item).or_default();
                *n += 1;
                Answer {
                    annotator: s.vote.annotator,
                    item: s.vote.item,
                    x: f64::from(*n).log2(),
                    y: s.error,
                }
            })
            .collect();
        let Some(found) = within_slope(&cells, &settings.resampling)? else {
            return Ok(());
        };
        let sure = found.interval.is_some_and(|i| i.high < 0.0);
        parts.words.push(format!(
            "{}: each time the number of earlier answers on a control doubles, the error on it changes by {}{}.",
            if sure { "Controls get easier the more often they were used, as they do when truths go round" } else { "Controls do not get easier with use" },
            self.change(found.slope),
            self.range(found.interval)
        ));
        parts.rows.push(row(
            "control used twice as often",
            -found.slope,
            found.interval.map(|i| Interval {
                low: -i.high,
                high: -i.low,
            }),
        ));
        parts.facts.insert("worn".into(), json!(found));
        Ok(())
    }
}

fn row(name: &str, value: f64, range: Option<Interval>) -> ForestRow {
    ForestRow {
        name: name.into(),
        value,
        interval: range.map(|i| (i.low, i.high)),
        best: false,
    }
}
