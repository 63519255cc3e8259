"""How much memory and time the opening of a file may take, and how much time one run of a model."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

_MB = 1 << 20
MEMORY_VARIABLE, SECONDS_VARIABLE = "EDGEQ_OPEN_MEMORY_MB", "EDGEQ_OPEN_SECONDS"
RUN_SECONDS_VARIABLE = "EDGEQ_RUN_SECONDS"


@dataclass(frozen=True)
class Limits:
    """`memory_bytes` above what the libraries took when they were loaded; `seconds` of the clock."""

    memory_bytes: int
    seconds: float


def for_file(size: int) -> Limits:
    """For files that are only read: text, arrays, images, archives of `size` bytes."""
    return _as_the_user_says(512 * _MB + 2 * size, 20 + size / (10 * _MB))


def for_model(size: int) -> Limits:
    """For models, which are read and run once: a small file may compute with large arrays, so half of the free memory is
    theirs.
    """
    return _as_the_user_says(max(1024 * _MB + 10 * size, free_memory() // 2), 300 + size / _MB)


def run_seconds() -> float:
    """Of the clock, for one run of a model on one sample. A large network takes seconds; one that is emulated, minutes."""
    return _number(RUN_SECONDS_VARIABLE, 300.0)


def _as_the_user_says(memory: int, seconds: float) -> Limits:
    return Limits(
        int(_number(MEMORY_VARIABLE, memory / _MB) * _MB),
        _number(SECONDS_VARIABLE, seconds),
    )


def _number(variable: str, usual: float) -> float:
    try:
        given = float(os.environ[variable])
    except (KeyError, ValueError):
        return usual
    return given if 0 < given < 1e9 else usual


def free_memory() -> int:
    """Bytes that this process can allocate: what the system has free, or what a limit of the caller leaves (`ulimit -d`, `-v`). 8 GB
    where the system does not say.
    """
    free = _kilobytes("/proc/meminfo", "MemAvailable:")
    room = [8 << 30 if free is None else free]
    for kind, used in ((resource.RLIMIT_DATA, "VmData:"), (resource.RLIMIT_AS, "VmSize:")):
        most, taken = resource.getrlimit(kind)[0], _kilobytes("/proc/self/status", used)
        if most != resource.RLIM_INFINITY and taken is not None:
            room.append(max(most - taken, 0))
    return min(room)


def _kilobytes(file: str, name: str) -> int | None:
    """The bytes of a line like "name  12 kB"; None where there is none."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def limit_of_caller() -> str:
    """The least limit that whoever started this process set on its memory, in words; empty where there is none."""
    kinds = {"ulimit -d": resource.RLIMIT_DATA, "ulimit -v": resource.RLIMIT_AS}
    found = {name: resource.getrlimit(kind)[0] for name, kind in kinds.items()}
    limited = {name: most for name, most in found.items() if most != resource.RLIM_INFINITY}
    if not limited:
        return ""
    name = min(limited, key=lambda each: limited[each])
    return f"{limited[name] // 10**6:,} MB ({name})"
