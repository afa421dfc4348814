# Weights of label distribution smoothing as in the program of Yang et al. 2021 (imbalanced-regression, agedb-dir):
# the same calls of scipy. Prints the arrays of analysis/benchmark/imbalance_reference.rs.
#   python -m venv v && v/bin/pip install numpy==2.4.6 scipy==1.17.1 && v/bin/python tests/reference/lds.py
import numpy as np
from scipy.ndimage import convolve1d, gaussian_filter1d

rng = np.random.default_rng(5)
labels = np.clip(np.append(rng.normal(30, 4, 57), [0, 72, 119]), 0, 119).astype(int)


def kernel(ks=5, sigma=2):
    half = (ks - 1) // 2
    base = [0.0] * half + [1.0] + [0.0] * half
    smooth = gaussian_filter1d(base, sigma=sigma)
    return smooth / max(smooth)


def weights(how):
    count = {x: 0 for x in range(121)}
    for label in labels:
        count[min(120, label)] += 1
    if how == "sqrt_inv":
        count = {k: np.sqrt(v) for k, v in count.items()}
    else:
        count = {k: np.clip(v, 5, 1000) for k, v in count.items()}
    smoothed = convolve1d(np.asarray(list(count.values()), dtype=float), weights=kernel(), mode="constant")
    w = np.asarray([1 / smoothed[min(120, label)] for label in labels])
    return len(w) / w.sum() * w


def rust(name, kind, values):
    print(f"const {name}: [{kind}; {len(values)}] = [")
    for at in range(0, len(values), 6):
        print("    " + " ".join(f"{v}," for v in values[at : at + 6]))
    print("];")


print("// Written by tests/reference/lds.py.")
rust("REFERENCE_LABELS", "u32", list(labels))
rust("REFERENCE_ROOT", "f64", [f"{v:.12f}" for v in weights("sqrt_inv")])
rust("REFERENCE_INVERSE", "f64", [f"{v:.12f}" for v in weights("inverse")])
