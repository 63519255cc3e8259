"""What a measurement comes to: figures with their intervals, verdicts, and the choice that follows.

Durations in milliseconds, sizes in bytes, shares and ratios as plain numbers (0.01 is one percent).
"""

from dataclasses import dataclass, field
from typing import Optional

from .measurement import Energy, MemoryUse
from .record import Record

SCHEMA = 1

FASTER, SLOWER, CANNOT_TELL = "faster", "slower", "cannot tell"
REFERENCE, NOT_COMPARED = "reference", "not compared"


@dataclass(frozen=True)
class Estimate(Record):
    """A figure with the ends of its 95 % interval; these are None where too few rounds were measured for one."""

    value: float
    low: Optional[float] = None
    high: Optional[float] = None


@dataclass(frozen=True)
class Latency(Record):
    """One entrant's inferences, warm-up apart. Nothing is discarded: `outliers` counts what the rule of
    edgeq/report/series.py calls one. `effective_samples` is what `samples` correlated ones are worth, `drift` how
    much slower (+0.05: 5 %) the last third was than the first.
    """

    samples: int
    rounds: int
    p50_ms: Estimate
    p90_ms: Estimate
    p95_ms: Estimate
    p99_ms: Estimate
    p5_ms: float
    p10_ms: float
    p999_ms: float
    min_ms: float
    max_ms: float
    mean_ms: float
    stddev_ms: float
    mad_ms: float
    outliers: int
    effective_samples: float
    drift: Optional[float]
    throughput_per_s: float


@dataclass(frozen=True)
class EntrantReport(Record):
    """One row of the table. `ratio` is its duration over the reference's, `speedup` the inverse; both by paired rounds.

    `verdict` is faster, slower or cannot tell (beyond the report's `margin`), reference, or not compared. `error` says
    what `state` is about when it is not ok. `load_ms` is the first load, page cache as it was found, `load_warm_ms`
    the median of the later ones.
    """

    id: str
    title: str
    runtime: str
    state: str
    verdict: str
    runtime_version: Optional[str] = None
    error: Optional[str] = None
    latency: Optional[Latency] = None
    ratio: Optional[Estimate] = None
    speedup: Optional[Estimate] = None
    load_ms: Optional[float] = None
    load_warm_ms: Optional[float] = None
    first_inference_ms: Optional[float] = None
    peak_memory_bytes: Optional[int] = None
    memory: Optional[MemoryUse] = None
    cpu_ms_per_inference: Optional[float] = None
    energy: Optional[Energy] = None
    file_bytes: int = 0


@dataclass(frozen=True)
class Pair(Record):
    """Duration of `entrant` over that of `against`, and the verdict on `entrant`."""

    entrant: str
    against: str
    ratio: Estimate
    verdict: str


@dataclass(frozen=True)
class RaceReport(Record):
    """`noise_floor` is by how much the reference differed from its A/A control (None: there was none); `margin` =
    max(1 %, noise floor) is what a difference has to exceed. `not_compared` says why the times decide nothing, None
    when they do; `emulated` how the emulator was recognised: then no figure here is a device's. `energy_absent`: each
    kind of energy sensor that could not be read there, and why. `user`: as whom the models ran, "edgeq" being the system
    service's own. `busy_pairs` are what CPU time says where the device was not quiet (edgeq/report/busy.py); `attempts` and
    `waited_s`: how often, and for how long, it was waited for it to be.
    """

    job: str
    app: str
    device: str
    reference: str
    rows: tuple[EntrantReport, ...]
    pairs: tuple[Pair, ...]
    margin: float
    rounds: int
    threads: int
    seconds: float
    quiet: bool
    noise_floor: Optional[float] = None
    not_quiet: tuple[str, ...] = ()
    not_compared: Optional[str] = None
    emulated: Optional[str] = None
    stopped_by: str = ""
    schema: int = SCHEMA
    energy_absent: dict[str, str] = field(default_factory=dict)
    user: str = ""
    busy_pairs: tuple[Pair, ...] = ()
    attempts: int = 1
    waited_s: float = 0.0

    def row(self, id: str) -> EntrantReport:
        """Raises KeyError."""
        for row in self.rows:
            if row.id == id:
                return row
        raise KeyError(id)

    def pair(self, entrant: str, against: str) -> Optional[Pair]:
        """None when one of the two has no times, or they share too few rounds."""
        return next((p for p in self.pairs if (p.entrant, p.against) == (entrant, against)), None)

    def busy_pair(self, entrant: str, against: str) -> Optional[Pair]:
        """None where the device was quiet, or the two share too few rounds."""
        return next((p for p in self.busy_pairs if (p.entrant, p.against) == (entrant, against)), None)


@dataclass(frozen=True)
class Choice(Record):
    """Which candidate goes live. `compared`: the race decided, on a busy device by CPU time; else what was live or float
    stays, on an emulated device the plan's first goes live, and `why` says why.
    """

    candidate: str
    why: str
    compared: bool


@dataclass(frozen=True)
class DeviceCheck(Record):
    """The device's outputs compared with the host's for the same candidate, on the first `samples` check samples.

    `largest_error` and `tolerance` are in the output's own unit, of the output that came closest to failing or failed;
    `cosine` is the smallest of all outputs. `agreement` with the host's float model and the accuracies are in percent,
    None where there are no classes or no labels.
    """

    samples: int
    passed: bool
    why: str
    largest_error: Optional[float] = None
    tolerance: Optional[float] = None
    cosine: Optional[float] = None
    agreement: Optional[float] = None
    accuracy: Optional[float] = None
    host_accuracy: Optional[float] = None
    float_accuracy: Optional[float] = None
    candidate: str = ""


@dataclass(frozen=True)
class Condition(Record):
    """One thing that two measurements should have in common and have not."""

    what: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.what}: {self.first} in the first, {self.second} in the second"


@dataclass(frozen=True)
class Change(Record):
    """One candidate in two measurements. `ratio` is second over first, `verdict` on the second."""

    entrant: str
    first_ms: Optional[Estimate]
    second_ms: Optional[Estimate]
    ratio: Optional[Estimate]
    verdict: str


@dataclass(frozen=True)
class Comparison(Record):
    """Two measurements side by side. `unlike` is empty unless the comparison was forced."""

    first: str
    second: str
    changes: tuple[Change, ...]
    margin: float
    unlike: tuple[Condition, ...] = ()
    unmatched: tuple[str, ...] = ()
    schema: int = SCHEMA


@dataclass(frozen=True)
class StoredRow(Record):
    """One measurement as the store lists it. `number` is its place in the store, `job` its identity, `delivery` what
    travelled for it (edgeq/deliver/push.py), empty where nothing did.
    """

    number: int
    job: str
    kind: str
    app: str
    release: str
    host: str
    board: str
    machine_id: str
    started_utc: str
    state: str
    quiet: bool
    emulated: Optional[str] = None
    delivery: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class LiveFigures(Record):
    """What is known of the candidate that is live under `app`: figures of the newest measurement `job`, and its place in
    the race `raced` against the candidate called `against`. `absent` says why there are none.
    """

    app: str
    job: Optional[str] = None
    measured_utc: Optional[str] = None
    quiet: Optional[bool] = None
    emulated: Optional[str] = None
    p50_ms: Optional[Estimate] = None
    peak_memory_bytes: Optional[int] = None
    raced: Optional[str] = None
    raced_utc: Optional[str] = None
    against: Optional[str] = None
    verdict: Optional[str] = None
    speedup: Optional[Estimate] = None
    absent: Optional[str] = None
