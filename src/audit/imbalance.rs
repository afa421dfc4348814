//! `veche audit imbalance`: how uneven labels are, and what each item should weigh in training (label distribution smoothing).

use super::Audited;
use crate::{
    Result,
    curves::{Cell, Picture, Sheet},
    problem,
    report::{
        chart::{Axis, Chart, Counts, CurveDot, CurveSeries, Curves, Line, LinePoint, LineSeries},
        format::{count, number, percent, plural, with_unit},
    },
};
use serde_json::json;
use veche_analysis::{
    audit::gini,
    benchmark::imbalance::{Imbalance, Lds, Reweighting, imbalance as weigh},
};

/// Labels of items.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelsOf {
    /// Names of the items.
    pub items: Vec<String>,
    /// Their labels, at least 0.
    pub labels: Vec<f64>,
    /// What a label is: `age`.
    pub quantity: String,
    /// Its unit: `years`; may be empty.
    pub unit: String,
    /// Items without a label, left out.
    pub without: usize,
}

/// Distribution of labels and the weight of every item. Errors if there is no label, one is negative, or a setting is out of range.
pub fn imbalance(of: &LabelsOf, settings: &Lds) -> Result<Audited> {
    if of.labels.is_empty() {
        return problem("no item has a label").fail();
    }
    let found = weigh(&of.labels, settings)?;
    let used: Vec<usize> = (0..found.counts.len())
        .filter(|&b| found.counts[b] > 0)
        .collect();
    let (Some(&first), Some(&last)) = (used.first(), used.last()) else {
        return problem("no item has a label").fail();
    };
    let most = used
        .iter()
        .copied()
        .max_by_key(|&b| (found.counts[b], usize::MAX - b))
        .unwrap_or(first);
    let within = &found.counts[first..=last];
    let empty = within.iter().filter(|n| **n == 0).count();
    let weight_of = weights_by_bin(of, settings, &found);
    let extremes = used.iter().filter_map(|&b| weight_of[b].map(|w| (b, w)));
    let heaviest = extremes.clone().max_by(|a, b| a.1.total_cmp(&b.1));
    let lightest = extremes.min_by(|a, b| a.1.total_cmp(&b.1));
    let ratio = heaviest.zip(lightest).map(|(h, l)| h.1 / l.1);
    // Kish 1965: how many equally weighed items say as much.
    let squares: f64 = found.weights.iter().map(|w| w * w).sum();
    let sum: f64 = found.weights.iter().sum();
    let effective = sum * sum / squares;
    let label = |bin: usize| with_unit(&number(bin as f64, 0), &of.unit);
    let busy: u64 = {
        let mut sorted: Vec<u32> = within.to_vec();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        sorted
            .iter()
            .take(within.len().div_ceil(5))
            .map(|n| u64::from(*n))
            .sum()
    };
    let mut words = vec![format!(
        "{} between {} and {}: most at {} ({}), and {} of them in the busiest fifth of the values; {} in between have none (Gini {}).",
        plural(of.labels.len() as u64, "label lies", "labels lie"),
        label(first),
        label(last),
        label(most),
        count(u64::from(found.counts[most])),
        percent(busy as f64 / of.labels.len() as f64),
        plural(empty as u64, "value", "values"),
        number(
            gini(&within.iter().map(|n| u64::from(*n)).collect::<Vec<_>>()),
            2
        )
    )];
    if let (Some(h), Some(l), Some(ratio)) = (heaviest, lightest, ratio) {
        words.push(format!(
            "LDS weights go from {} (at {}) to {} (at {}), a ratio of {}; so weighed, the items are worth {} equally weighed ones.",
            number(l.1, 2),
            label(l.0),
            number(h.1, 2),
            label(h.0),
            number(ratio, 1),
            count(effective.round() as u64)
        ));
    }
    if of.without > 0 {
        words.push(format!(
            "{} without a label left out.",
            plural(of.without as u64, "item", "items")
        ));
    }
    let mut weights = Sheet::new("weights", &["item", "label", "lds_weight"]);
    for ((item, label), weight) in of.items.iter().zip(&of.labels).zip(&found.weights) {
        weights.row(vec![
            Cell::Text(item.clone()),
            (*label).into(),
            (*weight).into(),
        ]);
    }
    let mut distribution = Sheet::new(
        "distribution",
        &["label", "items", "smoothed", "lds_weight"],
    );
    for bin in first..=last {
        distribution.row(vec![
            bin.into(),
            (found.counts[bin] as usize).into(),
            found.smoothed[bin].into(),
            weight_of[bin].into(),
        ]);
    }
    let title = |what: &str| format!("{what} of {} labels", count(of.labels.len() as u64));
    let axis = Axis::new(of.quantity.clone(), of.unit.clone());
    let line = |name: &str, value: &dyn Fn(usize) -> f64| LineSeries {
        name: name.into(),
        points: (first..=last)
            .map(|b| LinePoint {
                x: b as f64,
                y: value(b),
                band: None,
            })
            .collect(),
    };
    let spread = Line {
        title: title("Distribution"),
        x: axis.clone(),
        y: Axis::new("items", ""),
        series: vec![
            line("items", &|b| f64::from(found.counts[b])),
            line("smoothed", &|b| found.smoothed[b]),
        ],
        from_zero: true,
    };
    let dots = used.iter().filter_map(|&b| {
        Some(CurveDot {
            x: b as f64 + 0.5,
            label: label(b),
            y: weight_of[b]?,
            mean: None,
            sd: None,
            items: f64::from(found.counts[b]),
            thin: false,
        })
    });
    let curve = Curves {
        title: title("LDS weights"),
        x: axis,
        y: Axis::new("weight of an item, mean 1", ""),
        signed: false,
        from_zero: true,
        series: vec![CurveSeries {
            name: match settings.reweighting {
                Reweighting::Inverse => "one over the smoothed count".into(),
                Reweighting::SquareRoot => "one over the root of the smoothed count".into(),
            },
            neutral: false,
            points: dots.collect(),
        }],
        won: Vec::new(),
        winners: Vec::new(),
        mean_band: String::new(),
        sd_band: String::new(),
        pale: String::new(),
        counts: vec![Counts {
            name: String::new(),
            bars: (first..=last)
                .map(|b| (b as f64, b as f64 + 1.0, u64::from(found.counts[b])))
                .collect(),
        }],
    };
    Ok(Audited {
        facts: json!({"items": of.labels.len(), "without": of.without, "from": first, "to": last, "most": most, "empty": empty,
            "effective_items": effective, "weight_ratio": ratio, "settings": settings, "counts": &found.counts[first..=last]}),
        words,
        sheets: vec![distribution, weights],
        pictures: vec![
            Picture {
                file: "imbalance.svg".into(),
                chart: Chart::Line(spread),
            },
            Picture {
                file: "imbalance-weights.svg".into(),
                chart: Chart::Curves(curve),
            },
        ],
    })
}

/// The weight that items of each bin have.
fn weights_by_bin(of: &LabelsOf, settings: &Lds, found: &Imbalance) -> Vec<Option<f64>> {
    let mut by = vec![None; found.counts.len()];
    for (label, weight) in of.labels.iter().zip(&found.weights) {
        by[(*label as usize).min(settings.largest as usize)] = Some(*weight);
    }
    by
}
