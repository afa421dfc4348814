//! What an annotator sees, made alike for controls and real items: one size, one quality, one encoder, no metadata.

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer, images::Image};
use fast_image_resize::{PixelType, images::ImageRef};
use image::{ExtendedColorType, RgbImage, codecs::jpeg::JpegEncoder};
use veche_pools::PixelBox;

/// How pictures are shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RenderSpec {
    /// Length of the longer side of every shown picture, pixels. Small pictures are enlarged to it.
    pub longest_side: u32,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// How much of the box's own width and height is shown around it on every side.
    pub margin: f64,
}

impl Default for RenderSpec {
    /// 448 pixels, quality 85, a margin of 0.4: hair, neck and a little surrounding of a face.
    fn default() -> Self {
        Self {
            longest_side: 448,
            quality: 85,
            margin: 0.4,
        }
    }
}

/// Why a picture could not be rendered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RenderFault {
    /// The box, before any margin, has no pixel in common with the picture.
    #[error(
        "the box {:.0}, {:.0}, {:.0}, {:.0} lies outside the picture of {width}×{height} pixels",
        .the_box.x0, .the_box.y0, .the_box.x1, .the_box.y1
    )]
    BoxOutside {
        /// The box as given.
        the_box: PixelBox,
        /// Width of the picture, pixels.
        width: u32,
        /// Height of the picture, pixels.
        height: u32,
    },
    /// The settings allow no picture: a side of 0, or one above what JPEG can hold (65,535).
    #[error("pictures cannot be rendered with {0}")]
    Setting(String),
}

/// The part of a picture that is shown, whole pixels: `(left, top, width, height)`.
///
/// The box grown by `margin`, rounded outwards and clamped to the picture; the whole picture without a box.
pub fn shown_part(
    (width, height): (u32, u32),
    crop: Option<PixelBox>,
    margin: f64,
) -> Result<(u32, u32, u32, u32), RenderFault> {
    let Some(the_box) = crop else {
        return Ok((0, 0, width, height));
    };
    let (w, h) = (f64::from(width), f64::from(height));
    let inside = the_box.x0 < w && the_box.y0 < h && the_box.x1 > 0.0 && the_box.y1 > 0.0;
    if !inside {
        return Err(RenderFault::BoxOutside {
            the_box,
            width,
            height,
        });
    }
    let grown = the_box.grown(margin);
    let (left, top) = (grown.x0.max(0.0).floor(), grown.y0.max(0.0).floor());
    let (right, bottom) = (grown.x1.min(w).ceil(), grown.y1.min(h).ceil());
    Ok((
        left as u32,
        top as u32,
        (right - left) as u32,
        (bottom - top) as u32,
    ))
}

/// The JPEG file that is shown for `picture`, or for the part of it around `crop`.
///
/// Its longest side is exactly [`RenderSpec::longest_side`], the other one keeps the proportions (at least 1 pixel).
/// Enlarging and reducing both go through a Lanczos filter that is widened when reducing, so that fine patterns do not
/// alias. The file is a baseline JPEG of three components without subsampling, with a constant JFIF header and nothing
/// else: no EXIF, no profile, no comment. Same picture and same settings, same bytes.
///
/// # Errors
/// [`RenderFault::BoxOutside`] when the box misses the picture; [`RenderFault::Setting`] for an impossible size.
pub fn render(
    picture: &RgbImage,
    crop: Option<PixelBox>,
    spec: &RenderSpec,
) -> Result<Vec<u8>, RenderFault> {
    let longest = spec.longest_side;
    if longest == 0 || longest > 65_535 {
        return Err(RenderFault::Setting(format!("a longest side of {longest}")));
    }
    if !(1..=100).contains(&spec.quality) {
        return Err(RenderFault::Setting(format!("quality {}", spec.quality)));
    }
    if !(spec.margin.is_finite() && spec.margin >= 0.0) {
        return Err(RenderFault::Setting(format!("a margin of {}", spec.margin)));
    }
    let part = shown_part(picture.dimensions(), crop, spec.margin)?;
    let (width, height) = (part.2, part.3);
    let scale = f64::from(longest) / f64::from(width.max(height));
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let shown = resized(picture, part, (side(width), side(height)))
        .map_err(|error| RenderFault::Setting(format!("this picture: {error}")))?;
    let mut bytes = Vec::with_capacity(64 << 10);
    JpegEncoder::new_with_quality(&mut bytes, spec.quality)
        .encode(&shown, side(width), side(height), ExtendedColorType::Rgb8)
        .map_err(|error| RenderFault::Setting(format!("this picture: {error}")))?;
    Ok(bytes)
}

/// The RGB bytes of a part of the picture at another size.
fn resized(
    picture: &RgbImage,
    (left, top, width, height): (u32, u32, u32, u32),
    (to_width, to_height): (u32, u32),
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let source = ImageRef::new(
        picture.width(),
        picture.height(),
        picture.as_raw(),
        PixelType::U8x3,
    )?;
    let mut target = Image::new(to_width, to_height, PixelType::U8x3);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(left.into(), top.into(), width.into(), height.into());
    Resizer::new().resize(&source, &mut target, &options)?;
    Ok(target.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::decode::{DecodeLimits, decode};
    use image::{ImageFormat, Rgb};
    use std::io::Cursor;

    fn plaid(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            Rgb([(x * 7) as u8, (y * 5) as u8, ((x ^ y) * 3) as u8])
        })
    }

    fn sides(jpeg: &[u8]) -> (u32, u32) {
        decode(jpeg, &DecodeLimits::default()).unwrap().dimensions()
    }

    /// Marker and content of every segment up to the coded data.
    fn segments(jpeg: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut found = Vec::new();
        let mut at = 2;
        loop {
            assert_eq!(jpeg[at], 0xFF);
            let marker = jpeg[at + 1];
            let length = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
            found.push((marker, jpeg[at + 4..at + 2 + length].to_vec()));
            at += 2 + length;
            if marker == 0xDA {
                return found;
            }
        }
    }

    #[test]
    fn the_longest_side_is_exact_both_up_and_down() {
        let spec = RenderSpec::default();
        for (width, height, shown) in [
            (900, 600, (448, 299)),
            (600, 900, (299, 448)),
            (448, 448, (448, 448)),
            (30, 20, (448, 299)),
            (1, 1, (448, 448)),
            (2000, 1, (448, 1)),
        ] {
            let jpeg = render(&plaid(width, height), None, &spec).unwrap();
            assert_eq!(sides(&jpeg), shown, "{width}×{height}");
        }
    }

    #[test]
    fn the_box_grows_by_the_margin_and_stops_at_the_border() {
        // By hand: 100 wide, 50 high, 0.4 of each on every side is 40 and 20.
        let the_box = PixelBox::new(100.0, 50.0, 200.0, 100.0);
        assert_eq!(
            shown_part((1000, 1000), the_box, 0.4),
            Ok((60, 30, 180, 90))
        );
        assert_eq!(shown_part((210, 110), the_box, 0.4), Ok((60, 30, 150, 80)));
        assert_eq!(shown_part((1000, 1000), None, 0.4), Ok((0, 0, 1000, 1000)));
        let jpeg = render(&plaid(1000, 1000), the_box, &RenderSpec::default()).unwrap();
        assert_eq!(sides(&jpeg), (448, 224));
    }

    #[test]
    fn the_crop_shows_what_is_in_the_box() {
        let mut picture = RgbImage::from_pixel(300, 300, Rgb([10, 10, 10]));
        for (x, y) in (100..200).flat_map(|x| (150..250).map(move |y| (x, y))) {
            picture.put_pixel(x, y, Rgb([240, 60, 30]));
        }
        let spec = RenderSpec {
            margin: 0.0,
            ..RenderSpec::default()
        };
        let the_box = PixelBox::new(100.0, 150.0, 200.0, 250.0);
        let jpeg = render(&picture, the_box, &spec).unwrap();
        let shown = decode(&jpeg, &DecodeLimits::default()).unwrap();
        // At the very edge the filter sees the true neighbours outside the box; one block inside it does not.
        let inner = |v: u32| (16..432).contains(&v);
        for (_, _, pixel) in shown
            .enumerate_pixels()
            .filter(|(x, y, _)| inner(*x) && inner(*y))
        {
            assert!(pixel.0[0].abs_diff(240) < 4 && pixel.0[1].abs_diff(60) < 4);
        }
    }

    #[test]
    fn a_box_beside_the_picture_is_a_fault() {
        let the_box = PixelBox::new(500.0, 0.0, 600.0, 50.0);
        let fault = render(&plaid(300, 300), the_box, &RenderSpec::default()).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "the box 500, 0, 600, 50 lies outside the picture of 300×300 pixels"
        );
    }

    #[test]
    fn impossible_settings_are_faults() {
        for spec in [
            RenderSpec {
                longest_side: 0,
                ..RenderSpec::default()
            },
            RenderSpec {
                quality: 0,
                ..RenderSpec::default()
            },
            RenderSpec {
                margin: f64::NAN,
                ..RenderSpec::default()
            },
        ] {
            assert!(matches!(
                render(&plaid(9, 9), None, &spec),
                Err(RenderFault::Setting(_))
            ));
        }
    }

    #[test]
    fn two_sources_leave_no_difference_but_their_pixels() {
        // Segments before the picture must be equal byte for byte whatever the source was, except for its two sides.
        let one = segments(&render(&plaid(900, 700), None, &RenderSpec::default()).unwrap());
        let grey = image::DynamicImage::ImageLuma8(image::GrayImage::new(70, 90)).into_rgb8();
        let two = segments(&render(&grey, None, &RenderSpec::default()).unwrap());
        let markers: Vec<u8> = one.iter().map(|(marker, _)| *marker).collect();
        assert_eq!(
            markers,
            [0xE0, 0xC0, 0xDB, 0xDB, 0xC4, 0xC4, 0xC4, 0xC4, 0xDA]
        );
        assert_eq!(one.len(), two.len());
        for ((marker, a), (other, b)) in one.into_iter().zip(two) {
            assert_eq!(marker, other);
            match marker {
                0xE0 => assert_eq!(a, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"),
                // Depth, height, width, then three components without subsampling.
                0xC0 => assert_eq!(&a[5..], [3, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1]),
                _ => {}
            }
            if marker == 0xC0 {
                assert_eq!(a[0], 8);
                assert_eq!(a[5..], b[5..]);
            } else {
                assert_eq!(a, b, "marker {marker:02X}");
            }
        }
    }

    #[test]
    fn the_same_picture_gives_the_same_bytes_whatever_file_it_came_from() {
        let picture = plaid(500, 400);
        let spec = RenderSpec::default();
        let first = render(&picture, None, &spec).unwrap();
        for format in [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::WebP] {
            let mut file = Cursor::new(Vec::new());
            picture.write_to(&mut file, format).unwrap();
            let again = decode(file.get_ref(), &DecodeLimits::default()).unwrap();
            assert_eq!(render(&again, None, &spec).unwrap(), first);
        }
    }

    #[test]
    fn reducing_does_not_alias() {
        // Stripes of one pixel, far finer than the shown picture can hold, must become their mean.
        let stripes = RgbImage::from_fn(2000, 2000, |x, _| Rgb([(x % 2 * 255) as u8; 3]));
        let jpeg = render(&stripes, None, &RenderSpec::default()).unwrap();
        let shown = decode(&jpeg, &DecodeLimits::default()).unwrap();
        let inner = shown
            .enumerate_pixels()
            .filter(|(x, ..)| (8..440).contains(x));
        for (x, y, pixel) in inner {
            assert!(pixel.0[0].abs_diff(127) < 12, "{pixel:?} at {x},{y}");
        }
    }
}
