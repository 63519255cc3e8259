"""Runs cases of one reader in a worker process and collects what went wrong: foreign exceptions, crashes, hangs, memory.

A worker that dies or hangs is started again behind the case that it died of. A hang is CPU time, so that a busy machine is
none; the clock only ends what waits without computing.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from tests.fuzz import readers
from tests.fuzz.cpu_time import cpu_seconds

HANG_S = 10.0  # of CPU, of the worker and all that it started
_WAITS_S = 300.0  # of the clock: more than a child that is asked for a file may take (limited/ask.py)
_START_S = 900.0  # of the clock: imports, and making the examples
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Find:
    """`python -m tests.fuzz --reader R --seed S --case N` repeats it."""

    case: int
    words: str


@dataclass
class Outcome:
    """`states` counts taken, refused and find."""

    states: Counter[str] = field(default_factory=Counter)
    finds: list[Find] = field(default_factory=list)
    slowest_s: float = 0.0
    resident: int = 0


def reader_names() -> tuple[str, ...]:
    return tuple(sorted(module.name for module in iter_modules(readers.__path__)))


def run(reader: str, *, executions: int, seed: str, first: int = 0) -> Outcome:
    """Cases `first` to `first + executions` of `reader`."""
    outcome, at, end = Outcome(), first, first + executions
    while at < end:
        at = _run_until_it_dies(reader, seed, at, end, outcome)
    return outcome


def _run_until_it_dies(reader: str, seed: str, first: int, end: int, outcome: Outcome) -> int:
    """The case to go on with."""
    words = (str(os.getpid()), str(_ROOT), reader, seed, str(first), str(end))
    command = [sys.executable, "-P", "-c", _START, *words]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, cwd=_ROOT, env=_LIMITS)
        at, begun = first, False
        try:
            for line in _lines(process):
                if isinstance(line, str):
                    if not begun:
                        raise RuntimeError(f"the reader {reader} does not start: it {line}")
                    _find(outcome, at, line)
                    return at + 1
                begun, at = True, line["case"]
                if line["state"] == "begun":
                    continue
                at += 1
                _count(outcome, line)
                if (
                    line["resident"] > _RESTART_ABOVE
                ):  # the high-water mark would be blamed on every later case
                    return at
        finally:
            process.kill()
            process.wait()
        if at < end:
            said.seek(0)
            last = said.read().decode(errors="replace")[-800:]
            if not begun:
                raise RuntimeError(f"the reader {reader} does not start: {last}")
            _find(outcome, at, f"the process died (code {process.returncode}): {last}")
            return at + 1
    return at


# For a file of some kilobytes: what the child that opens it may take, so that all together stay below MEMORY and HANG_S.
_LIMITS = {**os.environ, "EDGEQ_OPEN_MEMORY_MB": "500", "EDGEQ_OPEN_SECONDS": "8"}
_RESTART_ABOVE = 900_000_000
# A worker ends with the campaign, however that is ended: prctl(PR_SET_PDEATHSIG, SIGKILL), and a look whether it came in time.
_START = """
import ctypes, os, runpy, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() != int(sys.argv.pop(1)):
    sys.exit("the campaign has ended")
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("tests.fuzz.worker", run_name="__main__", alter_sys=True)
"""


def _count(outcome: Outcome, line: "dict[str, Any]") -> None:
    if line["state"] != "find" and line["seconds"] > HANG_S:
        line = {**line, "state": "find", "words": f"computed for {line['seconds']:.1f} s"}
    outcome.slowest_s = max(outcome.slowest_s, line["seconds"])
    outcome.resident = max(outcome.resident, line["resident"])
    if line["state"] == "find":
        _find(outcome, line["case"], line["words"])
    else:
        outcome.states[line["state"]] += 1


def grouped(finds: "list[Find]") -> "list[tuple[Find, int]]":
    """The first find of each kind and how many there are: of the same exception at the same place."""
    kinds: dict[str, list[Find]] = {}
    for find in finds:
        kind = find.words.partition(":")[0] + find.words.rpartition(" at ")[2]
        kinds.setdefault(kind, []).append(find)
    return [(same[0], len(same)) for same in kinds.values()]


def _find(outcome: Outcome, case: int, words: str) -> None:
    outcome.states["find"] += 1
    outcome.finds.append(Find(case, words))


def _lines(process: "subprocess.Popen[bytes]") -> "Iterator[dict[str, Any] | str]":
    """Each line; in the end words, where none came for too long."""
    assert process.stdout is not None
    waiting, rest, begun = process.stdout.fileno(), b"", False
    while True:
        words = _silence(process.pid, waiting, begun)
        if words:
            yield words
            return
        chunk = os.read(waiting, 1 << 16)
        if not chunk:
            process.wait()
            return
        begun = True
        *lines, rest = (rest + chunk).split(b"\n")
        for one in lines:
            yield json.loads(one)


def _silence(pid: int, waiting: int, begun: bool) -> str:
    """Waits until there is something to read; what is wrong where nothing comes."""
    if select.select([waiting], [], [], 1.0)[0]:
        return ""
    patience_s = _WAITS_S if begun else _START_S
    before, until = cpu_seconds(pid), time.monotonic() + patience_s
    while not select.select([waiting], [], [], 1.0)[0]:
        if begun and cpu_seconds(pid) - before > HANG_S:
            return f"computes for more than {HANG_S:.0f} s"
        if time.monotonic() > until:
            return f"gives no answer within {patience_s:.0f} s of the clock"
    return ""
