"""Layers of which no error is computed are explained as what they are."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.audit.explain import explain
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.run_model import no_progress
from tests.quantize.networks import Rows, images, saved

SCHEME = Scheme("uint8", "int8", True)


def twice_the_same_weights(size=1.0):
    weights = size * np.random.default_rng(0).normal(scale=0.2, size=(8, 8, 3, 3)).astype(np.float32)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 9, 9])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 9, 9])
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "one", pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"], "between"),
        helper.make_node("Conv", ["b", "w"], ["y"], "two", pads=[1] * 4),
    ]
    graph = helper.make_graph(nodes, "net", [x], [y], [numpy_helper.from_array(weights, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def explained(net, tmp_path):
    model, rows = saved(net, tmp_path), images(40, shape=(8, 9, 9))
    found = make(
        CandidatePlan(
            "onnxruntime-int8_static", "onnxruntime", "int8_static", "onnx", "a test", scheme=SCHEME
        ),
        model,
        Rows(rows[:30]),
        Rows(rows[30:], sha256="h" * 64),
        same_samples=False,
        gate=Gate(),
        workdir=tmp_path / "work",
    )
    return explain(
        tmp_path / "net.onnx",
        found.path,
        found.plan,
        found.fidelity,
        Rows(rows[:4]),
        saturates=False,
        threads=1,
        progress=no_progress,
    )


def test_weights_that_two_layers_share(tmp_path):
    for layer in explained(twice_the_same_weights(), tmp_path):
        assert (layer.integer, layer.scheme, layer.why_float) == (True, "U8S8 per channel", "")
