"""Slopes with two fixed effects by statsmodels, beta-binomial probabilities and rank correlations by scipy, against which analysis/audit is tested.

    pip install -r audits-requirements.txt && python more_audits.py

Writes more_audits.json.
"""
import json
import random

import pandas as pd
import statsmodels
import statsmodels.formula.api as smf
from scipy import stats

assert statsmodels.__version__ == "0.14.5"
rng = random.Random(20261127)


def within(annotators, items, share):
    skill = [rng.gauss(0, 2) for _ in range(annotators)]
    hard = [rng.gauss(0, 3) for _ in range(items)]
    rows = []
    for a in range(annotators):
        for i in range(items):
            if rng.random() < share:
                x = rng.gauss(2, 0.7) + 0.2 * skill[a]
                rows.append([a, i, x, 6 + skill[a] + hard[i] - 0.8 * x + rng.gauss(0, 2)])
    frame = pd.DataFrame(rows, columns=["a", "i", "x", "y"])
    fit = smf.ols("y ~ x + C(a) + C(i)", frame).fit()
    return {"rows": rows, "slope": fit.params["x"]}


def beta_binomial():
    rows = []
    for n in (1, 5, 12, 84):
        for k in sorted({0, 1, n // 2, n}):
            for a, b in ((0.4, 3.1), (2.5, 7.5)):
                rows.append([k, n, a, b, float(stats.betabinom.logpmf(k, n, a, b))])
    return rows


def spearman():
    cases = []
    for n in (8, 40):
        x = [float(rng.randint(18, 40)) for _ in range(n)]
        y = [round(rng.gauss(7, 2) + 0.05 * v, 1) for v in x]
        cases.append({"x": x, "y": y, "rho": float(stats.spearmanr(x, y).statistic),
                      "slope": float(stats.linregress(x, y).slope)})
    return cases


with open("more_audits.json", "w") as file:
    json.dump({"within": [within(6, 15, 1.0), within(12, 40, 0.35)], "beta_binomial": beta_binomial(), "spearman": spearman()}, file)
