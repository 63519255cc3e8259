"""A peer's own environment, built once below the cache from its pins; named by them, so other pins make another one.

Packages come without their dependencies, which the pins list in full: torch's would be gigabytes of CUDA.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.quantization.contestants import PEERS

_TIMEOUT_S = 3600


class NotBuilt(Exception):
    """Why there is no environment, in words."""


def environment(peer: str, cache: Path, install: bool, peers: Path = PEERS) -> Path:
    """The interpreter, by the pins in the folder `peers`; built where it is not there yet and `install` is true. Raises NotBuilt."""
    pins = peers / f"{peer}.txt"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256(pins.read_bytes() + version.encode()).hexdigest()[:8]
    place = cache / "environments" / f"{peer}-{key}"
    if (place / "complete").is_file():
        return place / "bin" / "python"
    if not install:
        raise NotBuilt(f"{peer} is not installed (--no-install)")
    print(f"{peer}: building its environment, once", file=sys.stderr, flush=True)
    shutil.rmtree(place, ignore_errors=True)
    _run([sys.executable, "-m", "venv", "--without-pip", str(place)])
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install"]
    _run([*pip, "--quiet", "--no-input", "--no-deps", "--requirement", str(pins)])
    (place / "complete").touch()
    return place / "bin" / "python"


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        why = f"its environment cannot be built: {command[1:4]} did not end within {_TIMEOUT_S} s"
        raise NotBuilt(why) from None
    if done.returncode:
        raise NotBuilt(f"its environment cannot be built: {' '.join(done.stderr.strip().splitlines()[-3:])}")
