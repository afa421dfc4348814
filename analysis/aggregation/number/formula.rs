//! One item, one formula, one estimate: what every method comes down to once its settings are chosen.

use super::alternation::{Fit, Frame};
use super::ballot::{Ballot, Point, Skill};
use super::linear::{Term, combine};
use super::noise::Noise;
use super::standing::Standing;
use super::{
    catd, consensus, crh, exp_mae, gtm, huber, hybrid, inverse_mae, inverse_mse, iqm, lfc_n, mean,
    median, mode, trimmed, winsorized,
};
use crate::NumberVotes;
use crate::scoring::controls::ErrorSums;

/// A formula with its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Formula {
    Mean,
    Median,
    Mode,
    /// Share cut at both ends together, and the variance factor.
    Trimmed(f64, f64),
    /// Cap and variance factor.
    Winsorized(f64, f64),
    /// Variance factor.
    Iqm(f64),
    /// Temperature in the unit of the votes.
    ExpMae(f64),
    /// Temperature as a share of the overall MAE.
    Tempered(f64),
    InverseMae(i32),
    InverseMse,
    Unbiased,
    UnbiasedShared,
    Huber,
    LfcN,
    Catd,
    Crh,
    Gtm,
    StudentT,
    Hybrid(hybrid::Mix),
}

/// One item as formulas see it.
pub(super) struct View<'a> {
    pub(super) item: usize,
    pub(super) annotators: &'a [u32],
    pub(super) ballot: Ballot<'a>,
    /// In step with the votes; empty unless a formula asked for it.
    pub(super) standings: &'a [Standing],
    pub(super) noise: &'a Noise,
    pub(super) crowd: &'a Crowd,
}

/// Buffers of one thread, so that no vote and no item allocates.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) sums: Vec<ErrorSums>,
    pub(super) skills: Vec<Skill>,
    pub(super) standings: Vec<Standing>,
    pub(super) sorted: Vec<f64>,
    pub(super) deviations: Vec<f64>,
    pub(super) terms: Vec<Term>,
}

/// The buffers a formula itself needs.
pub(super) struct Buffers<'a> {
    pub(super) sorted: &'a mut Vec<f64>,
    pub(super) deviations: &'a mut Vec<f64>,
    pub(super) terms: &'a mut Vec<Term>,
}

/// What the votes say without any truth, of what the formulas in use need.
#[derive(Default)]
pub(super) struct Crowd {
    pub(super) spread: f64,
    pub(super) consensus: Option<Fit>,
    lfc_n: Option<Fit>,
    catd: Option<Fit>,
    crh: Option<Fit>,
    gtm: Option<Fit>,
    student_t: Option<Fit>,
}

impl Crowd {
    /// Fits what `formulas` need; `within` is the pooled variance of votes within items.
    pub(super) fn of(votes: &NumberVotes, within: Option<f64>, formulas: &[Formula]) -> Self {
        let needs = |f: fn(&Formula) -> bool| formulas.iter().any(f);
        let mut crowd = Self::default();
        if needs(|f| matches!(f, Formula::Huber | Formula::StudentT | Formula::Hybrid(_))) {
            crowd.spread = huber::mean_spread(votes);
        }
        let scale = within.unwrap_or(0.0).sqrt();
        let iterates = |f: &Formula| {
            use Formula::{Catd, Crh, Gtm, Hybrid, LfcN, StudentT};
            matches!(f, LfcN | Catd | Crh | Gtm | StudentT | Hybrid(_))
        };
        if !formulas.iter().any(iterates) {
            return crowd;
        }
        let start = huber::locations(votes, crowd.spread, false);
        if needs(|f| matches!(f, Formula::Hybrid(_))) {
            let start = huber::locations(votes, crowd.spread, true);
            crowd.consensus = Some(consensus::fit(votes, start, scale, f64::INFINITY));
        }
        if needs(|f| matches!(f, Formula::StudentT)) {
            let start = huber::locations(votes, crowd.spread, true);
            crowd.student_t = Some(consensus::fit(votes, start, scale, consensus::FREEDOM));
        }
        if needs(|f| matches!(f, Formula::LfcN)) {
            crowd.lfc_n = Some(lfc_n::fit(votes, start.clone(), scale));
        }
        if needs(|f| matches!(f, Formula::Catd)) {
            crowd.catd = Some(catd::fit(votes, start.clone(), scale));
        }
        if needs(|f| matches!(f, Formula::Crh | Formula::Gtm)) {
            let frames = frames(votes, &start, scale);
            if needs(|f| matches!(f, Formula::Crh)) {
                crowd.crh = Some(crh::fit(votes, start.clone(), scale, &frames));
            }
            if needs(|f| matches!(f, Formula::Gtm)) {
                crowd.gtm = Some(gtm::fit(votes, start, scale, &frames));
            }
        }
        crowd
    }

    /// The fit behind a formula that iterates.
    pub(super) fn fit(&self, formula: &Formula) -> Option<&Fit> {
        match formula {
            Formula::LfcN => self.lfc_n.as_ref(),
            Formula::Catd => self.catd.as_ref(),
            Formula::Crh => self.crh.as_ref(),
            Formula::Gtm => self.gtm.as_ref(),
            Formula::StudentT => self.student_t.as_ref(),
            Formula::Hybrid(_) => self.consensus.as_ref(),
            _ => None,
        }
    }
}

/// Median and standard deviation of every item's votes; the pooled one where they all agree or there is one.
fn frames(votes: &NumberVotes, medians: &[f64], pooled: f64) -> Vec<Frame> {
    votes
        .items()
        .map(|(item, _, values)| {
            let n = values.len() as f64;
            let center = medians[item];
            let mean = center + values.iter().map(|v| v - center).sum::<f64>() / n.max(1.0);
            let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
            let sd = (squares / (n - 1.0).max(1.0)).sqrt();
            // Rounding may leave a trace of a spread where there is none.
            let scale = if sd > 1e-9 * pooled { sd } else { pooled };
            Frame { center, scale }
        })
        .collect()
}

impl Formula {
    /// The method's name and its settings.
    pub(super) fn words(&self) -> String {
        let name = match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::Mode => "mode",
            Self::Trimmed(..) => "trimmed",
            Self::Winsorized(..) => "winsorized",
            Self::Iqm(_) => "iqm",
            Self::ExpMae(_) => "exp-mae",
            Self::Tempered(share) if share.is_infinite() => "exp-mae, T = infinite",
            Self::Tempered(share) => return format!("exp-mae, T = {share} of the overall MAE"),
            Self::InverseMae(1) => "inverse-mae",
            Self::InverseMae(_) => "inverse-mae2",
            Self::InverseMse => "inverse-mse",
            Self::Unbiased => "inverse-mse-unbiased",
            Self::UnbiasedShared => "inverse-mse-unbiased-shared",
            Self::Huber => "huber",
            Self::LfcN => "lfc-n",
            Self::Catd => "catd",
            Self::Crh => "crh",
            Self::Gtm => "gtm",
            Self::StudentT => "student-t",
            Self::Hybrid(mix) => return mix.words(),
        };
        name.into()
    }

    /// Whether it looks at no truth.
    pub(super) fn is_blind(&self) -> bool {
        use Formula::{
            Catd, Crh, Gtm, Huber, Iqm, LfcN, Mean, Median, Mode, StudentT, Trimmed, Winsorized,
        };
        match self {
            Mean | Median | Mode | Trimmed(..) | Winsorized(..) | Iqm(_) | Huber => true,
            LfcN | Catd | Crh | Gtm | StudentT => true,
            Self::Hybrid(mix) => mix.is_blind(),
            _ => false,
        }
    }

    /// Whether it needs [`View::standings`].
    pub(super) fn needs_standings(&self) -> bool {
        use Formula::{Hybrid, InverseMse, Tempered, Unbiased, UnbiasedShared};
        matches!(
            self,
            Tempered(_) | InverseMse | Unbiased | UnbiasedShared | Hybrid(_)
        )
    }

    /// The estimate of an item with at least one vote.
    pub(super) fn point(&self, view: &View<'_>, buffers: &mut Buffers<'_>) -> Point {
        let ballot = &view.ballot;
        let sorted = &mut *buffers.sorted;
        match *self {
            Self::Mean => mean::estimate(ballot),
            Self::Median => median::estimate(ballot, sorted),
            Self::Mode => mode::estimate(ballot, sorted),
            Self::Trimmed(trim, factor) => trimmed::estimate(ballot, trim, factor, sorted),
            Self::Winsorized(cap, factor) => winsorized::estimate(ballot, cap, factor, sorted),
            Self::Iqm(factor) => iqm::estimate(ballot, factor, sorted),
            Self::ExpMae(temperature) => exp_mae::estimate(ballot, temperature),
            Self::InverseMae(power) => inverse_mae::estimate(ballot, power),
            Self::Huber => huber::estimate(ballot, view.crowd.spread, sorted, buffers.deviations),
            Self::Tempered(share) => {
                let temperature = share * view.noise.overall_mae;
                self.weigh(view, buffers, false, |at, s| Term {
                    log_weight: exp_mae::log_weight(s.mae, temperature),
                    offset: 0.0,
                    variance: ballot.skills[at].variance,
                })
            }
            Self::InverseMse => self.weigh(view, buffers, false, |at, s| {
                inverse_mse::inverse_mse(s, view.noise.scale(), ballot.skills[at].variance)
            }),
            Self::Unbiased => self.weigh(view, buffers, true, |_, s| {
                inverse_mse::unbiased(s, view.noise.scale())
            }),
            Self::UnbiasedShared => self.weigh(view, buffers, true, |_, s| {
                inverse_mse::unbiased_shared(s, view.noise.scale())
            }),
            Self::LfcN | Self::Catd | Self::Crh | Self::Gtm | Self::StudentT => {
                let Some(fit) = view.crowd.fit(self) else {
                    return mean::estimate(ballot);
                };
                buffers.terms.clear();
                let votes = view.annotators.iter().zip(ballot.skills);
                buffers
                    .terms
                    .extend(votes.map(|(&u, skill)| fit.term(u, skill.variance)));
                let mut point = combine(ballot.values, buffers.terms, false);
                if matches!(self, Self::StudentT) {
                    point.unbiased = true;
                }
                if matches!(self, Self::Gtm | Self::StudentT) {
                    // The prior pulls the truth to the median; votes far off count less than their annotators.
                    point.value = fit.truths[view.item];
                }
                point
            }
            Self::Hybrid(mix) => match &view.crowd.consensus {
                Some(fit) => self.weigh(view, buffers, true, |at, s| {
                    mix.term(fit, view.annotators[at], s, &ballot.skills[at], view.noise)
                }),
                None => mean::estimate(ballot),
            },
        }
    }

    fn weigh(
        &self,
        view: &View<'_>,
        buffers: &mut Buffers<'_>,
        unbiased: bool,
        term: impl Fn(usize, &Standing) -> Term,
    ) -> Point {
        buffers.terms.clear();
        let standings = view.standings.iter().enumerate();
        buffers.terms.extend(standings.map(|(at, s)| term(at, s)));
        combine(view.ballot.values, buffers.terms, unbiased)
    }
}
