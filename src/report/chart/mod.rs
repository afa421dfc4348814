//! Charts as SVG: text stays text, every mark tells its numbers on hover, one picture suits light, dark and paper, and no
//! chart relies on colour alone. The same numbers give the same bytes.
//!
//! Colours are those of Okabe and Ito (2008), darkened or lightened with the paper where contrast needs it.

mod axes;
mod bars;
mod cloud;
mod curves;
mod forest;
mod gallery;
mod histogram;
mod line;
mod matrix;
mod scale;
mod svg;

pub use axes::{Axis, Mark, MarkKind};
pub use bars::{Bar, Bars};
pub use cloud::{Cloud, CloudCurve, CloudPoint};
pub use curves::{Counts, CurveDot, CurveSeries, Curves, Stretch};
pub(crate) use forest::mini_interval;
pub use forest::{Forest, ForestRow};
pub use gallery::{Answered, Gallery, GalleryCard};
pub use histogram::{Bins, Histogram, HistogramGroup};
pub use line::{Line, LinePoint, LineSeries, Scatter, ScatterPoint};
pub use matrix::Matrix;
pub use svg::{CHART_CSS, Svg};

use serde::{Deserialize, Serialize};

/// Width of a chart on a desk and on paper, in CSS pixels.
pub const WIDE: f64 = 840.0;
/// Width of a chart on a phone, where a scaled-down wide one could not be read.
pub const NARROW: f64 = 328.0;

/// Any chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Chart {
    /// Counts in bins.
    Histogram(Histogram),
    /// Points with intervals.
    Forest(Forest),
    /// Horizontal bars, stacked.
    Bars(Bars),
    /// Curves with bands.
    Line(Line),
    /// Points, with a line if wanted.
    Scatter(Scatter),
    /// Sides by the true answer, with counts below.
    Curves(Curves),
    /// Points with a smooth curve.
    Cloud(Cloud),
    /// Cards with photos.
    Gallery(Gallery),
    /// Amounts by pair.
    Matrix(Matrix),
}

impl Chart {
    /// Draws it `width` CSS pixels wide; [`WIDE`] and [`NARROW`] are what the page uses.
    pub fn draw(&self, width: f64) -> Svg {
        match self {
            Self::Histogram(chart) => chart.draw(width),
            Self::Forest(chart) => chart.draw(width),
            Self::Bars(chart) => chart.draw(width),
            Self::Line(chart) => chart.draw(width),
            Self::Scatter(chart) => chart.draw(width),
            Self::Curves(chart) => chart.draw(width),
            Self::Cloud(chart) => chart.draw(width),
            Self::Gallery(chart) => chart.draw(width),
            Self::Matrix(chart) => chart.draw(width),
        }
    }
}
