#!/usr/bin/env python3
"""Reference values of crowd-kit for the choice methods.

    python -m venv ck && ck/bin/pip install -r requirements.txt
    ck/bin/python choices.py                     rewrites choice_votes.csv and choice_reference.csv beside this file
    ck/bin/python choices.py LABELS [TRUTH]      prints, for votes given by path (item,worker,label; truth item,truth), each
                                                  method's accuracy, mean confidence, a hash of its labels and its seconds, as JSON
    ck/bin/python choices.py --real DIR           rewrites choice_real.json from DIR/rte and DIR/bluebird (label.csv, truth.csv)
    ck/bin/python choices.py LABELS --items FILE     writes label and probabilities per item and method to FILE

choice_votes.csv is drawn here, with the seed below: no vote in it is anybody's.
"""

import argparse
import hashlib
import json
import random
import time
from pathlib import Path

import pandas as pd
from crowdkit.aggregation import GLAD, MACE, DawidSkene, MajorityVote, OneCoinDawidSkene, Wawa

HERE = Path(__file__).resolve().parent
SEED = 20240711
METHODS = {
    "majority": MajorityVote,
    "wawa": Wawa,
    "one-coin": lambda: OneCoinDawidSkene(n_iter=100),
    "dawid-skene": lambda: DawidSkene(n_iter=100),
    "mace": MACE,
    "glad": GLAD,
}
# The definitions of these are the same to the last step; the others find their optimum in another way.
SAME = ["majority", "wawa", "one-coin", "dawid-skene"]


def draw(items=60, annotators=12, labels=3, votes_per_item=7):
    """Votes of annotators with a matrix of confusions each; two answer at random, one says 2 for 1 more often than not."""
    rng = random.Random(SEED)
    skill = [0.45 + 0.5 * rng.random() for _ in range(annotators)]
    rows = []
    for item in range(items):
        truth = rng.choices(range(labels), weights=[5, 3, 2])[0]
        for annotator in sorted(rng.sample(range(annotators), votes_per_item)):
            if annotator < 2:
                said = rng.randrange(labels)
            elif annotator == 2 and truth == 1:
                said = 2 if rng.random() < 0.7 else 1
            elif rng.random() < skill[annotator]:
                said = truth
            else:
                said = (truth + 1 + rng.randrange(labels - 1)) % labels
            rows.append((item, annotator, said))
    return pd.DataFrame(rows, columns=["item", "worker", "label"])


def run(method, votes):
    """Labels and probabilities by item, items and labels in ascending order, and the seconds it took."""
    data = votes.rename(columns={"item": "task"})
    if method == "mace":
        # crowd-kit 1.4 mixes up its rows unless annotators and labels first appear in sorted order (and repeats one restart).
        data = data.sort_values(["worker", "label"])
    start = time.perf_counter()
    model = METHODS[method]()
    probabilities = model.fit_predict_proba(data).sort_index().sort_index(axis=1)
    seconds = time.perf_counter() - start
    return probabilities.idxmax(axis=1), probabilities, seconds


def per_item(votes, methods):
    parts = []
    for method in methods:
        labels, probabilities, _ = run(method, votes)
        part = probabilities.add_prefix("p").round(9)
        part.insert(0, "label", labels)
        part.insert(0, "item", part.index)
        part.insert(0, "method", method)
        parts.append(part)
    return pd.concat(parts)


def figures(labels_csv, truth_csv, methods):
    """One row per method: figures of its output, no votes."""
    votes = pd.read_csv(labels_csv)
    truth = pd.read_csv(truth_csv).set_index("item")["truth"] if truth_csv else None
    for method in methods:
        labels, probabilities, seconds = run(method, votes)
        text = "".join(f"{item},{label}\n" for item, label in labels.items())
        row = {
            "method": method,
            "items": len(labels),
            "labels_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "confidence": round(float(probabilities.max(axis=1).mean()), 9),
        }
        if truth is not None:
            known = labels.index.intersection(truth.index)
            row["accuracy"] = round(float((labels[known] == truth[known]).mean()), 9)
        yield row, round(seconds, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", nargs="?")
    parser.add_argument("truth", nargs="?")
    parser.add_argument("--items", help="write label and probabilities per item here")
    parser.add_argument("--real", help="folder with rte and bluebird")
    parser.add_argument("--methods", default=",".join(METHODS))
    args = parser.parse_args()
    methods = args.methods.split(",")
    if args.real:
        rows = []
        for name in ["rte", "bluebird"]:
            folder = Path(args.real) / name
            rows += [{"set": name} | row for row, _ in figures(folder / "label.csv", folder / "truth.csv", SAME)]
        text = ",\n".join(json.dumps(row) for row in rows)
        (HERE / "choice_real.json").write_text(f"[\n{text}\n]\n")
        return
    if args.labels is None:
        votes = draw()
        votes.to_csv(HERE / "choice_votes.csv", index=False, lineterminator="\n")
        reference = per_item(votes, SAME)
        reference.to_csv(HERE / "choice_reference.csv", index=False, lineterminator="\n", float_format="%.9f")
        return
    if args.items:
        per_item(pd.read_csv(args.labels), methods).to_csv(args.items, index=False, lineterminator="\n")
        return
    for row, seconds in figures(args.labels, args.truth, methods):
        print(json.dumps(row | {"seconds": seconds}))


if __name__ == "__main__":
    main()
