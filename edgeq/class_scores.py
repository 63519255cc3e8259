"""Tells class scores from other outputs of shape [samples, n]: reconstructions, boxes, embeddings, regressed values.

Labels that are class numbers settle it. Without them the values have to speak: the largest of n values is an answer only
where the values compete with each other. What speaks against that is listed in `why_no_classes`; where nothing does, one
output of this shape counts as class scores.
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
_OTHER_NAMES = re.compile(
    r"box|bbox|coord|landmark|keypoint|pose|embed|feature|latent|recon|decod|denois|depth|offset|angle|position",
    re.IGNORECASE,
)


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
    found = [
        k
        for k, o in enumerate(outputs)
        if o.dtype != object and o.ndim == 2 and o.shape[1] >= 2 and np.issubdtype(o.dtype, np.floating)
        if not are_directions(o)
    ]
    if len(found) != 1:
        return None
    which = found[0]
    name = names[which] if which < len(names) else ""
    return which if labelled or not why_no_classes(outputs[which], inputs, name) else None


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


def why_no_classes(rows: Array, inputs: Sequence[tuple[int, ...]] = (), name: str = "") -> str:
    """Why `rows`, [samples, n] of float's own values, are no class scores, in words; empty where nothing says so."""
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
    if _OTHER_NAMES.search(name):
        return f"its name is {name}"
    return ""


def _are_probabilities(values: Array) -> bool:
    """One distribution per row, or its logarithm."""
    sums = values.sum(axis=1)
    if values.min() >= 0.0 and sums.min() > 0.0 and np.allclose(sums, sums[0], rtol=2e-2):
        return True
    return bool(values.max() <= 0.0 and np.allclose(np.exp(values).sum(axis=1), 1.0, atol=2e-2))


def _distance(values: Array) -> float:
    first = np.sort(values, axis=1)
    spread = np.maximum(values.std(axis=1), 1e-30)
    return float(np.median((first[:, -1] - first[:, -2]) / spread))


def _without_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
