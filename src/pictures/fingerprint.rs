//! Whether two pictures are one picture saved twice: an item that is a control under another name would give the
//! control away, or put a known answer among the unknown ones.

use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use fast_image_resize::{images::Image, images::ImageRef};
use image::{GrayImage, RgbImage};
use image_hasher::{HashAlg, HasherConfig};
use rayon::prelude::*;

/// Sides of the grey thumbnail.
const SIDE: u32 = 32;
const AREA: usize = (SIDE * SIDE) as usize;
/// Size of a fingerprint on disk.
const BYTES: usize = 32 + 1 + AREA + 2 * 2 * 64;

/// Most of the 256 bits in which two copies may differ.
///
/// Measured. Different ones: 540 photos from the street (145,530 pairs), nearest 84 bits; 102 frontal faces before one
/// and the same grey wall (5,151 pairs), nearest 46 bits, correlation at most 0.961. Copies of these 642: JPEG quality 30
/// to 95, scaled by 0.2 to 2, brightened or darkened by up to a fifth, gamma 0.8 to 1.25, several at once: at most 34
/// bits, correlation at least 0.990, colours at most 9.4 apart; 1 % cropped away: 26 bits, 0.982.
/// Drawn people of [`super::faces`] are much more alike than photographed ones: about one pair in five
/// thousand, of the same hair and nearly the same colours, passes for copies.
pub const MAX_DISTANCE: u32 = 36;
/// Least correlation of the thumbnails of two copies; see [`MAX_DISTANCE`].
pub const MIN_CORRELATION: f64 = 0.985;
/// Grey level from which a field of the thumbnail counts as bleached.
const BLEACHED: u8 = 240;
/// Farthest colours of two copies: two people drawn alike in other clothes are not copies.
const MAX_TINT: f64 = 10.0;
/// Largest root mean square, in grey levels, that may remain of the difference after fitting brightness and contrast,
/// for pictures with so little contrast that correlation says nothing.
const FLAT_REST: f64 = 2.0;
/// Range of grey levels below which a picture counts as having no contrast.
const FLAT_RANGE: u8 = 8;
/// Largest difference in mean brightness of two copies, grey levels; and the same without contrast, where brightness is
/// all there is to compare.
const MAX_BRIGHTER: f64 = 64.0;
const FLAT_BRIGHTER: f64 = 16.0;

/// What is kept of a picture to recognise it: about 1.3 KiB.
///
/// Bits: pHash (Zauner 2010), that is the signs of the 16×16 lowest coefficients of the discrete cosine transform of the
/// grey picture shrunk to 32×32, against their median. The thumbnail itself is kept for verification.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    bits: [u64; 4],
    /// So little contrast that the bits are noise.
    flat: bool,
    grey: Box<[u8; AREA]>,
    /// Blueness and redness (Cb, Cr of JPEG, around 0) of 8×8 fields.
    tint: [[i16; 2]; 64],
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d] = self.bits;
        write!(f, "Fingerprint({a:016x}{b:016x}{c:016x}{d:016x})")
    }
}

/// How alike two pictures are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// Bits that differ, of 256.
    pub distance: u32,
    /// Pearson correlation of the thumbnails, −1 to 1, over the parts that are bleached to white in neither; 0 where one
    /// of them has no contrast at all.
    pub correlation: f64,
    /// Root mean square of what remains after fitting brightness and contrast of one thumbnail to the other, grey levels.
    pub rest: f64,
    /// Root mean square difference of the colours of 8×8 fields, in levels of Cb and Cr; 0 where one picture is grey.
    pub tint: f64,
    /// Difference of the mean brightness, grey levels, absolute.
    pub brighter: f64,
}

impl Likeness {
    /// Whether these are two copies of one picture, by the thresholds of this module.
    pub fn is_duplicate(&self) -> bool {
        let same_pattern = self.distance <= MAX_DISTANCE && self.correlation >= MIN_CORRELATION;
        (same_pattern && self.tint <= MAX_TINT && self.brighter <= MAX_BRIGHTER)
            || (self.rest <= FLAT_REST && self.brighter <= FLAT_BRIGHTER)
    }
}

/// An item that is a copy of a control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duplicate {
    /// Index into the items.
    pub item: usize,
    /// Index into the controls.
    pub control: usize,
    /// Bits of the fingerprints that differ, of 256.
    pub distance: u32,
}

impl Fingerprint {
    /// All of it, to be kept on disk for [`Fingerprint::from_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend(self.bits.iter().flat_map(|b| b.to_le_bytes()));
        bytes.push(u8::from(self.flat));
        bytes.extend_from_slice(self.grey.as_slice());
        bytes.extend(self.tint.iter().flatten().flat_map(|t| t.to_le_bytes()));
        bytes
    }

    /// The fingerprint that was kept; `None` if these are not its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != BYTES {
            return None;
        }
        let (bits, rest) = bytes.split_at(32);
        let (grey, tint) = rest[1..].split_at(AREA);
        let mut found = Self {
            bits: [0; 4],
            flat: rest[0] != 0,
            grey: Box::new(grey.try_into().ok()?),
            tint: [[0; 2]; 64],
        };
        for (at, word) in bits.chunks_exact(8).enumerate() {
            found.bits[at] = u64::from_le_bytes(word.try_into().ok()?);
        }
        for (at, pair) in tint.chunks_exact(2).enumerate() {
            found.tint[at / 2][at % 2] = i16::from_le_bytes(pair.try_into().ok()?);
        }
        Some(found)
    }

    /// The fingerprint of a picture as decoded, before any crop. A picture without pixels has that of a black one.
    pub fn of(picture: &RgbImage) -> Self {
        let small = thumbnail(picture);
        let grey = greyed(&small);
        let hasher = HasherConfig::with_bytes_type::<[u8; 32]>()
            .hash_size(16, 16)
            .hash_alg(HashAlg::Median)
            .preproc_dct()
            .to_hasher();
        let hash = hasher.hash_image(&grey);
        let mut bits = [0; 4];
        for (word, bytes) in bits.iter_mut().zip(hash.as_bytes().chunks_exact(8)) {
            *word = bytes
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        let mut kept = Box::new([0; AREA]);
        kept.copy_from_slice(grey.as_raw());
        let (low, high) = kept
            .iter()
            .fold((u8::MAX, 0), |(low, high), v| (low.min(*v), high.max(*v)));
        Self {
            bits,
            flat: high.saturating_sub(low) < FLAT_RANGE,
            grey: kept,
            tint: tints(&small),
        }
    }

    /// Bits that differ, 0 to 256.
    pub fn distance(&self, other: &Self) -> u32 {
        let pairs = self.bits.iter().zip(&other.bits);
        pairs.map(|(a, b)| (a ^ b).count_ones()).sum()
    }

    /// All measures of likeness. Symmetric.
    pub fn likeness(&self, other: &Self) -> Likeness {
        // Where one copy was brightened until it bleached, nothing can be compared; but something must be left.
        let bleached = |x: u8, y: u8| x.max(y) >= BLEACHED;
        let pairs = || self.grey.iter().copied().zip(other.grey.iter().copied());
        let kept = pairs().filter(|(x, y)| !bleached(*x, *y)).count();
        let all = kept < AREA / 4;
        let n = if all { AREA } else { kept } as f64;
        let (mut a, mut b, mut aa, mut bb, mut ab) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
        for (x, y) in pairs().filter(|(x, y)| all || !bleached(*x, *y)) {
            let (x, y) = (u64::from(x), u64::from(y));
            a += x;
            b += y;
            aa += x * x;
            bb += y * y;
            ab += x * y;
        }
        let (mean_a, mean_b) = (a as f64 / n, b as f64 / n);
        // Sums of integers below 2^27: the differences are exact.
        let var_a = (aa as f64 - a as f64 * mean_a).max(0.0) / n;
        let var_b = (bb as f64 - b as f64 * mean_b).max(0.0) / n;
        let cov = (ab as f64 - a as f64 * mean_b) / n;
        let correlation = if var_a > 0.0 && var_b > 0.0 {
            (cov / (var_a * var_b).sqrt()).clamp(-1.0, 1.0)
        } else {
            0.0
        };
        let unexplained = 1.0 - correlation.max(0.0) * correlation;
        Likeness {
            distance: self.distance(other),
            correlation,
            rest: (var_a.max(var_b) * unexplained).sqrt(),
            tint: self.tint_from(other),
            brighter: (mean_a - mean_b).abs(),
        }
    }
}

impl Fingerprint {
    fn tint_from(&self, other: &Self) -> f64 {
        let is_grey = |print: &Self| print.tint.iter().flatten().all(|v| v.abs() <= 2);
        if is_grey(self) || is_grey(other) {
            return 0.0;
        }
        let pairs = self.tint.iter().flatten().zip(other.tint.iter().flatten());
        let sum: i64 = pairs.map(|(a, b)| i64::from(a - b).pow(2)).sum();
        (sum as f64 / 128.0).sqrt()
    }
}

/// All pairs of an item and a control that are copies of one picture, in the order of items, then of controls.
///
/// Every pair is compared (bits first, the thumbnail only where they are close), on all cores.
pub fn duplicates(items: &[Fingerprint], controls: &[Fingerprint]) -> Vec<Duplicate> {
    items
        .par_iter()
        .enumerate()
        .flat_map_iter(|(item, a)| {
            controls.iter().enumerate().filter_map(move |(control, b)| {
                let distance = a.distance(b);
                let close = distance <= MAX_DISTANCE || (a.flat && b.flat);
                let found = close && a.likeness(b).is_duplicate();
                found.then_some(Duplicate {
                    item,
                    control,
                    distance,
                })
            })
        })
        .collect()
}

/// RGB, 32×32, averaged over areas; black for a picture without pixels.
fn thumbnail(picture: &RgbImage) -> Vec<u8> {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Hamming));
    let mut small = Image::new(SIDE, SIDE, PixelType::U8x3);
    let source = ImageRef::new(
        picture.width(),
        picture.height(),
        picture.as_raw(),
        PixelType::U8x3,
    );
    if let Ok(source) = source {
        // Sizes and pixel types match by construction; only an empty source fails, and leaves black.
        let _ = Resizer::new().resize(&source, &mut small, &options);
    }
    small.into_vec()
}

/// Grey by the weights of Rec. 709.
fn greyed(small: &[u8]) -> GrayImage {
    GrayImage::from_fn(SIDE, SIDE, |x, y| {
        let at = 3 * (y * SIDE + x) as usize;
        let [r, g, b] = [0, 1, 2].map(|i| u32::from(small[at + i]));
        image::Luma([((2126 * r + 7152 * g + 722 * b + 5000) / 10_000) as u8])
    })
}

/// Mean Cb and Cr of 8×8 fields of 4×4 pixels each.
fn tints(small: &[u8]) -> [[i16; 2]; 64] {
    std::array::from_fn(|field| {
        let mut sum = [0.0_f32; 3];
        for i in 0..16 {
            let (x, y) = (field % 8 * 4 + i % 4, field / 8 * 4 + i / 4);
            let at = 3 * (y * SIDE as usize + x);
            for (s, v) in sum.iter_mut().zip(&small[at..at + 3]) {
                *s += f32::from(*v) / 16.0;
            }
        }
        let [r, g, b] = sum;
        let blue = -0.1687 * r - 0.3313 * g + 0.5 * b;
        let red = 0.5 * r - 0.4187 * g - 0.0813 * b;
        [blue.round() as i16, red.round() as i16]
    })
}

/// BLAKE3 of a file: equal for equal bytes only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// From 64 hexadecimal digits; `None` if it is something else.
    pub fn from_hex(hex: &str) -> Option<Self> {
        Some(Self(*blake3::Hash::from_hex(hex).ok()?.as_bytes()))
    }

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::decode::{DecodeLimits, decode};
    use image::{Rgb, codecs::jpeg::JpegEncoder, imageops};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Discs of colour, `shared` of them from `scene` and over them `own` from `seed`: a wall, and who stands before it.
    fn picture(scene: u64, shared: usize, seed: u64, own: usize) -> RgbImage {
        let mut canvas = RgbImage::from_pixel(224, 224, Rgb([120; 3]));
        for (seed, count, widest) in [(scene, shared, 40.0), (seed + 1000, own, 70.0)] {
            let mut dice = ChaCha8Rng::seed_from_u64(seed);
            for _ in 0..count {
                let mut draw = |low: f32, high: f32| dice.random_range(low..high);
                let (x, y) = (draw(20.0, 204.0), draw(20.0, 204.0));
                let radius = draw(0.3 * widest, widest);
                let colour = Rgb([(); 3].map(|()| draw(10.0, 230.0) as u8));
                for (px, py, pixel) in canvas.enumerate_pixels_mut() {
                    if (px as f32 - x).hypot(py as f32 - y) < radius {
                        *pixel = colour;
                    }
                }
            }
        }
        canvas
    }

    fn saved(picture: &RgbImage, quality: u8) -> RgbImage {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, quality)
            .encode_image(picture)
            .unwrap();
        decode(&bytes, &DecodeLimits::default()).unwrap()
    }

    fn scaled(picture: &RgbImage, by: f64) -> RgbImage {
        let side = |length: u32| (f64::from(length) * by) as u32;
        let (width, height) = (side(picture.width()), side(picture.height()));
        imageops::resize(picture, width, height, imageops::FilterType::CatmullRom)
    }

    fn brightened(picture: &RgbImage) -> RgbImage {
        let mut copy = picture.clone();
        for value in copy.iter_mut() {
            *value = (f32::from(*value) * 1.05 + 10.0).min(255.0) as u8;
        }
        copy
    }

    #[test]
    fn copies_are_found_and_others_are_not() {
        let controls: Vec<RgbImage> = (0..20).map(|seed| picture(seed, 12, seed, 6)).collect();
        let known: Vec<_> = controls.iter().map(Fingerprint::of).collect();
        let mut items = Vec::new();
        for control in &controls {
            items.extend([30, 60, 95].map(|quality| saved(control, quality)));
            items.extend([0.5, 0.8, 2.0].map(|by| scaled(control, by)));
            items.push(brightened(control));
            items.push(saved(&brightened(&scaled(control, 0.5)), 30));
        }
        items.extend((0..40).map(|seed| picture(seed + 500, 12, seed + 500, 6)));
        let items: Vec<_> = items.iter().map(Fingerprint::of).collect();
        let found: Vec<_> = duplicates(&items, &known)
            .into_iter()
            .map(|pair| (pair.item, pair.control))
            .collect();
        let expected: Vec<_> = (0..160).map(|item| (item, item / 8)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn others_before_the_same_wall_are_not_copies() {
        let people: Vec<_> = (0..40)
            .map(|seed| Fingerprint::of(&picture(7, 25, seed, 6)))
            .collect();
        let found = duplicates(&people, &people);
        let selves: Vec<_> = found.iter().map(|pair| (pair.item, pair.control)).collect();
        let expected: Vec<_> = (0..40).map(|i| (i, i)).collect();
        assert_eq!(selves, expected);
        assert!(found.iter().all(|pair| pair.distance == 0));
    }

    #[test]
    fn likeness_is_that_of_the_formula_and_symmetric() {
        // By hand: all bytes 100 against half 90, half 110: no correlation with a constant, all of ±10 remains.
        let flat = Fingerprint {
            bits: [0, 0, 0, 0b111],
            flat: true,
            grey: Box::new([100; AREA]),
            tint: [[0; 2]; 64],
        };
        let mut halves = Fingerprint {
            bits: [1, 0, 0, 0b110],
            flat: false,
            grey: Box::new([90; AREA]),
            tint: [[0; 2]; 64],
        };
        halves.grey[AREA / 2..].fill(112);
        let found = flat.likeness(&halves);
        assert_eq!(found, halves.likeness(&flat));
        assert_eq!(found.distance, 2);
        assert_eq!(found.correlation, 0.0);
        assert_eq!(found.brighter, 1.0);
        assert!((found.rest - 11.0).abs() < 1e-9);
        let twice = halves.likeness(&halves);
        assert!((twice.correlation - 1.0).abs() < 1e-12 && twice.rest < 1e-3);
    }

    #[test]
    fn empty_walls_are_compared_by_brightness() {
        let wall = |v| Fingerprint::of(&RgbImage::from_pixel(50, 40, Rgb([v; 3])));
        let pairs = duplicates(&[wall(100), wall(200)], &[wall(103), wall(10)]);
        assert_eq!(pairs.len(), 1);
        assert_eq!((pairs[0].item, pairs[0].control), (0, 0));
    }

    #[test]
    fn nothing_has_no_copies() {
        let one = Fingerprint::of(&picture(1, 5, 1, 5));
        assert_eq!(duplicates(&[], std::slice::from_ref(&one)), []);
        assert_eq!(duplicates(&[one], &[]), []);
        assert_eq!(
            Fingerprint::of(&RgbImage::new(0, 0)).distance(&Fingerprint::of(&RgbImage::new(0, 0))),
            0
        );
    }

    #[test]
    fn the_hash_of_a_file_is_blake3() {
        // The first digits of BLAKE3 of "abc" from its published test.
        assert!(
            ContentHash::of(b"abc")
                .hex()
                .starts_with("6437b3ac38465133")
        );
    }
}
