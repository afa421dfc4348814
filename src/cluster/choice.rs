//! Labels that are words: majority, accuracy and log odds on controls, and one pass of Dawid and Skene, as queries.

use super::evidence::variance_ratio;
use super::plan::Plan;
use super::source::Source;
use crate::{Result, problem};
use veche_analysis::aggregation::ChoiceMethod;

/// The methods that are queries, and those that are some passes of them.
pub(super) const METHODS: &[ChoiceMethod] = &[
    ChoiceMethod::Majority,
    ChoiceMethod::ControlAccuracy,
    ChoiceMethod::ControlLogOdds,
    ChoiceMethod::DawidSkene,
    ChoiceMethod::DawidSkenePooled,
];

/// Weights within this share of the greatest tie with it, as in the embedded engine.
const TIE: &str = "(1E0 - 1E-12)";

/// Errors if a method is no query; says which are.
pub(super) fn check(method: ChoiceMethod) -> Result<()> {
    if METHODS.contains(&method) {
        return Ok(());
    }
    problem("this method is not computed on a cluster")
        .value(method.name())
        .hint(super::names())
        .fail()
}

/// Votes and labels as numbers: of labels that are all numbers the smallest first, else as words.
pub(super) fn ballots(source: &Source) -> Plan {
    let mut plan = Plan::default();
    source.votes(&mut plan, "CAST({} AS STRING) AS v");
    source.truths(&mut plan, "CAST({} AS STRING)", "z");
    let known = match source.all_truths("CAST({} AS STRING)", "z") {
        Some(query) => format!("\n    UNION SELECT z AS label FROM ({query}) x"),
        None => String::new(),
    };
    plan.table(
        "veche_names",
        "The labels in their order.",
        format!(
            "SELECT label, CAST(ROW_NUMBER() OVER (ORDER BY value, label) AS BIGINT) - 1 AS l,
    CAST(COUNT(*) OVER () AS DOUBLE) AS big_k, voted
FROM (SELECT label, voted, CASE WHEN MIN(CASE WHEN TRY_CAST(label AS DOUBLE) IS NULL THEN 0 ELSE 1 END) OVER () = 1
        THEN TRY_CAST(label AS DOUBLE) ELSE 0E0 END AS value
FROM (SELECT a.label, CASE WHEN b.label IS NULL THEN 0 ELSE 1 END AS voted
    FROM (SELECT DISTINCT v AS label FROM veche_votes{known}) a
    LEFT JOIN (SELECT DISTINCT v AS label FROM veche_votes) b ON a.label = b.label) x) x"
        ),
    );
    plan.view(
        "veche_ballots",
        "Every vote with the number of its label.",
        "SELECT v.item, v.annotator, n.l FROM veche_votes v JOIN veche_names n ON v.v = n.label"
            .into(),
    );
    plan
}

/// The plan that labels every item by a method that is a formula.
pub(super) fn plan(source: &Source, method: ChoiceMethod) -> Plan {
    let mut plan = ballots(source);
    match method {
        ChoiceMethod::Majority => plan.view(
            "veche_weights",
            "Every vote counts the same.",
            "SELECT item, l, 1E0 AS w FROM veche_ballots".into(),
        ),
        _ => weights(&mut plan, method == ChoiceMethod::ControlLogOdds),
    }
    plan.view(
        "veche_sums",
        "Votes and weights for every label of an item.",
        "SELECT item, l, SUM(w) AS w, CAST(COUNT(*) AS DOUBLE) AS n, MAX(ABS(w)) AS greatest FROM veche_weights GROUP BY item, l"
            .into(),
    );
    let shares = if method == ChoiceMethod::ControlLogOdds {
        // A label nobody chose has weight 0, which may be more than all others have.
        "SELECT item, l, k, CASE WHEN greatest < 1E-12 THEN n / k ELSE e / SUM(e) OVER (PARTITION BY item) END AS share
FROM (SELECT *, EXP(w - MAX(w) OVER (PARTITION BY item)) AS e
FROM (SELECT g.item, g.l, g.k, g.greatest, COALESCE(s.w, 0E0) AS w, COALESCE(s.n, 0E0) AS n
    FROM (SELECT i.item, i.k, i.greatest, n.l
        FROM (SELECT item, SUM(n) AS k, MAX(greatest) AS greatest FROM veche_sums GROUP BY item) i CROSS JOIN veche_names n) g
    LEFT JOIN veche_sums s ON g.item = s.item AND g.l = s.l) x) x"
    } else {
        // Where nobody on the item has ever been right, the majority.
        "SELECT item, l, k, CASE WHEN total > 0E0 THEN w / total ELSE n / k END AS share
FROM (SELECT *, SUM(w) OVER (PARTITION BY item) AS total, SUM(n) OVER (PARTITION BY item) AS k FROM veche_sums) x"
    };
    plan.view(
        "veche_shares",
        "The share of every label of an item.",
        shares.into(),
    );
    winners(&mut plan);
    plan
}

/// The label with the greatest share, of tied ones the first.
pub(super) fn winners(plan: &mut Plan) {
    plan.result(
        "veche_labels",
        "The labels.",
        format!(
            "SELECT CAST(w.item AS STRING) AS item, n.label, w.confidence, w.votes
FROM (SELECT item, MIN(CASE WHEN share >= most * {TIE} THEN l END) AS l, CAST(MAX(k) AS BIGINT) AS votes,
        LEAST(MAX(most), 1E0) AS confidence
    FROM (SELECT *, MAX(share) OVER (PARTITION BY item) AS most FROM veche_shares) x GROUP BY item) w
JOIN veche_names n ON w.l = n.l"
        ),
    );
}

fn weights(plan: &mut Plan, odds: bool) {
    plan.table(
        "veche_seen",
        "Votes on controls; right or wrong.",
        "SELECT b.item, b.annotator, b.l, CASE WHEN b.l = n.l THEN 1E0 ELSE 0E0 END AS hit
FROM veche_ballots b JOIN veche_truths t ON b.item = t.item JOIN veche_names n ON t.z = n.label"
            .into(),
    );
    plan.table(
        "veche_annotators",
        "Answers and right answers of every annotator.",
        "SELECT annotator, CAST(COUNT(*) AS DOUBLE) AS n, SUM(hit) AS a FROM veche_seen GROUP BY annotator".into(),
    );
    plan.table(
        "veche_sums_of_all",
        "Sums over all controls; one row.",
        "SELECT CAST(COUNT(*) AS DOUBLE) AS big_g, SUM(n) AS big_n, SUM(n * n) AS n2, SUM(a) AS a, SUM(a * a / n) AS ba,
    SUM(a) AS scale, SUM(n) AS total FROM veche_annotators"
            .into(),
    );
    plan.view(
        "veche_own",
        "Every vote on a control with its annotator's answers to the other controls.",
        "SELECT e.item, e.annotator, e.l, u.n, u.a, u.n - 1E0 AS n_u, u.a - e.hit AS a_u
FROM veche_seen e JOIN veche_annotators u ON e.annotator = u.annotator"
            .into(),
    );
    plan.view(
        "veche_strength",
        "How far accuracies are drawn to that of all; one row.",
        strength("SELECT * FROM veche_sums_of_all"),
    );
    plan.table(
        "veche_control_strength",
        "The same without the control, for every control.",
        strength(
            "SELECT d.item, t.big_g + d.g AS big_g, t.big_n - d.n AS big_n, t.n2 + d.n2 AS n2, t.a + d.a AS a,
        t.ba + d.ba AS ba, t.scale, t.total - d.n AS total
    FROM (SELECT item, CAST(COUNT(*) AS DOUBLE) AS n, SUM(CASE WHEN n_u > 0E0 THEN 0E0 ELSE -1E0 END) AS g,
            SUM(n_u * n_u - n * n) AS n2, SUM(a_u - a) AS a,
            SUM(CASE WHEN n_u > 0E0 THEN a_u * a_u / n_u ELSE 0E0 END - a * a / n) AS ba
        FROM veche_own GROUP BY item) d CROSS JOIN veche_sums_of_all t",
        ),
    );
    plan.view(
        "veche_stranger",
        "Whoever answered no control; one row.",
        weight(
            "SELECT *, 0E0 AS n_u, 0E0 AS a_u FROM veche_strength",
            "",
            odds,
        ),
    );
    plan.table(
        "veche_terms",
        "The weight of every annotator, for items that are no controls.",
        weight(
            "SELECT u.annotator, u.n AS n_u, u.a AS a_u, c.ka, c.overall, c.total FROM veche_annotators u CROSS JOIN veche_strength c",
            "annotator, ",
            odds,
        ),
    );
    plan.view(
        "veche_weights",
        "Every vote with its weight. On controls the weight comes from the other controls.",
        format!(
            "SELECT v.item, v.l, COALESCE(u.w, d.w) AS w
FROM veche_ballots v LEFT JOIN veche_terms u ON v.annotator = u.annotator
LEFT JOIN veche_control_strength t ON v.item = t.item CROSS JOIN veche_stranger d WHERE t.item IS NULL
UNION ALL
{}",
            weight(
                "SELECT o.item, o.l, o.n_u, o.a_u, c.ka, c.overall, c.total
    FROM veche_own o JOIN veche_control_strength c ON o.item = c.item",
                "item, l, ",
                odds,
            )
        ),
    );
}

/// `ka` as in `variance_ratio` and the overall accuracy.
fn strength(sums: &str) -> String {
    format!(
        "SELECT *, CASE WHEN big_n > 0E0 THEN GREATEST(a / big_n, 0E0) ELSE 0E0 END AS overall FROM ({}) y",
        variance_ratio(sums, ["a", "a", "ba"], "ka", "w_accuracy")
    )
}

/// The weight of an annotator with `a_u` right of `n_u` answers.
fn weight(from: &str, columns: &str, odds: bool) -> String {
    let accuracy = "CASE WHEN n_u > 0E0 AND ka IS NOT NULL THEN (GREATEST(a_u, 0E0) + ka * overall) / (n_u + ka) ELSE overall END";
    if !odds {
        return format!("SELECT {columns}{accuracy} AS w FROM ({from}) y");
    }
    format!(
        "SELECT {columns}CASE WHEN big_k < 2E0 THEN 1E0 ELSE LN((big_k - 1E0) * sure / (1E0 - sure)) END AS w
FROM (SELECT *, GREATEST(edge, LEAST(1E0 - edge, accuracy)) AS sure
FROM (SELECT *, 5E-1 / (CASE WHEN n_u > 0E0 THEN LEAST(n_u + COALESCE(ka, total), total) ELSE total END + 1E0) AS edge,
    {accuracy} AS accuracy
FROM ({from}) y CROSS JOIN (SELECT MAX(big_k) AS big_k FROM veche_names) k) y) y"
    )
}
