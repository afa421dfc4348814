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

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            starts: vec![0],
            annotators: Vec::new(),
            values: Vec::new(),
            n_annotators: 0,
        }
    }
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
        let rows = items.iter().zip(annotators).zip(values);
        Self::group(
            n_items,
            n_annotators,
            rows.map(|((&item, &annotator), &value)| (item, annotator, value)),
        )
    }

    /// The same from votes given one by one: index of the item, index of the annotator, value.
    pub fn of_rows(
        n_items: usize,
        n_annotators: usize,
        rows: &[(u32, u32, T)],
    ) -> Result<Self, Error> {
        Self::group(n_items, n_annotators, rows.iter().copied())
    }

    fn group(
        n_items: usize,
        n_annotators: usize,
        rows: impl ExactSizeIterator<Item = (u32, u32, T)> + Clone,
    ) -> Result<Self, Error> {
        let fail = |row: usize, reason: String| Err(Error::Vote { row, reason });
        let mut starts = vec![0usize; n_items + 1];
        for (row, (item, annotator, _)) in rows.clone().enumerate() {
            if item as usize >= n_items {
                return fail(row, format!("item index {item} of {n_items}"));
            }
            if annotator as usize >= n_annotators {
                return fail(
                    row,
                    format!("annotator index {annotator} of {n_annotators}"),
                );
            }
            starts[item as usize] += 1;
        }
        let mut start = 0;
        for count in &mut starts {
            start += std::mem::replace(count, start);
        }
        // Votes go straight to their places: a permutation beside them would cost as much memory as the votes.
        let n = rows.len();
        let mut who = vec![0u32; n];
        let mut what = match rows.clone().next() {
            Some((_, _, value)) => vec![value; n],
            None => Vec::new(),
        };
        for (item, annotator, value) in rows {
            let at = &mut starts[item as usize];
            who[*at] = annotator;
            what[*at] = value;
            *at += 1;
        }
        // Every start has moved to its item's end, which is the next item's start.
        starts.rotate_right(1);
        starts[0] = 0;
        let mut scratch = Vec::new();
        for range in starts.windows(2) {
            order(
                &mut who[range[0]..range[1]],
                &mut what[range[0]..range[1]],
                &mut scratch,
            );
        }
        Ok(Self {
            starts,
            annotators: who,
            values: what,
            n_annotators,
        })
    }

    /// The same votes with other values.
    pub fn mapped<U>(self, value: impl Fn(T) -> U) -> Table<U> {
        Table {
            starts: self.starts,
            annotators: self.annotators,
            values: self.values.into_iter().map(value).collect(),
            n_annotators: self.n_annotators,
        }
    }

    /// Adds the items of another table, of the same annotators, behind those that are there.
    pub fn append(&mut self, other: &Self) {
        let before = self.values.len();
        let ends = other.starts.iter().skip(1);
        self.starts.extend(ends.map(|end| before + end));
        self.annotators.extend_from_slice(&other.annotators);
        self.values.extend_from_slice(&other.values);
        self.n_annotators = self.n_annotators.max(other.n_annotators);
    }

    /// Makes room for so many more items and votes.
    pub fn reserve(&mut self, items: usize, votes: usize) {
        self.starts.reserve_exact(items);
        self.annotators.reserve_exact(votes);
        self.values.reserve_exact(votes);
    }

    /// Replaces everything by votes that are in order already, by item and then by annotator, without giving memory back:
    /// `of` tells item, annotator and value of a vote. Errors if an index lies outside or a vote is out of order.
    pub fn refill<V: Copy>(
        &mut self,
        n_items: usize,
        n_annotators: usize,
        votes: &[V],
        of: impl Fn(V) -> (u32, u32, T),
    ) -> Result<(), Error> {
        let fail = |row: usize, reason: String| Err(Error::Vote { row, reason });
        self.n_annotators = n_annotators;
        self.starts.clear();
        self.starts.resize(n_items + 1, 0);
        let Some(&first) = votes.first() else {
            self.annotators.clear();
            self.values.clear();
            return Ok(());
        };
        self.annotators.resize(votes.len(), 0);
        self.values.resize(votes.len(), of(first).2);
        let columns = self.annotators.iter_mut().zip(&mut self.values);
        let (mut before, mut largest) = (0, 0);
        for (row, (&vote, (who, what))) in votes.iter().zip(columns).enumerate() {
            let (item, annotator, value) = of(vote);
            let place = (u64::from(item) << 32) | u64::from(annotator);
            if place < before {
                return fail(
                    row,
                    "votes are not in the order of items and annotators".into(),
                );
            }
            match self.starts[1..].get_mut(item as usize) {
                Some(count) => *count += 1,
                None => return fail(row, format!("item index {item} of {n_items}")),
            }
            (before, largest) = (place, largest.max(annotator));
            (*who, *what) = (annotator, value);
        }
        if largest as usize >= n_annotators {
            return fail(0, format!("annotator index {largest} of {n_annotators}"));
        }
        let mut end = 0;
        for count in &mut self.starts {
            end += *count;
            *count = end;
        }
        Ok(())
    }

    /// The first two votes of one annotator on one item, as item and annotator, for every such pair.
    pub fn repeated(&self) -> impl Iterator<Item = (usize, u32)> {
        self.items().flat_map(|(item, annotators, _)| {
            let pairs = annotators.windows(2).filter(|pair| pair[0] == pair[1]);
            pairs.map(move |pair| (item, pair[0]))
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

/// Above this many votes on an item, sorting in place by insertion costs more than a proper sort with a buffer.
const FEW: usize = 24;

/// Orders one item's votes by annotator, keeping the order of those of one annotator.
fn order<T: Copy>(annotators: &mut [u32], values: &mut [T], scratch: &mut Vec<(u32, T)>) {
    if annotators.len() > FEW {
        if annotators.is_sorted() {
            return;
        }
        scratch.clear();
        scratch.extend(annotators.iter().copied().zip(values.iter().copied()));
        scratch.sort_by_key(|vote| vote.0);
        for ((annotator, value), vote) in annotators.iter_mut().zip(values).zip(scratch) {
            (*annotator, *value) = *vote;
        }
        return;
    }
    for i in 1..annotators.len() {
        let (annotator, value) = (annotators[i], values[i]);
        let mut at = i;
        while at > 0 && annotators[at - 1] > annotator {
            annotators[at] = annotators[at - 1];
            values[at] = values[at - 1];
            at -= 1;
        }
        annotators[at] = annotator;
        values[at] = value;
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
    fn many_votes_on_one_item_are_ordered_as_few_are() {
        for n in [5u32, 24, 25, 400] {
            let who: Vec<u32> = (0..n).map(|i| (i * 7919) % 37).collect();
            let what: Vec<u32> = (0..n).collect();
            let t = Table::new(2, 37, &vec![1; n as usize], &who, &what).unwrap();
            let mut expected: Vec<(u32, u32)> = who.into_iter().zip(what).collect();
            expected.sort();
            let (who, what) = t.item(1);
            let found: Vec<(u32, u32)> = who.iter().copied().zip(what.iter().copied()).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_table_filled_in_order_and_one_appended_are_the_table_of_all_votes() {
        let mut votes: Vec<(u32, u32, f64)> =
            (0..50u32).map(|i| (i * i % 11, i % 7, i.into())).collect();
        let whole = Table::of_rows(12, 7, &votes).unwrap();
        votes.sort_by_key(|v| (v.0, v.1));
        let cut = votes.partition_point(|v| v.0 < 5);
        let (front, back) = votes.split_at(cut);
        let mut table = Table::default();
        table.refill(3, 7, &[(2, 6, 1.0)], |v| v).unwrap();
        table.refill(5, 7, front, |v| v).unwrap();
        let mut rest = Table::default();
        rest.refill(7, 7, back, |v| (v.0 - 5, v.1, v.2)).unwrap();
        table.append(&rest);
        assert_eq!(table, whole);
        assert!(
            table
                .refill(5, 7, &[(1, 1, 0.0), (1, 0, 0.0)], |v| v)
                .is_err()
        );
        assert!(table.refill(5, 7, &[(5, 1, 0.0)], |v| v).is_err());
        assert!(table.refill(5, 7, &[(1, 7, 0.0)], |v| v).is_err());
    }

    #[test]
    fn an_annotator_who_votes_twice_is_found() {
        let t = Table::new(3, 4, &[2, 0, 2, 0], &[3, 1, 3, 0], &[1u32; 4]).unwrap();
        assert_eq!(t.repeated().collect::<Vec<_>>(), [(2, 3)]);
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
