//! What models say of a benchmark's items, from tables or from Label Studio.

use super::frozen::FrozenItem;
use crate::{
    Problem, Result,
    files::{
        Skipped, Table,
        manifest::{Sex, TrueAge, parse_age, parse_sex},
    },
    problem,
};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};
use veche_analysis::benchmark::ModelAnswers;

const ITEMS: [&str; 7] = [
    "item",
    "id",
    "file",
    "file_name",
    "img_name",
    "path",
    "filename",
];
const AGES: [&str; 4] = ["age", "predicted_age", "estimate", "age_pred"];
const SEXES: [&str; 4] = ["sex", "gender", "predicted_sex", "gender_pred"];

/// Reads one model's predictions and puts them in the order of `items`.
///
/// A table has a column of items (the item's name, or its file in the benchmark with or without folder) and `age`, `sex`
/// or both; a file that ends in `.json` is an export of Label Studio with number `age` and choice `sex`. Predictions on
/// other items are counted and left out. A class counts as its middle, one without an upper end as its beginning plus 5.
///
/// Returns the answers and how many predictions were on no item. Errors: cells that cannot be read (unless skipped),
/// one item twice, no item of the benchmark at all.
pub fn read_predictions(
    path: &Path,
    name: &str,
    items: &[FrozenItem],
    skipped: &mut Skipped,
) -> Result<(ModelAnswers, usize)> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        places.insert(&item.item, at);
    }
    // A picture that several people share does not say who is meant.
    let mut shown: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        let Some(file) = &item.file else { continue };
        for key in [file.as_str(), file.rsplit('/').next().unwrap_or(file)] {
            shown
                .entry(key)
                .and_modify(|of| *of = of.filter(|&o| o == at))
                .or_insert(Some(at));
        }
    }
    let find = |key: &str| {
        let place = || shown.get(key).copied().flatten();
        places.get(key).copied().or_else(place)
    };
    let mut answers = ModelAnswers {
        name: name.to_owned(),
        age: vec![None; items.len()],
        is_male: vec![None; items.len()],
    };
    let mut met = vec![false; items.len()];
    let mut elsewhere = 0;
    let is_json = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("json"));
    if is_json {
        for (item, age, sex) in label_studio(path)? {
            match find(&item) {
                Some(at) => {
                    met[at] = true;
                    answers.age[at] = age;
                    answers.is_male[at] = sex.map(|s| s == Sex::Male);
                }
                None => elsewhere += 1,
            }
        }
    } else {
        let table = Table::read_skipping(path, skipped)?;
        let item = table.column_of(&ITEMS)?;
        let of = |names: &[&str]| names.iter().find_map(|n| table.find(n));
        let (age, sex) = (of(&AGES), of(&SEXES));
        if age.is_none() && sex.is_none() {
            return table
                .problem("there is neither a column age nor a column sex")
                .hint("predictions have item, age, sex")
                .fail();
        }
        for row in table.rows() {
            let Some(at) = find(row.get(item).trim()) else {
                elsewhere += 1;
                continue;
            };
            let read = || -> Result<(Option<f64>, Option<Sex>)> {
                if met[at] {
                    return row
                        .problem(item, "the same item stands in an earlier row")
                        .fail();
                }
                let years = match age {
                    Some(c) => parse_predicted(row.get(c)).map_err(|what| row.problem(c, what))?,
                    None => None,
                };
                let of = match sex {
                    Some(c) => parse_sex(row.get(c), None).map_err(|what| row.problem(c, what))?,
                    None => None,
                };
                Ok((years, of))
            };
            match read() {
                Ok((years, of)) => {
                    met[at] = true;
                    answers.age[at] = years;
                    answers.is_male[at] = of.map(|s| s == Sex::Male);
                }
                Err(p) => skipped.take(p)?,
            }
        }
    }
    if !met.contains(&true) {
        return problem("no prediction is on an item of the benchmark")
            .file(path)
            .hint("the column item holds the names of items.csv, or the names of its picture files")
            .fail();
    }
    Ok((answers, elsewhere))
}

/// A predicted age in years. A network may say −0.3, which is no missing value.
fn parse_predicted(text: &str) -> Result<Option<f64>, &'static str> {
    let text = text.trim();
    if let Ok(years) = text.parse::<f64>()
        && years.is_finite()
        && years.abs() < 1e6
    {
        return Ok(Some(years));
    }
    Ok(parse_age(text)?.map(|age| match age {
        TrueAge::Years(years) => years,
        TrueAge::Class { low, high } if high.is_finite() => f64::midpoint(low, high + 1.0),
        TrueAge::Class { low, .. } => low + 5.0,
    }))
}

type Answered = (String, Option<f64>, Option<Sex>);

/// Tasks with predictions (else annotations), the first of each.
fn label_studio(path: &Path) -> Result<Vec<Answered>> {
    let text = fs::read_to_string(path).map_err(|e| Problem::io("read the file", path, &e))?;
    let wrong = |what: String| {
        Box::new(
            problem(what)
                .file(path)
                .hint("export from Label Studio as JSON"),
        )
    };
    let tasks: Value =
        serde_json::from_str(&text).map_err(|e| wrong(format!("is not JSON: {e}")))?;
    let Some(tasks) = tasks.as_array() else {
        return Err(wrong("is not a list of tasks".into()));
    };
    let mut found = Vec::new();
    for (at, task) in tasks.iter().enumerate() {
        let Some(item) = task["data"]["item"].as_str() else {
            return Err(wrong(format!("task {} has no data.item", at + 1)));
        };
        let model = ["predictions", "annotations"]
            .iter()
            .find_map(|key| task[key].as_array()?.first());
        let Some(results) = model.and_then(|m| m["result"].as_array()) else {
            continue;
        };
        let (mut age, mut sex) = (None, None);
        for result in results {
            match result["from_name"].as_str() {
                Some("age") => age = result["value"]["number"].as_f64(),
                Some("sex") => {
                    let word = result["value"]["choices"][0].as_str().unwrap_or_default();
                    sex = parse_sex(word, None)
                        .map_err(|what| Box::new(problem(what).file(path).value(word)))?;
                }
                _ => {}
            }
        }
        found.push((item.to_owned(), age, sex));
    }
    Ok(found)
}
