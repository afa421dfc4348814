//! Whether an annotator's answers move with the item: their correlation with what the others say of the same items.

use super::History;
use crate::{Answer, NumberScale, Question, Scale};
use statrs::distribution::{ContinuousCDF, Normal};

/// Fewer others than this on an item are no consensus.
const LEAST_OTHERS: u32 = 2;

/// After a look the next one comes when there are so many times as many answers: an annotator with a million of them is
/// looked at some sixty times, and less certainty is spent than if it were after every answer.
const NEXT_LOOK: f64 = 1.2;

/// What all annotators together say of every item of one question.
///
/// A number becomes its place among all answers to the question, 0 to 1 (mid-rank), so that no unit and no slip of the
/// keyboard matters; a label becomes a vector with a 1 at its index. Both are points, and sums over points suffice to leave
/// one annotator out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Consensus {
    scale: Scale,
    /// Distinct numbers in ascending order, with their places.
    places: Vec<(f64, f64)>,
    /// Coordinates of a point.
    dims: usize,
    /// Sums of points, `dims` per item.
    sums: Vec<f64>,
    /// Answers per item.
    counts: Vec<u32>,
    /// Points of known truths, `dims` per item; NaN where there is none.
    truths: Vec<f64>,
    /// Pooled variance of a point around its item, all coordinates together; `None` if nothing tells.
    within: Option<f64>,
}

/// The state after one more answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Followed {
    pub(super) sequence: u32,
    /// Upper bound of the correlation with the consensus; 1 until it was looked at.
    pub(super) upper: f64,
    /// The correlation of a typical annotator on these items; −1 where items do not differ, so that nothing lies below it.
    pub(super) expected: f64,
    /// The correlation.
    pub(super) correlation: f64,
}

impl Consensus {
    /// From everybody's answers to a question; `truths` by item. Unsure answers and answers of the other kind are passed over.
    pub(super) fn of(
        histories: &[History],
        question: u32,
        asked: &Question,
        truths: &[Option<Answer>],
    ) -> Self {
        let given = || {
            let all = histories.iter().flat_map(History::given);
            all.filter(move |g| g.question == question)
        };
        let numbers = given().filter_map(|g| g.answer.number());
        let items = given().map(|g| g.task as usize + 1).max().unwrap_or(0);
        let dims = match &asked.scale {
            Scale::Number(_) => 1,
            Scale::Choice(scale) => scale.labels.len(),
        };
        let mut found = Self {
            scale: asked.scale.clone(),
            places: places(numbers.filter(|v| v.is_finite()).collect()),
            dims,
            sums: vec![0.0; items * dims],
            counts: vec![0; items],
            truths: vec![f64::NAN; items * dims],
            within: None,
        };
        let mut point = vec![0.0; dims];
        let mut squares = vec![0.0; items];
        for g in given() {
            if !found.point(g.answer, &mut point) {
                continue;
            }
            let item = g.task as usize;
            found.counts[item] += 1;
            squares[item] += point.iter().map(|x| x * x).sum::<f64>();
            for (sum, x) in found.sums[item * dims..].iter_mut().zip(&point) {
                *sum += x;
            }
        }
        for (item, truth) in truths.iter().enumerate().take(items) {
            if truth.is_some_and(|truth| found.point(truth, &mut point)) {
                found.truths[item * dims..][..dims].copy_from_slice(&point);
            }
        }
        found.within = found.pooled(&squares);
        found
    }

    /// Pooled variance within items; where no item has two answers, around known truths.
    fn pooled(&self, squares: &[f64]) -> Option<f64> {
        let (mut left, mut freedom, mut missed, mut known) = (0.0, 0.0, 0.0, 0.0);
        for (item, (&n, square)) in self.counts.iter().zip(squares).enumerate() {
            let at = item * self.dims..(item + 1) * self.dims;
            let (sum, truth) = (&self.sums[at.clone()], &self.truths[at]);
            let n = f64::from(n);
            if n > 1.0 {
                left += square - sum.iter().map(|s| s * s).sum::<f64>() / n;
                freedom += n - 1.0;
            }
            if n > 0.0 && !truth[0].is_nan() {
                let cross: f64 = sum.iter().zip(truth).map(|(s, t)| s * t).sum();
                let own: f64 = truth.iter().map(|t| t * t).sum();
                missed += square - 2.0 * cross + n * own;
                known += n;
            }
        }
        let mean = |sum: f64, n: f64| (n > 0.0).then(|| (sum / n).max(0.0));
        mean(left, freedom).or(mean(missed, known))
    }

    /// Writes an answer's point; false if it has none.
    fn point(&self, answer: Answer, point: &mut [f64]) -> bool {
        match (&self.scale, answer) {
            (Scale::Number(NumberScale { .. }), Answer::Number(value)) if value.is_finite() => {
                let at = self.places.partition_point(|(v, _)| *v < value);
                // A truth may lie between the answers, or beyond them.
                point[0] = match self.places.get(at) {
                    Some((v, place)) if *v == value => *place,
                    found => {
                        let above = found.map_or(1.0, |p| p.1);
                        let below = at.checked_sub(1).map_or(0.0, |b| self.places[b].1);
                        f64::midpoint(above, below)
                    }
                };
                true
            }
            (Scale::Choice(_), Answer::Choice(label)) if (label as usize) < self.dims => {
                point.fill(0.0);
                point[label as usize] = 1.0;
                true
            }
            _ => false,
        }
    }

    /// What the others say of an item to which `own` was answered, written to `reference`: their mean, or where there are
    /// fewer than two of them, the truth. Returns the variance of its error, or `None` if there is neither.
    fn reference(&self, item: usize, own: &[f64], reference: &mut [f64]) -> Option<f64> {
        let others = self.counts[item].saturating_sub(1);
        let at = item * self.dims..(item + 1) * self.dims;
        if others >= LEAST_OTHERS {
            let n = f64::from(others);
            for ((r, sum), x) in reference.iter_mut().zip(&self.sums[at]).zip(own) {
                *r = (sum - x) / n;
            }
            return Some(self.within.unwrap_or(0.0) / n);
        }
        let truth = &self.truths[at];
        if truth[0].is_nan() {
            return None;
        }
        reference.copy_from_slice(truth);
        Some(0.0)
    }

    /// The correlation of one annotator's answers with the others', answer by answer, looked at from the `minimum`-th on.
    /// `confidence` is one-sided and holds over all looks together: `(1 − confidence)/(k(k + 1))` is spent on the k-th.
    pub(super) fn followed(
        &self,
        history: &History,
        question: u32,
        confidence: f64,
        minimum: u32,
    ) -> Vec<Followed> {
        let mut rows = Rows::new(self.dims);
        let (mut x, mut r) = (vec![0.0; self.dims], vec![0.0; self.dims]);
        let mut found: Vec<Followed> = Vec::new();
        let (mut looks, mut next) = (0.0, minimum.max(5) as usize);
        for g in history.given().iter().filter(|g| g.question == question) {
            let item = g.task as usize;
            if item >= self.counts.len() || !self.point(g.answer, &mut x) {
                continue;
            }
            let Some(noise) = self.reference(item, &x, &mut r) else {
                continue;
            };
            rows.push(&x, &r, noise);
            let mut now = found.last().copied().unwrap_or(Followed {
                sequence: g.sequence,
                upper: 1.0,
                expected: -1.0,
                correlation: 1.0,
            });
            now.sequence = g.sequence;
            if rows.n() == next {
                looks += 1.0;
                next = (rows.n() + 1).max((NEXT_LOOK * rows.n() as f64).ceil() as usize);
                let spent = (1.0 - confidence) / (looks * (looks + 1.0));
                rows.look(self.within, spent, &mut now);
            }
            found.push(now);
        }
        found
    }
}

/// Answers and references of one annotator, as points.
struct Rows {
    dims: usize,
    answers: Vec<f64>,
    references: Vec<f64>,
    noise: f64,
}

impl Rows {
    fn new(dims: usize) -> Self {
        Self {
            dims,
            answers: Vec::new(),
            references: Vec::new(),
            noise: 0.0,
        }
    }

    fn n(&self) -> usize {
        self.answers.len() / self.dims
    }

    fn push(&mut self, answer: &[f64], reference: &[f64], noise: f64) {
        self.answers.extend_from_slice(answer);
        self.references.extend_from_slice(reference);
        self.noise += noise;
    }

    fn means(&self, points: &[f64]) -> Vec<f64> {
        let mut means = vec![0.0; self.dims];
        for point in points.chunks_exact(self.dims) {
            for (mean, x) in means.iter_mut().zip(point) {
                *mean += x / self.n() as f64;
            }
        }
        means
    }

    /// Correlation of points: the covariances of all coordinates over the root of the variances of all.
    fn look(&self, within: Option<f64>, spent: f64, now: &mut Followed) {
        let n = self.n() as f64;
        let (ma, mr) = (self.means(&self.answers), self.means(&self.references));
        let (mut aa, mut rr, mut ar, mut fourth) = (0.0, 0.0, 0.0, 0.0);
        let points = self.answers.chunks_exact(self.dims);
        for (a, r) in points.zip(self.references.chunks_exact(self.dims)) {
            let mut distance = 0.0;
            for (((a, r), ma), mr) in a.iter().zip(r).zip(&ma).zip(&mr) {
                aa += (a - ma) * (a - ma);
                ar += (a - ma) * (r - mr);
                distance += (r - mr) * (r - mr);
            }
            rr += distance;
            fourth += distance * distance;
        }
        // Rounding leaves a trace where nothing varies.
        let nothing = 1e-12 * n;
        // Always the same answer does not move with anything.
        let correlation = if aa > nothing && rr > nothing {
            (ar / (aa * rr).sqrt()).clamp(-1.0, 1.0)
        } else {
            0.0
        };
        now.correlation = correlation;
        now.upper = 1.0;
        now.expected = -1.0;
        let signal = rr / n - self.noise / n;
        let Some(within) = within.filter(|_| signal > 0.0 && rr > nothing) else {
            return;
        };
        now.expected = signal / ((signal + within) * rr / n).sqrt();
        // A correlation that hangs on one rare item among hundreds is worth a few answers: three times the effective number of
        // squares, which is n where references are normal or flatter.
        let effective = n.min(3.0 * rr * rr / fourth);
        if effective > 4.0 {
            let error = ((1.0 + correlation * correlation / 2.0) / (effective - 3.0)).sqrt();
            let quantile = Normal::standard().inverse_cdf(1.0 - spent);
            let z = correlation.clamp(-0.999_999, 0.999_999).atanh() + quantile * error;
            now.upper = z.tanh();
        }
    }
}

/// Distinct values in ascending order, each with the share of values below it and half of those equal to it.
fn places(mut values: Vec<f64>) -> Vec<(f64, f64)> {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len() as f64;
    let mut found = Vec::new();
    let mut below = 0;
    for equal in values.chunk_by(|a, b| a == b) {
        let place = (below as f64 + equal.len() as f64 / 2.0) / n;
        found.push((equal[0], place));
        below += equal.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::banning::Given;
    use crate::banning::context::tests::age_and_sex;

    fn history(rows: &[(u32, Answer)], question: u32) -> History {
        let given = (0u32..).zip(rows).map(|(sequence, &(task, answer))| Given {
            task,
            question,
            answer,
            seconds: None,
            sequence,
        });
        History::new(Vec::new(), given.collect())
    }

    #[test]
    fn places_are_midranks() {
        let found = places(vec![7.0, 1.0, 7.0, 3.0]);
        assert_eq!(found, [(1.0, 0.125), (3.0, 0.375), (7.0, 0.75)]);
        assert!(places(Vec::new()).is_empty());
    }

    #[test]
    fn a_correlation_of_labels_as_worked_by_hand() {
        // Six items; the two others agree: labels 0, 0, 0, 1, 1, 1. Own answers 0, 0, 1, 1, 1, 1.
        let of = |labels: [u32; 6]| {
            let rows: Vec<_> = (0..).zip(labels.map(Answer::Choice)).collect();
            history(&rows, 1)
        };
        let others = [0, 0, 0, 1, 1, 1];
        let all = [of(others), of(others), of([0, 0, 1, 1, 1, 1])];
        let consensus = Consensus::of(&all, 1, &age_and_sex()[1], &[]);
        let path = consensus.followed(&all[2], 1, 0.99, 5);
        assert_eq!(path.len(), 6);
        assert_eq!(path[3].upper, 1.0);
        // phi = (ad − bc)/√…: table 2, 1; 0, 3: 6/√(3·3·2·4) = 0.7071.
        assert!((path[5].correlation - 0.5f64.sqrt()).abs() < 1e-12);
        // Within: one item of votes (0, 0, 1): squared distances 2·(2/9 + 2/9 + 8/9)/2... = 4/3 over 12 degrees of freedom.
        let within: f64 = 4.0 / 3.0 / 12.0;
        assert!((consensus.within.unwrap() - within).abs() < 1e-12);
        // Reference: variance 2·1/4; its noise half of what is within.
        let signal = 0.5 - within / 2.0;
        let expected = signal / ((signal + within) * 0.5).sqrt();
        assert!((path[5].expected - expected).abs() < 1e-12);
    }

    #[test]
    fn the_truth_stands_in_where_nobody_else_answered() {
        let numbers = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0];
        let rows: Vec<_> = (0..).zip(numbers.map(Answer::Number)).collect();
        let truths: Vec<_> = numbers
            .iter()
            .map(|v| Some(Answer::Number(v + 1.0)))
            .collect();
        let alone = [history(&rows, 0)];
        let path = |truths: &[Option<Answer>]| {
            Consensus::of(&alone, 0, &age_and_sex()[0], truths).followed(&alone[0], 0, 0.99, 5)
        };
        assert!(path(&[]).is_empty());
        let with = path(&truths);
        assert_eq!(with.len(), 6);
        assert!(with[5].correlation > 0.95, "{with:?}");
    }
}
