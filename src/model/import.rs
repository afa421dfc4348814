//! A MiVOLO checkpoint becomes an ONNX file.

use super::{
    checkpoint::Checkpoint,
    description::{self, Age, Colours, Description, Input, Sees, Sex, Values},
    onnx::{
        Storage, file,
        mivolo::{self, Ages},
        proto::{Entry, Model, OperatorSet},
    },
    spec::{InputSpec, Layout},
    variant::Variant,
};
use crate::{Problem, Result, problem};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Gelu became an operator in this set; it is read by ONNX Runtime ≥ 1.17, OpenVINO, TensorRT 10 and tract.
const OPSET: i64 = 20;
/// The file format of onnx 1.15, which brought that set.
const IR: i64 = 9;

/// A model of ours without graph and metadata.
pub fn model() -> Model {
    Model {
        ir_version: Some(IR),
        producer_name: Some("veche".to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        graph: None,
        opset_import: vec![OperatorSet {
            domain: Some(String::new()),
            version: Some(OPSET),
        }],
        metadata: Vec::new(),
    }
}

/// What was found and made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Imported {
    /// Name of the variant.
    pub variant: String,
    /// `torch.save (zip)` and so on.
    pub format: &'static str,
    /// The key under which the weights stood.
    pub weights_from: Option<String>,
    /// Other sets of weights in the file, not taken.
    pub not_taken: Vec<String>,
    /// Tensors used.
    pub tensors: usize,
    /// Numbers in them (without BatchNorm's statistics).
    pub parameters: usize,
    /// `fds.*` tensors left out.
    pub skipped: usize,
    /// Youngest, oldest and middle age, years.
    pub ages: [f64; 3],
    /// BLAKE3 of the checkpoint.
    pub source_blake3: String,
    /// How weights are stored.
    pub weights: &'static str,
    /// Operators in the graph.
    pub nodes: usize,
    /// Bytes written.
    pub bytes: u64,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// Imports `checkpoint` to `out`. `ages` (youngest, oldest, middle) stand in for those the file lacks.
///
/// # Errors
/// A checkpoint that cannot be read, is no MiVOLO, lacks tensors or its ages; an error of writing.
pub fn import(
    path: &Path,
    out: &Path,
    storage: Storage,
    ages: Option<[f64; 3]>,
) -> Result<Imported> {
    let mut checkpoint = Checkpoint::open(path)?;
    let shapes = checkpoint.shapes();
    let at = |p: Box<Problem>| Box::new(p.file(path));
    let variant = Variant::infer(&shapes).map_err(at)?;
    variant.check(&shapes).map_err(at)?;
    let mut warnings = Vec::new();
    let numbers = checkpoint.numbers;
    let ages = match (ages, numbers.min_age, numbers.max_age, numbers.avg_age) {
        (Some(given), min, max, mean) => {
            let found = [min, max, mean];
            if found.iter().flatten().count() == 3 && found.map(|n| n.unwrap_or(0.0)) != given {
                warnings.push(
                    format!("the checkpoint's own ages {found:?} were overruled by --ages")
                        .replace("Some(", "")
                        .replace(')', ""),
                );
            }
            given
        }
        (None, Some(min), Some(max), Some(mean)) => [min, max, mean],
        _ => {
            return problem("the checkpoint does not say its youngest, oldest and middle age (min_age, max_age, avg_age)")
                .file(path)
                .hint("for safetensors they stand in config.json beside it; otherwise give --ages MIN,MAX,MEAN as the training had them (MiVOLO: 1,95,48; v2: 0,122,61)")
                .fail();
        }
    };
    if !(ages.iter().all(|a| a.is_finite()) && ages[0] < ages[1]) {
        return problem("the youngest age must lie below the oldest")
            .file(path)
            .value(format!("{ages:?}"))
            .hint("give --ages MIN,MAX,MEAN")
            .fail();
    }
    if numbers
        .no_gender
        .is_some_and(|no| no != (variant.outputs == 1))
    {
        warnings.push(format!(
            "no_gender in the checkpoint does not fit its {} outputs",
            variant.outputs
        ));
    }
    if numbers
        .with_persons
        .is_some_and(|with| with != variant.two_inputs)
    {
        warnings.push("with_persons_model in the checkpoint does not fit its tensors".to_owned());
    }
    let source_blake3 = hash(path)?;
    let spread = Ages {
        min: ages[0],
        max: ages[1],
        mean: ages[2],
    };
    let (graph, weights) = mivolo::graph(&variant, spread, &mut checkpoint, storage)
        .map_err(|p| Box::new(if p.file.is_some() { *p } else { p.file(path) }))?;
    let description = toml::to_string(&describe(&variant))
        .map_err(|e| problem(format!("cannot write the description: {e}")))?;
    let source = path.file_name().map(|n| n.to_string_lossy().into_owned());
    let mut metadata = vec![
        (description::KEY, description),
        ("veche.variant", variant.name()),
        ("veche.source", source.unwrap_or_default()),
        ("veche.source_blake3", source_blake3.clone()),
        ("veche.weights", storage.name().to_owned()),
        ("veche.ages", format!("{} {} {}", ages[0], ages[1], ages[2])),
        ("veche.licence", LICENCE.to_owned()),
    ];
    if let Some(taken) = &checkpoint.taken {
        metadata.push(("veche.weights_from", taken.clone()));
    }
    if let Some(published) = variant.published() {
        let family = if variant.two_inputs { "mivolo" } else { "volo" };
        metadata.push(("veche.published", format!("{family}_{published}")));
    }
    let model = Model {
        metadata: metadata
            .into_iter()
            .map(|(key, value)| Entry {
                key: Some(key.to_owned()),
                value: Some(value),
            })
            .collect(),
        ..self::model()
    };
    let bytes = file::write(out, &model, &graph, &weights)?;
    let expected = variant.expected();
    Ok(Imported {
        variant: variant.name(),
        format: checkpoint.format,
        weights_from: checkpoint.taken.clone(),
        not_taken: checkpoint.not_taken.clone(),
        tensors: expected.len(),
        parameters: expected
            .iter()
            .filter(|(name, _)| !name.contains(".running_"))
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum(),
        skipped: checkpoint.skipped,
        ages,
        source_blake3,
        weights: storage.name(),
        nodes: graph.node.len(),
        bytes,
        warnings,
    })
}

const LICENCE: &str = "Converted by veche from a MiVOLO checkpoint, which its authors publish under terms of their own \
    (github.com/WildChlamydia/MiVOLO; the card of v2 says Apache-2.0): those terms hold for this file too.";

/// What MiVOLO takes and says.
fn describe(variant: &Variant) -> Description {
    let sex = (variant.outputs == 3).then(|| Sex {
        output: Some(mivolo::SEX.to_owned()),
        columns: None,
        values: Values::Logits,
        male: 0,
    });
    Description {
        name: variant.name(),
        licence: None,
        input: Input {
            name: Some(mivolo::INPUT.to_owned()),
            size: variant.size as u32,
            crop: if variant.two_inputs {
                Sees::Both
            } else {
                Sees::Face
            },
            layout: Layout::Nchw,
            channels: Colours::Rgb,
            letterbox: true,
            mean: InputSpec::IMAGENET_MEAN,
            std: InputSpec::IMAGENET_STD,
        },
        age: Some(Age {
            output: Some(mivolo::AGE.to_owned()),
            columns: None,
            values: Values::Years,
            scale: 1.0,
            offset: 0.0,
            midpoints: Vec::new(),
        }),
        sex,
    }
}

/// BLAKE3 of a file, in hexadecimal.
pub fn hash(path: &Path) -> Result<String> {
    let fail = |e: io::Error| Problem::io("read", path, &e);
    let mut file = File::open(path).map_err(fail)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(fail)? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            n => hasher.update(&buffer[..n]),
        };
    }
}
