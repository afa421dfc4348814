"""Agreement by krippendorff and pingouin, mixed-model slopes by statsmodels, against which analysis/audit is tested.

    pip install -r audits-requirements.txt && python audits.py

Writes agreement.json (Krippendorff's alpha with interval and nominal distances, ICC(1) of unbalanced votes by analysis of variance, the six
ICCs of complete tables) and mixed.json (random intercept and slope, REML).
"""
import json
import math
import random

import krippendorff
import numpy as np
import pandas as pd
import pingouin
import statsmodels
import statsmodels.formula.api as smf
from scipy import stats

assert (krippendorff.__version__ if hasattr(krippendorff, "__version__") else "0.8.1") == "0.8.1"
assert pingouin.__version__ == "0.5.5" and statsmodels.__version__ == "0.14.5"
rng = random.Random(20261123)


def one_way(rows):
    """ICC(1) with unequal groups from scipy's F: F = MSB/MSW, and ICC = (F - 1)/(F + n0 - 1)."""
    items = sorted({r[0] for r in rows})
    groups = [[r[2] for r in rows if r[0] == item] for item in items]
    groups = [g for g in groups if len(g) >= 2]
    f = stats.f_oneway(*groups).statistic
    n = sum(map(len, groups))
    n0 = (n - sum(len(g) ** 2 for g in groups) / n) / (len(groups) - 1)
    return {"value": (f - 1) / (f + n0 - 1), "mean": 1 - 1 / f}


def agreement(name, items, annotators, share):
    level = [rng.gauss(40, 15) for _ in range(items)]
    bias = [rng.gauss(0, 3) for _ in range(annotators)]
    rows = [[i, u, float(min(99, max(0, round(level[i] + bias[u] + rng.gauss(0, 6)))))]
            for i in range(items) for u in range(annotators) if rng.random() < share]
    table = np.full((annotators, items), np.nan)
    for i, u, v in rows:
        table[u, i] = v
    case = {"name": name, "votes": rows,
            "alpha_interval": krippendorff.alpha(reliability_data=table, level_of_measurement="interval"),
            "alpha_nominal": krippendorff.alpha(reliability_data=table, level_of_measurement="nominal"),
            "icc1": one_way(rows), "icc": None}
    if share == 1.0:
        frame = pd.DataFrame(rows, columns=["item", "annotator", "value"])
        found = pingouin.intraclass_corr(data=frame, targets="item", raters="annotator", ratings="value")
        case["icc"] = {r["Type"]: [r["ICC"], *map(float, r["CI95%"])] for _, r in found.iterrows()}
        # pingouin's ICC(1) and ours of unbalanced votes are the same where votes are balanced.
        assert math.isclose(case["icc"]["ICC1"][0], case["icc1"]["value"], rel_tol=1e-9)
    return case


cases = [agreement("complete", 12, 5, 1.0), agreement("complete, two", 30, 2, 1.0),
         agreement("with holes", 60, 9, 0.4), agreement("sparse", 80, 20, 0.12)]
with open("agreement.json", "w") as file:
    json.dump(cases, file)


def mixed(name, groups, length, slope, slope_sd, unequal):
    x, y, group = [], [], []
    for u in range(groups):
        a, b = rng.gauss(7, 2), rng.gauss(slope, slope_sd)
        n = rng.randint(6, length) if unequal else length
        for position in range(n):
            x.append(float(position))
            y.append(a + b * position + rng.gauss(0, 3))
            group.append(u)
    # In steps of ten, and with narrow tolerances: in single steps the search stops half a per cent away from the highest likelihood.
    frame = pd.DataFrame({"x": np.array(x) / 10, "y": y, "group": group})
    fit = smf.mixedlm("y ~ x", frame, groups="group", re_formula="~x").fit(reml=True, method="powell", xtol=1e-10, ftol=1e-14)
    assert fit.converged
    # (X' V^-1 X)^-1 from statsmodels' variances: its own bse_fe is a numerical Hessian that differs by up to half a per cent.
    information = np.zeros((2, 2))
    for _, own in frame.groupby("group"):
        z = np.column_stack([np.ones(len(own)), own.x])
        v = fit.scale * np.eye(len(own)) + z @ fit.cov_re.values @ z.T
        information += z.T @ np.linalg.solve(v, z)
    se = np.sqrt(np.diag(np.linalg.inv(information)))
    assert np.allclose(se, fit.bse_fe, rtol=0.01)
    return {"name": name, "x": x, "y": [round(v, 12) for v in y], "group": group,
            "intercept": fit.fe_params["Intercept"], "slope": fit.fe_params["x"] / 10,
            "intercept_se": se[0], "slope_se": se[1] / 10,
            "residual_sd": math.sqrt(fit.scale), "intercept_sd": math.sqrt(fit.cov_re.iloc[0, 0]),
            "slope_sd": math.sqrt(fit.cov_re.iloc[1, 1]) / 10}


with open("mixed.json", "w") as file:
    json.dump([mixed("equal lengths", 15, 40, 0.02, 0.06, False), mixed("unequal lengths", 25, 60, -0.03, 0.08, True)], file)
