"""A Relu whose input others read too, as a LeakyRelu of slope 0.

Where it is the only reader, what rounds its output cuts off what is below zero. Where its input is needed as well, both are
rounded, and onnxruntime makes floats of the one to make the other's integers of them. Of LeakyRelu it has a kernel that
looks each of 256 integers up in a table.
"""

from typing import Any

from edgeq.nouns.fidelity import Remedy
from edgeq.quantize.passes.fuse.links import Links

_HOW = "as a LeakyRelu of slope 0 (an integer lookup table): other operators read its input at another scale"


def shared_relu(model: Any) -> list[Remedy]:
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
