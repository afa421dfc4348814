//! What a network (or anything else that is to be compared with people) says about items: one row per item.

use super::{Names, Skipped, Table, table::Row};
use crate::{Result, problem};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Names of the column with the item, in the order in which they are looked for.
const ITEM: [&str; 11] = [
    "item",
    "item_id",
    "id",
    "img_name",
    "file",
    "file_name",
    "filename",
    "image",
    "path",
    "task",
    "task_id",
];
/// Names of the column with the number, after the question's own name.
const NUMBER: [&str; 6] = [
    "age",
    "prediction",
    "predicted",
    "estimate",
    "value",
    "label",
];
const SEX: [&str; 2] = ["sex", "gender"];

/// Predictions by item.
#[derive(Debug, Clone)]
pub struct Predictions {
    /// The file.
    pub path: PathBuf,
    /// The items, in the file's order.
    pub items: Names,
    /// What is predicted of each, in step with `items`.
    pub rows: Vec<Prediction>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prediction {
    /// The number; `None` if the cell is empty, as `veche predict` leaves it where there was neither face nor body.
    pub number: Option<f64>,
    /// The sex, as [`sex_word`] has it.
    pub sex: Option<String>,
    /// Whether the network saw a face, from a column `face_used`.
    pub face_used: Option<bool>,
    /// Whether the network saw a body, from a column `body_used`.
    pub body_used: Option<bool>,
    /// Row in the file, the header being row 1.
    pub row: u64,
}

/// Columns that have unusual names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PredictionColumns {
    /// With the item.
    pub item: Option<String>,
    /// With the number.
    pub number: Option<String>,
}

/// Reads a table `item,age,sex[,score]`, or what `veche predict` or `veche aggregate` writes. `question` is what the number is called
/// in the votes: a column of that name is taken first, then age, prediction, predicted, estimate, value, label.
///
/// Errors: no column with the item, neither a number nor a sex, an item twice, a number that is none. Bad rows go to `skipped`.
pub fn read_predictions(
    path: &Path,
    columns: &PredictionColumns,
    question: &str,
    skipped: &mut Skipped,
) -> Result<Predictions> {
    let table = Table::read_skipping(path, skipped)?;
    let item = item_column(&table, columns.item.as_deref())?;
    let number = match &columns.number {
        Some(name) => Some(table.column(name)?),
        None => std::iter::once(question)
            .chain(NUMBER)
            .find_map(|name| table.find(name))
            .filter(|&c| c != item),
    };
    let sex = SEX
        .iter()
        .find_map(|name| table.find(name))
        .filter(|&c| Some(c) != number);
    if number.is_none() && sex.is_none() {
        return Err(Box::new(
            table.problem("no column holds a prediction").hint(format!(
                "name it {}, or say which it is with --prediction-column; columns are: {}",
                NUMBER.join(", "),
                table.columns().join(", ")
            )),
        ));
    }
    let (face, body) = (table.find("face_used"), table.find("body_used"));
    let mut items = Names::new();
    let mut rows: Vec<Prediction> = Vec::with_capacity(table.len());
    for row in table.rows() {
        let read = (|| -> Result<Prediction> {
            let flag = |column: Option<usize>| column.map_or(Ok(None), |c| truth_value(row, c));
            Ok(Prediction {
                number: number.map_or(Ok(None), |c| row.float(c))?,
                sex: sex.and_then(|c| row.text(c)).map(sex_word),
                face_used: flag(face)?,
                body_used: flag(body)?,
                row: row.number(),
            })
        })();
        let added = read.and_then(|prediction| {
            let id = row.text(item).ok_or_else(|| row.problem(item, "no item"))?;
            if let Some(before) = items.find(id) {
                let first = rows[before as usize].row;
                return row
                    .problem(
                        item,
                        format!("this item was in row {first} already: one prediction per item"),
                    )
                    .fail();
            }
            items.intern(id);
            rows.push(prediction);
            Ok(())
        });
        if let Err(problem) = added {
            skipped.take(problem)?;
        }
    }
    Ok(Predictions {
        path: path.to_owned(),
        items,
        rows,
    })
}

/// The column with the item: the one named, else the first of the usual names.
pub(super) fn item_column(table: &Table, named: Option<&str>) -> Result<usize> {
    match named {
        Some(name) => table.column(name),
        None => table.column_of(&ITEM),
    }
}

fn truth_value(row: Row<'_>, column: usize) -> Result<Option<bool>> {
    match row.text(column).map(str::to_lowercase).as_deref() {
        None => Ok(None),
        Some("true" | "1" | "yes") => Ok(Some(true)),
        Some("false" | "0" | "no") => Ok(Some(false)),
        Some(_) => row.problem(column, "is neither true nor false").fail(),
    }
}

/// Sexes as one set of words, so that tables of different origin can be compared: `F`, `Female`, `woman` are `female`, `M`, `male`,
/// `man` are `male`; anything else is itself in small letters.
pub fn sex_word(text: &str) -> String {
    match text.trim().to_lowercase().as_str() {
        "f" | "female" | "woman" | "w" => "female".into(),
        "m" | "male" | "man" => "male".into(),
        other => other.to_owned(),
    }
}

/// Which prediction belongs to which item of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// By the study's item: index of its prediction.
    pub of_item: Vec<Option<u32>>,
    /// Predictions of items that the study does not have.
    pub unknown: usize,
    /// Whether items were matched by the names of their files without folders and endings, as full names matched none.
    pub by_file_name: bool,
}

impl Predictions {
    /// Finds the predictions of a study's items: by their full names, or, if no name matches, by file names without folder and
    /// ending, where those are unique on both sides. Errors if none matches.
    pub fn matched(&self, items: &[String]) -> Result<Matched> {
        let mut of_item: Vec<Option<u32>> =
            items.iter().map(|name| self.items.find(name)).collect();
        let mut by_file_name = false;
        if of_item.iter().all(Option::is_none) {
            // `None` for a name that stands for several.
            let mut short: BTreeMap<&str, Option<u32>> = BTreeMap::new();
            for (i, name) in self.items.iter().enumerate() {
                short
                    .entry(stem(name))
                    .and_modify(|known| *known = None)
                    .or_insert(Some(i as u32));
            }
            let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
            items
                .iter()
                .for_each(|name| *seen.entry(stem(name)).or_default() += 1);
            let only = |name: &&String| seen[stem(name)] == 1;
            of_item = items
                .iter()
                .map(|name| Some(name).filter(only).and_then(|n| *short.get(stem(n))?))
                .collect();
            by_file_name = true;
        }
        let found = of_item.iter().flatten().count();
        if found == 0 {
            let (mine, theirs) = (self.items.iter().next(), items.first());
            return problem("no item of this table is an item of the votes")
                .file(&self.path)
                .value(mine.unwrap_or_default())
                .hint(format!(
                    "items must have the same names in both tables; there they are called like \"{}\"",
                    theirs.map(String::as_str).unwrap_or_default()
                ))
                .fail();
        }
        Ok(Matched {
            unknown: self.items.len() - found,
            of_item,
            by_file_name,
        })
    }
}

/// A file's name without folder and ending.
fn stem(name: &str) -> &str {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Predictions> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.csv");
        std::fs::write(&path, text).unwrap();
        read_predictions(
            &path,
            &PredictionColumns::default(),
            "answer",
            &mut Skipped::strict(),
        )
    }

    #[test]
    fn what_predict_writes_is_read() {
        let p = read("item,age,sex,sex_score,face_used,body_used,error\na.jpg,31.5,F,0.98,true,false,\nb.jpg,,,,false,false,no face\n").unwrap();
        let first = Prediction {
            number: Some(31.5),
            sex: Some("female".into()),
            face_used: Some(true),
            body_used: Some(false),
            row: 2,
        };
        assert_eq!(p.rows[0], first);
        assert_eq!(
            (
                p.rows[1].number,
                p.rows[1].sex.as_deref(),
                p.rows[1].face_used
            ),
            (None, None, Some(false))
        );
    }

    #[test]
    fn labels_of_aggregate_are_predictions_too() {
        let p = read("item,estimate,se,low,high,votes\nx,12.5,1,10,14,9\n").unwrap();
        assert_eq!(p.rows[0].number, Some(12.5));
    }

    #[test]
    fn a_second_row_of_an_item_names_the_first() {
        let e = read("item,age\na,1\nb,2\na,3\n").unwrap_err();
        assert!(e.to_string().contains("row 2 already"), "{e}");
        assert_eq!(e.row, Some(4));
        let e = read("item,colour\na,red\n").unwrap_err();
        assert!(e.to_string().contains("--prediction-column"), "{e}");
        assert!(read("item,age\na,old\n").is_err());
    }

    #[test]
    fn items_are_matched_by_name_and_else_by_file_name() {
        let p = read("item,age\nx/a.jpg,1\nx/b.jpg,2\ny/b.jpg,3\n").unwrap();
        let exact = p.matched(&["x/a.jpg", "z"].map(str::to_owned)).unwrap();
        assert_eq!(
            (exact.of_item, exact.unknown, exact.by_file_name),
            (vec![Some(0), None], 2, false)
        );
        // Two files are called b: neither is guessed at.
        let short = p.matched(&["a.webp", "b.webp"].map(str::to_owned)).unwrap();
        assert_eq!(
            (short.of_item, short.by_file_name),
            (vec![Some(0), None], true)
        );
        assert!(
            p.matched(&["q"].map(str::to_owned))
                .unwrap_err()
                .to_string()
                .contains("\"q\"")
        );
    }
}
