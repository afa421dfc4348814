//! Labels of millions of items to a file, some at a time.

use super::items::Items;
use crate::{
    Result,
    files::{write_atomically, write_column_groups},
    problem,
};
use polars::prelude::{Column, DataFrame, PolarsResult};
use rayon::prelude::*;
use std::{
    io::{self, Write},
    path::Path,
};
use veche_analysis::aggregation::{ChoiceEstimate, NumberEstimate};

/// About so many items make a group of rows.
const GROUP: usize = 1 << 18;

/// All items that have rows, in the order in which they are written: as the votes first name them, or by number where names are
/// whole numbers close together.
pub(super) struct Order<'a> {
    names: &'a Items,
    bits: u32,
    /// By part: numbers within the part.
    items: Vec<Vec<u32>>,
    n: usize,
    /// Part and place of each item in their order; empty where it is that of the keys.
    listed: Vec<(u32, u32)>,
}

impl<'a> Order<'a> {
    /// From the numbers of each part's items, which rise.
    pub(super) fn new(names: &'a Items, bits: u32, items: Vec<Vec<u32>>) -> Self {
        let n = items.iter().map(Vec::len).sum();
        let mut first: Vec<(u64, u32, u32)> = Vec::new();
        if matches!(names, Items::Any(_)) {
            first.reserve_exact(n);
            for (part, items) in items.iter().enumerate() {
                let places = items.iter().enumerate();
                first.extend(places.filter_map(|(place, item)| {
                    let seen = names.first((item << bits) | part as u32, bits)?;
                    Some((seen, part as u32, place as u32))
                }));
            }
            first.par_sort_unstable();
        }
        Self {
            names,
            bits,
            items,
            n,
            listed: first
                .into_iter()
                .map(|(_, part, place)| (part, place))
                .collect(),
        }
    }

    /// Number of items.
    pub(super) fn len(&self) -> usize {
        self.n
    }

    /// How many items stand in the parts before each part.
    pub(super) fn starts(&self) -> Vec<usize> {
        let parts = self.items.iter();
        parts
            .scan(0, |start, items| {
                Some(std::mem::replace(start, *start + items.len()))
            })
            .collect()
    }

    /// Numbers above every item's, and how many of them a group has.
    fn levels(&self) -> (usize, usize) {
        let largest = self.items.iter().filter_map(|items| items.last()).max();
        let levels = largest.map_or(0, |&largest| largest as usize + 1);
        (
            levels,
            (GROUP * levels / self.n.max(1)).clamp(1, levels.max(1)),
        )
    }

    fn groups(&self) -> usize {
        if !self.listed.is_empty() {
            return self.listed.len().div_ceil(GROUP);
        }
        let (levels, each) = self.levels();
        levels.div_ceil(each)
    }

    /// Part and place of a group's items.
    fn group(&self, group: usize) -> Vec<(u32, u32)> {
        if !self.listed.is_empty() {
            let to = ((group + 1) * GROUP).min(self.listed.len());
            return self.listed[group * GROUP..to].to_vec();
        }
        let (_, each) = self.levels();
        let (from, to) = ((group * each) as u32, ((group + 1) * each) as u32);
        // Each part's items rise: one step in all parts, then the next.
        let mut next: Vec<usize> = self
            .items
            .iter()
            .map(|items| items.partition_point(|&item| item < from))
            .collect();
        let mut all = Vec::new();
        for level in from..to {
            for (part, next) in next.iter_mut().enumerate() {
                if self.items[part].get(*next) == Some(&level) {
                    all.push((part as u32, *next as u32));
                    *next += 1;
                }
            }
        }
        all
    }

    fn name(&self, (part, place): (u32, u32), out: &mut String) {
        let item = self.items[part as usize][place as usize];
        self.names.write((item << self.bits) | part, self.bits, out);
    }
}

/// Estimates by part and by place of the item in it.
pub(super) enum Labelled<'a> {
    Numbers(&'a (dyn Fn(usize, usize) -> Option<NumberEstimate> + Sync)),
    /// With the labels' names.
    Choices(
        &'a (dyn Fn(usize, usize) -> Option<ChoiceEstimate> + Sync),
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

/// Writes the labels of all items; returns how many have one.
pub(super) fn write(path: &Path, order: &Order<'_>, labelled: &Labelled<'_>) -> Result<usize> {
    match Form::of(path)? {
        Form::Parquet => write_atomically(path, |file| {
            let empty = frame(order, &[], labelled).map_err(io::Error::other)?;
            let group = |index| frame(order, &order.group(index), labelled);
            write_column_groups(&empty, order.groups(), group, file)
        })?,
        Form::Text(separator) => write_atomically(path, |file| {
            file.write_all(&header(labelled, separator)?)?;
            let at_once = 2 * rayon::current_num_threads();
            for start in (0..order.groups()).step_by(at_once) {
                let texts: io::Result<Vec<Vec<u8>>> = (start
                    ..(start + at_once).min(order.groups()))
                    .into_par_iter()
                    .with_max_len(1)
                    .map(|index| lines(order, &order.group(index), labelled, separator))
                    .collect();
                texts?.iter().try_for_each(|text| file.write_all(text))?;
            }
            Ok(())
        })?,
    }
    let parts = order.items.par_iter().enumerate();
    Ok(parts
        .map(|(part, items)| {
            (0..items.len())
                .filter(|&place| match labelled {
                    Labelled::Numbers(of) => of(part, place).is_some(),
                    Labelled::Choices(of, _) => of(part, place).is_some(),
                })
                .count()
        })
        .sum())
}

fn frame(
    order: &Order<'_>,
    places: &[(u32, u32)],
    labelled: &Labelled<'_>,
) -> PolarsResult<DataFrame> {
    let mut text = String::new();
    let ends: Vec<usize> = places
        .iter()
        .map(|&place| {
            order.name(place, &mut text);
            text.len()
        })
        .collect();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let names: Vec<&str> = starts.zip(&ends).map(|(a, &b)| &text[a..b]).collect();
    let mut columns = vec![Column::new("item".into(), names)];
    let places = places
        .iter()
        .map(|&(part, place)| (part as usize, place as usize));
    match labelled {
        Labelled::Numbers(of) => {
            let all: Vec<Option<NumberEstimate>> = places.map(|(part, at)| of(part, at)).collect();
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
            let all: Vec<Option<ChoiceEstimate>> = places.map(|(part, at)| of(part, at)).collect();
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

fn finished(csv: csv::Writer<Vec<u8>>) -> io::Result<Vec<u8>> {
    csv.into_inner().map_err(|error| error.into_error())
}

fn writer(separator: u8) -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new()
        .delimiter(separator)
        .from_writer(Vec::new())
}

fn header(labelled: &Labelled<'_>, separator: u8) -> io::Result<Vec<u8>> {
    let names: &[&str] = match labelled {
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
    let mut csv = writer(separator);
    csv.write_record(names)?;
    finished(csv)
}

fn lines(
    order: &Order<'_>,
    places: &[(u32, u32)],
    labelled: &Labelled<'_>,
    separator: u8,
) -> io::Result<Vec<u8>> {
    let number = |cell: Option<f64>| cell.map(|v| v.to_string()).unwrap_or_default();
    let mut csv = writer(separator);
    let mut name = String::new();
    for &(part, place) in places {
        name.clear();
        order.name((part, place), &mut name);
        match labelled {
            Labelled::Numbers(of) => {
                let e = of(part as usize, place as usize);
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
                let e = of(part as usize, place as usize);
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
    finished(csv)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_items_with_large_numbers_are_one_group_in_their_order() {
        let names = Items::Close(-5);
        let order = Order::new(&names, 1, vec![vec![0, 400_000], vec![3]]);
        assert_eq!((order.len(), order.groups()), (3, 1));
        assert_eq!(order.starts(), [0, 2]);
        let mut text = String::new();
        for place in order.group(0) {
            order.name(place, &mut text);
            text.push(' ');
        }
        assert_eq!(text, "-5 2 799995 ");
    }
}
