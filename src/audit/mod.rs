//! Audits of a study: statistics from [`veche_analysis::audit`], turned into sentences, tables and pictures.
//!
//! All have one shape: [`Audit::of`] takes a [`Subject`] and gives an [`Audited`]. The command `veche audit` writes it to a folder, the
//! report shows it.

mod annotators;
mod balance;
mod by_age;
mod collusion;
mod controls;
mod drift;
mod imbalance;
mod leak;
mod people;
mod self_knowledge;
mod speed;
mod thumbnail;

pub use annotators::annotators;
pub use balance::{Balance, balance};
pub use by_age::{ByAge, by_age};
pub use collusion::collusion;
pub use controls::{Controls, controls};
pub use drift::drift;
pub use imbalance::{LabelsOf, imbalance};
pub use leak::{Leak, leak, read_famous};
pub use people::{About, PEOPLE, middles, own_people, parse_band, read_people};
pub use self_knowledge::{Poll, SelfKnowledge, poll, self_knowledge};
pub use speed::{Speed, speed};

use crate::{
    Result,
    curves::{Picture, Sheet},
    study::Study,
};
use serde_json::Value;
use veche_analysis::audit::{CollusionSettings, DriftSettings, Resampling};
use veche_pools::{
    banning::Verdict,
    controls::{Judgement, judge},
};

/// One audit's result.
#[derive(Debug, Clone)]
pub struct Audited {
    /// Sentences, the most important first.
    pub words: Vec<String>,
    /// Tables.
    pub sheets: Vec<Sheet>,
    /// Pictures: name of the file and chart; the chart has the title and draws itself as SVG.
    pub pictures: Vec<Picture>,
    /// All figures, as `--json` prints them.
    pub facts: Value,
}

/// Whose votes are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The votes.
    pub study: &'a Study,
    /// Index of the question.
    pub question: usize,
    /// The verdict on every annotator.
    pub verdicts: &'a [Verdict],
}

/// What to look at, with its settings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Audit {
    /// Errors, habits and agreement of annotators.
    Annotators {
        /// Multiples of this are round answers.
        round: f64,
        /// How intervals are made.
        resampling: Resampling,
    },
    /// The hardest controls, and labels that are probably wrong.
    Controls(Controls),
    /// Error along each annotator's own sequence.
    Drift(DriftSettings),
    /// Error by the annotator's own age.
    ByAge(ByAge),
    /// The error people expect against the one they have.
    SelfKnowledge(SelfKnowledge),
    /// Who answers like whom.
    Collusion(CollusionSettings),
    /// Who hurries, and what it costs.
    Speed(Speed),
    /// How evenly controls, places, items and annotators were used.
    Balance(Balance),
    /// Whether controls were recognised or told.
    Leak(Leak),
}

impl Audit {
    /// All audits that a study may allow, in the order in which a reader wants them, with usual settings. One that the study does not
    /// allow says so when it is made.
    pub fn usual(study: &Study) -> Vec<Self> {
        // A table that cannot be read is an error of `veche audit`, and as good as none here.
        let people = own_people(study).ok().flatten().unwrap_or_default();
        vec![
            Self::Annotators {
                round: 5.0,
                resampling: Resampling::default(),
            },
            Self::Controls(Controls::default()),
            Self::Drift(DriftSettings::default()),
            Self::ByAge(ByAge::of(people.clone())),
            Self::SelfKnowledge(SelfKnowledge::of(people)),
            Self::Speed(Speed::default()),
            Self::Collusion(CollusionSettings::default()),
            Self::Leak(Leak::default()),
            Self::Balance(Balance::default()),
        ]
    }

    /// Its name as a subcommand: `by-age`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Annotators { .. } => "annotators",
            Self::Controls(_) => "controls",
            Self::Drift(_) => "drift",
            Self::ByAge(_) => "by-age",
            Self::SelfKnowledge(_) => "self-knowledge",
            Self::Collusion(_) => "collusion",
            Self::Speed(_) => "speed",
            Self::Balance(_) => "balance",
            Self::Leak(_) => "leak",
        }
    }

    /// Its heading for readers.
    pub fn heading(&self) -> &'static str {
        match self {
            Self::Annotators { .. } => "Annotators and their agreement",
            Self::Controls(_) => "Hard controls and doubtful labels",
            Self::Drift(_) => "Did they learn or tire?",
            Self::ByAge(_) => "Does the annotator's own age matter?",
            Self::SelfKnowledge(_) => "Do they know how far they err?",
            Self::Collusion(_) => "Does anybody copy?",
            Self::Speed(_) => "Who hurries, and what does it cost?",
            Self::Balance(_) => "Were controls and annotators used evenly?",
            Self::Leak(_) => "Were controls recognised?",
        }
    }

    /// Whether it judges by known answers.
    pub fn needs_truth(&self) -> bool {
        !matches!(self, Self::Collusion(_) | Self::Speed(_) | Self::Balance(_))
    }

    /// Looks. Errors say what the votes lack, or which setting is out of range.
    pub fn of(&self, subject: &Subject<'_>) -> Result<Audited> {
        let Subject {
            study,
            question,
            verdicts,
        } = *subject;
        match self {
            Self::Annotators { round, resampling } => {
                annotators(study, question, verdicts, *round, resampling)
            }
            Self::Controls(settings) => controls(subject, settings),
            Self::Drift(settings) => drift(study, question, verdicts, settings),
            Self::ByAge(settings) => by_age(subject, settings),
            Self::SelfKnowledge(settings) => self_knowledge(subject, settings),
            Self::Collusion(settings) => collusion(subject, settings),
            Self::Speed(settings) => speed(subject, settings),
            Self::Balance(settings) => balance(subject, settings),
            Self::Leak(settings) => leak(subject, settings),
        }
    }
}

/// A judged answer of a study.
struct Judged {
    annotator: u32,
    item: u32,
    sequence: u32,
    /// |answer − truth|, or 0 and 1 for right and wrong.
    error: f64,
}

/// Answers to one question whose truth is known, in the order of the votes; unsure ones are no answers.
fn judged(study: &Study, question: usize) -> Vec<Judged> {
    let votes = study
        .votes
        .iter()
        .filter(|v| v.question as usize == question);
    let one = |v: &crate::study::Cast| {
        let judgement: Judgement = judge(v.answer, study.truths[question][v.item as usize])?;
        Some(Judged {
            annotator: v.annotator,
            item: v.item,
            sequence: v.sequence,
            error: judgement.size()?,
        })
    };
    votes.filter_map(one).collect()
}
