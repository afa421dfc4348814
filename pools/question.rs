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

#[cfg(test)]
mod tests {
    use super::*;

    fn number(name: &str, min: f64, max: f64, integer: bool) -> Question {
        Question {
            name: name.into(),
            prompt: "?".into(),
            scale: Scale::Number(NumberScale {
                min,
                max,
                unit: "years".into(),
                integer,
            }),
        }
    }

    fn choice(labels: &[&str]) -> Question {
        let labels = labels.iter().map(|&l| l.to_owned()).collect();
        Question {
            name: "sex".into(),
            prompt: "?".into(),
            scale: Scale::Choice(ChoiceScale { labels }),
        }
    }

    #[test]
    fn a_question_is_refused_for_its_name_bounds_or_labels() {
        assert!(number("age", 0.0, 120.0, true).check().is_ok());
        assert!(number("возраст_1", 0.0, 120.0, true).check().is_ok());
        for name in ["", "how old", "a,b", "a\n"] {
            assert!(number(name, 0.0, 1.0, false).check().is_err(), "{name:?}");
        }
        for (min, max) in [
            (1.0, 1.0),
            (2.0, 1.0),
            (f64::NAN, 1.0),
            (0.0, f64::INFINITY),
        ] {
            assert!(
                number("age", min, max, false).check().is_err(),
                "{min} {max}"
            );
        }
        assert!(choice(&["f", "m"]).check().is_ok());
        for labels in [&[][..], &["f"], &["f", "f"], &["f", " "]] {
            assert!(choice(labels).check().is_err(), "{labels:?}");
        }
    }

    #[test]
    fn numbers_are_read_with_point_or_comma_and_checked_against_the_scale() {
        let age = number("age", 0.0, 120.0, false);
        assert_eq!(age.read(" 34 "), Ok(Answer::Number(34.0)));
        assert_eq!(age.read("34.5"), Ok(Answer::Number(34.5)));
        assert_eq!(age.read("34,5"), Ok(Answer::Number(34.5)));
        assert_eq!(age.read("0"), Ok(Answer::Number(0.0)));
        assert_eq!(age.read("120"), Ok(Answer::Number(120.0)));
        for bad in ["120.5", "-1", "NaN", "inf", "1e308", "1,234,5", "thirty"] {
            assert!(age.read(bad).is_err(), "{bad}");
        }
        assert!(number("age", 0.0, 120.0, true).read("34.5").is_err());
    }

    #[test]
    fn a_refusal_names_question_value_and_reason() {
        let refused = number("age", 0.0, 120.0, true).read("212").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "age: \"212\" lies outside 0 to 120 years"
        );
        let refused = choice(&["female", "male"]).read("x").unwrap_err();
        assert_eq!(refused.to_string(), "sex: \"x\" is not one of female, male");
    }

    #[test]
    fn empty_text_means_unsure() {
        assert_eq!(
            number("age", 0.0, 1.0, false).read("  "),
            Ok(Answer::Unsure)
        );
        assert_eq!(choice(&["f", "m"]).read(""), Ok(Answer::Unsure));
    }

    #[test]
    fn labels_are_found_exactly_first_then_without_case_if_that_is_unambiguous() {
        let q = choice(&["Cat", "cat", "Dog"]);
        assert_eq!(q.read("cat"), Ok(Answer::Choice(1)));
        assert_eq!(q.read("Cat"), Ok(Answer::Choice(0)));
        assert_eq!(q.read("DOG"), Ok(Answer::Choice(2)));
        assert!(q.read("CAT").is_err(), "two labels fit");
        assert_eq!(
            choice(&["Женщина", "Мужчина"]).read("мужчина"),
            Ok(Answer::Choice(1))
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let age = number("age", -1e3, 1e3, false);
        for answer in [
            Answer::Number(0.1 + 0.2),
            Answer::Number(-7.0),
            Answer::Unsure,
        ] {
            assert_eq!(age.read(&age.write(answer)), Ok(answer));
        }
        let sex = choice(&["f", "m"]);
        for answer in [Answer::Choice(0), Answer::Choice(1), Answer::Unsure] {
            assert_eq!(sex.read(&sex.write(answer)), Ok(answer));
        }
    }
}
