//! The least that a program can do for exp(−MAE): read the columns, and add up sums over numbers that are indices already. No names,
//! no standard errors, no look for double votes, nothing written.

use super::{data::Crowd, watch};
use crate::{Problem, Result, pool::disk::read_parquet, problem};
use polars::prelude::{DataFrame, DataType};
use rayon::prelude::*;
use std::{path::Path, time::Instant};

/// What it took.
pub(super) struct Bare {
    /// Seconds of reading the files to columns, by polars.
    pub(super) reading: f64,
    /// Seconds of both passes over columns in memory.
    pub(super) passes: f64,
    /// Processor seconds of both.
    pub(super) processor: f64,
}

fn column<T: Copy>(
    frame: &DataFrame,
    path: &Path,
    name: &str,
    kind: &DataType,
    values: impl Fn(&polars::prelude::Series) -> polars::prelude::PolarsResult<Vec<T>>,
) -> Result<Vec<T>> {
    let column = frame.column(name).and_then(|c| c.cast(kind));
    let values = column.and_then(|c| values(c.as_materialized_series()));
    let bad = |e| -> Box<Problem> {
        problem(format!("votes cannot be read: {e}"))
            .file(path)
            .into()
    };
    values.map_err(bad)
}

/// Runs it once on files that [`Crowd`] wrote, whose names are numbers.
pub(super) fn run(crowd: &Crowd, votes: &Path, truth: &Path) -> Result<Bare> {
    let (start, processor) = (Instant::now(), watch::own());
    let (frame, known) = (read_parquet(votes)?, read_parquet(truth)?);
    let reading = start.elapsed().as_secs_f64();
    let read = watch::own() - processor;
    // That names become indices is no part of it: all of them are numbers from 0 on.
    let whole = |name: &str, frame: &DataFrame, path: &Path| {
        column(frame, path, name, &DataType::UInt32, |s| {
            Ok(s.u32()?.iter().flatten().collect::<Vec<u32>>())
        })
    };
    let items = whole("item", &frame, votes)?;
    let annotators = whole("annotator", &frame, votes)?;
    let values = column(&frame, votes, "value", &DataType::Float32, |s| {
        Ok(s.f32()?.iter().flatten().collect::<Vec<f32>>())
    })?;
    let controls = whole("item", &known, truth)?;
    let truths = column(&known, truth, "truth", &DataType::Float64, |s| {
        Ok(s.f64()?.iter().flatten().collect::<Vec<f64>>())
    })?;
    drop((frame, known));

    let (start, processor) = (Instant::now(), watch::own());
    let mut truth_of = vec![f32::NAN; crowd.items as usize];
    for (&item, &truth) in controls.iter().zip(&truths) {
        truth_of[item as usize] = truth as f32;
    }
    let pieces = items.len().div_ceil(rayon::current_num_threads()).max(1);
    let rows = || {
        items
            .par_chunks(pieces)
            .zip(annotators.par_chunks(pieces))
            .zip(values.par_chunks(pieces))
    };
    let people = crowd.annotators as usize;
    let errors: Vec<Vec<(f64, f64)>> = rows()
        .map(|((items, annotators), values)| {
            let mut sums = vec![(0.0, 0.0); people];
            for ((&item, &annotator), &value) in items.iter().zip(annotators).zip(values) {
                let error = f64::from((value - truth_of[item as usize]).abs());
                if !error.is_nan() {
                    let sums = &mut sums[annotator as usize];
                    *sums = (sums.0 + error, sums.1 + 1.0);
                }
            }
            sums
        })
        .collect();
    let maes = (0..people).map(|u| {
        let (sum, n) = errors
            .iter()
            .fold((0.0, 0.0), |a, e| (a.0 + e[u].0, a.1 + e[u].1));
        sum / n
    });
    let maes: Vec<f64> = maes.collect();
    let best = maes.iter().copied().fold(f64::INFINITY, f64::min);
    let weights: Vec<f64> = maes.iter().map(|mae| (best - mae).exp()).collect();
    let sums: Vec<Vec<(f64, f64)>> = rows()
        .map(|((items, annotators), values)| {
            let mut sums = vec![(0.0, 0.0); crowd.items as usize];
            for ((&item, &annotator), &value) in items.iter().zip(annotators).zip(values) {
                let w = weights[annotator as usize];
                let sums = &mut sums[item as usize];
                *sums = (sums.0 + w * f64::from(value), sums.1 + w);
            }
            sums
        })
        .collect();
    let estimates: Vec<f64> = (0..crowd.items as usize)
        .into_par_iter()
        .map(|item| {
            let add = |a: (f64, f64), e: &Vec<(f64, f64)>| (a.0 + e[item].0, a.1 + e[item].1);
            let (wv, w) = sums.iter().fold((0.0, 0.0), add);
            wv / w
        })
        .collect();
    let passes = start.elapsed().as_secs_f64();
    let processor = read + watch::own() - processor;
    if estimates.iter().any(|e| !(0.0..=110.0).contains(e)) {
        return problem("the bare sums give no ages").file(votes).fail();
    }
    Ok(Bare {
        reading,
        passes,
        processor,
    })
}
