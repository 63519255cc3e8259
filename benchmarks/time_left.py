"""Is the time that a conversion says is left right within a factor of two?

    python -m benchmarks.time_left [--only resnet20,kws] [--targets rpi4,x86-64] [--effort default] [--wall] [--kept DIR] [--json]

Converts each network for each target in a process of its own with an empty cache, one thread, and keeps what was said at each
moment. A row has the seconds that it took, then what was said over what really followed once 10, 25, 50 and 75 % of them had passed,
and of the steps that took a second or more how many were told right when they were half over. Seconds are those of all processors, this process and
those it started, so that other load does not count: with --wall those of the clock. The environment of onnx2tf is built beforehand, below --kept.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.own_home import data_folder, own_home
from benchmarks.quantization.__main__ import some_of
from benchmarks.scale import networks
from edgeq.errors import ExtraMissing
from edgeq.ingest.onnx_to_tflite.environment import built
from edgeq.nouns.progress import Progress
from tests.models import zoo

_ZOO, _BY_SEED = ("resnet20", "mobilenet_v2", "kws"), ("resnet-5M", "vit-5M")
_TARGETS = ("rpi4", "x86-64")
_SHARES = (0.1, 0.25, 0.5, 0.75)
_SAMPLES = 144
_WORTH_S = 1.0  # a step that takes less is over before anyone reads
_FACTOR = 2.0


@dataclass(frozen=True)
class Said:
    """`at` seconds since the conversion began: that `step_s` are left of the step and `all_s` in all."""

    at: float
    step: str
    step_s: float | None
    all_s: float | None


@dataclass(frozen=True)
class Row:
    """`ratios`: said over what followed, by the share of the time that had passed; None where nothing was said yet."""

    network: str
    target: str
    seconds: float
    ratios: tuple[float | None, ...]
    steps_right: int
    steps: int
    wrong: tuple[str, ...]


def main() -> None:
    options = _options()
    rows = []
    with tempfile.TemporaryDirectory(prefix="edgeq-kept-") as folder:
        kept = (options.kept or Path(folder)).resolve()
        with suppress(ExtraMissing):  # no Python for it: LiteRT's candidates are left out
            built(kept, lambda text: print(text, file=sys.stderr))
        for network in options.only:
            for target in options.targets:
                said = _recorded(network, target, options.effort, options.wall, kept)
                rows.append(_row(network, target, said))
                print(_words(rows[-1]), file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        _show(rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = (*_ZOO, *_BY_SEED)
    parser.add_argument("--only", type=some_of((*known, *networks.NETWORKS)), default=known)
    parser.add_argument("--targets", type=lambda text: text.split(","), default=_TARGETS)
    parser.add_argument("--effort", default="default")
    parser.add_argument("--wall", action="store_true", help="seconds of the clock, for a quiet machine")
    parser.add_argument("--kept", type=Path, help="folder that keeps the environment of onnx2tf")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _recorded(network: str, target: str, effort: str, wall: bool, kept: Path) -> list[Said]:
    """All that was said, and last the end."""
    with own_home() as home, _one_process() as process:
        (home / "cache" / "edgeq").mkdir(parents=True)
        (home / "cache" / "edgeq" / "converters").symlink_to(kept / "converters")
        words = process.submit(_arguments, network, home / "model").result()
        asked = {**words, "target": target, "effort": effort, "threads": 1, "output": str(home / "out.edgeq")}
        return process.submit(_converted, asked, wall).result()


def _one_process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1)


def _arguments(network: str, folder: Path) -> dict[str, Any]:
    """What convert() is called with."""
    if network not in _ZOO:
        folder.mkdir(parents=True)
        file, samples = folder / f"{network}.onnx", folder / "samples.npz"
        networks.write(network, file)
        np.savez(samples, images=networks.images(_SAMPLES))
        return {"model": str(file), "data": str(samples)}
    model, *options = zoo.prepare(network, data_folder(), folder).words
    given = dict(zip(options[::2], options[1::2], strict=True))
    shape = {"shape": _shape(given.pop("--shape"))} if "--shape" in given else {}
    return {"model": model, **shape, **{name.removeprefix("--"): value for name, value in given.items()}}


def _shape(words: str) -> dict[str, tuple[int, ...]]:
    name, _, sizes = words.partition("=")
    return {name: tuple(map(int, sizes.split(",")))}


def _converted(asked: Mapping[str, Any], wall: bool) -> list[Said]:
    from edgeq.request.time_left import TimeLeft
    from edgeq.workflow import convert

    clock = time.monotonic if wall else _processors
    began, said = clock(), list[Said]()

    def tell(event: object) -> None:
        if isinstance(event, Progress):
            said.append(Said(clock() - began, event.step, event.left_s, event.all_left_s))

    with mock.patch.object(convert, "TimeLeft", partial(TimeLeft, clock=clock)):
        convert.convert(**asked, tell=tell)
    return [*said, Said(clock() - began, "", None, None)]


def _processors() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _row(network: str, target: str, said: list[Said]) -> Row:
    total = said[-1].at
    ratios = tuple(_ratio(said, share * total, total) for share in _SHARES)
    steps = [*_steps(said)]
    wrong = [f"{name} {ratio:.2f}" for name, ratio in steps if not _is_right(ratio)]
    return Row(network, target, total, ratios, len(steps) - len(wrong), len(steps), tuple(wrong))


def _ratio(said: list[Said], at: float, end: float) -> float | None:
    """As a terminal shows it: the step's time goes on between two events, and ends at none."""
    last = next((each for each in reversed(said) if each.at <= at), None)
    if last is None or last.all_s is None:
        return None
    step = last.step_s or 0.0
    return (max(step - (at - last.at), 0.0) + last.all_s - step) / (end - at)


def _steps(said: list[Said]) -> Iterator[tuple[str, float]]:
    """Of each that took a second or more, what was said when half of it was over, over what followed."""
    begins = [k for k, each in enumerate(said) if k == 0 or said[k - 1].step != each.step]
    for first, after in pairwise(begins):
        began, ended = said[first].at, said[after].at
        half = (began + ended) / 2
        last = next(each for each in reversed(said[first:after]) if each.at <= half)
        if ended - began >= _WORTH_S:
            left = max((last.step_s or 0.0) - (half - last.at), 0.0)
            yield said[first].step, left / (ended - half)


def _is_right(ratio: float | None) -> bool:
    return ratio is not None and 1 / _FACTOR <= ratio <= _FACTOR


def _words(row: Row) -> str:
    told = ", ".join(_figure(ratio) for ratio in row.ratios)
    wrong = f"; {'; '.join(row.wrong)}" if row.wrong else ""
    return f"{row.network} {row.target}: {row.seconds:.1f} s, {told}, {row.steps_right} of {row.steps} steps{wrong}"


def _figure(ratio: float | None) -> str:
    return "nothing" if ratio is None else f"{ratio:.2f}{'' if _is_right(ratio) else ' !'}"


def _show(rows: list[Row]) -> None:
    table = Table(title="said over what followed; ! is not within a factor of two")
    for name in ("network", "target", "s", *(f"at {share:.0%}" for share in _SHARES), "steps right"):
        table.add_column(name)
    for row in rows:
        told = (_figure(ratio) for ratio in row.ratios)
        steps = f"{row.steps_right} of {row.steps}"
        table.add_row(row.network, row.target, f"{row.seconds:.1f}", *told, steps)
    Console().print(table)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
