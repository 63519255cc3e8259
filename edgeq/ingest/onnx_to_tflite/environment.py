"""The environment that onnx2tf runs in: built once under a temporary name, and renamed when it works.

Named by what it is made of, so new pins or another Python make another one. Whoever comes second waits for the first.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from edgeq import child_python
from edgeq.errors import ExtraMissing
from edgeq.ingest.onnx_to_tflite.find_python import Python, find_python
from edgeq.ingest.onnx_to_tflite.pins import CONVERTER, PINS, digest

Say = Callable[[str], None]

BUILDING = (
    f"building the environment of {CONVERTER}, which converts ONNX to TFLite: once, about 100 MB to download"
)

_UNFINISHED = ".building-"
_TIMEOUT_S = 3600
_OFFLINE = "check this machine's network and `pip config list`; it is stored, so no network is needed later"


def ready(cache: Path, pins: Path = PINS) -> Path | None:
    """The interpreter of the environment below `cache` if it was built before and its Python is still there."""
    for python in sorted(_folder(cache).glob(f"onnx2tf-{digest(pins)}-*/bin/python")):
        if os.access(python, os.X_OK):
            return python
    return None


def built(cache: Path, say: Say, pins: Path = PINS, module: str = "onnx2tf.onnx2tf") -> Path:
    """The environment's interpreter; builds it where `ready` has none. `module` is what has to load in it.

    Raises ExtraMissing: no Python for it, packages that cannot be fetched, a cache that cannot be written.
    """
    if python := ready(cache, pins):
        return python
    base = find_python()
    folder = _folder(cache)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, say):
            return ready(cache, pins) or _build(base, folder, say, pins, module)
    except OSError as error:
        raise ExtraMissing(
            f"{CONVERTER} cannot be installed in {folder}: {error.strerror or error}",
            "free space there, or set XDG_CACHE_HOME to a folder that you own",
        ) from None


def _folder(cache: Path) -> Path:
    return cache / "converters"


@contextlib.contextmanager
def _alone(folder: Path, say: Say) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another edgeq that builds the environment of {CONVERTER}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(base: Python, folder: Path, say: Say, pins: Path, module: str) -> Path:
    """Under the lock, so anything unfinished there was left by an edgeq that was killed."""
    for dead in folder.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(dead, ignore_errors=True)
    place = folder / f"onnx2tf-{digest(pins)}-{_key(base)}"
    shutil.rmtree(place, ignore_errors=True)  # one whose Python is gone
    say(BUILDING)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_UNFINISHED) as name:
        beside = Path(name) / "environment"
        _run(
            child_python.isolated((base.path,), "-m", "venv", "--without-pip", beside),
            f"{base.path} cannot make an environment",
        )
        python = beside / "bin/python"
        _install(python, pins)
        _run(
            child_python.isolated((python,), "-c", f"import {module}"),
            f"{CONVERTER} does not load on Python {base.version}",
        )
        beside.rename(place)
    return place / "bin/python"


def _key(base: Python) -> str:
    return hashlib.sha256(f"{base.path} {base.version} {base.machine}".encode()).hexdigest()[:8]


def _install(python: Path, pins: Path) -> None:
    """By edgeq's own pip, since many a Python comes without one; the user's index, proxy and certificates apply."""
    if importlib.util.find_spec("pip") is None:
        raise ExtraMissing(
            f"pip is not installed next to edgeq; edgeq uses it to download {CONVERTER}",
            f"run `{sys.executable} -m ensurepip`, or `uv pip install pip` in an environment made by uv",
        )
    pip = child_python.module("pip", "--python", python, "install", "--disable-pip-version-check")
    quiet = ["--quiet", "--no-input", "--progress-bar=off", "--no-warn-script-location"]
    exactly = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--requirement", str(pins)]
    _run([*pip, *quiet, *exactly], f"the environment of {CONVERTER} cannot be built", _OFFLINE)


def _run(command: list[str], what: str, remedy: str | None = None) -> None:
    try:
        done = child_python.run(command, _TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise ExtraMissing(what, remedy, details=(f"not finished after {_TIMEOUT_S} s",)) from None
    if done.returncode:
        words = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise ExtraMissing(what, remedy, details=words[-8:])
