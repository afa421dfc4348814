//! Items: the things people are asked about.

use serde::{Deserialize, Serialize};

/// One thing to be labelled, or one control whose answer is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The name its owner gave it: a file name, a row's id. Never shown to annotators.
    pub id: String,
    /// What there is to look at.
    pub content: Content,
    /// The part of the picture that is meant, if only a part is.
    pub face: Option<PixelBox>,
    /// The whole person the face belongs to, if known.
    pub person: Option<PixelBox>,
}

/// What an annotator looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Content {
    /// A picture on disk.
    File(String),
    /// A picture behind an `http(s)://` address.
    Url(String),
    /// A text.
    Text(String),
}

/// A box in pixels of the picture as stored (before EXIF rotation is never meant: boxes refer to the upright picture).
/// `x0`, `y0` is the upper left corner; `x1`, `y1` lies just outside.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PixelBox {
    /// Left edge, pixels.
    pub x0: f64,
    /// Upper edge, pixels.
    pub y0: f64,
    /// Right edge, pixels, exclusive.
    pub x1: f64,
    /// Lower edge, pixels, exclusive.
    pub y1: f64,
}

impl PixelBox {
    /// A box with positive width and height, or `None`: −1 in each place is how many files say "missing".
    pub fn new(x0: f64, y0: f64, x1: f64, y1: f64) -> Option<Self> {
        let finite = [x0, y0, x1, y1].iter().all(|v| v.is_finite());
        (finite && x1 > x0 && y1 > y0 && x1 > 0.0 && y1 > 0.0).then_some(Self { x0, y0, x1, y1 })
    }

    /// The box grown by `margin` of its own width and height on every side.
    pub fn grown(self, margin: f64) -> Self {
        let (dx, dy) = ((self.x1 - self.x0) * margin, (self.y1 - self.y0) * margin);
        Self {
            x0: self.x0 - dx,
            y0: self.y0 - dy,
            x1: self.x1 + dx,
            y1: self.y1 + dy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_needs_a_positive_size_and_finite_edges() {
        assert!(PixelBox::new(0.0, 0.0, 1.0, 1.0).is_some());
        assert!(
            PixelBox::new(-5.0, -5.0, 10.0, 10.0).is_some(),
            "reaches over the edge"
        );
        assert!(PixelBox::new(1.0, 0.0, 1.0, 1.0).is_none(), "no width");
        assert!(PixelBox::new(0.0, 2.0, 1.0, 1.0).is_none(), "upside down");
        assert!(PixelBox::new(0.0, 0.0, f64::NAN, 1.0).is_none());
        assert!(PixelBox::new(0.0, 0.0, f64::INFINITY, 1.0).is_none());
    }

    #[test]
    fn minus_one_everywhere_means_missing() {
        assert_eq!(PixelBox::new(-1.0, -1.0, -1.0, -1.0), None);
        assert_eq!(
            PixelBox::new(-9.0, -9.0, -1.0, -1.0),
            None,
            "wholly outside"
        );
    }

    #[test]
    fn growing_adds_the_share_of_its_own_size_on_every_side() {
        let grown = PixelBox::new(10.0, 20.0, 30.0, 60.0).unwrap().grown(0.25);
        assert_eq!(
            (grown.x0, grown.y0, grown.x1, grown.y1),
            (5.0, 10.0, 35.0, 70.0)
        );
    }
}
