"""Which indices along an output's axes hold values of one magnitude, and so belong under one scale.

A detector's boxes are hundreds beside scores below 1, with nothing in between. Classes that no sample has, or pixels at an
image's border, are small too, but with every size between them and the largest: these are one group.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.quantize.evaluate.sqnr import Array, Doubles, differences, errors_in_pieces, finite

GAP = 8.0  # between two neighbours in order of size, from which they are of two groups
_SMALL = 16.0  # times smaller than the largest: in steps of one scale 4 bits of 8 are left
_LONGEST = 4096  # of an axis: more indices are places, not channels
_NOTHING = 1e-5  # of the largest: stands for zeros


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
    return list(np.split(order, np.flatnonzero(ratios >= GAP) + 1))


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
