//! When synthetic annotators ask for suites.

use super::{Annotator, Crowd, annotator::normal, dice::Dice, dice::Purpose};
use rand::RngExt;
use std::{cmp::Reverse, collections::BinaryHeap};

/// One annotator asks for one suite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// Index of the annotator.
    pub annotator: u32,
    /// Simulated time, seconds since the campaign began; never earlier than the arrival before.
    pub seconds: f64,
}

/// The order in which annotators ask for suites: an endless iterator unless everybody is [retired](Arrivals::retire).
///
/// Everybody comes at some moment of the first day, does suites one after another at their own speed with a short pause
/// between, and leaves when their number of suites (long-tailed: [`Annotator::suites`]) is done. Who has left comes back
/// only when *all* have left: a new round then begins a day later with everybody's number renewed, so that a campaign can
/// always be finished while nobody is unlimited as long as somebody else still has suites to do. The driver must retire
/// annotators who are banned or for whom nothing is left, and stop when the work is done.
#[derive(Debug, Clone)]
pub struct Arrivals {
    dice: Dice,
    people: Vec<Person>,
    /// Next moments, milliseconds, with the annotator: equal moments go to the lower index.
    queue: BinaryHeap<Reverse<(u64, u32)>>,
    round: u32,
    now: u64,
}

#[derive(Debug, Clone)]
struct Person {
    /// Per suite.
    median_seconds: f64,
    /// Per round.
    suites: u32,
    /// In this round.
    done: u32,
    retired: bool,
}

const DAY_MS: f64 = 86_400_000.0;

impl Arrivals {
    /// The arrivals of this crowd when a suite holds `tasks_per_suite` tasks.
    pub fn new(crowd: &Crowd, tasks_per_suite: usize) -> Self {
        let person = |a: &Annotator| Person {
            median_seconds: a.median_seconds * tasks_per_suite.max(1) as f64,
            suites: a.suites,
            done: 0,
            retired: false,
        };
        let mut arrivals = Self {
            dice: crowd.dice(),
            people: crowd.annotators().iter().map(person).collect(),
            queue: BinaryHeap::new(),
            round: 0,
            now: 0,
        };
        arrivals.begin_round(0);
        arrivals
    }

    /// This annotator asks no more: banned, or nothing is left for them. An index that does not exist is ignored.
    pub fn retire(&mut self, annotator: u32) {
        if let Some(person) = self.people.get_mut(annotator as usize) {
            person.retired = true;
        }
    }

    /// Round now running, from 0.
    pub fn round(&self) -> u32 {
        self.round
    }

    fn begin_round(&mut self, from_ms: u64) {
        for (index, person) in (0u32..).zip(&mut self.people) {
            if person.retired {
                continue;
            }
            person.done = 0;
            let rng =
                &mut self
                    .dice
                    .stream(Purpose::Arrival, u64::from(index), u64::from(self.round), 0);
            let at = from_ms.saturating_add((DAY_MS * rng.random::<f64>()) as u64);
            self.queue.push(Reverse((at, index)));
        }
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        loop {
            let Some(Reverse((at, annotator))) = self.queue.pop() else {
                if self.people.iter().all(|p| p.retired) {
                    return None;
                }
                self.round += 1;
                self.begin_round(self.now.saturating_add(DAY_MS as u64));
                continue;
            };
            let person = &mut self.people[annotator as usize];
            if person.retired {
                continue;
            }
            person.done += 1;
            self.now = at;
            if person.done < person.suites {
                let address = u64::from(self.round) << 32 | u64::from(person.done);
                let rng = &mut self
                    .dice
                    .stream(Purpose::Arrival, u64::from(annotator), address, 1);
                let work = person.median_seconds * (0.2 * normal(rng)).exp();
                let pause = 3.0 - 8.0 * (1.0 - rng.random::<f64>()).ln();
                let next = at.saturating_add(((work + pause) * 1000.0) as u64 + 1);
                self.queue.push(Reverse((next, annotator)));
            }
            return Some(Arrival {
                annotator,
                seconds: at as f64 / 1000.0,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::CrowdSpec;

    fn crowd() -> Crowd {
        Crowd::new(CrowdSpec::default(), Vec::new(), 5).unwrap()
    }

    #[test]
    fn time_never_runs_back_and_the_order_repeats_with_the_seed() {
        let order: Vec<Arrival> = Arrivals::new(&crowd(), 7).take(5000).collect();
        assert!(order.windows(2).all(|w| w[0].seconds <= w[1].seconds));
        assert!(
            order
                .iter()
                .copied()
                .eq(Arrivals::new(&crowd(), 7).take(5000))
        );
    }

    #[test]
    fn nobody_exceeds_their_number_before_everybody_has_reached_theirs() {
        let crowd = crowd();
        let total: u64 = crowd.annotators().iter().map(|a| u64::from(a.suites)).sum();
        let mut arrivals = Arrivals::new(&crowd, 7);
        let mut done = vec![0u32; 200];
        for arrival in arrivals.by_ref().take(total as usize) {
            done[arrival.annotator as usize] += 1;
        }
        assert!(
            done.iter()
                .zip(crowd.annotators())
                .all(|(d, a)| *d == a.suites)
        );
        assert_eq!(arrivals.round(), 0);
        assert!(arrivals.next().is_some());
        assert_eq!(arrivals.round(), 1);
    }

    #[test]
    fn activity_has_a_long_tail() {
        let crowd = crowd();
        let mut suites: Vec<u32> = crowd.annotators().iter().map(|a| a.suites).collect();
        suites.sort_unstable();
        let all: u32 = suites.iter().sum();
        let top: u32 = suites[180..].iter().sum();
        assert!((8..=17).contains(&suites[100]), "median {}", suites[100]);
        assert!(top * 5 > all * 2, "the busiest tenth does {top} of {all}");
    }

    #[test]
    fn it_ends_when_everybody_is_retired() {
        let mut arrivals = Arrivals::new(&crowd(), 7);
        (0..200).for_each(|annotator| arrivals.retire(annotator));
        assert_eq!(arrivals.next(), None);
    }
}
