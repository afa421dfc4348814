//! `veche audit controls`: the hardest controls, and which of their labels are probably wrong.

use super::{Audited, Subject, judged, thumbnail::thumbnail};
use crate::{
    Result,
    assemble::kind,
    curves::{Cell, Picture, Sheet},
    files::predictions::{Predictions, sex_word},
    problem,
    report::{
        Kind,
        chart::{
            Answered, Axis, Bins, Chart, Cloud, CloudPoint, Gallery, GalleryCard, Mark, MarkKind,
        },
        format::{NONE, decimals, number, percent, plural, signed, with_unit},
    },
};
use serde_json::json;
use std::path::PathBuf;
use veche_analysis::audit::{
    ChoiceDoubtSettings, ChoiceView, ControlView, DoubtSettings, Suspicion, choice_doubts,
    discrimination, doubts,
};
use veche_pools::Scale;

/// Settings of [`controls`].
#[derive(Debug, Clone)]
pub struct Controls {
    /// What a network says of the controls; decides whom to believe.
    pub predictions: Option<Predictions>,
    /// Share of labels that are wrong, before anything is seen.
    pub prior: f64,
    /// Controls with fewer answers are not judged.
    pub min_answers: usize,
    /// How many are pictured.
    pub shown: usize,
    /// Folder with photos, for a plain table.
    pub pictures: Option<PathBuf>,
}

impl Default for Controls {
    fn default() -> Self {
        Self {
            predictions: None,
            prior: 0.01,
            min_answers: 3,
            shown: 12,
            pictures: None,
        }
    }
}

/// One control, of either kind of question.
struct Judged {
    item: usize,
    truth: String,
    answers: usize,
    /// Mean |error|, or share of wrong answers.
    error: f64,
    bias: Option<f64>,
    median: Option<f64>,
    disagreement: Option<f64>,
    surprise: Option<f64>,
    network: Option<f64>,
    network_surprise: Option<f64>,
    /// What people say instead.
    instead: String,
    /// What the network says.
    network_says: Option<String>,
    wrong: Option<f64>,
    suspicion: Suspicion,
    tells: Option<f64>,
    answered: Answered,
}

impl Judged {
    /// What to do about it, if anything.
    fn action(&self) -> Option<&'static str> {
        match self.suspicion {
            Suspicion::DoubtfulLabel => Some("correct the label or retire"),
            Suspicion::Look => Some("look at it"),
            // A hard photo that good annotators miss as often as bad ones judges nobody.
            Suspicion::HardPhoto if self.tells.is_some_and(|t| t < 0.1) && self.answers >= 10 => {
                Some("retire: it does not tell the good from the bad")
            }
            _ => None,
        }
    }
}

fn suspicion_words(s: Suspicion) -> &'static str {
    match s {
        Suspicion::TooFew => "too few answers",
        Suspicion::Ordinary => "ordinary",
        Suspicion::HardPhoto => "hard photo",
        Suspicion::Look => "wrong label or hard photo",
        Suspicion::DoubtfulLabel => "label probably wrong",
    }
}

/// Controls of one question, the hardest first. Errors if a setting is out of range or predictions match no item.
pub fn controls(subject: &Subject<'_>, settings: &Controls) -> Result<Audited> {
    let (study, question) = (subject.study, subject.question);
    let unit = match kind(study, question) {
        Kind::Number { unit } => unit,
        Kind::Choice => String::new(),
    };
    let numbers = matches!(study.questions[question].scale, Scale::Number(_));
    let matched = match &settings.predictions {
        Some(predictions) => Some((predictions, predictions.matched(&study.items)?)),
        None => None,
    };
    let said = |item: usize| {
        let (predictions, matched) = matched.as_ref()?;
        predictions.rows.get(matched.of_item[item]? as usize)
    };
    let mut found = if numbers {
        of_numbers(subject, settings, &unit, &|item| said(item)?.number)?
    } else {
        of_choices(subject, settings, &|item| said(item)?.sex.clone())?
    };
    if found.is_empty() {
        return problem("nobody answered a control")
            .column(&study.questions[question].name)
            .fail();
    }
    let errors: Vec<(u32, u32, f64)> = judged(study, question)
        .into_iter()
        .map(|j| (j.annotator, j.item, j.error))
        .collect();
    let tells = discrimination(&errors, study.items.len(), 5);
    for control in &mut found {
        control.tells = tells[control.item];
    }
    found.sort_by(|a, b| b.error.total_cmp(&a.error).then(a.item.cmp(&b.item)));
    let count = |s: Suspicion| found.iter().filter(|c| c.suspicion == s).count();
    let (wrong, look, hard) = (
        count(Suspicion::DoubtfulLabel),
        count(Suspicion::Look),
        count(Suspicion::HardPhoto),
    );
    let d = decimals(found.iter().map(|c| c.error));
    let size = |v: f64| {
        if numbers {
            with_unit(&number(v, d), &unit)
        } else {
            percent(v)
        }
    };
    let mut words = vec![format!(
        "Of {} {} a label that is probably wrong, {} may have one or be hard photos, {} hard photos with a label that is probably right; {} too few answers to tell.",
        plural(found.len() as u64, "control", "controls"),
        plural(wrong as u64, "has", "have"),
        number(look as f64, 0),
        plural(hard as u64, "is", "are"),
        plural(count(Suspicion::TooFew) as u64, "has", "have"),
    )];
    for c in found
        .iter()
        .filter(|c| c.suspicion != Suspicion::TooFew)
        .take(3)
    {
        words.push(format!(
            "{}: {}, truth {}, people say {} ({} {} over {}){}.",
            study.items[c.item],
            suspicion_words(c.suspicion),
            c.truth,
            c.instead,
            if numbers { "mean |error|" } else { "wrong" },
            size(c.error),
            plural(c.answers as u64, "answer", "answers"),
            c.network_says
                .as_ref()
                .map(|n| format!("; the network says {n}"))
                .unwrap_or_default()
        ));
    }
    if settings.predictions.is_none() {
        words.push("No network was asked (--predictions): a label that everybody denies may still be right, if the photo misleads everybody.".into());
    }
    let retire: Vec<&Judged> = found.iter().filter(|c| c.action().is_some()).collect();
    words.push(if retire.is_empty() {
        "No control needs to be retired.".into()
    } else {
        format!(
            "{} in retire.csv, with what to do about each.",
            plural(retire.len() as u64, "control stands", "controls stand")
        )
    });

    let mut sheet = Sheet::new(
        "controls",
        &[
            "control",
            "truth",
            "answers",
            if numbers { "mae" } else { "wrong_share" },
            "bias",
            "median",
            "disagreement",
            "surprise",
            "prediction",
            "network_surprise",
            "wrong_probability",
            "discrimination",
            "suspicion",
        ],
    );
    let mut list = Sheet::new(
        "retire",
        &[
            "control",
            "action",
            "truth",
            "people_say",
            "network_says",
            "wrong_probability",
        ],
    );
    for c in &found {
        sheet.row(vec![
            Cell::Text(study.items[c.item].clone()),
            Cell::Text(c.truth.clone()),
            c.answers.into(),
            c.error.into(),
            c.bias.into(),
            c.median.into(),
            c.disagreement.into(),
            c.surprise.into(),
            c.network.into(),
            c.network_surprise.into(),
            c.wrong.into(),
            c.tells.into(),
            suspicion_words(c.suspicion).into(),
        ]);
    }
    for c in &retire {
        list.row(vec![
            Cell::Text(study.items[c.item].clone()),
            c.action().unwrap_or_default().into(),
            Cell::Text(c.truth.clone()),
            Cell::Text(c.instead.clone()),
            Cell::Text(c.network_says.clone().unwrap_or_default()),
            c.wrong.into(),
        ]);
    }
    let card = |c: &&Judged| GalleryCard {
        name: study.items[c.item].clone(),
        picture: thumbnail(study, c.item, settings.pictures.as_deref()),
        lines: vec![
            match c.wrong {
                Some(p) if p >= 0.1 => format!("{} ({})", suspicion_words(c.suspicion), percent(p)),
                _ => suspicion_words(c.suspicion).into(),
            },
            format!("truth {}", c.truth),
            format!("people {}", c.instead),
            match &c.network_says {
                Some(n) => format!("network {n}"),
                None => format!(
                    "{}, {}",
                    size(c.error),
                    plural(c.answers as u64, "answer", "answers")
                ),
            },
        ],
        warn: c.suspicion == Suspicion::DoubtfulLabel,
        answered: c.answered.clone(),
    };
    let gallery = |title: &str, of: Vec<&Judged>| {
        Chart::Gallery(Gallery {
            title: title.into(),
            x: Axis::new("answer", unit.clone()),
            cards: of.iter().take(settings.shown).map(card).collect(),
        })
    };
    let enough = |c: &&Judged| c.suspicion != Suspicion::TooFew;
    let mut pictures = vec![Picture {
        file: "controls-hardest.svg".into(),
        chart: gallery(
            "The hardest controls",
            found.iter().filter(enough).collect(),
        ),
    }];
    let mut doubtful: Vec<&Judged> = found
        .iter()
        .filter(|c| matches!(c.suspicion, Suspicion::DoubtfulLabel | Suspicion::Look))
        .collect();
    if !doubtful.is_empty() {
        doubtful.sort_by(|a, b| b.wrong.unwrap_or(0.0).total_cmp(&a.wrong.unwrap_or(0.0)));
        pictures.push(Picture {
            file: "controls-doubtful.svg".into(),
            chart: gallery("Labels that are probably wrong", doubtful),
        });
    }
    if numbers {
        pictures.push(Picture {
            file: "controls.svg".into(),
            chart: Chart::Cloud(cloud(&found, &unit, &study.items)),
        });
    }
    Ok(Audited {
        facts: json!({"controls": found.len(), "doubtful_labels": wrong, "look": look, "hard_photos": hard, "retire":
            retire.iter().map(|c| json!({"control": study.items[c.item], "action": c.action(), "wrong": c.wrong})).collect::<Vec<_>>()}),
        words,
        sheets: if list.is_empty() {
            vec![sheet]
        } else {
            vec![sheet, list]
        },
        pictures,
    })
}

/// All controls at a glance: people's surprise against the network's, or against the truth where no network was asked.
fn cloud(found: &[Judged], unit: &str, items: &[String]) -> Cloud {
    let network = found.iter().any(|c| c.network_surprise.is_some());
    let truth = |c: &Judged| match &c.answered {
        Answered::Numbers(_, marks) => marks.first().map(|m| m.at),
        Answered::Labels(_) => None,
    };
    let point = |c: &Judged| {
        Some(CloudPoint {
            x: if network {
                c.network_surprise?
            } else {
                truth(c)?
            },
            y: c.surprise?,
            name: items[c.item].clone(),
            strong: c.suspicion == Suspicion::DoubtfulLabel,
        })
    };
    Cloud {
        title: "Where people contradict the labels of controls".into(),
        x: if network {
            Axis::new("network's answer − truth, less what is usual", unit)
        } else {
            Axis::new("truth", unit)
        },
        y: Axis::new("people's median answer − truth, less what is usual", unit),
        points_name: "control".into(),
        strong_name: if found
            .iter()
            .any(|c| c.suspicion == Suspicion::DoubtfulLabel)
        {
            "label probably wrong".into()
        } else {
            String::new()
        },
        points: found.iter().filter_map(point).collect(),
        curve_name: String::new(),
        curve: Vec::new(),
        band_name: String::new(),
        thin_name: String::new(),
        diagonal: if network {
            "people and network agree".into()
        } else {
            String::new()
        },
        from_zero: true,
    }
}

fn of_numbers(
    subject: &Subject<'_>,
    settings: &Controls,
    unit: &str,
    said: &dyn Fn(usize) -> Option<f64>,
) -> Result<Vec<Judged>> {
    let (study, question) = (subject.study, subject.question);
    let truths = study.true_numbers(question);
    let mut answers: Vec<Vec<f64>> = vec![Vec::new(); study.items.len()];
    for v in study
        .votes
        .iter()
        .filter(|v| v.question as usize == question)
    {
        answers[v.item as usize].extend(v.answer.number());
    }
    let items: Vec<usize> = (0..study.items.len())
        .filter(|&i| truths[i].is_some() && !answers[i].is_empty())
        .collect();
    let views: Vec<ControlView> = items
        .iter()
        .map(|&i| ControlView {
            truth: truths[i].unwrap_or_default(),
            answers: answers[i].clone(),
            prediction: said(i),
        })
        .collect();
    let range = match &study.questions[question].scale {
        Scale::Number(scale) => (scale.max - scale.min).max(f64::MIN_POSITIVE),
        Scale::Choice(_) => 1.0,
    };
    let found = doubts(
        &views,
        &DoubtSettings {
            prior: settings.prior,
            range,
            min_answers: settings.min_answers,
        },
    )?;
    let whole = views.iter().all(|v| v.truth.fract() == 0.0);
    let text = |v: f64, d: usize| with_unit(&number(v, d), unit);
    Ok(items
        .into_iter()
        .zip(views.iter().zip(found))
        .map(|(item, (view, doubt))| {
            let mut marks = vec![Mark::new("truth", view.truth, MarkKind::Truth)];
            marks.extend(
                view.prediction
                    .map(|p| Mark::new("network", p, MarkKind::Best)),
            );
            Judged {
                item,
                truth: text(view.truth, usize::from(!whole)),
                answers: doubt.answers,
                error: doubt.error,
                bias: Some(doubt.bias),
                median: Some(doubt.median),
                disagreement: Some(doubt.disagreement),
                surprise: Some(doubt.surprise),
                network: view.prediction,
                network_surprise: doubt.network_surprise,
                instead: format!(
                    "{} ({})",
                    text(doubt.median, usize::from(doubt.median.fract() != 0.0)),
                    signed(doubt.median - view.truth, usize::from(!whole))
                ),
                network_says: view.prediction.map(|p| text(p, 1)),
                wrong: doubt.wrong,
                suspicion: doubt.suspicion,
                tells: None,
                answered: Answered::Numbers(Bins::nice(&view.answers, 14), marks),
            }
        })
        .collect())
}

fn of_choices(
    subject: &Subject<'_>,
    settings: &Controls,
    said: &dyn Fn(usize) -> Option<String>,
) -> Result<Vec<Judged>> {
    let (study, question) = (subject.study, subject.question);
    let Scale::Choice(scale) = &study.questions[question].scale else {
        return Ok(Vec::new());
    };
    let truths = study.true_choices(question);
    let mut votes = vec![vec![0u32; scale.labels.len()]; study.items.len()];
    for v in study
        .votes
        .iter()
        .filter(|v| v.question as usize == question)
    {
        if let Some(label) = v.answer.choice() {
            votes[v.item as usize][label as usize] += 1;
        }
    }
    let label_of = |word: &str| {
        scale
            .labels
            .iter()
            .position(|l| l == word || sex_word(l) == sex_word(word))
    };
    let items: Vec<usize> = (0..study.items.len())
        .filter(|&i| truths[i].is_some() && votes[i].iter().any(|n| *n > 0))
        .collect();
    let views: Vec<ChoiceView> = items
        .iter()
        .map(|&i| ChoiceView {
            truth: truths[i].unwrap_or_default(),
            votes: votes[i].clone(),
            prediction: said(i).and_then(|word| label_of(&word)).map(|l| l as u32),
        })
        .collect();
    let found = choice_doubts(
        &views,
        &ChoiceDoubtSettings {
            prior: settings.prior,
            min_answers: settings.min_answers as u32,
        },
    )?;
    let name = |label: u32| scale.labels[label as usize].clone();
    Ok(items
        .into_iter()
        .zip(views.iter().zip(found))
        .map(|(item, (view, doubt))| {
            let most = (0..view.votes.len() as u32)
                .max_by_key(|l| (view.votes[*l as usize], u32::MAX - l));
            Judged {
                item,
                truth: name(view.truth),
                answers: doubt.answers as usize,
                error: doubt.wrong_share,
                bias: None,
                median: None,
                disagreement: None,
                surprise: None,
                network: None,
                network_surprise: None,
                instead: most.map_or(NONE.into(), name),
                network_says: view.prediction.map(name),
                wrong: doubt.wrong,
                suspicion: doubt.suspicion,
                tells: None,
                answered: Answered::Labels(
                    (0..view.votes.len() as u32)
                        .map(|l| (name(l), u64::from(view.votes[l as usize]), l == view.truth))
                        .collect(),
                ),
            }
        })
        .collect())
}
