"""Finds the matrix products that MatMulNBits can stand in for. Changes nothing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.scopes import Scope, scopes

_FEWEST = 1024  # weights: below that a block's overhead is all there is to see


@dataclass(frozen=True, eq=False)
class Product:
    """`node` is a MatMul or a Gemm of `graph`, `weights` are its own, turned and scaled to [outputs, k]. `inner`: it lies
    in an If, Loop or Scan, where its input cannot be looked at.
    """

    node: Any
    graph: Any
    weights: npt.NDArray[np.float32]
    inner: bool


def products_of(model: Any) -> tuple[Product, ...]:
    """`model` is an onnx ModelProto."""
    return tuple(
        Product(node, scope.graph, weights, inner=k > 0)
        for k, scope in enumerate(scopes(model.graph))
        for node in scope.graph.node
        if (weights := _weights(node, scope)) is not None
    )


def _weights(node: Any, scope: Scope) -> npt.NDArray[np.float32] | None:
    from onnx import TensorProto, numpy_helper

    if node.op_type not in ("MatMul", "Gemm") or node.input[0] in scope.constants:
        return None
    tensor = scope.constants.get(node.input[1])
    if tensor is None or tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2:
        return None
    facts = {a.name: a for a in node.attribute}
    if np.prod(tensor.dims) < _FEWEST or ("transA" in facts and facts["transA"].i):
        return None
    values = numpy_helper.to_array(tensor)
    turned = values if "transB" in facts and facts["transB"].i else values.T
    return np.asarray(turned * (facts["alpha"].f if "alpha" in facts else 1.0), np.float32)
