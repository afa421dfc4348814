//! Eyes, brows, nose, mouth and glasses.

use super::brush::{Canvas, curve, mix, oval, shade, smooth};
use super::look::{Look, ramp};

const LASH: [f32; 3] = [48.0, 32.0, 28.0];

pub(super) fn eyes(canvas: &mut Canvas, look: &Look) {
    let (w, open) = (look.eye_width, look.eye_width * look.eye_open);
    let y = look.eye_y;
    for side in [-1.0, 1.0] {
        let centre = 50.0 + side * look.eye_x;
        // Towards the temple is positive in both eyes.
        let x = |out: f32| centre + side * out * w;
        let droop = 0.55 * look.sag - 0.25;
        let (inner, outer) = ((x(-1.0), y + 0.35), (x(1.0), y + droop));
        let above = [
            (x(-0.62), y - open * 0.95),
            (x(0.45), y - open * (1.06 - 0.25 * look.sag)),
        ];
        let below = [(x(0.62), y + open * 0.82), (x(-0.55), y + open * 0.86)];
        let eye = curve(
            inner,
            &[[above[0], above[1], outer], [below[0], below[1], inner]],
            true,
        );
        canvas.fill(eye.clone(), [252.0, 250.0, 246.0], 1.0);
        canvas.clip(eye.as_ref());
        canvas.glow(
            (centre, y - open),
            (w * 1.1, open * 0.9),
            [120.0, 104.0, 104.0],
            0.5,
        );
        let iris = w * (0.66 - 0.08 * look.grown);
        let iris_y = y - 0.1;
        canvas.fill(oval(centre, iris_y, iris, iris), shade(look.iris, 0.7), 1.0);
        canvas.fill(
            oval(centre, iris_y + 0.15, iris * 0.82, iris * 0.82),
            look.iris,
            1.0,
        );
        canvas.fill(
            oval(centre, iris_y, iris * 0.48, iris * 0.48),
            [24.0, 18.0, 18.0],
            1.0,
        );
        canvas.fill(
            oval(
                centre - iris * 0.32,
                iris_y - iris * 0.36,
                iris * 0.24,
                iris * 0.24,
            ),
            [255.0; 3],
            0.95,
        );
        canvas.clip(None);
        let lash = if look.female {
            0.35 * ramp(look.seems, 10.0, 18.0)
        } else {
            0.0
        };
        let lid = curve(inner, &[[above[0], above[1], outer]], false);
        canvas.line(lid, 0.62 + lash, LASH, 0.9);
        if lash > 0.05 {
            let wing = smooth(&[outer, (x(1.18), outer.1 - 0.75)], false);
            canvas.line(wing, 0.5 + 0.5 * lash, LASH, 0.85);
        }
        let lower = curve(outer, &[[below[0], below[1], inner]], false);
        canvas.line(lower, 0.35, look.crease(), 0.6);
        // The fold of the upper lid; with the years it sinks over the outer corner.
        let fold_y = y - open * 0.9 - 1.0 + 0.25 * look.sag;
        let fold = smooth(
            &[
                (x(-0.8), fold_y + 1.2),
                (x(-0.1), fold_y - 0.25),
                (x(0.65), fold_y + 0.35),
                (x(1.12 + 0.1 * look.sag), y - 0.5 + 1.5 * look.sag),
            ],
            false,
        );
        canvas.line(
            fold,
            0.4 + 0.35 * look.sag,
            look.crease(),
            0.35 + 0.4 * look.sag,
        );
    }
}

pub(super) fn brows(canvas: &mut Canvas, look: &Look) {
    let w = look.eye_width * 1.22;
    let y = look.eye_y - look.brow_gap;
    let alpha = 0.45 + 0.45 * look.grown;
    for side in [-1.0, 1.0] {
        let x = |out: f32| 50.0 + side * (look.eye_x + out * w);
        let (t, arch) = (look.brow, if look.female { 1.5 } else { 0.9 });
        let brow = smooth(
            &[
                (x(-0.98), y + 0.6 + t * 0.45),
                (x(-0.98), y + 0.5 - t * 0.45),
                (x(-0.2), y - arch * 0.55 - t * 0.5),
                (x(0.45), y - arch * 0.7 - t * 0.42),
                (x(1.08), y + 0.9),
                (x(0.42), y - arch * 0.7 + t * 0.42),
                (x(-0.2), y - arch * 0.5 + t * 0.5),
            ],
            true,
        );
        canvas.fill(brow, look.brow_ink, alpha);
        // Bushy with age.
        if !look.female {
            for i in 0..6 {
                let out = -0.8 + 0.3 * i as f32;
                let hair = smooth(
                    &[
                        (x(out), y - arch * 0.4 + t * 0.3),
                        (x(out + 0.16), y - arch * 0.5 - t * 0.8),
                    ],
                    false,
                );
                canvas.line(hair, 0.4, look.brow_ink, ramp(look.seems, 45.0, 75.0) * 0.8);
            }
        }
    }
}

pub(super) fn nose(canvas: &mut Canvas, look: &Look) {
    let (w, y) = (look.nose_width, look.nose_y);
    let dim = shade(look.skin, 0.74);
    let ridge = look.eye_y + (y - look.eye_y) * 0.55;
    let long = y - look.eye_y;
    // The shaded flank of the bridge, hardly there in a baby.
    let flank = smooth(
        &[
            (50.0 + 1.5, look.eye_y - 1.0),
            (50.0 + 1.25, ridge),
            (50.0 + w * 0.7, y - 2.2),
        ],
        false,
    );
    canvas.line(flank, 1.1, dim, 0.12 + 0.28 * look.grown);
    canvas.glow(
        (49.6, ridge),
        (1.5, long * 0.5),
        [255.0, 248.0, 238.0],
        0.4 * look.grown,
    );
    canvas.glow(
        (50.0, y - 1.5),
        (w * 0.8, 1.9),
        mix(look.skin, [255.0, 246.0, 236.0], 0.7),
        0.6,
    );
    canvas.glow((50.0, y + 0.9), (w * 1.25, 1.7), dim, 0.75);
    for side in [-1.0, 1.0] {
        let wing = curve(
            (50.0 + side * w * 0.92, y - 2.3),
            &[[
                (50.0 + side * w * 1.28, y - 1.2),
                (50.0 + side * w * 1.12, y + 0.5),
                (50.0 + side * w * 0.6, y + 0.1),
            ]],
            false,
        );
        canvas.line(wing, 0.5, look.crease(), 0.3 + 0.45 * look.grown);
        let nostril = oval(50.0 + side * w * 0.45, y + 0.15, w * 0.2, 0.5);
        canvas.fill(nostril, mix(look.crease(), [50.0, 20.0, 16.0], 0.4), 0.8);
    }
    let under = curve(
        (50.0 - w * 0.28, y + 0.6),
        &[[
            (50.0 - w * 0.1, y + 0.95),
            (50.0 + w * 0.1, y + 0.95),
            (50.0 + w * 0.28, y + 0.6),
        ]],
        false,
    );
    canvas.line(under, 0.45, look.crease(), 0.5);
}

pub(super) fn mouth(canvas: &mut Canvas, look: &Look) {
    let (w, y, lip, up) = (look.mouth_width, look.mouth_y, look.lip, look.smile);
    let natural = mix(
        shade(look.skin, 0.82),
        [196.0, 72.0, 76.0],
        0.42 - 0.12 * look.sag,
    );
    let ink = if look.lipstick {
        mix(natural, [186.0, 40.0, 62.0], 0.6)
    } else {
        natural
    };
    let (l, r) = ((50.0 - w, y - up * 0.75), (50.0 + w, y - up * 0.75));
    let gap = if look.teeth { 1.3 + 0.5 * up } else { 0.0 };
    // Where the lips meet, above and below.
    let line_up = [
        (50.0 - w * 0.45, y + up * 0.35),
        (50.0 + w * 0.45, y + up * 0.35),
    ];
    let line_low = [
        (50.0 - w * 0.5, y + up * 0.4 + gap * 1.3),
        (50.0 + w * 0.5, y + up * 0.4 + gap * 1.3),
    ];
    let upper = curve(
        l,
        &[
            [
                (50.0 - w * 0.6, y - lip * 0.6),
                (50.0 - w * 0.22, y - lip * 1.35),
                (50.0, y - lip * 0.85),
            ],
            [
                (50.0 + w * 0.22, y - lip * 1.35),
                (50.0 + w * 0.6, y - lip * 0.6),
                r,
            ],
            [line_up[1], line_up[0], l],
        ],
        true,
    );
    let lower = curve(
        l,
        &[
            [line_low[0], line_low[1], r],
            [
                (50.0 + w * 0.52, y + up * 0.5 + gap * 1.2 + lip * 1.9),
                (50.0 - w * 0.52, y + up * 0.5 + gap * 1.2 + lip * 1.9),
                l,
            ],
        ],
        true,
    );
    canvas.glow(
        (50.0, y + up * 0.4 + gap + lip * 1.7 + 1.2),
        (w * 0.7, 1.5),
        shade(look.skin, 0.7),
        0.6,
    );
    if look.teeth {
        let inside = curve(
            l,
            &[[line_up[0], line_up[1], r], [line_low[1], line_low[0], l]],
            true,
        );
        let ivory = mix([252.0, 250.0, 244.0], [232.0, 218.0, 186.0], look.sag);
        canvas.fill(inside.clone(), ivory, 1.0);
        canvas.clip(inside.as_ref());
        for i in -3..=3 {
            let x = 50.0 + i as f32 * w * 0.2;
            let between = smooth(&[(x, y - 2.0), (x, y + 4.0)], false);
            canvas.line(between, 0.22, [150.0, 130.0, 120.0], 0.35);
        }
        // The gap of those who have just lost a milk tooth.
        if (5.5..8.5).contains(&look.seems) {
            let hole = oval(50.0 + look.side * w * 0.1, y + 0.6, w * 0.1, 2.2);
            canvas.fill(hole, [96.0, 36.0, 36.0], 0.95);
        }
        canvas.clip(None);
    }
    canvas.fill(upper, shade(ink, 0.92), 1.0);
    canvas.fill(lower, ink, 1.0);
    canvas.glow(
        (50.0, y + up * 0.4 + gap + lip * 0.75),
        (w * 0.42, lip * 0.5),
        [255.0, 236.0, 230.0],
        0.4,
    );
    let meet = curve(l, &[[line_up[0], line_up[1], r]], false);
    canvas.line(meet, 0.5, shade(look.crease(), 0.6), 0.85);
    for side in [-1.0, 1.0] {
        let corner = oval(50.0 + side * (w + 0.15), y - up * 0.75, 0.5, 0.45);
        canvas.fill(corner, look.crease(), 0.7);
    }
}

pub(super) fn glasses(canvas: &mut Canvas, look: &Look) {
    if !look.glasses {
        return;
    }
    let frames = [
        [52.0, 44.0, 46.0],
        [120.0, 72.0, 48.0],
        [150.0, 146.0, 140.0],
        [66.0, 82.0, 118.0],
    ];
    let ink = frames[((look.chance[0] * 31.0) as usize) % frames.len()];
    let round = look.chance[1] < 0.5;
    let (rx, ry) = (
        look.eye_width * 1.36,
        look.eye_width * if round { 1.3 } else { 1.08 },
    );
    let y = look.eye_y + 0.9;
    for side in [-1.0, 1.0] {
        let x = 50.0 + side * (look.eye_x + 0.2);
        let rim = if round {
            oval(x, y, rx, ry)
        } else {
            smooth(
                &[
                    (x - rx * 0.93, y - ry * 0.72),
                    (x, y - ry),
                    (x + rx * 0.93, y - ry * 0.72),
                    (x + rx * 0.92, y + ry * 0.45),
                    (x, y + ry),
                    (x - rx * 0.92, y + ry * 0.45),
                ],
                true,
            )
        };
        canvas.fill(rim.clone(), [235.0, 244.0, 250.0], 0.14);
        canvas.line(rim, 0.85, ink, 0.95);
        let arm = smooth(
            &[
                (x + side * rx, y - 1.0),
                (50.0 + side * (look.cheek + 0.8), y - 1.8),
            ],
            false,
        );
        canvas.line(arm, 0.9, ink, 0.95);
    }
    let inner = look.eye_x + 0.2 - rx;
    let bridge = curve(
        (50.0 - inner, y - 0.6),
        &[[
            (50.0 - inner * 0.4, y - 2.0),
            (50.0 + inner * 0.4, y - 2.0),
            (50.0 + inner, y - 0.6),
        ]],
        false,
    );
    canvas.line(bridge, 0.85, ink, 0.95);
}
