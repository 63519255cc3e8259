"""Rewrites Upsample (until opset 9) and Resize of opset 10 as Resize of opset 11, which onnx's converter does not do.

Both are asymmetric (input position = output position / scale), and nearest rounds down. Resize of opset 11 without these
attributes takes half_pixel and round_prefer_floor, which moves an image by a part of a pixel.
"""

from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import model_nodes

if TYPE_CHECKING:
    from onnx import ModelProto

SINCE = 11  # the first opset whose Resize has the attributes


def say_asymmetric(model: "ModelProto") -> None:
    """Gives every Resize of a model that was raised from below opset SINCE the attributes that it means."""
    from onnx import helper

    said = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for node in model_nodes(model):
        if node.op_type == "Resize":
            kept = [a for a in node.attribute if a.name not in said]
            del node.attribute[:]
            node.attribute.extend([*kept, *(helper.make_attribute(k, v) for k, v in said.items())])
