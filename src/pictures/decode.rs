//! Bytes of unknown origin in, an upright 8-bit RGB picture or a clear fault out.

use super::jpeg_end;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
    metadata::Orientation,
};
use std::{error::Error as _, fmt, io, io::Cursor};

/// What may be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Largest width times height, in pixels. A larger picture is refused by its header, before memory is taken.
    pub max_pixels: u64,
}

impl Default for DecodeLimits {
    /// 120 million pixels: above every full-frame camera, below what hurts a small machine (about 400 MB decoded).
    fn default() -> Self {
        Self {
            max_pixels: 120_000_000,
        }
    }
}

/// Why bytes are no picture that can be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There are no bytes at all.
    #[error("the file is empty")]
    Empty,
    /// The bytes do not start like any picture: a web page, a text, something damaged from its first byte.
    #[error("this is not a picture ({0})")]
    NotAPicture(&'static str),
    /// The picture starts well and ends too early.
    #[error("the picture is cut off: its end is missing")]
    Truncated,
    /// More pixels than allowed.
    #[error("the picture has {width}×{height} pixels; at most {limit} pixels are allowed")]
    TooLarge {
        /// Width that the header states, pixels.
        width: u32,
        /// Height that the header states, pixels.
        height: u32,
        /// [`DecodeLimits::max_pixels`].
        limit: u64,
    },
    /// A picture in a format, or with a feature, that is not read.
    #[error("pictures of this kind are not read: {0}; convert it to JPEG or PNG")]
    Unsupported(String),
    /// The picture contradicts its own format.
    #[error("the picture is damaged: {0}")]
    Broken(String),
}

/// The formats that are read. Told from the content; the name of the file does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
    Tiff,
}

impl Kind {
    /// The kind of picture that `bytes` start like. The first 64 bytes are enough.
    pub fn of(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.is_empty() {
            return Err(Fault::Empty);
        }
        match image::guess_format(bytes) {
            Ok(ImageFormat::Jpeg) => Ok(Self::Jpeg),
            Ok(ImageFormat::Png) => Ok(Self::Png),
            Ok(ImageFormat::WebP) => Ok(Self::WebP),
            Ok(ImageFormat::Gif) => Ok(Self::Gif),
            Ok(ImageFormat::Bmp) => Ok(Self::Bmp),
            Ok(ImageFormat::Tiff) => Ok(Self::Tiff),
            Ok(other) => Err(Fault::Unsupported(format!("{other:?}"))),
            Err(_) => Err(foreign(bytes)),
        }
    }

    fn format(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::WebP => ImageFormat::WebP,
            Self::Gif => ImageFormat::Gif,
            Self::Bmp => ImageFormat::Bmp,
            Self::Tiff => ImageFormat::Tiff,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
        })
    }
}

/// The picture in `bytes`, upright, as 8-bit RGB.
///
/// The orientation in EXIF (JPEG, PNG, WebP) is applied. Grey, 16-bit and CMYK become 8-bit RGB; transparency is laid
/// over white, as on the page where pictures are shown; of an animation the first frame is taken. Colour profiles are
/// dropped, not applied: ages are not read from the last shade of a colour.
///
/// Memory: about 3 bytes a pixel for the result, at most three times that while decoding; [`DecodeLimits`] is checked
/// against the header first, so a small file that claims to be huge costs nothing.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, Fault> {
    let kind = Kind::of(bytes)?;
    // A PNG or WebP that is cut off may decode up to a missing last chunk; a JPEG nearly anywhere.
    let cut = match kind {
        Kind::Jpeg => !jpeg_end::is_complete(bytes),
        Kind::Png => !png_is_complete(bytes),
        Kind::WebP => !webp_is_complete(bytes),
        Kind::Gif | Kind::Bmp | Kind::Tiff => false,
    };
    let opened = ImageReader::with_format(Cursor::new(bytes), kind.format()).into_decoder();
    let mut decoder = match opened {
        Ok(decoder) => decoder,
        Err(_) if cut => return Err(Fault::Truncated),
        Err(error) => return Err(fault(&error)),
    };
    let (width, height) = decoder.dimensions();
    let too_large = Fault::TooLarge {
        width,
        height,
        limit: limits.max_pixels,
    };
    // Size before completeness: a bomb is reported as what it is.
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(too_large);
    }
    if cut {
        return Err(Fault::Truncated);
    }
    if width == 0 || height == 0 {
        return Err(Fault::Broken(format!("{width}×{height} pixels")));
    }
    let mut memory = Limits::default();
    // 16-bit RGBA, and as much again for a decoder's own buffers.
    memory.max_alloc = Some(16 * limits.max_pixels + (1 << 20));
    decoder.set_limits(memory).map_err(|error| fault(&error))?;
    // Damaged EXIF is no reason to refuse a sound picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| match error {
        ImageError::Limits(_) => too_large,
        error => fault(&error),
    })?;
    if picture.color().has_alpha() {
        picture = DynamicImage::ImageRgb8(over_white(&picture));
    }
    let mut picture = DynamicImage::ImageRgb8(picture.into_rgb8());
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

/// What bytes are that `image` does not know: formats that people do have, named, because "not a picture" would puzzle.
fn foreign(bytes: &[u8]) -> Fault {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).to_ascii_lowercase();
    let text = head.trim_start_matches('\u{feff}').trim_start();
    if bytes.get(4..8) == Some(b"ftyp") {
        return match bytes.get(8..12) {
            Some(b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1") => {
                Fault::Unsupported("HEIC".to_owned())
            }
            Some(b"avif" | b"avis") => Fault::Unsupported("AVIF".to_owned()),
            _ => Fault::NotAPicture("a video"),
        };
    }
    if bytes.starts_with(&[0xFF, 0x0A]) || bytes.starts_with(b"\0\0\0\x0CJXL ") {
        return Fault::Unsupported("JPEG XL".to_owned());
    }
    if text.starts_with("<svg") || (text.starts_with("<?xml") && text.contains("<svg")) {
        return Fault::Unsupported("SVG".to_owned());
    }
    Fault::NotAPicture(
        if text.starts_with("<!doctype") || text.starts_with("<html") {
            "a web page"
        } else if text.starts_with("%pdf") {
            "a PDF"
        } else if text.starts_with('{') || text.starts_with("<?xml") {
            "JSON or XML"
        } else {
            "its first bytes belong to no known format"
        },
    )
}

/// Steps from chunk to chunk to `IEND`.
fn png_is_complete(bytes: &[u8]) -> bool {
    let mut at = 8_usize;
    while let Some(&[a, b, c, d, ref name @ ..]) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        // Name and checksum besides the data.
        at = at.saturating_add(length).saturating_add(12);
        if name == b"IEND" {
            return at <= bytes.len();
        }
    }
    false
}

/// Compares the length that the RIFF header states. The last padding byte may be missing: some writers forget it.
fn webp_is_complete(bytes: &[u8]) -> bool {
    match bytes.get(4..8) {
        Some(&[a, b, c, d]) => {
            u64::from(u32::from_le_bytes([a, b, c, d])) + 8 <= bytes.len() as u64 + 1
        }
        _ => false,
    }
}

fn over_white(picture: &DynamicImage) -> RgbImage {
    let rgba = picture.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, a] = rgba.get_pixel(x, y).0;
        let over = |v: u8| {
            let (v, a) = (u32::from(v), u32::from(a));
            ((v * a + 255 * (255 - a) + 127) / 255) as u8
        };
        Rgb([over(r), over(g), over(b)])
    })
}

fn fault(error: &ImageError) -> Fault {
    if is_unexpected_end(error) {
        return Fault::Truncated;
    }
    match error {
        ImageError::Unsupported(what) => Fault::Unsupported(what.to_string()),
        other => Fault::Broken(other.to_string()),
    }
}

/// Decoders wrap the end of input differently: look through all causes.
fn is_unexpected_end(error: &ImageError) -> bool {
    if let ImageError::IoError(error) = error {
        return error.kind() == io::ErrorKind::UnexpectedEof;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.kind() == io::ErrorKind::UnexpectedEof;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
