//! Which pixels belong to a person, as segmenters say it: a picture that is white there, or run lengths as in COCO.

use image::{DynamicImage, ImageReader, Limits};
use serde::Deserialize;
use std::{
    fs,
    io::Cursor,
    path::{Component, Path, PathBuf},
};

/// A folder of masks, one file per person: `ITEM.png` or `ITEM.json`, with or without the ending of the picture in ITEM.
#[derive(Debug, Clone)]
pub struct Masks {
    folder: PathBuf,
}

/// Run lengths larger than this are no mask of a picture.
const LARGEST_FILE: u64 = 64 << 20;

impl Masks {
    /// Masks in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The file of a person, if there is one. Of `a/b.jpg#1,2,3,4` it is `a/b.jpg#1,2,3,4.png` (or `.json`), of `a/b.jpg` also `a/b.png`.
    pub fn find(&self, item: &str) -> Option<PathBuf> {
        // Items are paths; a mask is looked for inside the folder only.
        let inside: PathBuf = Path::new(item)
            .components()
            .filter(|c| matches!(c, Component::Normal(_)))
            .collect();
        let stem = inside.with_extension("");
        let of = |name: &Path, ending: &str| {
            let mut name = name.as_os_str().to_owned();
            name.push(ending);
            self.folder.join(name)
        };
        [
            (&inside, ".png"),
            (&inside, ".json"),
            (&stem, ".png"),
            (&stem, ".json"),
        ]
        .into_iter()
        .map(|(name, ending)| of(name, ending))
        .find(|path| path.is_file())
    }

    /// Reads a mask for a picture of `width × height`: one entry per pixel, row by row, set where the person is.
    ///
    /// A picture is set where it is brighter than half of its brightest pixel (so 0/1 and 0/255 both work), or, if it has
    /// transparency, where it is more opaque than half. The error says what is wrong with the file.
    pub fn read(path: &Path, width: u32, height: u32) -> Result<Vec<bool>, String> {
        let said = |what: &str| format!("the mask {} {what}", path.display());
        let size = fs::metadata(path).map_err(|e| said(&format!("cannot be read: {e}")))?;
        if size.len() > LARGEST_FILE {
            return Err(said("is larger than 64 MiB"));
        }
        let bytes = fs::read(path).map_err(|e| said(&format!("cannot be read: {e}")))?;
        let is_text = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let mask = if is_text {
            run_lengths(&bytes, width, height)
        } else {
            picture(&bytes, width, height)
        };
        mask.map_err(|what| said(&what))
    }
}

fn wrong_size(is: (u64, u64), width: u32, height: u32) -> String {
    format!(
        "has {}×{} pixels and the picture, upright, {width}×{height}",
        is.0, is.1
    )
}

fn picture(bytes: &[u8], width: u32, height: u32) -> Result<Vec<bool>, String> {
    let broken = |e: image::ImageError| format!("cannot be read: {e}");
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| format!("cannot be read: {e}"))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(width.max(1));
    limits.max_image_height = Some(height.max(1));
    reader.limits(limits);
    let mask = match reader.decode() {
        Ok(mask) => mask,
        Err(image::ImageError::Limits(_)) => {
            return Err(format!(
                "has other sides than the picture, upright, {width}×{height}"
            ));
        }
        Err(e) => return Err(broken(e)),
    };
    if (mask.width(), mask.height()) != (width, height) {
        let is = (mask.width().into(), mask.height().into());
        return Err(wrong_size(is, width, height));
    }
    let values: Vec<u16> = if mask.color().has_alpha() {
        let alpha = mask.to_rgba16();
        if alpha.pixels().all(|p| p.0[3] == u16::MAX) {
            DynamicImage::ImageRgba16(alpha).to_luma16().into_raw()
        } else {
            return Ok(alpha.pixels().map(|p| p.0[3] > u16::MAX / 2).collect());
        }
    } else {
        mask.to_luma16().into_raw()
    };
    let brightest = values.iter().copied().max().unwrap_or(0);
    Ok(values.iter().map(|&v| v > brightest / 2).collect())
}

#[derive(Deserialize)]
struct File {
    size: Option<[u64; 2]>,
    counts: Option<Counts>,
    segmentation: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    size: [u64; 2],
    counts: Counts,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Counts {
    Plain(Vec<u64>),
    Packed(String),
}

/// COCO's run lengths: `{"size": [height, width], "counts": …}`, bare or as `segmentation`, plain or packed.
fn run_lengths(bytes: &[u8], width: u32, height: u32) -> Result<Vec<bool>, String> {
    let file: File =
        serde_json::from_slice(bytes).map_err(|e| format!("is no JSON of run lengths: {e}"))?;
    let (size, counts) = match (file.size, file.counts, file.segmentation) {
        (Some(size), Some(counts), _) | (_, _, Some(Inner { size, counts })) => (size, counts),
        _ => return Err("has no size and counts".to_owned()),
    };
    if size != [u64::from(height), u64::from(width)] {
        return Err(wrong_size((size[1], size[0]), width, height));
    }
    let counts = match counts {
        Counts::Plain(counts) => counts,
        Counts::Packed(text) => unpacked(&text)?,
    };
    let (width, height) = (width as usize, height as usize);
    let mut mask = vec![false; width * height];
    // Column by column from above, beginning with what is not set.
    let (mut at, mut set) = (0_usize, false);
    for count in counts {
        let end = usize::try_from(count)
            .ok()
            .and_then(|count| at.checked_add(count))
            .filter(|&end| end <= mask.len())
            .ok_or("has run lengths for more pixels than it says")?;
        if set {
            for i in at..end {
                mask[i % height * width + i / height] = true;
            }
        }
        (at, set) = (end, !set);
    }
    if at != mask.len() {
        return Err("has run lengths for fewer pixels than it says".to_owned());
    }
    Ok(mask)
}

/// COCO packs numbers into printable characters: five bits each, the lowest first, a sixth bit says that more follow, and from the
/// fourth number on only the difference from the one before the last is written.
fn unpacked(text: &str) -> Result<Vec<u64>, String> {
    const BROKEN: &str = "has packed run lengths that cannot be read";
    let mut counts: Vec<i64> = Vec::new();
    let (mut value, mut shift) = (0_i64, 0);
    for byte in text.bytes() {
        let bits = byte.checked_sub(48).filter(|&b| b < 64).ok_or(BROKEN)?;
        if shift > 50 {
            return Err(BROKEN.to_owned());
        }
        value |= i64::from(bits & 0x1F) << shift;
        shift += 5;
        if bits & 0x20 == 0 {
            if bits & 0x10 != 0 {
                value |= -1 << shift;
            }
            if counts.len() > 2 {
                value += counts[counts.len() - 2];
            }
            counts.push(value);
            (value, shift) = (0, 0);
        }
    }
    if shift != 0 {
        return Err(BROKEN.to_owned());
    }
    counts
        .into_iter()
        .map(|c| u64::try_from(c).map_err(|_| BROKEN.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgba, RgbaImage};
    use proptest::prelude::*;

    fn write(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    /// 4 wide, 3 high: the two middle columns without the lowest row.
    const SET: [bool; 12] = {
        let (t, f) = (true, false);
        [f, t, t, f, f, t, t, f, f, f, f, f]
    };

    #[test]
    fn run_lengths_go_down_the_columns_plain_and_packed() {
        let plain = br#"{"size": [3, 4], "counts": [3, 2, 1, 2, 4]}"#;
        let (_dir, path) = write("m.json", plain);
        assert_eq!(Masks::read(&path, 4, 3).unwrap(), SET);
        // From pycocotools 2.0.8: encode(asfortranarray(mask)), which writes 3, 2, 1, 2 − 2 and 4 − 1.
        let packed = br#"{"score": 0.9, "segmentation": {"size": [3, 4], "counts": "32103"}}"#;
        let (_dir, path) = write("m.json", packed);
        assert_eq!(Masks::read(&path, 4, 3).unwrap(), SET);
    }

    #[test]
    fn pictures_are_set_where_bright_or_where_opaque() {
        for high in [1, 255] {
            let grey = GrayImage::from_fn(4, 3, |x, y| {
                Luma([if SET[(y * 4 + x) as usize] { high } else { 0 }])
            });
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("m.png");
            grey.save(&path).unwrap();
            assert_eq!(Masks::read(&path, 4, 3).unwrap(), SET, "{high}");
            let fault = Masks::read(&path, 3, 4).unwrap_err();
            assert!(fault.contains("than the picture, upright, 3×4"), "{fault}");
            let fault = Masks::read(&path, 4, 5).unwrap_err();
            assert!(fault.contains("has 4×3 pixels"), "{fault}");
        }
        let cut = RgbaImage::from_fn(4, 3, |x, y| {
            Rgba([0, 0, 0, if SET[(y * 4 + x) as usize] { 255 } else { 0 }])
        });
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.png");
        cut.save(&path).unwrap();
        assert_eq!(Masks::read(&path, 4, 3).unwrap(), SET);
        let nothing = GrayImage::new(4, 3);
        nothing.save(&path).unwrap();
        assert_eq!(Masks::read(&path, 4, 3).unwrap(), [false; 12]);
    }

    #[test]
    fn a_persons_mask_is_found_by_the_items_name_inside_the_folder_only() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        for name in ["a/x.png", "a/y.jpg#1,2,3,4.json", "a/z.jpg.png"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let masks = Masks::new(dir.path());
        let found = |item: &str| {
            masks
                .find(item)
                .map(|p| p.strip_prefix(dir.path()).unwrap().to_owned())
        };
        assert_eq!(found("a/x.jpg"), Some("a/x.png".into()));
        assert_eq!(
            found("a/y.jpg#1,2,3,4"),
            Some("a/y.jpg#1,2,3,4.json".into())
        );
        assert_eq!(found("a/z.jpg"), Some("a/z.jpg.png".into()));
        assert_eq!(
            found("/../a/x.jpg"),
            Some("a/x.png".into()),
            "leaves the folder in no way"
        );
        assert_eq!(found("a/w.jpg"), None);
    }

    #[test]
    fn wrong_run_lengths_are_faults() {
        for (counts, words) in [
            ("[3, 2, 1, 2, 5]", "more pixels than it says"),
            ("[3, 2]", "fewer pixels than it says"),
            ("[18446744073709551615, 5]", "more pixels"),
            ("\"3ÿ\"", "cannot be read"),
            ("\"3P\"", "cannot be read"),
            ("\"oooooooooooooo0\"", "cannot be read"),
        ] {
            let text = format!("{{\"size\": [3, 4], \"counts\": {counts}}}");
            let (_dir, path) = write("m.json", text.as_bytes());
            let fault = Masks::read(&path, 4, 3).unwrap_err();
            assert!(fault.contains(words), "{counts}: {fault}");
        }
        let (_dir, path) = write("m.json", b"{}");
        assert!(
            Masks::read(&path, 4, 3)
                .unwrap_err()
                .contains("no size and counts")
        );
        let (_dir, path) = write("m.png", b"nothing");
        assert!(Masks::read(&path, 4, 3).is_err());
    }

    /// COCO's packing, to see that unpacking undoes it.
    fn packed(counts: &[u64]) -> String {
        let mut text = String::new();
        for (i, &count) in counts.iter().enumerate() {
            let mut x = count as i64 - if i > 2 { counts[i - 2] as i64 } else { 0 };
            loop {
                let mut bits = (x & 0x1F) as u8;
                x >>= 5;
                let more = if bits & 0x10 != 0 { x != -1 } else { x != 0 };
                if more {
                    bits |= 0x20;
                }
                text.push(char::from(bits + 48));
                if !more {
                    break;
                }
            }
        }
        text
    }

    proptest! {
        #[test]
        fn packed_run_lengths_come_back(counts in proptest::collection::vec(0_u64..5_000_000, 0..40)) {
            prop_assert_eq!(unpacked(&packed(&counts)).unwrap(), counts);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
            let _ = unpacked(&text);
            let _ = run_lengths(text.as_bytes(), 4, 3);
            let _ = picture(text.as_bytes(), 4, 3);
        }
    }
}
