//! MiVOLO and its face-only VOLO as an ONNX graph without Col2Im: sizes are constants, so unfolding is a Gather by a constant list, folding
//! is four Gathers added, and relative positions are constant tables. Kuprashevich and Tolstykh 2023 (arXiv 2307.04616); Yuan et al. 2021
//! (VOLO, arXiv 2106.13112). Values between parts are tokens: (batch, row of tokens, channel).

use super::{
    blocks::{Blocks, Weights},
    graph::{Builder, Storage, Value, float, int, ints, value},
    proto::{Graph, Tensor},
};
use crate::{Result, model::variant::Variant};

/// Names of the input and the outputs.
pub const INPUT: &str = "input";
/// Age in years, (batch).
pub const AGE: &str = "age";
/// Logits of male and female, (batch, 2).
pub const SEX: &str = "gender_logits";

/// How the last output becomes years: `out · (max − min) + mean`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ages {
    /// Youngest age of the training data, years.
    pub min: f64,
    /// Oldest.
    pub max: f64,
    /// The age that stands for 0.
    pub mean: f64,
}

/// The graph and its weights.
///
/// # Errors
/// A tensor that cannot be read.
pub fn graph(
    variant: &Variant,
    ages: Ages,
    weights: &mut dyn Weights,
    storage: Storage,
) -> Result<(Graph, Vec<Tensor>)> {
    let mut blocks = Blocks::new(Builder::new(storage), weights);
    let input = INPUT.to_owned();
    let mut x = if variant.two_inputs {
        fused(&mut blocks, variant, &input)?
    } else {
        blocks.scope("stem");
        tokens(&mut blocks, variant, &input, "")?
    };
    for i in 0..variant.layers[0] {
        x = outlooker(&mut blocks, variant, &x, &format!("network.0.{i}"))?;
    }
    x = downsampled(&mut blocks, variant, &x)?;
    for (stage, &count) in variant.layers.iter().enumerate().skip(1) {
        for i in 0..count {
            let at = format!("network.{}.{i}", stage + 1);
            x = blocks.transformer(&x, &at, variant)?;
        }
    }
    let raw = head(&mut blocks, variant, &x)?;
    blocks.scope("out");
    let graph = &mut blocks.graph;
    let mut output = Vec::new();
    let years = graph.ints(&[], &[variant.outputs as i64 - 1]);
    let age = graph.op("Gather", &[&raw, &years], vec![int("axis", 1)]);
    let range = graph.floats("age_range", &[], &[(ages.max - ages.min) as f32]);
    let mean = graph.floats("age_mean", &[], &[ages.mean as f32]);
    let scaled = graph.op("Mul", &[&age, &range], Vec::new());
    graph.op_to("Add", &[&scaled, &mean], Vec::new(), AGE);
    output.push(value(AGE, &[]));
    if variant.outputs == 3 {
        let both = graph.ints(&[2], &[0, 1]);
        graph.op_to("Gather", &[&raw, &both], vec![int("axis", 1)], SEX);
        output.insert(0, value(SEX, &[2]));
    }
    let builder = blocks.graph;
    let channels = if variant.two_inputs { 6 } else { 3 };
    let graph = Graph {
        node: builder.nodes,
        name: Some(variant.name()),
        initializer: Vec::new(),
        input: vec![value(INPUT, &[channels, variant.size, variant.size])],
        output,
    };
    Ok((graph, builder.initializers))
}

/// Stem and projection of one picture: patches of 8 × 8 pixels, (batch, side², narrow). BatchNorm is folded into the convolutions.
fn tokens(blocks: &mut Blocks, variant: &Variant, picture: &Value, ending: &str) -> Result<Value> {
    let at = format!("patch_embed.conv{ending}");
    let mut x = picture.clone();
    for (conv, norm, input, kernel, stride) in [
        (0, 1, 3, 7, 2),
        (3, 4, variant.stem, 3, 1),
        (6, 7, variant.stem, 3, 1),
    ] {
        let shape = [variant.stem, input, kernel, kernel];
        let (weight, bias) =
            blocks.folded(&format!("{at}.{conv}"), &format!("{at}.{norm}"), &shape)?;
        let pad = (kernel / 2) as i64;
        x = blocks.graph.op(
            "Conv",
            &[&x, &weight, &bias],
            vec![
                ints("kernel_shape", &[kernel as i64; 2]),
                ints("pads", &[pad; 4]),
                ints("strides", &[stride; 2]),
            ],
        );
        x = blocks.graph.op("Relu", &[&x], Vec::new());
    }
    let at = format!("patch_embed.proj{ending}");
    let weight = blocks.plain(
        &format!("{at}.weight"),
        &[variant.narrow, variant.stem, 4, 4],
        0,
    )?;
    let bias = blocks.vector(&format!("{at}.bias"), variant.narrow)?;
    let x = blocks.graph.op(
        "Conv",
        &[&x, &weight, &bias],
        vec![ints("kernel_shape", &[4, 4]), ints("strides", &[4, 4])],
    );
    let count = (variant.side() * variant.side()) as i64;
    let x = blocks
        .graph
        .reshape(&x, &[-1, variant.narrow as i64, count]);
    Ok(blocks.graph.transpose(&x, &[0, 2, 1]))
}

/// Face and body brought together: each attends to the other with one head and relative positions, then LayerNorm over everything and an
/// MLP back to the narrow width.
fn fused(blocks: &mut Blocks, variant: &Variant, input: &Value) -> Result<Value> {
    let mut seen = Vec::new();
    for (ending, from) in [("1", 0), ("2", 3)] {
        blocks.scope(format!("stem{ending}"));
        let (start, end) = (
            blocks.graph.ints(&[1], &[from]),
            blocks.graph.ints(&[1], &[from + 3]),
        );
        let axis = blocks.graph.ints(&[1], &[1]);
        let picture = blocks
            .graph
            .op("Slice", &[input, &start, &end, &axis], Vec::new());
        seen.push(tokens(blocks, variant, &picture, ending)?);
    }
    blocks.scope("fusion");
    let (width, side) = (variant.narrow, variant.side());
    let scale = (width as f32).powf(-0.5);
    // Queries carry the scale; the relative tables, which the original adds unscaled, are divided by it.
    let positions = blocks.relative_tables(width, side, 1.0 / scale)?;
    let mut parts = Vec::new();
    for (part, x) in ["qkv_f", "qkv_p"].into_iter().zip(&seen) {
        let all = blocks.read(&format!("patch_embed.map.{part}.weight"))?;
        let each = width * width;
        let mut made = Vec::new();
        for (i, letter) in ["q", "k", "v"].into_iter().enumerate() {
            let mut rows = all[i * each..(i + 1) * each].to_vec();
            if i == 0 {
                rows.iter_mut().for_each(|w| *w *= scale);
            }
            let name = format!("patch_embed.map.{part}.{letter}");
            made.push(blocks.linear_from(x, &name, &rows, width, width, None));
        }
        parts.push(made);
    }
    let mut outs = Vec::new();
    for (own, other) in [(0, 1), (1, 0)] {
        let (q, k, v) = (&parts[own][0], &parts[other][1], &parts[other][2]);
        let likeness = blocks.logits(q, k, &positions, width, side);
        let share = blocks.graph.softmax(&likeness);
        outs.push(blocks.graph.matmul(&share, v));
    }
    let both = blocks
        .graph
        .op("Concat", &[&outs[0], &outs[1]], vec![int("axis", 2)]);
    // LayerNorm over channels × height × width; its tables are stored with channels last, as the tokens are.
    let count = side * side;
    let mut tables = Vec::new();
    for part in ["weight", "bias"] {
        let name = format!("patch_embed.map.norm.{part}");
        let table = blocks.read(&name)?;
        let mut turned = vec![0.0; table.len()];
        for channel in 0..2 * width {
            for token in 0..count {
                turned[token * 2 * width + channel] = table[channel * count + token];
            }
        }
        tables.push(blocks.graph.floats(&name, &[count, 2 * width], &turned));
    }
    let normed = blocks.graph.op(
        "LayerNormalization",
        &[&both, &tables[0], &tables[1]],
        vec![int("axis", 1), float("epsilon", 1e-5)],
    );
    blocks.mlp(&normed, "patch_embed.map.mlp", 2 * width, 4 * width, width)
}

/// One block of outlook attention: each window of 3 × 3 tokens, two apart, mixes its nine values by weights that its mean token says.
fn outlooker(blocks: &mut Blocks, variant: &Variant, x: &Value, at: &str) -> Result<Value> {
    blocks.scope(at);
    let (width, heads, side) = (variant.narrow, variant.narrow_heads, variant.side());
    let (head, half) = (width / heads, side.div_ceil(2));
    let windows = half * half;
    let normed = blocks.layer_norm(x, &format!("{at}.norm1"), width)?;
    // Rows are (token, head) pairs, so that one Gather brings values to (window, head, place) without a transpose.
    let values = blocks.linear(&normed, &format!("{at}.attn.v"), width, width, false)?;
    let graph = &mut blocks.graph;
    let values = graph.pad_rows(&values, 0, 1);
    let values = graph.reshape(
        &values,
        &[-1, ((side * side + 1) * heads) as i64, head as i64],
    );
    let shape = [windows as i64, heads as i64, 9];
    let values = graph.gather(&values, &shape, &unfold(side, heads));

    let pooled = graph.reshape(&normed, &[-1, half as i64, 2, (side * width) as i64]);
    let axis = graph.ints(&[1], &[2]);
    let flat = vec![int("keepdims", 0)];
    let pooled = graph.op("ReduceMean", &[&pooled, &axis], flat.clone());
    let pooled = graph.reshape(&pooled, &[-1, windows as i64, 2, width as i64]);
    let pooled = graph.op("ReduceMean", &[&pooled, &axis], flat);
    let scale = (head as f32).powf(-0.5);
    let mixing = blocks.scaled_linear(
        &pooled,
        &format!("{at}.attn.attn"),
        width,
        81 * heads,
        scale,
    )?;
    let graph = &mut blocks.graph;
    let mixing = graph.reshape(&mixing, &[-1, windows as i64, heads as i64, 9, 9]);
    let mixing = graph.softmax(&mixing);
    let mixed = graph.matmul(&mixing, &values);

    let rows = windows * heads * 9;
    let mixed = graph.reshape(&mixed, &[-1, rows as i64, head as i64]);
    let mixed = graph.pad_rows(&mixed, 0, 1);
    let mut sum: Option<Value> = None;
    for rows in fold(side, heads) {
        let part = graph.gather(&mixed, &[(side * side * heads) as i64], &rows);
        sum = Some(match sum {
            None => part,
            Some(before) => graph.add(&before, &part),
        });
    }
    let folded = graph.reshape(
        &sum.unwrap_or(mixed),
        &[-1, (side * side) as i64, width as i64],
    );
    let out = blocks.linear(&folded, &format!("{at}.attn.proj"), width, width, true)?;
    let x = blocks.graph.add(x, &out);
    blocks.with_mlp(&x, at, width, variant.narrow_hidden)
}

/// For each (window, head, place) the row (token, head) it comes from; the row after all tokens is the zero padding.
fn unfold(side: usize, heads: usize) -> Vec<i64> {
    let half = side.div_ceil(2);
    let mut rows = Vec::with_capacity(half * half * heads * 9);
    for wy in 0..half {
        for wx in 0..half {
            for h in 0..heads {
                for place in 0..9 {
                    // Windows begin one token before their corner.
                    let (y, x) = (2 * wy + place / 3, 2 * wx + place % 3);
                    let inside = (1..=side).contains(&y) && (1..=side).contains(&x);
                    let token = if inside {
                        (y - 1) * side + x - 1
                    } else {
                        side * side
                    };
                    rows.push((token * heads + h) as i64);
                }
            }
        }
    }
    rows
}

/// For each (token, head) its up to four sources among (window, head, place), as four lists; the row after all of them is zeros.
fn fold(side: usize, heads: usize) -> [Vec<i64>; 4] {
    let half = side.div_ceil(2);
    let none = half * half * heads * 9;
    // Along one axis a token lies in the middle of one window (even) or at the end of one and the start of the next (odd).
    let along = |t: usize| -> [Option<(usize, usize)>; 2] {
        if t.is_multiple_of(2) {
            [Some((t / 2, 1)), None]
        } else {
            [
                Some((t / 2, 2)),
                Some((t / 2 + 1, 0)).filter(|w| w.0 < half),
            ]
        }
    };
    let mut lists = [const { Vec::new() }; 4];
    for y in 0..side {
        for x in 0..side {
            let mut sources: Vec<(usize, usize)> = Vec::with_capacity(4);
            for (wy, py) in along(y).into_iter().flatten() {
                for (wx, px) in along(x).into_iter().flatten() {
                    sources.push((wy * half + wx, 3 * py + px));
                }
            }
            for h in 0..heads {
                for (i, list) in lists.iter_mut().enumerate() {
                    let row = sources
                        .get(i)
                        .map_or(none, |&(window, place)| (window * heads + h) * 9 + place);
                    list.push(row as i64);
                }
            }
        }
    }
    lists
}

/// Four tokens become one of the wide width, and positions are added.
fn downsampled(blocks: &mut Blocks, variant: &Variant, x: &Value) -> Result<Value> {
    blocks.scope("network.1");
    let (narrow, wide, side) = (variant.narrow, variant.wide, variant.side());
    let half = side / 2;
    let mut rows = Vec::with_capacity(side * side);
    for y in 0..half {
        for x in 0..half {
            for place in 0..4 {
                rows.push(((2 * y + place / 2) * side + 2 * x + place % 2) as i64);
            }
        }
    }
    let graph = &mut blocks.graph;
    let x = graph.gather(x, &[(side * side) as i64], &rows);
    let x = graph.reshape(&x, &[-1, (half * half) as i64, 4 * narrow as i64]);
    let weight = blocks.read("network.1.proj.weight")?;
    // Rows of (place, channel) instead of (channel, place), as the gathered tokens are.
    let mut turned = vec![0.0; weight.len()];
    for out in 0..wide {
        for channel in 0..narrow {
            for place in 0..4 {
                turned[(out * 4 + place) * narrow + channel] =
                    weight[(out * narrow + channel) * 4 + place];
            }
        }
    }
    // The bias and the position of each token are both constants, and so is their sum.
    let bias = blocks.read("network.1.proj.bias")?;
    let mut position = blocks.read("pos_embed")?;
    for (i, p) in position.iter_mut().enumerate() {
        *p += bias[i % wide];
    }
    let x = blocks.linear_from(&x, "network.1.proj", &turned, 4 * narrow, wide, None);
    let position = blocks
        .graph
        .floats("pos_embed", &[1, half * half, wide], &position);
    Ok(blocks.graph.add(&x, &position))
}

/// Class attention, the final LayerNorm and both heads: `head(class) + 0.5 · max over tokens of aux_head(tokens)`, (batch, outputs).
fn head(blocks: &mut Blocks, variant: &Variant, x: &Value) -> Result<Value> {
    blocks.scope("class");
    let wide = variant.wide;
    let count = (variant.side() / 2).pow(2);
    // A first row for the class token: a padding of zeros and a sum, since its batch is open.
    let token = blocks.read("cls_token")?;
    let mut table = vec![0.0; (count + 1) * wide];
    table[..wide].copy_from_slice(&token);
    let table = blocks
        .graph
        .floats("cls_token", &[1, count + 1, wide], &table);
    let padded = blocks.graph.pad_rows(x, 1, 0);
    let mut all = blocks.graph.add(&padded, &table);
    for i in 0..variant.class_blocks {
        let at = format!("post_network.{i}");
        let class = blocks.class_block(&all, &at, variant)?;
        blocks.scope(format!("{at}.joined"));
        all = blocks
            .graph
            .op("Concat", &[&class, x], vec![int("axis", 1)]);
    }
    blocks.scope("head");
    let normed = blocks.layer_norm(&all, "norm", wide)?;
    let class = blocks.rows(&normed, 0, 1);
    let rest = blocks.rows(&normed, 1, count as i64 + 1);
    let own = blocks.linear(&class, "head", wide, variant.outputs, true)?;
    let own = blocks.graph.reshape(&own, &[-1, variant.outputs as i64]);
    // Half of the largest is the largest of the halves, so the factor goes into the weights.
    let aux = blocks.scaled_linear(&rest, "aux_head", wide, variant.outputs, 0.5)?;
    let axis = blocks.graph.ints(&[1], &[1]);
    let most = blocks
        .graph
        .op("ReduceMax", &[&aux, &axis], vec![int("keepdims", 0)]);
    Ok(blocks.graph.add(&own, &most))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folding counts how many windows a token lies in when every place of every window holds 1.
    #[test]
    fn unfold_and_fold_are_transposes_of_each_other() {
        for (side, heads) in [(4, 1), (12, 2), (7, 3)] {
            let unfolded = unfold(side, heads);
            let lists = fold(side, heads);
            let mut pairs: Vec<(i64, i64)> = unfolded
                .iter()
                .enumerate()
                .map(|(place, &token)| (token, place as i64))
                .filter(|&(token, _)| token < (side * side * heads) as i64)
                .collect();
            let none = unfolded.len() as i64;
            let mut back: Vec<(i64, i64)> = lists
                .iter()
                .flat_map(|list| list.iter().enumerate())
                .map(|(token, &place)| (token as i64, place))
                .filter(|&(_, place)| place != none)
                .collect();
            pairs.sort_unstable();
            back.sort_unstable();
            assert_eq!(pairs, back, "side {side}, {heads} heads");
        }
    }

    #[test]
    fn the_first_window_of_four_by_four_tokens_hangs_over_the_corner() {
        assert_eq!(unfold(4, 1)[..9], [16, 16, 16, 16, 0, 1, 16, 4, 5]);
        let lists = fold(4, 1);
        // Token (1, 1) lies in all four windows: at the end of the first, at the start of the last.
        assert_eq!(lists.map(|l| l[5]), [8, 9 + 6, 18 + 2, 27]);
    }
}
