//! What charts share: axes with names and units, grid lines, legends, and reference lines whose labels do not overlap.

use super::scale::{Scale, Ticks, ticks};
use super::svg::{Anchor, Svg, fit, text_width};
use crate::report::format::number;
use serde::{Deserialize, Serialize};

/// Font size of tick labels, in CSS pixels; `chart.css` says the same.
pub(crate) const SMALL: f64 = 12.0;
/// Font size of names and values.
pub(crate) const NORMAL: f64 = 13.0;
/// Height of one line of labels.
const LANE: f64 = 17.0;

/// What an axis measures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Axis {
    /// What: `mean absolute error`.
    pub name: String,
    /// In which unit: `years`; empty for a pure number.
    pub unit: String,
    /// Whether the values are shares from 0 to 1, shown in per cent.
    pub percent: bool,
}

impl Axis {
    /// An axis in a unit.
    pub fn new(name: impl Into<String>, unit: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            percent: false,
        }
    }

    /// An axis of shares from 0 to 1, shown in per cent.
    pub fn share(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit: "%".into(),
            percent: true,
        }
    }

    /// Name and unit as they stand at the axis.
    pub(crate) fn label(&self) -> String {
        match (self.name.as_str(), self.unit.as_str()) {
            (name, "") => name.to_owned(),
            ("", unit) => unit.to_owned(),
            (name, unit) => format!("{name}, {unit}"),
        }
    }

    /// A value without its unit.
    pub(crate) fn text(&self, value: f64, decimals: usize) -> String {
        if self.percent {
            number(value * 100.0, decimals.saturating_sub(2))
        } else {
            number(value, decimals)
        }
    }

    /// A value with its unit.
    pub(crate) fn text_with_unit(&self, value: f64, decimals: usize) -> String {
        crate::report::format::with_unit(&self.text(value, decimals), &self.unit)
    }
}

/// The rectangle inside the axes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plot {
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
}

/// Ticks for a horizontal axis of a length in pixels, as many as their labels leave room for.
pub(crate) fn x_ticks(axis: &Axis, from: f64, to: f64, length: f64) -> Ticks {
    let mut wanted = ((length / 45.0) as usize).clamp(2, 8);
    loop {
        let found = ticks(from, to, wanted);
        let widest = found
            .at
            .iter()
            .map(|t| text_width(&axis.text(*t, found.decimals), SMALL))
            .fold(0.0, f64::max);
        if wanted <= 2 || (widest + 12.0) * found.at.len() as f64 <= length {
            return found;
        }
        wanted -= 1;
    }
}

/// Draws the horizontal axis below the plot: base line, tick labels, name. Returns the height used below the plot.
pub(crate) fn draw_x(svg: &mut Svg, plot: &Plot, scale: &Scale, ticks: &Ticks, axis: &Axis) -> f64 {
    svg.line("axis", [plot.left, plot.bottom], [plot.right, plot.bottom]);
    let mut free = f64::NEG_INFINITY;
    for tick in &ticks.at {
        let x = scale.at(*tick);
        let text = axis.text(*tick, ticks.decimals);
        let half = text_width(&text, SMALL) / 2.0;
        svg.line("axis", [x, plot.bottom], [x, plot.bottom + 4.0]);
        if x - half >= free {
            svg.text("tick", Anchor::Middle, x, plot.bottom + 17.0, &text);
            free = x + half + 4.0;
        }
    }
    let label = fit(&axis.label(), plot.right - plot.left, NORMAL);
    svg.text("name", Anchor::End, plot.right, plot.bottom + 36.0, &label);
    44.0
}

/// Draws grid lines and tick labels left of the plot.
pub(crate) fn draw_y(svg: &mut Svg, plot: &Plot, scale: &Scale, ticks: &Ticks, axis: &Axis) {
    for tick in &ticks.at {
        let y = scale.at(*tick);
        svg.line("grid", [plot.left, y], [plot.right, y]);
        let text = axis.text(*tick, ticks.decimals);
        svg.text("tick", Anchor::End, plot.left - 7.0, y + 4.0, &text);
    }
}

/// Room for the widest tick label left of a plot.
pub(crate) fn y_room(ticks: &Ticks, axis: &Axis) -> f64 {
    ticks
        .at
        .iter()
        .map(|t| text_width(&axis.text(*t, ticks.decimals), SMALL))
        .fold(0.0, f64::max)
        + 10.0
}

/// What a reference line stands for; each has its own dashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarkKind {
    /// The mean.
    Mean,
    /// The median.
    Median,
    /// The best of all.
    Best,
    /// A limit, as of a ban.
    Threshold,
    /// The true value.
    Truth,
    /// What was aimed at.
    Target,
}

impl MarkKind {
    fn class(self) -> &'static str {
        match self {
            Self::Mean => "mark mean",
            Self::Median => "mark median",
            Self::Best => "mark best",
            Self::Threshold => "mark threshold",
            Self::Truth => "mark truth",
            Self::Target => "mark target",
        }
    }
}

/// A vertical reference line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// What it is called: `mean`.
    pub name: String,
    /// Where it stands on the horizontal axis.
    pub at: f64,
    /// What it stands for.
    pub kind: MarkKind,
}

impl Mark {
    /// A reference line.
    pub fn new(name: impl Into<String>, at: f64, kind: MarkKind) -> Self {
        Self {
            name: name.into(),
            at,
            kind,
        }
    }
}

/// A mark with a place for its label.
pub(crate) struct PlacedMark {
    x: f64,
    text: String,
    anchor: Anchor,
    lane: usize,
    class: &'static str,
}

/// Gives every finite mark on the scale a label in one of several lanes above the plot, so that no two labels touch.
/// Returns the marks and the height of the lanes.
pub(crate) fn place_marks(
    marks: &[Mark],
    scale: &Scale,
    axis: &Axis,
    decimals: usize,
) -> (Vec<PlacedMark>, f64) {
    let (left, right) = scale.ends();
    let mut order: Vec<&Mark> = marks
        .iter()
        .filter(|m| m.at.is_finite() && scale.holds(m.at))
        .collect();
    // From the right: a label runs to the right of its line, so a line further left must end in a higher lane.
    order.sort_by(|a, b| b.at.total_cmp(&a.at));
    let mut placed: Vec<PlacedMark> = Vec::new();
    let mut taken: Vec<(usize, f64, f64)> = Vec::new();
    for mark in order {
        let x = scale.at(mark.at);
        // A limit was set by a person: 13, not 13.00.
        let set = matches!(mark.kind, MarkKind::Threshold | MarkKind::Target);
        let decimals = match set && !axis.percent && mark.at.fract() == 0.0 {
            true => 0,
            false => decimals,
        };
        let text = format!("{}\u{a0}{}", mark.name, axis.text(mark.at, decimals));
        let width = text_width(&text, SMALL) + 8.0;
        let anchor = if x + width <= right || x - width < left {
            Anchor::Start
        } else {
            Anchor::End
        };
        let (from, to) = match anchor {
            Anchor::End => (x - width, x),
            _ => (x, x + width),
        };
        let crossed = |lane: usize| {
            taken.iter().any(|t| t.0 == lane && from < t.2 && t.1 < to)
                || placed
                    .iter()
                    .any(|p| p.lane >= lane && p.x > from + 0.1 && p.x < to)
        };
        let lane = (0..=placed.len())
            .find(|lane| !crossed(*lane))
            .unwrap_or(placed.len());
        taken.push((lane, from, to));
        placed.push(PlacedMark {
            x,
            text,
            anchor,
            lane,
            class: mark.kind.class(),
        });
    }
    let lanes = placed.iter().map(|p| p.lane + 1).max().unwrap_or(0);
    (placed, lanes as f64 * LANE)
}

/// Draws placed marks over a plot whose lanes end at its top.
pub(crate) fn draw_marks(svg: &mut Svg, placed: &[PlacedMark], plot: &Plot) {
    for mark in placed {
        let top = plot.top - mark.lane as f64 * LANE - LANE + 3.0;
        svg.line(mark.class, [mark.x, top], [mark.x, plot.bottom]);
    }
    for mark in placed {
        let y = plot.top - mark.lane as f64 * LANE - 4.0;
        let x = match mark.anchor {
            Anchor::End => mark.x - 5.0,
            _ => mark.x + 5.0,
        };
        svg.text("marklabel", mark.anchor, x, y, &mark.text);
    }
}

/// Draws a legend in lines that wrap at `width`; `swatch` draws the sign of entry `i` at a place 22 wide.
/// Returns the height used.
pub(crate) fn legend(
    svg: &mut Svg,
    names: &[String],
    width: f64,
    top: f64,
    mut swatch: impl FnMut(&mut Svg, usize, f64, f64),
) -> f64 {
    let (mut x, mut y) = (0.0, top + 12.0);
    for (i, name) in names.iter().enumerate() {
        let shown = fit(name, width - 32.0, NORMAL);
        let needed = 28.0 + text_width(&shown, NORMAL) + 14.0;
        if x > 0.0 && x + needed - 14.0 > width {
            x = 0.0;
            y += 20.0;
        }
        swatch(svg, i, x, y - 4.5);
        svg.text("name", Anchor::Start, x + 28.0, y, &shown);
        x += needed;
    }
    y - top + 12.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_close_marks_stand_in_different_lanes() {
        let scale = Scale::new(0.0, 20.0, 0.0, 400.0);
        let marks = [
            Mark::new("mean", 7.22, MarkKind::Mean),
            Mark::new("median", 7.18, MarkKind::Median),
            Mark::new("threshold", 19.8, MarkKind::Threshold),
            Mark::new("best", f64::NAN, MarkKind::Best),
        ];
        let (placed, height) = place_marks(&marks, &scale, &Axis::default(), 2);
        assert_eq!(placed.len(), 3);
        assert_eq!(height, 2.0 * LANE);
        assert_ne!(placed[1].lane, placed[2].lane);
        assert_eq!(placed[0].anchor, Anchor::End);
    }

    #[test]
    fn shares_are_shown_in_per_cent() {
        let axis = Axis::share("share wrong");
        assert_eq!(axis.text(0.125, 3), "12.5");
        assert_eq!(axis.label(), "share wrong, %");
        assert_eq!(
            Axis::new("error", "years").text_with_unit(4.6, 2),
            "4.60\u{a0}years"
        );
    }
}
