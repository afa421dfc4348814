//! Background, clothes, neck, ears and the bare head.

use super::brush::{Canvas, curve, mix, oval, shade, smooth};
use super::look::{Look, ramp};
use tiny_skia::Path;

/// Background with a soft light behind the head.
pub(super) fn ground(canvas: &mut Canvas, look: &Look) {
    canvas.glow((50.0, 44.0), (62.0, 62.0), [255.0; 3], 0.55);
    canvas.glow((50.0, 112.0), (80.0, 34.0), shade(look.ground, 0.7), 0.45);
}

/// Shirt, collar, neck.
pub(super) fn body(canvas: &mut Canvas, look: &Look) {
    let (n, w, y) = (look.neck, look.shoulder, look.shoulder_y);
    let dark = shade(look.shirt, 0.8);
    let torso = curve(
        (50.0 - n - 1.5, y),
        &[
            [
                (50.0 - n - 5.0, y + 4.0),
                (50.0 - w, y + 3.0),
                (50.0 - w - 2.0, y + 15.0),
            ],
            [
                (50.0 - w - 3.0, y + 22.0),
                (50.0 - w - 3.0, 102.0),
                (50.0 - w - 3.0, 104.0),
            ],
            [(50.0, 104.0), (50.0, 104.0), (50.0 + w + 3.0, 104.0)],
            [
                (50.0 + w + 3.0, 102.0),
                (50.0 + w + 3.0, y + 22.0),
                (50.0 + w + 2.0, y + 15.0),
            ],
            [
                (50.0 + w, y + 3.0),
                (50.0 + n + 5.0, y + 4.0),
                (50.0 + n + 1.5, y),
            ],
        ],
        true,
    );
    canvas.fill(torso.clone(), look.shirt, 1.0);
    canvas.clip(torso.as_ref());
    if look.seems < 11.0 && look.chance[7] < 0.5 {
        // Children's stripes.
        for i in 0..5 {
            let at = y + 6.0 + 6.5 * i as f32;
            let stripe = smooth(
                &[(10.0, at + 2.0), (50.0, at + 5.0), (90.0, at + 2.0)],
                false,
            );
            canvas.line(stripe, 2.4, mix(look.shirt, [255.0; 3], 0.55), 1.0);
        }
    }
    canvas.glow(
        (50.0, y + 2.0),
        (n * 2.4, 9.0),
        shade(look.shirt, 0.55),
        0.45,
    );
    canvas.clip(None);

    // Neck and what a collar leaves free of it.
    let deep = [3.2, 7.5, 4.5][look.collar] * (0.55 + 0.45 * look.grown);
    let neck = curve(
        (50.0 - n, look.chin - 9.0),
        &[
            [
                (50.0 - n, y - 3.0),
                (50.0 - n, y - 2.0),
                (50.0 - n - 2.2, y + 0.6),
            ],
            [
                (50.0 - n * 0.6, y + deep),
                (50.0 - n * 0.35, y + deep + 0.6),
                (50.0, y + deep + 0.8),
            ],
            [
                (50.0 + n * 0.35, y + deep + 0.6),
                (50.0 + n * 0.6, y + deep),
                (50.0 + n + 2.2, y + 0.6),
            ],
            [
                (50.0 + n, y - 2.0),
                (50.0 + n, y - 3.0),
                (50.0 + n, look.chin - 9.0),
            ],
        ],
        true,
    );
    let skin = shade(look.skin, 0.93);
    canvas.fill(neck.clone(), skin, 1.0);
    canvas.clip(neck.as_ref());
    canvas.glow(
        (50.0, look.chin - 1.0),
        (look.jaw * 1.25, 8.5),
        shade(look.skin, 0.62),
        0.75,
    );
    let folds = ramp(look.seems, 46.0, 80.0) * (0.4 + 0.6 * look.lines);
    for (i, at) in [(0, 0.35), (1, 0.62)] {
        let at = look.chin + (y - look.chin) * at + 0.8;
        let bend = 1.2 + 0.4 * i as f32;
        let fold = smooth(
            &[
                (50.0 - n, at - 0.6),
                (50.0, at + bend),
                (50.0 + n, at - 0.6),
            ],
            false,
        );
        canvas.line(fold, 0.45, look.crease(), 0.55 * folds);
    }
    for side in [-1.0, 1.0] {
        let band = smooth(
            &[
                (50.0 + side * n * 0.34, look.chin + 2.5),
                (50.0 + side * n * 0.26, y + deep * 0.4),
            ],
            false,
        );
        canvas.line(band, 0.5, look.crease(), 0.45 * folds * look.sag);
    }
    canvas.clip(None);
    match look.collar {
        2 if look.grown > 0.6 => {
            // Two flaps of a shirt.
            for side in [-1.0, 1.0] {
                let flap = smooth_corner(&[
                    (50.0 + side * (n + 2.6), y - 1.6),
                    (50.0 + side * 1.0, y + deep + 1.2),
                    (50.0 + side * 7.0, y + deep + 6.5),
                    (50.0 + side * (n + 5.0), y + 2.4),
                ]);
                canvas.fill(flap.clone(), mix(look.shirt, [255.0; 3], 0.22), 1.0);
                canvas.line(flap, 0.4, dark, 0.8);
            }
        }
        _ => {
            let rim = curve(
                (50.0 - n - 2.0, y + 0.4),
                &[
                    [
                        (50.0 - n * 0.6, y + deep),
                        (50.0 - n * 0.35, y + deep + 0.6),
                        (50.0, y + deep + 0.8),
                    ],
                    [
                        (50.0 + n * 0.35, y + deep + 0.6),
                        (50.0 + n * 0.6, y + deep),
                        (50.0 + n + 2.0, y + 0.4),
                    ],
                ],
                false,
            );
            canvas.line(rim, 1.5, dark, 1.0);
        }
    }
}

fn smooth_corner(points: &[(f32, f32)]) -> Option<Path> {
    let mut path = tiny_skia::PathBuilder::new();
    for (i, (x, y)) in points.iter().enumerate() {
        if i == 0 {
            path.move_to(*x, *y);
        } else {
            path.line_to(*x, *y);
        }
    }
    path.close();
    path.finish()
}

/// The outline of the head without hair; `grow` units larger all round.
pub(super) fn outline(look: &Look, grow: f32) -> Option<Path> {
    let (top, h) = (look.top - grow, look.high() + 2.0 * grow);
    let (t, c, j, q) = (
        look.temple + grow,
        look.cheek + grow,
        look.jaw + grow,
        look.chin_width,
    );
    let y = |share: f32| top + share * h;
    let x = |side: f32, w: f32| 50.0 + side * w;
    // Which way the outline runs at the jaw; old cheeks hang a little over it.
    let (dx, dy) = (0.24 * j - 0.9 * look.sag, 0.08 * h);
    let (l, r) = (-1.0, 1.0);
    curve(
        (50.0, top),
        &[
            [
                (x(r, t * 0.62), top),
                (x(r, t), y(0.15)),
                (x(r, t), y(0.40)),
            ],
            [(x(r, t), y(0.50)), (x(r, c), y(0.52)), (x(r, c), y(0.61))],
            [
                (x(r, c), y(0.71)),
                (x(r, j + dx), y(0.855) - dy),
                (x(r, j), y(0.855)),
            ],
            [
                (x(r, j - dx), y(0.855) + dy),
                (x(r, q), y(1.0)),
                (50.0, y(1.0)),
            ],
            [
                (x(l, q), y(1.0)),
                (x(l, j - dx), y(0.855) + dy),
                (x(l, j), y(0.855)),
            ],
            [
                (x(l, j + dx), y(0.855) - dy),
                (x(l, c), y(0.71)),
                (x(l, c), y(0.61)),
            ],
            [(x(l, c), y(0.52)), (x(l, t), y(0.50)), (x(l, t), y(0.40))],
            [(x(l, t), y(0.15)), (x(l, t * 0.62), top), (50.0, top)],
        ],
        true,
    )
}

/// Ears, head, the light and the colour on it.
pub(super) fn skull(canvas: &mut Canvas, look: &Look) {
    let ear_y = look.eye_y + look.ear * 0.72;
    for side in [-1.0, 1.0] {
        let x = 50.0 + side * (look.cheek + 0.6);
        canvas.fill(
            oval(x, ear_y, look.ear * 0.52, look.ear),
            shade(look.skin, 0.95),
            1.0,
        );
        let inner = oval(x + side * 0.3, ear_y, look.ear * 0.28, look.ear * 0.62);
        canvas.fill(inner, shade(look.skin, 0.8), 0.8);
    }
    let head = outline(look, 0.0);
    canvas.fill(head.clone(), look.skin, 1.0);
    canvas.clip(head.as_ref());
    // Form: darker towards the rim and under the cheekbones, lighter on brow and cheeks.
    let dim = shade(look.skin, 0.72);
    for side in [-1.0, 1.0] {
        let x = 50.0 + side * (look.cheek + 1.0);
        canvas.glow((x, look.eye_y + 6.0), (7.5, 26.0), dim, 0.42);
    }
    canvas.glow((50.0, look.chin + 3.0), (look.jaw * 1.3, 7.0), dim, 0.5);
    canvas.glow(
        (50.0, look.top + look.high() * 0.24),
        (13.0, 10.0),
        [255.0, 250.0, 240.0],
        0.20,
    );
    let rosy = mix(look.skin, [224.0, 84.0, 74.0], 0.55);
    let blush = 0.62 - 0.38 * ramp(look.seems, 2.0, 22.0) + if look.lipstick { 0.1 } else { 0.0 };
    let cheek_y = look.nose_y + 0.3;
    for side in [-1.0, 1.0] {
        let x = 50.0 + side * look.cheek * 0.62;
        canvas.glow((x, cheek_y), (6.6, 5.0), rosy, blush);
        // Baby fat and hollow cheeks.
        let hollow = ramp(look.seems, 58.0, 88.0) * 0.32;
        canvas.glow(
            (x + side * 2.2, look.mouth_y - 2.0),
            (4.0, 8.0),
            dim,
            hollow,
        );
        canvas.glow(
            (x, look.eye_y - 3.0),
            (6.5, 5.0),
            dim,
            0.16 + 0.14 * look.sag,
        );
    }
    canvas.clip(None);
}
