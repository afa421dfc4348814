//! Bans: which annotators are shut out, on what evidence, and which of their votes still count.
//!
//! A [`Rule`] turns an annotator's [`History`] into a [`Path`]: a statistic after every control (or every task) beside its
//! boundary. [`decide`] reads the first crossing of any rule as a ban and gives the numbers as [`Evidence`]. A ban never
//! deletes a vote: a [`Policy`] says which votes of a banned annotator count.
//!
//! The rule to prefer is [`Rule::Sequential`], a sequential probability ratio test (Wald 1945): looked at after every
//! control it bans few honest annotators by mistake, which a threshold on the running MAE does not.
//! Two rules look at no truth but at what everybody answered ([`Peers`]): answers that do not move with the item, and answers
//! that are somebody else's.

mod consensus;
mod context;
mod copies;
mod estimation;
mod history;
mod path;
mod peers;
mod policy;
mod rule;
mod tables;
mod verdict;

#[cfg(test)]
mod recovery;
#[cfg(test)]
mod recovery_peers;

pub use context::Context;
pub use estimation::{Estimation, estimate_tables};
pub use history::{Given, History, Judged};
pub use path::{Path, Side, path};
pub use peers::{Partner, Peers};
pub use policy::Policy;
pub use rule::{Rule, RuleName};
pub use tables::{EDGES, Tables};
pub use verdict::{Evidence, Verdict, decide};
