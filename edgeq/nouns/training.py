"""What a training for a device's arithmetic started from, what it did, and what it reached."""

from dataclasses import dataclass
from typing import Optional

from .plan import Scheme
from .record import Record
from .weight_levels import UNIFORM


@dataclass(frozen=True)
class Evaluation(Record):
    """After `step` steps, on samples that are never trained on. `loss`: the distance to float, and to the labels where they have a
    share. `score`: top-1 in percent, with labels; without, the share of samples that agree with float; None where no output holds
    class scores.
    """

    step: int
    loss: float
    score: Optional[float]


@dataclass(frozen=True)
class Training(Record):
    """`before` is post-training quantization, `best` what was kept; `float_score` that of float on the same samples. Both are None, and nothing is counted, where a loop of the user's own trained it.
    `weight_bits` (in the mean) and `activation_bits`: of the layers of `low_bit_layers`; all others have 8. `scored_by`: "top-1", "agreement"
    with float or "". `source_sha256`: of the float model; `data_sha256`: of the samples. `macs_share`: of the float model's
    multiply-accumulates, where it was made smaller. `sparsity`: the share of the inner layers' weights that is zero. `levels`:
    what weights below 8 bits are, a kind of weight_levels.py.
    """

    source_sha256: str
    data_sha256: str
    scheme: Scheme
    weight_bits: float
    activation_bits: int
    low_bit_layers: tuple[str, ...]
    samples: int
    validated: int
    epochs: float
    step: int
    steps: int
    before: Optional[Evaluation]
    best: Optional[Evaluation]
    scored_by: str
    float_score: Optional[float]
    seconds: float
    stopped_early: bool = False
    interrupted: bool = False
    macs_share: Optional[float] = None
    sparsity: float = 0.0
    levels: str = UNIFORM


@dataclass(frozen=True)
class TrainedFile(Record):
    """The QDQ file at the path `onnx` of a network that was trained from a model (`edgeq finetune`, --finetune). `variant`: which of several it
    is, as its candidates' ids end ("2.5bit"); empty of one alone. `tflite`: the path of its float graph as TFLite, and `why_no_tflite` where
    there is none and one was asked for.
    """

    onnx: str
    training: Training
    variant: str = ""
    tflite: str = ""
    why_no_tflite: str = ""


@dataclass(frozen=True)
class Trained(Record):
    """How far a training is: `epoch` of `epochs`, the running mean of its `loss`, and the last evaluation. `in_float`: a smaller network
    learns, before it is quantized.
    """

    epoch: float
    epochs: float
    loss: float
    evaluation: Evaluation
    scored_by: str
    in_float: bool = False
