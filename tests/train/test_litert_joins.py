"""What LiteRT joins in one scale, and a trained network in several."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("torch")
pytest.importorskip("ai_edge_litert")

from edgeq.graphs.tflite import read_tflite
from edgeq.graphs.weightless import infer_shapes
from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: F401
from tests.train.litert_runs import compared, made_of
from tests.train.residual_network import S8, SIZE, images, quantized

SAMPLES = images(64)


def joined() -> onnx.ModelProto:
    """Two convolutions, the second on small values, side by side; and a product by a matrix."""
    random = np.random.default_rng(0)

    def stored(name: str, spread: float, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(random.normal(0, spread, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "a.w"], ["a"], name="a", strides=[2, 2]),
        helper.make_node("Conv", ["x", "b.w"], ["b"], name="b", strides=[2, 2]),
        helper.make_node("Concat", ["a", "b"], ["c"], name="both", axis=1),
        helper.make_node("Conv", ["c", "k.w"], ["k"], name="k"),
        helper.make_node("Flatten", ["k"], ["d"], name="flat"),
        helper.make_node("MatMul", ["d", "m.w"], ["y"], name="product"),
    ]
    weights = [
        stored("a.w", 0.6, 4, 3, 2, 2),
        stored("b.w", 0.05, 4, 3, 2, 2),
        stored("k.w", 0.3, 8, 8, 1, 1),
        stored("m.w", 0.1, 8 * (SIZE // 2) ** 2, 4),
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIZE, SIZE]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4]),
    ]
    graph = helper.make_graph(nodes, "joined", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    infer_shapes(model)
    return model


def test_small_values_keep_their_own_scale_until_they_are_joined(tmp_path, onnx2tf_cache) -> None:  # noqa: F811
    files = made_of(quantized(joined(), S8), joined(), SAMPLES, tmp_path, onnx2tf_cache)
    graph = read_tflite(files.made.path)
    (join,) = [o for o in graph.operators if o.kind == "CONCATENATION"]
    converted = [o for o in graph.operators if o.kind == "QUANTIZE" and set(o.outputs) & set(join.inputs)]
    assert len(converted) == 1
    steps = compared(files, SAMPLES.images)
    small = graph.tensors[converted[0].inputs[0]].name
    assert steps[small].max() == 0
    assert steps[graph.tensors[join.outputs[0]].name].max() <= 1


def test_weights_that_have_one_scale_in_litert_are_listed(tmp_path, onnx2tf_cache) -> None:  # noqa: F811
    files = made_of(quantized(joined(), S8), joined(), SAMPLES, tmp_path, onnx2tf_cache)
    (change,) = files.made.fidelity.remedies
    assert change.what == "y" and "rounded to nearest" in change.how
