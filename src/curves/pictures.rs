//! Findings as charts.

use super::{Field, Findings, Group, Set, SideKind, Theme, words::theme};
use crate::report::{
    chart::{
        Axis, Chart, Counts, CurveDot, CurveSeries, Curves, Line, LinePoint, LineSeries, Stretch,
        WIDE,
    },
    format::{level, number, with_unit},
};
use veche_analysis::curves::{Contest, CurvePoint, Mean, Ranges, Verdict};

/// One picture and the name of its file.
#[derive(Debug, Clone)]
pub struct Picture {
    /// File name, with its ending.
    pub file: String,
    /// The chart.
    pub chart: Chart,
}

impl Picture {
    /// As an SVG file; simulated votes are said in it.
    pub fn svg(&self, simulated: bool) -> String {
        let svg = self.chart.draw(WIDE);
        let svg = if simulated {
            svg.stamped("SIMULATED annotators: nobody looked at anything")
        } else {
            svg
        };
        svg.standalone()
    }
}

/// Start, end and items of ranges.
type Bars = Vec<(f64, f64, u64)>;

/// Which figure of a point is drawn.
#[derive(Clone, Copy, PartialEq)]
enum Figure {
    Error,
    Bias,
}

struct Studio<'a> {
    field: &'a Field,
    found: &'a Findings,
    ranges: &'a Ranges,
}

/// All pictures: error and bias per group, women beside men per side, the difference of each pair, sex, overlap.
pub fn pictures(field: &Field, found: &Findings) -> Vec<Picture> {
    let themed = themed_pictures(field, found);
    themed.into_iter().map(|(_, picture)| picture).collect()
}

/// The same, each with what it is about.
pub fn themed_pictures(field: &Field, found: &Findings) -> Vec<(Theme, Picture)> {
    let mut pictures = Vec::new();
    if let Some(ranges) = &found.ranges {
        let studio = Studio {
            field,
            found,
            ranges,
        };
        for group in &found.groups {
            studio.group(group, &mut pictures);
        }
        if found.groups.len() > 1 {
            studio.by_sex(&mut pictures);
        }
        if !found.sexes.is_empty() {
            pictures.push((Theme::Sex, studio.sexes()));
        }
    }
    if let Some(overlap) = &found.overlap {
        let series = overlap
            .curves
            .iter()
            .map(|curve| LineSeries {
                name: curve.method.name().to_owned(),
                points: curve
                    .points
                    .iter()
                    .map(|p| LinePoint {
                        x: f64::from(p.votes),
                        y: p.mae.value,
                        band: pair(&p.mae),
                    })
                    .collect(),
            })
            .collect();
        let picture = Picture {
            file: "overlap.svg".into(),
            chart: Chart::Line(Line {
                title: format!("What more votes buy: {} by votes per item", field.title),
                x: Axis::new("votes per item", ""),
                y: Axis::new("mean |error| of the label", field.unit.clone()),
                series,
                from_zero: false,
            }),
        };
        pictures.push((Theme::Overlap, picture));
    }
    pictures
}

fn pair(mean: &Mean) -> Option<(f64, f64)> {
    mean.interval.map(|i| (i.low, i.high))
}

/// A name as a part of a file's name.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

impl Studio<'_> {
    fn group(&self, group: &Group, pictures: &mut Vec<(Theme, Picture)>) {
        let ending = if group.name == "all" {
            String::new()
        } else {
            format!("-{}", slug(&group.name))
        };
        let who = if group.name == "all" {
            String::new()
        } else {
            format!(", {}", group.name)
        };
        for set in &group.sets {
            let (file, items) = match (set.common, group.sets.len() > 1) {
                (true, true) => ("", ", items all sides have"),
                (true, false) => ("", ""),
                (false, _) => ("-all-items", ", all items of each side"),
            };
            for figure in [Figure::Error, Figure::Bias] {
                let (name, what) = match figure {
                    Figure::Error => ("error", "Mean |error|"),
                    Figure::Bias => ("bias", "Bias"),
                };
                let title = format!("{what} by true {}{who}{items}", self.field.quantity);
                let mut chart = self.curves(title, figure, self.series(set, figure));
                chart.counts = self.counts(set);
                let networks = self
                    .field
                    .sides
                    .iter()
                    .filter(|s| s.kind == SideKind::Network)
                    .count();
                if figure == Figure::Error
                    && networks == 1
                    && set.common
                    && let Some((a, b, contest)) = group.contests.first()
                {
                    self.strip(&mut chart, (*a, *b), contest);
                }
                let picture = Picture {
                    file: format!("{name}{ending}{file}.svg"),
                    chart: Chart::Curves(chart),
                };
                pictures.push((theme(group, Theme::Errors), picture));
            }
        }
        for (a, b, contest) in &group.contests {
            let (first, second) = (&self.field.sides[*a].name, &self.field.sides[*b].name);
            let points: Vec<CurveDot> = contest
                .duels
                .iter()
                .map(|duel| CurveDot {
                    x: self.middle(duel.range),
                    label: self.ranges.label(duel.range, duel.range),
                    y: duel.difference,
                    mean: duel.interval.map(|i| (i.low, i.high)),
                    sd: None,
                    items: duel.items as f64,
                    thin: duel.verdict == Verdict::TooFew,
                })
                .collect();
            if points.is_empty() {
                continue;
            }
            let series = vec![CurveSeries {
                name: "difference of mean |error|".into(),
                neutral: true,
                points,
            }];
            let mut chart = self.curves(
                format!("{first} − {second}: difference of mean |error|{who}"),
                Figure::Bias,
                series,
            );
            chart.y = Axis::new(
                format!("above 0: {second} errs less; below 0: {first}"),
                self.field.unit.clone(),
            );
            chart.mean_band = format!(
                "{} interval, held for all {} ranges",
                level(self.found.settings.level),
                contest.tested
            );
            chart.sd_band = String::new();
            self.strip(&mut chart, (*a, *b), contest);
            let bars = contest
                .duels
                .iter()
                .map(|d| self.bar(d.range, d.items as u64))
                .collect();
            chart.counts = vec![Counts {
                name: "common to both".into(),
                bars,
            }];
            let picture = Picture {
                file: format!("difference{ending}-{}-{}.svg", slug(first), slug(second)),
                chart: Chart::Curves(chart),
            };
            pictures.push((theme(group, Theme::Contest), picture));
        }
    }

    /// Women beside men, a picture per side.
    fn by_sex(&self, pictures: &mut Vec<(Theme, Picture)>) {
        for (s, side) in self.field.sides.iter().enumerate() {
            let of = |group: &Group| -> Option<Vec<CurvePoint>> {
                let set = group.sets.last()?;
                set.smooth
                    .as_ref()
                    .map_or(set.curves.get(s), |c| c.get(s))
                    .cloned()
            };
            for (figure, name, what) in [
                (Figure::Error, "error", "mean |error|"),
                (Figure::Bias, "bias", "bias"),
            ] {
                let (mut series, mut counts) = (Vec::new(), Vec::new());
                for group in self.found.groups.iter().filter(|g| g.name != "all") {
                    let Some(points) = of(group) else { continue };
                    series.push(self.one(&group.name, &points, figure));
                    let bars = group
                        .sets
                        .last()
                        .and_then(|set| set.curves.get(s))
                        .map(|c| self.bars(c));
                    counts.push(Counts {
                        name: group.name.clone(),
                        bars: bars.unwrap_or_default(),
                    });
                }
                let title = format!(
                    "{}: {what} by true {} and sex",
                    side.name, self.field.quantity
                );
                let mut chart = self.curves(title, figure, series);
                chart.counts = counts;
                let picture = Picture {
                    file: format!("{name}-by-sex-{}.svg", slug(&side.name)),
                    chart: Chart::Curves(chart),
                };
                pictures.push((Theme::BySex, picture));
            }
        }
    }

    fn sexes(&self) -> Picture {
        let series = self.found.sexes.iter().map(|row| {
            let points = row.points.iter().filter_map(|p| {
                let range = p.range?;
                Some(CurveDot {
                    x: p.at,
                    label: self.ranges.label(range, range),
                    y: 100.0 * p.share.value,
                    mean: pair(&p.share).map(|(a, b)| (100.0 * a, 100.0 * b)),
                    sd: None,
                    items: p.items as f64,
                    thin: p.thin,
                })
            });
            CurveSeries {
                name: self.field.sides[row.side].name.clone(),
                neutral: false,
                points: points.collect(),
            }
        });
        let title = format!(
            "Sex: share of right answers by true {}",
            self.field.quantity
        );
        let mut chart = self.curves(title, Figure::Error, series.collect());
        chart.y = Axis::new("right answers", "%");
        chart.from_zero = false;
        chart.sd_band = String::new();
        let bars = |row: &super::SexRow| {
            row.points
                .iter()
                .filter_map(|p| Some(self.bar(p.range?, p.items as u64)))
                .collect()
        };
        chart.counts = distinct(
            self.found
                .sexes
                .iter()
                .map(|row| (self.field.sides[row.side].name.as_str(), bars(row)))
                .collect(),
        );
        Picture {
            file: "sex.svg".into(),
            chart: Chart::Curves(chart),
        }
    }

    fn curves(&self, title: String, figure: Figure, mut series: Vec<CurveSeries>) -> Curves {
        let unit = self.field.unit.clone();
        let thin = series.iter().flat_map(|s| &s.points).any(|p| p.thin);
        // More than three bands of single errors over each other hide the curves: they stay in the table.
        let crowded = series.len() > 3;
        if crowded {
            series
                .iter_mut()
                .flat_map(|s| &mut s.points)
                .for_each(|p| p.sd = None);
        }
        Curves {
            title,
            x: Axis::new(format!("true {}", self.field.quantity), unit.clone()),
            y: match figure {
                Figure::Error => Axis::new("mean |error|", unit),
                Figure::Bias => Axis::new("mean error (above 0: too high)", unit),
            },
            signed: figure == Figure::Bias,
            from_zero: true,
            series,
            won: Vec::new(),
            winners: Vec::new(),
            mean_band: format!("{} interval of the mean", level(self.found.settings.level)),
            sd_band: match figure {
                _ if crowded => String::new(),
                Figure::Error => "±1 sd of |error|".into(),
                Figure::Bias => "±1 sd of single errors".into(),
            },
            pale: if thin {
                format!("fewer than {} items", self.found.settings.thin)
            } else {
                String::new()
            },
            counts: Vec::new(),
        }
    }

    fn series(&self, set: &Set, figure: Figure) -> Vec<CurveSeries> {
        let curves = set.smooth.as_ref().unwrap_or(&set.curves);
        let sides = self.field.sides.iter().zip(curves);
        sides
            .map(|(side, points)| self.one(&side.name, points, figure))
            .collect()
    }

    fn one(&self, name: &str, points: &[CurvePoint], figure: Figure) -> CurveSeries {
        let dot = |p: &CurvePoint| {
            let (mean, sd) = match figure {
                Figure::Error => (&p.mae, p.mae_sd),
                Figure::Bias => (&p.bias, p.spread),
            };
            let lowest = if figure == Figure::Error {
                0.0
            } else {
                f64::NEG_INFINITY
            };
            CurveDot {
                x: p.at,
                label: match p.range {
                    Some(r) => self.ranges.label(r, r),
                    None => number(p.at, 1),
                },
                y: mean.value,
                mean: pair(mean),
                sd: sd.map(|sd| ((mean.value - sd).max(lowest), mean.value + sd)),
                items: p.items,
                thin: p.thin,
            }
        };
        CurveSeries {
            name: name.to_owned(),
            neutral: false,
            points: points.iter().map(dot).collect(),
        }
    }

    /// Where a range is drawn from and to.
    fn ends(&self, range: usize) -> (f64, f64) {
        let (from, to) = self.ranges.ends(range);
        (from, to.unwrap_or(self.found.end))
    }

    fn middle(&self, range: usize) -> f64 {
        let (from, to) = self.ends(range);
        f64::midpoint(from, to)
    }

    fn bar(&self, range: usize, items: u64) -> (f64, f64, u64) {
        let (from, to) = self.ends(range);
        (from, to, items)
    }

    fn bars(&self, points: &[CurvePoint]) -> Vec<(f64, f64, u64)> {
        points
            .iter()
            .filter_map(|p| Some(self.bar(p.range?, p.items as u64)))
            .collect()
    }

    fn counts(&self, set: &Set) -> Vec<Counts> {
        let sides = self.field.sides.iter().zip(&set.curves);
        distinct(
            sides
                .map(|(side, points)| (side.name.as_str(), self.bars(points)))
                .collect(),
        )
    }

    fn strip(&self, chart: &mut Curves, (a, b): (usize, usize), contest: &Contest) {
        for won in &contest.won {
            let (winner, loser) = if won.winner == Verdict::First {
                (a, b)
            } else {
                (b, a)
            };
            let (winner_name, loser_name) = (
                &self.field.sides[winner].name,
                &self.field.sides[loser].name,
            );
            let d = crate::report::format::decimals([won.by]);
            chart.won.push(Stretch {
                from: self.ends(won.from).0,
                to: self.ends(won.to).1,
                winner,
                title: format!(
                    "{winner_name} errs less than {loser_name} at {} by {} [{}, {}]",
                    self.ranges.label(won.from, won.to),
                    with_unit(&number(won.by, d), &self.field.unit),
                    number(won.interval.low, d),
                    number(won.interval.high, d)
                ),
            });
            if chart.winners.iter().all(|w| w.0 != winner) {
                let sure = level(self.found.settings.level);
                chart
                    .winners
                    .push((winner, format!("{winner_name} better ({sure})")));
            }
        }
    }
}

/// Sides with the same items share a row of counts; one row for all has no name.
fn distinct(rows: Vec<(&str, Bars)>) -> Vec<Counts> {
    let mut counts: Vec<Counts> = Vec::new();
    for (name, bars) in rows.into_iter().filter(|r| !r.1.is_empty()) {
        match counts.iter_mut().find(|c| c.bars == bars) {
            Some(same) => same.name = format!("{}; {name}", same.name),
            None => counts.push(Counts {
                name: name.to_owned(),
                bars,
            }),
        }
    }
    if let [only] = &mut counts[..] {
        only.name = String::new();
    }
    counts
}
