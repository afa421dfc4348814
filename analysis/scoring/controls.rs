//! Sums of control errors per annotator, from which one item can be left out without a second pass.

use rayon::prelude::*;

use super::shrinkage::Groups;
use crate::NumberVotes;

/// Sums over one annotator's votes on controls; errors are vote − truth.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ErrorSums {
    /// Number of votes.
    pub(crate) n: f64,
    /// Σ |e|.
    pub(crate) absolute: f64,
    /// Σ e.
    pub(crate) signed: f64,
    /// Σ e².
    pub(crate) squares: f64,
}

impl ErrorSums {
    /// Sums over some votes on an item of this truth.
    pub(crate) fn of(values: &[f64], truth: f64) -> Self {
        let mut sums = Self::default();
        for &value in values {
            let error = value - truth;
            sums.n += 1.0;
            sums.absolute += error.abs();
            sums.signed += error;
            sums.squares += error * error;
        }
        sums
    }

    /// Adds another's sums.
    pub(crate) fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.absolute += other.absolute;
        self.signed += other.signed;
        self.squares += other.squares;
    }

    /// These sums without `other`'s. Sums that cannot be negative stay at 0 where rounding would make them so.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let n = self.n - other.n;
        if n <= 0.0 {
            return Self::default();
        }
        Self {
            n,
            absolute: (self.absolute - other.absolute).max(0.0),
            signed: self.signed - other.signed,
            squares: (self.squares - other.squares).max(0.0),
        }
    }

    /// Mean squared error; `None` without votes.
    pub(crate) fn mean_square(&self) -> Option<f64> {
        (self.n > 0.0).then(|| self.squares / self.n)
    }
}

/// Products of the errors of two different annotators on the same item: their mean is the variance all share.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Products {
    /// Σ over ordered pairs of e_u·e_v.
    pub(crate) sum: f64,
    /// Number of ordered pairs.
    pub(crate) pairs: f64,
}

impl Products {
    /// Mean product, at least 0; `None` without a pair.
    pub(crate) fn shared_variance(&self) -> Option<f64> {
        (self.pairs > 0.5).then(|| (self.sum / self.pairs).max(0.0))
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        Self {
            sum: self.sum - other.sum,
            pairs: self.pairs - other.pairs,
        }
    }
}

/// Sums over controls of their mean errors, for the bias that all annotators share.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ItemMeans {
    /// Number of controls with votes.
    pub(crate) n: f64,
    /// Σ of mean errors.
    pub(crate) sum: f64,
    /// Σ of their squares.
    pub(crate) squares: f64,
}

impl ItemMeans {
    fn of(item: &ErrorSums) -> Self {
        let mean = item.signed / item.n.max(1.0);
        Self {
            n: f64::from(u8::from(item.n > 0.0)),
            sum: mean,
            squares: mean * mean,
        }
    }

    fn add(&mut self, other: &Self, sign: f64) {
        self.n += sign * other.n;
        self.sum += sign * other.sum;
        self.squares += sign * other.squares;
    }

    /// The common bias, drawn to 0 as far as it may be chance (positive-part James–Stein: factor `1 − se²/mean²`); 0 with
    /// fewer than two controls.
    pub(crate) fn common_bias(&self) -> f64 {
        if self.n < 1.5 {
            return 0.0;
        }
        let mean = self.sum / self.n;
        let variance = (self.squares / self.n - mean * mean).max(0.0) / (self.n - 1.0);
        // Sums from which an item was taken out carry rounding of about 1e-16 of their squares.
        if mean * mean <= variance + 1e-12 * self.squares / self.n {
            return 0.0;
        }
        mean * (1.0 - variance / (mean * mean))
    }
}

/// All control errors in sums: per annotator, together, and of pairs.
#[derive(Debug, Clone, Default)]
pub(crate) struct ControlErrors {
    /// By annotator's index.
    pub(crate) annotators: Vec<ErrorSums>,
    /// All annotators' absolute errors, for the overall MAE and for shrinkage.
    pub(crate) groups: Groups,
    /// All annotators' errors with their signs.
    pub(crate) signed: Groups,
    /// All votes.
    pub(crate) total: ErrorSums,
    /// All pairs.
    pub(crate) products: Products,
    /// Mean errors of items.
    pub(crate) means: ItemMeans,
    /// Items with a known truth and at least one vote.
    pub(crate) items: usize,
}

/// Sums over all annotators, of all controls or of all but one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Totals {
    /// Absolute errors of all annotators.
    pub(crate) groups: Groups,
    /// Errors of all annotators with their signs.
    pub(crate) signed: Groups,
    /// All votes.
    pub(crate) total: ErrorSums,
    /// All pairs.
    pub(crate) products: Products,
    /// Mean errors of items.
    pub(crate) means: ItemMeans,
}

impl ControlErrors {
    /// Sums over all items whose truth is known. Linear in their votes.
    pub(crate) fn of(votes: &NumberVotes, truth: &[Option<f64>]) -> Self {
        // Every piece needs sums for all annotators: a few pieces at most, their number a matter of the table's size alone
        // (not of the threads), added up in their order.
        let pieces = (votes.n_votes() / (64 * votes.n_annotators() + 1)).clamp(1, 8);
        let per_piece = votes.n_items().div_ceil(pieces).max(1);
        let sums: Vec<Self> = truth
            .par_chunks(per_piece)
            .enumerate()
            .map(|(piece, truth)| {
                let mut sums = Self::none(votes.n_annotators());
                sums.add_items(votes, truth, piece * per_piece);
                sums
            })
            .collect();
        Self::sum(votes.n_annotators(), &sums)
    }

    /// No control yet.
    pub(crate) fn none(n_annotators: usize) -> Self {
        Self {
            annotators: vec![ErrorSums::default(); n_annotators],
            ..Self::default()
        }
    }

    /// Sums of pieces made by [`ControlErrors::add_items`], in their order, with `groups` and `signed`.
    pub(crate) fn sum(n_annotators: usize, pieces: &[Self]) -> Self {
        let mut all = Self::none(n_annotators);
        for piece in pieces {
            for (sums, other) in all.annotators.iter_mut().zip(&piece.annotators) {
                sums.add(other);
            }
            all.total.add(&piece.total);
            all.products.sum += piece.products.sum;
            all.products.pairs += piece.products.pairs;
            all.means.add(&piece.means, 1.0);
            all.items += piece.items;
        }
        for sums in &all.annotators {
            all.groups.add(sums.n, sums.absolute, sums.squares);
            all.signed.add(sums.n, sums.signed, sums.squares);
        }
        all
    }

    /// Adds the items from `first` on, as many as there are truths, to all but `groups` and `signed`.
    pub(crate) fn add_items(&mut self, votes: &NumberVotes, truth: &[Option<f64>], first: usize) {
        for (i, truth) in truth.iter().enumerate() {
            let Some(truth) = *truth else { continue };
            let (annotators, values) = votes.item(first + i);
            if values.is_empty() {
                continue;
            }
            self.items += 1;
            let mut item = ErrorSums::default();
            let products = each_annotator(annotators, values, truth, |annotator, sums| {
                self.annotators[annotator].add(&sums);
                self.total.add(&sums);
                item.add(&sums);
            });
            self.means.add(&ItemMeans::of(&item), 1.0);
            self.products.sum += products.sum;
            self.products.pairs += products.pairs;
        }
    }

    /// The sums over all annotators.
    pub(crate) fn totals(&self) -> Totals {
        Totals {
            groups: self.groups,
            signed: self.signed,
            total: self.total,
            products: self.products,
            means: self.means,
        }
    }

    /// The sums without one item, whose votes and truth are given; `each` gets, per vote in the given order, its
    /// annotator's sums without the item.
    pub(crate) fn without(
        &self,
        annotators: &[u32],
        values: &[f64],
        truth: f64,
        mut each: impl FnMut(ErrorSums),
    ) -> Totals {
        let (mut groups, mut signed) = (self.groups, self.signed);
        let mut item = ErrorSums::default();
        let products = each_annotator(annotators, values, truth, |annotator, sums| {
            let all = &self.annotators[annotator];
            let rest = all.minus(&sums);
            groups.remove(all.n, all.absolute, all.squares);
            groups.add(rest.n, rest.absolute, rest.squares);
            signed.remove(all.n, all.signed, all.squares);
            signed.add(rest.n, rest.signed, rest.squares);
            item.add(&sums);
            // An annotator who voted twice on the item loses both votes.
            for _ in 0..sums.n as usize {
                each(rest);
            }
        });
        let mut means = self.means;
        means.add(&ItemMeans::of(&item), -1.0);
        Totals {
            groups,
            signed,
            total: self.total.minus(&item),
            products: self.products.minus(&products),
            means,
        }
    }
}

/// Calls `each` once per annotator of an item with the sums over his votes on it; returns the item's products of pairs.
fn each_annotator(
    annotators: &[u32],
    values: &[f64],
    truth: f64,
    mut each: impl FnMut(usize, ErrorSums),
) -> Products {
    let (mut n, mut sum, mut own_pairs, mut own_products) = (0.0, 0.0, 0.0, 0.0);
    let mut start = 0;
    for run in annotators.chunk_by(|a, b| a == b) {
        let sums = ErrorSums::of(&values[start..start + run.len()], truth);
        start += run.len();
        n += sums.n;
        sum += sums.signed;
        own_pairs += sums.n * sums.n;
        own_products += sums.signed * sums.signed;
        each(run[0] as usize, sums);
    }
    Products {
        sum: sum * sum - own_products,
        pairs: n * n - own_pairs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_without_an_item_are_those_of_a_table_that_never_had_it() {
        let items = [0, 0, 0, 1, 1, 2, 2, 2];
        let annotators = [0, 1, 1, 0, 2, 0, 1, 2];
        let values = [3.0, 5.0, 6.0, 8.0, 9.5, 1.0, 2.0, 4.0];
        let truth = [Some(4.0), Some(9.0), Some(2.5)];
        let votes = NumberVotes::new(3, 3, &items, &annotators, &values).unwrap();
        let all = ControlErrors::of(&votes, &truth);
        let rest = ControlErrors::of(&votes, &[None, truth[1], truth[2]]);
        let (who, what) = votes.item(0);
        let mut per_vote = Vec::new();
        let without = all.without(who, what, 4.0, |sums| per_vote.push(sums));
        assert_eq!(per_vote.len(), 3);
        assert_eq!(per_vote[0], rest.annotators[0]);
        assert_eq!(per_vote[1], rest.annotators[1]);
        assert_eq!(per_vote[2], rest.annotators[1]);
        assert_eq!(without.total, rest.total);
        assert!((without.products.sum - rest.products.sum).abs() < 1e-12);
        assert_eq!(without.products.pairs, rest.products.pairs);
        assert!((without.groups.mean() - rest.groups.mean()).abs() < 1e-12);
    }

    #[test]
    fn the_shared_variance_is_the_mean_product_of_errors_of_different_annotators() {
        // Errors 2, 3 on one item and 1, −1, 4 on another: products 6 and −1, 4, −4: mean 5/4 over 4 pairs (8 ordered).
        let votes = NumberVotes::new(
            2,
            3,
            &[0, 0, 1, 1, 1],
            &[0, 1, 0, 1, 2],
            &[12.0, 13.0, 21.0, 19.0, 24.0],
        )
        .unwrap();
        let all = ControlErrors::of(&votes, &[Some(10.0), Some(20.0)]);
        assert_eq!(all.products.pairs, 8.0);
        assert!((all.products.shared_variance().unwrap() - 1.25).abs() < 1e-12);
        // One annotator's two votes on an item are no pair.
        let twice = NumberVotes::new(1, 1, &[0, 0], &[0, 0], &[12.0, 13.0]).unwrap();
        assert_eq!(
            ControlErrors::of(&twice, &[Some(10.0)])
                .products
                .shared_variance(),
            None
        );
    }
}
