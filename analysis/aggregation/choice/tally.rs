//! Weighing the votes on one item by label.

/// Weights within this share of the greatest tie with it: sums of the same weights in another order differ in the last bits.
const TIE: f64 = 1e-12;

/// The winning label of an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Winner {
    pub(super) label: u32,
    pub(super) share: f64,
}

/// Adds up `weights` by label into `shares` (one entry per label), scales them to sum to 1, and returns the label with
/// the greatest share; of several, the one with the lowest index. `None` if all weights are zero.
pub(super) fn tally(
    labels: &[u32],
    weights: impl Iterator<Item = f64>,
    shares: &mut [f64],
) -> Option<Winner> {
    shares.fill(0.0);
    let mut total = 0.0;
    for (&label, weight) in labels.iter().zip(weights) {
        shares[label as usize] += weight;
        total += weight;
    }
    if total <= 0.0 {
        return None;
    }
    shares.iter_mut().for_each(|share| *share /= total);
    lowest_of_most(shares)
}

/// The label with the greatest of these shares; of several, the one with the lowest index. `None` without labels.
pub(super) fn lowest_of_most(shares: &[f64]) -> Option<Winner> {
    let most = shares.iter().copied().fold(0.0, f64::max);
    let label = shares.iter().position(|&s| s >= most * (1.0 - TIE))?;
    Some(Winner {
        label: label as u32,
        share: shares[label].min(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_label_wins_and_ties_go_to_the_lowest_index() {
        let mut shares = [0.0; 3];
        let w = tally(&[2, 0, 2], [1.0, 3.0, 1.0].into_iter(), &mut shares).unwrap();
        assert_eq!((w.label, w.share), (0, 0.6));
        assert_eq!(shares, [0.6, 0.0, 0.4]);
        // 0.1 + 0.2 is more than 0.3 by one bit, and a tie.
        let w = tally(&[2, 2, 1], [0.1, 0.2, 0.3].into_iter(), &mut shares).unwrap();
        assert_eq!(w.label, 1);
        assert_eq!(tally(&[1], [0.0].into_iter(), &mut shares), None);
    }
}
