"""Stored integers of a graph: shapes, axes, indices."""

import numpy as np
from onnx import numpy_helper

from edgeq.graphs.onnx_index import OnnxIndex


def integers_of(index: OnnxIndex, name: str) -> list[int] | None:
    """Those of a constant, flat; None for what is none."""
    stored = index.constant(name) if name else None
    return None if stored is None else [int(v) for v in np.asarray(numpy_helper.to_array(stored)).reshape(-1)]
