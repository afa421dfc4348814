//! How far a network is off on people whose ages and sexes are known: with face and body, with one of them, and beside somebody who
//! always says the mean age.

use super::{
    Network,
    crop::CropRules,
    hide::Hide,
    predict::{
        self,
        people::{self, Photo},
        pipeline::{self, Plan, Prepared},
        sight::{Eye, Seen, Whole},
    },
    spec::InputSpec,
};
use crate::{
    Result,
    files::{
        Manifest,
        manifest::{Photo as Row, Sex, TrueAge},
    },
    pictures::{DecodeLimits, decode},
    problem,
};
use serde::Serialize;
use std::collections::BTreeMap;
use veche_analysis::{
    Interval,
    curves::{
        ADIENCE, Answers, ClassScheme, CurveSettings, FAIRFACE, Mean, Ranges, by_range, classify,
        share_by_range, summary,
    },
};

/// What a network is shown of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum View {
    /// All it takes and there is.
    #[serde(rename = "face and body")]
    Both,
    /// The face.
    #[serde(rename = "face only")]
    Face,
    /// The body with its face black.
    #[serde(rename = "body only")]
    Body,
    /// The face and what is around it.
    #[serde(rename = "face and surroundings")]
    Wide,
}

impl View {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Both => "face and body",
            Self::Face => "face only",
            Self::Body => "body only",
            Self::Wide => "face and surroundings",
        }
    }

    fn hides(self) -> Option<Hide> {
        match self {
            Self::Both | Self::Wide => None,
            Self::Face => Some(Hide::Body),
            Self::Body => Some(Hide::Face),
        }
    }

    /// The views of a network that make sense for these people.
    fn all(spec: &InputSpec, photos: &[Photo], whole: Option<Whole>) -> Vec<Self> {
        let any = |of: fn(&people::Person) -> bool| photos.iter().flat_map(|p| &p.people).any(of);
        let (of_face, of_body) = match whole {
            Some(Whole::Face) => (true, false),
            Some(Whole::Person) => (false, true),
            Some(Whole::Wide) => (true, true),
            None => (false, false),
        };
        let has_face = of_face || any(|p| p.face.is_some());
        let has_body = of_body || any(|p| p.body.is_some());
        match (spec.face, spec.body) {
            (true, true) => {
                let (both, face, body) = (has_face && has_body, has_face, has_body);
                let views = [(Self::Both, both), (Self::Face, face), (Self::Body, body)];
                views.into_iter().filter(|v| v.1).map(|v| v.0).collect()
            }
            (true, false) => vec![Self::Face],
            (false, _) if spec.crop == super::spec::Crop::Wide => vec![Self::Wide],
            (false, _) => vec![Self::Body],
        }
    }
}

/// How to check.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// What a picture without any box is.
    pub whole: Option<Whole>,
    /// Inputs in one run of the network.
    pub batch: usize,
    /// Threads that read and crop.
    pub workers: usize,
    /// The k of CS@k, years.
    pub within: f64,
    /// Intervals.
    pub curves: CurveSettings,
    /// Classes of ages, if the data set is known to have them.
    pub scheme: Option<ClassScheme>,
}

/// A share or an error with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// Its interval: bootstrap over people for means, Wilson's (1927) for shares of yes and no.
    pub interval: Option<Interval>,
    /// Of how many people.
    pub people: usize,
}

/// One range of ages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RangeFigures {
    /// Its name: `25–29`.
    pub range: String,
    /// Mean absolute error, years.
    pub mae: Option<Figure>,
    /// Mean error, years: positive when the network says too much.
    pub bias: Option<Figure>,
    /// Share of right sexes.
    pub sex: Option<Figure>,
}

/// The figures of one view.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ViewFigures {
    /// Which.
    pub view: View,
    /// People that the network was shown.
    pub people: usize,
    /// People of whom nothing could be shown this way, by reason.
    pub unseen: BTreeMap<String, usize>,
    /// Mean absolute error, years.
    pub mae: Option<Figure>,
    /// Share within [`Settings::within`] years.
    pub within: Option<Figure>,
    /// Mean error, years.
    pub bias: Option<Figure>,
    /// Mean absolute error of somebody who says the mean true age of these people for each of them, years.
    pub guesser_mae: Option<Figure>,
    /// Share of right sexes.
    pub sex: Option<Figure>,
    /// Share of the commoner sex: what somebody reaches who always says it.
    pub guesser_sex: Option<f64>,
    /// Share in the right class of ages, where the labels are classes.
    pub age_class: Option<Figure>,
    /// Share in the right class or one beside it.
    pub age_class_one_off: Option<Figure>,
    /// By range of the true age.
    pub by_age: Vec<RangeFigures>,
}

/// What one person is known to be and was said to be.
struct Known {
    years: Option<f64>,
    class: Option<usize>,
    /// A place in its range for sexes by age: the years, or the lower end of the class.
    place: Option<f64>,
    is_male: Option<bool>,
}

/// What the network said of one person in one view.
#[derive(Clone, Default)]
struct Said {
    age: Option<f64>,
    is_male: Option<bool>,
    unseen: Option<String>,
}

/// Runs a network over a manifest's people and compares. Ages below zero count as zero, as in the authors' evaluation; boxes are cut
/// by its rules ([`CropRules::EVALUATION`]). `step` is called after each photo.
///
/// # Errors
/// No person with a label; errors of the network.
pub fn check(
    network: &mut Network,
    manifest: &Manifest,
    settings: &Settings,
    step: impl Fn(),
) -> Result<Vec<ViewFigures>> {
    let mut photos = people::of_manifest(manifest)?;
    // Files of one data set count their rows each from the start, so rows are known by their names.
    let names = manifest.names()?;
    let rows: BTreeMap<&str, &Row> = names
        .iter()
        .map(String::as_str)
        .zip(&manifest.rows)
        .filter(|(_, r)| !r.other_person && (r.age.is_some() || r.sex.is_some()))
        .collect();
    photos.retain(|p| p.people.iter().any(|p| rows.contains_key(p.item.as_str())));
    if photos.is_empty() {
        return problem("nobody's age or sex is known")
            .file(&manifest.file)
            .hint("the table needs a column age or gender with values: name them with --age and --sex")
            .fail();
    }
    let classes = || {
        rows.values()
            .filter_map(|r| r.age.filter(|a| matches!(a, TrueAge::Class { .. })))
    };
    let scheme = settings.scheme.or_else(|| {
        let fits = |s: &ClassScheme| classes().all(|a| class_of(s, a).is_some());
        [FAIRFACE, ADIENCE]
            .into_iter()
            .find(|s| classes().next().is_some() && fits(s))
    });
    let spec = network.spec().clone();
    let views = View::all(&spec, &photos, settings.whole);
    if views.is_empty() {
        return problem("nothing says where people are in these pictures")
            .file(&manifest.file)
            .hint("say what a whole picture is: --whole face, person or wide")
            .fail();
    }
    let mut known = Vec::new();
    let mut said: Vec<Vec<Said>> = vec![Vec::new(); views.len()];
    let eye = Eye::new(spec.clone(), CropRules::EVALUATION);
    let plan = Plan {
        each: spec.pixels(),
        batch: settings.batch,
        workers: settings.workers,
    };
    pipeline::run(
        photos.len(),
        plan,
        |job| look(&eye, &photos[job], &views, settings.whole),
        |pixels, n| network.run(pixels, n),
        |job, seen: Vec<Vec<Result<Seen, String>>>, answers| {
            let mut answers = answers.iter();
            for (person, seen) in photos[job].people.iter().zip(seen) {
                let row = rows.get(person.item.as_str());
                if let Some(row) = row {
                    known.push(known_of(row, scheme.as_ref()));
                }
                for (view, seen) in seen.into_iter().enumerate() {
                    let answer = seen.as_ref().ok().and_then(|_| answers.next());
                    if row.is_some() {
                        said[view].push(Said {
                            age: answer.and_then(|a| a.age).map(|a| f64::from(a.max(0.0))),
                            is_male: answer.and_then(|a| a.male).map(|m| m >= 0.5),
                            unseen: seen.err(),
                        });
                    }
                }
            }
            step();
            Ok(())
        },
    )?;
    let figures =
        |(view, said): (View, Vec<Said>)| figures(view, &known, &said, settings, scheme.as_ref());
    views.into_iter().zip(said).map(figures).collect()
}

/// For each person and view what was seen; inputs of those that were, in this order.
fn look(
    eye: &Eye,
    photo: &Photo,
    views: &[View],
    whole: Option<Whole>,
) -> Prepared<Vec<Vec<Result<Seen, String>>>> {
    let mut pixels = Vec::new();
    let decoded = predict::read(&photo.path)
        .and_then(|bytes| decode(&bytes, &DecodeLimits::default()).map_err(|e| e.to_string()));
    let about = match decoded {
        Err(fault) => vec![vec![Err(fault); views.len()]; photo.people.len()],
        Ok(picture) => {
            let photo = predict::with_whole(photo, whole, &picture);
            let of = |(at, person)| {
                let obstacles = photo.obstacles(at);
                let mut one = |view: &View| {
                    let hide = view.hides().filter(|_| eye.spec.face && eye.spec.body);
                    eye.look(&picture, person, &obstacles, None, hide, &mut pixels)
                };
                views.iter().map(&mut one).collect()
            };
            photo.people.iter().enumerate().map(of).collect()
        }
    };
    Prepared { about, pixels }
}

/// The class that a label stands for; `None` if its ends lie in different ones.
fn class_of(scheme: &ClassScheme, age: TrueAge) -> Option<usize> {
    match age {
        TrueAge::Years(years) => Some(scheme.class_of(years)),
        TrueAge::Class { low, high } => {
            let class = scheme.class_of(low);
            (high.is_infinite() || scheme.class_of(high) == class).then_some(class)
        }
    }
}

fn known_of(row: &Row, scheme: Option<&ClassScheme>) -> Known {
    let years = match row.age {
        Some(TrueAge::Years(years)) => Some(years),
        _ => None,
    };
    Known {
        years,
        class: scheme.zip(row.age).and_then(|(s, a)| class_of(s, a)),
        place: row.age.map(|age| match age {
            TrueAge::Years(years) => years,
            TrueAge::Class { low, .. } => low,
        }),
        is_male: row.sex.map(|s| s == Sex::Male),
    }
}

fn figures(
    view: View,
    known: &[Known],
    said: &[Said],
    settings: &Settings,
    scheme: Option<&ClassScheme>,
) -> Result<ViewFigures> {
    let curves = &settings.curves;
    let answers = Answers::Estimates(said.iter().map(|s| s.age).collect());
    // Only people whom the network answered about, so that the guesser is asked about the same.
    let truth: Vec<Option<f64>> = known
        .iter()
        .zip(said)
        .map(|(k, s)| k.years.filter(|_| s.age.is_some()))
        .collect();
    let right: Vec<Option<f64>> = known
        .iter()
        .zip(said)
        .map(|(k, s)| Some(f64::from(u8::from(k.is_male? == s.is_male?))))
        .collect();
    let figure = |mean: &Mean, people: usize| Figure {
        value: mean.value,
        interval: mean.interval,
        people,
    };
    let whole = summary(&answers, &truth, settings.within, curves)?;
    let ages: Vec<f64> = truth.iter().flatten().copied().collect();
    let mean = ages.iter().sum::<f64>() / ages.len().max(1) as f64;
    let guesser = Answers::Estimates(truth.iter().map(|t| t.map(|_| mean)).collect());
    let guesser = summary(&guesser, &truth, settings.within, curves)?;
    let places: Vec<Option<f64>> = known.iter().map(|k| k.place).collect();
    let mut by_age = Vec::new();
    let known_place: Vec<Option<f64>> = places
        .iter()
        .zip(said)
        .map(|(p, s)| p.filter(|_| s.age.is_some() || s.is_male.is_some()))
        .collect();
    if known_place.iter().any(Option::is_some) {
        let ranges = match scheme.filter(|_| ages.is_empty()) {
            Some(scheme) => Ranges::from_starts(scheme.starts, true)?,
            None => Ranges::even(&known_place, Some(5.0))?,
        };
        let points = by_range(&truth, &answers.errors(&truth)?, &ranges, curves)?;
        let sexes = share_by_range(&known_place, &right, &ranges, curves)?;
        for range in 0..ranges.len() {
            let point = points.iter().find(|p| p.range == Some(range));
            let sex = sexes.iter().find(|p| p.range == Some(range));
            if point.is_none() && sex.is_none() {
                continue;
            }
            let of = |p: &veche_analysis::curves::CurvePoint, m: &Mean| figure(m, p.items as usize);
            by_age.push(RangeFigures {
                range: ranges.label(range, range),
                mae: point.map(|p| of(p, &p.mae)),
                bias: point.map(|p| of(p, &p.bias)),
                sex: sex.map(|s| figure(&s.share, s.items)),
            });
        }
    }
    // Of everybody, also those whose age is not known.
    let zero = vec![Some(0.0); right.len()];
    let everybody = Ranges::from_starts(&[0.0], true)?;
    let sex = share_by_range(&zero, &right, &everybody, curves)?;
    let men: Vec<bool> = known
        .iter()
        .zip(&right)
        .filter(|(_, r)| r.is_some())
        .filter_map(|(k, _)| k.is_male)
        .collect();
    let share_of_men = men.iter().filter(|m| **m).count() as f64 / men.len().max(1) as f64;
    let class = match scheme {
        Some(scheme) => {
            let classes: Vec<Option<usize>> = known.iter().map(|k| k.class).collect();
            classify(&answers, &classes, scheme, curves)?
        }
        None => None,
    };
    let mut unseen = BTreeMap::new();
    for why in said.iter().filter_map(|s| s.unseen.as_ref()) {
        // Sizes differ from person to person and say nothing in a count.
        let plain: String = why.chars().filter(|c| !c.is_ascii_digit()).collect();
        *unseen.entry(plain).or_insert(0) += 1;
    }
    Ok(ViewFigures {
        view,
        people: said.iter().filter(|s| s.unseen.is_none()).count(),
        unseen,
        mae: whole.as_ref().map(|s| figure(&s.mae, s.items)),
        within: whole.as_ref().map(|s| figure(&s.cs, s.items)),
        bias: whole.as_ref().map(|s| figure(&s.bias, s.items)),
        guesser_mae: guesser.as_ref().map(|s| figure(&s.mae, s.items)),
        sex: sex.first().map(|s| figure(&s.share, s.items)),
        guesser_sex: (!men.is_empty()).then_some(share_of_men.max(1.0 - share_of_men)),
        age_class: class.as_ref().map(|c| figure(&c.exact, c.items)),
        age_class_one_off: class.as_ref().map(|c| figure(&c.one_off, c.items)),
        by_age,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(years: Option<f64>, is_male: Option<bool>) -> Known {
        Known {
            years,
            class: None,
            place: years,
            is_male,
        }
    }

    fn said(age: f64, is_male: bool) -> Said {
        Said {
            age: Some(age),
            is_male: Some(is_male),
            unseen: None,
        }
    }

    const SETTINGS: Settings = Settings {
        whole: None,
        batch: 1,
        workers: 1,
        within: 5.0,
        curves: CurveSettings {
            level: 0.95,
            resamples: 100,
            seed: 1,
            thin: 10,
        },
        scheme: None,
    };

    #[test]
    fn four_people_as_worked_by_hand() {
        // Errors 2, −8, 0 and nothing of the fourth; the guesser says (10 + 40 + 61)/3 = 37 and is off by 27, 3, 24.
        let truths = [
            known(Some(10.0), Some(true)),
            known(Some(40.0), Some(false)),
            known(Some(61.0), None),
            known(Some(20.0), Some(true)),
        ];
        let nothing = Said {
            unseen: Some("49×200 pixels".into()),
            ..Said::default()
        };
        let answers = [
            said(12.0, true),
            said(32.0, true),
            said(61.0, true),
            nothing,
        ];
        let f = figures(View::Both, &truths, &answers, &SETTINGS, None).unwrap();
        let value = |f: Option<Figure>| f.map(|f| (f.value, f.people));
        assert_eq!(value(f.mae), Some((10.0 / 3.0, 3)));
        assert_eq!(value(f.within), Some((2.0 / 3.0, 3)));
        assert_eq!(value(f.bias), Some((-2.0, 3)));
        assert_eq!(value(f.guesser_mae), Some((18.0, 3)));
        assert_eq!(value(f.sex), Some((0.5, 2)));
        assert_eq!((f.guesser_sex, f.people), (Some(0.5), 3));
        assert_eq!(f.unseen, BTreeMap::from([("× pixels".to_owned(), 1)]));
        let rows: Vec<(&str, Option<f64>, Option<f64>)> = (f.by_age.iter())
            .map(|r| {
                (
                    r.range.as_str(),
                    r.mae.map(|m| m.value),
                    r.sex.map(|s| s.value),
                )
            })
            .collect();
        let expected = [
            ("10–14", Some(2.0), Some(1.0)),
            ("40–44", Some(8.0), Some(0.0)),
            ("60–64", Some(0.0), None),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn labels_that_are_classes_give_shares_of_right_classes_and_no_years() {
        let class = |low, high, sex| {
            let row = Row {
                row: 2,
                path: "a".into(),
                id: None,
                age: Some(TrueAge::Class { low, high }),
                sex,
                face: None,
                body: None,
                other_person: false,
            };
            known_of(&row, Some(&FAIRFACE))
        };
        let truths = [
            class(20.0, 29.0, Some(Sex::Female)),
            class(70.0, f64::INFINITY, Some(Sex::Male)),
        ];
        let answers = [said(29.9, false), said(65.0, true)];
        let f = figures(View::Face, &truths, &answers, &SETTINGS, Some(&FAIRFACE)).unwrap();
        assert_eq!(f.mae, None);
        assert_eq!(f.age_class.map(|a| a.value), Some(0.5));
        assert_eq!(f.age_class_one_off.map(|a| a.value), Some(1.0));
        assert_eq!(
            f.by_age
                .iter()
                .map(|r| r.range.as_str())
                .collect::<Vec<_>>(),
            ["20–29", "70+"]
        );
        assert_eq!(
            class_of(
                &ADIENCE,
                TrueAge::Class {
                    low: 20.0,
                    high: 29.0
                }
            ),
            None
        );
    }
}
