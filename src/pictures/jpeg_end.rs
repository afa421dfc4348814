//! Whether a JPEG file is all there.
//!
//! JPEG decoders are lenient: a file cut in the middle decodes "successfully" with its lower part grey. An annotator
//! would then be asked the age of half a face, so the end is checked here before anything is decoded. Layout of markers
//! and segments: ITU-T T.81 (1992), annex B.

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const TEM: u8 = 0x01;
const RST0: u8 = 0xD0;
const RST7: u8 = 0xD7;

/// Whether the JPEG file in `bytes` has at least one scan and an end-of-image marker after it.
///
/// Segments are stepped over by their length, so the complete JPEG of an EXIF thumbnail, which lies inside a segment,
/// does not count. Bytes after the end (a second picture, a video, padding) are not looked at. Bytes that do not start
/// like a JPEG give `false`.
pub fn is_complete(bytes: &[u8]) -> bool {
    if !bytes.starts_with(&[0xFF, SOI]) {
        return false;
    }
    let mut at = 2;
    let mut scans = 0;
    while let Some((marker, after)) = next_marker(bytes, at) {
        at = after;
        match marker {
            EOI => return scans > 0,
            TEM | SOI | RST0..=RST7 => {}
            _ => {
                let Some(&[high, low]) = bytes.get(at..at + 2) else {
                    return false;
                };
                // The length counts its own two bytes; a smaller one is nonsense that must not stop the walk.
                at += usize::from(u16::from_be_bytes([high, low])).max(2);
                if marker == SOS {
                    // `next_marker` runs over the coded data: there every 0xFF is followed by 0x00 or a restart.
                    scans += 1;
                }
            }
        }
    }
    false
}

/// The first marker at or after `at`, and the place behind it. Anything else is stepped over: coded data of a scan,
/// stuffed zeros, fill bytes, and the stray bytes some cameras leave between segments.
fn next_marker(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let mut at = at;
    loop {
        at += bytes.get(at..)?.iter().position(|&b| b == 0xFF)?;
        at += bytes.get(at..)?.iter().position(|&b| b != 0xFF)?;
        if bytes[at] != 0 {
            return Some((bytes[at], at + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{RgbImage, codecs::jpeg::JpegEncoder};

    /// A real JPEG of some noise-like pixels.
    fn jpeg(size: u32) -> Vec<u8> {
        let picture = RgbImage::from_fn(size, size, |x, y| {
            image::Rgb([
                (x * 37 + y * 11) as u8,
                (x * y) as u8,
                (x * 5 + y * 91) as u8,
            ])
        });
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90)
            .encode_image(&picture)
            .unwrap();
        bytes
    }

    /// `main` with `segment` as an APP1 after its start-of-image.
    fn with_app1(main: &[u8], segment: &[u8]) -> Vec<u8> {
        let length = u16::try_from(segment.len() + 2).unwrap().to_be_bytes();
        [&main[..2], &[0xFF, 0xE1], &length, segment, &main[2..]].concat()
    }

    #[test]
    fn a_whole_file_is_complete_and_no_beginning_of_it_is() {
        let whole = jpeg(40);
        assert!(is_complete(&whole));
        for end in 0..whole.len() {
            assert!(
                !is_complete(&whole[..end]),
                "{end} of {} bytes",
                whole.len()
            );
        }
    }

    #[test]
    fn the_end_of_a_thumbnail_does_not_count() {
        let thumbnail = [b"Exif\0\0".as_slice(), &jpeg(8)].concat();
        let whole = with_app1(&jpeg(40), &thumbnail);
        assert!(is_complete(&whole));
        assert!(!is_complete(&whole[..whole.len() - 10]));
        assert!(!is_complete(&whole[..thumbnail.len() + 20]));
    }

    #[test]
    fn bytes_after_the_end_and_between_segments_do_no_harm() {
        let whole = jpeg(16);
        assert!(is_complete(
            &[whole.as_slice(), b"trailing", &[0; 9]].concat()
        ));
        let stray = [&whole[..2], &[0x00, 0x17, 0xFF, 0xFF], &whole[3..]].concat();
        assert!(is_complete(&stray));
    }

    #[test]
    fn an_end_without_a_scan_is_not_a_picture() {
        assert!(!is_complete(&[0xFF, SOI, 0xFF, EOI]));
        assert!(!is_complete(b"GIF89a"));
        assert!(!is_complete(&[]));
    }
}
