//! The page: data in, one HTML file out.

use super::blocks::{
    Cell, Easel, SIMULATED, Section, Table, left_out, left_out_chart, progress, progress_chart,
    secrecy,
};
use super::chapter::chapter;
use super::chart::{CHART_CSS, Chart, Svg, WIDE};
use super::data::{Annotators, BakeOff, Kind, Provenance, ReportData};
use super::format::{count, share};
use super::question::{annotators_histogram, forest, headline, labels_chart, question};
use base64::Engine as _;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use serde::Serialize;
use sha2::{Digest, Sha256};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A count at the top of the page.
#[derive(Serialize)]
struct Card {
    name: String,
    value: String,
    note: String,
    wide: bool,
}

/// What the template sees.
#[derive(Serialize)]
struct View<'a> {
    title: &'a str,
    simulated: bool,
    policy: String,
    style: Value,
    script: Value,
    cards: Vec<Card>,
    warnings: &'a [String],
    sections: Vec<Section>,
    provenance: &'a Provenance,
    seed: Option<String>,
    inputs: Table,
}

/// The report as one HTML file: style, script and pictures inside, no address of anything outside, readable from a disk.
/// The same data give the same bytes.
pub fn page(data: &ReportData) -> String {
    let mut easel = Easel::new(data.simulated);
    let mut sections: Vec<Section> = Vec::new();
    if let Some(data) = &data.progress {
        sections.push(progress(data, &mut easel));
    }
    for (i, data) in data.questions.iter().enumerate() {
        sections.push(question(data, i, &mut easel));
    }
    for data in &data.chapters {
        sections.push(chapter(data, &mut easel));
    }
    if let Some(data) = &data.left_out {
        sections.push(left_out(data, &mut easel));
    }
    if let Some(data) = &data.secrecy {
        sections.push(secrecy(data));
    }
    let style = format!("{STYLE}{CHART_CSS}");
    let title = match data.title.trim() {
        "" => "Report",
        title => title,
    };
    let view = View {
        title,
        simulated: data.simulated,
        policy: policy(&style, SCRIPT),
        style: Value::from_safe_string(style),
        script: Value::from_safe_string(SCRIPT.to_owned()),
        cards: cards(data),
        warnings: &data.warnings,
        sections,
        provenance: &data.provenance,
        seed: data.provenance.seed.map(|seed| seed.to_string()),
        inputs: inputs(data),
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let page = environment
        .template_from_named_str("page.html", TEMPLATE)
        .and_then(|template| template.render(Serde(&view)));
    // The template is part of the program and every value in it is set above, so this is a fault of the program.
    page.unwrap_or_else(|error| panic!("the template of the report is broken: {error:#}"))
}

/// What the page may load: pictures inside it, and exactly this style and this script.
fn policy(style: &str, script: &str) -> String {
    let hash = |text: &str| {
        base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()))
    };
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(script)
    )
}

fn cards(data: &ReportData) -> Vec<Card> {
    let totals = &data.totals;
    let card = |name: &str, value: u64, note: String| Card {
        name: name.into(),
        value: count(value),
        note,
        wide: false,
    };
    let banned = match totals.annotators {
        0 => String::new(),
        all => format!("{} of all", share(totals.banned, all)),
    };
    // A table of guesses has neither votes nor annotators to count.
    if totals.annotators == 0 && totals.votes == 0 && !data.chapters.is_empty() {
        return vec![
            card("items", totals.items, String::new()),
            card("known answers", totals.controls, String::new()),
        ];
    }
    let mut cards = vec![
        card("items", totals.items, String::new()),
        card("votes", totals.votes, String::new()),
        card("annotators", totals.annotators, String::new()),
        card("banned", totals.banned, banned),
        card("controls", totals.controls, String::new()),
    ];
    for (name, value, note) in data.questions.iter().filter_map(headline) {
        cards.push(Card {
            name,
            value,
            note,
            wide: true,
        });
    }
    cards
}

fn inputs(data: &ReportData) -> Table {
    let rows = data.provenance.inputs.iter().any(|i| i.rows.is_some());
    let mut table = Table::new("Files read", &["file", "hash"]);
    if rows {
        table = Table::new("Files read", &["file", "#rows", "hash"]);
    }
    for input in &data.provenance.inputs {
        let mut cells = vec![Cell::text(&input.path)];
        if rows {
            cells.push(Cell::number(input.rows.map(|r| r as f64), |_| {
                input.rows.map(count).unwrap_or_default()
            }));
        }
        let mut hash = Cell::text(&input.hash);
        hash.class = "hash";
        cells.push(hash);
        table.row(false, cells);
    }
    table
}

/// Every figure of the page with a name for its file, photos aside: the small ones inside cards stay there. Pictures of simulated votes say so.
pub fn figures(data: &ReportData) -> Vec<(String, Svg)> {
    let mut all: Vec<(String, Svg)> = Vec::new();
    let mut add = |name: String, chart: &Chart| {
        let svg = chart.draw(WIDE);
        let svg = if data.simulated {
            svg.stamped(SIMULATED)
        } else {
            svg
        };
        let mut unique = name.clone();
        for n in 2.. {
            if all.iter().all(|(taken, _)| *taken != unique) {
                break;
            }
            unique = format!("{name}-{n}");
        }
        all.push((unique, svg));
    };
    if let Some(progress) = &data.progress {
        add("progress".into(), &progress_chart(progress));
    }
    for q in &data.questions {
        if let Some(labels) = &q.labels {
            add(format!("labels-{}", q.name), &labels_chart(labels, q));
        }
        if let Some(rows) = &q.bake_off {
            let title = format!("Methods compared on controls: {}", q.name);
            let chart = Chart::Forest(forest(rows, &q.kind, &title));
            add(format!("methods-{}", q.name), &chart);
        }
        if let Some(annotators) = &q.annotators {
            let chart = Chart::Histogram(annotators_histogram(annotators, &q.kind));
            add(format!("annotators-{}", q.name), &chart);
        }
        for (i, figure) in q.figures.iter().enumerate() {
            add(format!("{}-{}", q.name, i + 1), &figure.chart);
        }
    }
    for drawing in data
        .chapters
        .iter()
        .flat_map(|c| &c.passages)
        .flat_map(|p| &p.drawings)
    {
        add(drawing.file.clone(), &drawing.chart);
    }
    if let Some(left_out) = &data.left_out {
        add("votes-left-out".into(), &left_out_chart(left_out));
    }
    all
}

/// The forest plot of a bake-off as an SVG file: `veche methods --picture`.
pub fn bakeoff_svg(data: &BakeOff, kind: &Kind, title: &str, simulated: bool) -> String {
    let svg = forest(data, kind, title).draw(WIDE);
    let svg = if simulated {
        svg.stamped(SIMULATED)
    } else {
        svg
    };
    svg.standalone()
}

/// The same for an HTML page that carries [`CHART_CSS`](super::chart::CHART_CSS); `id` must be unique on it.
pub fn bakeoff_inline(
    data: &BakeOff,
    kind: &Kind,
    title: &str,
    simulated: bool,
    id: &str,
) -> String {
    let svg = forest(data, kind, title).draw(WIDE);
    let svg = if simulated {
        svg.stamped(SIMULATED)
    } else {
        svg
    };
    svg.inline(id, "wide")
}

/// The histogram of the annotators' errors as an SVG file.
pub fn annotators_svg(data: &Annotators, kind: &Kind, simulated: bool) -> String {
    let svg = annotators_histogram(data, kind).draw(WIDE);
    let svg = if simulated {
        svg.stamped(SIMULATED)
    } else {
        svg
    };
    svg.standalone()
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
