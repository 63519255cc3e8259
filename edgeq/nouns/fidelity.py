"""How close a candidate is to the float model, judged on samples that did not calibrate it."""

from dataclasses import dataclass, field
from typing import Optional

from .effort import NextEffort
from .passes import AppliedChange, PassResult, StepCost
from .record import Record

# A value that is not finite on one side alone counts as an error of float32's largest, which no other error comes near.
# Below the second is an error where float has no signal at all, and so no ratio to one.
_NOT_FINITE_DB, _SILENT_DB = -300.0, -1000.0


def is_finite_db(sqnr_db: float) -> bool:
    """Whether both signal and noise were finite, and there was a signal."""
    return sqnr_db > _NOT_FINITE_DB


def words_of_db(sqnr_db: float, digits: int = 1, figure: str = "SQNR ") -> str:
    """An SQNR for messages: "SQNR 34.1 dB" with `figure` before the number, or why there is no number."""
    if is_finite_db(sqnr_db):
        return f"{figure}{sqnr_db:.{digits}f} dB"
    if sqnr_db > _SILENT_DB:
        return "not finite where float is, or vice versa"
    return "not zero where float is all zero"


@dataclass(frozen=True)
class OutputError(Record):
    """`sqnr_db` = 10 log10(sum float^2 / sum (float - candidate)^2) over all judged samples; None when they are equal, and
    of integers and truth values. Of these `equal` percent of the values are float's, `equal_beyond_usual` percent where
    float or the candidate has another than float's most frequent value (None where neither has), and `about_mean_db` is
    10 log10(sum (float - its mean)^2 / sum (float - candidate)^2), None when they are equal. `selected`: they say which
    entries of a list were selected, as a detector's indices do.

    Failures that an aggregate SQNR masks: `typical_db` is the median of the samples' SQNR; `small_db` the SQNR of channels at
    least 16x smaller than the largest, where it is below 10 dB, and `small` names them; `constant` names what varies in float
    and is constant in the candidate, empty where nothing is; `worst_sequence_db` is the lowest SQNR of a sequence, where
    steps of several were judged.
    """

    output: str
    sqnr_db: Optional[float]
    largest_error: float
    equal: Optional[float] = None
    typical_db: Optional[float] = None
    small_db: Optional[float] = None
    small: str = ""
    constant: str = ""
    equal_beyond_usual: Optional[float] = None
    about_mean_db: Optional[float] = None
    selected: bool = False
    worst_sequence_db: Optional[float] = None

    @property
    def same(self) -> bool:
        """As float's, bit for bit."""
        return self.sqnr_db is None and self.equal in (None, 100.0)


@dataclass(frozen=True)
class Accuracy(Record):
    """In percent, on labelled held-out samples. `difference` = candidate - float in points, with its paired interval at
    `confidence` percent. `lost` samples only float gets right, `won` only the candidate, where that can be counted.

    A metric of the user's own keeps its unit, but for scores of 0 to 1, which are `scaled` by 100.
    """

    metric: str
    samples: int
    float_score: float
    candidate_score: float
    difference: float
    low: float
    high: float
    scaled: bool = False
    confidence: float = 95.0
    lost: Optional[int] = None
    won: Optional[int] = None

    @property
    def decimals(self) -> int:
        """With how many the printed scores differ by the printed difference: 87.62 -> 87.88 is no +0.2."""
        for digits in (1, 2):
            before, after, moved = (
                round(v, digits) for v in (self.float_score, self.candidate_score, self.difference)
            )
            if round(after - before, digits) == moved:
                return digits
        return 3


@dataclass(frozen=True)
class Bound(Record):
    """What `--confidence` asks for: that `low`, the lower end of the score's paired interval at `confidence` percent, be no
    lower than `-max_drop` points. `samples` judged; with differences such as these it takes `samples_needed` of them, None
    where no number would do.
    """

    confidence: float
    max_drop: float
    low: float
    samples: int
    samples_needed: Optional[int]


@dataclass(frozen=True)
class Agreement(Record):
    """Share of samples, in percent, on which float's first class is the candidate's first, and is among its first five."""

    samples: int
    top1: float
    top5: Optional[float]


@dataclass(frozen=True)
class BetweenRuntimes(Record):
    """The int8 candidates of two runtimes compared with each other, on check samples. `sqnr_db` is that of the output that differs
    most, the first candidate's being the signal; None when all are equal. `top1`: the share of samples, in percent, to
    which both give the same first class; None where there are no class scores.
    """

    first: str
    second: str
    samples: int
    sqnr_db: Optional[float]
    top1: Optional[float]


@dataclass(frozen=True)
class LayerError(Record):
    """`cause` is what dominates the layer's error: clipping, rounding or saturation."""

    layer: str
    sqnr_db: float
    cause: str


@dataclass(frozen=True)
class FloatSearch(Record):
    """The mixed-precision search for layers that stay in float so that the gate holds. `tries` sets of layers were judged on
    held-out samples, `remembered` of them by an earlier conversion. The gate first held with `first` layers in float;
    minimizing that set left `left`, 0 where no set with integer kernels helps. `stopped`: what ended the search early, empty
    where the set is minimal.
    """

    tries: int
    remembered: int
    first: int
    left: int
    stopped: str = ""


@dataclass(frozen=True)
class FusionAudit(Record):
    """What the runtime's optimized graph shows: `integer` of `total` heavy operators run as integer kernels."""

    operator: str
    integer: int
    total: int
    qdq_pairs_left: int
    method: str


@dataclass(frozen=True)
class LayerInFloat(Record):
    """A layer that stayed in float, or several of one operator as "Conv: a, b and 3 more", and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Fidelity(Record):
    """`same_samples`: calibration and judgement used the same data, because there was only one sample. `closed_loop`: of a
    model with states, how many steps the candidate and float ran in sequence, each with its own state; `samples` of them
    are judged. None where samples were judged one by one. `as_it_came`: the source was quantized by others, there is no float,
    and the figures are those of the file against itself.
    """

    candidate: str
    samples: int
    outputs: tuple[OutputError, ...]
    agreement: Optional[Agreement] = None
    accuracy: Optional[Accuracy] = None
    worst_layers: tuple[LayerError, ...] = ()
    float_layers: tuple[LayerInFloat, ...] = field(default=())
    fusion: tuple[FusionAudit, ...] = ()
    same_samples: bool = False
    gate: str = ""  # the rule that was applied, in words
    passed: bool = True
    why_failed: Optional[str] = None
    seconds: float = 0.0
    quantized_nothing: bool = False  # the recipe found nothing that it could quantize, or no layer with weights computes on integers
    calibrator: Optional[str] = None  # how the ranges of activations were chosen, where they are fixed
    remedies: tuple[AppliedChange, ...] = ()
    repairs: tuple[PassResult, ...] = ()
    bound: Optional[Bound] = None
    search: Optional[FloatSearch] = None
    closed_loop: Optional[int] = None
    as_it_came: bool = False
    costs: tuple[StepCost, ...] = ()  # of making it, now or before, in the order of the steps
    next_effort: Optional[NextEffort] = None  # None where it changes nothing
