"""Rewrites of a quantized graph by which the error of a layer can be measured.

An If is replaced by the branch that the samples take: a graph inside of another shows nothing but its outputs.
Nodes that quantize activations dynamically are replaced by ones that leave activations in float: the remaining error is that
of the weights.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgeq.graphs.onnx_edit import copied, set_nodes
from edgeq.graphs.onnx_index import attributes, bodies, has_body
from edgeq.quantize.numerics import dequantize_linear
from edgeq.quantize.run_model import values_of
from edgeq.quantize.samples import Array, SamplesLike

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

BRANCHES = ("then_branch", "else_branch")

Taken = Mapping[str, str]  # by the first output of an If, the name of the branch

_IN_FLOAT = 1  # accuracy_level of MatMulNBits: unpacks the weights, multiplies floats


def taken_branches(model: "ModelProto", samples: SamplesLike, threads: int) -> Taken:
    """Of each If in the main graph of `model`, and in branches taken, that all samples decide alike.

    Raises ConversionFailed when the model does not run.
    """
    taken: dict[str, str] = {}
    decided: set[str] = set()
    while True:
        inlined = with_branches(model, taken)
        ifs = [n for n in inlined.graph.node if n.op_type == "If" and n.output[0] not in decided]
        if not ifs:
            return taken
        decided |= {node.output[0] for node in ifs}
        names = _own_names(inlined.graph)
        for node, which in zip(ifs, _decisions(inlined, ifs, samples, threads), strict=True):
            # Two Ifs may have the same names inside, one graph may not.
            inside = _own_names(_branch(node, which)) if which else names
            if names.isdisjoint(inside):
                taken[node.output[0]] = which
                names |= inside


def with_branches(model: "ModelProto", taken: Taken) -> "ModelProto":
    """A copy with the branches of `taken` in the main graph; `model` itself where there are none."""
    if not taken:
        return model
    copy = copied(model)
    inlined = _Inlined(copy.graph, taken)
    set_nodes(copy.graph, inlined.nodes(copy.graph.node))
    copy.graph.initializer.extend(inlined.tensors)
    return copy


class _Inlined:
    """Puts nodes of branches among those of `graph`; `tensors` collects the initializers of the branches."""

    def __init__(self, graph: "GraphProto", taken: Taken) -> None:
        self._taken = taken
        self._node_names, self._tensor_names = {node.name for node in graph.node}, _own_names(graph)
        self.tensors: list[TensorProto] = []

    def nodes(self, nodes: "Iterable[NodeProto]") -> "Iterator[NodeProto]":
        for node in nodes:
            which = self._taken.get(node.output[0]) if node.op_type == "If" else None
            if which is None:
                yield node
            else:
                yield from self._inline(node, _branch(node, which))

    def _inline(self, node: "NodeProto", branch: "GraphProto") -> "Iterator[NodeProto]":
        from onnx import helper

        # A quantizer names what it adds after the node: where those of two branches share a name, so does that.
        renamed = {name: f"{name}.{node.output[0]}" for name in _own_names(branch) & self._tensor_names}
        _rename(branch, renamed)
        self._tensor_names |= _own_names(branch)
        self.tensors += branch.initializer
        for inner in branch.node:
            inner.name = inner.name if inner.name not in self._node_names else ""
            self._node_names |= {inner.name} - {""}
        yield from self.nodes(branch.node)
        for inside, outside in zip(branch.output, node.output, strict=True):
            if outside:
                value = renamed.get(inside.name, inside.name)
                yield helper.make_node("Identity", [value], [outside], f"{outside}.taken")


def _own_names(graph: "GraphProto") -> set[str]:
    """Names of what its nodes make and of its initializers."""
    made = {name for node in graph.node for name in node.output if name}
    return made | {tensor.name for tensor in graph.initializer}


def _rename(graph: "GraphProto", renamed: Mapping[str, str]) -> None:
    """In the graphs inside too."""
    if not renamed:
        return
    for tensor in graph.initializer:
        tensor.name = renamed.get(tensor.name, tensor.name)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]
        for body in bodies(node):
            _rename(body, renamed)


def _decisions(model: "ModelProto", ifs: "list[NodeProto]", samples: SamplesLike, threads: int) -> list[str]:
    """The branch that all samples take of each; empty where samples differ."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    conditions = dict.fromkeys(node.input[0] for node in ifs)
    computed = [name for name in conditions if name not in constants]
    found = {
        name: {_truth(numpy_helper.to_array(constants[name]))} if name in constants else set[bool]()
        for name in conditions
    }
    if computed:
        for values in values_of(model, computed, samples, threads):
            for name, value in zip(computed, values, strict=True):
                found[name].add(_truth(value))
    agreed = {
        name: BRANCHES[0 if True in truths else 1] for name, truths in found.items() if len(truths) == 1
    }
    return [agreed.get(node.input[0], "") for node in ifs]


def _truth(value: Array) -> bool:
    return bool(value.reshape(-1)[0])


def _branch(node: "NodeProto", which: str) -> "GraphProto":
    return next(a.g for a in node.attribute if a.name == which)


class FloatActivations:
    """`constants` are the tensors that nodes read by name; `tensors` those that the rewritten nodes read besides."""

    def __init__(self, constants: "Mapping[str, TensorProto]") -> None:
        self._constants = constants
        self.tensors: list[TensorProto] = []

    def nodes(self, nodes: "Sequence[NodeProto]") -> "list[NodeProto] | None":
        """None where none of them rounds activations, or one does in a way that is not known here."""
        rewritten = self._all(nodes)
        return rewritten if self.tensors or rewritten != list(nodes) else None

    def _all(self, nodes: "Sequence[NodeProto]") -> "list[NodeProto]":
        return [rewritten for node in nodes for rewritten in self._one(node)]

    def _one(self, node: "NodeProto") -> "list[NodeProto]":
        from onnx import helper

        if node.op_type == "DynamicQuantizeLinear":
            values, scale, zero = node.output
            self._put(scale, np.array(1.0, np.float32))
            self._put(zero, np.array(0.0, np.float32))
            return [helper.make_node("Identity", list(node.input), [values])]
        if node.op_type == "MatMulInteger":
            weights = self._put(f"{node.output[0]}.exact", self._product_weights(node))
            return [helper.make_node("MatMul", [node.input[0], weights], list(node.output))]
        if node.op_type == "DynamicQuantizeLSTM":
            return [self._lstm(node)]
        return [self._copied(node)]

    def _product_weights(self, node: "NodeProto") -> Array:
        """In steps of their scale: the file multiplies by that after the product."""
        zero = self._array(node.input[3]) if len(node.input) > 3 and node.input[3] else 0
        return dequantize_linear(self._array(node.input[1]), 1.0, zero)

    def _lstm(self, node: "NodeProto") -> "NodeProto":
        """https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DynamicQuantizeLSTM:
        weights are [directions, inputs, 4 units], those of LSTM [directions, 4 units, inputs].
        """
        from onnx import helper

        name = node.output[0] or node.name
        weights = [self._put(f"{name}.exact.{k}", self._lstm_weights(node, k)) for k in (1, 2)]
        inputs = [node.input[0], *weights, *node.input[3:8]]
        while not inputs[-1]:
            inputs.pop()
        return helper.make_node("LSTM", inputs, list(node.output), **attributes(node))

    def _lstm_weights(self, node: "NodeProto", k: int) -> Array:
        scale, zero = (self._array(node.input[at]) for at in (6 + 2 * k, 7 + 2 * k))
        scale, zero = (a.reshape(len(a), 1, -1) for a in (scale, zero))
        dequantized = dequantize_linear(self._array(node.input[k]), scale, zero)
        return dequantized.transpose(0, 2, 1)

    def _copied(self, node: "NodeProto") -> "NodeProto":
        """With the graphs inside of it rewritten too, and block-wise weights multiplied in float."""
        from onnx import helper

        if node.op_type != "MatMulNBits" and not has_body(node):
            return node
        copy = copied(node)
        for body in bodies(copy):
            set_nodes(body, self._all(list(body.node)))
        if node.op_type == "MatMulNBits":
            others = [a for a in node.attribute if a.name != "accuracy_level"]
            del copy.attribute[:]
            copy.attribute.extend([*others, helper.make_attribute("accuracy_level", _IN_FLOAT)])
        return copy

    def _array(self, name: str) -> Array:
        from onnx import numpy_helper

        return np.asarray(numpy_helper.to_array(self._constants[name]))

    def _put(self, name: str, values: Array) -> str:
        from onnx import numpy_helper

        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name
