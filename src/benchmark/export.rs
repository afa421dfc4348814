//! A frozen benchmark in the layouts of other programs. Items and labels stay as they are; nothing is resized.

use super::{
    freeze::write_text,
    frozen::{Frozen, FrozenItem},
};
use crate::{
    Problem, Result,
    files::{
        foreign::cvat_write::{self, CvatImage, CvatObject},
        manifest::Sex,
        replace_dir_atomically, write_atomically, write_columns,
    },
    problem,
    provenance::write_json,
};
use polars::prelude::Column;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};
use veche_pools::{ChoiceScale, NumberScale, Question, Scale};

/// A layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "kebab-case")]
pub enum Layout {
    /// MiVOLO's annotation CSV
    Mivolo,
    /// Hugging Face datasets: imagefolder with metadata.csv
    Huggingface,
    /// The same with metadata.parquet
    HuggingfaceParquet,
    /// COCO JSON: a person per annotation, age and sex as attributes
    Coco,
    /// Label Studio tasks, with the truth as ground truth
    LabelStudio,
    /// CVAT for images 1.1: a box per person, age and sex as attributes
    Cvat,
}

/// Which labelling page shows the tasks of [`Layout::LabelStudio`].
pub const LABEL_STUDIO_CONFIG: &str = "<View>\n  <Image name=\"image\" value=\"$image\"/>\n  <Number name=\"age\" toName=\"image\" \
    min=\"0\" max=\"122\"/>\n  <Choices name=\"sex\" toName=\"image\" choice=\"single\">\n    <Choice value=\"female\"/>\n    \
    <Choice value=\"male\"/>\n  </Choices>\n</View>\n";

fn cvat(frozen: &Frozen, out: &Path) -> Result<()> {
    let number = |name: &str| {
        let (min, max) = (0.0, 122.0);
        let scale = NumberScale {
            min,
            max,
            unit: "years".into(),
            integer: false,
        };
        Question {
            name: name.into(),
            prompt: String::new(),
            scale: Scale::Number(scale),
        }
    };
    let text = ChoiceScale {
        labels: ["female", "male"].map(str::to_owned).to_vec(),
    };
    let sex = Question {
        name: "sex".into(),
        prompt: String::new(),
        scale: Scale::Choice(text),
    };
    let mut images: Vec<CvatImage> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for item in &frozen.items {
        let file = item.file.as_deref().unwrap_or_default();
        let at = match known.get(file) {
            Some(&at) => at,
            None => {
                let path = frozen.dir.join(file);
                let (width, height) = image::image_dimensions(&path).map_err(|e| {
                    Box::new(problem(format!("the picture cannot be read: {e}")).file(&path))
                })?;
                known.insert(file, images.len());
                images.push(CvatImage {
                    name: file.to_owned(),
                    width,
                    height,
                    objects: Vec::new(),
                });
                images.len() - 1
            }
        };
        let answers = [
            ("age", item.age_text()),
            ("sex", item.sex.name().to_owned()),
        ];
        images[at].objects.push(CvatObject {
            at: item.body.or(item.face).map(|b| [b.x0, b.y0, b.x1, b.y1]),
            answers: answers.map(|(n, v)| (n.to_owned(), v)).to_vec(),
        });
    }
    cvat_write::write(
        out,
        &frozen.description.name,
        &[number("age"), sex],
        &images,
        "manual",
    )
}

/// Writes the benchmark in a layout: a file, or for Hugging Face a folder. `with_truth` is for Label Studio only: false leaves
/// the truth out, for people who are to label it.
///
/// Errors: a benchmark without pictures (except MiVOLO's CSV, which then names the items), pictures that cannot be read.
pub fn export(frozen: &Frozen, layout: Layout, out: &Path, with_truth: bool) -> Result<()> {
    let bare = frozen.items.iter().any(|i| i.file.is_none());
    if bare && layout != Layout::Mivolo {
        return problem("this benchmark was written without pictures, which this layout needs")
            .file(&frozen.dir)
            .hint("build it again without --no-pictures, or export it as mivolo")
            .fail();
    }
    match layout {
        Layout::Mivolo => mivolo(frozen, out),
        Layout::Huggingface => hugging_face(frozen, out, false),
        Layout::HuggingfaceParquet => hugging_face(frozen, out, true),
        Layout::Coco => write_json(out, &coco(frozen)?),
        Layout::LabelStudio => write_json(out, &label_studio(frozen, with_truth)),
        Layout::Cvat => cvat(frozen, out),
    }
}

fn letter(sex: Sex) -> &'static str {
    match sex {
        Sex::Male => "M",
        Sex::Female => "F",
    }
}

fn mivolo(frozen: &Frozen, out: &Path) -> Result<()> {
    write_atomically(out, |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record([
            "img_name",
            "age",
            "gender",
            "face_x0",
            "face_y0",
            "face_x1",
            "face_y1",
            "person_x0",
            "person_y0",
            "person_x1",
            "person_y1",
        ])?;
        for i in &frozen.items {
            let mut cells = vec![
                i.file.clone().unwrap_or(i.item.clone()),
                i.age_text(),
                letter(i.sex).to_owned(),
            ];
            for the_box in [i.face, i.body] {
                // MiVOLO reads whole pixels.
                let edges = the_box.map_or([-1.0; 4], |b| [b.x0, b.y0, b.x1, b.y1].map(f64::round));
                cells.extend(edges.map(|e| e.to_string()));
            }
            csv.write_record(&cells)?;
        }
        csv.flush()
    })
}

/// `test/000001.jpg`, `test/metadata.csv` and a card with the header that the hub reads. Each person has a row, so a picture
/// of several is copied for each: the loader wants one row per file.
fn hugging_face(frozen: &Frozen, out: &Path, parquet: bool) -> Result<()> {
    replace_dir_atomically(out, "README.md", |dir| {
        let test = dir.join("test");
        fs::create_dir_all(&test).map_err(|e| Problem::io("make the folder", &test, &e))?;
        let mut names = Vec::new();
        for (at, item) in frozen.items.iter().enumerate() {
            let file = item.file.as_deref().unwrap_or_default();
            let ending = Path::new(file)
                .extension()
                .unwrap_or_default()
                .to_string_lossy();
            let name = format!("{:06}.{ending}", at + 1);
            let from = frozen.dir.join(file);
            fs::copy(&from, test.join(&name))
                .map_err(|e| Problem::io("copy the picture", &from, &e))?;
            names.push(name);
        }
        let items = &frozen.items;
        let texts: [(&str, Vec<Option<String>>); 6] = [
            ("item", items.iter().map(|i| Some(i.item.clone())).collect()),
            (
                "sex",
                items
                    .iter()
                    .map(|i| Some(i.sex.name().to_owned()))
                    .collect(),
            ),
            (
                "range",
                items.iter().map(|i| Some(i.range.name.clone())).collect(),
            ),
            (
                "stratum",
                items
                    .iter()
                    .map(|i| Some(i.stratum.clone()).filter(|s| !s.is_empty()))
                    .collect(),
            ),
            ("licence", items.iter().map(|i| i.licence.clone()).collect()),
            ("source", items.iter().map(|i| i.source.clone()).collect()),
        ];
        let edge = |of: fn(&FrozenItem) -> Option<f64>| items.iter().map(of).collect::<Vec<_>>();
        let numbers: [(&str, Vec<Option<f64>>); 8] = [
            ("age", edge(|i| i.age)),
            ("age_low", edge(|i| i.age_low)),
            ("age_high", edge(|i| i.age_high)),
            ("interval_width", edge(|i| i.width)),
            ("face_x0", edge(|i| i.face.map(|b| b.x0))),
            ("face_y0", edge(|i| i.face.map(|b| b.y0))),
            ("face_x1", edge(|i| i.face.map(|b| b.x1))),
            ("face_y1", edge(|i| i.face.map(|b| b.y1))),
        ];
        if parquet {
            let mut columns = vec![Column::new("file_name".into(), names)];
            columns.extend(texts.into_iter().map(|(n, v)| Column::new(n.into(), v)));
            columns.extend(numbers.into_iter().map(|(n, v)| Column::new(n.into(), v)));
            write_atomically(test.join("metadata.parquet"), |w| write_columns(columns, w))?;
        } else {
            write_atomically(test.join("metadata.csv"), |w| {
                let mut csv = csv::Writer::from_writer(w);
                let head = ["file_name"]
                    .into_iter()
                    .chain(texts.iter().map(|t| t.0))
                    .chain(numbers.iter().map(|n| n.0));
                csv.write_record(head)?;
                for (at, name) in names.iter().enumerate() {
                    let mut cells = vec![name.clone()];
                    cells.extend(texts.iter().map(|(_, v)| v[at].clone().unwrap_or_default()));
                    cells.extend(
                        numbers
                            .iter()
                            .map(|(_, v)| v[at].map(|v| v.to_string()).unwrap_or_default()),
                    );
                    csv.write_record(&cells)?;
                }
                csv.flush()
            })?;
        }
        let ending = if parquet { "parquet" } else { "csv" };
        let header = format!(
            "---\ntask_categories:\n- image-classification\nconfigs:\n- config_name: default\n  data_files:\n  - split: test\n    path: test/**\n---\n\n\
             <!-- {} {}, metadata in test/metadata.{ending} -->\n\n",
            frozen.description.name, frozen.description.edition
        );
        let card = fs::read_to_string(frozen.dir.join("CARD.md")).unwrap_or_default();
        // The picture of the card is not part of this layout.
        let card = card.replace("![What each range has and lacks](coverage.svg)\n", "");
        write_text(&dir.join("README.md"), &format!("{header}{card}"))
    })
}

fn coco(frozen: &Frozen) -> Result<Value> {
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    let mut known: BTreeMap<&str, (usize, u32, u32)> = BTreeMap::new();
    let mut licences: BTreeMap<&str, usize> = BTreeMap::new();
    for item in &frozen.items {
        let n = licences.len() + 1;
        licences
            .entry(item.licence.as_deref().unwrap_or("not stated"))
            .or_insert(n);
    }
    for (at, item) in frozen.items.iter().enumerate() {
        let file = item.file.as_deref().unwrap_or_default();
        let licence = licences[item.licence.as_deref().unwrap_or("not stated")];
        let (image, width, height) = match known.get(file) {
            Some(known) => *known,
            None => {
                let path = frozen.dir.join(file);
                let (w, h) = image::image_dimensions(&path).map_err(|e| {
                    Box::new(problem(format!("the picture cannot be read: {e}")).file(&path))
                })?;
                let id = known.len() + 1;
                images.push(json!({"id": id, "file_name": file, "width": w, "height": h, "license": licence}));
                known.insert(file, (id, w, h));
                (id, w, h)
            }
        };
        let b = item.body.or(item.face);
        let [x, y, w, h] = b.map_or([0.0, 0.0, f64::from(width), f64::from(height)], |b| {
            [b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0]
        });
        let face = item.face.map(|b| [b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0]);
        annotations.push(json!({
            "id": at + 1, "image_id": image, "category_id": 1, "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0,
            "attributes": {
                "item": item.item, "age": item.age, "age_low": item.age_low, "age_high": item.age_high, "sex": item.sex.name(),
                "range": item.range.name, "face_bbox": face,
            },
        }));
    }
    let licences: Vec<Value> = {
        let mut list: Vec<_> = licences.into_iter().collect();
        list.sort_by_key(|(_, id)| *id);
        list.into_iter()
            .map(|(name, id)| json!({"id": id, "name": name, "url": ""}))
            .collect()
    };
    let d = &frozen.description;
    Ok(json!({
        "info": {"description": d.name, "version": d.edition, "contributor": format!("veche {}", d.version)},
        "licenses": licences, "images": images, "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "supercategory": "person"}],
    }))
}

fn label_studio(frozen: &Frozen, with_truth: bool) -> Value {
    let tasks = frozen.items.iter().map(|item| {
        let file = item.file.as_deref().unwrap_or_default();
        let mut task = json!({"data": {"image": format!("/data/local-files/?d={file}"), "item": item.item}});
        if with_truth {
            let mut result = vec![json!({
                "from_name": "sex", "to_name": "image", "type": "choices", "value": {"choices": [item.sex.name()]},
            })];
            if let Some(age) = item.age {
                result.push(json!({"from_name": "age", "to_name": "image", "type": "number", "value": {"number": age}}));
            }
            task["annotations"] = json!([{"ground_truth": true, "result": result}]);
        }
        task
    });
    Value::Array(tasks.collect())
}
