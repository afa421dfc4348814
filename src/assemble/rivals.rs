//! What networks say about the items of a study: beside people by the true answer where it is known, beside their labels elsewhere.

use super::{curves, grid, items::picture};
use crate::{
    Result,
    curves::{
        Field, FieldSide, Findings, SideKind, Theme, age_like, find, slug, tables, themed_pictures,
    },
    files::{
        Skipped, Table,
        predictions::{Matched, PredictionColumns, Predictions, read_predictions, sex_word},
    },
    labels::Labels,
    report::{
        Chapter, Drawing, Made, Passage, Photo, Said, Value,
        chart::{Axis, Chart, Scatter, ScatterPoint},
        format::{count, interval, label_decimals, number, percent, plural, signed, with_unit},
    },
    study::Study,
};
use std::path::PathBuf;
use veche_analysis::curves::Answers;
use veche_pools::Scale;

/// A network, or anything else with one answer per item.
#[derive(Debug, Clone)]
pub struct Rival {
    /// Its name on the page.
    pub name: String,
    /// Its table of predictions.
    pub path: PathBuf,
    /// What must be said about it.
    pub note: Option<String>,
}

/// A rival's answers to one question, matched to the study's items.
pub(super) struct Heard<'a> {
    pub(super) rival: &'a Rival,
    pub(super) predictions: Predictions,
    matched: Matched,
}

impl Heard<'_> {
    /// What it says about an item.
    fn row(&self, item: usize) -> Option<&crate::files::predictions::Prediction> {
        self.matched.of_item[item].map(|row| &self.predictions.rows[row as usize])
    }

    pub(super) fn number(&self, item: usize) -> Option<f64> {
        self.row(item)?.number
    }
}

/// The rivals that answer a question of numbers: those whose table has a column of its name, and for ages all.
pub(super) fn heard<'a>(
    study: &Study,
    question: usize,
    rivals: &'a [Rival],
) -> Result<Vec<Heard<'a>>> {
    let asked = &study.questions[question];
    let number = matches!(asked.scale, Scale::Number(_));
    let sex = ["sex", "gender"].contains(&asked.name.to_lowercase().as_str());
    // Of choices only the sex is read, whatever number stands beside it.
    let name = if number { asked.name.as_str() } else { "age" };
    let mut all = Vec::new();
    for rival in rivals {
        let speaks = if number {
            age_like(name) || Table::read(&rival.path)?.find(name).is_some()
        } else {
            sex
        };
        if !speaks {
            continue;
        }
        let predictions = read_predictions(
            &rival.path,
            &PredictionColumns::default(),
            name,
            &mut Skipped::strict(),
        )?;
        let matched = predictions.matched(&study.items)?;
        all.push(Heard {
            rival,
            predictions,
            matched,
        });
    }
    Ok(all)
}

/// What rivals say about one item, for its card.
pub(super) fn said(study: &Study, question: usize, heard: &[Heard<'_>], item: usize) -> Vec<Said> {
    let say = |heard: &Heard<'_>| {
        let row = heard.row(item)?;
        let what = match &study.questions[question].scale {
            Scale::Number(_) => Value::Number(row.number?),
            Scale::Choice(scale) => {
                let sex = row.sex.as_ref()?;
                let label = scale.labels.iter().find(|label| sex_word(label) == *sex)?;
                Value::Label(label.clone())
            }
        };
        Some(Said {
            who: heard.rival.name.clone(),
            what,
        })
    };
    heard.iter().filter_map(say).collect()
}

/// Most points of a scatter plot.
const POINTS: usize = 1500;
/// Photos shown.
const SHOWN: usize = 8;

/// Rivals beside the labels of items whose answer nobody knows.
pub(super) fn beside_labels(
    study: &Study,
    question: usize,
    result: &Labels,
    heard: &[Heard<'_>],
    made: &Made,
) -> Result<Option<Chapter>> {
    let (Labels::Numbers(result), Scale::Number(scale)) =
        (result, &study.questions[question].scale)
    else {
        return Ok(None);
    };
    let asked = &study.questions[question].name;
    let real = |i: usize| study.pool.as_ref().is_none_or(|p| !p.is_control(i));
    let label: Vec<Option<f64>> = (0..study.items.len())
        .map(|i| result.estimates[i].filter(|_| real(i)).map(|e| e.value))
        .collect();
    let both = |h: &Heard<'_>| {
        (0..label.len())
            .filter(|&i| label[i].is_some() && h.number(i).is_some())
            .count()
    };
    let heard: Vec<&Heard<'_>> = heard.iter().filter(|h| both(h) > 0).collect();
    if heard.is_empty() {
        return Ok(None);
    }
    let field = Field {
        title: study.title.clone(),
        quantity: asked.clone(),
        unit: scale.unit.clone(),
        items: study.items.clone(),
        class: vec![None; label.len()],
        sex: vec![None; label.len()],
        sides: heard
            .iter()
            .map(|h| FieldSide {
                name: h.rival.name.clone(),
                kind: SideKind::Network,
                answers: Answers::Estimates((0..label.len()).map(|i| h.number(i)).collect()),
                sex_right: None,
            })
            .collect(),
        votes: None,
        sources: Vec::new(),
        simulated: study.simulated,
        truth: label.clone(),
    };
    let found = find(&field, &curves::usual(&field, false, Some(Vec::new())))?;
    let mut passages = Vec::new();
    for (h, side) in heard.iter().zip(0..) {
        passages.push(beside(study, &field, &found, h, side, result, made));
    }
    Ok(Some(Chapter {
        id: format!("networks-{}", slug(asked)),
        heading: format!("Networks beside the labels: {asked}"),
        intro: "Nobody knows the right answer for these items: the distance below is between a network and people's label, and either may be wrong."
            .into(),
        passages,
    }))
}

#[allow(clippy::too_many_arguments, reason = "one passage needs all of them")]
fn beside(
    study: &Study,
    field: &Field,
    found: &Findings,
    heard: &Heard<'_>,
    side: usize,
    result: &veche_analysis::aggregation::NumberResult,
    made: &Made,
) -> Passage {
    let (name, unit, asked) = (&heard.rival.name, &field.unit, &field.quantity);
    let mut text: Vec<String> = heard.rival.note.iter().cloned().collect();
    let summary = found
        .groups
        .iter()
        .flat_map(|g| g.sets.last())
        .find_map(|set| set.summaries[side].as_ref());
    if let Some(s) = summary {
        let d = crate::report::format::decimals([s.mae.value]);
        text.push(format!(
            "{name} lies {} from the label on average, {} of {} items within {}; its mean difference is {}.",
            with_unit(&number(s.mae.value, d), unit),
            percent(s.cs.value),
            count(s.items as u64),
            with_unit(&number(s.within, 0), unit),
            with_unit(&signed(s.bias.value, d), unit),
        ));
    }
    let pairs: Vec<(usize, f64, f64)> = (0..study.items.len())
        .filter_map(|i| Some((i, field.truth[i]?, heard.number(i)?)))
        .collect();
    let outside = pairs
        .iter()
        .filter(|(i, _, said)| {
            result.estimates[*i]
                .and_then(|e| e.low.zip(e.high))
                .is_some_and(|(low, high)| *said < low || *said > high)
        })
        .count();
    text.push(format!(
        "It lies outside the label's interval on {} of {}.",
        count(outside as u64),
        plural(pairs.len() as u64, "item", "items")
    ));
    let step = pairs.len().div_ceil(POINTS).max(1);
    let scatter = Scatter {
        title: format!("{name} against the label of {asked}"),
        x: Axis::new(format!("label of {asked}"), unit.clone()),
        y: Axis::new(name.clone(), unit.clone()),
        points: pairs
            .iter()
            .step_by(step)
            .map(|&(i, x, y)| ScatterPoint {
                x,
                y,
                name: study.items[i].clone(),
            })
            .collect(),
        line: Some((1.0, 0.0)),
    };
    if step > 1 {
        text.push(format!("The picture shows every {step}th item."));
    }
    let mut drawings = vec![Drawing {
        file: format!("network-{}-{}", slug(name), slug(asked)),
        chart: Chart::Scatter(scatter),
    }];
    if side == 0 {
        for (theme, drawn) in themed_pictures(field, found) {
            if let (Theme::Errors, Chart::Curves(mut chart)) = (theme, drawn.chart)
                && chart.signed
            {
                chart.title = format!("Networks − label, by label of {asked}");
                chart.x = Axis::new(format!("label of {asked}"), unit.clone());
                chart.y = Axis::new("mean difference (above 0: network higher)", unit.clone());
                chart.sd_band = chart.sd_band.replace("single errors", "single differences");
                drawings.push(Drawing {
                    file: format!("networks-by-label-{}", slug(asked)),
                    chart: Chart::Curves(chart),
                });
                break;
            }
        }
    }
    let mut far = pairs;
    far.sort_by(|a, b| {
        (b.2 - b.1)
            .abs()
            .total_cmp(&(a.2 - a.1).abs())
            .then(a.0.cmp(&b.0))
    });
    let photos = far.iter().take(SHOWN).map(|&(i, label, said)| {
        let d = label_decimals([label.max(said)]);
        let mut facts = vec![("label".to_owned(), with_unit(&number(label, d), unit))];
        if let Some((low, high)) = result.estimates[i].and_then(|e| e.low.zip(e.high)) {
            facts.push((
                "interval".into(),
                interval(&number(low, d), &number(high, d)),
            ));
        }
        facts.push((name.clone(), with_unit(&number(said, d), unit)));
        Photo {
            name: study.items[i].clone(),
            picture: picture(study, i),
            facts,
        }
    });
    let photos: Vec<Photo> = photos.collect();
    if photos.iter().any(|p| p.picture.is_some()) {
        text.push("The photos are those on which label and network lie farthest apart.".into());
    }
    let sheets = tables(field, found);
    let grids = sheets
        .iter()
        .filter(|s| side == 0 && s.name == "curves")
        .map(|s| {
            grid::behind(
                s,
                &format!("Networks by label of {asked}; MAE is the mean distance from the label"),
            )
        })
        .collect();
    Passage {
        heading: format!("{name} and the labels"),
        text,
        drawings,
        photos,
        grids,
        made: made.clone(),
    }
}
