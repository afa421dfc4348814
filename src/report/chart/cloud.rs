//! A point per annotator (or pair) with a smooth curve through them: grey where there are too few to trust it, points that matter strong.

use super::axes::{self, Axis, Plot};
use super::scale::{Scale, ticks};
use super::svg::{Anchor, Svg};
use crate::report::format::decimals;
use serde::{Deserialize, Serialize};

/// One point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudPoint {
    /// Place on the horizontal axis.
    pub x: f64,
    /// Place on the vertical axis.
    pub y: f64,
    /// What it is: shown on hover before its numbers.
    pub name: String,
    /// Whether it is one to look at: drawn strong, in another shape, with its name where there are few of them.
    pub strong: bool,
}

/// The curve at one place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CloudCurve {
    /// Place on the horizontal axis.
    pub x: f64,
    /// The curve.
    pub y: f64,
    /// Its band.
    pub band: Option<(f64, f64)>,
    /// Whether there are too few points here: drawn grey.
    pub thin: bool,
}

/// Points with a curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cloud {
    /// What the picture is called.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What a point is: `annotator`.
    pub points_name: String,
    /// What a strong point is; empty if there is none.
    pub strong_name: String,
    /// The points.
    pub points: Vec<CloudPoint>,
    /// What the curve is, as the legend says it; empty for no curve.
    pub curve_name: String,
    /// The curve, by ascending x.
    pub curve: Vec<CloudCurve>,
    /// What the band is.
    pub band_name: String,
    /// What grey means; empty if nothing is grey.
    pub thin_name: String,
    /// What the line on which both axes agree means; empty for no such line.
    pub diagonal: String,
    /// Whether the vertical axis shows zero.
    pub from_zero: bool,
}

/// Points far outside the rest are drawn at the edge instead of squeezing it: beyond this many interquartile ranges.
const REACH: f64 = 6.0;

/// Ends of an axis; `kept` are values that must lie inside, however far they are.
fn ends(values: &[f64], kept: &[f64], zero: bool) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let at = |q: f64| sorted[((sorted.len() - 1) as f64 * q) as usize];
    let reach = (at(0.75) - at(0.25)) * REACH;
    let (mut low, mut high) = (first, last);
    if reach > 0.0 {
        low = low.max(at(0.25) - reach);
        high = high.min(at(0.75) + reach);
    }
    for value in kept.iter().filter(|v| v.is_finite()) {
        low = low.min(*value);
        high = high.max(*value);
    }
    if zero {
        low = low.min(0.0);
        high = high.max(0.0);
    }
    if low == high {
        return Some((low - 0.5, high + 0.5));
    }
    let step = ticks(low, high, 5).step;
    Some(((low / step).floor() * step, (high / step).ceil() * step))
}

impl Cloud {
    /// Draws it `width` CSS pixels wide.
    pub fn draw(&self, width: f64) -> Svg {
        let finite = || {
            self.points
                .iter()
                .filter(|p| p.x.is_finite() && p.y.is_finite())
        };
        let xs: Vec<f64> = finite().map(|p| p.x).collect();
        let mut ys: Vec<f64> = finite().map(|p| p.y).collect();
        if !self.diagonal.is_empty() {
            ys.extend(&xs);
        }
        let solid = || self.curve.iter().filter(|c| !c.thin);
        ys.extend(solid().flat_map(|c| c.band.map_or([c.y, c.y], |b| [b.0, b.1])));
        let xs: Vec<f64> = xs
            .into_iter()
            .chain(self.curve.iter().map(|c| c.x))
            .collect();
        let strong = || finite().filter(|p| p.strong);
        let (far_x, far_y): (Vec<f64>, Vec<f64>) = strong().map(|p| (p.x, p.y)).unzip();
        let (Some(x), Some(y)) = (ends(&xs, &far_x, false), ends(&ys, &far_y, self.from_zero))
        else {
            return Svg::no_data(width, &self.title);
        };
        let (dx, dy) = (self.decimals(&xs, &self.x), self.decimals(&ys, &self.y));
        let mut svg = Svg::new(width, 0.0, &self.title, &self.describe(dx, dy));
        let mut top = 8.0 + self.legend(&mut svg, width);
        svg.text("name", Anchor::Start, 0.0, top + 12.0, &self.y.label());
        top += 26.0;
        let y_ticks = ticks(y.0, y.1, 6);
        let height = if width < 500.0 { 230.0 } else { 320.0 };
        let plot = Plot {
            left: axes::y_room(&y_ticks, &self.y),
            right: width - 14.0,
            top,
            bottom: top + height,
        };
        let sx = Scale::new(x.0, x.1, plot.left, plot.right);
        let sy = Scale::new(y.0, y.1, plot.bottom, plot.top);
        axes::draw_y(&mut svg, &plot, &sy, &y_ticks, &self.y);
        if !self.diagonal.is_empty() {
            let (from, to) = (x.0.max(y.0), x.1.min(y.1));
            if from < to {
                svg.line(
                    "mark median",
                    [sx.at(from), sy.at(from)],
                    [sx.at(to), sy.at(to)],
                );
            }
        }
        for piece in self.curve.split(|c| c.thin || c.band.is_none()) {
            let edge = |upper: bool| {
                piece.iter().filter_map(move |c| {
                    let band = c.band?;
                    Some([sx.at(c.x), sy.inside(if upper { band.1 } else { band.0 })])
                })
            };
            let outline: Vec<[f64; 2]> = edge(true).chain(edge(false).rev()).collect();
            svg.path("band deep s1", &outline, true, Some(&self.band_name));
        }
        let many = self.points.len() > 300;
        for strong in [false, true] {
            for p in finite().filter(|p| p.strong == strong) {
                let outside = !(sx_holds(x, p.x) && sx_holds(y, p.y));
                let at = [sx.inside(p.x), sy.inside(p.y)];
                let title = format!(
                    "{}: {} {}, {} {}{}",
                    p.name,
                    self.x.name,
                    self.x.text_with_unit(p.x, dx),
                    self.y.name,
                    self.y.text_with_unit(p.y, dy),
                    if outside { " (beyond the edge)" } else { "" }
                );
                if strong {
                    svg.point("dot s2", 3, at, 4.5, &title);
                } else {
                    let r = if many { 2.2 } else { 3.2 };
                    svg.circle("dot s6 thin", at, r, Some(&title));
                }
            }
        }
        self.curve(&mut svg, &sx, &sy, dx, dy);
        let strong: Vec<_> = finite().filter(|p| p.strong).collect();
        let mut named: Vec<[f64; 2]> = Vec::new();
        if strong.len() <= 6 && width >= 500.0 {
            for p in strong {
                let at = [sx.inside(p.x), sy.inside(p.y)];
                // A name that would lie on another one is left to the title of its point.
                if named
                    .iter()
                    .any(|n| (n[1] - at[1]).abs() < 14.0 && (n[0] - at[0]).abs() < 240.0)
                {
                    continue;
                }
                named.push(at);
                let (anchor, shift) = if at[0] > (plot.left + plot.right) / 2.0 {
                    (Anchor::End, -9.0)
                } else {
                    (Anchor::Start, 9.0)
                };
                let shown = super::svg::fit(&p.name, 220.0, axes::SMALL);
                svg.text("marklabel", anchor, at[0] + shift, at[1] + 4.0, &shown);
            }
        }
        let x_ticks = axes::x_ticks(&self.x, x.0, x.1, plot.right - plot.left);
        let used = axes::draw_x(&mut svg, &plot, &sx, &x_ticks, &self.x);
        svg.set_height(plot.bottom + used);
        svg
    }

    fn decimals(&self, values: &[f64], axis: &Axis) -> usize {
        if values.iter().all(|v| v.fract() == 0.0) {
            0
        } else if axis.percent {
            3
        } else {
            decimals(values.iter().copied())
        }
    }

    /// In pieces of one strength, so that dashes run on; hidden places tell the numbers.
    fn curve(&self, svg: &mut Svg, sx: &Scale, sy: &Scale, dx: usize, dy: usize) {
        let at = |c: &CloudCurve| [sx.at(c.x), sy.inside(c.y)];
        let mut start = 0;
        for end in 1..self.curve.len() {
            let faint = |k: usize| self.curve[k - 1].thin || self.curve[k].thin;
            if end + 1 == self.curve.len() || faint(end) != faint(end + 1) {
                let line: Vec<_> = self.curve[start..=end].iter().map(at).collect();
                let class = if faint(end) {
                    "curve ink faint"
                } else {
                    "curve s1"
                };
                svg.path(class, &line, false, Some(&self.curve_name));
                start = end;
            }
        }
        for c in &self.curve {
            let mut title = format!(
                "{} at {}: {}",
                self.curve_name,
                self.x.text_with_unit(c.x, dx.min(1)),
                self.y.text_with_unit(c.y, dy)
            );
            if let Some((low, high)) = c.band {
                title += &format!(" [{}, {}]", self.y.text(low, dy), self.y.text(high, dy));
            }
            svg.circle("dot s1 hover", at(c), 5.0, Some(&title));
        }
    }

    fn legend(&self, svg: &mut Svg, width: f64) -> f64 {
        let names: Vec<String> = [
            &self.points_name,
            &self.strong_name,
            &self.curve_name,
            &self.band_name,
            &self.thin_name,
            &self.diagonal,
        ]
        .into_iter()
        .cloned()
        .collect();
        let shown: Vec<usize> = (0..names.len()).filter(|&i| !names[i].is_empty()).collect();
        let labels: Vec<String> = shown.iter().map(|&i| names[i].clone()).collect();
        axes::legend(svg, &labels, width, 0.0, |svg, at, x, y| {
            let name = &labels[at];
            match shown[at] {
                0 => svg.circle("dot s6 thin", [x + 11.0, y], 3.5, Some(name)),
                1 => svg.point("dot s2", 3, [x + 11.0, y], 4.5, name),
                2 => svg.line("curve s1", [x, y], [x + 22.0, y]),
                3 => svg.rect("band deep s1", [x, y - 6.0, 22.0, 12.0], Some(name)),
                4 => svg.line("curve ink faint", [x, y], [x + 22.0, y]),
                _ => svg.line("mark median", [x, y], [x + 22.0, y]),
            }
        })
    }

    fn describe(&self, dx: usize, dy: usize) -> String {
        let mut desc = format!(
            "{} by {}, {} points.",
            self.y.label(),
            self.x.label(),
            self.points.len()
        );
        let mut solid = self.curve.iter().filter(|c| !c.thin);
        if let Some(first) = solid.next() {
            let last = solid.next_back().unwrap_or(first);
            desc += &format!(
                " The curve goes from {} at {} to {} at {}.",
                self.y.text(first.y, dy),
                self.x.text(first.x, dx.min(1)),
                self.y.text(last.y, dy),
                self.x.text(last.x, dx.min(1))
            );
        }
        for p in self.points.iter().filter(|p| p.strong).take(10) {
            desc += &format!(
                " {}: {} at {}.",
                p.name,
                self.y.text(p.y, dy),
                self.x.text(p.x, dx)
            );
        }
        desc
    }
}

fn sx_holds(ends: (f64, f64), value: f64) -> bool {
    value >= ends.0 && value <= ends.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_matter_are_strong_and_the_curve_is_grey_where_thin() {
        let point = |x: f64, strong| CloudPoint {
            x,
            y: 7.0 + x / 100.0,
            name: format!("<{x}>"),
            strong,
        };
        let curve = |x: f64, thin| CloudCurve {
            x,
            y: 7.0,
            band: Some((6.0, 8.0)),
            thin,
        };
        let cloud = Cloud {
            title: "Error by age".into(),
            x: Axis::new("age", "years"),
            y: Axis::new("error", "years"),
            points_name: "annotator".into(),
            strong_name: "odd one".into(),
            points: vec![
                point(20.0, false),
                point(30.0, true),
                point(f64::NAN, false),
            ],
            curve_name: "LOWESS".into(),
            curve: vec![curve(20.0, false), curve(30.0, false), curve(40.0, true)],
            band_name: "95 % band".into(),
            thin_name: "fewer than ten".into(),
            diagonal: String::new(),
            from_zero: true,
        };
        for width in [640.0, 320.0] {
            let svg = cloud.draw(width).inline("c", "");
            for part in [
                "curve ink faint",
                "band deep s1",
                "dot s2",
                "&lt;30&gt;: age 30",
                "LOWESS at 20",
            ] {
                assert!(svg.contains(part), "{part} in {svg}");
            }
            assert!(!svg.contains("NaN"));
        }
        let empty = Cloud {
            points: vec![],
            curve: vec![],
            ..cloud
        };
        assert!(empty.draw(320.0).inline("c", "").contains("no data yet"));
    }
}
