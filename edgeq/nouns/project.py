"""What `edgeq.toml` says of gates, and of the hosts that a model goes to."""

from dataclasses import dataclass
from typing import Optional

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
