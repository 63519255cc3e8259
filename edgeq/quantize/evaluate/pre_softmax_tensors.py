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
    """The float tensor that decides `output`, often the same, and the name of the node that makes it ("": an input)."""

    output: str
    tensor: str
    node: str


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
    whole = _no_floats(model)
    found = [_decisive(maker, name, whole) for name in outputs]
    return tuple(d for d in found if d.tensor == d.output or d.tensor not in outputs)


def _floats_behind(model: Any, maker: dict[str, Any]) -> tuple[Decisive, ...]:
    import onnx

    real = onnx.TensorProto.FLOAT
    floats = {v.name for v in model.graph.value_info if v.type.tensor_type.elem_type == real}
    whole = _no_floats(model)
    found: dict[str, Decisive] = {}
    left, known = [o.name for o in model.graph.output], set()
    while left:
        name = left.pop()
        if name in known or name not in maker:
            continue
        known.add(name)
        if name in floats:
            found[name] = _decisive(maker, name, whole)
        else:
            left += maker[name].input
    return tuple(found.values())


def last_layers(model: Any) -> tuple[str, ...]:
    """Names of the nodes that make what decides the outputs."""
    return tuple(d.node for d in decisive_of(model))


def ending_at(model: Any, decisive: tuple[Decisive, ...]) -> Any:
    """A copy of `model`, float or QDQ, that gives what decides its outputs, where they are quantized with that error."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    real = onnx.TensorProto.FLOAT
    copy.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, real, None)
        for name in dict.fromkeys(tensors_of(model, decisive))
    )
    return copy


def tensors_of(model: Any, decisive: tuple[Decisive, ...]) -> tuple[str, ...]:
    """The tensors of `model`, the float one or what was made from it, that hold the values of each."""
    return tuple(_left_of(model.graph, d) for d in decisive)


def _left_of(graph: Any, decisive: Decisive) -> str:
    """The tensor of `graph` that holds its values. onnxruntime's quantizer drops an activation whose cut the range of its
    output makes as well: the tensor's name goes to what fed it, and only behind QuantizeLinear is it cut.
    """
    if any(node.name == decisive.node for node in graph.node):
        return decisive.tensor
    readers = {name: node for node in graph.node for name in node.input[:1]}
    quantize = readers.get(decisive.tensor)
    back = readers.get(quantize.output[0]) if quantize and quantize.op_type == "QuantizeLinear" else None
    return str(back.output[0]) if back else decisive.tensor


def _decisive(maker: dict[str, Any], output: str, whole: frozenset[str]) -> Decisive:
    """Behind the functions that flatten `output`, if any, and what moves values between them; `whole` are no floats."""
    tensor, flattened = output, False
    while tensor in maker and maker[tensor].op_type in (*_FLATTEN, *_MOVE):
        feeder = maker[tensor].input[0]
        if feeder in whole:
            break
        flattened = flattened or maker[tensor].op_type in _FLATTEN
        tensor = feeder
    if not flattened or tensor not in maker:
        tensor = output
    return Decisive(output, tensor, str(maker[tensor].name) if tensor in maker else "")


def _no_floats(model: Any) -> frozenset[str]:
    import onnx

    typed = (*model.graph.value_info, *model.graph.input)
    return frozenset(v.name for v in typed if v.type.tensor_type.elem_type != onnx.TensorProto.FLOAT)
