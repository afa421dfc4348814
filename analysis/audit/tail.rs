//! Sums of unlike chances.

/// Probability that at least `k` of independent events happen, each with its own probability (Poisson binomial; Wang 1993). Exact by
/// convolution up to 1,000 events; beyond that the normal distribution with continuity and skewness corrected (Volkova 1996).
/// 1 for `k` = 0, 0 for more than there are events.
pub fn at_least(k: usize, chances: &[f64]) -> f64 {
    if k == 0 {
        return 1.0;
    }
    let n = chances.len();
    if k > n {
        return 0.0;
    }
    if n > 1000 {
        return volkova(k, chances);
    }
    // ways[j]: probability of j events so far; k and more are gathered in `reached`.
    let mut ways = vec![0.0; k];
    ways[0] = 1.0;
    let mut reached = 0.0;
    for &p in chances {
        let p = p.clamp(0.0, 1.0);
        reached += ways[k - 1] * p;
        for j in (1..k).rev() {
            ways[j] = ways[j] * (1.0 - p) + ways[j - 1] * p;
        }
        ways[0] *= 1.0 - p;
    }
    f64::min(reached, 1.0)
}

fn volkova(k: usize, chances: &[f64]) -> f64 {
    let (mut mean, mut variance, mut third) = (0.0, 0.0, 0.0);
    for &p in chances {
        let p = p.clamp(0.0, 1.0);
        mean += p;
        variance += p * (1.0 - p);
        third += p * (1.0 - p) * (1.0 - 2.0 * p);
    }
    if variance <= 0.0 {
        return f64::from(u8::from(mean >= k as f64 - 0.5));
    }
    let sd = variance.sqrt();
    let x = (k as f64 - 0.5 - mean) / sd;
    let skew = third / (variance * sd);
    let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let upper = 0.5 * statrs::function::erf::erfc(x / std::f64::consts::SQRT_2);
    (upper - skew * (1.0 - x * x) * density / 6.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_coins_and_a_die_by_hand() {
        // ½, ½, ⅙: none ½·½·⅚ = 5/24; all 1/24; at least two: ¼·⅚ + 2·¼·⅙ + ¼·⅙ = 5/24 + 2/24 + 1/24.
        let chances = [0.5, 0.5, 1.0 / 6.0];
        for (k, expected) in [
            (0, 1.0),
            (1, 19.0 / 24.0),
            (2, 8.0 / 24.0),
            (3, 1.0 / 24.0),
            (4, 0.0),
        ] {
            assert!((at_least(k, &chances) - expected).abs() < 1e-15, "{k}");
        }
        assert_eq!(at_least(1, &[]), 0.0);
    }

    #[test]
    fn equal_chances_are_a_binomial_and_many_are_near_the_exact_sum() {
        use statrs::distribution::{Binomial, DiscreteCDF};
        let binomial = Binomial::new(0.2, 40).unwrap();
        for k in 1..=40u64 {
            let exact = 1.0 - binomial.cdf(k - 1);
            assert!((at_least(k as usize, &[0.2; 40]) - exact).abs() < 1e-12);
        }
        let many = Binomial::new(0.2, 1500).unwrap();
        for k in [250u64, 300, 340, 360] {
            let exact = many.sf(k - 1);
            let found = at_least(k as usize, &[0.2; 1500]);
            assert!(
                (found - exact).abs() < 0.02 * exact + 1e-6,
                "{k}: {found} {exact}"
            );
        }
    }
}
