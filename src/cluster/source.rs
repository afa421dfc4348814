//! Where votes and known answers are on the cluster, and under which names.

use super::plan::{Dialect, Plan, check_quotable};
use crate::{Result, files::VoteMapping, problem};

/// A table of the cluster, or Parquet below a path that the cluster can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// A path or URL holds a slash or ends in `.parquet`; everything else is the name of a table.
    pub fn new(text: &str) -> Result<Self> {
        check_quotable("table or path", text)?;
        let ending = |e: &str| text.to_lowercase().ends_with(e);
        if [".csv", ".tsv", ".json", ".csv.gz"].into_iter().any(ending) {
            return problem("a cluster reads tables and Parquet only")
                .value(text)
                .hint("`veche votes export` and most engines write Parquet; or name a table of the cluster")
                .fail();
        }
        Ok(Self(text.to_owned()))
    }

    fn is_path(&self) -> bool {
        self.0.contains('/') || self.0.ends_with(".parquet")
    }

    /// As it was given.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// As it stands in a query.
    pub(super) fn sql(&self, dialect: Dialect) -> String {
        if self.is_path() {
            return dialect.file(&self.0);
        }
        let parts: Vec<String> = self.0.split('.').map(|p| dialect.name(p)).collect();
        parts.join(".")
    }
}

/// Names of the columns that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) annotator: String,
    pub(super) item: String,
    pub(super) answer: String,
    pub(super) truth: Option<String>,
}

/// Where known answers come from.
#[derive(Debug, Clone)]
pub(super) enum Truths {
    None,
    /// A column of the votes.
    Column(String),
    /// A table with its columns of items and answers.
    Table(Place, String, String),
}

/// Everything a plan reads.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) dialect: Dialect,
    pub(super) votes: Place,
    pub(super) columns: Columns,
    pub(super) truths: Truths,
    /// Whether items must be compared as words, since their types differ.
    pub(super) items_as_words: bool,
}

const ANNOTATOR: &[&str] = &[
    "annotator",
    "annotator_id",
    "worker",
    "worker_id",
    "performer",
    "performer_id",
    "user",
    "user_id",
];
const ITEM: &[&str] = &["item", "item_id", "task", "task_id", "question"];
const ANSWER: &[&str] = &["value", "answer", "label"];

/// The column that was named, or the first of the usual names. `header` is what the table has; `None` where nobody asked.
fn column(
    header: Option<&[String]>,
    named: Option<&String>,
    usual: &[&str],
    place: &Place,
) -> Result<String> {
    let found = match (header, named) {
        (None, Some(name)) => Some(name.clone()),
        (None, None) => Some(usual[0].to_owned()),
        (Some(header), Some(name)) => header
            .iter()
            .find(|h| h.eq_ignore_ascii_case(name))
            .cloned(),
        (Some(header), None) => usual
            .iter()
            .find_map(|u| header.iter().find(|h| h.eq_ignore_ascii_case(u)).cloned()),
    };
    let Some(found) = found else {
        let wanted = named.map_or_else(|| usual.join(", "), Clone::clone);
        return problem("there is no such column")
            .file(place.text())
            .column(wanted)
            .hint(format!(
                "the table has {}; name the right one with --annotator-column, --item-column, --answer-column or --truth-column",
                header.unwrap_or_default().join(", ")
            ))
            .fail();
    };
    check_quotable("column", &found)?;
    Ok(found)
}

impl Source {
    /// Finds the columns. `header` and `truth_header` are the columns the tables have, where the cluster was asked.
    pub(super) fn new(
        dialect: Dialect,
        votes: Place,
        truth: Option<Place>,
        mapping: &VoteMapping,
        header: Option<&[String]>,
        truth_header: Option<&[String]>,
    ) -> Result<Self> {
        // `answer` is the name that everybody expects where the table cannot be asked.
        let answers: &[&str] = if header.is_some() {
            ANSWER
        } else {
            &["answer"]
        };
        let truth_column = match (&mapping.truth, header) {
            (Some(name), _) if truth.is_none() => {
                Some(column(header, Some(name), &["truth"], &votes)?)
            }
            (None, Some(header)) if truth.is_none() => header
                .iter()
                .find(|h| h.eq_ignore_ascii_case("truth"))
                .cloned(),
            _ => None,
        };
        let columns = Columns {
            annotator: column(header, mapping.annotator.as_ref(), ANNOTATOR, &votes)?,
            item: column(header, mapping.item.as_ref(), ITEM, &votes)?,
            answer: column(header, mapping.value.as_ref(), answers, &votes)?,
            truth: truth_column,
        };
        let truths = match (truth, &columns.truth) {
            (Some(place), _) => {
                let usual: Vec<&str> = std::iter::once("truth")
                    .chain(ANSWER.iter().copied())
                    .collect();
                Truths::Table(
                    place.clone(),
                    column(truth_header, mapping.item.as_ref(), ITEM, &place)?,
                    column(truth_header, mapping.truth.as_ref(), &usual, &place)?,
                )
            }
            (None, Some(name)) => Truths::Column(name.clone()),
            (None, None) => Truths::None,
        };
        Ok(Self {
            dialect,
            votes,
            columns,
            truths,
            items_as_words: false,
        })
    }

    /// Whether there may be known answers.
    pub(super) fn has_truths(&self) -> bool {
        !matches!(self.truths, Truths::None)
    }

    fn item(&self, column: &str) -> String {
        let name = self.dialect.name(column);
        if self.items_as_words {
            format!("CAST({name} AS STRING)")
        } else {
            name
        }
    }

    /// The view `veche_votes`: item, annotator, and the answer as `{}` of `answer` has it. Rows without an answer are no votes.
    pub(super) fn votes(&self, plan: &mut Plan, answer: &str) {
        let (c, d) = (&self.columns, self.dialect);
        let value = d.name(&c.answer);
        plan.view(
            "veche_votes",
            "The votes. An annotator votes once on an item, on any number of items.",
            format!(
                "SELECT {} AS item, {} AS annotator, {} FROM {} WHERE {value} IS NOT NULL",
                self.item(&c.item),
                d.name(&c.annotator),
                answer.replace("{}", &value),
                self.votes.sql(d)
            ),
        );
    }

    /// The view `veche_truths`: item and the known answer under `name`, one row per item.
    pub(super) fn truths(&self, plan: &mut Plan, answer: &str, name: &str) {
        if let Some(query) = self.all_truths(answer, name) {
            plan.view(
                "veche_truths",
                "The known answers.",
                format!("SELECT item, MIN({name}) AS {name} FROM ({query}) x GROUP BY item"),
            );
        }
    }

    /// Rows of item and known answer, as they are given.
    pub(super) fn all_truths(&self, answer: &str, name: &str) -> Option<String> {
        let d = self.dialect;
        let (place, item, truth) = match &self.truths {
            Truths::None => return None,
            Truths::Column(truth) => (&self.votes, &self.columns.item, truth),
            Truths::Table(place, item, truth) => (place, item, truth),
        };
        let value = d.name(truth);
        Some(format!(
            "SELECT {} AS item, {} AS {name} FROM {} WHERE {value} IS NOT NULL",
            self.item(item),
            answer.replace("{}", &value),
            place.sql(d)
        ))
    }

    /// The query whose one row says whether the votes can be used: votes, repeated, unusable. `usable` is a condition on `v`.
    pub(super) fn facts(&self, usable: &str) -> String {
        format!(
            "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) AS votes,
    CAST(COALESCE(SUM(CASE WHEN n > 1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS repeated,
    CAST(COALESCE(SUM(unusable), 0) AS BIGINT) AS unusable
FROM (SELECT COUNT(*) AS n, SUM(CASE WHEN {usable} AND item IS NOT NULL AND annotator IS NOT NULL THEN 0 ELSE 1 END) AS unusable
    FROM veche_votes GROUP BY item, annotator) x"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn tables_and_paths_are_told_apart_and_text_files_refused() {
        let sql = |text: &str| Place::new(text).unwrap().sql(Dialect::Spark);
        assert_eq!(sql("main.crowd.votes"), "`main`.`crowd`.`votes`");
        assert_eq!(sql("s3://crowd/votes"), "parquet.`s3://crowd/votes`");
        assert_eq!(sql("votes.parquet"), "parquet.`votes.parquet`");
        assert!(
            Place::new("votes.csv")
                .unwrap_err()
                .to_string()
                .contains("Parquet only")
        );
    }

    #[test]
    fn columns_are_found_by_their_usual_names_and_a_missing_one_is_named() {
        let votes = || Place::new("votes").unwrap();
        let found = header(&["Worker", "task", "label", "truth"]);
        let mapping = VoteMapping::default();
        let s = Source::new(Dialect::Spark, votes(), None, &mapping, Some(&found), None).unwrap();
        assert_eq!(
            (s.columns.annotator.as_str(), s.columns.item.as_str()),
            ("Worker", "task")
        );
        assert!(matches!(s.truths, Truths::Column(t) if t == "truth"));
        let poor = header(&["who", "task", "label"]);
        let e =
            Source::new(Dialect::Spark, votes(), None, &mapping, Some(&poor), None).unwrap_err();
        assert!(
            e.to_string().contains("the table has who, task, label"),
            "{e}"
        );
    }
}
