//! A frozen benchmark on disk: `benchmark.json`, `items.csv` and its pictures.

use super::{freeze::LabelError, ranges::AgeRange};
use crate::{
    Problem, Result,
    files::{
        Row, Table,
        manifest::{PixelBox, Sex, parse_sex},
        write_atomically,
    },
    problem,
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};
use veche_analysis::benchmark::ranking::Known;

/// The file that makes a folder a benchmark.
pub const MANIFEST: &str = "benchmark.json";
/// The folder of the pictures inside it.
pub(super) const PICTURES: &str = "pictures";
/// Version of the layout.
pub(super) const FORMAT: u32 = 1;

/// What `benchmark.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Version of the layout, 1.
    pub format: u32,
    /// The benchmark's name.
    pub name: String,
    /// Its edition.
    pub edition: String,
    /// The version of veche that made it.
    pub version: String,
    /// Decided between items of equal certainty.
    pub seed: u64,
    /// Items.
    pub items: usize,
    /// Pictures, fewer than items where several people share one; 0 if it was written without.
    pub pictures: usize,
    /// Most women, and most men, in one range.
    pub cap: u32,
    /// Most items of one photo.
    pub per_photo: u32,
    /// Ranges with fewer than the cap.
    pub ranges_short: usize,
    /// Mean width of the labels' intervals, years, if known.
    pub mean_interval_width_years: Option<f64>,
    /// Error of the labels on controls, if measured.
    pub label_error: Option<LabelError>,
    /// BLAKE3 of items.csv.
    pub items_blake3: String,
}

/// One item of a benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct FrozenItem {
    /// The item's name.
    pub item: String,
    /// Its picture, relative to the folder.
    pub file: Option<String>,
    /// Age in years, where the label is a number.
    pub age: Option<f64>,
    /// Lowest age of its class, where the label is a class.
    pub age_low: Option<f64>,
    /// Highest age of its class, included; `None` also for a class without an upper end.
    pub age_high: Option<f64>,
    /// Sex.
    pub sex: Sex,
    /// The range in which it is balanced.
    pub range: AgeRange,
    /// Values of the strata; empty without.
    pub stratum: String,
    /// Width of the label's interval, years.
    pub width: Option<f64>,
    /// The photo it is from.
    pub photo: String,
    /// Face, pixels.
    pub face: Option<PixelBox>,
    /// Body, pixels.
    pub body: Option<PixelBox>,
    /// Licence.
    pub licence: Option<String>,
    /// Source.
    pub source: Option<String>,
    /// Size of the picture.
    pub bytes: Option<u64>,
    /// BLAKE3 of the picture.
    pub blake3: Option<String>,
}

impl FrozenItem {
    /// The age as MiVOLO's files write it: `31.5`, or `25;32` for a class; a class without an upper end goes to 120.
    pub fn age_text(&self) -> String {
        match (self.age, self.age_low) {
            (Some(years), _) => years.to_string(),
            (None, Some(low)) => format!("{low};{}", self.age_high.unwrap_or(120.0)),
            (None, None) => "-1".into(),
        }
    }

    /// What a model is judged by.
    pub fn known(&self) -> Known {
        let range = match (self.age_low, self.age_high) {
            (Some(low), high) => (low, high.map_or(f64::INFINITY, |h| h + 1.0)),
            (None, _) => (self.range.from, self.range.to.unwrap_or(f64::INFINITY)),
        };
        Known {
            age: self.age,
            range: Some(range),
            is_male: Some(self.sex == Sex::Male),
        }
    }
}

/// A benchmark as read.
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen {
    /// The folder.
    pub dir: PathBuf,
    /// What `benchmark.json` says.
    pub description: Description,
    /// Its items.
    pub items: Vec<FrozenItem>,
}

const COLUMNS: [&str; 24] = [
    "item",
    "file",
    "age",
    "age_low",
    "age_high",
    "sex",
    "range",
    "range_from",
    "range_to",
    "stratum",
    "width",
    "photo",
    "face_x0",
    "face_y0",
    "face_x1",
    "face_y1",
    "person_x0",
    "person_y0",
    "person_x1",
    "person_y1",
    "licence",
    "source",
    "bytes",
    "blake3",
];

/// Writes items.csv; returns its BLAKE3.
pub(super) fn write_items(path: &Path, items: &[FrozenItem]) -> Result<String> {
    write_atomically(path, |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record(COLUMNS)?;
        let number = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
        let text = |v: &Option<String>| v.clone().unwrap_or_default();
        for i in items {
            let mut cells = vec![
                i.item.clone(),
                text(&i.file),
                number(i.age),
                number(i.age_low),
                number(i.age_high),
                i.sex.name().to_owned(),
                i.range.name.clone(),
                i.range.from.to_string(),
                number(i.range.to),
                i.stratum.clone(),
                number(i.width),
                i.photo.clone(),
            ];
            for the_box in [i.face, i.body] {
                let edges = the_box.map_or([None; 4], |b| [b.x0, b.y0, b.x1, b.y1].map(Some));
                cells.extend(edges.map(number));
            }
            cells.extend([text(&i.licence), text(&i.source)]);
            cells.push(i.bytes.map(|b| b.to_string()).unwrap_or_default());
            cells.push(text(&i.blake3));
            csv.write_record(&cells)?;
        }
        csv.flush()
    })?;
    hash_of(path)
}

/// BLAKE3 of a file, in hexadecimal digits.
pub(super) fn hash_of(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|e| Problem::io("read the file", path, &e))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

/// Reads `benchmark.json` alone.
pub(super) fn read_description(dir: &Path) -> Result<Description> {
    let path = dir.join(MANIFEST);
    if !path.is_file() {
        return problem(format!("there is no benchmark here: {MANIFEST} is missing"))
            .file(dir)
            .hint("name the folder that `veche benchmark build` wrote")
            .fail();
    }
    let text = fs::read_to_string(&path).map_err(|e| Problem::io("read the file", &path, &e))?;
    let description: Description = serde_json::from_str(&text).map_err(|e| {
        Box::new(problem(format!("is not the description of a benchmark: {e}")).file(&path))
    })?;
    if description.format > FORMAT {
        return problem(format!(
            "format {} is newer than this program",
            description.format
        ))
        .file(&path)
        .hint("use a newer veche")
        .fail();
    }
    Ok(description)
}

/// Reads a benchmark. The hashes are not compared; that is what `verify` does.
pub fn read_frozen(dir: &Path) -> Result<Frozen> {
    let description = read_description(dir)?;
    let table = Table::read(dir.join("items.csv"))?;
    let at = COLUMNS
        .iter()
        .map(|name| table.column(name))
        .collect::<Result<Vec<_>>>()?;
    let column = |name: &str| at[COLUMNS.iter().position(|c| *c == name).unwrap_or(0)];
    let item = |row: Row<'_>| -> Result<FrozenItem> {
        let text = |name: &str| row.text(column(name)).map(str::to_owned);
        let float = |name: &str| row.float(column(name));
        let sex = parse_sex(row.get(column("sex")), None)
            .map_err(|what| row.problem(column("sex"), what))?;
        let the_box = |kind: &str| -> Result<Option<PixelBox>> {
            let edge = |e: &str| float(&format!("{kind}_{e}"));
            let edges = [edge("x0")?, edge("y0")?, edge("x1")?, edge("y1")?];
            Ok(match edges {
                [Some(x0), Some(y0), Some(x1), Some(y1)] => PixelBox::new(x0, y0, x1, y1),
                _ => None,
            })
        };
        let Some(sex) = sex else {
            return row.problem(column("sex"), "is missing").fail();
        };
        Ok(FrozenItem {
            item: row.get(column("item")).to_owned(),
            file: text("file"),
            age: float("age")?,
            age_low: float("age_low")?,
            age_high: float("age_high")?,
            sex,
            range: AgeRange {
                name: text("range").unwrap_or_default(),
                from: float("range_from")?.unwrap_or(0.0),
                to: float("range_to")?,
            },
            stratum: text("stratum").unwrap_or_default(),
            width: float("width")?,
            photo: text("photo").unwrap_or_default(),
            face: the_box("face")?,
            body: the_box("person")?,
            licence: text("licence"),
            source: text("source"),
            bytes: float("bytes")?.map(|b| b as u64),
            blake3: text("blake3"),
        })
    };
    Ok(Frozen {
        dir: dir.to_owned(),
        items: table.rows().map(item).collect::<Result<_>>()?,
        description,
    })
}
