//! What a network sees of one person: the crops that it takes, as the numbers that it takes.

use super::people::Person;
use crate::model::{
    crop::{self, CropRules, Kind, Missing, Obstacle},
    hide::{self, Hide},
    letterbox::{Normaliser, View, square},
    spec::{Crop, InputSpec},
};
use image::RgbImage;
use veche_pools::PixelBox;

/// What a whole picture is, where no boxes say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Whole {
    /// A face, cut out closely
    #[default]
    Face,
    /// A person
    Person,
    /// A face with 40 % of its width and height around it: the picture is the body, its centre the face
    Wide,
}

impl Whole {
    /// The face and the body of a picture of this size.
    pub fn boxes(self, width: u32, height: u32) -> (Option<PixelBox>, Option<PixelBox>) {
        let (w, h) = (f64::from(width), f64::from(height));
        let all = PixelBox::new(0.0, 0.0, w, h);
        // A margin of 0.4 on both sides of a face leaves it 5/9 of the picture.
        let (from, to) = (2.0 / 9.0, 7.0 / 9.0);
        let centre = PixelBox::new(w * from, h * from, w * to, h * to);
        match self {
            Self::Face => (all, None),
            Self::Person => (None, all),
            Self::Wide => (centre, all),
        }
    }
}

/// How much around a face a network of wide crops sees, as a share of the face's own sides.
const WIDE_MARGIN: f64 = 0.4;

/// A network's way of seeing.
#[derive(Debug, Clone)]
pub struct Eye {
    /// What the network takes.
    pub spec: InputSpec,
    /// How boxes become crops.
    pub rules: CropRules,
    normaliser: Normaliser,
}

/// What was seen of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Whether the face was.
    pub face: bool,
    /// Whether the body was.
    pub body: bool,
}

/// A person's body cut out by a mask instead of a box: one entry per pixel of the picture.
pub type Mask<'a> = Option<&'a [bool]>;

impl Eye {
    /// For a network and rules of cropping.
    pub fn new(spec: InputSpec, rules: CropRules) -> Self {
        let normaliser = Normaliser::new(spec.mean, spec.std);
        Self {
            spec,
            rules,
            normaliser,
        }
    }

    /// Adds what the network takes of a person to `pixels`: [`InputSpec::pixels`] numbers. If neither face nor body can be seen, nothing is
    /// added and the error says why.
    pub fn look(
        &self,
        picture: &RgbImage,
        person: &Person,
        obstacles: &[Obstacle],
        mask: Mask<'_>,
        hide: Option<Hide>,
        pixels: &mut Vec<f32>,
    ) -> Result<Seen, String> {
        if self.spec.crop == Crop::Wide {
            return self.look_wide(picture, person, hide, pixels);
        }
        let mut reasons = Vec::new();
        let mut why = |result: Option<Result<Vec<u8>, Missing>>| match result {
            Some(Ok(square)) => Some(square),
            Some(Err(reason)) => {
                reasons.push(reason.to_string());
                None
            }
            None => None,
        };
        let wants = |input: bool, hidden: Hide| input && hide != Some(hidden);
        let face = wants(self.spec.face, Hide::Face)
            .then_some(person.face)
            .flatten();
        let face = why(face.map(|at| self.face(picture, at)));
        let has_body = person.body.is_some() || mask.is_some();
        let body = (wants(self.spec.body, Hide::Body) && has_body)
            .then(|| self.body(picture, person, obstacles, mask));
        let body = why(body);
        if face.is_none() && body.is_none() {
            return Err(if reasons.is_empty() {
                self.nothing(person, hide)
            } else {
                reasons.join("; ")
            });
        }
        let seen = Seen {
            face: face.is_some(),
            body: body.is_some(),
        };
        let area = 3 * (self.spec.size as usize).pow(2);
        let inputs = [(self.spec.face, face), (self.spec.body, body)];
        for (_, square) in inputs.into_iter().filter(|(wanted, _)| *wanted) {
            let from = pixels.len();
            pixels.resize(from + area, 0.0);
            self.normaliser
                .write(square.as_deref(), &mut pixels[from..]);
        }
        Ok(seen)
    }

    /// Why nothing of a person could be cut out at all.
    fn nothing(&self, person: &Person, hide: Option<Hide>) -> String {
        let one = match (self.spec.face, self.spec.body) {
            (true, false) => "face",
            (false, true) => "body",
            _ if hide == Some(Hide::Face) => "body",
            _ if hide == Some(Hide::Body) => "face",
            _ => return "the row has a box neither of a face nor of a body".to_owned(),
        };
        let has_any = person.face.is_some() || person.body.is_some();
        if has_any {
            format!("the row has no box of a {one}, and nothing else is to be seen")
        } else {
            format!("the row has no box of a {one}")
        }
    }

    fn face(&self, picture: &RgbImage, at: PixelBox) -> Result<Vec<u8>, Missing> {
        let place = crop::place(picture, at, Kind::Face, &self.rules)?;
        // A place that is large enough lies in the picture.
        let view = View::of(picture, place).ok_or(Missing::TooSmall {
            kind: Kind::Face,
            width: 0,
            height: 0,
            least: 1,
        })?;
        Ok(square(view, &self.spec))
    }

    fn body(
        &self,
        picture: &RgbImage,
        person: &Person,
        obstacles: &[Obstacle],
        mask: Mask<'_>,
    ) -> Result<Vec<u8>, Missing> {
        let body = match (mask, person.body) {
            (Some(mask), at) => crop::masked_body(picture, mask, at, person.face, &self.rules)?,
            (None, Some(at)) => crop::body(picture, at, person.face, obstacles, &self.rules)?,
            (None, None) => return Err(Missing::EmptyMask),
        };
        let view = View::whole(&body).ok_or(Missing::EmptyMask)?;
        Ok(square(view, &self.spec))
    }

    /// The face with its surroundings; without a face's box the body. What is hidden is painted over.
    fn look_wide(
        &self,
        picture: &RgbImage,
        person: &Person,
        hide: Option<Hide>,
        pixels: &mut Vec<f32>,
    ) -> Result<Seen, String> {
        let at = match (person.face, person.body) {
            // The body's box bounds what belongs to this person.
            (Some(face), Some(body)) => {
                let wide = face.grown(WIDE_MARGIN);
                PixelBox {
                    x0: wide.x0.max(body.x0.min(face.x0)),
                    y0: wide.y0.max(body.y0.min(face.y0)),
                    x1: wide.x1.min(body.x1.max(face.x1)),
                    y1: wide.y1.min(body.y1.max(face.y1)),
                }
            }
            (Some(face), None) => face.grown(WIDE_MARGIN),
            (None, Some(body)) => body,
            (None, None) => {
                return Err("the row has a box neither of a face nor of a body".to_owned());
            }
        };
        let mut covered = None;
        if let (Some(hide), Some(face)) = (hide, person.face) {
            let mut copy = picture.clone();
            match hide {
                Hide::Face => hide::cover(&mut copy, face),
                Hide::Body => hide::cover_around(&mut copy, face),
            }
            covered = Some(copy);
        } else if hide.is_some() {
            return Err("without a face's box it is not known what to hide".to_owned());
        }
        let picture = covered.as_ref().unwrap_or(picture);
        let square = self.face(picture, at).map_err(|e| e.to_string())?;
        let from = pixels.len();
        pixels.resize(from + square.len(), 0.0);
        self.normaliser.write(Some(&square), &mut pixels[from..]);
        Ok(Seen {
            face: person.face.is_some() && hide != Some(Hide::Face),
            body: hide != Some(Hide::Body),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn eye(face: bool, body: bool, crop: Crop) -> Eye {
        let spec = InputSpec {
            size: 8,
            face,
            body,
            mean: [0.0; 3],
            std: [1.0; 3],
            crop,
            layout: crate::model::spec::Layout::Nchw,
            letterbox: true,
        };
        Eye::new(spec, CropRules::PREDICTION)
    }

    fn person(face: Option<[f64; 4]>, body: Option<[f64; 4]>) -> Person {
        let at = |e: [f64; 4]| PixelBox::new(e[0], e[1], e[2], e[3]).unwrap();
        Person {
            item: "a".into(),
            row: 2,
            face: face.map(at),
            body: body.map(at),
        }
    }

    fn white() -> RgbImage {
        RgbImage::from_pixel(200, 200, Rgb([255; 3]))
    }

    const FACE: Option<[f64; 4]> = Some([70.0, 10.0, 110.0, 50.0]);
    const BODY: Option<[f64; 4]> = Some([40.0, 0.0, 140.0, 200.0]);

    #[test]
    fn face_planes_come_first_and_a_missing_one_is_black() {
        let eye = eye(true, true, Crop::Face);
        for (who, hide, seen) in [
            (person(FACE, BODY), None, [true, true]),
            (person(FACE, None), None, [true, false]),
            (person(None, BODY), None, [false, true]),
            (person(FACE, BODY), Some(Hide::Face), [false, true]),
            (person(FACE, BODY), Some(Hide::Body), [true, false]),
        ] {
            let mut pixels = vec![7.0];
            let found = eye
                .look(&white(), &who, &[], None, hide, &mut pixels)
                .unwrap();
            assert_eq!([found.face, found.body], seen);
            assert_eq!(pixels.len(), 1 + 6 * 64);
            let any = |planes: &[f32]| planes.iter().any(|&v| v > 0.5);
            assert_eq!([any(&pixels[1..193]), any(&pixels[193..])], seen);
        }
    }

    #[test]
    fn a_person_of_whom_nothing_is_left_gives_no_input_and_says_why() {
        let eye = eye(true, true, Crop::Face);
        let mut pixels = Vec::new();
        let mut fails = |who: &Person, hide| {
            let fault = eye
                .look(&white(), who, &[], None, hide, &mut pixels)
                .unwrap_err();
            assert!(pixels.is_empty());
            fault
        };
        let none = fails(&person(None, None), None);
        assert_eq!(none, "the row has a box neither of a face nor of a body");
        let small = person(None, Some([0.0, 0.0, 49.0, 200.0]));
        assert!(fails(&small, None).contains("49×200 pixels of the body"));
        let hidden = fails(&person(FACE, None), Some(Hide::Face));
        assert_eq!(
            hidden,
            "the row has no box of a body, and nothing else is to be seen"
        );
    }

    #[test]
    fn networks_with_one_input_get_theirs() {
        let mut pixels = Vec::new();
        let face_only = eye(true, false, Crop::Face);
        let seen = face_only.look(&white(), &person(FACE, BODY), &[], None, None, &mut pixels);
        assert_eq!(
            (seen, pixels.len()),
            (
                Ok(Seen {
                    face: true,
                    body: false
                }),
                3 * 64
            )
        );
        let body_only = eye(false, true, Crop::Body);
        let fault = body_only.look(&white(), &person(FACE, None), &[], None, None, &mut pixels);
        assert!(fault.unwrap_err().contains("no box of a body"));
        let wide = eye(false, true, Crop::Wide);
        pixels.clear();
        let seen = wide.look(
            &white(),
            &person(FACE, None),
            &[],
            None,
            Some(Hide::Face),
            &mut pixels,
        );
        assert_eq!(
            seen,
            Ok(Seen {
                face: false,
                body: true
            })
        );
        let black = pixels.iter().filter(|&&v| v == 0.0).count();
        assert!(black > 0 && black < pixels.len());
    }

    #[test]
    fn a_whole_picture_is_what_it_is_said_to_be() {
        let (face, body) = Whole::Wide.boxes(192, 108);
        let face = face.unwrap();
        assert!((face.x0 - 42.67).abs() < 0.01 && (face.x1 - 149.33).abs() < 0.01);
        assert_eq!(body, PixelBox::new(0.0, 0.0, 192.0, 108.0));
        assert_eq!(
            Whole::Face.boxes(5, 4),
            (PixelBox::new(0.0, 0.0, 5.0, 4.0), None)
        );
        assert_eq!(
            Whole::Person.boxes(5, 4),
            (None, PixelBox::new(0.0, 0.0, 5.0, 4.0))
        );
    }
}
