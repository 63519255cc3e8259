"""What edgeq_runtime.py costs an application: time on top of the runtime's own call, and what switches of the release leave behind.

    python benchmarks/runtime_overhead.py [--only resnet20] [--pairs 40] [--switches 1000] [--cache DIR] [--json]

Time: `model(array)` against `session.run(names, feed)` on the very same onnxruntime session. Calls of both take turns; a pair is
the medians of both over a hundred calls, and the figure is the trimmed mean of the pairs' ratios with its 95 % interval. Below
1 % is the aim.
Switches: `current` goes round all candidates of the model, while threads call it without a pause. Every answer has to be that
of a candidate, to the bit, and the first after a switch that of the new one; open files and resident memory are read after a
tenth of the switches and at the end.
"""

import argparse
import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.goals import interval
from benchmarks.own_home import data_folder, own_home
from benchmarks.quiet import sentence, watched
from edgeq.agent.durable import point_link
from edgeq.application.edgeq_runtime import Model, load
from edgeq.bundle import read_bundle
from edgeq.report.statistics import paired_ratio
from tests.end_to_end.command_line import edgeq
from tests.models import zoo

CALLS = 100  # of each, in a pair
THREADS = 2


@dataclass(frozen=True)
class Switched:
    """`wrong`: answers of no candidate, or of another than was live. Files and bytes: after a tenth, and at the end."""

    switches: int
    calls: int
    wrong: int
    open_files: tuple[int, int]
    resident_bytes: tuple[int, int]


def main() -> None:
    options = _options()
    with own_home(options.cache) as home:
        apps = _installed(options.only, home)
        inputs = _inputs(apps)
        with watched() as reasons:
            overheads = {
                id: _overhead(apps, id, inputs, options.pairs) for id in _candidates(apps, "onnxruntime")
            }
        switched = _switched(apps, inputs, options.switches)
    _show(overheads, switched, sentence(reasons), options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="resnet20", choices=zoo.names(), help="the model")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--switches", type=int, default=1000)
    parser.add_argument("--cache", type=Path, help="keeps what was converted")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _installed(name: str, home: Path) -> Path:
    """A root's folder of the app: all candidates in one release, as on a device."""
    entry = zoo.prepare(name, data_folder(), home / "model")
    made = edgeq(home / "model", "convert", *entry.words, "-o", str(home / "model.edgeq"), timeout=900)
    if made.returncode:
        sys.exit(made.stdout + made.stderr)
    app = home / "root/apps" / name
    with read_bundle(home / "model.edgeq") as bundle:
        bundle.extract(app / "releases" / bundle.digest)
    return app


def _candidates(app: Path, runtime: str = "") -> list[str]:
    return sorted(p.name for p in app.glob(f"releases/*/candidates/{runtime}*"))


def _switch(app: Path, candidate: str) -> None:
    (folder,) = app.glob(f"releases/*/candidates/{candidate}")
    point_link(app / "current", str(folder.relative_to(app)))


def _load(app: Path) -> Model:
    return load(app.name, root=app.parents[1], threads=1)


def _inputs(app: Path) -> dict[str, np.ndarray]:
    _switch(app, _candidates(app)[0])
    draw = np.random.default_rng(0)
    zeros = _load(app).zeros()
    return {name: draw.normal(size=a.shape).astype(a.dtype) for name, a in zeros.items()}


def _overhead(
    app: Path, candidate: str, inputs: dict[str, np.ndarray], pairs: int
) -> "tuple[list[float], list[float]]":
    """Per pair the median of model(array)'s calls and that of the bare session's, in ns."""
    _switch(app, candidate)
    with _caught_session() as sessions:
        model = _load(app)
    (session,) = sessions
    names = [output["name"] for output in model.contract["outputs"]]
    feed = {end["name"]: inputs[end["source_name"]] for end in model.contract["inputs"]}
    given = inputs if len(inputs) > 1 else next(iter(inputs.values()))

    medians: list[tuple[float, float]] = [
        _medians(lambda: model(given), lambda: session.run(names, feed)) for _ in range(pairs)
    ]
    return [ours for ours, _ in medians], [bare for _, bare in medians]


@contextmanager
def _caught_session() -> "Iterator[list[Any]]":
    """The sessions that are made in the block: both sides have to run on the same one."""
    made, make = [], onnxruntime.InferenceSession

    def catch(*arguments: Any, **options: Any) -> Any:
        made.append(make(*arguments, **options))
        return made[-1]

    onnxruntime.InferenceSession = catch
    try:
        yield made
    finally:
        onnxruntime.InferenceSession = make


def _medians(ours: Callable[[], Any], bare: Callable[[], Any]) -> tuple[float, float]:
    """Of calls that take turns, in ns: what disturbs the machine disturbs both."""
    took: tuple[list[int], list[int]] = ([], [])
    for _ in range(CALLS):
        for call, times in zip((ours, bare), took, strict=True):
            start = time.perf_counter_ns()
            call()
            times.append(time.perf_counter_ns() - start)
    return median(took[0]), median(took[1])


def _switched(app: Path, inputs: dict[str, np.ndarray], switches: int) -> Switched:
    candidates = _candidates(app)
    answers = {}
    for candidate in candidates:
        _switch(app, candidate)
        answers[candidate] = _answer(_load(app), inputs)
    model, stop = _load(app), threading.Event()
    calls, wrong = [0] * THREADS, [0] * (THREADS + 1)

    def call(worker: int) -> None:
        while not stop.is_set():
            given = _answer(model, inputs)
            calls[worker] += 1
            wrong[worker] += not any(_same(given, known) for known in answers.values())

    workers = [threading.Thread(target=call, args=(i,)) for i in range(THREADS)]
    for worker in workers:
        worker.start()
    seen = []
    for i in range(switches):
        candidate = candidates[i % len(candidates)]
        _switch(app, candidate)
        wrong[-1] += not _same(_answer(model, inputs), answers[candidate])
        if i + 1 in (max(1, switches // 10), switches):
            gc.collect()
            seen.append((len(os.listdir("/proc/self/fd")), _resident()))
    stop.set()
    for worker in workers:
        worker.join()
    first, last = seen[0], seen[-1]
    return Switched(switches, sum(calls), sum(wrong), (first[0], last[0]), (first[1], last[1]))


def _answer(model: Model, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    return list(model(inputs).values())


def _same(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _show(
    overheads: "dict[str, tuple[list[float], list[float]]]", switched: Switched, quiet: str, as_json: bool
) -> None:
    ratios = {id: paired_ratio(ours, bare) for id, (ours, bare) in overheads.items()}
    if as_json:
        medians = {id: {"ours_ns": median(a), "bare_ns": median(b)} for id, (a, b) in overheads.items()}
        document = {"medians": medians, "ratios": {id: asdict(r) for id, r in ratios.items()}}
        print(json.dumps({**document, "switched": asdict(switched), "quiet": quiet}, default=str))
        return
    for id, (ours, bare) in overheads.items():
        print(
            f"{id:<32} model(array) {median(ours) / 1e3:8.1f} us   session.run {median(bare) / 1e3:8.1f} us",
            end="   ",
        )
        print(f"{len(ours)} pairs: {interval(ratios[id])}, aim below 1.01")
    before, after = (
        f"{n} files, {size / 1e6:.0f} MB"
        for n, size in zip(switched.open_files, switched.resident_bytes, strict=True)
    )
    print(
        f"{switched.switches} switches under {switched.calls} calls of {THREADS} threads: {switched.wrong} wrong answers"
    )
    print(f"after a tenth of them {before}, at the end {after}")
    print(quiet)


if __name__ == "__main__":
    main()
