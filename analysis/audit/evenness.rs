//! Whether things were used evenly: controls, places in a suite, annotators; and whether the votes hang together.

use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// How evenly counts are spread over things that should have equal counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evenness {
    /// Things counted.
    pub things: usize,
    /// Sum of the counts.
    pub total: u64,
    /// The smallest count.
    pub least: u64,
    /// The largest.
    pub most: u64,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation over mean.
    pub variation: f64,
    /// Probability of counts at least as uneven if each use fell on any thing by chance: χ². Near 1 means more even than chance, as a deck
    /// makes it.
    pub p: f64,
    /// Gini coefficient: 0 all equal, near 1 a few have all.
    pub gini: f64,
}

/// Evenness of counts; `None` for none or all 0.
pub fn evenness(counts: &[u64]) -> Option<Evenness> {
    let total: u64 = counts.iter().sum();
    let (least, most) = (counts.iter().min()?, counts.iter().max()?);
    if total == 0 {
        return None;
    }
    let n = counts.len() as f64;
    let mean = total as f64 / n;
    let squares: f64 = counts.iter().map(|c| (*c as f64 - mean).powi(2)).sum();
    Some(Evenness {
        things: counts.len(),
        total,
        least: *least,
        most: *most,
        mean,
        variation: (squares / n).sqrt() / mean,
        p: uniformity(counts),
        gini: gini(counts),
    })
}

/// Probability of counts at least as uneven if all things are equally likely (Pearson's χ²); 1 for fewer than two things or no counts. With
/// fewer than about five per thing it is rough.
pub fn uniformity(counts: &[u64]) -> f64 {
    let total: u64 = counts.iter().sum();
    let n = counts.len() as f64;
    if n < 2.0 || total == 0 {
        return 1.0;
    }
    let mean = total as f64 / n;
    let square: f64 = counts
        .iter()
        .map(|c| (*c as f64 - mean).powi(2) / mean)
        .sum();
    ChiSquared::new(n - 1.0).map_or(1.0, |chi| chi.sf(square))
}

/// Gini coefficient of counts (Gini 1912): half the mean difference over the mean; 0 without counts.
pub fn gini(counts: &[u64]) -> f64 {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let total: f64 = sorted.iter().map(|c| *c as f64).sum();
    let n = sorted.len() as f64;
    if total == 0.0 {
        return 0.0;
    }
    let weighted: f64 = (1u32..)
        .zip(&sorted)
        .map(|(i, c)| f64::from(i) * *c as f64)
        .sum();
    2.0 * weighted / (n * total) - (n + 1.0) / n
}

/// Sizes, in edges, of the parts into which annotators and items fall that are linked by votes, the largest first. More than one
/// part means that annotators of different parts were never compared on anything.
pub fn connected_parts(edges: &[(u32, u32)]) -> Vec<usize> {
    let annotators = edges.iter().map(|e| e.0 as usize + 1).max().unwrap_or(0);
    let items = edges.iter().map(|e| e.1 as usize + 1).max().unwrap_or(0);
    let mut parent: Vec<usize> = (0..annotators + items).collect();
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    for &(who, item) in edges {
        let a = root(&mut parent, who as usize);
        let b = root(&mut parent, annotators + item as usize);
        parent[a.max(b)] = a.min(b);
    }
    let mut sizes = vec![0; annotators + items];
    for &(who, _) in edges {
        let at = root(&mut parent, who as usize);
        sizes[at] += 1;
    }
    sizes.retain(|s| *s > 0);
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_and_uneven_counts_by_hand() {
        let even = evenness(&[5, 5, 5, 5]).unwrap();
        assert_eq!((even.variation, even.gini, even.p), (0.0, 0.0, 1.0));
        // One has all of ten: χ² = (7.5² + 3·2.5²)/2.5 = 30 with 3 degrees of freedom, p = 1.4e-6; Gini 3/4.
        let uneven = evenness(&[10, 0, 0, 0]).unwrap();
        assert!((uneven.p - 1.38e-6).abs() < 2e-8, "{}", uneven.p);
        assert!((uneven.gini - 0.75).abs() < 1e-12);
        assert_eq!(evenness(&[]), None);
        assert_eq!(evenness(&[0, 0]), None);
        assert_eq!(uniformity(&[7]), 1.0);
    }

    #[test]
    fn parts_that_share_no_item_are_told_apart() {
        assert_eq!(
            connected_parts(&[(0, 0), (1, 0), (1, 1), (2, 2), (3, 2)]),
            [3, 2]
        );
        assert_eq!(connected_parts(&[(0, 0), (1, 1), (2, 0), (2, 1)]), [4]);
        assert!(connected_parts(&[]).is_empty());
    }
}
