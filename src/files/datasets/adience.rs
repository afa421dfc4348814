//! Adience: five folds of tab-separated rows; pictures under `faces/USER/coarse_tilt_aligned_face.FACE.NAME` or
//! `aligned/USER/landmark_aligned_face.FACE.NAME`.

use super::super::{
    Skipped, Table,
    manifest::{TrueAge, parse_age},
};
use super::{DatasetOptions, People, collect, files, person, pictures, sex_of_letter};
use crate::Result;
use std::path::Path;

const FOLDS: [&str; 5] = [
    "fold_0_data.txt",
    "fold_1_data.txt",
    "fold_2_data.txt",
    "fold_3_data.txt",
    "fold_4_data.txt",
];

/// The classes of the benchmark, both ends included, and where those of an age that lies in none of them begin.
const CLASSES: [(f64, f64); 8] = [
    (0.0, 2.0),
    (4.0, 6.0),
    (8.0, 12.0),
    (15.0, 20.0),
    (25.0, 32.0),
    (38.0, 43.0),
    (48.0, 53.0),
    (60.0, 100.0),
];

/// Ages and classes in the files that are none of the eight, and the class each counts as in MiVOLO's evaluation.
const STRAYS: [(&str, usize); 21] = [
    ("2", 0),
    ("3", 0),
    ("13", 2),
    ("(8, 23)", 2),
    ("22", 3),
    ("23", 4),
    ("29", 4),
    ("(27, 32)", 4),
    ("32", 4),
    ("34", 4),
    ("35", 4),
    ("36", 5),
    ("(38, 42)", 5),
    ("(38, 48)", 5),
    ("42", 5),
    ("45", 5),
    ("46", 6),
    ("55", 6),
    ("56", 6),
    ("57", 7),
    ("58", 7),
];

/// The class of the benchmark that an age of the files counts as, in the way of MiVOLO's evaluation; `None` for ages
/// that stand in none of the files and for "None".
pub fn adience_class(text: &str) -> Option<TrueAge> {
    let text = text.trim();
    let stray = STRAYS.iter().find(|(name, _)| *name == text);
    let of = |at: usize| TrueAge::Class {
        low: CLASSES[at].0,
        high: CLASSES[at].1,
    };
    if let Some(&(_, at)) = stray {
        return Some(of(at));
    }
    let parsed = parse_age(text).ok().flatten()?;
    (0..CLASSES.len()).map(of).find(|class| *class == parsed)
}

pub(super) fn read(path: &Path, options: &DatasetOptions, skipped: &mut Skipped) -> Result<People> {
    let near = if path.is_dir() {
        path
    } else {
        path.parent().unwrap_or(Path::new(""))
    };
    let root = pictures(options, near);
    let aligned = root.join("aligned").is_dir() && !root.join("faces").is_dir();
    let mut rows = Vec::new();
    for file in files(path, &FOLDS, "Adience")? {
        let table = Table::read_skipping(&file, skipped)?;
        let column = |name: &str| table.column(name);
        let (user, name, face) = (
            column("user_id")?,
            column("original_image")?,
            column("face_id")?,
        );
        let (age, sex) = (column("age")?, column("gender")?);
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let fold = stem.strip_suffix("_data").unwrap_or(&stem).to_owned();
        for row in table.rows() {
            let read = || -> Result<_> {
                let text = |c: usize| match row.text(c) {
                    Some(text) => Ok(text),
                    None => row.problem(c, "is missing, and names the picture").fail(),
                };
                let (user, face, name) = (text(user)?, text(face)?, text(name)?);
                let path = if aligned {
                    format!("aligned/{user}/landmark_aligned_face.{face}.{name}")
                } else {
                    format!("faces/{user}/coarse_tilt_aligned_face.{face}.{name}")
                };
                let mut photo = person(row.number() as usize, path);
                let read = parse_age(row.get(age)).map_err(|what| row.problem(age, what))?;
                photo.age = if options.standard_classes {
                    adience_class(row.get(age))
                } else {
                    read
                };
                let letter = row.get(sex).trim();
                photo.sex = sex_of_letter(letter)
                    .ok_or_else(|| row.problem(sex, "is not a sex: m, f or u"))?;
                Ok(photo)
            };
            match read() {
                Ok(photo) => rows.push((photo, fold.clone())),
                Err(p) => skipped.take(p)?,
            }
        }
    }
    collect(path, root, rows, 0)
}
