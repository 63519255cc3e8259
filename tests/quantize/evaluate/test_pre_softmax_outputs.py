"""Outputs are compared before a softmax, and class numbers at the floats that they are made of."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.quantize.evaluate.evaluator import graph_evaluator
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.pre_softmax_outputs import PreSoftmax, pre_softmax_of, tensors_in
from edgeq.quantize.make import make
from edgeq.quantize.samples import Subset
from tests.quantize.networks import STATIC, Rows, model_of, saved


def ending_in(kind, made, attributes, extra=()):
    """A matrix product and `kind` behind it."""
    weights = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32)
    return helper.make_model(
        helper.make_graph(
            [
                helper.make_node("MatMul", ["x", "w"], ["scores"], "product"),
                helper.make_node(kind, ["scores", *extra], ["y"], "end", **attributes),
            ],
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
            [helper.make_tensor_value_info("y", made, None)],
            [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.float32(0), "zero")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def test_outputs_are_compared_before_a_softmax():
    net = flattened("Softmax")
    assert pre_softmax_of(net) == (PreSoftmax("y", "s", "scores"),)
    assert tensors_in(net, pre_softmax_of(net)) == ("s",)
    assert pre_softmax_of(flattened("Relu")) == (PreSoftmax("y", "y", "last"),)


def flattened(last):
    weight = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["s"], name="scores"),
        helper.make_node("Reshape", ["s", "shape"], ["r"], name="move"),
        helper.make_node(last, ["r"], ["y"], name="last"),
    ]
    shape = numpy_helper.from_array(np.array([1, 3], np.int64), "shape")
    return model_of(nodes, [weight, shape], [("x", (1, 4))], [("y", (1, 3))])


ENDS = [
    ("ArgMax", TensorProto.INT64, {"axis": 1}, ()),
    ("Greater", TensorProto.BOOL, {}, ("zero",)),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end[0])
def test_class_numbers_and_truth_values_are_compared_at_their_floats(end, tmp_path):
    saved(ending_in(*end), tmp_path)
    model = read(tmp_path / "net.onnx")
    (found,) = pre_softmax_of(model)
    assert found.output == "scores"
    assert tensors_in(model, (found,)) == ("scores",)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end[0])
def test_a_model_that_gives_only_such_is_quantized(end, tmp_path):
    model = saved(ending_in(*end), tmp_path)
    rows = np.random.default_rng(1).normal(size=(60, 8)).astype(np.float32)
    found = make(
        STATIC,
        model,
        Rows(rows[:40]),
        Rows(rows[40:], sha256="h" * 64),
        same_samples=False,
        gate=Gate(min_sqnr_db=5.0),
        workdir=tmp_path / "work",
    )
    assert found.fidelity.passed
    assert [(a.operator, a.integer, a.total) for a in found.fidelity.fusion] == [("MatMul", 1, 1)]


@pytest.mark.parametrize("integers", ["Cast", "ArgMax"])
def test_the_search_stops_at_integers(integers, tmp_path):
    """Integers feed the sigmoid: the float that was made of them is compared."""
    attributes = {"to": TensorProto.INT32} if integers == "Cast" else {"axis": 1}
    net = ending_in(integers, TensorProto.FLOAT, attributes)
    net.graph.node[-1].output[0] = "whole"
    net.graph.node.append(helper.make_node("Cast", ["whole"], ["back"], "back", to=TensorProto.FLOAT))
    net.graph.node.append(helper.make_node("Sigmoid", ["back"], ["y"], "flat"))
    saved(net, tmp_path)
    model, samples = read(tmp_path / "net.onnx"), Rows(np.ones((2, 8), np.float32))
    assert [p.tensor for p in pre_softmax_of(model)] == ["back"]
    assert len(graph_evaluator(model, Subset(samples, (0, 1)), 1).reference[0]) == 2


FOLDED = [
    ("Gemm", "Relu", "Softmax", TensorProto.FLOAT),
    ("Gemm", "Clip", "ArgMax", TensorProto.INT64),
    ("Conv", "Relu", "Sigmoid", TensorProto.FLOAT),
    ("Conv", "Clip", "Greater", TensorProto.BOOL),
    ("Conv", "Clip", "Cast", TensorProto.UINT8),
]


def activated(layer, activation, end, made):
    """`layer`, `activation` that the quantizer drops behind it, and `end`."""
    rng = np.random.default_rng(0)
    shape, weights = ((1, 8), (8, 16)) if layer == "Gemm" else ((1, 8, 6, 6), (16, 8, 3, 3))
    stored = {"w": rng.normal(size=weights), "b": rng.normal(size=16), "low": 0, "high": 6, "half": 0.5}
    ends = ["low", "high"] if activation == "Clip" else []
    extra = ["half"] if end == "Greater" else []
    nodes = [
        helper.make_node(layer, ["x", "w", "b"], ["sums"], "layer"),
        helper.make_node(activation, ["sums", *ends], ["cut"], "activation"),
        helper.make_node(end, ["cut", *extra], ["y"], "end", **({"to": made} if end == "Cast" else {})),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", made, None)],
        [numpy_helper.from_array(np.asarray(a, np.float32), name) for name, a in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), shape[1:]


@pytest.mark.parametrize("form", FOLDED, ids=lambda form: "-".join(form[:3]))
def test_an_activation_that_the_quantizer_drops_still_clips_what_is_compared(form, tmp_path):
    net, shape = activated(*form)
    model = saved(net, tmp_path)
    rows = np.random.default_rng(1).normal(size=(60, *shape)).astype(np.float32)
    samples = Rows(rows[:40])
    found = make(
        STATIC,
        model,
        samples,
        Rows(rows[40:], sha256="h" * 64),
        same_samples=False,
        gate=Gate(min_sqnr_db=5.0),
        workdir=tmp_path / "work",
    )
    assert [(a.operator, a.integer, a.total) for a in found.fidelity.fusion] == [(form[0], 1, 1)]
    graph = read(tmp_path / "net.onnx")
    quantized = onnx.load(found.path)
    assert "activation" not in {node.name for node in quantized.graph.node}
    evaluator = graph_evaluator(graph, Subset(samples, (0, 1, 2, 3)), 1)
    assert evaluator.sqnr_db(quantized) > 25
    assert evaluator.run(quantized)[0].min() == 0
