//! The state of a campaign in memory, and suites handed out from it one by one.

use super::open::{Met, OpenItems};
use super::rotation::{History, Rotation};
use crate::generation::arrange;
use crate::pool::narrow;
use crate::{Error, Mix, Slot};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// What a campaign's assignment is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Tasks per suite.
    pub mix: Mix,
    /// Votes wanted per item, at least 1.
    pub overlap: u32,
    /// Seconds after which a suite that was not submitted goes back, at least 1.
    pub lifetime_seconds: i64,
}

/// A suite given to one annotator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// Number of the assignment, from 0 in the order given.
    pub assignment: u32,
    /// Who it was given to.
    pub annotator: u32,
    /// What is shown, in this order.
    pub slots: Vec<Slot>,
    /// When it goes back if not submitted: from this second on it is late.
    pub expires: i64,
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// Its votes count from now on.
    Accepted,
    /// It had been accepted before; nothing changed.
    Repeated,
    /// It had expired, been released or belongs to a banned annotator; nothing changed.
    Closed,
}

/// How far a campaign has come, in votes on items (controls are not counted).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Items × overlap.
    pub wanted: u64,
    /// Accepted votes.
    pub accepted: u64,
    /// Votes of suites now in annotators' hands.
    pub active: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    Accepted,
    /// Expired, released or reopened: its items are open again.
    Closed,
}

#[derive(Debug, Clone)]
struct Record {
    annotator: u32,
    state: State,
    start: usize,
    len: u32,
    expires: i64,
}

#[derive(Debug, Clone, Default)]
struct Annotator {
    met: Met,
    history: History,
    assignments: Vec<u32>,
    active: Option<u32>,
    banned: bool,
}

/// Hands out suites and keeps account of votes. `now` is any clock in seconds that does not run backwards.
///
/// Always: accepted and active votes of an item together never exceed the overlap; an annotator has at most one active
/// suite, never meets an item twice (not even one that expired in their hands), and meets controls as
/// [`super::choose::equally_good_controls`] says. With enough annotators every item ends with exactly `overlap` accepted votes.
#[derive(Debug, Clone)]
pub struct Assigner {
    settings: Settings,
    n_items: u32,
    open: OpenItems,
    rotation: Rotation,
    annotators: BTreeMap<u32, Annotator>,
    records: Vec<Record>,
    /// Slots of all assignments, one after the other.
    slots: Vec<Slot>,
    deadlines: BTreeSet<(i64, u32)>,
    accepted: u64,
    active: u64,
    rng: ChaCha8Rng,
}

impl Assigner {
    /// A campaign without votes. `control_strata[c]` is the stratum of control `c`, numbered from 0; take `rng` from
    /// [`crate::random::stream`].
    ///
    /// Errors: fewer controls than a suite needs, a mix without real tasks, overlap 0, a lifetime below a second, or more
    /// items than 2³² − 1.
    pub fn new(
        n_items: usize,
        control_strata: &[u32],
        settings: Settings,
        mut rng: ChaCha8Rng,
    ) -> Result<Self, Error> {
        let mix = Mix::new(settings.mix.real, settings.mix.control)?;
        if control_strata.len() < mix.control {
            return Err(Error::TooFewControls {
                needed: mix.control,
                available: control_strata.len(),
            });
        }
        if settings.overlap == 0 {
            return Err(Error::Unusable(
                "overlap must be at least 1 vote per item".into(),
            ));
        }
        if settings.lifetime_seconds < 1 {
            return Err(Error::Unusable(
                "a suite must live for at least 1 second".into(),
            ));
        }
        let n_items = narrow(n_items)?;
        Ok(Self {
            settings,
            n_items,
            open: OpenItems::new(n_items, settings.overlap as usize),
            rotation: Rotation::new(control_strata, &mut rng),
            annotators: BTreeMap::new(),
            records: Vec::new(),
            slots: Vec::new(),
            deadlines: BTreeSet::new(),
            accepted: 0,
            active: 0,
            rng,
        })
    }

    /// The suite `annotator` is to work on at `now`: the active one if there is one, else a new one; `None` if no open item
    /// is left that they have not met, or if they are banned. Expires what is due first.
    pub fn next(&mut self, annotator: u32, now: i64) -> Option<Assigned> {
        self.expire(now);
        let who = self.annotators.entry(annotator).or_default();
        if let Some(active) = who.active {
            return self.assigned(active);
        }
        if who.banned {
            return None;
        }
        let mix = self.settings.mix;
        let items = self.open.draw(&mut who.met, mix.real, &mut self.rng);
        if items.is_empty() {
            return None;
        }
        let controls = self
            .rotation
            .choose(&mut who.history, mix.control, &mut self.rng);
        let (id, start) = (self.records.len() as u32, self.slots.len());
        self.slots
            .extend(items.iter().map(|&item| Slot::Item(item)));
        self.slots.extend(controls.into_iter().map(Slot::Control));
        arrange(&mut self.slots[start..], items.len(), &mut self.rng);
        let expires = now.saturating_add(self.settings.lifetime_seconds);
        let len = (self.slots.len() - start) as u32;
        self.records.push(Record {
            annotator,
            state: State::Active,
            start,
            len,
            expires,
        });
        self.deadlines.insert((expires, id));
        self.active += items.len() as u64;
        who.assignments.push(id);
        who.active = Some(id);
        self.assigned(id)
    }

    /// Accepts the votes of an active suite at `now`. May be repeated without effect.
    /// Errors if there is no such assignment.
    pub fn submit(&mut self, assignment: u32, now: i64) -> Result<Submission, Error> {
        self.expire(now);
        match self.state(assignment)? {
            State::Accepted => return Ok(Submission::Repeated),
            State::Closed => return Ok(Submission::Closed),
            State::Active => {}
        }
        let items = self.end(assignment, State::Accepted);
        self.accepted += items.len() as u64;
        Ok(Submission::Accepted)
    }

    /// Takes back an active suite, so that others get its items. Returns whether it was active.
    /// Errors if there is no such assignment.
    pub fn release(&mut self, assignment: u32) -> Result<bool, Error> {
        let was_active = self.state(assignment)? == State::Active;
        if was_active {
            for item in self.end(assignment, State::Closed) {
                self.open.reopen(item);
            }
        }
        Ok(was_active)
    }

    /// Takes back all suites whose time has run out at `now`, and returns them.
    pub fn expire(&mut self, now: i64) -> Vec<u32> {
        let mut expired = Vec::new();
        while let Some(&(expires, id)) = self.deadlines.first()
            && expires <= now
        {
            for item in self.end(id, State::Closed) {
                self.open.reopen(item);
            }
            expired.push(id);
        }
        expired
    }

    /// Gives the annotator no more suites and takes back the active one. Accepted votes stay.
    pub fn ban(&mut self, annotator: u32) {
        let who = self.annotators.entry(annotator).or_default();
        who.banned = true;
        if let Some(active) = who.active {
            for item in self.end(active, State::Closed) {
                self.open.reopen(item);
            }
        }
    }

    /// Bans the annotator and asks others for the votes they gave: no accepted vote of theirs counts towards the overlap
    /// any more. The votes themselves are nobody's to delete. Returns the number of votes reopened; 0 if repeated.
    pub fn ban_reopen(&mut self, annotator: u32) -> u64 {
        self.ban(annotator);
        let assignments = match self.annotators.get(&annotator) {
            Some(who) => who.assignments.clone(),
            None => Vec::new(),
        };
        let mut reopened = 0;
        for id in assignments {
            if self.records[id as usize].state == State::Accepted {
                self.records[id as usize].state = State::Closed;
                for item in self.items(id) {
                    self.open.reopen(item);
                    reopened += 1;
                }
            }
        }
        self.accepted -= reopened;
        reopened
    }

    /// An assignment as it was given; `None` if there is none of this number.
    pub fn assigned(&self, assignment: u32) -> Option<Assigned> {
        let record = self.records.get(assignment as usize)?;
        Some(Assigned {
            assignment,
            annotator: record.annotator,
            slots: self.slots[record.start..record.start + record.len as usize].to_vec(),
            expires: record.expires,
        })
    }

    /// Number of assignments ever given.
    pub fn n_assignments(&self) -> usize {
        self.records.len()
    }

    /// How far the campaign has come.
    pub fn progress(&self) -> Progress {
        Progress {
            wanted: u64::from(self.n_items) * u64::from(self.settings.overlap),
            accepted: self.accepted,
            active: self.active,
        }
    }

    /// Whether every item has all its votes.
    pub fn is_complete(&self) -> bool {
        let progress = self.progress();
        progress.accepted == progress.wanted
    }

    /// How often each control was given, to anybody.
    pub fn control_uses(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.rotation.uses()
    }

    fn state(&self, assignment: u32) -> Result<State, Error> {
        match self.records.get(assignment as usize) {
            Some(record) => Ok(record.state),
            None => Err(Error::Unusable(format!(
                "there is no assignment {assignment}"
            ))),
        }
    }

    fn items(&self, assignment: u32) -> Vec<u32> {
        let record = &self.records[assignment as usize];
        let slots = &self.slots[record.start..record.start + record.len as usize];
        slots.iter().filter_map(|slot| slot.item()).collect()
    }

    /// Moves an active assignment to another state, and returns its items.
    fn end(&mut self, assignment: u32, state: State) -> Vec<u32> {
        let items = self.items(assignment);
        let record = &mut self.records[assignment as usize];
        record.state = state;
        self.deadlines.remove(&(record.expires, assignment));
        if let Some(who) = self.annotators.get_mut(&record.annotator) {
            who.active = None;
        }
        self.active -= items.len() as u64;
        items
    }
}

#[cfg(test)]
mod laws;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    pub(super) fn assigner(
        n_items: usize,
        strata: &[u32],
        mix: (usize, usize),
        overlap: u32,
    ) -> Assigner {
        let mix = Mix {
            real: mix.0,
            control: mix.1,
        };
        let settings = Settings {
            mix,
            overlap,
            lifetime_seconds: 100,
        };
        Assigner::new(n_items, strata, settings, stream(1, "assignment")).unwrap()
    }

    /// Lets the annotators take turns until nobody gets anything; everything is submitted.
    pub(super) fn run_out(a: &mut Assigner, annotators: std::ops::Range<u32>, now: i64) {
        loop {
            let before = a.n_assignments();
            for annotator in annotators.clone() {
                if let Some(given) = a.next(annotator, now) {
                    assert_eq!(a.submit(given.assignment, now), Ok(Submission::Accepted));
                }
            }
            if a.n_assignments() == before {
                return;
            }
        }
    }

    pub(super) fn controls_of(a: &Assigner, annotator: u32) -> Vec<u32> {
        (0..a.n_assignments() as u32)
            .filter_map(|id| a.assigned(id))
            .filter(|given| given.annotator == annotator)
            .flat_map(|given| {
                given
                    .slots
                    .into_iter()
                    .filter_map(Slot::control)
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn asking_again_gives_the_same_suite_until_it_is_submitted() {
        let mut a = assigner(20, &[0, 0], (6, 1), 1);
        let first = a.next(4, 0).unwrap();
        assert_eq!(a.next(4, 50), Some(first.clone()));
        assert_eq!((first.slots.len(), first.expires), (7, 100));
        assert_eq!(a.submit(first.assignment, 60), Ok(Submission::Accepted));
        assert_eq!(a.submit(first.assignment, 60), Ok(Submission::Repeated));
        assert_ne!(a.next(4, 60).unwrap().assignment, first.assignment);
        assert!(a.submit(99, 60).is_err() && a.release(99).is_err());
    }

    #[test]
    fn a_suite_that_is_late_goes_to_somebody_else() {
        let mut a = assigner(6, &[0], (6, 1), 1);
        let late = a.next(0, 0).unwrap();
        assert_eq!(
            a.next(1, 99),
            None,
            "all six items are in the first annotator's hands"
        );
        assert_eq!(a.next(1, 100).unwrap().slots.len(), 7);
        assert_eq!(a.submit(late.assignment, 101), Ok(Submission::Closed));
        assert_eq!(a.next(0, 101), None, "met these items already");
    }

    #[test]
    fn a_release_works_once() {
        let mut a = assigner(6, &[0], (6, 1), 1);
        let given = a.next(0, 0).unwrap();
        assert_eq!(
            a.progress(),
            Progress {
                wanted: 6,
                accepted: 0,
                active: 6
            }
        );
        assert_eq!(a.release(given.assignment), Ok(true));
        assert_eq!(a.release(given.assignment), Ok(false));
        assert_eq!(
            a.progress(),
            Progress {
                wanted: 6,
                accepted: 0,
                active: 0
            }
        );
    }

    #[test]
    fn the_last_suite_has_what_is_left_and_all_its_controls() {
        let mut a = assigner(8, &[0, 0, 0], (6, 2), 1);
        let first = a.next(0, 0).unwrap();
        let last = a.next(1, 0).unwrap();
        assert_eq!((first.slots.len(), last.slots.len()), (8, 4));
        assert_eq!(
            last.slots
                .iter()
                .filter(|slot| slot.control().is_some())
                .count(),
            2
        );
    }

    #[test]
    fn votes_of_a_banned_annotator_are_asked_of_others() {
        let mut a = assigner(12, &[0], (6, 1), 1);
        let given = a.next(0, 0).unwrap();
        a.submit(given.assignment, 1).unwrap();
        a.next(0, 2).unwrap();
        assert_eq!(a.ban_reopen(0), 6);
        assert_eq!(a.ban_reopen(0), 0);
        assert_eq!(a.next(0, 3), None);
        assert_eq!(a.submit(given.assignment, 3), Ok(Submission::Closed));
        assert_eq!(
            a.progress(),
            Progress {
                wanted: 12,
                accepted: 0,
                active: 0
            }
        );
        run_out(&mut a, 1..2, 4);
        assert!(a.is_complete());
    }

    #[test]
    fn a_ban_without_reopening_keeps_the_votes() {
        let mut a = assigner(12, &[0], (6, 1), 1);
        let given = a.next(0, 0).unwrap();
        a.submit(given.assignment, 1).unwrap();
        a.ban(0);
        assert_eq!((a.progress().accepted, a.next(0, 3)), (6, None));
        assert_eq!(a.submit(given.assignment, 3), Ok(Submission::Repeated));
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let new = |real, control, overlap, lifetime_seconds| {
            let settings = Settings {
                mix: Mix { real, control },
                overlap,
                lifetime_seconds,
            };
            Assigner::new(5, &[0], settings, stream(1, "assignment")).map(|_| ())
        };
        assert_eq!(
            new(6, 2, 1, 1),
            Err(Error::TooFewControls {
                needed: 2,
                available: 1
            })
        );
        assert!(new(0, 1, 1, 1).is_err() && new(6, 1, 0, 1).is_err() && new(6, 1, 1, 0).is_err());
        assert!(new(6, 0, 1, 1).is_ok());
    }

    #[test]
    fn the_place_of_the_control_is_uniform_over_the_suite() {
        let mut a = assigner(6000, &[0; 50], (6, 1), 10);
        run_out(&mut a, 0..20, 0);
        let mut counts = [0f64; 7];
        let mut n = 0.0;
        for given in (0..a.n_assignments() as u32).filter_map(|id| a.assigned(id)) {
            if given.slots.len() == 7 {
                let place = given.slots.iter().position(|slot| slot.control().is_some());
                counts[place.unwrap()] += 1.0;
                n += 1.0;
            }
        }
        let expected = n / 7.0;
        let chi2: f64 = counts
            .iter()
            .map(|c| (c - expected).powi(2) / expected)
            .sum();
        assert!(
            n > 9000.0 && chi2 < 22.46,
            "{chi2}: above the 99.9 % quantile, 6 degrees of freedom"
        );
    }

    #[test]
    fn controls_are_used_nearly_equally_by_all_and_in_turns_of_strata_by_each() {
        // 60 controls in 12 strata of 5; 30 annotators with about 33 suites each.
        let strata: Vec<u32> = (0..60).map(|c| c / 5).collect();
        let mut a = assigner(600, &strata, (6, 1), 10);
        run_out(&mut a, 0..30, 0);
        assert!(a.is_complete());
        let uses: Vec<u32> = a.control_uses().collect();
        assert!(
            uses.iter().max().unwrap() - uses.iter().min().unwrap() <= 2,
            "{uses:?}"
        );
        for annotator in 0..30 {
            for turn in controls_of(&a, annotator).chunks(12) {
                let mut met: Vec<u32> = turn.iter().map(|&c| strata[c as usize]).collect();
                met.sort_unstable();
                met.dedup();
                assert_eq!(met.len(), turn.len(), "a stratum came twice in one turn");
            }
        }
    }
}
