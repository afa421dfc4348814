//! All sides on the same items.

use crate::{
    Result,
    cmd::{note, warn},
    files::{
        Skipped,
        guesses::Guesses,
        predictions::{Predictions, sex_word},
    },
    labels::{Counting, Labels, Method, labels},
    problem,
    study::Study,
};
use std::path::{Path, PathBuf};
use veche_analysis::{
    NumberVotes,
    aggregation::{BakeoffSettings, NumberMethod, NumberSettings},
    curves::{Answers, cross_fitted_labels},
};
use veche_pools::Scale;

/// Known answers and what every side says, in step by item.
#[derive(Debug, Clone)]
pub struct Field {
    /// What was read, for titles.
    pub title: String,
    /// What the number is: `age`.
    pub quantity: String,
    /// Its unit: `years`; may be empty.
    pub unit: String,
    /// Names of the items.
    pub items: Vec<String>,
    /// Known numbers.
    pub truth: Vec<Option<f64>>,
    /// Known classes, where the table has no number.
    pub class: Vec<Option<String>>,
    /// Known sexes.
    pub sex: Vec<Option<String>>,
    /// The sides, people first.
    pub sides: Vec<FieldSide>,
    /// Votes, for what more of them would have bought.
    pub votes: Option<(NumberVotes, NumberMethod, NumberSettings)>,
    /// Files read.
    pub sources: Vec<PathBuf>,
    /// Whether any vote is simulated.
    pub simulated: bool,
}

/// One side.
#[derive(Debug, Clone)]
pub struct FieldSide {
    /// Its name in tables and pictures.
    pub name: String,
    /// What it is.
    pub kind: SideKind,
    /// Its answers.
    pub answers: Answers,
    /// The share of its answers on sex that are right, by item, where both are known.
    pub sex_right: Option<Vec<Option<f64>>>,
}

/// What a side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SideKind {
    /// Single answers of people.
    People,
    /// What is made of many answers.
    Label,
    /// A network, or anything with one prediction per item.
    Network,
}

/// Whether a column or question of this name holds ages.
pub fn age_like(name: &str) -> bool {
    name.to_lowercase()
        .split(|c: char| !c.is_alphabetic())
        .any(|word| word == "age" || word == "ages")
}

/// Title of a file.
fn title(path: &Path) -> String {
    path.file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

impl Field {
    /// A study's single votes and its label by `method`, made without any item's own truth. Names of sexes come from the question
    /// `sex` or `gender` of a campaign.
    pub fn of_study(
        study: &Study,
        question: usize,
        method: Option<&str>,
        settings: NumberSettings,
        counting: Counting<'_>,
        seed: u64,
    ) -> Result<Self> {
        let asked = &study.questions[question];
        let Scale::Number(scale) = &asked.scale else {
            return problem("curves are of numbers, and this question is a choice")
                .value(&asked.name)
                .hint("name a question of numbers with --question")
                .fail();
        };
        let Method::Number(method, settings) = Method::of(study, question, method, settings)?
        else {
            return problem("the method is not one for numbers").fail();
        };
        let votes = study.number_votes(question, |vote| counting.counts(vote))?;
        let truth = study.true_numbers(question);
        let bakeoff = BakeoffSettings {
            seed,
            ..BakeoffSettings::default()
        };
        let (estimates, _) = cross_fitted_labels(&votes, &truth, method, &settings, &bakeoff)?;
        let mut label: Vec<Option<f64>> = estimates.iter().map(|e| e.map(|e| e.value)).collect();
        if study.project.is_some() {
            // As in `veche aggregate`: nobody is younger than 0.
            label
                .iter_mut()
                .flatten()
                .for_each(|v| *v = v.clamp(scale.min, scale.max));
        }
        let mut field = Self {
            title: study.title.clone(),
            quantity: asked.name.clone(),
            unit: scale.unit.clone(),
            items: study.items.clone(),
            class: vec![None; truth.len()],
            sex: vec![None; truth.len()],
            sides: Vec::new(),
            votes: Some((votes.clone(), method, settings)),
            sources: study.sources.clone(),
            simulated: study.simulated,
            truth,
        };
        let [people, made] = field.sexes_of_study(study, counting)?;
        field.sides.push(FieldSide {
            name: "people, one vote".into(),
            kind: SideKind::People,
            answers: Answers::Votes(votes),
            sex_right: people,
        });
        field.sides.push(FieldSide {
            name: format!("people, label ({})", method.name()),
            kind: SideKind::Label,
            answers: Answers::Estimates(label),
            sex_right: made,
        });
        Ok(field)
    }

    /// Known sexes of a study, and the share of right answers of single votes and of the label.
    fn sexes_of_study(
        &mut self,
        study: &Study,
        counting: Counting<'_>,
    ) -> Result<[Option<Vec<Option<f64>>>; 2]> {
        let found = study.questions.iter().position(|q| {
            matches!(q.scale, Scale::Choice(_))
                && ["sex", "gender"].contains(&q.name.to_lowercase().as_str())
        });
        let Some(question) = found else {
            return Ok([None, None]);
        };
        let Scale::Choice(scale) = &study.questions[question].scale else {
            return Ok([None, None]);
        };
        let truth = study.true_choices(question);
        if truth.iter().all(Option::is_none) {
            return Ok([None, None]);
        }
        self.sex = truth
            .iter()
            .map(|t| {
                t.and_then(|t| scale.labels.get(t as usize))
                    .map(|l| sex_word(l))
            })
            .collect();
        let votes = study.choice_votes(question, |vote| counting.counts(vote))?;
        let people = (0..truth.len())
            .map(|item| {
                let (truth, answers) = (truth[item]?, votes.item(item).1);
                let right = answers.iter().filter(|a| **a == truth).count();
                (!answers.is_empty()).then(|| right as f64 / answers.len() as f64)
            })
            .collect();
        let method = Method::of(study, question, None, crate::labels::settings(study))?;
        let made = match labels(study, question, method, counting)? {
            Labels::Choices(result) => {
                let right =
                    |i: usize| Some(f64::from(u8::from(result.estimates[i]?.label == truth[i]?)));
                Some((0..truth.len()).map(right).collect())
            }
            Labels::Numbers(_) => None,
        };
        Ok([Some(people), made])
    }

    /// A table of mean guesses (a single guess, where the standard deviation is known, and their mean), or of known answers only.
    pub fn of_guesses(guesses: &Guesses, path: &Path) -> Self {
        let mut sides = Vec::new();
        if guesses.has_guesses() {
            if guesses.sd.iter().any(Option::is_some) {
                let normal = guesses
                    .guess
                    .iter()
                    .zip(&guesses.sd)
                    .map(|(m, s)| Some(((*m)?, (*s)?)));
                sides.push(FieldSide {
                    name: "people, one guess".into(),
                    kind: SideKind::People,
                    answers: Answers::Normal(normal.collect()),
                    sex_right: None,
                });
            }
            sides.push(FieldSide {
                name: "people, mean guess".into(),
                kind: SideKind::Label,
                answers: Answers::Estimates(guesses.guess.clone()),
                sex_right: None,
            });
        }
        let age = age_like(&guesses.truth_name.replace('_', " "));
        Self {
            title: title(path),
            quantity: if age { "age" } else { "answer" }.into(),
            unit: if age { "years" } else { "" }.into(),
            items: guesses.items.iter().map(str::to_owned).collect(),
            truth: guesses.truth.clone(),
            class: guesses.class.clone(),
            sex: guesses.sex.clone(),
            sides,
            votes: None,
            sources: vec![path.to_owned()],
            simulated: false,
        }
    }

    /// Takes known sexes (and classes) from a table of known answers.
    pub fn add_known(&mut self, known: &Guesses) {
        for (item, name) in self.items.iter().enumerate() {
            if let Some(row) = known.items.find(name) {
                let row = row as usize;
                if self.sex[item].is_none() {
                    self.sex[item].clone_from(&known.sex[row]);
                }
                if self.truth[item].is_none() {
                    self.class[item].clone_from(&known.class[row]);
                }
            }
        }
    }

    /// Adds a network, or several if it is to be split by what it saw. Says what could not be matched.
    pub fn add_predictions(
        &mut self,
        name: &str,
        predictions: &Predictions,
        split: bool,
    ) -> Result<()> {
        if self.sides.iter().any(|s| s.name == name) {
            return problem("two sides have the same name")
                .value(name)
                .hint("give each its own: --predictions NAME=FILE")
                .fail();
        }
        let matched = predictions.matched(&self.items)?;
        if matched.by_file_name {
            note(&format!(
                "{name}: items are matched by the names of their files, without folders and endings"
            ));
        }
        if matched.unknown > 0 {
            warn(&format!(
                "{name}: {} predictions left out: their items are not among those of {}",
                matched.unknown, self.title
            ));
        }
        let row = |item: usize| matched.of_item[item].map(|p| &predictions.rows[p as usize]);
        let right = |item: usize| -> Option<f64> {
            let said = row(item)?.sex.as_ref()?;
            Some(f64::from(u8::from(said == self.sex[item].as_ref()?)))
        };
        let n = self.items.len();
        let rights: Vec<Option<f64>> = (0..n).map(right).collect();
        if rights.iter().flatten().next().is_some() && rights.iter().flatten().all(|r| *r == 0.0) {
            warn(&format!(
                "{name}: not one sex agrees with the known one; are they called differently? female, F, male and M are understood"
            ));
        }
        let parts: [(&str, Option<(bool, bool)>); 4] = [
            ("", None),
            (", face and body", Some((true, true))),
            (", face only", Some((true, false))),
            (", body only", Some((false, true))),
        ];
        for (ending, seen) in parts {
            let belongs = |item: usize| {
                let row = row(item)?;
                let saw = (
                    row.face_used.unwrap_or(false),
                    row.body_used.unwrap_or(false),
                );
                seen.is_none_or(|s| s == saw).then_some(row)
            };
            let numbers: Vec<Option<f64>> = (0..n).map(|i| belongs(i)?.number).collect();
            if seen.is_some() && (!split || numbers.iter().all(Option::is_none)) {
                continue;
            }
            let rights: Vec<Option<f64>> = (0..n).map(|i| belongs(i).and(rights[i])).collect();
            self.sides.push(FieldSide {
                name: format!("{name}{ending}"),
                kind: SideKind::Network,
                answers: Answers::Estimates(numbers),
                sex_right: rights.iter().any(Option::is_some).then_some(rights),
            });
        }
        // What a network said a moment ago stands in no file.
        if predictions.path.is_file() {
            self.sources.push(predictions.path.clone());
        }
        Ok(())
    }

    /// Says on stderr which bad rows were left out.
    pub fn say_skipped(skipped: &Skipped) {
        if !skipped.is_empty() {
            warn(&skipped.to_string());
        }
    }
}
