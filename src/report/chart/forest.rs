//! Forest plots: one row per method with its point and interval, the best marked.

use super::axes::{self, Axis, Plot};
use super::scale::Scale;
use super::svg::{Anchor, Svg, bold_width, fit};
use crate::report::format::decimals;
use serde::{Deserialize, Serialize};

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForestRow {
    /// Name: `exp-mae`.
    pub name: String,
    /// The point.
    pub value: f64,
    /// Lower and upper end of the interval, if there is one.
    pub interval: Option<(f64, f64)>,
    /// Whether this row is the best.
    pub best: bool,
}

/// A forest plot; rows stand in the order given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    /// What the picture is called.
    pub title: String,
    /// What the points measure.
    pub x: Axis,
    /// Whether larger values are better, as of an accuracy.
    pub more_is_better: bool,
    /// The rows.
    pub rows: Vec<ForestRow>,
}

impl ForestRow {
    /// The interval, if both ends are finite.
    fn ends(&self) -> Option<(f64, f64)> {
        self.interval
            .filter(|(low, high)| low.is_finite() && high.is_finite())
    }
}

impl Forest {
    /// Draws it `width` CSS pixels wide: names left and numbers right of the intervals, or above them where it is narrow.
    pub fn draw(&self, width: f64) -> Svg {
        let rows: Vec<&ForestRow> = self.rows.iter().filter(|r| r.value.is_finite()).collect();
        if rows.is_empty() {
            return Svg::no_data(width, &self.title);
        }
        let values = || {
            rows.iter()
                .flat_map(|r| [Some(r.value), r.ends().map(|e| e.0), r.ends().map(|e| e.1)])
                .flatten()
        };
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        let d = if self.x.percent {
            3
        } else {
            decimals(values())
        };
        let narrow = width < 500.0;
        let texts: Vec<String> = rows.iter().map(|r| self.numbers(r, d)).collect();
        let widest = |it: &mut dyn Iterator<Item = &str>| {
            it.map(|t| bold_width(t, axes::NORMAL)).fold(0.0, f64::max)
        };
        let (left, right) = if narrow {
            (8.0, width - 8.0)
        } else {
            let names = widest(&mut rows.iter().map(|r| r.name.as_str()));
            let numbers = widest(&mut texts.iter().map(String::as_str));
            ((names + 32.0).min(260.0), width - numbers - 18.0)
        };
        let pad = ((high - low) * 0.04).max(f64::MIN_POSITIVE);
        let (from, to) = (low - pad, high + pad);
        let x = Scale::new(from, to, left, right);
        let ticks = axes::x_ticks(&self.x, from, to, right - left);
        let row_height = if narrow { 44.0 } else { 27.0 };
        let top = 8.0;
        let bottom = top + row_height * rows.len() as f64 + 4.0;
        let plot = Plot {
            left,
            right,
            top,
            bottom,
        };
        let mut svg = Svg::new(width, 0.0, &self.title, &self.describe(&rows, d));
        for tick in &ticks.at {
            let at = x.at(*tick);
            svg.line("grid", [at, top], [at, bottom]);
        }
        if let Some(best) = rows.iter().find(|r| r.best) {
            let at = x.at(best.value);
            svg.line("mark best", [at, top], [at, bottom]);
        }
        for (i, (row, numbers)) in rows.iter().zip(&texts).enumerate() {
            let y = top + row_height * (i as f64 + 0.5) + if narrow { 10.0 } else { 0.0 };
            let strong = if row.best { " strong" } else { "" };
            let class = format!("value{strong}");
            let name = if row.best {
                format!("★ {}", row.name)
            } else {
                row.name.clone()
            };
            if narrow {
                let room = width - bold_width(numbers, axes::NORMAL) - 12.0;
                let shown = fit(&name, room, axes::NORMAL);
                svg.text(
                    &format!("name{strong}"),
                    Anchor::Start,
                    0.0,
                    y - 13.0,
                    &shown,
                );
                svg.text(&class, Anchor::End, width, y - 13.0, numbers);
            } else {
                let shown = fit(&name, left - 12.0, axes::NORMAL);
                svg.text(
                    &format!("name{strong}"),
                    Anchor::End,
                    left - 12.0,
                    y + 4.5,
                    &shown,
                );
                svg.text(&class, Anchor::End, width, y + 4.5, numbers);
            }
            let color = if row.best { "s3" } else { "s1" };
            if let Some((low, high)) = row.ends() {
                let (a, b) = (x.at(low), x.at(high));
                let class = format!("whisker {color}");
                svg.line(&class, [a, y], [b, y]);
                svg.line(&class, [a, y - 4.0], [a, y + 4.0]);
                svg.line(&class, [b, y - 4.0], [b, y + 4.0]);
            }
            let title = format!("{}: {} {}", row.name, numbers, self.x.unit);
            let shape = usize::from(row.best);
            svg.point(
                &format!("dot {color}"),
                shape,
                [x.at(row.value), y],
                if row.best { 6.5 } else { 5.0 },
                title.trim(),
            );
        }
        let better = match self.more_is_better {
            true => "better →",
            false => "← better",
        };
        svg.text("note", Anchor::Start, left, bottom + 36.0, better);
        let used = axes::draw_x(&mut svg, &plot, &x, &ticks, &self.x);
        svg.set_height(bottom + used);
        svg
    }

    fn numbers(&self, row: &ForestRow, d: usize) -> String {
        let value = self.x.text(row.value, d);
        match row.ends() {
            Some((low, high)) => format!(
                "{value} [{}, {}]",
                self.x.text(low, d),
                self.x.text(high, d)
            ),
            None => value,
        }
    }

    fn describe(&self, rows: &[&ForestRow], d: usize) -> String {
        let mut desc = format!("{}: {} rows with intervals.", self.x.label(), rows.len());
        for row in rows {
            let best = if row.best { " (best)" } else { "" };
            desc += &format!(" {}{best}: {}.", row.name, self.numbers(row, d));
        }
        desc
    }
}

/// A small picture of one value and its interval on the scale `range`, for the card of one item.
pub(crate) fn mini_interval(
    title: &str,
    x: &Axis,
    value: f64,
    interval: Option<(f64, f64)>,
    range: (f64, f64),
    width: f64,
) -> Svg {
    let d = decimals([value]).saturating_sub(1);
    let mut text = x.text_with_unit(value, d);
    let ends = interval.filter(|(a, b)| a.is_finite() && b.is_finite());
    if let Some((a, b)) = ends {
        text += &format!(" [{}, {}]", x.text(a, d), x.text(b, d));
    }
    let mut svg = Svg::new(width, 32.0, title, &text);
    let scale = Scale::new(range.0, range.1, 6.0, width - 6.0);
    svg.line("axis", [6.0, 10.0], [width - 6.0, 10.0]);
    if let Some((a, b)) = ends {
        svg.line(
            "whisker thick s1",
            [scale.inside(a), 10.0],
            [scale.inside(b), 10.0],
        );
    }
    svg.point("dot s1", 0, [scale.inside(value), 10.0], 5.0, &text);
    let d = usize::from(range.0.fract() != 0.0 || range.1.fract() != 0.0);
    svg.text("tick", Anchor::Start, 0.0, 29.0, &x.text(range.0, d));
    svg.text(
        "tick",
        Anchor::End,
        width,
        29.0,
        &x.text_with_unit(range.1, d),
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, value: f64, interval: Option<(f64, f64)>, best: bool) -> ForestRow {
        ForestRow {
            name: name.into(),
            value,
            interval,
            best,
        }
    }

    #[test]
    fn the_best_row_is_marked_by_shape_and_star_and_not_by_colour_alone() {
        let forest = Forest {
            title: "Methods".into(),
            x: Axis::new("MAE", "cm"),
            more_is_better: false,
            rows: vec![
                row("exp-mae", 4.599, Some((4.3, 4.9)), true),
                row("<script>", 5.986, Some((5.6, f64::NAN)), false),
                row("none", f64::NAN, None, false),
            ],
        };
        for width in [640.0, 320.0] {
            let svg = forest.draw(width).inline("f", "");
            assert!(svg.contains("★ exp-mae"));
            assert!(
                svg.contains("<title>exp-mae: 4.60 [4.30, 4.90] cm</title>"),
                "{svg}"
            );
            assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script"));
            assert!(!svg.contains("NaN") && !svg.contains("none"));
        }
    }

    #[test]
    fn one_row_without_an_interval_has_a_place() {
        let forest = Forest {
            title: "M".into(),
            x: Axis::share("accuracy"),
            more_is_better: true,
            rows: vec![row("majority", 0.9, None, true)],
        };
        let svg = forest.draw(640.0).inline("f", "");
        assert!(svg.contains("majority: 90.0 %"), "{svg}");
        let empty = Forest {
            rows: vec![],
            ..forest
        };
        assert!(empty.draw(640.0).inline("f", "").contains("no data yet"));
    }
}
