//! Annotations of public data sets in the form in which they are published, or as MiVOLO's scripts prepare them.
//!
//! Nothing is downloaded here: the files are the reader's own copies.

mod adience;
mod coco;
pub mod dates;
mod fairface;
mod named_pictures;
mod write;

use super::{
    Skipped, Table,
    manifest::{Manifest, ManifestOptions, Photo, Sex, read_manifest},
};
use crate::{Result, problem};
use std::path::{Path, PathBuf};

pub use adience::adience_class;
pub use write::write_people;

/// A public data set of faces with ages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
#[value(rename_all = "kebab-case")]
pub enum Dataset {
    /// IMDB-clean: CSV with filename, age, gender, x_min …
    ImdbClean,
    /// UTKFace: a folder of pictures named age_sex_race_date.jpg
    Utkface,
    /// LAGENDA: CSV with img_name, age, gender, face_x0 …, person_x0 …
    Lagenda,
    /// Adience: fold_0_data.txt to fold_4_data.txt, or the folder that holds them
    Adience,
    /// FairFace: fairface_label_train.csv, fairface_label_val.csv, or the folder that holds them
    Fairface,
    /// AgeDB: a folder of pictures named number_name_age_sex.jpg
    Agedb,
    /// COCO JSON with age and sex among each person's attributes
    Coco,
}

/// People of a data set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct People {
    /// The people, their pictures relative to its folder.
    pub manifest: Manifest,
    /// The part of the data set each row belongs to: `train`, `val`, `fold_0`. Empty if the set has no parts.
    pub parts: Vec<String>,
    /// Ages that a spreadsheet had turned into dates and that were read as the class they stood for.
    pub repaired: usize,
}

/// How to read a data set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DatasetOptions {
    /// Folder that pictures are relative to; that of the annotations by default.
    pub pictures: Option<PathBuf>,
    /// Read ages that a spreadsheet has turned into dates as the class they stood for; else they are an error.
    pub repair: bool,
    /// Of Adience: put ages that are no published class into the class in which MiVOLO's evaluation puts them.
    pub standard_classes: bool,
}

/// Reads the people of a data set from its annotation file or its folder.
///
/// A table with a column `img_name` is read as MiVOLO's scripts prepare it, whichever set it is of. Rows whose sex or age
/// is not known keep the other. Errors: a file that is not of this set, rows that cannot be read (unless `skipped` is
/// lenient), ages damaged by a spreadsheet (unless repaired).
pub fn read_dataset(
    dataset: Dataset,
    path: &Path,
    options: &DatasetOptions,
    skipped: &mut Skipped,
) -> Result<People> {
    let is_dir = path.is_dir();
    if dataset == Dataset::Coco && !is_dir {
        return coco::read(path, options, skipped);
    }
    let prepared = !is_dir && path.exists() && is_prepared(path)?;
    let plain = ManifestOptions {
        pictures: options.pictures.clone(),
        sexes: (dataset == Dataset::Utkface).then(|| ["0".to_owned(), "1".to_owned()]),
        ..ManifestOptions::default()
    };
    match dataset {
        Dataset::Fairface => fairface::read(path, prepared, options, skipped),
        _ if prepared => Ok(of_manifest(read_manifest(path, &plain, skipped)?)),
        Dataset::Adience => adience::read(path, options, skipped),
        Dataset::Utkface if is_dir => named_pictures::utkface(path, skipped),
        Dataset::Agedb if is_dir => named_pictures::agedb(path, skipped),
        _ if is_dir => problem("is a folder, and this data set is read from its table")
            .file(path)
            .hint("name the file with the annotations")
            .fail(),
        _ => Ok(of_manifest(read_manifest(path, &plain, skipped)?)),
    }
}

fn of_manifest(manifest: Manifest) -> People {
    People {
        manifest,
        ..People::default()
    }
}

/// Whether the table is laid out as MiVOLO's scripts write them.
fn is_prepared(path: &Path) -> Result<bool> {
    // Only the header matters, but a table with a broken row must still be recognised.
    let table = Table::read_skipping(path, &mut Skipped::lenient())?;
    Ok(table.find("img_name").is_some())
}

/// A person without boxes.
fn person(row: usize, path: String) -> Photo {
    Photo {
        row,
        path,
        id: None,
        age: None,
        sex: None,
        face: None,
        body: None,
        other_person: false,
    }
}

/// `people`'s pictures relative to the folder asked for, else to `near`.
fn pictures(options: &DatasetOptions, near: &Path) -> PathBuf {
    options.pictures.clone().unwrap_or_else(|| near.to_owned())
}

/// The people of several files that belong together.
fn collect(
    file: &Path,
    pictures: PathBuf,
    rows: Vec<(Photo, String)>,
    repaired: usize,
) -> Result<People> {
    if rows.is_empty() {
        return problem("no row is left").file(file).fail();
    }
    let (rows, parts): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let manifest = Manifest {
        file: file.to_owned(),
        pictures,
        rows,
        ..Manifest::default()
    };
    Ok(People {
        manifest,
        parts,
        repaired,
    })
}

/// Files of a folder with the names asked for, or the file itself.
fn files(path: &Path, wanted: &[&str], what: &str) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let found: Vec<PathBuf> = wanted
        .iter()
        .map(|name| path.join(name))
        .filter(|file| file.is_file())
        .collect();
    if found.is_empty() {
        return problem(format!("the folder holds no annotations of {what}"))
            .file(path)
            .hint(format!("looked for {}", wanted.join(", ")))
            .fail();
    }
    Ok(found)
}

/// `male` for `m`, `female` for `f`, none for `u` and nothing.
fn sex_of_letter(text: &str) -> Option<Option<Sex>> {
    match text.to_ascii_lowercase().as_str() {
        "m" => Some(Some(Sex::Male)),
        "f" => Some(Some(Sex::Female)),
        "u" | "" | "nan" | "none" | "-1" => Some(None),
        _ => None,
    }
}

#[cfg(test)]
#[path = "datasets_tests.rs"]
mod tests;
