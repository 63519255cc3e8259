"""Chooses the held-out samples that are sent to the device: bounded in bytes, every class in turn."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

MAX_SAMPLES = 200
MAX_BYTES = 8_000_000


def choose_check_samples(sample_bytes: int, labels: np.ndarray | None, count: int) -> tuple[int, ...]:
    """Indices of at most MAX_SAMPLES samples and MAX_BYTES, class by class in turn where there are labels.

    At least one is always taken: a model whose single sample is larger than the bound still has to run.
    """
    limit = max(1, min(MAX_SAMPLES, count, MAX_BYTES // max(1, sample_bytes)))
    if labels is None:
        return (
            tuple(int(i) for i in np.linspace(0, count - 1, limit).round())
            if limit < count
            else tuple(range(count))
        )
    by_class: dict[str, list[int]] = defaultdict(list)
    for i, label in enumerate(labels[:count].tolist()):
        by_class[str(label)].append(i)
    return tuple(sorted(_in_turn([by_class[c] for c in sorted(by_class)])[:limit]))


def _in_turn(groups: Sequence[list[int]]) -> list[int]:
    longest = max((len(g) for g in groups), default=0)
    return [g[k] for k in range(longest) for g in groups if k < len(g)]
