//! Votes in parts, each brought into order when it is first asked for: in memory, in the place where it lay, or on the disk.

use super::{
    gather::Gathered,
    record::{Record, Room},
    source::{Source, unknown},
    values::Value,
};
use crate::{Problem, Result, problem};
use rayon::prelude::*;
use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};
use veche_analysis::{
    Error, Table,
    aggregation::number::parts::{Part, Parts},
};

/// The votes of a part, and what is known of its items.
struct Pieces<'a, R> {
    /// In the order of the rows, and then by item and annotator; empty where they are on the disk.
    slices: Vec<&'a mut [R]>,
    ordered: bool,
    /// The items that have rows, by their numbers within the part.
    items: Vec<u32>,
}

/// All parts.
pub(super) struct Store<'a, T, R> {
    all: &'a Gathered<T, R>,
    sources: &'a [Source],
    parts: Vec<Mutex<Pieces<'a, R>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a thread needs to make a part.
#[derive(Debug)]
pub(super) struct Workshop<T, R> {
    room: Room<R>,
    bytes: Vec<u8>,
    records: Vec<R>,
    votes: Table<T>,
}

impl<T, R: Default> Default for Workshop<T, R> {
    fn default() -> Self {
        Self {
            room: Room::default(),
            bytes: Vec::new(),
            records: Vec::new(),
            votes: Table::default(),
        }
    }
}

impl<'a, T: Value, R: Record> Store<'a, T, R> {
    /// The parts of what was gathered; its runs come apart from it, so that each part can be ordered where it lies.
    pub(super) fn new(
        all: &'a Gathered<T, R>,
        runs: &'a mut [super::gather::Run<R>],
        sources: &'a [Source],
    ) -> Self {
        let n = 1usize << all.bits;
        let mut slices: Vec<Vec<&mut [R]>> = (0..n).map(|_| Vec::new()).collect();
        for run in runs {
            let (mut rest, mut from) = (&mut run.records[..], 0);
            for (slices, &to) in slices.iter_mut().zip(&run.ends) {
                let (mine, others) = rest.split_at_mut((to - from) as usize);
                (rest, from) = (others, to);
                if !mine.is_empty() {
                    slices.push(mine);
                }
            }
        }
        let pieces = |slices| {
            Mutex::new(Pieces {
                slices,
                ordered: false,
                items: Vec::new(),
            })
        };
        Self {
            all,
            sources,
            parts: slices.into_iter().map(pieces).collect(),
        }
    }

    /// Fills the workshop's table with a part's votes; returns the numbers of its items.
    fn make(&self, part: usize, workshop: &mut Workshop<T, R>) -> Result<Vec<u32>> {
        let all = self.all;
        let Workshop {
            room,
            bytes,
            records,
            votes,
        } = workshop;
        records.clear();
        let mut pieces = locked(&self.parts[part]);
        let pieces = &mut *pieces;
        match &all.spill {
            Some(spill) => spill.read(part, bytes, records)?,
            None => pieces
                .slices
                .iter()
                .for_each(|s| records.extend_from_slice(s)),
        }
        if !pieces.ordered {
            let n = records.iter().map(|r| r.item() as usize + 1).max();
            room.sort(records, n.unwrap_or_default());
            let (items, twice) = items(records, &all.known[part].asked);
            if let Some(twice) = twice {
                return Err(self.twice(part, twice.item(), twice.annotator()));
            }
            number_anew(records, &items);
            pieces.items = items;
            let mut rest = &records[..];
            for slice in &mut pieces.slices {
                let (mine, others) = rest.split_at(slice.len());
                slice.copy_from_slice(mine);
                rest = others;
            }
            pieces.ordered = all.spill.is_none();
        }
        votes.refill(pieces.items.len(), all.annotators.len(), records, |r| {
            let value = T::of::<R>(r.value(), &all.meanings);
            (r.item(), r.annotator(), value)
        })?;
        Ok(pieces.items.clone())
    }

    /// The truths of a part's items.
    fn truths(&self, part: usize, items: &[u32], truths: &mut Vec<Option<T>>) {
        let known = &self.all.known[part].truths;
        truths.clear();
        let of = |&item: &u32| known.get(item as usize).copied().flatten();
        truths.extend(items.iter().map(of));
    }

    /// All votes in one table, part by part, and all truths.
    pub(super) fn whole(&self) -> Result<(Table<T>, Vec<Option<T>>)> {
        let (mut whole, mut truth) = (Table::default(), Vec::new());
        whole.reserve(0, self.all.votes as usize);
        let at_once = 8 * rayon::current_num_threads();
        let mut parts = 0..self.parts.len();
        while !parts.is_empty() {
            let some = parts.start..(parts.start + at_once).min(parts.end);
            parts.start = some.end;
            let tables: Result<Vec<(Table<T>, Vec<u32>)>> = some
                .clone()
                .into_par_iter()
                .map(|part| {
                    let mut workshop = Workshop::<T, R>::default();
                    let items = self.make(part, &mut workshop)?;
                    Ok((workshop.votes, items))
                })
                .collect();
            let mut truths = Vec::new();
            for (part, (table, items)) in some.zip(tables?) {
                whole.append(&table);
                self.truths(part, &items, &mut truths);
                truth.extend_from_slice(&truths);
            }
        }
        Ok((whole, truth))
    }

    /// The numbers of all items within their parts, part by part, once every part has been made.
    pub(super) fn into_items(self) -> Vec<Vec<u32>> {
        let pieces = self.parts.into_iter();
        pieces
            .map(|p| p.into_inner().unwrap_or_else(PoisonError::into_inner).items)
            .collect()
    }

    /// An annotator has answered twice about an item: where.
    fn twice(&self, part: usize, item: u32, annotator: u32) -> Box<Problem> {
        if self.sources.iter().all(|s| matches!(s, Source::Text(_))) {
            return unknown().into();
        }
        let all = self.all;
        let item = all.items.name((item << all.bits) | part as u32, all.bits);
        let annotator = all.annotators.name(annotator as usize);
        let mut seen: Vec<(&Path, u64)> = Vec::new();
        'all: for source in self.sources {
            for index in 0..source.count() {
                let Ok(batch) = source.read(index) else { break };
                let Some(annotators) = &batch.annotators else {
                    break;
                };
                for at in 0..batch.answers.rows() {
                    if batch.items.is(at, &item) && annotators.is(at, &annotator) {
                        seen.push((source.path(), batch.row(at)));
                        if seen.len() == 2 {
                            break 'all;
                        }
                    }
                }
            }
        }
        let mut p = problem("an annotator answers the same question about the same item twice")
            .value(format!("{annotator} on {item}"));
        if let [first, second] = seen[..] {
            p = p.file(second.0).row(second.1).hint(format!(
                "the first answer stands in row {} of {}: remove one, or choose with --duplicates first or --duplicates last",
                first.1,
                first.0.display()
            ));
        }
        Box::new(p)
    }
}

/// The items of ordered votes and those in `asked`, which are in order too; and a vote, if there is one, before another of the
/// same annotator on the same item.
fn items<R: Record>(records: &[R], asked: &[u32]) -> (Vec<u32>, Option<R>) {
    let mut items: Vec<u32> = Vec::new();
    let mut twice = None;
    let mut asked = asked.iter().copied().peekable();
    let mut before: Option<R> = None;
    for &record in records {
        let item = record.item();
        match before {
            Some(before) if before.item() == item => {
                if before.annotator() == record.annotator() {
                    twice = twice.or(Some(before));
                }
            }
            _ => {
                while let Some(other) = asked.next_if(|&other| other <= item) {
                    if other < item {
                        items.push(other);
                    }
                }
                items.push(item);
            }
        }
        before = Some(record);
    }
    items.extend(asked);
    (items, twice)
}

/// Gives items their places among all items of the part, if these have gaps.
fn number_anew<R: Record>(records: &mut [R], items: &[u32]) {
    if items
        .last()
        .is_none_or(|&last| last as usize == items.len() - 1)
    {
        return;
    }
    let mut place = 0;
    for record in records {
        while items[place] < record.item() {
            place += 1;
        }
        *record = R::pack(place as u32, record.annotator(), record.value());
    }
}

/// [`Box<Problem>`] from a statistic's error.
pub(super) struct Failed(Box<Problem>);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error.into())
    }
}

impl From<Failed> for Box<Problem> {
    fn from(failed: Failed) -> Self {
        failed.0
    }
}

impl<R: Record> Parts for Store<'_, f64, R> {
    type Error = Failed;
    type Room = (Workshop<f64, R>, Part);

    fn count(&self) -> usize {
        self.parts.len()
    }

    fn n_annotators(&self) -> usize {
        self.all.annotators.len()
    }

    fn part<'a>(
        &'a self,
        index: usize,
        (workshop, part): &'a mut Self::Room,
    ) -> Result<&'a Part, Failed> {
        let items = self.make(index, workshop).map_err(Failed)?;
        self.truths(index, &items, &mut part.truth);
        std::mem::swap(&mut part.votes, &mut workshop.votes);
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_without_answers_stand_among_those_with_votes_and_gaps_are_closed() {
        let votes = [(2, 0), (2, 1), (5, 0)].map(|(i, a)| u64::pack(i, a, 9));
        let (all, twice) = items(&votes, &[0, 2, 3, 7]);
        assert_eq!((&all[..], twice), (&[0, 2, 3, 5, 7][..], None));
        let mut votes = votes.to_vec();
        number_anew(&mut votes, &all);
        let places: Vec<_> = votes.iter().map(|r| (r.item(), r.annotator())).collect();
        assert_eq!(places, [(1, 0), (1, 1), (3, 0)]);
        assert_eq!(items::<u64>(&[], &[4]), (vec![4], None));
        let again = [(1, 3), (1, 3)].map(|(i, a)| u64::pack(i, a, i.into()));
        assert_eq!(items(&again, &[]), (vec![1], Some(again[0])));
    }
}
