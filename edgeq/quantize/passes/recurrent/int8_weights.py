"""Weights stored as int8 for a float kernel: int8, a Cast, and a Mul with their scales.

onnxruntime folds these constants when it loads the file and prepacks the result as it would float weights: float's speed
at a quarter of the bytes. A DequantizeLinear it does not fold, which then runs at every inference (0.4 to 0.8 of float's
speed).
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import Parts
from edgeq.quantize.numerics import INT8, Granularity, quantize, symmetric

if TYPE_CHECKING:
    import onnx


def store(tensor: "onnx.TensorProto", graph: "onnx.GraphProto") -> None:
    """Stores the float `tensor` of `graph` as int8, with one scale per row (all axes but the last)."""
    from onnx import TensorProto, numpy_helper

    values = numpy_helper.to_array(tensor)
    integers, scales = by_row(values)
    parts = Parts(f"{tensor.name}.stored")
    whole = parts.node("Cast", [parts.constant("int8", integers)], "whole", to=TensorProto.FLOAT)
    parts.node_into("Mul", [whole, parts.constant("scales", scales)], [tensor.name])
    _remove(tensor.name, graph)
    graph.initializer.extend(parts.tensors.values())
    for k, node in enumerate(parts.nodes):
        graph.node.insert(k, node)


def by_row(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """int8 of the same shape, and scales that broadcast against it."""
    rows = values.reshape(-1, values.shape[-1])
    each = Granularity(axis=0)
    params = symmetric(*each.extremes(rows), INT8, each)
    return quantize(rows, params).reshape(values.shape), params.scale.reshape(*values.shape[:-1], 1)


def _remove(name: str, graph: "onnx.GraphProto") -> None:
    """From the initializers or the Constant nodes."""
    for held in [t for t in graph.initializer if t.name == name]:
        graph.initializer.remove(held)
    for made in [n for n in graph.node if n.op_type == "Constant" and n.output[0] == name]:
        graph.node.remove(made)
