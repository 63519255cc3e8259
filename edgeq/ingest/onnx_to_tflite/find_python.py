"""Finds the Python that onnx2tf runs on: edgeq's own is often older, and newer ones have no wheels of what it pins.

Looks where distributions, pyenv and uv put one; EDGEQ_PYTHON312 names any other, or a Debian 13 root file system.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeq import child_python
from edgeq.errors import ExtraMissing
from edgeq.ingest.onnx_to_tflite import debian_root

VARIABLE = "EDGEQ_PYTHON312"
VERSIONS = ("3.12", "3.13")
REMEDY = (
    "install one (`uv python install 3.13`, `pyenv install 3.13`, or the system's python3.12 or python3.13) or name it: "
    f"{VARIABLE}=/path/to/python3.13, or a root file system of Debian 13"
)
_ASK = (
    "import json, platform, sys, sysconfig, venv\n"
    "free_threaded = bool(sysconfig.get_config_var('Py_GIL_DISABLED'))\n"
    "base = getattr(sys, '_base_executable', None) or sys.executable\n"
    "print(json.dumps([base, '%d.%d' % sys.version_info[:2], platform.machine(), sys.implementation.name, free_threaded]))\n"
)
_ASK_TIMEOUT_S = 30
_FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")


@dataclass(frozen=True)
class Python:
    """`version` is major.minor; `path` is the interpreter itself, not one of an environment made from it."""

    path: Path
    version: str
    machine: str


def find_python() -> Python:
    """Raises ExtraMissing when there is none, or when the one that EDGEQ_PYTHON312 names does not do."""
    named = os.environ.get(VARIABLE)
    if named:
        path = Path(named)
        found = _asked(debian_root.launcher(path) if path.is_dir() else path)
        if found is None:
            raise ExtraMissing(f"{VARIABLE}={named} is no Python 3.12 or 3.13 that runs here", REMEDY)
        return found
    for path in _candidates():
        found = _asked(path)
        if found is not None:
            return found
    raise ExtraMissing(
        "ONNX becomes TFLite by onnx2tf, which needs Python 3.12 or 3.13, and there is none on this machine",
        f"{REMEDY}; or give the model as .tflite or its torch source",
    )


def _candidates() -> Iterator[Path]:
    yield Path(sys.executable)
    for version in VERSIONS:
        name = f"python{version}"
        if on_path := shutil.which(name):
            yield Path(on_path)
        for folder in _FOLDERS:
            yield Path(folder, name)
        for root in _pyenv_roots():
            yield from sorted(root.glob(f"versions/{version}.*/bin/{name}"), reverse=True)
        yield from sorted(_uv_folder().glob(f"cpython-{version}.*/bin/{name}"), reverse=True)


def _pyenv_roots() -> Iterator[Path]:
    if root := os.environ.get("PYENV_ROOT"):
        yield Path(root)
    yield Path.home() / ".pyenv"
    for entry in os.environ.get("PATH", "").split(os.pathsep):
        if Path(entry).name == "shims":
            yield Path(entry).parent


def _uv_folder() -> Path:
    if folder := os.environ.get("UV_PYTHON_INSTALL_DIR"):
        return Path(folder)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(data) / "uv/python"


def _asked(path: Path) -> Python | None:
    """What runs at `path`; None for a file that is not there, a shim that has nothing behind it, another version."""
    if not path.is_file():
        return None
    try:
        done = child_python.run(child_python.isolated((path,), "-c", _ASK), _ASK_TIMEOUT_S)
        base, version, machine, kind, free_threaded = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    if kind != "cpython" or free_threaded or version not in VERSIONS:
        return None
    return Python(Path(base), version, machine)
