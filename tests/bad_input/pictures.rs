//! Pictures that are missing, damaged, too large, or no pictures.

use super::{build_refused, build_skips};
use crate::support::{Dir, skipped};
use std::{fs, process::Command};

/// A PNG whose header claims this size and whose data end there: 33 bytes of header, then an empty data chunk.
fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(u32::MAX, |crc, &b| {
            (0..8).fold(crc ^ u32::from(b), |c, _| {
                if c & 1 == 1 {
                    c >> 1 ^ 0xedb8_8320
                } else {
                    c >> 1
                }
            })
        })
    };
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes()[..],
        &[8, 2, 0, 0, 0],
    ]
    .concat();
    for (name, body) in [(b"IHDR", &header[..]), (b"IDAT", &[]), (b"IEND", &[])] {
        let chunk = [&name[..], body].concat();
        png.extend((body.len() as u32).to_be_bytes());
        png.extend(&chunk);
        png.extend(crc(&chunk).to_be_bytes());
    }
    png
}

#[test]
fn a_missing_picture_is_named_with_the_row_that_lists_it() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    dir.ok(&["pool", "build", "c"]);
    fs::remove_file(dir.join("c/photos/i2.jpg")).unwrap();
    build_refused(
        &dir,
        &[
            "there is no such picture",
            "c/items.csv, row 4",
            "photos/i2.jpg\"",
        ],
    );
    assert_eq!(build_skips(&dir, 1)["items"], 5);

    fs::remove_file(dir.join("c/photos/k1.jpg")).unwrap();
    build_refused(
        &dir,
        &[
            "there is no such picture",
            "c/controls.csv, row 3",
            "photos/k1.jpg\"",
        ],
    );
    let summary = build_skips(&dir, 2);
    assert_eq!(
        (&summary["items"], &summary["controls"]),
        (&5.into(), &3.into())
    );
}

#[test]
fn damaged_pictures_are_named_or_left_out_and_counted() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    let jpeg = fs::read(dir.join("c/photos/i1.jpg")).unwrap();
    let png = fs::read(dir.photo("whole.png", 77)).unwrap();
    let bad: [(&str, Vec<u8>, &str); 6] = [
        (
            "a truncated JPEG",
            jpeg[..jpeg.len() - 100].to_vec(),
            "cut off",
        ),
        ("a truncated PNG", png[..png.len() / 2].to_vec(), "cut off"),
        ("an empty file", Vec::new(), "empty"),
        (
            "text",
            b"not a picture at all, only words".to_vec(),
            "not a picture",
        ),
        (
            "a web page",
            b"<!DOCTYPE html><html><body>404</body></html>".to_vec(),
            "web page",
        ),
        (
            "an SVG",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(),
            "SVG",
        ),
    ];
    for (what, bytes, says) in &bad {
        dir.write("c/photos/i1.jpg", bytes);
        println!("{what}");
        build_refused(&dir, &["c/items.csv, row 3", "photos/i1.jpg\"", says]);
        assert_eq!(build_skips(&dir, 1)["items"], 5, "{what}");
        fs::remove_dir_all(dir.join("c/pool")).unwrap();
    }
    // All at once, in a folder: each is named by its file and counted by its reason.
    for (i, (_, bytes, _)) in bad.iter().enumerate() {
        dir.write(&format!("c/folder/bad{i}.jpg"), bytes);
    }
    dir.photo("c/folder/good.png", 50);
    dir.edit(
        "c/campaign.toml",
        "source = \"items.csv\"\npath = \"file\"\nid = \"id\"",
        "source = \"folder\"",
    );
    build_refused(&dir, &["c/folder/bad0.jpg", "cut off"]);
    assert_eq!(build_skips(&dir, 6)["items"], 1);
}

#[test]
fn a_picture_that_claims_sixty_thousand_by_sixty_thousand_pixels_is_refused_without_taking_their_memory()
 {
    let dir = Dir::new();
    dir.campaign(6, 4);
    let bomb = png_claiming(60_000, 60_000);
    assert_eq!(bomb.len(), 57);
    dir.write("c/photos/i5.jpg", &bomb);
    build_refused(
        &dir,
        &[
            "60000×60000",
            "max_megapixels",
            "c/items.csv, row 7",
            "photos/i5.jpg\"",
        ],
    );
    // 10.8 GB of pixels do not fit into 2 GB of address space.
    let program = env!("CARGO_BIN_EXE_veche");
    let limited = Command::new("sh")
        .args([
            "-c",
            "ulimit -v 2000000 && exec \"$0\" pool build c --skip-bad-rows --json",
            program,
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stderr).into_owned();
    assert!(limited.status.success(), "{said}");
    let summary: serde_json::Value = serde_json::from_slice(&limited.stdout).unwrap();
    assert_eq!(
        (&summary["items"], &summary["skipped"][0]["rows"]),
        (&5.into(), &1.into())
    );
}

#[test]
fn a_picture_larger_than_the_campaign_allows_is_refused() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    image::RgbImage::new(1100, 1000)
        .save(dir.join("c/photos/i0.jpg"))
        .unwrap();
    dir.edit(
        "c/campaign.toml",
        "longest_side = 32",
        "longest_side = 32\nmax_megapixels = 1",
    );
    build_refused(&dir, &["1100", "1000", "max_megapixels", "row 2"]);
    assert_eq!(build_skips(&dir, 1)["items"], 5);
}

#[test]
fn a_picture_that_may_not_be_read_is_named() {
    let dir = Dir::new();
    dir.campaign(6, 4);
    fs::remove_file(dir.join("c/photos/i3.jpg")).unwrap();
    fs::create_dir(dir.join("c/photos/i3.jpg")).unwrap();
    build_refused(
        &dir,
        &["c/items.csv, row 5", "photos/i3.jpg\"", "directory"],
    );
    assert_eq!(build_skips(&dir, 1)["items"], 5);
}

#[test]
fn if_every_picture_is_bad_there_is_no_pool() {
    let dir = Dir::new();
    dir.campaign(3, 4);
    for i in 0..3 {
        dir.write(&format!("c/photos/i{i}.jpg"), "bad");
    }
    super::refused(
        &dir,
        &["pool", "build", "c", "--skip-bad-rows"],
        &["no items are left", "items.csv"],
    );
    dir.campaign(3, 2);
    for i in 0..2 {
        dir.write(&format!("c/photos/k{i}.jpg"), "bad");
    }
    super::refused(
        &dir,
        &["pool", "build", "c", "--skip-bad-rows"],
        &["controls"],
    );
}

#[test]
fn a_full_disk_is_no_bad_picture_even_where_bad_rows_are_skipped() {
    let dir = Dir::new();
    dir.campaign(40, 6);
    dir.edit("c/campaign.toml", "longest_side = 32", "longest_side = 256");
    let Some(said) = super::disk::on_a_small_disk(
        &dir,
        "400k",
        "cp -a c DISK/",
        "pool build DISK/c --skip-bad-rows",
    ) else {
        skipped("a small file system cannot be mounted here");
        return;
    };
    assert!(said.contains("code 1"), "{said}");
    assert!(
        said.contains("No space left") && said.contains("the disk is full"),
        "{said}"
    );
    assert!(
        said.contains("cannot write the picture") && said.contains("/c/pool/shown/"),
        "{said}"
    );
    assert!(said.contains("same files"), "{said}");
}
