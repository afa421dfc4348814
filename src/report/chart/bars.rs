//! Horizontal bars made of parts: votes kept and left out by reason, labels of a choice.

use super::axes;
use super::scale::Scale;
use super::svg::{Anchor, Svg, bold_width, fit};
use crate::report::format::{count, share};
use serde::{Deserialize, Serialize};

/// One bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// What it stands for: `after-ban`.
    pub name: String,
    /// Size of each part, in the order of [`Bars::parts`]; missing ones are 0.
    pub parts: Vec<u64>,
    /// Whether it is the one that counts: shown strong.
    pub chosen: bool,
}

/// Horizontal bars on one scale from 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bars {
    /// What the picture is called.
    pub title: String,
    /// What is counted, in the plural: `votes`.
    pub counted: String,
    /// Names of the parts; a single part needs no legend.
    pub parts: Vec<String>,
    /// The bars, from top to bottom.
    pub bars: Vec<Bar>,
}

impl Bars {
    /// Draws them `width` CSS pixels wide. Parts differ by colour and hatching, and stand in the order of the legend.
    pub fn draw(&self, width: f64) -> Svg {
        let sum = |bar: &Bar| bar.parts.iter().sum::<u64>();
        let largest = self.bars.iter().map(sum).max().unwrap_or(0);
        if largest == 0 {
            return Svg::no_data(width, &self.title);
        }
        let mut svg = Svg::new(width, 0.0, &self.title, &self.describe());
        let many = self.parts.len() > 1;
        let mut top = 4.0;
        if many {
            svg.define_hatches();
            top += 4.0
                + axes::legend(&mut svg, &self.parts, width, top, |svg, i, x, y| {
                    svg.hatched(class(i), [x, y - 6.0, 20.0, 12.0], i, &self.parts[i]);
                });
        }
        let stacked_names = width < 500.0 || self.bars.iter().any(|b| b.name.chars().count() > 32);
        let names = self.bars.iter().map(|b| bold_width(&b.name, axes::NORMAL));
        let left = if stacked_names {
            0.0
        } else {
            names.fold(0.0, f64::max) + 14.0
        };
        let numbers = self
            .bars
            .iter()
            .map(|b| bold_width(&self.number(b), axes::NORMAL));
        let right = width - numbers.fold(0.0, f64::max) - 12.0;
        let x = Scale::new(0.0, largest as f64, left, right);
        for bar in &self.bars {
            let strong = if bar.chosen { " strong" } else { "" };
            if stacked_names {
                let shown = fit(&bar.name, width, axes::NORMAL);
                svg.text(
                    &format!("name{strong}"),
                    Anchor::Start,
                    0.0,
                    top + 12.0,
                    &shown,
                );
                top += 18.0;
            } else {
                let at = top + 16.0;
                svg.text(
                    &format!("name{strong}"),
                    Anchor::End,
                    left - 10.0,
                    at,
                    &bar.name,
                );
            }
            let mut start = 0;
            for (i, &n) in bar.parts.iter().enumerate().filter(|(_, n)| **n > 0) {
                let (a, b) = (x.at(start as f64), x.at((start + n) as f64));
                let part = self.parts.get(i).map_or("", String::as_str);
                let title = format!(
                    "{}, {part}: {} {} ({})",
                    bar.name,
                    count(n),
                    self.counted,
                    share(n, sum(bar))
                );
                let gap = if b - a > 3.0 { 1.0 } else { 0.0 };
                svg.hatched(class(i), [a, top, b - a - gap, 22.0], i, &title);
                start += n;
            }
            let class = format!("value{strong}");
            svg.text(
                &class,
                Anchor::Start,
                x.at(start as f64) + 7.0,
                top + 16.0,
                &self.number(bar),
            );
            top += 32.0;
        }
        svg.set_height(top);
        svg
    }

    /// The number at the end of a bar: the total, or of stacked bars the share of their first part.
    fn number(&self, bar: &Bar) -> String {
        let sum = bar.parts.iter().sum();
        if self.parts.len() > 1 {
            format!(
                "{} {}",
                share(bar.parts.first().copied().unwrap_or(0), sum),
                self.parts[0]
            )
        } else {
            let all = self.bars.iter().flat_map(|b| &b.parts).sum();
            format!("{} ({})", count(sum), share(sum, all))
        }
    }

    fn describe(&self) -> String {
        let mut desc = format!("Bars of {}.", self.counted);
        for bar in &self.bars {
            desc += &format!(" {}:", bar.name);
            for (i, n) in bar.parts.iter().enumerate() {
                let part = self.parts.get(i).map_or("", String::as_str);
                desc += &format!(" {part} {};", count(*n));
            }
        }
        desc
    }
}

fn class(part: usize) -> &'static str {
    [
        "fill s1", "fill s2", "fill s4", "fill s3", "fill s5", "fill s6",
    ][part % 6]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_by_hatching_and_say_their_share() {
        let bars = Bars {
            title: "Votes".into(),
            counted: "votes".into(),
            parts: vec!["kept".into(), "banned".into()],
            bars: vec![Bar {
                name: "after-ban".into(),
                parts: vec![900, 100],
                chosen: true,
            }],
        };
        let svg = bars.draw(640.0).inline("b", "");
        assert!(
            svg.contains("after-ban, banned: 100 votes (10.0\u{202f}%)"),
            "{svg}"
        );
        assert!(svg.contains("url(#b-h1)") && svg.contains("id=\"b-h1\""));
        assert!(svg.contains("90.0\u{202f}% kept"));
    }

    #[test]
    fn bars_of_nothing_say_so() {
        let bars = Bars {
            title: "Votes".into(),
            counted: "votes".into(),
            parts: vec!["kept".into()],
            bars: vec![],
        };
        assert!(bars.draw(320.0).inline("b", "").contains("no data yet"));
    }
}
