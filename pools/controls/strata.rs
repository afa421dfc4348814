//! Strata of controls: which controls have about the same answers. Five-year age ranges × sex, in the seed campaign.

use crate::{Answer, Error, Question, Scale};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bins a number scale is cut into unless a width is given: 5 years each on 0 to 120 years.
pub const DEFAULT_BINS: f64 = 24.0;

/// The strata of a list of controls. Only strata with at least one control exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strata {
    /// Stratum of every control, in the controls' order.
    pub of: Vec<u32>,
    /// What each stratum holds, for people: `age 20 to 25 years, sex female`. Upper ends of ranges are exclusive, except
    /// the scale's own.
    pub labels: Vec<String>,
    /// Controls in each stratum; never 0.
    pub sizes: Vec<usize>,
    /// Strata that the scales allow with all truths known, with or without controls.
    pub possible: u64,
}

/// One question's part of a stratum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Bin(u64),
    Label(u32),
    /// The truth is missing, or unsure.
    Unknown,
}

impl Strata {
    /// Groups controls by the truths of all questions together. `truths[c][q]` is the truth of control `c` on question
    /// `q`. A number falls into the bin ⌊(truth − min) / width⌋, the scale's maximum into the last one; `bin_widths[q]` is
    /// the width in the question's unit, by default (`None`, or a shorter list) 1/24 of the scale. A missing truth is a
    /// level of its own.
    ///
    /// Strata are numbered in ascending order of their levels, first question first, unknown last.
    /// Errors: a row of truths of another length than the questions, a truth off its scale or of the wrong kind, a width that
    /// is not a positive number.
    pub fn new(
        questions: &[Question],
        truths: &[Vec<Option<Answer>>],
        bin_widths: &[Option<f64>],
    ) -> Result<Self, Error> {
        let width = |q: usize| -> Result<f64, Error> {
            let Scale::Number(scale) = &questions[q].scale else {
                return Ok(1.0);
            };
            let width = bin_widths
                .get(q)
                .copied()
                .flatten()
                .unwrap_or(scale.width() / DEFAULT_BINS);
            if width > 0.0 && width.is_finite() {
                return Ok(width);
            }
            let reason =
                format!("width {width} of the ranges of its controls must be a positive number");
            Err(Error::Question {
                question: questions[q].name.clone(),
                reason,
            })
        };
        let widths = (0..questions.len())
            .map(width)
            .collect::<Result<Vec<f64>, Error>>()?;
        let mut controls: BTreeMap<Vec<Level>, Vec<usize>> = BTreeMap::new();
        for (control, row) in truths.iter().enumerate() {
            if row.len() != questions.len() {
                return Err(Error::Unusable(format!(
                    "control {} has {} truths for {} questions",
                    control + 1,
                    row.len(),
                    questions.len()
                )));
            }
            let levels = row
                .iter()
                .zip(questions)
                .zip(&widths)
                .map(|((&truth, question), &width)| level(question, width, truth))
                .collect::<Result<Vec<Level>, Error>>()?;
            controls.entry(levels).or_default().push(control);
        }
        let mut strata = Self {
            of: vec![0; truths.len()],
            labels: Vec::with_capacity(controls.len()),
            sizes: Vec::with_capacity(controls.len()),
            possible: questions
                .iter()
                .zip(&widths)
                .fold(1, |all, (question, &width)| {
                    let levels = match &question.scale {
                        Scale::Number(_) => bins(question, width),
                        Scale::Choice(scale) => scale.labels.len() as u64,
                    };
                    u64::saturating_mul(all, levels)
                }),
        };
        for (levels, members) in controls {
            let stratum = strata.labels.len() as u32;
            let parts = questions.iter().zip(&widths).zip(levels);
            let parts: Vec<String> = parts
                .map(|((q, &width), level)| label(q, width, level))
                .collect();
            strata.labels.push(parts.join(", "));
            strata.sizes.push(members.len());
            members
                .into_iter()
                .for_each(|control| strata.of[control] = stratum);
        }
        Ok(strata)
    }

    /// Number of strata.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none, for want of controls.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// Number of bins of a number question; 1 for others.
fn bins(question: &Question, width: f64) -> u64 {
    match &question.scale {
        // A width such as 0.1 divides a scale only up to rounding; a sliver is no bin of its own.
        Scale::Number(scale) => ((scale.width() / width - 1e-9).ceil() as u64).max(1),
        Scale::Choice(_) => 1,
    }
}

fn level(question: &Question, width: f64, truth: Option<Answer>) -> Result<Level, Error> {
    let refuse = |value: String, reason: &str| {
        Err(Error::Answer {
            question: question.name.clone(),
            value,
            reason: reason.into(),
        })
    };
    match (truth, &question.scale) {
        (None | Some(Answer::Unsure), _) => Ok(Level::Unknown),
        (Some(Answer::Number(value)), Scale::Number(scale)) => match scale.reject(value) {
            Some(reason) => refuse(value.to_string(), &reason),
            // The small addition keeps 0.3 out of the bin below it when the width is 0.1.
            None => {
                let bin = ((value - scale.min) / width + 1e-9).floor() as u64;
                Ok(Level::Bin(bin.min(bins(question, width) - 1)))
            }
        },
        (Some(Answer::Choice(index)), Scale::Choice(scale))
            if (index as usize) < scale.labels.len() =>
        {
            Ok(Level::Label(index))
        }
        (Some(Answer::Number(value)), _) => refuse(value.to_string(), "is a number, not a label"),
        (Some(Answer::Choice(index)), _) => refuse(
            format!("label {}", index + 1),
            "is not an answer to this question",
        ),
    }
}

fn label(question: &Question, width: f64, level: Level) -> String {
    let name = &question.name;
    match (level, &question.scale) {
        (Level::Bin(bin), Scale::Number(scale)) => {
            let short = |x: f64| (x * 1e9).round() / 1e9;
            let from = short(scale.min + bin as f64 * width);
            let to = short((scale.min + (bin + 1) as f64 * width).min(scale.max));
            format!("{name} {from} to {to} {}", scale.unit)
                .trim_end()
                .to_owned()
        }
        (Level::Label(index), Scale::Choice(scale)) => {
            format!("{name} {}", scale.labels[index as usize])
        }
        _ => format!("{name} unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChoiceScale, NumberScale};
    use Answer::{Choice, Number, Unsure};

    fn questions() -> [Question; 2] {
        let scale = NumberScale {
            min: 0.0,
            max: 120.0,
            unit: "years".into(),
            integer: false,
        };
        let labels = vec!["female".into(), "male".into()];
        [
            Question {
                name: "age".into(),
                prompt: "?".into(),
                scale: Scale::Number(scale),
            },
            Question {
                name: "sex".into(),
                prompt: "?".into(),
                scale: Scale::Choice(ChoiceScale { labels }),
            },
        ]
    }

    #[test]
    fn controls_are_grouped_by_five_year_ranges_and_sex() {
        let truths = vec![
            vec![Some(Number(24.9)), Some(Choice(1))],
            vec![Some(Number(20.0)), Some(Choice(1))],
            vec![Some(Number(25.0)), Some(Choice(1))],
            vec![Some(Number(22.0)), Some(Choice(0))],
            vec![Some(Number(120.0)), Some(Choice(0))],
            vec![Some(Number(22.0)), None],
            vec![Some(Unsure), Some(Choice(0))],
        ];
        let s = Strata::new(&questions(), &truths, &[]).unwrap();
        assert_eq!(s.of, [1, 1, 3, 0, 4, 2, 5]);
        assert_eq!(s.sizes, [1, 2, 1, 1, 1, 1]);
        assert_eq!(s.labels[0], "age 20 to 25 years, sex female");
        assert_eq!(s.labels[2], "age 20 to 25 years, sex unknown");
        assert_eq!(s.labels[4], "age 115 to 120 years, sex female");
        assert_eq!(s.labels[5], "age unknown, sex female");
        assert_eq!((s.len(), s.possible), (6, 48));
    }

    #[test]
    fn the_width_of_the_ranges_can_be_chosen() {
        let truths: Vec<_> = [0.0, 49.0, 50.0, 100.0, 120.0]
            .map(|age| vec![Some(Number(age)), Some(Choice(0))])
            .into();
        let s = Strata::new(&questions(), &truths, &[Some(50.0)]).unwrap();
        assert_eq!(s.of, [0, 0, 1, 2, 2]);
        assert_eq!(s.labels[2], "age 100 to 120 years, sex female");
        assert_eq!(s.possible, 6);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                Strata::new(&questions(), &truths, &[Some(bad)]).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn rounding_moves_no_number_across_the_edge_of_its_range() {
        let scale = NumberScale {
            min: 0.0,
            max: 1.0,
            unit: String::new(),
            integer: false,
        };
        let q = [Question {
            name: "p".into(),
            prompt: "?".into(),
            scale: Scale::Number(scale),
        }];
        let truths: Vec<_> = (0..=10)
            .map(|i| vec![Some(Number(f64::from(i) / 10.0))])
            .collect();
        let s = Strata::new(&q, &truths, &[Some(0.1)]).unwrap();
        assert_eq!(s.of, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]);
        assert_eq!((s.labels[3].as_str(), s.possible), ("p 0.3 to 0.4", 10));
    }

    #[test]
    fn truths_off_the_scale_of_the_wrong_kind_or_number_are_errors() {
        let fails = |row| Strata::new(&questions(), &[row], &[]).is_err();
        assert!(fails(vec![Some(Number(121.0)), None]));
        assert!(fails(vec![Some(Choice(0)), None]));
        assert!(fails(vec![None, Some(Number(1.0))]));
        assert!(fails(vec![None, Some(Choice(2))]));
        assert!(fails(vec![None]));
    }

    #[test]
    fn no_controls_make_no_strata() {
        assert!(Strata::new(&questions(), &[], &[]).unwrap().is_empty());
    }
}
