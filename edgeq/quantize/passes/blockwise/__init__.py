"""Weights of 2, 4 or 8 bits in blocks that have a scale each, for onnxruntime's MatMulNBits: rounds every weight to nearest.

The pass `gptq` rounds weights of 2 and 4 bits with the least error of the products.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_index import Graph, OnnxIndex, index_of
from edgeq.quantize.quantization import ALWAYS, Context, Quantization
from edgeq.quantize.weights import round_to_nearest

if TYPE_CHECKING:
    import onnx

NAME = ALWAYS
STAGE = "round weights"

# all-MiniLM-L6, dB with blocks of 32, 64 and 128: 8 bits 31.5, 29.4, 27.5; 4 bits (GPTQ) 15.9 and, with 128, 13.8. One
# vector at a time, blocks of 128 are up to 1.3 times as fast as those of 32. With 2 bits, blocks of 32 take up to twice as
# long as those of 64 (python -m benchmarks.few_bit_kernels).
SIZES = {8: 64, 4: 32, 2: 64}
_FEWEST = 1024  # weights: below, the overhead of blocks is larger than what they save


def run(q: Quantization, context: Context) -> Quantization:
    bits = q.weight_bits
    blocks = (round_to_nearest(p.weights, bits, SIZES[bits]) for p in products_of(q.graph))
    return replace(q, blocks=tuple(blocks))


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
    """The matrix products with constant weights that MatMulNBits can replace."""
    return tuple(
        Product(node, scope.graph, weights, inner=k > 0)
        for k, scope in enumerate(index_of(model.graph).scopes())
        for node in scope.nodes
        if (weights := _weights(node, scope)) is not None
    )


def why_no_blocks(node: "onnx.NodeProto", scope: OnnxIndex) -> str:
    """Why `node`, of the graph of `scope`, gets no block-wise weights; "" where it does."""
    from onnx import TensorProto

    if node.op_type not in ("MatMul", "Gemm"):
        return "onnxruntime supports block-wise weights only in matrix products"
    tensor = scope.constant(node.input[1])
    if tensor is None:
        return "its second operand is an activation: block-wise weights are constants there"
    if node.input[0] in scope.constants:
        return "both operands are constants"
    if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2:
        return "block-wise weights are float32 matrices"
    if np.prod(tensor.dims) < _FEWEST:
        return f"under {_FEWEST:,} weights: what blocks add is larger than what they save"
    if any(a.name == "transA" and a.i for a in node.attribute):
        return "its input is transposed (transA)"
    return ""


def _weights(node: "onnx.NodeProto", scope: OnnxIndex) -> npt.NDArray[np.float32] | None:
    from onnx import numpy_helper

    tensor = scope.constant(node.input[1]) if len(node.input) > 1 else None
    if tensor is None or why_no_blocks(node, scope):
        return None
    facts = {a.name: a for a in node.attribute}
    values = numpy_helper.to_array(tensor)
    rows = values if "transB" in facts and facts["transB"].i else values.T
    return np.asarray(rows * (facts["alpha"].f if "alpha" in facts else 1.0), np.float32)
