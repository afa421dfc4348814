//! Pictures are decoded and cropped on all cores ahead of the network, and handed to it in full batches.
//!
//! Workers take jobs in order and may finish in any; a second thread puts their results in order and packs the inputs
//! into batches that know nothing of the pictures' borders; the network runs on the calling thread and the answers leave in order.
//! So the result depends on neither the number of workers nor their speed.

use crate::{Result, model::spec::Answer, problem};
use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

/// What a worker made of one job.
#[derive(Debug)]
pub struct Prepared<M> {
    /// Whatever is needed to say what the answers mean.
    pub about: M,
    /// Inputs of the network one after the other: none, one, or several.
    pub pixels: Vec<f32>,
}

/// How work is shared.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Numbers in one input of the network, at least 1.
    pub each: usize,
    /// Inputs in one run of the network, at least 1; the last run may have fewer.
    pub batch: usize,
    /// Threads that prepare, at least 1.
    pub workers: usize,
}

struct Shared<M> {
    state: Mutex<State<M>>,
    changed: Condvar,
}

struct State<M> {
    /// The next job that nobody has begun.
    next: usize,
    /// The first job whose result has not been taken.
    taken: usize,
    ready: BTreeMap<usize, Prepared<M>>,
    /// Numbers that wait in `ready`.
    waiting: usize,
    stopped: bool,
}

impl<M> Shared<M> {
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        // A thread that panics ends the whole run: what it left behind is not used.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, State<M>>) -> MutexGuard<'a, State<M>> {
        self.changed
            .wait(guard)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}

/// Stops everybody when a thread ends, also by a panic: nobody waits for ever.
struct StopAtEnd<'a, M>(&'a Shared<M>);

impl<M> Drop for StopAtEnd<'_, M> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// One run of the network.
struct Batch<M> {
    pixels: Vec<f32>,
    /// Jobs whose last input lies in this batch, in order, with their number of inputs.
    done: Vec<(usize, M, usize)>,
}

/// Jobs without any input are handed on at the latest after so many.
const MOST_DONE: usize = 256;

/// Runs `jobs` jobs: `prepare` on the workers, `network` on this thread, `finish` on this thread for every job in order with one
/// answer for each of its inputs.
///
/// Memory: at most two batches per direction, and beyond them the results of `4 · workers` jobs or four batches, whichever is
/// reached first, and at least one job.
///
/// # Errors
/// The first error of `network` or `finish`; all threads have ended then.
///
/// # Panics
/// With `prepare`; or if it gives pixels that are not a whole number of inputs.
pub fn run<M: Send>(
    jobs: usize,
    plan: Plan,
    prepare: impl Fn(usize) -> Prepared<M> + Sync,
    mut network: impl FnMut(&[f32], usize) -> Result<Vec<Answer>>,
    mut finish: impl FnMut(usize, M, &[Answer]) -> Result<()>,
) -> Result<()> {
    let shared = Shared {
        state: Mutex::new(State {
            next: 0,
            taken: 0,
            ready: BTreeMap::new(),
            waiting: 0,
            stopped: false,
        }),
        changed: Condvar::new(),
    };
    let (to_network, batches) = sync_channel::<Batch<M>>(1);
    let (give_back, buffers) = channel::<Vec<f32>>();
    thread::scope(|scope| {
        let _stop = StopAtEnd(&shared);
        // Gone when this thread is done: who still sends to it would wait for ever otherwise.
        let batches = batches;
        for _ in 0..plan.workers.max(1) {
            scope.spawn(|| work(&shared, jobs, plan, &prepare));
        }
        let shared = &shared;
        scope.spawn(move || assemble(shared, jobs, plan, &to_network, &buffers));
        let finished = answer(plan, &batches, &give_back, &mut network, &mut finish)?;
        if finished != jobs {
            // A worker panicked; the scope passes that on, so this is seen by nobody.
            return problem("the photos were not all read").fail();
        }
        Ok(())
    })
}

fn work<M>(
    shared: &Shared<M>,
    jobs: usize,
    plan: Plan,
    prepare: &(impl Fn(usize) -> Prepared<M> + Sync),
) {
    let ahead = 4 * plan.workers.max(1);
    let full = 4 * plan.batch.max(1) * plan.each;
    loop {
        let mut state = shared.lock();
        while !state.stopped
            && state.next < jobs
            && state.next > state.taken
            && (state.next - state.taken >= ahead || state.waiting >= full)
        {
            state = shared.wait(state);
        }
        if state.stopped || state.next >= jobs {
            return;
        }
        let job = state.next;
        state.next += 1;
        drop(state);
        let stop_if_it_panics = StopAtEnd(shared);
        let prepared = prepare(job);
        assert_eq!(prepared.pixels.len() % plan.each, 0, "half an input");
        mem::forget(stop_if_it_panics);
        let mut state = shared.lock();
        state.waiting += prepared.pixels.len();
        state.ready.insert(job, prepared);
        drop(state);
        shared.changed.notify_all();
    }
}

fn assemble<M>(
    shared: &Shared<M>,
    jobs: usize,
    plan: Plan,
    to_network: &SyncSender<Batch<M>>,
    buffers: &Receiver<Vec<f32>>,
) {
    let full = plan.batch.max(1) * plan.each;
    let new = || Batch {
        pixels: buffers
            .try_recv()
            .unwrap_or_else(|_| Vec::with_capacity(full)),
        done: Vec::new(),
    };
    let mut batch = new();
    for job in 0..jobs {
        let mut state = shared.lock();
        let prepared = loop {
            if let Some(prepared) = state.ready.remove(&job) {
                break prepared;
            }
            if state.stopped {
                return;
            }
            state = shared.wait(state);
        };
        state.taken = job + 1;
        state.waiting -= prepared.pixels.len();
        drop(state);
        shared.changed.notify_all();
        let inputs = prepared.pixels.len() / plan.each;
        let mut rest = prepared.pixels.as_slice();
        while batch.pixels.len() + rest.len() > full {
            let (now, later) = rest.split_at(full - batch.pixels.len());
            batch.pixels.extend_from_slice(now);
            rest = later;
            if to_network.send(mem::replace(&mut batch, new())).is_err() {
                return;
            }
        }
        batch.pixels.extend_from_slice(rest);
        batch.done.push((job, prepared.about, inputs));
        let is_full = batch.pixels.len() == full || batch.done.len() >= MOST_DONE;
        if is_full && to_network.send(mem::replace(&mut batch, new())).is_err() {
            return;
        }
    }
    if !batch.done.is_empty() {
        // If the network is gone, its error is on the way already.
        let _ = to_network.send(batch);
    }
}

/// Runs the batches; returns how many jobs were finished.
fn answer<M>(
    plan: Plan,
    batches: &Receiver<Batch<M>>,
    give_back: &Sender<Vec<f32>>,
    network: &mut impl FnMut(&[f32], usize) -> Result<Vec<Answer>>,
    finish: &mut impl FnMut(usize, M, &[Answer]) -> Result<()>,
) -> Result<usize> {
    // Answers to inputs of a job whose last ones are still to come.
    let mut answers: Vec<Answer> = Vec::new();
    let mut finished = 0;
    for mut batch in batches {
        let inputs = batch.pixels.len() / plan.each;
        if inputs > 0 {
            let said = network(&batch.pixels, inputs)?;
            if said.len() != inputs {
                return problem(format!(
                    "the network gave {} answers for {inputs} photos",
                    said.len()
                ))
                .fail();
            }
            answers.extend(said);
        }
        let mut from = 0;
        for (job, about, inputs) in batch.done.drain(..) {
            finish(job, about, &answers[from..from + inputs])?;
            from += inputs;
            finished += 1;
        }
        answers.drain(..from);
        batch.pixels.clear();
        // Nobody takes it back at the end.
        let _ = give_back.send(batch.pixels);
    }
    Ok(finished)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Job `i` has `inputs[i]` inputs of two numbers: its index and the input's place.
    fn prepared(inputs: &[usize], job: usize) -> Prepared<usize> {
        Prepared {
            about: job * 10,
            pixels: (0..inputs[job])
                .flat_map(|k| [job as f32, k as f32])
                .collect(),
        }
    }

    fn network(batch: usize) -> impl FnMut(&[f32], usize) -> Result<Vec<Answer>> {
        move |pixels, n| {
            assert!(n > 0 && n <= batch && pixels.len() == 2 * n);
            let answer = |input: &[f32]| Answer {
                age: Some(100.0 * input[0] + input[1]),
                male: None,
            };
            Ok(pixels.chunks(2).map(answer).collect())
        }
    }

    fn plan(batch: usize, workers: usize) -> Plan {
        Plan {
            each: 2,
            batch,
            workers,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_job_gets_its_own_answers_in_order_whatever_the_batches(
            inputs in proptest::collection::vec(0_usize..9, 0..60),
            batch in 1_usize..12,
            workers in 1_usize..5,
        ) {
            let mut seen = Vec::new();
            run(
                inputs.len(),
                plan(batch, workers),
                |job| prepared(&inputs, job),
                network(batch),
                |job, about, answers| {
                    assert_eq!(about, job * 10);
                    let expected: Vec<f32> = (0..inputs[job]).map(|k| (100 * job + k) as f32).collect();
                    let ages: Vec<f32> = answers.iter().map(|a| a.age.unwrap()).collect();
                    assert_eq!(ages, expected);
                    seen.push(job);
                    Ok(())
                },
            ).unwrap();
            prop_assert_eq!(seen, (0..inputs.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn all_batches_but_the_last_are_full_although_photos_have_few_people() {
        let inputs = [1, 0, 2, 1, 1, 3, 0, 1];
        let mut sizes = Vec::new();
        let mut answer = network(4);
        run(
            8,
            plan(4, 3),
            |job| prepared(&inputs, job),
            |pixels, n| {
                sizes.push(n);
                answer(pixels, n)
            },
            |_, _, _| Ok(()),
        )
        .unwrap();
        assert_eq!(sizes, [4, 4, 1]);
    }

    #[test]
    fn an_error_of_the_network_or_of_the_end_stops_everything() {
        let inputs = vec![1; 1000];
        let begun = AtomicUsize::new(0);
        let work = |job| {
            begun.fetch_add(1, Ordering::Relaxed);
            prepared(&inputs, job)
        };
        let failed = run(
            1000,
            plan(4, 2),
            work,
            |_, _| problem("no memory").fail(),
            |_, _, _| Ok(()),
        );
        assert_eq!(failed.unwrap_err().what, "no memory");
        assert!(
            begun.load(Ordering::Relaxed) < 100,
            "not all photos were read in vain"
        );
        let failed = run(1000, plan(4, 2), work, network(4), |job, _, _| {
            if job == 7 {
                problem("the disk is full").fail()
            } else {
                Ok(())
            }
        });
        assert_eq!(failed.unwrap_err().what, "the disk is full");
    }

    #[test]
    fn workers_do_not_run_far_ahead_of_a_slow_network() {
        let inputs = vec![1; 300];
        let (begun, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        run(
            300,
            plan(2, 2),
            |job| {
                let ahead =
                    begun.fetch_add(1, Ordering::SeqCst) - done.load(Ordering::SeqCst).min(job);
                // Eight jobs, four batches of two in the three places between, and those in hand.
                assert!(ahead < 40, "{ahead}");
                prepared(&inputs, job)
            },
            network(2),
            |_, _, _| {
                done.fetch_add(1, Ordering::SeqCst);
                Ok(())
            },
        )
        .unwrap();
    }

    #[test]
    #[should_panic]
    fn a_worker_that_panics_ends_the_run() {
        let work = |job: usize| -> Prepared<()> {
            assert!(job != 5, "on purpose");
            Prepared {
                about: (),
                pixels: vec![0.0; 2],
            }
        };
        let _ = run(100, plan(4, 2), work, network(4), |_, _, _| Ok(()));
    }
}
