"""A candidate's outputs on a machine, emulated or this one, by the very process that answers on a device.

That is the agent's `child` (docs/protocol.md): JSON lines, arrays as .npy files, nothing pickled. What a runtime does to
its process ends there.
"""

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from edgeq import child_python
from edgeq.errors import ModelCrashed
from edgeq.nouns.bundle import Candidate
from edgeq.request.tell import Tell

from .machine import Machine

Array = npt.NDArray[Any]
Reply = dict[str, Any]  # docs/protocol.md

_MOST_BYTES = 1 << 30  # of outputs
_UNLIMITED_S = 1e9
_EMULATOR_CHATTER = "warning: TCG doesn't support requested feature"


class TooSlow(ModelCrashed):
    """No reply within `reply_timeout_s`: under emulation that says nothing about the candidate."""


@dataclass(frozen=True)
class Question:
    """A candidate's files below `folder`, and `samples`: one .npy [n, *input shape] per input. Without `seconds` all of
    them are answered; `reply_timeout_s` bounds the time without any output of the child.
    """

    candidate: Candidate
    folder: Path
    samples: tuple[Path, ...]
    seconds: float | None = None
    reply_timeout_s: float = 600.0


@dataclass(frozen=True)
class Answers:
    """One array [count, ...] per output, an output's own batch of one dropped; `limited_by` says why not all samples."""

    outputs: tuple[Array, ...]
    version: str
    offered: int
    limited_by: str | None
    seconds: float

    @property
    def count(self) -> int:
        return len(self.outputs[0])


def ask(
    machine: Machine,
    question: Question,
    *,
    tell: Tell,
    progress: Callable[[int], None] = lambda _: None,
) -> Answers:
    """`progress` hears the number of samples answered so far. Raises ModelCrashed with how it ended, TooSlow, and what
    Machine.python_path raises.
    """
    path = machine.python_path(question.candidate.runtime, tell)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgeq-") as scratch:
        requests = _set_up(question, path), _try_out(question, Path(scratch) / "outputs")
        replies = list(_converse(machine, requests, Path(scratch), question.reply_timeout_s, progress))
        told = replies[1]["outputs"]
        outputs = tuple(_without_batch(np.load(f, allow_pickle=False)) for f in told["files"])
    spent = time.monotonic() - start
    return Answers(outputs, replies[0]["version"], told["offered"], told["limited_by"], spent)


def _set_up(question: Question, path: tuple[Path, ...]) -> dict[str, object]:
    return {
        "runtime": question.candidate.runtime,
        "python_path": [str(p) for p in path],
        "samples": [str(p) for p in question.samples],
    }


def _try_out(question: Question, outputs: Path) -> dict[str, object]:
    """One thread: sums are then added in the same order everywhere."""
    candidate = question.candidate
    limit = _UNLIMITED_S if question.seconds is None else question.seconds
    return {
        "do": "try",
        "model": str(question.folder / candidate.model),
        "threads": 1,
        "inputs": list(candidate.inputs),
        "outputs": list(candidate.outputs),
        "warmup_runs": 0,
        "warmup_ns": 0,
        "check": {"folder": str(outputs), "seconds": limit, "bytes": _MOST_BYTES},
    }


def _converse(
    machine: Machine,
    requests: tuple[dict[str, object], ...],
    scratch: Path,
    reply_timeout_s: float,
    progress: Callable[[int], None],
) -> Iterator[Reply]:
    """The reply to each request, all of which are written ahead."""
    (scratch / "requests").write_text("".join(json.dumps(r) + "\n" for r in requests))
    with (scratch / "requests").open() as asked, (scratch / "words").open("w+") as words:
        child = subprocess.Popen(
            child_python.isolated(machine.python, machine.agent, "child"),
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=words,
            env={**_environment(scratch), **machine.environment},
            cwd=scratch,
            start_new_session=True,
        )
        try:
            yield from _replies(child, len(requests), reply_timeout_s, words, progress)
        finally:
            os.killpg(child.pid, signal.SIGKILL) if child.poll() is None else None
            child.wait()


def _environment(scratch: Path) -> dict[str, str]:
    """As the agent starts its children: no threads that nobody asked for, and nothing left in anybody's home."""
    own = {"HOME": str(scratch), "XDG_CACHE_HOME": str(scratch), "TMPDIR": str(scratch)}
    quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    return {**os.environ, **own, **quiet}


def _replies(
    child: "subprocess.Popen[bytes]",
    wanted: int,
    reply_timeout_s: float,
    words: IO[str],
    progress: Callable[[int], None],
) -> Iterator[Reply]:
    for line in _lines(child, reply_timeout_s):
        if "failed" in line:
            raise ModelCrashed(line["words"])
        if "reply" in line:
            yield line["reply"]
            wanted -= 1
            if not wanted:
                return
        elif str(line.get("at", "")).startswith("sample "):
            progress(int(line["at"].split()[1]))
    raise ModelCrashed(_how_it_ended(child.wait(), words))


def _lines(child: "subprocess.Popen[bytes]", reply_timeout_s: float) -> Iterator[Reply]:
    """Until the child closes its end."""
    assert child.stdout is not None
    heard = b""
    while True:
        if not select.select([child.stdout], [], [], reply_timeout_s)[0]:
            raise TooSlow(f"no answer within {reply_timeout_s:g} s")
        piece = os.read(child.stdout.fileno(), 1 << 16)
        if not piece:
            return
        *whole, heard = (heard + piece).split(b"\n")
        yield from (json.loads(line) for line in whole)


def _how_it_ended(code: int, words: IO[str]) -> str:
    words.seek(0)
    said = [line.strip() for line in words if line.strip() and _EMULATOR_CHATTER not in line]
    tail = f": {said[-1][:500]}" if said else ""
    return f"{signal.Signals(-code).name if code < 0 else f'exit code {code}'}{tail}"


def _without_batch(array: Array) -> Array:
    return array[:, 0] if array.ndim > 2 and array.shape[1] == 1 else array
