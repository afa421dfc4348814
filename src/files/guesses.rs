//! Known answers by item, with the mean of people's guesses where single votes are not published: one row per item.

use super::{
    Names, Skipped, Table,
    predictions::{item_column, sex_word},
};
use crate::{Result, problem};
use std::path::Path;

const TRUTH: [&str; 4] = ["truth", "real_age", "true_age", "age"];
const GUESS: [&str; 5] = [
    "guess",
    "mean_guess",
    "guess_mean",
    "apparent_age_mean",
    "apparent_age_avg",
];
const SD: [&str; 4] = ["sd", "guess_sd", "apparent_age_std", "std"];
const COUNT: [&str; 4] = ["n", "guesses", "num_ratings", "votes"];
const SEX: [&str; 2] = ["sex", "gender"];
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

/// Columns that have unusual names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuessColumns {
    /// With the item.
    pub item: Option<String>,
    /// With the known answer.
    pub truth: Option<String>,
    /// With the mean guess.
    pub guess: Option<String>,
    /// With the standard deviation of the guesses.
    pub sd: Option<String>,
    /// With the sex.
    pub sex: Option<String>,
}

/// One row per item.
#[derive(Debug, Clone, Default)]
pub struct Guesses {
    /// The items, in the file's order.
    pub items: Names,
    /// Name of the column with the known answer, empty if there is none.
    pub truth_name: String,
    /// The known answer, where it is a number.
    pub truth: Vec<Option<f64>>,
    /// The known answer as it stands, where it is a class: `25-32`, `more than 70`.
    pub class: Vec<Option<String>>,
    /// Mean of the guesses.
    pub guess: Vec<Option<f64>>,
    /// Their standard deviation.
    pub sd: Vec<Option<f64>>,
    /// How many there are.
    pub n: Vec<Option<f64>>,
    /// The true sex, as [`sex_word`] has it.
    pub sex: Vec<Option<String>>,
}

impl Guesses {
    /// Whether a table has single votes: a column says who answered.
    pub fn has_annotators(table: &Table) -> bool {
        ANNOTATOR.iter().any(|name| table.find(name).is_some())
    }

    /// Whether there is any mean guess.
    pub fn has_guesses(&self) -> bool {
        self.guess.iter().any(Option::is_some)
    }

    /// Reads a table. Known answers that are no number but have digits are taken for classes. Bad rows go to `skipped`.
    ///
    /// Errors: no column with the item or, if `need_truth`, with the known answer; an item twice with different values; numbers
    /// that are none; a negative standard deviation.
    pub fn read(
        path: &Path,
        columns: &GuessColumns,
        need_truth: bool,
        skipped: &mut Skipped,
    ) -> Result<Self> {
        let table = Table::read_skipping(path, skipped)?;
        let find = |named: &Option<String>, usual: &[&str]| match named {
            Some(name) => table.column(name).map(Some),
            None => Ok(usual.iter().find_map(|name| table.find(name))),
        };
        let item = item_column(&table, columns.item.as_deref())?;
        let truth = find(&columns.truth, &TRUTH)?;
        let guess = find(&columns.guess, &GUESS)?;
        let (sd, sex) = (find(&columns.sd, &SD)?, find(&columns.sex, &SEX)?);
        let n = COUNT.iter().find_map(|name| table.find(name));
        if need_truth && truth.is_none() {
            return problem("no column holds the known answers")
                .file(path)
                .hint(format!(
                    "name it {}, or say which it is with --truth-column; columns are: {}",
                    TRUTH.join(", "),
                    table.columns().join(", ")
                ))
                .fail();
        }
        let mut read = Self {
            truth_name: truth
                .map(|c| table.columns()[c].clone())
                .unwrap_or_default(),
            ..Self::default()
        };
        for row in table.rows() {
            let added = (|| -> Result<()> {
                let number = |column: Option<usize>| column.map_or(Ok(None), |c| row.float(c));
                let (known, class) = match truth.and_then(|c| Some((c, row.text(c)?))) {
                    Some((c, text)) => match row.float(c) {
                        Ok(value) => (value, None),
                        Err(_) if text.chars().any(|c| c.is_ascii_digit()) => {
                            (None, Some(text.to_owned()))
                        }
                        Err(problem) => return Err(problem),
                    },
                    None => (None, None),
                };
                let (guess, spread, n) = (number(guess)?, number(sd)?, number(n)?);
                if let (Some(column), Some(value)) = (sd, spread)
                    && value < 0.0
                {
                    return row
                        .problem(column, "a standard deviation is never negative")
                        .fail();
                }
                let sex = sex.and_then(|c| row.text(c)).map(sex_word);
                let id = row.text(item).ok_or_else(|| row.problem(item, "no item"))?;
                if let Some(before) = read.items.find(id) {
                    let b = before as usize;
                    let same = read.truth[b] == known
                        && read.class[b] == class
                        && read.guess[b] == guess
                        && read.sex[b] == sex;
                    if same {
                        return Ok(());
                    }
                    return row
                        .problem(item, "this item stands above with other values")
                        .fail();
                }
                read.items.intern(id);
                read.truth.push(known);
                read.class.push(class);
                read.guess.push(guess);
                read.sd.push(spread);
                read.n.push(n);
                read.sex.push(sex);
                Ok(())
            })();
            if let Err(problem) = added {
                skipped.take(problem)?;
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Guesses> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("g.csv");
        std::fs::write(&path, text).unwrap();
        Guesses::read(
            &path,
            &GuessColumns::default(),
            true,
            &mut Skipped::strict(),
        )
    }

    #[test]
    fn the_table_of_appa_real_is_understood_as_it_is() {
        let g = read("file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age\na.jpg,37,5.5,1.13,4\n").unwrap();
        assert_eq!(
            (g.truth[0], g.guess[0], g.sd[0], g.n[0]),
            (Some(4.0), Some(5.5), Some(1.13), Some(37.0))
        );
        assert!(g.has_guesses());
    }

    #[test]
    fn classes_are_kept_as_they_stand_and_words_are_errors() {
        let g = read("file,age,gender\na,\"(25, 32)\",f\nb,31,M\nc,more than 70,\n").unwrap();
        assert_eq!(
            g.class,
            [
                Some("(25, 32)".to_owned()),
                None,
                Some("more than 70".to_owned())
            ]
        );
        assert_eq!(
            g.sex[..2],
            [Some("female".to_owned()), Some("male".to_owned())]
        );
        assert_eq!((g.truth[1], g.has_guesses()), (Some(31.0), false));
        assert!(read("file,age\na,old\n").is_err());
        assert!(
            read("file,colour\na,red\n")
                .unwrap_err()
                .to_string()
                .contains("--truth-column")
        );
        assert!(read("item,truth,guess,sd\na,1,2,-1\n").is_err());
        assert!(read("item,truth\na,1\na,2\n").is_err());
        assert_eq!(read("item,truth\na,1\na,1\n").unwrap().items.len(), 1);
    }
}
