"""Is what `--recipe auto` chooses ever worse than the best of the recipes tried by hand, under the same limits?

    python -m benchmarks.auto [--only resnet8,kws] [--runtime onnxruntime] [--limits none,bytes,drop] [--seconds 5] [--cache DIR] [--json]

Of each model `edgeq deploy --recipe auto` to this machine, one thread; then `edgeq convert` by hand with no recipe, with each recipe, and
static int8 with 6, 5, 4 and 3 bits. Candidates by hand are compared with auto's by the race of that deploy: by the entrant that
runs the same kernels. One is better that is faster beyond the race's margin (on a busy machine by CPU time); else, where none is
faster, that loses less; else that loses as much in fewer bytes on the wire. Limits: `none`; `bytes`: 60 % of the bytes of static int8; `drop`:
0.2 points. Needs ../shared/data or $EDGEQ_DATA for the models of the zoo; vit-1M and the other networks of benchmarks.scale need nothing.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import edgeq
from benchmarks.own_home import data_folder, own_home
from benchmarks.scale.networks import NETWORKS, images, write
from edgeq.catalog import recipe_names
from edgeq.errors import EdgeqError, GateFailed
from edgeq.nouns.report import FASTER, RaceReport
from edgeq.nouns.results import Deployment
from edgeq.nouns.tradeoff import Standing
from edgeq.quantize.fewer_bits import FEWER
from tests.models import zoo

_MODELS = ("resnet8", "kws", "resnet20", "silero_vad", "vit-1M")
_LIMITS = ("none", "bytes", "drop")
_SHARE, _DROP = 0.6, 0.2
_ALL_BYTES = 2**62  # a limit that nothing breaks: so that bytes on the wire are measured
_SAMPLES = 64
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One model under one limit. `chosen` by auto, `best` of those by hand with the `way` that made it; empty where nothing keeps the limit.
    `compared`: the race told speeds apart, on a busy machine by CPU time; without that float stays, whoever deploys. `seconds` of converting
    and racing with auto, those of converting all ways by hand together.
    """

    model: str
    limit: str
    chosen: str
    loss: float | None
    wire_bytes: int | None
    way: str
    best: str
    best_loss: float | None
    best_wire_bytes: int | None
    by: str
    compared: bool
    quiet: bool
    worse: str
    seconds: float
    seconds_by_hand: float


def main() -> None:
    options = _options()
    rows = []
    with own_home(options.cache) as home:
        for name in options.only:
            for row in _rows(name, options, home):
                rows.append(row)
                print(_line(row), file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    worse, compared = sum(bool(row.worse) for row in rows), sum(row.compared for row in rows)
    print(
        "\n".join(
            [
                _HEAD,
                _RULE,
                *map(_line, rows),
                "",
                f"auto was worse in {worse} of {compared} that were compared",
            ]
        )
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    listed = lambda text: tuple(text.split(","))  # noqa: E731
    parser.add_argument("--only", type=listed, default=_MODELS)
    parser.add_argument("--runtime", help="only this one; default: all that the model can have")
    parser.add_argument("--limits", type=listed, default=_LIMITS)
    parser.add_argument("--effort", default="default")
    parser.add_argument("--seconds", type=float, default=5, help="of each race")
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was converted for the next run")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _rows(name: str, options: argparse.Namespace, home: Path) -> Iterator[Row]:
    model, given = _model(name, home / name)
    given = {**given, "runtime": options.runtime, "effort": options.effort, "threads": 1, "target": "local"}
    int8_bytes = None
    for limit in options.limits:
        limits: dict[str, Any] = {}
        if limit == "drop":
            limits["max_drop"] = _DROP
        if limit == "bytes":
            int8_bytes = int8_bytes or _int8_bytes(model, given)
            if int8_bytes is None:
                continue
            limits["max_bytes"] = int(_SHARE * int8_bytes)
        if limit == "drop" and name not in zoo.names():
            continue  # without labels there are no points to lose
        try:
            yield _row(name, limit, model, given, limits, options.seconds, home)
        except EdgeqError as error:
            print(f"{name}, {limit}: {error.what}", file=sys.stderr)


def _model(name: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """What edgeq is given, and its samples."""
    if name in NETWORKS:
        folder.mkdir(parents=True, exist_ok=True)
        write(name, folder / f"{name}.onnx")
        np.savez(folder / f"{name}.npz", images(_SAMPLES))
        return str(folder / f"{name}.onnx"), {"data": str(folder / f"{name}.npz"), "name": name.lower()}
    model, *words = zoo.prepare(name, data_folder(), folder).words
    given: dict[str, Any] = {"shape": {}}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        if flag == "--shape":
            of, _, sides = value.partition("=")
            given["shape"][of] = tuple(map(int, sides.split(",")))
        else:
            given[flag.removeprefix("--").replace("-", "_")] = value
    return model, given


def _int8_bytes(model: str, given: Options) -> int | None:
    """On the wire, of static int8, or dynamic where there is no other; the smallest of the runtimes."""
    for recipe in ("int8_static", "int8_dynamic"):
        found = [s for s, _ in _by_hand(model, {**given, "recipe": recipe}) if recipe in s.candidate]
        if found:
            return min(s.wire_bytes for s in found)
    return None


def _row(
    name: str, limit: str, model: str, given: Options, limits: Options, seconds: float, home: Path
) -> Row:
    start = time.monotonic()
    done = _auto(model, {**given, **limits}, seconds, home)
    took, start = time.monotonic() - start, time.monotonic()
    ways: list[tuple[str, dict[str, Any]]] = [("", {}), *((r, {"recipe": r}) for r in recipe_names())]
    ways += [(f"int8_static {bits} bits", {"recipe": "int8_static", "weight_bits": bits}) for bits in FEWER]
    tried = [
        (way or "no recipe", standing)
        for way, asked in ways
        for standing, _ in _by_hand(model, {**given, **limits, **asked})
    ]
    by_hand_s = time.monotonic() - start
    chosen = done.tradeoff.row(done.tradeoff.chosen or "") if done and done.tradeoff else None
    race = _Race(done) if done else None
    way, best = _best(tried, race)
    worse = ""
    if best is not None and (chosen is None or race is None):
        worse = "found nothing"
    elif best is not None and chosen is not None and race is not None and _is_compared(done):
        worse = race.why_better(best, chosen)
    return Row(
        name,
        limit,
        chosen.candidate if chosen else "",
        chosen.loss if chosen else None,
        chosen.wire_bytes if chosen else None,
        way,
        best.candidate if best else "",
        best.loss if best else None,
        best.wire_bytes if best else None,
        done.tradeoff.by if done and done.tradeoff else "",
        _is_compared(done),
        bool(done and done.race and done.race.quiet),
        worse,
        took,
        by_hand_s,
    )


def _is_compared(done: Deployment | None) -> bool:
    return done is None or bool(done.choice and done.choice.compared)


def _auto(model: str, given: Options, seconds: float, home: Path) -> Deployment | None:
    """None where nothing keeps the limits."""
    places = {"root": str(home / "root"), "store": str(home / "store.db"), "seconds": seconds}
    try:
        return edgeq.deploy(model, recipe="auto", measure_again=True, **places, **given)
    except GateFailed:
        return None


def _by_hand(model: str, given: Options) -> list[tuple[Standing, str]]:
    """What keeps the gate and the limits; nothing where the recipe cannot be built."""
    try:
        made = edgeq.convert(model, **{"max_bytes": _ALL_BYTES, **given})
    except EdgeqError:
        return []
    assert made.tradeoff is not None
    return [(row, made.tradeoff.by) for row in made.tradeoff.rows if not row.refused]


class _Race:
    """What the race of auto's deploy says of the speed of any file, by the entrant that runs the same kernels."""

    def __init__(self, done: Deployment) -> None:
        assert done.race is not None and done.tradeoff is not None
        self._report: RaceReport = done.race
        self._entrants = {row.kernels: row.candidate for row in done.tradeoff.rows if row.raced}

    def why_better(self, a: Standing, b: Standing) -> str:
        """Why `a` is better than `b`; empty where it is not. A file whose kernels did not race cannot be compared."""
        if a.kernels not in self._entrants:
            return "not raced by auto"
        if self._faster(a, b):
            return "faster"
        if self._faster(b, a):
            return ""
        if a.loss != b.loss:
            return "loses less" if a.loss < b.loss else ""
        return "smaller" if a.wire_bytes < b.wire_bytes else ""

    def _faster(self, a: Standing, b: Standing) -> bool:
        one, other = self._entrants.get(a.kernels), self._entrants.get(b.kernels)
        if one is None or other is None or one == other:
            return False
        pair = self._report.pair(one, other) or self._report.busy_pair(one, other)
        if self._report.busy_pairs:
            pair = self._report.busy_pair(one, other)
        return pair is not None and pair.verdict == FASTER


def _best(tried: list[tuple[str, Standing]], race: _Race | None) -> tuple[str, Standing | None]:
    best: tuple[str, Standing | None] = ("", None)
    for way, standing in tried:
        if best[1] is None or (race is not None and race.why_better(standing, best[1])):
            best = way, standing
    return best


_HEAD = "| model | limit | auto chose | loss | on the wire | best by hand | loss | on the wire | auto is worse | converting | all by hand |"
_RULE = "|---" * 11 + "|"


def _line(r: Row) -> str:
    unit = "% noise" if r.by == "SQNR" else "points"
    loss = lambda value: "-" if value is None else f"{value:.2g} {unit}"  # noqa: E731
    size = lambda value: "-" if value is None else f"{value:,}"  # noqa: E731
    worse = r.worse or ("no" if r.compared else "not compared")
    busy = "" if r.quiet else " (busy)"
    return (
        f"| {r.model} | {r.limit} | {r.chosen or 'nothing'} | {loss(r.loss)} | {size(r.wire_bytes)} | {r.best or 'nothing'} ({r.way}) "
        f"| {loss(r.best_loss)} | {size(r.best_wire_bytes)} | {worse}{busy} | {r.seconds:.0f} s | {r.seconds_by_hand:.0f} s |"
    )


if __name__ == "__main__":
    main()
