//! A square of cells, darker where there is more: who met whom.

use super::axes;
use super::svg::{Anchor, Svg, fit, text_width};
use crate::report::format::number;
use serde::{Deserialize, Serialize};

/// A symmetric table of amounts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// What the picture is called.
    pub title: String,
    /// What is counted: `common items`.
    pub counted: String,
    /// Names of rows, and of columns in the same order.
    pub names: Vec<String>,
    /// Amounts by row and column; what is not finite is left empty.
    pub cells: Vec<Vec<f64>>,
}

impl Matrix {
    /// Draws it at most `width` CSS pixels wide.
    pub fn draw(&self, width: f64) -> Svg {
        let n = self.names.len();
        let largest = self
            .cells
            .iter()
            .flatten()
            .copied()
            .filter(|v| v.is_finite())
            .fold(0.0, f64::max);
        if n == 0 || largest <= 0.0 {
            return Svg::no_data(width, &self.title);
        }
        let desc = format!(
            "{} by pair of {n} rows; at most {}.",
            self.counted,
            number(largest, 0)
        );
        let mut svg = Svg::new(width, 0.0, &self.title, &desc);
        let named = n <= 40 && width >= 500.0;
        let left = if named { 120.0 } else { 0.0 };
        let cell = ((width - left) / n as f64).min(34.0).min(560.0 / n as f64);
        let top = 30.0;
        // The legend: five steps of darkness.
        svg.text("name", Anchor::Start, 0.0, 14.0, &self.counted);
        for i in 0..6 {
            let share = f64::from(i) / 5.0;
            let at = [
                text_width(&self.counted, axes::NORMAL) + 40.0 + 40.0 * f64::from(i),
                3.0,
                38.0,
                14.0,
            ];
            svg.shade("fill s1", at, share, &number(share * largest, 0));
            let text = number(share * largest, 0);
            if i == 0 {
                svg.text("tick", Anchor::End, at[0] - 4.0, 14.0, &text);
            } else if i == 5 {
                svg.text("tick", Anchor::Start, at[0] + 42.0, 14.0, &text);
            }
        }
        let side = cell * n as f64;
        svg.rect("empty", [left, top, side, side], None);
        for (r, row) in self.cells.iter().enumerate() {
            let y = top + cell * r as f64;
            if named {
                let shown = fit(&self.names[r], left - 10.0, axes::SMALL);
                let at = [left - 6.0, y + cell / 2.0 + 4.0];
                svg.text_titled("tick", Anchor::End, at, &shown, Some(&self.names[r]));
            }
            for (c, value) in row.iter().enumerate() {
                if !value.is_finite() || *value <= 0.0 {
                    continue;
                }
                let at = [
                    left + cell * c as f64,
                    y,
                    (cell - 0.5).max(0.5),
                    (cell - 0.5).max(0.5),
                ];
                let d = usize::from(value.fract() != 0.0);
                let title = format!(
                    "{} and {}: {} {}",
                    self.names[r],
                    self.names[c],
                    number(*value, d),
                    self.counted
                );
                svg.shade("fill s1", at, value / largest, &title);
            }
        }
        svg.set_height(top + side + 8.0);
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_darker_and_nothing_is_empty() {
        let matrix = Matrix {
            title: "Who met whom".into(),
            counted: "common items".into(),
            names: vec!["a".into(), "b".into()],
            cells: vec![vec![f64::NAN, 8.0], vec![4.0, f64::NAN]],
        };
        let svg = matrix.draw(640.0).inline("m", "");
        assert!(
            svg.contains("a and b: 8 common items") && svg.contains("b and a: 4 common items"),
            "{svg}"
        );
        assert!(svg.contains("fill-opacity=\"1\"") && !svg.contains("NaN"));
        let none = Matrix {
            names: vec![],
            cells: vec![],
            ..matrix
        };
        assert!(none.draw(320.0).inline("m", "").contains("no data yet"));
    }
}
