//! Which votes of a banned annotator count.

use super::Verdict;
use serde::{Deserialize, Serialize};

/// What happens to the votes of somebody who was banned. Votes are never deleted, only left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// None of them counts: who was found out was like that before.
    #[default]
    FromTheStart,
    /// Those given up to and with the control that led to the ban count, later ones do not.
    AfterBan,
    /// All of them count; the weights of the aggregation have to deal with them.
    Keep,
}

impl Policy {
    /// All policies, in the order in which reports list them.
    pub const ALL: [Self; 3] = [Self::FromTheStart, Self::AfterBan, Self::Keep];

    /// Whether a vote counts that an annotator with this verdict gave as the `sequence`-th task (from 0).
    pub fn counts(self, verdict: &Verdict, sequence: u32) -> bool {
        match (self, verdict) {
            (Self::Keep, _) | (_, Verdict::Kept | Verdict::TooFew { .. }) => true,
            (Self::FromTheStart, Verdict::Banned { .. }) => false,
            (Self::AfterBan, Verdict::Banned { sequence: ban, .. }) => sequence <= *ban,
        }
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::FromTheStart => "from-the-start",
            Self::AfterBan => "after-ban",
            Self::Keep => "keep",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::banning::{Evidence, RuleName};

    #[test]
    fn each_policy_counts_what_its_name_says() {
        let banned = Verdict::Banned {
            rule: RuleName::MaeAbove,
            evidence: Evidence::example(),
            at_control: 5,
            sequence: 30,
        };
        let counted = |policy: Policy| [0, 30, 31].map(|s| policy.counts(&banned, s));
        assert_eq!(counted(Policy::FromTheStart), [false, false, false]);
        assert_eq!(counted(Policy::AfterBan), [true, true, false]);
        assert_eq!(counted(Policy::Keep), [true, true, true]);
        for policy in Policy::ALL {
            assert!(policy.counts(&Verdict::Kept, 99));
            assert!(policy.counts(&Verdict::TooFew { have: 2, need: 5 }, 99));
        }
    }
}
