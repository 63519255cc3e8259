"""Labels that were meant as class numbers and cannot be used: text, or numbers some of which are NaN.

Boxes, masks and real numbers are labels for a metric of the user's own, and nothing is said against these.
"""

from collections.abc import Iterator

import numpy as np

from edgeq.nouns.data_check import DataFinding


def mistaken_labels(truth: np.ndarray | None) -> Iterator[DataFinding]:
    """`truth` is what came as labels and is not used."""
    if truth is None:
        return
    missing = int(np.isnan(truth).sum()) if truth.ndim == 1 and truth.dtype.kind == "f" else 0
    if missing:
        yield DataFinding(
            "labels_unused", f"{missing:,} of {len(truth):,} labels are NaN, and none is used", _REMEDY
        )
    elif truth.dtype.kind in "USO" and all(isinstance(one, (str, bytes)) for one in truth.flat):
        yield DataFinding("labels_unused", f"the {truth.size:,} labels are text, and none is used", _REMEDY)


_REMEDY = "give class numbers, whole and from 0, as the model's output has them"
