"""What a host asks of the agent, and within which limits. A job is a JSON file in `jobs/` (docs/protocol.md)."""

from dataclasses import dataclass, field
from typing import Optional

from .record import Record
from .target import EnergyModel

SCHEMA = 1
UNREADABLE = (
    "unreadable"  # the kind of the job that stands for a file which is none, in the result that says so
)


@dataclass(frozen=True)
class Entrant(Record):
    """One model file to run. `model` and `python_path` are relative to the device's root; `inputs` and `outputs` are
    the file's own names in the order of the check samples. An empty `python_path` uses the interpreter's own packages.
    """

    id: str
    runtime: str
    model: str
    digest: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    python_path: tuple[str, ...] = ()
    threads: int = 1
    title: str = ""


@dataclass(frozen=True)
class Limits(Record):
    """When to stop: the paired interval's half-width below `precision`, or `seconds` of measuring spent; where `decided`, also
    as soon as one entrant of a race is known to be the fastest. `load_seconds` bounds one load plus first inference,
    `check_seconds` and `check_bytes` the comparison of outputs.
    """

    seconds: float = 30.0
    precision: float = 0.01
    load_seconds: float = 120.0
    check_seconds: float = 20.0
    check_bytes: int = 8_000_000
    min_rounds: int = 4
    max_rounds: int = 60
    block_ms: float = 50.0
    warmup_runs: int = 3
    decided: bool = False


@dataclass(frozen=True)
class Thresholds(Record):
    """Beyond these a run is "not quiet" (design rule: numeric thresholds kept as data)."""

    frequency_drop: float = 0.05
    steal_share: float = 0.05
    pressure_cpu: float = 20.0
    pressure_memory: float = 1.0
    drift: float = 0.05


@dataclass(frozen=True)
class Job(Record):
    """`kind`: "smoke" loads and runs each entrant once; "race" measures the entrants interleaved, the first of them
    being the reference, which is entered a second time as the A/A control; "measure" is a race without that control.

    `samples` is the folder of check samples relative to the root: `<i>.npy` per input i, shape [n, *input shape].
    """

    id: str
    kind: str
    app: str
    entrants: tuple[Entrant, ...]
    samples: str
    schema: int = SCHEMA
    limits: Limits = field(default_factory=Limits)
    thresholds: Thresholds = field(default_factory=Thresholds)
    energy: Optional[EnergyModel] = None
    requested_by: str = ""
    created_utc: str = ""
