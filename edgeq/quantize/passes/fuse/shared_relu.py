"""Replaces a Relu whose input other operators read too by a LeakyRelu of slope 0.

A Relu that is the only reader is folded into the output's quantization. Otherwise input and output are both quantized, and
onnxruntime dequantizes, runs the Relu in float and quantizes again. For LeakyRelu it has an integer kernel, a lookup table
of 256 entries.
"""

from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import index_of
from edgeq.nouns.passes import AppliedChange

if TYPE_CHECKING:
    import onnx

_HOW = "as a LeakyRelu of slope 0 (an integer lookup table): other operators read its input at another scale"


def shared_relu(model: "onnx.ModelProto") -> list[AppliedChange]:
    """Changes `model` in place."""
    import onnx

    index = index_of(model.graph)
    found = []
    for node in index.nodes:
        tensor = node.input[0] if node.input else ""
        if (
            node.op_type != "Relu"
            or index.only_consumer(tensor) is not None
            or index.is_read_elsewhere(tensor)
        ):
            continue
        if index.producer(tensor) is None or all(n.op_type == "Relu" for n in index.consumers(tensor)):
            continue
        node.op_type = "LeakyRelu"
        node.attribute.append(onnx.helper.make_attribute("alpha", 0.0))
        found.append(AppliedChange(node.name, _HOW))
    return found
