//! One simulated campaign: who votes on which item, and what.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bans::Bans;
use super::cost::Setup;
use super::minds::{Minds, Person};
use super::population::Population;
use crate::{Error, NumberVotes};

/// Controls simulated per annotator at most: with so many an MAE is known to 4 %, and more change nothing.
const MOST_CONTROLS: f64 = 400.0;

/// How large a simulated campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) items: usize,
    pub(super) annotators: usize,
}

/// A simulated campaign with more votes per item than any plan asks for; plans take the first few of each item.
pub(super) struct World {
    items: usize,
    truths: Vec<f64>,
    people: Vec<Person>,
    /// Controls each answers; a share is drawn up or down.
    controls: Vec<u32>,
    /// Whether the ban falls within these.
    caught: Vec<bool>,
    /// Annotators of item i, in the order in which they come: `order[i·depth..][..depth]`.
    order: Vec<u32>,
    values: Vec<f64>,
    depth: usize,
    control_votes: (Vec<u32>, Vec<u32>, Vec<f64>),
    control_truths: Vec<f64>,
    votes_of_banned_count: bool,
}

/// What a plan takes from a world.
pub(super) struct Taken {
    /// Votes that count, on items first and on controls after them.
    pub(super) votes: NumberVotes,
    /// Truths of controls; none for items.
    pub(super) known: Vec<Option<f64>>,
    /// Votes bought.
    pub(super) bought: usize,
    /// … from bots.
    pub(super) from_bots: usize,
    /// … that do not count because their annotator was banned.
    pub(super) lost: usize,
}

/// Purposes of random streams.
#[derive(Clone, Copy)]
enum Purpose {
    Parameters = 1,
    People = 2,
    Item = 3,
    Votes = 4,
    Controls = 5,
    ControlVotes = 6,
}

fn stream(seed: u64, replicate: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    let words = [seed, replicate, purpose as u64, index];
    for (place, word) in key.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

impl World {
    /// Draws a campaign of this size whose annotators answer as many controls as those of `setup` would, with up to
    /// `depth` votes per item. Everything is a function of the arguments; campaigns of the same seed and replicate differ
    /// only as far as their setups do.
    pub(super) fn draw(
        population: &Population,
        setup: &Setup,
        bans: &Bans,
        size: Size,
        depth: usize,
        seed: u64,
        replicate: u64,
    ) -> Self {
        let dice = |purpose, index| stream(seed, replicate, purpose, index);
        let minds = Minds::new(population.drawn(&mut dice(Purpose::Parameters, 0)));
        let rng = &mut dice(Purpose::People, 0);
        let people = minds.people(size.annotators, bans, rng);
        let (work, caught) = shares_of_work(&people, setup);
        let controls: Vec<u32> = work
            .iter()
            .map(|n| (n.min(MOST_CONTROLS) + rng.random::<f64>()) as u32)
            .collect();
        let depth = depth.min(size.annotators);

        let mut world = Self {
            items: size.items,
            truths: Vec::with_capacity(size.items),
            people,
            controls,
            caught,
            order: Vec::with_capacity(size.items * depth),
            values: Vec::with_capacity(size.items * depth),
            depth,
            control_votes: (Vec::new(), Vec::new(), Vec::new()),
            control_truths: Vec::new(),
            votes_of_banned_count: bans.votes_of_banned_count,
        };
        let mut race: Vec<(f64, u32)> = Vec::with_capacity(size.annotators);
        for item in 0..size.items {
            let rng = &mut dice(Purpose::Item, item as u64);
            let (truth, shared) = minds.item(rng);
            world.truths.push(truth);
            // Weighted sampling without replacement (Efraimidis and Spirakis 2006): the first of exponential arrivals.
            race.clear();
            for (u, work) in (0u32..).zip(&work) {
                let arrival = -(1.0 - rng.random::<f64>()).ln();
                race.push((arrival / work.max(1e-9), u));
            }
            if depth < race.len() {
                race.select_nth_unstable_by(depth, |a, b| a.0.total_cmp(&b.0));
                race.truncate(depth);
            }
            race.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            let rng = &mut dice(Purpose::Votes, item as u64);
            for &(_, u) in &race {
                let who = &world.people[u as usize];
                world.order.push(u);
                world.values.push(minds.answer(who, truth, shared, rng));
            }
        }
        world.answer_controls(&minds, setup, seed, replicate);
        world
    }

    fn answer_controls(&mut self, minds: &Minds, setup: &Setup, seed: u64, replicate: u64) {
        let pool = if setup.control == 0 {
            0
        } else {
            setup.controls.min(2000)
        };
        let rng = &mut stream(seed, replicate, Purpose::Controls, 0);
        let mut shared = Vec::with_capacity(pool as usize);
        for _ in 0..pool {
            let (truth, error) = minds.item(rng);
            self.control_truths.push(truth);
            shared.push(error);
        }
        let (items, annotators, values) = &mut self.control_votes;
        for (u, (who, &n)) in (0u32..).zip(self.people.iter().zip(&self.controls)) {
            if pool == 0 {
                break;
            }
            let rng = &mut stream(seed, replicate, Purpose::ControlVotes, u64::from(u));
            // Consecutive ones from anywhere: all different, and everybody's others.
            let first = rng.random_range(0..pool);
            for k in 0..n.min(pool) {
                let control = ((first + k) % pool) as usize;
                let truth = self.control_truths[control];
                items.push((self.items + control) as u32);
                annotators.push(u);
                values.push(minds.answer(who, truth, shared[control], rng));
            }
        }
    }

    /// The truth of an item.
    pub(super) fn truth(&self, item: usize) -> f64 {
        self.truths[item]
    }

    /// The first `votes(item)` votes of each item, and all answers to controls, as far as they count.
    pub(super) fn take(&self, votes: impl Fn(usize) -> usize) -> Result<Taken, Error> {
        let counts = |u: u32| self.votes_of_banned_count || !self.caught[u as usize];
        let (mut items, mut annotators, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let (mut bought, mut from_bots, mut lost) = (0, 0, 0);
        for item in 0..self.items {
            let from = item * self.depth;
            for at in from..from + votes(item).min(self.depth) {
                let u = self.order[at];
                bought += 1;
                from_bots += usize::from(self.people[u as usize].bot.is_some());
                if counts(u) {
                    items.push(item as u32);
                    annotators.push(u);
                    values.push(self.values[at]);
                } else {
                    lost += 1;
                }
            }
        }
        let (control_items, control_annotators, control_values) = &self.control_votes;
        for (at, &u) in control_annotators.iter().enumerate() {
            if counts(u) {
                items.push(control_items[at]);
                annotators.push(u);
                values.push(control_values[at]);
            }
        }
        let n = self.items + self.control_truths.len();
        let votes = NumberVotes::new(n, self.people.len(), &items, &annotators, &values)?;
        let mut known = vec![None; self.items];
        known.extend(self.control_truths.iter().copied().map(Some));
        Ok(Taken {
            votes,
            known,
            bought,
            from_bots,
            lost,
        })
    }
}

/// Controls each annotator answers before leaving, being banned, or having seen every item, and whether it was the ban. The work
/// that the banned leave undone falls to the others.
fn shares_of_work(people: &[Person], setup: &Setup) -> (Vec<f64>, Vec<bool>) {
    let wanted = setup.mean_controls() * people.len() as f64;
    if wanted <= 0.0 {
        // Without controls nobody is found out and only the proportions count.
        let work = people.iter().map(|p| p.activity).collect();
        return (work, vec![false; people.len()]);
    }
    let most = setup.most_controls();
    let end = |p: &Person| p.caught_after.map_or(f64::INFINITY, f64::from);
    let done = |p: &Person, scale: f64| (p.activity * scale).min(end(p)).min(most);
    let (mut low, mut high) = (0.0, 1e9 * setup.mean_controls());
    for _ in 0..90 {
        let middle = f64::midpoint(low, high);
        let total: f64 = people.iter().map(|p| done(p, middle)).sum();
        if total < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    let work = people.iter().map(|p| done(p, high)).collect();
    let caught = people
        .iter()
        .map(|p| (p.activity * high).min(most) >= end(p));
    (work, caught.collect())
}

#[cfg(test)]
mod tests {
    use super::super::bans::Caught;
    use super::*;

    fn setup() -> Setup {
        Setup {
            items: 1200,
            annotators: 60,
            real: 6,
            control: 1,
            overlap: 6,
            controls: 300,
        }
    }

    fn draw(population: &Population, bans: &Bans, depth: usize) -> World {
        let size = Size {
            items: 300,
            annotators: 60,
        };
        World::draw(population, &setup(), bans, size, depth, 3, 1)
    }

    #[test]
    fn more_votes_begin_with_the_same_ones() {
        let population = Population::default();
        let few = draw(&population, &Bans::default(), 4);
        let many = draw(&population, &Bans::default(), 9);
        for item in 0..300 {
            assert_eq!(few.order[4 * item..][..4], many.order[9 * item..][..4]);
            assert_eq!(few.values[4 * item..][..4], many.values[9 * item..][..4]);
        }
        let taken = many.take(|item| item % 3).unwrap();
        assert_eq!(taken.bought, 300);
        assert_eq!(taken.votes.item(5).1.len(), 2);
        // 1200 · 6 / 6 answers to controls for 60 annotators: 20 each.
        let answers = taken.votes.n_votes() - taken.bought;
        assert!((1150..=1250).contains(&answers), "{answers}");
    }

    #[test]
    fn who_is_banned_does_little_and_the_others_do_the_rest() {
        let population = Population {
            bots: 0.2,
            activity_sd: 0.0,
            ..Population::default()
        };
        let at_five = Caught::of(&[Some(5)], 5);
        let mut bans = Bans::default();
        for bot in &mut bans.bots {
            bot.2 = at_five.clone();
        }
        let world = draw(&population, &bans, 6);
        let taken = world.take(|_| 6).unwrap();
        assert_eq!(taken.bought, 1800);
        assert_eq!(taken.lost, taken.from_bots);
        // 12 bots with 5 controls of 1200 in all: one vote in twenty.
        let share = taken.lost as f64 / 1800.0;
        assert!((share - 0.05).abs() < 0.015, "{share}");
        let honest = world
            .people
            .iter()
            .zip(&world.controls)
            .filter(|p| p.0.bot.is_none());
        let controls: Vec<u32> = honest.map(|p| *p.1).collect();
        // (1200 − 60)/48 = 23.75
        assert!(
            controls.iter().all(|n| (23..=24).contains(n)),
            "{controls:?}"
        );
        // Where votes of the banned count, nothing is lost.
        bans.votes_of_banned_count = true;
        assert_eq!(draw(&population, &bans, 6).take(|_| 6).unwrap().lost, 0);
    }
}
