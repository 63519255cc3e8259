"""Relu and Clip behind an operator on integers fold into its range only where that range cuts off the same."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.graphs.unfoldable_activations import unfoldable_activations
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.run_model import load
from tests.quantize.networks import Rows, images, model_of, saved

CHANNELS = 8


def weights(name, inputs, seed):
    rng = np.random.default_rng(seed)
    array = rng.normal(scale=(9 * inputs) ** -0.5, size=(CHANNELS, inputs, 3, 3)).astype(np.float32)
    return numpy_helper.from_array(array, name)


def conv(x, w, y):
    return helper.make_node("Conv", [x, w], [y], name=y, pads=[1, 1, 1, 1])


def branch(reads, output):
    """The body of an If, which multiplies what it takes from outside."""
    value = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    node = helper.make_node("Mul", [reads, reads], [output], name=f"{output}_Mul")
    return helper.make_graph([node], output, [], [value])


def capturing(reads):
    """Conv, Relu, an If whose bodies read `reads`, and a Conv."""
    yes = numpy_helper.from_array(np.array(True), "yes")
    nodes = [
        conv("x", "w1", "p"),
        helper.make_node("Relu", ["p"], ["a"], name="relu"),
        helper.make_node(
            "If", ["yes"], ["b"], name="if", then_branch=branch(reads, "t"), else_branch=branch(reads, "e")
        ),
        helper.make_node("Add", ["a", "b"], ["c"], name="add"),
        conv("c", "w2", "y"),
    ]
    return model_of(
        nodes,
        [yes, weights("w1", 3, 0), weights("w2", CHANNELS, 1)],
        [("x", [1, 3, 16, 16])],
        [("y", [1, CHANNELS, 16, 16])],
    )


def in_a_row(*cuts):
    names = ["p", *(f"q{k}" for k in range(len(cuts)))]
    limits = [numpy_helper.from_array(np.float32(v), n) for n, v in (("low", -0.5), ("high", 1.0))]
    nodes = [
        helper.make_node("Relu" if cut == () else "Clip", [before, *cut], [after], name=after)
        for cut, before, after in zip(cuts, names, names[1:], strict=False)
    ]
    nodes = [conv("x", "w1", "p"), *nodes, conv(names[-1], "w2", "y")]
    return model_of(
        nodes,
        [*limits, weights("w1", 3, 0), weights("w2", CHANNELS, 1)],
        [("x", [1, 3, 16, 16])],
        [("y", [1, CHANNELS, 16, 16])],
    )


def beside_its_relu():
    """What the Relu cuts is an output itself."""
    nodes = [conv("x", "w1", "y"), helper.make_node("Relu", ["y"], ["r"], name="relu"), conv("r", "w2", "z")]
    shapes = [(name, [1, CHANNELS, 16, 16]) for name in ("y", "z")]
    return model_of(nodes, [weights("w1", 3, 0), weights("w2", CHANNELS, 1)], [("x", [1, 3, 16, 16])], shapes)


def behind(maker, low, high):
    """Two convolutions with `maker`, then a Clip to constant ends, between them."""
    ends = {"low": low, "high": high}
    limits = [numpy_helper.from_array(np.float32(v), n) for n, v in ends.items() if v is not None]
    named = ["low" if low is not None else "", *(["high"] if high is not None else [])]
    clip = helper.make_node("Clip", ["m", *named], ["c"], name="clip")
    nodes = [conv("x", "w1", "p"), maker, clip, conv("c", "w2", "y")]
    shapes = [("y", [1, CHANNELS, *([16, 16] if maker.op_type != "MaxPool" else [8, 8])])]
    return model_of(
        nodes, [*limits, weights("w1", 3, 0), weights("w2", CHANNELS, 1)], [("x", [1, 3, 16, 16])], shapes
    )


def a_move(kind, **attributes):
    return helper.make_node(kind, ["p"], ["m"], name="maker", **attributes)


def computed_end():
    """The lower end is a tenth of the picture's largest value."""
    axes = numpy_helper.from_array(np.array([1, 2, 3]), "axes")
    tenth = numpy_helper.from_array(np.float32(0.1), "tenth")
    scalar = numpy_helper.from_array(np.array([], np.int64), "scalar")
    nodes = [
        helper.make_node("ReduceMax", ["x", "axes"], ["top"], name="top", keepdims=0),
        helper.make_node("Mul", ["top", "tenth"], ["tenths"], name="tenths"),
        helper.make_node("Reshape", ["tenths", "scalar"], ["low"], name="low"),
        conv("x", "w1", "p"),
        helper.make_node("Clip", ["p", "low"], ["c"], name="clip"),
        conv("c", "w2", "y"),
    ]
    stored = [axes, tenth, scalar, weights("w1", 3, 0), weights("w2", CHANNELS, 1)]
    return model_of(nodes, stored, [("x", [1, 3, 16, 16])], [("y", [1, CHANNELS, 16, 16])], opset=18)


@pytest.mark.arithmetic
@pytest.mark.parametrize(
    "network",
    [
        capturing("a"),
        capturing("p"),
        beside_its_relu(),
        in_a_row((), ()),
        in_a_row(("", "high"), ("low",)),
        in_a_row(("low", "high"), ()),
        in_a_row((), ("low", "high"), ()),
        behind(a_move("Identity"), 0.5, None),
        behind(a_move("Identity"), None, -0.5),
        behind(a_move("Identity"), 0.1, 6.0),
        behind(a_move("Abs"), 0.5, None),
        behind(a_move("MaxPool", kernel_shape=[2, 2], strides=[2, 2]), 0.5, 1.0),
        behind(a_move("Transpose", perm=[0, 1, 3, 2]), -2.0, -0.5),
        computed_end(),
    ],
    ids=[
        "output in a body",
        "input in a body",
        "input an output",
        "Relu twice",
        "ends apart",
        "Clip, Relu",
        "three",
        "low end above zero",
        "high end below zero",
        "both ends above zero",
        "behind a float operator",
        "behind a MaxPool",
        "behind a Transpose",
        "computed end",
    ],
)
def test_it_computes_what_float_does(tmp_path, network):
    saved(network, tmp_path)
    model, path = read(tmp_path / "net.onnx"), tmp_path / "net.q.onnx"
    ranges = ranges_of(calibrate_onnx(model, Rows(images(20)), False), "minmax")
    qdq.emit(model, path, Scheme("uint8", "int8", True), ranges)
    assert "QuantizeLinear" in {n.op_type for n in onnx.load(path).graph.node}
    others = images(10, seed=7)
    outputs = [
        np.stack([load(file, "onnx")((x[None],))[0] for x in others])
        for file in (tmp_path / "net.onnx", path)
    ]
    assert sqnr_db(*outputs) > 25


@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-1.0, 1.0), (None, 6.0), (0.0, None)])
def test_a_clip_that_lets_zero_through_folds(tmp_path, low, high):
    saved(behind(a_move("MaxPool", kernel_shape=[2, 2], strides=[2, 2]), low, high), tmp_path)
    model, path = read(tmp_path / "net.onnx"), tmp_path / "net.q.onnx"
    assert not unfoldable_activations(model)
    ranges = ranges_of(calibrate_onnx(model, Rows(images(20)), False), "minmax")
    qdq.emit(model, path, Scheme("uint8", "int8", True), ranges)
    assert "Clip" not in {n.op_type for n in onnx.load(path).graph.node}


def test_what_a_clip_reads_that_stays_is_calibrated_by_itself(tmp_path):
    """Its own range, not that of what the Clip makes of it."""
    saved(behind(a_move("Identity"), 0.5, None), tmp_path)
    ranges = ranges_of(calibrate_onnx(read(tmp_path / "net.onnx"), Rows(images(20)), False), "minmax")
    assert ranges["m"][0] < 0 < 0.5 <= ranges["c"][0] or ranges["c"][0] == 0
    assert ranges["m"] != ranges["c"]
