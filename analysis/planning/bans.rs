//! Who is found out when. What a rule does is decided in `pools::banning`; here it is only a table of shares.

use serde::Serialize;

use crate::Error;
use crate::error::check_setting;

/// How somebody answers who does not look. Places are shares of the question's scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BotKind {
    /// Any answer of the scale, all equally likely.
    Random,
    /// Common answers, bell-shaped: mean 0.29, standard deviation 0.1 (35 and 12 of 120 years).
    Plausible,
    /// Always the same answer, between 0.15 and 0.375 (18 and 45 of 120 years).
    Constant,
    /// Looks at half of the tasks, and guesses the others.
    HalfRandom,
}

impl BotKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [
        Self::Random,
        Self::Plausible,
        Self::Constant,
        Self::HalfRandom,
    ];
}

/// When annotators of one kind are found out: entry k is the share of them banned after at most k controls, from 0
/// controls on. Beyond its end nobody else is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Caught(Vec<f64>);

impl Caught {
    /// From shares 0 to 1 that do not fall.
    ///
    /// # Errors
    /// A share outside 0 to 1, or less than the one before.
    pub fn new(shares: Vec<f64>) -> Result<Self, Error> {
        let mut before = 0.0;
        for &share in &shares {
            let ok = (before..=1.0).contains(&share);
            check_setting(ok, "share caught", share, "must rise from 0 to 1")?;
            before = share;
        }
        Ok(Self(shares))
    }

    /// From the control at which each of some annotators was banned; `None` for who was not, within `controls` controls.
    pub fn of(banned_at: &[Option<u32>], controls: u32) -> Self {
        let n = banned_at.len().max(1) as f64;
        let share = |k: u32| {
            let caught = banned_at.iter().flatten().filter(|&&at| at <= k).count();
            caught as f64 / n
        };
        Self((0..=controls).map(share).collect())
    }

    /// The control after which somebody at this quantile (0 to 1) is found out; `None` if never.
    pub(super) fn at(&self, quantile: f64) -> Option<u32> {
        let place = self.0.partition_point(|share| *share <= quantile);
        (place < self.0.len()).then_some(place as u32)
    }

    /// Share found out in the end, and the mean number of controls until then of those who are (`None` if nobody is).
    pub fn summary(&self) -> (f64, Option<f64>) {
        let (mut before, mut sum) = (0.0, 0.0);
        for (k, share) in self.0.iter().enumerate() {
            sum += (share - before) * k as f64;
            before = *share;
        }
        (before, (before > 0.0).then(|| sum / before))
    }
}

/// The bots there are and the ban rules' effect on them and on honest annotators.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bans {
    /// Kinds of bots with their weights (any positive numbers, of which the proportions count) and when they are found out.
    pub bots: Vec<(BotKind, f64, Caught)>,
    /// When honest annotators are banned by mistake.
    pub honest: Caught,
    /// Whether votes that a banned annotator gave before the ban count (policy `after-ban` or `keep`) or not
    /// (`from-the-start`).
    pub votes_of_banned_count: bool,
}

impl Default for Bans {
    /// Nobody is ever banned; random, plausible, constant and half-random bots are as 3 : 1 : 2 : 1.
    fn default() -> Self {
        let weights = [3.0, 1.0, 2.0, 1.0];
        let bots = BotKind::ALL.iter().zip(weights);
        Self {
            bots: bots.map(|(&k, w)| (k, w, Caught::default())).collect(),
            honest: Caught::default(),
            votes_of_banned_count: false,
        }
    }
}

impl Bans {
    /// Share of bots found out in the end, and the mean number of controls until then; over kinds by their weights.
    pub fn bots_summary(&self) -> (f64, Option<f64>) {
        let (mut weights, mut caught, mut controls) = (0.0, 0.0, 0.0);
        for (_, weight, table) in &self.bots {
            let (share, mean) = table.summary();
            weights += weight;
            caught += weight * share;
            controls += weight * share * mean.unwrap_or(0.0);
        }
        let share = if weights > 0.0 { caught / weights } else { 0.0 };
        (share, (caught > 0.0).then(|| controls / caught))
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        for (_, weight, _) in &self.bots {
            let ok = weight.is_finite() && *weight >= 0.0;
            check_setting(ok, "weight of a kind of bots", *weight, "must be 0 or more")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_bans_as_worked_by_hand() {
        // Four annotators: banned after 5, 5 and 7 controls, one never.
        let caught = Caught::of(&[Some(5), None, Some(7), Some(5)], 8);
        assert_eq!(caught.at(0.0), Some(5));
        assert_eq!(caught.at(0.49), Some(5));
        assert_eq!(caught.at(0.5), Some(7));
        assert_eq!(caught.at(0.75), None);
        assert_eq!(caught.summary(), (0.75, Some(17.0 / 3.0)));
        assert_eq!(Caught::default().summary(), (0.0, None));
        assert_eq!(Caught::default().at(0.3), None);
    }

    #[test]
    fn shares_that_fall_or_leave_0_to_1_are_refused() {
        assert!(Caught::new(vec![0.0, 0.5, 0.4]).is_err());
        assert!(Caught::new(vec![0.0, 1.5]).is_err());
        assert!(Caught::new(vec![f64::NAN]).is_err());
        assert!(Caught::new(vec![0.0, 0.5, 0.5]).is_ok());
    }
}
