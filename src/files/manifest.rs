//! Rows of people in photos: where the picture is, whose boxes, how old and of which sex if that is known.
//!
//! The layouts people have are read by their usual names, without settings: any table with a column `path` or `img_name`,
//! MiVOLO's annotation files (boxes of faces and persons, rows of other people in the photo) and the files of IMDB-clean.

use super::{Row, Skipped, Table, columns::Cell, table::parse_number};
use crate::{Problem, Result, config::BoxColumns, problem};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};
pub use veche_pools::PixelBox;

/// How old somebody is, as a data set says it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrueAge {
    /// Years.
    Years(f64),
    /// A class of ages, both ends as written and included: `25;32` and `25-32` are 25 to 32 and hold whoever is between the
    /// 25th and the 33rd birthday. The class without an upper end, `70+`, has an infinite `high`.
    Class {
        /// The lowest age, years.
        low: f64,
        /// The highest age, years.
        high: f64,
    },
}

/// Sex as data sets record it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Sex {
    Male,
    Female,
}

impl Sex {
    /// `male` or `female`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

impl fmt::Display for Sex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One person in one photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Photo {
    /// Row of the file, the header being row 1.
    pub row: usize,
    /// The picture as the file names it, relative to [`Manifest::pictures`].
    pub path: String,
    /// The owner's name for this person, where a column gives one.
    pub id: Option<String>,
    /// The true age, if the file knows it.
    pub age: Option<TrueAge>,
    /// The true sex, if the file knows it.
    pub sex: Option<Sex>,
    /// The face, pixels of the upright picture.
    pub face: Option<PixelBox>,
    /// The whole person, pixels of the upright picture.
    pub body: Option<PixelBox>,
    /// Nobody asks about this person, who is in the photo beside others: only to be blacked out of their bodies' crops.
    pub other_person: bool,
}

/// Which columns were taken for what, as the file spells them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnsAsRead {
    /// The picture; a template such as `{face_id}_03.jpg` if one was asked for.
    pub path: String,
    /// The owner's name of each person.
    pub id: Option<String>,
    /// Age.
    pub age: Option<String>,
    /// Sex.
    pub sex: Option<String>,
    /// Left, upper, right and lower edge of the face.
    pub face: Option<BoxColumns>,
    /// The same of the whole person.
    pub body: Option<BoxColumns>,
}

/// People in photos, in the file's order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifest {
    /// The file; empty for rows that come from elsewhere.
    pub file: PathBuf,
    /// The folder that paths of pictures are relative to.
    pub pictures: PathBuf,
    /// One entry per person.
    pub rows: Vec<Photo>,
    /// What was read from where.
    pub columns_as_read: ColumnsAsRead,
}

/// How to read a manifest. The default finds the columns by their usual names and reads truths strictly.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestOptions {
    /// Column, or template with columns in braces, that names the picture.
    pub path: Option<String>,
    /// Column with the owner's name of each person. `None`: none, see [`Manifest::names`].
    pub id: Option<String>,
    /// Column of the true age.
    pub age: Option<String>,
    /// Column of the true sex.
    pub sex: Option<String>,
    /// How the file spells male and female, where it does not say so in words: `["0", "1"]` in UTKFace.
    pub sexes: Option<[String; 2]>,
    /// Columns of the face's edges.
    pub face: Option<BoxColumns>,
    /// Columns of the person's edges.
    pub body: Option<BoxColumns>,
    /// Folder of the pictures; that of the file by default.
    pub pictures: Option<PathBuf>,
    /// Whether ages and sexes are wanted. If not, their cells are only asked whether they say −1.
    pub truths: bool,
}

impl Default for ManifestOptions {
    fn default() -> Self {
        Self {
            path: None,
            id: None,
            age: None,
            sex: None,
            sexes: None,
            face: None,
            body: None,
            pictures: None,
            truths: true,
        }
    }
}

/// Names under which columns are looked for, the most telling first.
const PATHS: [&str; 8] = [
    "path", "img_name", "filename", "file", "image", "picture", "img", "photo",
];
const AGES: [&str; 5] = ["age", "real_age", "true_age", "face_age", "age_group"];
const SEXES: [&str; 4] = ["gender", "sex", "true_sex", "face_gender"];
/// The first four are MiVOLO's, the next IMDB-clean's.
const FACES: [[&str; 4]; 2] = [
    ["face_x0", "face_y0", "face_x1", "face_y1"],
    ["x_min", "y_min", "x_max", "y_max"],
];
const BODIES: [[&str; 4]; 2] = [
    ["person_x0", "person_y0", "person_x1", "person_y1"],
    ["body_x0", "body_y0", "body_x1", "body_y1"],
];

/// What people write where a value is missing; −1 besides.
const MISSING: [&str; 6] = ["", "na", "n/a", "nan", "null", "none"];

/// Above this an age is a slip.
const OLDEST_YEARS: f64 = 150.0;

/// Reads people in photos from CSV, TSV or Parquet.
///
/// A picture is named by `path`, `img_name`, `filename`, `file`, `image` or `picture`; a face by `face_x0`, `face_y0`,
/// `face_x1`, `face_y1` or `x_min`, `y_min`, `x_max`, `y_max`; a person by `person_x0` …; an age by `age`, a sex by
/// `gender` or `sex`. A box whose four edges are −1 or empty is missing. Columns may be missing except the picture's.
///
/// A row whose age and sex are both −1 is of another person in the photo, unless all rows are.
///
/// Errors, each naming row and column: no picture's name, half a box, a box without width or height, edges, ages or sexes
/// that cannot be read, an age outside 0 to 150 years. With lenient `skipped` such rows are left out and counted; the file
/// must have one good row.
pub fn read_manifest(
    path: &Path,
    options: &ManifestOptions,
    skipped: &mut Skipped,
) -> Result<Manifest> {
    let table = Table::read_skipping(path, skipped)?;
    let columns = Columns::find(&table, options)?;
    let mut rows = Vec::with_capacity(table.len());
    for row in table.rows() {
        match columns.read(row, options) {
            Ok(photo) => rows.push(photo),
            Err(problem) => skipped.take(problem)?,
        }
    }
    if rows.is_empty() {
        return problem("no row is left")
            .file(path)
            .hint(skipped.to_string())
            .fail();
    }
    if rows.iter().all(|r| r.other_person) {
        // Nobody's age is known and everybody is asked about.
        rows.iter_mut().for_each(|r| r.other_person = false);
    }
    let near = || path.parent().map(Path::to_path_buf).unwrap_or_default();
    Ok(Manifest {
        file: path.to_owned(),
        pictures: options.pictures.clone().unwrap_or_else(near),
        rows,
        columns_as_read: columns.as_read,
    })
}

impl Manifest {
    /// Where the picture of a row is.
    pub fn picture(&self, photo: &Photo) -> PathBuf {
        self.pictures.join(&photo.path)
    }

    /// The rows of each picture, other people included; pictures in the order in which they are first named, rows rising.
    pub fn by_picture(&self) -> Vec<Vec<usize>> {
        let mut place = BTreeMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (at, photo) in self.rows.iter().enumerate() {
            let group = *place.entry(photo.path.as_str()).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[group].push(at);
        }
        groups
    }

    /// A name for each row that is not another person's, unique among them; empty text for the others.
    ///
    /// The id where there is one; else the path, and where a picture shows several people the path with the face's (or
    /// else the person's) edges behind it: `a.jpg#10,20,50,70`, as pools name them.
    /// Errors: two rows with one id, or one picture twice with the same boxes.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names = vec![String::new(); self.rows.len()];
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for group in self.by_picture() {
            let asked: Vec<usize> = group
                .into_iter()
                .filter(|&i| !self.rows[i].other_person)
                .collect();
            for &i in &asked {
                let photo = &self.rows[i];
                names[i] = match (&photo.id, photo.face.or(photo.body)) {
                    (Some(id), _) => id.clone(),
                    (None, Some(b)) if asked.len() > 1 => format!(
                        "{}#{:.0},{:.0},{:.0},{:.0}",
                        photo.path, b.x0, b.y0, b.x1, b.y1
                    ),
                    (None, _) => photo.path.clone(),
                };
                if let Some(first) = seen.insert(names[i].clone(), photo.row) {
                    return problem("the same person stands in an earlier row")
                        .file(&self.file)
                        .row(photo.row as u64)
                        .value(&names[i])
                        .hint(format!(
                            "it is also in row {first}: delete one, or name a column with unique ids"
                        ))
                        .fail();
                }
            }
        }
        Ok(names)
    }
}

/// The columns found in one table.
struct Columns {
    path: Cell,
    id: Option<usize>,
    age: Option<usize>,
    sex: Option<usize>,
    face: Option<[usize; 4]>,
    body: Option<[usize; 4]>,
    as_read: ColumnsAsRead,
}

impl Columns {
    fn find(table: &Table, options: &ManifestOptions) -> Result<Self> {
        let spelled = |at: usize| table.columns()[at].clone();
        let (path, path_name) = match &options.path {
            Some(name) => (Cell::find(table, name)?, name.clone()),
            None => {
                let at = table.column_of(&PATHS)?;
                (Cell::Column(at), spelled(at))
            }
        };
        let column = |asked: &Option<String>, usual: &[&str]| -> Result<Option<usize>> {
            match asked {
                Some(name) => table.column(name).map(Some),
                None => Ok(usual.iter().find_map(|name| table.find(name))),
            }
        };
        let edges = |asked: &Option<BoxColumns>,
                     usual: &[[&str; 4]]|
         -> Result<Option<[usize; 4]>> {
            let names = match asked {
                Some(names) => names.each_ref().map(String::as_str),
                // All four are asked for where one is there: a box with three edges is a slip worth hearing of.
                None => {
                    let any = |names: &&[&str; 4]| names.iter().any(|n| table.find(n).is_some());
                    match usual.iter().find(any) {
                        Some(names) => *names,
                        None => return Ok(None),
                    }
                }
            };
            let mut found = [0; 4];
            for (at, name) in found.iter_mut().zip(names) {
                *at = table.column(name)?;
            }
            Ok(Some(found))
        };
        let id = options.id.as_ref().map(|n| table.column(n)).transpose()?;
        let age = column(&options.age, &AGES)?;
        let sex = column(&options.sex, &SEXES)?;
        let face = edges(&options.face, &FACES)?;
        let body = edges(&options.body, &BODIES)?;
        Ok(Self {
            as_read: ColumnsAsRead {
                path: path_name,
                id: id.map(spelled),
                age: age.map(spelled),
                sex: sex.map(spelled),
                face: face.map(|e| e.map(spelled)),
                body: body.map(|e| e.map(spelled)),
            },
            path,
            id,
            age,
            sex,
            face,
            body,
        })
    }

    fn read(&self, row: Row<'_>, options: &ManifestOptions) -> Result<Photo> {
        let path = self.path.text(&row);
        if path.is_empty() {
            return row.row_problem("the picture has no name").fail();
        }
        let id = self.id.map(|c| match row.text(c) {
            Some(id) => Ok(id.to_owned()),
            None => row.problem(c, "the id is missing").fail(),
        });
        let truth = |c: &Option<usize>| c.map(|c| row.get(c).trim());
        let truths = [truth(&self.age), truth(&self.sex)];
        let said = truths.iter().flatten().count();
        let other_person = said > 0 && truths.iter().flatten().all(|text| is_minus_one(text));
        let (mut age, mut sex) = (None, None);
        if options.truths {
            if let Some(c) = self.age {
                age = parse_age(row.get(c)).map_err(|what| row.problem(c, what))?;
            }
            if let Some(c) = self.sex {
                sex = parse_sex(row.get(c), options.sexes.as_ref())
                    .map_err(|what| row.problem(c, what))?;
            }
        }
        Ok(Photo {
            row: row.number() as usize,
            path,
            id: id.transpose()?,
            age,
            sex,
            face: self.face.map(|c| read_box(row, c)).transpose()?.flatten(),
            body: self.body.map(|c| read_box(row, c)).transpose()?.flatten(),
            other_person,
        })
    }
}

fn is_missing(text: &str) -> bool {
    MISSING.iter().any(|m| text.eq_ignore_ascii_case(m))
}

fn is_minus_one(text: &str) -> bool {
    text.parse() == Ok(-1.0)
}

/// A box from its four cells; `None` if all say missing.
fn read_box(row: Row<'_>, columns: [usize; 4]) -> Result<Option<PixelBox>> {
    let cells = columns.map(|c| row.get(c).trim());
    if cells.iter().all(|t| is_minus_one(t) || is_missing(t)) {
        return Ok(None);
    }
    let mut edges = [0.0; 4];
    for ((edge, text), column) in edges.iter_mut().zip(cells).zip(columns) {
        if is_missing(text) {
            let p = row.problem(column, "one edge of the box is missing and others are not");
            return p.hint("give all four, or -1 in all four").fail();
        }
        *edge = parse_number(text).map_err(|what| -> Box<Problem> {
            row.problem(column, format!("the edge of a box {what}"))
                .into()
        })?;
    }
    let [x0, y0, x1, y1] = edges;
    match PixelBox::new(x0, y0, x1, y1) {
        Some(found) => Ok(Some(found)),
        None => row
            .problem(columns[0], "a box without width or height in the picture")
            .value(format!("{x0}, {y0}, {x1}, {y1}"))
            .hint("edges are left, upper, right, lower in pixels; -1 in all four says missing")
            .fail(),
    }
}

/// An age as data sets write it: `31`, `31.5`, `25;32`, `25-32`, `(25, 32)`, `70+`, `more than 70`. Missing: empty, −1, `nan`
/// and the like. The error says why it is none.
pub fn parse_age(text: &str) -> Result<Option<TrueAge>, &'static str> {
    const SPAN: &str = "the age lies outside 0 to 150 years";
    let text = text.trim();
    if is_missing(text) || is_minus_one(text) {
        return Ok(None);
    }
    let in_range = |years: f64| (0.0..=OLDEST_YEARS).contains(&years);
    // Of `(25, 32)` the comma is no decimal sign.
    let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
    if inner.is_none()
        && let Ok(years) = parse_number(text)
    {
        return if in_range(years) {
            Ok(Some(TrueAge::Years(years)))
        } else {
            Err(SPAN)
        };
    }
    let lower = text.to_ascii_lowercase();
    let open = (lower.strip_prefix("more than "))
        .or_else(|| lower.strip_prefix('>'))
        .or_else(|| lower.strip_suffix('+'));
    let (low, high) = if let Some(low) = open {
        (parse_number(low.trim()), Ok(f64::INFINITY))
    } else {
        let inner = inner.unwrap_or(text);
        let separators: &[char] = &[';', '-', '–', ','];
        let Some((low, high)) = inner.split_once(separators) else {
            return Err("is not an age");
        };
        (parse_number(low.trim()), parse_number(high.trim()))
    };
    match (low, high) {
        (Ok(low), Ok(high)) if !in_range(low) || (high.is_finite() && !in_range(high)) => Err(SPAN),
        (Ok(low), Ok(high)) if low <= high => Ok(Some(TrueAge::Class { low, high })),
        (Ok(_), Ok(_)) => Err("is a class of ages that ends before it begins"),
        _ => Err("is not an age"),
    }
}

/// A sex as data sets write it: `M`, `F`, `male`, `female`, `man`, `woman` in any case; other spellings (0 and 1 mean opposite
/// things in different sets) by `spelled`, male first. Missing: empty, −1, `nan` and the like.
pub fn parse_sex(text: &str, spelled: Option<&[String; 2]>) -> Result<Option<Sex>, &'static str> {
    let text = text.trim();
    if let Some([male, female]) = spelled {
        if text == male {
            return Ok(Some(Sex::Male));
        } else if text == female {
            return Ok(Some(Sex::Female));
        }
    }
    if is_missing(text) || is_minus_one(text) {
        return Ok(None);
    }
    match text.to_ascii_lowercase().as_str() {
        "m" | "male" | "man" => Ok(Some(Sex::Male)),
        "f" | "female" | "woman" => Ok(Some(Sex::Female)),
        "0" | "1" => Err("says 0 or 1, which means male in some data sets and female in others"),
        _ => Err("is not a sex"),
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
