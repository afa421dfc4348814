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
}

/// The column that was named, or the one of the usual name: nobody can be asked which there are.
fn column(named: Option<&String>, usual: &str) -> Result<String> {
    let found = named.map_or_else(|| usual.to_owned(), Clone::clone);
    check_quotable("column", &found)?;
    Ok(found)
}

impl Source {
    /// Names the columns.
    pub(super) fn new(
        dialect: Dialect,
        votes: Place,
        truth: Option<Place>,
        mapping: &VoteMapping,
    ) -> Result<Self> {
        let truths = match (truth, &mapping.truth) {
            (Some(place), named) => Truths::Table(
                place,
                column(mapping.item.as_ref(), "item")?,
                column(named.as_ref(), "truth")?,
            ),
            (None, Some(name)) => Truths::Column(column(Some(name), "truth")?),
            (None, None) => Truths::None,
        };
        Ok(Self {
            dialect,
            votes,
            columns: Columns {
                annotator: column(mapping.annotator.as_ref(), "annotator")?,
                item: column(mapping.item.as_ref(), "item")?,
                answer: column(mapping.value.as_ref(), "answer")?,
            },
            truths,
        })
    }

    /// Whether there may be known answers.
    pub(super) fn has_truths(&self) -> bool {
        !matches!(self.truths, Truths::None)
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
                d.name(&c.item),
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
            d.name(item),
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
    fn columns_have_the_names_that_were_given_or_the_usual_ones() {
        let mapping = VoteMapping {
            annotator: Some("worker".into()),
            truth: Some("gold".into()),
            ..VoteMapping::default()
        };
        let votes = Place::new("votes").unwrap();
        let s = Source::new(Dialect::Duckdb, votes, None, &mapping).unwrap();
        let mut plan = Plan::default();
        s.votes(&mut plan, "CAST({} AS DOUBLE) AS v");
        assert_eq!(
            plan.steps[0].query,
            "SELECT \"item\" AS item, \"worker\" AS annotator, CAST(\"answer\" AS DOUBLE) AS v \
             FROM \"votes\" WHERE \"answer\" IS NOT NULL"
        );
        let truths = s.all_truths("{}", "z").unwrap();
        assert!(truths.contains("\"gold\" AS z"), "{truths}");
        let bad = VoteMapping {
            item: Some("a\"b".into()),
            ..VoteMapping::default()
        };
        let votes = Place::new("votes").unwrap();
        assert!(Source::new(Dialect::Spark, votes, None, &bad).is_err());
    }
}
