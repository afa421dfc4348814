//! Batches of rows, read on all cores, to votes in parts: all votes of an item are in one part, in the order of the rows.
//!
//! Batches are taken in their order by whichever thread is free, so that names are numbered, and votes stored, as if one
//! thread had read the table from its first row to its last.

use super::{
    ids::{self, Ids},
    pages::{NO_WORD, Words},
    source::{Answers, Batch, Source, unknown},
    spill::Spill,
};
use crate::{Result, problem};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use veche_analysis::Table;

/// A vote: item within its part, annotator, value.
pub(super) type Vote<T> = (u32, u32, T);

/// About so many votes make a part: small enough for a core's cache, large enough not to be many.
const VOTES_PER_PART: usize = 1 << 17;

/// So many finished batches may wait for those before them.
const WAITING: usize = 4;

/// What a vote says: a number, or the index of a label.
pub(super) trait Value: Copy + Send + Sync + PartialEq + 'static {
    /// Values of a batch in step with its rows, `None` where there is none. Labels are numbered in the order of first sight.
    fn take(answers: &Answers, hashes: &[u64], labels: &mut Ids, out: &mut Vec<Option<Self>>);
    fn to_bytes(self) -> [u8; 8];
    fn of_bytes(bytes: [u8; 8]) -> Self;
    fn show(self, labels: &Ids) -> String;
}

impl Value for f64 {
    fn take(answers: &Answers, _: &[u64], _: &mut Ids, out: &mut Vec<Option<Self>>) {
        out.clear();
        if let Answers::Numbers(values) = answers {
            out.extend(values.iter().map(|&v| (!v.is_nan()).then_some(v)));
        }
    }

    fn to_bytes(self) -> [u8; 8] {
        self.to_le_bytes()
    }

    fn of_bytes(bytes: [u8; 8]) -> Self {
        Self::from_le_bytes(bytes)
    }

    fn show(self, _: &Ids) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    fn take(answers: &Answers, hashes: &[u64], labels: &mut Ids, out: &mut Vec<Option<Self>>) {
        out.clear();
        let Answers::Labels(words) = answers else {
            return;
        };
        let mut known = vec![None; words.len()];
        out.extend(words.codes.iter().map(|&code| {
            if code == NO_WORD {
                return None;
            }
            let known = &mut known[code as usize];
            if known.is_none() {
                let word = words.get(code as usize);
                *known = Some(if word == b"?" {
                    None
                } else {
                    Some(labels.word(word, hashes[code as usize]))
                });
            }
            known.flatten()
        }));
    }

    fn to_bytes(self) -> [u8; 8] {
        u64::from(self).to_le_bytes()
    }

    fn of_bytes(bytes: [u8; 8]) -> Self {
        u64::from_le_bytes(bytes) as u32
    }

    fn show(self, labels: &Ids) -> String {
        labels.name(self as usize)
    }
}

/// All votes of some tables, in parts.
pub(super) struct Gathered<T> {
    pub(super) items: Ids,
    /// How many of the items have rows in the tables of votes; those known from truths alone come behind them.
    pub(super) voted: usize,
    pub(super) annotators: Ids,
    pub(super) labels: Ids,
    pub(super) votes: u64,
    /// Item `i` is number `i >> bits` of part `i & (2^bits − 1)`.
    pub(super) bits: u32,
    pub(super) parts: Vec<Vec<Vote<T>>>,
    pub(super) spill: Option<Spill>,
    /// By item.
    pub(super) truth: Vec<Option<T>>,
    /// Smallest and largest number.
    pub(super) range: (f64, f64),
}

impl<T: Value> Gathered<T> {
    /// Number of a part's items, of all `n`.
    pub(super) fn items_of(&self, part: usize) -> usize {
        let n = self.truth.len();
        n.saturating_sub(part).div_ceil(1 << self.bits)
    }

    /// The truths of a part's items.
    pub(super) fn truths_of(&self, part: usize) -> Vec<Option<T>> {
        self.truth
            .iter()
            .skip(part)
            .step_by(1 << self.bits)
            .copied()
            .collect()
    }
}

/// A batch with what can be worked out on any thread.
struct Prepared {
    batch: Batch,
    items: Vec<u64>,
    annotators: Vec<u64>,
    answers: Vec<u64>,
    truths: Vec<u64>,
}

impl Prepared {
    fn of(batch: Batch) -> Result<Self> {
        let labels = |answers: Option<&Answers>| match answers {
            Some(Answers::Labels(words)) => label_hashes(words),
            _ => Some(Vec::new()),
        };
        let prepared = || {
            Some([
                ids::hashes(&batch.items)?,
                batch
                    .annotators
                    .as_ref()
                    .map_or(Some(Vec::new()), ids::hashes)?,
                labels(Some(&batch.answers))?,
                labels(batch.truths.as_ref())?,
            ])
        };
        let Some([items, annotators, answers, truths]) = prepared() else {
            return Err(unknown().into());
        };
        Ok(Self {
            batch,
            items,
            annotators,
            answers,
            truths,
        })
    }
}

fn label_hashes(words: &Words) -> Option<Vec<u64>> {
    ids::of_words(words)
}

/// Where batches end up.
struct Sink<T> {
    all: Gathered<T>,
    /// Votes that are kept in memory at most.
    most: usize,
    kept: usize,
    items: Vec<u32>,
    annotators: Vec<u32>,
    values: Vec<Option<T>>,
    truths: Vec<Option<T>>,
}

impl<T: Value> Sink<T> {
    fn votes(&mut self, source: &Source, prepared: &Prepared) -> Result<()> {
        let batch = &prepared.batch;
        let all = &mut self.all;
        all.items
            .all(&batch.items, &prepared.items, &mut self.items);
        if let Some(annotators) = &batch.annotators {
            all.annotators
                .all(annotators, &prepared.annotators, &mut self.annotators);
        }
        if all.items.len() >= u32::MAX as usize || all.annotators.len() >= u32::MAX as usize {
            return problem("there are more than four billion names")
                .file(source.path())
                .fail();
        }
        T::take(
            &batch.answers,
            &prepared.answers,
            &mut all.labels,
            &mut self.values,
        );
        if let Answers::Numbers(values) = &batch.answers {
            // NaN, which stands for no answer, is passed over by `min` and `max`.
            all.range = values
                .iter()
                .fold(all.range, |(low, high), &v| (low.min(v), high.max(v)));
        }
        let (mask, bits) = ((1u32 << all.bits) - 1, all.bits);
        let rows = self.items.iter().zip(&self.annotators).zip(&self.values);
        for ((&item, &annotator), &value) in rows {
            if let Some(value) = value {
                all.parts[(item & mask) as usize].push((item >> bits, annotator, value));
            }
        }
        let new = self.values.iter().flatten().count();
        all.votes += new as u64;
        self.kept += new;
        if let Some(truths) = &batch.truths {
            T::take(truths, &prepared.truths, &mut all.labels, &mut self.truths);
            self.learn(source, batch)?;
        }
        if self.kept > self.most {
            let spill = match &mut self.all.spill {
                Some(spill) => spill,
                none => none.insert(Spill::new(self.all.parts.len())?),
            };
            for (part, votes) in self.all.parts.iter_mut().enumerate() {
                spill.add(part, votes)?;
            }
            self.kept = 0;
        }
        Ok(())
    }

    /// Truths of a batch, which stand in `self.truths` in step with `self.items`.
    fn learn(&mut self, source: &Source, batch: &Batch) -> Result<()> {
        let all = &mut self.all;
        all.truth.resize(all.items.len(), None);
        for (at, (&item, &new)) in self.items.iter().zip(&self.truths).enumerate() {
            let (Some(new), known) = (new, &mut all.truth[item as usize]) else {
                continue;
            };
            match *known {
                None => *known = Some(new),
                Some(old) if old == new => {}
                Some(old) => {
                    if matches!(source, Source::Text(_)) {
                        return Err(unknown().into());
                    }
                    let name = all.items.name(item as usize);
                    return problem("two different truths for one item")
                        .file(source.path())
                        .row(batch.row(at))
                        .value(format!("{name}: {}", new.show(&all.labels)))
                        .hint(format!(
                            "an earlier row says {}: correct one of them",
                            old.show(&all.labels)
                        ))
                        .fail();
                }
            }
        }
        Ok(())
    }

    fn truths(&mut self, source: &Source, prepared: &Prepared) -> Result<()> {
        let all = &mut self.all;
        let batch = &prepared.batch;
        all.items
            .all(&batch.items, &prepared.items, &mut self.items);
        T::take(
            &batch.answers,
            &prepared.answers,
            &mut all.labels,
            &mut self.truths,
        );
        self.learn(source, batch)
    }
}

/// What the threads share.
struct Line<S> {
    /// Number of the next batch to be read.
    read: AtomicUsize,
    failed: AtomicBool,
    waiting: Mutex<Waiting>,
    sink: Mutex<S>,
}

#[derive(Default)]
struct Waiting {
    /// Number of the next batch to be taken.
    next: usize,
    ready: BTreeMap<usize, Result<Prepared>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads all batches of a source and hands them to `take` in their order, whatever the number of threads.
fn in_order<S: Send>(
    source: &Source,
    sink: S,
    take: impl Fn(&mut S, &Prepared) -> Result<()> + Sync,
) -> Result<S> {
    let line = Line {
        read: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
        waiting: Mutex::default(),
        sink: Mutex::new(sink),
    };
    let problem = Mutex::new(None);
    // Takes what is ready and next in line, as long as there is any.
    let drain = |sink: &mut S| {
        loop {
            let batch = {
                let mut waiting = locked(&line.waiting);
                let next = waiting.next;
                let Some(batch) = waiting.ready.remove(&next) else {
                    return;
                };
                waiting.next += 1;
                batch
            };
            // The first error in the order of the rows is the one that is told.
            if locked(&problem).is_some() {
                continue;
            }
            if let Err(error) = batch.and_then(|batch| take(sink, &batch)) {
                *locked(&problem) = Some(error);
                line.failed.store(true, Ordering::Relaxed);
            }
        }
    };
    let work = || {
        loop {
            let index = line.read.fetch_add(1, Ordering::Relaxed);
            if index >= source.count() || line.failed.load(Ordering::Relaxed) {
                break;
            }
            let batch = source.read(index).and_then(Prepared::of);
            let many = {
                let mut waiting = locked(&line.waiting);
                waiting.ready.insert(index, batch);
                waiting.ready.len() > WAITING
            };
            if many {
                drain(&mut locked(&line.sink));
            } else if let Ok(mut sink) = line.sink.try_lock() {
                drain(&mut sink);
            }
        }
    };
    let threads = rayon::current_num_threads().min(source.count().max(1));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    drain(&mut locked(&line.sink));
    match problem.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(line
            .sink
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)),
    }
}

/// Reads tables of votes, and one of truths; keeps at most `most` votes in memory.
pub(super) fn gather<T: Value>(
    votes: &[Source],
    truths: Option<&Source>,
    most: usize,
) -> Result<Gathered<T>> {
    let rows: usize = votes.iter().map(Source::about_rows).sum();
    let parts = (rows / VOTES_PER_PART).next_power_of_two().clamp(1, 4096);
    let room = (rows.min(most) / parts) + (rows.min(most) / parts) / 32 + 16;
    let mut sink = Sink {
        all: Gathered {
            items: Ids::default(),
            voted: 0,
            annotators: Ids::default(),
            labels: Ids::default(),
            votes: 0,
            bits: parts.trailing_zeros(),
            parts: (0..parts).map(|_| Vec::with_capacity(room)).collect(),
            spill: None,
            truth: Vec::new(),
            range: (f64::INFINITY, f64::NEG_INFINITY),
        },
        most,
        kept: 0,
        items: Vec::new(),
        annotators: Vec::new(),
        values: Vec::new(),
        truths: Vec::new(),
    };
    for source in votes {
        sink = in_order(source, sink, |sink, batch| sink.votes(source, batch))?;
    }
    sink.all.voted = sink.all.items.len();
    if let Some(source) = truths {
        sink = in_order(source, sink, |sink, batch| sink.truths(source, batch))?;
    }
    let mut all = sink.all;
    all.truth.resize(all.items.len(), None);
    all.items.freeze();
    all.annotators.freeze();
    all.labels.freeze();
    if let Some(spill) = &mut all.spill {
        for (part, votes) in all.parts.iter_mut().enumerate() {
            spill.add(part, votes)?;
            *votes = Vec::new();
        }
    }
    Ok(all)
}

impl<T: Value> Gathered<T> {
    /// The table of a part. Its votes are taken out of memory, or read from the disk and left there.
    pub(super) fn table(&self, part: usize, votes: &[Vote<T>]) -> Result<Table<T>> {
        let spilled;
        let votes = match &self.spill {
            Some(spill) => {
                spilled = spill.read(part)?;
                &spilled
            }
            None => votes,
        };
        Ok(Table::of_rows(
            self.items_of(part),
            self.annotators.len(),
            votes,
        )?)
    }
}
