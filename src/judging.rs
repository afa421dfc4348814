//! Verdicts that may compare annotators with each other: who answers without looking, who copies.

use crate::{Result, study::Study};
use veche_pools::banning::{Context, History, Peers, Rule, Verdict, decide};

impl Study {
    /// Histories by annotator, and the context in which these rules judge them: tables of the sequential test as
    /// [`Study::context`] has them, and the answers of all where a rule compares annotators.
    pub fn judging(&self, rules: &[Rule]) -> Result<(Vec<History>, Context)> {
        let context = self.context(rules)?;
        let histories = self.histories().into_iter().zip(0u32..);
        let histories: Vec<History> = histories.map(|(h, who)| h.by(who)).collect();
        if !rules.iter().any(|r| r.name().needs_peers()) {
            return Ok((histories, context));
        }
        let peers = Peers::of(&histories, &self.truths, rules, &context)?;
        Ok((histories, context.with_peers(peers)))
    }

    /// The verdict of these rules on every annotator. Unlike [`Study::verdicts`] it knows the rules that compare annotators.
    pub fn judge(&self, rules: &[Rule]) -> Result<Vec<Verdict>> {
        if !rules.iter().any(|r| r.name().needs_peers()) {
            return self.verdicts(rules);
        }
        let (histories, context) = self.judging(rules)?;
        let mut verdicts = Vec::with_capacity(histories.len());
        for history in &histories {
            verdicts.push(decide(rules, history, &context)?);
        }
        Ok(verdicts)
    }
}
