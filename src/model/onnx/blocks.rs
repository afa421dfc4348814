//! The parts that MiVOLO's stages share: linear layers, norms, MLPs, transformer and class-attention blocks.

use super::graph::{Builder, Value, float, int};
use crate::{Result, model::variant::Variant};

/// Where weights come from.
pub trait Weights {
    /// The numbers of a tensor, row by row.
    ///
    /// # Errors
    /// A tensor that is not there or cannot be read.
    fn read(&mut self, name: &str) -> Result<Vec<f32>>;
}

/// A graph being built from weights. `at` is the name of a part in the checkpoint; shapes have been checked before
/// ([`Variant::check`]).
pub struct Blocks<'a> {
    /// The graph.
    pub graph: Builder,
    weights: &'a mut dyn Weights,
}

/// Constant matrices by which queries become logits of relative rows and columns, and the marks that pick them for each key.
pub struct Positions {
    rows: Value,
    columns: Value,
    marks: Value,
}

impl<'a> Blocks<'a> {
    /// Starts with a graph and the source of its weights.
    pub fn new(graph: Builder, weights: &'a mut dyn Weights) -> Self {
        Self { graph, weights }
    }

    /// Values made from here on are named after this part.
    pub fn scope(&mut self, at: impl Into<String>) {
        self.graph.scope(at);
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn read(&mut self, name: &str) -> Result<Vec<f32>> {
        self.weights.read(name)
    }

    /// A tensor as it is.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn plain(&mut self, name: &str, shape: &[usize], channel: usize) -> Result<Value> {
        let values = self.read(name)?;
        Ok(self.graph.weight(name, shape, &values, channel))
    }

    /// A bias or the like: one number per channel, never shortened.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn vector(&mut self, name: &str, width: usize) -> Result<Value> {
        let values = self.read(name)?;
        Ok(self.graph.floats(name, &[width], &values))
    }

    /// Weight and bias of a convolution without bias that is followed by BatchNorm (ε 1e-5), made one.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn folded(&mut self, conv: &str, norm: &str, shape: &[usize]) -> Result<(Value, Value)> {
        let mut weight = self.read(&format!("{conv}.weight"))?;
        let mut part = |part: &str| self.weights.read(&format!("{norm}.{part}"));
        let (gain, shift) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        let each = weight.len() / shape[0];
        let mut bias = Vec::with_capacity(shape[0]);
        for channel in 0..shape[0] {
            // In f64, so that folding costs no more than the rounding of its result.
            let factor = f64::from(gain[channel]) / (f64::from(variance[channel]) + 1e-5).sqrt();
            for w in &mut weight[channel * each..(channel + 1) * each] {
                *w = (f64::from(*w) * factor) as f32;
            }
            bias.push((f64::from(shift[channel]) - f64::from(mean[channel]) * factor) as f32);
        }
        let weight = self
            .graph
            .weight(&format!("{conv}.weight"), shape, &weight, 0);
        let bias = self
            .graph
            .floats(&format!("{conv}.bias"), &[shape[0]], &bias);
        Ok((weight, bias))
    }

    /// `x · Wᵀ + b` for rows `W` of output channels.
    pub fn linear_from(
        &mut self,
        x: &Value,
        name: &str,
        rows: &[f32],
        from: usize,
        to: usize,
        bias: Option<&[f32]>,
    ) -> Value {
        let mut turned = vec![0.0; rows.len()];
        for out in 0..to {
            for channel in 0..from {
                turned[channel * to + out] = rows[out * from + channel];
            }
        }
        let weight = self
            .graph
            .weight(&format!("{name}.weight"), &[from, to], &turned, 1);
        let x = self.graph.matmul(x, &weight);
        match bias {
            None => x,
            Some(bias) => {
                let bias = self.graph.floats(&format!("{name}.bias"), &[to], bias);
                self.graph.add(&x, &bias)
            }
        }
    }

    /// A linear layer of the checkpoint.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn linear(
        &mut self,
        x: &Value,
        at: &str,
        from: usize,
        to: usize,
        biased: bool,
    ) -> Result<Value> {
        let rows = self.read(&format!("{at}.weight"))?;
        let bias = match biased {
            true => Some(self.read(&format!("{at}.bias"))?),
            false => None,
        };
        Ok(self.linear_from(x, at, &rows, from, to, bias.as_deref()))
    }

    /// A linear layer with bias whose result is multiplied by a constant.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn scaled_linear(
        &mut self,
        x: &Value,
        at: &str,
        from: usize,
        to: usize,
        factor: f32,
    ) -> Result<Value> {
        let scaled = |mut values: Vec<f32>| {
            values.iter_mut().for_each(|v| *v *= factor);
            values
        };
        let rows = scaled(self.read(&format!("{at}.weight"))?);
        let bias = scaled(self.read(&format!("{at}.bias"))?);
        Ok(self.linear_from(x, at, &rows, from, to, Some(&bias)))
    }

    /// LayerNorm over channels.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn layer_norm(&mut self, x: &Value, at: &str, width: usize) -> Result<Value> {
        let gain = self.vector(&format!("{at}.weight"), width)?;
        let bias = self.vector(&format!("{at}.bias"), width)?;
        let settings = vec![int("axis", -1), float("epsilon", 1e-5)];
        Ok(self
            .graph
            .op("LayerNormalization", &[x, &gain, &bias], settings))
    }

    /// Two linear layers with GELU (the exact one) between them.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn mlp(
        &mut self,
        x: &Value,
        at: &str,
        from: usize,
        hidden: usize,
        to: usize,
    ) -> Result<Value> {
        let x = self.linear(x, &format!("{at}.fc1"), from, hidden, true)?;
        let x = self.graph.op("Gelu", &[&x], Vec::new());
        self.linear(&x, &format!("{at}.fc2"), hidden, to, true)
    }

    /// `x + mlp(norm2(x))`.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn with_mlp(&mut self, x: &Value, at: &str, width: usize, hidden: usize) -> Result<Value> {
        let normed = self.layer_norm(x, &format!("{at}.norm2"), width)?;
        let out = self.mlp(&normed, &format!("{at}.mlp"), width, hidden, width)?;
        Ok(self.graph.add(x, &out))
    }

    /// Rows `from..to` of axis 1.
    pub fn rows(&mut self, x: &Value, from: i64, to: i64) -> Value {
        let (from, to) = (self.graph.ints(&[1], &[from]), self.graph.ints(&[1], &[to]));
        let axis = self.graph.ints(&[1], &[1]);
        self.graph.op("Slice", &[x, &from, &to, &axis], Vec::new())
    }

    /// A block of self-attention over `count` tokens, without bias in queries, keys and values.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn transformer(&mut self, x: &Value, at: &str, variant: &Variant) -> Result<Value> {
        self.scope(at);
        let (width, heads) = (variant.wide, variant.wide_heads);
        let (head, count) = (width / heads, (variant.side() / 2).pow(2));
        let normed = self.layer_norm(x, &format!("{at}.norm1"), width)?;
        let all = self.read(&format!("{at}.attn.qkv.weight"))?;
        let scale = (head as f32).powf(-0.5);
        let split = [-1, count as i64, heads as i64, head as i64];
        let mut parts = Vec::new();
        // Three products instead of one and a split, which would copy everything once more.
        for (i, letter) in ["q", "k", "v"].into_iter().enumerate() {
            let mut rows = all[i * width * width..(i + 1) * width * width].to_vec();
            if i == 0 {
                rows.iter_mut().for_each(|w| *w *= scale);
            }
            let made = self.linear_from(
                &normed,
                &format!("{at}.attn.{letter}"),
                &rows,
                width,
                width,
                None,
            );
            let made = self.graph.reshape(&made, &split);
            let order = if letter == "k" {
                [0, 2, 3, 1]
            } else {
                [0, 2, 1, 3]
            };
            parts.push(self.graph.transpose(&made, &order));
        }
        let likeness = self.graph.matmul(&parts[0], &parts[1]);
        let share = self.graph.softmax(&likeness);
        let out = self.graph.matmul(&share, &parts[2]);
        let out = self.graph.transpose(&out, &[0, 2, 1, 3]);
        let out = self.graph.reshape(&out, &[-1, count as i64, width as i64]);
        let out = self.linear(&out, &format!("{at}.attn.proj"), width, width, true)?;
        let x = self.graph.add(x, &out);
        self.with_mlp(&x, at, width, variant.wide_hidden)
    }

    /// The class token (batch, 1, width) after it has attended to itself and all other tokens.
    ///
    /// With a single query per head, `q · (W·x)` is `(q·W) · x`: the keys and values of all tokens need not be computed.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn class_block(&mut self, all: &Value, at: &str, variant: &Variant) -> Result<Value> {
        self.scope(at);
        let (width, heads) = (variant.wide, variant.wide_heads);
        let head = width / heads;
        let (wide, many, each) = (width as i64, heads as i64, head as i64);
        let normed = self.layer_norm(all, &format!("{at}.norm1"), width)?;
        let first = self.rows(&normed, 0, 1);
        let scale = (head as f32).powf(-0.5);
        let mut rows = self.read(&format!("{at}.attn.q.weight"))?;
        rows.iter_mut().for_each(|w| *w *= scale);
        let query = self.linear_from(&first, &format!("{at}.attn.q"), &rows, width, width, None);
        let query = self.graph.reshape(&query, &[-1, many, 1, each]);

        let both = self.read(&format!("{at}.attn.kv.weight"))?;
        let (keys, values) = both.split_at(width * width);
        let keys = self
            .graph
            .weight(&format!("{at}.attn.k"), &[heads, head, width], keys, 2);
        let mut turned = vec![0.0; values.len()];
        for h in 0..heads {
            for d in 0..head {
                for c in 0..width {
                    turned[(h * width + c) * head + d] = values[(h * head + d) * width + c];
                }
            }
        }
        let values = self
            .graph
            .weight(&format!("{at}.attn.v"), &[heads, width, head], &turned, 1);

        let query = self.graph.matmul(&query, &keys);
        let query = self.graph.reshape(&query, &[-1, many, wide]);
        let columns = self.graph.transpose(&normed, &[0, 2, 1]);
        let likeness = self.graph.matmul(&query, &columns);
        let share = self.graph.softmax(&likeness);
        let seen = self.graph.matmul(&share, &normed);
        let seen = self.graph.reshape(&seen, &[-1, many, 1, wide]);
        let out = self.graph.matmul(&seen, &values);
        let out = self.graph.reshape(&out, &[-1, 1, wide]);
        let out = self.linear(&out, &format!("{at}.attn.proj"), width, width, true)?;
        let class = self.rows(all, 0, 1);
        let class = self.graph.add(&class, &out);
        self.with_mlp(&class, at, width, variant.wide_hidden)
    }

    /// Reads the tables of relative positions for a square of `side` tokens, multiplied by a constant.
    ///
    /// The logit of query (y, x) and key (v, u) is `q · height[v − y + side − 1] + q · width[u − x + side − 1]`; so for each row y the
    /// heights of all v are one matrix, and for each column x the widths of all u.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn relative_tables(&mut self, width: usize, side: usize, factor: f32) -> Result<Positions> {
        let mut made = Vec::new();
        for part in ["height_rel", "width_rel"] {
            let name = format!("patch_embed.map.pos_embed.{part}");
            let table = self.read(&name)?;
            let mut all = Vec::with_capacity(side * width * side);
            for own in 0..side {
                for channel in 0..width {
                    for other in 0..side {
                        all.push(factor * table[(other + side - 1 - own) * width + channel]);
                    }
                }
            }
            made.push(self.graph.floats(&name, &[side, width, side], &all));
        }
        // Key (v, u) has a 1 in the place of its row and in that of its column.
        let wide = width + 2 * side;
        let mut marks = vec![0.0; side * side * wide];
        for v in 0..side {
            for u in 0..side {
                let key = &mut marks[(v * side + u) * wide..][..wide];
                key[width + v] = 1.0;
                key[width + side + u] = 1.0;
            }
        }
        let marks = self
            .graph
            .floats("patch_embed.map.marks", &[1, side * side, wide], &marks);
        let columns = made.remove(1);
        Ok(Positions {
            rows: made.remove(0),
            columns,
            marks,
        })
    }

    /// Logits of queries and keys (batch, token, width) with relative positions, as one product: queries carry their logits of every
    /// row and column, keys a mark for the row and the column they stand in.
    pub fn logits(
        &mut self,
        query: &Value,
        key: &Value,
        positions: &Positions,
        width: usize,
        side: usize,
    ) -> Value {
        let (wide, long, count) = (width as i64, side as i64, (side * side) as i64);
        let graph = &mut self.graph;
        let square = graph.reshape(query, &[-1, long, long, wide]);
        let rows = graph.matmul(&square, &positions.rows);
        let rows = graph.reshape(&rows, &[-1, count, long]);
        let turned = graph.transpose(&square, &[0, 2, 1, 3]);
        let columns = graph.matmul(&turned, &positions.columns);
        let columns = graph.transpose(&columns, &[0, 2, 1, 3]);
        let columns = graph.reshape(&columns, &[-1, count, long]);
        let query = graph.op("Concat", &[query, &rows, &columns], vec![int("axis", 2)]);
        let pads = graph.ints(&[6], &[0, 0, 0, 0, 0, 2 * long]);
        let key = graph.op("Pad", &[key, &pads], Vec::new());
        let key = graph.add(&key, &positions.marks);
        let key = graph.transpose(&key, &[0, 2, 1]);
        graph.matmul(&query, &key)
    }
}
