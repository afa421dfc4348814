//! Hair behind, hair in front, beards.

use super::brush::{Canvas, curve, mix, oval, shade, smooth};
use super::head;
use super::look::{Beard, Look, Style, ramp};

type Point = (f32, f32);

/// How far the hair stands off the skull, units.
fn volume(look: &Look) -> f32 {
    let full = match look.style {
        Style::Down => 0.5 + 0.5 * look.seems.min(1.6),
        Style::Short => 2.0,
        Style::SidePart => 3.2,
        Style::Curly => 3.4,
        Style::Fringe => 2.8,
        Style::Bob | Style::Long => 3.4,
        Style::Bun | Style::Pigtails => 2.2,
        Style::Ring => 1.6,
        Style::Shaven => 0.15,
    };
    full * (1.0 - 0.3 * look.bald) * (0.8 + 0.2 * look.grown)
}

/// The upper outline of the hair from the left side over the top to the right, 11 points down to `side_y`.
fn outer(look: &Look, grow: f32, side_y: f32) -> [Point; 11] {
    let (w, h) = (look.temple, look.high());
    let y = |share: f32| look.top + share * h;
    let half = [
        (w + 0.45 * grow, side_y),
        (w + grow, y(0.30)),
        (0.93 * w + grow, y(0.17)),
        (0.735 * w + 0.8 * grow, y(0.085) - 0.6 * grow),
        (0.40 * w + 0.4 * grow, y(0.014) - 0.95 * grow),
    ];
    mirrored(half, (0.0, y(0.0) - grow))
}

/// Left side, middle, right side from the points of one side.
fn mirrored(half: [Point; 5], middle: Point) -> [Point; 11] {
    std::array::from_fn(|i| match i {
        0..5 => (50.0 - half[i].0, half[i].1),
        5 => (50.0 + middle.0, middle.1),
        _ => (50.0 + half[10 - i].0, half[10 - i].1),
    })
}

/// The lower edge of the hair on the forehead, from left to right.
fn hairline(look: &Look, side_y: f32) -> [Point; 11] {
    let (w, h) = (look.temple, look.high());
    let back = if look.female { 0.10 } else { 0.20 } * look.bald;
    let base = 0.165 + 0.03 * look.grown + 0.012 * (look.chance[0] - 0.5);
    let y = |share: f32| look.top + share.max(0.012) * h;
    let (s, edge) = (look.side, side_y - 0.4);
    match look.style {
        Style::Fringe => {
            // Falls over the forehead, ends in an uneven line.
            let low = base + 0.105;
            mirrored(
                [
                    (w - 1.1, edge),
                    (w - 1.5, y(0.36)),
                    (w * 0.84, y(low + 0.03)),
                    (w * 0.55, y(low + 0.005)),
                    (w * 0.28, y(low + 0.02)),
                ],
                (s * 1.0, y(low)),
            )
        }
        Style::SidePart | Style::Bob | Style::Long => {
            // Parted on one side, swept to the other.
            let part = base - 0.075 - back * 0.6;
            let sweep = base + 0.015 - back * 0.7;
            let mut line = mirrored(
                [
                    (w - 1.2, edge),
                    (w - 1.9, y(0.36 - 0.3 * back)),
                    (w * 0.86, y(base + 0.085 - back * 0.8)),
                    (w * 0.66, y(sweep + 0.035)),
                    (w * 0.34, y(sweep - 0.02)),
                ],
                (0.0, y(sweep - 0.045)),
            );
            // The parting itself, on the right of the picture for side 1.
            let near = if s > 0.0 { [7, 6] } else { [3, 4] };
            line[near[0]].1 = y(part + 0.06);
            line[near[1]].1 = y(part);
            line
        }
        _ => {
            // Receding: the corners first, the middle later.
            let corner = base - 0.012 - back * 0.95;
            mirrored(
                [
                    (w - 1.2, edge),
                    (w - 1.7, y(0.35)),
                    (w * (0.86 + 0.04 * look.bald), y(base + 0.07 - back * 0.5)),
                    (w * 0.66, y(corner + 0.03)),
                    (w * 0.36, y(corner - 0.004 - 0.02 * look.bald)),
                ],
                (0.0, y(base - back * 0.55)),
            )
        }
    }
}

/// Everything that hangs or stands behind head and shoulders.
pub(super) fn behind(canvas: &mut Canvas, look: &Look) {
    let ink = shade(look.hair, 0.82);
    let (c, t) = (look.cheek, volume(look));
    let (top, h) = (look.top, look.high());
    match look.style {
        Style::Long | Style::Bob => {
            let low = if look.style == Style::Long {
                look.shoulder_y + 12.0
            } else {
                look.chin + 1.5
            };
            let flare = if look.style == Style::Long { 1.5 } else { 2.4 };
            let half = [
                (c * 0.5, low + 1.0),
                (c + t + flare, low - 1.5),
                (c + t + flare + 0.8, look.mouth_y),
                (c + t + 1.0, look.eye_y),
                (look.temple * 0.8 + t, top + 0.1 * h),
            ];
            canvas.fill(smooth(&mirrored(half, (0.0, top - t)), true), ink, 1.0);
        }
        Style::Curly if look.female => {
            let low = if look.seems < 50.0 {
                look.chin - 1.0
            } else {
                look.mouth_y - 4.0
            };
            for side in [-1.0, 1.0] {
                for i in 0..7 {
                    let share = i as f32 / 6.0;
                    let y = top + 0.15 * h + (low - top - 0.15 * h) * share;
                    let size = 5.0 + 0.8 * ((i * 7) as f32 + look.chance[1] * 9.0).sin();
                    let x = 50.0 + side * (c + 1.2 + 1.2 * (share * 3.0).sin());
                    canvas.fill(oval(x, y, size, size), ink, 1.0);
                }
            }
        }
        Style::Bun => {
            let (x, y) = (50.0 + look.side * 1.2, top - t - 3.0);
            canvas.fill(oval(x, y, 7.4, 6.2), look.hair, 1.0);
            canvas.fill(
                oval(x - 1.2, y - 1.2, 4.6, 3.6),
                shade(look.hair, 1.12),
                0.5,
            );
            canvas.line(oval(x, y + 0.6, 5.4, 4.0), 0.5, shade(look.hair, 0.75), 0.5);
            canvas.fill(
                oval(50.0, top + 0.35 * h, look.temple + 0.9, 0.34 * h),
                ink,
                1.0,
            );
        }
        Style::Pigtails => {
            for side in [-1.0, 1.0] {
                let x = 50.0 + side * (c + 5.0);
                let y = look.eye_y + 3.0;
                let tail = smooth(
                    &[
                        (x - side * 3.0, y - 6.5),
                        (x + side * 3.8, y - 4.5),
                        (x + side * 4.6, y + 5.0),
                        (x + side * 1.6, y + 12.0),
                        (x - side * 2.2, y + 4.5),
                    ],
                    true,
                );
                canvas.fill(tail, look.hair, 1.0);
                let strand = smooth(
                    &[
                        (x, y - 5.0),
                        (x + side * 2.0, y + 1.0),
                        (x + side * 1.4, y + 9.0),
                    ],
                    false,
                );
                canvas.line(strand, 0.7, shade(look.hair, 0.78), 0.6);
                let tie = oval(x - side * 1.6, y - 5.6, 1.9, 1.9);
                canvas.fill(tie, mix(look.shirt, [240.0, 90.0, 110.0], 0.5), 1.0);
            }
        }
        _ => {}
    }
}

/// The hair on the skull and what falls beside the face.
pub(super) fn front(canvas: &mut Canvas, look: &Look) {
    let t = volume(look);
    let side_y = match look.style {
        Style::Bob | Style::Long => look.eye_y + 2.0,
        Style::Down => look.eye_y - 7.0,
        Style::Bun | Style::Pigtails => look.eye_y - 1.5,
        _ => look.eye_y + if look.female { 0.5 } else { 2.2 },
    };
    let rim = outer(look, t, side_y);
    let line = hairline(look, side_y);
    let mut shape = rim.to_vec();
    shape.extend(line.iter().rev());
    let shape = smooth(&shape, true);
    match look.style {
        Style::Ring => return ring(canvas, look),
        Style::Shaven => {
            canvas.fill(shape, look.hair, 0.2);
            return;
        }
        Style::Down => return down(canvas, look),
        _ => {}
    }
    // A soft shadow of the hair on the forehead.
    canvas.clip(head::outline(look, 0.0).as_ref());
    canvas.line(smooth(&line, false), 2.0, shade(look.skin, 0.7), 0.28);
    canvas.clip(None);
    let thin = ramp(look.bald, 0.25, 0.75) * 0.3;
    canvas.fill(shape.clone(), look.hair, 1.0 - thin);
    if look.style == Style::Curly {
        curls(canvas, look, &rim);
    }
    canvas.clip(shape.as_ref());
    strands(canvas, look, &rim, &line);
    canvas.clip(None);
    if matches!(look.style, Style::Bob | Style::Long) {
        locks(canvas, look, t);
    }
}

/// Lines that follow the hair, lighter and darker in turn; white ones while it greys.
fn strands(canvas: &mut Canvas, look: &Look, rim: &[Point; 11], line: &[Point; 11]) {
    let (light, dark) = (shade(look.hair, 1.22), shade(look.hair, 0.72));
    for i in 0..9 {
        let share = 0.08 + 0.105 * i as f32;
        let points: Vec<Point> = rim
            .iter()
            .zip(line)
            .map(|(a, b)| (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share))
            .collect();
        let ink = if i % 2 == 0 { light } else { dark };
        canvas.line(smooth(&points, false), 0.55, ink, 0.3);
        // The first grey comes at the temples.
        let salt = ramp(look.grey, 0.03, 0.35) * (1.0 - 0.6 * look.grey);
        if i % 2 == 1 {
            let white = [228.0, 228.0, 230.0];
            for half in [&points[..4], &points[7..]] {
                canvas.line(smooth(half, false), 0.7, white, 0.55 * salt);
            }
        }
    }
    canvas.glow(
        (
            50.0 - look.side * look.temple * 0.35,
            look.top + 0.05 * look.high(),
        ),
        (look.temple * 0.7, 5.0),
        mix(look.hair, [255.0; 3], 0.6),
        0.28,
    );
}

fn curls(canvas: &mut Canvas, look: &Look, rim: &[Point; 11]) {
    for (i, pair) in rim.windows(2).enumerate() {
        for step in 0..2 {
            let share = step as f32 * 0.5;
            let x = pair[0].0 + (pair[1].0 - pair[0].0) * share;
            let y = pair[0].1 + (pair[1].1 - pair[0].1) * share;
            let dice = ((i * 2 + step) as f32 * 2.4 + look.chance[2] * 20.0).sin();
            let size = (2.7 + 0.6 * dice) * (1.0 - 0.35 * look.bald) * (0.8 + 0.2 * look.grown);
            canvas.fill(oval(x, y, size, size), look.hair, 1.0);
            let curl = curve(
                (x - size * 0.55, y + size * 0.15),
                &[[
                    (x - size * 0.5, y - size * 0.7),
                    (x + size * 0.6, y - size * 0.6),
                    (x + size * 0.45, y + size * 0.3),
                ]],
                false,
            );
            canvas.line(
                curl,
                0.5,
                shade(look.hair, if dice > 0.0 { 1.25 } else { 0.72 }),
                0.5,
            );
        }
    }
}

/// The strips of hair left and right of the face.
fn locks(canvas: &mut Canvas, look: &Look, t: f32) {
    let (w, c) = (look.temple, look.cheek);
    let y = |share: f32| look.top + share * look.high();
    let long = look.style == Style::Long;
    let low = if long {
        look.shoulder_y + 11.0
    } else {
        look.chin + 0.5
    };
    for side in [-1.0, 1.0] {
        let x = |out: f32| 50.0 + side * out;
        let tip = if long { c - 3.5 } else { c - 2.0 };
        let lock = smooth(
            &[
                (x(w + t * 0.9), y(0.30)),
                (x(c + t + 1.4), look.eye_y + 2.0),
                (x(c + t + 2.2), look.mouth_y),
                (x(c + t + if long { 1.0 } else { 1.6 }), low - 1.0),
                (x(tip + 1.5), low + 0.5),
                (x(c - 0.2), look.mouth_y + 1.0),
                (x(c - 0.9), look.nose_y - 2.0),
                (x(w - 1.7), look.eye_y - 3.0),
                (x(w - 1.4), y(0.34)),
            ],
            true,
        );
        canvas.fill(lock.clone(), look.hair, 1.0);
        canvas.clip(lock.as_ref());
        for i in 0..4 {
            let out = -0.4 + 1.5 * i as f32;
            let strand = smooth(
                &[
                    (x(w + out * 0.5), y(0.3)),
                    (x(c + out * 0.8), look.nose_y),
                    (x(c + out * 0.7 - 0.8), low),
                ],
                false,
            );
            let white = ramp(look.grey, 0.03, 0.35) * (1.0 - 0.6 * look.grey);
            let ink = if i % 2 == 0 {
                mix(shade(look.hair, 1.22), [228.0, 228.0, 230.0], white)
            } else {
                shade(look.hair, 0.72)
            };
            canvas.line(strand, 0.6, ink, 0.35 + 0.2 * white);
        }
        canvas.clip(None);
    }
}

/// What is left around a bald crown.
fn ring(canvas: &mut Canvas, look: &Look) {
    let w = look.temple;
    let y = |share: f32| look.top + share * look.high();
    for side in [-1.0, 1.0] {
        let x = |out: f32| 50.0 + side * out;
        let patch = smooth(
            &[
                (x(w + 0.9), look.eye_y + 2.6),
                (x(w + 2.3), y(0.38)),
                (x(w + 1.2), y(0.235)),
                (x(w * 0.94), y(0.20)),
                (x(w * 0.92), y(0.28)),
                (x(w - 1.5), y(0.38)),
                (x(w - 1.0), look.eye_y + 1.6),
            ],
            true,
        );
        canvas.fill(patch.clone(), look.hair, 0.95);
        canvas.clip(patch.as_ref());
        for i in 0..3 {
            let out = 0.9 * i as f32 - 0.6;
            let strand = smooth(
                &[(x(w + out - 0.6), y(0.24)), (x(w + out), look.eye_y)],
                false,
            );
            canvas.line(strand, 0.45, shade(look.hair, 0.75), 0.4);
        }
        canvas.clip(None);
    }
    canvas.glow(
        (50.0 - look.side * 5.0, y(0.07)),
        (8.0, 4.2),
        [255.0, 252.0, 246.0],
        0.42,
    );
    if look.chance[6] < 0.35 {
        for i in 0..4 {
            let at = y(0.02 + 0.022 * i as f32);
            let strand = smooth(
                &[
                    (50.0 - w * 0.72, at + 4.0),
                    (50.0, at - 0.4),
                    (50.0 + w * 0.72, at + 4.0),
                ],
                false,
            );
            canvas.line(strand, 0.35, look.hair, 0.5);
        }
    }
}

/// A baby's down: thin, short, with a tuft.
fn down(canvas: &mut Canvas, look: &Look) {
    let much = 0.3 + 0.5 * ramp(look.seems, 0.0, 1.5);
    canvas.clip(head::outline(look, 0.9).as_ref());
    let y = |share: f32| look.top + share * look.high();
    canvas.glow(
        (50.0, y(0.0)),
        (look.temple * 1.06, 0.2 * look.high()),
        look.hair,
        much,
    );
    canvas.clip(None);
    // One lock that grows from a single place, as a drop that leans over.
    for (i, wide) in [3.2, 2.2, 2.6].into_iter().enumerate() {
        let lean = look.side * (1.2 + 2.2 * i as f32) - look.side * 1.6;
        let tip = (50.0 + lean * 1.9, y(-0.09) + 1.1 * (i as f32 - 1.0).abs());
        let lock = curve(
            (50.0 - wide, y(0.065)),
            &[
                [(50.0 - wide, y(0.02)), (50.0 + lean, y(-0.02)), tip],
                [
                    (50.0 + lean + wide * 0.6, y(0.0)),
                    (50.0 + wide, y(0.03)),
                    (50.0 + wide, y(0.065)),
                ],
            ],
            true,
        );
        canvas.fill(lock, look.hair, 0.35 + 0.6 * much);
    }
}

pub(super) fn beard(canvas: &mut Canvas, look: &Look) {
    let alpha = match look.beard {
        Beard::None => return,
        Beard::Stubble => 0.17,
        Beard::Moustache | Beard::Full => 1.0,
    };
    let ink = look.beard_ink;
    let (m, c, j) = (look.mouth_width, look.cheek, look.jaw);
    let lip_y = look.mouth_y - look.smile * 0.4;
    let top = look.nose_y + 1.3;
    let moustache = smooth(
        &[
            (50.0, top + 0.1),
            (50.0 + m * 0.5, top + 0.3),
            (50.0 + m * 1.12, lip_y + 0.3),
            (50.0 + m * 1.05, lip_y + 1.3),
            (50.0 + m * 0.5, lip_y - 0.2),
            (50.0, lip_y - 0.2),
            (50.0 - m * 0.5, lip_y - 0.2),
            (50.0 - m * 1.05, lip_y + 1.3),
            (50.0 - m * 1.12, lip_y + 0.3),
            (50.0 - m * 0.5, top + 0.3),
        ],
        true,
    );
    if look.beard == Beard::Moustache {
        canvas.fill(moustache, ink, 1.0);
        for i in -3_i32..=3 {
            let x = 50.0 + i as f32 * m * 0.26;
            let drop = 0.12 * (i * i) as f32;
            let hair = smooth(
                &[
                    (x, top + 0.5 + drop),
                    (x + i as f32 * 0.25, lip_y - 0.3 + drop),
                ],
                false,
            );
            canvas.line(hair, 0.35, shade(ink, 0.75), 0.5);
        }
        return;
    }
    let long = if look.beard == Beard::Full {
        1.2 + 3.0 * look.chance[7]
    } else {
        0.0
    };
    let h = look.high();
    let jaw_y = look.top + 0.855 * h;
    let half = [
        (c + 0.2, look.eye_y + 4.0),
        (c + 0.1, look.nose_y + 1.0),
        (j + 2.4 + 0.25 * long, jaw_y - 3.0 + 0.3 * long),
        (j * 0.86 + 0.3 * long, jaw_y + 3.6 + 0.5 * long),
        (look.chin_width * 1.1, look.chin - 0.2 + long),
    ];
    let mut points = mirrored(half, (0.0, look.chin + 0.4 + long)).to_vec();
    let inner = mirrored(
        [
            (c - 1.4, look.eye_y + 4.6),
            (c - 2.6, look.nose_y + 0.6),
            (m + 4.0, look.mouth_y - 2.2),
            (m + 1.4, lip_y - 1.6),
            (m * 0.55, top + 0.3),
        ],
        (0.0, top),
    );
    points.extend(inner.iter().rev());
    let whole = smooth(&points, true);
    if look.beard == Beard::Stubble {
        canvas.clip(head::outline(look, 0.0).as_ref());
    }
    canvas.fill(whole.clone(), ink, alpha);
    canvas.clip(None);
    if look.beard == Beard::Full {
        canvas.clip(whole.as_ref());
        for i in -8_i32..=8 {
            let x = 50.0 + i as f32 * j / 7.5;
            let start = look.mouth_y + 2.8 - 0.14 * (i * i) as f32;
            let ink = shade(ink, if i % 2 == 0 { 1.18 } else { 0.76 });
            let hair = smooth(
                &[(x, start), (50.0 + (x - 50.0) * 0.9, look.chin + long)],
                false,
            );
            canvas.line(hair, 0.5, ink, 0.4);
        }
        canvas.clip(None);
        canvas.fill(moustache, shade(ink, 0.9), 1.0);
    }
}
