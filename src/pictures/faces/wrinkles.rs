//! What the years write into the skin.

use super::brush::{Canvas, shade, smooth};
use super::head;
use super::look::{Look, ramp};

/// Below the features: bags, hollows, spots.
pub(super) fn under(canvas: &mut Canvas, look: &Look) {
    let dim = shade(look.skin, 0.68);
    for side in [-1.0, 1.0] {
        let x = 50.0 + side * look.eye_x;
        let y = look.eye_y + look.eye_width * 0.62 + 0.7;
        canvas.glow(
            (x - side * 0.5, y),
            (look.eye_width * 1.05, 2.3),
            dim,
            0.12 + 0.5 * look.sag,
        );
    }
    let spots = ramp(look.seems, 60.0, 82.0);
    if spots > 0.05 {
        canvas.clip(head::outline(look, 0.0).as_ref());
        for i in 0..6 {
            let dice = (look.chance[i] * 97.0).fract();
            let across = (i as f32 / 5.0 - 0.5) * 1.9 * look.cheek;
            let y = if i % 2 == 0 {
                look.top + look.high() * (0.17 + 0.1 * dice)
            } else {
                look.nose_y + 3.0 * dice
            };
            let size = 0.7 + 0.7 * dice;
            canvas.glow(
                (50.0 + across * 0.86, y),
                (size, size * 0.8),
                [120.0, 72.0, 48.0],
                0.4 * spots,
            );
        }
        canvas.clip(None);
    }
}

/// Above the features: the lines themselves. Each group has its own time to come.
pub(super) fn over(canvas: &mut Canvas, look: &Look) {
    let ink = look.crease();
    let l = look.lines;
    // Forehead: first one line, then four, wavier and deeper.
    let high = look.high();
    for i in 0..4 {
        let share = ramp(l, 0.10 + 0.16 * i as f32, 0.42 + 0.17 * i as f32);
        let order = [1.0, 2.0, 0.0, 3.0][i];
        let y = look.eye_y - look.brow_gap - 2.6 - order * 0.052 * high;
        let wide = look.temple * (0.56 - 0.035 * order + 0.08 * l);
        let wave = 0.45 + 0.3 * look.chance[i];
        let line = smooth(
            &[
                (50.0 - wide, y + 0.5),
                (50.0 - wide * 0.5, y - wave),
                (50.0, y + wave * 0.7),
                (50.0 + wide * 0.5, y - wave),
                (50.0 + wide, y + 0.5),
            ],
            false,
        );
        canvas.line(line, 0.32 + 0.35 * l, ink, 0.72 * share);
    }
    for side in [-1.0, 1.0] {
        // Between the brows.
        let frown = smooth(
            &[
                (50.0 + side * 1.3, look.eye_y - look.brow_gap + 1.7),
                (50.0 + side * 1.55, look.eye_y - look.brow_gap - 1.7),
            ],
            false,
        );
        canvas.line(frown, 0.35 + 0.3 * l, ink, 0.65 * ramp(l, 0.25, 0.8));
        // Crow's feet.
        let corner = 50.0 + side * (look.eye_x + look.eye_width * 1.18);
        let reach = (look.temple - look.eye_x - look.eye_width * 1.2).clamp(1.6, 3.8);
        for i in 0..4 {
            let share = ramp(l, 0.08 + 0.12 * i as f32, 0.45 + 0.15 * i as f32);
            let slope = [-0.15, 0.5, -0.8, 1.1][i];
            let foot = smooth(
                &[
                    (corner, look.eye_y + 0.35 + slope * 0.9),
                    (corner + side * reach * 0.5, look.eye_y + 0.25 + slope * 1.6),
                    (
                        corner + side * reach * (0.75 + 0.25 * l),
                        look.eye_y + 0.3 + slope * 2.7,
                    ),
                ],
                false,
            );
            canvas.line(foot, 0.3 + 0.25 * l, ink, 0.7 * share);
        }
        // Bags under the eyes: one fold, then a second.
        let x = |out: f32| 50.0 + side * (look.eye_x + out * look.eye_width);
        for i in 0..2 {
            let share = ramp(
                look.sag * 0.6 + l * 0.4,
                0.12 + 0.3 * i as f32,
                0.62 + 0.3 * i as f32,
            );
            let y = look.eye_y + look.eye_width * 0.62 + 0.9 + 1.3 * i as f32;
            let bag = smooth(
                &[
                    (x(-0.85), y - 0.9),
                    (x(-0.35), y + 0.55),
                    (x(0.35), y + 0.6),
                    (x(0.95), y - 0.7),
                ],
                false,
            );
            canvas.line(bag, 0.32 + 0.25 * l, ink, 0.62 * share);
        }
        // From the nose to the corners of the mouth: the first to come, faint in a smile at any age.
        let smile_line = ramp(l, 0.0, 0.7) * 0.85 + 0.05 * look.grown;
        let fold = smooth(
            &[
                (
                    50.0 + side * (look.nose_width * 1.25 + 0.3),
                    look.nose_y - 1.4,
                ),
                (
                    50.0 + side * (look.nose_width * 1.2 + 2.4),
                    look.nose_y + 1.6,
                ),
                (50.0 + side * (look.mouth_width + 1.9), look.mouth_y - 0.9),
                (
                    50.0 + side * (look.mouth_width + 1.7),
                    look.mouth_y - 0.4 + 2.4 * l,
                ),
            ],
            false,
        );
        canvas.line(fold, 0.4 + 0.4 * l, ink, 0.75 * smile_line);
        // From the mouth down, and the fold of the jaw.
        let sad = smooth(
            &[
                (50.0 + side * (look.mouth_width + 0.9), look.mouth_y + 0.9),
                (50.0 + side * (look.mouth_width + 1.5), look.mouth_y + 3.9),
            ],
            false,
        );
        canvas.line(sad, 0.35 + 0.3 * l, ink, 0.7 * ramp(l, 0.45, 0.95));
        let cheek = smooth(
            &[
                (50.0 + side * look.cheek * 0.78, look.nose_y + 1.5),
                (50.0 + side * look.cheek * 0.7, look.mouth_y - 0.8),
            ],
            false,
        );
        canvas.line(cheek, 0.4, ink, 0.5 * ramp(look.seems, 62.0, 84.0));
        // Short lines above the upper lip.
        for i in 0..3 {
            let x = 50.0 + side * look.mouth_width * (0.2 + 0.25 * i as f32);
            let y = look.mouth_y - look.lip - 0.6;
            let line = smooth(&[(x, y), (x + side * 0.15, y - 1.5)], false);
            canvas.line(line, 0.28, ink, 0.6 * ramp(l, 0.65, 1.0));
        }
    }
}
