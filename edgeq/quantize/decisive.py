"""Where a model's answer is decided: its outputs, or what they were before a function that flattens them.

Behind a softmax most samples are 0 or 1 whatever rounding did, and the error is that of the few undecided ones: too
few to choose by. Before it every sample counts.
"""

from typing import Any

_FLATTEN = ("HardSigmoid", "LogSoftmax", "Sigmoid", "Softmax", "Tanh")
_MOVE = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


def decisive_nodes(model: Any) -> tuple[str, ...]:
    """Per float output of an onnx ModelProto the node that decides it; `""` for an output that is not float."""
    import onnx

    maker = {name: node for node in model.graph.node for name in node.output}
    real = onnx.TensorProto.FLOAT
    return tuple(
        _decides(maker, output.name) if output.type.tensor_type.elem_type == real else ""
        for output in model.graph.output
    )


def ending_at(model: Any, nodes: tuple[str, ...]) -> Any:
    """A copy of `model`, float or QDQ, that gives what `nodes` give first instead of its outputs."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    made = {node.name: node.output[0] for node in copy.graph.node}
    wanted = dict.fromkeys(made[name] for name in nodes if name)
    del copy.graph.output[:]
    real = onnx.TensorProto.FLOAT
    copy.graph.output.extend(onnx.helper.make_tensor_value_info(name, real, None) for name in wanted)
    return copy


def _decides(maker: dict[str, Any], output: str) -> str:
    node = last = maker.get(output)
    flattened = False
    while node is not None and node.op_type in (*_FLATTEN, *_MOVE):
        flattened = flattened or node.op_type in _FLATTEN
        node = maker.get(node.input[0])
    found = node if flattened and node is not None else last
    return "" if found is None else str(found.name)
