//! What controls say, in sums from which one control can be taken out again: the same sums as in `veche_analysis`, in SQL.
//!
//! A relation of *sums* has the columns that [`variance_ratio`] and [`noise`] read. There is one row for all controls, and
//! one per control for all others: the difference is what its own votes add.

use super::plan::double;

/// `SELECT *` of `from` with `{name}`: variance within annotators over variance between them (one-way analysis of variance
/// with unequal groups), NULL where it is infinite. `within` is the name under which the first of them is kept.
///
/// `big_n` votes of `big_g` annotators, `n2` the sum of squares of their numbers; `sum` and `b` are Σ x and Σ (Σ_u x)²/n_u;
/// `squares` is Σ x², of which `scale` is the greatest: what rounding is measured by.
pub(super) fn variance_ratio(
    from: &str,
    [sum, squares, b]: [&str; 3],
    name: &str,
    within: &str,
) -> String {
    let exact = |x: &str| format!("CASE WHEN {x} > 1E-12 * scale THEN {x} ELSE 0E0 END");
    let rest = exact(&format!("({squares} - {b})"));
    let spread = exact(&format!("({b} - {sum} * {sum} / big_n)"));
    format!(
        "SELECT *, CASE WHEN between_{name} > 0E0 THEN {within} / between_{name} END AS {name}
FROM (SELECT *, CASE WHEN {within} IS NOT NULL AND big_g > 1.5E0
    THEN ((spread_{name}) / (big_g - 1E0) - {within}) / ((big_n - n2 / big_n) / (big_g - 1E0)) END AS between_{name}
FROM (SELECT *, CASE WHEN big_n > big_g + 5E-1 THEN ({rest}) / (big_n - big_g) END AS {within},
    CASE WHEN big_n > 0E0 THEN {spread} END AS spread_{name}
FROM ({from}) x) x) x"
    )
}

/// `sums` with what estimates and standard errors rest on: `own`, `shared` (NULL without controls), `overall`, `scale_sq`,
/// and the prior of annotators `p_square`, `strength`, `common`, `bias_strength` (NULL where infinite), `p_variance`,
/// `p_shared`. `within` is the variance of votes within items, NULL where no item has two.
pub(super) fn noise(sums: &str) -> String {
    let signed = variance_ratio(sums, ["s", "q", "bs"], "kb", "w_signed");
    let both = variance_ratio(&signed, ["a", "q", "ba"], "ka", "w_absolute");
    format!(
        "SELECT *,
    CASE WHEN ka IS NULL THEN 1E6 ELSE GREATEST(1E0, LEAST(1E6, ka)) END AS strength,
    kb AS bias_strength,
    COALESCE(w_signed, p_square) AS p_variance,
    GREATEST(COALESCE(shared, 0E0) - common * common, 0E0) AS p_shared,
    COALESCE(own, 0E0) + COALESCE(shared, 0E0) AS scale_sq
FROM (SELECT *,
    COALESCE(mse, COALESCE(own, 0E0) + COALESCE(shared, 0E0)) AS p_square
FROM (SELECT *,
    CASE WHEN within IS NULL THEN mse ELSE within END AS own,
    CASE WHEN mse IS NULL THEN NULL WHEN within IS NULL THEN 0E0
        WHEN pairs > 5E-1 THEN GREATEST(products / pairs, 0E0)
        ELSE GREATEST(mse - within, 0E0) END AS shared,
    CASE WHEN big_n > 0E0 THEN GREATEST(a / big_n, 0E0) ELSE 0E0 END AS overall,
    CASE WHEN m_n < 1.5E0 THEN 0E0
        WHEN m_mean * m_mean <= m_variance + 1E-12 * m_q / m_n THEN 0E0
        ELSE m_mean * (1E0 - m_variance / (m_mean * m_mean)) END AS common
FROM (SELECT *,
    CASE WHEN big_n > 0E0 THEN q / big_n END AS mse,
    CASE WHEN m_n < 1.5E0 THEN 0E0 ELSE m_s / m_n END AS m_mean,
    CASE WHEN m_n < 1.5E0 THEN 0E0
        ELSE GREATEST(m_q / m_n - (m_s / m_n) * (m_s / m_n), 0E0) / (m_n - 1E0) END AS m_variance
FROM ({both}) x) x) x) x"
    )
}

/// An annotator as seen through a row of [`noise`], from `n`, `a`, `s` and `q`: Σ 1, |e|, e, e² over (other) controls.
/// Adds `mae`, `variance`, and of the prior's view `square`, `bias`, `unbiased` and `apart`.
pub(super) fn standing(from: &str) -> String {
    let k0 = double(5.0);
    format!(
        "SELECT *,
    GREATEST(unbiased - p_shared, 1E-1 * LEAST(unbiased, COALESCE(own, 0E0))) AS apart
FROM (SELECT *,
    (GREATEST(q_u - 2E0 * bias * s_u + n_u * bias * bias, 0E0) + strength * p_variance) / (n_u + strength)
        + CASE WHEN bias_strength IS NOT NULL AND n_u + COALESCE(bias_strength, 0E0) > 0E0
            THEN p_variance / (n_u + bias_strength) ELSE 0E0 END AS unbiased
FROM (SELECT *,
    CASE WHEN n_u > 0E0 THEN a_u / n_u ELSE overall END AS mae,
    CASE WHEN n_u > 0E0 THEN GREATEST(
        (q_u + {k0} * scale_sq) / (n_u + {k0}) - COALESCE(shared, 0E0), 1E-1 * COALESCE(own, 0E0))
        ELSE COALESCE(own, 0E0) END AS variance,
    (q_u + strength * p_square) / (n_u + strength) AS square,
    CASE WHEN bias_strength IS NOT NULL AND n_u > 0E0
        THEN (s_u + bias_strength * common) / (n_u + bias_strength) ELSE common END AS bias
FROM ({from}) x) x) x"
    )
}
