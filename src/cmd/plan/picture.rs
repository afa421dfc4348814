//! Error against cost as a picture, or as a page with the words beside it.

use super::Report;
use crate::{
    Result, problem,
    report::chart::{Axis, Line, LinePoint, LineSeries, WIDE},
};
use std::path::Path;
use veche_analysis::planning::{Bill, Prediction};

/// What a plan is drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The picture alone.
    Svg,
    /// The words and the picture.
    Html,
}

impl Format {
    /// By the ending of the file.
    pub(super) fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("html" | "htm") => Ok(Self::Html),
            _ => problem("--out is a file that ends in .svg or .html")
                .file(path)
                .fail(),
        }
    }
}

/// The picture or the page.
pub(super) fn draw(report: &Report, advice: &[String], format: Format) -> String {
    let svg = line(report).draw(WIDE);
    let svg = if report.simulated_pilot {
        svg.stamped("SIMULATED annotators in the pilot")
    } else {
        svg
    };
    let svg = svg.standalone();
    if format == Format::Svg {
        return svg;
    }
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Plan</title>\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<style>body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem \
         auto;padding:0 1rem}svg{max-width:100%;height:auto}</style></head><body>\n<h1>Plan</h1>\n",
    );
    page += &svg;
    page += "\n<ul>\n";
    for sentence in advice {
        page += &format!("<li>{}</li>\n", escaped(sentence));
    }
    page += "</ul>\n</body></html>\n";
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn line(report: &Report) -> Line {
    let paid = report.prices.suite_pay > 0.0;
    let x = |prediction: &Prediction, bill: &Bill| {
        if paid {
            bill.money
        } else {
            prediction.votes_per_item
        }
    };
    let point = |prediction: &Prediction, bill: &Bill, band: bool| LinePoint {
        x: x(prediction, bill),
        y: prediction.error,
        band: band.then_some((prediction.interval.low, prediction.interval.high)),
    };
    // One and two votes per item would flatten all the rest.
    let shown: Vec<_> = report
        .curve
        .iter()
        .filter(|(p, _)| p.votes_per_item >= 2.0 || report.setup.overlap < 2)
        .collect();
    let ends = |y: f64| {
        let at = [shown.first(), shown.last()].into_iter().flatten();
        at.map(|(p, b)| LinePoint {
            x: x(p, b),
            y,
            band: None,
        })
        .collect()
    };
    let series = |name: &str, points| LineSeries {
        name: name.into(),
        points,
    };
    let mut all = vec![
        series(
            "expected error",
            shown.iter().map(|(p, b)| point(p, b, true)).collect(),
        ),
        series(
            &format!("this plan: {} votes", report.setup.overlap),
            vec![point(&report.prediction, &report.bill, false)],
        ),
        series("floor: 0.798 × shared error", ends(report.floor)),
    ];
    if let Some(adaptive) = &report.adaptive {
        all.push(series(
            "adaptive overlap",
            vec![point(&adaptive.stopped.prediction, &adaptive.bill, false)],
        ));
    }
    if let Some(found) = &report.cheapest {
        all.push(series(
            "least expensive for the target",
            vec![point(&found.prediction, &found.bill, false)],
        ));
    }
    Line {
        title: format!("Error of the labels against cost ({})", report.method),
        x: if paid {
            Axis::new("money, fee included", "")
        } else {
            Axis::new("votes per item", "")
        },
        y: Axis::new("expected error (MAE)", report.unit.clone()),
        series: all,
        from_zero: true,
    }
}
