"""Layers get as many bits as their outputs need, so that weights have so many in the mean."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgeq.train.batches import training_data
from edgeq.train.finetune import Start, finetune
from edgeq.train.low_bits import Bits
from edgeq.train.mixed_widths import mixed_widths
from edgeq.train.options import TrainingOptions
from edgeq.train.sites import sites_of
from edgeq.train.training import Settings
from tests.train.residual_network import U8, images, network, quantized, weights_of

INNER = ("first", "second")


@pytest.mark.parametrize("mean", [2.5, 3.5, 6.5])
def test_weights_have_so_many_bits_in_the_mean(mean: float) -> None:
    bits = widths(network(), mean)
    assert np.mean([b.weights for b in bits.values()]) <= mean  # two layers of the same size
    assert np.mean([b.weights for b in bits.values()]) > mean - 1


def test_a_layer_that_rounds_badly_gets_more() -> None:
    """A weight that is far from all others leaves them few levels."""
    model = network()
    stored = next(t for t in model.graph.initializer if t.name == "first.w")
    weights = numpy_helper.to_array(stored).copy()
    weights[:, 0, 0, 0] *= 30.0
    stored.CopyFrom(numpy_helper.from_array(weights, "first.w"))
    bits = widths(model, 4.5)
    assert bits["first"].weights > bits["second"].weights


def test_the_file_has_them() -> None:
    options = TrainingOptions(Settings(0.5, 0.005), Bits(2), batch=32, mean_bits=2.5)
    found = finetune(Start(quantized(network()), network(), U8, "0" * 64), images(), options)
    stored = weights_of(found.model)
    levels = {
        s.layer: len(np.unique(stored[s.integers])) for s in sites_of(found.model).weights if s.layer in INNER
    }
    assert sorted(levels.values())[0] <= 4 and 4 < sorted(levels.values())[1] <= 8
    assert found.training.weight_bits == 2.5


def widths(model: onnx.ModelProto, mean: float) -> dict[str, Bits]:
    layers, axes = dict.fromkeys(INNER, Bits(activations=4)), dict.fromkeys(INNER, 0)
    found = mixed_widths(model, weights_of(model), layers, axes, mean, training_data(images(64)).train)
    assert all(bits.activations == 4 for bits in found.values())
    return found
