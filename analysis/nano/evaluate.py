"""Errors of a checkpoint on the validation arrays of data.py, in float32, beside those of a guesser who knows only the training ages.

Usage: evaluate.py CHECKPOINT.pth.tar ARRAYS [--half] [--json OUT]   (--half rounds the weights to 16 bits first)
"""
import argparse
import json
import pathlib

import numpy as np
import torch

import augment
from export import load
from train import AVG_AGE, MAX_AGE, MIN_AGE

VIEWS = {"face": ("face8", None), "face and body": ("face8", "body8"), "body only": (None, "body8"), "face and whole crop": ("face8", "whole8")}


@torch.inference_mode()
def outputs(network, face, body):
    """Network outputs for arrays of bytes, either of which may be None."""
    n, size = len(face if face is not None else body), network.shape.size
    out = []
    for i in range(0, n, 100):
        parts = [torch.zeros(min(100, n - i), 3, size, size) if a is None else torch.from_numpy(a[i : i + 100]) for a in (face, body)[: 1 + network.shape.two_inputs]]
        out.append(network(torch.cat([augment.normalise(p) for p in parts], 1)))
    return torch.cat(out).numpy()


def figures(network, folder):
    """One row for each set and view: n, mean absolute error, share within 5 years, the guesser's error, and n and share of right sexes."""
    rows, train = (json.loads((folder / f"{k}.json").read_text()) for k in ("valid", "train"))
    arrays = {k: np.load(folder / f"valid_{k}.npy", mmap_mode="r") for k in ("face8", "body8", "whole8")}
    sets = np.array([r["set"] for r in rows])
    for name in sorted(set(sets.tolist())):
        pick = np.flatnonzero(sets == name)
        age, sex = (np.array([rows[i][k] for i in pick]) for k in ("age", "sex"))
        bodies = np.array([rows[i]["body"] >= 0 for i in pick]).all() and network.shape.two_inputs
        known = np.array([r["age"] for r in train if r["set"] == name])
        for view, (face, body) in VIEWS.items():
            if body and not bodies:
                continue
            out = outputs(network, *(None if k is None else arrays[k][pick] for k in (face, body)))
            error = np.abs(out[:, 2] * (MAX_AGE - MIN_AGE) + AVG_AGE - age)
            told = sex >= 0
            yield {
                "set": name, "view": view, "n": len(pick), "mae": error.mean(), "standard_error": error.std(ddof=1) / len(pick) ** 0.5, "within_5": (error <= 5).mean(),
                "mean_guesser_mae": np.abs(age - known.mean()).mean(), "median_guesser_mae": np.abs(age - np.median(known)).mean(),
                "sex_n": int(told.sum()), "sex_right": (out[told, :2].argmax(1) == sex[told]).mean() if told.any() else None,
            }


def main():
    """Prints a table and writes it as JSON where asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("arrays", type=pathlib.Path)
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    network = load(args.checkpoint)
    if args.half:
        network.load_state_dict({k: v.half().float() if v.is_floating_point() else v for k, v in network.state_dict().items()})
    table = [{k: round(float(v), 4) if isinstance(v, (float, np.floating)) else v for k, v in r.items()} for r in figures(network, args.arrays)]
    for r in table:
        sex = f"  sex {100 * r['sex_right']:.1f} % of {r['sex_n']}" if r["sex_n"] else ""
        print(f"{r['set']}, {r['view']}: MAE {r['mae']:.2f} (± {r['standard_error']:.2f}; n {r['n']}; mean guesser {r['mean_guesser_mae']:.2f}), within 5 years {100 * r['within_5']:.1f} %{sex}")
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
