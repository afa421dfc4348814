//! Crops and pairings against those of the official code (OpenCV, SciPy), kept in `network/preprocessing.json`.

use crate::support::data;
use image::RgbImage;
use serde_json::Value;
use std::fs;
use veche::{
    model::{
        crop::{self, CropRules, Kind, Obstacle},
        letterbox::{View, letterbox},
        pairing::pair,
    },
    pictures::{DecodeLimits, decode},
};
use veche_pools::PixelBox;

fn pixel_box(value: &Value) -> PixelBox {
    let edges: Vec<f64> = value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect();
    PixelBox::new(edges[0], edges[1], edges[2], edges[3]).unwrap()
}

fn photo(path: &std::path::Path) -> RgbImage {
    decode(&fs::read(path).unwrap(), &DecodeLimits::default()).unwrap()
}

#[test]
fn every_crop_is_that_of_the_official_code() {
    let Some(file) = data("network/preprocessing.json") else {
        return;
    };
    let reference: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let crops = reference["crops"].as_array().unwrap();
    assert!(crops.len() >= 9);
    for case in crops {
        let name = case["name"].as_str().unwrap();
        let photo = photo(
            &file
                .parent()
                .unwrap()
                .parent()
                .unwrap()
                .join(case["source"].as_str().unwrap()),
        );
        let at = pixel_box(&case["box"]);
        let obstacles: Vec<Obstacle> = (case["black_out"].as_array().unwrap().iter())
            .map(|o| Obstacle {
                kind: if o["kind"] == "face" {
                    Kind::Face
                } else {
                    Kind::Person
                },
                at: pixel_box(&o["box"]),
            })
            .collect();
        let rules = CropRules::PREDICTION;
        let used = case["used"].as_bool().unwrap();
        let body = crop::body(&photo, at, None, &obstacles, &rules);
        assert_eq!(body.is_ok(), used, "{name}: {body:?}");
        let side = case["size"].as_u64().unwrap() as usize;
        let expected = photo_of(&file, case);
        let Ok(body) = body else {
            assert!(expected.iter().all(|&v| v == 0), "{name}");
            continue;
        };
        let kept = body.iter().filter(|&&v| v != 0).count() as f64 / body.as_raw().len() as f64;
        // Decoders differ by one level here and there, also where zero is near.
        assert!(
            (kept - case["kept_share"].as_f64().unwrap()).abs() < 2e-3,
            "{name}: {kept}"
        );
        let made = letterbox(View::whole(&body).unwrap(), side);
        assert_eq!(made.len(), expected.as_raw().len());
        let differences: Vec<u8> = made
            .iter()
            .zip(expected.as_raw())
            .map(|(a, b)| a.abs_diff(*b))
            .collect();
        let mean =
            differences.iter().map(|&d| f64::from(d)).sum::<f64>() / differences.len() as f64;
        let near =
            differences.iter().filter(|&&d| d <= 6).count() as f64 / differences.len() as f64;
        assert!(
            mean <= 1.0 && near >= 0.999,
            "{name}: mean {mean}, within 6: {near}"
        );
        // What is left comes from the JPEG decoder; scaling itself is exact.
        let largest = differences.iter().max().unwrap();
        assert!(
            mean <= 0.3 && *largest <= 6,
            "{name}: mean {mean}, largest {largest}"
        );
    }
}

fn photo_of(file: &std::path::Path, case: &Value) -> RgbImage {
    photo(&file.with_file_name(case["expected"].as_str().unwrap()))
}

#[test]
fn every_pairing_is_that_of_the_official_code() {
    let Some(file) = data("network/preprocessing.json") else {
        return;
    };
    let reference: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let cases = reference["pairing"].as_array().unwrap();
    assert!(cases.len() >= 5);
    for case in cases {
        let boxes = |key: &str| -> Vec<PixelBox> {
            case[key]
                .as_array()
                .unwrap()
                .iter()
                .map(pixel_box)
                .collect()
        };
        let found = pair(&boxes("persons"), &boxes("faces"));
        let index = |v: &Value| v.as_u64().map(|i| i as usize);
        let expected: Vec<Option<usize>> = case["person_of_face"]
            .as_array()
            .unwrap()
            .iter()
            .map(index)
            .collect();
        assert_eq!(found.person_of_face, expected, "{case}");
        let left: Vec<Option<usize>> = case["persons_without_face"]
            .as_array()
            .unwrap()
            .iter()
            .map(index)
            .collect();
        let found: Vec<Option<usize>> = found.persons_without_face.into_iter().map(Some).collect();
        assert_eq!(found, left, "{case}");
    }
}
