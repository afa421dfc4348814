//! Chapters that any analysis can fill: sentences, pictures, tables and photos, passage by passage.

use super::blocks::{Block, Cell, Easel, Fact, PictureCard, Row, Section, Table};
use super::chart::Chart;
use super::data::{Made, Picture};
use super::format::{NONE, interval, number, percent};
use serde::{Deserialize, Serialize};

/// A chapter of the page: curves, audits, a benchmark.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Chapter {
    /// Its address on the page; small letters, digits and `-`, unique.
    pub id: String,
    /// Its heading.
    pub heading: String,
    /// A sentence below the heading; may be empty.
    pub intro: String,
    /// What it has to say, in order.
    pub passages: Vec<Passage>,
}

/// One subject of a chapter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Passage {
    /// Its heading.
    pub heading: String,
    /// Its sentences, the most important first.
    pub text: Vec<String>,
    /// Its pictures.
    pub drawings: Vec<Drawing>,
    /// Photos with what is known about them.
    pub photos: Vec<Photo>,
    /// Its tables.
    pub grids: Vec<Grid>,
    /// What made it.
    pub made: Made,
}

/// A picture with the name of its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    /// The file that `--figures` writes, without ending.
    pub file: String,
    /// The chart.
    pub chart: Chart,
}

/// A photo with facts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Photo {
    /// The item's name.
    pub name: String,
    /// The photo.
    pub picture: Option<Picture>,
    /// Name and value of what is known about it.
    pub facts: Vec<(String, String)>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Grid {
    /// What it holds.
    pub caption: String,
    /// Headings of its columns, and whether each holds numbers.
    pub columns: Vec<(String, bool)>,
    /// Its rows.
    pub rows: Vec<Vec<GridCell>>,
    /// Whether it is shown only when asked for; such tables stay off the paper.
    pub folded: bool,
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum GridCell {
    /// Text.
    Text(String),
    /// A number with so many decimals; a dash if there is none.
    Number(Option<f64>, usize),
    /// A count.
    Count(Option<u64>),
    /// A share, 0 to 1, in per cent.
    Share(Option<f64>),
    /// Two ends with so many decimals.
    Interval(Option<(f64, f64)>, usize),
    /// Two ends in per cent.
    ShareInterval(Option<(f64, f64)>),
}

impl GridCell {
    fn cell(&self) -> Cell {
        let ends = |ends: &Option<(f64, f64)>, text: &dyn Fn(f64) -> String| {
            let low = ends.map(|(low, _)| low);
            Cell::number(low, |_| {
                ends.map_or_else(
                    || NONE.to_owned(),
                    |(low, high)| interval(&text(low), &text(high)),
                )
            })
        };
        match self {
            Self::Text(text) => Cell::text(text),
            Self::Number(value, decimals) => Cell::number(*value, |v| number(v, *decimals)),
            Self::Count(Some(n)) => Cell::count(*n),
            Self::Count(None) => Cell::number(None, |_| String::new()),
            Self::Share(value) => Cell::number(*value, percent),
            Self::Interval(of, decimals) => ends(of, &|v| number(v, *decimals)),
            Self::ShareInterval(of) => ends(of, &percent),
        }
    }
}

impl Grid {
    fn table(&self) -> Table {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|(name, numeric)| {
                if *numeric {
                    format!("#{name}")
                } else {
                    name.clone()
                }
            })
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut table = Table::new(&self.caption, &names);
        table.folded = self.folded;
        table.rows = self
            .rows
            .iter()
            .map(|row| Row {
                strong: false,
                cells: row.iter().map(GridCell::cell).collect(),
            })
            .collect();
        table
    }
}

/// The chapter as a section of the page.
pub(crate) fn chapter(data: &Chapter, easel: &mut Easel) -> Section {
    let blocks = data.passages.iter().enumerate().map(|(i, passage)| Block {
        id: format!("{}-{}", data.id, i + 1),
        heading: passage.heading.clone(),
        text: passage.text.clone(),
        figures: passage
            .drawings
            .iter()
            .filter_map(|d| easel.titled(&d.chart))
            .collect(),
        cards: passage.photos.iter().map(card).collect(),
        tables: passage
            .grids
            .iter()
            .filter(|g| !g.rows.is_empty())
            .map(Grid::table)
            .collect(),
        made: Some(passage.made.clone()),
        ..Block::default()
    });
    Section {
        id: data.id.clone(),
        heading: data.heading.clone(),
        intro: data.intro.clone(),
        blocks: blocks.collect(),
    }
}

fn card(photo: &Photo) -> PictureCard {
    PictureCard {
        name: photo.name.clone(),
        src: photo.picture.as_ref().map_or("", |p| p.uri()).to_owned(),
        alt: format!("Photo {}", photo.name),
        facts: photo
            .facts
            .iter()
            .map(|(name, value)| Fact::new(name, value))
            .collect(),
        chart: None,
    }
}
