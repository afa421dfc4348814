//! Bias and variance of every annotator from residuals around the crowd's consensus: all votes speak, not controls alone.

use super::alternation::{Fit, Limits, Residuals, Weighing, alternate};
use crate::NumberVotes;

/// Passes at most.
const PASSES: usize = 60;

/// Degrees of freedom of `student-t`: a vote ten spreads off counts a twentieth.
pub(super) const FREEDOM: f64 = 4.0;

/// Bounds of the number of votes that the crowd's variance counts as in an annotator's own.
const STRENGTH: (f64, f64) = (4.0, 1000.0);

/// No variance is less than this share of the crowd's.
const LEAST_SHARE: f64 = 0.01;

/// EM for `v_ui = z_i + b_u + ε`, `ε ~ N(0, s_u²)`, with `b_u ~ N(0, s_b²)` and `s_u²` scaled inverse χ²; the hyperparameters
/// s_b², ν and s_0² by empirical Bayes in every pass. `weight` is 1/s_u² in units of the pooled variance, `offset` is b_u.
/// A bias that all share is not in it: only controls show that.
///
/// With a finite `freedom` errors are Student's of so many degrees of freedom, and s_u is their scale.
pub(super) fn fit(votes: &NumberVotes, start: Vec<f64>, scale: f64, freedom: f64) -> Fit {
    let limits = Limits {
        passes: PASSES,
        prior: 0.0,
        freedom,
    };
    let mut between = 0.1;
    alternate(votes, start, scale, None, limits, |sums, annotators| {
        between = update(sums, annotators, between);
    })
}

/// One M-step; returns the new s_b².
fn update(sums: &[Residuals], annotators: &mut [Weighing], between: f64) -> f64 {
    // Biases first, with the variances of the last pass; then what is left around them.
    let mut left = vec![0.0; sums.len()];
    let (mut of_biases, mut judged, mut votes, mut total) = (0.0, 0.0, 0.0, 0.0);
    for ((a, s), left) in annotators.iter_mut().zip(sums).zip(&mut left) {
        if s.n == 0.0 {
            a.offset = 0.0;
            continue;
        }
        let variance = 1.0 / a.weight;
        let strength = variance / between.max(1e-9);
        a.offset = s.sum / (s.heft + strength);
        let squares = s.squares - 2.0 * a.offset * s.sum + s.heft * a.offset * a.offset;
        let uncertain = variance / (s.heft + strength);
        *left = squares.max(0.0) + s.slack + s.n * uncertain;
        of_biases += a.offset * a.offset + uncertain;
        judged += 1.0;
        votes += s.n;
        total += *left;
    }
    if judged == 0.0 {
        return between;
    }
    let mean = (total / votes).max(1e-12);
    // Relative variance of variances, without what chance adds (2/n each).
    let (mut spread, mut chance) = (0.0, 0.0);
    for (s, left) in sums.iter().zip(&left).filter(|(s, _)| s.n > 0.0) {
        let relative = left / s.n / mean;
        spread += s.n * (relative - 1.0).powi(2);
        chance += 2.0 * relative * relative;
    }
    let skill = ((spread - chance) / votes).max(1e-9);
    // The relative variance of a scaled inverse χ² is 2/(ν − 4), its mean ν s_0²/(ν − 2).
    let strength = (4.0 + 2.0 / skill).clamp(STRENGTH.0, STRENGTH.1);
    let center = mean * (strength - 2.0) / strength;
    for ((a, s), left) in annotators.iter_mut().zip(sums).zip(&left) {
        let variance = (strength * center + left) / (strength + s.n);
        a.weight = 1.0 / variance.max(LEAST_SHARE * mean);
    }
    of_biases / judged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::Crowd;

    #[test]
    fn a_bias_is_the_mean_residual_drawn_to_zero_as_worked_by_hand() {
        // Weight 1, s_b² = 0.5: strength 2: 6/(4 + 2) = 1.
        let s = Residuals {
            n: 4.0,
            heft: 4.0,
            sum: 6.0,
            squares: 10.0,
            slack: 1.0,
        };
        let mut all = [Weighing {
            weight: 1.0,
            offset: 0.0,
        }];
        let between = update(&[s], &mut all, 0.5);
        assert!((all[0].offset - 1.0).abs() < 1e-12);
        assert!((between - (1.0 + 1.0 / 6.0)).abs() < 1e-12);
        // Left: 10 − 12 + 4 + 1 + 4/6 = 3.667; alone, the annotator is the crowd, taken for alike: ν = 1000.
        let mean = (11.0 / 3.0) / 4.0;
        let variance = (1000.0 * mean * 0.998 + 11.0 / 3.0) / 1004.0;
        assert!((1.0 / all[0].weight - variance).abs() < 1e-9);
    }

    #[test]
    fn variances_and_biases_of_a_simulated_crowd_are_recovered_without_controls() {
        let crowd = Crowd {
            items: 3000,
            bias_sd: 3.0,
            noise_sd: (3.0, 12.0),
            ..Crowd::default()
        };
        let sample = crowd.draw(4);
        let start: Vec<f64> = (0..sample.truth.len())
            .map(|i| {
                let values = sample.votes.item(i).1;
                values.iter().sum::<f64>() / values.len() as f64
            })
            .collect();
        let fit = fit(&sample.votes, start, 8.0, f64::INFINITY);
        // MAE of a normal annotator is 0.798·sqrt(variance + bias²) nearly, when nothing is shared.
        let mut worst = 0.0f64;
        for (a, mae) in fit.annotators.iter().zip(&sample.long_run_mae) {
            let rms = (64.0 / a.weight + a.offset * a.offset).sqrt();
            worst = worst.max((0.798 * rms / mae - 1.0).abs());
        }
        assert!(worst < 0.25, "{worst}");
    }
}
