"""The score's gate with a confidence: not the measured drop but the lower end of its interval has to keep the limit, and
how many held-out samples that takes.
"""

import math
from dataclasses import replace

from edgeq.nouns.fidelity import Accuracy, Bound
from edgeq.quantize.evaluate.paired_comparison import Pairs

NO_NUMBER = "more samples would not help: the drop itself exceeds the limit"


def has_interval(accuracy: Accuracy) -> bool:
    """A metric of the user's own whose every draw of the bootstrap gave the same difference has none: that says nothing
    of samples that were not drawn.
    """
    return accuracy.low < accuracy.high


def bound_of(accuracy: Accuracy, max_drop: float) -> Bound:
    """Of an accuracy that has an interval, at its own confidence."""
    return Bound(
        accuracy.confidence, max_drop, accuracy.low, accuracy.samples, _samples_needed(accuracy, max_drop)
    )


def passed(bound: Bound) -> bool:
    return bound.low >= -bound.max_drop


def words_of_need(bound: Bound) -> str:
    """How many samples it takes, or why no number would do."""
    if bound.samples_needed is None:
        return NO_NUMBER
    return f"with differences such as these that takes {bound.samples_needed:,} held-out samples"


def least_samples(max_drop: float, confidence: float) -> int | None:
    """What a candidate needs that answers as float does on every sample; None where not even that is enough."""
    return Pairs(0, 0, 1).samples_needed(max_drop, confidence)


def at_confidence(accuracy: Accuracy, confidence: float) -> Accuracy | None:
    """The same figures with their interval at another level; None where it cannot be told from them."""
    if accuracy.confidence == confidence:
        return accuracy
    if accuracy.lost is None or accuracy.won is None:
        return None
    low, high = Pairs(accuracy.lost, accuracy.won, accuracy.samples).interval(confidence)
    return replace(accuracy, low=low, high=high, confidence=confidence)


def _samples_needed(a: Accuracy, max_drop: float) -> int | None:
    """From the counts where there are any; else by the interval's lower half, which shrinks with the square root of the
    number of samples.
    """
    if a.lost is not None and a.won is not None:
        return Pairs(a.lost, a.won, a.samples).samples_needed(max_drop, a.confidence)
    room = a.difference + max_drop
    if room <= 0.0:
        return None
    return max(1, math.ceil(a.samples * ((a.difference - a.low) / room) ** 2))
