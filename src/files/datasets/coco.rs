//! People from COCO JSON: an annotation per person, its box the whole person (or, in a category called face, the face), with age and
//! sex among its `attributes`, as veche, CVAT and datumaro write them.

use super::{
    super::manifest::{Photo, parse_age},
    DatasetOptions, People, collect, person, pictures,
};
use crate::files::manifest::{PixelBox, Sex};
use crate::{
    Problem, Result,
    files::{Skipped, predictions::sex_word},
    problem,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fs, path::Path};

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    #[serde(default)]
    annotations: Vec<Annotation>,
    #[serde(default)]
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: i64,
    file_name: String,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: i64,
    #[serde(default)]
    category_id: i64,
    #[serde(default)]
    bbox: Vec<f64>,
    #[serde(default)]
    attributes: Map<String, Value>,
}

/// Reads the people of a file; pictures lie beside it unless the options say otherwise. The row of a person is the place of the
/// annotation, from 1. Errors: no COCO, an annotation of no image, a box or an age that is none.
pub(super) fn read(path: &Path, options: &DatasetOptions, skipped: &mut Skipped) -> Result<People> {
    let text = fs::read(path).map_err(|e| Problem::io("read the file", path, &e))?;
    let file: File = serde_json::from_slice(&text).map_err(|e| {
        let p = problem(format!("is not COCO JSON: {e}")).file(path);
        Box::new(
            p.row(e.line() as u64)
                .hint("it has the lists images, annotations and categories"),
        )
    })?;
    let images: BTreeMap<i64, &str> = file
        .images
        .iter()
        .map(|i| (i.id, i.file_name.as_str()))
        .collect();
    let faces: Vec<i64> = file
        .categories
        .iter()
        .filter(|c| c.name.eq_ignore_ascii_case("face"))
        .map(|c| c.id)
        .collect();
    let mut rows: Vec<(Photo, String)> = Vec::new();
    for (at, annotation) in file.annotations.iter().enumerate() {
        let fail = |field: &str, what: &str, value: String| {
            problem(what)
                .file(path)
                .row(at as u64 + 1)
                .column(field)
                .value(value)
                .hint("rows are annotations, counted from 1: correct it, or leave it out with --skip-bad-rows")
                .fail::<()>()
        };
        let mut add = || -> Result<()> {
            let Some(name) = images.get(&annotation.image_id) else {
                return fail(
                    "image_id",
                    "there is no such image",
                    annotation.image_id.to_string(),
                );
            };
            let mut photo = person(at + 1, (*name).to_owned());
            let attribute =
                |names: &[&str]| names.iter().find_map(|n| annotation.attributes.get(*n));
            if let Some(value) = attribute(&["age", "Age"]) {
                match parse_age(&plain(value)) {
                    Ok(age) => photo.age = age,
                    Err(what) => return fail("attributes.age", what, plain(value)),
                }
            }
            if let Some(value) = attribute(&["sex", "gender", "Sex", "Gender"]) {
                photo.sex = match sex_word(&plain(value)).as_str() {
                    "female" => Some(Sex::Female),
                    "male" => Some(Sex::Male),
                    "" | "?" | "unknown" => None,
                    _ => return fail("attributes.sex", "is neither female nor male", plain(value)),
                };
            }
            photo.id = attribute(&["item", "id"])
                .map(plain)
                .filter(|t| !t.is_empty());
            let edges = |list: &[f64]| match *list {
                [x, y, w, h] if w > 0.0 && h > 0.0 && list.iter().all(|v| v.is_finite()) => {
                    Some(PixelBox {
                        x0: x,
                        y0: y,
                        x1: x + w,
                        y1: y + h,
                    })
                }
                _ => None,
            };
            if !annotation.bbox.is_empty() {
                let Some(found) = edges(&annotation.bbox) else {
                    return fail(
                        "bbox",
                        "is no box: it has left, upper, width and height",
                        format!("{:?}", annotation.bbox),
                    );
                };
                if faces.contains(&annotation.category_id) {
                    photo.face = Some(found);
                } else {
                    photo.body = Some(found);
                }
            }
            if let Some(Value::Array(list)) = annotation.attributes.get("face_bbox") {
                let list: Vec<f64> = list.iter().filter_map(Value::as_f64).collect();
                photo.face = edges(&list).or(photo.face);
            }
            rows.push((photo, String::new()));
            Ok(())
        };
        if let Err(problem) = add() {
            skipped.take(problem)?;
        }
    }
    let near = path.parent().unwrap_or(Path::new(""));
    let mut people = collect(path, pictures(options, near), rows, 0)?;
    people.parts.clear();
    Ok(people)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
