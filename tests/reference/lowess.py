"""LOWESS curves and kernel regressions of statsmodels, against which analysis/smoothing is tested.

    pip install -r smoothing-requirements.txt && python lowess.py

Writes lowess_reference.csv (points, curve at the points per setting), lowess_places.csv (curve at other places) and
kernel_reference.csv (Gaussian kernel regression, local constant and local linear, at given bandwidths).
"""
import csv
import math
import random

import numpy as np
import statsmodels
from statsmodels.nonparametric.kernel_regression import KernelReg
from statsmodels.nonparametric.smoothers_lowess import lowess

assert statsmodels.__version__ == "0.14.5", statsmodels.__version__


def write(name, header, columns):
    with open(name, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows([[repr(float(v)) for v in row] for row in zip(*columns)])


rng = random.Random(20261123)
# Ages with ties, thin at the end; errors that grow with age, a few of them wild.
x = np.array([float(round(min(rng.gammavariate(6, 6), 95))) for _ in range(150)])
y = np.array([2 + 0.05 * v + math.sin(v / 8) + rng.gauss(0, 1) + (25 if rng.random() < 0.04 else 0) for v in x])

span = x.max() - x.min()
header, columns = ["x", "y"], [x, y]
for share in (2 / 3, 0.3, 1.0):
    for robust in (0, 3):
        for skip in (0.0, 0.05):
            fitted = lowess(y, x, frac=share, it=robust, delta=skip * span, return_sorted=False)
            header.append(f"share={share!r} robust={robust} skip={skip!r}")
            columns.append(fitted)
write("lowess_reference.csv", header, columns)

places = np.linspace(x.min() - 1, x.max() + 1, 41)
header, columns = ["place"], [places]
for share in (2 / 3, 0.3):
    for robust in (0, 3):
        header.append(f"share={share!r} robust={robust} skip=0")
        columns.append(lowess(y, x, frac=share, it=robust, delta=0.0, xvals=places))
write("lowess_places.csv", header, columns)

header, columns = ["place"], [places]
for kind in ("lc", "ll"):
    for bandwidth in (3.0, 8.0):
        mean, _ = KernelReg(y, x, "c", reg_type=kind, bw=[bandwidth]).fit(places)
        header.append(f"{kind} {bandwidth}")
        columns.append(mean)
write("kernel_reference.csv", header, columns)
