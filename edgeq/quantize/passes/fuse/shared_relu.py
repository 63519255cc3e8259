"""Replaces a Relu whose input other operators read too by a LeakyRelu of slope 0.

A Relu that is the only reader is folded into the output's quantization. Otherwise input and output are both quantized, and
onnxruntime dequantizes, runs the Relu in float and quantizes again. For LeakyRelu it has an integer kernel, a lookup table
of 256 entries.
"""

from typing import TYPE_CHECKING

from edgeq.nouns.fidelity import Remedy
from edgeq.quantize.passes.fuse.links import Links

if TYPE_CHECKING:
    import onnx

_HOW = "as a LeakyRelu of slope 0 (an integer lookup table): other operators read its input at another scale"


def shared_relu(model: "onnx.ModelProto") -> list[Remedy]:
    """Changes `model` in place."""
    import onnx

    links = Links(model.graph)
    found = []
    for node in model.graph.node:
        tensor = node.input[0] if node.input else ""
        if node.op_type != "Relu" or links.only_reader(tensor) is not None or tensor in links.elsewhere:
            continue
        if tensor not in links.makers or all(n.op_type == "Relu" for n in links.readers[tensor]):
            continue
        node.op_type = "LeakyRelu"
        node.attribute.append(onnx.helper.make_attribute("alpha", 0.0))
        found.append(Remedy(node.name, _HOW))
    return found
