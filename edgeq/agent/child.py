"""The process that holds a model. It alone imports a runtime, so that whatever the runtime does ends here.

JSON lines: a request on stdin, answered on what was stdout by one line with "reply" or "failed". Lines with "at" may
come before: the child is alive and has got that far. The first request says which runtime and samples; every later
one makes its own session and drops it, so none depends on another. Knows nothing of races, verdicts or files of results
beyond the outputs it writes.
"""

import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Optional

from .check_outputs import Say, check_outputs
from .message import Message
from .probes.memory_use import account, resident
from .runtimes import Session, runtime

if TYPE_CHECKING:
    import numpy as np

_FS = Path("/")
# Timed inferences cycle through this many samples, so that a cache does not hold the only one.
_TIMED_SAMPLES = 16
_OUT_OF_MEMORY = ("bad_alloc", "out of memory", "failed to allocate memory", "cannot allocate memory")


@dataclass(frozen=True)
class Bench:
    """What stays over all requests: the imported runtime and the check samples, array i of shape [n, *input i]."""

    library: ModuleType
    samples: "tuple[np.ndarray, ...]"

    @property
    def count(self) -> int:
        return min(len(array) for array in self.samples)

    def sample(self, index: int) -> "list[np.ndarray]":
        import numpy

        return [numpy.array(array[index]) for array in self.samples]


def main(words: Sequence[str] = ()) -> int:
    """Serve requests until stdin ends. There are no options: `words`, what stands after "child", must be empty."""
    if words:
        print(f"the child takes no arguments, got {' '.join(words)}", file=sys.stderr)
        return 2
    say = _take_over_stdout()
    _end_with_parent()
    resource.setrlimit(
        resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1])
    )  # spare the SD card
    bench: Optional[Bench] = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if bench is None:
                bench, reply = set_up(request)
            else:
                reply = _ANSWERS[request["do"]](bench, request, say)
        except (
            Exception
        ) as error:  # a runtime raises what it likes; all of it is the model's result, none the agent's end
            say({"failed": _state_of(error), "words": _words_of(error)})
        else:
            say({"reply": reply})
    return 0


def set_up(request: Message) -> "tuple[Bench, Message]":
    """`{python_path, runtime, samples}`: import the runtime, map the samples."""
    start = resident(_FS)[0]
    sys.path[:0] = request["python_path"]
    library = runtime(request["runtime"])
    version = library.version()
    import numpy

    imported = resident(_FS)[0]
    samples = tuple(numpy.load(path, mmap_mode="r", allow_pickle=False) for path in request["samples"])
    if any(array.ndim == 0 or len(array) == 0 for array in samples):
        raise ValueError("the check samples are empty")
    return Bench(library, samples), {"version": version, "rss_start": start, "rss_runtime": imported}


def smoke_test(bench: Bench, request: Message, say: Say) -> Message:
    """Load, first inference, warm-up, and the outputs of the check samples when `check` says where they go."""
    session, load_ns, first_ns = _open(bench, request)
    loaded = resident(_FS)[0]
    say({"at": "loaded"})
    warmup = _warm_up(session, session.prepare(bench.sample(0)), request["warmup_runs"], request["warmup_ns"])
    say({"at": "warm"})
    reply = {"load_ns": load_ns, "first_ns": first_ns, "warmup_ns": warmup, "notes": list(session.notes)}
    if request["check"] is not None:
        reply["outputs"] = check_outputs(session, bench.sample, bench.count, request["check"], say)
    return {**reply, "memory": {"rss_loaded": loaded, **account(_FS)}}


def block(bench: Bench, request: Message, say: Say) -> Message:
    """A session of its own, then `count` timed inferences."""
    session, load_ns, first_ns = _open(bench, request)
    feeds = [session.prepare(bench.sample(i)) for i in range(min(bench.count, _TIMED_SAMPLES))]
    warmup = _warm_up(session, feeds[0], request["warmup_runs"], request["warmup_ns"])
    say({"at": "timing"})
    latency, cpu_ns = time_inferences(session.run, feeds, request["count"])
    return {
        "load_ns": load_ns,
        "first_ns": first_ns,
        "warmup_ns": warmup,
        "latency_ns": latency,
        "cpu_ns": cpu_ns,
        "memory": account(_FS),
    }


def time_inferences(
    run: Callable[[Any], object], feeds: Sequence[object], count: int
) -> "tuple[list[int], int]":
    """(nanoseconds of each inference, CPU nanoseconds of all threads over all of them).

    Between the two clock reads nothing happens but `run`: no printing, no sensors, no garbage collection, and no
    allocation of ours; the result is dropped after the second read.
    """
    clock = time.perf_counter_ns
    latency = [0] * count
    order = [feeds[i % len(feeds)] for i in range(count)]
    gc.collect()
    gc.disable()
    try:
        cpu_start = time.process_time_ns()
        for i in range(count):
            feed = order[i]
            start = clock()
            result = run(feed)
            end = clock()
            latency[i] = end - start
            del result
        return latency, time.process_time_ns() - cpu_start
    finally:
        gc.enable()


_ANSWERS: "dict[str, Callable[[Bench, Message, Say], Message]]" = {
    "try": smoke_test,
    "block": block,
}


def _open(bench: Bench, request: Message) -> "tuple[Session, int, int]":
    """The session, ns of loading the file and ns of the first inference."""
    first_sample = bench.sample(0)
    start = time.perf_counter_ns()
    session = bench.library.open_session(
        request["model"], request["threads"], request["inputs"], request["outputs"]
    )
    loaded = time.perf_counter_ns()
    feed = session.prepare(first_sample)
    begin = time.perf_counter_ns()
    session.run(feed)
    return session, loaded - start, time.perf_counter_ns() - begin


def _warm_up(session: Session, feed: object, runs: int, budget_ns: int) -> "list[int]":
    """Up to `runs` inferences, fewer when they fill `budget_ns`: a slow model is warm after its first."""
    spent: list[int] = []
    while len(spent) < runs and sum(spent) < budget_ns:
        start = time.perf_counter_ns()
        session.run(feed)
        spent.append(time.perf_counter_ns() - start)
    return spent


def _state_of(error: Exception) -> str:
    words = str(error).lower()
    if isinstance(error, MemoryError) or any(w in words for w in _OUT_OF_MEMORY):
        return "out_of_memory"
    return "load_failed"


def _words_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip()[:2000]


def _take_over_stdout() -> Say:
    """The wire gets a descriptor of its own: what a runtime prints to stdout goes to stderr, not between our lines."""
    wire = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(line: Message) -> None:
        wire.write(json.dumps(line) + "\n")
        wire.flush()

    return say


def _end_with_parent() -> None:
    """Have the kernel kill this process when the agent dies, so that a lost connection leaves no model running.

    prctl(2) PR_SET_PDEATHSIG; elsewhere than on Linux the end of stdin does it, between two inferences.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
