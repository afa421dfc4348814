//! Labels of plain tables of votes, however large: columns straight from the file into dense numbers, nothing kept per vote
//! but eight bytes, and even those on the disk where they are too many.
//!
//! What this way cannot read (results of platforms, several questions, text where numbers are expected, rows to be left
//! out) goes through [`crate::study`], which gives the same labels (of methods that choose on controls, nearly: their folds follow
//! the order of the items) and needs some hundred bytes per vote.

mod gather;
mod ids;
mod items;
mod pages;
mod record;
mod source;
mod spill;
mod store;
mod text;
mod values;
mod write;

use crate::{
    Result,
    files::{ScaleHint, VoteMapping},
    labels::Method,
    problem,
    provenance::Provenance,
};
use gather::{Gathered, Stop, gather};
use record::Record;
use source::{Scale, Source, is_unknown};
use std::path::PathBuf;
use store::Store;
use values::Value;
use veche_analysis::aggregation::{Convergence, NumberSettings};
use write::{Labelled, Order};

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
    /// Bytes of votes that may be kept in memory; the rest goes to the disk.
    pub most_bytes: usize,
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

/// Gathers votes in the shortest form that has room for them.
fn with_votes<T: Value, O>(
    request: &Request,
    sources: &[Source],
    truths: Option<&Source>,
    short: impl FnOnce(Gathered<T, u64>) -> Result<O>,
    long: impl FnOnce(Gathered<T, u128>) -> Result<O>,
) -> Result<O> {
    let most = request.most_bytes;
    let mut close = true;
    let mut stop = gather::<T, u64>(sources, truths, most, close);
    if matches!(stop, Err(Stop::FarApart)) {
        close = false;
        stop = gather(sources, truths, most, close);
    }
    match stop {
        Ok(all) => return answered(all).and_then(short),
        Err(Stop::Problem(problem)) => return Err(problem),
        Err(Stop::TooMany | Stop::FarApart) => {}
    }
    let mut stop = gather::<T, u128>(sources, truths, most, close);
    if matches!(stop, Err(Stop::FarApart)) {
        stop = gather(sources, truths, most, false);
    }
    match stop {
        Ok(all) => answered(all).and_then(long),
        Err(Stop::Problem(problem)) => Err(problem),
        Err(Stop::TooMany | Stop::FarApart) => {
            problem("there are more than four billion names or labels").fail()
        }
    }
}

/// Errors if there is no answer at all.
fn answered<T, R>(all: Gathered<T, R>) -> Result<Gathered<T, R>> {
    if all.votes == 0 {
        // The general reader says what nobody answered.
        return Err(source::unknown().into());
    }
    Ok(all)
}

fn numbers(request: &Request, sources: &[Source], truths: Option<&Source>) -> Result<Summary> {
    with_votes(
        request,
        sources,
        truths,
        |all| label_numbers(request, sources, all),
        |all| label_numbers(request, sources, all),
    )
}

fn choices(request: &Request, sources: &[Source], truths: Option<&Source>) -> Result<Summary> {
    with_votes(
        request,
        sources,
        truths,
        |all| label_choices(request, sources, all),
        |all| label_choices(request, sources, all),
    )
}

fn label_numbers<R: Record>(
    request: &Request,
    sources: &[Source],
    mut all: Gathered<f64, R>,
) -> Result<Summary> {
    let known = || {
        all.known
            .iter()
            .flat_map(|part| part.truths.iter().flatten())
    };
    let controls = known().next().is_some();
    let (low, high) = known().fold(all.range, |(low, high), &t| (low.min(t), high.max(t)));
    let may_be_labels = request.scale == ScaleHint::Auto && low == 0.0 && high <= 4.0;
    let method = Method::named(true, controls, request.method.as_deref(), request.settings)?;
    let Method::Number(method, settings) = method else {
        return Err(source::unknown().into());
    };
    let mut runs = std::mem::take(&mut all.runs);
    let store = Store::new(&all, &mut runs, sources);
    let summary = Summary {
        method: method.name(),
        items: 0,
        labelled: 0,
        votes: all.votes,
        calibrated: false,
        includes_shared: true,
        chosen: String::new(),
        convergence: Convergence::Closed,
        choices: false,
        may_be_labels,
    };
    if method.works_on_parts() {
        let Some(result) = method.estimate_parts(&store, &settings)? else {
            return Err(source::unknown().into());
        };
        let items = store.into_items();
        drop(runs);
        let order = Order::new(&all.items, all.bits, items);
        let of = |part: usize, place: usize| result.parts[part].get(place);
        let labelled = write::write(&request.out, &order, &Labelled::Numbers(&of))?;
        return Ok(Summary {
            items: order.len(),
            labelled,
            calibrated: result.calibration.is_some(),
            includes_shared: result.includes_shared,
            convergence: result.convergence,
            ..summary
        });
    }
    let (votes, truth) = store.whole()?;
    let items = store.into_items();
    drop(runs);
    let result = method.estimate(&votes, &truth, &settings)?;
    drop(votes);
    let order = Order::new(&all.items, all.bits, items);
    let starts = order.starts();
    let of = |part: usize, place: usize| result.estimates[starts[part] + place];
    let labelled = write::write(&request.out, &order, &Labelled::Numbers(&of))?;
    Ok(Summary {
        items: order.len(),
        labelled,
        calibrated: result.calibration.is_some(),
        includes_shared: result.includes_shared,
        convergence: result.convergence,
        chosen: crate::labels::Labels::Numbers(result).chosen(),
        ..summary
    })
}

fn label_choices<R: Record>(
    request: &Request,
    sources: &[Source],
    mut all: Gathered<u32, R>,
) -> Result<Summary> {
    let known = &all.known;
    let controls = known
        .iter()
        .any(|part| part.truths.iter().any(Option::is_some));
    let method = Method::named(false, controls, request.method.as_deref(), request.settings)?;
    let Method::Choice(method, settings) = method else {
        return Err(source::unknown().into());
    };
    let mut runs = std::mem::take(&mut all.runs);
    let store = Store::new(&all, &mut runs, sources);
    let (votes, truth) = store.whole()?;
    let items = store.into_items();
    drop(runs);
    let labels = &all.meanings.labels;
    let names: Vec<String> = (0..labels.len()).map(|i| labels.name(i)).collect();
    let (labels, places) = crate::table_questions::ordered(names);
    let votes = votes.mapped(|label| places[label as usize]);
    let truth: Vec<Option<u32>> = truth
        .iter()
        .map(|t| t.map(|t| places[t as usize]))
        .collect();
    let result = method.estimate(&votes, &truth, labels.len() as u32, &settings)?;
    drop(votes);
    let order = Order::new(&all.items, all.bits, items);
    let starts = order.starts();
    let of = |part: usize, place: usize| result.estimates[starts[part] + place];
    let labelled = write::write(&request.out, &order, &Labelled::Choices(&of, &labels))?;
    Ok(Summary {
        method: method.name(),
        items: order.len(),
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
