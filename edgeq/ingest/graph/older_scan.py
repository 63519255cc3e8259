"""Rewrites the Scan of opset 8, which has a batch axis, so that onnx's converter can raise it to opset 9, which has none.

The converter drops the first input and renames the directions, but forgets the batch. Only one sample is run at a
time, so this axis is 1: it is removed before the Scan and restored after it. A Scan over sequences of several lengths
(its first input) stays as it is, and the converter refuses it.
"""

from typing import TYPE_CHECKING

from edgeq.graphs.onnx_edit import copied, set_nodes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

OPSET = 8


def without_batches(model: "ModelProto") -> "ModelProto":
    """A copy in which no Scan of the main graph is given a batch; everything else is still of opset 8."""
    copy = copied(model)
    set_nodes(copy.graph, [new for node in copy.graph.node for new in _put_anew(node)])
    return copy


def _put_anew(node: "NodeProto") -> "list[NodeProto]":
    from onnx import helper

    if node.op_type != "Scan" or node.input[0]:
        return [node]
    inputs = {value: f"{value}_for_{node.output[0]}" for value in node.input[1:]}
    outputs = {value: f"{value}_without_batch" for value in node.output if value}
    given, gives = ["", *(inputs[i] for i in node.input[1:])], [outputs.get(o, "") for o in node.output]
    scan = helper.make_node("Scan", given, gives, name=node.name)
    scan.attribute.extend(node.attribute)
    before = [helper.make_node("Squeeze", [v], [new], axes=[0]) for v, new in inputs.items()]
    behind = [helper.make_node("Unsqueeze", [new], [v], axes=[0]) for v, new in outputs.items()]
    return [*before, scan, *behind]
