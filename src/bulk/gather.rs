//! Batches of rows to votes in parts: all votes of an item are in one part, in the order of the rows.
//!
//! Batches are read, looked up and cut into parts on all cores. Only names and values that were never met before are numbered
//! one batch after another, so that a number does not depend on which thread read it.

use super::{
    ids::{self, Found, Ids},
    items::{self, Items, NEVER, Shard, Sought},
    pages::ABSENT,
    record::Record,
    source::{Answers, Batch, Keys, Source, unknown},
    spill::Spill,
    values::{Meanings, Value},
};
use crate::{Problem, Result, problem};
use rayon::prelude::*;

/// About so many votes make a part: small enough for a core's cache, large enough not to be many.
const VOTES_PER_PART: usize = 1 << 17;

/// About so many rows are read before new names are numbered.
const ROWS_PER_ROUND: usize = 1 << 21;

/// Votes of one batch, part by part.
pub(super) struct Run<R> {
    pub(super) records: Vec<R>,
    /// Where the votes of each part end.
    pub(super) ends: Vec<u32>,
}

impl<R> Run<R> {
    /// The votes of a part.
    pub(super) fn of(&self, part: usize) -> &[R] {
        let from = if part == 0 { 0 } else { self.ends[part - 1] };
        &self.records[from as usize..self.ends[part] as usize]
    }
}

/// What is known of a part's items.
#[derive(Debug, Clone, Default)]
pub(super) struct Known<T> {
    /// By number within the part; `None` where unknown.
    pub(super) truths: Vec<Option<T>>,
    /// Items with a row that has no answer; may have duplicates.
    pub(super) asked: Vec<u32>,
}

/// All votes of some tables, in parts.
pub(super) struct Gathered<T, R> {
    pub(super) items: Items,
    pub(super) annotators: Ids,
    pub(super) meanings: Meanings,
    pub(super) votes: u64,
    /// An item's key has its part in so many bits, and above them its number within the part.
    pub(super) bits: u32,
    pub(super) runs: Vec<Run<R>>,
    pub(super) spill: Option<Spill>,
    /// By part.
    pub(super) known: Vec<Known<T>>,
    /// Smallest and largest number.
    pub(super) range: (f64, f64),
}

/// Why votes could not be gathered.
pub(super) enum Stop {
    /// Something is wrong with the tables.
    Problem(Box<Problem>),
    /// There is more of something than short records have room for.
    TooMany,
    /// Names of items are no whole numbers close together.
    FarApart,
}

impl From<Box<Problem>> for Stop {
    fn from(problem: Box<Problem>) -> Self {
        Self::Problem(problem)
    }
}

/// The items of a batch: the keys of its values, or what is to be looked up.
enum Named {
    Keys(Vec<u32>),
    Sought(Sought),
}

/// A batch, and what could be found out about it without waiting for the others.
struct Prepared<R> {
    batch: Batch,
    items: Named,
    annotators: (Found, Vec<u64>),
    answers: (Found, Vec<u64>),
    truths: (Found, Vec<u64>),
    /// The votes, where nothing was new.
    run: Option<(Run<R>, Vec<u32>)>,
}

struct Gatherer<T, R> {
    all: Gathered<T, R>,
    /// Keys are below this.
    limit: u64,
    /// Batches so far.
    batches: u64,
    /// Votes that are kept in memory at most, and that are.
    most: usize,
    kept: usize,
}

impl<T: Value, R: Record> Gatherer<T, R> {
    fn prepare(&self, batch: Batch) -> Result<Prepared<R>, Stop> {
        let all = &self.all;
        let items = match &all.items {
            Items::Close(base) => match items::close(&batch.items, *base, self.limit) {
                Some(keys) => Named::Keys(keys),
                None => return Err(Stop::FarApart),
            },
            Items::Any(_) => Named::Sought(Sought::of(&batch.items, all.bits)?),
        };
        let annotators = match &batch.annotators {
            Some(keys) => {
                let Some(hashes) = ids::hashes(keys) else {
                    return Err(Stop::Problem(unknown().into()));
                };
                (all.annotators.find(keys, &hashes), hashes)
            }
            None => Default::default(),
        };
        let answers = T::find::<R>(&batch.answers, &all.meanings)?;
        let truths = match &batch.truths {
            Some(truths) => T::find::<R>(truths, &all.meanings)?,
            None => Default::default(),
        };
        let mut prepared = Prepared {
            batch,
            items,
            annotators,
            answers,
            truths,
            run: None,
        };
        if let Named::Keys(keys) = &prepared.items
            && prepared.batch.annotators.is_some()
            && prepared.annotators.0.complete
            && prepared.answers.0.complete
        {
            prepared.run = Some(prepared.cut::<T>(keys, all.bits));
        }
        Ok(prepared)
    }

    /// Numbers what is new in a batch.
    fn number(&mut self, prepared: &mut Prepared<R>) -> Result<(), Stop> {
        let all = &mut self.all;
        let batch = &prepared.batch;
        if let Some(keys) = &batch.annotators {
            let (found, hashes) = &mut prepared.annotators;
            all.annotators.add(keys, hashes, found);
        }
        let (found, hashes) = &mut prepared.answers;
        T::add(&batch.answers, hashes, found, &mut all.meanings);
        if let Some(truths) = &batch.truths {
            let (found, hashes) = &mut prepared.truths;
            T::add(truths, hashes, found, &mut all.meanings);
        }
        if all.annotators.len() as u64 > R::ANNOTATORS || all.meanings.len() as u64 > R::VALUES {
            return Err(Stop::TooMany);
        }
        Ok(())
    }

    /// Reads a table of votes, or of truths, in rounds.
    fn read(&mut self, source: &Source, votes: bool) -> Result<(), Stop> {
        let count = source.count();
        let threads = rayon::current_num_threads();
        let rows = source.about_rows() / count.max(1);
        let per_round = (ROWS_PER_ROUND / rows.max(1)).clamp(threads, 64 * threads);
        let mut next = 0;
        while next < count {
            let round = next..(next + per_round).min(count);
            next = round.end;
            let mut all: Vec<Prepared<R>> = if self.batches == 0 {
                // What names look like decides how they are looked up.
                let batches: Result<Vec<Batch>, _> = each(round, |index| source.read(index))
                    .into_iter()
                    .collect();
                let batches = batches?;
                self.choose(&batches);
                let prepared: Vec<_> = batches
                    .into_par_iter()
                    .map(|batch| self.prepare(batch))
                    .collect();
                prepared.into_iter().collect::<Result<_, Stop>>()?
            } else {
                let work = |index| self.prepare(source.read(index)?);
                each(round, work).into_iter().collect::<Result<_, Stop>>()?
            };
            for prepared in &mut all {
                self.number(prepared)?;
            }
            self.look_up(&mut all, votes)?;
            if votes {
                let bits = self.all.bits;
                let missing = |prepared: &Prepared<R>| prepared.run.is_none();
                all.par_iter_mut()
                    .filter(|prepared| missing(prepared))
                    .for_each(|prepared| {
                        if let Named::Keys(keys) = &prepared.items {
                            prepared.run = Some(prepared.cut::<T>(keys, bits));
                        }
                    });
            }
            for prepared in all {
                self.take(source, prepared, votes)?;
            }
        }
        Ok(())
    }

    /// Decides from the first rows how names of items are looked up.
    fn choose(&mut self, batches: &[Batch]) {
        if !matches!(self.all.items, Items::Close(_)) {
            return;
        }
        let ends = batches.iter().map(|batch| items::range(&batch.items));
        let mut all = Some((i64::MAX, i64::MIN));
        for range in ends {
            all = match (all, range) {
                (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                _ => None,
            };
        }
        let base = all.and_then(|(low, high)| {
            let wide = i128::from(high) - i128::from(low);
            if low >= 0 && (high as u64) < self.limit {
                Some(0)
            } else if wide < i128::from(self.limit) {
                // Later rows may lie on both sides.
                let room = (i128::from(self.limit) - wide) / 2;
                i64::try_from(i128::from(low) - room).ok()
            } else {
                None
            }
        });
        self.all.items = match base {
            Some(base) => Items::Close(base),
            None => Items::Any(vec![Shard::default(); 1 << self.all.bits]),
        };
    }

    fn look_up(&mut self, all: &mut [Prepared<R>], votes: bool) -> Result<(), Stop> {
        let bits = self.all.bits;
        let first = if votes { self.batches } else { NEVER };
        if votes {
            self.batches += all.len() as u64;
        }
        let Items::Any(shards) = &mut self.all.items else {
            return Ok(());
        };
        let mut sought: Vec<&mut Sought> = all
            .iter_mut()
            .filter_map(|prepared| match &mut prepared.items {
                Named::Sought(sought) => Some(sought),
                Named::Keys(_) => None,
            })
            .collect();
        let most = R::ITEMS.min(1 << (32 - bits));
        if !items::look_up(shards, &mut sought, first, most) {
            return Err(Stop::TooMany);
        }
        all.par_iter_mut().for_each(|prepared| {
            if let Named::Sought(sought) = &prepared.items {
                prepared.items = Named::Keys(sought.keys(&prepared.batch.items, bits));
            }
        });
        Ok(())
    }

    fn take(&mut self, source: &Source, prepared: Prepared<R>, votes: bool) -> Result<(), Stop> {
        let all = &mut self.all;
        let batch = &prepared.batch;
        if votes {
            if let Answers::Numbers(column) = &batch.answers {
                // NaN, which stands for no answer, is passed over by `min` and `max`.
                let values = column.values.iter();
                all.range = values.fold(all.range, |(low, high), &v| (low.min(v), high.max(v)));
            }
            if let Some(truths) = &batch.truths {
                learn(all, source, &prepared, truths, &prepared.truths.0)?;
            }
        } else {
            learn(all, source, &prepared, &batch.answers, &prepared.answers.0)?;
        }
        if let Some((run, unanswered)) = prepared.run {
            for key in unanswered {
                let asked = &mut all.known[key as usize & ((1 << all.bits) - 1)].asked;
                if asked.last() != Some(&(key >> all.bits)) {
                    asked.push(key >> all.bits);
                }
            }
            all.votes += run.records.len() as u64;
            self.kept += run.records.len();
            all.runs.push(run);
        }
        if self.kept > self.most {
            let parts = 1 << all.bits;
            let spill = match &mut all.spill {
                Some(spill) => spill,
                none => none.insert(Spill::new(parts)?),
            };
            spill.add(&mut all.runs)?;
            self.kept = 0;
        }
        Ok(())
    }
}

/// Does the same for each batch of a round, on all cores.
fn each<O: Send>(round: std::ops::Range<usize>, work: impl Fn(usize) -> O + Sync + Send) -> Vec<O> {
    round.into_par_iter().with_max_len(1).map(work).collect()
}

/// Truths of a batch. An error if an item has two.
fn learn<T: Value, R: Record>(
    all: &mut Gathered<T, R>,
    source: &Source,
    prepared: &Prepared<R>,
    truths: &Answers,
    found: &Found,
) -> Result<(), Stop> {
    let Named::Keys(keys) = &prepared.items else {
        return Ok(());
    };
    let (names, places) = (prepared.batch.items.codes(), truths.codes());
    let mask = (1u32 << all.bits) - 1;
    for row in 0..truths.rows() {
        let place = places.map_or(row as u32, |places| places[row]);
        let Some(new) = T::at(truths, found, place) else {
            continue;
        };
        let key = keys[names.map_or(row, |names| names[row] as usize)];
        let (part, item) = ((key & mask) as usize, (key >> all.bits) as usize);
        let known = &mut all.known[part].truths;
        if known.len() <= item {
            known.resize(item + 1, None);
        }
        match known[item] {
            None => known[item] = Some(new),
            Some(old) if old == new => {}
            Some(old) => {
                if matches!(source, Source::Text(_)) {
                    return Err(Stop::Problem(unknown().into()));
                }
                let name = all.items.name(key, all.bits);
                return Err(Stop::Problem(Box::new(
                    problem("two different truths for one item")
                        .file(source.path())
                        .row(prepared.batch.row(row))
                        .value(format!("{name}: {}", new.show(&all.meanings)))
                        .hint(format!(
                            "an earlier row says {}: correct one of them",
                            old.show(&all.meanings)
                        )),
                )));
            }
        }
    }
    Ok(())
}

impl<R: Record> Prepared<R> {
    /// The batch's votes by part, and the keys of items whose rows have no answer.
    fn cut<T: Value>(&self, keys: &[u32], bits: u32) -> (Run<R>, Vec<u32>) {
        let batch = &self.batch;
        let n = batch.answers.rows();
        let annotators = batch.annotators.as_ref().and_then(Keys::codes);
        let (items, answers) = (batch.items.codes(), batch.answers.codes());
        let at = |codes: Option<&[u32]>, row: usize| codes.map_or(row, |codes| codes[row] as usize);
        let mask = (1u32 << bits) - 1;
        let mut ends = vec![0u32; 1 << bits];
        for row in 0..n {
            ends[(keys[at(items, row)] & mask) as usize] += 1;
        }
        let mut start = 0;
        for end in &mut ends {
            start += std::mem::replace(end, start);
        }
        let mut records = vec![R::default(); n];
        let mut unanswered = Vec::new();
        let (people, said) = (&self.annotators.0.numbers[..], &self.answers.0);
        let codes: Vec<u64> = (0..batch.answers.len() as u32)
            .map(|place| T::code::<R>(&batch.answers, said, place).unwrap_or(u64::MAX))
            .collect();
        for row in 0..n {
            let key = keys[at(items, row)];
            let code = codes.get(at(answers, row)).copied().unwrap_or(u64::MAX);
            if code == u64::MAX {
                unanswered.push(key);
                continue;
            }
            let annotator = people[at(annotators, row)];
            let end = &mut ends[(key & mask) as usize];
            records[*end as usize] = R::pack(key >> bits, annotator, code);
            *end += 1;
        }
        if !unanswered.is_empty() {
            // Rows without an answer left gaps at the ends of parts.
            let mut kept = Vec::with_capacity(n - unanswered.len());
            let mut starts: Vec<u32> = vec![0; 1 << bits];
            for row in 0..n {
                starts[(keys[at(items, row)] & mask) as usize] += 1;
            }
            let mut start = 0;
            for (count, end) in starts.iter().zip(&mut ends) {
                kept.extend_from_slice(&records[start as usize..*end as usize]);
                *end = kept.len() as u32;
                start += count;
            }
            records = kept;
        }
        (Run { records, ends }, unanswered)
    }
}

/// Reads tables of votes, and one of truths; keeps at most `most` bytes of votes in memory. `close`: names of items may be whole
/// numbers close together.
pub(super) fn gather<T: Value, R: Record>(
    votes: &[Source],
    truths: Option<&Source>,
    most: usize,
    close: bool,
) -> Result<Gathered<T, R>, Stop> {
    let rows: usize = votes.iter().map(Source::about_rows).sum();
    let parts = (rows / VOTES_PER_PART).next_power_of_two().clamp(1, 4096);
    let bits = parts.trailing_zeros();
    let mut gatherer = Gatherer {
        all: Gathered {
            items: if close {
                Items::Close(0)
            } else {
                Items::Any(vec![Shard::default(); parts])
            },
            annotators: Ids::default(),
            meanings: Meanings::default(),
            votes: 0,
            bits,
            runs: Vec::new(),
            spill: None,
            known: vec![Known::default(); parts],
            range: (f64::INFINITY, f64::NEG_INFINITY),
        },
        // Tables by key cost little as long as there are not many more keys than votes.
        limit: (R::ITEMS << bits)
            .min(u64::from(ABSENT))
            .min(4 * rows.max(1 << 18) as u64),
        batches: 0,
        most: most / R::SIZE,
        kept: 0,
    };
    for source in votes {
        gatherer.read(source, true)?;
    }
    if let Some(source) = truths {
        gatherer.read(source, false)?;
    }
    let mut all = gatherer.all;
    all.items.freeze();
    if let Some(spill) = &mut all.spill {
        spill.add(&mut all.runs)?;
    }
    for known in &mut all.known {
        known.asked.sort_unstable();
        known.asked.dedup();
    }
    Ok(all)
}
