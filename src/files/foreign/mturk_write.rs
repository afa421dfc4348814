//! A batch for Amazon Mechanical Turk: a row per HIT, which shows one suite, and a page that shows it.

use super::escape;
use crate::{
    Result,
    files::{rows::Rows, write_atomically},
};
use std::{fmt::Write as _, path::Path};
use veche_pools::{Question, Scale};

/// Writes the input of a batch: `suite`, then per place `task_n` and `picture_n` (or `text_n`), from 1. Suites shorter than the
/// longest end in empty cells.
pub fn write_batch(path: &Path, suites: &[Vec<(String, String)>], text: bool) -> Result<()> {
    let longest = suites.iter().map(Vec::len).max().unwrap_or(0);
    let shown = if text { "text" } else { "picture" };
    write_atomically(path, |w| {
        let mut rows = Rows::new(w, b',', false);
        rows.cell("suite")?;
        for place in 1..=longest {
            rows.cells([format!("task_{place}"), format!("{shown}_{place}")])?;
        }
        rows.end()?;
        for (at, suite) in suites.iter().enumerate() {
            rows.cell(&(at + 1).to_string())?;
            for place in 0..longest {
                let (task, what) = suite.get(place).map_or(("", ""), |(t, w)| (t, w));
                rows.cells([task, what])?;
            }
            rows.end()?;
        }
        Ok(())
    })
}

/// The design of the HIT: a form with the pictures of a suite and under each its questions, whose fields are called
/// `QUESTION_place`, so that the answers come back as `Answer.QUESTION_place`.
pub fn layout(questions: &[Question], places: usize, text: bool) -> String {
    let mut html = String::from(
        "<script src=\"https://assets.crowd.aws/crowd-html-elements.js\"></script>\n<crowd-form answer-format=\"flatten-objects\">\n",
    );
    for place in 1..=places {
        html += &if text {
            format!("  <p>${{text_{place}}}</p>\n")
        } else {
            format!("  <img src=\"${{picture_{place}}}\" alt=\"\" style=\"max-width: 100%\">\n")
        };
        for question in questions {
            let prompt = escape(&question.prompt);
            let name = escape(&question.name);
            match &question.scale {
                Scale::Number(s) => {
                    let step = if s.integer { "1" } else { "any" };
                    let _ = writeln!(
                        html,
                        "  <p><label>{prompt} <input type=\"number\" name=\"{name}_{place}\" min=\"{}\" max=\"{}\" step=\"{step}\" required></label></p>",
                        s.min, s.max
                    );
                }
                Scale::Choice(s) => {
                    let _ = write!(html, "  <fieldset><legend>{prompt}</legend>");
                    for label in &s.labels {
                        let label = escape(label);
                        let _ = write!(
                            html,
                            "<label><input type=\"radio\" name=\"{name}_{place}\" value=\"{label}\" required> {label}</label> "
                        );
                    }
                    html += "</fieldset>\n";
                }
            }
        }
    }
    html + "</crowd-form>\n"
}
