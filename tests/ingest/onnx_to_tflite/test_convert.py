"""Real conversions by onnx2tf: the file takes and gives what the ONNX graph did, and what cannot be had is named."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgeq.errors import ConversionFailed, ModelRefused
from edgeq.graphs.tflite import read_tflite
from edgeq.ingest.graph.read import INLINE_LIMIT
from edgeq.ingest.onnx_to_tflite.pins import CONVERTER
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.nouns.model import Model
from edgeq.quantize.run_model import load
from tests.ingest.onnx_to_tflite.networks import draw, perceptron, residual, write

node = helper.make_node


def opened(path: Path, cache: Path, formats: tuple[str, ...] = ("onnx", "tflite")) -> Model:
    return open_model(Request(str(path), workdir=path.parent / "work", formats=formats, cache=cache))


def operators(model: Model) -> list[str]:
    return [operator.kind for operator in read_tflite(Path(model.files["tflite"])).operators]


def require_same_answers(model: Model, *arrays: np.ndarray) -> None:
    ort, lite = (load(Path(model.files[format]), format) for format in ("onnx", "tflite"))
    assert lite.inputs == ort.inputs
    assert lite.outputs == ort.outputs
    for expected, got in zip(ort(arrays), lite(arrays), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_convolutional_network_keeps_its_channels_first(tmp_path, onnx2tf_cache):
    model = opened(residual(tmp_path / "net.onnx"), onnx2tf_cache)
    assert not model.absent
    assert CONVERTER in model.notes[-1]
    require_same_answers(model, draw(1, 3, 8, 8))
    assert "RELU" not in operators(model)


def test_a_perceptron_keeps_its_names_and_its_logarithm_is_one_operator(tmp_path, onnx2tf_cache):
    model = opened(perceptron(tmp_path / "net.onnx"), onnx2tf_cache)
    require_same_answers(model, draw(1, 16))
    assert operators(model) == ["FULLY_CONNECTED", "FULLY_CONNECTED", "LOG_SOFTMAX"]


def test_the_axes_of_an_output_are_those_of_onnx_even_where_its_shape_does_not_tell(tmp_path, onnx2tf_cache):
    nodes = [node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])]
    path = write(tmp_path / "net.onnx", nodes, {"x": [1, 3, 8, 8]}, {"y": [1, 8, 8, 8]}, w=draw(8, 3, 3, 3))
    require_same_answers(opened(path, onnx2tf_cache), draw(1, 3, 8, 8))


def test_an_output_that_the_graph_goes_on_with_is_given_apart(tmp_path, onnx2tf_cache):
    """The quantizer gives a tensor one type."""
    nodes = [node("Gemm", ["x", "v"], ["y"]), node("Gemm", ["y", "w"], ["z"])]
    ends = {"x": [1, 4]}, {"y": [1, 6], "z": [1, 5]}
    model = opened(write(tmp_path / "net.onnx", nodes, *ends, v=draw(4, 6), w=draw(6, 5)), onnx2tf_cache)
    require_same_answers(model, draw(1, 4))
    assert operators(model).count("RESHAPE") == 1


def test_inputs_keep_their_order_and_a_scalar_stays_one(tmp_path, onnx2tf_cache):
    nodes = [
        node("Gather", ["table", "rows"], ["r"]),
        node("Mul", ["r", "gain"], ["s"]),
        node("Add", ["s", "bias"], ["y"]),
    ]
    inputs = {"rows": ([1, 3], TensorProto.INT64), "gain": [], "unused": [1, 2], "bias": [1, 3, 4]}
    path = write(tmp_path / "net.onnx", nodes, inputs, {"y": [1, 3, 4]}, table=draw(5, 4))
    model = opened(path, onnx2tf_cache)
    rows, gain = np.array([[4, 0, 2]]), np.array(2.5, np.float32)
    require_same_answers(model, rows, gain, draw(1, 2), draw(1, 3, 4))


def test_an_operator_that_tflite_does_not_have_is_named(tmp_path, onnx2tf_cache):
    path = write(tmp_path / "net.onnx", [node("Unique", ["x"], ["y"])], {"x": [6]}, {"y": ["n"]})
    with pytest.raises(ConversionFailed, match="the model uses Unique"):
        opened(path, onnx2tf_cache, ("tflite",))
    assert "Unique" in opened(path, onnx2tf_cache).absent["tflite"]


def test_a_node_for_which_tflite_has_no_operator_is_named(tmp_path, onnx2tf_cache):
    nodes = [
        node("Conv", ["x", "w"], ["h"], name="first", pads=[1, 1]),
        node("Conv", ["h", "v"], ["y"], name="second", group=4, auto_pad="SAME_UPPER", strides=[3]),
    ]
    constants = {"w": draw(8, 8, 3), "v": draw(12, 2, 5)}
    path = write(tmp_path / "net.onnx", nodes, {"x": [1, 8, 64]}, {"y": [1, 12, 22]}, **constants)
    with pytest.raises(ConversionFailed, match=r"the model uses Conv \(second\), which"):
        opened(path, onnx2tf_cache, ("tflite",))


def masked(path: Path, hidden: float) -> Path:
    nodes = [node("MatMul", ["x", "w"], ["z"]), node("Where", ["shown", "z", "hidden"], ["y"])]
    constants = {"w": draw(4, 6), "shown": np.arange(6) % 3 > 0, "hidden": np.float32(hidden)}
    return write(path, nodes, {"x": [1, 4]}, {"y": [1, 6]}, **constants)


def test_a_finite_value_in_place_of_minus_infinity_is_told(tmp_path, onnx2tf_cache):
    """onnx2tf multiplies by zeros and adds the least float32."""
    with pytest.raises(
        ConversionFailed, match=r"output y has -3\.4\S+ where ONNX has -inf, at 2 of 6 values"
    ):
        opened(masked(tmp_path / "net.onnx", -np.inf), onnx2tf_cache, ("tflite",))
    require_same_answers(opened(masked(tmp_path / "net.onnx", -1e4), onnx2tf_cache), draw(1, 4))


def test_an_operator_that_onnx2tf_refuses_is_named(tmp_path, onnx2tf_cache):
    pool = node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], dilations=[3, 3])
    path = write(tmp_path / "net.onnx", [pool], {"x": [1, 1, 8, 8]}, {"y": [1, 1, 5, 5]})
    with pytest.raises(ConversionFailed, match=r"MaxPool.*dilations"):
        opened(path, onnx2tf_cache, ("tflite",))


def test_an_lstm_that_would_keep_its_state_between_inferences_is_refused(tmp_path, onnx2tf_cache):
    """The first inference of the converted file is right, and no other one."""
    nodes = [
        node("LSTM", ["x", "w", "r", "b"], ["h"], hidden_size=8),
        node("Squeeze", ["h", "axes"], ["s"]),
        node("Gemm", ["s", "v"], ["y"]),
    ]
    weights = {"w": draw(1, 32, 4), "r": draw(1, 32, 8), "b": draw(1, 64), "v": draw(8, 3)}
    ends = {"x": [6, 1, 4]}, {"y": [6, 3]}
    path = write(tmp_path / "net.onnx", nodes, *ends, axes=np.array([1, 2]), **weights)
    model = opened(path, onnx2tf_cache)
    assert "tflite" not in model.files
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in model.absent["tflite"] and "state" in model.absent["tflite"]


def test_an_output_that_got_lost_is_named(tmp_path, onnx2tf_cache):
    nodes = [node("Conv", ["x", "w"], ["y"]), node("Relu", ["y"], ["z"])]
    outputs = {"y": [1, 8, 6, 6], "z": [1, 8, 6, 6]}
    path = write(tmp_path / "net.onnx", nodes, {"x": [1, 3, 8, 8]}, outputs, w=draw(8, 3, 3, 3))
    with pytest.raises(ConversionFailed, match="lost the output y"):
        opened(path, onnx2tf_cache, ("tflite",))


def test_a_conversion_that_computes_something_else_is_refused(tmp_path, onnx2tf_cache):
    """onnx2tf forgets alpha: TFLite's ELU has none."""
    path = write(tmp_path / "net.onnx", [node("Elu", ["x"], ["y"], alpha=2.0)], {"x": [1, 9]}, {"y": [1, 9]})
    with pytest.raises(ConversionFailed, match="the output y differs from ONNX by"):
        opened(path, onnx2tf_cache, ("tflite",))


def test_what_is_quantized_already_stays_in_onnx(tmp_path, onnx2tf_cache):
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("MatMul", ["d", "w"], ["y"]),
    ]
    constants = {"s": np.float32(0.1), "z": np.int8(0), "w": draw(4, 4)}
    path = write(tmp_path / "net.onnx", nodes, {"x": [1, 4]}, {"y": [1, 4]}, **constants)
    with pytest.raises(ModelRefused, match="is quantized already"):
        opened(path, onnx2tf_cache, ("tflite",))


def test_where_its_environment_cannot_be_built_the_reason_and_the_remedy_are_there(tmp_path):
    model = opened(residual(tmp_path / "net.onnx"), tmp_path / "empty")
    assert list(model.files) == ["onnx"]
    assert "no Python 3.12 or 3.13 that runs here; install one" in model.absent["tflite"]
    assert "--runtime onnxruntime does not ask for one" in model.notes[-1]
    assert not (tmp_path / "empty").exists()


def test_weights_that_stay_outside_of_a_large_model_are_never_given_to_onnx2tf(tmp_path, onnx2tf_cache):
    """Such a model is used where it lies, and onnx2tf writes into the file that it is given. What is behind the weights in
    their file takes no space on the disk.
    """
    path = residual(tmp_path / "net.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="net.data", size_threshold=0)
    os.truncate(tmp_path / "net.data", INLINE_LIMIT + 1)
    before = path.read_bytes()
    model = opened(path, onnx2tf_cache)
    assert list(model.files) == ["onnx"]
    assert "a .tflite file holds no more" in model.absent["tflite"]
    assert path.read_bytes() == before


@pytest.mark.data
@pytest.mark.parametrize(
    "file",
    [
        "mlperf_tiny/results1.2_pretrainedResnet.onnx",
        "mnist/mnist_burn_opset16.onnx",
        "faces/ultraface_version-slim-320.onnx",
        "detection/FastestDet_coco_352.onnx",
    ],
)
def test_real_networks_give_the_same(file, data_dir, tmp_path, onnx2tf_cache):
    """Proven in the conversion itself: 60 dB at every output."""
    model = open_model(
        Request(str(data_dir / file), workdir=tmp_path, formats=("tflite",), cache=onnx2tf_cache)
    )
    assert "tflite" in model.files
