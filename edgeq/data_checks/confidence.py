"""How confident a model is: the distance of its two largest scores, as logits or as logarithms of probabilities."""

import numpy as np

from edgeq.class_scores import may_be_classes
from edgeq.data_checks.evidence import Evidence, stacked
from edgeq.ingest.float_model import Arrays

_TINY = 1e-30


def scores_output(evidence: Evidence, labelled: bool) -> int | None:
    """The output that holds class scores; None where there is none, or where values or name speak against it."""
    rows = evidence.rows()
    found = [k for k, o in enumerate(rows) if o.ndim == 2 and o.shape[1] >= 2 and o.dtype.kind == "f"]
    if len(found) != 1:
        return None
    which = found[0]
    names = evidence.model.outputs
    name = names[which] if which < len(names) else ""
    inputs = tuple(spec.shape for spec in evidence.model.inputs)
    shapes = tuple(tuple(d or 1 for d in shape) for shape in inputs)
    return which if labelled or may_be_classes(rows[which], shapes, name) else None


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether each row is a distribution."""
    sums = scores.sum(axis=1)
    return bool(scores.min() >= 0 and np.allclose(sums, 1.0, atol=1e-2))


def margins(scores: np.ndarray) -> np.ndarray:
    """[samples], in units of the logarithm of odds."""
    values = scores.astype(np.float64)
    if are_probabilities(scores):
        values = np.log(values + _TINY)
    ordered = np.sort(values, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


def log_probabilities(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[samples]: of each label, by scores that are logits or probabilities."""
    values = scores.astype(np.float64)
    values = np.log(values + _TINY) if are_probabilities(scores) else values
    values = values - values.max(axis=1, keepdims=True)
    values = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    return np.asarray(values[np.arange(len(labels)), labels])


def scores_of(outputs: list[Arrays], which: int) -> np.ndarray:
    """[samples, classes] of output `which`."""
    rows: np.ndarray = stacked(outputs)[which]
    return rows
