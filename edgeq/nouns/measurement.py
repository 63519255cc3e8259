"""What was measured, raw. Medians and intervals are computed where they are shown (edgeq/report).

Durations in integer nanoseconds of a monotonic clock, sizes in bytes, energy in joules.
"""

from dataclasses import dataclass, field, replace
from typing import Optional

from .device import Conditions, Facts
from .job import Job
from .record import Record

SCHEMA = 2
SMALLEST_DIFFERENCE = 0.01  # memory layout alone makes as much, and less does not matter in practice
WORST_RATIO = 1.03  # of durations: what takes at most so much longer than the fastest counts as its equal
DECIDED = "decision"  # how `stopped_by` begins where one entrant was known to be the fastest, or its equal
CONTROL = "#twin"  # the suffix of the A/A control, the reference entered a second time


@dataclass(frozen=True)
class Block(Record):
    """One uninterrupted series of inferences in a session made for it. `order` is its place within the round."""

    round: int
    order: int
    load_ns: int
    first_ns: int
    latency_ns: tuple[int, ...]
    cpu_ns: int = 0  # user + system time of the child over `latency_ns`


@dataclass(frozen=True)
class MemoryUse(Record):
    """Of the child that runs the model: before the runtime is imported, after it, after the load, peak over the run.
    None where the kernel does not tell; the reason stands in `absent`.
    """

    rss_start: Optional[int] = None
    rss_runtime: Optional[int] = None
    rss_loaded: Optional[int] = None
    rss_peak: Optional[int] = None
    pss: Optional[int] = None
    cgroup_peak: Optional[int] = None
    minor_faults: Optional[int] = None
    major_faults: Optional[int] = None
    absent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Energy(Record):
    """Per inference. `kind` is "measured" or "estimated" and travels with the figure; `source` names sensor or model."""

    joules_per_inference: float
    kind: str
    source: str


@dataclass(frozen=True)
class Outputs(Record):
    """Outputs of the check samples: `files` relative to the root, one `.npy` per output, shape [count, *output shape].
    `offered` is how many there were; `limited_by` says which limit stopped before the last.
    """

    files: tuple[str, ...]
    count: int
    offered: int
    limited_by: Optional[str] = None


@dataclass(frozen=True)
class Run(Record):
    """What one entrant did. `state`: ok, load_failed, crashed, timeout, out_of_memory, wrong (no finite output).
    `notes`: changes that a reader must know of (samples quantized before the clock starts ...), in words.
    """

    entrant: str
    state: str
    error: Optional[str] = None
    runtime_version: Optional[str] = None
    file_bytes: int = 0
    load_ns: Optional[int] = None  # the first load, page cache as it was found
    first_ns: Optional[int] = None
    warmup_ns: tuple[int, ...] = ()
    blocks: tuple[Block, ...] = ()
    memory: Optional[MemoryUse] = None
    energy: Optional[Energy] = None
    outputs: Optional[Outputs] = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attempt(Record):
    """One try at a race that the device leaves in peace: rounds `first_round` to `first_round + rounds - 1` of every
    run, begun after `waited_ns` of waiting for a quiet device. `not_quiet`: why its times decide nothing, empty where it
    was quiet; `stopped_by`: what ended it.
    """

    first_round: int
    rounds: int
    waited_ns: int = 0
    not_quiet: tuple[str, ...] = ()
    stopped_by: str = ""


@dataclass(frozen=True)
class Measurement(Record):
    """The result of one job. `runs` are in the job's order; the A/A control of the reference is called "<id>#twin".

    `attempts` are what the rounds belong to, in the order of time. `quiet` is the verdict of the thresholds on the last of
    them, `not_quiet` its reasons, `stopped_by` what ended it.
    `energy_absent`: each kind of energy sensor that could not be read, and why.
    """

    job: Job
    state: str  # done or failed
    agent: str
    started_utc: str
    finished_utc: str
    facts: Facts
    before: Conditions
    after: Conditions
    runs: tuple[Run, ...]
    quiet: bool
    schema: int = SCHEMA
    not_quiet: tuple[str, ...] = ()
    series: tuple[Conditions, ...] = ()
    stopped_by: str = ""
    error: Optional[str] = None
    energy_absent: dict[str, str] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()

    @classmethod
    def from_dict(cls, raw: object) -> "Measurement":
        """Of this schema or an older one, which is brought up to date. Raises ValueError."""
        schema = raw.get("schema", 1) if isinstance(raw, dict) else SCHEMA
        if isinstance(raw, dict) and schema == 1:
            return _upgrade_1_to_2(super().from_dict({**raw, "schema": SCHEMA}))
        if schema != SCHEMA:
            raise ValueError(f"schema {schema!r}; this edgeq reads 1 to {SCHEMA}")
        return super().from_dict(raw)


def _upgrade_1_to_2(measurement: Measurement) -> Measurement:
    """A race had one attempt, and nobody waited for it."""
    numbers = [block.round for run in measurement.runs for block in run.blocks]
    if not numbers:
        return measurement
    only = Attempt(0, max(numbers) + 1, 0, measurement.not_quiet, measurement.stopped_by)
    return replace(measurement, attempts=(only,))
