//! How much of an error is an annotator's own and how much all share: the variances behind standard errors.

use rayon::prelude::*;

use super::ballot::Skill;
use super::standing::Prior;
use crate::NumberVotes;
use crate::scoring::controls::{ControlErrors, ErrorSums, Products, Totals};
use crate::scoring::shrinkage::{Shrinkage, shrunk};

/// The pooled mean squared error counts as much as so many controls in an annotator's own. A variance from five normal
/// errors is known to about ±60 %, so with fewer the crowd's says more than the annotator's own.
const PRIOR_CONTROLS: f64 = 5.0;

/// No annotator's own variance is taken to be less than this share of the pooled one.
const LEAST_SHARE: f64 = 0.1;

/// Variances of errors, and MAEs, as seen from an item (from all controls, or from all without that item).
#[derive(Debug, Clone, Copy)]
pub(super) struct Noise {
    /// Variance of one vote around what all annotators share; `None` when nothing tells it.
    pub(super) own: Option<f64>,
    /// τ²: variance of the shared error with the square of the common bias; `None` without controls.
    pub(super) shared: Option<f64>,
    /// Variance of votes within items; `None` if no item has two votes.
    pub(super) within: Option<f64>,
    /// MAE over all votes on controls; 0 without.
    pub(super) overall_mae: f64,
    /// What annotators of few controls are taken for.
    pub(super) prior: Prior,
    k: f64,
}

impl Noise {
    /// From sums over controls and the variance of votes within items (`None` if no item has two votes).
    ///
    /// τ² is the mean product of errors of different annotators. Where no control has two annotators it is what the mean
    /// squared error exceeds the variance within items by; where no item has two votes either, own and shared errors cannot
    /// be told apart and the own variance stands for both (an item then has one vote, so nothing is lost).
    pub(super) fn new(totals: &Totals, within: Option<f64>, shrinkage: Shrinkage) -> Self {
        let groups = &totals.groups;
        let (own, shared) = variances(&totals.total, &totals.products, within);
        Self {
            own,
            shared,
            within,
            overall_mae: groups.mean(),
            prior: Prior::new(totals, own.unwrap_or(0.0), shared.unwrap_or(0.0)),
            k: groups.k(shrinkage),
        }
    }

    /// The variance of a vote, the unit in which variances are compared.
    pub(super) fn scale(&self) -> f64 {
        self.own.unwrap_or(0.0) + self.shared.unwrap_or(0.0)
    }

    /// An annotator's MAE and own variance from sums over (other) controls.
    pub(super) fn skill(&self, sums: &ErrorSums) -> Skill {
        let (own, shared) = (self.own.unwrap_or(0.0), self.shared.unwrap_or(0.0));
        Skill {
            mae: shrunk(sums.n, sums.absolute, self.k, self.overall_mae),
            variance: own_variance(sums, own, shared),
        }
    }

    /// Standard error of an estimate with this variance due to annotators' own errors; `None` when it is unknown, which
    /// includes a variance of exactly zero: votes that all agree do not prove that they are right. Of an estimate that is
    /// `unbiased`, the square of the common bias is no part.
    pub(super) fn standard_error(&self, variance: f64, unbiased: bool) -> Option<f64> {
        self.own?;
        let shared = if unbiased {
            self.prior.shared
        } else {
            self.shared.unwrap_or(0.0)
        };
        let se = (variance + shared).sqrt();
        (se > 0.0 && se.is_finite()).then_some(se)
    }
}

/// Variance of one vote around what all annotators share, and of what they share: see [`Noise::new`].
pub(super) fn variances(
    total: &ErrorSums,
    products: &Products,
    within: Option<f64>,
) -> (Option<f64>, Option<f64>) {
    match (total.mean_square(), within) {
        (None, within) => (within, None),
        (Some(mse), Some(within)) => {
            let shared = products
                .shared_variance()
                .unwrap_or_else(|| (mse - within).max(0.0));
            (Some(within), Some(shared))
        }
        (Some(mse), None) => (Some(mse), Some(0.0)),
    }
}

/// An annotator's own variance from sums over (other) controls, drawn to the pooled one.
pub(super) fn own_variance(sums: &ErrorSums, own: f64, shared: f64) -> f64 {
    if sums.n <= 0.0 {
        return own;
    }
    let square = (sums.squares + PRIOR_CONTROLS * (own + shared)) / (sums.n + PRIOR_CONTROLS);
    (square - shared).max(LEAST_SHARE * own)
}

/// Everything that is known from all controls, and how to leave one item out of it.
pub(super) struct Evidence {
    pub(super) controls: ControlErrors,
    pub(super) noise: Noise,
    /// Variance of votes within items; `None` if no item has two votes.
    pub(super) within: Option<f64>,
    pub(super) shrinkage: Shrinkage,
}

impl Evidence {
    /// Two passes over all votes.
    pub(super) fn of(votes: &NumberVotes, truth: &[Option<f64>], shrinkage: Shrinkage) -> Self {
        Self::new(
            ControlErrors::of(votes, truth),
            variance_within(votes),
            shrinkage,
        )
    }

    /// From sums over controls and the variance of votes within items.
    pub(super) fn new(controls: ControlErrors, within: Option<f64>, shrinkage: Shrinkage) -> Self {
        let noise = Noise::new(&controls.totals(), within, shrinkage);
        Self {
            controls,
            noise,
            within,
            shrinkage,
        }
    }

    /// Skills of all annotators, by index, for items that are no controls.
    pub(super) fn skills(&self) -> Vec<Skill> {
        let sums = self.controls.annotators.iter();
        sums.map(|sums| self.noise.skill(sums)).collect()
    }

    /// The noise and, into `skills`, the skills of its annotators, as seen from a control: without it.
    pub(super) fn without(
        &self,
        annotators: &[u32],
        values: &[f64],
        truth: f64,
        sums: &mut Vec<ErrorSums>,
        skills: &mut Vec<Skill>,
    ) -> Noise {
        sums.clear();
        let rest = self
            .controls
            .without(annotators, values, truth, |s| sums.push(s));
        let noise = Noise::new(&rest, self.within, self.shrinkage);
        skills.clear();
        skills.extend(sums.iter().map(|s| noise.skill(s)));
        noise
    }
}

/// Items per piece of work. Pieces are added up in their order, so the number of threads does not show.
const ITEMS_PER_PIECE: usize = 1 << 14;

/// Pooled variance of votes around their item's mean, with divisor Σ (K − 1); `None` if no item has two votes.
fn variance_within(votes: &NumberVotes) -> Option<f64> {
    let pieces: Vec<Scatter> = (0..votes.n_items().div_ceil(ITEMS_PER_PIECE))
        .into_par_iter()
        .map(|piece| {
            let from = piece * ITEMS_PER_PIECE;
            let to = (from + ITEMS_PER_PIECE).min(votes.n_items());
            Scatter::of(votes, from..to)
        })
        .collect();
    Scatter::variance(&pieces)
}

/// Sums over items for the variance of votes within them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scatter {
    squares: f64,
    freedom: f64,
}

impl Scatter {
    /// Over these items, in their order.
    pub(super) fn of(votes: &NumberVotes, items: std::ops::Range<usize>) -> Self {
        let mut sums = Self::default();
        for item in items {
            let values = votes.item(item).1;
            if values.len() < 2 {
                continue;
            }
            let n = values.len() as f64;
            let mean = values[0] + values.iter().map(|v| v - values[0]).sum::<f64>() / n;
            sums.squares += values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
            sums.freedom += n - 1.0;
        }
        sums
    }

    /// The variance over all pieces, added up in their order; `None` if no item has two votes.
    pub(super) fn variance(pieces: &[Self]) -> Option<f64> {
        let mut all = Self::default();
        for piece in pieces {
            all.squares += piece.squares;
            all.freedom += piece.freedom;
        }
        (all.freedom > 0.0).then(|| all.squares / all.freedom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::Crowd;

    #[test]
    fn variance_within_items_as_worked_by_hand() {
        // 10 12 14: 8; 5 5: 0; one vote: nothing. 8/(2 + 1).
        let votes = NumberVotes::new(
            3,
            6,
            &[0, 0, 0, 1, 1, 2],
            &[0, 1, 2, 3, 4, 5],
            &[10.0, 12.0, 14.0, 5.0, 5.0, 99.0],
        )
        .unwrap();
        assert_eq!(variance_within(&votes), Some(8.0 / 3.0));
        let single = NumberVotes::new(1, 1, &[0], &[0], &[1.0]).unwrap();
        assert_eq!(variance_within(&single), None);
    }

    #[test]
    fn shared_and_own_variance_of_a_simulated_crowd_are_recovered() {
        for shared_sd in [0.0, 4.0] {
            let crowd = Crowd {
                shared_sd,
                items: 3000,
                ..Crowd::default()
            };
            let sample = crowd.draw(3);
            let truth: Vec<_> = sample.truth.iter().copied().map(Some).collect();
            let e = Evidence::of(&sample.votes, &truth, Shrinkage::None);
            let shared = e.noise.shared.unwrap();
            assert!((shared - shared_sd.powi(2)).abs() < 1.2, "{shared}");
            // Mean of σ_u² over 3..12 is 63, plus the variance 1 of biases.
            assert!((e.noise.own.unwrap() / 64.0 - 1.0).abs() < 0.15);
        }
    }
}
