//! The section of one question: labels, examples, methods, annotators, hard controls, further pictures.

use super::blocks::{Block, Cell, Easel, Section, Table};
use super::cards::{examples_block, hardest_block};
use super::chart::{
    Axis, Bar, Bars, Chart, Forest, ForestRow, Histogram, HistogramGroup, Mark, MarkKind,
};
use super::data::{
    AnnotatorRow, Annotators, BakeOff, ChoiceCount, Kind, Labels, MethodRow, QuestionReport, Value,
    Verdict,
};
use super::format::{
    NONE, count, decimals, interval, label_decimals, level, number, percent, plural, signed,
    with_unit,
};

/// Rows of the annotators' table beyond which only the worst and the most active are shown.
const ANNOTATORS_SHOWN: usize = 200;

/// How one question's errors and labels are written.
pub(crate) struct Words<'a> {
    pub(crate) choice: bool,
    pub(crate) unit: &'a str,
}

impl Words<'_> {
    /// What an annotator's error is called.
    fn error_name(&self) -> &'static str {
        if self.choice {
            "share of wrong answers"
        } else {
            "mean absolute error"
        }
    }

    fn error_axis(&self) -> Axis {
        if self.choice {
            Axis::share(self.error_name())
        } else {
            Axis::new(self.error_name(), self.unit)
        }
    }

    /// An error without its unit, or a share in per cent.
    fn error(&self, value: f64, decimals: usize) -> String {
        if self.choice {
            percent(value)
        } else {
            number(value, decimals)
        }
    }

    fn error_with_unit(&self, value: f64, decimals: usize) -> String {
        let unit = if self.choice { "" } else { self.unit };
        with_unit(&self.error(value, decimals), unit)
    }

    pub(crate) fn label(&self, value: &Value, decimals: usize) -> String {
        match value {
            Value::Number(v) => with_unit(&number(*v, decimals), self.unit),
            Value::Label(label) => label.clone(),
        }
    }
}

fn words(kind: &Kind) -> Words<'_> {
    match kind {
        Kind::Number { unit } => Words {
            choice: false,
            unit,
        },
        Kind::Choice => Words {
            choice: true,
            unit: "",
        },
    }
}

/// The section of question number `index`.
pub(crate) fn question(data: &QuestionReport, index: usize, easel: &mut Easel) -> Section {
    let w = words(&data.kind);
    let id = |part: &str| format!("q{}-{part}", index + 1);
    let mut blocks = Vec::new();
    if let Some(labels) = &data.labels {
        blocks.push(labels_block(labels, &w, data, id("labels"), easel));
    }
    if let Some(examples) = &data.examples {
        let range = data.labels.as_ref().and_then(|l| span(&l.numbers));
        blocks.push(examples_block(examples, &w, range, id("examples"), easel));
    }
    if let Some(bake_off) = &data.bake_off {
        blocks.push(methods_block(
            bake_off,
            &w,
            data.method.as_deref(),
            id("methods"),
            easel,
        ));
    }
    if let Some(annotators) = &data.annotators {
        blocks.push(annotators_block(annotators, &w, id("annotators"), easel));
    }
    if let Some(hardest) = &data.hardest {
        blocks.push(hardest_block(hardest, &w, id("hardest"), easel));
    }
    for (i, figure) in data.figures.iter().enumerate() {
        blocks.push(Block {
            id: id(&format!("figure{}", i + 1)),
            heading: figure.chart.draw(super::chart::WIDE).title().to_owned(),
            text: vec![figure.text.clone()],
            figure: easel.chart(&figure.chart),
            made: Some(figure.made.clone()),
            ..Block::default()
        });
    }
    Section {
        id: format!("q{}", index + 1),
        heading: data.name.clone(),
        intro: data.prompt.clone(),
        blocks,
    }
}

/// The ends of all groups' bins.
fn span(groups: &[super::LabelGroup]) -> Option<(f64, f64)> {
    let drawn = groups.iter().filter(|g| !g.bins.counts.is_empty());
    let (low, high) = drawn.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), g| {
        (a.min(g.bins.from), b.max(g.bins.to()))
    });
    (low.is_finite() && high.is_finite() && low < high).then_some((low, high))
}

/// How often each label was given.
pub(crate) fn labels_chart(labels: &Labels, data: &QuestionReport) -> Chart {
    let title = format!("Labels of the question {}", data.name);
    let w = words(&data.kind);
    if w.choice {
        Chart::Bars(choice_bars(&title, "items", &labels.choices, None))
    } else {
        let groups = labels.numbers.iter().map(|g| HistogramGroup {
            name: g.name.clone(),
            bins: g.bins.clone(),
        });
        Chart::Histogram(Histogram {
            title,
            x: Axis::new(format!("label of {}", data.name), w.unit),
            counted: "items".into(),
            groups: groups.collect(),
            marks: Vec::new(),
        })
    }
}

fn labels_block(
    labels: &Labels,
    w: &Words<'_>,
    data: &QuestionReport,
    id: String,
    easel: &mut Easel,
) -> Block {
    let mut first = format!("{} a label", plural(labels.items, "item has", "items have"));
    if let Some(method) = &data.method {
        first += &format!(", made by the method {method}");
    }
    if labels.without > 0 {
        first += &format!(
            "; {} none, for lack of votes",
            plural(labels.without, "item has", "items have")
        );
    }
    let mut text = vec![first + "."];
    if let Some(width) = labels.interval_width_median {
        text.push(format!(
            "Half of the labels have a {} interval narrower than {}.",
            level(labels.level),
            with_unit(&number(width, label_decimals([width])), w.unit)
        ));
    }
    if let Some(confidence) = labels.confidence_median {
        text.push(format!(
            "Half of the labels have a confidence above {}.",
            percent(confidence)
        ));
    }
    Block {
        id,
        heading: "Labels".into(),
        text,
        figure: easel.chart(&labels_chart(labels, data)),
        made: Some(labels.made.clone()),
        ..Block::default()
    }
}

pub(crate) fn choice_bars(
    title: &str,
    counted: &str,
    counts: &[ChoiceCount],
    truth: Option<&str>,
) -> Bars {
    let bars = counts.iter().map(|c| Bar {
        name: if truth == Some(c.label.as_str()) {
            format!("{} ✓", c.label)
        } else {
            c.label.clone()
        },
        parts: vec![c.count],
        chosen: truth == Some(c.label.as_str()),
    });
    Bars {
        title: title.into(),
        counted: counted.into(),
        parts: vec![counted.into()],
        bars: bars.collect(),
    }
}

/// A bake-off's rows, the best first; rows whose value is not a number last.
pub(crate) fn ranked(data: &BakeOff, choice: bool) -> Vec<&MethodRow> {
    let mut rows: Vec<&MethodRow> = data.rows.iter().collect();
    rows.sort_by(|a, b| {
        let order = match choice {
            true => b.value.total_cmp(&a.value),
            false => a.value.total_cmp(&b.value),
        };
        let lost = |r: &MethodRow| !r.value.is_finite();
        lost(a)
            .cmp(&lost(b))
            .then(order)
            .then(a.method.cmp(&b.method))
    });
    rows
}

/// The forest plot of a bake-off.
pub(crate) fn forest(data: &BakeOff, kind: &Kind, title: &str) -> Forest {
    let w = words(kind);
    let ranked = ranked(data, w.choice);
    let rows = ranked.iter().enumerate().map(|(i, r)| ForestRow {
        name: r.method.clone(),
        value: r.value,
        interval: r.interval,
        best: i == 0,
    });
    let x = if w.choice {
        Axis::share("share of labels that are right")
    } else {
        Axis::new("mean absolute error", w.unit)
    };
    Forest {
        title: title.into(),
        x,
        more_is_better: w.choice,
        rows: rows.collect(),
    }
}

fn methods_block(
    data: &BakeOff,
    w: &Words<'_>,
    used: Option<&str>,
    id: String,
    easel: &mut Easel,
) -> Block {
    let rows = ranked(data, w.choice);
    let kind = if w.choice {
        Kind::Choice
    } else {
        Kind::Number {
            unit: w.unit.to_owned(),
        }
    };
    let d = decimals(rows.first().map(|r| r.value));
    let mut text = vec![
        "Every method labels the controls, whose answers are known, from the votes alone; an annotator's score never \
         includes the control under test."
            .to_owned(),
    ];
    if let Some(best) = rows.first().filter(|r| r.value.is_finite()) {
        let what = if w.choice {
            "most often right"
        } else {
            "the smallest error"
        };
        let verb = if w.choice { "is" } else { "has" };
        let mut sentence = format!(
            "{} {verb} {what}: {}",
            best.method,
            w.error_with_unit(best.value, d)
        );
        if let Some((low, high)) = best.interval {
            sentence += &format!(
                " ({} interval {} to {})",
                level(data.level),
                w.error(low, d),
                w.error(high, d)
            );
        }
        sentence += &format!(", on {}.", plural(best.items, "control", "controls"));
        text.push(sentence);
        let reach = |r: &&&MethodRow| match (r.interval, best.interval) {
            (Some(a), Some(b)) => a.0 <= b.1 && b.0 <= a.1,
            _ => false,
        };
        let near = rows[1..].iter().filter(reach).count() as u64;
        if near > 0 {
            text.push(format!(
                "{} with its own: these controls alone may not tell them apart.",
                plural(
                    near,
                    "other method has an interval that overlaps",
                    "other methods have intervals that overlap"
                )
            ));
        }
    }
    let title = format!(
        "Methods compared on {} controls",
        rows.first().map_or(0, |r| r.items)
    );
    let columns: Vec<String> = if w.choice {
        vec!["method".into(), "#right".into(), "#interval".into()]
    } else {
        let mut columns = vec![
            "method".into(),
            "#MAE".into(),
            "#interval".into(),
            "#RMSE".into(),
        ];
        if let Some(k) = data.within {
            columns.push(format!(
                "#within {}",
                with_unit(&number(k, if k.fract() == 0.0 { 0 } else { 2 }), w.unit)
            ));
        }
        columns
    };
    let mut columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    columns.push("#controls");
    let notes = rows.iter().any(|r| !r.note.is_empty());
    if notes {
        columns.push("note");
    }
    let caption = if w.choice || w.unit.is_empty() {
        "Methods on the controls".to_owned()
    } else {
        format!("Methods on the controls; errors in {}", w.unit)
    };
    let mut table = Table::new(caption, &columns);
    table.columns[1].sorted = if w.choice { "descending" } else { "ascending" };
    for (i, row) in rows.iter().enumerate() {
        let name = if used == Some(row.method.as_str()) {
            format!("{} (used)", row.method)
        } else {
            row.method.clone()
        };
        let mut cells = vec![
            Cell::text(name),
            Cell::number(Some(row.value), |v| w.error(v, d)),
            interval_cell(row.interval, |v| w.error(v, d)),
        ];
        if !w.choice {
            cells.push(Cell::number(row.rmse, |v| number(v, d)));
            if data.within.is_some() {
                cells.push(Cell::number(row.share_within, percent));
            }
        }
        cells.push(Cell::count(row.items));
        if notes {
            cells.push(Cell::text(&row.note));
        }
        table.row(i == 0, cells);
    }
    Block {
        id,
        heading: "Methods".into(),
        text,
        figure: easel.chart(&Chart::Forest(forest(data, &kind, &title))),
        table: Some(table),
        made: Some(data.made.clone()),
        ..Block::default()
    }
}

fn interval_cell(interval: Option<(f64, f64)>, text: impl Fn(f64) -> String) -> Cell {
    let width = interval.map(|(low, high)| high - low);
    Cell::number(width, |_| {
        interval.map_or_else(String::new, |(low, high)| {
            self::interval(&text(low), &text(high))
        })
    })
}

/// The histogram of the annotators' errors with its reference lines.
pub(crate) fn annotators_histogram(data: &Annotators, kind: &Kind) -> Histogram {
    let w = words(kind);
    let marks = [
        ("mean", data.mean, MarkKind::Mean),
        ("median", data.median, MarkKind::Median),
        ("best", data.best, MarkKind::Best),
        ("ban above", data.threshold, MarkKind::Threshold),
    ];
    let marks = marks
        .into_iter()
        .filter_map(|(name, at, kind)| at.map(|at| Mark::new(name, at, kind)));
    Histogram::one(
        "Annotators by their error on controls",
        w.error_axis(),
        "annotators",
        data.errors.clone(),
        marks.collect(),
    )
}

fn annotators_block(data: &Annotators, w: &Words<'_>, id: String, easel: &mut Easel) -> Block {
    let kind = if w.choice {
        Kind::Choice
    } else {
        Kind::Number {
            unit: w.unit.to_owned(),
        }
    };
    let typical = data.median.or(data.mean);
    let d = decimals(typical);
    let mut text = Vec::new();
    let parts: Vec<String> = [
        ("mean", data.mean),
        ("median", data.median),
        ("best", data.best),
    ]
    .into_iter()
    .filter_map(|(name, v)| v.map(|v| format!("{name} {}", w.error_with_unit(v, d))))
    .collect();
    if !parts.is_empty() {
        text.push(format!(
            "The {} of {} on the controls: {}.",
            w.error_name(),
            plural(data.rows.len() as u64, "annotator", "annotators"),
            parts.join(", ")
        ));
    }
    let of = |verdict| data.rows.iter().filter(|r| r.verdict == verdict).count() as u64;
    text.push(format!(
        "{} kept, {} banned, {} with too few controls to tell.",
        count(of(Verdict::Kept)),
        count(of(Verdict::Banned)),
        count(of(Verdict::TooFewControls))
    ));
    let shown = shown(&data.rows);
    if shown.len() < data.rows.len() {
        text.push(format!(
            "The table shows {} of them: those with the largest errors and those with the most votes.",
            count(shown.len() as u64)
        ));
    }
    let bias = shown.iter().any(|r| r.bias.is_some());
    let seconds = shown.iter().any(|r| r.seconds_median.is_some());
    let mut columns = vec!["annotator", "#controls"];
    columns.push(if w.choice { "#wrong" } else { "#MAE" });
    columns.push("#95\u{202f}% interval");
    if bias {
        columns.push("#bias");
    }
    columns.push("#votes");
    if seconds {
        columns.push("#seconds");
    }
    columns.extend(["verdict", "evidence"]);
    let caption = if w.choice || w.unit.is_empty() {
        "Annotators".to_owned()
    } else {
        format!("Annotators; errors and bias in {}", w.unit)
    };
    let mut table = Table::new(caption, &columns);
    table.columns[2].sorted = "descending";
    for row in shown {
        let mut cells = vec![
            Cell::text(&row.id),
            Cell::count(row.controls),
            Cell::number(row.error, |v| w.error(v, d)),
            interval_cell(row.interval, |v| w.error(v, d)),
        ];
        if bias {
            cells.push(Cell::number(row.bias, |v| signed(v, d)));
        }
        cells.push(Cell::count(row.votes));
        if seconds {
            cells.push(Cell::number(row.seconds_median, |v| number(v, 1)));
        }
        let (word, class) = match row.verdict {
            Verdict::Kept => ("✓ kept", "good"),
            Verdict::Banned => ("✗ banned", "bad"),
            Verdict::TooFewControls => ("– too few", "soft"),
        };
        let mut verdict = Cell::text(word);
        verdict.class = class;
        cells.push(verdict);
        let mut evidence = Cell::text(&row.evidence);
        evidence.class = "long";
        cells.push(evidence);
        table.row(false, cells);
    }
    Block {
        id,
        heading: "Annotators".into(),
        text,
        figure: easel.chart(&Chart::Histogram(annotators_histogram(data, &kind))),
        table: (!data.rows.is_empty()).then_some(table),
        made: Some(data.made.clone()),
        ..Block::default()
    }
}

/// The rows the table shows, by descending error: all, or half the room for the worst and the rest for the most active.
fn shown(rows: &[AnnotatorRow]) -> Vec<&AnnotatorRow> {
    let error = |r: &AnnotatorRow| r.error.filter(|e| e.is_finite()).unwrap_or(-1.0);
    let mut all: Vec<&AnnotatorRow> = rows.iter().collect();
    all.sort_by(|a, b| error(b).total_cmp(&error(a)).then_with(|| a.id.cmp(&b.id)));
    if all.len() > ANNOTATORS_SHOWN {
        let mut rest = all.split_off(ANNOTATORS_SHOWN / 2);
        rest.sort_by(|a, b| b.votes.cmp(&a.votes).then_with(|| a.id.cmp(&b.id)));
        rest.truncate(ANNOTATORS_SHOWN - all.len());
        all.extend(rest);
        all.sort_by(|a, b| error(b).total_cmp(&error(a)).then_with(|| a.id.cmp(&b.id)));
    }
    all
}

/// The error of the labels for the top of the page: of the method used if it was compared, else of the best.
pub(crate) fn headline(data: &QuestionReport) -> Option<(String, String, String)> {
    let w = words(&data.kind);
    let bake_off = data.bake_off.as_ref()?;
    let rows = ranked(bake_off, w.choice);
    let used = rows
        .iter()
        .find(|r| data.method.as_deref() == Some(r.method.as_str()));
    let row = used.or(rows.first()).filter(|r| r.value.is_finite())?;
    let d = decimals([row.value]);
    let name = if w.choice {
        format!("labels of {} that are right", data.name)
    } else {
        format!("error of the labels of {}", data.name)
    };
    let interval = row.interval.map_or_else(
        || NONE.to_owned(),
        |(low, high)| format!("{} to {}", w.error(low, d), w.error(high, d)),
    );
    let note = format!(
        "{} interval {interval}; method {}",
        level(bake_off.level),
        row.method
    );
    Some((name, w.error_with_unit(row.value, d), note))
}
