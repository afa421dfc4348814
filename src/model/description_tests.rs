use super::*;
use crate::model::onnx::{graph::value, proto::GraphHead};
use proptest::prelude::*;
use prost::Message;

const FAIR: &str = r#"
name = "classes"
[input]
size = 4
crop = "face"
channels = "bgr"
layout = "nhwc"
[age]
columns = [2, 5]
values = "logits"
midpoints = [10, 20, 40]
[sex]
columns = [0, 2]
values = "logits"
male = 1
"#;

fn head(shape: &[usize]) -> ModelHead {
    ModelHead {
        graph: Some(GraphHead {
            input: vec![value("x", shape)],
            output: vec![value("y", &[5])],
            ..GraphHead::default()
        }),
        ..ModelHead::default()
    }
}

fn output(values: &[f32]) -> Output {
    Output {
        name: "y".into(),
        shape: vec![values.len() / 5, 5],
        values: values.to_vec(),
    }
}

#[test]
fn classes_become_the_age_expected_of_them_and_a_probability() {
    let recipe = Recipe::new(&parse(FAIR).unwrap(), &head(&[4, 4, 3])).unwrap();
    // Equal logits of sex; ages 1 : 1 : 2.
    let two = 2f32.ln();
    let answers = recipe
        .answers(&[output(&[7.0, 7.0, 0.0, 0.0, two])], 1)
        .unwrap();
    let age = answers[0].age.unwrap();
    assert!(
        (age - (10.0 + 20.0 + 2.0 * 40.0) / 4.0).abs() < 1e-4,
        "{age}"
    );
    assert!((answers[0].male.unwrap() - 0.5).abs() < 1e-6);
    assert!(recipe.answers(&[output(&[f32::NAN; 5])], 1).is_err());
}

#[test]
fn planes_are_brought_into_the_order_that_the_file_wants() {
    let recipe = Recipe::new(&parse(FAIR).unwrap(), &head(&[4, 4, 3])).unwrap();
    assert!(!recipe.as_given());
    let pixels: Vec<f32> = (0..48).map(|i| i as f32).collect();
    let mut turned = Vec::new();
    recipe.arrange(&pixels, &mut turned);
    // The first pixel: blue, green, red.
    assert_eq!(turned[..6], [32.0, 16.0, 0.0, 33.0, 17.0, 1.0]);
}

#[test]
fn what_does_not_fit_is_said() {
    let fails = |text: &str, words: &str| {
        let p = parse(text)
            .and_then(|d| Recipe::new(&d, &head(&[4, 4, 3])))
            .unwrap_err();
        assert!(p.to_string().contains(words), "{p}");
    };
    fails("name = 1", "cannot be read");
    fails(
        &FAIR.replace("size = 4", "size = 5"),
        "takes any × 4 × 4 × 3",
    );
    fails(
        &FAIR.replace("[2, 5]", "[2, 4]"),
        "one midpoint for each column",
    );
    fails(&FAIR.replace("[2, 5]", "[5, 2]"), "from below to");
    fails(
        &FAIR.replace("midpoints = [10, 20, 40]", ""),
        "need their midpoints",
    );
    fails(&FAIR.replace("male = 1", "male = 2"), "0 or 1");
    fails(
        &FAIR.replace("male = 1", "output = \"z\""),
        "no output of this name",
    );
    fails(&FAIR.replace("male = 1", "mael = 1"), "mael");
    let wide = FAIR.replace("[2, 5]", "[4, 7]");
    let recipe = Recipe::new(&parse(&wide).unwrap(), &head(&[4, 4, 3])).unwrap();
    assert!(recipe.answers(&[output(&[0.0; 5])], 1).is_err());
}

#[test]
fn a_single_column_of_female_probability_is_turned() {
    let text = FAIR.replace("[0, 2]", "[0, 1]").replacen(
        "columns = [0, 1]\nvalues = \"logits\"",
        "columns = [0, 1]\nvalues = \"probabilities\"",
        1,
    );
    let recipe = Recipe::new(&parse(&text).unwrap(), &head(&[4, 4, 3])).unwrap();
    let answers = recipe
        .answers(&[output(&[0.75, 0.0, 0.0, 0.0, 0.0])], 1)
        .unwrap();
    assert_eq!(answers[0].male, Some(0.25));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(at in 0usize..300, len in 0usize..20, new in "[\\PC\n]{0,12}") {
        let mut text: Vec<char> = FAIR.chars().collect();
        let from = at.min(text.len());
        let to = (from + len).min(text.len());
        text.splice(from..to, new.chars());
        let text: String = text.into_iter().collect();
        if let Ok(description) = parse(&text)
            && let Ok(recipe) = Recipe::new(&description, &head(&[4, 4, 3]))
        {
            let _ = recipe.answers(&[output(&[0.0; 10]), output(&[0.0; 10])], 2);
        }
    }

    #[test]
    fn no_bytes_make_the_head_of_a_model_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), tail in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut bytes = head(&[4, 4, 3]).encode_to_vec();
        bytes.extend(tail);
        for (at, new) in changes {
            let at = at.index(bytes.len());
            bytes[at] = new;
        }
        if let Ok(head) = crate::model::onnx::file::head_of(&bytes) {
            let _ = Recipe::new(&parse(FAIR).unwrap(), &head);
        }
    }
}
