use super::*;
use crate::model::onnx::{
    Storage, file,
    graph::{Builder, value},
    proto::{Entry, Graph, Model, OperatorSet},
};
use image::Rgb;
use proptest::prelude::*;

/// Rows of (x, y, width, height, person, face) as the network gives them: by row, not by box.
fn values(boxes: &[[f32; 6]]) -> Vec<f32> {
    (0..6)
        .flat_map(|row| boxes.iter().map(move |b| b[row]))
        .collect()
}

const STANDARD: Thresholds = Thresholds {
    score: 0.4,
    overlap: 0.7,
};

#[test]
fn boxes_come_from_centre_and_size_and_the_score_decides_the_class() {
    let given = values(&[
        [50.0, 60.0, 20.0, 40.0, 0.5, 0.1],
        [10.0, 10.0, 4.0, 4.0, 0.1, 0.9],
        [90.0, 90.0, 4.0, 4.0, 0.4, 0.4],
    ]);
    // By hand: 50 ± 10, 60 ± 20; 0.4 itself is not above 0.4; the higher score is first.
    let found = decode(&given, 2, 3, STANDARD);
    assert_eq!(
        found,
        [(1, [8.0, 8.0, 12.0, 12.0]), (0, [40.0, 40.0, 60.0, 80.0])]
    );
}

#[test]
fn of_two_boxes_that_overlap_the_better_stays_and_other_classes_do_not_count() {
    // Shifted by 1 of 10: 9/11 = 0.82 is above 0.7; by 2: 8/12 = 0.67 is not.
    let at = |x: f32, person: f32, face: f32| [x, 5.0, 10.0, 10.0, person, face];
    let given = values(&[
        at(6.0, 0.8, 0.0),
        at(5.0, 0.9, 0.0),
        at(5.0, 0.0, 0.95),
        at(3.0, 0.7, 0.0),
    ]);
    let kept: Vec<(usize, f32)> = decode(&given, 2, 4, STANDARD)
        .iter()
        .map(|(class, e)| (*class, e[0]))
        .collect();
    assert_eq!(kept, [(1, 0.0), (0, 0.0), (0, -2.0)]);
}

proptest! {
    #[test]
    fn no_two_boxes_of_a_class_that_are_kept_overlap_too_much_and_the_best_is_kept(
        boxes in prop::collection::vec((0f32..50.0, 0f32..50.0, 1f32..40.0, 1f32..40.0, 0f32..1.0, 0f32..1.0), 0..40)
    ) {
        let boxes: Vec<[f32; 6]> = boxes.into_iter().map(|(a, b, c, d, e, f)| [a, b, c, d, e, f]).collect();
        let found = decode(&values(&boxes), 2, boxes.len(), STANDARD);
        for (i, a) in found.iter().enumerate() {
            for b in &found[..i] {
                prop_assert!(a.0 != b.0 || intersection_over_union(a.1, b.1) <= 0.7);
            }
        }
        let best = boxes.iter().flat_map(|b| [b[4], b[5]]).fold(0.0, f32::max);
        prop_assert_eq!(found.is_empty(), best <= 0.4);
    }
}

fn at(edges: [f64; 4]) -> PixelBox {
    PixelBox::new(edges[0], edges[1], edges[2], edges[3]).unwrap()
}

#[test]
fn people_stand_from_left_to_right_and_a_wall_is_doubted() {
    let boxes = Boxes {
        persons: vec![
            at([300.0, 0.0, 400.0, 300.0]),
            at([100.0, 0.0, 200.0, 300.0]),
            at([500.0, 0.0, 700.0, 200.0]),
        ],
        faces: vec![at([130.0, 10.0, 170.0, 60.0]), at([10.0, 10.0, 50.0, 60.0])],
    };
    let found = people(&boxes);
    let shown: Vec<(Option<f64>, Option<f64>, bool)> = found
        .iter()
        .map(|f| {
            (
                f.face.map(|b| b.x0),
                f.body.map(|b| b.x0),
                f.doubt.is_some(),
            )
        })
        .collect();
    let expected = [
        (Some(10.0), None, false),
        (Some(130.0), Some(100.0), false),
        (None, Some(300.0), false),
        // As wide as high: nobody stands so.
        (None, Some(500.0), true),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn names_of_classes_are_read_as_python_writes_them() {
    let read = class_names("{0: 'person', 1: 'Face', 7: \"dog\"}");
    assert_eq!(
        read,
        [(0, "person".into()), (1, "face".into()), (7, "dog".into())]
    );
    assert!(class_names("nothing").is_empty());
}

/// An ONNX file that says the same boxes of every picture: (x, y, width, height, first class, second class) in a square of `side`.
pub(crate) fn made_up(path: &Path, side: usize, names: Option<&str>, boxes: &[[f32; 6]]) {
    let mut builder = Builder::new(Storage::F32);
    let given = builder.floats("boxes", &[1, 6, boxes.len()], &values(boxes));
    let nothing = builder.floats("nothing", &[1], &[0.0]);
    let image = "images".to_owned();
    // The picture must be asked for its numbers, or a runtime may refuse an input without use.
    let mean = builder.op("GlobalAveragePool", &[&image], Vec::new());
    let flat = builder.reshape(&mean, &[-1, 1, 3]);
    let ones = builder.floats("ones", &[3, 1], &[0.0; 3]);
    let zero = builder.matmul(&flat, &ones);
    let zero = builder.op("Mul", &[&zero, &nothing], Vec::new());
    builder.op_to("Add", &[&given, &zero], Vec::new(), "output0");
    let graph = Graph {
        node: builder.nodes,
        name: Some("detector".into()),
        initializer: Vec::new(),
        input: vec![value("images", &[3, side, side])],
        output: vec![value("output0", &[6, boxes.len()])],
    };
    let entry = |key: &str, text: &str| Entry {
        key: Some(key.into()),
        value: Some(text.into()),
    };
    let model = Model {
        ir_version: Some(8),
        producer_name: Some("test".into()),
        producer_version: None,
        graph: None,
        opset_import: vec![OperatorSet {
            domain: Some(String::new()),
            version: Some(17),
        }],
        metadata: names.into_iter().map(|n| entry("names", n)).collect(),
    };
    file::write(path, &model, &graph, &builder.initializers).unwrap();
}

#[test]
fn boxes_of_the_square_become_boxes_of_the_picture() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.onnx");
    // A picture of 200 × 100 in a square of 64: scale 0.32, 64 × 32 pixels between bars of 16 rows.
    let boxes = [
        [32.0, 32.0, 16.0, 16.0, 0.1, 0.9],
        [32.0, 32.0, 64.0, 60.0, 0.9, 0.1],
        [5.0, 5.0, 3.0, 3.0, 0.3, 0.2],
    ];
    made_up(&path, 64, Some("{0: 'person', 1: 'face'}"), &boxes);
    let options = RuntimeOptions {
        backend: crate::model::spec::Backend::Tract,
        ..RuntimeOptions::default()
    };
    let mut detector = Detector::open(&path, STANDARD, &options).unwrap();
    let found = detector
        .boxes(&RgbImage::from_pixel(200, 100, Rgb([9; 3])))
        .unwrap();
    // (32 ± 8) / 0.32 = 75 to 125 across, (32 − 16 ± 8) / 0.32 = 25 to 75 down; the body reaches beyond the picture.
    assert_eq!(found.faces, [at([75.0, 25.0, 125.0, 75.0])]);
    assert_eq!(found.persons, [at([0.0, 0.0, 200.0, 100.0])]);
    // Without names the first class is the person; with others there is nobody to look for.
    made_up(&path, 64, None, &boxes);
    let mut detector = Detector::open(&path, STANDARD, &options).unwrap();
    assert_eq!(detector.detect(&RgbImage::new(200, 100)).unwrap().len(), 1);
    made_up(&path, 64, Some("{0: 'cat', 1: 'dog'}"), &boxes);
    let fault = Detector::open(&path, STANDARD, &options).err().unwrap();
    assert!(fault.what.contains("neither persons nor faces"), "{fault}");
    // Three classes by name and two in the output.
    made_up(
        &path,
        64,
        Some("{0: 'person', 1: 'face', 2: 'dog'}"),
        &boxes,
    );
    let mut detector = Detector::open(&path, STANDARD, &options).unwrap();
    let fault = detector.detect(&RgbImage::new(20, 10)).unwrap_err();
    assert!(fault.what.contains("[1, 6, 3]"), "{fault}");
}

#[test]
fn bars_are_grey_as_the_detector_learned_them() {
    let picture = RgbImage::from_pixel(40, 20, Rgb([200; 3]));
    let at = placement(40, 20, 32);
    let mut square = letterbox(View::whole(&picture).unwrap(), 32);
    grey_bars(&mut square, 32, at);
    let rows: Vec<u8> = square.chunks_exact(96).map(|r| r[0]).collect();
    assert_eq!(rows[7..9], [GREY, 200]);
    assert_eq!(rows.iter().filter(|&&v| v == GREY).count(), 16);
}
