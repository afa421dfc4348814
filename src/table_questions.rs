//! What a plain table of votes asks, found from its answers, and the order in which annotators answered.

use crate::files::FileAnswer;
use crate::{Result, files::VotesRead, problem, study::Cast};
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};
use veche_pools::{ChoiceScale, NumberScale, Question, Scale};

/// The questions of a plain table: the scale is the range of the answers, or the set of labels.
pub(crate) fn questions_of(read: &VotesRead, path: &Path) -> Result<Vec<Question>> {
    let n = read.votes.questions().len();
    let mut numbers: Vec<Option<(f64, f64)>> = vec![None; n];
    let mut labels: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); n];
    let votes = (0..read.votes.len()).map(|i| (read.votes.indices(i).2, read.votes.vote(i).answer));
    for (question, answer) in votes.chain(read.votes.truths().map(|(_, q, a)| (q, a))) {
        match answer {
            FileAnswer::Number(v) => {
                let (low, high) = numbers[question as usize].unwrap_or((v, v));
                numbers[question as usize] = Some((low.min(v), high.max(v)));
            }
            FileAnswer::Choice(label) => {
                labels[question as usize].insert(label);
            }
            FileAnswer::Unsure => {}
        }
    }
    let mut questions = Vec::new();
    for (q, name) in read.votes.questions().iter().enumerate() {
        let scale = match (numbers[q], labels[q].is_empty()) {
            (Some((low, high)), true) => {
                // A range of its own width 0 (all answers equal) is still a range.
                let max = if high > low { high } else { low + 1.0 };
                Scale::Number(NumberScale {
                    min: low,
                    max,
                    unit: String::new(),
                    integer: false,
                })
            }
            (None, false) => {
                let labels = labels[q].iter().map(|l| (*l).to_owned()).collect();
                let (labels, _) = ordered(labels);
                Scale::Choice(ChoiceScale { labels })
            }
            (None, true) => {
                return problem("nobody answered anything")
                    .file(path)
                    .column(name)
                    .fail();
            }
            (Some(_), false) => {
                return problem("some answers are numbers and some are labels")
                    .file(path)
                    .column(name)
                    .hint("say which with --scale number or --scale choice")
                    .fail();
            }
        };
        questions.push(Question {
            name: name.to_owned(),
            prompt: name.to_owned(),
            scale,
        });
    }
    Ok(questions)
}

/// Labels in the order in which they are numbered: by value if all are numbers, else as words; and the place of each of the
/// given ones in it.
pub(crate) fn ordered(labels: Vec<String>) -> (Vec<String>, Vec<u32>) {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&a, &b| labels[a].cmp(&labels[b]));
    if labels.iter().all(|l| l.parse::<f64>().is_ok()) {
        let value = |at: usize| labels[at].parse::<f64>().unwrap_or(0.0);
        order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
    }
    let mut places = vec![0; labels.len()];
    for (place, &at) in order.iter().enumerate() {
        places[at] = place as u32;
    }
    let mut labels = labels;
    let labels = order
        .into_iter()
        .map(|at| std::mem::take(&mut labels[at]))
        .collect();
    (labels, places)
}

/// Numbers each annotator's tasks in the order they were answered: by time where all their votes have one, else as the
/// rows stand. Answers to several questions about one task share a number.
pub(crate) fn number_sequences(votes: &mut [Cast], n_annotators: usize) {
    let mut of: Vec<Vec<u32>> = vec![Vec::new(); n_annotators];
    for (row, vote) in votes.iter().enumerate() {
        of[vote.annotator as usize].push(row as u32);
    }
    for rows in &mut of {
        if rows.iter().all(|&r| votes[r as usize].submitted.is_some()) {
            rows.sort_by_key(|&r| (votes[r as usize].submitted, r));
        }
        let mut seen: HashMap<u32, u32> = HashMap::with_capacity(rows.len());
        for &row in rows.iter() {
            let next = seen.len() as u32;
            let vote = &mut votes[row as usize];
            vote.sequence = *seen.entry(vote.item).or_insert(next);
        }
    }
}
