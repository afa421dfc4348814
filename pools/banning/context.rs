//! What rules need to know beside the history: the campaign's questions and the tables of the sequential test.

use super::{Peers, Tables};
use crate::Question;
use std::sync::Arc;

/// The questions of a campaign, with the tables of the sequential test for each, and what all annotators answered where a rule
/// compares with that.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    questions: Vec<Question>,
    tables: Vec<Tables>,
    peers: Option<Arc<Peers>>,
}

impl Context {
    /// With the shipped tables for every question.
    pub fn new(questions: Vec<Question>) -> Self {
        let tables = questions
            .iter()
            .map(|q| Tables::shipped(&q.scale))
            .collect();
        Self {
            questions,
            tables,
            peers: None,
        }
    }

    /// The same with what all annotators answered, for the rules that need it ([`super::RuleName::needs_peers`]).
    #[must_use]
    pub fn with_peers(mut self, peers: Peers) -> Self {
        self.peers = Some(Arc::new(peers));
        self
    }

    /// What all annotators answered, if anything was computed from it.
    pub fn peers(&self) -> Option<&Peers> {
        self.peers.as_deref()
    }

    /// The same with other tables for one question, such as those estimated from the campaign's own controls. An index
    /// that does not exist changes nothing.
    #[must_use]
    pub fn with_tables(mut self, question: u32, tables: Tables) -> Self {
        if let Some(place) = self.tables.get_mut(question as usize) {
            *place = tables;
        }
        self
    }

    /// The campaign's questions, by index.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The tables of a question.
    pub fn tables(&self, question: u32) -> Option<&Tables> {
        self.tables.get(question as usize)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{ChoiceScale, NumberScale, Scale};

    /// The age and sex recipe.
    pub(in crate::banning) fn age_and_sex() -> Vec<Question> {
        let question = |name: &str, scale| Question {
            name: name.into(),
            prompt: format!("Which {name}?"),
            scale,
        };
        vec![
            question(
                "age",
                Scale::Number(NumberScale {
                    min: 0.0,
                    max: 120.0,
                    unit: "years".into(),
                    integer: true,
                }),
            ),
            question(
                "sex",
                Scale::Choice(ChoiceScale {
                    labels: vec!["female".into(), "male".into()],
                }),
            ),
        ]
    }

    #[test]
    fn other_tables_replace_those_of_their_question_only() {
        let context = Context::new(age_and_sex());
        let mut other = Tables::shipped(&context.questions()[0].scale);
        other.honest.reverse();
        let changed = context.clone().with_tables(0, other.clone());
        assert_eq!(changed.tables(0), Some(&other));
        assert_eq!(changed.tables(1), context.tables(1));
        assert_eq!(context.clone().with_tables(9, other), context);
    }
}
