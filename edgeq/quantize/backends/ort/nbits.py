"""Writes weights in blocks for onnxruntime's MatMulNBits, whose kernels multiply integers (accuracy_level 4).

Knows the operator's layout, and nothing of how integers are chosen.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import copied, drop_unread
from edgeq.graphs.onnx_io import write_onnx
from edgeq.quantize.passes.blockwise import products_of
from edgeq.quantize.quantization import GraphBackend, Quantization, Written
from edgeq.quantize.weights import Blocks

if TYPE_CHECKING:
    import onnx

DOMAIN = "com.microsoft"
_INTEGER_KERNELS = 4  # accuracy_level: activations are quantized to int8, in blocks like those of the weights


class OrtBlockwise(GraphBackend):
    """The backend of block-wise weights."""

    def write(
        self, q: Quantization, path: Path, in_float: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        """No layer can be left out: `in_float` is empty."""
        write_onnx(self.quantized(q), path)
        return Written(path)

    def quantized(self, q: Quantization) -> "onnx.ModelProto":
        return in_blocks(q.graph, q.blocks)


def in_blocks(model: "onnx.ModelProto", blocks: Sequence[Blocks]) -> "onnx.ModelProto":
    """A copy of `model` with one of `blocks` for each of its `products_of`, in their order."""
    import onnx

    copy = copied(model)
    for product, taken in zip(products_of(copy), blocks, strict=True):
        _replace(product.node, product.graph, taken)
    drop_unread(copy.graph)
    if all(o.domain != DOMAIN for o in copy.opset_import):
        copy.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))
    return copy


def _replace(node: Any, graph: Any, blocks: Blocks) -> None:
    from onnx import helper, numpy_helper

    output = node.output[0]
    integers, zeros = blocks.packed()
    parts = {"integers": integers, "scales": blocks.scales.reshape(-1), "zeros": zeros}
    graph.initializer.extend(numpy_helper.from_array(v, f"{output}.{name}") for name, v in parts.items())
    bias = _bias(node, graph)
    product = helper.make_node(
        "MatMulNBits",
        [node.input[0], *(f"{output}.{name}" for name in parts)],
        [f"{output}.product" if bias else output],
        node.name,
        domain=DOMAIN,
        K=blocks.integers.shape[1],
        N=len(blocks.integers),
        bits=blocks.bits,
        block_size=blocks.size,
        accuracy_level=_INTEGER_KERNELS,
    )
    where = list(graph.node).index(node)
    graph.node.remove(node)
    if bias:
        graph.node.insert(
            where, helper.make_node("Add", [product.output[0], bias], [output], f"{output}.Add")
        )
    graph.node.insert(where, product)


def _bias(node: Any, graph: Any) -> str:
    """What a Gemm adds, times its beta; empty where it adds nothing."""
    from onnx import helper, numpy_helper

    if node.op_type != "Gemm" or len(node.input) < 3 or not node.input[2]:
        return ""
    beta = next((a.f for a in node.attribute if a.name == "beta"), 1.0)
    if beta == 1.0:
        return str(node.input[2])
    factor, scaled = f"{node.output[0]}.beta", f"{node.output[0]}.bias"
    graph.initializer.append(numpy_helper.from_array(_scalar(beta), factor))
    where = list(graph.node).index(node)
    graph.node.insert(where, helper.make_node("Mul", [node.input[2], factor], [scaled], f"{scaled}.Mul"))
    return scaled


def _scalar(value: float) -> npt.NDArray[np.float32]:
    return np.array(value, np.float32)
