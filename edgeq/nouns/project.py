"""What `edgeq.toml` says: a model, its data, its gates, and the hosts it goes to."""

from dataclasses import dataclass, field
from typing import Any, Optional

from .record import Record


@dataclass(frozen=True)
class Gates(Record):
    """Limits below which a quantized model is refused; None: edgeq's own default (edgeq/quantize/evaluate/gate.py).
    `ignore_labels`: judge as if the samples came without. `confidence`, in percent: `max_drop` is asked of the lower end of
    the score's interval at this level.
    """

    max_drop: Optional[float] = None
    min_agreement: Optional[float] = None
    min_sqnr_db: Optional[float] = None
    metric: Optional[str] = None
    ignore_labels: Optional[bool] = None
    confidence: Optional[float] = None


@dataclass(frozen=True)
class Place(Record):
    """Where a target's device is and how to log in; every key may be overridden on the command line."""

    host: Optional[str] = None
    port: Optional[int] = None
    identity: Optional[str] = None
    root: Optional[str] = None


@dataclass(frozen=True)
class Project(Record):
    """`preprocess` is either the text that --preprocess takes or a table of the same keys; `passes` is --passes' text,
    `states` that of --states. `repairs`: the old name of `passes`.
    """

    model: Optional[str] = None
    weights: Optional[str] = None
    name: Optional[str] = None
    data: Optional[str] = None
    calibrate: Optional[int] = None
    preprocess: Any = None
    passes: Optional[str] = None
    repairs: Optional[str] = None
    integer_io: Optional[bool] = None
    states: Optional[str] = None
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    gates: Gates = field(default_factory=Gates)
    targets: dict[str, Place] = field(default_factory=dict)
