//! The face and the body that a network looks at, cut out of a photo with everybody else blacked out.
//!
//! As MiVOLO's authors cut them (Kuprashevich and Tolstykh 2023), in whole pixels: edges lose their fractions, there is no
//! margin, and what another person's box covers is black. Two of their programs differ in details that move pixels: the one
//! that predicts and the one that measures; both are here as [`CropRules`], and why there are three is in decision 25.

use image::RgbImage;
use veche_pools::PixelBox;

/// What a box surrounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A face.
    Face,
    /// A whole person.
    Person,
}

/// Somebody's face or body that lies in the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Obstacle {
    /// What it is.
    pub kind: Kind,
    /// Where it is, pixels of the upright picture.
    pub at: PixelBox,
}

/// How boxes become crops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CropRules {
    /// The last row and the last column of the picture belong to no crop: edges stop at width − 1 and height − 1, and lie
    /// outside the crop themselves.
    pub lose_last: bool,
    /// An obstacle that is a person grows to the crop's edge where less than this share of the crop's side would be left.
    pub stretch: f64,
    /// A face with a shorter side is missing, pixels.
    pub smallest_face: u32,
    /// A body with a shorter side is missing, pixels.
    pub smallest_body: u32,
    /// Obstacles whose intersection over union with the crop is smaller are left alone. A person's own face always counts.
    pub least_overlap: f64,
    /// Whether obstacles smaller than these limits are left alone too.
    pub ignore_small: bool,
}

impl CropRules {
    /// For boxes that somebody gives: as the authors' predicting program does, except that a box may reach the picture's edge.
    pub const PREDICTION: Self = Self {
        lose_last: false,
        stretch: 0.3,
        smallest_face: 1,
        smallest_body: 50,
        least_overlap: 1e-6,
        ignore_small: false,
    };
    /// For boxes of a detector: as the authors' predicting program does.
    pub const DETECTION: Self = Self {
        lose_last: true,
        ..Self::PREDICTION
    };
    /// As the authors' readers do, by which the published figures were measured.
    pub const EVALUATION: Self = Self {
        lose_last: false,
        stretch: 0.0,
        smallest_face: 5,
        smallest_body: 100,
        least_overlap: 1e-4,
        ignore_small: true,
    };
}

/// Why there is no crop.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Missing {
    /// The box has too few pixels in the picture.
    #[error("{width}×{height} pixels of the {what} lie in the picture, fewer than {least}×{least}", what = name(*.kind))]
    TooSmall {
        /// Of what.
        kind: Kind,
        /// Width in the picture, pixels.
        width: i64,
        /// Height in the picture, pixels.
        height: i64,
        /// The least side, pixels.
        least: u32,
    },
    /// Too little of the body is left between other people and faces, or the picture is black there.
    #[error("{share:.0} % of the body is left between other people and faces, less than 40 %")]
    Hidden {
        /// Percent of the crop's values that are not zero.
        share: f64,
    },
    /// The mask marks nothing inside the body's box.
    #[error("the mask has no pixel in the picture")]
    EmptyMask,
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Face => "face",
        Kind::Person => "body",
    }
}

/// A box in whole pixels, left, upper, right, lower, the last two exclusive.
type Edges = [i64; 4];

/// Fractions are dropped, towards zero; what lies far outside any picture is as good as outside.
fn truncated(b: PixelBox) -> Edges {
    [b.x0, b.y0, b.x1, b.y1].map(|edge| i64::from(edge as i32))
}

fn inside(edges: Edges, picture: &RgbImage, rules: &CropRules) -> Edges {
    let lost = i64::from(rules.lose_last);
    let (w, h) = (
        i64::from(picture.width()) - lost,
        i64::from(picture.height()) - lost,
    );
    let [x0, y0, x1, y1] = edges;
    let (w, h) = (w.max(0), h.max(0));
    [
        x0.clamp(0, w),
        y0.clamp(0, h),
        x1.clamp(0, w),
        y1.clamp(0, h),
    ]
}

fn sides([x0, y0, x1, y1]: Edges) -> (i64, i64) {
    (x1 - x0, y1 - y0)
}

/// Intersection over union.
fn overlap(a: Edges, b: Edges) -> f64 {
    let area = |e: Edges| {
        let (w, h) = sides(e);
        w.max(0) * h.max(0)
    };
    let shared = area([
        a[0].max(b[0]),
        a[1].max(b[1]),
        a[2].min(b[2]),
        a[3].min(b[3]),
    ]);
    let union = area(a) + area(b) - shared;
    if union == 0 {
        0.0
    } else {
        shared as f64 / union as f64
    }
}

/// The place of a crop in the picture, if it has the size that `rules` ask for.
pub fn place(
    picture: &RgbImage,
    at: PixelBox,
    kind: Kind,
    rules: &CropRules,
) -> Result<[u32; 4], Missing> {
    let edges = inside(truncated(at), picture, rules);
    let (width, height) = sides(edges);
    let least = match kind {
        Kind::Face => rules.smallest_face,
        Kind::Person => rules.smallest_body,
    };
    if width < i64::from(least) || height < i64::from(least) {
        return Err(Missing::TooSmall {
            kind,
            width: width.max(0),
            height: height.max(0),
            least,
        });
    }
    // In the picture, so neither negative nor above 32 bits.
    Ok(edges.map(|edge| edge as u32))
}

/// The body in its box with obstacles black: other people, and every face, its own too.
///
/// `own_face` is this person's face, `obstacles` everything else in the photo. Missing if it is too small, or if fewer than 40 % of its
/// values are left that are not zero.
pub fn body(
    picture: &RgbImage,
    at: PixelBox,
    own_face: Option<PixelBox>,
    obstacles: &[Obstacle],
    rules: &CropRules,
) -> Result<RgbImage, Missing> {
    let place = place(picture, at, Kind::Person, rules)?;
    let own = place.map(i64::from);
    let mut crop = cut(picture, place);
    let face = own_face.map(|at| {
        let kind = Kind::Face;
        (Obstacle { kind, at }, true)
    });
    for (obstacle, always) in face
        .into_iter()
        .chain(obstacles.iter().map(|o| (*o, false)))
    {
        let edges = truncated(obstacle.at);
        let visible = inside(edges, picture, rules);
        let least = i64::from(match obstacle.kind {
            Kind::Face => rules.smallest_face,
            Kind::Person => rules.smallest_body,
        });
        let (w, h) = sides(visible);
        let small = rules.ignore_small && (w < least || h < least);
        // Of the own face the evaluating program does not ask how much it overlaps.
        let touches =
            overlap(own, visible) >= rules.least_overlap || (always && rules.ignore_small);
        if small || !touches {
            continue;
        }
        black_out(&mut crop, own, edges, obstacle.kind, rules.stretch);
    }
    enough(&crop)?;
    Ok(crop)
}

/// The body where its mask is set and black elsewhere, with its own face black too.
///
/// `mask` has one entry per pixel of the picture, row by row. The place is the body's box, or without one the smallest box around
/// the mask. The mask already says what is not this person, so obstacles play no part; the rest is as in [`body`], except
/// that 40 % of the mask's own pixels must be left.
///
/// # Panics
/// If the mask has not as many entries as the picture pixels.
pub fn masked_body(
    picture: &RgbImage,
    mask: &[bool],
    at: Option<PixelBox>,
    own_face: Option<PixelBox>,
    rules: &CropRules,
) -> Result<RgbImage, Missing> {
    let width = picture.width() as usize;
    assert_eq!(
        mask.len(),
        width * picture.height() as usize,
        "a mask of another size"
    );
    let at = at
        .or_else(|| around(mask, width))
        .ok_or(Missing::EmptyMask)?;
    // A box from the mask is exact: no edge of it lies outside.
    let place = place(picture, at, Kind::Person, rules)?;
    let mut crop = cut(picture, place);
    let mut marked = 0_u64;
    for (x, y, pixel) in crop.enumerate_pixels_mut() {
        if mask[(y + place[1]) as usize * width + (x + place[0]) as usize] {
            marked += 1;
        } else {
            *pixel = image::Rgb([0; 3]);
        }
    }
    if marked == 0 {
        return Err(Missing::EmptyMask);
    }
    if let Some(face) = own_face {
        black_out(
            &mut crop,
            place.map(i64::from),
            truncated(face),
            Kind::Face,
            0.0,
        );
    }
    let left = crop.as_raw().iter().filter(|&&v| v != 0).count() as u64;
    if 5 * left < 2 * 3 * marked {
        let share = 100.0 * left as f64 / (3 * marked) as f64;
        return Err(Missing::Hidden { share });
    }
    Ok(crop)
}

/// The smallest box around what is set.
fn around(mask: &[bool], width: usize) -> Option<PixelBox> {
    let (mut x0, mut x1, mut y0, mut y1) = (usize::MAX, 0, usize::MAX, 0);
    for (y, row) in mask.chunks_exact(width.max(1)).enumerate() {
        if let Some(first) = row.iter().position(|&m| m) {
            let last = row.iter().rposition(|&m| m).unwrap_or(first);
            (x0, x1) = (x0.min(first), x1.max(last + 1));
            (y0, y1) = (y0.min(y), y + 1);
        }
    }
    PixelBox::new(x0 as f64, y0 as f64, x1 as f64, y1 as f64)
}

fn cut(picture: &RgbImage, [x0, y0, x1, y1]: [u32; 4]) -> RgbImage {
    image::imageops::crop_imm(picture, x0, y0, x1 - x0, y1 - y0).to_image()
}

/// Paints an obstacle black in a crop that stands at `own` in the picture.
fn black_out(crop: &mut RgbImage, own: Edges, obstacle: Edges, kind: Kind, stretch: f64) {
    let (w, h) = sides(own);
    let mut x0 = (obstacle[0] - own[0]).max(0);
    let mut y0 = (obstacle[1] - own[1]).max(0);
    let mut x1 = (obstacle[2] - own[0]).min(w);
    let mut y1 = (obstacle[3] - own[1]).min(h);
    if kind == Kind::Person {
        // A strip between a neighbour and the edge shows mostly the neighbour's arm.
        let narrow = |rest: i64, side: i64| (rest as f64 / side as f64) < stretch;
        if narrow(y0, h) {
            y0 = 0;
        }
        if narrow(h - y1, h) {
            y1 = h;
        }
        if narrow(x0, w) {
            x0 = 0;
        }
        if narrow(w - x1, w) {
            x1 = w;
        }
    }
    if x0 >= x1 {
        return;
    }
    let stride = crop.width() as usize * 3;
    for y in y0..y1 {
        crop.as_mut()[y as usize * stride..][x0 as usize * 3..x1 as usize * 3].fill(0);
    }
}

/// Whether 40 % of the values are not zero.
fn enough(crop: &RgbImage) -> Result<(), Missing> {
    let values = crop.as_raw();
    let left = values.iter().filter(|&&v| v != 0).count();
    if 5 * left < 2 * values.len() {
        let share = 100.0 * left as f64 / values.len() as f64;
        return Err(Missing::Hidden { share });
    }
    Ok(())
}

#[cfg(test)]
#[path = "crop_tests.rs"]
mod tests;
