//! What annotators say of themselves: age, and the error they expect. From the campaign's own server, from a table, or from the names of
//! pools that were open to some ages only.

use crate::{
    Result,
    files::{
        Row, Skipped, Table,
        manifest::{TrueAge, parse_age},
    },
    problem,
    study::Study,
};
use std::{collections::BTreeMap, path::Path};

/// File in a campaign's folder that `veche votes collect` writes.
pub const PEOPLE: &str = "annotators.csv";

const ANNOTATOR: [&str; 8] = [
    "annotator",
    "annotator_id",
    "worker",
    "worker_id",
    "performer",
    "performer_id",
    "user",
    "user_id",
];
const AGE: [&str; 5] = ["age", "band", "age_band", "age_range", "pool"];
const BIRTH: [&str; 3] = ["birth_year", "year_of_birth", "born"];
const EXPECTED: [&str; 3] = ["expected_error", "expected error", "expected"];

/// One annotator's own words.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct About {
    /// Age, from and to; both ends are equal where it is known to the year. An open band ends at infinity.
    pub age: Option<(f64, f64)>,
    /// The error they expect of themselves, in the question's unit.
    pub expected: Option<f64>,
}

/// A number, or a band of numbers: `31`, `25-29`, `60+`, and the band in a pool's name: `faces 18-25`. `Ok(None)` if the cell is empty.
pub fn parse_band(text: &str) -> Result<Option<(f64, f64)>, &'static str> {
    let words = |age: TrueAge| match age {
        TrueAge::Years(v) => (v, v),
        TrueAge::Class { low, high } => (low, high),
    };
    match parse_age(text) {
        Ok(age) => Ok(age.map(words)),
        Err(what) => {
            let last = text.split([' ', '_', '/']).next_back().unwrap_or(text);
            match parse_age(last) {
                Ok(Some(age)) if last.len() < text.trim().len() => Ok(Some(words(age))),
                _ => Err(what),
            }
        }
    }
}

/// The middle of each band. Where ends are whole, `25–29` holds everybody between the 25th and the 30th birthday; an open band is taken to be as wide
/// as the widest closed one, or ten years.
pub fn middles(bands: &[Option<(f64, f64)>]) -> Vec<Option<f64>> {
    let width = |b: &(f64, f64)| b.1 - b.0;
    let closed = bands
        .iter()
        .flatten()
        .filter(|b| b.1.is_finite())
        .map(width);
    let widest = closed.fold(0.0, f64::max);
    let open = if widest > 0.0 { widest } else { 10.0 };
    let middle = |&(low, high): &(f64, f64)| match (high.is_finite(), high > low) {
        (false, _) => low + open / 2.0,
        (true, true) => f64::midpoint(low, high + 1.0),
        (true, false) => low,
    };
    bands.iter().map(|b| b.as_ref().map(middle)).collect()
}

/// Reads a table with one row per annotator: `annotator`, and `age`, `band`, `pool` (whose name ends in the band) or `birth_year`, and
/// `expected_error`. `year` is when the votes were given, for years of birth. By the study's annotators; those who are not in the table said nothing.
///
/// Errors: no column with the annotator, or none that says anything; an annotator twice with different words; a cell that cannot be read;
/// no annotator of the table among those of the study.
pub fn read_people(path: &Path, study: &Study, skipped: &mut Skipped) -> Result<Vec<About>> {
    let table = Table::read_skipping(path, skipped)?;
    let who = table.column_of(&ANNOTATOR)?;
    let of = |names: &[&str]| {
        names
            .iter()
            .find_map(|n| table.find(n))
            .filter(|&c| c != who)
    };
    let (age, birth, expected) = (of(&AGE), of(&BIRTH), of(&EXPECTED));
    if age.is_none() && birth.is_none() && expected.is_none() {
        return problem("no column says anything about annotators")
            .file(path)
            .hint(format!(
                "name it {}, {} or {}; columns are: {}",
                AGE.join(", "),
                BIRTH[0],
                EXPECTED[0],
                table.columns().join(", ")
            ))
            .fail();
    }
    let year = year_of_votes(study);
    let read = |row: Row<'_>| -> Result<About> {
        let mut about = About::default();
        if let Some(c) = age {
            about.age = parse_band(row.get(c)).map_err(|what| row.problem(c, what))?;
        }
        if let (None, Some(c)) = (about.age, birth)
            && let Some(born) = row.float(c)?
        {
            let Some(year) = year else {
                return row
                    .problem(c, "a year of birth says no age where votes have no time")
                    .hint("give a column `age` instead")
                    .fail();
            };
            let age = year - born;
            if !(0.0..=120.0).contains(&age) {
                return row
                    .problem(c, "is no year of birth of a living person")
                    .fail();
            }
            about.age = Some((age, age));
        }
        if let Some(c) = expected {
            about.expected = row.float(c)?;
            if about.expected.is_some_and(|e| e < 0.0) {
                return row
                    .problem(c, "an error expected of oneself is not negative")
                    .fail();
            }
        }
        Ok(about)
    };
    let places: BTreeMap<&str, usize> = study
        .annotators
        .iter()
        .enumerate()
        .map(|(i, a)| (a.as_str(), i))
        .collect();
    let mut people = vec![About::default(); study.annotators.len()];
    let mut rows = vec![0u64; study.annotators.len()];
    let mut known = 0;
    for row in table.rows() {
        let taken = read(row).and_then(|about| {
            let Some(&at) = row.text(who).and_then(|name| places.get(name)) else {
                return Ok(());
            };
            if rows[at] > 0 && people[at] != about {
                return row
                    .problem(
                        who,
                        format!("this annotator says something else in row {}", rows[at]),
                    )
                    .fail();
            }
            known += usize::from(rows[at] == 0);
            (rows[at], people[at]) = (row.number(), about);
            Ok(())
        });
        if let Err(problem) = taken {
            skipped.take(problem)?;
        }
    }
    if known == 0 {
        return problem("no annotator of this table gave any of the votes")
            .file(path)
            .value(table.rows().next().map(|r| r.get(who)).unwrap_or_default())
            .hint(format!(
                "in the votes annotators are called like \"{}\"",
                study
                    .annotators
                    .first()
                    .map(String::as_str)
                    .unwrap_or_default()
            ))
            .fail();
    }
    Ok(people)
}

/// What the campaign's folder has, if anything.
pub fn own_people(study: &Study) -> Result<Option<Vec<About>>> {
    let Some(project) = &study.project else {
        return Ok(None);
    };
    let path = project.dir.join(PEOPLE);
    if !path.is_file() {
        return Ok(None);
    }
    read_people(&path, study, &mut Skipped::strict()).map(Some)
}

/// The year in which half of the votes had been given.
fn year_of_votes(study: &Study) -> Option<f64> {
    let mut times: Vec<i64> = study.votes.iter().filter_map(|v| v.submitted).collect();
    times.sort_unstable();
    let middle = times.get(times.len() / 2)?;
    crate::files::time::write_moment(*middle)
        .get(..4)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_read_as_people_and_pools_write_them() {
        assert_eq!(parse_band("31"), Ok(Some((31.0, 31.0))));
        assert_eq!(parse_band("25-29"), Ok(Some((25.0, 29.0))));
        assert_eq!(parse_band("faces born 18-25"), Ok(Some((18.0, 25.0))));
        assert_eq!(
            parse_band("pool_60+").map(|b| b.map(|b| b.0)),
            Ok(Some(60.0))
        );
        assert_eq!(parse_band(""), Ok(None));
        assert!(parse_band("young").is_err());
    }

    #[test]
    fn the_middle_of_a_band_counts_its_last_year() {
        let bands = [
            Some((25.0, 29.0)),
            Some((31.0, 31.0)),
            Some((60.0, f64::INFINITY)),
            None,
        ];
        assert_eq!(middles(&bands), [Some(27.5), Some(31.0), Some(62.0), None]);
    }
}
