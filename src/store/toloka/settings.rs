//! What a pool of the API is beside the settings that all pools have.

use super::quality::Collector;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Votes wanted of a task or suite that everybody may get.
pub const ENDLESS: i64 = 1_000_000_000;

/// What the API says of a pool, compiled when it is made or changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ApiPool {
    /// What a task has to show.
    pub inputs: Vec<Input>,
    /// How answers are written for the requester.
    pub outputs: Vec<Output>,
    /// Rules that act as those of Toloka do.
    pub collectors: Vec<Collector>,
    /// Who may work here, as the pool's `filter`.
    pub filter: Option<Value>,
    /// The pool closes so long after its last vote.
    pub auto_close_ms: i64,
    /// The pool closes at this time.
    pub will_expire: Option<i64>,
    /// Submitted suites are accepted after this time, unless they were judged.
    pub auto_accept_ms: Option<i64>,
    /// Votes wanted where a task does not say.
    pub task_overlap: Option<i64>,
    /// The same for suites put together by hand.
    pub suite_overlap: Option<i64>,
    /// Whether tasks are mixed into suites by the server.
    pub mixes: bool,
    /// Pools with more go first.
    pub priority: i64,
}

/// A field of a task's input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub kind: InputKind,
}

/// What becomes of a field of a task's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputKind {
    /// The address of a picture, which the server fetches and shows.
    Picture,
    /// A text to show.
    Text,
    /// The requester's own.
    Hidden,
}

/// A field of the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Its name, and the question's.
    pub name: String,
    /// Its type.
    pub kind: OutputKind,
}

/// Types of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputKind {
    /// A number.
    Number,
    /// One of several texts.
    Text,
    /// One of several numbers.
    Code,
    /// Yes or no.
    Boolean,
}

impl ApiPool {
    /// What an annotator is shown of a task: its picture's address is left out, for the server to give one of its own.
    pub fn shown(&self, content: &Value) -> Value {
        let mut shown = Map::new();
        if self.picture(content).is_some() {
            // Any text: what stands here is replaced by an address that says nothing.
            shown.insert("picture".into(), Value::from("by address"));
        }
        let texts: Vec<(&str, String)> = self
            .inputs
            .iter()
            .filter(|input| input.kind == InputKind::Text)
            .filter_map(|input| match &content["input"][&input.name] {
                Value::Null => None,
                Value::String(text) => Some((input.name.as_str(), text.clone())),
                other => Some((input.name.as_str(), other.to_string())),
            })
            .collect();
        match texts.as_slice() {
            [] => {}
            [(_, one)] => {
                shown.insert("text".into(), Value::from(one.as_str()));
            }
            many => {
                let lines: Vec<String> = many.iter().map(|(n, t)| format!("{n}: {t}")).collect();
                shown.insert("text".into(), Value::from(lines.join("\n")));
            }
        }
        Value::Object(shown)
    }

    /// The address of a task's picture.
    pub fn picture<'c>(&self, content: &'c Value) -> Option<&'c str> {
        self.inputs
            .iter()
            .filter(|input| input.kind == InputKind::Picture)
            .find_map(|input| content["input"][&input.name].as_str())
    }

    /// Answers as the requester gets them: labels in the types of the project.
    pub fn output(&self, stored: &Value) -> Value {
        let mut output = Map::new();
        for field in &self.outputs {
            let value = match (&stored[&field.name], field.kind) {
                (Value::Null, _) => continue,
                (Value::String(text), OutputKind::Boolean) => Value::from(text == "true"),
                (Value::String(text), OutputKind::Code) => {
                    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()))
                }
                (other, _) => other.clone(),
            };
            output.insert(field.name.clone(), value);
        }
        Value::Object(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pool() -> ApiPool {
        let input = |name: &str, kind| Input {
            name: name.into(),
            kind,
        };
        let output = |name: &str, kind| Output {
            name: name.into(),
            kind,
        };
        ApiPool {
            inputs: vec![
                input("image", InputKind::Picture),
                input("id", InputKind::Hidden),
                input("hint", InputKind::Text),
            ],
            outputs: vec![
                output("age", OutputKind::Number),
                output("adult", OutputKind::Boolean),
                output("stars", OutputKind::Code),
            ],
            ..ApiPool::default()
        }
    }

    #[test]
    fn what_is_hidden_and_where_a_picture_lies_is_not_shown() {
        let content = json!({"input": {"image": "https://a/control/7.jpg", "id": "control 7", "hint": "look well"}});
        let shown = pool().shown(&content);
        assert_eq!(shown["text"], "look well");
        assert!(!shown.to_string().contains("control"), "{shown}");
        assert_eq!(pool().picture(&content), Some("https://a/control/7.jpg"));
    }

    #[test]
    fn labels_come_back_in_the_types_of_the_project() {
        let stored = json!({"age": 34, "adult": "true", "stars": "5"});
        assert_eq!(
            pool().output(&stored),
            json!({"age": 34, "adult": true, "stars": 5})
        );
        assert_eq!(pool().output(&json!({"age": null})), json!({}));
    }
}
