//! What the inputs and outputs of an ONNX network mean, as a small TOML text: beside the file for networks from elsewhere, inside it (as
//! metadata) for those that veche imported.
//!
//! ```toml
//! name = "FairFace ResNet-34"
//! licence = "CC BY 4.0"
//!
//! [input]
//! size = 224                     # side of the square, pixels
//! crop = "face"                  # face, body, wide, or face+body (six channels)
//! layout = "nchw"                # or nhwc
//! channels = "rgb"               # or bgr
//! letterbox = false              # stretch to the square
//! mean = [0.485, 0.456, 0.406]   # of values in 0..1
//! std = [0.229, 0.224, 0.225]
//!
//! [age]
//! output = "logits"              # name; may be left out if the network has one output
//! columns = [9, 18]              # from, to (exclusive); all columns without it
//! values = "logits"              # years, logits or probabilities
//! midpoints = [1, 6, 14.5, 24.5, 34.5, 44.5, 54.5, 64.5, 75]   # of the classes, years
//!
//! [sex]
//! output = "logits"
//! columns = [7, 9]
//! values = "logits"              # logits or probabilities
//! male = 0                       # which of the columns, counted from the first of them
//! ```
//!
//! Over 600 lines, and whole: reading, checking and writing of one format, and its errors.

use super::{
    backend::Output,
    onnx::proto::ModelHead,
    source::Source,
    spec::{About, Answer, Crop, InputSpec, Layout},
};
use crate::{Problem, Result, problem};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

/// Key of the description in a model's metadata.
pub const KEY: &str = "veche.description";

/// A description as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The network's name.
    pub name: String,
    /// Its licence, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// What it takes.
    pub input: Input,
    /// How its age is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<Age>,
    /// How its sex is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
}

/// `[input]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name; the network's only input without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Side of the square, pixels.
    pub size: u32,
    /// What it is meant to see.
    pub crop: Sees,
    /// Order in memory.
    #[serde(default = "nchw")]
    pub layout: Layout,
    /// Order of colours.
    #[serde(default)]
    pub channels: Colours,
    /// Whether the crop keeps its shape.
    #[serde(default)]
    pub letterbox: bool,
    /// Subtracted from values in 0..1.
    #[serde(default = "imagenet_mean")]
    pub mean: [f32; 3],
    /// Divides them.
    #[serde(default = "imagenet_std")]
    pub std: [f32; 3],
}

/// What a network is meant to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sees {
    /// The face.
    #[serde(rename = "face")]
    Face,
    /// The body.
    #[serde(rename = "body")]
    Body,
    /// The face and what is around it.
    #[serde(rename = "wide")]
    Wide,
    /// Both, the face first.
    #[serde(rename = "face+body")]
    Both,
}

/// Order of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colours {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// What an output's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Values {
    /// One number: `scale · value + offset` years.
    Years,
    /// Logits of classes.
    Logits,
    /// Probabilities of classes.
    Probabilities,
}

/// `[age]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Age {
    /// Name of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Columns from, to (exclusive).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<[usize; 2]>,
    /// What they are.
    pub values: Values,
    /// With `years`: the factor.
    #[serde(default = "one")]
    pub scale: f32,
    /// With `years`: added after it.
    #[serde(default)]
    pub offset: f32,
    /// With classes: the age that each stands for, years.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub midpoints: Vec<f32>,
}

/// `[sex]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sex {
    /// Name of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Columns from, to (exclusive): two, or one that is of male or of female.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<[usize; 2]>,
    /// What they are.
    pub values: Values,
    /// Which of the columns is male, from 0. With a single column: 0 if it is of male, 1 if it is of female.
    #[serde(default)]
    pub male: usize,
}

fn nchw() -> Layout {
    Layout::Nchw
}

fn imagenet_mean() -> [f32; 3] {
    InputSpec::IMAGENET_MEAN
}

fn imagenet_std() -> [f32; 3] {
    InputSpec::IMAGENET_STD
}

fn one() -> f32 {
    1.0
}

/// A checked description, tied to a model's inputs and outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// What callers give.
    pub input: InputSpec,
    /// Name of the model's input.
    pub input_name: String,
    /// How many photos a run takes, if the model takes a fixed number.
    pub batch: Option<usize>,
    /// Names of the outputs that are read, each once; sex before age if both are asked of different ones.
    pub outputs: Vec<String>,
    colours: Colours,
    age: Option<(usize, Age)>,
    sex: Option<(usize, Sex)>,
}

/// The recipe of a model and what is known about it.
///
/// # Errors
/// A file that is no ONNX model, a description that cannot be read or does not fit.
pub fn of(source: Source<'_>, description: Option<&Path>) -> Result<(Recipe, About)> {
    let (head, path) = (source.head()?, source.path());
    let (text, from) = match description {
        Some(from) => {
            let text = fs::read_to_string(from)
                .map_err(|e| Problem::io("read the description", from, &e))?;
            (text, from)
        }
        None => match metadata(&head, KEY) {
            Some(text) => (text, path),
            None => {
                return problem("the model does not say what its inputs and outputs mean")
                    .file(path)
                    .hint("describe it in a few lines of TOML and give --description FILE; docs/formats.md has an example")
                    .fail();
            }
        },
    };
    let description = parse(&text).map_err(|p| Box::new(p.file(from)))?;
    let recipe = Recipe::new(&description, &head).map_err(|p| Box::new(p.file(from)))?;
    Ok((recipe, about(&description, &head)))
}

/// Reads a description.
///
/// # Errors
/// Text that is no TOML, keys that are unknown or missing, values that make no sense.
pub fn parse(text: &str) -> Result<Description> {
    let description: Description = toml::from_str(text).map_err(|e| {
        problem(format!(
            "the description of the network cannot be read: {}",
            e.message()
        ))
        .hint("docs/formats.md has an example with every key")
    })?;
    let input = &description.input;
    let wrong =
        |what: &str| problem(format!("the description of the network is wrong: {what}")).fail();
    if input.size == 0 || input.size > 4096 {
        return wrong("size is between 1 and 4096 pixels");
    }
    if !input.mean.iter().chain(&input.std).all(|v| v.is_finite()) || input.std.contains(&0.0) {
        return wrong("mean and std are numbers, and std is not 0");
    }
    if description.age.is_none() && description.sex.is_none() {
        return wrong("it has neither [age] nor [sex]");
    }
    let bad_columns =
        |c: Option<[usize; 2]>| c.is_some_and(|[from, to]| from >= to || to > 100_000);
    if let Some(age) = &description.age {
        let classes = age.midpoints.len();
        if bad_columns(age.columns) {
            return wrong("columns of [age] are [from, to] with from below to");
        }
        match (age.values, age.columns) {
            (Values::Years, Some([from, to])) if to - from != 1 => {
                return wrong("years stand in one column");
            }
            (Values::Years, _) if classes > 0 => {
                return wrong(
                    "midpoints belong to classes (values = \"logits\" or \"probabilities\")",
                );
            }
            (Values::Years, _) => {}
            (_, _) if classes == 0 => return wrong("classes of age need their midpoints"),
            (_, Some([from, to])) if to - from != classes => {
                return wrong("there must be one midpoint for each column of [age]");
            }
            _ => {}
        }
        let numbers = age.midpoints.iter().chain([&age.scale, &age.offset]);
        if !numbers.into_iter().all(|v| v.is_finite()) {
            return wrong("midpoints, scale and offset are numbers");
        }
    }
    if let Some(sex) = &description.sex {
        let width = sex.columns.map_or(2, |[from, to]| to.saturating_sub(from));
        if bad_columns(sex.columns) || width > 2 {
            return wrong("columns of [sex] are two, [from, from + 2], or one");
        }
        if sex.values == Values::Years {
            return wrong("values of [sex] are logits or probabilities");
        }
        if sex.male > 1 {
            return wrong("male in [sex] is 0 or 1");
        }
    }
    Ok(description)
}

/// A piece of a model's metadata.
pub fn metadata(head: &ModelHead, key: &str) -> Option<String> {
    let mut entries = head.metadata.iter();
    let found = entries.find(|e| e.key.as_deref() == Some(key))?;
    found.value.clone()
}

fn about(description: &Description, head: &ModelHead) -> About {
    About {
        variant: metadata(head, "veche.variant").unwrap_or_else(|| description.name.clone()),
        source_blake3: metadata(head, "veche.source_blake3"),
        source: metadata(head, "veche.source"),
        licence: metadata(head, "veche.licence").or_else(|| description.licence.clone()),
        weights: metadata(head, "veche.weights"),
        backend: String::new(),
        published: metadata(head, "veche.published"),
    }
}

impl Recipe {
    /// Ties a description to a model.
    ///
    /// # Errors
    /// Inputs or outputs that are not there, or of another size.
    pub fn new(description: &Description, head: &ModelHead) -> Result<Self> {
        let input = &description.input;
        let sees = input.crop;
        let spec = InputSpec {
            size: input.size,
            face: matches!(sees, Sees::Face | Sees::Both),
            body: !matches!(sees, Sees::Face),
            mean: input.mean,
            std: input.std,
            crop: match sees {
                Sees::Face | Sees::Both => Crop::Face,
                Sees::Body => Crop::Body,
                Sees::Wide => Crop::Wide,
            },
            layout: input.layout,
            letterbox: input.letterbox,
        };
        let graph = head
            .graph
            .as_ref()
            .ok_or_else(|| problem("is no ONNX model"))?;
        let is_weight = |name: &str| {
            graph
                .initializer
                .iter()
                .any(|t| t.name.as_deref() == Some(name))
        };
        let inputs: Vec<&str> = graph
            .input
            .iter()
            .filter_map(|v| v.name.as_deref())
            .filter(|n| !is_weight(n))
            .collect();
        let input_name = chosen("input", input.name.as_deref(), &inputs)?;
        let dims = graph
            .input
            .iter()
            .find(|v| v.name.as_deref() == Some(input_name.as_str()))
            .and_then(|v| v.kind.as_ref()?.tensor.as_ref()?.shape.as_ref())
            .map(|s| s.dim.iter().map(|d| d.value).collect::<Vec<_>>());
        let (channels, size) = (spec.channels() as i64, i64::from(spec.size));
        let wanted = match spec.layout {
            Layout::Nchw => [channels, size, size],
            Layout::Nhwc => [size, size, channels],
        };
        let mut batch = None;
        if let Some(dims) = dims {
            // Zero and below are ways of saying "any", too.
            let fits = dims.len() == 4
                && dims[1..]
                    .iter()
                    .zip(wanted)
                    .all(|(d, want)| d.is_none_or(|d| d <= 0 || d == want));
            if !fits {
                let there: Vec<String> = dims
                    .iter()
                    .map(|d| d.map_or("any".into(), |d| d.to_string()))
                    .collect();
                return problem(format!(
                    "the input {input_name} takes {} instead of any × {} × {} × {}",
                    there.join(" × "),
                    wanted[0],
                    wanted[1],
                    wanted[2]
                ))
                .hint("correct size, crop or layout under [input]")
                .fail();
            }
            batch = dims[0]
                .filter(|&d| d > 0)
                .and_then(|d| usize::try_from(d).ok());
            if batch.is_some_and(|b| b > 65_536) {
                return problem(format!(
                    "the model takes {} photos at once",
                    batch.unwrap_or(0)
                ))
                .fail();
            }
        }
        let there: Vec<&str> = graph
            .output
            .iter()
            .filter_map(|v| v.name.as_deref())
            .collect();
        let mut outputs: Vec<String> = Vec::new();
        let mut place = |wanted: Option<&str>| -> Result<usize> {
            let name = chosen("output", wanted, &there)?;
            Ok(outputs.iter().position(|o| *o == name).unwrap_or_else(|| {
                outputs.push(name);
                outputs.len() - 1
            }))
        };
        let sex = match &description.sex {
            Some(sex) => Some((place(sex.output.as_deref())?, sex.clone())),
            None => None,
        };
        let age = match &description.age {
            Some(age) => Some((place(age.output.as_deref())?, age.clone())),
            None => None,
        };
        Ok(Self {
            input: spec,
            input_name,
            batch,
            outputs,
            colours: input.channels,
            age,
            sex,
        })
    }

    /// Of a network whose outputs are taken as they are: any batch, planes of red, green and blue.
    pub fn plain(input: InputSpec, input_name: String, outputs: Vec<String>) -> Self {
        Self {
            input,
            input_name,
            batch: None,
            outputs,
            colours: Colours::Rgb,
            age: None,
            sex: None,
        }
    }

    /// Whether planes of red, green and blue are what the model takes.
    pub fn as_given(&self) -> bool {
        self.input.layout == Layout::Nchw && self.colours == Colours::Rgb
    }

    /// Planes of red, green and blue in the order that the model wants.
    pub fn arrange(&self, pixels: &[f32], into: &mut Vec<f32>) {
        let area = (self.input.size * self.input.size) as usize;
        let channels = self.input.channels();
        into.clear();
        into.reserve(pixels.len());
        let from = |channel: usize| match self.colours {
            Colours::Rgb => channel,
            Colours::Bgr => channel / 3 * 3 + 2 - channel % 3,
        };
        for photo in pixels.chunks_exact(channels * area) {
            match self.input.layout {
                Layout::Nchw => {
                    for channel in 0..channels {
                        into.extend_from_slice(&photo[from(channel) * area..][..area]);
                    }
                }
                Layout::Nhwc => {
                    for at in 0..area {
                        into.extend((0..channels).map(|c| photo[from(c) * area + at]));
                    }
                }
            }
        }
    }

    /// What outputs of `n` photos mean.
    ///
    /// # Errors
    /// Outputs of another width, or that are not numbers.
    pub fn answers(&self, outputs: &[Output], n: usize) -> Result<Vec<Answer>> {
        let mut answers = vec![Answer::default(); n];
        if n == 0 {
            return Ok(answers);
        }
        if let Some((place, age)) = &self.age {
            let rows = Rows::new(&outputs[*place], n, age.columns)?;
            let needed = match age.values {
                Values::Years => 1,
                _ => age.midpoints.len(),
            };
            rows.needs(needed, "age")?;
            for (i, answer) in answers.iter_mut().enumerate() {
                let row = rows.row(i);
                let years = match age.values {
                    Values::Years => age.scale * row[0] + age.offset,
                    Values::Probabilities => {
                        let sum: f32 = row.iter().sum();
                        weighted(row, &age.midpoints) / if sum > 0.0 { sum } else { 1.0 }
                    }
                    Values::Logits => weighted(&softmax(row), &age.midpoints),
                };
                answer.age = Some(rows.finite(years)?);
            }
        }
        if let Some((place, sex)) = &self.sex {
            let rows = Rows::new(&outputs[*place], n, sex.columns)?;
            if rows.width != 1 {
                rows.needs(2, "sex")?;
            }
            for (i, answer) in answers.iter_mut().enumerate() {
                let row = rows.row(i);
                let male = match (sex.values, row) {
                    (Values::Logits, [one]) => 1.0 / (1.0 + (-one).exp()),
                    (_, [one]) => *one,
                    (Values::Logits, _) => softmax(row)[sex.male],
                    (_, _) => row[sex.male],
                };
                let male = if row.len() == 1 && sex.male == 1 {
                    1.0 - male
                } else {
                    male
                };
                answer.male = Some(rows.finite(male)?);
            }
        }
        Ok(answers)
    }
}

/// The columns of an output that matter, photo by photo.
struct Rows<'a> {
    output: &'a Output,
    from: usize,
    width: usize,
    each: usize,
}

impl<'a> Rows<'a> {
    fn new(output: &'a Output, n: usize, columns: Option<[usize; 2]>) -> Result<Self> {
        let each = output.values.len() / n;
        if each * n != output.values.len() || each == 0 {
            return problem(format!(
                "the output {} has the shape {:?} for {n} photos",
                output.name, output.shape
            ))
            .fail();
        }
        let [from, to] = columns.unwrap_or([0, each]);
        if to > each {
            return problem(format!(
                "the output {} has {each} columns; the description asks for {from} to {to}",
                output.name
            ))
            .fail();
        }
        Ok(Self {
            output,
            from,
            width: to - from,
            each,
        })
    }

    fn needs(&self, width: usize, what: &str) -> Result<()> {
        if self.width == width {
            return Ok(());
        }
        problem(format!(
            "the output {} has {} columns for [{what}]; the description needs {width}",
            self.output.name, self.width
        ))
        .hint("give `columns = [from, to]`")
        .fail()
    }

    fn row(&self, i: usize) -> &[f32] {
        &self.output.values[i * self.each + self.from..][..self.width]
    }

    fn finite(&self, value: f32) -> Result<f32> {
        if value.is_finite() {
            return Ok(value);
        }
        problem(format!("the network answered {value} in {}", self.output.name))
            .hint("half-precision computation can overflow: run it on the processor, or import it without --fp16")
            .fail()
    }
}

fn chosen(what: &str, wanted: Option<&str>, there: &[&str]) -> Result<String> {
    let listed = there
        .iter()
        .take(20)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match wanted {
        Some(name) if there.contains(&name) => Ok(name.to_owned()),
        Some(name) => problem(format!("the model has no {what} of this name"))
            .value(name)
            .hint(format!("it has {listed}"))
            .fail(),
        None if there.len() == 1 => Ok(there[0].to_owned()),
        None => problem(format!("the model has {} {what}s: {listed}", there.len()))
            .hint(format!(
                "say which in the description: `{}`",
                if what == "input" {
                    "name = \"…\" under [input]"
                } else {
                    "output = \"…\""
                }
            ))
            .fail(),
    }
}

/// Σ share · midpoint.
fn weighted(shares: &[f32], midpoints: &[f32]) -> f32 {
    shares.iter().zip(midpoints).map(|(p, m)| p * m).sum()
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f32> = logits.iter().map(|l| (l - most).exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.into_iter().map(|e| e / sum).collect()
}

#[cfg(test)]
#[path = "description_tests.rs"]
mod tests;
