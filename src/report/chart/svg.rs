//! A small SVG writer. Our own, because plotting libraries turn text into outlines or leave out what a page needs: titles
//! on hover, text that can be selected, colours that follow the reader's light or dark mode.
//!
//! Coordinates have one decimal, so the same numbers give the same bytes. A mark with a coordinate that is not finite is
//! left out. All text is escaped here and nowhere else.

use std::fmt::Write as _;

/// The style of all charts; the page carries it once, a standalone file carries its own copy.
pub const CHART_CSS: &str = include_str!("chart.css");

/// Stands in the body where the id of the picture goes, which is known only when it is placed.
const ID: &str = "\u{1}";

/// A finished picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Svg {
    width: f64,
    height: f64,
    title: String,
    desc: String,
    body: String,
}

/// Where a text is anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Escapes text for XML content and attributes; control characters XML forbids become spaces.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if (c as u32) < 0x20 || matches!(c as u32, 0x7f | 0xfffe | 0xffff) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A coordinate: one decimal, no trailing zero, no negative zero.
fn place(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".into(),
        Some(whole) => whole.into(),
        None => text,
    }
}

/// About how wide a text is at a font size, on the generous side: no font is measured here.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    let em: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' | '\u{202f}' => 0.32,
            'f' | 't' | 'r' | ' ' | '\u{a0}' | '(' | ')' | '[' | ']' | '-' => 0.4,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
            c if c.is_ascii_digit() => 0.6,
            c if c.is_uppercase() => 0.72,
            '★' | '✓' | '…' => 1.0,
            c if (c as u32) >= 0x2e80 => 1.05,
            _ => 0.58,
        })
        .sum();
    em * size
}

/// The same for text in bold.
pub(crate) fn bold_width(text: &str, size: f64) -> f64 {
    text_width(text, size) * 1.12
}

/// A text cut to about `width` with an ellipsis; the full text belongs into a title.
pub(crate) fn fit(text: &str, width: f64, size: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        out.push(c);
        if text_width(&out, size) + size > width {
            break;
        }
    }
    out.push('…');
    out
}

impl Svg {
    /// An empty picture of a size in CSS pixels. `title` names it, `desc` says in a sentence what it shows.
    pub(crate) fn new(width: f64, height: f64, title: &str, desc: &str) -> Self {
        Self {
            width,
            height,
            title: title.into(),
            desc: desc.into(),
            body: String::new(),
        }
    }

    /// A picture that says that there is nothing to show yet.
    pub(crate) fn no_data(width: f64, title: &str) -> Self {
        let height = 84.0;
        let mut svg = Self::new(width, height, title, "No data yet.");
        svg.rect("empty", [0.5, 0.5, width - 1.0, height - 1.0], None);
        svg.text(
            "note",
            Anchor::Middle,
            width / 2.0,
            height / 2.0 + 4.0,
            "no data yet",
        );
        svg
    }

    /// The picture's name.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Adds a line of text below the picture, which stays with it wherever it is copied.
    #[must_use]
    pub fn stamped(mut self, text: &str) -> Self {
        self.height += 18.0;
        let y = self.height - 5.0;
        self.text("note", Anchor::Start, 0.0, y, text);
        self.desc = format!("{text}. {}", self.desc);
        self
    }

    /// A photo by its `data:` address, whole within x, y, width, height.
    pub(crate) fn image(&mut self, uri: &str, at: [f64; 4], title: &str) {
        if uri.is_empty() || at.iter().any(|v| !v.is_finite()) {
            return;
        }
        let [x, y, width, height] = at.map(place);
        let _ = writeln!(
            self.body,
            "<image href=\"{}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><title>{}</title></image>",
            escape(uri),
            escape(title)
        );
    }

    /// A rectangle whose colour is as strong as `share` says, 0 to 1.
    pub(crate) fn shade(&mut self, class: &str, at: [f64; 4], share: f64, title: &str) {
        if at.iter().any(|v| !v.is_finite()) || !share.is_finite() {
            return;
        }
        let strength = format!("{:.2}", 0.06 + 0.94 * share.clamp(0.0, 1.0));
        let strength = strength.trim_end_matches('0').trim_end_matches('.');
        let [x, y, width, height] = at.map(place);
        let _ = writeln!(
            self.body,
            "<rect class=\"{class}\" fill-opacity=\"{strength}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><title>{}</title></rect>",
            escape(title)
        );
    }

    /// Puts another picture inside this one.
    pub(crate) fn place_inside(&mut self, other: &Self, x: f64, y: f64) {
        let _ = writeln!(
            self.body,
            "<g transform=\"translate({} {})\">\n{}</g>",
            place(x),
            place(y),
            other.body
        );
    }

    /// Height in CSS pixels.
    pub(crate) fn height(&self) -> f64 {
        self.height
    }

    /// Sets the height once it is known.
    pub(crate) fn set_height(&mut self, height: f64) {
        self.height = height;
    }

    fn element(&mut self, tag: &str, class: &str, places: &[(&str, f64)], title: Option<&str>) {
        if places.iter().any(|(_, value)| !value.is_finite()) {
            return;
        }
        let _ = write!(self.body, "<{tag} class=\"{class}\"");
        for (name, value) in places {
            let _ = write!(self.body, " {name}=\"{}\"", place(*value));
        }
        self.close(tag, title);
    }

    fn close(&mut self, tag: &str, title: Option<&str>) {
        let _ = match title {
            Some(title) => writeln!(self.body, "><title>{}</title></{tag}>", escape(title)),
            None => writeln!(self.body, "/>"),
        };
    }

    /// A rectangle: x, y, width, height.
    pub(crate) fn rect(&mut self, class: &str, at: [f64; 4], title: Option<&str>) {
        let places = [
            ("x", at[0]),
            ("y", at[1]),
            ("width", at[2].max(0.0)),
            ("height", at[3].max(0.0)),
        ];
        self.element("rect", class, &places, title);
    }

    /// A rectangle hatched in one of the patterns 1 to 4 over its class's colour, so that colour is never alone.
    pub(crate) fn hatched(&mut self, class: &str, at: [f64; 4], pattern: usize, title: &str) {
        self.rect(class, at, Some(title));
        if pattern == 0 || at.iter().any(|v| !v.is_finite()) {
            return;
        }
        let _ = writeln!(
            self.body,
            "<rect class=\"hatch\" fill=\"url(#{ID}-h{})\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            (pattern - 1) % 4 + 1,
            place(at[0]),
            place(at[1]),
            place(at[2].max(0.0)),
            place(at[3].max(0.0)),
        );
    }

    /// The hatch patterns that [`Svg::hatched`] refers to.
    pub(crate) fn define_hatches(&mut self) {
        self.body.push_str("<defs>\n");
        for (i, (size, path)) in [
            (6, "M0 6L6 0M-1 1L1 -1M5 7L7 5"),
            (6, "M0 0L6 6M-1 5L1 7M5 -1L7 1"),
            (5, "M0 2.5H5"),
            (5, "M2.5 0V5"),
        ]
        .iter()
        .enumerate()
        {
            let _ = writeln!(
                self.body,
                "<pattern id=\"{ID}-h{}\" width=\"{size}\" height=\"{size}\" patternUnits=\"userSpaceOnUse\"><path \
                 class=\"hatching\" d=\"{path}\"/></pattern>",
                i + 1
            );
        }
        self.body.push_str("</defs>\n");
    }

    /// A straight line.
    pub(crate) fn line(&mut self, class: &str, from: [f64; 2], to: [f64; 2]) {
        let places = [
            ("x1", from[0]),
            ("y1", from[1]),
            ("x2", to[0]),
            ("y2", to[1]),
        ];
        self.element("line", class, &places, None);
    }

    /// A circle.
    pub(crate) fn circle(&mut self, class: &str, at: [f64; 2], r: f64, title: Option<&str>) {
        self.element(
            "circle",
            class,
            &[("cx", at[0]), ("cy", at[1]), ("r", r)],
            title,
        );
    }

    /// A line through points, or the area inside them; nothing for fewer than two points.
    pub(crate) fn path(
        &mut self,
        class: &str,
        points: &[[f64; 2]],
        closed: bool,
        title: Option<&str>,
    ) {
        let finite: Vec<_> = points
            .iter()
            .filter(|p| p[0].is_finite() && p[1].is_finite())
            .collect();
        if finite.len() < 2 {
            return;
        }
        let _ = write!(self.body, "<path class=\"{class}\" d=\"");
        for (i, p) in finite.iter().enumerate() {
            let command = if i == 0 { 'M' } else { 'L' };
            let _ = write!(self.body, "{command}{} {}", place(p[0]), place(p[1]));
        }
        self.body.push_str(if closed { "Z\"" } else { "\"" });
        self.close("path", title);
    }

    /// One of six point shapes, so that series differ by more than colour.
    pub(crate) fn point(&mut self, class: &str, shape: usize, at: [f64; 2], r: f64, title: &str) {
        let [x, y] = at;
        let corners: &[[f64; 2]] = match shape % 6 {
            0 => return self.circle(class, at, r, Some(title)),
            1 => &[[-1.2, 0.0], [0.0, -1.2], [1.2, 0.0], [0.0, 1.2]],
            2 => &[[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
            3 => &[[0.0, -1.2], [1.1, 0.8], [-1.1, 0.8]],
            4 => &[[0.0, 1.2], [1.1, -0.8], [-1.1, -0.8]],
            _ => &[[-1.2, -0.35], [1.2, -0.35], [1.2, 0.35], [-1.2, 0.35]],
        };
        let points: Vec<_> = corners
            .iter()
            .map(|c| [x + c[0] * r, y + c[1] * r])
            .collect();
        self.path(class, &points, true, Some(title));
    }

    /// A text with its baseline at `y`.
    pub(crate) fn text(&mut self, class: &str, anchor: Anchor, x: f64, y: f64, text: &str) {
        self.text_titled(class, anchor, [x, y], text, None);
    }

    /// A text with a title, for one that was shortened.
    pub(crate) fn text_titled(
        &mut self,
        class: &str,
        anchor: Anchor,
        at: [f64; 2],
        text: &str,
        title: Option<&str>,
    ) {
        if !at[0].is_finite() || !at[1].is_finite() || text.is_empty() {
            return;
        }
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " mid",
            Anchor::End => " end",
        };
        let _ = write!(
            self.body,
            "<text class=\"{class}{anchor}\" x=\"{}\" y=\"{}\">",
            place(at[0]),
            place(at[1]),
        );
        if let Some(title) = title {
            let _ = write!(self.body, "<title>{}</title>", escape(title));
        }
        let _ = writeln!(self.body, "{}</text>", escape(text));
    }

    /// The picture as an element of an HTML page that carries [`CHART_CSS`]. `id` must be unique on the page and plain
    /// (letters, digits, `-`); `class` is added for the page's style.
    pub fn inline(&self, id: &str, class: &str) -> String {
        let (w, h) = (place(self.width), place(self.height));
        format!(
            "<svg class=\"chart {class}\" id=\"{id}\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" \
             aria-labelledby=\"{id}-t\" aria-describedby=\"{id}-d\">\n{}</svg>",
            self.inside(id)
        )
    }

    /// The picture as a file of its own: with its title above, its style, its paper, and dark colours for readers who
    /// prefer them.
    pub fn standalone(&self) -> String {
        let (w, h) = (place(self.width + 32.0), place(self.height + 62.0));
        let title = escape(&fit(&self.title, self.width * 0.9, 16.0));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" id=\"chart\" viewBox=\"-16 -46 {w} {h}\" \
             width=\"{w}\" height=\"{h}\" role=\"img\" aria-labelledby=\"chart-t\" \
             aria-describedby=\"chart-d\">\n<style>{CHART_CSS}</style>\n\
             <rect class=\"paper\" x=\"-16\" y=\"-46\" width=\"{w}\" height=\"{h}\"/>\n\
             <text class=\"heading\" x=\"0\" y=\"-17\">{title}</text>\n{}</svg>\n",
            self.inside("chart")
        )
    }

    fn inside(&self, id: &str) -> String {
        format!(
            "<title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n{}",
            escape(&self.title),
            escape(&self.desc),
            self.body.replace(ID, id)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_control_characters_are_gone() {
        assert_eq!(
            escape("<a href=\"x\">'&\u{1}\u{0}"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;  "
        );
    }

    #[test]
    fn a_mark_that_has_no_place_is_left_out() {
        let mut svg = Svg::new(10.0, 10.0, "t", "d");
        svg.rect("bar", [f64::NAN, 0.0, 1.0, 1.0], None);
        svg.circle("dot", [0.0, f64::INFINITY], 1.0, None);
        svg.text("label", Anchor::Start, f64::NAN, 0.0, "x");
        svg.path("line", &[[0.0, 0.0], [f64::NAN, 1.0]], false, None);
        assert_eq!(svg.body, "");
    }

    #[test]
    fn coordinates_have_one_decimal_and_no_negative_zero() {
        assert_eq!(
            [1.0, 1.25, -0.04, 12.34].map(place),
            ["1", "1.2", "0", "12.3"]
        );
    }

    #[test]
    fn a_long_text_is_cut_to_its_place() {
        let cut = fit("a very long name of a method", 60.0, 12.0);
        assert!(
            cut.ends_with('…') && text_width(&cut, 12.0) <= 72.0,
            "{cut}"
        );
        assert_eq!(fit("mean", 60.0, 12.0), "mean");
    }

    #[test]
    fn a_standalone_file_has_its_style_and_no_address_but_the_namespace() {
        let file = Svg::no_data(300.0, "Votes").standalone();
        assert!(file.contains("prefers-color-scheme"));
        assert!(file.contains("no data yet"));
        assert_eq!(file.matches("http").count(), 1);
    }
}
