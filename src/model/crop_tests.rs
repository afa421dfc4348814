use super::*;
use image::Rgb;
use proptest::prelude::*;

fn at(x0: f64, y0: f64, x1: f64, y1: f64) -> PixelBox {
    PixelBox { x0, y0, x1, y1 }
}

fn person(x0: f64, y0: f64, x1: f64, y1: f64) -> Obstacle {
    Obstacle {
        kind: Kind::Person,
        at: at(x0, y0, x1, y1),
    }
}

fn face(x0: f64, y0: f64, x1: f64, y1: f64) -> Obstacle {
    Obstacle {
        kind: Kind::Face,
        at: at(x0, y0, x1, y1),
    }
}

/// Nowhere black, and different everywhere.
fn photo(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([1 + (x % 250) as u8, 1 + (y % 250) as u8, 90])
    })
}

/// The rectangle of black pixels, exclusive ends, after checking that it is one.
fn black(crop: &RgbImage) -> Option<[u32; 4]> {
    let dark = |x, y| crop.get_pixel(x, y).0 == [0; 3];
    let all: Vec<(u32, u32)> = (0..crop.height())
        .flat_map(|y| (0..crop.width()).map(move |x| (x, y)))
        .filter(|&(x, y)| dark(x, y))
        .collect();
    let x0 = all.iter().map(|p| p.0).min()?;
    let y0 = all.iter().map(|p| p.1).min()?;
    let x1 = all.iter().map(|p| p.0).max()? + 1;
    let y1 = all.iter().map(|p| p.1).max()? + 1;
    assert_eq!(all.len() as u32, (x1 - x0) * (y1 - y0), "not one rectangle");
    Some([x0, y0, x1, y1])
}

const P: CropRules = CropRules::PREDICTION;
const D: CropRules = CropRules::DETECTION;
const E: CropRules = CropRules::EVALUATION;

#[test]
fn edges_lose_their_fractions_and_those_of_a_detector_the_last_row_and_column() {
    let photo = photo(200, 120);
    let whole = at(0.0, 0.0, 200.0, 120.0);
    assert_eq!(place(&photo, whole, Kind::Face, &D), Ok([0, 0, 199, 119]));
    assert_eq!(place(&photo, whole, Kind::Face, &P), Ok([0, 0, 200, 120]));
    assert_eq!(place(&photo, whole, Kind::Face, &E), Ok([0, 0, 200, 120]));
    let odd = at(10.9, -0.9, 80.9, 300.0);
    assert_eq!(place(&photo, odd, Kind::Face, &P), Ok([10, 0, 80, 120]));
    let left = at(-40.0, 30.0, 10.0, 60.0);
    assert_eq!(place(&photo, left, Kind::Face, &E), Ok([0, 30, 10, 60]));
}

#[test]
fn small_crops_are_missing_and_how_small_depends_on_the_rules() {
    let photo = photo(300, 300);
    for (rules, kind, side, found) in [
        (P, Kind::Person, 50.0, true),
        (P, Kind::Person, 49.0, false),
        (E, Kind::Person, 100.0, true),
        (E, Kind::Person, 99.0, false),
        (P, Kind::Face, 1.0, true),
        (E, Kind::Face, 5.0, true),
        (E, Kind::Face, 4.0, false),
    ] {
        let b = at(10.0, 10.0, 10.0 + side, 200.0);
        assert_eq!(
            place(&photo, b, kind, &rules).is_ok(),
            found,
            "{kind:?} {side}"
        );
    }
    // Only the part in the picture counts, of a detector's box less the last column.
    let edge = at(250.0, 0.0, 400.0, 200.0);
    assert!(place(&photo, edge, Kind::Person, &P).is_ok());
    let fault = place(&photo, edge, Kind::Person, &D).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "49×200 pixels of the body lie in the picture, fewer than 50×50"
    );
    assert!(place(&photo, edge, Kind::Face, &P).is_ok());
    let beside = at(500.0, 500.0, 600.0, 600.0);
    assert!(place(&photo, beside, Kind::Face, &P).is_err());
}

#[test]
fn every_face_is_black_in_the_body_its_own_too() {
    let photo = photo(400, 400);
    let b = at(100.0, 100.0, 300.0, 400.0);
    let own = Some(at(150.0, 120.0, 200.0, 180.0));
    let crop = body(&photo, b, own, &[], &P).unwrap();
    assert_eq!(crop.dimensions(), (200, 300));
    assert_eq!(black(&crop), Some([50, 20, 100, 80]));
    assert_eq!(crop.get_pixel(0, 0), photo.get_pixel(100, 100));
    // A face does not grow to the edge, however near it is.
    let crop = body(&photo, b, None, &[face(102.0, 120.0, 200.0, 180.0)], &P).unwrap();
    assert_eq!(black(&crop), Some([2, 20, 100, 80]));
    let crop = body(&photo, b, None, &[face(310.0, 0.0, 350.0, 50.0)], &P).unwrap();
    assert_eq!(black(&crop), None);
}

#[test]
fn another_person_grows_to_an_edge_that_is_nearer_than_three_tenths() {
    let photo = photo(600, 600);
    let b = at(100.0, 100.0, 300.0, 300.0);
    // By hand, in the crop of 200: 150 to 220 and 60 to 200. On the right and below nothing is left, on the left 150 of 200, above
    // exactly 60 of 200 = 0.3, which is not less.
    let crop = body(&photo, b, None, &[person(250.0, 160.0, 320.0, 300.0)], &P).unwrap();
    assert_eq!(black(&crop), Some([150, 60, 200, 200]));
    // 59 of 200 is less.
    let crop = body(&photo, b, None, &[person(250.0, 159.0, 320.0, 300.0)], &P).unwrap();
    assert_eq!(black(&crop), Some([150, 0, 200, 200]));
    // The evaluating program does not stretch.
    let crop = body(&photo, b, None, &[person(250.0, 159.0, 350.0, 300.0)], &E).unwrap();
    assert_eq!(black(&crop), Some([150, 59, 200, 200]));
}

#[test]
fn obstacles_that_hardly_touch_or_are_too_small_to_be_somebody_are_left_alone() {
    let photo = photo(600, 600);
    let b = at(100.0, 100.0, 300.0, 300.0);
    let touching = person(300.0, 100.0, 500.0, 300.0);
    assert_eq!(
        black(&body(&photo, b, None, &[touching], &P).unwrap()),
        None
    );
    // 200 of about 80,000 pixels is enough for both programs, two are for one only.
    let strip = person(299.0, 100.0, 499.0, 300.0);
    assert!(black(&body(&photo, b, None, &[strip], &P).unwrap()).is_some());
    let corner = person(298.0, 299.0, 500.0, 500.0);
    assert!(black(&body(&photo, b, None, &[corner], &P).unwrap()).is_some());
    assert_eq!(black(&body(&photo, b, None, &[corner], &E).unwrap()), None);
    let small = person(150.0, 150.0, 210.0, 240.0);
    assert!(black(&body(&photo, b, None, &[small], &P).unwrap()).is_some());
    assert_eq!(black(&body(&photo, b, None, &[small], &E).unwrap()), None);
}

#[test]
fn a_body_of_which_less_than_two_fifths_is_left_is_missing() {
    let photo = photo(600, 600);
    let b = at(100.0, 100.0, 300.0, 300.0);
    // Exactly 40 % is enough: 80 of 200 columns.
    let faces = |x1: f64| [face(100.0, 100.0, x1, 300.0)];
    assert!(body(&photo, b, None, &faces(220.0), &P).is_ok());
    let fault = body(&photo, b, None, &faces(221.0), &P).unwrap_err();
    assert!(matches!(fault, Missing::Hidden { share } if (share - 39.5).abs() < 1e-9));
    // What is black in the photo counts as hidden too.
    let night = RgbImage::from_pixel(600, 600, Rgb([9, 0, 0]));
    assert!(body(&night, b, None, &[], &P).is_err());
}

#[test]
fn a_mask_takes_the_place_of_the_other_peoples_boxes() {
    let photo = photo(200, 300);
    let mask: Vec<bool> = (0..300)
        .flat_map(|y| (0..200).map(move |x| (40..140).contains(&x) && y >= 50))
        .collect();
    let crop = masked_body(&photo, &mask, None, None, &E).unwrap();
    assert_eq!(crop.dimensions(), (100, 250));
    assert_eq!(black(&crop), None);
    assert_eq!(crop.get_pixel(0, 0), photo.get_pixel(40, 50));
    // In a wider box the rest is black, and so is the own face.
    let wide = Some(at(40.0, 0.0, 140.0, 300.0));
    let crop = masked_body(&photo, &mask, wide, None, &E).unwrap();
    assert_eq!(black(&crop), Some([0, 0, 100, 50]));
    let own = Some(at(60.0, 60.0, 100.0, 100.0));
    let crop = masked_body(&photo, &mask, None, own, &E).unwrap();
    assert_eq!(black(&crop), Some([20, 10, 60, 50]));
    let nothing = vec![false; mask.len()];
    for b in [None, wide] {
        let fault = masked_body(&photo, &nothing, b, None, &E).unwrap_err();
        assert_eq!(fault, Missing::EmptyMask);
    }
    let all_face = Some(at(0.0, 0.0, 200.0, 300.0));
    let fault = masked_body(&photo, &mask, None, all_face, &E).unwrap_err();
    assert!(matches!(fault, Missing::Hidden { .. }));
}

proptest! {
    #[test]
    fn no_boxes_make_it_panic_and_what_is_not_black_is_the_photo(
        edges in proptest::collection::vec(-1e4f64..1e4, 12),
        big in any::<bool>(),
        rules in prop_oneof![Just(P), Just(D), Just(E)],
    ) {
        let photo = photo(130, 110);
        let scale = if big { 1e6 } else { 0.02 };
        let b = |i: usize| at(edges[i] * scale, edges[i + 1] * scale, edges[i + 2] * scale, edges[i + 3] * scale);
        let obstacles = [
            Obstacle { kind: Kind::Person, at: b(4) },
            Obstacle { kind: Kind::Face, at: b(8) },
        ];
        if let Ok(crop) = body(&photo, b(0), Some(b(8)), &obstacles, &rules) {
            let [x0, y0, x1, y1] = place(&photo, b(0), Kind::Person, &rules).unwrap();
            prop_assert_eq!(crop.dimensions(), (x1 - x0, y1 - y0));
            for (x, y, pixel) in crop.enumerate_pixels() {
                prop_assert!(pixel.0 == [0; 3] || pixel == photo.get_pixel(x + x0, y + y0));
            }
        }
    }
}
