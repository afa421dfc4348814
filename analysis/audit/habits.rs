//! How one annotator answers, whatever the items are: round numbers, few different answers, one answer again and again.

use serde::Serialize;

/// Habits of one annotator on a question of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Habits {
    /// Answers.
    pub answers: usize,
    /// Share of answers that are multiples of the round step.
    pub round_share: f64,
    /// Different answers.
    pub distinct: usize,
    /// Share of the most frequent answer.
    pub commonest_share: f64,
    /// The most frequent answer; the smallest of several.
    pub commonest: f64,
    /// Standard deviation of the answers; 0 for one.
    pub sd: f64,
}

/// The habits behind these answers; `step` is what counts as round (5: 20, 25, 30 …), a positive number. `None` without answers. Answers
/// that are not finite are passed over.
pub fn habits(answers: &[f64], step: f64) -> Option<Habits> {
    let mut sorted: Vec<f64> = answers.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    if n == 0 {
        return None;
    }
    let round = |v: f64| {
        let steps = v / step;
        (steps - steps.round()).abs() < 1e-6 * steps.abs().max(1.0)
    };
    let (mut distinct, mut commonest, mut most) = (0, sorted[0], 0);
    for same in sorted.chunk_by(|a, b| a == b) {
        distinct += 1;
        if same.len() > most {
            (commonest, most) = (same[0], same.len());
        }
    }
    let mean = sorted.iter().sum::<f64>() / n as f64;
    let squares: f64 = sorted.iter().map(|v| (v - mean).powi(2)).sum();
    Some(Habits {
        answers: n,
        round_share: sorted.iter().filter(|v| round(**v)).count() as f64 / n as f64,
        distinct,
        commonest_share: most as f64 / n as f64,
        commonest,
        sd: if n > 1 {
            (squares / (n as f64 - 1.0)).sqrt()
        } else {
            0.0
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_answers_and_repeated_ones_are_counted() {
        let found = habits(&[20.0, 25.0, 25.0, 31.0, f64::NAN], 5.0).unwrap();
        assert_eq!((found.answers, found.distinct), (4, 3));
        assert_eq!(
            (found.round_share, found.commonest, found.commonest_share),
            (0.75, 25.0, 0.5)
        );
        // Inches given in centimetres: 68 and 70 inches are whole, 171 cm is not.
        let heights = habits(&[172.72, 177.8, 171.0], 2.54).unwrap();
        assert!((heights.round_share - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(habits(&[], 5.0), None);
        assert_eq!(habits(&[7.0], 5.0).unwrap().sd, 0.0);
    }
}
