"""Finds the matrix products that MatMulNBits can replace. Changes nothing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_index import Graph, OnnxIndex, index_of

if TYPE_CHECKING:
    import onnx

_FEWEST = 1024  # weights: below, the overhead of blocks is larger than what they save


@dataclass(frozen=True, eq=False)
class Product:
    """`node` is a MatMul or a Gemm of `graph`, `weights` its constant, transposed and scaled to [outputs, k]. `inner`: the
    node is in the body of an If, Loop or Scan, so its input is unknown outside.
    """

    node: "onnx.NodeProto"
    graph: Graph
    weights: npt.NDArray[np.float32]
    inner: bool


def products_of(model: "onnx.ModelProto") -> tuple[Product, ...]:
    return tuple(
        Product(node, scope.graph, weights, inner=k > 0)
        for k, scope in enumerate(index_of(model.graph).scopes())
        for node in scope.nodes
        if (weights := _weights(node, scope)) is not None
    )


def _weights(node: "onnx.NodeProto", scope: OnnxIndex) -> npt.NDArray[np.float32] | None:
    from onnx import TensorProto, numpy_helper

    if node.op_type not in ("MatMul", "Gemm") or node.input[0] in scope.constants:
        return None
    tensor = scope.constant(node.input[1])
    if tensor is None or tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2:
        return None
    facts = {a.name: a for a in node.attribute}
    if np.prod(tensor.dims) < _FEWEST or ("transA" in facts and facts["transA"].i):
        return None
    values = numpy_helper.to_array(tensor)
    rows = values if "transB" in facts and facts["transB"].i else values.T
    return np.asarray(rows * (facts["alpha"].f if "alpha" in facts else 1.0), np.float32)
