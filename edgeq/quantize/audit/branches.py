"""The branches of If that samples take, put in the place of the If, so that what is inside can be looked at.

A graph inside of another shows nothing but its outputs.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from edgeq.quantize.samples_like import SamplesLike
from edgeq.quantize.tensor_values import values_of

Taken = Mapping[str, str]  # by the first output of an If, the name of the branch


def taken_branches(model: Any, samples: SamplesLike, threads: int) -> Taken:
    """Of each If in the main graph of `model` (a ModelProto), and in branches taken, that all samples decide alike.

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
        for node, which in zip(ifs, _decided(work, ifs, samples, threads), strict=True):
            if which and _fits(work, _branch(node, which)):
                taken[node.output[0]] = which


def with_branches(model: Any, taken: Taken) -> Any:
    """A copy with the branches of `taken` in the main graph; `model` itself where there are none."""
    import onnx

    if not taken:
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    tensors: list[Any] = []
    nodes = list(_flat(copy.graph.node, taken, tensors))
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    copy.graph.initializer.extend(tensors)
    return copy


def _flat(nodes: Any, taken: Taken, tensors: list[Any]) -> Iterator[Any]:
    """`tensors` collects what the branches hold."""
    from onnx import helper

    for node in nodes:
        which = taken.get(node.output[0]) if node.op_type == "If" else None
        if which is None:
            yield node
            continue
        branch = _branch(node, which)
        tensors += branch.initializer
        yield from _flat(branch.node, taken, tensors)
        for inner, outer in zip(branch.output, node.output, strict=True):
            if outer:
                yield helper.make_node("Identity", [inner.name], [outer], f"{outer}.taken")


def _decided(model: Any, ifs: list[Any], samples: SamplesLike, threads: int) -> list[str]:
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


def _truth(tensor: Any) -> bool:
    from onnx import numpy_helper

    return bool(numpy_helper.to_array(tensor).reshape(-1)[0])


def _fits(model: Any, branch: Any) -> bool:
    """Whether its names are free in the main graph: those of two Ifs need not differ."""
    held = {name for node in model.graph.node for name in node.output}
    held |= {tensor.name for tensor in model.graph.initializer}
    own = {name for node in branch.node for name in node.output if name}
    return held.isdisjoint(own | {tensor.name for tensor in branch.initializer})


def _branch(node: Any, which: str) -> Any:
    return next(a.g for a in node.attribute if a.name == which)
