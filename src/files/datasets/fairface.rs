//! FairFace: `fairface_label_train.csv` and `fairface_label_val.csv` with file, age, gender, race, service_test.

use super::super::{
    Skipped, Table,
    manifest::{parse_age, parse_sex},
};
use super::{DatasetOptions, People, collect, dates::undated, files, person, pictures};
use crate::{Result, problem};
use std::path::Path;

const FILES: [&str; 2] = ["fairface_label_train.csv", "fairface_label_val.csv"];

/// Reads the published files, or one prepared by MiVOLO's script (whose first class, `3;9`, no spreadsheet damages).
pub(super) fn read(
    path: &Path,
    prepared: bool,
    options: &DatasetOptions,
    skipped: &mut Skipped,
) -> Result<People> {
    let (mut rows, mut repaired) = (Vec::new(), 0);
    let files = files(path, &FILES, "FairFace")?;
    for file in &files {
        let table = Table::read_skipping(file, skipped)?;
        let picture = table.column_of(&["file", "img_name"])?;
        let [age, sex] =
            [&["age", "age_group"][..], &["gender", "sex"][..]].map(|names| table.column_of(names));
        let (age, sex) = (age?, sex?);
        let dated: Vec<_> = table
            .rows()
            .filter(|r| undated(r.get(age)).is_some())
            .collect();
        if let Some(first) = dated.first()
            && !options.repair
        {
            let was = undated(first.get(age)).unwrap_or_default();
            return problem(format!(
                "{} ages have become dates: a spreadsheet has saved this file",
                dated.len()
            ))
            .file(file)
            .row(first.number())
            .column(&table.columns()[age])
            .value(first.get(age))
            .hint(format!(
                "it was \"{was}\": add --repair to read it so, or take the file as published"
            ))
            .fail();
        }
        repaired += dated.len();
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let of_file = name
            .rsplit('_')
            .next()
            .filter(|p| ["train", "val"].contains(p));
        for row in table.rows() {
            let read = || -> Result<_> {
                let Some(name) = row.text(picture) else {
                    return row.row_problem("the picture has no name").fail();
                };
                let mut photo = person(row.number() as usize, name.to_owned());
                let text = undated(row.get(age)).unwrap_or(row.get(age));
                photo.age = parse_age(text).map_err(|what| row.problem(age, what))?;
                photo.sex = parse_sex(row.get(sex), None).map_err(|what| row.problem(sex, what))?;
                if prepared {
                    photo.other_person = [age, sex].iter().all(|&c| row.get(c).trim() == "-1");
                }
                // train/1.jpg says itself what it belongs to.
                let part = name
                    .split('/')
                    .next()
                    .filter(|p| ["train", "val"].contains(p));
                Ok((photo, part.or(of_file).unwrap_or_default().to_owned()))
            };
            match read() {
                Ok(read) => rows.push(read),
                Err(p) => skipped.take(p)?,
            }
        }
    }
    let near = if path.is_dir() {
        Some(path)
    } else {
        path.parent()
    };
    collect(
        path,
        pictures(options, near.unwrap_or(Path::new(""))),
        rows,
        repaired,
    )
}
