//! Labels of millions of items to a file, some at a time.

use super::ids::Ids;
use crate::{
    Problem, Result,
    files::{write_atomically, write_column_groups},
    problem,
};
use polars::prelude::{Column, DataFrame, PolarsResult};
use std::path::Path;
use veche_analysis::aggregation::{ChoiceEstimate, NumberEstimate};

/// Items per group of rows.
const GROUP: usize = 1 << 18;

/// Estimates by item.
pub(super) enum Labelled<'a> {
    Numbers(Box<dyn Fn(usize) -> Option<NumberEstimate> + Sync + 'a>),
    /// With the labels' names.
    Choices(
        Box<dyn Fn(usize) -> Option<ChoiceEstimate> + Sync + 'a>,
        &'a [String],
    ),
}

/// What kind of table a file's name asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Parquet,
    Text(u8),
}

impl Form {
    /// By the ending; an error for any other than .csv, .tsv and .parquet.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|e| e.to_str());
        match ending.unwrap_or_default().to_lowercase().as_str() {
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Text(b',')),
            "tsv" => Ok(Self::Text(b'\t')),
            ending => problem("the ending names no kind of table that labels are written as")
                .file(path)
                .value(ending)
                .hint("name a file that ends in .csv, .tsv or .parquet")
                .fail(),
        }
    }
}

/// Writes the labels of the first `n` items; returns how many have one.
pub(super) fn write(path: &Path, items: &Ids, n: usize, labelled: &Labelled<'_>) -> Result<usize> {
    match Form::of(path)? {
        Form::Parquet => parquet(path, items, n, labelled)?,
        Form::Text(separator) => text(path, items, n, labelled, separator)?,
    }
    Ok((0..n)
        .filter(|&item| match labelled {
            Labelled::Numbers(of) => of(item).is_some(),
            Labelled::Choices(of, _) => of(item).is_some(),
        })
        .count())
}

fn parquet(path: &Path, items: &Ids, n: usize, labelled: &Labelled<'_>) -> Result<()> {
    let starts = std::iter::once(0).chain((GROUP..n).step_by(GROUP));
    let groups = starts.map(|start| group(items, start..(start + GROUP).min(n), labelled));
    write_atomically(path, |file| write_column_groups(groups, file))
}

fn group(
    items: &Ids,
    range: std::ops::Range<usize>,
    labelled: &Labelled<'_>,
) -> PolarsResult<DataFrame> {
    let mut text = String::new();
    let ends: Vec<usize> = range
        .clone()
        .map(|item| {
            items.write(item, &mut text);
            text.len()
        })
        .collect();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let names: Vec<&str> = starts.zip(&ends).map(|(a, &b)| &text[a..b]).collect();
    let mut columns = vec![Column::new("item".into(), names)];
    match labelled {
        Labelled::Numbers(of) => {
            let all: Vec<Option<NumberEstimate>> = range.map(of).collect();
            let mut column = |name: &str, value: fn(&NumberEstimate) -> Option<f64>| {
                let cells: Vec<Option<f64>> = all.iter().map(|e| value(e.as_ref()?)).collect();
                columns.push(Column::new(name.into(), cells));
            };
            column("estimate", |e| Some(e.value));
            column("se", |e| e.se);
            column("low", |e| e.low);
            column("high", |e| e.high);
            let votes: Vec<u32> = all.iter().map(|e| e.map_or(0, |e| e.votes)).collect();
            columns.push(Column::new("votes".into(), votes));
            let effective: Vec<Option<f64>> = all
                .iter()
                .map(|e| Some(e.as_ref()?.effective_votes))
                .collect();
            columns.push(Column::new("effective_votes".into(), effective));
        }
        Labelled::Choices(of, labels) => {
            let all: Vec<Option<ChoiceEstimate>> = range.map(of).collect();
            let names: Vec<Option<&str>> = all
                .iter()
                .map(|e| labels.get(e.as_ref()?.label as usize).map(String::as_str))
                .collect();
            columns.push(Column::new("label".into(), names));
            let confidence: Vec<Option<f64>> =
                all.iter().map(|e| Some(e.as_ref()?.confidence)).collect();
            columns.push(Column::new("confidence".into(), confidence));
            let votes: Vec<u32> = all.iter().map(|e| e.map_or(0, |e| e.votes)).collect();
            columns.push(Column::new("votes".into(), votes));
        }
    }
    DataFrame::new_infer_height(columns)
}

fn text(path: &Path, items: &Ids, n: usize, labelled: &Labelled<'_>, separator: u8) -> Result<()> {
    let number = |cell: Option<f64>| cell.map(|v| v.to_string()).unwrap_or_default();
    let written: Result<(), Box<Problem>> = write_atomically(path, |file| {
        let mut csv = csv::WriterBuilder::new()
            .delimiter(separator)
            .from_writer(file);
        let header: &[&str] = match labelled {
            Labelled::Numbers(_) => &[
                "item",
                "estimate",
                "se",
                "low",
                "high",
                "votes",
                "effective_votes",
            ],
            Labelled::Choices(..) => &["item", "label", "confidence", "votes"],
        };
        csv.write_record(header)?;
        let mut name = String::new();
        for item in 0..n {
            name.clear();
            items.write(item, &mut name);
            match labelled {
                Labelled::Numbers(of) => {
                    let e = of(item);
                    let of = |f: fn(&NumberEstimate) -> Option<f64>| number(e.as_ref().and_then(f));
                    csv.write_record([
                        name.as_str(),
                        &of(|e| Some(e.value)),
                        &of(|e| e.se),
                        &of(|e| e.low),
                        &of(|e| e.high),
                        &e.map_or(0, |e| e.votes).to_string(),
                        &of(|e| Some(e.effective_votes)),
                    ])?;
                }
                Labelled::Choices(of, labels) => {
                    let e = of(item);
                    let label = e.and_then(|e| labels.get(e.label as usize));
                    csv.write_record([
                        name.as_str(),
                        label.map_or("", String::as_str),
                        &number(e.map(|e| e.confidence)),
                        &e.map_or(0, |e| e.votes).to_string(),
                    ])?;
                }
            }
        }
        csv.flush()
    });
    written
}
