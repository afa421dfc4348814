//! `veche audit balance`: were controls used evenly, did they stand anywhere in a suite, and who was compared with whom?

use super::{Audited, Subject};
use crate::{
    Result,
    curves::{Cell, Picture, Sheet},
    pool::disk::read_suites,
    problem,
    report::{
        chart::{Axis, Bar, Bars, Bins, Chart, Histogram, Mark, MarkKind, Matrix},
        format::{count, number, percent, plural},
    },
    study::Study,
};
use serde_json::json;
use std::collections::BTreeMap;
use veche_analysis::audit::{Evenness, connected_parts, evenness, uniformity};

/// Settings of [`balance`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Balance {
    /// Rows of the picture of who was compared with whom; more annotators are joined into blocks of neighbours.
    pub rows: usize,
}

impl Default for Balance {
    fn default() -> Self {
        Self { rows: 40 }
    }
}

/// How evenly controls, places, items and annotators were used. Errors if there are no votes on the question.
pub fn balance(subject: &Subject<'_>, settings: &Balance) -> Result<Audited> {
    let (study, question) = (subject.study, subject.question);
    let votes: Vec<_> = study
        .votes
        .iter()
        .filter(|v| v.question as usize == question)
        .collect();
    if votes.is_empty() {
        return problem("there are no votes on this question")
            .column(&study.questions[question].name)
            .fail();
    }
    let known = |item: usize| study.truths[question][item].is_some();
    let mut on = vec![0u64; study.items.len()];
    let mut by = vec![0u64; study.annotators.len()];
    for v in &votes {
        on[v.item as usize] += 1;
        by[v.annotator as usize] += 1;
    }
    // Of a campaign controls that nobody met count too; of a plain table only what stands in it.
    let whole = study.pool.is_some();
    let counted = |control: bool| -> Vec<u64> {
        (0..on.len())
            .filter(|&i| known(i) == control && (whole || on[i] > 0))
            .map(|i| on[i])
            .collect()
    };
    let (controls, items) = (evenness(&counted(true)), evenness(&counted(false)));
    let answered: Vec<u64> = by.iter().copied().filter(|n| *n > 0).collect();
    let people = evenness(&answered);
    let mut words = Vec::new();
    if let Some(c) = &controls {
        words.push(format!("Controls were used {}.", use_words(c)));
    }
    let places = positions(study, &known)?;
    let p_places = places.as_ref().map(|p| uniformity(p));
    if let (Some(places), Some(p)) = (&places, p_places) {
        let n: u64 = places.iter().sum();
        words.push(if p < 0.01 {
            format!(
                "The place of controls in a suite is not even: {} controls in suites of {} (p {}). Who sees where controls stand can guess them.",
                count(n),
                places.len(),
                if p < 0.001 { "< 0.001".to_owned() } else { format!("= {}", number(p, 3)) }
            )
        } else {
            format!(
                "Controls stand anywhere in a suite: {} controls in suites of {}, no place is preferred (p = {}).",
                count(n),
                places.len(),
                number(p, 2)
            )
        });
    } else {
        words.push(
            "Places in a suite are not known: votes do not say to which assignment they belong."
                .into(),
        );
    }
    if let Some(i) = &items {
        words.push(format!(
            "{} have {}.",
            plural(i.things as u64, "real item", "real items"),
            votes_words(i)
        ));
    }
    if let Some(p) = &people {
        let mut sorted = answered.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let tenth = sorted.len().div_ceil(10);
        let top: u64 = sorted.iter().take(tenth).sum();
        words.push(format!(
            "The busiest tenth of the annotators ({}) gave {} of the votes (Gini {}).",
            tenth,
            percent(top as f64 / p.total as f64),
            number(p.gini, 2)
        ));
    }
    let edges: Vec<(u32, u32)> = votes.iter().map(|v| (v.annotator, v.item)).collect();
    let parts = connected_parts(&edges);
    words.push(if parts.len() > 1 {
        format!(
            "The votes fall into {} parts that share neither an annotator nor an item; the largest has {} of them. Annotators of different parts were never compared on anything.",
            parts.len(),
            percent(parts[0] as f64 / edges.len() as f64)
        )
    } else {
        "All votes hang together: every annotator can be compared with every other, if only through others.".into()
    });
    let met = Meetings::of(&edges, study.annotators.len());
    words.push(format!(
        "Of all pairs of annotators {} have an item in common; those have {} on average, at most {}.",
        percent(met.share()),
        number(met.mean(), 1),
        count(u64::from(met.most()))
    ));

    let mut sheets = Vec::new();
    let mut uses = Sheet::new("items", &["item", "control", "votes"]);
    for i in (0..on.len()).filter(|&i| whole || on[i] > 0) {
        uses.row(vec![
            Cell::Text(study.items[i].clone()),
            Cell::Flag(known(i)),
            (on[i] as usize).into(),
        ]);
    }
    sheets.push(uses);
    let mut pictures = Vec::new();
    let uses = counted(true);
    if let Some(c) = &controls {
        let bins = if c.most - c.least < 40 {
            Bins::whole(uses.iter().copied())
        } else {
            Bins::nice(&uses.iter().map(|v| *v as f64).collect::<Vec<_>>(), 30)
        };
        pictures.push(Picture {
            file: "balance-controls.svg".into(),
            chart: Chart::Histogram(Histogram::one(
                "How often each control was used",
                Axis::new("answers", ""),
                "controls",
                bins,
                vec![Mark::new("mean", c.mean, MarkKind::Mean)],
            )),
        });
    }
    if let Some(places) = &places {
        let mut sheet = Sheet::new("places", &["place", "controls"]);
        for (place, n) in places.iter().enumerate() {
            sheet.row(vec![(place + 1).into(), (*n as usize).into()]);
        }
        sheets.push(sheet);
        pictures.push(Picture {
            file: "balance-places.svg".into(),
            chart: Chart::Bars(Bars {
                title: "Where controls stand in a suite".into(),
                counted: "controls".into(),
                parts: vec!["controls".into()],
                bars: places
                    .iter()
                    .enumerate()
                    .map(|(place, n)| Bar {
                        name: format!("place {}", place + 1),
                        parts: vec![*n],
                        chosen: false,
                    })
                    .collect(),
            }),
        });
    }
    if study.annotators.len() > 1 {
        pictures.push(Picture {
            file: "balance-pairs.svg".into(),
            chart: Chart::Matrix(met.matrix(&study.annotators, &by, settings.rows)),
        });
    }
    Ok(Audited {
        facts: json!({"controls": controls, "items": items, "annotators": people, "places": places, "places_p": p_places, "parts": parts.len(),
            "pairs_met_share": met.share(), "common_mean": met.mean(), "common_most": met.most()}),
        words,
        sheets,
        pictures,
    })
}

fn use_words(e: &Evenness) -> String {
    let how = if e.most - e.least <= 1 {
        "exactly evenly".to_owned()
    } else if e.p > 0.99 {
        "more evenly than chance would".to_owned()
    } else if e.p < 0.01 {
        format!("unevenly (Gini {})", number(e.gini, 2))
    } else {
        "about as evenly as chance would".to_owned()
    };
    format!(
        "{how}: {} of {}",
        votes_words(e),
        plural(e.things as u64, "control", "controls")
    )
}

fn votes_words(e: &Evenness) -> String {
    if e.least == e.most {
        format!("{} votes each", count(e.least))
    } else {
        format!(
            "{} to {} votes each, {} on average",
            count(e.least),
            count(e.most),
            number(e.mean, 1)
        )
    }
}

/// How many controls stood at each place of a suite, over the suites of the commonest length: as the pool laid them out, else in the order
/// of an assignment's rows. `None` if neither is known, or no such suite has a control.
fn positions(study: &Study, known: &dyn Fn(usize) -> bool) -> Result<Option<Vec<u64>>> {
    let mut suites: Vec<Vec<bool>> = Vec::new();
    if let Some(project) = &study.project
        && let Some(stored) = read_suites(&project.pool_dir())?
    {
        for s in 0..stored.len() {
            suites.push(stored.suite(s).iter().map(|t| known(*t as usize)).collect());
        }
    } else {
        let mut of: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for v in &study.votes {
            if let Some(assignment) = v.assignment {
                let suite = of.entry(assignment).or_default();
                if !suite.contains(&v.item) {
                    suite.push(v.item);
                }
            }
        }
        suites.extend(
            of.into_values()
                .map(|s| s.iter().map(|i| known(*i as usize)).collect::<Vec<bool>>()),
        );
    }
    let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
    for s in suites.iter().filter(|s| s.len() > 1) {
        *lengths.entry(s.len()).or_default() += 1;
    }
    let Some((&length, _)) = lengths.iter().max_by_key(|(length, n)| (**n, **length)) else {
        return Ok(None);
    };
    let mut places = vec![0; length];
    for suite in suites.iter().filter(|s| s.len() == length) {
        for (place, _) in suite.iter().enumerate().filter(|p| *p.1) {
            places[place] += 1;
        }
    }
    Ok((places.iter().sum::<u64>() > 0).then_some(places))
}

/// Items that each pair of annotators has in common.
struct Meetings {
    n: usize,
    /// First, second, items; first below second.
    pairs: Vec<(u32, u32, u32)>,
}

impl Meetings {
    fn of(edges: &[(u32, u32)], n: usize) -> Self {
        let mut sorted: Vec<(u32, u32)> = edges.iter().map(|e| (e.1, e.0)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut of: Vec<Vec<u32>> = vec![Vec::new(); n];
        let mut on: BTreeMap<u32, &[(u32, u32)]> = BTreeMap::new();
        for votes in sorted.chunk_by(|a, b| a.0 == b.0) {
            on.insert(votes[0].0, votes);
            votes.iter().for_each(|v| of[v.1 as usize].push(v.0));
        }
        let mut pairs = Vec::new();
        let mut counts = vec![0u32; n];
        for (a, items) in of.iter().enumerate() {
            counts.fill(0);
            for item in items {
                on[item].iter().for_each(|v| counts[v.1 as usize] += 1);
            }
            let met = counts.iter().enumerate().skip(a + 1).filter(|c| *c.1 > 0);
            pairs.extend(met.map(|(b, c)| (a as u32, b as u32, *c)));
        }
        Self { n, pairs }
    }

    fn share(&self) -> f64 {
        let all = self.n as f64 * (self.n as f64 - 1.0) / 2.0;
        if all > 0.0 {
            self.pairs.len() as f64 / all
        } else {
            0.0
        }
    }

    fn mean(&self) -> f64 {
        let sum: f64 = self.pairs.iter().map(|p| f64::from(p.2)).sum();
        if self.pairs.is_empty() {
            0.0
        } else {
            sum / self.pairs.len() as f64
        }
    }

    fn most(&self) -> u32 {
        self.pairs.iter().map(|p| p.2).max().unwrap_or(0)
    }

    /// The busiest first; more annotators than rows are joined, and a cell is then the mean of its pairs.
    fn matrix(&self, names: &[String], by: &[u64], rows: usize) -> Matrix {
        let mut order: Vec<usize> = (0..self.n).collect();
        order.sort_by(|&a, &b| by[b].cmp(&by[a]).then(names[a].cmp(&names[b])));
        let rows = rows.clamp(2, 80).min(self.n);
        let mut block = vec![0; self.n];
        let mut members = vec![Vec::new(); rows];
        for (place, &who) in order.iter().enumerate() {
            let at = place * rows / self.n;
            block[who] = at;
            members[at].push(who);
        }
        let mut sums = vec![vec![0.0; rows]; rows];
        for &(a, b, n) in &self.pairs {
            let (i, j) = (block[a as usize], block[b as usize]);
            sums[i][j] += f64::from(n);
            sums[j][i] += f64::from(n);
        }
        for i in 0..rows {
            for j in 0..rows {
                let (a, b) = (members[i].len() as f64, members[j].len() as f64);
                // Within a block every pair was added twice.
                let pairs = if i == j { a * (a - 1.0) } else { a * b };
                sums[i][j] = if pairs > 0.0 {
                    (10.0 * sums[i][j] / pairs).round() / 10.0
                } else {
                    f64::NAN
                };
            }
        }
        let name = |m: &Vec<usize>| match m.as_slice() {
            [one] => names[*one].clone(),
            [first, .., last] => format!("{} … {}", names[*first], names[*last]),
            [] => String::new(),
        };
        let joined = rows < self.n;
        Matrix {
            title: if joined {
                "Who was compared with whom: annotators in blocks, the busiest first".into()
            } else {
                "Who was compared with whom: annotators, the busiest first".into()
            },
            counted: if joined {
                "common items, mean".into()
            } else {
                "common items".into()
            },
            names: members.iter().map(name).collect(),
            cells: sums,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meetings_are_common_items_each_counted_once() {
        // Items 0 and 1: a, b; item 2: c.
        let met = Meetings::of(&[(0, 0), (1, 0), (0, 1), (1, 1), (2, 2), (0, 0)], 3);
        assert_eq!(met.pairs, [(0, 1, 2)]);
        assert!((met.share() - 1.0 / 3.0).abs() < 1e-12);
        let names = ["a", "b", "c"].map(str::to_owned);
        let matrix = met.matrix(&names, &[2, 2, 1], 40);
        assert_eq!(matrix.names, names);
        assert!(matrix.cells[0][0].is_nan());
        assert_eq!(
            (matrix.cells[0][1], matrix.cells[1][0], matrix.cells[0][2]),
            (2.0, 2.0, 0.0)
        );
    }
}
