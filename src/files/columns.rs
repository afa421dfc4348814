//! Which columns of a table of items say what: ready layouts, and path templates such as `{face_id}_03.jpg`.

use super::Table;
use crate::{
    Result,
    config::{BoxColumns, Preset},
    problem,
};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct PresetColumns {
    pub(super) path: Option<String>,
    pub(super) face: Option<BoxColumns>,
    pub(super) person: Option<BoxColumns>,
    pub(super) truth: BTreeMap<String, String>,
    pub(super) values: BTreeMap<String, BTreeMap<String, String>>,
}

pub(super) fn preset_columns(preset: Option<Preset>) -> PresetColumns {
    let columns = |names: [&str; 4]| Some(names.map(str::to_owned));
    let map = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|&(a, b)| (a.to_owned(), b.to_owned()))
            .collect()
    };
    let sexes: BTreeMap<String, String> = map(&[
        ("M", "male"),
        ("F", "female"),
        ("m", "male"),
        ("f", "female"),
        ("0", "male"),
        ("1", "female"),
    ]);
    let (path, face, person) = match preset {
        None => return PresetColumns::default(),
        Some(Preset::ImdbClean) => (
            "filename",
            columns(["x_min", "y_min", "x_max", "y_max"]),
            None,
        ),
        Some(Preset::Mivolo) => (
            "img_name",
            columns(["face_x0", "face_y0", "face_x1", "face_y1"]),
            columns(["person_x0", "person_y0", "person_x1", "person_y1"]),
        ),
    };
    PresetColumns {
        path: Some(path.to_owned()),
        face,
        person,
        truth: map(&[("age", "age"), ("sex", "gender"), ("gender", "gender")]),
        values: BTreeMap::from([
            ("sex".to_owned(), sexes.clone()),
            ("gender".to_owned(), sexes),
        ]),
    }
}

/// A column, or a template with columns in braces.
pub(super) enum Cell {
    Column(usize),
    Template(Vec<(String, Option<usize>)>),
}

impl Cell {
    pub(super) fn find(table: &Table, text: &str) -> Result<Self> {
        if !text.contains('{') {
            return Ok(Self::Column(table.column(text)?));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, tail)) = after.split_once('}') else {
                return problem("a { without its } in a path template")
                    .value(text)
                    .fail();
            };
            parts.push((before.to_owned(), Some(table.column(name)?)));
            rest = tail;
        }
        parts.push((rest.to_owned(), None));
        Ok(Self::Template(parts))
    }

    /// The text for one row; empty if any column it needs is.
    pub(super) fn text(&self, row: &super::Row<'_>) -> String {
        match self {
            Self::Column(c) => row.get(*c).trim().to_owned(),
            Self::Template(parts) => {
                let mut text = String::new();
                for (before, column) in parts {
                    text += before;
                    if let Some(c) = column {
                        let cell = row.get(*c).trim();
                        if cell.is_empty() {
                            return String::new();
                        }
                        text += cell;
                    }
                }
                text
            }
        }
    }
}
