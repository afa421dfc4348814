//! Curves and scatter plots: several series over one horizontal axis, each with an optional band.

use super::axes::{self, Axis, Plot};
use super::scale::{Scale, Ticks, ticks};
use super::svg::{Anchor, Svg};
use crate::report::format::decimals;
use serde::{Deserialize, Serialize};

/// One point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LinePoint {
    /// Place on the horizontal axis.
    pub x: f64,
    /// Value; one that is not finite interrupts the curve.
    pub y: f64,
    /// Lower and upper end of the band here, if there is one.
    pub band: Option<(f64, f64)>,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineSeries {
    /// Its name in the legend.
    pub name: String,
    /// Its points, by ascending x.
    pub points: Vec<LinePoint>,
}

/// Curves with bands. Series differ by colour, dashes and the shape of their points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What the picture is called.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The curves, at most six of which can be told apart.
    pub series: Vec<LineSeries>,
    /// Whether the vertical axis starts at 0.
    pub from_zero: bool,
}

/// One point of a scatter plot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScatterPoint {
    /// Place on the horizontal axis.
    pub x: f64,
    /// Place on the vertical axis.
    pub y: f64,
    /// What it is: shown on hover before its numbers.
    pub name: String,
}

/// A scatter plot, with a straight line if wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scatter {
    /// What the picture is called.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The points.
    pub points: Vec<ScatterPoint>,
    /// Slope and value at x = 0 of a line: `(1, 0)` is where both axes agree.
    pub line: Option<(f64, f64)>,
}

/// Smallest and largest finite value.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| v.is_finite()).fold(None, |r, v| {
        Some(r.map_or((v, v), |(a, b): (f64, f64)| (a.min(v), b.max(v))))
    })
}

/// A vertical range widened to round numbers.
fn rounded(low: f64, high: f64, wanted: usize) -> (f64, f64, Ticks) {
    let (low, high) = if low == high {
        (low - 0.5, high + 0.5)
    } else {
        (low, high)
    };
    let step = ticks(low, high, wanted).step;
    let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
    (low, high, ticks(low, high, wanted + 2))
}

struct Field {
    x: Scale,
    y: Scale,
    plot: Plot,
}

/// Draws both axes and returns where points go.
fn field(
    svg: &mut Svg,
    width: f64,
    top: f64,
    axes: (&Axis, &Axis),
    x: (f64, f64),
    y: (f64, f64),
) -> Field {
    let (low, high, y_ticks) = rounded(y.0, y.1, 4);
    let left = axes::y_room(&y_ticks, axes.1);
    let height = if width < 500.0 { 190.0 } else { 250.0 };
    let plot = Plot {
        left,
        right: width - 14.0,
        top: top + 28.0,
        bottom: top + 28.0 + height,
    };
    let x_scale = Scale::new(x.0, x.1, plot.left, plot.right);
    let y_scale = Scale::new(low, high, plot.bottom, plot.top);
    svg.text("name", Anchor::Start, 0.0, top + 12.0, &axes.1.label());
    axes::draw_y(svg, &plot, &y_scale, &y_ticks, axes.1);
    let x_ticks = axes::x_ticks(axes.0, x.0, x.1, plot.right - plot.left);
    let used = axes::draw_x(svg, &plot, &x_scale, &x_ticks, axes.0);
    svg.set_height(plot.bottom + used);
    Field {
        x: x_scale,
        y: y_scale,
        plot,
    }
}

const COLORS: [&str; 6] = ["s1", "s2", "s3", "s5", "s4", "s6"];

impl Line {
    /// Draws it `width` CSS pixels wide.
    pub fn draw(&self, width: f64) -> Svg {
        let points = || self.series.iter().flat_map(|s| &s.points);
        let finite = || points().filter(|p| p.x.is_finite() && p.y.is_finite());
        let ys = finite().flat_map(|p| {
            let band = p.band.unwrap_or((p.y, p.y));
            [p.y, band.0, band.1]
        });
        let (Some(x), Some(mut y)) = (range(finite().map(|p| p.x)), range(ys)) else {
            return Svg::no_data(width, &self.title);
        };
        if self.from_zero {
            y = (y.0.min(0.0), y.1.max(0.0));
        }
        let (dx, dy) = (
            decimals(finite().map(|p| p.x)),
            decimals(finite().map(|p| p.y)),
        );
        let whole_x = finite().all(|p| p.x.fract() == 0.0);
        let dx = if whole_x { 0 } else { dx };
        let mut svg = Svg::new(width, 0.0, &self.title, &self.describe(dx, dy));
        let mut top = 0.0;
        if self.series.len() > 1 {
            let names: Vec<String> = self.series.iter().map(|s| s.name.clone()).collect();
            top += 8.0
                + axes::legend(&mut svg, &names, width, top, |svg, i, x, y| {
                    let color = COLORS[i % 6];
                    svg.line(&format!("curve {color} d{}", i % 6), [x, y], [x + 22.0, y]);
                    svg.point(&format!("dot {color}"), i, [x + 11.0, y], 3.5, &names[i]);
                });
        }
        let field = field(&mut svg, width, top, (&self.x, &self.y), x, y);
        let at = |x: f64, y: f64| [field.x.at(x), field.y.at(y)];
        for (i, series) in self.series.iter().enumerate() {
            let banded = series
                .points
                .iter()
                .filter_map(|p| p.band.map(|b| (p.x, b)));
            let mut outline: Vec<_> = banded.clone().map(|(x, b)| at(x, b.1)).collect();
            outline.extend(banded.rev().map(|(x, b)| at(x, b.0)));
            let title = format!("{}, band", series.name);
            svg.path(
                &format!("band {}", COLORS[i % 6]),
                &outline,
                true,
                Some(&title),
            );
        }
        for (i, series) in self.series.iter().enumerate() {
            let color = COLORS[i % 6];
            for piece in series
                .points
                .split(|p| !p.y.is_finite() || !p.x.is_finite())
            {
                let line: Vec<_> = piece.iter().map(|p| at(p.x, p.y)).collect();
                svg.path(
                    &format!("curve {color} d{}", i % 6),
                    &line,
                    false,
                    Some(&series.name),
                );
            }
            // Many points would hide the curve; they stay, invisible, as places to hover.
            let r = if series.points.len() > 40 { 2.0 } else { 3.5 };
            for p in series
                .points
                .iter()
                .filter(|p| p.x.is_finite() && p.y.is_finite())
            {
                let mut title = format!(
                    "{} at {}: {}",
                    series.name,
                    self.x.text_with_unit(p.x, dx),
                    self.y.text_with_unit(p.y, dy)
                );
                if let Some((low, high)) = p.band {
                    title += &format!(" [{}, {}]", self.y.text(low, dy), self.y.text(high, dy));
                }
                svg.point(&format!("dot {color}"), i, at(p.x, p.y), r, &title);
            }
        }
        svg
    }

    fn describe(&self, dx: usize, dy: usize) -> String {
        let mut desc = format!("{} by {}.", self.y.label(), self.x.label());
        for s in &self.series {
            let mut finite = s
                .points
                .iter()
                .filter(|p| p.x.is_finite() && p.y.is_finite());
            let Some(first) = finite.next() else { continue };
            let last = finite.next_back().unwrap_or(first);
            desc += &format!(
                " {}: from {} at {} to {} at {}.",
                s.name,
                self.y.text(first.y, dy),
                self.x.text(first.x, dx),
                self.y.text(last.y, dy),
                self.x.text(last.x, dx),
            );
        }
        desc
    }
}

impl Scatter {
    /// Draws it `width` CSS pixels wide.
    pub fn draw(&self, width: f64) -> Svg {
        let finite = || {
            self.points
                .iter()
                .filter(|p| p.x.is_finite() && p.y.is_finite())
        };
        let (Some(x), Some(y)) = (range(finite().map(|p| p.x)), range(finite().map(|p| p.y)))
        else {
            return Svg::no_data(width, &self.title);
        };
        let (dx, dy) = (
            decimals(finite().map(|p| p.x)),
            decimals(finite().map(|p| p.y)),
        );
        let desc = format!(
            "{} against {}, {} points.",
            self.y.label(),
            self.x.label(),
            finite().count()
        );
        let mut svg = Svg::new(width, 0.0, &self.title, &desc);
        let (low, high, _) = rounded(x.0, x.1, 6);
        let field = field(&mut svg, width, 0.0, (&self.x, &self.y), (low, high), y);
        for p in finite() {
            let title = format!(
                "{}: {} {}, {} {}",
                p.name,
                self.x.name,
                self.x.text_with_unit(p.x, dx),
                self.y.name,
                self.y.text_with_unit(p.y, dy)
            );
            svg.circle(
                "dot s1 thin",
                [field.x.at(p.x), field.y.at(p.y)],
                3.5,
                Some(&title),
            );
        }
        if let Some((slope, start)) = self.line {
            // Cut where the line leaves the plot: sampled finely instead of solved for, as it is only drawn.
            let line: Vec<_> = (0..=200)
                .map(|i| low + (high - low) * f64::from(i) / 200.0)
                .map(|v| (v, slope * v + start))
                .filter(|(_, v)| field.y.holds(*v))
                .map(|(a, b)| [field.x.at(a), field.y.at(b)])
                .collect();
            if let (Some(first), Some(last)) = (line.first(), line.last()) {
                svg.line("mark mean", *first, *last);
            }
        }
        debug_assert!(field.plot.right > field.plot.left);
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: f64, band: Option<(f64, f64)>) -> LinePoint {
        LinePoint { x, y, band }
    }

    #[test]
    fn series_differ_by_dashes_and_shapes_and_a_gap_interrupts_the_curve() {
        let line = Line {
            title: "Error by age".into(),
            x: Axis::new("age", "years"),
            y: Axis::new("error", "years"),
            series: vec![
                LineSeries {
                    name: "people".into(),
                    points: vec![
                        point(10.0, 3.0, Some((2.0, 4.0))),
                        point(20.0, 4.0, Some((3.0, 5.0))),
                        point(30.0, f64::NAN, None),
                        point(40.0, 6.0, Some((f64::NAN, 7.0))),
                        point(50.0, 7.0, None),
                    ],
                },
                LineSeries {
                    name: "network".into(),
                    points: vec![point(10.0, 2.0, None), point(50.0, 5.0, None)],
                },
            ],
            from_zero: true,
        };
        let svg = line.draw(640.0).inline("l", "");
        assert_eq!(svg.matches("class=\"curve s1 d0\" d=").count(), 2, "{svg}");
        assert!(svg.contains("curve s2 d1") && svg.contains("class=\"band s1\""));
        assert!(svg.contains("people at 10\u{a0}years: 3.00\u{a0}years [2.00, 4.00]"));
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn a_scatter_plot_names_its_points_and_cuts_its_line() {
        let scatter = Scatter {
            title: "S".into(),
            x: Axis::new("truth", "years"),
            y: Axis::new("estimate", "years"),
            points: vec![
                ScatterPoint {
                    x: 20.0,
                    y: 25.0,
                    name: "<b>".into(),
                },
                ScatterPoint {
                    x: 60.0,
                    y: f64::INFINITY,
                    name: "lost".into(),
                },
            ],
            line: Some((1.0, 0.0)),
        };
        let svg = scatter.draw(640.0).inline("s", "");
        assert!(
            svg.contains("&lt;b&gt;: truth 20.00\u{a0}years, estimate 25.00\u{a0}years"),
            "{svg}"
        );
        assert!(!svg.contains("lost") && !svg.contains("inf"));
    }

    #[test]
    fn no_points_no_curve() {
        let scatter = Scatter {
            title: "S".into(),
            x: Axis::default(),
            y: Axis::default(),
            points: vec![],
            line: None,
        };
        assert!(scatter.draw(320.0).inline("s", "").contains("no data yet"));
    }
}
