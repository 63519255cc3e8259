"""Which samples a conversion had, what they were used for, and by what rule candidates were judged on them."""

from dataclasses import dataclass
from typing import Optional

from .record import Record


@dataclass(frozen=True)
class DataUse(Record):
    """`source` is what --data named; None: there were no data, and `judge` random inputs stood in. `labels` in words,
    empty without. `gate` is the rule in words, `metric` what scores float with `float_score` (in percent, or in a metric's
    own unit), both None where nothing does. `warnings` are what a user must not miss, `notes` how the samples are read. `states`: "output=input" of each state
    that is fed back; candidates are then judged over a sequence, each with its own state.
    `train` samples were trained on, those that calibrate among them, and `validate` others judged the training (--finetune).
    `as_it_came`: the source was quantized by others, so `float_score` is its own.
    """

    source: Optional[str]
    calibrate: int
    judge: int
    gate: str
    labels: str = ""
    metric: Optional[str] = None
    float_score: Optional[float] = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    as_it_came: bool = False
    train: int = 0
    validate: int = 0
