"""A run in steps gives what a run at once gives."""

import numpy as np
import onnxruntime as ort
from ai_edge_litert.schema_py_generated import TensorType

from edgeq.graphs.tflite import read_model
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


def test_samples_are_fed_in_the_types_that_the_file_takes(tmp_path):
    """Converters make int32 of the int64 that a model takes, and the samples with it."""
    model = read_model(tflite_networks.dense(tmp_path / "net.tflite"))
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].type = TensorType.INT32
    (words,) = TfliteRun(model, Rows(np.arange(6)[None]), 1).to(int(graph.inputs[0]))
    assert words.dtype == np.int32 and words.tolist() == [[0, 1, 2, 3, 4, 5]]
