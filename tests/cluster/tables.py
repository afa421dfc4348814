"""Tables for the tests of the cluster engine.

    python tables.py draw DIR           votes and known answers of several shapes, as Parquet
    python tables.py run SQL            runs printed queries in DuckDB
    python tables.py compare A B        whether two tables of labels agree to 1e-9; B may be a folder
"""

import math
import pathlib
import random
import sys

import duckdb


def write(rows, columns, path):
    base = duckdb.connect()
    base.execute(f"CREATE TABLE t ({columns})")
    with open(f"{path}.csv", "w") as file:
        file.writelines(",".join(map(str, row)) + "\n" for row in rows)
    base.execute(f"COPY t FROM '{path}.csv' (HEADER false)")
    base.execute(f"COPY t TO '{path}' (FORMAT PARQUET)")
    pathlib.Path(f"{path}.csv").unlink()


def numbers(folder, name, items, annotators, votes, *, level=0.0, kind="VARCHAR", every=7):
    """Ages: annotators differ in skill and bias, items have an error that all share, one annotator in ten looks at nothing."""
    chance = random.Random(name)
    skill = [max(1.5, chance.gauss(7, 2.5)) for _ in range(annotators)]
    bias = [chance.gauss(1, 2) for _ in range(annotators)]
    text = kind == "VARCHAR"
    rows, known = [], []
    for item in range(items):
        truth, shared = chance.uniform(1, 80), chance.gauss(0, 4)
        for who in chance.sample(range(annotators), chance.choice(votes)):
            seen = chance.uniform(0, 90) if who % 10 == 0 else truth + shared + bias[who] + chance.gauss(0, skill[who])
            rows.append((f"u{who}" if text else who, f"i{item}" if text else item, round(seen) + level))
        if every and item % every == 0:
            known.append((f"i{item}" if text else item, round(truth) + level))
    chance.shuffle(rows)
    write(rows, f"annotator {kind}, item {kind}, answer DOUBLE", folder / f"{name}.votes.parquet")
    if known:
        write(known, f"item {kind}, truth DOUBLE", folder / f"{name}.truth.parquet")


def words(folder, name, items, annotators, votes, labels):
    """Labels: every annotator misses every label in a share of its own."""
    chance = random.Random(name)
    right = [[chance.uniform(0.4, 0.95) for _ in labels] for _ in range(annotators)]
    rows, known = [], []
    for item in range(items):
        truth = chance.randrange(len(labels))
        for who in chance.sample(range(annotators), votes):
            said = truth if chance.random() < right[who][truth] else chance.randrange(len(labels))
            rows.append((f"u{who}", f"i{item}", labels[said]))
        if item % 7 == 0:
            known.append((f"i{item}", labels[truth]))
    chance.shuffle(rows)
    write(rows, "annotator VARCHAR, item VARCHAR, answer VARCHAR", folder / f"{name}.votes.parquet")
    write(known, "item VARCHAR, truth VARCHAR", folder / f"{name}.truth.parquet")


def draw(folder):
    numbers(folder, "plain", 700, 40, [8])
    numbers(folder, "few", 60, 10, [3])  # too few controls to calibrate
    numbers(folder, "far", 300, 30, [1, 2, 6], level=1e9, kind="BIGINT")  # far from zero, names are numbers
    numbers(folder, "deep", 40, 400, [1, 2, 400], every=2)  # items with hundreds of votes
    numbers(folder, "wide", 30000, 3000, [5], kind="BIGINT")
    numbers(folder, "blind", 200, 20, [1, 3, 4], every=0)  # nothing is known
    words(folder, "words", 600, 40, 7, ["child", "adult", "old"])
    words(folder, "figures", 300, 30, 4, ["10", "9", "2"])  # in the order of their values


def run(path):
    base = duckdb.connect()
    base.execute("SET threads = 2")
    facts = base.execute(pathlib.Path(path).read_text()).fetchall()
    # The last statement says how many votes cannot be used.
    assert facts[0][1:] == (0, 0), facts


def compare(left, right):
    base = duckdb.connect()

    def table(path):
        path = pathlib.Path(path)
        return f"read_parquet('{path}/*.parquet')" if path.is_dir() else f"read_parquet('{path}')"

    columns = [c[0] for c in base.execute(f"DESCRIBE SELECT * FROM {table(left)}").fetchall()]
    theirs = [c[0] for c in base.execute(f"DESCRIBE SELECT * FROM {table(right)}").fetchall()]
    assert columns == theirs, f"columns {columns} and {theirs}"
    rows = [base.execute(f"SELECT * FROM {table(t)} ORDER BY item").fetchall() for t in (left, right)]
    assert len(rows[0]) == len(rows[1]) > 0, f"{len(rows[0])} rows and {len(rows[1])}"
    worst = 0.0
    for ours, other in zip(*rows):
        for name, a, b in zip(columns, ours, other):
            if isinstance(a, float) and isinstance(b, float):
                apart = abs(a - b) / max(1.0, abs(a))
                worst = max(worst, apart)
                assert apart <= 1e-9 and not math.isnan(apart), f"{name} of {ours[0]}: {a!r} and {b!r}"
            else:
                assert a == b, f"{name} of {ours[0]}: {a!r} and {b!r}"
    print(f"{len(rows[0])} rows agree to {worst:.1e}")


if __name__ == "__main__":
    {"draw": lambda a: draw(pathlib.Path(a)), "run": run, "compare": compare}[sys.argv[1]](*sys.argv[2:])
