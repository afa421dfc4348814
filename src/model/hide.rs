//! Faces or bodies kept from a network, to see how much it reads from which. Humans are asked the same of pictures covered alike.

use image::{Rgb, RgbImage};
use veche_pools::PixelBox;

/// What a network is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Hide {
    /// Faces: they are covered by a black square
    Face,
    /// Bodies: everything but the face is black
    Body,
}

/// Paints a box black; what lies outside the picture is left out. Edges lose their fractions.
pub fn cover(picture: &mut RgbImage, at: PixelBox) {
    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    let edge = |value: f64, limit: i64| i64::from(value as i32).clamp(0, limit) as u32;
    for y in edge(at.y0, height)..edge(at.y1, height) {
        for x in edge(at.x0, width)..edge(at.x1, width) {
            picture.put_pixel(x, y, Rgb([0; 3]));
        }
    }
}

/// Paints everything but a box black.
pub fn cover_around(picture: &mut RgbImage, at: PixelBox) {
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    let band = |x0, y0, x1, y1| PixelBox { x0, y0, x1, y1 };
    for outside in [
        band(0.0, 0.0, width, at.y0),
        band(0.0, at.y1.max(0.0), width, height),
        band(0.0, 0.0, at.x0, height),
        band(at.x1.max(0.0), 0.0, width, height),
    ] {
        cover(picture, outside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_black_and_the_rest_untouched_and_the_other_way_round() {
        let photo = RgbImage::from_pixel(8, 6, Rgb([9, 9, 9]));
        let at = PixelBox::new(2.9, -4.0, 20.0, 3.2).unwrap();
        let inside = |x: u32, y: u32| x >= 2 && y < 3;
        for around in [false, true] {
            let mut covered = photo.clone();
            if around {
                cover_around(&mut covered, at);
            } else {
                cover(&mut covered, at);
            }
            for (x, y, pixel) in covered.enumerate_pixels() {
                assert_eq!(pixel.0 == [0; 3], inside(x, y) != around, "{x}, {y}");
            }
        }
    }
}
