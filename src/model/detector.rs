//! People found in a photo by a YOLOv8 or YOLO11 network of persons and faces, exported to ONNX without its own suppression.
//!
//! Scaling, thresholds and suppression are those of Ultralytics' predictor, which MiVOLO's demo calls (Kuprashevich and Tolstykh
//! 2023); faces are put to bodies as there ([`super::pairing`]).

use super::{
    backend::{self, Engine, Output},
    description::{Recipe, metadata},
    letterbox::{Normaliser, Placement, View, letterbox, placement},
    onnx::proto::ModelHead,
    pairing::pair,
    source::Source,
    spec::{Crop, InputSpec, Layout, RuntimeOptions},
};
use crate::{Result, problem};
use image::RgbImage;
use std::path::{Path, PathBuf};
use veche_pools::PixelBox;

/// What counts as found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// A box whose score is not above this is none.
    pub score: f32,
    /// Of two boxes of one class whose intersection over union is above this the one of the lower score goes.
    pub overlap: f32,
}

impl Default for Thresholds {
    /// Those of MiVOLO's demo.
    fn default() -> Self {
        Self {
            score: 0.4,
            overlap: 0.7,
        }
    }
}

/// One person found: at least one of face and body.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The face.
    pub face: Option<PixelBox>,
    /// The body.
    pub body: Option<PixelBox>,
    /// Why this is hardly a person, if so.
    pub doubt: Option<String>,
}

/// Boxes of one class, the highest score first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Boxes {
    /// Persons.
    pub persons: Vec<PixelBox>,
    /// Faces.
    pub faces: Vec<PixelBox>,
}

/// Boxes above this number are left out.
const MOST_BOXES: usize = 300;
/// Before overlaps are looked for, only so many of the highest scores are kept.
const MOST_CANDIDATES: usize = 30_000;
/// What Ultralytics paints the bars around a scaled picture with.
const GREY: u8 = 114;

/// A detector ready to run.
pub struct Detector {
    engine: Box<dyn Engine>,
    path: PathBuf,
    side: usize,
    normaliser: Normaliser,
    thresholds: Thresholds,
    /// Places of the classes `person` and `face`.
    person: Option<usize>,
    face: Option<usize>,
    /// Number of classes, if the model says it.
    classes: Option<usize>,
}

impl Detector {
    /// Opens an ONNX file. Classes are found by the names `person` and `face` in its metadata; without any, the first is a person and
    /// the second a face.
    ///
    /// # Errors
    /// A file that is no such model; classes without person and face; a backend that is not there.
    pub fn open(path: &Path, thresholds: Thresholds, options: &RuntimeOptions) -> Result<Self> {
        let source = Source::File(path);
        let head = source.head()?;
        let side = side(&head).map_err(|what| problem(what).file(path).hint(HINT))?;
        let names = metadata(&head, "names").map(|text| class_names(&text));
        let place = |name: &str, usual: usize| match &names {
            Some(names) => names.iter().find(|(_, n)| n == name).map(|(i, _)| *i),
            None => Some(usual),
        };
        let (person, face) = (place("person", 0), place("face", 1));
        if person.is_none() && face.is_none() {
            return problem("the detector knows neither persons nor faces")
                .file(path)
                .value(metadata(&head, "names").unwrap_or_default())
                .hint("its classes must be called `person` and `face`")
                .fail();
        }
        let io = |names: Vec<Option<&str>>| names.into_iter().flatten().next().map(str::to_owned);
        let graph = head.graph.as_ref();
        let first_input = graph.and_then(|g| {
            let weights: Vec<&str> = g
                .initializer
                .iter()
                .filter_map(|t| t.name.as_deref())
                .collect();
            let inputs = g.input.iter().map(|v| v.name.as_deref());
            io(inputs
                .filter(|n| n.is_none_or(|n| !weights.contains(&n)))
                .collect())
        });
        let first_output =
            graph.and_then(|g| io(g.output.iter().map(|v| v.name.as_deref()).collect()));
        let (Some(input), Some(output)) = (first_input, first_output) else {
            return problem("the detector has no input or no output")
                .file(path)
                .hint(HINT)
                .fail();
        };
        let spec = InputSpec {
            size: side as u32,
            face: true,
            body: false,
            mean: [0.0; 3],
            std: [1.0; 3],
            crop: Crop::Wide,
            layout: Layout::Nchw,
            letterbox: true,
        };
        let normaliser = Normaliser::new(spec.mean, spec.std);
        let recipe = Recipe::plain(spec, input, vec![output]);
        let (engine, _) = backend::open(source, &recipe, options)?;
        Ok(Self {
            engine,
            path: path.to_owned(),
            side,
            normaliser,
            thresholds,
            person,
            face,
            classes: names.map(|n| n.len()),
        })
    }

    /// The people in a picture, from left to right.
    ///
    /// # Errors
    /// Errors of the backend, an output of another shape.
    pub fn detect(&mut self, picture: &RgbImage) -> Result<Vec<Found>> {
        Ok(people(&self.boxes(picture)?))
    }

    /// The boxes in a picture.
    ///
    /// # Errors
    /// As [`Detector::detect`].
    pub fn boxes(&mut self, picture: &RgbImage) -> Result<Boxes> {
        let Some(view) = View::whole(picture) else {
            return Ok(Boxes::default());
        };
        let at = placement(view.width(), view.height(), self.side);
        let mut square = letterbox(view, self.side);
        grey_bars(&mut square, self.side, at);
        let mut planes = vec![0.0; 3 * self.side * self.side];
        self.normaliser.write(Some(&square), &mut planes);
        let outputs = self.engine.run(&planes, 1)?;
        let wrong = |shape: &[usize]| {
            problem(format!("the detector's output has the shape {shape:?}"))
                .file(&self.path)
                .hint(HINT)
        };
        let output = outputs.first().ok_or_else(|| wrong(&[]))?;
        let (classes, n) = shape(output, self.classes).ok_or_else(|| wrong(&output.shape))?;
        let gain = (self.side as f64 / f64::from(picture.height()))
            .min(self.side as f64 / f64::from(picture.width())) as f32;
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        let mut found = Boxes::default();
        for (class, edges) in decode(&output.values, classes, n, self.thresholds) {
            let x = |v: f32| f64::from(((v - at.left as f32) / gain).clamp(0.0, width));
            let y = |v: f32| f64::from(((v - at.top as f32) / gain).clamp(0.0, height));
            let [x0, y0, x1, y1] = edges;
            let Some(at) = PixelBox::new(x(x0), y(y0), x(x1), y(y1)) else {
                continue;
            };
            if Some(class) == self.person {
                found.persons.push(at);
            } else if Some(class) == self.face {
                found.faces.push(at);
            }
        }
        Ok(found)
    }
}

const HINT: &str = "export a YOLOv8 or YOLO11 model of persons and faces as it is: yolo export model=FILE.pt format=onnx imgsz=640";

/// Side of the detector's square input.
fn side(head: &ModelHead) -> Result<usize, String> {
    let shape = head
        .graph
        .as_ref()
        .and_then(|g| g.input.first())
        .and_then(|v| v.kind.as_ref()?.tensor.as_ref()?.shape.as_ref());
    let dims: Vec<Option<i64>> =
        shape.map_or_else(Vec::new, |s| s.dim.iter().map(|d| d.value).collect());
    let [_, channels, rows, columns] = dims[..] else {
        return Err("the detector takes no pictures".to_owned());
    };
    if channels.is_some_and(|c| c > 0 && c != 3) {
        return Err(format!(
            "the detector takes {} channels, not 3",
            channels.unwrap_or(0)
        ));
    }
    let known = |d: Option<i64>| d.filter(|&d| d > 0);
    let said = metadata(head, "imgsz").and_then(|text| {
        let digits = |c: char| !c.is_ascii_digit();
        text.split(digits).find_map(|part| part.parse::<i64>().ok())
    });
    let (rows, columns) = (known(rows).or(said), known(columns).or(said));
    match (rows.unwrap_or(640), columns.unwrap_or(640)) {
        (rows, columns) if rows == columns && (32..=4096).contains(&rows) => Ok(rows as usize),
        (rows, columns) => Err(format!(
            "the detector takes {columns}×{rows} pixels, not a square of 32 to 4096"
        )),
    }
}

/// `{0: 'person', 1: 'face'}` as Python writes it.
fn class_names(text: &str) -> Vec<(usize, String)> {
    let parts = text
        .trim()
        .trim_start_matches('{')
        .trim_end_matches('}')
        .split(',');
    parts
        .filter_map(|part| {
            let (place, name) = part.split_once(':')?;
            let name = name.trim().trim_matches(['\'', '"']);
            Some((place.trim().parse().ok()?, name.to_lowercase()))
        })
        .collect()
}

/// Number of classes and of boxes of an output (photo, 4 + classes, boxes).
fn shape(output: &Output, classes: Option<usize>) -> Option<(usize, usize)> {
    let &[1, rows, n] = output.shape.as_slice() else {
        return None;
    };
    let found = rows.checked_sub(4).filter(|&c| (1..=100).contains(&c))?;
    let fits = classes.is_none_or(|c| c == found) && output.values.len() == rows * n;
    fits.then_some((found, n))
}

fn grey_bars(square: &mut [u8], side: usize, at: Placement) {
    for (y, row) in square.chunks_exact_mut(3 * side).enumerate() {
        if y < at.top || y >= at.top + at.height {
            row.fill(GREY);
        } else {
            row[..3 * at.left].fill(GREY);
            row[3 * (at.left + at.width)..].fill(GREY);
        }
    }
}

/// Classes and boxes (left, upper, right, lower, pixels of the detector's square) that are above the threshold and not suppressed, the
/// highest score first; of equals the first.
///
/// `values` are `4 + classes` rows of `n`: centre, width and height of each box, then one score per class.
pub fn decode(
    values: &[f32],
    classes: usize,
    n: usize,
    thresholds: Thresholds,
) -> Vec<(usize, [f32; 4])> {
    let at = |row: usize, i: usize| values[row * n + i];
    let mut candidates: Vec<(f32, usize, [f32; 4])> = Vec::new();
    for i in 0..n {
        let (mut class, mut score) = (0, f32::NEG_INFINITY);
        for c in 0..classes {
            if at(4 + c, i) > score {
                (class, score) = (c, at(4 + c, i));
            }
        }
        let [x, y, w, h] = [at(0, i), at(1, i), at(2, i), at(3, i)];
        let edges = [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0];
        if score > thresholds.score && edges.iter().all(|e| e.is_finite()) {
            candidates.push((score, class, edges));
        }
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    candidates.truncate(MOST_CANDIDATES);
    let mut kept: Vec<(usize, [f32; 4])> = Vec::new();
    for (_, class, edges) in candidates {
        let hidden = |other: &(usize, [f32; 4])| {
            other.0 == class && intersection_over_union(other.1, edges) > thresholds.overlap
        };
        if !kept.iter().any(hidden) {
            kept.push((class, edges));
            if kept.len() == MOST_BOXES {
                break;
            }
        }
    }
    kept
}

fn intersection_over_union(a: [f32; 4], b: [f32; 4]) -> f32 {
    let area = |e: [f32; 4]| (e[2] - e[0]).max(0.0) * (e[3] - e[1]).max(0.0);
    let shared = area([
        a[0].max(b[0]),
        a[1].max(b[1]),
        a[2].min(b[2]),
        a[3].min(b[3]),
    ]);
    let union = area(a) + area(b) - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

/// A body without a face is doubted outside these: people who use such detectors see ages given to walls.
const LEAST_BODY: [f64; 2] = [55.0, 100.0];
const SHAPES: std::ops::RangeInclusive<f64> = 1.2..=4.0;

/// Faces with their bodies, faces alone, bodies alone; from left to right by the face, else by the body.
pub fn people(boxes: &Boxes) -> Vec<Found> {
    let pairing = pair(&boxes.persons, &boxes.faces);
    let mut people = Vec::new();
    for (face, person) in boxes.faces.iter().zip(&pairing.person_of_face) {
        people.push(Found {
            face: Some(*face),
            body: person.map(|p| boxes.persons[p]),
            doubt: None,
        });
    }
    for &person in &pairing.persons_without_face {
        let at = boxes.persons[person];
        let (w, h) = (at.x1 - at.x0, at.y1 - at.y0);
        let person_like = w >= LEAST_BODY[0] && h >= LEAST_BODY[1] && SHAPES.contains(&(h / w));
        let doubt = || format!("a box of {w:.0}×{h:.0} pixels without a face is hardly a person");
        people.push(Found {
            face: None,
            body: Some(at),
            doubt: (!person_like).then(doubt),
        });
    }
    let place = |f: &Found| f.face.or(f.body).map_or([0.0; 2], |b| [b.x0, b.y0]);
    people.sort_by(|a, b| {
        let (a, b) = (place(a), place(b));
        a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1]))
    });
    people
}

#[cfg(test)]
#[path = "detector_tests.rs"]
mod tests;
