import pandas, veche  # pip install veche pandas pyarrow

votes = pandas.DataFrame(
    [("ann", "a.jpg", 31), ("bob", "a.jpg", 36), ("ann", "b.jpg", 8), ("bob", "b.jpg", 11), ("cat", "b.jpg", 7)],
    columns=["annotator", "item", "answer"],
)
votes.to_parquet("votes.parquet")
veche.json("aggregate", "votes.parquet", "--method", "mean", "--out", "labels.parquet")
labels = pandas.read_parquet("labels.parquet").set_index("item")
print(labels.loc[["a.jpg", "b.jpg"], ["estimate", "se", "votes"]])
