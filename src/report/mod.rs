//! Numbers in, HTML and SVG out. Nothing is computed here but where ink goes.
//!
//! A command fills a [`ReportData`] and calls [`page`]; [`bakeoff_svg`] and [`annotators_svg`] draw one picture as a file.
//! The page is one file that asks the network for nothing, and its policy forbids it to.

mod blocks;
mod cards;
mod chapter;
pub mod chart;
mod data;
pub(crate) mod format;
mod page;
mod question;
#[cfg(test)]
mod sample;

pub use cards::{HardCard, hard_cards};
pub use chapter::{Chapter, Drawing, Grid, GridCell, Passage, Photo};
pub use data::*;
pub use page::{annotators_svg, bakeoff_inline, bakeoff_svg, figures, page};
