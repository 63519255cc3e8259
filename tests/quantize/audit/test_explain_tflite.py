"""Layers of dynamically quantized .tflite candidates."""

import numpy as np
import pytest

from edgeq.graphs.tflite import read_tflite
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.audit.explain import explain
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.run_model import load, no_progress
from tests.quantize import tflite_networks
from tests.quantize.networks import Rows

DYNAMIC = CandidatePlan("litert-int8_dynamic", "litert", "int8_dynamic", "tflite", "a test")


def explained(file, folder):
    graph = read_tflite(file)
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
def test_the_error_of_the_only_layer_is_the_error_of_the_model(tmp_path, network):
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
