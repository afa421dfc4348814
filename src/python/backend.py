"""Packs the program into a wheel: a build backend (PEP 517) of the standard library alone.

The wheel holds the module `veche` and the program as a script, so `pip install` puts `veche` beside `python`. The tag says which
glibc the program needs. The same program gives the same bytes.
"""

import base64
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def _cargo():
    return tomllib.loads((ROOT / "Cargo.toml").read_text("utf-8"))


def _program():
    """The program to pack: VECHE_BINARY, or a release build."""
    if given := os.environ.get("VECHE_BINARY"):
        return pathlib.Path(given)
    subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "veche"], cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return pathlib.Path(ROOT, target, "release", "veche")


def _tag(program):
    """Platform the program runs on: manylinux with the newest glibc that it asks for."""
    machine = os.uname().machine
    if sys.platform != "linux":
        raise SystemExit("wheels are packed on Linux; elsewhere use cargo install")
    needed = [(int(a), int(b)) for a, b in re.findall(rb"GLIBC_(\d+)\.(\d+)", program)]
    if not needed:
        raise SystemExit("the program names no version of glibc: is it one for Linux?")
    major, minor = max(needed)
    return f"py3-none-manylinux_{major}_{minor}_{machine}"


def _metadata(package):
    shared = _cargo()["workspace"]["package"]
    return (
        f"Metadata-Version: 2.4\nName: veche\nVersion: {shared['version']}\nSummary: {package['description']}\n"
        f"License-Expression: {shared['license']}\nRequires-Python: >=3.9\n"
    )


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Writes the wheel; returns its file name."""
    cargo = _cargo()
    version = cargo["workspace"]["package"]["version"]
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder, "veche")
        shutil.copy(_program(), program)
        # Lines for backtraces are most of the file; without them the wheel is a third.
        if strip := shutil.which("strip"):
            subprocess.run([strip, program], check=True)
        program = program.read_bytes()
    tag = _tag(program)
    info = f"veche-{version}.dist-info"
    files = {f"veche/{f.name}": f.read_bytes() for f in sorted((HERE / "veche").glob("*.py"))}
    files[f"veche-{version}.data/scripts/veche"] = program
    files[f"{info}/licenses/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files[f"{info}/METADATA"] = _metadata(cargo["package"]).encode()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: veche\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    record = ""
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(content)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    name = f"veche-{version}-{tag}.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, name), "w", zipfile.ZIP_DEFLATED, compresslevel=6) as wheel:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if path.endswith("/scripts/veche") else 0o100644) << 16
            wheel.writestr(entry, content)
    return name
