//! `veche audit self-knowledge`: the error people expect of themselves against the one they have.

use super::{About, Audited, Subject, judged};
use crate::{
    Result,
    assemble::kind,
    curves::{Cell, Picture, Sheet},
    files::{Skipped, Table},
    problem,
    report::{
        Kind,
        chart::{Axis, Bins, Chart, Cloud, CloudPoint, Histogram, Mark, MarkKind},
        format::{decimals, interval, number, percent, plural, signed, with_unit},
    },
};
use serde_json::json;
use std::path::Path;
use veche_analysis::audit::{
    RelationSettings, Relationship, Resampling, clustered_mean, median, relation,
};

/// Settings of [`self_knowledge`].
#[derive(Debug, Clone, PartialEq)]
pub struct SelfKnowledge {
    /// What annotators said of themselves, in the study's order.
    pub people: Vec<About>,
    /// Annotators with fewer judged answers are left out.
    pub min_answers: usize,
    /// How the relation is looked for, and how intervals are made.
    pub relation: RelationSettings,
}

impl SelfKnowledge {
    /// Usual settings.
    pub fn of(people: Vec<About>) -> Self {
        Self {
            people,
            min_answers: 5,
            relation: RelationSettings::default(),
        }
    }
}

/// Expected error against mean |error| on controls, annotator by annotator. Errors if nobody said what they expect, or fewer than two of those who
/// did have enough judged answers.
pub fn self_knowledge(subject: &Subject<'_>, settings: &SelfKnowledge) -> Result<Audited> {
    let (study, question) = (subject.study, subject.question);
    let Kind::Number { unit } = kind(study, question) else {
        return problem("an expected error is compared on questions of numbers only")
            .column(&study.questions[question].name)
            .fail();
    };
    if settings.people.iter().all(|p| p.expected.is_none()) {
        return problem("nobody said what error they expect of themselves")
            .column(&study.questions[question].name)
            .hint("give a table `annotator,expected_error` with --expected, or a poll `expected error,votes` instead of the votes")
            .fail();
    }
    let mut sums = vec![(0usize, 0.0); study.annotators.len()];
    for j in judged(study, question) {
        let s = &mut sums[j.annotator as usize];
        *s = (s.0 + 1, s.1 + j.error);
    }
    let own: Vec<(usize, f64, f64)> = (0..sums.len())
        .filter(|&u| sums[u].0 >= settings.min_answers.max(1))
        .filter_map(|u| {
            Some((
                u,
                settings.people.get(u)?.expected?,
                sums[u].1 / sums[u].0 as f64,
            ))
        })
        .collect();
    let resampling = Resampling {
        level: settings.relation.level,
        resamples: settings.relation.resamples,
        seed: settings.relation.seed,
    };
    let each: Vec<u32> = (0..own.len() as u32).collect();
    let of = |value: &dyn Fn(&(usize, f64, f64)) -> f64| {
        let values: Vec<f64> = own.iter().map(value).collect();
        clustered_mean(&values, &each, &resampling)
    };
    let (Some(expected), Some(real), Some(gap)) =
        (of(&|o| o.1)?, of(&|o| o.2)?, of(&|o| o.2 - o.1)?)
    else {
        return problem("nobody who said what error they expect has enough judged answers")
            .column(&study.questions[question].name)
            .hint("lower --min-answers")
            .fail();
    };
    let x: Vec<f64> = own.iter().map(|o| o.1).collect();
    let y: Vec<f64> = own.iter().map(|o| o.2).collect();
    let found = relation(&x, &y, &settings.relation)?;
    let better = own.iter().filter(|o| o.2 < o.1).count();
    let d = decimals(x.iter().chain(&y).copied());
    let value = |v: f64| with_unit(&number(v, d), &unit);
    let range = |i: Option<veche_analysis::Interval>| {
        i.map(|i| format!(" [{}]", interval(&signed(i.low, d), &signed(i.high, d))))
            .unwrap_or_default()
    };
    let sure = gap.1.filter(|i| !i.contains(0.0));
    let verdict = match (sure, gap.0 > 0.0) {
        (Some(_), true) => "People think themselves better than they are",
        (Some(_), false) => "People think themselves worse than they are",
        (None, _) => "On average people know how far they err",
    };
    let mut words = vec![format!(
        "{verdict}: they expect {} and err by {}, a difference of {}{} ({}).",
        value(expected.0),
        value(real.0),
        with_unit(&signed(gap.0, d), &unit),
        range(gap.1),
        plural(own.len() as u64, "annotator", "annotators")
    )];
    words.push(format!(
        "{} err by less than they expect.",
        percent(better as f64 / own.len() as f64)
    ));
    if let Some(r) = &found {
        let rho = format!(
            "rank correlation {} [{}]",
            signed(r.rho, 2),
            interval(
                &signed(r.rho_interval.low, 2),
                &signed(r.rho_interval.high, 2)
            )
        );
        words.push(match r.finding {
            Relationship::Rises => format!("Who expects more errs more: {rho}. They know something of where they stand."),
            Relationship::Falls => format!("Who expects more errs less: {rho}."),
            Relationship::None => format!("What they expect says nothing of how they do: {rho}, and more than ±{} is ruled out.", number(r.negligible, 2)),
            Relationship::Bends | Relationship::Undecided => format!("Whether they know where they stand cannot be told: {rho}."),
        });
    }
    let mut sheet = Sheet::new(
        "annotators",
        &["annotator", "expected", "mae", "difference", "answers"],
    );
    for &(u, expected, real) in &own {
        sheet.row(vec![
            Cell::Text(study.annotators[u].clone()),
            expected.into(),
            real.into(),
            (real - expected).into(),
            sums[u].0.into(),
        ]);
    }
    let chart = Cloud {
        title: "The error people expect of themselves, and the one they have".into(),
        x: Axis::new("expected error", unit.clone()),
        y: Axis::new("mean |error| on controls", unit),
        points_name: "annotator".into(),
        strong_name: String::new(),
        points: own
            .iter()
            .map(|o| CloudPoint {
                x: o.1,
                y: o.2,
                name: study.annotators[o.0].clone(),
                strong: false,
            })
            .collect(),
        curve_name: String::new(),
        curve: Vec::new(),
        band_name: String::new(),
        thin_name: String::new(),
        diagonal: "as expected; above it worse".into(),
        from_zero: true,
    };
    Ok(Audited {
        facts: json!({"annotators": own.len(), "expected": expected.0, "real": real.0, "difference": gap.0,
            "difference_interval": gap.1, "better_than_expected": better, "relation": found}),
        words,
        sheets: vec![sheet],
        pictures: vec![Picture {
            file: "self-knowledge.svg".into(),
            chart: Chart::Cloud(chart),
        }],
    })
}

/// Answers of a poll with one question: the error expected, and how many said so.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Poll {
    /// From, to and votes of each answer.
    pub answers: Vec<(f64, f64, u64)>,
}

impl Poll {
    /// Whether a table is a poll: it counts votes for expected errors and has no annotators.
    pub fn is_one(table: &Table) -> bool {
        expected_column(table).is_some() && count_column(table).is_some()
    }

    /// Reads `expected error,votes`; an error may be a band: `3-5`, `10+`. Errors: a cell that cannot be read, no votes.
    pub fn read(path: &Path, skipped: &mut Skipped) -> Result<Self> {
        let table = Table::read_skipping(path, skipped)?;
        let (Some(expected), Some(count)) = (expected_column(&table), count_column(&table)) else {
            return Err(Box::new(
                table.problem("a poll has the columns `expected error` and `votes`"),
            ));
        };
        let mut answers = Vec::new();
        for row in table.rows() {
            let read = || -> Result<Option<(f64, f64, u64)>> {
                let band = super::people::parse_band(row.get(expected)).map_err(|_| {
                    row.problem(expected, "is neither a number nor a band of numbers")
                })?;
                let votes = row.float(count)?.unwrap_or(0.0);
                if votes < 0.0 || votes.fract() != 0.0 {
                    return row.problem(count, "is no count of votes").fail();
                }
                Ok(band.map(|(low, high)| (low, high, votes as u64)))
            };
            match read() {
                Ok(answer) => answers.extend(answer.filter(|a| a.2 > 0)),
                Err(problem) => skipped.take(problem)?,
            }
        }
        if answers.is_empty() {
            return problem("nobody voted in this poll").file(path).fail();
        }
        Ok(Self { answers })
    }

    /// Expected errors, one per vote: the middle of a band, the lower end of an open one.
    fn values(&self) -> Vec<f64> {
        let middle = |low: f64, high: f64| {
            if high.is_finite() {
                f64::midpoint(low, high)
            } else {
                low
            }
        };
        self.answers
            .iter()
            .flat_map(|&(low, high, n)| {
                std::iter::repeat_n(middle(low, high), n.min(10_000_000) as usize)
            })
            .collect()
    }
}

fn expected_column(table: &Table) -> Option<usize> {
    ["expected_error", "expected error", "expected"]
        .iter()
        .find_map(|n| table.find(n))
}

fn count_column(table: &Table) -> Option<usize> {
    ["votes", "n", "count", "answers"]
        .iter()
        .find_map(|n| table.find(n))
}

/// What a poll expects, against an error that was measured, if it is given with its unit.
pub fn poll(
    poll: &Poll,
    real: Option<f64>,
    unit: &str,
    resampling: &Resampling,
) -> Result<Audited> {
    let values = poll.values();
    let each: Vec<u32> = (0..values.len() as u32).collect();
    // A bootstrap over a million equal voters says what a thousand say.
    let few = Resampling {
        resamples: if values.len() > 100_000 {
            0
        } else {
            resampling.resamples
        },
        ..*resampling
    };
    let Some((mean, mean_interval)) = clustered_mean(&values, &each, &few)? else {
        return problem("nobody voted in this poll").fail();
    };
    let middle = median(values.clone()).unwrap_or(mean);
    let d = decimals(values.iter().copied().chain(real));
    let value = |v: f64| with_unit(&number(v, d), unit);
    let open = poll.answers.iter().any(|a| !a.1.is_finite());
    let mut words = Vec::new();
    if let Some(real) = real {
        let below = values.iter().filter(|v| **v < real).count();
        words.push(format!(
            "{} expect to err by less than {}, the error that was measured; half expect {} or less, {} less than that.",
            percent(below as f64 / values.len() as f64),
            value(real),
            value(middle),
            value(real - middle)
        ));
    }
    words.push(format!(
        "{} expect an error of {} on average{}, median {}.{}",
        plural(values.len() as u64, "voter", "voters"),
        value(mean),
        mean_interval
            .map(|i| format!(" [{}]", interval(&number(i.low, d), &number(i.high, d))))
            .unwrap_or_default(),
        value(middle),
        if open {
            " An open answer counts as its lower end, so the mean is too low."
        } else {
            ""
        }
    ));
    let mut sheet = Sheet::new("poll", &["from", "to", "votes", "share"]);
    for &(low, high, n) in &poll.answers {
        sheet.row(vec![
            low.into(),
            Some(high).filter(|v| v.is_finite()).into(),
            (n as usize).into(),
            (n as f64 / values.len() as f64).into(),
        ]);
    }
    let whole = poll
        .answers
        .iter()
        .all(|a| a.0.fract() == 0.0 && a.0 == a.1);
    let bins = if whole {
        Bins::whole(values.iter().map(|v| *v as u64))
    } else {
        Bins::nice(&values, 20)
    };
    let mut marks = vec![Mark::new("median expected", middle, MarkKind::Median)];
    marks.extend(real.map(|r| Mark::new("measured", r, MarkKind::Truth)));
    let chart = Histogram::one(
        "The error people expect of themselves",
        Axis::new("expected error", unit),
        "voters",
        bins,
        marks,
    );
    Ok(Audited {
        facts: json!({"voters": values.len(), "mean": mean, "mean_interval": mean_interval, "median": middle, "real": real}),
        words,
        sheets: vec![sheet],
        pictures: vec![Picture {
            file: "self-knowledge.svg".into(),
            chart: Chart::Histogram(chart),
        }],
    })
}
