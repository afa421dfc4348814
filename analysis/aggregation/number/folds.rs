//! Controls in folds, so that what is chosen or learned for a control has not seen it.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Folds.
pub(super) const FOLDS: usize = 10;

/// No fold.
const NONE: u8 = u8::MAX;

/// The fold of every control.
#[derive(Debug, Clone)]
pub(super) struct Folds {
    /// By the control's place in the list.
    rows: Vec<u8>,
    /// By item.
    items: Vec<u8>,
}

impl Folds {
    /// Shuffles these controls (indices of `items` items) into folds of equal size; always the same way.
    pub(super) fn of(controls: &[usize], items: usize) -> Self {
        let mut order: Vec<usize> = (0..controls.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
        let mut folds = Self {
            rows: vec![NONE; controls.len()],
            items: vec![NONE; items],
        };
        for (place, row) in order.into_iter().enumerate() {
            folds.rows[row] = (place % FOLDS) as u8;
            folds.items[controls[row]] = folds.rows[row];
        }
        folds
    }

    /// The fold of a control by its place in the list.
    pub(super) fn of_row(&self, row: usize) -> usize {
        usize::from(self.rows[row])
    }

    /// The fold of an item, if it is one of the controls.
    pub(super) fn of_item(&self, item: usize) -> Option<usize> {
        let fold = *self.items.get(item)?;
        (fold != NONE).then_some(usize::from(fold))
    }

    /// Places in the list of controls outside this fold; of all for `None`.
    pub(super) fn outside(&self, fold: Option<usize>) -> Vec<usize> {
        (0..self.rows.len())
            .filter(|&row| Some(self.of_row(row)) != fold)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_is_in_one_fold_and_folds_are_equal() {
        let controls: Vec<usize> = (0..35).map(|i| 2 * i).collect();
        let folds = Folds::of(&controls, 80);
        for fold in 0..FOLDS {
            assert!([31, 32].contains(&folds.outside(Some(fold)).len()));
        }
        assert_eq!(folds.outside(None).len(), 35);
        assert_eq!(folds.of_item(4), Some(folds.of_row(2)));
        assert_eq!((folds.of_item(5), folds.of_item(1000)), (None, None));
    }
}
