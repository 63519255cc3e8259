"""Who produces, consumes and stores each tensor of an ONNX graph: indexed once, asked everywhere.

A body is a graph inside of a node (If, Loop, Scan). It captures tensors of the graphs around it: it reads them by name, and
their constants are constants to it. The graphs around it see nothing of the body. A model's functions are graphs of
their own, which capture nothing. An index describes the graph as it was when the index was made, but for shapes: those are read
when one is asked for, as few who index a graph do.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

Graph = Union["GraphProto", "FunctionProto"]
Shape = tuple[int | None, ...]  # None: the dimension is open
Use = tuple["NodeProto", int]  # a node, and which of its inputs


@dataclass(frozen=True, eq=False)
class OnnxIndex:
    """Of one graph; `scopes` gives those of its bodies. `constants` (initializers and Constant nodes) and `shapes` are all
    that nodes of the graph can read, those of the graphs around it too. `homes` are the graphs that hold the constants.
    """

    graph: Graph
    nodes: tuple["NodeProto", ...]
    constants: Mapping[str, "TensorProto"]
    homes: Mapping[str, Graph]
    captured: frozenset[str]
    _initializers: Mapping[str, "TensorProto"]
    _producers: Mapping[str, int]
    _uses: Mapping[str, tuple[Use, ...]]
    _inputs: frozenset[str]
    _outputs: frozenset[str]
    _outer: "OnnxIndex | None"

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        around = self._outer.shapes if self._outer else {}
        return {**around, **_shapes(self.graph)}

    def producer(self, tensor: str) -> "NodeProto | None":
        """The node of this graph that makes the tensor; None for an input, a stored tensor and one of another graph."""
        position = self._producers.get(tensor)
        return None if position is None else self.nodes[position]

    def uses(self, tensor: str) -> tuple[Use, ...]:
        """Every input of a node of this graph that reads the tensor; Add(x, x) uses x twice."""
        return self._uses.get(tensor, ())

    def consumers(self, tensor: str) -> "tuple[NodeProto, ...]":
        """The nodes of this graph that read the tensor, each once."""
        uses = self.uses(tensor)
        return tuple(node for k, (node, _) in enumerate(uses) if k == 0 or uses[k - 1][0] is not node)

    def only_consumer(self, tensor: str) -> "NodeProto | None":
        """The one node that reads the tensor, once; None where anything else does: a body, or the graph's outputs."""
        uses = self.uses(tensor)
        return uses[0][0] if len(uses) == 1 and not self.is_read_elsewhere(tensor) else None

    def initializer(self, name: str) -> "TensorProto | None":
        """Of this graph alone."""
        return self._initializers.get(name)

    def constant(self, name: str) -> "TensorProto | None":
        return self.constants.get(name)

    def is_graph_input(self, tensor: str) -> bool:
        return tensor in self._inputs

    def is_graph_output(self, tensor: str) -> bool:
        return tensor in self._outputs

    def is_captured(self, tensor: str) -> bool:
        """Whether a body reads it."""
        return tensor in self.captured

    def is_read_elsewhere(self, tensor: str) -> bool:
        """By what is no node of this graph: a body, or whoever takes the graph's outputs."""
        return tensor in self._outputs or tensor in self.captured

    def ancestors(self, tensors: Iterable[str], stop: Set[str] = frozenset()) -> "tuple[NodeProto, ...]":
        """The nodes of this graph, in its order, without which there are no `tensors`; those in `stop` are given."""
        wanted = list(tensors)
        found: set[int] = set()
        while wanted:
            name = wanted.pop()
            position = self._producers.get(name)
            if position is not None and position not in found and name not in stop:
                found.add(position)
                wanted += names_read(self.nodes[position])
        return tuple(self.nodes[k] for k in sorted(found))

    def scopes(self) -> "Iterator[OnnxIndex]":
        """This one and those of all bodies inside, outermost first."""
        yield self
        for node in self.nodes:
            for body in bodies(node):
                yield from index_of(body, self).scopes()


def index_of(graph: Graph, outer: OnnxIndex | None = None) -> OnnxIndex:
    """`outer`: the graph around this one, if it is a body. Shapes are those that the graph states: infer them first."""
    producers: dict[str, int] = {}
    uses: dict[str, list[Use]] = defaultdict(list)
    captured: set[str] = set()
    nodes = tuple(graph.node)
    for position, node in enumerate(nodes):
        producers.update((name, position) for name in node.output if name)
        for place, name in enumerate(node.input):
            if name:
                uses[name].append((node, place))
        if node.attribute:
            captured |= captures(node)
    initializers = {tensor.name: tensor for tensor in _initializers(graph)}
    own = initializers | _constant_nodes(nodes)
    return OnnxIndex(
        graph,
        nodes,
        {**(outer.constants if outer else {}), **own},
        {**(outer.homes if outer else {}), **dict.fromkeys(own, graph)},
        frozenset(captured),
        initializers,
        producers,
        {name: tuple(found) for name, found in uses.items()},
        frozenset(_names(graph.input)),
        frozenset(_names(graph.output)),
        outer,
    )


def bodies(node: "NodeProto") -> "Iterator[GraphProto]":
    """The graphs right inside of it."""
    return (body for _, body in named_bodies(node))


def named_bodies(node: "NodeProto") -> "Iterator[tuple[str, GraphProto]]":
    """With the names of the attributes that hold them, then_branch and the like."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.name, attribute.g
        yield from ((attribute.name, body) for body in attribute.graphs)


def has_body(node: "NodeProto") -> bool:
    return any(True for _ in bodies(node))


def nodes_within(nodes: "Iterable[NodeProto]") -> "Iterator[NodeProto]":
    """Each node, followed by those of its bodies; not those of the functions that they call."""
    for node in nodes:
        yield node
        for body in bodies(node):
            yield from nodes_within(body.node)


def model_nodes(model: "ModelProto") -> "Iterator[NodeProto]":
    """Of the graph, the functions and all bodies in these."""
    for owner in (model.graph, *model.functions):
        yield from nodes_within(owner.node)


def model_tensors(model: "ModelProto") -> "Iterator[TensorProto]":
    """Initializers and tensor attributes, wherever they are."""
    yield from model.graph.initializer
    for node in model_nodes(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
        for body in bodies(node):
            yield from body.initializer


def tensor_names(model: "ModelProto") -> set[str]:
    """Of every tensor of the model."""
    graph = model.graph
    named = {t.name for t in (*graph.initializer, *graph.input, *graph.output)}
    return named | {name for node in model_nodes(model) for name in (*node.input, *node.output)}


def attributes(node: "NodeProto") -> dict[str, Any]:
    """Their values by name."""
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def names_read(node: "NodeProto") -> set[str]:
    """The tensors without which the node does not run: its inputs, and what its bodies capture."""
    return {name for name in node.input if name} | captures(node)


def captures(node: "NodeProto") -> set[str]:
    """The tensors that the node's bodies read of the graphs around them."""
    found: set[str] = set()
    for body in bodies(node):
        read = {output.name for output in body.output}.union(*map(names_read, body.node))
        made = {name for inner in body.node for name in inner.output}
        found |= read - made - {t.name for t in body.initializer} - {i.name for i in body.input}
    return found


def _initializers(graph: Graph) -> "Iterable[TensorProto]":
    return getattr(graph, "initializer", ())  # a function has none


def _names(values: "Iterable[ValueInfoProto | str]") -> Iterator[str]:
    return (value if isinstance(value, str) else value.name for value in values)


def _constant_nodes(nodes: "Iterable[NodeProto]") -> "dict[str, TensorProto]":
    return {
        node.output[0]: attribute.t
        for node in nodes
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }


def _shapes(graph: Graph) -> dict[str, Shape]:
    values = (*graph.input, *getattr(graph, "value_info", ()), *graph.output)
    typed = (v for v in values if not isinstance(v, str) and v.type.tensor_type.HasField("shape"))
    return {
        v.name: tuple(d.dim_value if d.HasField("dim_value") else None for d in v.type.tensor_type.shape.dim)
        for v in typed
    }
