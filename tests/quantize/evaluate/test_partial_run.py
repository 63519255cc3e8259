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


def test_samples_are_fed_in_the_types_that_the_file_takes(tmp_path):
    """Converters make int32 of the int64 that a model takes, and the samples with it."""
    model = read_model(tflite_networks.dense(tmp_path / "net.tflite"))
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].type = TensorType.INT32
    (words,) = TfliteRun(model, Rows(np.arange(6)[None]), 1).to(int(graph.inputs[0]))
    assert words.dtype == np.int32 and words.tolist() == [[0, 1, 2, 3, 4, 5]]
