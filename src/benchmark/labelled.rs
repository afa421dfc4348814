//! Labelled items, from veche's own labels or from any table that says how old somebody is and of which sex.

use crate::{
    Result,
    files::{
        Names, Row, Skipped, Table,
        manifest::{PixelBox, Sex, TrueAge, parse_age, parse_sex},
    },
};
use std::path::Path;

/// Columns by name; what is not named is found by its usual names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabelColumns {
    /// The item.
    pub item: Option<String>,
    /// The age: a number or a class.
    pub age: Option<String>,
    /// The sex.
    pub sex: Option<String>,
    /// How the file spells male and female, where it does not say so in words.
    pub sexes: Option<[String; 2]>,
    /// The width of the label's interval, or its standard error: less is more certain.
    pub width: Option<String>,
    /// The picture's path.
    pub path: Option<String>,
    /// The photo an item was cut from.
    pub photo: Option<String>,
    /// What the copies of one picture have in common.
    pub copies: Option<String>,
    /// The licence.
    pub licence: Option<String>,
    /// Where the item comes from.
    pub source: Option<String>,
    /// Further strata.
    pub strata: Vec<String>,
}

/// One candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its place among the table's rows.
    pub at: usize,
    /// The label.
    pub age: TrueAge,
    /// The label.
    pub sex: Sex,
    /// Width of the age's interval, years, if it is known.
    pub width: Option<f64>,
}

/// Candidates, and the table they come from.
#[derive(Debug, Clone)]
pub struct Labelled {
    table: Table,
    columns: Found,
    /// Candidates with an age and a sex, in the table's order.
    pub candidates: Vec<Candidate>,
    /// Rows without an age.
    pub without_age: usize,
    /// Rows with an age and without a sex.
    pub without_sex: usize,
    /// Names of the strata's columns.
    pub strata: Vec<String>,
}

#[derive(Debug, Clone)]
struct Found {
    item: usize,
    path: Option<usize>,
    photo: Option<usize>,
    copies: Option<usize>,
    licence: Option<usize>,
    source: Option<usize>,
    strata: Vec<usize>,
    face: Option<[usize; 4]>,
    body: Option<[usize; 4]>,
}

const ITEMS: [&str; 8] = [
    "item", "id", "path", "file", "img_name", "filename", "image", "picture",
];
const PATHS: [&str; 7] = [
    "path",
    "file",
    "img_name",
    "filename",
    "image",
    "picture",
    "file_name",
];
const AGES: [&str; 6] = [
    "age",
    "estimate",
    "real_age",
    "true_age",
    "face_age",
    "age_group",
];
const SEXES: [&str; 5] = ["sex", "gender", "true_sex", "face_gender", "label"];
const WIDTHS: [&str; 3] = ["width", "age_width", "interval_width"];
const BOXES: [[&str; 4]; 4] = [
    ["face_x0", "face_y0", "face_x1", "face_y1"],
    ["x_min", "y_min", "x_max", "y_max"],
    ["person_x0", "person_y0", "person_x1", "person_y1"],
    ["body_x0", "body_y0", "body_x1", "body_y1"],
];

/// Reads labelled items from CSV, TSV or Parquet.
///
/// Found without being named: the item (`item`, `id`, a path), age (`age`, `estimate`, …), sex (`sex`, `gender`), the
/// width of the age's interval (`width`, else the distance of `low` and `high` or `age_low` and `age_high`), `path`,
/// `photo`, `licence` or `license`, `source`, boxes of faces and persons. Rows without age or sex are counted and no
/// candidates; rows whose age and sex are −1 are other people in the photo.
///
/// Errors: columns that are not there, cells that cannot be read, one item twice.
pub fn read_labelled(
    path: &Path,
    columns: &LabelColumns,
    skipped: &mut Skipped,
) -> Result<Labelled> {
    let table = Table::read_skipping(path, skipped)?;
    let optional = |asked: &Option<String>, usual: &[&str]| -> Result<Option<usize>> {
        match asked {
            Some(name) => table.column(name).map(Some),
            None => Ok(usual.iter().find_map(|name| table.find(name))),
        }
    };
    let needed = |asked: &Option<String>, usual: &[&str]| match asked {
        Some(name) => table.column(name),
        None => table.column_of(usual),
    };
    let boxes = |all: &[[&str; 4]]| {
        all.iter().find_map(|names| {
            let found: Vec<usize> = names.iter().filter_map(|n| table.find(n)).collect();
            <[usize; 4]>::try_from(found).ok()
        })
    };
    let strata = columns.strata.iter().map(|name| table.column(name));
    let found = Found {
        item: needed(&columns.item, &ITEMS)?,
        path: optional(&columns.path, &PATHS)?,
        photo: optional(&columns.photo, &["photo", "source_photo"])?,
        copies: optional(&columns.copies, &[])?,
        licence: optional(&columns.licence, &["licence", "license"])?,
        source: optional(&columns.source, &["source", "source_url"])?,
        strata: strata.collect::<Result<_>>()?,
        face: boxes(&BOXES[..2]),
        body: boxes(&BOXES[2..]),
    };
    let age = needed(&columns.age, &AGES)?;
    let sex = needed(&columns.sex, &SEXES)?;
    let width = optional(&columns.width, &WIDTHS)?;
    let ends = [["age_low", "age_high"], ["low", "high"]]
        .iter()
        .find_map(|[a, b]| Some((table.find(a)?, table.find(b)?)))
        .filter(|_| width.is_none());
    let read = |row: Row<'_>| -> Result<(Option<TrueAge>, Option<Sex>, Option<f64>)> {
        let years = parse_age(row.get(age)).map_err(|what| row.problem(age, what))?;
        let of = parse_sex(row.get(sex), columns.sexes.as_ref())
            .map_err(|what| row.problem(sex, what))?;
        let wide = match (width, ends) {
            (Some(c), _) => row.float(c)?,
            (None, Some((low, high))) => row.float(low)?.zip(row.float(high)?).map(|(a, b)| b - a),
            (None, None) => None,
        };
        if wide.is_some_and(|w| w < 0.0) {
            let column = width.or(ends.map(|e| e.0)).unwrap_or(age);
            return row
                .problem(column, "the interval has a negative width")
                .fail();
        }
        Ok((years, of, wide))
    };
    let (mut candidates, mut without_age, mut without_sex) = (Vec::new(), 0, 0);
    let mut names = Names::new();
    let mut first_row: Vec<u64> = Vec::new();
    for row in table.rows() {
        match read(row) {
            Err(p) => skipped.take(p)?,
            Ok((Some(age), Some(sex), width)) => {
                let name = item_text(row, &found);
                let index = names.intern(&name);
                if let Some(first) = first_row.get(index as usize) {
                    skipped.take(
                        row.problem(found.item, "the same item stands in an earlier row")
                            .value(&name)
                            .hint(format!("it is also in row {first}: delete one, or name a column of unique items by --item")),
                    )?;
                    continue;
                }
                first_row.push(row.number());
                candidates.push(Candidate {
                    at: row.index(),
                    age,
                    sex,
                    width,
                });
            }
            Ok((None, ..)) => without_age += 1,
            Ok((_, None, _)) => without_sex += 1,
        }
    }
    Ok(Labelled {
        strata: columns.strata.clone(),
        columns: found,
        candidates,
        without_age,
        without_sex,
        table,
    })
}

/// The item's name: where it is its picture's path, several people of one picture are told apart by their boxes.
fn item_text(row: Row<'_>, columns: &Found) -> String {
    let text = row.get(columns.item).trim();
    let edges = columns
        .face
        .or(columns.body)
        .map(|c| c.map(|c| row.get(c).trim()));
    match edges {
        Some(edges)
            if columns.path == Some(columns.item)
                && edges.iter().any(|e| !e.is_empty() && *e != "-1") =>
        {
            format!("{text}#{}", edges.join(","))
        }
        _ => text.to_owned(),
    }
}

/// `a.jpg#10,20,50,70`, which is how pools name one of several people: the path and the box.
fn of_pool(name: &str) -> (&str, Option<PixelBox>) {
    let Some((path, edges)) = name.rsplit_once('#') else {
        return (name, None);
    };
    let edges: Vec<f64> = edges.split(',').filter_map(|e| e.parse().ok()).collect();
    match edges[..] {
        [x0, y0, x1, y1] => (path, PixelBox::new(x0, y0, x1, y1)),
        _ => (name, None),
    }
}

impl Labelled {
    fn row(&self, candidate: &Candidate) -> Row<'_> {
        self.table.row(candidate.at)
    }

    fn cell(&self, candidate: &Candidate, column: Option<usize>) -> Option<&str> {
        self.row(candidate).text(column?)
    }

    /// The file.
    pub fn file(&self) -> &Path {
        self.table.path()
    }

    /// Row of a candidate in the file, the header being row 1.
    pub fn number(&self, candidate: &Candidate) -> u64 {
        self.row(candidate).number()
    }

    /// The item's name.
    pub fn item(&self, candidate: &Candidate) -> String {
        item_text(self.row(candidate), &self.columns)
    }

    /// The picture's path as the table has it; else the item's name, which for items of a folder is the path.
    pub fn path(&self, candidate: &Candidate) -> &str {
        match self.cell(candidate, self.columns.path) {
            Some(path) => path,
            None => of_pool(self.row(candidate).get(self.columns.item).trim()).0,
        }
    }

    /// The photo that caps apply to: the column for it, else the picture's path.
    pub fn photo(&self, candidate: &Candidate) -> &str {
        match self.columns.photo {
            Some(column) => self.row(candidate).get(column).trim(),
            None => self.path(candidate),
        }
    }

    /// What copies of one picture have in common, if a column says so.
    pub fn copies(&self, candidate: &Candidate) -> Option<&str> {
        self.cell(candidate, self.columns.copies)
    }

    /// The licence, if a column says so.
    pub fn licence(&self, candidate: &Candidate) -> Option<&str> {
        self.cell(candidate, self.columns.licence)
    }

    /// The source, if a column says so.
    pub fn source(&self, candidate: &Candidate) -> Option<&str> {
        self.cell(candidate, self.columns.source)
    }

    /// The values of the strata's columns, joined by ` · `; empty without strata.
    pub fn stratum(&self, candidate: &Candidate) -> String {
        let cells = self
            .columns
            .strata
            .iter()
            .map(|&c| self.row(candidate).get(c).trim());
        cells.collect::<Vec<_>>().join(" · ")
    }

    /// Face and body, if the table has them.
    pub fn boxes(&self, candidate: &Candidate) -> [Option<PixelBox>; 2] {
        let row = self.row(candidate);
        let of = |columns: Option<[usize; 4]>| {
            let [x0, y0, x1, y1] = columns?.map(|c| row.float(c).ok().flatten());
            PixelBox::new(x0?, y0?, x1?, y1?)
        };
        let named = of_pool(row.get(self.columns.item).trim()).1;
        [of(self.columns.face).or(named), of(self.columns.body)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Labelled> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.csv");
        std::fs::write(&path, text).unwrap();
        read_labelled(&path, &LabelColumns::default(), &mut Skipped::strict())
    }

    #[test]
    fn labels_of_two_questions_are_read_without_naming_a_column() {
        let text = "item,age,age_se,age_low,age_high,sex,sex_confidence\n\
            a.jpg#10,20,50,70,31.5,1,30,33,female,0.9\nb.jpg,,,,,male,1\nc.jpg,7,1,5,9,,\n";
        let text = text.replace("a.jpg#10,20,50,70", "\"a.jpg#10,20,50,70\"");
        let found = read(&text).unwrap();
        assert_eq!(
            (found.candidates.len(), found.without_age, found.without_sex),
            (1, 1, 1)
        );
        let a = &found.candidates[0];
        assert_eq!(
            (a.age, a.sex, a.width),
            (TrueAge::Years(31.5), Sex::Female, Some(3.0))
        );
        assert_eq!((found.path(a), found.photo(a)), ("a.jpg", "a.jpg"));
        assert_eq!(found.boxes(a)[0], PixelBox::new(10.0, 20.0, 50.0, 70.0));
    }

    #[test]
    fn people_of_one_photo_are_told_apart_by_their_boxes() {
        let head = "img_name,age,gender,face_x0,face_y0,face_x1,face_y1\n";
        let found = read(&format!(
            "{head}a.jpg,31,M,1,2,30,40\na.jpg,28,F,50,2,80,40\na.jpg,-1,-1,90,2,99,40\n"
        ))
        .unwrap();
        assert_eq!(found.item(&found.candidates[1]), "a.jpg#50,2,80,40");
        assert_eq!((found.candidates.len(), found.without_age), (2, 1));
        let p = read(&format!(
            "{head}a.jpg,31,M,1,2,30,40\na.jpg,28,F,1,2,30,40\n"
        ))
        .unwrap_err();
        assert!(p.what.contains("same item") && p.row == Some(3));
    }

    #[test]
    fn bad_cells_are_errors_that_name_them() {
        let p = read("item,age,sex\na,old,male\n").unwrap_err();
        assert_eq!(
            (p.row, p.column.as_deref(), p.value.as_deref()),
            (Some(2), Some("age"), Some("old"))
        );
        let p = read("item,age,sex\na,4,1\n").unwrap_err();
        assert_eq!(p.column.as_deref(), Some("sex"));
        let p = read("item,age,sex,low,high\na,4,m,5,4\n").unwrap_err();
        assert!(p.what.contains("negative width"));
        assert!(read("item,sex\na,m\n").unwrap_err().what.contains("age"));
    }
}
