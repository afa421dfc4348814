"""From a manifest of pictures to arrays that training and validation read.

A manifest is a CSV in the columns of MiVOLO's annotation files, `img_name,age,gender,face_x0,face_y0,face_x1,face_y1[,person_x0,person_y0,person_x1,person_y1]`
(-1 is missing, gender M or F, a class such as `25;32` counts as its middle), and may have `split` (train where absent), `set` and `apparent_age`.

Usage: data.py MANIFEST OUT [MANIFEST ...]   pictures lie beside their manifest; `--against FOLDER` leaves out what also lies in that folder.
"""
import argparse
import csv
import hashlib
import json
import pathlib

import numpy as np
from PIL import Image

FACE, BODY, SIZE = 112, 192, 96


def resize(image, width, height):
    """Bilinear with half-pixel centres and no antialiasing, as OpenCV's INTER_LINEAR, rounded to whole numbers."""

    def taps(new, old):
        at = (np.arange(new) + 0.5) * old / new - 0.5
        low = np.floor(at).astype(int)
        part = (at - low).astype(np.float32)
        return np.clip(low, 0, old - 1), np.clip(low + 1, 0, old - 1), part

    if image.shape[:2] == (height, width):
        return image
    y0, y1, py = taps(height, image.shape[0])
    x0, x1, px = taps(width, image.shape[1])
    a = image.astype(np.float32)
    a = a[y0] * (1 - py)[:, None, None] + a[y1] * py[:, None, None]
    a = a[:, x0] * (1 - px)[None, :, None] + a[:, x1] * px[None, :, None]
    return np.clip(np.rint(a), 0, 255).astype(np.uint8)


def letterbox(image, side):
    """The picture in the middle of a black square, with the place of its top left corner and the scale."""
    h, w = image.shape[:2]
    if (h, w) == (side, side):
        return image, 0, 0, 1.0
    scale = min(side / h, side / w)
    width, height = round(w * scale), round(h * scale)
    left, top = round((side - width) / 2 - 0.1), round((side - height) / 2 - 0.1)
    out = np.zeros((side, side, 3), np.uint8)
    out[top : top + height, left : left + width] = resize(image, width, height)
    return out, left, top, scale


def age_of(text):
    """A number of years, the middle of a class `25;32`, or None for -1."""
    parts = [float(p) for p in text.split(";")]
    return None if parts[0] < 0 else sum(parts) / len(parts)


def box_of(row, name, image):
    """The row's box, cut to the picture, or None."""
    keys = [f"{name}_{k}" for k in ("x0", "y0", "x1", "y1")]
    if any(row.get(k) in (None, "") for k in keys):
        return None
    x0, y0, x1, y1 = (int(float(row[k])) for k in keys)
    if min(x0, y0, x1, y1) == -1:
        return None
    h, w = image.shape[:2]
    x0, x1, y0, y1 = max(x0, 0), min(x1, w), max(y0, 0), min(y1, h)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def cut(image, box):
    """The part of the picture in a box."""
    x0, y0, x1, y1 = box
    return image[y0:y1, x0:x1]


def thumbnail(face):
    """A 16×16 grey picture with mean 0 and norm 1, for finding the same picture again."""
    small = resize(face, 64, 64).astype(np.float32).mean(2).reshape(16, 4, 16, 4).mean((1, 3))
    small = small - small.mean()
    return small / max(np.linalg.norm(small), 1e-6)


class Store:
    """Collects one split."""

    def __init__(self):
        self.face, self.body, self.face8, self.body8, self.whole8, self.mask = [], [], [], [], [], []
        self.rows, self.digest, self.thumb = [], [], []

    def add(self, path, image, rows, row, exact):
        """One labelled person of a picture: `exact` also makes the arrays that validation reads."""
        face_box, body_box = box_of(row, "face", image), box_of(row, "person", image)
        face = cut(image, face_box) if face_box else None
        self.digest.append(hashlib.sha256(path.read_bytes()).hexdigest())
        self.thumb.append(thumbnail(face if face is not None else cut(image, body_box)))
        self.face.append(letterbox(face, FACE)[0] if face is not None else np.zeros((FACE, FACE, 3), np.uint8))
        whole = None
        rect = (0.0, 0.0, 0.0, 0.0)
        if body_box:
            whole = blacked(image, [box_of(r, k, image) for r in rows if r is not row for k in ("face", "person")], body_box)
            square, left, top, scale = letterbox(whole, BODY)
            if face_box:
                rect = tuple((v - o) * scale + p for v, o, p in zip(face_box, body_box[:2] * 2, (left, top) * 2))
            self.body.append(square)
        age = age_of(row["age"])
        self.rows.append({
            "age": -1.0 if age is None else age,
            "sex": {"M": 0, "F": 1}.get(row["gender"], -1),
            "apparent": float(row.get("apparent_age") or -1),
            "body": len(self.body) - 1 if body_box else -1,
            "has_face": face is not None,
            "rect": rect,
            "set": row.get("set", ""),
            "file": row["img_name"],
        })
        if exact:
            empty = np.zeros((SIZE, SIZE, 3), np.uint8)
            self.face8.append(letterbox(face, SIZE)[0] if face is not None else empty)
            self.whole8.append(letterbox(whole, SIZE)[0] if body_box else empty)
            self.body8.append(letterbox(blacked(image, [box_of(r, "face", image) for r in rows], body_box, whole), SIZE)[0] if body_box else empty)


def blacked(image, boxes, frame, start=None):
    """The frame cut out of the picture with the boxes filled with black."""
    out = (cut(image, frame) if start is None else start).copy()
    for box in boxes:
        if box:
            x0, y0, x1, y1 = (max(v - o, 0) for v, o in zip(box, frame[:2] * 2))
            out[y0:y1, x0:x1] = 0
    return out


def read(manifest):
    """(path, picture, rows of the picture, split) of one manifest in its own order."""
    pictures = {}
    with open(manifest, newline="") as file:
        for row in csv.DictReader(file):
            pictures.setdefault(row["img_name"], []).append(row)
    for name, rows in pictures.items():
        path = manifest.parent / name
        yield path, np.asarray(Image.open(path).convert("RGB")), rows


def near(a, b, limit):
    """For each thumbnail of `a`, whether one of `b`, mirrored or not, correlates with it above `limit`."""
    a = np.stack(a).reshape(len(a), -1)
    b = np.concatenate([np.stack(b), np.stack(b)[:, :, ::-1]]).reshape(2 * len(b), -1)
    return np.concatenate([(a[i : i + 2048] @ b.T).max(1) for i in range(0, len(a), 2048)]) > limit


def main():
    """Writes OUT/*.npy, OUT/*.json and OUT/duplicates.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("manifests", type=pathlib.Path, nargs="+")
    parser.add_argument("--against", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--limit", type=float, default=0.985)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train, valid = Store(), Store()
    for manifest in args.manifests:
        for path, image, rows in read(manifest):
            for row in rows:
                if age_of(row["age"]) is None and row["gender"] not in ("M", "F"):
                    continue
                exact = row.get("split") == "valid"
                (valid if exact else train).add(path, image, rows, row, exact)
    digests, thumbs = set(valid.digest), list(valid.thumb)
    others = [p for folder in args.against for p in sorted(folder.rglob("*")) if p.suffix.lower() in (".jpg", ".png", ".webp")]
    for path in others:
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
        image = np.asarray(Image.open(path).convert("RGB"))
        h, w = image.shape[:2]
        thumbs += [thumbnail(image[int(h * m) : int(h * (1 - m)), int(w * m) : int(w * (1 - m))]) for m in (0.0, 0.1, 0.2, 0.3)]
    same = np.array([d in digests for d in train.digest])
    alike = near(train.thumb, thumbs, args.limit) if thumbs else np.zeros(len(same), bool)
    again = np.zeros(len(same), bool)
    seen = set()
    for i, digest in enumerate(train.digest):
        again[i] = digest in seen
        seen.add(digest)
    keep = ~(same | alike)
    counts = {"train": len(same), "held against": len(valid.rows) + len(others), "same bytes": int(same.sum()), "alike, not the same bytes": int((alike & ~same).sum()),
              "left out": int((~keep).sum()), "kept": int(keep.sum()), "repeats inside train, kept": int((again & keep).sum()),
              "files left out": [train.rows[i]["set"] + "/" + train.rows[i]["file"] for i in np.flatnonzero(~keep)]}
    (args.out / "duplicates.json").write_text(json.dumps(counts, indent=1) + "\n")
    np.save(args.out / "train_face.npy", np.stack([f for f, k in zip(train.face, keep) if k]))
    np.save(args.out / "train_body.npy", np.stack(train.body) if train.body else np.zeros((0, BODY, BODY, 3), np.uint8))
    (args.out / "train.json").write_text(json.dumps([r for r, k in zip(train.rows, keep) if k]))
    if valid.rows:
        for name in ("face8", "body8", "whole8"):
            np.save(args.out / f"valid_{name}.npy", np.stack(getattr(valid, name)))
    (args.out / "valid.json").write_text(json.dumps(valid.rows))
    print({k: v for k, v in counts.items() if k != "files left out"})


if __name__ == "__main__":
    main()
