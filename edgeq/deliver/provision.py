"""Gets the wheels of a runtime for a device that has no pip, no compiler and no internet, onto this host.

What a device needs is decided by the locks (wheel_locks.py); pip fetches it once, by hash; afterwards the cache serves
it without a network. Nothing is sent from here.
"""

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgeq import child_python
from edgeq.deliver.wheel_locks import Lock, Pin, choose_lock
from edgeq.errors import ArtifactCorrupt, ExtraMissing
from edgeq.nouns.delivery import Wheel, WheelSet
from edgeq.nouns.device import Facts
from edgeq.nouns.progress import Note, Progress
from edgeq.nouns.target import Target
from edgeq.request.tell import Tell, silence

_PIP_TIMEOUT_S = 3600


def resolve(
    runtime: str,
    facts: Facts,
    target: Target,
    *,
    cache: Path,
    tell: Tell = silence,
) -> WheelSet:
    """The newest wheels of `runtime` that run on this device, checked, in `cache`.

    Raises DeviceUnfit when there are none for its Python, architecture and glibc, ExtraMissing when they cannot be
    downloaded, ArtifactCorrupt when the package index serves other bytes than the pinned ones.
    """
    lock = choose_lock(runtime, facts, target)
    absent = to_fetch(lock, cache, tell)
    if absent:
        size = sum(p.size for p in absent) / 1e6
        step = f"download {_titles(absent)} for Python {lock.python} on {lock.arch}: {size:.0f} MB"
        tell(Progress(step, 0, None, ""))
        _fetch(lock, absent, cache)
    wheels = tuple(Wheel(p.name, p.version, _place(cache, p), p.sha256, p.size, p.folder) for p in lock.pins)
    return WheelSet(runtime, lock.version, wheels, _of_the_device(lock, facts))


def to_fetch(lock: Lock, cache: Path, tell: Tell = silence) -> tuple[Pin, ...]:
    """What `cache` lacks of a lock, with sizes in bytes; a file there with other bytes than the pinned is removed."""
    absent = []
    for pin in lock.pins:
        path = _place(cache, pin)
        if path.is_file() and not _holds(path, pin):
            tell(Note(f"{path} was damaged: removed"))
            path.unlink()
        if not path.is_file():
            absent.append(pin)
    return tuple(absent)


def _fetch(lock: Lock, pins: Sequence[Pin], cache: Path) -> None:
    """Download by pip beside the cache, check, and move in: what is in the cache is always whole."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as name:
        folder = Path(name)
        _run_pip(lock, pins, folder)
        for pin in pins:
            if not _holds(folder / pin.file, pin):
                raise _other_bytes(pins, ())
            (folder / pin.file).replace(_place(cache, pin))


def _run_pip(lock: Lock, pins: Sequence[Pin], folder: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        raise ExtraMissing(
            "pip is not installed next to edgeq; edgeq uses it to download what a device needs",
            f"run `{sys.executable} -m ensurepip`, or `uv pip install pip` in an environment made by uv",
        )
    wanted = folder / "requirements.txt"
    wanted.write_text("".join(f"{p.name}=={p.version} --hash=sha256:{p.sha256}\n" for p in pins))
    try:
        done = subprocess.run(
            _pip_command(lock, pins, wanted),
            capture_output=True,
            text=True,
            timeout=_PIP_TIMEOUT_S,
            env=child_python.environment(),
        )
    except subprocess.TimeoutExpired:
        raise _cannot_fetch(pins, (f"pip had not finished after {_PIP_TIMEOUT_S} s",)) from None
    if done.returncode:
        words = tuple(line.strip() for line in done.stderr.splitlines() if line.strip())[-8:]
        changed = "DO NOT MATCH THE HASHES" in done.stderr
        raise _other_bytes(pins, words) if changed else _cannot_fetch(pins, words)


def _pip_command(lock: Lock, pins: Sequence[Pin], requirements: Path) -> list[str]:
    """The user's own pip configuration (index, proxy, certificates) applies; only exactly these files are taken."""
    platforms = sorted({platform for pin in pins for platform in pin.platforms if platform != "any"})
    abi = f"cp{lock.python.replace('.', '')}"
    return child_python.module(
        "pip",
        *("download", "--disable-pip-version-check", "--no-input", "--progress-bar=off"),
        *("--require-hashes", "--no-deps", "--only-binary=:all:"),
        *(
            "--implementation=cp",
            f"--python-version={lock.python}",
            f"--abi={abi}",
            "--abi=abi3",
            "--abi=none",
        ),
        *(f"--platform={platform}" for platform in platforms),
        *(f"--dest={requirements.parent}", f"--requirement={requirements}"),
    )


def _cannot_fetch(pins: Sequence[Pin], words: tuple[str, ...]) -> ExtraMissing:
    return ExtraMissing(
        f"cannot download {_titles(pins)}",
        "check this machine's network and `pip config list`; they are kept, so no network is needed later",
        details=words,
    )


def _other_bytes(pins: Sequence[Pin], words: tuple[str, ...]) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"the package index serves a file whose hash is not the pinned one, for one of {_titles(pins)}",
        "check `pip config list` and any proxy in between. Nothing was sent.",
        details=words,
    )


def _titles(pins: Sequence[Pin]) -> str:
    return " and ".join(f"{p.name} {p.version}" for p in pins)


def _place(cache: Path, pin: Pin) -> Path:
    return cache / f"{pin.folder}.whl"


def _holds(path: Path, pin: Pin) -> bool:
    if not path.is_file() or path.stat().st_size != pin.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == pin.sha256


def _of_the_device(lock: Lock, facts: Facts) -> tuple[str, ...]:
    from packaging.requirements import Requirement

    names = (Requirement(requirement).name for requirement in lock.from_device)
    return tuple(f"{name} {facts.has_modules[name]}" for name in names)
