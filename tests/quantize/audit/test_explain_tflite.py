"""Layers of .tflite candidates whose activations are quantized as they come."""

import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import TensorType

from edgeq.graphs import tflite
from edgeq.graphs.tflite import read_model
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.audit.explain import explain
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.partial_run import TfliteRun
from edgeq.quantize.make import make
from edgeq.quantize.run_model import load, no_progress
from tests.quantize import tflite_networks
from tests.quantize.networks import Rows

DYNAMIC = CandidatePlan("litert-int8_dynamic", "litert", "int8_dynamic", "tflite", "a test")


def explained(file, folder):
    graph = tflite.read_tflite(file)
    x = graph.tensors[graph.inputs[0]]
    model = tflite_networks.model_of_file(file)
    samples = Rows(np.random.default_rng(1).normal(size=(8, *x.shape[1:])).astype(np.float32))
    made = make(DYNAMIC, model, None, samples, same_samples=False, gate=Gate(), workdir=folder / "w")
    layers = explain(
        file,
        made.path,
        DYNAMIC,
        made.fidelity,
        samples,
        saturates=False,
        threads=1,
        progress=no_progress,
    )
    real, quantized = (load(path, "tflite") for path in (file, made.path))
    pairs = [(real(samples[i])[0], quantized(samples[i])[0]) for i in range(samples.count)]
    loss = np.sqrt(sum(np.sum((q - y) ** 2) for y, q in pairs) / sum(np.sum(y**2) for y, _ in pairs))
    return layers, float(loss)


@pytest.mark.parametrize("network", [tflite_networks.dense, tflite_networks.convolution])
def test_a_layer_loses_what_the_model_of_nothing_else_loses(tmp_path, network):
    (layer,), loss = explained(network(tmp_path / "net.tflite"), tmp_path)
    assert (layer.layer, layer.scheme, layer.integer, layer.work) == (
        "y",
        "dynamic S8S8 per channel",
        True,
        1.0,
    )
    assert layer.error == layer.own == pytest.approx(loss, rel=1e-3)
    assert 0 < layer.weights < layer.error and 0 < layer.rounding < layer.error
    assert layer.low is layer.clipping is None


def test_samples_are_fed_in_the_types_that_the_file_takes(tmp_path):
    """Converters make int32 of the int64 that a model takes, and the samples with it."""
    model = read_model(tflite_networks.dense(tmp_path / "net.tflite"))
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].type = TensorType.INT32
    (words,) = TfliteRun(model, Rows(np.arange(6)[None]), (0,), 1).to(int(graph.inputs[0]))
    assert words.dtype == np.int32 and words.tolist() == [[0, 1, 2, 3, 4, 5]]
