"""What was measured, as plain data, and what follows from it: slopes over size, and what an effort gains."""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.quantization.contestants import EDGEQ

YARDSTICK = "onnxruntime"
"""Whose processor time is 1 in ratios."""


@dataclass(frozen=True)
class Contestant:
    """`setting`: an effort of edgeq, or the peer's name for one of its ways."""

    who: str
    setting: str

    @property
    def name(self) -> str:
        return f"{self.who} {self.setting}"


@dataclass(frozen=True)
class Network:
    """`weights` is their number; `file` the float model."""

    name: str
    file: Path
    weights: int


@dataclass(frozen=True)
class Took:
    """Seconds of the work alone, the imports apart. `peak_bytes`: the most that the process had resident, imports and samples included;
    None where the system does not tell. What edgeq took to open the model before is told apart; None: no such step.
    """

    cpu_seconds: float
    seconds: float
    peak_bytes: int | None
    opening_cpu_seconds: float | None = None
    opening_seconds: float | None = None

    @property
    def opened_cpu_seconds(self) -> float:
        """With the opening."""
        return self.cpu_seconds + (self.opening_cpu_seconds or 0.0)


@dataclass(frozen=True)
class Row:
    """`took` is None where nothing was made, `sqnr_db` where it could not be judged or equals float; `why` says which."""

    network: str
    weights: int
    by: Contestant
    took: Took | None = None
    sqnr_db: float | None = None
    bytes: int | None = None
    notes: tuple[str, ...] = ()
    why: str = ""
    not_quiet: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return self.network.partition("-")[0]


def ratio(row: Row, rows: Sequence[Row]) -> tuple[float, float] | None:
    """Processor time over the yardstick's for the same network, without and with the opening; None where either is missing."""
    theirs = next((r for r in rows if r.network == row.network and r.by.who == YARDSTICK), None)
    if row.took is None or theirs is None or theirs.took is None:
        return None
    unit = theirs.took.cpu_seconds
    return row.took.cpu_seconds / unit, row.took.opened_cpu_seconds / unit


def slopes(rows: Sequence[Row]) -> Mapping[tuple[Contestant, str], float]:
    """By contestant and kind of network: d log(CPU seconds) / d log(weights), by least squares over at least two networks."""
    points: dict[tuple[Contestant, str], list[tuple[float, float]]] = {}
    for row in rows:
        if row.took is not None:
            point = (math.log(row.weights), math.log(row.took.cpu_seconds))
            points.setdefault((row.by, row.kind), []).append(point)
    found: dict[tuple[Contestant, str], float] = {}
    for key, many in points.items():
        sizes, times = np.array(many).T
        if np.ptp(sizes) > 0:
            found[key] = float(np.polyfit(sizes, times, 1)[0])
    return found


def gains(rows: Sequence[Row], efforts: Sequence[str]) -> Mapping[str, tuple[float, int]]:
    """By effort: the median of the decibels that it is closer to float than the one before it in `efforts`, and over how many networks."""
    db = {(r.network, r.by.setting): r.sqnr_db for r in rows if r.by.who == EDGEQ and r.sqnr_db is not None}
    found: dict[str, tuple[float, int]] = {}
    for before, after in itertools.pairwise(efforts):
        won = [db[n, after] - db[n, before] for n, e in db if e == after and (n, before) in db]
        if won:
            found[after] = statistics.median(won), len(won)
    return found
