"""What a trained network computes in float stays in float, whatever LiteRT's graph makes of it."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("torch")
pytest.importorskip("ai_edge_litert")

from edgeq.graphs.weightless import infer_shapes
from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: F401
from tests.train.litert_runs import compared, made_of
from tests.train.residual_network import CLASSES, S8, SIZE, images, quantized

SAMPLES = images(64)


def normalized() -> onnx.ModelProto:
    random = np.random.default_rng(0)

    def stored(name: str, values: np.ndarray) -> onnx.TensorProto:
        return numpy_helper.from_array(values.astype(np.float32), name)

    weights = [
        stored("a.w", random.normal(0, 0.1, (3 * SIZE * SIZE, 16))),
        stored("a.b", random.normal(0, 0.1, 16)),
        stored("n.w", random.uniform(0.5, 2, 16)),
        stored("n.b", random.normal(0, 0.3, 16)),
        stored("b.w", random.normal(0, 0.3, (16, CLASSES))),
        stored("b.b", random.normal(0, 0.1, CLASSES)),
    ]
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "a.w", "a.b"], ["a"], name="a"),
        helper.make_node("LayerNormalization", ["a", "n.w", "n.b"], ["n"], name="norm"),
        helper.make_node("Gemm", ["n", "b.w", "b.b"], ["y"], name="b"),
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIZE, SIZE]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, CLASSES]),
    ]
    graph = helper.make_graph(nodes, "normalized", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    infer_shapes(model)
    return model


def test_a_norm_of_several_operators(tmp_path, onnx2tf_cache) -> None:  # noqa: F811
    files = made_of(quantized(normalized(), S8), normalized(), SAMPLES, tmp_path, onnx2tf_cache)
    fidelity = files.made.fidelity
    (dense,) = fidelity.fusion
    assert (dense.operator, dense.integer, dense.total) == ("FULLY_CONNECTED", 2, 2)
    assert fidelity.remedies == () and fidelity.float_layers
    assert all("in float" in layer.reason for layer in fidelity.float_layers)
    steps = compared(files, SAMPLES.images)
    assert len(steps) >= 3
    assert all(each.max() <= 1 and np.mean(each == 0) > 0.98 for each in steps.values())
