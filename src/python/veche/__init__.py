"""veche from Python: runs the program that this package carries. Results are files (CSV, Parquet) and JSON.

    import veche
    summary = veche.json("aggregate", "votes.csv", "--out", "labels.parquet")
    pandas.read_parquet("labels.parquet")
"""

import json as _json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

__all__ = ["Error", "json", "program", "run"]


class Error(Exception):
    """The program failed; the text is what it said, with file, row and what to do."""


def program():
    """Path of the program: beside this Python, in its user's scripts, or on the PATH."""
    name = "veche"
    places = [sysconfig.get_path("scripts"), pathlib.Path(sys.executable).parent]
    if scheme := getattr(sysconfig, "get_preferred_scheme", None):
        places.append(sysconfig.get_path("scripts", scheme("user")))
    for place in places:
        path = pathlib.Path(place, name)
        if path.is_file():
            return str(path)
    if path := shutil.which(name):
        return path
    raise Error("the program veche is not installed beside this Python: pip install veche again")


def run(*args):
    """Runs `veche ARGS` and returns what it printed. Notes and warnings go to stderr as they come."""
    done = subprocess.run(
        [program(), *map(os.fspath, map(_text, args))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "NO_COLOR": "1"},
    )
    if done.returncode != 0:
        raise Error(done.stderr.strip())
    sys.stderr.write(done.stderr)
    return done.stdout


def json(*args):
    """Runs `veche ARGS --json` and returns what it printed as Python's lists and dictionaries."""
    return _json.loads(run(*args, "--json"))


def _text(value):
    return value if isinstance(value, (str, os.PathLike)) else str(value)
