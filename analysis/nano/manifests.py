"""Writes manifest.csv beside the pictures of UTKFace and APPA-REAL as re-encoded for veche (labels.csv in each folder).

Usage: manifests.py UTKFACE_FOLDER APPAREAL_FOLDER
"""
import csv
import pathlib
import sys

from PIL import Image

COLUMNS = ["img_name", "age", "gender", *[f"{b}_{k}" for b in ("face", "person") for k in ("x0", "y0", "x1", "y1")], "split", "set", "apparent_age"]


def utkface(folder):
    """The crop is the face; there is no body."""
    for row in csv.DictReader(open(folder / "labels.csv", newline="")):
        w, h = Image.open(folder / row["file"]).size
        yield [row["file"], row["age"], row["gender"], 0, 0, w, h, -1, -1, -1, -1, row["split"], "utkface", ""]


def appareal(folder):
    """The face is the central 5/9 of each side, the body the whole crop; sex is not given."""
    for row in csv.DictReader(open(folder / "labels.csv", newline="")):
        w, h = Image.open(folder / row["file"]).size
        box = [round(w * 2 / 9), round(h * 2 / 9), round(w * 7 / 9), round(h * 7 / 9)]
        yield [row["file"], row["real_age"], "", *box, 0, 0, w, h, row["split"], "appareal", row["apparent_age_mean"]]


if __name__ == "__main__":
    for argument, rows in zip(sys.argv[1:3], (utkface, appareal)):
        folder = pathlib.Path(argument)
        with open(folder / "manifest.csv", "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows(folder))
