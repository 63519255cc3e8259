"""Samples of a quantized input that use few of its integers: real numbers in another scale than the file states."""

from collections.abc import Iterator

import numpy as np

from edgeq.data_checks.evidence import Evidence
from edgeq.nouns.data_check import DataFinding

_FEWEST = 8
_FEW = 8  # levels of 256
_AT_AN_END = 0.97  # the background of drawings lies there, and more hardly ever


def few_levels(evidence: Evidence) -> Iterator[DataFinding]:
    for index, spec in enumerate(evidence.model.inputs):
        arrays = [sample[index].reshape(-1) for sample in evidence.arrays]
        if spec.affine is None or len(arrays) < _FEWEST or arrays[0].size < _FEW**2:
            continue
        values = np.concatenate(arrays)
        limits, levels = np.iinfo(values.dtype), len(np.unique(values))
        outside = float(max(np.mean(values == limits.min), np.mean(values == limits.max)))
        if int(values.max()) - int(values.min()) < _FEW or outside >= _AT_AN_END:
            reals = [
                spec.affine.scale * (limit - spec.affine.zero_point) for limit in (limits.min, limits.max)
            ]
            yield DataFinding(
                "levels",
                f"the samples use {levels} of the {limits.max - limits.min + 1} values of {spec.name}, which stand for "
                f"{reals[0]:.4g} to {reals[1]:.4g}"
                + (f", and {outside:.0%} are at one end" if outside >= _AT_AN_END else ""),
                "give them in the model's scale, or as quantized integers",
            )
