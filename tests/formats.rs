//! What goes in and comes out: tables of votes and labels, JSON, help, whole campaigns of other kinds than the recipe's.

mod address;
mod campaigns;
mod commands;
mod elsewhere;
mod json;
mod labels;
mod remote;
mod secrets;
mod tools;
mod votes;
mod wheel;

use crate::support::Dir;
use polars::prelude::{AnyValue, ParquetReader, SerReader};
use std::{fs::File, path::Path};

/// Header and rows of a Parquet file as text; nulls are empty.
fn parquet(path: &Path) -> Vec<Vec<String>> {
    let frame = ParquetReader::new(File::open(path).unwrap())
        .finish()
        .unwrap();
    let mut rows = vec![
        frame
            .get_column_names()
            .iter()
            .map(|n| n.to_string())
            .collect::<Vec<_>>(),
    ];
    for row in 0..frame.height() {
        let cell = |value: AnyValue<'_>| match value {
            AnyValue::Null => String::new(),
            AnyValue::String(text) => text.to_owned(),
            AnyValue::Float64(v) => v.to_string(),
            other => other.to_string(),
        };
        rows.push(
            frame
                .columns()
                .iter()
                .map(|c| cell(c.get(row).unwrap()))
                .collect(),
        );
    }
    rows
}

/// Header and rows of a text table.
fn delimited(text: &str, separator: u8) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    reader
        .records()
        .map(|r| r.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

/// A campaign with a pool and simulated votes on every item.
fn simulated(items: u32, controls: u32) -> Dir {
    let dir = Dir::new();
    dir.campaign(items, controls);
    dir.ok(&["pool", "build", "c"]);
    dir.ok(&["simulate", "c", "--annotators", "40"]);
    dir
}
