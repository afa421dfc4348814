//! Which MiVOLO a checkpoint holds, found from the names and shapes of its tensors, and what is missing or left over.

use crate::{Problem, Result, problem};
use std::collections::{BTreeMap, BTreeSet};

/// Names of tensors with their shapes.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// Everything about a network that its weights do not say by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Side of the square input, pixels.
    pub size: usize,
    /// Face and body (six channels); otherwise one picture.
    pub two_inputs: bool,
    /// Channels of the stem.
    pub stem: usize,
    /// Blocks of each stage: outlook attention, then transformers.
    pub layers: Vec<usize>,
    /// Width of the outlook stage.
    pub narrow: usize,
    /// Width of everything after it.
    pub wide: usize,
    /// Heads of the outlook stage.
    pub narrow_heads: usize,
    /// Heads of everything after it.
    pub wide_heads: usize,
    /// Hidden width of the outlook stage's MLPs.
    pub narrow_hidden: usize,
    /// Hidden width of the other MLPs.
    pub wide_hidden: usize,
    /// Class-attention blocks.
    pub class_blocks: usize,
    /// Outputs: 3 (two of sex, one of age) or 1 (age).
    pub outputs: usize,
}

/// A published network: its name, blocks per stage, narrow and wide width, heads of both.
struct Published {
    name: &'static str,
    layers: [usize; 4],
    widths: [usize; 2],
    heads: [usize; 2],
}

const fn published(
    name: &'static str,
    layers: [usize; 4],
    widths: [usize; 2],
    heads: [usize; 2],
) -> Published {
    Published {
        name,
        layers,
        widths,
        heads,
    }
}

/// d1 to d5 as timm has them (`volo.py`). Heads of the wide stages are not in the shapes: in d4 and d5 they are 48 channels wide, though
/// those of the narrow stage are 32.
const PUBLISHED: [Published; 5] = [
    published("d1", [4, 4, 8, 2], [192, 384], [6, 12]),
    published("d2", [6, 4, 10, 4], [256, 512], [8, 16]),
    published("d3", [8, 8, 16, 4], [256, 512], [8, 16]),
    published("d4", [8, 8, 16, 4], [384, 768], [12, 16]),
    published("d5", [12, 12, 20, 4], [384, 768], [12, 16]),
];

/// Beyond these a checkpoint is not a network but an attack on memory.
const MOST_WIDTH: usize = 4096;
const MOST_BLOCKS: usize = 64;
const MOST_GRID: usize = 64;

impl Variant {
    /// Finds the variant.
    ///
    /// # Errors
    /// Shapes that are no MiVOLO's; the message names the tensor that decided.
    pub fn infer(shapes: &Shapes) -> Result<Self> {
        let find = |name: &str, rank: usize| {
            match shapes.get(name) {
            Some(shape) if shape.len() == rank => {
                match shape.iter().all(|&n| n > 0 && n <= MOST_WIDTH) {
                    true => Ok(shape),
                    false => strange(name, shape).fail(),
                }
            }
            Some(shape) => strange(name, shape).fail(),
            None => problem(format!("the checkpoint has no tensor {name}: it is no MiVOLO or VOLO of MiVOLO's"))
                .hint("veche imports the checkpoints of MiVOLO (face + body) and its face-only VOLO; other networks run from ONNX with --description").fail(),
        }
        };
        let two_inputs = shapes.contains_key("patch_embed.conv1.0.weight");
        let (conv, projection) = if two_inputs {
            ("patch_embed.conv1.0.weight", "patch_embed.proj1.weight")
        } else {
            ("patch_embed.conv.0.weight", "patch_embed.proj.weight")
        };
        let position = find("pos_embed", 4)?;
        let (grid, wide) = (position[1], position[3]);
        if position[0] != 1 || position[2] != grid || grid > MOST_GRID {
            return strange("pos_embed", position).fail();
        }
        let stem = find(conv, 4)?[0];
        let narrow = find(projection, 4)?[0];
        let outlook = "network.0.0.attn.attn.weight";
        let rows = find(outlook, 2)?[0];
        if rows % 81 != 0 || !narrow.is_multiple_of(rows / 81) {
            return strange(outlook, &[rows, narrow]).fail();
        }
        let narrow_heads = rows / 81;
        let narrow_hidden = find("network.0.0.mlp.fc1.weight", 2)?[0];
        let wide_hidden = find("network.2.0.mlp.fc1.weight", 2)?[0];
        let outputs = find("head.weight", 2)?[0];
        if outputs != 3 && outputs != 1 {
            return problem(format!(
                "the network has {outputs} outputs; MiVOLO has 3 (two of sex, one of age) or 1 (age)"
            )).fail();
        }
        let mut layers = vec![blocks(shapes, "network.0.")];
        for stage in 2..MOST_BLOCKS {
            match blocks(shapes, &format!("network.{stage}.")) {
                0 => break,
                n => layers.push(n),
            }
        }
        let published = PUBLISHED
            .iter()
            .find(|p| (p.widths, p.heads[0]) == ([narrow, wide], narrow_heads));
        let wide_heads = published.map_or(wide / (narrow / narrow_heads).max(1), |p| p.heads[1]);
        if wide_heads == 0 || !wide.is_multiple_of(wide_heads) {
            return problem(format!(
                "{wide} channels cannot be split into heads of {}",
                narrow / narrow_heads
            ))
            .fail();
        }
        Ok(Self {
            size: 16 * grid,
            two_inputs,
            stem,
            layers,
            narrow,
            wide,
            narrow_heads,
            wide_heads,
            narrow_hidden,
            wide_hidden,
            class_blocks: blocks(shapes, "post_network."),
            outputs,
        })
    }

    /// `d1` to `d5`, or `None` for one that was not published.
    pub fn published(&self) -> Option<&'static str> {
        let mut all = PUBLISHED.iter();
        let found = all.find(|p| {
            p.layers == self.layers[..]
                && p.widths == [self.narrow, self.wide]
                && p.heads == [self.narrow_heads, self.wide_heads]
        });
        found.map(|p| p.name)
    }

    /// Its name: `mivolo_d1_224_face_body`, `volo_d1_224_face`, `volo_d1_224_face_age_only`; `scaled` instead of `d1` for one that
    /// was not published.
    pub fn name(&self) -> String {
        let which = self.published().unwrap_or("scaled");
        let (family, sees) = if self.two_inputs {
            ("mivolo", "face_body")
        } else {
            ("volo", "face")
        };
        let ending = if self.outputs == 1 { "_age_only" } else { "" };
        format!("{family}_{which}_{}_{sees}{ending}", self.size)
    }

    /// Tokens along one side of the outlook stage.
    pub fn side(&self) -> usize {
        self.size / 8
    }

    /// Products of two numbers that are added up for one photo, as the published network computes them: convolutions, linear layers,
    /// attention; not norms and the like.
    pub fn multiply_adds(&self) -> u64 {
        let square = |n: usize| n * n;
        let (narrow, wide, side) = (self.narrow, self.wide, self.side());
        let (tokens, half) = (square(side), square(side / 2));
        let pixels = square(self.size / 2);
        let stem =
            pixels * self.stem * (3 * 49 + 2 * 9 * self.stem) + tokens * narrow * 16 * self.stem;
        let fusion = 2 * tokens * 3 * square(narrow)
            + 2 * tokens * narrow * (2 * tokens + 2 * (2 * side - 1))
            + tokens * 4 * narrow * (2 * narrow + narrow);
        let windows = square(side.div_ceil(2));
        let outlook = 2 * tokens * square(narrow)
            + windows * 81 * self.narrow_heads * narrow
            + windows * 81 * narrow
            + 2 * tokens * narrow * self.narrow_hidden;
        let block = half * (4 * square(wide) + 2 * half * wide + 2 * wide * self.wide_hidden);
        let class = (half + 1) * 2 * square(wide)
            + 2 * square(wide)
            + 2 * (half + 1) * wide
            + 2 * wide * self.wide_hidden;
        let heads = (half + 1) * wide * self.outputs;
        let inputs = if self.two_inputs { 2 } else { 1 };
        let all = inputs * stem
            + if self.two_inputs { fusion } else { 0 }
            + self.layers.first().map_or(0, |n| n * outlook)
            + half * 4 * narrow * wide
            + self.layers.iter().skip(1).sum::<usize>() * block
            + self.class_blocks * class
            + heads;
        all as u64
    }

    /// Every tensor that the network needs, with its shape.
    pub fn expected(&self) -> Shapes {
        let mut all = Shapes::new();
        let mut need = |name: String, shape: &[usize]| {
            all.insert(name, shape.to_vec());
        };
        let (narrow, wide, stem, side) = (self.narrow, self.wide, self.stem, self.side());
        need("pos_embed".into(), &[1, side / 2, side / 2, wide]);
        need("cls_token".into(), &[1, 1, wide]);
        let endings: &[&str] = if self.two_inputs { &["1", "2"] } else { &[""] };
        for ending in endings {
            for (conv, norm, input, kernel) in [(0, 1, 3, 7), (3, 4, stem, 3), (6, 7, stem, 3)] {
                let at = format!("patch_embed.conv{ending}");
                need(
                    format!("{at}.{conv}.weight"),
                    &[stem, input, kernel, kernel],
                );
                for part in ["weight", "bias", "running_mean", "running_var"] {
                    need(format!("{at}.{norm}.{part}"), &[stem]);
                }
            }
            need(
                format!("patch_embed.proj{ending}.weight"),
                &[narrow, stem, 4, 4],
            );
            need(format!("patch_embed.proj{ending}.bias"), &[narrow]);
        }
        if self.two_inputs {
            let map = "patch_embed.map";
            for part in ["qkv_f", "qkv_p"] {
                need(format!("{map}.{part}.weight"), &[3 * narrow, narrow, 1, 1]);
            }
            for part in ["height_rel", "width_rel"] {
                need(format!("{map}.pos_embed.{part}"), &[2 * side - 1, narrow]);
            }
            for part in ["weight", "bias"] {
                need(format!("{map}.norm.{part}"), &[2 * narrow, side, side]);
            }
            need(
                format!("{map}.mlp.fc1.weight"),
                &[4 * narrow, 2 * narrow, 1, 1],
            );
            need(format!("{map}.mlp.fc1.bias"), &[4 * narrow]);
            need(format!("{map}.mlp.fc2.weight"), &[narrow, 4 * narrow, 1, 1]);
            need(format!("{map}.mlp.fc2.bias"), &[narrow]);
        }
        let mut block =
            |at: String, width: usize, hidden: usize, attention: &[(&str, &[usize])]| {
                for norm in ["norm1", "norm2"] {
                    need(format!("{at}.{norm}.weight"), &[width]);
                    need(format!("{at}.{norm}.bias"), &[width]);
                }
                for (name, shape) in attention {
                    need(format!("{at}.attn.{name}"), shape);
                }
                need(format!("{at}.attn.proj.weight"), &[width, width]);
                need(format!("{at}.attn.proj.bias"), &[width]);
                need(format!("{at}.mlp.fc1.weight"), &[hidden, width]);
                need(format!("{at}.mlp.fc1.bias"), &[hidden]);
                need(format!("{at}.mlp.fc2.weight"), &[width, hidden]);
                need(format!("{at}.mlp.fc2.bias"), &[width]);
            };
        let rows = 81 * self.narrow_heads;
        for i in 0..self.layers[0] {
            block(
                format!("network.0.{i}"),
                narrow,
                self.narrow_hidden,
                &[
                    ("v.weight", &[narrow, narrow]),
                    ("attn.weight", &[rows, narrow]),
                    ("attn.bias", &[rows]),
                ],
            );
        }
        for (stage, &count) in self.layers.iter().enumerate().skip(1) {
            for i in 0..count {
                block(
                    format!("network.{}.{i}", stage + 1),
                    wide,
                    self.wide_hidden,
                    &[("qkv.weight", &[3 * wide, wide])],
                );
            }
        }
        for i in 0..self.class_blocks {
            block(
                format!("post_network.{i}"),
                wide,
                self.wide_hidden,
                &[
                    ("kv.weight", &[2 * wide, wide]),
                    ("q.weight", &[wide, wide]),
                ],
            );
        }
        need("network.1.proj.weight".into(), &[wide, narrow, 2, 2]);
        need("network.1.proj.bias".into(), &[wide]);
        need("norm.weight".into(), &[wide]);
        need("norm.bias".into(), &[wide]);
        for head in ["head", "aux_head"] {
            need(format!("{head}.weight"), &[self.outputs, wide]);
            need(format!("{head}.bias"), &[self.outputs]);
        }
        all
    }

    /// Compares a checkpoint with what the network needs.
    ///
    /// # Errors
    /// Tensors that are missing, misshapen or left over, each by name.
    pub fn check(&self, shapes: &Shapes) -> Result<()> {
        let expected = self.expected();
        let mut missing = Vec::new();
        let mut misshapen = Vec::new();
        for (name, shape) in &expected {
            match shapes.get(name) {
                None => missing.push(name.clone()),
                Some(found) if found != shape => {
                    misshapen.push(format!("{name} is {found:?} instead of {shape:?}"));
                }
                Some(_) => {}
            }
        }
        let left: Vec<String> = shapes
            .keys()
            .filter(|name| !expected.contains_key(*name) && !is_counter(name))
            .cloned()
            .collect();
        let mut faults = Vec::new();
        for (what, names) in [
            ("missing", missing),
            ("misshapen", misshapen),
            ("left over", left),
        ] {
            if !names.is_empty() {
                faults.push(format!("{} {what}: {}", names.len(), listed(&names)));
            }
        }
        if faults.is_empty() {
            return Ok(());
        }
        problem(format!(
            "the tensors do not make a {}\n  {}",
            self.name(),
            faults.join("\n  ")
        ))
        .hint("the file is damaged, was cut down, or holds another network")
        .fail()
    }
}

/// BatchNorm's counters, which nothing needs.
fn is_counter(name: &str) -> bool {
    name.ends_with(".num_batches_tracked")
}

/// One more than the largest block number after `prefix`; 0 if there is none. Numbers beyond [`MOST_BLOCKS`] do not count and turn up as
/// left over.
fn blocks(shapes: &Shapes, prefix: &str) -> usize {
    let numbers: BTreeSet<usize> = shapes
        .range(prefix.to_owned()..)
        .take_while(|(name, _)| name.starts_with(prefix))
        .filter_map(|(name, _)| name[prefix.len()..].split('.').next()?.parse().ok())
        .filter(|&n| n < MOST_BLOCKS)
        .collect();
    numbers.last().map_or(0, |n| n + 1)
}

fn strange(name: &str, shape: &[usize]) -> Problem {
    problem(format!(
        "the tensor {name} has the shape {shape:?}, which no MiVOLO has"
    ))
    .hint("the file is damaged or holds another network")
}

/// Up to twelve names, and how many more.
fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(12);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Variant {
        Variant {
            size: 96,
            two_inputs: true,
            stem: 16,
            layers: vec![1, 1, 2, 1],
            narrow: 24,
            wide: 48,
            narrow_heads: 2,
            wide_heads: 4,
            narrow_hidden: 72,
            wide_hidden: 144,
            class_blocks: 2,
            outputs: 3,
        }
    }

    #[test]
    fn a_variant_is_found_from_the_shapes_that_it_needs() {
        let d4 = Variant {
            layers: vec![8, 8, 16, 4],
            narrow: 384,
            wide: 768,
            narrow_heads: 12,
            wide_heads: 16,
            narrow_hidden: 3 * 384,
            wide_hidden: 3 * 768,
            ..tiny()
        };
        for (variant, name) in [
            (tiny(), "mivolo_scaled_96_face_body"),
            (
                Variant {
                    two_inputs: false,
                    outputs: 1,
                    ..tiny()
                },
                "volo_scaled_96_face_age_only",
            ),
            (d4, "mivolo_d4_96_face_body"),
        ] {
            let shapes = variant.expected();
            let found = Variant::infer(&shapes).unwrap();
            assert_eq!(found, variant);
            assert_eq!(found.name(), name);
            assert!(found.check(&shapes).is_ok());
        }
    }

    /// 9.07 thousand million with face and body, 6.84 with the face only: what others counted for d1 at 224 pixels.
    #[test]
    fn the_work_of_d1_is_that_which_others_counted() {
        let d1 = Variant {
            size: 224,
            stem: 64,
            layers: vec![4, 4, 8, 2],
            narrow: 192,
            wide: 384,
            narrow_heads: 6,
            wide_heads: 12,
            narrow_hidden: 576,
            wide_hidden: 1152,
            ..tiny()
        };
        let face = Variant {
            two_inputs: false,
            ..d1.clone()
        };
        for (variant, counted) in [(d1, 9.07e9), (face, 6.84e9)] {
            let found = variant.multiply_adds() as f64;
            assert!((found / counted - 1.0).abs() < 0.02, "{found:e}");
        }
    }

    #[test]
    fn missing_left_over_and_misshapen_tensors_are_named_and_counters_are_not() {
        let mut shapes = tiny().expected();
        shapes.remove("network.2.0.norm1.weight");
        shapes.insert("network.3.1.mlp.fc1.bias".into(), vec![3]);
        shapes.insert("extra".into(), vec![3]);
        shapes.insert("network.4.999999999999.x".into(), vec![3]);
        shapes.insert("patch_embed.conv1.1.num_batches_tracked".into(), vec![]);
        let text = Variant::infer(&shapes)
            .unwrap()
            .check(&shapes)
            .unwrap_err()
            .to_string();
        for words in [
            "1 missing: network.2.0.norm1.weight",
            "1 misshapen: network.3.1.mlp.fc1.bias is [3] instead of [144]",
            "2 left over: extra, network.4.999999999999.x",
        ] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn absurd_shapes_are_refused() {
        for (name, shape) in [
            ("pos_embed", vec![1, 5000, 5000, 48]),
            ("pos_embed", vec![1, 6, 7, 48]),
            ("pos_embed", vec![usize::MAX; 4]),
            ("head.weight", vec![7, 48]),
            ("head.weight", vec![0, 48]),
            ("network.0.0.attn.attn.weight", vec![80, 24]),
            ("network.0.0.attn.attn.weight", vec![0, 24]),
            ("patch_embed.conv1.0.weight", vec![16]),
        ] {
            let mut shapes = tiny().expected();
            shapes.insert(name.to_owned(), shape.clone());
            assert!(Variant::infer(&shapes).is_err(), "{name} {shape:?}");
        }
        assert!(Variant::infer(&Shapes::new()).is_err());
    }
}
