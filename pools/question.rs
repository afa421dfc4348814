//! Questions and their answers. A question has a number scale or a choice scale; an answer is checked once, here.

use crate::Error;
use serde::{Deserialize, Serialize};

/// What is asked about every item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Short name, used as a column name: `age`.
    pub name: String,
    /// What the annotator reads: `How old is this person?`.
    pub prompt: String,
    /// What answers there are.
    pub scale: Scale,
}

/// The set of possible answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Scale {
    /// A number within bounds.
    Number(NumberScale),
    /// One of several labels.
    Choice(ChoiceScale),
}

/// Numbers from `min` to `max`, both allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberScale {
    /// Smallest answer allowed.
    pub min: f64,
    /// Largest answer allowed.
    pub max: f64,
    /// Unit as people read it: `years`, `cm`.
    pub unit: String,
    /// Whether only whole numbers are answers.
    pub integer: bool,
}

/// Two or more different labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceScale {
    /// The labels, in the order in which they are shown.
    pub labels: Vec<String>,
}

/// A checked answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// A number on the question's scale.
    Number(f64),
    /// Index of a label of the question's choice scale.
    Choice(u32),
    /// The annotator could not tell.
    Unsure,
}

impl Answer {
    /// The number, if it is one.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(value),
            _ => None,
        }
    }

    /// The label's index, if it is one.
    pub fn choice(self) -> Option<u32> {
        match self {
            Self::Choice(index) => Some(index),
            _ => None,
        }
    }
}

impl Question {
    /// Checks the question itself: bounds in order and finite, at least two different labels, a usable name.
    pub fn check(&self) -> Result<(), Error> {
        let fail = |reason: String| {
            Err(Error::Question {
                question: self.name.clone(),
                reason,
            })
        };
        let usable = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if self.name.is_empty() || !self.name.chars().all(usable) {
            return fail(
                "its name must be letters, digits, _ or -, as it becomes a column name".into(),
            );
        }
        match &self.scale {
            Scale::Number(s) if !(s.min.is_finite() && s.max.is_finite() && s.min < s.max) => fail(
                format!("min {} must be a number below max {}", s.min, s.max),
            ),
            Scale::Number(_) => Ok(()),
            Scale::Choice(s) => {
                if s.labels.len() < 2 {
                    return fail("a choice needs at least two labels".into());
                }
                for (i, label) in s.labels.iter().enumerate() {
                    if label.trim().is_empty() {
                        return fail(format!("label {} is empty", i + 1));
                    }
                    if s.labels[..i].contains(label) {
                        return fail(format!("label \"{label}\" is listed twice"));
                    }
                }
                Ok(())
            }
        }
    }

    /// Reads an answer from text. Empty text is [`Answer::Unsure`]. Numbers take `.` or `,` as decimal sign; labels are
    /// compared exactly first, then without regard to case. Errors name the value and why it is refused.
    pub fn read(&self, text: &str) -> Result<Answer, Error> {
        let text = text.trim();
        let fail = |reason: String| {
            Err(Error::Answer {
                question: self.name.clone(),
                value: text.chars().take(60).collect(),
                reason,
            })
        };
        if text.is_empty() {
            return Ok(Answer::Unsure);
        }
        match &self.scale {
            Scale::Number(scale) => match text
                .parse::<f64>()
                .or_else(|_| text.replacen(',', ".", 1).parse::<f64>())
            {
                Err(_) => fail("is not a number".into()),
                Ok(value) => match scale.reject(value) {
                    Some(reason) => fail(reason),
                    None => Ok(Answer::Number(value)),
                },
            },
            Scale::Choice(scale) => match scale.index(text) {
                Some(index) => Ok(Answer::Choice(index)),
                None => fail(format!("is not one of {}", scale.labels.join(", "))),
            },
        }
    }

    /// The answer as text that [`Question::read`] reads back; [`Answer::Unsure`] is empty.
    pub fn write(&self, answer: Answer) -> String {
        match (answer, &self.scale) {
            (Answer::Number(value), _) => format!("{value}"),
            (Answer::Choice(index), Scale::Choice(scale)) => scale
                .labels
                .get(index as usize)
                .cloned()
                .unwrap_or_default(),
            _ => String::new(),
        }
    }
}

impl NumberScale {
    /// Why `value` is not an answer on this scale, as the end of a sentence; `None` if it is one.
    pub fn reject(&self, value: f64) -> Option<String> {
        if !value.is_finite() {
            return Some("is not a finite number".into());
        }
        if value < self.min || value > self.max {
            return Some(format!(
                "lies outside {} to {} {}",
                self.min, self.max, self.unit
            ));
        }
        (self.integer && value.fract() != 0.0).then(|| "is not a whole number".into())
    }

    /// Length of the scale, in its unit.
    pub fn width(&self) -> f64 {
        self.max - self.min
    }
}

impl ChoiceScale {
    /// Index of a label: exact match first, then without regard to case if that is unambiguous.
    pub fn index(&self, text: &str) -> Option<u32> {
        if let Some(i) = self.labels.iter().position(|l| l == text) {
            return Some(i as u32);
        }
        let folded = text.to_lowercase();
        let mut found = self
            .labels
            .iter()
            .enumerate()
            .filter(|(_, l)| l.to_lowercase() == folded);
        match (found.next(), found.next()) {
            (Some((i, _)), None) => Some(i as u32),
            _ => None,
        }
    }
}
