"""Why a quantized candidate is as it is, layer by layer."""

from dataclasses import dataclass
from typing import Optional

from .plan import Skipped
from .record import Record
from .repairs import Tried


@dataclass(frozen=True)
class LayerExplained(Record):
    """One operator with weights. `work` is its share of the multiply-accumulates, 0..1.

    `scheme` names types and granularity, or is "float"; `why_float` says why it computes in float. `low` and `high` are the
    range that its input is quantized to, None where that comes from the input itself. The errors are those of its output,
    in ONNX and with fixed ranges before any activation, root mean square over that of float's output: `error` in all, `own`
    where its input is float's, so that nothing before it counts. Parts of `error`, which may cancel: `clipping` of its
    input by the range, `rounding` of the input and of all before it, `weights`; None where they cannot be told apart.
    `bias_shift` is the part of `error` that is a constant for each channel. `integer` says whether the runtime runs it as
    an integer kernel, `overflows` how many pairs of its weights some input can saturate where the CPU adds pairs of
    products in 16 bits; None where it does not. `remedies` were tried and kept. `inside` names the If, Loop or Scan that it
    stands in, `unmeasured` says why a quantized layer has no errors.
    """

    layer: str
    operator: str
    work: float
    scheme: str
    why_float: str = ""
    low: Optional[float] = None
    high: Optional[float] = None
    error: Optional[float] = None
    clipping: Optional[float] = None
    rounding: Optional[float] = None
    weights: Optional[float] = None
    bias_shift: Optional[float] = None
    integer: Optional[bool] = None
    overflows: Optional[int] = None
    remedies: tuple[str, ...] = ()
    own: Optional[float] = None
    inside: str = ""
    unmeasured: str = ""


@dataclass(frozen=True)
class Partners(Record):
    """How many of the .tflite graph's activation `tensors` are tensors of the ONNX graph, by their values on one sample, and
    which are not, with the reason. Ranges of all are found on the TFLite side.
    """

    tensors: int
    matched: int
    without: tuple[Skipped, ...]


@dataclass(frozen=True)
class Explanation(Record):
    """Of one candidate, on `samples` held-out samples. `calibrator` and `gain_db` (of all remedies together, at the
    outputs) are those of its making; `sqnr_db` that of its worst output on all samples that judged it.
    """

    name: str
    target: str
    candidate: str
    samples: int
    calibrator: Optional[str]
    sqnr_db: Optional[float]
    gain_db: Optional[float]
    layers: tuple[LayerExplained, ...]
    repairs: tuple[Tried, ...] = ()
    partners: Optional[Partners] = None
