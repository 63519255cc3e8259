"""The linear layers of a float graph, large enough to be worth two factors: which there are, and how one becomes two.

Gemm, MatMul by a constant, and convolutions of 1 x 1 in one group; a layer whose weights another one reads too stays as it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import NodeBuilder
from edgeq.graphs.onnx_index import OnnxIndex, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_FEWEST = 4096  # weights: below, a second operator costs more than it saves
_KINDS = ("Gemm", "MatMul", "Conv")


@dataclass(frozen=True, eq=False)
class LinearLayer:
    """`weights` float32 [outputs, inputs] of `node`. `bias`: float32 [outputs] that it, or the Add behind a MatMul (`add`), adds; None
    where there is none that could take a mean.
    """

    node: "NodeProto"
    weights: Floats
    bias: Floats | None
    add: "NodeProto | None" = None

    @property
    def takes_mean(self) -> bool:
        """Whether a constant can be added to its outputs."""
        return self.bias is not None

    def rows(self, value: npt.NDArray[np.generic]) -> Floats:
        """The inputs of its products, [rows, inputs], of a value of its input."""
        array = np.asarray(value, np.float32)
        if self.node.op_type != "Conv":
            return array.reshape(-1, array.shape[-1])
        high, wide = attributes(self.node).get("strides", (1, 1))
        return np.moveaxis(array[:, :, ::high, ::wide], 1, -1).reshape(-1, array.shape[1])


def linear_layers(index: OnnxIndex) -> Iterator[LinearLayer]:
    for node in index.nodes:
        if node.op_type in _KINDS and len(node.input) > 1:
            layer = _layer(node, index)
            if layer is not None and layer.weights.size >= _FEWEST:
                yield layer


def _layer(node: "NodeProto", index: OnnxIndex) -> LinearLayer | None:
    stored = _constant(node.input[1], index)
    if stored is None or len(index.uses(node.input[1])) > 1 or index.is_read_elsewhere(node.input[1]):
        return None
    facts = attributes(node)
    if node.op_type == "MatMul":
        return _product(node, stored, index) if stored.ndim == 2 else None
    outputs = stored.shape[0] if node.op_type == "Conv" or facts.get("transB") else stored.shape[-1]
    bias = _constant(node.input[2], index) if _has_bias(node) else np.zeros(outputs, np.float32)
    if node.op_type == "Conv":
        if (
            stored.ndim != 4
            or stored.shape[2:] != (1, 1)
            or facts.get("group", 1) != 1
            or any(facts.get("pads", ()))
        ):
            return None
        return LinearLayer(node, stored[:, :, 0, 0], bias)
    if facts.get("transA") or stored.ndim != 2:
        return None
    weights = np.asarray(
        (stored if facts.get("transB") else stored.T) * np.float32(facts.get("alpha", 1.0)), np.float32
    )
    if bias is None or bias.size not in (1, len(weights)):
        return LinearLayer(node, weights, None)
    beta = np.float32(facts.get("beta", 1.0))
    return LinearLayer(
        node, weights, np.broadcast_to(bias.reshape(-1) * beta, len(weights)).astype(np.float32)
    )


def _product(node: "NodeProto", stored: Floats, index: OnnxIndex) -> LinearLayer:
    add = index.only_consumer(node.output[0])
    if add is not None and add.op_type == "Add":
        [other] = [name for name in add.input if name != node.output[0]] or [""]
        bias = _constant(other, index) if other else None
        alone = bias is not None and len(index.uses(other)) == 1 and not index.is_read_elsewhere(other)
        if alone and bias is not None and bias.shape == (stored.shape[1],):
            return LinearLayer(node, stored.T, bias, add)
    return LinearLayer(node, stored.T, None)


def _has_bias(node: "NodeProto") -> bool:
    return len(node.input) > 2 and bool(node.input[2])


def _constant(name: str, index: OnnxIndex) -> Floats | None:
    from onnx import numpy_helper

    tensor = index.constant(name)
    return None if tensor is None or tensor.data_type != tensor.FLOAT else numpy_helper.to_array(tensor)


def replace_by_factors(layer: LinearLayer, index: OnnxIndex, a: Floats, b: Floats, shift: Doubles) -> None:
    """In the graph of `index`, two operators of the same kind for the layer's: the second has its name and output. `a` [outputs, rank],
    `b` [rank, inputs]; `shift` [outputs] is added to the bias, where the layer takes one.
    """
    node, facts = layer.node, attributes(layer.node)
    made = NodeBuilder(node.output[0])
    bias = None if layer.bias is None else (layer.bias + shift).astype(np.float32)
    if node.op_type == "MatMul":
        inner = made.node("MatMul", [node.input[0], made.constant("factor_1", b.T)], "inner")
        made.node_into("MatMul", [inner, made.constant("factor_2", a.T)], [node.output[0]])
        if layer.add is not None and bias is not None:
            place = [*layer.add.input].index(next(n for n in layer.add.input if n != node.output[0]))
            layer.add.input[place] = made.constant("bias", bias)
    else:
        conv = node.op_type == "Conv"
        shape = (1, 1) if conv else ()
        how = {"kernel_shape": [1, 1]} if conv else {"transB": 1}
        strides = {"strides": facts["strides"]} if conv and "strides" in facts else {}
        first = made.constant("factor_1", b.reshape(*b.shape, *shape))
        inner = made.node(node.op_type, [node.input[0], first], "inner", **how, **strides)
        second = [inner, made.constant("factor_2", a.reshape(*a.shape, *shape))]
        if bias is not None:
            second.append(made.constant("bias", bias))
        elif _has_bias(node):
            second.append(node.input[2])
            how["beta"] = facts.get("beta", 1.0)
        made.node_into(node.op_type, second, [node.output[0]], **how)
    if node.name:
        made.nodes[0].name, made.nodes[1].name = f"{node.name}.inner", node.name
    made.replace(node, index.graph)
