//! Histograms: one panel, or several below each other on one horizontal axis, with reference lines.

use super::axes::{self, Axis, Mark, Plot};
use super::scale::{Scale, count_ticks, nice_width};
use super::svg::{Anchor, Svg, fit};
use crate::report::format::{count, decimals};
use serde::{Deserialize, Serialize};

/// Counts in bins of equal width. Which bins to draw is a matter of drawing, like which ticks, so they are chosen here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Bins {
    /// Lower end of the first bin.
    pub from: f64,
    /// Width of every bin; a value on an edge belongs to the bin above it.
    pub width: f64,
    /// Count of every bin.
    pub counts: Vec<u64>,
    /// How many values lie below the first bin.
    pub below: u64,
    /// How many values lie above the last bin.
    pub above: u64,
}

impl Bins {
    /// Counts values into `n` bins of `width` from `from`; values that are not finite are passed over.
    pub fn new(from: f64, width: f64, n: usize, values: impl IntoIterator<Item = f64>) -> Self {
        let mut bins = Self {
            from,
            width,
            counts: vec![0; n],
            below: 0,
            above: 0,
        };
        for value in values.into_iter().filter(|v| v.is_finite()) {
            // The slack keeps 0.3 in the bin that starts at 3 × 0.1.
            let bin = ((value - from) / width + 1e-9).floor();
            if bin < 0.0 {
                bins.below += 1;
            } else if bin >= n as f64 {
                bins.above += 1;
            } else {
                bins.counts[bin as usize] += 1;
            }
        }
        bins
    }

    /// Counts values into about `wanted` bins of a round width. A few values far outside the rest (six interquartile
    /// ranges beyond the quartiles) are counted in `below` and `above` instead of squeezing the rest together.
    pub fn nice(values: &[f64], wanted: usize) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(&first), Some(&last)) = (sorted.first(), sorted.last()) else {
            return Self::default();
        };
        let quartile = |q: f64| sorted[((sorted.len() - 1) as f64 * q) as usize];
        let reach = (quartile(0.75) - quartile(0.25)) * 6.0;
        let (mut low, mut high) = (first, last);
        if reach > 0.0 {
            low = low.max(quartile(0.25) - reach);
            high = high.min(quartile(0.75) + reach);
        }
        let width = nice_width(low, high, wanted);
        let from = (low / width).floor() * width;
        let n = ((high - from) / width).floor().min(9_999.0) as usize + 1;
        Self::new(from, width, n, sorted)
    }

    /// Counts whole numbers, one bin around each: votes per item.
    pub fn whole(values: impl IntoIterator<Item = u64>) -> Self {
        let values: Vec<u64> = values.into_iter().collect();
        let (Some(&low), Some(&high)) = (values.iter().min(), values.iter().max()) else {
            return Self::default();
        };
        let n = (high - low).min(199) as usize + 1;
        Self::new(low as f64 - 0.5, 1.0, n, values.iter().map(|v| *v as f64))
    }

    /// How many values were counted, those outside the bins included.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.below + self.above
    }

    /// Upper end of the last bin.
    pub fn to(&self) -> f64 {
        self.from + self.width * self.counts.len() as f64
    }

    /// Whether each bin holds one whole number.
    fn is_whole(&self) -> bool {
        self.width == 1.0 && (self.from - self.from.floor() - 0.5).abs() < 1e-9
    }

    fn drawable(&self) -> bool {
        self.from.is_finite()
            && self.width.is_finite()
            && self.width > 0.0
            && self.to().is_finite()
            && !self.counts.is_empty()
    }

    /// The bin in words: `4 to 5 years`, `10 votes`.
    fn words(&self, bin: usize, axis: &Axis) -> String {
        let low = self.from + self.width * bin as f64;
        if self.is_whole() {
            return axis.text_with_unit(low + 0.5, 0);
        }
        let mut d = 0;
        while d < 6 && ((self.width * 10f64.powi(d)).fract() > 1e-6) {
            d += 1;
        }
        let d = d as usize + if axis.percent { 2 } else { 0 };
        format!(
            "{} to {}",
            axis.text(low, d),
            axis.text_with_unit(low + self.width, d)
        )
    }
}

/// One panel of a histogram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistogramGroup {
    /// Name of the group; empty if there is only one.
    pub name: String,
    /// Its counts.
    pub bins: Bins,
}

/// A histogram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// What the picture is called.
    pub title: String,
    /// The values.
    pub x: Axis,
    /// What is counted, in the plural: `annotators`.
    pub counted: String,
    /// The panels, drawn below each other.
    pub groups: Vec<HistogramGroup>,
    /// Reference lines, through all panels.
    pub marks: Vec<Mark>,
}

impl Histogram {
    /// A histogram with one panel.
    pub fn one(title: &str, x: Axis, counted: &str, bins: Bins, marks: Vec<Mark>) -> Self {
        Self {
            title: title.into(),
            x,
            counted: counted.into(),
            groups: vec![HistogramGroup {
                name: String::new(),
                bins,
            }],
            marks,
        }
    }

    /// Draws it `width` CSS pixels wide.
    pub fn draw(&self, width: f64) -> Svg {
        let panels: Vec<&HistogramGroup> =
            self.groups.iter().filter(|g| g.bins.drawable()).collect();
        let total: u64 = panels.iter().map(|g| g.bins.total()).sum();
        if total == 0 {
            return Svg::no_data(width, &self.title);
        }
        let ends = panels.iter().map(|g| (g.bins.from, g.bins.to()));
        let ends = ends.chain(self.marks.iter().map(|m| (m.at, m.at)));
        let (from, to) = ends
            .filter(|e| e.0.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), (c, d)| {
                (a.min(c), b.max(d))
            });
        let largest = panels.iter().flat_map(|g| &g.bins.counts).max();
        let largest = largest.copied().unwrap_or(0) as f64;
        let many = panels.len() > 1;
        let panel_height = match (many, width < 500.0) {
            (false, false) => 200.0,
            (false, true) => 170.0,
            (true, false) => 104.0,
            (true, true) => 88.0,
        };
        let y_ticks = count_ticks(largest, if many { 2 } else { 4 });
        let top_count = y_ticks.at.last().copied().unwrap_or(1.0);
        let counts = Axis::default();
        let left = axes::y_room(&y_ticks, &counts);
        let right = width - 14.0;
        let x = Scale::new(from, to, left, right);
        let x_ticks = axes::x_ticks(&self.x, from, to, right - left);
        let (placed, lanes) = axes::place_marks(
            &self.marks,
            &x,
            &self.x,
            if self.whole() && self.marks.iter().all(|m| m.at.fract() == 0.0) {
                0
            } else {
                decimals(self.marks.iter().map(|m| m.at))
            },
        );
        let mut svg = Svg::new(width, 0.0, &self.title, &self.describe(total));
        svg.text("name", Anchor::Start, 0.0, 12.0, &self.counted);
        let mut top = 24.0 + lanes + if many { 0.0 } else { 2.0 };
        let first_top = top;
        let mut bottom = top;
        for group in &panels {
            if many {
                top += 20.0;
            }
            bottom = top + panel_height;
            let plot = Plot {
                left,
                right,
                top,
                bottom,
            };
            let y = Scale::new(0.0, top_count, bottom, top);
            axes::draw_y(&mut svg, &plot, &y, &y_ticks, &counts);
            self.bars(&mut svg, group, &x, &y, many);
            if many {
                let n = format!(" · {} {}", count(group.bins.total()), self.counted);
                let name = fit(&group.name, width - 170.0, axes::NORMAL) + &n;
                svg.text("name strong", Anchor::Start, left, top - 6.0, &name);
                svg.line("axis", [left, bottom], [right, bottom]);
            }
            top = bottom + 10.0;
        }
        let whole = Plot {
            left,
            right,
            top: first_top,
            bottom,
        };
        let used = axes::draw_x(&mut svg, &whole, &x, &x_ticks, &self.x);
        axes::draw_marks(&mut svg, &placed, &whole);
        let mut height = bottom + used;
        let (below, above) = panels
            .iter()
            .fold((0, 0), |(b, a), g| (b + g.bins.below, a + g.bins.above));
        if below + above > 0 {
            height += 6.0;
            let note = format!("not drawn: {} below, {} above", count(below), count(above));
            svg.text("note", Anchor::End, right, height, &note);
            height += 6.0;
        }
        svg.set_height(height);
        svg
    }

    fn whole(&self) -> bool {
        self.groups.iter().all(|g| g.bins.is_whole())
    }

    fn bars(&self, svg: &mut Svg, group: &HistogramGroup, x: &Scale, y: &Scale, named: bool) {
        let bins = &group.bins;
        let (bottom, _) = y.ends();
        for (i, &n) in bins.counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            let a = x.at(bins.from + bins.width * i as f64);
            let b = x.at(bins.from + bins.width * (i + 1) as f64);
            let gap = if b - a > 4.0 { 1.0 } else { 0.0 };
            let height = (bottom - y.at(n as f64)).max(1.0);
            let mut title = format!("{}: {} {}", bins.words(i, &self.x), count(n), self.counted);
            if named {
                title = format!("{}, {title}", group.name);
            }
            let at = [a + gap / 2.0, bottom - height, b - a - gap, height];
            svg.rect("bar", at, Some(&title));
        }
    }

    fn describe(&self, total: u64) -> String {
        let mut desc = format!(
            "Histogram of {} {} by {}.",
            count(total),
            self.counted,
            self.x.label()
        );
        let d = decimals(self.marks.iter().map(|m| m.at));
        for mark in self.marks.iter().filter(|m| m.at.is_finite()) {
            desc += &format!(" {}: {}.", mark.name, self.x.text_with_unit(mark.at, d));
        }
        if self.groups.len() > 1 {
            for g in &self.groups {
                desc += &format!(" {}: {} {}.", g.name, count(g.bins.total()), self.counted);
            }
        }
        desc
    }

    /// Draws it as a small picture without a vertical axis, for the card of one item: bars, reference lines, the ends of
    /// the horizontal axis.
    pub fn mini(&self, width: f64) -> Svg {
        let Some(group) = self
            .groups
            .first()
            .filter(|g| g.bins.drawable() && g.bins.total() > 0)
        else {
            return Svg::no_data(width, &self.title);
        };
        let bins = &group.bins;
        let marks = self.marks.iter().filter(|m| m.at.is_finite());
        let from = marks.clone().map(|m| m.at).fold(bins.from, f64::min);
        let to = marks.map(|m| m.at).fold(bins.to(), f64::max);
        let (top, bottom) = (18.0, 64.0);
        let largest = bins.counts.iter().copied().max().unwrap_or(1).max(1);
        let x = Scale::new(from, to, 2.0, width - 2.0);
        let y = Scale::new(0.0, largest as f64, bottom, top + 4.0);
        let mut svg = Svg::new(
            width,
            bottom + 18.0,
            &self.title,
            &self.describe(bins.total()),
        );
        self.bars(&mut svg, group, &x, &y, false);
        svg.line("axis", [0.0, bottom], [width, bottom]);
        let d = decimals([bins.width]).min(if bins.width.fract() == 0.0 { 0 } else { 3 });
        let d = if self.x.percent { d + 2 } else { d };
        svg.text(
            "tick",
            Anchor::Start,
            0.0,
            bottom + 14.0,
            &self.x.text(from, d),
        );
        svg.text(
            "tick",
            Anchor::End,
            width,
            bottom + 14.0,
            &self.x.text_with_unit(to, d),
        );
        let md = if self.marks.iter().all(|m| m.at.fract() == 0.0) {
            0
        } else {
            decimals(self.marks.iter().map(|m| m.at)).saturating_sub(1)
        };
        let (placed, _) = axes::place_marks(&self.marks, &x, &self.x, md);
        let plot = Plot {
            left: 0.0,
            right: width,
            top,
            bottom,
        };
        axes::draw_marks(&mut svg, &placed, &plot);
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::MarkKind;
    use proptest::prelude::*;

    #[test]
    fn a_value_on_an_edge_belongs_to_the_bin_above() {
        let bins = Bins::new(0.0, 0.1, 4, [0.0, 0.1, 0.3, 0.35, 0.4, -0.1, f64::NAN]);
        assert_eq!(bins.counts, [1, 1, 0, 2]);
        assert_eq!((bins.below, bins.above, bins.total()), (1, 1, 6));
    }

    #[test]
    fn whole_numbers_have_a_bin_each() {
        let bins = Bins::whole([10, 10, 9, 12]);
        assert_eq!(
            (bins.from, bins.counts.as_slice()),
            (8.5, &[1, 2, 0, 1][..])
        );
        assert_eq!(bins.words(1, &Axis::new("", "votes")), "10\u{a0}votes");
        assert_eq!(Bins::whole([]), Bins::default());
    }

    #[test]
    fn one_far_value_does_not_squeeze_the_rest() {
        let mut values: Vec<f64> = (0..100).map(|i| 5.0 + f64::from(i) * 0.05).collect();
        values.push(1e9);
        let bins = Bins::nice(&values, 20);
        assert_eq!((bins.above, bins.total()), (1, 101));
        assert!(bins.to() < 40.0);
    }

    #[test]
    fn every_bar_says_its_numbers_and_the_marks_are_named() {
        let bins = Bins::new(4.0, 1.0, 3, [4.5, 5.5, 5.6]);
        let marks = vec![
            Mark::new("mean", 5.2, MarkKind::Mean),
            Mark::new("median", f64::NAN, MarkKind::Median),
        ];
        let h = Histogram::one(
            "Errors",
            Axis::new("MAE", "years"),
            "annotators",
            bins,
            marks,
        );
        let svg = h.draw(640.0).inline("h", "");
        assert!(
            svg.contains("<title>5 to 6\u{a0}years: 2 annotators</title>"),
            "{svg}"
        );
        assert!(svg.contains("mean\u{a0}5.20") && !svg.contains("NaN"));
        assert!(svg.contains("role=\"img\"") && svg.contains("<desc id=\"h-d\">"));
        assert_eq!(h.draw(640.0), h.draw(640.0));
        assert!(h.mini(200.0).inline("m", "").contains("class=\"bar\""));
    }

    #[test]
    fn nothing_to_count_gives_a_picture_that_says_so() {
        let h = Histogram::one(
            "E",
            Axis::default(),
            "items",
            Bins::nice(&[f64::NAN], 10),
            vec![],
        );
        assert!(h.draw(640.0).inline("h", "").contains("no data yet"));
        assert!(h.mini(200.0).inline("h", "").contains("no data yet"));
    }

    proptest! {
        #[test]
        fn no_value_is_lost_in_binning(values in prop::collection::vec(-1e6..1e6f64, 0..60), wanted in 1usize..40) {
            prop_assert_eq!(Bins::nice(&values, wanted).total(), values.len() as u64);
        }
    }
}
