"""The branches of If that samples take, put in the place of the If, so that what is inside can be looked at.

A graph inside of another shows nothing but its outputs.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_edit import copied, set_nodes
from edgeq.graphs.onnx_index import bodies
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.tensor_values import values_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

BRANCHES = ("then_branch", "else_branch")

Taken = Mapping[str, str]  # by the first output of an If, the name of the branch


def taken_branches(model: "ModelProto", samples: SamplesLike, threads: int) -> Taken:
    """Of each If in the main graph of `model`, and in branches taken, that all samples decide alike.

    Raises ConversionFailed when the model does not run.
    """
    taken: dict[str, str] = {}
    looked_at: set[str] = set()
    while True:
        work = with_branches(model, taken)
        ifs = [n for n in work.graph.node if n.op_type == "If" and n.output[0] not in looked_at]
        if not ifs:
            return taken
        looked_at |= {node.output[0] for node in ifs}
        held = _held(work.graph)
        for node, which in zip(ifs, _decided(work, ifs, samples, threads), strict=True):
            # The names inside of two Ifs need not differ, those of one graph have to.
            inside = _held(_branch(node, which)) if which else held
            if held.isdisjoint(inside):
                taken[node.output[0]] = which
                held |= inside


def with_branches(model: "ModelProto", taken: Taken) -> "ModelProto":
    """A copy with the branches of `taken` in the main graph; `model` itself where there are none."""
    if not taken:
        return model
    copy = copied(model)
    flat = _Flat(copy.graph, taken)
    set_nodes(copy.graph, flat.nodes(copy.graph.node))
    copy.graph.initializer.extend(flat.tensors)
    return copy


class _Flat:
    """Puts nodes of branches among those of `graph`; `tensors` collects what the branches hold."""

    def __init__(self, graph: "GraphProto", taken: Taken) -> None:
        self._taken = taken
        self._names, self._held = {node.name for node in graph.node}, _held(graph)
        self.tensors: list[TensorProto] = []

    def nodes(self, nodes: "Iterable[NodeProto]") -> "Iterator[NodeProto]":
        for node in nodes:
            which = self._taken.get(node.output[0]) if node.op_type == "If" else None
            if which is None:
                yield node
            else:
                yield from self._branch(node, _branch(node, which))

    def _branch(self, node: "NodeProto", branch: "GraphProto") -> "Iterator[NodeProto]":
        from onnx import helper

        # A quantizer names what it adds after the node: where those of two branches share a name, so does that.
        others = {name: f"{name}.{node.output[0]}" for name in _held(branch) & self._held}
        _rename(branch, others)
        self._held |= _held(branch)
        self.tensors += branch.initializer
        for inner in branch.node:
            inner.name = inner.name if inner.name not in self._names else ""
            self._names |= {inner.name} - {""}
        yield from self.nodes(branch.node)
        for given, outer in zip(branch.output, node.output, strict=True):
            if outer:
                yield helper.make_node(
                    "Identity", [others.get(given.name, given.name)], [outer], f"{outer}.taken"
                )


def _held(graph: "GraphProto") -> set[str]:
    """Names of what is made or stored in it."""
    made = {name for node in graph.node for name in node.output if name}
    return made | {tensor.name for tensor in graph.initializer}


def _rename(graph: "GraphProto", others: Mapping[str, str]) -> None:
    """In the graphs inside too."""
    if not others:
        return
    for tensor in graph.initializer:
        tensor.name = others.get(tensor.name, tensor.name)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [others.get(name, name) for name in names]
        for body in bodies(node):
            _rename(body, others)


def _decided(model: "ModelProto", ifs: "list[NodeProto]", samples: SamplesLike, threads: int) -> list[str]:
    """The branch of each; empty where samples differ."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    asked = [node.input[0] for node in ifs]
    open_ones = [name for name in dict.fromkeys(asked) if name not in constants]
    found: dict[str, set[bool]] = {name: set() for name in open_ones}
    for name in set(asked) - set(open_ones):
        found[name] = {_truth(constants[name])}
    if open_ones:
        for values in values_of(model, open_ones, samples, tuple(range(samples.count)), threads):
            for name, value in zip(open_ones, values, strict=True):
                found[name].add(bool(value.reshape(-1)[0]))
    return [
        ("then_branch" if True in found[name] else "else_branch") if len(found[name]) == 1 else ""
        for name in asked
    ]


def _truth(tensor: "TensorProto") -> bool:
    from onnx import numpy_helper

    return bool(numpy_helper.to_array(tensor).reshape(-1)[0])


def _branch(node: "NodeProto", which: str) -> "GraphProto":
    return next(a.g for a in node.attribute if a.name == which)
