"""Accuracy, bytes, memory and latency of each candidate, the limits on them, and the Pareto front."""

from dataclasses import dataclass
from typing import Optional

from .record import Record


@dataclass(frozen=True)
class CostLimits(Record):
    """What a candidate may cost; None: no limit. `max_latency_ms` of its median latency on the device, `max_bytes` of its file on the
    wire, compressed.
    """

    max_latency_ms: Optional[float] = None
    max_bytes: Optional[int] = None

    @property
    def any(self) -> bool:
        return self.max_latency_ms is not None or self.max_bytes is not None


@dataclass(frozen=True)
class Standing(Record):
    """One candidate. `loss` against float, at least 0: points of the score or of agreement, or of SQNR the share of the noise, in percent
    (`Tradeoff.by` says which). `wire_bytes` of its file as it is sent where the link is slow, compressed; `file_bytes` on disk;
    `memory_bytes` its predicted peak above the runtime. Candidates with the same `kernels` differ in the values of
    their weights alone, and take the same time. `refused`: the gate's or a limit's reason, empty where it keeps all.

    On a device: `p50_ms`, of one with the same kernels where it was not raced itself (`raced`), and `peak_bytes` of memory.
    `front`: none is at least as good in loss, bytes on the wire and latency, and better in one; where latencies are not
    known only those of the same kernels are compared.
    """

    candidate: str
    loss: float
    wire_bytes: int
    file_bytes: int
    memory_bytes: int
    kernels: str
    refused: str = ""
    front: bool = False
    raced: bool = False
    p50_ms: Optional[float] = None
    peak_bytes: Optional[int] = None


@dataclass(frozen=True)
class Tradeoff(Record):
    """In the order of the plan. `by`: what `loss` is of, "top-1", the name of a metric, "agreement" or "SQNR". `auto`: --recipe auto chooses
    among them. `chosen` and `why` once that is decided, on a device.
    """

    by: str
    limits: CostLimits
    auto: bool
    rows: tuple[Standing, ...]
    chosen: Optional[str] = None
    why: str = ""

    def row(self, candidate: str) -> Optional[Standing]:
        return next((row for row in self.rows if row.candidate == candidate), None)
