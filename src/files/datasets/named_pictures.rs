//! Data sets whose pictures are named for what they show: UTKFace and AgeDB.

use super::super::{
    Skipped,
    items::PICTURE_ENDINGS,
    manifest::{Photo, Sex, parse_age},
};
use super::{People, collect, person, sex_of_letter};
use crate::{Problem, Result, problem};
use std::{fs, path::Path};

/// `25_1_0_20170116174525125.jpg.chip.jpg`: age, sex (0 male, 1 female), race, time. A few published names lack a part.
pub(super) fn utkface(dir: &Path, skipped: &mut Skipped) -> Result<People> {
    read(
        dir,
        "age_sex_race_date.jpg, sex being 0 (male) or 1 (female)",
        skipped,
        |name, photo| {
            let mut parts = name.split('_');
            let age = parts.next()?;
            photo.sex = match (parts.next()?, parts.next()) {
                ("0", Some(_)) => Some(Sex::Male),
                ("1", Some(_)) => Some(Sex::Female),
                ("", Some(_)) => None,
                _ => return None,
            };
            photo.age = parse_age(age).ok()?;
            photo.age.map(|_| ())
        },
    )
}

/// `12_MariaCallas_35_f.jpg`: number, name, age, sex.
pub(super) fn agedb(dir: &Path, skipped: &mut Skipped) -> Result<People> {
    read(
        dir,
        "number_name_age_sex.jpg, sex being m or f",
        skipped,
        |name, photo| {
            let stem = name.split('.').next()?;
            let mut parts = stem.rsplit('_');
            photo.sex = sex_of_letter(parts.next()?)?;
            photo.age = parse_age(parts.next()?).ok()?;
            parts.next()?;
            photo.age.map(|_| ())
        },
    )
}

/// All pictures below the folder in name order; `of` reads a name, or gives `None` for one that does not follow the form.
fn read(
    dir: &Path,
    form: &str,
    skipped: &mut Skipped,
    of: impl Fn(&str, &mut Photo) -> Option<()>,
) -> Result<People> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        let fail = |e: std::io::Error| Problem::io("read the folder", &folder, &e);
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let ending = path
                .extension()
                .unwrap_or_default()
                .to_string_lossy()
                .to_lowercase();
            if path.is_dir() {
                open.push(path);
            } else if PICTURE_ENDINGS.contains(&ending.as_str()) {
                found.push(path);
            }
        }
    }
    found.sort();
    let mut rows = Vec::new();
    for (at, path) in found.iter().enumerate() {
        let relative = path
            .strip_prefix(dir)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut photo = person(at + 1, relative);
        match of(&name, &mut photo) {
            Some(()) => rows.push((photo, String::new())),
            None => skipped.take(
                problem(format!("the name does not follow the form {form}"))
                    .file(path)
                    .value(name)
                    .hint("rename or remove the file, or leave it out with --skip-bad-rows"),
            )?,
        }
    }
    if found.is_empty() {
        return problem("no pictures in this folder").file(dir).fail();
    }
    let mut people = collect(dir, dir.to_owned(), rows, 0)?;
    people.parts.clear();
    Ok(people)
}
