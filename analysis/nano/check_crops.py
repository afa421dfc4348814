"""Compares data.py's cutting, blacking out and resizing with crops that the official code made.

Usage: check_crops.py FOLDER SOURCES, where FOLDER has preprocessing.json and crops/, and SOURCES the pictures it names.
"""
import json
import pathlib
import sys

import numpy as np
from PIL import Image

from data import blacked, letterbox


def main(folder, sources):
    """Fails if a pixel differs by more than 2 or a picture by more than 0.3 on average (OpenCV rounds its weights to 11 bits)."""
    failed = False
    for crop in json.loads((folder / "preprocessing.json").read_text())["crops"]:
        if not crop["used"] or any(b["kind"] != "face" for b in crop["black_out"]):
            continue
        image = np.asarray(Image.open(sources / crop["source"]).convert("RGB"))
        ours = letterbox(blacked(image, [b["box"] for b in crop["black_out"]], tuple(crop["box"])), crop["size"])[0].astype(int)
        difference = np.abs(ours - np.asarray(Image.open(folder / crop["expected"]).convert("RGB")))
        print(f"{crop['name']}: largest difference {difference.max()}, mean {difference.mean():.4f}")
        failed |= bool(difference.max() > 2 or difference.mean() > 0.3)
    if failed:
        sys.exit("the crops differ from the official code's")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:3]))
