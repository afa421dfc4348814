//! How uneven labels are, and what each label weighs in training: label distribution smoothing (LDS; Yang, Zha, Chen,
//! Wang and Katabi, *Delving into Deep Imbalanced Regression*, 2021).
//!
//! Labels are counted in bins of one unit, the counts are smoothed by a short kernel (neighbouring ages look alike, so a
//! photo of one stands for the others), and an item weighs one over the smoothed count of its bin, or over its square root. Weights
//! have mean 1.

use crate::{Error, error::check_setting};
use serde::Serialize;

/// What a weight is one over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reweighting {
    /// The smoothed count, of counts held within 5 to 1000 as the paper's program does.
    Inverse,
    /// The square root of the smoothed count.
    #[default]
    SquareRoot,
}

/// Settings of the smoothing; the defaults are those of the paper's program.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lds {
    /// Bins that the kernel covers, an odd number; 1 smooths nothing.
    pub kernel: usize,
    /// Standard deviation of the Gaussian kernel, bins.
    pub sigma: f64,
    /// What a weight is one over.
    pub reweighting: Reweighting,
    /// Largest label that has a bin of its own; labels above fall into its bin.
    pub largest: u32,
}

impl Default for Lds {
    fn default() -> Self {
        Self {
            kernel: 5,
            sigma: 2.0,
            reweighting: Reweighting::SquareRoot,
            largest: 120,
        }
    }
}

/// The distribution of the labels and what each of them weighs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Imbalance {
    /// Labels in each bin of one unit, from 0 to the largest.
    pub counts: Vec<u32>,
    /// The same smoothed: a mean over neighbours, in items.
    pub smoothed: Vec<f64>,
    /// Weight of each item, in the order given; mean 1.
    pub weights: Vec<f64>,
}

/// Counts labels (ages in years, at least 0; fractions are cut off), smooths the counts and weighs each item.
///
/// No labels give no weights. Errors: an even or empty kernel, a sigma that is not positive, a label that is negative or
/// not a number.
pub fn imbalance(labels: &[f64], settings: &Lds) -> Result<Imbalance, Error> {
    let Lds { kernel, sigma, .. } = *settings;
    check_setting(kernel % 2 == 1, "kernel", kernel as f64, "must be odd")?;
    let positive = sigma > 0.0 && sigma.is_finite();
    check_setting(positive, "sigma", sigma, "must be positive")?;
    let mut counts = vec![0_u32; settings.largest as usize + 1];
    let bin = |label: f64| (label as usize).min(settings.largest as usize);
    for (item, &label) in labels.iter().enumerate() {
        if !(label >= 0.0 && label.is_finite()) {
            let reason = format!("label {label} is not a number of at least 0");
            return Err(Error::Item { item, reason });
        }
        counts[bin(label)] += 1;
    }
    let counted: Vec<f64> = counts.iter().map(|&n| f64::from(n)).collect();
    let shape = gaussian(kernel, sigma);
    let smoothed = convolved(&counted, &shape);
    // The paper's program bounds the counts of the inverse and takes the root of those of the square root.
    let bases = match settings.reweighting {
        Reweighting::Inverse => {
            let held: Vec<f64> = counted.iter().map(|n| n.clamp(5.0, 1000.0)).collect();
            convolved(&held, &shape)
        }
        Reweighting::SquareRoot => {
            let roots: Vec<f64> = counted.iter().map(|n| n.sqrt()).collect();
            convolved(&roots, &shape)
        }
    };
    let mut weights: Vec<f64> = labels.iter().map(|&l| 1.0 / bases[bin(l)]).collect();
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    weights.iter_mut().for_each(|w| *w /= mean);
    Ok(Imbalance {
        counts,
        smoothed,
        weights,
    })
}

/// The paper's kernel: a Gaussian that its program cuts at four sigma and mirrors at the ends of the window, scaled here to sum 1
/// (the scale cancels in the weights).
fn gaussian(kernel: usize, sigma: f64) -> Vec<f64> {
    let (size, half) = (kernel as i64, kernel as i64 / 2);
    let radius = (4.0 * sigma + 0.5) as i64;
    let mut shape = vec![0.0; kernel];
    for (at, value) in shape.iter_mut().enumerate() {
        for step in -radius..=radius {
            // The window repeats as its own mirror image, with period 2·size.
            let place = (at as i64 + step).rem_euclid(2 * size);
            let mirrored = if place < size {
                place
            } else {
                2 * size - 1 - place
            };
            if mirrored == half {
                *value += (-0.5 * (step as f64 / sigma).powi(2)).exp();
            }
        }
    }
    let sum: f64 = shape.iter().sum();
    shape.iter_mut().for_each(|v| *v /= sum);
    shape
}

/// The counts under the kernel; nothing lies beyond the ends.
fn convolved(counts: &[f64], shape: &[f64]) -> Vec<f64> {
    let half = shape.len() / 2;
    (0..counts.len())
        .map(|at| {
            let pairs = shape.iter().enumerate().filter_map(|(k, weight)| {
                let from = (at + k).checked_sub(half)?;
                Some(weight * counts.get(from)?)
            });
            pairs.sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_without_smoothing_are_one_over_the_root_of_the_count() {
        // Four at 30, one at 70: roots 2 and 1, weights ½ and 1, mean 0.6.
        let settings = Lds {
            kernel: 1,
            ..Lds::default()
        };
        let found = imbalance(&[30.0, 30.9, 30.0, 30.0, 70.0], &settings).unwrap();
        assert_eq!((found.counts[30], found.counts[70]), (4, 1));
        for (weight, expected) in
            found
                .weights
                .iter()
                .zip([5.0 / 6.0, 5.0 / 6.0, 5.0 / 6.0, 5.0 / 6.0, 5.0 / 3.0])
        {
            assert!((weight - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn rare_labels_weigh_more_and_neighbours_lend_weight() {
        let mut labels = vec![30.0; 100];
        labels.extend([32.0, 90.0]);
        let found = imbalance(&labels, &Lds::default()).unwrap();
        let weight = |at: usize| found.weights[at];
        assert!(weight(0) < weight(100) && weight(100) < weight(101));
        assert!((found.weights.iter().sum::<f64>() / 102.0 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn weights_are_those_of_the_papers_program() {
        // tests/reference/lds.py with scipy: get_lds_kernel_window('gaussian', 5, 2) and the weights of its datasets.
        let labels: Vec<f64> = REFERENCE_LABELS.iter().map(|&l| f64::from(l)).collect();
        for (reweighting, expected) in [
            (Reweighting::SquareRoot, REFERENCE_ROOT),
            (Reweighting::Inverse, REFERENCE_INVERSE),
        ] {
            let settings = Lds {
                reweighting,
                ..Lds::default()
            };
            let found = imbalance(&labels, &settings).unwrap();
            for (a, b) in found.weights.iter().zip(expected) {
                assert!((a - b).abs() < 1e-9, "{reweighting:?}: {a} instead of {b}");
            }
        }
    }

    include!("imbalance_reference.rs");

    #[test]
    fn bad_settings_and_labels_are_errors() {
        let even = Lds {
            kernel: 4,
            ..Lds::default()
        };
        assert!(imbalance(&[1.0], &even).is_err());
        assert!(matches!(
            imbalance(&[1.0, -1.0], &Lds::default()),
            Err(Error::Item { item: 1, .. })
        ));
        assert!(imbalance(&[f64::NAN], &Lds::default()).is_err());
        assert_eq!(
            imbalance(&[], &Lds::default()).unwrap().weights,
            Vec::<f64>::new()
        );
        assert_eq!(imbalance(&[500.0], &Lds::default()).unwrap().counts[120], 1);
    }
}
