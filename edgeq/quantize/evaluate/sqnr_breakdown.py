"""Failures that the SQNR of a whole output masks: in most of its samples, in values next to others that are many times as
large, and in values that no longer vary.

Indices along an axis of an output belong to one group where their values are of one magnitude, so that one scale fits
them. A detector's boxes are hundreds next to scores below 1, with nothing in between. Classes that no sample has, or
pixels at an image's border, are small too, but with every size between them and the largest: these are one group.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.quantize.evaluate.sqnr import (
    NO_SIGNAL,
    Array,
    Doubles,
    differences,
    errors_in_pieces,
    finite,
    pooled_db,
)

_GAP = 8.0  # between two neighbours in order of size, from which they are of two groups
_SMALL = 16.0  # times smaller than the largest: in steps of one scale 4 bits of 8 are left
_LONGEST = 4096  # of an axis: more indices are places, not channels
_NOTHING = 1e-5  # of the largest: stands for zeros
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


@dataclass(frozen=True)
class AxisPowers:
    """Along `axis`, per index: the mean square of float's values, of the candidate's error, and by how much float's and the
    candidate's values vary from sample to sample (`variation`).
    """

    axis: int
    signal: Doubles
    noise: Doubles
    float_range: Doubles
    candidate_range: Doubles


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
    """The worst of all channel axes; None where values are of one group, and where samples differ in
    shape.

    A detector's boxes are hundreds next to scores below 1: in one tensor, and so of one scale, nothing is left of these.
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

    An index counts where it varies by at least two of 256 steps of the largest variation in its group: an
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


def channel_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of an array [samples, ...] that may be channels: those longer than one, and of three such, as images have them,
    only the first and the last.
    """
    axes = [a for a in range(1, len(shape)) if shape[a] >= 2]
    if len(axes) == 3:
        del axes[1]
    return tuple(a for a in axes if shape[a] <= _LONGEST)


def powers_along_axes(reference: Array, candidate: Array) -> tuple[AxisPowers, ...]:
    """Of every channel axis; none where samples differ in shape."""
    if reference.dtype == object or reference.shape != candidate.shape or not reference.size:
        return ()
    axes = channel_axes(reference.shape)
    sums = {a: np.zeros((2, reference.shape[a])) for a in axes}
    for r, error in errors_in_pieces(reference, candidate):
        power, square = np.square(finite(r)), np.square(error)
        for a in axes:
            others = tuple(i for i in range(r.ndim) if i != a)
            sums[a] += (power.sum(axis=others), square.sum(axis=others))
    return tuple(_powers(reference, candidate, a, *sums[a]) for a in axes)


def _powers(reference: Array, candidate: Array, axis: int, signal: Doubles, noise: Doubles) -> AxisPowers:
    """`signal` and `noise` are sums."""
    each = reference.size / reference.shape[axis]
    of_float, of_candidate = variation(reference, axis), variation(candidate, axis)
    return AxisPowers(axis, signal / each, noise / each, of_float, of_candidate)


def groups(sizes: Doubles, *, one_unit: bool = False) -> list[npt.NDArray[np.intp]]:
    """Indices of `sizes`, the largest group first. Zeros are in none; `one_unit`: sizes are of the same unit, whatever they
    are, so there is one group.
    """
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > _NOTHING * sizes.max(initial=0.0)]
    if one_unit or not len(order):
        return [order] if len(order) else []
    ratios = sizes[order[:-1]] / sizes[order[1:]]
    return list(np.split(order, np.flatnonzero(ratios >= _GAP) + 1))


def small_indices(sizes: Doubles) -> npt.NDArray[np.intp]:
    """Of all groups of `sizes` but the first, those at most a 16th of the largest size: of its 8 bits they have 4 or fewer."""
    small = [g for g in groups(sizes)[1:] if sizes[g[0]] <= sizes.max() / _SMALL]
    return np.concatenate(small) if small else np.zeros(0, np.intp)


def mixes_scales(values: Array) -> bool:
    """Whether small values meet large ones in `values`, [samples, ...], along one of its channel axes."""
    if values.dtype == object or not values.size or is_one_unit(values):
        return False
    wide = np.square(finite(values))
    means = (wide.mean(axis=tuple(i for i in range(wide.ndim) if i != a)) for a in channel_axes(wide.shape))
    return any(len(small_indices(np.sqrt(mean))) for mean in means)


def is_one_unit(reference: Array) -> bool:
    """Probabilities and pixels: values from 0 to 1 that are near 1 somewhere have one unit, however small some are."""
    return bool(reference.min() >= -1e-6 and 0.5 <= reference.max() <= 1.0 + 1e-6)


def variation(values: Array, axis: int | None = None) -> Doubles:
    """Largest less smallest value over the samples, [samples, ...], at the place where that is most: per index of `axis`, or
    with None over all, shape (). Of one sample the largest less the smallest of all places. A place at which a
    value is not finite varies by nothing: that is an error of its own, or the same on every sample.
    """
    kept = () if axis is None else (axis,)
    others = tuple(i for i in range(values.ndim) if i not in kept)
    over = (0,) if len(values) > 1 else others
    with np.errstate(invalid="ignore"):
        highest, lowest = (
            np.asarray(f(values, axis=over, keepdims=True), np.float64) for f in (np.max, np.min)
        )
    return np.asarray(finite(differences(lowest, highest)).max(axis=others))
