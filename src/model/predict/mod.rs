//! From photos to predictions: read, cropped and shown to a network on all cores, the same bytes for any number of them.

pub mod draw;
pub mod journal;
pub mod output;
pub mod people;
pub mod pipeline;
pub mod sight;

use self::{
    journal::{Judged, Prediction},
    people::{Person, Photo},
    pipeline::{Plan, Prepared},
    sight::{Eye, Seen, Whole},
};
use super::{
    Network,
    crop::CropRules,
    detector::{Detector, Found},
    hide::Hide,
    masks::Masks,
    spec::Answer,
};
use crate::{
    Problem, Result,
    pictures::{DecodeLimits, decode},
};
use image::RgbImage;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// What is done with photos on their way to a network.
#[derive(Debug, Default)]
pub struct Settings {
    /// What a picture without any box is.
    pub whole: Option<Whole>,
    /// What the network is not shown.
    pub hide: Option<Hide>,
    /// Bodies cut out by masks.
    pub masks: Option<Masks>,
    /// Inputs in one run of the network; at least 1.
    pub batch: usize,
    /// Threads that read and crop; at least 1.
    pub workers: usize,
    /// Folder for pictures with boxes and answers painted on them.
    pub draw: Option<PathBuf>,
}

/// Larger files are no photos.
const LARGEST_FILE: u64 = 1 << 30;

/// A photo after it was looked at.
struct Looked {
    blake3: Option<String>,
    /// Everybody, with what was seen of them or why nothing was.
    people: Vec<(Person, Result<Seen, String>)>,
    without_mask: u32,
    /// Kept only to be painted on.
    picture: Option<RgbImage>,
    /// What ends the whole run.
    fatal: Option<Box<Problem>>,
}

/// Judges `photos` in order and hands each on to `done` when it is finished: one prediction per person, in the order of the photo's people.
///
/// People with boxes are cut out by them. A photo of one person without any box is what `settings.whole` says; without that,
/// `detector` looks for people. A photo that cannot be read, a person of whom nothing can be seen: predictions with an error.
///
/// # Errors
/// Errors of the network, the detector and `done`; pictures that cannot be painted on.
pub fn judge(
    network: &mut Network,
    detector: Option<Detector>,
    photos: &[Photo],
    settings: &Settings,
    mut done: impl FnMut(Judged) -> Result<()>,
) -> Result<()> {
    let spec = network.spec().clone();
    let looking = Looking {
        eye: Eye::new(spec.clone(), CropRules::PREDICTION),
        eye_of_detections: Eye::new(spec.clone(), CropRules::DETECTION),
        detector: detector.map(Mutex::new),
        settings,
    };
    let plan = Plan {
        each: spec.pixels(),
        batch: settings.batch,
        workers: settings.workers,
    };
    pipeline::run(
        photos.len(),
        plan,
        |job| looking.prepare(&photos[job]),
        |pixels, n| network.run(pixels, n),
        |job, looked: Looked, answers| {
            if let Some(fatal) = looked.fatal {
                return Err(fatal);
            }
            let people = predictions(&looked.people, answers);
            if let (Some(folder), Some(picture)) = (&settings.draw, looked.picture) {
                let said = looked.people.iter().map(|(person, _)| person).zip(&people);
                draw::save(folder, &photos[job].name, picture, said)?;
            }
            done(Judged {
                blake3: looked.blake3,
                without_mask: looked.without_mask,
                people,
            })
        },
    )
}

fn predictions(people: &[(Person, Result<Seen, String>)], answers: &[Answer]) -> Vec<Prediction> {
    let mut answers = answers.iter();
    people
        .iter()
        .map(|(person, seen)| {
            let answer = seen.as_ref().ok().and_then(|_| answers.next());
            let sex = answer.and_then(|a| a.male).map(|male| {
                let is_male = male >= 0.5;
                let likelier = if is_male { male } else { 1.0 - male };
                (is_male, output::ten_thousandths(likelier))
            });
            Prediction {
                row: person.row,
                item: person.item.clone(),
                age: answer.and_then(|a| a.age).map(output::ten_thousandths),
                sex,
                face_used: seen.as_ref().is_ok_and(|s| s.face),
                body_used: seen.as_ref().is_ok_and(|s| s.body),
                error: seen.as_ref().err().cloned(),
            }
        })
        .collect()
}

/// The bytes of a photo; the error is for its row.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("the file cannot be read: {e}"),
    };
    let about = fs::metadata(path).map_err(cannot)?;
    // A pipe would be waited for, for ever.
    if !about.is_file() {
        return Err("this is not a file".to_owned());
    }
    if about.len() > LARGEST_FILE {
        return Err("the file is larger than 1 GiB".to_owned());
    }
    fs::read(path).map_err(cannot)
}

struct Looking<'a> {
    eye: Eye,
    eye_of_detections: Eye,
    detector: Option<Mutex<Detector>>,
    settings: &'a Settings,
}

impl Looking<'_> {
    fn prepare(&self, photo: &Photo) -> Prepared<Looked> {
        let mut looked = Looked {
            blake3: None,
            people: Vec::new(),
            without_mask: 0,
            picture: None,
            fatal: None,
        };
        let mut pixels = Vec::new();
        let decoded = read(&photo.path).and_then(|bytes| {
            looked.blake3 = Some(blake3::hash(&bytes).to_hex().to_string());
            decode(&bytes, &DecodeLimits::default()).map_err(|fault| fault.to_string())
        });
        match decoded {
            Ok(picture) => {
                if let Err(fatal) = self.everybody(photo, &picture, &mut looked, &mut pixels) {
                    looked.fatal = Some(fatal);
                }
                looked.picture = self.settings.draw.is_some().then_some(picture);
            }
            Err(fault) => {
                let all = photo.people.iter().cloned();
                looked.people = all.map(|person| (person, Err(fault.clone()))).collect();
            }
        }
        Prepared {
            about: looked,
            pixels,
        }
    }

    fn everybody(
        &self,
        photo: &Photo,
        picture: &RgbImage,
        looked: &mut Looked,
        pixels: &mut Vec<f32>,
    ) -> Result<()> {
        let mut doubts = Vec::new();
        let (found, eye) = match &self.detector {
            Some(detector) if is_bare(photo) => {
                // A thread that panicked ends the run: what it left behind is not used.
                let mut detector = detector.lock().unwrap_or_else(PoisonError::into_inner);
                let found = detector.detect(picture)?;
                drop(detector);
                doubts = found.iter().map(|f| f.doubt.clone()).collect();
                (detected(photo, &found), &self.eye_of_detections)
            }
            _ => (with_whole(photo, self.settings.whole, picture), &self.eye),
        };
        if found.people.is_empty() {
            let nobody = Err("nobody was found in the picture".to_owned());
            looked.people = vec![(photo.people[0].clone(), nobody)];
        }
        for (at, person) in found.people.iter().enumerate() {
            if let Some(Some(doubt)) = doubts.get(at) {
                looked.people.push((person.clone(), Err(doubt.clone())));
                continue;
            }
            let mut mask = None;
            if let Some(masks) = &self.settings.masks {
                match masks.find(&person.item) {
                    Some(file) => match Masks::read(&file, picture.width(), picture.height()) {
                        Ok(found) => mask = Some(found),
                        Err(fault) => {
                            looked.people.push((person.clone(), Err(fault)));
                            continue;
                        }
                    },
                    None => looked.without_mask += 1,
                }
            }
            let obstacles = found.obstacles(at);
            let hide = self.settings.hide;
            let seen = eye.look(picture, person, &obstacles, mask.as_deref(), hide, pixels);
            looked.people.push((person.clone(), seen));
        }
        Ok(())
    }
}

/// Whether it is a photo of one person without any box.
fn is_bare(photo: &Photo) -> bool {
    let boxless = |p: &Person| p.face.is_none() && p.body.is_none();
    photo.others.is_empty() && photo.people.len() == 1 && boxless(&photo.people[0])
}

/// A photo of one person without any box with the boxes that `whole` says; any other as it is.
pub fn with_whole(photo: &Photo, whole: Option<Whole>, picture: &RgbImage) -> Photo {
    let mut photo = photo.clone();
    if let Some(whole) = whole.filter(|_| is_bare(&photo)) {
        let (face, body) = whole.boxes(picture.width(), picture.height());
        (photo.people[0].face, photo.people[0].body) = (face, body);
    }
    photo
}

/// A photo with the people that a detector found in it, named as pools name several people of one photo.
fn detected(photo: &Photo, found: &[Found]) -> Photo {
    let one = &photo.people[0];
    let mut people: Vec<Person> = Vec::new();
    for found in found {
        let mut person = Person {
            face: found.face,
            body: found.body,
            ..one.clone()
        };
        if let Some(b) = found.face.or(found.body) {
            let edges = format!("#{:.0},{:.0},{:.0},{:.0}", b.x0, b.y0, b.x1, b.y1);
            person.item.push_str(&edges);
        }
        // A face and somebody else's body may have the same edges.
        while people.iter().any(|p| p.item == person.item) {
            person.item.push('+');
        }
        people.push(person);
    }
    if let [only] = &mut people[..] {
        only.item.clone_from(&one.item);
    }
    Photo {
        people,
        ..photo.clone()
    }
}
