"""What the SQNR of a whole output hides: most of its samples, values beside others that are many times as large, and
values that no longer vary.
"""

from dataclasses import dataclass

import numpy as np

from edgeq.quantize.evaluate.scale_groups import (
    AxisPowers,
    groups,
    is_one_unit,
    powers_along_axes,
    small_indices,
    variation,
)
from edgeq.quantize.evaluate.sqnr import NO_SIGNAL, Array, Doubles, finite, pooled_db

_VARIES = 1e-5  # of the largest magnitude: less is rounding
_STEPS = 128  # a range is seen in 8 bits where it is two steps of a scale of its own
# Of the largest variation of a probability of one class: what is less is the tail of a softmax, where an error of a few tenths
# of a logit makes 0.02 of 0.01 and leaves nothing that 8 bits show. A class that float answers somewhere varies by more.
_ANSWERED = 0.25
_NAMED = 3
_STEPS_OF_SEQUENCE = 30  # judged ones; of fewer the SQNR is that of a few samples
_SILENT = 1e-3  # of the loudest sequence's power


@dataclass(frozen=True)
class Small:
    """`count` of `of` indices along `axis` whose values are at most a 16th of those of the largest one, root mean squares
    over all else, with nothing between the two groups; together they have `sqnr_db`.
    """

    axis: int
    count: int
    of: int
    sqnr_db: float


def typical_db(signal: Doubles, noise: Doubles) -> float | None:
    """The SQNR of the sample in the middle, in dB, from the powers of each; None where most samples are equal."""
    with np.errstate(divide="ignore"):
        each = 10 * np.log10(np.maximum(signal, NO_SIGNAL) / noise)
    middle = float(np.median(each)) if len(each) else np.inf
    return middle if np.isfinite(middle) else None


def worst_sequence_db(
    signal: Doubles, noise: Doubles, sequences: "np.typing.NDArray[np.integer]"
) -> float | None:
    """The lowest SQNR of a whole sequence, in dB, from the powers of each step and the number of its sequence. None where fewer
    than two are long enough and not silent, and where float's own is met everywhere.
    """
    numbers, steps = np.unique(sequences, return_counts=True)
    whole = [sequences == number for number in numbers[steps >= _STEPS_OF_SEQUENCE]]
    loudest = max((float(signal[these].mean()) for these in whole), default=0.0)
    heard = [these for these in whole if float(signal[these].mean()) > _SILENT * loudest]
    if len(heard) < 2:
        return None
    found = [db for these in heard if (db := pooled_db(signal[these], noise[these])) is not None]
    return min(found, default=None)


def small_values(reference: Array, candidate: Array) -> Small | None:
    """The worst of all channel axes (scale_groups.py); None where values are of one group, and where samples differ in
    shape.

    A detector's boxes are hundreds beside scores below 1: in one tensor, and so of one scale, nothing is left of these.
    """
    along = powers_along_axes(reference, candidate)
    if not along or is_one_unit(reference):
        return None
    found = [small for powers in along if (small := _small(powers)) is not None]
    return min(found, key=lambda small: small.sqnr_db, default=None)


def _small(powers: AxisPowers) -> Small | None:
    root = np.sqrt(powers.signal)
    indices = small_indices(root)
    power, error = float(powers.signal[indices].sum()), float(powers.noise[indices].sum())
    if not len(indices) or error == 0.0:
        return None
    return Small(powers.axis, len(indices), len(root), 10 * float(np.log10(power / error)))


def no_longer_varies(
    reference: Array, candidate: Array, *, channels: bool = True, scores: bool = False
) -> str:
    """What varies in float over the samples and is one value in the candidate, in words; empty where nothing is: the whole
    output, or with `channels` an index of a channel axis. `scores`: the output holds class scores.

    An index counts where it varies by at least two of 256 steps of the largest variation in its group (scale_groups.py): an
    8-bit scale of that group's own would show it. A class's probability counts from a quarter of the largest on.
    """
    if reference.dtype == object or reference.shape != candidate.shape or not reference.size:
        return ""
    varies = float(variation(reference)) > _VARIES * float(np.abs(finite(reference)).max())
    if varies and float(variation(candidate)) == 0.0:
        return "all of it"
    one_unit = is_one_unit(reference)
    least = _ANSWERED if scores and one_unit else 1.0 / _STEPS
    for powers in powers_along_axes(reference, candidate) if channels else ():
        parted = groups(powers.float_range, one_unit=one_unit)
        gone = [
            int(i)
            for group in parted
            for i in group
            if powers.candidate_range[i] == 0.0
            and powers.float_range[i] >= powers.float_range[group[0]] * least
            and powers.float_range[i] > _VARIES * np.sqrt(powers.signal[i])
        ]
        if gone:
            return _words(sorted(gone), powers)
    return ""


def _words(gone: list[int], powers: AxisPowers) -> str:
    named = ", ".join(str(i) for i in gone[:_NAMED]) + (", ..." if len(gone) > _NAMED else "")
    return f"{len(gone)} of {len(powers.signal)} along axis {powers.axis} ({named})"
