//! Boxes and answers painted on photos, for looking at: faces yellow, bodies green, who could not be judged red.

use super::{journal::Prediction, people::Person};
use crate::{Problem, Result, files::write_atomically};
use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};
use std::{
    io,
    path::{Component, Path, PathBuf},
};
use veche_pools::PixelBox;

const FACE: Rgb<u8> = Rgb([255, 220, 0]);
const BODY: Rgb<u8> = Rgb([60, 220, 90]);
const FAULT: Rgb<u8> = Rgb([255, 60, 60]);
const DARK: Rgb<u8> = Rgb([20, 20, 20]);

/// Writes `DIR/NAME.jpg` with everybody's boxes and answers.
///
/// # Errors
/// Output errors.
pub fn save<'a>(
    folder: &Path,
    name: &str,
    mut picture: RgbImage,
    said: impl Iterator<Item = (&'a Person, &'a Prediction)>,
) -> Result<()> {
    for (person, prediction) in said {
        paint(&mut picture, person, prediction);
    }
    let path = folder.join(file_of(name));
    write_atomically(&path, |file| {
        let encoder = JpegEncoder::new_with_quality(file, 90);
        picture
            .write_with_encoder(encoder)
            .map_err(io::Error::other)
    })
    .map_err(|p| match &p.file {
        Some(_) => p,
        None => Box::new(Problem::clone(&p).file(&path)),
    })
}

/// Inside the folder whatever the name, and always a JPEG.
fn file_of(name: &str) -> PathBuf {
    let mut inside: PathBuf = Path::new(name)
        .components()
        .filter(|c| matches!(c, Component::Normal(_)))
        .collect();
    let is_jpeg = (inside.extension()).is_some_and(|e| e == "jpg" || e == "jpeg");
    if !is_jpeg {
        let mut longer = inside.into_os_string();
        longer.push(".jpg");
        inside = longer.into();
    }
    inside
}

/// Paints one person's boxes with what is said about them: age, sex, and how sure that is.
pub fn paint(picture: &mut RgbImage, person: &Person, prediction: &Prediction) {
    let width = (picture.width().max(picture.height()) / 300).max(1);
    let judged = prediction.error.is_none();
    for (at, colour) in [(person.body, BODY), (person.face, FACE)] {
        if let Some(at) = at {
            frame(picture, at, if judged { colour } else { FAULT }, width);
        }
    }
    let mut text = match prediction.age {
        Some(age) => format!("{:.1}", age as f64 / 10_000.0),
        None if judged => String::new(),
        None => "?".to_owned(),
    };
    if let Some((male, share)) = prediction.sex {
        let sex = if male { "M" } else { "F" };
        text += &format!(" {sex} {:.0}%", share as f64 / 100.0);
    }
    if let Some(at) = person.face.or(person.body) {
        let scale = (width + 1).min(picture.height().max(8) / 8);
        let (x, y) = (at.x0.max(0.0) as u32, at.y0.max(0.0) as u32);
        write(picture, text.trim(), x, y, scale);
    }
}

fn frame(picture: &mut RgbImage, at: PixelBox, colour: Rgb<u8>, width: u32) {
    let w = f64::from(width);
    let PixelBox { x0, y0, x1, y1 } = at;
    fill(picture, [x0, y0, x1, y0 + w], colour);
    fill(picture, [x0, y1 - w, x1, y1], colour);
    fill(picture, [x0, y0, x0 + w, y1], colour);
    fill(picture, [x1 - w, y0, x1, y1], colour);
}

fn fill(picture: &mut RgbImage, [x0, y0, x1, y1]: [f64; 4], colour: Rgb<u8>) {
    let edge = |v: f64, limit: u32| v.clamp(0.0, f64::from(limit)) as u32;
    for y in edge(y0, picture.height())..edge(y1, picture.height()) {
        for x in edge(x0, picture.width())..edge(x1, picture.width()) {
            picture.put_pixel(x, y, colour);
        }
    }
}

/// Letters of 3 × 5 pixels, each row three bits, the highest on the left.
fn glyph(letter: char) -> [u8; 5] {
    match letter {
        '0' => [7, 5, 5, 5, 7],
        '1' => [2, 6, 2, 2, 7],
        '2' => [7, 1, 7, 4, 7],
        '3' => [7, 1, 3, 1, 7],
        '4' => [5, 5, 7, 1, 1],
        '5' => [7, 4, 7, 1, 7],
        '6' => [7, 4, 7, 5, 7],
        '7' => [7, 1, 1, 2, 2],
        '8' => [7, 5, 7, 5, 7],
        '9' => [7, 5, 7, 1, 7],
        'M' => [5, 7, 7, 5, 5],
        'F' => [7, 4, 6, 4, 4],
        '%' => [5, 1, 2, 4, 5],
        '-' => [0, 0, 7, 0, 0],
        '.' => [0, 0, 0, 0, 2],
        ' ' => [0; 5],
        _ => [7, 1, 2, 0, 2],
    }
}

/// Light letters on a dark ground, moved into the picture where they would stick out.
fn write(picture: &mut RgbImage, text: &str, x: u32, y: u32, scale: u32) {
    if text.is_empty() {
        return;
    }
    let (wide, high) = ((text.len() as u32 * 4 + 1) * scale, 7 * scale);
    let x = x.min(picture.width().saturating_sub(wide));
    let y = y.min(picture.height().saturating_sub(high));
    let at = |v: u32| f64::from(v);
    fill(picture, [at(x), at(y), at(x + wide), at(y + high)], DARK);
    for (i, letter) in text.chars().enumerate() {
        for (row, bits) in glyph(letter).into_iter().enumerate() {
            for column in (0..3).filter(|c| bits >> (2 - c) & 1 == 1) {
                let left = x + (1 + 4 * i as u32 + column) * scale;
                let top = y + (1 + row as u32) * scale;
                let dot = [at(left), at(top), at(left + scale), at(top + scale)];
                fill(picture, dot, Rgb([255; 3]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_framed_and_the_answer_stands_in_their_corner() {
        let at = PixelBox::new(10.0, 20.0, 80.0, 90.0);
        let person = Person {
            item: "a".into(),
            row: 1,
            face: at,
            body: None,
        };
        let mut prediction = Prediction {
            row: 1,
            item: "a".into(),
            age: Some(314_000),
            sex: Some((false, 9_800)),
            face_used: true,
            body_used: false,
            error: None,
        };
        let mut picture = RgbImage::new(100, 100);
        paint(&mut picture, &person, &prediction);
        assert_eq!(*picture.get_pixel(79, 89), FACE);
        assert_eq!(*picture.get_pixel(50, 50), Rgb([0; 3]));
        let letters = picture.pixels().filter(|p| p.0 == [255; 3]).count();
        assert!(letters > 100, "{letters} light pixels of 31.4 F 98%");
        prediction.error = Some("x".into());
        paint(&mut picture, &person, &prediction);
        assert_eq!(*picture.get_pixel(79, 89), FAULT);
        // Far outside and tiny: nothing to paint, nothing to panic about.
        let outside = Person {
            face: PixelBox::new(-1e9, -1e9, 1e9, 1e9),
            ..person
        };
        paint(&mut RgbImage::new(1, 1), &outside, &prediction);
    }

    #[test]
    fn files_stay_in_the_folder_and_are_jpegs() {
        let of = |name: &str| file_of(name).display().to_string();
        assert_eq!(of("../../a/b.png"), "a/b.png.jpg");
        assert_eq!(of("/a/b.jpg"), "a/b.jpg");
    }
}
