"""The float graph of a QDQ file computes what its integers stand for, without rounding activations."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.ort_session import ort_session
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort.qdq import emitted
from edgeq.quantize.trained.float_graph import float_graph
from tests.train.residual_network import S8, U8, images, network, quantized

SAMPLES = images(16)


def outputs(model: onnx.ModelProto) -> np.ndarray:
    session = ort_session(model, threads=1)
    return np.concatenate([session.run(None, {"x": SAMPLES[i][0]})[0] for i in range(SAMPLES.count)])


def test_only_the_weights_are_rounded() -> None:
    floats = float_graph(quantized(network(), S8))
    onnx.checker.check_model(floats, full_check=True)
    assert not any("Linear" in node.op_type for node in floats.graph.node)
    wanted = outputs(network())
    assert np.linalg.norm(outputs(floats) - wanted) < 0.05 * np.linalg.norm(wanted)


def test_relus_that_the_writer_left_to_the_range_are_there_again() -> None:
    file = quantized(network(), S8)
    assert not any(node.op_type == "Relu" for node in file.graph.node)
    index = index_of(float_graph(file).graph)
    assert [n.output[0] for n in index.nodes if n.op_type == "Relu"] == ["ar", "br", "dr"]


def test_a_border_of_integers_is_one_of_floats() -> None:
    """A Pad that was moved behind QuantizeLinear pads with the zero point."""
    pads = numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads")
    weight = numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), "w")
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["p"], name="pad"),
        helper.make_node("Conv", ["p", "w"], ["y"], name="conv"),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, 4, 4]) for n in "xy"]
    graph = helper.make_graph(nodes, "padded", ends[:1], ends[1:], [pads, weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    ranges = dict.fromkeys("xp", (-1.0, 3.0)) | {"y": (-9.0, 27.0)}
    file, _ = emitted(onnx.shape_inference.infer_shapes(model), Scheme("int8", "int8", True), ranges)
    x = np.random.default_rng(0).uniform(-1, 3, (1, 1, 4, 4)).astype(np.float32)
    found, wanted = (ort_session(m, threads=1).run(None, {"x": x})[0] for m in (float_graph(file), model))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_relu_behind_what_moves_values_is_there_again() -> None:
    """The writer leaves it to the range of the moved tensor."""
    random = np.random.default_rng(0)
    stored = [
        numpy_helper.from_array(random.normal(size=(4, 8)).astype(np.float32), "a.w"),
        numpy_helper.from_array(random.normal(size=(8, 4)).astype(np.float32), "b.w"),
        numpy_helper.from_array(np.array([1, 8]), "shape"),
    ]
    nodes = [
        helper.make_node("Gemm", ["x", "a.w"], ["a"], name="a"),
        helper.make_node("Reshape", ["a", "shape"], ["m"], name="moved"),
        helper.make_node("Relu", ["m"], ["r"], name="relu"),
        helper.make_node("Gemm", ["r", "b.w"], ["y"], name="b"),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy"]
    graph = helper.make_graph(nodes, "moved", ends[:1], ends[1:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    ranges = dict.fromkeys("xam", (-6.0, 6.0)) | {"r": (0.0, 6.0), "y": (-20.0, 20.0)}
    file, _ = emitted(onnx.shape_inference.infer_shapes(model), S8, ranges)
    x = np.array([[1.0, -2.0, 0.5, 1.5]], np.float32)
    found, wanted = (ort_session(m, threads=1).run(None, {"x": x})[0] for m in (float_graph(file), model))
    np.testing.assert_allclose(found, wanted, atol=0.1)


def test_a_border_that_a_node_gives_stays_a_constant() -> None:
    """Its range may begin at zero, and no Relu belongs behind it: a converter to TFLite takes none there."""
    pads = numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads")
    weight = numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), "w")
    nodes = [
        helper.make_node("Constant", [], ["border"], name="border", value_float=0.0),
        helper.make_node("Pad", ["x", "pads", "border"], ["p"], name="pad"),
        helper.make_node("Conv", ["p", "w"], ["y"], name="conv"),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, 4, 4]) for n in "xy"]
    graph = helper.make_graph(nodes, "padded", ends[:1], ends[1:], [pads, weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    ranges = dict.fromkeys("xp", (-1.0, 3.0)) | {"y": (-9.0, 27.0), "border": (0.0, 1.0)}
    file, _ = emitted(onnx.shape_inference.infer_shapes(model), U8, ranges)
    index = index_of(float_graph(file).graph)
    (pad,) = [n for n in index.nodes if n.op_type == "Pad"]
    assert index.producer(pad.input[2]).op_type == "Constant"
