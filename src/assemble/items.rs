//! The parts of the report that show items: label distributions, hardest controls, examples with their pictures.

use super::{
    made, median,
    rivals::{Heard, said},
};
use crate::{
    Result,
    labels::{Labels, Method},
    pictures::{DecodeLimits, RenderSpec, decode, render},
    report::{
        ChoiceCount, ExampleItem, Examples, HardControl, Hardest, LabelGroup,
        Labels as LabelsBlock, Picture, Value, chart::Bins,
    },
    study::Study,
};
use std::fs;
use veche_pools::{
    Answer, Scale,
    controls::{Hardness, hardness, judge},
};

/// How many hard controls and example items are shown.
const SHOWN: usize = 12;
/// Longest side of pictures in the page, pixels.
const THUMBNAIL: u32 = 240;

/// Items to show labels of: real ones in a campaign, all in a plain table.
fn labelled_items(study: &Study) -> Vec<usize> {
    (0..study.items.len())
        .filter(|&i| study.pool.as_ref().is_none_or(|p| !p.is_control(i)))
        .collect()
}

pub(super) fn label_block(
    study: &Study,
    question: usize,
    result: &Labels,
    all: &[(Method, Labels)],
    level: f64,
) -> LabelsBlock {
    let items = labelled_items(study);
    let chosen = match result.chosen() {
        chosen if chosen.is_empty() => None,
        chosen => Some(format!("the method chose, on the controls: {chosen}")),
    };
    let mut block = LabelsBlock {
        level,
        made: made(study, "veche aggregate", chosen.as_deref()),
        ..LabelsBlock::default()
    };
    match result {
        Labels::Numbers(result) => {
            let values: Vec<f64> = items
                .iter()
                .filter_map(|&i| result.estimates[i].map(|e| e.value))
                .collect();
            let shape = Bins::nice(&values, 20);
            let bins =
                |values: Vec<f64>| Bins::new(shape.from, shape.width, shape.counts.len(), values);
            let by = all.iter().enumerate().find_map(|(q, (_, l))| match l {
                Labels::Choices(c) => Some((q, c)),
                Labels::Numbers(_) => None,
            });
            block.numbers = match by {
                None => vec![LabelGroup {
                    name: String::new(),
                    bins: bins(values.clone()),
                }],
                Some((q, choices)) => label_names(study, q)
                    .into_iter()
                    .enumerate()
                    .map(|(label, name)| {
                        let of = |&&i: &&usize| {
                            choices.estimates[i].is_some_and(|e| e.label as usize == label)
                        };
                        let values = items.iter().filter(of);
                        let values = values
                            .filter_map(|&i| result.estimates[i].map(|e| e.value))
                            .collect();
                        LabelGroup {
                            name,
                            bins: bins(values),
                        }
                    })
                    .collect(),
            };
            let widths = items.iter().filter_map(|&i| {
                let e = result.estimates[i]?;
                Some(e.high? - e.low?)
            });
            block.interval_width_median = median(widths.collect());
            block.items = values.len() as u64;
        }
        Labels::Choices(result) => {
            let mut counts = vec![0u64; study.n_labels(question)];
            let mut confidences = Vec::new();
            for estimate in items.iter().filter_map(|&i| result.estimates[i]) {
                counts[estimate.label as usize] += 1;
                confidences.push(estimate.confidence);
            }
            block.items = confidences.len() as u64;
            block.confidence_median = median(confidences);
            let names = label_names(study, question).into_iter().zip(counts);
            block.choices = names
                .map(|(label, count)| ChoiceCount { label, count })
                .collect();
        }
    }
    block.without = items.len() as u64 - block.items;
    block
}

fn label_names(study: &Study, question: usize) -> Vec<String> {
    match &study.questions[question].scale {
        Scale::Choice(scale) => scale.labels.clone(),
        Scale::Number(_) => Vec::new(),
    }
}

fn value(study: &Study, question: usize, answer: Answer) -> Value {
    match answer {
        Answer::Number(v) => Value::Number(v),
        other => Value::Label(study.questions[question].write(other)),
    }
}

/// The controls that people miss most: a photo that fools everybody, or a truth that is wrong.
pub(super) fn hardest(study: &Study, question: usize, heard: &[Heard<'_>]) -> Result<Hardest> {
    let judged = study
        .votes
        .iter()
        .filter(|v| v.question as usize == question)
        .filter_map(|v| {
            let truth = study.truths[question][v.item as usize];
            Some((v.item, judge(v.answer, truth)?))
        });
    let found = hardness(study.items.len(), judged)?;
    let mut ranked: Vec<(usize, &Hardness)> = found
        .iter()
        .enumerate()
        .filter(|(_, h)| h.n >= 3 && h.mean_size.is_some())
        .collect();
    ranked.sort_by(|a, b| {
        b.1.mean_size
            .unwrap_or(0.0)
            .total_cmp(&a.1.mean_size.unwrap_or(0.0))
    });
    let controls = ranked
        .iter()
        .take(SHOWN)
        .map(|&(item, hard)| {
            let answers: Vec<Answer> = study
                .votes
                .iter()
                .filter(|v| v.question as usize == question && v.item as usize == item)
                .map(|v| v.answer)
                .collect();
            let numbers: Vec<f64> = answers.iter().filter_map(|a| a.number()).collect();
            let names = label_names(study, question).into_iter().enumerate();
            let count = |l: usize| {
                answers
                    .iter()
                    .filter(|a| a.choice() == Some(l as u32))
                    .count() as u64
            };
            HardControl {
                name: study.items[item].clone(),
                picture: picture(study, item),
                truth: study.truths[question][item]
                    .map(|t| value(study, question, t))
                    .unwrap_or_default(),
                answers: u64::from(hard.n),
                error: hard.mean_size.unwrap_or(0.0),
                bias: hard.mean_error,
                numbers: if numbers.is_empty() {
                    Bins::default()
                } else {
                    Bins::nice(&numbers, 14)
                },
                choices: names
                    .map(|(l, label)| ChoiceCount {
                        label,
                        count: count(l),
                    })
                    .collect(),
                others: said(study, question, heard, item),
            }
        })
        .collect();
    let note = "controls with at least 3 answers, banned annotators' included";
    Ok(Hardest {
        controls,
        made: made(study, "veche report", Some(note)),
    })
}

/// A dozen items spread evenly over the labels, from the lowest to the highest.
pub(super) fn examples(
    study: &Study,
    question: usize,
    result: &Labels,
    level: f64,
    heard: &[Heard<'_>],
) -> Examples {
    let mut items = labelled_items(study);
    let chosen = match result {
        Labels::Numbers(result) => {
            items.retain(|&i| result.estimates[i].is_some());
            items.sort_by(|&a, &b| {
                let of = |i: usize| result.estimates[i].map_or(0.0, |e| e.value);
                of(a).total_cmp(&of(b))
            });
            "items at equal steps from the lowest label to the highest"
        }
        Labels::Choices(result) => {
            items.retain(|&i| result.estimates[i].is_some());
            items.sort_by(|&a, &b| {
                let of = |i: usize| result.estimates[i].map_or(0.0, |e| e.confidence);
                of(a).total_cmp(&of(b))
            });
            "items at equal steps from the least certain label to the surest"
        }
    };
    let n = items.len().min(SHOWN);
    let at = |k: usize| items[(2 * k + 1) * items.len() / (2 * n)];
    let show = |item: usize| {
        let mut shown = ExampleItem {
            name: study.items[item].clone(),
            picture: picture(study, item),
            others: said(study, question, heard, item),
            ..ExampleItem::default()
        };
        match result {
            Labels::Numbers(result) => {
                if let Some(e) = result.estimates[item] {
                    shown.label = Value::Number(e.value);
                    shown.interval = e.low.zip(e.high);
                    shown.votes = u64::from(e.votes);
                }
            }
            Labels::Choices(result) => {
                if let Some(e) = result.estimates[item] {
                    shown.label = value(study, question, Answer::Choice(e.label));
                    shown.confidence = Some(e.confidence);
                    shown.votes = u64::from(e.votes);
                }
            }
        }
        shown
    };
    Examples {
        chosen: chosen.to_owned(),
        items: (0..n).map(|k| show(at(k))).collect(),
        level,
        made: made(study, "veche aggregate", None),
    }
}

/// The shown picture of a task, small.
pub(super) fn picture(study: &Study, item: usize) -> Option<Picture> {
    let (pool, project) = (study.pool.as_ref()?, study.project.as_ref()?);
    let path = project.pool_dir().join(pool.pictures.get(item)?.as_ref()?);
    let decoded = decode(&fs::read(path).ok()?, &DecodeLimits::default()).ok()?;
    let spec = RenderSpec {
        longest_side: THUMBNAIL,
        quality: 80,
        ..RenderSpec::default()
    };
    Picture::new(&render(&decoded, None, &spec).ok()?)
}
