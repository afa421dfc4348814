//! Every odd kind of picture, made here in code.

use super::*;
use image::{
    Frame, GrayImage, ImageBuffer, Luma, LumaA, Rgba, RgbaImage,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder},
};

/// Left half red, right half blue, the lowest quarter green: every orientation looks different.
fn flag(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        if y >= height * 3 / 4 {
            Rgb([0, 200, 0])
        } else if x < width / 2 {
            Rgb([220, 0, 0])
        } else {
            Rgb([0, 0, 220])
        }
    })
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn decoded(bytes: &[u8]) -> Result<RgbImage, Fault> {
    decode(bytes, &DecodeLimits::default())
}

fn close(found: &RgbImage, expected: &RgbImage, tolerance: u8) {
    assert_eq!(found.dimensions(), expected.dimensions());
    for (x, y, pixel) in found.enumerate_pixels() {
        let wanted = expected.get_pixel(x, y);
        for (a, b) in pixel.0.iter().zip(wanted.0) {
            assert!(
                a.abs_diff(b) <= tolerance,
                "at {x},{y}: {pixel:?} for {wanted:?}"
            );
        }
    }
}

/// A TIFF header with the one entry that says how the camera was held.
fn exif(orientation: u8) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0\x01\0".to_vec();
    bytes.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    bytes.extend([0; 4]);
    bytes
}

/// A JPEG with `segment` as APP1 directly after the start of image.
fn with_app1(jpeg: &[u8], segment: &[u8]) -> Vec<u8> {
    let length = u16::try_from(segment.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, segment, &jpeg[2..]].concat()
}

fn png_chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut table = 0xFFFF_FFFF_u32;
    for byte in name.iter().chain(data) {
        table ^= u32::from(*byte);
        for _ in 0..8 {
            table = (table >> 1) ^ (0xEDB8_8320 & (table & 1).wrapping_neg());
        }
    }
    let length = u32::try_from(data.len()).unwrap();
    [
        &length.to_be_bytes(),
        name.as_slice(),
        data,
        &(!table).to_be_bytes(),
    ]
    .concat()
}

/// A PNG that states its size and holds a handful of bytes.
fn png_bomb(width: u32, height: u32) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        png_chunk(b"IHDR", &header),
        png_chunk(b"IDAT", &[0x78, 0x9C, 0x03, 0, 0, 0, 0, 1]),
        png_chunk(b"IEND", &[]),
    ]
    .concat()
}

/// An 8×8 CMYK JPEG of one colour, as Adobe writes it (inverted: 255 is no ink). Each plane (1 to 64 or 192 to 255) has
/// its mean only: pixel = 128 + coefficient · quantiser / 8, with 4 as quantiser and 8 bits for the coefficient.
fn cmyk_jpeg(planes: [u8; 4]) -> Vec<u8> {
    let mut out = vec![0xFF, 0xD8, 0xFF, 0xEE, 0, 14];
    out.extend(b"Adobe\0\x64\0\0\0\0\0");
    out.extend([0xFF, 0xDB, 0, 67, 0]);
    out.extend([4; 64]);
    out.extend([0xFF, 0xC0, 0, 20, 8, 0, 8, 0, 8, 4]);
    for component in 1..=4 {
        out.extend([component, 0x11, 0]);
    }
    // One code of one bit in each table. DC: a coefficient of 8 bits follows. AC: the block ends.
    for (class, symbol) in [(0x00, 8), (0x10, 0)] {
        out.extend([0xFF, 0xC4, 0, 20, class, 1]);
        out.extend([0; 15]);
        out.push(symbol);
    }
    out.extend([0xFF, 0xDA, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);
    let mut bits = String::new();
    for plane in planes {
        let coefficient = 2 * (i32::from(plane) - 128);
        assert!((128..256).contains(&coefficient.abs()));
        let coded = coefficient + if coefficient < 0 { 255 } else { 0 };
        bits += &format!("0{coded:08b}0");
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap();
        out.push(byte);
        if byte == 0xFF {
            out.push(0);
        }
    }
    out.extend([0xFF, 0xD9]);
    out
}

#[test]
fn every_kind_is_told_by_its_content() {
    for (format, kind, tolerance) in [
        (ImageFormat::Jpeg, Kind::Jpeg, 60),
        (ImageFormat::Png, Kind::Png, 0),
        (ImageFormat::WebP, Kind::WebP, 0),
        (ImageFormat::Gif, Kind::Gif, 6),
        (ImageFormat::Bmp, Kind::Bmp, 0),
        (ImageFormat::Tiff, Kind::Tiff, 0),
    ] {
        let bytes = encoded(flag(64, 48), format);
        assert_eq!(Kind::of(&bytes), Ok(kind));
        close(&decoded(&bytes).unwrap(), &flag(64, 48), tolerance);
    }
}

#[test]
fn the_orientation_of_the_camera_is_applied() {
    let upright = flag(64, 32);
    let mut high = Vec::new();
    JpegEncoder::new_with_quality(&mut high, 95)
        .encode_image(&image::imageops::rotate270(&upright))
        .unwrap();
    let segment = [b"Exif\0\0".as_slice(), &exif(6)].concat();
    close(&decoded(&with_app1(&high, &segment)).unwrap(), &upright, 60);

    let lying = encoded(image::imageops::rotate180(&upright), ImageFormat::Png);
    let with_exif = [&lying[..33], &png_chunk(b"eXIf", &exif(3)), &lying[33..]].concat();
    close(&decoded(&with_exif).unwrap(), &upright, 0);
}

#[test]
fn damaged_exif_does_not_spoil_a_picture() {
    let jpeg = encoded(flag(32, 32), ImageFormat::Jpeg);
    let bytes = with_app1(&jpeg, b"Exif\0\0MM\0\x2A\xFF\xFF\xFF\xFF garbage");
    close(&decoded(&bytes).unwrap(), &flag(32, 32), 60);
}

#[test]
fn grey_and_16_bits_become_8_bit_rgb() {
    let grey = GrayImage::from_pixel(9, 7, Luma([77]));
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let picture = decoded(&encoded(grey.clone(), format)).unwrap();
        close(&picture, &RgbImage::from_pixel(9, 7, Rgb([77; 3])), 1);
    }
    let deep = ImageBuffer::from_pixel(5, 5, Rgb([0xFFFF_u16, 0x8000, 0x0101]));
    close(
        &decoded(&encoded(deep, ImageFormat::Png)).unwrap(),
        &RgbImage::from_pixel(5, 5, Rgb([255, 128, 1])),
        1,
    );
    let deep_grey = ImageBuffer::from_pixel(5, 5, LumaA([0x8000_u16, 0xFFFF]));
    close(
        &decoded(&encoded(deep_grey, ImageFormat::Png)).unwrap(),
        &RgbImage::from_pixel(5, 5, Rgb([128; 3])),
        1,
    );
}

#[test]
fn transparency_is_laid_over_white() {
    let glass = RgbaImage::from_fn(3, 1, |x, _| Rgba([200, 0, 0, [0, 128, 255][x as usize]]));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let picture = decoded(&encoded(glass.clone(), format)).unwrap();
        // By hand, half transparent: (200·128 + 255·127) / 255 = 227.4, (0·128 + 255·127) / 255 = 127.
        assert_eq!(picture.get_pixel(0, 0), &Rgb([255, 255, 255]));
        assert_eq!(picture.get_pixel(1, 0), &Rgb([227, 127, 127]));
        assert_eq!(picture.get_pixel(2, 0), &Rgb([200, 0, 0]));
    }
}

#[test]
fn the_four_inks_of_a_print_shop_become_rgb() {
    let picture = decoded(&cmyk_jpeg([200, 40, 220, 255])).unwrap();
    close(
        &picture,
        &RgbImage::from_pixel(8, 8, Rgb([200, 40, 220])),
        3,
    );
    let dark = decoded(&cmyk_jpeg([200, 200, 200, 51])).unwrap();
    close(&dark, &RgbImage::from_pixel(8, 8, Rgb([40; 3])), 3);
}

#[test]
fn of_an_animation_the_first_frame_is_taken() {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for colour in [[250, 0, 0, 255], [0, 250, 0, 255]] {
        let frame = RgbaImage::from_pixel(20, 10, Rgba(colour));
        encoder.encode_frame(Frame::new(frame)).unwrap();
    }
    drop(encoder);
    let expected = RgbImage::from_pixel(20, 10, Rgb([250, 0, 0]));
    close(&decoded(&bytes).unwrap(), &expected, 4);
}

#[test]
fn nothing_and_no_picture_are_told_apart() {
    assert_eq!(decoded(&[]), Err(Fault::Empty));
    for (bytes, what) in [
        (b"<!DOCTYPE html><html>404".as_slice(), "a web page"),
        (b"  <html lang=ru>", "a web page"),
        (b"%PDF-1.7", "a PDF"),
        (b"{\"error\": 1}", "JSON or XML"),
        (
            b"id,age\n1,2\n",
            "its first bytes belong to no known format",
        ),
        (&[0; 400], "its first bytes belong to no known format"),
    ] {
        assert_eq!(decoded(bytes), Err(Fault::NotAPicture(what)));
    }
    for (bytes, name) in [
        (b"\0\0\0\x18ftypheic\0\0\0\0".as_slice(), "HEIC"),
        (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "SVG"),
        (b"\xFF\x0A\0\0", "JPEG XL"),
    ] {
        assert_eq!(decoded(bytes), Err(Fault::Unsupported(name.to_owned())));
    }
}

#[test]
fn a_picture_cut_off_anywhere_is_a_fault() {
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Bmp,
    ] {
        let whole = encoded(flag(64, 48), format);
        for tenth in 1..10 {
            let bytes = &whole[..whole.len() * tenth / 10];
            assert_eq!(
                decoded(bytes),
                Err(Fault::Truncated),
                "{format:?}, {tenth} tenths"
            );
        }
        assert_eq!(
            decoded(&whole[..whole.len() - 2]),
            Err(Fault::Truncated),
            "{format:?} without its last two bytes"
        );
    }
    for format in [ImageFormat::Gif, ImageFormat::Tiff] {
        let whole = encoded(flag(64, 48), format);
        for tenth in 1..10 {
            assert!(
                decoded(&whole[..whole.len() * tenth / 10]).is_err(),
                "{format:?}, {tenth} tenths"
            );
        }
    }
}

#[test]
fn a_cut_jpeg_with_a_whole_thumbnail_is_a_fault() {
    let main = encoded(flag(200, 200), ImageFormat::Jpeg);
    let thumbnail = encoded(flag(16, 16), ImageFormat::Jpeg);
    let segment = [b"Exif\0\0".as_slice(), &exif(1), &thumbnail].concat();
    let whole = with_app1(&main, &segment);
    assert!(decoded(&whole).is_ok());
    assert!(decoded(&[whole.as_slice(), b"appended by a camera"].concat()).is_ok());
    assert_eq!(decoded(&whole[..whole.len() - 400]), Err(Fault::Truncated));
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let bytes = png_bomb(60_000, 60_000);
    assert!(bytes.len() < 100);
    assert_eq!(
        decoded(&bytes),
        Err(Fault::TooLarge {
            width: 60_000,
            height: 60_000,
            limit: 120_000_000
        })
    );
    // The same for the limits of a caller, on a sound picture; and exactly at the limit it is let through.
    let limits = |max_pixels| DecodeLimits { max_pixels };
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
    ] {
        let bytes = encoded(flag(40, 30), format);
        assert!(decode(&bytes, &limits(1200)).is_ok(), "{format:?}");
        assert_eq!(
            decode(&bytes, &limits(1199)),
            Err(Fault::TooLarge {
                width: 40,
                height: 30,
                limit: 1199
            }),
            "{format:?}"
        );
    }
}

#[test]
fn a_damaged_picture_is_broken_not_cut_off() {
    let mut bytes = encoded(flag(64, 48), ImageFormat::Png);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    assert!(matches!(decoded(&bytes), Err(Fault::Broken(_))));
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_a_picture_or_a_fault_and_never_a_panic(
        kind in 0_usize..6,
        holes in proptest::collection::vec((0.0_f64..1.0, proptest::num::u8::ANY), 1..8),
    ) {
        let format = [
            ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP,
            ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Tiff,
        ][kind];
        let mut bytes = encoded(flag(24, 16), format);
        for (place, value) in holes {
            let at = (place * bytes.len() as f64) as usize;
            bytes[at] = value;
        }
        let _ = decode(&bytes, &DecodeLimits { max_pixels: 100_000 });
    }
}
