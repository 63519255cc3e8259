"""Folds constants and batch norms, each constant by itself: one that is better computed than stored stays computed.

An example is a language model whose head multiplies by the transposed table of its embedding: folding the Transpose
would store the table a second time.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgeq.ingest.graph.simplify import names_in, simplified

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

# A graph that gets larger than this by folding holds constants that are better left computed.
_GROWTH, _ROOM_BYTES = 1.1, 65536


def folded(model: "ModelProto") -> "tuple[ModelProto, tuple[str, ...]]":
    """`model` simplified, and the outputs of constant nodes that stay computed. Raises CannotRun."""
    whole = simplified(model)
    limit = most_bytes(model)
    if whole.ByteSize() <= limit:
        return whole, ()
    computed = _too_large(model, whole, limit)
    if not computed:
        return whole, ()
    return _with_computed(model, whole, computed), tuple(computed)


def grown(before: "ModelProto", after: "ModelProto") -> bool:
    """Whether `after` is larger than folding may make it."""
    return int(after.ByteSize()) > most_bytes(before)


def most_bytes(model: "ModelProto") -> int:
    return int(_GROWTH * model.ByteSize()) + _ROOM_BYTES


def _too_large(model: "ModelProto", whole: "ModelProto", limit: int) -> list[str]:
    """Of the constants that `whole` stores and `model` computes those that grow the file most, as many as it takes to stay
    within `limit` bytes; in the graph's order.
    """
    makers = constant_makers(model)
    stored = {t.name: t.ByteSize() for t in whole.graph.initializer}
    had = {t.name: t.ByteSize() for t in stored_in(model)}
    gone, growth = {name for name in had if name not in stored}, dict[str, int]()
    for name in (n for n in makers if n in stored):
        spared = [s for s in sources(name, makers) if s in gone]
        gone.difference_update(spared)
        growth[name] = stored[name] - sum(had[s] for s in spared)
    excess, chosen = whole.ByteSize() - limit, list[str]()
    for name in sorted(growth, key=lambda n: (-growth[n], n)):
        if excess <= 0 or growth[name] <= 0:
            break
        excess -= growth[name]
        chosen.append(name)
    return [name for name in makers if name in chosen]


def _with_computed(model: "ModelProto", whole: "ModelProto", computed: Sequence[str]) -> "ModelProto":
    """Simplified with `computed` as inputs, which are then computed again by the nodes that did so in `model`."""
    from onnx import ModelProto, helper

    shapes = {t.name: (t.data_type, list(t.dims)) for t in whole.graph.initializer}
    cut = ModelProto()
    cut.CopyFrom(model)
    nodes = [node for node in cut.graph.node if not set(node.output) & set(computed)]
    del cut.graph.node[:]
    cut.graph.node.extend(nodes)
    cut.graph.input.extend(helper.make_tensor_value_info(name, *shapes[name]) for name in computed)
    done = simplified(cut, names_in(model))
    inputs = [value for value in done.graph.input if value.name not in computed]
    del done.graph.input[:]
    done.graph.input.extend(inputs)
    _compute_again(done, model, computed)
    return done


def _compute_again(done: "ModelProto", model: "ModelProto", computed: Sequence[str]) -> None:
    makers = constant_makers(model)
    needed = {o for name in computed for node in nodes_for(name, makers) for o in node.output}
    there = {o for node in done.graph.node for o in node.output} | {t.name for t in done.graph.initializer}
    nodes = [n for n in model.graph.node if set(n.output) & needed and not set(n.output) & there]
    names = {i for node in nodes for i in node.input}
    done.graph.initializer.extend(
        t for t in model.graph.initializer if t.name in names and t.name not in there
    )
    rest = list(done.graph.node)
    del done.graph.node[:]
    done.graph.node.extend([*nodes, *rest])


def constant_makers(model: "ModelProto") -> "dict[str, NodeProto]":
    """By output the nodes of the main graph that read nothing but constants, in the graph's order."""
    constants = {t.name for t in model.graph.initializer} - {i.name for i in model.graph.input}
    makers: dict[str, NodeProto] = {}
    for node in model.graph.node:
        inner = any(a.HasField("g") or a.graphs for a in node.attribute)
        fixed = node.op_type == "Constant" or any(node.input)
        if fixed and not inner and all(i in constants or i in makers for i in node.input if i):
            makers |= dict.fromkeys((o for o in node.output if o), node)
    return makers


def nodes_for(name: str, makers: "Mapping[str, NodeProto]") -> "list[NodeProto]":
    found: dict[str, NodeProto] = {}
    wanted = [name]
    while wanted:
        name = wanted.pop()
        if name in makers and name not in found:
            found[name] = makers[name]
            wanted += makers[name].input
    return list(found.values())


def sources(name: str, makers: "Mapping[str, NodeProto]") -> set[str]:
    """The stored tensors that a constant is computed from."""
    nodes = nodes_for(name, makers)
    return {i for node in nodes for i in node.input} | {n.output[0] for n in nodes if n.op_type == "Constant"}


def stored_in(model: "ModelProto") -> "list[TensorProto]":
    constants = []
    for node in model.graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.name == "value":
                tensor = type(attribute.t)()
                tensor.CopyFrom(attribute.t)
                tensor.name = node.output[0]
                constants.append(tensor)
    return [*model.graph.initializer, *constants]
