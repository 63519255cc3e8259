"""Where a model's answer is decided: its outputs, or what they were before a function that flattens them.

Behind a softmax most samples are 0 or 1 whatever rounding did, and the error is that of the few undecided ones: too
few to choose by. Before it every sample counts.
"""

from dataclasses import dataclass
from typing import Any

_FLATTEN = ("HardSigmoid", "LogSoftmax", "Sigmoid", "Softmax", "Tanh")
_MOVE = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


@dataclass(frozen=True)
class Decisive:
    """One float output; `node` makes what decides it, None where that is the output itself."""

    output: str
    node: str | None


def decisive_of(model: Any) -> tuple[Decisive, ...]:
    """Of every float output of an onnx ModelProto with inferred shapes, but for those that another output decides. Where
    all outputs are classes or truths: what they are the largest, or true, of.
    """
    import onnx

    maker = {name: node for node in model.graph.node for name in node.output}
    real = onnx.TensorProto.FLOAT
    outputs = [o.name for o in model.graph.output if o.type.tensor_type.elem_type == real]
    if not outputs:
        return _floats_behind(model, maker)
    found = [Decisive(name, _flattened(maker, name)) for name in outputs]
    ends = {maker[name].name for name in outputs if name in maker}
    return tuple(d for d in found if d.node not in ends)


def _floats_behind(model: Any, maker: dict[str, Any]) -> tuple[Decisive, ...]:
    import onnx

    real = onnx.TensorProto.FLOAT
    floats = {v.name for v in model.graph.value_info if v.type.tensor_type.elem_type == real}
    found: dict[str, Decisive] = {}
    left, known = [o.name for o in model.graph.output], set()
    while left:
        name = left.pop()
        if name in known or name not in maker:
            continue
        known.add(name)
        if name in floats:
            found[name] = Decisive(name, _flattened(maker, name) or str(maker[name].name))
        else:
            left += maker[name].input
    return tuple(found.values())


def last_layers(model: Any) -> tuple[str, ...]:
    """Names of the nodes that make what decides the outputs."""
    maker = {name: node.name for node in model.graph.node for name in node.output}
    return tuple(d.node or maker.get(d.output, "") for d in decisive_of(model))


def ending_at(model: Any, decisive: tuple[Decisive, ...]) -> Any:
    """A copy of `model`, float or QDQ, that gives what decides its outputs, where they are quantized with that error."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    made = {node.name: node.output[0] for node in copy.graph.node}
    wanted = dict.fromkeys(d.output if d.node is None else made[d.node] for d in decisive)
    del copy.graph.output[:]
    real = onnx.TensorProto.FLOAT
    copy.graph.output.extend(onnx.helper.make_tensor_value_info(name, real, None) for name in wanted)
    return copy


def _flattened(maker: dict[str, Any], output: str) -> str | None:
    node, flattened = maker.get(output), False
    while node is not None and node.op_type in (*_FLATTEN, *_MOVE):
        flattened = flattened or node.op_type in _FLATTEN
        node = maker.get(node.input[0])
    return str(node.name) if flattened and node is not None else None
