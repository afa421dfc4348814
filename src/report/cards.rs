//! Cards with pictures: example items with their labels, and the controls people miss most.

use super::blocks::{Block, Easel, Fact, PictureCard};
use super::chart::{Axis, Bins, Histogram, Mark, MarkKind, mini_interval};
use super::data::{Examples, HardControl, Hardest, Kind, Said, Value};
use super::format::{count, interval, label_decimals, level, number, percent, signed, with_unit};
use super::question::{Words, choice_bars};

/// Some items with their labels; `range` is the scale of their intervals.
pub(crate) fn examples_block(
    examples: &Examples,
    w: &Words<'_>,
    range: Option<(f64, f64)>,
    id: String,
    easel: &mut Easel,
) -> Block {
    let axis = Axis::new("", w.unit);
    let mut cards = Vec::new();
    for item in &examples.items {
        let d = match item.label {
            Value::Number(v) => label_decimals([v]),
            Value::Label(_) => 0,
        };
        let label = w.label(&item.label, d);
        let mut facts = vec![Fact::new("label", &label)];
        if let Some((low, high)) = item.interval {
            let text = interval(&number(low, d), &number(high, d));
            facts.push(Fact::new(
                &format!("{} interval", level(examples.level)),
                text,
            ));
        }
        if let Some(confidence) = item.confidence {
            facts.push(Fact::new("confidence", percent(confidence)));
        }
        facts.push(Fact::new("votes", count(item.votes)));
        facts.extend(others(&item.others, w, d));
        let chart = match (&item.label, range) {
            (Value::Number(v), Some(range)) if v.is_finite() => easel.mini(mini_interval(
                &format!("Label of {}", item.name),
                &axis,
                *v,
                item.interval,
                range,
                180.0,
            )),
            _ => None,
        };
        cards.push(PictureCard {
            name: item.name.clone(),
            src: item.picture.as_ref().map_or("", |p| p.uri()).to_owned(),
            alt: format!("Item {}, labelled {label}", item.name),
            facts,
            chart,
        });
    }
    let text = if examples.chosen.is_empty() {
        Vec::new()
    } else {
        vec![examples.chosen.clone()]
    };
    Block {
        id,
        heading: "Examples".into(),
        text,
        cards,
        made: Some(examples.made.clone()),
        ..Block::default()
    }
}

/// What networks say.
fn others<'a>(said: &'a [Said], w: &'a Words<'_>, d: usize) -> impl Iterator<Item = Fact> + 'a {
    said.iter()
        .map(move |said| Fact::new(&said.who, w.label(&said.what, d)))
}

/// The hardest controls.
pub(crate) fn hardest_block(data: &Hardest, w: &Words<'_>, id: String, easel: &mut Easel) -> Block {
    let cards = data
        .controls
        .iter()
        .map(|c| hard_card(c, w, easel))
        .collect();
    let text = vec![
        "The controls that people miss most. Look at each: is the known answer wrong, or does the picture mislead?"
            .to_owned(),
    ];
    Block {
        id,
        heading: "Hardest controls".into(),
        text,
        cards,
        made: Some(data.made.clone()),
        ..Block::default()
    }
}

/// What a page shows beside a hard control: names and values, and the answers drawn.
#[derive(Debug, Clone)]
pub struct HardCard {
    /// What is known about it: `("truth", "31 years")`.
    pub facts: Vec<(String, String)>,
    /// An SVG element for a page that carries [`CHART_CSS`](super::chart::CHART_CSS); its id is `cN`.
    pub chart: String,
}

/// The cards of the hardest controls, for pages other than the report.
pub fn hard_cards(controls: &[HardControl], kind: &Kind, simulated: bool) -> Vec<HardCard> {
    let (choice, unit) = match kind {
        Kind::Number { unit } => (false, unit.as_str()),
        Kind::Choice => (true, ""),
    };
    let (w, mut easel) = (Words { choice, unit }, Easel::new(simulated));
    controls
        .iter()
        .map(|control| {
            let card = hard_card(control, &w, &mut easel);
            HardCard {
                facts: card.facts.into_iter().map(|f| (f.name, f.value)).collect(),
                chart: card.chart.map(|svg| svg.to_string()).unwrap_or_default(),
            }
        })
        .collect()
}

fn hard_card(control: &HardControl, w: &Words<'_>, easel: &mut Easel) -> PictureCard {
    let d = label_decimals([control.error]);
    let truth = match control.truth {
        Value::Number(v) if v.fract() == 0.0 => w.label(&control.truth, 0),
        _ => w.label(&control.truth, d),
    };
    let mut facts = vec![Fact::new("truth", &truth)];
    if w.choice {
        facts.push(Fact::new("wrong", percent(control.error)));
    } else {
        facts.push(Fact::new(
            "error",
            with_unit(&number(control.error, d), w.unit),
        ));
        if let Some(bias) = control.bias {
            facts.push(Fact::new("bias", with_unit(&signed(bias, d), w.unit)));
        }
    }
    facts.push(Fact::new("answers", count(control.answers)));
    facts.extend(others(&control.others, w, d));
    let title = format!("Answers on {}", control.name);
    let chart = match &control.truth {
        Value::Number(v) => {
            let marks = vec![Mark::new("truth", *v, MarkKind::Truth)];
            let axis = Axis::new("answer", w.unit);
            let bins: Bins = control.numbers.clone();
            easel.mini(Histogram::one(&title, axis, "answers", bins, marks).mini(180.0))
        }
        Value::Label(truth) => {
            let bars = choice_bars(&title, "answers", &control.choices, Some(truth));
            easel.mini(bars.draw(180.0))
        }
    };
    PictureCard {
        name: control.name.clone(),
        src: control.picture.as_ref().map_or("", |p| p.uri()).to_owned(),
        alt: format!("Control {}, truth {truth}", control.name),
        facts,
        chart,
    }
}
