"""A run in steps gives what a run at once gives."""

import numpy as np
import onnx
import onnxruntime as ort
from ai_edge_litert.schema_py_generated import TensorType

from edgeq.graphs.float_graph import read
from edgeq.graphs.ort_session import ort_session
from edgeq.graphs.tflite import read_model
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.evaluate.partial_run import OnnxRun, TfliteRun
from edgeq.quantize.samples import evenly_spaced
from tests.quantize import tflite_networks
from tests.quantize.networks import Rows, images, inside_if, residual

SAMPLES = Rows(images(2))


def outputs(model):
    session = ort.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": SAMPLES[0][0]})[0]


def test_each_step_holds_only_what_later_ones_need():
    model = residual()
    run = OnnxRun(model, evenly_spaced(SAMPLES, 2), 1)
    run.to("one.r"), run.to("two.r")
    (scores, _) = run.to("scores")
    np.testing.assert_allclose(scores, outputs(model), rtol=1e-4, atol=1e-4)
    assert run.held == {"scores"}


def test_samples_that_come_in_later_have_the_values_that_they_had_from_the_start():
    model, samples = residual(), Rows(images(5))
    whole, growing = OnnxRun(model, samples, 1), OnnxRun(model, samples, 1, first=2)
    assert len(growing.to("r0")) == 2
    for tensor, count in (("one.r", 2), ("two.r", 3), ("scores", 5)):
        found = growing.to(tensor, count)
        assert len(found) == count
        assert all(np.array_equal(a, b) for a, b in zip(found, whole.to(tensor), strict=False))


def test_a_later_sample_meets_the_weights_of_now():
    """Those of layers that ran before may have been changed since."""
    model, samples = residual(), Rows(images(2))
    run = OnnxRun(model, samples, 1, first=1)
    run.to("stem")
    weights = next(i for i in model.graph.initializer if i.name == "stem.w")
    weights.CopyFrom(onnx.numpy_helper.from_array(0 * onnx.numpy_helper.to_array(weights), "stem.w"))
    first, later = run.to("one.r", 2)
    (expected,) = OnnxRun(model, evenly_spaced(samples, 1), 1).to("one.r")
    assert not np.array_equal(first, expected)  # it ran before the change
    assert np.array_equal(later, expected)  # with no weights in the stem all samples are alike


def test_a_body_may_read_what_an_earlier_step_made():
    model = inside_if()
    run = OnnxRun(model, evenly_spaced(SAMPLES, 1), 1)
    run.to("positive")
    (y,) = run.to("y")
    np.testing.assert_allclose(y, outputs(model), rtol=1e-4, atol=1e-5)


def test_integers_dequantized_once_give_the_bits_of_the_operators_themselves(tmp_path):
    onnx.save(residual(), str(tmp_path / "net.onnx"))
    model = read(tmp_path / "net.onnx")
    ranges = ranges_of(calibrate_onnx(model, SAMPLES, False), "minmax")
    qdq.emit(model, tmp_path / "q.onnx", Scheme("uint8", "int8", True), ranges)
    quantized = onnx.load(str(tmp_path / "q.onnx"))
    defined = ort_session(quantized, threads=1, optimize=False)
    run = OnnxRun(quantized, SAMPLES, 1)
    conv = next(node for node in quantized.graph.node if node.op_type == "Conv")
    run.to(conv.input[0])
    for i, scores in enumerate(run.to("scores")):
        assert np.array_equal(scores, defined.run(["scores"], {"x": SAMPLES[i][0]})[0])


def test_samples_of_a_tflite_come_in_later_too(tmp_path):
    model = read_model(tflite_networks.dense(tmp_path / "net.tflite"))
    graph = model.subgraphs[0]
    samples = Rows(np.arange(3 * 64, dtype=np.float32).reshape(3, 64))
    output = int(graph.outputs[0])
    growing, whole = TfliteRun(model, samples, 1, first=1), TfliteRun(model, samples, 1)
    growing.to(output)
    assert all(np.array_equal(a, b) for a, b in zip(growing.to(output, 3), whole.to(output), strict=True))


def test_samples_are_fed_in_the_types_that_the_file_takes(tmp_path):
    """Converters make int32 of the int64 that a model takes, and the samples with it."""
    model = read_model(tflite_networks.dense(tmp_path / "net.tflite"))
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].type = TensorType.INT32
    (words,) = TfliteRun(model, Rows(np.arange(6)[None]), 1).to(int(graph.inputs[0]))
    assert words.dtype == np.int32 and words.tolist() == [[0, 1, 2, 3, 4, 5]]
