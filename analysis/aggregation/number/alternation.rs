//! The loop behind methods that need no controls: truths from weights, weights from residuals, until truths stand still.

use rayon::prelude::*;

use super::linear::Term;
use crate::NumberVotes;
use crate::aggregation::Convergence;

/// An item's own place and unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    /// Where the prior expects the truth.
    pub(super) center: f64,
    /// What one unit of residual is.
    pub(super) scale: f64,
}

/// What is summed over an annotator's votes on items with at least two votes, in units of the item's scale: on an item with
/// one vote every annotator would look perfect.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Residuals {
    /// Votes.
    pub(super) n: f64,
    /// Σ q: how much they count. 1 each unless errors are Student's.
    pub(super) heft: f64,
    /// Σ q (v − z).
    pub(super) sum: f64,
    /// Σ q (v − z)².
    pub(super) squares: f64,
    /// Σ of the variances of z, 1/Σw, for methods whose weights are precisions.
    pub(super) slack: f64,
}

/// How an annotator's votes count at present.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weighing {
    /// Weight; one over the variance for methods that have one. Positive.
    pub(super) weight: f64,
    /// Subtracted from every vote, in units of the scale.
    pub(super) offset: f64,
}

/// When to stop, and what pulls truths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Passes over the votes at most.
    pub(super) passes: usize,
    /// Precision of the prior of a truth around its frame's centre, in units of 1/scale².
    pub(super) prior: f64,
    /// Degrees of freedom of Student's errors; infinite for normal ones.
    pub(super) freedom: f64,
}

/// Truths and annotators at the end.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    /// By item; the start's entry without votes.
    pub(super) truths: Vec<f64>,
    /// By annotator: weights, and offsets in the unit of the votes.
    pub(super) annotators: Vec<Weighing>,
    /// How it ended.
    pub(super) convergence: Convergence,
}

impl Fit {
    /// The part of this annotator's vote whose own error has this variance.
    pub(super) fn term(&self, annotator: u32, variance: f64) -> Term {
        let a = &self.annotators[annotator as usize];
        Term {
            log_weight: a.weight.ln(),
            offset: a.offset,
            variance,
        }
    }
}

/// Truths stand still when none moves by more than this share of the pooled standard deviation within items.
const TOLERANCE: f64 = 1e-6;

/// Repeats: residuals around the truths, `update` of the annotators from their residuals, truths `z = (p·c + Σ w (v − o)) /
/// (p + Σ w)`. With Student's errors (West 1984) every vote's weight is multiplied by `q = (ν + 1)/(ν + w r²)`, r its residual
/// around the truth before. Begins from `truths`. `scale` is the pooled standard deviation within items (0 if nothing varies: then the
/// start is the end); without frames it is the unit of all items.
///
/// One pass over the votes per round. Sums are made piece by piece and added in order: threads do not show.
pub(super) fn alternate(
    votes: &NumberVotes,
    mut truths: Vec<f64>,
    scale: f64,
    frames: Option<&[Frame]>,
    limits: Limits,
    mut update: impl FnMut(&[Residuals], &mut [Weighing]),
) -> Fit {
    let even = Weighing {
        weight: 1.0,
        offset: 0.0,
    };
    let mut annotators = vec![even; votes.n_annotators()];
    let mut convergence = Convergence::Converged { passes: 1 };
    if scale <= 0.0 || !scale.is_finite() {
        return Fit {
            truths,
            annotators,
            convergence,
        };
    }
    let pieces = (votes.n_votes() / (64 * votes.n_annotators() + 1)).clamp(1, 8);
    let per_piece = votes.n_items().div_ceil(pieces).max(1);
    for pass in 1..=limits.passes {
        let first = pass == 1;
        let done: Vec<(Vec<Residuals>, f64)> = truths
            .par_chunks_mut(per_piece)
            .enumerate()
            .map(|(piece, truths)| {
                let mut sums = vec![Residuals::default(); annotators.len()];
                let mut change = 0.0f64;
                for (i, truth) in truths.iter_mut().enumerate() {
                    let item = piece * per_piece + i;
                    let (who, values) = votes.item(item);
                    if values.is_empty() {
                        continue;
                    }
                    let frame = frames.map_or(
                        Frame {
                            center: *truth,
                            scale,
                        },
                        |frames| frames[item],
                    );
                    let (z, precision) = if first {
                        (*truth, 0.0)
                    } else {
                        truth_of(who, values, &annotators, &frame, *truth, &limits)
                    };
                    change = change.max((z - *truth).abs());
                    *truth = z;
                    if values.len() < 2 {
                        continue;
                    }
                    let slack = if first { 0.0 } else { 1.0 / precision };
                    for (&u, v) in who.iter().zip(values) {
                        let r = (v - z) / frame.scale;
                        let q = limits.heft(&annotators[u as usize], r);
                        let sums = &mut sums[u as usize];
                        sums.n += 1.0;
                        sums.heft += q;
                        sums.sum += q * r;
                        sums.squares += q * r * r;
                        sums.slack += slack;
                    }
                }
                (sums, change)
            })
            .collect();
        let change = done.iter().map(|d| d.1).fold(0.0, f64::max);
        convergence = if !first && change <= TOLERANCE * scale {
            Convergence::Converged { passes: pass }
        } else {
            Convergence::Stopped {
                passes: pass,
                change,
            }
        };
        if matches!(convergence, Convergence::Converged { .. }) {
            break;
        }
        let mut sums = vec![Residuals::default(); annotators.len()];
        for (piece, _) in &done {
            for (all, part) in sums.iter_mut().zip(piece) {
                all.n += part.n;
                all.heft += part.heft;
                all.sum += part.sum;
                all.squares += part.squares;
                all.slack += part.slack;
            }
        }
        update(&sums, &mut annotators);
    }
    annotators.iter_mut().for_each(|a| a.offset *= scale);
    Fit {
        truths,
        annotators,
        convergence,
    }
}

impl Limits {
    /// q of a vote with this residual.
    fn heft(&self, annotator: &Weighing, residual: f64) -> f64 {
        if self.freedom.is_infinite() {
            return 1.0;
        }
        let r = residual - annotator.offset;
        (self.freedom + 1.0) / (self.freedom + annotator.weight * r * r)
    }
}

/// Truth and precision (in units of 1/scale²) of one item; `before` is the truth of the round before.
fn truth_of(
    who: &[u32],
    values: &[f64],
    annotators: &[Weighing],
    frame: &Frame,
    before: f64,
    limits: &Limits,
) -> (f64, f64) {
    let base = values.iter().copied().fold(f64::INFINITY, f64::min);
    let (mut w1, mut wv) = (limits.prior, limits.prior * (frame.center - base));
    for (&u, v) in who.iter().zip(values) {
        let a = &annotators[u as usize];
        let w = a.weight * limits.heft(a, (v - before) / frame.scale);
        w1 += w;
        wv += w * (v - base - a.offset * frame.scale);
    }
    (base + wv / w1, w1)
}

/// A ratio to 30 binary digits. Alternation can magnify a difference in the last digit between two annotators who are alike
/// in everything until one of them is taken for much the better; equal annotators are to stay equal.
pub(super) fn rounded(ratio: f64) -> f64 {
    let digits = f64::from(1u32 << 30);
    (ratio * digits).round() / digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residuals_and_truths_of_two_rounds_as_worked_by_hand() {
        // Item 0: 10, 14, 18 by annotators 0, 1, 2; item 1: one vote. Weights become 1/squares.
        let votes =
            NumberVotes::new(2, 3, &[0, 0, 0, 1], &[0, 1, 2, 1], &[10.0, 14.0, 18.0, 5.0]).unwrap();
        let mut seen = Vec::new();
        let limits = Limits {
            passes: 3,
            prior: 0.0,
            freedom: f64::INFINITY,
        };
        let fit = alternate(&votes, vec![12.0, 5.0], 2.0, None, limits, |sums, all| {
            seen.push(sums.to_vec());
            for (a, s) in all.iter_mut().zip(sums) {
                a.weight = 1.0 / s.squares;
            }
        });
        // Residuals −2, 2, 6 in units of 2: squares 1, 1, 9.
        assert_eq!(
            seen[0].iter().map(|s| s.squares).collect::<Vec<_>>(),
            [1.0, 1.0, 9.0]
        );
        assert!(seen[0].iter().all(|s| s.n == 1.0));
        // Weights 1, 1, 1/9: (10 + 14 + 2)/(19/9) = 234/19.
        let z = 234.0 / 19.0;
        assert!((seen[1][0].sum - (10.0 - z) / 2.0).abs() < 1e-12);
        assert!((seen[1][0].slack - 9.0 / 19.0).abs() < 1e-12);
        assert_eq!(fit.truths[1], 5.0);
        assert!(matches!(
            fit.convergence,
            Convergence::Stopped { passes: 3, .. }
        ));
    }

    #[test]
    fn votes_that_all_agree_are_the_truth() {
        let votes = NumberVotes::new(1, 2, &[0, 0], &[0, 1], &[3.0, 3.0]).unwrap();
        let limits = Limits {
            passes: 3,
            prior: 0.0,
            freedom: f64::INFINITY,
        };
        let fit = alternate(&votes, vec![3.0], 0.0, None, limits, |_, _| unreachable!());
        assert_eq!(fit.convergence, Convergence::Converged { passes: 1 });
    }
}
