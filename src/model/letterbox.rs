//! A crop as a network wants it: scaled into a square between black bars, then as normalised planes.
//!
//! Age networks notice how a picture was scaled: an antialiasing filter, other padding or another rounding moves an age by
//! tenths of years. So this is OpenCV's `INTER_LINEAR` for bytes, weights of 11 bits included, with the bars and the
//! rounding of MiVOLO's authors (Kuprashevich and Tolstykh 2023).

use super::spec::InputSpec;
use image::RgbImage;

/// A part of an RGB picture, read in place.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// From the part's first byte on.
    bytes: &'a [u8],
    /// Bytes from row to row.
    stride: usize,
    width: usize,
    height: usize,
}

impl<'a> View<'a> {
    /// The part from `x0`, `y0` up to but without `x1`, `y1`; `None` if it is empty or not wholly in the picture.
    pub fn of(picture: &'a RgbImage, [x0, y0, x1, y1]: [u32; 4]) -> Option<Self> {
        if x0 >= x1 || y0 >= y1 || x1 > picture.width() || y1 > picture.height() {
            return None;
        }
        let stride = picture.width() as usize * 3;
        Some(Self {
            bytes: &picture.as_raw()[y0 as usize * stride + x0 as usize * 3..],
            stride,
            width: (x1 - x0) as usize,
            height: (y1 - y0) as usize,
        })
    }

    /// The whole picture; `None` if it has no pixels.
    pub fn whole(picture: &'a RgbImage) -> Option<Self> {
        Self::of(picture, [0, 0, picture.width(), picture.height()])
    }

    /// Width, pixels, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height, pixels, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The RGB bytes of a row.
    pub fn row(&self, y: usize) -> &'a [u8] {
        &self.bytes[y * self.stride..][..self.width * 3]
    }
}

/// Where the scaled crop stands in its square, pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Width of the scaled crop.
    pub width: usize,
    /// Its height.
    pub height: usize,
    /// Black columns on its left.
    pub left: usize,
    /// Black rows above it.
    pub top: usize,
}

/// Where a crop of `width × height` stands in a square of `side`.
///
/// The longer side fills the square; the other is rounded to the nearest pixel, halves to the even one, and is at least 1. An odd
/// rest puts the wider bar to the right or below: `round(d − 0.1)` pixels come before, `d` being half the rest.
pub fn placement(width: usize, height: usize, side: usize) -> Placement {
    let scale = (side as f64 / height as f64).min(side as f64 / width as f64);
    let scaled = |length: usize| (length as f64 * scale).round_ties_even().max(1.0) as usize;
    let (width, height) = (scaled(width), scaled(height));
    let before = |length: usize| ((side - length) as f64 / 2.0 - 0.1).round_ties_even() as usize;
    Placement {
        width,
        height,
        left: before(width),
        top: before(height),
    }
}

/// The crop scaled into a square of `side` between black bars, as RGB bytes row by row. A crop of exactly that size is
/// unchanged; a smaller one is enlarged.
pub fn letterbox(view: View<'_>, side: usize) -> Vec<u8> {
    let at = placement(view.width, view.height, side);
    let mut square = vec![0; side * side * 3];
    resize(
        view,
        (at.width, at.height),
        side,
        at.left,
        at.top,
        &mut square,
    );
    square
}

/// The crop stretched to a square of `side`, for networks that were trained so.
pub fn stretched(view: View<'_>, side: usize) -> Vec<u8> {
    let mut square = vec![0; side * side * 3];
    resize(view, (side, side), side, 0, 0, &mut square);
    square
}

/// The crop as the network takes it.
pub fn square(view: View<'_>, spec: &InputSpec) -> Vec<u8> {
    if spec.letterbox {
        letterbox(view, spec.size as usize)
    } else {
        stretched(view, spec.size as usize)
    }
}

/// One weight is 1/2048.
const WEIGHT_BITS: u32 = 11;

/// For every target pixel its two sources and their weights; centres of pixels lie on each other, and beyond the edge the
/// last pixel counts alone.
fn taps(from: usize, to: usize) -> Vec<(usize, usize, i32, i32)> {
    let scale = 1.0 / (to as f64 / from as f64);
    let one = f64::from(1 << WEIGHT_BITS) as f32;
    let tap = |target: usize| {
        let at = ((target as f64 + 0.5) * scale - 0.5) as f32;
        let floor = at.floor();
        let (first, share) = if floor < 0.0 {
            (0, 0.0)
        } else if floor as usize >= from - 1 {
            (from - 1, 0.0)
        } else {
            (floor as usize, at - floor)
        };
        let weight = |share: f32| (share * one).round_ties_even() as i32;
        (
            first,
            (first + 1).min(from - 1),
            weight(1.0 - share),
            weight(share),
        )
    };
    (0..to).map(tap).collect()
}

/// Bilinear, two sources a side, into `target` (rows of `side` pixels) at `left`, `top`.
fn resize(
    view: View<'_>,
    (width, height): (usize, usize),
    side: usize,
    left: usize,
    top: usize,
    target: &mut [u8],
) {
    let place = |y: usize| ((top + y) * side + left) * 3;
    if (view.width, view.height) == (width, height) {
        for y in 0..height {
            target[place(y)..][..width * 3].copy_from_slice(view.row(y));
        }
        return;
    }
    let columns = taps(view.width, width);
    // Rows scaled in width, kept from one target row to the next: 19 bits of value each.
    let mut upper = (usize::MAX, vec![0_i32; width * 3]);
    let mut lower = upper.clone();
    let fill = |kept: &mut (usize, Vec<i32>), y: usize| {
        let row = view.row(y);
        for (out, &(a, b, wa, wb)) in kept.1.chunks_exact_mut(3).zip(&columns) {
            let (a, b) = (&row[a * 3..a * 3 + 3], &row[b * 3..b * 3 + 3]);
            for channel in 0..3 {
                out[channel] = i32::from(a[channel]) * wa + i32::from(b[channel]) * wb;
            }
        }
        kept.0 = y;
    };
    for (y, &(a, b, wa, wb)) in taps(view.height, height).iter().enumerate() {
        if upper.0 != a {
            if lower.0 == a {
                std::mem::swap(&mut upper, &mut lower);
            } else {
                fill(&mut upper, a);
            }
        }
        if lower.0 != b {
            fill(&mut lower, b);
        }
        let out = &mut target[place(y)..][..width * 3];
        for ((out, &upper), &lower) in out.iter_mut().zip(&upper.1).zip(&lower.1) {
            // OpenCV drops bits in this order; adding first and rounding once differs by one grey level here and there.
            let sum = ((wa * (upper >> 4)) >> 16) + ((wb * (lower >> 4)) >> 16);
            *out = ((sum + 2) >> 2) as u8;
        }
    }
}

/// Turns bytes into the numbers that a network takes: `(value / 255 − mean) / std`, by table.
#[derive(Debug, Clone)]
pub struct Normaliser {
    channels: [[f32; 256]; 3],
}

impl Normaliser {
    /// For these means and deviations of red, green and blue, whose unit is the whole range of a byte.
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> Self {
        let channel = |c: usize| {
            std::array::from_fn(|value| {
                let share = value as f64 / 255.0;
                ((share - f64::from(mean[c])) / f64::from(std[c])) as f32
            })
        };
        Self {
            channels: [channel(0), channel(1), channel(2)],
        }
    }

    /// Writes a square of RGB bytes as three planes. Without one, as black: a missing face or body is zero before the mean is
    /// taken away, not after.
    ///
    /// # Panics
    /// If `planes` is not three numbers for each pixel.
    pub fn write(&self, square: Option<&[u8]>, planes: &mut [f32]) {
        let plane = planes.len() / 3;
        assert_eq!(
            plane * 3,
            square.map_or(planes.len(), <[u8]>::len),
            "a square of another size"
        );
        for (c, (out, table)) in planes
            .chunks_exact_mut(plane)
            .zip(&self.channels)
            .enumerate()
        {
            match square {
                Some(bytes) => {
                    for (out, pixel) in out.iter_mut().zip(bytes.chunks_exact(3)) {
                        *out = table[usize::from(pixel[c])];
                    }
                }
                None => out.fill(table[0]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use proptest::prelude::*;

    fn at(width: usize, height: usize, left: usize, top: usize) -> Placement {
        Placement {
            width,
            height,
            left,
            top,
        }
    }

    #[test]
    fn sizes_are_rounded_to_even_and_the_wider_bar_comes_after() {
        // 447 × 447 fills the square; 160 × 420 is 224/420 · 160 = 85.33 wide: 139 columns are left, 69 before and 70 after.
        assert_eq!(placement(447, 447, 224), at(224, 224, 0, 0));
        assert_eq!(placement(160, 420, 224), at(85, 224, 69, 0));
        assert_eq!(placement(430, 150, 224), at(224, 78, 0, 73));
        // 5 · 224/448 = 2.5 is 2, and 7 · 224/448 = 3.5 is 4.
        assert_eq!(placement(5, 448, 224).width, 2);
        assert_eq!(placement(7, 448, 224).width, 4);
        // Half of 219 is 109.5: 109.4 before, 109.6 after.
        assert_eq!(placement(5, 224, 224), at(5, 224, 109, 0));
        assert_eq!(
            placement(1, 9999, 224),
            at(1, 224, 111, 0),
            "never without a column"
        );
    }

    #[test]
    fn a_crop_of_the_right_size_is_untouched_and_one_with_a_right_side_only_framed() {
        let picture = RgbImage::from_fn(8, 8, |x, y| Rgb([x as u8 * 30, y as u8 * 30, 7]));
        assert_eq!(
            letterbox(View::whole(&picture).unwrap(), 8),
            *picture.as_raw()
        );
        let part = letterbox(View::of(&picture, [2, 0, 5, 8]).unwrap(), 8);
        for (i, pixel) in part.chunks_exact(3).enumerate() {
            let (x, y) = (i % 8, i / 8);
            // Five columns are left: 2.5 on each side, two before.
            let expected = if (2..5).contains(&x) {
                picture.get_pixel(x as u32, y as u32).0
            } else {
                [0; 3]
            };
            assert_eq!(pixel, expected, "{x}, {y}");
        }
    }

    #[test]
    fn enlarging_blends_neighbours_as_worked_by_hand() {
        // Two pixels to four: centres at −0.25, 0.25, 0.75, 1.25, so 10, 10 + 100/4, 10 + 3·100/4, 110.
        let picture = RgbImage::from_fn(2, 2, |x, _| Rgb([10 + 100 * x as u8; 3]));
        let square = letterbox(View::whole(&picture).unwrap(), 4);
        let row: Vec<u8> = square.chunks_exact(3).take(4).map(|p| p[0]).collect();
        assert_eq!(row, [10, 35, 85, 110]);
    }

    #[test]
    fn reducing_takes_two_neighbours_and_nothing_wider() {
        // Nine pixels to three: each is the middle of its three, whatever stands beside it.
        let picture = RgbImage::from_fn(9, 9, |x, y| {
            let middle = x % 3 == 1 && y % 3 == 1;
            Rgb([if middle { 200 } else { 3 }; 3])
        });
        assert!(
            letterbox(View::whole(&picture).unwrap(), 3)
                .iter()
                .all(|&v| v == 200)
        );
    }

    #[test]
    fn stretching_fills_the_square() {
        let picture = RgbImage::from_pixel(3, 40, Rgb([9, 8, 7]));
        let square = stretched(View::whole(&picture).unwrap(), 5);
        assert!(square.chunks_exact(3).all(|p| p == [9, 8, 7]));
    }

    #[test]
    fn what_is_missing_is_black_before_the_mean_is_taken_away() {
        let normaliser = Normaliser::new(InputSpec::IMAGENET_MEAN, InputSpec::IMAGENET_STD);
        let mut planes = [9.0; 6];
        normaliser.write(None, &mut planes);
        let black = [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225];
        for (i, value) in planes.iter().enumerate() {
            assert!((value - black[i / 2]).abs() < 1e-5, "{planes:?}");
        }
        normaliser.write(Some(&[255, 0, 51, 0, 255, 51]), &mut planes);
        // Planes, not pixels: red of both, then green of both.
        let expected = [
            (1.0 - 0.485) / 0.229,
            black[0],
            black[1],
            (1.0 - 0.456) / 0.224,
            (0.2 - 0.406) / 0.225,
            (0.2 - 0.406) / 0.225,
        ];
        for (value, expected) in planes.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-5, "{planes:?}");
        }
    }

    #[test]
    fn parts_outside_the_picture_are_none() {
        let picture = RgbImage::new(4, 3);
        assert!(View::of(&picture, [0, 0, 4, 3]).is_some());
        for outside in [[0, 0, 5, 3], [0, 0, 4, 4], [2, 1, 2, 3], [0, 3, 4, 3]] {
            assert!(View::of(&picture, outside).is_none(), "{outside:?}");
        }
        assert!(View::whole(&RgbImage::new(0, 0)).is_none());
    }

    proptest! {
        #[test]
        fn crop_and_bars_fill_the_square_and_one_colour_stays_that_colour(
            width in 1_usize..90, height in 1_usize..90, side in 1_usize..60, grey in 1_u8..=255,
        ) {
            let p = placement(width, height, side);
            prop_assert!(p.width == side || p.height == side);
            prop_assert!(p.left + p.width <= side && p.top + p.height <= side);
            let after = (side - p.width - p.left, side - p.height - p.top);
            prop_assert!(after.0 - p.left <= 1 && after.1 - p.top <= 1);
            let picture = RgbImage::from_pixel(width as u32, height as u32, Rgb([grey; 3]));
            let square = letterbox(View::whole(&picture).unwrap(), side);
            let inside = square.iter().filter(|&&v| v.abs_diff(grey) <= 1).count();
            let black = square.iter().filter(|&&v| v == 0).count();
            prop_assert!(inside >= p.width * p.height * 3);
            prop_assert!(inside + black >= side * side * 3);
        }
    }
}
