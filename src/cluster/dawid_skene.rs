//! Dawid and Skene's expectation-maximisation, a pass at a time: posteriors of items and confusions of annotators are tables.

use super::choice::{ballots, winners};
use super::plan::{Plan, double};
use super::source::Source;

/// Probabilities and counts below this are taken as this much, as in the embedded engine.
const FLOOR: &str = "1E-10";

/// Whether annotators' confusions are drawn to those of all, by so many votes per true label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Passes {
    pub(super) pooling: Option<f64>,
}

impl Passes {
    /// Everything before the first pass: shares of the votes, and what they say about annotators.
    pub(super) fn start(self, source: &Source) -> Plan {
        let mut plan = ballots(source);
        plan.table(
            "veche_classes",
            "The labels that somebody said: the only ones about which anything can be learned.",
            "SELECT l AS c, CAST(COUNT(*) OVER () AS DOUBLE) AS active FROM veche_names WHERE voted = 1".into(),
        );
        plan.table(
            "veche_rows",
            "Labels that every annotator used.",
            "SELECT DISTINCT annotator, l FROM veche_ballots".into(),
        );
        plan.table(
            "veche_posteriors_0",
            "Shares of the votes on every item.",
            "SELECT item, c, n / k AS p, 0E0 AS ll, k FROM (SELECT *, SUM(n) OVER (PARTITION BY item) AS k
FROM (SELECT item, l AS c, CAST(COUNT(*) AS DOUBLE) AS n FROM veche_ballots GROUP BY item, l) x) x"
                .into(),
        );
        self.learn(&mut plan, 0);
        plan
    }

    /// Pass `t` from 1 on: posteriors by the parameters of the pass before, and the parameters they make.
    pub(super) fn pass(self, t: usize) -> Plan {
        let mut plan = Plan::default();
        let before = t - 1;
        plan.table(
            format!("veche_posteriors_{t}"),
            "Posteriors of every item and the log-likelihood of its votes.",
            format!(
                "SELECT item, c, e / total AS p, most + LN(total) AS ll, k
FROM (SELECT *, SUM(e) OVER (PARTITION BY item) AS total FROM (SELECT *, EXP(score - most) AS e
FROM (SELECT *, MAX(score) OVER (PARTITION BY item) AS most
FROM (SELECT v.item, q.c, SUM(q.lp) + MIN(r.lprior) AS score, CAST(COUNT(*) AS DOUBLE) AS k
    FROM veche_ballots v JOIN veche_confusions_{before} q ON v.annotator = q.annotator AND v.l = q.l
    JOIN veche_priors_{before} r ON q.c = r.c GROUP BY v.item, q.c) x) x) x) x"
            ),
        );
        self.learn(&mut plan, t);
        plan
    }

    fn learn(self, plan: &mut Plan, t: usize) {
        plan.table(
            format!("veche_priors_{t}"),
            "Logarithms of the shares of true labels.",
            format!(
                "SELECT c.c, LN(GREATEST(COALESCE(s.p, 0E0) / i.items, {FLOOR})) AS lprior
FROM veche_classes c LEFT JOIN (SELECT c, SUM(p) AS p FROM veche_posteriors_{t} GROUP BY c) s ON c.c = s.c
CROSS JOIN (SELECT CAST(COUNT(DISTINCT item) AS DOUBLE) AS items FROM veche_posteriors_{t}) i"
            ),
        );
        let counts = format!(
            "SELECT g.annotator, g.l, g.c, COALESCE(s.n, 0E0) AS n
    FROM (SELECT r.annotator, r.l, c.c FROM veche_rows r CROSS JOIN veche_classes c) g
    LEFT JOIN (SELECT v.annotator, v.l, p.c, SUM(p.p) AS n FROM veche_ballots v JOIN veche_posteriors_{t} p ON v.item = p.item
        GROUP BY v.annotator, v.l, p.c) s ON g.annotator = s.annotator AND g.l = s.l AND g.c = s.c"
        );
        let query = match self.pooling {
            None => format!(
                "SELECT annotator, l, c, n,
    LN(GREATEST(n, {FLOOR}) / SUM(GREATEST(n, {FLOOR})) OVER (PARTITION BY annotator, c)) AS lp
FROM ({counts}) x"
            ),
            Some(kappa) => pooled(&counts, kappa),
        };
        plan.table(
            format!("veche_confusions_{t}"),
            "Expected numbers of votes for every annotator, label said and true label, and the logarithms of their shares.",
            query,
        );
    }

    /// The query whose one value the passes are ended by, before it is divided by the number of votes.
    pub(super) fn objective(self, t: usize) -> String {
        if self.pooling.is_some() {
            return format!(
                "SELECT SUM(ll) / MIN(active) AS objective FROM veche_posteriors_{t} CROSS JOIN (SELECT MAX(active) AS active FROM veche_classes) k"
            );
        }
        format!(
            "SELECT a.h + b.e AS objective
FROM (SELECT SUM(CASE WHEN p > 0E0 THEN -p * LN(p) ELSE 0E0 END) AS h FROM veche_posteriors_{t}) a
CROSS JOIN (SELECT SUM(CASE WHEN q.n > 0E0 THEN q.n * (q.lp + r.lprior) ELSE 0E0 END) AS e
    FROM veche_confusions_{t} q JOIN veche_priors_{t} r ON q.c = r.c) b"
        )
    }

    /// The query of the greatest change of a posterior in pass `t`.
    #[cfg(feature = "spark")]
    pub(super) fn change(self, t: usize) -> String {
        format!(
            "SELECT MAX(ABS(a.p - COALESCE(b.p, 0E0))) AS change
FROM veche_posteriors_{t} a LEFT JOIN veche_posteriors_{} b ON a.item = b.item AND a.c = b.c",
            t - 1
        )
    }

    /// The labels as pass `t` left them.
    pub(super) fn end(self, t: usize) -> Plan {
        let mut plan = Plan::default();
        plan.view(
            "veche_shares",
            "The probability of every label of an item.",
            format!("SELECT item, c AS l, p AS share, k FROM veche_posteriors_{t}"),
        );
        winners(&mut plan);
        plan
    }
}

/// Shares of an annotator's counts with `kappa` votes per true label added as all annotators give them.
fn pooled(counts: &str, kappa: f64) -> String {
    let kappa = double(kappa);
    format!(
        "SELECT annotator, l, c, n, LN(GREATEST((n + {kappa} * share) / (total + {kappa}), {FLOOR})) AS lp
FROM (SELECT x.*, SUM(x.n) OVER (PARTITION BY x.annotator, x.c) AS total, y.share
FROM ({counts}) x
JOIN (SELECT l, c, GREATEST(n, {FLOOR}) / SUM(GREATEST(n, {FLOOR})) OVER (PARTITION BY c) AS share
    FROM (SELECT l, c, SUM(n) AS n FROM ({counts}) x GROUP BY l, c) x) y ON x.l = y.l AND x.c = y.c) x"
    )
}
