//! Curves by the true answer: several sides with a band of the mean and a band of ±1 standard deviation, stretches that one of
//! them wins, and below them how many items stand behind every place.

use super::axes::{self, Axis, Plot};
use super::scale::{Scale, count_ticks, ticks};
use super::svg::{Anchor, Svg};
use crate::report::format::{count, decimals, number, signed};
use serde::{Deserialize, Serialize};

/// One side at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurveDot {
    /// Place on the horizontal axis.
    pub x: f64,
    /// The place in words: `40–49`.
    pub label: String,
    /// Value.
    pub y: f64,
    /// Interval of the mean.
    pub mean: Option<(f64, f64)>,
    /// One standard deviation below and above.
    pub sd: Option<(f64, f64)>,
    /// Items behind it.
    pub items: f64,
    /// Whether there are too few of them: shown pale.
    pub thin: bool,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurveSeries {
    /// Its name in the legend.
    pub name: String,
    /// Whether it is no side but something between them, drawn in ink.
    pub neutral: bool,
    /// Its points, by ascending x.
    pub points: Vec<CurveDot>,
}

/// A stretch of the horizontal axis that one side wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Index of the winner's colour.
    pub winner: usize,
    /// Shown on hover: who wins, where, by how much.
    pub title: String,
}

/// How many items lie in each range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Whose items.
    pub name: String,
    /// Start, end and number of items of each range.
    pub bars: Vec<(f64, f64, u64)>,
}

/// Curves with everything around them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// What the picture is called.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Whether values have a sign: a line at zero, and plus signs.
    pub signed: bool,
    /// Whether the vertical axis shows zero.
    pub from_zero: bool,
    /// The sides, at most six of which can be told apart.
    pub series: Vec<CurveSeries>,
    /// Stretches won, with the name of the strip; drawn above the curves.
    pub won: Vec<Stretch>,
    /// Names of winners by their colour's index, for the legend.
    pub winners: Vec<(usize, String)>,
    /// What the dark band is, as the legend says it; empty for no band.
    pub mean_band: String,
    /// What the light band is; empty for none.
    pub sd_band: String,
    /// What pale means; empty if nothing is.
    pub pale: String,
    /// Items per range, drawn below; sides with the same items share one row.
    pub counts: Vec<Counts>,
}

const COLORS: [&str; 6] = ["s1", "s2", "s3", "s5", "s4", "s6"];
/// Height of one row of counts.
const COUNTS: f64 = 46.0;

/// What a line of the legend shows.
enum Sign {
    Side(usize),
    Won(usize),
    Mean,
    Sd,
    Pale,
}

impl Curves {
    /// Draws them `width` CSS pixels wide.
    pub fn draw(&self, width: f64) -> Svg {
        let points = || self.series.iter().flat_map(|s| &s.points);
        let finite = || points().filter(|p| p.x.is_finite() && p.y.is_finite());
        if finite().next().is_none() {
            return Svg::no_data(width, &self.title);
        }
        let (dy, all_thin) = (decimals(finite().map(|p| p.y)), finite().all(|p| p.thin));
        let mut svg = Svg::new(width, 0.0, &self.title, &self.describe(dy));
        svg.define_hatches();
        let mut top = 8.0 + self.legend(&mut svg, width);

        // Thin places may lie anywhere: they must not squeeze the others, and are cut at the edge.
        let mut y = (f64::INFINITY, f64::NEG_INFINITY);
        let mut take = |v: f64| {
            if v.is_finite() {
                y = (y.0.min(v), y.1.max(v));
            }
        };
        for p in finite() {
            take(p.y);
            if !p.thin || all_thin {
                for (low, high) in p.mean.iter().chain(&p.sd) {
                    take(*low);
                    take(*high);
                }
            }
        }
        if self.from_zero {
            take(0.0);
        }
        let step = ticks(y.0, y.1.max(y.0 + 1e-9), 5).step;
        let y = ((y.0 / step).floor() * step, (y.1 / step).ceil() * step);
        let y_ticks = ticks(y.0, y.1, 7);
        let bars = || self.counts.iter().flat_map(|c| &c.bars);
        let ends = finite()
            .flat_map(|p| [p.x, p.x])
            .chain(bars().flat_map(|b| [b.0, b.1]));
        let x = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |r, v| {
            (r.0.min(v), r.1.max(v))
        });

        let tallest = bars().map(|b| b.2).max().unwrap_or(0);
        let left = axes::y_room(&y_ticks, &self.y)
            .max(axes::y_room(&count_ticks(tallest as f64, 1), &Axis::default()) + 6.0);
        svg.text("name", Anchor::Start, 0.0, top + 12.0, &self.y.label());
        top += 26.0;
        if !self.won.is_empty() {
            top += 14.0;
        }
        let height = if width < 500.0 { 220.0 } else { 300.0 };
        let plot = Plot {
            left,
            right: width - 14.0,
            top,
            bottom: top + height,
        };
        let sx = Scale::new(x.0, x.1, plot.left, plot.right);
        let sy = Scale::new(y.0, y.1, plot.bottom, plot.top);
        axes::draw_y(&mut svg, &plot, &sy, &y_ticks, &self.y);
        for stretch in &self.won {
            let (from, to) = (sx.inside(stretch.from), sx.inside(stretch.to));
            let color = format!("fill {}", COLORS[stretch.winner % 6]);
            svg.hatched(
                &color,
                [from, plot.top - 14.0, to - from - 1.0, 9.0],
                stretch.winner,
                &stretch.title,
            );
        }
        self.bands(&mut svg, &sx, &sy);
        if self.signed {
            svg.line(
                "axis zero",
                [plot.left, sy.at(0.0)],
                [plot.right, sy.at(0.0)],
            );
        }
        self.lines(&mut svg, &sx, &sy, dy);

        let mut bottom = plot.bottom;
        for counts in self.counts.iter().filter(|_| tallest > 0) {
            let row = Plot {
                top: bottom + 26.0,
                bottom: bottom + 26.0 + COUNTS,
                ..plot
            };
            let name = axes_name(&counts.name);
            svg.text("note", Anchor::Start, plot.left, row.top - 6.0, &name);
            let scale = Scale::new(0.0, tallest as f64, row.bottom, row.top);
            for tick in [0.0, tallest as f64] {
                let text = count(tick as u64);
                svg.text(
                    "tick",
                    Anchor::End,
                    plot.left - 7.0,
                    scale.at(tick) + 4.0,
                    &text,
                );
            }
            svg.line("grid", [plot.left, row.bottom], [plot.right, row.bottom]);
            for &(from, to, n) in &counts.bars {
                let (a, b) = (sx.inside(from), sx.inside(to));
                let title = format!("{}: {} items", self.between(from, to), count(n));
                let at = [
                    a + 0.5,
                    scale.at(n as f64),
                    b - a - 1.0,
                    row.bottom - scale.at(n as f64),
                ];
                svg.rect("bar quiet", at, Some(&title));
            }
            bottom = row.bottom;
        }
        let last = Plot { bottom, ..plot };
        let x_ticks = axes::x_ticks(&self.x, x.0, x.1, plot.right - plot.left);
        let used = axes::draw_x(&mut svg, &last, &sx, &x_ticks, &self.x);
        svg.set_height(bottom + used);
        svg
    }

    fn color(&self, series: usize) -> &'static str {
        if self.series[series].neutral {
            "ink"
        } else {
            COLORS[series % 6]
        }
    }

    fn between(&self, from: f64, to: f64) -> String {
        let d = usize::from(from.fract() != 0.0 || to.fract() != 0.0);
        self.x.text_with_unit(from, d) + " to " + &self.x.text_with_unit(to, d)
    }

    fn legend(&self, svg: &mut Svg, width: f64) -> f64 {
        let mut signs: Vec<(Sign, String)> = Vec::new();
        for (i, series) in self.series.iter().enumerate() {
            signs.push((Sign::Side(i), series.name.clone()));
        }
        for (color, name) in &self.winners {
            signs.push((Sign::Won(*color), name.clone()));
        }
        let rest = [
            (Sign::Mean, &self.mean_band),
            (Sign::Sd, &self.sd_band),
            (Sign::Pale, &self.pale),
        ];
        for (sign, name) in rest {
            if !name.is_empty() {
                signs.push((sign, name.clone()));
            }
        }
        let names: Vec<String> = signs.iter().map(|s| s.1.clone()).collect();
        axes::legend(svg, &names, width, 0.0, |svg, i, x, y| match signs[i].0 {
            Sign::Side(s) => {
                let color = self.color(s);
                svg.line(&format!("curve {color} d{}", s % 6), [x, y], [x + 22.0, y]);
                svg.point(&format!("dot {color}"), s, [x + 11.0, y], 3.5, &names[i]);
            }
            Sign::Won(s) => svg.hatched(
                &format!("fill {}", COLORS[s % 6]),
                [x, y - 4.5, 22.0, 9.0],
                s,
                &names[i],
            ),
            Sign::Mean => svg.rect("band deep ink", [x, y - 6.0, 22.0, 12.0], Some(&names[i])),
            Sign::Sd => {
                svg.rect("band pale ink", [x, y - 6.0, 22.0, 12.0], Some(&names[i]));
                for y in [y - 6.0, y + 6.0] {
                    svg.line("edge ink", [x, y], [x + 22.0, y]);
                }
            }
            Sign::Pale => {
                svg.line("curve s1 faint", [x, y], [x + 22.0, y]);
                svg.point("dot s1 faint", 0, [x + 11.0, y], 3.5, &names[i]);
            }
        })
    }

    /// Light bands of single answers below, dark bands of means above, only over places with enough items.
    fn bands(&self, svg: &mut Svg, sx: &Scale, sy: &Scale) {
        type Ends = fn(&CurveDot) -> Option<(f64, f64)>;
        let kinds: [(&str, bool, Ends); 2] =
            [("pale", true, |p| p.sd), ("deep", false, |p| p.mean)];
        for (kind, edged, ends) in kinds {
            for (i, series) in self.series.iter().enumerate() {
                let color = self.color(i);
                let usable = |p: &CurveDot| !p.thin && p.x.is_finite() && ends(p).is_some();
                for piece in series.points.split(|p| !usable(p)) {
                    let edge = |upper: bool| -> Vec<[f64; 2]> {
                        let end = |p: &CurveDot| ends(p).map(|e| if upper { e.1 } else { e.0 });
                        piece
                            .iter()
                            .filter_map(|p| Some([sx.at(p.x), sy.inside(end(p)?)]))
                            .collect()
                    };
                    let (high, low) = (edge(true), edge(false));
                    let outline: Vec<_> = high.iter().chain(low.iter().rev()).copied().collect();
                    svg.path(
                        &format!("band {kind} {color}"),
                        &outline,
                        true,
                        Some(&series.name),
                    );
                    if edged {
                        svg.path(&format!("edge {color}"), &high, false, None);
                        svg.path(&format!("edge {color}"), &low, false, None);
                    }
                }
            }
        }
    }

    fn lines(&self, svg: &mut Svg, sx: &Scale, sy: &Scale, dy: usize) {
        for (i, series) in self.series.iter().enumerate() {
            let color = self.color(i);
            let at = |p: &CurveDot| [sx.at(p.x), sy.inside(p.y)];
            let points: Vec<&CurveDot> = series
                .points
                .iter()
                .filter(|p| p.x.is_finite() && p.y.is_finite())
                .collect();
            // In pieces of the same strength: one line each, so that dashes run on.
            let mut start = 0;
            for end in 1..points.len() {
                let faint = |k: usize| points[k - 1].thin || points[k].thin;
                if end + 1 == points.len() || faint(end) != faint(end + 1) {
                    let line: Vec<_> = points[start..=end].iter().map(|p| at(p)).collect();
                    let strength = if faint(end) { " faint" } else { "" };
                    let class = format!("curve {color} d{}{strength}", i % 6);
                    svg.path(&class, &line, false, Some(&series.name));
                    start = end;
                }
            }
            let many = points.len() > 40;
            for p in points {
                let value = if self.signed {
                    signed(p.y, dy)
                } else {
                    number(p.y, dy)
                };
                let mut title = format!("{}, {}: {value}", series.name, p.label);
                if let Some((low, high)) = p.mean {
                    title += &format!(" [{}, {}]", number(low, dy), number(high, dy));
                }
                if let Some((low, high)) = p.sd {
                    title += &format!(", ±1 sd {} to {}", number(low, dy), number(high, dy));
                }
                title += &format!(", {} items", number(p.items, 0));
                let faint = if p.thin { " faint" } else { "" };
                let (hidden, r) = if many { (" hover", 5.0) } else { ("", 3.5) };
                svg.point(&format!("dot {color}{faint}{hidden}"), i, at(p), r, &title);
            }
        }
    }

    fn describe(&self, dy: usize) -> String {
        let mut desc = format!("{} by {}.", self.y.label(), self.x.label());
        for s in &self.series {
            let mut solid = s.points.iter().filter(|p| p.y.is_finite() && !p.thin);
            let Some(first) = solid.next() else { continue };
            let last = solid.next_back().unwrap_or(first);
            desc += &format!(
                " {}: from {} at {} to {} at {}.",
                s.name,
                number(first.y, dy),
                first.label,
                number(last.y, dy),
                last.label
            );
        }
        for stretch in &self.won {
            desc += &format!(" {}.", stretch.title);
        }
        desc
    }
}

fn axes_name(name: &str) -> String {
    if name.is_empty() {
        "items per range".into()
    } else {
        format!("items per range, {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(x: f64, y: f64, thin: bool) -> CurveDot {
        CurveDot {
            x,
            label: format!("about {x}"),
            y,
            mean: Some((y - 0.5, y + 0.5)),
            sd: Some((y - 3.0, y + 3.0)),
            items: 20.0,
            thin,
        }
    }

    fn sample() -> Curves {
        Curves {
            title: "Error by age".into(),
            x: Axis::new("true age", "years"),
            y: Axis::new("mean error", "years"),
            signed: true,
            from_zero: true,
            series: vec![
                CurveSeries {
                    name: "people <b>".into(),
                    neutral: false,
                    points: vec![
                        dot(10.0, 3.0, false),
                        dot(20.0, 4.0, false),
                        dot(30.0, -400.0, true),
                    ],
                },
                CurveSeries {
                    name: "network".into(),
                    neutral: false,
                    points: vec![dot(10.0, 2.0, false), dot(20.0, f64::NAN, false)],
                },
            ],
            won: vec![Stretch {
                from: 5.0,
                to: 15.0,
                winner: 1,
                title: "network better".into(),
            }],
            winners: vec![(1, "network better".into())],
            mean_band: "95 % interval of the mean".into(),
            sd_band: "±1 standard deviation".into(),
            pale: "fewer than 10 items".into(),
            counts: vec![Counts {
                name: String::new(),
                bars: vec![(5.0, 15.0, 1200), (15.0, 25.0, 20)],
            }],
        }
    }

    #[test]
    fn a_picture_has_bands_counts_stretches_and_pale_ends() {
        let svg = sample().draw(640.0).inline("c", "");
        for part in [
            "band deep s1",
            "band pale s1",
            "curve s1 d0 faint",
            "dot s1 faint",
            "bar quiet",
            "network better",
            "5\u{a0}years to 15\u{a0}years: 1,200 items",
            "people &lt;b&gt;, about 10: +3 [2, 4], ±1 sd 0 to 6, 20 items",
        ] {
            assert!(svg.contains(part), "{part} is missing in {svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("<b>"));
    }

    #[test]
    fn nothing_to_draw_is_said() {
        let empty = Curves {
            series: vec![],
            ..sample()
        };
        assert!(empty.draw(320.0).inline("c", "").contains("no data yet"));
    }
}
