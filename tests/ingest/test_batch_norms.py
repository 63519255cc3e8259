"""A batch norm behind a convolution becomes part of it before anything is quantized; every other stays what it is."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.graphs.ort_session import ort_session
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from tests.quantize.backends.ort.test_ort_static import U8S8
from tests.quantize.networks import Rows, images

NORM = ("scale", "shift", "mean", "variance")
SAMPLES = Rows(images(16))


def model_with(folder, layers):
    """`layers`: "conv" and "norm" in their order, from x (3 channels) to y."""
    rng, nodes, weights, channels = np.random.default_rng(0), [], [], 3
    for k, kind in enumerate(layers):
        source, result = f"t{k}" if k else "x", f"t{k + 1}" if k + 1 < len(layers) else "y"
        if kind == "conv":
            values = {"w": rng.normal(size=(8, channels, 3, 3)), "b": rng.normal(size=8)}
            channels = 8
        else:
            values = {name: rng.uniform(0.5, 2.0, channels) for name in NORM}
        names = [f"{name}{k}" for name in values]
        weights += [
            numpy_helper.from_array(np.float32(v), n) for n, v in zip(names, values.values(), strict=True)
        ]
        operator = {"conv": "Conv", "norm": "BatchNormalization"}[kind]
        nodes.append(helper.make_node(operator, [source, *names], [result], name=f"{kind}{k}"))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    ends[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 16, 16))
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(model), str(folder / "net.onnx"))
    return folder / "net.onnx"


def answers(path):
    session = ort_session(path, threads=1)
    return np.stack([session.run(None, {"x": SAMPLES[i][0]})[0] for i in range(SAMPLES.count)])


@pytest.mark.parametrize(
    ("layers", "left"),
    [
        (("conv", "norm"), ["Conv"]),
        (("conv", "norm", "conv", "norm"), ["Conv", "Conv"]),
        (("norm", "conv"), ["BatchNormalization", "Conv"]),  # not exact where the convolution pads: left
        (("norm",), ["BatchNormalization"]),
    ],
)
def test_what_is_folded(layers, left, tmp_path):
    source = model_with(tmp_path, layers)
    clean = open_model(Request(str(source), workdir=tmp_path / "w")).files["onnx"]
    assert [node.op_type for node in onnx.load(clean).graph.node] == left
    before, after = answers(source), answers(clean)
    assert np.abs(after - before).max() <= 1e-5 * np.abs(before).max()


@pytest.mark.arithmetic
def test_a_batch_norm_that_stays_is_float_between_integer_convolutions(tmp_path):
    source = model_with(tmp_path, ("norm", "conv", "norm"))
    model = read(Path(open_model(Request(str(source), workdir=tmp_path / "w")).files["onnx"]))
    qdq.emit(model, tmp_path / "q.onnx", U8S8, ranges_of(calibrate_onnx(model, SAMPLES, False), "minmax"))
    nodes = onnx.load(tmp_path / "q.onnx").graph.node
    made = {name: node.op_type for node in nodes for name in node.output}
    readers = {node.op_type: made.get(node.input[0]) for node in nodes}
    assert readers["BatchNormalization"] is None and readers["Conv"] == "DequantizeLinear"
    exact, rounded = answers(source), answers(tmp_path / "q.onnx")
    assert np.sum(np.square(rounded - exact)) < 1e-3 * np.sum(np.square(exact))
