"""What decides classes and truths is the floats that they are made of."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.pre_softmax_outputs import closeness_db, onnx_answers
from edgeq.quantize.evaluate.pre_softmax_tensors import decisive_of, ending_at
from edgeq.quantize.float_graph import read
from edgeq.quantize.make import make
from tests.quantize.networks import STATIC, Rows, saved


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


ENDS = [
    ("ArgMax", TensorProto.INT64, {"axis": 1}, ()),
    ("Greater", TensorProto.BOOL, {}, ("zero",)),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end[0])
def test_what_decides_a_class_or_a_truth(end, tmp_path):
    saved(ending_in(*end), tmp_path)
    model = read(tmp_path / "net.onnx")
    (decides,) = decisive_of(model)
    assert decides.output == "scores"
    assert [o.name for o in ending_at(model, (decides,)).graph.output] == ["scores"]


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
def test_what_decides_is_a_float(integers, tmp_path):
    """Behind the last function that flattens stand integers: what decides is what was made of them."""
    attributes = {"to": TensorProto.INT32} if integers == "Cast" else {"axis": 1}
    net = ending_in(integers, TensorProto.FLOAT, attributes)
    net.graph.node[-1].output[0] = "whole"
    net.graph.node.append(helper.make_node("Cast", ["whole"], ["back"], "back", to=TensorProto.FLOAT))
    net.graph.node.append(helper.make_node("Sigmoid", ["back"], ["y"], "flat"))
    saved(net, tmp_path)
    model, samples = read(tmp_path / "net.onnx"), Rows(np.ones((2, 8), np.float32))
    assert [d.tensor for d in decisive_of(model)] == ["back"]
    assert len(onnx_answers(model, model, samples, (0, 1), 1)) == 2


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
def test_an_activation_that_the_quantizer_drops_still_decides(form, tmp_path):
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
    exact, rounded = (onnx_answers(graph, g, samples, (0, 1, 2, 3), 1) for g in (graph, quantized))
    assert closeness_db(exact, rounded) > 25
    assert min(a.min() for (a,) in rounded) == 0
