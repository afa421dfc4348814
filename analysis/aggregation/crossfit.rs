//! Estimates of controls that have not seen the truth they are judged by.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Convergence;
use crate::error::check_truths;
use crate::{Error, Table};

/// One method's estimates of the controls, none of which saw its own truth.
pub(crate) struct Run<E> {
    pub(crate) estimates: Vec<Option<E>>,
    pub(crate) convergence: Convergence,
}

/// Runs a method so that no estimate of a control saw its truth: once if the method is closed (it leaves items out by
/// itself), else once per fold of the controls with the truths of that fold hidden.
pub(crate) fn cross_fitted<V: Copy, T: Copy, E: Copy>(
    votes: &Table<V>,
    truth: &[Option<T>],
    closed: bool,
    folds: usize,
    seed: u64,
    mut estimate: impl FnMut(&[Option<T>]) -> Result<(Vec<Option<E>>, Convergence), Error>,
) -> Result<Run<E>, Error> {
    check_truths(truth.len(), votes.n_items())?;
    let mut controls: Vec<usize> = (0..truth.len())
        .filter(|&i| truth[i].is_some() && !votes.item(i).1.is_empty())
        .collect();
    if controls.is_empty() {
        return Err(Error::NothingToCompare);
    }
    if closed {
        let (estimates, convergence) = estimate(truth)?;
        return Ok(Run {
            estimates,
            convergence,
        });
    }
    controls.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let folds = folds.min(controls.len());
    let mut run = Run {
        estimates: vec![None; truth.len()],
        convergence: Convergence::Closed,
    };
    for fold in 0..folds {
        let mut visible = truth.to_vec();
        let hidden = || controls.iter().skip(fold).step_by(folds).copied();
        hidden().for_each(|item| visible[item] = None);
        let (estimates, convergence) = estimate(&visible)?;
        hidden().for_each(|item| run.estimates[item] = estimates[item]);
        run.convergence = run.convergence.less_settled(convergence);
    }
    Ok(run)
}

/// Items with a known truth that all runs estimated.
pub(super) fn common_items<E, T>(
    runs: &[Run<E>],
    truth: &[Option<T>],
) -> Result<Vec<usize>, Error> {
    let items: Vec<usize> = (0..truth.len())
        .filter(|&i| truth[i].is_some() && runs.iter().all(|run| run.estimates[i].is_some()))
        .collect();
    if items.is_empty() || runs.is_empty() {
        return Err(Error::NothingToCompare);
    }
    Ok(items)
}

/// Estimates and truths of these items, in step.
pub(super) fn chosen<'a, E: Copy, T: Copy>(
    run: &'a Run<E>,
    truth: &'a [Option<T>],
    items: &'a [usize],
) -> impl Iterator<Item = (E, T)> + 'a {
    items
        .iter()
        .filter_map(|&item| run.estimates[item].zip(truth[item]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregation::{NumberMethod, NumberSettings};
    use crate::simulated::Crowd;

    #[test]
    fn folds_hide_the_truth_of_the_items_they_judge_and_judge_each_once() {
        let sample = Crowd {
            items: 300,
            ..Crowd::default()
        }
        .draw(5);
        let (votes, truth) = (sample.votes.clone(), sample.known(1));
        let mut judged = vec![0; truth.len()];
        let run = cross_fitted(&votes, &truth, false, 10, 1, |visible| {
            for (item, known) in visible.iter().enumerate() {
                judged[item] += u32::from(known.is_none());
            }
            let r = NumberMethod::ExpMae.estimate(&votes, visible, &NumberSettings::default())?;
            Ok((r.estimates, Convergence::Converged { passes: 3 }))
        })
        .unwrap();
        assert!(judged.iter().all(|&n| n == 1));
        assert!(run.estimates.iter().all(Option::is_some));
        assert_eq!(run.convergence, Convergence::Converged { passes: 3 });
    }

    #[test]
    fn the_least_settled_fold_speaks_for_all() {
        use Convergence::{Closed, Converged, Stopped};
        let stopped = Stopped {
            passes: 9,
            change: 0.1,
        };
        assert_eq!(Converged { passes: 2 }.less_settled(stopped), stopped);
        assert_eq!(
            Closed.less_settled(Converged { passes: 2 }),
            Converged { passes: 2 }
        );
    }
}
