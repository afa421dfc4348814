//! A crowd of synthetic annotators that answers questions about items.

use super::annotator::{ROUND_SHARE, SLIP, SLIP_SHARE, logistic, normal, size_at};
use super::{Annotator, CrowdSpec, Kind, dice::Dice, dice::Purpose};
use crate::{Answer, ChoiceScale, Error, NumberScale, Question, Scale};
use rand::{Rng, RngExt, seq::SliceRandom};

/// Synthetic annotators with everything needed to answer. See the module's page for the model.
#[derive(Debug, Clone)]
pub struct Crowd {
    spec: CrowdSpec,
    questions: Vec<Question>,
    annotators: Vec<Annotator>,
    dice: Dice,
}

/// What one item does to everybody, for one question.
#[derive(Debug, Clone, Copy)]
struct Shared {
    /// Shared error in standard deviations; an item's ease in standard deviations.
    normal: f64,
    /// Which wrong label the item looks like, as a place 0..1 among the wrong ones.
    look_alike: f64,
}

impl Crowd {
    /// A crowd that answers these questions. Same arguments, same crowd. Each kind gets its share of annotators exactly
    /// (largest remainders, ties to the kind listed first), in shuffled order.
    ///
    /// # Errors
    /// A setting out of range, or a question that cannot be asked.
    pub fn new(spec: CrowdSpec, questions: Vec<Question>, seed: u64) -> Result<Self, Error> {
        spec.check()?;
        questions.iter().try_for_each(Question::check)?;
        let dice = Dice::new(seed);
        let mut kinds = kinds(&spec);
        kinds.shuffle(&mut dice.stream(Purpose::Kinds, 0, 0, 0));
        let honest: Vec<f64> = kinds
            .iter()
            .filter(|k| k.honest())
            .map(|k| k.relative_error())
            .collect();
        let factor = if honest.is_empty() {
            1.0
        } else {
            honest.len() as f64 / honest.iter().sum::<f64>()
        };
        let annotators = (0u32..)
            .zip(kinds)
            .map(|(index, kind)| Annotator::draw(&spec, dice, index, kind, factor))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            spec,
            questions,
            annotators,
            dice,
        })
    }

    /// The annotators; an annotator's index is the place in this slice.
    pub fn annotators(&self) -> &[Annotator] {
        &self.annotators
    }

    /// The settings this crowd was made from.
    pub fn spec(&self) -> &CrowdSpec {
        &self.spec
    }

    pub(super) fn dice(&self) -> Dice {
        self.dice
    }

    /// What `annotator` answers about `item`, one answer per question, and the seconds it takes.
    ///
    /// `truth` holds the item's true answer per question; where it is missing, `None` or unsure, the one of
    /// [`Crowd::latent_truth`] is used. `item` is any number that names the item (an index, a hash of its name): all
    /// annotators share an error on it. `sequence` is how many tasks the annotator has answered before. Numbers lie on
    /// the scale, whole where it asks for whole ones. The result depends on these arguments and the seed alone.
    ///
    /// # Errors
    /// No annotator with this index.
    pub fn answer(
        &self,
        annotator: u32,
        truth: &[Option<Answer>],
        item: u64,
        sequence: u32,
    ) -> Result<(Vec<Answer>, f32), Error> {
        let who = self.annotators.get(annotator as usize).ok_or_else(|| {
            Error::Unusable(format!(
                "annotator {annotator} asked for in a crowd of {}",
                self.annotators.len()
            ))
        })?;
        let address = u64::from(annotator) << 32 | u64::from(sequence);
        let rng = &mut self.dice.stream(Purpose::Answer, address, item, 0);
        let seconds = who.median_seconds * (0.45 * normal(rng)).exp();
        let looks = match who.kind {
            Kind::Constant | Kind::Random | Kind::Plausible => false,
            Kind::HalfRandom => rng.random::<bool>(),
            _ => true,
        };
        let unsure = looks && rng.random::<f64>() < self.spec.unsure;
        let answers = (0u32..)
            .zip(&self.questions)
            .map(|(index, question)| {
                if unsure {
                    return Answer::Unsure;
                }
                let known = truth.get(index as usize).copied().flatten();
                let truth = known.filter(|t| *t != Answer::Unsure);
                let truth = truth.unwrap_or_else(|| self.latent_truth(item, index));
                match &question.scale {
                    Scale::Number(scale) => {
                        let place = if looks {
                            let value = truth.number().unwrap_or(scale.min);
                            let place = (value - scale.min) / scale.width();
                            self.seen_place(who, place, item, index, sequence, rng)
                        } else {
                            blind_place(who, rng)
                        };
                        let round = looks && who.rounds && rng.random::<f64>() < ROUND_SHARE;
                        Answer::Number(on_scale(scale, place, round))
                    }
                    Scale::Choice(scale) => Answer::Choice(if looks {
                        let truth = truth.choice().unwrap_or(0);
                        self.seen_label(who, scale, truth, item, index, sequence, rng)
                    } else {
                        blind_label(who, scale, rng)
                    }),
                }
            })
            .collect();
        Ok((answers, seconds as f32))
    }

    /// A plausible truth for an item whose truth nobody knows, as in a dry run on real photos: a number spread evenly
    /// from `truth_low` to `truth_high` of the scale, or any label. Depends on the seed, the item and the question only.
    /// A question index that does not exist gives [`Answer::Unsure`].
    pub fn latent_truth(&self, item: u64, question: u32) -> Answer {
        let rng = &mut self
            .dice
            .stream(Purpose::Truth, item, u64::from(question), 0);
        match self.questions.get(question as usize).map(|q| &q.scale) {
            None => Answer::Unsure,
            Some(Scale::Number(scale)) => {
                let (low, high) = (self.spec.truth_low, self.spec.truth_high);
                let place = low + (high - low) * rng.random::<f64>();
                Answer::Number(on_scale(scale, place, false))
            }
            Some(Scale::Choice(scale)) => {
                Answer::Choice(rng.random_range(0..scale.labels.len() as u32))
            }
        }
    }

    fn shared(&self, item: u64, question: u32) -> Shared {
        let rng = &mut self
            .dice
            .stream(Purpose::Item, item, u64::from(question), 0);
        Shared {
            normal: normal(rng),
            look_alike: rng.random(),
        }
    }

    /// Where on the scale somebody who looks sees the item.
    fn seen_place(
        &self,
        who: &Annotator,
        truth: f64,
        item: u64,
        question: u32,
        sequence: u32,
        rng: &mut impl Rng,
    ) -> f64 {
        let shared = self.spec.shared_error * self.shared(item, question).normal;
        let slip = if rng.random::<f64>() < SLIP_SHARE {
            SLIP
        } else {
            1.0
        };
        let noise = who.noise * who.drift(sequence) * slip * normal(rng);
        truth + who.systematic(&self.spec, truth) + size_at(truth) * (shared + noise)
    }

    /// The label somebody who looks sees.
    #[expect(clippy::too_many_arguments, reason = "one answer's whole situation")]
    fn seen_label(
        &self,
        who: &Annotator,
        scale: &ChoiceScale,
        truth: u32,
        item: u64,
        question: u32,
        sequence: u32,
        rng: &mut impl Rng,
    ) -> u32 {
        let labels = scale.labels.len() as u32;
        let shared = self.shared(item, question);
        let correct = logistic(who.choice_odds + self.spec.difficulty * shared.normal);
        let wrong = ((1.0 - correct) * who.drift(sequence)).min(1.0);
        if rng.random::<f64>() >= wrong {
            return truth;
        }
        // Most of those who err see the same wrong label in this item.
        let place = if rng.random::<f64>() < 0.6 {
            shared.look_alike
        } else {
            rng.random::<f64>()
        };
        let other = ((place * f64::from(labels - 1)) as u32).min(labels - 2);
        if other >= truth { other + 1 } else { other }
    }
}

/// Where on the scale somebody answers who does not look.
fn blind_place(who: &Annotator, rng: &mut impl Rng) -> f64 {
    match who.kind {
        Kind::Constant => who.anchor,
        Kind::Plausible => 35.0 / 120.0 + 0.1 * normal(rng),
        _ => rng.random(),
    }
}

/// The label of somebody who does not look.
fn blind_label(who: &Annotator, scale: &ChoiceScale, rng: &mut impl Rng) -> u32 {
    let labels = scale.labels.len() as u32;
    match who.kind {
        // The anchor has no other use for a choice: its digits pick the one label.
        Kind::Constant => ((who.anchor * 1e4).fract() * f64::from(labels)) as u32,
        _ => rng.random_range(0..labels),
    }
}

/// The answer at this place: rounded as the scale asks, or to a round number, never outside the scale.
fn on_scale(scale: &NumberScale, place: f64, round: bool) -> f64 {
    let value = scale.min + place * scale.width();
    let value = if round {
        to_multiple(value, round_step(scale.width()))
    } else if scale.integer {
        value.round()
    } else {
        // Nobody types seven digits: a ten-thousandth of the scale is finer than anybody sees.
        to_multiple(value, 10f64.powf((scale.width() / 1e4).log10().floor()))
    };
    let value = if scale.integer { value.round() } else { value };
    let (low, high) = if scale.integer {
        (scale.min.ceil(), scale.max.floor())
    } else {
        (scale.min, scale.max)
    };
    // A scale without a whole number has no whole answer; its own end is then the least wrong one.
    if low > high {
        scale.min
    } else {
        value.clamp(low, high)
    }
}

/// The multiple of `step` nearest to `value`. Small steps divide by their whole inverse: 3 · 0.05 would print as
/// 0.15000000000000002, 3 / 20 as 0.15.
fn to_multiple(value: f64, step: f64) -> f64 {
    let times = (value / step).round();
    if step < 1.0 {
        times / (1.0 / step).round()
    } else {
        times * step
    }
}

/// The step of round numbers on a scale of this width: of 1, 2, 5, 10 … the nearest (by ratio) to a 24th.
fn round_step(width: f64) -> f64 {
    let target = width / 24.0;
    let ten = 10f64.powf(target.log10().floor());
    let mut best = ten;
    for factor in [2.0, 5.0, 10.0] {
        let step = ten * factor;
        if (step / target).ln().abs() < (best / target).ln().abs() {
            best = step;
        }
    }
    best
}

/// One kind per annotator, each kind as often as its share asks (largest remainders).
fn kinds(spec: &CrowdSpec) -> Vec<Kind> {
    let total: f64 = spec.shares().iter().map(|s| s.1).sum();
    let exact = spec
        .shares()
        .map(|(kind, share)| (kind, share / total * f64::from(spec.annotators)));
    let mut counts = exact.map(|(_, wanted)| wanted.floor() as usize);
    let mut by_rest: Vec<usize> = (0..exact.len()).collect();
    by_rest.sort_by(|&a, &b| exact[b].1.fract().total_cmp(&exact[a].1.fract()));
    let missing = (spec.annotators as usize).saturating_sub(counts.iter().sum());
    for &place in by_rest.iter().cycle().take(missing) {
        counts[place] += 1;
    }
    Kind::ALL
        .iter()
        .zip(counts)
        .flat_map(|(kind, count)| std::iter::repeat_n(*kind, count))
        .collect()
}

#[cfg(test)]
mod tests;
