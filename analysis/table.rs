//! Votes on one question as dense columns, grouped by item.

use crate::Error;

/// Votes on one question, grouped by item: the votes of item `i` stand at `starts[i]..starts[i + 1]`, ordered by annotator
/// (votes of one annotator on one item, where allowed, in the order in which they came).
#[derive(Debug, Clone, PartialEq)]
pub struct Table<T> {
    starts: Vec<usize>,
    annotators: Vec<u32>,
    values: Vec<T>,
    n_annotators: usize,
}

/// Votes on a numeric question, in its unit. All values are finite.
pub type NumberVotes = Table<f64>;

/// Votes on a choice question: indices of labels.
pub type ChoiceVotes = Table<u32>;

impl<T: Copy> Table<T> {
    /// Groups votes given as columns of equal length: index of the item, index of the annotator, value.
    ///
    /// `n_items` and `n_annotators` are the sizes of the index spaces; items without votes are allowed.
    /// Errors if lengths differ or an index lies outside. Time and memory are linear in votes + items.
    pub fn new(
        n_items: usize,
        n_annotators: usize,
        items: &[u32],
        annotators: &[u32],
        values: &[T],
    ) -> Result<Self, Error> {
        let fail = |row: usize, reason: String| Err(Error::Vote { row, reason });
        if items.len() != annotators.len() || items.len() != values.len() {
            let reason = "columns of items, annotators and values differ in length".into();
            return fail(items.len().min(annotators.len()).min(values.len()), reason);
        }
        let mut starts = vec![0usize; n_items + 1];
        for (row, (&item, &annotator)) in items.iter().zip(annotators).enumerate() {
            if item as usize >= n_items {
                return fail(row, format!("item index {item} of {n_items}"));
            }
            if annotator as usize >= n_annotators {
                return fail(
                    row,
                    format!("annotator index {annotator} of {n_annotators}"),
                );
            }
            starts[item as usize + 1] += 1;
        }
        for i in 0..n_items {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut order = vec![0usize; items.len()];
        for (row, &item) in items.iter().enumerate() {
            order[next[item as usize]] = row;
            next[item as usize] += 1;
        }
        for i in 0..n_items {
            order[starts[i]..starts[i + 1]].sort_by_key(|&row| (annotators[row], row));
        }
        Ok(Self {
            starts,
            annotators: order.iter().map(|&row| annotators[row]).collect(),
            values: order.iter().map(|&row| values[row]).collect(),
            n_annotators,
        })
    }

    /// Number of items, with or without votes.
    pub fn n_items(&self) -> usize {
        self.starts.len() - 1
    }

    /// Size of the annotators' index space.
    pub fn n_annotators(&self) -> usize {
        self.n_annotators
    }

    /// Number of votes.
    pub fn n_votes(&self) -> usize {
        self.values.len()
    }

    /// All values, item by item.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The votes of one item: annotators and values, in step, ordered by annotator.
    pub fn item(&self, item: usize) -> (&[u32], &[T]) {
        let range = self.starts[item]..self.starts[item + 1];
        (&self.annotators[range.clone()], &self.values[range])
    }

    /// All items in turn: index, annotators, values.
    pub fn items(&self) -> impl Iterator<Item = (usize, &[u32], &[T])> {
        (0..self.n_items()).map(|i| {
            let (annotators, values) = self.item(i);
            (i, annotators, values)
        })
    }

    /// The same table with only the votes for which `keep(item, annotator, value)` holds.
    pub fn filtered(&self, mut keep: impl FnMut(usize, u32, T) -> bool) -> Self {
        let mut kept = Self {
            starts: Vec::with_capacity(self.starts.len()),
            annotators: Vec::new(),
            values: Vec::new(),
            n_annotators: self.n_annotators,
        };
        kept.starts.push(0);
        for (item, annotators, values) in self.items() {
            for (&annotator, &value) in annotators.iter().zip(values) {
                if keep(item, annotator, value) {
                    kept.annotators.push(annotator);
                    kept.values.push(value);
                }
            }
            kept.starts.push(kept.values.len());
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_are_grouped_by_item_and_ordered_by_annotator() {
        let t = Table::new(3, 4, &[2, 0, 2, 0], &[3, 1, 0, 0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(t.item(0), (&[0u32, 1][..], &[4.0, 2.0][..]));
        assert_eq!(t.item(1), (&[][..], &[][..]));
        assert_eq!(t.item(2), (&[0u32, 3][..], &[3.0, 1.0][..]));
        assert_eq!(t.n_votes(), 4);
    }

    #[test]
    fn an_index_outside_its_table_is_an_error_that_names_the_row() {
        let e = Table::new(1, 1, &[0, 1], &[0, 0], &[1u32, 1]).unwrap_err();
        assert_eq!(
            e,
            Error::Vote {
                row: 1,
                reason: "item index 1 of 1".into()
            }
        );
        assert!(Table::new(1, 1, &[0], &[1], &[1u32]).is_err());
        assert!(Table::new(1, 1, &[0], &[], &[1u32]).is_err());
    }

    #[test]
    fn filtering_keeps_the_grouping() {
        let t = Table::new(2, 2, &[0, 1, 1], &[0, 0, 1], &[1.0, 2.0, 3.0]).unwrap();
        let kept = t.filtered(|_, annotator, _| annotator == 1);
        assert_eq!((kept.item(0).1.len(), kept.item(1).1), (0, &[3.0][..]));
    }
}
