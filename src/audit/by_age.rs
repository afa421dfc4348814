//! `veche audit by-age`: does the annotator's own age matter?

use super::{About, Audited, Subject, judged, people::middles};
use crate::{
    Result,
    assemble::kind,
    curves::{Cell, Picture, Sheet},
    problem,
    report::{
        Kind,
        chart::{Axis, Chart, Cloud, CloudCurve, CloudPoint},
        format::{decimals, interval, level, number, percent, plural, signed, with_unit},
    },
};
use serde_json::json;
use veche_analysis::{
    audit::{Relation, RelationSettings, Relationship, relation},
    smoothing::{BandPoint, BandSettings, Lowess, Smoother, band, places},
};

/// Settings of [`by_age`].
#[derive(Debug, Clone, PartialEq)]
pub struct ByAge {
    /// What annotators said of themselves, in the study's order.
    pub people: Vec<About>,
    /// An answer within this many units of the truth is near.
    pub within: f64,
    /// Annotators with fewer judged answers are left out.
    pub min_answers: usize,
    /// Places where fewer annotators than this speak are grey.
    pub thin: f64,
    /// Share of the annotators in each neighbourhood of the curve.
    pub span: f64,
    /// How the relation is looked for.
    pub relation: RelationSettings,
}

impl ByAge {
    /// Usual settings.
    pub fn of(people: Vec<About>) -> Self {
        Self {
            people,
            within: 6.0,
            min_answers: 5,
            thin: 10.0,
            span: 2.0 / 3.0,
            relation: RelationSettings::default(),
        }
    }
}

/// One annotator's figures.
struct Own {
    who: usize,
    age: f64,
    answers: usize,
    error: f64,
    near: f64,
}

/// Error and share of near answers on controls against the annotator's own age, with the relation's size. Errors if fewer than five annotators of
/// known age have enough judged answers.
pub fn by_age(subject: &Subject<'_>, settings: &ByAge) -> Result<Audited> {
    let (study, question) = (subject.study, subject.question);
    let unit = match kind(study, question) {
        Kind::Number { unit } => Some(unit),
        Kind::Choice => None,
    };
    let ages: Vec<Option<(f64, f64)>> = settings.people.iter().map(|p| p.age).collect();
    if ages.iter().all(Option::is_none) {
        return problem("no annotator's age is known")
            .column(&study.questions[question].name)
            .hint("give a table `annotator,age` (or `annotator,band`, `annotator,pool`) with --ages; `veche votes collect` writes one where our server asked")
            .fail();
    }
    let bands = ages.iter().flatten().any(|a| a.1 > a.0);
    let middle = middles(&ages);
    let mut sums = vec![(0usize, 0.0, 0.0); study.annotators.len()];
    for j in judged(study, question) {
        let s = &mut sums[j.annotator as usize];
        let near = if unit.is_some() {
            j.error <= settings.within
        } else {
            j.error == 0.0
        };
        *s = (s.0 + 1, s.1 + j.error, s.2 + f64::from(u8::from(near)));
    }
    let own: Vec<Own> = (0..sums.len())
        .filter_map(|who| {
            let (n, error, near) = sums[who];
            let age = (*middle.get(who)?)?;
            (n >= settings.min_answers.max(1)).then(|| Own {
                who,
                age,
                answers: n,
                error: error / n as f64,
                near: near / n as f64,
            })
        })
        .collect();
    let x: Vec<f64> = own.iter().map(|o| o.age).collect();
    let errors: Vec<f64> = own.iter().map(|o| o.error).collect();
    let near: Vec<f64> = own.iter().map(|o| o.near).collect();
    let Some(of_error) = relation(&x, &errors, &settings.relation)? else {
        return problem(format!(
            "a relation needs five annotators of different known ages with {} judged answers each; there are {}",
            settings.min_answers,
            own.len()
        ))
        .column(&study.questions[question].name)
        .hint("lower --min-answers, or give the ages of more annotators")
        .fail();
    };
    let of_near = relation(&x, &near, &settings.relation)?;
    let band_settings = BandSettings {
        level: settings.relation.level,
        resamples: settings.relation.resamples,
        seed: settings.relation.seed,
        thin: settings.thin,
    };
    let smoother = Smoother::Lowess(Lowess {
        share: settings.span,
        ..Lowess::default()
    });
    let at = places(&x, 60);
    let group: Vec<u32> = (0..x.len() as u32).collect();
    let curve = |y: &[f64]| band(smoother, &x, y, &group, &at, &band_settings);
    let (error_curve, near_curve) = (curve(&errors)?, curve(&near)?);

    let (unit_text, what) = match &unit {
        Some(unit) => (unit.clone(), "mean |error|"),
        None => (String::new(), "share of wrong answers"),
    };
    let near_words = match &unit {
        Some(unit) => format!(
            "share of answers within {}",
            with_unit(
                &number(settings.within, usize::from(settings.within.fract() != 0.0)),
                unit
            )
        ),
        None => "share of right answers".into(),
    };
    let share = unit.is_none();
    let d = decimals(errors.iter().copied());
    let value = |v: f64| {
        if share {
            percent(v)
        } else {
            with_unit(&number(v, d), &unit_text)
        }
    };
    let mut words = vec![sentence(&of_error, what, &|slope| {
        if share {
            format!("{} points", signed(1000.0 * slope, 1))
        } else {
            with_unit(&signed(10.0 * slope, d), &unit_text)
        }
    })];
    if let Some(near) = &of_near {
        words.push(sentence(near, &near_words, &|slope| {
            format!("{} points", signed(1000.0 * slope, 1))
        }));
    }
    let solid = || error_curve.iter().filter(|p| !p.thin);
    let lowest = solid().min_by(|a, b| a.value.total_cmp(&b.value));
    let highest = solid().max_by(|a, b| a.value.total_cmp(&b.value));
    if let (Some(low), Some(high)) = (lowest, highest) {
        words.push(format!(
            "The curve lies between {} (at {}) and {} (at {}).",
            value(low.value),
            number(low.at, 0),
            value(high.value),
            number(high.at, 0)
        ));
    }
    let left = sums.iter().filter(|s| s.0 > 0).count() - own.len();
    words.push(format!(
        "{} of known age with {} judged answers or more; {} left out.{} Ages are what annotators say of themselves.",
        plural(own.len() as u64, "annotator", "annotators"),
        settings.min_answers,
        plural(left as u64, "other was", "others were"),
        if bands { " Of bands the middle is taken." } else { "" },
    ));

    let mut sheet = Sheet::new(
        "annotators",
        &[
            "annotator",
            "age",
            "age_from",
            "age_to",
            "answers",
            "mae",
            "near_share",
        ],
    );
    for o in &own {
        let ends = ages[o.who].unwrap_or((o.age, o.age));
        sheet.row(vec![
            Cell::Text(study.annotators[o.who].clone()),
            o.age.into(),
            ends.0.into(),
            Some(ends.1).filter(|v| v.is_finite()).into(),
            o.answers.into(),
            o.error.into(),
            o.near.into(),
        ]);
    }
    let mut smooth = Sheet::new(
        "curve",
        &[
            "age",
            "error",
            "error_low",
            "error_high",
            "near_share",
            "near_low",
            "near_high",
            "annotators",
            "thin",
        ],
    );
    for (e, n) in error_curve.iter().zip(&near_curve) {
        smooth.row(vec![
            e.at.into(),
            e.value.into(),
            e.interval.map(|i| i.low).into(),
            e.interval.map(|i| i.high).into(),
            n.value.into(),
            n.interval.map(|i| i.low).into(),
            n.interval.map(|i| i.high).into(),
            e.support.into(),
            Cell::Flag(e.thin),
        ]);
    }
    let picture = |file: &str, title: &str, y: Axis, curve: &[BandPoint], values: &[f64]| {
        let clamp = |v: f64| if y.percent { v.clamp(0.0, 1.0) } else { v };
        Picture {
            file: file.into(),
            chart: Chart::Cloud(Cloud {
                title: title.into(),
                x: Axis::new("annotator's own age", "years"),
                points_name: "annotator".into(),
                strong_name: String::new(),
                points: own
                    .iter()
                    .zip(values)
                    .map(|(o, v)| CloudPoint {
                        x: o.age,
                        y: *v,
                        name: study.annotators[o.who].clone(),
                        strong: false,
                    })
                    .collect(),
                curve_name: "LOWESS".into(),
                curve: curve
                    .iter()
                    .map(|p| CloudCurve {
                        x: p.at,
                        y: clamp(p.value),
                        band: p.interval.map(|i| (clamp(i.low), clamp(i.high))),
                        thin: p.thin,
                    })
                    .collect(),
                band_name: format!("{} band", level(settings.relation.level)),
                thin_name: if curve.iter().any(|p| p.thin) {
                    format!("fewer than {} annotators near", number(settings.thin, 0))
                } else {
                    String::new()
                },
                diagonal: String::new(),
                from_zero: true,
                y,
            }),
        }
    };
    let error_axis = if share {
        Axis::share(what)
    } else {
        Axis::new(what, unit_text.clone())
    };
    let pictures = vec![
        picture(
            "by-age-error.svg",
            "Error by the annotator's own age",
            error_axis,
            &error_curve,
            &errors,
        ),
        picture(
            "by-age-near.svg",
            "Near answers by the annotator's own age",
            Axis::share(near_words.clone()),
            &near_curve,
            &near,
        ),
    ];
    Ok(Audited {
        facts: json!({"annotators": own.len(), "bands": bands, "error": of_error, "near": of_near, "within": settings.within,
            "curve": error_curve, "near_curve": near_curve}),
        words,
        sheets: vec![sheet, smooth],
        pictures,
    })
}

/// What a relation to age is, with its size before its probability.
fn sentence(r: &Relation, what: &str, decade: &dyn Fn(f64) -> String) -> String {
    let size = format!(
        "rank correlation {} [{}], {} per ten years{}",
        signed(r.rho, 2),
        interval(
            &signed(r.rho_interval.low, 2),
            &signed(r.rho_interval.high, 2)
        ),
        decade(r.slope),
        r.slope_interval
            .map(|i| format!(" [{}]", interval(&decade(i.low), &decade(i.high))))
            .unwrap_or_default()
    );
    let p = |p: f64| {
        if p < 0.001 {
            "p < 0.001".to_owned()
        } else {
            format!("p = {}", number(p, 3))
        }
    };
    match r.finding {
        Relationship::Rises => format!(
            "The {what} rises with the annotator's age: {size}, {}.",
            p(r.rho_p)
        ),
        Relationship::Falls => format!(
            "The {what} falls with the annotator's age: {size}, {}.",
            p(r.rho_p)
        ),
        Relationship::Bends => format!(
            "The {what} differs by the annotator's age without rising or falling throughout: groups of age explain {} of the variance ({}); {size}.",
            percent(r.omega_squared.max(0.0)),
            p(r.bands_p)
        ),
        Relationship::None => format!(
            "The {what} does not depend on the annotator's age by any amount that matters: {size}; a correlation beyond ±{} is ruled out.",
            number(r.negligible, 2)
        ),
        Relationship::Undecided => format!(
            "Neither a relation of the {what} with the annotator's age nor its absence is shown: {size}, {}; the interval reaches beyond ±{}, so there are too few annotators to tell.",
            p(r.rho_p),
            number(r.negligible, 2)
        ),
    }
}
