//! Every audit that the data allow, as a chapter of the page.

use super::grid;
use crate::{
    audit::{Audit, Audited, Subject},
    curves::slug,
    report::{Chapter, Drawing, Made, Passage},
    study::Study,
};
use veche_pools::banning::Verdict;

/// The audits of one question. What the data do not allow is named with the reason.
pub(super) fn chapter(
    study: &Study,
    question: usize,
    verdicts: &[Verdict],
    made: &dyn Fn(&str) -> Made,
) -> Chapter {
    let asked = &study.questions[question].name;
    let mut passages = Vec::new();
    let mut impossible = Vec::new();
    let subject = Subject {
        study,
        question,
        verdicts,
    };
    for audit in Audit::usual(study) {
        let heading = audit.heading();
        match audit.of(&subject) {
            Ok(found) => passages.push(passage(audit.name(), heading, asked, found, made)),
            Err(problem) => impossible.push(format!("{heading}: {}.", problem.what)),
        }
    }
    if !impossible.is_empty() {
        passages.push(Passage {
            heading: "What these data do not tell".into(),
            text: impossible,
            made: made("veche report"),
            ..Passage::default()
        });
    }
    Chapter {
        id: format!("audits-{}", slug(asked)),
        heading: format!("Audits: {asked}"),
        intro: "What the votes say about those who gave them.".into(),
        passages,
    }
}

fn passage(
    name: &str,
    heading: &str,
    asked: &str,
    found: Audited,
    made: &dyn Fn(&str) -> Made,
) -> Passage {
    Passage {
        heading: heading.into(),
        text: found.words,
        drawings: found
            .pictures
            .into_iter()
            .map(|picture| Drawing {
                file: format!(
                    "audit-{}-{}",
                    slug(asked),
                    picture.file.trim_end_matches(".svg")
                ),
                chart: picture.chart,
            })
            .collect(),
        photos: Vec::new(),
        grids: found
            .sheets
            .iter()
            .filter(|s| !s.is_empty())
            .map(|s| {
                grid::behind(
                    s,
                    &format!("{heading}, {asked}: {}", s.name.replace('_', " ")),
                )
            })
            .collect(),
        made: made(&format!("veche audit {name} --question {asked}")),
    }
}
