//! What a person of some age looks like: every proportion and colour, before anything is drawn.

use super::brush::{Ink, mix};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SKINS: [Ink; 8] = [
    [255.0, 226.0, 202.0],
    [248.0, 211.0, 182.0],
    [240.0, 194.0, 158.0],
    [226.0, 172.0, 132.0],
    [203.0, 145.0, 104.0],
    [172.0, 116.0, 80.0],
    [138.0, 90.0, 64.0],
    [104.0, 69.0, 52.0],
];
const HAIRS: [Ink; 7] = [
    [42.0, 34.0, 34.0],
    [68.0, 47.0, 36.0],
    [100.0, 68.0, 46.0],
    [132.0, 84.0, 52.0],
    [146.0, 72.0, 44.0],
    [205.0, 164.0, 100.0],
    [192.0, 104.0, 56.0],
];
const SHIRTS: [Ink; 10] = [
    [62.0, 98.0, 150.0],
    [158.0, 60.0, 66.0],
    [70.0, 128.0, 104.0],
    [230.0, 180.0, 84.0],
    [120.0, 92.0, 150.0],
    [236.0, 232.0, 224.0],
    [58.0, 64.0, 78.0],
    [212.0, 122.0, 92.0],
    [112.0, 160.0, 190.0],
    [196.0, 134.0, 160.0],
];
const GROUNDS: [Ink; 8] = [
    [204.0, 222.0, 232.0],
    [236.0, 220.0, 200.0],
    [212.0, 228.0, 210.0],
    [228.0, 214.0, 230.0],
    [244.0, 232.0, 206.0],
    [206.0, 214.0, 226.0],
    [240.0, 214.0, 208.0],
    [216.0, 226.0, 224.0],
];
const EYES: [Ink; 6] = [
    [74.0, 48.0, 32.0],
    [96.0, 64.0, 38.0],
    [122.0, 92.0, 50.0],
    [92.0, 118.0, 82.0],
    [84.0, 124.0, 156.0],
    [112.0, 132.0, 142.0],
];

/// How the hair is worn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Down,
    Short,
    SidePart,
    Curly,
    Fringe,
    Bob,
    Long,
    Bun,
    Pigtails,
    Ring,
    Shaven,
}

/// What grows on the chin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beard {
    None,
    Stubble,
    Moustache,
    Full,
}

/// A person. Lengths in units of a hundredth of the picture, `share`s from 0 to 1.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) female: bool,
    /// Years that the face looks like; drawn around the truth.
    pub(super) seems: f32,
    /// 0 newborn, 1 grown up.
    pub(super) grown: f32,
    pub(super) skin: Ink,
    pub(super) hair: Ink,
    pub(super) brow_ink: Ink,
    pub(super) beard_ink: Ink,
    pub(super) iris: Ink,
    pub(super) shirt: Ink,
    pub(super) ground: Ink,
    pub(super) style: Style,
    pub(super) beard: Beard,
    pub(super) glasses: bool,
    pub(super) collar: usize,
    pub(super) lipstick: bool,
    pub(super) grey: f32,
    /// 0 full hair, 1 bare crown.
    pub(super) bald: f32,
    /// 0 smooth, 1 deeply lined.
    pub(super) lines: f32,
    /// 0 firm, 1 sagging: lids, jowls, bags under the eyes.
    pub(super) sag: f32,
    /// Highest point of the skull and lowest of the chin.
    pub(super) top: f32,
    pub(super) chin: f32,
    /// Half widths at temple, cheek, jaw and chin.
    pub(super) temple: f32,
    pub(super) cheek: f32,
    pub(super) jaw: f32,
    pub(super) chin_width: f32,
    pub(super) eye_y: f32,
    pub(super) eye_x: f32,
    pub(super) eye_width: f32,
    pub(super) eye_open: f32,
    pub(super) nose_y: f32,
    pub(super) nose_width: f32,
    pub(super) mouth_y: f32,
    pub(super) mouth_width: f32,
    pub(super) lip: f32,
    pub(super) smile: f32,
    pub(super) teeth: bool,
    pub(super) brow_gap: f32,
    pub(super) brow: f32,
    pub(super) ear: f32,
    pub(super) neck: f32,
    pub(super) shoulder: f32,
    pub(super) shoulder_y: f32,
    /// −1 or 1: the side of the parting.
    pub(super) side: f32,
    /// More dice for small things, by place.
    pub(super) chance: [f32; 8],
}

/// 0 below `from`, 1 above `to`, smooth between.
pub(super) fn ramp(x: f32, from: f32, to: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn between(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}

impl Look {
    /// The person with this seed at this age. The same seed has the same skin, hair colour, clothes and habits at every
    /// age and for both sexes, so these tell nothing about either.
    pub(super) fn new(truth_age: f64, female: bool, seed: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        // All dice first and always the same number of them: nothing drawn depends on age or sex.
        let pick: [f32; 8] = std::array::from_fn(|_| dice.random_range(0.0..1.0));
        let chance: [f32; 8] = std::array::from_fn(|_| dice.random_range(0.0..1.0));
        // Sums of four uniform draws, scaled to standard deviation 1 and never beyond 3.5: a normal without freaks.
        let z: [f32; 16] = std::array::from_fn(|_| {
            let sum: f32 = (0..4).map(|_| dice.random_range(-1.0..1.0)).sum();
            sum * 0.866
        });
        let truth = (truth_age as f32).clamp(0.0, 110.0);
        // Some look younger than they are all over, and each sign of age has its own clock besides.
        let spread = 0.3 + 0.075 * truth;
        let seems = (truth + spread * z[0]).max(0.0);
        let clock = |i: usize| (seems + 0.8 * spread * z[i]).max(0.0);

        let grown = (clock(1).min(19.0) / 19.0).powf(0.62);
        let man = if female { 0.0 } else { ramp(seems, 11.0, 19.0) };
        let woman = if female { ramp(seems, 11.0, 18.0) } else { 0.0 };
        let old = ramp(clock(2), 35.0, 88.0);
        let lines =
            (ramp(clock(3), 24.0, 84.0) * 0.75 + ramp(clock(3), 30.0, 60.0) * 0.25).min(1.0);
        let sag = ramp(clock(4), 34.0, 86.0);
        let dyed = female && chance[0] < 0.14 && seems < 74.0;
        let grey_clock = clock(5) + 7.0 * z[6] - if female { 3.0 } else { 0.0 };
        let grey = if dyed {
            0.0
        } else {
            ramp(grey_clock, 33.0, 72.0)
        };
        // Half of the men go bald, some early.
        let bald = if female {
            0.12 * old
        } else {
            let early = (chance[1] * 1.5 - 0.35).clamp(0.0, 1.0);
            early * ramp(clock(7), 22.0, 66.0) + 0.12 * old
        };

        let index = |p: f32, n: usize| ((p * n as f32) as usize).min(n - 1);
        let skin_index = index(pick[0], SKINS.len());
        let skin = SKINS[skin_index];
        // Dark skin with dark hair; which of them does not depend on age or sex.
        let hair = HAIRS[index(pick[1], if skin_index > 4 { 2 } else { HAIRS.len() })];
        let white = mix(
            [176.0, 176.0, 180.0],
            [236.0, 236.0, 236.0],
            ramp(grey_clock, 55.0, 85.0),
        );
        let hair_now = mix(hair, white, grey * 0.94);

        let high = between(43.0, 48.0, grown) + 0.8 * z[8];
        let chin = between(71.0, 69.5, grown);
        let top = chin - high;
        let wide = 1.0 + 0.028 * z[9];
        let cheek = wide * (between(22.2, 17.3, grown) + 0.5 * man - 0.5 * woman);
        let eye_y = top + high * (between(0.605, 0.5, grown) + 0.006 * z[10]);
        let nose_long = between(0.135, 0.225, grown) + 0.028 * old + 0.008 * z[11];
        let mouth = between(0.815, 0.815, grown) + 0.008 * old;
        Self {
            female,
            seems,
            grown,
            skin,
            hair: hair_now,
            brow_ink: mix(mix(hair, [40.0, 30.0, 26.0], 0.25), white, grey * 0.7),
            beard_ink: mix(
                mix(hair, [40.0, 30.0, 26.0], 0.15),
                white,
                (grey * 1.25).min(0.95),
            ),
            iris: EYES[index(pick[2], if skin_index > 4 { 2 } else { EYES.len() })],
            shirt: SHIRTS[index(pick[3], SHIRTS.len())],
            ground: GROUNDS[index(pick[4], GROUNDS.len())],
            style: style(female, seems, bald, pick[5]),
            beard: beard(female, seems, pick[6]),
            glasses: pick[7]
                < 0.03 + 0.11 * ramp(seems, 6.0, 20.0) + 0.34 * ramp(seems, 38.0, 70.0),
            collar: index(chance[2], 3),
            lipstick: female && seems > 17.0 && chance[3] < 0.45,
            grey,
            bald,
            lines,
            sag,
            top,
            chin,
            temple: wide * (between(22.0, 17.6, grown)),
            cheek,
            jaw: wide
                * (between(17.0, 12.4, grown) + 2.1 * man - 0.2 * woman + 1.1 * sag + 0.5 * z[12]),
            chin_width: between(8.0, 5.2, grown) + 1.6 * man - 0.6 * woman,
            eye_y,
            eye_x: cheek * between(0.46, 0.44, grown) * (1.0 + 0.03 * z[13]),
            eye_width: between(5.0, 4.1, grown) + 0.25 * woman - 0.35 * old,
            eye_open: between(0.94, 0.62, grown) + 0.07 * woman - 0.17 * sag,
            nose_y: eye_y + high * nose_long,
            nose_width: between(2.3, 3.2, grown) + 0.5 * man + 0.7 * old + 0.2 * z[14],
            mouth_y: top + high * mouth,
            mouth_width: between(4.3, 7.0, grown) + 0.5 * man + 0.3 * z[15],
            lip: (between(1.5, 1.75, grown) + 0.45 * woman - 0.1 * man) * (1.0 - 0.62 * old),
            smile: 0.7 + 1.3 * chance[4],
            teeth: chance[5] < 0.45 && seems > 2.0,
            brow_gap: between(6.6, 5.6, grown) - 0.9 * man + 0.4 * woman - 0.4 * sag,
            brow: between(0.55, 1.25, grown) + 0.8 * man - 0.25 * woman + 0.35 * man * old
                - 0.3 * woman * old,
            ear: between(4.0, 5.2, grown) + 1.7 * old,
            neck: between(8.2, 7.6, grown) + 2.2 * man - 0.3 * woman,
            shoulder: between(20.0, 30.0, grown) + 6.5 * man + 0.6 * woman,
            shoulder_y: chin + between(3.0, 11.0, grown),
            side: if chance[6] < 0.5 { -1.0 } else { 1.0 },
            chance,
        }
    }

    /// Height of the head.
    pub(super) fn high(&self) -> f32 {
        self.chin - self.top
    }

    /// A line in the skin.
    pub(super) fn crease(&self) -> Ink {
        mix(self.skin, [70.0, 30.0, 18.0], 0.5)
    }
}

fn style(female: bool, seems: f32, bald: f32, pick: f32) -> Style {
    let of = |choices: &[Style]| {
        choices[((pick * choices.len() as f32) as usize).min(choices.len() - 1)]
    };
    match (female, seems) {
        (_, ..1.6) => Style::Down,
        (true, ..4.0) => of(&[Style::Fringe, Style::Pigtails, Style::Curly, Style::Fringe]),
        (true, ..13.0) => of(&[
            Style::Pigtails,
            Style::Long,
            Style::Fringe,
            Style::Bob,
            Style::Curly,
            Style::Long,
        ]),
        (true, ..50.0) => of(&[
            Style::Long,
            Style::Bob,
            Style::Bun,
            Style::Curly,
            Style::Long,
            Style::Bob,
        ]),
        (true, _) => of(&[
            Style::Bob,
            Style::Curly,
            Style::Bun,
            Style::SidePart,
            Style::Curly,
            Style::Bob,
        ]),
        (false, ..13.0) => of(&[Style::Fringe, Style::Short, Style::SidePart, Style::Curly]),
        (false, _) if bald > 0.62 => {
            if pick < 0.25 {
                Style::Shaven
            } else {
                Style::Ring
            }
        }
        (false, _) => of(&[Style::Short, Style::SidePart, Style::Short, Style::Curly]),
    }
}

fn beard(female: bool, seems: f32, pick: f32) -> Beard {
    if female || seems < 19.0 {
        return Beard::None;
    }
    match pick {
        ..0.52 => Beard::None,
        ..0.68 => Beard::Stubble,
        ..0.79 => Beard::Moustache,
        _ => Beard::Full,
    }
}
