//! Votes for the benchmark: made from a seed, row by row in any order, without duplicates and without keeping any.

use crate::{Problem, Result, files::write_atomically};
use polars::prelude::{Column, DataFrame, ParquetCompression, ParquetWriter};
use rayon::prelude::*;
use std::{
    io::{self, Write},
    ops::Range,
    path::{Path, PathBuf},
};

/// How names are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// 1234567
    Numbers,
    /// 1234567.jpg, w01234
    Text,
}

/// A crowd and its votes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd {
    pub(super) votes: u64,
    pub(super) items: u64,
    pub(super) annotators: u64,
    pub(super) seed: u64,
    pub(super) names: Names,
}

/// One item in so many is a control.
const CONTROL: u64 = 7;

/// Labels of the choice votes.
pub(super) const LABELS: [&str; 4] = ["bird", "cat", "dog", "fish"];

/// A number that looks random, from numbers that do not (SplitMix64: Steele, Lea, Flood 2014).
fn mixed(seed: u64, a: u64, b: u64) -> u64 {
    let mut z = seed
        .wrapping_add(a.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(b.wrapping_mul(0xd1b5_4a32_d192_ed03));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// 0 up to 1.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// Nearly normal, mean 0, variance 1: a sum of four.
fn bell(bits: u64) -> f64 {
    let parts = [bits, bits >> 16, bits >> 32, bits >> 48];
    let sum: f64 = parts.iter().map(|p| (p & 0xffff) as f64 / 65_535.0).sum();
    (sum - 2.0) * 3f64.sqrt()
}

impl Crowd {
    /// Votes on an item.
    fn overlap(&self) -> u64 {
        self.votes / self.items
    }

    /// A place among the votes to which row `row` is sent: each row another. Four rounds of a Feistel network on the smallest
    /// even number of bits, walked on until the place is one.
    fn shuffled(&self, row: u64) -> u64 {
        let n = self.overlap() * self.items;
        let half = (64 - (n - 1).max(1).leading_zeros()).div_ceil(2);
        let mask = (1u64 << half) - 1;
        let mut place = row;
        loop {
            let (mut left, mut right) = (place >> half, place & mask);
            for round in 0..4 {
                let next = left ^ (mixed(self.seed, right, 100 + round) & mask);
                (left, right) = (right, next);
            }
            place = (left << half) | right;
            if place < n {
                return place;
            }
        }
    }

    /// Item, annotator, and the place among the item's votes, of a row.
    fn row(&self, row: u64) -> (u64, u64, u64) {
        let place = self.shuffled(row);
        let (item, slot) = (place / self.overlap(), place % self.overlap());
        // Steps of one size around the circle meet nobody twice.
        let step = 1 + mixed(self.seed, item, 1) % (self.annotators / self.overlap()).max(1);
        let annotator = (mixed(self.seed, item, 2) + slot * step) % self.annotators;
        (item, annotator, slot)
    }

    fn truth(&self, item: u64) -> f64 {
        (1.0 + 89.0 * unit(mixed(self.seed, item, 3))).round()
    }

    /// A vote on an age: shared error of 2 years, annotators of 3 to 12 years with a bias of 1.5.
    fn number(&self, item: u64, annotator: u64, slot: u64) -> f64 {
        let shared = 2.0 * bell(mixed(self.seed, item, 4));
        let bias = 1.5 * bell(mixed(self.seed, annotator, 5));
        let sd = 3.0 + 9.0 * unit(mixed(self.seed, annotator, 6));
        let own = sd * bell(mixed(self.seed, item, 1000 + slot));
        ((self.truth(item) + shared + bias + own).clamp(0.0, 110.0) * 10.0).round() / 10.0
    }

    fn label(&self, item: u64, annotator: u64, slot: u64) -> &'static str {
        let right = mixed(self.seed, item, 7) % 4;
        let skill = 0.45 + 0.5 * unit(mixed(self.seed, annotator, 8));
        let draw = mixed(self.seed, item, 2000 + slot);
        let given = if unit(draw) < skill { right } else { draw % 4 };
        LABELS[given as usize]
    }

    fn item(&self, item: u64) -> String {
        match self.names {
            Names::Numbers => item.to_string(),
            Names::Text => format!("{item:07}.jpg"),
        }
    }

    fn annotator(&self, annotator: u64) -> String {
        match self.names {
            Names::Numbers => annotator.to_string(),
            Names::Text => format!("w{annotator:05}"),
        }
    }

    fn column(&self, name: &str, numbers: &[u64], word: impl Fn(&Self, u64) -> String) -> Column {
        match self.names {
            Names::Numbers => {
                let numbers: Vec<i64> = numbers.iter().map(|&n| n as i64).collect();
                Column::new(name.into(), numbers)
            }
            Names::Text => {
                let words: Vec<String> = numbers.iter().map(|&n| word(self, n)).collect();
                Column::new(name.into(), words)
            }
        }
    }

    fn group(&self, rows: Range<u64>, kind: Kind) -> io::Result<DataFrame> {
        let all: Vec<_> = rows.into_par_iter().map(|row| self.row(row)).collect();
        let items: Vec<u64> = all.iter().map(|r| r.0).collect();
        let annotators: Vec<u64> = all.iter().map(|r| r.1).collect();
        let number = |&(i, u, s): &(u64, u64, u64)| self.number(i, u, s);
        let answers = match kind {
            Kind::Single => {
                let values: Vec<f32> = all.par_iter().map(|r| number(r) as f32).collect();
                Column::new("value".into(), values)
            }
            Kind::Double => {
                let values: Vec<f64> = all.par_iter().map(number).collect();
                Column::new("value".into(), values)
            }
            Kind::Label => {
                let labels: Vec<&str> = all.iter().map(|r| self.label(r.0, r.1, r.2)).collect();
                Column::new("value".into(), labels)
            }
        };
        let columns = vec![
            self.column("item", &items, Self::item),
            self.column("annotator", &annotators, Self::annotator),
            answers,
        ];
        DataFrame::new_infer_height(columns).map_err(io::Error::other)
    }

    /// Writes the votes: Parquet, or CSV by the ending.
    pub(super) fn write_votes(&self, path: &Path, kind: Kind) -> Result<()> {
        self.write_rows(path, kind, 0..self.overlap() * self.items)
    }

    /// Writes the votes to so many files in a folder; returns their paths.
    pub(super) fn write_files(&self, dir: &Path, kind: Kind, files: u64) -> Result<Vec<PathBuf>> {
        let n = self.overlap() * self.items;
        let cut = |file: u64| n / files * file + (n % files).min(file);
        let one = |file: u64| {
            let path = dir.join(format!("votes-{file:02}.parquet"));
            self.write_rows(&path, kind, cut(file)..cut(file + 1))?;
            Ok(path)
        };
        (0..files).map(one).collect()
    }

    fn write_rows(&self, path: &Path, kind: Kind, rows: Range<u64>) -> Result<()> {
        const GROUP: u64 = 1 << 18;
        let groups = || {
            let starts = rows.clone().step_by(GROUP as usize);
            starts.map(|start| self.group(start..(start + GROUP).min(rows.end), kind))
        };
        if path.extension().is_some_and(|e| e == "csv") {
            return write_atomically(path, |file| {
                writeln!(file, "item,annotator,value")?;
                for start in rows.clone().step_by(GROUP as usize) {
                    let lines: Vec<String> = (start..(start + GROUP).min(rows.end))
                        .into_par_iter()
                        .map(|row| {
                            let (i, u, s) = self.row(row);
                            let (item, annotator) = (self.item(i), self.annotator(u));
                            match kind {
                                Kind::Label => {
                                    format!("{item},{annotator},{}\n", self.label(i, u, s))
                                }
                                _ => format!("{item},{annotator},{}\n", self.number(i, u, s)),
                            }
                        })
                        .collect();
                    for line in lines {
                        file.write_all(line.as_bytes())?;
                    }
                }
                Ok(())
            });
        }
        write_atomically(path, |file| {
            let mut groups = groups();
            let Some(first) = groups.next() else {
                return Ok(());
            };
            let first = first?;
            // What pandas and DuckDB write unless they are told otherwise.
            let mut writer = ParquetWriter::new(&mut *file)
                .with_compression(ParquetCompression::Snappy)
                .batched(first.schema())
                .map_err(io::Error::other)?;
            writer.write_batch(&first).map_err(io::Error::other)?;
            for group in groups {
                writer.write_batch(&group?).map_err(io::Error::other)?;
            }
            writer.finish().map_err(io::Error::other)?;
            Ok(())
        })
    }

    /// Writes the known answers of the controls.
    pub(super) fn write_truths(&self, path: &Path) -> Result<()> {
        let controls: Vec<u64> = (0..self.items).filter(|&i| self.is_control(i)).collect();
        let truths: Vec<f64> = controls.iter().map(|&i| self.truth(i)).collect();
        if path.extension().is_some_and(|e| e == "csv") {
            return write_atomically(path, |file| {
                writeln!(file, "item,truth")?;
                controls
                    .iter()
                    .zip(truths)
                    .try_for_each(|(&i, t)| writeln!(file, "{},{t}", self.item(i)))
            });
        }
        let columns = vec![
            self.column("item", &controls, Self::item),
            Column::new("truth".into(), truths),
        ];
        crate::pool::disk::write_parquet(path, columns)
    }

    /// Whether the answer on an item is known.
    pub(super) fn is_control(&self, item: u64) -> bool {
        mixed(self.seed, item, 9).is_multiple_of(CONTROL)
    }

    /// The number of an item from its name.
    pub(super) fn number_of(&self, name: &str) -> Option<u64> {
        name.strip_suffix(".jpg").unwrap_or(name).parse().ok()
    }
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Numbers of single precision.
    Single,
    /// Numbers of double precision.
    Double,
    /// One of four words.
    Label,
}

/// Reads a file once, so that it lies in the system's memory for whoever comes first.
pub(super) fn warm(path: &Path) -> Result<()> {
    let mut file = std::fs::File::open(path).map_err(|e| Problem::io("read", path, &e))?;
    io::copy(&mut file, &mut io::sink()).map_err(|e| Problem::io("read", path, &e))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_item_has_its_votes_and_no_annotator_votes_twice() {
        let crowd = Crowd {
            votes: 3000,
            items: 300,
            annotators: 40,
            seed: 5,
            names: Names::Text,
        };
        let rows: Vec<_> = (0..3000).map(|row| crowd.row(row)).collect();
        let pairs: BTreeSet<_> = rows.iter().map(|r| (r.0, r.1)).collect();
        assert_eq!(pairs.len(), 3000);
        let mut votes = vec![0; 300];
        rows.iter().for_each(|r| votes[r.0 as usize] += 1);
        assert!(votes.iter().all(|&n| n == 10));
        assert_eq!(crowd.number_of(&crowd.item(17)), Some(17));
        // The order is no order of items.
        let rises = rows.windows(2).filter(|w| w[0].0 < w[1].0).count();
        assert!((1300..1700).contains(&rises), "{rises}");
    }
}
