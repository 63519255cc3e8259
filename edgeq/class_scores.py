"""Tells class scores from other outputs of shape [samples, n]: reconstructions, boxes, embeddings, regressed values.

Labels that are class numbers settle it. Without them the values decide: the largest of n values is a prediction only
where the values compete with each other. `why_no_classes` lists the reasons against that; where there is none, one output of
this shape counts as class scores.

That scores of classes compete is seen from sample to sample. The gradient of a softmax's cross-entropy sums to zero over the
classes, so training moves scores against each other and leaves their sum nearly where it was. Targets that are regressed vary on
their own, and the variance of their sum is the sum of their variances, or rise and fall together, and it is more.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeq.embeddings import are_directions

Array = NDArray[Any]

_MANY = 32  # columns from which the distance of the two largest values tells embeddings from scores
# Median distance of a row's two largest values in standard deviations of the row. MobileNetV2's 1001 logits: 1.7; of 32 to
# 1000 independent normal values 0.2 to 0.3, of Laplace's 0.4 to 0.6.
_DECIDED = 0.75
_ENOUGH = 8  # samples that tell how values vary
# The variance of a row's sum over the sum of the values' variances. Of 2 to 7 classes 37 classifiers, trained in various ways and
# to 50 % and more, have 0.00 to 0.22 and one of 20 steps of training 0.70; 26 regressions (poses, angles, sensors, colours, latent
# values) 0.56 to 5.2, and one of two targets that happen to oppose each other 0.39.
_APART = 0.5
# With more classes the sum follows how sure a network is: 31 of 37 have up to 0.61, the others up to 2.8. 19 of 21 regressions and
# embeddings have 0.7 to 8, but then no value stands out: the median distance of the two largest, in standard deviations of the row,
# is at most 2.3 / sqrt(n), of independent normal values 1.5 / sqrt(n). Of the six classifiers four have 3.5 to 9.
_SEVERAL = 8
_APART_OF_SEVERAL = 0.7
_CLOSE = 2.7  # / sqrt(n)
# Between the spreads of two columns that follow each other in size: scores of classes are of one unit, offsets in pixels beside
# attributes are not. MobileNetV2's background, which no sample of its training had, varies a fifth of the next of 1001 classes,
# so at least one column in 16 has to lie below the gap. Columns whose spread is below _NOTHING of the largest are constant.
_GAP = 8.0
_SEVERAL_SMALL = 16
_NOTHING = 1e-5
_OTHER_NAMES = re.compile(
    r"box|bbox|coord|landmark|keypoint|pose|embed|feature|latent|recon|decod|denois|depth|offset|angle|position"
    r"|rotation|quaternion|translation|velocity|torque|forecast|regress",
    re.IGNORECASE,
)
_CLASS_NAMES = re.compile(r"class|logit|prob|score", re.IGNORECASE)


def class_scores(
    outputs: Sequence[Array],
    inputs: Sequence[tuple[int, ...]] = (),
    *,
    labelled: bool = False,
    names: Sequence[str] = (),
) -> int | None:
    """The index of the output that holds class scores: the only one of shape [samples, n], n >= 2, unless its values show
    that it does not. `outputs` are float's, `inputs` the shapes of one sample's inputs, `names` the outputs' names.
    `labelled`: the samples have class numbers, so the values are not asked.
    """
    found = _of_rows(outputs)
    if len(found) != 1:
        return None
    which = found[0]
    return which if labelled or not _why_none(which, outputs, inputs, names) else None


def why_none(
    outputs: Sequence[Array], inputs: Sequence[tuple[int, ...]] = (), names: Sequence[str] = ()
) -> str:
    """What the values of the only output of shape [samples, n] show against class scores, in words; empty where nothing,
    and where no single output has that shape.
    """
    found = _of_rows(outputs)
    return _why_none(found[0], outputs, inputs, names) if len(found) == 1 else ""


def _of_rows(outputs: Sequence[Array]) -> list[int]:
    return [
        k
        for k, o in enumerate(outputs)
        if o.dtype != object and o.ndim == 2 and o.shape[1] >= 2 and np.issubdtype(o.dtype, np.floating)
        if not are_directions(o)
    ]


def _why_none(
    which: int, outputs: Sequence[Array], inputs: Sequence[tuple[int, ...]], names: Sequence[str]
) -> str:
    return why_no_classes(outputs[which], inputs, names[which] if which < len(names) else "")


def are_no_classes(truth: Array, width: int) -> bool:
    """Whether labels that are no class numbers, [samples, ...] or an object array of arrays, say that an output of `width`
    values per sample holds no class scores either: they are real numbers (poses, boxes, targets), or have its width. Rows of
    probabilities are soft labels of classes.
    """
    parts = [np.asarray(t) for t in truth] if truth.dtype == object else [truth]
    if any(p.dtype.kind not in "biuf" for p in parts):
        return False
    if truth.dtype != object and truth.dtype.kind == "f" and truth.ndim == 2 and truth.shape[1] == width:
        values = truth.astype(np.float64)
        return not (
            np.isfinite(values).all()
            and values.min() >= 0
            and np.allclose(values.sum(axis=1), 1.0, atol=2e-2)
        )
    real = any(p.dtype.kind == "f" for p in parts)
    return real or (truth.dtype != object and truth.size == len(truth) * width)


def may_be_classes(rows: Array, inputs: Sequence[tuple[int, ...]] = (), name: str = "") -> bool:
    """Whether `rows` could be class scores that are the largest for one class on every sample: there is no other reason against."""
    return not _why_no_classes(rows, inputs, name, one_answer_says_so=False)


def why_no_classes(rows: Array, inputs: Sequence[tuple[int, ...]] = (), name: str = "") -> str:
    """Why `rows`, [samples, n] of float's own values, are no class scores, in words; empty where there is no reason."""
    return _why_no_classes(rows, inputs, name, one_answer_says_so=True)


def _why_no_classes(
    rows: Array, inputs: Sequence[tuple[int, ...]], name: str, *, one_answer_says_so: bool
) -> str:
    values = rows.astype(np.float64)
    if not np.isfinite(values).all() or not values.any() or _are_probabilities(values):
        return ""
    width = values.shape[1]
    if any(_without_batch(shape) == (width,) for shape in inputs):
        return "it has the shape of an input, as a reconstruction has"
    if np.allclose(np.linalg.norm(values, axis=1), 1.0, atol=1e-3):
        return "its rows have length one, as embeddings have"
    if values.min() >= 0.0 and values.max() > 1.0:
        return "its values are never below zero and not bounded by one, as sizes and rectified features are"
    if values.min() >= 0.0 and np.mean(np.sum(values > 0.5, axis=1) == 1) < 0.5:
        return "its values lie between zero and one, and most samples have none or several above a half"
    if width == 4 and (values[:, 2:] >= values[:, :2]).all() and len(values) >= 8:
        return "its rows are corners of boxes"
    if width >= _MANY and _distance(values) < _DECIDED:
        return "no value of a row stands out, as one does in class scores"
    of_classes = bool(_CLASS_NAMES.search(name))
    if _OTHER_NAMES.search(name) and not of_classes:
        return f"its name is {name}"
    if len(np.unique(values, axis=0)) < _ENOUGH:
        return ""
    if one_answer_says_so and len(np.unique(values.argmax(axis=1))) == 1:
        return "the same value is the largest on every sample, so it says nothing"
    if not of_classes and _are_of_several_units(values):
        return f"some of its columns vary at least {_GAP:g} times as much as all others, as offsets do next to attributes"
    if not of_classes and _vary_apart(values):
        return "its values vary independently or together, where class scores rise as others fall"
    return ""


def _are_probabilities(values: Array) -> bool:
    """One distribution per row, or its logarithm."""
    sums = values.sum(axis=1)
    if values.min() >= 0.0 and sums.min() > 0.0 and np.allclose(sums, sums[0], rtol=2e-2):
        return True
    return bool(values.max() <= 0.0 and np.allclose(np.exp(values).sum(axis=1), 1.0, atol=2e-2))


def _are_of_several_units(values: Array) -> bool:
    """Values from 0 to 1 that are near 1 somewhere are of one unit, however rarely a class is predicted."""
    if values.min() >= 0.0 and 0.5 <= values.max() <= 1.0:
        return False
    spreads = np.sort(values.std(axis=0))
    spreads = spreads[spreads > _NOTHING * spreads[-1]]
    below = np.flatnonzero(spreads[1:] >= _GAP * spreads[:-1]) + 1
    return bool((below * _SEVERAL_SMALL >= len(spreads)).any())


def _vary_apart(values: Array) -> bool:
    width = values.shape[1]
    if width >= _MANY:
        return False
    together = values.sum(axis=1).var() / max(values.var(axis=0).sum(), 1e-30)
    if width < _SEVERAL:
        return bool(together > _APART)
    return bool(together > _APART_OF_SEVERAL) and _distance(values) < _CLOSE / np.sqrt(width)


def _distance(values: Array) -> float:
    first = np.sort(values, axis=1)
    spread = np.maximum(values.std(axis=1), 1e-30)
    return float(np.median((first[:, -1] - first[:, -2]) / spread))


def _without_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
