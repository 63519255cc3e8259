"""Folds constants and batch norms, constant by constant: one that would enlarge the file stays computed.

An example is a language model whose head multiplies by the transposed table of its embedding: folding the Transpose
would store the table a second time.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_edit import copied, set_nodes
from edgeq.graphs.onnx_index import OnnxIndex, has_body, index_of, tensor_names
from edgeq.graphs.weightless import message_bytes
from edgeq.ingest.graph.simplify import simplified

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# A graph that gets larger than this by folding holds constants that are better left computed.
_GROWTH, _ROOM_BYTES = 1.1, 65536


def folded(model: "ModelProto") -> "tuple[ModelProto, tuple[str, ...]]":
    """`model` simplified, and the outputs of constant nodes that stay computed. Raises CannotRun."""
    whole = simplified(model)
    limit = most_bytes(model)
    if message_bytes(whole) <= limit:
        return whole, ()
    computed = _too_large(model, whole, limit)
    if not computed:
        return whole, ()
    return _with_computed(model, whole, computed), tuple(computed)


def grown(before: "ModelProto", after: "ModelProto") -> bool:
    """Whether `after` is larger than folding may make it."""
    return message_bytes(after) > most_bytes(before)


def most_bytes(model: "ModelProto") -> int:
    return int(_GROWTH * message_bytes(model)) + _ROOM_BYTES


def _too_large(model: "ModelProto", whole: "ModelProto", limit: int) -> list[str]:
    """Of the constants that `whole` stores and `model` computes those that grow the file most, as many as it takes to stay
    within `limit` bytes; in the graph's order.
    """
    index = index_of(model.graph)
    computed = constant_makers(index)
    stored = {t.name: t.ByteSize() for t in whole.graph.initializer}
    had = {name: tensor.ByteSize() for name, tensor in index.constants.items()}
    gone, growth = {name for name in had if name not in stored}, dict[str, int]()
    for name in (n for n in computed if n in stored):
        spared = [s for s in sources(name, index) if s in gone]
        gone.difference_update(spared)
        growth[name] = stored[name] - sum(had[s] for s in spared)
    excess, chosen = message_bytes(whole) - limit, list[str]()
    for name in sorted(growth, key=lambda n: (-growth[n], n)):
        if excess <= 0 or growth[name] <= 0:
            break
        excess -= growth[name]
        chosen.append(name)
    return [name for name in computed if name in chosen]


def _with_computed(model: "ModelProto", whole: "ModelProto", computed: Sequence[str]) -> "ModelProto":
    """Simplified with `computed` as inputs, which are then computed again by the nodes that did so in `model`."""
    from onnx import helper

    shapes = {t.name: (t.data_type, list(t.dims)) for t in whole.graph.initializer}
    cut = copied(model)
    set_nodes(cut.graph, [node for node in cut.graph.node if not set(node.output) & set(computed)])
    cut.graph.input.extend(helper.make_tensor_value_info(name, *shapes[name]) for name in computed)
    done = simplified(cut, tensor_names(model))
    inputs = [value for value in done.graph.input if value.name not in computed]
    del done.graph.input[:]
    done.graph.input.extend(inputs)
    _compute_again(done, model, computed)
    return done


def _compute_again(done: "ModelProto", model: "ModelProto", computed: Sequence[str]) -> None:
    there = {o for node in done.graph.node for o in node.output} | {t.name for t in done.graph.initializer}
    needed = index_of(model.graph).ancestors(computed)
    nodes = [node for node in needed if not set(node.output) & there]
    names = {i for node in nodes for i in node.input}
    done.graph.initializer.extend(
        t for t in model.graph.initializer if t.name in names and t.name not in there
    )
    set_nodes(done.graph, [*nodes, *done.graph.node])


def constant_makers(index: OnnxIndex) -> "dict[str, NodeProto]":
    """By output the nodes of the graph that read nothing but constants, in its order."""
    makers: dict[str, NodeProto] = {}
    for node in index.nodes:
        fixed = node.op_type == "Constant" or any(node.input)
        if fixed and not has_body(node) and all(_is_fixed(i, index) or i in makers for i in node.input if i):
            makers |= dict.fromkeys((o for o in node.output if o), node)
    return makers


def _is_fixed(name: str, index: OnnxIndex) -> bool:
    """An initializer that is an input too may be given another value."""
    return index.initializer(name) is not None and not index.is_graph_input(name)


def sources(name: str, index: OnnxIndex) -> set[str]:
    """The stored tensors that a constant is computed from."""
    nodes = index.ancestors([name])
    return {i for node in nodes for i in node.input} | {n.output[0] for n in nodes if n.op_type == "Constant"}
