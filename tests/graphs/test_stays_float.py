"""A layer that is left in float is in float on onnxruntime too, which would quantize its weights itself when it loads the file."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from edgeq.graphs.stays_float import keep_in_float
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort.qdq import emitted
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.trained.float_graph import float_graph
from tests.train.residual_network import Images
from tests.train.smaller.graphs import graph

SAMPLES = Images(np.random.default_rng(0).normal(size=(32, 3, 8, 8)).astype(np.float32), None)
LAYERS = {
    "ConvTranspose": "b = ConvTranspose<strides=[2,2], kernel_shape=[2,2]>(ar, b_w[8,6,2,2], b_b[6])",
    "Conv": "b = Conv<pads=[1,1,1,1]>(ar, b_w[6,8,3,3], b_b[6])",
}


def network(kind: str) -> onnx.ModelProto:
    """With a layer between two others whose channels differ by a factor of a thousand: one scale for all of them is no good."""
    size = 16 if kind == "ConvTranspose" else 8
    model = graph(f"""(float[1,3,8,8] x) => (float[1,5,{size},{size}] y) {{
        a = Conv<pads=[1,1,1,1]>(x, a_w[8,3,3,3], a_b[8])
        ar = Relu(a)
        {LAYERS[kind]}
        br = Relu(b)
        y = Conv<pads=[1,1,1,1]>(br, y_w[5,6,3,3])
    }}""")
    factors = np.array([1, 0.01, 10, 0.1, 1, 0.03], np.float32)
    across = (1, 6, 1, 1) if kind == "ConvTranspose" else (6, 1, 1, 1)
    for name, by in (("b_w", factors.reshape(across)), ("y_w", 1 / factors.reshape(1, 6, 1, 1))):
        tensor = next(t for t in model.graph.initializer if t.name == name)
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * by, name))
    return model


@pytest.mark.parametrize("kind", LAYERS)
def test_every_optimization_gives_what_the_file_says(kind: str) -> None:
    quantized = static_int8(kind)
    levels = onnxruntime.GraphOptimizationLevel
    as_written, optimized = (
        outputs(quantized, level) for level in (levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_ALL)
    )
    assert np.abs(optimized - as_written).max() < 0.02 * np.abs(as_written).max()  # a step of the output


def test_the_float_graph_of_the_file_has_nothing_of_it() -> None:
    kinds = [node.op_type for node in float_graph(static_int8("ConvTranspose")).graph.node]
    assert "Clip" not in kinds


def test_what_reads_float_is_left_alone() -> None:
    model = network("ConvTranspose")
    before = model.SerializeToString()
    keep_in_float(model)
    assert model.SerializeToString() == before


def static_int8(kind: str) -> onnx.ModelProto:
    model = network(kind)
    ranges = ranges_of(calibrate_onnx(model, SAMPLES, histogram=False), "minmax")
    left = next(node.name for node in model.graph.node if node.output[0] == "b")
    return emitted(model, Scheme("uint8", "int8", True, pairs_fit=True), ranges, frozenset({left}))[0]


def outputs(model: onnx.ModelProto, level: onnxruntime.GraphOptimizationLevel) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level, options.log_severity_level = level, 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.concatenate([session.run(None, {"x": SAMPLES[i][0]})[0] for i in range(16)])
