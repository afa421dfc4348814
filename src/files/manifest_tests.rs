use super::*;
use proptest::prelude::*;
use std::fs;

fn read_with(text: &str, options: &ManifestOptions) -> Result<Manifest> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.csv");
    fs::write(&path, text).unwrap();
    read_manifest(&path, options, &mut Skipped::strict())
}

fn read(text: &str) -> Result<Manifest> {
    read_with(text, &ManifestOptions::default())
}

fn pixel_box(x0: f64, y0: f64, x1: f64, y1: f64) -> Option<PixelBox> {
    Some(PixelBox { x0, y0, x1, y1 })
}

const MIVOLO: &str =
    "img_name,age,gender,face_x0,face_y0,face_x1,face_y1,person_x0,person_y0,person_x1,person_y1\n";

#[test]
fn mivolos_files_are_read_with_missing_boxes_classes_and_other_people() {
    let text = format!(
        "{MIVOLO}a.jpg,31,M,10,20,50,70,0,0,100,300\na.jpg,25;32,F,-1,-1,-1,-1,90,0,190,300\n\
         a.jpg,-1,-1,200,10,240,60,-1,-1,-1,-1\nb/c.jpg,4.5,F,-3.5,0,20.5,30,,,,\n"
    );
    let m = read(&text).unwrap();
    let [a, b, c, d] = &m.rows[..] else { panic!() };
    assert_eq!(
        (a.row, a.path.as_str(), a.age, a.sex),
        (2, "a.jpg", Some(TrueAge::Years(31.0)), Some(Sex::Male))
    );
    assert_eq!(
        (a.face, a.body),
        (pixel_box(10., 20., 50., 70.), pixel_box(0., 0., 100., 300.))
    );
    assert_eq!(
        b.age,
        Some(TrueAge::Class {
            low: 25.0,
            high: 32.0
        })
    );
    assert_eq!((b.face, b.other_person), (None, false));
    assert_eq!(
        (c.age, c.sex, c.body, c.other_person),
        (None, None, None, true)
    );
    assert_eq!((d.face, d.body), (pixel_box(-3.5, 0., 20.5, 30.), None));
    assert_eq!(m.by_picture(), [vec![0, 1, 2], vec![3]]);
    assert_eq!(
        m.names().unwrap(),
        ["a.jpg#10,20,50,70", "a.jpg#90,0,190,300", "", "b/c.jpg"]
    );
    assert!(m.picture(d).ends_with("b/c.jpg"));
    assert_eq!(m.columns_as_read.path, "img_name");
    assert_eq!(m.columns_as_read.face.as_ref().unwrap()[3], "face_y1");
}

#[test]
fn imdb_clean_and_plain_lists_are_read_by_their_own_names() {
    let m = read(
        ",filename,age,gender,x_min,y_min,x_max,y_max,head_roll\n0,01/nm.jpg,43,F,5,6,50,60,1.2\n",
    )
    .unwrap();
    assert_eq!(m.rows[0].face, pixel_box(5., 6., 50., 60.));
    assert_eq!((m.rows[0].sex, m.rows[0].body), (Some(Sex::Female), None));
    let m = read("path\nx.png\ny.png\n").unwrap();
    assert_eq!(m.names().unwrap(), ["x.png", "y.png"]);
    assert_eq!((m.rows[1].age, m.rows[1].other_person), (None, false));
    let options = ManifestOptions {
        path: Some("{face_id}_03.jpg".into()),
        id: Some("face_id".into()),
        ..ManifestOptions::default()
    };
    let m = read_with(
        "face_id,face_age,face_gender\n001,24,female\n002,,male\n",
        &options,
    )
    .unwrap();
    assert_eq!(m.rows[0].path, "001_03.jpg");
    assert_eq!(m.names().unwrap(), ["001", "002"]);
    assert_eq!(
        (m.rows[0].age, m.rows[1].age),
        (Some(TrueAge::Years(24.0)), None)
    );
}

#[test]
fn ages_and_sexes_are_read_as_data_sets_write_them() {
    let class = |low, high| Ok(Some(TrueAge::Class { low, high }));
    for (text, age) in [
        (" 31 ", Ok(Some(TrueAge::Years(31.0)))),
        ("31,5", Ok(Some(TrueAge::Years(31.5)))),
        ("25;32", class(25.0, 32.0)),
        ("0-2", class(0.0, 2.0)),
        ("20–29", class(20.0, 29.0)),
        ("(25, 32)", class(25.0, 32.0)),
        ("70+", class(70.0, f64::INFINITY)),
        ("more than 70", class(70.0, f64::INFINITY)),
        ("-1", Ok(None)),
        ("-1.0", Ok(None)),
        ("NaN", Ok(None)),
        ("", Ok(None)),
        ("-2", Err("the age lies outside 0 to 150 years")),
        ("212", Err("the age lies outside 0 to 150 years")),
        ("25;320", Err("the age lies outside 0 to 150 years")),
        (
            "32;25",
            Err("is a class of ages that ends before it begins"),
        ),
        ("old", Err("is not an age")),
    ] {
        assert_eq!(parse_age(text), age, "{text}");
    }
    let utk = ["0".to_owned(), "1".to_owned()];
    for (text, spelled, sex) in [
        ("M", None, Ok(Some(Sex::Male))),
        ("Female", None, Ok(Some(Sex::Female))),
        ("-1", None, Ok(None)),
        ("0", Some(&utk), Ok(Some(Sex::Male))),
        ("1", Some(&utk), Ok(Some(Sex::Female))),
        ("x", None, Err("is not a sex")),
    ] {
        assert_eq!(parse_sex(text, spelled), sex, "{text}");
    }
    assert!(
        parse_sex("1", None)
            .unwrap_err()
            .contains("means male in some")
    );
}

#[test]
fn a_file_in_which_nobody_has_an_age_is_about_everybody() {
    let text = format!("{MIVOLO}a.jpg,-1,-1,1,2,5,7,,,,\nb.jpg,-1,-1,1,2,5,7,,,,\n");
    assert!(read(&text).unwrap().rows.iter().all(|r| !r.other_person));
    // An empty cell is an unknown age, not another person.
    let m = read("path,age,gender\na.jpg,,\nb.jpg,4,F\nc.jpg,-1,F\nd.jpg,-1,-1\n").unwrap();
    let others: Vec<bool> = m.rows.iter().map(|r| r.other_person).collect();
    assert_eq!(others, [false, false, false, true]);
}

#[test]
fn bad_rows_name_row_column_and_value() {
    for (row, column, words) in [
        (
            "a.jpg,31,M,10,20,50,,0,0,9,9",
            "face_y1",
            "one edge of the box is missing",
        ),
        (
            "a.jpg,31,M,10,20,10,70,0,0,9,9",
            "face_x0",
            "without width or height",
        ),
        (
            "a.jpg,31,M,10,20,x,70,0,0,9,9",
            "face_x1",
            "is not a number",
        ),
        ("a.jpg,212,M,,,,,0,0,9,9", "age", "outside 0 to 150"),
        ("a.jpg,31,Q,,,,,0,0,9,9", "gender", "is not a sex"),
    ] {
        let p = read(&format!("{MIVOLO}ok.jpg,1,F,,,,,,,,\n{row}\n")).unwrap_err();
        assert!(p.what.contains(words), "{p}");
        assert_eq!((p.row, p.column.as_deref()), (Some(3), Some(column)));
        assert!(p.hint.is_some());
    }
    assert_eq!(read("path,age\n,3\n").unwrap_err().row, Some(2));
    let p = read("person,age\na,3\n").unwrap_err();
    assert!(p.what.contains("no column named path or img_name"), "{p}");
    let p = read("path,face_x0,face_y0,face_x1\na,1,2,3\n").unwrap_err();
    assert!(p.what.contains("face_y1"), "{p}");
    let twice = format!("{MIVOLO}a.jpg,1,F,1,2,3,4,,,,\na.jpg,1,F,1,2,3,4,,,,\n");
    let p = read(&twice).unwrap().names().unwrap_err();
    assert_eq!(
        (p.row, p.what.as_str()),
        (Some(3), "the same person stands in an earlier row")
    );
}

#[test]
fn rows_are_left_out_on_request_and_truths_that_nobody_wants_are_not_judged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.csv");
    fs::write(&path, "path,age\na.jpg,old\nb.jpg,3\n").unwrap();
    let mut skipped = Skipped::lenient();
    let m = read_manifest(&path, &ManifestOptions::default(), &mut skipped).unwrap();
    assert_eq!((m.rows.len(), m.rows[0].row, skipped.rows()), (1, 3, 1));
    let options = ManifestOptions {
        truths: false,
        ..ManifestOptions::default()
    };
    let m = read_manifest(&path, &options, &mut Skipped::strict()).unwrap();
    assert_eq!((m.rows.len(), m.rows[1].age), (2, None));
    fs::write(&path, "path,age\na.jpg,old\n").unwrap();
    let mut skipped = Skipped::lenient();
    let p = read_manifest(&path, &ManifestOptions::default(), &mut skipped).unwrap_err();
    assert_eq!(p.what, "no row is left");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        head in "[a-z_0-9,]{0,40}",
        body in "(?s)[-0-9a-z.;,+()\" \n]{0,200}",
        known in any::<bool>(),
    ) {
        let head = if known { MIVOLO.trim_end().to_owned() } else { head };
        if let Ok(m) = read(&format!("{head}\n{body}")) {
            let _ = m.names();
            prop_assert_eq!(m.by_picture().iter().map(Vec::len).sum::<usize>(), m.rows.len());
        }
    }

    #[test]
    fn every_written_number_comes_back(low in 0.0f64..150.0, more in 0.0f64..40.0) {
        prop_assert_eq!(parse_age(&low.to_string()), Ok(Some(TrueAge::Years(low))));
        let high = (low + more).min(150.0);
        prop_assert_eq!(parse_age(&format!("{low};{high}")), Ok(Some(TrueAge::Class { low, high })));
    }
}
