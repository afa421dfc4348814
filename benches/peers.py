"""What other programs need for the labels that veche gives: one task of one program, its time on stdout.

    python peers.py PROGRAM TASK VOTES TRUTH OUT

PROGRAM: duckdb, polars, pandas, crowdkit; TASK: exp-mae (numbers), majority, dawid-skene (labels). VOTES and TRUTH are
Parquet or CSV; OUT is Parquet with item and estimate (or label). Prints the seconds from the first byte read to the last
written, imports not counted, as JSON.

The tasks are written in the fastest sensible way of each program that was found. They do less than veche: no standard
errors, no effective votes, and an item that is a control is weighed with scores that have seen its own truth (leaving it
out would cost each of them a further join of all votes). Both threads are used where the program can.
"""

import json
import sys
import time

program, task, votes, truth, out = sys.argv[1:6]
csv = votes.endswith(".csv")


def duckdb_exp_mae():
    import duckdb

    def run():
        db = duckdb.connect()
        db.execute("SET threads = 2; SET preserve_insertion_order = false")
        reader = "read_csv" if csv else "read_parquet"
        db.execute(f"""
            CREATE TEMP TABLE weight AS
            SELECT annotator, exp(min(mae) OVER () - mae) AS w
            FROM (SELECT annotator, avg(abs(value - truth)) AS mae
                  FROM {reader}('{votes}') JOIN {reader}('{truth}') USING (item)
                  GROUP BY annotator)""")
        db.execute(f"""
            COPY (SELECT item, sum(w * value) / sum(w) AS estimate
                  FROM {reader}('{votes}') JOIN weight USING (annotator)
                  GROUP BY item)
            TO '{out}' (FORMAT parquet)""")

    return run


def polars_exp_mae():
    import polars as pl

    def run():
        scan = pl.scan_csv if csv else pl.scan_parquet
        all_votes = scan(votes)
        weight = (
            all_votes.join(scan(truth), on="item")
            .group_by("annotator")
            .agg((pl.col("value") - pl.col("truth")).abs().mean().alias("mae"))
            .select("annotator", (pl.col("mae").min() - pl.col("mae")).exp().alias("w"))
            .collect(engine="streaming")
        )
        (
            all_votes.join(weight.lazy(), on="annotator")
            .group_by("item")
            .agg(
                ((pl.col("w") * pl.col("value")).sum() / pl.col("w").sum()).alias("estimate")
            )
            .sink_parquet(out)
        )

    return run


def pandas_exp_mae():
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    def run():
        if csv:
            frame = pd.read_csv(votes, engine="c")
            known = pd.read_csv(truth)
        else:
            names = pq.read_schema(votes)
            text = [f.name for f in names if str(f.type) in ("string", "large_string", "string_view")]
            # Text as categories: numbers from the start instead of fifty million strings.
            frame = pq.read_table(votes, read_dictionary=text).to_pandas()
            known = pd.read_parquet(truth)
        error = (frame["value"] - frame["item"].map(known.set_index("item")["truth"]).astype(float)).abs()
        mae = error.groupby(frame["annotator"], observed=True, sort=False).mean()
        weight = np.exp(mae.min() - mae)
        w = frame["annotator"].map(weight).astype(float)
        sums = pd.DataFrame({"item": frame["item"], "w": w, "wv": w * frame["value"]})
        sums = sums.groupby("item", observed=True, sort=False).sum()
        result = (sums["wv"] / sums["w"]).rename("estimate").reset_index()
        result.to_parquet(out)

    return run


def crowdkit_choice(method):
    import pandas as pd
    from crowdkit.aggregation import DawidSkene, MajorityVote

    def run():
        frame = pd.read_csv(votes) if csv else pd.read_parquet(votes)
        frame.columns = ["task", "worker", "label"]
        model = MajorityVote() if method == "majority" else DawidSkene(n_iter=100)
        labels = model.fit_predict(frame)
        labels.rename("label").rename_axis("item").reset_index().to_parquet(out)

    return run


run = {
    ("duckdb", "exp-mae"): duckdb_exp_mae,
    ("polars", "exp-mae"): polars_exp_mae,
    ("pandas", "exp-mae"): pandas_exp_mae,
    ("crowdkit", "majority"): lambda: crowdkit_choice("majority"),
    ("crowdkit", "dawid-skene"): lambda: crowdkit_choice("dawid-skene"),
}[program, task]()
start = time.perf_counter()
run()
print(json.dumps({"seconds": time.perf_counter() - start}))
