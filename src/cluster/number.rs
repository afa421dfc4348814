//! Labels that are numbers: the closed formulas of `veche_analysis` as queries.

use super::evidence::{noise, standing};
use super::plan::{Plan, double};
use super::source::Source;
use crate::{Result, problem};
use veche_analysis::{
    aggregation::{NumberMethod, NumberSettings, number::calibration::LEAST_CONTROLS},
    interval::normal_quantile,
};

/// The methods that are queries.
pub(super) const METHODS: &[NumberMethod] = &[
    NumberMethod::Mean,
    NumberMethod::Median,
    NumberMethod::ExpMae,
    NumberMethod::InverseMae,
    NumberMethod::InverseMae2,
    NumberMethod::InverseMse,
    NumberMethod::InverseMseUnbiased,
    NumberMethod::InverseMseUnbiasedShared,
];

/// Logarithm of an annotator's weight, what is subtracted from a vote, and the variance of a vote.
fn term(method: NumberMethod, settings: &NumberSettings) -> Result<[String; 3]> {
    let log = |variance: &str| {
        format!(
            "CASE WHEN scale_sq > 0E0 THEN -LN(GREATEST({variance} / scale_sq, 1E-6)) ELSE 0E0 END"
        )
    };
    let inverse = |power: &str| {
        format!(
            "CASE WHEN overall > 0E0 THEN {power} * LN(overall / GREATEST(mae, 1E-3 * overall)) ELSE 0E0 END"
        )
    };
    let plain = |weight: String| [weight, "0E0".into(), "variance".into()];
    Ok(match method {
        NumberMethod::Mean | NumberMethod::Median => plain("0E0".into()),
        NumberMethod::ExpMae => plain(format!("-mae / {}", double(settings.temperature))),
        NumberMethod::InverseMae => plain(inverse("1E0")),
        NumberMethod::InverseMae2 => plain(inverse("2E0")),
        NumberMethod::InverseMse => plain(log("square")),
        NumberMethod::InverseMseUnbiased => [log("unbiased"), "bias".into(), "apart".into()],
        NumberMethod::InverseMseUnbiasedShared => [log("apart"), "bias".into(), "apart".into()],
        other => return super::not_a_query(other.name()),
    })
}

/// The plan that labels every item by `method`. `controls` says whether any answer is known.
pub(super) fn plan(
    source: &Source,
    method: NumberMethod,
    settings: &NumberSettings,
    controls: bool,
) -> Result<Plan> {
    settings.check()?;
    let mut plan = evidence(source, controls);
    label(&mut plan, method, settings, controls)?;
    Ok(plan)
}

/// The same evidence for all methods.
pub(super) fn evidence(source: &Source, controls: bool) -> Plan {
    let mut plan = Plan::default();
    source.votes(&mut plan, "CAST({} AS DOUBLE) AS v");
    plan.table(
        "veche_within",
        "How votes scatter within items; one row.",
        "SELECT CAST(COUNT(*) AS DOUBLE) AS items, SUM(k) AS votes,
    CASE WHEN SUM(k - 1E0) > 0E0 THEN SUM(squares) / SUM(k - 1E0) END AS within
FROM (SELECT CAST(COUNT(*) AS DOUBLE) AS k, VAR_POP(v) * CAST(COUNT(*) AS DOUBLE) AS squares
    FROM veche_votes GROUP BY item) x"
            .into(),
    );
    if controls {
        source.truths(&mut plan, "CAST({} AS DOUBLE)", "z");
        plan.table(
            "veche_seen",
            "Votes on controls with their errors.",
            "SELECT v.item, v.annotator, v.v, t.z, v.v - t.z AS e
FROM veche_votes v JOIN veche_truths t ON v.item = t.item"
                .into(),
        );
        plan.table(
            "veche_annotators",
            "Sums of every annotator's errors.",
            "SELECT annotator, CAST(COUNT(*) AS DOUBLE) AS n, SUM(ABS(e)) AS a, SUM(e) AS s, SUM(e * e) AS q
FROM veche_seen GROUP BY annotator"
                .into(),
        );
        plan.view(
            "veche_controls",
            "Sums of every control's errors.",
            "SELECT item, MIN(z) AS z, CAST(COUNT(*) AS DOUBLE) AS n, SUM(e) AS s, SUM(e * e) AS q
FROM veche_seen GROUP BY item"
                .into(),
        );
        plan.table(
            "veche_sums",
            "The same over all controls; one row.",
            "SELECT u.*, c.*, q AS scale, w.within
FROM (SELECT CAST(COUNT(*) AS DOUBLE) AS big_g, SUM(n) AS big_n, SUM(n * n) AS n2, SUM(a) AS a, SUM(s) AS s,
        SUM(q) AS q, SUM(a * a / n) AS ba, SUM(s * s / n) AS bs FROM veche_annotators) u
CROSS JOIN (SELECT SUM(s * s - q) AS products, SUM(n * n - n) AS pairs, CAST(COUNT(*) AS DOUBLE) AS m_n,
        SUM(s / n) AS m_s, SUM((s / n) * (s / n)) AS m_q FROM veche_controls) c
CROSS JOIN veche_within w"
                .into(),
        );
        plan.view(
            "veche_own",
            "Every vote on a control with its annotator's sums over the other controls.",
            "SELECT e.item, e.annotator, e.v, e.e, u.n, u.a, u.s, u.q, u.n - 1E0 AS n_u,
    CASE WHEN u.n > 1E0 THEN GREATEST(u.a - ABS(e.e), 0E0) ELSE 0E0 END AS a_u,
    CASE WHEN u.n > 1E0 THEN u.s - e.e ELSE 0E0 END AS s_u,
    CASE WHEN u.n > 1E0 THEN GREATEST(u.q - e.e * e.e, 0E0) ELSE 0E0 END AS q_u
FROM veche_seen e JOIN veche_annotators u ON e.annotator = u.annotator"
                .into(),
        );
        plan.table(
            "veche_control_noise",
            "What is known without the control, for every control.",
            noise(
                "SELECT d.item, c.z, t.big_g + d.g AS big_g, t.big_n - c.n AS big_n, t.n2 + d.n2 AS n2, t.a + d.a AS a,
        t.s + d.s AS s, CASE WHEN t.big_n - c.n > 0E0 THEN GREATEST(t.q - c.q, 0E0) ELSE 0E0 END AS q,
        t.ba + d.ba AS ba, t.bs + d.bs AS bs, t.products - (c.s * c.s - c.q) AS products,
        t.pairs - (c.n * c.n - c.n) AS pairs, t.m_n - 1E0 AS m_n, t.m_s - c.s / c.n AS m_s,
        t.m_q - (c.s / c.n) * (c.s / c.n) AS m_q, t.scale, t.within
    FROM (SELECT item, SUM(CASE WHEN n_u > 0E0 THEN 0E0 ELSE -1E0 END) AS g, SUM(n_u * n_u - n * n) AS n2,
            SUM(a_u - a) AS a, SUM(s_u - s) AS s,
            SUM(CASE WHEN n_u > 0E0 THEN a_u * a_u / n_u ELSE 0E0 END - a * a / n) AS ba,
            SUM(CASE WHEN n_u > 0E0 THEN s_u * s_u / n_u ELSE 0E0 END - s * s / n) AS bs
        FROM veche_own GROUP BY item) d
    JOIN veche_controls c ON d.item = c.item CROSS JOIN veche_sums t",
            ),
        );
        plan.table(
            "veche_noise",
            "What is known from all controls; one row.",
            noise("SELECT * FROM veche_sums"),
        );
    } else {
        plan.view(
            "veche_noise",
            "Nothing is known but how votes scatter; one row.",
            noise(
                "SELECT 0E0 AS big_g, 0E0 AS big_n, 0E0 AS n2, 0E0 AS a, 0E0 AS s, 0E0 AS q, 0E0 AS ba, 0E0 AS bs,
        0E0 AS products, 0E0 AS pairs, 0E0 AS m_n, 0E0 AS m_s, 0E0 AS m_q, 0E0 AS scale, within FROM veche_within",
            ),
        );
    }
    plan
}

fn label(
    plan: &mut Plan,
    method: NumberMethod,
    settings: &NumberSettings,
    controls: bool,
) -> Result<()> {
    let [weight, offset, variance] = term(method, settings)?;
    let terms = format!("{weight} AS lw, {offset} AS off, {variance} AS var");
    plan.view(
        "veche_stranger",
        "Whoever answered no control; one row.",
        format!(
            "SELECT {terms} FROM ({}) y",
            standing("SELECT *, 0E0 AS n_u, 0E0 AS a_u, 0E0 AS s_u, 0E0 AS q_u FROM veche_noise")
        ),
    );
    if controls {
        plan.table(
            "veche_terms",
            "Weight, correction and variance of every annotator, for items that are no controls.",
            format!(
                "SELECT annotator, {terms} FROM ({}) y",
                standing(
                    "SELECT u.annotator, u.n AS n_u, u.a AS a_u, u.s AS s_u, u.q AS q_u, c.own, c.shared, c.overall, c.scale_sq,
        c.p_square, c.strength, c.common, c.bias_strength, c.p_variance, c.p_shared
    FROM veche_annotators u CROSS JOIN veche_noise c"
                )
            ),
        );
        plan.view(
            "veche_ballots",
            "Every vote with its weight. On controls the weight comes from the other controls.",
            format!(
                "SELECT v.item, v.v, COALESCE(u.lw, d.lw) AS lw, COALESCE(u.off, d.off) AS off, COALESCE(u.var, d.var) AS var
FROM veche_votes v LEFT JOIN veche_terms u ON v.annotator = u.annotator
LEFT JOIN veche_truths t ON v.item = t.item CROSS JOIN veche_stranger d WHERE t.item IS NULL
UNION ALL
SELECT item, v, {terms} FROM ({}) y",
                standing(
                    "SELECT w.item, w.v, w.n_u, w.a_u, w.s_u, w.q_u, c.own, c.shared, c.overall, c.scale_sq,
        c.p_square, c.strength, c.common, c.bias_strength, c.p_variance, c.p_shared
    FROM veche_own w JOIN veche_control_noise c ON w.item = c.item"
                )
            ),
        );
    } else {
        plan.view(
            "veche_ballots",
            "Every vote with its weight.",
            "SELECT v.item, v.v, d.lw, d.off, d.var FROM veche_votes v CROSS JOIN veche_stranger d"
                .into(),
        );
    }
    plan.view("veche_points", "An estimate per item.", points(method));
    plan.table(
        "veche_estimates",
        "With its standard error as the variances say, and on controls the error in such units.",
        estimates(method.corrects_bias(), controls),
    );
    calibrated(plan, settings.level);
    Ok(())
}

fn points(method: NumberMethod) -> String {
    if method == NumberMethod::Median {
        let pi = double(std::f64::consts::PI);
        // The law of the median for unequal annotators, and its variance relative to the mean's (see docs/methods.md).
        return format!(
            "SELECT item, value, CASE WHEN least <= 0E0 THEN 0E0 ELSE factor * k / (precise * precise) END AS variance,
    k AS effective, k
FROM (SELECT *, CASE WHEN k > 2E0
    THEN k * {pi} / (2E0 * (k + 1E0 - MOD(k, 2E0) + {pi} / 2E0 - 1E0)) ELSE 1E0 END AS factor
FROM (SELECT item, AVG(CASE WHEN 2E0 * place BETWEEN k AND k + 2E0 THEN v END) AS value, MAX(k) AS k, MIN(var) AS least,
    SUM(CASE WHEN var > 0E0 THEN 1E0 / SQRT(var) ELSE 0E0 END) AS precise
FROM (SELECT item, v, var, CAST(ROW_NUMBER() OVER (PARTITION BY item ORDER BY v) AS DOUBLE) AS place,
        CAST(COUNT(*) OVER (PARTITION BY item) AS DOUBLE) AS k
    FROM veche_ballots) x GROUP BY item) x) x"
        );
    }
    let value = "base + wv / w1";
    let value = if method.corrects_bias() {
        value.to_owned()
    } else {
        // Rounding may carry a mean of equal votes past them.
        format!("LEAST(GREATEST({value}, base), top)")
    };
    format!(
        "SELECT item, {value} AS value, wvar / (w1 * w1) AS variance, w1 * w1 / w2 AS effective, k
FROM (SELECT item, MIN(base) AS base, MAX(v) AS top, CAST(COUNT(*) AS DOUBLE) AS k, SUM(w) AS w1, SUM(w * w) AS w2,
    SUM(w * (v - base - off)) AS wv, SUM(w * w * var) AS wvar
FROM (SELECT *, EXP(lw - most) AS w
FROM (SELECT *, MAX(lw) OVER (PARTITION BY item) AS most, MIN(v) OVER (PARTITION BY item) AS base FROM veche_ballots) x) x
GROUP BY item) x"
    )
}

fn estimates(unbiased: bool, controls: bool) -> String {
    let shared = if unbiased {
        "p_shared"
    } else {
        "COALESCE(shared, 0E0)"
    };
    let (columns, from) = if controls {
        (
            format!(
                "p.item, c.z, p.value, p.k, p.effective, COALESCE(c.own, CASE WHEN c.item IS NULL THEN a.own END) AS own,
        p.variance + CASE WHEN c.item IS NULL THEN a.s ELSE c.s END AS total"
            ),
            format!(
                "veche_points p LEFT JOIN (SELECT item, z, own, {shared} AS s FROM veche_control_noise) c ON p.item = c.item
    CROSS JOIN (SELECT own, {shared} AS s FROM veche_noise) a"
            ),
        )
    } else {
        (
            format!(
                "p.item, CAST(NULL AS DOUBLE) AS z, p.value, p.k, p.effective, a.own, p.variance + {shared} AS total"
            ),
            "veche_points p CROSS JOIN veche_noise a".into(),
        )
    };
    format!(
        "SELECT *, CASE WHEN z IS NOT NULL AND se IS NOT NULL THEN ABS(value - z) / se END AS r
FROM (SELECT item, z, value, k, effective, CASE WHEN own IS NOT NULL AND total > 0E0 THEN SQRT(total) END AS se
FROM (SELECT {columns}
    FROM {from}) x) x"
    )
}

/// Standard errors and intervals fitted to the errors on controls (split conformal prediction), where there are enough.
fn calibrated(plan: &mut Plan, level: f64) {
    let least = double(LEAST_CONTROLS as f64);
    let (level, quantile) = (double(level), double(normal_quantile(level)));
    plan.table(
        "veche_calibration",
        "What controls say about standard errors; one row. Everything is NULL with too few controls.",
        format!(
            "SELECT COUNT(*) AS ratios, MAX(n) AS n, MAX(squares) AS squares,
    MAX(CASE WHEN place = CEIL((n + 1E0) * {level} - 1E-9) THEN r END) AS half,
    MAX(CASE WHEN place = CEIL(n * {level} - 1E-9) THEN r END) AS own_half,
    MAX(CASE WHEN place = CEIL(n * {level} - 1E-9) + 1E0 THEN r END) AS next_half
FROM (SELECT r, CAST(ROW_NUMBER() OVER (ORDER BY r) AS DOUBLE) AS place, n, squares
    FROM (SELECT r FROM veche_estimates WHERE r IS NOT NULL) y
    CROSS JOIN (SELECT CAST(COUNT(r) AS DOUBLE) AS n, SUM(r * r) AS squares FROM veche_estimates) t
    WHERE n >= {least}) x"
        ),
    );
    plan.result(
        "veche_labels",
        "The labels.",
        format!(
            "SELECT CAST(item AS STRING) AS item, value AS estimate, se * factor AS se,
    CASE WHEN factor > 0E0 THEN value - se * half END AS low, CASE WHEN factor > 0E0 THEN value + se * half END AS high,
    CAST(k AS BIGINT) AS votes, effective AS effective_votes
FROM (SELECT item, value, se, k, effective, CASE WHEN factor > 0E0 THEN factor END AS factor,
    CASE WHEN n IS NULL THEN {quantile}
        WHEN r IS NULL THEN COALESCE(half, factor * {quantile})
        WHEN CEIL(n * {level} - 1E-9) > n - 1E0 THEN factor * {quantile}
        WHEN own_half >= r THEN next_half ELSE own_half END AS half
FROM (SELECT e.*, c.n, c.half, c.own_half, c.next_half,
    CASE WHEN c.n IS NULL THEN 1E0 WHEN e.r IS NULL THEN SQRT(c.squares / c.n)
        ELSE SQRT(GREATEST(c.squares - e.r * e.r, 0E0) / (c.n - 1E0)) END AS factor
    FROM veche_estimates e CROSS JOIN veche_calibration c) x) x"
        ),
    );
}

/// Errors if a method is no query; says which are.
pub(super) fn check(method: NumberMethod) -> Result<()> {
    if METHODS.contains(&method) {
        return Ok(());
    }
    problem("this method is not computed on a cluster")
        .value(method.name())
        .hint(super::names())
        .fail()
}
