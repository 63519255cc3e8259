"""Weights of few levels as post-training quantization fits them: where a training of them begins.

Each layer is fitted to its float outputs on the inputs that it gets once all before it are quantized (edgeq/quantize/passes/fit), in
place of each weight to its nearest level; layers of 8 bits are fitted to that too.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import copied
from edgeq.nouns.weight_levels import CODEBOOK, UNIFORM
from edgeq.quantize.numerics.level_kinds import MOST, other_levels
from edgeq.quantize.numerics.levels import Levels, OnInt8
from edgeq.quantize.passes.fit.fit_layers import WeightLevels, fit_layers
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.passes.fit.sample_counts import FEWEST
from edgeq.quantize.run_model import Progress, no_progress
from edgeq.quantize.samples import SamplesLike
from edgeq.train.low_bits import Bits, put_bias_scales

if TYPE_CHECKING:
    from onnx import ModelProto

Floats = npt.NDArray[np.float32]
_INSIDE = 1e-3  # of the way from the border of a cell to its level


def with_fitted_levels(
    model: "ModelProto",
    floats: "ModelProto",
    low: Mapping[str, Bits],
    samples: SamplesLike,
    most: int = MOST,
    progress: Progress = no_progress,
) -> "ModelProto":
    """A copy of the QDQ file `model`, made of `floats`, whose layers of `low`, by node, are fitted. Itself where levels are uniform, or
    samples too few.
    """
    bits = next((b for b in low.values() if b.levels != UNIFORM), None)
    if bits is None or samples.count < FEWEST:
        return model
    made = copied(model)
    file = QdqFile(made, floats)
    whole = [layer.name for layer in file.layers() if layer.name not in low]
    fit_layers(
        file,
        samples,
        bits=bits.weights,
        levels=WeightLevels(bits.levels, most),
        whole=whole,
        progress=progress,
    )
    put_bias_scales(made)
    return made


def stored_levels(
    integers: npt.NDArray[np.int8], scale: Floats, axis: int | None, bits: Bits, most: int = MOST
) -> OnInt8:
    """Those that the integers of a file are on: of a codebook what is there, of other kinds all of the kind. A channel of zeros has
    zeros alone.
    """
    scale = np.array(scale)
    rows = integers.reshape(1, -1) if axis is None else np.moveaxis(integers, axis, 0).reshape(len(scale), -1)
    if bits.levels == CODEBOOK:
        levels = np.stack([_padded(np.unique(row), 2**bits.weights) for row in rows])
    else:
        levels = other_levels(np.ones((1, 2)), bits.levels, bits.weights, None, most).integers
        dead = np.all(rows == 0, axis=1)
        if axis is not None and dead.any():
            levels = np.where(dead[:, None], 0, levels).astype(np.int8)
    if axis is None:
        levels, scale = levels.reshape(-1), scale.reshape(())
    return OnInt8(Levels(levels.astype(np.float32), scale, axis), levels, scale)


def _padded(levels: npt.NDArray[np.int8], count: int) -> npt.NDArray[np.int8]:
    """Some are there twice, until training takes them apart."""
    before = (count - len(levels)) // 2
    return np.pad(levels, (before, count - len(levels) - before), mode="edge")


def within_cells(weights: Floats, integers: npt.NDArray[np.int8], levels: OnInt8) -> Floats:
    """`weights` moved to where `integers` are the nearest levels."""
    axis = levels.of.axis
    moved = integers if axis is None else np.moveaxis(integers, axis, 0)
    rows = moved.reshape(1 if axis is None else len(moved), -1)
    values = np.asarray(weights if axis is None else np.moveaxis(weights, axis, 0), np.float64).reshape(
        rows.shape
    )
    there = np.atleast_2d(levels.integers).astype(np.float64)
    middles = (there[:, 1:] + there[:, :-1]) / 2
    ends = np.full((len(there), 1), np.inf)
    low, high = np.hstack([-ends, middles]), np.hstack([middles, ends])
    own = (rows[..., None] > there[:, None, :]).sum(axis=-1)
    last = (rows[..., None] >= there[:, None, :]).sum(axis=-1) - 1  # of levels that are there twice
    step = np.atleast_1d(levels.scale).astype(np.float64)[:, None]
    bounds = []
    for side, k in ((low, own), (high, last)):
        edge = np.take_along_axis(side, k, 1)
        toward = np.where(np.isfinite(edge), rows, edge)  # nothing is beyond the outer levels
        bounds.append((edge * (1 - _INSIDE) + toward * _INSIDE) * step)
    found = np.clip(values, *bounds)
    shaped = found.reshape(moved.shape)
    return np.asarray(shaped if axis is None else np.moveaxis(shaped, 0, axis), np.float32)
