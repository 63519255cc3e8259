"""Why a quantized candidate is as it is, layer by layer."""

from dataclasses import dataclass
from typing import Optional

from .passes import PassResult
from .plan import Skipped
from .record import Record


@dataclass(frozen=True)
class LayerExplained(Record):
    """One operator with weights. `work` is its share of the multiply-accumulates, 0..1.

    `scheme` names types and granularity, or is "float"; `why_float` is the reason for float. `low` and `high` are the range
    of its quantized input, None where that is quantized dynamically. `integer`: the runtime runs an integer kernel.
    `overflows`: how many pairs of weights can overflow a 16-bit sum; None where the CPU does not add pairs of products in 16
    bits. `remedies`: the changes to it that were kept. `inside`: the If, Loop or Scan around it. `unmeasured`: why a
    quantized layer has no errors.

    Errors are relative: RMS error of the output over RMS of float's output, in ONNX with static ranges before the activation.
    `error` is the whole, `own` that of this layer alone, given float's input. Parts of `error`, which may cancel: `clipping`
    of the input by its range, `rounding` inherited from the quantized input, `weights`; None where they cannot be separated.
    `bias_shift` is the mean error per channel.
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
class TensorMatches(Record):
    """How many of the .tflite graph's activation `tensors` are matched to ONNX tensors by their values on one sample; `without`
    are the others, with the reason. Ranges of all are found on the TFLite side.
    """

    tensors: int
    matched: int
    without: tuple[Skipped, ...]


@dataclass(frozen=True)
class Explanation(Record):
    """One candidate, on `samples` held-out samples. `calibrator` chose its ranges; `gain_db` is the SQNR of the outputs that all
    changes together gained on calibration samples; `sqnr_db` is that of the worst output on all evaluation samples, against the float
    model. `own_float`: why the errors of the layers are those against the trained network's own float graph, not the float model; empty
    where they are not.
    """

    name: str
    target: str
    candidate: str
    samples: int
    calibrator: Optional[str]
    sqnr_db: Optional[float]
    gain_db: Optional[float]
    layers: tuple[LayerExplained, ...]
    repairs: tuple[PassResult, ...] = ()
    partners: Optional[TensorMatches] = None
    own_float: str = ""
