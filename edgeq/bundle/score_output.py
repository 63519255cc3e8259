"""Which output of a bundle holds class scores, as was settled when it was made."""

from collections.abc import Sequence

import numpy as np

from edgeq.bundle import CheckSet, read_fidelity
from edgeq.class_scores import class_scores
from edgeq.nouns.bundle import Bundle


def score_output(bundle: Bundle, check: CheckSet, rows: Sequence[np.ndarray]) -> int | None:
    """`rows`: float's outputs, or another's, on the samples that the bundle carries, [samples, n] each. These are a part of what
    judged the bundle, without labels that are no classes, and settle it only where nothing is recorded.
    """
    judged = [f for f in read_fidelity(bundle) if f.outputs]
    if judged and not any(f.agreement for f in judged):
        return None
    return class_scores(
        rows,
        tuple(a.shape[1:] for a in check.inputs),
        labelled=check.labels is not None or bool(judged),
        names=tuple(o.name for o in bundle.manifest.outputs),
    )
