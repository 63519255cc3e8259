"""The products of layers with constant weights: what fitting a layer's weights is counted by. Reads shapes, never values."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from .macs import heavy_nodes, heavy_operators, macs_of
from .onnx_index import attributes

if TYPE_CHECKING:
    import onnx

_RECURRENT = ("LSTM", "GRU", "RNN")


@dataclass(frozen=True)
class Product:
    """Each of `groups` multiplies `columns` columns of `length` values by `rows` rows of weights, in one run of the model. `name` is
    the node's (ONNX), or that of the operator's output (TFLite).
    """

    name: str
    groups: int
    rows: int
    length: int
    columns: int


def onnx_products(model: "onnx.ModelProto") -> Iterator[Product]:
    """Of `model`, which has inferred shapes; a shape that stays open counts as one."""
    for node, shapes, constants in heavy_nodes(model.graph):
        if node.op_type in _RECURRENT or node.input[1] not in constants:
            continue
        weight, groups = constants[node.input[1]], 1
        if node.op_type in ("Conv", "ConvTranspose"):
            groups = attributes(node).get("group", 1)
            length = prod(weight[1:])
            if node.op_type == "ConvTranspose":  # [inputs, outputs of a group, kernel]
                length = weight[0] // groups
        else:
            transposed = node.op_type == "Gemm" and attributes(node).get("transB", 0)
            length = weight[-1] if transposed else weight[-2] if len(weight) > 1 else weight[0]
        yield _product(node.name, macs_of(node, shapes), prod(weight), length, groups)


def tflite_products(path: Path) -> Iterator[Product]:
    for op in heavy_operators(path):
        if not op.constant:
            continue
        if op.own == "DEPTHWISE_CONV_2D":  # weights are [1, height, width, out]
            yield _product(op.out, op.macs, prod(op.weight), prod(op.weight[:-1]), op.weight[-1])
        elif op.own == "TRANSPOSE_CONV":  # [out, height, width, in]
            yield _product(op.out, op.macs, prod(op.weight), op.weight[-1], 1)
        else:
            length = op.weight[-2] if op.own == "BATCH_MATMUL" else prod(op.weight[1:])
            yield _product(op.out, op.macs, prod(op.weight), length, 1)


def _product(name: str, macs: int, weights: int, length: int, groups: int) -> Product:
    length = max(length, 1)
    rows, columns = max(weights // (length * groups), 1), max(macs // max(weights, 1), 1)
    return Product(name, groups, rows, length, columns)
