//! Pictures with answers as tags, in the form that CVAT calls "CVAT for images 1.1", and the label that belongs to them.

use super::escape;
use crate::{Result, files::write_atomically};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::Path,
};
use veche_pools::{Answer, Question, Scale};

/// The one label; its attributes are the questions.
pub const LABEL: &str = "item";

/// One picture.
#[derive(Debug, Clone, PartialEq)]
pub struct CvatImage {
    /// File name as CVAT has it.
    pub name: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// What is said about it.
    pub objects: Vec<CvatObject>,
}

/// Answers about a picture, or about one thing in it.
#[derive(Debug, Clone, PartialEq)]
pub struct CvatObject {
    /// Left, upper, right and lower edge of the box the answers are about; where there is none, the whole picture.
    pub at: Option<[f64; 4]>,
    /// Name and value of each attribute.
    pub answers: Vec<(String, String)>,
}

/// What an attribute may be.
struct Attribute {
    name: String,
    kind: &'static str,
    values: Vec<String>,
}

/// The question as attribute. Nothing is filled in beforehand: an answer that was never touched reads as unsure.
fn attribute(question: &Question) -> Attribute {
    let (kind, values) = match &question.scale {
        // CVAT fills number fields in with a number, which would count as an answer.
        Scale::Number(_) => ("text", vec!["?".to_owned()]),
        Scale::Choice(s) => {
            let unsure = std::iter::once("?".to_owned());
            ("select", unsure.chain(s.labels.iter().cloned()).collect())
        }
    };
    Attribute {
        name: question.name.clone(),
        kind,
        values,
    }
}

/// The label as CVAT's raw constructor takes it.
pub fn labels(questions: &[Question]) -> Value {
    let attributes: Vec<Value> = questions
        .iter()
        .map(attribute)
        .map(|a| {
            json!({"name": a.name, "input_type": a.kind, "mutable": false, "values": a.values, "default_value": "?"})
        })
        .collect();
    json!([{"name": LABEL, "type": "any", "attributes": attributes}])
}

/// Answers as attribute values, in the order of the questions; those that are missing are left out.
pub fn values(questions: &[Question], answers: &[Option<Answer>]) -> Vec<(String, String)> {
    questions
        .iter()
        .zip(answers)
        .filter_map(|(q, a)| Some((q.name.clone(), q.write((*a)?))))
        .collect()
}

/// Writes the file. `source` says who gave the answers: `auto` for a network, `manual` for people.
pub fn write(
    path: &Path,
    title: &str,
    questions: &[Question],
    images: &[CvatImage],
    source: &str,
) -> Result<()> {
    write_atomically(path, |w| {
        write!(
            w,
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n      \
             <name>{}</name>\n      <size>{}</size>\n      <mode>annotation</mode>\n      <labels>\n        <label>\n          \
             <name>{LABEL}</name>\n          <attributes>\n",
            escape(title),
            images.len()
        )?;
        for a in questions.iter().map(attribute) {
            writeln!(
                w,
                "            <attribute>\n              <name>{}</name>\n              <mutable>False</mutable>\n              \
                 <input_type>{}</input_type>\n              <default_value>?</default_value>\n              \
                 <values>{}</values>\n            </attribute>",
                escape(&a.name),
                a.kind,
                escape_lines(&a.values)
            )?;
        }
        w.write_all(
            b"          </attributes>\n        </label>\n      </labels>\n    </task>\n  </meta>\n",
        )?;
        for (id, image) in images.iter().enumerate() {
            picture(w, id, image, source)?;
        }
        w.write_all(b"</annotations>\n")
    })
}

fn picture(w: &mut impl Write, id: usize, image: &CvatImage, source: &str) -> io::Result<()> {
    let name = escape(&image.name);
    let (width, height) = (image.width, image.height);
    let head =
        format!("  <image id=\"{id}\" name=\"{name}\" width=\"{width}\" height=\"{height}\"");
    if image.objects.is_empty() {
        return writeln!(w, "{head}/>");
    }
    writeln!(w, "{head}>")?;
    for object in &image.objects {
        let kind = match object.at {
            Some([left, upper, right, lower]) => {
                writeln!(
                    w,
                    "    <box label=\"{LABEL}\" source=\"{source}\" occluded=\"0\" xtl=\"{left:.2}\" ytl=\"{upper:.2}\" \
                     xbr=\"{right:.2}\" ybr=\"{lower:.2}\" z_order=\"0\">"
                )?;
                "box"
            }
            None => {
                writeln!(w, "    <tag label=\"{LABEL}\" source=\"{source}\">")?;
                "tag"
            }
        };
        for (name, value) in &object.answers {
            writeln!(
                w,
                "      <attribute name=\"{}\">{}</attribute>",
                escape(name),
                escape(value)
            )?;
        }
        writeln!(w, "    </{kind}>")?;
    }
    writeln!(w, "  </image>")
}

fn escape_lines(values: &[String]) -> String {
    let lines: Vec<String> = values.iter().map(|v| escape(v)).collect();
    lines.join("\n")
}
