//! A canvas of 100 by 100 units on which a face is drawn, whatever its size in pixels.

use image::RgbImage;
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, Shader, Stroke,
    Transform,
};

/// A colour, 0 to 255 each for red, green and blue.
pub(super) type Ink = [f32; 3];

/// The colour between `a` and `b`, all of `b` at `share` 1.
pub(super) fn mix(a: Ink, b: Ink, share: f32) -> Ink {
    let share = share.clamp(0.0, 1.0);
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * share)
}

/// Darker below 1, lighter above.
pub(super) fn shade(ink: Ink, by: f32) -> Ink {
    ink.map(|v| (v * by).clamp(0.0, 255.0))
}

fn colour(ink: Ink, alpha: f32) -> Color {
    let byte = |v: f32| v.round().clamp(0.0, 255.0) as u8;
    Color::from_rgba8(
        byte(ink[0]),
        byte(ink[1]),
        byte(ink[2]),
        byte(alpha * 255.0),
    )
}

/// A path through cubic curves: the first point, then triples of two handles and an end.
pub(super) fn curve(start: (f32, f32), rest: &[[(f32, f32); 3]], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(start.0, start.1);
    for [a, b, end] in rest {
        path.cubic_to(a.0, a.1, b.0, b.1, end.0, end.1);
    }
    if closed {
        path.close();
    }
    path.finish()
}

/// A smooth closed shape or open line through all `points` (Catmull and Rom 1974).
pub(super) fn smooth(points: &[(f32, f32)], closed: bool) -> Option<Path> {
    let n = points.len();
    if n < 2 {
        return None;
    }
    let at = |i: isize| {
        let last = n as isize - 1;
        let i = if closed {
            i.rem_euclid(n as isize)
        } else {
            i.clamp(0, last)
        };
        points[i as usize]
    };
    let pieces = if closed { n } else { n - 1 } as isize;
    let mut path = PathBuilder::new();
    path.move_to(points[0].0, points[0].1);
    for i in 0..pieces {
        let (before, a, b, after) = (at(i - 1), at(i), at(i + 1), at(i + 2));
        path.cubic_to(
            a.0 + (b.0 - before.0) / 6.0,
            a.1 + (b.1 - before.1) / 6.0,
            b.0 - (after.0 - a.0) / 6.0,
            b.1 - (after.1 - a.1) / 6.0,
            b.0,
            b.1,
        );
    }
    if closed {
        path.close();
    }
    path.finish()
}

/// An ellipse around a centre.
pub(super) fn oval(x: f32, y: f32, rx: f32, ry: f32) -> Option<Path> {
    let rect = tiny_skia::Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry)?;
    PathBuilder::from_oval(rect)
}

/// How much larger than its 100 units the canvas shows its middle.
const CLOSER: f32 = 1.15;

/// What is drawn on.
pub(super) struct Canvas {
    pixels: Pixmap,
    scale: Transform,
    clip: Option<Mask>,
}

impl Canvas {
    /// A square of `size` pixels in one colour; at least one pixel.
    pub(super) fn new(size: u32, ground: Ink) -> Option<Self> {
        let mut pixels = Pixmap::new(size, size)?;
        pixels.fill(colour(ground, 1.0));
        // The figure is drawn a little small; the view is closer, around the middle of the face.
        let by = CLOSER * size as f32 / 100.0;
        let middle = size as f32 / 2.0;
        let (tx, ty) = (middle - 50.0 * by, middle - 49.0 * by);
        Some(Self {
            pixels,
            scale: Transform::from_row(by, 0.0, 0.0, by, tx, ty),
            clip: None,
        })
    }

    /// Paints the inside of a path.
    pub(super) fn fill(&mut self, path: Option<Path>, ink: Ink, alpha: f32) {
        let Some(path) = path else { return };
        let paint = Paint {
            shader: Shader::SolidColor(colour(ink, alpha)),
            ..Paint::default()
        };
        self.pixels.fill_path(
            &path,
            &paint,
            FillRule::Winding,
            self.scale,
            self.clip.as_ref(),
        );
    }

    /// Paints along a path with a round pen `width` units wide.
    pub(super) fn line(&mut self, path: Option<Path>, width: f32, ink: Ink, alpha: f32) {
        // Wrinkles of the young and grey strands of the dark-haired: nothing to see, so nothing to do.
        let Some(path) = path.filter(|_| alpha > 0.01) else {
            return;
        };
        let paint = Paint {
            shader: Shader::SolidColor(colour(ink, alpha)),
            ..Paint::default()
        };
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        self.pixels
            .stroke_path(&path, &paint, &stroke, self.scale, self.clip.as_ref());
    }

    /// A spot that is strongest in its middle and fades evenly to nothing at its rim.
    ///
    /// Blended here, pixel by pixel: the gradients of tiny-skia took nine tenths of the time of a face.
    pub(super) fn glow(&mut self, (x, y): (f32, f32), (rx, ry): (f32, f32), ink: Ink, alpha: f32) {
        if alpha <= 0.0 {
            return;
        }
        let (by, size) = (self.scale.sx, self.pixels.width() as usize);
        let (x, y) = (x * by + self.scale.tx, y * by + self.scale.ty);
        let (rx, ry) = (rx * by, ry * by);
        let pixel = |v: f32| (v.max(0.0) as usize).min(size);
        let (left, right) = (pixel(x - rx), pixel(x + rx + 1.0));
        let clip = self.clip.as_ref().map(Mask::data);
        let data = self.pixels.data_mut();
        for row in pixel(y - ry)..pixel(y + ry + 1.0) {
            let down = ((row as f32 + 0.5 - y) / ry).powi(2);
            for column in left..right {
                let across = (column as f32 + 0.5 - x) / rx;
                let square = across * across + down;
                if square >= 1.0 {
                    continue;
                }
                let at = row * size + column;
                let shown = clip.map_or(1.0, |mask| f32::from(mask[at]) / 255.0);
                let share = alpha * (1.0 - square.sqrt()) * shown;
                for (value, target) in data[4 * at..4 * at + 3].iter_mut().zip(ink) {
                    let before = f32::from(*value);
                    *value = (before + (target - before) * share + 0.5) as u8;
                }
            }
        }
    }

    /// From now on only the inside of `path` is painted; everything again with `None`.
    pub(super) fn clip(&mut self, path: Option<&Path>) {
        self.clip = path.and_then(|path| {
            let mut mask = Mask::new(self.pixels.width(), self.pixels.height())?;
            mask.fill_path(path, FillRule::Winding, true, self.scale);
            Some(mask)
        });
    }

    /// The finished picture.
    pub(super) fn finish(self) -> RgbImage {
        // The ground is opaque, so nothing is left to divide out of the colours.
        let (width, pixels) = (self.pixels.width(), self.pixels.pixels());
        RgbImage::from_fn(width, self.pixels.height(), |x, y| {
            let pixel = pixels[(y * width + x) as usize];
            image::Rgb([pixel.red(), pixel.green(), pixel.blue()])
        })
    }
}
