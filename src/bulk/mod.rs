//! Labels of plain tables of votes, however large: columns straight from the file into dense numbers, nothing kept per vote
//! but 16 bytes, and even those on the disk where they are too many.
//!
//! What this way cannot read (results of platforms, several questions, text where numbers are expected, rows to be left
//! out) goes through [`crate::study`], which gives the same labels and needs some hundred bytes per vote.

mod gather;
mod ids;
mod pages;
mod source;
mod spill;
mod text;
mod write;

use crate::{
    Problem, Result,
    files::{ScaleHint, VoteMapping},
    labels::Method,
    problem,
    provenance::Provenance,
};
use gather::{Gathered, Value, Vote, gather};
use rayon::prelude::*;
use source::{Scale, Source, is_unknown};
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use veche_analysis::{
    Error, NumberVotes, Table,
    aggregation::{
        ChoiceMethod, ChoiceSettings, Convergence, NumberSettings,
        number::parts::{Part, Parts},
    },
};
use write::Labelled;

/// What is to be read and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// Tables of votes.
    pub votes: Vec<PathBuf>,
    /// Table of truths.
    pub truth: Option<PathBuf>,
    /// Columns with other than the usual names.
    pub mapping: VoteMapping,
    /// Numbers or labels.
    pub scale: ScaleHint,
    /// Name of the method; the usual one by default.
    pub method: Option<String>,
    /// Settings of numeric methods.
    pub settings: NumberSettings,
    /// Votes that may be kept in memory; the rest goes to the disk.
    pub most_votes: usize,
    /// The file to write.
    pub out: PathBuf,
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Name of the method.
    pub method: &'static str,
    /// Items in the tables of votes.
    pub items: usize,
    /// Items that have a label.
    pub labelled: usize,
    /// Rows with an answer.
    pub votes: u64,
    /// Whether intervals were fitted to the errors on controls.
    pub calibrated: bool,
    /// Whether standard errors include the error that all share; true for labels, which have none.
    pub includes_shared: bool,
    /// What the method chose on controls, in words.
    pub chosen: String,
    /// How the method came to its end.
    pub convergence: Convergence,
    /// Whether answers are labels.
    pub choices: bool,
    /// Whether answers are few small whole numbers that may be labels.
    pub may_be_labels: bool,
}

/// Labels the items of plain tables of votes and writes the labels and their provenance.
///
/// `None`: these tables are for the general reader, which also tells what is wrong with them where something is; nothing
/// has been written.
pub fn label(request: &Request) -> Result<Option<Summary>> {
    write::Form::of(&request.out)?;
    match attempt(request) {
        Err(problem) if is_unknown(&problem) => Ok(None),
        other => other,
    }
}

fn attempt(request: &Request) -> Result<Option<Summary>> {
    let mut sources = Vec::with_capacity(request.votes.len());
    for path in &request.votes {
        match Source::votes(path, &request.mapping, request.scale)? {
            Some(source) => sources.push(source),
            None => return Ok(None),
        }
    }
    let Some(scale) = sources.first().map(Source::scale) else {
        return Ok(None);
    };
    let hint = match scale {
        Scale::Numbers => ScaleHint::Number,
        Scale::Labels => ScaleHint::Choice,
    };
    let truths = match &request.truth {
        None => None,
        Some(path) => match Source::truths(path, &request.mapping, hint)? {
            Some(source) => Some(source),
            None => return Ok(None),
        },
    };
    if sources.iter().chain(&truths).any(|s| s.scale() != scale) {
        return Ok(None);
    }
    // The hashes of the inputs are computed while the votes are: both wait for the disk at times.
    std::thread::scope(|scope| {
        let origin = scope.spawn(|| {
            let mut inputs = request.votes.iter().chain(&request.truth);
            inputs.try_fold(Provenance::new("veche aggregate", None), |origin, path| {
                origin.with_file(path)
            })
        });
        let summary = match scale {
            Scale::Numbers => numbers(request, &sources, truths.as_ref()),
            Scale::Labels => choices(request, &sources, truths.as_ref()),
        }?;
        let origin = origin
            .join()
            .unwrap_or_else(|_| problem("the inputs could not be hashed").fail())?;
        origin.write(&crate::cmd::aggregate::beside(&request.out))?;
        Ok(Some(summary))
    })
}

/// Errors if there is no answer at all.
fn check_answered<T>(all: &Gathered<T>) -> Result<()> {
    if all.votes == 0 {
        // The general reader says what nobody answered.
        return Err(source::unknown().into());
    }
    Ok(())
}

fn numbers(request: &Request, sources: &[Source], truths: Option<&Source>) -> Result<Summary> {
    let mut all: Gathered<f64> = gather(sources, truths, request.most_votes)?;
    check_answered(&all)?;
    let known = || all.truth.iter().flatten();
    let controls = known().next().is_some();
    let (low, high) = known().fold(all.range, |(low, high), &t| (low.min(t), high.max(t)));
    let may_be_labels = request.scale == ScaleHint::Auto && low == 0.0 && high <= 4.0;
    let method = Method::named(true, controls, request.method.as_deref(), request.settings)?;
    let Method::Number(method, settings) = method else {
        return Err(source::unknown().into());
    };
    let bits = all.bits;
    if method.works_on_parts() {
        let store = Store::of(&mut all, sources)?;
        let Some(result) = method.estimate_parts(&store, &settings)? else {
            return Err(source::unknown().into());
        };
        drop(store);
        let mask = (1usize << bits) - 1;
        let of = |item: usize| result.parts[item & mask].get(item >> bits);
        let labelled = write::write(
            &request.out,
            &all.items,
            all.voted,
            &Labelled::Numbers(Box::new(of)),
        )?;
        return Ok(Summary {
            method: method.name(),
            items: all.voted,
            labelled,
            votes: all.votes,
            calibrated: result.calibration.is_some(),
            includes_shared: result.includes_shared,
            chosen: String::new(),
            convergence: result.convergence,
            choices: false,
            may_be_labels,
        });
    }
    let votes = whole(&mut all, sources)?;
    let result = method.estimate(&votes, &all.truth, &settings)?;
    drop(votes);
    let of = |item: usize| result.estimates[item];
    let labelled = write::write(
        &request.out,
        &all.items,
        all.voted,
        &Labelled::Numbers(Box::new(of)),
    )?;
    Ok(Summary {
        method: method.name(),
        items: all.voted,
        labelled,
        votes: all.votes,
        calibrated: result.calibration.is_some(),
        includes_shared: result.includes_shared,
        convergence: result.convergence,
        chosen: crate::labels::Labels::Numbers(result).chosen(),
        choices: false,
        may_be_labels,
    })
}

fn choices(request: &Request, sources: &[Source], truths: Option<&Source>) -> Result<Summary> {
    let mut all: Gathered<u32> = gather(sources, truths, request.most_votes)?;
    check_answered(&all)?;
    let controls = all.truth.iter().any(Option::is_some);
    let method = Method::named(false, controls, request.method.as_deref(), request.settings)?;
    let Method::Choice(method, settings) = method else {
        return Err(source::unknown().into());
    };
    let votes = whole(&mut all, sources)?;
    let names: Vec<String> = (0..all.labels.len()).map(|i| all.labels.name(i)).collect();
    let (labels, places) = crate::table_questions::ordered(names);
    let votes = votes.mapped(|label| places[label as usize]);
    let truth: Vec<Option<u32>> = all
        .truth
        .iter()
        .map(|t| t.map(|t| places[t as usize]))
        .collect();
    let result = estimate_choices(method, &votes, &truth, labels.len(), &settings)?;
    drop(votes);
    let of = |item: usize| result.estimates[item];
    let labelled = write::write(
        &request.out,
        &all.items,
        all.voted,
        &Labelled::Choices(Box::new(of), &labels),
    )?;
    Ok(Summary {
        method: method.name(),
        items: all.voted,
        labelled,
        votes: all.votes,
        calibrated: false,
        includes_shared: true,
        chosen: String::new(),
        convergence: result.convergence,
        choices: true,
        may_be_labels: false,
    })
}

fn estimate_choices(
    method: ChoiceMethod,
    votes: &Table<u32>,
    truth: &[Option<u32>],
    n_labels: usize,
    settings: &ChoiceSettings,
) -> Result<veche_analysis::aggregation::ChoiceResult> {
    Ok(method.estimate(votes, truth, n_labels as u32, settings)?)
}

/// A part's votes are given to whoever asks first.
type Cell<T> = Mutex<Vec<Vote<T>>>;

fn cells<T: Value>(all: &mut Gathered<T>) -> Vec<Cell<T>> {
    std::mem::take(&mut all.parts)
        .into_iter()
        .map(Mutex::new)
        .collect()
}

fn take<T>(cell: &Cell<T>) -> Vec<Vote<T>> {
    std::mem::take(&mut *cell.lock().unwrap_or_else(PoisonError::into_inner))
}

/// All votes in one table.
fn whole<T: Value>(all: &mut Gathered<T>, sources: &[Source]) -> Result<Table<T>> {
    let cells = cells(all);
    let tables: Result<Vec<Table<T>>> = cells
        .par_iter()
        .enumerate()
        .map(|(part, cell)| checked(all, part, &take(cell), sources))
        .collect();
    Ok(Table::interleaved(&tables?))
}

/// The table of a part, after a look for annotators who answered twice.
fn checked<T: Value>(
    all: &Gathered<T>,
    part: usize,
    votes: &[Vote<T>],
    sources: &[Source],
) -> Result<Table<T>> {
    let table = all.table(part, votes)?;
    if let Some((item, annotator)) = table.repeated().next() {
        if sources.iter().all(|s| matches!(s, Source::Text(_))) {
            return Err(source::unknown().into());
        }
        let item = all.items.name((item << all.bits) + part);
        let annotator = all.annotators.name(annotator as usize);
        return Err(twice(sources, &item, &annotator));
    }
    Ok(table)
}

/// An annotator has answered twice about an item: where.
fn twice(sources: &[Source], item: &str, annotator: &str) -> Box<Problem> {
    let mut seen: Vec<(&Path, u64)> = Vec::new();
    'all: for source in sources {
        for index in 0..source.count() {
            let Ok(batch) = source.read(index) else { break };
            let Some(annotators) = &batch.annotators else {
                break;
            };
            for at in 0..batch.answers.len() {
                if batch.items.is(at, item) && annotators.is(at, annotator) {
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

/// Votes in parts, as the methods ask for them.
enum Store<'a> {
    Memory(Vec<Part>, usize),
    Disk(&'a Gathered<f64>, &'a [Source]),
}

impl<'a> Store<'a> {
    fn of(all: &'a mut Gathered<f64>, sources: &'a [Source]) -> Result<Self> {
        if all.spill.is_some() {
            return Ok(Self::Disk(all, sources));
        }
        let cells = cells(all);
        let all = &*all;
        let parts: Result<Vec<Part>> = cells
            .par_iter()
            .enumerate()
            .map(|(part, cell)| Self::part_of(all, part, &take(cell), sources))
            .collect();
        Ok(Self::Memory(parts?, all.annotators.len()))
    }

    fn part_of(
        all: &Gathered<f64>,
        part: usize,
        votes: &[Vote<f64>],
        sources: &[Source],
    ) -> Result<Part> {
        let votes: NumberVotes = checked(all, part, votes, sources)?;
        Ok(Part {
            votes,
            truth: all.truths_of(part),
        })
    }
}

/// [`Box<Problem>`] from a statistic's error.
struct Failed(Box<Problem>);

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

impl Parts for Store<'_> {
    type Error = Failed;

    fn count(&self) -> usize {
        match self {
            Self::Memory(parts, _) => parts.len(),
            Self::Disk(all, _) => 1 << all.bits,
        }
    }

    fn n_annotators(&self) -> usize {
        match self {
            Self::Memory(_, n) => *n,
            Self::Disk(all, _) => all.annotators.len(),
        }
    }

    fn part(&self, index: usize) -> Result<Cow<'_, Part>, Failed> {
        match self {
            Self::Memory(parts, _) => Ok(Cow::Borrowed(&parts[index])),
            Self::Disk(all, sources) => Self::part_of(all, index, &[], sources)
                .map(Cow::Owned)
                .map_err(Failed),
        }
    }
}
