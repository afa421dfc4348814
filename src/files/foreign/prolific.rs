//! The export of submissions that Prolific gives for a study: who took part, with which result, how old they are. The answers
//! themselves are collected elsewhere, with Prolific's participant id as the annotator.

use crate::{
    Result,
    files::{Skipped, Table, VoteMapping, rows::Rows, write_atomically},
};
use std::{collections::BTreeMap, path::Path};

/// One participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// What became of the submission: `APPROVED`, `RETURNED` and so on.
    pub status: String,
    /// Whether the answers count.
    pub counts: bool,
    /// Age in years, where the participant shares it.
    pub age: Option<u32>,
    /// Sex, as Prolific has it, in small letters.
    pub sex: Option<String>,
}

/// Participants by their id.
pub type Participants = BTreeMap<String, Participant>;

/// Statuses whose answers count unless the campaign says otherwise.
const ACCEPTED: [&str; 3] = ["APPROVED", "AWAITING REVIEW", "PARTIALLY APPROVED"];
const REFUSED: [&str; 7] = [
    "REJECTED",
    "RETURNED",
    "TIMED-OUT",
    "TIMED OUT",
    "ACTIVE",
    "RESERVED",
    "SCREENED OUT",
];

/// Reads the export, also in its older form with columns such as `participant_id`. `accept` replaces the list of statuses that
/// count. A participant listed again counts if any of the submissions does. Ages that were withdrawn (`CONSENT_REVOKED`,
/// `DATA_EXPIRED`) are unknown. Errors: no such columns, an unknown status, an age that is none.
pub fn read(
    path: &Path,
    accept: Option<&Vec<String>>,
    skipped: &mut Skipped,
) -> Result<Participants> {
    let table = Table::read_skipping(path, skipped)?;
    let id = table.column_of(&["Participant id", "participant_id", "PROLIFIC_PID"])?;
    let status = table.column_of(&["Status", "status"])?;
    let age = ["Age", "age"].iter().find_map(|name| table.find(name));
    let sex = ["Sex", "sex"].iter().find_map(|name| table.find(name));
    let mapping = VoteMapping {
        accept: accept.cloned(),
        ..VoteMapping::default()
    };
    let mut all = Participants::new();
    for row in table.rows() {
        let read = || -> Result<(String, Participant)> {
            let who = row
                .text(id)
                .ok_or_else(|| row.problem(id, "no participant"))?;
            let word = row.get(status).trim().to_uppercase().replace('_', " ");
            let known = ACCEPTED.iter().chain(&REFUSED).any(|w| *w == word);
            let counts = match accept {
                Some(_) => mapping
                    .accepts(row.get(status).trim())
                    .or(known.then_some(false)),
                None => known.then(|| ACCEPTED.contains(&word.as_str())),
            };
            let Some(counts) = counts else {
                return row
                    .problem(status, "unknown status of a submission")
                    .hint("say which statuses count: accept = [\"APPROVED\", …] under [votes] in campaign.toml")
                    .fail();
            };
            // Withdrawn data are words in capitals.
            let told = |column: Option<usize>| {
                let text = column.and_then(|c| row.text(c))?;
                let withdrawn = text.contains("REVOKED") || text.contains("EXPIRED");
                (!withdrawn && !text.eq_ignore_ascii_case("prefer not to say")).then_some(text)
            };
            let age = match (age, told(age)) {
                (Some(column), Some(text)) => match text.parse::<u32>() {
                    Ok(years) if (1..=120).contains(&years) => Some(years),
                    _ => return row.problem(column, "is not an age in years").fail(),
                },
                _ => None,
            };
            let participant = Participant {
                status: word,
                counts,
                age,
                sex: told(sex).map(str::to_lowercase),
            };
            Ok((who.to_owned(), participant))
        };
        match read() {
            Ok((who, participant)) => {
                let stays = all
                    .get(&who)
                    .is_some_and(|p| p.counts && !participant.counts);
                if !stays {
                    all.insert(who, participant);
                }
            }
            Err(problem) => skipped.take(problem)?,
        }
    }
    Ok(all)
}

/// Writes `annotator,age,sex,status`, the table that audits by annotators' age read.
pub fn write_annotators(path: &Path, participants: &Participants) -> Result<()> {
    write_atomically(path, |w| {
        let mut rows = Rows::new(w, b',', false);
        rows.cells(["annotator", "age", "sex", "status"])?;
        rows.end()?;
        for (who, p) in participants {
            let age = p.age.map(|a| a.to_string()).unwrap_or_default();
            rows.cells([who, &age, p.sex.as_deref().unwrap_or_default(), &p.status])?;
            rows.end()?;
        }
        Ok(())
    })
}
