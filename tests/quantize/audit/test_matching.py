"""Tensors of a .tflite graph matched by their values to those of the ONNX graph: other layouts and names, fused activations."""

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from edgeq.quantize.audit.matching import matched_tensors
from tests.quantize.tflite_networks import write

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(5, 3, 3, 4)).astype(np.float32)  # outputs, kernel, inputs
BIAS, SHIFT = RNG.normal(size=5).astype(np.float32), RNG.normal(size=5).astype(np.float32)
SAMPLE = (RNG.normal(size=(1, 6, 6, 4)).astype(np.float32),)


@pytest.fixture
def tflite(tmp_path):
    """relu(conv(x)), fused; nothing = 0 times it; shifted = it + SHIFT; flat, the same as a vector."""
    conv = schema.Conv2DOptionsT()
    conv.strideH = conv.strideW = conv.dilationHFactor = conv.dilationWFactor = 1
    conv.fusedActivationFunction = schema.ActivationFunctionType.RELU
    flat = schema.ReshapeOptionsT()
    flat.newShape = [1, 180]
    image = (1, 6, 6, 5)
    return write(
        tmp_path / "m.tflite",
        {"x": (1, 6, 6, 4), "layer": image, "nothing": image, "shifted": image, "flat": (1, 180)},
        {"w": WEIGHT, "b": BIAS, "zero": np.zeros(1), "shift": SHIFT},
        [
            ("CONV_2D", conv, ["x", "w", "b"], "layer"),
            ("MUL", schema.MulOptionsT(), ["layer", "zero"], "nothing"),
            ("ADD", schema.AddOptionsT(), ["layer", "shift"], "shifted"),
            ("RESHAPE", flat, ["shifted"], "flat"),
        ],
        ("x",),
        ("nothing", "flat"),
    )


def same_in_onnx(path, *more):
    """Channels first inside; `more` nodes stand at its end."""
    constants = {
        "w": WEIGHT.transpose(0, 3, 1, 2),
        "b": BIAS,
        "zero": np.zeros(1, np.float32),
        "shift": SHIFT.reshape(1, 5, 1, 1),
    }
    nodes = [
        helper.make_node("Transpose", ["x"], ["first"], perm=(0, 3, 1, 2)),
        helper.make_node("Conv", ["first", "w", "b"], ["sums"], pads=(1, 1, 1, 1)),
        helper.make_node("Relu", ["sums"], ["cut"]),
        helper.make_node("Mul", ["cut", "zero"], ["none"]),
        helper.make_node("Add", ["cut", "shift"], ["moved"]),
        *more,
    ]
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "same",
        [helper.make_tensor_value_info("x", floats, (1, 6, 6, 4))],
        [helper.make_tensor_value_info(n, floats, (1, 5, 6, 6)) for n in ("none", "moved")],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))
    return path


def test_a_fused_layer_matches_the_tensor_after_the_activation_and_zeros_match_none(tflite, tmp_path):
    found = matched_tensors(same_in_onnx(tmp_path / "m.onnx"), tflite, SAMPLE)
    assert (found.tensors, found.matched) == (4, 3)
    assert [(s.what, s.reason) for s in found.without] == [
        ("MUL: nothing", "all its values are equal, so it cannot be matched")
    ]


def test_values_that_two_tensors_have_match_none(tflite, tmp_path):
    again = helper.make_node("Abs", ["cut"], ["again"])
    found = matched_tensors(same_in_onnx(tmp_path / "m.onnx", again), tflite, SAMPLE)
    assert {s.what: s.reason for s in found.without}["CONV_2D: layer"] == (
        "several tensors of the ONNX graph have these values"
    )


def test_a_tensor_that_is_only_transposed_is_no_second_one(tflite, tmp_path):
    back = helper.make_node("Transpose", ["cut"], ["back"], perm=(0, 2, 3, 1))
    assert matched_tensors(same_in_onnx(tmp_path / "m.onnx", back), tflite, SAMPLE).matched == 3


def test_tensors_with_other_values_are_listed(tflite, tmp_path):
    path = same_in_onnx(tmp_path / "m.onnx")
    model = onnx.load(str(path))
    model.graph.node[4].input[1] = "zero"  # instead of the shift
    onnx.save(model, str(path))
    without = {s.what: s.reason for s in matched_tensors(path, tflite, SAMPLE).without}
    assert without["ADD: shifted"] == "no tensor of the ONNX graph has these values"
    assert without["RESHAPE: flat"] == without["ADD: shifted"]
