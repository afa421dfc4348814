//! `veche predict` and `veche model check` from outside, with the network that is built in and with a made-up one.

use crate::support::{Dir, ran};
use image::{
    DynamicImage, Frame, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder},
};
use std::{collections::BTreeMap, fs, io::Cursor, path::Path, process::Stdio};

/// One row of a result by its columns.
type Row = BTreeMap<String, String>;

fn rows(dir: &Dir, name: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(dir.join(name)).unwrap();
    let head = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        let cells = head.iter().zip(record.iter());
        cells.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    };
    reader.records().map(|r| row(r.unwrap())).collect()
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Something smooth that is brighter in one corner: a turned one looks different.
fn shades(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (x * 255 / width, y * 255 / height);
        Rgb([x as u8, y as u8, (x * y / 255) as u8])
    })
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
    picture.write_with_encoder(encoder).unwrap();
    bytes
}

/// A JPEG that says how the camera was held.
fn held(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    exif.extend([0; 4]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &exif, &jpeg[2..]].concat()
}

/// Pictures of every awkward kind in `photos`: six that can be read, five that cannot.
fn awkward(dir: &Dir) {
    let plain = shades(160, 120);
    let add = |name: &str, bytes: Vec<u8>| dir.write(&format!("photos/{name}"), bytes);
    add("a-plain.jpg", jpeg(&plain));
    // Turned to the left when it was saved, so that it has to be turned to the right.
    add(
        "b-turned.jpg",
        held(&jpeg(&image::imageops::rotate270(&plain)), 6),
    );
    let wide = ImageBuffer::from_fn(160, 120, |x, y| {
        let Rgb(p) = *plain.get_pixel(x, y);
        Rgb(p.map(|v| u16::from(v) * 257))
    });
    add("c-16-bit.png", encoded(wide, ImageFormat::Png));
    let grey = ImageBuffer::from_fn(160, 120, |x, _| Luma([(x % 256) as u8]));
    add("d-grey.png", encoded(grey, ImageFormat::Png));
    let clear = ImageBuffer::from_fn(160, 120, |x, y| LumaA([(y % 256) as u8, (x % 256) as u8]));
    add("e-alpha.png", encoded(clear, ImageFormat::Png));
    let mut gif = Vec::new();
    let mut encoder = GifEncoder::new(&mut gif);
    for shade in [90, 200] {
        let frame = RgbaImage::from_pixel(80, 80, Rgba([shade, 40, 40, 255]));
        encoder.encode_frame(Frame::new(frame)).unwrap();
    }
    drop(encoder);
    add("f-animated.gif", gif);
    let whole = jpeg(&plain);
    add("g-cut.jpg", whole[..whole.len() / 2].to_vec());
    add("h-empty.jpg", Vec::new());
    add("i-text.jpg", b"no picture".to_vec());
    // A header that promises 60,000 × 60,000 pixels.
    let mut bomb = encoded(plain, ImageFormat::Bmp);
    for at in [18, 22] {
        bomb[at..at + 4].copy_from_slice(&60_000u32.to_le_bytes());
    }
    add("j-huge.bmp", bomb);
    add("k-short.png", b"\x89PNG\r\n\x1a\n".to_vec());
}

#[test]
fn every_picture_has_its_row_and_what_cannot_be_read_says_why() {
    let dir = Dir::new();
    awkward(&dir);
    dir.ok(&[
        "predict", "--items", "photos", "--whole", "face", "--out", "p.csv",
    ]);
    let found = rows(&dir, "p.csv");
    assert_eq!(found.len(), 11);
    for (at, row) in found.iter().enumerate() {
        let fine = at < 6;
        assert_eq!(row["error"].is_empty(), fine, "{row:?}");
        assert_eq!(row["age"].is_empty(), !fine, "{row:?}");
        assert_eq!(row["face_used"], fine.to_string());
        if fine {
            let age: f64 = row["age"].parse().unwrap();
            assert!((-20.0..130.0).contains(&age));
            assert!(["male", "female"].contains(&row["sex"].as_str()));
        }
    }
    let age = |at: usize| -> f64 { found[at]["age"].parse().unwrap() };
    assert!(
        (age(0) - age(1)).abs() < 0.5,
        "the camera's turn is undone: {found:?}"
    );
    assert!(
        (age(0) - age(2)).abs() < 0.5,
        "16 bits are 8 bits: {found:?}"
    );
    assert!(found[9]["error"].contains("60000"), "{:?}", found[9]);
    assert!(dir.join("p.csv.provenance.json").exists());
}

#[test]
fn threads_batches_parts_and_stops_do_not_change_a_byte() {
    let dir = Dir::new();
    awkward(&dir);
    for n in 0..21 {
        dir.photo(&format!("photos/m-{n:02}.png"), n);
    }
    let base = ["predict", "--items", "photos", "--whole", "wide", "--out"];
    let whole = |out: &str, more: &[&str]| {
        let args: Vec<&str> = base
            .iter()
            .copied()
            .chain([out])
            .chain(more.iter().copied())
            .collect();
        dir.ok(&args);
        dir.read(out)
    };
    let first = whole("p.csv", &["--threads", "1", "--batch", "1"]);
    assert_eq!(first.lines().count(), 33);
    assert_eq!(whole("q.csv", &["--threads", "2", "--batch", "8"]), first);
    assert_eq!(whole("r.csv", &["--threads", "3", "--batch", "32"]), first);
    let mut joined = String::new();
    for part in 1..=3 {
        let text = whole("s.csv", &["--shard", &format!("{part}/3")]);
        let skip = usize::from(part > 1);
        joined += &text.split_inclusive('\n').skip(skip).collect::<String>();
    }
    assert_eq!(joined, first);
    // Killed when some photos are done, and begun once more.
    let args: Vec<&str> = base
        .iter()
        .copied()
        .chain(["k.csv", "--threads", "1", "--batch", "1"])
        .collect();
    let mut child = dir.command(&args).stderr(Stdio::null()).spawn().unwrap();
    let journal = dir.join("k.csv.part");
    let lines =
        |path: &Path| fs::read(path).map_or(0, |b| b.iter().filter(|&&c| c == b'\n').count());
    while lines(&journal) < 4 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let said = dir.run(&args);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("are done already"), "{}", said.err);
    assert_eq!(dir.read("k.csv"), first);
    assert!(!journal.exists());
    // Whoever goes on with other settings is told.
    dir.write("k.csv.part", "another run\n");
    dir.fails(&args, &["another run", "--restart"]);
}

/// Two people in one photo, a third of whom nothing is asked, and a photo of one body.
fn people(dir: &Dir) {
    let photo = shades(400, 300);
    dir.write("two.png", encoded(photo.clone(), ImageFormat::Png));
    dir.write("one.png", encoded(photo, ImageFormat::Png));
    dir.write(
        "people.csv",
        "img_name,age,gender,face_x0,face_y0,face_x1,face_y1,person_x0,person_y0,person_x1,person_y1\n\
         two.png,30,M,40,20,90,80,10,0,160,300\n\
         two.png,40,F,240,20,290,80,210,0,360,300\n\
         two.png,-1,-1,160,20,200,60,-1,-1,-1,-1\n\
         one.png,50,F,-1,-1,-1,-1,10,0,160,300\n",
    );
}

#[test]
fn what_is_hidden_is_not_used_and_masks_take_the_place_of_boxes() {
    let dir = Dir::new();
    people(&dir);
    let run = |out: &str, more: &[&str]| -> Vec<Row> {
        let base = ["predict", "--items", "people.csv", "--out", out];
        let args: Vec<&str> = base.iter().copied().chain(more.iter().copied()).collect();
        dir.ok(&args);
        rows(&dir, out)
    };
    let used = |rows: &[Row]| -> Vec<[bool; 2]> {
        let of = |r: &Row| ["face_used", "body_used"].map(|c| r[c] == "true");
        rows.iter().map(of).collect()
    };
    let open = run("open.csv", &[]);
    assert_eq!(open[0]["item"], "two.png#40,20,90,80");
    assert_eq!(used(&open), [[true, true], [true, true], [false, true]]);
    let faceless = run("faceless.csv", &["--hide", "face"]);
    assert_eq!(
        used(&faceless),
        [[false, true], [false, true], [false, true]]
    );
    let bodiless = run("bodiless.csv", &["--hide", "body"]);
    assert_eq!(used(&bodiless)[..2], [[true, false], [true, false]]);
    assert!(!bodiless[2]["error"].is_empty());
    assert_ne!(open[0]["age"], faceless[0]["age"]);

    // A mask that is the box: nothing changes but that nobody else is blacked out of it; one that is empty, one of another size.
    let mask = |x0: u32, x1: u32| {
        ImageBuffer::from_fn(400, 300, |x, _| {
            Luma([if (x0..x1).contains(&x) { 255u8 } else { 0 }])
        })
    };
    dir.write(
        "masks/two.png#40,20,90,80.png",
        encoded(mask(60, 120), ImageFormat::Png),
    );
    let counts = "{\"size\": [300, 400], \"counts\": [63000, 45000, 12000]}";
    dir.write("masks/two.png#240,20,290,80.json", counts);
    dir.write(
        "masks/one.png.png",
        encoded(shades(10, 10), ImageFormat::Png),
    );
    let masked = run("masked.csv", &["--masks", "masks"]);
    assert_eq!(used(&masked)[..2], [[true, true], [true, true]]);
    assert_ne!(masked[0]["age"], open[0]["age"]);
    assert!(
        masked[2]["error"].contains("one.png.png"),
        "{:?}",
        masked[2]
    );

    run("drawn.csv", &["--draw", "drawn"]);
    let drawn = image::open(dir.join("drawn/two.png.jpg"))
        .unwrap()
        .to_rgb8();
    assert_eq!(drawn.dimensions(), (400, 300));
    // The first face is framed in yellow, the first body in green.
    let near = |x: u32, y: u32, wanted: [u8; 3]| {
        let Rgb(p) = *drawn.get_pixel(x, y);
        p.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 60)
    };
    let framed = |xs: std::ops::Range<u32>, y: u32, wanted| xs.clone().any(|x| near(x, y, wanted));
    assert!(framed(36..46, 60, [255, 220, 0]) && framed(6..16, 200, [60, 220, 90]));
    assert!(dir.join("drawn/one.png.jpg").exists());
}

#[test]
fn a_check_says_what_the_predictions_say() {
    let dir = Dir::new();
    people(&dir);
    let said = dir.json(&["model", "check", "people.csv", "--json"]);
    dir.ok(&["predict", "--items", "people.csv", "--out", "p.csv"]);
    let found = rows(&dir, "p.csv");
    // The body of the third is cut the same way by both; boxes here are large enough for the rules of evaluation, too.
    let truths = [30.0, 40.0, 50.0];
    let errors: Vec<f64> = found
        .iter()
        .zip(truths)
        .map(|(r, t)| (r["age"].parse::<f64>().unwrap().max(0.0) - t).abs())
        .collect();
    let mae = errors.iter().sum::<f64>() / 3.0;
    assert!(
        (said["mae"].as_f64().unwrap() - mae).abs() < 1e-3,
        "{said} {mae}"
    );
    let right = found
        .iter()
        .zip(["male", "female", "female"])
        .filter(|(r, s)| r["sex"] == *s)
        .count();
    assert!((said["sex_accuracy"].as_f64().unwrap() - right as f64 / 3.0).abs() < 1e-9);
    let within = errors.iter().filter(|e| **e <= 5.0).count();
    assert!((said["cs"].as_f64().unwrap() - within as f64 / 3.0).abs() < 1e-9);
    let views: Vec<&str> = said["views"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["view"].as_str().unwrap())
        .collect();
    assert!(!views.is_empty());
    let words = dir.ok(&["model", "check", "people.csv"]);
    assert!(
        words.contains("MAE, years") && words.contains("by age"),
        "{words}"
    );
}

#[test]
fn a_network_of_classes_runs_by_its_description_on_every_backend() {
    let dir = Dir::new();
    dir.photo("photos/a.png", 1);
    dir.photo("photos/b.png", 2);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let model = corpus.join("model/classes.onnx").display().to_string();
    let text = fs::read_to_string(corpus.join("description/classes.toml")).unwrap();
    // Every column says the same, so that all classes are equally likely: the mean of 10, 20.5 and 40, and half and half.
    let description = dir
        .write("other.toml", text.replace("20.5", "25"))
        .display()
        .to_string();
    for (more, age) in [
        (vec![], "23.5000"),
        (vec!["--description", description.as_str()], "25.0000"),
    ] {
        for backend in ["tract", "auto"] {
            let mut args = vec![
                "predict", "--model", &model, "--items", "photos", "--whole", "face", "--out",
                "p.csv",
            ];
            args.extend(["--restart", "--backend", backend]);
            args.extend(&more);
            dir.ok(&args);
            for row in rows(&dir, "p.csv") {
                assert_eq!(
                    (row["age"].as_str(), row["sex_score"].as_str()),
                    (age, "0.5000")
                );
            }
        }
    }
    let said = dir.json(&["model", "info", &model, "--json"]);
    assert_eq!(
        (said["variant"].as_str(), said["size"].as_u64()),
        (Some("classes"), Some(4))
    );
    // A provider that is not there is an error, not a silent detour.
    let mut command = dir.command(&["model", "info", &model, "--provider", "tensorrt"]);
    let refused = ran(command.output().unwrap());
    assert_eq!(refused.code, 1, "{}", refused.err);
}
